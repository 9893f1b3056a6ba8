/* The memory of a guest for debuggers, as QEMU writes it, and pieces of it. Facts: QEMU's qapi/dump.json.
 * See run.h. */
#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/run.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#define POLL_US 20000
#define DUMP_MS 30000 /* one answer, while QEMU is busy with pages */
#define FD_NAME "dump"

static const char *format_of(EngineWrite what)
{
	static const char *const formats[] = {
		[ENGINE_DUMP_ELF] = "elf",
		[ENGINE_DUMP_KDUMP_ZLIB] = "kdump-zlib",
		[ENGINE_DUMP_KDUMP_LZO] = "kdump-lzo",
		[ENGINE_DUMP_KDUMP_SNAPPY] = "kdump-snappy",
		[ENGINE_DUMP_WINDOWS] = "win-dmp",
	};
	return formats[what];
}

/* Whether this QEMU writes @format. */
static gboolean has_format(EngineRun *run, const char *format, GError **error)
{
	json_t *known = qmp_call(run->qmp, "query-dump-guest-memory-capability", NULL, QMP_MS, error), *one;
	gboolean there = FALSE;
	size_t i;
	if (!known)
		return FALSE;
	json_array_foreach (json_object_get(known, "formats"), i, one)
		there |= !g_strcmp0(json_string_value(one), format);
	json_decref(known);
	return there || fail(error, LODGE_ERROR_UNSUPPORTED,
			     "guest \"%s\": this QEMU does not write dumps in the format %s", run->name,
			     format);
}

static gboolean follow(EngineRun *run, const EngineProgress *progress, GError **error)
{
	for (;;) {
		json_t *info = qmp_call(run->qmp, "query-dump", NULL, DUMP_MS, error);
		if (!info)
			return FALSE;
		const char *status = json_string_value(json_object_get(info, "status"));
		gboolean done = !g_strcmp0(status, "completed"), failed = !g_strcmp0(status, "failed");
		EngineWork work = {
			.total = (guint64)json_integer_value(json_object_get(info, "total")),
			.processed = (guint64)json_integer_value(json_object_get(info, "completed")),
		};
		work.remaining = work.total - MIN(work.processed, work.total);
		json_decref(info);
		if (progress && progress->work)
			progress->work(progress->data, &work);
		if (progress && progress->tell)
			progress->tell(progress->data,
				       work.total ? (double)work.processed / (double)work.total
						  : -1);
		if (failed)
			return fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": QEMU could not write the dump; "
				    "its log tells more", run->name);
		if (done)
			return TRUE;
		g_usleep(POLL_US);
	}
}

gboolean run_dump_wait(EngineRun *run)
{
	json_t *info = qmp_call(run->qmp, "query-dump", NULL, DUMP_MS, NULL);
	gboolean any = !g_strcmp0(json_string_value(json_object_get(info, "status")), "active");
	json_decref(info);
	if (any)
		follow(run, NULL, NULL);
	return any;
}

/* QEMU does not tell why it could not write. */
static gboolean is_full(int fd)
{
	struct statvfs fs;
	return fstatvfs(fd, &fs) == 0 && fs.f_blocks && !fs.f_bavail;
}

gboolean run_dump(EngineRun *run, EngineWrite what, int fd, const EngineProgress *progress, GError **error)
{
	const char *format = format_of(what);
	if (!has_format(run, format, error))
		return FALSE;
	json_t *named = qmp_call_fd(run->qmp, "getfd", json_pack("{s:s}", "fdname", FD_NAME), fd, QMP_MS,
				    error);
	json_decref(named);
	json_t *begun = !named ? NULL
			       : qmp_call(run->qmp, "dump-guest-memory",
					  json_pack("{s:b, s:s, s:b, s:s}", "paging", FALSE, "protocol",
						    "fd:" FD_NAME, "detach", TRUE, "format", format),
					  DUMP_MS, error);
	json_decref(begun);
	g_autoptr(GError) why = NULL;
	if (!begun || follow(run, progress, &why))
		return begun != NULL;
	if (is_full(fd))
		return fail(error, LODGE_ERROR_NO_SPACE,
			    "guest \"%s\": QEMU could not write the dump: No space left on device",
			    run->name);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* ---- pieces ---- */

#define PEEK_MAX (4u << 20) /* bytes: as much as libvirt's protocol carries */

/* QEMU may reach no file of ours, and opens this one by a name alone: that of the fd which it gets. */
static gboolean write_piece(EngineRun *run, const char *command, guint64 from, guint64 size, int fd,
			    GError **error)
{
	json_t *set = qmp_call_fd(run->qmp, "add-fd", json_object(), fd, QMP_MS, error);
	if (!set)
		return FALSE;
	json_int_t id = json_integer_value(json_object_get(set, "fdset-id"));
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%" JSON_INTEGER_FORMAT,
						json_integer_value(json_object_get(set, "fd")));
	json_decref(set);
	json_t *done = qmp_call(run->qmp, command,
				json_pack("{s:I, s:I, s:s}", "val", (json_int_t)from, "size",
					  (json_int_t)size, "filename", name),
				QMP_MS, error);
	json_decref(qmp_call(run->qmp, "remove-fd", json_pack("{s:I}", "fdset-id", id), QMP_MS, NULL));
	json_decref(done);
	return done != NULL;
}

/* @text: "physical FROM SIZE" or "virtual FROM SIZE". */
char *run_peek(EngineRun *run, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 3);
	gboolean complete = g_strv_length(words) == 3;
	guint64 from = complete ? g_ascii_strtoull(words[1], NULL, 10) : 0;
	guint64 size = complete ? g_ascii_strtoull(words[2], NULL, 10) : 0;
	if (!size || size > PEEK_MAX || from > G_MAXINT64) {
		fail(error, LODGE_ERROR_INVALID, "a piece of memory has 1 to %u bytes", PEEK_MAX);
		return NULL;
	}
	autofd int fd = memfd_create("peek", MFD_CLOEXEC);
	if (fd < 0) {
		fail_errno(error, errno, "cannot make a file for a piece of memory");
		return NULL;
	}
	if (!write_piece(run, g_str_equal(words[0], "virtual") ? "memsave" : "pmemsave", from, size,
			 fd, error))
		return NULL;
	g_autofree guint8 *bytes = g_malloc(size);
	ssize_t n = pread(fd, bytes, size, 0);
	if (n == (ssize_t)size)
		return g_base64_encode(bytes, size);
	fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": QEMU gave %d of %" G_GUINT64_FORMAT " bytes",
	     run->name, (int)n, size);
	return NULL;
}

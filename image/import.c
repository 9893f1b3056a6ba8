/* See import.h. */
#include "image/import.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "host/why.h"
#include "host/process.h"
#include "image/copy.h"
#include "image/header.h"
#include "image/import_head.h"
#include "image/part.h"

#define LIST_MS 60000
#define NO_PARTS 33 /* curl's exit: the server sent all where the rest was asked for (CURLE_RANGE_ERROR) */
#define SMALLEST_RAW (1u << 20) /* what is less and has no header is no disk */

typedef struct Import {
	const ImageImport *how;
	char *name;
	char *part; /* what is fetched, so far; of a file of this host the file itself */
	char *head; /* what the server said of it */
	gboolean fetched;
	gboolean resumed; /* some of it came at another time */
	gboolean checked; /* there is a checksum of it */
	GCancellable *cancel;
} Import;

static gboolean is_address(const char *from)
{
	return g_str_has_prefix(from, "http://") || g_str_has_prefix(from, "https://");
}

/* Removes what was fetched and is no good; a file of this host is somebody's. */
static void drop(const Import *import)
{
	if (!import->fetched)
		return;
	unlink(import->part);
	unlink(import->head);
}

static void tell(const Import *import, double fraction)
{
	const ImageWork *work = import->how->work;
	if (work && work->progress)
		work->progress(CLAMP(fraction, 0, 1), work->data);
}

/* ---- curl ---- */

#define CURL                                                                                       \
	"curl", "-sSfL", "--proto", "=http,https", "--proto-redir", "=http,https",                 \
		"--connect-timeout", "30", "--speed-limit", "1", "--speed-time", "60"

static const char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", "HOME=/nonexistent", NULL };

/* A short answer; NULL on failure. */
static char *fetch_text(const char *const *argv, GError **error)
{
	const Spawn how = { .argv = argv, .env = environment, .tied = TRUE };
	g_autofree char *out = NULL;
	int status = 0;
	if (!spawn_run(&how, LIST_MS, &out, &status, error))
		return NULL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return g_steal_pointer(&out);
	g_autofree char *valid = g_utf8_make_valid(g_strstrip(out), -1);
	fail(error, LODGE_ERROR_SYSTEM, "%s", valid);
	return NULL;
}

/* Bytes of it that are there. */
static guint64 size_of_part(const Import *import)
{
	struct stat st;
	return lstat(import->part, &st) == 0 && st.st_size > 0 ? (guint64)st.st_size : 0;
}

/* How many bytes there will be; 0 where the server did not tell. */
static guint64 length_of(const Import *import)
{
	g_auto(ImportHead) head = { 0 };
	import_head_read(import->head, &head);
	return head.length;
}

/* Until curl ends, or is cancelled; its wait status, -1 after a cancel. */
static int wait_for(const Import *import, const SpawnChild *child)
{
	gboolean cancelled = FALSE;
	for (guint64 length = 0; !process_wait(child->pidfd, 200);) {
		if (length || (length = length_of(import)))
			tell(import, (double)size_of_part(import) / (double)length * 0.95);
		if (!cancelled && g_cancellable_is_cancelled(import->cancel)) {
			cancelled = TRUE;
			process_signal(child->pidfd, SIGKILL, NULL);
		}
	}
	int status = -1;
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	return cancelled ? -1 : status;
}

static gboolean judge(const Import *import, int status, int complaint, GError **error)
{
	const char *from = import->how->from;
	char text[1024];
	gssize n = pread(complaint, text, sizeof text - 1, 0);
	text[MAX(n, 0)] = '\0';
	g_autofree char *why = g_utf8_make_valid(g_strstrip(text), -1);
	if (status == 0)
		return TRUE;
	if (status == -1)
		return fail(error, LODGE_ERROR_ABORTED,
			    "the import of %s was cancelled; what came so far is kept, and is gone on with",
			    from);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	if (code == 23)
		drop(import); /* it would keep the disk full */
	LodgeError meaning = code == 23 ? LODGE_ERROR_NO_SPACE :
			     code == 22 ? LODGE_ERROR_NOT_FOUND :
					  LODGE_ERROR_SYSTEM;
	return fail(error, meaning, "%s cannot be fetched: %s", from, *why ? why : "curl was killed");
}

/* Whether what is there can be gone on with: the server is asked to send the rest only if it still has the
 * same file, or a checksum will tell. *condition is the header that asks. Otherwise it is begun anew. */
static gboolean may_resume(const Import *import, char **condition)
{
	g_auto(ImportHead) head = { 0 };
	import_head_read(import->head, &head);
	if (!size_of_part(import) || !(head.validator || import->checked)) {
		drop(import);
		return FALSE;
	}
	if (head.validator)
		*condition = g_strconcat("If-Range: ", head.validator, NULL);
	return TRUE;
}

/* A server may close early without saying so, or send more. */
static gboolean check_length(const Import *import, GError **error)
{
	guint64 wanted = length_of(import), got = size_of_part(import);
	if (!wanted || got == wanted)
		return TRUE;
	drop(import);
	return fail(error, LODGE_ERROR_INVALID,
		    "%s: the server said that it has %" G_GUINT64_FORMAT " bytes, but %" G_GUINT64_FORMAT
		    " came; it was removed", import->how->from, wanted, got);
}

/* Whether curl could not go on with what is there, or what is there now is of two files. */
static gboolean has_changed(const Import *import, int status, int complaint)
{
	char text[1024] = "";
	guint64 wanted = length_of(import);
	if (status == 0)
		return wanted && size_of_part(import) != wanted;
	if (!WIFEXITED(status) || pread(complaint, text, sizeof text - 1, 0) < 0)
		return FALSE;
	/* there is no rest: 416 of RFC 9110 */
	return WEXITSTATUS(status) == NO_PARTS || strstr(text, "returned error: 416");
}

/* One run of curl. *changed: the server has another file by now, or sends no parts. */
static gboolean fetch(Import *import, gboolean *changed, GError **error)
{
	g_autofree char *condition = NULL;
	import->resumed = may_resume(import, &condition);
	/* what was said of the first part counts for all */
	const char *const argv[] = { CURL, "--retry", "3", "-o", import->part, import->how->from, "-C", "-",
				     "-D", import->resumed ? "/dev/null" : import->head,
				     condition ? "-H" : NULL, condition, NULL };
	FILE *complaint = tmpfile();
	if (!complaint)
		return fail_errno(error, errno, "cannot make a temporary file");
	Spawn how = { .argv = argv, .env = environment, .tied = TRUE, .output = fileno(complaint) };
	SpawnChild child;
	g_autoptr(GError) why = NULL;
	gboolean ok = spawn(&how, &child, &why);
	if (ok) {
		int status = wait_for(import, &child);
		close(child.pidfd);
		ok = judge(import, status, fileno(complaint), error);
		*changed = import->resumed && has_changed(import, status, fileno(complaint));
		ok = ok && check_length(import, error);
		if (!ok && !size_of_part(import))
			drop(import);
	} else {
		if (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_NOT_FOUND))
			why->code = LODGE_ERROR_UNSUPPORTED;
		g_propagate_error(error, g_steal_pointer(&why));
	}
	fclose(complaint);
	return ok;
}

static gboolean download(Import *import, GError **error)
{
	gboolean changed = FALSE;
	g_autoptr(GError) why = NULL;
	if (fetch(import, &changed, &why))
		return TRUE;
	if (!changed) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	drop(import);
	return fetch(import, &changed, error);
}

/* ---- checksums ---- */

static gboolean is_digest(const char *text, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isxdigit(text[i]))
			return FALSE;
	return length == 64 || length == 128;
}

static char *in_line(const char *line, const char *name, gboolean only)
{
	gsize n = strcspn(line, " \t");
	const char *rest = line + n + strspn(line + n, " \t*"), *equals = strstr(line, ") = ");
	g_autofree char *inside = g_strdup_printf("(%s) = ", name ? name : "");
	if (is_digest(line, n) && (!g_strcmp0(rest, name) || (only && (!name || *rest == '\0'))))
		return g_ascii_strdown(line, (gssize)n);
	if (equals && (name ? strstr(line, inside) != NULL : only) &&
	    is_digest(equals + 4, strlen(equals + 4)))
		return g_ascii_strdown(equals + 4, -1);
	return NULL;
}

char *image_checksum_in(const char *text, const char *name)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", 100000);
	gboolean only = lines[0] && (!lines[1] || !*lines[1]);
	char *found = NULL;
	for (guint i = 0; lines[i] && !found; i++)
		found = in_line(g_strstrip(lines[i]), name, only);
	return found;
}

/* The digits that are wanted; *found stays NULL where none are. */
static gboolean find_wanted(const Import *import, char **found, GError **error)
{
	const ImageImport *how = import->how;
	if (how->checksum) {
		const char *colon = strchr(how->checksum, ':');
		const char *digits = colon ? colon + 1 : how->checksum;
		const char *kind = strlen(digits) == 64 ? "sha256:" : "sha512:";
		gboolean fits = is_digest(digits, strlen(digits)) &&
				(!colon || g_str_has_prefix(how->checksum, kind));
		*found = fits ? g_ascii_strdown(digits, -1) : NULL;
		return fits || fail(error, LODGE_ERROR_INVALID,
				    "\"%s\" is no checksum; write sha256: or sha512: and its digits",
				    how->checksum);
	}
	if (!how->checksum_from)
		return TRUE;
	const char *const argv[] = { CURL, how->checksum_from, NULL };
	g_autofree char *list = fetch_text(argv, error);
	g_autofree char *base = g_path_get_basename(how->from);
	if (!list) {
		g_prefix_error(error, "the checksums at %s cannot be fetched: ", how->checksum_from);
		return FALSE;
	}
	g_autofree char *beside = g_path_get_basename(how->checksum_from);
	*found = image_checksum_in(list, base);
	/* "a.qcow2.sha256" may call the image by the name that "a.qcow2" is a link to */
	if (!*found && g_str_has_prefix(beside, base) && beside[strlen(base)] == '.')
		*found = image_checksum_in(list, NULL);
	return *found || fail(error, LODGE_ERROR_INVALID, "%s has no checksum of %s",
			      how->checksum_from, base);
}

static gboolean verify(const Import *import, const char *wanted, GError **error)
{
	autofd int fd = open(import->part, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(error, errno, "%s cannot be read", import->part);
	GChecksum *sum = g_checksum_new(strlen(wanted) == 64 ? G_CHECKSUM_SHA256 : G_CHECKSUM_SHA512);
	g_autofree guchar *buffer = g_malloc(1 << 20);
	gssize n;
	while ((n = read(fd, buffer, 1 << 20)) > 0 && !g_cancellable_is_cancelled(import->cancel))
		g_checksum_update(sum, buffer, n);
	g_autofree char *got = g_strdup(g_checksum_get_string(sum));
	g_checksum_free(sum);
	if (g_cancellable_is_cancelled(import->cancel))
		return fail(error, LODGE_ERROR_ABORTED, "the import of %s was cancelled", import->how->from);
	if (n == 0 && g_str_equal(got, wanted))
		return TRUE;
	drop(import);
	return fail(error, LODGE_ERROR_INVALID,
		    "%s is not what its checksum is of (%s is wanted, it has %s)%s",
		    import->how->from, wanted, got, import->fetched ? "; it was removed" : "");
}

/* ---- what came ---- */

/* Packed files, by their magic. */
static const struct {
	const char *magic, *what;
} packed[] = {
	{ "\xfd" "7zXZ", "xz" },	  { "\x1f\x8b", "gzip" },	{ "\x28\xb5\x2f\xfd", "zstd" },
	{ "BZh", "bzip2" },	  { "PK\3\4", "zip" },
};

static gboolean check_raw(const Import *import, int fd, const ImageHeader *header, GError **error)
{
	char start[8] = "";
	image_read_at(fd, start, sizeof start - 1, 0);
	for (guint i = 0; i < G_N_ELEMENTS(packed); i++)
		if (strncmp(start, packed[i].magic, strlen(packed[i].magic)) == 0)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "%s is packed with %s; unpack it and import the file",
				    import->how->from, packed[i].what);
	if (header->physical >= SMALLEST_RAW && header->physical % 512 == 0)
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID, "%s is no disk image", import->how->from);
}

static gboolean check_image(const Import *import, ImageHeader *header, GError **error)
{
	const char *from = import->how->from;
	autofd int fd = image_open(import->part, error);
	if (fd < 0 || !image_header_read(fd, from, 0, header, error))
		return FALSE;
	const char *other = header->backing ? header->backing : header->data_file;
	if (!other && header->extents && header->extents->len)
		other = g_ptr_array_index(header->extents, 0);
	g_autofree char *shown = g_strescape(other ? other : "", NULL);
	if (other)
		return fail(error, LODGE_ERROR_INVALID,
			    "%s is only a part of an image: the rest is in \"%s\"; make one file of them "
			    "with `lodge image convert` where it comes from", from, shown);
	if (header->differencing)
		return fail(error, LODGE_ERROR_INVALID, "%s is only a part of an image: it has a parent",
			    from);
	return header->format != IMAGE_RAW || check_raw(import, fd, header, error);
}

static gboolean name_fetched(const Import *import, const char *to, GError **error)
{
	autofd int fd = open(import->part, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return fail_errno(error, errno, "%s cannot be written to the disk", import->part);
	unlink(import->head);
	return file_rename(import->part, to, error);
}

static gboolean copy_file(const Import *import, const char *to, guint64 length, GError **error)
{
	g_auto(ImagePart) part = { .fd = -1 };
	autofd int from = image_open(import->part, error);
	if (from < 0 || !image_part_begin(to, FALSE, &part, error))
		return FALSE;
	if (ftruncate(part.fd, (off_t)length) < 0)
		return fail_errno(error, errno, "%s cannot be written", to);
	if (!image_copy_range(from, 0, part.fd, 0, length, IMAGE_FLUSH_FIRST, import->how->work,
			      error)) {
		g_prefix_error(error, "%s: ", import->how->from);
		return FALSE;
	}
	return image_part_finish(&part, FALSE, IMAGE_FLUSH_FIRST, error);
}

static gboolean place(const Import *import, const ImageHeader *header, char **path, GError **error)
{
	const char *suffix = header->format == IMAGE_RAW ? "img" :
							   enum_name(&image_formats, (int)header->format);
	g_autofree char *to = g_strdup_printf("%s/%s.%s", import->how->folder, import->name, suffix);
	if (import->fetched ? !name_fetched(import, to, error) :
			      !copy_file(import, to, header->physical, error))
		return FALSE;
	*path = g_steal_pointer(&to);
	return TRUE;
}

/* What came in parts and is not what is wanted may be of two files: it is fetched once more as a whole. */
static gboolean get(Import *import, const char *wanted, GError **error)
{
	g_autoptr(GError) why = NULL;
	import->checked = wanted != NULL;
	if (import->fetched && !download(import, error))
		return FALSE;
	if (!wanted || verify(import, wanted, &why))
		return TRUE;
	if (import->resumed && why->code == LODGE_ERROR_INVALID)
		return download(import, error) && verify(import, wanted, error);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static gboolean run(Import *import, ImageImported *result, GError **error)
{
	g_auto(ImageHeader) header = { 0 };
	g_autofree char *wanted = NULL, *path = NULL;
	if (!find_wanted(import, &wanted, error) || !get(import, wanted, error))
		return FALSE;
	if (!check_image(import, &header, error) || !place(import, &header, &path, error)) {
		drop(import);
		return FALSE;
	}
	*result = (ImageImported){ .path = g_steal_pointer(&path), .name = g_strdup(import->name),
				   .format = header.format, .size = header.capacity,
				   .verified = wanted != NULL };
	return TRUE;
}

/* "debian-12" of ".../debian-12.qcow2?x=y"; the caller frees it. */
static char *name_from(const char *from)
{
	g_autofree char *path = g_strndup(from, is_address(from) ? strcspn(from, "?#") : strlen(from));
	char *base = g_path_get_basename(path), *dot = strrchr(base, '.');
	if (dot && dot != base && strlen(dot) <= 6)
		*dot = '\0';
	return base;
}

static gboolean is_taken(const Import *import, GError **error)
{
	static const char *const suffixes[] = { "", ".img", ".qcow2" };
	for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *path = g_strconcat(import->how->folder, "/", import->name,
						   suffixes[i], NULL);
		if (access(path, F_OK) == 0)
			return !fail(error, LODGE_ERROR_EXISTS,
				     "image \"%s\" exists already; say another --name", path);
	}
	return FALSE;
}

/* Two who fetch into one file would mix what comes. */
static GMutex lock;
static GHashTable *parts; /* names of those that are fetched now; under lock */

static gboolean begin(const Import *import, GError **error)
{
	g_mutex_lock(&lock);
	if (!parts)
		parts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	gboolean mine = g_hash_table_add(parts, g_strdup(import->head));
	g_mutex_unlock(&lock);
	return mine || fail(error, LODGE_ERROR_IN_USE,
			    "image \"%s\" is being imported by another call: wait for it, or cancel it",
			    import->name);
}

static void end(const Import *import)
{
	g_mutex_lock(&lock);
	g_hash_table_remove(parts, import->head);
	g_mutex_unlock(&lock);
}

gboolean image_import(const ImageImport *how, ImageImported *result, GError **error)
{
	Import import = { .how = how, .name = how->name ? g_strdup(how->name) : name_from(how->from),
			  .cancel = how->work ? how->work->cancel : NULL };
	import.fetched = is_address(how->from);
	import.part = import.fetched ? g_strdup_printf("%s/.%s.part", how->folder, import.name) :
				       g_strdup(how->from);
	import.head = g_strdup_printf("%s/.%s" IMPORT_HEAD_SUFFIX, how->folder, import.name);
	g_autoptr(GError) why = NULL;
	gboolean ok;
	if (!*import.name || *import.name == '.' || strchr(import.name, '/') || strlen(import.name) > 200)
		ok = fail(error, LODGE_ERROR_INVALID, "\"%s\" is no name for an image", import.name);
	else if ((ok = !is_taken(&import, error) && begin(&import, error))) {
		ok = run(&import, result, &why) || fail_full(error, g_steal_pointer(&why), how->folder);
		end(&import);
	}
	g_free(import.part);
	g_free(import.head);
	g_free(import.name);
	return ok;
}

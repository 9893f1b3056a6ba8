/* Verbs about long work on a guest: dumping its memory, how far a job is, ending one; and pieces of its
 * memory and disks. Names, options and texts are virsh's.
 * Neighbours: core/job.h and dump.h do it; guest_save.c saves. */
#include "base/fd.h"
#include "core/dump.h"
#include "core/job.h"
#include "ops/families.h"
#include "ops/params.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ON_GUEST(method_, perm_, lane_)                                                            \
	.family = "Guests", .target = OP_ON_GUEST, .method = method_, .perm = perm_, .lane = lane_

/* ---- dump ---- */

typedef enum DumpFormat { DUMP_ELF = 1, DUMP_ZLIB, DUMP_LZO, DUMP_SNAPPY, DUMP_WINDOWS } DumpFormat;
static const EnumTable dump_formats =
	ENUM_TABLE("format of a dump", "elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp");

typedef struct DumpArgs {
	ShapeHead head;
	char *path;
	gboolean live, crash, reset, memory_only, bypass_cache, verbose;
	DumpFormat format;
} DumpArgs;

static const Row dump_rows[] = {
	STRING(DumpArgs, path, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_PATH,
	       .doc = "file that it is dumped to"),
	FLAG(DumpArgs, live, NULL, .doc = "without stopping its CPUs"),
	FLAG(DumpArgs, crash, NULL, .doc = "and end the guest, as crashed"),
	FLAG(DumpArgs, bypass_cache, NULL, .doc = "taken and without effect: what is written is flushed"),
	FLAG(DumpArgs, reset, NULL, .doc = "and reset the guest"),
	FLAG(DumpArgs, verbose, NULL, .doc = "taken and without effect: progress is shown"),
	FLAG(DumpArgs, memory_only, NULL, .doc = "memory and registers, for debuggers"),
	ENUM(DumpArgs, format, NULL, dump_formats, .doc = "of --memory-only; elf where none is said"),
};

static gboolean check_dump(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const DumpArgs *args = object;
	if (args->format && !args->memory_only)
		return fail(error, LODGE_ERROR_INVALID, "--format goes with --memory-only");
	if (args->live && (args->crash || args->reset))
		return fail(error, LODGE_ERROR_INVALID, "--live excludes --crash and --reset");
	return !(args->crash && args->reset) ||
	       fail(error, LODGE_ERROR_INVALID, "--crash and --reset exclude each other");
}
static const Shape dump_args = SHAPE("dump-args", DumpArgs, dump_rows, .check = check_dump);

static void tell(gpointer data, double fraction)
{
	op_progress(data, fraction, "memory");
}

static gboolean dump(OpCall *call, GError **error)
{
	const DumpArgs *args = call->args;
	EngineProgress progress = { .tell = tell, .data = call, .cancel = call->cancel };
	DumpFormat format = args->format ? args->format : DUMP_ELF;
	EngineWrite what = args->memory_only ? ENGINE_DUMP_ELF + (EngineWrite)(format - DUMP_ELF)
					     : ENGINE_MEMORY;
	guint flags = (args->crash ? DUMP_CRASH : 0) | (args->live ? DUMP_LIVE : 0) |
		      (args->reset ? DUMP_RESET : 0);
	return core_guest_dump(call->guest, args->path, what, flags, &progress, error);
}

/* ---- domjobinfo, domjobabort ---- */

typedef struct JobArgs {
	ShapeHead head;
	gboolean completed, keep_completed, anystats, rawstats;
} JobArgs;

static const Row job_rows[] = {
	FLAG(JobArgs, completed, NULL, .doc = "of the last job that ended"),
	FLAG(JobArgs, keep_completed, NULL, .doc = "and do not forget it"),
	FLAG(JobArgs, anystats, NULL, .doc = "taken and without effect"),
	FLAG(JobArgs, rawstats, NULL, .doc = "all numbers by libvirt's names"),
};
static const Shape job_args = SHAPE("domjobinfo-args", JobArgs, job_rows);

static const EnumTable job_types =
	ENUM_TABLE("job type", "Bounded", "Unbounded", "Completed", "Failed", "Cancelled");
static const EnumTable job_operations =
	ENUM_TABLE("operation", "Start", "Save", "Restore", "Incoming migration", "Outgoing migration",
		   "Snapshot", "Snapshot revert", "Dump", "Backup");

typedef struct Told {
	ShapeHead head;
	char *text;
	OptInt type;
	OptUint elapsed, total, processed, remaining;
	GPtrArray *params;
} Told;

static const Row told_rows[] = {
	STRING(Told, text, NULL, .flags = ROW_VERBATIM),
	INT(Told, type, NULL, .doc = "Job type"),
	UINT(Told, elapsed, NULL, .doc = "Time elapsed, ms"),
	SIZE(Told, total, NULL, .doc = "Data total"),
	SIZE(Told, processed, NULL, .doc = "Data processed"),
	SIZE(Told, remaining, NULL, .doc = "Data remaining"),
	LIST(Told, params, NULL, param_shape),
};
static const Shape told_shape = SHAPE("job", Told, told_rows);

/* libvirt's names of what is told. */
static GPtrArray *params_of(const JobInfo *info)
{
	const EngineWork *work = &info->work;
	const struct {
		const char *name;
		guint64 value;
	} sizes[] = {
		{ "data_total", work->total },		 { "data_processed", work->processed },
		{ "data_remaining", work->remaining },	 { "memory_total", work->total },
		{ "memory_processed", work->processed }, { "memory_remaining", work->remaining },
		{ "memory_bps", work->bytes_per_s },	 { "memory_dirty_rate", work->dirty_pages_per_s },
		{ "memory_page_size", work->page_size }, { "memory_iteration", work->iteration },
		{ "memory_constant", work->constant_pages }, { "memory_normal", work->normal_pages },
		{ "memory_normal_bytes", work->normal_bytes }, { "setup_time", work->setup_ms },
	};
	GPtrArray *params = NULL;
	param_add(&params, PARAM_INT, "operation", info->operation);
	param_add(&params, PARAM_ULLONG, "time_elapsed", (gint64)info->elapsed_ms);
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
		if (sizes[i].value || i < 6) /* what is not told is not there */
			param_add(&params, PARAM_ULLONG, sizes[i].name, (gint64)sizes[i].value);
	return params;
}

/* As virsh says sizes: "1.500 MiB". */
static void put_size(GString *out, const char *label, guint64 bytes, const char *behind)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	guint unit = 0;
	for (; value >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
		value /= 1024;
	g_string_append_printf(out, "%-17s %-.3f %s%s\n", label, value, units[unit], behind);
}

static char *text_of(const JobInfo *info)
{
	const EngineWork *work = &info->work;
	GString *out = g_string_new(NULL);
	const char *type = enum_name(&job_types, (int)info->type);
	g_string_append_printf(out, "%-17s %-12s\n", "Job type:", type ? type : "None");
	if (info->type == JOB_NONE)
		return g_string_free(out, FALSE);
	const char *operation = enum_name(&job_operations, (int)info->operation);
	g_string_append_printf(out, "%-17s %-12s\n", "Operation:", operation ? operation : "Unknown");
	g_string_append_printf(out, "%-17s %-12" G_GUINT64_FORMAT " ms\n", "Time elapsed:", info->elapsed_ms);
	if (!work->total)
		return g_string_free(out, FALSE);
	put_size(out, "Data processed:", work->processed, "");
	put_size(out, "Data remaining:", work->remaining, "");
	put_size(out, "Data total:", work->total, "");
	put_size(out, "Memory processed:", work->processed, "");
	put_size(out, "Memory remaining:", work->remaining, "");
	put_size(out, "Memory total:", work->total, "");
	if (work->bytes_per_s)
		put_size(out, "Memory bandwidth:", work->bytes_per_s, "/s");
	if (work->iteration)
		g_string_append_printf(out, "%-17s %-12" G_GUINT64_FORMAT "\n",
				       "Iteration:", work->iteration);
	if (work->page_size)
		g_string_append_printf(out, "%-17s %-12" G_GUINT64_FORMAT " bytes\n",
				       "Page size:", work->page_size);
	return g_string_free(out, FALSE);
}

static gboolean job_info(OpCall *call, GError **error)
{
	const JobArgs *args = call->args;
	Told *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	JobInfo info = args->completed ? core_guest_job_completed(call->guest, args->keep_completed)
				       : core_guest_job(call->guest);
	if (!snap->live && !args->completed)
		return guest_not_running(snap->name, error);
	result->type = OPT_INT(info.type);
	result->elapsed = OPT_UINT(info.elapsed_ms);
	result->total = OPT_UINT(info.work.total);
	result->processed = OPT_UINT(info.work.processed);
	result->remaining = OPT_UINT(info.work.remaining);
	if (info.type != JOB_NONE)
		result->params = params_of(&info);
	if (!args->rawstats) {
		result->text = text_of(&info);
		return TRUE;
	}
	GString *out = g_string_new(NULL);
	params_print(out, result->params, "");
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

static gboolean job_abort(OpCall *call, GError **error)
{
	return core_guest_job_abort(call->guest, error);
}

/* ---- pieces of memory and disks ---- */

#define PEEK_MAX (4u << 20)

static const EnumTable peek_kinds = ENUM_TABLE("kind of address", "physical", "virtual");

typedef struct PeekArgs {
	ShapeHead head;
	char *device;
	OptUint offset, size;
	int kind;
} PeekArgs;

#define PIECE_ROWS                                                                                 \
	UINT(PeekArgs, offset, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "where it begins"), \
		UINT(PeekArgs, size, NULL, .min = 1, .max = PEEK_MAX,                              \
		     .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "bytes")

static const Row memory_rows[] = {
	PIECE_ROWS,
	ENUM(PeekArgs, kind, NULL, peek_kinds, .dflt = "physical", .doc = "physical or virtual"),
};
static const Shape memory_args = SHAPE("memory-peek-args", PeekArgs, memory_rows);

static const Row block_rows[] = {
	STRING(PeekArgs, device, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "target or source of a disk, such as vda"),
	PIECE_ROWS,
};
static const Shape block_args = SHAPE("block-peek-args", PeekArgs, block_rows);

typedef struct Piece {
	ShapeHead head;
	char *data; /* base64 */
} Piece;

static const Row piece_rows[] = { STRING(Piece, data, NULL, .doc = "Bytes, base64") };
static const Shape piece_shape = SHAPE("piece", Piece, piece_rows);

static gboolean memory_peek(OpCall *call, GError **error)
{
	const PeekArgs *args = call->args;
	g_autofree char *text = g_strdup_printf("%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
						enum_name(&peek_kinds, args->kind), args->offset.v,
						args->size.v);
	char *data = core_guest_ask(call->guest, ENGINE_ASK_PEEK, text, error);
	((Piece *)call->result)->data = data;
	return data != NULL;
}

/* Only of images that are what the guest sees. */
static const char *raw_file(const Guest *guest, const char *name, GError **error)
{
	const Disk *found = NULL;
	SHAPE_EACH (Disk, disk, guest->disks)
		if (!g_strcmp0(disk->target, name) || !g_strcmp0(disk_source_name(disk), name))
			found = disk;
	const char *path = found ? disk_source_name(found) : NULL;
	if (!found || !path || *path != '/') {
		fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no disk \"%s\" with a file or device",
		     guest->name, name);
		return NULL;
	}
	if (found->driver_type != DISK_FORMAT_RAW) {
		fail(error, LODGE_ERROR_UNSUPPORTED, "disk %s: only disks of format raw can be peeked at",
		     found->target);
		return NULL;
	}
	return path;
}

static gboolean block_peek(OpCall *call, GError **error)
{
	const PeekArgs *args = call->args;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, FALSE, error);
	const char *path = definition ? raw_file(definition->guest, args->device, error) : NULL;
	if (!path)
		return FALSE;
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail_errno(error, errno, "cannot open %s", path);
	g_autofree guint8 *bytes = g_malloc(args->size.v);
	ssize_t n = args->offset.v > G_MAXINT64 ? 0 : pread(fd, bytes, args->size.v, (off_t)args->offset.v);
	if (n < 0)
		return fail_errno(error, errno, "cannot read %s", path);
	if ((guint64)n < args->size.v)
		return fail(error, LODGE_ERROR_INVALID, "%s ends before byte %" G_GUINT64_FORMAT, path,
			    args->offset.v + args->size.v);
	((Piece *)call->result)->data = g_base64_encode(bytes, (gsize)n);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "dump", .route = "/v1/guests/{guest}/dump", ON_GUEST("POST", OP_PERM_WRITE, OP_LANE),
	  .args = &dump_args, .is_job = TRUE, .show = OP_SHOW_MESSAGE,
	  .said = "Domain '{guest}' dumped to {path}", .doc = "Dump a guest's memory to a file",
	  .fn = dump },
	{ .name = "domjobinfo", .route = "/v1/guests/{guest}/job", ON_GUEST("GET", OP_PERM_READ, OP_READ),
	  .args = &job_args, .result = &told_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show how far the long work on a guest is", .fn = job_info },
	{ .name = "domjobabort", .route = "/v1/guests/{guest}/job",
	  ON_GUEST("DELETE", OP_PERM_WRITE, OP_READ), .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "End the long work on a guest", .fn = job_abort },
	{ .name = "memory-peek", .route = "/v1/guests/{guest}/memory/peek",
	  ON_GUEST("GET", OP_PERM_SECRET, OP_LANE), .args = &memory_args, .result = &piece_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show bytes of a running guest's memory", .fn = memory_peek },
	{ .name = "block-peek", .route = "/v1/guests/{guest}/disks/peek",
	  ON_GUEST("GET", OP_PERM_SECRET, OP_BESIDE), .args = &block_args, .result = &piece_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show bytes of a guest's raw disk", .fn = block_peek },
};

const OpFamily op_family_guest_job = { ops, G_N_ELEMENTS(ops) };

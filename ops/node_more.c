/* Verbs about the host beyond its numbers: what its firmware says, memory that is shared or kept in huge
 * pages, who labels guests, and sleeping. Names, options and texts are virsh's. Facts: the kernel's
 * Documentation/ABI (dmi, ksm, hugepages), rtcwake(8). Neighbours: node.c tells the numbers. */
#include "core/core.h"
#include "host/file.h"
#include "host/node.h"
#include "host/spawn.h"
#include "ops/families.h"
#include "ops/params.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define HOST(method_, perm_) .family = "Host", .method = method_, .perm = perm_, .lane = OP_BESIDE

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("host-text", Text, text_rows);

/* A small file's text without white space around; NULL: there is none. The caller frees it. */
static char *read_small(const char *path)
{
	g_autofree char *text = file_read(path, 4096, NULL, NULL);
	return text ? g_strdup(g_strstrip(text)) : NULL;
}

/* ---- sysinfo ---- */

#define DMI "/sys/class/dmi/id/"

static const struct {
	const char *group, *name, *file;
} dmi[] = {
	{ "bios", "vendor", "bios_vendor" },	       { "bios", "version", "bios_version" },
	{ "bios", "date", "bios_date" },	       { "bios", "release", "bios_release" },
	{ "system", "manufacturer", "sys_vendor" },    { "system", "product", "product_name" },
	{ "system", "version", "product_version" },    { "system", "serial", "product_serial" },
	{ "system", "uuid", "product_uuid" },	       { "system", "sku", "product_sku" },
	{ "system", "family", "product_family" },      { "baseBoard", "manufacturer", "board_vendor" },
	{ "baseBoard", "product", "board_name" },      { "baseBoard", "version", "board_version" },
	{ "baseBoard", "serial", "board_serial" },     { "baseBoard", "asset", "board_asset_tag" },
	{ "chassis", "manufacturer", "chassis_vendor" }, { "chassis", "version", "chassis_version" },
	{ "chassis", "serial", "chassis_serial" },     { "chassis", "asset", "chassis_asset_tag" },
};

static gboolean sysinfo(OpCall *call, GError **error)
{
	g_autoptr(GString) out = g_string_new("<sysinfo type='smbios'>\n");
	const char *open = NULL;
	for (guint i = 0; i < G_N_ELEMENTS(dmi); i++) {
		g_autofree char *path = g_strconcat(DMI, dmi[i].file, NULL);
		g_autofree char *value = read_small(path);
		if (!value || !*value)
			continue;
		if (open && !g_str_equal(open, dmi[i].group))
			g_string_append_printf(out, "  </%s>\n", open);
		if (!open || !g_str_equal(open, dmi[i].group))
			g_string_append_printf(out, "  <%s>\n", dmi[i].group);
		open = dmi[i].group;
		g_autofree char *line = g_markup_printf_escaped("    <entry name='%s'>%s</entry>\n",
								dmi[i].name, value);
		g_string_append(out, line);
	}
	if (!open)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "Host SMBIOS information is not available");
	g_string_append_printf(out, "  </%s>\n</sysinfo>\n", open);
	((Text *)call->result)->text = g_strdup(out->str);
	return TRUE;
}

/* ---- node-memory-tune ---- */

#define KSM "/sys/kernel/mm/ksm/"

typedef struct KsmArgs {
	ShapeHead head;
	OptUint shm_pages_to_scan, shm_sleep_millisecs, shm_merge_across_nodes;
} KsmArgs;

static const Row ksm_rows[] = {
	UINT(KsmArgs, shm_pages_to_scan, NULL, .max = G_MAXUINT32,
	     .doc = "pages to look at in one go"),
	UINT(KsmArgs, shm_sleep_millisecs, NULL, .max = G_MAXUINT32,
	     .doc = "milliseconds in between"),
	UINT(KsmArgs, shm_merge_across_nodes, NULL, .max = 1,
	     .doc = "whether NUMA nodes share pages: 0 or 1"),
};
static const Shape ksm_args = SHAPE("node-memory-tune-args", KsmArgs, ksm_rows);

static const struct {
	const char *name, *file;
	ParamType type;
} ksm[] = {
	{ "shm_pages_to_scan", "pages_to_scan", PARAM_UINT },
	{ "shm_sleep_millisecs", "sleep_millisecs", PARAM_UINT },
	{ "shm_pages_shared", "pages_shared", PARAM_ULLONG },
	{ "shm_pages_sharing", "pages_sharing", PARAM_ULLONG },
	{ "shm_pages_unshared", "pages_unshared", PARAM_ULLONG },
	{ "shm_pages_volatile", "pages_volatile", PARAM_ULLONG },
	{ "shm_full_scans", "full_scans", PARAM_ULLONG },
	{ "shm_merge_across_nodes", "merge_across_nodes", PARAM_UINT },
};

/* Writes a file of the kernel's, which takes a number at once. */
static gboolean write_number(const char *path, guint64 number, GError **error)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", number);
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return fail_errno(error, errno, "cannot write %s", path);
	return TRUE;
}

static gboolean memory_tune(OpCall *call, GError **error)
{
	Params *result = call->result;
	gboolean changed = FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(ksm_rows); i++) {
		const OptUint *given = (const OptUint *)((const char *)call->args + ksm_rows[i].offset);
		g_autofree char *path = g_strconcat(KSM, ksm_rows[i].name + strlen("shm_"), NULL);
		if (given->set && call->caller.read_only)
			return fail(error, LODGE_ERROR_DENIED, "a read-only connection changes nothing");
		if (given->set && !write_number(path, given->v, error))
			return FALSE;
		changed |= given->set;
	}
	GString *out = g_string_new(changed ? "" : "Shared memory:\n");
	for (guint i = 0; i < G_N_ELEMENTS(ksm) && !changed; i++) {
		g_autofree char *path = g_strconcat(KSM, ksm[i].file, NULL);
		g_autofree char *value = read_small(path);
		if (!value)
			continue;
		param_add(&result->params, ksm[i].type, ksm[i].name, g_ascii_strtoll(value, NULL, 10));
		g_string_append_printf(out, "\t%-15s %s\n", ksm[i].name, value);
	}
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

/* ---- freepages, allocpages ---- */

typedef struct PageArgs {
	ShapeHead head;
	OptUint pagesize, pagecount, cellno, cells;
	GPtrArray *sizes;
	gboolean all, add;
} PageArgs;

static const Row free_rows[] = {
	UINT(PageArgs, cellno, NULL, .max = 1023, .doc = "of this NUMA cell; 0 where none is said"),
	SIZE(PageArgs, pagesize, NULL, .words = "KiB", .doc = "only pages of this size"),
	FLAG(PageArgs, all, NULL, .doc = "of all cells"),
	UINT(PageArgs, cells, NULL, .min = 1, .max = 1024, .doc = "and so many in all from there on"),
	STRINGS(PageArgs, sizes, NULL, .doc = "only pages of these sizes, in KiB"),
};
static const Shape free_args = SHAPE("freepages-args", PageArgs, free_rows);

static const Row alloc_rows[] = {
	SIZE(PageArgs, pagesize, NULL, .words = "KiB", .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "size of the pages, such as 2M"),
	UINT(PageArgs, pagecount, NULL, .max = G_MAXINT32, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "how many there are to be"),
	UINT(PageArgs, cellno, NULL, .max = 1023, .doc = "in this NUMA cell; 0 where none is said"),
	FLAG(PageArgs, add, NULL, .doc = "as many more"),
	FLAG(PageArgs, all, NULL, .doc = "in every cell"),
	UINT(PageArgs, cells, NULL, .min = 1, .max = 1024, .doc = "and so many in all from there on"),
};
static const Shape alloc_args = SHAPE("allocpages-args", PageArgs, alloc_rows);

/* Of the cell @node; the caller frees it. */
static char *huge_file(guint node, guint64 kib, const char *file)
{
	return g_strdup_printf("/sys/devices/system/node/node%u/hugepages/hugepages-%" G_GUINT64_FORMAT
			       "kB/%s", node, kib, file);
}

static guint64 ordinary_kib(void)
{
	return (guint64)sysconf(_SC_PAGESIZE) / 1024;
}

/* FALSE: the host has no pages of that size. */
static gboolean free_pages_of(guint node, guint64 kib, guint64 *n)
{
	NodeMemory memory;
	if (kib == ordinary_kib()) {
		*n = node_memory((int)node, &memory) ? memory.free / 1024 / kib : 0;
		return TRUE;
	}
	g_autofree char *path = huge_file(node, kib, "free_hugepages");
	g_autofree char *text = read_small(path);
	*n = text ? g_ascii_strtoull(text, NULL, 10) : 0;
	return text != NULL;
}

/* Sizes that the host has, in KiB. */
static GArray *page_sizes(void)
{
	GArray *sizes = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint64 kib = ordinary_kib();
	g_array_append_val(sizes, kib);
	g_autoptr(GDir) dir = g_dir_open("/sys/kernel/mm/hugepages", 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		kib = g_str_has_prefix(name, "hugepages-") ? g_ascii_strtoull(name + 10, NULL, 10) : 0;
		if (kib)
			g_array_append_val(sizes, kib);
	}
	return sizes;
}

/* The sizes that are asked for. */
static GArray *wanted_sizes(const PageArgs *args)
{
	if (!args->pagesize.set && !shape_len(args->sizes))
		return page_sizes();
	GArray *sizes = g_array_new(FALSE, FALSE, sizeof(guint64));
	guint64 kib = args->pagesize.v / 1024;
	if (args->pagesize.set)
		g_array_append_val(sizes, kib);
	for (guint i = 0; i < shape_len(args->sizes); i++) {
		kib = g_ascii_strtoull(g_ptr_array_index(args->sizes, i), NULL, 10);
		g_array_append_val(sizes, kib);
	}
	return sizes;
}

/* First and last cell of the arguments; more of them than there are is as many as there are. */
static gboolean cells_of(const PageArgs *args, guint *first, guint *last, GError **error)
{
	guint count = node_count();
	*first = args->all ? 0 : (guint)args->cellno.v;
	*last = args->all ? count - 1 : *first + (args->cells.set ? (guint)args->cells.v - 1 : 0);
	*last = MIN(*last, count - 1);
	return *first < count || fail(error, LODGE_ERROR_INVALID, "this host has no NUMA cell %u", *first);
}

static gboolean freepages(OpCall *call, GError **error)
{
	Params *result = call->result;
	guint first, last;
	if (!cells_of(call->args, &first, &last, error))
		return FALSE;
	g_autoptr(GArray) sizes = wanted_sizes(call->args);
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint node = first; node <= last; node++) {
		g_string_append_printf(out, "%sNode %u:\n", node > first ? "\n" : "", node);
		for (guint i = 0; i < sizes->len; i++) {
			guint64 kib = g_array_index(sizes, guint64, i), n;
			if (!free_pages_of(node, kib, &n))
				return fail(error, LODGE_ERROR_INVALID,
					    "page size %" G_GUINT64_FORMAT "KiB is not available on node %u",
					    kib, node);
			param_addf(&result->params, PARAM_ULLONG, (gint64)n,
				   "%u.%" G_GUINT64_FORMAT, node, kib);
			g_string_append_printf(
				out, "%" G_GUINT64_FORMAT "KiB: %" G_GUINT64_FORMAT "\n", kib, n);
		}
	}
	result->text = g_strdup(out->str);
	return TRUE;
}

/* The kernel may find fewer than it is told to have: that is the failure. */
static gboolean allocate(guint node, guint64 kib, guint64 count, gboolean add, GError **error)
{
	g_autofree char *path = huge_file(node, kib, "nr_hugepages");
	g_autofree char *before = read_small(path);
	if (!before)
		return fail(error, LODGE_ERROR_INVALID,
			    "page size %" G_GUINT64_FORMAT "KiB is not available on node %u", kib, node);
	guint64 wanted = count + (add ? g_ascii_strtoull(before, NULL, 10) : 0);
	if (!write_number(path, wanted, error))
		return FALSE;
	g_autofree char *after = read_small(path);
	return (after && g_ascii_strtoull(after, NULL, 10) >= wanted) ||
	       fail(error, LODGE_ERROR_NO_SPACE, "node %u has room for %s such pages only", node,
		    after ? after : "no");
}

static gboolean allocpages(OpCall *call, GError **error)
{
	const PageArgs *args = call->args;
	guint first, last;
	if (!cells_of(args, &first, &last, error))
		return FALSE;
	for (guint node = first; node <= last; node++)
		if (!allocate(node, args->pagesize.v / 1024, args->pagecount.v, args->add, error))
			return FALSE;
	return TRUE;
}

/* ---- nodesuspend ---- */

static const EnumTable sleeps = ENUM_TABLE("target", "mem", "disk", "hybrid");

typedef struct SleepArgs {
	ShapeHead head;
	int target;
	OptUint duration;
} SleepArgs;

static const Row sleep_rows[] = {
	ENUM(SleepArgs, target, NULL, sleeps, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "mem, disk or hybrid"),
	UINT(SleepArgs, duration, NULL, .min = 60, .max = G_MAXINT32, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "seconds until it wakes up, 60 at least"),
};
static const Shape sleep_args = SHAPE("nodesuspend-args", SleepArgs, sleep_rows);

#define SLEEP_S 60 /* to fall asleep, after it has woken up again */

static gboolean nodesuspend(OpCall *call, GError **error)
{
	const SleepArgs *args = call->args;
	const char *mode = args->target == 2 ? "disk" : "mem";
	g_autofree char *states = read_small("/sys/power/state");
	g_auto(GStrv) known = g_strsplit(states ? states : "", " ", -1);
	g_autofree char *seconds = g_strdup_printf("%" G_GUINT64_FORMAT, args->duration.v);
	const char *argv[] = { "rtcwake", "-m", mode, "-s", seconds, NULL };
	g_autofree char *said = NULL;
	int status = 0;
	if (args->target == 3 || !g_strv_contains((const char *const *)known, mode))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "this host cannot sleep so (%s): it can %s",
			    enum_name(&sleeps, args->target), states && *states ? states : "not at all");
	Spawn how = { .argv = argv };
	int limit_ms = (int)MIN((args->duration.v + SLEEP_S) * 1000, G_MAXINT32);
	if (!spawn_run(&how, limit_ms, &said, &status, error))
		return FALSE;
	return status == 0 || fail(error, LODGE_ERROR_SYSTEM, "rtcwake: %s", g_strstrip(said));
}

/* ---- host seclabel ---- */

typedef struct Model {
	ShapeHead head;
	char *model, *doi;
} Model;

static const Row model_rows[] = {
	STRING(Model, model, NULL, .flags = ROW_EMPTY_OK, .doc = "Security model"),
	STRING(Model, doi, NULL, .flags = ROW_EMPTY_OK, .doc = "Security DOI"),
};
static const Shape model_shape = SHAPE("security-model", Model, model_rows);

/* QEMU gets descriptors and no files: nothing is labelled. */
static gboolean security_model(OpCall *call, G_GNUC_UNUSED GError **error)
{
	Model *result = call->result;
	result->model = g_strdup("none");
	result->doi = g_strdup("0");
	return TRUE;
}

static const Op ops[] = {
	{ .name = "sysinfo", .route = "/v1/host/sysinfo", HOST("GET", OP_PERM_SECRET), .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show what the host's firmware says about it", .fn = sysinfo },
	{ .name = "node-memory-tune", .route = "/v1/host/memory/sharing", HOST("POST", OP_PERM_READ),
	  .args = &ksm_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change how the kernel shares equal pages", .fn = memory_tune },
	{ .name = "freepages", .route = "/v1/host/memory/pages", HOST("GET", OP_PERM_READ),
	  .args = &free_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show free pages of memory by their size", .fn = freepages },
	{ .name = "allocpages", .route = "/v1/host/memory/pages", HOST("POST", OP_PERM_WRITE),
	  .args = &alloc_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Keep huge pages of memory", .fn = allocpages },
	{ .name = "nodesuspend", .route = "/v1/host/sleep", HOST("POST", OP_PERM_WRITE),
	  .args = &sleep_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Have the host sleep for a while", .fn = nodesuspend },
	{ .name = "host seclabel", .route = "/v1/host/seclabel", HOST("GET", OP_PERM_READ),
	  .result = &model_shape, .show = OP_SHOW_FIELDS, .doc = "Show how guests are labelled",
	  .fn = security_model },
};

const OpFamily op_family_node_more = { ops, G_N_ELEMENTS(ops) };

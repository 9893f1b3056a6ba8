/* Verbs about the host's processors and memory, in numbers that change. */
#include "core/core.h"
#include "host/node.h"
#include "ops/families.h"

#include <sys/utsname.h>

#define NODE_READ(lane_)                                                                           \
	.family = "Host", .method = "GET", .perm = OP_PERM_READ, .lane = lane_

/* ---- host node ---- */

typedef struct Node {
	ShapeHead head;
	char *arch;
	OptUint memory, cpus, mhz, nodes, sockets, cores, threads;
} Node;

static const Row node_rows[] = {
	STRING(Node, arch, NULL, .doc = "CPU model"),
	UINT(Node, cpus, NULL, .doc = "CPU(s)"),
	UINT(Node, mhz, NULL, .doc = "CPU frequency, MHz"),
	UINT(Node, sockets, NULL, .doc = "CPU socket(s)"),
	UINT(Node, cores, NULL, .doc = "Core(s) per socket"),
	UINT(Node, threads, NULL, .doc = "Thread(s) per core"),
	UINT(Node, nodes, NULL, .doc = "NUMA cell(s)"),
	SIZE(Node, memory, NULL, .words = "KiB", .doc = "Memory size"),
};
static const Shape node_shape = SHAPE("node", Node, node_rows);

/* Sockets, cores and threads; as libvirt, everything counts as cores where that does not add up. */
static void count(Node *node, const GPtrArray *cpus)
{
	guint online = 0, sockets = 0, cores = 0;
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < cpus->len; i++) {
		const NodeCpu *cpu = g_ptr_array_index(cpus, i);
		online += cpu->online;
		sockets += g_hash_table_add(seen, g_strdup_printf("s%u", cpu->socket));
		cores += g_hash_table_add(seen, g_strdup_printf("c%u/%u/%u", cpu->socket, cpu->die,
								cpu->core));
	}
	guint per_socket = MAX(cores / MAX(sockets, 1), 1), threads = MAX(cpus->len / MAX(cores, 1), 1);
	gboolean even = sockets * per_socket * threads == cpus->len && node->nodes.v == 1;
	node->cpus = OPT_UINT(online);
	node->sockets = OPT_UINT(even ? sockets : 1);
	node->cores = OPT_UINT(even ? per_socket : cpus->len);
	node->threads = OPT_UINT(even ? threads : 1);
	if (!even)
		node->nodes = OPT_UINT(1);
}

static gboolean show_node(OpCall *call, G_GNUC_UNUSED GError **error)
{
	Node *node = call->result;
	struct utsname name;
	NodeMemory memory = { 0 };
	g_autoptr(GPtrArray) cpus = node_cpus();
	uname(&name);
	node_memory(-1, &memory);
	node->arch = g_strdup(name.machine);
	node->memory = OPT_UINT(memory.total);
	node->mhz = OPT_UINT(node_mhz());
	node->nodes = OPT_UINT(node_count());
	count(node, cpus);
	return TRUE;
}

/* ---- host cpustats, host memstats ---- */

typedef struct CpuArgs {
	ShapeHead head;
	OptUint cpu;
} CpuArgs;

static const Row cpu_arg_rows[] = {
	UINT(CpuArgs, cpu, NULL, .max = 65535, .doc = "only of this processor"),
};
static const Shape cpu_args = SHAPE("cpustats-args", CpuArgs, cpu_arg_rows);

typedef struct Times {
	ShapeHead head;
	OptUint kernel, user, idle, iowait;
} Times;

static const Row times_rows[] = {
	UINT(Times, kernel, NULL, .doc = "system, ns"),
	UINT(Times, user, NULL, .doc = "user, ns"),
	UINT(Times, idle, NULL, .doc = "idle, ns"),
	UINT(Times, iowait, NULL, .doc = "iowait, ns"),
};
static const Shape times_shape = SHAPE("cpu-times", Times, times_rows);

static gboolean cpustats(OpCall *call, GError **error)
{
	const CpuArgs *args = call->args;
	Times *result = call->result;
	NodeTimes times;
	int cpu = args->cpu.set ? (int)args->cpu.v : -1;
	if (!node_times(cpu, &times))
		return fail(error, LODGE_ERROR_INVALID, "this host has no processor %d", cpu);
	result->kernel = OPT_UINT(times.kernel);
	result->user = OPT_UINT(times.user);
	result->idle = OPT_UINT(times.idle);
	result->iowait = OPT_UINT(times.iowait);
	return TRUE;
}

typedef struct CellArgs {
	ShapeHead head;
	OptUint cell;
} CellArgs;

static const Row cell_rows[] = {
	UINT(CellArgs, cell, NULL, .max = 1023, .doc = "only of this NUMA cell"),
};
static const Shape cell_args = SHAPE("memstats-args", CellArgs, cell_rows);

typedef struct Memory {
	ShapeHead head;
	OptUint total, free, buffers, cached;
} Memory;

static const Row memory_rows[] = {
	SIZE(Memory, total, NULL, .words = "KiB", .doc = "total"),
	SIZE(Memory, free, NULL, .words = "KiB", .doc = "free"),
	SIZE(Memory, buffers, NULL, .words = "KiB", .doc = "buffers"),
	SIZE(Memory, cached, NULL, .words = "KiB", .doc = "cached"),
};
static const Shape memory_shape = SHAPE("memory", Memory, memory_rows);

static gboolean memstats(OpCall *call, GError **error)
{
	const CellArgs *args = call->args;
	Memory *result = call->result;
	NodeMemory memory;
	int cell = args->cell.set ? (int)args->cell.v : -1;
	if (!node_memory(cell, &memory))
		return fail(error, LODGE_ERROR_INVALID, "this host has no NUMA cell %d", cell);
	result->total = OPT_UINT(memory.total);
	result->free = OPT_UINT(memory.free);
	result->buffers = OPT_UINT(memory.buffers);
	result->cached = OPT_UINT(memory.cached);
	return TRUE;
}

/* ---- host cpumap ---- */

typedef struct CpuMap {
	ShapeHead head;
	OptUint present, online;
	char *map; /* y or - for each processor */
} CpuMap;

static const Row map_rows[] = {
	UINT(CpuMap, present, NULL, .doc = "CPUs present"),
	UINT(CpuMap, online, NULL, .doc = "CPUs online"),
	STRING(CpuMap, map, NULL, .doc = "CPU map"),
};
static const Shape map_shape = SHAPE("cpu-map", CpuMap, map_rows);

static gboolean cpumap(OpCall *call, G_GNUC_UNUSED GError **error)
{
	CpuMap *result = call->result;
	g_autoptr(GPtrArray) cpus = node_cpus();
	guint online = 0;
	result->map = g_strnfill(cpus->len, '-');
	for (guint i = 0; i < cpus->len; i++) {
		if (!((const NodeCpu *)g_ptr_array_index(cpus, i))->online)
			continue;
		result->map[i] = 'y';
		online++;
	}
	result->present = OPT_UINT(cpus->len);
	result->online = OPT_UINT(online);
	return TRUE;
}

/* ---- freecell ---- */

typedef struct FreeArgs {
	ShapeHead head;
	OptUint cellno;
	gboolean all;
} FreeArgs;

static const Row free_arg_rows[] = {
	UINT(FreeArgs, cellno, NULL, .max = 1023, .flags = ROW_POSITIONAL, .doc = "only of this NUMA cell"),
	FLAG(FreeArgs, all, NULL, .doc = "of each NUMA cell, and their sum"),
};

static gboolean check_free(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const FreeArgs *args = object;
	return !args->cellno.set || !args->all ||
	       fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
			 "Options --cellno and --all are mutually exclusive");
}
static const Shape free_args = SHAPE("freecell-args", FreeArgs, free_arg_rows, .check = check_free);

typedef struct Free {
	ShapeHead head;
	OptUint free;
	char *text;
} Free;

static const Row free_rows[] = {
	SIZE(Free, free, NULL, .words = "KiB", .doc = "free"),
	STRING(Free, text, NULL, .flags = ROW_VERBATIM),
};
static const Shape free_shape = SHAPE("freecell", Free, free_rows);

/* A line for each cell; their numbers may have gaps. */
static guint64 add_cells(GString *out)
{
	guint64 sum = 0;
	guint left = node_count();
	for (int cell = 0; cell < 1024 && left > 0; cell++) {
		NodeMemory memory;
		if (!node_memory(cell, &memory))
			continue;
		left--;
		sum += memory.free;
		g_string_append_printf(out, "%5d: %10" G_GUINT64_FORMAT " KiB\n", cell, memory.free / 1024);
	}
	g_string_append(out, "--------------------\n");
	return sum;
}

static gboolean freecell(OpCall *call, GError **error)
{
	const FreeArgs *args = call->args;
	Free *result = call->result;
	g_autoptr(GString) out = g_string_new(NULL);
	NodeMemory memory = { 0 };
	int cell = args->cellno.set ? (int)args->cellno.v : -1;
	if (args->all)
		memory.free = add_cells(out);
	else if (!node_memory(cell, &memory))
		return fail(error, LODGE_ERROR_INVALID, "this host has no NUMA cell %d", cell);
	guint64 kib = memory.free / 1024;
	if (args->all)
		g_string_append_printf(out, "%5s: %10" G_GUINT64_FORMAT " KiB\n", "Total", kib);
	else if (args->cellno.set)
		g_string_append_printf(out, "%d: %" G_GUINT64_FORMAT " KiB\n", cell, kib);
	else
		g_string_append_printf(out, "Total: %" G_GUINT64_FORMAT " KiB\n", kib);
	result->free = OPT_UINT(memory.free);
	result->text = g_strdup(out->str);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "host node", .alias = "nodeinfo", .route = "/v1/host/node", NODE_READ(OP_BESIDE),
	  .result = &node_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show the host's processors and memory", .fn = show_node },
	{ .name = "host cpustats", .alias = "nodecpustats", .route = "/v1/host/cpustats",
	  NODE_READ(OP_BESIDE), .args = &cpu_args, .result = &times_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show what the host's processors spent their time on", .fn = cpustats },
	{ .name = "host memstats", .alias = "nodememstats", .route = "/v1/host/memstats",
	  NODE_READ(OP_BESIDE), .args = &cell_args, .result = &memory_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show how the host's memory is used", .fn = memstats },
	{ .name = "host cpumap", .alias = "nodecpumap", .route = "/v1/host/cpumap", NODE_READ(OP_BESIDE),
	  .result = &map_shape, .show = OP_SHOW_FIELDS, .doc = "Show which processors are online",
	  .fn = cpumap },
	{ .name = "freecell", .route = "/v1/host/freecell", NODE_READ(OP_BESIDE), .args = &free_args,
	  .result = &free_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show how much of the host's memory is free", .fn = freecell },
};

const OpFamily op_family_node = { ops, G_N_ELEMENTS(ops) };

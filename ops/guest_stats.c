/* Verbs that ask QEMU and the host what one guest uses. */
#include "core/core.h"
#include "host/process.h"
#include "ops/families.h"

#include <jansson.h>
#include <sched.h>
#include <string.h>

#define GUEST_READ(lane_)                                                                          \
	.family = "Guests", .target = OP_ON_GUEST, .method = "GET", .perm = OP_PERM_READ, .lane = lane_

/* What the engine says, a new reference; NULL where it does not run. Lane. */
static json_t *ask(OpCall *call, GError **error)
{
	g_autofree char *text = core_guest_ask(call->guest, ENGINE_ASK_STATS, "", error);
	return text ? json_loads(text, 0, NULL) : NULL;
}

/* ---- usage: asked for most often, and so nothing but numbers ---- */

typedef struct Usage {
	ShapeHead head;
	GuestState state;
	OptUint vcpus, cpu_time, max_memory, memory;
} Usage;

static const Row usage_rows[] = {
	ENUM(Usage, state, NULL, guest_states, .doc = "State"),
	UINT(Usage, vcpus, NULL, .doc = "CPU(s)"),
	UINT(Usage, cpu_time, NULL, .doc = "CPU time, ns"),
	SIZE(Usage, max_memory, NULL, .words = "KiB", .doc = "Max memory"),
	SIZE(Usage, memory, NULL, .words = "KiB", .doc = "Used memory"),
};
static const Shape usage_shape = SHAPE("usage", Usage, usage_rows);

static gboolean usage(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	const Guest *live = snap->live ? snap->live->guest : NULL;
	Usage *result = call->result;
	result->state = snap->state;
	result->vcpus = OPT_UINT(snap->vcpus);
	result->max_memory = OPT_UINT(snap->memory);
	result->memory = live && live->current_memory.set ? live->current_memory
							   : OPT_UINT(snap->memory);
	if (snap->pid > 0)
		result->cpu_time = OPT_UINT(process_cpu_time(snap->pid));
	return TRUE;
}

/* ---- dommemstat ---- */

typedef struct Memory {
	ShapeHead head;
	OptUint actual, rss;
} Memory;

static const Row memory_rows[] = {
	SIZE(Memory, actual, NULL, .words = "KiB", .doc = "actual"),
	SIZE(Memory, rss, NULL, .words = "KiB", .doc = "rss"),
};
static const Shape memory_shape = SHAPE("guest-memory", Memory, memory_rows);

static gboolean memstat(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	Memory *result = call->result;
	if (!snap->live)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is not running", snap->name);
	const Guest *live = snap->live->guest;
	result->actual = live->current_memory.set ? live->current_memory : OPT_UINT(snap->memory);
	result->rss = OPT_UINT(process_resident(snap->pid));
	return TRUE;
}

/* ---- disk-stats ---- */

typedef struct BlockArgs {
	ShapeHead head;
	char *device;
} BlockArgs;

static const Row block_arg_rows[] = {
	STRING(BlockArgs, device, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "target or source of a disk, such as vda"),
};
static const Shape block_args = SHAPE("disk-stats-args", BlockArgs, block_arg_rows);

typedef struct Block {
	ShapeHead head;
	OptUint rd_operations, rd_bytes, wr_operations, wr_bytes, flush_operations;
	OptUint rd_total_time_ns, wr_total_time_ns, flush_total_time_ns;
} Block;

static const Row block_rows[] = {
	UINT(Block, rd_operations, NULL, .doc = "rd_req"),
	UINT(Block, rd_bytes, NULL, .doc = "rd_bytes"),
	UINT(Block, wr_operations, NULL, .doc = "wr_req"),
	UINT(Block, wr_bytes, NULL, .doc = "wr_bytes"),
	UINT(Block, flush_operations, NULL, .doc = "flush_operations"),
	UINT(Block, rd_total_time_ns, NULL, .doc = "rd_total_times"),
	UINT(Block, wr_total_time_ns, NULL, .doc = "wr_total_times"),
	UINT(Block, flush_total_time_ns, NULL, .doc = "flush_total_times"),
};
static const Shape block_shape = SHAPE("block-stats", Block, block_rows);

static const Disk *find_disk(const Guest *live, const char *name)
{
	SHAPE_EACH (Disk, disk, live->disks)
		if (!g_strcmp0(disk->target, name) || !g_strcmp0(disk_source_name(disk), name))
			return disk;
	return NULL;
}

/* The members have the names of QEMU's statistics. */
static void fill(Block *block, json_t *stats)
{
	for (guint i = 0; i < G_N_ELEMENTS(block_rows); i++) {
		OptUint *member = (OptUint *)((guint8 *)block + block_rows[i].offset);
		json_int_t value = json_integer_value(json_object_get(stats, block_rows[i].name));
		*member = OPT_UINT((guint64)MAX(value, 0));
	}
}

static gboolean blkstat(OpCall *call, GError **error)
{
	const char *name = ((const BlockArgs *)call->args)->device;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	json_t *stats = ask(call, error), *block;
	size_t i;
	const Disk *disk = stats && snap->live ? find_disk(snap->live->guest, name) : NULL;
	gboolean found = FALSE;
	json_array_foreach (json_object_get(stats, "blocks"), i, block) {
		const char *alias = json_string_value(json_object_get(block, "alias"));
		if (!disk || g_strcmp0(alias, disk->info.alias))
			continue;
		fill(call->result, block);
		found = TRUE;
	}
	if (stats && !found)
		fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no disk \"%s\"", snap->name, name);
	json_decref(stats);
	return found;
}

/* ---- vcpuinfo ---- */

typedef struct VcpuInfo {
	ShapeHead head;
	OptUint number, time, cpu;
	char *affinity; /* y or - for each processor of the host */
} VcpuInfo;

static const Row vcpu_rows[] = {
	UINT(VcpuInfo, number, NULL, .doc = "VCPU"),
	UINT(VcpuInfo, cpu, NULL, .doc = "CPU"),
	UINT(VcpuInfo, time, NULL, .doc = "CPU time, ns"),
	STRING(VcpuInfo, affinity, NULL, .doc = "CPU Affinity"),
};
static const Shape vcpu_shape = SHAPE("vcpu-info", VcpuInfo, vcpu_rows);

typedef struct VcpuList {
	ShapeHead head;
	GPtrArray *vcpus;
} VcpuList;

static const Row vcpu_list_rows[] = { LIST(VcpuList, vcpus, NULL, vcpu_shape) };
static const Shape vcpu_list = SHAPE("vcpu-infos", VcpuList, vcpu_list_rows);

static char *affinity_of(pid_t tid)
{
	cpu_set_t set;
	guint n = g_get_num_processors();
	if (sched_getaffinity(tid, sizeof set, &set) < 0)
		return g_strnfill(n, '-');
	char *text = g_strnfill(n, '-');
	for (guint i = 0; i < n && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			text[i] = 'y';
	return text;
}

static gboolean vcpuinfo(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	VcpuList *result = call->result;
	json_t *stats = ask(call, error), *vcpu;
	size_t i;
	json_array_foreach (json_object_get(stats, "vcpus"), i, vcpu) {
		pid_t tid = (pid_t)json_integer_value(json_object_get(vcpu, "thread"));
		guint64 used = 0;
		int processor = 0;
		process_thread_time(snap->pid, tid, &used, &processor);
		VcpuInfo *info = shape_new(&vcpu_shape);
		info->number = OPT_UINT((guint64)json_integer_value(json_object_get(vcpu, "index")));
		info->time = OPT_UINT(used);
		info->cpu = OPT_UINT((guint64)processor);
		info->affinity = affinity_of(tid);
		shape_append(&result->vcpus, &vcpu_shape, info);
	}
	json_decref(stats);
	return stats != NULL;
}

static const Op ops[] = {
	{ .name = "usage", .route = "/v1/guests/{guest}/usage", GUEST_READ(OP_READ),
	  .result = &usage_shape, .show = OP_SHOW_FIELDS, .doc = "Show a guest's state, CPUs and memory",
	  .fn = usage },
	{ .name = "dommemstat", .route = "/v1/guests/{guest}/memory", GUEST_READ(OP_READ),
	  .result = &memory_shape, .show = OP_SHOW_FIELDS, .doc = "Show what memory a guest holds",
	  .fn = memstat },
	{ .name = "disk-stats", .route = "/v1/guests/{guest}/disk-stats", GUEST_READ(OP_LANE),
	  .args = &block_args, .result = &block_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show what a guest read from a disk and wrote to it", .fn = blkstat },
	{ .name = "vcpuinfo", .route = "/v1/guests/{guest}/vcpus", GUEST_READ(OP_LANE),
	  .result = &vcpu_list, .show = OP_SHOW_TABLE, .doc = "Show the time a guest's CPUs used",
	  .fn = vcpuinfo },
};

const OpFamily op_family_guest_stats = { ops, G_N_ELEMENTS(ops) };

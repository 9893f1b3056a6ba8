/* Verbs that ask QEMU and the host what one guest uses. */
#include "ops/use.h"
#include "ops/families.h"

#include <sched.h>
#include <string.h>

#define GUEST_READ(lane_)                                                                          \
	.family = "Guests", .target = OP_ON_GUEST, .method = "GET", .perm = OP_PERM_READ, .lane = lane_

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

/* Members in the order of virDomainMemoryStatTags; virsh shows them so. */
typedef struct Memory {
	ShapeHead head;
	OptUint swap_in, swap_out, major_fault, minor_fault, unused, available, actual, rss, usable;
	OptUint last_update, disk_caches, hugetlb_pgalloc, hugetlb_pgfail;
} Memory;

#define BYTES(m) SIZE(Memory, m, NULL, .words = "KiB", .doc = #m)
#define COUNT(m) UINT(Memory, m, NULL, .doc = #m)

static const Row memory_rows[] = {
	BYTES(swap_in), BYTES(swap_out), COUNT(major_fault), COUNT(minor_fault), BYTES(unused),
	BYTES(available), BYTES(actual), BYTES(rss), BYTES(usable), COUNT(last_update),
	BYTES(disk_caches), COUNT(hugetlb_pgalloc), COUNT(hugetlb_pgfail),
};
static const Shape memory_shape = SHAPE("guest-memory", Memory, memory_rows);

static void fill_memory(OpCall *call, const GuestUse *use)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	Memory *result = call->result;
	const OptUint *told = use->engine->balloon;
	*result = (Memory){ .swap_in = told[BALLOON_SWAP_IN], .swap_out = told[BALLOON_SWAP_OUT],
			    .major_fault = told[BALLOON_MAJOR_FAULTS],
			    .minor_fault = told[BALLOON_MINOR_FAULTS], .unused = told[BALLOON_FREE],
			    .available = told[BALLOON_TOTAL], .actual = told[BALLOON_ACTUAL],
			    .usable = told[BALLOON_USABLE], .last_update = told[BALLOON_LAST_UPDATE],
			    .disk_caches = told[BALLOON_DISK_CACHES],
			    .hugetlb_pgalloc = told[BALLOON_HUGE_ALLOCATED],
			    .hugetlb_pgfail = told[BALLOON_HUGE_FAILED] };
	if (!result->actual.set)
		result->actual = OPT_UINT(snap->memory);
	result->rss = OPT_UINT(use->resident);
}

/* Where the engine says nothing, the host still knows something. */
static void on_memory(const GuestUse *use, const GError *error, gpointer data)
{
	OpCall *call = data;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	Memory *result = call->result;
	if (use) {
		fill_memory(call, use);
	} else if (snap->live) {
		result->actual = OPT_UINT(opt_uint_or(snap->live->guest->current_memory, snap->memory));
		result->rss = OPT_UINT(process_resident(snap->pid));
	}
	op_finish(call, use || snap->live ? NULL : g_error_copy(error));
}

static gboolean memstat(OpCall *call, G_GNUC_UNUSED GError **error)
{
	core_guest_use(call->guest, ENGINE_STATS_BALLOON, on_memory, call);
	return TRUE;
}

/* ---- disk-stats ---- */

typedef struct BlockArgs {
	ShapeHead head;
	char *device;
} BlockArgs;

static const Row block_arg_rows[] = {
	STRING(BlockArgs, device, NULL, .flags = ROW_POSITIONAL | ROW_EMPTY_OK,
	       .doc = "target or source of a disk, such as vda; nothing: all together"),
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

/* The counters in the order of the rows. */
static void fill_block(Block *block, const EngineBlock *counted)
{
	static const EngineBlockCounter order[] = {
		BLOCK_READS, BLOCK_READ_BYTES, BLOCK_WRITES, BLOCK_WRITTEN_BYTES,
		BLOCK_FLUSHES, BLOCK_READ_NS, BLOCK_WRITE_NS, BLOCK_FLUSH_NS,
	};
	const EngineLayer *layer = &g_array_index(counted->layers, EngineLayer, 0);
	G_STATIC_ASSERT(G_N_ELEMENTS(order) == G_N_ELEMENTS(block_rows));
	for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
		OptUint *member = (OptUint *)((guint8 *)block + block_rows[i].offset);
		member->v += layer->counters[order[i]];
		member->set = TRUE;
	}
}

/* With no name, of all disks together. */
static gboolean fill_blkstat(OpCall *call, const Guest *live, const GuestUse *use, GError **error)
{
	const char *name = ((const BlockArgs *)call->args)->device;
	gboolean all = !name || !*name, found = all;
	const Disk *disk = all ? NULL : find_disk(live, name);
	for (guint i = 0; i < use->engine->blocks->len; i++) {
		const EngineBlock *block = g_ptr_array_index(use->engine->blocks, i);
		if (!block->layers->len || (!all && (!disk || g_strcmp0(block->alias, disk->info.alias))))
			continue;
		fill_block(call->result, block);
		found = TRUE;
	}
	return found || fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no disk \"%s\"", live->name, name);
}

static gboolean blkstat(OpCall *call, G_GNUC_UNUSED GError **error)
{
	return op_fill_from_use(call, ENGINE_STATS_BLOCKS, fill_blkstat);
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

static gboolean fill_vcpuinfo(OpCall *call, G_GNUC_UNUSED const Guest *live, const GuestUse *use,
			    G_GNUC_UNUSED GError **error)
{
	VcpuList *result = call->result;
	for (guint i = 0; i < use->vcpus->len; i++) {
		const VcpuUse *vcpu = &g_array_index(use->vcpus, VcpuUse, i);
		VcpuInfo *info = shape_new(&vcpu_shape);
		info->number = OPT_UINT(vcpu->index);
		info->time = OPT_UINT(vcpu->use.user_ns + vcpu->use.system_ns);
		info->cpu = OPT_UINT((guint64)vcpu->use.processor);
		info->affinity = affinity_of(vcpu->thread);
		shape_append(&result->vcpus, &vcpu_shape, info);
	}
	return TRUE;
}

static gboolean vcpuinfo(OpCall *call, G_GNUC_UNUSED GError **error)
{
	return op_fill_from_use(call, ENGINE_STATS_VCPUS, fill_vcpuinfo);
}

static const Op ops[] = {
	{ .name = "usage", .route = "/v1/guests/{guest}/usage", GUEST_READ(OP_READ),
	  .result = &usage_shape, .show = OP_SHOW_FIELDS, .doc = "Show a guest's state, CPUs and memory",
	  .fn = usage },
	{ .name = "dommemstat", .route = "/v1/guests/{guest}/memory", GUEST_READ(OP_LATER),
	  .result = &memory_shape, .show = OP_SHOW_FIELDS, .doc = "Show what memory a guest holds",
	  .fn = memstat },
	{ .name = "disk-stats", .route = "/v1/guests/{guest}/disk-stats", GUEST_READ(OP_LATER),
	  .args = &block_args, .result = &block_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show what a guest read from a disk and wrote to it", .fn = blkstat },
	{ .name = "vcpuinfo", .route = "/v1/guests/{guest}/vcpus", GUEST_READ(OP_LATER),
	  .result = &vcpu_list, .show = OP_SHOW_TABLE, .doc = "Show the time a guest's CPUs used",
	  .fn = vcpuinfo },
};

const OpFamily op_family_guest_stats = { ops, G_N_ELEMENTS(ops) };

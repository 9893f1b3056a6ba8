/* What a definition's memtune, cputune, blkiotune and numatune mean to the control group of its guest. The
 * group holds QEMU as a whole: bounds of single threads (vcpu_quota, ...) count for it as often as there are
 * such threads. See run.h and host/cgroup.h; pin.c has what threads need no group for. */
#include "base/error.h"
#include "engine/qemu/run.h"
#include "model/guest_parts.h"

#define USUAL_SHARES 1024
#define USUAL_PERIOD 100000 /* microseconds */
#define USUAL_WEIGHT 100

typedef struct Bounds {
	OptUint values[CGROUP_PIDS]; /* by CgroupKnob */
} Bounds;

/* Of all its processor time: the bound of the whole guest, or that of each CPU times their number. */
static void bound_time(Bounds *bounds, const CpuTune *tune, guint vcpus)
{
	gboolean global = tune->global_quota.set, each = tune->quota.set;
	gint64 quota = global ? tune->global_quota.v : each ? tune->quota.v : -1;
	OptUint period = global ? tune->global_period : tune->period;
	if (!global && !each)
		return;
	bounds->values[CGROUP_CPU_PERIOD] = OPT_UINT(period.set && period.v ? period.v : USUAL_PERIOD);
	bounds->values[CGROUP_CPU_QUOTA] =
		OPT_UINT(quota <= 0 ? G_MAXUINT64 : (guint64)quota * (global ? 1 : vcpus));
}

static void bounds_of(const Guest *live, Bounds *bounds)
{
	const MemoryTune *memory = live->memtune;
	if (memory && memory->hard_limit.set)
		bounds->values[CGROUP_MEMORY_HARD] = memory->hard_limit;
	if (memory && memory->soft_limit.set)
		bounds->values[CGROUP_MEMORY_SOFT] = memory->soft_limit;
	if (memory && memory->swap_hard_limit.set)
		bounds->values[CGROUP_MEMORY_SWAP] = memory->swap_hard_limit;
	if (live->blkiotune && live->blkiotune->weight.set)
		bounds->values[CGROUP_IO_WEIGHT] = live->blkiotune->weight;
	if (live->cputune && live->cputune->shares.set)
		bounds->values[CGROUP_CPU_SHARES] = live->cputune->shares;
	if (live->cputune)
		bound_time(bounds, live->cputune, guest_vcpus_online(live));
}

/* What was bounded before and is not any more. */
static void unbound(const Bounds *before, Bounds *now)
{
	static const guint64 usual[] = {
		[CGROUP_CPU_SHARES] = USUAL_SHARES,	[CGROUP_CPU_PERIOD] = USUAL_PERIOD,
		[CGROUP_CPU_QUOTA] = G_MAXUINT64,	[CGROUP_MEMORY_HARD] = G_MAXUINT64,
		[CGROUP_MEMORY_SOFT] = G_MAXUINT64,	[CGROUP_MEMORY_SWAP] = G_MAXUINT64,
		[CGROUP_IO_WEIGHT] = USUAL_WEIGHT,
	};
	for (guint i = 0; i < G_N_ELEMENTS(usual); i++)
		if (before->values[i].set && !now->values[i].set)
			now->values[i] = OPT_UINT(usual[i]);
}

/* Memory alone is never more than memory and swap together: what grows beyond that grows second. */
static gboolean swap_first(const Bounds *old, const Bounds *now)
{
	OptUint hard = now->values[CGROUP_MEMORY_HARD], swap = old->values[CGROUP_MEMORY_SWAP];
	return hard.set && swap.set && hard.v > swap.v;
}

static gboolean same(OptUint a, OptUint b)
{
	return a.set == b.set && (!a.set || a.v == b.v);
}

/* Keeps the first error of all; goes on after it. */
static gboolean keep(gboolean ok, GError **first, GError *why)
{
	if (!ok && !*first)
		*first = why;
	else
		g_clear_error(&why);
	return ok;
}

static gboolean set_knobs(EngineRun *run, const Bounds *old, const Bounds *now, GError **error)
{
	gboolean ok = TRUE, first = swap_first(old, now);
	for (guint n = 0; n < G_N_ELEMENTS(now->values); n++) {
		CgroupKnob knob = (CgroupKnob)n;
		GError *why = NULL;
		if (first && (knob == CGROUP_MEMORY_HARD || knob == CGROUP_MEMORY_SWAP))
			knob = knob == CGROUP_MEMORY_HARD ? CGROUP_MEMORY_SWAP : CGROUP_MEMORY_HARD;
		if (!now->values[knob].set || same(old->values[knob], now->values[knob]))
			continue;
		gboolean done = cgroup_set(run->cgroup, knob, now->values[knob].v, &why);
		ok &= keep(done, error, why);
	}
	return ok;
}

/* ---- disks of the host ---- */

static const size_t disk_members[] = {
	[CGROUP_DISK_WEIGHT] = offsetof(BlkioDevice, weight),
	[CGROUP_DISK_READ_BYTES] = offsetof(BlkioDevice, read_bytes_sec),
	[CGROUP_DISK_WRITE_BYTES] = offsetof(BlkioDevice, write_bytes_sec),
	[CGROUP_DISK_READ_IOPS] = offsetof(BlkioDevice, read_iops_sec),
	[CGROUP_DISK_WRITE_IOPS] = offsetof(BlkioDevice, write_iops_sec),
};

/* 0 is no bound, as libvirt has it. */
static guint64 disk_bound(const Guest *guest, const char *path, CgroupDisk knob)
{
	SHAPE_EACH (BlkioDevice, device, guest && guest->blkiotune ? guest->blkiotune->devices : NULL)
		if (!g_strcmp0(device->path, path))
			return opt_uint_or(*(const OptUint *)((const char *)device + disk_members[knob]), 0);
	return 0;
}

/* Of the disks that @of names. */
static gboolean set_disks(EngineRun *run, const Guest *of, const Guest *before, const Guest *now,
			  GError **error)
{
	gboolean ok = TRUE;
	SHAPE_EACH (BlkioDevice, device, of && of->blkiotune ? of->blkiotune->devices : NULL)
		for (guint knob = 0; knob < G_N_ELEMENTS(disk_members); knob++) {
			guint64 value = disk_bound(now, device->path, (CgroupDisk)knob);
			GError *why = NULL;
			if (value == disk_bound(before, device->path, (CgroupDisk)knob))
				continue;
			gboolean done = cgroup_set_disk(run->cgroup, (CgroupDisk)knob, device->path, value,
							&why);
			ok &= keep(done, error, why);
		}
	return ok;
}

/* ---- NUMA nodes ---- */

/* Where the control group alone says where memory is; QEMU binds it itself otherwise, by its -object. */
static const char *nodes_of(const Guest *guest, gboolean runs)
{
	const NumaTune *tune = guest ? guest->numatune : NULL;
	return tune && (runs || !g_strcmp0(tune->mode, "restrictive")) ? tune->nodeset : NULL;
}

static gboolean set_nodes(EngineRun *run, const Guest *before, const Guest *now, GError **error)
{
	const char *nodes = nodes_of(now, before != NULL);
	GError *why = NULL;
	if (!nodes || !g_strcmp0(nodes, nodes_of(before, TRUE)))
		return TRUE;
	gboolean done = cgroup_set_nodes(run->cgroup, nodes, &why);
	return keep(done, error, why);
}

/* ---- all of it ---- */

static gboolean bounds_nothing(const Guest *guest)
{
	Bounds bounds = { 0 };
	bounds_of(guest, &bounds);
	for (guint i = 0; i < G_N_ELEMENTS(bounds.values); i++)
		if (bounds.values[i].set)
			return FALSE;
	return !nodes_of(guest, FALSE) && !(guest->blkiotune && shape_len(guest->blkiotune->devices));
}

gboolean run_bound(EngineRun *run, const Guest *before, const Guest *live, GError **error)
{
	Bounds old = { 0 }, bounds = { 0 };
	GError *why = NULL;
	if (!before && bounds_nothing(live))
		return TRUE;
	if (!run->cgroup || cgroup_tree_why_not(qemu_host.cgroups))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": this host has no control groups: %s", run->name,
			    cgroup_tree_why_not(qemu_host.cgroups));
	bounds_of(live, &bounds);
	if (before) {
		bounds_of(before, &old);
		unbound(&old, &bounds);
	}
	gboolean ok = set_knobs(run, &old, &bounds, &why);
	ok &= set_disks(run, live, before, live, &why);
	ok &= set_disks(run, before, before, live, &why);
	ok &= set_nodes(run, before, live, &why);
	if (!ok) {
		g_prefix_error(&why, "guest \"%s\": ", run->name);
		g_propagate_error(error, why);
	}
	return ok;
}

/* @text: two definitions as JSON, [before, now]. What cannot be all is not done in part. */
char *run_rebound(EngineRun *run, const char *text, GError **error)
{
	json_t *both = json_loads(text, 0, NULL);
	g_autoptr(Guest) before = shape_from_json(&guest_shape, json_array_get(both, 0), error);
	g_autoptr(Guest) now = before ? shape_from_json(&guest_shape, json_array_get(both, 1), error) : NULL;
	json_decref(both);
	if (!now || !run_bound(run, before, now, error)) {
		if (now)
			run_bound(run, now, before, NULL);
		return NULL;
	}
	return g_strdup("");
}

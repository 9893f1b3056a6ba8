/* What a definition's memtune and cputune mean to the control group of its guest. The group holds QEMU as
 * a whole: bounds of single threads (vcpu_quota, ...) count for it as often as there are such threads.
 * See run.h and host/cgroup.h. */
#include "base/error.h"
#include "engine/qemu/run.h"
#include "model/guest_parts.h"

#define USUAL_SHARES 1024
#define USUAL_PERIOD 100000 /* microseconds */

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
		[CGROUP_MEMORY_SOFT] = G_MAXUINT64,
	};
	for (guint i = 0; i < G_N_ELEMENTS(usual); i++)
		if (before->values[i].set && !now->values[i].set)
			now->values[i] = OPT_UINT(usual[i]);
}

gboolean run_bound(EngineRun *run, const Guest *before, const Guest *live, GError **error)
{
	Bounds old = { 0 }, bounds = { 0 };
	bounds_of(live, &bounds);
	if (before) {
		bounds_of(before, &old);
		unbound(&old, &bounds);
	}
	for (guint i = 0; i < G_N_ELEMENTS(bounds.values); i++) {
		if (!bounds.values[i].set)
			continue;
		if (!run->cgroup)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "guest \"%s\": this host has no control groups: %s", run->name,
				    cgroup_tree_why_not(qemu_host.cgroups));
		if (!cgroup_set(run->cgroup, (CgroupKnob)i, bounds.values[i].v, error)) {
			g_prefix_error(error, "guest \"%s\": ", run->name);
			return FALSE;
		}
	}
	return TRUE;
}

/* @text: two definitions as JSON, [before, now]. */
char *run_rebound(EngineRun *run, const char *text, GError **error)
{
	json_t *both = json_loads(text, 0, NULL);
	g_autoptr(Guest) before = shape_from_json(&guest_shape, json_array_get(both, 0), error);
	g_autoptr(Guest) now = before ? shape_from_json(&guest_shape, json_array_get(both, 1), error) : NULL;
	json_decref(both);
	return now && run_bound(run, before, now, error) ? g_strdup("") : NULL;
}

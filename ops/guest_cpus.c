/* Verbs about the host's processors under a guest: what it used of them, and where it may run.
 * Facts: proc(5). Texts are virsh's. Neighbours: guest_tune.c changes limits; guest_stats.c tells what
 * each of its CPUs used. */
#include "core/core.h"
#include "host/process.h"
#include "model/guest_parts.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/tune.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ON_GUEST(method_, perm_)                                                                   \
	.family = "Limits", .target = OP_ON_GUEST, .method = method_, .perm = perm_, .lane = OP_LANE

static GuestSnap *running(OpCall *call, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (snap->live && snap->pid > 0)
		return guest_snap_ref(snap);
	guest_not_running(snap->name, error);
	return NULL;
}

/* ---- threads ---- */

/* The threads of the guest's CPUs, in order: an array of pid_t that the caller owns. */
static GArray *vcpu_threads(OpCall *call, GError **error)
{
	json_t *cpus = tune_ask(call, "query-cpus-fast", NULL, error);
	GArray *threads = cpus ? g_array_new(FALSE, FALSE, sizeof(pid_t)) : NULL;
	for (size_t i = 0; i < json_array_size(cpus); i++) {
		json_t *id = json_object_get(json_array_get(cpus, i), "thread-id");
		pid_t tid = (pid_t)json_integer_value(id);
		g_array_append_val(threads, tid);
	}
	json_decref(cpus);
	return threads;
}

typedef struct StatsArgs {
	ShapeHead head;
	OptUint start, count;
} StatsArgs;

static const Row stats_rows[] = {
	UINT(StatsArgs, start, NULL, .max = G_MAXINT32,
	     .doc = "of each of the host's processors from this one on: cgroup v1 counts that"),
	UINT(StatsArgs, count, NULL, .max = G_MAXINT32, .doc = "of so many of them"),
};
static const Shape stats_args = SHAPE("cpu-stats-args", StatsArgs, stats_rows);

/* cgroup v2 counts no guest's time by the host's processors: libvirt refuses in the same words. */
static gboolean refuse_each(const StatsArgs *args, GError **error)
{
	guint64 last = (guint64)MAX(sysconf(_SC_NPROCESSORS_CONF), 1) - 1;
	if (opt_uint_or(args->start, 0) > last)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
				 "Start CPU %u is out of range (min: 0, max: %u)",
				 (guint)args->start.v, (guint)last);
	return fail(error, LODGE_ERROR_UNSUPPORTED, "a guest's time on each of the "
		    "host's processors is not counted by cgroup v2; without --start and --count cpu-stats "
		    "shows the total");
}

static gboolean cpu_stats(OpCall *call, GError **error)
{
	const StatsArgs *args = call->args;
	if (args->start.set || args->count.set)
		return refuse_each(args, error);
	g_autoptr(GuestSnap) snap = running(call, error);
	Params *result = call->result;
	ProcessUse use;
	if (!snap)
		return FALSE;
	if (!process_use(snap->pid, 0, &use))
		return fail(error, LODGE_ERROR_SYSTEM, "cannot read what process %d uses", snap->pid);
	param_add(&result->params, PARAM_ULLONG, "cpu_time", (gint64)process_cpu_time(snap->pid));
	param_add(&result->params, PARAM_ULLONG, "user_time", (gint64)use.user_ns);
	param_add(&result->params, PARAM_ULLONG, "system_time", (gint64)use.system_ns);
	GString *out = g_string_new("Total:\n");
	SHAPE_EACH (Param, param, result->params)
		g_string_append_printf(out, "\t%-12s %19.9f seconds\n", param->name,
				       (double)param->number.v / 1e9);
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

/* ---- vcpupin, emulatorpin ---- */

typedef struct PinArgs {
	ShapeHead head;
	OptUint vcpu;
	char *cpulist;
	gboolean config, live;
} PinArgs;

#define PIN_ROWS                                                                                   \
	CPUSET(PinArgs, cpulist, NULL, .flags = ROW_POSITIONAL,                                    \
	       .doc = "the host's processors: 0-3,^2; nothing: show them"),                        \
		FLAG(PinArgs, config, NULL, .doc = "of what the next start will use"),             \
		FLAG(PinArgs, live, NULL, .doc = "of what runs")

static const Row vcpupin_rows[] = {
	UINT(PinArgs, vcpu, NULL, .max = 65535, .flags = ROW_POSITIONAL, .doc = "number of the CPU"),
	PIN_ROWS,
};
static const Shape vcpupin_args = SHAPE("vcpupin-args", PinArgs, vcpupin_rows);
static const Row emulatorpin_rows[] = { PIN_ROWS };
static const Shape emulatorpin_args = SHAPE("emulatorpin-args", PinArgs, emulatorpin_rows);

gboolean tune_cpuset(const char *text, cpu_set_t *set, GError **error)
{
	CPU_ZERO(set);
	for (const char *c = text; *c; c += *c == ',') {
		gboolean on = *c != '^';
		char *end;
		guint64 first = g_ascii_strtoull(c + !on, &end, 10), last = first;
		if (*end == '-')
			last = g_ascii_strtoull(end + 1, &end, 10);
		if (last >= CPU_SETSIZE || end == c || (*end && *end != ','))
			return fail(error, LODGE_ERROR_INVALID,
				    "\"%s\" names processors that no host has", text);
		for (guint64 i = first; i <= last; i++)
			if (on)
				CPU_SET(i, set);
			else
				CPU_CLR(i, set);
		c = end;
	}
	return CPU_COUNT(set) > 0 || fail(error, LODGE_ERROR_INVALID, "\"%s\" names no processor", text);
}

char *tune_set_text(const cpu_set_t *set)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < CPU_SETSIZE; i++) {
		guint last = i;
		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		g_string_append_printf(text, last > i ? "%s%u-%u" : "%s%u", text->len ? "," : "", i, last);
		i = last;
	}
	return g_string_free(text, FALSE);
}

static gboolean pin_thread(pid_t tid, const char *cpulist, GError **error)
{
	cpu_set_t set;
	if (!tune_cpuset(cpulist, &set, error))
		return FALSE;
	return sched_setaffinity(tid, sizeof set, &set) == 0 ||
	       fail_errno(error, errno, "cannot move thread %d to processors %s", tid, cpulist);
}

static CpuPin *pin_of(const CpuTune *tune, guint64 vcpu)
{
	SHAPE_EACH (CpuPin, pin, tune ? tune->vcpupins : NULL)
		if (pin->vcpu.set && pin->vcpu.v == vcpu)
			return pin;
	return NULL;
}

static CpuTune *tune_of(Guest *guest)
{
	if (!guest->cputune)
		guest->cputune = shape_new(&cpu_tune_shape);
	return guest->cputune;
}

static gboolean edit_vcpupin(Guest *guest, gpointer data, GError **error)
{
	const PinArgs *args = data;
	if (args->vcpu.v >= opt_uint_or(guest->vcpus, 1))
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no CPU %u", guest->name,
			    (guint)args->vcpu.v);
	CpuTune *tune = tune_of(guest);
	CpuPin *pin = pin_of(tune, args->vcpu.v);
	if (!pin) {
		pin = shape_new(&vcpupin_shape);
		pin->vcpu = args->vcpu;
		shape_append(&tune->vcpupins, &vcpupin_shape, pin);
	}
	g_free(pin->cpuset);
	pin->cpuset = g_strdup(args->cpulist);
	return TRUE;
}

static gboolean edit_emulatorpin(Guest *guest, gpointer data, G_GNUC_UNUSED GError **error)
{
	CpuTune *tune = tune_of(guest);
	g_free(tune->emulatorpin);
	tune->emulatorpin = g_strdup(((const PinArgs *)data)->cpulist);
	return TRUE;
}

static gboolean pin_vcpu_now(OpCall *call, const PinArgs *args, GError **error)
{
	g_autoptr(GArray) threads = vcpu_threads(call, error);
	if (!threads)
		return FALSE;
	if (args->vcpu.v >= threads->len)
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has %u CPUs that run", call->target,
			    threads->len);
	return pin_thread(g_array_index(threads, pid_t, args->vcpu.v), args->cpulist, error);
}

static gboolean is_among(const GArray *threads, pid_t tid)
{
	for (guint i = 0; i < threads->len; i++)
		if (g_array_index(threads, pid_t, i) == tid)
			return TRUE;
	return FALSE;
}

/* Every thread of QEMU but those of the guest's CPUs. One that ends meanwhile is none. */
static gboolean pin_emulator_now(OpCall *call, const PinArgs *args, GError **error)
{
	g_autoptr(GuestSnap) snap = running(call, error);
	g_autoptr(GArray) cpus = snap ? vcpu_threads(call, error) : NULL;
	g_autofree char *path = snap ? g_strdup_printf("/proc/%d/task", snap->pid) : NULL;
	g_autoptr(GDir) dir = cpus ? g_dir_open(path, 0, NULL) : NULL;
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autoptr(GError) why = NULL;
		pid_t tid = (pid_t)atoi(name);
		if (is_among(cpus, tid) || pin_thread(tid, args->cpulist, &why))
			continue;
		g_autofree char *there = g_build_filename(path, name, NULL);
		if (access(there, F_OK) < 0)
			continue;
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	return cpus != NULL;
}

/* What runs first: what cannot be is not written down. */
static gboolean change_pins(OpCall *call, gboolean (*now)(OpCall *, const PinArgs *, GError **),
			    GuestEditFn edit, GError **error)
{
	const PinArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	gboolean live = args->live || (!args->config && snap->live);
	cpu_set_t set;
	if (!tune_may_write(call, error) || !tune_cpuset(args->cpulist, &set, error))
		return FALSE;
	if (live && !snap->live)
		return guest_not_running(snap->name, error);
	if ((live && !now(call, args, error)) ||
	    !tune_edit(call, live, args->config || !live, edit, call->args, error))
		return FALSE;
	if (live) {
		g_autofree char *cpus = tune_set_text(&set);
		g_autofree char *name = args->vcpu.set
			? g_strdup_printf("cputune.vcpupin%" G_GUINT64_FORMAT, args->vcpu.v)
			: g_strdup("cputune.emulatorpin");
		tune_tell(call, json_pack("{s:s}", name, cpus));
	}
	return TRUE;
}

char *tune_every_cpu(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	return n > 1 ? g_strdup_printf("0-%ld", n - 1) : g_strdup("0");
}

static gboolean vcpupin(OpCall *call, GError **error)
{
	const PinArgs *args = call->args;
	Params *result = call->result;
	if (args->cpulist && !args->vcpu.set)
		return fail(error, LODGE_ERROR_INVALID, "say which of its CPUs");
	if (args->cpulist)
		return change_pins(call, pin_vcpu_now, edit_vcpupin, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const Guest *guest = definition->guest;
	g_autofree char *all = tune_every_cpu();
	GString *out = g_string_new(" VCPU   CPU Affinity\n----------------------\n");
	for (guint64 i = 0; i < opt_uint_or(guest->vcpus, 1); i++) {
		const CpuPin *pin = pin_of(guest->cputune, i);
		const char *set = pin && pin->cpuset ? pin->cpuset : guest->vcpu_cpuset;
		if (args->vcpu.set && args->vcpu.v != i)
			continue;
		g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, i);
		param_add_text(&result->params, number, set ? set : all);
		g_string_append_printf(out, " %-4s   %s\n", number, set ? set : all);
	}
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

static gboolean emulatorpin(OpCall *call, GError **error)
{
	const PinArgs *args = call->args;
	Params *result = call->result;
	if (args->cpulist)
		return change_pins(call, pin_emulator_now, edit_emulatorpin, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const Guest *guest = definition->guest;
	const char *set = guest->cputune && guest->cputune->emulatorpin ? guest->cputune->emulatorpin :
									  guest->vcpu_cpuset;
	g_autofree char *all = tune_every_cpu();
	param_add_text(&result->params, "emulator", set ? set : all);
	result->text = g_strdup_printf(
		"emulator: CPU Affinity\n----------------------------------\n       *: %s\n",
		set ? set : all);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "cpu-stats", .family = "Limits", .route = "/v1/guests/{guest}/cpu-stats",
	  .target = OP_ON_GUEST, .method = "GET", .perm = OP_PERM_READ, .lane = OP_READ,
	  .args = &stats_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show the processor time a guest used",
	  .fn = cpu_stats },
	{ .name = "vcpupin", .route = "/v1/guests/{guest}/vcpupin", ON_GUEST("POST", OP_PERM_READ),
	  .args = &vcpupin_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change where a guest's CPUs may run", .fn = vcpupin },
	{ .name = "emulatorpin", .route = "/v1/guests/{guest}/emulatorpin", ON_GUEST("POST", OP_PERM_READ),
	  .args = &emulatorpin_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change where the rest of a guest's QEMU may run", .fn = emulatorpin },
};

const OpFamily op_family_guest_cpus = { ops, G_N_ELEMENTS(ops) };

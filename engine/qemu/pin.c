/* Where the threads of a guest's QEMU run on the host, and how they are scheduled, from its first
 * instruction on: <vcpu cpuset=>, and vcpupin, emulatorpin, iothreadpin, vcpusched and iothreadsched of
 * cputune. Asks nobody where a definition says nothing of that. See run.h; bound.c has what needs control
 * groups; ops/guest_cpus.c changes it later. Facts: sched(7). */
#include "base/error.h"
#include "engine/qemu/run.h"
#include "model/guest_parts.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Pinning {
	EngineRun *run;
	const Guest *live;
	GHashTable *known; /* threads that are not the emulator's: their numbers */
} Pinning;

static gboolean wants_pins(const Guest *live)
{
	const CpuTune *tune = live->cputune;
	return live->vcpu_cpuset || (tune && (shape_len(tune->vcpupins) || shape_len(tune->iothreadpins) ||
					      tune->emulatorpin || shape_len(tune->vcpuscheds) ||
					      shape_len(tune->iothreadscheds)));
}

/* "0-3,^2"; numbers beyond what a set holds are left out. */
static void read_set(const char *text, cpu_set_t *set)
{
	CPU_ZERO(set);
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	for (char **part = parts; *part; part++) {
		gboolean out = **part == '^';
		char *end;
		guint64 first = g_ascii_strtoull(*part + out, &end, 10), last = first;
		if (*end == '-')
			last = g_ascii_strtoull(end + 1, NULL, 10);
		for (guint64 n = first; n <= last && n < CPU_SETSIZE; n++) {
			if (out)
				CPU_CLR(n, set);
			else
				CPU_SET(n, set);
		}
	}
}

static gboolean pin(const Pinning *pinning, pid_t tid, const char *cpus, const char *what, GError **error)
{
	cpu_set_t set;
	if (!cpus)
		return TRUE;
	read_set(cpus, &set);
	return sched_setaffinity(tid, sizeof set, &set) == 0 || errno == ESRCH ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "guest \"%s\": %s cannot run on the host's processors %s: %s", pinning->run->name, what,
		    cpus, g_strerror(errno));
}

/* By name, as <vcpusched scheduler=>. */
static const struct {
	const char *name;
	int policy;
} policies[] = {
	{ "batch", SCHED_BATCH }, { "idle", SCHED_IDLE }, { "fifo", SCHED_FIFO }, { "rr", SCHED_RR },
};

static gboolean schedule(const Pinning *pinning, pid_t tid, const CpuSched *sched, const char *what,
			 GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(policies); i++) {
		struct sched_param param = { 0 };
		if (g_strcmp0(policies[i].name, sched->scheduler))
			continue;
		if (policies[i].policy == SCHED_FIFO || policies[i].policy == SCHED_RR)
			param.sched_priority = (int)opt_int_or(sched->priority, 0);
		if (sched_setscheduler(tid, policies[i].policy, &param) < 0 && errno != ESRCH)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "guest \"%s\": %s cannot be scheduled by %s: %s",
				    pinning->run->name, what, sched->scheduler, g_strerror(errno));
	}
	return TRUE;
}

/* Thread @tid is number @id of its kind: CPUs or I/O threads, as @iothreads says. */
static gboolean place(const Pinning *pinning, pid_t tid, guint64 id, gboolean iothreads, GError **error)
{
	const CpuTune *tune = pinning->live->cputune;
	const char *cpus = pinning->live->vcpu_cpuset;
	g_autofree char *what =
		g_strdup_printf("%s %" G_GUINT64_FORMAT, iothreads ? "I/O thread" : "CPU", id);
	g_hash_table_add(pinning->known, GINT_TO_POINTER(tid));
	SHAPE_EACH (CpuPin, own, !tune ? NULL : iothreads ? tune->iothreadpins : tune->vcpupins)
		if (opt_uint_or(iothreads ? own->iothread : own->vcpu, G_MAXUINT64) == id)
			cpus = own->cpuset;
	if (!pin(pinning, tid, cpus, what, error))
		return FALSE;
	SHAPE_EACH (CpuSched, sched, !tune ? NULL : iothreads ? tune->iothreadscheds : tune->vcpuscheds) {
		const char *numbers = iothreads ? sched->iothreads : sched->vcpus;
		cpu_set_t set;
		if (!numbers || id >= CPU_SETSIZE)
			continue;
		read_set(numbers, &set);
		if (CPU_ISSET(id, &set) && !schedule(pinning, tid, sched, what, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean place_cpus(const Pinning *pinning, json_t *cpus, GError **error)
{
	size_t i;
	json_t *cpu;
	json_array_foreach (cpus, i, cpu) {
		pid_t tid = (pid_t)json_integer_value(json_object_get(cpu, "thread-id"));
		guint64 id = (guint64)json_integer_value(json_object_get(cpu, "cpu-index"));
		if (tid > 0 && !place(pinning, tid, id, FALSE, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean place_iothreads(const Pinning *pinning, json_t *threads, GError **error)
{
	size_t i;
	json_t *one;
	json_array_foreach (threads, i, one) {
		pid_t tid = (pid_t)json_integer_value(json_object_get(one, "thread-id"));
		const char *name = json_string_value(json_object_get(one, "id"));
		if (tid > 0 && name && g_str_has_prefix(name, "iothread") &&
		    !place(pinning, tid, g_ascii_strtoull(name + strlen("iothread"), NULL, 10), TRUE, error))
			return FALSE;
	}
	return TRUE;
}

/* All others, and so those that they make. */
static gboolean place_emulator(const Pinning *pinning, GError **error)
{
	const CpuTune *tune = pinning->live->cputune;
	const char *cpus = tune && tune->emulatorpin ? tune->emulatorpin : pinning->live->vcpu_cpuset;
	g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pinning->run->pid);
	g_autoptr(GDir) dir = cpus ? g_dir_open(path, 0, NULL) : NULL;
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		pid_t tid = (pid_t)atoi(name);
		if (!g_hash_table_contains(pinning->known, GINT_TO_POINTER(tid)) &&
		    !pin(pinning, tid, cpus, "QEMU", error))
			return FALSE;
	}
	return TRUE;
}

gboolean run_pin(EngineRun *run, const Guest *live, GError **error)
{
	if (!wants_pins(live))
		return TRUE;
	QmpItem items[] = { { .command = "query-cpus-fast" }, { .command = "query-iothreads" } };
	g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL);
	Pinning pinning = { .run = run, .live = live, .known = known };
	gboolean ok = qmp_batch(run->qmp, items, G_N_ELEMENTS(items), QMP_MS, error) &&
		      place_cpus(&pinning, items[0].result, error) &&
		      place_iothreads(&pinning, items[1].result, error) && place_emulator(&pinning, error);
	qmp_items_clear(items, G_N_ELEMENTS(items));
	return ok;
}

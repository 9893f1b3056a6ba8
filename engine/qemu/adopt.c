/* Taking up a guest that an earlier daemon started: is it the same process, does its monitor answer,
 * what is its state. And the record that this needs. See run.h. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/qemu/run.h"
#include "host/process.h"

#include <fcntl.h>
#include <string.h>

#define ADOPT_MS 2000

static char *boot_id(void)
{
	char *id = NULL;
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
		return g_strdup("");
	return g_strchomp(id);
}

char *run_record(EngineRun *run)
{
	g_autofree char *boot = boot_id();
	json_t *helpers = json_array();
	for (guint i = 0; i < run->helpers->len; i++) {
		g_autofree char *text = qemu_helper_record(g_ptr_array_index(run->helpers, i));
		json_array_append_new(helpers, json_string(text));
	}
	json_t *record = json_pack("{s:i, s:I, s:s, s:o}", "pid", (int)run->pid, "ticks",
				   (json_int_t)run->ticks, "boot", boot, "helpers", helpers);
	char *text = json_dumps(record, JSON_COMPACT);
	json_decref(record);
	return text;
}

/* The process of the record, or -1 where it is gone: another boot, another process. */
static int find_process(EngineRun *run, json_t *record, GError **error)
{
	g_autofree char *boot = boot_id();
	run->pid = (pid_t)json_integer_value(json_object_get(record, "pid"));
	run->ticks = (guint64)json_integer_value(json_object_get(record, "ticks"));
	if (g_strcmp0(json_string_value(json_object_get(record, "boot")), boot)) {
		fail(error, LODGE_ERROR_NOT_FOUND, "the host was restarted");
		return -1;
	}
	return process_open(run->pid, run->ticks, error);
}

static void adopt_helpers(EngineRun *run, json_t *record)
{
	size_t i;
	json_t *text;
	json_array_foreach(json_object_get(record, "helpers"), i, text) {
		g_autoptr(GError) error = NULL;
		QemuHelper *helper = qemu_helper_adopt(json_string_value(text), &error);
		if (helper) {
			g_ptr_array_add(run->helpers, helper);
			run_watch_helper(run, helper);
		} else {
			log_warning(run->name, "%s", error->message);
		}
	}
}

static void claim_again(EngineRun *run, const char *path, gboolean writes, gboolean shareable)
{
	autofd int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	g_autoptr(GError) error = NULL;
	if (fd >= 0 && !claim_image(run, fd, writes, shareable, "disk", path, &error))
		log_warning(run->name, "%s", error->message);
}

static void adopt_claims(EngineRun *run, const Guest *live)
{
	SHAPE_EACH (Disk, disk, live->disks) {
		const DiskSource *source = disk->source;
		if (source && !source->fdgroup)
			claim_again(run, source->file ? source->file : source->dev,
				    !disk->readonly && !disk->transient && disk->device == DISK_DEVICE_DISK,
				    disk->shareable);
		for (const DiskBacking *b = disk->backing; b; b = b->backing)
			if (b->source)
				claim_again(run, b->source->file, FALSE, FALSE);
	}
}

/* Counts begin anew: what was counted ended with the daemon that held it. */
static void adopt_counts(EngineRun *run, const Guest *live)
{
	g_auto(Notes) notes = { 0 };
	run_count(run, live, &notes, NULL);
	for (guint i = 0; i < notes_count(&notes); i++)
		log_warning(run->name, "%s", notes_get(&notes, i));
}

/* TRUE where the guest goes on; a QEMU that does not answer (*hangs) counts as going on. */
static gboolean ask_state(EngineRun *run, GuestState *state, GuestReason *reason, gboolean *hangs,
			  GError **error)
{
	g_autoptr(GError) why = NULL;
	run->qmp = qmp_connect(run->monitor_path, run->name, &run_monitor_handlers, run_ref(run),
			       error);
	if (!run->qmp) {
		run_unref(run);
		return FALSE;
	}
	if (!run_query_state(run, ADOPT_MS, state, reason, &why)) {
		if (!g_error_matches(why, LODGE_ERROR, LODGE_ERROR_TIMEOUT)) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		log_warning(run->name, "%s", why->message);
		*state = GUEST_RUNNING;
		*reason = REASON_UNKNOWN;
		*hangs = TRUE;
	}
	if (*state == GUEST_SHUTDOWN)
		return fail(error, LODGE_ERROR_STATE, "the guest powered off");
	return TRUE;
}

static gboolean take_up(EngineRun *run, Guest *live, json_t *record, GuestState *state,
			GuestReason *reason, GError **error)
{
	gboolean hangs = FALSE;
	*reason = REASON_CRASHED;
	run->pidfd = find_process(run, record, error);
	adopt_helpers(run, record);
	if (run->pidfd < 0)
		return FALSE;
	run->cgroup = cgroup_make(qemu_host.cgroups, live->uuid, NULL);
	run_watch(run);
	if (!ask_state(run, state, reason, &hangs, error))
		return FALSE;
	if (!hangs && *state == GUEST_PAUSED)
		run_save_cancel(run); /* of a daemon that died over it */
	adopt_claims(run, live);
	adopt_counts(run, live);
	run->sink.spawned(run->sink.owner, run);
	run_open_consoles(run, live);
	g_atomic_int_set(&run->quiet, FALSE);
	run_check_helpers(run);
	if (!hangs) /* after that: changes from now on are told */
		run_refresh_channels(run, live, ADOPT_MS);
	return process_alive(run->pidfd) || fail(error, LODGE_ERROR_GONE, "QEMU just ended");
}

/* Whether its processors may have run; so it is where it does not say. */
static gboolean may_have_run(Qmp *qmp)
{
	static const char *const before[] = { "prelaunch", "inmigrate", "paused", NULL };
	json_t *result = qmp_call(qmp, "query-status", NULL, ADOPT_MS, NULL);
	const char *status = json_string_value(json_object_get(result, "status"));
	gboolean may = !status || !g_strv_contains(before, status);
	json_decref(result);
	return may;
}

/* Its daemon died in the middle of starting it: nobody knows it, so it is asked to quit. */
static void end_half_started(EngineRun *run, GuestState *state)
{
	g_autoptr(Qmp) qmp = qmp_connect(run->monitor_path, run->name, NULL, NULL, NULL);
	if (!qmp)
		return;
	if (!may_have_run(qmp))
		*state = GUEST_SHUTOFF;
	json_decref(qmp_call(qmp, "quit", NULL, ADOPT_MS, NULL));
	log_warning(run->name, "it was being started when the daemon died: it was ended");
}

EngineRun *run_adopt(Guest *live, const char *text, const EngineSink *sink, GuestState *state,
		     GuestReason *reason, GError **error)
{
	EngineRun *run = run_new(live, sink);
	json_t *record = text ? json_loads(text, 0, NULL) : NULL;
	gboolean ok = FALSE;
	if (record) {
		ok = take_up(run, live, record, state, reason, error);
	} else {
		*reason = REASON_FAILED;
		end_half_started(run, state);
		fail(error, LODGE_ERROR_STATE, "the daemon died while it was being started");
	}
	json_decref(record);
	if (ok)
		return run;
	sink->spawned(sink->owner, NULL);
	run_clean(run);
	run_unref(run);
	return NULL;
}

/* What QEMU's monitor says, and what is said to it: events by a table, signals by a table.
 * Facts: QEMU's qapi/run-state.json and neighbours. See run.h. */
#include "base/error.h"
#include "base/log.h"
#include "engine/qemu/run.h"

#include <stdlib.h>

/* ---- states ---- */

/* RunState of qapi/run-state.json. */
static const struct {
	const char *status;
	GuestState state;
	GuestReason reason;
} statuses[] = {
	{ "running", GUEST_RUNNING, REASON_UNKNOWN },
	{ "paused", GUEST_PAUSED, REASON_USER },
	{ "prelaunch", GUEST_PAUSED, REASON_STARTING_UP },
	{ "inmigrate", GUEST_PAUSED, REASON_STARTING_UP },
	{ "io-error", GUEST_PAUSED, REASON_IO_ERROR },
	{ "watchdog", GUEST_PAUSED, REASON_WATCHDOG },
	{ "save-vm", GUEST_PAUSED, REASON_SAVING },
	{ "restore-vm", GUEST_PAUSED, REASON_FROM_SNAPSHOT },
	{ "postmigrate", GUEST_PAUSED, REASON_MIGRATED },
	{ "finish-migrate", GUEST_PAUSED, REASON_MIGRATED },
	{ "internal-error", GUEST_PAUSED, REASON_FAILED },
	{ "debug", GUEST_PAUSED, REASON_UNKNOWN },
	{ "suspended", GUEST_PMSUSPENDED, REASON_UNKNOWN },
	{ "guest-panicked", GUEST_CRASHED, REASON_PANICKED },
	{ "shutdown", GUEST_SHUTDOWN, REASON_SHUTDOWN },
};

gboolean run_query_state(EngineRun *run, int timeout_ms, GuestState *state, GuestReason *reason,
			 GError **error)
{
	json_t *result = qmp_call(run->qmp, "query-status", NULL, timeout_ms, error);
	if (!result)
		return FALSE;
	const char *status = json_string_value(json_object_get(result, "status"));
	*state = GUEST_PAUSED;
	*reason = REASON_UNKNOWN;
	for (guint i = 0; i < G_N_ELEMENTS(statuses); i++) {
		if (g_strcmp0(status, statuses[i].status))
			continue;
		*state = statuses[i].state;
		*reason = statuses[i].reason;
	}
	json_decref(result);
	return TRUE;
}

/* ---- events ---- */

static void after_reset(G_GNUC_UNUSED json_t *result, const GError *error, gpointer user)
{
	EngineRun *run = user;
	if (error) {
		log_error(run->name, "reboot failed: %s", error->message);
		run_say_ended(run, REASON_SHUTDOWN, "the reboot failed");
	}
	run_unref(run);
}

/* A guest that was asked to reboot has powered off: it starts again from reset. */
static void finish_reboot(EngineRun *run)
{
	qmp_call_async(run->qmp, "system_reset", NULL, QMP_MS, after_reset, run_ref(run));
	qmp_call_async(run->qmp, "cont", NULL, QMP_MS, after_reset, run_ref(run));
}

static void on_shutdown(EngineRun *run, G_GNUC_UNUSED json_t *data)
{
	if (g_atomic_int_compare_and_exchange(&run->reboot_wanted, TRUE, FALSE)) {
		finish_reboot(run);
		return;
	}
	g_atomic_int_set(&run->shut_down, TRUE);
	run_say_ended(run, REASON_SHUTDOWN, NULL);
}

static void on_stop(EngineRun *run, G_GNUC_UNUSED json_t *data)
{
	GuestReason reason = run->pause_reason ? run->pause_reason : REASON_USER;
	run->pause_reason = REASON_UNKNOWN;
	if (!g_atomic_int_get(&run->shut_down) && !g_atomic_int_get(&run->ended))
		run->sink.state(run->sink.owner, GUEST_PAUSED, reason);
}

static void on_resume(EngineRun *run, G_GNUC_UNUSED json_t *data)
{
	run->sink.state(run->sink.owner, GUEST_RUNNING, REASON_UNPAUSED);
}

static void on_suspend(EngineRun *run, G_GNUC_UNUSED json_t *data)
{
	run->sink.state(run->sink.owner, GUEST_PMSUSPENDED, REASON_UNKNOWN);
}

static void on_wakeup(EngineRun *run, G_GNUC_UNUSED json_t *data)
{
	run->sink.state(run->sink.owner, GUEST_RUNNING, REASON_WAKEUP);
}

static void on_watchdog(EngineRun *run, json_t *data)
{
	const char *action = json_string_value(json_object_get(data, "action"));
	if (!g_strcmp0(action, "pause"))
		run->pause_reason = REASON_WATCHDOG;
}

static void on_io_error(EngineRun *run, json_t *data)
{
	const char *action = json_string_value(json_object_get(data, "action"));
	if (!g_strcmp0(action, "stop"))
		run->pause_reason = REASON_IO_ERROR;
}

static void on_panic(EngineRun *run, G_GNUC_UNUSED json_t *data)
{
	if (run->on_crash == GUEST_PRESERVE) {
		run->sink.state(run->sink.owner, GUEST_CRASHED, REASON_PANICKED);
		run->pause_reason = REASON_CRASHED;
		return;
	}
	run_say_ended(run, REASON_PANICKED, "the guest's kernel panicked");
}

/* What each event means to us, and the name under which it goes upward (libvirt's names). */
static const struct {
	const char *event;
	void (*fn)(EngineRun *run, json_t *data);
	const char *name;
	int phase; /* of events that are told apart by it upward: libvirt's number */
} events[] = {
	{ "SHUTDOWN", on_shutdown, NULL },
	{ "STOP", on_stop, NULL },
	{ "RESUME", on_resume, NULL },
	{ "SUSPEND", on_suspend, NULL },
	{ "WAKEUP", on_wakeup, NULL },
	{ "RESET", NULL, "reboot" },
	{ "WATCHDOG", on_watchdog, "watchdog" },
	{ "BLOCK_IO_ERROR", on_io_error, "io-error" },
	{ "GUEST_PANICKED", on_panic, NULL },
	{ "RTC_CHANGE", NULL, "rtc-change" },
	{ "BALLOON_CHANGE", NULL, "balloon-change" },
	{ "DEVICE_TRAY_MOVED", NULL, "tray-change" },
	{ "DEVICE_DELETED", NULL, "device-removed" },
	{ "VSERPORT_CHANGE", NULL, "channel-lifecycle" },
	{ "NIC_RX_FILTER_CHANGED", NULL, "nic-mac-change" },
	{ "SUSPEND_DISK", NULL, "pmsuspend-disk" },
	{ "VNC_CONNECTED", NULL, "graphics", 0 },
	{ "VNC_INITIALIZED", NULL, "graphics", 1 },
	{ "VNC_DISCONNECTED", NULL, "graphics", 2 },
	{ "SPICE_CONNECTED", NULL, "graphics", 0 },
	{ "SPICE_INITIALIZED", NULL, "graphics", 1 },
	{ "SPICE_DISCONNECTED", NULL, "graphics", 2 },
	{ "BLOCK_JOB_COMPLETED", NULL, "block-job", 0 },
	{ "BLOCK_JOB_CANCELLED", NULL, "block-job", 2 },
	{ "BLOCK_JOB_READY", NULL, "block-job", 3 },
	{ "BLOCK_WRITE_THRESHOLD", NULL, "block-threshold" },
	{ "DEVICE_UNPLUG_GUEST_ERROR", NULL, "device-removal-failed" },
	{ "MEMORY_DEVICE_SIZE_CHANGE", NULL, "memory-device-size-change" },
	{ "MEMORY_FAILURE", NULL, "memory-failure" },
};

/* As it came, for who knows QEMU's own events. */
static void tell_raw(EngineRun *run, const char *event, json_t *data, gint64 time_us)
{
	json_t *json = json_pack("{s:s, s:I, s:I, s:O*}", "event", event, "seconds",
				 (json_int_t)(time_us / G_USEC_PER_SEC), "micros",
				 (json_int_t)(time_us % G_USEC_PER_SEC), "data", data);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	run->sink.event(run->sink.owner, "monitor", text);
	free(text);
	json_decref(json);
}

/* An event's details with its phase; the caller frees. */
static char *details_of(json_t *data, int phase)
{
	json_t *copy = data ? json_copy(data) : json_object();
	json_object_set_new(copy, "phase", json_integer(phase));
	char *text = json_dumps(copy, JSON_COMPACT);
	json_decref(copy);
	return text;
}

static void on_event(const char *event, json_t *data, gint64 time_us, gpointer user)
{
	EngineRun *run = user;
	if (g_atomic_int_get(&run->quiet))
		return;
	tell_raw(run, event, data, time_us);
	for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
		if (!g_str_equal(events[i].event, event))
			continue;
		if (events[i].fn)
			events[i].fn(run, data);
		if (!events[i].name)
			continue;
		gboolean phases = g_str_equal(events[i].name, "graphics") ||
				  g_str_equal(events[i].name, "block-job");
		g_autofree char *json = phases ? details_of(data, events[i].phase)
				      : data   ? json_dumps(data, JSON_COMPACT) : NULL;
		run->sink.event(run->sink.owner, events[i].name, json);
	}
}

/* The process' own end tells more than that of its socket, and follows at once. */
static void on_closed(const GError *why, gpointer user)
{
	EngineRun *run = user;
	log_debug(run->name, "the monitor is closed: %s", why->message);
	if (!g_error_matches(why, LODGE_ERROR, LODGE_ERROR_GONE) && !g_atomic_int_get(&run->quiet))
		run->sink.event(run->sink.owner, "control-error", NULL);
}

static void on_done(gpointer user)
{
	run_unref(user);
}

const QmpHandlers run_monitor_handlers = { .event = on_event, .closed = on_closed,
					   .done = on_done };

/* ---- signals ---- */

static const char *const commands[] = {
	[ENGINE_PAUSE] = "stop",	       [ENGINE_RESUME] = "cont",
	[ENGINE_RESET] = "system_reset",       [ENGINE_SHUTDOWN] = "system_powerdown",
	[ENGINE_REBOOT] = "system_powerdown",  [ENGINE_NMI] = "inject-nmi",
	[ENGINE_WAKEUP] = "system_wakeup",     [ENGINE_NO_REBOOT] = NULL,
};

gboolean run_signal(EngineRun *run, EngineSignal signal, GError **error)
{
	/* before: the guest may be faster than the answer; a plain shutdown takes a reboot back */
	if (signal == ENGINE_REBOOT || signal == ENGINE_SHUTDOWN || signal == ENGINE_NO_REBOOT)
		g_atomic_int_set(&run->reboot_wanted, signal == ENGINE_REBOOT);
	if (!commands[signal])
		return TRUE;
	g_autoptr(GError) why = NULL;
	json_t *result = qmp_call(run->qmp, commands[signal], NULL, QMP_MS, &why);
	if (!result && signal == ENGINE_RESUME && run_dump_wait(run)) {
		g_clear_error(&why);
		result = qmp_call(run->qmp, commands[signal], NULL, QMP_MS, &why);
	}
	if (!result) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	json_decref(result);
	return TRUE;
}

/* ---- what ends do ---- */

static gboolean keeps_memory(GuestAction action)
{
	return action == GUEST_PRESERVE || action == GUEST_COREDUMP_DESTROY ||
	       action == GUEST_COREDUMP_RESTART;
}

/* As add_actions() in command.c has it at a start. */
char *run_actions(EngineRun *run, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 3);
	int actions[3] = { 0 };
	for (guint i = 0; i < 3 && words[i]; i++)
		actions[i] = enum_value(&guest_actions, words[i]);
	json_t *arguments = json_pack("{s:s, s:s}", "reboot",
				      actions[1] == GUEST_DESTROY ? "shutdown" : "reset", "panic",
				      keeps_memory((GuestAction)actions[2]) ? "pause" : "shutdown");
	json_t *result = qmp_call(run->qmp, "set-action", arguments, QMP_MS, error);
	if (!result)
		return NULL;
	json_decref(result);
	run->on_poweroff = (GuestAction)actions[0];
	run->on_reboot = (GuestAction)actions[1];
	run->on_crash = (GuestAction)actions[2];
	return g_strdup("");
}

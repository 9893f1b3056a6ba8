/* See engine.h. */
#include "engine/engine.h"
#include "base/log.h"

const EnumTable guest_states = {
	.what = "state of a guest",
	.names = (const char *const[]){ "no state", "running", "idle", "paused", "in shutdown",
					"shut off", "crashed", "pmsuspended" },
	.n = 8,
};

const EnumTable guest_reasons = {
	.what = "reason of a state",
	.names = (const char *const[]){
		"unknown", "booted", "migrated", "restored", "from snapshot", "unpaused",
		"save canceled", "wakeup", "crashed", "user", "saving", "dumping", "I/O error",
		"watchdog", "shutting down", "starting up", "shutdown", "destroyed", "saved",
		"failed", "daemon", "panicked" },
	.n = 22,
};

char *engine_tpm_folder(const Paths *paths, const char *uuid)
{
	return g_build_filename(paths->lib, "tpm", uuid, NULL);
}

EngineRun *engine_start(const Engine *engine, Guest *live, const EngineStart *how,
			const EngineSink *sink, Notes *notes, GError **error)
{
	g_return_val_if_fail(live && live->name && live->uuid && live->id.set, NULL);
	gint64 since = g_get_monotonic_time();
	g_autoptr(GError) why = NULL;
	EngineRun *run = engine->start(live, how, sink, notes, &why);
	g_autofree char *object = g_strdup_printf("guest %s", live->name);
	if (run) {
		log_debug(object, "%s started it in %.1f ms", engine->name,
			  (double)(g_get_monotonic_time() - since) / 1000.0);
		return run;
	}
	log_error(object, "cannot start: %s", why->message);
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

EngineRun *engine_adopt(const Engine *engine, Guest *live, const char *record,
			const EngineSink *sink, GuestState *state, GuestReason *reason,
			GError **error)
{
	g_return_val_if_fail(live && live->name && live->id.set, NULL);
	g_autoptr(GError) why = NULL;
	EngineRun *run = engine->adopt(live, record, sink, state, reason, &why);
	g_autofree char *object = g_strdup_printf("guest %s", live->name);
	if (run) {
		log_info(object, "still runs and is taken up again");
		return run;
	}
	log_warning(object, "it ended while no daemon was here: %s", why->message);
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

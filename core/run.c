/* A guest's run, from start to end: what the engine reports, and what follows from it.
 * See internal.h. */
#include "base/error.h"
#include "base/log.h"
#include "core/connect.h"
#include "core/forwards.h"
#include "core/internal.h"
#include "core/plugs.h"
#include "engine/agent.h"
#include "model/alias.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- news of the engine: posted to the lane ---- */

typedef struct News {
	CoreGuest *guest;
	gint serial;
	GuestState state;
	GuestReason reason;
	char *detail;
} News;

static void news_free(News *news)
{
	core_guest_unref(news->guest);
	g_free(news->detail);
	g_free(news);
}

/* The owner of an engine's sink: one run of a guest. */
typedef struct Owner {
	CoreGuest *guest;
	gint serial;
} Owner;

static void post_news(const Owner *owner, LaneFn fn, GuestState state, GuestReason reason,
		      const char *detail)
{
	CoreGuest *guest = owner->guest;
	News *news = g_new(News, 1);
	*news = (News){ .guest = core_guest_ref(guest),
			.serial = owner->serial,
			.state = state,
			.reason = reason,
			.detail = g_strdup(detail) };
	lane_post(guest->lane, fn, news);
}

/* Which lifecycle event a change of state is. */
static const char *event_of(GuestState from, GuestState to)
{
	if (to == GUEST_PAUSED)
		return "suspended";
	if (to == GUEST_RUNNING)
		return from == GUEST_PAUSED || from == GUEST_PMSUSPENDED ? "resumed" : "started";
	if (to == GUEST_PMSUSPENDED)
		return "pmsuspended";
	return to == GUEST_CRASHED ? "crashed" : NULL;
}

void guest_state(CoreGuest *guest, GuestState state, GuestReason reason)
{
	GuestState before = guest->snap->state;
	if (before == state)
		return;
	const char *event = event_of(before, state);
	GuestSnap *snap = snap_edit(guest);
	snap->state = state;
	snap->reason = reason;
	snap_publish(guest, snap);
	if (event)
		guest_event(guest, event, enum_name(&guest_reasons, (int)reason));
}

static void on_state(gpointer data)
{
	News *news = data;
	if (news->guest->run && news->serial == g_atomic_int_get(&news->guest->serial))
		guest_state(news->guest, news->state, news->reason);
	news_free(news);
}

static void on_ended(gpointer data)
{
	News *news = data;
	if (news->guest->run && news->serial == g_atomic_int_get(&news->guest->serial))
		guest_ended(news->guest, news->reason, news->detail);
	news_free(news);
}

static void sink_state(gpointer owner, GuestState state, GuestReason reason)
{
	post_news(owner, on_state, state, reason, NULL);
}

static void sink_ended(gpointer owner, GuestReason reason, const char *detail)
{
	post_news(owner, on_ended, GUEST_SHUTOFF, reason, detail);
}

/* Which disk, and of it which image, QEMU means by a node "libvirt-2-storage": adds them to @json. */
static void name_image(const Guest *live, json_t *json)
{
	const char *node = json_string_value(json_object_get(json, "node-name"));
	guint64 index = node && g_str_has_prefix(node, "libvirt-")
				? g_ascii_strtoull(node + strlen("libvirt-"), NULL, 10) : 0;
	SHAPE_EACH (Disk, disk, live->disks) {
		const DiskSource *source = disk->source;
		guint64 depth = source && index && source->index.v == index ? 1 : 0;
		for (const DiskBacking *b = disk->backing; !depth && index && b; b = b->backing)
			if (b->index.v == index && b->source) {
				source = b->source;
				depth = 2;
			}
		if (!depth)
			continue;
		const char *path = source->file ? source->file : source->dev;
		json_object_set_new(json, "alias", json_string(disk->info.alias));
		json_object_set_new(json, "dev", depth == 1 ? json_string(disk->target) :
				    json_sprintf("%s[%d]", disk->target, (int)index));
		if (path)
			json_object_set_new(json, "path", json_string(path));
	}
}

/* What QEMU says of an event, with our names of what it means; the caller frees it. */
static char *named(const GuestSnap *snap, const char *text)
{
	json_t *json = text && snap->live && strstr(text, "node-name") ? json_loads(text, 0, NULL) : NULL;
	if (!json)
		return g_strdup(text);
	name_image(snap->live->guest, json);
	char *dump = json_dumps(json, JSON_COMPACT), *own = g_strdup(dump);
	free(dump);
	json_decref(json);
	return own;
}

static void sink_event(gpointer owner, const char *name, const char *json)
{
	CoreGuest *guest = ((Owner *)owner)->guest;
	if (g_str_equal(name, "helper-ended")) {
		forwards_mend(guest);
		return;
	}
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	CoreEvent *event = g_new0(CoreEvent, 1);
	*event = (CoreEvent){ .kind = g_intern_string(name), .guest = g_strdup(snap->name),
			      .id = snap->id, .time = g_get_real_time(),
			      .json = named(snap, json) };
	g_strlcpy(event->uuid, snap->uuid, sizeof event->uuid);
	core_publish(guest->core, event);
	if (g_str_equal(name, "channel-lifecycle"))
		agent_channel_changed(guest, ((Owner *)owner)->serial, json);
}

static void sink_spawned(gpointer owner, EngineRun *run)
{
	CoreGuest *guest = ((Owner *)owner)->guest;
	g_mutex_lock(&guest->run_lock);
	guest->run = run;
	g_mutex_unlock(&guest->run_lock);
}

static void sink_console(gpointer owner, const char *alias, int fd)
{
	consoles_add(((Owner *)owner)->guest, alias, fd);
}

static void sink_done(gpointer owner)
{
	core_guest_unref(((Owner *)owner)->guest);
	g_free(owner);
}

EngineSink guest_sink(CoreGuest *guest)
{
	Owner *owner = g_new(Owner, 1);
	*owner = (Owner){ core_guest_ref(guest), g_atomic_int_get(&guest->serial) };
	return (EngineSink){ .owner = owner, .state = sink_state,
			     .ended = sink_ended, .event = sink_event, .spawned = sink_spawned,
			     .console = sink_console, .done = sink_done };
}

/* ---- start ---- */

/* 0 where the engine does not tell. */
static pid_t pid_of(const Engine *engine, EngineRun *run)
{
	g_autofree char *text = engine->ask ? engine->ask(run, ENGINE_ASK_PID, NULL, NULL) : NULL;
	return text ? (pid_t)g_ascii_strtoll(text, NULL, 10) : 0;
}

void guest_running(CoreGuest *guest, EngineRun *run, Guest *live, GuestState state,
		   GuestReason reason, const char *note)
{
	int id = (int)live->id.v;
	g_mutex_lock(&guest->run_lock);
	guest->run = run;
	g_mutex_unlock(&guest->run_lock);
	GuestSnap *snap = snap_edit(guest);
	definition_unref(snap->live);
	snap->live = definition_new(live);
	snap->id = id;
	snap->pid = pid_of(guest->core->engine, run);
	snap->updated = FALSE;
	snap->state = state;
	snap->reason = reason;
	g_free(snap->note);
	snap->note = g_strdup(note);
	snap_fill(snap, live);
	registry_set_id(guest, -1, id);
	snap_publish(guest, snap);
}

/* Nobody kills it from now on; then what it left goes, and at last what a later daemon would need:
 * if this one dies in between, that one clears up. @run and @live may be NULL. */
static void forget_run(CoreGuest *guest, EngineRun *run, const Guest *live)
{
	g_mutex_lock(&guest->run_lock);
	guest->run = NULL;
	g_mutex_unlock(&guest->run_lock);
	if (run)
		guest->core->engine->stop(run);
	if (live)
		guest_unplug(guest, live);
	recover_forget(guest);
	consoles_close(guest);
	g_mutex_lock(&guest->lock);
	Agent *agent = guest->agent;
	g_mutex_unlock(&guest->lock);
	if (agent)
		agent_disconnect(agent);
}

static void set_starting(CoreGuest *guest, gboolean starting)
{
	g_mutex_lock(&guest->lock);
	guest->starting = starting;
	if (!starting)
		g_cond_broadcast(&guest->off);
	g_mutex_unlock(&guest->lock);
}

/* NULL on failure; nothing is left then. */
static EngineRun *start_plugged(CoreGuest *guest, Guest *live, const EngineStart *how, Notes *notes,
				GError **error)
{
	const Engine *engine = guest->core->engine;
	guint before = notes_count(notes);
	EngineSink sink = guest_sink(guest);
	g_autoptr(GError) why = NULL;
	EngineRun *run = engine_start(engine, live, how, &sink, notes, &why);
	if (!run && g_atomic_int_get(&guest->killed))
		fail(error, LODGE_ERROR_ABORTED, "guest \"%s\" was destroyed while it was started",
		     live->name);
	else if (!run)
		g_propagate_error(error, g_steal_pointer(&why));
	const char *note = notes_count(notes) > before ? notes_get(notes, before) : NULL;
	if (run && recover_write(guest, live, run, note, error)) {
		guest_running(guest, run, live, how->paused ? GUEST_PAUSED : GUEST_RUNNING,
			      how->paused ? REASON_USER : how->stream ? REASON_RESTORED : REASON_BOOTED,
			      note);
		return run;
	}
	if (run)
		engine->kill(run, FALSE, NULL);
	forget_run(guest, run, live);
	return NULL;
}

static gboolean start(CoreGuest *guest, Guest *live, const EngineStart *how, Notes *notes, GError **error)
{
	EngineStart plugged = *how;
	if (plugs_name(guest, live) && !recover_write(guest, live, NULL, NULL, error))
		return FALSE;
	if (!guest_resolve(guest, live, notes, error)) {
		recover_forget(guest);
		return FALSE;
	}
	if (!recover_write(guest, live, NULL, NULL, error)) {
		guest_unplug(guest, live);
		return FALSE;
	}
	if (!guest_plug(guest, live, &plugged, notes, error)) {
		recover_forget(guest);
		return FALSE;
	}
	g_autoptr(GHashTable) given = plugged.fd_groups = guest_fd_groups(guest);
	gboolean runs = start_plugged(guest, live, &plugged, notes, error) != NULL;
	plugs_free(&plugged);
	return runs;
}

gboolean guest_run(CoreGuest *guest, const Guest *definition, const EngineStart *how, Notes *notes,
		   GError **error)
{
	g_auto(Notes) own = { 0 };
	g_autoptr(Guest) live = guest_copy(definition);
	live->id = OPT_INT(g_atomic_int_add(&guest->core->next_id, 1));
	g_atomic_int_inc(&guest->serial);
	g_atomic_int_set(&guest->killed, FALSE);
	set_starting(guest, TRUE);
	gboolean runs = start(guest, live, how, notes ? notes : &own, error);
	set_starting(guest, FALSE);
	if (!runs)
		return FALSE;
	live = NULL; /* the snapshot has it */
	guest_event(guest, "started", how->stream ? "restored" : "booted");
	if (how->paused)
		guest_event(guest, "suspended", "paused");
	return TRUE;
}

/* ---- end ---- */

/* What the definition wants after an end: TRUE to start again. */
static gboolean wants_restart(const Guest *live, GuestReason reason)
{
	GuestAction action = reason == REASON_SHUTDOWN	 ? live->on_poweroff
			     : reason == REASON_PANICKED ? live->on_crash
							 : 0;
	return action == GUEST_RESTART || action == GUEST_RENAME_RESTART ||
	       action == GUEST_COREDUMP_RESTART;
}

static void publish_end(CoreGuest *guest, GuestReason reason)
{
	GuestSnap *snap = snap_edit(guest);
	int id = snap->id;
	g_clear_pointer(&snap->live, definition_unref);
	snap->id = -1;
	snap->pid = 0;
	snap->updated = FALSE;
	snap->state = GUEST_SHUTOFF;
	snap->reason = reason;
	g_clear_pointer(&snap->note, g_free);
	if (guest->stored)
		snap_fill_stored(snap, guest->stored);
	registry_set_id(guest, id, -1);
	snap_publish(guest, snap);
}

/* What it starts again from; NULL: it stays off. */
static Guest *next_definition(CoreGuest *guest, GuestReason reason)
{
	const Definition *live = guest->snap->live;
	if (!live || !wants_restart(live->guest, reason))
		return NULL;
	g_autoptr(GError) error = NULL;
	Guest *next = guest->stored ? store_guest(guest->core->store, guest->snap->name, &error)
				    : guest_copy(live->guest);
	if (next)
		guest_drop_live(next);
	else
		log_error(guest->snap->name, "cannot start it again: %s", error->message);
	return next;
}

static void restart(CoreGuest *guest, const Guest *definition)
{
	g_autoptr(GError) error = NULL;
	EngineStart how = { 0 };
	if (!guest_run(guest, definition, &how, NULL, &error))
		log_error(guest->snap->name, "cannot start it again: %s", error->message);
}

void guest_ended(CoreGuest *guest, GuestReason reason, const char *detail)
{
	forget_run(guest, guest->run, guest->snap->live ? guest->snap->live->guest : NULL);
	/* now: destroy finds nothing to kill any more, so this is its last word */
	if (g_atomic_int_get(&guest->killed))
		reason = REASON_DESTROYED;
	g_autoptr(Guest) again = next_definition(guest, reason);
	g_autofree char *object = g_strdup_printf("guest %s", guest->snap->name);
	log_info(object, "ended: %s%s%s", enum_name(&guest_reasons, (int)reason),
		 detail ? ": " : "", detail ? detail : "");
	const Definition *ran = guest->snap->live;
	gboolean goes_on = again || reason == REASON_SAVED || reason == REASON_MIGRATED;
	if (!guest->stored && ran && !goes_on) /* before: who waits for its end finds all gone */
		undefine_tpm(guest, ran->guest, 0, NULL);
	publish_end(guest, reason);
	guest_event(guest, "stopped", enum_name(&guest_reasons, (int)reason));
	if (again)
		restart(guest, again);
	if (!guest->stored && !guest->snap->live) {
		guest->gone = TRUE;
		registry_remove(guest);
	}
}

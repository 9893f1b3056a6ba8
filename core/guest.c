/* The verbs of a guest, and the snapshots that reads are answered from. See core.h. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/save.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How long destroy waits for what a guest has on the host to be put away: two hundred that end at once, with
 * filters and forwards, take turns at the kernel's locks. */
#define OFF_SECONDS 90

/* ---- definitions and snapshots ---- */

Definition *definition_new(Guest *guest)
{
	Definition *definition = g_new(Definition, 1);
	*definition = (Definition){ .refs = 1, .guest = guest };
	return definition;
}

Definition *definition_ref(Definition *definition)
{
	g_atomic_int_inc(&definition->refs);
	return definition;
}

void definition_unref(Definition *definition)
{
	if (!definition || !g_atomic_int_dec_and_test(&definition->refs))
		return;
	guest_free((Guest *)definition->guest);
	g_free(definition);
}

GuestSnap *guest_snap_ref(GuestSnap *snap)
{
	g_atomic_int_inc(&snap->refs);
	return snap;
}

void guest_snap_unref(GuestSnap *snap)
{
	if (!snap || !g_atomic_int_dec_and_test(&snap->refs))
		return;
	g_free(snap->name);
	g_free(snap->title);
	g_free(snap->note);
	definition_unref(snap->live);
	g_free(snap);
}

GuestSnap *core_guest_snap(CoreGuest *guest)
{
	g_mutex_lock(&guest->lock);
	GuestSnap *snap = guest_snap_ref(guest->snap);
	g_mutex_unlock(&guest->lock);
	return snap;
}

GuestSnap *snap_edit(CoreGuest *guest)
{
	const GuestSnap *old = guest->snap;
	GuestSnap *snap = g_new0(GuestSnap, 1);
	/* all but the count, which readers change meanwhile */
	gsize refs = offsetof(GuestSnap, name);
	memcpy((char *)snap + refs, (const char *)old + refs, sizeof *snap - refs);
	snap->refs = 1;
	snap->name = g_strdup(old->name);
	snap->title = g_strdup(old->title);
	snap->note = g_strdup(old->note);
	if (snap->live)
		definition_ref(snap->live);
	return snap;
}

void snap_publish(CoreGuest *guest, GuestSnap *snap)
{
	g_mutex_lock(&guest->lock);
	GuestSnap *old = guest->snap;
	if (old->state != snap->state)
		snap->since = g_get_real_time();
	guest->snap = snap;
	if (!snap->live)
		g_cond_broadcast(&guest->off);
	g_mutex_unlock(&guest->lock);
	guest_snap_unref(old);
}

void snap_fill(GuestSnap *snap, const Guest *definition)
{
	g_free(snap->title);
	snap->title = g_strdup(definition->title);
	snap->memory = opt_uint_or(definition->memory, 0);
	snap->vcpus = guest_vcpus_online(definition);
}

void snap_fill_stored(GuestSnap *snap, const StoreEntry *stored)
{
	g_free(snap->title);
	snap->title = g_strdup(stored->title);
	snap->memory = stored->memory;
	snap->vcpus = stored->vcpus;
}

Lane *core_guest_lane(CoreGuest *guest)
{
	return guest->lane;
}

void guest_event(CoreGuest *guest, const char *event, const char *detail)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	CoreEvent *e = g_new0(CoreEvent, 1);
	*e = (CoreEvent){ .kind = "lifecycle", .event = event, .detail = detail,
			  .guest = g_strdup(snap->name), .id = snap->id,
			  .time = g_get_real_time() };
	g_strlcpy(e->uuid, snap->uuid, sizeof e->uuid);
	core_publish(guest->core, e);
}

void guest_set_stored(CoreGuest *guest, StoreEntry *entry)
{
	g_mutex_lock(&guest->lock);
	StoreEntry *old = guest->stored;
	if (old && entry)
		entry->autostart = old->autostart;
	guest->stored = entry;
	g_mutex_unlock(&guest->lock);
	store_entry_free(old);
	g_atomic_int_set(&guest->core->index_wanted, TRUE);
}

/* ---- reading ---- */

/* The name that the guest's file has now. */
static char *name_of(CoreGuest *guest)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	return g_strdup(snap->name);
}

Definition *core_guest_definition(CoreGuest *guest, gboolean inactive, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (snap->live && (!inactive || !snap->persistent))
		return definition_ref(snap->live);
	Guest *stored = store_guest(guest->core->store, snap->name, error);
	return stored ? definition_new(stored) : NULL;
}

char *core_guest_log_path(CoreGuest *guest)
{
	g_autofree char *name = name_of(guest);
	return g_strdup_printf("%s/guests/%s.log", guest->core->paths->log, name);
}

/* ---- changing what is stored ---- */

gboolean guest_must_be_persistent(CoreGuest *guest, const char *verb, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (guest->gone)
		return fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" was undefined", snap->name);
	if (snap->persistent)
		return TRUE;
	return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is transient: %s needs a definition; "
		    "\"lodge define\" makes it persistent", snap->name, verb);
}

gboolean core_guest_autostart(CoreGuest *guest, gboolean on, GError **error)
{
	g_autofree char *name = name_of(guest);
	if (!guest_must_be_persistent(guest, "autostart", error) ||
	    !store_autostart(guest->core->store, name, on, error))
		return FALSE;
	GuestSnap *snap = snap_edit(guest);
	snap->autostart = on;
	snap_publish(guest, snap);
	return TRUE;
}

static gboolean may_rename(const GuestSnap *snap, const char *name, GError **error)
{
	if (snap->live)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" is running: shut it down before it gets another name",
			    snap->name);
	return guest_check_name(name, error);
}

static gboolean store_new_name(CoreGuest *guest, const char *old, const char *name, GError **error)
{
	g_autoptr(Guest) definition = store_guest(guest->core->store, old, error);
	if (!definition)
		return FALSE;
	g_free(definition->name);
	definition->name = g_strdup(name);
	return store_rename_guest(guest->core->store, old, definition, error);
}

gboolean core_guest_rename(CoreGuest *guest, const char *name, GError **error)
{
	g_autoptr(GuestSnap) now = core_guest_snap(guest);
	if (!guest_must_be_persistent(guest, "rename", error) || !may_rename(now, name, error))
		return FALSE;
	if (!registry_rename(guest, now->name, name))
		return fail(error, LODGE_ERROR_EXISTS, "a guest \"%s\" exists already", name);
	if (!store_new_name(guest, now->name, name, error)) {
		registry_rename(guest, name, now->name);
		return FALSE;
	}
	GuestSnap *snap = snap_edit(guest);
	g_free(snap->name);
	snap->name = g_strdup(name);
	snap_publish(guest, snap);
	StoreEntry *entry = store_entry_copy(guest->stored);
	g_free(entry->name);
	entry->name = g_strdup(name);
	entry->inode = 0; /* the index learns the file at the next start */
	guest_set_stored(guest, entry);
	guest_event(guest, "defined", "renamed");
	return TRUE;
}

/* ---- running ---- */

/* Going on from a save twice would not fit the disks, so it is put aside before the CPUs run and comes
 * back only where they did not: a crash between leaves UUID.save.used, never a save that is stale. */
static gboolean start_from_save(CoreGuest *guest, guint flags, Notes *notes, GError **error)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	g_autofree char *used = guest_used_save_path(guest);
	guint wanted = (flags & CORE_START_PAUSED ? SAVE_PAUSED : 0) |
		       (flags & CORE_START_PAST_CACHE ? SAVE_PAST_CACHE : 0);
	gboolean ok = guest_run_saved(guest, path, used, wanted, notes, error);
	if (ok) {
		guest_drop_used_save(guest);
		return TRUE;
	}
	g_prefix_error(error, "%s (--force-boot starts without the saved state): ", path);
	if (rename(used, path) < 0 && errno != ENOENT)
		log_error(guest->snap->name, "its saved state is in %s: %s", used, g_strerror(errno));
	return FALSE;
}

gboolean core_guest_start(CoreGuest *guest, guint flags, Notes *notes, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (snap->live)
		return fail_with(error, LODGE_ERROR_STATE, LODGE_DETAIL_ALREADY,
				 "guest \"%s\" is already running", snap->name);
	if (guest->gone)
		return fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" was undefined", snap->name);
	g_autoptr(Guest) definition = store_guest(guest->core->store, snap->name, error);
	if (!definition)
		return FALSE;
	guest->autodestroy = (flags & CORE_START_AUTODESTROY) != 0;
	if (core_guest_has_managed_save(guest)) {
		if ((flags & (CORE_START_FORCE_BOOT | CORE_START_RESET_NVRAM)) == CORE_START_RESET_NVRAM)
			return fail(error, LODGE_ERROR_STATE,
				    "guest \"%s\" has a managed save, to which its UEFI variables belong: "
				    "--reset-nvram goes with --force-boot", snap->name);
		if (!(flags & CORE_START_FORCE_BOOT))
			return start_from_save(guest, flags, notes, error);
		if (!core_guest_managed_save_remove(guest, error))
			return FALSE;
	}
	EngineStart how = { .paused = (flags & CORE_START_PAUSED) != 0,
			    .reset_nvram = (flags & CORE_START_RESET_NVRAM) != 0 };
	if (!guest_run(guest, definition, &how, notes, error))
		return FALSE;
	guest_drop_used_save(guest);
	return TRUE;
}

gboolean core_guest_signal(CoreGuest *guest, EngineSignal signal, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (!guest->run)
		return guest_not_running(snap->name, error);
	if (signal == ENGINE_RESUME && snap->state == GUEST_RUNNING)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is not paused", snap->name);
	if (signal == ENGINE_WAKEUP && snap->state != GUEST_PMSUSPENDED)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" does not sleep", snap->name);
	if (!guest->core->engine->signal(guest->run, signal, error))
		return FALSE;
	/* the engine's own news come later: who asked must see the new state at once */
	if (signal == ENGINE_PAUSE)
		guest_state(guest, GUEST_PAUSED, REASON_USER);
	else if (signal == ENGINE_RESUME)
		guest_state(guest, GUEST_RUNNING, REASON_UNPAUSED);
	return TRUE;
}

static gboolean find_screen(const GuestSnap *snap, guint64 screen, EngineScreen *found, GError **error)
{
	const GPtrArray *videos = snap->live->guest->videos;
	guint64 before = 0;
	SHAPE_EACH (Video, video, videos) {
		guint64 heads = opt_uint_or(video->heads, 1);
		if (screen < before + heads && video->info.alias) {
			*found = (EngineScreen){ video->info.alias, (guint)(screen - before) };
			return TRUE;
		}
		before += heads;
	}
	return fail(error, LODGE_ERROR_INVALID,
		    "no such screen: guest \"%s\" has %" G_GUINT64_FORMAT ", and %" G_GUINT64_FORMAT
		    " was asked for, counted from 0", snap->name, before, screen);
}

int core_guest_screenshot(CoreGuest *guest, guint64 screen, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	EngineScreen found;
	const EngineProgress which = { .screen = screen > 0 ? &found : NULL };
	if (!guest->run || !snap->live) {
		guest_not_running(snap->name, error);
		return -1;
	}
	if (shape_len(snap->live->guest->videos) == 0) {
		fail(error, LODGE_ERROR_STATE, "no screens to take screenshot from: guest \"%s\" has no "
		     "<video>", snap->name);
		return -1;
	}
	if (screen > 0 && !find_screen(snap, screen, &found, error))
		return -1;
	autofd int fd = memfd_create("screenshot", MFD_CLOEXEC);
	if (fd < 0) {
		fail_errno(error, errno, "cannot make a file for the screenshot");
		return -1;
	}
	if (!guest->core->engine->write(guest->run, ENGINE_SCREENSHOT, fd, &which, error))
		return -1;
	lseek(fd, 0, SEEK_SET);
	return fd_steal(&fd);
}

gboolean guest_not_running(const char *name, GError **error)
{
	return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is not running", name);
}

/* The lane hears of the end from the engine and publishes it, or its start fails: waits for that. */
static gboolean wait_until_off(CoreGuest *guest, gint serial, GError **error)
{
	gint64 limit = g_get_monotonic_time() + OFF_SECONDS * G_TIME_SPAN_SECOND;
	gboolean off = TRUE;
	g_mutex_lock(&guest->lock);
	while (off && (guest->snap->live || guest->starting) &&
	       g_atomic_int_get(&guest->serial) == serial)
		off = g_cond_wait_until(&guest->off, &guest->lock, limit);
	g_mutex_unlock(&guest->lock);
	if (off)
		return TRUE;
	g_autofree char *name = name_of(guest);
	return fail(error, LODGE_ERROR_TIMEOUT,
		    "guest \"%s\" was ended, but its lane is still busy; look at \"lodge log %s\"",
		    name, name);
}

gboolean core_guest_destroy(CoreGuest *guest, gboolean graceful, GError **error)
{
	g_mutex_lock(&guest->run_lock);
	gint serial = g_atomic_int_get(&guest->serial);
	EngineRun *run = guest->run;
	if (run)
		g_atomic_int_set(&guest->killed, TRUE);
	/* under the lock: the lane takes run away under it before it frees it */
	gboolean ok = run && guest->core->engine->kill(run, graceful, error);
	g_mutex_unlock(&guest->run_lock);
	if (!run) {
		g_autofree char *name = name_of(guest);
		return guest_not_running(name, error);
	}
	return ok && wait_until_off(guest, serial, error);
}

/* See save.h. */
#include "core/save.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/job.h"
#include "core/saved.h"
#include "model/alias.h"

#include <errno.h>
#include <unistd.h>

static gboolean wants_running(gboolean was_running, guint flags)
{
	if (flags & (SAVE_RUNNING | SAVE_PAUSED))
		return (flags & SAVE_RUNNING) != 0;
	return was_running;
}

/* ---- saving ---- */

static gboolean must_run(CoreGuest *guest, GError **error)
{
	if (guest->run)
		return TRUE;
	return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is not running", guest->snap->name);
}

/* The CPUs stand still, so that disk and memory fit together. */
static gboolean stand_still(CoreGuest *guest, gboolean *was_running, GError **error)
{
	*was_running = guest->snap->state == GUEST_RUNNING;
	if (!*was_running)
		return TRUE;
	if (!guest->core->engine->signal(guest->run, ENGINE_PAUSE, error))
		return FALSE;
	guest_state(guest, GUEST_PAUSED, REASON_SAVING);
	return TRUE;
}

static void run_on(CoreGuest *guest, gboolean was_running)
{
	g_autoptr(GError) error = NULL;
	if (!was_running)
		return;
	if (guest->core->engine->signal(guest->run, ENGINE_RESUME, &error))
		guest_state(guest, GUEST_RUNNING, REASON_SAVE_CANCELED);
	else
		log_error(guest->snap->name, "it stays paused after a save that failed: %s",
			  error->message);
}

static gboolean write_file(CoreGuest *guest, const char *path, gboolean running,
			   const EngineProgress *progress, GError **error)
{
	const Engine *engine = guest->core->engine;
	autofd int fd = saved_create(path, guest->snap->live->guest, running, error);
	if (fd < 0)
		return FALSE;
	EngineProgress own;
	g_autoptr(GError) why = NULL;
	job_begin(guest, JOB_SAVE, TRUE, progress, &own);
	gboolean ok = engine->write(guest->run, ENGINE_MEMORY, fd, &own, &why) &&
		      saved_finish(fd, path, &why);
	job_end(guest, why);
	if (ok)
		return TRUE;
	unlink(path);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean core_guest_save(CoreGuest *guest, const char *path, guint flags,
			 const EngineProgress *progress, GError **error)
{
	gboolean was_running = FALSE;
	if (!must_run(guest, error))
		return FALSE;
	if (!g_path_is_absolute(path))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not an absolute path", path);
	if (!stand_still(guest, &was_running, error))
		return FALSE;
	gboolean running = wants_running(was_running, flags);
	if (!write_file(guest, path, running, progress, error)) {
		run_on(guest, was_running);
		return FALSE;
	}
	if (!guest->core->engine->kill(guest->run, FALSE, error))
		return FALSE;
	guest_ended(guest, REASON_SAVED, NULL);
	return TRUE;
}

/* ---- managed ---- */

char *core_guest_managed_save_path(CoreGuest *guest)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	return g_strdup_printf("%s/save/%s.save", guest->core->paths->lib, snap->uuid);
}

gboolean core_guest_has_managed_save(CoreGuest *guest)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	return access(path, F_OK) == 0;
}

gboolean core_guest_managed_save(CoreGuest *guest, guint flags, const EngineProgress *progress,
				 GError **error)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	g_autofree char *folder = g_path_get_dirname(path);
	if (!guest->stored)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" is transient: it can be saved to a file, not managed",
			    guest->snap->name);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return core_guest_save(guest, path, flags, progress, error);
}

gboolean core_guest_managed_save_remove(CoreGuest *guest, GError **error)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	if (unlink(path) == 0)
		return TRUE;
	if (errno == ENOENT)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" has no managed save",
			    guest->snap->name);
	return fail_errno(error, errno, "cannot remove %s", path);
}

/* ---- restoring ---- */

gboolean guest_run_saved(CoreGuest *guest, const char *path, guint flags, Notes *notes,
			 GError **error)
{
	g_auto(Saved) saved = { .fd = -1 };
	if (!saved_open(path, &saved, error))
		return FALSE;
	guest_drop_live(saved.guest);
	EngineStart how = { .paused = !wants_running(saved.was_running, flags), .stream = saved.fd };
	return guest_run(guest, saved.guest, &how, notes, error);
}

static gboolean same(const Guest *saved, const Guest *other, GError **error)
{
	if (!g_strcmp0(saved->uuid, other->uuid) && !g_strcmp0(saved->name, other->name))
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID, "the document is of guest \"%s\", the file of \"%s\"",
		    other->name, saved->name);
}

CoreGuest *core_restore(Core *core, const char *path, const char *xml, guint flags, Notes *notes,
			GError **error)
{
	g_auto(Saved) saved = { .fd = -1 };
	if (!saved_open(path, &saved, error))
		return NULL;
	g_autoptr(Guest) other = xml ? guest_from_xml(xml, -1, NULL, notes, error) : NULL;
	if (xml && (!other || !same(saved.guest, other, error)))
		return NULL;
	Guest *definition = other ? other : saved.guest;
	guest_drop_live(definition);
	EngineStart how = { .paused = !wants_running(saved.was_running, flags), .stream = saved.fd };
	return core_start_definition(core, definition, &how, notes, error);
}

char *core_saved_xml(const char *path, guint flags, GError **error)
{
	g_auto(Saved) saved = { .fd = -1 };
	return saved_open(path, &saved, error) ? guest_to_xml(saved.guest, flags) : NULL;
}

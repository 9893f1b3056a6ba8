/* See save.h. */
#include "core/save.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/job.h"
#include "core/saved.h"
#include "host/why.h"
#include "model/alias.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
	return guest_not_running(guest->snap->name, error);
}

/* The CPUs do, so that disk and memory fit together. */
static gboolean stand_still(CoreGuest *guest, gboolean was_running, GError **error)
{
	if (!was_running)
		return TRUE;
	if (!guest->core->engine->signal(guest->run, ENGINE_PAUSE, error))
		return FALSE;
	guest_state(guest, GUEST_PAUSED, REASON_SAVING);
	return TRUE;
}

static void run_on(CoreGuest *guest, gboolean was_running)
{
	g_autoptr(GError) error = NULL;
	if (!was_running || guest->snap->state != GUEST_PAUSED)
		return;
	if (guest->core->engine->signal(guest->run, ENGINE_RESUME, &error))
		guest_state(guest, GUEST_RUNNING, REASON_SAVE_CANCELED);
	else
		log_error(guest->snap->name, "it stays paused after a save that failed: %s",
			  error->message);
}

/* What is going on, for a daemon that comes after this one died in the middle: adopt_save() reads it. */
static gboolean tell_successor(CoreGuest *guest, const char *path, guint64 inode, GError **error)
{
	const char *state = guest->snap->state == GUEST_RUNNING ? "running" : "paused";
	g_autofree char *text = g_strdup_printf("%s %" G_GUINT64_FORMAT " %s", state, inode, path);
	return recover_write_saving(guest, text, error);
}

/* What a save is to do beside writing. */
typedef struct Saving {
	const EngineProgress *asker;
	gboolean past_cache;
	int fd;
} Saving;

/* Pages that are written out may go from the host's memory. */
static void drop_pages(int fd)
{
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void on_told(gpointer data, double fraction)
{
	const Saving *saving = data;
	if (saving->past_cache)
		drop_pages(saving->fd);
	if (saving->asker && saving->asker->tell)
		saving->asker->tell(saving->asker->data, fraction);
}

static gboolean write_stream(CoreGuest *guest, int fd, const char *path, guint flags,
			     const EngineProgress *progress, GError **error)
{
	Saving saving = { progress, (flags & SAVE_PAST_CACHE) != 0, fd };
	EngineProgress own, asked = { .tell = on_told, .data = &saving,
				      .cancel = progress ? progress->cancel : NULL };
	g_autoptr(GError) why = NULL;
	job_begin(guest, JOB_SAVE, TRUE, &asked, &own);
	gboolean ok = guest->core->engine->write(guest->run, ENGINE_MEMORY, fd, &own, &why);
	job_end(guest, why);
	return ok || fail_full(error, g_steal_pointer(&why), path);
}

static gboolean same(const Guest *saved, const Guest *other, GError **error)
{
	if (!g_strcmp0(saved->uuid, other->uuid) && !g_strcmp0(saved->name, other->name))
		return TRUE;
	return fail(error, LODGE_ERROR_UNSUPPORTED, "the document is of guest \"%s\" (uuid %s), the saved "
		    "state of \"%s\" (uuid %s)", other->name, other->uuid ? other->uuid : "none",
		    saved->name, saved->uuid);
}

/* Another document of the guest @saved; NULL where it is none. */
static Guest *read_other(const Guest *saved, const char *xml, Notes *notes, GError **error)
{
	g_autoptr(Guest) other = guest_from_xml(xml, -1, NULL, notes, error);
	return other && same(saved, other, error) ? g_steal_pointer(&other) : NULL;
}

/* What the memory remembers of such a disk would be gone when it is restored. */
static gboolean may_save(CoreGuest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->snap->live->guest->disks)
		if (disk->transient && !disk->readonly)
			return fail(error, LODGE_ERROR_STATE,
				    "guest \"%s\" cannot be saved: what it wrote to disk %s, which is "
				    "<transient/>, goes with its QEMU; shut it down", guest->snap->name,
				    disk->target);
	return TRUE;
}

static gboolean write_file(CoreGuest *guest, const char *path, const char *xml, guint flags,
			   const EngineProgress *progress, GError **error)
{
	SavedPart saved;
	const Guest *live = guest->snap->live->guest;
	g_autoptr(Guest) other = xml ? read_other(live, xml, NULL, error) : NULL;
	if (xml && !other)
		return FALSE;
	gboolean was_running = guest->snap->state == GUEST_RUNNING;
	gboolean running = wants_running(was_running, flags);
	if (!saved_begin(path, other ? other : live, running, &saved, error))
		return FALSE;
	autofd int again = flags & SAVE_PAST_CACHE ? fcntl(saved.fd, F_DUPFD_CLOEXEC, 3) : -1;
	gboolean ok = tell_successor(guest, path, saved_inode(&saved), error) &&
		      stand_still(guest, was_running, error) &&
		      write_stream(guest, saved.fd, path, flags, progress, error);
	if (ok)
		ok = saved_finish(&saved, path, error);
	else
		saved_drop(&saved);
	if (again >= 0)
		drop_pages(again);
	if (ok)
		return TRUE;
	run_on(guest, was_running);
	recover_write_saving(guest, NULL, NULL);
	return FALSE;
}

/* The file is whole: the guest goes on from there and nowhere else. */
static gboolean end_saved(CoreGuest *guest, GError **error)
{
	if (!guest->core->engine->kill(guest->run, FALSE, error))
		return FALSE;
	guest_ended(guest, REASON_SAVED, NULL);
	return TRUE;
}

gboolean core_guest_save(CoreGuest *guest, const char *path, const char *xml, guint flags,
			 const EngineProgress *progress, GError **error)
{
	if (!must_run(guest, error))
		return FALSE;
	if (!g_path_is_absolute(path))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not an absolute path", path);
	return may_save(guest, error) && write_file(guest, path, xml, flags, progress, error) &&
	       end_saved(guest, error);
}

void guest_adopt_save(CoreGuest *guest, const char *saving)
{
	char state[8];
	guint64 inode;
	int at = 0;
	g_autoptr(GError) error = NULL;
	if (sscanf(saving, "%7s %" G_GUINT64_FORMAT " %n", state, &inode, &at) != 2 || !at)
		return;
	if (saved_is_finished(saving + at, inode)) {
		log_warning(guest->snap->name, "the daemon died when it was saved to %s: it is ended now",
			    saving + at);
		if (!end_saved(guest, &error))
			log_error(guest->snap->name, "%s", error->message);
		return;
	}
	log_warning(guest->snap->name, "the daemon died while it was being saved to %s: there is no such "
		    "save", saving + at);
	run_on(guest, g_str_equal(state, "running") && guest->snap->state == GUEST_PAUSED);
	recover_write_saving(guest, NULL, NULL);
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

void core_saves_clean(Core *core)
{
	g_autofree char *folder = g_build_filename(core->paths->lib, "save", NULL);
	image_parts_clean(folder);
}

gboolean core_guest_managed_save(CoreGuest *guest, const char *xml, guint flags,
				 const EngineProgress *progress, GError **error)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	g_autofree char *folder = g_path_get_dirname(path);
	if (!guest->stored)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" is transient: it can be saved to a file, not managed",
			    guest->snap->name);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return core_guest_save(guest, path, xml, flags, progress, error);
}

/* Where a start puts the save that it uses up. */
char *guest_used_save_path(CoreGuest *guest)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	return g_strconcat(path, ".used", NULL);
}

void guest_drop_used_save(CoreGuest *guest)
{
	g_autofree char *used = guest_used_save_path(guest);
	if (unlink(used) < 0 && errno != ENOENT)
		log_warning(guest->snap->name, "cannot remove %s: %s", used, g_strerror(errno));
}

void guest_put_back_save(CoreGuest *guest)
{
	g_autofree char *path = core_guest_managed_save_path(guest), *used = guest_used_save_path(guest);
	if (access(path, F_OK) < 0 && rename(used, path) == 0)
		log_warning(guest->snap->name, "its processors had not run: the next start goes on from its "
			    "managed save");
}

gboolean core_guest_managed_save_remove(CoreGuest *guest, GError **error)
{
	g_autofree char *path = core_guest_managed_save_path(guest);
	if (unlink(path) == 0)
		return TRUE;
	if (errno == ENOENT)
		return fail_with(error, LODGE_ERROR_STATE, LODGE_DETAIL_NO_SAVE,
				 "guest \"%s\" has no managed save", guest->snap->name);
	return fail_errno(error, errno, "cannot remove %s", path);
}

/* ---- restoring ---- */

/* The state that it goes on in. */
static EngineStart how_of(const Saved *saved, guint flags)
{
	return (EngineStart){ .paused = !wants_running(saved->was_running, flags), .stream = saved->fd,
			      .reset_nvram = (flags & SAVE_RESET_NVRAM) != 0 };
}

static void done_with(const Saved *saved, guint flags)
{
	if (flags & SAVE_PAST_CACHE)
		posix_fadvise(saved->fd, 0, 0, POSIX_FADV_DONTNEED);
}

typedef struct Using {
	const char *path, *used;
} Using;

static gboolean put_aside(gpointer data, GError **error)
{
	const Using *using = data;
	return rename(using->path, using->used) == 0 ||
	       fail_errno(error, errno, "cannot rename %s", using->path);
}

/* libvirt leaves out of what it saves the controllers that every such machine has; Lodge never does. They are
 * put back, for the stream speaks of them. */
static gboolean complete(Core *core, Guest *guest, Notes *notes, GError **error)
{
	SHAPE_EACH (Controller, controller, guest->controllers)
		if (controller->type == CONTROLLER_PCI && opt_uint_or(controller->index, 0) == 0)
			return TRUE;
	return core->engine->check(guest, notes, error);
}

gboolean guest_run_saved(CoreGuest *guest, const char *path, const char *used, guint flags, Notes *notes,
			 GError **error)
{
	Using using = { path, used };
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	if (!saved_open(path, TRUE, &saved, error))
		return FALSE;
	guest_drop_live(saved.guest);
	if (!complete(guest->core, saved.guest, notes, error))
		return FALSE;
	EngineStart how = how_of(&saved, flags);
	how.loaded = put_aside;
	how.loaded_data = &using;
	gboolean ok = guest_run(guest, saved.guest, &how, notes, error);
	done_with(&saved, flags);
	return ok;
}

CoreGuest *core_restore(Core *core, const char *path, const char *xml, guint flags, Notes *notes,
			GError **error)
{
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	if (!saved_open(path, TRUE, &saved, error))
		return NULL;
	g_autoptr(Guest) other = xml ? read_other(saved.guest, xml, notes, error) : NULL;
	if (xml && !other)
		return NULL;
	Guest *definition = other ? other : saved.guest;
	guest_drop_live(definition);
	if (!complete(core, definition, notes, error))
		return NULL;
	EngineStart how = how_of(&saved, flags);
	CoreGuest *guest = core_start_definition(core, definition, &how, notes, error);
	done_with(&saved, flags);
	return guest;
}

/* ---- the document in a file ---- */

char *core_saved_xml(const char *path, guint flags, GError **error)
{
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	if (!saved_open(path, FALSE, &saved, error))
		return NULL;
	guest_drop_live(saved.guest);
	return guest_to_xml(saved.guest, flags);
}

gboolean core_saved_define(const char *path, const char *xml, guint flags, Notes *notes, GError **error)
{
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	Tri running = flags & SAVE_RUNNING ? TRI_YES : flags & SAVE_PAUSED ? TRI_NO : TRI_ABSENT;
	if (!saved_open(path, FALSE, &saved, error))
		return FALSE;
	g_autoptr(Guest) other = xml ? read_other(saved.guest, xml, notes, error) : NULL;
	return (!xml || other) && saved_rewrite(path, other, running, error);
}

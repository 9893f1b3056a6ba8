/* See undefine.h. First all that may refuse, then the definition, then the files: an interruption leaves
 * a file behind, never a guest without its disk. */
#include "core/undefine.h"
#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/save.h"
#include "engine/engine.h"
#include "host/file.h"
#include "image/chain.h"
#include "image/seed.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the TPM ---- */

static gboolean has_tpm_state(const Guest *definition)
{
	SHAPE_EACH (Tpm, tpm, definition->tpms)
		if (!tpm->backend_type || g_str_equal(tpm->backend_type, "emulator"))
			return TRUE;
	return FALSE;
}

static gboolean persists(const Guest *definition)
{
	SHAPE_EACH (Tpm, tpm, definition->tpms)
		if (tpm->persistent_state == TRI_YES)
			return TRUE;
	return FALSE;
}

void undefine_tpm(CoreGuest *guest, const Guest *definition, guint flags, Notes *notes)
{
	g_autoptr(GError) error = NULL;
	if (!has_tpm_state(definition) || (flags & UNDEFINE_KEEP_TPM) ||
	    (persists(definition) && !(flags & UNDEFINE_TPM)))
		return;
	g_autofree char *folder = engine_tpm_folder(guest->core->paths, definition->uuid);
	if (file_remove_tree(folder, &error))
		return;
	log_warning(definition->name, "%s", error->message);
	notes_add(notes, "the TPM's state is left: %s", error->message);
}

/* ---- disks ---- */

static gboolean is_named(const Disk *disk, const char *path, const GPtrArray *names)
{
	for (guint i = 0; names && i < names->len; i++)
		if (!g_strcmp0(disk->target, g_ptr_array_index(names, i)) ||
		    !g_strcmp0(path, g_ptr_array_index(names, i)))
			return TRUE;
	return FALSE;
}

static gboolean is_own(const Disk *disk)
{
	return disk->device == DISK_DEVICE_DISK && !disk->readonly && !disk->shareable &&
	       disk->source->file;
}

/* Every name has to be one of a disk. */
static gboolean check_names(const Guest *definition, const GPtrArray *names, GError **error)
{
	for (guint i = 0; names && i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		gboolean found = FALSE;
		SHAPE_EACH (Disk, disk, definition->disks)
			found = found || !g_strcmp0(disk->target, name) ||
				!g_strcmp0(disk_source_name(disk), name);
		if (!found)
			return fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" has no disk \"%s\"",
				    definition->name, name);
	}
	return TRUE;
}

/* The files to remove, char *; NULL where one cannot be. */
static GPtrArray *files_of(const Guest *definition, guint flags, const GPtrArray *names, GError **error)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	SHAPE_EACH (Disk, disk, definition->disks) {
		const char *path = disk->source ? disk_source_name(disk) : NULL;
		gboolean named = is_named(disk, path, names);
		struct stat st;
		if (!path || (!named && !((flags & UNDEFINE_ALL_DISKS) && is_own(disk))))
			continue;
		if (!disk->source->file || lstat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
			fail(error, LODGE_ERROR_UNSUPPORTED,
			     "guest \"%s\": disk %s: %s is no file that can be removed",
			     definition->name, disk->target, path);
			return NULL;
		}
		g_ptr_array_add(files, g_strdup(path));
	}
	return g_steal_pointer(&files);
}

static gboolean is_same(const char *a, const char *b)
{
	struct stat one, other;
	return !g_strcmp0(a, b) || (a && b && stat(a, &one) == 0 && stat(b, &other) == 0 &&
				    one.st_dev == other.st_dev && one.st_ino == other.st_ino);
}

/* Which of @files the disk is, or is based on; NULL: none. */
static const char *used_by_disk(const Disk *disk, const GPtrArray *files)
{
	const char *path = disk->source ? disk_source_name(disk) : NULL;
	for (guint i = 0; path && i < files->len; i++)
		if (is_same(path, g_ptr_array_index(files, i)))
			return g_ptr_array_index(files, i);
	if (!path || !disk->source->file)
		return NULL;
	ImageFormat format = (ImageFormat)enum_value(&image_formats,
						     enum_name(&disk_formats, (int)disk->driver_type));
	g_autoptr(GPtrArray) chain = image_chain(path, format ? format : IMAGE_RAW, NULL);
	for (guint k = 1; chain && k < chain->len; k++) {
		const ImageLink *link = g_ptr_array_index(chain, k);
		for (guint i = 0; i < files->len; i++)
			if (is_same(link->path, g_ptr_array_index(files, i)))
				return g_ptr_array_index(files, i);
	}
	return NULL;
}

static gboolean leaves_alone(const Guest *other, const GPtrArray *files, GError **error)
{
	SHAPE_EACH (Disk, disk, other->disks) {
		const char *file = used_by_disk(disk, files);
		if (file)
			return fail(error, LODGE_ERROR_IN_USE,
				    "%s is needed by disk %s of guest \"%s\": it is not removed", file,
				    disk->target, other->name);
	}
	return TRUE;
}

static gboolean nobody_uses(CoreGuest *guest, const GPtrArray *files, GError **error)
{
	Core *core = guest->core;
	g_autoptr(GPtrArray) all = core_list(core, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; files->len && i < all->len; i++) {
		const GuestSnap *snap = g_ptr_array_index(all, i);
		if (g_str_equal(snap->uuid, guest->snap->uuid))
			continue;
		g_autoptr(GError) why = NULL;
		g_autoptr(Guest) stored = snap->persistent ? store_guest(core->store, snap->name, &why)
							   : NULL;
		if (why && !g_error_matches(why, LODGE_ERROR, LODGE_ERROR_NOT_FOUND))
			return fail(error, LODGE_ERROR_IN_USE, "whether guest \"%s\" uses the disks cannot "
				    "be told: %s", snap->name, why->message);
		if ((stored && !leaves_alone(stored, files, error)) ||
		    (snap->live && !leaves_alone(snap->live->guest, files, error)))
			return FALSE;
	}
	return TRUE;
}

/* What is to be removed; an empty array where no disk is asked for. NULL: refused. */
static GPtrArray *disks_to_remove(CoreGuest *guest, const Guest *stored, guint flags,
				  const GPtrArray *names, GError **error)
{
	if (!(flags & UNDEFINE_ALL_DISKS) && !shape_len(names))
		return g_ptr_array_new_with_free_func(g_free);
	if (guest->snap->live) {
		fail(error, LODGE_ERROR_STATE, "guest \"%s\" is running: its disks are removed only when "
		     "it is shut off", guest->snap->name);
		return NULL;
	}
	if (!stored) {
		fail(error, LODGE_ERROR_INVALID, "the definition of guest \"%s\" cannot be read: its disks "
		     "are not known", guest->snap->name);
		return NULL;
	}
	g_autoptr(GPtrArray) files = check_names(stored, names, error)
					     ? files_of(stored, flags, names, error)
					     : NULL;
	if (!files || !nobody_uses(guest, files, error))
		return NULL;
	return g_steal_pointer(&files);
}

/* ---- the definition ---- */

static const char *nvram_of(const Guest *stored)
{
	const char *path = stored ? stored->os.nvram : NULL;
	return path && access(path, F_OK) == 0 ? path : NULL;
}

static gboolean may_undefine(CoreGuest *guest, const Guest *stored, guint flags, GError **error)
{
	const char *nvram = nvram_of(stored);
	if (nvram && !(flags & (UNDEFINE_NVRAM | UNDEFINE_KEEP_NVRAM)))
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" has UEFI variables in %s: say --nvram to remove that file "
			    "or --keep-nvram to leave it", stored->name, nvram);
	if (!guest->snap->live && !(flags & UNDEFINE_MANAGED_SAVE) && core_guest_has_managed_save(guest))
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" has a managed save: say --managed-save to remove it, too",
			    guest->snap->name);
	return TRUE;
}

static void remove_noting(const char *path, Notes *notes)
{
	g_autoptr(GError) error = NULL;
	if (file_remove(path, &error))
		return;
	log_warning(NULL, "%s", error->message);
	notes_add(notes, "%s is left: %s", path, error->message);
}

static void remove_files(CoreGuest *guest, const Guest *stored, guint flags, const GPtrArray *disks,
			 Notes *notes)
{
	const char *nvram = nvram_of(stored);
	g_autoptr(GError) error = NULL;
	if (nvram && !(flags & UNDEFINE_KEEP_NVRAM))
		remove_noting(nvram, notes);
	if ((flags & UNDEFINE_MANAGED_SAVE) && core_guest_has_managed_save(guest) &&
	    !core_guest_managed_save_remove(guest, &error))
		notes_add(notes, "the managed save is left: %s", error->message);
	for (guint i = 0; i < disks->len; i++)
		remove_noting(g_ptr_array_index(disks, i), notes);
	/* A guest that runs has its CD open. */
	image_seed_remove(guest->core->paths->lib, guest->snap->uuid);
	if (stored && !guest->snap->live) /* else it goes when the guest ends */
		undefine_tpm(guest, stored, flags, notes);
}

/* The definition is gone; what runs goes on as a transient guest. */
static void forget_definition(CoreGuest *guest)
{
	GuestSnap *snap = snap_edit(guest);
	gboolean runs = snap->live != NULL;
	snap->persistent = FALSE;
	snap->autostart = FALSE;
	snap_publish(guest, snap);
	guest_set_stored(guest, NULL);
	guest_event(guest, "undefined", "removed");
	if (runs)
		return;
	guest->gone = TRUE;
	registry_remove(guest);
}

static gboolean wipe_all(const GPtrArray *files, const ImageWork *wipe, GError **error)
{
	for (guint i = 0; wipe && i < files->len; i++)
		if (!image_wipe(g_ptr_array_index(files, i), IMAGE_WIPE_ZERO, wipe, error))
			return FALSE;
	return TRUE;
}

gboolean core_guest_undefine(CoreGuest *guest, guint flags, const GPtrArray *disks, const ImageWork *wipe,
			     Notes *notes, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (!guest_must_be_persistent(guest, "undefine", error))
		return FALSE;
	/* a definition that cannot be read can still be removed */
	g_autoptr(Guest) stored = store_guest(guest->core->store, snap->name, NULL);
	if (!may_undefine(guest, stored, flags, error))
		return FALSE;
	g_autoptr(GPtrArray) files = disks_to_remove(guest, stored, flags, disks, error);
	if (!files || !wipe_all(files, wipe, error) || !store_undefine(guest->core->store, snap->name, error))
		return FALSE;
	remove_files(guest, stored, flags, files, notes);
	forget_definition(guest);
	return TRUE;
}

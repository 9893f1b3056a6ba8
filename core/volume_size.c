/* Changes the size of volumes: by itself where nobody uses one, by the guest's engine where a guest
 * runs with it. See volumes.h; disk_size.h has the guest's side, image/resize.h that of files. */
#include "base/error.h"
#include "core/disk_size.h"
#include "core/internal.h"
#include "core/volumes.h"
#include "image/header.h"
#include "image/resize.h"

/* ---- files ---- */

/* Of an encrypted volume, as libvirt finds it: by its path. NULL: there is none. */
static GBytes *secret_of(Core *core, const PoolVolume *known)
{
	PoolNeeds needs = pool_needs(core);
	const SecretRef secret = { .usage = known->path };
	return known->encrypted ? needs.secret(needs.owner, &secret, "volume", NULL) : NULL;
}

static gboolean resize_file(Core *core, const PoolVolume *known, guint64 bytes, guint flags,
			    GError **error)
{
	int format = known->format ? enum_value(&image_formats, known->format) : 0;
	g_autoptr(GBytes) secret = secret_of(core, known);
	ImageSecret key = { 0 };
	if (secret)
		key.bytes = g_bytes_get_data(secret, &key.length);
	ImageResize how = { .path = known->path,
			    .size = bytes,
			    .format = (ImageFormat)format,
			    .shrink = (flags & VOLUME_RESIZE_SHRINK) != 0,
			    .preallocation = flags & VOLUME_RESIZE_ALLOCATE ? IMAGE_PREALLOC_FALLOC
									    : 0,
			    .secret = secret ? &key : NULL };
	if (!how.format)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "volume '%s' of format %s cannot be resized", known->name,
			    known->format ? known->format : "?");
	return image_resize(&how, error);
}

/* ---- what kinds of pools make ---- */

static gboolean resize_by_kind(const CoreVolume *volume, guint64 bytes, GError **error)
{
	const Pool *pool = object_snap_document(volume->snap, FALSE);
	const PoolKind *kind = pool_kind(pool->type, error);
	PoolNeeds needs = pool_needs(volume->core);
	PoolUse use = pool_snap_use(volume->core, volume->snap);
	use.needs = &needs;
	if (!kind || !kind->resize)
		return kind &&
		       fail(error, LODGE_ERROR_UNSUPPORTED,
			    "storage pool '%s' does not support changing of volume capacity",
			    pool->name);
	g_mutex_lock(pool_state_change(volume->state));
	gboolean ok = kind->resize(&use, volume->volume, bytes, error);
	g_mutex_unlock(pool_state_change(volume->state));
	return ok;
}

static gboolean resize_unused(const CoreVolume *volume, guint64 bytes, guint flags, GError **error)
{
	const Pool *pool = object_snap_document(volume->snap, FALSE);
	if (!core_volume_begin(volume, TRUE, error))
		return FALSE;
	gboolean ok = pool_has_files(pool->type)
			      ? resize_file(volume->core, volume->volume, bytes, flags, error)
			      : resize_by_kind(volume, bytes, error);
	core_volume_end(volume, TRUE);
	return ok;
}

/* ---- what a guest runs with ---- */

/* The target of the disk that @volume is, in what @snap runs; NULL: none, or only below one. */
static const char *disk_with(const GuestSnap *snap, const CoreVolume *volume)
{
	const Guest *live = snap->live ? snap->live->guest : NULL;
	if (live)
		SHAPE_EACH (Disk, disk, live->disks)
			if (!g_strcmp0(disk_source_name(disk), volume->volume->path))
				return disk->target;
	return NULL;
}

/* The only running guest that has it as a disk; NULL: none, or more than one. */
static GuestSnap *only_user(const CoreVolume *volume)
{
	g_autoptr(GPtrArray) running = core_list(volume->core, CORE_LIST_ACTIVE);
	g_autoptr(GuestSnap) user = NULL;
	for (guint i = 0; i < running->len; i++) {
		if (!disk_with(running->pdata[i], volume))
			continue;
		if (user)
			return NULL;
		user = guest_snap_ref(running->pdata[i]);
	}
	return g_steal_pointer(&user);
}

/* Others keep away from the volume meanwhile. A device grows first: the guest follows. */
static gboolean resize_used(const CoreVolume *volume, const GuestSnap *user, guint64 bytes,
			    guint flags, GError **error)
{
	const Pool *pool = object_snap_document(volume->snap, FALSE);
	guint how = (flags & VOLUME_RESIZE_SHRINK ? DISK_RESIZE_SHRINK : 0) |
		    (flags & VOLUME_RESIZE_ALLOCATE ? DISK_RESIZE_ALLOCATE : 0);
	g_autoptr(CoreGuest) guest = core_find_by(volume->core, CORE_BY_UUID, user->uuid, error);
	if (!guest)
		return FALSE;
	if (!pool_has_files(pool->type) && bytes < volume->volume->capacity)
		return fail(error, LODGE_ERROR_IN_USE,
			    "storage volume '%s' cannot shrink: guest \"%s\" runs "
			    "with it",
			    volume->volume->name, user->name);
	if (!pool_state_use(volume->state, volume->volume->name, TRUE, error))
		return FALSE;
	gboolean ok = (pool_has_files(pool->type) || resize_by_kind(volume, bytes, error)) &&
		      core_disk_resize_wait(guest, disk_with(user, volume), bytes, how, error);
	core_volume_end(volume, TRUE);
	return ok;
}

/* ---- either ---- */

static gboolean new_size(const PoolVolume *known, guint64 *bytes, guint flags, GError **error)
{
	if (flags & VOLUME_RESIZE_DELTA) {
		if (flags & VOLUME_RESIZE_SHRINK && *bytes > known->capacity)
			return fail(error, LODGE_ERROR_INVALID, "volume '%s' has less than that",
				    known->name);
		if (flags & VOLUME_RESIZE_SHRINK)
			*bytes = known->capacity - *bytes;
		else if (!g_uint64_checked_add(bytes, *bytes, known->capacity))
			return fail(error, LODGE_ERROR_INVALID, "the size is too large");
	}
	if (*bytes < known->capacity && !(flags & VOLUME_RESIZE_SHRINK))
		return fail(error, LODGE_ERROR_INVALID,
			    "Can't shrink capacity below current capacity unless shrink flag "
			    "explicitly "
			    "specified");
	return TRUE;
}

gboolean core_volume_resize(const CoreVolume *volume, guint64 bytes, guint flags, GError **error)
{
	g_autoptr(GuestSnap) user = only_user(volume);
	if (!new_size(volume->volume, &bytes, flags, error))
		return FALSE;
	return user ? resize_used(volume, user, bytes, flags, error)
		    : resize_unused(volume, bytes, flags, error);
}

/* Changing volumes: made, copied, deleted, resized, wiped. See volumes.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/internal.h"
#include "core/volumes.h"
#include "host/open.h"
#include "host/why.h"
#include "image/copy.h"
#include "image/lock.h"
#include "pool/files.h"

#define CHAIN_MAX 200

/* ---- who uses it ---- */

static gboolean runs_with(const Guest *guest, const char *path, const ObjectSnap *pool, const char *name)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		if (!disk->source)
			continue;
		if (!g_strcmp0(disk->source->file, path) || !g_strcmp0(disk->source->dev, path) ||
		    (pool && !g_strcmp0(disk->source->pool, pool->name) &&
		     !g_strcmp0(disk->source->volume, name)))
			return TRUE;
		for (const DiskBacking *below = disk->backing; below; below = below->backing)
			if (below->source && !g_strcmp0(below->source->file, path))
				return TRUE;
	}
	return FALSE;
}

/* The same image of the same server. */
static gboolean same_place(const DiskSource *a, const DiskSource *b)
{
	const DiskHost *first = shape_len(a->hosts) ? a->hosts->pdata[0] : NULL;
	const DiskHost *other = b && shape_len(b->hosts) ? b->hosts->pdata[0] : NULL;
	return b && !g_strcmp0(a->protocol, b->protocol) && !g_strcmp0(a->name, b->name) &&
	       !g_strcmp0(first ? first->name : NULL, other ? other->name : NULL);
}

static gboolean reaches(const Guest *guest, const DiskSource *place)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		if (same_place(place, disk->source))
			return TRUE;
		for (const DiskBacking *below = disk->backing; below; below = below->backing)
			if (same_place(place, below->source))
				return TRUE;
	}
	return FALSE;
}

/* The name of a running guest that has the network volume as a disk, for the caller to free; NULL: none. */
static char *guest_reaching(const CoreVolume *volume)
{
	g_autoptr(GPtrArray) running = core_list(volume->core, CORE_LIST_ACTIVE);
	Disk disk = { .source = g_new0(DiskSource, 1) };
	gboolean known = core_volume_place(volume->core, volume, disk.source, NULL);
	char *name = NULL;
	for (guint i = 0; known && !name && i < running->len; i++) {
		const GuestSnap *snap = running->pdata[i];
		if (snap->live && reaches(snap->live->guest, disk.source))
			name = g_strdup(snap->name);
	}
	shape_clear(&disk_shape, &disk);
	return name;
}

static GPtrArray *guests_with(Core *core, const char *path, const ObjectSnap *pool, const char *name)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) running = core_list(core, CORE_LIST_ACTIVE);
	for (guint i = 0; i < running->len; i++) {
		const GuestSnap *snap = running->pdata[i];
		if (snap->live && runs_with(snap->live->guest, path, pool, name))
			g_ptr_array_add(names, g_strdup(snap->name));
	}
	return names;
}

static gboolean is_free_of_guests(const CoreVolume *volume, const char *verb, GError **error)
{
	const PoolVolume *known = volume->volume;
	g_autoptr(GPtrArray) guests =
		guests_with(volume->core, known->path, volume->snap, known->name);
	g_autofree char *far = known->type == VOLUME_NETWORK ? guest_reaching(volume) : NULL;
	if (!guests->len && !far)
		return TRUE;
	return fail(error, LODGE_ERROR_IN_USE, "storage volume '%s' cannot be %s: guest \"%s\" runs with it",
		    known->name, verb, far ? far : (char *)guests->pdata[0]);
}

/* No image of any pool is based on it. */
static gboolean is_no_base(const CoreVolume *volume, const char *verb, GError **error)
{
	g_autoptr(GPtrArray) pools = core_object_list(volume->core, CORE_POOL, CORE_LIST_ACTIVE);
	for (guint i = 0; i < pools->len; i++) {
		PoolState *state = pool_snap_state(pools->pdata[i]);
		g_autoptr(PoolVolume) above =
			state ? pool_state_based_on(state, volume->volume->path) : NULL;
		if (above)
			return fail(error, LODGE_ERROR_IN_USE,
				    "storage volume '%s' cannot be %s: volume '%s' of pool '%s' is based on "
				    "it", volume->volume->name, verb, above->name,
				    ((ObjectSnap *)pools->pdata[i])->name);
	}
	return TRUE;
}

static gboolean is_file(const PoolVolume *volume)
{
	return volume->type == VOLUME_FILE || volume->type == VOLUME_BLOCK;
}

/* ---- looking at one anew ---- */

/* What is at @name now, into the state. A reference, or NULL. */
static PoolVolume *look_again(const ObjectSnap *snap, PoolState *state, const char *name)
{
	const char *folder = pool_path(object_snap_document(snap, FALSE));
	autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	PoolSizes sizes;
	PoolVolume *volume = fd < 0 ? NULL : pool_file_read(fd, folder, name, NULL);
	if (volume)
		pool_state_put(state, pool_volume_ref(volume));
	else
		pool_state_drop(state, name);
	if (pool_files_sizes(folder, &sizes, NULL))
		pool_state_set_sizes(state, &sizes);
	return volume;
}

static void look_at_pool(CoreObject *pool, const ObjectSnap *snap, PoolState *state, const char *name)
{
	const Pool *document = object_snap_document(snap, FALSE);
	if (pool_has_files(document->type)) {
		PoolVolume *volume = look_again(snap, state, name);
		if (volume)
			pool_volume_unref(volume);
		return;
	}
	PoolNeeds needs = pool_needs(core_object_core(pool));
	PoolUse use = pool_snap_use(core_object_core(pool), snap);
	use.needs = &needs;
	pool_refresh(&use, NULL);
}

void core_volume_look(const CoreVolume *volume)
{
	look_at_pool(volume->pool, volume->snap, volume->state, volume->volume->name);
}

/* ---- making one ---- */

typedef struct Making {
	Core *core;
	CoreObject *pool;
	const ObjectSnap *snap;
	PoolState *state;
	const Volume *wanted;
	const CoreVolume *from; /* NULL: empty */
	guint flags;
	const ImageWork *work;
	char *path;
	GBytes *secret;
	ImageSecret secret_bytes;
	PoolVolume *made;
} Making;

static const PoolVolume *known_at(Core *core, const char *path, CoreVolume **hold)
{
	*hold = core_volume_find(core, NULL, VOLUME_BY_PATH, path, NULL);
	return *hold ? (*hold)->volume : NULL;
}

/* What an image names is opened only where it is a volume of ours: else whoever wrote the header could
 * have any file of this host copied. */
static gboolean check_chain(Core *core, const PoolVolume *top, GError **error)
{
	g_autofree char *name = g_strdup(top->backing);
	for (guint depth = 0; name; depth++) {
		g_autoptr(CoreVolume) hold = NULL;
		const PoolVolume *below = known_at(core, name, &hold);
		if (!below)
			return fail(error, LODGE_ERROR_DENIED,
				    "storage volume '%s' is based on %s, which is no volume of an active "
				    "pool, and so is not opened", top->name, name);
		if (depth == CHAIN_MAX)
			return fail(error, LODGE_ERROR_INVALID,
				    "storage volume '%s' is based on a chain that has no end", top->name);
		char *next = g_strdup(below->backing);
		g_free(name);
		name = next;
	}
	return TRUE;
}

static gboolean find_secret(Making *making, GError **error)
{
	const VolumeTarget *target = making->wanted->target;
	const VolumeEncryption *encryption = target ? target->encryption : NULL;
	PoolNeeds needs = pool_needs(making->core);
	if (!encryption)
		return TRUE;
	if (!g_str_equal(encryption->format, "luks"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "encryption format '%s' is not supported: use luks", encryption->format);
	if (!shape_len(encryption->secrets))
		return fail(error, LODGE_ERROR_INVALID,
			    "encryption needs a <secret> with its uuid or usage") ||
		       error_detail(error, LODGE_DETAIL_MISSING, "target/encryption/secret");
	making->secret = needs.secret(needs.owner, encryption->secrets->pdata[0], "volume", error);
	if (!making->secret)
		return FALSE;
	making->secret_bytes.bytes = g_bytes_get_data(making->secret, &making->secret_bytes.length);
	return TRUE;
}

/* virsh leaves the format out where the base is a volume: then it is what that is. */
static gboolean fill_backing(Making *making, ImageCreate *how, GError **error)
{
	const VolumeBacking *backing = making->wanted->backing;
	g_autoptr(CoreVolume) hold = NULL;
	if (!backing || !backing->path || !*backing->path)
		return TRUE;
	const PoolVolume *known = known_at(making->core, backing->path, &hold);
	const char *format = backing->format ? backing->format : known ? known->format : NULL;
	how->backing = backing->path;
	how->backing_format = (ImageFormat)(format ? enum_value(&image_formats, format) : 0);
	if (format && !how->backing_format)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "unknown storage vol backing store type %s",
			    format);
	if (!how->backing_format)
		return fail(error, LODGE_ERROR_INVALID,
			    "backingStore: %s is no volume of a pool, so its format must be said",
			    backing->path);
	return TRUE;
}

static ImagePrealloc preallocation(const Making *making, ImageFormat format)
{
	const Volume *wanted = making->wanted;
	if (format == IMAGE_QCOW2)
		return making->flags & VOLUME_PREALLOC_METADATA ? IMAGE_PREALLOC_METADATA : 0;
	if (format != IMAGE_RAW || making->from || making->secret)
		return 0;
	return !wanted->allocation.set ||
			       wanted->allocation.v >= opt_uint_or(wanted->capacity, 0) ?
		       IMAGE_PREALLOC_FALLOC : 0;
}

static gboolean fill_target(const Making *making, ImageCreate *how, GError **error)
{
	const VolumeTarget *target = making->wanted->target;
	if (!target)
		return TRUE;
	how->cluster_size = opt_uint_or(target->cluster_size, 0);
	how->lazy_refcounts = target->lazy_refcounts;
	how->extended_l2 = target->extended_l2;
	if (!target->compat)
		return TRUE;
	if (!g_str_equal(target->compat, "0.10") && !g_str_equal(target->compat, "1.1"))
		return fail(error, LODGE_ERROR_INVALID, "target/compat '%s' is neither 0.10 nor 1.1",
			    target->compat);
	how->compat = g_str_equal(target->compat, "0.10") ? 2 : 3;
	return TRUE;
}

static gboolean fill_create(Making *making, ImageCreate *how, GError **error)
{
	const char *format = volume_format(making->wanted);
	if (g_str_equal(format, "iso"))
		format = "raw";
	how->path = making->path;
	how->format = (ImageFormat)enum_value(&image_formats, format);
	how->size = opt_uint_or(making->wanted->capacity, 0);
	how->work = making->work;
	/* libvirt flushes raw copies before it answers, and nothing else */
	how->flush = making->from && how->format == IMAGE_RAW ? IMAGE_FLUSH_FIRST : IMAGE_FLUSH_BEHIND;
	if (!how->format)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "volumes of format '%s' cannot be made", format);
	if (making->flags & VOLUME_PREALLOC_METADATA && how->format != IMAGE_QCOW2)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "metadata preallocation is only for volumes of format qcow2, not %s", format);
	if (making->secret && how->format == IMAGE_RAW && enum_value(&image_formats, "luks"))
		how->format = (ImageFormat)enum_value(&image_formats, "luks");
	how->preallocation = preallocation(making, how->format);
	how->secret = making->secret ? &making->secret_bytes : NULL;
	return fill_backing(making, how, error) && fill_target(making, how, error);
}

/* libvirt's: the first bytes of a raw file may be allocated, and the rest not. */
static gboolean allocate_part(const Making *making, ImageFormat format, GError **error)
{
	const Volume *wanted = making->wanted;
	guint64 bytes = opt_uint_or(wanted->allocation, 0);
	if (format != IMAGE_RAW || making->from || !bytes || bytes >= opt_uint_or(wanted->capacity, 0))
		return TRUE;
	autofd int fd = open(making->path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) < 0 && errno != EOPNOTSUPP)) {
		GError *why = NULL;
		fail_errno(&why, errno, "cannot allocate %" G_GUINT64_FORMAT " bytes in file '%s'", bytes,
			   making->path);
		unlink(making->path);
		return fail_full(error, why, making->path);
	}
	return TRUE;
}

static gboolean make_empty(Making *making, GError **error)
{
	ImageCreate how = { 0 };
	const Volume *wanted = making->wanted;
	if (wanted->target && wanted->target->format && g_str_equal(wanted->target->format, "dir"))
		return mkdir(making->path, 0755) == 0 ||
		       fail_errno(error, errno, "cannot create path '%s'", making->path);
	if (!fill_create(making, &how, error))
		return FALSE;
	if (!how.size && !how.backing && how.format == IMAGE_RAW) { /* an empty file, for an upload */
		autofd int fd = open(making->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return fd >= 0 || fail_errno(error, errno, "cannot create file '%s'", making->path);
	}
	if (!image_make(&how, error))
		return FALSE;
	/* A raw volume has the bytes that were asked for, whole sectors or not: an upload fills it. */
	if (how.format == IMAGE_RAW && how.size % 512 && truncate(making->path, (off_t)how.size) < 0)
		return fail_errno(error, errno, "cannot truncate file '%s'", making->path);
	return allocate_part(making, how.format, error);
}

static gboolean make_copy(Making *making, GError **error)
{
	const PoolVolume *from = making->from->volume;
	ImageCopy how = { .from = from->path };
	how.reflink = making->flags & VOLUME_REFLINK ? IMAGE_REFLINK_ALWAYS : IMAGE_REFLINK_AUTO;
	if (!check_chain(making->core, from, error) || !fill_create(making, &how.to, error))
		return FALSE;
	how.from_format = (ImageFormat)(from->format ? enum_value(&image_formats, from->format) : 0);
	if (!how.from_format)
		how.from_format = IMAGE_RAW;
	if (how.to.size < from->capacity)
		how.to.size = from->capacity;
	return image_copy(&how, error);
}

static gboolean give_permissions(const Making *making, GError **error)
{
	const VolumeTarget *target = making->wanted->target;
	if (!target || !target->permissions)
		return TRUE;
	autofd int fd = open(making->path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pool_apply_permissions(fd, making->path, target->permissions, error))
		return TRUE;
	unlink(making->path);
	return fd >= 0 ? FALSE : fail_errno(error, errno, "cannot open file '%s'", making->path);
}

static gboolean make_file(Making *making, GError **error)
{
	const Pool *pool = object_snap_document(making->snap, FALSE);
	making->path = g_build_filename(pool_path(pool), making->wanted->name, NULL);
	if (!find_secret(making, error))
		return FALSE;
	host_be_owner(pool_path(pool));
	gboolean ok = (making->from ? make_copy(making, error) : make_empty(making, error)) &&
		      give_permissions(making, error);
	host_be_self();
	if (!ok)
		return FALSE;
	making->made = look_again(making->snap, making->state, making->wanted->name);
	return making->made || fail(error, LODGE_ERROR_SYSTEM, "%s vanished while it was made", making->path);
}

/* Into a device that the kind has made. */
static gboolean fill_device(const Making *making, GError **error)
{
	const PoolVolume *from = making->from->volume;
	autofd int in = open(from->path, O_RDONLY | O_CLOEXEC);
	autofd int out = open(making->made->path, O_WRONLY | O_CLOEXEC);
	if (in < 0 || out < 0)
		return fail_errno(error, errno, "cannot open %s", in < 0 ? from->path : making->made->path);
	if (from->capacity > making->made->capacity)
		return fail(error, LODGE_ERROR_INVALID, "volume '%s' is larger than the new one",
			    from->name);
	if (from->format && !g_str_equal(from->format, "raw") && from->type == VOLUME_FILE) {
		ImageCopy how = { .from = from->path, .replace = TRUE,
				  .from_format = (ImageFormat)enum_value(&image_formats, from->format),
				  .to = { .path = making->made->path, .format = IMAGE_RAW,
					  .work = making->work } };
		return check_chain(making->core, from, error) && image_copy(&how, error);
	}
	return image_copy_range(in, 0, out, 0, from->capacity, IMAGE_FLUSH_FIRST, making->work, error) &&
	       (fsync(out) == 0 || fail_errno(error, errno, "cannot flush %s", making->made->path));
}

static gboolean make_by_kind(Making *making, GError **error)
{
	const Pool *pool = object_snap_document(making->snap, FALSE);
	const PoolKind *kind = pool_kind(pool->type, error);
	PoolNeeds needs = pool_needs(making->core);
	PoolUse use = pool_snap_use(making->core, making->snap);
	use.needs = &needs;
	if (!kind || !kind->create)
		return kind && fail(error, LODGE_ERROR_UNSUPPORTED,
				    "storage pool '%s' does not support volume creation", pool->name);
	g_mutex_lock(pool_state_change(making->state));
	making->made = kind->create(&use, making->wanted, error);
	if (making->made)
		pool_state_put(making->state, pool_volume_ref(making->made));
	g_mutex_unlock(pool_state_change(making->state));
	if (!making->made || !making->from || fill_device(making, error))
		return making->made != NULL;
	if (kind->remove && kind->remove(&use, making->made, NULL))
		pool_state_drop(making->state, making->made->name);
	return FALSE;
}

static CoreVolume *made_volume(const Making *making)
{
	CoreVolume *volume = g_new0(CoreVolume, 1);
	volume->core = making->core;
	volume->pool = core_object_ref(making->pool);
	volume->snap = object_snap_ref((ObjectSnap *)making->snap);
	volume->state = pool_state_ref(making->state);
	volume->volume = pool_volume_ref(making->made);
	return volume;
}

static CoreVolume *make(Making *making, GError **error)
{
	const Pool *pool = object_snap_document(making->snap, FALSE);
	const char *name = making->wanted->name;
	CoreVolume *volume = NULL;
	if (!pool_state_reserve(making->state, name, error))
		return NULL;
	if (making->from && !core_volume_begin(making->from, FALSE, error)) {
		pool_state_release(making->state, name);
		return NULL;
	}
	if (pool_has_files(pool->type) ? make_file(making, error) : make_by_kind(making, error))
		volume = made_volume(making);
	if (making->from)
		core_volume_end(making->from, FALSE);
	pool_state_release(making->state, name);
	g_clear_pointer(&making->made, pool_volume_unref);
	g_clear_pointer(&making->secret, g_bytes_unref);
	g_free(making->path);
	return volume;
}

/* A file of such a name would never be listed, or be cleared away. */
static gboolean check_name(const char *name, GError **error)
{
	return volume_check_name(name, error) &&
	       (pool_file_name_counts(name) ||
		fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_CHARACTER,
			  "volume name \"%s\" is one of those that files in the making have", name));
}

CoreVolume *core_volume_create(CoreObject *pool, const Volume *wanted, const CoreVolume *from, guint flags,
			       const ImageWork *work, G_GNUC_UNUSED Notes *notes, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(pool);
	PoolState *state = pool_snap_state(snap);
	if (!state) {
		fail(error, LODGE_ERROR_STATE, "storage pool '%s' is not active", snap->name);
		return NULL;
	}
	if (!wanted->name) {
		fail(error, LODGE_ERROR_INVALID, "volume: <name> is missing");
		return NULL;
	}
	if (!check_name(wanted->name, error))
		return NULL;
	if (!wanted->capacity.set && !wanted->backing && !from) {
		fail(error, LODGE_ERROR_INVALID, "volume \"%s\": <capacity> is missing", wanted->name);
		return NULL;
	}
	if (from && !is_file(from->volume)) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "storage volume '%s' is not copied: it is no file or device", from->volume->name);
		return NULL;
	}
	Making making = { .core = core_object_core(pool), .pool = pool, .snap = snap, .state = state,
			  .wanted = wanted, .from = from, .flags = flags, .work = work };
	return make(&making, error);
}

/* ---- working on one ---- */

gboolean core_volume_begin(const CoreVolume *volume, gboolean write, GError **error)
{
	if ((write && !is_free_of_guests(volume, "written", error)) ||
	    !pool_state_use(volume->state, volume->volume->name, write, error))
		return FALSE;
	if (volume_lease_begin(volume->volume, write, error))
		return TRUE;
	pool_state_release_use(volume->state, volume->volume->name, write);
	return FALSE;
}

void core_volume_end(const CoreVolume *volume, gboolean write)
{
	if (write)
		volume_lease_end(volume->volume);
	pool_state_release_use(volume->state, volume->volume->name, write);
	if (write)
		look_at_pool(volume->pool, volume->snap, volume->state, volume->volume->name);
}

static gboolean remove_file(const PoolVolume *volume, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(volume->path);
	host_be_owner(folder);
	int result = volume->type == VOLUME_DIR ? rmdir(volume->path) : unlink(volume->path), errnum = errno;
	host_be_self();
	return result == 0 || errnum == ENOENT ||
	       fail_errno(error, errnum, "cannot unlink file '%s'", volume->path);
}

static gboolean remove_one(const CoreVolume *volume, GError **error)
{
	const Pool *pool = object_snap_document(volume->snap, FALSE);
	const PoolKind *kind = pool_kind(pool->type, error);
	PoolNeeds needs = pool_needs(volume->core);
	PoolUse use = pool_snap_use(volume->core, volume->snap);
	use.needs = &needs;
	if (pool_has_files(pool->type))
		return remove_file(volume->volume, error);
	if (!kind || !kind->remove)
		return kind && fail(error, LODGE_ERROR_UNSUPPORTED,
				    "storage pool '%s' does not support vol deletion", pool->name);
	g_mutex_lock(pool_state_change(volume->state));
	gboolean ok = kind->remove(&use, volume->volume, error);
	g_mutex_unlock(pool_state_change(volume->state));
	return ok;
}

gboolean core_volume_delete(const CoreVolume *volume, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const PoolVolume *known = volume->volume;
	if (!is_free_of_guests(volume, "deleted", error) || !is_no_base(volume, "deleted", error) ||
	    (is_file(known) && !image_lock_check_path(known->path, IMAGE_USE_WRITE, error)) ||
	    !core_volume_begin(volume, TRUE, error))
		return FALSE;
	gboolean ok = remove_one(volume, error);
	if (ok)
		pool_state_drop(volume->state, known->name);
	core_volume_end(volume, TRUE);
	return ok;
}

/* ---- content ---- */

gboolean core_volume_wipe(const CoreVolume *volume, ImageWipe algorithm, const ImageWork *work,
			  GError **error)
{
	if (!is_file(volume->volume))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "storage volume '%s' is no file or device to wipe", volume->volume->name);
	if (!is_no_base(volume, "wiped", error) || !core_volume_begin(volume, TRUE, error))
		return FALSE;
	gboolean ok = image_wipe(volume->volume->path, algorithm, work, error);
	core_volume_end(volume, TRUE);
	return ok;
}

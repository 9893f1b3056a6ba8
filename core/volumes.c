/* Finding volumes and saying what they are. See volumes.h; volume_work.c changes them. */
#include "core/volumes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/internal.h"
#include "image/header.h"
#include "pool/files.h"

/* ---- finding ---- */

void core_volume_free(CoreVolume *volume)
{
	if (!volume)
		return;
	g_clear_pointer(&volume->volume, pool_volume_unref);
	g_clear_pointer(&volume->state, pool_state_unref);
	g_clear_pointer(&volume->snap, object_snap_unref);
	g_clear_pointer(&volume->pool, core_object_unref);
	g_free(volume);
}

static PoolVolume *find_in(PoolState *state, guint by, const char *text)
{
	PoolVolume *found = by & VOLUME_BY_NAME ? pool_state_find(state, text) : NULL;
	if (!found && by & VOLUME_BY_KEY)
		found = pool_state_find_key(state, text);
	if (!found && by & VOLUME_BY_PATH)
		found = pool_state_find_path(state, text);
	return found;
}

/* NULL without an error where it is not there. */
static CoreVolume *look_into(Core *core, CoreObject *pool, guint by, const char *text)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(pool);
	PoolState *state = pool_snap_state(snap);
	PoolVolume *found = state ? find_in(state, by, text) : NULL;
	if (!found)
		return NULL;
	CoreVolume *volume = g_new0(CoreVolume, 1);
	volume->core = core;
	volume->pool = core_object_ref(pool);
	volume->state = pool_state_ref(state);
	volume->volume = found;
	volume->snap = g_steal_pointer(&snap);
	return volume;
}

static CoreVolume *find_in_pool(Core *core, const char *name, guint by, const char *text, GError **error)
{
	g_autoptr(CoreObject) pool = core_object_find(core, CORE_POOL, name, error);
	if (!pool)
		return NULL;
	g_autoptr(ObjectSnap) snap = core_object_snap(pool);
	if (!snap->active) {
		fail(error, LODGE_ERROR_STATE, "storage pool '%s' is not active", snap->name);
		return NULL;
	}
	CoreVolume *volume = look_into(core, pool, by, text);
	if (!volume)
		fail(error, LODGE_ERROR_NOT_FOUND, "no storage vol with matching %s '%s' in pool '%s'",
		     by & VOLUME_BY_NAME ? "name" : "path", text, snap->name);
	return volume;
}

CoreVolume *core_volume_find(Core *core, const char *pool, guint by, const char *text, GError **error)
{
	if (pool)
		return find_in_pool(core, pool, by, text, error);
	g_autoptr(GPtrArray) pools = core_object_all(core, CORE_POOL);
	by &= VOLUME_BY_KEY | VOLUME_BY_PATH;
	for (guint i = 0; i < pools->len; i++) {
		CoreVolume *found = look_into(core, pools->pdata[i], by, text);
		if (found)
			return found;
	}
	fail(error, LODGE_ERROR_NOT_FOUND, "no storage vol with matching %s '%s'%s",
	     by & VOLUME_BY_KEY ? "key" : "path", text,
	     strchr(text, '/') ? "" : "; a name needs a pool (--pool)");
	return NULL;
}

/* ---- what it is now ---- */

static gboolean is_local(const ObjectSnap *snap, const PoolVolume *volume)
{
	const Pool *pool = object_snap_document(snap, FALSE);
	return pool && (volume->type == VOLUME_FILE || volume->type == VOLUME_DIR) &&
	       (pool->type == POOL_DIR || pool->type == POOL_FS);
}

gboolean core_volume_vanished(const CoreVolume *volume)
{
	struct stat st;
	return is_local(volume->snap, volume->volume) && stat(volume->volume->path, &st) < 0 &&
	       errno == ENOENT;
}

PoolVolume *core_volume_now(G_GNUC_UNUSED Core *core, const ObjectSnap *pool, PoolVolume *known)
{
	struct stat st;
	if (!is_local(pool, known) || stat(known->path, &st) < 0 ||
	    ((guint64)st.st_blocks * 512 == known->allocation && (guint64)st.st_size == known->physical))
		return pool_volume_ref(known);
	PoolVolume *now = pool_volume_new(known->type, known->name, known->path);
	now->format = known->format;
	now->allocation = (guint64)st.st_blocks * 512;
	now->physical = (guint64)st.st_size;
	now->capacity = known->capacity == known->physical ? now->physical : known->capacity;
	now->backing = g_strdup(known->backing);
	now->backing_format = g_strdup(known->backing_format);
	now->encrypted = known->encrypted;
	return now;
}

static char *seconds(struct statx_timestamp t)
{
	return t.tv_nsec ? g_strdup_printf("%" G_GINT64_FORMAT ".%09u", (gint64)t.tv_sec, t.tv_nsec) :
			   g_strdup_printf("%" G_GINT64_FORMAT, (gint64)t.tv_sec);
}

/* What the file system says of @path; nothing where it is on no file system of this host, or not there. */
static void put_stat(const char *path, StoragePermissions **permissions, VolumeTimes **times)
{
	struct statx st;
	char label[POOL_LABEL_MAX];
	if (*path != '/' ||
	    statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return;
	pool_label_of(path, label);
	*permissions = pool_permissions(st.stx_mode, st.stx_uid, st.stx_gid, label);
	*times = shape_new(&volume_times_shape);
	(*times)->atime = seconds(st.stx_atime);
	(*times)->mtime = seconds(st.stx_mtime);
	(*times)->ctime = seconds(st.stx_ctime);
	if (st.stx_mask & STATX_BTIME) /* libvirt writes 0 */
		(*times)->btime = seconds(st.stx_btime);
}

/* What only the header says. */
static void put_header(VolumeTarget *target, const char *path, ImageFormat format)
{
	g_auto(ImageHeader) header = { 0 };
	if (format != IMAGE_QCOW2 || !image_header_of(path, format, &header, NULL))
		return;
	target->compat = g_strdup(header.compat == 2 ? "0.10" : "1.1");
	if (header.cluster_size)
		target->cluster_size = OPT_UINT(header.cluster_size);
	target->lazy_refcounts = header.lazy_refcounts;
	target->extended_l2 = header.extended_l2;
	target->features = header.compat == 3;
}

static void put_encryption(VolumeTarget *target)
{
	target->encryption = shape_new(&volume_encryption_shape);
	target->encryption->format = g_strdup("luks");
}

static Volume *document_of(const PoolVolume *known)
{
	Volume *volume = known->more ? volume_copy(known->more) : shape_new(&volume_shape);
	if (!volume->target)
		volume->target = shape_new(&volume_target_shape);
	volume->type = known->type;
	g_free(volume->name);
	volume->name = g_strdup(known->name);
	g_free(volume->key);
	volume->key = g_strdup(pool_volume_key(known));
	volume->capacity = OPT_UINT(known->capacity);
	volume->allocation = OPT_UINT(known->allocation);
	if (known->physical)
		volume->physical = OPT_UINT(known->physical);
	g_free(volume->target->path);
	volume->target->path = g_strdup(known->path);
	if (known->format && !volume->target->format)
		volume->target->format = g_strdup(known->format);
	if (known->encrypted)
		put_encryption(volume->target);
	if (known->backing) {
		volume->backing = shape_new(&volume_backing_shape);
		volume->backing->path = g_strdup(known->backing);
		volume->backing->format = g_strdup(known->backing_format);
	}
	return volume;
}

Volume *core_volume_document(const CoreVolume *volume, GError **error)
{
	const Pool *pool = object_snap_document(volume->snap, FALSE);
	g_autoptr(PoolVolume) known = pool_volume_ref(volume->volume);
	if (pool_has_files(pool->type)) {
		const char *folder = pool_path(pool);
		autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		PoolVolume *now = fd < 0 ? NULL : pool_file_read(fd, folder, known->name, NULL);
		if (!now) {
			fail_errno(error, fd < 0 ? errno : ENOENT, "cannot stat file '%s'", known->path);
			return NULL;
		}
		pool_volume_unref(known);
		known = now;
	}
	Volume *document = document_of(known);
	VolumeTarget *target = document->target;
	VolumeBacking *backing = document->backing;
	put_stat(known->path, &target->permissions, &target->times);
	if (backing)
		put_stat(backing->path, &backing->permissions, &backing->times);
	if (known->type == VOLUME_FILE && known->format)
		put_header(document->target, known->path,
			   (ImageFormat)enum_value(&image_formats, known->format));
	return document;
}

/* ---- disks of guests ---- */

static gboolean take_path(Disk *disk, const PoolVolume *volume)
{
	DiskSource *source = disk->source;
	gboolean block = volume->type == VOLUME_BLOCK;
	disk->type = block ? DISK_BLOCK : volume->type == VOLUME_DIR ? DISK_DIR : DISK_FILE;
	g_free(block ? source->dev : source->file);
	*(block ? &source->dev : &source->file) = g_strdup(volume->path);
	return TRUE;
}

gboolean core_volume_place(Core *core, const CoreVolume *volume, DiskSource *source, GError **error)
{
	const Pool *pool = object_snap_document(volume->snap, FALSE);
	PoolNeeds needs = pool_needs(core);
	PoolUse use = pool_snap_use(core, volume->snap);
	const PoolKind *kind = pool_kind(pool->type, error);
	use.needs = &needs;
	return kind && (kind->source ? kind->source(&use, volume->volume, source, error) :
				       fail(error, LODGE_ERROR_UNSUPPORTED,
					    "volumes of pool '%s' cannot be disks", volume->snap->name));
}

static void take_format(Disk *disk, const PoolVolume *volume)
{
	const char *format = volume->format;
	if (disk->driver_type || !format)
		return;
	if (g_str_equal(format, "iso"))
		format = "raw";
	disk->driver_type = (DiskFormat)enum_value(&disk_formats, format);
}

gboolean core_volume_resolve(Core *core, Disk *disk, G_GNUC_UNUSED Notes *notes, GError **error)
{
	DiskSource *source = disk->source;
	g_autoptr(CoreVolume) volume =
		core_volume_find(core, source->pool, VOLUME_BY_NAME, source->volume, error);
	if (!volume) {
		g_prefix_error(error, "disk %s: ", disk->target);
		return FALSE;
	}
	take_format(disk, volume->volume);
	gboolean network = volume->volume->type == VOLUME_NETWORK;
	if (network)
		disk->type = DISK_NETWORK;
	gboolean ok = network ? core_volume_place(core, volume, source, error) :
				take_path(disk, volume->volume);
	if (ok) { /* what runs says where its data is */
		g_clear_pointer(&source->pool, g_free);
		g_clear_pointer(&source->volume, g_free);
		g_clear_pointer(&source->mode, g_free);
	}
	return ok;
}

/* Block nodes: what a disk's data is made of. Each image is two nodes, "libvirt-N-storage" (where the
 * bytes are) and "libvirt-N-format" (what they mean), the names that other tools know.
 *
 * Files come by fdset: the top of a writable disk is open for writing, what lies below for reading
 * only. QEMU 7.2 never gives up the image locks of an fd that is still in its set, so that a node must
 * not change from reading to writing: who commits into a base image adds a second storage node on a
 * writable fd, lets blockdev-reopen put it under the format node, and deletes the first.
 *
 * Neighbours: disk.c has the guest's side; network.c the protocols. */
#include "engine/qemu/block.h"

#include <string.h>

/* One image of a disk's chain. */
typedef struct Image {
	const Disk *disk;
	DiskType type;
	DiskFormat format;
	const DiskSource *source;
	guint64 index, below; /* numbers of its node and of the one under it; below 0: none */
	gboolean top, readonly;
	OptUint metadata_cache_size; /* of a base image */
} Image;

/* Names of the formats as QEMU's drivers; NULL: QEMU has none. */
static const char *const drivers[] = {
	[0] = "raw",
	[DISK_FORMAT_RAW] = "raw",
	[DISK_FORMAT_BOCHS] = "bochs",
	[DISK_FORMAT_CLOOP] = "cloop",
	[DISK_FORMAT_DMG] = "dmg",
	[DISK_FORMAT_ISO] = "raw",
	[DISK_FORMAT_VPC] = "vpc",
	[DISK_FORMAT_VDI] = "vdi",
	[DISK_FORMAT_FAT] = "raw",
	[DISK_FORMAT_VHD] = "vpc",
	[DISK_FORMAT_PLOOP] = "parallels",
	[DISK_FORMAT_QCOW] = "qcow",
	[DISK_FORMAT_QCOW2] = "qcow2",
	[DISK_FORMAT_QED] = "qed",
	[DISK_FORMAT_VMDK] = "vmdk",
	[DISK_FORMAT_VHDX] = "vhdx",
	[DISK_FORMAT_AIO] = NULL,
};

static gboolean format_has_backing(DiskFormat format)
{
	return format == DISK_FORMAT_QCOW2 || format == DISK_FORMAT_QCOW ||
	       format == DISK_FORMAT_QED || format == DISK_FORMAT_VMDK;
}

/* ---- cache ---- */

typedef struct CacheRow {
	gboolean direct, no_flush, write_cache;
} CacheRow;

static const CacheRow caches[] = {
	[DISK_CACHE_NONE] = { TRUE, FALSE, TRUE },
	[DISK_CACHE_WRITETHROUGH] = { FALSE, FALSE, FALSE },
	[DISK_CACHE_WRITEBACK] = { FALSE, FALSE, TRUE },
	[DISK_CACHE_DIRECTSYNC] = { TRUE, FALSE, FALSE },
	[DISK_CACHE_UNSAFE] = { FALSE, TRUE, TRUE },
};

/* Who shares what he writes must not have his own copy of it. */
static const CacheRow *cache_of(const Disk *disk)
{
	if (disk->cache <= DISK_CACHE_DEFAULT && disk->shareable && !disk->readonly)
		return &caches[DISK_CACHE_NONE];
	return disk->cache > DISK_CACHE_DEFAULT ? &caches[disk->cache] : NULL;
}

Tri disk_write_cache(const Disk *disk)
{
	const CacheRow *cache = cache_of(disk);
	return !cache ? TRI_ABSENT : cache->write_cache ? TRI_YES : TRI_NO;
}

static void put_cache(json_t *node, const Disk *disk)
{
	const CacheRow *cache = cache_of(disk);
	if (!cache)
		return;
	json_t *member = json_object();
	put_bool(member, "direct", cache->direct);
	put_bool(member, "no-flush", cache->no_flush);
	json_object_set_new(node, "cache", member);
}

/* ---- storage ---- */

static char *image_what(const Image *image)
{
	return g_strdup_printf("%s %s%s", image->disk->device == DISK_DEVICE_CDROM ? "cdrom" : "disk",
			       image->disk->target, image->top ? "" : " (base image)");
}

/* Reservations of SCSI are made by a program with the rights for it. */
static gboolean put_reservations(Build *build, const Image *image, json_t *node, GError **error)
{
	const DiskSource *source = image->source;
	gboolean managed = source->reservations == TRI_YES;
	if (source->reservations == TRI_ABSENT)
		return TRUE;
	if (!managed && !source->reservations_path)
		return invalid(build, error, "disk %s: <reservations> names no helper's socket",
			       image->disk->target);
	g_autofree char *own = qemu_reservations_path(build->setup->run_dir);
	g_autofree char *id = managed ? g_strdup("pr-helper0") :
		g_strdup_printf("pr-helper-libvirt-%" G_GUINT64_FORMAT "-storage", image->index);
	put(node, "pr-manager", id);
	if (managed && build->reservations++)
		return TRUE;
	json_t *helper = json_object();
	put(helper, "qom-type", "pr-manager-helper");
	put(helper, "id", id);
	put(helper, "path", managed ? own : source->reservations_path);
	add_json(build, "-object", helper);
	return TRUE;
}

/* The fdset with the image, by its file or by what a client has given; the caller frees. */
static char *image_set(Build *build, const Image *image, const char *path, GError **error)
{
	const char *group = image->source->fdgroup;
	GHashTable *groups = build->setup->fd_groups;
	const EngineFdGroup *given = group && groups ? g_hash_table_lookup(groups, group) : NULL;
	g_autofree char *what = image_what(image);
	if (given)
		return add_given(build, group, given, what);
	if (!group)
		return add_fdset(build, path, image->readonly ? O_RDONLY : O_RDWR, what);
	invalid(build, error, "%s: file descriptor group '%s' was not associated with the domain", what,
		group);
	return NULL;
}

/* QEMU takes a descriptor of a set only where it was opened just so. */
static gboolean given_for_writing(const Build *build, const Image *image)
{
	const char *group = image->source->fdgroup;
	GHashTable *groups = build->setup->fd_groups;
	const EngineFdGroup *given = group && groups ? g_hash_table_lookup(groups, group) : NULL;
	return given && given->n == 1 && given->writable;
}

static const char *disk_aio(const Disk *disk)
{
	static const char *const ios[] = { NULL, "native", "threads", "io_uring" };
	return ios[disk->io];
}

static gboolean storage_file(Build *build, const Image *image, json_t *node, const char *path,
			     GError **error)
{
	g_autofree char *file = image_set(build, image, path, error);
	if (!file)
		return FALSE;
	gboolean block = image->type == DISK_BLOCK;
	gboolean drive = block && image->disk->device == DISK_DEVICE_CDROM &&
			 (g_str_has_prefix(path, "/dev/sr") || g_str_equal(path, "/dev/cdrom"));
	put(node, "driver", drive ? "host_cdrom" : block ? "host_device" : "file");
	put(node, "filename", file);
	put(node, "aio", disk_aio(image->disk));
	return put_reservations(build, image, node, error);
}

static gboolean storage_dir(const Image *image, json_t *node)
{
	put(node, "driver", "vvfat");
	put(node, "dir", image->source->dir);
	put(node, "label", "QEMU VVFAT");
	put_bool(node, "floppy", image->disk->device == DISK_DEVICE_FLOPPY);
	put_bool(node, "rw", !image->readonly);
	return TRUE;
}

static gboolean storage_nvme(Build *build, const Image *image, json_t *node, GError **error)
{
	const HostPci *at = image->source->address;
	if (!at)
		return invalid(build, error, "disk %s: <source> of an NVMe disk has no address",
			       image->disk->target);
	g_autofree char *device = g_strdup_printf("%04x:%02x:%02x.%x",
						  (guint)opt_uint_or(at->domain, 0),
						  (guint)opt_uint_or(at->bus, 0),
						  (guint)opt_uint_or(at->slot, 0),
						  (guint)opt_uint_or(at->function, 0));
	const char *name = image->source->namespace_id;
	put(node, "driver", "nvme");
	put(node, "device", device);
	put_int(node, "namespace", name ? g_ascii_strtoll(name, NULL, 10) : 1);
	return TRUE;
}

static gboolean put_storage(Build *build, const Image *image, json_t *node, GError **error)
{
	const DiskSource *source = image->source;
	switch (image->type) {
	case DISK_FILE:
		return source->file && storage_file(build, image, node, source->file, error);
	case DISK_BLOCK:
		return source->dev && storage_file(build, image, node, source->dev, error);
	case DISK_DIR:
		return source->dir && storage_dir(image, node);
	case DISK_NETWORK:
		return put_network(build, image->disk, source, image->index, node, error);
	case DISK_NVME:
		return storage_nvme(build, image, node, error);
	default:
		return unsupported(build, error,
				   "disk %s: a source of type \"%s\" cannot be opened; name the file or "
				   "device itself", image->disk->target,
				   enum_name(&disk_types, image->type));
	}
}

static gboolean add_storage(Build *build, const Image *image, GError **error)
{
	g_autofree char *name = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-storage",
						image->index);
	json_t *node = json_object();
	GError *why = NULL;
	if (!put_storage(build, image, node, &why)) {
		json_decref(node);
		if (!why)
			return invalid(build, error, "disk %s: <source> does not say where the data is",
				       image->disk->target);
		g_propagate_error(error, why);
		return FALSE;
	}
	put(node, "node-name", name);
	put_bool(node, "read-only", image->readonly && !given_for_writing(build, image));
	put(node, "discard", "unmap"); /* the node above says what comes down here */
	put_cache(node, image->disk);
	add_json(build, "-blockdev", node);
	return TRUE;
}

/* ---- a part of it ---- */

static const char *image_driver(const Image *image)
{
	return (guint)image->format < G_N_ELEMENTS(drivers) && image->format != DISK_FORMAT_DIR ?
		       drivers[image->format] : "raw";
}

static const DiskEncryption *encryption_of(const Image *image)
{
	const DiskEncryption *how = image->source->encryption;
	return how || !image->top ? how : image->disk->encryption;
}

/* The driver "raw" has the part itself; any other gets one below it. */
static gboolean slice_has_node(const Image *image)
{
	gboolean raw = g_str_equal(image_driver(image), "raw") && !encryption_of(image);
	return image->source->slice_size.set && !raw;
}

static void put_slice(const Image *image, json_t *node)
{
	put_uint(node, "offset", image->source->slice_offset);
	put_uint(node, "size", image->source->slice_size);
}

/* The node that the format reads; the caller frees its name. */
static char *lower_node(const Image *image)
{
	return g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-%s", image->index,
			       slice_has_node(image) ? "slice-sto" : "storage");
}

static void add_slice(Build *build, const Image *image)
{
	g_autofree char *name = lower_node(image);
	g_autofree char *file = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-storage", image->index);
	json_t *node = json_object();
	put(node, "driver", "raw");
	put(node, "node-name", name);
	put_bool(node, "read-only", image->readonly);
	put_slice(image, node);
	put(node, "discard", "unmap");
	put_cache(node, image->disk);
	put(node, "file", file);
	add_json(build, "-blockdev", node);
}

/* ---- format ---- */

static gboolean put_encryption(Build *build, const Image *image, json_t *node, GError **error)
{
	const DiskEncryption *how = encryption_of(image);
	if (!how || disk_encrypted_by_ceph(image->disk, image->source))
		return TRUE;
	g_autofree char *id = g_strdup_printf(
		"libvirt-%" G_GUINT64_FORMAT "-format-encryption-secret0", image->index);
	g_autofree char *what = image_what(image);
	const SecretRef *secret = shape_len(how->secrets) ? how->secrets->pdata[0] : NULL;
	if (g_strcmp0(how->format, "luks"))
		return unsupported(build, error, "disk %s: encryption/@format \"%s\": use luks",
				   image->disk->target, how->format);
	if (!add_secret(build, id, secret, what, error))
		return FALSE;
	if (image->format == DISK_FORMAT_QCOW2) {
		json_t *encrypt = json_object();
		put(encrypt, "format", "luks");
		put(encrypt, "key-secret", id);
		json_object_set_new(node, "encrypt", encrypt);
	} else {
		put(node, "driver", "luks");
		put(node, "key-secret", id);
	}
	return TRUE;
}

static void put_below(const Image *image, json_t *node)
{
	if (image->below) {
		g_autofree char *name = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-format",
							image->below);
		put(node, "backing", name);
	} else if (format_has_backing(image->format)) {
		json_object_set_new(node, "backing", json_null()); /* never a file of the guest's choice */
	}
}

/* QEMU gives nothing back where discards are ignored, and refuses to try. */
static const char *detect_zeroes(const Disk *disk)
{
	if (!g_strcmp0(disk->detect_zeroes, "unmap") && g_strcmp0(disk->discard, "unmap"))
		return "on";
	return disk->detect_zeroes;
}

static gboolean add_format(Build *build, const Image *image, GError **error)
{
	const Disk *disk = image->disk;
	g_autofree char *name = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-format", image->index);
	g_autofree char *file = lower_node(image);
	const char *driver = image_driver(image);
	if (!driver || image->format == DISK_FORMAT_COW)
		return unsupported(build, error, "disk %s: QEMU has no image format \"%s\"; convert it "
				   "to qcow2", disk->target, enum_name(&disk_formats, image->format));
	json_t *node = json_object();
	put(node, "node-name", name);
	put_bool(node, "read-only", image->readonly);
	if (image->top) {
		put(node, "discard", disk->discard);
		put(node, "detect-zeroes", detect_zeroes(disk));
	}
	put_cache(node, disk);
	put(node, "driver", driver);
	if (!slice_has_node(image))
		put_slice(image, node);
	if (image->format == DISK_FORMAT_QCOW2)
		put_uint(node, "cache-size",
			 image->top ? disk->metadata_cache_size : image->metadata_cache_size);
	if (!put_encryption(build, image, node, error)) {
		json_decref(node);
		return FALSE;
	}
	put(node, "file", file);
	put_below(image, node);
	add_json(build, "-blockdev", node);
	return TRUE;
}

static gboolean add_image(Build *build, const Image *image, GError **error)
{
	if (!add_storage(build, image, error))
		return FALSE;
	if (slice_has_node(image))
		add_slice(build, image);
	return add_format(build, image, error);
}

/* ---- images below ---- */

static guint64 take_number(Build *build, OptUint *index)
{
	if (!index->set)
		*index = OPT_UINT(build->next_node++);
	return index->v;
}

/* Numbers from the top down, as people count; nodes from the bottom up, as QEMU needs them. */
static gboolean add_backing(Build *build, const Disk *disk, DiskBacking *backing, guint64 *index,
			    GError **error)
{
	*index = 0;
	if (!backing || !backing->source)
		return TRUE;
	Image image = { .disk = disk, .type = backing->type, .format = backing->format,
			.source = backing->source, .readonly = TRUE,
			.metadata_cache_size = backing->metadata_cache_size };
	*index = image.index = take_number(build, &backing->index);
	return add_backing(build, disk, backing->backing, &image.below, error) &&
	       add_image(build, &image, error);
}

gboolean qemu_disk_is_transient(const Disk *disk)
{
	return disk->transient && !disk->readonly;
}

/* What the device has, but for copy on read. */
static char *top_node(const Disk *disk)
{
	return g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-%s",
			       disk->source ? opt_uint_or(disk->source->index, 0) : 0,
			       qemu_disk_is_transient(disk) ? "scratch" : "format");
}

static gboolean add_copy_on_read(Build *build, const Disk *disk, GError **error)
{
	if (disk->copy_on_read != TRI_YES)
		return TRUE;
	if (disk->readonly)
		return invalid(build, error, "disk %s: copy_on_read needs a disk that may be written",
			       disk->target);
	g_autofree char *node = qemu_disk_node(disk);
	g_autofree char *file = top_node(disk);
	json_t *json = json_object();
	put(json, "driver", "copy-on-read");
	put(json, "node-name", node);
	put(json, "file", file);
	put(json, "discard", disk->discard ? disk->discard : "unmap");
	add_json(build, "-blockdev", json);
	return TRUE;
}

/* ---- transient disks ---- */

static gboolean check_transient(Build *build, const Disk *disk, GError **error)
{
	const DiskSource *source = disk->source;
	if (disk->device != DISK_DEVICE_DISK)
		return invalid(build, error, "disk %s: <transient/> is for devices of type disk",
			       disk->target);
	if (disk->type != DISK_FILE && disk->type != DISK_BLOCK)
		return unsupported(build, error, "disk %s: <transient/> needs a source of type file or block",
				   disk->target);
	if (disk->encryption || source->encryption)
		return unsupported(build, error, "disk %s: <transient/> would keep in plain what is "
				   "encrypted in the image", disk->target);
	if (source->slice_size.set && disk->driver_type > DISK_FORMAT_RAW)
		return unsupported(build, error, "disk %s: <transient/> on a slice needs format raw",
				   disk->target);
	return TRUE;
}

/* What the guest writes: nothing of it needs to reach a disk, for with QEMU it is gone. */
static json_t *scratch_node(const Disk *disk, const char *name, const char *driver)
{
	const CacheRow *cache = cache_of(disk);
	json_t *node = json_object(), *member = json_object();
	put(node, "driver", driver);
	put(node, "node-name", name);
	put(node, "discard", "unmap");
	put_bool(member, "direct", cache && cache->direct);
	put_bool(member, "no-flush", TRUE);
	json_object_set_new(node, "cache", member);
	return node;
}

/* The image itself is only read, and so may be below the disks of several guests. */
static void add_scratch_nodes(Build *build, const Disk *disk, guint64 index)
{
	g_autofree char *name = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-scratch", index);
	g_autofree char *low = g_strconcat(name, "-sto", NULL);
	g_autofree char *below = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-format", index);
	g_autofree char *what = g_strdup_printf("disk %s", disk->target);
	const DiskSource *source = disk->source;
	const char *path = source->fdgroup ? source->fdgroup : source->file ? source->file : source->dev;
	g_autofree char *file = add_scratch(build, path, what);
	json_t *storage = scratch_node(disk, low, "file"), *format = scratch_node(disk, name, "qcow2");
	put(storage, "filename", file);
	put(storage, "aio", disk_aio(disk));
	put(format, "detect-zeroes", detect_zeroes(disk));
	put(format, "file", low);
	put(format, "backing", below);
	add_json(build, "-blockdev", storage);
	add_json(build, "-blockdev", format);
}

/* ---- the chain ---- */

static gboolean check_disk(Build *build, const Disk *disk, GError **error)
{
	const CacheRow *cache = cache_of(disk);
	if (disk->io == DISK_IO_NATIVE && !(cache && cache->direct))
		return invalid(build, error, "disk %s: io='native' needs cache='none' or 'directsync'",
			       disk->target);
	return !qemu_disk_is_transient(disk) || check_transient(build, disk, error);
}

gboolean build_disk_nodes(Build *build, Disk *disk, GError **error)
{
	if (!disk_source_name(disk) || !check_disk(build, disk, error))
		return !disk_source_name(disk);
	Image image = { .disk = disk, .type = disk->type, .format = disk->driver_type,
			.source = disk->source, .top = TRUE,
			.readonly = disk->readonly || disk->transient || disk->device == DISK_DEVICE_CDROM };
	image.index = take_number(build, &disk->source->index);
	if (!add_backing(build, disk, disk->backing, &image.below, error) || !add_image(build, &image, error))
		return FALSE;
	if (qemu_disk_is_transient(disk))
		add_scratch_nodes(build, disk, image.index);
	return add_copy_on_read(build, disk, error);
}

char *qemu_disk_node(const Disk *disk)
{
	if (disk->copy_on_read == TRI_YES)
		return g_strdup_printf("libvirt-CoR-%s", disk->target);
	return top_node(disk);
}

static void number_seen(guint64 *next, const OptUint *index)
{
	if (index->set && index->v >= *next)
		*next = index->v + 1;
}

guint64 first_free_node(const Guest *guest)
{
	guint64 next = 1;
	SHAPE_EACH (Disk, disk, guest->disks) {
		if (disk->source)
			number_seen(&next, &disk->source->index);
		for (const DiskBacking *b = disk->backing; b; b = b->backing)
			number_seen(&next, &b->index);
	}
	return next;
}

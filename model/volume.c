/* See volume.h. */
#include "model/volume.h"
#include "base/error.h"
#include "shape/tree.h"

#include <string.h>

const EnumTable volume_types =
	ENUM_TABLE("type of volume", "file", "block", "dir", "network", "netdir", "ploop");

static const Row extent_rows[] = {
	UINT(VolumeExtent, start, "@start", .doc = "first byte"),
	UINT(VolumeExtent, end, "@end", .doc = "byte behind the last"),
};
static const Shape extent_shape = SHAPE("volume-extent", VolumeExtent, extent_rows);

static const Row device_rows[] = {
	STRING(VolumeDevice, path, "@path", .flags = ROW_REQUIRED, .doc = "device"),
	LIST(VolumeDevice, extents, "extent", extent_shape, .doc = "its parts"),
};
static const Shape device_shape = SHAPE("volume-device", VolumeDevice, device_rows);

static const Row time_rows[] = {
	STRING(VolumeTimes, atime, "atime", .doc = "last read"),
	STRING(VolumeTimes, mtime, "mtime", .doc = "last written"),
	STRING(VolumeTimes, ctime, "ctime", .doc = "last change of any kind"),
	STRING(VolumeTimes, btime, "btime", .doc = "made"),
};
const Shape volume_times_shape = SHAPE("volume-times", VolumeTimes, time_rows);

static const Row encryption_rows[] = {
	STRING(VolumeEncryption, format, "@format", .flags = ROW_REQUIRED,
	       .doc = "luks, luks2 or qcow"),
	STRING(VolumeEncryption, engine, "@engine", .doc = "qemu or librbd"),
	LIST(VolumeEncryption, secrets, "secret", secret_ref_shape, .doc = "passphrases"),
	STRING(VolumeEncryption, cipher_name, "cipher/@name", .doc = "cipher, such as aes"),
	UINT(VolumeEncryption, cipher_size, "cipher/@size", .max = 65536, .doc = "bits of the key"),
	STRING(VolumeEncryption, cipher_mode, "cipher/@mode", .doc = "mode, such as xts"),
	STRING(VolumeEncryption, cipher_hash, "cipher/@hash", .doc = "hash, such as sha256"),
	STRING(VolumeEncryption, ivgen_name, "ivgen/@name", .doc = "generator, such as plain64"),
	STRING(VolumeEncryption, ivgen_hash, "ivgen/@hash", .doc = "its hash"),
};
const Shape volume_encryption_shape = SHAPE("volume-encryption", VolumeEncryption, encryption_rows);

static const Row target_rows[] = {
	STRING(VolumeTarget, path, "path", .doc = "file, device or address"),
	STRING(VolumeTarget, format, "format/@type", .doc = "format"),
	STRUCT(VolumeTarget, permissions, "permissions", StoragePermissions,
	       storage_permissions_shape, .doc = "permissions"),
	STRUCT(VolumeTarget, times, "timestamps", VolumeTimes, volume_times_shape, .doc = "times"),
	STRUCT(VolumeTarget, encryption, "encryption", VolumeEncryption, volume_encryption_shape,
	       .doc = "how it is encrypted"),
	STRING(VolumeTarget, compat, "compat", .doc = "version of QEMU that reads it: 0.10 or 1.1"),
	FLAG(VolumeTarget, nocow, "nocow", .doc = "no copy on write (btrfs)"),
	SIZE(VolumeTarget, cluster_size, "clusterSize", .words = "B", .doc = "size of a cluster"),
	FLAG(VolumeTarget, features, "features", .doc = "features of the format"),
	FLAG(VolumeTarget, lazy_refcounts, "features/lazy_refcounts",
	     .doc = "counts of uses are written late"),
	FLAG(VolumeTarget, extended_l2, "features/extended_l2", .doc = "clusters have parts"),
};
const Shape volume_target_shape = SHAPE("volume-target", VolumeTarget, target_rows);

static const Row backing_rows[] = {
	STRING(VolumeBacking, path, "path", .doc = "image that it is based on"),
	STRING(VolumeBacking, format, "format/@type", .doc = "its format"),
	STRUCT(VolumeBacking, permissions, "permissions", StoragePermissions,
	       storage_permissions_shape, .doc = "its permissions"),
	STRUCT(VolumeBacking, times, "timestamps", VolumeTimes, volume_times_shape, .doc = "its times"),
};
const Shape volume_backing_shape = SHAPE("volume-backing", VolumeBacking, backing_rows);

static const Row rows[] = {
	ENUM(Volume, type, "@type", volume_types, .doc = "what it is on this host"),
	STRING(Volume, name, "name", .doc = "name"),
	STRING(Volume, key, "key", .doc = "what it is known by on this host"),
	LIST(Volume, devices, "source/device", device_shape, .doc = "where it lies"),
	SIZE(Volume, capacity, "capacity", .words = "bytes", .doc = "bytes that a guest sees"),
	SIZE(Volume, allocation, "allocation", .words = "bytes", .doc = "bytes that it takes"),
	SIZE(Volume, physical, "physical", .words = "bytes", .doc = "length of the file or device"),
	STRUCT(Volume, target, "target", VolumeTarget, volume_target_shape, .doc = "what it is"),
	STRUCT(Volume, backing, "backingStore", VolumeBacking, volume_backing_shape,
	       .doc = "what it is based on"),
};

gboolean volume_check_name(const char *name, GError **error)
{
	if (!*name)
		return fail(error, LODGE_ERROR_INVALID, "the name of the volume is empty");
	if (strlen(name) > 255)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_TOO_LONG,
				 "the name of the volume has %zu bytes; 255 is the most", strlen(name));
	if (!g_utf8_validate(name, -1, NULL))
		return fail(error, LODGE_ERROR_INVALID, "the name of the volume is not UTF-8");
	for (const char *c = name; *c; c++)
		if (g_ascii_iscntrl(*c))
			return fail(error, LODGE_ERROR_INVALID,
				    "the name of the volume must not have a line break or another "
				    "control character: its byte %d is 0x%02x", (int)(c - name) + 1,
				    (guint)(guchar)*c);
	if (strchr(name, '/'))
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_CHARACTER,
				 "volume name \"%s\" must not have a slash", name);
	if (g_str_equal(name, ".") || g_str_equal(name, ".."))
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_CHARACTER,
				 "volume name \"%s\" is a folder's", name);
	return TRUE;
}

static gboolean check_secrets(const VolumeEncryption *encryption, GError **error)
{
	SHAPE_EACH (SecretRef, secret, encryption->secrets) {
		if (secret->type && !g_str_equal(secret->type, "passphrase"))
			return fail(error, LODGE_ERROR_INVALID,
				    "encryption/secret/@type, line %d: \"%s\" is not a type of secret: it is "
				    "passphrase", secret->head.line, secret->type) ||
			       error_detail(error, LODGE_DETAIL_WORD, "target/encryption/secret/@type");
		if (!secret->uuid && !secret->usage)
			return fail(error, LODGE_ERROR_INVALID,
				    "encryption/secret, line %d, needs a uuid or a usage", secret->head.line);
	}
	return TRUE;
}

/* One that is not known would be missing in the image. */
static gboolean check_features(const VolumeTarget *target, GError **error)
{
	static const char *const known[] = { "lazy_refcounts", "extended_l2", NULL };
	for (const ShapeExtra *extra = target->head.extra; extra; extra = extra->next) {
		if (extra->name || g_strcmp0(extra->parent->name, "features"))
			continue;
		gsize length = strcspn(extra->text + 1, " \t\r\n/>");
		g_autofree char *word = g_strndup(extra->text + 1, MIN(length, 80));
		if (!g_strv_contains(known, word)) /* said twice it is only kept */
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "target/features, line %d: <%s> is no feature of a volume: remove it; "
				    "there are lazy_refcounts and extended_l2", target->head.line, word);
	}
	return TRUE;
}

static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Volume *volume = object;
	const VolumeTarget *target = volume->target;
	if (target && target->compat && !g_regex_match_simple("^[0-9]+\\.[0-9]+$", target->compat, 0, 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "target/compat, line %d: \"%s\" is not a version such as 1.1",
			    target->head.line, target->compat);
	if (target && !check_features(target, error))
		return FALSE;
	if (volume->backing && !volume->backing->path && volume->backing->format)
		return fail(error, LODGE_ERROR_INVALID, "backingStore, line %d, needs a path",
			    volume->backing->head.line);
	if (target && target->encryption)
		return check_secrets(target->encryption, error);
	return TRUE;
}

const Shape volume_shape = SHAPE("volume", Volume, rows, .check = check);

Volume *volume_from_xml(const char *xml, gssize length, const char *what, Notes *notes, GError **error)
{
	g_autoptr(Volume) volume =
		shape_from_xml(&volume_shape, "volume", xml, length, what, notes, error);
	g_autoptr(GError) why = NULL;
	if (!volume)
		return NULL;
	if (shape_check(&volume_shape, volume, notes, &why)) {
		VolumeTarget *target = volume->target;
		if (target && (target->lazy_refcounts || target->extended_l2))
			target->features = TRUE;
		if (target && target->features && !target->compat) /* libvirt's: 0.10 has none */
			target->compat = g_strdup("1.1");
		return g_steal_pointer(&volume);
	}
	if (what)
		g_prefix_error(&why, "%s: ", what);
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

char *volume_to_xml(const Volume *volume)
{
	return shape_to_xml(&volume_shape, "volume", volume, SHAPE_XML_LIVE);
}

Volume *volume_copy(const Volume *volume)
{
	return shape_copy(&volume_shape, volume);
}

void volume_free(Volume *volume)
{
	shape_free(&volume_shape, volume);
}

const char *volume_format(const Volume *volume)
{
	return volume->target && volume->target->format ? volume->target->format : "raw";
}

void volume_add_extent(Volume *volume, const char *path, guint64 start, guint64 end)
{
	VolumeDevice *device = NULL;
	SHAPE_EACH (VolumeDevice, known, volume->devices)
		if (g_str_equal(known->path, path))
			device = known;
	if (!device) {
		device = shape_new(&device_shape);
		device->path = g_strdup(path);
		shape_append(&volume->devices, &device_shape, device);
	}
	VolumeExtent *extent = shape_new(&extent_shape);
	extent->start = OPT_UINT(start);
	extent->end = OPT_UINT(end);
	shape_append(&device->extents, &extent_shape, extent);
}

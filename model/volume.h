/* A volume of a storage pool, as libvirt's <volume> has it. No I/O here.
 * Neighbours: pool.h; image/ makes and reads what is inside; pool/ finds them. */
#pragma once

#include "model/pool.h"

typedef enum VolumeType { /* libvirt's virStorageVolType is one less */
			  VOLUME_FILE = 1,
			  VOLUME_BLOCK,
			  VOLUME_DIR,
			  VOLUME_NETWORK,
			  VOLUME_NETDIR,
			  VOLUME_PLOOP,
} VolumeType;

typedef struct VolumeExtent { /* of a disk or physical volume, in bytes */
	ShapeHead head;
	OptUint start, end;
} VolumeExtent;

typedef struct VolumeDevice {
	ShapeHead head;
	char *path;
	GPtrArray *extents; /* VolumeExtent */
} VolumeDevice;

typedef struct VolumeTimes { /* seconds since 1970, "1700000000.123456789" */
	ShapeHead head;
	char *atime, *btime, *mtime, *ctime;
} VolumeTimes;

typedef struct VolumeEncryption {
	ShapeHead head;
	char *format, *engine;
	GPtrArray *secrets; /* SecretRef */
	char *cipher_name, *cipher_mode, *cipher_hash;
	OptUint cipher_size;
	char *ivgen_name, *ivgen_hash;
} VolumeEncryption;

typedef struct VolumeTarget {
	ShapeHead head;
	char *path;
	char *format; /* "qcow2", "raw", "ext4", "linux-swap", ... */
	StoragePermissions *permissions;
	VolumeTimes *times;
	VolumeEncryption *encryption;
	char *compat; /* "0.10", "1.1" */
	gboolean nocow;
	OptUint cluster_size; /* bytes */
	gboolean features, lazy_refcounts, extended_l2;
} VolumeTarget;

typedef struct VolumeBacking {
	ShapeHead head;
	char *path, *format;
	StoragePermissions *permissions;
	VolumeTimes *times;
} VolumeBacking;

typedef struct Volume {
	ShapeHead head;
	VolumeType type;
	char *name, *key;
	GPtrArray *devices; /* VolumeDevice: where it lies on devices */
	OptUint capacity, allocation, physical; /* bytes */
	VolumeTarget *target;
	VolumeBacking *backing;
} Volume;

extern const Shape volume_shape, volume_target_shape, volume_backing_shape, volume_times_shape,
	volume_encryption_shape;
extern const EnumTable volume_types;

/* Reads a <volume> document and checks it. The caller owns it (volume_free). Any thread. */
Volume *volume_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
			GError **error);
char *volume_to_xml(const Volume *volume);
Volume *volume_copy(const Volume *volume);
void volume_free(Volume *volume);

/* Whether @name can be a volume's: it becomes a part of a path. INVALID otherwise: empty, "." or "..", a
 * slash, control characters, not UTF-8, more than 255 bytes. Any thread. */
gboolean volume_check_name(const char *name, GError **error);

/* Says that bytes @start to @end of the device @path are its. */
void volume_add_extent(Volume *volume, const char *path, guint64 start, guint64 end);

/* Its format ("raw" where none is said), never NULL. */
const char *volume_format(const Volume *volume);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Volume, volume_free)

/* A storage pool's definition, as libvirt's <pool> has it: where volumes come from and where they
 * appear on this host. No I/O here.
 *
 * Neighbours: volume.h is what a pool holds; pool/ works with pools, one file per type; core/pools.c
 * keeps them. Facts of each type that need no I/O (what its source must name, which formats there
 * are) stand in pool_type_facts(). */
#pragma once

#include "model/device/disk.h"

typedef enum PoolType { /* in the order of libvirt's list flags, VIR_CONNECT_LIST_STORAGE_POOLS_* */
			POOL_DIR = 1,
			POOL_FS,
			POOL_NETFS,
			POOL_LOGICAL,
			POOL_DISK,
			POOL_ISCSI,
			POOL_SCSI,
			POOL_MPATH,
			POOL_RBD,
			POOL_SHEEPDOG, /* read and refused by name, as is vstorage */
			POOL_GLUSTER,
			POOL_ZFS,
			POOL_VSTORAGE,
			POOL_ISCSI_DIRECT,
} PoolType;
#define POOL_TYPES POOL_ISCSI_DIRECT

typedef struct PoolHost {
	ShapeHead head;
	char *name;
	OptUint port;
} PoolHost;

typedef struct PoolExtent { /* bytes of a disk */
	ShapeHead head;
	OptUint start, end;
} PoolExtent;

typedef struct PoolDevice {
	ShapeHead head;
	char *path; /* a device, or an iSCSI target's name */
	Tri part_separator;
	GPtrArray *free_extents; /* PoolExtent; live */
} PoolDevice;

typedef struct PoolAdapter { /* SCSI */
	ShapeHead head;
	char *type, *name;
	OptUint unique_id;
	HostPci *parent_address;
	char *parent, *parent_wwnn, *parent_wwpn, *parent_fabric_wwn;
	Tri managed;
	char *wwnn, *wwpn;
} PoolAdapter;

typedef struct PoolAuth {
	ShapeHead head;
	char *type; /* chap, ceph */
	char *username;
	SecretRef *secret;
} PoolAuth;

typedef struct PoolSource {
	ShapeHead head;
	GPtrArray *hosts;   /* PoolHost */
	GPtrArray *devices; /* PoolDevice */
	char *dir;
	PoolAdapter *adapter;
	char *name;
	char *initiator; /* iqn */
	PoolAuth *auth;
	char *format;
	char *protocol_ver;
	char *vendor, *product;
} PoolSource;

typedef struct StoragePermissions {
	ShapeHead head;
	char *mode; /* octal: "0711" */
	OptInt owner, group; /* -1: as it comes */
	char *label;
} StoragePermissions;

typedef struct PoolTarget {
	ShapeHead head;
	char *path;
	StoragePermissions *permissions;
} PoolTarget;

typedef struct PoolOption { /* of mount(8), or of Ceph's client */
	ShapeHead head;
	char *name, *value;
} PoolOption;

typedef struct Pool {
	ShapeHead head;
	PoolType type;
	char *name, *uuid;
	OptUint capacity, allocation, available; /* bytes; live */
	Tri cow;
	PoolSource *source;
	PoolTarget *target;
	char *refresh_allocation; /* "capacity" or "default" */
	GPtrArray *mount_options; /* PoolOption: names */
	GPtrArray *config_options; /* PoolOption */
} Pool;

extern const Shape pool_shape, storage_permissions_shape, pool_source_shape, pool_host_shape,
	pool_device_shape, pool_adapter_shape, pool_auth_shape, pool_target_shape;
extern const EnumTable pool_types;

/* What a type is made of: PoolTypeFacts.needs. */
enum {
	POOL_NEEDS_HOST = 1 << 0,
	POOL_NEEDS_DEVICE = 1 << 1,
	POOL_NEEDS_DIR = 1 << 2,
	POOL_NEEDS_NAME = 1 << 3,
	POOL_NEEDS_ADAPTER = 1 << 4,
	POOL_NEEDS_INITIATOR = 1 << 5,
	POOL_NEEDS_TARGET = 1 << 6, /* a path at which volumes appear */
	POOL_ONE_DEVICE = 1 << 7,
	POOL_NAME_OF_POOL = 1 << 8, /* source/name is the pool's where it is not said */
};

typedef struct PoolTypeFacts {
	guint needs;
	const char *format; /* of the source, where none is said; NULL: it has none */
	const char *const *formats; /* NULL at the end; NULL: none */
	const char *volume_format; /* where none is said; NULL: it has none */
	const char *const *volume_formats;
	const char *target; /* where none is said: a folder to which source/name is added */
} PoolTypeFacts;

/* Static; never NULL for a valid type. Any thread. */
const PoolTypeFacts *pool_type_facts(PoolType type);

/* Reads a <pool> document: rows, defaults of its type, checks. The caller owns it (pool_free). Any
 * thread. */
Pool *pool_from_xml(const char *xml, gssize length, const char *what, Notes *notes, GError **error);
/* Fills in what the type has by default and what follows from the rest, then checks; for documents
 * that were put together from arguments. Any thread. */
gboolean pool_complete(Pool *pool, Notes *notes, GError **error);
/* The caller frees it. @flags: ShapeXmlFlags. */
char *pool_to_xml(const Pool *pool, guint flags);
Pool *pool_copy(const Pool *pool);
void pool_free(Pool *pool);

/* The path at which its volumes appear; NULL where it has none. */
const char *pool_path(const Pool *pool);
/* Its first device's path; NULL where it has none. */
const char *pool_device(const Pool *pool);
/* What the two pools would both write to ("the folder /data", "the device /dev/sdb"), NULL where nothing.
 * The caller frees it. */
char *pool_same_source(const Pool *a, const Pool *b);

/* "0711" -> 0711; FALSE where it is no mode. */
gboolean storage_mode(const char *text, guint *mode);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pool, pool_free)

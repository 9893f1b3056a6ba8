/* See pool.h. */
#include "model/pool.h"
#include "base/error.h"
#include "model/guest.h"

#include <string.h>

const EnumTable pool_types =
	ENUM_TABLE("type of pool", "dir", "fs", "netfs", "logical", "disk", "iscsi", "scsi", "mpath",
		   "rbd", "sheepdog", "gluster", "zfs", "vstorage", "iscsi-direct");

/* ---- rows ---- */

static const Row host_rows[] = {
	STRING(PoolHost, name, "@name", .flags = ROW_REQUIRED, .doc = "server"),
	UINT(PoolHost, port, "@port", .max = 65535, .doc = "its port"),
};
const Shape pool_host_shape = SHAPE("pool-host", PoolHost, host_rows);

static const Row extent_rows[] = {
	UINT(PoolExtent, start, "@start", .doc = "first byte"),
	UINT(PoolExtent, end, "@end", .doc = "byte behind the last"),
};
static const Shape extent_shape = SHAPE("pool-extent", PoolExtent, extent_rows);

static const Row device_rows[] = {
	STRING(PoolDevice, path, "@path", .flags = ROW_REQUIRED,
	       .doc = "block device, or name of an iSCSI target"),
	TRI(PoolDevice, part_separator, "@part_separator",
	    .doc = "whether names of partitions have a p before the number"),
	LIST(PoolDevice, free_extents, "freeExtent", extent_shape, .flags = ROW_LIVE,
	     .doc = "what is not used"),
};
const Shape pool_device_shape = SHAPE("pool-device", PoolDevice, device_rows);

static const Row adapter_rows[] = {
	STRING(PoolAdapter, type, "@type", .doc = "scsi_host or fc_host"),
	STRING(PoolAdapter, name, "@name", .doc = "host adapter, such as scsi_host2"),
	STRING(PoolAdapter, parent, "@parent", .doc = "adapter that a virtual one belongs to"),
	TRI(PoolAdapter, managed, "@managed", .doc = "remove the virtual adapter at stop"),
	STRING(PoolAdapter, parent_wwnn, "@parent_wwnn", .doc = "node name of the parent"),
	STRING(PoolAdapter, parent_wwpn, "@parent_wwpn", .doc = "port name of the parent"),
	STRING(PoolAdapter, parent_fabric_wwn, "@parent_fabric_wwn", .doc = "fabric of the parent"),
	STRING(PoolAdapter, wwnn, "@wwnn", .doc = "node name of a virtual adapter"),
	STRING(PoolAdapter, wwpn, "@wwpn", .doc = "port name of a virtual adapter"),
	UINT(PoolAdapter, unique_id, "parentaddr/@unique_id", .max = G_MAXUINT32,
	     .doc = "number among the adapters of that PCI device"),
	STRUCT(PoolAdapter, parent_address, "parentaddr/address", HostPci, host_pci_shape,
	       .doc = "PCI device"),
};

static gboolean check_adapter(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const PoolAdapter *adapter = object;
	const char *type = adapter->type ? adapter->type : "scsi_host";
	if (g_str_equal(type, "scsi_host") || g_str_equal(type, "fc_host"))
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID,
		    "adapter/@type, line %d: \"%s\" is neither scsi_host nor fc_host", adapter->head.line,
		    type);
}

const Shape pool_adapter_shape =
	SHAPE("pool-adapter", PoolAdapter, adapter_rows, .check = check_adapter);

static const Row auth_rows[] = {
	STRING(PoolAuth, type, "@type", .doc = "chap or ceph"),
	STRING(PoolAuth, username, "@username", .doc = "user of the storage server"),
	STRUCT(PoolAuth, secret, "secret", SecretRef, secret_ref_shape, .doc = "the password"),
};
const Shape pool_auth_shape = SHAPE("pool-auth", PoolAuth, auth_rows);

static const Row source_rows[] = {
	LIST(PoolSource, hosts, "host", pool_host_shape, .doc = "servers"),
	LIST(PoolSource, devices, "device", pool_device_shape, .doc = "devices"),
	STRING(PoolSource, dir, "dir/@path", .doc = "folder on the server"),
	STRUCT(PoolSource, adapter, "adapter", PoolAdapter, pool_adapter_shape, .doc = "SCSI adapter"),
	STRING(PoolSource, name, "name", .doc = "name of the group, pool or export"),
	STRING(PoolSource, initiator, "initiator/iqn/@name", .doc = "name of this host for iSCSI"),
	STRUCT(PoolSource, auth, "auth", PoolAuth, pool_auth_shape, .doc = "login at the server"),
	STRING(PoolSource, format, "format/@type", .doc = "format of the source"),
	STRING(PoolSource, protocol_ver, "protocol/@ver", .doc = "version of the NFS protocol"),
	STRING(PoolSource, vendor, "vendor/@name", .doc = "maker of the storage"),
	STRING(PoolSource, product, "product/@name", .doc = "name of the storage"),
};
const Shape pool_source_shape = SHAPE("pool-source", PoolSource, source_rows);

static const Row permission_rows[] = {
	STRING(StoragePermissions, mode, "mode", .doc = "octal permission bits"),
	INT(StoragePermissions, owner, "owner", .min = -1, .max = G_MAXUINT32, .doc = "user"),
	INT(StoragePermissions, group, "group", .min = -1, .max = G_MAXUINT32, .doc = "group"),
	STRING(StoragePermissions, label, "label", .doc = "security label"),
};

gboolean storage_mode(const char *text, guint *mode)
{
	char *end;
	if (!g_ascii_isdigit(*text) || strlen(text) > 8)
		return FALSE;
	guint64 value = g_ascii_strtoull(text, &end, 8);
	if (*end || value > 07777)
		return FALSE;
	*mode = (guint)value;
	return TRUE;
}

static gboolean check_permissions(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const StoragePermissions *permissions = object;
	guint mode;
	if (permissions->mode && !storage_mode(permissions->mode, &mode))
		return fail(error, LODGE_ERROR_INVALID,
			    "permissions/mode, line %d: \"%s\" is not an octal mode such as 0644",
			    permissions->head.line, permissions->mode);
	return TRUE;
}
const Shape storage_permissions_shape = SHAPE("storage-permissions", StoragePermissions,
					      permission_rows, .check = check_permissions);

static const Row target_rows[] = {
	STRING(PoolTarget, path, "path", .doc = "folder at which the volumes appear"),
	STRUCT(PoolTarget, permissions, "permissions", StoragePermissions,
	       storage_permissions_shape, .doc = "of that folder"),
};
const Shape pool_target_shape = SHAPE("pool-target", PoolTarget, target_rows);

static const Row mount_option_rows[] = {
	STRING(PoolOption, name, "@name", .flags = ROW_REQUIRED, .doc = "option of mount"),
};
static const Shape mount_option_shape = SHAPE("pool-mount-option", PoolOption, mount_option_rows);

static const Row config_option_rows[] = {
	STRING(PoolOption, name, "@name", .flags = ROW_REQUIRED, .doc = "option of Ceph's client"),
	STRING(PoolOption, value, "@value", .flags = ROW_REQUIRED, .doc = "its value"),
};
static const Shape config_option_shape =
	SHAPE("pool-config-option", PoolOption, config_option_rows);

static const Row rows[] = {
	ENUM(Pool, type, "@type", pool_types, .flags = ROW_REQUIRED, .doc = "what kind of storage"),
	STRING(Pool, name, "name", .doc = "name"),
	UUID(Pool, uuid, "uuid", .doc = "unique number"),
	SIZE(Pool, capacity, "capacity", .words = "bytes", .flags = ROW_LIVE, .doc = "its size"),
	SIZE(Pool, allocation, "allocation", .words = "bytes", .flags = ROW_LIVE, .doc = "in use"),
	SIZE(Pool, available, "available", .words = "bytes", .flags = ROW_LIVE, .doc = "free"),
	TRI(Pool, cow, "features/cow/@state", .doc = "whether files are copied on write"),
	STRUCT(Pool, source, "source", PoolSource, pool_source_shape, .doc = "where it comes from"),
	STRUCT(Pool, target, "target", PoolTarget, pool_target_shape, .doc = "where it appears"),
	STRING(Pool, refresh_allocation, "refresh/volume/@allocation",
	       .doc = "how the use of volumes is counted: default or capacity"),
	LIST(Pool, mount_options, "fs:mount_opts/fs:option", mount_option_shape,
	     .doc = "options of mount"),
	LIST(Pool, config_options, "rbd:config_opts/rbd:option", config_option_shape,
	     .doc = "options of Ceph's client"),
};

/* ---- types ---- */

static const char *const fs_formats[] = { "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf",
					  "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs", NULL };
static const char *const netfs_formats[] = { "auto", "nfs", "glusterfs", "cifs", NULL };
static const char *const logical_formats[] = { "unknown", "lvm2", NULL };
static const char *const disk_formats_of_source[] = { "unknown", "dos", "dvh", "gpt", "mac", "bsd",
						      "pc98", "sun", "lvm2", NULL };
static const char *const file_formats[] = { "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc",
					    "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed",
					    "vmdk", "vhdx", "luks", NULL };
static const char *const partition_formats[] = { "none", "linux", "fat16", "fat32", "linux-swap",
						 "linux-lvm", "linux-raid", "extended", NULL };
static const char *const raw_formats[] = { "raw", NULL };

static const PoolTypeFacts facts[] = {
	[POOL_DIR] = { POOL_NEEDS_TARGET, NULL, NULL, "raw", file_formats, NULL },
	[POOL_FS] = { POOL_NEEDS_DEVICE | POOL_ONE_DEVICE | POOL_NEEDS_TARGET, "auto", fs_formats, "raw",
		      file_formats, NULL },
	[POOL_NETFS] = { POOL_NEEDS_HOST | POOL_NEEDS_DIR | POOL_NEEDS_TARGET, "auto", netfs_formats,
			 "raw", file_formats, NULL },
	[POOL_LOGICAL] = { POOL_NEEDS_NAME | POOL_NAME_OF_POOL | POOL_NEEDS_TARGET, "lvm2",
			   logical_formats, NULL, NULL, "/dev" },
	[POOL_DISK] = { POOL_NEEDS_DEVICE | POOL_ONE_DEVICE | POOL_NEEDS_TARGET, "unknown",
			disk_formats_of_source, "none", partition_formats, NULL },
	[POOL_ISCSI] = { POOL_NEEDS_HOST | POOL_NEEDS_DEVICE | POOL_ONE_DEVICE | POOL_NEEDS_TARGET, NULL,
			 NULL, NULL, NULL, NULL },
	[POOL_SCSI] = { POOL_NEEDS_ADAPTER | POOL_NEEDS_TARGET, NULL, NULL, NULL, NULL, NULL },
	[POOL_MPATH] = { POOL_NEEDS_TARGET, NULL, NULL, NULL, NULL, NULL },
	[POOL_RBD] = { POOL_NEEDS_HOST | POOL_NEEDS_NAME, NULL, NULL, "raw", raw_formats, NULL },
	[POOL_SHEEPDOG] = { POOL_NEEDS_HOST | POOL_NEEDS_NAME, NULL, NULL, "raw", raw_formats, NULL },
	[POOL_GLUSTER] = { POOL_NEEDS_HOST | POOL_NEEDS_NAME, NULL, NULL, "raw", file_formats, NULL },
	[POOL_ZFS] = { POOL_NEEDS_NAME | POOL_NAME_OF_POOL | POOL_NEEDS_TARGET, NULL, NULL, NULL, NULL,
		       "/dev/zvol" },
	[POOL_VSTORAGE] = { POOL_NEEDS_NAME | POOL_NEEDS_TARGET, NULL, NULL, "raw", file_formats, NULL },
	[POOL_ISCSI_DIRECT] = { POOL_NEEDS_HOST | POOL_NEEDS_DEVICE | POOL_ONE_DEVICE |
				POOL_NEEDS_INITIATOR, NULL, NULL, NULL, NULL, NULL },
};

const PoolTypeFacts *pool_type_facts(PoolType type)
{
	return &facts[type];
}

/* ---- checks ---- */

static const struct {
	guint need;
	size_t member; /* of PoolSource: a pointer that must not be NULL */
	const char *xml;
} needs[] = {
	{ POOL_NEEDS_HOST, offsetof(PoolSource, hosts), "source/host/@name" },
	{ POOL_NEEDS_DEVICE, offsetof(PoolSource, devices), "source/device/@path" },
	{ POOL_NEEDS_DIR, offsetof(PoolSource, dir), "source/dir/@path" },
	{ POOL_NEEDS_NAME, offsetof(PoolSource, name), "source/name" },
	{ POOL_NEEDS_ADAPTER, offsetof(PoolSource, adapter), "source/adapter/@name" },
	{ POOL_NEEDS_INITIATOR, offsetof(PoolSource, initiator), "source/initiator/iqn/@name" },
};

static gboolean check_source(const Pool *pool, GError **error)
{
	const char *type = enum_name(&pool_types, pool->type);
	guint wanted = facts[pool->type].needs;
	for (guint i = 0; i < G_N_ELEMENTS(needs); i++)
		if (wanted & needs[i].need &&
		    (!pool->source || !G_STRUCT_MEMBER(gpointer, pool->source, needs[i].member)))
			return fail(error, LODGE_ERROR_INVALID,
				    "a pool of type %s needs %s", type, needs[i].xml) ||
			       error_detail(error, LODGE_DETAIL_MISSING, needs[i].xml);
	if (wanted & POOL_ONE_DEVICE && pool->source->devices->len != 1)
		return fail(error, LODGE_ERROR_INVALID,
			    "a pool of type %s has one source device, not %u", type,
			    pool->source->devices->len);
	if (pool->type != POOL_DIR && pool->source && pool->source->name && *pool->source->name == '-')
		return fail(error, LODGE_ERROR_INVALID, "source/name \"%s\" must not begin with a dash",
			    pool->source->name);
	return TRUE;
}

static gboolean check_format(const Pool *pool, GError **error)
{
	const char *const *formats = facts[pool->type].formats;
	const char *format = pool->source ? pool->source->format : NULL;
	if (!format || !formats || g_strv_contains(formats, format))
		return TRUE;
	g_autofree char *choices = g_strjoinv(", ", (char **)formats);
	return fail(error, LODGE_ERROR_INVALID,
		    "source/format/@type, line %d: \"%s\" is not a format of a pool of type %s; it is "
		    "one of %s", pool->source->head.line, format, enum_name(&pool_types, pool->type),
		    choices) ||
	       error_detail(error, LODGE_DETAIL_WORD, "source/format/@type");
}

static gboolean check_path(const Pool *pool, GError **error)
{
	const char *path = pool_path(pool);
	if (!path && facts[pool->type].needs & POOL_NEEDS_TARGET)
		return fail(error, LODGE_ERROR_INVALID,
			    "a pool of type %s needs target/path: the folder at which its volumes appear",
			    enum_name(&pool_types, pool->type));
	if (path && *path != '/')
		return fail(error, LODGE_ERROR_INVALID, "target/path \"%s\" is not absolute", path);
	if (path && strlen(path) > 3000)
		return fail(error, LODGE_ERROR_INVALID, "target/path is longer than 3000 bytes");
	return TRUE;
}

/* What becomes a word of mount's options, or of another tool's, must not end its own. */
static gboolean check_words(const Pool *pool, GError **error)
{
	SHAPE_EACH (PoolOption, option, pool->mount_options)
		if (!*option->name || strpbrk(option->name, ",\n"))
			return fail(error, LODGE_ERROR_INVALID,
				    "mount_opts/option/@name \"%s\" must be one option, without a comma",
				    option->name);
	if (!pool->source || pool->type == POOL_DIR) /* `pool-define-as p dir - - - - /data` has dashes */
		return TRUE;
	SHAPE_EACH (PoolHost, host, pool->source->hosts)
		if (!*host->name || *host->name == '-' || strpbrk(host->name, " \t\n/,"))
			return fail(error, LODGE_ERROR_INVALID,
				    "source/host/@name \"%s\" is no name of a server", host->name);
	SHAPE_EACH (PoolDevice, device, pool->source->devices)
		if (!*device->path || *device->path == '-' || strpbrk(device->path, "\n"))
			return fail(error, LODGE_ERROR_INVALID,
				    "source/device/@path \"%s\" is no device", device->path);
	return TRUE;
}

static gboolean check_auth(const Pool *pool, GError **error)
{
	const PoolAuth *auth = pool->source ? pool->source->auth : NULL;
	if (!auth)
		return TRUE;
	if (auth->type && !g_str_equal(auth->type, "chap") && !g_str_equal(auth->type, "ceph"))
		return fail(error, LODGE_ERROR_INVALID,
			    "source/auth/@type, line %d: \"%s\" is not a type of login: it is chap or ceph",
			    auth->head.line, auth->type) ||
		       error_detail(error, LODGE_DETAIL_WORD, "source/auth/@type");
	if (!auth->username || !auth->secret)
		return fail(error, LODGE_ERROR_INVALID, "source/auth, line %d, needs %s", auth->head.line,
			    auth->username ? "a <secret>" : "a username");
	return TRUE;
}

/* What holds also before pool_complete(). */
static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Pool *pool = object;
	return (!pool->name || guest_check_name(pool->name, error)) && check_format(pool, error) &&
	       check_auth(pool, error) && check_words(pool, error);
}

const Shape pool_shape = SHAPE("pool", Pool, rows, .check = check);

/* ---- what follows from the rest ---- */

/* Without doubled and trailing slashes, as libvirt keeps it. */
static void tidy_path(char **path)
{
	if (!*path || **path != '/')
		return;
	GString *tidy = g_string_new(NULL);
	for (const char *c = *path; *c; c++)
		if (*c != '/' || (c[1] && c[1] != '/'))
			g_string_append_c(tidy, *c);
	if (!tidy->len)
		g_string_append_c(tidy, '/');
	g_free(*path);
	*path = g_string_free(tidy, FALSE);
}

static void fill_names(Pool *pool)
{
	guint wanted = facts[pool->type].needs;
	if (!pool->name && pool->source && pool->source->name)
		pool->name = g_strdup(pool->source->name);
	if (!(wanted & POOL_NAME_OF_POOL) || !pool->name)
		return;
	if (!pool->source)
		pool->source = shape_new(&pool_source_shape);
	if (!pool->source->name)
		pool->source->name = g_strdup(pool->name);
}

static void fill_target(Pool *pool)
{
	const PoolTypeFacts *of = &facts[pool->type];
	if (!(of->needs & POOL_NEEDS_TARGET))
		return;
	if (of->target && pool->source && pool->source->name) {
		if (!pool->target)
			pool->target = shape_new(&pool_target_shape);
		g_free(pool->target->path);
		pool->target->path = g_build_filename(of->target, pool->source->name, NULL);
	}
	if (pool->target)
		tidy_path(&pool->target->path);
}

gboolean pool_complete(Pool *pool, Notes *notes, GError **error)
{
	if (!pool->type || pool->type > POOL_TYPES)
		return shape_check(&pool_shape, pool, notes, error);
	fill_names(pool);
	fill_target(pool);
	if (!pool->source)
		pool->source = shape_new(&pool_source_shape);
	if (facts[pool->type].format && !pool->source->format)
		pool->source->format = g_strdup(facts[pool->type].format);
	if (pool->source->dir)
		tidy_path(&pool->source->dir);
	if (!pool->name)
		return fail(error, LODGE_ERROR_INVALID, "pool: <name> is missing");
	return shape_check(&pool_shape, pool, notes, error) && check_source(pool, error) &&
	       check_path(pool, error);
}

/* ---- documents ---- */

Pool *pool_from_xml(const char *xml, gssize length, const char *what, Notes *notes, GError **error)
{
	g_autoptr(Pool) pool = shape_from_xml(&pool_shape, "pool", xml, length, what, notes, error);
	g_autoptr(GError) why = NULL;
	if (!pool)
		return NULL;
	if (pool_complete(pool, notes, &why))
		return g_steal_pointer(&pool);
	if (what)
		g_prefix_error(&why, "%s: ", what);
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

char *pool_to_xml(const Pool *pool, guint flags)
{
	return shape_to_xml(&pool_shape, "pool", pool, flags);
}

Pool *pool_copy(const Pool *pool)
{
	return shape_copy(&pool_shape, pool);
}

void pool_free(Pool *pool)
{
	shape_free(&pool_shape, pool);
}

const char *pool_path(const Pool *pool)
{
	return pool->target ? pool->target->path : NULL;
}

const char *pool_device(const Pool *pool)
{
	if (!pool->source || !shape_len(pool->source->devices))
		return NULL;
	return ((const PoolDevice *)pool->source->devices->pdata[0])->path;
}

/* ---- two pools on one source ---- */

static gboolean same_hosts(const PoolSource *a, const PoolSource *b)
{
	if (!shape_len(a->hosts) || !shape_len(b->hosts))
		return shape_len(a->hosts) == shape_len(b->hosts);
	return !g_strcmp0(((PoolHost *)a->hosts->pdata[0])->name, ((PoolHost *)b->hosts->pdata[0])->name);
}

static char *same_device(const Pool *a, const Pool *b)
{
	const char *other = pool_device(b);
	SHAPE_EACH (PoolDevice, device, a->source->devices)
		if (!g_strcmp0(device->path, other))
			return g_strdup_printf("the source %s", device->path);
	return NULL;
}

char *pool_same_source(const Pool *a, const Pool *b)
{
	const PoolSource *one = a->source, *two = b->source;
	guint wanted = facts[a->type].needs;
	if (pool_path(a) && a->type == b->type && a->type != POOL_ISCSI && a->type != POOL_SCSI &&
	    a->type != POOL_DISK && a->type != POOL_MPATH && !g_strcmp0(pool_path(a), pool_path(b)))
		return g_strdup_printf("the folder %s", pool_path(a));
	if (a->type != b->type || !one || !two || !same_hosts(one, two))
		return NULL;
	if (wanted & POOL_NEEDS_DEVICE)
		return same_device(a, b);
	if (wanted & POOL_NEEDS_DIR && !g_strcmp0(one->dir, two->dir))
		return g_strdup_printf("the export %s", one->dir);
	if (wanted & POOL_NEEDS_NAME && !g_strcmp0(one->name, two->name) && !g_strcmp0(one->dir, two->dir))
		return g_strdup_printf("the source %s", one->name);
	return NULL;
}

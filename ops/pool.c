/* Verbs that define storage pools and change their state. Messages are virsh's.
 * Neighbours: pool_show.c shows them; volume.c is about what is in them. */
#include "core/pools.h"
#include "ops/families.h"
#include "ops/objects.h"

#include <string.h>

#define POOL_WRITE(lane_)                                                                          \
	.family = "Storage pools", .target = OP_ON_POOL, .perm = OP_PERM_WRITE, .lane = lane_,     \
	.method = "POST", .show = OP_SHOW_MESSAGE
#define POOL_NEW                                                                                   \
	.family = "Storage pools", .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .method = "POST",     \
	.show = OP_SHOW_MESSAGE, .result = &op_object_made

/* What verbs answer that make a pool from words. */
typedef struct MadeAs {
	OpMade made;
	char *text;
} MadeAs;

static const Row made_as_rows[] = {
	STRING(OpMade, name, NULL, .doc = "Name"),
	UUID(OpMade, uuid, NULL, .doc = "UUID"),
	STRING(MadeAs, text, NULL, .doc = "What was done, or the document"),
};
static const Shape made_as_shape = SHAPE("pool-made-as", MadeAs, made_as_rows);

/* A document without a name takes it from its source, as libvirt's does. */
static char *named(const char *xml, Notes *notes, GError **error)
{
	Pool *pool = shape_from_xml(&pool_shape, "pool", xml, -1, NULL, notes, error);
	char *text = NULL;
	if (pool && pool->name)
		text = g_strdup(xml);
	else if (pool && pool_complete(pool, NULL, error))
		text = pool_to_xml(pool, SHAPE_XML_SECRETS);
	pool_free(pool);
	return text;
}

/* ---- arguments ---- */

typedef struct BuildArgs {
	OpXmlArgs xml;
	gboolean overwrite, no_overwrite, build;
} BuildArgs;

#define OVERWRITE_ROWS                                                                             \
	FLAG(BuildArgs, overwrite, NULL, .doc = "overwrite any existing data"),                    \
	FLAG(BuildArgs, no_overwrite, NULL, .doc = "do not overwrite any existing data")

static const Row build_rows[] = { OVERWRITE_ROWS };
static const Shape build_args = SHAPE("pool-build-args", BuildArgs, build_rows);

static const Row build_start_rows[] = {
	FLAG(BuildArgs, build, NULL, .doc = "build the pool first"), OVERWRITE_ROWS,
};
static const Shape build_start_args = SHAPE("pool-start-args", BuildArgs, build_start_rows);

static const Row define_rows[] = { OP_XML_ROWS("pool") };
static const Shape define_args = SHAPE("pool-define-args", BuildArgs, define_rows);

static const Row create_rows[] = {
	OP_XML_ROWS("pool"),
	FLAG(BuildArgs, build, NULL, .doc = "build the pool first"), OVERWRITE_ROWS,
};
static const Shape create_args = SHAPE("pool-create-args", BuildArgs, create_rows);

static guint build_flags(const BuildArgs *args)
{
	return (args->overwrite ? POOL_BUILD_OVERWRITE : 0) |
	       (args->no_overwrite ? POOL_BUILD_NO_OVERWRITE : 0);
}

static gboolean wants_build(const BuildArgs *args)
{
	return args->build || args->overwrite || args->no_overwrite;
}

static gboolean define_text(OpCall *call, const char *xml, guint flags, GError **error)
{
	g_autofree char *text = named(xml, &call->notes, error);
	return text && op_tell_made(call, core_object_define(call->core, CORE_POOL, text, flags,
							     &call->notes, error));
}

static gboolean define(OpCall *call, GError **error)
{
	const OpXmlArgs *args = call->args;
	return define_text(call, args->xml, args->validate ? CORE_OBJECT_VALIDATE : 0, error);
}

/* Built before anybody sees it: the document alone says what to build. */
static gboolean build_document(Core *core, const char *xml, guint flags, GError **error)
{
	g_autoptr(Pool) pool = pool_from_xml(xml, -1, NULL, NULL, error);
	g_autoptr(PoolState) none = pool_state_new();
	PoolNeeds needs = pool_needs(core);
	PoolUse use = { .pool = pool, .state = none, .needs = &needs };
	return pool && pool_build(&use, flags, error);
}

static gboolean create_text(OpCall *call, const char *xml, const BuildArgs *how, GError **error)
{
	guint flags = how->xml.validate ? CORE_OBJECT_VALIDATE : 0;
	g_autofree char *text = named(xml, NULL, error);
	if (!text || (wants_build(how) && !build_document(call->core, text, build_flags(how), error)))
		return FALSE;
	return op_tell_made(call, core_object_create(call->core, CORE_POOL, text, flags, &call->notes,
						     error));
}

static gboolean create(OpCall *call, GError **error)
{
	const BuildArgs *args = call->args;
	return create_text(call, args->xml.xml, args, error);
}

static gboolean build(OpCall *call, GError **error)
{
	return core_pool_build(call->object, build_flags(call->args), error);
}

static gboolean start(OpCall *call, GError **error)
{
	const BuildArgs *args = call->args;
	if (wants_build(args) && !core_pool_build(call->object, build_flags(args), error))
		return FALSE;
	return core_object_start(call->object, &call->notes, error);
}

typedef struct DeleteArgs {
	ShapeHead head;
	gboolean zeroed;
} DeleteArgs;

static const Row delete_rows[] = {
	FLAG(DeleteArgs, zeroed, NULL, .doc = "overwrite everything with zeros"),
};
static const Shape delete_args = SHAPE("pool-delete-args", DeleteArgs, delete_rows);

static gboolean erase(OpCall *call, GError **error)
{
	const DeleteArgs *args = call->args;
	return core_pool_erase(call->object, args->zeroed ? POOL_ERASE_ZEROED : 0, error);
}

static gboolean is_off(CoreObject *pool, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(pool);
	return !snap->active || fail(error, LODGE_ERROR_STATE, "storage pool '%s' is still active",
				     snap->name);
}

static gboolean undefine(OpCall *call, GError **error)
{
	return is_off(call->object, error) && core_object_undefine(call->object, error);
}

static gboolean refresh(OpCall *call, GError **error)
{
	return core_pool_refresh(call->object, error);
}

/* ---- from words instead of a document ---- */

typedef struct AsArgs {
	ShapeHead head;
	gboolean build, overwrite, no_overwrite;
	char *name, *type, *source_host, *source_path, *source_dev, *source_name, *target, *source_format;
	char *auth_type, *auth_username, *secret_usage, *secret_uuid;
	char *adapter_name, *adapter_wwnn, *adapter_wwpn, *adapter_parent, *adapter_parent_wwnn;
	char *adapter_parent_wwpn, *adapter_parent_fabric_wwn, *source_protocol_ver, *source_initiator;
	gboolean print_xml;
} AsArgs;

#define WORD(member, text) STRING(AsArgs, member, NULL, .doc = text)
#define AS_ROWS                                                                                    \
	STRING(AsArgs, name, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "name of the pool"), \
	STRING(AsArgs, type, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "type of the pool"), \
	FLAG(AsArgs, print_xml, NULL, .doc = "print the document, and make nothing"),              \
	WORD(source_host, "server"), WORD(source_path, "folder on the server"),                    \
	WORD(source_dev, "device, or name of an iSCSI target"),                                    \
	WORD(source_name, "name of the group, pool or export"),                                    \
	STRING(AsArgs, target, NULL, .flags = ROW_PATH, .doc = "folder at which volumes appear"),  \
	WORD(source_format, "format of the source"), WORD(auth_type, "chap or ceph"),              \
	WORD(auth_username, "user of the storage server"),                                         \
	WORD(secret_usage, "usage of the secret with the password"),                               \
	WORD(secret_uuid, "uuid of the secret with the password"),                                 \
	WORD(adapter_name, "SCSI adapter"), WORD(adapter_wwnn, "node name of a virtual adapter"),  \
	WORD(adapter_wwpn, "port name of a virtual adapter"),                                      \
	WORD(adapter_parent, "adapter that a virtual one belongs to"),                             \
	WORD(adapter_parent_wwnn, "node name of the parent"),                                      \
	WORD(adapter_parent_wwpn, "port name of the parent"),                                      \
	WORD(adapter_parent_fabric_wwn, "fabric of the parent"),                                   \
	WORD(source_protocol_ver, "version of the NFS protocol"),                                  \
	WORD(source_initiator, "name of this host for iSCSI")

static const Row define_as_rows[] = { AS_ROWS };
static const Shape define_as_args = SHAPE("pool-define-as-args", AsArgs, define_as_rows);

static const Row create_as_rows[] = {
	AS_ROWS,
	FLAG(AsArgs, build, NULL, .doc = "build the pool first"),
	FLAG(AsArgs, overwrite, NULL, .doc = "overwrite any existing data"),
	FLAG(AsArgs, no_overwrite, NULL, .doc = "do not overwrite any existing data"),
};
static const Shape create_as_args = SHAPE("pool-create-as-args", AsArgs, create_as_rows);

static void put_source(const AsArgs *args, Pool *pool)
{
	PoolSource *source = pool->source = shape_new(&pool_source_shape);
	if (args->source_host) {
		PoolHost *host = shape_new(&pool_host_shape);
		host->name = g_strdup(args->source_host);
		shape_append(&source->hosts, &pool_host_shape, host);
	}
	if (args->source_dev) {
		PoolDevice *device = shape_new(&pool_device_shape);
		device->path = g_strdup(args->source_dev);
		shape_append(&source->devices, &pool_device_shape, device);
	}
	source->dir = g_strdup(args->source_path);
	source->name = g_strdup(args->source_name);
	source->format = g_strdup(args->source_format);
	source->initiator = g_strdup(args->source_initiator);
	source->protocol_ver = g_strdup(args->source_protocol_ver);
}

static void put_login(const AsArgs *args, PoolSource *source)
{
	if (!args->auth_type)
		return;
	source->auth = shape_new(&pool_auth_shape);
	source->auth->type = g_strdup(args->auth_type);
	source->auth->username = g_strdup(args->auth_username);
	source->auth->secret = shape_new(&secret_ref_shape);
	source->auth->secret->usage = g_strdup(args->secret_usage);
	source->auth->secret->uuid = g_strdup(args->secret_uuid);
}

static void put_adapter(const AsArgs *args, PoolSource *source)
{
	if (!args->adapter_name && !args->adapter_wwnn)
		return;
	PoolAdapter *adapter = source->adapter = shape_new(&pool_adapter_shape);
	adapter->type = g_strdup(args->adapter_wwnn ? "fc_host" : "scsi_host");
	adapter->name = g_strdup(args->adapter_name);
	adapter->wwnn = g_strdup(args->adapter_wwnn);
	adapter->wwpn = g_strdup(args->adapter_wwpn);
	adapter->parent = g_strdup(args->adapter_parent);
	adapter->parent_wwnn = g_strdup(args->adapter_parent_wwnn);
	adapter->parent_wwpn = g_strdup(args->adapter_parent_wwpn);
	adapter->parent_fabric_wwn = g_strdup(args->adapter_parent_fabric_wwn);
}

static char *as_document(const AsArgs *args, GError **error)
{
	g_autoptr(Pool) pool = shape_new(&pool_shape);
	pool->type = (PoolType)enum_value(&pool_types, args->type);
	if (!pool->type) {
		g_autofree char *choices = enum_choices(&pool_types);
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is no type of pool; it is one of %s", args->type,
		     choices);
		return NULL;
	}
	pool->name = g_strdup(args->name);
	put_source(args, pool);
	put_login(args, pool->source);
	put_adapter(args, pool->source);
	if (args->target) {
		pool->target = shape_new(&pool_target_shape);
		pool->target->path = g_strdup(args->target);
	}
	return pool_to_xml(pool, SHAPE_XML_SECRETS);
}

/* Takes @xml. */
static gboolean print_only(OpCall *call, char *xml)
{
	MadeAs *as = call->result;
	as->text = g_strchomp(xml);
	as->made.name = g_strdup(((const AsArgs *)call->args)->name);
	return TRUE;
}

static void tell_done(OpCall *call, const char *what)
{
	MadeAs *as = call->result;
	as->text = g_strdup_printf("Pool %s %s", as->made.name, what);
}

static gboolean define_as(OpCall *call, GError **error)
{
	const AsArgs *args = call->args;
	g_autofree char *xml = as_document(args, error);
	if (xml && args->print_xml)
		return print_only(call, g_steal_pointer(&xml));
	if (!xml || !define_text(call, xml, 0, error))
		return FALSE;
	tell_done(call, "defined");
	return TRUE;
}

static gboolean create_as(OpCall *call, GError **error)
{
	const AsArgs *args = call->args;
	BuildArgs how = { .build = args->build, .overwrite = args->overwrite,
			  .no_overwrite = args->no_overwrite };
	g_autofree char *xml = as_document(args, error);
	if (xml && args->print_xml)
		return print_only(call, g_steal_pointer(&xml));
	if (!xml || !create_text(call, xml, &how, error))
		return FALSE;
	tell_done(call, "created");
	return TRUE;
}

static const Op ops[] = {
	{ .name = "pool-define", .route = "/v1/pools", POOL_NEW, .args = &define_args,
	  .said = "Pool {name} defined from {file}", .doc = "Define a storage pool, or change one",
	  .fn = define },
	{ .name = "pool-define-as", .route = "/v1/pools/define-as", .family = "Storage pools",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .method = "POST", .show = OP_SHOW_MESSAGE,
	  .args = &define_as_args, .result = &made_as_shape, .said = "{text}",
	  .doc = "Define a storage pool from words", .fn = define_as },
	{ .name = "pool-create", .route = "/v1/pools/create", POOL_NEW, .args = &create_args,
	  .said = "Pool {name} created from {file}",
	  .doc = "Start a storage pool that is forgotten when it is stopped", .fn = create },
	{ .name = "pool-create-as", .route = "/v1/pools/create-as", .family = "Storage pools",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .method = "POST", .show = OP_SHOW_MESSAGE,
	  .args = &create_as_args, .result = &made_as_shape, .said = "{text}",
	  .doc = "Start a storage pool from words, forgotten when it is stopped", .fn = create_as },
	{ .name = "pool-build", .route = "/v1/pools/{pool}/build", POOL_WRITE(OP_LANE),
	  .args = &build_args, .said = "Pool {pool} built",
	  .doc = "Make what a storage pool needs: folder, file system, label, group", .fn = build },
	{ .name = "pool-start", .route = "/v1/pools/{pool}/start", POOL_WRITE(OP_LANE),
	  .args = &build_start_args, .said = "Pool {pool} started", .doc = "Start a storage pool",
	  .fn = start },
	{ .name = "pool-destroy", .route = "/v1/pools/{pool}/stop", POOL_WRITE(OP_LANE),
	  .said = "Pool {pool} destroyed", .doc = "Stop a storage pool; what is in it stays",
	  .fn = op_object_stop },
	{ .name = "pool-delete", .route = "/v1/pools/{pool}/erase", POOL_WRITE(OP_LANE),
	  .args = &delete_args, .said = "Pool {pool} deleted",
	  .doc = "Remove what pool-build has made, with all that is in it", .fn = erase },
	{ .name = "pool-undefine", .family = "Storage pools", .target = OP_ON_POOL,
	  .perm = OP_PERM_WRITE, .lane = OP_LANE, .method = "DELETE", .route = "/v1/pools/{pool}",
	  .show = OP_SHOW_MESSAGE, .said = "Pool {pool} has been undefined",
	  .doc = "Forget the definition of a storage pool", .fn = undefine },
	{ .name = "pool-refresh", .route = "/v1/pools/{pool}/refresh", POOL_WRITE(OP_LANE),
	  .said = "Pool {pool} refreshed", .doc = "Look for changes of a storage pool", .fn = refresh },
	{ .name = "pool-autostart", .route = "/v1/pools/{pool}/autostart", POOL_WRITE(OP_LANE),
	  .args = &op_object_autostart_args, .result = &op_object_marked,
	  .said = "Pool {pool} {marked} as autostarted", .doc = "Start a storage pool with the host",
	  .fn = op_object_autostart },
};

const OpFamily op_family_pool = { ops, G_N_ELEMENTS(ops) };

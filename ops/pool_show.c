/* Verbs that show storage pools: from snapshots, so that no server is waited for.
 * Neighbours: pool.c changes them. */
#include "core/pools.h"
#include "ops/families.h"
#include "ops/objects.h"
#include "pool/files.h"

#include <string.h>

#define POOL_READ                                                                                  \
	.family = "Storage pools", .target = OP_ON_POOL, .perm = OP_PERM_READ, .lane = OP_READ,    \
	.method = "GET"

/* ---- list ---- */

typedef struct ListArgs {
	OpObjectFilter filter;
	gboolean details, uuid, name;
	char *type;
} ListArgs;

static const Row list_rows[] = {
	OP_FILTER_ROWS("pools"),
	STRING(ListArgs, type, NULL, .doc = "only list pools of these types, with a comma between"),
	FLAG(ListArgs, details, NULL, .doc = "display extended details for pools"),
	FLAG(ListArgs, uuid, NULL, .doc = "list UUIDs only"),
	FLAG(ListArgs, name, NULL, .doc = "list names only"),
};
static const Shape list_args = SHAPE("pool-list-args", ListArgs, list_rows);

typedef struct Listed {
	ShapeHead head;
	char *name, *uuid, *state;
	Tri autostart, persistent;
	PoolType type;
	OptUint capacity, allocation, available;
	gboolean details; /* not shown: the columns below it are */
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, name, NULL, .doc = "Name"),
	STRING(Listed, state, NULL, .doc = "State"),
	TRI(Listed, autostart, NULL, .doc = "Autostart"),
	TRI(Listed, persistent, NULL, .flags = ROW_INTERNAL, .doc = "Persistent"),
	SIZE(Listed, capacity, NULL, .flags = ROW_INTERNAL, .digits = 2, .doc = "Capacity"),
	SIZE(Listed, allocation, NULL, .flags = ROW_INTERNAL, .digits = 2, .doc = "Allocation"),
	SIZE(Listed, available, NULL, .flags = ROW_INTERNAL, .digits = 2, .doc = "Available"),
	UUID(Listed, uuid, NULL),
	ENUM(Listed, type, NULL, pool_types),
};
static const Shape listed_shape = SHAPE("pool-listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *pools;
} List;

static const Row list_result_rows[] = { LIST(List, pools, NULL, listed_shape) };
static const Shape list_result = SHAPE("pool-list", List, list_result_rows);

static const char *state_word(const ObjectSnap *snap)
{
	return snap->active ? "active" : "inactive";
}

static gboolean has_type(const ObjectSnap *snap, char *const *types)
{
	const Pool *pool = object_snap_document(snap, FALSE);
	return !types || g_strv_contains((const char *const *)types, enum_name(&pool_types, pool->type));
}

static Listed *listed_new(const ListArgs *args, const ObjectSnap *snap)
{
	Listed *listed = shape_new(&listed_shape);
	PoolState *state = pool_snap_state(snap);
	listed->name = g_strdup(snap->name);
	listed->uuid = g_strdup(snap->uuid);
	listed->state = g_strdup(args->details && snap->active ? "running" : state_word(snap));
	listed->autostart = op_tri(snap->autostart);
	listed->type = ((const Pool *)object_snap_document(snap, FALSE))->type;
	if (!args->details)
		return listed;
	listed->persistent = op_tri(snap->persistent);
	if (!state)
		return listed;
	PoolSizes sizes = pool_state_sizes(state);
	listed->capacity = OPT_UINT(sizes.capacity);
	listed->allocation = OPT_UINT(sizes.allocation);
	listed->available = OPT_UINT(sizes.available);
	return listed;
}

static gboolean check_types(char *const *types, GError **error)
{
	for (; types && *types; types++)
		if (!enum_value(&pool_types, *types))
			return fail(error, LODGE_ERROR_INVALID, "Invalid pool type '%s'", *types);
	return TRUE;
}

static gboolean list(OpCall *call, GError **error)
{
	const ListArgs *args = call->args;
	g_auto(GStrv) types = args->type ? g_strsplit(args->type, ",", -1) : NULL;
	if (!check_types(types, error))
		return FALSE;
	g_autoptr(GPtrArray) snaps = op_objects_wanted(call->core, CORE_POOL, &args->filter);
	for (guint i = 0; i < snaps->len; i++)
		if (has_type(snaps->pdata[i], types))
			shape_append(&((List *)call->result)->pools, &listed_shape,
				     listed_new(args, snaps->pdata[i]));
	return TRUE;
}

/* ---- info ---- */

typedef struct InfoArgs {
	ShapeHead head;
	gboolean bytes;
} InfoArgs;

static const Row info_arg_rows[] = {
	FLAG(InfoArgs, bytes, NULL, .doc = "sizes in bytes"),
};
static const Shape info_args = SHAPE("pool-info-args", InfoArgs, info_arg_rows);

typedef struct Info {
	ShapeHead head;
	char *name, *uuid, *state;
	Tri persistent, autostart, active;
	PoolType type;
	OptUint capacity, allocation, available, volumes;
	OptUint capacity_bytes, allocation_bytes, available_bytes; /* with --bytes */
} Info;

static const Row info_rows[] = {
	STRING(Info, name, NULL, .doc = "Name"),
	UUID(Info, uuid, NULL, .doc = "UUID"),
	STRING(Info, state, NULL, .doc = "State"),
	TRI(Info, persistent, NULL, .doc = "Persistent"),
	TRI(Info, autostart, NULL, .doc = "Autostart"),
	SIZE(Info, capacity, NULL, .digits = 2, .doc = "Capacity"),
	SIZE(Info, allocation, NULL, .digits = 2, .doc = "Allocation"),
	SIZE(Info, available, NULL, .digits = 2, .doc = "Available"),
	UINT(Info, capacity_bytes, NULL, .doc = "Capacity"),
	UINT(Info, allocation_bytes, NULL, .doc = "Allocation"),
	UINT(Info, available_bytes, NULL, .doc = "Available"),
	TRI(Info, active, NULL),
	ENUM(Info, type, NULL, pool_types),
	UINT(Info, volumes, NULL),
};
static const Shape info_shape = SHAPE("pool-info", Info, info_rows);

static void put_sizes(Info *info, PoolState *state, gboolean bytes)
{
	PoolSizes sizes = pool_state_sizes(state);
	*(bytes ? &info->capacity_bytes : &info->capacity) = OPT_UINT(sizes.capacity);
	*(bytes ? &info->allocation_bytes : &info->allocation) = OPT_UINT(sizes.allocation);
	*(bytes ? &info->available_bytes : &info->available) = OPT_UINT(sizes.available);
	info->volumes = OPT_UINT(pool_state_count(state));
}

static gboolean info(OpCall *call, G_GNUC_UNUSED GError **error)
{
	Info *result = call->result;
	const InfoArgs *args = call->args;
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	PoolState *state = pool_snap_state(snap);
	result->name = g_strdup(snap->name);
	result->uuid = g_strdup(snap->uuid);
	result->state = g_strdup(snap->active ? "running" : "inactive");
	result->active = op_tri(snap->active);
	result->persistent = op_tri(snap->persistent);
	result->autostart = op_tri(snap->autostart);
	result->type = ((const Pool *)object_snap_document(snap, FALSE))->type;
	if (state)
		put_sizes(result, state, args->bytes);
	return TRUE;
}

/* ---- names, documents ---- */

/* Of an active pool, the folder's own count, not what it was to be built with. */
static void put_folder(Pool *pool, PoolState *state)
{
	PoolFolder folder = pool_state_folder(state);
	if (!folder.mode || !pool->target)
		return;
	shape_free(&storage_permissions_shape, pool->target->permissions);
	pool->target->permissions = pool_permissions(folder.mode, folder.owner, folder.group, folder.label);
}

static gboolean dumpxml(OpCall *call, G_GNUC_UNUSED GError **error)
{
	const OpDumpArgs *args = call->args;
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	g_autoptr(Pool) pool = pool_copy(object_snap_document(snap, args->inactive));
	PoolState *state = args->inactive ? NULL : pool_snap_state(snap);
	PoolSizes sizes = state ? pool_state_sizes(state) : (PoolSizes){ 0 };
	pool->capacity = OPT_UINT(sizes.capacity);
	pool->allocation = OPT_UINT(sizes.allocation);
	pool->available = OPT_UINT(sizes.available);
	if (state)
		put_folder(pool, state);
	return op_tell_text(call, pool_to_xml(pool, SHAPE_XML_LIVE));
}

/* ---- lookup, for other doors ---- */

typedef struct LookupArgs {
	OpMade by;
	char *path;
} LookupArgs;

static const Row lookup_rows[] = {
	STRING(OpMade, name, NULL, .doc = "by name"),
	UUID(OpMade, uuid, NULL, .doc = "by uuid"),
	STRING(LookupArgs, path, NULL, .doc = "by the folder of an active one"),
};
static const Shape lookup_args = SHAPE("pool-lookup-args", LookupArgs, lookup_rows);

static CoreObject *at_path(Core *core, const char *path, GError **error)
{
	g_autoptr(GPtrArray) pools = core_object_all(core, CORE_POOL);
	g_autofree char *tidy = g_canonicalize_filename(path, "/");
	for (guint i = 0; i < pools->len; i++) {
		g_autoptr(ObjectSnap) snap = core_object_snap(pools->pdata[i]);
		if (snap->active && !g_strcmp0(pool_path(object_snap_document(snap, FALSE)), tidy))
			return core_object_ref(pools->pdata[i]);
	}
	fail(error, LODGE_ERROR_NOT_FOUND, "no storage pool with matching target path '%s'", path);
	return NULL;
}

static gboolean lookup(OpCall *call, GError **error)
{
	const LookupArgs *args = call->args;
	if (args->path && (args->by.name || args->by.uuid))
		return fail(error, LODGE_ERROR_INVALID, "choose one of --name, --uuid and --path");
	return args->path ? op_tell_made(call, at_path(call->core, args->path, error)) :
			    op_object_lookup(call, error);
}

/* ---- what the host has ---- */

static gboolean capabilities(OpCall *call, G_GNUC_UNUSED GError **error)
{
	return op_tell_text(call, pool_capabilities());
}

typedef struct FindArgs {
	ShapeHead head;
	char *type, *srcSpec, *host, *port, *initiator;
} FindArgs;

#define TYPE_ROW                                                                                   \
	STRING(FindArgs, type, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,                       \
	       .doc = "type of storage pool sources to discover")

static const Row find_rows[] = {
	TYPE_ROW,
	RAWXML(FindArgs, srcSpec, NULL, .flags = ROW_POSITIONAL,
	       .doc = "file with a <source> document that says where to look"),
};
static const Shape find_args = SHAPE("find-sources-args", FindArgs, find_rows);

static const Row find_as_rows[] = {
	TYPE_ROW,
	STRING(FindArgs, host, NULL, .flags = ROW_POSITIONAL, .doc = "server to ask"),
	STRING(FindArgs, port, NULL, .flags = ROW_POSITIONAL, .doc = "its port"),
	STRING(FindArgs, initiator, NULL, .flags = ROW_POSITIONAL,
	       .doc = "name of this host for iSCSI"),
};
static const Shape find_as_args = SHAPE("find-sources-as-args", FindArgs, find_as_rows);

static gboolean find_with(OpCall *call, const char *spec, GError **error)
{
	const FindArgs *args = call->args;
	PoolType type = (PoolType)enum_value(&pool_types, args->type);
	if (!type)
		return fail(error, LODGE_ERROR_INVALID, "unknown storage pool type %s", args->type);
	return op_tell_text(call, pool_find_sources(type, spec, error));
}

static gboolean find(OpCall *call, GError **error)
{
	return find_with(call, ((const FindArgs *)call->args)->srcSpec, error);
}

static gboolean find_as(OpCall *call, GError **error)
{
	const FindArgs *args = call->args;
	PoolSource *source = shape_new(&pool_source_shape);
	gboolean asked = args->host || args->initiator;
	if (args->host) {
		PoolHost *host = shape_new(&pool_host_shape);
		host->name = g_strdup(args->host);
		if (args->port)
			host->port = OPT_UINT(g_ascii_strtoull(args->port, NULL, 10));
		shape_append(&source->hosts, &pool_host_shape, host);
	}
	source->initiator = g_strdup(args->initiator);
	g_autofree char *spec = asked ? shape_to_xml(&pool_source_shape, "source", source, 0) : NULL;
	shape_free(&pool_source_shape, source);
	return find_with(call, spec, error);
}

static const Op ops[] = {
	{ .name = "pool-list", .family = "Storage pools", .method = "GET", .route = "/v1/pools",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &list_args, .result = &list_result,
	  .show = OP_SHOW_CUSTOM, .doc = "List storage pools: active ones, or more", .fn = list },
	{ .name = "pool-info", .route = "/v1/pools/{pool}", POOL_READ, .args = &info_args,
	  .result = &info_shape, .show = OP_SHOW_FIELDS, .doc = "Show state and sizes of a storage pool",
	  .fn = info },
	{ .name = "pool-dumpxml", .route = "/v1/pools/{pool}/xml", POOL_READ, .args = &op_object_dump_args,
	  .result = &op_text, .show = OP_SHOW_TEXT, .doc = "Show a storage pool as libvirt's XML",
	  .fn = dumpxml },
	{ .name = "pool-name", .route = "/v1/pools/{pool}/name", POOL_READ, .result = &op_text,
	  .show = OP_SHOW_TEXT, .doc = "Show the name of a storage pool", .fn = op_object_name },
	{ .name = "pool-uuid", .route = "/v1/pools/{pool}/uuid", POOL_READ, .result = &op_text,
	  .show = OP_SHOW_TEXT, .doc = "Show the uuid of a storage pool", .fn = op_object_uuid },
	{ .name = "pool-lookup", .family = "Storage pools", .makes = OP_ON_POOL, .method = "GET",
	  .route = "/v1/pool-lookup", .perm = OP_PERM_READ, .lane = OP_READ, .args = &lookup_args,
	  .result = &op_object_made, .show = OP_SHOW_FIELDS, .doc = "Find a storage pool", .fn = lookup },
	{ .name = "pool-capabilities", .family = "Storage pools", .method = "GET",
	  .route = "/v1/pool-capabilities", .perm = OP_PERM_READ, .lane = OP_BESIDE,
	  .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show which types of storage pools this host can have", .fn = capabilities },
	{ .name = "find-storage-pool-sources", .family = "Storage pools", .method = "POST",
	  .route = "/v1/pool-sources", .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &find_args,
	  .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Look for what storage pools could be made of", .fn = find },
	{ .name = "find-storage-pool-sources-as", .family = "Storage pools", .method = "POST",
	  .route = "/v1/pool-sources-as", .perm = OP_PERM_WRITE, .lane = OP_BESIDE,
	  .args = &find_as_args, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Look for what storage pools could be made of", .fn = find_as },
};

const OpFamily op_family_pool_show = { ops, G_N_ELEMENTS(ops) };

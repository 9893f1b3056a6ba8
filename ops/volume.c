/* Verbs that show volumes of storage pools. Lists come from what is known; sizes of local files are asked
 * of the file system again, for guests write to them.
 * Neighbours: volume_work.c changes volumes. */
#include "ops/volume.h"
#include "ops/families.h"

#include <string.h>

#define VOLUME_READ                                                                                \
	.family = "Volumes", .perm = OP_PERM_READ, .lane = OP_BESIDE, .method = "GET"

CoreVolume *op_volume_find(OpCall *call, const char *pool, guint by, const char *text, GError **error)
{
	CoreVolume *found = core_volume_find(call->core, pool, by, text, error);
	g_autoptr(CoreObject) object =
		found || !pool ? NULL : core_object_find(call->core, CORE_POOL, pool, NULL);
	gboolean lacks_pool = !found && pool && !object;
	if (lacks_pool)
		call->missing = OP_ON_POOL;
	if (!found && error && g_error_matches(*error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND))
		error_detail(error, LODGE_DETAIL_TARGET, lacks_pool ? "pool" : "vol");
	return found;
}

CoreVolume *op_volume(OpCall *call, GError **error)
{
	const VolumeArg *args = call->args;
	return op_volume_find(call, args->pool, VOLUME_BY_NAME | VOLUME_BY_KEY | VOLUME_BY_PATH, args->vol,
			      error);
}

static const Row made_rows[] = {
	STRING(VolumeMade, name, NULL, .doc = "Name"),
	STRING(VolumeMade, pool, NULL, .doc = "Pool"),
	STRING(VolumeMade, key, NULL, .doc = "Key"),
	STRING(VolumeMade, path, NULL, .doc = "Path"),
	STRING(VolumeMade, text, NULL, .flags = ROW_INTERNAL),
};
const Shape volume_made_shape = SHAPE("volume-made", VolumeMade, made_rows);

void volume_tell(VolumeMade *made, const CoreVolume *volume)
{
	made->name = g_strdup(volume->volume->name);
	made->pool = g_strdup(volume->snap->name);
	made->key = g_strdup(pool_volume_key(volume->volume));
	made->path = g_strdup(volume->volume->path);
}

/* ---- list ---- */

typedef struct ListArgs {
	ShapeHead head;
	gboolean details;
} ListArgs;

static const Row list_rows[] = {
	FLAG(ListArgs, details, NULL, .doc = "display extended details for volumes"),
};
static const Shape list_args = SHAPE("vol-list-args", ListArgs, list_rows);

typedef struct Listed {
	ShapeHead head;
	char *name, *path, *key, *format;
	VolumeType type;
	OptUint capacity, allocation;
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, name, NULL, .doc = "Name"),
	STRING(Listed, path, NULL, .doc = "Path"),
	ENUM(Listed, type, NULL, volume_types, .flags = ROW_INTERNAL, .doc = "Type"),
	SIZE(Listed, capacity, NULL, .flags = ROW_INTERNAL, .digits = 2, .doc = "Capacity"),
	SIZE(Listed, allocation, NULL, .flags = ROW_INTERNAL, .digits = 2, .doc = "Allocation"),
	STRING(Listed, key, NULL),
	STRING(Listed, format, NULL),
};
static const Shape listed_shape = SHAPE("volume-listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	char *pool;
	GPtrArray *volumes;
} List;

static const Row list_result_rows[] = {
	LIST(List, volumes, NULL, listed_shape),
	STRING(List, pool, NULL),
};
static const Shape list_result = SHAPE("volume-list", List, list_result_rows);

static gint by_name(gconstpointer a, gconstpointer b)
{
	const PoolVolume *x = *(PoolVolume *const *)a, *y = *(PoolVolume *const *)b;
	gint order = g_ascii_strcasecmp(x->name, y->name);
	return order ? order : strcmp(x->name, y->name);
}

static Listed *listed_new(const ListArgs *args, OpCall *call, const ObjectSnap *snap, PoolVolume *known)
{
	Listed *listed = shape_new(&listed_shape);
	listed->name = g_strdup(known->name);
	listed->path = g_strdup(known->path);
	listed->key = g_strdup(pool_volume_key(known));
	if (!args->details)
		return listed;
	g_autoptr(PoolVolume) now = core_volume_now(call->core, snap, known);
	listed->type = now->type;
	listed->format = g_strdup(now->format);
	listed->capacity = OPT_UINT(now->capacity);
	listed->allocation = OPT_UINT(now->allocation);
	return listed;
}

static gboolean list(OpCall *call, GError **error)
{
	List *result = call->result;
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	PoolState *state = pool_snap_state(snap);
	if (!state)
		return fail(error, LODGE_ERROR_STATE, "storage pool '%s' is not active", snap->name);
	g_autoptr(GPtrArray) volumes = pool_state_list(state);
	g_ptr_array_sort(volumes, by_name);
	result->pool = g_strdup(snap->name);
	for (guint i = 0; i < volumes->len; i++)
		shape_append(&result->volumes, &listed_shape,
			     listed_new(call->args, call, snap, volumes->pdata[i]));
	return TRUE;
}

/* ---- one volume ---- */

typedef struct OneArgs {
	VOLUME_MEMBERS;
	gboolean bytes, physical, uuid;
} OneArgs;

static const Row one_rows[] = { VOLUME_ROWS(OneArgs) };
static const Shape one_args = SHAPE("volume-args", OneArgs, one_rows);

static const Row info_arg_rows[] = {
	VOLUME_ROWS(OneArgs),
	FLAG(OneArgs, bytes, NULL, .doc = "sizes are represented in bytes"),
	FLAG(OneArgs, physical, NULL, .doc = "show the physical size instead of the allocation"),
};
static const Shape info_args = SHAPE("vol-info-args", OneArgs, info_arg_rows);

typedef struct Info {
	ShapeHead head;
	char *name, *pool, *format, *path, *key;
	VolumeType type;
	OptUint capacity, allocation, physical;
	char *capacity_bytes, *allocation_bytes, *physical_bytes;
} Info;

static const Row info_rows[] = {
	STRING(Info, name, NULL, .doc = "Name"),
	ENUM(Info, type, NULL, volume_types, .doc = "Type"),
	SIZE(Info, capacity, NULL, .digits = 2, .doc = "Capacity"),
	SIZE(Info, allocation, NULL, .digits = 2, .doc = "Allocation"),
	SIZE(Info, physical, NULL, .digits = 2, .doc = "Physical"),
	STRING(Info, capacity_bytes, NULL, .doc = "Capacity"),
	STRING(Info, allocation_bytes, NULL, .doc = "Allocation"),
	STRING(Info, physical_bytes, NULL, .doc = "Physical"),
	STRING(Info, pool, NULL),
	STRING(Info, format, NULL),
	STRING(Info, path, NULL),
	STRING(Info, key, NULL),
};
static const Shape info_shape = SHAPE("volume-info", Info, info_rows);

static char *in_bytes(guint64 bytes)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes);
}

static void put_sizes(Info *result, const OneArgs *args, const PoolVolume *now)
{
	if (args->bytes) {
		result->capacity_bytes = in_bytes(now->capacity);
		*(args->physical ? &result->physical_bytes : &result->allocation_bytes) =
			in_bytes(args->physical ? now->physical : now->allocation);
		return;
	}
	result->capacity = OPT_UINT(now->capacity);
	if (args->physical)
		result->physical = OPT_UINT(now->physical);
	else
		result->allocation = OPT_UINT(now->allocation);
}

static gboolean info(OpCall *call, GError **error)
{
	Info *result = call->result;
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (!volume)
		return FALSE;
	if (core_volume_vanished(volume))
		return fail(error, LODGE_ERROR_NOT_FOUND, "no storage vol with matching path '%s'",
			    volume->volume->path);
	g_autoptr(PoolVolume) now = core_volume_now(call->core, volume->snap, volume->volume);
	result->name = g_strdup(now->name);
	result->type = now->type;
	result->pool = g_strdup(volume->snap->name);
	result->format = g_strdup(now->format);
	result->path = g_strdup(now->path);
	result->key = g_strdup(pool_volume_key(volume->volume));
	put_sizes(result, call->args, now);
	return TRUE;
}

typedef struct Text {
	ShapeHead head;
	char *text, *name, *uuid;
} Text;

static const Row text_rows[] = {
	STRING(Text, text, NULL, .doc = "Text"),
	STRING(Text, name, NULL),
	UUID(Text, uuid, NULL),
};
static const Shape text_shape = SHAPE("volume-text", Text, text_rows);

static gboolean dumpxml(OpCall *call, GError **error)
{
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	g_autoptr(Volume) document = volume ? core_volume_document(volume, error) : NULL;
	if (document)
		((Text *)call->result)->text = volume_to_xml(document);
	return document != NULL;
}

static gboolean vol_path(OpCall *call, GError **error)
{
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (volume)
		((Text *)call->result)->text = g_strdup(volume->volume->path);
	return volume != NULL;
}

static gboolean vol_key(OpCall *call, GError **error)
{
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (volume)
		((Text *)call->result)->text = g_strdup(pool_volume_key(volume->volume));
	return volume != NULL;
}

static gboolean vol_name(OpCall *call, GError **error)
{
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (volume)
		((Text *)call->result)->text = g_strdup(volume->volume->name);
	return volume != NULL;
}

static const Row pool_arg_rows[] = {
	VOLUME_ROWS(OneArgs),
	FLAG(OneArgs, uuid, NULL, .doc = "return the pool uuid rather than pool name"),
};
static const Shape pool_args = SHAPE("vol-pool-args", OneArgs, pool_arg_rows);

static gboolean vol_pool(OpCall *call, GError **error)
{
	const OneArgs *args = call->args;
	Text *result = call->result;
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (!volume)
		return FALSE;
	result->text = g_strdup(args->uuid ? volume->snap->uuid : volume->snap->name);
	result->name = g_strdup(volume->snap->name);
	result->uuid = g_strdup(volume->snap->uuid);
	return TRUE;
}

/* ---- lookup, for other doors ---- */

typedef struct LookupArgs {
	ShapeHead head;
	char *name, *pool, *key, *path;
} LookupArgs;

static const Row lookup_rows[] = {
	STRING(LookupArgs, name, NULL, .doc = "by name, in a pool"),
	STRING(LookupArgs, pool, NULL, .doc = "pool name or uuid"),
	STRING(LookupArgs, key, NULL, .doc = "by key"),
	STRING(LookupArgs, path, NULL, .doc = "by path"),
};
static const Shape lookup_args = SHAPE("vol-lookup-args", LookupArgs, lookup_rows);

static gboolean lookup(OpCall *call, GError **error)
{
	const LookupArgs *args = call->args;
	guint by = args->name ? VOLUME_BY_NAME : args->key ? VOLUME_BY_KEY : VOLUME_BY_PATH;
	const char *text = args->name ? args->name : args->key ? args->key : args->path;
	if (!text || (args->name && !args->pool))
		return fail(error, LODGE_ERROR_INVALID, "choose --name with --pool, --key or --path");
	g_autoptr(CoreVolume) volume = op_volume_find(call, args->pool, by, text, error);
	if (volume)
		volume_tell(call->result, volume);
	return volume != NULL;
}

static const Op ops[] = {
	{ .name = "vol-list", .family = "Volumes", .target = OP_ON_POOL, .method = "GET",
	  .route = "/v1/pools/{pool}/volumes", .perm = OP_PERM_READ, .lane = OP_BESIDE,
	  .args = &list_args, .result = &list_result, .show = OP_SHOW_TABLE,
	  .doc = "List the volumes of a storage pool", .fn = list },
	{ .name = "vol-info", .route = "/v1/volumes/info", VOLUME_READ, .args = &info_args,
	  .result = &info_shape, .show = OP_SHOW_FIELDS, .doc = "Show type and sizes of a volume",
	  .fn = info },
	{ .name = "vol-dumpxml", .route = "/v1/volumes/xml", VOLUME_READ, .args = &one_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show a volume as libvirt's XML",
	  .fn = dumpxml },
	{ .name = "vol-path", .route = "/v1/volumes/path", VOLUME_READ, .args = &one_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show the path of a volume",
	  .fn = vol_path },
	{ .name = "vol-key", .route = "/v1/volumes/key", VOLUME_READ, .args = &one_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show the key of a volume", .fn = vol_key },
	{ .name = "vol-name", .route = "/v1/volumes/name", VOLUME_READ, .args = &one_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show the name of a volume",
	  .fn = vol_name },
	{ .name = "vol-pool", .route = "/v1/volumes/pool", VOLUME_READ, .args = &pool_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show the storage pool of a volume",
	  .fn = vol_pool },
	{ .name = "vol-lookup", .family = "Volumes", .method = "GET", .route = "/v1/volumes/lookup",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &lookup_args, .result = &volume_made_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Find a volume", .fn = lookup },
};

const OpFamily op_family_volume = { ops, G_N_ELEMENTS(ops) };

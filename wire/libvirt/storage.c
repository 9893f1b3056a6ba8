/* See storage.h. */
#include "wire/libvirt/objects.h"
#include "wire/libvirt/storage.h"

#include <string.h>

/* virConnectListAllStoragePoolsFlags: types follow those of all lists, in the order of pool_types. */
#define LIST_TYPES_AT 6
#define POOL_RUNNING 2	 /* virStoragePoolState */
#define INFO_PHYSICAL 1	 /* virStorageVolInfoFlags */

/* ---- lists ---- */

/* "dir,fs": the words of the bits that ask for types; NULL: all. */
static char *types_of(guint64 flags)
{
	GString *types = g_string_new(NULL);
	const Op *op = op_find("pool-list");
	const EnumTable *table = NULL;
	const Shape *item = op->result->rows[0].of;
	for (guint i = 0; i < item->n; i++)
		if (item->rows[i].kind == ROW_ENUM)
			table = item->rows[i].of;
	for (guint type = 1; table && type < table->n; type++)
		if (flags & (1u << (LIST_TYPES_AT + type - 1)))
			g_string_append_printf(types, "%s%s", types->len ? "," : "", table->names[type]);
	return g_string_free(types, types->len == 0);
}

gboolean lv_before_pools(LvCall *call, OpCall *op, GError **error)
{
	LV_ARG(char *, op, "type") = types_of(lv_arg(call, "flags")->u);
	return lv_before_objects(call, op, error);
}

gboolean lv_after_volumes(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	const char *pool = LV_RESULT(char *, op, "pool");
	gsize name = (gsize)lv_member(shape, NULL, "name"), key = (gsize)lv_member(shape, NULL, "key");
	guint sent = lv_list_wanted(call, list);
	WireValue *items = lv_put_list(call, lv_put(call, "vols"), sent, 3);
	for (guint i = 0; i < sent; i++) {
		const guint8 *item = list->pdata[i];
		items[i].set = TRUE;
		items[i].items[0].s = pool;
		items[i].items[1].s = *(char *const *)(item + name);
		items[i].items[2].s = *(char *const *)(item + key);
	}
	return TRUE;
}

/* ---- pools ---- */

gboolean lv_after_pool_info(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "state")->i = LV_RESULT(Tri, op, "active") == TRI_YES ? POOL_RUNNING : 0;
	return TRUE;
}

/* ---- volumes ---- */

/* The argument "vol" or "clonevol": pool, name, key. */
static void name_volume(const WireValue *volume, OpCall *op, const char *vol, const char *pool)
{
	LV_ARG(char *, op, pool) = g_strdup(volume->items[0].s);
	LV_ARG(char *, op, vol) = g_strdup(volume->items[1].s);
}

gboolean lv_before_volume(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	name_volume(lv_arg(call, "vol"), op, "vol", "pool");
	return TRUE;
}

gboolean lv_before_pool_of_volume(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(char *, op, "name") = g_strdup(lv_arg(call, "vol")->items[0].s);
	return TRUE;
}

gboolean lv_before_clone(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	name_volume(lv_arg(call, "clonevol"), op, "vol", "inputpool");
	return TRUE;
}

gboolean lv_before_volume_in_pool(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const WireValue *pool = lv_arg(call, "pool");
	LV_ARG(char *, op, "pool") = lv_uuid_text(pool->items[1].bytes);
	return TRUE;
}

gboolean lv_before_volume_resize(LvCall *call, OpCall *op, GError **error)
{
	LV_ARG(char *, op, "capacity") =
		g_strdup_printf("%" G_GUINT64_FORMAT, lv_arg(call, "capacity")->u);
	return lv_before_volume(call, op, error);
}

gboolean lv_before_volume_wipe(LvCall *call, OpCall *op, GError **error)
{
	guint64 algorithm = lv_arg(call, "algorithm")->u;
	if (algorithm > 9) /* VIR_STORAGE_VOL_WIPE_ALG_TRIM */
		return lv_fail(error, LV_ERR_INVALID_ARG, "wiping algorithm %u is not known",
			       (guint)algorithm);
	LV_ARG(int, op, "algorithm") = (int)algorithm + 1;
	return lv_before_volume(call, op, error);
}

gboolean lv_after_volume_info(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	OptUint physical = LV_RESULT(OptUint, op, "physical");
	lv_put(call, "type")->i = LV_RESULT(int, op, "type") - 1; /* virStorageVolType */
	lv_put(call, "capacity")->u = LV_RESULT(OptUint, op, "capacity").v;
	lv_put(call, "allocation")->u =
		physical.set ? physical.v : LV_RESULT(OptUint, op, "allocation").v;
	return TRUE;
}

/* ---- bytes ---- */

gboolean lv_before_transfer(LvCall *call, OpCall *op, GError **error)
{
	op->takes_transfer = TRUE;
	return lv_before_volume(call, op, error);
}

gboolean lv_after_transfer(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_stream_open_transfer(call, g_steal_pointer(&op->transfer), lv_arg(call, "flags")->u & 1);
	return TRUE;
}

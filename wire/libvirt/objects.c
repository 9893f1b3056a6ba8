/* See objects.h. */
#include "wire/libvirt/objects.h"

/* virConnectListAllNetworksFlags; pools have the same */
static const LvListBits object_bits = { .inactive = 1 << 0, .active = 1 << 1, .persistent = 1 << 2,
					.transient = 1 << 3, .autostart = 1 << 4, .no_autostart = 1 << 5 };

const GPtrArray *lv_listed(const OpCall *op, const Shape **shape)
{
	static const GPtrArray none;
	const Shape *result = op->op->result;
	for (guint i = 0; i < result->n; i++) {
		const Row *row = &result->rows[i];
		if (row->kind != ROW_LIST)
			continue;
		const GPtrArray *list = *(GPtrArray *const *)((const char *)op->result + row->offset);
		if (shape)
			*shape = row->of;
		return list ? list : &none;
	}
	g_assert_not_reached();
}

guint lv_list_wanted(LvCall *call, const GPtrArray *list)
{
	lv_put(call, "ret")->u = list->len;
	return lv_arg(call, "need_results")->i ? list->len : 0;
}

gboolean lv_only(guint64 flags, guint this, guint other)
{
	return (flags & this) && !(flags & other);
}

void lv_list_filter(OpCall *op, guint64 flags, const LvListBits *bits)
{
	LV_ARG(gboolean, op, "inactive") = lv_only(flags, bits->inactive, bits->active);
	LV_ARG(gboolean, op, "all") = !lv_only(flags, bits->inactive, bits->active) &&
				      !lv_only(flags, bits->active, bits->inactive);
	LV_ARG(gboolean, op, "persistent") = (flags & bits->persistent) != 0;
	LV_ARG(gboolean, op, "transient") = (flags & bits->transient) != 0;
	if (lv_only(flags, bits->autostart, bits->no_autostart))
		LV_ARG(Tri, op, "autostart") = TRI_YES;
	else if (lv_only(flags, bits->no_autostart, bits->autostart))
		LV_ARG(Tri, op, "autostart") = TRI_NO;
}

gboolean lv_before_objects(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_list_filter(op, lv_arg(call, "flags")->u, &object_bits);
	return TRUE;
}

gboolean lv_before_inactive_objects(G_GNUC_UNUSED LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(gboolean, op, "inactive") = TRUE;
	return TRUE;
}

gboolean lv_after_objects(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	const WireType *type = wire_type(call->proc->reply)->fields[0].type;
	guint sent = lv_list_wanted(call, list);
	WireValue *items = lv_put_list(call, &call->reply[0], sent, type->n);
	for (guint i = 0; i < sent; i++)
		lv_put_object(&call->arena, &items[i], type, shape, list->pdata[i]);
	return TRUE;
}

gboolean lv_after_count(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "num")->i = (gint64)lv_listed(op, NULL)->len;
	return TRUE;
}

/* At most as many as the argument @most says, of the items' @member. */
static gboolean put_texts(LvCall *call, const OpCall *op, const char *field, const char *most,
			  const char *member)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	guint n = (guint)CLAMP(lv_arg(call, most)->i, 0, (gint64)list->len);
	WireValue *texts = lv_put_list(call, lv_put(call, field), n, 0);
	for (guint i = 0; i < n; i++)
		texts[i].s = LV_MEMBER(char *, shape, list->pdata[i], member);
	return TRUE;
}

gboolean lv_after_names(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	return put_texts(call, op, "names", "maxnames", "name");
}

gboolean lv_after_uuids(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	return put_texts(call, op, "uuids", "maxuuids", "uuid");
}

/* See network.h. */
#include "wire/libvirt/network.h"
#include "wire/libvirt/objects.h"
#include "model/network.h"

#include <string.h>

#define UPDATE_LIVE 1	/* virNetworkUpdateFlags */
#define UPDATE_CONFIG 2

gboolean lv_after_bridge_name(LvCall *call, OpCall *op, GError **error)
{
	const char *bridge = LV_RESULT(char *, op, "bridge");
	if (!bridge)
		return lv_fail(error, LV_ERR_INTERNAL, "network '%s' does not have a bridge name.",
			       LV_RESULT(char *, op, "name"));
	lv_put(call, "name")->s = bridge;
	return TRUE;
}

gboolean lv_before_network_update(LvCall *call, OpCall *op, GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u;
	int command = (int)lv_arg(call, "command")->u, section = (int)lv_arg(call, "section")->u;
	g_autoptr(GError) why = NULL;
	if (!network_updates(command, section, &why))
		return lv_fail(error, LV_ERR_OPERATION_UNSUPPORTED, "Operation not supported: %s",
			       why->message);
	LV_ARG(char *, op, "command") = g_strdup(enum_name(&network_commands, command));
	LV_ARG(char *, op, "section") = g_strdup(enum_name(&network_sections, section));
	LV_ARG(OptInt, op, "parent_index") = OPT_INT(MAX(lv_arg(call, "parentIndex")->i, -1));
	LV_ARG(gboolean, op, "live") = (flags & UPDATE_LIVE) != 0;
	LV_ARG(gboolean, op, "config") = (flags & UPDATE_CONFIG) != 0;
	return TRUE;
}

/* ---- leases ---- */

static void put_text(WireValue *value, const char *text)
{
	value->s = text;
	value->set = text != NULL;
}

gboolean lv_after_leases(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	guint sent = lv_list_wanted(call, list);
	WireValue *items = lv_put_list(call, lv_put(call, "leases"), sent, 9);
	for (guint i = 0; i < sent; i++) {
		gpointer lease = list->pdata[i];
		WireValue *fields = items[i].items;
		items[i].set = TRUE;
		put_text(&fields[0], LV_MEMBER(char *, shape, lease, "bridge"));
		fields[1].i = LV_MEMBER(OptInt, shape, lease, "expiry").v;
		fields[2].i = g_str_equal(LV_MEMBER(char *, shape, lease, "protocol"), "ipv6");
		put_text(&fields[3], LV_MEMBER(char *, shape, lease, "mac"));
		put_text(&fields[4], LV_MEMBER(char *, shape, lease, "iaid"));
		put_text(&fields[5], LV_MEMBER(char *, shape, lease, "ip"));
		fields[6].u = LV_MEMBER(OptUint, shape, lease, "prefix").v;
		put_text(&fields[7], LV_MEMBER(char *, shape, lease, "hostname"));
		put_text(&fields[8], LV_MEMBER(char *, shape, lease, "clientid"));
	}
	return TRUE;
}

/* ---- ports: a port is its network and a uuid ---- */

gboolean lv_after_network_port(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	WireValue *uuid = lv_put(call, "uuid");
	*lv_put(call, "net") = *lv_arg(call, "net");
	uuid->bytes = lv_uuid_bytes(&call->arena, LV_RESULT(char *, op, "uuid"));
	uuid->n = 16;
	return TRUE;
}

gboolean lv_after_network_ports(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape;
	const GPtrArray *list = lv_listed(op, &shape);
	guint sent = lv_list_wanted(call, list);
	WireValue *items = lv_put_list(call, lv_put(call, "ports"), sent, 2);
	for (guint i = 0; i < sent; i++) {
		items[i].set = TRUE;
		items[i].items[0] = *lv_arg(call, "net");
		items[i].items[1].bytes =
			lv_uuid_bytes(&call->arena, LV_MEMBER(char *, shape, list->pdata[i], "uuid"));
		items[i].items[1].n = 16;
	}
	return TRUE;
}

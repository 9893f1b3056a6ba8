/* Node devices: rows of procedures, and what they cannot say.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "model/nodedev.h"
#include "wire/libvirt/internal.h"

/* virConnectListAllNodeDeviceFlags: a bit for each capability, and */
#define INACTIVE (1u << 30)
#define ACTIVE (1u << 31)
#define CAPABILITIES ((1u << 22) - 1)

static const GPtrArray *listed(const OpCall *op)
{
	static const GPtrArray none;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "devices");
	return list ? list : &none;
}

static gboolean before_list(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	guint32 flags = (guint32)lv_arg(call, "flags")->u, which = flags & (ACTIVE | INACTIVE);
	g_autoptr(GString) caps = g_string_new(NULL);
	for (guint cap = 1; enum_name(&node_caps, (int)cap); cap++)
		if (flags & NODE_BIT(cap))
			g_string_append_printf(caps, "%s%s", caps->len ? "," : "", enum_name(&node_caps,
											     (int)cap));
	if (caps->len)
		LV_ARG(char *, op, "cap") = g_strdup(caps->str);
	LV_ARG(gboolean, op, "inactive") = which == INACTIVE;
	LV_ARG(gboolean, op, "all") = !which || which == (ACTIVE | INACTIVE);
	return TRUE;
}

static gboolean after_list(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const GPtrArray *list = listed(op);
	const Shape *shape = op->op->result->rows[0].of;
	const WireType *type = wire_type("dev:node_device")->fields[0].type;
	guint n = lv_arg(call, "need_results")->i ? list->len : 0;
	WireValue *items = lv_put_list(call, lv_put(call, "devices"), n, type->n);
	for (guint i = 0; i < n; i++)
		lv_put_object(&call->arena, &items[i], type, shape, g_ptr_array_index(list, i));
	lv_put(call, "ret")->u = list->len;
	return TRUE;
}

static gboolean before_old_list(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const WireValue *cap = lv_arg(call, "cap");
	if (cap->set)
		LV_ARG(char *, op, "cap") = g_strdup(cap->s);
	return TRUE;
}

static gboolean after_count(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "num")->i = listed(op)->len;
	return TRUE;
}

static void put_names(LvCall *call, const GPtrArray *names)
{
	gint64 most = lv_arg(call, "maxnames")->i;
	guint n = most <= 0 ? 0 : (guint)MIN((gint64)shape_len(names), most);
	WireValue *items = lv_put_list(call, lv_put(call, "names"), n, 0);
	for (guint i = 0; i < n; i++)
		items[i].s = g_ptr_array_index(names, i);
}

static gboolean after_names(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const GPtrArray *list = listed(op);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < list->len; i++)
		g_ptr_array_add(names, LV_MEMBER(char *, op->op->result->rows[0].of,
						 g_ptr_array_index(list, i), "name"));
	put_names(call, names);
	return TRUE;
}

static gboolean after_caps(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	put_names(call, LV_RESULT(GPtrArray *, op, "capabilities"));
	return TRUE;
}

static gboolean after_num_of_caps(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "num")->i = shape_len(LV_RESULT(GPtrArray *, op, "capabilities"));
	return TRUE;
}

/* A pair of names stands for the adapter that has them. */
static gboolean before_wwn(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	op->target = g_strdup_printf("%s,%s", lv_arg(call, "wwnn")->s, lv_arg(call, "wwpn")->s);
	return TRUE;
}

static void put_tri(LvCall *call, const char *field, OpCall *op, const char *member)
{
	lv_put(call, field)->i = LV_RESULT(Tri, op, member) == TRI_YES;
}

static gboolean after_autostart(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	put_tri(call, "autostart", op, "autostart");
	return TRUE;
}

static gboolean after_persistent(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	put_tri(call, "persistent", op, "persistent");
	return TRUE;
}

static gboolean after_active(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	put_tri(call, "active", op, "active");
	return TRUE;
}

static gboolean before_autostart(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(gboolean, op, "disable") = !lv_arg(call, "autostart")->i;
	return TRUE;
}

#define DEV "dev:node_device"
#define NAME "name:str"

/* clang-format off */
static const LvProc rows[] = {
	{ 111, "node_num_of_devices", "cap:str? flags:u32", "num:i32", .op = "nodedev-list",
	  .before = before_old_list, .after = after_count },
	{ 112, "node_list_devices", "cap:str? maxnames:i32 flags:u32", "names:str<65536>",
	 .op = "nodedev-list",
	  .before = before_old_list, .after = after_names },
	{ 285, "connect_list_all_node_devices", "need_results:i32 flags:u32",
	  "devices:node_device<65536> ret:u32", .op = "nodedev-list",
	  .flags = CAPABILITIES | ACTIVE | INACTIVE, .before = before_list, .after = after_list },
	{ 113, "node_device_lookup_by_name", NAME, DEV, .op = "nodedev-lookup" },
	{ 297, "node_device_lookup_scsi_host_by_wwn", "wwnn:str wwpn:str flags:u32", DEV,
	  .op = "nodedev-lookup", .before = before_wwn },
	{ 114, "node_device_get_xml_desc", NAME " flags:u32", "xml:str", .op = "nodedev-dumpxml",
	  .give = "xml=text" },
	{ 115, "node_device_get_parent", NAME, "parentName:str?", .op = "nodedev-info",
	  .give = "parentName=parent" },
	{ 116, "node_device_num_of_caps", NAME, "num:i32", .op = "nodedev-info", .after = after_num_of_caps },
	{ 117, "node_device_list_caps", NAME " maxnames:i32", "names:str<65536>", .op = "nodedev-info",
	  .after = after_caps },
	{ 118, "node_device_dettach", NAME, "", .op = "nodedev-detach" },
	{ 301, "node_device_detach_flags", NAME " driverName:str? flags:u32", "", .op = "nodedev-detach",
	  .take = "driver=driverName" },
	{ 119, "node_device_re_attach", NAME, "", .op = "nodedev-reattach" },
	{ 120, "node_device_reset", NAME, "", .op = "nodedev-reset" },
	{ 123, "node_device_create_xml", "xml_desc:str flags:u32", DEV, .op = "nodedev-create", .flags = 1,
	  .take = "xml=xml_desc validate=flags&1" },
	{ 124, "node_device_destroy", NAME, "", .op = "nodedev-destroy" },
	{ 428, "node_device_define_xml", "xml_desc:str flags:u32", DEV, .op = "nodedev-define", .flags = 1,
	  .take = "xml=xml_desc validate=flags&1" },
	{ 429, "node_device_undefine", NAME " flags:u32", "", .op = "nodedev-undefine" },
	{ 430, "node_device_create", NAME " flags:u32", "", .op = "nodedev-start" },
	{ 433, "node_device_get_autostart", NAME, "autostart:i32", .op = "nodedev-info",
	  .after = after_autostart },
	{ 434, "node_device_set_autostart", NAME " autostart:i32", "", .op = "nodedev-autostart",
	  .before = before_autostart },
	{ 435, "node_device_is_persistent", NAME, "persistent:i32", .op = "nodedev-info",
	  .after = after_persistent },
	{ 436, "node_device_is_active", NAME, "active:i32", .op = "nodedev-info", .after = after_active },
	{ 374, "connect_node_device_event_register_any", "eventID:i32 dev:node_device?", "callbackID:i32",
	  .fn = lv_nodedev_event_register },
	{ 375, "connect_node_device_event_deregister_any", "callbackID:i32", "",
	  .fn = lv_object_event_deregister },
};
/* clang-format on */

const LvProcs lv_procs_nodedev = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };

/* Interfaces of the host: rows of procedures.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/objects.h"

#define IFACE "iface:interface"
#define IFACE_FLAGS "iface:interface flags:u32"
#define NO_IFACE .missing = LV_ERR_NO_INTERFACE

/* virConnectListAllInterfacesFlags */
#define LIST_INACTIVE 1
#define LIST_ACTIVE 2

static gboolean before_list(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u;
	LV_ARG(gboolean, op, "inactive") = lv_only(flags, LIST_INACTIVE, LIST_ACTIVE);
	LV_ARG(gboolean, op, "all") = !lv_only(flags, LIST_INACTIVE, LIST_ACTIVE) &&
				      !lv_only(flags, LIST_ACTIVE, LIST_INACTIVE);
	return TRUE;
}

/* clang-format off */
static const LvProc rows[] = {
	{ 126, "connect_num_of_interfaces", "", "num:i32", .op = "iface-list", .after = lv_after_count },
	{ 127, "connect_list_interfaces", "maxnames:i32", "names:str<16384>", .op = "iface-list",
	  .after = lv_after_names },
	{ 137, "connect_num_of_defined_interfaces", "", "num:i32", .op = "iface-list",
	  .before = lv_before_inactive_objects, .after = lv_after_count },
	{ 138, "connect_list_defined_interfaces", "maxnames:i32", "names:str<16384>", .op = "iface-list",
	  .before = lv_before_inactive_objects, .after = lv_after_names },
	{ 284, "connect_list_all_interfaces", "need_results:i32 flags:u32",
	  "ifaces:interface<16384> ret:u32", .op = "iface-list", .flags = LIST_INACTIVE | LIST_ACTIVE,
	  .before = before_list, .after = lv_after_objects },
	{ 128, "interface_lookup_by_name", "name:str", IFACE, .op = "iface-lookup", .take = "name=name",
	  NO_IFACE },
	{ 129, "interface_lookup_by_mac_string", "mac:str", IFACE, .op = "iface-lookup", .take = "mac=mac",
	  NO_IFACE, .several = LV_ERR_MULTIPLE_INTERFACES },
	{ 130, "interface_get_xml_desc", IFACE_FLAGS, "xml:str", .op = "iface-dumpxml", .flags = 1,
	  .take = "inactive=flags&1", .give = "xml=text" },
	{ 131, "interface_define_xml", "xml:str flags:u32", IFACE, .op = "iface-define", .flags = 1,
	  .take = "xml=xml validate=flags&1" },
	{ 132, "interface_undefine", IFACE, "", .op = "iface-undefine" },
	{ 133, "interface_create", IFACE_FLAGS, "", .op = "iface-start" },
	{ 134, "interface_destroy", IFACE_FLAGS, "", .op = "iface-destroy" },
	{ 156, "interface_is_active", IFACE, "active:i32", .op = "iface-info", .give = "active=active" },
	{ 220, "interface_change_begin", "flags:u32", "", .op = "iface-begin" },
	{ 221, "interface_change_commit", "flags:u32", "", .op = "iface-commit" },
	{ 222, "interface_change_rollback", "flags:u32", "", .op = "iface-rollback" },
};
/* clang-format on */

const LvProcs lv_procs_interface = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };

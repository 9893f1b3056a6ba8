/* Networks and their ports: rows of procedures. On the wire a port is its network and its uuid.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/network.h"
#include "wire/libvirt/objects.h"

#define NET "net:network"
#define NET_FLAGS "net:network flags:u32"
#define NET_PORT "net:network uuid:uuid"
#define NO_NET .missing = LV_ERR_NO_NETWORK
#define NO_PORT .missing = LV_ERR_NO_NETWORK_PORT

/* clang-format off */
static const LvProc rows[] = {
	/* ---- finding networks ---- */
	{ 36, "connect_list_defined_networks", "maxnames:i32", "names:str<16384>", .op = "net-list",
	  .before = lv_before_inactive_objects, .after = lv_after_names },
	{ 38, "connect_list_networks", "maxnames:i32", "names:str<16384>", .op = "net-list",
	  .after = lv_after_names },
	{ 46, "network_lookup_by_name", "name:str", NET, .op = "net-lookup", .take = "name=name", NO_NET },
	{ 47, "network_lookup_by_uuid", "uuid:uuid", NET, .op = "net-lookup", .take = "uuid=uuid", NO_NET },
	{ 50, "connect_num_of_defined_networks", "", "num:i32", .op = "net-list",
	  .before = lv_before_inactive_objects, .after = lv_after_count },
	{ 52, "connect_num_of_networks", "", "num:i32", .op = "net-list", .after = lv_after_count },
	{ 283, "connect_list_all_networks", "need_results:i32 flags:u32", "nets:network<16384> ret:u32",
	  .op = "net-list", .flags = LV_OBJECT_FLAGS, .before = lv_before_objects,
	  .after = lv_after_objects },

	/* ---- what a network is ---- */
	{ 43, "network_get_xml_desc", NET_FLAGS, "xml:str", .op = "net-dumpxml", .flags = 1,
	  .take = "inactive=flags&1", .give = "xml=text" },
	{ 44, "network_get_autostart", NET, "autostart:i32", .op = "net-info",
	  .give = "autostart=autostart" },
	{ 45, "network_get_bridge_name", NET, "name:str", .op = "net-info", .after = lv_after_bridge_name },
	{ 152, "network_is_active", NET, "active:i32", .op = "net-info", .give = "active=active" },
	{ 153, "network_is_persistent", NET, "persistent:i32", .op = "net-info",
	  .give = "persistent=persistent" },
	{ 341, "network_get_dhcp_leases", "net:network mac:str? need_results:i32 flags:u32",
	  "leases:network_dhcp_lease<65536> ret:u32", .op = "net-dhcp-leases", .take = "mac=mac",
	  .after = lv_after_leases, .refuses.invalid = LV_ERR_INVALID_MAC },

	/* ---- the life of a network ---- */
	{ 39, "network_create", NET, "", .op = "net-start" },
	{ 40, "network_create_xml", "xml:str", NET, .op = "net-create", .take = "xml=xml" },
	{ 41, "network_define_xml", "xml:str", NET, .op = "net-define", .take = "xml=xml" },
	{ 42, "network_destroy", NET, "", .op = "net-destroy" },
	{ 48, "network_set_autostart", "net:network autostart:i32", "", .op = "net-autostart",
	  .before = lv_before_autostart },
	{ 49, "network_undefine", NET, "", .op = "net-undefine" },
	{ 291, "network_update",
	  "net:network command:u32 section:u32 parentIndex:i32 xml:str flags:u32", "",
	  .op = "net-update", .flags = 3, .take = "xml=xml", .before = lv_before_network_update },
	{ 432, "network_define_xml_flags", "xml:str flags:u32", NET, .op = "net-define", .flags = 1,
	  .take = "xml=xml validate=flags&1" },
	{ 437, "network_create_xml_flags", "xml:str flags:u32", NET, .op = "net-create", .flags = 1,
	  .take = "xml=xml validate=flags&1" },

	/* ---- events ---- */
	{ 313, "connect_network_event_register_any", "eventID:i32 net:network?", "callbackID:i32",
	  .fn = lv_network_event_register },
	{ 314, "connect_network_event_deregister_any", "callbackID:i32", "",
	  .fn = lv_object_event_deregister },

	/* ---- ports ---- */
	{ 404, "network_list_all_ports", "net:network need_results:i32 flags:u32",
	  "ports:network_port<16384> ret:u32", .op = "net-port-list", .after = lv_after_network_ports },
	{ 405, "network_port_lookup_by_uuid", NET_PORT, NET_PORT, .op = "net-port-lookup",
	  .take = "port=uuid", .after = lv_after_network_port, NO_PORT },
	{ 406, "network_port_create_xml", "net:network xml:str flags:u32", NET_PORT,
	  .op = "net-port-create", .flags = 3, .take = "xml=xml validate=flags&2",
	  .after = lv_after_network_port, .exists = LV_ERR_NETWORK_PORT_EXIST },
	{ 407, "network_port_get_parameters", "net:network uuid:uuid nparams:i32 flags:u32",
	  "params:typed_param<16> nparams:i32", .op = "net-port-limits", .take = "port=uuid",
	  .after = lv_after_params, NO_PORT },
	{ 408, "network_port_set_parameters", "net:network uuid:uuid params:typed_param<16> flags:u32", "",
	  .op = "net-port-update", .take = "port=uuid", .before = lv_take_params, NO_PORT },
	{ 409, "network_port_get_xml_desc", "net:network uuid:uuid flags:u32", "xml:str",
	  .op = "net-port-dumpxml", .take = "port=uuid", .give = "xml=text", NO_PORT },
	{ 410, "network_port_delete", "net:network uuid:uuid flags:u32", "", .op = "net-port-delete",
	  .take = "port=uuid", NO_PORT },
};
/* clang-format on */

const LvProcs lv_procs_network = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };

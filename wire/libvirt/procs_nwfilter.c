/* Network filters and their bindings: rows of procedures, and what rows cannot say.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/objects.h"

#define FILTER "nwfilter:nwfilter"
#define BINDING "nwfilter:nwfilter_binding"
#define NO_FILTER .missing = LV_ERR_NO_NWFILTER
#define NO_BINDING .missing = LV_ERR_NO_NWFILTER_BINDING

/* The binding's port is no target of verbs but an argument. */
static gboolean before_binding(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	LV_ARG(char *, op, "binding") = g_strdup(lv_arg(call, "nwfilter")->items[0].s);
	return TRUE;
}

static gboolean after_binding(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const WireType *type = wire_type(BINDING)->fields[0].type;
	lv_put_object(&call->arena, lv_put(call, "nwfilter"), type, op->op->result, op->result);
	return TRUE;
}

/* clang-format off */
static const LvProc rows[] = {
	{ 178, "connect_num_of_nwfilters", "", "num:i32", .op = "nwfilter-list",
	  .after = lv_after_count },
	{ 179, "connect_list_nwfilters", "maxnames:i32", "names:str<16384>", .op = "nwfilter-list",
	  .after = lv_after_names },
	{ 286, "connect_list_all_nwfilters", "need_results:i32 flags:u32",
	  "filters:nwfilter<16384> ret:u32", .op = "nwfilter-list", .after = lv_after_objects },
	{ 175, "nwfilter_lookup_by_name", "name:str", FILTER, .op = "nwfilter-lookup",
	  .take = "name=name", NO_FILTER },
	{ 176, "nwfilter_lookup_by_uuid", "uuid:uuid", FILTER, .op = "nwfilter-lookup",
	  .take = "uuid=uuid", NO_FILTER },
	{ 177, "nwfilter_get_xml_desc", FILTER " flags:u32", "xml:str", .op = "nwfilter-dumpxml",
	  .give = "xml=text" },
	{ 180, "nwfilter_define_xml", "xml:str", FILTER, .op = "nwfilter-define", .take = "xml=xml" },
	{ 431, "nwfilter_define_xml_flags", "xml:str flags:u32", FILTER, .op = "nwfilter-define",
	  .flags = 1, .take = "xml=xml validate=flags&1" },
	{ 181, "nwfilter_undefine", FILTER, "", .op = "nwfilter-undefine" },

	{ 401, "connect_list_all_nwfilter_bindings", "need_results:i32 flags:u32",
	  "bindings:nwfilter_binding<16384> ret:u32", .op = "nwfilter-binding-list",
	  .after = lv_after_objects },
	{ 397, "nwfilter_binding_lookup_by_port_dev", "name:str", BINDING,
	  .op = "nwfilter-binding-lookup", .take = "binding=name", .after = after_binding, NO_BINDING },
	{ 398, "nwfilter_binding_get_xml_desc", BINDING " flags:u32", "xml:str",
	  .op = "nwfilter-binding-dumpxml", .give = "xml=text", .before = before_binding, NO_BINDING },
	{ 399, "nwfilter_binding_create_xml", "xml:str flags:u32", BINDING,
	  .op = "nwfilter-binding-create", .flags = 1, .take = "xml=xml validate=flags&1",
	  .after = after_binding },
	{ 400, "nwfilter_binding_delete", BINDING, "", .op = "nwfilter-binding-delete",
	  .before = before_binding, NO_BINDING },
};
/* clang-format on */

const LvProcs lv_procs_nwfilter = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };

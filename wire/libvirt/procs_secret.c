/* Secrets: rows of procedures, and what they cannot say.
 * How to read a row: internal.h, LvProc; signatures: codec.h; the list of tables: procs.c. */
#include "wire/libvirt/objects.h"

#include <string.h>

/* virConnectListAllSecretsFlags */
enum { EPHEMERAL = 1, NO_EPHEMERAL = 2, PRIVATE = 4, NO_PRIVATE = 8 };

static gboolean before_list(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u;
	LV_ARG(gboolean, op, "ephemeral") = (flags & EPHEMERAL) != 0;
	LV_ARG(gboolean, op, "no_ephemeral") = (flags & NO_EPHEMERAL) != 0;
	LV_ARG(gboolean, op, "private") = (flags & PRIVATE) != 0;
	LV_ARG(gboolean, op, "no_private") = (flags & NO_PRIVATE) != 0;
	return TRUE;
}

static gboolean before_set(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const WireValue *value = lv_arg(call, "value");
	LV_ARG(char *, op, "base64") = g_base64_encode(value->bytes, value->n);
	return TRUE;
}

static gboolean after_get(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	gsize n = 0;
	guchar *bytes = g_base64_decode(LV_RESULT(char *, op, "base64"), &n);
	guint8 *copy = wire_alloc(&call->arena, n + 1);
	memcpy(copy, bytes, n);
	explicit_bzero(bytes, n);
	g_free(bytes);
	WireValue *value = lv_put(call, "value");
	value->bytes = copy;
	value->n = (guint32)n;
	return TRUE;
}

#define SECRET "secret:secret"
#define NO_SECRET .missing = LV_ERR_NO_SECRET

/* clang-format off */
static const LvProc rows[] = {
	{ 139, "connect_num_of_secrets", "", "num:i32", .op = "secret-list", .after = lv_after_count },
	{ 140, "connect_list_secrets", "maxuuids:i32", "uuids:str<16384>", .op = "secret-list",
	  .after = lv_after_uuids },
	{ 141, "secret_lookup_by_uuid", "uuid:uuid", SECRET, .op = "secret-lookup", .take = "uuid=uuid",
	  NO_SECRET },
	{ 142, "secret_define_xml", "xml:str flags:u32", SECRET, .op = "secret-define", .flags = 1,
	  .take = "xml=xml validate=flags&1" },
	{ 143, "secret_get_xml_desc", SECRET " flags:u32", "xml:str", .op = "secret-dumpxml",
	  .give = "xml=text" },
	{ 144, "secret_set_value", SECRET " value:opaque<65536> flags:u32", "", .op = "secret-set-value",
	  .before = before_set },
	{ 145, "secret_get_value", SECRET " flags:u32", "value:opaque<65536>", .op = "secret-get-value",
	  .after = after_get, NO_SECRET },
	{ 146, "secret_undefine", SECRET, "", .op = "secret-undefine" },
	{ 147, "secret_lookup_by_usage", "usageType:i32 usageID:str", SECRET, .op = "secret-lookup",
	  .take = "type=usageType usage=usageID", NO_SECRET },
	{ 287, "connect_list_all_secrets", "need_results:i32 flags:u32", "secrets:secret<16384> ret:u32",
	  .op = "secret-list", .flags = 15, .before = before_list, .after = lv_after_objects },
	{ 380, "connect_secret_event_register_any", "eventID:i32 secret:secret?", "callbackID:i32",
	  .fn = lv_secret_event_register },
	{ 381, "connect_secret_event_deregister_any", "callbackID:i32", "",
	  .fn = lv_object_event_deregister },
};
/* clang-format on */

const LvProcs lv_procs_secret = { LV_REMOTE, rows, G_N_ELEMENTS(rows) };

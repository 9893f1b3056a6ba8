/* The verb that shows what QEMU is told for a definition. Neighbours: engine/ builds the command line. */
#include "core/core.h"
#include "ops/families.h"

static const EnumTable formats = ENUM_TABLE("native format", "qemu-argv");

typedef struct NativeArgs {
	ShapeHead head;
	int format;
	char *xml;
	char *domain;
} NativeArgs;

static const Row native_rows[] = {
	ENUM(NativeArgs, format, NULL, formats, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "qemu-argv"),
	RAWXML(NativeArgs, xml, NULL, .flags = ROW_POSITIONAL, .doc = "document of a guest"),
	STRING(NativeArgs, domain, NULL, .doc = "instead of a document: name, id or uuid of a guest"),
};

static gboolean check_native(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const NativeArgs *args = object;
	if (args->xml && args->domain)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
				 "Options --domain and --xml are mutually exclusive");
	return args->xml || args->domain ||
	       fail(error, LODGE_ERROR_INVALID, "need either domain or domain XML");
}
static const Shape native_args =
	SHAPE("domxml-to-native-args", NativeArgs, native_rows, .check = check_native);

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("native", Text, text_rows);

static gboolean to_native(OpCall *call, GError **error)
{
	const NativeArgs *args = call->args;
	g_autoptr(CoreGuest) known = args->domain ? core_find(call->core, args->domain, error) : NULL;
	g_autoptr(Definition) definition = known ? core_guest_definition(known, TRUE, error) : NULL;
	if (args->domain && !definition)
		return FALSE;
	g_autoptr(Guest) guest = definition ? guest_copy(definition->guest)
					    : guest_from_xml(args->xml, -1, NULL, &call->notes, error);
	char *text = guest ? core_native(call->core, guest, &call->notes, error) : NULL;
	((Text *)call->result)->text = text;
	return text != NULL;
}

static const Op ops[] = {
	{ .name = "domxml-to-native", .family = "Guests", .method = "POST", .route = "/v1/native",
	  .perm = OP_PERM_SECRET, .lane = OP_BESIDE, .args = &native_args, .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show the command line of QEMU for a guest", .fn = to_native },
};

const OpFamily op_family_native = { ops, G_N_ELEMENTS(ops) };

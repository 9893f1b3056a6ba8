/* Verbs that tell what a guest is called: by name, uuid or id alone, where the target of other verbs
 * is whichever of the three fits. */
#include "core/core.h"
#include "ops/families.h"

typedef struct LookupArgs {
	ShapeHead head;
	char *name, *uuid;
	OptInt id;
} LookupArgs;

static const Row lookup_rows[] = {
	STRING(LookupArgs, name, NULL, .doc = "the guest of this name"),
	UUID(LookupArgs, uuid, NULL, .doc = "the guest with this UUID"),
	INT(LookupArgs, id, NULL, .max = G_MAXINT, .doc = "the running guest with this id"),
};
static const Shape lookup_args = SHAPE("lookup-args", LookupArgs, lookup_rows);

typedef struct Ids {
	ShapeHead head;
	char *name, *uuid;
	OptInt id;
} Ids;

static const Row ids_rows[] = {
	STRING(Ids, name, NULL, .doc = "Name"),
	UUID(Ids, uuid, NULL, .doc = "UUID"),
	INT(Ids, id, NULL, .doc = "Id"),
};
static const Shape ids_shape = SHAPE("ids", Ids, ids_rows);

static gboolean tell(OpCall *call, CoreGuest *guest)
{
	Ids *ids = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	ids->name = g_strdup(snap->name);
	ids->uuid = g_strdup(snap->uuid);
	if (snap->id >= 0)
		ids->id = OPT_INT(snap->id);
	return TRUE;
}

static gboolean lookup(OpCall *call, GError **error)
{
	const LookupArgs *args = call->args;
	if (!!args->name + !!args->uuid + args->id.set != 1)
		return fail(error, LODGE_ERROR_INVALID, "say one of --name, --uuid and --id");
	g_autofree char *id = args->id.set ? g_strdup_printf("%" G_GINT64_FORMAT, args->id.v) : NULL;
	CoreFindBy by = args->name ? CORE_BY_NAME : args->uuid ? CORE_BY_UUID : CORE_BY_ID;
	const char *key = args->name ? args->name : args->uuid ? args->uuid : id;
	g_autoptr(CoreGuest) guest = core_find_by(call->core, by, key, error);
	return guest && tell(call, guest);
}

static gboolean ids(OpCall *call, G_GNUC_UNUSED GError **error)
{
	return tell(call, call->guest);
}

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL) };
static const Shape text_shape = SHAPE("identity", Text, text_rows);

static gboolean domid(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	((Text *)call->result)->text = snap->id >= 0 ? g_strdup_printf("%d", snap->id) : g_strdup("-");
	return TRUE;
}

static gboolean domname(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	((Text *)call->result)->text = g_strdup(snap->name);
	return TRUE;
}

static gboolean domuuid(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	((Text *)call->result)->text = g_strdup(snap->uuid);
	return TRUE;
}

#define TELL                                                                                       \
	.family = "Guests", .method = "GET", .target = OP_ON_GUEST, .perm = OP_PERM_READ,          \
	.lane = OP_READ, .result = &text_shape, .show = OP_SHOW_TEXT

static const Op ops[] = {
	{ .name = "domid", .route = "/v1/guests/{guest}/id", TELL, .doc = "Show a guest's id",
	  .fn = domid },
	{ .name = "domname", .route = "/v1/guests/{guest}/name", TELL, .doc = "Show a guest's name",
	  .fn = domname },
	{ .name = "domuuid", .route = "/v1/guests/{guest}/uuid", TELL, .doc = "Show a guest's UUID",
	  .fn = domuuid },
	{ .name = "lookup", .family = "Guests", .method = "GET", .route = "/v1/lookup",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &lookup_args, .result = &ids_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Find a guest by its name, UUID or id alone", .fn = lookup },
	{ .name = "ids", .family = "Guests", .method = "GET", .route = "/v1/guests/{guest}/ids",
	  .target = OP_ON_GUEST, .perm = OP_PERM_READ, .lane = OP_READ, .result = &ids_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show a guest's name, UUID and id", .fn = ids },
};

const OpFamily op_family_guest_ids = { ops, G_N_ELEMENTS(ops) };

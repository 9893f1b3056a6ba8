/* Verbs of secrets; names, options and messages are virsh's. A value travels as base64, for it may be any
 * bytes. Neighbours: core/secrets.h keeps them; cli/secret.c reads values from files and terminals. */
#include "core/secrets.h"
#include "ops/families.h"
#include "ops/objects.h"

#include <string.h>

/* ---- list ---- */

typedef struct ListArgs {
	ShapeHead head;
	gboolean ephemeral, no_ephemeral, private_only, no_private;
	gboolean all; /* every list has it; here it changes nothing */
} ListArgs;

static const Row list_rows[] = {
	FLAG(ListArgs, ephemeral, NULL, .doc = "list ephemeral secrets"),
	FLAG(ListArgs, no_ephemeral, NULL, .doc = "list non-ephemeral secrets"),
	{ .kind = ROW_FLAG, .name = "private", .offset = SHAPE_OFFSET(ListArgs, private_only, gboolean),
	  .doc = "list private secrets" },
	FLAG(ListArgs, no_private, NULL, .doc = "list non-private secrets"),
	FLAG(ListArgs, all, NULL, .doc = "list all secrets, which it does anyway"),
};
static const Shape list_args = SHAPE("secret-list-args", ListArgs, list_rows);

typedef struct Listed {
	ShapeHead head;
	char *uuid, *usage; /* "ceph client.admin" */
	char *name;	    /* the same as uuid: how lists of objects are completed */
	int usageType;	    /* the protocol's words; 0: none */
	char *usageID;
	Tri ephemeral, is_private;
} Listed;

static const Row listed_rows[] = {
	UUID(Listed, uuid, NULL, .doc = "UUID"),
	STRING(Listed, usage, NULL, .doc = "Usage"),
	STRING(Listed, name, NULL),
	ENUM(Listed, usageType, NULL, secret_types),
	STRING(Listed, usageID, NULL),
	TRI(Listed, ephemeral, NULL),
	{ .kind = ROW_TRI, .name = "private", .offset = SHAPE_OFFSET(Listed, is_private, Tri) },
};
static const Shape listed_shape = SHAPE("secret-listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *secrets;
} List;

static const Row list_result_rows[] = { LIST(List, secrets, NULL, listed_shape) };
static const Shape list_result = SHAPE("secret-list", List, list_result_rows);

static void fill(Listed *listed, const char *uuid, const Secret *secret)
{
	const char *id = secret_usage_id(secret);
	listed->uuid = g_strdup(uuid);
	listed->name = g_strdup(uuid);
	listed->usageType = secret->usage ? (int)secret->usage->type : 0;
	listed->usageID = g_strdup(id ? id : "");
	listed->usage = id ? g_strdup_printf("%s %s", enum_name(&secret_types, listed->usageType), id) :
			     g_strdup("Unused");
	listed->ephemeral = op_tri(secret->ephemeral == TRI_YES);
	listed->is_private = op_tri(secret->is_private == TRI_YES);
}

/* Whether a filter with its opposite lets @is through: neither or both say nothing. */
static gboolean passes(gboolean yes, gboolean no, Tri is)
{
	return yes == no || yes == (is == TRI_YES);
}

static gboolean list(OpCall *call, G_GNUC_UNUSED GError **error)
{
	const ListArgs *args = call->args;
	List *result = call->result;
	g_autoptr(GPtrArray) snaps =
		core_object_list(call->core, CORE_SECRET, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		const Secret *secret = object_snap_document(snap, FALSE);
		if (!secret || !passes(args->ephemeral, args->no_ephemeral, secret->ephemeral) ||
		    !passes(args->private_only, args->no_private, secret->is_private))
			continue;
		Listed *listed = shape_new(&listed_shape);
		fill(listed, snap->uuid, secret);
		shape_append(&result->secrets, &listed_shape, listed);
	}
	return TRUE;
}

/* ---- one of them ---- */

/* What makes or finds one answers: the protocol's fields, and the uuid for people. */
static const Row found_rows[] = {
	UUID(Listed, uuid, NULL, .doc = "UUID"),
	ENUM(Listed, usageType, NULL, secret_types, .doc = "Usage type"),
	STRING(Listed, usageID, NULL, .doc = "Usage"),
};
static const Shape found_shape = SHAPE("secret-found", Listed, found_rows);

static void tell(OpCall *call, CoreObject *object)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	const Secret *secret = object_snap_document(snap, FALSE);
	Listed all = { 0 }, *result = call->result;
	if (!secret)
		return;
	fill(&all, snap->uuid, secret);
	result->uuid = g_steal_pointer(&all.uuid);
	result->usageID = g_steal_pointer(&all.usageID);
	result->usageType = all.usageType;
	shape_clear(&listed_shape, &all);
}

static const Row define_rows[] = { OP_XML_ROWS("secret") };
static const Shape define_args = SHAPE("secret-define-args", OpXmlArgs, define_rows);

static gboolean define(OpCall *call, GError **error)
{
	const OpXmlArgs *args = call->args;
	g_autoptr(CoreObject) secret =
		core_secret_define(call->core, args->xml, args->validate ? CORE_OBJECT_VALIDATE : 0,
				   &call->notes, error);
	if (secret)
		tell(call, secret);
	return secret != NULL;
}

static gboolean find(OpCall *call, G_GNUC_UNUSED GError **error)
{
	tell(call, call->object);
	return TRUE;
}

typedef struct UsageArgs {
	ShapeHead head;
	OptInt type;
	char *usage, *uuid;
} UsageArgs;

static const Row usage_rows[] = {
	INT(UsageArgs, type, NULL,
	    .doc = "number of the usage type: 1 volume, 2 ceph, 3 iscsi, 4 tls, 5 vtpm"),
	STRING(UsageArgs, usage, NULL, .doc = "what it is for"),
	UUID(UsageArgs, uuid, NULL, .doc = "the secret with this uuid, instead"),
};
static const Shape usage_args = SHAPE("secret-lookup-args", UsageArgs, usage_rows);

static gboolean find_by_uuid(OpCall *call, const char *uuid, GError **error)
{
	g_autoptr(CoreObject) secret =
		core_object_find_by(call->core, CORE_SECRET, CORE_BY_UUID, uuid, NULL);
	if (!secret)
		return fail(error, LODGE_ERROR_NOT_FOUND, "no secret with matching uuid '%s'", uuid);
	tell(call, secret);
	return TRUE;
}

static gboolean find_by_usage(OpCall *call, GError **error)
{
	const UsageArgs *args = call->args;
	if (args->uuid)
		return find_by_uuid(call, args->uuid, error);
	if (!args->type.set || !args->usage)
		return fail(error, LODGE_ERROR_INVALID, "say --uuid, or --type and --usage");
	g_autoptr(GPtrArray) all = core_object_all(call->core, CORE_SECRET);
	for (guint i = 0; i < all->len; i++) {
		g_autoptr(ObjectSnap) snap = core_object_snap(all->pdata[i]);
		const Secret *secret = object_snap_document(snap, FALSE);
		const char *id = secret ? secret_usage_id(secret) : NULL;
		if (!id || (int)secret->usage->type != args->type.v || !g_str_equal(id, args->usage))
			continue;
		tell(call, all->pdata[i]);
		return TRUE;
	}
	return fail(error, LODGE_ERROR_NOT_FOUND, "no secret with matching usage '%s'", args->usage);
}

static gboolean dumpxml(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	const Secret *secret = object_snap_document(snap, FALSE);
	return op_tell_text(call, shape_to_xml(&secret_shape, "secret", secret, SHAPE_XML_LIVE));
}

static gboolean undefine(OpCall *call, GError **error)
{
	return core_secret_undefine(call->object, error);
}

/* ---- values ---- */

typedef struct Value {
	ShapeHead head;
	char *base64;
} Value;

static const Row value_rows[] = {
	STRING(Value, base64, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_EMPTY_OK,
	       .doc = "the value in base64"),
};
static const Shape value_args = SHAPE("secret-value-args", Value, value_rows);
static const Row read_rows[] = { STRING(Value, base64, NULL, .doc = "The value in base64") };
static const Shape value_shape = SHAPE("secret-value", Value, read_rows);

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

/* g_base64_decode() skips what it does not know: a typing mistake must not become another password. */
static gboolean is_base64(const char *text)
{
	gsize n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	gsize pad = strspn(text + n, "=");
	return text[n + pad] == '\0' && pad <= 2 && (n + pad) % 4 == 0;
}

static gboolean set_value(OpCall *call, GError **error)
{
	Value *args = call->args;
	gsize n = 0;
	g_strstrip(args->base64);
	if (!is_base64(args->base64))
		return fail(error, LODGE_ERROR_INVALID, "the value is not base64");
	guchar *bytes = g_base64_decode(args->base64, &n);
	gboolean ok = core_secret_set(call->object, bytes, n, error);
	explicit_bzero(bytes, n);
	g_free(bytes);
	wipe(args->base64);
	return ok;
}

static gboolean get_value(OpCall *call, GError **error)
{
	g_autoptr(GBytes) value = core_secret_get(call->object, error);
	if (!value)
		return FALSE;
	gsize n;
	const guchar *bytes = g_bytes_get_data(value, &n);
	((Value *)call->result)->base64 = g_base64_encode(bytes, n);
	return TRUE;
}

#define SECRET_OP .family = "Secrets", .target = OP_ON_SECRET

static const Op ops[] = {
	{ .name = "secret-list", .family = "Secrets", .method = "GET", .route = "/v1/secrets",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &list_args, .result = &list_result,
	  .show = OP_SHOW_TABLE, .doc = "List secrets", .fn = list },
	{ .name = "secret-define", .family = "Secrets", .method = "POST", .route = "/v1/secrets",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &define_args, .result = &found_shape,
	  .show = OP_SHOW_MESSAGE, .said = "Secret {uuid} created", .doc = "Define a secret, or change one",
	  .fn = define },
	{ .name = "secret-info", SECRET_OP, .method = "GET", .route = "/v1/secrets/{secret}",
	  .perm = OP_PERM_READ, .lane = OP_READ, .result = &found_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Show what a secret is for", .fn = find },
	{ .name = "secret-lookup", .family = "Secrets", .method = "GET", .route = "/v1/secrets/lookup",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &usage_args, .result = &found_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Find a secret by its uuid or by what it is for",
	  .fn = find_by_usage },
	{ .name = "secret-dumpxml", SECRET_OP, .method = "GET", .route = "/v1/secrets/{secret}/xml",
	  .perm = OP_PERM_READ, .lane = OP_READ, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show a secret's document", .fn = dumpxml },
	{ .name = "secret-set-value", SECRET_OP, .method = "POST", .route = "/v1/secrets/{secret}/value",
	  .perm = OP_PERM_WRITE, .lane = OP_LANE, .args = &value_args, .show = OP_SHOW_MESSAGE,
	  .said = "Secret value set", .doc = "Give a secret its value", .fn = set_value },
	{ .name = "secret-get-value", SECRET_OP, .method = "GET", .route = "/v1/secrets/{secret}/value",
	  .perm = OP_PERM_SECRET, .lane = OP_LANE, .result = &value_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Print a secret's value", .fn = get_value },
	{ .name = "secret-undefine", SECRET_OP, .method = "DELETE", .route = "/v1/secrets/{secret}",
	  .perm = OP_PERM_WRITE, .lane = OP_LANE, .show = OP_SHOW_MESSAGE, .said = "Secret {secret} deleted",
	  .doc = "Forget a secret and its value", .fn = undefine },
};

const OpFamily op_family_secret = { ops, G_N_ELEMENTS(ops) };

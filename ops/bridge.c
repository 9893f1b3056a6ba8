/* Verbs on bridges over NICs: what people did with brctl and files of configuration, without losing their
 * connection. Neighbours: core/hostnet.h does the work. */
#include "core/hostnet.h"
#include "ops/families.h"

#define TIMEOUT "60" /* seconds in which a change is to be confirmed */
#define BRIDGE_WRITE                                                                               \
	.family = "Bridges", .method = "POST", .perm = OP_PERM_WRITE, .lane = OP_BESIDE,           \
	.show = OP_SHOW_MESSAGE, .result = &said_shape, .said = "{said}"

typedef struct Said {
	ShapeHead head;
	char *said;
	OptUint left; /* seconds in which it is to be confirmed */
} Said;

static const Row said_rows[] = {
	STRING(Said, said, NULL, .doc = "what was done"),
	UINT(Said, left, NULL, .doc = "seconds that are left to confirm it"),
};
static const Shape said_shape = SHAPE("bridge-said", Said, said_rows);

/* ---- show ---- */

typedef struct Shown {
	ShapeHead head;
	char *bridge, *state, *stp, *ports, *addresses, *networks, *guests, *configured;
} Shown;

static const Row shown_rows[] = {
	STRING(Shown, bridge, NULL, .doc = "Bridge"),
	STRING(Shown, state, NULL, .doc = "State"),
	STRING(Shown, stp, NULL, .doc = "STP"),
	STRING(Shown, ports, NULL, .doc = "Ports"),
	STRING(Shown, addresses, NULL, .doc = "Addresses"),
	STRING(Shown, networks, NULL, .doc = "Networks"),
	STRING(Shown, guests, NULL, .doc = "Guests"),
	STRING(Shown, configured, NULL, .doc = "Configured by"),
};
static const Shape shown_shape = SHAPE("bridge-shown", Shown, shown_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *bridges;
	char *waiting;
	OptUint left;
} List;

static const Row list_rows[] = {
	LIST(List, bridges, NULL, shown_shape),
	STRING(List, waiting, NULL, .doc = "change that waits to be confirmed"),
	UINT(List, left, NULL, .doc = "seconds that are left for that"),
};
static const Shape list_shape = SHAPE("bridge-list", List, list_rows);

typedef struct ShowArgs {
	ShapeHead head;
	char *bridge;
} ShowArgs;

static const Row show_rows[] = {
	STRING(ShowArgs, bridge, NULL, .flags = ROW_POSITIONAL, .doc = "only this one"),
};
static const Shape show_args = SHAPE("bridge-show-args", ShowArgs, show_rows);

static char *word(const char *text)
{
	return *text ? g_strdup(text) : NULL;
}

static Shown *shown_of(const HostBridge *bridge)
{
	Shown *shown = shape_new(&shown_shape);
	shown->bridge = g_strdup(bridge->name);
	shown->state = g_strdup(bridge->state);
	shown->stp = g_strdup(bridge->stp ? "yes" : "no");
	shown->ports = word(bridge->ports);
	shown->addresses = word(bridge->addresses);
	shown->networks = word(bridge->networks);
	shown->guests = word(bridge->guests);
	shown->configured = word(bridge->manager);
	return shown;
}

static gboolean show(OpCall *call, GError **error)
{
	const char *only = ((ShowArgs *)call->args)->bridge;
	List *result = call->result;
	guint left;
	g_autoptr(GPtrArray) all = hostbridge_list(call->core, error);
	for (guint i = 0; all && i < all->len; i++) {
		const HostBridge *bridge = all->pdata[i];
		if (!only || g_str_equal(only, bridge->name))
			shape_append(&result->bridges, &shown_shape, shown_of(bridge));
	}
	if (!all || (only && !shape_len(result->bridges)))
		return all && fail(error, LODGE_ERROR_NOT_FOUND, "this host has no bridge \"%s\"", only);
	result->waiting = hostnet_waiting(call->core, &left);
	if (result->waiting) {
		result->left = OPT_UINT(left);
		notes_add(&call->notes, "%s waits to be confirmed: in %u seconds it is put back",
			  result->waiting, left);
	}
	return TRUE;
}

/* ---- changes ---- */

typedef struct ChangeArgs {
	ShapeHead head;
	char *bridge, *nic;
	Tri stp;
	OptUint delay, timeout;
} ChangeArgs;

#define BRIDGE                                                                                     \
	STRING(ChangeArgs, bridge, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,                   \
	       .doc = "name of the bridge")
#define TIME                                                                                       \
	UINT(ChangeArgs, timeout, NULL, .max = 86400, .dflt = TIMEOUT,                             \
	     .doc = "seconds after which it is put back unless confirmed; 0: it stays at once")

static const Row create_rows[] = {
	BRIDGE,
	STRING(ChangeArgs, nic, NULL, .flags = ROW_POSITIONAL,
	       .doc = "NIC that becomes its port and gives it its addresses; none: a bridge of guests alone"),
	TRI(ChangeArgs, stp, NULL, .dflt = "no", .doc = "spanning tree protocol"),
	UINT(ChangeArgs, delay, NULL, .max = 30, .dflt = "0", .doc = "seconds before a new port forwards"),
	TIME,
};
static const Shape create_args = SHAPE("bridge-create-args", ChangeArgs, create_rows);

static const Row delete_rows[] = {
	BRIDGE,
	STRING(ChangeArgs, nic, NULL, .doc = "NIC that gets its addresses; its only one where not said"),
	TIME,
};
static const Shape delete_args = SHAPE("bridge-delete-args", ChangeArgs, delete_rows);

static const Row port_rows[] = {
	BRIDGE,
	STRING(ChangeArgs, nic, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "name of the NIC"),
	TIME,
};
static const Shape port_args = SHAPE("bridge-port-args", ChangeArgs, port_rows);

/* @done says what was done; with a change that waits it also says how to keep it. */
static gboolean said(OpCall *call, gboolean ok, char *done)
{
	Said *result = call->result;
	guint left;
	g_autofree char *waiting = ok ? hostnet_waiting(call->core, &left) : NULL;
	if (ok && waiting) {
		result->left = OPT_UINT(left);
		result->said = g_strdup_printf(
			"%s\nIt is put back in %u seconds unless \"lodge bridge confirm\" keeps it", done,
			left);
	} else if (ok) {
		result->said = g_strdup(done);
	}
	g_free(done);
	return ok;
}

/* A bridge without a NIC loses nobody's connection. */
static gboolean create_empty(OpCall *call, const ChangeArgs *args, GError **error)
{
	if (!hostif_name_ok(args->bridge, error))
		return FALSE;
	g_autoptr(HostIf) bridge = hostif_new(HOSTIF_BRIDGE, args->bridge);
	HostnetItem *there = hostnet_find(call->core, args->bridge, NULL, NULL);
	hostnet_item_free(there);
	if (there)
		return fail(error, LODGE_ERROR_EXISTS,
			    "there is an interface %s already: choose another name", args->bridge);
	bridge->start = HOSTIF_ONBOOT;
	bridge->bridge->stp = args->stp;
	bridge->bridge->delay = g_strdup_printf("%u", (guint)args->delay.v);
	return hostnet_define(call->core, bridge, &call->notes, error) &&
	       (hostnet_start(call->core, args->bridge, &call->notes, error) ||
		(hostnet_undefine(call->core, args->bridge, NULL, NULL) && FALSE));
}

static gboolean create(OpCall *call, GError **error)
{
	const ChangeArgs *args = call->args;
	HostBridgeOptions options = { .stp = args->stp == TRI_YES, .delay = (guint)args->delay.v,
				      .timeout = (guint)args->timeout.v };
	gboolean ok = args->nic ? hostbridge_create(call->core, args->bridge, args->nic, &options,
						    &call->notes, error) :
				  create_empty(call, args, error);
	return said(call, ok, g_strdup_printf(args->nic ? "Bridge %s made over %s" : "Bridge %s made",
					      args->bridge, args->nic));
}

static gboolean delete(OpCall *call, GError **error)
{
	const ChangeArgs *args = call->args;
	gboolean ok = hostbridge_delete(call->core, args->bridge, args->nic, (guint)args->timeout.v,
					&call->notes, error);
	return said(call, ok, g_strdup_printf("Bridge %s removed", args->bridge));
}

static gboolean add_port(OpCall *call, GError **error)
{
	const ChangeArgs *args = call->args;
	gboolean ok = hostbridge_add_port(call->core, args->bridge, args->nic, (guint)args->timeout.v,
					  &call->notes, error);
	return said(call, ok, g_strdup_printf("%s is a port of bridge %s", args->nic, args->bridge));
}

static gboolean remove_port(OpCall *call, GError **error)
{
	const ChangeArgs *args = call->args;
	gboolean ok = hostbridge_remove_port(call->core, args->bridge, args->nic, (guint)args->timeout.v,
					     &call->notes, error);
	return said(call, ok,
		    g_strdup_printf("%s is no port of bridge %s any more", args->nic, args->bridge));
}

static gboolean confirm(OpCall *call, GError **error)
{
	guint left;
	g_autofree char *what = hostnet_waiting(call->core, &left);
	gboolean ok = hostnet_confirm(call->core, error);
	return said(call, ok, g_strdup_printf("Kept: %s", what ? what : ""));
}

static gboolean revert(OpCall *call, GError **error)
{
	guint left;
	g_autofree char *what = hostnet_waiting(call->core, &left);
	gboolean ok = hostnet_revert(call->core, error);
	return said(call, ok, g_strdup_printf("Put back: %s", what ? what : ""));
}

static const Op ops[] = {
	{ .name = "bridge show", .family = "Bridges", .method = "GET", .route = "/v1/bridges",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .args = &show_args, .result = &list_shape,
	  .show = OP_SHOW_TABLE, .doc = "List this host's bridges, their ports, and who uses them",
	  .fn = show },
	{ .name = "bridge create", .alias = "bridge addbr", BRIDGE_WRITE, .route = "/v1/bridges",
	  .args = &create_args, .doc = "Make a bridge over a NIC of this host, with its addresses",
	  .fn = create },
	{ .name = "bridge delete", .alias = "bridge delbr", BRIDGE_WRITE, .route = "/v1/bridge-delete",
	  .args = &delete_args, .doc = "Remove a bridge and give its addresses back to its NIC",
	  .fn = delete },
	{ .name = "bridge add-port", .alias = "bridge addif", BRIDGE_WRITE, .route = "/v1/bridge-add-port",
	  .args = &port_args, .doc = "Make a NIC a port of a bridge", .fn = add_port },
	{ .name = "bridge remove-port", .alias = "bridge delif", BRIDGE_WRITE,
	  .route = "/v1/bridge-remove-port", .args = &port_args, .doc = "Take a NIC out of a bridge",
	  .fn = remove_port },
	{ .name = "bridge confirm", BRIDGE_WRITE, .route = "/v1/bridge-confirm",
	  .doc = "Keep the change of a bridge that would be put back otherwise", .fn = confirm },
	{ .name = "bridge rollback", BRIDGE_WRITE, .route = "/v1/bridge-rollback",
	  .doc = "Put back what was before the change of a bridge that waits to be confirmed", .fn = revert },
};

const OpFamily op_family_bridge = { ops, G_N_ELEMENTS(ops) };

/* Verbs on interfaces of the host, as libvirt has them. Messages are virsh's.
 * Neighbours: core/hostnet.h does the work; bridge.c has bridges over NICs. */
#include "core/hostnet.h"
#include "ops/families.h"
#include "ops/objects.h"

#include <string.h>

#define IFACE_READ .family = "Interfaces", .perm = OP_PERM_READ, .lane = OP_BESIDE, .method = "GET"
#define IFACE_WRITE                                                                                \
	.family = "Interfaces", .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .show = OP_SHOW_MESSAGE

/* ---- what there is ---- */

typedef struct Listed {
	ShapeHead head;
	char *name;
	gboolean active;
	char *mac;
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, name, NULL, .doc = "Name"),
	FLAG(Listed, active, NULL, .words = "active/inactive", .doc = "State"),
	STRING(Listed, mac, NULL, .flags = ROW_EMPTY_OK, .doc = "MAC Address"),
};
static const Shape listed_shape = SHAPE("interface-listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *interfaces;
} List;

static const Row list_result_rows[] = { LIST(List, interfaces, NULL, listed_shape) };
static const Shape list_result = SHAPE("interface-list", List, list_result_rows);

typedef struct ListArgs {
	ShapeHead head;
	gboolean inactive, all;
} ListArgs;

static const Row list_rows[] = {
	FLAG(ListArgs, inactive, NULL, .doc = "list inactive interfaces"),
	FLAG(ListArgs, all, NULL, .doc = "list inactive & active interfaces"),
};
static const Shape list_args = SHAPE("interface-list-args", ListArgs, list_rows);

static gboolean list(OpCall *call, GError **error)
{
	const ListArgs *args = call->args;
	List *result = call->result;
	g_autoptr(GPtrArray) all =
		hostnet_list(call->core, args->all || !args->inactive, args->all || args->inactive, error);
	for (guint i = 0; all && i < all->len; i++) {
		const HostnetItem *item = all->pdata[i];
		Listed *listed = shape_new(&listed_shape);
		*listed = (Listed){ .name = g_strdup(item->name), .active = item->active,
				    .mac = g_strdup(item->mac) };
		shape_append(&result->interfaces, &listed_shape, listed);
	}
	return all != NULL;
}

/* The target, by name or by MAC address. */
static HostnetItem *target(OpCall *call, GError **error)
{
	gboolean mac = strchr(call->target, ':') != NULL;
	return hostnet_find(call->core, mac ? NULL : call->target, mac ? call->target : NULL, error);
}

static gboolean tell(OpCall *call, HostnetItem *item)
{
	Listed *found = call->result;
	if (!item)
		return FALSE;
	found->name = g_strdup(item->name);
	found->mac = g_strdup(item->mac);
	found->active = item->active;
	hostnet_item_free(item);
	return TRUE;
}

static gboolean info(OpCall *call, GError **error)
{
	return tell(call, target(call, error));
}

typedef struct LookupArgs {
	ShapeHead head;
	char *name, *mac;
} LookupArgs;

static const Row lookup_rows[] = {
	STRING(LookupArgs, name, NULL, .doc = "by name"),
	STRING(LookupArgs, mac, NULL, .doc = "by MAC address"),
};
static const Shape lookup_args = SHAPE("interface-lookup-args", LookupArgs, lookup_rows);

static gboolean lookup(OpCall *call, GError **error)
{
	const LookupArgs *args = call->args;
	if (!args->name == !args->mac)
		return fail(error, LODGE_ERROR_INVALID, "choose one of --name and --mac");
	return tell(call, hostnet_find(call->core, args->name, args->mac, error));
}

static gboolean tell_text(OpCall *call, GError **error, gboolean mac)
{
	HostnetItem *item = target(call, error);
	char *text = item ? g_strdup(mac ? item->mac : item->name) : NULL;
	hostnet_item_free(item);
	return op_tell_text(call, text);
}

static gboolean tell_name(OpCall *call, GError **error)
{
	return tell_text(call, error, FALSE);
}

static gboolean tell_mac(OpCall *call, GError **error)
{
	return tell_text(call, error, TRUE);
}

static gboolean dumpxml(OpCall *call, GError **error)
{
	HostnetItem *item = target(call, error);
	g_autoptr(HostIf) iface =
		item ? hostnet_document(call->core, item->name, ((OpDumpArgs *)call->args)->inactive, error) :
		       NULL;
	hostnet_item_free(item);
	return op_tell_text(call, iface ? hostif_to_xml(iface) : NULL);
}

/* ---- definitions, up and down ---- */

static const Row define_rows[] = { OP_XML_ROWS("interface") };
static const Shape define_args = SHAPE("interface-define-args", OpXmlArgs, define_rows);

static gboolean define(OpCall *call, GError **error)
{
	const OpXmlArgs *args = call->args;
	g_autoptr(HostIf) iface = hostif_from_xml(args->xml, &call->notes, error);
	return iface && (!args->validate || shape_all_known(&hostif_shape, iface, error)) &&
	       hostnet_define(call->core, iface, &call->notes, error) &&
	       tell(call, hostnet_find(call->core, iface->name, NULL, error));
}

typedef gboolean (*TargetFn)(Core *core, const char *name, Notes *notes, GError **error);

static gboolean on_target(OpCall *call, TargetFn fn, GError **error)
{
	HostnetItem *item = target(call, error);
	gboolean ok = item && fn(call->core, item->name, &call->notes, error);
	hostnet_item_free(item);
	return ok;
}

static gboolean undefine(OpCall *call, GError **error)
{
	return on_target(call, hostnet_undefine, error);
}

static gboolean start(OpCall *call, GError **error)
{
	return on_target(call, hostnet_start, error);
}

static gboolean destroy(OpCall *call, GError **error)
{
	return on_target(call, hostnet_stop, error);
}

static gboolean begin(OpCall *call, GError **error)
{
	return hostnet_begin(call->core, error);
}

static gboolean commit(OpCall *call, GError **error)
{
	return hostnet_commit(call->core, error);
}

static gboolean rollback(OpCall *call, GError **error)
{
	return hostnet_rollback(call->core, error);
}

/* ---- bridge and unbridge ---- */

typedef struct BridgeArgs {
	ShapeHead head;
	char *interface, *bridge;
	gboolean no_stp, no_start;
	OptUint delay;
} BridgeArgs;

static const Row bridge_rows[] = {
	STRING(BridgeArgs, interface, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "existing interface name"),
	STRING(BridgeArgs, bridge, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "new bridge device name"),
	FLAG(BridgeArgs, no_stp, NULL, .doc = "do not enable STP for this bridge"),
	UINT(BridgeArgs, delay, NULL, .max = 30, .doc = "seconds before a new port forwards"),
	FLAG(BridgeArgs, no_start, NULL, .doc = "define it, and start it not yet"),
};
static const Shape bridge_args = SHAPE("interface-bridge-args", BridgeArgs, bridge_rows);

/* The definition alone: as virsh makes it of the NIC's. */
static gboolean define_bridge(OpCall *call, const BridgeArgs *args, GError **error)
{
	g_autoptr(HostIf) nic = hostnet_document(call->core, args->interface, TRUE, error);
	if (!nic || !hostif_name_ok(args->bridge, error))
		return FALSE;
	if (nic->type == HOSTIF_BRIDGE)
		return fail(error, LODGE_ERROR_INVALID, "%s is a bridge itself", args->interface);
	g_autoptr(HostIf) bridge = hostif_new(HOSTIF_BRIDGE, args->bridge);
	bridge->start = nic->start;
	bridge->mtu = nic->mtu;
	bridge->protocols = g_steal_pointer(&nic->protocols);
	bridge->bridge->stp = args->no_stp ? TRI_NO : TRI_YES;
	bridge->bridge->delay = g_strdup_printf("%u", (guint)args->delay.v);
	nic->mtu = (OptUint){ 0 };
	nic->start = 0;
	shape_append(&bridge->bridge->ports, &hostif_shape, g_steal_pointer(&nic));
	return hostnet_define(call->core, bridge, &call->notes, error);
}

static gboolean bridge(OpCall *call, GError **error)
{
	const BridgeArgs *args = call->args;
	HostBridgeOptions options = { .stp = !args->no_stp, .delay = (guint)args->delay.v };
	g_autofree char *made =
		g_strdup_printf("Created bridge %s with attached device %s", args->bridge, args->interface);
	if (args->no_start)
		return define_bridge(call, args, error) && op_tell_text(call, g_steal_pointer(&made));
	return hostbridge_create(call->core, args->bridge, args->interface, &options, &call->notes, error) &&
	       op_tell_text(call, g_strdup_printf("%s\nBridge interface %s started", made, args->bridge));
}

typedef struct UnbridgeArgs {
	ShapeHead head;
	char *bridge;
	gboolean no_start;
} UnbridgeArgs;

static const Row unbridge_rows[] = {
	STRING(UnbridgeArgs, bridge, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "current bridge device name"),
	FLAG(UnbridgeArgs, no_start, NULL, .doc = "leave the detached interface down"),
};
static const Shape unbridge_args = SHAPE("interface-unbridge-args", UnbridgeArgs, unbridge_rows);

static gboolean unbridge(OpCall *call, GError **error)
{
	const UnbridgeArgs *args = call->args;
	g_autoptr(HostIf) stored = hostnet_document(call->core, args->bridge, TRUE, error);
	if (!stored)
		return FALSE;
	if (!stored->bridge || !shape_len(stored->bridge->ports))
		return fail(error, LODGE_ERROR_INVALID, "%s is no bridge with a NIC", args->bridge);
	const char *nic = ((HostIf *)stored->bridge->ports->pdata[0])->name;
	if (!hostbridge_delete(call->core, args->bridge, nic, 0, &call->notes, error))
		return FALSE;
	g_autofree char *done = g_strdup_printf("Device %s un-attached from bridge %s", nic, args->bridge);
	if (args->no_start)
		return hostnet_stop(call->core, nic, &call->notes, error) &&
		       op_tell_text(call, g_steal_pointer(&done));
	return op_tell_text(call, g_strdup_printf("%s\nInterface %s started", done, nic));
}

static const Op ops[] = {
	{ .name = "iface-list", .route = "/v1/interfaces", IFACE_READ, .args = &list_args,
	  .result = &list_result, .show = OP_SHOW_TABLE, .doc = "List this host's interfaces", .fn = list },
	{ .name = "iface-lookup", .route = "/v1/interface-lookup", IFACE_READ, .args = &lookup_args,
	  .makes = OP_ON_INTERFACE, .result = &listed_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Find an interface of this host", .fn = lookup },
	{ .name = "iface-info", .route = "/v1/interfaces/{interface}", IFACE_READ, .target = OP_ON_INTERFACE,
	  .result = &listed_shape, .show = OP_SHOW_FIELDS, .doc = "Show whether an interface is active",
	  .fn = info },
	{ .name = "iface-dumpxml", .route = "/v1/interfaces/{interface}/xml", IFACE_READ,
	  .target = OP_ON_INTERFACE, .args = &op_object_dump_args, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show an interface of this host as libvirt's XML", .fn = dumpxml },
	{ .name = "iface-name", .route = "/v1/interfaces/{interface}/name", IFACE_READ,
	  .target = OP_ON_INTERFACE, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Convert an interface's MAC address to its name", .fn = tell_name },
	{ .name = "iface-mac", .route = "/v1/interfaces/{interface}/mac", IFACE_READ,
	  .target = OP_ON_INTERFACE, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Convert an interface's name to its MAC address", .fn = tell_mac },
	{ .name = "iface-define", .method = "POST", .route = "/v1/interfaces", IFACE_WRITE,
	  .args = &define_args, .makes = OP_ON_INTERFACE, .result = &listed_shape,
	  .said = "Interface {name} defined from {file}",
	  .doc = "Define an interface of this host, or change one: from its next start on", .fn = define },
	{ .name = "iface-undefine", .method = "DELETE", .route = "/v1/interfaces/{interface}", IFACE_WRITE,
	  .target = OP_ON_INTERFACE, .said = "Interface {interface} undefined",
	  .doc = "Remove an interface from this host's configuration", .fn = undefine },
	{ .name = "iface-start", .method = "POST", .route = "/v1/interfaces/{interface}/start", IFACE_WRITE,
	  .target = OP_ON_INTERFACE, .said = "Interface {interface} started",
	  .doc = "Start an interface of this host as it is defined", .fn = start },
	{ .name = "iface-destroy", .method = "POST", .route = "/v1/interfaces/{interface}/destroy",
	  IFACE_WRITE, .target = OP_ON_INTERFACE, .said = "Interface {interface} destroyed",
	  .doc = "Stop an interface of this host", .fn = destroy },
	{ .name = "iface-begin", .method = "POST", .route = "/v1/interface-begin", IFACE_WRITE,
	  .said = "Network config change transaction started",
	  .doc = "Remember this host's interfaces, for iface-rollback or iface-commit", .fn = begin },
	{ .name = "iface-commit", .method = "POST", .route = "/v1/interface-commit", IFACE_WRITE,
	  .said = "Network config change transaction committed",
	  .doc = "Keep what changed since iface-begin", .fn = commit },
	{ .name = "iface-rollback", .method = "POST", .route = "/v1/interface-rollback", IFACE_WRITE,
	  .said = "Network config change transaction rolled back",
	  .doc = "Put back what was at iface-begin", .fn = rollback },
	{ .name = "iface-bridge", .method = "POST", .route = "/v1/interface-bridge", IFACE_WRITE,
	  .args = &bridge_args, .result = &op_text, .said = "{text}",
	  .doc = "Make a bridge over an interface of this host", .fn = bridge },
	{ .name = "iface-unbridge", .method = "POST", .route = "/v1/interface-unbridge", IFACE_WRITE,
	  .args = &unbridge_args, .result = &op_text, .said = "{text}",
	  .doc = "Remove a bridge and give its addresses back to its interface", .fn = unbridge },
};

const OpFamily op_family_iface = { ops, G_N_ELEMENTS(ops) };

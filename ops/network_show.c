/* Verbs that show networks: from snapshots, and from the files that dnsmasq keeps.
 * Neighbours: network.c changes them. */
#include "ops/network.h"

#include <string.h>
#include <time.h>

#include "host/netlink.h"
#include "net/firewall.h"
#include "net/leases.h"
#include "ops/families.h"

/* ---- list ---- */

typedef struct ListArgs {
	OpObjectFilter filter;
	gboolean uuid, name, table;
} ListArgs;

static const Row list_rows[] = {
	OP_FILTER_ROWS("networks"),
	FLAG(ListArgs, uuid, NULL, .doc = "list UUIDs only"),
	FLAG(ListArgs, name, NULL, .doc = "list network names only"),
	FLAG(ListArgs, table, NULL, .doc = "list table (default)"),
};
static const Shape list_args = SHAPE("network-list-args", ListArgs, list_rows);

typedef struct Listed {
	ShapeHead head;
	char *name, *state, *uuid, *bridge, *mode;
	Tri autostart, persistent;
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, name, NULL, .doc = "Name"),
	STRING(Listed, state, NULL, .doc = "State"),
	TRI(Listed, autostart, NULL, .doc = "Autostart"),
	TRI(Listed, persistent, NULL, .doc = "Persistent"),
	UUID(Listed, uuid, NULL),
	STRING(Listed, bridge, NULL),
	STRING(Listed, mode, NULL),
};
static const Shape listed_shape = SHAPE("network-listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *networks;
} List;

static const Row list_result_rows[] = { LIST(List, networks, NULL, listed_shape) };
static const Shape list_result = SHAPE("network-list", List, list_result_rows);

static Listed *listed_new(const ObjectSnap *snap)
{
	const Network *network = object_snap_document(snap, FALSE);
	const char *mode = enum_name(&forward_modes, (int)network_mode(network));
	Listed *listed = shape_new(&listed_shape);
	listed->name = g_strdup(snap->name);
	listed->uuid = g_strdup(snap->uuid);
	listed->state = g_strdup(snap->active ? "active" : "inactive");
	listed->autostart = op_tri(snap->autostart);
	listed->persistent = op_tri(snap->persistent);
	listed->bridge = g_strdup(network->bridge);
	listed->mode = g_strdup(mode ? mode : "isolated");
	return listed;
}

static gboolean list(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) snaps = op_objects_wanted(call->core, CORE_NETWORK, call->args);
	for (guint i = 0; i < snaps->len; i++)
		shape_append(&((List *)call->result)->networks, &listed_shape, listed_new(snaps->pdata[i]));
	return TRUE;
}

/* ---- info ---- */

typedef struct Info {
	ShapeHead head;
	char *name, *uuid, *bridge;
	Tri active, persistent, autostart;
} Info;

static const Row info_rows[] = {
	STRING(Info, name, NULL, .doc = "Name"),
	UUID(Info, uuid, NULL, .doc = "UUID"),
	TRI(Info, active, NULL, .doc = "Active"),
	TRI(Info, persistent, NULL, .doc = "Persistent"),
	TRI(Info, autostart, NULL, .doc = "Autostart"),
	STRING(Info, bridge, NULL, .doc = "Bridge"),
};
static const Shape info_shape = SHAPE("network-info", Info, info_rows);

static gboolean info(OpCall *call, G_GNUC_UNUSED GError **error)
{
	Info *result = call->result;
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	const Network *network = object_snap_document(snap, FALSE);
	result->name = g_strdup(snap->name);
	result->uuid = g_strdup(snap->uuid);
	result->active = op_tri(snap->active);
	result->persistent = op_tri(snap->persistent);
	result->autostart = op_tri(snap->autostart);
	result->bridge = g_strdup(network->bridge);
	return TRUE;
}

static gboolean dumpxml(OpCall *call, G_GNUC_UNUSED GError **error)
{
	const OpDumpArgs *args = call->args;
	g_autoptr(Network) network = core_network_document(call->object, args->inactive);
	return op_tell_text(call, network_to_xml(network, SHAPE_XML_LIVE));
}

/* ---- leases ---- */

typedef struct LeaseArgs {
	ShapeHead head;
	char *mac;
} LeaseArgs;

static const Row lease_arg_rows[] = { MAC(LeaseArgs, mac, NULL, .doc = "MAC address") };
static const Shape lease_args = SHAPE("network-leases-args", LeaseArgs, lease_arg_rows);

typedef struct Leased {
	ShapeHead head;
	char *time, *mac, *protocol, *address, *hostname, *clientid;
	OptInt expiry;
	OptUint prefix;
	char *ip, *iaid, *bridge;
} Leased;

/* What the table shows comes first; the rest is for other doors. */
static const Row leased_rows[] = {
	STRING(Leased, time, NULL, .doc = "Expiry Time"),
	STRING(Leased, mac, NULL, .doc = "MAC address"),
	STRING(Leased, protocol, NULL, .doc = "Protocol"),
	STRING(Leased, address, NULL, .doc = "IP address"),
	STRING(Leased, hostname, NULL, .doc = "Hostname"),
	STRING(Leased, clientid, NULL, .doc = "Client ID or DUID"),
	INT(Leased, expiry, NULL),
	STRING(Leased, ip, NULL),
	UINT(Leased, prefix, NULL),
	STRING(Leased, iaid, NULL),
	STRING(Leased, bridge, NULL),
};
static const Shape leased_shape = SHAPE("network-lease", Leased, leased_rows);

typedef struct Leases {
	ShapeHead head;
	GPtrArray *leases;
} Leases;

static const Row leases_rows[] = { LIST(Leases, leases, NULL, leased_shape) };
static const Shape leases_shape = SHAPE("network-leases", Leases, leases_rows);

static guint prefix_of(const Network *network, const char *ip)
{
	Inet inet, net;
	guint prefix;
	if (inet_from_text(ip, AF_UNSPEC, &inet, NULL))
		SHAPE_EACH (NetworkIp, subnet, network->ips)
			if (network_ip_read(subnet, &net, &prefix, NULL) && inet_within(&inet, &net, prefix))
				return prefix;
	return strchr(ip, ':') ? 128 : 32;
}

static Leased *leased_new(const DhcpLease *lease, const Network *network)
{
	Leased *leased = shape_new(&leased_shape);
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(lease->expiry);
	guint prefix = prefix_of(network, lease->ip);
	leased->time = !lease->expiry || !when ? g_strdup("never") :
						g_date_time_format(when, "%Y-%m-%d %H:%M:%S");
	leased->mac = g_strdup(lease->mac);
	leased->protocol = g_strdup(lease->v6 ? "ipv6" : "ipv4");
	leased->address = g_strdup_printf("%s/%u", lease->ip, prefix);
	leased->hostname = g_strdup(lease->hostname);
	leased->clientid = g_strdup(lease->clientid);
	leased->expiry = OPT_INT(lease->expiry);
	leased->ip = g_strdup(lease->ip);
	leased->prefix = OPT_UINT(prefix);
	leased->iaid = g_strdup(lease->iaid);
	leased->bridge = g_strdup(network->bridge);
	return leased;
}

static gboolean leases(OpCall *call, GError **error)
{
	const LeaseArgs *args = call->args;
	Leases *result = call->result;
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	guint8 mac[6];
	if (args->mac && !mac_from_text(args->mac, mac))
		return fail(error, LODGE_ERROR_INVALID, "invalid MAC address: %s", args->mac);
	if (!snap->active) /* as libvirt: it has given out none */
		return TRUE;
	g_autoptr(GPtrArray) all = core_network_leases(call->object);
	gint64 now = g_get_real_time() / G_USEC_PER_SEC;
	for (guint i = 0; i < all->len; i++) {
		const DhcpLease *lease = all->pdata[i];
		if ((lease->expiry && lease->expiry < now) ||
		    (args->mac && (!lease->mac || g_ascii_strcasecmp(args->mac, lease->mac))))
			continue;
		shape_append(&result->leases, &leased_shape, leased_new(lease, snap->live->value));
	}
	return TRUE;
}

/* ---- check ---- */

static gboolean check(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GPtrArray) snaps = core_object_list(call->core, CORE_NETWORK, CORE_LIST_ACTIVE);
	g_autoptr(GPtrArray) bridges = g_ptr_array_new();
	for (guint i = 0; i < snaps->len; i++) {
		const Network *network = object_snap_document(snaps->pdata[i], FALSE);
		if (network_owns_bridge(network) && network_mode(network))
			g_ptr_array_add(bridges, network->bridge);
	}
	firewall_check(bridges, call->result);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "net-list", NETWORK_FAMILY, .method = "GET", .route = "/v1/networks",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &list_args, .result = &list_result,
	  .show = OP_SHOW_CUSTOM, .doc = "List networks: active ones, or more", .fn = list },
	{ .name = "net-info", .route = "/v1/networks/{network}", NETWORK_READ(OP_READ),
	  .result = &info_shape, .show = OP_SHOW_FIELDS, .doc = "Show the state of a network", .fn = info },
	{ .name = "net-dumpxml", .route = "/v1/networks/{network}/xml", NETWORK_READ(OP_READ),
	  .args = &op_object_dump_args, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show a network as libvirt's XML", .fn = dumpxml },
	{ .name = "net-name", .route = "/v1/networks/{network}/name", NETWORK_READ(OP_READ),
	  .result = &op_text, .show = OP_SHOW_TEXT, .doc = "Show the name of a network",
	  .fn = op_object_name },
	{ .name = "net-uuid", .route = "/v1/networks/{network}/uuid", NETWORK_READ(OP_READ),
	  .result = &op_text, .show = OP_SHOW_TEXT, .doc = "Show the uuid of a network",
	  .fn = op_object_uuid },
	{ .name = "net-lookup", NETWORK_FAMILY, .makes = OP_ON_NETWORK, .method = "GET",
	  .route = "/v1/network-lookup",
	  .perm = OP_PERM_READ, .lane = OP_READ, .args = &op_object_lookup_args, .result = &op_object_made,
	  .show = OP_SHOW_FIELDS, .doc = "Find a network", .fn = op_object_lookup },
	{ .name = "net-dhcp-leases", .route = "/v1/networks/{network}/leases", NETWORK_READ(OP_BESIDE),
	  .args = &lease_args, .result = &leases_shape, .show = OP_SHOW_TABLE,
	  .doc = "Show which addresses a network has given out", .fn = leases },
	{ .name = "net-check", NETWORK_FAMILY, .method = "GET", .route = "/v1/network-check",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .result = &host_checks_shape, .show = OP_SHOW_CUSTOM,
	  .doc = "Look for what stops networks: other firewalls, missing programs; with the remedy",
	  .fn = check },
};

const OpFamily op_family_network_show = { ops, G_N_ELEMENTS(ops) };

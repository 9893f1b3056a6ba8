/* Verbs about ports of networks: what interfaces of guests have of them.
 * Neighbours: core/networks.h keeps them. */
#include "ops/network.h"

#include <string.h>

#include "ops/families.h"
#include "ops/params.h"

typedef struct Port {
	ShapeHead head;
	char *uuid, *guest, *mac;
} Port;

static const Row port_rows[] = {
	UUID(Port, uuid, NULL, .doc = "UUID"),
	STRING(Port, guest, NULL),
	MAC(Port, mac, NULL),
};
static const Shape port_shape = SHAPE("network-port", Port, port_rows);

typedef struct Ports {
	ShapeHead head;
	GPtrArray *ports;
} Ports;

static const Row ports_rows[] = { LIST(Ports, ports, NULL, port_shape) };
static const Shape ports_shape = SHAPE("network-ports", Ports, ports_rows);

typedef struct ListArgs {
	ShapeHead head;
	gboolean uuid, table;
} ListArgs;

static const Row list_rows[] = {
	FLAG(ListArgs, uuid, NULL, .doc = "list uuid's only"),
	FLAG(ListArgs, table, NULL, .doc = "list table (default)"),
};
static const Shape list_args = SHAPE("network-ports-args", ListArgs, list_rows);

static gboolean list(OpCall *call, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	if (!snap->active)
		return fail(error, LODGE_ERROR_STATE, "network '%s' is not active", snap->name);
	g_autoptr(GPtrArray) all = core_network_ports(call->object);
	for (guint i = 0; i < all->len; i++) {
		const NetworkPort *from = all->pdata[i];
		Port *port = shape_new(&port_shape);
		port->uuid = g_strdup(from->uuid);
		port->guest = g_strdup(from->owner_name);
		port->mac = g_strdup(from->mac);
		shape_append(&((Ports *)call->result)->ports, &port_shape, port);
	}
	return TRUE;
}

/* ---- one port ---- */

typedef struct PortArgs {
	ShapeHead head;
	char *port, *xml;
	gboolean validate;
	OptUint inbound_average, inbound_peak, inbound_burst, inbound_floor;
	OptUint outbound_average, outbound_peak, outbound_burst;
} PortArgs;

#define PORT_ROW                                                                                   \
	UUID(PortArgs, port, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "port UUID")

static const Row one_rows[] = { PORT_ROW };
static const Shape one_args = SHAPE("network-port-args", PortArgs, one_rows);

static const Row create_rows[] = {
	RAWXML(PortArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the <networkport> document, - for standard input"),
	FLAG(PortArgs, validate, NULL, .doc = "refuse elements that are not known"),
};
static const Shape create_args = SHAPE("network-port-create-args", PortArgs, create_rows);

#define KIB(member, text) UINT(PortArgs, member, NULL, .max = G_MAXUINT32, .doc = text)
#define LIMIT_ROWS                                                                                 \
	KIB(inbound_average, "KiB per second towards the guest"), KIB(inbound_peak, "in a burst"), \
	KIB(inbound_burst, "KiB of a burst"), KIB(inbound_floor, "KiB per second guaranteed"),     \
	KIB(outbound_average, "KiB per second from the guest"), KIB(outbound_peak, "in a burst"),  \
	KIB(outbound_burst, "KiB of a burst")

static const Row limit_rows[] = { PORT_ROW, LIMIT_ROWS };
static const Shape limit_args = SHAPE("network-port-update-args", PortArgs, limit_rows);

typedef struct Made {
	ShapeHead head;
	char *uuid;
} Made;

static const Row made_rows[] = { UUID(Made, uuid, NULL, .doc = "UUID") };
static const Shape made_shape = SHAPE("network-port-made", Made, made_rows);

static gboolean create(OpCall *call, GError **error)
{
	const PortArgs *args = call->args;
	g_autoptr(NetworkPort) port =
		core_network_port_create(call->object, args->xml, args->validate, error);
	if (port)
		((Made *)call->result)->uuid = g_strdup(port->uuid);
	return port != NULL;
}

static gboolean lookup(OpCall *call, GError **error)
{
	const PortArgs *args = call->args;
	g_autoptr(NetworkPort) port = core_network_port_find(call->object, args->port, error);
	if (port)
		((Made *)call->result)->uuid = g_strdup(port->uuid);
	return port != NULL;
}

static gboolean delete(OpCall *call, GError **error)
{
	const PortArgs *args = call->args;
	return core_network_port_delete(call->object, args->port, error);
}

static gboolean dumpxml(OpCall *call, GError **error)
{
	const PortArgs *args = call->args;
	g_autoptr(NetworkPort) port = core_network_port_find(call->object, args->port, error);
	return port && op_tell_text(call, network_port_to_xml(port));
}

/* ---- limits ---- */

static void add_limit(GPtrArray **list, const char *name, OptUint value)
{
	if (value.set)
		param_add(list, PARAM_UINT, name, (gint64)value.v);
}

static gboolean limits(OpCall *call, GError **error)
{
	const PortArgs *args = call->args;
	Params *result = call->result;
	g_autoptr(NetworkPort) port = core_network_port_find(call->object, args->port, error);
	if (!port)
		return FALSE;
	if (port->inbound) {
		add_limit(&result->params, "inbound.average", port->inbound->average);
		add_limit(&result->params, "inbound.peak", port->inbound->peak);
		add_limit(&result->params, "inbound.floor", port->inbound->floor);
		add_limit(&result->params, "inbound.burst", port->inbound->burst);
	}
	if (port->outbound) {
		add_limit(&result->params, "outbound.average", port->outbound->average);
		add_limit(&result->params, "outbound.peak", port->outbound->peak);
		add_limit(&result->params, "outbound.burst", port->outbound->burst);
	}
	result->text = params_table(result->params);
	return TRUE;
}

static gboolean update(OpCall *call, GError **error)
{
	const PortArgs *a = call->args;
	Bandwidth in = { .average = a->inbound_average, .peak = a->inbound_peak,
			 .burst = a->inbound_burst, .floor = a->inbound_floor };
	Bandwidth out = { .average = a->outbound_average, .peak = a->outbound_peak,
			  .burst = a->outbound_burst };
	gboolean has_in = in.average.v || in.floor.v, has_out = out.average.v != 0;
	return core_network_port_limit(call->object, a->port, has_in ? &in : NULL, has_out ? &out : NULL,
				       error);
}

static const Op ops[] = {
	{ .name = "net-port-list", .route = "/v1/networks/{network}/ports", NETWORK_READ(OP_READ),
	  .args = &list_args, .result = &ports_shape, .show = OP_SHOW_CUSTOM,
	  .doc = "List the ports of a network", .fn = list },
	{ .name = "net-port-create", .route = "/v1/networks/{network}/ports", NETWORK_WRITE(OP_LANE),
	  .args = &create_args, .result = &made_shape, .said = "Network port {uuid} created from {file}",
	  .doc = "Make a port of a network", .fn = create },
	{ .name = "net-port-dumpxml", .route = "/v1/networks/{network}/port-xml", NETWORK_READ(OP_READ),
	  .args = &one_args, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show a port of a network as libvirt's XML", .fn = dumpxml },
	{ .name = "net-port-lookup", .route = "/v1/networks/{network}/port", NETWORK_READ(OP_READ),
	  .args = &one_args, .result = &made_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Find a port of a network", .fn = lookup },
	{ .name = "net-port-delete", .route = "/v1/networks/{network}/port-delete", NETWORK_WRITE(OP_LANE),
	  .args = &one_args, .said = "Network port {port} deleted", .doc = "Remove a port of a network",
	  .fn = delete },
	{ .name = "net-port-limits", .route = "/v1/networks/{network}/port-limits", NETWORK_READ(OP_READ),
	  .args = &one_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show the limits of a port of a network", .fn = limits },
	{ .name = "net-port-update", .route = "/v1/networks/{network}/port-limits", NETWORK_WRITE(OP_LANE),
	  .args = &limit_args, .said = "Network port {port} updated",
	  .doc = "Change the limits of a port of a network", .fn = update },
};

const OpFamily op_family_network_port = { ops, G_N_ELEMENTS(ops) };

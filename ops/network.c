/* Verbs that define networks and change their state. Messages are virsh's.
 * Neighbours: network_show.c shows them, network_port.c is about their ports. */
#include "ops/network.h"
#include "ops/families.h"

#include <string.h>

/* What every verb that makes a network answers. */
typedef struct Made {
	ShapeHead head;
	char *name, *uuid;
} Made;

static const Row made_rows[] = {
	STRING(Made, name, NULL, .doc = "Name"),
	UUID(Made, uuid, NULL, .doc = "UUID"),
};
static const Shape made_shape = SHAPE("network-made", Made, made_rows);

typedef struct DefineArgs {
	ShapeHead head;
	char *xml;
	gboolean validate;
} DefineArgs;

static const Row define_rows[] = {
	RAWXML(DefineArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the <network> document, - for standard input"),
	FLAG(DefineArgs, validate, NULL, .doc = "refuse elements that are not known"),
};
static const Shape define_args = SHAPE("network-define-args", DefineArgs, define_rows);

/* Takes @network. */
static gboolean tell_made(OpCall *call, CoreObject *network)
{
	Made *made = call->result;
	g_autoptr(CoreObject) own = network;
	if (!own)
		return FALSE;
	g_autoptr(ObjectSnap) snap = core_object_snap(own);
	made->name = g_strdup(snap->name);
	made->uuid = g_strdup(snap->uuid);
	return TRUE;
}

static gboolean define(OpCall *call, GError **error)
{
	const DefineArgs *args = call->args;
	return tell_made(call, core_object_define(call->core, CORE_NETWORK, args->xml,
						  args->validate ? CORE_OBJECT_VALIDATE : 0, &call->notes,
						  error));
}

static gboolean create(OpCall *call, GError **error)
{
	const DefineArgs *args = call->args;
	return tell_made(call, core_object_create(call->core, CORE_NETWORK, args->xml,
						  args->validate ? CORE_OBJECT_VALIDATE : 0, &call->notes,
						  error));
}

static gboolean start(OpCall *call, GError **error)
{
	return core_object_start(call->object, &call->notes, error);
}

static gboolean destroy(OpCall *call, GError **error)
{
	return core_object_stop(call->object, error);
}

static gboolean undefine(OpCall *call, GError **error)
{
	return core_object_undefine(call->object, error);
}

/* ---- autostart ---- */

typedef struct AutostartArgs {
	ShapeHead head;
	gboolean disable;
} AutostartArgs;

static const Row autostart_rows[] = {
	FLAG(AutostartArgs, disable, NULL, .doc = "disable autostarting"),
};
static const Shape autostart_args = SHAPE("network-autostart-args", AutostartArgs, autostart_rows);

typedef struct Marked {
	ShapeHead head;
	char *marked;
} Marked;

static const Row marked_rows[] = { STRING(Marked, marked, NULL, .doc = "What was done") };
static const Shape marked_shape = SHAPE("network-marked", Marked, marked_rows);

static gboolean autostart(OpCall *call, GError **error)
{
	gboolean on = !((const AutostartArgs *)call->args)->disable;
	((Marked *)call->result)->marked = g_strdup(on ? "marked" : "unmarked");
	return core_object_autostart(call->object, on, error);
}

/* ---- update ---- */

typedef struct UpdateArgs {
	ShapeHead head;
	char *command, *section, *xml;
	OptInt parent_index;
	gboolean config, live, current;
} UpdateArgs;

static const Row update_rows[] = {
	STRING(UpdateArgs, command, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "add-first, add-last (add), delete or modify"),
	STRING(UpdateArgs, section, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "ip-dhcp-host, ip-dhcp-range, forward-interface, portgroup, dns-host, dns-txt, "
		      "dns-srv"),
	RAWXML(UpdateArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the element, or the element itself"),
	INT(UpdateArgs, parent_index, NULL, .min = -1, .max = 1000,
	    .doc = "which <ip> of the network, counted from 0"),
	FLAG(UpdateArgs, config, NULL, .doc = "affect next network startup"),
	FLAG(UpdateArgs, live, NULL, .doc = "affect running network"),
	FLAG(UpdateArgs, current, NULL, .doc = "affect current state of network"),
};

static gboolean check_update(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const UpdateArgs *args = object;
	const char *command = args->command;
	if (!g_strcmp0(command, "add"))
		command = "add-last";
	if (!command || !enum_value(&network_commands, command))
		return fail(error, LODGE_ERROR_INVALID, "unrecognized command name '%s'", args->command);
	if (!args->section || !enum_value(&network_sections, args->section))
		return fail(error, LODGE_ERROR_INVALID, "unrecognized section name '%s'", args->section);
	if (args->current && (args->live || args->config))
		return fail(error, LODGE_ERROR_INVALID, "--current must be specified exclusively");
	return TRUE;
}

static const Shape update_args =
	SHAPE("network-update-args", UpdateArgs, update_rows, .check = check_update);

typedef struct Updated {
	ShapeHead head;
	char *what;
} Updated;

static const Row updated_rows[] = { STRING(Updated, what, NULL, .doc = "What was changed") };
static const Shape updated_shape = SHAPE("network-updated", Updated, updated_rows);

static gboolean update(OpCall *call, GError **error)
{
	const UpdateArgs *args = call->args;
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	int command = g_str_equal(args->command, "add") ? NETWORK_ADD_LAST :
							  enum_value(&network_commands, args->command);
	gboolean current = !args->live && !args->config;
	gboolean live = args->live || (current && snap->active);
	gboolean config = args->config || (current && !snap->active);
	if (!core_network_update(call->object, command, enum_value(&network_sections, args->section),
				 (int)(args->parent_index.set ? args->parent_index.v : -1), args->xml, live,
				 config, error))
		return FALSE;
	((Updated *)call->result)->what = g_strdup(live && config ? "persistent config and live state" :
						   live		    ? "live state" :
								      "persistent config");
	return TRUE;
}

static const Op ops[] = {
	{ .name = "net-define", .route = "/v1/networks", NETWORK_NEW, .args = &define_args,
	  .result = &made_shape, .said = "Network {name} defined from {file}",
	  .doc = "Define a network, or change one", .fn = define },
	{ .name = "net-create", .route = "/v1/networks/create", NETWORK_NEW, .args = &define_args,
	  .result = &made_shape, .said = "Network {name} created from {file}",
	  .doc = "Start a network that is forgotten when it is stopped", .fn = create },
	{ .name = "net-start", .route = "/v1/networks/{network}/start", NETWORK_WRITE(OP_LANE),
	  .said = "Network {network} started", .doc = "Start a network", .fn = start },
	{ .name = "net-destroy", .route = "/v1/networks/{network}/stop", NETWORK_WRITE(OP_LANE),
	  .said = "Network {network} destroyed", .doc = "Stop a network", .fn = destroy },
	{ .name = "net-undefine", NETWORK_FAMILY, .target = OP_ON_NETWORK, .perm = OP_PERM_WRITE,
	  .lane = OP_LANE, .method = "DELETE", .route = "/v1/networks/{network}", .show = OP_SHOW_MESSAGE,
	  .said = "Network {network} has been undefined", .doc = "Forget the definition of a network",
	  .fn = undefine },
	{ .name = "net-autostart", .route = "/v1/networks/{network}/autostart", NETWORK_WRITE(OP_LANE),
	  .args = &autostart_args, .result = &marked_shape,
	  .said = "Network {network} {marked} as autostarted", .doc = "Start a network with the host",
	  .fn = autostart },
	{ .name = "net-update", .route = "/v1/networks/{network}/update", NETWORK_WRITE(OP_LANE),
	  .args = &update_args, .result = &updated_shape, .said = "Updated network {network} {what}",
	  .doc = "Change one element of a network, also while it is active", .fn = update },
};

const OpFamily op_family_network = { ops, G_N_ELEMENTS(ops) };

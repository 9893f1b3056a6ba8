/* Verbs that define networks and change their state. Messages are virsh's.
 * Neighbours: network_show.c shows them, network_port.c is about their ports. */
#include "ops/network.h"
#include "ops/families.h"

#include <string.h>

static const Row define_rows[] = { OP_XML_ROWS("network") };
static const Shape define_args = SHAPE("network-define-args", OpXmlArgs, define_rows);

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
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
				 "unrecognized command name '%s'", args->command);
	if (!args->section || !enum_value(&network_sections, args->section))
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
				 "unrecognized section name '%s'", args->section);
	if (args->current && (args->live || args->config))
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
				 "Options --current and --%s are mutually exclusive",
				 args->live ? "live" : "config");
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
	  .result = &op_object_made, .said = "Network {name} defined from {file}",
	  .doc = "Define a network, or change one", .fn = op_object_define },
	{ .name = "net-create", .route = "/v1/networks/create", NETWORK_NEW, .args = &define_args,
	  .result = &op_object_made, .said = "Network {name} created from {file}",
	  .doc = "Start a network that is forgotten when it is stopped", .fn = op_object_create },
	{ .name = "net-start", .route = "/v1/networks/{network}/start", NETWORK_WRITE(OP_LANE),
	  .said = "Network {network} started", .doc = "Start a network", .fn = op_object_start },
	{ .name = "net-destroy", .route = "/v1/networks/{network}/stop", NETWORK_WRITE(OP_LANE),
	  .said = "Network {network} destroyed", .doc = "Stop a network", .fn = op_object_stop },
	{ .name = "net-undefine", NETWORK_FAMILY, .target = OP_ON_NETWORK, .perm = OP_PERM_WRITE,
	  .lane = OP_LANE, .method = "DELETE", .route = "/v1/networks/{network}", .show = OP_SHOW_MESSAGE,
	  .said = "Network {network} has been undefined", .doc = "Forget the definition of a network",
	  .fn = op_object_undefine },
	{ .name = "net-autostart", .route = "/v1/networks/{network}/autostart", NETWORK_WRITE(OP_LANE),
	  .args = &op_object_autostart_args, .result = &op_object_marked,
	  .said = "Network {network} {marked} as autostarted", .doc = "Start a network with the host",
	  .fn = op_object_autostart },
	{ .name = "net-update", .route = "/v1/networks/{network}/update", NETWORK_WRITE(OP_LANE),
	  .args = &update_args, .result = &updated_shape, .said = "Updated network {network} {what}",
	  .doc = "Change one element of a network, also while it is active", .fn = update },
};

const OpFamily op_family_network = { ops, G_N_ELEMENTS(ops) };

/* Verbs of the host's devices; names, options and messages are virsh's. All run beside the main loop:
 * sysfs can make one wait. Neighbours: core/nodedevs.h keeps the list; cli/nodedev.c draws the tree. */
#include "core/nodedevs.h"
#include "ops/families.h"

#include <string.h>

/* ---- list ---- */

typedef struct ListArgs {
	ShapeHead head;
	char *cap;
	gboolean tree, inactive, all;
} ListArgs;

static const Row list_rows[] = {
	STRING(ListArgs, cap, NULL, .doc = "only those with one of these capabilities: \"pci,net\""),
	FLAG(ListArgs, tree, NULL, .doc = "draw them as a tree"),
	FLAG(ListArgs, inactive, NULL, .doc = "list inactive devices"),
	FLAG(ListArgs, all, NULL, .doc = "list inactive & active devices"),
};
static const Shape list_args = SHAPE("nodedev-list-args", ListArgs, list_rows);

typedef struct Listed {
	ShapeHead head;
	char *name, *parent, *path;
	GPtrArray *capabilities;
	Tri active, persistent, autostart;
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, name, NULL, .doc = "Name"),
	STRING(Listed, parent, NULL, .doc = "Parent"),
	TRI(Listed, active, NULL, .doc = "Active"),
	TRI(Listed, persistent, NULL, .doc = "Persistent"),
	TRI(Listed, autostart, NULL, .doc = "Autostart"),
	STRING(Listed, path, NULL),
	STRINGS(Listed, capabilities, NULL),
};
static const Shape listed_shape = SHAPE("nodedev-listed", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *devices;
} List;

static const Row list_result_rows[] = { LIST(List, devices, NULL, listed_shape) };
static const Shape list_result = SHAPE("nodedev-list", List, list_result_rows);

static Tri tri(gboolean on)
{
	return on ? TRI_YES : TRI_NO;
}

static void fill(Listed *listed, const NodeDev *dev)
{
	listed->name = g_strdup(dev->name);
	listed->parent = g_strdup(dev->parent);
	listed->path = g_strdup(dev->path);
	listed->active = tri(dev->active);
	listed->persistent = tri(dev->persistent);
	listed->autostart = tri(dev->autostart);
	for (guint cap = 1; enum_name(&node_caps, (int)cap); cap++)
		if (dev->caps & NODE_BIT(cap))
			shape_append(&listed->capabilities, NULL, g_strdup(enum_name(&node_caps, (int)cap)));
}

/* The set that "pci,net" names; with NULL all. */
static gboolean read_caps(const char *text, guint32 *caps, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);
	*caps = text ? 0 : G_MAXUINT32;
	for (guint i = 0; words[i]; i++) {
		int cap = enum_value(&node_caps, words[i]);
		if (!cap)
			return fail(error, LODGE_ERROR_INVALID, "Invalid capability type");
		*caps |= NODE_BIT(cap);
	}
	return TRUE;
}

static gboolean list(OpCall *call, GError **error)
{
	const ListArgs *args = call->args;
	List *result = call->result;
	guint32 caps;
	if (args->tree && (args->cap || args->inactive))
		return fail(error, LODGE_ERROR_INVALID, "Option --tree is incompatible with --cap and "
			    "--inactive");
	if (!read_caps(args->cap, &caps, error))
		return FALSE;
	g_autoptr(GPtrArray) devices = core_nodedevs(call->core);
	for (guint i = 0; i < devices->len; i++) {
		const NodeDev *dev = devices->pdata[i];
		if (!(dev->caps & caps) || (!args->all && dev->active == args->inactive))
			continue;
		Listed *listed = shape_new(&listed_shape);
		fill(listed, dev);
		shape_append(&result->devices, &listed_shape, listed);
	}
	return TRUE;
}

/* ---- one ---- */

static gboolean info(OpCall *call, GError **error)
{
	g_autoptr(NodeDev) dev = core_nodedev_find(call->core, call->target, error);
	if (dev)
		fill(call->result, dev);
	return dev != NULL;
}

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .doc = "The document") };
static const Shape text_shape = SHAPE("nodedev-text", Text, text_rows);

static gboolean dumpxml(OpCall *call, GError **error)
{
	g_autoptr(NodeDevice) device = core_nodedev_read(call->core, call->target, error);
	if (device)
		((Text *)call->result)->text = shape_to_xml(&node_device_shape, "device", device,
							    SHAPE_XML_LIVE);
	return device != NULL;
}

/* ---- drivers ---- */

typedef struct DetachArgs {
	ShapeHead head;
	char *driver;
} DetachArgs;

static const Row detach_rows[] = {
	STRING(DetachArgs, driver, NULL, .doc = "pci device assignment backend driver: vfio"),
};
static const Shape detach_args = SHAPE("nodedev-detach-args", DetachArgs, detach_rows);

static gboolean detach(OpCall *call, GError **error)
{
	const DetachArgs *args = call->args;
	if (args->driver && !g_str_equal(args->driver, "vfio"))
		return fail(error, LODGE_ERROR_INVALID, "unknown driver name '%s'", args->driver);
	return core_nodedev_do(call->core, call->target, nodedev_detach, error);
}

static gboolean reattach(OpCall *call, GError **error)
{
	return core_nodedev_do(call->core, call->target, nodedev_reattach, error);
}

static gboolean reset(OpCall *call, GError **error)
{
	return core_nodedev_do(call->core, call->target, nodedev_reset, error);
}

/* ---- devices that are made ---- */

typedef struct MakeArgs {
	ShapeHead head;
	char *xml;
	gboolean validate;
} MakeArgs;

static const Row make_rows[] = {
	RAWXML(MakeArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the <device> document, - for standard input"),
	FLAG(MakeArgs, validate, NULL, .doc = "refuse elements that are not known"),
};
static const Shape make_args = SHAPE("nodedev-make-args", MakeArgs, make_rows);

typedef struct Made {
	ShapeHead head;
	char *name;
} Made;

static const Row made_rows[] = { STRING(Made, name, NULL, .doc = "Name") };
static const Shape made_shape = SHAPE("nodedev-made", Made, made_rows);

static gboolean make(OpCall *call, gboolean define_it, GError **error)
{
	const MakeArgs *args = call->args;
	Made *made = call->result;
	made->name = core_nodedev_make(call->core, args->xml, define_it, args->validate, &call->notes, error);
	return made->name != NULL;
}

static gboolean create(OpCall *call, GError **error)
{
	return make(call, FALSE, error);
}

static gboolean define(OpCall *call, GError **error)
{
	return make(call, TRUE, error);
}

static gboolean lookup(OpCall *call, GError **error)
{
	g_autoptr(NodeDev) dev = core_nodedev_find(call->core, call->target, error);
	if (dev)
		((Made *)call->result)->name = g_strdup(dev->name);
	return dev != NULL;
}

static gboolean destroy(OpCall *call, GError **error)
{
	return core_nodedev_do(call->core, call->target, nodedev_destroy, error);
}

static gboolean undefine(OpCall *call, GError **error)
{
	return core_nodedev_do(call->core, call->target, nodedev_undefine, error);
}

static gboolean start(OpCall *call, GError **error)
{
	return core_nodedev_do(call->core, call->target, nodedev_start, error);
}

typedef struct AutostartArgs {
	ShapeHead head;
	gboolean disable;
} AutostartArgs;

static const Row autostart_rows[] = {
	FLAG(AutostartArgs, disable, NULL, .doc = "disable autostarting"),
};
static const Shape autostart_args = SHAPE("nodedev-autostart-args", AutostartArgs, autostart_rows);

typedef struct Marked {
	ShapeHead head;
	char *marked;
} Marked;

static const Row marked_rows[] = { STRING(Marked, marked, NULL) };
static const Shape marked_shape = SHAPE("nodedev-marked", Marked, marked_rows);

static gboolean autostart(OpCall *call, GError **error)
{
	gboolean on = !((const AutostartArgs *)call->args)->disable;
	((Marked *)call->result)->marked = g_strdup(on ? "marked" : "unmarked");
	return core_nodedev_autostart(call->core, call->target, on, error);
}

#define NODEDEV .family = "Node devices", .lane = OP_BESIDE
#define NODEDEV_READ NODEDEV, .target = OP_ON_NODEDEV, .perm = OP_PERM_READ, .method = "GET"
#define NODEDEV_WRITE                                                                                        \
	NODEDEV, .target = OP_ON_NODEDEV, .perm = OP_PERM_WRITE, .method = "POST", .show = OP_SHOW_MESSAGE

static const Op ops[] = {
	{ .name = "nodedev-list", NODEDEV, .perm = OP_PERM_READ, .method = "GET", .route = "/v1/nodedevs",
	  .args = &list_args, .result = &list_result, .show = OP_SHOW_CUSTOM,
	  .doc = "List devices of this host", .fn = list },
	{ .name = "nodedev-info", NODEDEV_READ, .route = "/v1/nodedevs/{nodedev}", .result = &listed_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show the state of a device of this host", .fn = info },
	{ .name = "nodedev-dumpxml", NODEDEV_READ, .route = "/v1/nodedevs/{nodedev}/xml",
	 .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show a device of this host as libvirt's XML", .fn = dumpxml },
	{ .name = "nodedev-lookup", NODEDEV_READ, .route = "/v1/nodedevs/{nodedev}/name",
	 .result = &made_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Find a device of this host", .fn = lookup },
	{ .name = "nodedev-detach", .alias = "nodedev-dettach", NODEDEV_WRITE,
	  .route = "/v1/nodedevs/{nodedev}/detach", .args = &detach_args, .said = "Device {nodedev} detached",
	  .doc = "Take a PCI device from the host's driver, for a guest", .fn = detach },
	{ .name = "nodedev-reattach", NODEDEV_WRITE, .route = "/v1/nodedevs/{nodedev}/reattach",
	  .said = "Device {nodedev} re-attached", .doc = "Give a PCI device back to the host's driver",
	  .fn = reattach },
	{ .name = "nodedev-reset", NODEDEV_WRITE, .route = "/v1/nodedevs/{nodedev}/reset",
	  .said = "Device {nodedev} reset", .doc = "Reset a PCI device", .fn = reset },
	{ .name = "nodedev-create", NODEDEV, .perm = OP_PERM_WRITE, .method = "POST",
	  .route = "/v1/nodedev-create", .args = &make_args, .result = &made_shape, .show = OP_SHOW_MESSAGE,
	  .said = "Node device {name} created from {file}",
	  .doc = "Make a mediated device or a virtual Fibre Channel adapter", .fn = create },
	{ .name = "nodedev-destroy", NODEDEV_WRITE, .route = "/v1/nodedevs/{nodedev}/destroy",
	  .said = "Destroyed node device '{nodedev}'", .doc = "Remove a device that was made",
		  .fn = destroy },
	{ .name = "nodedev-define", NODEDEV, .perm = OP_PERM_WRITE, .method = "POST", .route = "/v1/nodedevs",
	  .args = &make_args, .result = &made_shape, .show = OP_SHOW_MESSAGE,
	  .said = "Node device '{name}' defined from '{file}'",
	  .doc = "Store the definition of a mediated device", .fn = define },
	{ .name = "nodedev-undefine", NODEDEV, .target = OP_ON_NODEDEV, .perm = OP_PERM_WRITE,
	  .method = "DELETE", .route = "/v1/nodedevs/{nodedev}", .show = OP_SHOW_MESSAGE,
	  .said = "Undefined node device '{nodedev}'", .doc = "Forget the definition of a mediated device",
	  .fn = undefine },
	{ .name = "nodedev-start", NODEDEV_WRITE, .route = "/v1/nodedevs/{nodedev}/start",
	  .said = "Device {nodedev} started", .doc = "Make a mediated device that is defined", .fn = start },
	{ .name = "nodedev-autostart", NODEDEV_WRITE, .route = "/v1/nodedevs/{nodedev}/autostart",
	  .args = &autostart_args, .result = &marked_shape, .said = "Device {nodedev} {marked} as "
		  "autostarted",
	  .doc = "Make a mediated device whenever its parent is there", .fn = autostart },
};

const OpFamily op_family_nodedev = { ops, G_N_ELEMENTS(ops) };

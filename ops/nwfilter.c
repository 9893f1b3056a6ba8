/* Verbs about network filters and the ports they are at work on. Messages are virsh's.
 * Neighbours: core/nwfilters.h. */
#include "core/nwfilters.h"
#include "ops/families.h"
#include "ops/objects.h"

#define FILTER_READ .family = "Network filters", .perm = OP_PERM_READ, .lane = OP_READ, .method = "GET"
#define FILTER_WRITE .family = "Network filters", .perm = OP_PERM_WRITE, .show = OP_SHOW_MESSAGE

/* ---- what filters are ---- */

/* In the order of virsh's columns. */
static const Row listed_rows[] = {
	UUID(OpMade, uuid, NULL, .doc = "UUID"),
	STRING(OpMade, name, NULL, .doc = "Name"),
};
static const Shape listed_shape = SHAPE("nwfilter-listed", OpMade, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *filters;
} List;

static const Row list_rows[] = { LIST(List, filters, NULL, listed_shape) };
static const Shape list_shape = SHAPE("nwfilter-list", List, list_rows);

static gboolean list(OpCall *call, G_GNUC_UNUSED GError **error)
{
	List *result = call->result;
	g_autoptr(GPtrArray) snaps = core_object_list(call->core, CORE_NWFILTER, CORE_LIST_ACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		OpMade *item = shape_new(&listed_shape);
		item->uuid = g_strdup(snap->uuid);
		item->name = g_strdup(snap->name);
		shape_append(&result->filters, &listed_shape, item);
	}
	return TRUE;
}

static gboolean dumpxml(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	return op_tell_text(call,
			    shape_to_xml(&filter_shape, "filter", object_snap_document(snap, FALSE), 0));
}

static const Row define_rows[] = { OP_XML_ROWS("filter") };
static const Shape define_args = SHAPE("nwfilter-define-args", OpXmlArgs, define_rows);

/* ---- ports ---- */

typedef struct Port {
	ShapeHead head;
	char *portdev, *filtername;
} Port;

static const Row port_rows[] = {
	STRING(Port, portdev, NULL, .doc = "Port Dev"),
	STRING(Port, filtername, NULL, .doc = "Filter"),
};
static const Shape port_shape = SHAPE("nwfilter-port", Port, port_rows);

typedef struct Ports {
	ShapeHead head;
	GPtrArray *bindings;
} Ports;

static const Row ports_rows[] = { LIST(Ports, bindings, NULL, port_shape) };
static const Shape ports_shape = SHAPE("nwfilter-ports", Ports, ports_rows);

static void fill_port(Port *port, const FilterBinding *binding)
{
	port->portdev = g_strdup(binding->port);
	port->filtername = g_strdup(binding->filter);
}

static gboolean binding_list(OpCall *call, G_GNUC_UNUSED GError **error)
{
	Ports *result = call->result;
	g_autoptr(GPtrArray) bindings = core_filter_bindings(call->core);
	for (guint i = 0; i < bindings->len; i++) {
		Port *port = g_new0(Port, 1);
		fill_port(port, bindings->pdata[i]);
		shape_append(&result->bindings, &port_shape, port);
	}
	return TRUE;
}

typedef struct BindingArgs {
	ShapeHead head;
	char *binding;
} BindingArgs;

static const Row binding_rows[] = {
	STRING(BindingArgs, binding, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "interface of the host that is filtered"),
};
static const Shape binding_args = SHAPE("nwfilter-binding-args", BindingArgs, binding_rows);

static gboolean binding_find(OpCall *call, GError **error)
{
	const BindingArgs *args = call->args;
	FilterBinding *binding = core_filter_binding(call->core, args->binding, error);
	if (!binding)
		return FALSE;
	fill_port(call->result, binding);
	shape_free(&filter_binding_shape, binding);
	return TRUE;
}

static gboolean binding_dumpxml(OpCall *call, GError **error)
{
	const BindingArgs *args = call->args;
	FilterBinding *binding = core_filter_binding(call->core, args->binding, error);
	if (!binding)
		return FALSE;
	char *text = shape_to_xml(&filter_binding_shape, "filterbinding", binding, 0);
	shape_free(&filter_binding_shape, binding);
	return op_tell_text(call, text);
}

static const Row create_rows[] = { OP_XML_ROWS("filterbinding") };
static const Shape create_args = SHAPE("nwfilter-binding-create-args", OpXmlArgs, create_rows);

static gboolean bind(OpCall *call, const FilterBinding *binding, gboolean validate, GError **error)
{
	if (!shape_check(&filter_binding_shape, binding, &call->notes, error) ||
	    (validate && !shape_all_known(&filter_binding_shape, binding, error)) ||
	    !core_filter_bind(call->core, binding, 0, error))
		return FALSE;
	core_filter_watch(call->core, binding->port);
	fill_port(call->result, binding);
	return TRUE;
}

static gboolean binding_create(OpCall *call, GError **error)
{
	const OpXmlArgs *args = call->args;
	FilterBinding *binding = shape_from_xml(&filter_binding_shape, "filterbinding", args->xml, -1, NULL,
						&call->notes, error);
	gboolean ok = binding && bind(call, binding, args->validate, error);
	if (binding)
		shape_free(&filter_binding_shape, binding);
	return ok;
}

static gboolean binding_delete(OpCall *call, GError **error)
{
	const BindingArgs *args = call->args;
	return core_filter_unbind(call->core, args->binding) ||
	       fail(error, LODGE_ERROR_NOT_FOUND, "port \"%s\" has no network filter", args->binding);
}

static const Op ops[] = {
	{ .name = "nwfilter-list", .route = "/v1/nwfilters", FILTER_READ, .result = &list_shape,
	  .show = OP_SHOW_TABLE, .doc = "List network filters", .fn = list },
	{ .name = "nwfilter-lookup", .route = "/v1/nwfilter-lookup", FILTER_READ, .makes = OP_ON_NWFILTER,
	  .args = &op_object_lookup_args,
	  .result = &listed_shape, .show = OP_SHOW_FIELDS, .doc = "Find a network filter",
	  .fn = op_object_lookup },
	{ .name = "nwfilter-dumpxml", .route = "/v1/nwfilters/{nwfilter}/xml", FILTER_READ,
	  .target = OP_ON_NWFILTER, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show a network filter as libvirt's XML", .fn = dumpxml },
	{ .name = "nwfilter-define", .method = "POST", .route = "/v1/nwfilters", FILTER_WRITE,
	  .makes = OP_ON_NWFILTER,	  .lane = OP_BESIDE, .args = &define_args, .result = &listed_shape,
	  .said = "Network filter {name} defined from {file}",
	  .doc = "Define a network filter, or change one: at once also where it is at work",
	  .fn = op_object_define },
	{ .name = "nwfilter-undefine", .method = "DELETE", .route = "/v1/nwfilters/{nwfilter}", FILTER_WRITE,
	  .target = OP_ON_NWFILTER, .lane = OP_LANE, .said = "Network filter {nwfilter} undefined",
	  .doc = "Forget a network filter", .fn = op_object_undefine },
	{ .name = "nwfilter-binding-list", .route = "/v1/nwfilter-bindings", FILTER_READ,
	  .result = &ports_shape, .show = OP_SHOW_TABLE, .doc = "List the interfaces that are filtered",
	  .fn = binding_list },
	{ .name = "nwfilter-binding-lookup", .route = "/v1/nwfilter-binding-lookup", FILTER_READ,
	  .args = &binding_args, .result = &port_shape, .show = OP_SHOW_FIELDS,
	  .doc = "Find the filter of an interface", .fn = binding_find },
	{ .name = "nwfilter-binding-dumpxml", .route = "/v1/nwfilter-binding-xml", FILTER_READ,
	  .args = &binding_args, .result = &op_text, .show = OP_SHOW_TEXT,
	  .doc = "Show how an interface is filtered as libvirt's XML", .fn = binding_dumpxml },
	{ .name = "nwfilter-binding-create", .method = "POST", .route = "/v1/nwfilter-bindings", FILTER_WRITE,
	  .lane = OP_BESIDE, .args = &create_args, .result = &port_shape,
	  .said = "Network filter binding on {portdev} created from {file}",
	  .doc = "Filter an interface of this host", .fn = binding_create },
	{ .name = "nwfilter-binding-delete", .method = "POST", .route = "/v1/nwfilter-binding-delete",
	  FILTER_WRITE, .lane = OP_BESIDE, .args = &binding_args,
	  .said = "Network filter binding on {binding} deleted",
	  .doc = "Filter an interface of this host no more", .fn = binding_delete },
};

const OpFamily op_family_nwfilter = { ops, G_N_ELEMENTS(ops) };

/* See objects.h. */
#include "ops/objects.h"

/* ---- shapes ---- */

typedef struct AutostartArgs {
	ShapeHead head;
	gboolean disable;
} AutostartArgs;

static const Row autostart_rows[] = {
	FLAG(AutostartArgs, disable, NULL, .doc = "disable autostarting"),
};
const Shape op_object_autostart_args = SHAPE("object-autostart-args", AutostartArgs, autostart_rows);

static const Row dump_rows[] = {
	FLAG(OpDumpArgs, inactive, NULL, .doc = "show the definition, not what is active"),
};
const Shape op_object_dump_args = SHAPE("object-dumpxml-args", OpDumpArgs, dump_rows);

static const Row lookup_rows[] = {
	STRING(OpMade, name, NULL, .doc = "by name"),
	UUID(OpMade, uuid, NULL, .doc = "by uuid"),
};
const Shape op_object_lookup_args = SHAPE("object-lookup-args", OpMade, lookup_rows);

static const Row made_rows[] = {
	STRING(OpMade, name, NULL, .doc = "Name"),
	UUID(OpMade, uuid, NULL, .doc = "UUID"),
};
const Shape op_object_made = SHAPE("object-made", OpMade, made_rows);

static const Row text_rows[] = { STRING(OpText, text, NULL, .doc = "Text") };
const Shape op_text = SHAPE("text", OpText, text_rows);

typedef struct Marked {
	ShapeHead head;
	char *marked;
} Marked;

static const Row marked_rows[] = { STRING(Marked, marked, NULL, .doc = "What was done") };
const Shape op_object_marked = SHAPE("object-marked", Marked, marked_rows);

/* ---- helpers ---- */

Tri op_tri(gboolean on)
{
	return on ? TRI_YES : TRI_NO;
}

static gboolean fits(const OpObjectFilter *filter, const ObjectSnap *snap)
{
	if (filter->persistent != filter->transient && snap->persistent != filter->persistent)
		return FALSE;
	return !filter->autostart || snap->autostart == (filter->autostart == TRI_YES);
}

GPtrArray *op_objects_wanted(Core *core, CoreKindId kind, const OpObjectFilter *filter)
{
	guint flags = filter->all ? CORE_LIST_ACTIVE | CORE_LIST_INACTIVE :
		      filter->inactive ? CORE_LIST_INACTIVE : CORE_LIST_ACTIVE;
	g_autoptr(GPtrArray) snaps = core_object_list(core, kind, flags);
	GPtrArray *wanted = g_ptr_array_new_with_free_func((GDestroyNotify)object_snap_unref);
	for (guint i = 0; i < snaps->len; i++)
		if (fits(filter, snaps->pdata[i]))
			g_ptr_array_add(wanted, object_snap_ref(snaps->pdata[i]));
	return wanted;
}

gboolean op_tell_made(OpCall *call, CoreObject *object)
{
	OpMade *made = call->result;
	g_autoptr(CoreObject) own = object;
	if (!own)
		return FALSE;
	g_autoptr(ObjectSnap) snap = core_object_snap(own);
	made->name = g_strdup(snap->name);
	made->uuid = g_strdup(snap->uuid);
	return TRUE;
}

gboolean op_tell_text(OpCall *call, char *text)
{
	((OpText *)call->result)->text = text;
	return text != NULL;
}

/* ---- functions of verbs ---- */

static CoreKindId made_kind(const OpCall *call)
{
	return (CoreKindId)op_target(call->op->makes)->kind;
}

static guint define_flags(const OpXmlArgs *args)
{
	return args->validate ? CORE_OBJECT_VALIDATE : 0;
}

gboolean op_object_define(OpCall *call, GError **error)
{
	const OpXmlArgs *args = call->args;
	return op_tell_made(call, core_object_define(call->core, made_kind(call), args->xml,
						     define_flags(args), &call->notes, error));
}

gboolean op_object_create(OpCall *call, GError **error)
{
	const OpXmlArgs *args = call->args;
	return op_tell_made(call, core_object_create(call->core, made_kind(call), args->xml,
						     define_flags(args), &call->notes, error));
}

gboolean op_object_lookup(OpCall *call, GError **error)
{
	const OpMade *by = call->args;
	if (!by->name == !by->uuid)
		return fail(error, LODGE_ERROR_INVALID, "choose one of --name and --uuid");
	return op_tell_made(call, core_object_find_by(call->core, made_kind(call),
						      by->name ? CORE_BY_NAME : CORE_BY_UUID,
						      by->name ? by->name : by->uuid, error));
}

gboolean op_object_start(OpCall *call, GError **error)
{
	return core_object_start(call->object, &call->notes, error);
}

gboolean op_object_stop(OpCall *call, GError **error)
{
	return core_object_stop(call->object, error);
}

gboolean op_object_undefine(OpCall *call, GError **error)
{
	return core_object_undefine(call->object, error);
}

gboolean op_object_autostart(OpCall *call, GError **error)
{
	gboolean on = !((const AutostartArgs *)call->args)->disable;
	((Marked *)call->result)->marked = g_strdup(on ? "marked" : "unmarked");
	return core_object_autostart(call->object, on, error);
}

gboolean op_object_name(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	return op_tell_text(call, g_strdup(snap->name));
}

gboolean op_object_uuid(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(call->object);
	return op_tell_text(call, g_strdup(snap->uuid));
}

/* Verbs and snapshots of objects beside guests. See object.h. */
#include "base/error.h"
#include "base/log.h"
#include "core/object_internal.h"
#include "host/file.h"

#include <string.h>

/* ---- documents ---- */

ObjectDoc *object_doc_new(const Shape *shape, gpointer value)
{
	ObjectDoc *doc = g_new(ObjectDoc, 1);
	*doc = (ObjectDoc){ .refs = 1, .shape = shape, .value = value };
	return doc;
}

ObjectDoc *object_doc_ref(ObjectDoc *doc)
{
	g_atomic_int_inc(&doc->refs);
	return doc;
}

void object_doc_unref(ObjectDoc *doc)
{
	if (!doc || !g_atomic_int_dec_and_test(&doc->refs))
		return;
	shape_free(doc->shape, (gpointer)doc->value);
	g_free(doc);
}

static char **member(gpointer document, size_t offset)
{
	return (char **)((char *)document + offset);
}

const char *object_name_of(const CoreKind *kind, gconstpointer document)
{
	return *member((gpointer)document, kind->name);
}

const char *object_uuid_of(const CoreKind *kind, gconstpointer document)
{
	return *member((gpointer)document, kind->uuid);
}

gpointer object_read(const CoreKind *kind, const char *xml, gssize length, const char *what, Notes *notes,
		     GError **error)
{
	gpointer document = shape_from_xml(kind->shape, kind->root, xml, length, what, notes, error);
	g_autoptr(GError) why = NULL;
	if (!document)
		return NULL;
	if (shape_check(kind->shape, document, notes, &why))
		return document;
	shape_free(kind->shape, document);
	if (what)
		g_prefix_error(&why, "%s: ", what);
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

/* ---- snapshots ---- */

ObjectSnap *object_snap_new(const CoreKind *kind, const char *name, const char *uuid)
{
	ObjectSnap *snap = g_new0(ObjectSnap, 1);
	*snap = (ObjectSnap){ .refs = 1, .kind = kind, .name = g_strdup(name) };
	g_strlcpy(snap->uuid, uuid, sizeof snap->uuid);
	return snap;
}

ObjectSnap *object_snap_ref(ObjectSnap *snap)
{
	g_atomic_int_inc(&snap->refs);
	return snap;
}

static void clear_nothing(G_GNUC_UNUSED gpointer info)
{
}

static void release_info(ObjectSnap *snap)
{
	if (snap->info)
		g_atomic_rc_box_release_full(snap->info,
					     snap->clear_info ? snap->clear_info : clear_nothing);
}

void object_snap_unref(ObjectSnap *snap)
{
	if (!snap || !g_atomic_int_dec_and_test(&snap->refs))
		return;
	g_free(snap->name);
	object_doc_unref(snap->stored);
	object_doc_unref(snap->live);
	release_info(snap);
	g_free(snap);
}

gconstpointer object_snap_document(const ObjectSnap *snap, gboolean inactive)
{
	const ObjectDoc *doc = snap->live && (!inactive || !snap->stored) ? snap->live : snap->stored;
	return doc ? doc->value : NULL;
}

ObjectSnap *core_object_snap(CoreObject *object)
{
	g_mutex_lock(&object->lock);
	ObjectSnap *snap = object_snap_ref(object->snap);
	g_mutex_unlock(&object->lock);
	return snap;
}

ObjectSnap *object_snap_edit(CoreObject *object)
{
	const ObjectSnap *old = object->snap;
	ObjectSnap *snap = object_snap_new(old->kind, old->name, old->uuid);
	snap->active = old->active;
	snap->persistent = old->persistent;
	snap->autostart = old->autostart;
	snap->stored = old->stored ? object_doc_ref(old->stored) : NULL;
	snap->live = old->live ? object_doc_ref(old->live) : NULL;
	snap->info = old->info ? g_atomic_rc_box_acquire(old->info) : NULL;
	snap->clear_info = old->clear_info;
	return snap;
}

void object_publish(CoreObject *object, ObjectSnap *snap)
{
	g_mutex_lock(&object->lock);
	ObjectSnap *old = object->snap;
	object->snap = snap;
	g_mutex_unlock(&object->lock);
	object_snap_unref(old);
}

void core_object_set_info(CoreObject *object, gpointer info, GDestroyNotify clear)
{
	ObjectSnap *snap = object_snap_edit(object);
	release_info(snap);
	snap->info = info;
	snap->clear_info = clear;
	object_publish(object, snap);
}

/* Takes @doc. */
static void set_doc(ObjectDoc **place, ObjectDoc *doc)
{
	object_doc_unref(*place);
	*place = doc;
}

/* ---- what others see ---- */

Core *core_object_core(CoreObject *object)
{
	return object->core;
}

const CoreKind *core_object_kind(const CoreObject *object)
{
	return object->set->kind;
}

Lane *core_object_lane(CoreObject *object)
{
	return object->lane;
}

gpointer *core_object_run(CoreObject *object)
{
	return &object->run;
}

void core_object_event(CoreObject *object, const char *kind, const char *event, const char *detail,
		       char *json)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	CoreEvent *e = g_new0(CoreEvent, 1);
	*e = (CoreEvent){ .kind = kind ? kind : snap->kind->event, .event = event, .detail = detail,
			  .object = g_strdup(snap->name), .id = -1, .time = g_get_real_time(),
			  .json = json };
	g_strlcpy(e->uuid, snap->uuid, sizeof e->uuid);
	core_publish(object->core, e);
}

static void lifecycle(CoreObject *object, const char *event)
{
	core_object_event(object, NULL, event, NULL, NULL);
}

/* ---- starting and stopping ---- */

char *object_run_path(CoreObject *object)
{
	return g_strdup_printf("%s/%s.xml", object->set->run_folder, object->snap->name);
}

static char *run_text(CoreObject *object, gconstpointer live)
{
	const CoreKind *kind = object->set->kind;
	return shape_to_xml(kind->shape, kind->root, live, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
}

/* For a later daemon. */
static gboolean write_run(CoreObject *object, const char *xml, GError **error)
{
	g_autofree char *path = object_run_path(object);
	return file_write(path, xml, strlen(xml), 0600, FILE_CACHE, error);
}

static void forget_run(CoreObject *object)
{
	g_autofree char *path = object_run_path(object);
	g_autoptr(GError) error = NULL;
	if (!file_remove(path, &error))
		log_warning(object->snap->name, "%s", error->message);
}

/* Takes @live, also on failure. */
static gboolean start(CoreObject *object, gpointer live, Notes *notes, GError **error)
{
	const CoreKind *kind = object->set->kind;
	g_autofree char *before = run_text(object, live);
	gboolean ok = write_run(object, before, error);
	if (ok && kind->start)
		ok = kind->start(object, live, notes, error);
	if (!ok) {
		forget_run(object);
		shape_free(kind->shape, live);
		return FALSE;
	}
	g_autoptr(GError) why = NULL;
	g_autofree char *after = run_text(object, live);
	if (!g_str_equal(before, after) && !write_run(object, after, &why))
		log_warning(object->snap->name, "a restart of the daemon will not know all of it: %s",
			    why->message);
	ObjectSnap *snap = object_snap_edit(object);
	snap->active = TRUE;
	set_doc(&snap->live, object_doc_new(kind->shape, live));
	object_publish(object, snap);
	return TRUE;
}

static gboolean is_there(CoreObject *object, GError **error)
{
	if (!object->gone)
		return TRUE;
	return fail(error, LODGE_ERROR_NOT_FOUND, "%s \"%s\" was removed meanwhile", object->set->kind->word,
		    object->snap->name);
}

gboolean core_object_start(CoreObject *object, Notes *notes, GError **error)
{
	const CoreKind *kind = object->set->kind;
	const ObjectSnap *snap = object->snap;
	if (!is_there(object, error))
		return FALSE;
	if (snap->active)
		return fail(error, LODGE_ERROR_STATE, "%s \"%s\" is already active", kind->word, snap->name);
	if (!start(object, shape_copy(kind->shape, snap->stored->value), notes, error))
		return FALSE;
	lifecycle(object, "started");
	return TRUE;
}

/* It is neither stored nor active any more. */
static void vanish(CoreObject *object)
{
	object->gone = TRUE;
	object_remove(object);
	if (object->set->kind->gone)
		object->set->kind->gone(object);
}

gboolean core_object_stop(CoreObject *object, GError **error)
{
	const CoreKind *kind = object->set->kind;
	if (!is_there(object, error))
		return FALSE;
	if (!object->snap->active)
		return fail(error, LODGE_ERROR_STATE, "%s \"%s\" is not active", kind->word,
			    object->snap->name);
	if (kind->stop && !kind->stop(object, error))
		return FALSE;
	forget_run(object);
	ObjectSnap *snap = object_snap_edit(object);
	snap->active = FALSE;
	set_doc(&snap->live, NULL);
	object_publish(object, snap);
	lifecycle(object, kind->always_active ? "undefined" : "stopped");
	if (!object->snap->persistent)
		vanish(object);
	return TRUE;
}

/* ---- definitions ---- */

static gboolean store(CoreObject *object, gconstpointer document, GError **error)
{
	const CoreKind *kind = object->set->kind;
	g_autofree char *xml = shape_to_xml(kind->shape, kind->root, document, SHAPE_XML_SECRETS);
	return object_store_write(object->set->store, object->snap->name, xml, error);
}

static void publish_stored(CoreObject *object, gpointer document)
{
	const CoreKind *kind = object->set->kind;
	ObjectSnap *snap = object_snap_edit(object);
	snap->persistent = TRUE;
	set_doc(&snap->stored, object_doc_new(kind->shape, document));
	if (kind->always_active) {
		set_doc(&snap->live, object_doc_ref(snap->stored));
		snap->active = TRUE;
	}
	object_publish(object, snap);
	if (kind->changed)
		kind->changed(object);
}

gboolean core_object_change(CoreObject *object, gpointer live, gpointer stored, GError **error)
{
	const CoreKind *kind = object->set->kind;
	g_autofree char *run = live ? run_text(object, live) : NULL;
	gboolean ok = is_there(object, error) && (!stored || store(object, stored, error)) &&
		      (!run || write_run(object, run, error));
	if (!ok) {
		if (live)
			shape_free(kind->shape, live);
		if (stored)
			shape_free(kind->shape, stored);
		return FALSE;
	}
	ObjectSnap *snap = object_snap_edit(object);
	if (live)
		set_doc(&snap->live, object_doc_new(kind->shape, live));
	if (stored)
		set_doc(&snap->stored, object_doc_new(kind->shape, stored));
	object_publish(object, snap);
	if (kind->changed)
		kind->changed(object);
	return TRUE;
}

gboolean core_object_autostart(CoreObject *object, gboolean on, GError **error)
{
	if (!is_there(object, error))
		return FALSE;
	if (!object->snap->persistent)
		return fail(error, LODGE_ERROR_STATE,
			    "%s \"%s\" is transient: only one that is defined can be started with the host",
			    object->set->kind->word, object->snap->name);
	if (!object_store_autostart(object->set->store, object->snap->name, on, error))
		return FALSE;
	ObjectSnap *snap = object_snap_edit(object);
	snap->autostart = on;
	object_publish(object, snap);
	return TRUE;
}

gboolean core_object_undefine(CoreObject *object, GError **error)
{
	const CoreKind *kind = object->set->kind;
	if (!is_there(object, error))
		return FALSE;
	if (!object->snap->persistent)
		return fail(error, LODGE_ERROR_STATE, "%s \"%s\" is transient: it has no definition",
			    kind->word, object->snap->name);
	if ((kind->may_undefine && !kind->may_undefine(object, error)) ||
	    !object_store_remove(object->set->store, object->snap->name, error))
		return FALSE;
	ObjectSnap *snap = object_snap_edit(object);
	snap->persistent = snap->autostart = FALSE;
	set_doc(&snap->stored, NULL);
	object_publish(object, snap);
	lifecycle(object, "undefined");
	if (!object->snap->active || kind->always_active)
		vanish(object);
	return TRUE;
}

/* ---- what comes in ---- */

typedef struct Incoming {
	CoreObject *object;
	gpointer document; /* of the kind's shape; taken where it is used */
	gboolean create;
	guint flags;
	Notes *notes;
	GError **error;
	gboolean ok, again; /* again: the object went away meanwhile */
} Incoming;

static gboolean take_definition(Incoming *in)
{
	CoreObject *object = in->object;
	gboolean is_new = !object->snap->persistent;
	if (!store(object, in->document, in->error))
		return FALSE;
	publish_stored(object, g_steal_pointer(&in->document));
	object_show(object);
	core_object_event(object, NULL, "defined", is_new ? "added" : "updated", NULL);
	return TRUE;
}

static gboolean take_transient(Incoming *in)
{
	CoreObject *object = in->object;
	if (object->snap->active)
		return fail(in->error, LODGE_ERROR_STATE, "%s \"%s\" is already active",
			    object->set->kind->word, object->snap->name);
	if (!start(object, g_steal_pointer(&in->document), in->notes, in->error))
		return FALSE;
	object_show(object);
	lifecycle(object, object->set->kind->always_active ? "defined" : "started");
	return TRUE;
}

static void take_in(gpointer data)
{
	Incoming *in = data;
	CoreObject *object = in->object;
	const ObjectSnap *snap = object->snap;
	in->again = object->gone;
	if (in->again)
		return;
	if ((in->flags & CORE_OBJECT_NEW) && (snap->persistent || snap->active))
		fail(in->error, LODGE_ERROR_EXISTS, "%s \"%s\" already exists with uuid %s",
		     object->set->kind->word, snap->name, snap->uuid);
	else
		in->ok = in->create ? take_transient(in) : take_definition(in);
	if (in->ok || object->snap->persistent || object->snap->active)
		return;
	object->gone = TRUE; /* it was made for this */
	object_remove(object);
}

/* A document without uuid speaks of the object of its name, if there is one; else it gets a new one. */
static void fill_uuid(Core *core, const CoreKind *kind, gpointer document)
{
	char **uuid = member(document, kind->uuid);
	if (*uuid)
		return;
	const char *name = object_name_of(kind, document);
	g_autoptr(CoreObject) object =
		name ? core_object_find_by(core, kind->id, CORE_BY_NAME, name, NULL) : NULL;
	g_autoptr(ObjectSnap) snap = object ? core_object_snap(object) : NULL;
	*uuid = snap ? g_strdup(snap->uuid) : g_uuid_string_random();
}

static gboolean complete(Core *core, const CoreKind *kind, gpointer document, guint flags, Notes *notes,
			 GError **error)
{
	if ((flags & CORE_OBJECT_VALIDATE) && !shape_all_known(kind->shape, document, error))
		return FALSE;
	shape_drop_live(kind->shape, document);
	fill_uuid(core, kind, document);
	const char *name = object_name_of(kind, document);
	if (!name)
		return fail(error, LODGE_ERROR_INVALID, "%s: <name> is missing", kind->root);
	if (!guest_check_name(name, error))
		return FALSE;
	if (!kind->check)
		return TRUE;
	g_autoptr(CoreObject) object =
		core_object_find_by(core, kind->id, CORE_BY_UUID, object_uuid_of(kind, document), NULL);
	g_autoptr(ObjectSnap) snap = object ? core_object_snap(object) : NULL;
	return kind->check(core, document, snap && snap->stored ? snap->stored->value : NULL, notes, error);
}

static CoreObject *bring_in(Core *core, const CoreKind *kind, Incoming *in, GError **error)
{
	in->error = error;
	if (!complete(core, kind, in->document, in->flags, in->notes, error))
		return NULL;
	do {
		g_clear_pointer(&in->object, core_object_unref);
		in->object = object_claim(core, kind->id, object_name_of(kind, in->document),
					  object_uuid_of(kind, in->document), error);
		if (!in->object)
			return NULL;
		lane_run(in->object->lane, take_in, in);
	} while (in->again);
	if (!in->ok)
		g_clear_pointer(&in->object, core_object_unref);
	return in->object;
}

static CoreObject *bring_in_document(Core *core, const CoreKind *kind, Incoming *in, GError **error)
{
	CoreObject *object = bring_in(core, kind, in, error);
	if (in->document)
		shape_free(kind->shape, in->document);
	return object;
}

CoreObject *core_object_define_document(Core *core, CoreKindId kind, gpointer document, guint flags,
					Notes *notes, GError **error)
{
	Incoming in = { .document = document, .flags = flags, .notes = notes };
	return bring_in_document(core, core->objects[kind]->kind, &in, error);
}

static CoreObject *bring_in_xml(Core *core, const CoreKind *kind, const char *xml, Incoming *in,
				GError **error)
{
	in->document = object_read(kind, xml, -1, NULL, in->notes, error);
	return in->document ? bring_in_document(core, kind, in, error) : NULL;
}

CoreObject *core_object_define(Core *core, CoreKindId kind, const char *xml, guint flags, Notes *notes,
			       GError **error)
{
	Incoming in = { .flags = flags, .notes = notes };
	return bring_in_xml(core, core->objects[kind]->kind, xml, &in, error);
}

CoreObject *core_object_create(Core *core, CoreKindId kind, const char *xml, guint flags, Notes *notes,
			       GError **error)
{
	Incoming in = { .create = TRUE, .flags = flags, .notes = notes };
	return bring_in_xml(core, core->objects[kind]->kind, xml, &in, error);
}

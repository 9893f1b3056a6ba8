/* Which objects beside guests there are: found, listed, loaded when the daemon starts, taken up from an
 * earlier daemon, started with the host. See object.h. */
#include "base/error.h"
#include "base/log.h"
#include "core/object_internal.h"
#include "host/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define RUN_LIMIT (4 * 1024 * 1024) /* bytes of a document; as shape/xml.c */
#define AUTOSTART_SECONDS 30	    /* that guests wait for pools and networks */
#define ADOPT_MS 3000		    /* that the daemon's start waits for them */

/* ---- one object ---- */

CoreObject *core_object_ref(CoreObject *object)
{
	g_atomic_int_inc(&object->refs);
	return object;
}

void core_object_unref(CoreObject *object)
{
	if (!object || !g_atomic_int_dec_and_test(&object->refs))
		return;
	const CoreKind *kind = object->set->kind;
	if (object->run && kind->free_run)
		kind->free_run(object->run);
	object_snap_unref(object->snap);
	lane_unref(object->lane);
	g_mutex_clear(&object->lock);
	core_unref(object->core);
	g_free(object);
}

/* Hidden, with one reference for the caller; lock held. */
static CoreObject *add(Core *core, ObjectSet *set, const char *name, const char *uuid)
{
	CoreObject *object = g_new0(CoreObject, 1);
	object->refs = 2;
	object->core = core;
	g_atomic_int_inc(&core->refs);
	object->set = set;
	object->lane = lane_new();
	object->hidden = TRUE;
	g_mutex_init(&object->lock);
	object->snap = object_snap_new(set->kind, name, uuid);
	g_hash_table_insert(set->by_name, g_strdup(name), object);
	g_hash_table_insert(set->by_uuid, g_strdup(uuid), object);
	return object;
}

void object_show(CoreObject *object)
{
	g_mutex_lock(&object->set->lock);
	object->hidden = FALSE;
	g_mutex_unlock(&object->set->lock);
}

void object_remove(CoreObject *object)
{
	ObjectSet *set = object->set;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_mutex_lock(&set->lock);
	object->hidden = TRUE;
	g_hash_table_remove(set->by_uuid, snap->uuid);
	gboolean was_there = g_hash_table_remove(set->by_name, snap->name);
	g_mutex_unlock(&set->lock);
	if (was_there)
		core_object_unref(object);
}

static gboolean is_same(const ObjectSnap *snap, const char *name, const char *uuid, GError **error)
{
	const char *word = snap->kind->word;
	if (!g_str_equal(snap->name, name))
		return fail(error, LODGE_ERROR_EXISTS,
			    "uuid %s is that of %s \"%s\": leave <uuid> out to get a new one", uuid, word,
			    snap->name);
	if (g_ascii_strcasecmp(snap->uuid, uuid))
		return fail(error, LODGE_ERROR_EXISTS,
			    "%s \"%s\" already exists with uuid %s: use that uuid to change it, or another "
			    "name", word, snap->name, snap->uuid);
	return TRUE;
}

CoreObject *object_claim(Core *core, CoreKindId kind, const char *name, const char *uuid, GError **error)
{
	ObjectSet *set = core->objects[kind];
	g_autofree char *lower = g_ascii_strdown(uuid, -1);
	g_mutex_lock(&set->lock);
	CoreObject *object = g_hash_table_lookup(set->by_uuid, lower);
	if (!object)
		object = g_hash_table_lookup(set->by_name, name);
	if (object)
		core_object_ref(object);
	else
		object = add(core, set, name, lower);
	g_mutex_unlock(&set->lock);
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	if (is_same(snap, name, lower, error))
		return object;
	core_object_unref(object);
	return NULL;
}

/* ---- finding ---- */

CoreObject *core_object_find_by(Core *core, CoreKindId kind, guint by, const char *key, GError **error)
{
	ObjectSet *set = core->objects[kind];
	g_autofree char *lower = g_ascii_strdown(key, -1);
	g_mutex_lock(&set->lock);
	CoreObject *object = by & CORE_BY_UUID ? g_hash_table_lookup(set->by_uuid, lower) : NULL;
	if (!object && (by & CORE_BY_NAME))
		object = g_hash_table_lookup(set->by_name, key);
	object = object && !object->hidden ? core_object_ref(object) : NULL;
	g_mutex_unlock(&set->lock);
	if (!object)
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "there is no %s \"%s\": \"lodge %s\" shows those there are", set->kind->word, key,
		     set->kind->list);
	return object;
}

CoreObject *core_object_find(Core *core, CoreKindId kind, const char *key, GError **error)
{
	return core_object_find_by(core, kind, CORE_BY_UUID | CORE_BY_NAME, key, error);
}

static GPtrArray *all_of(ObjectSet *set, gboolean hidden_too)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)core_object_unref);
	GHashTableIter iter;
	gpointer value;
	g_mutex_lock(&set->lock);
	g_hash_table_iter_init(&iter, set->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (hidden_too || !((CoreObject *)value)->hidden)
			g_ptr_array_add(all, core_object_ref(value));
	g_mutex_unlock(&set->lock);
	return all;
}

GPtrArray *core_object_all(Core *core, CoreKindId kind)
{
	return all_of(core->objects[kind], FALSE);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	const ObjectSnap *x = *(ObjectSnap *const *)a, *y = *(ObjectSnap *const *)b;
	gint order = g_ascii_strcasecmp(x->name, y->name);
	return order ? order : strcmp(x->name, y->name);
}

GPtrArray *core_object_list(Core *core, CoreKindId kind, guint flags)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)object_snap_unref);
	g_autoptr(GPtrArray) all = core_object_all(core, kind);
	for (guint i = 0; i < all->len; i++) {
		ObjectSnap *snap = core_object_snap(all->pdata[i]);
		if (flags & (snap->active ? CORE_LIST_ACTIVE : CORE_LIST_INACTIVE))
			g_ptr_array_add(list, snap);
		else
			object_snap_unref(snap);
	}
	g_ptr_array_sort(list, by_name);
	return list;
}

/* ---- loading ---- */

/* The file's name is the object's. */
static void load_one(Core *core, ObjectSet *set, const StoredObject *stored)
{
	const CoreKind *kind = set->kind;
	g_autoptr(GError) error = NULL;
	gpointer document =
		object_read(kind, stored->xml, (gssize)stored->length, stored->path, NULL, &error);
	const char *uuid = document ? object_uuid_of(kind, document) : NULL;
	const char *name = document ? object_name_of(kind, document) : NULL;
	if (document && (!uuid || g_strcmp0(name, stored->name)))
		fail(&error, LODGE_ERROR_INVALID, "%s: %s", stored->path,
		     uuid ? "its name is not the file's" : "<uuid> is missing");
	CoreObject *object = error ? NULL : object_claim(core, kind->id, name, uuid, &error);
	if (!object) {
		log_error(NULL, "a definition is left out: %s", error->message);
		if (document)
			shape_free(kind->shape, document);
		return;
	}
	ObjectSnap *snap = object->snap; /* nobody else sees it yet */
	snap->persistent = TRUE;
	snap->autostart = stored->autostart;
	snap->active = kind->always_active;
	snap->stored = object_doc_new(kind->shape, document);
	snap->live = kind->always_active ? object_doc_ref(snap->stored) : NULL;
	object_show(object);
	core_object_unref(object);
}

/* Those that are not stored under their names. */
static void load_stock(Core *core, ObjectSet *set)
{
	const char *const *xml = set->kind->stock ? set->kind->stock() : NULL;
	for (; xml && *xml; xml++) {
		g_autoptr(GError) error = NULL;
		gpointer document = object_read(set->kind, *xml, -1, NULL, NULL, &error);
		g_assert_no_error(error);
		const char *name = object_name_of(set->kind, document);
		StoredObject stock = { .name = (char *)name, .path = (char *)"stock", .xml = (char *)*xml,
				       .length = strlen(*xml) };
		if (!g_hash_table_contains(set->by_name, name))
			load_one(core, set, &stock);
		shape_free(set->kind->shape, document);
	}
}

static ObjectSet *set_new(Core *core, const CoreKind *kind, GError **error)
{
	ObjectSet *set = g_new0(ObjectSet, 1);
	g_autofree char *folder = g_build_filename(core->paths->etc, kind->folder, NULL);
	set->kind = kind;
	set->run_folder = g_build_filename(core->paths->run, kind->folder, NULL);
	g_mutex_init(&set->lock);
	set->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	set->by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	set->store = object_store_open(folder, error);
	return set;
}

static gboolean load_kind(Core *core, const CoreKind *kind, GError **error)
{
	ObjectSet *set = core->objects[kind->id] = set_new(core, kind, error);
	if (!set->store)
		return FALSE;
	if (g_mkdir_with_parents(set->run_folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", set->run_folder);
	g_autoptr(GPtrArray) stored = object_store_load(set->store, error);
	for (guint i = 0; stored && i < stored->len; i++)
		load_one(core, set, stored->pdata[i]);
	if (stored)
		load_stock(core, set);
	return stored != NULL;
}

gboolean objects_load(Core *core, GError **error)
{
	for (guint i = 0; i < CORE_KINDS; i++)
		if (core->kinds[i] && !load_kind(core, core->kinds[i], error))
			return FALSE;
	return TRUE;
}

void objects_forget(Core *core)
{
	for (guint i = 0; i < CORE_KINDS; i++) {
		if (!core->objects[i])
			continue;
		g_autoptr(GPtrArray) all = all_of(core->objects[i], TRUE);
		for (guint k = 0; k < all->len; k++)
			object_remove(all->pdata[k]);
	}
}

void objects_free(Core *core)
{
	for (guint i = 0; i < CORE_KINDS; i++) {
		ObjectSet *set = core->objects[i];
		if (!set)
			continue;
		g_hash_table_unref(set->by_name);
		g_hash_table_unref(set->by_uuid);
		g_clear_pointer(&set->store, object_store_free);
		g_mutex_clear(&set->lock);
		g_free(set->run_folder);
		g_free(set);
	}
}

/* ---- what an earlier daemon started ---- */

typedef struct Adoption {
	CoreObject *object;
	gpointer live;
} Adoption;

static void adopt(gpointer data)
{
	g_autofree Adoption *adoption = data;
	CoreObject *object = adoption->object;
	const CoreKind *kind = object->set->kind;
	g_autoptr(GError) error = NULL;
	if (kind->adopt(object, adoption->live, &error)) {
		ObjectSnap *snap = object_snap_edit(object);
		snap->active = TRUE;
		snap->live = object_doc_new(kind->shape, adoption->live);
		object_publish(object, snap);
		object_show(object);
	} else {
		g_autofree char *path = object_run_path(object);
		log_warning(object->snap->name, "%s is not active any more: %s", kind->word, error->message);
		file_remove(path, NULL);
		shape_free(kind->shape, adoption->live);
		if (!object->snap->persistent) {
			object->gone = TRUE;
			object_remove(object);
		}
	}
	core_object_unref(object);
}

static void adopt_file(Core *core, ObjectSet *set, const char *path)
{
	const CoreKind *kind = set->kind;
	g_autoptr(GError) error = NULL;
	gsize length = 0;
	g_autofree char *xml = file_read(path, RUN_LIMIT, &length, &error);
	gpointer live = NULL;
	if (xml && kind->adopt)
		live = object_read(kind, xml, (gssize)length, path, NULL, &error);
	CoreObject *object = NULL;
	if (live)
		object = object_claim(core, kind->id, object_name_of(kind, live), object_uuid_of(kind, live),
				      &error);
	if (!object) {
		if (error)
			log_error(NULL, "a %s is not taken up: %s", kind->word, error->message);
		if (live)
			shape_free(kind->shape, live);
		g_unlink(path);
		return;
	}
	Adoption *adoption = g_new(Adoption, 1);
	*adoption = (Adoption){ .object = object, .live = live };
	lane_post(object->lane, adopt, adoption);
}

static void each_run_file(ObjectSet *set, void (*fn)(Core *, ObjectSet *, const char *), Core *core)
{
	file_sweep(set->run_folder);
	g_autoptr(GDir) dir = g_dir_open(set->run_folder, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(set->run_folder, file, NULL);
		if (g_str_has_suffix(file, ".xml"))
			fn(core, set, path);
	}
}

static void remove_run_file(G_GNUC_UNUSED Core *core, G_GNUC_UNUSED ObjectSet *set, const char *path)
{
	g_unlink(path);
}

void objects_forget_boot(Core *core)
{
	for (guint i = 0; i < CORE_KINDS; i++)
		if (core->objects[i])
			each_run_file(core->objects[i], remove_run_file, core);
}

void objects_add_lanes(Core *core, GPtrArray *lanes)
{
	for (guint i = 0; i < CORE_KINDS; i++) {
		if (!core->objects[i])
			continue;
		g_autoptr(GPtrArray) all = all_of(core->objects[i], TRUE);
		for (guint k = 0; k < all->len; k++)
			g_ptr_array_add(lanes, lane_ref(((CoreObject *)all->pdata[k])->lane));
	}
}

void objects_adopt(Core *core)
{
	for (guint i = 0; i < CORE_KINDS; i++)
		if (core->objects[i])
			each_run_file(core->objects[i], adopt_file, core);
	g_autoptr(GPtrArray) lanes = g_ptr_array_new_with_free_func((GDestroyNotify)lane_unref);
	objects_add_lanes(core, lanes);
	if (!core_wait_lanes(lanes, ADOPT_MS))
		log_warning(NULL, "a network or storage pool takes long to be taken up: going on without it");
}

/* ---- with the host ---- */

typedef struct Autostart {
	Core *core;
	guint pending, timer;
	void (*then)(Core *core); /* NULL: was called */
} Autostart;

typedef struct Starting {
	Autostart *all;
	CoreObject *object;
} Starting;

static void go_on(Autostart *all)
{
	void (*then)(Core *core) = g_steal_pointer(&all->then);
	if (then)
		then(all->core);
}

static void one_started(gpointer data)
{
	Autostart *all = data;
	if (--all->pending)
		return;
	go_on(all);
	if (all->timer)
		g_source_remove(all->timer);
	core_unref(all->core);
	g_free(all);
}

static gboolean time_is_up(gpointer data)
{
	Autostart *all = data;
	all->timer = 0;
	log_warning(NULL, "guests are started although a network or storage pool is not up yet");
	go_on(all);
	return G_SOURCE_REMOVE;
}

static void start_one(gpointer data)
{
	g_autofree Starting *starting = data;
	CoreObject *object = starting->object;
	g_autoptr(GError) error = NULL;
	if (!object->snap->active && !core_object_start(object, NULL, &error))
		log_error(object->snap->name, "autostart failed: %s", error->message);
	core_object_unref(object);
	lane_to_main(one_started, starting->all);
}

void objects_autostart(Core *core, void (*then)(Core *core))
{
	Autostart *all = g_new0(Autostart, 1);
	*all = (Autostart){ .core = core, .pending = 1, .then = then };
	g_atomic_int_inc(&core->refs);
	all->timer = g_timeout_add_seconds(AUTOSTART_SECONDS, time_is_up, all);
	for (guint i = 0; i < CORE_KINDS; i++) {
		if (!core->objects[i])
			continue;
		g_autoptr(GPtrArray) objects = core_object_all(core, i);
		for (guint k = 0; k < objects->len; k++) {
			CoreObject *object = objects->pdata[k];
			g_autoptr(ObjectSnap) snap = core_object_snap(object);
			if (!snap->autostart || snap->active)
				continue;
			Starting *starting = g_new(Starting, 1);
			*starting = (Starting){ .all = all, .object = core_object_ref(object) };
			all->pending++;
			lane_post(object->lane, start_one, starting);
		}
	}
	one_started(all);
}

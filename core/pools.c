/* See pools.h. The kind "storage pool" of object.h. */
#include "core/pools.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/kinds.h"
#include "host/file.h"
#include "image/trust.h"
#include "pool/files.h"
#include "pool/watch.h"

/* What an active pool has beside its documents. */
typedef struct PoolRun {
	PoolState *state;
	PoolWatch *watch; /* NULL: only reading the folder tells */
} PoolRun;

static PoolRun *run_of(CoreObject *object)
{
	return *core_object_run(object);
}

static void free_run(gpointer data)
{
	PoolRun *run = data;
	pool_watch_free(run->watch);
	pool_state_unref(run->state);
	g_free(run);
}

static void drop_run(CoreObject *object)
{
	gpointer *run = core_object_run(object);
	if (*run)
		free_run(*run);
	*run = NULL;
}

static void clear_info(gpointer data)
{
	pool_state_unref(((PoolInfo *)data)->state);
}

PoolState *pool_snap_state(const ObjectSnap *snap)
{
	return snap->active && snap->info ? ((const PoolInfo *)snap->info)->state : NULL;
}

static void no_secret(const SecretRef *secret, GError **error)
{
	fail_with(error, LODGE_ERROR_NOT_FOUND, LODGE_DETAIL_NO_SECRET, "secret %s: there is no such secret",
	     secret->uuid ? secret->uuid : secret->usage ? secret->usage : "?");
}

/* A secret's value, by the same road as engines ask for it. */
static GBytes *ask_secret(gpointer owner, const SecretRef *secret, const char *type, GError **error)
{
	const EngineConfig *config = &((Core *)owner)->engine_config;
	gsize length = 0;
	if (!config->secret) {
		no_secret(secret, error);
		return NULL;
	}
	char *value = config->secret(config->secret_owner, secret->uuid, type, secret->usage, &length, error);
	return value ? g_bytes_new_take(value, length) : NULL;
}

PoolNeeds pool_needs(Core *core)
{
	return (PoolNeeds){ .owner = core, .secret = ask_secret };
}

PoolUse pool_snap_use(G_GNUC_UNUSED Core *core, const ObjectSnap *snap)
{
	return (PoolUse){ .pool = object_snap_document(snap, FALSE), .state = pool_snap_state(snap) };
}

/* ---- check ---- */

/* Two pools must not write to one place. */
static gboolean check_conflicts(Core *core, const Pool *pool, GError **error)
{
	g_autoptr(GPtrArray) snaps =
		core_object_list(core, CORE_POOL, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		if (g_str_equal(snap->uuid, pool->uuid))
			continue;
		g_autofree char *same = pool_same_source(pool, object_snap_document(snap, FALSE));
		if (same)
			return fail(error, LODGE_ERROR_EXISTS,
				    "Storage source conflict with pool: '%s' has %s already", snap->name,
				    same);
	}
	return TRUE;
}

static gboolean check(Core *core, gpointer document, G_GNUC_UNUSED gconstpointer old, Notes *notes,
		      GError **error)
{
	Pool *pool = document;
	g_autoptr(GError) why = NULL;
	if (!pool_complete(pool, notes, error) || !pool_kind(pool->type, error) ||
	    !check_conflicts(core, pool, error))
		return FALSE;
	if (!pool_check_host(pool, &why))
		notes_add(notes, "this pool cannot be started on this host: %s", why->message);
	return TRUE;
}

/* ---- active ---- */

static void catch_up(gpointer data);

/* By uuid, for a reference would keep the object, which keeps the watch. */
typedef struct Watched {
	Core *core;
	char uuid[37];
} Watched;

static void changed(gpointer data)
{
	const Watched *watched = data;
	g_autoptr(CoreObject) object =
		core_object_find_by(watched->core, CORE_POOL, CORE_BY_UUID, watched->uuid, NULL);
	if (object)
		lane_post(core_object_lane(object), catch_up, core_object_ref(object));
}

/* The watch is there before the folder is read, so that nothing is missed. */
static void begin_watch(CoreObject *object, PoolRun *run, const Pool *pool)
{
	if (!pool_has_files(pool->type))
		return;
	Watched *watched = g_new(Watched, 1);
	watched->core = core_object_core(object);
	g_strlcpy(watched->uuid, pool->uuid, sizeof(watched->uuid));
	run->watch = pool_watch_new(pool_path(pool), changed, watched, g_free);
	if (!run->watch)
		g_free(watched);
}

static gboolean read_all(CoreObject *object, PoolRun *run, const Pool *pool, GError **error)
{
	PoolNeeds needs = pool_needs(core_object_core(object));
	PoolUse use = { .pool = pool, .state = run->state, .needs = &needs };
	g_autoptr(GPtrArray) names = NULL;
	gboolean all;
	if (run->watch)
		pool_watch_take(run->watch, &names, &all); /* what was before is read now */
	return pool_refresh(&use, error);
}

/* Headers of images lead no more into a folder that is no pool's. */
static void distrust(const Pool *pool)
{
	if (pool_path(pool))
		image_distrust_folder(pool_path(pool));
}

static gboolean become_active(CoreObject *object, Pool *live, gboolean begin, GError **error)
{
	PoolNeeds needs = pool_needs(core_object_core(object));
	g_autoptr(PoolState) state = pool_state_new();
	PoolUse use = { .pool = live, .state = state, .needs = &needs };
	if (begin && !pool_start(&use, error))
		return FALSE;
	PoolRun *run = g_new0(PoolRun, 1);
	run->state = pool_state_ref(state);
	begin_watch(object, run, live);
	if (pool_path(live))
		image_trust_folder(pool_path(live));
	if (!read_all(object, run, live, error)) {
		free_run(run);
		distrust(live);
		if (begin && !pool_stop(&use, NULL))
			log_warning(live->name, "stays half active after a failed start");
		return FALSE;
	}
	drop_run(object);
	*core_object_run(object) = run;
	PoolInfo *info = g_atomic_rc_box_new0(PoolInfo);
	info->state = pool_state_ref(state);
	core_object_set_info(object, info, clear_info);
	return TRUE;
}

static gboolean start(CoreObject *object, gpointer live, G_GNUC_UNUSED Notes *notes, GError **error)
{
	return become_active(object, live, TRUE, error);
}

static gboolean adopt(CoreObject *object, gpointer live, GError **error)
{
	PoolUse use = { .pool = live };
	if (!pool_is_active(&use))
		return fail(error, LODGE_ERROR_STATE, "its storage is not there any more");
	return become_active(object, live, FALSE, error);
}

static gboolean stop(CoreObject *object, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	PoolState *state = pool_snap_state(snap);
	PoolNeeds needs = pool_needs(core_object_core(object));
	PoolUse use = pool_snap_use(core_object_core(object), snap);
	use.needs = &needs;
	if (state && pool_state_busy(state))
		return fail(error, LODGE_ERROR_IN_USE,
			    "pool '%s' has asynchronous jobs running: wait for them, or cancel them",
			    snap->name);
	if (!pool_stop(&use, error))
		return FALSE;
	distrust(use.pool);
	drop_run(object);
	core_object_set_info(object, NULL, NULL);
	return TRUE;
}

/* ---- what changes ---- */

static void tell_refreshed(CoreObject *object)
{
	core_object_event(object, "pool-refresh", NULL, NULL, NULL);
}

/* What the watch has seen. *complete: that was all there is to do. */
static gboolean take_changes(CoreObject *object, PoolRun *run, const Pool *pool, gboolean *complete,
			     GError **error)
{
	g_autoptr(GPtrArray) names = NULL;
	gboolean all = FALSE;
	struct stat st;
	*complete = FALSE;
	/* The folder went, was moved, or is covered by a file system that was mounted there. */
	if (!pool_watch_take(run->watch, &names, &all) ||
	    !pool_watch_is_of(run->watch, pool_path(pool), &st)) {
		pool_watch_free(run->watch);
		run->watch = NULL;
		begin_watch(object, run, pool);
		return TRUE;
	}
	pool_files_see_folder(run->state, pool_path(pool), &st);
	*complete = !all;
	return all || !names->len || pool_files_update(pool_path(pool), run->state, names, error);
}

static gboolean refresh(CoreObject *object, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	PoolRun *run = run_of(object);
	const Pool *pool = object_snap_document(snap, FALSE);
	gboolean complete = FALSE;
	if (!run->watch)
		begin_watch(object, run, pool); /* the folder may be there again */
	else if (!take_changes(object, run, pool, &complete, error))
		return FALSE;
	return complete || read_all(object, run, pool, error);
}

/* Lane: the folder has changed. */
static void catch_up(gpointer data)
{
	g_autoptr(CoreObject) object = data;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_autoptr(GError) error = NULL;
	if (!snap->active || !run_of(object))
		return;
	if (!refresh(object, &error))
		log_warning(snap->name, "its volumes are not known anew: %s", error->message);
}

static gboolean is_active(const ObjectSnap *snap, GError **error)
{
	return snap->active ||
	       fail(error, LODGE_ERROR_STATE, "storage pool '%s' is not active", snap->name);
}

gboolean core_pool_refresh(CoreObject *object, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	PoolSizes sizes;
	if (!is_active(snap, error) || !refresh(object, error))
		return FALSE;
	const char *path = pool_path(object_snap_document(snap, FALSE));
	if (pool_has_files(((const Pool *)object_snap_document(snap, FALSE))->type) &&
	    pool_files_sizes(path, &sizes, NULL))
		pool_state_set_sizes(run_of(object)->state, &sizes);
	tell_refreshed(object);
	return TRUE;
}

static gboolean is_inactive(const ObjectSnap *snap, GError **error)
{
	return !snap->active ||
	       fail(error, LODGE_ERROR_STATE, "storage pool '%s' is already active", snap->name);
}

gboolean core_pool_build(CoreObject *object, guint flags, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_autoptr(PoolState) none = pool_state_new();
	PoolNeeds needs = pool_needs(core_object_core(object));
	PoolUse use = { .pool = object_snap_document(snap, FALSE), .state = none, .needs = &needs };
	if (!is_inactive(snap, error) || !pool_build(&use, flags, error))
		return FALSE;
	core_object_event(object, NULL, "created", NULL, NULL);
	return TRUE;
}

gboolean core_pool_erase(CoreObject *object, guint flags, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_autoptr(PoolState) none = pool_state_new();
	PoolNeeds needs = pool_needs(core_object_core(object));
	PoolUse use = { .pool = object_snap_document(snap, FALSE), .state = none, .needs = &needs };
	if (!is_inactive(snap, error) || !pool_erase(&use, flags, error))
		return FALSE;
	core_object_event(object, NULL, "deleted", NULL, NULL);
	return TRUE;
}

const CoreKind core_pool_kind = {
	.id = CORE_POOL,
	.word = "storage pool",
	.list = "pool-list --all",
	.folder = "pools",
	.root = "pool",
	.event = "pool-lifecycle",
	.shape = &pool_shape,
	.name = offsetof(Pool, name),
	.uuid = offsetof(Pool, uuid),
	.check = check,
	.start = start,
	.adopt = adopt,
	.stop = stop,
	.free_run = free_run,
};

/* ---- the pool that is there from the start ---- */

static void start_default(gpointer data)
{
	CoreObject *pool = data;
	g_autoptr(GError) error = NULL;
	if (!core_object_autostart(pool, TRUE, &error) || !core_object_start(pool, NULL, &error))
		log_warning("default", "the pool does not start: %s", error->message);
}

static void make_default(Core *core)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = g_markup_printf_escaped(
		"<pool type='dir'><name>default</name><target><path>%s</path></target></pool>",
		core->paths->images);
	g_autoptr(CoreObject) pool = core_object_define(core, CORE_POOL, xml, CORE_OBJECT_NEW, NULL, &error);
	if (pool)
		lane_run(core_object_lane(pool), start_default, pool);
	else if (!g_error_matches(error, LODGE_ERROR, LODGE_ERROR_EXISTS))
		log_warning("default", "the pool cannot be made: %s", error->message);
}

void pools_first_start(Core *core)
{
	g_autofree char *mark = g_build_filename(core->paths->lib, "pools-made", NULL);
	g_autoptr(GError) error = NULL;
	if (core->kinds[CORE_POOL] != &core_pool_kind || g_file_test(mark, G_FILE_TEST_EXISTS))
		return;
	make_default(core);
	if (!file_write(mark, "", 0, 0600, FILE_CACHE, &error))
		log_warning("default", "%s", error->message);
}

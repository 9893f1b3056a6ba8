/* See state.h. */
#include "pool/state.h"
#include "base/error.h"

#include <string.h>

typedef struct Busy {
	gboolean making, writing;
	guint readers;
} Busy;

struct PoolState {
	gint refs;
	GMutex lock;
	GHashTable *by_name; /* PoolVolume *, by its own name */
	GHashTable *busy;    /* Busy *, by name */
	gboolean scanning;
	GHashTable *changed; /* names put or dropped since the scan began */
	PoolSizes sizes;
	PoolFolder folder;
	GMutex change;
};

/* ---- volumes ---- */

PoolVolume *pool_volume_new(VolumeType type, const char *name, const char *path)
{
	PoolVolume *volume = g_new0(PoolVolume, 1);
	volume->refs = 1;
	volume->type = type;
	volume->name = g_strdup(name);
	volume->path = g_strdup(path);
	return volume;
}

PoolVolume *pool_volume_new_in(VolumeType type, const char *folder, const char *name)
{
	PoolVolume *volume = g_new0(PoolVolume, 1);
	volume->refs = 1;
	volume->type = type;
	volume->path = g_strconcat(folder, g_str_has_suffix(folder, "/") ? "" : "/", name, NULL);
	volume->name = volume->path + strlen(volume->path) - strlen(name);
	return volume;
}

/* Whether the name has no string of its own. */
static gboolean name_is_in_path(const PoolVolume *volume)
{
	return volume->path &&
	       volume->name + strlen(volume->name) == volume->path + strlen(volume->path);
}

PoolVolume *pool_volume_ref(PoolVolume *volume)
{
	g_atomic_int_inc(&volume->refs);
	return volume;
}

void pool_volume_unref(PoolVolume *volume)
{
	if (!g_atomic_int_dec_and_test(&volume->refs))
		return;
	if (!name_is_in_path(volume))
		g_free(volume->name);
	g_free(volume->path);
	g_free(volume->key);
	g_free(volume->backing);
	g_free(volume->backing_format);
	volume_free(volume->more);
	g_free(volume);
}

const char *pool_volume_key(const PoolVolume *volume)
{
	return volume->key ? volume->key : volume->path;
}

/* ---- the state ---- */

static GHashTable *volumes_table(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
				     (GDestroyNotify)pool_volume_unref);
}

PoolState *pool_state_new(void)
{
	PoolState *state = g_new0(PoolState, 1);
	state->refs = 1;
	g_mutex_init(&state->lock);
	g_mutex_init(&state->change);
	state->by_name = volumes_table();
	state->busy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	state->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return state;
}

PoolState *pool_state_ref(PoolState *state)
{
	g_atomic_int_inc(&state->refs);
	return state;
}

void pool_state_unref(PoolState *state)
{
	if (!g_atomic_int_dec_and_test(&state->refs))
		return;
	g_hash_table_unref(state->by_name);
	g_hash_table_unref(state->busy);
	g_hash_table_unref(state->changed);
	g_mutex_clear(&state->lock);
	g_mutex_clear(&state->change);
	g_free(state);
}

#define LOCKED(state) G_GNUC_UNUSED g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&(state)->lock)

PoolSizes pool_state_sizes(PoolState *state)
{
	LOCKED(state);
	return state->sizes;
}

void pool_state_set_sizes(PoolState *state, const PoolSizes *sizes)
{
	LOCKED(state);
	state->sizes = *sizes;
}

PoolFolder pool_state_folder(PoolState *state)
{
	LOCKED(state);
	return state->folder;
}

void pool_state_set_folder(PoolState *state, const PoolFolder *folder)
{
	LOCKED(state);
	state->folder = *folder;
}

guint pool_state_count(PoolState *state)
{
	LOCKED(state);
	return g_hash_table_size(state->by_name);
}

GPtrArray *pool_state_list(PoolState *state)
{
	LOCKED(state);
	GPtrArray *list = g_ptr_array_new_full(g_hash_table_size(state->by_name),
					       (GDestroyNotify)pool_volume_unref);
	GHashTableIter iter;
	gpointer volume;
	g_hash_table_iter_init(&iter, state->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &volume))
		g_ptr_array_add(list, pool_volume_ref(volume));
	return list;
}

static PoolVolume *ref_or_null(PoolVolume *volume)
{
	return volume ? pool_volume_ref(volume) : NULL;
}

PoolVolume *pool_state_find(PoolState *state, const char *name)
{
	LOCKED(state);
	return ref_or_null(g_hash_table_lookup(state->by_name, name));
}

/* Most volumes are named as the last part of their path and key: tried first. */
static PoolVolume *find_by(PoolState *state, const char *text,
			   const char *(*of)(const PoolVolume *volume))
{
	LOCKED(state);
	const char *slash = strrchr(text, '/');
	PoolVolume *found = g_hash_table_lookup(state->by_name, slash ? slash + 1 : text);
	if (found && g_str_equal(of(found), text))
		return pool_volume_ref(found);
	GHashTableIter iter;
	gpointer volume;
	g_hash_table_iter_init(&iter, state->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &volume))
		if (g_str_equal(of(volume), text))
			return pool_volume_ref(volume);
	return NULL;
}

static const char *path_of(const PoolVolume *volume)
{
	return volume->path;
}

PoolVolume *pool_state_find_path(PoolState *state, const char *path)
{
	return find_by(state, path, path_of);
}

PoolVolume *pool_state_find_key(PoolState *state, const char *key)
{
	return find_by(state, key, pool_volume_key);
}

static PoolVolume *based_on(GHashTable *volumes, const char *path)
{
	GHashTableIter iter;
	gpointer at;
	g_hash_table_iter_init(&iter, volumes);
	while (g_hash_table_iter_next(&iter, NULL, &at)) {
		PoolVolume *volume = at;
		if (volume->backing && g_str_equal(volume->backing, path))
			return volume;
	}
	return NULL;
}

PoolVolume *pool_state_based_on(PoolState *state, const char *path)
{
	LOCKED(state);
	return ref_or_null(based_on(state->by_name, path));
}

void pool_state_put(PoolState *state, PoolVolume *volume)
{
	LOCKED(state);
	if (state->scanning)
		g_hash_table_add(state->changed, g_strdup(volume->name));
	g_hash_table_replace(state->by_name, volume->name, volume);
}

void pool_state_drop(PoolState *state, const char *name)
{
	LOCKED(state);
	if (state->scanning)
		g_hash_table_add(state->changed, g_strdup(name));
	g_hash_table_remove(state->by_name, name);
}

void pool_state_scan_begin(PoolState *state)
{
	LOCKED(state);
	state->scanning = TRUE;
	g_hash_table_remove_all(state->changed);
}

/* What others did meanwhile is newer than what the scan has seen; lock held. */
static void keep_changed(PoolState *state, GHashTable *fresh)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, state->changed);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		PoolVolume *now = g_hash_table_lookup(state->by_name, name);
		if (now)
			g_hash_table_replace(fresh, now->name, pool_volume_ref(now));
		else
			g_hash_table_remove(fresh, name);
	}
	g_hash_table_remove_all(state->changed);
	state->scanning = FALSE;
}

void pool_state_scan_end(PoolState *state, GPtrArray *volumes, const PoolSizes *sizes)
{
	GHashTable *table = volumes_table();
	for (guint i = 0; i < volumes->len; i++) {
		PoolVolume *volume = volumes->pdata[i];
		g_hash_table_replace(table, volume->name, volume);
	}
	g_ptr_array_set_free_func(volumes, NULL);
	g_ptr_array_set_size(volumes, 0);
	g_mutex_lock(&state->lock);
	keep_changed(state, table);
	GHashTable *old = state->by_name;
	state->by_name = table;
	state->sizes = *sizes;
	g_mutex_unlock(&state->lock);
	g_hash_table_unref(old);
}

/* ---- who works on what ---- */

/* lock held */
static Busy *busy_of(PoolState *state, const char *name)
{
	Busy *busy = g_hash_table_lookup(state->busy, name);
	if (!busy) {
		busy = g_new0(Busy, 1);
		g_hash_table_insert(state->busy, g_strdup(name), busy);
	}
	return busy;
}

/* lock held */
static void forget_idle(PoolState *state, const char *name, const Busy *busy)
{
	if (!busy->making && !busy->writing && !busy->readers)
		g_hash_table_remove(state->busy, name);
}

gboolean pool_state_reserve(PoolState *state, const char *name, GError **error)
{
	LOCKED(state);
	if (g_hash_table_contains(state->by_name, name))
		return fail(error, LODGE_ERROR_EXISTS,
			    "storage volume '%s' exists already: delete it or choose another name", name);
	Busy *busy = g_hash_table_lookup(state->busy, name);
	if (busy)
		return fail(error, LODGE_ERROR_EXISTS, "storage volume '%s' is being made by another call",
			    name);
	busy_of(state, name)->making = TRUE;
	return TRUE;
}

void pool_state_release(PoolState *state, const char *name)
{
	LOCKED(state);
	Busy *busy = busy_of(state, name);
	busy->making = FALSE;
	forget_idle(state, name, busy);
}

gboolean pool_state_use(PoolState *state, const char *name, gboolean write, GError **error)
{
	LOCKED(state);
	Busy *busy = busy_of(state, name);
	if (busy->making || busy->writing || (write && busy->readers))
		return fail(error, LODGE_ERROR_IN_USE,
			    "storage volume '%s' is being worked on by another call: try again later", name);
	busy->writing |= write;
	busy->readers += !write;
	return TRUE;
}

void pool_state_release_use(PoolState *state, const char *name, gboolean write)
{
	LOCKED(state);
	Busy *busy = busy_of(state, name);
	if (write)
		busy->writing = FALSE;
	else if (busy->readers)
		busy->readers--;
	forget_idle(state, name, busy);
}

guint pool_state_busy(PoolState *state)
{
	LOCKED(state);
	return g_hash_table_size(state->busy);
}

GMutex *pool_state_change(PoolState *state)
{
	return &state->change;
}

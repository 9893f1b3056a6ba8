/* Which guests there are: found by name, uuid or id, listed. See internal.h. */
#include "base/error.h"
#include "core/internal.h"
#include "engine/agent.h"

#include <string.h>

#define UUID_BYTES 16
#define UUID_LENGTH 36 /* as text */

/* ---- uuids as keys: their bytes ---- */

guint uuid_hash(gconstpointer uuid)
{
	guint64 words[UUID_BYTES / sizeof(guint64)];
	memcpy(words, uuid, sizeof words);
	guint64 mixed = (words[0] ^ words[1] * 3) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15); /* Fibonacci */
	return (guint)(mixed >> 32);
}

gboolean uuid_equal(gconstpointer a, gconstpointer b)
{
	return !memcmp(a, b, UUID_BYTES);
}

/* FALSE where @text is no uuid with dashes. */
static gboolean uuid_bytes(const char *text, guint8 bytes[UUID_BYTES])
{
	static const guint8 places[] = { 0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34 };
	if (strlen(text) != UUID_LENGTH)
		return FALSE;
	for (guint i = 0; i < UUID_BYTES; i++) {
		const char *at = text + places[i];
		int high = g_ascii_xdigit_value(at[0]), low = g_ascii_xdigit_value(at[1]);
		if (high < 0 || low < 0)
			return FALSE;
		bytes[i] = (guint8)(high << 4 | low);
	}
	return TRUE;
}

/* The guest itself, hidden or not; lock held. */
static CoreGuest *by_uuid(Core *core, const char *uuid)
{
	guint8 bytes[UUID_BYTES];
	return uuid_bytes(uuid, bytes) ? g_hash_table_lookup(core->by_uuid, bytes) : NULL;
}

gboolean registry_has_uuid(Core *core, const char *uuid)
{
	return by_uuid(core, uuid) != NULL;
}

/* ---- guests ---- */

CoreGuest *core_guest_ref(CoreGuest *guest)
{
	g_atomic_int_inc(&guest->refs);
	return guest;
}

void core_guest_unref(CoreGuest *guest)
{
	if (!g_atomic_int_dec_and_test(&guest->refs))
		return;
	guest_snap_unref(guest->snap);
	store_entry_free(guest->stored);
	consoles_free(guest);
	agent_free(guest->agent);
	meter_free(guest);
	job_free(guest);
	g_clear_pointer(&guest->fd_groups, g_hash_table_unref);
	lane_unref(guest->lane);
	g_cond_clear(&guest->off);
	g_mutex_clear(&guest->lock);
	g_mutex_clear(&guest->run_lock);
	core_unref(guest->core);
	g_free(guest);
}

CoreGuest *registry_add(Core *core, const char *name, const char *uuid)
{
	CoreGuest *guest = g_new0(CoreGuest, 1);
	guest->refs = 2;
	guest->core = core;
	g_atomic_int_inc(&core->refs);
	guest->lane = lane_new();
	guest->hidden = TRUE;
	g_mutex_init(&guest->lock);
	g_mutex_init(&guest->run_lock);
	g_cond_init(&guest->off);
	GuestSnap *snap = g_new0(GuestSnap, 1);
	*snap = (GuestSnap){ .refs = 1, .name = g_strdup(name), .id = -1, .state = GUEST_SHUTOFF };
	g_strlcpy(snap->uuid, uuid, sizeof snap->uuid);
	guest->snap = snap;
	g_clear_pointer(&core->ordered, g_array_unref);
	g_hash_table_insert(core->by_name, g_strdup(name), guest);
	guint8 bytes[UUID_BYTES] = { 0 };
	uuid_bytes(uuid, bytes);
	g_hash_table_insert(core->by_uuid, g_memdup2(bytes, sizeof bytes), guest);
	return guest;
}

void registry_show(CoreGuest *guest)
{
	g_mutex_lock(&guest->core->lock);
	guest->hidden = FALSE;
	g_mutex_unlock(&guest->core->lock);
}

void registry_remove(CoreGuest *guest)
{
	Core *core = guest->core;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_mutex_lock(&core->lock);
	guest->hidden = TRUE;
	g_clear_pointer(&core->ordered, g_array_unref);
	guint8 bytes[UUID_BYTES];
	if (uuid_bytes(snap->uuid, bytes))
		g_hash_table_remove(core->by_uuid, bytes);
	gboolean was_there = g_hash_table_remove(core->by_name, snap->name);
	g_mutex_unlock(&core->lock);
	if (was_there)
		core_guest_unref(guest);
}

void registry_set_id(CoreGuest *guest, int old, int id)
{
	Core *core = guest->core;
	g_mutex_lock(&core->lock);
	if (old >= 0)
		g_hash_table_remove(core->by_id, GINT_TO_POINTER(old));
	if (id >= 0)
		g_hash_table_insert(core->by_id, GINT_TO_POINTER(id), guest);
	g_mutex_unlock(&core->lock);
}

CoreGuest *registry_by_name(Core *core, const char *name)
{
	CoreGuest *guest = g_hash_table_lookup(core->by_name, name);
	return guest ? core_guest_ref(guest) : NULL;
}

CoreGuest *registry_by_uuid(Core *core, const char *uuid)
{
	CoreGuest *guest = by_uuid(core, uuid);
	return guest ? core_guest_ref(guest) : NULL;
}

gboolean registry_rename(CoreGuest *guest, const char *old, const char *name)
{
	Core *core = guest->core;
	g_mutex_lock(&core->lock);
	gboolean is_free = !g_hash_table_contains(core->by_name, name);
	if (is_free) {
		g_clear_pointer(&core->ordered, g_array_unref);
		g_hash_table_remove(core->by_name, old);
		g_hash_table_insert(core->by_name, g_strdup(name), guest);
	}
	g_mutex_unlock(&core->lock);
	return is_free;
}

/* Digits alone are an id first, as virsh reads them. */
static CoreGuest *find_by_id(Core *core, const char *key, gsize length)
{
	if (!length || length > 9 || strspn(key, "0123456789") != length)
		return NULL;
	int id = (int)g_ascii_strtoll(key, NULL, 10);
	return g_hash_table_lookup(core->by_id, GINT_TO_POINTER(id));
}

/* NULL or a reference to one that is not hidden; lock held. */
static CoreGuest *find_by(Core *core, guint by, const char *key)
{
	gsize length = strlen(key);
	CoreGuest *guest = by & CORE_BY_ID ? find_by_id(core, key, length) : NULL;
	if (!guest && (by & CORE_BY_UUID) && length == UUID_LENGTH)
		guest = by_uuid(core, key);
	if (!guest && (by & CORE_BY_NAME))
		guest = g_hash_table_lookup(core->by_name, key);
	return guest && !guest->hidden ? core_guest_ref(guest) : NULL;
}

CoreGuest *core_find_by(Core *core, guint by, const char *key, GError **error)
{
	g_mutex_lock(&core->lock);
	CoreGuest *guest = find_by(core, by, key);
	g_mutex_unlock(&core->lock);
	if (!guest)
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "there is no guest \"%s\": \"lodge list --all\" shows those there are", key);
	return guest;
}

CoreGuest *core_find_uuid(Core *core, const guint8 *bytes)
{
	g_mutex_lock(&core->lock);
	CoreGuest *guest = g_hash_table_lookup(core->by_uuid, bytes);
	guest = guest && !guest->hidden ? core_guest_ref(guest) : NULL;
	g_mutex_unlock(&core->lock);
	return guest;
}

CoreGuest *core_find(Core *core, const char *key, GError **error)
{
	return core_find_by(core, CORE_BY_ID | CORE_BY_UUID | CORE_BY_NAME, key, error);
}

/* ---- lists ---- */

typedef struct Named {
	const char *name; /* the registry's */
	CoreGuest *guest;
} Named;

static gint by_name(gconstpointer a, gconstpointer b)
{
	const Named *x = a, *y = b;
	gint order = g_ascii_strcasecmp(x->name, y->name);
	return order ? order : strcmp(x->name, y->name);
}

/* All guests by name: sorted when one came or went, so that a list of ten thousand need not. Locked. */
static const GArray *in_order(Core *core)
{
	GHashTableIter iter;
	gpointer name, guest;
	if (core->ordered)
		return core->ordered;
	core->ordered = g_array_sized_new(FALSE, FALSE, sizeof(Named), g_hash_table_size(core->by_name));
	g_hash_table_iter_init(&iter, core->by_name);
	while (g_hash_table_iter_next(&iter, &name, &guest)) {
		Named one = { name, guest };
		g_array_append_val(core->ordered, one);
	}
	g_array_sort(core->ordered, by_name);
	return core->ordered;
}

static gint by_id(gconstpointer a, gconstpointer b)
{
	const GuestSnap *x = *(GuestSnap *const *)a, *y = *(GuestSnap *const *)b;
	return x->id - y->id;
}

GPtrArray *core_list(Core *core, guint flags)
{
	g_autoptr(GPtrArray) off = g_ptr_array_new_with_free_func((GDestroyNotify)guest_snap_unref);
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)guest_snap_unref);
	g_mutex_lock(&core->lock);
	const GArray *all = in_order(core);
	for (guint i = 0; i < all->len; i++) {
		CoreGuest *guest = g_array_index(all, Named, i).guest;
		if (guest->hidden)
			continue;
		GuestSnap *snap = core_guest_snap(guest);
		if (snap->live && (flags & CORE_LIST_ACTIVE))
			g_ptr_array_add(list, snap);
		else if (!snap->live && (flags & CORE_LIST_INACTIVE))
			g_ptr_array_add(off, snap);
		else
			guest_snap_unref(snap);
	}
	g_mutex_unlock(&core->lock);
	g_ptr_array_sort(list, by_id);
	g_ptr_array_extend_and_steal(list, g_steal_pointer(&off));
	return list;
}

/* The whole: made, begun, freed; definitions that come in. See core.h. */
#include "core/address_book.h"
#include "core/forwards.h"
#include "core/nodedevs.h"
#include "core/nwfilters.h"
#include "core/core.h"
#include "base/error.h"
#include "base/log.h"
#include "core/hostdevs.h"
#include "core/hostnet.h"
#include "core/internal.h"
#include "model/rules.h"
#include "core/networks.h"
#include "core/object_internal.h"
#include "core/pools.h"
#include "core/save.h"
#include "core/secrets.h"
#include "model/alias.h"
#include "host/file.h"

#include <string.h>

#define INDEX_SECONDS 5
#define LANES_MS 3000 /* how long the end waits for what is under way */

const Paths *core_paths(Core *core)
{
	return core->paths;
}

/* ---- waiting for lanes ---- */

typedef struct Crossing {
	gint refs;
	GMutex lock;
	GCond over;
	guint pending;
} Crossing;

static void crossing_unref(Crossing *crossing)
{
	if (!g_atomic_int_dec_and_test(&crossing->refs))
		return;
	g_mutex_clear(&crossing->lock);
	g_cond_clear(&crossing->over);
	g_free(crossing);
}

static void cross(gpointer data)
{
	Crossing *crossing = data;
	g_mutex_lock(&crossing->lock);
	if (--crossing->pending == 0)
		g_cond_signal(&crossing->over);
	g_mutex_unlock(&crossing->lock);
	crossing_unref(crossing);
}

gboolean core_wait_lanes(const GPtrArray *lanes, guint ms)
{
	Crossing *crossing = g_new0(Crossing, 1);
	*crossing = (Crossing){ .refs = (gint)lanes->len + 1, .pending = lanes->len };
	g_mutex_init(&crossing->lock);
	g_cond_init(&crossing->over);
	for (guint i = 0; i < lanes->len; i++)
		lane_post(g_ptr_array_index(lanes, i), cross, crossing);
	gint64 limit = g_get_monotonic_time() + (gint64)ms * 1000;
	g_mutex_lock(&crossing->lock);
	while (crossing->pending && g_cond_wait_until(&crossing->over, &crossing->lock, limit))
		;
	gboolean over = crossing->pending == 0;
	g_mutex_unlock(&crossing->lock);
	crossing_unref(crossing);
	return over;
}

/* ---- start ---- */

static void add_stored(Core *core, StoreEntry *entry)
{
	g_mutex_lock(&core->lock);
	if (registry_has_uuid(core, entry->uuid) ||
	    g_hash_table_contains(core->by_name, entry->name)) {
		g_mutex_unlock(&core->lock);
		log_error(entry->name, "a definition is left out: its uuid %s is another guest's: "
			  "give one of them a new <uuid>", entry->uuid);
		return;
	}
	CoreGuest *guest = registry_add(core, entry->name, entry->uuid);
	guest->hidden = FALSE;
	g_mutex_unlock(&core->lock);
	GuestSnap *snap = guest->snap;
	snap_fill_stored(snap, entry);
	snap->persistent = TRUE;
	snap->autostart = entry->autostart;
	guest->stored = store_entry_copy(entry);
	core_guest_unref(guest);
}

static gboolean load(Core *core, GError **error)
{
	g_autoptr(GPtrArray) entries = store_load(core->store, error);
	if (!entries)
		return FALSE;
	for (guint i = 0; i < entries->len; i++)
		add_stored(core, g_ptr_array_index(entries, i));
	return TRUE;
}

static gboolean make_folders(Core *core, GError **error)
{
	core->state_folder = g_build_filename(core->paths->run, "state", NULL);
	core->console_folder = g_build_filename(core->paths->run, "consoles", NULL);
	const char *const folders[] = { core->state_folder, core->console_folder };
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++)
		if (g_mkdir_with_parents(folders[i], 0700) < 0)
			return fail_errno(error, errno, "cannot create the folder %s", folders[i]);
	return TRUE;
}

/* Every entry that is stored, for the index. */
static void write_index(Core *core)
{
	g_autoptr(GPtrArray) entries =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_entry_free);
	GHashTableIter iter;
	gpointer value;
	g_mutex_lock(&core->lock);
	g_hash_table_iter_init(&iter, core->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		CoreGuest *guest = value;
		g_mutex_lock(&guest->lock);
		if (guest->stored)
			g_ptr_array_add(entries, store_entry_copy(guest->stored));
		g_mutex_unlock(&guest->lock);
	}
	g_mutex_unlock(&core->lock);
	g_mutex_lock(&core->index_lock);
	store_write_index(core->store, entries);
	g_mutex_unlock(&core->index_lock);
}

static void write_index_beside(gpointer data)
{
	write_index(data);
	core_unref(data);
}

static gboolean on_index_timer(gpointer data)
{
	Core *core = data;
	if (!g_atomic_int_compare_and_exchange(&core->index_wanted, TRUE, FALSE))
		return G_SOURCE_CONTINUE;
	g_atomic_int_inc(&core->refs);
	lane_beside(write_index_beside, core);
	return G_SOURCE_CONTINUE;
}

static char *boot_marker(Core *core)
{
	return g_build_filename(core->paths->run, "autostarted", NULL);
}

/* Autostart is done once per boot of the host: the marker says which. NULL: it is done. What an earlier
 * boot left in run/ is not active any more. */
static char *new_boot(Core *core)
{
	g_autofree char *path = boot_marker(core), *boot = NULL;
	g_autofree char *last = file_read(path, 4096, NULL, NULL);
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		boot = g_strdup("unknown");
	if (last && !g_str_equal(boot, last))
		objects_forget_boot(core);
	return g_strcmp0(boot, last) ? g_steal_pointer(&boot) : NULL;
}

static void mark_boot(Core *core)
{
	g_autofree char *path = boot_marker(core);
	g_autoptr(GError) error = NULL;
	if (!file_write(path, core->boot, strlen(core->boot), 0600, FILE_CACHE, &error))
		log_warning(NULL, "%s", error->message);
}

Core *core_new(const CoreConfig *config, GError **error)
{
	Core *core = g_new0(Core, 1);
	core->refs = 1;
	core->paths = paths_copy(config->paths); /* what is under way may outlive the owner of those */
	core->engine = config->engine;
	core->engine_config = config->engine_config;
	core->default_network = config->default_network;
	core->next_id = 1;
	core->kinds = config->kinds ? config->kinds : core_kinds;
	if (core->kinds[CORE_SECRET]) {
		core->engine_config.secret = core_secret_for_engine;
		core->engine_config.secret_owner = core;
	}
	core->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	core->by_uuid = g_hash_table_new_full(uuid_hash, uuid_equal, g_free, NULL);
	core->by_id = g_hash_table_new(NULL, NULL);
	core->events = events_new();
	core->filters = filters_new();
	core->nodedevs = core_nodedevs_new();
	core->hostdevs = hostdevs_new();
	hostnet_open(core);
	g_mutex_init(&core->lock);
	g_mutex_init(&core->index_lock);
	core->store = store_open(core->paths, error);
	if (!core->store || !make_folders(core, error) ||
	    !core->engine->probe(&core->engine_config, NULL, error) || !load(core, error) ||
	    !objects_load(core, error)) {
		core_free(core);
		return NULL;
	}
	filters_adopt(core);
	forwards_load(core);
	core->boot = new_boot(core);
	objects_adopt(core);
	core_saves_clean(core);
	recover_all(core);
	hostdevs_sweep(core);
	book_begin(core);
	g_atomic_int_set(&core->index_wanted, TRUE);
	core->index_timer = g_timeout_add_seconds(INDEX_SECONDS, on_index_timer, core);
	return core;
}

static GPtrArray *all_guests(Core *core)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)core_guest_unref);
	GHashTableIter iter;
	gpointer value;
	g_mutex_lock(&core->lock);
	g_hash_table_iter_init(&iter, core->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		g_ptr_array_add(all, core_guest_ref(value));
	g_mutex_unlock(&core->lock);
	return all;
}

/* Of guests and of all else. */
static GPtrArray *all_lanes(Core *core)
{
	GPtrArray *lanes = g_ptr_array_new_with_free_func((GDestroyNotify)lane_unref);
	g_autoptr(GPtrArray) guests = all_guests(core);
	for (guint i = 0; i < guests->len; i++)
		g_ptr_array_add(lanes, lane_ref(((CoreGuest *)guests->pdata[i])->lane));
	objects_add_lanes(core, lanes);
	return lanes;
}

void core_unref(Core *core)
{
	if (!g_atomic_int_dec_and_test(&core->refs))
		return;
	g_hash_table_unref(core->by_name);
	g_hash_table_unref(core->by_uuid);
	g_hash_table_unref(core->by_id);
	objects_free(core);
	filters_free(core->filters);
	forwards_free(core);
	book_free(core);
	core_nodedevs_free(core->nodedevs);
	hostdevs_free(core->hostdevs);
	hostnet_free(core);
	events_free(core->events);
	g_clear_pointer(&core->store, store_free);
	g_free(core->boot);
	paths_free(core->paths);
	g_free(core->state_folder);
	g_free(core->console_folder);
	g_mutex_clear(&core->lock);
	g_mutex_clear(&core->index_lock);
	g_free(core);
}

/* Guests that somebody still holds keep what they need of the core. */
static void forget_guests(Core *core)
{
	g_mutex_lock(&core->lock);
	g_autoptr(GList) all = g_hash_table_get_values(core->by_name);
	g_clear_pointer(&core->ordered, g_array_unref);
	g_hash_table_remove_all(core->by_name);
	g_hash_table_remove_all(core->by_uuid);
	g_hash_table_remove_all(core->by_id);
	g_mutex_unlock(&core->lock);
	for (GList *at = all; at; at = at->next)
		core_guest_unref(at->data);
}

void core_free(Core *core)
{
	if (core->index_timer) {
		g_source_remove(core->index_timer);
		write_index(core);
	}
	g_autoptr(GPtrArray) lanes = all_lanes(core);
	if (!core_wait_lanes(lanes, LANES_MS))
		log_warning(NULL, "ends while a lane is still busy");
	forget_guests(core);
	filters_close(core);
	book_close(core);
	core_nodedevs_close(core->nodedevs);
	hostnet_close(core);
	objects_forget(core);
	events_close(core->events);
	core_unref(core);
}

/* ---- autostart ---- */

static void autostart(gpointer data)
{
	CoreGuest *guest = data;
	g_autoptr(GError) error = NULL;
	if (!guest->snap->live && !core_guest_start(guest, FALSE, NULL, &error))
		log_error(guest->snap->name, "autostart failed: %s", error->message);
	core_guest_unref(guest);
}

static void autostart_guests(Core *core)
{
	g_autoptr(GPtrArray) all = all_guests(core);
	for (guint i = 0; i < all->len; i++) {
		CoreGuest *guest = g_ptr_array_index(all, i);
		g_autoptr(GuestSnap) snap = core_guest_snap(guest);
		if (snap->autostart)
			lane_post(guest->lane, autostart, core_guest_ref(guest));
	}
}

void core_begin(Core *core)
{
	pools_first_start(core);
	networks_first_start(core);
	core_nodedevs_begin(core);
	hostnet_recover(core);
	if (!core->boot)
		return;
	mark_boot(core);
	objects_autostart(core, autostart_guests);
}

/* ---- define and create ---- */

typedef struct Incoming {
	CoreGuest *guest;
	Guest *definition;
	gboolean create, autodestroy;
	EngineStart how; /* of create */
	Notes *notes;
	GError **error;
	gboolean ok, again; /* again: the guest went away meanwhile */
} Incoming;

static gboolean same_guest(const GuestSnap *snap, const Guest *definition, GError **error)
{
	if (!g_str_equal(snap->name, definition->name))
		return fail(error, LODGE_ERROR_EXISTS,
			    "uuid %s is that of guest \"%s\": leave <uuid> out to get a new one",
			    definition->uuid, snap->name);
	if (!g_str_equal(snap->uuid, definition->uuid))
		return fail(error, LODGE_ERROR_EXISTS,
			    "guest \"%s\" already exists with uuid %s: use that uuid to change it, "
			    "or another name", snap->name, snap->uuid);
	return TRUE;
}

/* The guest of that name and uuid, or a new hidden one. */
static CoreGuest *claim(Core *core, const Guest *definition, GError **error)
{
	g_mutex_lock(&core->lock);
	g_autoptr(CoreGuest) guest = registry_by_uuid(core, definition->uuid);
	if (!guest)
		guest = registry_by_name(core, definition->name);
	if (!guest)
		guest = registry_add(core, definition->name, definition->uuid);
	g_mutex_unlock(&core->lock);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	return same_guest(snap, definition, error) ? g_steal_pointer(&guest) : NULL;
}

static gboolean store_definition(Incoming *in)
{
	CoreGuest *guest = in->guest;
	StoreEntry *entry = NULL;
	if (!store_define(guest->core->store, in->definition, &entry, in->error))
		return FALSE;
	gboolean is_new = guest->stored == NULL;
	guest_set_stored(guest, entry);
	GuestSnap *snap = snap_edit(guest);
	snap->persistent = TRUE;
	snap->updated = snap->live != NULL;
	if (!snap->live)
		snap_fill(snap, in->definition);
	snap_publish(guest, snap);
	registry_show(guest);
	guest_event(guest, "defined", is_new ? "added" : "updated");
	return TRUE;
}

static gboolean start_transient(Incoming *in)
{
	CoreGuest *guest = in->guest;
	if (guest->snap->live)
		return fail_with(in->error, LODGE_ERROR_STATE, LODGE_DETAIL_ALREADY,
				 "guest \"%s\" is already running", guest->snap->name);
	guest->autodestroy = in->autodestroy;
	if (!guest_run(guest, in->definition, &in->how, in->notes, in->error))
		return FALSE;
	registry_show(guest);
	return TRUE;
}

static void take_in(gpointer data)
{
	Incoming *in = data;
	CoreGuest *guest = in->guest;
	in->again = guest->gone;
	if (in->again)
		return;
	in->ok = in->create ? start_transient(in) : store_definition(in);
	if (in->ok || guest->stored || guest->snap->live)
		return;
	guest->gone = TRUE; /* it was made for this */
	registry_remove(guest);
}

static CoreGuest *bring_in(Core *core, Incoming *in, GError **error)
{
	in->error = error;
	do {
		g_clear_pointer(&in->guest, core_guest_unref);
		in->guest = claim(core, in->definition, error);
		if (!in->guest)
			return NULL;
		lane_run(in->guest->lane, take_in, in);
	} while (in->again);
	if (!in->ok)
		g_clear_pointer(&in->guest, core_guest_unref);
	return in->guest;
}

/* A document without <uuid> speaks of the guest of its name, if there is one. */
static void take_uuid_of_name(Core *core, Guest *definition)
{
	if (definition->uuid)
		return;
	g_mutex_lock(&core->lock);
	CoreGuest *guest = g_hash_table_lookup(core->by_name, definition->name);
	g_autoptr(GuestSnap) snap = guest && !guest->hidden ? core_guest_snap(guest) : NULL;
	g_mutex_unlock(&core->lock);
	if (snap)
		definition->uuid = g_strdup(snap->uuid);
}

static Guest *read_definition(Core *core, const char *xml, guint flags, Notes *notes, GError **error)
{
	g_autoptr(Guest) guest = guest_from_xml(xml, -1, NULL, notes, error);
	gboolean validate = (flags & CORE_DEFINE_VALIDATE) != 0;
	if (!guest || (validate && !shape_all_known(&guest_shape, guest, error)))
		return NULL;
	guest_drop_live(guest);
	if (!(flags & CORE_DEFINE_NEED_UUID))
		take_uuid_of_name(core, guest);
	gboolean as_it_is = (flags & CORE_DEFINE_AS_IT_IS) != 0;
	if ((!as_it_is && !guest_rules(guest, error)) || !core->engine->check(guest, notes, error))
		return NULL;
	return g_steal_pointer(&guest);
}

CoreGuest *core_define(Core *core, const char *xml, guint flags, Notes *notes, GError **error)
{
	g_autoptr(Guest) definition = read_definition(core, xml, flags, notes, error);
	if (!definition)
		return NULL;
	Incoming in = { .definition = definition, .notes = notes };
	return bring_in(core, &in, error);
}

CoreGuest *core_create(Core *core, const char *xml, guint flags, Notes *notes, GError **error)
{
	g_autoptr(Guest) definition = read_definition(core, xml, flags, notes, error);
	if (!definition)
		return NULL;
	Incoming in = { .definition = definition, .create = TRUE, .notes = notes,
			.autodestroy = (flags & CORE_DEFINE_AUTODESTROY) != 0,
			.how = { .paused = (flags & CORE_DEFINE_PAUSED) != 0,
				 .reset_nvram = (flags & CORE_DEFINE_RESET_NVRAM) != 0 } };
	return bring_in(core, &in, error);
}

CoreGuest *core_start_definition(Core *core, Guest *definition, const EngineStart *how, Notes *notes,
				 GError **error)
{
	Incoming in = { .definition = definition, .create = TRUE, .how = *how, .notes = notes };
	return bring_in(core, &in, error);
}

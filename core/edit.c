/* Changes of a definition, of what runs and of what is stored, and questions to what runs.
 * See core.h. */
#include "base/error.h"
#include "core/internal.h"

/* What the change is to reach, where the caller did not say. */
static gboolean choose(const GuestSnap *snap, gboolean *live, gboolean *config, GError **error)
{
	if (!*live && !*config) {
		*live = snap->live != NULL;
		*config = !*live;
	}
	if (*live && !snap->live)
		return guest_not_running(snap->name, error);
	if (*config && !snap->persistent)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" is transient: it has no definition to change", snap->name);
	return TRUE;
}

static gboolean store_edited(CoreGuest *guest, const Guest *definition, GError **error)
{
	StoreEntry *entry = NULL;
	if (!store_define(guest->core->store, definition, &entry, error))
		return FALSE;
	guest_set_stored(guest, entry);
	GuestSnap *snap = snap_edit(guest);
	snap->updated = snap->live != NULL;
	if (!snap->live)
		snap_fill(snap, definition);
	snap_publish(guest, snap);
	return TRUE;
}

/* Takes @live. */
static gboolean publish_edited(CoreGuest *guest, Guest *live, GError **error)
{
	g_autoptr(Guest) own = live;
	g_autoptr(GuestSnap) now = core_guest_snap(guest);
	if (guest->run && !recover_write(guest, own, guest->run, now->note, error))
		return FALSE;
	GuestSnap *snap = snap_edit(guest);
	definition_unref(snap->live);
	snap->live = definition_new(g_steal_pointer(&own));
	snap_fill(snap, live);
	snap_publish(guest, snap);
	return TRUE;
}

gboolean core_guest_edit(CoreGuest *guest, gboolean live, gboolean config, GuestEditFn fn,
			 gpointer data, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (!choose(snap, &live, &config, error))
		return FALSE;
	g_autoptr(Guest) stored = config ? store_guest(guest->core->store, snap->name, error) : NULL;
	g_autoptr(Guest) running = live ? guest_copy(snap->live->guest) : NULL;
	if ((config && !stored) || (stored && !fn(stored, data, error)) ||
	    (running && !fn(running, data, error)))
		return FALSE;
	return (!stored || store_edited(guest, stored, error)) &&
	       (!running || publish_edited(guest, g_steal_pointer(&running), error));
}

char *core_guest_ask(CoreGuest *guest, EngineAsk what, const char *text, GError **error)
{
	if (guest->run && guest->core->engine->ask)
		return guest->core->engine->ask(guest->run, what, text, error);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	guest_not_running(snap->name, error);
	return NULL;
}

int core_guest_screen(CoreGuest *guest, guint index, gboolean no_password, int theirs, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	const GPtrArray *screens = snap->live ? snap->live->guest->graphics : NULL;
	if (!guest->run || !snap->live || !guest->core->engine->screen) {
		guest_not_running(snap->name, error);
		return -1;
	}
	if (index >= shape_len(screens)) {
		fail(error, LODGE_ERROR_NOT_FOUND, "guest \"%s\" has %u graphics, none number %u",
		     snap->name, shape_len(screens), index);
		return -1;
	}
	return guest->core->engine->screen(guest->run, g_ptr_array_index(screens, index), no_password,
					   theirs, error);
}

char *core_native(Core *core, Guest *guest, Notes *notes, GError **error)
{
	const Engine *engine = core->engine;
	if (engine->native)
		return engine->check(guest, notes, error) ? engine->native(guest, notes, error) : NULL;
	fail(error, LODGE_ERROR_UNSUPPORTED, "%s has no command line", engine->name);
	return NULL;
}

const EngineCpuModels *core_cpus(Core *core, const char *emulator, gboolean kvm, GError **error)
{
	if (core->engine->cpus)
		return core->engine->cpus(emulator, kvm, error);
	fail(error, LODGE_ERROR_UNSUPPORTED, "%s does not tell its CPU models", core->engine->name);
	return NULL;
}

gboolean core_describe(Core *core, const char *emulator, EngineCaps *caps, GError **error)
{
	if (!core->engine->describe)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s does not tell what it can do",
			    core->engine->name);
	return core->engine->describe(emulator, caps, error);
}

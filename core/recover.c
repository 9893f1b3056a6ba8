/* Guests outlive the daemon: what a later one needs to take them up again is written at every start
 * to run/state/NAME.json, and read here. A guest that was being started when the daemon died is
 * ended: nobody was told that it runs. See internal.h. */
#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "host/file.h"

#include <jansson.h>
#include <string.h>

#define STATE_LIMIT (16 * 1024 * 1024)
#define ADOPT_MS 3000 /* a hung QEMU must not keep the daemon from answering */

static char *state_path(Core *core, const char *name)
{
	return g_strdup_printf("%s/%s.json", core->state_folder, name);
}

gboolean recover_write(CoreGuest *guest, const Guest *live, EngineRun *run, GError **error)
{
	Core *core = guest->core;
	g_autofree char *xml = guest_to_xml(live, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autofree char *record = run ? core->engine->record(run) : NULL;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	json_t *state = json_pack("{s:s, s:s, s:i, s:s, s:s*, s:b}", "name", live->name, "uuid",
				  live->uuid, "id", (int)live->id.v, "xml", xml, "record", record,
				  "transient", guest->stored == NULL);
	g_autofree char *text = state ? json_dumps(state, JSON_COMPACT) : NULL;
	json_decref(state);
	if (!text)
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\": its name is not UTF-8",
			    live->name);
	g_autofree char *path = state_path(core, live->name);
	return file_write(path, text, strlen(text), 0600, FILE_CACHE, error);
}

void recover_forget(CoreGuest *guest)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_autofree char *path = state_path(guest->core, snap->name);
	g_autoptr(GError) error = NULL;
	if (!file_remove(path, &error))
		log_warning(snap->name, "%s", error->message);
}

/* ---- taking up ---- */

typedef struct Adoption {
	CoreGuest *guest;
	Guest *live;
	char *record;
	GMutex *lock; /* of the three below: shared by all adoptions */
	GCond *cond;
	guint *pending;
} Adoption;

static void adoption_done(Adoption *adoption)
{
	g_mutex_lock(adoption->lock);
	(*adoption->pending)--;
	g_cond_signal(adoption->cond);
	g_mutex_unlock(adoption->lock);
	core_guest_unref(adoption->guest);
	guest_free(adoption->live);
	g_free(adoption->record);
	g_free(adoption);
}

static void adopt(gpointer data)
{
	Adoption *adoption = data;
	CoreGuest *guest = adoption->guest;
	EngineSink sink = guest_sink(guest);
	GuestState state = GUEST_RUNNING;
	GuestReason reason = REASON_UNKNOWN;
	g_autoptr(GError) error = NULL;
	g_atomic_int_inc(&guest->serial);
	Guest *live = guest_copy(adoption->live);
	EngineRun *run = engine_adopt(guest->core->engine, live, adoption->record, &sink, &state,
				      &reason, &error);
	if (run) {
		guest_running(guest, run, live, state, reason, NULL);
	} else {
		guest_free(live);
		GuestSnap *snap = snap_edit(guest);
		definition_unref(snap->live);
		snap->live = NULL;
		registry_set_id(guest, snap->id, -1);
		snap->id = -1;
		snap->state = GUEST_SHUTOFF;
		snap->reason = reason;
		snap_publish(guest, snap);
		recover_forget(guest);
		guest_event(guest, "stopped", enum_name(&guest_reasons, (int)reason));
		if (!guest->stored)
			registry_remove(guest);
	}
	adoption_done(adoption);
}

/* What is known before the engine has answered: it runs, as far as we know. */
static void show_as_running(CoreGuest *guest, Guest *live)
{
	GuestSnap *snap = snap_edit(guest);
	snap->live = definition_new(guest_copy(live));
	snap->id = (int)live->id.v;
	snap->state = GUEST_RUNNING;
	snap_fill(snap, live);
	snap_publish(guest, snap);
	registry_set_id(guest, -1, (int)live->id.v);
	registry_show(guest);
}

static CoreGuest *guest_for(Core *core, const Guest *live)
{
	g_mutex_lock(&core->lock);
	CoreGuest *guest = registry_by_uuid(core, live->uuid);
	if (!guest)
		guest = registry_by_name(core, live->name);
	if (!guest)
		guest = registry_add(core, live->name, live->uuid);
	g_mutex_unlock(&core->lock);
	return guest;
}

static Adoption *read_state(Core *core, const char *path, GError **error)
{
	gsize length = 0;
	g_autofree char *text = file_read(path, STATE_LIMIT, &length, error);
	if (!text)
		return NULL;
	json_error_t where;
	json_t *state = json_loadb(text, length, 0, &where);
	const char *xml = json_string_value(json_object_get(state, "xml"));
	json_t *id = json_object_get(state, "id");
	Guest *live = xml ? guest_from_xml(xml, -1, path, NULL, error) : NULL;
	if (!xml)
		fail(error, LODGE_ERROR_INVALID, "%s, line %d: %s", path, where.line, where.text);
	Adoption *adoption = NULL;
	if (live) {
		live->id = OPT_INT(json_integer_value(id));
		core->next_id = MAX(core->next_id, (gint)live->id.v + 1);
		adoption = g_new0(Adoption, 1);
		adoption->live = live;
		adoption->record = g_strdup(json_string_value(json_object_get(state, "record")));
		adoption->guest = guest_for(core, live);
		show_as_running(adoption->guest, live);
	}
	json_decref(state);
	return adoption;
}

static GPtrArray *read_all(Core *core)
{
	GPtrArray *found = g_ptr_array_new();
	g_autoptr(GDir) dir = g_dir_open(core->state_folder, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		g_autoptr(GError) error = NULL;
		g_autofree char *path = g_build_filename(core->state_folder, file, NULL);
		if (!g_str_has_suffix(file, ".json"))
			continue;
		Adoption *adoption = read_state(core, path, &error);
		if (adoption)
			g_ptr_array_add(found, adoption);
		else
			log_error(NULL, "a running guest cannot be taken up: %s", error->message);
	}
	return found;
}

void recover_all(Core *core)
{
	/* static: an adoption that hangs ends after this function has returned */
	static GMutex lock;
	static GCond cond;
	static guint pending;
	g_autoptr(GPtrArray) found = read_all(core);
	g_mutex_lock(&lock);
	pending = found->len;
	for (guint i = 0; i < found->len; i++) {
		Adoption *adoption = g_ptr_array_index(found, i);
		adoption->lock = &lock;
		adoption->cond = &cond;
		adoption->pending = &pending;
		lane_post(adoption->guest->lane, adopt, adoption);
	}
	gint64 limit = g_get_monotonic_time() + ADOPT_MS * 1000;
	while (pending && g_cond_wait_until(&cond, &lock, limit))
		;
	if (pending)
		log_warning(NULL, "%u guests have not answered yet", pending);
	g_mutex_unlock(&lock);
}

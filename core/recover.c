/* Guests outlive the daemon: what a later one needs to take them up again is written at every start
 * to run/state/NAME.json, and read here. A guest that was being started when the daemon died is
 * ended: nobody was told that it runs. See internal.h. */
#include "base/error.h"
#include "base/log.h"
#include "core/hostdevs.h"
#include "core/internal.h"
#include "core/plugs.h"
#include "host/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATE_LIMIT (16 * 1024 * 1024)
#define ADOPT_MS 3000 /* a hung QEMU must not keep the daemon from answering */

static char *state_path(Core *core, const char *name)
{
	return g_strdup_printf("%s/%s.json", core->state_folder, name);
}

gboolean recover_write(CoreGuest *guest, const Guest *live, EngineRun *run, const char *note,
		       GError **error)
{
	Core *core = guest->core;
	g_autofree char *xml = guest_to_xml(live, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autofree char *record = run ? core->engine->record(run) : NULL;
	json_t *state = json_pack("{s:i, s:s, s:s*, s:s*, s:b, s:i}", "id", (int)live->id.v, "xml", xml,
				  "record", record, "note", note, "autodestroy", guest->autodestroy,
				  "patience", g_atomic_int_get(&guest->agent_ms));
	g_autofree char *text = state ? json_dumps(state, JSON_COMPACT) : NULL;
	json_decref(state);
	if (!text)
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\": its definition is not UTF-8",
			    live->name);
	g_autofree char *path = state_path(core, live->name);
	return file_write(path, text, strlen(text), 0600, FILE_CACHE, error);
}

/* The name it was started with: its definition may have been renamed under our absence. */
static const char *run_name(const CoreGuest *guest)
{
	const GuestSnap *snap = guest->snap;
	return snap->live ? snap->live->guest->name : snap->name;
}

/* A file of its own: to replace the state's would cost a write to the disk on ext4. */
static char *saving_path(Core *core, const char *name)
{
	return g_strdup_printf("%s/%s.saving", core->state_folder, name);
}

gboolean recover_write_saving(CoreGuest *guest, const char *text, GError **error)
{
	g_autofree char *path = saving_path(guest->core, run_name(guest));
	if (!text)
		return file_remove(path, error);
	return file_write(path, text, strlen(text), 0600, FILE_CACHE, error);
}

void recover_forget(CoreGuest *guest)
{
	const GuestSnap *snap = guest->snap;
	g_autofree char *path = state_path(guest->core, run_name(guest));
	g_autofree char *saving = saving_path(guest->core, run_name(guest));
	g_autoptr(GError) error = NULL;
	unlink(saving);
	if (!file_remove(path, &error))
		log_warning(snap->name, "%s", error->message);
}

/* ---- taking up ---- */

typedef struct Adoption {
	CoreGuest *guest;
	Guest *live;
	char *record, *note, *saving;
} Adoption;

static void adoption_free(Adoption *adoption)
{
	core_guest_unref(adoption->guest);
	guest_free(adoption->live);
	g_free(adoption->record);
	g_free(adoption->note);
	g_free(adoption->saving);
	g_free(adoption);
}

/* Whoever it was to live as long as has gone with the last daemon. */
static void end_orphan(CoreGuest *guest)
{
	g_autoptr(GError) error = NULL;
	if (guest->core->engine->kill(guest->run, FALSE, &error))
		guest_ended(guest, REASON_DESTROYED, "its client's connection was the last daemon's");
	else
		log_error(guest->snap->name, "cannot end it: %s", error->message);
}

static void adopt(gpointer data)
{
	Adoption *adoption = data;
	CoreGuest *guest = adoption->guest;
	g_atomic_int_inc(&guest->serial);
	EngineSink sink = guest_sink(guest);
	GuestState state = GUEST_RUNNING;
	GuestReason reason = REASON_UNKNOWN;
	g_autoptr(GError) error = NULL;
	EngineRun *run = engine_adopt(guest->core->engine, adoption->live, adoption->record, &sink,
				      &state, &reason, &error);
	if (run) {
		plugs_rejoin(guest, adoption->live);
		guest_running(guest, run, g_steal_pointer(&adoption->live), state, reason,
			      adoption->note);
		guest_drop_used_save(guest);
		if (adoption->saving)
			guest_adopt_save(guest, adoption->saving);
		if (guest->autodestroy && guest->run)
			end_orphan(guest);
	} else {
		guest_ended(guest, reason, error->message);
		if (!adoption->record && state == GUEST_SHUTOFF)
			guest_put_back_save(guest);
	}
	adoption_free(adoption);
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
	hostdevs_adopt(guest->core, live);
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

/* The definition that ran, with its id; NULL where the file does not tell. */
static Guest *read_live(json_t *state, const json_error_t *where, const char *path, GError **error)
{
	const char *xml = json_string_value(json_object_get(state, "xml"));
	json_int_t id = json_integer_value(json_object_get(state, "id"));
	if (!state) {
		fail(error, LODGE_ERROR_INVALID, "%s, line %d: %s", path, where->line, where->text);
		return NULL;
	}
	if (!xml || id < 1 || id >= G_MAXINT) {
		fail(error, LODGE_ERROR_INVALID, "%s: no id or no definition in it", path);
		return NULL;
	}
	g_autoptr(Guest) live = guest_from_xml(xml, -1, path, NULL, error);
	if (!live)
		return NULL;
	if (!live->uuid) {
		fail(error, LODGE_ERROR_INVALID, "%s: its definition has no <uuid>", path);
		return NULL;
	}
	live->id = OPT_INT(id);
	return g_steal_pointer(&live);
}

static Adoption *read_state(Core *core, const char *path, GError **error)
{
	gsize length = 0;
	g_autofree char *text = file_read(path, STATE_LIMIT, &length, error);
	if (!text)
		return NULL;
	json_error_t where;
	json_t *state = json_loadb(text, length, 0, &where);
	Guest *live = read_live(state, &where, path, error);
	CoreGuest *guest = live ? guest_for(core, live) : NULL;
	Adoption *adoption = NULL;
	if (guest && guest->snap->live) {
		fail(error, LODGE_ERROR_INVALID, "%s: guest \"%s\" was taken up already", path,
		     live->name);
		core_guest_unref(guest);
		guest_free(live);
	} else if (guest) {
		g_autofree char *saving = saving_path(core, live->name);
		adoption = g_new0(Adoption, 1);
		*adoption = (Adoption){
			.guest = guest, .live = live,
			.record = g_strdup(json_string_value(json_object_get(state, "record"))),
			.note = g_strdup(json_string_value(json_object_get(state, "note"))),
			.saving = file_read(saving, STATE_LIMIT, &length, NULL) };
		guest->autodestroy = json_is_true(json_object_get(state, "autodestroy"));
		g_atomic_int_set(&guest->agent_ms,
				 (gint)json_integer_value(json_object_get(state, "patience")));
		core->next_id = MAX(core->next_id, (gint)live->id.v + 1);
		show_as_running(guest, live);
	}
	json_decref(state);
	return adoption;
}

/* It is said once; the file is kept for who wants to know what ran. */
static void put_aside(const char *path, const char *why)
{
	g_autofree char *aside = g_strconcat(path, ".broken", NULL);
	log_error(NULL, "a running guest cannot be taken up: %s", why);
	if (rename(path, aside) < 0)
		log_error(NULL, "cannot rename %s: %s", path, g_strerror(errno));
}

static GPtrArray *read_all(Core *core)
{
	GPtrArray *found = g_ptr_array_new();
	g_autoptr(GDir) dir = g_dir_open(core->state_folder, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		g_autoptr(GError) error = NULL;
		g_autofree char *path = g_build_filename(core->state_folder, file, NULL);
		if (g_str_has_suffix(file, ".json.new"))
			unlink(path); /* an interrupted write */
		if (!g_str_has_suffix(file, ".json"))
			continue;
		Adoption *adoption = read_state(core, path, &error);
		if (adoption)
			g_ptr_array_add(found, adoption);
		else
			put_aside(path, error->message);
	}
	return found;
}

void recover_all(Core *core)
{
	g_autoptr(GPtrArray) found = read_all(core);
	g_autoptr(GPtrArray) lanes = g_ptr_array_new_with_free_func((GDestroyNotify)lane_unref);
	for (guint i = 0; i < found->len; i++) {
		Adoption *adoption = g_ptr_array_index(found, i);
		g_ptr_array_add(lanes, lane_ref(adoption->guest->lane));
		lane_post(adoption->guest->lane, adopt, adoption);
	}
	if (!core_wait_lanes(lanes, ADOPT_MS))
		log_warning(NULL, "some guests have not answered yet");
}

/* See adopt.h. The places are those of libvirt 9.0 on Debian. */
#include "core/adopt.h"
#include "base/error.h"
#include "base/log.h"
#include "core/object.h"
#include "core/save.h"
#include "core/saved.h"
#include "core/secrets.h"
#include "core/undefine.h"
#include "model/rules.h"
#include "host/file.h"
#include "host/spawn.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (4u << 20) /* bytes of a definition; as shape/xml.c */
#define COPY_MS (3600 * 1000)

static const Row rows[] = {
	STRING(AdoptItem, kind, NULL, .doc = "Kind"),
	STRING(AdoptItem, name, NULL, .doc = "Name"),
	STRING(AdoptItem, action, NULL, .doc = "Action"),
	STRING(AdoptItem, note, NULL, .doc = "Note"),
	STRING(AdoptItem, uuid, NULL),
	STRINGS(AdoptItem, copies, NULL),
	STRING(AdoptItem, file, NULL),
	STRING(AdoptItem, nvram, NULL),
	STRING(AdoptItem, tpm, NULL),
	STRING(AdoptItem, save, NULL),
	STRING(AdoptItem, value, NULL),
	FLAG(AdoptItem, autostart, NULL),
};
const Shape adopt_item_shape = SHAPE("adopted", AdoptItem, rows);

/* ---- where libvirt keeps what ---- */

static const struct {
	const char *kind, *folder; /* below libvirt's folder of definitions */
	int id;			   /* CoreKindId; -1: guests */
} places[] = { /* in the order in which they need each other */
	{ "secret", "secrets", CORE_SECRET },	  { "nwfilter", "nwfilter", CORE_NWFILTER },
	{ "network", "qemu/networks", CORE_NETWORK }, { "pool", "storage", CORE_POOL },
	{ "domain", "qemu", -1 },
};

typedef struct Source {
	const char *from; /* "" for this host */
	char *etc, *lib, *run, *tpm;
} Source;

static void source_open(Source *source, const char *from)
{
	gboolean mine = !from && geteuid() != 0;
	source->from = from ? from : "";
	source->etc = mine ? g_build_filename(g_get_user_config_dir(), "libvirt", NULL) :
			     g_strconcat(source->from, "/etc/libvirt", NULL);
	source->lib = mine ? g_build_filename(g_get_user_config_dir(), "libvirt", "qemu", NULL) :
			     g_strconcat(source->from, "/var/lib/libvirt/qemu", NULL);
	source->run = mine ? g_build_filename(g_get_user_runtime_dir(), "libvirt", "qemu", "run", NULL) :
			     g_strconcat(source->from, "/run/libvirt/qemu", NULL);
	source->tpm = mine ? g_build_filename(source->lib, "swtpm", NULL) :
			     g_strconcat(source->from, "/var/lib/libvirt/swtpm", NULL);
}

static void source_close(Source *source)
{
	g_free(source->etc);
	g_free(source->lib);
	g_free(source->run);
	g_free(source->tpm);
}

/* FOLDER/NAME SUFFIX where it is there, else NULL; the caller frees it. */
static char *there(const char *folder, const char *name, const char *suffix)
{
	g_autofree char *file = g_strconcat(name, suffix, NULL);
	char *path = g_build_filename(folder, file, NULL);
	/* in a copied tree links lead nowhere */
	if (!g_file_test(path, G_FILE_TEST_EXISTS | G_FILE_TEST_IS_SYMLINK))
		g_clear_pointer(&path, g_free);
	return path;
}

/* ---- the plan ---- */

static void set_action(AdoptItem *item, const char *action, const char *note)
{
	g_free(item->action);
	item->action = g_strdup(action);
	if (!note)
		return;
	g_free(item->note);
	item->note = g_strdup(note);
}

static void add_notes(AdoptItem *item, const Notes *notes)
{
	for (guint i = 0; i < notes_count(notes); i++) {
		char *more = g_strconcat(item->note ? item->note : "", item->note && *item->note ? "; " : "",
					 "warning: ", notes_get(notes, i), NULL);
		g_free(item->note);
		item->note = more;
	}
}

/* Whether Lodge has one of that name or uuid already. */
static void compare(AdoptItem *item, const char *name, const char *uuid)
{
	gboolean same_name = g_strcmp0(name, item->name) == 0;
	gboolean same_uuid = item->uuid && g_ascii_strcasecmp(uuid, item->uuid) == 0;
	if (same_name && same_uuid) {
		set_action(item, "there", "Lodge has it already");
		return;
	}
	g_autofree char *note = same_name ? g_strdup_printf("Lodge has another one of that name, with uuid "
							    "%s: rename or undefine one of them", uuid) :
					    g_strdup_printf("its uuid is that of \"%s\" here", name);
	set_action(item, "conflict", note);
}

static void look_for_guest(Core *core, AdoptItem *item)
{
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_NAME, item->name, NULL);
	if (!guest && item->uuid)
		guest = core_find_by(core, CORE_BY_UUID, item->uuid, NULL);
	g_autoptr(GuestSnap) snap = guest ? core_guest_snap(guest) : NULL;
	if (snap)
		compare(item, snap->name, snap->uuid);
}

static void look_for_object(Core *core, CoreKindId kind, AdoptItem *item)
{
	g_autoptr(CoreObject) object = core_object_find(core, kind, item->name, NULL);
	if (!object && item->uuid)
		object = core_object_find(core, kind, item->uuid, NULL);
	g_autoptr(ObjectSnap) snap = object ? core_object_snap(object) : NULL;
	if (snap)
		compare(item, snap->name, snap->uuid);
}

/* What belongs to a guest beside its definition. */
static void plan_guest(Core *core, const Source *source, AdoptItem *item, const Guest *guest)
{
	g_autofree char *runs = there(source->run, item->name, ".xml");
	g_autofree char *saves = g_build_filename(source->lib, "save", NULL);
	g_autoptr(GString) note = g_string_new(NULL);
	item->save = there(saves, item->name, ".save");
	item->tpm = item->uuid ? there(source->tpm, item->uuid, "") : NULL;
	item->nvram = guest->os.nvram ? there(source->from, guest->os.nvram, "") : NULL;
	if (runs) {
		set_action(item, "conflict", "it runs under libvirtd: shut it down there first");
		return;
	}
	look_for_guest(core, item);
	if (strcmp(item->action, "take") != 0)
		return;
	if (item->autostart)
		g_string_append(note, ", autostart");
	if (item->nvram)
		g_string_append(note, ", UEFI variables");
	if (item->tpm)
		g_string_append(note, ", TPM");
	if (item->save)
		g_string_append(note, ", managed save");
	set_action(item, "take", note->len ? note->str + 2 : "");
	/* libvirt ran it, or an older one did: what its documents must not say any more stops nobody */
	g_auto(Notes) broken = { 0 };
	guest_rules_tell(guest, &broken);
	add_notes(item, &broken);
}

static void read_guest(Core *core, const Source *source, AdoptItem *item, const char *xml, gsize n,
		       GError **error)
{
	g_autoptr(Guest) guest = guest_from_xml(xml, (gssize)n, NULL, NULL, error);
	if (!guest)
		return;
	g_free(item->name);
	item->name = g_strdup(guest->name);
	item->uuid = g_strdup(guest->uuid);
	plan_guest(core, source, item, guest);
}

static void read_object(Core *core, guint place, AdoptItem *item, const char *xml, gsize n, GError **error)
{
	const CoreKind *kind = core_kinds[places[place].id];
	if (!kind) {
		set_action(item, "conflict", "Lodge has no such thing yet");
		return;
	}
	gpointer document = shape_from_xml(kind->shape, kind->root, xml, (gssize)n, NULL, NULL, error);
	if (!document)
		return;
	g_free(item->name);
	item->name = g_strdup(*(char **)((char *)document + kind->name));
	item->uuid = g_strdup(*(char **)((char *)document + kind->uuid));
	shape_free(kind->shape, document);
	if (item->name)
		look_for_object(core, kind->id, item);
	else
		fail(error, LODGE_ERROR_INVALID, "it has no name");
}

static AdoptItem *plan_file(Core *core, const Source *source, guint place, const char *folder,
			    const char *file)
{
	AdoptItem *item = shape_new(&adopt_item_shape);
	g_autoptr(GError) error = NULL;
	gsize n = 0;
	item->kind = g_strdup(places[place].kind);
	item->name = g_strndup(file, strlen(file) - strlen(".xml"));
	item->file = g_build_filename(folder, file, NULL);
	g_autofree char *links = g_build_filename(folder, "autostart", NULL);
	g_autofree char *link = there(links, item->name, ".xml");
	item->autostart = link != NULL;
	if (places[place].id == CORE_SECRET)
		item->value = there(folder, item->name, ".base64");
	set_action(item, "take", NULL);
	g_autofree char *xml = file_read(item->file, MAX_FILE, &n, &error);
	if (xml && places[place].id < 0)
		read_guest(core, source, item, xml, n, &error);
	else if (xml)
		read_object(core, place, item, xml, n, &error);
	if (error)
		set_action(item, "conflict", error->message);
	return item;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void plan_folder(Core *core, const Source *source, guint place, GPtrArray *plan)
{
	g_autofree char *folder = g_build_filename(source->etc, places[place].folder, NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	for (const char *file; dir && (file = g_dir_read_name(dir));)
		if (g_str_has_suffix(file, ".xml"))
			g_ptr_array_add(files, g_strdup(file));
	g_ptr_array_sort(files, by_name);
	for (guint i = 0; i < files->len; i++)
		g_ptr_array_add(plan, plan_file(core, source, place, folder, files->pdata[i]));
}

static void item_free(gpointer item)
{
	shape_free(&adopt_item_shape, item);
}

GPtrArray *core_adopt_plan(Core *core, const char *from, GError **error)
{
	Source source;
	source_open(&source, from);
	GPtrArray *plan = NULL;
	if (g_file_test(source.etc, G_FILE_TEST_IS_DIR)) {
		plan = g_ptr_array_new_with_free_func(item_free);
		for (guint i = 0; i < G_N_ELEMENTS(places); i++)
			plan_folder(core, &source, i, plan);
	} else {
		fail(error, LODGE_ERROR_NOT_FOUND, "there is nothing of libvirt's: no folder %s", source.etc);
	}
	source_close(&source);
	return plan;
}

/* ---- doing it ---- */

/* Copies a file or a folder as it is, holes included; a copy that fails leaves nothing. */
static gboolean copy(AdoptItem *item, const char *from, const char *to, GError **error)
{
	const char *const argv[] = { "cp",   "-a", "--sparse=auto", "--reflink=auto", "-T", "--",
				     from, to,	 NULL };
	const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	Spawn how = { .argv = argv, .env = env, .same_session = TRUE };
	g_autofree char *said = NULL, *folder = g_path_get_dirname(to);
	int status = 0;
	if (g_mkdir_with_parents(folder, 0711) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	if (g_file_test(to, G_FILE_TEST_EXISTS))
		return fail(error, LODGE_ERROR_EXISTS, "%s is there already: move it away", to);
	gboolean ok = spawn_run(&how, COPY_MS, &said, &status, error);
	if (ok && status != 0)
		ok = fail(error, LODGE_ERROR_SYSTEM, "cannot copy %s: %s", from,
			  said ? g_strstrip(said) : "");
	if (ok)
		shape_append(&item->copies, NULL, g_strdup(to));
	else
		file_remove_tree(to, NULL);
	return ok;
}

static void drop_copies(AdoptItem *item)
{
	for (guint i = 0; i < shape_len(item->copies); i++)
		file_remove_tree(item->copies->pdata[i], NULL);
	if (item->copies)
		g_ptr_array_set_free_func(item->copies, g_free);
	g_clear_pointer(&item->copies, g_ptr_array_unref);
}

static char *nvram_path(Core *core, const Guest *guest)
{
	g_autofree char *file = g_strconcat(guest->name, "_VARS.fd", NULL);
	return g_build_filename(core_paths(core)->lib, "nvram", file, NULL);
}

/* The definition, with its variables where the copy of them is. */
static char *guest_document(Core *core, AdoptItem *item, GError **error)
{
	gsize n = 0;
	g_autofree char *xml = file_read(item->file, MAX_FILE, &n, error);
	g_autoptr(Guest) guest = xml ? guest_from_xml(xml, (gssize)n, item->file, NULL, error) : NULL;
	if (!guest)
		return NULL;
	if (item->nvram) {
		char *path = nvram_path(core, guest);
		if (!copy(item, item->nvram, path, error)) {
			g_free(path);
			return NULL;
		}
		g_free(guest->os.nvram);
		guest->os.nvram = path;
	}
	return guest_to_xml(guest, SHAPE_XML_SECRETS);
}

typedef struct Autostart {
	gpointer object;
	gboolean is_guest, ok;
	GError **error;
} Autostart;

static void set_autostart(gpointer data)
{
	Autostart *how = data;
	how->ok = how->is_guest ? core_guest_autostart(how->object, TRUE, how->error) :
				  core_object_autostart(how->object, TRUE, how->error);
}

/* The variables of the copy, instead of those that libvirt still has. A save that cannot be read is no
 * reason to leave the guest behind: its start says what is wrong with the save, and what to do. */
static gboolean mend_save(Core *core, const AdoptItem *item, const char *path, GError **error)
{
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	g_autoptr(GError) damaged = NULL;
	if (!saved_open(path, FALSE, &saved, &damaged)) {
		log_warning(item->name, "its managed save is taken over as it is: %s", damaged->message);
		return TRUE;
	}
	if (!item->nvram || !saved.guest->os.nvram)
		return TRUE;
	g_free(saved.guest->os.nvram);
	saved.guest->os.nvram = nvram_path(core, saved.guest);
	return saved_rewrite(path, saved.guest, TRI_ABSENT, error);
}

static gboolean take_guest(Core *core, AdoptItem *item, GError **error)
{
	g_autofree char *xml = guest_document(core, item, error);
	g_autofree char *tpm = item->tpm ? engine_tpm_folder(core_paths(core), item->uuid) : NULL;
	if (!xml || (tpm && !copy(item, item->tpm, tpm, error)))
		return FALSE;
	g_autofree char *save = g_strdup_printf("%s/save/%s.save", core_paths(core)->lib, item->uuid);
	if (item->save && (!copy(item, item->save, save, error) || !mend_save(core, item, save, error)))
		return FALSE;
	g_auto(Notes) notes = { 0 };
	g_autoptr(CoreGuest) guest = core_define(core, xml, CORE_DEFINE_AS_IT_IS, &notes, error);
	if (!guest)
		return FALSE;
	add_notes(item, &notes);
	Autostart how = { .object = guest, .is_guest = TRUE, .ok = TRUE, .error = error };
	if (item->autostart)
		lane_run(core_guest_lane(guest), set_autostart, &how);
	return how.ok;
}

typedef struct Setting {
	CoreObject *secret;
	const char *file;
	gboolean ok;
	GError **error;
} Setting;

static void set_value(gpointer data)
{
	Setting *setting = data;
	gsize n = 0;
	g_autofree char *text = file_read(setting->file, MAX_FILE, &n, setting->error);
	if (!text)
		return;
	guchar *bytes = g_base64_decode(text, &n);
	setting->ok = core_secret_set(setting->secret, bytes, n, setting->error);
	explicit_bzero(bytes, n);
	explicit_bzero(text, strlen(text));
	g_free(bytes);
}

static gboolean take_object(Core *core, const AdoptItem *item, CoreKindId kind, GError **error)
{
	gsize n = 0;
	g_autofree char *xml = file_read(item->file, MAX_FILE, &n, error);
	g_auto(Notes) notes = { 0 };
	g_autoptr(CoreObject) object =
		xml ? core_object_define(core, kind, xml, CORE_OBJECT_NEW, &notes, error) : NULL;
	if (!object)
		return FALSE;
	Setting setting = { .secret = object, .file = item->value, .ok = TRUE, .error = error };
	if (item->value) {
		setting.ok = FALSE;
		lane_run(core_object_lane(object), set_value, &setting);
	}
	Autostart how = { .object = object, .ok = TRUE, .error = error };
	if (item->autostart && setting.ok)
		lane_run(core_object_lane(object), set_autostart, &how);
	return setting.ok && how.ok;
}

static int kind_of(const AdoptItem *item)
{
	for (guint i = 0; i < G_N_ELEMENTS(places); i++)
		if (g_str_equal(places[i].kind, item->kind))
			return places[i].id;
	return -1;
}

/* ---- what was taken is written down ---- */

static char *journal_path(Core *core)
{
	return g_build_filename(core_paths(core)->lib, "adopted.json", NULL);
}

static GPtrArray *journal_read(Core *core, GError **error)
{
	g_autofree char *path = journal_path(core);
	g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(item_free);
	g_autoptr(GError) why = NULL;
	g_autofree char *text = file_read(path, MAX_FILE * 16, NULL, &why);
	if (!text && !g_error_matches(why, LODGE_ERROR, LODGE_ERROR_NOT_FOUND)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	json_t *json = text ? json_loads(text, 0, NULL) : json_array();
	for (size_t i = 0; i < json_array_size(json); i++) {
		AdoptItem *item = shape_from_json(&adopt_item_shape, json_array_get(json, i), NULL);
		if (item)
			g_ptr_array_add(items, item);
	}
	json_decref(json);
	return g_steal_pointer(&items);
}

static gboolean journal_write(Core *core, const GPtrArray *items, GError **error)
{
	g_autofree char *path = journal_path(core);
	if (items->len == 0)
		return file_remove(path, error);
	json_t *json = json_array();
	for (guint i = 0; i < items->len; i++)
		json_array_append_new(json, shape_to_json(&adopt_item_shape, items->pdata[i], 0));
	char *text = json_dumps(json, JSON_INDENT(1));
	gboolean ok = file_write(path, text, strlen(text), 0600, FILE_DURABLE, error);
	free(text);
	json_decref(json);
	return ok;
}

/* Written down before it is done: what a crash leaves is given back too. */
static gboolean take(Core *core, GPtrArray *journal, AdoptItem *item, GError **error)
{
	g_autoptr(GError) why = NULL;
	int kind = kind_of(item);
	g_ptr_array_add(journal, item);
	gboolean noted = journal_write(core, journal, error);
	gboolean ok = noted && (kind < 0 ? take_guest(core, item, &why) :
					   take_object(core, item, (CoreKindId)kind, &why));
	if (ok) {
		set_action(item, "taken", NULL);
	} else if (noted) {
		drop_copies(item);
		set_action(item, "failed", why->message);
		g_ptr_array_remove(journal, item);
	}
	return noted && journal_write(core, journal, error);
}

gboolean core_adopt(Core *core, GPtrArray *plan, const EngineProgress *progress, GError **error)
{
	g_autoptr(GPtrArray) before = journal_read(core, error);
	if (!before)
		return FALSE;
	g_autoptr(GPtrArray) journal = g_ptr_array_new(); /* of items that others own */
	g_ptr_array_extend(journal, before, NULL, NULL);
	for (guint i = 0; i < plan->len; i++) {
		AdoptItem *item = plan->pdata[i];
		if (progress && g_cancellable_set_error_if_cancelled(progress->cancel, error))
			return FALSE;
		if (progress && progress->tell)
			progress->tell(progress->data, (double)i / plan->len);
		if (strcmp(item->action, "take") == 0 && !take(core, journal, item, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- giving it back ---- */

typedef struct Removal {
	gpointer object;
	gboolean is_guest, ok;
	GError **error;
} Removal;

static void remove_definition(gpointer data)
{
	Removal *removal = data;
	guint flags = UNDEFINE_NVRAM | UNDEFINE_TPM | UNDEFINE_MANAGED_SAVE;
	if (removal->is_guest)
		removal->ok = core_guest_undefine(removal->object, flags, NULL, NULL, NULL, removal->error);
	else
		removal->ok = core_object_undefine(removal->object, removal->error);
}

static gboolean remove_guest(Core *core, const AdoptItem *item, GError **error)
{
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, item->uuid, NULL);
	g_autoptr(GuestSnap) snap = guest ? core_guest_snap(guest) : NULL;
	if (!guest)
		return TRUE;
	if (snap->id >= 0)
		return fail(error, LODGE_ERROR_STATE, "it runs: shut it down first");
	Removal removal = { .object = guest, .is_guest = TRUE, .error = error };
	lane_run(core_guest_lane(guest), remove_definition, &removal);
	return removal.ok;
}

static gboolean remove_object(Core *core, const AdoptItem *item, CoreKindId kind, GError **error)
{
	g_autoptr(CoreObject) object = core_object_find_by(core, kind, CORE_BY_UUID, item->uuid, NULL);
	g_autoptr(ObjectSnap) snap = object ? core_object_snap(object) : NULL;
	if (!object)
		return TRUE;
	if (snap->active && !snap->kind->always_active && kind != CORE_NWFILTER)
		return fail(error, LODGE_ERROR_STATE, "it is active: stop it first");
	Removal removal = { .object = object, .error = error };
	lane_run(core_object_lane(object), remove_definition, &removal);
	return removal.ok;
}

GPtrArray *core_unadopt(Core *core, GError **error)
{
	g_autoptr(GPtrArray) items = journal_read(core, error);
	if (!items)
		return NULL;
	g_autoptr(GPtrArray) left = g_ptr_array_new();
	for (guint i = items->len; i > 0; i--) { /* guests before what they use */
		AdoptItem *item = items->pdata[i - 1];
		g_autoptr(GError) why = NULL;
		int kind = kind_of(item);
		gboolean ok = item->uuid && (kind < 0 ? remove_guest(core, item, &why) :
						remove_object(core, item, (CoreKindId)kind, &why));
		if (ok)
			drop_copies(item);
		else
			g_ptr_array_insert(left, 0, item);
		set_action(item, ok ? "removed" : "kept", why ? why->message : NULL);
	}
	return journal_write(core, left, error) ? g_steal_pointer(&items) : NULL;
}

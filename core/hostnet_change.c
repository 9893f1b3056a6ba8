/* A change of the host's interfaces: what was before is in a file until the change stays, so that it can be
 * put back by whoever comes. Two files in lib/: one of the change that is at work or waits to be confirmed,
 * one of what was before iface-begin. See hostnet_internal.h. */
#include "core/hostnet_internal.h"
#include "base/error.h"
#include "base/log.h"
#include "host/file.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_LIMIT (16 * 1024 * 1024)
#define FILE_LIMIT (256 * 1024) /* as net/manager.c reads: what it cannot read it must not replace */

static char *record_path(Core *core, gboolean begun)
{
	return g_build_filename(core->paths->lib,
				begun ? "host-network-begin.json" : "host-network-change.json", NULL);
}

static gint64 seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

static char *boot_now(void)
{
	char *boot = NULL;
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		return g_strdup("");
	return g_strchomp(boot);
}

/* ---- what was ---- */

static void change_file_free(gpointer data)
{
	ChangeFile *file = data;
	g_free(file->path);
	g_free(file->bytes);
	g_free(file);
}

static Change *change_empty(void)
{
	Change *change = g_new0(Change, 1);
	change->phase = CHANGE_WORKING;
	change->files = g_ptr_array_new_with_free_func(change_file_free);
	change->links = g_ptr_array_new_with_free_func((GDestroyNotify)linkstate_free);
	return change;
}

Change *change_new(const char *format, ...)
{
	Change *change = change_empty();
	va_list args;
	va_start(args, format);
	change->what = g_strdup_vprintf(format, args);
	va_end(args);
	change->boot = boot_now();
	return change;
}

void change_free(Change *change)
{
	if (!change)
		return;
	g_ptr_array_unref(change->files);
	g_ptr_array_unref(change->links);
	g_free(change->what);
	g_free(change->boot);
	g_free(change->manager);
	g_free(change->brought);
	g_free(change->kept);
	g_free(change->again);
	g_free(change);
}

static gboolean has_link(const Change *change, const char *name)
{
	for (guint i = 0; i < change->links->len; i++)
		if (g_str_equal(((LinkState *)change->links->pdata[i])->name, name))
			return TRUE;
	return FALSE;
}

void change_note_link(Change *change, const HostLinks *links, const char *name)
{
	if (!has_link(change, name))
		g_ptr_array_add(change->links, linkstate_take(links, name));
}

static gboolean has_file(const Change *change, const char *path)
{
	for (guint i = 0; i < change->files->len; i++)
		if (g_str_equal(((ChangeFile *)change->files->pdata[i])->path, path))
			return TRUE;
	return FALSE;
}

/* Where a link leads to: the file itself is replaced, not the link. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL); /* malloc()'s, which GLib's is */
	return real ? real : g_strdup(path);
}

gboolean change_note_file(Change *change, const char *path, GError **error)
{
	g_autofree char *real = real_path(path);
	struct stat about;
	if (has_file(change, real))
		return TRUE;
	ChangeFile *file = g_new0(ChangeFile, 1);
	file->path = g_steal_pointer(&real);
	g_ptr_array_add(change->files, file);
	if (stat(file->path, &about) < 0)
		return TRUE;
	file->mode = about.st_mode & 07777;
	file->uid = about.st_uid;
	file->gid = about.st_gid;
	file->bytes = file_read(file->path, FILE_LIMIT, &file->length, error);
	if (file->bytes && strlen(file->bytes) != file->length)
		return fail(error, LODGE_ERROR_INVALID, "%s is no text: put it right by hand", file->path);
	return file->bytes != NULL;
}

gboolean change_note_files(Change *change, const ManagerWork *work, GError **error)
{
	for (guint i = 0; i < work->files->len; i++)
		if (!change_note_file(change, ((ManagerFile *)work->files->pdata[i])->path, error))
			return FALSE;
	return TRUE;
}

/* ---- the record ---- */

static json_t *file_json(const ChangeFile *file)
{
	g_autofree char *bytes = file->bytes ? g_base64_encode((const guchar *)file->bytes, file->length)
					     : NULL;
	return json_pack("{s:s, s:s?, s:i, s:i, s:i}", "path", file->path, "bytes", bytes, "mode",
			 (int)file->mode, "uid", (int)file->uid, "gid", (int)file->gid);
}

static gboolean save_at(const char *path, const Change *change, GError **error)
{
	json_t *files = json_array(), *links = json_array();
	for (guint i = 0; i < change->files->len; i++)
		json_array_append_new(files, file_json(change->files->pdata[i]));
	for (guint i = 0; i < change->links->len; i++)
		json_array_append_new(links, linkstate_to_json(change->links->pdata[i]));
	json_t *all = json_pack("{s:i, s:s, s:I, s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:o}", "phase",
				(int)change->phase, "what", change->what, "deadline",
				(json_int_t)change->deadline, "boot", change->boot, "manager",
				change->manager, "brought", change->brought, "kept", change->kept, "again",
				change->again, "files", files, "links", links);
	if (!all) /* not UTF-8: a file of configuration in another encoding */
		return fail(error, LODGE_ERROR_INVALID,
			    "the configuration of %s is no UTF-8: change it by hand", change->what);
	char *text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	gboolean ok = file_write(path, text, strlen(text), 0600, FILE_DURABLE, error);
	free(text);
	return ok;
}

gboolean change_save(Core *core, const Change *change, GError **error)
{
	g_autofree char *path = record_path(core, change->phase == CHANGE_BEGUN);
	return save_at(path, change, error);
}

static char *text_of(json_t *all, const char *key)
{
	return g_strdup(json_string_value(json_object_get(all, key)));
}

static ChangeFile *file_of(json_t *item)
{
	const char *path = json_string_value(json_object_get(item, "path"));
	const char *bytes = json_string_value(json_object_get(item, "bytes"));
	if (!path || !g_path_is_absolute(path))
		return NULL;
	ChangeFile *file = g_new0(ChangeFile, 1);
	file->path = g_strdup(path);
	file->bytes = bytes ? (char *)g_base64_decode(bytes, &file->length) : NULL;
	file->mode = (guint)json_integer_value(json_object_get(item, "mode"));
	file->uid = (guint)json_integer_value(json_object_get(item, "uid"));
	file->gid = (guint)json_integer_value(json_object_get(item, "gid"));
	return file;
}

static Change *change_of(json_t *all)
{
	Change *change = change_empty();
	json_t *item;
	size_t i;
	change->phase = (ChangePhase)json_integer_value(json_object_get(all, "phase"));
	change->deadline = json_integer_value(json_object_get(all, "deadline"));
	change->what = text_of(all, "what");
	change->boot = text_of(all, "boot");
	change->manager = text_of(all, "manager");
	change->brought = text_of(all, "brought");
	change->kept = text_of(all, "kept");
	change->again = text_of(all, "again");
	json_array_foreach(json_object_get(all, "files"), i, item)
	{
		ChangeFile *file = file_of(item);
		if (file)
			g_ptr_array_add(change->files, file);
	}
	json_array_foreach(json_object_get(all, "links"), i, item)
	{
		LinkState *state = linkstate_from_json(item);
		if (state)
			g_ptr_array_add(change->links, state);
	}
	return change;
}

/* The record; NULL: there is none. */
static Change *load(Core *core, gboolean begun)
{
	g_autofree char *path = record_path(core, begun);
	g_autofree char *text = file_read(path, RECORD_LIMIT, NULL, NULL);
	json_t *all = text ? json_loads(text, 0, NULL) : NULL;
	Change *change = all ? change_of(all) : NULL;
	if (text && !change)
		log_error(NULL, "%s cannot be read: what it would put back stays as it is", path);
	json_decref(all);
	return change;
}

static gboolean drop_record(Core *core, gboolean begun, GError **error)
{
	g_autofree char *path = record_path(core, begun);
	return file_remove(path, error);
}

/* ---- files ---- */

static gboolean put_file(const char *path, const char *bytes, gsize length, guint mode, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	if (bytes) {
		if (g_mkdir_with_parents(folder, 0755) < 0)
			return fail_errno(error, errno, "cannot create the folder %s", folder);
		return file_write(path, bytes, length, mode, FILE_DURABLE, error);
	}
	gboolean ok = file_remove(path, error);
	if (g_str_has_suffix(folder, ".d"))
		g_rmdir(folder); /* ours alone, where it is empty */
	return ok;
}

gboolean change_write(const ManagerWork *work, GError **error)
{
	for (guint i = 0; i < work->files->len; i++) {
		const ManagerFile *file = work->files->pdata[i];
		g_autofree char *real = real_path(file->path);
		struct stat about;
		gboolean there = stat(real, &about) == 0;
		if (!put_file(real, file->text, file->text ? strlen(file->text) : 0,
			      there ? about.st_mode & 07777 : file->mode, error))
			return FALSE;
		if (there && file->text && chown(real, about.st_uid, about.st_gid) < 0)
			return fail_errno(error, errno, "cannot give %s to its owner", real);
	}
	return TRUE;
}

/* ---- putting back ---- */

/* What fails is told and does not keep the rest from being put back. */
static void tell(gboolean ok, GError **error, guint *failures, const Change *change)
{
	if (ok)
		return;
	log_error(NULL, "putting back %s: %s", change->what, (*error)->message);
	g_clear_error(error);
	(*failures)++;
}

/* What never changed is not written again: the disk may be full. */
static gboolean is_as_it_was(const ChangeFile *file)
{
	gsize length;
	if (!file->bytes)
		return access(file->path, F_OK) != 0;
	g_autofree char *now = file_read(file->path, FILE_LIMIT, &length, NULL);
	return now && length == file->length && memcmp(now, file->bytes, length) == 0;
}

static void restore_files(const Change *change, guint *failures)
{
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < change->files->len; i++) {
		const ChangeFile *file = change->files->pdata[i];
		if (is_as_it_was(file))
			continue;
		gboolean ok = put_file(file->path, file->bytes, file->length, file->mode, &error);
		if (ok && file->bytes && chown(file->path, file->uid, file->gid) < 0)
			ok = fail_errno(&error, errno, "cannot give %s to its owner", file->path);
		tell(ok, &error, failures, change);
	}
}

typedef gboolean (*RestoreFn)(Netlink *nl, const LinkState *state, GError **error);

static void restore_links(const Change *change, Netlink *nl, RestoreFn fn, guint *failures)
{
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < change->links->len; i++)
		tell(fn(nl, change->links->pdata[i], &error), &error, failures, change);
}

/* Every step may be done twice: a crash in between starts again. FALSE where something failed. */
static gboolean put_back(const Change *change)
{
	guint failures = 0;
	g_autoptr(GError) error = NULL;
	const NetManager *manager = manager_find(change->manager);
	g_autoptr(Netlink) nl = netlink_open(&error);
	if (manager && change->brought)
		tell(manager->release(change->brought, change->kept, &error), &error, &failures, change);
	restore_files(change, &failures);
	if (!nl)
		return FALSE;
	restore_links(change, nl, linkstate_restore, &failures);
	restore_links(change, nl, linkstate_restore_master, &failures);
	if (manager && change->again)
		tell(manager->take(change->again, NULL, &error), &error, &failures, change);
	/* what the manager did not give back */
	restore_links(change, nl, linkstate_restore_master, &failures);
	restore_links(change, nl, linkstate_restore_addresses, &failures);
	log_info(NULL, "%s was put back%s", change->what, failures ? ", but not all of it: see above" : "");
	return failures == 0;
}

/* ---- entering and leaving ---- */

gboolean change_enter(Core *core, GError **error)
{
	guint left;
	if (geteuid() != 0)
		return fail(error, LODGE_ERROR_DENIED,
			    "interfaces of the host are changed by root's daemon alone: use sudo");
	if (!g_mutex_trylock(&core->hostnet->work))
		return fail(
			error, LODGE_ERROR_IN_USE,
			"another change of the host's interfaces is at work: try again when it is done");
	g_autofree char *waiting = hostnet_waiting(core, &left);
	if (!waiting)
		return TRUE;
	g_mutex_unlock(&core->hostnet->work);
	return fail(
		error, LODGE_ERROR_IN_USE,
		"%s waits to be confirmed for %u more seconds: \"lodge bridge confirm\" keeps it, \"lodge "
		"bridge rollback\" puts back what was",
		waiting, left);
}

void change_leave(Core *core)
{
	g_mutex_unlock(&core->hostnet->work);
}

/* What changed after iface-begin is put back with it. */
static gboolean add_to_begun(Core *core, Change *change, GError **error)
{
	g_autoptr(Change) begun = load(core, TRUE);
	if (!begun)
		return TRUE;
	while (change->files->len) {
		ChangeFile *file = g_ptr_array_steal_index(change->files, 0);
		if (has_file(begun, file->path))
			change_file_free(file);
		else
			g_ptr_array_add(begun->files, file);
	}
	while (change->links->len) {
		LinkState *state = g_ptr_array_steal_index(change->links, 0);
		if (has_link(begun, state->name))
			linkstate_free(state);
		else
			g_ptr_array_add(begun->links, state);
	}
	return change_save(core, begun, error);
}

static gboolean keep(Core *core, Change *change, GError **error)
{
	return add_to_begun(core, change, error) && drop_record(core, FALSE, error);
}

static void set_waiting(Core *core, const char *what, gint64 deadline)
{
	g_mutex_lock(&core->hostnet->lock);
	g_free(core->hostnet->waiting);
	core->hostnet->waiting = g_strdup(what);
	core->hostnet->deadline = deadline;
	g_mutex_unlock(&core->hostnet->lock);
}

/* ---- the timer ---- */

static void arm_later(Core *core);

static void revert_late(gpointer data)
{
	Core *core = data;
	g_mutex_lock(&core->hostnet->work);
	g_autoptr(Change) change = load(core, FALSE);
	gboolean early = change && change->phase == CHANGE_WAITING && change->deadline > seconds_now();
	if (change && !early) {
		log_warning(NULL, "nobody confirmed %s: what was before is put back", change->what);
		put_back(change);
		drop_record(core, FALSE, NULL);
		set_waiting(core, NULL, 0);
	}
	g_mutex_unlock(&core->hostnet->work);
	if (early)
		arm_later(core);
	core_unref(core);
}

static gboolean on_deadline(gpointer data)
{
	Core *core = data;
	core->hostnet->timer = 0;
	g_atomic_int_inc(&core->refs);
	lane_beside(revert_late, core);
	return G_SOURCE_REMOVE;
}

static void arm(gpointer data)
{
	Core *core = data;
	g_mutex_lock(&core->hostnet->lock);
	gint64 left = core->hostnet->waiting ? core->hostnet->deadline - seconds_now() : -1;
	gboolean any = core->hostnet->waiting != NULL && !core->hostnet->closed;
	g_mutex_unlock(&core->hostnet->lock);
	g_clear_handle_id(&core->hostnet->timer, g_source_remove);
	if (any)
		core->hostnet->timer = g_timeout_add_seconds((guint)MAX(left, 0), on_deadline, core);
	core_unref(core);
}

static void arm_later(Core *core)
{
	g_atomic_int_inc(&core->refs);
	lane_to_main(arm, core);
}

gboolean change_end(Core *core, Change *change, gboolean done, guint timeout, GError **error)
{
	g_autoptr(Change) own = change;
	g_autoptr(GError) late = NULL;
	if (done && timeout) {
		change->phase = CHANGE_WAITING;
		change->deadline = seconds_now() + timeout;
		done = change_save(core, change, error);
		if (done) {
			set_waiting(core, change->what, change->deadline);
			arm_later(core);
			return TRUE;
		}
	}
	if (done && keep(core, change, error))
		return TRUE;
	gboolean back = put_back(change);
	if (!drop_record(core, FALSE, &late))
		log_error(NULL, "%s", late->message);
	g_prefix_error(error, "%s: %s: ", change->what,
		       back ? "nothing was changed" : "not all could be put back, see the log");
	return FALSE;
}

/* ---- verbs on the whole ---- */

char *hostnet_waiting(Core *core, guint *left)
{
	g_mutex_lock(&core->hostnet->lock);
	char *what = g_strdup(core->hostnet->waiting);
	gint64 seconds = core->hostnet->deadline - seconds_now();
	g_mutex_unlock(&core->hostnet->lock);
	if (left)
		*left = (guint)MAX(seconds, 0);
	return what;
}

/* The change that waits; the work lock is held then. NULL with STATE. */
static Change *enter_waiting(Core *core, GError **error)
{
	g_mutex_lock(&core->hostnet->work);
	g_autoptr(Change) change = load(core, FALSE);
	if (change && change->phase == CHANGE_WAITING)
		return g_steal_pointer(&change);
	g_mutex_unlock(&core->hostnet->work);
	fail(error, LODGE_ERROR_STATE,
	     "no change of the host's interfaces waits to be confirmed: it was never "
	     "made, is confirmed, or was put back already");
	return NULL;
}

gboolean hostnet_confirm(Core *core, GError **error)
{
	g_autoptr(Change) change = enter_waiting(core, error);
	if (!change)
		return FALSE;
	gboolean ok = keep(core, change, error);
	if (ok)
		set_waiting(core, NULL, 0);
	g_mutex_unlock(&core->hostnet->work);
	arm_later(core);
	return ok;
}

gboolean hostnet_revert(Core *core, GError **error)
{
	g_autoptr(Change) change = enter_waiting(core, error);
	if (!change)
		return FALSE;
	gboolean back = put_back(change);
	gboolean ok = drop_record(core, FALSE, error);
	set_waiting(core, NULL, 0);
	g_mutex_unlock(&core->hostnet->work);
	arm_later(core);
	return ok &&
	       (back || fail(error, LODGE_ERROR_SYSTEM,
			     "%s: not all could be put back; the daemon's log says what", change->what));
}

gboolean hostnet_begin(Core *core, GError **error)
{
	if (!change_enter(core, error))
		return FALSE;
	g_autoptr(Change) begun = load(core, TRUE), change = NULL;
	gboolean ok = !begun || fail(error, LODGE_ERROR_STATE,
				     "a change of the host's interfaces was begun already: iface-commit or "
				     "iface-rollback ends it");
	change = change_new("all since iface-begin");
	change->phase = CHANGE_BEGUN;
	for (guint i = 0; ok && managers[i]; i++) {
		g_auto(ManagerWork) work = { 0 };
		g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
		manager_work_init(&work, "", NULL);
		if (manager_present(managers[i], ""))
			managers[i]->paths(&work, paths);
		for (guint k = 0; ok && k < paths->len; k++)
			ok = change_note_file(change, paths->pdata[k], error);
	}
	ok = ok && change_save(core, change, error);
	change_leave(core);
	return ok;
}

static Change *enter_begun(Core *core, GError **error)
{
	if (!change_enter(core, error))
		return NULL;
	Change *begun = load(core, TRUE);
	if (begun)
		return begun;
	change_leave(core);
	fail(error, LODGE_ERROR_STATE,
	     "no change of the host's interfaces was begun: iface-begin does that");
	return NULL;
}

gboolean hostnet_commit(Core *core, GError **error)
{
	g_autoptr(Change) begun = enter_begun(core, error);
	if (!begun)
		return FALSE;
	gboolean ok = drop_record(core, TRUE, error);
	change_leave(core);
	return ok;
}

gboolean hostnet_rollback(Core *core, GError **error)
{
	g_autoptr(Change) begun = enter_begun(core, error);
	if (!begun)
		return FALSE;
	gboolean back = put_back(begun);
	gboolean ok = drop_record(core, TRUE, error);
	change_leave(core);
	return ok && (back || fail(error, LODGE_ERROR_SYSTEM,
				   "not all could be put back; the daemon's log says what"));
}

/* ---- with the daemon ---- */

void hostnet_open(Core *core)
{
	core->hostnet = g_new0(struct CoreHostnet, 1);
	g_mutex_init(&core->hostnet->work);
	g_mutex_init(&core->hostnet->lock);
}

static void recover(gpointer data)
{
	Core *core = data;
	g_autofree char *boot = boot_now();
	g_mutex_lock(&core->hostnet->work);
	g_autoptr(Change) change = load(core, FALSE), begun = load(core, TRUE);
	gboolean same = change && g_strcmp0(change->boot, boot) == 0;
	if (change && same && change->phase == CHANGE_WAITING && change->deadline > seconds_now()) {
		set_waiting(core, change->what, change->deadline);
		arm_later(core);
	} else if (change) {
		log_warning(NULL, "%s was not finished or not confirmed: what was before is put back",
			    change->what);
		put_back(change);
		drop_record(core, FALSE, NULL);
	}
	/* as libvirt does at boot */
	if (begun && g_strcmp0(begun->boot, boot) != 0) {
		log_warning(NULL, "iface-commit never came: what was before iface-begin is put back");
		put_back(begun);
		drop_record(core, TRUE, NULL);
	}
	g_mutex_unlock(&core->hostnet->work);
	core_unref(core);
}

void hostnet_recover(Core *core)
{
	g_autofree char *change = record_path(core, FALSE), *begun = record_path(core, TRUE);
	if (access(change, F_OK) != 0 && access(begun, F_OK) != 0)
		return;
	g_atomic_int_inc(&core->refs);
	lane_beside(recover, core);
}

void hostnet_close(Core *core)
{
	if (!core->hostnet)
		return;
	g_mutex_lock(&core->hostnet->lock);
	core->hostnet->closed = TRUE;
	g_mutex_unlock(&core->hostnet->lock);
	g_clear_handle_id(&core->hostnet->timer, g_source_remove);
}

void hostnet_free(Core *core)
{
	if (!core->hostnet)
		return;
	g_mutex_clear(&core->hostnet->work);
	g_mutex_clear(&core->hostnet->lock);
	g_free(core->hostnet->waiting);
	g_free(core->hostnet);
}

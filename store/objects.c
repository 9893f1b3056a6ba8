/* See objects.h. */
#include "store/objects.h"
#include "base/error.h"
#include "base/log.h"
#include "host/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define DEFINITION_LIMIT (4 * 1024 * 1024) /* as shape/xml.c */
#define SUFFIX ".xml"

struct ObjectStore {
	char *folder;
};

static void stored_free(gpointer data)
{
	StoredObject *stored = data;
	g_free(stored->name);
	g_free(stored->path);
	g_free(stored->xml);
	g_free(stored);
}

static char *path_of(const ObjectStore *store, const char *name)
{
	return g_strdup_printf("%s/%s" SUFFIX, store->folder, name);
}

static char *link_of(const ObjectStore *store, const char *name)
{
	return g_strdup_printf("%s/autostart/%s" SUFFIX, store->folder, name);
}

ObjectStore *object_store_open(const char *folder, GError **error)
{
	g_autofree char *links = g_build_filename(folder, "autostart", NULL);
	if (g_mkdir_with_parents(links, 0700) < 0) {
		fail_errno(error, errno, "cannot create the folder %s", links);
		return NULL;
	}
	ObjectStore *store = g_new0(ObjectStore, 1);
	store->folder = g_strdup(folder);
	return store;
}

void object_store_free(ObjectStore *store)
{
	g_free(store->folder);
	g_free(store);
}

static void load_file(ObjectStore *store, const char *file, GPtrArray *all)
{
	g_autofree char *path = g_build_filename(store->folder, file, NULL);
	g_autoptr(GError) error = NULL;
	if (g_str_has_suffix(file, SUFFIX ".new"))
		g_unlink(path); /* an interrupted write */
	if (!g_str_has_suffix(file, SUFFIX))
		return;
	gsize length = 0;
	char *xml = file_read(path, DEFINITION_LIMIT, &length, &error);
	if (!xml) {
		log_error(NULL, "a definition is left out: %s", error->message);
		return;
	}
	StoredObject *stored = g_new0(StoredObject, 1);
	stored->name = g_strndup(file, strlen(file) - strlen(SUFFIX));
	stored->path = g_steal_pointer(&path);
	stored->xml = xml;
	stored->length = length;
	g_autofree char *link = link_of(store, stored->name);
	stored->autostart = g_file_test(link, G_FILE_TEST_IS_SYMLINK);
	g_ptr_array_add(all, stored);
}

/* Links to a definition that is gone are removed: one of that name to come is another. */
static void sweep_links(ObjectStore *store)
{
	g_autofree char *links = g_build_filename(store->folder, "autostart", NULL);
	g_autoptr(GDir) dir = g_dir_open(links, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		g_autofree char *link = g_build_filename(links, file, NULL);
		if (access(link, F_OK) < 0 && errno == ENOENT)
			unlink(link);
	}
}

GPtrArray *object_store_load(ObjectStore *store, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GDir) dir = g_dir_open(store->folder, 0, &why);
	if (!dir) {
		fail(error, LODGE_ERROR_SYSTEM, "cannot read the folder %s: %s", store->folder,
		     why->message);
		return NULL;
	}
	sweep_links(store);
	GPtrArray *all = g_ptr_array_new_with_free_func(stored_free);
	for (const char *file; (file = g_dir_read_name(dir));)
		load_file(store, file, all);
	return all;
}

gboolean object_store_write(ObjectStore *store, const char *name, const char *xml, GError **error)
{
	g_autofree char *path = path_of(store, name);
	return file_write(path, xml, strlen(xml), 0600, FILE_DURABLE, error);
}

gboolean object_store_remove(ObjectStore *store, const char *name, GError **error)
{
	g_autofree char *path = path_of(store, name);
	g_autoptr(GError) why = NULL;
	if (!file_remove(path, error))
		return FALSE;
	/* after it: a crash between leaves a link to nothing, which the next start removes */
	if (!object_store_autostart(store, name, FALSE, &why))
		log_warning(NULL, "%s", why->message);
	return TRUE;
}

gboolean object_store_autostart(ObjectStore *store, const char *name, gboolean on, GError **error)
{
	g_autofree char *link = link_of(store, name);
	g_autofree char *target = g_strdup_printf("../%s" SUFFIX, name);
	return on ? file_link(target, link, error) : file_remove(link, error);
}

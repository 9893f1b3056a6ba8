/* See definitions.h. */
#include "store/definitions.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFINITION_LIMIT (4 * 1024 * 1024) /* as shape/xml.c */
#define INDEX_LIMIT (256 * 1024 * 1024)
#define INDEX_HEAD "lodge guests index 1"

struct Store {
	char *folder, *autostart, *index;
};

Store *store_open(const Paths *paths, GError **error)
{
	g_autoptr(Store) store = g_new0(Store, 1);
	store->folder = g_build_filename(paths->etc, "guests", NULL);
	store->autostart = g_build_filename(store->folder, "autostart", NULL);
	store->index = g_build_filename(paths->lib, "guests.index", NULL);
	if (g_mkdir_with_parents(store->autostart, 0700) < 0) {
		fail_errno(error, errno, "cannot create the folder %s", store->autostart);
		return NULL;
	}
	return g_steal_pointer(&store);
}

void store_free(Store *store)
{
	g_free(store->folder);
	g_free(store->autostart);
	g_free(store->index);
	g_free(store);
}

void store_entry_free(StoreEntry *entry)
{
	if (!entry)
		return;
	g_free(entry->name);
	g_free(entry->title);
	g_free(entry);
}

StoreEntry *store_entry_copy(const StoreEntry *entry)
{
	StoreEntry *copy = g_memdup2(entry, sizeof *entry);
	copy->name = g_strdup(entry->name);
	copy->title = g_strdup(entry->title);
	return copy;
}

static char *definition_path(const Store *store, const char *name)
{
	return g_strdup_printf("%s/%s.xml", store->folder, name);
}

static char *link_path(const Store *store, const char *name)
{
	return g_strdup_printf("%s/%s.xml", store->autostart, name);
}

static void note_file(StoreEntry *entry, const struct stat *st)
{
	entry->inode = st->st_ino;
	entry->size = (guint64)st->st_size;
	entry->mtime_ns = (guint64)st->st_mtim.tv_sec * 1000000000u + (guint64)st->st_mtim.tv_nsec;
}

static StoreEntry *entry_of(const Guest *guest)
{
	StoreEntry *entry = g_new0(StoreEntry, 1);
	entry->name = g_strdup(guest->name);
	g_strlcpy(entry->uuid, guest->uuid ? guest->uuid : "", sizeof entry->uuid);
	entry->title = g_strdup(guest->title);
	entry->memory = opt_uint_or(guest->memory, 0);
	entry->vcpus = guest_vcpus_online(guest);
	return entry;
}

/* ---- the index: a line for each definition, fields apart by tabs, names escaped ---- */

static StoreEntry *parse_line(char *line)
{
	char *fields[8];
	for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
		fields[i] = line;
		line = strchr(line, '\t');
		if (!line && i + 1 < G_N_ELEMENTS(fields))
			return NULL;
		if (line)
			*line++ = '\0';
	}
	if (strlen(fields[1]) != 36)
		return NULL;
	StoreEntry *entry = g_new0(StoreEntry, 1);
	entry->name = g_strcompress(fields[0]);
	g_strlcpy(entry->uuid, fields[1], sizeof entry->uuid);
	entry->inode = g_ascii_strtoull(fields[2], NULL, 10);
	entry->size = g_ascii_strtoull(fields[3], NULL, 10);
	entry->mtime_ns = g_ascii_strtoull(fields[4], NULL, 10);
	entry->memory = g_ascii_strtoull(fields[5], NULL, 10);
	entry->vcpus = (guint)g_ascii_strtoull(fields[6], NULL, 10);
	entry->title = *fields[7] ? g_strcompress(fields[7]) : NULL;
	return entry;
}

static GHashTable *read_index(const Store *store)
{
	GHashTable *index = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
						  (GDestroyNotify)store_entry_free);
	g_autofree char *text = file_read(store->index, INDEX_LIMIT, NULL, NULL);
	if (!text || !g_str_has_prefix(text, INDEX_HEAD "\n"))
		return index;
	for (char *line = strchr(text, '\n') + 1, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		StoreEntry *entry = parse_line(line);
		if (entry)
			g_hash_table_replace(index, entry->name, entry);
	}
	return index;
}

void store_write_index(Store *store, const GPtrArray *entries)
{
	g_autoptr(GString) text = g_string_new(INDEX_HEAD "\n");
	for (guint i = 0; i < entries->len; i++) {
		const StoreEntry *e = g_ptr_array_index(entries, i);
		g_autofree char *name = g_strescape(e->name, NULL);
		g_autofree char *title = e->title ? g_strescape(e->title, NULL) : NULL;
		g_string_append_printf(text,
				       "%s\t%s\t%" G_GUINT64_FORMAT "\t%" G_GUINT64_FORMAT
				       "\t%" G_GUINT64_FORMAT "\t%" G_GUINT64_FORMAT "\t%u\t%s\n",
				       name, e->uuid, e->inode, e->size, e->mtime_ns, e->memory,
				       e->vcpus, title ? title : "");
	}
	g_autoptr(GError) error = NULL;
	if (!file_write(store->index, text->str, text->len, 0600, FILE_CACHE, &error))
		log_warning(NULL, "the next start will be slower: %s", error->message);
}

/* ---- loading ---- */

typedef struct Load {
	const Store *store;
	GMutex lock;
	GPtrArray *entries; /* StoreEntry *; under lock */
} Load;

static void add_entry(Load *load, StoreEntry *entry)
{
	g_mutex_lock(&load->lock);
	g_ptr_array_add(load->entries, entry);
	g_mutex_unlock(&load->lock);
}

/* The file's name is the guest's: a rename is one rename(2), after which the text is put right. */
static Guest *read_guest(const Store *store, const char *name, GError **error)
{
	g_autofree char *path = definition_path(store, name);
	gsize length = 0;
	g_autofree char *xml = file_read(path, DEFINITION_LIMIT, &length, error);
	Guest *guest = xml ? guest_from_xml(xml, (gssize)length, path, NULL, error) : NULL;
	if (guest && !g_str_equal(guest->name, name)) {
		log_warning(NULL, "%s says <name>%s</name>: the file's name counts", path,
			    guest->name);
		g_free(guest->name);
		guest->name = g_strdup(name);
	}
	return guest;
}

/* For definitions that the index does not know: read in full, on the pool. */
static void load_one(gpointer data, gpointer user)
{
	g_autofree char *name = data;
	Load *load = user;
	g_autofree char *path = definition_path(load->store, name);
	g_autoptr(GError) error = NULL;
	struct stat st;
	/* before it is read: what changes it meanwhile is seen at the next start */
	if (stat(path, &st) < 0)
		return;
	if (S_ISREG(st.st_mode) && st.st_size == 0) { /* a name without its content: see file.c */
		log_warning(NULL, "%s is empty, as a define leaves it that was cut off: removed", path);
		unlink(path);
		return;
	}
	g_autoptr(Guest) guest = read_guest(load->store, name, &error);
	if (guest && !guest->uuid)
		fail(&error, LODGE_ERROR_INVALID, "%s: <uuid> is missing", path);
	if (error) {
		log_error(NULL, "a definition is left out: %s", error->message);
		return;
	}
	StoreEntry *entry = entry_of(guest);
	note_file(entry, &st);
	add_entry(load, entry);
}

/* One file of the folder: known by the index, or handed to the pool. */
static void load_file(Load *load, GHashTable *index, GThreadPool *pool, int folder,
		      const char *file)
{
	struct stat st;
	if (g_str_has_suffix(file, ".xml.new")) {
		unlinkat(folder, file, 0); /* an interrupted write */
		return;
	}
	if (!g_str_has_suffix(file, ".xml"))
		return;
	if (fstatat(folder, file, &st, 0) < 0) {
		log_error(NULL, "a definition is left out: %s/%s: %s", load->store->folder, file,
			  g_strerror(errno));
		return;
	}
	g_autofree char *name = g_strndup(file, strlen(file) - strlen(".xml"));
	StoreEntry now = { 0 };
	note_file(&now, &st);
	StoreEntry *known = g_hash_table_lookup(index, name);
	if (known && known->inode == now.inode && known->size == now.size &&
	    known->mtime_ns == now.mtime_ns) {
		g_hash_table_steal(index, name);
		add_entry(load, known);
		return;
	}
	g_thread_pool_push(pool, g_steal_pointer(&name), NULL);
}

/* Links to a definition that is gone are removed: one of that name to come is another. */
static void mark_autostart(const Store *store, const GPtrArray *entries)
{
	g_autoptr(GHashTable) links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) dir = g_dir_open(store->autostart, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		if (!g_str_has_suffix(file, ".xml"))
			continue;
		g_autofree char *name = g_strndup(file, strlen(file) - strlen(".xml"));
		g_autofree char *link = link_path(store, name);
		if (access(link, F_OK) < 0 && errno == ENOENT)
			unlink(link);
		else
			g_hash_table_add(links, g_steal_pointer(&name));
	}
	for (guint i = 0; i < entries->len; i++) {
		StoreEntry *entry = g_ptr_array_index(entries, i);
		entry->autostart = g_hash_table_contains(links, entry->name);
	}
}

GPtrArray *store_load(Store *store, GError **error)
{
	DIR *dir = opendir(store->folder);
	if (!dir) {
		fail_errno(error, errno, "cannot read the folder %s", store->folder);
		return NULL;
	}
	Load load = { .store = store,
		      .entries = g_ptr_array_new_with_free_func((GDestroyNotify)store_entry_free) };
	g_mutex_init(&load.lock);
	g_autoptr(GHashTable) index = read_index(store);
	GThreadPool *pool = g_thread_pool_new(load_one, &load, (gint)g_get_num_processors(), FALSE,
					      NULL);
	for (struct dirent *file; (file = readdir(dir));)
		load_file(&load, index, pool, dirfd(dir), file->d_name);
	closedir(dir);
	g_thread_pool_free(pool, FALSE, TRUE);
	g_mutex_clear(&load.lock);
	mark_autostart(store, load.entries);
	return load.entries;
}

/* ---- changes ---- */

gboolean store_define(Store *store, const Guest *guest, StoreEntry **entry, GError **error)
{
	g_autofree char *path = definition_path(store, guest->name);
	g_autofree char *xml = guest_to_xml(guest, SHAPE_XML_SECRETS);
	if (!file_write(path, xml, strlen(xml), 0600, FILE_DURABLE, error))
		return FALSE;
	struct stat st;
	if (entry) {
		*entry = entry_of(guest);
		if (stat(path, &st) == 0)
			note_file(*entry, &st);
	}
	return TRUE;
}

Guest *store_guest(Store *store, const char *name, GError **error)
{
	return read_guest(store, name, error);
}

gboolean store_undefine(Store *store, const char *name, GError **error)
{
	g_autofree char *path = definition_path(store, name);
	if (!file_remove(path, error))
		return FALSE;
	/* after it: a crash between leaves a link to nothing, which the next start removes */
	g_autoptr(GError) why = NULL;
	if (!store_autostart(store, name, FALSE, &why))
		log_warning(NULL, "%s", why->message);
	return TRUE;
}

gboolean store_autostart(Store *store, const char *name, gboolean on, GError **error)
{
	g_autofree char *path = link_path(store, name);
	g_autofree char *target = g_strdup_printf("../%s.xml", name);
	if (!on)
		return file_remove(path, error);
	return file_link(target, path, error);
}

/* A crash after the rename leaves a file whose text has the old name: see read_guest(). */
gboolean store_rename_guest(Store *store, const char *old, const Guest *guest, GError **error)
{
	g_autofree char *from = definition_path(store, old);
	g_autofree char *to = definition_path(store, guest->name);
	g_autofree char *link = link_path(store, old);
	gboolean autostart = g_file_test(link, G_FILE_TEST_IS_SYMLINK);
	if (autostart && !store_autostart(store, guest->name, TRUE, error))
		return FALSE;
	if (!file_rename(from, to, error)) {
		if (autostart)
			store_autostart(store, guest->name, FALSE, NULL);
		return FALSE;
	}
	if (!store_define(store, guest, NULL, error)) {
		/* the text is still the old one */
		if (file_rename(to, from, NULL) && autostart)
			store_autostart(store, guest->name, FALSE, NULL);
		return FALSE;
	}
	store_autostart(store, old, FALSE, NULL);
	return TRUE;
}

/* Tests of store/: definitions on disk, the index that spares reading them, and what a crash, a hand
 * or another program left. The cost of ten thousand is printed. */
#include "base/error.h"
#include "host/file.h"
#include "store/definitions.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUIDS "11111111-2222-4333-8444-%012u"

typedef struct Shelf {
	char *root;
	Paths *paths;
	Store *store;
} Shelf;

static void shelf_open(Shelf *shelf)
{
	g_autoptr(GError) error = NULL;
	shelf->root = g_dir_make_tmp("lodge-store-XXXXXX", NULL);
	shelf->paths = paths_new(shelf->root);
	g_assert_true(paths_make(shelf->paths, &error));
	shelf->store = store_open(shelf->paths, &error);
	g_assert_no_error(error);
}

static void shelf_close(Shelf *shelf)
{
	store_free(shelf->store);
	paths_free(shelf->paths);
	g_assert_true(file_remove_tree(shelf->root, NULL));
	g_free(shelf->root);
}

static char *path_of(Shelf *shelf, const char *file)
{
	return g_build_filename(shelf->root, "etc/guests", file, NULL);
}

static char *xml_of(const char *name, guint number, const char *title)
{
	g_autofree char *uuid = g_strdup_printf(UUIDS, number);
	return g_strdup_printf("<domain type='qemu'><name>%s</name><uuid>%s</uuid><title>%s</title>"
			       "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
			       "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>",
			       name, uuid, title);
}

static void put(Shelf *shelf, const char *file, const char *text)
{
	g_autofree char *path = path_of(shelf, file);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void put_guest(Shelf *shelf, const char *name, guint number, const char *title)
{
	g_autofree char *file = g_strconcat(name, ".xml", NULL);
	g_autofree char *xml = xml_of(name, number, title);
	put(shelf, file, xml);
}

static gboolean is_there(Shelf *shelf, const char *file)
{
	struct stat st;
	g_autofree char *path = path_of(shelf, file);
	return lstat(path, &st) == 0;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(StoreEntry *const *)a)->name, (*(StoreEntry *const *)b)->name);
}

static GPtrArray *load(Shelf *shelf)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *entries = store_load(shelf->store, &error);
	g_assert_no_error(error);
	g_ptr_array_sort(entries, by_name);
	return entries;
}

/* "a:Title b:Title": what a load finds; the index is written of it. */
static char *found(Shelf *shelf)
{
	g_autoptr(GPtrArray) entries = load(shelf);
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < entries->len; i++) {
		const StoreEntry *e = g_ptr_array_index(entries, i);
		g_string_append_printf(text, "%s%s:%s", i ? " " : "", e->name, e->title);
	}
	store_write_index(shelf->store, entries);
	return g_string_free(text, FALSE);
}

#define assert_found(shelf, expected)                                                              \
	do {                                                                                       \
		g_autofree char *found_ = found(shelf);                                            \
		g_assert_cmpstr(found_, ==, expected);                                             \
	} while (0)

static void test_define_load_undefine(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = xml_of("web1", 1, "One &amp; only");
	g_autoptr(Guest) guest = guest_from_xml(xml, -1, NULL, NULL, &error);
	g_autoptr(StoreEntry) entry = NULL;
	g_assert_true(store_define(shelf.store, guest, &entry, &error));
	g_assert_cmpstr(entry->title, ==, "One & only");
	g_assert_cmpuint(entry->memory, ==, 64 << 20);
	g_autoptr(Guest) again = store_guest(shelf.store, "web1", &error);
	g_assert_cmpstr(again->uuid, ==, guest->uuid);
	assert_found(&shelf, "web1:One & only");
	g_assert_null(store_guest(shelf.store, "web2", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_true(store_autostart(shelf.store, "web1", TRUE, &error));
	g_assert_true(is_there(&shelf, "autostart/web1.xml"));
	g_assert_true(store_undefine(shelf.store, "web1", &error));
	g_assert_false(is_there(&shelf, "web1.xml"));
	g_assert_false(is_there(&shelf, "autostart/web1.xml"));
	assert_found(&shelf, "");
	shelf_close(&shelf);
}

/* The index counts as long as the file is the same, and never longer. */
static void test_changed_by_hand(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	put_guest(&shelf, "a", 1, "one");
	put_guest(&shelf, "b", 2, "two");
	assert_found(&shelf, "a:one b:two");
	put_guest(&shelf, "b", 2, "TWO"); /* same size */
	put_guest(&shelf, "c", 3, "three");
	assert_found(&shelf, "a:one b:TWO c:three");
	g_autofree char *path = path_of(&shelf, "a.xml");
	unlink(path);
	assert_found(&shelf, "b:TWO c:three");
	shelf_close(&shelf);
}

/* What the index says of an unchanged file is believed: that it spares reading is seen by a lie. */
static void test_index_spares_reading(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	put_guest(&shelf, "a", 1, "one");
	g_autoptr(GPtrArray) entries = load(&shelf);
	StoreEntry *entry = g_ptr_array_index(entries, 0);
	g_free(entry->title);
	entry->title = g_strdup("a\tlie\nover lines \\ \"quoted\"");
	store_write_index(shelf.store, entries);
	assert_found(&shelf, "a:a\tlie\nover lines \\ \"quoted\"");
	shelf_close(&shelf);
}

static void test_broken_index(void)
{
	static const char *const broken[] = {
		"", "\n", "lodge guests index 1", "lodge guests index 1\n\n\t\n\t\t\t\t\t\t\t\n",
		"lodge guests index 99\na\t1\n", "lodge guests index 1\na\tshort\t1\t1\t1\t1\t1\t\n",
		"lodge guests index 1\na\t11111111-2222-4333-8444-000000000001\t1\t1\t1\t1",
		"\xff\xfe\x00",
	};
	Shelf shelf;
	shelf_open(&shelf);
	put_guest(&shelf, "a", 1, "one");
	g_autofree char *index = g_build_filename(shelf.paths->lib, "guests.index", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
		g_assert_true(g_file_set_contents(index, broken[i], -1, NULL));
		assert_found(&shelf, "a:one");
	}
	shelf_close(&shelf);
}

/* Others work, whatever stands beside them; nothing that is not ours is touched. */
static void test_files_that_cannot_be_read(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	put_guest(&shelf, "good", 1, "one");
	put(&shelf, "cut.xml", "<domain type='qemu'><name>cu");
	put(&shelf, "no-uuid.xml", "<domain type='qemu'><name>no-uuid</name><memory>65536</memory>"
				   "<os><type>hvm</type></os></domain>");
	put(&shelf, "network.xml", "<network><name>n</name></network>");
	put(&shelf, "notes.txt", "mine");
	put(&shelf, ".xml", "<domain/>");
	g_autofree char *folder = path_of(&shelf, "folder.xml"), *pipe = path_of(&shelf, "pipe.xml");
	g_autofree char *loop = path_of(&shelf, "loop.xml");
	g_assert_cmpint(mkdir(folder, 0700) | mkfifo(pipe, 0600) | symlink("loop.xml", loop), ==, 0);
	assert_found(&shelf, "good:one");
	g_assert_true(is_there(&shelf, "cut.xml") && is_there(&shelf, "notes.txt"));
	shelf_close(&shelf);
}

static void test_leftovers(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	put_guest(&shelf, "a", 1, "one");
	put(&shelf, "a.xml.new", "<doma");
	put(&shelf, "b.xml.new", "<doma");
	put(&shelf, "c.xml", "");
	g_autofree char *link = path_of(&shelf, "autostart/gone.xml");
	g_assert_cmpint(symlink("../gone.xml", link), ==, 0);
	assert_found(&shelf, "a:one");
	g_assert_false(is_there(&shelf, "a.xml.new") || is_there(&shelf, "b.xml.new"));
	g_assert_false(is_there(&shelf, "c.xml"));
	g_assert_false(is_there(&shelf, "autostart/gone.xml"));
	shelf_close(&shelf);
}

/* A rename that a crash cut short: the file has its new name, its text the old one. */
static void test_name_of_the_file_counts(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = xml_of("old", 1, "one");
	put(&shelf, "new.xml", xml);
	assert_found(&shelf, "new:one");
	assert_found(&shelf, "new:one");
	g_autoptr(Guest) guest = store_guest(shelf.store, "new", &error);
	g_assert_cmpstr(guest->name, ==, "new");
	shelf_close(&shelf);
}

/* Names that mean something to a file system, a shell or the index. */
static void test_odd_names(void)
{
	static const char *const names[] = { "a b", "a\\b", "\xc3\xa9", "-rf", "x.xml",
					     "x.xml.new", "autostart", "%s%n", "\"q\"" };
	Shelf shelf;
	shelf_open(&shelf);
	for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *xml = xml_of("x", i, "t");
		g_autoptr(Guest) guest = guest_from_xml(xml, -1, NULL, NULL, &error);
		g_free(guest->name);
		guest->name = g_strdup(names[i]);
		g_assert_true(store_define(shelf.store, guest, NULL, &error));
	}
	for (guint round = 0; round < 2; round++) {
		g_autoptr(GPtrArray) entries = load(&shelf);
		g_assert_cmpuint(entries->len, ==, G_N_ELEMENTS(names));
		for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
			gboolean there = FALSE;
			for (guint j = 0; j < entries->len && !there; j++)
				there = g_str_equal(names[i],
						    ((StoreEntry *)entries->pdata[j])->name);
			g_assert_true(there);
		}
		store_write_index(shelf.store, entries);
	}
	shelf_close(&shelf);
}

static double load_ms(Shelf *shelf, guint expected)
{
	gint64 since = g_get_monotonic_time();
	g_autoptr(GPtrArray) entries = store_load(shelf->store, NULL);
	g_assert_cmpuint(entries->len, ==, expected);
	double ms = (double)(g_get_monotonic_time() - since) / 1000.0;
	store_write_index(shelf->store, entries);
	return ms;
}

static void test_ten_thousand(void)
{
	Shelf shelf;
	shelf_open(&shelf);
	for (guint i = 0; i < 10000; i++) {
		g_autofree char *name = g_strdup_printf("guest%u", i);
		g_autofree char *xml = xml_of(name, i, "t"), *file = g_strconcat(name, ".xml", NULL);
		g_autofree char *path = path_of(&shelf, file);
		FILE *out = fopen(path, "w");
		g_assert_true(out && fputs(xml, out) >= 0 && fclose(out) == 0);
	}
	double cold = load_ms(&shelf, 10000), warm = load_ms(&shelf, 10000);
	g_test_message("10000 definitions: %.0f ms without the index, %.0f ms with it", cold, warm);
	shelf_close(&shelf);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/store/define-load-undefine", test_define_load_undefine);
	g_test_add_func("/store/changed-by-hand", test_changed_by_hand);
	g_test_add_func("/store/index-spares-reading", test_index_spares_reading);
	g_test_add_func("/store/broken-index", test_broken_index);
	g_test_add_func("/store/files-that-cannot-be-read", test_files_that_cannot_be_read);
	g_test_add_func("/store/leftovers", test_leftovers);
	g_test_add_func("/store/name-of-the-file-counts", test_name_of_the_file_counts);
	g_test_add_func("/store/odd-names", test_odd_names);
	g_test_add_func("/store/ten-thousand", test_ten_thousand);
	return g_test_run();
}

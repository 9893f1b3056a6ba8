/* Pools without a daemon: what a folder holds, what is known of it, and the watch over it. */
#include "base/error.h"
#include "image/create.h"
#include "pool/files.h"
#include "pool/watch.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder_new(void)
{
	g_autoptr(GError) error = NULL;
	char *folder = g_dir_make_tmp("lodge-pool-XXXXXX", &error);
	g_assert_no_error(error);
	return folder;
}

static char *at(const char *folder, const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static void put(const char *folder, const char *name, const char *bytes, gssize n)
{
	g_autofree char *path = at(folder, name);
	g_assert_true(g_file_set_contents(path, bytes, n, NULL));
}

static void make_qcow2(const char *folder, const char *name, const char *backing)
{
	g_autofree char *path = at(folder, name);
	g_autoptr(GError) error = NULL;
	ImageCreate how = { .path = path, .format = IMAGE_QCOW2, .size = 1 << 20, .backing = backing,
			    .backing_format = backing ? IMAGE_RAW : 0 };
	g_assert_true(image_make(&how, &error));
	g_assert_no_error(error);
}

static void forget(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = at(folder, name);
		g_remove(path);
	}
	g_rmdir(folder);
}

static PoolState *scan(const char *folder)
{
	g_autoptr(GPtrArray) volumes = g_ptr_array_new_with_free_func((GDestroyNotify)pool_volume_unref);
	g_autoptr(GError) error = NULL;
	PoolState *state = pool_state_new();
	PoolSizes sizes;
	pool_state_scan_begin(state);
	g_assert_true(pool_files_scan(folder, state, volumes, &sizes, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(sizes.capacity, >, 0);
	pool_state_scan_end(state, volumes, &sizes);
	return state;
}

static void is_volume(PoolState *state, const char *name, VolumeType type, const char *format,
		      guint64 capacity)
{
	g_autoptr(PoolVolume) volume = pool_state_find(state, name);
	g_assert_nonnull(volume);
	g_assert_cmpint(volume->type, ==, type);
	g_assert_cmpstr(volume->format, ==, format);
	g_assert_cmpuint(volume->capacity, ==, capacity);
}

static void test_folder(void)
{
	g_autofree char *folder = folder_new(), *fifo = at(folder, "fifo"), *sub = at(folder, "sub");
	g_autofree char *raw = at(folder, "raw"), *link = at(folder, "link"), *lost = at(folder, "lost");
	put(folder, "raw", "abc", 3);
	put(folder, "lies", "QFI\xfb\0\0\0\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20);
	put(folder, ".lodge-part-x-1-2-3", "x", 1);
	put(folder, "a\nb", "x", 1);
	make_qcow2(folder, "disk.qcow2", NULL);
	make_qcow2(folder, "top.qcow2", "raw");
	put(folder, "disk.json", "{}", 2); /* a record beside an image */
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_cmpint(g_mkdir(sub, 0700), ==, 0);
	g_assert_cmpint(symlink(raw, link), ==, 0);
	g_assert_cmpint(symlink("nowhere", lost), ==, 0);

	g_autoptr(PoolState) state = scan(folder);
	g_assert_cmpuint(pool_state_count(state), ==, 6);
	is_volume(state, "raw", VOLUME_FILE, "raw", 3);
	is_volume(state, "link", VOLUME_FILE, "raw", 3);
	is_volume(state, "disk.qcow2", VOLUME_FILE, "qcow2", 1 << 20);
	g_autoptr(PoolVolume) top = pool_state_find(state, "top.qcow2");
	g_assert_cmpstr(top->backing, ==, raw);
	g_autoptr(PoolVolume) above = pool_state_based_on(state, raw);
	g_autoptr(PoolVolume) same = pool_state_find_path(state, raw);
	g_assert_true(above == top);
	g_assert_cmpstr(same->name, ==, "raw");
	g_autoptr(PoolVolume) lies = pool_state_find(state, "lies");
	g_autoptr(PoolVolume) folder_in = pool_state_find(state, "sub");
	g_assert_cmpuint(lies->capacity, ==, 20); /* what the file itself says */
	g_assert_cmpint(folder_in->type, ==, VOLUME_DIR);
	forget(folder);
}

static void test_state(void)
{
	g_autoptr(PoolState) state = pool_state_new();
	g_autoptr(GError) error = NULL;
	g_assert_true(pool_state_reserve(state, "a", NULL));
	g_assert_false(pool_state_reserve(state, "a", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	g_assert_cmpuint(pool_state_busy(state), ==, 1);
	pool_state_put(state, pool_volume_new(VOLUME_FILE, "a", "/p/a"));
	pool_state_release(state, "a");
	g_assert_false(pool_state_reserve(state, "a", NULL));
	g_assert_true(pool_state_use(state, "a", FALSE, NULL));
	g_assert_true(pool_state_use(state, "a", FALSE, NULL));
	g_assert_false(pool_state_use(state, "a", TRUE, NULL));
	pool_state_release_use(state, "a", FALSE);
	pool_state_release_use(state, "a", FALSE);
	g_assert_true(pool_state_use(state, "a", TRUE, NULL));
	g_assert_false(pool_state_use(state, "a", FALSE, NULL));
	pool_state_release_use(state, "a", TRUE);
	g_assert_cmpuint(pool_state_busy(state), ==, 0);
}

/* What is made and removed while a folder is read is newer than what the reader has seen. */
static void test_changes_while_scanning(void)
{
	g_autoptr(PoolState) state = pool_state_new();
	g_autoptr(GPtrArray) seen = g_ptr_array_new();
	PoolSizes sizes = { 3, 2, 1 };
	pool_state_put(state, pool_volume_new(VOLUME_FILE, "old", "/p/old"));
	pool_state_scan_begin(state);
	g_ptr_array_add(seen, pool_volume_new(VOLUME_FILE, "old", "/p/old"));
	g_ptr_array_add(seen, pool_volume_new(VOLUME_FILE, "found", "/p/found"));
	pool_state_drop(state, "old");
	pool_state_put(state, pool_volume_new(VOLUME_FILE, "new", "/p/new"));
	pool_state_scan_end(state, seen, &sizes);
	g_assert_null(pool_state_find(state, "old"));
	g_autoptr(PoolVolume) made = pool_state_find(state, "new"), found = pool_state_find(state, "found");
	g_assert_nonnull(made);
	g_assert_nonnull(found);
	g_assert_cmpuint(pool_state_sizes(state).capacity, ==, 3);
}

static void on_change(gpointer data)
{
	(*(guint *)data)++;
}

static void nothing(G_GNUC_UNUSED gpointer data)
{
}

static void wait_for(const guint *count, guint wanted)
{
	gint64 limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	while (*count < wanted && g_get_monotonic_time() < limit)
		g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(*count, >=, wanted);
}

static void test_watch(void)
{
	g_autofree char *folder = folder_new();
	guint changes = 0;
	gboolean all;
	PoolWatch *watch = pool_watch_new(folder, on_change, &changes, nothing);
	if (!watch) {
		g_test_skip("this file system is not watched");
		forget(folder);
		return;
	}
	for (guint round = 1; round <= 3; round++) {
		g_autoptr(GPtrArray) names = NULL;
		put(folder, "a", "x", 1);
		wait_for(&changes, round);
		g_assert_true(pool_watch_take(watch, &names, &all));
		g_assert_false(all);
		g_assert_true(g_ptr_array_find_with_equal_func(names, "a", g_str_equal, NULL));
	}
	forget(folder);
	g_autoptr(GPtrArray) last = NULL;
	g_assert_false(pool_watch_take(watch, &last, &all));
	pool_watch_free(watch);
}

static void test_hosts_that_lack_tools(void)
{
	g_autofree char *text = pool_capabilities();
	g_assert_nonnull(strstr(text, "<pool type='dir' supported='yes'>"));
	g_assert_nonnull(strstr(text, "<pool type='sheepdog' supported='no'>"));
	g_autoptr(GError) error = NULL;
	g_assert_null(pool_find_sources(POOL_DIR, NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pool/folder", test_folder);
	g_test_add_func("/pool/state", test_state);
	g_test_add_func("/pool/changes-while-scanning", test_changes_while_scanning);
	g_test_add_func("/pool/watch", test_watch);
	g_test_add_func("/pool/hosts-that-lack-tools", test_hosts_that_lack_tools);
	return g_test_run();
}

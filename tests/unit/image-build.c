/* Tests of image/build and image/list: scripts that behave, fail, hang and are cancelled; the
 * cache; what a folder shows. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "image/build.h"
#include "image/list.h"
#include "image/overlay.h"

static char *folder;
static const ImageRecipe recipe = {
	.name = "test", .suite = "bookworm", .size = "1G", .os = "Test 1", .login = "any"
};

/* A script with that body in a fresh folder; $out is where the image goes. */
static char *script(const char *body)
{
	g_free(folder);
	folder = g_dir_make_tmp("lodge-image-XXXXXX", NULL);
	char *path = g_build_filename(folder, ".script", NULL);
	g_autofree char *text = g_strdup_printf("#!/bin/sh\n"
						"while [ $# -gt 1 ]; do shift; done; out=$1\n%s\n",
						body);
	g_assert_true(
		g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
	return path;
}

/* What is in the folder, "a b c". */
static char *files(void)
{
	g_autofree char *command = g_strdup_printf("sh -c 'cd %s && echo $(ls)'", folder);
	char *out = NULL;
	g_assert_true(g_spawn_command_line_sync(command, &out, NULL, NULL, NULL));
	return g_strchomp(out);
}

static void clean(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf %s", folder);
	g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
}

static void note_progress(double fraction, const char *text, gpointer data)
{
	g_string_append_printf(data, "%.2f %s;", fraction, text);
}

#define MAKES                                                                                      \
	"echo progress 5 'first things'; echo noise; printf 'progress 4'; echo '0 more'; "         \
	"echo progress 999; echo package bash 5.2; echo package libc6 2.36; "                      \
	"qemu-img create -q -f qcow2 $out 1G"

static void test_builds_once(void)
{
	g_autofree char *path = script("echo run >>$(dirname $out)/runs; " MAKES);
	g_autoptr(GString) seen = g_string_new(NULL);
	const char *const options[] = { "--package", "vim", NULL };
	ImageBuild how = { .recipe = &recipe,
			   .folder = folder,
			   .script = path,
			   .progress = note_progress,
			   .data = seen };
	ImageBuilt built = { 0 };
	g_autoptr(GError) error = NULL;
	g_assert_true(image_build(&how, &built, &error));
	g_assert_no_error(error);
	g_assert_false(built.reused);
	g_assert_true(g_str_has_suffix(built.path, "/test.qcow2"));
	g_assert_cmpstr(seen->str, ==, "0.05 first things;0.40 more;");
	ImageRecord *record = image_record_read(built.path, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(record->recipe, ==, "test");
	g_assert_cmpuint(record->packages->len, ==, 2);
	g_assert_cmpstr(g_ptr_array_index(record->packages, 1), ==, "libc6 2.36");
	shape_free(&image_record_shape, record);
	g_free(built.path);

	g_assert_true(image_build(&how, &built, &error));
	g_assert_true(built.reused && !built.outdated);
	g_free(built.path);
	how.options = options; /* another image would come out: said, not done */
	g_assert_true(image_build(&how, &built, &error));
	g_assert_true(built.reused && built.outdated);
	g_free(built.path);
	how.replace = TRUE;
	g_assert_true(image_build(&how, &built, &error));
	g_assert_false(built.reused);
	g_free(built.path);
	g_autofree char *runs_file = g_build_filename(folder, "runs", NULL), *runs = NULL;
	g_assert_true(g_file_get_contents(runs_file, &runs, NULL, NULL));
	g_assert_cmpstr(runs, ==, "run\nrun\n");
	clean();
}

/* Bodies that fail, and how. */
static const struct {
	const char *name, *body;
	LodgeError code;
	const char *says;
} failures[] = {
	{ "usage", "echo bad option >&2; exit 64", LODGE_ERROR_INVALID, "bad option" },
	{ "tools", "echo apt install mtools >&2; exit 69", LODGE_ERROR_UNSUPPORTED,
	  "apt install mtools" },
	{ "busy", "echo another build is running >&2; exit 75", LODGE_ERROR_IN_USE,
	  "another build" },
	{ "space", "echo write: No space left on device >&2; exit 1", LODGE_ERROR_NO_SPACE,
	  "No space left" },
	{ "silent", "exit 3", LODGE_ERROR_SYSTEM, "killed" },
	{ "killed", "kill -9 $$", LODGE_ERROR_SYSTEM, "killed" },
	{ "talks-much",
	  "yes complaint | head -c 1000000 >&2; yes progress | head -c 1000000; exit 1",
	  LODGE_ERROR_SYSTEM, "complaint" },
	{ "binary", "printf '\\377\\376\\n' >&2; exit 1", LODGE_ERROR_SYSTEM, "\357\277\275" },
};

static void test_failure(gconstpointer data)
{
	gsize i = GPOINTER_TO_SIZE(data);
	g_autofree char *path = script(failures[i].body);
	ImageBuild how = { .recipe = &recipe, .folder = folder, .script = path };
	ImageBuilt built = { .path = folder };
	g_autoptr(GError) error = NULL;
	g_assert_false(image_build(&how, &built, &error));
	g_assert_error(error, LODGE_ERROR, (int)failures[i].code);
	g_assert_nonnull(strstr(error->message, "\"test\""));
	g_assert_nonnull(strstr(error->message, failures[i].says));
	g_assert_cmpuint(strlen(error->message), <, 10000);
	g_assert_true(built.path == folder); /* untouched */
	g_autofree char *left = files();
	g_assert_cmpstr(left, ==, "");
	clean();
}

static void test_no_script(void)
{
	g_autofree char *path = script("");
	g_assert_cmpint(unlink(path), ==, 0);
	ImageBuild how = { .recipe = &recipe, .folder = folder, .script = path };
	ImageBuilt built;
	g_autoptr(GError) error = NULL;
	g_assert_false(image_build(&how, &built, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_SYSTEM);
	clean();
}

static void cancel_at_first(G_GNUC_UNUSED double fraction, G_GNUC_UNUSED const char *text,
			    gpointer data)
{
	g_cancellable_cancel(data);
}

/* An orphan is a zombie until init reaps it. */
static gboolean is_gone(const char *pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%s/stat", pid), *stat = NULL;
	return !g_file_get_contents(path, &stat, NULL, NULL) || strstr(stat, ") Z ");
}

/* After a cancel no process of the build is left, however deep; and the script could clean up. */
static void test_cancel(void)
{
	g_autofree char *path = script("trap 'rm -f $out.part; exit 143' TERM; : >$out.part; "
				       "sh -c 'echo $$ >'$(dirname $out)'/deep; exec sleep 60' & "
				       "while ! [ -s $(dirname $out)/deep ]; do sleep 0.01; done; "
				       "echo progress 1 x; wait");
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	ImageBuild how = { .recipe = &recipe,
			   .folder = folder,
			   .script = path,
			   .cancel = cancel,
			   .progress = cancel_at_first,
			   .data = cancel };
	ImageBuilt built;
	g_autoptr(GError) error = NULL;
	gint64 before = g_get_monotonic_time();
	g_assert_false(image_build(&how, &built, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_ABORTED);
	g_assert_cmpint(g_get_monotonic_time() - before, <, 50 * G_USEC_PER_SEC);
	g_autofree char *left = files(), *pid_file = g_build_filename(folder, "deep", NULL);
	g_assert_cmpstr(left, ==, "deep");
	g_autofree char *pid = NULL;
	g_assert_true(g_file_get_contents(pid_file, &pid, NULL, NULL));
	g_assert_true(is_gone(g_strchomp(pid)));

	/* cancelled before it began: nothing is started */
	g_assert_cmpint(unlink(pid_file), ==, 0);
	g_clear_error(&error);
	g_assert_false(image_build(&how, &built, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_ABORTED);
	g_autofree char *none = files();
	g_assert_cmpstr(none, ==, "");
	clean();
}

static void test_recipes(void)
{
	guint n;
	const ImageRecipe *all = image_recipes(&n);
	for (guint i = 0; i < n; i++) {
		g_autofree char *path = g_build_filename(g_getenv("LODGE_SOURCE"), "share",
							 "images", all[i].script, NULL);
		g_assert_cmpint(access(path, X_OK), ==, 0);
		g_assert_true(image_recipe_find(all[i].name, NULL) == &all[i]);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(image_recipe_find("beos", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_assert_nonnull(strstr(error->message, "debian-12"));
}

static void put(const char *name, const char *bytes, gssize length)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_assert_true(g_file_set_contents(path, bytes, length, NULL));
}

static void test_list(void)
{
	g_autofree char *path = script(MAKES);
	ImageBuild how = { .recipe = &recipe, .folder = folder, .script = path };
	ImageBuilt built = { 0 };
	g_autoptr(GError) error = NULL;
	g_assert_true(image_build(&how, &built, &error));
	g_free(built.path);
	g_autofree char *over = g_build_filename(folder, "hello.qcow2", NULL);
	g_assert_true(
		image_create_overlay(over, "test.qcow2", IMAGE_QCOW2, (guint64)2 << 30, &error));
	put("disk.img", "boot", 4);
	put("broken.qcow2", "QFI\xfb\0\0\0\3", 8);
	put("half.qcow2.part", "", 0);
	put("bad.json", "[[[[", 4);
	ImageList list = { 0 };
	g_auto(Notes) notes = { 0 };
	g_assert_true(image_list(folder, &list, &notes, &error));
	g_assert_no_error(error);
	static const struct {
		const char *name;
		ImageFormat format;
		guint64 size;
		const char *backing, *os;
	} want[] = { { "disk.img", IMAGE_RAW, 4, NULL, NULL },
		     { "hello", IMAGE_QCOW2, (guint64)2 << 30, "test.qcow2", "Test 1" },
		     { "test", IMAGE_QCOW2, 1 << 30, NULL, "Test 1" } };
	g_assert_cmpuint(shape_len(list.images), ==, G_N_ELEMENTS(want));
	for (guint i = 0; i < list.images->len; i++) {
		const ImageInfo *info = g_ptr_array_index(list.images, i);
		g_assert_cmpstr(info->name, ==, want[i].name);
		g_assert_cmpint(info->format, ==, want[i].format);
		g_assert_cmpuint(info->size.v, ==, want[i].size);
		g_assert_cmpstr(info->backing, ==, want[i].backing);
		g_assert_cmpstr(info->os, ==, want[i].os);
	}
	g_assert_cmpuint(notes_count(&notes), ==, 1);
	g_assert_nonnull(strstr(notes_get(&notes, 0), "broken.qcow2"));
	shape_clear(&image_list_shape, &list);
	clean();
	g_assert_true(image_list(folder, &list, NULL, &error)); /* no folder: nothing */
	g_assert_null(list.images);
}

static void test_find(void)
{
	g_autofree char *path = script("");
	put("a.qcow2", "", 0);
	put("b.img", "", 0);
	g_autofree char *a = image_find(folder, "a", NULL), *b = image_find(folder, "b.img", NULL);
	g_autofree char *direct = image_find("/nowhere", path, NULL);
	g_assert_true(g_str_has_suffix(a, "/a.qcow2") && g_str_has_suffix(b, "/b.img"));
	g_assert_cmpstr(direct, ==, path);
	g_autoptr(GError) error = NULL;
	g_assert_null(image_find(folder, "c", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_null(image_find(folder, "./c", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	clean();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/build/once", test_builds_once);
	for (gsize i = 0; i < G_N_ELEMENTS(failures); i++) {
		g_autofree char *name = g_strdup_printf("/build/fails/%s", failures[i].name);
		g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_failure);
	}
	g_test_add_func("/build/no-script", test_no_script);
	g_test_add_func("/build/cancel", test_cancel);
	g_test_add_func("/build/recipes", test_recipes);
	g_test_add_func("/list/folder", test_list);
	g_test_add_func("/list/find", test_find);
	int failed = g_test_run();
	g_free(folder);
	return failed;
}

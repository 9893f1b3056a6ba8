/* Tests of image/lease: who has an image, on this host and on others, and who takes it over. Other
 * hosts are lease files that they would have written. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "image/lease.h"

static char *folder, *image, *path;

static void write_lease(const char *text, int age)
{
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	struct timespec times[2];
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= age;
	times[1] = times[0];
	g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

static const char elsewhere[] =
	"{\"holder\": \"guest \\\"db\\\"\", \"host\": \"alpha\", \"boot\": \"x y\", "
	"\"pid\": 1, \"ticks\": 1, \"lease\": \"1\"}";

static void assert_left(guint n)
{
	guint found = 0;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; (name = g_dir_read_name(dir));)
		found += image_is_lease(name);
	g_assert_cmpuint(found, ==, n);
}

static void test_own(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(ImageLease) lease = image_lease_take(image, "guest \"web\"", &error);
	g_assert_no_error(error);
	assert_left(1);
	g_assert_cmpint(image_lease_beat(lease), ==, LEASE_KEPT);
	/* another of this host: named, with who keeps it */
	g_assert_null(image_lease_take(image, "guest \"other\"", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
	g_assert_nonnull(strstr(error->message, "guest \"web\" on this host"));
	g_clear_error(&error);
	g_assert_false(image_lease_check(image, &error));
	g_clear_error(&error);
	/* removed by hand: made again; another's: lost, and not removed at the end */
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(image_lease_beat(lease), ==, LEASE_KEPT);
	write_lease(elsewhere, 0);
	g_assert_cmpint(image_lease_beat(lease), ==, LEASE_LOST);
	g_clear_pointer(&lease, image_lease_drop);
	assert_left(1);
	g_assert_cmpint(unlink(path), ==, 0);
}

static void test_other_host(void)
{
	static const struct {
		const char *text;
		int age;
		gboolean taken;
	} cases[] = {
		{ elsewhere, 0, TRUE },
		{ elsewhere, LEASE_EXPIRES - 10, TRUE },
		{ elsewhere, LEASE_EXPIRES + 10, FALSE },
		{ "", 5, TRUE },
		{ "no JSON \x01", 5, TRUE },
		{ "[1]", 5, TRUE },
		{ "{\"pid\": \"x\", \"host\": 5}", 5, TRUE },
		{ "", LEASE_EXPIRES + 10, FALSE },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		write_lease(cases[i].text, cases[i].age);
		g_autoptr(ImageLease) lease = image_lease_take(image, "guest \"web\"", &error);
		g_assert_true((lease == NULL) == cases[i].taken);
		if (lease)
			continue;
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
		if (cases[i].text == elsewhere)
			g_assert_nonnull(strstr(error->message, "guest \"db\" on host alpha"));
		g_assert_cmpint(unlink(path), ==, 0);
	}
	assert_left(0);
}

/* A process of this host that has ended: at once, however young its lease is. */
static void test_dead_holder(void)
{
	g_autofree char *boot = NULL, *numbers = g_file_read_link("/proc/self/ns/pid", NULL);
	g_assert_true(g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
	g_autofree char *text =
		g_strdup_printf("{\"holder\": \"guest\", \"boot\": \"%s %s\", \"pid\": %d, "
				"\"ticks\": 1}",
				g_strstrip(boot), numbers, getpid());
	g_autoptr(GError) error = NULL;
	write_lease(text, 0);
	g_assert_true(image_lease_check(image, &error));
	g_autoptr(ImageLease) lease = image_lease_take(image, "guest \"web\"", &error);
	g_assert_no_error(error);
	g_assert_nonnull(lease);
}

/* Two names of an image have one lease; a folder that cannot be written is an error, not a holder.
 */
static void test_names(void)
{
	g_autofree char *other = g_build_filename(folder, "link", NULL);
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(symlink(image, other), ==, 0);
	g_autoptr(ImageLease) lease = image_lease_take(other, "guest \"web\"", &error);
	g_assert_no_error(error);
	g_assert_false(image_lease_check(image, NULL));
	g_assert_null(image_lease_take("/proc/none.img", "x", &error));
	g_assert_nonnull(error);
	g_assert_false(g_error_matches(error, LODGE_ERROR, LODGE_ERROR_IN_USE));
	static const struct {
		const char *name;
		gboolean is;
	} names[] = {
		{ ".a.img.lease", TRUE },
		{ ".a.lease.img", FALSE },
		{ "a.lease", FALSE },
		{ ".a.lease.x", FALSE },
		{ ".a.lease.lease.6d2b9f0c-4ab1-4a4a-9c65-7a9a4e1d8c11", TRUE },
	};
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_cmpint(image_is_lease(names[i].name), ==, names[i].is);
	g_assert_false(image_lease_needed("/proc/self/exe") && image_lease_needed("/proc"));
}

/* Many at once: one has it. */
static gpointer compete(G_GNUC_UNUSED gpointer data)
{
	return image_lease_take(image, "guest", NULL);
}

static void test_race(void)
{
	GThread *threads[8];
	ImageLease *winner = NULL;
	write_lease(elsewhere, LEASE_EXPIRES + 10);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("compete", compete, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
		if ((threads[i] = g_thread_join(threads[i]))) {
			g_assert_null(winner);
			winner = (gpointer)threads[i];
		}
	g_assert_nonnull(winner);
	assert_left(1);
	image_lease_drop(winner);
	assert_left(0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("lodge-lease-XXXXXX", NULL);
	image = g_build_filename(folder, "disk.img", NULL);
	path = g_build_filename(folder, ".disk.img.lease", NULL);
	g_assert_true(g_file_set_contents(image, "x", 1, NULL));
	g_test_add_func("/image-lease/own", test_own);
	g_test_add_func("/image-lease/other-host", test_other_host);
	g_test_add_func("/image-lease/dead-holder", test_dead_holder);
	g_test_add_func("/image-lease/names", test_names);
	g_test_add_func("/image-lease/race", test_race);
	int code = g_test_run();
	file_remove_tree(folder, NULL);
	g_free(folder);
	g_free(image);
	g_free(path);
	return code;
}

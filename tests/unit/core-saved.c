/* Files of saved guests: each descriptor is closed once. A second close() hits what another thread has opened
 * meanwhile, such as the file that another guest is being saved to. */
#include "core/saved.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static guint closed_twice;

/* In the place of libc's, for this program. */
int close(int fd)
{
	int result = (int)syscall(SYS_close, fd);
	if (result < 0 && errno == EBADF)
		closed_twice++;
	return result;
}

static Guest *some_guest(void)
{
	g_autoptr(GError) error = NULL;
	Guest *guest = guest_from_xml("<domain type='qemu'><name>g</name><memory>1024</memory>"
				      "<os><type>hvm</type></os></domain>", -1, NULL, NULL, &error);
	g_assert_no_error(error);
	return guest;
}

static void test_descriptors_are_closed_once(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *folder = g_dir_make_tmp("lodge-saved-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "g.save", NULL);
	g_autoptr(Guest) guest = some_guest();
	for (guint i = 0; i < 2; i++) { /* a new file, then in the place of one */
		SavedPart part;
		g_assert_true(saved_begin(path, guest, TRUE, &part, &error));
		g_assert_cmpint(write(part.fd, "stream", 6), ==, 6);
		g_assert_true(saved_finish(&part, path, &error));
		g_assert_no_error(error);
		g_assert_true(saved_is_finished(path, 0));
		g_assert_cmpint(part.fd, ==, -1);
	}
	g_assert_true(saved_rewrite(path, guest, TRI_NO, &error));
	SavedPart dropped;
	g_assert_true(saved_begin(path, guest, TRUE, &dropped, &error));
	saved_drop(&dropped);
	g_assert_cmpuint(closed_twice, ==, 0);
	g_unlink(path);
	g_rmdir(folder);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/core/saved/descriptors-are-closed-once", test_descriptors_are_closed_once);
	return g_test_run();
}

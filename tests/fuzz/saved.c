/* Any bytes as the file of a saved guest: it is refused, or the definition lies within the file and the
 * stream behind it. */
#include "core/saved.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	g_autoptr(GError) error = NULL;
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	if (file < 0)
		file = memfd_create("saved", MFD_CLOEXEC);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", file);
	if (ftruncate(file, 0) < 0 || pwrite(file, data, size, 0) != (ssize_t)size)
		return 0;
	if (!saved_open(path, FALSE, &saved, &error)) {
		g_assert_true(error && g_utf8_validate(error->message, -1, NULL));
		return 0;
	}
	g_assert_no_error(error);
	g_assert_nonnull(saved.guest);
	g_assert_cmpuint(strlen(saved.xml), <=, saved.room);
	g_assert_cmpuint(saved.stream, <=, size);
	g_assert_cmpint(saved.child, ==, 0);
	g_assert_true(lseek(saved.fd, 0, SEEK_CUR) == (off_t)saved.stream);
	return 0;
}

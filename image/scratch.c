/* See scratch.h. */
#include "image/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/part.h"
#include "image/qcow2_write.h"

#define SECTOR 512

/* In the folder of @path, which itself is never made. */
static int make(guint64 bytes, const char *path, GError **error)
{
	g_auto(ImagePart) part = { .fd = -1 };
	Qcow2New image = { .size = (bytes + SECTOR - 1) & ~(guint64)(SECTOR - 1) };
	if (!qcow2_new_check(&image, error) || !image_part_begin(path, FALSE, &part, error))
		return -1;
	int fd = qcow2_new_write(part.fd, &image) ? fcntl(part.fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (fd < 0)
		fail_errno(error, errno, "image \"%s\" cannot be made", path);
	return fd;
}

int image_scratch(guint64 bytes, const char *beside, const char *other, GError **error)
{
	g_autofree char *near = beside ? g_strconcat(beside, ".transient", NULL) : NULL;
	g_autofree char *far = g_build_filename(other, "transient", NULL);
	int fd = near ? make(bytes, near, NULL) : -1;
	if (fd >= 0)
		return fd;
	if (g_mkdir_with_parents(other, 0700) < 0) {
		fail_errno(error, errno, "cannot create the folder %s", other);
		return -1;
	}
	return make(bytes, far, error);
}

/* Makes plain qcow2 images in one line: empty ones, and linked ones that keep only what differs from
 * a backing file. See create.h, which does it. */
#pragma once

#include "image/format.h"

/* An empty qcow2 image of @size bytes (rounded up to 512) at @path, mode 0600. EXISTS where the
 * file is there. Any thread; blocks on the disk. */
gboolean image_create(const char *path, guint64 size, GError **error);

/* As image_create(), on top of the image @backing with the format @backing_format (never guessed).
 * A relative @backing starts at the folder of @path, and is kept so. @size 0 takes the size of
 * @backing; less than that is refused. */
gboolean image_create_overlay(const char *path, const char *backing, ImageFormat backing_format,
			      guint64 size, GError **error);

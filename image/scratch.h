/* Images without a name: a guest's <transient/> disk is one on top of what it was made of. It goes with its
 * last descriptor, whoever is killed first, and no name of it can be left behind.
 * Neighbours: part.h makes the file; engine/ hands it to QEMU. */
#pragma once

#include <glib.h>

/* An empty qcow2 image for a disk of @bytes (rounded up to 512), open for reading and writing, that names no
 * backing file: QEMU is told of it. It takes room where @beside is, or, where that folder takes no file or
 * @beside is NULL, in @other, which is made. The caller closes it; -1 on failure. Any thread; blocks. */
int image_scratch(guint64 bytes, const char *beside, const char *other, GError **error);

/* Which files the header of an image may lead to. Headers are written by who made the image, who may be
 * anybody: one that names /etc/shadow as its backing file would show it to a guest. So a name in a
 * header is followed only
 *
 *   - into the folder of the image that names it, and below;
 *   - into folders that are known to hold images: the daemon's own, and those of pools;
 *   - where Lodge itself made the link, and wrote so beside the image (an extended attribute, which an
 *     upload does not change).
 *
 * What a definition names (<backingStore>) is its author's word, and is not asked for here.
 *
 * Neighbours: chain.c asks; create.c writes attributes; pools and the daemon tell their folders. */
#pragma once

#include <glib.h>

/* @folder holds images from now on. Any thread. */
void image_trust_folder(const char *folder);
/* It does not any more. Any thread. */
void image_distrust_folder(const char *folder);

/* Whether the header of @image may lead to @path, which its @what ("backing file") names; both are
 * absolute. DENIED says what may be done. Any thread; blocks on the disk. */
gboolean image_trusted(const char *image, const char *path, const char *what, GError **error);

/* Writes beside the open image @fd that Lodge made the link to @backing, as its header has it. Where the
 * file system cannot keep that, the other rules decide. */
void image_trust_link(int fd, const char *backing);

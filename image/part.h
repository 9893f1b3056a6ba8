/* Files in the making: an image gets its name only once it is whole and on the disk, and what a
 * crash leaves can be told from what is still being made, by any daemon on any host.
 *
 * A part is a file without a name (it vanishes with its descriptors) where the file system has
 * such, otherwise, and where another program must find it by name, a file in a folder
 * `.lodge-part-HOST-PID-START-N` beside its target: the name says who makes it.
 *
 * Neighbours: create.c, copy.c, transfer.c make parts; pool/ and the daemon call image_parts_clean(). */
#pragma once

#include <glib.h>

#define IMAGE_PART_PREFIX ".lodge-part-"

/* When what was made is on the disk. */
typedef enum ImageFlush {
	IMAGE_FLUSH_FIRST,  /* before it has its name, and the name once the call has returned */
	IMAGE_FLUSH_BEHIND, /* soon after. A power cut in between takes a small image as if it had never been
			     * made; of a large one it may take what was not written yet, as with cp. Where
			     * only flushing says whether there is room (network): as _FIRST */
} ImageFlush;

typedef struct ImagePart {
	char *path;   /* what it will be */
	char *folder; /* the part's own folder, NULL for a nameless file */
	char *temp;   /* its present name below .folder (last component as that of .path), or NULL */
	int fd;	      /* open for reading and writing, or -1: a named part that is not opened yet */
} ImagePart;

/* Begins a part of @path; an existing @path is refused with EXISTS. With @named a folder is made and
 * no file yet (fd is -1): some program will make .temp. Otherwise .fd is open, mode 0600. The caller
 * ends it with image_part_finish() or image_part_clear(). Any thread. */
gboolean image_part_begin(const char *path, gboolean named, ImagePart *part, GError **error);

/* Gives it its name, and flushes data, name and folder as @flush says. EXISTS where somebody took the
 * name meanwhile; @replace takes it from him. Ends the part, also on failure. */
gboolean image_part_finish(ImagePart *part, gboolean replace, ImageFlush flush, GError **error);

/* Drops what was made, if anything is. */
void image_part_clear(ImagePart *part);

/* Removes the parts in @folder whose maker is gone; those of other hosts, and leases that were never taken,
 * once nothing was written into them for a day. Returns how many went. Any thread. */
guint image_parts_clean(const char *folder);

/* Whether @name (without its folder) is a part: lists leave it out. */
gboolean image_is_part(const char *name);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImagePart, image_part_clear)

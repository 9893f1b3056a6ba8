/* Copies disk images as fast as the disk goes: by reflink where the file system can, else inside the
 * kernel, holes kept; into another format by qemu-img.
 *
 * The copy gets its name once it is whole and on the disk. A failure or cancel leaves nothing; what a
 * crash leaves is removed by image_parts_clean().
 *
 * Neighbours: part.h, tool.h; pool/ clones volumes with it. */
#pragma once

#include "image/create.h"

typedef enum ImageReflink { IMAGE_REFLINK_AUTO, IMAGE_REFLINK_ALWAYS, IMAGE_REFLINK_NEVER } ImageReflink;

typedef struct ImageCopy {
	const char *from;
	ImageFormat from_format;	/* must be said: it is never guessed */
	const ImageSecret *from_secret; /* where it is encrypted */
	/* What the copy is to be: path, format (0: that of .from), size (0: that of .from, else at least
	 * that), options. With .backing the copy holds only what differs from that. Its .work is the
	 * copy's. */
	ImageCreate to;
	ImageReflink reflink;
	gboolean compressed; /* qcow2 */
	gboolean replace;    /* an existing .to.path is replaced, at the end */
	gboolean device;     /* .to.path is a device (or file) that is there, large enough, and is
			      * overwritten: a failure leaves it half written */
} ImageCopy;

/* Copies. Where format and options stay the same and nothing is below .from, bytes are copied as they
 * are; otherwise the guest's view of it is converted, backing images included. IN_USE where another
 * process writes to .from (the message names it), ABORTED, NO_SPACE, UNSUPPORTED (reflink ALWAYS).
 * Any thread; blocks as long as it takes. */
gboolean image_copy(const ImageCopy *how, GError **error);

/* Copies @length bytes of one open file into another, from and to the offsets given, keeping holes
 * (the target must read as zeros there: be new, or have been cleared). @flush is what the caller does
 * afterwards: before a flush the disk begins to write while it is copied. @work may be NULL. errno's meaning
 * is in @error, without names. Any thread. */
gboolean image_copy_range(int from, guint64 from_offset, int to, guint64 to_offset, guint64 length,
			  ImageFlush flush, const ImageWork *work, GError **error);

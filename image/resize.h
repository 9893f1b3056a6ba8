/* Changes the size of a disk image that no guest uses. (Of a running guest's disk the engine is
 * asked, so that the guest sees it.) Neighbours: lock.h refuses what is in use; tool.h. */
#pragma once

#include "image/create.h"

typedef struct ImageResize {
	const char *path;
	ImageFormat format; /* must be said */
	guint64 size;	    /* bytes of the disk inside, from now on */
	gboolean shrink;    /* may become smaller: what lies beyond is lost */
	ImagePrealloc preallocation; /* of what is added; 0: OFF */
	const ImageSecret *secret;   /* of an encrypted qcow2; LUKS by itself needs none */
	const ImageWork *work;	     /* may be NULL */
} ImageResize;

/* IN_USE names who has it open; INVALID for a smaller size without .shrink, snapshots
 * in the way, a missing secret, or a format that cannot.
 * Any thread; blocks on the disk. */
gboolean image_resize(const ImageResize *how, GError **error);

/* Makes disk images of every format. A plain raw or qcow2 image, linked or not, is written here, in a
 * fraction of the time that starting qemu-img takes; the rest is qemu-img's.
 *
 * An existing file is never touched, and neither a failure nor a crash leaves half an image.
 *
 * Neighbours: part.h gives names late; qcow2_write.h has the header; tool.h runs qemu-img; overlay.h
 * is this for linked images in one line; pool/ and ops/ are the callers. */
#pragma once

#include "image/format.h"
#include "image/part.h"
#include "image/tool.h"

typedef enum ImagePrealloc { /* QEMU's words, see image_preallocs */
			     IMAGE_PREALLOC_OFF = 1,
			     IMAGE_PREALLOC_METADATA, /* qcow2: tables, no data */
			     IMAGE_PREALLOC_FALLOC,   /* space is reserved, nothing is written */
			     IMAGE_PREALLOC_FULL,     /* zeros are written */
} ImagePrealloc;
extern const EnumTable image_preallocs;

/* An image to be. Members that are 0 or NULL mean the format's default. */
typedef struct ImageCreate {
	const char *path;
	ImageFormat format;	    /* must be said */
	guint64 size;		    /* bytes; 0: the backing image's */
	const char *backing;	    /* relative names start at the folder of .path, and are kept so */
	ImageFormat backing_format; /* must be said where .backing is */
	ImagePrealloc preallocation;
	guint64 cluster_size;	    /* qcow2: 512 to 2 MiB, a power of two */
	guint compat;		    /* qcow2: 2 for "0.10", 3 for "1.1" */
	gboolean lazy_refcounts;    /* qcow2 */
	gboolean extended_l2;	    /* qcow2 */
	const ImageSecret *secret;  /* luks, or qcow2 encrypted by LUKS; NULL: plain */
	const char *options;	    /* more for qemu-img's -o: "subformat=streamOptimized"; or NULL */
	ImageFlush flush;	    /* see part.h */
	mode_t mode;		    /* of the file; 0: 0600 */
	const ImageWork *work;	    /* progress and cancel; may be NULL */
} ImageCreate;

/* Makes it. EXISTS where the file is there, INVALID where it cannot be (the message says which option),
 * NO_SPACE, UNSUPPORTED. The backing image is looked at, with what is below it, by the header alone.
 * Any thread; blocks on the disk. */
gboolean image_make(const ImageCreate *how, GError **error);

/* ---- for the files beside this one ---- */

/* What -o of qemu-img takes for @how, its secret being "lodge"; the caller frees it. */
char *image_create_options(const ImageCreate *how);
/* The words behind --object for an ImageTool with a secret ("lodge"), and one with that of what is read
 * ("lodgefrom"). */
extern const char image_secret_object[], image_from_secret_object[];

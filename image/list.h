/* The images in a folder, as verbs show them: everything comes from the headers and from the
 * records beside them; no file is trusted.
 *
 * Neighbours: format.h, qcow2.h and build.h do the reading; ops/ returns the list. */
#pragma once

#include "image/format.h"
#include "shape/shape.h"

#define IMAGE_LIST_MAX 10000 /* entries of a folder; more are not looked at */

typedef struct ImageInfo {
	ShapeHead head;
	char *name;    /* file name without .qcow2: what `run --image` takes */
	int format;    /* ImageFormat */
	OptUint size;  /* bytes that the guest sees; absent where the header does not tell */
	OptUint used;  /* bytes on the host's disk */
	char *backing; /* as the header names it */
	char *os;      /* of the image or of its backing file, from the record; or NULL */
	char *login;   /* how a person logs in, from the record; or NULL */
	char *built;   /* ISO 8601, from the record; or NULL */
	char *path;
} ImageInfo;

typedef struct ImageList {
	ShapeHead head;
	GPtrArray *images; /* ImageInfo, by name */
} ImageList;

extern const Shape image_info_shape;
extern const Shape image_list_shape;

/* Fills @list (zeroed before, of image_list_shape) with the images in @folder. A file that cannot
 * be read is noted in @notes (may be NULL) and left out. A folder that is not there is empty. Any
 * thread; blocks on the disk. */
gboolean image_list(const char *folder, ImageList *list, Notes *notes, GError **error);

/* The file that a user means by @name: a path (with a slash) as it stands; otherwise NAME.qcow2 or
 * NAME in @folder. The caller frees it; NULL with NOT_FOUND. Any thread. */
char *image_find(const char *folder, const char *name, GError **error);

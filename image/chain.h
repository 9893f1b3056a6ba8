/* Follows backing files: which files together make up one disk.
 *
 * Formats come from the headers that say them, never from guesses about a disk that a guest can
 * write; names that are not files of this host are refused. What a chain names, the daemon opens
 * and hands to QEMU, so nothing here trusts more than it must.
 *
 * Neighbours: qcow2.h reads the headers; overlay.h makes links of a chain. */
#pragma once

#include "image/format.h"

#define IMAGE_CHAIN_MAX 200

typedef struct ImageLink {
	char *path; /* as named, absolute where the name in the header was relative */
	ImageFormat format;
	OptUint size;	    /* bytes that the guest sees */
	char *data_file;    /* holds the data of this link, or NULL */
	gboolean encrypted; /* needs a secret */
} ImageLink;

/* The links of the disk @path, the top first: an array of ImageLink that the caller owns. @format
 * is the format of the top; 0 guesses it, for images that a user names. An error names every file
 * that it is about. Any thread; blocks on the disk. */
GPtrArray *image_chain(const char *path, ImageFormat format, GError **error);

/* @name as it stands in the header of @image -> the path of a file: relative names start at the
 * folder of @image. Names of other kinds (nbd://, json:) are refused; @what is "backing file" or
 * "data file". The caller frees it; NULL on failure. Any thread. */
char *image_resolve(const char *image, const char *name, const char *what, GError **error);

/* Brings images in from elsewhere: a file of this host, or an address (http, https), which curl
 * fetches. What was fetched so far stays beside the target as .NAME.part and is gone on with by the next
 * import of the same name; a checksum that does not fit removes it.
 *
 * An image comes from a stranger: its format is told by its header alone, and one that leads to other
 * files is refused. Neighbours: catalog.h knows addresses; ops/image_import.c has the verbs. */
#pragma once

#include "image/format.h"
#include "image/tool.h"

typedef struct ImageImport {
	const char *from;     /* an absolute path, or an address */
	const char *folder;   /* where it goes; exists */
	const char *name;     /* of the image, without a suffix; NULL: from .from */
	const char *checksum; /* "sha256:HEX", "sha512:HEX", or only HEX; NULL: none */
	/* A file at the source's own place that lists checksums (SHA256SUMS); NULL: none. */
	const char *checksum_from;
	const ImageWork *work; /* may be NULL */
} ImageImport;

typedef struct ImageImported {
	char *path, *name; /* the caller's */
	ImageFormat format;
	OptUint size;
	gboolean verified;
} ImageImported;

/* Imports it. EXISTS where the name is taken, INVALID where it is no image, or not the one that the
 * checksum is of, ABORTED, NO_SPACE, UNSUPPORTED where curl is missing. Blocks; not on the main
 * loop. @result is untouched on failure. */
gboolean image_import(const ImageImport *how, ImageImported *result, GError **error);

/* The checksum of the file @name in the list @text, as hexadecimal digits: lines `HEX  NAME`,
 * `HEX *NAME`, `ALGORITHM (NAME) = HEX`, or the digits alone. With @name NULL that of the only line, whatever
 * it names. NULL: none. The caller frees it. */
char *image_checksum_in(const char *text, const char *name);

/* What a server said of a file that is fetched in parts: the headers of its answer, as curl writes them
 * down beside the part (`.NAME.part.head`). They tell whether what it has now is still the same file.
 * Neighbours: import.c alone uses it. */
#pragma once

#include <glib.h>

#define IMPORT_HEAD_SUFFIX ".part.head"

typedef struct ImportHead {
	guint64 length;	 /* bytes of the whole file; 0: not said */
	char *validator; /* strong ETag, else the time of its last change, for If-Range; NULL: not said */
} ImportHead;

/* Of the last answer in @text (redirects come before it). All is a stranger's. */
void import_head_parse(const char *text, ImportHead *head);
/* The same of a file; nothing is said where it cannot be read. */
void import_head_read(const char *path, ImportHead *head);
void import_head_clear(ImportHead *head);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImportHead, import_head_clear)

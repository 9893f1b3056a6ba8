/* Notes: what a verb wants to tell its caller besides the result, such as "machine type X is not
 * known here: Y is used". They travel with the call and reach the user as warnings.
 * Not thread-safe: a Notes belongs to one call, which is on one thread at a time. */
#pragma once

#include <glib.h>

typedef struct Notes {
	GPtrArray *lines; /* char *; NULL until the first */
} Notes;

/* Adds a line; nothing happens where @notes is NULL. A line that stands already is not repeated. */
void notes_add(Notes *notes, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Count of lines; 0 for NULL. */
guint notes_count(const Notes *notes);

/* Line @i, owned by @notes. */
const char *notes_get(const Notes *notes, guint i);

/* Frees the lines, not the struct. */
void notes_clear(Notes *notes);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Notes, notes_clear)

/* The <metadata> of a guest: elements of other programs, one for each XML namespace.
 * Neighbours: guest.h keeps the text. Any thread. */
#pragma once

#include <glib.h>

/* The element of the namespace @uri in @metadata (a <metadata> element as text, may be NULL), as text
 * without the namespace's declaration of a prefix that it does not need; the caller frees it. NULL with
 * NOT_FOUND where there is none. */
char *metadata_get(const char *metadata, const char *uri, GError **error);

/* Puts @xml (one element; NULL: none) in the place of the element of @uri, under the prefix @key. Frees
 * and replaces *metadata, which becomes NULL where nothing is left. On failure nothing changes. */
gboolean metadata_set(char **metadata, const char *key, const char *uri, const char *xml,
		      GError **error);

/* Files that are whole or not there: written to a temporary name, flushed, renamed.
 * Neighbours: definitions.h and core/'s run state write with it; nothing else writes such files. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef enum StoreDurability {
	STORE_DURABLE, /* survives a power cut once the call returned */
	STORE_CACHE,   /* survives the process, not a power cut: run state and caches */
} StoreDurability;

/* Replaces or makes @path with @mode. On failure the old content stands and no temporary file is
 * left. Blocks; any thread, but one writer per path. */
gboolean store_write(const char *path, const char *data, gsize length, mode_t mode,
		     StoreDurability durability, GError **error);

/* The content of a regular file of at most @limit bytes, NUL added, owned by the caller; NULL with
 * NOT_FOUND, DENIED, INVALID (too large, not a file). Any thread. */
char *store_read(const char *path, gsize limit, gsize *length, GError **error);

/* Removes @path durably; a file that is not there is a success. */
gboolean store_remove(const char *path, GError **error);

/* Renames durably; refuses to replace (EXISTS). */
gboolean store_rename(const char *from, const char *to, GError **error);

/* Removes @folder and all below it, following no links. What is not there is a success. */
gboolean store_remove_tree(const char *folder, GError **error);

/* Files that are whole or not there: written to a temporary name, flushed, renamed.
 * Neighbours: store/, the run state of core/ and the NVRAM of engine/ are written with it. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef enum FileDurability {
	FILE_DURABLE, /* survives a power cut once the call returned */
	FILE_CACHE,   /* survives the process, not a power cut: run state and caches */
} FileDurability;

/* Replaces or makes @path with @mode. On failure the old content stands and no temporary file is
 * left. Blocks; any thread, but one writer per path. */
gboolean file_write(const char *path, const char *data, gsize length, mode_t mode,
		    FileDurability durability, GError **error);

/* Removes what file_write() had begun in @folder when its process died. Nobody may be writing there. */
void file_sweep(const char *folder);

/* Whether flushing the open file @fd makes a name that it has just got durable too, so that its folder need
 * not be flushed. Any thread. */
gboolean file_flush_takes_name(int fd);

/* The content of a regular file of at most @limit bytes, NUL added, owned by the caller; NULL with
 * NOT_FOUND, DENIED, INVALID (too large, not a file). Any thread. */
char *file_read(const char *path, gsize limit, gsize *length, GError **error);

/* Removes @path durably; a file that is not there is a success. */
gboolean file_remove(const char *path, GError **error);

/* Makes the link @path to @target durably; one that is there already is a success. */
gboolean file_link(const char *target, const char *path, GError **error);

/* Renames durably; refuses to replace (EXISTS). */
gboolean file_rename(const char *from, const char *to, GError **error);

/* Removes @folder and all below it, following no links. What is not there is a success. */
gboolean file_remove_tree(const char *folder, GError **error);

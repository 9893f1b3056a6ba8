/* Volumes that are files of a folder: found, described, made by their names. Headers are read within
 * bounds; what they name is never opened here.
 * Neighbours: dir.c, fs.c and netfs.c are such pools; pool.h is the room's face. */
#pragma once

#include <sys/stat.h>

#include "pool/pool.h"

/* What @name in the folder @dirfd (whose path is @folder) is as a volume. @known is what was known of it:
 * taken again where the file is the same; may be NULL. NULL: no volume, or gone. */
PoolVolume *pool_file_read(int dirfd, const char *folder, const char *name, PoolVolume *known);
/* Reads the whole folder; takes from @state what has not changed. */
gboolean pool_files_scan(const char *folder, PoolState *state, GPtrArray *volumes, PoolSizes *sizes,
			 GError **error);
/* Reads those of @names (char *) anew into @state, and the sizes. */
gboolean pool_files_update(const char *folder, PoolState *state, GPtrArray *names, GError **error);
/* Of the file system at @folder. */
gboolean pool_files_sizes(const char *folder, PoolSizes *sizes, GError **error);
/* Keeps in @state what the pool's folder @path is now, by @st: for one that did not change that is no
 * system call. */
void pool_files_see_folder(PoolState *state, const char *path, const struct stat *st);
/* The label that SELinux gives @path; "" where there is none. Follows links. */
void pool_label_of(const char *path, char label[static POOL_LABEL_MAX]);
/* What a document says of them; the caller owns it. @mode may have the type in it. */
StoragePermissions *pool_permissions(guint mode, guint owner, guint group, const char *label);
/* Whether a folder's entry of that name can be a volume: no temporary file of ours, no control
 * characters. */
gboolean pool_file_name_counts(const char *name);
/* Makes the folder with its parents, and gives it the permissions that the pool wants. */
gboolean pool_folder_make(const Pool *pool, GError **error);
/* Owner, group and mode of what @fd has open; @path for messages. @permissions may be NULL. */
gboolean pool_apply_permissions(int fd, const char *path, const StoragePermissions *permissions,
				GError **error);

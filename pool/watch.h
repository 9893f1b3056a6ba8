/* Watches a folder for files that come, go or were written (inotify), so that it need not be read again.
 * A burst is bounded: beyond WATCH_NAMES names that were not taken yet, all is said to have changed.
 * Neighbours: core/pools.c updates what changed; files.c reads it. */
#pragma once

#include <glib.h>
#include <sys/stat.h>

#define WATCH_NAMES 4096

typedef struct PoolWatch PoolWatch;

/* Watches @folder. Once something has happened @changed(@data) is called, on the main loop's thread, and
 * not again until pool_watch_take(). NULL where the folder cannot be watched, or is on a file system that
 * others change too: then only reading it tells, and @data stays the caller's. Any thread. */
PoolWatch *pool_watch_new(const char *folder, void (*changed)(gpointer data), gpointer data,
			  GDestroyNotify free_data);
/* Whether @folder is still what is watched: neither moved, nor has something been mounted over it. Then
 * @st is what it is. Any thread; asks the disk. */
gboolean pool_watch_is_of(const PoolWatch *watch, const char *folder, struct stat *st);
/* Ends it: @changed is not called any more once this has returned on the main loop's thread; elsewhere it
 * may just be running. @free_data(@data) is called after that. NULL is fine. */
void pool_watch_free(PoolWatch *watch);
/* What has happened so far: names (char *), freed by the caller; *all where too much happened, and the
 * folder must be read. FALSE where the folder itself has gone. Any thread, one at a time. */
gboolean pool_watch_take(PoolWatch *watch, GPtrArray **names, gboolean *all);

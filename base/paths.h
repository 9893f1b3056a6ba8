/* Where one daemon keeps its things. Everything below one folder where a root was given
 * (`--root DIR`), so that many daemons live side by side; the system's folders for root; XDG folders
 * for a person. The command line uses the same rules to find the socket.
 *
 * Neighbours: daemon/ makes the folders, store/, core/ and image/ use them, cli/ finds the socket. */
#pragma once

#include <glib.h>

typedef struct Paths {
	char *root;   /* absolute path of --root, NULL for the system's or a person's daemon */
	char *etc;    /* configuration and definitions */
	char *lib;    /* state that survives a reboot */
	char *run;    /* sockets, pids, run state */
	char *log;    /* the daemon's log and QEMU's */
	char *images; /* disks of guests and images built here */
	char *socket; /* run + "/lodge.sock" */
} Paths;

/* The folders of @root, or with @root NULL those of the calling user. Nothing is created. The caller
 * owns the result (paths_free). Any thread. */
Paths *paths_new(const char *root);
Paths *paths_copy(const Paths *paths);
void paths_free(Paths *paths);

/* Makes every folder (mode 0711 where root runs the daemon, so that QEMU under its own user can
 * pass through; 0700 otherwise). Any thread; blocks on the disk. */
gboolean paths_make(const Paths *paths, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Paths, paths_free)

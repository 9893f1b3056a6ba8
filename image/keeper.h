/* Keeps leases (lease.h) by a process of its own, `lodge lease-keeper`, for as long as a guest's QEMU or a
 * tool lives: guests outlive the daemon, and so must what shows other hosts that they live.
 *
 * The keeper takes the leases, answers, and touches them every LEASE_BEAT seconds. Where the server cannot be
 * reached for LEASE_EXPIRES - 20 seconds it stops the process (SIGSTOP), and lets it go on once a lease was
 * touched again and is still ours; where another host has taken over by then, it ends the process. When that
 * is gone, the leases go, too.
 *
 * Neighbours: engine/ has one for each guest with images on a shared file system, core/ one for work on
 * volumes; cli/ for tools. */
#pragma once

#include "base/notes.h"

typedef struct ImageKeeper ImageKeeper;

/* A process that has the leases of @images (char *, those of shared file systems; others are skipped) for
 * @holder: `guest "web1"`. *keeper is NULL where none needs one. Where a folder cannot be written @notes
 * (may be NULL) say that, and the image goes without. @log (0: nobody) gets what it says later. IN_USE names
 * who has an image. Blocks; not on the main loop. */
gboolean image_keeper_start(const GPtrArray *images, const char *holder, int log, ImageKeeper **keeper,
			    Notes *notes, GError **error);
/* From now on the leases are kept until the process @pid has ended; NULL is fine. */
gboolean image_keeper_bind(ImageKeeper *keeper, pid_t pid, GError **error);
/* Forgets it; where it was not bound the leases are given up, which is waited for. NULL is fine. */
void image_keeper_free(ImageKeeper *keeper);

/* The keeper itself: words are HOLDER IMAGE ...; its standard input and output belong to who started it.
 * Returns the exit code. */
int image_keeper_main(int argc, char *const *argv);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageKeeper, image_keeper_free)

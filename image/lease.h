/* Leases: who writes an image on a shared file system, where locks may not reach from one host to another. A
 * lease is the file .NAME.lease in the image's folder, one small JSON object that names host, process and
 * user. Whoever writes the image keeps it, and shows that he lives by touching it (image_lease_beat()).
 *
 * Taking one over: on the same host, since the same boot, once the process that keeps it has ended; from
 * another host once it was not touched for LEASE_EXPIRES seconds. Ages are told by the file server's clock
 * alone. link(2) decides between two who come at once, rename(2) between two who take over.
 *
 * Locks (lock.h) are taken beside it, as everywhere. Neighbours: keeper.h keeps leases for as long as a
 * process lives. */
#pragma once

#include <glib.h>

#define LEASE_BEAT 10	 /* seconds between two beats */
#define LEASE_EXPIRES 60 /* seconds without one */

typedef struct ImageLease ImageLease;

/* Whether @image lies on a file system that other hosts may have, too: NFS, CIFS, Ceph, FUSE and their kind.
 * One system call; any thread. */
gboolean image_lease_needed(const char *image);

/* Takes the lease of @image for @holder, who is named in messages: `guest "web1"`. IN_USE names who has it,
 * and when it may be had. A holder of this host that is just ending is waited for, up to 3 s. Other errors:
 * the folder cannot be written. The caller frees it with image_lease_drop(). Any thread; blocks. */
ImageLease *image_lease_take(const char *image, const char *holder, GError **error);

typedef enum LeaseBeat {
	LEASE_KEPT = 1,
	LEASE_LATE, /* the file system did not let it be touched */
	LEASE_LOST, /* another has it now */
} LeaseBeat;
/* Shows that its holder lives. One that was removed is made again. Any thread, one at a time. */
LeaseBeat image_lease_beat(ImageLease *lease);

/* Removes it where it is still ours, and frees it; NULL is fine. */
void image_lease_drop(ImageLease *lease);

/* Whether nobody has the lease of @image; IN_USE as above. Asks only. Any thread; blocks on the disk. */
gboolean image_lease_check(const char *image, GError **error);

/* Whether a file of that name is a lease, or one that is being taken; or only the latter, which is there for
 * moments, unless its maker was killed. */
gboolean image_is_lease(const char *name);
gboolean image_is_lease_candidate(const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageLease, image_lease_drop)

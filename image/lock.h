/* Who uses an image: QEMU marks what it does with one by locks on single bytes of the file, and
 * so do we. They are OFD locks, which also NFS servers keep, so that two daemons, two hosts, a guest
 * and `lodge image` never write one image at once.
 *
 * The bytes (block/file-posix.c of QEMU): 100 + n is locked, shared, by who does what permission n is
 * for; 200 + n by who does not let others do it. Permissions: 0 read consistent data, 1 write,
 * 2 write without changing, 3 resize.
 *
 * Neighbours: create, copy, resize, wipe, transfer take locks; engine/ asks before a guest starts. */
#pragma once

#include <glib.h>

typedef enum ImageUse {
	IMAGE_USE_READ,	 /* reads; nobody may write meanwhile */
	IMAGE_USE_WRITE, /* writes; nobody else may read or write */
	IMAGE_USE_GUEST, /* as a running guest: writes; who said so may read */
} ImageUse;

/* Locks the open image @fd for @use, for as long as @fd (and its copies) are open, against QEMU and
 * against us. IN_USE with who holds it: `image "x" is being written by guest "web1" (qemu-system-x86_64,
 * process 4711)`. File systems without locks are let pass. @name is for messages. Any thread. */
gboolean image_lock(int fd, const char *name, ImageUse use, GError **error);

/* Ends image_lock() before @fd is closed. Any thread. */
void image_unlock(int fd);

/* As image_lock(), but only asks, and leaves no lock. */
gboolean image_lock_check(int fd, const char *name, ImageUse use, GError **error);

/* As image_lock_check() for a path; what is not there or cannot be opened is free. */
gboolean image_lock_check_path(const char *path, ImageUse use, GError **error);

/* Who has locks on the file @fd: `guest "web1" (qemu-system-x86_64, process 4711)`, or `process 12
 * (qemu-img)`, or NULL where nobody that we may see has. The caller frees it. Walks /proc: for
 * messages only. Any thread. */
char *image_lock_holder(int fd);

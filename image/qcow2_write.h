/* Writes the first clusters of a qcow2 image in which nothing is allocated yet: what `qemu-img create`
 * writes, without starting it. Neighbours: create.c is the caller; qcow2.h reads what is written. */
#pragma once

#include <glib.h>

typedef struct Qcow2New {
	guint64 size;	       /* bytes of the disk, a multiple of 512 */
	guint cluster_bits;    /* 9 to 21; 0: 16 */
	guint version;	       /* 2 or 3; 0: 3 */
	gboolean lazy_refcounts, extended_l2; /* version 3 alone; extended_l2 needs cluster_bits >= 14 */
	const char *backing;   /* at most 1023 bytes, or NULL */
	const char *backing_format;
} Qcow2New;

/* Whether such an image can be written here: INVALID says why not, without naming the image. */
gboolean qcow2_new_check(const Qcow2New *image, GError **error);

/* Writes it into the empty file @fd. FALSE with errno. Any thread; blocks on the disk. */
gboolean qcow2_new_write(int fd, const Qcow2New *image);

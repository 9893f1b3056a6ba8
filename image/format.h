/* Which format a disk image has, how large the disk inside is and what it takes on the host, from
 * the first and last bytes of the file alone.
 *
 * A guest can write any bytes into a raw disk, also those of another format's header. So guessing
 * is for images that our own user names, and for lists; the disk of a guest has the format that its
 * definition says.
 *
 * Neighbours: qcow2.h reads that header in full; chain.h follows backing files. */
#pragma once

#include "base/enums.h"
#include "base/opt.h"

typedef enum ImageFormat { /* QEMU's names of the drivers, see image_formats */
			   IMAGE_RAW = 1,
			   IMAGE_QCOW2,
			   IMAGE_QCOW,
			   IMAGE_VMDK,
			   IMAGE_VDI,
			   IMAGE_VHDX,
			   IMAGE_VPC,
			   IMAGE_LUKS,
} ImageFormat;
extern const EnumTable image_formats;

typedef struct ImageFacts {
	ImageFormat format;
	OptUint size;	   /* bytes that the guest sees; absent where the header does not tell */
	guint64 allocated; /* bytes that the file takes on the host's disk */
} ImageFacts;

/* Opens @path for reading, close-on-exec, if it is a file or a block device; anything else is
 * refused without waiting for it. Returns -1 on failure. Any thread; blocks on the disk. */
int image_open(const char *path, GError **error);

/* As pread(), but goes on after short reads; returns the bytes read (less than @length only at the
 * end of the file) or -1 with errno. */
gssize image_read_at(int fd, void *buffer, gsize length, guint64 offset);

/* Guesses the format of the open image; what nothing else claims is raw. Reads at most a few
 * sectors. @name is for messages. Any thread; blocks on the disk. */
gboolean image_probe(int fd, const char *name, ImageFacts *facts, GError **error);

/* Only the format; 0 on failure. */
ImageFormat image_probe_format(int fd, const char *name, GError **error);

/* What the header of a disk image says, of every format that we know: enough for a list of thousands
 * of volumes without starting a program. A bounded reader of bytes that a stranger may have made: it
 * reads a few kilobytes, allocates little, follows nothing.
 *
 * Neighbours: format.h guesses formats by their magic; qcow2.h has more of that one format; chain.h
 * follows the names that stand here; pool/ lists volumes with it. */
#pragma once

#include "image/format.h"

typedef enum ImageCrypt { IMAGE_CRYPT_NONE, IMAGE_CRYPT_AES, IMAGE_CRYPT_LUKS } ImageCrypt;

/* Strings are as they stand there: bytes of a stranger, without zero bytes. */
typedef struct ImageHeader {
	ImageFormat format;
	OptUint capacity;      /* bytes that the guest sees; absent where the header does not tell */
	guint64 physical;      /* length of the file or device */
	guint64 allocated;     /* bytes that the file takes on the host's disk */
	guint64 cluster_size;  /* bytes in which space is taken; 0: the format has none */
	char *backing;	       /* name of the image below, or NULL */
	char *backing_format;  /* NULL where not said */
	char *data_file;       /* holds the data of a qcow2 image, or NULL */
	GPtrArray *extents;    /* char *: other files that a VMDK is made of; NULL: none */
	ImageCrypt crypt;      /* needs a secret */
	guint compat;	       /* qcow2: 2 is "0.10", 3 is "1.1"; 0 otherwise */
	guint snapshots;       /* internal ones */
	gboolean lazy_refcounts, extended_l2, dirty, corrupt;
	gboolean differencing; /* VDI, VHDX, VPC: needs a parent that QEMU does not follow */
} ImageHeader;

/* Where header bytes come from. */
typedef struct ImageSource {
	/* As image_read_at(): less than @length only at the end; -1 with errno. */
	gssize (*read)(gpointer data, void *buffer, gsize length, guint64 offset);
	gpointer data;
	guint64 length; /* of the whole image */
} ImageSource;

/* Reads the header of the image @fd. @format is its format, which the bytes must then have; 0
 * guesses it, for lists and for images that a user names. @name is for messages. @header receives
 * what image_header_clear() frees; untouched on failure. INVALID where it cannot be such an image.
 * Any thread; blocks on the disk. */
gboolean image_header_read(int fd, const char *name, ImageFormat format, ImageHeader *header,
			   GError **error);

/* The same from any source; .physical is its length. Errors do not name the image. */
gboolean image_header_parse(const ImageSource *from, ImageFormat format, ImageHeader *header,
			    GError **error);

/* Opens @path (image_open()) and reads; FALSE also where it is no file or device. */
gboolean image_header_of(const char *path, ImageFormat format, ImageHeader *header, GError **error);

void image_header_clear(ImageHeader *header);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImageHeader, image_header_clear)

/* Reads the header of a qcow2 image (versions 2 and 3): a bounded reader of bytes that a stranger
 * may have made. Nothing beyond the first cluster is read.
 *
 * Neighbours: chain.h follows the backing file; overlay.h writes such headers. */
#pragma once

#include <glib.h>

/* Incompatible features: bits of Qcow2Header.incompatible. */
enum {
	QCOW2_DIRTY = 1 << 0,	    /* not closed well: refcounts may be wrong, QEMU repairs them */
	QCOW2_CORRUPT = 1 << 1,	    /* QEMU opens it for reading only */
	QCOW2_DATA_FILE = 1 << 2,   /* the guest's data is in another file */
	QCOW2_COMPRESSION = 1 << 3, /* compressed with something else than zlib */
	QCOW2_EXTENDED_L2 = 1 << 4,
};

typedef enum Qcow2Encryption { QCOW2_PLAIN, QCOW2_AES, QCOW2_LUKS } Qcow2Encryption;

typedef struct Qcow2Header {
	guint version;	      /* 2 or 3 */
	guint cluster_bits;   /* 9 to 21 */
	guint refcount_order; /* log2 of the bits of a refcount: 0 to 6 */
	guint64 size;	      /* bytes that the guest sees */
	guint snapshots;      /* count of internal snapshots */
	Qcow2Encryption encryption;
	guint64 incompatible, compatible, autoclear; /* feature bits */
	char *backing_file;			     /* as it stands there, or NULL */
	char *backing_format;			     /* NULL where not said */
	char *data_file;			     /* as it stands there, or NULL */
} Qcow2Header;

/* The largest first cluster: more bytes than this are never needed. */
#define QCOW2_HEADER_MAX (2u << 20)

/* Reads a header from @data, the first @length bytes of an image; all of the first cluster, if the
 * image has that many. @header receives strings that qcow2_header_clear() frees. Error INVALID says
 * what is wrong, without naming the image. Any thread. */
gboolean qcow2_parse(const guint8 *data, gsize length, Qcow2Header *header, GError **error);

/* Reads the header of an open image; @name is for messages. Any thread; blocks on the disk. */
gboolean qcow2_read(int fd, const char *name, Qcow2Header *header, GError **error);

void qcow2_header_clear(Qcow2Header *header);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Qcow2Header, qcow2_header_clear)

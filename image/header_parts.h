/* The readers of single formats; the private half of header.h. Each gets the image's first bytes (zeros
 * behind a shorter image) and may read more from the source; it fills what its header tells. */
#pragma once

#include "image/header.h"

#define HEADER_START 1024 /* what follows is asked for where it is needed */

typedef struct HeaderIn {
	const ImageSource *from;
	const guint8 *start; /* HEADER_START bytes */
	gsize length;	     /* of them that are the image's */
} HeaderIn;

typedef gboolean (*HeaderReader)(const HeaderIn *in, ImageHeader *header, GError **error);

gboolean header_qcow2(const HeaderIn *in, ImageHeader *header, GError **error); /* header_qcow.c */
gboolean header_qcow(const HeaderIn *in, ImageHeader *header, GError **error);
gboolean header_vmdk(const HeaderIn *in, ImageHeader *header, GError **error); /* header_vmdk.c */
gboolean header_vdi(const HeaderIn *in, ImageHeader *header, GError **error);	/* header_vm.c */
gboolean header_vpc(const HeaderIn *in, ImageHeader *header, GError **error);
gboolean header_vhdx(const HeaderIn *in, ImageHeader *header, GError **error);
gboolean header_luks(const HeaderIn *in, ImageHeader *header, GError **error);

/* Exactly @length bytes at @offset; INVALID where the image ends before, SYSTEM where it cannot be read. */
gboolean header_more(const HeaderIn *in, void *buffer, gsize length, guint64 offset, GError **error);

static inline guint64 header_number(const guint8 *at, guint bytes, gboolean big)
{
	guint64 value = 0;
	for (guint i = 0; i < bytes; i++)
		value |= (guint64)at[i] << (8 * (big ? bytes - 1 - i : i));
	return value;
}

#define BE16(at) ((guint16)header_number(at, 2, TRUE))
#define BE32(at) ((guint32)header_number(at, 4, TRUE))
#define BE64(at) header_number(at, 8, TRUE)
#define LE16(at) ((guint16)header_number(at, 2, FALSE))
#define LE32(at) ((guint32)header_number(at, 4, FALSE))
#define LE64(at) header_number(at, 8, FALSE)

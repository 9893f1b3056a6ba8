/* Headers of qcow2, read by qcow2.c, and of its forerunner qcow (block/qcow.c of QEMU). */
#include <string.h>

#include "base/error.h"
#include "image/header_parts.h"
#include "image/qcow2.h"

#define BACKING_NAME_MAX 1023
#define LAZY_REFCOUNTS 1 /* bit of the compatible features */

static void take_qcow2(Qcow2Header *from, ImageHeader *h)
{
	h->capacity = OPT_UINT(from->size);
	h->cluster_size = G_GUINT64_CONSTANT(1) << from->cluster_bits;
	h->compat = from->version;
	h->snapshots = from->snapshots;
	h->crypt = (ImageCrypt)from->encryption;
	h->lazy_refcounts = (from->compatible & LAZY_REFCOUNTS) != 0;
	h->extended_l2 = (from->incompatible & QCOW2_EXTENDED_L2) != 0;
	h->dirty = (from->incompatible & QCOW2_DIRTY) != 0;
	h->corrupt = (from->incompatible & QCOW2_CORRUPT) != 0;
	h->backing = g_steal_pointer(&from->backing_file);
	h->backing_format = g_steal_pointer(&from->backing_format);
	if (from->incompatible & QCOW2_DATA_FILE)
		h->data_file = from->data_file ? g_steal_pointer(&from->data_file) : g_strdup("");
}

/* Bytes that are certainly enough for the header: to the end of the backing file's name, or the first
 * page where extensions end there; the whole first cluster otherwise. */
static gsize header_length(const HeaderIn *in)
{
	guint64 cluster = G_GUINT64_CONSTANT(1) << CLAMP(BE32(in->start + 20), 9, 21);
	guint64 backing = BE64(in->start + 8), end = backing + BE32(in->start + 16);
	if (cluster <= in->length || (backing != 0 && backing < in->length && end <= in->length))
		return in->length;
	gsize at = BE32(in->start + 4) == 2 ? 72 : BE32(in->start + 100);
	while (backing == 0 && at + 8 <= in->length) {
		if (BE32(in->start + at) == 0)
			return in->length;
		guint64 size = ((guint64)BE32(in->start + at + 4) + 7) & ~(guint64)7;
		at += 8 + MIN(size, in->length);
	}
	return (gsize)MIN(cluster, in->from->length);
}

gboolean header_qcow2(const HeaderIn *in, ImageHeader *h, GError **error)
{
	g_auto(Qcow2Header) header = { 0 };
	gsize length = header_length(in);
	g_autofree guint8 *all = NULL;
	if (length > in->length) {
		all = g_malloc(length);
		if (!header_more(in, all, length, 0, error))
			return FALSE;
	}
	if (!qcow2_parse(all ? all : in->start, length, &header, error))
		return FALSE;
	take_qcow2(&header, h);
	return TRUE;
}

gboolean header_qcow(const HeaderIn *in, ImageHeader *h, GError **error)
{
	if (in->length < 48)
		return fail(error, LODGE_ERROR_INVALID, "its qcow header is cut off");
	guint64 backing = BE64(in->start + 8), size = BE64(in->start + 24);
	guint32 length = BE32(in->start + 16), crypt = BE32(in->start + 36);
	guint bits = in->start[32];
	if (size > G_MAXINT64 || bits < 9 || bits > 16)
		return fail(error, LODGE_ERROR_INVALID, "its size or cluster size is not possible");
	if (crypt > 1 || length > BACKING_NAME_MAX)
		return fail(error, LODGE_ERROR_INVALID,
			    "its encryption or the name of its backing file is not possible");
	h->capacity = OPT_UINT(size);
	h->cluster_size = G_GUINT64_CONSTANT(1) << bits;
	h->crypt = crypt ? IMAGE_CRYPT_AES : IMAGE_CRYPT_NONE;
	if (backing == 0 || length == 0)
		return TRUE;
	g_autofree char *name = g_malloc0(length + 1);
	if (!header_more(in, name, length, backing, error))
		return FALSE;
	if (strlen(name) != length)
		return fail(error, LODGE_ERROR_INVALID, "the name of its backing file has a zero byte");
	h->backing = g_steal_pointer(&name);
	return TRUE;
}

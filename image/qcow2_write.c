/* See qcow2_write.h; the format is described in QEMU's docs/interop/qcow2. The layout is what
 * `qemu-img create` makes:
 *
 *   cluster 0  header, extensions, name of the backing file
 *   1          refcount table
 *   2          refcount block: covers many more clusters than exist yet
 *   3 ...      L1 table, all zero: nothing is allocated
 *
 * With tiny clusters the L1 table of a large disk needs more than one refcount block: these follow
 * one another, and the refcount table may have more clusters, too. */
#include "image/qcow2_write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "image/qcow2.h"

#define MAGIC 0x514649fbu
#define LENGTH_V2 72
#define LENGTH_V3 112
#define BACKING_NAME_MAX 1023
#define EXT_BACKING_FORMAT 0xe2792acau
#define L1_MAX (32u << 20) /* QCOW_MAX_L1_SIZE of QEMU */
#define LAZY_REFCOUNTS 1   /* compatible feature */

/* Where everything lies, in clusters. */
typedef struct Layout {
	guint64 cluster;     /* bytes */
	guint64 l1_entries;
	guint64 l1;	     /* clusters of the L1 table */
	guint64 blocks;	     /* refcount blocks */
	guint64 table;	     /* clusters of the refcount table */
	guint64 total;
} Layout;

static guint64 div_up(guint64 n, guint64 by)
{
	return n / by + (n % by != 0);
}

static Layout lay_out(const Qcow2New *image)
{
	Layout l = { .cluster = G_GUINT64_CONSTANT(1) << (image->cluster_bits ? image->cluster_bits : 16) };
	guint64 l2_entries = l.cluster / (image->extended_l2 ? 16 : 8);
	l.l1_entries = div_up(image->size, l.cluster * l2_entries);
	l.l1 = MAX(1, div_up(l.l1_entries * 8, l.cluster));
	l.blocks = l.table = 1;
	for (guint i = 0; i < 8; i++) { /* each step adds less than the one before */
		l.total = 1 + l.table + l.blocks + l.l1;
		l.blocks = div_up(l.total, l.cluster / 2);
		l.table = div_up(l.blocks * 8, l.cluster);
	}
	l.total = 1 + l.table + l.blocks + l.l1;
	return l;
}

gboolean qcow2_new_check(const Qcow2New *image, GError **error)
{
	guint bits = image->cluster_bits ? image->cluster_bits : 16;
	if (bits < 9 || bits > 21)
		return fail(error, LODGE_ERROR_INVALID,
			    "a cluster size must be a power of two from 512 bytes to 2 MiB");
	if (image->version == 2 && (image->lazy_refcounts || image->extended_l2))
		return fail(error, LODGE_ERROR_INVALID, "%s needs compat 1.1",
			    image->lazy_refcounts ? "lazy_refcounts" : "extended_l2");
	if (image->extended_l2 && bits < 14)
		return fail(error, LODGE_ERROR_INVALID,
			    "extended_l2 needs clusters of at least 16 KiB");
	if (image->backing && strlen(image->backing) > BACKING_NAME_MAX)
		return fail(error, LODGE_ERROR_INVALID,
			    "the name of its backing file is longer than %d bytes", BACKING_NAME_MAX);
	gsize names = image->backing ? strlen(image->backing) + strlen(image->backing_format) + 8 : 0;
	if (LENGTH_V3 + 16 + names > G_GUINT64_CONSTANT(1) << bits)
		return fail(error, LODGE_ERROR_INVALID,
			    "the name of its backing file does not fit into one cluster");
	if (image->size > G_MAXINT64 || lay_out(image).l1_entries * 8 > L1_MAX)
		return fail_with(error, LODGE_ERROR_INVALID,
				 image->size > G_MAXINT64 ? LODGE_DETAIL_TOO_LARGE : LODGE_DETAIL_NONE,
				 "a disk of %" G_GUINT64_FORMAT " bytes cannot be made with clusters of %u "
				 "bytes; choose a larger cluster size", image->size, 1u << bits);
	return TRUE;
}

static void put32(GByteArray *out, guint32 value)
{
	guint32 be = GUINT32_TO_BE(value);
	g_byte_array_append(out, (const guint8 *)&be, sizeof be);
}

static void put64(GByteArray *out, guint64 value)
{
	guint64 be = GUINT64_TO_BE(value);
	g_byte_array_append(out, (const guint8 *)&be, sizeof be);
}

static void put_padded(GByteArray *out, const char *text)
{
	static const guint8 zeros[8];
	gsize length = strlen(text);
	g_byte_array_append(out, (const guint8 *)text, (guint)length);
	g_byte_array_append(out, zeros, (guint)(-length & 7));
}

/* What version 3 has behind version 2's header. */
static void put_features(GByteArray *h, const Qcow2New *image)
{
	put64(h, image->extended_l2 ? QCOW2_EXTENDED_L2 : 0);
	put64(h, image->lazy_refcounts ? LAZY_REFCOUNTS : 0);
	put64(h, 0); /* autoclear */
	put32(h, 4); /* refcounts of 2^4 bits */
	put32(h, LENGTH_V3);
	put64(h, 0); /* compression: zlib, and padding */
}

/* The first cluster's used part. */
static GByteArray *make_header(const Qcow2New *image, const Layout *l)
{
	GByteArray *h = g_byte_array_new();
	gboolean v2 = image->version == 2;
	const char *backing = image->backing, *format = image->backing_format;
	guint64 extensions = (backing ? 8 + ((strlen(format) + 7) & ~(gsize)7) : 0) + 8;
	put32(h, MAGIC);
	put32(h, v2 ? 2 : 3);
	put64(h, backing ? (v2 ? LENGTH_V2 : LENGTH_V3) + extensions : 0);
	put32(h, backing ? (guint32)strlen(backing) : 0);
	put32(h, image->cluster_bits ? image->cluster_bits : 16);
	put64(h, image->size);
	put32(h, 0); /* not encrypted */
	put32(h, (guint32)l->l1_entries);
	put64(h, (1 + l->table + l->blocks) * l->cluster);
	put64(h, l->cluster); /* refcount table */
	put32(h, (guint32)l->table);
	put32(h, 0); /* no snapshots */
	put64(h, 0);
	if (!v2)
		put_features(h, image);
	if (backing) {
		put32(h, EXT_BACKING_FORMAT);
		put32(h, (guint32)strlen(format));
		put_padded(h, format);
	}
	put64(h, 0); /* end of extensions */
	if (backing)
		g_byte_array_append(h, (const guint8 *)backing, (guint)strlen(backing));
	return h;
}

static gboolean write_at(int fd, const void *data, gsize length, guint64 offset)
{
	for (gsize done = 0; done < length;) {
		gssize n = pwrite(fd, (const char *)data + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return FALSE;
		done += n > 0 ? (gsize)n : 0;
	}
	return TRUE;
}

gboolean qcow2_new_write(int fd, const Qcow2New *image)
{
	Layout l = lay_out(image);
	g_autoptr(GByteArray) header = make_header(image, &l);
	g_autofree guint64 *table = g_new(guint64, l.blocks);
	for (guint64 i = 0; i < l.blocks; i++)
		table[i] = GUINT64_TO_BE((1 + l.table + i) * l.cluster);
	g_autofree guint16 *counts = g_new(guint16, l.total);
	for (guint64 i = 0; i < l.total; i++)
		counts[i] = GUINT16_TO_BE(1);
	return ftruncate(fd, (off_t)(l.total * l.cluster)) == 0 &&
	       write_at(fd, header->data, header->len, 0) &&
	       write_at(fd, table, l.blocks * sizeof *table, l.cluster) &&
	       write_at(fd, counts, l.total * sizeof *counts, (1 + l.table) * l.cluster);
}

/* The reader of qcow2 headers; see qcow2.h. The format is described in QEMU's docs/interop/qcow2.
 */
#include "image/qcow2.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "image/format.h"

#define MAGIC 0x514649fbu
#define LENGTH_V2 72
#define LENGTH_V3 104
#define BACKING_NAME_MAX 1023

enum { EXT_END = 0, EXT_BACKING_FORMAT = (int)0xe2792aca, EXT_DATA_FILE = 0x44415441 };

static guint32 be32(const guint8 *p)
{
	guint32 v;
	memcpy(&v, p, sizeof(v));
	return GUINT32_FROM_BE(v);
}

static guint64 be64(const guint8 *p)
{
	guint64 v;
	memcpy(&v, p, sizeof(v));
	return GUINT64_FROM_BE(v);
}

void qcow2_header_clear(Qcow2Header *header)
{
	g_free(header->backing_file);
	g_free(header->backing_format);
	g_free(header->data_file);
	memset(header, 0, sizeof(*header));
}

/* A name kept in the image, as text of ours: bytes that cannot be in a path are refused. */
static gboolean take_name(const guint8 *bytes, gsize length, const char *what, char **name,
			  GError **error)
{
	if (memchr(bytes, '\0', length))
		return fail(error, LODGE_ERROR_INVALID, "the name of its %s has a zero byte", what);
	g_free(*name);
	*name = g_strndup((const char *)bytes, length);
	return TRUE;
}

static gboolean read_fixed(const guint8 *data, gsize length, Qcow2Header *h, gsize *header_length,
			   GError **error)
{
	if (length < LENGTH_V2 || be32(data) != MAGIC)
		return fail(error, LODGE_ERROR_INVALID, "it has no qcow2 header");
	guint32 version = be32(data + 4), crypt = be32(data + 32);
	if (version != 2 && version != 3)
		return fail(error, LODGE_ERROR_INVALID, "its qcow2 version %u is not known",
			    version);
	h->version = version;
	h->cluster_bits = be32(data + 20);
	h->size = be64(data + 24);
	h->snapshots = be32(data + 60);
	h->refcount_order = 4;
	*header_length = LENGTH_V2;
	if (h->cluster_bits < 9 || h->cluster_bits > 21)
		return fail(error, LODGE_ERROR_INVALID, "its cluster size of 2^%u is not possible",
			    h->cluster_bits);
	if (h->size > G_MAXINT64)
		return fail(error, LODGE_ERROR_INVALID, "its size is not possible");
	if (crypt > QCOW2_LUKS)
		return fail(error, LODGE_ERROR_INVALID, "its encryption method %u is not known",
			    crypt);
	h->encryption = (Qcow2Encryption)crypt;
	if (version == 2)
		return TRUE;
	if (length < LENGTH_V3)
		return fail(error, LODGE_ERROR_INVALID, "its qcow2 header is cut off");
	h->incompatible = be64(data + 72);
	h->compatible = be64(data + 80);
	h->autoclear = be64(data + 88);
	h->refcount_order = be32(data + 96);
	*header_length = be32(data + 100);
	if (h->refcount_order > 6)
		return fail(error, LODGE_ERROR_INVALID, "its refcount width is not possible");
	if (*header_length < LENGTH_V3 || *header_length > (1u << h->cluster_bits))
		return fail(error, LODGE_ERROR_INVALID, "its header length is not possible");
	return TRUE;
}

/* The name of the backing file; @end receives where extensions must end. */
static gboolean read_backing(const guint8 *data, gsize length, Qcow2Header *h, gsize *end,
			     GError **error)
{
	guint64 offset = be64(data + 8);
	guint32 size = be32(data + 16);
	*end = MIN(length, (gsize)1 << h->cluster_bits);
	if (offset == 0 || size == 0)
		return TRUE;
	if (size > BACKING_NAME_MAX || offset > *end || size > *end - offset)
		return fail(error, LODGE_ERROR_INVALID,
			    "the name of its backing file is too long or outside of the header");
	if (!take_name(data + offset, size, "backing file", &h->backing_file, error))
		return FALSE;
	*end = (gsize)offset;
	return TRUE;
}

static gboolean read_extensions(const guint8 *data, gsize at, gsize end, Qcow2Header *h,
				GError **error)
{
	while (at + 8 <= end) {
		guint32 type = be32(data + at), size = be32(data + at + 4);
		if (type == EXT_END)
			return TRUE;
		at += 8;
		if (size > end - at)
			return fail(error, LODGE_ERROR_INVALID, "a header extension is cut off");
		if (type == (guint32)EXT_BACKING_FORMAT &&
		    !take_name(data + at, size, "backing format", &h->backing_format, error))
			return FALSE;
		if (type == EXT_DATA_FILE &&
		    !take_name(data + at, size, "data file", &h->data_file, error))
			return FALSE;
		at += ((gsize)size + 7) & ~(gsize)7;
	}
	return TRUE;
}

gboolean qcow2_parse(const guint8 *data, gsize length, Qcow2Header *header, GError **error)
{
	g_auto(Qcow2Header) h = { 0 };
	gsize start = 0, end = 0;
	if (!read_fixed(data, length, &h, &start, error) ||
	    !read_backing(data, length, &h, &end, error) ||
	    !read_extensions(data, start, end, &h, error))
		return FALSE;
	*header = h;
	h = (Qcow2Header){ 0 };
	return TRUE;
}

gboolean qcow2_read(int fd, const char *name, Qcow2Header *header, GError **error)
{
	guint8 fixed[LENGTH_V2];
	gssize n = image_read_at(fd, fixed, sizeof(fixed), 0);
	if (n < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be read", name);
	gsize want = sizeof(fixed);
	if (n == sizeof(fixed) && be32(fixed) == MAGIC)
		want = (gsize)1 << CLAMP(be32(fixed + 20), 9, 21);
	g_autofree guint8 *data = g_malloc(want);
	n = image_read_at(fd, data, want, 0);
	if (n < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be read", name);
	if (qcow2_parse(data, (gsize)n, header, error))
		return TRUE;
	g_prefix_error(error, "image \"%s\": ", name);
	return FALSE;
}

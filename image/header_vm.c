/* Headers of VDI (VirtualBox), VPC (Microsoft's VHD), VHDX and LUKS. */
#include <string.h>

#include "base/error.h"
#include "image/header_parts.h"

#define SECTOR 512

static gboolean impossible(GError **error)
{
	return fail(error, LODGE_ERROR_INVALID, "its size or block size is not possible");
}

/* block/vdi.c of QEMU has the layout. */
gboolean header_vdi(const HeaderIn *in, ImageHeader *h, GError **error)
{
	static const guint8 none[16];
	if (in->length < SECTOR)
		return fail(error, LODGE_ERROR_INVALID, "its header is cut off");
	guint64 size = LE64(in->start + 368);
	guint32 block = LE32(in->start + 376);
	if (size > G_MAXINT64 || block == 0)
		return impossible(error);
	h->capacity = OPT_UINT(size);
	h->cluster_size = block;
	h->differencing = memcmp(in->start + 424, none, 16) != 0 || memcmp(in->start + 440, none, 16) != 0;
	return TRUE;
}

/* Whose footers tell the size by itself; others mean their geometry (block/vpc.c of QEMU). */
static gboolean size_counts(const guint8 *creator)
{
	static const char *const known[] = { "win ", "qem2", "d2v ", "tap\0", "vs  ", "wa\0\0" };
	for (guint i = 0; i < G_N_ELEMENTS(known); i++)
		if (memcmp(creator, known[i], 4) == 0)
			return TRUE;
	return FALSE;
}

#define VPC_GEOMETRY_MAX (G_GUINT64_CONSTANT(65535) * 16 * 255)

gboolean header_vpc(const HeaderIn *in, ImageHeader *h, GError **error)
{
	guint8 footer[SECTOR];
	gboolean fixed = in->length < 8 || memcmp(in->start, "conectix", 8) != 0;
	guint64 at = fixed ? in->from->length - SECTOR : 0;
	if (in->from->length < SECTOR || !header_more(in, footer, sizeof footer, at, error))
		return in->from->length >= SECTOR ||
		       fail(error, LODGE_ERROR_INVALID, "its header is cut off");
	guint64 size = BE64(footer + 48);
	guint64 sectors = (guint64)BE16(footer + 56) * footer[58] * footer[59];
	guint32 type = BE32(footer + 60), block = 0;
	if (!size_counts(footer + 28) && sectors != VPC_GEOMETRY_MAX)
		size = sectors * SECTOR;
	if (size > G_MAXINT64)
		return impossible(error);
	guint64 dynamic = BE64(footer + 16);
	guint8 number[4];
	if (type != 2 && dynamic < in->from->length && header_more(in, number, 4, dynamic + 32, NULL))
		block = BE32(number);
	h->capacity = OPT_UINT(size);
	h->cluster_size = block;
	h->differencing = type == 4;
	return TRUE;
}

/* ---- VHDX: a table of regions, one of which is a table of facts. Numbers are little-endian, GUIDs
 * as they lie in the file; Microsoft's [MS-VHDX] ---- */

#define REGIONS_AT (192u << 10)
#define REGIONS_MAX 2047
#define FACTS_MAX 2047

static const guint8 guid_metadata[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
					  0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
static const guint8 guid_size[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
				      0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
static const guint8 guid_file[16] = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
				      0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };

/* Finds the 32-byte entry that begins with @guid among the @n at @at. */
static gboolean find_entry(const HeaderIn *in, guint64 at, guint n, const guint8 *guid, guint8 *entry,
			   GError **error)
{
	for (guint i = 0; i < n; i++) {
		if (!header_more(in, entry, 32, at + i * 32, error))
			return FALSE;
		if (memcmp(entry, guid, 16) == 0)
			return TRUE;
	}
	return fail(error, LODGE_ERROR_INVALID, "its tables lack an entry");
}

/* The number of @bytes bytes at @offset within the fact @guid. */
static gboolean read_fact(const HeaderIn *in, guint64 table, guint n, const guint8 *guid, guint8 *value,
			  gsize length, GError **error)
{
	guint8 entry[32];
	return find_entry(in, table + 32, n, guid, entry, error) &&
	       header_more(in, value, length, table + LE32(entry + 16), error);
}

gboolean header_vhdx(const HeaderIn *in, ImageHeader *h, GError **error)
{
	guint8 head[16], region[32], size[8], file[8];
	if (!header_more(in, head, sizeof head, REGIONS_AT, error))
		return FALSE;
	guint regions = LE32(head + 8);
	if (memcmp(head, "regi", 4) != 0 || regions > REGIONS_MAX)
		return fail(error, LODGE_ERROR_INVALID, "its table of regions is broken");
	if (!find_entry(in, REGIONS_AT + 16, regions, guid_metadata, region, error))
		return FALSE;
	guint64 table = LE64(region + 16);
	if (table > in->from->length || !header_more(in, head, sizeof head, table, error))
		return table <= in->from->length ? FALSE :
						   fail(error, LODGE_ERROR_INVALID, "it is cut off");
	guint facts = LE16(head + 10);
	if (memcmp(head, "metadata", 8) != 0 || facts > FACTS_MAX)
		return fail(error, LODGE_ERROR_INVALID, "its table of metadata is broken");
	if (!read_fact(in, table, facts, guid_size, size, sizeof size, error) ||
	    !read_fact(in, table, facts, guid_file, file, sizeof file, error))
		return FALSE;
	if (LE64(size) > G_MAXINT64 || LE32(file) == 0)
		return impossible(error);
	h->capacity = OPT_UINT(LE64(size));
	h->cluster_size = LE32(file);
	h->differencing = (LE32(file + 4) & 2) != 0;
	return TRUE;
}

/* Version 1, which is QEMU's; "LUKS On-Disk Format Specification 1.2.3". */
gboolean header_luks(const HeaderIn *in, ImageHeader *h, GError **error)
{
	if (in->length < 592)
		return fail(error, LODGE_ERROR_INVALID, "its header is cut off");
	guint64 payload = (guint64)BE32(in->start + 104) * SECTOR;
	if (payload > in->from->length)
		return fail(error, LODGE_ERROR_INVALID, "it is cut off");
	h->capacity = OPT_UINT(in->from->length - payload);
	h->crypt = IMAGE_CRYPT_LUKS;
	return TRUE;
}

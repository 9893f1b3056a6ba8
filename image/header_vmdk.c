/* VMDK: a binary header with a descriptor (text) behind it, or the descriptor alone, which names
 * the files that hold the data. Described in VMware's "Virtual Disk Format 5.0". */
#include <string.h>

#include "base/error.h"
#include "image/header_parts.h"

#define SECTOR 512
#define DESCRIPTOR_MAX (64u << 10) /* QEMU reads 20 KiB */
#define EXTENTS_MAX 1024
#define NO_PARENT "ffffffff"

/* The text between the first two quotation marks of @line; the caller frees it; NULL: none. */
static char *quoted(const char *line)
{
	const char *open = strchr(line, '"');
	const char *shut = open ? strchr(open + 1, '"') : NULL;
	return shut ? g_strndup(open + 1, (gsize)(shut - open - 1)) : NULL;
}

/* `RW 4192256 SPARSE "disk-s001.vmdk"`: access, sectors, type, file. */
static gboolean take_extent(ImageHeader *h, const char *line, GError **error)
{
	const char *number = strchr(line, ' ');
	guint64 sectors = number ? g_ascii_strtoull(number, NULL, 10) : 0;
	guint64 before = opt_uint_or(h->capacity, 0);
	if (sectors > G_MAXINT64 / SECTOR || before > G_MAXINT64 - sectors * SECTOR)
		return fail(error, LODGE_ERROR_INVALID, "its size is not possible");
	h->capacity = OPT_UINT(before + sectors * SECTOR);
	char *name = quoted(line);
	if (!name)
		return TRUE;
	if (!h->extents)
		h->extents = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(h->extents, name);
	return h->extents->len <= EXTENTS_MAX ||
	       fail(error, LODGE_ERROR_INVALID, "it has more than %d extents", EXTENTS_MAX);
}

static gboolean take_line(ImageHeader *h, char *line, gboolean alone, gboolean *parent, GError **error)
{
	static const char *const access[] = { "RW ", "RDONLY ", "NOACCESS " };
	for (guint i = 0; alone && i < G_N_ELEMENTS(access); i++)
		if (g_str_has_prefix(line, access[i]))
			return take_extent(h, line, error);
	if (g_str_has_prefix(line, "parentCID="))
		*parent = !g_str_has_prefix(line + strlen("parentCID="), NO_PARENT);
	if (g_str_has_prefix(line, "parentFileNameHint=")) {
		g_free(h->backing);
		h->backing = quoted(line);
	}
	return TRUE;
}

/* @alone: it stands in a file of its own, and its extents are other files. */
static gboolean take_descriptor(ImageHeader *h, char *text, gboolean alone, GError **error)
{
	gboolean parent = FALSE;
	char *rest = NULL;
	for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
		if (!take_line(h, g_strstrip(line), alone, &parent, error))
			return FALSE;
	if (!parent)
		g_clear_pointer(&h->backing, g_free);
	else if (!h->backing)
		return fail(error, LODGE_ERROR_INVALID, "it has a parent, but does not say which");
	return TRUE;
}

static gboolean read_descriptor(const HeaderIn *in, ImageHeader *h, guint64 at, guint64 length,
				gboolean alone, GError **error)
{
	if (length > DESCRIPTOR_MAX)
		return fail(error, LODGE_ERROR_INVALID, "its descriptor is larger than 64 KiB");
	g_autofree char *text = g_malloc0(length + 1);
	return header_more(in, text, length, at, error) && take_descriptor(h, text, alone, error);
}

gboolean header_vmdk(const HeaderIn *in, ImageHeader *h, GError **error)
{
	if (*in->start == '#')
		return read_descriptor(in, h, 0, in->from->length, TRUE, error);
	if (in->length < SECTOR)
		return fail(error, LODGE_ERROR_INVALID, "its header is cut off");
	gboolean cowd = *in->start == 'C'; /* of ESX 3: 32-bit numbers, no descriptor */
	guint64 sectors = cowd ? LE32(in->start + 12) : LE64(in->start + 12);
	guint64 grain = cowd ? LE32(in->start + 16) : LE64(in->start + 20);
	if (sectors > G_MAXINT64 / SECTOR || grain > (G_GUINT64_CONSTANT(1) << 32))
		return fail(error, LODGE_ERROR_INVALID, "its size or grain size is not possible");
	h->capacity = OPT_UINT(sectors * SECTOR);
	h->cluster_size = grain * SECTOR;
	guint64 at = cowd ? 0 : LE64(in->start + 28), length = cowd ? 0 : LE64(in->start + 36);
	if (at == 0 || length == 0)
		return TRUE;
	if (at > G_MAXINT64 / SECTOR || length > DESCRIPTOR_MAX / SECTOR)
		return fail(error, LODGE_ERROR_INVALID, "the place of its descriptor is not possible");
	return read_descriptor(in, h, at * SECTOR, length * SECTOR, FALSE, error);
}

/* See header.h. One row per format; one short read does for nearly every image. */
#include "image/header.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/header_parts.h"

#define SECTOR 512

/* How a format shows itself, and who reads its header. */
static const struct {
	ImageFormat format;
	guint offset, length;
	const char *magic;
	HeaderReader read;
} readers[] = {
	{ IMAGE_QCOW2, 0, 8, "QFI\xfb\0\0\0\2", header_qcow2 },
	{ IMAGE_QCOW2, 0, 8, "QFI\xfb\0\0\0\3", header_qcow2 },
	{ IMAGE_QCOW, 0, 8, "QFI\xfb\0\0\0\1", header_qcow },
	{ IMAGE_VMDK, 0, 4, "KDMV", header_vmdk },
	{ IMAGE_VMDK, 0, 4, "COWD", header_vmdk },
	{ IMAGE_VMDK, 0, 21, "# Disk DescriptorFile", header_vmdk },
	{ IMAGE_VDI, 64, 4, "\x7f\x10\xda\xbe", header_vdi },
	{ IMAGE_VHDX, 0, 8, "vhdxfile", header_vhdx },
	{ IMAGE_VPC, 0, 8, "conectix", header_vpc },
	{ IMAGE_LUKS, 0, 8, "LUKS\xba\xbe\0\1", header_luks },
};

gboolean header_more(const HeaderIn *in, void *buffer, gsize length, guint64 offset, GError **error)
{
	if (offset <= in->length && length <= in->length - offset) {
		memcpy(buffer, in->start + offset, length);
		return TRUE;
	}
	if (offset > in->from->length || length > in->from->length - offset)
		return fail(error, LODGE_ERROR_INVALID, "it is cut off");
	gssize n = in->from->read(in->from->data, buffer, length, offset);
	if (n < 0)
		return fail_errno(error, errno, "it cannot be read");
	return (gsize)n == length || fail(error, LODGE_ERROR_INVALID, "it is cut off");
}

/* A fixed VHD has its header at the end, and nothing at its start. */
static gboolean has_footer(const HeaderIn *in)
{
	guint8 magic[8];
	guint64 length = in->from->length;
	return length >= 2 * SECTOR && length % SECTOR == 0 &&
	       header_more(in, magic, sizeof magic, length - SECTOR, NULL) &&
	       memcmp(magic, "conectix", sizeof magic) == 0;
}

static HeaderReader reader_of(const HeaderIn *in, ImageFormat *format)
{
	for (guint i = 0; i < G_N_ELEMENTS(readers); i++) {
		if (in->length < readers[i].offset + readers[i].length ||
		    (*format && *format != readers[i].format) ||
		    memcmp(in->start + readers[i].offset, readers[i].magic, readers[i].length) != 0)
			continue;
		*format = readers[i].format;
		return readers[i].read;
	}
	if ((!*format || *format == IMAGE_VPC) && has_footer(in)) {
		*format = IMAGE_VPC;
		return header_vpc;
	}
	return NULL;
}

gboolean image_header_parse(const ImageSource *from, ImageFormat format, ImageHeader *header,
			    GError **error)
{
	guint8 start[HEADER_START]; /* clearing all of it would take as long as a system call */
	gssize n = from->read(from->data, start, sizeof start, 0);
	if (n < 0)
		return fail_errno(error, errno, "it cannot be read");
	memset(start + n, 0, sizeof start - (gsize)n);
	HeaderIn in = { .from = from, .start = start, .length = (gsize)n };
	ImageFormat found = format;
	HeaderReader read = format == IMAGE_RAW ? NULL : reader_of(&in, &found);
	if (!read && format && format != IMAGE_RAW)
		return fail(error, LODGE_ERROR_INVALID, "it is said to be %s, but has no header of that",
			    enum_name(&image_formats, (int)format));
	g_auto(ImageHeader) h = { .format = read ? found : IMAGE_RAW, .physical = from->length };
	if (!read)
		h.capacity = OPT_UINT(from->length);
	if (read && !read(&in, &h, error))
		return FALSE;
	*header = h;
	h = (ImageHeader){ 0 };
	return TRUE;
}

static gssize read_fd(gpointer data, void *buffer, gsize length, guint64 offset)
{
	return image_read_at(*(int *)data, buffer, length, offset);
}

gboolean image_header_read(int fd, const char *name, ImageFormat format, ImageHeader *header,
			   GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be examined", name);
	off_t end = S_ISREG(st.st_mode) ? st.st_size : lseek(fd, 0, SEEK_END);
	if (end < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be examined", name);
	ImageSource from = { .read = read_fd, .data = &fd, .length = (guint64)end };
	if (!image_header_parse(&from, format, header, error)) {
		g_prefix_error(error, "image \"%s\": ", name);
		return FALSE;
	}
	header->allocated = S_ISREG(st.st_mode) ? (guint64)st.st_blocks * SECTOR : (guint64)end;
	return TRUE;
}

gboolean image_header_of(const char *path, ImageFormat format, ImageHeader *header, GError **error)
{
	autofd int fd = image_open(path, error);
	return fd >= 0 && image_header_read(fd, path, format, header, error);
}

void image_header_clear(ImageHeader *header)
{
	g_free(header->backing);
	g_free(header->backing_format);
	g_free(header->data_file);
	g_clear_pointer(&header->extents, g_ptr_array_unref);
	*header = (ImageHeader){ 0 };
}

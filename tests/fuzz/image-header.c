/* Bytes of an image to the readers of headers, of every format: they refuse, or what they say is within
 * the bounds that everything after them relies on. The first byte chooses the format that is said. */
#include "image/header.h"

#include <stdint.h>
#include <string.h>

typedef struct Bytes {
	const uint8_t *data;
	size_t size;
} Bytes;

static gssize read_bytes(gpointer data, void *buffer, gsize length, guint64 offset)
{
	const Bytes *bytes = data;
	if (offset >= bytes->size)
		return 0;
	gsize n = MIN(length, bytes->size - offset);
	memcpy(buffer, bytes->data + offset, n);
	return (gssize)n;
}

static gsize length_of(const char *text)
{
	return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	Bytes bytes = { data + 1, size - 1 };
	ImageSource from = { .read = read_bytes, .data = &bytes, .length = size - 1 };
	ImageFormat format = (ImageFormat)(*data % 16 < IMAGE_LUKS ? 0 : *data % (IMAGE_LUKS + 1));
	g_auto(ImageHeader) header = { 0 };
	g_autoptr(GError) error = NULL;
	if (!image_header_parse(&from, format, &header, &error)) {
		g_assert_nonnull(error);
		g_assert_null(header.backing);
		return 0;
	}
	g_assert_null(error);
	g_assert_true(header.format >= IMAGE_RAW && header.format <= IMAGE_LUKS);
	g_assert_true(!format || header.format == format);
	g_assert_cmpuint(header.capacity.v, <=, G_MAXINT64);
	g_assert_cmpuint(length_of(header.backing), <=, 65536);
	g_assert_cmpuint(length_of(header.backing_format), <=, 2 << 20);
	g_assert_true(!header.extents || header.extents->len <= 1024);
	return 0;
}

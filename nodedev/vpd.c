/* Vital product data of PCI cards: bytes that the card's maker wrote, so nothing of them is believed.
 * Format: PCI Local Bus Specification 3.0, appendix I: a string with the product's name, read-only fields
 * with a checksum (RV), fields that may be written, an end tag. Fuzzed: tests/fuzz/vpd.c. */
#include "nodedev/internal.h"

#include <string.h>

#define TAG_NAME 0x82 /* large resources: a tag, two bytes of length */
#define TAG_READ 0x90
#define TAG_WRITE 0x91
#define TAG_END 0x78  /* small: its length stands in its low bits */

/* What libvirt's schema lets through; anything else makes the field as good as absent. */
static char *text_of(const guint8 *bytes, gsize n)
{
	static const char others[] = " _-,.:;=";
	while (n > 0 && (bytes[n - 1] == ' ' || bytes[n - 1] == '\0'))
		n--;
	while (n > 0 && *bytes == ' ') {
		bytes++;
		n--;
	}
	for (gsize i = 0; i < n; i++)
		if (!g_ascii_isalnum(bytes[i]) && (!bytes[i] || !strchr(others, bytes[i])))
			return NULL;
	return n ? g_strndup((const char *)bytes, n) : NULL;
}

/* Keywords with a name of their own. */
static const struct {
	const char *keyword;
	gboolean written;
	size_t member;
} known[] = {
	{ "EC", FALSE, offsetof(NodeFields, change_level) },
	{ "MN", FALSE, offsetof(NodeFields, manufacture_id) },
	{ "PN", FALSE, offsetof(NodeFields, part_number) },
	{ "SN", FALSE, offsetof(NodeFields, serial_number) },
	{ "YA", TRUE, offsetof(NodeFields, asset_tag) },
};

static void take_field(NodeFields *fields, gboolean written, const guint8 *keyword, const char *value)
{
	for (guint i = 0; i < G_N_ELEMENTS(known); i++)
		if (known[i].written == written && !memcmp(keyword, known[i].keyword, 2)) {
			char **member = (char **)((char *)fields + known[i].member);
			if (!*member)
				*member = g_strdup(value);
			return;
		}
	char index = (char)keyword[1];
	if (!g_ascii_isdigit(index) && !g_ascii_isupper(index))
		return;
	if (keyword[0] == 'V')
		node_append_field(&fields->vendor, index, value);
	if (keyword[0] == 'Y' && written)
		node_append_field(&fields->system, index, value);
}

/* The bytes from the beginning to the checksum's own sum up to 0. */
static gboolean sum_fits(const guint8 *bytes, gsize n)
{
	guint8 sum = 0;
	for (gsize i = 0; i < n; i++)
		sum = (guint8)(sum + bytes[i]);
	return sum == 0;
}

/* The fields of @n bytes at @at of all @bytes. FALSE where they are broken. */
static gboolean take_fields(const guint8 *bytes, gsize at, gsize n, NodeFields *fields, gboolean written)
{
	gsize end = at + n;
	gboolean summed = FALSE;
	while (at + 3 <= end) {
		const guint8 *keyword = bytes + at;
		gsize length = bytes[at + 2];
		at += 3;
		if (length > end - at)
			return FALSE;
		if (!memcmp(keyword, "RV", 2) && !written) {
			summed = length > 0 && sum_fits(bytes, at + 1);
			break;
		}
		if (!memcmp(keyword, "RW", 2) && written)
			break;
		g_autofree char *value = text_of(bytes + at, length);
		if (value)
			take_field(fields, written, keyword, value);
		at += length;
	}
	return written || summed;
}

/* Large resources one after another, until the end tag. FALSE: broken. */
static gboolean take_resources(const guint8 *bytes, gsize n, NodeSubCap *vpd)
{
	gsize at = 0;
	gboolean read = FALSE;
	while (at + 3 <= n && bytes[at] != TAG_END) {
		guint8 tag = bytes[at];
		gsize length = bytes[at + 1] | (gsize)bytes[at + 2] << 8;
		at += 3;
		if (!(tag & 0x80) || length > n - at)
			return FALSE;
		if (tag == TAG_NAME && !vpd->name)
			vpd->name = text_of(bytes + at, length);
		if (tag == TAG_READ && !read)
			read = take_fields(bytes, at, length, node_add_fields(vpd, "readonly"), FALSE);
		else if (tag == TAG_WRITE && read)
			take_fields(bytes, at, length, node_add_fields(vpd, "readwrite"), TRUE);
		at += length;
	}
	return read && vpd->name;
}

gboolean vpd_read(const guint8 *bytes, gsize n, NodeDevice *device)
{
	NodeSubCap *vpd = node_device_add(device, SUB_VPD);
	gboolean ok = take_resources(bytes, n, vpd);
	if (!ok)
		node_device_drop_last(device);
	return ok;
}

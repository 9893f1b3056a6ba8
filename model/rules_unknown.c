/* See rules.h. Here: elements that no row knows, for no machine that runs here has what they are about;
 * libvirt refuses them, and kept as they stand they would promise something. */
#include <string.h>

#include "model/rules.h"
#include "shape/tree.h"

/* The next element @name among what no row of the struct with @head knows, behind @last (NULL: the first);
 * NULL: there is none. */
static const ShapeExtra *next_unknown(const ShapeHead *head, const char *name, const ShapeExtra *last)
{
	gsize n = strlen(name);
	for (const ShapeExtra *extra = last ? last->next : head->extra; extra; extra = extra->next)
		if (!extra->name && extra->text[0] == '<' && !strncmp(extra->text + 1, name, n) &&
		    !g_ascii_isalnum(extra->text[n + 1]))
			return extra;
	return NULL;
}

/* "model" of <seclabel model='dac' .../>; the caller frees it, NULL: it says none. */
static char *attribute(const char *element, const char *name)
{
	const char *end = strchr(element, '>');
	g_autofree char *word = g_strconcat(" ", name, "=", NULL);
	const char *at = strstr(element, word);
	const char *value = at && end && at < end ? at + strlen(word) : NULL;
	const char *close = value ? strchr(value + 1, *value) : NULL;
	return close ? g_strndup(value + 1, (gsize)(close - value - 1)) : NULL;
}

/* ---- rules ---- */

static gboolean check_page_table(const Guest *guest, GError **error)
{
	return !guest->features || !next_unknown(&guest->features->head, "hpt", NULL) ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "features/hpt is for machines of type pseries: remove it");
}

static gboolean no_zpci(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	const Guest *guest = ((gpointer *)data)[0];
	GError **error = ((gpointer *)data)[1];
	return !info->address || !next_unknown(&info->address->head, "zpci", NULL) ||
	       guest_refuse(guest, kind, device, error, LODGE_ERROR_UNSUPPORTED,
			    "address/zpci is for machines of s390x: remove it");
}

static gboolean check_zpci(const Guest *guest, GError **error)
{
	gpointer data[] = { (gpointer)guest, error };
	if (guest->os.arch && g_str_has_prefix(guest->os.arch, "s390"))
		return TRUE;
	return guest_each_device((Guest *)guest, no_zpci, data); /* which changes nothing */
}

/* An image's header says how it is encrypted. */
static gboolean check_ciphers(const Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		const DiskEncryption *own = disk->source ? disk->source->encryption : NULL;
		const DiskEncryption *encryption = own ? own : disk->encryption;
		if (encryption && next_unknown(&encryption->head, "cipher", NULL))
			return guest_refuse(guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
					    "encryption/cipher is for volumes that are made: the image "
					    "itself says how it is encrypted; remove it");
	}
	return TRUE;
}

static gboolean check_image_labels(const Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		const ShapeHead *head = disk->source ? &disk->source->head : NULL;
		const ShapeExtra *at = head ? next_unknown(head, "seclabel", NULL) : NULL;
		for (; at; at = next_unknown(head, "seclabel", at)) {
			char *model = attribute(at->text, "model");
			if (model && !g_hash_table_add(seen, model))
				return guest_refuse(guest, "disk", disk, error, LODGE_ERROR_INVALID,
						    "its source has two <seclabel> of one model: leave one "
						    "out");
		}
	}
	return TRUE;
}

static const GuestRule rules[] = { check_page_table, check_zpci, check_ciphers, check_image_labels };
const GuestRules guest_rules_unknown = { rules, G_N_ELEMENTS(rules) };

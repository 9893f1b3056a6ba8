/* Any bytes as what storage reads besides images and documents; the first byte says which: ranges of HTTP,
 * lists of checksums, a lease that another host has written, a catalogue, names of images that are made. */
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "image/catalog.h"
#include "image/import.h"
#include "image/lease.h"
#include "image/part.h"
#include "wire/rest/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/lodge-fuzz-XXXXXX";

static void remove_folder(void)
{
	const char *const names[] = { ".v.lease", "images.json", NULL };
	for (guint i = 0; names[i]; i++) {
		g_autofree char *path = g_build_filename(folder, names[i], NULL);
		unlink(path);
	}
	rmdir(folder);
}

/* A file @name in a folder of our own; returns its path. */
static char *write_file(const char *name, const char *text, gsize size)
{
	static gboolean made;
	if (!made) {
		made = mkdtemp(folder) != NULL;
		g_assert_true(made && atexit(remove_folder) == 0);
	}
	char *path = g_build_filename(folder, name, NULL);
	g_assert_true(g_file_set_contents_full(path, text, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600,
					       NULL));
	return path;
}

static void ranges(const char *text, G_GNUC_UNUSED gsize size)
{
	guint64 from, to;
	if (bytes_range(text, &from, &to))
		g_assert_cmpuint(from, <=, to);
	if (bytes_content_range(text, &from, &to))
		g_assert_cmpuint(from, <=, to);
}

static void checksums(const char *text, G_GNUC_UNUSED gsize size)
{
	g_autofree char *digits = image_checksum_in(text, "debian.qcow2");
	g_assert_true(!digits || g_str_is_ascii(digits));
}

static void lease(const char *text, gsize size)
{
	g_autofree char *path = write_file(".v.lease", text, size);
	g_autofree char *image = g_build_filename(folder, "v", NULL);
	g_autoptr(GError) error = NULL;
	gboolean is_free = image_lease_check(image, &error);
	g_assert_true(is_free == !error && (is_free || g_utf8_validate(error->message, -1, NULL)));
}

static void catalog(const char *text, gsize size)
{
	g_autofree char *path = write_file("images.json", text, size);
	g_autoptr(GError) error = NULL;
	Catalog *images = shape_new(&catalog_shape);
	gboolean ok = catalog_read(folder, images, &error);
	g_assert_true(ok == !error && (ok || g_utf8_validate(error->message, -1, NULL)));
	shape_free(&catalog_shape, images);
}

static void names(const char *text, G_GNUC_UNUSED gsize size)
{
	g_assert_true(!image_is_part(text) || *text);
	g_assert_true(!image_is_lease(text) || *text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const char *, gsize) = { ranges, checksums, lease, catalog, names };
	if (!size)
		return 0;
	g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
	readers[data[0] % G_N_ELEMENTS(readers)](text, size - 1);
	return 0;
}

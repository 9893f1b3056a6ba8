/* Tests of image/qcow2 and image/format: headers by hand, those of qemu-img, and broken ones. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/format.h"
#include "image/qcow2.h"

static char *folder;

static char *in_folder(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

/* qemu-img with these arguments, in the folder. */
static void qemu_img(const char *arguments)
{
	g_autofree char *line = g_strdup_printf("sh -c 'cd %s && qemu-img %s'", folder, arguments);
	g_autofree char *out = NULL, *err = NULL;
	int status = -1;
	g_autoptr(GError) error = NULL;
	g_assert_true(g_spawn_command_line_sync(line, &out, &err, &status, &error));
	g_assert_no_error(error);
	g_assert_cmpstr(err, ==, "");
	g_assert_cmpint(status, ==, 0);
}

static void put_be(guint8 *at, guint64 value, guint bytes)
{
	for (guint i = 0; i < bytes; i++)
		at[i] = (guint8)(value >> (8 * (bytes - 1 - i)));
}

/* A right version 3 header in 64 KiB of zeros. */
static guint8 *good_header(void)
{
	guint8 *h = g_malloc0(65536);
	put_be(h, 0x514649fb, 4);
	put_be(h + 4, 3, 4);
	put_be(h + 20, 16, 4);
	put_be(h + 24, 1 << 30, 8);
	put_be(h + 96, 4, 4);
	put_be(h + 100, 104, 4);
	return h;
}

static void put_backing(guint8 *h, guint64 offset, const char *name)
{
	put_be(h + 8, offset, 8);
	put_be(h + 16, strlen(name), 4);
	if (offset <= 65536 - strlen(name))
		memcpy(h + offset, name, strlen(name));
}

static void test_plain(void)
{
	g_autofree guint8 *h = good_header();
	g_auto(Qcow2Header) header = { 0 };
	g_autoptr(GError) error = NULL;
	g_assert_true(qcow2_parse(h, 65536, &header, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(header.version, ==, 3);
	g_assert_cmpuint(header.size, ==, 1 << 30);
	g_assert_null(header.backing_file);
	g_assert_null(header.backing_format);
}

static void test_names(void)
{
	g_autofree guint8 *h = good_header();
	put_be(h + 104, 0xe2792aca, 4);
	put_be(h + 108, 3, 4);
	memcpy(h + 112, "raw", 3);
	put_be(h + 120, 0x12345678, 4); /* an extension of tomorrow */
	put_be(h + 124, 5, 4);
	put_be(h + 136, 0x44415441, 4);
	put_be(h + 140, 4, 4);
	memcpy(h + 144, "data", 4);
	put_backing(h, 512, "base.raw");
	put_be(h + 72, QCOW2_DATA_FILE, 8);
	g_auto(Qcow2Header) header = { 0 };
	g_autoptr(GError) error = NULL;
	g_assert_true(qcow2_parse(h, 65536, &header, &error));
	g_assert_cmpstr(header.backing_file, ==, "base.raw");
	g_assert_cmpstr(header.backing_format, ==, "raw");
	g_assert_cmpstr(header.data_file, ==, "data");
	g_assert_cmpuint(header.incompatible, ==, QCOW2_DATA_FILE);
}

/* One thing broken in a right header, and a word of the message. */
static const struct {
	const char *name;
	guint offset, bytes;
	guint64 value;
	const char *says;
} broken[] = {
	{ "magic", 0, 4, 0, "no qcow2 header" },
	{ "version", 4, 4, 4, "version 4" },
	{ "cluster-small", 20, 4, 8, "2^8" },
	{ "cluster-huge", 20, 4, 64, "2^64" },
	{ "size", 24, 8, G_MAXUINT64, "size" },
	{ "encryption", 32, 4, 9, "method 9" },
	{ "refcounts", 96, 4, 7, "refcount" },
	{ "header-short", 100, 4, 103, "header length" },
	{ "header-long", 100, 4, 65537, "header length" },
	{ "extension", 108, 4, 0xffffffff, "cut off" },
};

static void test_broken(gconstpointer data)
{
	gsize i = GPOINTER_TO_SIZE(data);
	g_autofree guint8 *h = good_header();
	put_be(h + 104, 0x12345678, 4);
	put_be(h + broken[i].offset, broken[i].value, broken[i].bytes);
	Qcow2Header header = { .version = 77 };
	g_autoptr(GError) error = NULL;
	g_assert_false(qcow2_parse(h, 65536, &header, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_assert_nonnull(strstr(error->message, broken[i].says));
	g_assert_cmpuint(header.version, ==, 77); /* untouched */
}

static void test_backing_outside(void)
{
	static const guint64 offsets[] = { 65536, 65530, G_MAXUINT64, G_MAXUINT64 - 3 };
	for (guint i = 0; i < G_N_ELEMENTS(offsets); i++) {
		g_autofree guint8 *h = good_header();
		put_backing(h, offsets[i], "base.qcow2");
		Qcow2Header header = { 0 };
		g_autoptr(GError) error = NULL;
		g_assert_false(qcow2_parse(h, 65536, &header, &error));
		g_assert_nonnull(strstr(error->message, "outside"));
	}
	g_autofree guint8 *h = good_header();
	put_backing(h, 512, "a");
	h[512] = 0;
	Qcow2Header header = { 0 };
	g_autoptr(GError) error = NULL;
	g_assert_false(qcow2_parse(h, 65536, &header, &error));
	g_assert_nonnull(strstr(error->message, "zero byte"));
}

static void test_cut_off(void)
{
	g_autofree guint8 *h = good_header();
	put_backing(h, 512, "base.raw");
	for (gsize length = 0; length < 600; length++) {
		g_autofree guint8 *exact = g_memdup2(h, length);
		g_auto(Qcow2Header) header = { 0 };
		gboolean ok = qcow2_parse(exact, length, &header, NULL);
		g_assert_true(ok == (length >= 520));
	}
}

static void test_of_qemu_img(void)
{
	qemu_img("create -q -f qcow2 v3.qcow2 5G && qemu-img create -q -f qcow2 -o compat=0.10 -b "
		 "v3.qcow2 -F qcow2 v2.qcow2 7G");
	g_autofree char *path = in_folder("v2.qcow2");
	g_autoptr(GError) error = NULL;
	autofd int fd = image_open(path, &error);
	g_assert_no_error(error);
	g_auto(Qcow2Header) header = { 0 };
	g_assert_true(qcow2_read(fd, path, &header, &error));
	g_assert_cmpuint(header.version, ==, 2);
	g_assert_cmpuint(header.size, ==, (guint64)7 << 30);
	g_assert_cmpstr(header.backing_file, ==, "v3.qcow2");
	g_assert_cmpstr(header.backing_format, ==, "qcow2");
}

static void test_formats(void)
{
	for (int format = IMAGE_RAW; format <= IMAGE_VPC; format++) {
		const char *name = enum_name(&image_formats, format);
		g_autofree char *arguments =
			g_strdup_printf("create -q -f %s of.%s 100M", name, name);
		qemu_img(arguments);
		g_autofree char *file = g_strdup_printf("of.%s", name), *path = in_folder(file);
		g_autoptr(GError) error = NULL;
		autofd int fd = image_open(path, &error);
		ImageFacts facts;
		g_assert_true(image_probe(fd, path, &facts, &error));
		g_assert_cmpint(facts.format, ==, format);
		/* vpc rounds to cylinders, vhdx has its size in a table of tables */
		if (format == IMAGE_VHDX)
			g_assert_false(facts.size.set);
		else
			g_assert_cmpuint(facts.size.v >> 20, ==, 100);
	}
}

static void test_no_image(void)
{
	g_autofree char *fifo = in_folder("fifo"), *none = in_folder("none");
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	const char *const paths[] = { folder, fifo, none };
	const LodgeError codes[] = { LODGE_ERROR_INVALID, LODGE_ERROR_INVALID,
				     LODGE_ERROR_NOT_FOUND };
	for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_cmpint(image_open(paths[i], &error), ==, -1);
		g_assert_error(error, LODGE_ERROR, (int)codes[i]);
		g_assert_nonnull(strstr(error->message, paths[i]));
	}
	g_autofree char *empty = in_folder("empty");
	g_assert_true(g_file_set_contents(empty, "", 0, NULL));
	autofd int fd = image_open(empty, NULL);
	g_assert_cmpint(image_probe_format(fd, empty, NULL), ==, IMAGE_RAW);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("lodge-image-XXXXXX", NULL);
	g_test_add_func("/qcow2/plain", test_plain);
	g_test_add_func("/qcow2/names", test_names);
	for (gsize i = 0; i < G_N_ELEMENTS(broken); i++) {
		g_autofree char *name = g_strdup_printf("/qcow2/broken/%s", broken[i].name);
		g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_broken);
	}
	g_test_add_func("/qcow2/backing-outside", test_backing_outside);
	g_test_add_func("/qcow2/cut-off", test_cut_off);
	g_test_add_func("/qcow2/of-qemu-img", test_of_qemu_img);
	g_test_add_func("/format/each", test_formats);
	g_test_add_func("/format/no-image", test_no_image);
	int failed = g_test_run();
	g_autofree char *remove = g_strdup_printf("rm -rf %s", folder);
	g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL);
	g_free(folder);
	return failed;
}

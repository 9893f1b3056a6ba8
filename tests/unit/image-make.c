/* Tests of image/create, header, copy, resize, wipe, lock and transfer: what is made here as qemu-img
 * judges it, what qemu-img makes as it is read here. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "image/copy.h"
#include "image/header.h"
#include "image/lock.h"
#include "image/part.h"
#include "image/resize.h"
#include "image/transfer.h"
#include "image/wipe.h"

#define MIB (G_GUINT64_CONSTANT(1) << 20)

static char *folder;

static char *in_folder(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

/* What a command line in the folder writes to standard output; it must succeed. */
static char *shell(const char *command)
{
	g_autofree char *line = g_strdup_printf("cd '%s' && { %s; }", folder, command);
	const char *const argv[] = { "/bin/sh", "-c", line, NULL };
	char *out = NULL;
	int status = -1;
	g_autoptr(GError) error = NULL;
	g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &out, NULL, &status, &error);
	g_assert_no_error(error);
	if (status)
		g_error("%s: %s", command, out);
	return out;
}

static void run(const char *command)
{
	g_free(shell(command));
}

/* Nothing of ours but these many files with @word in their name. */
static void assert_left(const char *word, const char *n)
{
	g_autofree char *command = g_strdup_printf("ls -A | grep -c -e '%s' || :", word);
	g_autofree char *count = shell(command);
	g_assert_cmpstr(g_strchomp(count), ==, n);
}

/* ---- create ---- */

static const struct {
	const char *name;
	ImageCreate how;
} made[] = {
	{ "plain", { .format = IMAGE_QCOW2, .size = 3 * MIB } },
	{ "old", { .format = IMAGE_QCOW2, .size = 3 * MIB, .compat = 2 } },
	{ "small-clusters", { .format = IMAGE_QCOW2, .size = 3000 * MIB, .cluster_size = 512 } },
	{ "4k-clusters", { .format = IMAGE_QCOW2, .size = 1 << 30, .cluster_size = 4096 } },
	{ "big-clusters", { .format = IMAGE_QCOW2, .size = 1 << 30, .cluster_size = 2 * MIB } },
	{ "lazy", { .format = IMAGE_QCOW2, .size = 3 * MIB, .lazy_refcounts = TRUE } },
	{ "extended", { .format = IMAGE_QCOW2, .size = 3 * MIB, .extended_l2 = TRUE } },
	{ "tables", { .format = IMAGE_QCOW2, .size = 3 * MIB, .preallocation = IMAGE_PREALLOC_METADATA } },
	{ "reserved", { .format = IMAGE_QCOW2, .size = 3 * MIB, .preallocation = IMAGE_PREALLOC_FALLOC } },
	{ "full", { .format = IMAGE_QCOW2, .size = 3 * MIB, .preallocation = IMAGE_PREALLOC_FULL } },
	{ "zlib", { .format = IMAGE_QCOW2, .size = 3 * MIB, .options = "compression_type=zstd" } },
	{ "raw", { .format = IMAGE_RAW, .size = 3 * MIB } },
	{ "raw-reserved", { .format = IMAGE_RAW, .size = 3 * MIB, .preallocation = IMAGE_PREALLOC_FALLOC } },
	{ "raw-full", { .format = IMAGE_RAW, .size = 3 * MIB, .preallocation = IMAGE_PREALLOC_FULL } },
	{ "vmdk", { .format = IMAGE_VMDK, .size = 3 * MIB } },
	{ "vdi", { .format = IMAGE_VDI, .size = 3 * MIB } },
	{ "vhdx", { .format = IMAGE_VHDX, .size = 3 * MIB } },
	{ "vpc", { .format = IMAGE_VPC, .size = 3 * MIB, .options = "force_size=on" } },
	{ "qcow", { .format = IMAGE_QCOW, .size = 3 * MIB } },
};

static void test_create(gconstpointer data)
{
	gsize i = GPOINTER_TO_SIZE(data);
	const char *format = enum_name(&image_formats, (int)made[i].how.format);
	g_autofree char *name = g_strdup_printf("%s.made", made[i].name), *path = in_folder(name);
	g_autoptr(GError) error = NULL;
	ImageCreate how = made[i].how;
	how.path = path;
	g_assert_true(image_make(&how, &error));
	g_assert_no_error(error);
	g_auto(ImageHeader) header = { 0 };
	g_assert_true(image_header_of(path, how.format, &header, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(header.capacity.v, ==, how.size);
	if (how.cluster_size)
		g_assert_cmpuint(header.cluster_size, ==, how.cluster_size);
	if (how.format == IMAGE_QCOW2) {
		g_assert_cmpuint(header.compat, ==, how.compat == 2 ? 2 : 3);
		g_assert_true(header.lazy_refcounts == how.lazy_refcounts);
		g_assert_true(header.extended_l2 == how.extended_l2);
	}
	if (how.preallocation >= IMAGE_PREALLOC_FALLOC)
		g_assert_cmpuint(header.allocated, >=, how.size);
	g_autofree char *check = how.format == IMAGE_QCOW2 ?
		g_strdup_printf("qemu-img check -q -f qcow2 %s", name) : g_strdup("true");
	g_autofree char *line = g_strdup_printf(
		"%s && qemu-img info -f %s %s | grep '^virtual size' && "
		"qemu-io -f %s -c 'write -P 7 1M 64k' -c 'read -P 7 1M 64k' %s >/dev/null && %s",
		check, format, name, format, name, check);
	g_autofree char *info = shell(line);
	g_autofree char *bytes = g_strdup_printf("(%" G_GUINT64_FORMAT " bytes)", how.size);
	g_assert_nonnull(strstr(info, bytes));
	g_assert_false(image_make(&how, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	assert_left("lodge-part", "0");
}

static void test_create_refused(void)
{
	static const ImageCreate wrong[] = {
		{ .format = IMAGE_QCOW2 },
		{ .size = MIB },
		{ .format = IMAGE_QCOW2, .size = MIB, .cluster_size = 5000 },
		{ .format = IMAGE_QCOW2, .size = MIB, .cluster_size = 256 },
		{ .format = IMAGE_QCOW2, .size = MIB, .cluster_size = 4 * MIB },
		{ .format = IMAGE_QCOW2, .size = MIB, .compat = 2, .lazy_refcounts = TRUE },
		{ .format = IMAGE_QCOW2, .size = MIB, .extended_l2 = TRUE, .cluster_size = 4096 },
		{ .format = IMAGE_QCOW2, .size = G_MAXINT64 },
		{ .format = IMAGE_RAW, .size = MIB, .cluster_size = 65536 },
		{ .format = IMAGE_RAW, .size = MIB, .backing = "x", .backing_format = IMAGE_RAW },
		{ .format = IMAGE_LUKS, .size = MIB },
	};
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *path = in_folder("wrong");
		g_autoptr(GError) error = NULL;
		ImageCreate how = wrong[i];
		how.path = path;
		g_assert_false(image_make(&how, &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	}
	assert_left("wrong", "0");
	assert_left("lodge-part", "0");
}

static void test_encrypted(void)
{
	const ImageSecret secret = { "secret", 6 };
	static const ImageFormat formats[] = { IMAGE_LUKS };
	/* qcow2's own is the same code of QEMU's, and each costs seconds of hashing */
	for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autofree char *path = in_folder(i ? "encrypted.qcow2" : "encrypted.luks");
		g_autoptr(GError) error = NULL;
		const ImageCreate how = { .path = path, .format = formats[i], .size = MIB, .secret = &secret,
					  .options = i ? "encrypt.iter-time=10" : "iter-time=10" };
		g_assert_true(image_make(&how, &error));
		g_assert_no_error(error);
		g_auto(ImageHeader) header = { 0 };
		g_assert_true(image_header_of(path, 0, &header, &error));
		g_assert_cmpint(header.crypt, ==, IMAGE_CRYPT_LUKS);
		g_assert_cmpuint(header.capacity.v, ==, MIB);
		const ImageResize resize = { .path = path, .format = formats[i], .size = 2 * MIB,
					     .secret = &secret };
		g_assert_true(image_resize(&resize, &error));
		g_assert_no_error(error);
		g_autofree char *plain = g_strconcat(path, ".raw", NULL);
		const ImageCopy copy = { .from = path, .from_format = formats[i], .from_secret = &secret,
					 .to = { .path = plain, .format = IMAGE_RAW } };
		g_assert_true(image_copy(&copy, &error));
		g_assert_no_error(error);
		struct stat st;
		g_assert_cmpint(stat(plain, &st), ==, 0);
		g_assert_cmpint(st.st_size, ==, 2 * MIB);
	}
}

/* ---- copy ---- */

typedef struct Told {
	double last;
	guint n;
	GCancellable *cancel; /* cancelled at the first word */
} Told;

static void on_progress(double fraction, gpointer data)
{
	Told *told = data;
	g_assert_cmpfloat(fraction, >=, 0);
	g_assert_cmpfloat(fraction, <=, 1);
	told->last = fraction;
	told->n++;
	if (told->cancel)
		g_cancellable_cancel(told->cancel);
}

static void make_source(void)
{
	run("test -e source.qcow2 || { qemu-img create -q -f qcow2 source.qcow2 64M &&"
	    " qemu-io -c 'write -P 5 1M 3M' -c 'write -P 9 60M 1M' source.qcow2 >/dev/null; }");
}

static void test_copy(void)
{
	static const struct {
		ImageCreate to;
		gboolean compressed;
	} cases[] = {
		{ { .format = IMAGE_QCOW2 }, FALSE },
		{ { .format = IMAGE_QCOW2, .cluster_size = 4096 }, FALSE },
		{ { .format = IMAGE_QCOW2, .size = 80 * MIB }, FALSE },
		{ { .format = IMAGE_QCOW2 }, TRUE },
		{ { .format = IMAGE_RAW }, FALSE },
		{ { .format = IMAGE_RAW, .size = 80 * MIB }, FALSE },
		{ { .format = IMAGE_VMDK }, FALSE },
		{ { .format = IMAGE_VDI }, FALSE },
		{ { .format = IMAGE_VHDX }, FALSE },
	};
	make_source();
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *format = enum_name(&image_formats, (int)cases[i].to.format);
		g_autofree char *from = in_folder("source.qcow2"), *to = in_folder("copy");
		g_autoptr(GError) error = NULL;
		Told told = { 0 };
		const ImageWork work = { .progress = on_progress, .data = &told };
		ImageCopy how = { .from = from, .from_format = IMAGE_QCOW2, .to = cases[i].to,
				  .compressed = cases[i].compressed };
		how.to.path = to;
		how.to.work = &work;
		g_assert_true(image_copy(&how, &error));
		g_assert_no_error(error);
		g_assert_cmpuint(told.n, >, 0);
		g_autofree char *compare = g_strdup_printf(
			"qemu-img compare -q -f qcow2 -F %s source.qcow2 copy && "
			"qemu-img info --output=json -f %s copy | grep 'virtual-size\": %" G_GUINT64_FORMAT
			"' && rm copy",
			format, format, how.to.size ? how.to.size : 64 * MIB);
		run(compare);
		assert_left("lodge-part", "0");
	}
}

/* A raw image with holes stays one; the same format is copied as it is, also one that is linked. */
static void test_copy_holes(void)
{
	run("rm -f holes.raw && truncate -s 256M holes.raw && "
	    "printf hello | dd of=holes.raw bs=1 seek=134217728 conv=notrunc status=none");
	g_autofree char *from = in_folder("holes.raw"), *to = in_folder("holes.copy");
	g_autoptr(GError) error = NULL;
	const ImageCopy how = { .from = from, .from_format = IMAGE_RAW, .to = { .path = to } };
	g_assert_true(image_copy(&how, &error));
	g_assert_no_error(error);
	run("cmp holes.raw holes.copy");
	struct stat st;
	g_assert_cmpint(stat(to, &st), ==, 0);
	g_assert_cmpint(st.st_blocks * 512, <=, 1 << 20);
	g_assert_false(image_copy(&how, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
}

static void test_copy_linked(void)
{
	make_source();
	run("qemu-img create -q -f qcow2 -b source.qcow2 -F qcow2 linked.qcow2 && "
	    "qemu-io -c 'write -P 1 0 64k' linked.qcow2 >/dev/null");
	g_autofree char *from = in_folder("linked.qcow2"), *to = in_folder("whole.qcow2"),
			*again = in_folder("again.qcow2");
	g_autoptr(GError) error = NULL;
	ImageCopy how = { .from = from, .from_format = IMAGE_QCOW2, .to = { .path = to } };
	g_assert_true(image_copy(&how, &error));
	g_assert_no_error(error);
	run("qemu-img compare -q linked.qcow2 whole.qcow2 && ! qemu-img info whole.qcow2 | grep backing");
	how.to = (ImageCreate){ .path = again, .format = IMAGE_QCOW2, .backing = "source.qcow2",
				.backing_format = IMAGE_QCOW2 };
	g_assert_true(image_copy(&how, &error));
	g_assert_no_error(error);
	run("qemu-img compare -q linked.qcow2 again.qcow2 && "
	    "qemu-img info again.qcow2 | grep -q 'backing file: source.qcow2' && "
	    "test $(stat -c %s again.qcow2) -lt 1000000");
}

static void test_copy_cancel(void)
{
	make_source();
	static const ImageFormat formats[] = { IMAGE_QCOW2, IMAGE_RAW };
	for (guint i = 0; i < 2; i++) {
		g_autofree char *from = in_folder("source.qcow2"), *to = in_folder("cancelled");
		g_autoptr(GError) error = NULL;
		g_autoptr(GCancellable) cancel = g_cancellable_new();
		Told told = { .cancel = cancel };
		const ImageWork work = { .progress = on_progress, .data = &told, .cancel = cancel };
		ImageCopy how = { .from = from, .from_format = IMAGE_QCOW2, .reflink = IMAGE_REFLINK_NEVER,
				  .to = { .path = to, .format = formats[i], .work = &work } };
		if (i) /* qemu-img may be done before it is told: cancelled before it begins */
			g_cancellable_cancel(cancel);
		g_assert_false(image_copy(&how, &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_ABORTED);
		assert_left("cancelled", "0");
		assert_left("lodge-part", "0");
	}
}

/* ---- parts ---- */

static void test_parts(void)
{
	g_autofree char *path = in_folder("part"), *gone = NULL;
	g_autoptr(GError) error = NULL;
	g_auto(ImagePart) part = { .fd = -1 };
	g_assert_true(image_part_begin(path, TRUE, &part, &error));
	g_assert_true(g_file_set_contents(part.temp, "x", 1, NULL));
	g_assert_cmpuint(image_parts_clean(folder), ==, 0); /* ours, and we live */
	/* the same of a process that is no more */
	g_auto(GStrv) words = g_strsplit(strrchr(part.folder, '/') + 1 + strlen(IMAGE_PART_PREFIX), "-", -1);
	gone = g_strdup_printf("%s/" IMAGE_PART_PREFIX "%s-%s-1-0", folder, words[0], words[1]);
	g_assert_cmpint(g_mkdir(gone, 0700), ==, 0);
	g_autofree char *inside = g_build_filename(gone, "disk", NULL);
	g_assert_true(g_file_set_contents(inside, "x", 1, NULL));
	g_assert_cmpuint(image_parts_clean(folder), ==, 1);
	g_assert_false(g_file_test(gone, G_FILE_TEST_EXISTS));
	g_assert_true(image_part_finish(&part, FALSE, IMAGE_FLUSH_FIRST, &error));
	g_assert_no_error(error);
	g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	assert_left("lodge-part", "0");
	g_assert_true(image_part_begin(path, FALSE, &part, &error));
	g_assert_false(image_part_finish(&part, FALSE, IMAGE_FLUSH_FIRST, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_true(image_part_begin(path, FALSE, &part, &error));
	g_assert_cmpint(write(part.fd, "new", 3), ==, 3);
	g_assert_true(image_part_finish(&part, TRUE, IMAGE_FLUSH_FIRST, &error));
	g_assert_no_error(error);
	run("test \"$(cat part)\" = new");
	assert_left("lodge-part", "0");
}

/* ---- resize, wipe ---- */

static void test_resize(void)
{
	static const ImageFormat formats[] = { IMAGE_RAW, IMAGE_QCOW2 };
	for (guint i = 0; i < 2; i++) {
		const char *format = enum_name(&image_formats, (int)formats[i]);
		g_autofree char *path = in_folder("resized");
		g_autoptr(GError) error = NULL;
		g_unlink(path);
		ImageCreate how = { .path = path, .format = formats[i], .size = 4 * MIB };
		g_assert_true(image_make(&how, &error));
		ImageResize resize = { .path = path, .format = formats[i], .size = 8 * MIB };
		g_assert_true(image_resize(&resize, &error));
		g_assert_no_error(error);
		resize.size = MIB;
		g_assert_false(image_resize(&resize, &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
		g_clear_error(&error);
		resize.shrink = TRUE;
		g_assert_true(image_resize(&resize, &error));
		g_assert_no_error(error);
		g_autofree char *line = g_strdup_printf("qemu-img info -f %s resized", format);
		g_autofree char *info = shell(line);
		g_assert_nonnull(strstr(info, "(1048576 bytes)"));
	}
}

static void test_wipe(void)
{
	for (int algorithm = IMAGE_WIPE_ZERO; algorithm <= IMAGE_WIPE_TRIM; algorithm++) {
		if (algorithm == IMAGE_WIPE_PFITZNER7 || algorithm == IMAGE_WIPE_PFITZNER33)
			continue; /* as random, but for long */
		run("yes secret | head -c 20001 >wiped; truncate -s 1M wiped");
		g_autofree char *path = in_folder("wiped");
		g_autoptr(GError) error = NULL;
		Told told = { 0 };
		const ImageWork work = { .progress = on_progress, .data = &told };
		gboolean ok = image_wipe(path, (ImageWipe)algorithm, &work, &error);
		if (g_error_matches(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED))
			continue; /* a file system without holes */
		g_assert_no_error(error);
		g_assert_true(ok);
		run("test $(stat -c %s wiped) = 1048576 && ! grep -aq secret wiped");
	}
	g_autofree char *zero = shell("yes x | head -c 70000 >wiped; cat wiped | wc -c");
	g_autofree char *path = in_folder("wiped");
	g_assert_true(image_wipe(path, IMAGE_WIPE_ZERO, NULL, NULL));
	run("cmp -n 70000 wiped /dev/zero && test $(stat -c %s wiped) = 70000");
	g_assert_true(image_wipe(path, IMAGE_WIPE_BSI, NULL, NULL));
	run("test $(tr -d '\\177' <wiped | wc -c) = 0");
}

/* ---- locks ---- */

static void test_locks(void)
{
	make_source();
	g_autofree char *path = in_folder("source.qcow2");
	g_autoptr(GError) error = NULL;
	autofd int reader = open(path, O_RDONLY | O_CLOEXEC), other = open(path, O_RDWR | O_CLOEXEC);
	g_assert_true(image_lock(reader, path, IMAGE_USE_READ, &error));
	g_assert_no_error(error);
	/* somebody else may read */
	g_assert_true(image_lock_check(other, path, IMAGE_USE_READ, &error));
	run("qemu-img info source.qcow2 && qemu-io -r -c 'read 0 512' source.qcow2");
	g_assert_false(image_lock(other, path, IMAGE_USE_WRITE, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
	g_autofree char *self = g_strdup_printf("process %d", getpid());
	g_assert_nonnull(strstr(error->message, self));
	g_clear_error(&error);
	run("! qemu-io -c 'write 0 512' source.qcow2 2>&1 | grep -q wrote");
	fd_clear(&reader);
	g_assert_true(image_lock(other, path, IMAGE_USE_WRITE, &error));
	g_assert_no_error(error);
	run("! qemu-io -r -c 'read 0 512' source.qcow2 2>/dev/null");
	const ImageResize resize = { .path = path, .format = IMAGE_QCOW2, .size = 99 * MIB };
	g_assert_false(image_resize(&resize, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
	fd_clear(&other);
	g_assert_true(image_lock_check_path(path, IMAGE_USE_WRITE, NULL));
}

/* ---- transfers ---- */

static void test_transfer(void)
{
	run("truncate -s 4M volume");
	g_autofree char *path = in_folder("volume");
	g_autoptr(GError) error = NULL;
	ImageTransfer *up = image_upload(path, MIB, 2 * MIB, &error);
	g_assert_no_error(error);
	g_autofree char *bytes = g_strnfill(MIB, 'x');
	g_assert_true(image_transfer_write(up, bytes, 65536, &error));
	g_assert_true(image_transfer_skip(up, MIB, &error));
	g_assert_true(image_transfer_write(up, bytes, 65536, &error));
	g_assert_cmpuint(image_transfer_left(up), ==, MIB - 131072);
	g_assert_false(image_transfer_write(up, bytes, MIB, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_clear_error(&error);
	g_assert_true(image_transfer_end(up, FALSE, &error));
	g_autofree char *count = shell("tr -d '\\0' <volume | wc -c; stat -c %s volume");
	g_assert_cmpstr(count, ==, "131072\n4194304\n");
	ImageTransfer *down = image_download(path, 0, 0, &error);
	guint64 holes = 0, data = 0;
	for (;;) {
		gboolean is_data;
		guint64 length;
		g_assert_true(image_transfer_next(down, &is_data, &length, &error));
		if (length == 0)
			break;
		if (!is_data) {
			holes += length;
			g_assert_true(image_transfer_skip(down, length, &error));
			continue;
		}
		gssize n = image_transfer_read(down, bytes, (gsize)MIN(length, MIB), &error);
		g_assert_cmpint(n, >, 0);
		data += (guint64)n;
	}
	g_assert_cmpuint(holes + data, ==, 4 * MIB);
	g_assert_cmpuint(data, >=, 131072);
	g_assert_true(image_transfer_end(down, FALSE, &error));
	down = image_download(path, 5 * MIB, 0, &error); /* nothing, as with libvirt */
	g_assert_cmpuint(image_transfer_left(down), ==, 0);
	g_assert_true(image_transfer_end(down, FALSE, &error));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("lodge-image-XXXXXX", NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(made); i++) {
		g_autofree char *name = g_strdup_printf("/image/create/%s", made[i].name);
		g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_create);
	}
	g_test_add_func("/image/create/refused", test_create_refused);
	g_test_add_func("/image/create/encrypted", test_encrypted);
	g_test_add_func("/image/copy/formats", test_copy);
	g_test_add_func("/image/copy/holes", test_copy_holes);
	g_test_add_func("/image/copy/linked", test_copy_linked);
	g_test_add_func("/image/copy/cancel", test_copy_cancel);
	g_test_add_func("/image/parts", test_parts);
	g_test_add_func("/image/resize", test_resize);
	g_test_add_func("/image/wipe", test_wipe);
	g_test_add_func("/image/locks", test_locks);
	g_test_add_func("/image/transfer", test_transfer);
	int result = g_test_run();
	file_remove_tree(folder, NULL);
	g_free(folder);
	return result;
}

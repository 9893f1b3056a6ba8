/* Tests of image/chain and image/overlay: chains as qemu-img makes them, ours as qemu-img judges
 * them, and what is refused. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "image/chain.h"
#include "image/overlay.h"
#include "image/trust.h"

static char *folder;

static char *in_folder(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

/* A shell command in the folder that must succeed; its output is the caller's. */
static char *shell(const char *command)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	char *out = NULL;
	g_autofree char *err = NULL;
	int status = -1;
	g_autoptr(GError) error = NULL;
	g_assert_true(g_spawn_sync(folder, (char **)argv, NULL, 0, NULL, NULL, &out, &err, &status,
				   &error));
	g_assert_no_error(error);
	if (status != 0)
		g_test_message("%s: %s%s", command, out, err);
	g_assert_cmpint(status, ==, 0);
	return out;
}

static void run(const char *command)
{
	g_autofree char *out = shell(command);
}

static GPtrArray *chain_of(const char *name, ImageFormat format, GError **error)
{
	g_autofree char *path = in_folder(name);
	return image_chain(path, format, error);
}

/* The chain of @name must fail with @code, naming each of @says. */
static void refused(const char *name, LodgeError code, const char *const *says)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) links = chain_of(name, IMAGE_QCOW2, &error);
	g_assert_null(links);
	g_assert_error(error, LODGE_ERROR, (int)code);
	for (; *says; says++)
		if (!strstr(error->message, *says))
			g_error("\"%s\" does not say \"%s\"", error->message, *says);
}
#define REFUSED(name, code, ...) refused(name, code, (const char *const[]){ __VA_ARGS__, NULL })

static void test_three(void)
{
	run("qemu-img create -q -f raw base.raw 64M && mkdir -p sub && "
	    "qemu-img create -q -f qcow2 -b ../base.raw -F raw sub/mid.qcow2 && "
	    "qemu-img create -q -f qcow2 -b sub/mid.qcow2 -F qcow2 top.qcow2 96M");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) links = chain_of("top.qcow2", 0, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(links->len, ==, 3);
	static const struct {
		const char *end;
		ImageFormat format;
		guint64 mib;
	} want[] = { { "/top.qcow2", IMAGE_QCOW2, 96 },
		     { "/sub/mid.qcow2", IMAGE_QCOW2, 64 },
		     { "/base.raw", IMAGE_RAW, 64 } };
	for (guint i = 0; i < links->len; i++) {
		const ImageLink *l = g_ptr_array_index(links, i);
		g_assert_true(g_str_has_suffix(l->path, want[i].end));
		g_assert_cmpint(l->format, ==, want[i].format);
		g_assert_cmpuint(l->size.v >> 20, ==, want[i].mib);
	}
}

/* A raw disk is raw, whatever its guest has written to its first sector. */
static void test_raw_is_believed(void)
{
	run("qemu-img create -q -f qcow2 evil.img 64M -b /etc/passwd -F raw 2>/dev/null || "
	    "qemu-img create -q -f qcow2 -u -b /etc/passwd -F raw evil.img 64M");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) links = chain_of("evil.img", IMAGE_RAW, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(links->len, ==, 1);
	const ImageLink *only = g_ptr_array_index(links, 0);
	g_assert_cmpint(only->format, ==, IMAGE_RAW);
}

static void test_unsaid_format(void)
{
	run("qemu-img create -q -f raw plain.raw 1M && qemu-img create -q -f qcow2 simple.qcow2 1M "
	    "&& "
	    "qemu-img create -q -f qcow2 -b simple.qcow2 -F qcow2 linked.qcow2 && "
	    "for base in plain.raw simple.qcow2 linked.qcow2; do "
	    "qemu-img create -q -f qcow2 -o compat=0.10 -u -b $base -F raw on-$base 1M && "
	    /* the extension that says the format becomes the end of the extensions */
	    "printf '\\0\\0\\0\\0' | dd of=on-$base bs=1 seek=72 conv=notrunc status=none; done");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) raw = chain_of("on-plain.raw", IMAGE_QCOW2, &error);
	g_autoptr(GPtrArray) qcow2 = chain_of("on-simple.qcow2", IMAGE_QCOW2, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(raw->len, ==, 2);
	g_assert_cmpuint(qcow2->len, ==, 2);
	REFUSED("on-linked.qcow2", LODGE_ERROR_INVALID, "/on-linked.qcow2\"", "/linked.qcow2\"",
		"qemu-img rebase -u -F qcow2");
}

static void test_refused(void)
{
	run("qemu-img create -q -f qcow2 -u -b gone.qcow2 -F qcow2 orphan.qcow2 1M && "
	    "qemu-img create -q -f qcow2 -u -b orphan.qcow2 -F qcow2 child.qcow2 1M && "
	    "qemu-img create -q -f qcow2 -u -b b.qcow2 -F qcow2 a.qcow2 1M && "
	    "qemu-img create -q -f qcow2 -u -b ./a.qcow2 -F qcow2 b.qcow2 1M && "
	    "qemu-img create -q -f qcow2 -u -b nbd://host/disk -F raw nbd.qcow2 1M && "
	    "qemu-img create -q -f qcow2 -u -b 'json:{\"driver\":\"null-co\"}' -F raw json.qcow2 "
	    "1M && "
	    "qemu-img create -q -f qcow2 -u -b a.qcow2 -F raw bochs.qcow2 1M && "
	    "printf bch | dd of=bochs.qcow2 bs=1 seek=120 conv=notrunc status=none && "
	    "head -c 65536 /dev/zero >zero.qcow2");
	REFUSED("child.qcow2", LODGE_ERROR_NOT_FOUND, "/orphan.qcow2\"", "/gone.qcow2\"");
	REFUSED("a.qcow2", LODGE_ERROR_INVALID, "/a.qcow2\"", "its own backing file");
	REFUSED("nbd.qcow2", LODGE_ERROR_UNSUPPORTED, "/nbd.qcow2\"", "nbd://host/disk",
		"qemu-img convert");
	REFUSED("json.qcow2", LODGE_ERROR_UNSUPPORTED, "json:{");
	REFUSED("bochs.qcow2", LODGE_ERROR_UNSUPPORTED, "\"bch\"");
	REFUSED("zero.qcow2", LODGE_ERROR_INVALID, "/zero.qcow2\"", "raw");
	REFUSED("none.qcow2", LODGE_ERROR_NOT_FOUND, "/none.qcow2\"");
}

static void test_depth(void)
{
	run("qemu-img create -q -f qcow2 deep-0.qcow2 1M");
	for (int i = 1; i <= IMAGE_CHAIN_MAX; i++) {
		g_autofree char *below = g_strdup_printf("deep-%d.qcow2", i - 1);
		g_autofree char *name = g_strdup_printf("deep-%d.qcow2", i);
		g_autofree char *path = in_folder(name);
		g_autoptr(GError) error = NULL;
		g_assert_true(image_create_overlay(path, below, IMAGE_QCOW2, 0, &error));
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) links = chain_of("deep-199.qcow2", 0, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(links->len, ==, IMAGE_CHAIN_MAX);
	REFUSED("deep-200.qcow2", LODGE_ERROR_UNSUPPORTED, "more than 200");
}

static void test_data_file(void)
{
	run("qemu-img create -q -f qcow2 -o data_file=there.raw with.qcow2 1M && "
	    "qemu-img create -q -f qcow2 -o data_file=lost.raw without.qcow2 1M && rm lost.raw");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) links = chain_of("with.qcow2", 0, &error);
	g_assert_no_error(error);
	const ImageLink *only = g_ptr_array_index(links, 0);
	g_assert_true(g_str_has_suffix(only->data_file, "/there.raw"));
	REFUSED("without.qcow2", LODGE_ERROR_NOT_FOUND, "/without.qcow2\"", "/lost.raw\"");
}

/* Our empty images are right in the eyes of qemu-img, from one sector to a pebibyte. */
static void test_create(gconstpointer data)
{
	guint64 size = *(const guint64 *)data;
	g_autofree char *name = g_strdup_printf("new-%" G_GUINT64_FORMAT ".qcow2", size);
	g_autofree char *path = in_folder(name);
	g_autoptr(GError) error = NULL;
	g_assert_true(image_create(path, size, &error));
	g_assert_no_error(error);
	g_autofree char *check =
		g_strdup_printf("qemu-img check -q %s && qemu-img info %s", name, name);
	g_autofree char *out = shell(check);
	g_autofree char *want = g_strdup_printf("(%" G_GUINT64_FORMAT " bytes)", size);
	g_assert_nonnull(strstr(out, want));
	struct stat st;
	g_assert_cmpint(g_stat(path, &st), ==, 0);
	g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
	g_assert_cmpuint((guint64)st.st_blocks * 512, <=, 128 * 1024);
}

static void test_overlay(void)
{
	run("qemu-img create -q -f raw disk.raw 32M && "
	    "printf hello | dd of=disk.raw bs=1 seek=1048576 conv=notrunc status=none");
	g_autofree char *path = in_folder("over.qcow2");
	g_autoptr(GError) error = NULL;
	g_assert_true(image_create_overlay(path, "disk.raw", IMAGE_RAW, 64 << 20, &error));
	g_assert_no_error(error);
	run("qemu-img check -q over.qcow2");
	/* reads go below, writes stay above, the part beyond the base is zero */
	g_autofree char *out =
		shell("qemu-io -c 'read -v 1M 5' over.qcow2 && "
		      "qemu-io -c 'write -P 7 1M 64k' -c 'read -P 7 1M 64k' "
		      "-c 'read -P 0 40M 64k' over.qcow2 && qemu-img check -q over.qcow2");
	g_assert_nonnull(strstr(out, "hello"));
	g_assert_null(strstr(out, "Pattern verification failed"));
	g_autofree char *info = shell("qemu-img info --backing-chain over.qcow2; "
				      "dd if=disk.raw bs=1 skip=1048576 count=5 status=none");
	g_assert_nonnull(strstr(info, "backing file format: raw"));
	g_assert_true(g_str_has_suffix(info, "hello"));
}

static void test_overlay_refused(void)
{
	run("qemu-img create -q -f raw small.raw 32M && echo mine >taken.qcow2");
	static const struct {
		const char *name, *backing;
		ImageFormat format;
		guint64 size;
		LodgeError code;
	} cases[] = {
		{ "taken.qcow2", "small.raw", IMAGE_RAW, 0, LODGE_ERROR_EXISTS },
		{ "x.qcow2", "small.raw", IMAGE_RAW, 16 << 20, LODGE_ERROR_INVALID },
		{ "x.qcow2", "small.raw", 0, 0, LODGE_ERROR_INVALID },
		{ "x.qcow2", "small.raw", IMAGE_QCOW2, 0, LODGE_ERROR_INVALID },
		{ "x.qcow2", "none.raw", IMAGE_RAW, 0, LODGE_ERROR_NOT_FOUND },
		{ "x.qcow2", "nbd:unix:/x", IMAGE_RAW, 0, LODGE_ERROR_UNSUPPORTED },
		{ "x.qcow2", "small.raw", IMAGE_RAW, G_MAXUINT64, LODGE_ERROR_INVALID },
		{ "no/x.qcow2", "../small.raw", IMAGE_RAW, 0, LODGE_ERROR_NOT_FOUND },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = in_folder(cases[i].name);
		g_autoptr(GError) error = NULL;
		g_assert_false(image_create_overlay(path, cases[i].backing, cases[i].format,
						    cases[i].size, &error));
		g_assert_error(error, LODGE_ERROR, (int)cases[i].code);
	}
	g_autofree char *kept =
		shell("cat taken.qcow2; ls -A | grep -c -e x.qcow2 -e lodge-image || :");
	g_assert_cmpstr(kept, ==, "mine\n0\n");
}

/* A header alone never leads to a file anywhere: only who made the link, or who said what the folder is
 * for, lets it. */
static void test_trust(void)
{
	run("mkdir -p one/below two && echo secret >two/shadow && truncate -s 1M two/shadow &&"
	    "cp two/shadow one/below/mine && ln -s ../two/shadow one/alias");
	static const struct {
		const char *backing;
		gboolean ok;
	} cases[] = {
		{ "below/mine", TRUE },	    { "../one/below/mine", TRUE }, { "../two/shadow", FALSE },
		{ "./alias", FALSE },	    { "/etc/shadow", FALSE },	   { "file:/etc/passwd", FALSE },
		{ "/dev/null", FALSE },
	};
	image_distrust_folder(folder);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *command = g_strdup_printf(
			"rm -f one/up.qcow2; qemu-img create -q -u -f qcow2 -b %s -F raw one/up.qcow2 1M",
			cases[i].backing);
		run(command);
		g_autofree char *path = in_folder("one/up.qcow2");
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) links = image_chain(path, IMAGE_QCOW2, &error);
		g_assert_true((links != NULL) == cases[i].ok);
		if (!cases[i].ok)
			g_assert_error(error, LODGE_ERROR, LODGE_ERROR_DENIED);
	}
	/* what Lodge links itself, it follows; not when the header was changed since */
	g_autofree char *made = in_folder("one/made.qcow2");
	g_autoptr(GError) error = NULL;
	g_assert_true(image_create_overlay(made, "../two/shadow", IMAGE_RAW, 0, &error));
	g_assert_no_error(error);
	g_autoptr(GPtrArray) links = image_chain(made, IMAGE_QCOW2, &error);
	g_assert_no_error(error);
	run("qemu-img rebase -u -f qcow2 -b /etc/shadow -F raw one/made.qcow2");
	g_assert_null(image_chain(made, IMAGE_QCOW2, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_DENIED);
	g_assert_nonnull(strstr(error->message, "/etc/shadow"));
	image_trust_folder(folder);
}

int main(int argc, char **argv)
{
	static const guint64 sizes[] = { 512, 1 << 20, (guint64)10 << 30, (guint64)5 << 40,
					 (guint64)1 << 50 };
	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("lodge-image-XXXXXX", NULL);
	image_trust_folder(folder);
	g_test_add_func("/image/chain/trust", test_trust);
	g_test_add_func("/chain/three", test_three);
	g_test_add_func("/chain/raw-is-believed", test_raw_is_believed);
	g_test_add_func("/chain/unsaid-format", test_unsaid_format);
	g_test_add_func("/chain/refused", test_refused);
	g_test_add_func("/chain/depth", test_depth);
	g_test_add_func("/chain/data-file", test_data_file);
	for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *name =
			g_strdup_printf("/overlay/create/%" G_GUINT64_FORMAT, sizes[i]);
		g_test_add_data_func(name, &sizes[i], test_create);
	}
	g_test_add_func("/overlay/linked", test_overlay);
	g_test_add_func("/overlay/refused", test_overlay_refused);
	int failed = g_test_run();
	run("rm -rf \"$PWD\"");
	g_free(folder);
	return failed;
}

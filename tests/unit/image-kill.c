/* kill -9 at each step: what makes or changes images and files is run again and again, and killed before the
 * first system call that changes the disk, before the second (a write: in the middle of it), and so on, until
 * it comes through. After each kill nothing is half there under its name, what was there before is unharmed,
 * what is left over is known as such and goes, and the same can be done again.
 *
 * The linker leads the calls of all rooms here (--wrap in meson.build). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/file.h"
#include "host/flush.h"
#include "image/copy.h"
#include "image/lease.h"
#include "image/resize.h"
#include "image/transfer.h"
#include "image/wipe.h"
#include "ops/upload_mark.h"

#define KIB 1024u
#define MIB (KIB * KIB)
#define STEPS_MAX 1000

/* ---- the steps ---- */

static int left; /* steps until the kill; 0: never */

static gboolean is_last(void)
{
	return left > 0 && --left == 0;
}

static G_NORETURN void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void step(void)
{
	if (is_last())
		die();
}

/* @of is the call's own words, @with those that are passed on. */
#define WRAP(type, name, of, with)                                                                 \
	type __real_##name of;                                                                     \
	type __wrap_##name of;                                                                     \
	type __wrap_##name of                                                                      \
	{                                                                                          \
		step();                                                                            \
		return __real_##name with;                                                         \
	}

WRAP(int, ftruncate64, (int fd, off_t size), (fd, size))
WRAP(int, fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
WRAP(int, posix_fallocate64, (int fd, off_t at, off_t n), (fd, at, n))
WRAP(int, link, (const char *from, const char *to), (from, to))
WRAP(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
     (a, from, b, to, flags))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t n, int flags),
     (fd, name, value, n, flags))

/* Those that may be done by half. */
#define WRAP_WRITE(name, of, with, half)                                                           \
	ssize_t __real_##name of;                                                                  \
	ssize_t __wrap_##name of;                                                                  \
	ssize_t __wrap_##name of                                                                   \
	{                                                                                          \
		if (!is_last())                                                                    \
			return __real_##name with;                                                 \
		(void)!__real_##name half;                                                         \
		die();                                                                             \
	}

WRAP_WRITE(write, (int fd, const void *bytes, size_t n), (fd, bytes, n), (fd, bytes, n / 2))
WRAP_WRITE(pwrite64, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at),
	   (fd, bytes, n / 2, at))
WRAP_WRITE(copy_file_range, (int a, off_t *from, int b, off_t *to, size_t n, unsigned flags),
	   (a, from, b, to, n, flags), (a, from, b, to, n / 2, flags))

/* Opening changes the disk where it makes or empties a file. */
static mode_t mode_of(int flags, va_list words)
{
	gboolean makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
	if (makes || flags & O_TRUNC)
		step();
	return makes ? va_arg(words, mode_t) : 0;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list words;
	va_start(words, flags);
	mode_t mode = mode_of(flags, words);
	va_end(words);
	return __real_open64(path, flags, mode);
}

int __real_openat64(int at, const char *path, int flags, ...);
int __wrap_openat64(int at, const char *path, int flags, ...);
int __wrap_openat64(int at, const char *path, int flags, ...)
{
	va_list words;
	va_start(words, flags);
	mode_t mode = mode_of(flags, words);
	va_end(words);
	return __real_openat64(at, path, flags, mode);
}

/* ---- the walk ---- */

static char *folder;

typedef struct Walk {
	const char *names;		 /* that may be in the folder afterwards, each with a blank behind */
	void (*prepare)(void);		 /* in an empty folder */
	gboolean (*act)(GError **error); /* in a child that may be killed */
	void (*judge)(gboolean whole);	 /* after that */
	const char *again; /* a file that would be in the way of a second time; or NULL */
} Walk;

static char *in_folder(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static void put(const char *name, const guint8 *bytes, gsize n)
{
	g_autofree char *path = in_folder(name);
	g_assert_true(g_file_set_contents_full(path, (const char *)bytes, (gssize)n, G_FILE_SET_CONTENTS_NONE,
					       0600, NULL));
}

static GBytes *get(const char *name)
{
	g_autofree char *path = in_folder(name);
	char *bytes;
	gsize n;
	return g_file_get_contents(path, &bytes, &n, NULL) ? g_bytes_new_take(bytes, n) : NULL;
}

static void check_names(const char *names)
{
	DIR *dir = opendir(folder);
	for (struct dirent *at; (at = readdir(dir));) {
		g_autofree char *word = g_strconcat(at->d_name, " ", NULL);
		if (image_is_lease_candidate(at->d_name)) /* goes after a day: another host's, perhaps */
			continue;
		if (!g_str_equal(at->d_name, ".") && !g_str_equal(at->d_name, "..") && !strstr(names, word))
			g_error("\"%s\" is left over", at->d_name);
	}
	closedir(dir);
}

/* TRUE: it was killed. */
static gboolean act_in_child(const Walk *walk, int steps)
{
	int status = 0;
	pid_t pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		g_autoptr(GError) error = NULL;
		g_random_set_seed((guint32)getpid()); /* or each child would make the same names */
		left = steps;
		gboolean ok = walk->act(&error);
		left = 0;
		if (!ok)
			g_printerr("%s\n", error ? error->message : "it failed");
		_exit(ok ? 0 : 1);
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

static void look(const Walk *walk, gboolean whole)
{
	image_parts_clean(folder);
	check_names(walk->names);
	walk->judge(whole);
}

static void run_walk(gconstpointer data)
{
	const Walk *walk = data;
	gboolean killed = TRUE;
	int n = 0;
	while (killed && n++ < STEPS_MAX) {
		folder = g_dir_make_tmp("lodge-kill-XXXXXX", NULL);
		walk->prepare();
		killed = act_in_child(walk, n);
		look(walk, !killed);
		g_autofree char *again = walk->again ? in_folder(walk->again) : NULL;
		if (again)
			unlink(again);
		g_assert_false(act_in_child(walk, 0));
		look(walk, TRUE);
		g_assert_true(file_remove_tree(folder, NULL));
		g_clear_pointer(&folder, g_free);
	}
	g_test_message("killed at %d steps", n - 1);
	g_assert_false(killed);
	g_assert_cmpint(n, >, 2); /* the calls do come here */
}

/* ---- images ---- */

static guint8 data[MIB]; /* half of it zeros */

static void nothing(void)
{
}

static void put_source(void)
{
	put("source", data, sizeof data);
}

static void check_source(void)
{
	g_autoptr(GBytes) now = get("source");
	g_assert_true(now && g_bytes_get_size(now) == sizeof data &&
		      !memcmp(g_bytes_get_data(now, NULL), data, sizeof data));
}

static gboolean create(GError **error)
{
	g_autofree char *path = in_folder("image");
	const ImageCreate how = { .path = path, .format = IMAGE_QCOW2, .size = 64 * MIB };
	return image_make(&how, error);
}

static gboolean create_linked(GError **error)
{
	g_autofree char *path = in_folder("image"), *source = in_folder("source");
	const ImageCreate how = { .path = path, .format = IMAGE_QCOW2, .backing = source,
				  .backing_format = IMAGE_RAW, .mode = 0640 };
	return image_make(&how, error);
}

static gboolean create_full(GError **error)
{
	g_autofree char *path = in_folder("image");
	const ImageCreate how = { .path = path, .format = IMAGE_RAW, .size = MIB,
				  .preallocation = IMAGE_PREALLOC_FULL };
	return image_make(&how, error);
}

/* Whoever has the name is whole: a header that says all, or all bytes. */
static void judge_qcow2(gboolean whole)
{
	g_autoptr(GBytes) now = get("image");
	g_assert_true(now || !whole);
	if (now)
		g_assert_true(g_bytes_get_size(now) >= 196616 && /* header, tables of counts, first table */
			      !memcmp(g_bytes_get_data(now, NULL), "QFI\xfb", 4));
}

static void judge_linked(gboolean whole)
{
	check_source();
	judge_qcow2(whole);
}

static void judge_full(gboolean whole)
{
	g_autoptr(GBytes) now = get("image");
	g_assert_true(now || !whole);
	g_assert_true(!now || g_bytes_get_size(now) == MIB);
}

static gboolean copy(GError **error)
{
	g_autofree char *path = in_folder("image"), *source = in_folder("source");
	const ImageCopy how = { .from = source, .from_format = IMAGE_RAW, .to = { .path = path } };
	return image_copy(&how, error);
}

static void judge_copy(gboolean whole)
{
	check_source();
	g_autoptr(GBytes) source = get("source"), now = get("image");
	g_assert_true(now ? g_bytes_equal(now, source) : !whole);
}

static gboolean grow(GError **error)
{
	g_autofree char *source = in_folder("source");
	const ImageResize how = { .path = source, .format = IMAGE_RAW, .size = 2 * MIB,
				  .preallocation = IMAGE_PREALLOC_FALLOC };
	return image_resize(&how, error);
}

static void judge_grown(gboolean whole)
{
	g_autoptr(GBytes) now = get("source");
	g_assert_true(now && g_bytes_get_size(now) >= (whole ? 2 : 1) * MIB);
	g_assert_true(!memcmp(g_bytes_get_data(now, NULL), data, sizeof data));
}

static gboolean wipe(GError **error)
{
	g_autofree char *source = in_folder("source");
	return image_wipe(source, IMAGE_WIPE_ZERO, NULL, error);
}

static void judge_wiped(gboolean whole)
{
	static const guint8 zeros[MIB];
	g_autoptr(GBytes) now = get("source");
	g_assert_true(now && g_bytes_get_size(now) == MIB);
	g_assert_true(!whole || !memcmp(g_bytes_get_data(now, NULL), zeros, MIB));
}

/* ---- uploads ---- */

#define UPLOAD (17 * MIB)

static gboolean upload(GError **error)
{
	g_autofree char *path = in_folder("source");
	const Paths paths = { .run = folder };
	ImageTransfer *transfer = image_upload(path, 0, 0, error);
	if (!transfer)
		return FALSE;
	UploadMark *mark = upload_mark_new(&paths, path, image_transfer_fd(transfer), 0);
	gboolean ok = TRUE;
	for (guint at = 0; ok && at < UPLOAD; at += MIB) {
		ok = at == 2 * MIB ? image_transfer_skip(transfer, MIB, error) :
				     image_transfer_write(transfer, data, MIB, error);
		upload_mark_reach(mark, image_transfer_at(transfer));
	}
	upload_mark_end(mark, ok, image_transfer_at(transfer));
	return image_transfer_end(transfer, !ok, ok ? error : NULL) && ok;
}

/* What is said to be there is there. */
static void judge_upload(gboolean whole)
{
	g_autofree char *path = in_folder("source");
	const Paths paths = { .run = folder };
	guint64 there = whole ? UPLOAD : upload_mark_at(&paths, path);
	g_autoptr(GBytes) now = get("source");
	const guint8 *bytes = g_bytes_get_data(now, NULL);
	g_assert_cmpuint(g_bytes_get_size(now), >=, there);
	g_assert_true(!whole || upload_mark_at(&paths, path) == 0);
	for (guint64 at = 0; at < there; at += MIB)
		g_assert_true(at == 2 * MIB ? !bytes[at] && !memcmp(bytes + at, bytes + at + 1, MIB - 1) :
					      !memcmp(bytes + at, data, MIB));
}

/* ---- files and leases ---- */

static void put_old(void)
{
	put("file", (const guint8 *)"old", 3);
}

static gboolean replace(GError **error)
{
	g_autofree char *path = in_folder("file");
	return file_write(path, "new content", 11, 0600, FILE_DURABLE, error);
}

static void judge_replaced(gboolean whole)
{
	g_autoptr(GBytes) now = get("file");
	gsize n;
	const char *text = g_bytes_get_data(now, &n);
	g_assert_true((n == 11 && !memcmp(text, "new content", n)) ||
		      (!whole && n == 3 && !memcmp(text, "old", n)));
}

static gboolean lease(GError **error)
{
	g_autofree char *path = in_folder("source");
	g_autoptr(ImageLease) held = image_lease_take(path, "a test", error);
	return held && image_lease_beat(held) == LEASE_KEPT;
}

/* Who was killed holds it no more. */
static void judge_lease(G_GNUC_UNUSED gboolean whole)
{
	g_autofree char *path = in_folder("source");
	g_autoptr(GError) error = NULL;
	g_assert_true(image_lease_check(path, &error));
	g_assert_no_error(error);
}

/* What nobody can say who made goes after a day. */
static void test_old_candidate(void)
{
	const char *const name = ".source.lease.29546a7f-38a2-46bf-badb-50a3e8d7143d";
	const struct timespec long_ago[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	folder = g_dir_make_tmp("lodge-kill-XXXXXX", NULL);
	g_autofree char *path = in_folder(name), *lease_path = in_folder(".source.lease");
	put(name, data, 10);
	put(".source.lease", data, 10);
	g_assert_cmpuint(image_parts_clean(folder), ==, 0);
	g_assert_cmpint(utimensat(AT_FDCWD, path, long_ago, 0), ==, 0);
	g_assert_cmpint(utimensat(AT_FDCWD, lease_path, long_ago, 0), ==, 0);
	g_assert_cmpuint(image_parts_clean(folder), ==, 1);
	g_assert_cmpint(g_access(path, F_OK), <, 0);
	g_assert_cmpint(g_access(lease_path, F_OK), ==, 0);
	g_assert_true(file_remove_tree(folder, NULL));
	g_clear_pointer(&folder, g_free);
}

/* Flushing waits where that is safe, unless it is told not to. */
static void test_flush_first(void)
{
	folder = g_dir_make_tmp("lodge-kill-XXXXXX", NULL);
	put_source();
	g_autofree char *path = in_folder("source");
	int fd = g_open(path, O_RDWR, 0);
	gboolean may = flush_may_wait(fd);
	flush_first(TRUE);
	g_assert_false(flush_may_wait(fd));
	flush_first(FALSE);
	g_assert_cmpint(flush_may_wait(fd), ==, may);
	close(fd);
	g_assert_true(file_remove_tree(folder, NULL));
	g_clear_pointer(&folder, g_free);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		Walk walk;
	} walks[] = {
		{ "/kill/create", { "image ", nothing, create, judge_qcow2, "image" } },
		{ "/kill/linked", { "image source ", put_source, create_linked, judge_linked, "image" } },
		{ "/kill/create-full", { "image ", nothing, create_full, judge_full, "image" } },
		{ "/kill/copy", { "image source ", put_source, copy, judge_copy, "image" } },
		{ "/kill/resize", { "source ", put_source, grow, judge_grown, NULL } },
		{ "/kill/wipe", { "source ", put_source, wipe, judge_wiped, NULL } },
		{ "/kill/upload", { "source uploads ", put_source, upload, judge_upload, NULL } },
		{ "/kill/file", { "file file.new ", put_old, replace, judge_replaced, NULL } },
		{ "/kill/lease", { "source .source.lease ", put_source, lease, judge_lease, NULL } },
	};
	g_test_init(&argc, &argv, NULL);
	for (guint i = 0; i < sizeof data / 2; i++)
		data[i] = (guint8)(i * 7 + i / 251 + 1);
	for (guint i = 0; i < G_N_ELEMENTS(walks); i++)
		g_test_add_data_func(walks[i].path, &walks[i].walk, run_walk);
	g_test_add_func("/kill/flush-first", test_flush_first);
	g_test_add_func("/kill/old-candidate", test_old_candidate);
	return g_test_run();
}

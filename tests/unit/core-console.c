/* Tests of core/: consoles, from ring to readers, writers and watches; and the ring by itself. */
#include "base/error.h"
#include "core-world.h"
#include "core/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING (256 * 1024)

static void turn(void)
{
	for (guint i = 0; i < 5; i++) {
		while (g_main_context_iteration(NULL, FALSE))
			;
		g_usleep(1000);
	}
}

/* The guest prints: as much as the pty takes at a time, the loop turning between. */
static void print(const char *name, const char *text, gsize length)
{
	int far = fake_console(name);
	while (length) {
		ssize_t n = write(far, text, MIN(length, 4096));
		if (n > 0) {
			text += n;
			length -= (gsize)n;
		}
		while (g_main_context_iteration(NULL, FALSE))
			;
	}
	turn();
}

static void say(const char *name, const char *text)
{
	print(name, text, strlen(text));
	for (guint i = 0; i < 4; i++)
		turn(); /* a pty hands on what it is given when the kernel finds time to */
}

/* What a reader gets; the loop turns until @wanted bytes have come, and nothing more comes. */
static GString *drink(int fd, gsize wanted)
{
	GString *all = g_string_new(NULL);
	char buffer[8192];
	gint64 limit = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	for (guint dry = 0; dry < 3 || (all->len < wanted && g_get_monotonic_time() < limit);) {
		ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
		turn();
		if (n > 0)
			g_string_append_len(all, buffer, n);
		else
			dry++;
	}
	return all;
}

static void assert_reads(int fd, const char *expected)
{
	GString *got = drink(fd, strlen(expected));
	g_assert_cmpstr(got->str, ==, expected);
	g_string_free(got, TRUE);
}

static gboolean is_closed(int fd)
{
	char byte;
	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static int open_console(CoreGuest *guest, guint flags, gboolean *writable)
{
	g_autoptr(GError) error = NULL;
	int fd = core_console_open(guest, NULL, flags, writable, &error);
	g_assert_no_error(error);
	turn();
	return fd;
}

/* What the guest got of what was typed. */
static char *typed(const char *name)
{
	char buffer[4096];
	ssize_t n = 0;
	for (guint i = 0; i < 12000 && n <= 0; i++) {
		turn();
		n = read(fake_console(name), buffer, sizeof buffer);
	}
	return g_strndup(buffer, n > 0 ? (gsize)n : 0);
}

/* ---- ring ---- */

static void test_ring(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-ring-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "ring", NULL);
	g_autofree char *block = g_malloc(10007);
	g_autofree char *buffer = g_malloc(RING);
	Ring *ring = ring_open(path, NULL);
	guint64 at = 0, put = 0;
	for (guint i = 0; i < 100; i++) {
		memset(block, 'a' + (int)(i % 26), 10007);
		ring_put(ring, block, 10007);
		put += 10007;
	}
	g_assert_cmpuint(ring_end(ring), ==, put);
	/* a late one begins with the oldest that is left */
	guint64 first = 0, count = 0;
	for (gsize n; (n = ring_get(ring, &at, buffer, 5000)); count += n) {
		if (!first)
			first = at - n;
		for (gsize i = 0; i < n; i++)
			g_assert_cmpint(buffer[i], ==, 'a' + (int)((at - n + i) / 10007 % 26));
	}
	g_assert_cmpuint(first, ==, put - RING);
	g_assert_cmpuint(count, ==, RING);
	g_assert_cmpuint(at, ==, put);
	ring_free(ring);
	/* what an earlier daemon put is there */
	ring = ring_open(path, NULL);
	g_assert_cmpuint(ring_end(ring), ==, put);
	at = put - 3;
	g_assert_cmpuint(ring_get(ring, &at, buffer, RING), ==, 3);
	ring_free(ring);
	g_unlink(path);
	g_rmdir(folder);
}

/* More than a ring at once. */
static void test_ring_of_one_big_piece(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-ring-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "ring", NULL);
	g_autofree char *big = g_malloc(RING * 2 + 5);
	memset(big, 'x', RING * 2);
	memcpy(big + RING * 2, "tail!", 5);
	Ring *ring = ring_open(path, NULL);
	ring_put(ring, big, RING * 2 + 5);
	char buffer[16];
	guint64 at = RING * 2;
	g_assert_cmpuint(ring_get(ring, &at, buffer, sizeof buffer), ==, 5);
	g_assert_cmpint(memcmp(buffer, "tail!", 5), ==, 0);
	ring_free(ring);
	g_unlink(path);
	g_rmdir(folder);
}

/* A file that is no ring, or whose count cannot be, is an empty one. */
static void test_broken_ring(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-ring-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "ring", NULL);
	char buffer[64];
	static const guint64 heads[][2] = { { 1, 2 },
					    { G_GUINT64_CONSTANT(0x31676e6972676c), 1000 },
					    { G_GUINT64_CONSTANT(0x31676e6972676c), G_MAXUINT64 - 3 } };
	for (guint i = 0; i < G_N_ELEMENTS(heads); i++) {
		g_assert_true(g_file_set_contents(path, (const char *)heads[i], sizeof heads[i], NULL));
		Ring *ring = ring_open(path, NULL);
		guint64 at = 0;
		g_assert_cmpuint(ring_end(ring), ==, 0);
		ring_put(ring, "hello", 5);
		g_assert_cmpuint(ring_get(ring, &at, buffer, sizeof buffer), ==, 5);
		ring_free(ring);
	}
	g_unlink(path);
	g_rmdir(folder);
}

/* The console of a guest whose ring had no room showed nothing any more. */
static void test_ring_on_a_full_disk(void)
{
	char buffer[64];
	Ring *ring = ring_open("/dev/full", NULL);
	ring_put(ring, "hello ", 6);
	guint64 at = 0;
	g_assert_cmpuint(ring_get(ring, &at, buffer, sizeof buffer), ==, 6);
	g_assert_cmpint(memcmp(buffer, "hello ", 6), ==, 0);
	ring_put(ring, "world", 5);
	g_assert_cmpuint(ring_get(ring, &at, buffer, sizeof buffer), ==, 5);
	g_assert_cmpint(memcmp(buffer, "world", 5), ==, 0);
	ring_free(ring);
}

/* ---- readers and writers ---- */

static void test_read_and_write(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_define(&world, "web1");
	g_assert_cmpint(core_console_open(guest, NULL, 0, NULL, &error), ==, -1);
	assert_code(error, LODGE_ERROR_STATE);
	world_start(guest, &error);
	world_settle(&world);
	g_assert_cmpint(core_console_open(guest, "serial9", 0, NULL, &error), ==, -1);
	assert_code(error, LODGE_ERROR_NOT_FOUND);
	say("web1", "boot ");
	gboolean writable = FALSE;
	int late = open_console(guest, 0, &writable);
	g_assert_true(writable);
	assert_reads(late, "boot ");
	int quiet = open_console(guest, CONSOLE_NO_HISTORY | CONSOLE_READ_ONLY, &writable);
	g_assert_false(writable);
	say("web1", "done");
	assert_reads(late, "done");
	assert_reads(quiet, "done");
	g_assert_cmpint(send(late, "ls\r", 3, 0), ==, 3);
	g_assert_cmpint(send(quiet, "rm\r", 3, 0), ==, 3);
	g_autofree char *got = typed("web1");
	g_assert_cmpstr(got, ==, "ls\r");
	close(late);
	close(quiet);
	turn();
	say("web1", "nobody reads");
	world_close(&world);
}

static void test_forced_writer(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	gboolean a_writes, b_writes, c_writes, d_writes;
	int a = open_console(guest, 0, &a_writes), b = open_console(guest, 0, &b_writes);
	int c = open_console(guest, CONSOLE_FORCE, &c_writes);
	g_assert_true(a_writes && !b_writes && c_writes);
	send(a, "a", 1, 0);
	send(b, "b", 1, 0);
	send(c, "c", 1, 0);
	g_autofree char *got = typed("web1");
	g_assert_cmpstr(got, ==, "c");
	close(c);
	turn();
	int d = open_console(guest, 0, &d_writes);
	g_assert_true(d_writes);
	say("web1", "all");
	assert_reads(a, "all");
	assert_reads(b, "all");
	assert_reads(d, "all");
	close(a);
	close(b);
	close(d);
	world_close(&world);
}

/* One that never reads holds up nobody, and loses only the oldest. */
static void test_slow_reader(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	int slow = open_console(guest, 0, NULL), quick = open_console(guest, 0, NULL);
	g_autofree char *line = g_malloc(4096);
	gsize seen = 0;
	for (guint i = 0; i < 300; i++) { /* 1.2 MB */
		memset(line, 'a' + (int)(i % 26), 4096);
		print("web1", line, 4096);
		char buffer[65536];
		for (ssize_t n; (n = recv(quick, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
			seen += (gsize)n;
	}
	GString *rest = drink(quick, 300 * 4096 - seen);
	g_assert_cmpuint(seen + rest->len, ==, 300 * 4096);
	g_string_free(rest, TRUE);
	GString *all = drink(slow, RING);
	g_assert_cmpuint(all->len, >=, RING);
	g_assert_cmpuint(all->len, <, 300 * 4096);
	g_assert_cmpint(all->str[all->len - 1], ==, 'a' + 299 % 26);
	g_string_free(all, TRUE);
	close(slow);
	close(quick);
	world_close(&world);
}

/* The guest does not read: what is typed waits, nothing is lost, nothing turns in circles. */
static void test_guest_that_does_not_read(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	int fd = open_console(guest, 0, NULL);
	g_autoptr(GString) sent = g_string_new(NULL);
	for (guint i = 0; i < 40000; i++)
		g_string_append_printf(sent, "%c", 'a' + (char)(i % 26));
	gsize put = 0;
	g_autoptr(GString) got = g_string_new(NULL);
	gint64 limit = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	while (got->len < sent->len && g_get_monotonic_time() < limit) {
		ssize_t n = send(fd, sent->str + put, sent->len - put, MSG_DONTWAIT);
		put += n > 0 ? (gsize)n : 0;
		turn();
		char buffer[4096];
		while ((n = read(fake_console("web1"), buffer, sizeof buffer)) > 0)
			g_string_append_len(got, buffer, n);
	}
	g_assert_cmpstr(got->str, ==, sent->str);
	close(fd);
	world_close(&world);
}

/* The last words reach who waits, then the stream ends. */
static void test_guest_ends_while_reader_waits(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	int fd = open_console(guest, 0, NULL);
	say("web1", "Power down.");
	fake_say_ended("web1", REASON_SHUTDOWN, NULL);
	world_settle(&world);
	char buffer[64];
	ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
	g_assert_cmpint(n, ==, 11);
	g_assert_true(is_closed(fd));
	close(fd);
	/* the next run begins with an empty ring */
	world_start(guest, NULL);
	world_settle(&world);
	int next = open_console(guest, 0, NULL);
	assert_reads(next, "");
	close(next);
	world_close(&world);
}

static void test_history_over_a_restart(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	say("web1", "before ");
	world_restart(&world);
	world_settle(&world);
	say("web1", "after");
	g_autoptr(CoreGuest) later = world_find(&world, "web1");
	int fd = open_console(later, 0, NULL);
	assert_reads(fd, "before after");
	close(fd);
	world_close(&world);
}

/* A guest that ended while no daemon was here left its ring: its next run began with it. */
static void test_no_history_of_an_old_run(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	say("web1", "old");
	world_crash(&world);
	fake_dies_alone("web1", REASON_CRASHED);
	world_begin(&world);
	world_settle(&world);
	g_autofree char *folder = world_path(&world, "run/consoles");
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	g_assert_null(g_dir_read_name(dir));
	g_autoptr(CoreGuest) later = world_find(&world, "web1");
	world_start(later, NULL);
	world_settle(&world);
	int fd = open_console(later, 0, NULL);
	assert_reads(fd, "");
	close(fd);
	world_close(&world);
}

/* ---- watches ---- */

typedef struct Found {
	CoreGuest *guest;
	guint yes, no, others[2];
} Found;

static void on_found(gboolean found, gpointer data)
{
	Found *f = data;
	if (found)
		f->yes++;
	else
		f->no++;
}

static guint watch(CoreGuest *guest, const char *text, ConsoleFoundFn fn, Found *found)
{
	g_autoptr(GError) error = NULL;
	guint id = core_console_watch(guest, NULL, text, fn, found, &error);
	g_assert_no_error(error);
	return id;
}

static void test_watch(void)
{
	World world;
	world_open(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	say("web1", "boot... ");
	Found past = { 0 }, over = { 0 }, never = { 0 }, taken = { 0 };
	watch(guest, "boot", on_found, &past);
	g_assert_cmpuint(past.yes, ==, 1);
	watch(guest, "login: ", on_found, &over);
	watch(guest, "panic", on_found, &never);
	guint id = watch(guest, "login: ", on_found, &taken);
	core_console_unwatch(guest, id);
	say("web1", "debian lo");
	say("web1", "gin");
	g_assert_cmpuint(over.yes, ==, 0);
	say("web1", ": ");
	g_assert_cmpuint(over.yes, ==, 1);
	g_assert_cmpuint(core_console_watch(guest, NULL, "", on_found, &past, &error), ==, 0);
	assert_code(error, LODGE_ERROR_INVALID);
	fake_say_ended("web1", REASON_SHUTDOWN, NULL);
	world_settle(&world);
	g_assert_cmpuint(never.no, ==, 1);
	g_assert_cmpuint(taken.yes + taken.no, ==, 0);
	world_close(&world);
}

static void on_found_unwatch_others(gboolean found, gpointer data)
{
	Found *f = data;
	on_found(found, data);
	core_console_unwatch(f->guest, f->others[0]);
	core_console_unwatch(f->guest, f->others[1]);
	if (found)
		watch(f->guest, "anew", on_found, f);
}

/* The list was walked by number while what it called took others out of it. */
static void test_watch_that_ends_others(void)
{
	World world;
	world_open(&world);
	g_autoptr(CoreGuest) guest = world_run(&world, "web1");
	world_settle(&world);
	Found other = { 0 }, one = { .guest = guest }, last = { .guest = guest };
	one.others[0] = watch(guest, "never", on_found, &other);
	one.others[1] = watch(guest, "ready", on_found, &other);
	watch(guest, "read", on_found_unwatch_others, &one);
	say("web1", "read");
	g_assert_cmpuint(one.yes, ==, 1);
	say("web1", "y anew");
	g_assert_cmpuint(one.yes, ==, 2);
	g_assert_cmpuint(other.yes, ==, 0);
	/* the same at the guest's end */
	watch(guest, "x1", on_found_unwatch_others, &last);
	last.others[0] = watch(guest, "x2", on_found, &other);
	last.others[1] = watch(guest, "x3", on_found, &other);
	fake_say_ended("web1", REASON_SHUTDOWN, NULL);
	world_settle(&world);
	g_assert_cmpuint(last.no, ==, 1);
	world_close(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ring/wraps", test_ring);
	g_test_add_func("/ring/one-big-piece", test_ring_of_one_big_piece);
	g_test_add_func("/ring/broken", test_broken_ring);
	g_test_add_func("/ring/full-disk", test_ring_on_a_full_disk);
	g_test_add_func("/console/read-and-write", test_read_and_write);
	g_test_add_func("/console/forced-writer", test_forced_writer);
	g_test_add_func("/console/slow-reader", test_slow_reader);
	g_test_add_func("/console/guest-that-does-not-read", test_guest_that_does_not_read);
	g_test_add_func("/console/guest-ends-while-reader-waits", test_guest_ends_while_reader_waits);
	g_test_add_func("/console/history-over-a-restart", test_history_over_a_restart);
	g_test_add_func("/console/no-history-of-an-old-run", test_no_history_of_an_old_run);
	g_test_add_func("/console/watch", test_watch);
	g_test_add_func("/console/watch-that-ends-others", test_watch_that_ends_others);
	return g_test_run();
}

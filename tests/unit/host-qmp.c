/* Tests of host/qmp: against a peer of our own that misbehaves, and against a real QEMU. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/process.h"
#include "host/qmp-frames.h"
#include "host/qmp.h"
#include "host/socket.h"
#include "host/spawn.h"

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 9, \"minor\": 2, \"major\": 7}}, "         \
	"\"capabilities\": [\"oob\"]}}\r\n"
#define READY GREETING "{\"return\": {}, \"id\": 0}\r\n"

/* ---- framing ---- */

static void count(G_GNUC_UNUSED json_t *message, gpointer data)
{
	++*(guint *)data;
}

static void test_frames_in_any_pieces(void)
{
	static const char text[] = "{\"a\":1}\r\n\r\n{\"b\":\"x\\ny\"}\n{\"c\":[]}\n{\"half\":";
	for (gsize piece = 1; piece < sizeof text; piece++) {
		QmpFrames frames = { 0 };
		guint n = 0;
		for (gsize at = 0; at < sizeof text - 1; at += piece)
			g_assert_true(qmp_frames_feed(&frames, text + at,
						      MIN(piece, sizeof text - 1 - at), count, &n,
						      NULL));
		g_assert_cmpuint(n, ==, 3);
		qmp_frames_clear(&frames);
	}
}

static void test_frames_refuse_rubbish(void)
{
	static const char *const cases[] = { "rubbish\n", "[1]\n", "{\n", "{}{}\n", "\xff\xfe\n" };
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		QmpFrames frames = { 0 };
		guint n = 0;
		g_autoptr(GError) error = NULL;
		g_assert_false(
			qmp_frames_feed(&frames, cases[i], strlen(cases[i]), count, &n, &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_ENGINE);
		qmp_frames_clear(&frames);
	}
}

static void test_frames_are_bounded(void)
{
	g_autofree char *block = g_malloc(1024 * 1024);
	QmpFrames frames = { 0 };
	guint n = 0, fed = 0;
	memset(block, 'x', 1024 * 1024);
	while (fed < 20 && qmp_frames_feed(&frames, block, 1024 * 1024, count, &n, NULL))
		fed++;
	g_assert_cmpuint(fed, ==, 16);
	qmp_frames_clear(&frames);
	memset(block, '[', 100000);
	block[100000] = '\n';
	g_assert_false(qmp_frames_feed(&frames, block, 100001, count, &n, NULL));
	qmp_frames_clear(&frames);
}

static void test_big_numbers_become_reals(void)
{
	static const char text[] = "{\"u\":18446744073709551615,\"n\":-9223372036854775809,"
				   "\"i\":9223372036854775807,\"s\":\"18446744073709551615\"}";
	json_t *json = qmp_json_load(text, sizeof text - 1, NULL);
	g_assert_nonnull(json);
	g_assert_true(json_is_real(json_object_get(json, "u")));
	g_assert_cmpfloat(json_real_value(json_object_get(json, "u")), ==, 18446744073709551616.0);
	g_assert_true(json_is_real(json_object_get(json, "n")));
	g_assert_cmpint(json_integer_value(json_object_get(json, "i")), ==, G_MAXINT64);
	g_assert_cmpstr(json_string_value(json_object_get(json, "s")), ==, "18446744073709551615");
	json_decref(json);
}

/* ---- a peer of our own ---- */

typedef struct Peer {
	Qmp *qmp;
	int fd; /* the other end */
	guint events, closed, done;
	char *last;
} Peer;

static void on_event(const char *event, G_GNUC_UNUSED json_t *data, gint64 us, gpointer user)
{
	Peer *peer = user;
	peer->events++;
	g_free(peer->last);
	peer->last = g_strdup_printf("%s@%" G_GINT64_FORMAT, event, us);
}

static void on_closed(const GError *why, gpointer user)
{
	Peer *peer = user;
	peer->closed++;
	g_assert_nonnull(why);
}

static void on_done(gpointer user)
{
	((Peer *)user)->done++;
}

static const QmpHandlers handlers = { on_event, on_closed, on_done };

static void peer_open(Peer *peer, const char *says)
{
	int ends[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
	*peer = (Peer){ .fd = ends[1] };
	peer->qmp = qmp_new(ends[0], "guest \"web1\"", &handlers, peer, NULL);
	g_assert_nonnull(peer->qmp);
	g_assert_cmpint(write(peer->fd, says, strlen(says)), ==, (ssize_t)strlen(says));
}

static void peer_close(Peer *peer)
{
	qmp_unref(peer->qmp);
	gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	while (!peer->done && g_get_monotonic_time() < until)
		g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(peer->done, ==, 1);
	fd_clear(&peer->fd);
	g_free(peer->last);
}

/* Turns the main loop until *what reaches @value. */
static void turn_until(const guint *what, guint value)
{
	gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	while (*what < value && g_get_monotonic_time() < until)
		g_main_context_iteration(NULL, FALSE);
	g_assert_cmpuint(*what, ==, value);
}

static void say(const Peer *peer, const char *text)
{
	g_assert_cmpint(write(peer->fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static void test_answers_and_events(void)
{
	Peer peer;
	peer_open(&peer,
		  READY "{\"event\":\"STOP\",\"timestamp\":{\"seconds\":1,\"microseconds\":5}}\n"
			"{\"return\":{\"running\":true},\"id\":1}\n");
	g_autoptr(GError) error = NULL;
	json_t *status = qmp_call(peer.qmp, "query-status", NULL, 5000, &error);
	g_assert_no_error(error);
	g_assert_true(json_is_true(json_object_get(status, "running")));
	json_decref(status);
	g_assert_cmpuint(qmp_version(peer.qmp), ==, 70209);
	g_assert_cmpuint(peer.events, ==,
			 0); /* never on the caller's thread, here by chance main */
	turn_until(&peer.events, 1);
	g_assert_cmpstr(peer.last, ==, "STOP@1000005");
	say(&peer, "{\"event\":\"RESUME\"}\n"); /* nobody waits: the main loop reads */
	turn_until(&peer.events, 2);
	peer_close(&peer);
	g_assert_cmpuint(peer.closed, ==, 0); /* closed by us */
}

static void test_error_classes(void)
{
	static const struct {
		const char *class;
		LodgeError code;
	} cases[] = { { "CommandNotFound", LODGE_ERROR_UNSUPPORTED },
		      { "DeviceNotFound", LODGE_ERROR_NOT_FOUND },
		      { "GenericError", LODGE_ERROR_ENGINE } };
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		Peer peer;
		peer_open(&peer, READY);
		g_autofree char *text =
			g_strdup_printf("{\"error\":{\"class\":\"%s\",\"desc\":\"no\"},"
					"\"id\":1}\n",
					cases[i].class);
		say(&peer, text);
		g_autoptr(GError) error = NULL;
		g_assert_null(qmp_call(peer.qmp, "frob", NULL, 5000, &error));
		g_assert_error(error, LODGE_ERROR, (int)cases[i].code);
		g_assert_cmpstr(error->message, ==, "guest \"web1\": QEMU refuses frob: no");
		peer_close(&peer);
	}
}

static void expect_failure(const char *says, gboolean hang_up, LodgeError code)
{
	Peer peer;
	peer_open(&peer, says);
	if (hang_up)
		fd_clear(&peer.fd);
	g_autoptr(GError) error = NULL;
	guint limit_ms = code == LODGE_ERROR_TIMEOUT ? 300 : 60000;
	g_assert_null(qmp_call(peer.qmp, "query-status", NULL, limit_ms, &error));
	g_assert_error(error, LODGE_ERROR, (int)code);
	if (code != LODGE_ERROR_TIMEOUT) {
		g_assert_false(qmp_is_open(peer.qmp));
		turn_until(&peer.closed, 1);
		g_clear_error(&error);
		g_assert_null(qmp_call(peer.qmp, "again", NULL, 300, &error));
		g_assert_error(error, LODGE_ERROR, (int)code);
	}
	peer_close(&peer);
}

static void test_peer_misbehaves(void)
{
	expect_failure("SSH-2.0-OpenSSH\r\n", FALSE, LODGE_ERROR_ENGINE);
	expect_failure("{\"return\":{}}\n", FALSE, LODGE_ERROR_ENGINE);
	expect_failure(READY "{\"return\": rubbish}\n", FALSE, LODGE_ERROR_ENGINE);
	expect_failure(READY "{\"return\": {\"half", FALSE, LODGE_ERROR_TIMEOUT);
	expect_failure(READY "{\"return\": {\"half", TRUE, LODGE_ERROR_GONE);
	expect_failure("", TRUE, LODGE_ERROR_GONE);
	expect_failure(GREETING
		       "{\"error\":{\"class\":\"GenericError\",\"desc\":\"x\"},\"id\":0}\n",
		       FALSE, LODGE_ERROR_ENGINE);
	expect_failure(READY
		       "{\"return\":{},\"id\":99}\n{\"return\":{},\"id\":\"x\"}\n{\"id\":1}\n",
		       FALSE, LODGE_ERROR_TIMEOUT);
}

static gpointer write_forever(gpointer data)
{
	g_autofree char *block = g_malloc(1024 * 1024);
	memset(block, ' ', 1024 * 1024);
	int fd = GPOINTER_TO_INT(data);
	for (int i = 0; i < 20; i++)
		for (gsize done = 0; done < 1024 * 1024;) {
			ssize_t n = send(fd, block + done, 1024 * 1024 - done, MSG_NOSIGNAL);
			if (n <= 0)
				return NULL;
			done += (gsize)n;
		}
	return NULL;
}

static void test_peer_never_ends_its_line(void)
{
	Peer peer;
	peer_open(&peer, READY);
	GThread *writer = g_thread_new("writer", write_forever, GINT_TO_POINTER(peer.fd));
	g_autoptr(GError) error = NULL;
	g_assert_null(qmp_call(peer.qmp, "query-status", NULL, 20000, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_ENGINE);
	g_thread_join(writer);
	peer_close(&peer);
}

static void test_late_answer_is_dropped(void)
{
	Peer peer;
	peer_open(&peer, READY);
	g_autoptr(GError) error = NULL;
	g_assert_null(qmp_call(peer.qmp, "slow", NULL, 50, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_TIMEOUT);
	g_assert_cmpstr(error->message, ==,
			"guest \"web1\": QEMU did not answer slow within 0.05 s");
	say(&peer, "{\"return\":1,\"id\":1}\n{\"return\":2,\"id\":2}\n");
	g_clear_error(&error);
	json_t *two = qmp_call(peer.qmp, "fast", NULL, 5000, &error);
	g_assert_no_error(error);
	g_assert_cmpint(json_integer_value(two), ==, 2);
	json_decref(two);
	peer_close(&peer);
}

typedef struct Reply {
	guint n;
	json_int_t value;
	int code; /* of the error, -1: none */
} Reply;

static void on_reply(json_t *result, const GError *error, gpointer user)
{
	Reply *reply = user;
	reply->n++;
	reply->value = json_integer_value(result);
	reply->code = error ? error->code : -1;
}

static void test_asynchronous(void)
{
	Peer peer;
	Reply good = { 0 }, late = { 0 }, cut = { 0 }, after = { 0 };
	peer_open(&peer, READY);
	qmp_call_async(peer.qmp, "a", NULL, 60000, on_reply, &good);
	qmp_call_async(peer.qmp, "b", NULL, 20, on_reply, &late);
	qmp_call_async(peer.qmp, "c", NULL, 60000, on_reply, &cut);
	say(&peer, "{\"return\":7,\"id\":1}\n");
	turn_until(&good.n, 1);
	g_assert_cmpint(good.value, ==, 7);
	turn_until(&late.n, 1);
	g_assert_cmpint(late.code, ==, LODGE_ERROR_TIMEOUT);
	fd_clear(&peer.fd);
	turn_until(&cut.n, 1);
	g_assert_cmpint(cut.code, ==, LODGE_ERROR_GONE);
	qmp_call_async(peer.qmp, "d", NULL, 60000, on_reply, &after);
	turn_until(&after.n, 1);
	g_assert_cmpint(after.code, ==, LODGE_ERROR_GONE);
	peer_close(&peer);
	g_assert_cmpuint(good.n + late.n + cut.n + after.n, ==, 4);
}

/* A stopped QEMU reads nothing: commands wait in the queue, and go out when it reads again. */
static void test_peer_reads_late(void)
{
	Peer peer;
	Reply replies[8] = { 0 };
	g_autofree char *big = g_malloc0(512 * 1024);
	memset(big, 'b', 512 * 1024 - 1);
	peer_open(&peer, READY);
	for (guint i = 0; i < G_N_ELEMENTS(replies); i++)
		qmp_call_async(peer.qmp, "big", json_pack("{s:s}", "text", big), 60000, on_reply,
			       &replies[i]);
	fcntl(peer.fd, F_SETFL, O_NONBLOCK);
	gsize lines = 0;
	gint64 until = g_get_monotonic_time() + 60 * G_TIME_SPAN_SECOND;
	while (lines < 1 + G_N_ELEMENTS(replies) && g_get_monotonic_time() < until) {
		char buffer[65536];
		ssize_t n = read(peer.fd, buffer, sizeof buffer);
		for (ssize_t i = 0; i < n; i++)
			lines += buffer[i] == '\n';
		g_main_context_iteration(NULL, FALSE);
	}
	g_assert_cmpuint(lines, ==, 1 + G_N_ELEMENTS(replies));
	say(&peer, "{\"return\":1,\"id\":8}\n");
	turn_until(&replies[7].n, 1);
	peer_close(&peer);
	for (guint i = 0; i < G_N_ELEMENTS(replies); i++)
		g_assert_cmpuint(replies[i].n, ==, 1);
}

/* ---- a real QEMU ---- */

typedef struct Machine {
	Peer peer;
	SpawnChild child;
	char *folder;
} Machine;

/* With @extra as one more argument. */
static gboolean machine_start_with(Machine *machine, const char *extra)
{
	g_autofree char *program = g_find_program_in_path("qemu-system-x86_64");
	if (!program) {
		g_test_skip("there is no qemu-system-x86_64");
		return FALSE;
	}
	*machine = (Machine){ .folder = g_dir_make_tmp("lodge-qmp-XXXXXX", NULL) };
	g_autofree char *path = g_build_filename(machine->folder, "qmp.sock", NULL);
	g_autoptr(GError) error = NULL;
	autofd int listener = socket_listen(path, 0600, &error);
	g_assert_no_error(error);
	const char *const argv[] = { "qemu-system-x86_64",
				     "-nodefaults",
				     "-machine",
				     "none",
				     "-S",
				     "-display",
				     "none",
				     "-chardev",
				     "socket,id=mon,fd=7,server=on,wait=off",
				     "-mon",
				     "chardev=mon,mode=control",
				     extra,
				     NULL };
	const SpawnFd fds[] = { { listener, 7 } };
	g_assert_true(spawn(
		&(Spawn){
			.argv = argv,
			.fds = fds,
			.n_fds = 1,
		},
		&machine->child, &error));
	g_assert_no_error(error);
	machine->peer.fd = -1;
	machine->peer.qmp = qmp_connect(path, "guest \"real\"", &handlers, &machine->peer, &error);
	g_assert_no_error(error);
	return TRUE;
}

static gboolean machine_start(Machine *machine)
{
	return machine_start_with(machine, NULL);
}

static void machine_stop(Machine *machine)
{
	g_assert_true(process_kill_wait(machine->child.pidfd, 0, NULL));
	g_assert_cmpint(waitpid(machine->child.pid, NULL, 0), ==, machine->child.pid);
	close(machine->child.pidfd);
	peer_close(&machine->peer);
	g_autofree char *path = g_build_filename(machine->folder, "qmp.sock", NULL);
	unlink(path);
	rmdir(machine->folder);
	g_free(machine->folder);
}

static void test_real_calls(void)
{
	Machine machine;
	if (!machine_start(&machine))
		return;
	g_autoptr(GError) error = NULL;
	json_t *status = qmp_call(machine.peer.qmp, "query-status", NULL, 20000, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(json_string_value(json_object_get(status, "status")), ==, "prelaunch");
	json_decref(status);
	g_assert_cmpuint(qmp_version(machine.peer.qmp), >, 50000);
	g_assert_null(qmp_call(machine.peer.qmp, "frob", NULL, 5000, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	json_decref(qmp_call_fd(machine.peer.qmp, "getfd", json_pack("{s:s}", "fdname", "x"), null,
				5000, &error));
	g_assert_no_error(error);
	machine_stop(&machine);
}

/* The monitor was connected before QEMU looked at its arguments. */
static void test_real_refuses_to_start(void)
{
	Machine machine;
	if (!machine_start_with(&machine, "-no-such-option"))
		return;
	g_autoptr(GError) error = NULL;
	g_assert_null(qmp_call(machine.peer.qmp, "query-status", NULL, 20000, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_GONE);
	g_assert_cmpstr(error->message, ==,
			"guest \"real\": QEMU has closed its monitor: it ended");
	machine_stop(&machine);
}

static void test_real_batch(void)
{
	Machine machine;
	if (!machine_start(&machine))
		return;
	autofd int one = open("/dev/null", O_RDONLY | O_CLOEXEC);
	autofd int two = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	QmpItem items[] = {
		{ "query-status", .arguments = NULL },
		{ "frob", .arguments = NULL },
		{ "add-fd", json_pack("{s:i,s:s}", "fdset-id", 1, "opaque", "one"), .fd = one },
		{ "add-fd", json_pack("{s:i,s:s}", "fdset-id", 2, "opaque", "two"), .fd = two },
		{ "query-fdsets", .arguments = NULL },
	};
	g_autoptr(GError) error = NULL;
	g_assert_false(qmp_batch(machine.peer.qmp, items, G_N_ELEMENTS(items), 20000, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
	g_assert_nonnull(items[0].result);
	g_assert_null(items[1].result);
	g_assert_nonnull(items[2].result);
	g_assert_nonnull(items[3].result);
	g_assert_cmpuint(json_array_size(items[4].result), ==, 2);
	qmp_items_clear(items, G_N_ELEMENTS(items));
	machine_stop(&machine);
}

typedef struct Work {
	Qmp *qmp;
	guint calls;
	gint *failed, *ended;
} Work;

static gpointer call_much(gpointer data)
{
	Work *work = data;
	for (guint i = 0; i < work->calls; i++) {
		json_t *json = qmp_call(work->qmp, "query-status", NULL, 20000, NULL);
		if (!json)
			g_atomic_int_inc(work->failed);
		json_decref(json);
	}
	g_atomic_int_inc(work->ended);
	g_main_context_wakeup(NULL);
	return NULL;
}

enum { THREADS = 4 };

/* The main loop turns meanwhile and would read too. QEMU is killed after @kill_after_us, 0: not. */
static void call_from_threads(Work *work, const Machine *machine, gint64 kill_after_us)
{
	GThread *threads[THREADS];
	gint64 start = g_get_monotonic_time();
	*work->ended = 0;
	for (guint i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("caller", call_much, work);
	while (g_atomic_int_get(work->ended) < THREADS) {
		g_main_context_iteration(NULL, kill_after_us == 0);
		if (kill_after_us && g_get_monotonic_time() - start > kill_after_us) {
			g_assert_true(process_kill_wait(machine->child.pidfd, 0, NULL));
			kill_after_us = 0;
		}
	}
	for (guint i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
}

/* Several threads at once; then QEMU dies under them. */
static void test_real_threads(void)
{
	Machine machine;
	if (!machine_start(&machine))
		return;
	gint failed = 0, ended = 0;
	Work work = { machine.peer.qmp, 200, &failed, &ended };
	call_from_threads(&work, &machine, 0);
	g_assert_cmpint(failed, ==, 0);
	work.calls = 3000;
	call_from_threads(&work, &machine, 20000);
	g_assert_cmpint(failed, >, 0);
	turn_until(&machine.peer.closed, 1);
	machine_stop(&machine);
}

/* Says what one call costs; bench/ compares. */
static void test_latency(void)
{
	Machine machine;
	enum { CALLS = 1000 };
	if (!machine_start(&machine))
		return;
	json_decref(qmp_call(machine.peer.qmp, "query-status", NULL, 20000, NULL));
	gint failed = 0, ended = 0;
	gint64 start = g_get_monotonic_time();
	call_much(&(Work){ machine.peer.qmp, CALLS, &failed, &ended });
	gint64 ours = g_get_monotonic_time() - start;
	g_assert_cmpint(failed, ==, 0);
	g_test_message("%.1f us per call", (double)ours / CALLS);
	machine_stop(&machine);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/qmp/frames/pieces", test_frames_in_any_pieces);
	g_test_add_func("/host/qmp/frames/rubbish", test_frames_refuse_rubbish);
	g_test_add_func("/host/qmp/frames/bounded", test_frames_are_bounded);
	g_test_add_func("/host/qmp/frames/big-numbers", test_big_numbers_become_reals);
	g_test_add_func("/host/qmp/answers-and-events", test_answers_and_events);
	g_test_add_func("/host/qmp/error-classes", test_error_classes);
	g_test_add_func("/host/qmp/misbehaves", test_peer_misbehaves);
	g_test_add_func("/host/qmp/endless-line", test_peer_never_ends_its_line);
	g_test_add_func("/host/qmp/late-answer", test_late_answer_is_dropped);
	g_test_add_func("/host/qmp/asynchronous", test_asynchronous);
	g_test_add_func("/host/qmp/reads-late", test_peer_reads_late);
	g_test_add_func("/host/qmp/real/calls", test_real_calls);
	g_test_add_func("/host/qmp/real/refuses", test_real_refuses_to_start);
	g_test_add_func("/host/qmp/real/batch", test_real_batch);
	g_test_add_func("/host/qmp/real/threads", test_real_threads);
	g_test_add_func("/host/qmp/real/latency", test_latency);
	return g_test_run();
}

/* The HTTP door through real sockets, with verbs of this test's own: routes, bodies, limits, errors,
 * progress lines, clients that go away, streams. */
#include "base/fd.h"
#include "wire/rest/rest.h"

#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 60 /* seconds, for what has to come */

/* ---- verbs ---- */

typedef struct Args {
	ShapeHead head;
	char *name;
	OptInt count;
	char *xml;
} Args;

typedef struct Result {
	ShapeHead head;
	char *text;
} Result;

static const Row arg_rows[] = {
	STRING(Args, name, NULL),
	INT(Args, count, NULL, .min = 0, .max = 9),
	RAWXML(Args, xml, NULL),
};
static const Shape args_shape = SHAPE("test args", Args, arg_rows);
static const Row result_rows[] = { STRING(Result, text, NULL) };
static const Shape result_shape = SHAPE("test result", Result, result_rows);

static int stream_end = -1; /* the daemon's own end of the last stream */
static gboolean job_runs, job_cancelled; /* atomic: of another thread */

static gboolean echo(OpCall *call, G_GNUC_UNUSED GError **error)
{
	const Args *args = call->args;
	((Result *)call->result)->text =
		g_strdup_printf("%s/%s/%d", call->target ? call->target : "",
				args->xml ? args->xml : args->name ? args->name : "",
				(int)opt_int_or(args->count, -1));
	notes_add(&call->notes, "a note");
	return TRUE;
}

static gboolean work(OpCall *call, GError **error)
{
	g_atomic_int_set(&job_runs, TRUE);
	op_progress(call, 0.5, "half %s", "way");
	for (guint i = 0; i < PATIENCE * 100 && !g_cancellable_is_cancelled(call->cancel); i++) {
		if (((Args *)call->args)->count.v == 1 && i > 1)
			return TRUE;
		g_usleep(10000);
	}
	g_atomic_int_set(&job_cancelled, TRUE);
	return fail(error, LODGE_ERROR_ABORTED, "aborted");
}

static gboolean open_stream(OpCall *call, G_GNUC_UNUSED GError **error)
{
	int ends[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
	call->stream_fd = ends[0];
	stream_end = ends[1];
	return TRUE;
}

static const Op verbs[] = {
	{ .name = "echo", .family = "Test", .method = "GET", .route = "/v1/echo", .lane = OP_READ,
	  .perm = OP_PERM_READ, .args = &args_shape, .result = &result_shape, .doc = "d", .fn = echo },
	{ .name = "set", .family = "Test", .method = "POST", .route = "/v1/echo", .lane = OP_BESIDE,
	  .perm = OP_PERM_WRITE, .args = &args_shape, .result = &result_shape, .doc = "d", .fn = echo },
	{ .name = "work", .family = "Test", .method = "POST", .route = "/v1/work", .lane = OP_BESIDE,
	  .perm = OP_PERM_WRITE, .args = &args_shape, .is_job = TRUE, .doc = "d", .fn = work },
	{ .name = "stream", .family = "Test", .method = "GET", .route = "/v1/stream", .lane = OP_BESIDE,
	  .perm = OP_PERM_READ, .show = OP_SHOW_STREAM, .doc = "d", .fn = open_stream },
};
static const Op *const table[] = { &verbs[0], &verbs[1], &verbs[2], &verbs[3] };

/* ---- a client of one request ---- */

static void spin(guint ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;
	while (g_get_monotonic_time() < end)
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(200);
}

/* Turns the loop until @true_ is, which has to come. */
#define UNTIL(true_)                                                                               \
	G_STMT_START                                                                               \
	{                                                                                          \
		for (guint until_ = 0; until_ < PATIENCE * 1000 && !(true_); until_++)             \
			spin(1);                                                                   \
		g_assert_true(true_);                                                              \
	}                                                                                          \
	G_STMT_END

static int client_of(RestServer *server, gboolean read_only)
{
	int ends[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
	g_assert_true(rest_serve(server, ends[0], read_only));
	return ends[1];
}

static void send_bytes(int fd, const char *bytes, gsize length)
{
	while (length > 0) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			bytes += n;
			length -= (gsize)n;
		}
		g_main_context_iteration(NULL, FALSE);
	}
}

/* What came by the time that @until was seen, the server hung up or a minute went by. */
static char *receive(int fd, const char *until)
{
	GString *got = g_string_new(NULL);
	gint64 end = g_get_monotonic_time() + PATIENCE * G_USEC_PER_SEC;
	while (g_get_monotonic_time() < end && !strstr(got->str, until)) {
		char buffer[4096];
		ssize_t n = read(fd, buffer, sizeof buffer);
		if (n == 0)
			break;
		if (n > 0)
			g_string_append_len(got, buffer, n);
		else if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(200);
	}
	return g_string_free(got, FALSE);
}

/* Sends @request and expects @says in the reply. */
static void expect_from(gboolean read_only, const char *request, gsize length, const char *says)
{
	g_autoptr(RestServer) server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	autofd int fd = client_of(server, read_only);
	send_bytes(fd, request, length);
	g_autofree char *reply = receive(fd, says);
	if (!strstr(reply, says))
		g_error("\"%.200s\" is answered with \"%.600s\", not \"%s\"", request, reply, says);
}

static void expect(const char *request, const char *says)
{
	expect_from(FALSE, request, strlen(request), says);
}

/* ---- tests ---- */

static void test_routes(void)
{
	expect("GET /v1/echo?name=a%20b&count=3 HTTP/1.1\r\nHost: x\r\n\r\n",
	       "{\"text\":\"/a b/3\",\"warnings\":[\"a note\"]}\n");
	expect("GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found");
	expect("GET /v1/echo/ HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found");
	expect("DELETE /v1/echo HTTP/1.1\r\nHost: x\r\n\r\n", "Allow: GET, POST");
	expect("GET /v1/echo?what=3 HTTP/1.1\r\nHost: x\r\n\r\n", "no argument \\\"what\\\"");
	expect("GET /v1/echo?count=10 HTTP/1.1\r\nHost: x\r\n\r\n", "\"code\":\"invalid\"");
	expect("GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", "\"openapi\":\"3.1.0\"");
	expect("GET  HTTP/1.1\r\n\r\n", "400 ");
}

static void test_bodies(void)
{
	expect("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\n\r\n{\"name\":\"n\",\"count\":5}",
	       "\"text\":\"/n/5\"");
	expect("POST /v1/echo?count=2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\n"
	       "Content-Length: 4\r\n\r\n<a/>", "\"text\":\"/<a/>/2\"");
	expect("POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "6\r\n{\"name\r\n6\r\n\":\"c\"}\r\n0\r\n\r\n", "\"text\":\"/c/-1\"");
	expect("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{x}", "line 1, column 2");
	expect("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", "not a JSON object");
	expect("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"zap\":1}", "zap");
	expect("POST /v1/echo?count=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "choose one");
}

static void test_limits(void)
{
	expect("POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n", "413 ");
	g_autoptr(GString) big = g_string_new("POST /v1/echo HTTP/1.1\r\nHost: x\r\n"
					      "Transfer-Encoding: chunked\r\n\r\n900000\r\n");
	gsize head = big->len;
	g_string_set_size(big, head + 0x900000);
	memset(big->str + head, ' ', 0x900000);
	g_string_append(big, "\r\n0\r\n\r\n");
	expect_from(FALSE, big->str, big->len, "larger than 8 MiB");
	g_autoptr(GString) header = g_string_new("GET /v1/echo HTTP/1.1\r\nX: ");
	for (guint i = 0; i < 100000; i++)
		g_string_append_c(header, 'x');
	g_string_append(header, "\r\n\r\n");
	expect(header->str, "431 ");
	const char *nul = "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\n"
			  "Content-Length: 3\r\n\r\na\0b";
	expect_from(FALSE, nul, strlen(nul) + 2, "NUL byte");
}

static void test_read_only(void)
{
	const char *set = "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
	expect_from(TRUE, set, strlen(set), "403 ");
	const char *get = "GET /v1/echo HTTP/1.1\r\nHost: x\r\n\r\n";
	expect_from(TRUE, get, strlen(get), "200 OK");
}

static void test_keep_alive(void)
{
	g_autoptr(RestServer) server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	autofd int fd = client_of(server, FALSE);
	for (guint i = 0; i < 50; i++) {
		const char *get = i % 2 ? "GET /v1/echo HTTP/1.1\r\nHost: x\r\n\r\n" :
					  "POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
		send_bytes(fd, get, strlen(get));
		g_autofree char *reply = receive(fd, "a note\"]}\n");
		g_assert_nonnull(strstr(reply, "200 OK"));
	}
	g_assert_cmpuint(rest_count(server), ==, 1);
}

static void test_progress(void)
{
	expect("POST /v1/work?count=1 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n",
	       "{\"progress\":0.5,\"text\":\"half way\"}\n");
	expect("POST /v1/work?count=1 HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n\r\n",
	       "{\"result\":{}}\n");
	expect("POST /v1/work?count=1 HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n{}\n");
}

/* With and without progress lines, a client that goes away ends its job. */
static void test_gone(void)
{
	static const char *const accepts[] = { "", "Accept: application/x-ndjson\r\n" };
	for (guint i = 0; i < 2; i++) {
		g_autoptr(RestServer) server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
		int fd = client_of(server, FALSE);
		g_autofree char *request =
			g_strdup_printf("POST /v1/work HTTP/1.1\r\nHost: x\r\n%s\r\n", accepts[i]);
		g_atomic_int_set(&job_cancelled, FALSE);
		g_atomic_int_set(&job_runs, FALSE);
		send_bytes(fd, request, strlen(request));
		UNTIL(g_atomic_int_get(&job_runs));
		g_assert_cmpuint(rest_count(server), ==, 1);
		close(fd);
		UNTIL(g_atomic_int_get(&job_cancelled) && rest_count(server) == 0);
	}
}

/* The server ends under a running job; the job's end reaches nobody. */
static void test_server_ends(void)
{
	RestServer *server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	autofd int fd = client_of(server, FALSE);
	const char *request = "POST /v1/work HTTP/1.1\r\nHost: x\r\n\r\n";
	g_atomic_int_set(&job_runs, FALSE);
	send_bytes(fd, request, strlen(request));
	UNTIL(g_atomic_int_get(&job_runs));
	rest_free(server);
	spin(50);
}

#define ASK_STREAM                                                                                 \
	"GET /v1/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: lodge-stream\r\n\r\n"

static void test_stream(void)
{
	expect("GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n", "426 ");
	g_autoptr(RestServer) server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	autofd int fd = client_of(server, FALSE);
	send_bytes(fd, ASK_STREAM "early", strlen(ASK_STREAM "early"));
	g_autofree char *head = receive(fd, "\r\n\r\n");
	g_assert_nonnull(strstr(head, "101 "));
	char got[16] = "";
	UNTIL(recv(stream_end, got, sizeof got - 1, MSG_DONTWAIT | MSG_PEEK) == 5);
	g_assert_cmpint(recv(stream_end, got, sizeof got - 1, MSG_DONTWAIT), ==, 5);
	g_assert_cmpstr(got, ==, "early");
	send_bytes(stream_end, "down\n", 5);
	g_autofree char *down = receive(fd, "\n");
	g_assert_cmpstr(down, ==, "down\n");
	shutdown(fd, SHUT_WR); /* half closed: what comes back is still read */
	UNTIL(recv(stream_end, got, sizeof got, MSG_DONTWAIT) == 0);
	send_bytes(stream_end, "last\n", 5);
	close(stream_end);
	g_autofree char *last = receive(fd, "never");
	g_assert_cmpstr(last, ==, "last\n");
	UNTIL(rest_count(server) == 0);
}

/* A client that does not read is not read for, and what waits for it arrives in the end. */
static void test_slow_client(void)
{
	g_autoptr(RestServer) server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	autofd int fd = client_of(server, FALSE);
	send_bytes(fd, ASK_STREAM, strlen(ASK_STREAM));
	g_autofree char *head = receive(fd, "\r\n\r\n");
	static char block[65536];
	gsize sent = 0, got = 0;
	for (guint idle = 0; idle < 50;) {
		ssize_t n = send(stream_end, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (gsize)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		spin(1);
	}
	g_assert_cmpuint(sent, <, 4u << 20);
	close(stream_end);
	gint64 end = g_get_monotonic_time() + PATIENCE * G_USEC_PER_SEC;
	while (got < sent && g_get_monotonic_time() < end) {
		ssize_t n = read(fd, block, sizeof block);
		got += n > 0 ? (gsize)n : 0;
		g_main_context_iteration(NULL, FALSE);
	}
	g_assert_cmpuint(got, ==, sent);
}

static void test_stream_ends_with_server(void)
{
	RestServer *server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	autofd int fd = client_of(server, FALSE);
	send_bytes(fd, ASK_STREAM, strlen(ASK_STREAM));
	g_autofree char *head = receive(fd, "\r\n\r\n");
	rest_free(server);
	char byte;
	g_assert_cmpint(recv(stream_end, &byte, 1, MSG_DONTWAIT), ==, 0);
	close(stream_end);
}

/* The kernel's queue of a listening socket, and many clients at once. */
static void test_many_clients(void)
{
	g_autoptr(RestServer) server = rest_new(NULL, table, G_N_ELEMENTS(table), NULL);
	int fds[200];
	for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = client_of(server, FALSE);
	const char *get = "GET /v1/echo HTTP/1.1\r\nHost: x\r\n\r\n";
	for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
		send_bytes(fds[i], get, strlen(get));
	for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
		g_autofree char *reply = receive(fds[i], "a note");
		g_assert_nonnull(strstr(reply, "200 OK"));
		close(fds[i]);
	}
	UNTIL(rest_count(server) == 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rest/routes", test_routes);
	g_test_add_func("/rest/bodies", test_bodies);
	g_test_add_func("/rest/limits", test_limits);
	g_test_add_func("/rest/read-only", test_read_only);
	g_test_add_func("/rest/keep-alive", test_keep_alive);
	g_test_add_func("/rest/progress", test_progress);
	g_test_add_func("/rest/gone", test_gone);
	g_test_add_func("/rest/server-ends", test_server_ends);
	g_test_add_func("/rest/stream", test_stream);
	g_test_add_func("/rest/slow-client", test_slow_client);
	g_test_add_func("/rest/stream-server-ends", test_stream_ends_with_server);
	g_test_add_func("/rest/many", test_many_clients);
	return g_test_run();
}

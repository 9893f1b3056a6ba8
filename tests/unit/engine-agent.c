/* Tests of engine/agent: against an agent of our own that hangs, lies, floods, dies and answers late. */
#include <glib/gstdio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "engine/agent.h"
#include "host/socket.h"

typedef enum Manner {
	GOOD,
	HANGS,	      /* reads and says nothing */
	FLOODS,	      /* bytes without end, no greeting */
	RUBBISH,      /* greets, then answers with what is no JSON */
	HUGE_LINE,    /* greets, then one line of 20 MiB */
	DIES,	      /* greets, then goes away at the command */
	OLD_ANSWERS,  /* first those of an earlier talk */
	REFUSES,      /* the command is not there */
	SAYS_NOTHING, /* the command works silently; a ping is answered */
} Manner;

typedef struct Fake {
	char *folder, *path;
	int listener, stop[2];
	gint manner; /* atomic */
	gint connections, commands; /* atomic */
	GThread *thread;
} Fake;

static void put(int fd, const char *text)
{
	while (*text) {
		ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
		if (n <= 0)
			return;
		text += n;
	}
}

static void greet(int fd, Manner manner, const char *line)
{
	long id = strtol(strstr(line, "\"id\":") + 5, NULL, 10);
	g_autofree char *answer = g_strdup_printf("\xff{\"return\": %ld}\n", id);
	if (manner == OLD_ANSWERS)
		put(fd, "{\"return\": 7}\nhalf of an ans\xff{\"return\": 1}\n{\"return\": \"old\"}\n");
	put(fd, answer);
}

static void flood(int fd, gsize bytes)
{
	static char block[65536];
	memset(block, 'x', sizeof block);
	for (gsize sent = 0; sent < bytes;) {
		ssize_t n = send(fd, block, sizeof block, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		sent += (gsize)n;
	}
}

/* FALSE: it hangs up. */
static gboolean obey(Fake *fake, int fd, const char *line)
{
	Manner manner = (Manner)g_atomic_int_get(&fake->manner);
	if (manner == HANGS)
		return TRUE;
	if (manner == FLOODS) {
		flood(fd, G_MAXSIZE);
		return FALSE;
	}
	if (strstr(line, "guest-sync-delimited")) {
		greet(fd, manner, line);
		return TRUE;
	}
	g_atomic_int_inc(&fake->commands);
	if (strstr(line, "guest-ping") || manner == GOOD || manner == OLD_ANSWERS)
		put(fd, "{\"return\": {}}\n");
	else if (manner == RUBBISH)
		put(fd, "rubbish\n");
	else if (manner == HUGE_LINE)
		flood(fd, 20 * 1024 * 1024);
	else if (manner == REFUSES)
		put(fd, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no \\u001b[31mred\"}}\n");
	return manner != DIES;
}

static void serve(Fake *fake, int fd)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (;;) {
		char bytes[4096];
		struct pollfd fds[] = { { fd, POLLIN, 0 }, { fake->stop[0], POLLIN, 0 } };
		if (poll(fds, 2, -1) < 0 || fds[1].revents)
			return;
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);
		if (n <= 0)
			return;
		g_string_append_len(text, bytes, n);
		for (char *end; (end = strchr(text->str, '\n'));) {
			g_autofree char *line = g_strndup(text->str, (gsize)(end - text->str));
			g_string_erase(text, 0, end - text->str + 1);
			if (!obey(fake, fd, line))
				return;
		}
	}
}

static gpointer run_fake(gpointer data)
{
	Fake *fake = data;
	for (;;) {
		struct pollfd fds[] = { { fake->listener, POLLIN, 0 }, { fake->stop[0], POLLIN, 0 } };
		if (poll(fds, 2, -1) < 0 || fds[1].revents)
			return NULL;
		autofd int fd = accept(fake->listener, NULL, NULL);
		g_atomic_int_inc(&fake->connections);
		if (fd >= 0)
			serve(fake, fd);
	}
}

static void fake_open(Fake *fake, Manner manner)
{
	*fake = (Fake){ .manner = manner, .folder = g_dir_make_tmp("agent-XXXXXX", NULL) };
	fake->path = g_build_filename(fake->folder, "agent.sock", NULL);
	fake->listener = socket_listen(fake->path, 0600, NULL);
	g_assert_cmpint(fake->listener, >=, 0);
	g_assert_cmpint(pipe(fake->stop), ==, 0);
	fake->thread = g_thread_new("fake agent", run_fake, fake);
}

static void fake_close(Fake *fake)
{
	g_assert_cmpint(write(fake->stop[1], "", 1), ==, 1);
	g_thread_join(fake->thread);
	close(fake->stop[0]);
	close(fake->stop[1]);
	close(fake->listener);
	g_unlink(fake->path);
	g_rmdir(fake->folder);
	g_free(fake->path);
	g_free(fake->folder);
}

static json_t *call_with(Agent *agent, const Fake *fake, AgentCall call, GError **error)
{
	json_t *message = json_pack("{s:s}", "execute", "guest-do-it");
	call.message = message;
	if (!call.timeout_ms)
		call.timeout_ms = 1000;
	json_t *answer = agent_call(agent, fake->path, &call, error);
	json_decref(message);
	return answer;
}

static double seconds_since(gint64 begin)
{
	return (double)(g_get_monotonic_time() - begin) / 1e6;
}

/* ---- those that answer ---- */

static void test_one_connection_for_many_calls(void)
{
	Fake fake;
	fake_open(&fake, GOOD);
	Agent *agent = agent_new();
	for (guint i = 0; i < 100; i++) {
		g_autoptr(GError) error = NULL;
		json_t *answer = call_with(agent, &fake, (AgentCall){ 0 }, &error);
		g_assert_no_error(error);
		g_assert_true(json_is_object(json_object_get(answer, "return")));
		json_decref(answer);
	}
	g_assert_cmpint(g_atomic_int_get(&fake.connections), ==, 1);
	agent_disconnect(agent);
	json_decref(call_with(agent, &fake, (AgentCall){ 0 }, NULL));
	g_assert_cmpint(g_atomic_int_get(&fake.connections), ==, 2);
	agent_free(agent);
	fake_close(&fake);
}

static void test_answers_of_an_earlier_talk_are_skipped(void)
{
	Fake fake;
	fake_open(&fake, OLD_ANSWERS);
	Agent *agent = agent_new();
	g_autoptr(GError) error = NULL;
	json_t *answer = call_with(agent, &fake, (AgentCall){ 0 }, &error);
	g_assert_no_error(error);
	g_assert_true(json_is_object(json_object_get(answer, "return")));
	json_decref(answer);
	agent_free(agent);
	fake_close(&fake);
}

static void test_refusal_is_told_without_control_characters(void)
{
	Fake fake;
	fake_open(&fake, REFUSES);
	Agent *agent = agent_new();
	g_autoptr(GError) error = NULL;
	g_assert_null(call_with(agent, &fake, (AgentCall){ 0 }, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
	g_assert_cmpstr(error->message, ==,
			"unable to execute QEMU agent command 'guest-do-it': no ?[31mred");
	agent_free(agent);
	fake_close(&fake);
}

/* ---- those that do not ---- */

static void test_misbehaviour(void)
{
	static const struct {
		Manner manner;
		LodgeError code;
		const char *words;
		double most; /* seconds */
	} cases[] = {
		{ HANGS, LODGE_ERROR_TIMEOUT, "not available", 40 },
		{ FLOODS, LODGE_ERROR_ENGINE, "sends and sends", 40 },
		{ RUBBISH, LODGE_ERROR_ENGINE, "cannot be read", 40 },
		{ HUGE_LINE, LODGE_ERROR_ENGINE, "longer than 16 MiB", 40 },
		{ DIES, LODGE_ERROR_GONE, "disappeared", 40 },
		{ SAYS_NOTHING, LODGE_ERROR_TIMEOUT, "no answer to 'guest-do-it' within 1 s", 40 },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		Fake fake;
		fake_open(&fake, cases[i].manner);
		Agent *agent = agent_new();
		gint64 begin = g_get_monotonic_time();
		g_autoptr(GError) error = NULL;
		g_assert_null(call_with(agent, &fake, (AgentCall){ 0 }, &error));
		g_test_message("%u: %s (%.1f s)", i, error->message, seconds_since(begin));
		g_assert_error(error, LODGE_ERROR, (gint)cases[i].code);
		g_assert_true(g_str_has_prefix(error->message, "Guest agent is not responding: "));
		g_assert_nonnull(strstr(error->message, cases[i].words));
		g_assert_cmpfloat(seconds_since(begin), <, cases[i].most);
		/* and it is well again with the next call */
		g_atomic_int_set(&fake.manner, GOOD);
		json_t *answer = call_with(agent, &fake, (AgentCall){ 0 }, NULL);
		g_assert_nonnull(answer);
		json_decref(answer);
		agent_free(agent);
		fake_close(&fake);
	}
}

static void test_nothing_is_said_to_nobody(void)
{
	Fake fake;
	fake_open(&fake, HANGS);
	Agent *agent = agent_new();
	g_autoptr(GError) error = NULL;
	g_assert_null(call_with(agent, &fake, (AgentCall){ .answer = AGENT_NO_WAIT }, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_TIMEOUT);
	g_assert_cmpint(g_atomic_int_get(&fake.commands), ==, 0);
	agent_free(agent);
	fake_close(&fake);
}

static void test_nobody_listens(void)
{
	Fake fake = { .path = (char *)"/nonexistent/agent.sock" };
	Agent *agent = agent_new();
	g_autoptr(GError) error = NULL;
	g_assert_null(call_with(agent, &fake, (AgentCall){ 0 }, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_GONE);
	agent_free(agent);
}

/* ---- silent commands ---- */

static void test_silence_is_success(void)
{
	static const struct {
		Manner manner;
		gboolean ok;
	} cases[] = { { SAYS_NOTHING, TRUE }, { DIES, TRUE }, { REFUSES, FALSE }, { GOOD, TRUE } };
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		Fake fake;
		fake_open(&fake, cases[i].manner);
		Agent *agent = agent_new();
		gint64 begin = g_get_monotonic_time();
		json_t *answer =
			call_with(agent, &fake, (AgentCall){ .answer = AGENT_SILENT }, NULL);
		g_assert_cmpint(answer != NULL, ==, cases[i].ok);
		g_assert_cmpfloat(seconds_since(begin), <, 40);
		json_decref(answer);
		agent_free(agent);
		fake_close(&fake);
	}
}

/* ---- many callers ---- */

typedef struct Caller {
	Agent *agent;
	const Fake *fake;
	GCancellable *cancel;
	GError *error;
} Caller;

static gpointer call_on_thread(gpointer data)
{
	Caller *caller = data;
	json_t *answer = call_with(caller->agent, caller->fake, (AgentCall){ .cancel = caller->cancel },
				   &caller->error);
	g_assert_null(answer);
	return NULL;
}

static void test_a_queue_is_short(void)
{
	enum { N = 20 };
	Fake fake;
	fake_open(&fake, HANGS);
	Agent *agent = agent_new();
	Caller callers[N];
	GThread *threads[N];
	gint64 begin = g_get_monotonic_time();
	guint refused = 0;
	for (guint i = 0; i < N; i++) {
		callers[i] = (Caller){ .agent = agent, .fake = &fake };
		threads[i] = g_thread_new("caller", call_on_thread, &callers[i]);
	}
	for (guint i = 0; i < N; i++) {
		g_thread_join(threads[i]);
		g_assert_error(callers[i].error, LODGE_ERROR, LODGE_ERROR_TIMEOUT);
		refused += strstr(callers[i].error->message, "busy") != NULL;
		g_error_free(callers[i].error);
	}
	g_assert_cmpfloat(seconds_since(begin), <, 5 * N); /* not one after another */
	g_assert_cmpuint(refused, >=, N - 3);
	agent_free(agent);
	fake_close(&fake);
}

static void test_cancel(void)
{
	Fake fake;
	fake_open(&fake, HANGS);
	Agent *agent = agent_new();
	Caller caller = { .agent = agent, .fake = &fake, .cancel = g_cancellable_new() };
	gint64 begin = g_get_monotonic_time();
	GThread *thread = g_thread_new("caller", call_on_thread, &caller);
	g_usleep(100000);
	g_cancellable_cancel(caller.cancel);
	g_thread_join(thread);
	g_assert_error(caller.error, LODGE_ERROR, LODGE_ERROR_ABORTED);
	g_assert_cmpfloat(seconds_since(begin), <, 40);
	g_error_free(caller.error);
	g_object_unref(caller.cancel);
	agent_free(agent);
	fake_close(&fake);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/agent/one-connection-for-many-calls", test_one_connection_for_many_calls);
	g_test_add_func("/agent/answers-of-an-earlier-talk",
			test_answers_of_an_earlier_talk_are_skipped);
	g_test_add_func("/agent/refusal", test_refusal_is_told_without_control_characters);
	g_test_add_func("/agent/misbehaviour", test_misbehaviour);
	g_test_add_func("/agent/nothing-is-said-to-nobody", test_nothing_is_said_to_nobody);
	g_test_add_func("/agent/nobody-listens", test_nobody_listens);
	g_test_add_func("/agent/silence-is-success", test_silence_is_success);
	g_test_add_func("/agent/a-queue-is-short", test_a_queue_is_short);
	g_test_add_func("/agent/cancel", test_cancel);
	return g_test_run();
}

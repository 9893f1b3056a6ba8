/* Any bytes as what a guest's agent says: before its greeting where the first byte is odd, and as its answer.
 * It is an answer, or an error; nobody waits for ever, for the guest hangs up at the end. */
#include "engine/agent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LATE_MS 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Guest {
	const uint8_t *data;
	size_t size;
} Guest;

static int listener = -1;
static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void give_back(void)
{
	unlink(address.sun_path);
}

static void make_listener(void)
{
	g_snprintf(address.sun_path, sizeof address.sun_path, "/tmp/lodge-fuzz-agent-%d", getpid());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(address.sun_path);
	g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
	g_assert_cmpint(listen(listener, 4), ==, 0);
	atexit(give_back);
}

/* Without waiting: who does not read any more would make it wait for ever. */
static void say(int fd, const void *bytes, size_t n)
{
	G_GNUC_UNUSED ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The next line; FALSE: there is none. */
static gboolean hear(int fd, char *line, gsize room)
{
	gsize n = 0;
	while (n + 1 < room && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return n > 0;
}

static gpointer be_guest(gpointer data)
{
	const Guest *guest = data;
	char line[4096];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	gboolean greets = hear(fd, line, sizeof line);
	const char *id = greets ? strstr(line, "\"id\":") : NULL;
	if (guest->size && guest->data[0] & 1)
		say(fd, guest->data, guest->size);
	if (id) {
		g_autofree char *answer = g_strdup_printf("\xff{\"return\": %" G_GINT64_FORMAT "}\n",
							  g_ascii_strtoll(id + 5, NULL, 10));
		say(fd, answer, strlen(answer));
		if (hear(fd, line, sizeof line))
			say(fd, guest->data, guest->size);
	}
	close(fd);
	return NULL;
}

static void check(const json_t *answer, const GError *error)
{
	g_assert_true(!answer == !!error);
	if (error) {
		g_assert_true(g_utf8_validate(error->message, -1, NULL));
		return;
	}
	g_assert_nonnull(json_object_get(answer, "return"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Guest guest = { data, MIN(size, 65536) };
	if (listener < 0)
		make_listener();
	GThread *thread = g_thread_new("guest", be_guest, &guest);
	Agent *agent = agent_new();
	json_t *message = json_pack("{s:s}", "execute", "guest-info");
	const AgentCall call = { .message = message, .timeout_ms = LATE_MS, .answer = AGENT_ANSWERS };
	g_autoptr(GError) error = NULL;
	json_t *answer = agent_call(agent, address.sun_path, &call, &error);
	agent_free(agent);
	g_thread_join(thread);
	check(answer, error);
	json_decref(answer);
	json_decref(message);
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autofree char *clean = agent_clean_text(text, 64);
	g_assert_true(g_utf8_validate(clean, -1, NULL) && strlen(clean) <= 64);
	return 0;
}

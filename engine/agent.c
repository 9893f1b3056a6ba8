/* See agent.h. */
#include "engine/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/qmp-frames.h"
#include "host/socket.h"

#define WAITING_MAX 8	/* callers that stand in line for one agent */
#define TICK_MS 100	/* between looks at whether a silent command did its work */
#define SILENCE_MS 5000 /* a command that went in and did not fail has been heard */
#define SENTINEL '\xff' /* in no JSON: what stood before it is of an earlier talk */
#define fail_silent(error, code, format, ...) \
	fail_with(error, code, LODGE_DETAIL_AGENT_SILENT, \
		  "Guest agent is not responding: " format __VA_OPT__(,) __VA_ARGS__)

struct Agent {
	GMutex lock;
	GCond idle;
	gboolean busy;	/* a call is under way, and the members below are its own */
	gboolean stale; /* the guest ended meanwhile */
	guint waiting;
	int fd; /* -1: not connected */
	QmpFrames frames;
	gboolean skipping; /* until the next sentinel */
	gint64 id;	   /* of the last greeting */
};

/* One call that is under way. */
typedef struct Talk {
	Agent *agent;
	const AgentCall *call;
	gint64 deadline; /* monotonic; 0: none */
	gsize received;
	gint64 wanted;	/* number that a greeting brings back; 0: any answer */
	json_t *answer;
} Talk;

Agent *agent_new(void)
{
	Agent *agent = g_new0(Agent, 1);
	g_mutex_init(&agent->lock);
	g_cond_init(&agent->idle);
	agent->fd = -1;
	agent->id = g_get_real_time() & G_MAXINT32; /* another daemon's greetings are not ours */
	return agent;
}

static void hang_up(Agent *agent)
{
	fd_clear(&agent->fd);
	qmp_frames_clear(&agent->frames);
}

void agent_free(Agent *agent)
{
	if (!agent)
		return;
	hang_up(agent);
	g_mutex_clear(&agent->lock);
	g_cond_clear(&agent->idle);
	g_free(agent);
}

char *agent_clean_text(const char *text, gsize max)
{
	if (!text)
		return NULL;
	g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, max));
	GString *clean = g_string_new(NULL);
	for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
		gunichar c = g_utf8_get_char(at);
		if (clean->len + (gsize)g_unichar_to_utf8(c, NULL) > max)
			break; /* what stands for wrong bytes is longer than they are */
		g_string_append_unichar(clean, g_unichar_iscntrl(c) ? '?' : c);
	}
	return g_string_free(clean, FALSE);
}

/* ---- one after another ---- */

static gint64 deadline_in(int ms)
{
	return ms < 0 ? 0 : g_get_monotonic_time() + (gint64)ms * 1000;
}

static gboolean take_turn(Agent *agent, GError **error)
{
	gint64 limit = deadline_in(AGENT_SYNC_MS);
	g_mutex_lock(&agent->lock);
	gboolean room = agent->waiting < WAITING_MAX;
	agent->waiting += room;
	gboolean mine = room;
	while (mine && agent->busy)
		mine = g_cond_wait_until(&agent->idle, &agent->lock, limit);
	agent->waiting -= room;
	if (mine) {
		agent->busy = TRUE;
		agent->stale = FALSE;
	}
	g_mutex_unlock(&agent->lock);
	return mine || fail_silent(error, LODGE_ERROR_TIMEOUT, "it is busy with another command");
}

static void end_turn(Agent *agent)
{
	g_mutex_lock(&agent->lock);
	if (agent->stale)
		hang_up(agent);
	agent->busy = FALSE;
	g_cond_broadcast(&agent->idle); /* one that gives up at this moment must not take it along */
	g_mutex_unlock(&agent->lock);
}

void agent_disconnect(Agent *agent)
{
	g_mutex_lock(&agent->lock);
	if (agent->busy)
		agent->stale = TRUE;
	else
		hang_up(agent);
	g_mutex_unlock(&agent->lock);
}

/* ---- waiting ---- */

typedef enum Wait { WAIT_READY, WAIT_LATE, WAIT_OVER, WAIT_CANCELLED } Wait;

static int tick_of(const Talk *talk)
{
	gint64 left = talk->deadline ? (talk->deadline - g_get_monotonic_time() + 999) / 1000 : G_MAXINT;
	gint64 most = talk->call->over ? TICK_MS : G_MAXINT;
	return (int)CLAMP(left, 0, most);
}

static gboolean is_late(const Talk *talk)
{
	return talk->deadline && g_get_monotonic_time() >= talk->deadline;
}

static Wait wait_for(const Talk *talk, short events)
{
	const AgentCall *call = talk->call;
	int cancel = call->cancel ? g_cancellable_get_fd(call->cancel) : -1;
	struct pollfd fds[] = { { .fd = talk->agent->fd, .events = events },
				{ .fd = cancel, .events = POLLIN } };
	Wait result = WAIT_READY;
	for (;;) {
		int n = poll(fds, G_N_ELEMENTS(fds), tick_of(talk));
		if (n > 0 && fds[1].revents)
			result = WAIT_CANCELLED;
		else if (call->over && call->over(call->data))
			result = WAIT_OVER;
		else if (is_late(talk)) /* also for one who talks and talks */
			result = WAIT_LATE;
		else if (n <= 0)
			continue;
		break;
	}
	if (cancel >= 0)
		g_cancellable_release_fd(call->cancel);
	return result;
}

static gboolean fail_wait(Wait wait, const char *late, GError **error)
{
	if (wait == WAIT_CANCELLED)
		return fail(error, LODGE_ERROR_ABORTED, "the caller went away");
	return fail_silent(error, LODGE_ERROR_TIMEOUT, "%s", late);
}

/* ---- bytes ---- */

static gboolean say(Talk *talk, const char *bytes, gsize length, GError **error)
{
	while (length > 0) {
		ssize_t n = send(talk->agent->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return fail_silent(error, LODGE_ERROR_GONE, "QEMU guest agent is not connected");
		if (n >= 0) {
			bytes += n;
			length -= (gsize)n;
			continue;
		}
		Wait wait = wait_for(talk, POLLOUT);
		if (wait != WAIT_READY)
			return fail_wait(wait, "it does not read", error);
	}
	return TRUE;
}

static void on_message(json_t *message, gpointer data)
{
	Talk *talk = data;
	json_t *result = json_object_get(message, "return");
	if (talk->answer || (!result && !json_object_get(message, "error")))
		return;
	if (!talk->wanted || (json_is_integer(result) && json_integer_value(result) == talk->wanted))
		talk->answer = json_incref(message);
}

/* A sentinel begins anew; what cannot be read before the greeting's answer came is of another talk. */
static gboolean hear(Talk *talk, const char *bytes, gsize length, GError **error)
{
	Agent *agent = talk->agent;
	while (length > 0) {
		const char *mark = memchr(bytes, SENTINEL, length);
		gsize n = mark ? (gsize)(mark - bytes) : length;
		g_autoptr(GError) why = NULL;
		if (!agent->skipping &&
		    !qmp_frames_feed(&agent->frames, bytes, n, on_message, talk, &why)) {
			if (!talk->wanted)
				return fail_silent(error, LODGE_ERROR_ENGINE, "its answer cannot be read: %s",
						   why->message);
			agent->skipping = TRUE;
		}
		if (mark) {
			qmp_frames_clear(&agent->frames);
			agent->skipping = FALSE;
			n++;
		}
		bytes += n;
		length -= n;
	}
	return TRUE;
}

/* Until an answer is there. @over: told where the guest did what it was asked for. */
static gboolean listen_for(Talk *talk, const char *late, gboolean *over, GError **error)
{
	char bytes[16384];
	while (!talk->answer) {
		Wait wait = wait_for(talk, POLLIN);
		*over = wait == WAIT_OVER;
		if (*over)
			return TRUE;
		if (wait != WAIT_READY)
			return fail_wait(wait, late, error);
		ssize_t n = recv(talk->agent->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return fail_silent(error, LODGE_ERROR_GONE,
					   "Guest agent disappeared while executing command");
		talk->received += (gsize)n;
		if (talk->received > 2 * QMP_MESSAGE_MAX)
			return fail_silent(error, LODGE_ERROR_ENGINE, "it sends and sends, and no answer");
		if (!hear(talk, bytes, (gsize)n, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- the talk ---- */

static gboolean connect_to(Agent *agent, const char *path, GError **error)
{
	if (agent->fd >= 0)
		return TRUE;
	g_autoptr(GError) why = NULL;
	agent->fd = socket_connect(path, &why);
	if (agent->fd >= 0)
		return TRUE;
	return fail_silent(error, LODGE_ERROR_GONE, "QEMU guest agent is not connected: %s",
		    why->message);
}

/* Whether somebody is there, and from where on it is us that it answers. Nothing else is said
 * before: an agent that comes up later must not carry out what nobody waits for any more. */
static gboolean greet(Talk *talk, GError **error)
{
	const AgentCall plain = { .cancel = talk->call->cancel };
	const AgentCall *real = talk->call;
	gboolean over = FALSE;
	talk->wanted = ++talk->agent->id;
	talk->agent->skipping = TRUE;
	talk->call = &plain;
	talk->deadline = deadline_in(AGENT_SYNC_MS);
	g_autofree char *greeting = g_strdup_printf(
		"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%" G_GINT64_FORMAT
		"}}\n", talk->wanted);
	gboolean ok = say(talk, greeting, strlen(greeting), error) &&
		      listen_for(talk, "Guest agent not available for now", &over, error);
	talk->call = real;
	talk->wanted = 0;
	g_clear_pointer(&talk->answer, json_decref);
	return ok;
}

static const char *command_of(const AgentCall *call)
{
	const char *name = json_string_value(json_object_get(call->message, "execute"));
	return name ? name : "?";
}

/* What the agent refused, in libvirt's words. */
static gboolean check_answer(const AgentCall *call, json_t *answer, GError **error)
{
	json_t *refusal = json_object_get(answer, "error");
	if (!refusal)
		return TRUE;
	const char *class = json_string_value(json_object_get(refusal, "class"));
	const char *desc = json_string_value(json_object_get(refusal, "desc"));
	g_autofree char *clean = agent_clean_text(desc ? desc : class ? class : "unknown error", 400);
	gboolean missing = !g_strcmp0(class, "CommandNotFound") || strstr(clean, "not supported") ||
			   strstr(clean, "has been disabled");
	return fail(error, missing ? LODGE_ERROR_UNSUPPORTED : LODGE_ERROR_ENGINE,
		    "unable to execute QEMU agent command '%s': %s", command_of(call), clean);
}

/* What comes after a silent command is answered once that is through. */
static char *words_of(const AgentCall *call)
{
	char *text = json_dumps(call->message, JSON_COMPACT);
	char *words = g_strdup_printf("%s\n%s", text ? text : "",
				      call->answer == AGENT_SILENT ? "{\"execute\":\"guest-ping\"}\n"
								   : "");
	free(text);
	return words;
}

/* No answer to a silent command: it was heard, and the agent is among the first that end. */
static gboolean is_heard(const Talk *talk, const GError *why)
{
	return talk->call->answer == AGENT_SILENT &&
	       (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_TIMEOUT) ||
		g_error_matches(why, LODGE_ERROR, LODGE_ERROR_GONE));
}

static gboolean command(Talk *talk, GError **error)
{
	const AgentCall *call = talk->call;
	g_autofree char *words = words_of(call);
	g_autofree char *late = g_strdup_printf("no answer to '%s' within %d s", command_of(call),
						call->timeout_ms / 1000);
	talk->deadline = deadline_in(call->answer == AGENT_SILENT ? SILENCE_MS : call->timeout_ms);
	gboolean over = FALSE;
	if (!say(talk, words, strlen(words), error))
		return FALSE;
	if (call->answer == AGENT_NO_WAIT)
		return TRUE;
	g_autoptr(GError) why = NULL;
	if (!listen_for(talk, late, &over, &why)) {
		hang_up(talk->agent); /* what comes late goes with the connection */
		if (is_heard(talk, why))
			return TRUE;
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	return over || check_answer(call, talk->answer, error);
}

/* A connection that was left by an agent which went away tells so only when it is used. */
static gboolean reach(Talk *talk, const char *path, GError **error)
{
	gboolean fresh = talk->agent->fd < 0;
	g_autoptr(GError) why = NULL;
	if (!connect_to(talk->agent, path, error))
		return FALSE;
	if (greet(talk, &why))
		return TRUE;
	hang_up(talk->agent);
	if (!fresh && g_error_matches(why, LODGE_ERROR, LODGE_ERROR_GONE))
		return reach(talk, path, error);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

json_t *agent_call(Agent *agent, const char *path, const AgentCall *call, GError **error)
{
	if (!take_turn(agent, error))
		return NULL;
	Talk talk = { .agent = agent, .call = call };
	gboolean ok = reach(&talk, path, error) && command(&talk, error);
	end_turn(agent);
	if (!ok)
		g_clear_pointer(&talk.answer, json_decref);
	else if (!talk.answer)
		talk.answer = json_object();
	return talk.answer;
}

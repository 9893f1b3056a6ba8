/* A recipe as a child process; see script.h.
 *
 * The script leads a process group, so that a cancel reaches everything: SIGTERM lets it clean up,
 * SIGKILL follows where that takes too long. Its output is read until the last of its processes has
 * closed it. */
#include "image/script.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define LINE_MAX_BYTES 4096
#define COMPLAINT_MAX 8192
#define GRACE_US (20 * G_USEC_PER_SEC) /* after SIGTERM, for removing a tree of files */

/* Exit codes of the script that mean something; others are SYSTEM. */
static const struct {
	int status;
	LodgeError code;
} codes[] = {
	{ 64, LODGE_ERROR_INVALID },
	{ 69, LODGE_ERROR_UNSUPPORTED },
	{ 75, LODGE_ERROR_IN_USE },
};

typedef struct Script {
	const ImageBuild *how;
	GPtrArray *packages;
	GPid pid;
	int out, err;	    /* -1 at their end */
	GString *line;	    /* of out, so far */
	GString *complaint; /* the end of err */
	gint64 kill_at;	    /* monotonic; 0: not cancelled */
} Script;

/* Between fork and exec: only what is safe there. The daemon may hold signals back. */
static void child_setup(G_GNUC_UNUSED gpointer data)
{
	sigset_t none;
	sigemptyset(&none);
	setsid();
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void take_line(Script *s, char *line)
{
	if (g_str_has_prefix(line, "package "))
		g_ptr_array_add(s->packages, g_strdup(line + strlen("package ")));
	if (!g_str_has_prefix(line, "progress ") || !s->how->progress)
		return;
	char *text = NULL;
	guint64 percent = g_ascii_strtoull(line + strlen("progress "), &text, 10);
	if (*text == ' ')
		s->how->progress((double)MIN(percent, 100) / 100, text + 1, s->how->data);
}

static void take_output(Script *s, const char *bytes, gsize length)
{
	for (gsize i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			take_line(s, s->line->str);
			g_string_truncate(s->line, 0);
		} else if (s->line->len < LINE_MAX_BYTES) {
			g_string_append_c(s->line, bytes[i]);
		}
	}
}

static void take_complaint(Script *s, const char *bytes, gsize length)
{
	g_string_append_len(s->complaint, bytes, (gssize)length);
	if (s->complaint->len > COMPLAINT_MAX)
		g_string_erase(s->complaint, 0, (gssize)(s->complaint->len - COMPLAINT_MAX));
}

static void read_pipe(Script *s, int *fd, void (*take)(Script *, const char *, gsize))
{
	char bytes[4096];
	gssize n = read(*fd, bytes, sizeof(bytes));
	if (n > 0)
		take(s, bytes, (gsize)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_clear(fd);
}

static void on_cancel(Script *s)
{
	s->kill_at = g_get_monotonic_time() + GRACE_US;
	kill(-s->pid, SIGTERM);
}

/* Milliseconds until SIGKILL; -1 where none is due. Sends it when its time has come. */
static int kill_timeout(Script *s)
{
	if (s->kill_at == 0)
		return -1;
	gint64 left = s->kill_at - g_get_monotonic_time();
	if (left <= 0)
		kill(-s->pid, SIGKILL);
	return left > 0 ? (int)(left / 1000) + 1 : 100;
}

/* Until both pipes are at their end. */
static void follow(Script *s, int cancel_fd)
{
	while (s->out >= 0 || s->err >= 0) {
		struct pollfd fds[] = {
			{ .fd = s->out, .events = POLLIN },
			{ .fd = s->err, .events = POLLIN },
			{ .fd = s->kill_at ? -1 : cancel_fd, .events = POLLIN },
		};
		if (poll(fds, G_N_ELEMENTS(fds), kill_timeout(s)) <= 0)
			continue;
		if (fds[0].revents)
			read_pipe(s, &s->out, take_output);
		if (fds[1].revents)
			read_pipe(s, &s->err, take_complaint);
		if (fds[2].revents)
			on_cancel(s);
	}
}

/* Waits for the script itself, which has closed its output; a cancel still works. */
static int reap(Script *s, GCancellable *cancel)
{
	int status = -1;
	for (;;) {
		pid_t done = waitpid(s->pid, &status, WNOHANG);
		if (done == s->pid || (done < 0 && errno != EINTR))
			return done < 0 ? -1 : status;
		if (!s->kill_at && g_cancellable_is_cancelled(cancel))
			on_cancel(s);
		kill_timeout(s);
		g_usleep(5000);
	}
}

static gboolean judge(const Script *s, int status, GError **error)
{
	const char *name = s->how->recipe->name;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRUE;
	if (s->kill_at)
		return fail(error, LODGE_ERROR_ABORTED, "the build of image \"%s\" was cancelled",
			    name);
	LodgeError code = strstr(s->complaint->str, "No space left") ? LODGE_ERROR_NO_SPACE
								     : LODGE_ERROR_SYSTEM;
	for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
		if (WIFEXITED(status) && WEXITSTATUS(status) == codes[i].status)
			code = codes[i].code;
	g_strchomp(s->complaint->str);
	g_autofree char *valid = g_utf8_make_valid(s->complaint->str, -1);
	return fail(error, code, "image \"%s\" was not built: %s", name,
		    *valid ? valid : "its script was killed");
}

static gboolean start(Script *s, const char *const *argv, GError **error)
{
	g_autoptr(GError) problem = NULL;
	if (!g_spawn_async_with_pipes("/", (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
				      child_setup, NULL, &s->pid, NULL, &s->out, &s->err, &problem))
		return fail(error, LODGE_ERROR_SYSTEM, "image \"%s\" cannot be built: %s",
			    s->how->recipe->name, problem->message);
	g_unix_set_fd_nonblocking(s->out, TRUE, NULL);
	g_unix_set_fd_nonblocking(s->err, TRUE, NULL);
	return TRUE;
}

gboolean script_run(const ImageBuild *how, const char *const *argv, GPtrArray *packages,
		    GError **error)
{
	GCancellable *cancel = how->cancel;
	if (g_cancellable_is_cancelled(cancel))
		return fail(error, LODGE_ERROR_ABORTED, "the build of image \"%s\" was cancelled",
			    how->recipe->name);
	Script s = { .how = how, .packages = packages, .out = -1, .err = -1 };
	if (!start(&s, argv, error))
		return FALSE;
	s.line = g_string_new(NULL);
	s.complaint = g_string_new(NULL);
	follow(&s, cancel ? g_cancellable_get_fd(cancel) : -1);
	if (cancel)
		g_cancellable_release_fd(cancel);
	gboolean ok = judge(&s, reap(&s, cancel), error);
	g_string_free(s.line, TRUE);
	g_string_free(s.complaint, TRUE);
	return ok;
}

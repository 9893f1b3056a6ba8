/* See keeper.h: who starts keepers. keeper_main.c is what they do. */
#include "image/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/process.h"
#include "host/spawn.h"
#include "image/lease.h"

#define ANSWER_MAX 65536
#define END_MS 5000

struct ImageKeeper {
	int to, pidfd; /* to: its standard input; -1: bound */
};

/* ---- its answer ---- */

/* All it says until it closes its output; "" where it died. The caller frees it. */
static char *read_answer(int from)
{
	GString *answer = g_string_new(NULL);
	char piece[1024];
	for (ssize_t n; answer->len < ANSWER_MAX && (n = read(from, piece, sizeof piece)) != 0;)
		if (n > 0)
			g_string_append_len(answer, piece, n);
		else if (errno != EINTR)
			break;
	return g_string_free(answer, FALSE);
}

/* Lines: "~TEXT" is a note, "-CODE TEXT" a refusal, "+" success, the last. */
static gboolean take_answer(const char *answer, Notes *notes, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(answer, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		char *text = NULL;
		if (*lines[i] == '+')
			return TRUE;
		if (*lines[i] == '~' && notes)
			notes_add(notes, "%s", lines[i] + 1);
		if (*lines[i] != '-')
			continue;
		int code = (int)strtol(lines[i] + 1, &text, 10);
		return fail(error, (LodgeError)code, "%s", text + (*text == ' '));
	}
	return fail(error, LODGE_ERROR_SYSTEM,
		    "the process that keeps leases of images ended at once");
}

/* ---- its life ---- */

static void reaped(G_GNUC_UNUSED ProcessEnd end, gpointer data)
{
	close(GPOINTER_TO_INT(data));
}

static gboolean spawn_keeper(const GPtrArray *argv, int log, int *to, int *from, SpawnChild *child,
			     GError **error)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	gboolean ok = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0;
	if (!ok)
		fail_errno(error, errno, "cannot make a pipe");
	autofd int in_read = in[0], in_write = in[1], out_read = out[0], out_write = out[1];
	const SpawnFd fds[] = { { in_read, 0 }, { out_write, 1 } };
	const char *const env[] = { "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	const Spawn how = { .argv = (const char *const *)argv->pdata,
			    .env = env,
			    .fds = fds,
			    .n_fds = G_N_ELEMENTS(fds),
			    .output = log };
	if (!ok || !spawn(&how, child, error))
		return FALSE;
	*to = fd_steal(&in_write);
	*from = fd_steal(&out_read);
	return TRUE;
}

gboolean image_keeper_start(const GPtrArray *images, const char *holder, int log,
			    ImageKeeper **keeper, Notes *notes, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	SpawnChild child;
	int to = -1;
	autofd int from = -1;
	*keeper = NULL;
	g_ptr_array_add(argv, (gpointer) "/proc/self/exe");
	g_ptr_array_add(argv, (gpointer) "lease-keeper");
	g_ptr_array_add(argv, (gpointer)holder);
	for (guint i = 0; i < images->len; i++)
		if (image_lease_needed(images->pdata[i]))
			g_ptr_array_add(argv, images->pdata[i]);
	if (argv->len == 3)
		return TRUE;
	g_ptr_array_add(argv, NULL);
	if (!spawn_keeper(argv, log, &to, &from, &child, error))
		return FALSE;
	ImageKeeper *made = g_new(ImageKeeper, 1);
	*made = (ImageKeeper){ .to = to, .pidfd = child.pidfd };
	g_autofree char *answer = read_answer(from);
	if (!take_answer(answer, notes, error)) {
		image_keeper_free(made);
		return FALSE;
	}
	*keeper = made;
	return TRUE;
}

gboolean image_keeper_bind(ImageKeeper *keeper, pid_t pid, GError **error)
{
	if (!keeper)
		return TRUE;
	char text[32];
	int n = g_snprintf(text, sizeof text, "%d\n", (int)pid);
	if (write(keeper->to, text, (size_t)n) != n)
		return fail_errno(error, errno, "the process that keeps leases of images is gone");
	fd_clear(&keeper->to);
	return TRUE;
}

void image_keeper_free(ImageKeeper *keeper)
{
	if (!keeper)
		return;
	gboolean bound = keeper->to < 0;
	fd_clear(&keeper->to);
	if (!bound) {
		siginfo_t info;
		process_wait(keeper->pidfd, END_MS);
		waitid(P_PIDFD, (id_t)keeper->pidfd, &info, WEXITED | WNOHANG);
		fd_clear(&keeper->pidfd);
	} else {
		process_watch(keeper->pidfd, reaped, GINT_TO_POINTER(keeper->pidfd));
	}
	g_free(keeper);
}

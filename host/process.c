/* See process.h. */
#include "host/process.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"

#define KILL_LIMIT_MS 30000

typedef struct Watch {
	ProcessEndFn fn;
	gpointer data;
} Watch;

static ProcessEnd reap(int pidfd)
{
	siginfo_t info = { 0 };
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) || !info.si_pid)
		return (ProcessEnd){ .known = FALSE };
	int status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
	return (ProcessEnd){ .known = TRUE, .status = status };
}

static gboolean on_end(gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Watch *watch = data;
	watch->fn(reap(fd), watch->data);
	return G_SOURCE_REMOVE;
}

guint process_watch(int pidfd, ProcessEndFn fn, gpointer data)
{
	Watch *watch = g_new(Watch, 1);
	*watch = (Watch){ .fn = fn, .data = data };
	return g_unix_fd_add_full(G_PRIORITY_DEFAULT, pidfd, G_IO_IN, on_end, watch, g_free);
}

char *process_end_text(ProcessEnd end)
{
	if (end.known && WIFEXITED(end.status))
		return g_strdup_printf("exited with status %d", WEXITSTATUS(end.status));
	if (end.known && WIFSIGNALED(end.status))
		return g_strdup_printf("was killed by signal %d (%s)", WTERMSIG(end.status),
				       strsignal(WTERMSIG(end.status)));
	return g_strdup("ended");
}

/* Field 22 of the stat line. The name in field 2 may hold blanks and parentheses: count from its
 * last closing one. */
static gboolean parse_start(const char *line, guint64 *ticks)
{
	const char *p = strrchr(line, ')');
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	char *end = NULL;
	guint64 value = p ? g_ascii_strtoull(p, &end, 10) : 0;
	if (!p || end == p)
		return FALSE;
	*ticks = value;
	return TRUE;
}

gboolean process_start_time(pid_t pid, guint64 *ticks, GError **error)
{
	char path[64], line[1024];
	g_snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
	if (n <= 0)
		return fail(error, LODGE_ERROR_NOT_FOUND, "there is no process %d", (int)pid);
	line[n] = '\0';
	if (!parse_start(line, ticks))
		return fail(error, LODGE_ERROR_SYSTEM, "%s: no start time in it", path);
	return TRUE;
}

int process_open(pid_t pid, guint64 ticks, GError **error)
{
	autofd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 && errno == ESRCH) {
		fail(error, LODGE_ERROR_NOT_FOUND, "there is no process %d", (int)pid);
		return -1;
	}
	if (pidfd < 0) {
		fail_errno(error, errno, "cannot open process %d", (int)pid);
		return -1;
	}
	/* The number is ours now: what /proc says is about the process of the pidfd, as long as
	 * that has not ended, in which case the caller learns so from the pidfd. */
	guint64 now = 0;
	if (!process_start_time(pid, &now, error))
		return -1;
	if (now != ticks) {
		fail(error, LODGE_ERROR_NOT_FOUND, "process %d is another one now", (int)pid);
		return -1;
	}
	return fd_steal(&pidfd);
}

gboolean process_alive(int pidfd)
{
	return !process_wait(pidfd, 0);
}

gboolean process_signal(int pidfd, int sig, GError **error)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) == 0 || errno == ESRCH)
		return TRUE;
	return fail_errno(error, errno, "cannot send signal %d (%s)", sig, strsignal(sig));
}

gboolean process_wait(int pidfd, int timeout_ms)
{
	gint64 deadline = g_get_monotonic_time() + timeout_ms * (gint64)1000;
	struct pollfd watch = { .fd = pidfd, .events = POLLIN };
	for (;;) {
		gint64 left = deadline - g_get_monotonic_time();
		int wait_ms = timeout_ms < 0 ? -1 : left > 0 ? (int)((left + 999) / 1000) : 0;
		int n = poll(&watch, 1, wait_ms);
		if (n > 0)
			return (watch.revents & POLLIN) != 0;
		if (n == 0 || errno != EINTR)
			return FALSE;
	}
}

gboolean process_kill_wait(int pidfd, int term_grace_ms, GError **error)
{
	if (term_grace_ms > 0) {
		if (!process_signal(pidfd, SIGTERM, error))
			return FALSE;
		if (process_wait(pidfd, term_grace_ms))
			return TRUE;
	}
	if (!process_signal(pidfd, SIGKILL, error))
		return FALSE;
	if (process_wait(pidfd, KILL_LIMIT_MS))
		return TRUE;
	return fail(error, LODGE_ERROR_TIMEOUT,
		    "the process did not end within %d s of SIGKILL: it hangs in the kernel, most "
		    "likely on storage that does not answer",
		    KILL_LIMIT_MS / 1000);
}

guint64 process_cpu_time(pid_t pid)
{
	clockid_t clock;
	struct timespec used;
	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return 0;
	return (guint64)used.tv_sec * G_GUINT64_CONSTANT(1000000000) + (guint64)used.tv_nsec;
}

/* A small file of /proc into @text; FALSE where there is none. */
static gboolean read_proc(pid_t pid, pid_t tid, const char *name, char *text, gsize room)
{
	char path[64];
	if (tid > 0)
		g_snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	else
		g_snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);
	if (n <= 0)
		return FALSE;
	text[n] = '\0';
	return TRUE;
}

/* The @n-th number behind @text, separated by blanks. */
static guint64 field(const char *text, guint n)
{
	for (; n && text; n--) {
		text = strchr(text, ' ');
		text += text != NULL;
	}
	return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

gboolean process_use(pid_t pid, pid_t tid, ProcessUse *use)
{
	char text[1024];
	const guint64 tick = G_GUINT64_CONSTANT(1000000000) / (guint64)sysconf(_SC_CLK_TCK);
	if (pid <= 0 || !read_proc(pid, tid, "stat", text, sizeof text) || !strrchr(text, ')'))
		return FALSE;
	/* behind the name: state is field 3, utime and stime 14 and 15, processor 39 */
	const char *from = strrchr(text, ')') + 1;
	*use = (ProcessUse){ .user_ns = field(from, 12) * tick, .system_ns = field(from, 13) * tick,
			     .processor = (int)field(from, 37) };
	if (tid > 0 && read_proc(pid, tid, "schedstat", text, sizeof text)) {
		use->run_ns = g_ascii_strtoull(text, NULL, 10);
		use->delay_ns = field(text, 1);
	}
	return TRUE;
}

guint64 process_resident(pid_t pid)
{
	char text[256];
	if (pid <= 0 || !read_proc(pid, 0, "statm", text, sizeof text))
		return 0;
	return field(text, 1) * (guint64)sysconf(_SC_PAGESIZE);
}

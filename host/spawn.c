/* See spawn.h. The child shares the daemon's memory until execve (as vfork does), so that its start
 * costs the same however big the daemon is; all memory it needs is prepared before, and it makes
 * system calls only. libc's set*id() are avoided there: they would signal the daemon's threads.
 *
 * A child that is to be born in a v2 cgroup is made with clone3(), which has no libc function that
 * could run on a second stack: it copies the page tables instead. That is still 20 to 100 times
 * cheaper than moving it afterwards, which waits for a grace period of the kernel. */
#include "host/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define STACK_SIZE (64 * 1024)
#define OUTPUT_MAX (1024 * 1024)

typedef enum Stage {
	STAGE_EXEC,
	STAGE_SESSION,
	STAGE_CGROUP,
	STAGE_OOM,
	STAGE_LIMIT,
	STAGE_CWD,
	STAGE_USER,
	STAGE_PRIVILEGES,
	STAGE_FDS,
} Stage;

static const char *const stages[] = {
	[STAGE_EXEC] = "cannot run it",
	[STAGE_SESSION] = "cannot make a session",
	[STAGE_CGROUP] = "cannot join its cgroup",
	[STAGE_OOM] = "cannot set its out-of-memory score",
	[STAGE_LIMIT] = "cannot set its resource limits",
	[STAGE_CWD] = "cannot enter its working directory",
	[STAGE_USER] = "cannot become its user",
	[STAGE_PRIVILEGES] = "cannot give up privileges",
	[STAGE_FDS] = "cannot set up its file descriptors",
};

/* What the child says before it gives up. */
typedef struct Report {
	int stage, errnum;
} Report;

/* All that the child needs, made ready by the parent. */
typedef struct Plan {
	const Spawn *how;
	const char *program;
	SpawnFd *fds; /* sorted by .to, no number twice, 0 to 2 among them */
	guint n_fds;
	int report; /* write end; close-on-exec */
	int null;   /* /dev/null */
	char oom[8];
} Plan;

/* ---- in the child: system calls only ---- */

/* As _exit(127), but not marked as one that does not return: before such a call AddressSanitizer
 * looks for the end of the stack, and complains of ours. */
static void end_child(void)
{
	syscall(SYS_exit_group, 127);
}

/* Does not return. */
static void give_up(const Plan *plan, Stage stage)
{
	Report report = { .stage = stage, .errnum = errno };
	(void)!write(plan->report, &report, sizeof report);
	end_child();
}

static gboolean write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return FALSE;
	ssize_t n = write(fd, text, strlen(text));
	close(fd);
	return n >= 0;
}

static void reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL); /* fails for SIGKILL, SIGSTOP and libc's own two */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_user(const Plan *plan)
{
	const HostUser *user = plan->how->user;
	if (!user || (user->uid == geteuid() && user->uid != 0))
		return;
	if (syscall(SYS_setgroups, (size_t)user->n_groups, user->groups) ||
	    syscall(SYS_setresgid, user->gid, user->gid, user->gid) ||
	    syscall(SYS_setresuid, user->uid, user->uid, user->uid))
		give_up(plan, STAGE_USER);
}

/* Sources move above all targets first, so that no dup2() overwrites one that is still needed. */
static void place_fds(Plan *plan)
{
	SpawnFd *fds = plan->fds;
	int above = fds[plan->n_fds - 1].to + 1;
	if ((plan->report = fcntl(plan->report, F_DUPFD_CLOEXEC, above)) < 0)
		end_child();
	for (guint i = 0; i < plan->n_fds; i++)
		if ((fds[i].from = fcntl(fds[i].from, F_DUPFD_CLOEXEC, above)) < 0)
			give_up(plan, STAGE_FDS);
	int next = 0; /* the lowest number that is not dealt with */
	for (guint i = 0; i < plan->n_fds; i++) {
		if (fds[i].to > next)
			close_range(next, fds[i].to - 1, 0);
		if (dup2(fds[i].from, fds[i].to) < 0)
			give_up(plan, STAGE_FDS);
		next = fds[i].to + 1;
	}
	if (close_range(next, ~0U, CLOSE_RANGE_CLOEXEC))
		give_up(plan, STAGE_FDS);
}

static void settle(const Plan *plan)
{
	const Spawn *how = plan->how;
	for (const char *const *file = how->join; file && *file; file++)
		if (!write_file(*file, "0"))
			give_up(plan, STAGE_CGROUP);
	if (!how->same_session && setsid() < 0)
		give_up(plan, STAGE_SESSION);
	if (how->oom_score_adj.set && !write_file("/proc/self/oom_score_adj", plan->oom))
		give_up(plan, STAGE_OOM);
	for (guint i = 0; i < how->n_limits; i++) {
		struct rlimit limit = { .rlim_cur = how->limits[i].soft,
					.rlim_max = how->limits[i].hard };
		if (setrlimit(how->limits[i].resource, &limit))
			give_up(plan, STAGE_LIMIT);
	}
	if (how->tied)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	umask((mode_t)opt_uint_or(how->umask, 077));
	if (chdir(how->cwd ? how->cwd : "/"))
		give_up(plan, STAGE_CWD);
}

static int child_main(void *data)
{
	Plan *plan = data;
	reset_signals();
	settle(plan);
	become_user(plan);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		give_up(plan, STAGE_PRIVILEGES);
	place_fds(plan);
	static const char *const nothing[] = { NULL };
	execve(plan->program, (char *const *)plan->how->argv,
	       (char *const *)(plan->how->env ? plan->how->env : nothing));
	give_up(plan, STAGE_EXEC);
	return 127;
}

/* ---- in the parent ---- */

static gint by_target(gconstpointer a, gconstpointer b)
{
	return ((const SpawnFd *)a)->to - ((const SpawnFd *)b)->to;
}

static gboolean plan_fds(Plan *plan, GError **error)
{
	const Spawn *how = plan->how;
	int output = how->output > 0 ? how->output : plan->null;
	const SpawnFd standard[] = { { plan->null, 0 }, { output, 1 }, { output, 2 } };
	gboolean taken[3] = { FALSE };
	plan->fds = g_new(SpawnFd, how->n_fds + 3);
	for (guint i = 0; i < how->n_fds; i++) {
		plan->fds[plan->n_fds++] = how->fds[i];
		if (how->fds[i].to >= 0 && how->fds[i].to < 3)
			taken[how->fds[i].to] = TRUE;
	}
	for (guint i = 0; i < 3; i++)
		if (!taken[i])
			plan->fds[plan->n_fds++] = standard[i];
	qsort(plan->fds, plan->n_fds, sizeof *plan->fds, by_target);
	for (guint i = 0; i < plan->n_fds; i++)
		if (plan->fds[i].to < 0 || (i && plan->fds[i].to == plan->fds[i - 1].to))
			return fail(error, LODGE_ERROR_INTERNAL,
				    "%s: file descriptor %d is asked for twice or negative",
				    plan->program, plan->fds[i].to);
	return TRUE;
}

/* AddressSanitizer marks frames in shared memory, and the child never returns from its own:
 * whatever gets this address next must not inherit the marks. */
static void unpoison(G_GNUC_UNUSED const void *memory, G_GNUC_UNUSED gsize size)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(memory, size);
#endif
}

static pid_t clone_sharing(Plan *plan, int *pidfd)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	pid_t pid = clone(child_main, stack + STACK_SIZE,
			  CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, plan, pidfd);
	int saved = errno;
	unpoison(stack, STACK_SIZE);
	munmap(stack, STACK_SIZE);
	errno = saved;
	return pid;
}

static pid_t clone_into_cgroup(Plan *plan, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (guint64)(guintptr)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (guint64)plan->how->cgroup,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(child_main(plan));
	return pid;
}

/* Signals stay blocked meanwhile: a handler of ours must not run in the child. */
static gboolean make_child(Plan *plan, SpawnChild *child, GError **error)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int pidfd = -1;
	pid_t pid = plan->how->cgroup > 0 ? clone_into_cgroup(plan, &pidfd)
					  : clone_sharing(plan, &pidfd);
	int errnum = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return fail_errno(error, errnum, "%s: cannot make a process", plan->program);
	*child = (SpawnChild){ .pid = pid, .pidfd = pidfd };
	return TRUE;
}

/* Nothing arrives where execve succeeded, for that closes the child's end. */
static gboolean hear(const Plan *plan, int report_fd, SpawnChild *child, GError **error)
{
	Report report;
	ssize_t n;
	do
		n = read(report_fd, &report, sizeof report);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return TRUE;
	siginfo_t info;
	waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
	close(child->pidfd);
	if (n != sizeof report || (guint)report.stage >= G_N_ELEMENTS(stages))
		return fail(error, LODGE_ERROR_SYSTEM, "%s: its process ended before it ran",
			    plan->program);
	return fail_errno(error, report.errnum, "%s: %s", plan->program, stages[report.stage]);
}

static gboolean carry_out(Plan *plan, SpawnChild *child, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return fail_errno(error, errno, "%s: cannot make a pipe", plan->program);
	autofd int read_end = ends[0];
	plan->report = ends[1];
	SpawnChild made;
	gboolean ok = make_child(plan, &made, error);
	close(ends[1]);
	if (!ok || !hear(plan, read_end, &made, error))
		return FALSE;
	*child = made;
	return TRUE;
}

gboolean spawn(const Spawn *how, SpawnChild *child, GError **error)
{
	g_autofree char *program = g_find_program_in_path(how->argv[0]);
	if (!program)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "%s: no such program; install it or set its path", how->argv[0]);
	autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return fail_errno(error, errno, "cannot open /dev/null");
	Plan plan = { .how = how, .program = program, .null = null };
	g_snprintf(plan.oom, sizeof plan.oom, "%d", (int)opt_int_or(how->oom_score_adj, 0));
	gboolean ok = plan_fds(&plan, error) && carry_out(&plan, child, error);
	g_free(plan.fds);
	return ok;
}

/* ---- run to the end ---- */

/* Reads until end of file and the end of the child; FALSE where @deadline comes first. */
static gboolean collect(int from, int pidfd, gint64 deadline, GString *text)
{
	struct pollfd watch[] = { { .fd = from, .events = POLLIN },
				  { .fd = pidfd, .events = POLLIN } };
	char buffer[4096];
	for (;;) {
		gint64 left = deadline - g_get_monotonic_time();
		int n = left > 0 ? poll(watch, 2, (int)MIN(left / 1000 + 1, G_MAXINT)) : 0;
		if (n == 0 || (n < 0 && errno != EINTR))
			return FALSE;
		ssize_t got = n > 0 && watch[0].revents ? read(from, buffer, sizeof buffer) : -1;
		if (got > 0 && text->len + (gsize)got <= OUTPUT_MAX)
			g_string_append_len(text, buffer, got);
		if (got == 0)
			watch[0].fd = -1;
		if (got <= 0 && n > 0 && watch[1].revents)
			return TRUE; /* a grandchild may keep the pipe: the child's end is enough */
	}
}

gboolean spawn_begin(const Spawn *how, int timeout_ms, SpawnRun *run, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return fail_errno(error, errno, "%s: cannot make a pipe", how->argv[0]);
	autofd int from = ends[0];
	autofd int to = ends[1];
	fcntl(from, F_SETFL, O_NONBLOCK);
	Spawn with_output = *how;
	with_output.output = to;
	*run = (SpawnRun){ .name = how->argv[0], .timeout_ms = timeout_ms,
			   .deadline = g_get_monotonic_time() + timeout_ms * (gint64)1000 };
	if (!spawn(&with_output, &run->child, error))
		return FALSE;
	run->output = fd_steal(&from);
	return TRUE;
}

gboolean spawn_finish(SpawnRun *run, char **out, int *status, GError **error)
{
	autofd int from = run->output;
	autofd int pidfd = run->child.pidfd;
	g_autoptr(GString) text = g_string_new(NULL);
	gboolean ended = collect(from, pidfd, run->deadline, text);
	if (!ended)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	int wait_status = 0;
	while (waitpid(run->child.pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	if (!ended)
		return fail(error, LODGE_ERROR_TIMEOUT, "%s: did not end within %d ms and was killed",
			    run->name, run->timeout_ms);
	if (status)
		*status = wait_status;
	if (out)
		*out = g_strndup(text->str, text->len);
	return TRUE;
}

gboolean spawn_run(const Spawn *how, int timeout_ms, char **out, int *status, GError **error)
{
	SpawnRun run;
	return spawn_begin(how, timeout_ms, &run, error) && spawn_finish(&run, out, status, error);
}

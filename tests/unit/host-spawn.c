/* Tests of host/spawn, host/process and host/user: what a child inherits, how a start fails, and
 * how a process is known and ended. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/process.h"
#include "host/spawn.h"

/* The output of `sh -c script` in the world of @how. */
static char *shell(Spawn how, const char *script)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	how.argv = argv;
	char *out = NULL;
	int status = -1;
	g_autoptr(GError) error = NULL;
	g_assert_true(spawn_run(&how, 20000, &out, &status, &error));
	g_assert_no_error(error);
	g_assert_cmpint(status, ==, 0);
	return g_strchomp(out);
}

static void test_world_is_small(void)
{
	static const char *const env[] = { "ONLY=this", NULL };
	g_autofree char *out =
		shell((Spawn){ .env = env }, "env | grep -v -e ^PWD -e ^_= ; pwd; umask");
	g_assert_cmpstr(out, ==, "ONLY=this\n/\n0077");
	g_autofree char *session = shell((Spawn){ 0 }, "read -r a b c d e f rest </proc/$$/stat; "
						       "test $a = $f && echo own");
	g_assert_cmpstr(session, ==, "own");
	g_autofree char *privileges = shell((Spawn){ 0 }, "grep NoNewPrivs /proc/self/status");
	g_assert_cmpstr(privileges, ==, "NoNewPrivs:\t1");
}

static void test_signals_are_reset(void)
{
	signal(SIGUSR1, SIG_IGN);
	sigset_t block, before;
	sigemptyset(&block);
	sigaddset(&block, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	g_autofree char *out =
		shell((Spawn){ 0 }, "sed -n 's/^SigIgn:.//p; s/^SigBlk:.//p' /proc/self/status");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	signal(SIGUSR1, SIG_DFL);
	/* What posix_spawn() ignores of libc's own two, 32 and 33, nobody can change: make starts us so. */
	char *ignored;
	g_assert_cmphex(g_ascii_strtoull(out, &ignored, 16), ==, 0);
	g_assert_cmphex(g_ascii_strtoull(ignored, NULL, 16) & ~G_GUINT64_CONSTANT(0x180000000), ==, 0);
}

static int file_with(const char *text)
{
	int fd = memfd_create("test", 0); /* without close-on-exec: must not leak */
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
	return fd;
}

/* a's number is b's target and the other way round, c goes to a high number, one more stays here.
 */
static void test_fds_collide(void)
{
	autofd int a = file_with("A"), b = file_with("B"), c = file_with("C"),
		   leak = file_with("L");
	lseek(a, 0, SEEK_SET);
	lseek(b, 0, SEEK_SET);
	lseek(c, 0, SEEK_SET);
	const SpawnFd fds[] = { { a, b }, { b, a }, { c, 200 }, { c, leak + 1 } };
	g_autofree char *script = g_strdup_printf("cat <&%d; cat <&%d; cat /proc/self/fd/200; "
						  "ls -v /proc/$$/fd; :",
						  b, a);
	g_autofree char *out = NULL;
	const char *const argv[] = { "/bin/bash", "-c", script, NULL };
	Spawn how = { .argv = argv, .fds = fds, .n_fds = G_N_ELEMENTS(fds) };
	g_assert_true(spawn_run(&how, 20000, &out, NULL, NULL));
	g_autofree char *seen =
		g_strdup_printf("ABC0\n1\n2\n%d\n%d\n%d\n200\n", MIN(a, b), MAX(a, b), leak + 1);
	/* bash keeps its script's terminal fd at 255 only where it is interactive; it had the ends of a
	 * pipeline open, too, now and then, when there was one */
	g_assert_cmpstr(out, ==, seen);
}

static void test_fd_wanted_twice(void)
{
	const SpawnFd fds[] = { { 0, 5 }, { 1, 5 } };
	const char *const argv[] = { "/bin/true", NULL };
	g_autoptr(GError) error = NULL;
	SpawnChild child;
	g_assert_false(spawn(&(Spawn){ .argv = argv, .fds = fds, .n_fds = 2 }, &child, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INTERNAL);
}

static void expect_failure(Spawn how, const char *program, LodgeError code, const char *says)
{
	const char *const argv[] = { program, NULL };
	how.argv = argv;
	g_autoptr(GError) error = NULL;
	SpawnChild child = { -1, -1 };
	g_assert_false(spawn(&how, &child, &error));
	g_assert_error(error, LODGE_ERROR, (int)code);
	g_assert_cmpint(child.pid, ==, -1);
	if (!strstr(error->message, says))
		g_error("\"%s\" lacks \"%s\"", error->message, says);
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1); /* nothing is left behind */
}

static void test_stages_of_failure(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-spawn-XXXXXX", NULL);
	g_autofree char *script = g_build_filename(folder, "script", NULL);
	g_assert_true(g_file_set_contents(script, "#!/no/such/interpreter\n", -1, NULL));
	g_assert_cmpint(chmod(script, 0755), ==, 0);
	expect_failure((Spawn){ 0 }, "/no/such/program", LODGE_ERROR_NOT_FOUND,
		       "/no/such/program: ");
	expect_failure((Spawn){ 0 }, script, LODGE_ERROR_NOT_FOUND, "cannot run it: ");
	expect_failure((Spawn){ .cwd = "/no/such" }, "/bin/true", LODGE_ERROR_NOT_FOUND,
		       "/bin/true: cannot enter its working directory: ");
	static const char *const join[] = { "/no/such/tasks", NULL };
	expect_failure((Spawn){ .join = join }, "/bin/true", LODGE_ERROR_NOT_FOUND, "cannot join");
	const SpawnFd fds[] = { { 987, 5 } };
	expect_failure((Spawn){ .fds = fds, .n_fds = 1 }, "/bin/true", LODGE_ERROR_SYSTEM,
		       "cannot set up its file descriptors: ");
	const SpawnLimit limits[] = { { RLIMIT_NOFILE, 20, 10 } };
	expect_failure((Spawn){ .limits = limits, .n_limits = 1 }, "/bin/true", LODGE_ERROR_SYSTEM,
		       "cannot set its resource limits: ");
	unlink(script);
	rmdir(folder);
}

static void test_limits(void)
{
	const SpawnLimit limits[] = { { RLIMIT_NOFILE, 300, 300 } };
	g_autofree char *out = shell((Spawn){ .limits = limits,
					      .n_limits = 1,
					      .oom_score_adj = OPT_INT(500),
					      .umask = OPT_UINT(027) },
				     "ulimit -n; cat /proc/self/oom_score_adj; umask");
	g_assert_cmpstr(out, ==, "300\n500\n0027");
}

static void test_user(void)
{
	if (geteuid() != 0) {
		g_test_skip("needs root");
		return;
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(HostUser) nobody = host_user_for_qemu("nobody", &error);
	g_assert_no_error(error);
	g_autofree char *out =
		shell((Spawn){ .user = nobody }, "id -u; id -g; grep CapEff /proc/self/status");
	g_autofree char *wanted =
		g_strdup_printf("%u\n%u\nCapEff:\t0000000000000000", nobody->uid, nobody->gid);
	g_assert_cmpstr(out, ==, wanted);
	g_assert_false(host_user_may(nobody, "/etc/shadow", R_OK));
	g_assert_true(host_user_may(nobody, "/etc/passwd", R_OK));
	g_assert_null(host_user_for_qemu("no-such-account", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

static void test_run_too_long(void)
{
	const char *const argv[] = { "/bin/sleep", "60", NULL };
	g_autoptr(GError) error = NULL;
	g_assert_false(spawn_run(&(Spawn){ .argv = argv }, 100, NULL, NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_TIMEOUT);
}

/* ---- process ---- */

static SpawnChild start(const char *script)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	SpawnChild child;
	g_autoptr(GError) error = NULL;
	g_assert_true(spawn(&(Spawn){ .argv = argv }, &child, &error));
	g_assert_no_error(error);
	return child;
}

typedef struct Seen {
	gboolean called;
	ProcessEnd end;
} Seen;

static void on_end(ProcessEnd end, gpointer data)
{
	*(Seen *)data = (Seen){ TRUE, end };
}

static char *watch_to_the_end(SpawnChild child)
{
	Seen seen = { 0 };
	process_watch(child.pidfd, on_end, &seen);
	while (!seen.called)
		g_main_context_iteration(NULL, TRUE);
	close(child.pidfd);
	g_assert_cmpint(waitpid(child.pid, NULL, WNOHANG), ==, -1); /* reaped */
	return process_end_text(seen.end);
}

static void test_watch(void)
{
	g_autofree char *with_status = watch_to_the_end(start("exit 7"));
	g_assert_cmpstr(with_status, ==, "exited with status 7");
	g_autofree char *with_signal = watch_to_the_end(start("kill -9 $$"));
	g_assert_cmpstr(with_signal, ==, "was killed by signal 9 (Killed)");
}

static void test_identity(void)
{
	SpawnChild child = start("exec sleep 60");
	guint64 ticks = 0;
	g_autoptr(GError) error = NULL;
	g_assert_true(process_start_time(child.pid, &ticks, &error));
	int again = process_open(child.pid, ticks, &error);
	g_assert_cmpint(again, >=, 0);
	g_assert_true(process_alive(again));
	g_assert_cmpint(process_open(child.pid, ticks + 1, &error), ==, -1);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_assert_true(process_kill_wait(again, 0, NULL));
	g_assert_false(process_alive(again));
	close(again);
	g_free(watch_to_the_end(child));
	g_clear_error(&error);
	g_assert_cmpint(process_open(child.pid, ticks, &error), ==, -1);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

/* Not our child: a grandchild that was given away. */
static void test_watch_a_stranger(void)
{
	const char *const argv[] = { "/bin/sh", "-c", "exec sleep 60 & echo $!", NULL };
	g_autofree char *out = NULL;
	g_assert_true(spawn_run(&(Spawn){ .argv = argv }, 20000, &out, NULL, NULL));
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(out), 0);
	g_assert_cmpint(pidfd, >=, 0);
	g_assert_true(process_signal(pidfd, SIGKILL, NULL));
	g_autofree char *text = watch_to_the_end((SpawnChild){ atoi(out), pidfd });
	g_assert_cmpstr(text, ==, "ended");
}

static void test_kill_what_ignores_sigterm(void)
{
	int ready[2];
	g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
	const SpawnFd fds[] = { { ready[1], 9 } };
	const char *const argv[] = { "/bin/sh", "-c",
				     "trap '' TERM; echo >&9; while :; do sleep 60; done", NULL };
	SpawnChild child;
	g_assert_true(spawn(&(Spawn){ .argv = argv, .fds = fds, .n_fds = 1 }, &child, NULL));
	char byte;
	g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
	gint64 begin = g_get_monotonic_time();
	g_assert_true(process_kill_wait(child.pidfd, 100, NULL));
	gint64 took = g_get_monotonic_time() - begin;
	g_assert_cmpint(took, >=, 100000);
	g_assert_cmpint(took, <, 50 * G_TIME_SPAN_SECOND);
	g_assert_true(process_kill_wait(child.pidfd, 100, NULL)); /* ended already */
	g_autofree char *text = watch_to_the_end(child);
	g_assert_cmpstr(text, ==, "was killed by signal 9 (Killed)");
	close(ready[0]);
	close(ready[1]);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/spawn/small-world", test_world_is_small);
	g_test_add_func("/host/spawn/signals", test_signals_are_reset);
	g_test_add_func("/host/spawn/fds-collide", test_fds_collide);
	g_test_add_func("/host/spawn/fd-twice", test_fd_wanted_twice);
	g_test_add_func("/host/spawn/failure-stages", test_stages_of_failure);
	g_test_add_func("/host/spawn/limits", test_limits);
	g_test_add_func("/host/spawn/user", test_user);
	g_test_add_func("/host/spawn/too-long", test_run_too_long);
	g_test_add_func("/host/process/watch", test_watch);
	g_test_add_func("/host/process/identity", test_identity);
	g_test_add_func("/host/process/stranger", test_watch_a_stranger);
	g_test_add_func("/host/process/ignores-sigterm", test_kill_what_ignores_sigterm);
	return g_test_run();
}

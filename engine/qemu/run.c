/* One run of QEMU: its life and its end. See run.h. */
#include "engine/qemu/run.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/process.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_BYTES 2000

EngineRun *run_new(const Guest *live, const EngineSink *sink)
{
	const Paths *paths = qemu_host.config.paths;
	EngineRun *run = g_new0(EngineRun, 1);
	run->refs = 1;
	g_mutex_init(&run->perf_lock);
	run->name = g_strdup(live->name);
	run->sink = *sink;
	run->pidfd = run->vsock = -1;
	run->quiet = TRUE;
	run->run_dir = g_build_filename(paths->run, "guests", live->name, NULL);
	run->monitor_path = g_build_filename(run->run_dir, "monitor.sock", NULL);
	run->log_path = g_strdup_printf("%s/guests/%s.log", paths->log, live->name);
	run->helpers = g_ptr_array_new();
	run->claims = g_ptr_array_new_with_free_func(g_free);
	run->writes = g_ptr_array_new_with_free_func(g_free);
	run->on_poweroff = live->on_poweroff;
	run->on_reboot = live->on_reboot;
	run->on_crash = live->on_crash;
	return run;
}

EngineRun *run_ref(EngineRun *run)
{
	g_atomic_int_inc(&run->refs);
	return run;
}

void run_unref(EngineRun *run)
{
	if (!g_atomic_int_dec_and_test(&run->refs))
		return;
	run->sink.done(run->sink.owner);
	fd_clear(&run->pidfd);
	fd_clear(&run->vsock);
	cgroup_free(run->cgroup);
	run_count_end(run);
	g_mutex_clear(&run->perf_lock);
	g_ptr_array_unref(run->helpers);
	g_ptr_array_unref(run->claims);
	g_ptr_array_unref(run->writes);
	g_free(run->name);
	g_free(run->run_dir);
	g_free(run->monitor_path);
	g_free(run->log_path);
	g_free(run);
}

void run_say_ended(EngineRun *run, GuestReason reason, const char *detail)
{
	if (g_atomic_int_get(&run->quiet) ||
	    !g_atomic_int_compare_and_exchange(&run->ended, FALSE, TRUE))
		return;
	run->sink.ended(run->sink.owner, reason, detail);
}

char *run_log_tail(const EngineRun *run, goffset from)
{
	autofd int fd = open(run->log_path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char buffer[TAIL_BYTES + 1];
	if (fd < 0 || fstat(fd, &st) < 0)
		return g_strdup("");
	off_t at = MAX((off_t)from, st.st_size - TAIL_BYTES);
	ssize_t n = pread(fd, buffer, TAIL_BYTES, at);
	if (n <= 0)
		return g_strdup("");
	buffer[n] = '\0';
	g_strstrip(buffer);
	g_strdelimit(buffer, "\n", ';');
	return g_utf8_make_valid(buffer, -1);
}

/* Main: the process is gone. */
static void on_process_end(ProcessEnd end, gpointer data)
{
	EngineRun *run = data;
	g_autofree char *how = process_end_text(end);
	gboolean clean = g_atomic_int_get(&run->shut_down);
	g_autofree char *detail = g_strdup_printf("QEMU %s", how);
	run_say_ended(run, clean ? REASON_SHUTDOWN : REASON_CRASHED, detail);
	run_unref(run);
}

void run_watch(EngineRun *run)
{
	process_watch(run->pidfd, on_process_end, run_ref(run));
}

static void end_process(EngineRun *run)
{
	g_autoptr(GError) error = NULL;
	if (run->pidfd >= 0 && !process_kill_wait(run->pidfd, 0, &error))
		log_error(run->name, "%s", error->message);
}

/* The folder belongs to QEMU's user, but holds only sockets and certificates: one level, no links
 * followed. */
static void remove_run_dir(EngineRun *run)
{
	g_autoptr(GDir) dir = g_dir_open(run->run_dir, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(run->run_dir, file, NULL);
		unlink(path);
	}
	rmdir(run->run_dir);
}

void run_clean(EngineRun *run)
{
	g_atomic_int_set(&run->quiet, TRUE);
	end_process(run);
	if (run->qmp) {
		qmp_close(run->qmp);
		g_clear_pointer(&run->qmp, qmp_unref);
	}
	for (guint i = 0; i < run->helpers->len; i++)
		qemu_helper_stop(g_ptr_array_index(run->helpers, i));
	g_ptr_array_set_size(run->helpers, 0);
	claims_release(run);
	run_count_end(run);
	g_autoptr(GError) error = NULL;
	if (run->cgroup && !cgroup_remove(run->cgroup, &error))
		log_debug(run->name, "%s", error->message);
	remove_run_dir(run);
}

/* The daemon: folders, lock, configuration, sockets, and the main loop until a signal ends it. Guests
 * run on without it. Neighbours: wires core/ and wire/; main.c calls it. */
#include "daemon/daemon.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "image/part.h"
#include "image/seed.h"
#include "image/trust.h"
#include "core/core.h"
#include "daemon/config.h"
#include "daemon/doors.h"
#include "host/flush.h"
#include "host/memory.h"
#include "host/notify.h"
#include "host/socket.h"
#include "ops/run.h"
#include "wire/rest/rest.h"

#include <config.h> /* the build's, not our neighbour */
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET_SECONDS 30 /* without a call; what the calls before needed goes */
#define SETTLED_MS 500 /* after the start: what only that needed goes */

#define CLOSE_SECONDS 5 /* for verbs that still run when the daemon is told to end */

typedef struct DaemonArgs {
	ShapeHead head;
	char *root;
	gboolean foreground;
	gboolean detach;
} DaemonArgs;

static const Row args_rows[] = {
	STRING(DaemonArgs, root, NULL, .doc = "keep everything below this folder"),
	FLAG(DaemonArgs, foreground, NULL, .doc = "stay in the foreground, which it does anyway"),
	FLAG(DaemonArgs, detach, NULL, .doc = "return when the daemon answers, and leave it running"),
};
static const Shape args_shape = SHAPE("daemon", DaemonArgs, args_rows);

typedef struct Daemon {
	Paths *paths;
	Config *config;
	int lock_fd;
	int ready_fd; /* the waiting parent of a detached daemon; -1 */
	GMainLoop *loop;
	Core *core;
	RestServer *rest;
	LibvirtServer *libvirt;
	gboolean has_doors; /* libvirt's sockets are ours to remove */
	gboolean owns_socket; /* not systemd's: removed at the end */
} Daemon;

/* ---- before it listens ---- */

static gboolean take_lock(Daemon *daemon, GError **error)
{
	g_autofree char *path = g_build_filename(daemon->paths->run, "daemon.lock", NULL);
	autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno(error, errno, "cannot open %s", path);
	/* the process's own: a child on its way to exec() does not hold it, as it would with flock() */
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_SETLK, &whole) < 0) {
		char pid[32] = "";
		if (read(fd, pid, sizeof pid - 1) < 0)
			pid[0] = '\0';
		return fail(error, LODGE_ERROR_IN_USE, "a daemon with pid %s runs here already (it holds %s)",
			    g_strchomp(pid), path);
	}
	g_autofree char *pid = g_strdup_printf("%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
		return fail_errno(error, errno, "cannot write %s", path);
	daemon->lock_fd = fd_steal(&fd);
	return TRUE;
}

/* Many guests and clients need many descriptors. */
static void raise_limits(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warning(NULL, "cannot raise the limit of open files: %s", g_strerror(errno));
}

static gboolean open_log(Daemon *daemon, GError **error)
{
	g_autofree char *path = g_build_filename(daemon->paths->log, "lodge.log", NULL);
	log_set_level((LogLevel)(daemon->config->log_level - 1));
	return log_to_file(path, error);
}

/* ---- sockets ---- */

/* The socket of root's daemon belongs to a group of administrators where there is one. */
static mode_t socket_mode(const Daemon *daemon, gid_t *gid)
{
	*gid = (gid_t)-1;
	if (geteuid() != 0)
		return 0600;
	const char *name = daemon->config->group ? daemon->config->group : "lodge";
	struct group *group = getgrnam(name);
	if (!group && daemon->config->group)
		log_warning(NULL, "there is no group \"%s\": the socket is for root alone", name);
	if (!group)
		return 0600;
	*gid = group->gr_gid;
	return 0660;
}

/* Sockets that systemd opened before it started us. Returns how many. */
static guint take_handed_sockets(Daemon *daemon)
{
	guint n = notify_take_sockets();
	for (guint i = 0; i < n; i++)
		rest_listen(daemon->rest, NOTIFY_FIRST_SOCKET + (int)i, FALSE);
	return n;
}

static gboolean open_socket(Daemon *daemon, GError **error)
{
	if (take_handed_sockets(daemon) > 0)
		return TRUE;
	const char *path = daemon->paths->socket;
	gid_t gid;
	mode_t mode = socket_mode(daemon, &gid);
	int fd = socket_listen(path, mode, error);
	if (fd < 0)
		return FALSE;
	daemon->owns_socket = TRUE;
	rest_listen(daemon->rest, fd, FALSE);
	if (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		return fail_errno(error, errno, "cannot give %s to its group", path);
	return TRUE;
}

static gboolean open_doors(Daemon *daemon, GError **error)
{
	gid_t gid;
	mode_t mode = socket_mode(daemon, &gid);
	daemon->libvirt = libvirt_new(daemon->core, error);
	daemon->has_doors = daemon->libvirt && doors_open(daemon->libvirt, daemon->paths,
							  daemon->config, mode, gid, error);
	return daemon->has_doors;
}

/* ---- the parent of a detached daemon ---- */

/* Forks; the parent waits until the child is ready or has ended, and returns the exit code. In the
 * child returns -1 and sets *ready_fd. Errors of the child go to the standard error it still has. */
static int detach(int *ready_fd)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return 1;
	pid_t pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		close(ends[0]);
		setsid();
		*ready_fd = ends[1];
		return -1;
	}
	close(ends[1]);
	char byte;
	ssize_t n;
	do
		n = read(ends[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	int status = 0;
	if (n == 1)
		return 0;
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void tell_parent(Daemon *daemon)
{
	if (daemon->ready_fd < 0)
		return;
	autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (write(daemon->ready_fd, "r", 1) < 0)
		log_warning(NULL, "nobody waited for this daemon");
	fd_clear(&daemon->ready_fd);
}

/* ---- life ---- */

static gboolean on_settled(G_GNUC_UNUSED gpointer data)
{
	memory_release();
	return G_SOURCE_REMOVE;
}

static gboolean on_quiet_timer(G_GNUC_UNUSED gpointer data)
{
	static guint seen, released; /* counts of calls */
	if (op_count() == seen && seen != released && op_running() == 0) {
		memory_release();
		released = seen;
	}
	seen = op_count();
	return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gpointer data)
{
	g_main_loop_quit(data);
	return G_SOURCE_CONTINUE;
}

/* What a crash left of guests that never were. */
static void clean_seeds(Daemon *daemon)
{
	g_autofree char *folder = g_build_filename(daemon->paths->lib, "seed", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *uuid; dir && (uuid = g_dir_read_name(dir));) {
		g_autoptr(CoreGuest) guest = core_find_by(daemon->core, CORE_BY_UUID, uuid, NULL);
		if (!guest)
			image_seed_remove(daemon->paths->lib, uuid);
	}
}

static gboolean open_core(Daemon *daemon, GError **error)
{
	CoreConfig config = { .paths = daemon->paths,
			      .engine = &qemu_engine,
			      .default_network = daemon->config->default_network,
			      .engine_config = { .paths = daemon->paths,
						 .user = daemon->config->user,
						 .qemu = daemon->config->qemu,
						 .require_kvm =
							 daemon->config->require_kvm == TRI_YES } };
	flush_first(daemon->config->flush_first == TRI_YES);
	image_trust_folder(daemon->paths->images);
	image_parts_clean(daemon->paths->images);
	daemon->core = core_new(&config, error);
	if (daemon->core)
		clean_seeds(daemon);
	return daemon->core != NULL;
}

static gboolean daemon_open(Daemon *daemon, const DaemonArgs *args, GError **error)
{
	daemon->paths = paths_new(args->root);
	if (!paths_make(daemon->paths, error) || !take_lock(daemon, error))
		return FALSE;
	g_autofree char *file = g_build_filename(daemon->paths->etc, "lodge.conf", NULL);
	daemon->config = config_read(file, error);
	if (!daemon->config || !open_log(daemon, error))
		return FALSE;
	raise_limits();
	memory_keep();
	if (!open_core(daemon, error))
		return FALSE;
	op_run_clean(daemon->core);
	guint n;
	const Op *const *ops = op_table(&n);
	daemon->rest = rest_new(daemon->core, ops, n, error);
	return daemon->rest && open_doors(daemon, error) && open_socket(daemon, error);
}

static void daemon_run(Daemon *daemon)
{
	g_unix_signal_add(SIGTERM, on_signal, daemon->loop);
	g_unix_signal_add(SIGINT, on_signal, daemon->loop);
	log_info(NULL, "lodge %s serves %s", LODGE_VERSION, daemon->paths->socket);
	tell_parent(daemon);
	notify_systemd("READY=1");
	core_begin(daemon->core);
	g_timeout_add(SETTLED_MS, on_settled, NULL);
	g_timeout_add_seconds(QUIET_SECONDS, on_quiet_timer, NULL);
	libvirt_take_poll(daemon->libvirt);
	g_main_loop_run(daemon->loop);
	notify_systemd("STOPPING=1");
	log_info(NULL, "ends; guests run on");
}

static gboolean on_late(gpointer data)
{
	*(gboolean *)data = TRUE;
	return G_SOURCE_REMOVE;
}

/* With the doors closed, jobs are told to end; everything still running is waited for, but not for
 * long. FALSE: something runs on and may touch the core. */
static gboolean calls_ended(void)
{
	gboolean late = FALSE;
	guint timer = g_timeout_add_seconds(CLOSE_SECONDS, on_late, &late);
	while (op_running() > 0 && !late)
		g_main_context_iteration(NULL, TRUE);
	if (!late)
		g_source_remove(timer);
	while (g_main_context_iteration(NULL, FALSE) && !late) {
	}
	return op_running() == 0;
}

static void daemon_close(Daemon *daemon)
{
	if (daemon->owns_socket)
		unlink(daemon->paths->socket);
	if (daemon->has_doors)
		doors_remove(daemon->paths, daemon->config);
	libvirt_free(daemon->libvirt);
	rest_free(daemon->rest);
	if (!calls_ended())
		daemon->core = NULL; /* the process ends with it */
	g_clear_pointer(&daemon->core, core_free);
	g_clear_pointer(&daemon->loop, g_main_loop_unref);
	config_free(daemon->config);
	paths_free(daemon->paths);
	fd_clear(&daemon->lock_fd);
}

static int report(const GError *error)
{
	log_error(NULL, "%s", error->message);
	return op_exit_code(error);
}

int daemon_main(int argc, char *const *argv)
{
	g_autoptr(GError) error = NULL;
	DaemonArgs args = { 0 };
	Daemon daemon = { .lock_fd = -1, .ready_fd = -1 };
	if (!shape_from_args(&args_shape, &args, argc, argv, &error))
		return report(error);
	int code = args.detach ? detach(&daemon.ready_fd) : -1;
	if (code >= 0) {
		shape_clear(&args_shape, &args);
		return code;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(0077);
	if (daemon_open(&daemon, &args, &error)) {
		daemon.loop = g_main_loop_new(NULL, FALSE);
		daemon_run(&daemon);
	}
	daemon_close(&daemon);
	shape_clear(&args_shape, &args);
	return error ? report(error) : 0;
}

/* See helpers.h: what all helpers share, and virtiofsd. swtpm.c has the TPM. */
#include "engine/qemu/helpers_internal.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/qemu/command.h"
#include "host/process.h"
#include "host/socket.h"

#define STOP_GRACE_MS 2000
#define RECORD_LIMIT 65536

struct QemuHelper {
	char *name, *socket, *words;
	pid_t pid;
	guint64 ticks;
	int pidfd; /* -1: an adopted one that has ended */
};

static const char *const helper_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL
};

void helper_world(Spawn *how, const HostUser *user, const Cgroup *cgroup, int log_fd)
{
	how->env = helper_env;
	how->user = user;
	how->output = log_fd;
	if (cgroup)
		cgroup_apply(cgroup, how);
}

/* The folders that distributions put helpers in stand in @others, NULL at the end. */
char *helper_program(const char *name, const char *const *others)
{
	char *path = g_find_program_in_path(name);
	for (; !path && others && *others; others++)
		if (g_file_test(*others, G_FILE_TEST_IS_EXECUTABLE))
			path = g_strdup(*others);
	return path;
}

/* ---- start ---- */

int helper_listen(const char *path, const HostUser *user, GError **error)
{
	autofd int fd = socket_listen(path, 0600, error);
	if (fd < 0)
		return -1;
	/* virtiofsd accepts without waiting for a connection first: it must block there */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	if (user && geteuid() == 0 && lchown(path, user->uid, user->gid)) {
		fail_errno(error, errno, "%s: cannot give the socket to %s", path, user->name);
		unlink(path);
		return -1;
	}
	return fd_steal(&fd);
}

static QemuHelper *helper_new(const char *name, const char *socket, const SpawnChild *child)
{
	QemuHelper *helper = g_new0(QemuHelper, 1);
	*helper = (QemuHelper){ .name = g_strdup(name),
				.socket = g_strdup(socket),
				.pid = child->pid,
				.pidfd = child->pidfd };
	return helper;
}

QemuHelper *helper_spawn(const char *name, const char *socket, const Spawn *how, GError **error)
{
	SpawnChild child;
	if (!spawn(how, &child, error)) {
		unlink(socket);
		return NULL;
	}
	g_autoptr(QemuHelper) helper = helper_new(name, socket, &child);
	/* A child of ours that has ended still has its time of start until it is reaped. */
	if (!process_start_time(child.pid, &helper->ticks, error))
		return NULL;
	return g_steal_pointer(&helper);
}

/* ---- the handle ---- */

const char *qemu_helper_socket(const QemuHelper *helper)
{
	return helper->socket;
}

const char *qemu_helper_name(const QemuHelper *helper)
{
	return helper->name;
}

pid_t qemu_helper_pid(const QemuHelper *helper)
{
	return helper->pid;
}

const char *qemu_helper_words(const QemuHelper *helper)
{
	return helper->words;
}

int qemu_helper_pidfd(const QemuHelper *helper)
{
	return helper->pidfd < 0 ? -1 : fcntl(helper->pidfd, F_DUPFD_CLOEXEC, 3);
}

gboolean qemu_helper_alive(const QemuHelper *helper)
{
	return helper->pidfd >= 0 && process_alive(helper->pidfd);
}

gboolean helper_wait(const QemuHelper *helper, int timeout_ms)
{
	return helper->pidfd < 0 || process_wait(helper->pidfd, timeout_ms);
}

void qemu_helper_free(QemuHelper *helper)
{
	if (!helper)
		return;
	fd_clear(&helper->pidfd);
	g_free(helper->name);
	g_free(helper->socket);
	g_free(helper->words);
	g_free(helper);
}

void qemu_helper_end(const QemuHelper *helper)
{
	g_autoptr(GError) error = NULL;
	siginfo_t info;
	if (helper->pidfd < 0)
		return;
	if (!process_kill_wait(helper->pidfd, STOP_GRACE_MS, &error))
		log_error(NULL, "%s, process %d: %s", helper->name, (int)helper->pid, error->message);
	/* No child of ours where an earlier daemon started it: nothing to reap. */
	waitid(P_PIDFD, (id_t)helper->pidfd, &info, WEXITED | WNOHANG);
}

void qemu_helper_stop(QemuHelper *helper)
{
	if (!helper)
		return;
	qemu_helper_end(helper);
	if (unlink(helper->socket) && errno != ENOENT)
		log_warning(NULL, "%s: cannot remove the socket: %s", helper->socket,
			    g_strerror(errno));
	qemu_helper_free(helper);
}

/* ---- across a restart of the daemon ---- */

char *qemu_helper_record(const QemuHelper *helper)
{
	json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:s*}", "name", helper->name, "socket",
				 helper->socket, "pid", (json_int_t)helper->pid, "ticks",
				 (json_int_t)helper->ticks, "words", helper->words);
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

QemuHelper *qemu_helper_adopt(const char *record, GError **error)
{
	json_t *json = record && strnlen(record, RECORD_LIMIT) < RECORD_LIMIT
			       ? json_loads(record, JSON_REJECT_DUPLICATES, NULL)
			       : NULL;
	const char *name = NULL, *socket = NULL, *words = NULL;
	json_int_t pid = 0, ticks = 0;
	if (!json ||
	    json_unpack(json, "{s:s, s:s, s:I, s:I, s?s}", "name", &name, "socket", &socket, "pid", &pid,
			"ticks", &ticks, "words", &words) ||
	    pid <= 1 || pid > G_MAXINT || ticks < 0 || !g_path_is_absolute(socket)) {
		json_decref(json);
		fail(error, LODGE_ERROR_INVALID, "the record of a helper process is damaged");
		return NULL;
	}
	SpawnChild child = { .pid = (pid_t)pid,
			     .pidfd = process_open((pid_t)pid, (guint64)ticks, NULL) };
	QemuHelper *helper = helper_new(name, socket, &child);
	helper->ticks = (guint64)ticks;
	helper->words = g_strdup(words);
	json_decref(json);
	return helper;
}

/* ---- virtiofsd ---- */

/* Where distributions keep it, out of PATH. */
static const char *const virtiofsd_places[] = { "/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd",
						"/usr/lib/virtiofsd", NULL };

gboolean qemu_virtiofsd_wanted(const Filesystem *fs)
{
	return !g_strcmp0(fs->driver_type, "virtiofs") && !fs->source_socket;
}

/* A comma separates options, and neither implementation has a way to quote it. */
static gboolean check_folder(const Guest *live, const Filesystem *fs, GError **error)
{
	const char *folder = fs->source_dir;
	if (!folder || !g_path_is_absolute(folder))
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\": filesystem \"%s\": source/@dir must be an absolute path",
			    live->name, fs->target);
	if (strchr(folder, ','))
		return fail(
			error, LODGE_ERROR_UNSUPPORTED,
			"guest \"%s\": filesystem \"%s\": virtiofsd cannot share %s: there is a "
			"comma in its path",
			live->name, fs->target, folder);
	if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "guest \"%s\": filesystem \"%s\": there is no folder %s", live->name,
			    fs->target, folder);
	return TRUE;
}

static char *find_virtiofsd(const Guest *live, const Filesystem *fs, GError **error)
{
	char *program = NULL;
	if (fs->binary && g_file_test(fs->binary, G_FILE_TEST_IS_EXECUTABLE))
		program = g_strdup(fs->binary);
	if (!program)
		program = helper_program("virtiofsd", virtiofsd_places);
	if (!program)
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "guest \"%s\": filesystem \"%s\": virtiofsd is not installed; install the "
		     "package virtiofsd (Debian 12: qemu-system-common)",
		     live->name, fs->target);
	return program;
}

static void put_switch_word(GString *options, const char *word, const char *value)
{
	if (value)
		g_string_append_printf(options, ",%s%s", g_str_equal(value, "on") ? "" : "no_",
				       word);
}

static char *virtiofsd_options(const Filesystem *fs)
{
	GString *options = g_string_new(NULL);
	g_string_append_printf(options, "source=%s", fs->source_dir);
	if (fs->cache_mode)
		g_string_append_printf(options, ",cache=%s", fs->cache_mode);
	if (fs->sandbox_mode)
		g_string_append_printf(options, ",sandbox=%s", fs->sandbox_mode);
	put_switch_word(options, "xattr", fs->xattr);
	put_switch_word(options, "posix_lock", fs->posix_lock);
	put_switch_word(options, "flock", fs->flock);
	return g_string_free(options, FALSE);
}

/* The one in C (QEMU up to 7.2) enters name spaces, which takes root. */
static gboolean check_account(const Guest *live, const Filesystem *fs, const char *program,
			      GError **error)
{
	if (geteuid() == 0 || !g_str_equal(program, "/usr/lib/qemu/virtiofsd"))
		return TRUE;
	return fail(error, LODGE_ERROR_UNSUPPORTED,
		    "guest \"%s\": filesystem \"%s\": %s runs as root only; use the system's "
		    "daemon, or "
		    "install virtiofsd 1.11 or later",
		    live->name, fs->target, program);
}

static QemuHelper *virtiofsd_spawn(const Filesystem *fs, const char *program, const char *socket,
				   int listener, const Cgroup *cgroup, int log_fd, GError **error)
{
	g_autofree char *options = virtiofsd_options(fs);
	g_autofree char *pool = fs->thread_pool.set
					? g_strdup_printf("--thread-pool-size=%" G_GUINT64_FORMAT,
							  fs->thread_pool.v)
					: NULL;
	const char *const argv[] = { program, "--fd=3", "-o", options, pool, NULL };
	const SpawnFd fds[] = { { .from = listener, .to = 3 } };
	Spawn how = { .argv = argv, .fds = fds, .n_fds = 1 };
	helper_world(&how, NULL, cgroup, log_fd);
	return helper_spawn("virtiofsd", socket, &how, error);
}

QemuHelper *qemu_virtiofsd_start(const Guest *live, const Filesystem *fs, const char *run_dir,
				 const HostUser *user, const Cgroup *cgroup, int log_fd,
				 GError **error)
{
	g_autofree char *socket = qemu_virtiofs_path(run_dir, fs->info.alias);
	if (!check_folder(live, fs, error))
		return NULL;
	g_autofree char *program = find_virtiofsd(live, fs, error);
	if (!program || !check_account(live, fs, program, error))
		return NULL;
	autofd int listener = helper_listen(socket, user, error);
	if (listener < 0)
		return NULL;
	return virtiofsd_spawn(fs, program, socket, listener, cgroup, log_fd, error);
}

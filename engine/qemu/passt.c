/* See helpers.h: passt, the user mode of <interface type='user'><backend type='passt'/>. It speaks Ethernet
 * frames over a socket with QEMU and sockets of its own, without any privilege, with the host; addresses of
 * the guest are those of the host where nothing else is said.
 *
 * It makes itself a daemon once it serves, so that its parent tells what went wrong; it ends when QEMU
 * closes its end. QEMU is who listens, so that another may come in its place (supervise.c). Options:
 * passt(1). */
#include "engine/qemu/helpers_internal.h"

#include <jansson.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "host/process.h"
#include "host/socket.h"

#define START_MS 20000
#define CHILD_FD 3

gboolean qemu_passt_wanted(const Interface *interface)
{
	return interface->type == INTERFACE_USER && !g_strcmp0(interface->backend_type, "passt");
}

static void add(GPtrArray *argv, const char *option, const char *value)
{
	g_ptr_array_add(argv, g_strdup(option));
	if (value)
		g_ptr_array_add(argv, g_strdup(value));
}

/* "ADDRESS%DEV/22:2222,80-89:8080-8089"; without ports: all of them. */
static gboolean add_forward(GPtrArray *argv, const PortForward *forward, GError **error)
{
	g_autoptr(GArray) ranges = port_forward_ranges(forward, error);
	g_autoptr(GString) text = g_string_new(forward->address ? forward->address : "");
	if (!ranges)
		return FALSE;
	if (forward->dev)
		g_string_append_printf(text, "%%%s", forward->dev);
	if (text->len)
		g_string_append_c(text, '/');
	if (!ranges->len)
		g_string_assign(text, "all");
	for (guint i = 0; i < ranges->len; i++) {
		const PortRange *r = &g_array_index(ranges, PortRange, i);
		g_string_append_printf(text, "%s%u-%u:%u-%u", i ? "," : "", r->first, r->last, r->to,
				       r->to + r->last - r->first);
	}
	add(argv, g_strcmp0(forward->proto, "udp") ? "--tcp-ports" : "--udp-ports", text->str);
	return TRUE;
}

static gboolean add_options(GPtrArray *argv, const Interface *interface, GError **error)
{
	add(argv, "--quiet", NULL);
	if (interface->source && interface->source->dev)
		add(argv, "--interface", interface->source->dev);
	if (interface->backend_log_file)
		add(argv, "--log-file", interface->backend_log_file);
	SHAPE_EACH (InterfaceIp, ip, interface->ips) {
		g_autofree char *prefix = g_strdup_printf("%" G_GUINT64_FORMAT, opt_uint_or(ip->prefix, 0));
		if (ip->address)
			add(argv, "--address", ip->address);
		if (ip->prefix.set && g_strcmp0(ip->family, "ipv6"))
			add(argv, "--netmask", prefix);
	}
	SHAPE_EACH (PortForward, forward, interface->port_forwards)
		if (!add_forward(argv, forward, error))
			return FALSE;
	return TRUE;
}

/* What it says last, without what it says about the system's log. */
static const char *complaint(char *said)
{
	g_strchomp(said);
	for (char *end; (end = strrchr(said, '\n')); *end = '\0')
		if (!g_str_has_prefix(end + 1, "Failed to send"))
			return end + 1;
	return said;
}

/* Whether the process is that user's: who writes the file with its number might write another. */
static gboolean is_of(pid_t pid, const HostUser *user)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid), *status = NULL;
	if (!user || geteuid() != 0)
		return TRUE; /* nobody else's can be ended */
	const char *line = g_file_get_contents(path, &status, NULL, NULL) ? strstr(status, "\nUid:") : NULL;
	return line && g_ascii_strtoull(line + strlen("\nUid:\t"), NULL, 10) == user->uid;
}

/* As a record of a helper, which is how those are taken up that are no children of ours. */
static QemuHelper *find_daemon(const char *pid_file, const char *socket, const char *words,
			       const HostUser *user, GError **error)
{
	g_autofree char *text = file_read(pid_file, 64, NULL, error);
	pid_t pid = text ? (pid_t)g_ascii_strtoll(text, NULL, 10) : 0;
	guint64 ticks = 0;
	if (!text || !process_start_time(pid, &ticks, error))
		return NULL;
	if (!is_of(pid, user)) {
		fail(error, LODGE_ERROR_ENGINE, "passt: process %d is not its own", (int)pid);
		return NULL;
	}
	json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:s}", "name", "passt", "socket", socket, "pid",
				 (json_int_t)pid, "ticks", (json_int_t)ticks, "words", words);
	g_autofree char *record = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return qemu_helper_adopt(record, error);
}

/* Its file with its number is written as @user: the folder of all runs lets pass through. */
static gboolean open_way(const char *run_dir, const HostUser *user, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(run_dir);
	return !user || geteuid() != 0 || !chmod(parent, 0711) ||
	       fail_errno(error, errno, "cannot open the folder %s to passt's user", parent);
}

static gboolean launch(const char *name, const Interface *interface, const GPtrArray *argv, int connected,
		       const HostUser *user, const Cgroup *cgroup, GError **error)
{
	const SpawnFd fds[] = { { .from = connected, .to = CHILD_FD } };
	Spawn how = { .argv = (const char *const *)argv->pdata, .fds = fds, .n_fds = 1 };
	g_autofree char *said = NULL;
	int status = 0;
	helper_world(&how, user, cgroup, 0);
	if (!spawn_run(&how, START_MS, &said, &status, error))
		return FALSE;
	return (WIFEXITED(status) && !WEXITSTATUS(status)) ||
	       fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": interface %s: passt: %s", name, interface->mac,
		    complaint(said));
}

char *qemu_passt_words(const Interface *interface, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	if (!add_options(argv, interface, error))
		return NULL;
	g_ptr_array_add(argv, NULL);
	return g_strjoinv(" ", (char **)argv->pdata);
}

QemuHelper *qemu_passt_start(const char *name, const Interface *interface, const char *run_dir,
			     const char *socket, const HostUser *user, const Cgroup *cgroup, GError **error)
{
	g_autofree char *program = helper_program("passt", NULL);
	g_autofree char *pid_file = g_strdup_printf("%s/passt-%s.pid", run_dir, interface->info.alias);
	g_autofree char *words = qemu_passt_words(interface, error);
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *number = g_strdup_printf("%d", CHILD_FD);
	if (!words)
		return NULL;
	if (!program) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "guest \"%s\": interface %s: backend/@type is passt, which is not installed: apt "
		     "install passt, or leave <backend> out", name, interface->mac);
		return NULL;
	}
	add(argv, program, NULL);
	add(argv, "--fd", number);
	add(argv, "--pid", pid_file);
	if (!add_options(argv, interface, error) || !open_way(run_dir, user, error))
		return NULL;
	g_ptr_array_add(argv, NULL);
	autofd int connected = socket_connect(socket, error);
	QemuHelper *helper = connected >= 0 && launch(name, interface, argv, connected, user, cgroup, error) ?
				     find_daemon(pid_file, socket, words, user, error) : NULL;
	unlink(pid_file);
	return helper;
}

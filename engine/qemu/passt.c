/* See helpers.h: passt, the user mode of <interface type='user'><backend type='passt'/>. It speaks Ethernet
 * frames over a socket with QEMU and sockets of its own, without any privilege, with the host; addresses of
 * the guest are those of the host where nothing else is said.
 *
 * It makes itself a daemon once it serves, so that its parent tells what went wrong; it ends when QEMU
 * closes its end. Options: passt(1). */
#include "engine/qemu/helpers_internal.h"

#include <jansson.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "host/process.h"

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

/* As a record of a helper, which is how those are taken up that are no children of ours. */
static QemuHelper *find_daemon(const char *name, const char *pid_file, const char *socket, GError **error)
{
	g_autofree char *text = file_read(pid_file, 64, NULL, error);
	pid_t pid = text ? (pid_t)g_ascii_strtoll(text, NULL, 10) : 0;
	guint64 ticks = 0;
	if (!text || !process_start_time(pid, &ticks, error))
		return NULL;
	json_t *json = json_pack("{s:s, s:s, s:I, s:I}", "name", name, "socket", socket, "pid",
				 (json_int_t)pid, "ticks", (json_int_t)ticks);
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

static gboolean launch(const Guest *live, const Interface *interface, GPtrArray *argv, int theirs,
		       const HostUser *user, const Cgroup *cgroup, GError **error)
{
	const SpawnFd fds[] = { { .from = theirs, .to = CHILD_FD } };
	Spawn how = { .argv = (const char *const *)argv->pdata, .fds = fds, .n_fds = 1 };
	g_autofree char *said = NULL;
	int status = 0;
	helper_world(&how, user, cgroup, 0);
	if (!spawn_run(&how, START_MS, &said, &status, error))
		return FALSE;
	return (WIFEXITED(status) && !WEXITSTATUS(status)) ||
	       fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": interface %s: passt: %s", live->name,
		    interface->mac, complaint(said));
}

QemuHelper *qemu_passt_start(const Guest *live, const Interface *interface, const char *run_dir,
			     const HostUser *user, const Cgroup *cgroup, int *qemu_end, GError **error)
{
	g_autofree char *program = helper_program("passt", NULL);
	g_autofree char *pid_file = g_strdup_printf("%s/passt-%s.pid", run_dir, interface->info.alias);
	g_autofree char *socket = g_strdup_printf("%s/passt-%s", run_dir, interface->info.alias);
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *number = g_strdup_printf("%d", CHILD_FD);
	int ends[2];
	if (!program) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "guest \"%s\": interface %s: backend/@type is passt, which is not installed: apt "
		     "install passt, or leave <backend> out", live->name, interface->mac);
		return NULL;
	}
	add(argv, program, NULL);
	add(argv, "--fd", number);
	add(argv, "--pid", pid_file);
	if (!add_options(argv, interface, error) || !open_way(run_dir, user, error))
		return NULL;
	g_ptr_array_add(argv, NULL);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		fail_errno(error, errno, "guest \"%s\": socket for passt", live->name);
		return NULL;
	}
	autofd int own = ends[0], theirs = ends[1];
	QemuHelper *helper = launch(live, interface, argv, theirs, user, cgroup, error) ?
				     find_daemon("passt", pid_file, socket, error) : NULL;
	if (helper)
		*qemu_end = fd_steal(&own);
	unlink(pid_file);
	return helper;
}

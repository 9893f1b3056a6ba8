/* Under the name virt-ssh-helper, which libvirt's clients run on the far side of qemu+ssh://: standard input
 * and output become a connection to the daemon's socket. Neighbours: main.c; the socket is wire/libvirt's. */
#include "cli/internal.h"
#include "base/error.h"
#include "base/fd.h"
#include "host/socket.h"

#include <config.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE 65536

/* ---- which socket ---- */

/* The value of @key in the query of @uri; the caller frees it. */
static char *query_value(const char *uri, const char *key)
{
	const char *query = strchr(uri, '?');
	g_auto(GStrv) pairs = g_strsplit_set(query ? query + 1 : "", "&;", -1);
	g_autofree char *prefix = g_strconcat(key, "=", NULL);
	for (char **pair = pairs; *pair; pair++)
		if (g_str_has_prefix(*pair, prefix))
			return g_uri_unescape_string(*pair + strlen(prefix), NULL);
	return NULL;
}

static gboolean is_session(const char *uri)
{
	const char *path = strstr(uri, "://");
	path = path ? strchr(path + 3, '/') : NULL;
	return path && g_str_has_prefix(path, "/session");
}

/* The folders where a daemon may have its sockets, in the order they are tried. */
static GPtrArray *folders_for(const char *uri)
{
	GPtrArray *folders = g_ptr_array_new_with_free_func(g_free);
	const char *root = g_getenv("LODGE_ROOT");
	const char *base = is_session(uri) ? g_get_user_runtime_dir() : "/run";
	if (root)
		g_ptr_array_add(folders, g_build_filename(root, "run", NULL));
	g_ptr_array_add(folders, g_build_filename(base, "lodge", NULL));
	g_ptr_array_add(folders, g_build_filename(base, "libvirt", NULL));
	return folders;
}

static int connect_to(const char *uri, gboolean read_only, GError **error)
{
	g_autofree char *named = query_value(uri, "socket");
	if (named && *named)
		return socket_connect(named, error);
	if (!g_str_has_prefix(uri, "qemu")) {
		fail(error, LODGE_ERROR_UNSUPPORTED, "there is nothing here for %s, only for qemu:///system "
		     "and qemu:///session", uri);
		return -1;
	}
	g_autoptr(GPtrArray) folders = folders_for(uri);
	g_autoptr(GError) first = NULL;
	for (guint i = 0; i < folders->len; i++) {
		const char *name = read_only ? "libvirt-sock-ro" : "libvirt-sock";
		g_autofree char *path = g_build_filename(folders->pdata[i], name, NULL);
		int fd = socket_connect(path, first ? NULL : &first);
		if (fd >= 0)
			return fd;
	}
	g_propagate_error(error, g_steal_pointer(&first));
	return -1;
}

/* ---- bytes ---- */

/* One direction. */
typedef struct Way {
	int from, to;
	char bytes[PIECE];
	gsize at, n; /* what waits: bytes[at..n) */
	gboolean ended;	 /* nothing more comes */
	gboolean passed; /* and the other side was told */
} Way;

static gboolean would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* FALSE: the far end takes nothing any more. */
static gboolean push(Way *way)
{
	ssize_t n = write(way->to, way->bytes + way->at, way->n - way->at);
	if (n < 0)
		return would_block();
	way->at += (gsize)n;
	if (way->at == way->n)
		way->at = way->n = 0;
	return TRUE;
}

static void pull(Way *way)
{
	ssize_t n = read(way->from, way->bytes, sizeof way->bytes);
	if (n > 0)
		way->n = (gsize)n;
	else if (n == 0 || !would_block())
		way->ended = TRUE;
}

static void poll_ways(Way *const ways[2])
{
	struct pollfd fds[4];
	for (guint i = 0; i < 2; i++) {
		const Way *way = ways[i];
		fds[2 * i] = (struct pollfd){ .fd = way->n == 0 && !way->ended ? way->from : -1,
					      .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = way->n ? way->to : -1, .events = POLLOUT };
	}
	if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
		return;
	for (guint i = 0; i < 2; i++)
		if (fds[2 * i].revents)
			pull(ways[i]);
}

/* Until the daemon has hung up and all it said is passed on. */
static gboolean proxy(int fd)
{
	g_autofree Way *in = g_new0(Way, 1);
	g_autofree Way *out = g_new0(Way, 1);
	Way *const ways[2] = { in, out };
	in->from = STDIN_FILENO;
	in->to = out->from = fd;
	out->to = STDOUT_FILENO;
	while (!out->ended || out->n) {
		poll_ways(ways);
		if ((in->n && !push(in)) || (out->n && !push(out)))
			return FALSE;
		if (in->ended && !in->n && !in->passed) {
			shutdown(fd, SHUT_WR);
			in->passed = TRUE;
		}
	}
	return TRUE;
}

typedef struct HelperArgs {
	ShapeHead head;
	char *uri;
	gboolean readonly, version, help;
} HelperArgs;

static const Row rows[] = {
	STRING(HelperArgs, uri, NULL, .flags = ROW_POSITIONAL, .doc = "the URI without its host"),
	FLAG(HelperArgs, readonly, NULL, .opt = 'r', .doc = "connect read-only"),
	FLAG(HelperArgs, version, NULL, .opt = 'V', .doc = "print the version"),
	FLAG(HelperArgs, help, NULL, .opt = 'h', .doc = "print this"),
};
static const Shape shape = SHAPE("virt-ssh-helper", HelperArgs, rows);

static int help(void)
{
	g_autofree char *text = shape_help(&shape);
	printf("virt-ssh-helper [-r] URI: connects standard input and output to the daemon\n\n%s", text);
	return 0;
}

int ssh_helper_main(int argc, char *const *argv)
{
	HelperArgs args = { 0 };
	g_autoptr(GError) error = NULL;
	autofd int fd = -1;
	int code = 1;
	if (!shape_from_args(&shape, &args, argc - 1, argv + 1, &error)) {
		code = cli_failed(error);
	} else if (args.help) {
		code = help();
	} else if (args.version) {
		printf("virt-ssh-helper (Lodge) %s\n", LODGE_VERSION);
		code = 0;
	} else {
		signal(SIGPIPE, SIG_IGN);
		fd = connect_to(args.uri ? args.uri : "qemu:///system", args.readonly, &error);
		g_unix_set_fd_nonblocking(STDIN_FILENO, TRUE, NULL);
		g_unix_set_fd_nonblocking(STDOUT_FILENO, TRUE, NULL);
		code = fd < 0 ? cli_failed(error) : proxy(fd) ? 0 : 1;
	}
	shape_clear(&shape, &args);
	return code;
}

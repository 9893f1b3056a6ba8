/* See socket.h. The address holds at most 107 bytes of path: sockets are reached through a file
 * descriptor of their folder, "/proc/self/fd/N/NAME", where the path is longer. */
#include "host/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/fd.h"

#define BACKLOG 128

/* Fills @address; *dir keeps the folder open for as long as the address is used, or is -1. */
static gboolean fill_address(const char *path, struct sockaddr_un *address, int *dir,
			     GError **error)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof address->sun_path) {
		g_strlcpy(address->sun_path, path, sizeof address->sun_path);
		return TRUE;
	}
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	*dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return fail_errno(error, errno, "%s", folder);
	int n = g_snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *dir,
			   name);
	if (n >= (int)sizeof address->sun_path)
		return fail(error, LODGE_ERROR_INVALID, "%s: the socket's name is too long", path);
	return TRUE;
}

static int new_socket(GError **error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		fail_errno(error, errno, "cannot make a socket");
	return fd;
}

static gboolean make_way(const char *path, const struct sockaddr_un *address, GError **error)
{
	struct stat st;
	if (lstat(path, &st))
		return errno == ENOENT || fail_errno(error, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return fail(error, LODGE_ERROR_EXISTS, "%s: exists and is no socket", path);
	autofd int probe = new_socket(error);
	if (probe < 0)
		return FALSE;
	if (connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ||
	    errno == EAGAIN)
		return fail(error, LODGE_ERROR_IN_USE, "%s: another process listens there", path);
	if (unlink(path) && errno != ENOENT)
		return fail_errno(error, errno, "%s: cannot remove the stale socket", path);
	return TRUE;
}

int socket_listen(const char *path, mode_t mode, GError **error)
{
	struct sockaddr_un address;
	autofd int dir = -1;
	autofd int fd = -1;
	if (!fill_address(path, &address, &dir, error) || !make_way(path, &address, error) ||
	    (fd = new_socket(error)) < 0)
		return -1;
	/* The new file takes the socket's own mode, less the umask: never wider than asked for. */
	if (fchmod(fd, mode) || bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    chmod(path, mode) || listen(fd, BACKLOG)) {
		fail_errno(error, errno, "%s: cannot listen", path);
		return -1;
	}
	return fd_steal(&fd);
}

int socket_connect(const char *path, GError **error)
{
	struct sockaddr_un address;
	autofd int dir = -1;
	autofd int fd = -1;
	if (!fill_address(path, &address, &dir, error) || (fd = new_socket(error)) < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd_steal(&fd);
	if (errno == ECONNREFUSED)
		fail(error, LODGE_ERROR_GONE, "%s: nobody listens there any more", path);
	else if (errno == EAGAIN)
		fail(error, LODGE_ERROR_TIMEOUT, "%s: too many are waiting to be let in", path);
	else
		fail_errno(error, errno, "%s: cannot connect", path);
	return -1;
}

gboolean socket_peer(int fd, pid_t *pid, uid_t *uid, GError **error)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return fail_errno(error, errno, "cannot tell who is connected");
	*pid = peer.pid;
	*uid = peer.uid;
	return TRUE;
}

static void set_on(int fd, int level, int option)
{
	int on = 1;
	setsockopt(fd, level, option, &on, sizeof on);
}

/* -1 with errno. */
static int listen_at(const struct addrinfo *info)
{
	autofd int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			       info->ai_protocol);
	if (fd < 0)
		return -1;
	set_on(fd, SOL_SOCKET, SO_REUSEADDR);
	set_on(fd, SOL_SOCKET, SO_KEEPALIVE);
	set_on(fd, IPPROTO_TCP, TCP_NODELAY);
	if (info->ai_family == AF_INET6) /* IPv4 has a socket of its own */
		set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG))
		return -1;
	return fd_steal(&fd);
}

static void close_all(GArray *fds)
{
	for (guint i = 0; i < fds->len; i++)
		close(g_array_index(fds, int, i));
	g_array_unref(fds);
}

GArray *socket_listen_tcp(const char *address, const char *port, GError **error)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	const char *where = address ? address : "*";
	int code = getaddrinfo(address, port, &hints, &found);
	if (code) {
		fail(error, LODGE_ERROR_INVALID, "%s:%s: %s", where, port, gai_strerror(code));
		return NULL;
	}
	GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
	int failed = 0;
	for (const struct addrinfo *info = found; info && !failed; info = info->ai_next) {
		int fd = listen_at(info);
		if (fd >= 0)
			g_array_append_val(fds, fd);
		else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) /* a host without IPv6 */
			failed = errno;
	}
	freeaddrinfo(found);
	if (!failed && fds->len > 0)
		return fds;
	close_all(fds);
	fail_errno(error, failed ? failed : EADDRNOTAVAIL, "cannot listen at %s:%s", where, port);
	return NULL;
}

char *socket_address(int fd, gboolean peer)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr *any = (struct sockaddr *)&address;
	if (peer ? getpeername(fd, any, &size) : getsockname(fd, any, &size))
		return NULL;
	if (address.ss_family == AF_UNIX ||
	    getnameinfo(any, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
		return NULL;
	return g_strconcat(host, ";", port, NULL);
}

/* See socket.h. The address holds at most 107 bytes of path: sockets are reached through a file
 * descriptor of their folder, "/proc/self/fd/N/NAME", where the path is longer. */
#include "host/socket.h"

#include <fcntl.h>
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

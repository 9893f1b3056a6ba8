/* See notify.h. The protocols are a datagram and two variables (sd_notify(3), sd_listen_fds(3)):
 * too little for a dependency. */
#include "host/notify.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define SOCKETS_MAX 64

gboolean notify_systemd(const char *state)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
		return FALSE;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract name space */
	autofd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	return fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL,
				 (const struct sockaddr *)&address, size) >= 0;
}

static guint64 number(const char *name)
{
	const char *text = g_getenv(name);
	guint64 value = 0;
	return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &value, NULL) ? value : 0;
}

guint notify_take_sockets(void)
{
	guint n = number("LISTEN_PID") == (guint64)getpid()
			  ? (guint)MIN(number("LISTEN_FDS"), SOCKETS_MAX)
			  : 0;
	for (guint i = 0; i < n; i++)
		if (fcntl(NOTIFY_FIRST_SOCKET + (int)i, F_SETFD, FD_CLOEXEC))
			n = i;
	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	return n;
}

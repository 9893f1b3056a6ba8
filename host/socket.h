/* Unix sockets by path: to listen and to connect, however long the path is; TCP sockets to listen on.
 * Neighbours: qmp.h connects with it; wire/ and engine/ listen with it. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* A listening stream socket at @path with permission bits @mode from its first moment;
 * close-on-exec, non-blocking, the caller's. A stale socket there is replaced; a live one is
 * IN_USE, and anything that is no socket EXISTS. -1 on failure. Any thread. */
int socket_listen(const char *path, mode_t mode, GError **error);

/* A listener may be handed to a child (spawn.h), to which others can then connect before it is
 * ready: the daemon must close its own copy after spawn(), or nobody learns that the child ended.
 */

/* A connection to the socket at @path; close-on-exec, non-blocking, the caller's. -1 on failure:
 * NOT_FOUND where there is none, GONE where nobody listens. Any thread. */
int socket_connect(const char *path, GError **error);

/* Who is at the other end of a unix socket. Any thread. */
gboolean socket_peer(int fd, pid_t *pid, uid_t *uid, GError **error);

/* Listening TCP sockets for @port (a number or a name) at @address, or where that is NULL at every
 * address of the host; close-on-exec, non-blocking, the caller's, who frees the array (of int). The
 * connections are watched by the kernel (SO_KEEPALIVE) and send at once (TCP_NODELAY). NULL on failure,
 * also where one of several addresses is taken. Looks the name up: may block. Any thread. */
GArray *socket_listen_tcp(const char *address, const char *port, GError **error);

/* "ADDRESS;PORT" in numbers of this side, or of the other with @peer; the caller frees it. NULL for
 * what is not TCP. Any thread. */
char *socket_address(int fd, gboolean peer);

/* The door for libvirt's clients: virsh, virt-manager, python3-libvirt, ... speak their own protocol
 * (XDR over a stream socket) and find a libvirtd.
 *
 * Files: server.c sockets, limits, timers; turn.c who is ready; client.c one connection, from bytes to
 * messages and back; call.c one call, from a row of procs_*.c to a verb and its reply; codec.c and xdr.c
 * values on the wire; procs.c lists the tables of procedures; errors.c libvirt's numbers; login.c who a
 * client is, with tls.c, sasl.c and polkit.c; stream.c, events.c; connect.c, node.c and domain.c what no row
 * can say. Everything here is on the main loop's thread.
 * Neighbours: ops/dispatch.c below; wire/rest/ beside. */
#pragma once

#include "ops/ops.h"
#include "wire/libvirt/config.h"

typedef struct LibvirtServer LibvirtServer;

/* How a client comes. */
typedef enum LibvirtWay {
	LIBVIRT_UNIX,
	LIBVIRT_UNIX_RO, /* may only read */
	LIBVIRT_TCP,
	LIBVIRT_TLS,
} LibvirtWay;

/* A server without sockets; the caller owns it (libvirt_free). @core is passed on to the verbs and
 * must outlive it; with NULL all verbs are refused. */
LibvirtServer *libvirt_new(Core *core, GError **error);
/* Ends every connection; calls still running are not ended and report to nobody. */
void libvirt_free(LibvirtServer *server);

/* From now on as @config says, which must outlive the server; loads certificates and SASL's library where
 * it asks for them. Before it, the defaults hold. Blocks on the disk; at start. */
gboolean libvirt_configure(LibvirtServer *server, const LibvirtConfig *config, GError **error);
/* Serves clients of the listening socket @fd, which the server then owns. */
void libvirt_listen(LibvirtServer *server, int fd, LibvirtWay way);
/* Serves the one client at the other end of @fd, which the server then owns. FALSE: there are too
 * many clients. */
gboolean libvirt_serve(LibvirtServer *server, int fd, LibvirtWay way);
/* Serves calls that only read from within the default main context's wait, which saves them a turn of the
 * main loop; until libvirt_free(). For one server. */
void libvirt_take_poll(LibvirtServer *server);
/* Count of connections. */
guint libvirt_count(const LibvirtServer *server);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibvirtServer, libvirt_free)

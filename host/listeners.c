/* See listeners.h. */
#include "host/listeners.h"
#include "base/log.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Listener {
	Listeners *all;
	int fd;
	int kind;
	guint source; /* 0: there is no room */
} Listener;

struct Listeners {
	ListenersOwner owner;
	GPtrArray *sockets; /* of Listener */
};

static void listener_free(gpointer data)
{
	Listener *listener = data;
	g_clear_handle_id(&listener->source, g_source_remove);
	close(listener->fd);
	g_free(listener);
}

/* FALSE: nobody waits any more. */
static gboolean let_in(const Listener *listener)
{
	const ListenersOwner *owner = &listener->all->owner;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		owner->serve(owner->owner, fd, listener->kind);
	else if (errno == EMFILE || errno == ENFILE)
		log_warning(owner->name, "a client waits: %s", g_strerror(errno));
	return fd >= 0;
}

static gboolean on_accept(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Listener *listener = data;
	const ListenersOwner *owner = &listener->all->owner;
	for (guint i = 0; i < owner->turn; i++) {
		if (owner->is_full(owner->owner)) {
			listener->source = 0;
			return G_SOURCE_REMOVE;
		}
		if (!let_in(listener))
			break;
	}
	return G_SOURCE_CONTINUE;
}

Listeners *listeners_new(const ListenersOwner *owner)
{
	Listeners *listeners = g_new(Listeners, 1);
	*listeners = (Listeners){ .owner = *owner,
				  .sockets = g_ptr_array_new_with_free_func(listener_free) };
	return listeners;
}

void listeners_resume(Listeners *listeners)
{
	for (guint i = 0; i < listeners->sockets->len; i++) {
		Listener *listener = g_ptr_array_index(listeners->sockets, i);
		if (!listener->source)
			listener->source = g_unix_fd_add(listener->fd, G_IO_IN, on_accept, listener);
	}
}

void listeners_add(Listeners *listeners, int fd, int kind)
{
	Listener *listener = g_new0(Listener, 1);
	*listener = (Listener){ .all = listeners, .fd = fd, .kind = kind };
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	/* only widens the queue: it listens already */
	if (listen(fd, (int)listeners->owner.backlog) < 0)
		log_warning(listeners->owner.name, "cannot widen the queue of a socket: %s",
			    g_strerror(errno));
	g_ptr_array_add(listeners->sockets, listener);
	listeners_resume(listeners);
}

void listeners_close(Listeners *listeners)
{
	g_ptr_array_set_size(listeners->sockets, 0);
}

void listeners_free(Listeners *listeners)
{
	if (!listeners)
		return;
	g_ptr_array_unref(listeners->sockets);
	g_free(listeners);
}

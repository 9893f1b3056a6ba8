/* See listeners.h. */
#include "host/listeners.h"
#include "base/log.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATER_MS 200
#define TELL_SECONDS 30 /* that clients wait is said once in so long */

typedef struct Listener {
	Listeners *all;
	int fd;
	int kind;
	guint source; /* 0: there is no room, or nothing to accept with */
} Listener;

struct Listeners {
	ListenersOwner owner;
	GPtrArray *sockets; /* of Listener */
	guint later;	    /* the timer that tries again */
	gboolean waits;	    /* there is nothing to accept with */
	gint64 told;	    /* when that was said, monotonic; 0: never */
	guint untold;	    /* how often it came about since then */
};

static void listener_free(gpointer data)
{
	Listener *listener = data;
	g_clear_handle_id(&listener->source, g_source_remove);
	close(listener->fd);
	g_free(listener);
}

static gboolean on_later(gpointer data)
{
	Listeners *listeners = data;
	listeners->later = 0;
	listeners_resume(listeners);
	return G_SOURCE_REMOVE;
}

/* Where clients come and go, each that goes lets another one in, and the next one waits. */
static void tell(Listeners *listeners, int errnum)
{
	gint64 now = g_get_monotonic_time();
	if (listeners->told && now - listeners->told < TELL_SECONDS * G_TIME_SPAN_SECOND) {
		listeners->untold++;
		return;
	}
	g_autofree char *more = listeners->untold ?
		g_strdup_printf(" (and %u more times since this was said last)", listeners->untold) : NULL;
	log_warning(listeners->owner.name, "clients wait until others go: %s%s", g_strerror(errnum),
		    more ? more : "");
	listeners->told = now;
	listeners->untold = 0;
}

/* The host has no descriptors or memory for those who wait, who would wake us all the time. */
static void wait_a_while(Listeners *listeners, int errnum)
{
	if (!listeners->waits)
		tell(listeners, errnum);
	listeners->waits = TRUE;
	if (!listeners->later)
		listeners->later = g_timeout_add(LATER_MS, on_later, listeners);
}

/* FALSE: nobody waits any more, as far as one knows, or *later: not now. */
static gboolean let_in(const Listener *listener, gboolean *later)
{
	const ListenersOwner *owner = &listener->all->owner;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	*later = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
	if (*later)
		wait_a_while(listener->all, errno);
	if (fd < 0)
		return FALSE;
	listener->all->waits = FALSE;
	return owner->serve(owner->owner, fd, listener->kind);
}

static gboolean on_accept(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Listener *listener = data;
	const ListenersOwner *owner = &listener->all->owner;
	gboolean later = FALSE;
	for (guint i = 0; i < owner->turn && !(later = owner->is_full(owner->owner)); i++)
		if (!let_in(listener, &later))
			break;
	if (later)
		listener->source = 0;
	return later ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

Listeners *listeners_new(const ListenersOwner *owner)
{
	Listeners *listeners = g_new(Listeners, 1);
	*listeners = (Listeners){ .owner = *owner,
				  .sockets = g_ptr_array_new_with_free_func(listener_free) };
	return listeners;
}

/* A source that may recurse is not taken out of the main loop's poll and put back at each turn, which
 * would cost three system calls; this one never runs the main loop. */
static guint add_source(Listener *listener)
{
	g_autoptr(GSource) source = g_unix_fd_source_new(listener->fd, G_IO_IN);
	g_source_set_callback(source, G_SOURCE_FUNC(on_accept), listener, NULL);
	g_source_set_can_recurse(source, TRUE);
	return g_source_attach(source, NULL);
}

gboolean listeners_resume(Listeners *listeners)
{
	gboolean resumed = FALSE;
	for (guint i = 0; i < listeners->sockets->len; i++) {
		Listener *listener = g_ptr_array_index(listeners->sockets, i);
		if (listener->source)
			continue;
		listener->source = add_source(listener);
		resumed = TRUE;
	}
	return resumed;
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
	g_clear_handle_id(&listeners->later, g_source_remove);
	g_ptr_array_set_size(listeners->sockets, 0);
}

void listeners_free(Listeners *listeners)
{
	if (!listeners)
		return;
	listeners_close(listeners);
	g_ptr_array_unref(listeners->sockets);
	g_free(listeners);
}

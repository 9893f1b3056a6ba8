/* Listening sockets on the main loop: lets clients in as long as there is room, leaves the others in
 * the kernel's queue, and goes on when told that there is room again.
 * Neighbours: wire/ has one for each of its servers; socket.h makes the sockets. Main loop's thread. */
#pragma once

#include <glib.h>

typedef struct Listeners Listeners;

typedef struct ListenersOwner {
	const char *name; /* of the server, for the log; static */
	guint backlog;	  /* clients that may wait unaccepted */
	guint turn;	  /* how many are let in at once */
	/* Whether there is no room: nobody is let in until listeners_resume(). */
	gboolean (*is_full)(gpointer owner);
	/* Takes @fd, a new client: non-blocking, close-on-exec. @kind is its socket's. Returns whether
	 * another one is likely to wait, too. */
	gboolean (*serve)(gpointer owner, int fd, int kind);
	gpointer owner;
} ListenersOwner;

/* Listens nowhere yet. The caller owns it. */
Listeners *listeners_new(const ListenersOwner *owner);
/* Takes @fd, a socket that listens already. @kind is a number of the owner's for its clients. */
void listeners_add(Listeners *listeners, int fd, int kind);
/* There is room again. Returns whether somebody may have waited for it: the main loop has new sources. */
gboolean listeners_resume(Listeners *listeners);
/* Closes all sockets; more may be added. */
void listeners_close(Listeners *listeners);
/* Closes all sockets. NULL is fine. */
void listeners_free(Listeners *listeners);

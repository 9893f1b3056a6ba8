/* What systemd wants to hear from a service, and the sockets it hands to it; both by environment
 * variables, and nothing where it did not start us. Neighbours: daemon/ only. */
#pragma once

#include <glib.h>

/* Tells systemd @state: "READY=1", "STOPPING=1", "STATUS=12 guests". FALSE where nobody listens.
 * Any thread. */
gboolean notify_systemd(const char *state);

/* The sockets that systemd opened for us: file descriptors from 3 on, close-on-exec from now.
 * Returns how many; 0 where it gave none, and from the second call on. At start only: it changes
 * the environment. */
guint notify_take_sockets(void);
#define NOTIFY_FIRST_SOCKET 3

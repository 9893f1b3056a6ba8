/* Ports of this host that lead to guests: one table of nftables, rewritten as a whole in one transaction.
 * A packet finds its forward in a map, however many there are. It counts for packets from outside, from
 * the host itself (127.0.0.1 included) and from other guests, also those of the same bridge.
 * Neighbours: core/forwards.c knows who wants what; rules.h lets through what was forwarded. */
#pragma once

#include <glib.h>

typedef struct Forward {
	gboolean udp;
	guint16 port; /* of this host */
	char ip[16];  /* of the guest: IPv4 */
	guint16 to;
	char bridge[16]; /* that leads to it; "": not known */
} Forward;

/* Makes @n forwards what there is; 0: removes the table. Blocks for some milliseconds: not on the main
 * loop. */
gboolean forward_apply(const Forward *forwards, guint n, GError **error);

/* Whether anything on this host listens at the port; then *who (the caller frees it) says what, as far as
 * that can be seen: "nginx (pid 812)". Reads /proc: not on the main loop. */
gboolean forward_taken(gboolean udp, guint16 port, char **who);

/* The rules of filtered ports in the kernel: each change of a port is one transaction, old rules out and
 * new ones in, so that there is no moment without rules. Rules that an earlier daemon made are known again
 * by the table itself, and stay until they are replaced or swept.
 *
 * One table of this host's network, hence one lock. Blocks for some milliseconds: lanes only.
 * Neighbours: filter.h makes the rules; core/nwfilters.c knows which port has which filter. */
#pragma once

#include "net/filter.h"

/* Gives the port of @binding its rules. @learns: whether its address is to be learned first. On failure
 * the port has the rules that it had. */
gboolean filter_host_apply(const FilterBinding *binding, const GPtrArray *addresses, FilterFind find,
			   gpointer data, gboolean *learns, GError **error);
/* Takes the rules of @port away; none is fine. */
gboolean filter_host_remove(const char *port, GError **error);
/* Takes the rules of all ports away that are not in @keep (names). */
void filter_host_sweep(GHashTable *keep);

/* ---- filter_learn.c: which address a port uses ---- */

#define FILTER_FRAME_MAX 2048 /* what is looked at of a frame */

/* The IPv4 address that @frame says the owner of @mac has: by ARP or by sending IP (not where @dhcp_only),
 * or by what a DHCP server gave it. @from_port: it came from the port. FALSE: nothing said. Any thread. */
gboolean filter_learn_frame(const guint8 *frame, gsize length, gboolean from_port, const guint8 mac[6],
			    gboolean dhcp_only, guint8 address[4]);

/* A socket that sees the frames of the interface @port that filter_learn_frame() reads; non-blocking, the
 * caller's. -1 on failure. */
int filter_learn_open(const char *port, GError **error);
/* Reads what is there. TRUE where an address was learned. */
gboolean filter_learn_read(int fd, const guint8 mac[6], gboolean dhcp_only, guint8 address[4]);

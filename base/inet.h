/* IP addresses of both families as values: reading, printing, prefixes, ranges.
 * Neighbours: model/network_check.c checks documents with it; net/ and host/netlink.c set addresses. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

typedef struct Inet {
	int family;	  /* AF_INET or AF_INET6; 0: none */
	guint8 bytes[16]; /* network order; IPv4 uses the first four */
} Inet;

#define INET_TEXT 46 /* room for any address as text, NUL included: INET6_ADDRSTRLEN */

/* Reads an address of @family (AF_UNSPEC: either), as inet_pton(3) does: no names, no prefix. On
 * failure @error says what the text is not; *inet is untouched. Any thread, as all of these. */
gboolean inet_from_text(const char *text, int family, Inet *inet, GError **error);
/* The address as text, in @buffer, which is returned. */
const char *inet_to_text(const Inet *inet, char buffer[INET_TEXT]);

/* 32 or 128. */
guint inet_bits(const Inet *inet);
/* The address with all bits after @prefix cleared (or, for the last of the network, set). */
Inet inet_first(const Inet *inet, guint prefix);
Inet inet_last(const Inet *inet, guint prefix);
/* Whether @inet is in the network @network/@prefix; never where the families differ. */
gboolean inet_within(const Inet *inet, const Inet *network, guint prefix);
/* Whether two networks share an address. */
gboolean inet_overlap(const Inet *a, guint a_prefix, const Inet *b, guint b_prefix);
/* Below, equal to or above 0, as memcmp(); IPv4 before IPv6. */
int inet_compare(const Inet *a, const Inet *b);
/* Count of addresses from @first to @last, both included; 0 where they are in the wrong order or of
 * different families; at most G_MAXUINT32. */
guint32 inet_span(const Inet *first, const Inet *last);
/* The address @n behind @inet. */
Inet inet_plus(const Inet *inet, guint32 n);

/* The length of the prefix that the IPv4 @netmask means; -1 where it is none ("255.0.255.0"). */
int inet_mask_prefix(const Inet *netmask);
/* The netmask of @family with @prefix ones. */
Inet inet_mask(int family, guint prefix);
/* 224.0.0.0/4, ff00::/8. */
gboolean inet_is_multicast(const Inet *inet);
/* 0.0.0.0 or ::. */
gboolean inet_is_any(const Inet *inet);

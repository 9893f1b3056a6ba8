/* Ports of this host that lead to guests: one table of nftables, rewritten as a whole in one transaction.
 * A packet finds its forward in a map, however many there are. It counts for packets from outside, from
 * the host itself (127.0.0.1 included, ::1 not) and from other guests, also those of the same bridge.
 * Neighbours: core/forwards.c knows who wants what; rules.h lets through what was forwarded. */
#pragma once

#include <net/if.h>

#include "base/inet.h"

#define FORWARD_PORTS_MAX 16384 /* of all forwards together: each is an element of a map */

typedef struct ForwardSpec {
	gboolean udp;
	guint16 first, last; /* of this host */
	guint16 to;	     /* of the guest, for the first; the others follow */
	char address[INET_TEXT]; /* of this host; "": any of both families, "0.0.0.0" or "::": any of one */
	char dev[IFNAMSIZ];	 /* interface of this host that packets come by; "": any. Not with .address */
} ForwardSpec;

typedef struct Forward {
	ForwardSpec spec;
	char ip4[INET_TEXT], ip6[INET_TEXT]; /* of the guest; "": none */
	char bridge[IFNAMSIZ];		     /* that leads to it; "": not known */
} Forward;

/* "8080/tcp", "8000-8009/udp", "127.0.0.1:80/tcp", "[::1]:80/tcp", "80/tcp at eth0"; the caller frees it. */
char *forward_text(const ForwardSpec *spec);
/* Whether a packet could be meant by both. */
gboolean forward_overlap(const ForwardSpec *a, const ForwardSpec *b);

/* The table as nft's language has it; the caller frees it. No forwards: what removes it. Any thread. */
char *forward_script(const Forward *forwards, guint n);
/* Makes @n forwards what there is; 0: removes the table. Blocks for some milliseconds: not on the main
 * loop. */
gboolean forward_apply(const Forward *forwards, guint n, GError **error);

/* Whether anything on this host listens where @spec would; then *who (the caller frees it) says what, as far
 * as that can be seen: "port 80/tcp of this host is used by nginx (pid 812)". Reads /proc: not on the main
 * loop. */
gboolean forward_taken(const ForwardSpec *spec, char **who);

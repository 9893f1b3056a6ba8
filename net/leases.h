/* Leases as dnsmasq keeps them. Neighbours: dnsmasq.c says where; core/ and ops/ show them. */
#pragma once

#include <glib.h>

#define LEASE_NEVER 0 /* .expiry of a lease that does not end */

typedef struct DhcpLease {
	gint64 expiry; /* seconds since 1970; 0: never */
	gboolean v6;
	char *mac;	/* of IPv4 always; of IPv6 where it is part of the DUID; may be NULL */
	char *iaid;	/* IPv6 only */
	char *ip;
	char *hostname; /* NULL: none */
	char *clientid; /* client ID or DUID; NULL: none */
} DhcpLease;

/* Reads the text of a lease file: what is not a lease is passed over (dnsmasq may be writing it). At
 * most 65536. An array of DhcpLease *, owned by the caller and freed with it. Any thread. */
GPtrArray *leases_parse(const char *text, gsize length);

/* The leases in the file @path; none where it is not there. Reads at most 8 MiB. Any thread. */
GPtrArray *leases_read(const char *path);

void dhcp_lease_free(DhcpLease *lease);

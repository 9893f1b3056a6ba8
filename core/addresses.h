/* Which addresses a guest has, as this host sees it: by the leases of its networks, or by the kernel's table
 * of neighbours. (What the guest's agent says: agent.h.) Neighbours: ops/ shows them; forwards.c sends ports
 * there. */
#pragma once

#include "core/core.h"

typedef enum CoreAddressSource { CORE_ADDRESS_LEASE = 1, CORE_ADDRESS_ARP } CoreAddressSource;

typedef struct CoreAddress {
	char *name; /* of the interface on this host */
	char *mac, *ip;
	gboolean ipv6;
	guint prefix; /* 0: not known */
} CoreAddress;

/* CoreAddress *, owned by the caller and freed with the array; none where the guest does not run. Reads
 * files, asks the kernel: not on the main loop. */
GPtrArray *core_guest_addresses(CoreGuest *guest, CoreAddressSource source);

/* The IPv4 address at which the guest can be reached: the first by lease, or by neighbours; the caller frees
 * it. NULL: none is known. As core_guest_addresses(). */
char *core_guest_ip(CoreGuest *guest);

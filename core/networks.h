/* Networks among the live objects: what guests, and who starts them, need of them.
 * Neighbours: object.h for what all objects can; net/net.h makes them work. */
#pragma once

#include "core/object.h"
#include "model/network.h"

/* What the snapshot of an active network has in .info. */
typedef struct NetworkInfo {
	GPtrArray *ports; /* NetworkPort *, immutable */
} NetworkInfo;

/* Joins the interface @iface (type='network') of a guest to its network: chooses the device, remembers
 * the port over restarts of the daemon, counts it. The port says how to connect it (net/net.h); the
 * caller owns it and keeps its uuid as source/@portid of the live interface. @iface with a portid that
 * is known gets that port again. STATE where the network is not active. Any thread that may block for a
 * moment. */
NetworkPort *core_network_plug(Core *core, const Interface *iface, const char *owner,
			       const char *owner_uuid, GError **error);

/* Forgets the port; one that is not known is fine. As core_network_plug(). */
void core_network_unplug(Core *core, const char *network, const char *port);

/* Leases (Lease *, net/leases.h) of the network, owned by the caller. Any thread. */
GPtrArray *core_network_leases(CoreObject *network);

/* Networks among the live objects: what guests, and who starts them, need of them.
 * Neighbours: object.h for what all objects can; net/net.h makes them work. */
#pragma once

#include "core/object.h"
#include "model/network.h"

/* A copy of its document, for the caller to free, with how many guests use it: what dumpxml shows. */
Network *core_network_document(CoreObject *network, gboolean inactive);

/* Changes one element, of what is active, of the definition, or, with neither said, of what is active if
 * it is, else of the definition; see network_update(). Lane. */
gboolean core_network_update(CoreObject *network, NetworkCommand command, NetworkSection section,
			     int parent, const char *xml, gboolean live, gboolean config, GError **error);

/* ---- ports: what interfaces of guests have of an active network; any thread ---- */

/* Copies of NetworkPort, owned by the caller and freed with the array. */
GPtrArray *core_network_ports(CoreObject *network);
/* Makes a port by its document. A copy; NULL: STATE where the network is not active, EXISTS. */
NetworkPort *core_network_port_create(CoreObject *network, const char *xml, gboolean validate,
				      GError **error);
/* A copy. NULL with NOT_FOUND. */
NetworkPort *core_network_port_find(CoreObject *network, const char *uuid, GError **error);
gboolean core_network_port_delete(CoreObject *network, const char *uuid, GError **error);
/* Other limits (copied); NULL: none. */
gboolean core_network_port_limit(CoreObject *network, const char *uuid, const Bandwidth *inbound,
				 const Bandwidth *outbound, GError **error);

/* Joins the interface @iface (type='network') of a guest to its network: chooses the device, remembers
 * the port over restarts of the daemon, counts it. The port says how to connect it (net/net.h); the
 * caller owns it and keeps its uuid as source/@portid of the live interface. @iface with a portid that
 * is known gets that port again. STATE where the network is not active. Any thread that may block for a
 * moment. */
NetworkPort *core_network_plug(Core *core, const Interface *iface, const char *owner,
			       const char *owner_uuid, GError **error);

/* The interface @iface of @owner, which ran on while no daemon was here, is on its network again. As
 * core_network_plug(). */
void core_network_rejoin(Core *core, const Interface *iface, const Guest *owner);

/* Forgets the port; one that is not known is fine. As core_network_plug(). */
void core_network_unplug(Core *core, const char *network, const char *port);

/* Leases (DhcpLease *, net/leases.h) of the network, owned by the caller. Any thread. */
GPtrArray *core_network_leases(CoreObject *network);

/* Defines and starts `default`, once on a host where the system's daemon is new. Main, at start. */
void networks_first_start(Core *core);

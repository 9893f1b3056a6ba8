/* What networks.c and network_ports.c share. */
#pragma once

#include "core/networks.h"
#include "net/net.h"

typedef struct NetworkPorts NetworkPorts;

/* What an active network has beside its documents; the lane's. */
typedef struct NetworkRun {
	Net *net;
	NetworkPorts *ports;
} NetworkRun;

/* What its snapshot has in .info: a g_atomic_rc_box. */
typedef struct NetworkInfo {
	NetworkPorts *ports;
} NetworkInfo;

void network_info_clear(gpointer info);

/* Folders for net/; made where they are not there. Any thread. */
NetConfig network_config(Core *core);

/* The ports of the network @name, kept in a file below @run; with @known those that are in it. Not tied
 * to a lane: they have a lock of their own. */
NetworkPorts *network_ports_new(const char *run, const char *name, gboolean known);
NetworkPorts *network_ports_ref(NetworkPorts *ports);
void network_ports_unref(NetworkPorts *ports);
/* Makes the floors of all ports anew, after the network's own classes were. */
void network_ports_floors(NetworkPorts *ports, const Network *live);
/* The port of the interface @iface of @owner, which ran on while the network was stopped, is there again. */
void network_ports_rejoin(NetworkPorts *ports, const Network *live, const Interface *iface,
			  const Guest *owner);
/* The network is not active any more: removes the file. */
void network_ports_forget(NetworkPorts *ports);

/* Starts it, now and with the host. Any thread. */
void network_autostart_now(CoreObject *network);

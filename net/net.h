/* Virtual networks that work: libvirt's kinds behind one small vtable, one file per kind.
 *
 *   nat, route, isolated, open   a bridge of ours with addresses, rules (rules.c) and dnsmasq
 *                                (dnsmasq.c); what they share is own.c
 *   bridge                       a bridge of somebody else's: Linux's or Open vSwitch's
 *   macvtap                      private, vepa, bridge, passthrough upon interfaces of the host
 *   hostdev                      PCI functions that are given to guests
 *
 * Everything that is made can be found again by name: the bridge, chains named after it, dnsmasq by its
 * file of configuration. So adopting is "put right what differs", and nothing depends on what a daemon
 * that is gone remembered.
 *
 * Neighbours: core/networks.c calls it on a network's lane; host/ below. */
#pragma once

#include "model/network.h"
#include "net/leases.h"

typedef struct Net Net; /* an active network */

typedef struct NetConfig {
	const char *run; /* folder of run state: configuration of dnsmasq and its pid */
	const char *lib; /* folder of what survives: leases */
} NetConfig;

/* Makes the network @live, which is completed (names, ports of NAT). Nothing is left behind on failure.
 * UNSUPPORTED: a program is missing; IN_USE: bridge or subnet is taken; the message says by whom. Not on
 * the main loop: takes 20 to 50 ms. */
Net *net_start(const NetConfig *config, Network *live, Notes *notes, GError **error);

/* Takes up what an earlier daemon made, wholly or in part, and puts right what is missing: guests that
 * are connected stay so. On failure nothing is left of the network. As net_start(). */
Net *net_adopt(const NetConfig *config, Network *live, GError **error);

/* Makes the network what @live says, where it can be done without a stop; UNSUPPORTED otherwise. Hosts
 * of DHCP and DNS change without a restart of dnsmasq. */
gboolean net_change(Net *net, const Network *live, GError **error);

/* Removes all of it; guests' interfaces lose their bridge. FALSE where something could not be removed;
 * then it is still active. */
gboolean net_stop(Net *net, GError **error);

/* Forgets it; the network goes on. Main loop's thread. */
void net_free(Net *net);

/* What the interface @iface of a guest gets of the network @live: bridge or device, mode, VLANs, limits,
 * isolation, portgroup, virtual port; uuid, owner and MAC are the caller's to fill. The caller owns it.
 * @ports: those in use (NetworkPort *), by which a pool chooses. NULL with IN_USE where a pool is used
 * up, NOT_FOUND for a portgroup that is not there. Any thread.
 *
 * How to connect it, by .plug_type:
 *   network, bridge   .plug_bridge; enslave a tap, or where .virtual_port has the type openvswitch add
 *                     it by ovs-vsctl. .plug_mac_table_manager libvirt: no learning, no flooding.
 *   direct            macvtap upon .plug_dev, .plug_mode
 *   hostdev-pci       .plug_pci, .plug_managed, .plug_driver
 * and .mtu where it is set. */
NetworkPort *net_plan_interface(const Network *live, const Interface *iface, const GPtrArray *ports,
				GError **error);

/* Where the leases of a network of that name are; the caller frees it. */
char *net_lease_path(const NetConfig *config, const char *network);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Net, net_free)

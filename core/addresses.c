/* See addresses.h. */
#include "core/addresses.h"

#include <linux/neighbour.h>
#include <string.h>

#include "core/internal.h"
#include "core/networks.h"
#include "host/netlink.h"
#include "net/leases.h"

static void address_free(gpointer data)
{
	CoreAddress *address = data;
	g_free(address->name);
	g_free(address->mac);
	g_free(address->ip);
	g_free(address);
}

static const Interface *with_mac(const Guest *live, const char *mac)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (mac && interface->mac && !g_ascii_strcasecmp(interface->mac, mac))
			return interface;
	return NULL;
}

static void add(GPtrArray *list, const Interface *interface, const char *ip, gboolean ipv6, guint prefix)
{
	CoreAddress *address = g_new(CoreAddress, 1);
	*address = (CoreAddress){ .name = g_strdup(interface->target ? interface->target : interface->mac),
				  .mac = g_strdup(interface->mac), .ip = g_strdup(ip), .ipv6 = ipv6,
				  .prefix = prefix };
	g_ptr_array_add(list, address);
}

/* That of the network's subnet which @ip is in; 0: of none. */
static guint prefix_of(const Network *network, const char *ip)
{
	Inet address, own;
	guint prefix;
	if (!inet_from_text(ip, AF_UNSPEC, &address, NULL))
		return 0;
	SHAPE_EACH (NetworkIp, subnet, network->ips)
		if (network_ip_read(subnet, &own, &prefix, NULL) &&
		    inet_within(&address, &own, prefix))
			return prefix;
	return 0;
}

/* Leases of one network, of guests of any type: a bridge may be a network's. */
static void add_leases(GPtrArray *list, const Guest *live, CoreObject *network)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(network);
	g_autoptr(GPtrArray) leases = snap->live ? core_network_leases(network) : NULL;
	gint64 now = g_get_real_time() / G_USEC_PER_SEC;
	for (guint i = 0; leases && i < leases->len; i++) {
		const DhcpLease *lease = leases->pdata[i];
		const Interface *interface = with_mac(live, lease->mac);
		if (interface && (lease->expiry == LEASE_NEVER || lease->expiry > now))
			add(list, interface, lease->ip, lease->v6, prefix_of(snap->live->value, lease->ip));
	}
}

static gboolean may_lease(const Guest *live)
{
	SHAPE_EACH (Interface, interface, live->interfaces)
		if (interface->type == INTERFACE_NETWORK || interface->type == INTERFACE_BRIDGE)
			return TRUE;
	return FALSE;
}

static void by_lease(GPtrArray *list, Core *core, const Guest *live)
{
	if (!core->objects[CORE_NETWORK] || !may_lease(live))
		return;
	g_autoptr(GPtrArray) networks = core_object_all(core, CORE_NETWORK);
	for (guint i = 0; i < networks->len; i++)
		add_leases(list, live, networks->pdata[i]);
}

static void by_neighbours(GPtrArray *list, const Guest *live)
{
	g_autoptr(Netlink) nl = netlink_open(NULL);
	g_autoptr(GArray) all = nl ? netlink_neighbours(nl, NULL) : NULL;
	for (guint i = 0; all && i < all->len; i++) {
		const NeighbourInfo *one = &g_array_index(all, NeighbourInfo, i);
		char ip[INET_TEXT];
		g_autofree char *mac = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", one->mac[0],
						       one->mac[1], one->mac[2], one->mac[3], one->mac[4],
						       one->mac[5]);
		const Interface *interface = with_mac(live, mac);
		if (interface && !(one->state & (NUD_FAILED | NUD_INCOMPLETE)))
			add(list, interface, inet_to_text(&one->address, ip),
			    one->address.family == AF_INET6, 0);
	}
}

GPtrArray *core_guest_addresses(CoreGuest *guest, CoreAddressSource source)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(address_free);
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (snap->live && source == CORE_ADDRESS_LEASE)
		by_lease(list, guest->core, snap->live->guest);
	else if (snap->live)
		by_neighbours(list, snap->live->guest);
	return list;
}

char *core_guest_ip(CoreGuest *guest)
{
	for (CoreAddressSource source = CORE_ADDRESS_LEASE; source <= CORE_ADDRESS_ARP; source++) {
		g_autoptr(GPtrArray) list = core_guest_addresses(guest, source);
		for (guint i = 0; i < list->len; i++) {
			const CoreAddress *address = list->pdata[i];
			if (!address->ipv6)
				return g_strdup(address->ip);
		}
	}
	return NULL;
}

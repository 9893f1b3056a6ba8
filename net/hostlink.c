/* See hostlink.h: what is there, and what is made. linkstate.c puts back. */
#include "net/hostlink.h"
#include "base/error.h"
#include "host/file.h"

#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MTU 1500

/* ---- reading ---- */

gboolean hostlinks_read(HostLinks *all, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	*all = (HostLinks){ 0 };
	if (nl && (all->links = netlink_links(nl, error)) &&
	    (all->addresses = netlink_addresses(nl, error)) && (all->routes = netlink_routes(nl, error)))
		return TRUE;
	hostlinks_clear(all);
	return FALSE;
}

void hostlinks_clear(HostLinks *all)
{
	g_clear_pointer(&all->links, g_array_unref);
	g_clear_pointer(&all->addresses, g_array_unref);
	g_clear_pointer(&all->routes, g_array_unref);
}

const LinkInfo *hostlinks_find(const HostLinks *all, const char *name)
{
	for (guint i = 0; i < all->links->len; i++)
		if (g_strcmp0(g_array_index(all->links, LinkInfo, i).name, name) == 0)
			return &g_array_index(all->links, LinkInfo, i);
	return NULL;
}

const LinkInfo *hostlinks_at(const HostLinks *all, int index)
{
	for (guint i = 0; index && i < all->links->len; i++)
		if (g_array_index(all->links, LinkInfo, i).index == index)
			return &g_array_index(all->links, LinkInfo, i);
	return NULL;
}

HostIfType hostlink_type(const LinkInfo *link)
{
	static const char *const plain[] = { "", "veth", "dummy", "macvlan", NULL };
	if (!hostif_name_ok(link->name, NULL))
		return 0;
	if (g_strv_contains(plain, link->kind))
		return link->hardware == ARPHRD_ETHER || link->hardware == ARPHRD_LOOPBACK ? HOSTIF_ETHERNET
											   : 0;
	return (HostIfType)enum_value(&hostif_types, link->kind);
}

const char *hostlink_state(const LinkInfo *link)
{
	/* IF_OPER_...: linux/if.h; words: libvirt's virNetDevIfState */
	static const char *const states[] = { "unknown", "notpresent", "down", "lowerlayerdown",
					      "testing", "dormant",    "up" };
	return states[link->operstate < G_N_ELEMENTS(states) ? link->operstate : 0];
}

static void fill_speed(HostIf *iface)
{
	g_autofree char *path = g_strdup_printf("/sys/class/net/%s/speed", iface->name);
	g_autofree char *text = NULL;
	/* attributes of sysfs have no size; drivers without one refuse the read, or say -1 */
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	gint64 speed = g_ascii_strtoll(text, NULL, 10);
	if (speed > 0 && speed < G_MAXUINT32)
		iface->speed = OPT_UINT((guint64)speed);
}

gboolean hostlink_is_wireless(const char *name)
{
	g_autofree char *old = g_strdup_printf("/sys/class/net/%s/wireless", name);
	g_autofree char *now = g_strdup_printf("/sys/class/net/%s/phy80211", name);
	return access(old, F_OK) == 0 || access(now, F_OK) == 0;
}

static void fill_ports(const HostLinks *all, const LinkInfo *link, HostIf *iface)
{
	for (guint i = 0; i < all->links->len; i++) {
		const LinkInfo *port = &g_array_index(all->links, LinkInfo, i);
		HostIfType type = port->master == link->index ? hostlink_type(port) : 0;
		if (!type || type == HOSTIF_BRIDGE || (iface->bond && type != HOSTIF_ETHERNET))
			continue;
		HostIf *one = hostlink_document(all, port);
		if (!one)
			continue;
		hostif_clear_protocols(one);
		one->mtu = (OptUint){ 0 };
		shape_append(iface->bridge ? &iface->bridge->ports : &iface->bond->ports, &hostif_shape,
			     one);
	}
}

static void fill_addresses(const HostLinks *all, const LinkInfo *link, HostIf *iface)
{
	char text[INET_TEXT];
	for (guint i = 0; i < all->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(all->addresses, AddressInfo, i);
		if (a->index == link->index && a->address.family == AF_INET)
			hostif_add_ip(iface, inet_to_text(&a->address, text), a->prefix);
	}
	for (guint i = 0; i < all->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(all->addresses, AddressInfo, i);
		if (a->index == link->index && a->address.family == AF_INET6)
			hostif_add_ip(iface, inet_to_text(&a->address, text), a->prefix);
	}
	for (guint i = 0; i < all->routes->len; i++) {
		const RouteInfo *r = &g_array_index(all->routes, RouteInfo, i);
		if (r->index != link->index || r->prefix || !r->gateway.family ||
		    r->gateway.family != r->to.family)
			continue;
		HostIfProtocol *protocol =
			hostif_protocol(iface, r->to.family == AF_INET6 ? HOSTIF_IPV6 : HOSTIF_IPV4, TRUE);
		if (!protocol->gateway)
			protocol->gateway = g_strdup(inet_to_text(&r->gateway, text));
	}
}

HostIf *hostlink_document(const HostLinks *all, const LinkInfo *link)
{
	HostIfType type = hostlink_type(link);
	const LinkInfo *below = hostlinks_at(all, link->parent);
	if (!type || (type == HOSTIF_VLAN && !below))
		return NULL;
	HostIf *iface = hostif_new(type, link->name);
	if (type == HOSTIF_ETHERNET)
		iface->mac = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", link->mac[0], link->mac[1],
					     link->mac[2], link->mac[3], link->mac[4], link->mac[5]);
	if (link->mtu && link->mtu != DEFAULT_MTU)
		iface->mtu = OPT_UINT(link->mtu);
	if (type != HOSTIF_BRIDGE) {
		iface->state = g_strdup(hostlink_state(link));
		fill_speed(iface);
	}
	if (iface->bridge) {
		iface->bridge->stp = link->stp ? TRI_YES : TRI_NO;
		iface->bridge->delay =
			link->delay % 100 ? g_strdup_printf("%u.%02u", link->delay / 100, link->delay % 100)
					  : g_strdup_printf("%u", link->delay / 100);
	} else if (iface->bond) {
		iface->bond->mode = (int)(link->mode < hostif_bond_modes.n - 1 ? link->mode + 1 : 0);
	} else if (iface->vlan) {
		iface->vlan->tag = OPT_UINT(link->tag);
		iface->vlan->device = g_strdup(below->name);
	}
	if (iface->bridge || iface->bond)
		fill_ports(all, link, iface);
	fill_addresses(all, link, iface);
	return iface;
}

/* ---- making ---- */

static gboolean make_bond(Netlink *nl, const HostIf *iface, GError **error)
{
	const HostIfBond *bond = iface->bond;
	Inet target = { 0 };
	BondOptions options = { .mode = bond->mode ? (guint)bond->mode - 1 : 0,
				.miimon = (guint)bond->freq.v,
				.updelay = (guint)bond->updelay.v,
				.downdelay = (guint)bond->downdelay.v,
				.arp_interval = (guint)bond->interval.v,
				.arp_validate = bond->validate ? (guint)bond->validate - 1 : 0 };
	if (bond->arpmon && inet_from_text(bond->target, AF_INET, &target, NULL))
		options.arp_target = &target;
	return netlink_add_bond(nl, iface->name, &options, error);
}

static gboolean make_device(Netlink *nl, const HostIf *iface, GError **error)
{
	guint8 mac[6];
	gboolean stp = iface->bridge && iface->bridge->stp == TRI_YES;
	BridgeOptions options = { .stp = stp, .mtu = (guint)iface->mtu.v };
	switch (iface->type) {
	case HOSTIF_BRIDGE:
		options.mac = iface->own_mac && mac_from_text(iface->own_mac, mac) ? mac : NULL;
		/* with STP the kernel takes no less than two seconds */
		options.delay = stp ? MAX(hostif_delay(iface->bridge), 2) : hostif_delay(iface->bridge);
		return netlink_add_bridge(nl, iface->name, &options, error);
	case HOSTIF_BOND:
		return make_bond(nl, iface, error);
	case HOSTIF_VLAN:
		return netlink_add_vlan(nl, iface->name, iface->vlan->device, (guint)iface->vlan->tag.v,
					error);
	case HOSTIF_ETHERNET:
		break;
	}
	return fail(error, LODGE_ERROR_NOT_FOUND, "this host has no NIC %s", iface->name);
}

/* Ports of bonds must be down when they join. */
static gboolean join(Netlink *nl, const char *master, const LinkInfo *info, const HostIf *port,
		     gboolean bond, GError **error)
{
	LinkInfo link;
	if (!netlink_link(nl, port->name, &link, NULL) && !make_device(nl, port, error))
		return FALSE;
	if (!netlink_link(nl, port->name, &link, error))
		return FALSE;
	if (link.master == info->index && link.up)
		return TRUE;
	LinkChange down = { .up = TRI_NO }, enter = { .master = master }, up = { .up = TRI_YES };
	return (!bond || link.master == info->index || netlink_change(nl, port->name, &down, error)) &&
	       (link.master == info->index || netlink_change(nl, port->name, &enter, error)) &&
	       netlink_change(nl, port->name, &up, error);
}

gboolean hostlink_make(Netlink *nl, const HostIf *iface, GError **error)
{
	LinkInfo info;
	LinkChange up = { .up = TRI_YES };
	if (!netlink_link(nl, iface->name, &info, NULL)) {
		if (!make_device(nl, iface, error) || !netlink_link(nl, iface->name, &info, error))
			return FALSE;
	}
	if (enum_value(&hostif_types, info.kind) != (int)iface->type &&
	    (iface->type != HOSTIF_ETHERNET || hostlink_type(&info) != HOSTIF_ETHERNET))
		return fail(error, LODGE_ERROR_EXISTS, "%s is there already and is no %s", iface->name,
			    enum_name(&hostif_types, iface->type));
	SHAPE_EACH (HostIf, port, hostif_ports(iface))
		if (!join(nl, iface->name, &info, port, iface->bond != NULL, error))
			return FALSE;
	if (iface->mtu.set && iface->mtu.v != info.mtu)
		up.mtu = (guint)iface->mtu.v;
	return netlink_change(nl, iface->name, &up, error);
}

gboolean hostlink_put_addresses(Netlink *nl, const HostIf *iface, GError **error)
{
	SHAPE_EACH (HostIfProtocol, protocol, iface->protocols) {
		int family = protocol->family == HOSTIF_IPV6 ? AF_INET6 : AF_INET;
		SHAPE_EACH (HostIfIp, ip, protocol->ips) {
			Inet inet;
			if (!inet_from_text(ip->address, family, &inet, error) ||
			    !netlink_add_address(nl, iface->name, &inet,
						 (guint)opt_uint_or(ip->prefix, inet_bits(&inet)), error))
				return FALSE;
		}
		RouteInfo route = { .to.family = family, .protocol = RTPROT_STATIC };
		if (protocol->gateway &&
		    (!inet_from_text(protocol->gateway, family, &route.gateway, error) ||
		     !netlink_put_route(nl, iface->name, &route, error)))
			return FALSE;
	}
	return TRUE;
}

gboolean hostlink_flush(Netlink *nl, const char *name, GError **error)
{
	LinkInfo info;
	LinkChange down = { .up = TRI_NO };
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	g_autoptr(GArray) addresses = netlink_addresses(nl, error);
	for (guint i = 0; addresses && i < addresses->len; i++) {
		const AddressInfo *a = &g_array_index(addresses, AddressInfo, i);
		if (a->index == info.index && a->own &&
		    !netlink_delete_address(nl, name, &a->address, a->prefix, error))
			return FALSE;
	}
	return addresses && netlink_change(nl, name, &down, error);
}

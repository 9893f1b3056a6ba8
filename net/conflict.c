/* What of the host a network would collide with: addresses and routes that overlap its subnets.
 * Neighbours: own.c asks before it makes anything; core/networks.c when it chooses a subnet. */
#include "base/error.h"
#include "host/netlink.h"
#include "net/kind.h"

#include <string.h>

typedef struct Host {
	GArray *addresses, *routes, *links;
	int bridge; /* index of the network's own bridge; 0: none yet */
} Host;

static const char *link_name(const Host *host, int index)
{
	for (guint i = 0; i < host->links->len; i++) {
		const LinkInfo *link = &g_array_index(host->links, LinkInfo, i);
		if (link->index == index)
			return link->name;
	}
	return "another interface";
}

/* The bridge where it is there already, as after a crash. */
static int find_bridge(const GArray *links, const char *name)
{
	for (guint i = 0; i < links->len; i++)
		if (!g_strcmp0(g_array_index(links, LinkInfo, i).name, name))
			return g_array_index(links, LinkInfo, i).index;
	return 0;
}

static gboolean subnet_free(const Host *host, const Inet *inet, guint prefix, GError **error)
{
	char mine[INET_TEXT], other[INET_TEXT];
	Inet first = inet_first(inet, prefix);
	for (guint i = 0; i < host->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(host->addresses, AddressInfo, i);
		if (a->index != host->bridge && inet_overlap(inet, prefix, &a->address, a->prefix))
			return fail_with(error, LODGE_ERROR_IN_USE, LODGE_DETAIL_SUBNET_TAKEN,
				    "the subnet %s/%u is in use: %s has the address %s/%u; choose another",
				    inet_to_text(&first, mine), prefix, link_name(host, a->index),
				    inet_to_text(&a->address, other), a->prefix);
	}
	for (guint i = 0; i < host->routes->len; i++) {
		const RouteInfo *r = &g_array_index(host->routes, RouteInfo, i);
		/* A default route, or any half of the world, is no claim to a subnet. */
		if (r->index != host->bridge && r->prefix > 7 &&
		    inet_overlap(inet, prefix, &r->to, r->prefix))
			return fail_with(error, LODGE_ERROR_IN_USE, LODGE_DETAIL_SUBNET_TAKEN,
				    "the subnet %s/%u is in use: the host reaches %s/%u through %s; choose "
				    "another", inet_to_text(&first, mine), prefix,
				    inet_to_text(&r->to, other), r->prefix, link_name(host, r->index));
	}
	return TRUE;
}

static gboolean all_free(const Network *live, const Host *host, GError **error)
{
	SHAPE_EACH (NetworkIp, ip, live->ips) {
		Inet inet;
		guint prefix;
		if (!network_ip_read(ip, &inet, &prefix, error) ||
		    !subnet_free(host, &inet, prefix, error))
			return FALSE;
	}
	return TRUE;
}

gboolean net_subnets_free(const Network *live, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	g_autoptr(GArray) links = nl ? netlink_links(nl, error) : NULL;
	g_autoptr(GArray) addresses = links ? netlink_addresses(nl, error) : NULL;
	g_autoptr(GArray) routes = addresses ? netlink_routes(nl, error) : NULL;
	if (!routes)
		return FALSE;
	Host host = { .addresses = addresses, .routes = routes, .links = links,
		      .bridge = find_bridge(links, live->bridge) };
	return all_free(live, &host, error);
}

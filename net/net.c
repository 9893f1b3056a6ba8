/* See net.h: which kind it is, and what all of them share. */
#include "net/net.h"
#include "base/error.h"
#include "net/kind.h"
#include "net/plug.h"

const NetKind *net_kind(const Network *network)
{
	switch (network_mode(network)) {
	case FORWARD_NAT:
		return &net_nat;
	case FORWARD_ROUTE:
		return &net_route;
	case FORWARD_OPEN:
		return &net_open;
	case FORWARD_BRIDGE:
		return network->bridge ? &net_bridge : &net_macvtap;
	case FORWARD_PRIVATE:
	case FORWARD_VEPA:
	case FORWARD_PASSTHROUGH:
		return &net_macvtap;
	case FORWARD_HOSTDEV:
		return &net_hostdev;
	default:
		return &net_isolated;
	}
}

static Net *net_new(const NetConfig *config, const Network *live)
{
	Net *net = g_new0(Net, 1);
	net->kind = net_kind(live);
	net->config.run = g_strdup(config->run);
	net->config.lib = g_strdup(config->lib);
	net->live = network_copy(live);
	return net;
}

/* What libvirt's live documents say and its definitions leave out. */
static void complete(Network *live)
{
	NetworkForward *f = live->forward;
	if (network_mode(live) != FORWARD_NAT || f->nat_port_start.set)
		return;
	f->nat_port_start = OPT_UINT(1024);
	f->nat_port_end = OPT_UINT(65535);
}

/* Without the right to make interfaces a NAT network is each guest's own, which the engine makes: the guest
 * reaches the world, and is reached by forwards. */
static gboolean is_user_mode(const Network *live, const char **why)
{
	return network_mode(live) == FORWARD_NAT && !plug_possible(why);
}

static Net *begin(const NetConfig *config, Network *live, gboolean adopt, Notes *notes, GError **error)
{
	const char *why;
	complete(live);
	Net *net = net_new(config, live);
	net->user = is_user_mode(live, &why);
	if (net->user) {
		notes_add(notes, "%s: guests on it are in user mode, reach the world and are reached by "
				 "port-forward, not by each other", why);
		return net;
	}
	gboolean ok = (!net->kind->check || net->kind->check(live, error)) &&
		      (!network_owns_bridge(live) || own_start(net, adopt, notes, error));
	if (!ok)
		g_clear_pointer(&net, net_free);
	return net;
}

Net *net_start(const NetConfig *config, Network *live, Notes *notes, GError **error)
{
	return begin(config, live, FALSE, notes, error);
}

Net *net_adopt(const NetConfig *config, Network *live, GError **error)
{
	return begin(config, live, TRUE, NULL, error);
}

gboolean net_change(Net *net, const Network *live, GError **error)
{
	if (!net->user && network_owns_bridge(net->live) && !own_change(net, live, error))
		return FALSE;
	network_free(net->live);
	net->live = network_copy(live);
	return TRUE;
}

gboolean net_stop(Net *net, GError **error)
{
	return net->user || !network_owns_bridge(net->live) || own_stop(net, error);
}

void net_free(Net *net)
{
	if (!net)
		return;
	dnsmasq_leave(net->dnsmasq);
	network_free(net->live);
	g_free((char *)net->config.run);
	g_free((char *)net->config.lib);
	g_free(net);
}

/* ---- joining ---- */

static gpointer copy_of(const Shape *shape, gconstpointer object)
{
	return object ? shape_copy(shape, object) : NULL;
}

/* The limits of the interface go before those of its group. */
static void plan_bandwidth(const Interface *iface, const PortGroup *group, NetworkPort *port)
{
	gboolean own = iface->inbound || iface->outbound;
	const Bandwidth *in = own ? iface->inbound : group ? group->inbound : NULL;
	const Bandwidth *out = own ? iface->outbound : group ? group->outbound : NULL;
	port->inbound = copy_of(&bandwidth_shape, in);
	port->outbound = copy_of(&bandwidth_shape, out);
}

/* VLANs: the interface's, its group's, the network's: the first that says any. */
static void plan_vlan(const Network *live, const Interface *iface, const PortGroup *group,
		      NetworkPort *port)
{
	const GPtrArray *tags = shape_len(iface->vlan_tags)		     ? iface->vlan_tags
				: group && shape_len(group->vlan_tags) ? group->vlan_tags
								       : live->vlan_tags;
	const char *trunk = tags == iface->vlan_tags			     ? iface->vlan_trunk
			    : group && tags == group->vlan_tags ? group->vlan_trunk
								: live->vlan_trunk;
	port->vlan_trunk = g_strdup(trunk);
	SHAPE_EACH (VlanTag, tag, tags)
		shape_append(&port->vlan_tags, &vlan_tag_shape, shape_copy(&vlan_tag_shape, tag));
}

static void take(char **to, const char *from)
{
	if (!*to)
		*to = g_strdup(from);
}

/* Parameters from interface, network and group, each where the former left it open. */
static void plan_virtual_port(const Network *live, const Interface *iface, const PortGroup *group,
			      NetworkPort *port)
{
	const VirtualPort *from[] = { iface->virtual_port, live->virtual_port,
				      group ? group->virtual_port : NULL };
	for (guint i = 0; i < G_N_ELEMENTS(from); i++) {
		if (!from[i])
			continue;
		if (!port->virtual_port)
			port->virtual_port = shape_new(&virtual_port_shape);
		VirtualPort *to = port->virtual_port;
		take(&to->type, from[i]->type);
		take(&to->managerid, from[i]->managerid);
		take(&to->typeid, from[i]->typeid);
		take(&to->typeidversion, from[i]->typeidversion);
		take(&to->instanceid, from[i]->instanceid);
		take(&to->profileid, from[i]->profileid);
		take(&to->interfaceid, from[i]->interfaceid);
	}
	if (port->virtual_port && !g_strcmp0(port->virtual_port->type, "openvswitch") &&
	    !port->virtual_port->interfaceid)
		port->virtual_port->interfaceid = g_uuid_string_random();
}

static Tri plan_isolated(const Network *live, const Interface *iface)
{
	if (iface->port_isolated)
		return g_str_equal(iface->port_isolated, "yes") ? TRI_YES : TRI_NO;
	return live->port_isolated;
}

static gboolean plan_device(const Network *live, const GPtrArray *ports, NetworkPort *port, GError **error)
{
	const NetKind *kind = net_kind(live);
	if (kind->plan)
		return kind->plan(live, ports, port, error);
	port->plug_type = g_strdup("network");
	port->plug_bridge = g_strdup(live->bridge);
	port->plug_mac_table_manager = g_strdup(live->mac_table_manager);
	return TRUE;
}

NetworkPort *net_plan_interface(const Network *live, const Interface *iface, const GPtrArray *ports,
				GError **error)
{
	const char *name = iface->source ? iface->source->portgroup : NULL;
	const PortGroup *group = network_portgroup(live, name);
	if (name && !group) {
		fail(error, LODGE_ERROR_NOT_FOUND, "network \"%s\" has no portgroup \"%s\"", live->name,
		     name);
		return NULL;
	}
	g_autoptr(NetworkPort) port = shape_new(&network_port_shape);
	if (!plan_device(live, ports, port, error))
		return NULL;
	port->mac = g_strdup(iface->mac);
	port->group = g_strdup(group ? group->name : NULL);
	const char *trust = iface->trust_guest_rx_filters;
	port->trust_guest = trust ? g_str_equal(trust, "yes") ? TRI_YES : TRI_NO
			    : group && group->trust_guest_rx_filters ? group->trust_guest_rx_filters
								     : live->trust_guest_rx_filters;
	port->isolated = plan_isolated(live, iface);
	port->mtu = live->mtu;
	plan_bandwidth(iface, group, port);
	plan_vlan(live, iface, group, port);
	plan_virtual_port(live, iface, group, port);
	return g_steal_pointer(&port);
}

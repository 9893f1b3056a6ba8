/* The rows of <network> and <networkport>. See network.h. */
#include "model/network.h"
#include "base/error.h"

const EnumTable forward_modes = ENUM_TABLE("forward mode", "nat", "route", "open", "bridge", "private",
					   "vepa", "passthrough", "hostdev");

/* ---- forward ---- */

static const Row forward_interface_rows[] = {
	STRING(ForwardInterface, dev, "@dev", .flags = ROW_REQUIRED, .doc = "interface of the host"),
	UINT(ForwardInterface, connections, "@connections", .flags = ROW_LIVE,
	     .doc = "how many guests use it"),
};
const Shape forward_interface_shape =
	SHAPE("forward-interface", ForwardInterface, forward_interface_rows);

static const Row forward_address_rows[] = {
	STRING(ForwardAddress, type, "@type", .dflt = "pci", .doc = "pci"),
	INLINE(ForwardAddress, pci, "", HostPci, host_pci_shape),
	UINT(ForwardAddress, connections, "@connections", .flags = ROW_LIVE,
	     .doc = "how many guests use it"),
};
const Shape forward_address_shape = SHAPE("forward-address", ForwardAddress, forward_address_rows);

static const Row forward_rows[] = {
	STRING(NetworkForward, dev, "@dev", .doc = "only through this interface of the host"),
	ENUM(NetworkForward, mode, "@mode", forward_modes, .dflt = "nat", .doc = "how it leads on"),
	TRI(NetworkForward, managed, "@managed", .doc = "whether the host's driver is detached"),
	STRING(NetworkForward, driver, "driver/@name", .doc = "vfio or kvm"),
	TRI(NetworkForward, nat_ipv6, "nat/@ipv6", .doc = "also IPv6 is translated"),
	STRING(NetworkForward, nat_start, "nat/address/@start", .doc = "first address outside"),
	STRING(NetworkForward, nat_end, "nat/address/@end", .doc = "last address outside"),
	UINT(NetworkForward, nat_port_start, "nat/port/@start", .min = 1, .max = 65535,
	     .doc = "first port outside"),
	UINT(NetworkForward, nat_port_end, "nat/port/@end", .min = 1, .max = 65535,
	     .doc = "last port outside"),
	STRING(NetworkForward, pf, "pf/@dev", .doc = "the device whose virtual functions are used"),
	LIST(NetworkForward, interfaces, "interface", forward_interface_shape,
	     .doc = "interfaces of the host"),
	LIST(NetworkForward, addresses, "address", forward_address_shape,
	     .doc = "PCI devices of the host"),
};
static const Shape forward_shape = SHAPE("forward", NetworkForward, forward_rows);

/* ---- dns ---- */

static const Row forwarder_rows[] = {
	STRING(DnsForwarder, domain, "@domain", .doc = "only for names of this domain"),
	STRING(DnsForwarder, addr, "@addr", .doc = "address of the server; none: as the host resolves"),
};
static const Shape forwarder_shape = SHAPE("dns-forwarder", DnsForwarder, forwarder_rows);

static const Row txt_rows[] = {
	STRING(DnsTxt, name, "@name", .flags = ROW_REQUIRED, .doc = "name"),
	STRING(DnsTxt, value, "@value", .flags = ROW_REQUIRED | ROW_EMPTY_OK, .doc = "text"),
};
const Shape dns_txt_shape = SHAPE("dns-txt", DnsTxt, txt_rows);

static const Row srv_rows[] = {
	STRING(DnsSrv, service, "@service", .flags = ROW_REQUIRED, .doc = "name of the service"),
	STRING(DnsSrv, protocol, "@protocol", .flags = ROW_REQUIRED, .doc = "tcp or udp"),
	STRING(DnsSrv, domain, "@domain", .doc = "domain"),
	STRING(DnsSrv, target, "@target", .doc = "name of the host"),
	UINT(DnsSrv, port, "@port", .max = 65535, .doc = "port"),
	UINT(DnsSrv, priority, "@priority", .max = 65535, .doc = "priority"),
	UINT(DnsSrv, weight, "@weight", .max = 65535, .doc = "weight"),
};
const Shape dns_srv_shape = SHAPE("dns-srv", DnsSrv, srv_rows);

static const Row dns_host_rows[] = {
	STRING(DnsHost, ip, "@ip", .flags = ROW_REQUIRED, .doc = "address"),
	STRINGS(DnsHost, names, "hostname", .doc = "names"),
};
const Shape dns_host_shape = SHAPE("dns-host", DnsHost, dns_host_rows);

static const Row dns_rows[] = {
	TRI(NetworkDns, enable, "@enable", .doc = "whether the network has a name server"),
	TRI(NetworkDns, forward_plain_names, "@forwardPlainNames",
	    .doc = "whether names without a dot are asked outside"),
	LIST(NetworkDns, forwarders, "forwarder", forwarder_shape, .doc = "servers that are asked"),
	LIST(NetworkDns, txts, "txt", dns_txt_shape, .doc = "TXT records"),
	LIST(NetworkDns, srvs, "srv", dns_srv_shape, .doc = "SRV records"),
	LIST(NetworkDns, hosts, "host", dns_host_shape, .doc = "names of addresses"),
};
static const Shape dns_shape = SHAPE("dns", NetworkDns, dns_rows);

/* ---- ip ---- */

#define LEASE(T)                                                                                   \
	UINT(T, expiry, "lease/@expiry", .max = G_MAXUINT32 - 1, .doc = "length of a lease"),      \
		STRING(T, unit, "lease/@unit", .doc = "seconds, minutes or hours")

static const Row range_rows[] = {
	STRING(DhcpRange, start, "@start", .flags = ROW_REQUIRED, .doc = "first address"),
	STRING(DhcpRange, end, "@end", .flags = ROW_REQUIRED, .doc = "last address"),
	LEASE(DhcpRange),
};
const Shape dhcp_range_shape = SHAPE("dhcp-range", DhcpRange, range_rows);

static const Row host_rows[] = {
	/* as it was written, for clients look for it by that: network_check.c looks at it */
	STRING(DhcpHost, mac, "@mac", .doc = "MAC address"),
	STRING(DhcpHost, id, "@id", .doc = "DUID of an IPv6 client"),
	STRING(DhcpHost, name, "@name", .doc = "name"),
	STRING(DhcpHost, ip, "@ip", .doc = "address"),
	LEASE(DhcpHost),
};
const Shape dhcp_host_shape = SHAPE("dhcp-host", DhcpHost, host_rows);

static const Row ip_rows[] = {
	STRING(NetworkIp, family, "@family", .doc = "ipv4 or ipv6"),
	STRING(NetworkIp, address, "@address", .doc = "address of the host in the network"),
	STRING(NetworkIp, netmask, "@netmask", .doc = "netmask"),
	UINT(NetworkIp, prefix, "@prefix", .max = 128, .doc = "length of the prefix"),
	TRI(NetworkIp, local_ptr, "@localPtr", .doc = "addresses without a name are not asked outside"),
	STRING(NetworkIp, tftp_root, "tftp/@root", .doc = "folder that TFTP serves"),
	LIST(NetworkIp, ranges, "dhcp/range", dhcp_range_shape, .doc = "addresses given out"),
	LIST(NetworkIp, hosts, "dhcp/host", dhcp_host_shape, .doc = "fixed addresses"),
	STRING(NetworkIp, bootp_file, "dhcp/bootp/@file", .doc = "boot image"),
	STRING(NetworkIp, bootp_server, "dhcp/bootp/@server", .doc = "server that has it"),
};
const Shape network_ip_shape = SHAPE("network-ip", NetworkIp, ip_rows);

/* ---- network ---- */

#define VLAN(T)                                                                                    \
	STRING(T, vlan_trunk, "vlan/@trunk", .doc = "several VLANs"),                              \
		LIST(T, vlan_tags, "vlan/tag", vlan_tag_shape, .doc = "VLANs")
#define BANDWIDTH(T)                                                                               \
	STRUCT(T, inbound, "bandwidth/inbound", Bandwidth, bandwidth_shape,                        \
	       .doc = "limits towards the guests"),                                                \
		STRUCT(T, outbound, "bandwidth/outbound", Bandwidth, bandwidth_shape,              \
		       .doc = "limits from the guests")

static const Row portgroup_rows[] = {
	STRING(PortGroup, name, "@name", .flags = ROW_REQUIRED, .doc = "name"),
	TRI(PortGroup, dflt, "@default", .doc = "used where an interface names none"),
	TRI(PortGroup, trust_guest_rx_filters, "@trustGuestRxFilters",
	    .doc = "follow changes of the guest's MAC address"),
	VLAN(PortGroup),
	STRUCT(PortGroup, virtual_port, "virtualport", VirtualPort, virtual_port_shape,
	       .doc = "port of a switch"),
	BANDWIDTH(PortGroup),
};
const Shape port_group_shape = SHAPE("portgroup", PortGroup, portgroup_rows);

static const Row option_rows[] = {
	STRING(DnsmasqOption, value, "@value", .flags = ROW_REQUIRED, .doc = "line of its configuration"),
};
static const Shape option_shape = SHAPE("dnsmasq-option", DnsmasqOption, option_rows);

static const Row network_rows[] = {
	UINT(Network, connections, "@connections", .flags = ROW_LIVE, .doc = "how many guests use it"),
	TRI(Network, ipv6, "@ipv6", .doc = "guests reach each other by IPv6 without addresses of ours"),
	TRI(Network, trust_guest_rx_filters, "@trustGuestRxFilters",
	    .doc = "follow changes of the guest's MAC address"),
	STRING(Network, name, "name", .flags = ROW_REQUIRED, .doc = "name"),
	UUID(Network, uuid, "uuid", .doc = "UUID"),
	STRING(Network, title, "title", .doc = "short description"),
	STRING(Network, description, "description", .doc = "description"),
	RAWXML(Network, metadata, "metadata", .doc = "what other programs keep here"),
	STRUCT(Network, forward, "forward", NetworkForward, forward_shape,
	       .doc = "how it leads on; none: an isolated network"),
	STRING(Network, bridge, "bridge/@name", .doc = "bridge of the host"),
	STRING(Network, zone, "bridge/@zone", .doc = "zone of firewalld"),
	TRI(Network, stp, "bridge/@stp", .words = "on/off", .doc = "spanning tree"),
	UINT(Network, delay, "bridge/@delay", .max = 32767, .doc = "seconds of the forward delay"),
	STRING(Network, mac_table_manager, "bridge/@macTableManager", .doc = "kernel or libvirt"),
	UINT(Network, mtu, "mtu/@size", .min = 68, .max = 65535, .doc = "MTU"),
	MAC(Network, mac, "mac/@address", .doc = "MAC address of the bridge"),
	STRING(Network, domain, "domain/@name", .doc = "domain of the guests' names"),
	TRI(Network, domain_local_only, "domain/@localOnly", .doc = "never asked outside"),
	TRI(Network, domain_register, "domain/@register",
	    .doc = "tell the host's resolver about the domain"),
	STRUCT(Network, dns, "dns", NetworkDns, dns_shape, .doc = "name server"),
	VLAN(Network),
	BANDWIDTH(Network),
	TRI(Network, port_isolated, "port/@isolated", .doc = "guests do not reach each other"),
	LIST(Network, ips, "ip", network_ip_shape, .doc = "addresses and DHCP"),
	LIST(Network, routes, "route", interface_route_shape, .doc = "networks behind guests"),
	STRUCT(Network, virtual_port, "virtualport", VirtualPort, virtual_port_shape,
	       .doc = "port of a switch"),
	LIST(Network, portgroups, "portgroup", port_group_shape, .doc = "groups of ports"),
	LIST(Network, dnsmasq_options, "dnsmasq:options/dnsmasq:option", option_shape,
	     .doc = "lines for dnsmasq's configuration"),
};
const Shape network_shape = SHAPE("network", Network, network_rows, .check = network_check);

/* ---- networkport ---- */

static const Row port_rows[] = {
	UUID(NetworkPort, uuid, "uuid", .doc = "UUID"),
	STRING(NetworkPort, owner_name, "owner/name", .doc = "guest"),
	UUID(NetworkPort, owner_uuid, "owner/uuid", .doc = "its UUID"),
	STRING(NetworkPort, group, "group", .doc = "portgroup"),
	MAC(NetworkPort, mac, "mac/@address", .flags = ROW_REQUIRED, .doc = "MAC address"),
	STRUCT(NetworkPort, virtual_port, "virtualport", VirtualPort, virtual_port_shape,
	       .doc = "port of a switch"),
	UINT(NetworkPort, class_id, "bandwidth/@classID", .max = 65535, .doc = "class of its limits"),
	BANDWIDTH(NetworkPort),
	TRI(NetworkPort, trust_guest, "rxfilters/@trustGuest",
	    .doc = "follow changes of the guest's MAC address"),
	VLAN(NetworkPort),
	TRI(NetworkPort, isolated, "port/@isolated", .doc = "not to other isolated ports"),
	STRING(NetworkPort, plug_type, "plug/@type", .doc = "network, bridge, direct or hostdev-pci"),
	STRING(NetworkPort, plug_bridge, "plug/@bridge", .doc = "bridge"),
	STRING(NetworkPort, plug_mac_table_manager, "plug/@macTableManager", .doc = "kernel or libvirt"),
	STRING(NetworkPort, plug_dev, "plug/@dev", .doc = "interface of the host"),
	STRING(NetworkPort, plug_mode, "plug/@mode", .doc = "bridge, vepa, private, passthrough"),
	TRI(NetworkPort, plug_managed, "plug/@managed", .doc = "whether the host's driver is detached"),
	STRING(NetworkPort, plug_driver, "plug/driver/@name", .doc = "vfio or kvm"),
	INLINE(NetworkPort, plug_pci, "plug/address", HostPci, host_pci_shape),
	UINT(NetworkPort, mtu, NULL, .flags = ROW_INTERNAL, .doc = "MTU of the network"),
};
const Shape network_port_shape = SHAPE("networkport", NetworkPort, port_rows);

/* ---- documents ---- */

static gpointer from_xml(const Shape *shape, const char *root, const char *xml, gssize length,
			 const char *what, Notes *notes, GError **error)
{
	gpointer object = shape_from_xml(shape, root, xml, length, what, notes, error);
	g_autoptr(GError) why = NULL;
	if (!object || shape_check(shape, object, notes, &why))
		return object;
	if (what)
		g_prefix_error(&why, "%s: ", what);
	g_propagate_error(error, g_steal_pointer(&why));
	shape_free(shape, object);
	return NULL;
}

Network *network_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
			  GError **error)
{
	return from_xml(&network_shape, "network", xml, length, what, notes, error);
}

char *network_to_xml(const Network *network, guint flags)
{
	return shape_to_xml(&network_shape, "network", network, flags);
}

Network *network_copy(const Network *network)
{
	return shape_copy(&network_shape, network);
}

void network_free(Network *network)
{
	shape_free(&network_shape, network);
}

NetworkPort *network_port_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
				   GError **error)
{
	return from_xml(&network_port_shape, "networkport", xml, length, what, notes, error);
}

char *network_port_to_xml(const NetworkPort *port)
{
	return shape_to_xml(&network_port_shape, "networkport", port, SHAPE_XML_LIVE);
}

void network_port_free(NetworkPort *port)
{
	shape_free(&network_port_shape, port);
}

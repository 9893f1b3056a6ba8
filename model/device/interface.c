/* See interface.h. */
#include "model/device/interface.h"
#include <string.h>

#include "base/error.h"
#include "base/inet.h"

const EnumTable interface_types =
	ENUM_TABLE("type of interface", "network", "bridge", "user", "ethernet", "direct", "internal",
		   "vhostuser", "server", "client", "mcast", "udp", "hostdev", "vdpa", "null", "vds");

#define FOR(kind) SHAPE_WHEN(INTERFACE_##kind)

static const Row bandwidth_rows[] = {
	UINT(Bandwidth, average, "@average", .flags = ROW_HOT, .doc = "KiB per second"),
	UINT(Bandwidth, peak, "@peak", .flags = ROW_HOT, .doc = "KiB per second in a burst"),
	UINT(Bandwidth, floor, "@floor", .flags = ROW_HOT, .doc = "KiB per second guaranteed"),
	UINT(Bandwidth, burst, "@burst", .flags = ROW_HOT, .doc = "KiB of a burst"),
};
const Shape bandwidth_shape = SHAPE("bandwidth", Bandwidth, bandwidth_rows);

static const Row ip_rows[] = {
	STRING(InterfaceIp, address, "@address", .doc = "address"),
	STRING(InterfaceIp, family, "@family", .doc = "ipv4 or ipv6"),
	UINT(InterfaceIp, prefix, "@prefix", .max = 128, .doc = "length of the network's prefix"),
	STRING(InterfaceIp, peer, "@peer", .doc = "address of the other end"),
};
static const Shape ip_shape = SHAPE("interface-ip", InterfaceIp, ip_rows);

static const Row route_rows[] = {
	STRING(InterfaceRoute, family, "@family", .doc = "ipv4 or ipv6"),
	STRING(InterfaceRoute, address, "@address", .doc = "network"),
	STRING(InterfaceRoute, netmask, "@netmask", .doc = "its mask"),
	UINT(InterfaceRoute, prefix, "@prefix", .max = 128, .doc = "length of its prefix"),
	STRING(InterfaceRoute, gateway, "@gateway", .doc = "gateway"),
	UINT(InterfaceRoute, metric, "@metric", .max = G_MAXUINT32, .doc = "metric"),
};
const Shape interface_route_shape = SHAPE("interface-route", InterfaceRoute, route_rows);

static const Row parameter_rows[] = {
	STRING(FilterParameter, name, "@name", .flags = ROW_REQUIRED, .doc = "variable"),
	STRING(FilterParameter, value, "@value", .doc = "value"),
};
const Shape filter_parameter_shape = SHAPE("filter-parameter", FilterParameter, parameter_rows);

static const Row range_rows[] = {
	UINT(PortForwardRange, start, "@start", .min = 1, .max = 65535, .flags = ROW_REQUIRED,
	     .doc = "first port of the host"),
	UINT(PortForwardRange, end, "@end", .min = 1, .max = 65535, .doc = "last port"),
	UINT(PortForwardRange, to, "@to", .min = 1, .max = 65535, .doc = "first port of the guest"),
	TRI(PortForwardRange, exclude, "@exclude", .doc = "leave these ports out"),
};
static const Shape range_shape = SHAPE("port-forward-range", PortForwardRange, range_rows);

static const Row forward_rows[] = {
	STRING(PortForward, proto, "@proto", .flags = ROW_REQUIRED, .doc = "tcp or udp"),
	STRING(PortForward, address, "@address", .doc = "address of the host"),
	STRING(PortForward, dev, "@dev", .doc = "interface of the host"),
	LIST(PortForward, ranges, "range", range_shape, .doc = "ports"),
};
static const Shape forward_shape = SHAPE("port-forward", PortForward, forward_rows);

static const Row tag_rows[] = {
	UINT(VlanTag, id, "@id", .max = 4095, .flags = ROW_REQUIRED, .doc = "VLAN"),
	STRING(VlanTag, native_mode, "@nativeMode", .doc = "tagged or untagged"),
};
const Shape vlan_tag_shape = SHAPE("vlan-tag", VlanTag, tag_rows);

static const Row virtual_port_rows[] = {
	STRING(VirtualPort, type, "@type", .doc = "openvswitch, 802.1Qbg, 802.1Qbh, midonet"),
	STRING(VirtualPort, managerid, "parameters/@managerid", .doc = "VSI manager"),
	STRING(VirtualPort, typeid, "parameters/@typeid", .doc = "VSI type"),
	STRING(VirtualPort, typeidversion, "parameters/@typeidversion", .doc = "its version"),
	STRING(VirtualPort, instanceid, "parameters/@instanceid", .doc = "VSI instance"),
	STRING(VirtualPort, interfaceid, "parameters/@interfaceid", .doc = "port of the switch"),
	STRING(VirtualPort, profileid, "parameters/@profileid", .doc = "port profile"),
};
const Shape virtual_port_shape = SHAPE("virtual-port", VirtualPort, virtual_port_rows);

static const Row source_rows[] = {
	STRING(InterfaceSource, network, "@network", .doc = "network"),
	STRING(InterfaceSource, portgroup, "@portgroup", .doc = "its group of ports"),
	STRING(InterfaceSource, portid, "@portid", .flags = ROW_LIVE, .doc = "port of the network"),
	STRING(InterfaceSource, bridge, "@bridge", .doc = "bridge of the host"),
	STRING(InterfaceSource, dev, "@dev", .doc = "interface of the host"),
	STRING(InterfaceSource, type, "@type", .doc = "unix (vhostuser)"),
	STRING(InterfaceSource, path, "@path", .doc = "socket"),
	STRING(InterfaceSource, mode, "@mode", .doc = "vepa, bridge, private, passthrough; server"),
	STRING(InterfaceSource, name, "@name", .doc = "internal network"),
	STRING(InterfaceSource, address, "@address", .doc = "address of a tunnel"),
	UINT(InterfaceSource, port, "@port", .max = 65535, .doc = "its port"),
	UINT(InterfaceSource, queues, "@queues", .doc = "queues of the socket"),
	STRING(InterfaceSource, local_address, "local/@address", .doc = "own address"),
	UINT(InterfaceSource, local_port, "local/@port", .max = 65535, .doc = "own port"),
	STRING(InterfaceSource, reconnect, "reconnect/@enabled", .doc = "connect again"),
	UINT(InterfaceSource, reconnect_timeout, "reconnect/@timeout", .doc = "seconds between"),
	STRUCT(InterfaceSource, pci, "address", Address, address_shape, .doc = "host device"),
	LIST(InterfaceSource, ips, "ip", ip_shape, .doc = "addresses on the host's side"),
	LIST(InterfaceSource, routes, "route", interface_route_shape, .doc = "routes on the host's side"),
};
static const Shape source_shape = SHAPE("interface-source", InterfaceSource, source_rows);

#define OFFLOAD(member, path, text) TRI(Interface, member, path, .words = "on/off", .doc = text)

static const Row interface_rows[] = {
	ENUM(Interface, type, "@type", interface_types, .flags = ROW_REQUIRED,
	     .doc = "what it is connected to"),
	STRING(Interface, managed, "@managed", .when = FOR(HOSTDEV),
	       .doc = "whether the host's driver is detached"),
	STRING(Interface, trust_guest_rx_filters, "@trustGuestRxFilters",
	       .doc = "follow the guest's changes of its MAC address"),
	MAC(Interface, mac, "mac/@address", .doc = "MAC address"),
	STRING(Interface, mac_type, "mac/@type", .doc = "generated or static"),
	STRING(Interface, mac_check, "mac/@check", .doc = "whether the prefix is checked"),
	STRUCT(Interface, source, "source", InterfaceSource, source_shape,
	       .doc = "what it is connected to"),
	STRING(Interface, vlan_trunk, "vlan/@trunk", .doc = "several VLANs"),
	LIST(Interface, vlan_tags, "vlan/tag", vlan_tag_shape, .doc = "VLANs"),
	STRUCT(Interface, virtual_port, "virtualport", VirtualPort, virtual_port_shape,
	       .doc = "port of a switch"),
	STRUCT(Interface, inbound, "bandwidth/inbound", Bandwidth, bandwidth_shape,
	       .doc = "limits towards the guest"),
	STRUCT(Interface, outbound, "bandwidth/outbound", Bandwidth, bandwidth_shape,
	       .doc = "limits from the guest"),
	STRING(Interface, port_isolated, "port/@isolated", .doc = "not to other isolated ports"),
	LIST(Interface, ips, "ip", ip_shape, .doc = "addresses of the guest"),
	LIST(Interface, routes, "route", interface_route_shape, .doc = "routes of the guest"),
	LIST(Interface, port_forwards, "portForward", forward_shape,
	     .doc = "ports of the host that lead to the guest"),
	STRING(Interface, script, "script/@path", .doc = "script that connects it"),
	STRING(Interface, downscript, "downscript/@path", .doc = "script that disconnects it"),
	STRING(Interface, target, "target/@dev", .doc = "name of the tap on the host"),
	STRING(Interface, target_managed, "target/@managed", .doc = "whether the tap is ours"),
	STRING(Interface, guest_dev, "guest/@dev", .doc = "name in the guest"),
	STRING(Interface, model, "model/@type", .doc = "virtio, e1000, e1000e, rtl8139, ..."),
	STRING(Interface, driver_name, "driver/@name", .doc = "qemu or vhost"),
	STRING(Interface, txmode, "driver/@txmode", .doc = "iothread or timer"),
	TRI(Interface, ioeventfd, "driver/@ioeventfd", .words = "on/off", .doc = "ioeventfd"),
	TRI(Interface, event_idx, "driver/@event_idx", .words = "on/off",
	    .doc = "fewer interrupts"),
	UINT(Interface, queues, "driver/@queues", .max = 256, .doc = "count of queues"),
	UINT(Interface, rx_queue_size, "driver/@rx_queue_size", .max = 1024,
	     .doc = "size of the receive queue"),
	UINT(Interface, tx_queue_size, "driver/@tx_queue_size", .max = 1024,
	     .doc = "size of the transmit queue"),
	TRI(Interface, rss, "driver/@rss", .words = "on/off", .doc = "receive side scaling"),
	TRI(Interface, rss_hash_report, "driver/@rss_hash_report", .words = "on/off",
	    .doc = "report the hash to the guest"),
	INLINE(Interface, virtio, "driver", VirtioOptions, virtio_options_shape),
	OFFLOAD(host_csum, "driver/host/@csum", "checksums by the host"),
	OFFLOAD(host_gso, "driver/host/@gso", "segmentation by the host"),
	OFFLOAD(host_tso4, "driver/host/@tso4", "TCPv4 segmentation by the host"),
	OFFLOAD(host_tso6, "driver/host/@tso6", "TCPv6 segmentation by the host"),
	OFFLOAD(host_ecn, "driver/host/@ecn", "segmentation with ECN by the host"),
	OFFLOAD(host_ufo, "driver/host/@ufo", "UDP fragmentation by the host"),
	OFFLOAD(host_mrg_rxbuf, "driver/host/@mrg_rxbuf", "mergeable receive buffers"),
	OFFLOAD(guest_csum, "driver/guest/@csum", "checksums by the guest"),
	OFFLOAD(guest_tso4, "driver/guest/@tso4", "TCPv4 segmentation by the guest"),
	OFFLOAD(guest_tso6, "driver/guest/@tso6", "TCPv6 segmentation by the guest"),
	OFFLOAD(guest_ecn, "driver/guest/@ecn", "segmentation with ECN by the guest"),
	OFFLOAD(guest_ufo, "driver/guest/@ufo", "UDP fragmentation by the guest"),
	STRING(Interface, backend_type, "backend/@type", .doc = "passt or default, for user mode"),
	STRING(Interface, backend_log_file, "backend/@logFile", .doc = "log of passt"),
	STRING(Interface, backend_tap, "backend/@tap", .doc = "path of the tun device"),
	STRING(Interface, backend_vhost, "backend/@vhost", .doc = "path of the vhost device"),
	STRING(Interface, filter, "filterref/@filter", .doc = "network filter"),
	LIST(Interface, filter_parameters, "filterref/parameter", filter_parameter_shape,
	     .doc = "variables of the filter"),
	STRING(Interface, link_state, "link/@state", .flags = ROW_HOT, .doc = "up or down"),
	UINT(Interface, mtu, "mtu/@size", .min = 1, .max = 65535, .doc = "MTU"),
	UINT(Interface, coalesce_max_frames, "coalesce/rx/frames/@max",
	     .doc = "frames that make one interrupt"),
	UINT(Interface, sndbuf, "tune/sndbuf", .doc = "send buffer of the tap"),
	STRING(Interface, teaming_type, "teaming/@type", .doc = "persistent or transient"),
	STRING(Interface, teaming_persistent, "teaming/@persistent", .doc = "alias of the other"),
	INLINE(Interface, info, "", DeviceInfo, device_info_shape),
};

/* ---- forwards ---- */

static gboolean read_range(const PortForwardRange *range, PortRange *out, GError **error)
{
	guint64 first = opt_uint_or(range->start, 0), last = opt_uint_or(range->end, first);
	guint64 to = opt_uint_or(range->to, first);
	if (!first || last < first || last > 65535 || to + (last - first) > 65535)
		return fail(error, LODGE_ERROR_INVALID,
			    "portForward/range from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
			    " (at the guest from %" G_GUINT64_FORMAT " on) is none", first, last, to);
	*out = (PortRange){ (guint16)first, (guint16)last, (guint16)to };
	return TRUE;
}

/* Adds the parts of @range that are not marked in @excluded. */
static void add_parts(GArray *parts, const PortRange *range, const guint8 *excluded)
{
	gboolean open = FALSE;
	for (guint port = range->first; port <= range->last; port++) {
		guint16 to = (guint16)(range->to + (port - range->first));
		PortRange begun = { (guint16)port, (guint16)port, to };
		if (excluded[port])
			open = FALSE;
		else if (open)
			g_array_index(parts, PortRange, parts->len - 1).last = (guint16)port;
		else
			g_array_append_val(parts, begun);
		open |= !excluded[port];
	}
}

GArray *port_forward_ranges(const PortForward *forward, GError **error)
{
	g_autofree guint8 *excluded = g_new0(guint8, 65536);
	g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(PortRange));
	PortRange one;
	SHAPE_EACH (PortForwardRange, range, forward->ranges) {
		if (!read_range(range, &one, error))
			return NULL;
		if (range->exclude == TRI_YES)
			memset(excluded + one.first, 1, one.last - one.first + 1u);
	}
	SHAPE_EACH (PortForwardRange, range, forward->ranges)
		if (range->exclude != TRI_YES && read_range(range, &one, NULL))
			add_parts(parts, &one, excluded);
	return g_steal_pointer(&parts);
}

static gboolean check_forward(const PortForward *forward, GError **error)
{
	Inet address;
	if (g_strcmp0(forward->proto, "tcp") && g_strcmp0(forward->proto, "udp"))
		return fail(error, LODGE_ERROR_INVALID, "portForward/@proto \"%s\" is not tcp or udp",
			    forward->proto);
	if (forward->address && !inet_from_text(forward->address, AF_UNSPEC, &address, error)) {
		g_prefix_error(error, "portForward/@address: ");
		return FALSE;
	}
	g_autoptr(GArray) ranges = port_forward_ranges(forward, error);
	return ranges != NULL;
}

static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Interface *net = object;
	const InterfaceSource *s = net->source;
	if (net->mac && (g_ascii_xdigit_value(net->mac[1]) & 1))
		return fail(error, LODGE_ERROR_INVALID,
			    "mac/@address %s is a multicast address: the first byte must be even",
			    net->mac);
	if (net->type == INTERFACE_NETWORK && !(s && s->network))
		return fail(error, LODGE_ERROR_INVALID, "source/@network is missing");
	if (net->type == INTERFACE_BRIDGE && !(s && s->bridge))
		return fail(error, LODGE_ERROR_INVALID, "source/@bridge is missing");
	if (net->type == INTERFACE_DIRECT && !(s && s->dev))
		return fail(error, LODGE_ERROR_INVALID, "source/@dev is missing");
	SHAPE_EACH (PortForward, forward, net->port_forwards)
		if (!check_forward(forward, error))
			return FALSE;
	return TRUE;
}

const Shape interface_shape = SHAPE("interface", Interface, interface_rows, .check = check);

/* See hostif.h. Source of elements and words: libvirt's interface.rng. */
#include "model/hostif.h"
#include "base/error.h"
#include "base/inet.h"

#include <math.h>
#include <net/if.h>
#include <string.h>

const EnumTable hostif_types = ENUM_TABLE("type of interface", "ethernet", "bridge", "bond", "vlan");
const EnumTable hostif_starts = ENUM_TABLE("start mode", "onboot", "none", "hotplug");
const EnumTable hostif_families = ENUM_TABLE("family", "ipv4", "ipv6");
const EnumTable hostif_bond_modes = ENUM_TABLE("bond mode", "balance-rr", "active-backup", "balance-xor",
					       "broadcast", "802.3ad", "balance-tlb", "balance-alb");
static const EnumTable carriers = ENUM_TABLE("way to watch the carrier", "ioctl", "netif");
static const EnumTable validates = ENUM_TABLE("ARP validation", "none", "active", "backup", "all");

static const Row ip_rows[] = {
	STRING(HostIfIp, address, "@address", .flags = ROW_REQUIRED, .doc = "address"),
	UINT(HostIfIp, prefix, "@prefix", .max = 128, .doc = "length of the prefix"),
};
const Shape hostif_ip_shape = SHAPE("ip", HostIfIp, ip_rows);

static const Row dhcp_rows[] = {
	TRI(HostIfDhcp, peerdns, "@peerdns", .doc = "use the name servers that it tells"),
};
static const Shape dhcp_shape = SHAPE("dhcp", HostIfDhcp, dhcp_rows);

static const Row protocol_rows[] = {
	ENUM(HostIfProtocol, family, "@family", hostif_families, .flags = ROW_REQUIRED,
	     .doc = "ipv4 or ipv6"),
	FLAG(HostIfProtocol, autoconf, "autoconf", .doc = "addresses by the routers' announcements"),
	STRUCT(HostIfProtocol, dhcp, "dhcp", HostIfDhcp, dhcp_shape, .doc = "addresses by DHCP"),
	LIST(HostIfProtocol, ips, "ip", hostif_ip_shape, .doc = "fixed addresses"),
	STRING(HostIfProtocol, gateway, "route/@gateway", .doc = "router for everything else"),
	STRINGS(HostIfProtocol, dns, NULL, .flags = ROW_INTERNAL, .doc = "name servers"),
};

static const Row bridge_rows[] = {
	TRI(HostIfBridge, stp, "@stp", .words = "on/off", .doc = "spanning tree protocol"),
	STRING(HostIfBridge, delay, "@delay", .doc = "seconds before a new port forwards"),
	LIST(HostIfBridge, ports, "interface", hostif_shape, .doc = "ports"),
};

static const Row bond_rows[] = {
	ENUM(HostIfBond, mode, "@mode", hostif_bond_modes, .doc = "how the ports are used"),
	FLAG(HostIfBond, miimon, "miimon", .doc = "watch the ports' carriers"),
	UINT(HostIfBond, freq, "miimon/@freq", .max = G_MAXUINT32, .doc = "milliseconds between looks"),
	UINT(HostIfBond, downdelay, "miimon/@downdelay", .max = G_MAXUINT32,
	     .doc = "milliseconds before one counts as down"),
	UINT(HostIfBond, updelay, "miimon/@updelay", .max = G_MAXUINT32,
	     .doc = "milliseconds before one counts as up"),
	ENUM(HostIfBond, carrier, "miimon/@carrier", carriers, .doc = "how a carrier is seen"),
	FLAG(HostIfBond, arpmon, "arpmon", .doc = "watch by asking a neighbour"),
	UINT(HostIfBond, interval, "arpmon/@interval", .max = G_MAXUINT32,
	     .doc = "milliseconds between questions"),
	STRING(HostIfBond, target, "arpmon/@target", .doc = "who is asked"),
	ENUM(HostIfBond, validate, "arpmon/@validate", validates, .doc = "which answers are looked at"),
	LIST(HostIfBond, ports, "interface", hostif_shape, .doc = "ports"),
};

static const Row vlan_rows[] = {
	UINT(HostIfVlan, tag, "@tag", .max = 4095, .flags = ROW_REQUIRED, .doc = "number of the VLAN"),
	STRING(HostIfVlan, device, "interface/@name", .flags = ROW_REQUIRED, .doc = "interface below"),
};
static const Shape vlan_shape = SHAPE("vlan", HostIfVlan, vlan_rows);

static gboolean check_protocol(gconstpointer object, Notes *notes, GError **error);
static gboolean check_bridge(gconstpointer object, Notes *notes, GError **error);
static gboolean check_bond(gconstpointer object, Notes *notes, GError **error);
static gboolean check_iface(gconstpointer object, Notes *notes, GError **error);

const Shape hostif_protocol_shape = SHAPE("protocol", HostIfProtocol, protocol_rows, .check = check_protocol);
static const Shape bridge_shape = SHAPE("host bridge", HostIfBridge, bridge_rows, .check = check_bridge);
static const Shape bond_shape = SHAPE("bond", HostIfBond, bond_rows, .check = check_bond);

static const Row rows[] = {
	ENUM(HostIf, type, "@type", hostif_types, .flags = ROW_REQUIRED, .doc = "what it is"),
	STRING(HostIf, name, "@name", .doc = "name"),
	ENUM(HostIf, start, "start/@mode", hostif_starts, .doc = "when it is started"),
	UINT(HostIf, mtu, "mtu/@size", .max = G_MAXUINT32, .doc = "bytes of the largest packet"),
	MAC(HostIf, mac, "mac/@address", .when = SHAPE_WHEN(HOSTIF_ETHERNET), .doc = "MAC address"),
	UINT(HostIf, speed, "link/@speed", .flags = ROW_LIVE, .max = G_MAXUINT32, .doc = "Mb/s"),
	STRING(HostIf, state, "link/@state", .flags = ROW_LIVE, .doc = "up, down, ..."),
	LIST(HostIf, protocols, "protocol", hostif_protocol_shape, .doc = "addresses"),
	STRUCT(HostIf, bridge, "bridge", HostIfBridge, bridge_shape, .when = SHAPE_WHEN(HOSTIF_BRIDGE),
	       .flags = ROW_REQUIRED, .doc = "of bridges"),
	STRUCT(HostIf, bond, "bond", HostIfBond, bond_shape, .when = SHAPE_WHEN(HOSTIF_BOND),
	       .flags = ROW_REQUIRED, .doc = "of bonds"),
	STRUCT(HostIf, vlan, "vlan", HostIfVlan, vlan_shape, .when = SHAPE_WHEN(HOSTIF_VLAN),
	       .flags = ROW_REQUIRED, .doc = "of VLANs"),
	MAC(HostIf, own_mac, NULL, .flags = ROW_INTERNAL, .doc = "MAC address that it is given"),
};
const Shape hostif_shape =
	SHAPE("host interface", HostIf, rows, .discriminator = &rows[0], .check = check_iface);

/* ---- checks ---- */

static gboolean check_address(const char *text, int family, int line, const char *what, GError **error)
{
	g_autoptr(GError) why = NULL;
	Inet inet;
	if (inet_from_text(text, family, &inet, &why))
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID, "interface/protocol/%s, line %d: %s", what, line,
		    why->message);
}

static gboolean check_protocol(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const HostIfProtocol *protocol = object;
	int family = protocol->family == HOSTIF_IPV6 ? AF_INET6 : AF_INET, line = protocol->head.line;
	if (protocol->autoconf && family == AF_INET)
		return fail(error, LODGE_ERROR_INVALID,
			    "interface/protocol/autoconf, line %d: only IPv6 has it; IPv4 has <dhcp/>", line);
	SHAPE_EACH (HostIfIp, ip, protocol->ips) {
		if (ip->address && !check_address(ip->address, family, ip->head.line, "ip/@address", error))
			return FALSE;
		if (ip->prefix.v > (family == AF_INET ? 32 : 128))
			return fail(error, LODGE_ERROR_INVALID,
				    "interface/protocol/ip/@prefix, line %d: %u is more than IPv4 has",
				    ip->head.line, (guint)ip->prefix.v);
	}
	return !protocol->gateway || check_address(protocol->gateway, family, line, "route/@gateway", error);
}

static gboolean check_ports(const GPtrArray *ports, gboolean of_bond, GError **error)
{
	SHAPE_EACH (HostIf, port, ports) {
		if (port->type == HOSTIF_BRIDGE || (of_bond && port->type != HOSTIF_ETHERNET))
			return fail(error, LODGE_ERROR_INVALID,
				    "interface, line %d: a %s cannot be a port of a %s", port->head.line,
				    enum_name(&hostif_types, port->type), of_bond ? "bond" : "bridge");
		if (shape_len(port->protocols))
			return fail(error, LODGE_ERROR_INVALID,
				    "interface, line %d: a port has no addresses: <protocol> belongs to what "
				    "it is a port of", port->head.line);
	}
	return TRUE;
}

static gboolean check_bridge(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const HostIfBridge *bridge = object;
	char *end = NULL;
	double delay = bridge->delay ? g_ascii_strtod(bridge->delay, &end) : 0;
	if (bridge->delay && (end == bridge->delay || *end || isnan(delay) || delay < 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "interface/bridge/@delay, line %d: \"%s\" is no number of seconds",
			    bridge->head.line, bridge->delay);
	return check_ports(bridge->ports, FALSE, error);
}

static gboolean check_bond(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const HostIfBond *bond = object;
	if (!shape_len(bond->ports))
		return fail(error, LODGE_ERROR_INVALID,
			    "interface/bond, line %d: a bond needs an <interface>", bond->head.line);
	if (bond->miimon && bond->arpmon)
		return fail(error, LODGE_ERROR_INVALID,
			    "interface/bond, line %d: choose one of <miimon> and <arpmon>", bond->head.line);
	if ((bond->miimon && !bond->freq.set) || (bond->arpmon && (!bond->interval.set || !bond->target)))
		return fail(error, LODGE_ERROR_INVALID, "interface/bond, line %d: %s", bond->head.line,
			    bond->miimon ? "miimon has no freq" : "arpmon needs interval and target");
	if (bond->target &&
	    !check_address(bond->target, AF_INET, bond->head.line, "../bond/arpmon/@target", error))
		return FALSE;
	return check_ports(bond->ports, TRUE, error);
}

static gboolean check_iface(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const HostIf *iface = object;
	guint seen[3] = { 0 };
	if (!iface->name && iface->type != HOSTIF_VLAN)
		return fail(error, LODGE_ERROR_INVALID, "interface, line %d: it has no name",
			    iface->head.line);
	if (iface->name && !hostif_name_ok(iface->name, error))
		return FALSE;
	SHAPE_EACH (HostIfProtocol, protocol, iface->protocols)
		if (protocol->family && seen[protocol->family]++)
			return fail(error, LODGE_ERROR_INVALID,
				    "interface/protocol, line %d: there is one of that family already",
				    protocol->head.line);
	return !iface->vlan || !iface->vlan->device || hostif_name_ok(iface->vlan->device, error);
}

gboolean hostif_name_ok(const char *name, GError **error)
{
	size_t length = strlen(name);
	if (length >= IFNAMSIZ)
		return fail(error, LODGE_ERROR_INVALID,
			    "interface name \"%s\" has %zu characters: the kernel takes at most %d", name,
			    length, IFNAMSIZ - 1);
	gboolean ok = length > 0 && !g_str_equal(name, ".") && !g_str_equal(name, "..") && *name != '-' &&
		      !g_str_equal(name, "all") && !g_str_equal(name, "default");
	for (const char *c = name; *c; c++)
		ok = ok && (g_ascii_isalnum(*c) || strchr("_.-", *c));
	return ok || fail(error, LODGE_ERROR_INVALID,
			  "\"%s\" is no name for an interface: use letters, digits, '_', '.' and '-'", name);
}

/* ---- documents ---- */

void hostif_free(HostIf *iface)
{
	shape_free(&hostif_shape, iface);
}

HostIf *hostif_new(HostIfType type, const char *name)
{
	HostIf *iface = shape_new(&hostif_shape);
	iface->type = type;
	iface->name = g_strdup(name);
	if (type == HOSTIF_BRIDGE)
		iface->bridge = g_new0(HostIfBridge, 1);
	else if (type == HOSTIF_BOND)
		iface->bond = g_new0(HostIfBond, 1);
	else if (type == HOSTIF_VLAN)
		iface->vlan = g_new0(HostIfVlan, 1);
	return iface;
}

/* "eth0.42" where the device's name leaves room for it. */
static void name_vlan(HostIf *iface)
{
	if (iface->type == HOSTIF_VLAN && !iface->name && iface->vlan->device)
		iface->name = g_strdup_printf("%s.%u", iface->vlan->device, (guint)iface->vlan->tag.v);
}

HostIf *hostif_from_xml(const char *xml, Notes *notes, GError **error)
{
	g_autoptr(HostIf) iface = shape_from_xml(&hostif_shape, "interface", xml, -1, NULL, notes, error);
	if (!iface || !shape_check(&hostif_shape, iface, notes, error))
		return NULL;
	name_vlan(iface);
	SHAPE_EACH (HostIf, port, hostif_ports(iface))
		name_vlan(port);
	return hostif_name_ok(iface->name, error) ? g_steal_pointer(&iface) : NULL;
}

char *hostif_to_xml(const HostIf *iface)
{
	return shape_to_xml(&hostif_shape, "interface", iface, SHAPE_XML_LIVE);
}

HostIfProtocol *hostif_protocol(HostIf *iface, HostIfFamily family, gboolean make)
{
	SHAPE_EACH (HostIfProtocol, protocol, iface->protocols)
		if (protocol->family == family)
			return protocol;
	if (!make)
		return NULL;
	HostIfProtocol *made = g_new0(HostIfProtocol, 1);
	made->family = family;
	shape_append(&iface->protocols, &hostif_protocol_shape, made);
	return made;
}

void hostif_add_ip(HostIf *iface, const char *address, guint prefix)
{
	HostIfProtocol *protocol =
		hostif_protocol(iface, strchr(address, ':') ? HOSTIF_IPV6 : HOSTIF_IPV4, TRUE);
	SHAPE_EACH (HostIfIp, there, protocol->ips)
		if (g_strcmp0(there->address, address) == 0 && there->prefix.v == prefix)
			return;
	HostIfIp *ip = g_new0(HostIfIp, 1);
	ip->address = g_strdup(address);
	ip->prefix = OPT_UINT(prefix);
	shape_append(&protocol->ips, &hostif_ip_shape, ip);
}

GPtrArray *hostif_ports(const HostIf *iface)
{
	return iface->bridge ? iface->bridge->ports : iface->bond ? iface->bond->ports : NULL;
}

gboolean hostif_has_port(const HostIf *iface, const char *name)
{
	SHAPE_EACH (HostIf, port, hostif_ports(iface))
		if (g_strcmp0(port->name, name) == 0)
			return TRUE;
	return FALSE;
}

void hostif_add_port(HostIf *bridge, const char *name)
{
	if (!hostif_has_port(bridge, name))
		shape_append(&bridge->bridge->ports, &hostif_shape, hostif_new(HOSTIF_ETHERNET, name));
}

void hostif_remove_port(HostIf *bridge, const char *name)
{
	GPtrArray *ports = bridge->bridge->ports;
	for (guint i = shape_len(ports); i > 0; i--) {
		HostIf *port = ports->pdata[i - 1];
		if (g_strcmp0(port->name, name) != 0)
			continue;
		g_ptr_array_remove_index(ports, i - 1);
		hostif_free(port);
	}
}

void hostif_clear_protocols(HostIf *iface)
{
	SHAPE_EACH (HostIfProtocol, protocol, iface->protocols)
		shape_free(&hostif_protocol_shape, protocol);
	g_clear_pointer(&iface->protocols, g_ptr_array_unref);
}

gboolean hostif_same_protocols(const HostIf *a, const HostIf *b)
{
	if (shape_len(a->protocols) != shape_len(b->protocols))
		return FALSE;
	for (guint i = 0; i < shape_len(a->protocols); i++) {
		HostIfProtocol one = *(HostIfProtocol *)a->protocols->pdata[i];
		const HostIfProtocol *other = hostif_protocol((HostIf *)b, one.family, FALSE);
		HostIfDhcp dhcp = { 0 };
		if (!other || !one.dhcp != !other->dhcp ||
		    (one.dhcp && (one.dhcp->peerdns == TRI_NO) != (other->dhcp->peerdns == TRI_NO)))
			return FALSE;
		HostIfProtocol two = *other;
		one.dns = two.dns = NULL; /* libvirt's documents cannot say it */
		one.dhcp = two.dhcp = one.dhcp ? &dhcp : NULL;
		if (!shape_equal(&hostif_protocol_shape, &one, &two))
			return FALSE;
	}
	return TRUE;
}

guint hostif_delay(const HostIfBridge *bridge)
{
	double delay = bridge->delay ? g_ascii_strtod(bridge->delay, NULL) : 0;
	return delay > 30 ? 30 : (guint)delay;
}

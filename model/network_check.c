/* What a <network> must be beyond its rows, what it means where it says nothing, and how its
 * addresses are read. See network.h. */
#include "base/error.h"
#include "model/network.h"

#include <net/if.h>
#include <string.h>

#define MAX_RANGE 65535		/* addresses of one DHCP range, libvirt's bound */
#define MIN_LEASE 120		/* seconds: dnsmasq takes no shorter ones */
#define MAX_NAME 200		/* bytes: it names files */

ForwardMode network_mode(const Network *network)
{
	return network->forward ? network->forward->mode ? network->forward->mode : FORWARD_NAT : 0;
}

gboolean network_owns_bridge(const Network *network)
{
	return network_mode(network) < FORWARD_BRIDGE;
}

/* ---- words ---- */

/* Nothing that would begin a new line, or end the text, in a file that is written from it. */
static gboolean plain(const char *text, const char *what, const char *also, GError **error)
{
	for (const char *c = text; c && *c; c++)
		if ((guchar)*c < ' ' || *c == 127 || strchr(also, *c))
			return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_CHARACTER,
					 "%s \"%s\": '%c' (byte %u) may not stand there", what, text,
					 g_ascii_isprint(*c) ? *c : '?', (guchar)*c);
	return TRUE;
}

static gboolean dns_name(const char *name, const char *what, GError **error)
{
	if (name && (!*name || strlen(name) > 253))
		return fail(error, LODGE_ERROR_INVALID, "%s \"%s\" is not a DNS name", what, name);
	for (const char *c = name; c && *c; c++)
		if (!g_ascii_isalnum(*c) && !strchr("-_.", *c))
			return fail(error, LODGE_ERROR_INVALID,
				    "%s \"%s\" is not a DNS name: letters, digits, '-', '_' and '.'", what,
				    name);
	return TRUE;
}

static gboolean interface_name(const char *name, const char *what, GError **error)
{
	if (!name)
		return TRUE;
	if (!*name || g_str_equal(name, ".") || g_str_equal(name, ".."))
		return fail(error, LODGE_ERROR_INVALID, "%s \"%s\" is not the name of an interface", what,
			    name);
	if (strlen(name) >= IFNAMSIZ)
		return fail(error, LODGE_ERROR_INVALID,
			    "%s \"%s\" has %zu characters; Linux allows %d in the name of an interface: "
			    "choose a shorter one", what, name, strlen(name), IFNAMSIZ - 1);
	/* '"' and '\\' would end the word in nft's language, '%' is a pattern to the kernel, '*' to nft. */
	return plain(name, what, " /:,\"\\%*", error);
}

static gboolean names(const Network *network, GError **error)
{
	if (!*network->name || strlen(network->name) > MAX_NAME || *network->name == '.')
		return fail(error, LODGE_ERROR_INVALID,
			    "name \"%s\": 1 to %d characters, the first no '.'", network->name, MAX_NAME);
	if (network->title && strchr(network->title, '\n'))
		return fail(error, LODGE_ERROR_INVALID, "title: only one line");
	if (network->domain_local_only == TRI_YES && !network->domain)
		return fail(error, LODGE_ERROR_INVALID, "domain/@localOnly needs domain/@name");
	if (network->mac && (g_ascii_xdigit_value(network->mac[1]) & 1))
		return fail(error, LODGE_ERROR_INVALID,
			    "mac/@address %s is a multicast address: the first byte must be even",
			    network->mac);
	/* "virbr%d" asks for a name that is free. */
	g_auto(GStrv) parts = g_strsplit(network->bridge ? network->bridge : "", "%d", 2);
	g_autofree char *bridge = network->bridge ? g_strjoinv(parts[0] && parts[1] ? "0" : "", parts) : NULL;
	return plain(network->name, "name", "/", error) &&
	       interface_name(bridge, "bridge/@name", error) &&
	       plain(network->zone, "bridge/@zone", " ,", error) &&
	       dns_name(network->domain, "domain/@name", error);
}

/* ---- forward ---- */

static gboolean nat_range(const NetworkForward *f, GError **error)
{
	Inet start, end;
	if (!f->nat_start != !f->nat_end)
		return fail(error, LODGE_ERROR_INVALID, "forward/nat/address needs start and end") ||
		       error_detail(error, LODGE_DETAIL_NONE, "forward/nat/address");
	if (f->nat_start && (!inet_from_text(f->nat_start, AF_INET, &start, error) ||
			     !inet_from_text(f->nat_end, AF_INET, &end, error)))
		return FALSE;
	if (f->nat_start && inet_compare(&start, &end) > 0)
		return fail(error, LODGE_ERROR_INVALID, "forward/nat/address: %s comes after %s",
			    f->nat_start, f->nat_end) ||
		       error_detail(error, LODGE_DETAIL_NONE, "forward/nat/address");
	if (f->nat_port_start.set != f->nat_port_end.set ||
	    (f->nat_port_start.set && f->nat_port_start.v > f->nat_port_end.v))
		return fail(error, LODGE_ERROR_INVALID,
			    "forward/nat/port needs start and end, start first");
	return TRUE;
}

static gboolean forward(const Network *network, GError **error)
{
	const NetworkForward *f = network->forward;
	if (!f)
		return TRUE;
	const char *mode = enum_name(&forward_modes, (int)network_mode(network));
	guint sources = (f->pf != NULL) + (shape_len(f->interfaces) > 0 || f->dev) +
			(shape_len(f->addresses) > 0);
	if (sources > 1)
		return fail(error, LODGE_ERROR_INVALID,
			    "forward: choose one of <interface>, <address> and <pf>");
	if (shape_len(f->interfaces) > 1 && network_owns_bridge(network))
		return fail(error, LODGE_ERROR_INVALID,
			    "forward mode='%s' takes one <interface> at most", mode);
	if (f->dev && shape_len(f->interfaces) &&
	    g_strcmp0(f->dev, ((ForwardInterface *)f->interfaces->pdata[0])->dev) != 0)
		return fail(error, LODGE_ERROR_INVALID,
			    "forward/@dev \"%s\" is not the first <interface>", f->dev);
	if (network_mode(network) == FORWARD_OPEN && (f->dev || sources))
		return fail(error, LODGE_ERROR_INVALID,
			    "forward mode='open' takes no device: nothing is filtered there");
	if ((f->nat_ipv6 || f->nat_start || f->nat_port_start.set) &&
	    network_mode(network) != FORWARD_NAT)
		return fail(error, LODGE_ERROR_INVALID, "forward/nat does not fit mode='%s'", mode);
	SHAPE_EACH (ForwardInterface, interface, f->interfaces)
		if (!interface_name(interface->dev, "forward/interface/@dev", error))
			return FALSE;
	return nat_range(f, error) && interface_name(f->dev, "forward/@dev", error) &&
	       interface_name(f->pf, "forward/pf/@dev", error);
}

/* What a network of somebody else's bridge or interface cannot have. */
static gboolean fits_mode(const Network *network, GError **error)
{
	ForwardMode mode = network_mode(network);
	const NetworkForward *f = network->forward;
	const char *word = enum_name(&forward_modes, (int)mode);
	if (network_owns_bridge(network)) {
		if ((mode == FORWARD_NAT || mode == FORWARD_ROUTE) && !shape_len(network->ips))
			return fail(error, LODGE_ERROR_INVALID,
				    "forward mode='%s' needs an <ip> address of the network", word);
		return TRUE;
	}
	if (shape_len(network->ips) || network->domain || network->dns || shape_len(network->routes))
		return fail(error, LODGE_ERROR_INVALID,
			    "<ip>, <domain>, <dns> and <route> do not fit forward mode='%s': whoever has "
			    "that network gives out its addresses", word);
	if (network->bridge && mode != FORWARD_BRIDGE)
		return fail(error, LODGE_ERROR_INVALID, "<bridge> does not fit forward mode='%s'", word);
	if (network->bridge && (f->dev || f->pf || shape_len(f->interfaces) || shape_len(f->addresses)))
		return fail(error, LODGE_ERROR_INVALID,
			    "forward mode='bridge': either <bridge>, or interfaces of the host");
	return TRUE;
}

/* ---- addresses ---- */

gboolean network_ip_read(const NetworkIp *ip, Inet *address, guint *prefix, GError **error)
{
	Inet mask, read;
	int family = ip->family ? g_str_equal(ip->family, "ipv6") ? AF_INET6 : AF_INET : AF_UNSPEC;
	if (ip->family && family == AF_INET && !g_str_equal(ip->family, "ipv4"))
		return fail(error, LODGE_ERROR_INVALID, "ip/@family \"%s\": ipv4 or ipv6", ip->family);
	if (!ip->address)
		return fail(error, LODGE_ERROR_INVALID, "ip/@address is missing");
	if (!inet_from_text(ip->address, family == AF_UNSPEC ? AF_INET : family, &read, error)) {
		if (error && *error && !ip->family && strchr(ip->address, ':'))
			g_prefix_error(error, "an IPv6 address needs family='ipv6': ");
		return FALSE;
	}
	int length = read.family == AF_INET6 ? 64 : 24;
	if (read.family == AF_INET && !ip->netmask && !ip->prefix.set) /* by class, as ifconfig did */
		length = read.bytes[0] < 128 ? 8 : read.bytes[0] < 192 ? 16 : 24;
	if (ip->netmask) {
		if (!inet_from_text(ip->netmask, AF_INET, &mask, error))
			return FALSE;
		length = read.family == AF_INET ? inet_mask_prefix(&mask) : -1;
	}
	if (ip->netmask && length < 0)
		return fail(error, LODGE_ERROR_INVALID, "ip/@netmask \"%s\" is not a netmask of %s",
			    ip->netmask, ip->address) ||
		       error_detail(error, LODGE_DETAIL_NONE, "ip/@netmask");
	if (ip->prefix.set && ip->netmask)
		return fail(error, LODGE_ERROR_INVALID, "ip/@prefix and ip/@netmask of %s: choose one",
			    ip->address) ||
		       error_detail(error, LODGE_DETAIL_NONE, "ip/@prefix");
	if (ip->prefix.set && (ip->prefix.v > inet_bits(&read) || !ip->prefix.v))
		return fail(error, LODGE_ERROR_INVALID, "ip/@prefix %" G_GUINT64_FORMAT " does not fit %s",
			    ip->prefix.v, ip->address) ||
		       error_detail(error, LODGE_DETAIL_NONE, "ip/@prefix");
	*address = read;
	*prefix = ip->prefix.set ? (guint)ip->prefix.v : (guint)length;
	return TRUE;
}

gboolean network_route_read(const InterfaceRoute *route, Inet *to, guint *prefix, Inet *gateway,
			    GError **error)
{
	NetworkIp as_ip = { .family = route->family, .address = route->address,
			    .netmask = route->netmask, .prefix = route->prefix };
	Inet net, gate;
	guint length;
	if (!route->gateway)
		return fail(error, LODGE_ERROR_INVALID, "route/@gateway is missing");
	/* 0.0.0.0/0 and ::/0 are routes, too. */
	if (route->prefix.set && !route->prefix.v)
		as_ip.prefix.set = FALSE;
	if (!network_ip_read(&as_ip, &net, &length, error) ||
	    !inet_from_text(route->gateway, net.family, &gate, error)) {
		g_prefix_error(error, "<route>: ");
		return FALSE;
	}
	*to = net;
	*prefix = route->prefix.set ? (guint)route->prefix.v : length;
	*gateway = gate;
	return TRUE;
}

guint32 network_lease_seconds(OptUint expiry, const char *unit)
{
	guint64 each = !unit || g_str_equal(unit, "minutes") ? 60 : g_str_equal(unit, "hours") ? 3600 : 1;
	if (!expiry.set)
		return G_MAXUINT32;
	return (guint32)MIN(expiry.v * each, G_MAXUINT32 - 1);
}

static gboolean lease(OptUint expiry, const char *unit, GError **error)
{
	if (unit && !g_str_equal(unit, "seconds") && !g_str_equal(unit, "minutes") &&
	    !g_str_equal(unit, "hours"))
		return fail(error, LODGE_ERROR_INVALID, "lease/@unit \"%s\": seconds, minutes or hours",
			    unit);
	if (expiry.set && expiry.v && network_lease_seconds(expiry, unit) < MIN_LEASE)
		return fail(error, LODGE_ERROR_INVALID,
			    "a lease of less than %d seconds is too short (0: for ever)", MIN_LEASE);
	return TRUE;
}

/* Whether guests may have @address in @network/@prefix. */
static gboolean usable(const char *text, const Inet *network, guint prefix, const char *what,
		       Inet *address, GError **error)
{
	char first[INET_TEXT];
	Inet lowest = inet_first(network, prefix), highest = inet_last(network, prefix);
	if (!inet_from_text(text, network->family, address, error)) {
		g_prefix_error(error, "%s: ", what);
		return FALSE;
	}
	if (!inet_within(address, network, prefix))
		return fail(error, LODGE_ERROR_INVALID, "%s %s is outside of the network %s/%u", what, text,
			    inet_to_text(&lowest, first), prefix);
	if (network->family == AF_INET && prefix < 31 &&
	    (!inet_compare(address, &lowest) || !inet_compare(address, &highest)))
		return fail(error, LODGE_ERROR_INVALID,
			    "%s %s is the %s address of the network %s/%u and no guest's", what, text,
			    inet_compare(address, &lowest) ? "broadcast" : "first",
			    inet_to_text(&lowest, first), prefix);
	return TRUE;
}

static gboolean ranges(const NetworkIp *ip, const Inet *address, guint prefix, GError **error)
{
	SHAPE_EACH (DhcpRange, range, ip->ranges) {
		Inet start, end;
		if (!usable(range->start, address, prefix, "dhcp range", &start, error) ||
		    !usable(range->end, address, prefix, "dhcp range", &end, error))
			return error_detail(error, LODGE_DETAIL_NONE, "ip/dhcp/range");
		if (!lease(range->expiry, range->unit, error))
			return FALSE;
		if (inet_compare(&start, &end) > 0)
			return fail(error, LODGE_ERROR_INVALID, "dhcp range: %s comes after %s",
				    range->start, range->end) ||
			       error_detail(error, LODGE_DETAIL_NONE, "ip/dhcp/range");
		if (inet_span(&start, &end) > MAX_RANGE)
			return fail(error, LODGE_ERROR_INVALID,
				    "dhcp range %s to %s: more than %d addresses", range->start, range->end,
				    MAX_RANGE) ||
			       error_detail(error, LODGE_DETAIL_NONE, "ip/dhcp/range");
	}
	return TRUE;
}

/* In small letters and large ones it is the same word. */
static guint word_hash(gconstpointer word)
{
	guint hash = 5381;
	for (const char *c = word; *c; c++)
		hash = hash * 33 + (guint)g_ascii_tolower(*c);
	return hash;
}

static gboolean word_equal(gconstpointer a, gconstpointer b)
{
	return !g_ascii_strcasecmp(a, b);
}

static gboolean is_mac(const char *text)
{
	guint i = 0;
	while (i < 17 && (i % 3 == 2 ? text[i] == ':' : g_ascii_isxdigit(text[i])))
		i++;
	return i == 17 && !text[i];
}

/* @seen: every MAC, DUID and address of the network's hosts so far. */
static gboolean host_once(GHashTable *seen, const char *word, GError **error)
{
	if (word && !g_hash_table_add(seen, (char *)word))
		return fail(error, LODGE_ERROR_INVALID, "dhcp host: %s stands there twice", word);
	return TRUE;
}

static gboolean hosts(const NetworkIp *ip, const Inet *address, guint prefix, GHashTable *seen,
		      GError **error)
{
	SHAPE_EACH (DhcpHost, host, ip->hosts) {
		Inet fixed;
		if (!host->mac && !host->id && !host->name)
			return fail(error, LODGE_ERROR_INVALID, "dhcp host: mac, id or name is missing");
		if (!host->ip)
			return fail(error, LODGE_ERROR_INVALID, "dhcp host: ip is missing");
		if (host->mac && !is_mac(host->mac))
			return fail(error, LODGE_ERROR_INVALID, "dhcp host: mac \"%s\" is not a MAC address",
				    host->mac);
		if (host->mac && (g_ascii_xdigit_value(host->mac[1]) & 1))
			return fail(error, LODGE_ERROR_INVALID,
				    "dhcp host: mac %s is a multicast address", host->mac);
		if (host->ip && !usable(host->ip, address, prefix, "dhcp host", &fixed, error))
			return FALSE;
		if (!lease(host->expiry, host->unit, error) || !host_once(seen, host->mac, error) ||
		    !host_once(seen, host->id, error) || !host_once(seen, host->ip, error) ||
		    !dns_name(host->name, "dhcp host: name", error) ||
		    !plain(host->id, "dhcp host: id", " ,", error))
			return FALSE;
	}
	return TRUE;
}

typedef struct Subnets {
	GArray *addresses; /* Inet */
	GArray *prefixes;  /* guint */
	guint dhcp[2];	   /* <ip>s with DHCP, by family */
} Subnets;

static gboolean subnet_new(Subnets *subnets, const Inet *address, guint prefix, GError **error)
{
	char one[INET_TEXT], other[INET_TEXT];
	for (guint i = 0; i < subnets->addresses->len; i++) {
		const Inet *a = &g_array_index(subnets->addresses, Inet, i);
		guint p = g_array_index(subnets->prefixes, guint, i);
		if (inet_overlap(a, p, address, prefix))
			return fail(error, LODGE_ERROR_INVALID, "<ip> %s/%u and %s/%u overlap",
				    inet_to_text(a, one), p, inet_to_text(address, other), prefix);
	}
	g_array_append_val(subnets->addresses, *address);
	g_array_append_val(subnets->prefixes, prefix);
	return TRUE;
}

static gboolean one_ip(const NetworkIp *ip, Subnets *subnets, GHashTable *seen, GError **error)
{
	Inet address;
	guint prefix;
	if (!network_ip_read(ip, &address, &prefix, error) ||
	    !subnet_new(subnets, &address, prefix, error))
		return FALSE;
	gboolean v6 = address.family == AF_INET6;
	if (inet_is_multicast(&address) || inet_is_any(&address))
		return fail(error, LODGE_ERROR_INVALID, "ip/@address %s is not an address of a host",
			    ip->address);
	if ((shape_len(ip->ranges) || shape_len(ip->hosts)) && subnets->dhcp[v6]++)
		return fail(error, LODGE_ERROR_INVALID, "only one <ip> of family IPv%d may have DHCP",
			    v6 ? 6 : 4);
	if (v6 && (ip->tftp_root || ip->bootp_file))
		return fail(error, LODGE_ERROR_INVALID, "<tftp> and <bootp> are for IPv4 only");
	return plain(ip->tftp_root, "tftp/@root", ",", error) &&
	       plain(ip->bootp_file, "bootp/@file", ",", error) &&
	       plain(ip->bootp_server, "bootp/@server", " ,", error) &&
	       ranges(ip, &address, prefix, error) &&
	       (hosts(ip, &address, prefix, seen, error) ||
		error_detail(error, LODGE_DETAIL_NONE, "ip/dhcp/host"));
}

static gboolean addresses(const Network *network, GError **error)
{
	g_autoptr(GArray) inets = g_array_new(FALSE, FALSE, sizeof(Inet));
	g_autoptr(GArray) prefixes = g_array_new(FALSE, FALSE, sizeof(guint));
	g_autoptr(GHashTable) seen = g_hash_table_new(word_hash, word_equal);
	Subnets subnets = { .addresses = inets, .prefixes = prefixes };
	SHAPE_EACH (NetworkIp, ip, network->ips)
		if (!one_ip(ip, &subnets, seen, error))
			return FALSE;
	SHAPE_EACH (InterfaceRoute, route, network->routes) {
		Inet to, gateway;
		guint prefix;
		gboolean near = FALSE;
		if (!network_route_read(route, &to, &prefix, &gateway, error))
			return FALSE;
		for (guint i = 0; i < inets->len; i++)
			near |= inet_within(&gateway, &g_array_index(inets, Inet, i),
					    g_array_index(prefixes, guint, i));
		if (!near)
			return fail(error, LODGE_ERROR_INVALID,
				    "<route>: the gateway %s is in none of the network's <ip>s",
				    route->gateway) ||
			       error_detail(error, LODGE_DETAIL_NONE, "route/@gateway");
	}
	return TRUE;
}

/* ---- dns, portgroups ---- */

static gboolean srv(const DnsSrv *record, GError **error)
{
	if (!g_str_equal(record->protocol, "tcp") && !g_str_equal(record->protocol, "udp"))
		return fail(error, LODGE_ERROR_INVALID, "dns srv: protocol \"%s\": tcp or udp",
			    record->protocol);
	if (!record->target && (record->port.set || record->priority.set || record->weight.set))
		return fail(error, LODGE_ERROR_INVALID,
			    "dns srv %s: port, priority and weight need a target", record->service);
	return dns_name(record->service, "dns srv: service", error) &&
	       dns_name(record->domain, "dns srv: domain", error) &&
	       dns_name(record->target, "dns srv: target", error);
}

static gboolean dns(const NetworkDns *d, GError **error)
{
	Inet inet;
	if (!d)
		return TRUE;
	SHAPE_EACH (DnsForwarder, to, d->forwarders) {
		if (!to->addr && !to->domain)
			return fail(error, LODGE_ERROR_INVALID, "dns forwarder: addr or domain is missing") ||
			       error_detail(error, LODGE_DETAIL_NONE, "dns/forwarder");
		if ((to->addr && !inet_from_text(to->addr, AF_UNSPEC, &inet, error)) ||
		    !dns_name(to->domain, "dns forwarder: domain", error))
			return error_detail(error, LODGE_DETAIL_NONE, "dns/forwarder");
	}
	SHAPE_EACH (DnsTxt, txt, d->txts)
		if (!dns_name(txt->name, "dns txt: name", error) ||
		    !plain(txt->value, "dns txt: value", "", error))
			return FALSE;
	SHAPE_EACH (DnsSrv, record, d->srvs)
		if (!srv(record, error))
			return FALSE;
	SHAPE_EACH (DnsHost, host, d->hosts) {
		if (!inet_from_text(host->ip, AF_UNSPEC, &inet, error))
			return error_detail(error, LODGE_DETAIL_NONE, "dns/host");
		if (!shape_len(host->names))
			return fail(error, LODGE_ERROR_INVALID, "dns host %s has no <hostname>", host->ip) ||
			       error_detail(error, LODGE_DETAIL_MISSING, "dns/host/hostname");
		for (guint i = 0; i < host->names->len; i++)
			if (!dns_name(host->names->pdata[i], "dns host", error))
				return FALSE;
	}
	return TRUE;
}

const PortGroup *network_portgroup(const Network *network, const char *name)
{
	SHAPE_EACH (PortGroup, group, network->portgroups)
		if (name ? !g_strcmp0(group->name, name) : group->dflt == TRI_YES)
			return group;
	return NULL;
}

static gboolean portgroups(const Network *network, GError **error)
{
	static const char where[] = "portgroup";
	const PortGroup *dflt = network_portgroup(network, NULL);
	SHAPE_EACH (PortGroup, group, network->portgroups) {
		if (network_portgroup(network, group->name) != group)
			return fail(error, LODGE_ERROR_INVALID, "portgroup \"%s\" stands there twice",
				    group->name) ||
			       error_detail(error, LODGE_DETAIL_NONE, where);
		if (group->dflt == TRI_YES && group != dflt)
			return fail(error, LODGE_ERROR_INVALID,
				    "portgroups \"%s\" and \"%s\" are both the default", dflt->name,
				    group->name) ||
			       error_detail(error, LODGE_DETAIL_NONE, where);
	}
	return TRUE;
}

static gboolean bandwidth(const Bandwidth *in, const Bandwidth *out, GError **error)
{
	const Bandwidth *const both[] = { in, out };
	for (guint i = 0; i < G_N_ELEMENTS(both); i++) {
		const char *what = i ? "outbound" : "inbound";
		if (both[i] && both[i]->floor.set)
			return fail(error, LODGE_ERROR_INVALID, "bandwidth/%s/@floor is for interfaces of "
				    "guests: a network has nobody to take it from", what) ||
			       error_detail(error, LODGE_DETAIL_NONE, "bandwidth");
		if (both[i] && !both[i]->average.set)
			return fail(error, LODGE_ERROR_INVALID, "bandwidth/%s needs an average", what) ||
			       error_detail(error, LODGE_DETAIL_MISSING, "bandwidth");
	}
	return TRUE;
}

static gboolean vlans(const char *trunk, const GPtrArray *tags, GError **error)
{
	return shape_len(tags) < 2 || g_strcmp0(trunk, "no") ||
	       fail(error, LODGE_ERROR_INVALID, "vlan/@trunk is no, but there are %u tags",
		    shape_len(tags)) ||
	       error_detail(error, LODGE_DETAIL_NONE, "vlan");
}

/* What a network and its portgroups may have alike. */
static gboolean traffic(const Network *network, GError **error)
{
	SHAPE_EACH (PortGroup, group, network->portgroups)
		if (!bandwidth(group->inbound, group->outbound, error) ||
		    !vlans(group->vlan_trunk, group->vlan_tags, error))
			return FALSE;
	return bandwidth(network->inbound, network->outbound, error) &&
	       vlans(network->vlan_trunk, network->vlan_tags, error);
}

gboolean network_check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Network *network = object;
	SHAPE_EACH (DnsmasqOption, option, network->dnsmasq_options)
		if (!plain(option->value, "dnsmasq:option", "", error))
			return FALSE;
	if (network->mac_table_manager && !g_str_equal(network->mac_table_manager, "kernel") &&
	    !g_str_equal(network->mac_table_manager, "libvirt"))
		return fail(error, LODGE_ERROR_INVALID,
			    "bridge/@macTableManager \"%s\": kernel or libvirt", network->mac_table_manager);
	return names(network, error) && forward(network, error) && fits_mode(network, error) &&
	       addresses(network, error) && dns(network->dns, error) && portgroups(network, error) &&
	       traffic(network, error);
}

/* ---- what is meant ---- */

static void fill_lease(OptUint expiry, char **unit)
{
	if (expiry.set && !*unit)
		*unit = g_strdup("minutes");
}

void network_fill(Network *network)
{
	NetworkForward *f = network->forward;
	if (f && !f->mode)
		f->mode = FORWARD_NAT;
	if (f && f->dev && !shape_len(f->interfaces)) {
		ForwardInterface *interface = shape_new(&forward_interface_shape);
		interface->dev = g_strdup(f->dev);
		shape_append(&f->interfaces, &forward_interface_shape, interface);
	} else if (f && !f->dev && shape_len(f->interfaces)) {
		f->dev = g_strdup(((ForwardInterface *)f->interfaces->pdata[0])->dev);
	}
	if (network_owns_bridge(network)) {
		network->stp = network->stp ? network->stp : TRI_YES;
		network->delay = OPT_UINT(opt_uint_or(network->delay, 0));
	}
	SHAPE_EACH (NetworkIp, ip, network->ips) {
		SHAPE_EACH (DhcpRange, range, ip->ranges)
			fill_lease(range->expiry, &range->unit);
		SHAPE_EACH (DhcpHost, host, ip->hosts)
			fill_lease(host->expiry, &host->unit);
	}
}

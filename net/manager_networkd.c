/* systemd-networkd: NAME.network says how an interface gets its addresses, NAME.netdev what it is made of.
 * Ours are named so that they come before others, which therefore stay as they are and count again once
 * ours are gone. Formats: systemd.network(5), systemd.netdev(5). Neighbours: manager.h. */
#include "net/manager.h"
#include "base/error.h"

#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/etc/systemd/network"
#define PREFIX "00-lodge-"
#define LINKS "/run/systemd/netif/links"
#define STATE "/run/systemd/netif/state" /* its folder is there on every host with systemd */
#define HEAD "# Written by Lodge; see \"lodge bridge\" and \"lodge iface-edit\".\n"

/* A file of the same name in a folder further to the left counts. */
static const char *const folders[] = { FOLDER, "/run/systemd/network", "/usr/local/lib/systemd/network",
				       "/usr/lib/systemd/network" };

/* ---- finding ---- */

static char *own_path(const char *name, const char *suffix)
{
	return g_strconcat(FOLDER "/" PREFIX, name, suffix, NULL);
}

/* What networkd itself says of a link. */
static GPtrArray *state_of(const ManagerWork *work, const LinkInfo *link)
{
	g_autofree char *path = g_strdup_printf(LINKS "/%d", link->index);
	g_autofree char *text = work_read(work, path);
	/* it has lines and no sections */
	g_autofree char *ini = text ? g_strconcat("[link]\n", text, NULL) : NULL;
	return ini ? ini_read(ini) : NULL;
}

static gboolean manages(ManagerWork *work, const LinkInfo *link)
{
	g_autoptr(GPtrArray) state = state_of(work, link);
	const char *admin = state ? ini_get(state, "link", "ADMIN_STATE") : NULL;
	const char *file = state ? ini_get(state, "link", "NETWORK_FILE") : NULL;
	return admin && file && *file && !g_str_equal(admin, "unmanaged");
}

static char *path_of(const ManagerWork *work, const char *file)
{
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_build_filename(folders[i], file, NULL);
		if (work_exists(work, path))
			return g_steal_pointer(&path);
	}
	return NULL;
}

static int by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the files that count, of all folders, in the order in which networkd looks at them. */
static GPtrArray *files_of(const ManagerWork *work, const char *suffix)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autoptr(GPtrArray) some = work_list(work, folders[i], suffix);
		for (guint k = 0; k < some->len; k++)
			if (!g_ptr_array_find_with_equal_func(all, some->pdata[k], g_str_equal, NULL))
				g_ptr_array_add(all, g_strdup(some->pdata[k]));
	}
	g_ptr_array_sort(all, by_text);
	return all;
}

/* The content of a file with what FILE.d/ *.conf add. */
static GPtrArray *read_unit(const ManagerWork *work, const char *file)
{
	g_autofree char *path = path_of(work, file), *text = path ? work_read(work, path) : NULL;
	if (!text)
		return NULL;
	g_autoptr(GString) all = g_string_new(text);
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *folder = g_strconcat(folders[i], "/", file, ".d", NULL);
		g_autoptr(GPtrArray) parts = work_list(work, folder, ".conf");
		for (guint k = 0; k < parts->len; k++) {
			g_autofree char *part = g_build_filename(folder, parts->pdata[k], NULL);
			g_autofree char *more = work_read(work, part);
			g_string_append_printf(all, "\n%s", more ? more : "");
		}
	}
	return ini_read(all->str);
}

static gboolean matches(const GPtrArray *unit, const char *name)
{
	g_autoptr(GPtrArray) patterns = ini_words(unit, "Match", "Name");
	for (guint i = 0; i < patterns->len; i++)
		if (fnmatch(patterns->pdata[i], name, 0) == 0)
			return TRUE;
	return FALSE;
}

/* The file that says how @name gets its addresses; NULL: none. */
static char *network_file(const ManagerWork *work, const char *name, const LinkInfo *link)
{
	g_autofree char *own = own_path(name, ".network");
	if (work_exists(work, own))
		return g_path_get_basename(own);
	g_autoptr(GPtrArray) state = link ? state_of(work, link) : NULL;
	const char *said = state ? ini_get(state, "link", "NETWORK_FILE") : NULL;
	g_autofree char *known = said && *said ? g_path_get_basename(said) : NULL;
	g_autofree char *there = known ? path_of(work, known) : NULL;
	if (there)
		return g_steal_pointer(&known);
	g_autoptr(GPtrArray) files = files_of(work, ".network");
	for (guint i = 0; i < files->len; i++) {
		g_autoptr(GPtrArray) unit = read_unit(work, files->pdata[i]);
		if (unit && matches(unit, name))
			return g_strdup(files->pdata[i]);
	}
	return NULL;
}

/* The .netdev of @name; NULL: none. */
static char *netdev_file(const ManagerWork *work, const char *name)
{
	g_autoptr(GPtrArray) files = files_of(work, ".netdev");
	for (guint i = 0; i < files->len; i++) {
		g_autoptr(GPtrArray) unit = read_unit(work, files->pdata[i]);
		if (unit && g_strcmp0(ini_get(unit, "NetDev", "Name"), name) == 0)
			return g_strdup(files->pdata[i]);
	}
	return NULL;
}

static gboolean is_port(const GPtrArray *unit)
{
	return ini_get(unit, "Network", "Bridge") || ini_get(unit, "Network", "Bond");
}

static void names(ManagerWork *work, GPtrArray *all)
{
	g_autoptr(GPtrArray) files = files_of(work, ".network"), devices = files_of(work, ".netdev");
	for (guint i = 0; i < files->len; i++) {
		g_autoptr(GPtrArray) unit = read_unit(work, files->pdata[i]);
		g_autoptr(GPtrArray) words = unit && !is_port(unit) ? ini_words(unit, "Match", "Name")
								    : NULL;
		for (guint k = 0; words && k < words->len; k++)
			if (hostif_name_ok(words->pdata[k], NULL))
				g_ptr_array_add(all, g_strdup(words->pdata[k]));
	}
	for (guint i = 0; i < devices->len; i++) {
		g_autoptr(GPtrArray) unit = read_unit(work, devices->pdata[i]);
		const char *name = unit ? ini_get(unit, "NetDev", "Name") : NULL;
		if (name && hostif_name_ok(name, NULL))
			g_ptr_array_add(all, g_strdup(name));
	}
}

static void paths(ManagerWork *work, GPtrArray *all)
{
	static const char *const suffixes[] = { ".network", ".netdev" };
	for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autoptr(GPtrArray) files = work_list(work, FOLDER, suffixes[i]);
		for (guint k = 0; k < files->len; k++)
			g_ptr_array_add(all, g_build_filename(FOLDER, files->pdata[k], NULL));
	}
}

/* ---- reading ---- */

/* Which lines of a .network are about addresses, for whichever interface has them. */
static gboolean is_kept(const IniSection *section, const IniLine *line)
{
	static const char *const link[] = { "Match",	 "Link", "Bridge", "BridgeVLAN", "BridgeFDB",
					    "BridgeMDB", "CAN",	 "IPoIB",  "SR-IOV",	 NULL };
	static const char *const ties[] = { "Bridge",  "Bond",	  "VLAN",   "VRF",
					    "MACVLAN", "MACVTAP", "IPVLAN", "IPVTAP",
					    "VXLAN",   "Tunnel",  "Xfrm",   "ConfigureWithoutCarrier",
					    NULL };
	if (g_strv_contains(link, section->name))
		return FALSE;
	return !line->key || !g_str_equal(section->name, "Network") || !g_strv_contains(ties, line->key);
}

static char *kept_of(const GPtrArray *unit)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < unit->len; i++) {
		const IniSection *section = unit->pdata[i];
		g_autoptr(GString) body = g_string_new(NULL);
		for (guint k = 0; k < section->lines->len; k++) {
			const IniLine *line = section->lines->pdata[k];
			if (is_kept(section, line) && *line->raw)
				g_string_append_printf(body, "%s\n", line->raw);
		}
		if (body->len)
			g_string_append_printf(text, "\n[%s]\n%s", section->name, body->str);
	}
	return g_string_free(text, FALSE);
}

static void read_address(HostIf *iface, const char *word)
{
	g_auto(GStrv) parts = g_strsplit(word, "/", 2);
	Inet inet;
	if (!parts[0] || !inet_from_text(parts[0], AF_UNSPEC, &inet, NULL))
		return;
	guint64 prefix = parts[1] ? g_ascii_strtoull(parts[1], NULL, 10) : inet_bits(&inet);
	hostif_add_ip(iface, parts[0], (guint)MIN(prefix, inet_bits(&inet)));
}

static void read_gateway(HostIf *iface, const char *word)
{
	Inet inet;
	if (!inet_from_text(word, AF_UNSPEC, &inet, NULL))
		return; /* "_dhcp4" */
	HostIfProtocol *protocol =
		hostif_protocol(iface, inet.family == AF_INET6 ? HOSTIF_IPV6 : HOSTIF_IPV4, TRUE);
	if (!protocol->gateway)
		protocol->gateway = g_strdup(word);
}

/* [Route] sections that lead to everything. */
static void read_routes(HostIf *iface, const GPtrArray *unit)
{
	for (guint i = 0; i < unit->len; i++) {
		IniSection *section = unit->pdata[i];
		g_autoptr(GPtrArray) one = g_ptr_array_new();
		g_ptr_array_add(one, section);
		const char *to = ini_get(one, "Route", "Destination"),
			   *by = ini_get(one, "Route", "Gateway");
		if (by && (!to || !*to || g_str_equal(to, "0.0.0.0/0") || g_str_equal(to, "::/0")))
			read_gateway(iface, by);
	}
}

static void read_dhcp(HostIf *iface, const GPtrArray *unit, gboolean port)
{
	const char *dhcp = ini_get(unit, "Network", "DHCP");
	gboolean both = dhcp && (g_str_equal(dhcp, "both") || ini_yes(dhcp, FALSE));
	gboolean four = both || g_strcmp0(dhcp, "ipv4") == 0 || g_strcmp0(dhcp, "v4") == 0;
	gboolean six = both || g_strcmp0(dhcp, "ipv6") == 0 || g_strcmp0(dhcp, "v6") == 0;
	if (four) {
		HostIfProtocol *protocol = hostif_protocol(iface, HOSTIF_IPV4, TRUE);
		protocol->dhcp = g_new0(HostIfDhcp, 1);
		const char *dns = ini_get(unit, "DHCPv4", "UseDNS");
		if (dns)
			protocol->dhcp->peerdns = ini_yes(dns, TRUE) ? TRI_YES : TRI_NO;
	}
	if (six)
		hostif_protocol(iface, HOSTIF_IPV6, TRUE)->dhcp = g_new0(HostIfDhcp, 1);
	if (!port && ini_yes(ini_get(unit, "Network", "IPv6AcceptRA"), six) &&
	    ini_yes(ini_get(unit, "IPv6AcceptRA", "UseAutonomousPrefix"), TRUE))
		hostif_protocol(iface, HOSTIF_IPV6, TRUE)->autoconf = TRUE;
}

static void read_network(HostIf *iface, const GPtrArray *unit)
{
	static const char *const sections[] = { "Network", "Address" };
	for (guint s = 0; s < G_N_ELEMENTS(sections); s++) {
		g_autoptr(GPtrArray) words = ini_words(unit, sections[s], "Address");
		for (guint i = 0; i < words->len; i++)
			read_address(iface, words->pdata[i]);
	}
	g_autoptr(GPtrArray) gateways = ini_words(unit, "Network", "Gateway");
	for (guint i = 0; i < gateways->len; i++)
		read_gateway(iface, gateways->pdata[i]);
	read_routes(iface, unit);
	read_dhcp(iface, unit, is_port(unit));
	g_autoptr(GPtrArray) dns = ini_words(unit, "Network", "DNS");
	for (guint i = 0; i < dns->len && shape_len(iface->protocols); i++)
		shape_append(&((HostIfProtocol *)iface->protocols->pdata[0])->dns, NULL,
			     g_strdup(dns->pdata[i]));
	const char *mtu = ini_get(unit, "Link", "MTUBytes");
	if (mtu && g_ascii_isdigit(*mtu))
		iface->mtu = OPT_UINT(MIN(g_ascii_strtoull(mtu, NULL, 10), G_MAXUINT32));
	const char *policy = ini_get(unit, "Link", "ActivationPolicy");
	iface->start = g_strcmp0(policy, "manual") == 0 ? HOSTIF_NONE : HOSTIF_ONBOOT;
}

/* "100ms", "0.1s", "2": milliseconds. */
static guint milliseconds(const char *text)
{
	char *end;
	double n = text ? g_ascii_strtod(text, &end) : 0;
	if (!text || !(n >= 0 && n < 86400e3))
		return 0;
	while (*end == ' ')
		end++;
	return (guint)(g_str_has_prefix(end, "ms") ? n : n * 1000);
}

/* Ports of @name: what says Bridge=NAME, or Bond=NAME. */
static void read_ports(const ManagerWork *work, HostIf *iface, const char *key, GPtrArray **list)
{
	g_autoptr(GPtrArray) files = files_of(work, ".network");
	for (guint i = 0; i < files->len; i++) {
		g_autoptr(GPtrArray) unit = read_unit(work, files->pdata[i]);
		if (!unit || g_strcmp0(ini_get(unit, "Network", key), iface->name) != 0)
			continue;
		g_autoptr(GPtrArray) words = ini_words(unit, "Match", "Name");
		for (guint k = 0; k < words->len; k++)
			if (hostif_name_ok(words->pdata[k], NULL) &&
			    !hostif_has_port(iface, words->pdata[k]))
				shape_append(list, &hostif_shape,
					     hostif_new(HOSTIF_ETHERNET, words->pdata[k]));
	}
}

static void read_bond(const ManagerWork *work, HostIf *iface, const GPtrArray *unit)
{
	HostIfBond *bond = iface->bond;
	const char *mode = ini_get(unit, "Bond", "Mode"), *target = ini_get(unit, "Bond", "ARPIPTargets");
	guint freq = milliseconds(ini_get(unit, "Bond", "MIIMonitorSec"));
	guint interval = milliseconds(ini_get(unit, "Bond", "ARPIntervalSec"));
	bond->mode = mode ? enum_value(&hostif_bond_modes, mode) : 0;
	bond->miimon = freq > 0;
	bond->arpmon = !freq && interval > 0 && target;
	if (bond->miimon) {
		bond->freq = OPT_UINT(freq);
		bond->updelay = OPT_UINT(milliseconds(ini_get(unit, "Bond", "UpDelaySec")));
		bond->downdelay = OPT_UINT(milliseconds(ini_get(unit, "Bond", "DownDelaySec")));
	} else if (bond->arpmon) {
		g_auto(GStrv) words = g_strsplit(target, " ", 2);
		bond->interval = OPT_UINT(interval);
		bond->target = g_strdup(words[0]);
	}
	read_ports(work, iface, "Bond", &bond->ports);
}

/* The interface that says VLAN=NAME. */
static char *vlan_below(const ManagerWork *work, const char *name)
{
	g_autoptr(GPtrArray) files = files_of(work, ".network");
	for (guint i = 0; i < files->len; i++) {
		g_autoptr(GPtrArray) unit = read_unit(work, files->pdata[i]);
		g_autoptr(GPtrArray) vlans = unit ? ini_words(unit, "Network", "VLAN") : NULL;
		g_autoptr(GPtrArray) words = unit ? ini_words(unit, "Match", "Name") : NULL;
		if (vlans && words->len && g_ptr_array_find_with_equal_func(vlans, name, g_str_equal, NULL))
			return g_strdup(words->pdata[0]);
	}
	return NULL;
}

static HostIf *read_netdev(const ManagerWork *work, const char *name, const GPtrArray *unit)
{
	const char *kind = ini_get(unit, "NetDev", "Kind");
	int type = kind ? enum_value(&hostif_types, kind) : 0;
	HostIf *iface = hostif_new(type ? (HostIfType)type : HOSTIF_ETHERNET, name);
	const char *mac = ini_get(unit, "NetDev", "MACAddress"), *mtu = ini_get(unit, "NetDev", "MTUBytes");
	guint8 bytes[6];
	if (mac && mac_from_text(mac, bytes))
		iface->own_mac = g_ascii_strdown(mac, -1);
	if (mtu && g_ascii_isdigit(*mtu))
		iface->mtu = OPT_UINT(MIN(g_ascii_strtoull(mtu, NULL, 10), G_MAXUINT32));
	if (iface->bridge) {
		const char *delay = ini_get(unit, "Bridge", "ForwardDelaySec");
		iface->bridge->stp = ini_yes(ini_get(unit, "Bridge", "STP"), FALSE) ? TRI_YES : TRI_NO;
		iface->bridge->delay = delay ? g_strdup_printf("%u", milliseconds(delay) / 1000) : NULL;
		read_ports(work, iface, "Bridge", &iface->bridge->ports);
	} else if (iface->bond) {
		read_bond(work, iface, unit);
	} else if (iface->vlan) {
		const char *tag = ini_get(unit, "VLAN", "Id");
		iface->vlan->tag = OPT_UINT(tag ? MIN(g_ascii_strtoull(tag, NULL, 10), 4095) : 0);
		iface->vlan->device = vlan_below(work, name);
	}
	return iface;
}

static HostIf *read_definition(ManagerWork *work, const char *name, const LinkInfo *link, char **kept,
			       GError **error)
{
	g_autofree char *device = netdev_file(work, name), *network = network_file(work, name, link);
	g_autoptr(GPtrArray) made = device ? read_unit(work, device) : NULL;
	g_autoptr(GPtrArray) unit = network ? read_unit(work, network) : NULL;
	if (!made && !unit) {
		fail(error, LODGE_ERROR_NOT_FOUND, "systemd-networkd has no file for interface %s", name);
		return NULL;
	}
	HostIf *iface = made ? read_netdev(work, name, made) : hostif_new(HOSTIF_ETHERNET, name);
	if (iface->vlan && !iface->vlan->device) {
		hostif_free(iface);
		fail(error, LODGE_ERROR_NOT_FOUND, "no file of systemd-networkd says VLAN=%s", name);
		return NULL;
	}
	if (unit)
		read_network(iface, unit);
	*kept = unit ? kept_of(unit) : g_strdup("");
	return iface;
}

/* ---- writing ---- */

static void put_protocols(GString *text, const HostIf *iface)
{
	HostIfProtocol *four = hostif_protocol((HostIf *)iface, HOSTIF_IPV4, FALSE);
	HostIfProtocol *six = hostif_protocol((HostIf *)iface, HOSTIF_IPV6, FALSE);
	gboolean dhcp4 = four && four->dhcp, dhcp6 = six && six->dhcp;
	HostIfProtocol *const both[] = { four, six };
	g_string_append_printf(text, "\n[Network]\nDHCP=%s\nIPv6AcceptRA=%s\n",
			       dhcp4 && dhcp6 ? "yes"
			       : dhcp4	      ? "ipv4"
			       : dhcp6	      ? "ipv6"
					      : "no",
			       six && (six->autoconf || dhcp6) ? "yes" : "no");
	for (guint i = 0; i < 2; i++) {
		SHAPE_EACH (HostIfIp, ip, both[i] ? both[i]->ips : NULL)
			g_string_append_printf(text, "Address=%s/%u\n", ip->address,
					       (guint)opt_uint_or(ip->prefix, i ? 128 : 32));
		if (both[i] && both[i]->gateway)
			g_string_append_printf(text, "Gateway=%s\n", both[i]->gateway);
		for (guint k = 0; both[i] && k < shape_len(both[i]->dns); k++)
			g_string_append_printf(text, "DNS=%s\n", (char *)both[i]->dns->pdata[k]);
	}
	if (dhcp6 && !six->autoconf) /* announcements only say that there is DHCP */
		g_string_append(text, "\n[IPv6AcceptRA]\nUseAutonomousPrefix=no\n");
	if (dhcp4 && four->dhcp->peerdns)
		g_string_append_printf(text, "\n[DHCPv4]\nUseDNS=%s\n",
				       four->dhcp->peerdns == TRI_YES ? "yes" : "no");
	if (dhcp6 && six->dhcp->peerdns)
		g_string_append_printf(text, "\n[DHCPv6]\nUseDNS=%s\n",
				       six->dhcp->peerdns == TRI_YES ? "yes" : "no");
}

static void put_bond(GString *text, const HostIfBond *bond)
{
	g_string_append(text, "\n[Bond]\n");
	if (bond->mode)
		g_string_append_printf(text, "Mode=%s\n", enum_name(&hostif_bond_modes, bond->mode));
	if (bond->miimon)
		g_string_append_printf(text, "MIIMonitorSec=%ums\n", (guint)bond->freq.v);
	if (bond->updelay.set)
		g_string_append_printf(text, "UpDelaySec=%ums\n", (guint)bond->updelay.v);
	if (bond->downdelay.set)
		g_string_append_printf(text, "DownDelaySec=%ums\n", (guint)bond->downdelay.v);
	if (bond->arpmon)
		g_string_append_printf(text, "ARPIntervalSec=%ums\nARPIPTargets=%s\n",
				       (guint)bond->interval.v, bond->target);
}

static void write_netdev(ManagerWork *work, const HostIf *iface)
{
	g_autoptr(GString) text = g_string_new(HEAD "[NetDev]\n");
	g_string_append_printf(text, "Name=%s\nKind=%s\n", iface->name,
			       enum_name(&hostif_types, iface->type));
	if (iface->own_mac)
		g_string_append_printf(text, "MACAddress=%s\n", iface->own_mac);
	if (iface->mtu.set)
		g_string_append_printf(text, "MTUBytes=%u\n", (guint)iface->mtu.v);
	if (iface->bridge)
		g_string_append_printf(text, "\n[Bridge]\nSTP=%s\nForwardDelaySec=%u\n",
				       iface->bridge->stp == TRI_YES ? "yes" : "no",
				       hostif_delay(iface->bridge));
	else if (iface->bond)
		put_bond(text, iface->bond);
	else
		g_string_append_printf(text, "\n[VLAN]\nId=%u\n", (guint)iface->vlan->tag.v);
	g_autofree char *path = own_path(iface->name, ".netdev");
	work_write(work, path, g_string_free(g_steal_pointer(&text), FALSE), 0644);
}

/* Whether networkd would look at @file before ours. */
static gboolean comes_before(const ManagerWork *work, const char *name, GError **error)
{
	g_autofree char *own = own_path(name, ".network"), *base = g_path_get_basename(own);
	g_autoptr(GPtrArray) files = files_of(work, ".network");
	for (guint i = 0; i < files->len; i++) {
		g_autoptr(GPtrArray)
			unit = strcmp(files->pdata[i], base) < 0 ? read_unit(work, files->pdata[i]) : NULL;
		if (unit && matches(unit, name)) {
			fail(error, LODGE_ERROR_EXISTS,
			     "%s is for %s and comes before the file %s that would be written: rename it "
			     "to "
			     "10-%s",
			     (char *)files->pdata[i], name, base, (char *)files->pdata[i]);
			return TRUE;
		}
	}
	return FALSE;
}

/* What the file that counts now says of the link itself stays, but what the document says. */
static void put_link(const ManagerWork *work, GString *text, const HostIf *iface)
{
	g_autofree char *file = network_file(work, iface->name, NULL);
	g_autoptr(GPtrArray) unit = file ? read_unit(work, file) : NULL;
	g_autoptr(GString) lines = g_string_new(NULL);
	for (guint i = 0; unit && i < unit->len; i++) {
		const IniSection *section = unit->pdata[i];
		for (guint k = 0; g_str_equal(section->name, "Link") && k < section->lines->len; k++) {
			const IniLine *line = section->lines->pdata[k];
			if (line->key && !g_str_equal(line->key, "ActivationPolicy") &&
			    !(g_str_equal(line->key, "MTUBytes") && iface->mtu.set))
				g_string_append_printf(lines, "%s\n", line->raw);
		}
	}
	if (iface->mtu.set)
		g_string_append_printf(lines, "MTUBytes=%u\n", (guint)iface->mtu.v);
	if (iface->start == HOSTIF_NONE)
		g_string_append(lines, "ActivationPolicy=manual\n");
	if (lines->len)
		g_string_append_printf(text, "\n[Link]\n%s", lines->str);
}

/* VLANs upon a link stay its own. */
static void put_vlans(const ManagerWork *work, GString *text, const char *name)
{
	g_autofree char *file = network_file(work, name, NULL);
	g_autoptr(GPtrArray) unit = file ? read_unit(work, file) : NULL;
	g_autoptr(GPtrArray) vlans = unit ? ini_words(unit, "Network", "VLAN") : NULL;
	for (guint i = 0; vlans && i < vlans->len; i++)
		g_string_append_printf(text, "VLAN=%s\n", (char *)vlans->pdata[i]);
}

static gboolean write_network(ManagerWork *work, const HostIf *iface, const char *kept, const char *master,
			      GError **error)
{
	if (comes_before(work, iface->name, error))
		return FALSE;
	g_autofree char *path = own_path(iface->name, ".network");
	g_autoptr(GString) text = g_string_new(HEAD);
	g_autoptr(GString) vlans = g_string_new(NULL);
	put_vlans(work, vlans, iface->name);
	g_string_append_printf(text, "[Match]\nName=%s\n", iface->name);
	put_link(work, text, iface);
	if (master)
		g_string_append_printf(text, "\n[Network]\n%s\n", master);
	else if (kept)
		g_string_append(text, kept);
	else
		put_protocols(text, iface);
	if (!master && iface->bridge)
		g_string_append(text, "\n[Network]\nConfigureWithoutCarrier=yes\n");
	if (vlans->len)
		g_string_append_printf(text, "\n[Network]\n%s", vlans->str);
	work_write(work, path, g_string_free(g_steal_pointer(&text), FALSE), 0644);
	return TRUE;
}

/* The interface below a VLAN gets a line of ours beside its file. */
static gboolean write_below(ManagerWork *work, const HostIf *vlan, GError **error)
{
	g_autofree char *file = network_file(work, vlan->vlan->device, NULL);
	g_autoptr(GPtrArray) unit = file ? read_unit(work, file) : NULL;
	g_autoptr(GPtrArray) there = unit ? ini_words(unit, "Network", "VLAN") : NULL;
	if (there && g_ptr_array_find_with_equal_func(there, vlan->name, g_str_equal, NULL))
		return TRUE;
	if (!file) {
		g_autoptr(HostIf) below = hostif_new(HOSTIF_ETHERNET, vlan->vlan->device);
		if (!write_network(work, below, NULL, NULL, error))
			return FALSE;
		file = network_file(work, vlan->vlan->device, NULL);
	}
	g_autofree char *path = g_strdup_printf(FOLDER "/%s.d/lodge-%s.conf", file, vlan->name);
	work_write(work, path, g_strdup_printf(HEAD "[Network]\nVLAN=%s\n", vlan->name), 0644);
	return TRUE;
}

static gboolean forget(ManagerWork *work, const char *name, GError **error);

/* Ports that the definition had and has no more. */
static gboolean drop_ports(ManagerWork *work, const HostIf *iface, GError **error)
{
	g_autofree char *kept = NULL;
	g_autoptr(HostIf) before = read_definition(work, iface->name, NULL, &kept, NULL);
	SHAPE_EACH (HostIf, port, before ? hostif_ports(before) : NULL)
		if (!hostif_has_port(iface, port->name) && !forget(work, port->name, error))
			return FALSE;
	return TRUE;
}

/* A bond among the ports has ports of its own. */
static gboolean write_ports(ManagerWork *work, const HostIf *iface, GError **error)
{
	SHAPE_EACH (HostIf, port, hostif_ports(iface)) {
		g_autofree char *master =
			g_strconcat(iface->bridge ? "Bridge=" : "Bond=", iface->name, NULL);
		if (port->type != HOSTIF_ETHERNET)
			write_netdev(work, port);
		if (port->vlan && !write_below(work, port, error))
			return FALSE;
		if (!write_network(work, port, NULL, master, error) || !write_ports(work, port, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean write_definition(ManagerWork *work, const HostIf *iface, const char *kept, GError **error)
{
	if (!drop_ports(work, iface, error))
		return FALSE;
	if (iface->type != HOSTIF_ETHERNET)
		write_netdev(work, iface);
	return (!iface->vlan || write_below(work, iface, error)) && write_ports(work, iface, error) &&
	       write_network(work, iface, kept, NULL, error);
}

/* ---- forgetting ---- */

/* A file that is for @name alone goes; one of others' folders cannot. */
static gboolean forget_file(ManagerWork *work, const char *file, gboolean alone, const char *name,
			    GError **error)
{
	g_autofree char *path = path_of(work, file);
	if (!path)
		return TRUE;
	if (!alone || !g_str_has_prefix(path, FOLDER "/"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "%s also says how %s is configured, and %s: change it "
			    "by hand",
			    path, name,
			    alone ? "is written by another program (netplan?)"
				  : "is for other interfaces, too");
	work_remove(work, path);
	return TRUE;
}

static void forget_dropin(ManagerWork *work, const char *name)
{
	g_autofree char *part = g_strconcat("lodge-", name, ".conf", NULL);
	g_autoptr(GPtrArray) files = files_of(work, ".network");
	for (guint i = 0; i < files->len; i++) {
		g_autofree char *path = g_strconcat(FOLDER "/", files->pdata[i], ".d/", part, NULL);
		work_remove(work, path);
	}
}

static gboolean forget(ManagerWork *work, const char *name, GError **error)
{
	g_autofree char *own = own_path(name, ".network"), *device = netdev_file(work, name);
	gboolean had = work_exists(work, own);
	forget_dropin(work, name);
	if (device) {
		g_autoptr(GPtrArray) unit = read_unit(work, device);
		const char *kind = ini_get(unit, "NetDev", "Kind");
		g_autoptr(HostIf)
			master = kind && (g_str_equal(kind, "bridge") || g_str_equal(kind, "bond"))
					 ? read_netdev(work, name, unit)
					 : NULL;
		if (!forget_file(work, device, TRUE, name, error))
			return FALSE;
		SHAPE_EACH (HostIf, port, master ? hostif_ports(master) : NULL) {
			g_autofree char *file = own_path(port->name, ".network");
			work_remove(work, file);
		}
	}
	work_remove(work, own);
	g_autofree char *file = had ? NULL : network_file(work, name, NULL); /* theirs counts again */
	g_autoptr(GPtrArray) unit = file ? read_unit(work, file) : NULL;
	g_autoptr(GPtrArray) words = unit ? ini_words(unit, "Match", "Name") : NULL;
	return !file ||
	       forget_file(work, file, words->len == 1 && g_str_equal(words->pdata[0], name), name, error);
}

/* ---- commands ---- */

static gboolean release(G_GNUC_UNUSED const char *name, G_GNUC_UNUSED const char *kept,
			G_GNUC_UNUSED GError **error)
{
	return TRUE; /* it has its DHCP client in itself, which ends when the link becomes a port */
}

static gboolean take(const char *name, const GPtrArray *ports, GError **error)
{
	const char *const reload[] = { "networkctl", "reload", NULL };
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_ptr_array_add(words, (gpointer) "networkctl");
	g_ptr_array_add(words, (gpointer) "reconfigure");
	g_ptr_array_add(words, (gpointer)name);
	for (guint i = 0; i < shape_len(ports); i++)
		g_ptr_array_add(words, ports->pdata[i]);
	g_ptr_array_add(words, NULL);
	return manager_run(reload, error) &&
	       (!name || manager_run((const char *const *)words->pdata, error));
}

const NetManager manager_networkd = {
	.name = "systemd-networkd",
	.sign = STATE,
	.manages = manages,
	.names = names,
	.read = read_definition,
	.write = write_definition,
	.forget = forget,
	.paths = paths,
	.release = release,
	.take = take,
};

/* NetworkManager: one keyfile for each connection. Ours come first by their priority, so that the
 * connections that are there stay as they are and count again once ours are gone. Format:
 * nm-settings-keyfile(5). Neighbours: manager.h. */
#include "net/manager.h"
#include "base/error.h"

#include <string.h>
#include <unistd.h>

#define FOLDER "/etc/NetworkManager/system-connections"
#define PREFIX "lodge-"
#define SUFFIX ".nmconnection"
#define DEVICES "/run/NetworkManager/devices"
#define PRIORITY 900 /* of autoconnect-priority, which is 0 where nobody said and 999 at most */

static const char *const folders[] = { FOLDER, "/run/NetworkManager/system-connections",
				       "/usr/lib/NetworkManager/system-connections" };

static char *own_path(const char *name)
{
	return g_strconcat(FOLDER "/" PREFIX, name, SUFFIX, NULL);
}

/* What it says of a device, while it runs. */
static GPtrArray *state_of(const ManagerWork *work, const LinkInfo *link)
{
	g_autofree char *path = g_strdup_printf(DEVICES "/%d", link->index);
	g_autofree char *text = work_read(work, path);
	return text ? ini_read(text) : NULL;
}

static gboolean manages(ManagerWork *work, const LinkInfo *link)
{
	g_autoptr(GPtrArray) state = state_of(work, link);
	return state && ini_yes(ini_get(state, "device", "managed"), FALSE) &&
	       ini_get(state, "device", "connection-uuid");
}

/* ---- finding ---- */

/* The file of a connection and what it says, the first that @fits; NULL: none. */
typedef gboolean (*FitsFn)(const GPtrArray *ini, const char *what);

static GPtrArray *find_file(const ManagerWork *work, FitsFn fits, const char *what, char **path)
{
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autoptr(GPtrArray) files = work_list(work, folders[i], "");
		for (guint k = 0; k < files->len; k++) {
			g_autofree char *at = g_build_filename(folders[i], files->pdata[k], NULL);
			g_autofree char *text = work_read(work, at);
			g_autoptr(GPtrArray) ini = text ? ini_read(text) : NULL;
			if (!ini || !fits(ini, what))
				continue;
			*path = g_steal_pointer(&at);
			return g_steal_pointer(&ini);
		}
	}
	return NULL;
}

static gboolean has_uuid(const GPtrArray *ini, const char *uuid)
{
	return g_strcmp0(ini_get(ini, "connection", "uuid"), uuid) == 0;
}

static gboolean has_name(const GPtrArray *ini, const char *name)
{
	return g_strcmp0(ini_get(ini, "connection", "interface-name"), name) == 0;
}

static const char *master_of(const GPtrArray *ini)
{
	const char *master = ini_get(ini, "connection", "master");
	return master ? master : ini_get(ini, "connection", "controller");
}

/* What counts for @name: ours, what it says of the device, or what names the interface. */
static GPtrArray *find(const ManagerWork *work, const char *name, const LinkInfo *link, char **path)
{
	g_autofree char *own = own_path(name), *text = work_read(work, own);
	if (text) {
		*path = g_steal_pointer(&own);
		return ini_read(text);
	}
	g_autoptr(GPtrArray) state = link ? state_of(work, link) : NULL;
	const char *uuid = state ? ini_get(state, "device", "connection-uuid") : NULL;
	GPtrArray *ini = uuid ? find_file(work, has_uuid, uuid, path) : NULL;
	return ini ? ini : find_file(work, has_name, name, path);
}

static void names(ManagerWork *work, GPtrArray *all)
{
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autoptr(GPtrArray) files = work_list(work, folders[i], "");
		for (guint k = 0; k < files->len; k++) {
			g_autofree char *path = g_build_filename(folders[i], files->pdata[k], NULL);
			g_autofree char *text = work_read(work, path);
			g_autoptr(GPtrArray) ini = text ? ini_read(text) : NULL;
			const char *name = ini ? ini_get(ini, "connection", "interface-name") : NULL;
			if (name && !master_of(ini) && hostif_name_ok(name, NULL))
				g_ptr_array_add(all, g_strdup(name));
		}
	}
}

static void paths(ManagerWork *work, GPtrArray *all)
{
	g_autoptr(GPtrArray) files = work_list(work, FOLDER, "");
	for (guint k = 0; k < files->len; k++)
		g_ptr_array_add(all, g_build_filename(FOLDER, files->pdata[k], NULL));
}

/* ---- reading ---- */

static char *kept_of(const GPtrArray *ini)
{
	static const char *const sections[] = { "ipv4", "ipv6", "proxy", NULL };
	GString *text = g_string_new(NULL);
	const char *zone = ini_get(ini, "connection", "zone");
	if (zone && *zone)
		g_string_append_printf(text, "\n[connection]\nzone=%s\n", zone);
	for (guint i = 0; i < ini->len; i++) {
		const IniSection *section = ini->pdata[i];
		if (!g_strv_contains(sections, section->name))
			continue;
		g_string_append_printf(text, "\n[%s]\n", section->name);
		for (guint k = 0; k < section->lines->len; k++) {
			const IniLine *line = section->lines->pdata[k];
			if (*line->raw)
				g_string_append_printf(text, "%s\n", line->raw);
		}
	}
	return g_string_free(text, FALSE);
}

/* "10.0.0.2/24,10.0.0.1": an address, perhaps with its router. */
static void read_address(HostIf *iface, HostIfFamily family, const char *value)
{
	g_auto(GStrv) parts = g_strsplit_set(value, ",;", 3);
	g_auto(GStrv) words = g_strsplit(parts[0] ? parts[0] : "", "/", 2);
	int wanted = family == HOSTIF_IPV6 ? AF_INET6 : AF_INET;
	Inet inet;
	if (!words[0] || !inet_from_text(words[0], wanted, &inet, NULL))
		return;
	guint64 prefix = words[1] ? g_ascii_strtoull(words[1], NULL, 10) : inet_bits(&inet);
	hostif_add_ip(iface, words[0], (guint)MIN(prefix, inet_bits(&inet)));
	HostIfProtocol *protocol = hostif_protocol(iface, family, TRUE);
	if (parts[1] && !protocol->gateway && inet_from_text(parts[1], wanted, &inet, NULL))
		protocol->gateway = g_strdup(parts[1]);
}

static void read_dns(HostIfProtocol *protocol, const char *value)
{
	g_auto(GStrv) words = g_strsplit_set(value, ";,", -1);
	for (char **word = words; *word; word++)
		if (*g_strstrip(*word))
			shape_append(&protocol->dns, NULL, g_strdup(*word));
}

static void read_fixed(HostIf *iface, const IniSection *section, HostIfFamily family)
{
	int wanted = family == HOSTIF_IPV6 ? AF_INET6 : AF_INET;
	Inet inet;
	for (guint k = 0; k < section->lines->len; k++) {
		const IniLine *line = section->lines->pdata[k];
		if (!line->key)
			continue;
		if (g_str_has_prefix(line->key, "address") && g_ascii_isdigit(line->key[7]))
			read_address(iface, family, line->value);
		else if (g_str_equal(line->key, "addresses"))
			read_address(iface, family, line->value);
		else if (g_str_equal(line->key, "gateway") &&
			 inet_from_text(line->value, wanted, &inet, NULL)) {
			HostIfProtocol *protocol = hostif_protocol(iface, family, TRUE);
			g_free(protocol->gateway);
			protocol->gateway = g_strdup(line->value);
		} else if (g_str_equal(line->key, "dns")) {
			read_dns(hostif_protocol(iface, family, TRUE), line->value);
		}
	}
}

static void read_family(HostIf *iface, const GPtrArray *ini, const char *name, HostIfFamily family)
{
	const char *method = ini_get(ini, name, "method");
	gboolean automatic = !method || g_str_equal(method, "auto");
	for (guint i = 0; i < ini->len; i++)
		if (g_str_equal(((IniSection *)ini->pdata[i])->name, name))
			read_fixed(iface, ini->pdata[i], family);
	if (family == HOSTIF_IPV6 && automatic)
		hostif_protocol(iface, family, TRUE)->autoconf = TRUE;
	if (g_strcmp0(method, "dhcp") == 0 || (family == HOSTIF_IPV4 && automatic)) {
		HostIfProtocol *protocol = hostif_protocol(iface, family, TRUE);
		protocol->dhcp = g_new0(HostIfDhcp, 1);
		if (ini_yes(ini_get(ini, name, "ignore-auto-dns"), FALSE))
			protocol->dhcp->peerdns = TRI_NO;
	}
}

static guint64 number_of(const GPtrArray *ini, const char *section, const char *key, guint64 otherwise)
{
	const char *value = ini_get(ini, section, key);
	return value && g_ascii_isdigit(*value) ? MIN(g_ascii_strtoull(value, NULL, 10), G_MAXUINT32)
						: otherwise;
}

/* Ports of the connection, which they name by interface or by uuid. */
static void read_ports(const ManagerWork *work, HostIf *iface, const char *uuid, GPtrArray **list)
{
	for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autoptr(GPtrArray) files = work_list(work, folders[i], "");
		for (guint k = 0; k < files->len; k++) {
			g_autofree char *path = g_build_filename(folders[i], files->pdata[k], NULL);
			g_autofree char *text = work_read(work, path);
			g_autoptr(GPtrArray) ini = text ? ini_read(text) : NULL;
			const char *master = ini ? master_of(ini) : NULL;
			const char *name = ini ? ini_get(ini, "connection", "interface-name") : NULL;
			gboolean ours = master &&
					(g_str_equal(master, iface->name) || g_strcmp0(master, uuid) == 0);
			if (ours && name && hostif_name_ok(name, NULL) && !hostif_has_port(iface, name))
				shape_append(list, &hostif_shape, hostif_new(HOSTIF_ETHERNET, name));
		}
	}
}

static void read_kind(const ManagerWork *work, HostIf *iface, const GPtrArray *ini)
{
	const char *uuid = ini_get(ini, "connection", "uuid");
	if (iface->bridge) {
		const char *mac = ini_get(ini, "bridge", "mac-address");
		guint8 bytes[6];
		iface->own_mac = mac && mac_from_text(mac, bytes) ? g_ascii_strdown(mac, -1) : NULL;
		/* its default is on */
		gboolean stp = ini_yes(ini_get(ini, "bridge", "stp"), TRUE);
		iface->bridge->stp = stp ? TRI_YES : TRI_NO;
		iface->bridge->delay = g_strdup_printf(
			"%u", (guint)number_of(ini, "bridge", "forward-delay", stp ? 15 : 0));
		read_ports(work, iface, uuid, &iface->bridge->ports);
	} else if (iface->bond) {
		const char *mode = ini_get(ini, "bond", "mode"),
			   *target = ini_get(ini, "bond", "arp_ip_target");
		iface->bond->mode = mode ? enum_value(&hostif_bond_modes, mode) : 0;
		guint64 freq = number_of(ini, "bond", "miimon", 0);
		if ((iface->bond->miimon = freq > 0))
			iface->bond->freq = OPT_UINT(freq);
		else if (target && (iface->bond->arpmon = number_of(ini, "bond", "arp_interval", 0) > 0)) {
			g_auto(GStrv) words = g_strsplit(target, ",", 2);
			iface->bond->interval = OPT_UINT(number_of(ini, "bond", "arp_interval", 0));
			iface->bond->target = g_strdup(words[0]);
		}
		read_ports(work, iface, uuid, &iface->bond->ports);
	} else if (iface->vlan) {
		iface->vlan->tag = OPT_UINT(MIN(number_of(ini, "vlan", "id", 0), 4095));
		iface->vlan->device = g_strdup(ini_get(ini, "vlan", "parent"));
	}
}

static HostIf *read_definition(ManagerWork *work, const char *name, const LinkInfo *link, char **kept,
			       GError **error)
{
	g_autofree char *path = NULL;
	g_autoptr(GPtrArray) ini = find(work, name, link, &path);
	if (!ini && !(link && manages(work, link))) {
		fail(error, LODGE_ERROR_NOT_FOUND, "NetworkManager has no connection for interface %s",
		     name);
		return NULL;
	}
	/* it makes a connection in memory for a NIC that has none: everything automatic */
	if (!ini)
		ini = ini_read("[connection]\ntype=ethernet\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n");
	const char *type = ini_get(ini, "connection", "type");
	int known = type ? enum_value(&hostif_types, type) : 0;
	HostIf *iface = hostif_new(known ? (HostIfType)known : HOSTIF_ETHERNET, name);
	read_kind(work, iface, ini);
	if (iface->vlan && !iface->vlan->device) {
		hostif_free(iface);
		fail(error, LODGE_ERROR_NOT_FOUND, "%s names no parent", path);
		return NULL;
	}
	if (!master_of(ini)) {
		read_family(iface, ini, "ipv4", HOSTIF_IPV4);
		read_family(iface, ini, "ipv6", HOSTIF_IPV6);
	}
	guint64 mtu = number_of(ini, "ethernet", "mtu", 0);
	if (mtu)
		iface->mtu = OPT_UINT(mtu);
	iface->start = ini_yes(ini_get(ini, "connection", "autoconnect"), TRUE) ? HOSTIF_ONBOOT
										: HOSTIF_NONE;
	*kept = kept_of(ini);
	return iface;
}

/* ---- writing ---- */

static void put_family(GString *text, const HostIf *iface, HostIfFamily family)
{
	HostIfProtocol *protocol = hostif_protocol((HostIf *)iface, family, FALSE);
	gboolean six = family == HOSTIF_IPV6;
	const char *method = !protocol					      ? "disabled"
			     : protocol->autoconf || (protocol->dhcp && !six) ? "auto"
			     : protocol->dhcp				      ? "dhcp"
			     : shape_len(protocol->ips)			      ? "manual"
									      : "disabled";
	g_string_append_printf(text, "\n[%s]\nmethod=%s\n", six ? "ipv6" : "ipv4", method);
	SHAPE_EACH (HostIfIp, ip, protocol ? protocol->ips : NULL)
		g_string_append_printf(text, "address%u=%s/%u\n", ip_i + 1, ip->address,
				       (guint)opt_uint_or(ip->prefix, six ? 128 : 32));
	if (protocol && protocol->gateway)
		g_string_append_printf(text, "gateway=%s\n", protocol->gateway);
	for (guint i = 0; protocol && i < shape_len(protocol->dns); i++)
		g_string_append_printf(text, "%s%s;%s", i ? "" : "dns=", (char *)protocol->dns->pdata[i],
				       i + 1 == protocol->dns->len ? "\n" : "");
	if (protocol && protocol->dhcp && protocol->dhcp->peerdns)
		g_string_append_printf(text, "ignore-auto-dns=%s\n",
				       protocol->dhcp->peerdns == TRI_NO ? "true" : "false");
}

static void put_bridge(GString *text, const HostIf *iface)
{
	gboolean stp = iface->bridge->stp == TRI_YES;
	g_string_append_printf(text, "\n[bridge]\nstp=%s\n", stp ? "true" : "false");
	if (stp) /* NetworkManager takes no less than the kernel does */
		g_string_append_printf(text, "forward-delay=%u\n", MAX(hostif_delay(iface->bridge), 2));
	if (iface->own_mac) {
		g_autofree char *mac = g_ascii_strup(iface->own_mac, -1);
		g_string_append_printf(text, "mac-address=%s\n", mac);
	}
}

static void put_bond(GString *text, const HostIfBond *bond)
{
	g_string_append(text, "\n[bond]\n");
	if (bond->mode)
		g_string_append_printf(text, "mode=%s\n", enum_name(&hostif_bond_modes, bond->mode));
	if (bond->miimon)
		g_string_append_printf(text, "miimon=%u\n", (guint)bond->freq.v);
	if (bond->updelay.set)
		g_string_append_printf(text, "updelay=%u\n", (guint)bond->updelay.v);
	if (bond->downdelay.set)
		g_string_append_printf(text, "downdelay=%u\n", (guint)bond->downdelay.v);
	if (bond->arpmon)
		g_string_append_printf(text, "arp_interval=%u\narp_ip_target=%s\n", (guint)bond->interval.v,
				       bond->target);
}

/* A connection keeps its uuid when it is written again. */
static char *uuid_for(const ManagerWork *work, const char *path)
{
	g_autofree char *text = work_read(work, path);
	g_autoptr(GPtrArray) ini = text ? ini_read(text) : NULL;
	const char *uuid = ini ? ini_get(ini, "connection", "uuid") : NULL;
	return uuid ? g_strdup(uuid) : g_uuid_string_random();
}

/* What a connection that is there says of the device itself: a port keeps it. */
static void put_device(const ManagerWork *work, GString *text, const HostIf *port)
{
	static const char *const sections[] = { "ethernet", "ethtool", "802-1x", NULL };
	LinkInfo link = { .index = (int)if_nametoindex(port->name) };
	g_autofree char *path = NULL;
	g_autoptr(GPtrArray) ini = find(work, port->name, link.index ? &link : NULL, &path);
	for (guint i = 0; ini && i < ini->len; i++) {
		const IniSection *section = ini->pdata[i];
		if (!g_strv_contains(sections, section->name))
			continue;
		g_string_append_printf(text, "\n[%s]\n", section->name);
		for (guint k = 0; k < section->lines->len; k++) {
			const IniLine *line = section->lines->pdata[k];
			if (line->key && !(port->mtu.set && g_str_equal(line->key, "mtu")))
				g_string_append_printf(text, "%s\n", line->raw);
		}
	}
}

static void write_connection(ManagerWork *work, const HostIf *iface, const char *kept, const char *master,
			     const char *master_type)
{
	g_autofree char *path = own_path(iface->name), *uuid = uuid_for(work, path);
	g_autoptr(GString)
		text = g_string_new("# Written by Lodge; see \"lodge bridge\" and \"lodge iface-edit\".\n");
	g_string_append_printf(text,
			       "[connection]\nid=" PREFIX "%s\nuuid=%s\ntype=%s\ninterface-name=%s\n"
			       "autoconnect=%s\nautoconnect-priority=%d\n",
			       iface->name, uuid, enum_name(&hostif_types, iface->type), iface->name,
			       iface->start == HOSTIF_NONE ? "false" : "true", PRIORITY);
	if (master)
		g_string_append_printf(text, "master=%s\nslave-type=%s\n", master, master_type);
	else if (hostif_ports(iface))
		g_string_append(text, "autoconnect-slaves=1\n");
	if (iface->bridge)
		put_bridge(text, iface);
	else if (iface->bond)
		put_bond(text, iface->bond);
	else if (iface->vlan)
		g_string_append_printf(text, "\n[vlan]\nid=%u\nparent=%s\n", (guint)iface->vlan->tag.v,
				       iface->vlan->device);
	if (iface->mtu.set)
		g_string_append_printf(text, "\n[ethernet]\nmtu=%u\n", (guint)iface->mtu.v);
	if (master && iface->type == HOSTIF_ETHERNET)
		put_device(work, text, iface);
	if (!master && kept)
		g_string_append(text, kept);
	for (guint family = HOSTIF_IPV4; !master && !kept && family <= HOSTIF_IPV6; family++)
		put_family(text, iface, (HostIfFamily)family);
	work_write(work, path, g_string_free(g_steal_pointer(&text), FALSE), 0600);
}

/* A bond among the ports has ports of its own. */
static void write_ports(ManagerWork *work, const HostIf *iface)
{
	SHAPE_EACH (HostIf, port, hostif_ports(iface)) {
		write_connection(work, port, NULL, iface->name, enum_name(&hostif_types, iface->type));
		write_ports(work, port);
	}
}

static gboolean write_definition(ManagerWork *work, const HostIf *iface, const char *kept,
				 G_GNUC_UNUSED GError **error)
{
	g_autofree char *old = NULL;
	g_autoptr(HostIf) before = read_definition(work, iface->name, NULL, &old, NULL);
	SHAPE_EACH (HostIf, gone, before ? hostif_ports(before) : NULL) {
		g_autofree char *path = own_path(gone->name);
		if (!hostif_has_port(iface, gone->name))
			work_remove(work, path);
	}
	write_ports(work, iface);
	write_connection(work, iface, kept, NULL, NULL);
	return TRUE;
}

static gboolean forget(ManagerWork *work, const char *name, GError **error)
{
	g_autofree char *path = NULL, *kept = NULL;
	g_autoptr(GPtrArray) ini = find(work, name, NULL, &path);
	g_autoptr(HostIf) iface = ini ? read_definition(work, name, NULL, &kept, NULL) : NULL;
	if (!ini)
		return TRUE;
	if (!g_str_has_prefix(path, FOLDER "/"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "%s is written by another program (netplan?): change %s there", path, name);
	SHAPE_EACH (HostIf, port, iface ? hostif_ports(iface) : NULL) {
		g_autofree char *file = own_path(port->name);
		work_remove(work, file);
	}
	work_remove(work, path);
	return TRUE;
}

/* ---- commands ---- */

/* Otherwise it would make again what is taken away. One that it does not have at work is fine. */
static gboolean release(const char *name, G_GNUC_UNUSED const char *kept, G_GNUC_UNUSED GError **error)
{
	const char *const argv[] = { "nmcli", "--wait", "20", "device", "disconnect", name, NULL };
	manager_run(argv, NULL);
	return TRUE;
}

static gboolean bring_up(const ManagerWork *work, const char *name, GError **error)
{
	g_autofree char *path = NULL;
	g_autoptr(GPtrArray) ini = find(work, name, NULL, &path);
	const char *uuid = ini ? ini_get(ini, "connection", "uuid") : NULL;
	const char *const by_uuid[] = { "nmcli", "--wait", "45", "connection", "up", "uuid", uuid, NULL };
	const char *const by_name[] = { "nmcli", "--wait", "45", "device", "connect", name, NULL };
	return manager_run(uuid ? by_uuid : by_name, error);
}

static gboolean take(const char *name, const GPtrArray *ports, GError **error)
{
	const char *const reload[] = { "nmcli", "connection", "reload", NULL };
	g_auto(ManagerWork) work = { 0 };
	manager_work_init(&work, "", NULL);
	gboolean ok = manager_run(reload, error) && (!name || bring_up(&work, name, error));
	for (guint i = 0; ok && i < shape_len(ports); i++)
		ok = bring_up(&work, ports->pdata[i], error);
	return ok;
}

const NetManager manager_nm = {
	.name = "NetworkManager",
	.sign = DEVICES,
	.manages = manages,
	.names = names,
	.read = read_definition,
	.write = write_definition,
	.forget = forget,
	.paths = paths,
	.release = release,
	.take = take,
};

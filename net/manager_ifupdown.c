/* ifupdown: stanzas in /etc/network/interfaces and the files that it sources. Stanzas of one name add up,
 * so those of an interface are replaced where they stand; every other byte of the file stays. Format:
 * interfaces(5), bridge-utils-interfaces(5). Neighbours: manager.h. */
#include "net/manager.h"
#include "base/error.h"

#include <fnmatch.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define MAIN "/etc/network/interfaces"
#define HOOK "/etc/network/if-pre-up.d/bridge" /* of bridge-utils: it reads bridge_ports */
#define DEPTH_MAX 4			       /* of files that source files */

typedef enum LineKind { LINE_OTHER, LINE_START, LINE_OPTION } LineKind;

typedef struct Line {
	char *raw;    /* with continued lines, without the last end of line */
	char **words; /* none for comments */
	LineKind kind;
} Line;

/* ---- files ---- */

static void line_free(gpointer data)
{
	Line *line = data;
	g_free(line->raw);
	g_strfreev(line->words);
	g_free(line);
}

static gboolean begins_stanza(const char *word)
{
	static const char *const starts[] = { "iface",	    "mapping",		"auto",
					      "source",	    "source-directory", "no-auto-down",
					      "no-scripts", "rename",		"template",
					      NULL };
	return g_strv_contains(starts, word) || g_str_has_prefix(word, "allow-");
}

static Line *line_new(const char *raw)
{
	Line *line = g_new0(Line, 1);
	line->raw = g_strdup(raw);
	g_autofree char *flat = g_strdelimit(g_strdup(raw), "\\\n\t", ' ');
	g_strstrip(flat);
	g_autoptr(GStrvBuilder) words = g_strv_builder_new();
	g_auto(GStrv) parts = g_strsplit(*flat == '#' ? "" : flat, " ", -1);
	for (char **part = parts; *part; part++)
		if (**part)
			g_strv_builder_add(words, *part);
	line->words = g_strv_builder_end(words);
	line->kind = !line->words[0]		     ? LINE_OTHER
		     : begins_stanza(line->words[0]) ? LINE_START
						     : LINE_OPTION;
	return line;
}

static GPtrArray *lines_of(const char *text)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(line_free);
	g_auto(GStrv) parts = g_strsplit(text, "\n", -1);
	for (char **part = parts; *part; part++) {
		g_autoptr(GString) raw = g_string_new(*part);
		while (raw->len && raw->str[raw->len - 1] == '\\' && part[1])
			g_string_append_printf(raw, "\n%s", *++part);
		if (part[1] || raw->len) /* what ends with an end of line has no line behind it */
			g_ptr_array_add(lines, line_new(raw->str));
	}
	return lines;
}

static void add_file(ManagerWork *work, GPtrArray *files, const char *path, guint depth);

/* What "source PATTERN" and "source-directory PATTERN" name: patterns in the last part alone. */
static void add_sourced(ManagerWork *work, GPtrArray *files, const Line *line, guint depth)
{
	gboolean folder = g_str_equal(line->words[0], "source-directory");
	for (char **word = line->words + 1; *word; word++) {
		g_autofree char *path = g_path_is_absolute(*word)
						? g_strdup(*word)
						: g_build_filename("/etc/network", *word, NULL);
		g_autofree char *in = folder ? g_strdup(path) : g_path_get_dirname(path);
		g_autofree char *pattern = folder ? g_strdup("*") : g_path_get_basename(path);
		g_autoptr(GPtrArray) found = work_list(work, in, "");
		for (guint i = 0; i < found->len; i++) {
			const char *name = found->pdata[i];
			gboolean plain = strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-") ==
					 strlen(name);
			g_autofree char *at = g_build_filename(in, name, NULL);
			if (fnmatch(pattern, name, FNM_PERIOD) == 0 && (plain || !folder))
				add_file(work, files, at, depth + 1);
		}
	}
}

static void add_file(ManagerWork *work, GPtrArray *files, const char *path, guint depth)
{
	g_autofree char *text = work_read(work, path);
	if (!text || depth > DEPTH_MAX || files->len > 256 ||
	    g_ptr_array_find_with_equal_func(files, path, g_str_equal, NULL))
		return;
	g_ptr_array_add(files, g_strdup(path));
	g_autoptr(GPtrArray) lines = lines_of(text);
	for (guint i = 0; i < lines->len; i++) {
		const Line *line = lines->pdata[i];
		if (line->words[0] && g_str_has_prefix(line->words[0], "source"))
			add_sourced(work, files, line, depth);
	}
}

/* The main file and all that it sources. */
static GPtrArray *files_of(ManagerWork *work)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	add_file(work, files, MAIN, 0);
	return files;
}

/* ---- stanzas ---- */

static gboolean is_iface(const Line *line, const char *name)
{
	return line->words[0] && g_str_equal(line->words[0], "iface") && line->words[1] &&
	       (!name || g_str_equal(line->words[1], name));
}

/* Behind the last option of the stanza that begins at @at. */
static guint stanza_end(const GPtrArray *lines, guint at)
{
	guint end = at + 1;
	for (guint i = at + 1; i < lines->len; i++) {
		const Line *line = lines->pdata[i];
		if (line->kind == LINE_START)
			break;
		end = line->kind == LINE_OPTION ? i + 1 : end;
	}
	return end;
}

typedef void (*StanzaFn)(const Line *head, Line *const *options, guint n, gpointer data);

/* Each stanza of @name (NULL: of all) in all files. Returns how many. */
static guint each_stanza(ManagerWork *work, const char *name, StanzaFn fn, gpointer data)
{
	guint count = 0;
	g_autoptr(GPtrArray) files = files_of(work);
	for (guint f = 0; f < files->len; f++) {
		g_autofree char *text = work_read(work, files->pdata[f]);
		g_autoptr(GPtrArray) lines = lines_of(text ? text : "");
		for (guint i = 0; i < lines->len; i++) {
			if (!is_iface(lines->pdata[i], name))
				continue;
			guint end = stanza_end(lines, i);
			count++;
			if (fn)
				fn(lines->pdata[i], (Line *const *)lines->pdata + i + 1, end - i - 1, data);
		}
	}
	return count;
}

static gboolean manages(ManagerWork *work, const LinkInfo *link)
{
	return each_stanza(work, link->name, NULL, NULL) > 0;
}

/* Whether an option is @key, which is written with '_' or '-'. */
static gboolean is_option(const Line *line, const char *key)
{
	if (!line->words[0])
		return FALSE;
	g_autofree char *word = g_strdelimit(g_strdup(line->words[0]), "-", '_');
	return g_str_equal(word, key);
}

static void note_ports(G_GNUC_UNUSED const Line *head, Line *const *options, guint n, gpointer data)
{
	for (guint i = 0; i < n; i++)
		if (is_option(options[i], "bridge_ports") || is_option(options[i], "bond_slaves") ||
		    is_option(options[i], "slaves"))
			for (char **word = options[i]->words + 1; *word; word++)
				g_hash_table_add(data, g_strdup(*word));
}

static void note_name(const Line *head, G_GNUC_UNUSED Line *const *options, G_GNUC_UNUSED guint n,
		      gpointer data)
{
	if (hostif_name_ok(head->words[1], NULL))
		g_ptr_array_add(data, g_strdup(head->words[1]));
}

static void names(ManagerWork *work, GPtrArray *all)
{
	g_autoptr(GHashTable) ports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
	each_stanza(work, NULL, note_ports, ports);
	each_stanza(work, NULL, note_name, found);
	for (guint i = 0; i < found->len; i++)
		if (!g_hash_table_contains(ports, found->pdata[i]))
			g_ptr_array_add(all, g_strdup(found->pdata[i]));
}

static void paths(ManagerWork *work, GPtrArray *all)
{
	g_autoptr(GPtrArray) files = files_of(work);
	for (guint i = 0; i < files->len; i++)
		g_ptr_array_add(all, g_strdup(files->pdata[i]));
}

/* ---- reading ---- */

typedef struct Reading {
	HostIf *iface;
	GString *kept;
	gboolean six;
	const char *address, *netmask;
} Reading;

static void read_address(Reading *reading)
{
	int family = reading->six ? AF_INET6 : AF_INET;
	g_auto(GStrv) parts = g_strsplit(reading->address, "/", 2);
	const char *length = parts[0] && parts[1] ? parts[1] : reading->netmask;
	Inet inet, mask;
	if (!parts[0] || !inet_from_text(parts[0], family, &inet, NULL))
		return;
	guint64 prefix = length ? g_ascii_strtoull(length, NULL, 10) : inet_bits(&inet);
	if (length && strchr(length, '.') && inet_from_text(length, AF_INET, &mask, NULL))
		prefix = (guint64)MAX(inet_mask_prefix(&mask), 0);
	hostif_add_ip(reading->iface, parts[0], (guint)MIN(prefix, inet_bits(&inet)));
}

static void add_ports(HostIf *iface, const Line *line, GPtrArray **list)
{
	for (char **word = line->words + 1; *word; word++)
		if (hostif_name_ok(*word, NULL) && !g_str_equal(*word, "none") &&
		    !g_str_equal(*word, "regex") && !hostif_has_port(iface, *word))
			shape_append(list, &hostif_shape, hostif_new(HOSTIF_ETHERNET, *word));
}

static void read_bridge(HostIf *iface, const Line *line, const char *value)
{
	if (is_option(line, "bridge_ports")) {
		add_ports(iface, line, &iface->bridge->ports);
	} else if (is_option(line, "bridge_stp")) {
		iface->bridge->stp = ini_yes(value, FALSE) ? TRI_YES : TRI_NO;
	} else if (is_option(line, "bridge_hw")) {
		guint8 mac[6];
		if (mac_from_text(value, mac) && !iface->own_mac)
			iface->own_mac = g_ascii_strdown(value, -1);
	} else if (is_option(line, "bridge_fd")) {
		char *end;
		double delay = g_ascii_strtod(value, &end);
		if (end != value && delay >= 0 && !iface->bridge->delay)
			iface->bridge->delay = g_strdup_printf("%u", (guint)MIN(delay, 30));
	}
}

static void read_bond(HostIf *iface, const Line *line, const char *value)
{
	if (is_option(line, "bond_slaves") || is_option(line, "slaves")) {
		add_ports(iface, line, &iface->bond->ports);
	} else if (is_option(line, "bond_mode")) {
		gboolean number = g_ascii_isdigit(*value) && *value < '7';
		iface->bond->mode = number ? *value - '0' + 1 : enum_value(&hostif_bond_modes, value);
	} else if (is_option(line, "bond_miimon") && g_ascii_isdigit(*value)) {
		iface->bond->miimon = TRUE;
		iface->bond->freq = OPT_UINT(MIN(g_ascii_strtoull(value, NULL, 10), G_MAXUINT32));
	}
}

/* Options that say what the interface is: TRUE. */
static gboolean read_kind(HostIf *iface, const Line *line)
{
	const char *value = line->words[1] ? line->words[1] : "";
	g_autofree char *word = g_strdelimit(g_strdup(line->words[0]), "-", '_');
	if (iface->bridge)
		read_bridge(iface, line, value);
	else if (iface->bond)
		read_bond(iface, line, value);
	if (g_str_equal(word, "vlan_raw_device") && iface->vlan && hostif_name_ok(value, NULL)) {
		g_free(iface->vlan->device);
		iface->vlan->device = g_strdup(value);
	}
	return g_str_has_prefix(word, "bridge_") || g_str_has_prefix(word, "bond_") ||
	       g_str_equal(word, "slaves") || g_str_equal(word, "vlan_raw_device");
}

/* The lines of ours that make a bridge where bridge-utils does not. */
static gboolean is_ours(HostIf *iface, const Line *line)
{
	const char *mac = strstr(line->raw, " address ");
	guint8 bytes[6];
	if (!g_str_has_suffix(line->raw, " # lodge"))
		return FALSE;
	g_autofree char *word = mac ? g_strndup(mac + strlen(" address "), strlen("52:54:00:00:00:00"))
				    : NULL;
	if (word && iface->bridge && !iface->own_mac && mac_from_text(word, bytes))
		iface->own_mac = g_steal_pointer(&word);
	return TRUE;
}

static void read_option(Reading *reading, const Line *line)
{
	HostIfProtocol *protocol;
	const char *value = line->words[1];
	HostIfFamily family = reading->six ? HOSTIF_IPV6 : HOSTIF_IPV4;
	Inet inet;
	if (!value)
		return;
	if (is_option(line, "address")) {
		reading->address = value;
	} else if (is_option(line, "netmask")) {
		reading->netmask = value;
	} else if (is_option(line, "gateway")) {
		protocol = hostif_protocol(reading->iface, family, TRUE);
		if (inet_from_text(value, reading->six ? AF_INET6 : AF_INET, &inet, NULL) &&
		    !protocol->gateway)
			protocol->gateway = g_strdup(value);
	} else if (is_option(line, "dns_nameservers") || is_option(line, "dns_nameserver")) {
		protocol = hostif_protocol(reading->iface, family, TRUE);
		for (char **word = line->words + 1; *word; word++)
			shape_append(&protocol->dns, NULL, g_strdup(*word));
	} else if (is_option(line, "mtu") && g_ascii_isdigit(*value)) {
		reading->iface->mtu = OPT_UINT(MIN(g_ascii_strtoull(value, NULL, 10), G_MAXUINT32));
	}
}

static void read_stanza(const Line *head, Line *const *options, guint n, gpointer data)
{
	Reading *reading = data;
	const char *family = head->words[2] ? head->words[2] : "inet";
	const char *method = head->words[2] && head->words[3] ? head->words[3] : "manual";
	GString *kept = reading->kept;
	reading->six = g_str_equal(family, "inet6");
	reading->address = reading->netmask = NULL;
	if (g_str_equal(method, "loopback"))
		return;
	gboolean automatic = g_str_equal(method, "auto"), dhcp = g_str_equal(method, "dhcp");
	if (automatic || dhcp || g_str_equal(method, "static")) {
		HostIfProtocol *protocol =
			hostif_protocol(reading->iface, reading->six ? HOSTIF_IPV6 : HOSTIF_IPV4, TRUE);
		protocol->autoconf = protocol->autoconf || (automatic && reading->six);
		if (dhcp && !protocol->dhcp)
			protocol->dhcp = g_new0(HostIfDhcp, 1);
	}
	g_string_append_printf(kept, "iface @ %s %s\n", family, method);
	for (guint i = 0; i < n; i++) {
		if (options[i]->kind != LINE_OPTION || is_ours(reading->iface, options[i]) ||
		    read_kind(reading->iface, options[i]))
			continue;
		read_option(reading, options[i]);
		g_string_append_printf(kept, "%s\n", options[i]->raw);
	}
	if (reading->address)
		read_address(reading);
}

static void note_type(const Line *head, Line *const *options, guint n, gpointer data)
{
	HostIfType *type = data;
	const char *name = head->words[1], *dot = strrchr(name, '.');
	for (guint i = 0; i < n; i++)
		if (is_option(options[i], "bridge_ports"))
			*type = HOSTIF_BRIDGE;
		else if (is_option(options[i], "bond_slaves") || is_option(options[i], "bond_mode"))
			*type = HOSTIF_BOND;
		else if (is_option(options[i], "vlan_raw_device"))
			*type = HOSTIF_VLAN;
	if (dot && dot != name && g_ascii_isdigit(dot[1]) && *type == HOSTIF_ETHERNET)
		*type = HOSTIF_VLAN;
}

/* "eth0.42", "vlan42": the interface below and the number. */
static void name_vlan(HostIf *iface)
{
	const char *dot = strrchr(iface->name, '.');
	const char *digits = dot ? dot + 1 : iface->name + strcspn(iface->name, G_CSET_DIGITS);
	iface->vlan->tag = OPT_UINT(MIN(g_ascii_strtoull(digits, NULL, 10), 4095));
	if (dot && !iface->vlan->device)
		iface->vlan->device = g_strndup(iface->name, (gsize)(dot - iface->name));
}

/* Whether a line such as "auto eth0 eth1" names the interface. */
static gboolean is_listed(ManagerWork *work, const char *name, const char *keyword)
{
	gboolean found = FALSE;
	g_autoptr(GPtrArray) files = files_of(work);
	for (guint f = 0; f < files->len; f++) {
		g_autofree char *text = work_read(work, files->pdata[f]);
		g_autoptr(GPtrArray) lines = lines_of(text ? text : "");
		for (guint i = 0; i < lines->len; i++) {
			const Line *line = lines->pdata[i];
			found = found || (line->words[0] && g_str_equal(line->words[0], keyword) &&
					  g_strv_contains((const char *const *)line->words + 1, name));
		}
	}
	return found;
}

static HostIf *read_definition(ManagerWork *work, const char *name, G_GNUC_UNUSED const LinkInfo *link,
			       char **kept, GError **error)
{
	HostIfType type = HOSTIF_ETHERNET;
	if (!each_stanza(work, name, note_type, &type)) {
		fail(error, LODGE_ERROR_NOT_FOUND, MAIN " has no stanza of interface %s", name);
		return NULL;
	}
	HostIf *iface = hostif_new(type, name);
	g_autoptr(GString) text = g_string_new(NULL);
	Reading reading = { .iface = iface, .kept = text };
	each_stanza(work, name, read_stanza, &reading);
	if (iface->vlan)
		name_vlan(iface);
	if (iface->vlan && !iface->vlan->device) {
		hostif_free(iface);
		fail(error, LODGE_ERROR_NOT_FOUND, MAIN " does not say which interface VLAN %s is upon",
		     name);
		return NULL;
	}
	iface->start = is_listed(work, name, "auto")		? HOSTIF_ONBOOT
		       : is_listed(work, name, "allow-hotplug") ? HOSTIF_HOTPLUG
								: HOSTIF_NONE;
	*kept = g_string_free(g_steal_pointer(&text), FALSE);
	return iface;
}

/* ---- stanzas as text ---- */

static void put_bridge(GString *text, const HostIf *iface, gboolean hook)
{
	gboolean stp = iface->bridge->stp == TRI_YES;
	guint delay = stp ? MAX(hostif_delay(iface->bridge), 2) : hostif_delay(iface->bridge);
	g_string_append(text, "\tbridge_ports");
	SHAPE_EACH (HostIf, port, iface->bridge->ports)
		g_string_append_printf(text, " %s", port->name);
	g_string_append_printf(text, "%s\n\tbridge_stp %s\n\tbridge_fd %u\n",
			       shape_len(iface->bridge->ports) ? "" : " none", stp ? "on" : "off", delay);
	if (hook)
		return;
	/* ifupdown itself knows no bridges: these lines do what bridge-utils would */
	g_string_append_printf(text,
			       "\tpre-up test -d /sys/class/net/%s || ip link add name %s type bridge "
			       "forward_delay %u stp_state %d # lodge\n",
			       iface->name, iface->name, delay * 100, stp);
	if (iface->own_mac)
		g_string_append_printf(text, "\tpre-up ip link set dev %s address %s # lodge\n",
				       iface->name, iface->own_mac);
	SHAPE_EACH (HostIf, port, iface->bridge->ports)
		g_string_append_printf(text, "\tpre-up ip link set dev %s up master %s # lodge\n",
				       port->name, iface->name);
	g_string_append_printf(text, "\tpost-down ip link del dev %s || true # lodge\n", iface->name);
}

static void put_kind(GString *text, const HostIf *iface, gboolean hook)
{
	if (iface->bridge) {
		put_bridge(text, iface, hook);
		if (hook && iface->own_mac)
			g_string_append_printf(text, "\tbridge_hw %s\n", iface->own_mac);
	} else if (iface->bond) {
		g_string_append(text, "\tbond-slaves");
		SHAPE_EACH (HostIf, port, iface->bond->ports)
			g_string_append_printf(text, " %s", port->name);
		if (iface->bond->mode)
			g_string_append_printf(text, "\n\tbond-mode %s",
					       enum_name(&hostif_bond_modes, iface->bond->mode));
		if (iface->bond->miimon)
			g_string_append_printf(text, "\n\tbond-miimon %u", (guint)iface->bond->freq.v);
		if (iface->bond->arpmon)
			g_string_append_printf(text, "\n\tbond-arp-interval %u\n\tbond-arp-ip-target %s",
					       (guint)iface->bond->interval.v, iface->bond->target);
		g_string_append_c(text, '\n');
	} else if (iface->vlan) {
		g_string_append_printf(text, "\tvlan-raw-device %s\n", iface->vlan->device);
	}
}

/* One stanza for each way and each address: stanzas of one name add up. The first of a family has the
 * router and the servers. */
static void put_protocol(GString *text, const HostIfProtocol *protocol)
{
	gboolean six = protocol->family == HOSTIF_IPV6, told = FALSE;
	const char *family = six ? "inet6" : "inet";
	if (protocol->dhcp || protocol->autoconf) {
		g_string_append_printf(text, "iface @ %s %s\n", family, protocol->dhcp ? "dhcp" : "auto");
		if (protocol->dhcp && protocol->autoconf)
			g_string_append(text, "\taccept_ra 2\n");
	}
	SHAPE_EACH (HostIfIp, ip, protocol->ips) {
		g_string_append_printf(text, "iface @ %s static\n\taddress %s/%u\n", family, ip->address,
				       (guint)opt_uint_or(ip->prefix, six ? 128 : 32));
		if (protocol->gateway && !told)
			g_string_append_printf(text, "\tgateway %s\n", protocol->gateway);
		for (guint i = 0; !told && i < shape_len(protocol->dns); i++)
			g_string_append_printf(text, "%s %s%s", i ? "" : "\tdns-nameservers",
					       (char *)protocol->dns->pdata[i],
					       i + 1 == protocol->dns->len ? "\n" : "");
		told = TRUE;
	}
}

/* The stanzas of @iface. The caller frees them. */
static char *stanzas(const HostIf *iface, const char *kept, gboolean hook)
{
	g_autoptr(GString) parts = g_string_new(kept);
	SHAPE_EACH (HostIfProtocol, protocol, kept ? NULL : iface->protocols)
		put_protocol(parts, protocol);
	if (!parts->len)
		g_string_append(parts, "iface @ inet manual\n");
	GString *text = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(parts->str, "\n", -1);
	guint heads = 0;
	for (char **line = lines; *line && (**line || line[1]); line++) {
		gboolean head = g_str_has_prefix(*line, "iface @");
		if (head && ++heads == 2) { /* the first one is over */
			put_kind(text, iface, hook);
		}
		if (head)
			g_string_append_printf(text, "iface %s%s\n", iface->name,
					       *line + strlen("iface @"));
		else
			g_string_append_printf(text, "%s\n", *line);
		if (head && heads == 1 && iface->mtu.set && !(kept && strstr(kept, "mtu ")))
			g_string_append_printf(text, "\tmtu %u\n", (guint)iface->mtu.v);
	}
	if (heads == 1)
		put_kind(text, iface, hook);
	return g_string_free(text, FALSE);
}

/* ---- writing ---- */

/* Takes @name out of lines such as "auto eth0 eth1"; a line of it alone goes. */
static char *unlist(const Line *line, const char *name)
{
	g_autoptr(GString) text = g_string_new(line->words[0]);
	guint left = 0;
	for (char **word = line->words + 1; *word; word++)
		if (!g_str_equal(*word, name)) {
			g_string_append_printf(text, " %s", *word);
			left++;
		}
	return left ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static gboolean lists(const Line *line, const char *name)
{
	return line->words[0] &&
	       (g_str_equal(line->words[0], "auto") || g_str_has_prefix(line->words[0], "allow-")) &&
	       g_strv_contains((const char *const *)line->words + 1, name);
}

/* @text with the stanzas of @name replaced by @now, where the first one stood, or (where @behind is not
 * NULL) put behind the last of @behind, or at the end. */
static char *replaced(const char *text, const char *name, const char *now, const char *behind,
		      gboolean unlisted)
{
	g_autoptr(GPtrArray) lines = lines_of(text);
	GString *out = g_string_new(NULL);
	gboolean put = !now;
	for (guint i = 0; behind && i < lines->len; i++)
		behind = is_iface(lines->pdata[i], name) ? NULL : behind;
	for (guint i = 0; i < lines->len;) {
		const Line *line = lines->pdata[i];
		guint end = is_iface(line, NULL) ? stanza_end(lines, i) : i + 1;
		if (is_iface(line, name)) {
			if (!put)
				g_string_append(out, now);
			put = TRUE;
			i = end;
			continue;
		}
		gboolean anchor = behind && is_iface(line, behind);
		if (unlisted && lists(line, name)) {
			g_autofree char *rest = unlist(line, name);
			if (rest)
				g_string_append_printf(out, "%s\n", rest);
			i++;
			continue;
		}
		for (; i < end; i++)
			g_string_append_printf(out, "%s\n", ((Line *)lines->pdata[i])->raw);
		if (anchor && !put) {
			g_string_append_printf(out, "\n%s", now);
			put = TRUE;
		}
	}
	if (!put)
		g_string_append_printf(out, "%s%s", out->len ? "\n" : "", now);
	return g_string_free(out, FALSE);
}

/* The file with a stanza of @name; NULL: none. The caller frees it. */
static char *file_with(ManagerWork *work, const char *name)
{
	g_autoptr(GPtrArray) files = files_of(work);
	for (guint f = 0; f < files->len; f++) {
		g_autofree char *text = work_read(work, files->pdata[f]);
		g_autoptr(GPtrArray) lines = lines_of(text ? text : "");
		for (guint i = 0; i < lines->len; i++)
			if (is_iface(lines->pdata[i], name))
				return g_strdup(files->pdata[f]);
	}
	return NULL;
}

static void put_stanzas(ManagerWork *work, const char *path, const char *name, const char *now,
			const char *behind, gboolean unlisted)
{
	g_autofree char *text = work_read(work, path);
	work_write(work, path, replaced(text ? text : "", name, now, behind, unlisted), 0644);
}

/* Removes the stanzas of @name from all files but @except. */
static void remove_stanzas(ManagerWork *work, const char *name, const char *except, gboolean unlisted)
{
	g_autoptr(GPtrArray) files = files_of(work);
	for (guint f = 0; f < files->len; f++) {
		if (g_strcmp0(files->pdata[f], except) == 0)
			continue;
		g_autofree char *text = work_read(work, files->pdata[f]);
		g_autofree char *now = replaced(text ? text : "", name, NULL, NULL, unlisted);
		/* a file that says nothing of it stays as it is */
		g_autoptr(GPtrArray) lines = lines_of(text ? text : "");
		gboolean any = FALSE;
		for (guint i = 0; i < lines->len; i++)
			any = any || is_iface(lines->pdata[i], name) ||
			      (unlisted && lists(lines->pdata[i], name));
		if (any)
			work_write(work, files->pdata[f], g_steal_pointer(&now), 0644);
	}
}

/* "auto br0" in front of its stanza where it is to be started at boot. */
static char *with_start(ManagerWork *work, const HostIf *iface, char *text)
{
	const char *word = iface->start == HOSTIF_HOTPLUG ? "allow-hotplug" : "auto";
	if (iface->start == HOSTIF_NONE || is_listed(work, iface->name, word))
		return text;
	char *all = g_strdup_printf("%s %s\n%s", word, iface->name, text);
	g_free(text);
	return all;
}

/* Ports have no addresses; a bond among them has ports of its own. */
static void write_ports(ManagerWork *work, const HostIf *iface, const char *path)
{
	SHAPE_EACH (HostIf, port, hostif_ports(iface)) {
		g_autofree char *at = file_with(work, port->name);
		g_autofree char *bare = stanzas(port, NULL, TRUE);
		write_ports(work, port, path);
		if (at)
			remove_stanzas(work, port->name, at, FALSE);
		put_stanzas(work, at ? at : path, port->name, bare, NULL, FALSE);
	}
}

static gboolean write_definition(ManagerWork *work, const HostIf *iface, const char *kept,
				 G_GNUC_UNUSED GError **error)
{
	g_autofree char *hook = g_strconcat(work->root, HOOK, NULL);
	SHAPE_EACH (HostIfProtocol, protocol, kept ? NULL : iface->protocols)
		if (protocol->dhcp && protocol->dhcp->peerdns == TRI_NO)
			notes_add(work->notes,
				  "ifupdown has no word for peerdns='no': say it in dhclient.conf");
	GPtrArray *ports = hostif_ports(iface);
	const HostIf *first = shape_len(ports) ? ports->pdata[0] : NULL;
	g_autofree char *path = file_with(work, iface->name);
	path = path ? path : first ? file_with(work, first->name) : NULL;
	path = path ? path : g_strdup(MAIN);
	write_ports(work, iface, path);
	remove_stanzas(work, iface->name, path, iface->start == HOSTIF_NONE);
	g_autofree char *now = with_start(work, iface, stanzas(iface, kept, access(hook, F_OK) == 0));
	put_stanzas(work, path, iface->name, now, first ? first->name : NULL, iface->start == HOSTIF_NONE);
	return TRUE;
}

static gboolean forget(ManagerWork *work, const char *name, G_GNUC_UNUSED GError **error)
{
	remove_stanzas(work, name, NULL, TRUE);
	return TRUE;
}

/* ---- commands ---- */

/* ifdown, told what the interface was, whatever the files say by now. */
static gboolean release(const char *name, const char *kept, GError **error)
{
	if (!kept || !*kept)
		return TRUE;
	g_autoptr(HostIf) iface = hostif_new(HOSTIF_ETHERNET, name);
	g_autofree char *text = stanzas(iface, kept, TRUE), *path = NULL;
	int fd = g_file_open_tmp("lodge-ifdown-XXXXXX", &path, error);
	if (fd < 0)
		return FALSE;
	gboolean ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	const char *const argv[] = { "ifdown", "--force", "-i", path, name, NULL };
	ok = ok ? manager_run(argv, error) : fail(error, LODGE_ERROR_SYSTEM, "cannot write %s", path);
	g_unlink(path);
	return ok;
}

static gboolean take(const char *name, G_GNUC_UNUSED const GPtrArray *ports, GError **error)
{
	const char *const argv[] = { "ifup", name, NULL };
	return !name || manager_run(argv, error);
}

const NetManager manager_ifupdown = {
	.name = "ifupdown",
	.sets_addresses = TRUE,
	.sign = MAIN,
	.tool = "ifup",
	.manages = manages,
	.names = names,
	.read = read_definition,
	.write = write_definition,
	.forget = forget,
	.paths = paths,
	.release = release,
	.take = take,
};

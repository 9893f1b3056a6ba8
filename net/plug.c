/* See plug.h. Names and addresses on the host's side are chosen as libvirt chooses them, so that other
 * people's scripts go on working. */
#include "net/plug.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/netlink.h"
#include "host/spawn.h"

#define TOOL_MS 10000
#define NAMES_MAX 100000 /* vnet0 .. */

static const char *const tool_env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };

PlugKind plug_kind(const Interface *live)
{
	const InterfaceSource *source = live->source;
	gboolean network = live->type == INTERFACE_NETWORK;
	if (live->type == INTERFACE_BRIDGE || (network && source && source->bridge))
		return PLUG_BRIDGE;
	if (live->type == INTERFACE_DIRECT || (network && source && source->dev))
		return PLUG_DIRECT;
	return live->type == INTERFACE_ETHERNET ? PLUG_ETHERNET : PLUG_NONE;
}

/* CAP_NET_ADMIN of the effective set: linux/capability.h */
static gboolean may_administer(void)
{
	g_autofree char *status = NULL;
	if (!g_file_get_contents("/proc/thread-self/status", &status, NULL, NULL))
		return getuid() == 0;
	const char *line = strstr(status, "\nCapEff:");
	guint64 set = line ? g_ascii_strtoull(line + strlen("\nCapEff:"), NULL, 16) : 0;
	return (set >> 12) & 1;
}

gboolean plug_possible(const char **why)
{
	*why = !may_administer()		   ? "only root may make interfaces" :
	       access("/dev/net/tun", R_OK | W_OK) ? "/dev/net/tun cannot be opened: load tun" :
						     NULL;
	return !*why;
}

/* ---- names ---- */

static const char *stem_of(PlugKind kind)
{
	return kind == PLUG_DIRECT ? "macvtap" : "vnet";
}

/* One that was given to an earlier run, and stands in a document that was dumped then. */
static gboolean was_given(const char *name)
{
	static const char *const stems[] = { "vnet", "macvtap", "macvlan" };
	for (guint i = 0; i < G_N_ELEMENTS(stems); i++) {
		gsize length = strlen(stems[i]);
		const char *rest = name + length;
		if (g_str_has_prefix(name, stems[i]) && *rest && strspn(rest, "0123456789") == strlen(rest))
			return TRUE;
	}
	return FALSE;
}

char *plug_name(const Interface *live, GError **error)
{
	static gint next[PLUG_ETHERNET + 1]; /* atomic; numbers are not given twice */
	PlugKind kind = plug_kind(live);
	gboolean asked = live->target && *live->target && !was_given(live->target);
	gboolean made_by_others = !g_strcmp0(live->target_managed, "no");
	if (asked && if_nametoindex(live->target) && !made_by_others) {
		fail(error, LODGE_ERROR_IN_USE,
		     "interface %s: target/@dev: \"%s\" exists on this host already", live->mac,
		     live->target);
		return NULL;
	}
	if (asked)
		return g_strdup(live->target);
	gint *counter = &next[kind == PLUG_DIRECT ? PLUG_DIRECT : PLUG_BRIDGE];
	for (guint tries = 0; tries < NAMES_MAX; tries++) {
		g_autofree char *name = g_strdup_printf("%s%d", stem_of(kind),
							g_atomic_int_add(counter, 1) % NAMES_MAX);
		if (!if_nametoindex(name))
			return g_steal_pointer(&name);
	}
	fail(error, LODGE_ERROR_SYSTEM, "no name is free for an interface");
	return NULL;
}

/* ---- tools ---- */

static gboolean run_tool(const char *const *argv, GError **error)
{
	Spawn how = { .argv = argv, .env = tool_env, .same_session = TRUE };
	g_autofree char *out = NULL;
	g_autoptr(GError) why = NULL;
	int status = 0;
	if (!spawn_run(&how, TOOL_MS, &out, &status, &why))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s: %s", argv[0], why->message);
	return status == 0 || fail(error, LODGE_ERROR_SYSTEM, "%s: %s", argv[0], g_strstrip(out));
}

/* ---- Open vSwitch ---- */

static gboolean is_ovs(const Interface *live)
{
	return live->virtual_port && !g_strcmp0(live->virtual_port->type, "openvswitch");
}

static void add_word(GPtrArray *words, char *word)
{
	g_ptr_array_add(words, word);
}

static void add_ovs_vlan(GPtrArray *words, const Interface *live)
{
	gboolean trunk = shape_len(live->vlan_tags) > 1 || !g_strcmp0(live->vlan_trunk, "yes");
	g_autoptr(GString) list = g_string_new(NULL);
	SHAPE_EACH (VlanTag, tag, live->vlan_tags) {
		g_string_append_printf(list, "%s%" G_GUINT64_FORMAT, list->len ? "," : "",
				       opt_uint_or(tag->id, 0));
		if (tag->native_mode)
			add_word(words, g_strdup_printf("tag=%" G_GUINT64_FORMAT,
							opt_uint_or(tag->id, 0)));
		if (tag->native_mode)
			add_word(words, g_strdup_printf("vlan_mode=native-%s", tag->native_mode));
	}
	if (list->len)
		add_word(words, g_strdup_printf("%s=%s", trunk ? "trunk" : "tag", list->str));
}

static gboolean join_ovs(const Interface *live, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	const char *const first[] = { "ovs-vsctl", "--timeout=5", "--", "--if-exists", "del-port",
				      live->target, "--", "add-port", live->source->bridge, live->target };
	for (guint i = 0; i < G_N_ELEMENTS(first); i++)
		add_word(words, g_strdup(first[i]));
	add_ovs_vlan(words, live);
	const char *const then[] = { "--", "set", "Interface", live->target };
	for (guint i = 0; i < G_N_ELEMENTS(then); i++)
		add_word(words, g_strdup(then[i]));
	add_word(words, g_strdup_printf("external-ids:attached-mac=\"%s\"", live->mac));
	if (live->virtual_port->interfaceid)
		add_word(words, g_strdup_printf("external-ids:iface-id=\"%s\"",
						live->virtual_port->interfaceid));
	add_word(words, g_strdup("external-ids:iface-status=active"));
	add_word(words, NULL);
	return run_tool((const char *const *)words->pdata, error);
}

static void leave_ovs(const Interface *live)
{
	g_autoptr(GError) error = NULL;
	const char *argv[] = { "ovs-vsctl", "--timeout=5", "--if-exists", "del-port", live->target, NULL };
	if (!run_tool(argv, &error))
		log_warning(NULL, "port %s: %s", live->target, error->message);
}

/* ---- bridges ---- */

/* The host's end has an address of its own that no bridge will take for itself, for it is the highest. */
static void host_mac(const Interface *live, guint8 mac[6])
{
	if (!mac_from_text(live->mac, mac))
		memset(mac, 0, 6);
	mac[0] = mac[0] == 0xfe ? 0xfa : 0xfe;
}

static gboolean filters_vlans(const char *bridge)
{
	g_autofree char *path = g_strdup_printf("/sys/class/net/%s/bridge/vlan_filtering", bridge);
	g_autofree char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) && *text == '1';
}

static gboolean join_vlans(Netlink *nl, const Interface *live, const char *bridge, GError **error)
{
	gboolean trunk = shape_len(live->vlan_tags) > 1 || !g_strcmp0(live->vlan_trunk, "yes");
	if (!filters_vlans(bridge))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "interface %s: <vlan>: the bridge %s does not tell VLANs apart: \"ip link set %s "
			    "type bridge vlan_filtering 1\", or use a bridge of Open vSwitch with "
			    "<virtualport type='openvswitch'/>", live->mac, bridge, bridge);
	g_autoptr(GArray) vlans = g_array_new(FALSE, TRUE, sizeof(PortVlan));
	SHAPE_EACH (VlanTag, tag, live->vlan_tags) {
		PortVlan vlan = { .tag = (guint16)opt_uint_or(tag->id, 0),
				  .native = !trunk || tag->native_mode,
				  .untagged = !trunk || !g_strcmp0(tag->native_mode, "untagged") };
		g_array_append_val(vlans, vlan);
	}
	const PortVlan *first = (const PortVlan *)(const void *)vlans->data;
	if (!vlans->len || netlink_set_vlans(nl, live->target, FALSE, first, vlans->len, error))
		return TRUE;
	g_prefix_error(error, "interface %s: <vlan>: ", live->mac);
	return FALSE;
}

static gboolean set_port(Netlink *nl, const Interface *live, GError **error)
{
	BridgePort port = { .isolated = !g_strcmp0(live->port_isolated, "yes") ? TRI_YES : TRI_ABSENT };
	return port.isolated == TRI_ABSENT || netlink_change_port(nl, live->target, &port, error);
}

static gboolean join_bridge(Netlink *nl, const Interface *live, GError **error)
{
	const char *bridge = live->source->bridge;
	gboolean ovs = is_ovs(live);
	guint8 mac[6];
	LinkInfo info = { 0 };
	host_mac(live, mac);
	if (!ovs && !netlink_link(nl, bridge, &info, error)) {
		g_prefix_error(error, "interface %s: source/@bridge: ", live->mac);
		return FALSE;
	}
	/* before it joins: a bridge takes the lowest MTU of its ports; up comes last: until then it is in the
	 * bridge's default VLAN */
	LinkChange change = { .master = ovs ? NULL : bridge, .mac = mac,
			      .mtu = (guint)opt_uint_or(live->mtu, info.mtu) };
	LinkChange up = { .up = g_strcmp0(live->link_state, "down") ? TRI_YES : TRI_NO };
	return netlink_change(nl, live->target, &change, error) &&
	       (ovs ? join_ovs(live, error) : set_port(nl, live, error)) &&
	       (ovs || !shape_len(live->vlan_tags) || join_vlans(nl, live, bridge, error)) &&
	       netlink_change(nl, live->target, &up, error);
}

gboolean plug_rejoin(Netlink *nl, const Interface *live, const char *bridge, GError **error)
{
	LinkChange down = { .master = bridge, .up = TRI_NO };
	LinkChange up = { .up = g_strcmp0(live->link_state, "down") ? TRI_YES : TRI_NO };
	return netlink_change(nl, live->target, &down, error) && set_port(nl, live, error) &&
	       (!shape_len(live->vlan_tags) || join_vlans(nl, live, bridge, error)) &&
	       netlink_change(nl, live->target, &up, error);
}

/* ---- macvtap ---- */

static int open_macvtap(const LinkInfo *info, guint n, GError **error)
{
	g_autofree char *path = g_strdup_printf("/dev/tap%d", info->index);
	autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	/* as tap_open(): linux/if_tun.h */
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	if (n > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	g_strlcpy(request.ifr_name, info->name, IFNAMSIZ);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
		fail_errno(error, errno, "macvtap %s: %s", info->name, path);
		return -1;
	}
	return fd_steal(&fd);
}

static const char *kernel_mode(const Interface *live)
{
	const char *mode = live->source->mode ? live->source->mode : "vepa"; /* as libvirt's default */
	return g_str_equal(mode, "passthrough") ? "passthru" : mode;
}

static gboolean make_macvtap(Netlink *nl, const Interface *live, guint n, int *taps, GError **error)
{
	const char *parent = live->source->dev;
	guint8 mac[6];
	LinkInfo info;
	if (!netlink_link(nl, parent, &info, error)) {
		g_prefix_error(error, "interface %s: source/@dev: ", live->mac);
		return FALSE;
	}
	/* the parent of a passthrough gets the guest's address; its own is noted for later */
	g_autofree char *note = g_strdup_printf("%s was %02x:%02x:%02x:%02x:%02x:%02x", parent, info.mac[0],
						info.mac[1], info.mac[2], info.mac[3], info.mac[4],
						info.mac[5]);
	LinkChange up = { .up = TRI_YES };
	LinkChange change = { .mtu = (guint)opt_uint_or(live->mtu, 0),
			      .up = g_strcmp0(live->link_state, "down") ? TRI_YES : TRI_NO,
			      .alias = g_str_equal(kernel_mode(live), "passthru") ? note : NULL };
	mac_from_text(live->mac, mac);
	if (!netlink_add_macvtap(nl, live->target, parent, kernel_mode(live), mac, error))
		return FALSE;
	gboolean ok = (info.up || netlink_change(nl, parent, &up, error)) &&
		      netlink_change(nl, live->target, &change, error) &&
		      netlink_link(nl, live->target, &info, error);
	for (guint i = 0; ok && i < n; i++)
		ok = (taps[i] = open_macvtap(&info, n, error)) >= 0;
	return ok;
}

static void remove_macvtap(const Interface *live)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Netlink) nl = netlink_open(&error);
	LinkInfo info;
	char parent[IFNAMSIZ] = "", old[18] = "";
	guint8 mac[6];
	if (!nl || !netlink_link(nl, live->target, &info, NULL) || !g_str_equal(info.kind, "macvtap"))
		return;
	if (!netlink_delete(nl, live->target, &error))
		log_warning(NULL, "%s", error->message);
	if (sscanf(info.alias, "%15s was %17s", parent, old) == 2 && mac_from_text(old, mac)) {
		LinkChange back = { .mac = mac };
		if (!netlink_change(nl, parent, &back, &error))
			log_warning(NULL, "%s", error->message);
	}
}

/* ---- taps of their own ---- */

static gboolean set_host_side(Netlink *nl, const Interface *live, GError **error)
{
	SHAPE_EACH (InterfaceIp, ip, live->source ? live->source->ips : NULL) {
		Inet address;
		if (!inet_from_text(ip->address, AF_UNSPEC, &address, error) ||
		    !netlink_add_address(nl, live->target, &address,
					 (guint)opt_uint_or(ip->prefix, inet_bits(&address)), error))
			return FALSE;
	}
	SHAPE_EACH (InterfaceRoute, route, live->source ? live->source->routes : NULL) {
		Inet to, gateway = { 0 };
		if (!inet_from_text(route->address, AF_UNSPEC, &to, error) ||
		    (route->gateway && !inet_from_text(route->gateway, to.family, &gateway, error)) ||
		    !netlink_add_route(nl, live->target, &to,
				       (guint)opt_uint_or(route->prefix, inet_bits(&to)), &gateway,
				       (guint)opt_uint_or(route->metric, 0), error))
			return FALSE;
	}
	return TRUE;
}

static gboolean finish_ethernet(Netlink *nl, const Interface *live, GError **error)
{
	guint8 mac[6];
	gboolean ours = g_strcmp0(live->target_managed, "no") != 0;
	host_mac(live, mac);
	LinkChange change = { .mac = mac, .mtu = (guint)opt_uint_or(live->mtu, 0),
			      .up = g_strcmp0(live->link_state, "down") ? TRI_YES : TRI_NO };
	if (ours && (!netlink_change(nl, live->target, &change, error) ||
		     !set_host_side(nl, live, error)))
		return FALSE;
	const char *argv[] = { live->script, live->target, NULL };
	return !live->script || !*live->script || run_tool(argv, error);
}

/* ---- all kinds ---- */

/* How many packets for the guest may gather before it hears of them. Facts: linux/ethtool.h. */
static gboolean set_coalesce(const Interface *live, GError **error)
{
	struct ethtool_coalesce how = { .cmd = ETHTOOL_GCOALESCE };
	struct ifreq request = { .ifr_data = (void *)&how };
	if (!live->coalesce_max_frames.set)
		return TRUE;
	g_strlcpy(request.ifr_name, live->target, IFNAMSIZ);
	autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	gboolean ok = fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0;
	how.cmd = ETHTOOL_SCOALESCE;
	how.rx_max_coalesced_frames = (guint32)MIN(live->coalesce_max_frames.v, G_MAXUINT32);
	return (ok && ioctl(fd, SIOCETHTOOL, &request) == 0) ||
	       fail_errno(error, errno, "interface %s: <coalesce> cannot be set", live->target);
}

static gboolean make_tap(Netlink *nl, const Interface *live, guint n, int *taps, GError **error)
{
	char name[IFNAMSIZ];
	g_strlcpy(name, live->target, sizeof name);
	if (!tap_open(name, TRUE, n, taps, error) || !set_coalesce(live, error))
		return FALSE;
	return plug_kind(live) == PLUG_BRIDGE ? join_bridge(nl, live, error) :
						finish_ethernet(nl, live, error);
}

static gboolean bound(const Interface *live, Notes *notes, GError **error)
{
	if (!live->inbound && !live->outbound)
		return TRUE;
	if (live->inbound && live->inbound->floor.set && live->type != INTERFACE_NETWORK)
		notes_add(notes, "interface %s: bandwidth/inbound/@floor is for interfaces of networks: "
			  "nothing is reserved", live->mac);
	return plug_limits(live->target, live->inbound, live->outbound, error);
}

gboolean plug_make(const Interface *live, guint n, int *taps, Notes *notes, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	for (guint i = 0; i < n; i++)
		taps[i] = -1;
	if (!nl)
		return FALSE;
	gboolean ok = plug_kind(live) == PLUG_DIRECT ? make_macvtap(nl, live, n, taps, error) :
						       make_tap(nl, live, n, taps, error);
	if (ok && bound(live, notes, error))
		return TRUE;
	for (guint i = 0; i < n; i++)
		fd_clear(&taps[i]);
	plug_remove(live);
	return FALSE;
}

gboolean plug_vhost(const Interface *live, guint n, int *vhosts, GError **error)
{
	const char *path = live->backend_vhost ? live->backend_vhost : "/dev/vhost-net";
	gboolean insists = !g_strcmp0(live->driver_name, "vhost");
	gboolean virtio = !live->model || g_str_has_prefix(live->model, "virtio");
	if (!virtio || !g_strcmp0(live->driver_name, "qemu"))
		return FALSE;
	for (guint i = 0; i < n; i++) {
		vhosts[i] = open(path, O_RDWR | O_CLOEXEC);
		if (vhosts[i] >= 0)
			continue;
		int code = errno;
		for (guint k = 0; k < i; k++)
			fd_clear(&vhosts[k]);
		if (insists)
			fail_errno(error, code, "interface %s: driver/@name is vhost: %s", live->mac, path);
		return FALSE;
	}
	return TRUE;
}

void plug_remove(const Interface *live)
{
	PlugKind kind = plug_kind(live);
	if (!live->target || kind == PLUG_NONE)
		return;
	if (kind == PLUG_DIRECT)
		remove_macvtap(live);
	else if (kind == PLUG_BRIDGE && is_ovs(live))
		leave_ovs(live);
	const char *argv[] = { live->downscript, live->target, NULL };
	g_autoptr(GError) error = NULL;
	if (kind == PLUG_ETHERNET && live->downscript && *live->downscript && !run_tool(argv, &error))
		log_warning(NULL, "%s", error->message);
}

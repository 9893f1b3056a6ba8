/* See netlink.h. Message formats: rtnetlink(7), linux/if_link.h, linux/rtnetlink.h. */
#include "host/netlink.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define BUFFER 65536	/* bytes of one answer; the kernel's dumps stay below, and so do 256 functions */
#define HERTZ 100	/* USER_HZ: the bridge's times */

struct Netlink {
	struct mnl_socket *socket;
	guint port;
	guint serial;
	char *buffer;
};

Netlink *netlink_open(GError **error)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		fail_errno(error, errno, "netlink socket");
		if (socket)
			mnl_socket_close(socket);
		return NULL;
	}
	Netlink *nl = g_new0(Netlink, 1);
	nl->socket = socket;
	nl->port = mnl_socket_get_portid(socket);
	nl->buffer = g_malloc(BUFFER);
	return nl;
}

void netlink_free(Netlink *nl)
{
	if (!nl)
		return;
	mnl_socket_close(nl->socket);
	g_free(nl->buffer);
	g_free(nl);
}

/* ---- talking ---- */

typedef struct Request {
	union {
		char bytes[2048];
		struct nlmsghdr align;
	} room;
	struct nlmsghdr *nlh;
} Request;

/* Begins a message with @size bytes behind the header, which are returned zeroed. */
static gpointer begin(Request *request, guint16 type, guint16 flags, gsize size)
{
	request->nlh = mnl_nlmsg_put_header(request->room.bytes);
	request->nlh->nlmsg_type = type;
	request->nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	return mnl_nlmsg_put_extra_header(request->nlh, size);
}

/* Sends it and passes each answer to @fn until the last. Returns 0 or an errno. */
static int talk(Netlink *nl, Request *request, mnl_cb_t fn, gpointer data)
{
	request->nlh->nlmsg_seq = ++nl->serial;
	request->nlh->nlmsg_flags |= fn ? 0 : NLM_F_ACK;
	if (mnl_socket_sendto(nl->socket, request->nlh, request->nlh->nlmsg_len) < 0)
		return errno;
	for (int more = MNL_CB_OK; more == MNL_CB_OK;) {
		ssize_t got = mnl_socket_recvfrom(nl->socket, nl->buffer, BUFFER);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		more = mnl_cb_run(nl->buffer, (size_t)got, nl->serial, nl->port, fn, data);
		if (more < 0)
			return errno;
	}
	return 0;
}

static gboolean done(int code, GError **error, const char *what, const char *name)
{
	if (code == EEXIST)
		return fail(error, LODGE_ERROR_EXISTS, "%s %s: there is one already", what, name);
	if (code == ENODEV)
		return fail(error, LODGE_ERROR_NOT_FOUND, "%s %s: there is no such interface", what, name);
	return !code || fail_errno(error, code, "%s %s", what, name);
}

/* Attributes by type, as many as there is room for. */
typedef struct Attributes {
	guint n;
	const struct nlattr **at;
} Attributes;

static int keep(const struct nlattr *attribute, void *data)
{
	Attributes *all = data;
	if (mnl_attr_get_type(attribute) < all->n)
		all->at[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

static guint32 number(const struct nlattr *attribute)
{
	return attribute && mnl_attr_get_payload_len(attribute) >= 4 ? mnl_attr_get_u32(attribute) : 0;
}

static void text(const struct nlattr *attribute, char *to, gsize room)
{
	*to = '\0';
	if (attribute)
		g_strlcpy(to, mnl_attr_get_payload(attribute),
			  MIN(room, (gsize)mnl_attr_get_payload_len(attribute) + 1));
}

static void address(const struct nlattr *attribute, int family, Inet *to)
{
	gsize size = family == AF_INET ? 4 : 16;
	if (!attribute || mnl_attr_get_payload_len(attribute) < size)
		return;
	to->family = family;
	memcpy(to->bytes, mnl_attr_get_payload(attribute), size);
}

/* ---- interfaces ---- */

/* What bridges, VLANs and bonds say of themselves. */
static void read_kind_data(const struct nlattr *nest, LinkInfo *info)
{
	const struct nlattr *at[IFLA_BR_STP_STATE + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	if (mnl_attr_parse_nested(nest, keep, &all) < 0)
		return;
	if (g_str_equal(info->kind, "bridge")) {
		info->stp = number(at[IFLA_BR_STP_STATE]) != 0;
		info->delay = number(at[IFLA_BR_FORWARD_DELAY]);
	} else if (g_str_equal(info->kind, "vlan") && at[IFLA_VLAN_ID] &&
		   mnl_attr_get_payload_len(at[IFLA_VLAN_ID]) >= 2) {
		info->tag = mnl_attr_get_u16(at[IFLA_VLAN_ID]);
	} else if (g_str_equal(info->kind, "bond") && at[IFLA_BOND_MODE]) {
		info->mode = mnl_attr_get_u8(at[IFLA_BOND_MODE]);
	}
}

static void read_kind(const struct nlattr *linkinfo, LinkInfo *info)
{
	const struct nlattr *at[IFLA_INFO_DATA + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	if (!linkinfo || mnl_attr_parse_nested(linkinfo, keep, &all) <= 0)
		return;
	text(at[IFLA_INFO_KIND], info->kind, sizeof(info->kind));
	if (at[IFLA_INFO_DATA])
		read_kind_data(at[IFLA_INFO_DATA], info);
}

static int read_link(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[IFLA_IFALIAS + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	LinkInfo info = { .index = ifi->ifi_index, .hardware = ifi->ifi_type,
			  .up = (ifi->ifi_flags & IFF_UP) != 0,
			  .running = (ifi->ifi_flags & IFF_RUNNING) != 0 };
	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_attr_parse(nlh, sizeof(*ifi), keep, &all) < 0)
		return MNL_CB_OK;
	text(at[IFLA_IFNAME], info.name, sizeof(info.name));
	text(at[IFLA_IFALIAS], info.alias, sizeof(info.alias));
	info.master = (int)number(at[IFLA_MASTER]);
	info.parent = (int)number(at[IFLA_LINK]);
	info.mtu = number(at[IFLA_MTU]);
	if (at[IFLA_OPERSTATE])
		info.operstate = mnl_attr_get_u8(at[IFLA_OPERSTATE]);
	if (at[IFLA_ADDRESS] && mnl_attr_get_payload_len(at[IFLA_ADDRESS]) == sizeof(info.mac))
		memcpy(info.mac, mnl_attr_get_payload(at[IFLA_ADDRESS]), sizeof(info.mac));
	read_kind(at[IFLA_LINKINFO], &info);
	g_array_append_val((GArray *)data, info);
	return MNL_CB_OK;
}

gboolean netlink_link(Netlink *nl, const char *name, LinkInfo *info, GError **error)
{
	Request request;
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(LinkInfo));
	begin(&request, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request.nlh, IFLA_IFNAME, name);
	if (!done(talk(nl, &request, read_link, found), error, "interface", name))
		return FALSE;
	if (!found->len)
		return fail(error, LODGE_ERROR_NOT_FOUND, "interface %s: there is none", name);
	*info = g_array_index(found, LinkInfo, 0);
	return TRUE;
}

/* A dump of @type, each answer given to @fn with an array of @size bytes per item. */
static GArray *dump(Netlink *nl, guint16 type, gsize header, guint size, mnl_cb_t fn, const char *what,
		    GError **error)
{
	GArray *all = g_array_new(FALSE, FALSE, size);
	for (guint again = 0;; again++) {
		Request request;
		begin(&request, type, NLM_F_DUMP, header);
		int code = talk(nl, &request, fn, all);
		if (!code)
			return all;
		/* It changed while it was read. */
		if (code != EINTR || again == 5) {
			done(code, error, "list of", what);
			g_array_unref(all);
			return NULL;
		}
		g_array_set_size(all, 0);
	}
}

GArray *netlink_links(Netlink *nl, GError **error)
{
	return dump(nl, RTM_GETLINK, sizeof(struct ifinfomsg), sizeof(LinkInfo), read_link, "interfaces",
		    error);
}

/* Begins RTM_NEWLINK of a new @name of @kind; ends with end_link(). */
static struct nlattr *begin_link(Request *request, const char *name, const char *kind,
				 struct nlattr **info)
{
	begin(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request->nlh, IFLA_IFNAME, name);
	*info = mnl_attr_nest_start(request->nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(request->nlh, IFLA_INFO_KIND, kind);
	return mnl_attr_nest_start(request->nlh, IFLA_INFO_DATA);
}

static void end_link(Request *request, struct nlattr *info, struct nlattr *data)
{
	mnl_attr_nest_end(request->nlh, data);
	mnl_attr_nest_end(request->nlh, info);
}

gboolean netlink_add_bridge(Netlink *nl, const char *name, const BridgeOptions *options,
			    GError **error)
{
	Request request;
	struct nlattr *info, *data = begin_link(&request, name, "bridge", &info);
	mnl_attr_put_u32(request.nlh, IFLA_BR_FORWARD_DELAY, options->delay * HERTZ);
	mnl_attr_put_u32(request.nlh, IFLA_BR_STP_STATE, options->stp);
	if (options->vlan_filtering)
		mnl_attr_put_u8(request.nlh, IFLA_BR_VLAN_FILTERING, 1);
	end_link(&request, info, data);
	if (options->mac)
		mnl_attr_put(request.nlh, IFLA_ADDRESS, 6, options->mac);
	if (!done(talk(nl, &request, NULL, NULL), error, "bridge", name))
		return FALSE;
	/* Only one that is set afterwards is kept when ports come. */
	LinkChange change = { .mtu = options->mtu };
	if (!options->mtu || netlink_change(nl, name, &change, error))
		return TRUE;
	netlink_delete(nl, name, NULL);
	return FALSE;
}

gboolean netlink_add_bond(Netlink *nl, const char *name, const BondOptions *options, GError **error)
{
	Request request;
	struct nlattr *info, *data = begin_link(&request, name, "bond", &info);
	mnl_attr_put_u8(request.nlh, IFLA_BOND_MODE, (guint8)options->mode);
	const guint32 numbers[][2] = { { IFLA_BOND_MIIMON, options->miimon },
				       { IFLA_BOND_UPDELAY, options->updelay },
				       { IFLA_BOND_DOWNDELAY, options->downdelay },
				       { IFLA_BOND_ARP_INTERVAL, options->arp_interval },
				       { IFLA_BOND_ARP_VALIDATE, options->arp_validate } };
	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
		if (numbers[i][1])
			mnl_attr_put_u32(request.nlh, (guint16)numbers[i][0], numbers[i][1]);
	if (options->arp_target) {
		struct nlattr *targets = mnl_attr_nest_start(request.nlh, IFLA_BOND_ARP_IP_TARGET);
		mnl_attr_put(request.nlh, 0, 4, options->arp_target->bytes);
		mnl_attr_nest_end(request.nlh, targets);
	}
	end_link(&request, info, data);
	return done(talk(nl, &request, NULL, NULL), error, "bond", name);
}

gboolean netlink_add_vlan(Netlink *nl, const char *name, const char *parent, guint tag, GError **error)
{
	Request request;
	LinkInfo below;
	if (!netlink_link(nl, parent, &below, error))
		return FALSE;
	struct nlattr *info, *data = begin_link(&request, name, "vlan", &info);
	mnl_attr_put_u16(request.nlh, IFLA_VLAN_ID, (guint16)tag);
	end_link(&request, info, data);
	mnl_attr_put_u32(request.nlh, IFLA_LINK, (guint32)below.index);
	return done(talk(nl, &request, NULL, NULL), error, "VLAN", name);
}

gboolean netlink_add_veth(Netlink *nl, const char *name, const char *peer, GError **error)
{
	Request request;
	struct nlattr *info, *data = begin_link(&request, name, "veth", &info);
	struct nlattr *other = mnl_attr_nest_start(request.nlh, VETH_INFO_PEER);
	memset(mnl_nlmsg_put_extra_header(request.nlh, sizeof(struct ifinfomsg)), 0,
	       sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request.nlh, IFLA_IFNAME, peer);
	mnl_attr_nest_end(request.nlh, other);
	end_link(&request, info, data);
	return done(talk(nl, &request, NULL, NULL), error, "veth", name);
}

gboolean netlink_add_macvtap(Netlink *nl, const char *name, const char *parent, const char *mode,
			     const guint8 mac[6], GError **error)
{
	static const struct {
		const char *word;
		guint32 mode;
	} modes[] = { { "private", MACVLAN_MODE_PRIVATE }, { "vepa", MACVLAN_MODE_VEPA },
		      { "bridge", MACVLAN_MODE_BRIDGE }, { "passthru", MACVLAN_MODE_PASSTHRU } };
	Request request;
	LinkInfo below;
	guint at = 0;
	while (at < G_N_ELEMENTS(modes) && g_strcmp0(modes[at].word, mode) != 0)
		at++;
	if (at == G_N_ELEMENTS(modes))
		return fail(error, LODGE_ERROR_INVALID,
			    "macvtap mode \"%s\": private, vepa, bridge or passthru", mode);
	if (!netlink_link(nl, parent, &below, error))
		return FALSE;
	struct nlattr *info, *data = begin_link(&request, name, "macvtap", &info);
	mnl_attr_put_u32(request.nlh, IFLA_MACVLAN_MODE, modes[at].mode);
	end_link(&request, info, data);
	mnl_attr_put_u32(request.nlh, IFLA_LINK, (guint32)below.index);
	mnl_attr_put(request.nlh, IFLA_ADDRESS, 6, mac);
	return done(talk(nl, &request, NULL, NULL), error, "macvtap upon", parent);
}

gboolean netlink_delete(Netlink *nl, const char *name, GError **error)
{
	Request request;
	begin(&request, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request.nlh, IFLA_IFNAME, name);
	int code = talk(nl, &request, NULL, NULL);
	return code == ENODEV || done(code, error, "removing interface", name);
}

gboolean netlink_change(Netlink *nl, const char *name, const LinkChange *change, GError **error)
{
	Request request;
	LinkInfo info, master = { 0 };
	if (!netlink_link(nl, name, &info, error) ||
	    (change->master && *change->master && !netlink_link(nl, change->master, &master, error)))
		return FALSE;
	struct ifinfomsg *ifi = begin(&request, RTM_NEWLINK, 0, sizeof(*ifi));
	ifi->ifi_index = info.index;
	ifi->ifi_change = change->up ? IFF_UP : 0;
	ifi->ifi_flags = change->up == TRI_YES ? IFF_UP : 0;
	if (change->master)
		mnl_attr_put_u32(request.nlh, IFLA_MASTER, (guint32)master.index);
	if (change->mac)
		mnl_attr_put(request.nlh, IFLA_ADDRESS, 6, change->mac);
	if (change->mtu)
		mnl_attr_put_u32(request.nlh, IFLA_MTU, change->mtu);
	if (change->alias)
		mnl_attr_put_strz(request.nlh, IFLA_IFALIAS, change->alias);
	return done(talk(nl, &request, NULL, NULL), error, "changing interface", name);
}

/* ---- virtual functions: ip-link(8), `ip link set PF vf N ...` ---- */

typedef struct FunctionLook {
	guint vf;
	gboolean found;
	LinkFunction *to;
} FunctionLook;

static void take_function(const struct nlattr *info, FunctionLook *look)
{
	const struct nlattr *at[IFLA_VF_VLAN + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	if (mnl_attr_parse_nested(info, keep, &all) < 0 || !at[IFLA_VF_MAC] ||
	    mnl_attr_get_payload_len(at[IFLA_VF_MAC]) < sizeof(struct ifla_vf_mac))
		return;
	const struct ifla_vf_mac *mac = mnl_attr_get_payload(at[IFLA_VF_MAC]);
	if (mac->vf != look->vf)
		return;
	look->found = TRUE;
	memcpy(look->to->mac, mac->mac, sizeof look->to->mac);
	if (at[IFLA_VF_VLAN] && mnl_attr_get_payload_len(at[IFLA_VF_VLAN]) >= sizeof(struct ifla_vf_vlan)) {
		const struct ifla_vf_vlan *vlan = mnl_attr_get_payload(at[IFLA_VF_VLAN]);
		look->to->vlan = vlan->vlan;
		look->to->qos = vlan->qos;
	}
}

static int read_functions(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *at[IFLA_VFINFO_LIST + 1] = { NULL }, *info;
	Attributes all = { G_N_ELEMENTS(at), at };
	if (nlh->nlmsg_type != RTM_NEWLINK ||
	    mnl_attr_parse(nlh, sizeof(struct ifinfomsg), keep, &all) < 0 || !at[IFLA_VFINFO_LIST])
		return MNL_CB_OK;
	mnl_attr_for_each_nested (info, at[IFLA_VFINFO_LIST])
		if (mnl_attr_get_type(info) == IFLA_VF_INFO)
			take_function(info, data);
	return MNL_CB_OK;
}

gboolean netlink_function(Netlink *nl, const char *pf, guint vf, LinkFunction *function, GError **error)
{
	Request request;
	FunctionLook look = { .vf = vf, .to = function };
	*function = (LinkFunction){ 0 };
	begin(&request, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request.nlh, IFLA_IFNAME, pf);
	mnl_attr_put_u32(request.nlh, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
	if (!done(talk(nl, &request, read_functions, &look), error, "interface", pf))
		return FALSE;
	return look.found || fail(error, LODGE_ERROR_NOT_FOUND,
				  "interface %s: it has no virtual function %u", pf, vf);
}

gboolean netlink_set_function(Netlink *nl, const char *pf, guint vf, const LinkFunction *function,
			      GError **error)
{
	Request request;
	LinkInfo info;
	struct ifla_vf_mac mac = { .vf = vf };
	struct ifla_vf_vlan vlan = { .vf = vf, .vlan = function->vlan, .qos = function->qos };
	if (!netlink_link(nl, pf, &info, error))
		return FALSE;
	memcpy(mac.mac, function->mac, sizeof function->mac);
	struct ifinfomsg *ifi = begin(&request, RTM_SETLINK, 0, sizeof(*ifi));
	ifi->ifi_index = info.index;
	struct nlattr *list = mnl_attr_nest_start(request.nlh, IFLA_VFINFO_LIST);
	struct nlattr *one = mnl_attr_nest_start(request.nlh, IFLA_VF_INFO);
	mnl_attr_put(request.nlh, IFLA_VF_MAC, sizeof mac, &mac);
	mnl_attr_put(request.nlh, IFLA_VF_VLAN, sizeof vlan, &vlan);
	mnl_attr_nest_end(request.nlh, one);
	mnl_attr_nest_end(request.nlh, list);
	return done(talk(nl, &request, NULL, NULL), error, "virtual functions of interface", pf);
}

gboolean netlink_change_port(Netlink *nl, const char *name, const BridgePort *change, GError **error)
{
	Request request;
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	struct ifinfomsg *ifi = begin(&request, RTM_SETLINK, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = info.index;
	struct nlattr *port = mnl_attr_nest_start(request.nlh, IFLA_PROTINFO | NLA_F_NESTED);
	if (change->isolated)
		mnl_attr_put_u8(request.nlh, IFLA_BRPORT_ISOLATED, change->isolated == TRI_YES);
	if (change->learning)
		mnl_attr_put_u8(request.nlh, IFLA_BRPORT_LEARNING, change->learning == TRI_YES);
	if (change->unicast_flood)
		mnl_attr_put_u8(request.nlh, IFLA_BRPORT_UNICAST_FLOOD,
				change->unicast_flood == TRI_YES);
	mnl_attr_nest_end(request.nlh, port);
	return done(talk(nl, &request, NULL, NULL), error, "changing bridge port", name);
}

/* Adds or takes away VLANs of a port: linux/if_bridge.h, AF_BRIDGE with IFLA_AF_SPEC. */
static int talk_vlans(Netlink *nl, int index, gboolean self, guint16 type, const PortVlan *vlans, guint n)
{
	Request request;
	struct ifinfomsg *ifi = begin(&request, type, 0, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = index;
	struct nlattr *spec = mnl_attr_nest_start(request.nlh, IFLA_AF_SPEC);
	if (self)
		mnl_attr_put_u16(request.nlh, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
	for (guint i = 0; i < n; i++) {
		guint flags = (vlans[i].native ? BRIDGE_VLAN_INFO_PVID : 0u) |
			      (vlans[i].untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0u);
		struct bridge_vlan_info info = { .flags = (guint16)flags, .vid = vlans[i].tag };
		if (!mnl_attr_put_check(request.nlh, sizeof request.room, IFLA_BRIDGE_VLAN_INFO,
					sizeof info, &info))
			return E2BIG;
	}
	mnl_attr_nest_end(request.nlh, spec);
	return talk(nl, &request, NULL, NULL);
}

gboolean netlink_set_vlans(Netlink *nl, const char *name, gboolean self, const PortVlan *vlans, guint n,
			   GError **error)
{
	static const PortVlan first = { .tag = 1 };
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	int code = talk_vlans(nl, info.index, self, RTM_DELLINK, &first, 1);
	if (!code || code == ENOENT) /* it has no default */
		code = talk_vlans(nl, info.index, self, RTM_SETLINK, vlans, n);
	if (code == EOPNOTSUPP)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s: this kernel's bridges do not tell VLANs "
			    "apart (CONFIG_BRIDGE_VLAN_FILTERING)", name);
	return done(code, error, "VLANs of", name);
}

gboolean tap_open(char name[IFNAMSIZ], gboolean vnet_header, guint queues, int *fds, GError **error)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	if (vnet_header)
		request.ifr_flags |= IFF_VNET_HDR;
	if (queues > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	g_strlcpy(request.ifr_name, name, IFNAMSIZ);
	for (guint i = 0; i < queues; i++) {
		fds[i] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
		int code = fds[i] < 0 ? errno : ioctl(fds[i], TUNSETIFF, &request) < 0 ? errno : 0;
		if (!code)
			continue;
		for (guint j = 0; j <= i; j++)
			fd_clear(&fds[j]);
		return fail_errno(error, code, "tap %s (/dev/net/tun)", name);
	}
	g_strlcpy(name, request.ifr_name, IFNAMSIZ);
	return TRUE;
}

/* ---- addresses ---- */

static int read_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[IFA_CACHEINFO + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	AddressInfo info = { .index = (int)ifa->ifa_index, .prefix = ifa->ifa_prefixlen,
			     .own = ifa->ifa_scope < RT_SCOPE_LINK, .valid = G_MAXUINT32,
			     .preferred = G_MAXUINT32 };
	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_attr_parse(nlh, sizeof(*ifa), keep, &all) < 0)
		return MNL_CB_OK;
	address(at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS], ifa->ifa_family, &info.address);
	address(at[IFA_BROADCAST], ifa->ifa_family, &info.broadcast);
	if (at[IFA_CACHEINFO] &&
	    mnl_attr_get_payload_len(at[IFA_CACHEINFO]) >= sizeof(struct ifa_cacheinfo)) {
		const struct ifa_cacheinfo *cache = mnl_attr_get_payload(at[IFA_CACHEINFO]);
		info.valid = cache->ifa_valid;
		info.preferred = cache->ifa_prefered;
	}
	if (info.address.family)
		g_array_append_val((GArray *)data, info);
	return MNL_CB_OK;
}

GArray *netlink_addresses(Netlink *nl, GError **error)
{
	return dump(nl, RTM_GETADDR, sizeof(struct ifaddrmsg), sizeof(AddressInfo), read_address,
		    "addresses", error);
}

static int change_address(Netlink *nl, guint16 type, guint16 flags, const LinkInfo *info,
			  const AddressInfo *own)
{
	Request request;
	const Inet *inet = &own->address;
	struct ifaddrmsg *ifa = begin(&request, type, flags, sizeof(*ifa));
	gsize size = inet_bits(inet) / 8;
	ifa->ifa_family = (guint8)inet->family;
	ifa->ifa_prefixlen = (guint8)own->prefix;
	ifa->ifa_flags = inet->family == AF_INET6 ? IFA_F_NODAD : 0;
	ifa->ifa_index = (guint)info->index;
	mnl_attr_put(request.nlh, IFA_LOCAL, size, inet->bytes);
	mnl_attr_put(request.nlh, IFA_ADDRESS, size, inet->bytes);
	if (inet->family == AF_INET && own->broadcast.family)
		mnl_attr_put(request.nlh, IFA_BROADCAST, size, own->broadcast.bytes);
	if (own->valid != G_MAXUINT32) {
		struct ifa_cacheinfo cache = { .ifa_valid = own->valid, .ifa_prefered = own->preferred };
		mnl_attr_put(request.nlh, IFA_CACHEINFO, sizeof(cache), &cache);
	}
	return talk(nl, &request, NULL, NULL);
}

gboolean netlink_add_address(Netlink *nl, const char *name, const Inet *inet, guint prefix,
			     GError **error)
{
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	AddressInfo own = { .address = *inet, .prefix = prefix, .valid = G_MAXUINT32 };
	if (inet->family == AF_INET && prefix < 31)
		own.broadcast = inet_last(inet, prefix);
	int code = change_address(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &info, &own);
	return code == EEXIST || done(code, error, "address of", name);
}

gboolean netlink_put_address(Netlink *nl, const char *name, const AddressInfo *own, GError **error)
{
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	int code = change_address(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, own);
	return code == EEXIST || done(code, error, "address of", name);
}

gboolean netlink_delete_address(Netlink *nl, const char *name, const Inet *inet, guint prefix,
				GError **error)
{
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	AddressInfo own = { .address = *inet, .prefix = prefix, .valid = G_MAXUINT32 };
	int code = change_address(nl, RTM_DELADDR, 0, &info, &own);
	return code == EADDRNOTAVAIL || done(code, error, "removing an address of", name);
}

/* ---- routes, neighbours ---- */

static int read_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[RTA_TABLE + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	RouteInfo info = { .to.family = rtm->rtm_family, .prefix = rtm->rtm_dst_len,
			   .protocol = rtm->rtm_protocol, .scope = rtm->rtm_scope,
			   .flags = rtm->rtm_flags & RTNH_F_ONLINK };
	gboolean ours = nlh->nlmsg_type == RTM_NEWROUTE && !(rtm->rtm_flags & RTM_F_CLONED) &&
			rtm->rtm_table == RT_TABLE_MAIN && rtm->rtm_type == RTN_UNICAST &&
			(rtm->rtm_family == AF_INET || rtm->rtm_family == AF_INET6);
	if (!ours || mnl_attr_parse(nlh, sizeof(*rtm), keep, &all) < 0)
		return MNL_CB_OK;
	address(at[RTA_DST], rtm->rtm_family, &info.to);
	address(at[RTA_GATEWAY], rtm->rtm_family, &info.gateway);
	address(at[RTA_PREFSRC], rtm->rtm_family, &info.source);
	info.index = (int)number(at[RTA_OIF]);
	info.metric = number(at[RTA_PRIORITY]);
	g_array_append_val((GArray *)data, info);
	return MNL_CB_OK;
}

GArray *netlink_routes(Netlink *nl, GError **error)
{
	return dump(nl, RTM_GETROUTE, sizeof(struct rtmsg), sizeof(RouteInfo), read_route, "routes", error);
}

static int change_route(Netlink *nl, guint16 type, guint16 flags, int index, const RouteInfo *route)
{
	Request request;
	gsize size = inet_bits(&route->to) / 8;
	Inet first = inet_first(&route->to, route->prefix);
	struct rtmsg *rtm = begin(&request, type, flags, sizeof(*rtm));
	*rtm = (struct rtmsg){ .rtm_family = (guint8)route->to.family, .rtm_dst_len = (guint8)route->prefix,
			       .rtm_table = RT_TABLE_MAIN, .rtm_protocol = (guint8)route->protocol,
			       .rtm_scope = (guint8)route->scope, .rtm_type = RTN_UNICAST,
			       .rtm_flags = route->flags };
	mnl_attr_put(request.nlh, RTA_DST, size, first.bytes);
	if (route->gateway.family)
		mnl_attr_put(request.nlh, RTA_GATEWAY, size, route->gateway.bytes);
	if (route->source.family)
		mnl_attr_put(request.nlh, RTA_PREFSRC, size, route->source.bytes);
	mnl_attr_put_u32(request.nlh, RTA_OIF, (guint32)index);
	if (route->metric)
		mnl_attr_put_u32(request.nlh, RTA_PRIORITY, route->metric);
	return talk(nl, &request, NULL, NULL);
}

gboolean netlink_put_route(Netlink *nl, const char *name, const RouteInfo *route, GError **error)
{
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	int code = change_route(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, info.index, route);
	return code == EEXIST || done(code, error, "route through", name);
}

gboolean netlink_delete_route(Netlink *nl, const char *name, const RouteInfo *route, GError **error)
{
	LinkInfo info;
	if (!netlink_link(nl, name, &info, error))
		return FALSE;
	int code = change_route(nl, RTM_DELROUTE, 0, info.index, route);
	return code == ESRCH || done(code, error, "removing a route through", name);
}

gboolean netlink_add_route(Netlink *nl, const char *name, const Inet *to, guint prefix,
			   const Inet *gateway, guint metric, GError **error)
{
	RouteInfo route = { .to = *to, .prefix = prefix, .gateway = *gateway, .metric = metric,
			    .protocol = RTPROT_STATIC, .scope = RT_SCOPE_UNIVERSE };
	return netlink_put_route(nl, name, &route, error);
}

static int read_neighbour(const struct nlmsghdr *nlh, void *data)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[NDA_LLADDR + 1] = { NULL };
	Attributes all = { G_N_ELEMENTS(at), at };
	NeighbourInfo info = { .index = ndm->ndm_ifindex, .state = ndm->ndm_state };
	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_attr_parse(nlh, sizeof(*ndm), keep, &all) < 0)
		return MNL_CB_OK;
	if (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6)
		return MNL_CB_OK;
	address(at[NDA_DST], ndm->ndm_family, &info.address);
	if (!at[NDA_LLADDR] || mnl_attr_get_payload_len(at[NDA_LLADDR]) != sizeof(info.mac))
		return MNL_CB_OK;
	memcpy(info.mac, mnl_attr_get_payload(at[NDA_LLADDR]), sizeof(info.mac));
	g_array_append_val((GArray *)data, info);
	return MNL_CB_OK;
}

GArray *netlink_neighbours(Netlink *nl, GError **error)
{
	return dump(nl, RTM_GETNEIGH, sizeof(struct ndmsg), sizeof(NeighbourInfo), read_neighbour,
		    "neighbours", error);
}

int netlink_watch_neighbours(GError **error)
{
	autofd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_NEIGH };
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		fail_errno(error, errno, "netlink socket");
		return -1;
	}
	return fd_steal(&fd);
}

gboolean mac_from_text(const char *words, guint8 mac[6])
{
	guint b[6];
	int end = 0;
	if (!words || sscanf(words, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
			     &end) != 6 || words[end])
		return FALSE;
	for (guint i = 0; i < 6; i++)
		mac[i] = (guint8)b[i];
	return TRUE;
}

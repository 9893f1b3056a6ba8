/* Network cards. Offloads are asked of the kernel itself, so only where the tree is the host's own.
 * Source: linux/ethtool.h. */
#include "nodedev/internal.h"
#include "base/fd.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TX_UDP_TUNNEL (1u << 25) /* NETIF_F_GSO_UDP_TUNNEL, linux/netdev_features.h */

/* libvirt's names in its order: each a question of its own, or a bit of ETHTOOL_GFLAGS. */
static const struct {
	const char *name;
	guint32 command, bit;
} features[] = {
	{ "rx", ETHTOOL_GRXCSUM, ~0u },	     { "tx", ETHTOOL_GTXCSUM, ~0u },
	{ "sg", ETHTOOL_GSG, ~0u },	     { "tso", ETHTOOL_GTSO, ~0u },
	{ "gso", ETHTOOL_GGSO, ~0u },	     { "gro", ETHTOOL_GGRO, ~0u },
	{ "lro", ETHTOOL_GFLAGS, ETH_FLAG_LRO }, { "rxvlan", ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN },
	{ "txvlan", ETHTOOL_GFLAGS, ETH_FLAG_TXVLAN }, { "ntuple", ETHTOOL_GFLAGS, ETH_FLAG_NTUPLE },
	{ "rxhash", ETHTOOL_GFLAGS, ETH_FLAG_RXHASH },
};

/* Segmentation of tunnels has no question of its own: a bit among the kernel's NETIF_F_*. */
static gboolean has_tunnels(int fd, struct ifreq *request)
{
	union {
		struct ethtool_gfeatures ask;
		guint8 room[sizeof(struct ethtool_gfeatures) + 4 * sizeof(struct ethtool_get_features_block)];
	} got = { .ask = { .cmd = ETHTOOL_GFEATURES, .size = 1 } };
	request->ifr_data = (char *)&got;
	return ioctl(fd, SIOCETHTOOL, request) == 0 && got.ask.features[0].active & TX_UDP_TUNNEL;
}

static void read_features(const char *name, NodeCapability *cap)
{
	autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (guint i = 0; fd >= 0 && i < G_N_ELEMENTS(features); i++) {
		struct ethtool_value value = { .cmd = features[i].command };
		struct ifreq request = { .ifr_data = (char *)&value };
		g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
		if (ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data & features[i].bit)
			node_append_feature(cap, features[i].name);
		if (i + 1 == G_N_ELEMENTS(features) && has_tunnels(fd, &request))
			node_append_feature(cap, "txudptnl");
	}
}

void read_net(const NodeTree *tree, const char *path, const NodeProperties *properties, NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	const char *devtype = node_property(properties, "DEVTYPE");
	cap->interface = g_strdup(sysname(path));
	cap->address = sysfs_text(tree, path, "address");
	if (cap->address && strlen(cap->address) != strlen("00:00:00:00:00:00")) /* InfiniBand's are longer */
		g_clear_pointer(&cap->address, g_free);
	cap->link_state = sysfs_text(tree, path, "operstate");
	if (!g_strcmp0(cap->link_state, "up")) /* a driver that cannot tell says -1 */
		cap->link_speed = sysfs_uint(tree, path, "speed", 10);
	if (!*tree->root)
		read_features(cap->interface, cap);
	if (sysfs_exists(tree, path, "device/infiniband"))
		node_append_feature(cap, "rdma");
	node_device_add(device, devtype && g_str_equal(devtype, "wlan") ? SUB_80211 : SUB_80203);
}

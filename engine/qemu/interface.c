/* Network interfaces: "-netdev" (where packets go) and "-device" (the card).
 * Neighbours: build.h; netdev_of() is the one place that decides how a guest is connected. */
#include "engine/qemu/build.h"
#include "engine/qemu/helpers.h"

#include <string.h>

#define FORWARDS_MAX 1024 /* QEMU opens one socket for each */

/* ---- where packets go ---- */

static char *join(const char *address, OptUint port)
{
	return g_strdup_printf("%s:%" G_GUINT64_FORMAT, address ? address : "", opt_uint_or(port, 0));
}

static void put_list(json_t *netdev, const char *key, json_t *list)
{
	if (json_array_size(list))
		json_object_set(netdev, key, list);
	json_decref(list);
}

static void add_forwards(json_t *list, const PortForward *forward)
{
	g_autoptr(GArray) ranges = port_forward_ranges(forward, NULL);
	for (guint i = 0; ranges && i < ranges->len; i++) {
		const PortRange *range = &g_array_index(ranges, PortRange, i);
		for (guint n = 0; n <= (guint)(range->last - range->first); n++) {
			g_autofree char *text = g_strdup_printf(
				"%s:%s:%u-:%u", forward->proto, forward->address ? forward->address : "",
				range->first + n, range->to + n);
			json_t *item = json_object();
			put(item, "str", text);
			json_array_append_new(list, item);
		}
	}
}

/* A network of the guest's own behind the daemon's host: no privilege and no bridge needed. */
static json_t *user_netdev(const Interface *interface)
{
	json_t *netdev = json_object(), *forwards = json_array();
	put(netdev, "type", "user");
	SHAPE_EACH (InterfaceIp, ip, interface->ips) {
		gboolean v6 = !g_strcmp0(ip->family, "ipv6");
		g_autofree char *net = g_strdup_printf("%s/%" G_GUINT64_FORMAT, ip->address,
						       opt_uint_or(ip->prefix, v6 ? 64 : 24));
		if (v6) {
			put(netdev, "ipv6-prefix", ip->address);
			put_uint(netdev, "ipv6-prefixlen", ip->prefix);
		} else {
			put(netdev, "net", net);
		}
	}
	SHAPE_EACH (PortForward, forward, interface->port_forwards)
		add_forwards(forwards, forward);
	put_list(netdev, "hostfwd", forwards);
	return netdev;
}

static json_t *passt_netdev(Build *build, const Interface *interface, int index)
{
	g_autofree char *what = g_strdup_printf("interface %s", interface->mac);
	QemuFd *fd = add_fd(build, QEMU_FD_PASST, NULL, index, what);
	g_autofree char *number = g_strdup_printf("%d", fd->number);
	json_t *netdev = json_object(), *address = json_object();
	put(netdev, "type", "stream");
	put_bool(netdev, "server", TRUE); /* so that another passt may come after the first */
	put(address, "type", "fd");
	put(address, "str", number);
	json_object_set_new(netdev, "addr", address);
	return netdev;
}

static json_t *socket_netdev(const Interface *interface)
{
	const InterfaceSource *source = interface->source;
	g_autofree char *remote = join(source->address, source->port);
	g_autofree char *local = join(source->local_address, source->local_port);
	json_t *netdev = json_object();
	put(netdev, "type", "socket");
	switch (interface->type) {
	case INTERFACE_SERVER:
		put(netdev, "listen", remote);
		break;
	case INTERFACE_CLIENT:
		put(netdev, "connect", remote);
		break;
	case INTERFACE_MCAST:
		put(netdev, "mcast", remote);
		put(netdev, "localaddr", source->local_address);
		break;
	default:
		put(netdev, "udp", remote);
		put(netdev, "localaddr", local);
		break;
	}
	return netdev;
}

static json_t *vhost_user_netdev(Build *build, const Interface *interface)
{
	const InterfaceSource *source = interface->source;
	g_autofree char *what = g_strdup_printf("interface %s", interface->mac);
	g_autofree char *id = qemu_chardev_id(interface->info.alias);
	gboolean server = !g_strcmp0(source->mode, "server");
	json_t *netdev = json_object();
	QemuFd *fd = add_fd(build, server ? QEMU_FD_LISTEN : QEMU_FD_CONNECT, source->path, 0, what);
	add_option(build, "-chardev", g_strdup_printf("socket,id=%s,fd=%d%s", id, fd->number,
						      server ? ",server=on" : ""));
	put(netdev, "type", "vhost-user");
	put(netdev, "chardev", id);
	put_uint(netdev, "queues", interface->queues);
	return netdev;
}

static json_t *vdpa_netdev(Build *build, const Interface *interface)
{
	g_autofree char *what = g_strdup_printf("interface %s", interface->mac);
	g_autofree char *path = add_fdset(build, interface->source->dev, O_RDWR, what);
	json_t *netdev = json_object();
	put(netdev, "type", "vhost-vdpa");
	put(netdev, "vhostdev", path);
	put_uint(netdev, "queues", interface->queues);
	return netdev;
}

/* What QEMU's own user mode cannot do. */
static gboolean check_forward(Build *build, const Interface *interface, const PortForward *forward, guint *n,
			      GError **error)
{
	g_autoptr(GArray) ranges = port_forward_ranges(forward, error);
	if (!ranges)
		return FALSE;
	if (forward->dev || (forward->address && strchr(forward->address, ':')))
		return unsupported(build, error,
				   "interface %s: portForward: user mode of QEMU forwards from addresses of "
				   "IPv4 alone: use <backend type='passt'/>, or leave address and dev out",
				   interface->mac);
	if (!ranges->len)
		return unsupported(build, error,
				   "interface %s: portForward without a port: name them by <range>, or use "
				   "<backend type='passt'/>", interface->mac);
	for (guint i = 0; i < ranges->len; i++) {
		const PortRange *range = &g_array_index(ranges, PortRange, i);
		*n += range->last - range->first + 1u;
	}
	return TRUE;
}

static gboolean check_forwards(Build *build, const Interface *interface, GError **error)
{
	guint n = 0;
	SHAPE_EACH (PortForward, forward, interface->port_forwards)
		if (!check_forward(build, interface, forward, &n, error))
			return FALSE;
	return n <= FORWARDS_MAX ||
	       invalid(build, error, "interface %s: portForward has %u ports, more than %d",
		       interface->mac, n, FORWARDS_MAX);
}

static gboolean needs_source(Build *build, const Interface *interface, GError **error)
{
	gboolean path = interface->type == INTERFACE_VHOST_USER;
	const InterfaceSource *source = interface->source;
	if (source && (path ? source->path != NULL :
		       interface->type == INTERFACE_VDPA ? source->dev != NULL : source->port.set))
		return TRUE;
	return invalid(build, error, "interface %s: <source> is not complete for type \"%s\"",
		       interface->mac, enum_name(&interface_types, interface->type));
}

/* Numbers of @n descriptors of @kind, as QEMU's lists have them: "3:4". The caller frees it. */
static char *tap_fds(Build *build, const Interface *interface, QemuFdKind kind, int index, guint n)
{
	GString *list = g_string_new(NULL);
	g_autofree char *what = g_strdup_printf("interface %s", interface->mac);
	for (guint i = 0; i < n; i++) {
		QemuFd *fd = add_fd(build, kind, NULL, index, what);
		fd->queue = i;
		g_string_append_printf(list, "%s%d", i ? ":" : "", fd->number);
	}
	return g_string_free(list, FALSE);
}

/* The tap that the daemon has made. */
static json_t *tap_netdev(Build *build, const Interface *interface, int index, const EnginePlug *plug)
{
	json_t *netdev = json_object();
	g_autofree char *fds = tap_fds(build, interface, QEMU_FD_TAP, index, plug->n_taps);
	put(netdev, "type", "tap");
	put(netdev, plug->n_taps > 1 ? "fds" : "fd", fds);
	if (plug->n_vhosts) {
		g_autofree char *vhosts =
			tap_fds(build, interface, QEMU_FD_VHOST, index, plug->n_vhosts);
		put_bool(netdev, "vhost", TRUE);
		put(netdev, plug->n_vhosts > 1 ? "vhostfds" : "vhostfd", vhosts);
	}
	put_uint(netdev, "sndbuf", interface->sndbuf);
	return netdev;
}

/* NULL: the daemon has not connected it. */
static const EnginePlug *plug_of(const Build *build, int index)
{
	const QemuSetup *setup = build->setup;
	return (guint)index < setup->n_plugs && setup->plugs[index].n_taps ? &setup->plugs[index] : NULL;
}

/* How @interface is connected. *netdev: owned by the caller, NULL for a card without a cable. */
static gboolean netdev_of(Build *build, const Interface *interface, int index, json_t **netdev,
			  GError **error)
{
	if (qemu_passt_wanted(interface)) {
		*netdev = passt_netdev(build, interface, index);
		return TRUE;
	}
	switch (interface->type) {
	case INTERFACE_USER:
	case INTERFACE_NETWORK:
	case INTERFACE_BRIDGE:
	case INTERFACE_DIRECT:
	case INTERFACE_ETHERNET:
		if (!check_forwards(build, interface, error))
			return FALSE;
		*netdev = user_netdev(interface);
		return TRUE;
	case INTERFACE_NULL:
		*netdev = NULL;
		return TRUE;
	case INTERFACE_SERVER:
	case INTERFACE_CLIENT:
	case INTERFACE_MCAST:
	case INTERFACE_UDP:
		if (!needs_source(build, interface, error))
			return FALSE;
		*netdev = socket_netdev(interface);
		return TRUE;
	case INTERFACE_VHOST_USER:
	case INTERFACE_VDPA:
		if (!needs_source(build, interface, error))
			return FALSE;
		*netdev = interface->type == INTERFACE_VDPA ? vdpa_netdev(build, interface) :
							      vhost_user_netdev(build, interface);
		return TRUE;
	default:
		return unsupported(build, error,
				   "interface %s: type \"%s\" is not supported; use network, bridge or "
				   "user", interface->mac,
				   enum_name(&interface_types, interface->type));
	}
}

/* ---- the card ---- */

static const PropRow virtio_rows[] = {
	PROP(Interface, ioeventfd, "ioeventfd", PROP_TRI),
	PROP(Interface, event_idx, "event_idx", PROP_TRI),
	PROP(Interface, rx_queue_size, "rx_queue_size", PROP_UINT),
	PROP(Interface, tx_queue_size, "tx_queue_size", PROP_UINT),
	PROP(Interface, rss, "rss", PROP_TRI),
	PROP(Interface, rss_hash_report, "hash", PROP_TRI),
	PROP(Interface, mtu, "host_mtu", PROP_UINT),
	PROP(Interface, host_csum, "csum", PROP_TRI),
	PROP(Interface, host_gso, "gso", PROP_TRI),
	PROP(Interface, host_tso4, "host_tso4", PROP_TRI),
	PROP(Interface, host_tso6, "host_tso6", PROP_TRI),
	PROP(Interface, host_ecn, "host_ecn", PROP_TRI),
	PROP(Interface, host_ufo, "host_ufo", PROP_TRI),
	PROP(Interface, host_mrg_rxbuf, "mrg_rxbuf", PROP_TRI),
	PROP(Interface, guest_csum, "guest_csum", PROP_TRI),
	PROP(Interface, guest_tso4, "guest_tso4", PROP_TRI),
	PROP(Interface, guest_tso6, "guest_tso6", PROP_TRI),
	PROP(Interface, guest_ecn, "guest_ecn", PROP_TRI),
	PROP(Interface, guest_ufo, "guest_ufo", PROP_TRI),
};

static const NameRow transmit_modes[] = {
	{ "iothread", "bh" },
	{ "timer", "timer" },
};

static void put_virtio_net(json_t *device, const Interface *interface)
{
	guint64 queues = opt_uint_or(interface->queues, 0);
	gboolean multi = queues > 1 && interface->type != INTERFACE_USER;
	put(device, "tx", name_lookup(transmit_modes, G_N_ELEMENTS(transmit_modes),
				      interface->txmode));
	put_virtio(device, &interface->virtio);
	put_rows(device, virtio_rows, G_N_ELEMENTS(virtio_rows), interface);
	if (multi) {
		put_bool(device, "mq", TRUE);
		put_int(device, "vectors", (gint64)(2 * queues + 2));
	}
	if (!g_strcmp0(interface->teaming_type, "persistent"))
		put_bool(device, "failover", TRUE);
}

static const NameRow models[] = {
	{ "e1000", "e1000" },	    { "e1000-82544gc", "e1000-82544gc" },
	{ "e1000-82545em", "e1000-82545em" }, { "e1000e", "e1000e" },
	{ "igb", "igb" },	    { "rtl8139", "rtl8139" },
	{ "ne2k_pci", "ne2k_pci" }, { "pcnet", "pcnet" },
	{ "i82551", "i82551" },	    { "i82557b", "i82557b" },
	{ "i82559er", "i82559er" }, { "vmxnet3", "vmxnet3" },
	{ "usb-net", "usb-net" },   { "tulip", "tulip" },
};

static gboolean add_card(Build *build, const Interface *interface, const char *netdev, GError **error)
{
	const char *model = interface->model ? interface->model : "virtio";
	gboolean virtio = g_str_has_prefix(model, "virtio");
	const char *driver = virtio ? virtio_driver("virtio-net", model) :
				      name_lookup(models, G_N_ELEMENTS(models), model);
	g_autofree char *what = g_strdup_printf("interface %s", interface->mac);
	if (!driver)
		return unsupported(build, error,
				   "%s: model \"%s\" is not known; use virtio, e1000e or rtl8139", what,
				   model);
	json_t *device = device_new(driver, &interface->info);
	if (virtio)
		put_virtio_net(device, interface);
	put(device, "netdev", netdev);
	put(device, "mac", interface->mac);
	if (put_place(build, device, &interface->info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}

static gboolean add_host_interface(Build *build, const Interface *interface, GError **error)
{
	const Address *at = interface->source ? interface->source->pci : NULL;
	if (!at)
		return invalid(build, error, "interface %s: <source> has no PCI address",
			       interface->mac);
	g_autofree char *host = g_strdup_printf("%04x:%02x:%02x.%x",
						(guint)opt_uint_or(at->domain, 0),
						(guint)opt_uint_or(at->bus, 0),
						(guint)opt_uint_or(at->slot, 0),
						(guint)opt_uint_or(at->function, 0));
	json_t *device = device_new("vfio-pci", &interface->info);
	put(device, "host", host);
	if (!g_strcmp0(interface->teaming_type, "transient"))
		put(device, "failover_pair_id", interface->teaming_persistent);
	if (put_place(build, device, &interface->info, error))
		return add_device(build, device, "interface", error);
	json_decref(device);
	return FALSE;
}

static gboolean build_interface(Build *build, const Interface *interface, int index, GError **error)
{
	const EnginePlug *plug = plug_of(build, index);
	json_t *netdev = NULL;
	g_autofree char *id = NULL;
	gboolean device = interface->type == INTERFACE_NETWORK && interface->source && interface->source->pci;
	if (interface->type == INTERFACE_HOSTDEV || device) /* its own, or its network's */
		return add_host_interface(build, interface, error);
	if (plug)
		netdev = tap_netdev(build, interface, index, plug);
	else if (!netdev_of(build, interface, index, &netdev, error))
		return FALSE;
	if (netdev) {
		id = qemu_netdev_id(interface);
		put(netdev, "id", id);
		add_json(build, "-netdev", netdev);
	}
	if (!add_card(build, interface, id, error))
		return FALSE;
	if (!g_strcmp0(interface->link_state, "down")) {
		json_t *arguments = json_object();
		put(arguments, "name", interface->info.alias);
		put_bool(arguments, "up", FALSE);
		add_after_start(build, "set_link", arguments);
	}
	return TRUE;
}

gboolean build_interfaces(Build *build, GError **error)
{
	SHAPE_EACH (Interface, interface, build->guest->interfaces)
		if (!build_interface(build, interface, (int)interface_i, error))
			return FALSE;
	return TRUE;
}

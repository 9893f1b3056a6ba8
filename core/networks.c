/* Networks among the live objects: the kind that object.h asks for, and what they are when nobody has
 * said anything yet. See networks.h; network_ports.c has their ports. */
#include "core/networks.h"

#include <glib/gstdio.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/kinds.h"
#include "core/network_internal.h"
#include "host/file.h"
#include "host/netlink.h"
#include "net/kind.h"
#include "net/plug.h"

#define MAX_BRIDGES 1024 /* "virbr%d" up to here */

NetConfig network_config(Core *core)
{
	static GMutex lock;
	static GHashTable *made; /* folder -> itself: config's strings outlive everybody */
	g_autofree char *run = g_build_filename(core->paths->run, "networks", NULL);
	g_autofree char *lib = g_build_filename(core->paths->lib, "networks", NULL);
	g_mutex_lock(&lock);
	if (!made)
		made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	char **both[] = { &run, &lib };
	const char *kept[2];
	for (guint i = 0; i < 2; i++) {
		gpointer key;
		if (!g_hash_table_lookup_extended(made, *both[i], &key, NULL)) {
			key = g_strdup(*both[i]);
			g_hash_table_add(made, key);
			/* dnsmasq reads there under a user of its own. */
			g_mkdir_with_parents(key, 0711);
			g_chmod(key, 0711);
		}
		kept[i] = key;
	}
	g_mutex_unlock(&lock);
	return (NetConfig){ .run = kept[0], .lib = kept[1] };
}

/* ---- check: names that nobody chose ---- */

/* Another network that has the bridge @name; NULL: none. The caller frees it. */
static char *bridge_owner(Core *core, const Network *network, const char *name)
{
	g_autoptr(GPtrArray) snaps =
		core_object_list(core, CORE_NETWORK, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		const ObjectDoc *docs[] = { snap->stored, snap->live };
		if (g_str_equal(snap->uuid, network->uuid) || g_str_equal(snap->name, network->name))
			continue;
		for (guint d = 0; d < G_N_ELEMENTS(docs); d++) {
			const Network *other = docs[d] ? docs[d]->value : NULL;
			if (other && network_owns_bridge(other) && !g_strcmp0(other->bridge, name))
				return g_strdup(snap->name);
		}
	}
	return NULL;
}

/* The first free "virbr%d", or whatever else @pattern says. */
static gboolean choose_bridge(Core *core, Network *network, const char *pattern, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(pattern, "%d", 2);
	for (guint i = 0; i < MAX_BRIDGES; i++) {
		g_autofree char *name = g_strdup_printf("%s%u%s", parts[0], i, parts[1]);
		g_autofree char *owner = bridge_owner(core, network, name);
		if (owner || if_nametoindex(name) || strlen(name) >= IFNAMSIZ)
			continue;
		g_free(network->bridge);
		network->bridge = g_steal_pointer(&name);
		return TRUE;
	}
	return fail(error, LODGE_ERROR_IN_USE, "no bridge name like %s is free", pattern);
}

static gboolean check_bridge(Core *core, Network *network, GError **error)
{
	if (!network->bridge || strstr(network->bridge, "%d")) {
		g_autofree char *pattern = g_strdup(network->bridge ? network->bridge : "virbr%d");
		return choose_bridge(core, network, pattern, error);
	}
	g_autofree char *owner = bridge_owner(core, network, network->bridge);
	return !owner || fail_with(error, LODGE_ERROR_EXISTS, LODGE_DETAIL_BRIDGE_TAKEN,
				   "bridge name '%s' already in use by network \"%s\": choose another, "
				   "or none at all", network->bridge, owner);
}

/* Networks may be defined with the same subnet; they cannot both be active. */
static void note_overlap(Core *core, const Network *network, Notes *notes)
{
	g_autoptr(GPtrArray) snaps =
		core_object_list(core, CORE_NETWORK, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		const Network *other = object_snap_document(snap, TRUE);
		if (g_str_equal(snap->uuid, network->uuid) || g_str_equal(snap->name, network->name))
			continue;
		SHAPE_EACH (NetworkIp, mine, network->ips)
			SHAPE_EACH (NetworkIp, theirs, other->ips) {
				Inet a, b;
				guint pa, pb;
				if (network_ip_read(mine, &a, &pa, NULL) &&
				    network_ip_read(theirs, &b, &pb, NULL) && inet_overlap(&a, pa, &b, pb))
					notes_add(notes,
						  "its subnet overlaps that of network \"%s\": only one of "
						  "them can be active", snap->name);
			}
	}
}

static gboolean check(Core *core, gpointer document, gconstpointer old, Notes *notes, GError **error)
{
	Network *network = document;
	const Network *former = old;
	network_fill(network);
	if (!network_owns_bridge(network))
		return TRUE;
	if (!network->mac && former && former->mac)
		network->mac = g_strdup(former->mac);
	if (!network->mac)
		network->mac = g_strdup_printf("52:54:00:%02x:%02x:%02x", g_random_int_range(0, 256),
					       g_random_int_range(0, 256), g_random_int_range(0, 256));
	if (!check_bridge(core, network, error))
		return FALSE;
	note_overlap(core, network, notes);
	return TRUE;
}

/* ---- start and stop ---- */

static NetworkRun *run_of(CoreObject *object)
{
	return *core_object_run(object);
}

static void free_run(gpointer data)
{
	NetworkRun *run = data;
	net_free(run->net);
	network_ports_unref(run->ports);
	g_free(run);
}

/* Published for those on other lanes. */
static void set_run(CoreObject *object, Net *net, NetworkPorts *ports)
{
	NetworkRun *run = g_new0(NetworkRun, 1);
	*run = (NetworkRun){ .net = net, .ports = ports };
	*core_object_run(object) = run;
	NetworkInfo *info = g_atomic_rc_box_new0(NetworkInfo);
	info->ports = network_ports_ref(ports);
	core_object_set_info(object, info, network_info_clear);
}

static gboolean is_on(const Interface *iface, const Network *live)
{
	return iface->type == INTERFACE_NETWORK && iface->target && iface->source &&
	       !g_strcmp0(iface->source->network, live->name);
}

/* The port of a running guest's interface is there again, and the interface on the bridge: both may have gone
 * with the network. What somebody has put on another bridge stays there. */
static void rejoin_one(Netlink *nl, const Interface *iface, const Network *live, const Guest *owner,
		       NetworkPorts *ports)
{
	LinkInfo info;
	g_autoptr(GError) error = NULL;
	network_ports_rejoin(ports, live, iface, owner);
	if (!netlink_link(nl, iface->target, &info, NULL) || info.master)
		return;
	if (plug_rejoin(nl, iface, live->bridge, &error))
		log_info(owner->name, "interface %s is on network %s again", iface->target, live->name);
	else
		log_warning(owner->name, "interface %s is cut off: %s", iface->target, error->message);
}

/* Guests that run were on the bridge before it went. */
static void rejoin(Core *core, const Network *live, NetworkPorts *ports)
{
	g_autoptr(GPtrArray) guests = core_list(core, CORE_LIST_ACTIVE);
	g_autoptr(Netlink) nl = NULL;
	for (guint i = 0; i < guests->len; i++) {
		const GuestSnap *snap = guests->pdata[i];
		SHAPE_EACH (Interface, iface, snap->live ? snap->live->guest->interfaces : NULL) {
			if (!is_on(iface, live))
				continue;
			nl = nl ? nl : netlink_open(NULL);
			if (nl)
				rejoin_one(nl, iface, live, snap->live->guest, ports);
		}
	}
}

void core_network_rejoin(Core *core, const Interface *iface, const Guest *owner)
{
	const char *name = iface->type == INTERFACE_NETWORK && core->objects[CORE_NETWORK] ?
				   iface->source->network : NULL;
	g_autoptr(CoreObject) object =
		name ? core_object_find_by(core, CORE_NETWORK, CORE_BY_NAME, name, NULL) : NULL;
	g_autoptr(ObjectSnap) snap = object ? core_object_snap(object) : NULL;
	const Network *live = snap && snap->live && snap->info ? snap->live->value : NULL;
	if (!live || !network_owns_bridge(live) || !is_on(iface, live))
		return;
	g_autoptr(Netlink) nl = netlink_open(NULL);
	if (nl)
		rejoin_one(nl, iface, live, owner, ((const NetworkInfo *)snap->info)->ports);
}

static gboolean start(CoreObject *object, gpointer live, Notes *notes, GError **error)
{
	Network *network = live;
	NetConfig config = network_config(core_object_core(object));
	Net *net = net_start(&config, network, notes, error);
	if (!net)
		return FALSE;
	NetworkPorts *ports = network_ports_new(config.run, network->name, FALSE);
	if (network_owns_bridge(network))
		rejoin(core_object_core(object), network, ports);
	set_run(object, net, ports);
	return TRUE;
}

static gboolean adopt(CoreObject *object, gpointer live, GError **error)
{
	Network *network = live;
	NetConfig config = network_config(core_object_core(object));
	Net *net = net_adopt(&config, network, error);
	if (!net)
		return FALSE;
	NetworkPorts *ports = network_ports_new(config.run, network->name, TRUE);
	network_ports_floors(ports, network);
	if (network_owns_bridge(network))
		rejoin(core_object_core(object), network, ports);
	set_run(object, net, ports);
	return TRUE;
}

static gboolean stop(CoreObject *object, GError **error)
{
	NetworkRun *run = run_of(object);
	if (!net_stop(run->net, error))
		return FALSE;
	network_ports_forget(run->ports);
	core_object_set_info(object, NULL, NULL);
	*core_object_run(object) = NULL;
	free_run(run);
	return TRUE;
}

static void gone(CoreObject *object)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	NetConfig config = network_config(core_object_core(object));
	g_autofree char *leases = net_lease_path(&config, snap->name);
	g_unlink(leases);
}

const CoreKind core_network_kind = {
	.id = CORE_NETWORK,
	.word = "network",
	.list = "net-list --all",
	.folder = "networks",
	.root = "network",
	.event = "network-lifecycle",
	.shape = &network_shape,
	.name = offsetof(Network, name),
	.uuid = offsetof(Network, uuid),
	.check = check,
	.start = start,
	.adopt = adopt,
	.stop = stop,
	.gone = gone,
	.free_run = free_run,
};

/* ---- what others ask ---- */

static guint count_uses(const GPtrArray *ports, const char *dev)
{
	guint n = 0;
	for (guint i = 0; i < ports->len; i++)
		n += !g_strcmp0(((const NetworkPort *)ports->pdata[i])->plug_dev, dev);
	return n;
}

Network *core_network_document(CoreObject *object, gboolean inactive)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	Network *copy = network_copy(object_snap_document(snap, inactive));
	if (!snap->active || (inactive && snap->stored))
		return copy;
	g_autoptr(GPtrArray) ports = core_network_ports(object);
	if (ports->len)
		copy->connections = OPT_UINT(ports->len);
	SHAPE_EACH (ForwardInterface, interface, copy->forward ? copy->forward->interfaces : NULL) {
		guint uses = count_uses(ports, interface->dev);
		if (uses)
			interface->connections = OPT_UINT(uses);
	}
	return copy;
}

GPtrArray *core_network_leases(CoreObject *object)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	NetConfig config = network_config(core_object_core(object));
	g_autofree char *path = net_lease_path(&config, snap->name);
	return leases_read(path);
}

/* A changed and checked copy of @document; NULL on failure. */
static Network *changed(const Network *document, NetworkCommand command, NetworkSection section, int parent,
			const char *xml, GError **error)
{
	g_autoptr(Network) copy = network_copy(document);
	if (!network_update(copy, command, section, parent, xml, error))
		return NULL;
	network_fill(copy);
	if (!shape_check(&network_shape, copy, NULL, error))
		return NULL;
	return g_steal_pointer(&copy);
}

/* As changed(), of what is active: it also knows what guests use. */
static Network *changed_live(CoreObject *object, NetworkCommand command, NetworkSection section, int parent,
			     const char *xml, GError **error)
{
	g_autoptr(Network) shown = core_network_document(object, FALSE);
	Network *network = changed(shown, command, section, parent, xml, error);
	if (!network)
		return NULL;
	network->connections = (OptUint){ 0 };
	SHAPE_EACH (ForwardInterface, interface, network->forward ? network->forward->interfaces : NULL)
		interface->connections = (OptUint){ 0 };
	return network;
}

gboolean core_network_update(CoreObject *object, NetworkCommand command, NetworkSection section, int parent,
			     const char *xml, gboolean live, gboolean config, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_autoptr(Network) new_live = NULL, new_stored = NULL;
	if (!live && !config)
		*(snap->active ? &live : &config) = TRUE;
	if (live && !snap->active)
		return fail(error, LODGE_ERROR_STATE, "network is not running: \"%s\" is not active",
			    snap->name);
	if (config && !snap->stored)
		return fail(error, LODGE_ERROR_STATE,
			    "network \"%s\" is transient: it has no definition to change", snap->name);
	if (live)
		new_live = changed_live(object, command, section, parent, xml, error);
	if (config && (new_live || !live))
		new_stored = changed(snap->stored->value, command, section, parent, xml, error);
	if ((live && !new_live) || (config && !new_stored))
		return FALSE;
	if (live && !net_change(run_of(object)->net, new_live, error))
		return FALSE;
	if (!core_object_change(object, g_steal_pointer(&new_live), g_steal_pointer(&new_stored), error))
		return FALSE;
	core_object_event(object, "network-update", "updated", NULL, NULL);
	return TRUE;
}

/* ---- default ---- */

#define DEFAULT_XML                                                                                 \
	"<network><name>default</name><forward mode='nat'/><bridge name='%s' stp='on' delay='0'/>"    \
	"<ip address='192.168.%u.1' netmask='255.255.255.0'><dhcp>"                                    \
	"<range start='192.168.%u.2' end='192.168.%u.254'/></dhcp></ip></network>"

/* libvirt's subnet where it is free, otherwise the next that is; NULL: none, with a log line. */
static char *default_xml(void)
{
	const char *bridge = if_nametoindex("virbr0") ? "virbr%d" : "virbr0";
	g_autoptr(GError) why = NULL;
	for (guint i = 0; i < 134; i++) {
		g_autoptr(GError) error = NULL;
		guint third = 122 + i;
		g_autofree char *xml = g_strdup_printf(DEFAULT_XML, bridge, third, third, third);
		g_autoptr(Network) network = network_from_xml(xml, -1, NULL, NULL, &error);
		if (network && net_subnets_free(network, &error)) {
			if (i || *(bridge + 5) == '%')
				log_info("network default", "gets 192.168.%u.0/24 and the bridge %s: %s",
					 third, bridge, why ? why->message : "virbr0 is there already");
			return g_steal_pointer(&xml);
		}
		if (!why)
			why = g_steal_pointer(&error);
	}
	log_warning("network default", "no subnet is free for it: %s", why ? why->message : "");
	return NULL;
}

typedef struct FirstNetwork {
	Core *core;
	char *mark;
} FirstNetwork;

/* Pool thread: once on this host, so that whoever removes it is not asked again. */
static void make_default(gpointer data)
{
	FirstNetwork *first = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = default_xml();
	g_autoptr(CoreObject) object = NULL;
	if (xml)
		object = core_object_define(first->core, CORE_NETWORK, xml, CORE_OBJECT_NEW, NULL, &error);
	if (object)
		network_autostart_now(object);
	else if (error)
		log_warning("network default", "%s", error->message);
	if (xml)
		file_write(first->mark, "", 0, 0644, FILE_DURABLE, NULL);
	core_unref(first->core);
	g_free(first->mark);
	g_free(first);
}

void networks_first_start(Core *core)
{
	const Paths *paths = core->paths;
	g_autofree char *mark = g_build_filename(paths->lib, "default-network", NULL);
	gboolean wanted = core->default_network == TRI_YES ||
			  (!core->default_network && !paths->root);
	if (!wanted || core->kinds[CORE_NETWORK] != &core_network_kind ||
	    g_file_test(mark, G_FILE_TEST_EXISTS))
		return;
	g_autoptr(CoreObject) there = core_object_find_by(core, CORE_NETWORK, CORE_BY_NAME, "default", NULL);
	if (there)
		return;
	FirstNetwork *first = g_new0(FirstNetwork, 1);
	*first = (FirstNetwork){ .core = core, .mark = g_steal_pointer(&mark) };
	g_atomic_int_inc(&core->refs);
	lane_beside(make_default, first);
}

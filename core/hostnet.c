/* libvirt's verbs on interfaces of the host. See hostnet.h; hostbridge.c makes bridges over NICs. */
#include "core/hostnet_internal.h"
#include "base/error.h"

#include <linux/if_arp.h>
#include <string.h>

/* ---- what there is ---- */

void hostnet_item_free(HostnetItem *item)
{
	if (!item)
		return;
	g_free(item->name);
	g_free(item->mac);
	g_free(item);
}

static HostnetItem *item_of(const LinkInfo *link, const char *name)
{
	static const guint8 none[6];
	HostnetItem *item = g_new0(HostnetItem, 1);
	item->name = g_strdup(name);
	item->active = link && link->up;
	/* the loopback's is all zeros, which libvirt shows, too */
	item->mac = link && (memcmp(link->mac, none, sizeof none) != 0 || link->hardware == ARPHRD_LOOPBACK)
			    ? g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", link->mac[0], link->mac[1],
					      link->mac[2], link->mac[3], link->mac[4], link->mac[5])
			    : g_strdup("");
	return item;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(HostnetItem *const *)a)->name, (*(HostnetItem *const *)b)->name);
}

/* Names that any manager defines: a set. */
static GHashTable *defined_names(void)
{
	GHashTable *all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; managers[i]; i++) {
		g_auto(ManagerWork) work = { 0 };
		g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
		manager_work_init(&work, "", NULL);
		if (manager_present(managers[i], ""))
			managers[i]->names(&work, names);
		for (guint k = 0; k < names->len; k++)
			g_hash_table_add(all, g_strdup(names->pdata[k]));
	}
	return all;
}

static void add_item(GPtrArray *all, HostnetItem *item, gboolean active, gboolean inactive)
{
	if (item->active ? active : inactive)
		g_ptr_array_add(all, item);
	else
		hostnet_item_free(item);
}

GPtrArray *hostnet_list(G_GNUC_UNUSED Core *core, gboolean active, gboolean inactive, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	if (!hostlinks_read(&links, error))
		return NULL;
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)hostnet_item_free);
	g_autoptr(GHashTable) defined = inactive ? defined_names() : NULL;
	for (guint i = 0; i < links.links->len; i++) {
		const LinkInfo *link = &g_array_index(links.links, LinkInfo, i);
		const LinkInfo *master = hostlinks_at(&links, link->master);
		if (defined)
			g_hash_table_remove(defined, link->name);
		if (!hostlink_type(link) || (master && hostlink_type(master)))
			continue; /* a guest's, or a port, which belongs to its bridge */
		add_item(all, item_of(link, link->name), active, inactive);
	}
	GHashTableIter iter;
	gpointer name;
	if (defined)
		g_hash_table_iter_init(&iter, defined);
	while (defined && g_hash_table_iter_next(&iter, &name, NULL))
		g_ptr_array_add(all, item_of(NULL, name));
	g_ptr_array_sort(all, by_name);
	return all;
}

static HostnetItem *find_mac(Core *core, const char *mac, GError **error)
{
	g_autoptr(GPtrArray) all = hostnet_list(core, TRUE, TRUE, error);
	HostnetItem *found = NULL;
	guint8 bytes[6];
	if (!all)
		return NULL;
	if (!mac_from_text(mac, bytes)) {
		fail(error, LODGE_ERROR_NOT_FOUND, "\"%s\" is no MAC address", mac);
		return NULL;
	}
	for (guint i = 0; i < all->len; i++) {
		HostnetItem *item = all->pdata[i];
		if (g_ascii_strcasecmp(item->mac, mac) != 0)
			continue;
		if (found) {
			fail(error, LODGE_ERROR_IN_USE,
			     "several interfaces have the MAC address %s: %s and %s", mac, found->name,
			     item->name);
			return NULL;
		}
		found = item;
	}
	if (!found) {
		fail(error, LODGE_ERROR_NOT_FOUND, "no interface of this host has the MAC address %s", mac);
		return NULL;
	}
	guint at;
	g_ptr_array_find(all, found, &at);
	return g_ptr_array_steal_index_fast(all, at);
}

HostnetItem *hostnet_find(Core *core, const char *name, const char *mac, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	if (mac)
		return find_mac(core, mac, error);
	if (!hostlinks_read(&links, error))
		return NULL;
	const LinkInfo *link = hostlinks_find(&links, name);
	if (link && hostlink_type(link))
		return item_of(link, name);
	g_autoptr(GHashTable) defined = defined_names();
	if (g_hash_table_contains(defined, name))
		return item_of(NULL, name);
	fail_with(error, LODGE_ERROR_NOT_FOUND, LODGE_DETAIL_TARGET,
		  "this host has no interface \"%s\"; iface-list --all shows them", name);
	return NULL;
}

/* The definition of @name; NULL with NOT_FOUND. */
static HostIf *definition(const char *name, const HostLinks *links, GError **error)
{
	g_auto(ManagerWork) work = { 0 };
	g_autofree char *kept = NULL;
	manager_work_init(&work, "", NULL);
	const LinkInfo *link = links ? hostlinks_find(links, name) : NULL;
	const NetManager *manager = link ? manager_of(&work, link) : NULL;
	manager = manager ? manager : manager_having(&work, name);
	if (manager)
		return manager->read(&work, name, link, &kept, error);
	fail(error, LODGE_ERROR_NOT_FOUND,
	     "interface \"%s\" has no definition: neither NetworkManager, "
	     "systemd-networkd nor ifupdown configures it",
	     name);
	return NULL;
}

/* What only the definition knows: whether addresses are leased, and when it is started. */
static void add_definition(HostIf *live, const HostIf *stored)
{
	live->start = stored->start;
	SHAPE_EACH (HostIfProtocol, protocol, stored->protocols) {
		if (!protocol->dhcp && !protocol->autoconf)
			continue;
		HostIfProtocol *own = hostif_protocol(live, protocol->family, TRUE);
		own->autoconf = protocol->autoconf;
		if (protocol->dhcp && !own->dhcp) {
			own->dhcp = g_new0(HostIfDhcp, 1);
			own->dhcp->peerdns = protocol->dhcp->peerdns;
		}
	}
}

HostIf *hostnet_document(G_GNUC_UNUSED Core *core, const char *name, gboolean inactive, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	if (!hostlinks_read(&links, error))
		return NULL;
	const LinkInfo *link = hostlinks_find(&links, name);
	HostIf *live = link && !inactive ? hostlink_document(&links, link) : NULL;
	g_autoptr(HostIf) stored = definition(name, &links, live ? NULL : error);
	if (!live)
		return g_steal_pointer(&stored);
	if (stored)
		add_definition(live, stored);
	return live;
}

/* ---- definitions ---- */

static gboolean check_parts(const HostIf *iface, GError **error)
{
	if (g_str_equal(iface->name, "lo"))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "lo is the loopback: it stays as it is");
	SHAPE_EACH (HostIf, port, hostif_ports(iface)) {
		if (g_str_equal(port->name, "lo"))
			return fail(error, LODGE_ERROR_UNSUPPORTED, "lo is the loopback: it is no port");
		if (iface->bridge && hostlink_is_wireless(port->name))
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "%s is wireless: access points take no bridge behind one client; use a "
				    "network "
				    "with <forward mode='nat'/>",
				    port->name);
	}
	return TRUE;
}

/* Who writes it: whoever has it, or the interface that it is made of, or whoever is there. */
static const NetManager *manager_for(ManagerWork *work, const HostIf *iface, const HostLinks *links,
				     GError **error)
{
	const NetManager *manager = manager_having(work, iface->name);
	const LinkInfo *link = hostlinks_find(links, iface->name);
	if (!manager && link)
		manager = manager_of(work, link);
	SHAPE_EACH (HostIf, port, hostif_ports(iface)) {
		link = manager ? NULL : hostlinks_find(links, port->name);
		if (link)
			manager = manager_of(work, link);
	}
	link = !manager && iface->vlan ? hostlinks_find(links, iface->vlan->device) : NULL;
	if (link)
		manager = manager_of(work, link);
	return manager ? manager : manager_of_host("", error);
}

/* What the manager says of addresses in words that a document has no place for (name servers, options of
 * DHCP): of the interface itself, or of a port that gives it its addresses. NULL: nothing. */
static char *kept_for(const NetManager *manager, ManagerWork *work, const HostIf *iface,
		      const HostLinks *links)
{
	g_autoptr(GPtrArray) sources = g_ptr_array_new();
	g_ptr_array_add(sources, iface->name);
	SHAPE_EACH (HostIf, port, hostif_ports(iface))
		g_ptr_array_add(sources, port->name);
	for (guint i = 0; i < sources->len; i++) {
		g_autofree char *kept = NULL;
		g_autoptr(HostIf) there = manager->read(
			work, sources->pdata[i], hostlinks_find(links, sources->pdata[i]), &kept, NULL);
		if (there && shape_len(there->protocols) && hostif_same_protocols(iface, there))
			return g_steal_pointer(&kept);
	}
	return NULL;
}

/* A bridge has the MAC address of its first NIC, as its leases belong to that. */
static void give_mac(HostIf *iface, const HostLinks *links)
{
	const HostIf *first =
		iface->bridge && shape_len(iface->bridge->ports) ? iface->bridge->ports->pdata[0] : NULL;
	const LinkInfo *link = first ? hostlinks_find(links, first->name) : NULL;
	if (link && !iface->own_mac)
		iface->own_mac = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", link->mac[0],
						 link->mac[1], link->mac[2], link->mac[3], link->mac[4],
						 link->mac[5]);
}

/* Files alone change. */
static gboolean write_files(Core *core, ManagerWork *work, const char *what, const char *name,
			    GError **error)
{
	Change *change = change_new("%s of %s", what, name);
	gboolean done = change_note_files(change, work, error) && change_save(core, change, error) &&
			change_write(work, error);
	return change_end(core, change, done, 0, error);
}

static gboolean define(Core *core, const HostIf *given, Notes *notes, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	g_auto(ManagerWork) work = { 0 };
	g_autoptr(HostIf) iface = shape_copy(&hostif_shape, given);
	manager_work_init(&work, "", notes);
	if (!hostlinks_read(&links, error))
		return FALSE;
	const NetManager *manager = manager_for(&work, iface, &links, error);
	if (!manager)
		return FALSE;
	give_mac(iface, &links);
	g_autofree char *kept = kept_for(manager, &work, iface, &links);
	return manager->write(&work, iface, kept, error) &&
	       write_files(core, &work, "definition", iface->name, error);
}

gboolean hostnet_define(Core *core, const HostIf *iface, Notes *notes, GError **error)
{
	if (!check_parts(iface, error) || !change_enter(core, error))
		return FALSE;
	gboolean ok = define(core, iface, notes, error);
	change_leave(core);
	return ok;
}

static gboolean undefine(Core *core, const char *name, Notes *notes, GError **error)
{
	g_auto(ManagerWork) work = { 0 };
	manager_work_init(&work, "", notes);
	const NetManager *manager = manager_having(&work, name);
	if (!manager)
		return fail(error, LODGE_ERROR_NOT_FOUND, "interface \"%s\" has no definition", name);
	return manager->forget(&work, name, error) && write_files(core, &work, "definition", name, error);
}

gboolean hostnet_undefine(Core *core, const char *name, Notes *notes, GError **error)
{
	if (!hostif_name_ok(name, error))
		return FALSE;
	if (g_str_equal(name, "lo"))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "lo is the loopback: it stays as it is");
	if (!change_enter(core, error))
		return FALSE;
	gboolean ok = undefine(core, name, notes, error);
	change_leave(core);
	return ok;
}

/* ---- up and down ---- */

/* Ports have no addresses. Those that are leased move; fixed ones come from the definition. */
static gboolean move_addresses(Netlink *nl, const NetManager *manager, const HostIf *iface,
			       const Change *change, GError **error)
{
	gboolean leased = FALSE;
	SHAPE_EACH (HostIfProtocol, protocol, iface->protocols)
		leased = leased || protocol->dhcp || protocol->autoconf;
	for (guint i = 0; i < change->links->len; i++) {
		const LinkState *state = change->links->pdata[i];
		if (!hostif_has_port(iface, state->name))
			continue;
		if (!(leased && !manager->sets_addresses
			      ? linkstate_move(nl, state, iface->name, FALSE, error)
			      : linkstate_clear(nl, state, error)))
			return FALSE;
	}
	return TRUE;
}

static gboolean make_live(Netlink *nl, const NetManager *manager, const HostIf *iface, const Change *change,
			  GError **error)
{
	return hostlink_make(nl, iface, error) && move_addresses(nl, manager, iface, change, error) &&
	       hostlink_put_addresses(nl, iface, error);
}

static gboolean bring_up(const NetManager *manager, const HostIf *iface, const Change *change,
			 GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	SHAPE_EACH (HostIf, port, hostif_ports(iface))
		g_ptr_array_add(names, port->name);
	if (!nl || (!manager->sets_addresses && !make_live(nl, manager, iface, change, error)))
		return FALSE;
	/* and then what its command did not do */
	return manager->take(iface->name, names, error) && make_live(nl, manager, iface, change, error);
}

/* For a manager that fails where addresses are there: they go first, of the interface and of its ports. */
static gboolean make_room(const NetManager *manager, const HostIf *iface, const char *kept,
			  const HostLinks *links, GError **error)
{
	SHAPE_EACH (HostIf, port, hostif_ports(iface)) {
		g_autoptr(LinkState) state = linkstate_take(links, port->name);
		if (state->existed && state->addresses->len && !manager->release(port->name, kept, error))
			return FALSE;
	}
	g_autoptr(LinkState) own = linkstate_take(links, iface->name);
	return !own->existed || !own->addresses->len || manager->release(iface->name, kept, error);
}

static gboolean start(Core *core, const char *name, Notes *notes, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	g_auto(ManagerWork) work = { 0 };
	g_autofree char *kept = NULL;
	manager_work_init(&work, "", notes);
	if (!hostlinks_read(&links, error))
		return FALSE;
	const LinkInfo *link = hostlinks_find(&links, name);
	const NetManager *manager = manager_having(&work, name);
	g_autoptr(HostIf) iface = manager ? manager->read(&work, name, link, &kept, error) : NULL;
	if (!manager)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "interface \"%s\" has no definition that says how to start it: iface-define "
			    "gives it "
			    "one",
			    name);
	if (!iface || (iface->type == HOSTIF_ETHERNET && !link))
		return iface && fail(error, LODGE_ERROR_NOT_FOUND, "this host has no NIC %s", name);
	Change *change = change_new("start of %s", name);
	change_note_link(change, &links, name);
	SHAPE_EACH (HostIf, port, hostif_ports(iface))
		change_note_link(change, &links, port->name);
	gboolean done = change_save(core, change, error) &&
			(!manager->sets_addresses || make_room(manager, iface, kept, &links, error)) &&
			bring_up(manager, iface, change, error);
	return change_end(core, change, done, 0, error);
}

gboolean hostnet_start(Core *core, const char *name, Notes *notes, GError **error)
{
	if (!hostif_name_ok(name, error) || !change_enter(core, error))
		return FALSE;
	gboolean ok = start(core, name, notes, error);
	change_leave(core);
	return ok;
}

static gboolean take_down(const LinkInfo *link, const HostLinks *links, const char *kept,
			  const NetManager *manager, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	LinkChange down = { .up = TRI_NO };
	if (!nl || (manager && !manager->release(link->name, kept, error)))
		return FALSE;
	if (hostlink_type(link) == HOSTIF_ETHERNET)
		return hostlink_flush(nl, link->name, error);
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *port = &g_array_index(links->links, LinkInfo, i);
		if (port->master == link->index && !netlink_change(nl, port->name, &down, error))
			return FALSE;
	}
	return netlink_delete(nl, link->name, error);
}

static gboolean stop(Core *core, const char *name, Notes *notes, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	g_auto(ManagerWork) work = { 0 };
	g_autofree char *kept = NULL;
	manager_work_init(&work, "", notes);
	if (!hostlinks_read(&links, error))
		return FALSE;
	const LinkInfo *link = hostlinks_find(&links, name);
	if (link && !hostlink_type(link))
		return fail(error, LODGE_ERROR_NOT_FOUND, "%s belongs to a guest or a program", name);
	if (!link || !link->up)
		return fail(error, LODGE_ERROR_STATE, "interface %s is not active", name);
	if (hostlink_type(link) == HOSTIF_BRIDGE && !hostbridge_may_go(core, name, &links, error))
		return FALSE;
	const NetManager *manager = manager_having(&work, name);
	g_autoptr(HostIf) stored = manager ? manager->read(&work, name, link, &kept, NULL) : NULL;
	Change *change = change_new("stop of %s", name);
	change_note_link(change, &links, name);
	for (guint i = 0; i < links.links->len; i++) {
		const LinkInfo *port = &g_array_index(links.links, LinkInfo, i);
		if (port->master == link->index)
			change_note_link(change, &links, port->name);
	}
	gboolean done = change_save(core, change, error) &&
			take_down(link, &links, kept, stored ? manager : NULL, error);
	return change_end(core, change, done, 0, error);
}

gboolean hostnet_stop(Core *core, const char *name, Notes *notes, GError **error)
{
	if (g_str_equal(name, "lo"))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "lo is the loopback: it stays as it is");
	if (!change_enter(core, error))
		return FALSE;
	gboolean ok = stop(core, name, notes, error);
	change_leave(core);
	return ok;
}

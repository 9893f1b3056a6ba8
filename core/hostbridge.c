/* Bridges over NICs: shown, made, changed and removed, safely for whoever is connected through that NIC.
 * See hostnet.h. */
#include "core/hostnet_internal.h"
#include "base/error.h"
#include "core/networks.h"
#include "core/object.h"

#include <linux/if_arp.h>
#include <string.h>

/* ---- who uses what ---- */

static void add_word(GString *words, const char *word)
{
	g_string_append_printf(words, "%s%s", words->len ? ", " : "", word);
}

/* Names of networks that use the bridge; with @own those to which it belongs. */
static char *networks_of(Core *core, const char *bridge, gboolean own)
{
	GString *words = g_string_new(NULL);
	g_autoptr(GPtrArray)
		snaps = core_object_list(core, CORE_NETWORK, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const ObjectSnap *snap = snaps->pdata[i];
		const Network *network = object_snap_document(snap, FALSE);
		gboolean ours = network_owns_bridge(network);
		if (g_strcmp0(network->bridge, bridge) == 0 && (!own || (ours && snap->active)) &&
		    (snap->active || !ours))
			add_word(words, snap->name);
	}
	return g_string_free(words, FALSE);
}

static gboolean is_port_of(const HostLinks *links, const char *name, const LinkInfo *bridge)
{
	const LinkInfo *link = name ? hostlinks_find(links, name) : NULL;
	return link && link->master == bridge->index;
}

/* Names of running guests with an interface on the bridge. */
static char *guests_of(Core *core, const HostLinks *links, const LinkInfo *bridge)
{
	GString *words = g_string_new(NULL);
	g_autoptr(GPtrArray) snaps = core_list(core, CORE_LIST_ACTIVE);
	for (guint i = 0; i < snaps->len; i++) {
		const GuestSnap *snap = snaps->pdata[i];
		gboolean uses = FALSE;
		SHAPE_EACH (Interface, interface, snap->live ? snap->live->guest->interfaces : NULL)
			uses = uses || is_port_of(links, interface->target, bridge);
		if (uses)
			add_word(words, snap->name);
	}
	return g_string_free(words, FALSE);
}

gboolean hostbridge_may_go(Core *core, const char *name, const HostLinks *links, GError **error)
{
	const LinkInfo *bridge = hostlinks_find(links, name);
	g_autofree char *owner = networks_of(core, name, TRUE);
	if (*owner)
		return fail(error, LODGE_ERROR_IN_USE,
			    "bridge %s belongs to network \"%s\": net-destroy ends it", name, owner);
	g_autofree char *guests = guests_of(core, links, bridge);
	if (*guests)
		return fail(error, LODGE_ERROR_IN_USE,
			    "bridge %s is used by running guests: %s; stop them or detach their interfaces "
			    "first",
			    name, guests);
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *port = &g_array_index(links->links, LinkInfo, i);
		if (port->master == bridge->index && !hostlink_type(port))
			return fail(error, LODGE_ERROR_IN_USE,
				    "bridge %s has the port %s, which belongs to a program: end that first",
				    name, port->name);
	}
	return TRUE;
}

/* ---- showing ---- */

static void bridge_free(gpointer data)
{
	HostBridge *bridge = data;
	char *texts[] = { bridge->name,	  bridge->ports,   bridge->addresses, bridge->networks,
			  bridge->guests, bridge->manager, bridge->state };
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(texts[i]);
	g_free(bridge);
}

static HostBridge *bridge_of(Core *core, const HostLinks *links, const LinkInfo *link)
{
	HostBridge *bridge = g_new0(HostBridge, 1);
	g_autoptr(GString) ports = g_string_new(NULL), addresses = g_string_new(NULL);
	g_auto(ManagerWork) work = { 0 };
	char text[INET_TEXT];
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *port = &g_array_index(links->links, LinkInfo, i);
		if (port->master == link->index)
			add_word(ports, port->name);
	}
	for (guint i = 0; i < links->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(links->addresses, AddressInfo, i);
		if (a->index != link->index || !a->own)
			continue;
		g_autofree char *word =
			g_strdup_printf("%s/%u", inet_to_text(&a->address, text), a->prefix);
		add_word(addresses, word);
	}
	manager_work_init(&work, "", NULL);
	const NetManager *manager = manager_having(&work, link->name);
	bridge->name = g_strdup(link->name);
	bridge->ports = g_string_free(g_steal_pointer(&ports), FALSE);
	bridge->addresses = g_string_free(g_steal_pointer(&addresses), FALSE);
	bridge->networks = networks_of(core, link->name, FALSE);
	bridge->guests = guests_of(core, links, link);
	bridge->manager = g_strdup(manager ? manager->name : "");
	bridge->state = g_strdup(link->up ? "up" : "down");
	bridge->stp = link->stp;
	return bridge;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(HostBridge *const *)a)->name, (*(HostBridge *const *)b)->name);
}

GPtrArray *hostbridge_list(Core *core, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	if (!hostlinks_read(&links, error))
		return NULL;
	GPtrArray *all = g_ptr_array_new_with_free_func(bridge_free);
	for (guint i = 0; i < links.links->len; i++) {
		const LinkInfo *link = &g_array_index(links.links, LinkInfo, i);
		if (g_str_equal(link->kind, "bridge"))
			g_ptr_array_add(all, bridge_of(core, &links, link));
	}
	g_ptr_array_sort(all, by_name);
	return all;
}

/* ---- what is refused ---- */

/* "eth0, eth1": NICs that could be a port. */
static char *free_nics(const HostLinks *links)
{
	GString *words = g_string_new(NULL);
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *link = &g_array_index(links->links, LinkInfo, i);
		if (hostlink_type(link) == HOSTIF_ETHERNET && link->hardware == ARPHRD_ETHER &&
		    !link->master)
			add_word(words, link->name);
	}
	return g_string_free(words, FALSE);
}

/* The NIC, which can become a port. NULL says why it cannot. */
static const LinkInfo *usable_nic(const HostLinks *links, const char *nic, GError **error)
{
	const LinkInfo *link = hostlinks_find(links, nic);
	g_autofree char *others = free_nics(links);
	const LinkInfo *master = link ? hostlinks_at(links, link->master) : NULL;
	if (!link)
		fail(error, LODGE_ERROR_NOT_FOUND, "this host has no interface \"%s\"; there %s%s", nic,
		     *others ? "are: " : "is no NIC that is free", others);
	else if (link->hardware == ARPHRD_LOOPBACK)
		fail(error, LODGE_ERROR_UNSUPPORTED, "%s is the loopback: it cannot be a port of a bridge",
		     nic);
	else if (hostlink_is_wireless(nic))
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "%s is wireless: access points take no bridge behind one client; use a network with "
		     "<forward "
		     "mode='nat'/>",
		     nic);
	else if (master)
		fail(error, LODGE_ERROR_IN_USE,
		     "%s is a port of %s already: \"lodge bridge remove-port %s %s\" takes it out", nic,
		     master->name, master->name, nic);
	else if (g_str_equal(link->kind, "bridge"))
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "%s is a bridge itself: a bridge is no port of another", nic);
	else if (!hostlink_type(link) || link->hardware != ARPHRD_ETHER)
		fail(error, LODGE_ERROR_UNSUPPORTED, "%s is no Ethernet interface (its kind is \"%s\")",
		     nic, *link->kind ? link->kind : "other");
	else
		return link;
	return NULL;
}

/* What sits upon a NIC and leaves no room for a bridge. */
static gboolean nothing_upon(const HostLinks *links, const LinkInfo *nic, GError **error)
{
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *link = &g_array_index(links->links, LinkInfo, i);
		if (link->parent == nic->index &&
		    (g_str_has_prefix(link->kind, "macv") || g_str_has_prefix(link->kind, "ipv")))
			return fail(error, LODGE_ERROR_IN_USE,
				    "%s carries %s (%s), perhaps a guest's: what has such interfaces "
				    "cannot be a "
				    "port of a bridge",
				    nic->name, link->name, link->kind);
	}
	return TRUE;
}

static const LinkInfo *must_be_bridge(const HostLinks *links, const char *name, GError **error)
{
	const LinkInfo *link = hostlinks_find(links, name);
	if (link && g_str_equal(link->kind, "bridge"))
		return link;
	fail(error, LODGE_ERROR_NOT_FOUND,
	     link ? "%s is no bridge; \"lodge bridge show\" lists those"
		  : "this host has no bridge \"%s\"; \"lodge bridge show\" lists those",
	     name);
	return NULL;
}

static const NetManager *must_be_managed(ManagerWork *work, const LinkInfo *nic, GError **error)
{
	const NetManager *manager = manager_of(work, nic);
	if (manager)
		return manager;
	g_autoptr(GError) none = NULL;
	const NetManager *host = manager_of_host("", &none);
	if (host)
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "%s configures this host's interfaces, but not %s: give %s a definition first "
		     "(\"lodge "
		     "iface-define\"), so that the bridge is still there after a boot",
		     host->name, nic->name, nic->name);
	else
		g_propagate_error(error, g_steal_pointer(&none));
	return NULL;
}

static gboolean name_is_free(ManagerWork *work, const HostLinks *links, const char *name, GError **error)
{
	if (!hostif_name_ok(name, error))
		return FALSE;
	if (hostlinks_find(links, name))
		return fail(error, LODGE_ERROR_EXISTS,
			    "there is an interface %s already: choose another name", name);
	const NetManager *manager = manager_having(work, name);
	return !manager ||
	       fail(error, LODGE_ERROR_EXISTS,
		    "%s has a definition of %s already: \"lodge iface-start %s\" starts it, \"lodge "
		    "iface-undefine %s\" removes it",
		    manager->name, name, name, name);
}

/* ---- create ---- */

/* The document of a bridge over @nic, with what @stored says of addresses. */
static HostIf *bridge_over(const char *name, const LinkInfo *nic, HostIf *stored,
			   const HostBridgeOptions *options)
{
	HostIf *bridge = hostif_new(HOSTIF_BRIDGE, name);
	bridge->start = HOSTIF_ONBOOT;
	bridge->protocols = g_steal_pointer(&stored->protocols);
	bridge->mtu = stored->mtu;
	bridge->own_mac = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", nic->mac[0], nic->mac[1],
					  nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
	bridge->bridge->stp = options->stp ? TRI_YES : TRI_NO;
	bridge->bridge->delay = g_strdup_printf("%u", options->delay);
	hostif_add_port(bridge, nic->name);
	((HostIf *)bridge->bridge->ports->pdata[0])->mtu = stored->mtu;
	return bridge;
}

static const LinkState *state_of(const Change *change, const char *name)
{
	for (guint i = 0; i < change->links->len; i++)
		if (g_str_equal(((LinkState *)change->links->pdata[i])->name, name))
			return change->links->pdata[i];
	return NULL;
}

/* Lines such as "up ip route add ... dev eth0" are taken over as they are. */
static void warn_of_names(const char *kept, const char *nic, const char *bridge, Notes *notes)
{
	g_autofree char *quoted = g_regex_escape_string(nic, -1);
	g_autofree char *pattern = g_strconcat("(?<![\\w.-])", quoted, "(?![\\w.-])", NULL);
	if (g_regex_match_simple(pattern, kept, 0, 0))
		notes_add(notes,
			  "the configuration of %s names it in lines that are now of %s: look at them "
			  "before the next boot",
			  nic, bridge);
}

/* What @from had goes to @to. A manager that sets addresses itself does so first; then what is left. */
static gboolean hand_over(const NetManager *manager, const HostIf *target, const char *from,
			  const char *kept, const Change *change, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	g_autoptr(GPtrArray) ports = g_ptr_array_new();
	const LinkState *state = state_of(change, from);
	gboolean late = manager->sets_addresses;
	SHAPE_EACH (HostIf, port, hostif_ports(target))
		g_ptr_array_add(ports, port->name);
	if (!nl)
		return FALSE;
	if (late ? !manager->release(from, kept, error)
		 : !hostlink_make(nl, target, error) ||
			    !linkstate_move(nl, state, target->name, FALSE, error))
		return FALSE;
	return manager->take(target->name, ports, error) && hostlink_make(nl, target, error) &&
	       linkstate_move(nl, state, target->name, late, error);
}

static void for_manager(Change *change, const NetManager *manager, const char *brought, const char *kept,
			const char *again)
{
	change->manager = g_strdup(manager->name);
	change->brought = g_strdup(brought);
	change->kept = g_strdup(kept);
	change->again = g_strdup(again);
}

static gboolean create(Core *core, const char *name, const char *nic, const HostBridgeOptions *options,
		       Notes *notes, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	g_auto(ManagerWork) work = { 0 };
	g_autofree char *kept = NULL;
	manager_work_init(&work, "", notes);
	if (!hostlinks_read(&links, error) || !name_is_free(&work, &links, name, error))
		return FALSE;
	const LinkInfo *link = usable_nic(&links, nic, error);
	const NetManager *manager =
		link && nothing_upon(&links, link, error) ? must_be_managed(&work, link, error) : NULL;
	g_autoptr(HostIf) stored = manager ? manager->read(&work, nic, link, &kept, error) : NULL;
	if (!stored)
		return FALSE;
	g_autoptr(HostIf) bridge = bridge_over(name, link, stored, options);
	warn_of_names(kept, nic, name, notes);
	if (!manager->write(&work, bridge, kept, error))
		return FALSE;
	Change *change = change_new("bridge %s over %s", name, nic);
	for_manager(change, manager, name, kept, nic);
	change_note_link(change, &links, nic);
	change_note_link(change, &links, name);
	gboolean done = change_note_files(change, &work, error) && change_save(core, change, error) &&
			change_write(&work, error) && hand_over(manager, bridge, nic, kept, change, error);
	return change_end(core, change, done, options->timeout, error);
}

gboolean hostbridge_create(Core *core, const char *name, const char *nic, const HostBridgeOptions *options,
			   Notes *notes, GError **error)
{
	if (!change_enter(core, error))
		return FALSE;
	gboolean ok = create(core, name, nic, options, notes, error);
	change_leave(core);
	return ok;
}

/* ---- delete ---- */

/* The NIC that gets the addresses: @wanted, or the only one. NULL without an error: there is none. */
static const LinkInfo *heir(const HostLinks *links, const LinkInfo *bridge, const char *wanted,
			    GError **error)
{
	const LinkInfo *found = NULL;
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *port = &g_array_index(links->links, LinkInfo, i);
		if (port->master != bridge->index)
			continue;
		add_word(names, port->name);
		if (!wanted || g_str_equal(wanted, port->name)) {
			if (found) {
				fail(error, LODGE_ERROR_INVALID,
				     "bridge %s has several ports: say with --nic which gets its addresses "
				     "(%s ...)",
				     bridge->name, names->str);
				return NULL;
			}
			found = port;
		}
	}
	if (!found && wanted)
		fail(error, LODGE_ERROR_NOT_FOUND, "%s is no port of bridge %s; its ports: %s", wanted,
		     bridge->name, names->len ? names->str : "none");
	return found;
}

/* Writes what the NIC is afterwards. Where an older file of it counts again and says the same, that is all.
 */
static gboolean write_heir(const NetManager *manager, ManagerWork *work, const char *bridge,
			   const HostIf *nic, const char *kept, GError **error)
{
	g_autofree char *old = NULL;
	if (!manager->forget(work, bridge, error))
		return FALSE;
	g_autoptr(HostIf) there = manager->read(work, nic->name, NULL, &old, NULL);
	return (there && shape_len(there->protocols) && g_strcmp0(old, kept) == 0) ||
	       manager->write(work, nic, kept, error);
}

typedef struct Removal {
	const NetManager *manager; /* NULL: no configuration has it */
	HostIf *nic;		   /* NULL: nothing gets its addresses */
	char *kept;
} Removal;

static gboolean carry_out(const Removal *removal, const char *name, const Change *change, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	gboolean late = removal->manager && removal->manager->sets_addresses;
	if (!nl || (removal->manager && !removal->manager->release(name, removal->kept, error)))
		return FALSE;
	if (!removal->nic)
		return netlink_delete(nl, name, error);
	LinkChange out = { .master = "", .up = TRI_YES };
	if (!netlink_change(nl, removal->nic->name, &out, error) ||
	    (!late && !linkstate_move(nl, state_of(change, name), removal->nic->name, FALSE, error)) ||
	    !netlink_delete(nl, name, error))
		return FALSE;
	return (!removal->manager || removal->manager->take(removal->nic->name, NULL, error)) &&
	       linkstate_move(nl, state_of(change, name), removal->nic->name, late, error);
}

/* Fills @removal and what is to be written. */
static gboolean plan_removal(ManagerWork *work, const HostLinks *links, const LinkInfo *bridge,
			     const LinkInfo *nic, Removal *removal, GError **error)
{
	removal->manager = manager_having(work, bridge->name);
	if (nic) {
		removal->nic = hostif_new(HOSTIF_ETHERNET, nic->name);
		removal->nic->start = HOSTIF_ONBOOT;
	}
	if (!removal->manager)
		return TRUE;
	const LinkInfo *live = hostlinks_find(links, bridge->name);
	g_autoptr(HostIf) stored = removal->manager->read(work, bridge->name, live, &removal->kept, error);
	if (!stored)
		return FALSE;
	if (!nic)
		return removal->manager->forget(work, bridge->name, error);
	removal->nic->protocols = g_steal_pointer(&stored->protocols);
	removal->nic->mtu = stored->mtu;
	return write_heir(removal->manager, work, bridge->name, removal->nic, removal->kept, error);
}

static void note_ports(Change *change, const HostLinks *links, const LinkInfo *bridge)
{
	change_note_link(change, links, bridge->name);
	for (guint i = 0; i < links->links->len; i++) {
		const LinkInfo *port = &g_array_index(links->links, LinkInfo, i);
		if (port->master == bridge->index)
			change_note_link(change, links, port->name);
	}
}

static gboolean remove_bridge(Core *core, const char *name, const char *wanted, guint timeout, Notes *notes,
			      GError **error)
{
	g_auto(HostLinks) links = { 0 };
	g_auto(ManagerWork) work = { 0 };
	g_autoptr(GError) none = NULL;
	manager_work_init(&work, "", notes);
	const LinkInfo *bridge = hostlinks_read(&links, error) ? must_be_bridge(&links, name, error) : NULL;
	if (!bridge || !hostbridge_may_go(core, name, &links, error))
		return FALSE;
	const LinkInfo *nic = heir(&links, bridge, wanted, &none);
	if (none) {
		g_propagate_error(error, g_steal_pointer(&none));
		return FALSE;
	}
	Removal removal = { 0 };
	gboolean ok = plan_removal(&work, &links, bridge, nic, &removal, error);
	if (ok) {
		Change *change = change_new("removal of bridge %s", name);
		if (removal.manager)
			for_manager(change, removal.manager, nic ? nic->name : NULL, removal.kept, name);
		note_ports(change, &links, bridge);
		gboolean done = change_note_files(change, &work, error) &&
				change_save(core, change, error) && change_write(&work, error) &&
				carry_out(&removal, name, change, error);
		ok = change_end(core, change, done, timeout, error);
	}
	hostif_free(removal.nic);
	g_free(removal.kept);
	return ok;
}

gboolean hostbridge_delete(Core *core, const char *name, const char *nic, guint timeout, Notes *notes,
			   GError **error)
{
	if (!change_enter(core, error))
		return FALSE;
	gboolean ok = remove_bridge(core, name, nic, timeout, notes, error);
	change_leave(core);
	return ok;
}

/* ---- ports ---- */

static gboolean no_addresses(const HostLinks *links, const LinkInfo *nic, GError **error)
{
	char text[INET_TEXT];
	for (guint i = 0; i < links->addresses->len; i++) {
		const AddressInfo *a = &g_array_index(links->addresses, AddressInfo, i);
		if (a->index == nic->index && a->own)
			return fail(error, LODGE_ERROR_IN_USE,
				    "%s has the address %s/%u, which it would lose: remove that first, or "
				    "make a "
				    "bridge over %s with \"lodge bridge create\"",
				    nic->name, inet_to_text(&a->address, text), a->prefix, nic->name);
	}
	return TRUE;
}

/* Whether the port may be @added to the bridge, or taken out. */
static gboolean check_port(const HostLinks *links, const LinkInfo *bridge, const char *nic, gboolean added,
			   GError **error)
{
	const LinkInfo *link = hostlinks_find(links, nic);
	if (added) {
		link = usable_nic(links, nic, error);
		return link && no_addresses(links, link, error) && nothing_upon(links, link, error);
	}
	if (!link || link->master != bridge->index)
		return fail(error, LODGE_ERROR_NOT_FOUND, "%s is no port of bridge %s", nic, bridge->name);
	return hostlink_type(link) ||
	       fail(error, LODGE_ERROR_IN_USE, "%s belongs to a guest or a program: detach it there", nic);
}

/* The definition of the bridge with the port, or without it. */
static gboolean write_port(ManagerWork *work, const NetManager *manager, const LinkInfo *bridge,
			   const char *nic, gboolean added, GError **error)
{
	g_autofree char *kept = NULL;
	g_autoptr(HostIf) stored = manager->read(work, bridge->name, bridge, &kept, error);
	if (!stored)
		return FALSE;
	if (!stored->bridge)
		return fail(error, LODGE_ERROR_STATE,
			    "%s's definition of %s is of no bridge: change it by hand", manager->name,
			    bridge->name);
	if (added)
		hostif_add_port(stored, nic);
	else
		hostif_remove_port(stored, nic);
	return manager->write(work, stored, kept, error);
}

static gboolean change_port(Core *core, const char *name, const char *nic, gboolean added, guint timeout,
			    Notes *notes, GError **error)
{
	g_auto(HostLinks) links = { 0 };
	g_auto(ManagerWork) work = { 0 };
	g_autoptr(Netlink) nl = netlink_open(error);
	manager_work_init(&work, "", notes);
	const LinkInfo *bridge = nl && hostlinks_read(&links, error) ? must_be_bridge(&links, name, error)
								     : NULL;
	if (!bridge || !check_port(&links, bridge, nic, added, error))
		return FALSE;
	const NetManager *manager = manager_having(&work, name);
	if (manager && !write_port(&work, manager, bridge, nic, added, error))
		return FALSE;
	if (!manager)
		notes_add(notes,
			  "no configuration of this host has bridge %s: this lasts until the next boot",
			  name);
	Change *change =
		change_new(added ? "port %s of bridge %s" : "removal of port %s of bridge %s", nic, name);
	change_note_link(change, &links, nic);
	if (manager)
		for_manager(change, manager, NULL, NULL, NULL);
	LinkChange live = { .master = added ? name : "", .up = added ? TRI_YES : TRI_ABSENT };
	gboolean done =
		change_note_files(change, &work, error) && change_save(core, change, error) &&
		change_write(&work, error) && netlink_change(nl, nic, &live, error) &&
		(!manager || manager->sets_addresses || manager->take(added ? nic : NULL, NULL, error));
	return change_end(core, change, done, timeout, error);
}

gboolean hostbridge_add_port(Core *core, const char *name, const char *nic, guint timeout, Notes *notes,
			     GError **error)
{
	if (!change_enter(core, error))
		return FALSE;
	gboolean ok = change_port(core, name, nic, TRUE, timeout, notes, error);
	change_leave(core);
	return ok;
}

gboolean hostbridge_remove_port(Core *core, const char *name, const char *nic, guint timeout, Notes *notes,
				GError **error)
{
	if (!change_enter(core, error))
		return FALSE;
	gboolean ok = change_port(core, name, nic, FALSE, timeout, notes, error);
	change_leave(core);
	return ok;
}

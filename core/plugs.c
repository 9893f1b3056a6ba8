/* See plugs.h. */
#include "core/plugs.h"

#include <string.h>

#include "base/error.h"
#include "core/forwards.h"
#include "core/internal.h"
#include "core/networks.h"
#include "core/nwfilters.h"
#include "net/plug.h"

/* ---- what a network decides ---- */

static void set(char **member, const char *value)
{
	if (!value)
		return;
	g_free(*member);
	*member = g_strdup(value);
}

/* What stands in the interface itself counts before what the network says. */
static void fill_limits(Interface *live, const NetworkPort *port)
{
	if (!live->inbound && port->inbound)
		live->inbound = shape_copy(&bandwidth_shape, port->inbound);
	if (!live->outbound && port->outbound)
		live->outbound = shape_copy(&bandwidth_shape, port->outbound);
	if (!live->virtual_port && port->virtual_port)
		live->virtual_port = shape_copy(&virtual_port_shape, port->virtual_port);
	if (!shape_len(live->vlan_tags)) {
		set(&live->vlan_trunk, port->vlan_trunk);
		SHAPE_EACH (VlanTag, tag, port->vlan_tags)
			shape_append(&live->vlan_tags, &vlan_tag_shape, shape_copy(&vlan_tag_shape, tag));
	}
	if (!live->port_isolated && port->isolated != TRI_ABSENT)
		live->port_isolated = g_strdup(port->isolated == TRI_YES ? "yes" : "no");
	if (!live->mtu.set)
		live->mtu = port->mtu;
}

/* The network gives a PCI device: the engine hands it over as it does with type='hostdev'. */
static void fill_device(Interface *live, const NetworkPort *port)
{
	Address *address = shape_new(&address_shape);
	address->type = ADDRESS_PCI;
	address->domain = port->plug_pci.domain;
	address->bus = port->plug_pci.bus;
	address->slot = port->plug_pci.slot;
	address->function = port->plug_pci.function;
	if (live->source->pci)
		shape_free(&address_shape, live->source->pci);
	live->source->pci = address;
	set(&live->managed, port->plug_managed == TRI_YES ? "yes" : "no");
}

static void fill_from_port(Interface *live, const NetworkPort *port)
{
	InterfaceSource *source = live->source;
	set(&source->portid, port->uuid);
	g_clear_pointer(&source->bridge, g_free); /* what an earlier run had */
	g_clear_pointer(&source->dev, g_free);
	g_clear_pointer(&source->mode, g_free);
	if (!g_strcmp0(port->plug_type, "hostdev-pci"))
		fill_device(live, port);
	set(&source->bridge, port->plug_bridge);
	set(&source->dev, port->plug_dev);
	set(&source->mode, port->plug_mode);
	fill_limits(live, port);
}

static gboolean join_network(CoreGuest *guest, const Guest *owner, Interface *live, GError **error)
{
	g_autoptr(NetworkPort) port = core_network_plug(guest->core, live, owner->name, owner->uuid, error);
	if (port)
		fill_from_port(live, port);
	return port != NULL;
}

static void leave_network(CoreGuest *guest, const Interface *live)
{
	const InterfaceSource *source = live->source;
	if (live->type == INTERFACE_NETWORK && source && source->network && source->portid)
		core_network_unplug(guest->core, source->network, source->portid);
}

/* ---- names ---- */

static gboolean resolve(CoreGuest *guest, const Guest *owner, Interface *live, GError **error)
{
	gboolean networks = guest->core->objects[CORE_NETWORK] != NULL;
	if (live->type == INTERFACE_NETWORK && networks && !join_network(guest, owner, live, error))
		return FALSE;
	if (plug_kind(live) == PLUG_NONE)
		return TRUE;
	char *name = plug_name(live, error);
	if (!name)
		return FALSE;
	g_free(live->target);
	live->target = name;
	return TRUE;
}

/* Without the right to make interfaces the engine connects them in user mode; but a network that is off has
 * no guests, whoever's it is. */
static gboolean check_user_mode(CoreGuest *guest, const Guest *live, GError **error)
{
	SHAPE_EACH (Interface, interface, live->interfaces) {
		const char *name = interface->type == INTERFACE_NETWORK ? interface->source->network : NULL;
		g_autoptr(CoreObject) network = NULL;
		if (name && guest->core->objects[CORE_NETWORK])
			network = core_object_find_by(guest->core, CORE_NETWORK, CORE_BY_NAME, name, NULL);
		g_autoptr(ObjectSnap) snap = network ? core_object_snap(network) : NULL;
		if (snap && !snap->active)
			return fail(error, LODGE_ERROR_STATE,
				    "guest \"%s\": interface %s: network \"%s\" is not active: lodge "
				    "net-start %s", live->name, interface->mac, name, name);
	}
	return TRUE;
}

gboolean plugs_resolve(CoreGuest *guest, Guest *live, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const char *why;
	if (!plug_possible(&why))
		return check_user_mode(guest, live, error);
	SHAPE_EACH (Interface, interface, live->interfaces) {
		if (resolve(guest, live, interface, error))
			continue;
		g_prefix_error(error, "guest \"%s\": ", live->name);
		for (guint i = 0; i <= interface_i; i++)
			leave_network(guest, g_ptr_array_index(live->interfaces, i));
		return FALSE;
	}
	return TRUE;
}

gboolean plugs_name(CoreGuest *guest, Guest *live)
{
	const char *why;
	gboolean named = FALSE;
	if (!guest->core->objects[CORE_NETWORK] || !plug_possible(&why))
		return FALSE;
	SHAPE_EACH (Interface, interface, live->interfaces) {
		if (interface->type != INTERFACE_NETWORK)
			continue;
		if (!interface->source->portid)
			interface->source->portid = g_uuid_string_random();
		named = TRUE;
	}
	return named;
}

/* ---- making them ---- */

static gboolean is_virtio(const Interface *interface)
{
	return !interface->model || g_str_has_prefix(interface->model, "virtio");
}

static gboolean add_filter(CoreGuest *guest, const Guest *owner, const Interface *interface, GError **error)
{
	if (!interface->filter)
		return TRUE;
	if (plug_kind(interface) == PLUG_DIRECT)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "interface %s: filterref: a macvtap passes by the filters of this host; use a "
			    "bridge", interface->mac);
	FilterBinding binding = { .owner_name = owner->name, .owner_uuid = owner->uuid,
				  .port = interface->target, .mac = interface->mac,
				  .filter = interface->filter,
				  .parameters = interface->filter_parameters };
	return core_filter_bind(guest->core, &binding, CORE_FILTER_REPLACE, error);
}

/* The filter comes first: nothing passes unfiltered. */
static gboolean make(CoreGuest *guest, const Guest *owner, const Interface *interface, EnginePlug *plug,
		     Notes *notes, GError **error)
{
	guint queues = is_virtio(interface) ? (guint)opt_uint_or(interface->queues, 1) : 1;
	g_autoptr(GError) why = NULL;
	queues = CLAMP(queues, 1, ENGINE_QUEUES);
	if (!forwards_plug(guest, owner, interface, error) || !add_filter(guest, owner, interface, error) ||
	    !plug_make(interface, queues, plug->taps, notes, error))
		return FALSE;
	plug->n_taps = queues;
	if (plug_vhost(interface, queues, plug->vhosts, &why))
		plug->n_vhosts = queues;
	core_filter_watch(guest->core, interface->target);
	if (!why)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static void unmake(CoreGuest *guest, const Interface *interface)
{
	if (!interface->target)
		return;
	if (interface->filter)
		core_filter_unbind(guest->core, interface->target);
	plug_remove(interface);
}

gboolean plugs_make(CoreGuest *guest, Guest *live, EngineStart *how, Notes *notes, GError **error)
{
	const char *why;
	if (!plug_possible(&why))
		return TRUE;
	SHAPE_EACH (Interface, interface, live->interfaces) {
		if (plug_kind(interface) == PLUG_NONE ||
		    make(guest, live, interface, &how->plugs[interface_i], notes, error))
			continue;
		g_prefix_error(error, "guest \"%s\": ", live->name);
		plugs_remove(guest, live);
		return FALSE;
	}
	return TRUE;
}

void plugs_remove(CoreGuest *guest, const Guest *live)
{
	const char *why;
	if (!plug_possible(&why))
		return;
	forwards_unplug(guest, live->uuid);
	SHAPE_EACH (Interface, interface, live->interfaces) {
		if (plug_kind(interface) != PLUG_NONE)
			unmake(guest, interface);
		leave_network(guest, interface);
	}
}

void plugs_rejoin(CoreGuest *guest, const Guest *live)
{
	const char *why;
	if (!plug_possible(&why))
		return;
	SHAPE_EACH (Interface, interface, live->interfaces)
		core_network_rejoin(guest->core, interface, live);
}

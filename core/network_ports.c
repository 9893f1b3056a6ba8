/* Ports of networks: which interface of which guest has what of an active network. Guests start on lanes
 * of their own and never wait for a network's, so ports have a lock. See networks.h. */
#include "core/network_internal.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "host/file.h"
#include "net/floor.h"

#define MAX_FILE (8u << 20) /* bytes */

struct NetworkPorts {
	gint refs;
	char *path; /* of the file */
	GMutex lock;
	GPtrArray *all; /* NetworkPort *; under lock */
	gboolean over;	/* the network is not active any more; under lock */
};

/* ---- the file ---- */

typedef struct PortFile {
	ShapeHead head;
	GPtrArray *ports;
} PortFile;

static const Row file_rows[] = { LIST(PortFile, ports, "networkport", network_port_shape) };
static const Shape file_shape = SHAPE("networkports", PortFile, file_rows);

static void port_free(gpointer port)
{
	network_port_free(port);
}

static void load(NetworkPorts *ports)
{
	g_autoptr(GError) error = NULL;
	gsize length = 0;
	if (!g_file_test(ports->path, G_FILE_TEST_EXISTS))
		return;
	g_autofree char *xml = file_read(ports->path, MAX_FILE, &length, &error);
	PortFile *file = xml ? shape_from_xml(&file_shape, "networkports", xml, (gssize)length, ports->path,
					      NULL, &error) : NULL;
	if (!file) {
		log_warning(NULL, "%s", error->message);
		return;
	}
	SHAPE_EACH (NetworkPort, port, file->ports)
		g_ptr_array_add(ports->all, shape_copy(&network_port_shape, port));
	shape_free(&file_shape, file);
}

/* Lock held. */
static gboolean save(NetworkPorts *ports, GError **error)
{
	PortFile file = { .ports = ports->all };
	if (!ports->all->len) {
		g_unlink(ports->path);
		return TRUE;
	}
	g_autofree char *xml = shape_to_xml(&file_shape, "networkports", &file, SHAPE_XML_LIVE);
	return file_write(ports->path, xml, strlen(xml), 0600, FILE_CACHE, error);
}

NetworkPorts *network_ports_new(const char *run, const char *name, gboolean known)
{
	NetworkPorts *ports = g_new0(NetworkPorts, 1);
	ports->refs = 1;
	ports->path = g_strdup_printf("%s/%s.ports", run, name);
	ports->all = g_ptr_array_new_with_free_func(port_free);
	g_mutex_init(&ports->lock);
	if (known)
		load(ports);
	else
		g_unlink(ports->path);
	return ports;
}

NetworkPorts *network_ports_ref(NetworkPorts *ports)
{
	g_atomic_int_inc(&ports->refs);
	return ports;
}

void network_ports_unref(NetworkPorts *ports)
{
	if (!ports || !g_atomic_int_dec_and_test(&ports->refs))
		return;
	g_ptr_array_unref(ports->all);
	g_mutex_clear(&ports->lock);
	g_free(ports->path);
	g_free(ports);
}

void network_ports_forget(NetworkPorts *ports)
{
	g_mutex_lock(&ports->lock);
	ports->over = TRUE;
	g_ptr_array_set_size(ports->all, 0);
	g_unlink(ports->path);
	g_mutex_unlock(&ports->lock);
}

void network_info_clear(gpointer info)
{
	network_ports_unref(((NetworkInfo *)info)->ports);
}

/* ---- one network's ---- */

/* A reference; NULL with STATE where it is not active. */
static NetworkPorts *ports_of(CoreObject *object, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	if (snap->info)
		return network_ports_ref(((const NetworkInfo *)snap->info)->ports);
	fail(error, LODGE_ERROR_STATE, "network '%s' is not active: start it with \"lodge net-start %s\"",
	     snap->name, snap->name);
	return NULL;
}

/* What is active of the network that @snap shows; NULL: it was stopped meanwhile. */
static const Network *live_of(const ObjectSnap *snap)
{
	return snap->live ? snap->live->value : NULL;
}

/* Lock held. The place of the port; -1: there is none. */
static int find(const NetworkPorts *ports, const char *uuid)
{
	for (guint i = 0; i < ports->all->len; i++)
		if (!g_strcmp0(((const NetworkPort *)ports->all->pdata[i])->uuid, uuid))
			return (int)i;
	return -1;
}

static gboolean missing(const char *uuid, GError **error)
{
	return fail(error, LODGE_ERROR_NOT_FOUND, "there is no network port %s", uuid);
}

/* Adds @port, which it takes, to those of @live, unless it cannot be kept; lock held. Returns a copy. */
static NetworkPort *add(NetworkPorts *ports, const Network *live, NetworkPort *port, GError **error)
{
	gboolean active = !ports->over && live;
	gboolean ok = active ? floor_plan(live, ports->all, port, error) :
			       fail(error, LODGE_ERROR_STATE, "the network was stopped meanwhile");
	g_ptr_array_add(ports->all, port);
	/* written down before anything is made of it */
	if (ok && save(ports, error) && floor_apply(live, ports->all, port, error))
		return shape_copy(&network_port_shape, port);
	g_ptr_array_steal_index(ports->all, ports->all->len - 1);
	if (ok) {
		floor_remove(live, ports->all, port);
		save(ports, NULL);
	}
	network_port_free(port);
	return NULL;
}

GPtrArray *core_network_ports(CoreObject *object)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(port_free);
	NetworkPorts *ports = ports_of(object, NULL);
	if (!ports)
		return all;
	g_mutex_lock(&ports->lock);
	for (guint i = 0; i < ports->all->len; i++)
		g_ptr_array_add(all, shape_copy(&network_port_shape, ports->all->pdata[i]));
	g_mutex_unlock(&ports->lock);
	network_ports_unref(ports);
	return all;
}

NetworkPort *core_network_port_find(CoreObject *object, const char *uuid, GError **error)
{
	NetworkPorts *ports = ports_of(object, error);
	if (!ports)
		return NULL;
	g_mutex_lock(&ports->lock);
	int at = find(ports, uuid);
	NetworkPort *copy = at < 0 ? NULL : shape_copy(&network_port_shape, ports->all->pdata[at]);
	g_mutex_unlock(&ports->lock);
	network_ports_unref(ports);
	if (!copy)
		missing(uuid, error);
	return copy;
}

/* What comes from outside, and what the schema asks of it. */
static gboolean is_whole(const NetworkPort *port, GError **error)
{
	const struct {
		const char *type;
		gboolean whole;
	} plugs[] = {
		{ "network", port->plug_bridge != NULL },
		{ "bridge", port->plug_bridge != NULL },
		{ "direct", port->plug_dev && port->plug_mode },
		{ "hostdev-pci", port->plug_pci.slot.set || port->plug_pci.bus.set },
	};
	if (!port->owner_name || !port->owner_uuid)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_MISSING,
				 "networkport: owner/name or owner/uuid is missing");
	for (guint i = 0; i < G_N_ELEMENTS(plugs); i++)
		if (!g_strcmp0(port->plug_type, plugs[i].type))
			return plugs[i].whole ||
			       fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_MISSING,
					 "networkport: what <plug type='%s'> leads to is missing",
					 plugs[i].type);
	return !port->plug_type ||
	       fail(error, LODGE_ERROR_INVALID, "networkport: plug/@type \"%s\" is not known",
		    port->plug_type) ||
	       error_detail(error, LODGE_DETAIL_WORD, "plug/@type");
}

NetworkPort *core_network_port_create(CoreObject *object, const char *xml, gboolean validate,
				      GError **error)
{
	g_autoptr(NetworkPort) port = network_port_from_xml(xml, -1, NULL, NULL, error);
	NetworkPort *copy = NULL;
	if (!port || (validate && !shape_all_known(&network_port_shape, port, error)) ||
	    !is_whole(port, error))
		return NULL;
	NetworkPorts *ports = ports_of(object, error);
	if (!ports)
		return NULL;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	if (!port->uuid)
		port->uuid = g_uuid_string_random();
	g_mutex_lock(&ports->lock);
	if (find(ports, port->uuid) >= 0)
		fail(error, LODGE_ERROR_EXISTS, "there is a network port %s already", port->uuid);
	else
		copy = add(ports, live_of(snap), g_steal_pointer(&port), error);
	g_mutex_unlock(&ports->lock);
	network_ports_unref(ports);
	return copy;
}

static gboolean take_away(CoreObject *object, const char *uuid, GError **error)
{
	NetworkPorts *ports = ports_of(object, error);
	if (!ports)
		return FALSE;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_mutex_lock(&ports->lock);
	int at = find(ports, uuid);
	g_autoptr(NetworkPort) port = at < 0 ? NULL : g_ptr_array_steal_index(ports->all, (guint)at);
	if (port && live_of(snap))
		floor_remove(live_of(snap), ports->all, port);
	gboolean ok = at >= 0 ? save(ports, error) : missing(uuid, error);
	g_mutex_unlock(&ports->lock);
	network_ports_unref(ports);
	return ok;
}

gboolean core_network_port_delete(CoreObject *object, const char *uuid, GError **error)
{
	return take_away(object, uuid, error);
}

static Bandwidth *bandwidth_copy(const Bandwidth *bandwidth)
{
	return bandwidth ? shape_copy(&bandwidth_shape, bandwidth) : NULL;
}

/* Lock held. The port at @at gets other limits, and a floor where it had one or not. */
static gboolean limit(NetworkPorts *ports, const Network *live, guint at, const Bandwidth *inbound,
		      const Bandwidth *outbound, GError **error)
{
	NetworkPort *old = ports->all->pdata[at];
	g_autoptr(NetworkPort) port = shape_copy(&network_port_shape, old);
	shape_free(&bandwidth_shape, port->inbound);
	shape_free(&bandwidth_shape, port->outbound);
	port->inbound = bandwidth_copy(inbound);
	port->outbound = bandwidth_copy(outbound);
	ports->all->pdata[at] = port;
	if (!live || !floor_plan(live, ports->all, port, error)) {
		ports->all->pdata[at] = old;
		return live ? FALSE : fail(error, LODGE_ERROR_STATE, "the network was stopped meanwhile");
	}
	g_steal_pointer(&port);
	floor_remove(live, ports->all, old);
	network_port_free(old);
	return floor_apply(live, ports->all, ports->all->pdata[at], error) && save(ports, error);
}

gboolean core_network_port_limit(CoreObject *object, const char *uuid, const Bandwidth *inbound,
				 const Bandwidth *outbound, GError **error)
{
	NetworkPorts *ports = ports_of(object, error);
	if (!ports)
		return FALSE;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_mutex_lock(&ports->lock);
	int at = find(ports, uuid);
	gboolean ok = at >= 0 ? limit(ports, live_of(snap), (guint)at, inbound, outbound, error) :
				missing(uuid, error);
	g_mutex_unlock(&ports->lock);
	network_ports_unref(ports);
	return ok;
}

void network_ports_floors(NetworkPorts *ports, const Network *live)
{
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&ports->lock);
	for (guint i = 0; i < ports->all->len && !error; i++)
		floor_apply(live, ports->all, ports->all->pdata[i], &error);
	g_mutex_unlock(&ports->lock);
	if (error)
		log_warning(live->name, "floors of bandwidth are not kept: %s", error->message);
}

/* ---- guests ---- */

/* Lock held. */
static NetworkPort *join(NetworkPorts *ports, const Network *live, const Interface *iface, const char *owner,
			 const char *owner_uuid, GError **error)
{
	int at = iface->source->portid ? find(ports, iface->source->portid) : -1;
	if (at >= 0)
		return shape_copy(&network_port_shape, ports->all->pdata[at]);
	NetworkPort *port = net_plan_interface(live, iface, ports->all, error);
	if (!port)
		return NULL;
	port->uuid = iface->source->portid ? g_strdup(iface->source->portid) : g_uuid_string_random();
	port->owner_name = g_strdup(owner);
	port->owner_uuid = g_strdup(owner_uuid);
	return add(ports, live, port, error);
}

void network_ports_rejoin(NetworkPorts *ports, const Network *live, const Interface *iface,
			  const Guest *owner)
{
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&ports->lock);
	g_autoptr(NetworkPort) port = join(ports, live, iface, owner->name, owner->uuid, &error);
	g_mutex_unlock(&ports->lock);
	if (!port)
		log_warning(owner->name, "interface %s has no port of network %s any more: %s", iface->target,
			    live->name, error->message);
}

NetworkPort *core_network_plug(Core *core, const Interface *iface, const char *owner,
			       const char *owner_uuid, GError **error)
{
	g_autoptr(CoreObject) object =
		core_object_find_by(core, CORE_NETWORK, CORE_BY_NAME, iface->source->network, error);
	NetworkPorts *ports = object ? ports_of(object, error) : NULL;
	if (!ports)
		return NULL;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	NetworkPort *port = NULL;
	g_mutex_lock(&ports->lock);
	if (snap->live)
		port = join(ports, snap->live->value, iface, owner, owner_uuid, error);
	else
		fail(error, LODGE_ERROR_STATE, "network '%s' is not active", snap->name);
	g_mutex_unlock(&ports->lock);
	network_ports_unref(ports);
	return port;
}

void core_network_unplug(Core *core, const char *network, const char *port)
{
	g_autoptr(CoreObject) object =
		core_object_find_by(core, CORE_NETWORK, CORE_BY_NAME, network, NULL);
	if (object)
		take_away(object, port, NULL);
}

/* ---- started by ourselves ---- */

static void autostart_lane(gpointer data)
{
	g_autoptr(CoreObject) object = data;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	g_autoptr(GError) error = NULL;
	if (!core_object_autostart(object, TRUE, &error) ||
	    (!snap->active && !core_object_start(object, NULL, &error)))
		log_warning(snap->name, "%s", error->message);
}

void network_autostart_now(CoreObject *object)
{
	lane_post(core_object_lane(object), autostart_lane, core_object_ref(object));
}

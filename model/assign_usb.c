/* USB ports: what the document says stays, every other device gets the first free port, behind a hub
 * where the controllers have too few; hubs are added as they are needed. See assign.h. */
#include "base/error.h"
#include "model/assign.h"

#include <stdlib.h>
#include <string.h>

#define HUB_PORTS 8
#define DEPTH 4 /* ports in an address: "1.2.3.4" */

static const struct {
	const char *model;
	guint ports;
} controllers[] = {
	{ "piix3-uhci", 2 }, { "piix4-uhci", 2 }, { "vt82c686b-uhci", 2 }, { "pci-ohci", 3 },
	{ "ehci", 6 },	     { "ich9-ehci1", 6 }, { "ich9-ehci2", 6 },	   { "nec-xhci", 4 },
	{ "qemu-xhci", 4 },
};

typedef struct UsbHub {
	guint n;
	const char *kinds[32]; /* of the device at each port, 1 first; NULL: free */
	gconstpointer devices[32];
	struct UsbHub *hubs[32];
} UsbHub;

typedef struct Usb {
	Guest *guest;
	GPtrArray *buses; /* UsbHub *, by index of the controller; NULL where there is none */
	guint count;	  /* devices that need a port */
	const char *kind;
	GError **error;
} Usb;

/* The order in which kinds get their ports. */
static const char *const order[] = { "hub",    "hostdev", "disk",  "controller",
				     "input", "serial",  "sound", "redirdev", "interface" };

static void hub_free(gpointer data)
{
	UsbHub *hub = data;
	for (guint i = 0; hub && i < G_N_ELEMENTS(hub->hubs); i++)
		hub_free(hub->hubs[i]);
	g_free(hub);
}

static gboolean is_usb(const char *kind, gconstpointer device)
{
	if (g_str_equal(kind, "hub") || g_str_equal(kind, "redirdev"))
		return TRUE;
	if (g_str_equal(kind, "hostdev"))
		return ((const Hostdev *)device)->type == HOSTDEV_USB;
	if (g_str_equal(kind, "disk"))
		return ((const Disk *)device)->bus == DISK_BUS_USB;
	if (g_str_equal(kind, "controller"))
		return ((const Controller *)device)->type == CONTROLLER_CCID;
	if (g_str_equal(kind, "input"))
		return !g_strcmp0(((const Input *)device)->bus, "usb");
	if (g_str_equal(kind, "serial"))
		return !g_strcmp0(((const Chardev *)device)->target_type, "usb-serial");
	if (g_str_equal(kind, "sound"))
		return !g_strcmp0(((const Sound *)device)->model, "usb");
	return g_str_equal(kind, "interface") &&
	       !g_strcmp0(((const Interface *)device)->model, "usb-net");
}

static guint controller_ports(const Controller *c)
{
	if (c->ports.set)
		return (guint)MIN(c->ports.v, 15);
	for (guint i = 0; i < G_N_ELEMENTS(controllers); i++)
		if (!g_strcmp0(controllers[i].model, c->model))
			return controllers[i].ports;
	return 2;
}

static UsbHub *bus_at(const Usb *usb, guint64 index)
{
	return index < usb->buses->len ? g_ptr_array_index(usb->buses, index) : NULL;
}

static gboolean make_buses(Usb *usb)
{
	SHAPE_EACH (Controller, c, usb->guest->controllers) {
		if (c->type != CONTROLLER_USB || !g_strcmp0(c->model, "none"))
			continue;
		guint64 index = opt_uint_or(c->index, 0);
		if (index >= ASSIGN_MAX_BUSES)
			return fail(usb->error, LODGE_ERROR_INVALID,
				    "controller usb %" G_GUINT64_FORMAT ": the index is above %u",
				    index, ASSIGN_MAX_BUSES - 1);
		if (index >= usb->buses->len)
			g_ptr_array_set_size(usb->buses, (gint)index + 1);
		if (!bus_at(usb, index))
			g_ptr_array_index(usb->buses, index) = g_new0(UsbHub, 1);
		bus_at(usb, index)->n = MAX(bus_at(usb, index)->n, controller_ports(c));
	}
	return TRUE;
}

/* "1.2" into numbers; FALSE where it is none. */
static gboolean parse_port(const char *text, guint path[DEPTH], guint *depth)
{
	*depth = 0;
	for (const char *at = text; *at;) {
		char *end;
		gulong n = strtoul(at, &end, 10);
		if (!g_ascii_isdigit(*at) || n < 1 || n > 31 || *depth == DEPTH)
			return FALSE;
		path[(*depth)++] = (guint)n;
		if (*end && (*end != '.' || !end[1]))
			return FALSE;
		at = *end ? end + 1 : end;
	}
	return *depth > 0;
}

static gboolean bad_port(Usb *usb, const char *kind, gconstpointer device, const Address *a,
			 const char *why)
{
	g_autofree char *label = guest_device_label(usb->guest, kind, device);
	return fail(usb->error, LODGE_ERROR_INVALID,
		    "%s: USB address bus %" G_GUINT64_FORMAT " port %s %s", label,
		    opt_uint_or(a->bus, 0), a->port, why);
}

/* Takes the port at @path; hubs themselves are entered by their own address. */
static gboolean take(Usb *usb, const char *kind, gconstpointer device, const Address *a,
		     const guint *path, guint depth)
{
	UsbHub *hub = bus_at(usb, opt_uint_or(a->bus, 0));
	for (guint i = 0; hub && i + 1 < depth; i++)
		hub = path[i] <= hub->n ? hub->hubs[path[i] - 1] : NULL;
	if (!hub)
		return bad_port(usb, kind, device, a,
				"does not exist: add the controller or hub, or remove the address");
	guint port = path[depth - 1];
	if (port > hub->n)
		return bad_port(usb, kind, device, a,
				"does not exist: the controller has fewer ports");
	if (hub->kinds[port - 1]) {
		g_autofree char *by = guest_device_label(usb->guest, hub->kinds[port - 1],
							 hub->devices[port - 1]);
		g_autofree char *why = g_strdup_printf("is taken by %s", by);
		return bad_port(usb, kind, device, a, why);
	}
	hub->kinds[port - 1] = kind;
	hub->devices[port - 1] = device;
	if (g_str_equal(kind, "hub")) {
		hub->hubs[port - 1] = g_new0(UsbHub, 1);
		hub->hubs[port - 1]->n = HUB_PORTS;
	}
	return TRUE;
}

static gboolean has_port(const DeviceInfo *info)
{
	return device_has_address(info, ADDRESS_USB) && info->address->port;
}

static gboolean reserve(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Usb *usb = data;
	guint path[DEPTH], depth;
	if (!is_usb(kind, device))
		return TRUE;
	gboolean wanted = usb->kind ? g_str_equal(kind, usb->kind) : !g_str_equal(kind, "hub");
	if (!wanted || !has_port(info))
		return TRUE;
	if (!parse_port(info->address->port, path, &depth))
		return bad_port(usb, kind, device, info->address, "is not of the form 1.2");
	if (!info->address->bus.set)
		info->address->bus = OPT_UINT(0);
	return take(usb, kind, device, info->address, path, depth);
}

/* The first free port of @hub, its own before those of hubs behind it; its text goes to @path. */
static gboolean find_port(const UsbHub *hub, GString *path, guint depth)
{
	gsize start = path->len;
	for (guint i = 0; i < hub->n; i++)
		if (!hub->kinds[i]) {
			g_string_append_printf(path, "%s%u", start ? "." : "", i + 1);
			return TRUE;
		}
	for (guint i = 0; i < hub->n && depth < DEPTH; i++) {
		if (!hub->hubs[i])
			continue;
		g_string_append_printf(path, "%s%u", start ? "." : "", i + 1);
		if (find_port(hub->hubs[i], path, depth + 1))
			return TRUE;
		g_string_truncate(path, start);
	}
	return FALSE;
}

static gboolean place(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Usb *usb = data;
	guint path[DEPTH], depth;
	if (!g_str_equal(kind, usb->kind) || !is_usb(kind, device) || has_port(info))
		return TRUE;
	g_autoptr(GString) port = g_string_new(NULL);
	gboolean given = device_has_address(info, ADDRESS_USB) && info->address->bus.set;
	guint64 first = given ? info->address->bus.v : 0;
	for (guint64 b = first; b < usb->buses->len && (!given || b == first); b++) {
		if (!bus_at(usb, b) || !find_port(bus_at(usb, b), port, 1))
			continue;
		Address *a = device_set_address(info, ADDRESS_USB);
		a->bus = OPT_UINT(b);
		a->port = g_string_free(g_steal_pointer(&port), FALSE);
		return parse_port(a->port, path, &depth) && take(usb, kind, device, a, path, depth);
	}
	g_autofree char *label = guest_device_label(usb->guest, kind, device);
	return fail(usb->error, LODGE_ERROR_INVALID,
		    "%s: %s", label, usb->buses->len
			    ? "no USB port is left: add a USB controller"
			    : "it needs USB, which <controller type='usb' model='none'/> switches "
			      "off");
}

static gboolean count(const char *kind, gpointer device, G_GNUC_UNUSED DeviceInfo *info,
		      gpointer data)
{
	((Usb *)data)->count += is_usb(kind, device);
	return TRUE;
}

/* Hubs for those devices that the controllers have no ports for. */
static void add_hubs(Usb *usb)
{
	guint ports = shape_len(usb->guest->hubs) * HUB_PORTS;
	for (guint b = 0; b < usb->buses->len; b++)
		ports += bus_at(usb, b) ? bus_at(usb, b)->n : 0;
	guest_each_device(usb->guest, count, usb);
	if (!usb->buses->len || usb->count <= ports)
		return;
	for (guint n = (usb->count - ports + HUB_PORTS - 2) / (HUB_PORTS - 1); n; n--) {
		Hub *hub = shape_new(&hub_shape);
		hub->type = g_strdup("usb");
		shape_append(&usb->guest->hubs, &hub_shape, hub);
	}
}

static gboolean assign(Usb *usb)
{
	if (!make_buses(usb))
		return FALSE;
	add_hubs(usb);
	usb->kind = "hub";
	if (!guest_each_device(usb->guest, reserve, usb))
		return FALSE;
	usb->kind = NULL;
	if (!guest_each_device(usb->guest, reserve, usb))
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
		usb->kind = order[i];
		if (!guest_each_device(usb->guest, place, usb))
			return FALSE;
	}
	return TRUE;
}

gboolean assign_usb(Guest *guest, GError **error)
{
	Usb usb = { .guest = guest, .error = error,
		    .buses = g_ptr_array_new_with_free_func(hub_free) };
	gboolean ok = assign(&usb);
	g_ptr_array_unref(usb.buses);
	return ok;
}

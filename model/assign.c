/* See assign.h. */
#include "model/assign.h"
#include "base/error.h"

#include <string.h>

/* ---- helpers that the other steps use ---- */

static gboolean machine_is(const Guest *guest, const char *const *prefixes)
{
	const char *machine = guest->os.machine ? guest->os.machine : "";
	for (; *prefixes; prefixes++)
		if (g_str_has_prefix(machine, *prefixes))
			return TRUE;
	return FALSE;
}

gboolean guest_is_q35(const Guest *guest)
{
	static const char *const prefixes[] = { "pc-q35", "q35", NULL };
	return machine_is(guest, prefixes);
}

gboolean guest_is_i440fx(const Guest *guest)
{
	static const char *const prefixes[] = { "pc-i440", "pc-0", "pc-1", NULL };
	return !g_strcmp0(guest->os.machine, "pc") || machine_is(guest, prefixes);
}

Controller *guest_find_controller(const Guest *guest, ControllerType type, guint64 index)
{
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == type && opt_uint_or(c->index, 0) == index)
			return c;
	return NULL;
}

Controller *guest_add_controller(Guest *guest, ControllerType type, guint64 index,
				 const char *model)
{
	Controller *c = shape_new(&controller_shape);
	c->type = type;
	c->index = OPT_UINT(index);
	c->model = g_strdup(model);
	shape_append(&guest->controllers, &controller_shape, c);
	return c;
}

/* The number of @device among those of its kind, 1 first; 0 where it is not found. */
typedef struct Count {
	const char *kind;
	gconstpointer device;
	guint n;
} Count;

static gboolean count_kind(const char *kind, gpointer device, G_GNUC_UNUSED DeviceInfo *info,
			   gpointer data)
{
	Count *count = data;
	count->n += g_str_equal(kind, count->kind);
	return device != count->device;
}

char *guest_device_label(const Guest *guest, const char *kind, gconstpointer device)
{
	const Controller *c = device;
	if (g_str_equal(kind, "disk"))
		return g_strdup_printf("disk %s", ((const Disk *)device)->target);
	if (g_str_equal(kind, "controller"))
		return g_strdup_printf("controller %s %" G_GUINT64_FORMAT,
				       enum_name(&controller_types, c->type),
				       opt_uint_or(c->index, 0));
	if (g_str_equal(kind, "interface") && ((const Interface *)device)->mac)
		return g_strdup_printf("interface %s", ((const Interface *)device)->mac);
	if (!device)
		return g_strdup(kind);
	Count count = { .kind = kind, .device = device };
	guest_each_device((Guest *)guest, count_kind, &count);
	return count.n ? g_strdup_printf("%s %u", kind, count.n) : g_strdup(kind);
}

Address *device_set_address(DeviceInfo *info, AddressType type)
{
	shape_free(&address_shape, info->address);
	info->address = shape_new(&address_shape);
	info->address->type = type;
	return info->address;
}

gboolean device_has_address(const DeviceInfo *info, AddressType type)
{
	const Address *a = info->address;
	if (!a || a->type != type)
		return FALSE;
	if (type == ADDRESS_PCI) /* all zero is no place: libvirt reads it as "choose one" */
		return a->domain.v || a->bus.v || a->slot.v || a->function.v;
	return TRUE;
}

/* ---- controllers that devices need ---- */

static void need(Guest *guest, ControllerType type, guint64 index)
{
	for (guint64 i = 0; i <= MIN(index, ASSIGN_MAX_BUSES); i++)
		if (!guest_find_controller(guest, type, i))
			guest_add_controller(guest, type, i, NULL);
}

/* Buses of disks whose units belong to a controller, in the order in which libvirt adds it; how
 * many units one has decides where a name such as "sdh" sits. */
static const struct {
	DiskBus bus;
	ControllerType controller;
	guint units, per_bus;
} drives[] = {
	{ DISK_BUS_SCSI, CONTROLLER_SCSI, 7, 7 },
	{ DISK_BUS_FDC, CONTROLLER_FDC, 2, 2 },
	{ DISK_BUS_IDE, CONTROLLER_IDE, 4, 2 },
	{ DISK_BUS_SATA, CONTROLLER_SATA, 6, 6 },
};

static int drive_row(const Disk *disk)
{
	for (guint i = 0; i < G_N_ELEMENTS(drives); i++)
		if (drives[i].bus == disk->bus)
			return (int)i;
	return -1;
}

static void place_drive(Disk *disk)
{
	int row = drive_row(disk);
	int index = disk_index(disk->target);
	if (row < 0 || index < 0 || (disk->info.address && disk->info.address->type != ADDRESS_DRIVE))
		return;
	guint units = drives[row].units, per_bus = drives[row].per_bus;
	if (device_has_address(&disk->info, ADDRESS_DRIVE)) {
		Address *given = disk->info.address;
		OptUint *all[] = { &given->controller, &given->bus, &given->target, &given->unit };
		for (guint i = 0; i < G_N_ELEMENTS(all); i++)
			all[i]->set = TRUE;
		return;
	}
	Address *a = device_set_address(&disk->info, ADDRESS_DRIVE);
	a->controller = OPT_UINT((guint)index / units);
	a->bus = OPT_UINT((guint)index % units / per_bus);
	a->target = OPT_UINT(0);
	a->unit = OPT_UINT((guint)index % per_bus);
}

static gboolean check_drive_address(const Guest *guest, const Disk *disk, GError **error)
{
	int row = drive_row(disk);
	if (row < 0 || !device_has_address(&disk->info, ADDRESS_DRIVE))
		return TRUE;
	const Address *a = disk->info.address;
	SHAPE_EACH (Disk, other, guest->disks) {
		const Address *b = other->info.address;
		if (other == disk)
			break;
		if (other->bus != disk->bus || !device_has_address(&other->info, ADDRESS_DRIVE) ||
		    a->controller.v != b->controller.v || a->bus.v != b->bus.v ||
		    a->target.v != b->target.v || a->unit.v != b->unit.v)
			continue;
		return fail(error, LODGE_ERROR_INVALID,
			    "disks %s and %s are both at controller %u, bus %u, target %u, unit %u "
			    "of %s: change one <address> or <target>", other->target, disk->target,
			    (guint)a->controller.v, (guint)a->bus.v, (guint)a->target.v,
			    (guint)a->unit.v, enum_name(&disk_buses, disk->bus));
	}
	if (a->controller.v >= ASSIGN_MAX_BUSES)
		return fail(error, LODGE_ERROR_INVALID,
			    "disk %s: controller %" G_GUINT64_FORMAT " is above %u", disk->target,
			    a->controller.v, ASSIGN_MAX_BUSES - 1);
	gboolean pc = guest_is_i440fx(guest);
	if (disk->bus == DISK_BUS_IDE && (pc ? a->controller.v > 0 : guest_is_q35(guest)))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "disk %s: %s: use bus='sata' or 'virtio'", disk->target,
			    pc ? "the machine has one IDE controller with four units"
			       : "machine q35 has no IDE controller");
	return TRUE;
}

/* Where a SCSI device of the host sits: the first unit that no other device has. */
static gboolean unit_is_used(const Guest *guest, guint64 controller, guint64 unit)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		if (disk->bus == DISK_BUS_SCSI &&
		    device_has_address(&disk->info, ADDRESS_DRIVE) &&
		    disk->info.address->controller.v == controller &&
		    !disk->info.address->target.v && disk->info.address->unit.v == unit)
			return TRUE;
	SHAPE_EACH (Hostdev, hostdev, guest->hostdevs)
		if (hostdev->type == HOSTDEV_SCSI &&
		    device_has_address(&hostdev->info, ADDRESS_DRIVE) &&
		    hostdev->info.address->controller.v == controller &&
		    hostdev->info.address->unit.v == unit)
			return TRUE;
	return FALSE;
}

static void place_scsi_hostdev(Guest *guest, Hostdev *hostdev)
{
	guint64 n = 0;
	if (hostdev->type != HOSTDEV_SCSI || device_has_address(&hostdev->info, ADDRESS_DRIVE))
		return;
	while (unit_is_used(guest, n / 7, n % 7))
		n++;
	Address *a = device_set_address(&hostdev->info, ADDRESS_DRIVE);
	a->controller = OPT_UINT(n / 7);
	a->bus = a->target = OPT_UINT(0);
	a->unit = OPT_UINT(n % 7);
}

static gboolean place_drives(Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		place_drive(disk);
		if (!check_drive_address(guest, disk, error))
			return FALSE;
	}
	SHAPE_EACH (Hostdev, hostdev, guest->hostdevs) {
		place_scsi_hostdev(guest, hostdev);
		if (hostdev->type == HOSTDEV_SCSI)
			need(guest, CONTROLLER_SCSI, hostdev->info.address->controller.v);
	}
	return TRUE;
}

static void add_drive_controllers(Guest *guest)
{
	for (guint i = 0; i < G_N_ELEMENTS(drives); i++)
		SHAPE_EACH (Disk, disk, guest->disks)
			if (disk->bus == drives[i].bus)
				need(guest, drives[i].controller,
				     device_has_address(&disk->info, ADDRESS_DRIVE)
					     ? disk->info.address->controller.v : 0);
	const char *model = "lsilogic"; /* as that of a controller which says it */
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == CONTROLLER_SCSI && c->model && !g_str_equal(c->model, "auto")) {
			model = c->model;
			break;
		}
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == CONTROLLER_SCSI && (!c->model || g_str_equal(c->model, "auto"))) {
			g_free(c->model);
			c->model = g_strdup(model);
		}
}

/* ---- virtio-serial ---- */

#define SERIAL_PORTS 31 /* of a controller that does not say */

typedef struct Serial {
	Guest *guest;
	GHashTable *ports; /* "controller:port" -> Chardev */
	GError **error;
} Serial;

static char *port_key(guint64 controller, guint64 port)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, controller, port);
}

static gboolean is_virtio_serial(const char *kind, const Chardev *chardev)
{
	return (g_str_equal(kind, "channel") || g_str_equal(kind, "console")) &&
	       !g_strcmp0(chardev->target_type, "virtio");
}

static gboolean reserve_port(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Serial *serial = data;
	Address *a = info->address;
	if ((!g_str_equal(kind, "channel") && !g_str_equal(kind, "console")) ||
	    !is_virtio_serial(kind, device) || !device_has_address(info, ADDRESS_VIRTIO_SERIAL))
		return TRUE;
	g_autofree char *label = guest_device_label(serial->guest, kind, device);
	a->controller.set = a->bus.set = TRUE;
	a->bus.v = 0; /* there is one */
	if (a->controller.v >= ASSIGN_MAX_BUSES)
		return fail(serial->error, LODGE_ERROR_INVALID,
			    "%s: virtio-serial controller %" G_GUINT64_FORMAT " is above %u", label,
			    a->controller.v, ASSIGN_MAX_BUSES - 1);
	if (!guest_find_controller(serial->guest, CONTROLLER_VIRTIO_SERIAL, a->controller.v))
		guest_add_controller(serial->guest, CONTROLLER_VIRTIO_SERIAL, a->controller.v, NULL);
	if (!a->port_number.set)
		return TRUE;
	char *key = port_key(a->controller.v, a->port_number.v);
	Chardev *other = g_hash_table_lookup(serial->ports, key);
	g_hash_table_insert(serial->ports, key, device);
	if (!other)
		return TRUE;
	return fail(serial->error, LODGE_ERROR_INVALID,
		    "%s: port %u of virtio-serial controller %u is taken by %s \"%s\": change one "
		    "<address>", label, (guint)a->port_number.v, (guint)a->controller.v,
		    g_ptr_array_find(serial->guest->channels ? serial->guest->channels
							     : serial->guest->consoles, other, NULL)
			    ? "channel" : "console",
		    other->target_name ? other->target_name : "");
}

/* Port 0 is for consoles: guests look for one there. */
static gboolean take_port(Serial *serial, const Controller *c, Chardev *chardev, guint first)
{
	guint64 end = MIN(opt_uint_or(c->ports, SERIAL_PORTS), 511);
	for (guint port = first; port < end; port++) {
		g_autofree char *key = port_key(c->index.v, port);
		if (g_hash_table_contains(serial->ports, key))
			continue;
		g_hash_table_insert(serial->ports, g_steal_pointer(&key), chardev);
		Address *a = device_set_address(&chardev->info, ADDRESS_VIRTIO_SERIAL);
		a->controller = c->index;
		a->bus = OPT_UINT(0);
		a->port_number = OPT_UINT(port);
		return TRUE;
	}
	return FALSE;
}

static gboolean place_port(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Serial *serial = data;
	if ((!g_str_equal(kind, "channel") && !g_str_equal(kind, "console")) ||
	    !is_virtio_serial(kind, device))
		return TRUE;
	gboolean given = device_has_address(info, ADDRESS_VIRTIO_SERIAL);
	if (given && info->address->port_number.set)
		return TRUE;
	guint64 wanted = given ? info->address->controller.v : 0, unused = 0;
	guint first = g_str_equal(kind, "console") ? 0 : 1;
	SHAPE_EACH (Controller, c, serial->guest->controllers)
		if (c->type == CONTROLLER_VIRTIO_SERIAL && c->index.v >= wanted &&
		    take_port(serial, c, device, first))
			return TRUE;
	while (guest_find_controller(serial->guest, CONTROLLER_VIRTIO_SERIAL, unused))
		unused++;
	return take_port(serial,
			 guest_add_controller(serial->guest, CONTROLLER_VIRTIO_SERIAL, unused, NULL),
			 device, first);
}

static gboolean assign_serial(Guest *guest, GError **error)
{
	g_autoptr(GHashTable) ports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	Serial serial = { .guest = guest, .ports = ports, .error = error };
	return guest_each_device(guest, reserve_port, &serial) &&
	       guest_each_device(guest, place_port, &serial);
}

/* ---- card readers ---- */

static void assign_cards(Guest *guest)
{
	guint64 next = 0;
	SHAPE_EACH (Smartcard, card, guest->smartcards) {
		if (device_has_address(&card->info, ADDRESS_CCID)) {
			need(guest, CONTROLLER_CCID, card->info.address->controller.v);
			next = MAX(next, card->info.address->slot.v + 1);
			continue;
		}
		need(guest, CONTROLLER_CCID, 0);
		Address *a = device_set_address(&card->info, ADDRESS_CCID);
		a->controller = OPT_UINT(0);
		a->slot = OPT_UINT(next++);
	}
}

/* ---- memory modules ---- */

static gboolean slot_is_used(const Guest *guest, guint64 slot)
{
	SHAPE_EACH (MemoryModule, module, guest->memories)
		if (device_has_address(&module->info, ADDRESS_DIMM) &&
		    module->info.address->dimm_slot.set && module->info.address->dimm_slot.v == slot)
			return TRUE;
	return FALSE;
}

static void assign_dimms(Guest *guest)
{
	SHAPE_EACH (MemoryModule, module, guest->memories) {
		guint64 slot = 0;
		if (g_strcmp0(module->model, "dimm") && g_strcmp0(module->model, "nvdimm"))
			continue;
		if (device_has_address(&module->info, ADDRESS_DIMM) &&
		    module->info.address->dimm_slot.set)
			continue;
		while (slot_is_used(guest, slot))
			slot++;
		if (!device_has_address(&module->info, ADDRESS_DIMM))
			device_set_address(&module->info, ADDRESS_DIMM);
		module->info.address->dimm_slot = OPT_UINT(slot);
	}
}

/* ---- the board's own ---- */

/* Whether @c is a part of the ICH9 USB controller that @index is still without. */
static gboolean completes_ich9(const Guest *guest, const Controller *c, guint64 index)
{
	gboolean any = FALSE;
	if (c->type != CONTROLLER_USB || !c->model || !g_str_has_prefix(c->model, "ich9-"))
		return FALSE;
	SHAPE_EACH (Controller, other, guest->controllers) {
		if (other->type != CONTROLLER_USB || !other->index.set || other->index.v != index)
			continue;
		if (!other->model || !g_str_has_prefix(other->model, "ich9-") ||
		    g_str_equal(other->model, c->model))
			return FALSE;
		any = TRUE;
	}
	return any;
}

/* The next index of each type for controllers that do not say theirs. */
static void number_controllers(Guest *guest)
{
	SHAPE_EACH (Controller, c, guest->controllers) {
		gboolean pci = c->type == CONTROLLER_PCI;
		guint64 next = pci; /* 0 is the root */
		if (c->index.set)
			continue;
		SHAPE_EACH (Controller, other, guest->controllers)
			if (other->type == c->type && other->index.set)
				next = MAX(next, other->index.v + 1);
		if (pci && c->model && g_str_has_suffix(c->model, "-root"))
			next = 0;
		else if (next && completes_ich9(guest, c, next - 1))
			next--;
		c->index = OPT_UINT(next);
	}
}

static void add_board(Guest *guest)
{
	gboolean q35 = guest_is_q35(guest);
	if (!q35 && !guest_is_i440fx(guest))
		return;
	if (!guest_find_controller(guest, CONTROLLER_USB, 0))
		guest_add_controller(guest, CONTROLLER_USB, 0, NULL);
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == CONTROLLER_USB && !c->model)
			c->model = g_strdup(q35 ? "qemu-xhci" : "piix3-uhci");
	if (q35 && !guest_find_controller(guest, CONTROLLER_SATA, 0))
		guest_add_controller(guest, CONTROLLER_SATA, 0, NULL);
	if (!guest_find_controller(guest, CONTROLLER_PCI, 0))
		guest_add_controller(guest, CONTROLLER_PCI, 0, q35 ? "pcie-root" : "pci-root");
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == CONTROLLER_PCI && !c->model)
			c->model = g_strdup(c->index.v == 0 ? q35 ? "pcie-root" : "pci-root"
					    : q35	    ? "pcie-root-port"
							    : "pci-bridge");
}

/* Companions of an ICH9 USB controller say which of its ports are theirs. */
static void fill_companions(Guest *guest)
{
	static const struct {
		const char *model;
		guint port;
	} starts[] = { { "ich9-uhci1", 0 }, { "ich9-uhci2", 2 }, { "ich9-uhci3", 4 },
		       { "ich9-uhci4", 0 }, { "ich9-uhci5", 2 }, { "ich9-uhci6", 4 } };
	SHAPE_EACH (Controller, c, guest->controllers)
		for (guint i = 0; c->type == CONTROLLER_USB && i < G_N_ELEMENTS(starts); i++)
			if (!g_strcmp0(c->model, starts[i].model) && !c->master_startport.set)
				c->master_startport = OPT_UINT(starts[i].port);
}

/* Two controllers of one type and index, unless they are parts of one (ICH9's USB). */
static gboolean check_controllers(const Guest *guest, GError **error)
{
	SHAPE_EACH (Controller, c, guest->controllers) {
		const Controller *first = guest_find_controller(guest, c->type, c->index.v);
		gboolean parts = c->type == CONTROLLER_USB && c->model && first->model &&
				 g_str_has_prefix(c->model, "ich9-") &&
				 g_str_has_prefix(first->model, "ich9-") &&
				 !g_str_equal(c->model, first->model);
		if (first != c && !parts)
			return fail(error, LODGE_ERROR_INVALID,
				    "controller %s %u stands twice (lines %d and %d): remove one or "
				    "change its index", enum_name(&controller_types, c->type),
				    (guint)c->index.v, first->head.line, c->head.line);
	}
	const Controller *root = guest_find_controller(guest, CONTROLLER_PCI, 0);
	const char *wanted = guest_is_q35(guest) ? "pcie-root" : "pci-root";
	if (root && (guest_is_q35(guest) || guest_is_i440fx(guest)) &&
	    g_strcmp0(root->model, wanted))
		return fail(error, LODGE_ERROR_INVALID,
			    "controller pci 0: machine \"%s\" has a %s, not a %s", guest->os.machine,
			    wanted, root->model);
	return TRUE;
}

/* A console on a serial port is that port: same place. */
static void align_console(Guest *guest)
{
	const Chardev *serial = shape_len(guest->serials) ? g_ptr_array_index(guest->serials, 0)
							  : NULL;
	Chardev *console = shape_len(guest->consoles) ? g_ptr_array_index(guest->consoles, 0)
						      : NULL;
	if (!serial || !console || g_strcmp0(console->target_type, "serial"))
		return;
	shape_free(&address_shape, console->info.address);
	console->info.address = serial->info.address
					? shape_copy(&address_shape, serial->info.address)
					: NULL;
}

gboolean guest_assign_addresses(Guest *guest, GError **error)
{
	number_controllers(guest);
	if (!place_drives(guest, error))
		return FALSE;
	add_board(guest);
	add_drive_controllers(guest);
	fill_companions(guest);
	if (!check_controllers(guest, error) || !assign_serial(guest, error))
		return FALSE;
	assign_cards(guest);
	assign_dimms(guest);
	if (!assign_usb(guest, error) || !assign_pci(guest, error))
		return FALSE;
	align_console(guest);
	return TRUE;
}

/* PCI addresses, as libvirt assigns them: chips of the board where they are soldered, then what the
 * document says, then every other device in the first place that takes it, in a fixed order of
 * kinds. A dry run first finds out how many bridges and root ports are missing; they are added to
 * the definition, one spare port on PCI Express included, and the second run is the real one.
 * See assign.h. */
#include "base/error.h"
#include "model/assign.h"

#include <string.h>

/* What a device is for its bus, and what a bus takes. */
typedef enum Connect {
	C_NONE = 0,
	C_PCI = 1 << 0,
	C_PCIE = 1 << 1,
	C_ROOT_PORT = 1 << 2,
	C_UPSTREAM = 1 << 3,
	C_DOWNSTREAM = 1 << 4,
	C_DMI_BRIDGE = 1 << 5,
	C_PCIE_TO_PCI = 1 << 6,
	C_PCI_BRIDGE = 1 << 7,
	C_PXB = 1 << 8,
	C_PXB_PCIE = 1 << 9,
	C_ROOT_ENDPOINT = 1 << 10, /* soldered to the root of PCI Express */
	C_VIRTIO = 1 << 11,	   /* express where the machine has it, else conventional */
} Connect;

/* PCI controllers: as a device (@is), as a bus (@takes, slots), QEMU's name, numbers they need. */
typedef struct BusKind {
	const char *model;
	guint is, takes;
	guint8 first, last; /* slots */
	const char *device;
	gboolean chassis, chassis_nr, bus_nr;
	guint shift; /* the port's number is the slot shifted, plus the function */
} BusKind;

static const BusKind bus_kinds[] = {
	{ "pci-root", 0, C_PCI | C_PCI_BRIDGE | C_PXB, 1, 31 },
	{ "pcie-root", 0, C_ROOT_PORT | C_DMI_BRIDGE | C_PXB_PCIE | C_ROOT_ENDPOINT, 1, 31 },
	{ "pci-bridge", C_PCI_BRIDGE, C_PCI | C_PCI_BRIDGE, 1, 31, "pci-bridge", .chassis_nr = TRUE },
	{ "dmi-to-pci-bridge", C_DMI_BRIDGE, C_PCI | C_PCI_BRIDGE, 0, 31, "i82801b11-bridge" },
	{ "pcie-to-pci-bridge", C_PCIE_TO_PCI, C_PCI | C_PCI_BRIDGE, 1, 31, "pcie-pci-bridge" },
	{ "pcie-root-port", C_ROOT_PORT, C_PCIE | C_UPSTREAM | C_PCIE_TO_PCI, 0, 0,
	  "pcie-root-port", .chassis = TRUE, .shift = 3 },
	{ "pcie-switch-upstream-port", C_UPSTREAM, C_DOWNSTREAM, 0, 31, "x3130-upstream" },
	{ "pcie-switch-downstream-port", C_DOWNSTREAM, C_PCIE | C_UPSTREAM | C_PCIE_TO_PCI, 0, 0,
	  "xio3130-downstream", .chassis = TRUE },
	{ "pci-expander-bus", C_PXB, C_PCI | C_PCI_BRIDGE, 0, 31, "pxb", .bus_nr = TRUE },
	{ "pcie-expander-bus", C_PXB_PCIE, C_ROOT_PORT | C_DMI_BRIDGE, 0, 31, "pxb-pcie",
	  .bus_nr = TRUE },
};

/* Devices on PCI by kind and model; the first row that fits counts, model NULL fits all. What is
 * not here is not a PCI device. */
static const struct {
	const char *kind, *model;
	Connect connect;
} devices[] = {
	{ "filesystem", "virtio-transitional", C_PCI },
	{ "filesystem", NULL, C_VIRTIO },
	{ "interface", "usb-net", C_NONE },
	{ "interface", "e1000", C_PCI },
	{ "interface", "rtl8139", C_PCI },
	{ "interface", "vmxnet3", C_PCI },
	{ "interface", "virtio-transitional", C_PCI },
	{ "interface", NULL, C_VIRTIO },
	{ "sound", "sb16", C_NONE },
	{ "sound", "pcspk", C_NONE },
	{ "sound", "usb", C_NONE },
	{ "sound", NULL, C_PCI },
	{ "controller", "usb:none", C_NONE },
	{ "controller", "usb:nec-xhci", C_VIRTIO },
	{ "controller", "usb:qemu-xhci", C_VIRTIO },
	{ "controller", "usb:", C_PCI },
	{ "controller", "scsi:virtio-scsi", C_VIRTIO },
	{ "controller", "scsi:virtio-non-transitional", C_VIRTIO },
	{ "controller", "scsi:", C_PCI },
	{ "controller", "virtio-serial:virtio-transitional", C_PCI },
	{ "controller", "virtio-serial:", C_VIRTIO },
	{ "controller", "sata:", C_PCI },
	{ "controller", "ide:", C_PCI },
	{ "disk", "virtio:virtio-transitional", C_PCI },
	{ "disk", "virtio:", C_VIRTIO },
	{ "disk", "nvme:", C_VIRTIO },
	{ "hostdev", "pci:", C_VIRTIO },
	{ "hostdev", "mdev:", C_VIRTIO },
	{ "hostdev", "scsi_host:virtio-transitional", C_PCI },
	{ "hostdev", "scsi_host:", C_VIRTIO },
	{ "memballoon", "none", C_NONE },
	{ "memballoon", "virtio-transitional", C_PCI },
	{ "memballoon", NULL, C_VIRTIO },
	{ "rng", "virtio-transitional", C_PCI },
	{ "rng", NULL, C_VIRTIO },
	{ "watchdog", "i6300esb", C_PCI },
	{ "video", "none", C_NONE },
	{ "video", "ramfb", C_NONE },
	{ "video", "virtio", C_VIRTIO },
	{ "video", "bochs", C_VIRTIO },
	{ "video", NULL, C_PCI },
	{ "shmem", NULL, C_PCI },
	{ "input", "virtio:virtio-transitional", C_PCI },
	{ "input", "virtio:", C_VIRTIO },
	{ "serial", "pci-serial", C_PCI },
	{ "vsock", "virtio-transitional", C_PCI },
	{ "vsock", NULL, C_VIRTIO },
	{ "memory", "virtio-mem", C_VIRTIO },
	{ "memory", "virtio-pmem", C_VIRTIO },
	{ "iommu", "virtio", C_ROOT_ENDPOINT },
	{ "panic", "pvpanic", C_ROOT_ENDPOINT },
	{ "crypto", NULL, C_VIRTIO },
};

/* The order in which kinds get their places (libvirt's, so that slots come out the same). */
static const char *const order[] = { "filesystem", "interface", "sound",  "controller", "disk",
				     "hostdev",	   "memballoon", "rng",   "watchdog",	"video",
				     "shmem",	   "input",	 "serial", "vsock",	"memory",
				     "iommu",	   "panic",	 "crypto" };

typedef struct Function {
	const char *kind; /* of the device that sits here; NULL: free */
	gconstpointer device;
	DeviceInfo *info;
} Function;

typedef struct Slot {
	Function functions[8];
	gboolean aggregate; /* it was given out function by function */
} Slot;

typedef struct Bus {
	const BusKind *kind;
	guint n_slots; /* 0 up to the kind's last one */
	Slot slots[];
} Bus;

typedef struct Pci {
	Guest *guest;
	GPtrArray *buses; /* Bus * */
	GHashTable *placed; /* the devices that have a place */
	gboolean dry, q35;
	guint before;  /* only buses below this; 0: any. A bridge sits on a bus before its own */
	gboolean full; /* the document's addresses left nothing free */
	GError **error;
	const char *kind; /* the pass of the moment */
} Pci;

static const BusKind *bus_kind(const char *model)
{
	for (guint i = 0; i < G_N_ELEMENTS(bus_kinds); i++)
		if (!g_strcmp0(bus_kinds[i].model, model))
			return &bus_kinds[i];
	return NULL;
}

static Bus *bus_at(const Pci *pci, guint64 index)
{
	return index < pci->buses->len ? g_ptr_array_index(pci->buses, index) : NULL;
}

/* ---- what a device is ---- */

static char *device_model(const char *kind, gconstpointer device)
{
	const Controller *c = device;
	const Disk *disk = device;
	const Input *input = device;
	const Hostdev *hostdev = device;
	if (g_str_equal(kind, "controller"))
		return g_strconcat(enum_name(&controller_types, c->type), ":", c->model, NULL);
	if (g_str_equal(kind, "disk"))
		return disk->bus ? g_strconcat(enum_name(&disk_buses, disk->bus), ":", disk->model,
					       NULL)
				 : NULL;
	if (g_str_equal(kind, "input"))
		return g_strconcat(input->bus ? input->bus : "", ":", input->model, NULL);
	if (g_str_equal(kind, "hostdev"))
		return g_strconcat(enum_name(&hostdev_types, hostdev->type), ":", hostdev->model,
				   NULL);
	if (g_str_equal(kind, "serial"))
		return g_strdup(((const Chardev *)device)->target_type);
	static const struct {
		const char *kind;
		size_t offset;
	} models[] = {
		{ "filesystem", offsetof(Filesystem, model) },
		{ "interface", offsetof(Interface, model) },
		{ "sound", offsetof(Sound, model) },
		{ "memballoon", offsetof(Memballoon, model) },
		{ "rng", offsetof(Rng, model) },
		{ "watchdog", offsetof(Watchdog, model) },
		{ "video", offsetof(Video, model) },
		{ "vsock", offsetof(Vsock, model) },
		{ "memory", offsetof(MemoryModule, model) },
		{ "iommu", offsetof(Iommu, model) },
		{ "panic", offsetof(Panic, model) },
	};
	for (guint i = 0; i < G_N_ELEMENTS(models); i++)
		if (g_str_equal(models[i].kind, kind))
			return g_strdup(*(char *const *)((const char *)device + models[i].offset));
	return NULL;
}

static gboolean model_fits(const char *pattern, const char *model)
{
	if (!pattern)
		return TRUE;
	if (!model)
		return FALSE;
	return g_str_has_suffix(pattern, ":") ? g_str_has_prefix(model, pattern)
					      : g_str_equal(model, pattern);
}

/* What @device needs of its bus; C_NONE: it is not on PCI. */
static guint device_connect(const Pci *pci, const char *kind, gconstpointer device)
{
	const Controller *c = device;
	if (g_str_equal(kind, "controller") && c->type == CONTROLLER_PCI) {
		const BusKind *as = bus_kind(c->model);
		return as ? as->is : C_NONE;
	}
	g_autofree char *model = device_model(kind, device);
	for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
		if (!g_str_equal(devices[i].kind, kind) || !model_fits(devices[i].model, model))
			continue;
		if (devices[i].connect == C_VIRTIO)
			return pci->q35 ? C_PCIE : C_PCI;
		if (devices[i].connect == C_ROOT_ENDPOINT && !pci->q35)
			return C_PCI;
		return devices[i].connect;
	}
	return C_NONE;
}

/* ---- buses ---- */

static void add_bus(Pci *pci, const char *model)
{
	const BusKind *kind = bus_kind(model);
	Bus *bus = g_malloc0(sizeof(Bus) + (kind->last + 1) * sizeof(Slot));
	bus->kind = kind;
	bus->n_slots = kind->last + 1;
	g_ptr_array_add(pci->buses, bus);
}

static gboolean slot_is_free(const Bus *bus, guint slot)
{
	for (guint f = 0; f < 8; f++)
		if (bus->slots[slot].functions[f].kind)
			return FALSE;
	return TRUE;
}

/* A free function on @bus for something that is @connect. Ports share a slot function by function. */
static gboolean find_on_bus(const Bus *bus, guint connect, guint *slot, guint *function)
{
	if (!(bus->kind->takes & connect))
		return FALSE;
	for (*slot = bus->kind->first; *slot <= bus->kind->last; (*slot)++) {
		*function = 0;
		if (slot_is_free(bus, *slot))
			return TRUE;
		if (connect != C_ROOT_PORT || !bus->slots[*slot].aggregate)
			continue;
		for (*function = 0; *function < 8; (*function)++)
			if (!bus->slots[*slot].functions[*function].kind)
				return TRUE;
	}
	return FALSE;
}

static gboolean find_place(const Pci *pci, guint connect, guint *bus, guint *slot, guint *function)
{
	guint end = MIN(pci->buses->len, pci->before ? pci->before : G_MAXUINT);
	for (*bus = 0; *bus < end; (*bus)++)
		if (find_on_bus(bus_at(pci, *bus), connect, slot, function))
			return TRUE;
	return FALSE;
}

/* Dry run: one more bus (or two, for conventional devices on PCI Express) that takes @connect. */
static gboolean grow(Pci *pci, guint connect)
{
	guint bus, slot, function;
	if (pci->buses->len >= ASSIGN_MAX_BUSES)
		return FALSE;
	if (!pci->q35 && (connect & (C_PCI | C_PCI_BRIDGE))) {
		add_bus(pci, "pci-bridge");
		return TRUE;
	}
	if (pci->q35 && (connect & (C_PCI | C_PCI_BRIDGE))) {
		add_bus(pci, "pcie-root-port");
		if (find_place(pci, C_PCIE_TO_PCI, &bus, &slot, &function))
			bus_at(pci, bus)->slots[slot].functions[function].kind = "bridge";
		add_bus(pci, "pcie-to-pci-bridge");
		return TRUE;
	}
	if (pci->q35 && (connect & (C_PCIE | C_UPSTREAM | C_PCIE_TO_PCI))) {
		add_bus(pci, "pcie-root-port");
		return TRUE;
	}
	return FALSE;
}

static gboolean no_room(Pci *pci, const char *kind, gconstpointer device)
{
	g_autofree char *label = guest_device_label(pci->guest, kind, device);
	return fail(pci->error, LODGE_ERROR_INVALID,
		    "%s: no PCI slot is left that takes it: remove devices or add a PCI controller",
		    label);
}

static Function *function_at(const Pci *pci, const Address *a)
{
	Bus *bus = bus_at(pci, a->bus.v);
	return bus && a->slot.v < bus->n_slots ? &bus->slots[a->slot.v].functions[a->function.v & 7]
					       : NULL;
}

static void occupy(Pci *pci, Function *f, const char *kind, gconstpointer device, DeviceInfo *info)
{
	*f = (Function){ kind, device, info };
	if (device)
		g_hash_table_add(pci->placed, (gpointer)device);
}

/* Writes a found place into @info and marks it as used. */
static void take(Pci *pci, const char *kind, gconstpointer device, DeviceInfo *info, guint bus,
		 guint slot, guint function)
{
	occupy(pci, &bus_at(pci, bus)->slots[slot].functions[function], kind, device, info);
	if (pci->dry)
		return;
	Tri multifunction = info->address && info->address->type == ADDRESS_PCI
				    ? info->address->multifunction
				    : TRI_ABSENT;
	Address *a = device_set_address(info, ADDRESS_PCI);
	a->domain = OPT_UINT(0);
	a->bus = OPT_UINT(bus);
	a->slot = OPT_UINT(slot);
	a->function = OPT_UINT(function);
	a->multifunction = multifunction;
}

static gboolean next_place(Pci *pci, const char *kind, gconstpointer device, DeviceInfo *info,
			   guint connect)
{
	guint bus, slot, function;
	if (!find_place(pci, connect, &bus, &slot, &function) &&
	    (!pci->dry || !grow(pci, connect) ||
	     !find_place(pci, connect, &bus, &slot, &function)))
		return no_room(pci, kind, device);
	if (connect == C_ROOT_PORT)
		bus_at(pci, bus)->slots[slot].aggregate = TRUE;
	take(pci, kind, device, info, bus, slot, function);
	return TRUE;
}

/* ---- addresses of the document ---- */

static gboolean in_use(Pci *pci, const char *kind, gconstpointer device, const Address *a,
		       const Function *other)
{
	g_autofree char *label = guest_device_label(pci->guest, kind, device);
	g_autofree char *by = other->device
				      ? guest_device_label(pci->guest, other->kind, other->device)
				      : g_strdup(other->kind);
	return fail(pci->error, LODGE_ERROR_INVALID,
		    "%s: PCI address %04x:%02x:%02x.%x is taken by %s: change or remove one "
		    "<address>", label, (guint)a->domain.v, (guint)a->bus.v, (guint)a->slot.v,
		    (guint)a->function.v, by);
}

static gboolean bad_slot(Pci *pci, const char *kind, gconstpointer device, const Address *a)
{
	const Bus *bus = bus_at(pci, a->bus.v);
	g_autofree char *label = guest_device_label(pci->guest, kind, device);
	if (a->domain.v)
		return fail(pci->error, LODGE_ERROR_INVALID,
			    "%s: PCI domain 0x%04x does not exist: only 0x0000 does", label,
			    (guint)a->domain.v);
	if (!bus)
		return fail(pci->error, LODGE_ERROR_INVALID,
			    "%s: PCI bus 0x%02x does not exist: add a <controller type='pci' "
			    "index='%u'>", label, (guint)a->bus.v, (guint)a->bus.v);
	return fail(pci->error, LODGE_ERROR_INVALID,
		    "%s: slot 0x%02x does not exist on PCI bus 0x%02x (%s), which has 0x%02x to "
		    "0x%02x", label, (guint)a->slot.v, (guint)a->bus.v, bus->kind->model,
		    bus->kind->first, bus->kind->last);
}

/* A bus that only an address names is made, of the kind that takes the device. */
static gboolean reach_bus(Pci *pci, const Address *a, guint connect)
{
	while (pci->dry && a->bus.v < ASSIGN_MAX_BUSES && a->bus.v >= pci->buses->len)
		if (!grow(pci, connect))
			return FALSE;
	return bus_at(pci, a->bus.v) != NULL;
}

static gboolean reserve(Pci *pci, const char *kind, gconstpointer device, DeviceInfo *info,
			guint connect)
{
	Address *a = info->address;
	if (a->domain.v || !reach_bus(pci, a, connect))
		return bad_slot(pci, kind, device, a);
	const Controller *c = device;
	if (g_str_equal(kind, "controller") && c->type == CONTROLLER_PCI && c->index.v <= a->bus.v)
		return fail(pci->error, LODGE_ERROR_INVALID,
			    "controller pci %u: it cannot sit on PCI bus 0x%02x: only on one below "
			    "its own index", (guint)c->index.v, (guint)a->bus.v);
	const Bus *bus = bus_at(pci, a->bus.v);
	if (a->slot.v < bus->kind->first || a->slot.v > bus->kind->last)
		return bad_slot(pci, kind, device, a);
	Function *f = function_at(pci, a);
	if (f->kind)
		return in_use(pci, kind, device, a, f);
	occupy(pci, f, kind, device, info);
	if (connect == C_ROOT_PORT && (a->function.v || a->multifunction == TRI_YES))
		bus_at(pci, a->bus.v)->slots[a->slot.v].aggregate = TRUE;
	a->domain = OPT_UINT(0);
	a->bus.set = a->slot.set = a->function.set = TRUE;
	return TRUE;
}

static gboolean reserve_device(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Pci *pci = data;
	if (!device_has_address(info, ADDRESS_PCI) || g_str_equal(kind, "console"))
		return TRUE;
	guint connect = device_connect(pci, kind, device);
	return reserve(pci, kind, device, info, connect ? connect : C_PCI);
}

/* ---- chips of the board ---- */

/* Takes @slot.@function of the root for @info if nothing else says where it is. */
static gboolean solder(Pci *pci, const char *kind, gconstpointer device, DeviceInfo *info,
		       guint slot, guint function, gboolean must)
{
	Function *f = &bus_at(pci, 0)->slots[slot].functions[function];
	if (!device_has_address(info, ADDRESS_PCI)) {
		if (f->kind && !must)
			return TRUE;
		Address a = { .slot = OPT_UINT(slot), .function = OPT_UINT(function) };
		if (f->kind)
			return in_use(pci, kind, device, &a, f);
		take(pci, kind, device, info, 0, slot, function);
		return TRUE;
	}
	const Address *a = info->address;
	if (!must || (!a->bus.v && a->slot.v == slot && a->function.v == function))
		return TRUE;
	g_autofree char *label = guest_device_label(pci->guest, kind, device);
	return fail(pci->error, LODGE_ERROR_INVALID,
		    "%s: it is part of the board, at PCI address 0000:00:%02x.%x: remove its "
		    "<address>", label, slot, function);
}

/* The rest of a slot that chips of the board fill. */
static void block_slot(Pci *pci, guint slot, const char *what)
{
	Function *f = bus_at(pci, 0)->slots[slot].functions;
	for (guint i = 0; i < 8; i++)
		if (!f[i].kind)
			f[i].kind = what;
}

static const struct {
	const char *model;
	guint slot, function; /* of ich9 on q35; the function elsewhere too */
} ich9[] = {
	{ "ich9-ehci1", 0x1d, 7 }, { "ich9-uhci1", 0x1d, 0 }, { "ich9-uhci2", 0x1d, 1 },
	{ "ich9-uhci3", 0x1d, 2 }, { "ich9-ehci2", 0x1a, 7 }, { "ich9-uhci4", 0x1a, 0 },
	{ "ich9-uhci5", 0x1a, 1 }, { "ich9-uhci6", 0x1a, 2 },
};

static int ich9_row(const Controller *c)
{
	for (guint i = 0; c->type == CONTROLLER_USB && i < G_N_ELEMENTS(ich9); i++)
		if (!g_strcmp0(c->model, ich9[i].model))
			return (int)i;
	return -1;
}

/* The slot of a controller that shares the index of @c, as companions of one another do. */
static gboolean companion_slot(Pci *pci, const Controller *c, guint *bus, guint *slot)
{
	for (guint b = 0; b < pci->buses->len; b++)
		for (guint s = 0; s < bus_at(pci, b)->n_slots; s++)
			for (guint f = 0; f < 8; f++) {
				const Function *at = &bus_at(pci, b)->slots[s].functions[f];
				const Controller *other = at->device;
				if (!at->kind || !other || other == c ||
				    !g_str_equal(at->kind, "controller") || ich9_row(other) < 0 ||
				    other->index.v != c->index.v)
					continue;
				*bus = b;
				*slot = s;
				return TRUE;
			}
	return FALSE;
}

static gboolean place_ich9(Pci *pci, Controller *c)
{
	static const guint places[] = { 0, 0x1d, 0x1a }; /* the model's own first */
	guint bus = 0, slot = 0, function = 0;
	guint row = (guint)ich9_row(c);
	gboolean found = companion_slot(pci, c, &bus, &slot);
	for (guint i = 0; !found && pci->q35 && i < G_N_ELEMENTS(places); i++) {
		slot = i ? places[i] : ich9[row].slot;
		found = slot_is_free(bus_at(pci, 0), slot);
	}
	if (!found && !find_place(pci, C_PCI, &bus, &slot, &function) &&
	    (!pci->dry || !grow(pci, C_PCI) || !find_place(pci, C_PCI, &bus, &slot, &function)))
		return no_room(pci, "controller", c);
	const Function *f = &bus_at(pci, bus)->slots[slot].functions[ich9[row].function];
	if (f->kind) {
		Address a = { .bus = OPT_UINT(bus), .slot = OPT_UINT(slot),
			      .function = OPT_UINT(ich9[row].function) };
		return in_use(pci, "controller", c, &a, f);
	}
	take(pci, "controller", c, &c->info, bus, slot, ich9[row].function);
	return TRUE;
}

static gboolean solder_controller(Pci *pci, Controller *c)
{
	gboolean first = opt_uint_or(c->index, 0) == 0;
	if (!pci->q35 && first && c->type == CONTROLLER_IDE)
		return solder(pci, "controller", c, &c->info, 1, 1, TRUE);
	if (!pci->q35 && first && c->type == CONTROLLER_USB && !g_strcmp0(c->model, "piix3-uhci"))
		return solder(pci, "controller", c, &c->info, 1, 2, TRUE);
	if (pci->q35 && first && c->type == CONTROLLER_SATA)
		return solder(pci, "controller", c, &c->info, 0x1f, 2, TRUE);
	if (pci->q35 && ich9_row(c) >= 0 && !device_has_address(&c->info, ADDRESS_PCI))
		return place_ich9(pci, c);
	if (pci->q35 && c->type == CONTROLLER_PCI && !g_strcmp0(c->model, "dmi-to-pci-bridge"))
		return solder(pci, "controller", c, &c->info, 0x1e, 0, FALSE);
	return TRUE;
}

/* The first video card sits where the firmware looks for it, unless that place is taken. */
static gboolean solder_video(Pci *pci)
{
	Video *video = shape_len(pci->guest->videos) ? g_ptr_array_index(pci->guest->videos, 0)
						     : NULL;
	guint slot = pci->q35 ? 1 : 2;
	if (!video || device_connect(pci, "video", video) == C_NONE ||
	    !slot_is_free(bus_at(pci, 0), slot))
		return TRUE;
	return solder(pci, "video", video, &video->info, slot, 0, FALSE);
}

static gboolean solder_board(Pci *pci)
{
	gboolean piix3 = !pci->q35;
	SHAPE_EACH (Controller, c, pci->guest->controllers)
		if (!solder_controller(pci, c))
			return FALSE;
	if (piix3)
		block_slot(pci, 1, "the PIIX3 chip of the board");
	else
		block_slot(pci, 0x1f, "the ICH9 chip of the board");
	if (!solder_video(pci))
		return FALSE;
	SHAPE_EACH (Sound, sound, pci->guest->sounds)
		if (pci->q35 && !g_strcmp0(sound->model, "ich9") &&
		    slot_is_free(bus_at(pci, 0), 0x1b) &&
		    !solder(pci, "sound", sound, &sound->info, 0x1b, 0, FALSE))
			return FALSE;
	return TRUE;
}

/* ---- everything else, in order ---- */

static gboolean place_device(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Pci *pci = data;
	Controller *c = device;
	gboolean bus_pass = g_str_equal(pci->kind, "pci");
	if (!g_str_equal(kind, bus_pass ? "controller" : pci->kind) ||
	    g_hash_table_contains(pci->placed, device))
		return TRUE;
	if (info->address && info->address->type != ADDRESS_PCI)
		return TRUE;
	if (g_str_equal(kind, "controller") && bus_pass != (c->type == CONTROLLER_PCI))
		return TRUE;
	guint connect = device_connect(pci, kind, device);
	if (connect == C_NONE)
		return TRUE;
	if (g_str_equal(kind, "controller") && ich9_row(c) >= 0)
		return place_ich9(pci, c);
	pci->before = bus_pass && !pci->dry ? (guint)c->index.v : 0;
	gboolean ok = next_place(pci, kind, device, info, connect);
	pci->before = 0;
	return ok;
}

static gboolean place_all(Pci *pci)
{
	guint bus, slot, function;
	if (!guest_each_device(pci->guest, reserve_device, pci))
		return FALSE;
	pci->full = !find_place(pci, C_PCI, &bus, &slot, &function);
	if (!solder_board(pci))
		return FALSE;
	pci->kind = "pci";
	if (!guest_each_device(pci->guest, place_device, pci))
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
		pci->kind = order[i];
		if (!guest_each_device(pci->guest, place_device, pci))
			return FALSE;
	}
	return TRUE;
}

/* ---- both runs ---- */

static guint64 highest_index(const Guest *guest)
{
	guint64 highest = 0;
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == CONTROLLER_PCI)
			highest = MAX(highest, opt_uint_or(c->index, 0));
	return highest;
}

/* Buses for the controllers of the definition; numbers between them are filled up. */
static gboolean make_buses(Pci *pci)
{
	guint64 highest = highest_index(pci->guest);
	if (highest >= ASSIGN_MAX_BUSES)
		return fail(pci->error, LODGE_ERROR_INVALID,
			    "controller pci %" G_GUINT64_FORMAT ": the index is above %u", highest,
			    ASSIGN_MAX_BUSES - 1);
	for (guint i = 0; i <= highest; i++) {
		const Controller *c = guest_find_controller(pci->guest, CONTROLLER_PCI, i);
		if (c && !bus_kind(c->model))
			return fail(pci->error, LODGE_ERROR_UNSUPPORTED,
				    "controller pci %u: model \"%s\" is not known", i,
				    c->model ? c->model : "");
		add_bus(pci, c ? c->model : pci->q35 ? "pcie-root-port" : "pci-bridge");
	}
	return TRUE;
}

/* The buses that the dry run found missing become controllers. */
static gboolean keep_buses(Pci *pci)
{
	static const DeviceInfo none;
	for (guint i = 0; i < pci->buses->len; i++) {
		const char *model = bus_at(pci, i)->kind->model;
		if (guest_find_controller(pci->guest, CONTROLLER_PCI, i))
			continue;
		Controller *c = guest_add_controller(pci->guest, CONTROLLER_PCI, i, model);
		DeviceInfo info = none;
		guint connect = bus_at(pci, i)->kind->is;
		/* the place of a bridge to conventional PCI was taken when it was added */
		if (connect != C_PCIE_TO_PCI && !next_place(pci, "controller", c, &info, connect))
			return FALSE;
	}
	return TRUE;
}

/* One free port for a later hot-plug, for documents that leave PCI to us: libvirt does the same. */
static gboolean spare_port(Pci *pci)
{
	DeviceInfo info = { 0 };
	if (pci->q35 && pci->buses->len > 1 && highest_index(pci->guest) == 0)
		return next_place(pci, "spare port", NULL, &info, C_PCIE);
	return TRUE;
}

/* Where devices fill the root bus, a slot must stay for the bridge that the next one needs. */
static gboolean room_for_bridge(Pci *pci)
{
	DeviceInfo info = { 0 };
	return pci->q35 || pci->full || next_place(pci, "bridge", NULL, &info, C_PCI);
}

/* Function 0 of a slot must say so where other functions of the slot are used. */
static void mark_multifunction(const Bus *bus, guint slot)
{
	const Function *functions = bus->slots[slot].functions;
	const DeviceInfo *zero = functions[0].info;
	for (guint f = 1; f < 8; f++)
		if (functions[f].info && zero && zero->address &&
		    zero->address->multifunction == TRI_ABSENT)
			zero->address->multifunction = TRI_YES;
}

static gboolean run(Guest *guest, gboolean dry, GError **error)
{
	g_autoptr(GPtrArray) buses = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) placed = g_hash_table_new(NULL, NULL);
	Pci pci = { .guest = guest, .buses = buses, .placed = placed, .dry = dry, .q35 = guest_is_q35(guest),
		    .error = error };
	if (!make_buses(&pci) || !place_all(&pci))
		return FALSE;
	if (dry)
		return spare_port(&pci) && room_for_bridge(&pci) && keep_buses(&pci);
	for (guint i = 0; i < buses->len; i++)
		for (guint slot = 0; slot < bus_at(&pci, i)->n_slots; slot++)
			mark_multifunction(bus_at(&pci, i), slot);
	return TRUE;
}

/* What a bridge or port needs besides its place; libvirt's values. */
static void complete_controllers(Guest *guest)
{
	guint bus_nr = 254;
	SHAPE_EACH (Controller, c, guest->controllers) {
		const BusKind *kind = c->type == CONTROLLER_PCI ? bus_kind(c->model) : NULL;
		const Address *a = c->info.address;
		if (!kind || !kind->device)
			continue;
		if (!c->model_name)
			c->model_name = g_strdup(kind->device);
		if (kind->chassis_nr && !c->target_chassis_nr.set)
			c->target_chassis_nr = OPT_UINT(c->index.v);
		if (kind->chassis && !c->target_chassis.set)
			c->target_chassis = OPT_UINT(c->index.v);
		if (kind->chassis && !c->target_port.set && a && a->type == ADDRESS_PCI)
			c->target_port = OPT_UINT((a->slot.v << kind->shift) + a->function.v);
		if (kind->bus_nr && !c->target_bus_nr.set)
			c->target_bus_nr = OPT_UINT(bus_nr--);
	}
}

gboolean assign_pci(Guest *guest, GError **error)
{
	if (!guest_is_q35(guest) && !guest_is_i440fx(guest))
		return TRUE;
	if (!run(guest, TRUE, error) || !run(guest, FALSE, error))
		return FALSE;
	complete_controllers(guest);
	return TRUE;
}

/* Controllers: PCI bridges and ports first, as others sit on them, then the rest by kind.
 * Neighbours: build.h has the buses that devices name; model/address.c adds those that are needed. */
#include "engine/qemu/build.h"

#include <string.h>

/* ---- PCI ---- */

typedef enum PciExtra { PCI_PLAIN, PCI_PORT, PCI_CHASSIS, PCI_EXPANDER } PciExtra;

static const struct {
	const char *model, *device;
	PciExtra extra;
} pci_models[] = {
	{ "pcie-root-port", "pcie-root-port", PCI_PORT },
	{ "pcie-switch-upstream-port", "x3130-upstream", PCI_PLAIN },
	{ "pcie-switch-downstream-port", "xio3130-downstream", PCI_PORT },
	{ "pci-bridge", "pci-bridge", PCI_CHASSIS },
	{ "dmi-to-pci-bridge", "i82801b11-bridge", PCI_PLAIN },
	{ "pcie-to-pci-bridge", "pcie-pci-bridge", PCI_PLAIN },
	{ "pci-expander-bus", "pxb", PCI_EXPANDER },
	{ "pcie-expander-bus", "pxb-pcie", PCI_EXPANDER },
};

static void put_pci_target(json_t *device, const Controller *controller, PciExtra extra)
{
	guint64 index = opt_uint_or(controller->index, 0);
	if (extra == PCI_PORT) {
		put_int(device, "port", (gint64)opt_uint_or(controller->target_port, index));
		put_int(device, "chassis", (gint64)opt_uint_or(controller->target_chassis, index));
		put_tri(device, "hotplug", controller->target_hotplug);
	} else if (extra == PCI_CHASSIS) {
		put_int(device, "chassis_nr",
			(gint64)opt_uint_or(controller->target_chassis_nr, index));
	} else if (extra == PCI_EXPANDER) {
		put_uint(device, "bus_nr", controller->target_bus_nr);
		put_uint(device, "numa_node", controller->target_node);
	}
}

static gboolean pci_controller(Build *build, const Controller *controller, GError **error)
{
	const char *model = controller->model;
	if (!model || g_str_equal(model, "pci-root") || g_str_equal(model, "pcie-root"))
		return TRUE; /* the board's own */
	for (guint i = 0; i < G_N_ELEMENTS(pci_models); i++) {
		if (!g_str_equal(model, pci_models[i].model))
			continue;
		gboolean ioh = !g_strcmp0(controller->model_name, "ioh3420");
		json_t *device = device_new(ioh ? "ioh3420" : pci_models[i].device,
					    &controller->info);
		put_pci_target(device, controller, pci_models[i].extra);
		if (put_place(build, device, &controller->info, error))
			return add_device(build, device, "controller pci", error);
		json_decref(device);
		return FALSE;
	}
	return unsupported(build, error, "controller pci %" G_GUINT64_FORMAT ": model \"%s\" does not "
			   "exist on this machine type", opt_uint_or(controller->index, 0), model);
}

/* ---- USB ---- */

static const NameRow usb_models[] = {
	{ "piix3-uhci", "piix3-usb-uhci" },
	{ "piix4-uhci", "piix4-usb-uhci" },
	{ "ehci", "usb-ehci" },
	{ "ich9-ehci1", "ich9-usb-ehci1" },
	{ "ich9-uhci1", "ich9-usb-uhci1" },
	{ "ich9-uhci2", "ich9-usb-uhci2" },
	{ "ich9-uhci3", "ich9-usb-uhci3" },
	{ "pci-ohci", "pci-ohci" },
	{ "nec-xhci", "nec-usb-xhci" },
	{ "qemu-xhci", "qemu-xhci" },
};

static gboolean usb_controller(Build *build, const Controller *controller, GError **error)
{
	const char *model = controller->model ? controller->model : "qemu-xhci";
	const char *driver = name_lookup(usb_models, G_N_ELEMENTS(usb_models), model);
	if (g_str_equal(model, "none"))
		return TRUE;
	if (!driver)
		return unsupported(build, error,
				   "controller usb: model \"%s\" is not known; use qemu-xhci", model);
	json_t *device = device_new(driver, &controller->info);
	put_uint(device, "p2", controller->ports);
	put_uint(device, "p3", controller->ports);
	if (controller->master_startport.set) {
		const char *master = controller_alias(build, CONTROLLER_USB,
						      opt_uint_or(controller->index, 0));
		g_autofree char *bus = g_strdup_printf("%s.0", master ? master : "usb");
		json_object_del(device, "id"); /* it is its master's */
		put(device, "masterbus", bus);
		put_uint(device, "firstport", controller->master_startport);
	}
	if (put_place(build, device, &controller->info, error))
		return add_device(build, device, "controller usb", error);
	json_decref(device);
	return FALSE;
}

/* ---- SCSI and virtio-serial ---- */

static const NameRow scsi_models[] = {
	{ "lsilogic", "lsi53c895a" },	{ "lsisas1068", "mptsas1068" },
	{ "lsisas1078", "megasas" },	{ "vmpvscsi", "pvscsi" },
	{ "am53c974", "am53c974" },	{ "dc390", "dc390" },
};

static const PropRow virtio_scsi_rows[] = {
	PROP(Controller, queues, "num_queues", PROP_UINT),
	PROP(Controller, cmd_per_lun, "cmd_per_lun", PROP_UINT),
	PROP(Controller, max_sectors, "max_sectors", PROP_UINT),
	PROP(Controller, ioeventfd, "ioeventfd", PROP_TRI),
};

static gboolean scsi_controller(Build *build, const Controller *controller, GError **error)
{
	const char *model = controller->model ? controller->model : "virtio-scsi";
	const char *driver = name_lookup(scsi_models, G_N_ELEMENTS(scsi_models), model);
	gboolean virtio = g_str_has_prefix(model, "virtio");
	if (!virtio && !driver)
		return unsupported(build, error,
				   "controller scsi: model \"%s\" is not known; use virtio-scsi", model);
	json_t *device = device_new(virtio ? virtio_driver("virtio-scsi", model) : driver,
				    &controller->info);
	if (virtio) {
		put_virtio(device, &controller->virtio);
		put_rows(device, virtio_scsi_rows, G_N_ELEMENTS(virtio_scsi_rows), controller);
		if (controller->iothread.set) {
			g_autofree char *thread = g_strdup_printf("iothread%" G_GUINT64_FORMAT,
								  controller->iothread.v);
			put(device, "iothread", thread);
		}
	}
	if (put_place(build, device, &controller->info, error))
		return add_device(build, device, "controller scsi", error);
	json_decref(device);
	return FALSE;
}

static gboolean serial_controller(Build *build, const Controller *controller, GError **error)
{
	json_t *device = device_new(virtio_driver("virtio-serial", controller->model),
				    &controller->info);
	put_virtio(device, &controller->virtio);
	put_uint(device, "max_ports", controller->ports);
	put_uint(device, "vectors", controller->vectors);
	if (put_place(build, device, &controller->info, error))
		return add_device(build, device, "controller virtio-serial", error);
	json_decref(device);
	return FALSE;
}

/* ---- the rest ---- */

static gboolean sata_controller(Build *build, const Controller *controller, GError **error)
{
	if (build->q35 && opt_uint_or(controller->index, 0) == 0)
		return TRUE; /* the board's own */
	return add_simple(build, "ich9-ahci", &controller->info, "controller sata", error);
}

static gboolean ide_controller(Build *build, const Controller *controller, GError **error)
{
	if (!build->q35 && opt_uint_or(controller->index, 0) == 0)
		return TRUE; /* the board's own */
	return unsupported(build, error, "controller ide %" G_GUINT64_FORMAT ": this machine type has "
			   "no such; use sata", opt_uint_or(controller->index, 0));
}

static gboolean ccid_controller(Build *build, const Controller *controller, GError **error)
{
	return add_simple(build, "usb-ccid", &controller->info, "controller ccid", error);
}

typedef gboolean (*ControllerFn)(Build *, const Controller *, GError **);
static const struct {
	ControllerType type;
	ControllerFn fn; /* NULL: the board's own */
} kinds[] = {
	{ CONTROLLER_PCI, pci_controller },	{ CONTROLLER_USB, usb_controller },
	{ CONTROLLER_SCSI, scsi_controller },	{ CONTROLLER_SATA, sata_controller },
	{ CONTROLLER_IDE, ide_controller },	{ CONTROLLER_VIRTIO_SERIAL, serial_controller },
};

static int by_index(gconstpointer a, gconstpointer b)
{
	const Controller *left = *(Controller *const *)a, *right = *(Controller *const *)b;
	guint64 i = opt_uint_or(left->index, 0), j = opt_uint_or(right->index, 0);
	int slave = left->master_startport.set - right->master_startport.set;
	return i != j ? (i < j ? -1 : 1) : slave;
}

gboolean build_controllers(Build *build, GError **error)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	SHAPE_EACH (Controller, controller, build->guest->controllers) {
		if (controller->type == CONTROLLER_XENBUS)
			return unsupported(build, error, "controller xenbus: this is no Xen host");
		g_ptr_array_add(sorted, controller);
	}
	g_ptr_array_sort(sorted, by_index);
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		SHAPE_EACH (Controller, controller, sorted)
			if (controller->type == kinds[i].type &&
			    !kinds[i].fn(build, controller, error))
				return FALSE;
	return TRUE;
}

/* Card readers sit on USB ports, maybe those of a hub. */
gboolean build_ccids(Build *build, GError **error)
{
	SHAPE_EACH (Controller, controller, build->guest->controllers)
		if (controller->type == CONTROLLER_CCID &&
		    !ccid_controller(build, controller, error))
			return FALSE;
	return TRUE;
}

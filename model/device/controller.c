/* See controller.h. */
#include "model/device/controller.h"

const EnumTable controller_types =
	ENUM_TABLE("type of controller", "ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb",
		   "pci", "xenbus", "isa");

static const Row rows[] = {
	ENUM(Controller, type, "@type", controller_types, .flags = ROW_REQUIRED, .doc = "bus"),
	UINT(Controller, index, "@index", .max = G_MAXINT32, .doc = "number among its type"),
	STRING(Controller, model, "@model", .doc = "chip, such as qemu-xhci or pcie-root-port"),
	UINT(Controller, ports, "@ports", .max = G_MAXINT32, .doc = "count of ports"),
	UINT(Controller, vectors, "@vectors", .max = G_MAXINT32, .doc = "count of vectors"),
	STRING(Controller, model_name, "model/@name", .doc = "QEMU's device"),
	UINT(Controller, target_chassis_nr, "target/@chassisNr", .max = 255, .doc = "chassis"),
	UINT(Controller, target_chassis, "target/@chassis", .max = 255, .doc = "chassis"),
	UINT(Controller, target_port, "target/@port", .flags = ROW_HEX, .max = 255,
	     .doc = "port number of a root port"),
	UINT(Controller, target_bus_nr, "target/@busNr", .max = 254, .doc = "bus number"),
	UINT(Controller, target_index, "target/@index", .max = 30, .doc = "index"),
	TRI(Controller, target_hotplug, "target/@hotplug", .words = "on/off",
	    .doc = "whether devices may be plugged at run time"),
	STRING(Controller, target_memreserve, "target/@memReserve", .doc = "memory window"),
	UINT(Controller, target_node, "target/node", .doc = "NUMA node"),
	SIZE(Controller, pcihole64, "pcihole64", .words = "KiB", .doc = "64-bit PCI hole"),
	UINT(Controller, master_startport, "master/@startport", .max = 255,
	     .doc = "first port of the companion"),
	UINT(Controller, queues, "driver/@queues", .max = 65535, .doc = "count of queues"),
	UINT(Controller, cmd_per_lun, "driver/@cmd_per_lun", .doc = "commands per unit"),
	UINT(Controller, max_sectors, "driver/@max_sectors", .doc = "sectors per command"),
	TRI(Controller, ioeventfd, "driver/@ioeventfd", .words = "on/off", .doc = "ioeventfd"),
	UINT(Controller, iothread, "driver/@iothread", .max = G_MAXUINT32, .doc = "I/O thread"),
	INLINE(Controller, virtio, "driver", VirtioOptions, virtio_options_shape),
	INLINE(Controller, info, "", DeviceInfo, device_info_shape),
};
const Shape controller_shape = SHAPE("controller", Controller, rows);

/* See address.h. */
#include "model/device/address.h"

const EnumTable address_types =
	ENUM_TABLE("type of address", "pci", "drive", "virtio-serial", "ccid", "usb", "isa", "dimm",
		   "virtio-mmio", "ccw", "spapr-vio", "unassigned", "virtio-s390", "mdev");

#define PCI SHAPE_WHEN(ADDRESS_PCI)
#define DRIVE SHAPE_WHEN(ADDRESS_DRIVE)
#define SERIAL SHAPE_WHEN(ADDRESS_VIRTIO_SERIAL)
#define USB SHAPE_WHEN(ADDRESS_USB)
#define CCID SHAPE_WHEN(ADDRESS_CCID)

static const Row rows[] = {
	ENUM(Address, type, "@type", address_types, .flags = ROW_REQUIRED,
	     .doc = "kind of bus"),
	UINT(Address, domain, "@domain", .when = PCI, .flags = ROW_HEX, .digits = 4, .max = 0xffff,
	     .doc = "PCI domain"),
	UINT(Address, controller, "@controller", .when = DRIVE | SERIAL | CCID,
	     .max = G_MAXUINT32, .doc = "index of the controller"),
	UINT(Address, bus, "@bus", .when = PCI, .flags = ROW_HEX, .digits = 2, .max = 0xff,
	     .doc = "bus"),
	UINT(Address, bus, "@bus", .when = DRIVE | SERIAL | USB, .max = G_MAXUINT32,
	     .doc = "bus"),
	UINT(Address, slot, "@slot", .when = PCI, .flags = ROW_HEX, .digits = 2, .max = 0x1f,
	     .doc = "PCI slot"),
	UINT(Address, slot, "@slot", .when = CCID, .max = G_MAXUINT32, .doc = "slot"),
	UINT(Address, function, "@function", .when = PCI, .flags = ROW_HEX, .digits = 1, .max = 7,
	     .doc = "PCI function"),
	TRI(Address, multifunction, "@multifunction", .when = PCI, .words = "on/off",
	    .doc = "whether other functions of the slot are used"),
	UINT(Address, target, "@target", .when = DRIVE, .max = G_MAXUINT32, .doc = "target"),
	UINT(Address, unit, "@unit", .when = DRIVE, .max = G_MAXUINT32, .doc = "unit"),
	UINT(Address, port_number, "@port", .when = SERIAL, .max = G_MAXUINT32,
	     .doc = "port of the virtio-serial controller"),
	STRING(Address, port, "@port", .when = USB, .doc = "USB port such as 1.2"),
	UINT(Address, iobase, "@iobase", .when = SHAPE_WHEN(ADDRESS_ISA), .flags = ROW_HEX,
	     .doc = "first I/O port"),
	UINT(Address, irq, "@irq", .when = SHAPE_WHEN(ADDRESS_ISA), .flags = ROW_HEX,
	     .doc = "interrupt line"),
	UINT(Address, dimm_slot, "@slot", .when = SHAPE_WHEN(ADDRESS_DIMM), .max = 255,
	     .doc = "memory slot"),
	UINT(Address, base, "@base", .when = SHAPE_WHEN(ADDRESS_DIMM), .flags = ROW_HEX,
	     .doc = "guest address of the memory"),
	STRING(Address, uuid, "@uuid", .when = SHAPE_WHEN(ADDRESS_MDEV), .doc = "mediated device"),
};
const Shape address_shape = SHAPE("address", Address, rows, .discriminator = &rows[0]);

static const Row pci_rows[] = {
	UINT(HostPci, domain, "@domain", .flags = ROW_HEX, .digits = 4, .max = 0xffff,
	     .doc = "PCI domain"),
	UINT(HostPci, bus, "@bus", .flags = ROW_HEX, .digits = 2, .max = 0xff, .doc = "PCI bus"),
	UINT(HostPci, slot, "@slot", .flags = ROW_HEX, .digits = 2, .max = 0x1f, .doc = "slot"),
	UINT(HostPci, function, "@function", .flags = ROW_HEX, .digits = 1, .max = 7,
	     .doc = "function"),
};
const Shape host_pci_shape = SHAPE("host-pci", HostPci, pci_rows);

static const Row rom_rows[] = {
	TRI(Rom, bar, "@bar", .words = "on/off", .doc = "whether the guest sees the ROM"),
	STRING(Rom, file, "@file", .doc = "ROM image on the host"),
	TRI(Rom, enabled, "@enabled", .doc = "whether a ROM is loaded"),
};
static const Shape rom_shape = SHAPE("rom", Rom, rom_rows);

static const Row info_rows[] = {
	UINT(DeviceInfo, boot_order, "boot/@order", .min = 1, .max = G_MAXINT32,
	     .doc = "place in the boot order, 1 first"),
	STRING(DeviceInfo, alias, "alias/@name", .doc = "name of the device in QEMU"),
	STRUCT(DeviceInfo, rom, "rom", Rom, rom_shape, .doc = "option ROM"),
	UINT(DeviceInfo, acpi_index, "acpi/@index", .min = 1, .max = 16383,
	     .doc = "index that the guest names the device by"),
	STRUCT(DeviceInfo, address, "address", Address, address_shape,
	       .doc = "where the device sits"),
};
const Shape device_info_shape = SHAPE("device-info", DeviceInfo, info_rows);

static const Row virtio_rows[] = {
	TRI(VirtioOptions, iommu, "@iommu", .words = "on/off", .doc = "use the guest's IOMMU"),
	TRI(VirtioOptions, ats, "@ats", .words = "on/off", .doc = "address translation service"),
	TRI(VirtioOptions, packed, "@packed", .words = "on/off", .doc = "packed virtqueues"),
	TRI(VirtioOptions, page_per_vq, "@page_per_vq", .words = "on/off",
	    .doc = "one page of notifications per queue"),
};
const Shape virtio_options_shape = SHAPE("virtio-options", VirtioOptions, virtio_rows);

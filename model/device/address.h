/* Where a device sits, and what every device has: alias, address, boot order, ROM.
 * Neighbours: every file of this folder embeds DeviceInfo; model/address.c assigns addresses. */
#pragma once

#include "shape/shape.h"

typedef enum AddressType {
	ADDRESS_PCI = 1,
	ADDRESS_DRIVE,
	ADDRESS_VIRTIO_SERIAL,
	ADDRESS_CCID,
	ADDRESS_USB,
	ADDRESS_ISA,
	ADDRESS_DIMM,
	ADDRESS_VIRTIO_MMIO,
	ADDRESS_CCW,
	ADDRESS_SPAPR_VIO,
	ADDRESS_UNASSIGNED,
	ADDRESS_VIRTIO_S390,
	ADDRESS_MDEV,
} AddressType;

typedef struct Address {
	ShapeHead head;
	AddressType type;
	OptUint domain, bus, slot, function; /* PCI; bus also of drive and USB-less kinds */
	Tri multifunction;
	OptUint controller, target, unit;
	char *port; /* USB: "1.2" */
	OptUint port_number; /* virtio-serial */
	OptUint iobase, irq;
	OptUint base, dimm_slot;
	char *uuid;
} Address;

/* Where a PCI device sits on the host: four numbers, without the type that a guest's has. */
typedef struct HostPci {
	ShapeHead head;
	OptUint domain, bus, slot, function;
} HostPci;

typedef struct Rom {
	ShapeHead head;
	Tri bar, enabled;
	char *file;
} Rom;

typedef struct DeviceInfo {
	ShapeHead head;
	OptUint boot_order;
	OptUint acpi_index;
	Rom *rom;
	char *alias;
	Address *address;
} DeviceInfo;

/* Options of a virtio device's driver; embedded with path "driver". */
typedef struct VirtioOptions {
	ShapeHead head;
	Tri iommu, ats, packed, page_per_vq;
} VirtioOptions;

extern const Shape address_shape;
extern const Shape host_pci_shape;
extern const Shape device_info_shape;
extern const Shape virtio_options_shape;
extern const EnumTable address_types;

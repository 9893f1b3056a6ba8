/* Controllers: PCI bridges and root ports, USB, SCSI, SATA, IDE, virtio-serial, CCID.
 * Neighbours: model/guest.h holds the list; model/address.c adds those that devices need. */
#pragma once

#include "model/device/address.h"

typedef enum ControllerType {
	CONTROLLER_IDE = 1,
	CONTROLLER_FDC,
	CONTROLLER_SCSI,
	CONTROLLER_SATA,
	CONTROLLER_VIRTIO_SERIAL,
	CONTROLLER_CCID,
	CONTROLLER_USB,
	CONTROLLER_PCI,
	CONTROLLER_XENBUS,
	CONTROLLER_ISA,
} ControllerType;

typedef struct Controller {
	ShapeHead head;
	ControllerType type;
	OptUint index;
	char *model;
	OptUint ports, vectors;
	char *model_name;
	OptUint target_chassis_nr, target_chassis, target_port, target_bus_nr, target_index;
	OptUint target_node;
	Tri target_hotplug;
	char *target_memreserve;
	OptUint pcihole64;
	OptUint master_startport;
	OptUint queues, cmd_per_lun, max_sectors, iothread;
	Tri ioeventfd;
	VirtioOptions virtio;
	DeviceInfo info;
} Controller;

extern const Shape controller_shape;
extern const EnumTable controller_types;

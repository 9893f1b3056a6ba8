/* A device of the host, as libvirt's <device> of the node device API has it. One struct for all kinds: its
 * capability's type says which members count. Neighbours: nodedev/ fills it from sysfs; documents that make a
 * mediated device or a virtual host bus adapter are read into it. */
#pragma once

#include "shape/shape.h"

typedef enum NodeCap { /* libvirt's capabilities, in the order of virConnectListAllNodeDeviceFlags */
	NODE_SYSTEM = 1,
	NODE_PCI,
	NODE_USB_DEVICE,
	NODE_USB,
	NODE_NET,
	NODE_SCSI_HOST,
	NODE_SCSI_TARGET,
	NODE_SCSI,
	NODE_STORAGE,
	NODE_FC_HOST,
	NODE_VPORTS,
	NODE_SCSI_GENERIC,
	NODE_DRM,
	NODE_MDEV_TYPES,
	NODE_MDEV,
	NODE_CCW,
	NODE_CSS,
	NODE_VDPA,
	NODE_AP_CARD,
	NODE_AP_QUEUE,
	NODE_AP_MATRIX,
	NODE_VPD,
} NodeCap;
#define NODE_BIT(cap) (1u << ((cap) - 1)) /* in sets of capabilities: libvirt's flag */

typedef struct NodePciAddress {
	ShapeHead head;
	OptUint domain, bus, slot, function;
} NodePciAddress;

typedef struct NodeName { /* <feature name=''/> */
	ShapeHead head;
	char *name;
} NodeName;

typedef struct NodeAttr { /* of a mediated device; order counts */
	ShapeHead head;
	char *name, *value;
} NodeAttr;

typedef struct NodeMdevType {
	ShapeHead head;
	char *id, *name, *deviceAPI;
	OptUint availableInstances;
} NodeMdevType;

typedef struct NodeField { /* of vital product data: <vendor_field index='0'> */
	ShapeHead head;
	char *index, *value;
} NodeField;

typedef struct NodeFields {
	ShapeHead head;
	char *access; /* readonly, readwrite */
	char *change_level, *manufacture_id, *part_number, *serial_number, *asset_tag;
	GPtrArray *vendor, *system; /* NodeField */
} NodeFields;

typedef struct NodeGroup { /* what can only be given away together */
	ShapeHead head;
	OptUint number;
	GPtrArray *addresses; /* NodePciAddress */
} NodeGroup;

typedef struct NodeLink { /* of PCI Express: as built (cap), as it is now (sta) */
	ShapeHead head;
	char *validity, *speed;
	OptUint port, width;
} NodeLink;

typedef enum NodeSub { /* capabilities within a capability */
	SUB_80203 = 1,
	SUB_80211,
	SUB_PHYS_FUNCTION,
	SUB_VIRT_FUNCTIONS,
	SUB_PCI_BRIDGE,
	SUB_CARDBUS_BRIDGE,
	SUB_MDEV_TYPES,
	SUB_VPD,
	SUB_FC_HOST,
	SUB_VPORT_OPS,
	SUB_FC_REMOTE_PORT,
	SUB_REMOVABLE,
	SUB_HOTPLUGGABLE,
} NodeSub;

typedef struct NodeSubCap {
	ShapeHead head;
	NodeSub type;
	OptUint maxCount;
	GPtrArray *addresses; /* NodePciAddress */
	GPtrArray *types;     /* NodeMdevType */
	char *name;
	GPtrArray *fields; /* NodeFields */
	char *wwnn, *wwpn, *fabric_wwn, *rport;
	OptUint max_vports, vports;
	OptUint media_available, media_size, logical_block_size, num_blocks;
	char *media_label;
} NodeSubCap;

typedef struct NodeCapability {
	ShapeHead head;
	NodeCap type;
	/* system */
	char *product, *vendor; /* names; of PCI and USB devices and disks, too */
	char *hardware_vendor, *hardware_version, *hardware_serial, *hardware_uuid;
	gboolean firmware;
	char *firmware_vendor, *firmware_version, *firmware_date;
	/* PCI, USB */
	char *pci_class;
	OptUint domain, bus, slot, function, device, product_id, vendor_id;
	OptUint number, usb_class, subclass, protocol;
	char *description;
	gboolean express;
	GPtrArray *links; /* NodeLink */
	OptInt numa;
	gboolean numa_there;
	NodeGroup *group;
	/* network cards */
	char *interface, *address, *link_state;
	OptUint link_speed;	 /* Mbit/s */
	GPtrArray *features; /* NodeName */
	/* SCSI */
	OptUint host, unique_id, scsi_bus, target_number, lun;
	char *target, *scsi_type, *character;
	/* disks */
	char *block, *disk_bus, *drive_type, *model, *serial;
	OptUint size, logical_block_size, num_blocks;
	char *drm_type, *vdpa_chardev;
	/* mediated devices */
	char *mdev_type, *uuid, *parent_addr;
	OptUint mdev_group;
	GPtrArray *attrs; /* NodeAttr */
	GPtrArray *caps;  /* NodeSubCap */
} NodeCapability;

typedef struct NodeDevnode {
	ShapeHead head;
	char *type, *path; /* dev, link */
} NodeDevnode;

typedef struct NodeDevice {
	ShapeHead head;
	char *name, *path;
	GPtrArray *devnodes; /* NodeDevnode */
	char *parent, *parent_wwnn, *parent_wwpn, *parent_fabric_wwn;
	char *driver;
	NodeCapability *capability;
} NodeDevice;

extern const Shape node_device_shape;
extern const EnumTable node_caps; /* "pci", "usb_device", ... */
extern const EnumTable node_subs;

NodeDevice *node_device_new(NodeCap type);
/* A new capability within @device's; owned by it. */
NodeSubCap *node_device_add(NodeDevice *device, NodeSub type);
/* Takes the last one away again. */
void node_device_drop_last(NodeDevice *device);
NodePciAddress *node_pci_address_new(guint domain, guint bus, guint slot, guint function);
/* Appends @item (taken) to a list of the shapes above. */
void node_append_address(GPtrArray **list, NodePciAddress *item);
/* The IOMMU group of a PCI device, without its members. */
NodeGroup *node_device_group(NodeDevice *device, guint64 number);
void node_append_feature(NodeCapability *net, const char *name);
void node_append_link(NodeCapability *pci, const char *validity, OptUint port, const char *speed,
		      guint width);
void node_append_devnode(NodeDevice *device, const char *type, const char *path);
void node_append_attr(NodeCapability *mdev, const char *name, const char *value);
NodeMdevType *node_add_mdev_type(NodeSubCap *types);
NodeFields *node_add_fields(NodeSubCap *vpd, const char *access);
void node_append_field(GPtrArray **list, char index, const char *value);
void node_device_free(NodeDevice *device);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeDevice, node_device_free)

/* See nodedev.h. Elements and their order: libvirt's documentation of the node device XML format and its
 * schema nodedev.rng. */
#include "model/nodedev.h"
#include "base/error.h"

const EnumTable node_caps =
	ENUM_TABLE("capability", "system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target",
		   "scsi", "storage", "fc_host", "vports", "scsi_generic", "drm", "mdev_types", "mdev", "ccw",
		   "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "vpd");
const EnumTable node_subs =
	ENUM_TABLE("capability of a device", "80203", "80211", "phys_function", "virt_functions",
		   "pci-bridge", "cardbus-bridge", "mdev_types", "vpd", "fc_host", "vport_ops",
		   "fc_remote_port", "removable", "hotpluggable");

#define HEX .flags = ROW_HEX
#define W(cap) SHAPE_WHEN(NODE_##cap)
#define S(sub) SHAPE_WHEN(SUB_##sub)

static const Row address_rows[] = {
	UINT(NodePciAddress, domain, "@domain", HEX, .digits = 4, .doc = "PCI domain"),
	UINT(NodePciAddress, bus, "@bus", HEX, .digits = 2, .doc = "PCI bus"),
	UINT(NodePciAddress, slot, "@slot", HEX, .digits = 2, .doc = "slot on the bus"),
	UINT(NodePciAddress, function, "@function", HEX, .digits = 1, .doc = "function of the device"),
};
static const Shape address_shape = SHAPE("node-pci-address", NodePciAddress, address_rows);

static const Row name_rows[] = { STRING(NodeName, name, "@name", .doc = "what the card can do by itself") };
static const Shape name_shape = SHAPE("node-feature", NodeName, name_rows);

static const Row attr_rows[] = {
	STRING(NodeAttr, name, "@name", .flags = ROW_REQUIRED, .doc = "file in the device's folder of sysfs"),
	STRING(NodeAttr, value, "@value", .flags = ROW_REQUIRED | ROW_EMPTY_OK,
	       .doc = "what is written there"),
};
static const Shape attr_shape = SHAPE("node-attribute", NodeAttr, attr_rows);

static const Row mdev_type_rows[] = {
	STRING(NodeMdevType, id, "@id", .doc = "name of the type"),
	STRING(NodeMdevType, name, "name", .doc = "name for people"),
	STRING(NodeMdevType, deviceAPI, "deviceAPI", .doc = "vfio-pci, vfio-ccw or vfio-ap"),
	UINT(NodeMdevType, availableInstances, "availableInstances", .doc = "so many more can be made"),
};
static const Shape mdev_type_shape = SHAPE("node-mdev-type", NodeMdevType, mdev_type_rows);

static const Row field_rows[] = {
	STRING(NodeField, index, "@index", .doc = "its digit or letter"),
	STRING(NodeField, value, ".", .doc = "what it says"),
};
static const Shape field_shape = SHAPE("node-vpd-field", NodeField, field_rows);

static const Row fields_rows[] = {
	STRING(NodeFields, access, "@access", .doc = "readonly or readwrite"),
	STRING(NodeFields, change_level, "change_level", .doc = "revision of the board"),
	STRING(NodeFields, manufacture_id, "manufacture_id", .doc = "who made it"),
	STRING(NodeFields, part_number, "part_number", .doc = "part number"),
	STRING(NodeFields, serial_number, "serial_number", .doc = "serial number"),
	STRING(NodeFields, asset_tag, "asset_tag", .doc = "the owner's mark"),
	LIST(NodeFields, vendor, "vendor_field", field_shape, .doc = "fields of the vendor's own"),
	LIST(NodeFields, system, "system_field", field_shape, .doc = "fields of the system's own"),
};
static const Shape fields_shape = SHAPE("node-vpd-fields", NodeFields, fields_rows);

static const Row group_rows[] = {
	UINT(NodeGroup, number, "@number", .doc = "number of the group"),
	LIST(NodeGroup, addresses, "address", address_shape, .doc = "its devices"),
};
static const Shape group_shape = SHAPE("node-iommu-group", NodeGroup, group_rows);

static const Row link_rows[] = {
	STRING(NodeLink, validity, "@validity", .doc = "cap: at most; sta: now"),
	UINT(NodeLink, port, "@port", .doc = "number of the port"),
	STRING(NodeLink, speed, "@speed", .doc = "GT/s"),
	UINT(NodeLink, width, "@width", .doc = "lanes"),
};
static const Shape link_shape = SHAPE("node-pcie-link", NodeLink, link_rows);

static const Row sub_rows[] = {
	ENUM(NodeSubCap, type, "@type", node_subs, .flags = ROW_REQUIRED, .doc = "what it is about"),
	UINT(NodeSubCap, maxCount, "@maxCount", .when = S(VIRT_FUNCTIONS), .doc = "so many there can be"),
	LIST(NodeSubCap, addresses, "address", address_shape, .when = S(VIRT_FUNCTIONS) | S(PHYS_FUNCTION),
	     .doc = "the functions"),
	LIST(NodeSubCap, types, "type", mdev_type_shape, .when = S(MDEV_TYPES),
	       .doc = "mediated devices it offers"),
	STRING(NodeSubCap, name, "name", .when = S(VPD), .doc = "name of the product"),
	LIST(NodeSubCap, fields, "fields", fields_shape, .when = S(VPD), .doc = "vital product data"),
	STRING(NodeSubCap, rport, "rport", .when = S(FC_REMOTE_PORT), .doc = "the remote port"),
	STRING(NodeSubCap, wwnn, "wwnn", .when = S(FC_HOST), .doc = "world wide node name"),
	STRING(NodeSubCap, wwpn, "wwpn", .when = S(FC_HOST) | S(FC_REMOTE_PORT),
	       .doc = "world wide port name"),
	STRING(NodeSubCap, fabric_wwn, "fabric_wwn", .when = S(FC_HOST), .doc = "name of the fabric"),
	UINT(NodeSubCap, max_vports, "max_vports", .when = S(VPORT_OPS), .doc = "virtual adapters at most"),
	UINT(NodeSubCap, vports, "vports", .when = S(VPORT_OPS), .doc = "virtual adapters there are"),
	UINT(NodeSubCap, media_available, "media_available", .when = S(REMOVABLE),
	       .doc = "1: a medium is in"),
	UINT(NodeSubCap, media_size, "media_size", .when = S(REMOVABLE), .doc = "its size in bytes"),
	STRING(NodeSubCap, media_label, "media_label", .when = S(REMOVABLE), .doc = "its label"),
	UINT(NodeSubCap, logical_block_size, "logical_block_size", .when = S(REMOVABLE),
	       .doc = "bytes of a block"),
	UINT(NodeSubCap, num_blocks, "num_blocks", .when = S(REMOVABLE), .doc = "count of blocks"),
};
static const Shape sub_shape = SHAPE("node-sub-capability", NodeSubCap, sub_rows,
				      .discriminator = &sub_rows[0]);

static const Row cap_rows[] = {
	/* Elements of one name stand at one place for all types: this order suits each of them. */
	ENUM(NodeCapability, type, "@type", node_caps, .flags = ROW_REQUIRED,
	       .doc = "what kind of device it is"),
	UINT(NodeCapability, number, "number", .when = W(USB), .doc = "number of the interface"),
	STRING(NodeCapability, pci_class, "class", .when = W(PCI), .doc = "class of the PCI device"),
	UINT(NodeCapability, usb_class, "class", .when = W(USB), .doc = "class of the interface"),
	UINT(NodeCapability, subclass, "subclass", .when = W(USB), .doc = "its subclass"),
	UINT(NodeCapability, protocol, "protocol", .when = W(USB), .doc = "its protocol"),
	STRING(NodeCapability, description, "description", .when = W(USB), .doc = "text for people"),
	UINT(NodeCapability, domain, "domain", .when = W(PCI), .doc = "PCI domain"),
	UINT(NodeCapability, host, "host", .when = W(SCSI_HOST) | W(SCSI), .doc = "number of the SCSI host"),
	UINT(NodeCapability, unique_id, "unique_id", .when = W(SCSI_HOST),
	       .doc = "its place among the driver's"),
	STRING(NodeCapability, block, "block", .when = W(STORAGE), .doc = "its file in /dev"),
	STRING(NodeCapability, interface, "interface", .when = W(NET), .doc = "name of the interface"),
	MAC(NodeCapability, address, "address", .when = W(NET), .doc = "MAC address"),
	UINT(NodeCapability, link_speed, "link/@speed", .when = W(NET), .doc = "Mbit/s"),
	STRING(NodeCapability, link_state, "link/@state", .when = W(NET), .doc = "up, down, unknown, ..."),
	LIST(NodeCapability, features, "feature", name_shape, .when = W(NET), .doc = "offloads"),
	UINT(NodeCapability, bus, "bus", .when = W(PCI) | W(USB_DEVICE), .doc = "bus it is on"),
	UINT(NodeCapability, scsi_bus, "bus", .when = W(SCSI), .doc = "SCSI bus"),
	STRING(NodeCapability, disk_bus, "bus", .when = W(STORAGE), .doc = "ata, scsi, usb, ..."),
	UINT(NodeCapability, slot, "slot", .when = W(PCI), .doc = "slot on the bus"),
	UINT(NodeCapability, function, "function", .when = W(PCI), .doc = "function of the device"),
	UINT(NodeCapability, device, "device", .when = W(USB_DEVICE), .doc = "number on the bus"),
	UINT(NodeCapability, target_number, "target", .when = W(SCSI), .doc = "SCSI target"),
	STRING(NodeCapability, target, "target", .when = W(SCSI_TARGET), .doc = "name of the SCSI target"),
	UINT(NodeCapability, lun, "lun", .when = W(SCSI), .doc = "logical unit"),
	STRING(NodeCapability, drive_type, "drive_type", .when = W(STORAGE),
	       .doc = "disk, cdrom, floppy, sd"),
	STRING(NodeCapability, model, "model", .when = W(STORAGE), .doc = "model of the disk"),
	UINT(NodeCapability, product_id, "product/@id", .when = W(PCI) | W(USB_DEVICE), HEX, .digits = 4,
	     .doc = "number of the product"),
	STRING(NodeCapability, product, "product", .when = W(PCI) | W(USB_DEVICE) | W(SYSTEM),
	       .doc = "name of the product"),
	UINT(NodeCapability, vendor_id, "vendor/@id", .when = W(PCI) | W(USB_DEVICE), HEX, .digits = 4,
	     .doc = "number of the vendor"),
	STRING(NodeCapability, vendor, "vendor", .when = W(PCI) | W(USB_DEVICE) | W(STORAGE),
	       .doc = "who made it"),
	STRING(NodeCapability, hardware_vendor, "hardware/vendor", .when = W(SYSTEM),
	       .doc = "who made the machine"),
	STRING(NodeCapability, hardware_version, "hardware/version", .when = W(SYSTEM), .doc = "its version"),
	STRING(NodeCapability, hardware_serial, "hardware/serial", .when = W(SYSTEM),
	       .doc = "its serial number"),
	STRING(NodeCapability, hardware_uuid, "hardware/uuid", .when = W(SYSTEM), .doc = "its uuid"),
	FLAG(NodeCapability, firmware, "firmware", .when = W(SYSTEM), .doc = "what boots it"),
	STRING(NodeCapability, firmware_vendor, "firmware/vendor", .when = W(SYSTEM),
	       .doc = "who made the firmware"),
	STRING(NodeCapability, firmware_version, "firmware/version", .when = W(SYSTEM), .doc = "its version"),
	STRING(NodeCapability, firmware_date, "firmware/release_date", .when = W(SYSTEM), .doc = "its date"),
	STRING(NodeCapability, serial, "serial", .when = W(STORAGE), .doc = "serial number"),
	UINT(NodeCapability, size, "size", .when = W(STORAGE), .doc = "bytes"),
	UINT(NodeCapability, logical_block_size, "logical_block_size", .when = W(STORAGE),
	       .doc = "bytes of a block"),
	UINT(NodeCapability, num_blocks, "num_blocks", .when = W(STORAGE), .doc = "count of blocks"),
	STRING(NodeCapability, character, "char", .when = W(SCSI_GENERIC), .doc = "its file in /dev"),
	STRING(NodeCapability, vdpa_chardev, "chardev", .when = W(VDPA), .doc = "its file in /dev"),
	STRING(NodeCapability, scsi_type, "type", .when = W(SCSI), .doc = "disk, cdrom, tape, ..."),
	STRING(NodeCapability, drm_type, "type", .when = W(DRM), .doc = "primary, control or render"),
	STRING(NodeCapability, mdev_type, "type/@id", .when = W(MDEV),
	       .doc = "type, of those its parent offers"),
	UUID(NodeCapability, uuid, "uuid", .when = W(MDEV), .doc = "what it is known by"),
	STRING(NodeCapability, parent_addr, "parent_addr", .when = W(MDEV),
	       .doc = "its parent's name in sysfs"),
	LIST(NodeCapability, caps, "capability", sub_shape, .doc = "what else it can do"),
	UINT(NodeCapability, mdev_group, "iommuGroup/@number", .when = W(MDEV), .doc = "its IOMMU group"),
	STRUCT(NodeCapability, group, "iommuGroup", NodeGroup, group_shape, .when = W(PCI),
	       .doc = "what can only be given away together"),
	LIST(NodeCapability, attrs, "attr", attr_shape, .when = W(MDEV),
	       .doc = "what is set after it was made"),
	FLAG(NodeCapability, numa_there, "numa", .when = W(PCI), .doc = "where it is near to"),
	INT(NodeCapability, numa, "numa/@node", .when = W(PCI), .doc = "NUMA node"),
	FLAG(NodeCapability, express, "pci-express", .when = W(PCI), .doc = "it is PCI Express"),
	LIST(NodeCapability, links, "pci-express/link", link_shape, .when = W(PCI), .doc = "speed and width"),
};
static const Shape cap_shape = SHAPE("node-capability", NodeCapability, cap_rows,
				      .discriminator = &cap_rows[0]);

static const Row devnode_rows[] = {
	STRING(NodeDevnode, type, "@type", .doc = "dev or link"),
	STRING(NodeDevnode, path, ".", .doc = "path"),
};
static const Shape devnode_shape = SHAPE("node-devnode", NodeDevnode, devnode_rows);

static const Row rows[] = {
	STRING(NodeDevice, name, "name", .doc = "what it is known by"),
	STRING(NodeDevice, path, "path", .doc = "where it is in sysfs"),
	LIST(NodeDevice, devnodes, "devnode", devnode_shape, .doc = "its files in /dev"),
	STRING(NodeDevice, parent_wwnn, "parent/@wwnn", .doc = "the parent by its node name"),
	STRING(NodeDevice, parent_wwpn, "parent/@wwpn", .doc = "the parent by its port name"),
	STRING(NodeDevice, parent_fabric_wwn, "parent/@fabric_wwn", .doc = "the parent by its fabric"),
	STRING(NodeDevice, parent, "parent", .doc = "the device that it is part of"),
	STRING(NodeDevice, driver, "driver/name", .doc = "driver that has it"),
	STRUCT(NodeDevice, capability, "capability", NodeCapability, cap_shape, .flags = ROW_REQUIRED,
	       .doc = "what it is"),
};
const Shape node_device_shape = SHAPE("node-device", NodeDevice, rows);

NodeDevice *node_device_new(NodeCap type)
{
	NodeDevice *device = shape_new(&node_device_shape);
	device->capability = shape_new(&cap_shape);
	device->capability->type = type;
	return device;
}

NodeSubCap *node_device_add(NodeDevice *device, NodeSub type)
{
	NodeSubCap *sub = shape_new(&sub_shape);
	sub->type = type;
	shape_append(&device->capability->caps, &sub_shape, sub);
	return sub;
}

void node_device_drop_last(NodeDevice *device)
{
	GPtrArray **caps = &device->capability->caps;
	shape_free(&sub_shape, g_ptr_array_steal_index(*caps, (*caps)->len - 1));
	if (!(*caps)->len)
		g_clear_pointer(caps, g_ptr_array_unref);
}

NodePciAddress *node_pci_address_new(guint domain, guint bus, guint slot, guint function)
{
	NodePciAddress *address = shape_new(&address_shape);
	address->domain = OPT_UINT(domain);
	address->bus = OPT_UINT(bus);
	address->slot = OPT_UINT(slot);
	address->function = OPT_UINT(function);
	return address;
}

void node_append_address(GPtrArray **list, NodePciAddress *item)
{
	shape_append(list, &address_shape, item);
}

NodeGroup *node_device_group(NodeDevice *device, guint64 number)
{
	device->capability->group = shape_new(&group_shape);
	device->capability->group->number = OPT_UINT(number);
	return device->capability->group;
}

void node_append_feature(NodeCapability *net, const char *name)
{
	NodeName *feature = shape_new(&name_shape);
	feature->name = g_strdup(name);
	shape_append(&net->features, &name_shape, feature);
}

void node_append_link(NodeCapability *pci, const char *validity, OptUint port, const char *speed,
		      guint width)
{
	NodeLink *link = shape_new(&link_shape);
	link->validity = g_strdup(validity);
	link->port = port;
	link->speed = g_strdup(speed);
	link->width = OPT_UINT(width);
	shape_append(&pci->links, &link_shape, link);
}

void node_append_devnode(NodeDevice *device, const char *type, const char *path)
{
	NodeDevnode *node = shape_new(&devnode_shape);
	node->type = g_strdup(type);
	node->path = g_strdup(path);
	shape_append(&device->devnodes, &devnode_shape, node);
}

NodeMdevType *node_add_mdev_type(NodeSubCap *types)
{
	NodeMdevType *type = shape_new(&mdev_type_shape);
	shape_append(&types->types, &mdev_type_shape, type);
	return type;
}

NodeFields *node_add_fields(NodeSubCap *vpd, const char *access)
{
	NodeFields *fields = shape_new(&fields_shape);
	fields->access = g_strdup(access);
	shape_append(&vpd->fields, &fields_shape, fields);
	return fields;
}

void node_append_attr(NodeCapability *mdev, const char *name, const char *value)
{
	NodeAttr *attr = shape_new(&attr_shape);
	attr->name = g_strdup(name);
	attr->value = g_strdup(value);
	shape_append(&mdev->attrs, &attr_shape, attr);
}

void node_append_field(GPtrArray **list, char index, const char *value)
{
	NodeField *field = shape_new(&field_shape);
	field->index = g_strndup(&index, 1);
	field->value = g_strdup(value);
	shape_append(list, &field_shape, field);
}

void node_device_free(NodeDevice *device)
{
	shape_free(&node_device_shape, device);
}

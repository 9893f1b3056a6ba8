/* What one device is: its document, read anew each time, for links go up and down and disks lose their media.
 * Facts: the kernel's Documentation/ABI; which of them stand in a document: libvirt's nodedev.rng.
 * Neighbours: read_pci.c, read_block.c, read_net.c for kinds with more to say. */
#include "nodedev/internal.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

static guint64 major_minor(const NodeProperties *properties)
{
	const char *minor = node_property(properties, "MINOR");
	return minor ? g_ascii_strtoull(minor, NULL, 10) : 0;
}

/* ---- the machine ---- */

static void read_system(const NodeTree *tree, NodeDevice *device)
{
	static const char dmi[] = "/sys/devices/virtual/dmi/id";
	NodeCapability *cap = device->capability;
	g_autofree char *uuid = sysfs_text(tree, dmi, "product_uuid");
	cap->product = sysfs_text(tree, dmi, "product_name");
	cap->hardware_vendor = sysfs_text(tree, dmi, "sys_vendor");
	cap->hardware_version = sysfs_text(tree, dmi, "product_version");
	cap->hardware_serial = sysfs_text(tree, dmi, "product_serial");
	cap->hardware_uuid = uuid && g_uuid_string_is_valid(uuid) ?
				     g_ascii_strdown(uuid, -1) :
				     g_strdup("00000000-0000-0000-0000-000000000000");
	cap->firmware = TRUE;
	cap->firmware_vendor = sysfs_text(tree, dmi, "bios_vendor");
	cap->firmware_version = sysfs_text(tree, dmi, "bios_version");
	cap->firmware_date = sysfs_text(tree, dmi, "bios_date");
}

/* ---- USB ---- */

static char *either(const NodeProperties *properties, const char *name, char *otherwise)
{
	const char *text = node_property(properties, name);
	if (!text)
		return otherwise;
	g_free(otherwise);
	return g_strdup(text);
}

static void read_usb_device(const NodeTree *tree, const char *path, const NodeProperties *properties,
			    NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	cap->bus = sysfs_uint(tree, path, "busnum", 10);
	cap->device = sysfs_uint(tree, path, "devnum", 10);
	cap->product_id = sysfs_uint(tree, path, "idProduct", 16);
	cap->vendor_id = sysfs_uint(tree, path, "idVendor", 16);
	cap->product = either(properties, "ID_MODEL_FROM_DATABASE", sysfs_text(tree, path, "product"));
	cap->vendor = either(properties, "ID_VENDOR_FROM_DATABASE", sysfs_text(tree, path, "manufacturer"));
}

static void read_usb(const NodeTree *tree, const char *path, NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	cap->number = sysfs_uint(tree, path, "bInterfaceNumber", 16);
	cap->usb_class = sysfs_uint(tree, path, "bInterfaceClass", 16);
	cap->subclass = sysfs_uint(tree, path, "bInterfaceSubClass", 16);
	cap->protocol = sysfs_uint(tree, path, "bInterfaceProtocol", 16);
	cap->description = sysfs_text(tree, path, "interface");
}

/* ---- SCSI ---- */

/* "0x2001..." as libvirt writes world wide names: without the prefix. */
static char *wwn(const NodeTree *tree, const char *path, const char *name)
{
	g_autofree char *text = sysfs_text(tree, path, name);
	return text ? g_strdup(g_str_has_prefix(text, "0x") ? text + 2 : text) : NULL;
}

static void read_scsi_host(const NodeTree *tree, const char *path, const NodeDev *dev, NodeDevice *device)
{
	const char *sys = sysname(path);
	g_autofree char *class = g_strconcat("/sys/class/scsi_host/", sys, NULL);
	g_autofree char *fc = g_strconcat("/sys/class/fc_host/", sys, NULL);
	device->capability->host = OPT_UINT(g_ascii_strtoull(sys + strlen("host"), NULL, 10));
	device->capability->unique_id = sysfs_uint(tree, class, "unique_id", 10);
	if (dev->caps & NODE_BIT(NODE_FC_HOST)) {
		NodeSubCap *sub = node_device_add(device, SUB_FC_HOST);
		sub->wwnn = wwn(tree, fc, "node_name");
		sub->wwpn = wwn(tree, fc, "port_name");
		sub->fabric_wwn = wwn(tree, fc, "fabric_name");
	}
	if (dev->caps & NODE_BIT(NODE_VPORTS)) {
		NodeSubCap *sub = node_device_add(device, SUB_VPORT_OPS);
		sub->max_vports = OPT_UINT(opt_uint_or(sysfs_uint(tree, fc, "max_npiv_vports", 10), 0));
		sub->vports = OPT_UINT(opt_uint_or(sysfs_uint(tree, fc, "npiv_vports_inuse", 10), 0));
	}
}

static void read_scsi_target(const NodeTree *tree, const char *path, NodeDevice *device)
{
	g_autofree char *above = node_above(path);
	g_autofree char *port = g_strconcat("/sys/class/fc_remote_ports/", sysname(above), NULL);
	device->capability->target = g_strdup(sysname(path));
	if (!g_str_has_prefix(sysname(above), "rport-") || !sysfs_exists(tree, port, NULL))
		return;
	NodeSubCap *sub = node_device_add(device, SUB_FC_REMOTE_PORT);
	sub->rport = g_strdup(sysname(above));
	sub->wwpn = wwn(tree, port, "port_name");
}

/* By the peripheral device type of SPC. */
static const char *const scsi_types[] = {
	[0] = "disk",	 [1] = "tape", [2] = "printer", [3] = "processor", [4] = "worm",      [5] = "cdrom",
	[6] = "scanner", [7] = "mod",  [8] = "changer", [12] = "raid",	   [13] = "enclosure", [14] = "rbc",
};

static void read_scsi(const NodeTree *tree, const char *path, NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	guint at[4];
	guint64 type = opt_uint_or(sysfs_uint(tree, path, "type", 10), G_MAXUINT);
	if (sscanf(sysname(path), "%u:%u:%u:%u", &at[0], &at[1], &at[2], &at[3]) == 4) {
		cap->host = OPT_UINT(at[0]);
		cap->scsi_bus = OPT_UINT(at[1]);
		cap->target_number = OPT_UINT(at[2]);
		cap->lun = OPT_UINT(at[3]);
	}
	if (type < G_N_ELEMENTS(scsi_types))
		cap->scsi_type = g_strdup(scsi_types[type]);
}

/* ---- others ---- */

/* Minors of DRM: 64 of each sort (the kernel's drm_drv.c). */
static void read_drm(const NodeProperties *properties, NodeDevice *device)
{
	static const char *const sorts[] = { "primary", "control", "render" };
	device->capability->drm_type = g_strdup(sorts[MIN(major_minor(properties) >> 6, 2)]);
}

static void read_vdpa(const NodeTree *tree, const char *path, NodeDevice *device)
{
	g_autoptr(GPtrArray) names = sysfs_names(tree, path, NULL);
	for (guint i = 0; i < names->len && !device->capability->vdpa_chardev; i++)
		if (g_str_has_prefix(names->pdata[i], "vhost-vdpa-"))
			device->capability->vdpa_chardev = g_strconcat("/dev/", names->pdata[i], NULL);
}

static void read_mdev(const NodeTree *tree, const NodeDev *dev, NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	g_autofree char *group = sysfs_link(tree, dev->path, "iommu_group");
	cap->mdev_type = sysfs_link(tree, dev->path, "mdev_type");
	cap->uuid = g_strdup(dev->uuid);
	cap->parent_addr = g_strdup(dev->parent_addr);
	cap->mdev_group = OPT_UINT(group ? g_ascii_strtoull(group, NULL, 10) : 0);
}

static void read_devnodes(const NodeProperties *properties, NodeDevice *device)
{
	const char *node = node_property(properties, "DEVNAME");
	const GPtrArray *links = node_property_links(properties);
	if (node) {
		g_autofree char *path = g_strconcat(*node == '/' ? "" : "/dev/", node, NULL);
		node_append_devnode(device, "dev", path);
		if (device->capability->type == NODE_SCSI_GENERIC)
			device->capability->character = g_strdup(path);
	}
	for (guint i = 0; i < links->len; i++)
		node_append_devnode(device, "link", links->pdata[i]);
}

static void read_capability(const NodeTree *tree, const NodeDev *dev, const NodeProperties *properties,
			    NodeDevice *device)
{
	switch (dev->kind) {
	case NODE_PCI:
		read_pci(tree, dev->path, device);
		break;
	case NODE_USB_DEVICE:
		read_usb_device(tree, dev->path, properties, device);
		break;
	case NODE_USB:
		read_usb(tree, dev->path, device);
		break;
	case NODE_NET:
		read_net(tree, dev->path, properties, device);
		break;
	case NODE_SCSI_HOST:
		read_scsi_host(tree, dev->path, dev, device);
		break;
	case NODE_SCSI_TARGET:
		read_scsi_target(tree, dev->path, device);
		break;
	case NODE_SCSI:
		read_scsi(tree, dev->path, device);
		break;
	case NODE_STORAGE:
		read_block(tree, dev->path, properties, device);
		break;
	case NODE_DRM:
		read_drm(properties, device);
		break;
	case NODE_VDPA:
		read_vdpa(tree, dev->path, device);
		break;
	default:
		break;
	}
}

NodeDevice *nodedev_read(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	g_autoptr(NodeDevice) device = node_device_new(dev->kind);
	device->name = g_strdup(dev->name);
	device->parent = g_strdup(dev->parent);
	if (dev->kind == NODE_SYSTEM) {
		read_system(tree, device);
		return g_steal_pointer(&device);
	}
	if (dev->active && !sysfs_exists(tree, dev->path, NULL)) {
		fail(error, LODGE_ERROR_NOT_FOUND, "node device '%s' has just gone", dev->name);
		return NULL;
	}
	if (dev->active) {
		g_autoptr(NodeProperties) properties = node_properties(tree, dev->path, TRUE);
		device->path = g_strdup(dev->path);
		device->driver = g_strdup(node_property(properties, "DRIVER"));
		read_capability(tree, dev, properties, device);
		read_devnodes(properties, device);
		if (dev->kind == NODE_MDEV)
			read_mdev(tree, dev, device);
	}
	if (dev->kind == NODE_MDEV && !nodedev_mdev_fill(tree, dev, device, error))
		return NULL;
	return g_steal_pointer(&device);
}

/* Disks. What kind a disk is, its serial number and its bus come from udev's database; where udev does not
 * run, the name tells the kind. Sizes: /sys/block's `size` counts 512 bytes, whatever a block is. */
#include "nodedev/internal.h"

#include <string.h>

#define SECTOR 512

/* udev's marks, then what names say. */
static const struct {
	const char *property, *kind;
} marks[] = { { "ID_DRIVE_FLOPPY", "floppy" }, { "ID_CDROM", "cdrom" }, { "ID_DRIVE_FLASH_SD", "sd" } };

static const struct {
	const char *prefix, *kind;
} names[] = { { "vd", "disk" }, { "nvme", "disk" }, { "xvd", "disk" }, { "sd", "disk" }, { "hd", "disk" },
	      { "dasd", "dasd" }, { "mmcblk", "sd" }, { "sr", "cdrom" }, { "fd", "floppy" } };

const char *disk_kind(const NodeProperties *properties, const char *name)
{
	const char *type = node_property(properties, "ID_TYPE");
	if (type && g_str_equal(type, "cd"))
		return "cdrom";
	if (type && !g_str_equal(type, "generic"))
		return g_intern_string(type);
	for (guint i = 0; i < G_N_ELEMENTS(marks); i++)
		if (!g_strcmp0(node_property(properties, marks[i].property), "1"))
			return marks[i].kind;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_has_prefix(name, names[i].prefix))
			return names[i].kind;
	return NULL;
}

static void read_medium(const NodeProperties *properties, NodeDevice *device, guint64 bytes, guint64 block)
{
	NodeSubCap *sub = node_device_add(device, SUB_REMOVABLE);
	const char *drive = device->capability->drive_type;
	gboolean cd = g_str_equal(drive, "cdrom");
	gboolean there = cd && node_property(properties, "ID_CDROM") ?
				 node_property(properties, "ID_CDROM_MEDIA") != NULL :
				 bytes > 0;
	sub->media_available = OPT_UINT(there);
	sub->media_size = OPT_UINT(there ? bytes : 0);
	if (!there)
		return;
	sub->media_label = g_strdup(node_property(properties, "ID_FS_LABEL"));
	sub->logical_block_size = OPT_UINT(block);
	sub->num_blocks = OPT_UINT(bytes / block);
}

void read_block(const NodeTree *tree, const char *path, const NodeProperties *properties, NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	guint64 block = opt_uint_or(sysfs_uint(tree, path, "queue/logical_block_size", 10), SECTOR);
	guint64 sectors = opt_uint_or(sysfs_uint(tree, path, "size", 10), 0);
	guint64 bytes = MIN(sectors, G_MAXUINT64 / SECTOR) * SECTOR;
	const char *kind = disk_kind(properties, sysname(path));
	const char *node = node_property(properties, "DEVNAME");
	cap->block = g_strconcat("/dev/", node ? node : sysname(path), NULL);
	cap->disk_bus = g_strdup(node_property(properties, "ID_BUS"));
	cap->drive_type = g_strdup(kind ? kind : "disk");
	cap->model = sysfs_text(tree, path, "device/model");
	cap->vendor = sysfs_text(tree, path, "device/vendor");
	cap->serial = g_strdup(node_property(properties, "ID_SERIAL"));
	block = MAX(block, 1);
	if (opt_uint_or(sysfs_uint(tree, path, "removable", 10), 0) == 1) {
		read_medium(properties, device, bytes, block);
	} else {
		cap->size = OPT_UINT(bytes);
		cap->logical_block_size = OPT_UINT(block);
		cap->num_blocks = OPT_UINT(bytes / block);
	}
	if (!g_strcmp0(cap->disk_bus, "usb"))
		node_device_add(device, SUB_HOTPLUGGABLE);
}

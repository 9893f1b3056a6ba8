/* Which devices there are. Only links of /sys/bus and /sys/class are followed, the rest of sysfs is not
 * walked: a device costs two to four system calls. Names: libvirt's virNodeDevice of the udev driver.
 * Neighbours: nodedev.h; read.c tells what one is. */
#include "nodedev/internal.h"

#include <string.h>

NodeDev *node_dev_ref(NodeDev *dev)
{
	g_atomic_int_inc(&dev->refs);
	return dev;
}

void node_dev_unref(NodeDev *dev)
{
	if (!dev || !g_atomic_int_dec_and_test(&dev->refs))
		return;
	g_free(dev->name);
	g_free(dev->path);
	g_free(dev->parent);
	g_free(dev->parent_addr);
	g_free(dev->uuid);
	g_free(dev);
}

NodeDev *node_dev_new(NodeCap kind, const char *name, const char *path)
{
	NodeDev *dev = g_new0(NodeDev, 1);
	dev->refs = 1;
	dev->name = g_strdup(name);
	dev->path = g_strdup(path);
	dev->kind = kind;
	dev->caps = NODE_BIT(kind);
	dev->active = TRUE;
	return dev;
}

char *node_above(const char *path)
{
	return g_path_get_dirname(path);
}

/* ---- one device ---- */

/* Subsystem and DEVTYPE of each kind; NULL: none. */
static const struct {
	const char *subsystem, *devtype;
	NodeCap kind;
} kinds[] = {
	{ "pci", NULL, NODE_PCI },
	{ "usb", "usb_device", NODE_USB_DEVICE },
	{ "usb", "usb_interface", NODE_USB },
	{ "scsi", "scsi_host", NODE_SCSI_HOST },
	{ "scsi", "scsi_target", NODE_SCSI_TARGET },
	{ "scsi", "scsi_device", NODE_SCSI },
	{ "net", NULL, NODE_NET },
	{ "net", "wlan", NODE_NET },
	{ "block", "disk", NODE_STORAGE },
	{ "scsi_generic", NULL, NODE_SCSI_GENERIC },
	{ "drm", "drm_minor", NODE_DRM },
	{ "mdev", NULL, NODE_MDEV },
	{ "vdpa", NULL, NODE_VDPA },
};

static NodeCap kind_of(const char *subsystem, const char *devtype)
{
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!g_strcmp0(kinds[i].subsystem, subsystem) && !g_strcmp0(kinds[i].devtype, devtype))
			return kinds[i].kind;
	return 0;
}

/* "block", "sda" and a serial number: "block_sda_SERIAL"; what is no letter or digit is an underscore. */
static char *name_of(const char *subsystem, const char *sys, const char *more)
{
	char *name = more ? g_strdup_printf("%s_%s_%s", subsystem, sys, more) :
			    g_strdup_printf("%s_%s", subsystem, sys);
	for (char *c = name; *c; c++)
		if (!g_ascii_isalnum(*c))
			*c = '_';
	return name;
}

char *nodedev_mdev_name(const char *uuid, const char *parent_addr)
{
	return name_of("mdev", uuid, parent_addr);
}

static void look_pci(const NodeTree *tree, NodeDev *dev)
{
	if (sysfs_exists(tree, dev->path, "mdev_supported_types"))
		dev->caps |= NODE_BIT(NODE_MDEV_TYPES);
	if (sysfs_exists(tree, dev->path, "vpd"))
		dev->caps |= NODE_BIT(NODE_VPD);
}

static void look_scsi_host(const NodeTree *tree, NodeDev *dev)
{
	g_autofree char *fc = g_strconcat("/sys/class/fc_host/", sysname(dev->path), NULL);
	if (!sysfs_exists(tree, fc, NULL))
		return;
	dev->caps |= NODE_BIT(NODE_FC_HOST);
	if (sysfs_exists(tree, fc, "vport_create"))
		dev->caps |= NODE_BIT(NODE_VPORTS);
}

static void look_mdev(NodeDev *dev)
{
	g_autofree char *above = node_above(dev->path);
	dev->parent_addr = g_strdup(sysname(above));
	dev->uuid = g_ascii_strdown(sysname(dev->path), -1);
	g_free(dev->name);
	dev->name = nodedev_mdev_name(sysname(dev->path), dev->parent_addr);
}

static NodeDev *look(const NodeTree *tree, const char *subsystem, const char *path)
{
	const char *sys = sysname(path);
	gboolean block = g_str_equal(subsystem, "block");
	g_autoptr(NodeProperties) properties = node_properties(tree, path, block);
	NodeCap kind = kind_of(subsystem, node_property(properties, "DEVTYPE"));
	g_autofree char *more = NULL;
	if (!kind || (kind == NODE_STORAGE && !disk_kind(properties, sys)))
		return NULL;
	if (kind == NODE_NET)
		more = sysfs_text(tree, path, "address");
	if (kind == NODE_STORAGE)
		more = g_strdup(node_property(properties, "ID_SERIAL"));
	g_autofree char *name = name_of(subsystem, sys, more);
	NodeDev *dev = node_dev_new(kind, name, path);
	if (kind == NODE_PCI)
		look_pci(tree, dev);
	if (kind == NODE_SCSI_HOST)
		look_scsi_host(tree, dev);
	if (kind == NODE_MDEV)
		look_mdev(dev);
	return dev;
}

NodeDev *nodedev_look(const NodeTree *tree, const char *path)
{
	g_autofree char *subsystem = sysfs_link(tree, path, "subsystem");
	return subsystem ? look(tree, subsystem, path) : NULL;
}

/* ---- all ---- */

static const struct {
	const char *folder, *subsystem;
} sources[] = {
	{ "/sys/bus/pci/devices", "pci" },	      { "/sys/bus/usb/devices", "usb" },
	{ "/sys/bus/scsi/devices", "scsi" },	      { "/sys/class/net", "net" },
	{ "/sys/class/block", "block" },	      { "/sys/class/scsi_generic", "scsi_generic" },
	{ "/sys/class/drm", "drm" },		      { "/sys/bus/mdev/devices", "mdev" },
	{ "/sys/bus/vdpa/devices", "vdpa" },
};

static void scan_folder(const NodeTree *tree, const char *folder, const char *subsystem, GPtrArray *devices)
{
	g_autoptr(GPtrArray) names = sysfs_names(tree, folder, NULL);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *link = g_strconcat(folder, "/", names->pdata[i], NULL);
		g_autofree char *path = sysfs_resolve(tree, link);
		NodeDev *dev = path ? look(tree, subsystem, path) : NULL;
		if (dev)
			g_ptr_array_add(devices, dev);
	}
}

void nodedev_set_parents(GPtrArray *devices)
{
	g_autoptr(GHashTable) by_path = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < devices->len; i++) {
		NodeDev *dev = devices->pdata[i];
		if (dev->path && dev->active)
			g_hash_table_insert(by_path, dev->path, dev->name);
	}
	for (guint i = 0; i < devices->len; i++) {
		NodeDev *dev = devices->pdata[i];
		const char *found = NULL;
		if (dev->parent || !dev->path)
			continue;
		/* a defined one that is not there has its parent's path */
		g_autofree char *path = dev->active ? node_above(dev->path) : g_strdup(dev->path);
		for (char *slash; !(found = g_hash_table_lookup(by_path, path)) && (slash = strrchr(path,
												    '/'));)
			*slash = '\0';
		dev->parent = g_strdup(found ? found : NODE_COMPUTER);
	}
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp((*(NodeDev *const *)a)->name, (*(NodeDev *const *)b)->name);
}

GPtrArray *nodedev_scan(const NodeTree *tree)
{
	GPtrArray *devices = g_ptr_array_new_with_free_func((GDestroyNotify)node_dev_unref);
	NodeDev *computer = node_dev_new(NODE_SYSTEM, NODE_COMPUTER, NULL);
	computer->persistent = computer->autostart = TRUE;
	g_ptr_array_add(devices, computer);
	for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
		scan_folder(tree, sources[i].folder, sources[i].subsystem, devices);
	nodedev_mdevs_add(tree, devices);
	nodedev_set_parents(devices);
	g_ptr_array_sort(devices, by_name);
	return devices;
}

/* Devices by what a guest's definition says of them: vendor and product, places on buses. See nodedev.h. */
#include "nodedev/internal.h"

#include <string.h>

#define USB "/sys/bus/usb/devices"

/* Where @name is a device, not an interface of one. */
static gboolean usb_at(const NodeTree *tree, const char *name, NodeUsb *at)
{
	g_autofree char *path = g_strconcat(USB "/", name, NULL);
	if (strchr(name, ':'))
		return FALSE;
	OptUint bus = sysfs_uint(tree, path, "busnum", 10), device = sysfs_uint(tree, path, "devnum", 10);
	*at = (NodeUsb){ (guint)bus.v, (guint)device.v };
	return bus.set && device.set;
}

GArray *nodedev_usb_find(const NodeTree *tree, guint vendor, guint product)
{
	GArray *found = g_array_new(FALSE, FALSE, sizeof(NodeUsb));
	g_autoptr(GPtrArray) names = sysfs_names(tree, USB, NULL);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_strconcat(USB "/", names->pdata[i], NULL);
		NodeUsb at;
		if (opt_uint_or(sysfs_uint(tree, path, "idVendor", 16), G_MAXUINT) == vendor &&
		    opt_uint_or(sysfs_uint(tree, path, "idProduct", 16), G_MAXUINT) == product &&
		    usb_at(tree, names->pdata[i], &at))
			g_array_append_val(found, at);
	}
	return found;
}

gboolean nodedev_usb_is_there(const NodeTree *tree, NodeUsb at)
{
	g_autoptr(GPtrArray) names = sysfs_names(tree, USB, NULL);
	for (guint i = 0; i < names->len; i++) {
		NodeUsb other;
		if (usb_at(tree, names->pdata[i], &other) && other.bus == at.bus && other.device == at.device)
			return TRUE;
	}
	return FALSE;
}

char *nodedev_scsi_generic(const NodeTree *tree, const char *at)
{
	g_autofree char *path = g_strconcat("/sys/bus/scsi/devices/", at, NULL);
	g_autoptr(GPtrArray) names = sysfs_names(tree, path, "scsi_generic");
	return names->len ? g_strconcat("/dev/", names->pdata[0], NULL) : NULL;
}

/* What the files of this room share. */
#pragma once

#include "host/netlink.h"
#include "nodedev/nodedev.h"

#include <string.h>

/* The name of @path: its last part. */
static inline const char *sysname(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* "/sys/bus/pci/devices/..." of the device above @path: the folder it stands in. The caller frees it. */
char *node_above(const char *path);
NodeDev *node_dev_new(NodeCap kind, const char *name, const char *path);

/* read_block.c: "disk", "cdrom", "floppy", "sd"; NULL: no disk that libvirt would list. Static. */
const char *disk_kind(const NodeProperties *properties, const char *name);

/* Each fills the capability of its kind. */
void read_pci(const NodeTree *tree, const char *path, NodeDevice *device);
void read_block(const NodeTree *tree, const char *path, const NodeProperties *properties, NodeDevice *device);
void read_net(const NodeTree *tree, const char *path, const NodeProperties *properties, NodeDevice *device);

/* pci_ids.c: names from the list of PCI ids; NULL: not there. The caller frees them. */
void pci_names(const NodeTree *tree, guint vendor, guint product, char **vendor_name, char **product_name);

/* vpd.c: what a card says of itself, from the bytes of its `vpd`; FALSE where they are no such thing, and
 * then @device is as it was. */
gboolean vpd_read(const guint8 *bytes, gsize n, NodeDevice *device);

/* lend.c: asks (or sets) what the interface @pf has for its function @vf; tests replace it. */
extern gboolean (*nodedev_function)(const char *pf, guint vf, LinkFunction *function, gboolean set,
				    GError **error);

/* mdev.c: what the definition of @dev says and sysfs does not. */
gboolean nodedev_mdev_fill(const NodeTree *tree, const NodeDev *dev, NodeDevice *device, GError **error);

char *nodedev_mdev_create(const NodeTree *tree, const NodeDevice *device, const GPtrArray *devices,
			  GError **error);
char *nodedev_vhba_create(const NodeTree *tree, const NodeDevice *device, const GPtrArray *devices,
			  GError **error);
gboolean nodedev_vhba_destroy(const NodeTree *tree, const NodeDev *dev, GError **error);

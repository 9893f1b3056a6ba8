/* The host's devices, from sysfs: which there are, what they are, giving them to guests and taking them
 * back, and devices that are made: mediated ones, virtual Fibre Channel adapters. Names and documents are
 * libvirt's.
 *
 * Everything here is for any thread but the main loop's, for sysfs can make one wait (a disk that is
 * asked for its medium, a card for its product data). Neighbours: model/nodedev.h is the document;
 * core/nodedevs.c keeps the list and watches; sysfs.h reads. */
#pragma once

#include "model/nodedev.h"
#include "nodedev/sysfs.h"

#define NODE_COMPUTER "computer"
/* Mediated devices that are defined: DIR/PARENT/UUID, the format is mdevctl's. */
#define NODE_MDEVS "/etc/mdevctl.d"

/* What lists know of a device. Immutable once it is shared. */
typedef struct NodeDev {
	gint refs;
	char *name;
	char *path; /* "/sys/devices/..."; of an inactive one its parent's; NULL: the computer */
	char *parent; /* its name; NULL: the computer has none */
	char *parent_addr; /* mediated devices: the parent's name in sysfs */
	char *uuid;	   /* mediated devices */
	NodeCap kind;
	guint32 caps; /* of NODE_BIT() */
	gboolean active, persistent, autostart;
} NodeDev;

NodeDev *node_dev_ref(NodeDev *dev);
void node_dev_unref(NodeDev *dev);

/* ---- scan.c ---- */

/* Every device (references), by name. Never NULL. */
GPtrArray *nodedev_scan(const NodeTree *tree);
/* The device at @path of sysfs, without a parent; NULL where that is none of libvirt's kinds. */
NodeDev *nodedev_look(const NodeTree *tree, const char *path);
/* Sets each device's parent: the nearest above it among @devices. */
void nodedev_set_parents(GPtrArray *devices);

/* ---- read*.c ---- */

/* The whole document of @dev, as it is now. NULL with NOT_FOUND where it has gone. */
NodeDevice *nodedev_read(const NodeTree *tree, const NodeDev *dev, GError **error);

/* ---- bind.c: PCI devices between drivers ---- */

/* Gives @dev to the driver vfio-pci, and keeps it there. What the host lacks for that is named. */
gboolean nodedev_detach(const NodeTree *tree, const NodeDev *dev, GError **error);
/* Lets the host's own drivers have it again. */
gboolean nodedev_reattach(const NodeTree *tree, const NodeDev *dev, GError **error);
gboolean nodedev_reset(const NodeTree *tree, const NodeDev *dev, GError **error);

/* ---- mdev.c, vhba.c: devices that are made. Names returned are the caller's ---- */

/* Makes what @device says: a mediated device or a virtual adapter on @parent (of @devices). */
char *nodedev_create(const NodeTree *tree, NodeDevice *device, const GPtrArray *devices, GError **error);
gboolean nodedev_destroy(const NodeTree *tree, const NodeDev *dev, GError **error);
/* Stores a mediated device's definition. */
char *nodedev_define(const NodeTree *tree, NodeDevice *device, const GPtrArray *devices, GError **error);
gboolean nodedev_undefine(const NodeTree *tree, const NodeDev *dev, GError **error);
/* Makes one that is defined. */
gboolean nodedev_start(const NodeTree *tree, const NodeDev *dev, GError **error);
gboolean nodedev_autostart(const NodeTree *tree, const NodeDev *dev, gboolean on, GError **error);

/* "mdev_" and the uuid and the parent's address, with underscores. The caller frees it. */
char *nodedev_mdev_name(const char *uuid, const char *parent_addr);
/* Every definition: devices that are not active, or marks those in @devices as persistent. */
void nodedev_mdevs_add(const NodeTree *tree, GPtrArray *devices);
/* Whether a PCI address: "0000:3a:00.1". */
gboolean nodedev_pci_address(const char *text, guint at[4]);

/* ---- uevent.c ---- */

typedef struct Uevent {
	char *action, *path; /* "add", "/sys/devices/..." */
	char *old_path;	     /* "move": where it was; else NULL */
} Uevent;

typedef enum NodeNews {
	NODE_NEWS_NONE,	 /* nothing waits */
	NODE_NEWS_OTHER, /* something that does not count */
	NODE_NEWS_EVENT,
	NODE_NEWS_LOST, /* there was more than there was room for: look at everything */
} NodeNews;

/* A socket that tells of devices, from udev where that runs, else from the kernel; -1 on failure. */
int nodedev_watch(GError **error);
/* One message of it; @event's members are the caller's. Never waits: any thread. */
NodeNews nodedev_heard(int fd, Uevent *event);
/* The same from bytes; for tests. */
gboolean uevent_parse(const char *bytes, gsize n, Uevent *event);
void uevent_clear(Uevent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeDev, node_dev_unref)

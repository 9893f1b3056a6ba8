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
/* The driver vfio-pci lets go of @dev, and it has again what it had: @driver (NULL: none) and what its file
 * driver_override said (NULL: nothing). A driver that does not come back is no failure. */
gboolean nodedev_give_back(const NodeTree *tree, const NodeDev *dev, const char *driver,
			   const char *override, GError **error);
gboolean nodedev_reset(const NodeTree *tree, const NodeDev *dev, GError **error);

/* ---- lend.c: PCI devices that a guest has for as long as it runs ---- */

/* Who gets a device, and as what. */
typedef struct NodeBorrower {
	const char *folder; /* where it is written down what was; made where it is not there */
	const char *guest, *uuid;
	gboolean managed;    /* the host's driver is taken from it; else that has been done before */
	const guint8 *mac;   /* of a function that is the guest's interface; NULL: it is none */
	OptUint vlan;	     /* the same */
} NodeBorrower;

/* Gives the PCI device @address ("0000:3a:00.1") to @to, after having written down what was. IN_USE,
 * NOT_FOUND, STATE (not managed, and still the host's), UNSUPPORTED: and then it is as it was. */
gboolean nodedev_lend(const NodeTree *tree, const NodeBorrower *to, const char *address, Notes *notes,
		      GError **error);
/* Puts all of that back; what nothing is written down of is a success. */
gboolean nodedev_return(const NodeTree *tree, const char *folder, const char *address, GError **error);
/* The addresses (char *) of which something is written down in @folder. Never NULL. */
GPtrArray *nodedev_lent(const char *folder);
/* The number of its IOMMU group; NULL: in none. The caller frees it. */
char *nodedev_group(const NodeTree *tree, const char *address);
/* The addresses (char *) of the devices in it, bridges too. Never NULL. */
GPtrArray *nodedev_group_members(const NodeTree *tree, const char *group);
/* Whether no driver of the host's has any device of @group, but for @address: IN_USE, and which, and what to
 * do. That one is given to the guest, as may be others that @goes_too knows. */
gboolean nodedev_group_is_free(const NodeTree *tree, const char *group, const char *address,
			       gboolean (*goes_too)(gconstpointer data, const char *address),
			       gconstpointer data, GError **error);

/* ---- find.c: devices by what a guest's definition says of them ---- */

typedef struct NodeUsb {
	guint bus, device;
} NodeUsb;

/* USB devices (NodeUsb) of @vendor and @product. Never NULL. */
GArray *nodedev_usb_find(const NodeTree *tree, guint vendor, guint product);
gboolean nodedev_usb_is_there(const NodeTree *tree, NodeUsb at);
/* "/dev/sg3" of the SCSI device at "HOST:BUS:TARGET:UNIT"; NULL: there is none. The caller frees it. */
char *nodedev_scsi_generic(const NodeTree *tree, const char *at);

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

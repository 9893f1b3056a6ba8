/* Parts of the host given to a guest: host devices, USB redirection, shared folders and memory,
 * memory modules.
 * Neighbours: model/guest.h holds the lists; engine/qemu/hostdev.c. */
#pragma once

#include "model/device/chardev.h"

typedef struct HostdevAddress {
	ShapeHead head;
	OptUint bus;	     /* USB, SCSI */
	OptUint device;	     /* USB */
	char *port;	     /* USB: "1.2" */
	char *target, *unit; /* SCSI */
	char *uuid;			/* mediated device */
} HostdevAddress;

typedef enum HostdevType {
	HOSTDEV_USB = 1,
	HOSTDEV_PCI,
	HOSTDEV_SCSI,
	HOSTDEV_SCSI_HOST,
	HOSTDEV_MDEV,
} HostdevType;

typedef struct Hostdev {
	ShapeHead head;
	HostdevType type;
	char *mode, *managed, *sgio, *rawio, *model, *display, *ramfb;
	char *driver_name;
	char *source_protocol, *source_name, *source_wwpn, *startup_policy;
	char *guest_reset, *source_missing;
	char *adapter;
	OptUint vendor, product;
	HostPci *pci;
	HostdevAddress *usb, *scsi, *mdev;
	char *block, *character, *interface;
	gboolean readonly, shareable;
	char *teaming_type, *teaming_persistent;
	DeviceInfo info;
} Hostdev;

typedef struct Redirdev {
	ShapeHead head;
	char *bus;
	ChardevType type;
	ChardevBackend backend;
	DeviceInfo info;
} Redirdev;

typedef struct UsbFilter {
	ShapeHead head;
	char *class_id, *vendor, *product, *version, *allow;
} UsbFilter;

typedef struct RedirFilter {
	ShapeHead head;
	GPtrArray *rules; /* UsbFilter */
} RedirFilter;

typedef struct Filesystem {
	ShapeHead head;
	char *type, *accessmode, *multidevs, *fmode, *dmode, *model;
	char *driver_type, *driver_wrpolicy, *driver_format;
	OptUint queue;
	char *binary, *xattr, *cache_mode, *sandbox_mode, *posix_lock, *flock;
	OptUint thread_pool;
	char *source_dir, *source_file, *source_socket, *source_dev, *source_usage;
	char *target;
	gboolean readonly;
	OptUint space_hard_limit, space_soft_limit;
	VirtioOptions virtio;
	DeviceInfo info;
} Filesystem;

typedef struct Shmem {
	ShapeHead head;
	char *name, *role, *model;
	OptUint size;
	char *server;
	gboolean has_server;
	char *msi;
	gboolean has_msi;
	OptUint msi_vectors;
	Tri ioeventfd;
	DeviceInfo info;
} Shmem;

typedef struct MemoryModule {
	ShapeHead head;
	char *model, *access, *discard, *uuid;
	char *source_path, *source_nodemask;
	OptUint source_pagesize, source_alignsize;
	gboolean source_pmem;
	OptUint size, node, requested, current, block, label_size;
	gboolean readonly;
	DeviceInfo info;
} MemoryModule;

extern const Shape hostdev_shape, redirdev_shape, redirfilter_shape, filesystem_shape, shmem_shape,
	memory_module_shape;
extern const EnumTable hostdev_types;

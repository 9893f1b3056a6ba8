/* Disks, CD-ROMs and floppies: what the guest sees, and where the data is.
 * Neighbours: model/guest.h holds the list; engine/qemu/disk.c turns them into block nodes. */
#pragma once

#include "model/device/address.h"

typedef enum DiskType {
	DISK_FILE = 1,
	DISK_BLOCK,
	DISK_DIR,
	DISK_NETWORK,
	DISK_VOLUME,
	DISK_NVME,
	DISK_VHOST_USER,
	DISK_VHOST_VDPA,
} DiskType;

typedef enum DiskDevice {
	DISK_DEVICE_DISK = 1,
	DISK_DEVICE_CDROM,
	DISK_DEVICE_FLOPPY,
	DISK_DEVICE_LUN,
} DiskDevice;

typedef enum DiskBus {
	DISK_BUS_IDE = 1,
	DISK_BUS_FDC,
	DISK_BUS_SCSI,
	DISK_BUS_VIRTIO,
	DISK_BUS_XEN,
	DISK_BUS_USB,
	DISK_BUS_SATA,
	DISK_BUS_SD,
	DISK_BUS_NVME,
} DiskBus;

typedef enum DiskCache {
	DISK_CACHE_DEFAULT = 1,
	DISK_CACHE_NONE,
	DISK_CACHE_WRITETHROUGH,
	DISK_CACHE_WRITEBACK,
	DISK_CACHE_DIRECTSYNC,
	DISK_CACHE_UNSAFE,
} DiskCache;

typedef enum DiskFormat {
	DISK_FORMAT_RAW = 1,
	DISK_FORMAT_DIR,
	DISK_FORMAT_BOCHS,
	DISK_FORMAT_CLOOP,
	DISK_FORMAT_DMG,
	DISK_FORMAT_ISO,
	DISK_FORMAT_VPC,
	DISK_FORMAT_VDI,
	DISK_FORMAT_FAT,
	DISK_FORMAT_VHD,
	DISK_FORMAT_PLOOP,
	DISK_FORMAT_COW,
	DISK_FORMAT_QCOW,
	DISK_FORMAT_QCOW2,
	DISK_FORMAT_QED,
	DISK_FORMAT_VMDK,
	DISK_FORMAT_VHDX,
	DISK_FORMAT_AIO,
} DiskFormat;

typedef enum DiskIo { DISK_IO_NATIVE = 1, DISK_IO_THREADS, DISK_IO_URING } DiskIo;

typedef struct DiskHost {
	ShapeHead head;
	char *name, *port, *transport, *socket;
} DiskHost;

typedef struct SecretRef {
	ShapeHead head;
	char *type, *usage, *uuid;
} SecretRef;

typedef struct DiskAuth {
	ShapeHead head;
	char *username;
	SecretRef *secret;
} DiskAuth;

typedef struct DiskEncryption {
	ShapeHead head;
	char *format, *engine;
	GPtrArray *secrets; /* SecretRef */
} DiskEncryption;

typedef struct DiskCookie {
	ShapeHead head;
	char *name, *value;
} DiskCookie;

typedef struct DiskSource {
	ShapeHead head;
	char *file, *dev, *dir, *protocol, *name, *query, *tls, *tls_hostname;
	char *pool, *volume, *mode, *startup_policy;
	char *fdgroup; /* descriptors that a client has given: see EngineFdGroup */
	char *type, *path; /* vhost-user */
	char *managed, *namespace_id; /* nvme */
	OptUint index; /* live */
	OptUint slice_offset, slice_size;
	GPtrArray *hosts; /* DiskHost */
	char *snapshot, *config, *initiator_iqn;
	OptUint readahead, timeout;
	Tri reconnect; /* vhost-user */
	OptUint reconnect_timeout, reconnect_delay; /* vhost-user; nbd */
	char *user, *group; /* nfs: names, or numbers, which may have '+' in front */
	Tri ssl_verify;
	GPtrArray *cookies; /* DiskCookie */
	Tri reservations; /* of SCSI: whether their helper is started with the guest */
	char *reservations_type, *reservations_path, *reservations_mode;
	DiskAuth *auth;
	DiskEncryption *encryption;
	HostPci *address; /* nvme */
} DiskSource;

typedef struct DiskBacking DiskBacking;
struct DiskBacking {
	ShapeHead head;
	DiskType type;
	OptUint index;
	DiskFormat format;
	OptUint metadata_cache_size;
	DiskSource *source;
	DiskBacking *backing;
};

typedef struct DiskTune {
	ShapeHead head;
	OptUint total_bytes_sec, read_bytes_sec, write_bytes_sec;
	OptUint total_iops_sec, read_iops_sec, write_iops_sec;
	OptUint total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
	OptUint total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
	OptUint size_iops_sec;
	char *group_name;
	OptUint total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
	OptUint total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
} DiskTune;

typedef struct DiskMirror {
	ShapeHead head;
	DiskType type;
	char *job, *ready, *file;
	DiskFormat format;
	DiskSource *source;
	DiskBacking *backing;
} DiskMirror;

typedef struct Disk {
	ShapeHead head;
	DiskType type;
	DiskDevice device;
	char *model, *rawio, *sgio, *snapshot;
	char *driver_name;
	DiskFormat driver_type;
	DiskCache cache;
	char *error_policy, *rerror_policy;
	DiskIo io;
	Tri ioeventfd, event_idx, copy_on_read, discard_no_unref;
	char *discard, *detect_zeroes;
	OptUint iothread, queues, queue_size;
	OptUint metadata_cache_size;
	VirtioOptions virtio;
	DiskAuth *auth;
	DiskSource *source;
	DiskBacking *backing;
	DiskMirror *mirror;
	char *target;
	DiskBus bus;
	char *tray;
	Tri removable;
	OptUint rotation_rate;
	DiskTune *tune;
	OptUint logical_block_size, physical_block_size, discard_granularity;
	OptUint cyls, heads, secs;
	char *trans;
	gboolean readonly, shareable, transient;
	char *serial, *wwn, *vendor, *product;
	DiskEncryption *encryption;
	DeviceInfo info;
} Disk;

extern const Shape disk_shape, disk_tune_shape, secret_ref_shape, disk_host_shape,
	disk_auth_shape;
extern const EnumTable disk_types, disk_devices, disk_buses, disk_caches, disk_formats, disk_ios;

/* The file, device or name that holds the data, for messages; NULL where the drive is empty. */
const char *disk_source_name(const Disk *disk);

/* 0 for "vda", "hda", "sda"; 27 for "vdab"; -1 where the name is not of this form. */
int disk_index(const char *target);

/* The small devices: input, watchdog, balloon, RNG, TPM, panic, hub, smart card, vsock, IOMMU,
 * crypto, NVRAM, lease. Each is a struct of a few rows.
 * Neighbours: model/guest.h holds them; engine/qemu/misc.c turns them into -device. */
#pragma once

#include "model/device/chardev.h"

typedef struct Input {
	ShapeHead head;
	char *type, *bus, *model;
	char *source_evdev, *source_dev, *grab, *repeat, *grab_toggle;
	VirtioOptions virtio;
	DeviceInfo info;
} Input;

typedef struct Watchdog {
	ShapeHead head;
	char *model, *action;
	DeviceInfo info;
} Watchdog;

typedef struct Memballoon {
	ShapeHead head;
	char *model;
	Tri autodeflate, free_page_reporting;
	OptUint stats_period;
	VirtioOptions virtio;
	DeviceInfo info;
} Memballoon;

typedef struct Rng {
	ShapeHead head;
	char *model;
	OptUint rate_bytes, rate_period;
	char *backend_model, *backend_type, *backend_path;
	ChardevBackend backend;
	VirtioOptions virtio;
	DeviceInfo info;
} Rng;

typedef struct Tpm {
	ShapeHead head;
	char *model, *backend_type, *backend_version, *device_path;
	char *encryption_secret;
	Tri persistent_state;
	char *debug;
	char *banks;
	DeviceInfo info;
} Tpm;

typedef struct Panic {
	ShapeHead head;
	char *model;
	DeviceInfo info;
} Panic;

typedef struct Hub {
	ShapeHead head;
	char *type;
	DeviceInfo info;
} Hub;

typedef struct Smartcard {
	ShapeHead head;
	char *mode, *type;
	GPtrArray *certificates; /* char * */
	char *database;
	ChardevBackend backend;
	DeviceInfo info;
} Smartcard;

typedef struct Vsock {
	ShapeHead head;
	char *model;
	Tri cid_auto;
	OptUint cid;
	VirtioOptions virtio;
	DeviceInfo info;
} Vsock;

typedef struct Iommu {
	ShapeHead head;
	char *model;
	Tri intremap, caching_mode, eim, iotlb;
	OptUint aw_bits;
	DeviceInfo info;
} Iommu;

typedef struct Crypto {
	ShapeHead head;
	char *model, *type, *backend_model;
	OptUint backend_queues;
	VirtioOptions virtio;
	DeviceInfo info;
} Crypto;

typedef struct Nvram {
	ShapeHead head;
	DeviceInfo info;
} Nvram;

typedef struct Lease {
	ShapeHead head;
	char *lockspace, *key, *path;
	OptUint offset;
} Lease;

extern const Shape input_shape, watchdog_shape, memballoon_shape, rng_shape, tpm_shape,
	panic_shape, hub_shape, smartcard_shape, vsock_shape, iommu_shape, crypto_shape,
	nvram_shape, lease_shape;

/* See misc.h. */
#include "model/device/misc.h"
#include "base/error.h"

#define COMMON(T) INLINE(T, info, "", DeviceInfo, device_info_shape)
#define VIRTIO(T) INLINE(T, virtio, "driver", VirtioOptions, virtio_options_shape)

static const Row input_rows[] = {
	STRING(Input, type, "@type", .flags = ROW_REQUIRED,
	       .doc = "mouse, tablet, keyboard, passthrough or evdev"),
	STRING(Input, bus, "@bus", .doc = "ps2, usb or virtio"),
	STRING(Input, model, "@model", .doc = "virtio model"),
	VIRTIO(Input),
	STRING(Input, source_evdev, "source/@evdev", .doc = "event device of the host"),
	STRING(Input, source_dev, "source/@dev", .doc = "event device of the host"),
	STRING(Input, grab, "source/@grab", .doc = "all: grab every device"),
	STRING(Input, grab_toggle, "source/@grabToggle", .doc = "keys that toggle the grab"),
	STRING(Input, repeat, "source/@repeat", .doc = "key repeat"),
	COMMON(Input),
};
const Shape input_shape = SHAPE("input", Input, input_rows);

static const Row watchdog_rows[] = {
	STRING(Watchdog, model, "@model", .flags = ROW_REQUIRED,
	       .doc = "i6300esb, ib700, itco, diag288"),
	STRING(Watchdog, action, "@action", .dflt = "reset",
	       .doc = "reset, shutdown, poweroff, pause, dump, inject-nmi, none"),
	COMMON(Watchdog),
};
const Shape watchdog_shape = SHAPE("watchdog", Watchdog, watchdog_rows);

static const Row memballoon_rows[] = {
	STRING(Memballoon, model, "@model", .flags = ROW_REQUIRED, .doc = "virtio or none"),
	TRI(Memballoon, autodeflate, "@autodeflate", .words = "on/off",
	    .doc = "give memory back before the guest runs out"),
	TRI(Memballoon, free_page_reporting, "@freePageReporting", .words = "on/off",
	    .doc = "report free pages"),
	UINT(Memballoon, stats_period, "stats/@period", .max = G_MAXINT32, .flags = ROW_HOT,
	     .doc = "seconds between statistics"),
	VIRTIO(Memballoon),
	COMMON(Memballoon),
};
const Shape memballoon_shape = SHAPE("memballoon", Memballoon, memballoon_rows);

static const Row rng_rows[] = {
	STRING(Rng, model, "@model", .flags = ROW_REQUIRED, .doc = "virtio"),
	VIRTIO(Rng),
	UINT(Rng, rate_bytes, "rate/@bytes", .doc = "bytes per period"),
	UINT(Rng, rate_period, "rate/@period", .doc = "milliseconds"),
	STRING(Rng, backend_model, "backend/@model", .flags = ROW_REQUIRED,
	       .doc = "random, egd or builtin"),
	STRING(Rng, backend_type, "backend/@type", .doc = "kind of connection (egd)"),
	STRING(Rng, backend_path, "backend", .doc = "device of the host (random)"),
	INLINE(Rng, backend, "backend", ChardevBackend, chardev_backend_shape),
	COMMON(Rng),
};
const Shape rng_shape = SHAPE("rng", Rng, rng_rows);

static const Row tpm_rows[] = {
	STRING(Tpm, model, "@model", .doc = "tpm-tis, tpm-crb, tpm-spapr"),
	STRING(Tpm, backend_type, "backend/@type", .flags = ROW_REQUIRED,
	       .doc = "emulator, passthrough or external"),
	STRING(Tpm, backend_version, "backend/@version", .doc = "1.2 or 2.0"),
	TRI(Tpm, persistent_state, "backend/@persistent_state",
	    .doc = "whether its state outlives an undefine"),
	STRING(Tpm, debug, "backend/@debug", .doc = "level of messages"),
	STRING(Tpm, encryption_secret, "backend/encryption/@secret", .doc = "key of its state"),
	STRING(Tpm, device_path, "backend/device/@path", .doc = "device of the host"),
	RAWXML(Tpm, banks, "backend/active_pcr_banks", .doc = "active banks"),
	COMMON(Tpm),
};
const Shape tpm_shape = SHAPE("tpm", Tpm, tpm_rows);

static const Row panic_rows[] = {
	STRING(Panic, model, "@model", .doc = "isa, pseries, hyperv, s390, pvpanic"),
	COMMON(Panic),
};
const Shape panic_shape = SHAPE("panic", Panic, panic_rows);

static const Row hub_rows[] = {
	STRING(Hub, type, "@type", .flags = ROW_REQUIRED, .doc = "usb"),
	COMMON(Hub),
};
const Shape hub_shape = SHAPE("hub", Hub, hub_rows);

static const Row smartcard_rows[] = {
	STRING(Smartcard, mode, "@mode", .flags = ROW_REQUIRED,
	       .doc = "host, host-certificates or passthrough"),
	STRING(Smartcard, type, "@type", .doc = "backend of passthrough"),
	STRINGS(Smartcard, certificates, "certificate", .doc = "names of three certificates"),
	STRING(Smartcard, database, "database", .doc = "their database"),
	INLINE(Smartcard, backend, "", ChardevBackend, chardev_backend_shape),
	COMMON(Smartcard),
};
const Shape smartcard_shape = SHAPE("smartcard", Smartcard, smartcard_rows);

static const Row vsock_rows[] = {
	STRING(Vsock, model, "@model", .doc = "virtio"),
	TRI(Vsock, cid_auto, "cid/@auto", .doc = "any free address"),
	UINT(Vsock, cid, "cid/@address", .min = 3, .max = G_MAXUINT32, .doc = "address"),
	VIRTIO(Vsock),
	COMMON(Vsock),
};
const Shape vsock_shape = SHAPE("vsock", Vsock, vsock_rows);

static const Row iommu_rows[] = {
	STRING(Iommu, model, "@model", .flags = ROW_REQUIRED, .doc = "intel, smmuv3 or virtio"),
	TRI(Iommu, intremap, "driver/@intremap", .words = "on/off", .doc = "interrupt remapping"),
	TRI(Iommu, caching_mode, "driver/@caching_mode", .words = "on/off", .doc = "caching mode"),
	TRI(Iommu, eim, "driver/@eim", .words = "on/off", .doc = "extended interrupts"),
	TRI(Iommu, iotlb, "driver/@iotlb", .words = "on/off", .doc = "cache of the IOMMU"),
	UINT(Iommu, aw_bits, "driver/@aw_bits", .doc = "width of addresses"),
	COMMON(Iommu),
};
const Shape iommu_shape = SHAPE("iommu", Iommu, iommu_rows);

static const Row crypto_rows[] = {
	STRING(Crypto, model, "@model", .flags = ROW_REQUIRED, .doc = "virtio"),
	STRING(Crypto, type, "@type", .flags = ROW_REQUIRED, .doc = "qemu"),
	STRING(Crypto, backend_model, "backend/@model", .doc = "builtin or lkcf"),
	UINT(Crypto, backend_queues, "backend/@queues", .doc = "count of queues"),
	VIRTIO(Crypto),
	COMMON(Crypto),
};
const Shape crypto_shape = SHAPE("crypto", Crypto, crypto_rows);

static const Row nvram_rows[] = { COMMON(Nvram) };
const Shape nvram_shape = SHAPE("nvram", Nvram, nvram_rows);

static const Row lease_rows[] = {
	STRING(Lease, lockspace, "lockspace", .doc = "lock space"),
	STRING(Lease, key, "key", .flags = ROW_REQUIRED, .doc = "key"),
	STRING(Lease, path, "target/@path", .flags = ROW_REQUIRED, .doc = "file"),
	UINT(Lease, offset, "target/@offset", .doc = "first byte"),
};
const Shape lease_shape = SHAPE("lease", Lease, lease_rows);

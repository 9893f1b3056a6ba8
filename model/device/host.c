/* See host.h. */
#include "model/device/host.h"

static const Row usb_rows[] = {
	UINT(HostdevAddress, bus, "@bus", .max = G_MAXUINT32, .doc = "USB bus"),
	UINT(HostdevAddress, device, "@device", .max = G_MAXUINT32, .doc = "USB device"),
	STRING(HostdevAddress, port, "@port", .doc = "USB port"),
};
static const Shape usb_shape = SHAPE("hostdev-usb", HostdevAddress, usb_rows);

static const Row scsi_rows[] = {
	UINT(HostdevAddress, bus, "@bus", .max = G_MAXUINT32, .doc = "SCSI bus"),
	STRING(HostdevAddress, target, "@target", .doc = "SCSI target"),
	STRING(HostdevAddress, unit, "@unit", .doc = "SCSI unit"),
};
static const Shape scsi_shape = SHAPE("hostdev-scsi", HostdevAddress, scsi_rows);

static const Row mdev_rows[] = {
	UUID(HostdevAddress, uuid, "@uuid", .doc = "mediated device"),
};
static const Shape mdev_shape = SHAPE("hostdev-mdev", HostdevAddress, mdev_rows);

#define FOR(kind) SHAPE_WHEN(HOSTDEV_##kind)

const EnumTable hostdev_types = ENUM_TABLE("type of host device", "usb", "pci", "scsi",
						  "scsi_host", "mdev", "storage", "misc", "net");

static const Row hostdev_rows[] = {
	STRING(Hostdev, mode, "@mode", .dflt = "subsystem", .doc = "subsystem or capabilities"),
	ENUM(Hostdev, type, "@type", hostdev_types, .flags = ROW_REQUIRED, .doc = "bus"),
	STRING(Hostdev, managed, "@managed", .doc = "whether the host's driver is detached"),
	STRING(Hostdev, sgio, "@sgio", .doc = "filtered or unfiltered SCSI commands"),
	STRING(Hostdev, rawio, "@rawio", .doc = "raw SCSI commands"),
	STRING(Hostdev, model, "@model", .doc = "model"),
	STRING(Hostdev, display, "@display", .doc = "show the device's screen"),
	STRING(Hostdev, ramfb, "@ramfb", .doc = "screen while booting"),
	STRING(Hostdev, driver_name, "driver/@name", .doc = "vfio"),
	STRING(Hostdev, startup_policy, "source/@startupPolicy", .doc = "what a missing one does"),
	STRING(Hostdev, guest_reset, "source/@guestReset", .doc = "whether the guest may reset it"),
	STRING(Hostdev, source_missing, "source/@missing", .flags = ROW_LIVE, .doc = "not there"),
	STRING(Hostdev, source_protocol, "source/@protocol", .doc = "iscsi or vhost"),
	STRING(Hostdev, source_name, "source/@name", .doc = "iSCSI name"),
	STRING(Hostdev, source_wwpn, "source/@wwpn", .doc = "world wide name"),
	UINT(Hostdev, vendor, "source/vendor/@id", .flags = ROW_HEX, .digits = 4, .max = 0xffff,
	     .doc = "USB vendor"),
	UINT(Hostdev, product, "source/product/@id", .flags = ROW_HEX, .digits = 4, .max = 0xffff,
	     .doc = "USB product"),
	STRING(Hostdev, adapter, "source/adapter/@name", .doc = "SCSI adapter"),
	STRUCT(Hostdev, pci, "source/address", HostPci, host_pci_shape, .when = FOR(PCI),
	       .doc = "PCI address on the host"),
	STRUCT(Hostdev, usb, "source/address", HostdevAddress, usb_shape, .when = FOR(USB),
	       .doc = "USB address on the host"),
	STRUCT(Hostdev, scsi, "source/address", HostdevAddress, scsi_shape, .when = FOR(SCSI),
	       .doc = "SCSI address on the host"),
	STRUCT(Hostdev, mdev, "source/address", HostdevAddress, mdev_shape, .when = FOR(MDEV),
	       .doc = "mediated device"),
	STRING(Hostdev, block, "source/block", .doc = "block device"),
	STRING(Hostdev, character, "source/char", .doc = "character device"),
	STRING(Hostdev, interface, "source/interface", .doc = "network interface"),
	FLAG(Hostdev, readonly, "readonly", .doc = "never written"),
	FLAG(Hostdev, shareable, "shareable", .doc = "several guests may use it"),
	STRING(Hostdev, teaming_type, "teaming/@type", .doc = "persistent or transient"),
	STRING(Hostdev, teaming_persistent, "teaming/@persistent", .doc = "alias of the other"),
	INLINE(Hostdev, info, "", DeviceInfo, device_info_shape),
};
const Shape hostdev_shape = SHAPE("hostdev", Hostdev, hostdev_rows, .discriminator = &hostdev_rows[1]);

static const Row redirdev_rows[] = {
	STRING(Redirdev, bus, "@bus", .dflt = "usb", .doc = "usb"),
	ENUM(Redirdev, type, "@type", chardev_types, .flags = ROW_REQUIRED, .doc = "connection"),
	INLINE(Redirdev, backend, "", ChardevBackend, chardev_backend_shape),
	INLINE(Redirdev, info, "", DeviceInfo, device_info_shape),
};
const Shape redirdev_shape = SHAPE("redirdev", Redirdev, redirdev_rows);

static const Row usb_filter_rows[] = {
	STRING(UsbFilter, class_id, "@class", .doc = "class"),
	STRING(UsbFilter, vendor, "@vendor", .doc = "vendor"),
	STRING(UsbFilter, product, "@product", .doc = "product"),
	STRING(UsbFilter, version, "@version", .doc = "version"),
	STRING(UsbFilter, allow, "@allow", .flags = ROW_REQUIRED, .doc = "yes or no"),
};
static const Shape usb_filter_shape = SHAPE("usb-filter", UsbFilter, usb_filter_rows);

static const Row redirfilter_rows[] = {
	LIST(RedirFilter, rules, "usbdev", usb_filter_shape, .doc = "rules, first match counts"),
};
const Shape redirfilter_shape = SHAPE("redirfilter", RedirFilter, redirfilter_rows);

static const Row filesystem_rows[] = {
	STRING(Filesystem, type, "@type", .dflt = "mount", .doc = "mount, file, block, ram, bind"),
	STRING(Filesystem, accessmode, "@accessmode", .doc = "passthrough, mapped or squash"),
	STRING(Filesystem, multidevs, "@multidevs", .doc = "several devices in one folder"),
	STRING(Filesystem, fmode, "@fmode", .doc = "mode of new files"),
	STRING(Filesystem, dmode, "@dmode", .doc = "mode of new folders"),
	STRING(Filesystem, model, "@model", .doc = "virtio model"),
	STRING(Filesystem, driver_type, "driver/@type", .doc = "path, handle, virtiofs"),
	STRING(Filesystem, driver_format, "driver/@format", .doc = "format of the image"),
	STRING(Filesystem, driver_wrpolicy, "driver/@wrpolicy", .doc = "immediate"),
	UINT(Filesystem, queue, "driver/@queue", .doc = "size of the queue"),
	INLINE(Filesystem, virtio, "driver", VirtioOptions, virtio_options_shape),
	STRING(Filesystem, binary, "binary/@path", .doc = "virtiofsd"),
	STRING(Filesystem, xattr, "binary/@xattr", .doc = "extended attributes"),
	STRING(Filesystem, cache_mode, "binary/cache/@mode", .doc = "none or always"),
	STRING(Filesystem, sandbox_mode, "binary/sandbox/@mode", .doc = "namespace or chroot"),
	STRING(Filesystem, posix_lock, "binary/lock/@posix", .doc = "POSIX locks"),
	STRING(Filesystem, flock, "binary/lock/@flock", .doc = "BSD locks"),
	UINT(Filesystem, thread_pool, "binary/thread_pool/@size", .doc = "count of threads"),
	STRING(Filesystem, source_dir, "source/@dir", .doc = "folder of the host"),
	STRING(Filesystem, source_file, "source/@file", .doc = "image"),
	STRING(Filesystem, source_dev, "source/@dev", .doc = "block device"),
	STRING(Filesystem, source_socket, "source/@socket", .doc = "socket of a virtiofsd"),
	STRING(Filesystem, source_usage, "source/@usage", .doc = "KiB of a RAM disk"),
	STRING(Filesystem, target, "target/@dir", .doc = "name that the guest mounts"),
	FLAG(Filesystem, readonly, "readonly", .doc = "never written"),
	SIZE(Filesystem, space_hard_limit, "space_hard_limit", .words = "bytes", .doc = "limit"),
	SIZE(Filesystem, space_soft_limit, "space_soft_limit", .words = "bytes", .doc = "limit"),
	INLINE(Filesystem, info, "", DeviceInfo, device_info_shape),
};
const Shape filesystem_shape = SHAPE("filesystem", Filesystem, filesystem_rows);

static const Row shmem_rows[] = {
	STRING(Shmem, name, "@name", .flags = ROW_REQUIRED, .doc = "name"),
	STRING(Shmem, role, "@role", .doc = "master or peer"),
	STRING(Shmem, model, "model/@type", .doc = "ivshmem-plain or ivshmem-doorbell"),
	SIZE(Shmem, size, "size", .words = "M", .doc = "size"),
	FLAG(Shmem, has_server, "server", .doc = "whether a server shares it"),
	STRING(Shmem, server, "server/@path", .doc = "socket of the server"),
	FLAG(Shmem, has_msi, "msi", .doc = "message interrupts are spoken of"),
	STRING(Shmem, msi, "msi/@enabled", .doc = "message interrupts"),
	UINT(Shmem, msi_vectors, "msi/@vectors", .max = G_MAXUINT32, .doc = "count of vectors"),
	TRI(Shmem, ioeventfd, "msi/@ioeventfd", .words = "on/off", .doc = "ioeventfd"),
	INLINE(Shmem, info, "", DeviceInfo, device_info_shape),
};
const Shape shmem_shape = SHAPE("shmem", Shmem, shmem_rows);

static const Row memory_rows[] = {
	STRING(MemoryModule, model, "@model", .flags = ROW_REQUIRED,
	       .doc = "dimm, nvdimm, virtio-pmem, virtio-mem, sgx-epc"),
	STRING(MemoryModule, access, "@access", .doc = "shared or private"),
	STRING(MemoryModule, discard, "@discard", .doc = "yes or no"),
	UUID(MemoryModule, uuid, "uuid", .doc = "UUID of an NVDIMM"),
	STRING(MemoryModule, source_path, "source/path", .doc = "file behind it"),
	CPUSET(MemoryModule, source_nodemask, "source/nodemask", .doc = "NUMA nodes of the host"),
	SIZE(MemoryModule, source_pagesize, "source/pagesize", .words = "KiB", .doc = "page size"),
	SIZE(MemoryModule, source_alignsize, "source/alignsize", .words = "KiB",
	     .doc = "alignment"),
	FLAG(MemoryModule, source_pmem, "source/pmem", .doc = "persistent memory"),
	SIZE(MemoryModule, size, "target/size", .words = "KiB", .doc = "size"),
	UINT(MemoryModule, node, "target/node", .max = G_MAXUINT32, .doc = "NUMA node"),
	SIZE(MemoryModule, block, "target/block", .words = "KiB", .doc = "block size"),
	SIZE(MemoryModule, requested, "target/requested", .words = "KiB", .flags = ROW_HOT,
	     .doc = "size wanted (virtio-mem)"),
	SIZE(MemoryModule, current, "target/current", .words = "KiB", .flags = ROW_LIVE,
	     .doc = "size in use (virtio-mem)"),
	SIZE(MemoryModule, label_size, "target/label/size", .words = "KiB", .doc = "label area"),
	FLAG(MemoryModule, readonly, "target/readonly", .doc = "never written"),
	INLINE(MemoryModule, info, "", DeviceInfo, device_info_shape),
};
const Shape memory_module_shape = SHAPE("memory-module", MemoryModule, memory_rows);

/* See disk.h. */
#include "model/device/disk.h"
#include "base/error.h"

#include <string.h>

const EnumTable disk_types = ENUM_TABLE("type of disk", "file", "block", "dir", "network", "volume",
					"nvme", "vhostuser", "vhostvdpa");
const EnumTable disk_devices = ENUM_TABLE("disk device", "disk", "cdrom", "floppy", "lun");
const EnumTable disk_buses = ENUM_TABLE("disk bus", "ide", "fdc", "scsi", "virtio", "xen", "usb",
					"sata", "sd", "nvme");
const EnumTable disk_caches = ENUM_TABLE("cache mode", "default", "none", "writethrough",
					 "writeback", "directsync", "unsafe");
const EnumTable disk_formats =
	ENUM_TABLE("image format", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat",
		   "vhd", "ploop", "cow", "qcow", "qcow2", "qed", "vmdk", "vhdx", "aio");
const EnumTable disk_ios = ENUM_TABLE("I/O mode", "native", "threads", "io_uring");

static const Row host_rows[] = {
	STRING(DiskHost, name, "@name", .doc = "server"),
	STRING(DiskHost, port, "@port", .doc = "port"),
	STRING(DiskHost, transport, "@transport", .doc = "tcp, rdma or unix"),
	STRING(DiskHost, socket, "@socket", .doc = "path of a unix socket"),
};
const Shape disk_host_shape = SHAPE("disk-host", DiskHost, host_rows);

static const Row secret_rows[] = {
	STRING(SecretRef, type, "@type", .doc = "kind of secret"),
	STRING(SecretRef, usage, "@usage", .doc = "usage that the secret was defined with"),
	UUID(SecretRef, uuid, "@uuid", .doc = "secret"),
};
const Shape secret_ref_shape = SHAPE("secret-ref", SecretRef, secret_rows);

static const Row auth_rows[] = {
	STRING(DiskAuth, username, "@username", .doc = "user of the storage server"),
	STRUCT(DiskAuth, secret, "secret", SecretRef, secret_ref_shape, .doc = "its password"),
};
const Shape disk_auth_shape = SHAPE("disk-auth", DiskAuth, auth_rows);

static const Row encryption_rows[] = {
	STRING(DiskEncryption, format, "@format", .doc = "luks or qcow"),
	STRING(DiskEncryption, engine, "@engine", .doc = "qemu or librbd"),
	LIST(DiskEncryption, secrets, "secret", secret_ref_shape, .doc = "passphrases"),
};
static const Shape encryption_shape = SHAPE("disk-encryption", DiskEncryption, encryption_rows);

static const Row cookie_rows[] = {
	STRING(DiskCookie, name, "@name", .flags = ROW_REQUIRED, .doc = "its name"),
	STRING(DiskCookie, value, ".", .doc = "its value"),
};
static const Shape cookie_shape = SHAPE("disk-cookie", DiskCookie, cookie_rows);

static const Row source_rows[] = {
	STRING(DiskSource, protocol, "@protocol", .doc = "network protocol of the image"),
	STRING(DiskSource, name, "@name", .doc = "image on the server"),
	STRING(DiskSource, query, "@query", .doc = "query part of an http address"),
	STRING(DiskSource, tls, "@tls", .doc = "whether TLS is used"),
	STRING(DiskSource, tls_hostname, "@tlsHostname", .doc = "name in the server's certificate"),
	STRING(DiskSource, file, "@file", .doc = "image file"),
	STRING(DiskSource, fdgroup, "@fdgroup", .doc = "descriptors to use instead, by dom-fd-associate"),
	STRING(DiskSource, dev, "@dev", .doc = "block device"),
	STRING(DiskSource, dir, "@dir", .doc = "folder shown as a FAT disk"),
	STRING(DiskSource, pool, "@pool", .doc = "storage pool"),
	STRING(DiskSource, volume, "@volume", .doc = "volume of the pool"),
	STRING(DiskSource, mode, "@mode", .doc = "host or direct, for iSCSI pools"),
	STRING(DiskSource, type, "@type", .doc = "pci (nvme) or unix (vhostuser)"),
	STRING(DiskSource, path, "@path", .doc = "socket of the vhost-user server"),
	STRING(DiskSource, managed, "@managed", .doc = "whether the host's driver is detached"),
	STRING(DiskSource, namespace_id, "@namespace", .doc = "NVMe namespace"),
	STRING(DiskSource, startup_policy, "@startupPolicy",
	       .doc = "what a missing image does: mandatory, requisite, optional"),
	UINT(DiskSource, index, "@index", .flags = ROW_LIVE, .doc = "number of the block node"),
	LIST(DiskSource, hosts, "host", disk_host_shape, .doc = "servers"),
	STRING(DiskSource, initiator_iqn, "initiator/iqn/@name", .doc = "iSCSI initiator"),
	STRING(DiskSource, snapshot, "snapshot/@name", .doc = "snapshot on the server"),
	STRING(DiskSource, config, "config/@file", .doc = "configuration of the Ceph client"),
	UINT(DiskSource, readahead, "readahead/@size", .doc = "bytes read ahead"),
	UINT(DiskSource, timeout, "timeout/@seconds", .doc = "time limit of the server"),
	TRI(DiskSource, reconnect, "reconnect/@enabled", .doc = "connect again (vhostuser)"),
	UINT(DiskSource, reconnect_timeout, "reconnect/@timeout", .doc = "seconds between (vhostuser)"),
	UINT(DiskSource, reconnect_delay, "reconnect/@delay", .doc = "seconds that requests wait (nbd)"),
	STRING(DiskSource, user, "identity/@user", .doc = "account on the server (nfs)"),
	STRING(DiskSource, group, "identity/@group", .doc = "group on the server (nfs)"),
	TRI(DiskSource, ssl_verify, "ssl/@verify", .doc = "whether the server's certificate counts"),
	LIST(DiskSource, cookies, "cookies/cookie", cookie_shape, .doc = "cookies (http, https)"),
	TRI(DiskSource, reservations, "reservations/@managed",
	    .doc = "SCSI reservations; whether their helper is started with the guest"),
	STRING(DiskSource, reservations_type, "reservations/source/@type", .doc = "unix"),
	STRING(DiskSource, reservations_path, "reservations/source/@path", .doc = "the helper's socket"),
	STRING(DiskSource, reservations_mode, "reservations/source/@mode", .doc = "client"),
	UINT(DiskSource, slice_offset, "slices/slice/@offset", .doc = "first byte used"),
	UINT(DiskSource, slice_size, "slices/slice/@size", .doc = "count of bytes used"),
	STRUCT(DiskSource, auth, "auth", DiskAuth, disk_auth_shape, .doc = "login at the server"),
	STRUCT(DiskSource, encryption, "encryption", DiskEncryption, encryption_shape,
	       .doc = "how the image is encrypted"),
	STRUCT(DiskSource, address, "address", HostPci, host_pci_shape, .doc = "NVMe controller"),
};
static const Shape source_shape = SHAPE("disk-source", DiskSource, source_rows);

static const Shape backing_shape; /* a base may have a base */
static const Row backing_rows[] = {
	ENUM(DiskBacking, type, "@type", disk_types, .doc = "where the base image is"),
	UINT(DiskBacking, index, "@index", .flags = ROW_LIVE, .doc = "number of the block node"),
	ENUM(DiskBacking, format, "format/@type", disk_formats, .doc = "its format"),
	SIZE(DiskBacking, metadata_cache_size, "format/metadata_cache/max_size", .words = "bytes",
	     .doc = "qcow2 metadata kept in memory"),
	STRUCT(DiskBacking, source, "source", DiskSource, source_shape, .doc = "the base image"),
	STRUCT(DiskBacking, backing, "backingStore", DiskBacking, backing_shape,
	       .doc = "the base of the base"),
};
static const Shape backing_shape = SHAPE("disk-backing", DiskBacking, backing_rows);

static const Row mirror_rows[] = {
	ENUM(DiskMirror, type, "@type", disk_types, .doc = "where the copy is"),
	STRING(DiskMirror, file, "@file", .doc = "the copy, old form"),
	STRING(DiskMirror, job, "@job", .doc = "copy or active-commit"),
	STRING(DiskMirror, ready, "@ready", .doc = "whether both are the same"),
	ENUM(DiskMirror, format, "format/@type", disk_formats, .doc = "format of the copy"),
	STRUCT(DiskMirror, source, "source", DiskSource, source_shape, .doc = "the copy"),
	STRUCT(DiskMirror, backing, "backingStore", DiskBacking, backing_shape,
	       .doc = "the copy's base"),
};
static const Shape mirror_shape = SHAPE("disk-mirror", DiskMirror, mirror_rows);

#define TUNE(member, text) UINT(DiskTune, member, #member, .flags = ROW_HOT, .doc = text)
static const Row tune_rows[] = {
	TUNE(total_bytes_sec, "bytes per second, both ways"),
	TUNE(read_bytes_sec, "bytes read per second"),
	TUNE(write_bytes_sec, "bytes written per second"),
	TUNE(total_iops_sec, "requests per second, both ways"),
	TUNE(read_iops_sec, "reads per second"),
	TUNE(write_iops_sec, "writes per second"),
	TUNE(total_bytes_sec_max, "bytes per second in a burst"),
	TUNE(read_bytes_sec_max, "bytes read per second in a burst"),
	TUNE(write_bytes_sec_max, "bytes written per second in a burst"),
	TUNE(total_iops_sec_max, "requests per second in a burst"),
	TUNE(read_iops_sec_max, "reads per second in a burst"),
	TUNE(write_iops_sec_max, "writes per second in a burst"),
	TUNE(size_iops_sec, "bytes that count as one request"),
	STRING(DiskTune, group_name, "group_name", .flags = ROW_HOT,
	       .doc = "disks of one group share their limits"),
	TUNE(total_bytes_sec_max_length, "seconds a burst may last"),
	TUNE(read_bytes_sec_max_length, "seconds a burst of reads may last"),
	TUNE(write_bytes_sec_max_length, "seconds a burst of writes may last"),
	TUNE(total_iops_sec_max_length, "seconds a burst of requests may last"),
	TUNE(read_iops_sec_max_length, "seconds a burst of reads may last"),
	TUNE(write_iops_sec_max_length, "seconds a burst of writes may last"),
};
const Shape disk_tune_shape = SHAPE("disk-tune", DiskTune, tune_rows);

static const Row disk_rows[] = {
	ENUM(Disk, type, "@type", disk_types, .dflt = "file", .doc = "where the data is"),
	ENUM(Disk, device, "@device", disk_devices, .dflt = "disk", .doc = "what the guest sees"),
	STRING(Disk, model, "@model", .doc = "virtio, virtio-transitional, virtio-non-transitional"),
	STRING(Disk, rawio, "@rawio", .doc = "whether raw SCSI commands are allowed"),
	STRING(Disk, sgio, "@sgio", .doc = "filtered or unfiltered SCSI commands"),
	STRING(Disk, snapshot, "@snapshot", .doc = "how snapshots treat it"),
	STRING(Disk, driver_name, "driver/@name", .doc = "qemu"),
	ENUM(Disk, driver_type, "driver/@type", disk_formats, .doc = "format of the image"),
	ENUM(Disk, cache, "driver/@cache", disk_caches, .doc = "host cache"),
	STRING(Disk, error_policy, "driver/@error_policy",
	       .doc = "what a write error does: stop, report, ignore, enospace"),
	STRING(Disk, rerror_policy, "driver/@rerror_policy", .doc = "what a read error does"),
	ENUM(Disk, io, "driver/@io", disk_ios, .doc = "how QEMU reads and writes"),
	TRI(Disk, ioeventfd, "driver/@ioeventfd", .words = "on/off", .doc = "ioeventfd"),
	TRI(Disk, event_idx, "driver/@event_idx", .words = "on/off", .doc = "fewer interrupts"),
	TRI(Disk, copy_on_read, "driver/@copy_on_read", .words = "on/off",
	    .doc = "copy what is read from the base image"),
	STRING(Disk, discard, "driver/@discard", .doc = "unmap or ignore"),
	UINT(Disk, iothread, "driver/@iothread", .max = G_MAXUINT32, .doc = "I/O thread"),
	STRING(Disk, detect_zeroes, "driver/@detect_zeroes", .doc = "off, on or unmap"),
	UINT(Disk, queues, "driver/@queues", .max = 65535, .doc = "count of queues"),
	UINT(Disk, queue_size, "driver/@queue_size", .max = 65535, .doc = "size of a queue"),
	TRI(Disk, discard_no_unref, "driver/@discard_no_unref", .words = "on/off",
	    .doc = "keep clusters on discard"),
	INLINE(Disk, virtio, "driver", VirtioOptions, virtio_options_shape),
	SIZE(Disk, metadata_cache_size, "driver/metadata_cache/max_size", .words = "bytes",
	     .doc = "qcow2 metadata kept in memory"),
	STRUCT(Disk, auth, "auth", DiskAuth, disk_auth_shape, .doc = "login at the storage server"),
	STRUCT(Disk, source, "source", DiskSource, source_shape, .doc = "the image"),
	STRUCT(Disk, backing, "backingStore", DiskBacking, backing_shape, .doc = "its base image"),
	STRUCT(Disk, mirror, "mirror", DiskMirror, mirror_shape, .flags = ROW_LIVE, .doc = "copy under way"),
	UINT(Disk, cyls, "geometry/@cyls", .doc = "cylinders"),
	UINT(Disk, heads, "geometry/@heads", .doc = "heads"),
	UINT(Disk, secs, "geometry/@secs", .doc = "sectors"),
	STRING(Disk, trans, "geometry/@trans", .doc = "BIOS translation"),
	UINT(Disk, logical_block_size, "blockio/@logical_block_size", .doc = "bytes"),
	UINT(Disk, physical_block_size, "blockio/@physical_block_size", .doc = "bytes"),
	UINT(Disk, discard_granularity, "blockio/@discard_granularity", .doc = "bytes"),
	STRING(Disk, target, "target/@dev", .flags = ROW_REQUIRED, .doc = "name in the guest"),
	ENUM(Disk, bus, "target/@bus", disk_buses, .doc = "bus"),
	STRING(Disk, tray, "target/@tray", .doc = "open or closed"),
	TRI(Disk, removable, "target/@removable", .words = "on/off", .doc = "removable (USB)"),
	UINT(Disk, rotation_rate, "target/@rotation_rate", .max = 65534,
	     .doc = "rotations per minute; 1: solid state"),
	STRUCT(Disk, tune, "iotune", DiskTune, disk_tune_shape, .doc = "limits"),
	FLAG(Disk, readonly, "readonly", .doc = "never written"),
	FLAG(Disk, shareable, "shareable", .doc = "several guests may write it"),
	FLAG(Disk, transient, "transient", .doc = "changes are dropped at the end"),
	STRING(Disk, serial, "serial", .doc = "serial number"),
	STRING(Disk, wwn, "wwn", .doc = "world wide name, 16 hex digits"),
	STRING(Disk, vendor, "vendor", .doc = "SCSI vendor"),
	STRING(Disk, product, "product", .doc = "SCSI product"),
	STRUCT(Disk, encryption, "encryption", DiskEncryption, encryption_shape,
	       .doc = "how the image is encrypted"),
	INLINE(Disk, info, "", DeviceInfo, device_info_shape),
};

static gboolean source_fits(const Disk *disk, GError **error)
{
	const DiskSource *s = disk->source;
	const char *path = !s ? NULL : s->file ? s->file : s->dev;
	if (path && *path != '/')
		return fail(error, LODGE_ERROR_INVALID,
			    "disk %s: \"%s\" is not an absolute path: the daemon works in no folder",
			    disk->target, path);
	if (!s || (disk->device != DISK_DEVICE_DISK && disk->device != DISK_DEVICE_LUN))
		return TRUE;
	gboolean wanted = (disk->type == DISK_FILE && !s->file) ||
			  (disk->type == DISK_BLOCK && !s->dev) ||
			  (disk->type == DISK_NETWORK && !s->protocol) ||
			  (disk->type == DISK_VOLUME && !(s->pool && s->volume));
	if (!wanted)
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID, "disk %s of type \"%s\" has no such <source>",
		    disk->target, enum_name(&disk_types, disk->type));
}

static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Disk *disk = object;
	if (disk_index(disk->target) < 0)
		return fail(error, LODGE_ERROR_INVALID,
			    "target \"%s\" is not a disk name such as vda, sda, hda or fda",
			    disk->target);
	if (disk->device == DISK_DEVICE_FLOPPY && disk->bus && disk->bus != DISK_BUS_FDC)
		return fail(error, LODGE_ERROR_INVALID, "floppy %s must be on bus fdc",
			    disk->target);
	return source_fits(disk, error);
}

const Shape disk_shape = SHAPE("disk", Disk, disk_rows, .check = check);

const char *disk_source_name(const Disk *disk)
{
	const DiskSource *s = disk->source;
	if (!s)
		return NULL;
	const char *const names[] = { s->file, s->dev, s->dir, s->name, s->volume, s->path };
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i])
			return names[i];
	return s->protocol ? s->protocol : s->address ? "nvme" : NULL;
}

int disk_index(const char *target)
{
	static const char *const prefixes[] = { "fd", "hd", "vd", "sd", "xvd", "ubd", "nvme" };
	for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		if (!g_str_has_prefix(target, prefixes[i]))
			continue;
		const char *letters = target + strlen(prefixes[i]);
		int index = 0;
		gsize n = strspn(letters, "abcdefghijklmnopqrstuvwxyz");
		if (n == 0 || n > 4 || strspn(letters + n, "0123456789") != strlen(letters + n))
			return -1;
		for (gsize j = 0; j < n; j++)
			index = index * 26 + (letters[j] - 'a') + (j + 1 < n);
		return index;
	}
	return -1;
}

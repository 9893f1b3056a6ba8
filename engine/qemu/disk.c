/* Disks as the guest sees them: one device per disk, by its bus.
 * Neighbours: block.c makes the nodes behind them; command.c has the boot order. */
#include "engine/qemu/block.h"

#include <stdlib.h>
#include <string.h>

/* ---- what every disk device has ---- */

static const PropRow common[] = {
	PROP(Disk, error_policy, "werror", PROP_STRING),
	PROP(Disk, logical_block_size, "logical_block_size", PROP_UINT),
	PROP(Disk, physical_block_size, "physical_block_size", PROP_UINT),
	PROP(Disk, discard_granularity, "discard_granularity", PROP_UINT),
};

static const PropRow geometry[] = {
	PROP(Disk, cyls, "cyls", PROP_UINT),
	PROP(Disk, heads, "heads", PROP_UINT),
	PROP(Disk, secs, "secs", PROP_UINT),
};

static const PropRow virtio[] = {
	PROP(Disk, ioeventfd, "ioeventfd", PROP_TRI),
	PROP(Disk, event_idx, "event_idx", PROP_TRI),
	PROP(Disk, queues, "num-queues", PROP_UINT),
	PROP(Disk, queue_size, "queue-size", PROP_UINT),
	PROP(Disk, serial, "serial", PROP_STRING),
};

static const PropRow scsi[] = {
	PROP(Disk, serial, "serial", PROP_STRING),
	PROP(Disk, vendor, "vendor", PROP_STRING),
	PROP(Disk, product, "product", PROP_STRING),
	PROP(Disk, rotation_rate, "rotation_rate", PROP_UINT),
};

static const PropRow ide[] = {
	PROP(Disk, serial, "serial", PROP_STRING),
	PROP(Disk, product, "model", PROP_STRING),
};

static void put_drive(json_t *device, const Disk *disk)
{
	if (!disk_source_name(disk))
		return;
	g_autofree char *node = qemu_disk_node(disk);
	put(device, "drive", node);
	put_switch(device, "write-cache", disk_write_cache(disk));
	if (disk->shareable)
		put_bool(device, "share-rw", TRUE);
}

/* What the guest gets of an error of the image: reads have no "enospace". */
static void put_errors(json_t *device, const Disk *disk)
{
	put_rows(device, common, G_N_ELEMENTS(common), disk);
	if (disk->rerror_policy)
		put(device, "rerror", disk->rerror_policy);
	else if (disk->error_policy && !g_str_equal(disk->error_policy, "enospace"))
		put(device, "rerror", disk->error_policy);
	if (disk->error_policy && g_str_equal(disk->error_policy, "enospace"))
		put(device, "werror", "enospc");
}

static void put_wwn(json_t *device, const Disk *disk)
{
	if (disk->wwn)
		put_int(device, "wwn", (gint64)g_ascii_strtoull(disk->wwn, NULL, 16));
}

static void put_iothread(json_t *device, const Disk *disk)
{
	if (!disk->iothread.set)
		return;
	g_autofree char *id = g_strdup_printf("iothread%" G_GUINT64_FORMAT, disk->iothread.v);
	put(device, "iothread", id);
}

static char *disk_what(const Disk *disk)
{
	return g_strdup_printf("disk %s", disk->target);
}

static gboolean finish(Build *build, Disk *disk, json_t *device, GError **error)
{
	g_autofree char *what = disk_what(disk);
	put_drive(device, disk);
	put_errors(device, disk);
	if (put_place(build, device, &disk->info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}

static guint64 drive_unit(const Disk *disk)
{
	return disk->info.address ? opt_uint_or(disk->info.address->unit, 0) : 0;
}

static guint64 drive_controller(const Disk *disk)
{
	return disk->info.address ? opt_uint_or(disk->info.address->controller, 0) : 0;
}

static guint64 drive_bus(const Disk *disk)
{
	return disk->info.address ? opt_uint_or(disk->info.address->bus, 0) : 0;
}

/* ---- one function per bus ---- */

static gboolean virtio_disk(Build *build, Disk *disk, GError **error)
{
	gboolean user = disk->type == DISK_VHOST_USER;
	json_t *device = device_new(virtio_driver(user ? "vhost-user-blk" : "virtio-blk",
						  disk->model), &disk->info);
	put_virtio(device, &disk->virtio);
	put_rows(device, virtio, G_N_ELEMENTS(virtio), disk);
	put_rows(device, geometry, G_N_ELEMENTS(geometry), disk);
	put_iothread(device, disk);
	return finish(build, disk, device, error);
}

/* QEMU must find the socket by itself where it is to connect again. */
static void add_vhost_user_socket(Build *build, const DiskSource *source, const char *id, const char *what)
{
	if (source->reconnect == TRI_YES) {
		g_autofree char *path = opt_escape(source->path);
		add_option(build, "-chardev",
			   g_strdup_printf("socket,id=%s,path=%s,reconnect=%" G_GUINT64_FORMAT, id, path,
					   opt_uint_or(source->reconnect_timeout, 5)));
		return;
	}
	QemuFd *fd = add_fd(build, QEMU_FD_CONNECT, source->path, 0, what);
	add_option(build, "-chardev", g_strdup_printf("socket,id=%s,fd=%d", id, fd->number));
}

/* A server that has the disk: no nodes, but a socket. */
static gboolean vhost_user_disk(Build *build, Disk *disk, GError **error)
{
	g_autofree char *what = disk_what(disk), *id = g_strdup_printf("chr-vu-%s", disk->info.alias);
	if (disk->bus != DISK_BUS_VIRTIO || !disk->source->path)
		return invalid(build, error, "disk %s: type vhostuser needs bus virtio and a path",
			       disk->target);
	add_vhost_user_socket(build, disk->source, id, what);
	json_t *device = device_new(virtio_driver("vhost-user-blk", disk->model), &disk->info);
	put(device, "chardev", id);
	put_virtio(device, &disk->virtio);
	put_uint(device, "num-queues", disk->queues);
	put_uint(device, "queue-size", disk->queue_size);
	if (put_place(build, device, &disk->info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}

/* The first SATA controller of q35 and the first IDE controller of pc are part of the board: their buses
 * are "ide.0".. */
static gboolean ata_disk(Build *build, Disk *disk, GError **error)
{
	gboolean cdrom = disk->device == DISK_DEVICE_CDROM;
	json_t *device = device_new(cdrom ? "ide-cd" : "ide-hd", &disk->info);
	gboolean sata = disk->bus == DISK_BUS_SATA;
	guint64 controller = drive_controller(disk);
	const char *alias = controller || !build->q35 ?
				    controller_alias(build, CONTROLLER_SATA, controller) : NULL;
	guint64 bus = sata ? drive_unit(disk) : controller * 2 + drive_bus(disk);
	g_autofree char *name = g_strdup_printf("%s.%" G_GUINT64_FORMAT,
						sata && alias ? alias : "ide", bus);
	if (!sata && build->q35) {
		json_decref(device);
		return unsupported(build, error,
				   "disk %s: machine type q35 has no IDE bus; use bus sata", disk->target);
	}
	put(device, "bus", name);
	put_int(device, "unit", sata ? 0 : (gint64)drive_unit(disk));
	put_wwn(device, disk);
	put_rows(device, ide, G_N_ELEMENTS(ide), disk);
	if (!cdrom) {
		put_uint(device, "rotation_rate", disk->rotation_rate);
		put_rows(device, geometry, G_N_ELEMENTS(geometry), disk);
		put(device, "bios-chs-trans", disk->trans);
	}
	return finish(build, disk, device, error);
}

static gboolean controller_is_virtio(const Build *build, guint64 index)
{
	SHAPE_EACH (Controller, controller, build->guest->controllers)
		if (controller->type == CONTROLLER_SCSI &&
		    opt_uint_or(controller->index, 0) == index)
			return !controller->model || g_str_has_prefix(controller->model, "virtio");
	return TRUE;
}

static void put_scsi_address(Build *build, json_t *device, const Disk *disk, const char *alias)
{
	const Address *address = disk->info.address;
	g_autofree char *bus = g_strdup_printf("%s.0", alias);
	put(device, "bus", bus);
	if (!controller_is_virtio(build, drive_controller(disk))) {
		put_int(device, "scsi-id", (gint64)drive_unit(disk));
		return;
	}
	put_int(device, "channel", (gint64)drive_bus(disk));
	put_int(device, "scsi-id", address ? (gint64)opt_uint_or(address->target, 0) : 0);
	put_int(device, "lun", (gint64)drive_unit(disk));
}

static const char *scsi_driver(const Disk *disk)
{
	if (disk->device == DISK_DEVICE_LUN)
		return "scsi-block";
	return disk->device == DISK_DEVICE_CDROM ? "scsi-cd" : "scsi-hd";
}

static gboolean scsi_disk(Build *build, Disk *disk, GError **error)
{
	const char *alias = controller_alias(build, CONTROLLER_SCSI, drive_controller(disk));
	if (!alias)
		return invalid(build, error, "disk %s: there is no SCSI controller %" G_GUINT64_FORMAT,
			       disk->target, drive_controller(disk));
	json_t *device = device_new(scsi_driver(disk), &disk->info);
	put_scsi_address(build, device, disk, alias);
	if (disk->device != DISK_DEVICE_LUN) {
		g_autofree char *id = g_strdup_printf("drive-%s", disk->info.alias);
		put(device, "device_id", disk->serial ? disk->serial : id);
		put_wwn(device, disk);
		put_rows(device, scsi, G_N_ELEMENTS(scsi), disk);
		if (disk->device == DISK_DEVICE_DISK) {
			put_tri(device, "removable", disk->removable);
			put_rows(device, geometry, G_N_ELEMENTS(geometry), disk);
		}
	}
	return finish(build, disk, device, error);
}

/* A CD-ROM on USB is a SCSI drive behind a bridge: only so it can be empty. */
static gboolean usb_cdrom(Build *build, Disk *disk, GError **error)
{
	g_autofree char *id = g_strdup_printf("%s-bot", disk->info.alias);
	g_autofree char *bus = g_strdup_printf("%s.0", id), *what = disk_what(disk);
	json_t *bridge = json_object();
	DeviceInfo place = { .alias = id, .address = disk->info.address };
	DeviceInfo drive = disk->info;
	put(bridge, "driver", "usb-bot");
	put(bridge, "id", id);
	if (!put_place(build, bridge, &place, error)) {
		json_decref(bridge);
		return FALSE;
	}
	if (!add_device(build, bridge, what, error))
		return FALSE;
	json_t *device = device_new("scsi-cd", &drive);
	put(device, "bus", bus);
	put_int(device, "scsi-id", 0);
	put_int(device, "lun", 0);
	put_uint(device, "bootindex", boot_index(build, &disk->info));
	put_drive(device, disk);
	put_errors(device, disk);
	return add_device(build, device, what, error);
}

static gboolean usb_disk(Build *build, Disk *disk, GError **error)
{
	if (disk->device == DISK_DEVICE_CDROM)
		return usb_cdrom(build, disk, error);
	json_t *device = device_new("usb-storage", &disk->info);
	put_bool(device, "removable", disk->removable == TRI_YES);
	put(device, "serial", disk->serial);
	return finish(build, disk, device, error);
}

static gboolean has_floppy_controller(const Build *build)
{
	return !build->q35;
}

/* The boot index of a floppy drive belongs to its controller. */
static gboolean floppy_disk(Build *build, Disk *disk, GError **error)
{
	g_autofree char *what = disk_what(disk);
	OptUint index = boot_index(build, &disk->info);
	json_t *device = device_new("floppy", &disk->info);
	put_int(device, "unit", (gint64)drive_unit(disk));
	if (!disk_source_name(disk))
		put(device, "drive-type", "144");
	if (index.set)
		add_option(build, "-global",
			   g_strdup_printf("isa-fdc.bootindex%c=%" G_GUINT64_FORMAT,
					   drive_unit(disk) ? 'B' : 'A', index.v));
	put_drive(device, disk);
	return add_device(build, device, what, error);
}

static gboolean nvme_disk(Build *build, Disk *disk, GError **error)
{
	json_t *device = device_new("nvme", &disk->info);
	put(device, "serial", disk->serial ? disk->serial : disk->target);
	return finish(build, disk, device, error);
}

static gboolean sd_disk(Build *build, Disk *disk, GError **error)
{
	g_autofree char *id = g_strdup_printf("%s-host", disk->info.alias), *what = disk_what(disk);
	DeviceInfo host = { .alias = id, .address = disk->info.address };
	if (!add_simple(build, "sdhci-pci", &host, what, error))
		return FALSE;
	json_t *device = device_new("sd-card", &disk->info);
	put(device, "bus", "sd-bus");
	put_drive(device, disk);
	return add_device(build, device, what, error);
}

typedef gboolean (*BusFn)(Build *, Disk *, GError **);
static const BusFn buses[] = {
	[DISK_BUS_IDE] = ata_disk,   [DISK_BUS_SATA] = ata_disk, [DISK_BUS_FDC] = floppy_disk,
	[DISK_BUS_SCSI] = scsi_disk, [DISK_BUS_VIRTIO] = virtio_disk, [DISK_BUS_USB] = usb_disk,
	[DISK_BUS_SD] = sd_disk,     [DISK_BUS_NVME] = nvme_disk,
};

/* ---- limits ---- */

static const PropRow limits[] = {
	PROP(DiskTune, total_bytes_sec, "bps", PROP_UINT),
	PROP(DiskTune, read_bytes_sec, "bps_rd", PROP_UINT),
	PROP(DiskTune, write_bytes_sec, "bps_wr", PROP_UINT),
	PROP(DiskTune, total_iops_sec, "iops", PROP_UINT),
	PROP(DiskTune, read_iops_sec, "iops_rd", PROP_UINT),
	PROP(DiskTune, write_iops_sec, "iops_wr", PROP_UINT),
	PROP(DiskTune, total_bytes_sec_max, "bps_max", PROP_UINT),
	PROP(DiskTune, read_bytes_sec_max, "bps_rd_max", PROP_UINT),
	PROP(DiskTune, write_bytes_sec_max, "bps_wr_max", PROP_UINT),
	PROP(DiskTune, total_iops_sec_max, "iops_max", PROP_UINT),
	PROP(DiskTune, read_iops_sec_max, "iops_rd_max", PROP_UINT),
	PROP(DiskTune, write_iops_sec_max, "iops_wr_max", PROP_UINT),
	PROP(DiskTune, total_bytes_sec_max_length, "bps_max_length", PROP_UINT),
	PROP(DiskTune, read_bytes_sec_max_length, "bps_rd_max_length", PROP_UINT),
	PROP(DiskTune, write_bytes_sec_max_length, "bps_wr_max_length", PROP_UINT),
	PROP(DiskTune, total_iops_sec_max_length, "iops_max_length", PROP_UINT),
	PROP(DiskTune, read_iops_sec_max_length, "iops_rd_max_length", PROP_UINT),
	PROP(DiskTune, write_iops_sec_max_length, "iops_wr_max_length", PROP_UINT),
	PROP(DiskTune, size_iops_sec, "iops_size", PROP_UINT),
	PROP(DiskTune, group_name, "group", PROP_STRING),
};

/* Some devices are only the shell of the one that has the disk. */
char *qemu_disk_path(const Disk *disk)
{
	const char *alias = disk->info.alias ? disk->info.alias : "";
	if (disk->bus == DISK_BUS_VIRTIO)
		return g_strdup_printf("/machine/peripheral/%s/virtio-backend", alias);
	if (disk->bus == DISK_BUS_USB && disk->device != DISK_DEVICE_CDROM)
		return g_strdup_printf("/machine/peripheral/%s/%s.0/legacy[0]", alias, alias);
	return g_strdup(alias);
}

json_t *qemu_disk_limits(const Disk *disk)
{
	static const DiskTune none;
	const DiskTune *tune = disk->tune ? disk->tune : &none;
	g_autofree char *path = qemu_disk_path(disk);
	json_t *json = json_object();
	put(json, "id", path);
	for (guint i = 0; i < 6; i++) /* the six that must be there */
		put_int(json, limits[i].key, 0);
	put_rows(json, limits, G_N_ELEMENTS(limits), tune);
	return json;
}

/* ---- all ---- */

static gboolean build_disk(Build *build, Disk *disk, GError **error)
{
	BusFn fn = (guint)disk->bus < G_N_ELEMENTS(buses) ? buses[disk->bus] : NULL;
	if (!fn)
		return unsupported(build, error, "disk %s: bus \"%s\" does not exist on this machine "
				   "type; use virtio, sata, scsi or usb", disk->target,
				   enum_name(&disk_buses, disk->bus) ?
					   enum_name(&disk_buses, disk->bus) : "");
	if (disk->type == DISK_VHOST_USER && disk->source)
		return vhost_user_disk(build, disk, error);
	if (disk->wwn && g_ascii_strtoull(disk->wwn, NULL, 16) > G_MAXINT64)
		return invalid(build, error, "disk %s: wwn \"%s\" does not begin with a digit below 8",
			       disk->target, disk->wwn);
	if (!disk_source_name(disk) && disk->device != DISK_DEVICE_CDROM &&
	    disk->device != DISK_DEVICE_FLOPPY)
		return invalid(build, error, "disk %s has no <source>: only cdrom and floppy drives may "
			       "be empty", disk->target);
	if (!build_disk_nodes(build, disk, error) || !fn(build, disk, error))
		return FALSE;
	if (disk->tune && disk_source_name(disk))
		add_after_start(build, "block_set_io_throttle", qemu_disk_limits(disk));
	return TRUE;
}

static gboolean add_floppy_controller(Build *build, GError **error)
{
	if (has_floppy_controller(build))
		return TRUE;
	SHAPE_EACH (Disk, disk, build->guest->disks)
		if (disk->bus == DISK_BUS_FDC) {
			DeviceInfo info = { .alias = (char *)"fdc0" };
			return add_simple(build, "isa-fdc", &info, "floppy controller", error);
		}
	return TRUE;
}

gboolean build_disks(Build *build, GError **error)
{
	build->next_node = first_free_node(build->guest);
	if (!add_floppy_controller(build, error))
		return FALSE;
	SHAPE_EACH (Disk, disk, build->guest->disks)
		if (!build_disk(build, disk, error))
			return FALSE;
	return TRUE;
}

/* What is wrong with a guest as a whole: the checks that no row and no single device can make. The
 * definition is complete at this point. See adapt.h. */
#include "base/error.h"
#include "engine/qemu/adapt.h"
#include "model/assign.h"

#include <string.h>

typedef gboolean (*CheckFn)(const Guest *guest, const QemuCaps *caps, GError **error);

/* ---- vCPUs and memory ---- */

static gboolean check_vcpus(const Guest *guest, const QemuCaps *caps, GError **error)
{
	const Cpu *cpu = guest->cpu;
	const QemuMachine *machine = qemu_caps_machine(caps, guest->os.machine);
	guint64 vcpus = opt_uint_or(guest->vcpus, 1);
	if (machine && machine->cpu_max && vcpus > machine->cpu_max)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "vcpu: %" G_GUINT64_FORMAT " are more than the %u of machine %s", vcpus,
			    machine->cpu_max, machine->name);
	if (!cpu || !cpu->sockets.set)
		return TRUE;
	guint64 product = cpu->sockets.v * opt_uint_or(cpu->dies, 1) * cpu->cores.v *
			  cpu->threads.v;
	if (product == vcpus)
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID,
		    "cpu/topology, line %d: %" G_GUINT64_FORMAT " sockets x %" G_GUINT64_FORMAT
		    " dies x %" G_GUINT64_FORMAT " cores x %" G_GUINT64_FORMAT " threads are %"
		    G_GUINT64_FORMAT ", but vcpu says %" G_GUINT64_FORMAT, cpu->head.line,
		    cpu->sockets.v, opt_uint_or(cpu->dies, 1), cpu->cores.v, cpu->threads.v, product,
		    vcpus);
}

static gboolean check_memory(const Guest *guest, G_GNUC_UNUSED const QemuCaps *caps, GError **error)
{
	if (guest->max_memory.set && guest->max_memory.v < guest->memory.v)
		return fail(error, LODGE_ERROR_INVALID,
			    "maxMemory is less than memory: make it at least as much");
	SHAPE_EACH (MemoryModule, module, guest->memories) {
		if (!guest->max_memory.set || !guest->max_memory_slots.set)
			return fail(error, LODGE_ERROR_INVALID,
				    "devices/memory, line %d: modules need <maxMemory slots='N'>",
				    module->head.line);
		if (!module->size.set)
			return fail(error, LODGE_ERROR_INVALID,
				    "devices/memory, line %d: target/size is missing",
				    module->head.line);
	}
	return TRUE;
}

static gboolean has_iothread(const Guest *guest, guint64 id)
{
	SHAPE_EACH (IoThread, thread, guest->iothread_ids)
		if (thread->id.v == id)
			return TRUE;
	/* those without a row are numbered from 1 */
	return id >= 1 && id <= opt_uint_or(guest->iothreads, 0);
}

static gboolean check_iothreads(const Guest *guest, G_GNUC_UNUSED const QemuCaps *caps,
				GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		if (!disk->iothread.set)
			continue;
		if (!has_iothread(guest, disk->iothread.v))
			return fail(error, LODGE_ERROR_INVALID,
				    "disk %s, line %d: iothread %" G_GUINT64_FORMAT
				    " does not exist: add it with <iothreads>", disk->target,
				    disk->head.line, disk->iothread.v);
		if (disk->bus != DISK_BUS_VIRTIO)
			return fail(error, LODGE_ERROR_INVALID,
				    "disk %s, line %d: only disks on bus virtio have an iothread",
				    disk->target, disk->head.line);
	}
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->iothread.set && !has_iothread(guest, c->iothread.v))
			return fail(error, LODGE_ERROR_INVALID,
				    "controller %s %" G_GUINT64_FORMAT ", line %d: iothread %"
				    G_GUINT64_FORMAT " does not exist: add it with <iothreads>",
				    enum_name(&controller_types, c->type), c->index.v, c->head.line,
				    c->iothread.v);
	return TRUE;
}

/* ---- disks ---- */

static gboolean bad_disk(const Disk *disk, GError **error, const char *text)
{
	return fail(error, LODGE_ERROR_INVALID, "disk %s, line %d: %s", disk->target,
		    disk->head.line, text);
}

static gboolean check_lun(const Disk *disk, GError **error)
{
	if (disk->device != DISK_DEVICE_LUN)
		return TRUE;
	if (disk->bus != DISK_BUS_SCSI && disk->bus != DISK_BUS_VIRTIO)
		return bad_disk(disk, error, "device=\"lun\" needs bus scsi or virtio");
	if (disk->type != DISK_BLOCK && disk->type != DISK_NETWORK && disk->type != DISK_VOLUME)
		return bad_disk(disk, error,
				"device=\"lun\" needs a block device: type=\"block\"");
	if (disk->driver_type != DISK_FORMAT_RAW)
		return bad_disk(disk, error, "device=\"lun\" needs format raw");
	return TRUE;
}

/* Formats that QEMU reads; the others of libvirt's list belong to other hypervisors. */
static gboolean check_format(const Disk *disk, GError **error)
{
	static const guint64 known =
		SHAPE_WHEN(DISK_FORMAT_RAW) | SHAPE_WHEN(DISK_FORMAT_BOCHS) |
		SHAPE_WHEN(DISK_FORMAT_CLOOP) | SHAPE_WHEN(DISK_FORMAT_DMG) |
		SHAPE_WHEN(DISK_FORMAT_VPC) | SHAPE_WHEN(DISK_FORMAT_VDI) |
		SHAPE_WHEN(DISK_FORMAT_FAT) | SHAPE_WHEN(DISK_FORMAT_PLOOP) |
		SHAPE_WHEN(DISK_FORMAT_QCOW) | SHAPE_WHEN(DISK_FORMAT_QCOW2) |
		SHAPE_WHEN(DISK_FORMAT_QED) | SHAPE_WHEN(DISK_FORMAT_VMDK) |
		SHAPE_WHEN(DISK_FORMAT_VHDX);
	if (!disk->driver_type || (known & SHAPE_WHEN(disk->driver_type)))
		return TRUE;
	g_autofree char *text = g_strdup_printf("format \"%s\" is not one of QEMU's: use raw or qcow2",
						enum_name(&disk_formats, disk->driver_type));
	return bad_disk(disk, error, text);
}

/* An address of the kind that the bus has. */
static gboolean check_address(const Disk *disk, GError **error)
{
	static const struct {
		DiskBus bus;
		AddressType type;
	} kinds[] = { { DISK_BUS_IDE, ADDRESS_DRIVE },	{ DISK_BUS_SATA, ADDRESS_DRIVE },
		      { DISK_BUS_SCSI, ADDRESS_DRIVE }, { DISK_BUS_FDC, ADDRESS_DRIVE },
		      { DISK_BUS_USB, ADDRESS_USB } };
	const Address *a = disk->info.address;
	for (guint i = 0; a && i < G_N_ELEMENTS(kinds); i++)
		if (disk->bus == kinds[i].bus && a->type != kinds[i].type) {
			g_autofree char *text = g_strdup_printf(
				"bus %s has addresses of type %s, not %s: remove the <address>",
				enum_name(&disk_buses, disk->bus),
				enum_name(&address_types, kinds[i].type),
				enum_name(&address_types, a->type));
			return bad_disk(disk, error, text);
		}
	return TRUE;
}

static gboolean check_disks(const Guest *guest, G_GNUC_UNUSED const QemuCaps *caps, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		gboolean removable = disk->device == DISK_DEVICE_CDROM ||
				     disk->device == DISK_DEVICE_FLOPPY;
		if (!removable && !disk_source_name(disk) && disk->type != DISK_NVME)
			return bad_disk(disk, error,
					"<source> is missing: only cdrom and floppy can be empty");
		if (disk->bus == DISK_BUS_XEN || disk->bus == DISK_BUS_SD ||
		    disk->bus == DISK_BUS_NVME || !disk->bus)
			return bad_disk(disk, error,
					"bus is not supported: use virtio, scsi, sata, ide or usb");
		if (disk->device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_VIRTIO)
			return bad_disk(disk, error,
					"a cdrom cannot be on bus virtio: use sata, scsi or ide");
		if (disk->bus == DISK_BUS_FDC && disk->device != DISK_DEVICE_FLOPPY)
			return bad_disk(disk, error, "bus fdc is for floppies only");
		if (!check_lun(disk, error) || !check_format(disk, error) ||
		    !check_address(disk, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- devices, all ---- */

typedef struct Walk {
	const Guest *guest;
	GHashTable *orders, *aliases; /* what is taken, by whom (label) */
	GError **error;
} Walk;

static gboolean check_order(Walk *walk, const DeviceInfo *info, const char *label)
{
	if (!info->boot_order.set)
		return TRUE;
	gpointer key = GUINT_TO_POINTER((guint)info->boot_order.v);
	const char *other = g_hash_table_lookup(walk->orders, key);
	if (other)
		return fail(walk->error, LODGE_ERROR_INVALID,
			    "%s: boot order %u is that of %s already", label,
			    (guint)info->boot_order.v, other);
	g_hash_table_insert(walk->orders, key, g_strdup(label));
	if (!shape_len(walk->guest->os.boot))
		return TRUE;
	return fail(walk->error, LODGE_ERROR_INVALID,
		    "%s: <boot order> and os/boot cannot stand together: remove one kind", label);
}

static gboolean check_device(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Walk *walk = data;
	if (!info->boot_order.set && !info->alias)
		return TRUE;
	g_autofree char *label = guest_device_label(walk->guest, kind, device);
	if (!check_order(walk, info, label))
		return FALSE;
	if (!info->alias)
		return TRUE;
	const char *other = g_hash_table_lookup(walk->aliases, info->alias);
	if (other)
		return fail(walk->error, LODGE_ERROR_INVALID, "%s: alias \"%s\" is that of %s already",
			    label, info->alias, other);
	g_hash_table_insert(walk->aliases, info->alias, g_steal_pointer(&label));
	return TRUE;
}

static gboolean check_devices(const Guest *guest, G_GNUC_UNUSED const QemuCaps *caps, GError **error)
{
	g_autoptr(GHashTable) orders = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_autoptr(GHashTable) aliases = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	Walk walk = { .guest = guest, .orders = orders, .aliases = aliases, .error = error };
	return guest_each_device((Guest *)guest, check_device, &walk);
}

/* ---- what needs SPICE, firmware ---- */

static gboolean has_graphics(const Guest *guest, GraphicsType type)
{
	SHAPE_EACH (Graphics, g, guest->graphics)
		if (g->type == type)
			return TRUE;
	return FALSE;
}

static gboolean check_graphics(const Guest *guest, G_GNUC_UNUSED const QemuCaps *caps,
			       GError **error)
{
	SHAPE_EACH (Graphics, g, guest->graphics)
		for (guint i = 0; i < g_i; i++) {
			const Graphics *other = g_ptr_array_index(guest->graphics, i);
			if (other->type == g->type)
				return fail(error, LODGE_ERROR_UNSUPPORTED,
					    "graphics, line %d: a second one of type %s: QEMU has one "
					    "of each type", g->head.line,
					    enum_name(&graphics_types, g->type));
		}
	guint primaries = 0;
	SHAPE_EACH (Video, video, guest->videos)
		if (video->primary == TRI_YES && primaries++)
			return fail(error, LODGE_ERROR_INVALID,
				    "video %u, line %d: only one card can be the primary one",
				    video_i + 1, video->head.line);
	if (has_graphics(guest, GRAPHICS_SPICE))
		return TRUE;
	SHAPE_EACH (Chardev, channel, guest->channels)
		if (channel->type == CHARDEV_SPICEVMC || channel->type == CHARDEV_SPICEPORT)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "channel %u, line %d: type %s needs <graphics type='spice'>",
				    channel_i + 1, channel->head.line,
				    enum_name(&chardev_types, channel->type));
	SHAPE_EACH (Redirdev, redirdev, guest->redirdevs)
		if (redirdev->type == CHARDEV_SPICEVMC)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "redirdev %u, line %d: type spicevmc needs <graphics "
				    "type='spice'>", redirdev_i + 1, redirdev->head.line);
	return TRUE;
}

static gboolean check_firmware(const Guest *guest, G_GNUC_UNUSED const QemuCaps *caps,
			       GError **error)
{
	if (guest->os.loader_secure != TRI_YES)
		return TRUE;
	if (!guest_is_q35(guest))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "os/loader: secure=\"yes\" needs machine type q35");
	Tri smm = guest->features ? guest->features->smm : TRI_ABSENT;
	/* with a firmware that is yet to be chosen, SMM comes with it */
	if (smm != TRI_YES && !(guest->os.firmware && !guest->os.loader && smm == TRI_ABSENT))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "os/loader: secure=\"yes\" needs <smm state='on'/> in <features>");
	return TRUE;
}

gboolean qemu_check(const Guest *guest, const QemuCaps *caps, GError **error)
{
	static const CheckFn checks[] = { check_vcpus,	 check_memory,	 check_iothreads, check_disks,
					  check_devices, check_graphics, check_firmware };
	for (guint i = 0; i < G_N_ELEMENTS(checks); i++)
		if (!checks[i](guest, caps, error))
			return FALSE;
	return TRUE;
}

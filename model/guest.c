/* See guest.h. */
#include "model/guest.h"
#include "base/error.h"
#include "model/guest_parts.h"

#include <string.h>

const EnumTable guest_types =
	ENUM_TABLE("type of guest", "kvm", "qemu", "xen", "lxc", "test", "hvf", "kqemu", "uml",
		   "openvz", "vmware", "hyperv", "vbox", "phyp", "parallels", "bhyve", "vz");
const EnumTable guest_actions =
	ENUM_TABLE("action", "destroy", "restart", "preserve", "rename-restart", "coredump-destroy",
		   "coredump-restart");

static const Row boot_rows[] = {
	STRING(BootDevice, dev, "@dev", .flags = ROW_REQUIRED, .doc = "hd, cdrom, network or fd"),
};
const Shape boot_shape = SHAPE("boot", BootDevice, boot_rows);

static const Row firmware_rows[] = {
	TRI(FirmwareFeature, enabled, "@enabled", .doc = "wanted or not wanted"),
	STRING(FirmwareFeature, name, "@name", .flags = ROW_REQUIRED,
	       .doc = "secure-boot or enrolled-keys"),
};
static const Shape firmware_shape = SHAPE("firmware-feature", FirmwareFeature, firmware_rows);

static const Row os_rows[] = {
	STRING(GuestOs, firmware, "@firmware", .doc = "efi or bios"),
	STRING(GuestOs, type, "type", .dflt = "hvm", .doc = "hvm"),
	STRING(GuestOs, arch, "type/@arch", .doc = "architecture"),
	STRING(GuestOs, machine, "type/@machine", .doc = "machine type"),
	LIST(GuestOs, firmware_features, "firmware/feature", firmware_shape,
	     .doc = "what the firmware must have"),
	STRING(GuestOs, loader, "loader", .doc = "firmware image"),
	TRI(GuestOs, loader_readonly, "loader/@readonly", .doc = "not writable by the guest"),
	TRI(GuestOs, loader_secure, "loader/@secure", .doc = "needs SMM"),
	STRING(GuestOs, loader_type, "loader/@type", .doc = "rom or pflash"),
	TRI(GuestOs, loader_stateless, "loader/@stateless", .doc = "no variables are kept"),
	STRING(GuestOs, loader_format, "loader/@format", .doc = "raw or qcow2"),
	STRING(GuestOs, nvram, "nvram", .doc = "file with the variables of UEFI"),
	STRING(GuestOs, nvram_template, "nvram/@template", .doc = "what it is made from"),
	STRING(GuestOs, nvram_format, "nvram/@format", .doc = "raw or qcow2"),
	STRING(GuestOs, nvram_type, "nvram/@type", .doc = "file: <source> names it"),
	STRING(GuestOs, nvram_file, "nvram/source/@file", .doc = "the same file, said the newer way"),
	STRING(GuestOs, kernel, "kernel", .doc = "kernel for direct boot"),
	STRING(GuestOs, initrd, "initrd", .doc = "initial RAM disk"),
	STRING(GuestOs, cmdline, "cmdline", .doc = "kernel's command line"),
	STRING(GuestOs, dtb, "dtb", .doc = "device tree"),
	STRING(GuestOs, acpi_table, "acpi/table", .doc = "ACPI table"),
	STRING(GuestOs, acpi_table_type, "acpi/table/@type", .doc = "slic"),
	LIST(GuestOs, boot, "boot", boot_shape, .doc = "what to boot from, in order"),
	TRI(GuestOs, bootmenu, "bootmenu/@enable", .doc = "boot menu"),
	UINT(GuestOs, bootmenu_timeout, "bootmenu/@timeout", .max = 65535, .doc = "milliseconds"),
	STRING(GuestOs, smbios_mode, "smbios/@mode", .doc = "emulate, host or sysinfo"),
	TRI(GuestOs, bios_useserial, "bios/@useserial", .doc = "BIOS on the serial port"),
	INT(GuestOs, bios_reboot_timeout, "bios/@rebootTimeout", .min = -1, .max = 65535,
	    .doc = "milliseconds until a failed boot starts again"),
};
static const Shape os_shape = SHAPE("os", GuestOs, os_rows);

#define DEVICES(member, element, shape, text)                                                      \
	LIST(Guest, member, "devices/" element, shape, .doc = text)

static const Row rows[] = {
	ENUM(Guest, type, "@type", guest_types, .flags = ROW_REQUIRED, .doc = "kvm or qemu"),
	INT(Guest, id, "@id", .flags = ROW_LIVE, .doc = "number of a running guest"),
	STRING(Guest, name, "name", .flags = ROW_REQUIRED, .doc = "name"),
	UUID(Guest, uuid, "uuid", .doc = "UUID"),
	FLAG(Guest, has_genid, "genid", .doc = "generation ID"),
	STRING(Guest, genid, "genid", .doc = "generation ID"),
	STRING(Guest, title, "title", .doc = "short description"),
	STRING(Guest, description, "description", .doc = "description"),
	RAWXML(Guest, metadata, "metadata", .doc = "what other programs keep here"),
	SIZE(Guest, max_memory, "maxMemory", .words = "KiB", .doc = "memory with modules added"),
	UINT(Guest, max_memory_slots, "maxMemory/@slots", .max = 255, .doc = "slots for modules"),
	SIZE(Guest, memory, "memory", .words = "KiB", .doc = "memory at boot"),
	TRI(Guest, dump_core, "memory/@dumpCore", .words = "on/off", .doc = "part of core dumps"),
	SIZE(Guest, current_memory, "currentMemory", .words = "KiB", .flags = ROW_HOT,
	     .doc = "memory left by the balloon"),
	STRUCT(Guest, blkiotune, "blkiotune", BlkioTune, blkio_tune_shape, .doc = "disk limits"),
	STRUCT(Guest, memtune, "memtune", MemoryTune, memory_tune_shape, .doc = "memory limits"),
	STRUCT(Guest, memory_backing, "memoryBacking", MemoryBacking, memory_backing_shape,
	       .doc = "what the memory is made of"),
	UINT(Guest, vcpus, "vcpu", .min = 1, .max = 65535, .doc = "count of vCPUs"),
	STRING(Guest, vcpu_placement, "vcpu/@placement", .doc = "static or auto"),
	CPUSET(Guest, vcpu_cpuset, "vcpu/@cpuset", .doc = "CPUs of the host"),
	UINT(Guest, vcpus_current, "vcpu/@current", .min = 1, .max = 65535,
	     .doc = "vCPUs at boot"),
	LIST(Guest, vcpu_list, "vcpus/vcpu", vcpu_shape, .doc = "vCPUs one by one"),
	UINT(Guest, iothreads, "iothreads", .max = G_MAXUINT32, .doc = "count of I/O threads"),
	LIST(Guest, iothread_ids, "iothreadids/iothread", iothread_shape, .doc = "I/O threads"),
	STRUCT(Guest, cputune, "cputune", CpuTune, cpu_tune_shape, .doc = "CPU limits"),
	STRUCT(Guest, numatune, "numatune", NumaTune, numa_tune_shape, .doc = "NUMA placement"),
	STRING(Guest, partition, "resource/partition", .doc = "cgroup of the host"),
	LIST(Guest, sysinfos, "sysinfo", sysinfo_shape, .doc = "firmware tables"),
	STRING(Guest, bootloader, "bootloader", .doc = "boot loader of the host (Xen)"),
	STRING(Guest, bootloader_args, "bootloader_args", .doc = "its arguments"),
	INLINE(Guest, os, "os", GuestOs, os_shape),
	RAWXML(Guest, idmap, "idmap", .doc = "user name space (containers)"),
	STRUCT(Guest, features, "features", GuestFeatures, features_shape, .doc = "features"),
	STRUCT(Guest, cpu, "cpu", Cpu, cpu_shape, .doc = "CPU"),
	STRUCT(Guest, clock, "clock", Clock, clock_shape, .doc = "clock"),
	ENUM(Guest, on_poweroff, "on_poweroff", guest_actions, .doc = "when it powers off"),
	ENUM(Guest, on_reboot, "on_reboot", guest_actions, .doc = "when it reboots"),
	ENUM(Guest, on_crash, "on_crash", guest_actions, .doc = "when it crashes"),
	STRING(Guest, on_lockfailure, "on_lockfailure", .doc = "when a lease is lost"),
	TRI(Guest, suspend_to_mem, "pm/suspend-to-mem/@enabled", .doc = "sleep (S3)"),
	TRI(Guest, suspend_to_disk, "pm/suspend-to-disk/@enabled", .doc = "hibernation (S4)"),
	STRUCT(Guest, perf, "perf", Perf, perf_shape, .doc = "performance events"),
	STRING(Guest, emulator, "devices/emulator", .doc = "QEMU"),
	DEVICES(disks, "disk", disk_shape, "disks"),
	DEVICES(controllers, "controller", controller_shape, "controllers"),
	DEVICES(leases, "lease", lease_shape, "leases"),
	DEVICES(filesystems, "filesystem", filesystem_shape, "shared folders"),
	DEVICES(interfaces, "interface", interface_shape, "network interfaces"),
	DEVICES(smartcards, "smartcard", smartcard_shape, "smart cards"),
	DEVICES(serials, "serial", chardev_shape, "serial ports"),
	DEVICES(parallels, "parallel", chardev_shape, "parallel ports"),
	DEVICES(consoles, "console", chardev_shape, "consoles"),
	DEVICES(channels, "channel", chardev_shape, "channels"),
	DEVICES(inputs, "input", input_shape, "input devices"),
	DEVICES(tpms, "tpm", tpm_shape, "TPMs"),
	DEVICES(graphics, "graphics", graphics_shape, "graphical consoles"),
	DEVICES(sounds, "sound", sound_shape, "sound cards"),
	DEVICES(audios, "audio", audio_shape, "audio backends"),
	DEVICES(videos, "video", video_shape, "video cards"),
	DEVICES(hostdevs, "hostdev", hostdev_shape, "host devices"),
	DEVICES(redirdevs, "redirdev", redirdev_shape, "USB redirection"),
	STRUCT(Guest, redirfilter, "devices/redirfilter", RedirFilter, redirfilter_shape,
	       .doc = "which USB devices may be redirected"),
	DEVICES(hubs, "hub", hub_shape, "USB hubs"),
	DEVICES(watchdogs, "watchdog", watchdog_shape, "watchdogs"),
	STRUCT(Guest, memballoon, "devices/memballoon", Memballoon, memballoon_shape,
	       .doc = "memory balloon"),
	DEVICES(rngs, "rng", rng_shape, "random number generators"),
	STRUCT(Guest, nvram_device, "devices/nvram", Nvram, nvram_shape, .doc = "NVRAM (POWER)"),
	DEVICES(panics, "panic", panic_shape, "crash notifiers"),
	DEVICES(shmems, "shmem", shmem_shape, "shared memory"),
	DEVICES(memories, "memory", memory_module_shape, "memory modules"),
	STRUCT(Guest, iommu, "devices/iommu", Iommu, iommu_shape, .doc = "IOMMU"),
	STRUCT(Guest, vsock, "devices/vsock", Vsock, vsock_shape, .doc = "vsock"),
	DEVICES(cryptos, "crypto", crypto_shape, "crypto devices"),
	LIST(Guest, seclabels, "seclabel", seclabel_shape, .doc = "security labels"),
	RAWXML(Guest, keywrap, "keywrap", .doc = "key wrapping (s390)"),
	STRUCT(Guest, launch_security, "launchSecurity", LaunchSecurity, launch_security_shape,
	       .doc = "encrypted memory"),
	STRUCT(Guest, qemu_commandline, "qemu:commandline", QemuCommandline,
	       qemu_commandline_shape, .doc = "QEMU's own words"),
};

/* ---- devices, all ---- */

/* Where DeviceInfo is in each kind that has one: found in the rows, so that it stands once. */
static const Row *info_row(const Shape *shape)
{
	const Row *last = &shape->rows[shape->n - 1];
	return last->kind == ROW_INLINE && last->of == &device_info_shape ? last : NULL;
}

typedef struct DeviceKind {
	const char *kind; /* its element's name */
	gsize offset, info; /* of the member in Guest, of DeviceInfo in the device */
	gboolean list;
} DeviceKind;

/* The rows that are devices, in order: made once, for definitions are walked many times. */
static const GArray *device_kinds(void)
{
	static gsize once;
	static GArray *kinds;
	if (!g_once_init_enter(&once))
		return kinds;
	kinds = g_array_new(FALSE, FALSE, sizeof(DeviceKind));
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		const Row *row = &rows[i];
		if (!row->xml || !g_str_has_prefix(row->xml, "devices/") ||
		    (row->kind != ROW_LIST && row->kind != ROW_STRUCT) || !info_row(row->of))
			continue;
		DeviceKind kind = { .kind = row->xml + strlen("devices/"), .offset = row->offset,
				    .info = info_row(row->of)->offset,
				    .list = row->kind == ROW_LIST };
		g_array_append_val(kinds, kind);
	}
	g_once_init_leave(&once, 1);
	return kinds;
}

gboolean guest_each_device(Guest *guest, GuestDeviceFn fn, gpointer data)
{
	const GArray *kinds = device_kinds();
	for (guint i = 0; i < kinds->len; i++) {
		const DeviceKind *k = &g_array_index(kinds, DeviceKind, i);
		char *at = (char *)guest + k->offset;
		if (!k->list) {
			char *device = *(char **)at;
			if (device && !fn(k->kind, device, (DeviceInfo *)(device + k->info), data))
				return FALSE;
			continue;
		}
		SHAPE_EACH (char, device, *(GPtrArray **)at)
			if (!fn(k->kind, device, (DeviceInfo *)(device + k->info), data))
				return FALSE;
	}
	return TRUE;
}

guint guest_vcpus_online(const Guest *guest)
{
	guint online = 0;
	SHAPE_EACH (Vcpu, vcpu, guest->vcpu_list)
		online += vcpu->enabled == TRI_YES;
	return online ? online : (guint)opt_uint_or(guest->vcpus_current, opt_uint_or(guest->vcpus, 1));
}

/* ---- checks across fields ---- */

gboolean guest_check_name(const char *name, GError **error)
{
	if (!*name || !g_utf8_validate(name, -1, NULL))
		return fail(error, LODGE_ERROR_INVALID, "the name is empty or not UTF-8");
	if (g_str_equal(name, ".") || g_str_equal(name, ".."))
		return fail(error, LODGE_ERROR_INVALID, "name: \"%s\" is a folder's", name);
	if (strchr(name, '/'))
		return fail(error, LODGE_ERROR_INVALID, "name \"%s\" must not have a slash", name);
	for (const char *c = name; *c; c++)
		if (g_ascii_iscntrl(*c))
			return fail(error, LODGE_ERROR_INVALID,
				    "the name must not have a line break, a tab or another control "
				    "character: its byte %d is 0x%02x", (int)(c - name) + 1,
				    (guint)(guchar)*c);
	if (strlen(name) > 200)
		return fail(error, LODGE_ERROR_INVALID, "the name is longer than 200 bytes");
	return TRUE;
}

static gboolean check_memory(const Guest *guest, GError **error)
{
	gboolean by_cells = guest->cpu && shape_len(guest->cpu->cells);
	if (!guest->memory.set && !guest->max_memory.set && !by_cells)
		return fail(error, LODGE_ERROR_INVALID, "memory is missing");
	if (guest->memory.set && guest->memory.v == 0 && !by_cells)
		return fail(error, LODGE_ERROR_INVALID, "memory is 0");
	if (guest->vcpus_current.set && guest->vcpus_current.v > opt_uint_or(guest->vcpus, 1))
		return fail(error, LODGE_ERROR_INVALID,
			    "vcpu/@current %" G_GUINT64_FORMAT " is more than the %" G_GUINT64_FORMAT
			    " vCPUs", guest->vcpus_current.v, opt_uint_or(guest->vcpus, 1));
	return TRUE;
}

static gboolean check_targets(const Guest *guest, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	SHAPE_EACH (Disk, disk, guest->disks) {
		const Disk *other = g_hash_table_lookup(seen, disk->target);
		if (other)
			return fail(error, LODGE_ERROR_INVALID,
				    "devices/disk[%u]/target/@dev, line %d: \"%s\" is already the "
				    "target of the disk in line %d", disk_i + 1, disk->head.line,
				    disk->target, other->head.line);
		g_hash_table_insert(seen, disk->target, disk);
	}
	return TRUE;
}

static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Guest *guest = object;
	return guest_check_name(guest->name, error) && check_memory(guest, error) &&
	       check_targets(guest, error);
}

const Shape guest_shape = SHAPE("domain", Guest, rows, .check = check);

/* ---- documents ---- */

Guest *guest_from_xml(const char *xml, gssize length, const char *what, Notes *notes, GError **error)
{
	g_autoptr(Guest) guest =
		shape_from_xml(&guest_shape, "domain", xml, length, what, notes, error);
	g_autoptr(GError) why = NULL;
	if (!guest)
		return NULL;
	if (shape_check(&guest_shape, guest, notes, &why))
		return g_steal_pointer(&guest);
	if (what)
		g_prefix_error(&why, "%s: ", what);
	g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

char *guest_to_xml(const Guest *guest, guint flags)
{
	return shape_to_xml(&guest_shape, "domain", guest, flags);
}

Guest *guest_copy(const Guest *guest)
{
	return shape_copy(&guest_shape, guest);
}

void guest_free(Guest *guest)
{
	shape_free(&guest_shape, guest);
}

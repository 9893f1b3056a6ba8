/* A guest's definition, as libvirt's <domain> has it: the struct that everything else speaks of.
 * No I/O here. Neighbours: device/ has the devices; guest.c the rows; defaults.c what is filled in;
 * address.c where devices sit; adapt.c what other hosts' documents need. */
#pragma once

#include "model/device/controller.h"
#include "model/device/disk.h"
#include "model/device/graphics.h"
#include "model/device/host.h"
#include "model/device/interface.h"
#include "model/device/misc.h"

/* Those after QEMU are read, kept and refused by name. */
typedef enum GuestType {
	GUEST_KVM = 1,
	GUEST_QEMU,
	GUEST_XEN,
	GUEST_LXC,
	GUEST_TEST,
	GUEST_HVF,
	GUEST_OTHER, /* and further names in the table */
} GuestType;

/* What a guest does when it powers off, reboots or crashes. */
typedef enum GuestAction {
	GUEST_DESTROY = 1,
	GUEST_RESTART,
	GUEST_PRESERVE,
	GUEST_RENAME_RESTART,
	GUEST_COREDUMP_DESTROY,
	GUEST_COREDUMP_RESTART,
} GuestAction;

typedef struct BootDevice {
	ShapeHead head;
	char *dev; /* hd, cdrom, network, fd */
} BootDevice;

typedef struct FirmwareFeature {
	ShapeHead head;
	Tri enabled;
	char *name;
} FirmwareFeature;

typedef struct GuestOs {
	ShapeHead head;
	char *firmware; /* efi or bios: choose the loader */
	char *arch, *machine, *type;
	GPtrArray *firmware_features; /* FirmwareFeature */
	char *loader, *loader_type, *loader_format;
	Tri loader_readonly, loader_secure, loader_stateless;
	char *nvram, *nvram_template, *nvram_format;
	char *nvram_type, *nvram_file; /* as it came in; then .nvram has it */
	char *kernel, *initrd, *cmdline, *dtb;
	char *acpi_table, *acpi_table_type;
	GPtrArray *boot; /* BootDevice */
	Tri bootmenu;
	OptUint bootmenu_timeout;
	char *smbios_mode;
	Tri bios_useserial;
	OptInt bios_reboot_timeout;
} GuestOs;

typedef struct CpuFeature {
	ShapeHead head;
	char *policy, *name;
} CpuFeature;

typedef struct NumaDistance {
	ShapeHead head;
	OptUint id, value;
} NumaDistance;

typedef struct NumaCell {
	ShapeHead head;
	OptUint id;
	char *cpus;
	OptUint memory;
	char *mem_access, *discard;
	GPtrArray *distances; /* NumaDistance */
} NumaCell;

typedef struct Cpu {
	ShapeHead head;
	char *mode, *match, *check;
	Tri migratable;
	char *model, *fallback, *vendor_id, *vendor;
	OptUint sockets, dies, cores, threads;
	OptUint cache_level;
	char *cache_mode;
	char *maxphysaddr_mode;
	OptUint maxphysaddr_bits;
	GPtrArray *features; /* CpuFeature */
	GPtrArray *cells;    /* NumaCell */
} Cpu;

typedef struct Timer {
	ShapeHead head;
	char *name, *tickpolicy, *track, *mode;
	Tri present;
	OptUint frequency;
	OptUint catchup_threshold, catchup_slew, catchup_limit;
} Timer;

typedef struct Clock {
	ShapeHead head;
	char *offset, *adjustment, *basis, *timezone, *start;
	GPtrArray *timers; /* Timer */
} Clock;

typedef struct HypervFeatures {
	ShapeHead head;
	char *mode;
	Tri relaxed, vapic, spinlocks, vpindex, runtime, synic, stimer, stimer_direct, reset;
	Tri vendor_id_state, frequencies, reenlightenment, tlbflush, ipi, evmcs, avic;
	OptUint spinlock_retries;
	char *vendor_id;
} HypervFeatures;

typedef struct GuestFeatures {
	ShapeHead head;
	gboolean acpi, apic, pae, privnet, viridian;
	Tri apic_eoi;
	gboolean hap, gic;
	Tri hap_state, pvspinlock, pmu, vmport, smm, vmcoreinfo, htm, ccf_assist;
	OptUint smm_tseg;
	char *gic_version, *ioapic_driver;
	HypervFeatures *hyperv;
	Tri kvm_hidden, kvm_hint_dedicated, kvm_poll_control, kvm_pv_ipi, kvm_dirty_ring;
	OptUint kvm_dirty_ring_size;
	char *msrs_unknown;
	OptUint tcg_tb_cache_size;
	char *ibs;
} GuestFeatures;

typedef struct HugePage {
	ShapeHead head;
	OptUint size;
	char *nodeset;
} HugePage;

typedef struct MemoryBacking {
	ShapeHead head;
	gboolean hugepages;
	GPtrArray *pages; /* HugePage */
	gboolean nosharepages, locked, discard;
	char *source_type, *access_mode, *allocation_mode;
	OptUint allocation_threads;
} MemoryBacking;

typedef struct MemoryTune {
	ShapeHead head;
	OptUint hard_limit, soft_limit, min_guarantee, swap_hard_limit;
} MemoryTune;

typedef struct Vcpu {
	ShapeHead head;
	OptUint id, order;
	Tri enabled, hotpluggable;
} Vcpu;

typedef struct IoThread {
	ShapeHead head;
	OptUint id, pool_min, pool_max;
} IoThread;

typedef struct CpuPin {
	ShapeHead head;
	OptUint vcpu, iothread;
	char *cpuset;
} CpuPin;

typedef struct CpuSched {
	ShapeHead head;
	char *vcpus, *iothreads, *scheduler;
	OptInt priority;
} CpuSched;

typedef struct CpuTune {
	ShapeHead head;
	OptUint shares, period, global_period, emulator_period, iothread_period;
	OptInt quota, global_quota, emulator_quota, iothread_quota;
	GPtrArray *vcpupins, *iothreadpins; /* CpuPin */
	char *emulatorpin;
	GPtrArray *vcpuscheds, *iothreadscheds; /* CpuSched */
} CpuTune;

typedef struct NumaMemnode {
	ShapeHead head;
	OptUint cellid;
	char *mode, *nodeset;
} NumaMemnode;

typedef struct NumaTune {
	ShapeHead head;
	char *mode, *nodeset, *placement;
	GPtrArray *memnodes; /* NumaMemnode */
} NumaTune;

typedef struct BlkioDevice {
	ShapeHead head;
	char *path;
	OptUint weight, read_bytes_sec, write_bytes_sec, read_iops_sec, write_iops_sec;
} BlkioDevice;

typedef struct BlkioTune {
	ShapeHead head;
	OptUint weight;
	GPtrArray *devices; /* BlkioDevice */
} BlkioTune;

typedef struct PerfEvent {
	ShapeHead head;
	char *name; /* see host/perf.h */
	Tri enabled;
} PerfEvent;

typedef struct Perf {
	ShapeHead head;
	GPtrArray *events; /* PerfEvent */
} Perf;

typedef enum LaunchSecurityType { LAUNCH_SEV = 1, LAUNCH_S390_PV } LaunchSecurityType;

/* What keeps the host from reading the guest's memory. All but the type is of SEV. */
typedef struct LaunchSecurity {
	ShapeHead head;
	LaunchSecurityType type;
	Tri kernel_hashes;
	OptUint cbitpos, reduced_phys_bits, policy;
	char *dh_cert, *session; /* base64 */
} LaunchSecurity;

typedef struct SysinfoEntry {
	ShapeHead head;
	char *name, *file, *value;
} SysinfoEntry;

typedef struct SysinfoTable {
	ShapeHead head;
	GPtrArray *entries; /* SysinfoEntry */
} SysinfoTable;

typedef struct Sysinfo {
	ShapeHead head;
	char *type;
	SysinfoTable *bios, *system, *chassis, *oem_strings;
	GPtrArray *baseboards;	/* SysinfoTable */
	GPtrArray *fw_entries; /* SysinfoEntry (fwcfg) */
} Sysinfo;

typedef struct SecLabel {
	ShapeHead head;
	char *type, *model, *relabel, *label, *imagelabel, *baselabel;
} SecLabel;

typedef struct QemuArg {
	ShapeHead head;
	char *name, *value;
} QemuArg;

typedef struct QemuCommandline {
	ShapeHead head;
	GPtrArray *args, *env; /* QemuArg */
} QemuCommandline;

typedef struct Guest {
	ShapeHead head;
	GuestType type;
	OptInt id; /* live */
	char *name, *uuid, *genid, *title, *description;
	gboolean has_genid;
	char *metadata; /* XML */
	OptUint max_memory, max_memory_slots, memory, current_memory;
	Tri dump_core;
	MemoryBacking *memory_backing;
	BlkioTune *blkiotune;
	MemoryTune *memtune;
	OptUint vcpus, vcpus_current;
	char *vcpu_placement, *vcpu_cpuset;
	GPtrArray *vcpu_list;	/* Vcpu */
	OptUint iothreads;
	GPtrArray *iothread_ids; /* IoThread */
	CpuTune *cputune;
	NumaTune *numatune;
	char *partition;
	GPtrArray *sysinfos; /* Sysinfo */
	char *bootloader, *bootloader_args;
	GuestOs os;
	char *idmap;
	GuestFeatures *features;
	Cpu *cpu;
	Clock *clock;
	GuestAction on_poweroff, on_reboot, on_crash;
	char *on_lockfailure;
	Tri suspend_to_mem, suspend_to_disk;
	Perf *perf;

	char *emulator;
	GPtrArray *disks;	/* Disk */
	GPtrArray *controllers; /* Controller */
	GPtrArray *leases;	/* Lease */
	GPtrArray *filesystems; /* Filesystem */
	GPtrArray *interfaces;	/* Interface */
	GPtrArray *smartcards;	/* Smartcard */
	GPtrArray *serials, *parallels, *consoles, *channels; /* Chardev */
	GPtrArray *inputs;	/* Input */
	GPtrArray *tpms;	/* Tpm */
	GPtrArray *graphics;	/* Graphics */
	GPtrArray *sounds;	/* Sound */
	GPtrArray *audios;	/* Audio */
	GPtrArray *videos;	/* Video */
	GPtrArray *hostdevs;	/* Hostdev */
	GPtrArray *redirdevs;	/* Redirdev */
	RedirFilter *redirfilter;
	GPtrArray *hubs;	/* Hub */
	GPtrArray *watchdogs;	/* Watchdog */
	Memballoon *memballoon;
	GPtrArray *rngs;	/* Rng */
	Nvram *nvram_device;
	GPtrArray *panics;	/* Panic */
	GPtrArray *shmems;	/* Shmem */
	GPtrArray *memories;	/* MemoryModule */
	Iommu *iommu;
	Vsock *vsock;
	GPtrArray *cryptos;	/* Crypto */

	GPtrArray *seclabels; /* SecLabel */
	char *keywrap;
	LaunchSecurity *launch_security;
	QemuCommandline *qemu_commandline;
} Guest;

extern const Shape guest_shape;
extern const EnumTable guest_types, guest_actions;

/* Reads a <domain> document: rows, then shape_check. Notes get what was odd. The caller owns the
 * result (guest_free). Any thread. */
Guest *guest_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
		      GError **error);
/* Prints it; @flags are ShapeXmlFlags. The caller frees. */
char *guest_to_xml(const Guest *guest, guint flags);
Guest *guest_copy(const Guest *guest);
void guest_free(Guest *guest);

/* Every device of a guest that has a DeviceInfo, in the order of the document.
 * @kind is the name of its element ("disk"); stops where @fn returns FALSE. */
typedef gboolean (*GuestDeviceFn)(const char *kind, gpointer device, DeviceInfo *info,
				  gpointer data);
gboolean guest_each_device(Guest *guest, GuestDeviceFn fn, gpointer data);

/* Whether @name can be a guest's: it becomes a file's name, a path's part and text in XML. INVALID
 * otherwise. Any thread. */
gboolean guest_check_name(const char *name, GError **error);

/* Count of vCPUs that run at boot. */
guint guest_vcpus_online(const Guest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_free)

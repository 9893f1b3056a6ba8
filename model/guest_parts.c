/* The parts of a definition that are not devices: CPU, clock, features, tuning, firmware tables.
 * See guest.h; guest.c has the whole. */
#include "model/guest_parts.h"
#include "base/error.h"

/* ---- CPU ---- */

static const Row feature_rows[] = {
	STRING(CpuFeature, policy, "@policy", .doc = "force, require, optional, disable, forbid"),
	STRING(CpuFeature, name, "@name", .flags = ROW_REQUIRED, .doc = "feature"),
};
static const Shape feature_shape = SHAPE("cpu-feature", CpuFeature, feature_rows);

static const Row distance_rows[] = {
	UINT(NumaDistance, id, "@id", .max = G_MAXUINT32, .flags = ROW_REQUIRED, .doc = "cell"),
	UINT(NumaDistance, value, "@value", .min = 10, .max = 255, .flags = ROW_REQUIRED,
	     .doc = "distance"),
};
const Shape numa_distance_shape = SHAPE("numa-distance", NumaDistance, distance_rows);

static const Row cell_rows[] = {
	UINT(NumaCell, id, "@id", .max = G_MAXUINT32, .doc = "number of the cell"),
	CPUSET(NumaCell, cpus, "@cpus", .doc = "its vCPUs"),
	SIZE(NumaCell, memory, "@memory", .words = "KiB", .flags = ROW_REQUIRED,
	     .doc = "its memory"),
	STRING(NumaCell, mem_access, "@memAccess", .doc = "shared or private"),
	STRING(NumaCell, discard, "@discard", .doc = "yes or no"),
	LIST(NumaCell, distances, "distances/sibling", numa_distance_shape, .doc = "distances"),
};
static const Shape cell_shape = SHAPE("numa-cell", NumaCell, cell_rows);

static const Row cpu_rows[] = {
	STRING(Cpu, mode, "@mode", .doc = "custom, host-model, host-passthrough or maximum"),
	STRING(Cpu, match, "@match", .doc = "minimum, exact or strict"),
	STRING(Cpu, check, "@check", .doc = "none, partial or full"),
	TRI(Cpu, migratable, "@migratable", .words = "on/off",
	    .doc = "leave out what cannot be migrated"),
	STRING(Cpu, model, "model", .doc = "model"),
	STRING(Cpu, fallback, "model/@fallback", .doc = "allow or forbid another model"),
	STRING(Cpu, vendor_id, "model/@vendor_id", .flags = ROW_VERBATIM,
	       .doc = "vendor as the guest sees it"),
	STRING(Cpu, vendor, "vendor", .doc = "vendor that the host must have"),
	UINT(Cpu, sockets, "topology/@sockets", .min = 1, .max = 65535, .doc = "sockets"),
	UINT(Cpu, dies, "topology/@dies", .min = 1, .max = 65535, .doc = "dies per socket"),
	UINT(Cpu, cores, "topology/@cores", .min = 1, .max = 65535, .doc = "cores per die"),
	UINT(Cpu, threads, "topology/@threads", .min = 1, .max = 65535, .doc = "threads per core"),
	UINT(Cpu, cache_level, "cache/@level", .max = 3, .doc = "level of the cache"),
	STRING(Cpu, cache_mode, "cache/@mode", .doc = "emulate, passthrough or disable"),
	STRING(Cpu, maxphysaddr_mode, "maxphysaddr/@mode", .doc = "passthrough or emulate"),
	UINT(Cpu, maxphysaddr_bits, "maxphysaddr/@bits", .max = 64, .doc = "width of addresses"),
	LIST(Cpu, features, "feature", feature_shape, .doc = "features"),
	LIST(Cpu, cells, "numa/cell", cell_shape, .doc = "NUMA cells of the guest"),
};

static gboolean check_cpu(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	static const char *const modes[] = { "custom", "host-model", "host-passthrough", "maximum",
					     NULL };
	const Cpu *cpu = object;
	if (cpu->mode && !g_strv_contains(modes, cpu->mode))
		return fail(error, LODGE_ERROR_INVALID,
			    "cpu/@mode \"%s\" is not custom, host-model, host-passthrough or "
			    "maximum", cpu->mode);
	guint n = cpu->sockets.set + cpu->cores.set + cpu->threads.set;
	if (n && n < 3)
		return fail(error, LODGE_ERROR_INVALID,
			    "topology needs @sockets, @cores and @threads");
	return TRUE;
}

const Shape cpu_shape = SHAPE("cpu", Cpu, cpu_rows, .check = check_cpu);

/* ---- clock ---- */

static const Row timer_rows[] = {
	STRING(Timer, name, "@name", .flags = ROW_REQUIRED,
	       .doc = "platform, pit, rtc, hpet, tsc, kvmclock, hypervclock, armvtimer"),
	STRING(Timer, tickpolicy, "@tickpolicy", .doc = "delay, catchup, merge or discard"),
	STRING(Timer, track, "@track", .doc = "boot, guest or wall"),
	UINT(Timer, frequency, "@frequency", .doc = "hertz (tsc)"),
	STRING(Timer, mode, "@mode", .doc = "mode of the tsc"),
	TRI(Timer, present, "@present", .doc = "whether the guest has it"),
	UINT(Timer, catchup_threshold, "catchup/@threshold", .doc = "ticks"),
	UINT(Timer, catchup_slew, "catchup/@slew", .doc = "ticks"),
	UINT(Timer, catchup_limit, "catchup/@limit", .doc = "ticks"),
};
static const Shape timer_shape = SHAPE("timer", Timer, timer_rows);

static const Row clock_rows[] = {
	STRING(Clock, offset, "@offset", .dflt = "utc",
	       .doc = "utc, localtime, variable, timezone or absolute"),
	STRING(Clock, adjustment, "@adjustment", .doc = "seconds, or reset"),
	STRING(Clock, basis, "@basis", .doc = "utc or localtime"),
	STRING(Clock, timezone, "@timezone", .doc = "time zone"),
	STRING(Clock, start, "@start", .doc = "seconds since 1970 (absolute)"),
	LIST(Clock, timers, "timer", timer_shape, .doc = "timers"),
};
const Shape clock_shape = SHAPE("clock", Clock, clock_rows);

/* ---- features ---- */

#define HYPERV(member, path, text) TRI(HypervFeatures, member, path, .words = "on/off", .doc = text)
static const Row hyperv_rows[] = {
	STRING(HypervFeatures, mode, "@mode", .doc = "custom or passthrough"),
	HYPERV(relaxed, "relaxed/@state", "no watchdog on timers"),
	HYPERV(vapic, "vapic/@state", "virtual APIC"),
	HYPERV(spinlocks, "spinlocks/@state", "spin locks"),
	UINT(HypervFeatures, spinlock_retries, "spinlocks/@retries", .min = 4095,
	     .max = G_MAXUINT32, .doc = "retries"),
	HYPERV(vpindex, "vpindex/@state", "index of the virtual processor"),
	HYPERV(runtime, "runtime/@state", "run time of the processor"),
	HYPERV(synic, "synic/@state", "interrupt controller"),
	HYPERV(stimer, "stimer/@state", "timers"),
	HYPERV(stimer_direct, "stimer/direct/@state", "direct timers"),
	HYPERV(reset, "reset/@state", "reset"),
	HYPERV(vendor_id_state, "vendor_id/@state", "vendor"),
	STRING(HypervFeatures, vendor_id, "vendor_id/@value", .doc = "vendor"),
	HYPERV(frequencies, "frequencies/@state", "frequencies"),
	HYPERV(reenlightenment, "reenlightenment/@state", "reenlightenment"),
	HYPERV(tlbflush, "tlbflush/@state", "TLB flush"),
	HYPERV(ipi, "ipi/@state", "interrupts between processors"),
	HYPERV(evmcs, "evmcs/@state", "enlightened VMCS"),
	HYPERV(avic, "avic/@state", "AVIC"),
};
static const Shape hyperv_shape = SHAPE("hyperv", HypervFeatures, hyperv_rows);

#define STATE(member, path, text)                                                                  \
	TRI(GuestFeatures, member, path, .words = "on/off", .flags = ROW_IMPLIED, .doc = text)
static const Row features_rows[] = {
	FLAG(GuestFeatures, acpi, "acpi", .doc = "ACPI"),
	FLAG(GuestFeatures, apic, "apic", .doc = "APIC"),
	TRI(GuestFeatures, apic_eoi, "apic/@eoi", .words = "on/off",
	    .doc = "paravirtual end of interrupt"),
	FLAG(GuestFeatures, pae, "pae", .doc = "PAE"),
	FLAG(GuestFeatures, hap, "hap", .doc = "hardware paging"),
	TRI(GuestFeatures, hap_state, "hap/@state", .words = "on/off", .doc = "hardware paging"),
	FLAG(GuestFeatures, viridian, "viridian", .doc = "Viridian"),
	FLAG(GuestFeatures, privnet, "privnet", .doc = "private network (containers)"),
	STRUCT(GuestFeatures, hyperv, "hyperv", HypervFeatures, hyperv_shape, .doc = "Hyper-V"),
	STATE(kvm_hidden, "kvm/hidden/@state", "hide KVM from the guest"),
	STATE(kvm_hint_dedicated, "kvm/hint-dedicated/@state", "vCPUs have their own CPU"),
	STATE(kvm_poll_control, "kvm/poll-control/@state", "polling"),
	STATE(kvm_pv_ipi, "kvm/pv-ipi/@state", "paravirtual interrupts"),
	STATE(kvm_dirty_ring, "kvm/dirty-ring/@state", "dirty ring"),
	UINT(GuestFeatures, kvm_dirty_ring_size, "kvm/dirty-ring/@size", .doc = "entries"),
	STATE(pvspinlock, "pvspinlock/@state", "paravirtual spin locks"),
	STATE(pmu, "pmu/@state", "performance counters"),
	STATE(vmport, "vmport/@state", "VMware's port"),
	FLAG(GuestFeatures, gic, "gic", .doc = "interrupt controller (ARM)"),
	STRING(GuestFeatures, gic_version, "gic/@version", .doc = "interrupt controller (ARM)"),
	STATE(smm, "smm/@state", "system management mode"),
	SIZE(GuestFeatures, smm_tseg, "smm/tseg", .words = "MiB", .doc = "its memory"),
	STRING(GuestFeatures, ioapic_driver, "ioapic/@driver", .doc = "kvm or qemu"),
	STATE(vmcoreinfo, "vmcoreinfo/@state", "crash information"),
	STATE(htm, "htm/@state", "transactional memory (POWER)"),
	STRING(GuestFeatures, ibs, "ibs/@value", .doc = "IBS (POWER)"),
	STATE(ccf_assist, "ccf-assist/@state", "count cache flush (POWER)"),
	STRING(GuestFeatures, msrs_unknown, "msrs/@unknown", .doc = "ignore or fault"),
	SIZE(GuestFeatures, tcg_tb_cache_size, "tcg/tb-cache", .words = "KiB",
	     .doc = "cache of translated code"),
};
const Shape features_shape = SHAPE("features", GuestFeatures, features_rows);

/* ---- memory ---- */

static const Row page_rows[] = {
	SIZE(HugePage, size, "@size", .words = "KiB", .flags = ROW_REQUIRED, .doc = "page size"),
	CPUSET(HugePage, nodeset, "@nodeset", .doc = "cells of the guest"),
};
static const Shape page_shape = SHAPE("huge-page", HugePage, page_rows);

static const Row backing_rows[] = {
	FLAG(MemoryBacking, hugepages, "hugepages", .doc = "huge pages"),
	LIST(MemoryBacking, pages, "hugepages/page", page_shape, .doc = "their sizes"),
	FLAG(MemoryBacking, nosharepages, "nosharepages", .doc = "no page merging"),
	FLAG(MemoryBacking, locked, "locked", .doc = "never swapped"),
	STRING(MemoryBacking, source_type, "source/@type", .doc = "anonymous, file or memfd"),
	STRING(MemoryBacking, access_mode, "access/@mode", .doc = "shared or private"),
	STRING(MemoryBacking, allocation_mode, "allocation/@mode", .doc = "immediate or ondemand"),
	UINT(MemoryBacking, allocation_threads, "allocation/@threads", .doc = "count of threads"),
	FLAG(MemoryBacking, discard, "discard", .doc = "dropped at the end"),
};
const Shape memory_backing_shape = SHAPE("memory-backing", MemoryBacking, backing_rows);

#define LIMIT(member, text)                                                                        \
	SIZE(MemoryTune, member, #member, .words = "KiB", .flags = ROW_HOT, .doc = text)
static const Row memtune_rows[] = {
	LIMIT(hard_limit, "most memory of the QEMU process"),
	LIMIT(soft_limit, "limit under pressure"),
	LIMIT(min_guarantee, "least memory"),
	LIMIT(swap_hard_limit, "most memory and swap"),
};
const Shape memory_tune_shape = SHAPE("memory-tune", MemoryTune, memtune_rows);

/* ---- CPUs ---- */

static const Row vcpu_rows[] = {
	UINT(Vcpu, id, "@id", .max = 65535, .flags = ROW_REQUIRED, .doc = "number"),
	TRI(Vcpu, enabled, "@enabled", .doc = "whether it runs"),
	TRI(Vcpu, hotpluggable, "@hotpluggable", .doc = "whether it may be unplugged"),
	UINT(Vcpu, order, "@order", .max = 65535, .doc = "order of plugging"),
};
const Shape vcpu_shape = SHAPE("vcpu", Vcpu, vcpu_rows);

static const Row iothread_rows[] = {
	UINT(IoThread, id, "@id", .min = 1, .max = G_MAXUINT32, .flags = ROW_REQUIRED,
	     .doc = "number"),
	UINT(IoThread, pool_min, "@thread_pool_min", .doc = "least workers"),
	UINT(IoThread, pool_max, "@thread_pool_max", .doc = "most workers"),
};
const Shape iothread_shape = SHAPE("iothread", IoThread, iothread_rows);

static const Row vcpupin_rows[] = {
	UINT(CpuPin, vcpu, "@vcpu", .max = 65535, .flags = ROW_REQUIRED, .doc = "vCPU"),
	CPUSET(CpuPin, cpuset, "@cpuset", .flags = ROW_REQUIRED, .doc = "CPUs of the host"),
};
const Shape vcpupin_shape = SHAPE("vcpu-pin", CpuPin, vcpupin_rows);

static const Row iothreadpin_rows[] = {
	UINT(CpuPin, iothread, "@iothread", .flags = ROW_REQUIRED, .doc = "I/O thread"),
	CPUSET(CpuPin, cpuset, "@cpuset", .flags = ROW_REQUIRED, .doc = "CPUs of the host"),
};
const Shape iothreadpin_shape = SHAPE("iothread-pin", CpuPin, iothreadpin_rows);

static const Row vcpusched_rows[] = {
	CPUSET(CpuSched, vcpus, "@vcpus", .doc = "vCPUs"),
	CPUSET(CpuSched, iothreads, "@iothreads", .doc = "I/O threads"),
	STRING(CpuSched, scheduler, "@scheduler", .doc = "batch, idle, fifo or rr"),
	INT(CpuSched, priority, "@priority", .doc = "priority"),
};
static const Shape sched_shape = SHAPE("cpu-sched", CpuSched, vcpusched_rows);

#define PERIOD(member, text)                                                                       \
	UINT(CpuTune, member, #member, .min = 1000, .max = 1000000, .flags = ROW_HOT, .doc = text)
#define QUOTA(member, text) INT(CpuTune, member, #member, .flags = ROW_HOT, .doc = text)
static const Row cputune_rows[] = {
	UINT(CpuTune, shares, "shares", .max = 262144, .flags = ROW_HOT,
	     .doc = "weight among guests"),
	PERIOD(period, "microseconds"),
	QUOTA(quota, "microseconds per period and vCPU; -1: no limit"),
	PERIOD(global_period, "microseconds"),
	QUOTA(global_quota, "microseconds per period of the whole guest"),
	PERIOD(emulator_period, "microseconds"),
	QUOTA(emulator_quota, "microseconds per period of QEMU itself"),
	PERIOD(iothread_period, "microseconds"),
	QUOTA(iothread_quota, "microseconds per period of I/O threads"),
	LIST(CpuTune, vcpupins, "vcpupin", vcpupin_shape, .doc = "pinning of vCPUs"),
	CPUSET(CpuTune, emulatorpin, "emulatorpin/@cpuset", .doc = "pinning of QEMU itself"),
	LIST(CpuTune, iothreadpins, "iothreadpin", iothreadpin_shape, .doc = "of I/O threads"),
	LIST(CpuTune, vcpuscheds, "vcpusched", sched_shape, .doc = "scheduling of vCPUs"),
	LIST(CpuTune, iothreadscheds, "iothreadsched", sched_shape, .doc = "of I/O threads"),
};
const Shape cpu_tune_shape = SHAPE("cpu-tune", CpuTune, cputune_rows);

static const Row memnode_rows[] = {
	UINT(NumaMemnode, cellid, "@cellid", .flags = ROW_REQUIRED, .doc = "cell of the guest"),
	STRING(NumaMemnode, mode, "@mode", .doc = "strict, preferred, interleave, restrictive"),
	CPUSET(NumaMemnode, nodeset, "@nodeset", .doc = "nodes of the host"),
};
static const Shape memnode_shape = SHAPE("numa-memnode", NumaMemnode, memnode_rows);

static const Row numatune_rows[] = {
	STRING(NumaTune, mode, "memory/@mode", .doc = "strict, preferred, interleave, restrictive"),
	CPUSET(NumaTune, nodeset, "memory/@nodeset", .doc = "nodes of the host"),
	STRING(NumaTune, placement, "memory/@placement", .doc = "static or auto"),
	LIST(NumaTune, memnodes, "memnode", memnode_shape, .doc = "by cell"),
};
const Shape numa_tune_shape = SHAPE("numa-tune", NumaTune, numatune_rows);

static const Row blkio_device_rows[] = {
	STRING(BlkioDevice, path, "path", .flags = ROW_REQUIRED, .doc = "device of the host"),
	UINT(BlkioDevice, weight, "weight", .max = 1000, .doc = "weight"),
	UINT(BlkioDevice, read_iops_sec, "read_iops_sec", .doc = "reads per second"),
	UINT(BlkioDevice, write_iops_sec, "write_iops_sec", .doc = "writes per second"),
	UINT(BlkioDevice, read_bytes_sec, "read_bytes_sec", .doc = "bytes read per second"),
	UINT(BlkioDevice, write_bytes_sec, "write_bytes_sec", .doc = "bytes written per second"),
};
static const Shape blkio_device_shape = SHAPE("blkio-device", BlkioDevice, blkio_device_rows);

static const Row blkio_rows[] = {
	UINT(BlkioTune, weight, "weight", .max = 1000, .flags = ROW_HOT, .doc = "weight"),
	LIST(BlkioTune, devices, "device", blkio_device_shape, .doc = "by device"),
};
const Shape blkio_tune_shape = SHAPE("blkio-tune", BlkioTune, blkio_rows);

/* ---- performance events, encrypted memory ---- */

static const Row perf_event_rows[] = {
	STRING(PerfEvent, name, "@name", .flags = ROW_REQUIRED, .doc = "event, such as page_faults"),
	TRI(PerfEvent, enabled, "@enabled", .flags = ROW_REQUIRED, .doc = "whether it is counted"),
};
const Shape perf_event_shape = SHAPE("perf-event", PerfEvent, perf_event_rows);

static const Row perf_rows[] = {
	LIST(Perf, events, "event", perf_event_shape, .doc = "events"),
};
const Shape perf_shape = SHAPE("perf", Perf, perf_rows);

static const EnumTable launch_types = ENUM_TABLE("launch security type", "sev", "s390-pv");
static const Row launch_rows[] = {
	ENUM(LaunchSecurity, type, "@type", launch_types, .flags = ROW_REQUIRED, .doc = "of which kind"),
	TRI(LaunchSecurity, kernel_hashes, "@kernelHashes", .doc = "the kernel is measured, too"),
	UINT(LaunchSecurity, cbitpos, "cbitpos", .max = 63,
	     .doc = "bit of an address that says encrypted; none: the host's"),
	UINT(LaunchSecurity, reduced_phys_bits, "reducedPhysBits", .max = 63,
	     .doc = "bits of an address that this costs; none: the host's"),
	UINT(LaunchSecurity, policy, "policy", .max = G_MAXUINT32, .flags = ROW_HEX, .digits = 4,
	     .doc = "what the guest's owner allows"),
	STRING(LaunchSecurity, dh_cert, "dhCert", .doc = "key of the guest's owner, base64"),
	STRING(LaunchSecurity, session, "session", .doc = "session of the guest's owner, base64"),
};
const Shape launch_security_shape = SHAPE("launch-security", LaunchSecurity, launch_rows,
					  .discriminator = &launch_rows[0]);

/* ---- firmware tables ---- */

static const Row entry_rows[] = {
	STRING(SysinfoEntry, name, "@name", .doc = "name"),
	STRING(SysinfoEntry, file, "@file", .doc = "file with the value (fwcfg)"),
	STRING(SysinfoEntry, value, ".", .doc = "value"),
};
static const Shape entry_shape = SHAPE("sysinfo-entry", SysinfoEntry, entry_rows);

static const Row table_rows[] = {
	LIST(SysinfoTable, entries, "entry", entry_shape, .doc = "entries"),
};
static const Shape table_shape = SHAPE("sysinfo-table", SysinfoTable, table_rows);

static const Row sysinfo_rows[] = {
	STRING(Sysinfo, type, "@type", .doc = "smbios or fwcfg"),
	STRUCT(Sysinfo, bios, "bios", SysinfoTable, table_shape, .doc = "BIOS"),
	STRUCT(Sysinfo, system, "system", SysinfoTable, table_shape, .doc = "system"),
	LIST(Sysinfo, baseboards, "baseBoard", table_shape, .doc = "boards"),
	STRUCT(Sysinfo, chassis, "chassis", SysinfoTable, table_shape, .doc = "chassis"),
	STRUCT(Sysinfo, oem_strings, "oemStrings", SysinfoTable, table_shape, .doc = "OEM strings"),
	LIST(Sysinfo, fw_entries, "entry", entry_shape, .doc = "entries of fwcfg"),
};
const Shape sysinfo_shape = SHAPE("sysinfo", Sysinfo, sysinfo_rows);

/* ---- security, QEMU's own words ---- */

static const Row seclabel_rows[] = {
	STRING(SecLabel, type, "@type", .doc = "dynamic, static or none"),
	STRING(SecLabel, model, "@model", .doc = "selinux, apparmor or dac"),
	STRING(SecLabel, relabel, "@relabel", .doc = "yes or no"),
	STRING(SecLabel, label, "label", .doc = "label of the process"),
	STRING(SecLabel, baselabel, "baselabel", .doc = "what the label is made from"),
	STRING(SecLabel, imagelabel, "imagelabel", .flags = ROW_LIVE, .doc = "label of images"),
};
const Shape seclabel_shape = SHAPE("seclabel", SecLabel, seclabel_rows);

static const Row arg_rows[] = {
	STRING(QemuArg, value, "@value", .flags = ROW_EMPTY_OK, .doc = "argument"),
};
static const Shape arg_shape = SHAPE("qemu-arg", QemuArg, arg_rows);

static const Row env_rows[] = {
	STRING(QemuArg, name, "@name", .flags = ROW_REQUIRED, .doc = "variable"),
	STRING(QemuArg, value, "@value", .flags = ROW_EMPTY_OK, .doc = "value"),
};
static const Shape env_shape = SHAPE("qemu-env", QemuArg, env_rows);

static const Row commandline_rows[] = {
	LIST(QemuCommandline, args, "qemu:arg", arg_shape, .doc = "arguments"),
	LIST(QemuCommandline, env, "qemu:env", env_shape, .doc = "environment"),
};
const Shape qemu_commandline_shape =
	SHAPE("qemu-commandline", QemuCommandline, commandline_rows);

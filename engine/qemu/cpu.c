/* The CPU: model, features, Hyper-V and KVM interfaces.
 * Neighbours: build.h; memory.c writes count and topology. */
#include "engine/qemu/build.h"

#include <string.h>

/* libvirt's names of what is no property of QEMU's. */
static const char *const not_in_qemu[] = { "cmt", "mbm_total", "mbm_local", "osxsave", "ospke", NULL };

typedef struct SwitchRow {
	const char *key;
	size_t offset; /* of a Tri */
} SwitchRow;

#define HV(member, key_) { .key = (key_), .offset = offsetof(HypervFeatures, member) }
static const SwitchRow hyperv_rows[] = {
	HV(relaxed, "hv-relaxed"),
	HV(vapic, "hv-vapic"),
	HV(vpindex, "hv-vpindex"),
	HV(runtime, "hv-runtime"),
	HV(synic, "hv-synic"),
	HV(stimer, "hv-stimer"),
	HV(stimer_direct, "hv-stimer-direct"),
	HV(reset, "hv-reset"),
	HV(frequencies, "hv-frequencies"),
	HV(reenlightenment, "hv-reenlightenment"),
	HV(tlbflush, "hv-tlbflush"),
	HV(ipi, "hv-ipi"),
	HV(evmcs, "hv-evmcs"),
	HV(avic, "hv-avic"),
};

#define KVM(member, key_) { .key = (key_), .offset = offsetof(GuestFeatures, member) }
static const SwitchRow kvm_rows[] = {
	KVM(apic_eoi, "kvm-pv-eoi"),
	KVM(pvspinlock, "kvm-pv-unhalt"),
	KVM(kvm_poll_control, "kvm-poll-control"),
	KVM(kvm_pv_ipi, "kvm-pv-ipi"),
	KVM(kvm_hint_dedicated, "kvm-hint-dedicated"),
};

static void put_switches(GString *cpu, const SwitchRow *rows, guint n, gconstpointer object)
{
	for (guint i = 0; i < n; i++)
		opt_put_switch(cpu, rows[i].key, *(const Tri *)((const char *)object + rows[i].offset));
}

static void put_hyperv(GString *cpu, const HypervFeatures *hyperv)
{
	if (!g_strcmp0(hyperv->mode, "passthrough"))
		opt_put(cpu, "hv-passthrough", "on");
	put_switches(cpu, hyperv_rows, G_N_ELEMENTS(hyperv_rows), hyperv);
	if (hyperv->spinlocks == TRI_YES)
		g_string_append_printf(cpu, ",hv-spinlocks=0x%" G_GINT64_MODIFIER "x",
				       opt_uint_or(hyperv->spinlock_retries, 0x1fff));
	if (hyperv->vendor_id_state == TRI_YES)
		opt_put(cpu, "hv-vendor-id", hyperv->vendor_id);
}

static gboolean has_hyperv_panic(const Guest *guest)
{
	SHAPE_EACH (Panic, panic, guest->panics)
		if (!g_strcmp0(panic->model, "hyperv"))
			return TRUE;
	return FALSE;
}

/* What only KVM has; under emulation it is left out, with a note where the guest may miss it. */
static void put_kvm(Build *build, GString *cpu)
{
	const GuestFeatures *features = build->guest->features;
	if (!build->setup->kvm) {
		if (features && features->hyperv)
			notes_add(build->notes, "guest \"%s\": features/hyperv is left out, as "
				  "emulation (TCG) has none of it", build->guest->name);
		return;
	}
	if (features) {
		put_switches(cpu, kvm_rows, G_N_ELEMENTS(kvm_rows), features);
		if (features->kvm_hidden == TRI_YES)
			opt_put(cpu, "kvm", "off");
		if (features->hyperv)
			put_hyperv(cpu, features->hyperv);
	}
	if (has_hyperv_panic(build->guest))
		opt_put(cpu, "hv-crash", "on");
}

static void put_timers(Build *build, GString *cpu)
{
	SHAPE_EACH (Timer, timer, build->guest->clock ? build->guest->clock->timers : NULL) {
		if (!g_strcmp0(timer->name, "tsc") && timer->frequency.set)
			g_string_append_printf(cpu, ",tsc-frequency=%" G_GUINT64_FORMAT,
					       timer->frequency.v);
		if (!build->setup->kvm)
			continue;
		if (!g_strcmp0(timer->name, "kvmclock"))
			opt_put_switch(cpu, "kvmclock", timer->present);
		if (!g_strcmp0(timer->name, "hypervclock"))
			opt_put_switch(cpu, "hv-time", timer->present);
	}
}

static void put_cpu_features(GString *option, const Cpu *cpu)
{
	SHAPE_EACH (CpuFeature, feature, cpu->features) {
		if (!feature->name || g_strv_contains(not_in_qemu, feature->name))
			continue;
		gboolean off = !g_strcmp0(feature->policy, "disable") ||
			       !g_strcmp0(feature->policy, "forbid");
		opt_put(option, feature->name, off ? "off" : "on");
	}
}

static void put_cache(GString *option, const Cpu *cpu)
{
	if (!g_strcmp0(cpu->cache_mode, "emulate")) {
		opt_put(option, "l3-cache", "on");
	} else if (!g_strcmp0(cpu->cache_mode, "passthrough")) {
		opt_put(option, "host-cache-info", "on");
		opt_put(option, "l3-cache", "off");
	} else if (!g_strcmp0(cpu->cache_mode, "disable")) {
		opt_put(option, "host-cache-info", "off");
		opt_put(option, "l3-cache", "off");
	}
	if (!g_strcmp0(cpu->maxphysaddr_mode, "passthrough"))
		opt_put(option, "host-phys-bits", "on");
	else if (cpu->maxphysaddr_bits.set)
		g_string_append_printf(option, ",phys-bits=%" G_GUINT64_FORMAT,
				       cpu->maxphysaddr_bits.v);
}

/* The model's name for QEMU; static or the guest's. NULL on failure. */
static const char *cpu_model(Build *build, const Cpu *cpu, GError **error)
{
	const char *all = build->setup->kvm ? "host" : "max";
	const QemuCaps *caps = build->setup->caps;
	if (!cpu || (!cpu->model && (!cpu->mode || g_str_equal(cpu->mode, "custom"))))
		return g_strcmp0(build->guest->os.arch, "i686") ? "qemu64" : "qemu32";
	if (!g_strcmp0(cpu->mode, "maximum"))
		return "max";
	if (cpu->mode && !g_str_equal(cpu->mode, "custom"))
		return all;
	if (!caps || qemu_caps_cpu(caps, cpu->model, build->setup->kvm))
		return cpu->model;
	if (!g_strcmp0(cpu->fallback, "forbid")) {
		unsupported(build, error, "cpu/model: this QEMU (%s) does not know \"%s\"; use mode "
			    "host-model or allow a fallback", caps->binary, cpu->model);
		return NULL;
	}
	notes_add(build->notes, "guest \"%s\": CPU model \"%s\" is not known here: \"%s\" is used",
		  build->guest->name, cpu->model, all);
	return all;
}

gboolean build_cpu(Build *build, GError **error)
{
	const Cpu *cpu = build->guest->cpu;
	const GuestFeatures *features = build->guest->features;
	const char *model = cpu_model(build, cpu, error);
	if (!model)
		return FALSE;
	g_autoptr(GString) option = g_string_new(model);
	if (cpu) {
		if (g_str_equal(model, "host") || g_str_equal(model, "max"))
			opt_put_switch(option, "migratable", cpu->migratable);
		put_cpu_features(option, cpu);
		put_cache(option, cpu);
		opt_put(option, "vendor", cpu->vendor_id);
	}
	if (features)
		opt_put_switch(option, "pmu", features->pmu);
	put_timers(build, option);
	put_kvm(build, option);
	add_option(build, "-cpu", g_strdup(option->str));
	return TRUE;
}

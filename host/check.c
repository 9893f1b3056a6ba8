/* See check.h. To add a check: a function and its line in `all` below. */
#include "host/check.h"

#include <string.h>

#define GIB ((guint64)1 << 30)
#define MEMORY_LOW (2 * GIB)
#define DISK_LOW (10 * GIB)
#define QEMU_OLDEST 6 /* major version that knows JSON for -device */

const EnumTable host_statuses = ENUM_TABLE("status", "ok", "warning", "missing");

static const Row check_rows[] = {
	STRING(HostCheck, name, NULL, .doc = "Check"),
	ENUM(HostCheck, status, NULL, host_statuses, .doc = "Status"),
	STRING(HostCheck, found, NULL, .doc = "Found"),
	STRING(HostCheck, remedy, NULL, .doc = "What to do"),
};
const Shape host_check_shape = SHAPE("host-check", HostCheck, check_rows);

static const Row checks_rows[] = {
	LIST(HostChecks, checks, NULL, host_check_shape, .doc = "Checks"),
};
const Shape host_checks_shape = SHAPE("host-checks", HostChecks, checks_rows);

/* ---- ways to say it; each takes .found ---- */

static void good(HostCheck *check, char *found)
{
	check->status = HOST_OK;
	check->found = found;
}

static void bad(HostCheck *check, HostStatus status, char *found, const char *remedy)
{
	check->status = (int)status;
	check->found = found;
	check->remedy = g_strdup(remedy);
}

static char *size(OptUint bytes)
{
	if (!bytes.set)
		return g_strdup("unknown");
	return bytes.v < GIB ? g_strdup_printf("%" G_GUINT64_FORMAT " MiB", bytes.v >> 20)
			     : g_strdup_printf("%.1f GiB", (double)bytes.v / (double)GIB);
}

static char *words(const GPtrArray *names)
{
	g_autoptr(GString) text = g_string_new(NULL);
	SHAPE_EACH (char, name, names)
		g_string_append_printf(text, "%s%s", text->len ? ", " : "", name);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* ---- CPU and KVM ---- */

/* Other architectures have no flag for it. */
static gboolean has_flag(const HostFacts *facts)
{
	return facts->cpu_virtualization || g_strcmp0(facts->arch, "x86_64") != 0;
}

static void check_cpu(const HostFacts *facts, HostCheck *check)
{
	const char *model = facts->cpu_model ? facts->cpu_model : facts->arch;
	if (has_flag(facts)) {
		good(check, g_strdup_printf("%s (%s)", model,
					    facts->cpu_virtualization ? facts->cpu_virtualization
								      : facts->arch));
		return;
	}
	bad(check, HOST_MISSING, g_strdup_printf("%s, neither vmx nor svm", model),
	    facts->hypervisor
		    ? "this machine is a guest itself: switch nested virtualization on for it "
		      "where it runs (CPU mode host-passthrough); until then guests run in slow "
		      "emulation"
		    : "switch on Intel VT-x or AMD-V (SVM) in the BIOS or UEFI setup; until then "
		      "guests run in slow emulation");
}

static void check_modules(const HostFacts *facts, HostCheck *check)
{
	g_autofree char *names = words(facts->kvm_modules);
	if (strstr(names, "kvm_")) {
		good(check, g_steal_pointer(&names));
		return;
	}
	if (facts->kvm == TRI_YES) {
		good(check, g_strdup("built into the kernel"));
		return;
	}
	const char *remedy = g_strcmp0(facts->cpu_virtualization, "svm") == 0 ? "modprobe kvm_amd"
			     : facts->cpu_virtualization		      ? "modprobe kvm_intel"
									      : "see the CPU first";
	bad(check, HOST_MISSING, *names ? g_steal_pointer(&names) : g_strdup("not loaded"), remedy);
}

static void check_kvm(const HostFacts *facts, HostCheck *check)
{
	if (facts->kvm == TRI_YES) {
		good(check, g_strdup("/dev/kvm works"));
		return;
	}
	const char *why = facts->kvm_why_not ? facts->kvm_why_not : "not usable";
	const char *remedy = "chown root:kvm /dev/kvm; chmod 0660 /dev/kvm; for a person: adduser "
			     "NAME kvm, then log in anew";
	if (!has_flag(facts))
		remedy = "see the CPU first";
	else if (!shape_len(facts->kvm_modules))
		remedy = "see the KVM module first";
	bad(check, HOST_MISSING, g_strdup(why), remedy);
}

static void check_nested(const HostFacts *facts, HostCheck *check)
{
	if (facts->nested == TRI_YES)
		good(check, g_strdup("guests can be hosts themselves"));
	else if (facts->nested == TRI_NO)
		bad(check, HOST_WARNING, g_strdup("off: guests cannot be hosts themselves"),
		    g_strcmp0(facts->cpu_virtualization, "svm") == 0
			    ? "echo 'options kvm_amd nested=1' > /etc/modprobe.d/kvm.conf; load "
			      "kvm_amd anew"
			    : "echo 'options kvm_intel nested=1' > /etc/modprobe.d/kvm.conf; load "
			      "kvm_intel anew");
	else
		bad(check, HOST_WARNING, g_strdup("unknown: no KVM module is loaded"),
		    "see the KVM module first");
}

static void check_iommu(const HostFacts *facts, HostCheck *check)
{
	if (facts->iommu_groups.v) {
		good(check, g_strdup_printf("%" G_GUINT64_FORMAT " groups", facts->iommu_groups.v));
		return;
	}
	bad(check, HOST_WARNING, g_strdup("none: PCI devices cannot be passed through"),
	    "only for passthrough: switch on VT-d or AMD-Vi in the BIOS, add intel_iommu=on "
	    "(Intel) to GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub, reboot");
}

/* ---- memory and disk ---- */

static void check_memory(const HostFacts *facts, HostCheck *check)
{
	g_autofree char *total = size(facts->memory);
	g_autofree char *available = size(facts->memory_available);
	char *found = g_strdup_printf("%s, %s available, %u NUMA node(s)", total, available,
				      shape_len(facts->nodes));
	if (facts->memory_available.set && facts->memory_available.v < MEMORY_LOW)
		bad(check, HOST_WARNING, found, "stop what is not needed, or add memory");
	else
		good(check, found);
}

static void check_hugepages(const HostFacts *facts, HostCheck *check)
{
	g_autoptr(GString) text = g_string_new(NULL);
	SHAPE_EACH (HostPages, pages, facts->hugepages) {
		g_autofree char *each = size(pages->size);
		if (pages->total.v)
			g_string_append_printf(
				text, "%s%" G_GUINT64_FORMAT " of %s (%" G_GUINT64_FORMAT " free)",
				text->len ? ", " : "", pages->total.v, each, pages->free.v);
	}
	good(check, text->len ? g_string_free(g_steal_pointer(&text), FALSE)
			      : g_strdup("none set aside; sysctl vm.nr_hugepages=N does"));
}

static void check_disk(const HostFacts *facts, HostCheck *check)
{
	g_autofree char *free_text = size(facts->images_free);
	g_autofree char *total = size(facts->images_total);
	if (!facts->images) {
		bad(check, HOST_WARNING, g_strdup("the folder of images cannot be looked at"),
		    "see the daemon's log");
		return;
	}
	char *found = g_strdup_printf("%s free of %s in %s", free_text, total, facts->images);
	if (facts->images_free.v < DISK_LOW)
		bad(check, HOST_WARNING, found, "make room, or move the folder to a larger disk");
	else
		good(check, found);
}

/* ---- network and isolation ---- */

static void check_bridges(const HostFacts *facts, HostCheck *check)
{
	if (facts->tun != TRI_YES) {
		bad(check, HOST_WARNING,
		    g_strdup("/dev/net/tun cannot be opened: no bridged network"),
		    "modprobe tun; a person's daemon uses user-mode network");
		return;
	}
	good(check, facts->bridges
			    ? words(facts->bridges)
			    : g_strdup("none yet; guests use user-mode network until one is made"));
}

static void check_vhost(const HostFacts *facts, HostCheck *check)
{
	if (facts->vhost_net == TRI_YES)
		good(check, g_strdup("/dev/vhost-net works"));
	else
		bad(check, HOST_WARNING, g_strdup("not usable: bridged network is slower"),
		    "modprobe vhost_net");
}

static void check_nft(const HostFacts *facts, HostCheck *check)
{
	if (facts->nftables == TRI_YES)
		good(check, g_strdup("nft works"));
	else
		bad(check, HOST_WARNING, g_strdup("nft is missing or refused"),
		    "apt install nftables; it needs a daemon run by root");
}

static void check_cgroups(const HostFacts *facts, HostCheck *check)
{
	if (facts->cgroups == CGROUP_V1 || facts->cgroups == CGROUP_V2) {
		const char *list = facts->cgroup_controllers;
		good(check, g_strdup_printf("%s: %s", enum_name(&cgroup_kinds, facts->cgroups),
					    list && *list ? list : "no controllers"));
		return;
	}
	bad(check, HOST_WARNING,
	    g_strdup_printf("none: %s",
			    facts->cgroups_why_not ? facts->cgroups_why_not : "not looked at"),
	    "guests run without limits; run the daemon as root, with /sys/fs/cgroup writable");
}

/* ---- QEMU ---- */

static void check_qemu(const HostFacts *facts, HostCheck *check)
{
	if (!facts->qemu_version) {
		bad(check, HOST_MISSING,
		    facts->qemu ? g_strdup_printf("%s does not run", facts->qemu)
				: g_strdup("not found"),
		    "apt install qemu-system-x86 qemu-utils");
		return;
	}
	char *found = g_strdup_printf("%s, version %s", facts->qemu, facts->qemu_version);
	if (g_ascii_strtoull(facts->qemu_version, NULL, 10) < QEMU_OLDEST)
		bad(check, HOST_MISSING, found,
		    "version " G_STRINGIFY(QEMU_OLDEST) " or later is needed");
	else
		good(check, found);
}

static void check_machines(const HostFacts *facts, HostCheck *check)
{
	if (facts->machine_types.set)
		good(check,
		     g_strdup_printf("%" G_GUINT64_FORMAT " of QEMU", facts->machine_types.v));
	else
		bad(check, HOST_MISSING, g_strdup("none"), "see QEMU first");
}

static void check_firmware(const HostFacts *facts, HostCheck *check)
{
	if (facts->firmwares.v)
		good(check, g_strdup_printf("%" G_GUINT64_FORMAT " images", facts->firmwares.v));
	else
		bad(check, HOST_WARNING, g_strdup("none: guests boot by BIOS only"),
		    "apt install ovmf");
}

static void check_tpm(const HostFacts *facts, HostCheck *check)
{
	if (facts->swtpm == TRI_YES)
		good(check, g_strdup("swtpm is there"));
	else
		bad(check, HOST_WARNING, g_strdup("no swtpm: guests have no TPM"),
		    "apt install swtpm swtpm-tools");
}

static void check_user(const HostFacts *facts, HostCheck *check)
{
	if (!facts->user)
		bad(check, HOST_MISSING, g_strdup("the configured account does not exist"),
		    "adduser --system --group lodge-qemu");
	else if (g_str_equal(facts->user, "root"))
		bad(check, HOST_WARNING, g_strdup("root"), "adduser --system --group lodge-qemu");
	else if (g_str_equal(facts->user, "nobody"))
		bad(check, HOST_WARNING, g_strdup("nobody, which other services share"),
		    "adduser --system --group lodge-qemu");
	else
		good(check, g_strdup(facts->user));
}

static void check_security(const HostFacts *facts, HostCheck *check)
{
	good(check, g_strdup(facts->security ? facts->security : "none"));
}

/* ---- the table ---- */

static const struct {
	const char *name;
	void (*judge)(const HostFacts *facts, HostCheck *check);
} all[] = {
	{ "CPU", check_cpu },
	{ "KVM module", check_modules },
	{ "KVM", check_kvm },
	{ "Nested guests", check_nested },
	{ "IOMMU", check_iommu },
	{ "Memory", check_memory },
	{ "Huge pages", check_hugepages },
	{ "Disk space", check_disk },
	{ "Bridges", check_bridges },
	{ "vhost-net", check_vhost },
	{ "nftables", check_nft },
	{ "Control groups", check_cgroups },
	{ "QEMU", check_qemu },
	{ "Machine types", check_machines },
	{ "UEFI firmware", check_firmware },
	{ "TPM", check_tpm },
	{ "QEMU's account", check_user },
	{ "Security module", check_security },
};

void host_check(const HostFacts *facts, HostChecks *checks)
{
	for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
		HostCheck *check = shape_new(&host_check_shape);
		check->name = g_strdup(all[i].name);
		all[i].judge(facts, check);
		shape_append(&checks->checks, &host_check_shape, check);
	}
}

/* See cpu.h. Bits: Intel's manual, volume 2A, CPUID, and AMD's, volume 3, appendix E; MSRs: volume 4. Names
 * are libvirt's, as clients know them. */
#include "host/cpu.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>
#include <linux/kvm.h>

enum { EAX, EBX, ECX, EDX };

/* A leaf, a subleaf, a register, and the names of its bits from 0 on; "-": none. */
static const struct {
	guint32 leaf, subleaf;
	guint reg;
	const char *names;
} leaves[] = {
	{ 0x1, 0, EDX,
	  "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - "
	  "ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe" },
	{ 0x1, 0, ECX,
	  "pni pclmuldq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid "
	  "dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave osxsave avx f16c rdrand "
	  "hypervisor" },
	{ 0x6, 0, EAX,
	  "- - arat" },
	{ 0x7, 0, EBX,
	  "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cmt - mpx - avx512f "
	  "avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er "
	  "avx512cd sha-ni avx512bw avx512vl" },
	{ 0x7, 0, ECX,
	  "- avx512vbmi umip pku ospke waitpkg avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni "
	  "avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - "
	  "movdiri movdir64b - sgxlc pks" },
	{ 0x7, 0, EDX,
	  "- - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - "
	  "serialize - tsx-ldtrk - pconfig arch-lbr - - amx-bf16 avx512-fp16 amx-tile amx-int8 "
	  "spec-ctrl stibp - arch-capabilities core-capability ssbd" },
	{ 0x7, 1, EAX,
	  "- - - - avx-vnni avx512-bf16" },
	{ 0xd, 1, EAX,
	  "xsaveopt xsavec xgetbv1 xsaves xfd" },
	{ 0xf, 1, EDX,
	  "- mbm_total mbm_local" },
	{ 0x12, 0, EAX,
	  "sgx1 sgx2" },
	{ 0x12, 0, EBX,
	  "sgx-exinfo" },
	{ 0x12, 1, EAX,
	  "- sgx-debug sgx-mode64 - sgx-provisionkey sgx-tokenkey - sgx-kss" },
	{ 0x14, 0, ECX,
	  "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - intel-pt-lip" },
	{ 0x80000001, 0, EDX,
	  "- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr_opt pdpe1gb rdtscp - "
	  "lm 3dnowext 3dnow" },
	{ 0x80000001, 0, ECX,
	  "lahf_lm cmp_legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs "
	  "xop skinit wdt - lwp fma4 tce cvt16 nodeid_msr - tbm topoext perfctr_core perfctr_nb" },
	{ 0x80000007, 0, EDX,
	  "- - - - - - - - invtsc" },
	{ 0x80000008, 0, EBX,
	  "clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp - - - - - - - - amd- "
	  "ssbd virt-ssbd amd-no-ssb" },
	{ 0x8000000a, 0, EDX,
	  "npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists - - pause- "
	  "filter - pfthreshold avic - v-vmsave-vmload vgif - - - - - - - - - - - svme-addr-chk" },
};

/* MSRs that tell what a processor can do. */
static const struct {
	guint32 index;
	const char *names;
} msrs[] = {
	{ 0x10a,
	  "rdctl-no ibrs-all rsba skip-l1dfl-vmentry ssb-no mds-no pschange-mc-no tsx-ctrl taa-no" },
	{ 0xcf,
	  "- - - - - split-lock-detect" },
};

static void add(GHashTable *features, const char *names, guint32 bits)
{
	g_auto(GStrv) words = g_strsplit(names, " ", 32);
	for (guint i = 0; words[i]; i++)
		if (bits >> i & 1 && !g_str_equal(words[i], "-"))
			g_hash_table_add(features, g_strdup(words[i]));
}

/* FALSE where the processor has no such leaf; one that asks beyond the last gets the last one's answer. */
static gboolean leaf(guint32 number, guint32 sub, guint32 regs[4])
{
	guint32 last = __get_cpuid_max(number & 0x80000000, NULL);
	if (last < number)
		return FALSE;
	__cpuid_count(number, sub, regs[EAX], regs[EBX], regs[ECX], regs[EDX]);
	return TRUE;
}

static void read_features(HostCpu *cpu)
{
	guint32 regs[4];
	for (guint i = 0; i < G_N_ELEMENTS(leaves); i++)
		if (leaf(leaves[i].leaf, leaves[i].subleaf, regs))
			add(cpu->features, leaves[i].names, regs[leaves[i].reg]);
}

/* The kernel tells those MSRs to whoever may use KVM. */
static void read_msrs(HostCpu *cpu)
{
	autofd int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	for (guint i = 0; i < G_N_ELEMENTS(msrs) && kvm >= 0; i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} ask = { .head.nmsrs = 1, .entry.index = msrs[i].index };
		if (ioctl(kvm, KVM_GET_MSRS, &ask) == 1)
			add(cpu->features, msrs[i].names, (guint32)ask.entry.data);
	}
}

static void read_identity(HostCpu *cpu)
{
	static const struct {
		const char *id, *name;
	} vendors[] = { { "GenuineIntel", "Intel" }, { "AuthenticAMD", "AMD" }, { "HygonGenuine", "Hygon" } };
	guint32 regs[4] = { 0 };
	char id[13] = "";
	leaf(0, 0, regs);
	memcpy(id, &regs[EBX], 4);
	memcpy(id + 4, &regs[EDX], 4);
	memcpy(id + 8, &regs[ECX], 4);
	for (guint i = 0; i < G_N_ELEMENTS(vendors); i++)
		if (g_str_equal(vendors[i].id, id))
			cpu->vendor = vendors[i].name;
	leaf(1, 0, regs);
	guint family = regs[EAX] >> 8 & 0xf, model = regs[EAX] >> 4 & 0xf;
	cpu->stepping = regs[EAX] & 0xf;
	cpu->family = family == 0xf ? family + (regs[EAX] >> 20 & 0xff) : family;
	cpu->model = family == 6 || family == 0xf ? model + (regs[EAX] >> 12 & 0xf0) : model;
	if (leaf(0x80000008, 0, regs))
		cpu->address_bits = regs[EAX] & 0xff;
}

/* "microcode : 0x1" of the first processor. */
static void read_microcode(HostCpu *cpu)
{
	static const char word[] = "\nmicrocode";
	char text[4096];
	autofd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[MAX(n, 0)] = '\0';
	const char *at = strstr(text, word), *colon = at ? strchr(at, ':') : NULL;
	cpu->microcode = colon ? (guint)g_ascii_strtoull(colon + 1, NULL, 0) : 0;
}

/* A virtual processor tells the rate of the counter that guests see. */
static void read_counter(HostCpu *cpu)
{
	autofd int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	autofd int machine = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	autofd int processor = machine < 0 ? -1 : ioctl(machine, KVM_CREATE_VCPU, 0);
	int khz = processor < 0 || ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_GET_TSC_KHZ) <= 0 ? 0 :
			  ioctl(processor, KVM_GET_TSC_KHZ, 0);
	if (khz <= 0)
		return;
	cpu->tsc_hz = (guint64)khz * 1000;
	cpu->tsc_scaling = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0;
}

HostCpu *host_cpu(void)
{
	HostCpu *cpu = g_new0(HostCpu, 1);
	cpu->features = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	read_identity(cpu);
	read_features(cpu);
	read_msrs(cpu);
	read_microcode(cpu);
	read_counter(cpu);
	return cpu;
}

#else

HostCpu *host_cpu(void)
{
	return NULL;
}

#endif

void host_cpu_free(HostCpu *cpu)
{
	if (cpu)
		g_hash_table_unref(cpu->features);
	g_free(cpu);
}

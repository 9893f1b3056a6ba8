/* See adapt.h. */
#include "engine/qemu/adapt.h"
#include "base/error.h"
#include "host/facts.h"
#include "model/alias.h"
#include "model/assign.h"
#include "model/defaults.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- type and architecture ---- */

static gboolean check_type(const Guest *guest, GError **error)
{
	if (guest->type != GUEST_KVM && guest->type != GUEST_QEMU)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": type \"%s\" is not run here: use type \"kvm\", or \"qemu\" "
			    "for emulation", guest->name, enum_name(&guest_types, guest->type));
	if (guest->os.type && !g_str_equal(guest->os.type, "hvm"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": os/type \"%s\" is not run here: use \"hvm\"", guest->name,
			    guest->os.type);
	return TRUE;
}

/* Debian's package of the emulator for an architecture. */
static const struct {
	const char *arch, *package;
} packages[] = {
	{ "x86_64", "qemu-system-x86" }, { "i686", "qemu-system-x86" },
	{ "aarch64", "qemu-system-arm" }, { "armv7l", "qemu-system-arm" },
	{ "armv6l", "qemu-system-arm" },  { "ppc", "qemu-system-ppc" },
	{ "ppc64", "qemu-system-ppc" },	  { "ppc64le", "qemu-system-ppc" },
	{ "mips", "qemu-system-mips" },	  { "mips64", "qemu-system-mips" },
	{ "mips64el", "qemu-system-mips" }, { "mipsel", "qemu-system-mips" },
	{ "sparc", "qemu-system-sparc" }, { "sparc64", "qemu-system-sparc" },
};

static gboolean check_arch(const Guest *guest, const char *emulator, const char *has, GError **error)
{
	const char *arch = guest->os.arch ? guest->os.arch : "x86_64";
	gboolean x86 = g_str_equal(arch, "x86_64") || g_str_equal(arch, "i686");
	if (x86 && (g_str_equal(has, "x86_64") || g_str_equal(has, "i386")))
		return TRUE;
	if (g_str_equal(arch, has))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": guests of architecture %s cannot be run yet: only x86_64 "
			    "and i686", guest->name, arch);
	const char *package = "qemu-system-misc";
	for (guint i = 0; i < G_N_ELEMENTS(packages); i++)
		if (g_str_equal(arch, packages[i].arch))
			package = packages[i].package;
	return fail(error, LODGE_ERROR_UNSUPPORTED,
		    "guest \"%s\": %s runs architecture %s, not %s: that needs package %s",
		    guest->name, emulator, has, arch, package);
}

/* ---- emulator ---- */

static gboolean is_there(const char *emulator)
{
	return g_path_is_absolute(emulator) && g_file_test(emulator, G_FILE_TEST_IS_REGULAR) &&
	       access(emulator, X_OK) == 0;
}

/* Debian's /usr/bin/kvm is a script that forces KVM, which is decided at start here. */
static gboolean is_kvm_script(const char *emulator)
{
	g_autofree char *name = g_path_get_basename(emulator);
	return g_str_equal(name, "kvm");
}

static gboolean adapt_emulator(Guest *guest, const EngineConfig *config, Notes *notes,
			       GError **error)
{
	if (guest->emulator && is_there(guest->emulator) && !is_kvm_script(guest->emulator))
		return TRUE;
	g_autofree char *own = host_find_qemu(config->qemu);
	if (!own)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": this host has no QEMU: install package qemu-system-x86",
			    guest->name);
	if (guest->emulator && !g_str_equal(guest->emulator, own))
		notes_add(notes, "guest \"%s\": emulator %s %s: %s is used", guest->name,
			  guest->emulator,
			  is_there(guest->emulator) ? "only starts another program"
						    : "is not on this host", own);
	g_free(guest->emulator);
	guest->emulator = g_steal_pointer(&own);
	return TRUE;
}

/* ---- machine type ---- */

/* "pc-i440fx-2.9" with @prefix "pc-i440fx-" is 2009; 0 where no version follows. */
static guint machine_version(const char *name, const char *prefix)
{
	guint major = 0, minor = 0;
	if (!g_str_has_prefix(name, prefix) ||
	    sscanf(name + strlen(prefix), "%4u.%3u", &major, &minor) < 1)
		return 0;
	return major * 1000 + minor;
}

/* The machine of the family that is nearest to @wanted and not older, else the newest. */
static const QemuMachine *nearest_machine(const QemuCaps *caps, const char *wanted,
					  const char *prefix, const char *alias)
{
	const QemuMachine *best = NULL;
	guint version = machine_version(wanted, prefix), best_version = G_MAXUINT;
	for (guint i = 0; version && i < shape_len(caps->machines); i++) {
		const QemuMachine *m = g_ptr_array_index(caps->machines, i);
		guint v = machine_version(m->name, prefix);
		if (v >= version && v < best_version) {
			best = m;
			best_version = v;
		}
	}
	return best ? best : qemu_caps_machine(caps, alias);
}

/* How families of machines are told in the names of other distributions; the first that is found in
 * the name counts. */
static const struct {
	const char *part, *prefix, *alias;
} families[] = {
	{ "q35", "pc-q35-", "q35" },	 { "i440fx", "pc-i440fx-", "pc" },
	{ "pc", "pc-i440fx-", "pc" },	 { "rhel6", "pc-i440fx-", "pc" },
	{ "ubuntu", "pc-i440fx-", "pc" }, { "microvm", "microvm", "microvm" },
};

static gboolean adapt_machine(Guest *guest, const QemuCaps *caps, Notes *notes, GError **error)
{
	const char *wanted = guest->os.machine;
	const QemuMachine *m = qemu_caps_machine(caps, wanted);
	for (guint i = 0; !m && wanted && i < G_N_ELEMENTS(families); i++)
		if (strstr(wanted, families[i].part))
			m = nearest_machine(caps, wanted, families[i].prefix, families[i].alias);
	if (!m)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": machine type \"%s\" is not known to %s: use q35 or pc",
			    guest->name, wanted ? wanted : "", caps->binary);
	if (wanted && !g_str_equal(wanted, m->name) && g_strcmp0(wanted, m->alias))
		notes_add(notes, "guest \"%s\": machine type %s is not known to this host's QEMU: %s "
			  "is used", guest->name, wanted, m->name);
	char *name = g_strdup(m->name);
	g_free(guest->os.machine);
	guest->os.machine = name;
	return TRUE;
}

/* ---- CPU ---- */

/* Models of a maker, newest first: what an older one has, a newer one has too. */
static const char *const intel[] = { "Sapphirerapids", "Icelake-Server", "Cooperlake",
				     "Cascadelake-Server", "Icelake-Client", "Skylake-Server",
				     "Skylake-Client", "Broadwell", "Haswell", "IvyBridge",
				     "SandyBridge", "Westmere", "Nehalem", "Penryn", "Conroe",
				     NULL };
static const char *const amd[] = { "EPYC-Genoa", "EPYC-Milan", "EPYC-Rome", "EPYC", "Opteron_G5",
				   "Opteron_G4", "Opteron_G3", "Opteron_G2", "Opteron_G1", NULL };
static const char *const *const makers[] = { intel, amd };
static const char *const variants[] = { "-noTSX-IBRS", "-noTSX", "-IBRS", "-IBPB", "" };

static gboolean is_good(const QemuCaps *caps, const char *model, gboolean kvm)
{
	const QemuCpu *cpu = qemu_caps_cpu(caps, model, kvm);
	return cpu && (!kvm || cpu->usable);
}

/* Where @model stands in the line of its maker; the longest name counts, so that "EPYC-Rome" is not
 * taken for an "EPYC". NULL where it is unknown. */
static const char *const *find_generation(const char *model)
{
	const char *const *best = NULL;
	for (guint i = 0; i < G_N_ELEMENTS(makers); i++)
		for (const char *const *at = makers[i]; *at; at++)
			if (g_str_has_prefix(model, *at) &&
			    (!best || strlen(*at) > strlen(*best)))
				best = at;
	return best;
}

/* The best model that is not newer than @model and that this host can run; the caller frees it. */
static char *nearest_cpu(const QemuCaps *caps, const char *model, gboolean kvm)
{
	const char *const *at = find_generation(model);
	for (; at && *at; at++)
		for (guint i = 0; i < G_N_ELEMENTS(variants); i++) {
			g_autofree char *name = g_strconcat(*at, variants[i], NULL);
			if (!g_str_equal(name, model) && is_good(caps, name, kvm))
				return g_steal_pointer(&name);
		}
	return NULL;
}

static void take_host_model(Cpu *cpu)
{
	char **const texts[] = { &cpu->mode, &cpu->match, &cpu->check, &cpu->model, &cpu->fallback };
	for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
		g_clear_pointer(texts[i], g_free);
	cpu->mode = g_strdup("host-model");
	cpu->check = g_strdup("partial");
}

static char *why_not(const QemuCpu *cpu)
{
	if (!cpu)
		return g_strdup("is not known to this host's QEMU");
	g_autofree char *missing = cpu->missing ? g_strjoinv(", ", cpu->missing) : NULL;
	return g_strdup_printf("needs what this host's CPU lacks (%s)",
			       missing && *missing ? missing : "not said");
}

static gboolean adapt_cpu(Guest *guest, const QemuCaps *caps, Notes *notes, GError **error)
{
	Cpu *cpu = guest->cpu;
	gboolean kvm = guest->type == GUEST_KVM && caps->kvm && shape_len(caps->cpus_kvm);
	if (!cpu || !cpu->model || g_strcmp0(cpu->mode, "custom"))
		return TRUE;
	const QemuCpu *known = qemu_caps_cpu(caps, cpu->model, kvm);
	if (known && (!g_strcmp0(cpu->check, "none") || is_good(caps, cpu->model, kvm)))
		return TRUE;
	g_autofree char *why = why_not(known);
	if (!g_strcmp0(cpu->fallback, "forbid"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "CPU model %s %s, and fallback=\"forbid\" allows no other", cpu->model,
			    why);
	char *other = nearest_cpu(caps, cpu->model, kvm);
	notes_add(notes, "guest \"%s\": CPU model %s %s: %s is used", guest->name, cpu->model, why,
		  other ? other : kvm ? "host-model" : "qemu64");
	if (!other && kvm) {
		take_host_model(cpu);
		return TRUE;
	}
	g_free(cpu->model);
	cpu->model = other ? other : g_strdup("qemu64");
	return TRUE;
}

/* ---- all of it ---- */

gboolean qemu_complete_with(Guest *guest, const QemuCaps *caps, Notes *notes, GError **error)
{
	if (!check_type(guest, error) || !check_arch(guest, caps->binary, caps->arch, error))
		return FALSE;
	guest_drop_live(guest);
	fill_text(&guest->emulator, caps->binary);
	if (!adapt_machine(guest, caps, notes, error))
		return FALSE;
	/* defaults depend on the machine, and the CPU's check on its default */
	g_autoptr(GError) why = NULL;
	if (guest_fill_defaults(guest, notes, &why) && adapt_cpu(guest, caps, notes, &why) &&
	    guest_assign_addresses(guest, &why) && qemu_check(guest, caps, &why))
		return TRUE;
	g_prefix_error(&why, "guest \"%s\": ", guest->name);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean qemu_complete(Guest *guest, const EngineConfig *config, Notes *notes, GError **error)
{
	if (!check_type(guest, error) || !adapt_emulator(guest, config, notes, error))
		return FALSE;
	const QemuCaps *caps = qemu_caps_get(guest->emulator, config->paths->lib, error);
	return caps && qemu_complete_with(guest, caps, notes, error);
}

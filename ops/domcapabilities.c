/* What a guest can have with an emulator and a type of machine, as libvirt's <domainCapabilities>. Facts are
 * the binary's and the host's firmware descriptors; names of elements and values libvirt's.
 * Neighbours: capabilities.c tells of the host. */
#include "core/core.h"
#include "ops/cpus.h"
#include "ops/document.h"
#include "ops/families.h"

#include <fnmatch.h>
#include <string.h>

typedef struct DomArgs {
	ShapeHead head;
	char *virttype, *emulatorbin, *arch, *machine;
} DomArgs;

static const Row dom_rows[] = {
	STRING(DomArgs, virttype, NULL, .doc = "kvm or qemu"),
	STRING(DomArgs, emulatorbin, NULL, .doc = "path of the emulator"),
	STRING(DomArgs, arch, NULL, .doc = "architecture of the guest"),
	STRING(DomArgs, machine, NULL, .doc = "machine type of the guest"),
};
static const Shape dom_args = SHAPE("domcapabilities-args", DomArgs, dom_rows);

/* A value (NULL: none) that an attribute may have where QEMU has the type @needs (NULL: always), and
 * with machines of the pattern @machines (NULL: all). Rows of one device and of one enum stand together. */
typedef struct Choice {
	const char *device, *name, *value, *needs, *machines;
} Choice;

static const char i440fx[] = "pc-i440fx-*"; /* the only one with IDE */

static const Choice choices[] = {
	{ "disk", "diskDevice", "disk", NULL },
	{ "disk", "diskDevice", "cdrom", NULL },
	{ "disk", "diskDevice", "floppy", "floppy" },
	{ "disk", "diskDevice", "lun", "scsi-block" },
	{ "disk", "bus", "ide", "ide-hd", i440fx },
	{ "disk", "bus", "fdc", "floppy" },
	{ "disk", "bus", "scsi", "scsi-hd" },
	{ "disk", "bus", "virtio", "virtio-blk-pci" },
	{ "disk", "bus", "usb", "usb-storage" },
	{ "disk", "bus", "sata", "ich9-ahci" },
	{ "disk", "model", "virtio", "virtio-blk-pci" },
	{ "disk", "model", "virtio-transitional", "virtio-blk-pci-transitional" },
	{ "disk", "model", "virtio-non-transitional", "virtio-blk-pci-non-transitional" },
	{ "graphics", "type", "vnc", NULL },
	{ "graphics", "type", "spice", "qxl" },
	{ "graphics", "type", "egl-headless", NULL },
	{ "video", "modelType", "vga", "VGA" },
	{ "video", "modelType", "cirrus", "cirrus-vga" },
	{ "video", "modelType", "vmvga", "vmware-svga" },
	{ "video", "modelType", "qxl", "qxl-vga" },
	{ "video", "modelType", "virtio", "virtio-gpu-pci" },
	{ "video", "modelType", "none", NULL },
	{ "video", "modelType", "bochs", "bochs-display" },
	{ "video", "modelType", "ramfb", "ramfb" },
	{ "hostdev", "mode", "subsystem", NULL },
	{ "hostdev", "startupPolicy", "default", NULL },
	{ "hostdev", "startupPolicy", "mandatory", NULL },
	{ "hostdev", "startupPolicy", "requisite", NULL },
	{ "hostdev", "startupPolicy", "optional", NULL },
	{ "hostdev", "subsysType", "usb", "usb-host" },
	{ "hostdev", "subsysType", "pci", "vfio-pci" },
	{ "hostdev", "subsysType", "scsi", "scsi-generic" },
	{ "hostdev", "capsType", NULL, NULL },
	{ "hostdev", "pciBackend", NULL, NULL },
	{ "rng", "model", "virtio", "virtio-rng-pci" },
	{ "rng", "model", "virtio-transitional", "virtio-rng-pci-transitional" },
	{ "rng", "model", "virtio-non-transitional", "virtio-rng-pci-non-transitional" },
	{ "rng", "backendModel", "random", "rng-random" },
	{ "rng", "backendModel", "egd", "rng-egd" },
	{ "rng", "backendModel", "builtin", "rng-builtin" },
	{ "filesystem", "driverType", "path", "virtio-9p-pci" },
	{ "filesystem", "driverType", "handle", "virtio-9p-pci" },
	{ "filesystem", "driverType", "virtiofs", "vhost-user-fs-pci" },
	{ "tpm", "model", "tpm-tis", "tpm-tis" },
	{ "tpm", "model", "tpm-crb", "tpm-crb" },
	{ "tpm", "backendModel", "passthrough", "tpm-tis" },
	{ "tpm", "backendModel", "emulator", "tpm-crb" },
	{ "tpm", "backendVersion", "1.2", "tpm-tis" },
	{ "tpm", "backendVersion", "2.0", "tpm-crb" },
	{ "redirdev", "bus", "usb", "usb-redir" },
	{ "channel", "type", "pty", NULL },
	{ "channel", "type", "unix", NULL },
	{ "channel", "type", "spicevmc", "qxl" },
};

static gboolean is_there(const Choice *choice, const EngineCaps *caps, const EngineMachine *machine)
{
	return choice->value && (!choice->needs || engine_caps_has(caps, choice->needs)) &&
	       (!choice->machines || fnmatch(choice->machines, machine->name, 0) == 0);
}

/* Whether row @i opens a run of the same device, or with @name of the same enum. */
static gboolean opens(guint i, gboolean name)
{
	return i == 0 || !g_str_equal(choices[i - 1].device, choices[i].device) ||
	       (name && !g_str_equal(choices[i - 1].name, choices[i].name));
}

static void put_devices(GString *out, const EngineCaps *caps, const EngineMachine *machine)
{
	g_string_append(out, "  <devices>\n");
	for (guint i = 0; i < G_N_ELEMENTS(choices); i++) {
		gboolean last = i + 1 == G_N_ELEMENTS(choices);
		if (opens(i, FALSE))
			put(out, "    <%s supported='yes'>\n", choices[i].device);
		gboolean single = opens(i, TRUE) && (last || opens(i + 1, TRUE));
		if (single && !is_there(&choices[i], caps, machine)) {
			put(out, "      <enum name='%s'/>\n", choices[i].name);
		} else if (opens(i, TRUE)) {
			put(out, "      <enum name='%s'>\n", choices[i].name);
		}
		if (is_there(&choices[i], caps, machine))
			put(out, "        <value>%s</value>\n", choices[i].value);
		if ((last || opens(i + 1, TRUE)) && (!single || is_there(&choices[i], caps, machine)))
			g_string_append(out, "      </enum>\n");
		if (last || opens(i + 1, FALSE))
			put(out, "    </%s>\n", choices[i].device);
	}
	g_string_append(out, "  </devices>\n");
}

/* What mode='host-model' gives: the nearest model and what it lacks. */
static void put_host_model(GString *out, const EngineCpuModels *models)
{
	const EngineCpuModel *host = models ? g_ptr_array_index(models->models, 0) : NULL;
	const EngineCpuModel *model = models ? cpu_closest(models) : NULL;
	if (!model) {
		g_string_append(out, "    <mode name='host-model' supported='no'/>\n");
		return;
	}
	put(out, "    <mode name='host-model' supported='yes'>\n      <model fallback='forbid'>%s</model>\n",
	    model->name);
	if (models->vendor)
		put(out, "      <vendor>%s</vendor>\n", models->vendor);
	cpu_put_features(out, host->features, model->features, "      ");
	g_string_append(out, "    </mode>\n");
}

/* Who made processors of that name, by how it begins; libvirt's src/cpu_map has the same. */
static const char *vendor_of(const char *model)
{
	static const char *const intel[] = { "Broadwell", "Cascadelake", "Conroe", "Cooperlake", "Denverton",
					     "Haswell", "Icelake", "IvyBridge", "KnightsMill", "Nehalem",
					     "Penryn", "SandyBridge", "SapphireRapids", "Skylake",
					     "Snowridge", "Westmere", "core2duo", "coreduo", "n270" };
	static const char *const amd[] = { "EPYC", "Opteron", "athlon", "phenom" };
	for (guint i = 0; i < G_N_ELEMENTS(intel); i++)
		if (g_str_has_prefix(model, intel[i]))
			return "Intel";
	for (guint i = 0; i < G_N_ELEMENTS(amd); i++)
		if (g_str_has_prefix(model, amd[i]))
			return "AMD";
	return g_str_has_prefix(model, "Dhyana") ? "Hygon" : "unknown";
}

static void put_models(GString *out, const EngineCaps *caps, const EngineCpuModels *models, gboolean kvm)
{
	g_string_append(out, "  <cpu>\n");
	if (kvm)
		g_string_append(out, "    <mode name='host-passthrough' supported='yes'>\n"
				     "      <enum name='hostPassthroughMigratable'>\n"
				     "        <value>on</value>\n        <value>off</value>\n"
				     "      </enum>\n    </mode>\n");
	else
		g_string_append(out, "    <mode name='host-passthrough' supported='no'/>\n");
	g_string_append(out, "    <mode name='maximum' supported='yes'>\n"
			     "      <enum name='maximumMigratable'>\n        <value>on</value>\n"
			     "        <value>off</value>\n      </enum>\n    </mode>\n");
	put_host_model(out, models);
	g_string_append(out, "    <mode name='custom' supported='yes'>\n");
	SHAPE_EACH (EngineCpu, cpu, caps->cpus)
		put(out, "      <model usable='%s' vendor='%s'>%s</model>\n",
		    cpu->usable == TRI_YES ? "yes" : "no", vendor_of(cpu->name), cpu->name);
	g_string_append(out, "    </mode>\n  </cpu>\n");
}

static gboolean firmware_fits(const EngineFirmware *firmware, const EngineMachine *machine)
{
	for (guint i = 0; i < shape_len(firmware->machines); i++)
		if (fnmatch(g_ptr_array_index(firmware->machines, i), machine->name, 0) == 0)
			return TRUE;
	return FALSE;
}

/* An enum of those of @values (NULL at the end) of which @there has the bit. */
static void put_enum(GString *out, const char *indent, const char *name, const char *const *values,
		     guint there)
{
	if (!there) {
		put(out, "%s<enum name='%s'/>\n", indent, name);
		return;
	}
	put(out, "%s<enum name='%s'>\n", indent, name);
	for (guint i = 0; values[i]; i++)
		if (there & 1u << i)
			put(out, "%s  <value>%s</value>\n", indent, values[i]);
	put(out, "%s</enum>\n", indent);
}

static void put_os(GString *out, const EngineCaps *caps, const EngineMachine *machine)
{
	static const char *const kinds[] = { "bios", "efi", NULL }, *const types[] = { "rom", "pflash",
										      NULL },
				 *const yes_no[] = { "yes", "no", NULL };
	g_autoptr(GString) loaders = g_string_new(NULL);
	guint kind = 0, secure = 2;
	SHAPE_EACH (EngineFirmware, firmware, caps->firmwares) {
		if (!firmware_fits(firmware, machine))
			continue;
		kind |= g_str_equal(firmware->type, "efi") ? 2 : 1;
		secure |= firmware->secure == TRI_YES;
		put(loaders, "      <value>%s</value>\n", firmware->loader);
	}
	g_string_append(out, "  <iothreads supported='yes'/>\n  <os supported='yes'>\n");
	put_enum(out, "    ", "firmware", kinds, kind);
	g_string_append(out, "    <loader supported='yes'>\n");
	g_string_append(out, loaders->str);
	put_enum(out, "      ", "type", types, 3);
	put_enum(out, "      ", "readonly", yes_no, 3);
	put_enum(out, "      ", "secure", yes_no, secure);
	g_string_append(out, "    </loader>\n  </os>\n");
}

/* The machine type of this name or alias, or the usual one. */
static const EngineMachine *find_machine(const EngineCaps *caps, const char *name)
{
	SHAPE_EACH (EngineMachine, machine, caps->machines)
		if (name ? g_str_equal(machine->name, name) || !g_strcmp0(machine->alias, name)
			 : machine->is_default == TRI_YES)
			return machine;
	return NULL;
}

static gboolean choose(const DomArgs *args, const EngineCaps *caps, const EngineMachine **machine,
		       gboolean *kvm, GError **error)
{
	gboolean small = g_str_equal(caps->arch, "x86_64") && !g_strcmp0(args->arch, "i686"); /* that, too */
	if (args->arch && !g_str_equal(args->arch, caps->arch) && !small)
		return fail(error, LODGE_ERROR_INVALID, "%s is for %s, not for %s", caps->emulator,
			    caps->arch, args->arch);
	if (args->virttype && !g_str_equal(args->virttype, "kvm") && !g_str_equal(args->virttype, "qemu"))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not kvm or qemu", args->virttype);
	*kvm = args->virttype ? g_str_equal(args->virttype, "kvm") : caps->kvm == TRI_YES;
	*machine = find_machine(caps, args->machine);
	if (!*machine)
		return fail(error, LODGE_ERROR_INVALID, "%s has no machine type \"%s\"", caps->emulator,
			    args->machine ? args->machine : "");
	return TRUE;
}

/* What QEMU does by itself, and with KVM what the kernel's Hyper-V interface has since Linux 5.0. */
static void put_hyperv(GString *out, gboolean kvm)
{
	static const char *const features[] = { "spinlocks", "vendor_id", "relaxed", "vapic", "vpindex",
						"runtime", "synic", "stimer", "reset", "frequencies",
						"tlbflush", "ipi", NULL };
	g_string_append(out, "    <hyperv supported='yes'>\n");
	put_enum(out, "      ", "features", features, kvm ? G_MAXUINT : 3);
	g_string_append(out, "    </hyperv>\n");
}

static void put_sev(GString *out, const EngineSev *sev)
{
	if (!sev) {
		g_string_append(out, "    <sev supported='no'/>\n");
		return;
	}
	put(out, "    <sev supported='yes'>\n      <cbitpos>%u</cbitpos>\n      <reducedPhysBits>%u"
	    "</reducedPhysBits>\n      <maxGuests>%u</maxGuests>\n      <maxESGuests>%u</maxESGuests>\n",
	    (guint)sev->cbitpos.v, (guint)sev->reduced_phys_bits.v, (guint)sev->max_guests.v,
	    (guint)sev->max_es_guests.v);
	if (sev->cpu0_id)
		put(out, "      <cpu0Id>%s</cpu0Id>\n", sev->cpu0_id);
	g_string_append(out, "    </sev>\n");
}

static char *document(const EngineCaps *caps, const char *arch, const EngineMachine *machine,
		      const EngineCpuModels *models, gboolean kvm)
{
	GString *out = g_string_new("<domainCapabilities>\n");
	put(out, "  <path>%s</path>\n  <domain>%s</domain>\n", caps->emulator, kvm ? "kvm" : "qemu");
	put(out, "  <machine>%s</machine>\n  <arch>%s</arch>\n", machine->name, arch);
	put(out, "  <vcpu max='%" G_GUINT64_FORMAT "'/>\n", opt_uint_or(machine->max_vcpus, 1));
	put_os(out, caps, machine);
	put_models(out, caps, models, kvm);
	g_string_append(out, "  <memoryBacking supported='yes'>\n    <enum name='sourceType'>\n"
			     "      <value>file</value>\n      <value>anonymous</value>\n"
			     "      <value>memfd</value>\n    </enum>\n  </memoryBacking>\n");
	put_devices(out, caps, machine);
	put(out, "  <features>\n    <gic supported='no'/>\n    <vmcoreinfo supported='%s'/>\n"
	    "    <genid supported='%s'/>\n    <backingStoreInput supported='yes'/>\n"
	    "    <backup supported='no'/>\n",
	    engine_caps_has(caps, "vmcoreinfo") ? "yes" : "no",
	    engine_caps_has(caps, "vmgenid") ? "yes" : "no");
	put_sev(out, caps->sev);
	g_string_append(out, "    <sgx supported='no'/>\n");
	put_hyperv(out, kvm);
	g_string_append(out, "  </features>\n</domainCapabilities>\n");
	return g_string_free(out, FALSE);
}

static gboolean domcapabilities(OpCall *call, GError **error)
{
	const DomArgs *args = call->args;
	const EngineMachine *machine = NULL;
	gboolean kvm = FALSE;
	EngineCaps caps = { 0 };
	gboolean ok = core_describe(call->core, args->emulatorbin, &caps, error) &&
		      choose(args, &caps, &machine, &kvm, error);
	if (ok)
		((DocumentText *)call->result)->text = document(
			&caps, args->arch ? args->arch : caps.arch, machine,
			core_cpus(call->core, args->emulatorbin, kvm, NULL), kvm);
	shape_clear(&engine_caps_shape, &caps);
	return ok;
}

static const Op ops[] = {
	/* not for readers: it runs the emulator that it is given */
	{ .name = "domcapabilities", .family = "Host", .method = "GET",
	  .lane = OP_BESIDE, .perm = OP_PERM_SECRET,
	  .route = "/v1/host/domcapabilities", .args = &dom_args, .result = &document_text_shape,
		  .show = OP_SHOW_TEXT,
	  .doc = "Show what a guest can have, as libvirt's document", .fn = domcapabilities },
};

const OpFamily op_family_domcapabilities = { ops, G_N_ELEMENTS(ops) };

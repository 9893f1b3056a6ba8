/* Verbs that tell what this host and its QEMU can do, in libvirt's documents: installers and managers
 * choose by them. Facts are the host's and the binary's; names of elements and values libvirt's. */
#include "core/core.h"
#include "host/node.h"
#include "ops/cpus.h"
#include "ops/families.h"

#include <string.h>
#include <sys/utsname.h>

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("document", Text, text_rows);

#define put(out, ...)                                                                              \
	G_STMT_START                                                                               \
	{                                                                                          \
		g_autofree char *put_line = g_markup_printf_escaped(__VA_ARGS__);                  \
		g_string_append(out, put_line);                                                    \
	}                                                                                          \
	G_STMT_END

static gboolean describe(OpCall *call, const char *emulator, EngineCaps *caps, GError **error)
{
	return core_describe(call->core, emulator, caps, error);
}

/* ---- capabilities: the host ---- */

/* The machine's own name: /etc/machine-id, in the form of a UUID. */
static char *host_uuid(void)
{
	g_autofree char *id = NULL;
	if (!g_file_get_contents("/etc/machine-id", &id, NULL, NULL) || strlen(g_strstrip(id)) != 32)
		return NULL;
	return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
}

static guint distinct(const GPtrArray *cpus, gboolean cores)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < cpus->len; i++) {
		const NodeCpu *cpu = g_ptr_array_index(cpus, i);
		guint key = cores ? cpu->socket << 20 | cpu->die << 12 | cpu->core : cpu->socket;
		g_hash_table_add(seen, GUINT_TO_POINTER(key));
	}
	return MAX(g_hash_table_size(seen), 1);
}

static void put_cpu(GString *out, const GPtrArray *cpus)
{
	struct utsname name;
	uname(&name);
	guint sockets = distinct(cpus, FALSE), cores = distinct(cpus, TRUE);
	put(out, "    <cpu>\n      <arch>%s</arch>\n", name.machine);
	put(out, "      <topology sockets='%u' dies='1' cores='%u' threads='%u'/>\n    </cpu>\n", sockets,
	    MAX(cores / sockets, 1), MAX(cpus->len / cores, 1));
}

static void put_cell(GString *out, const GPtrArray *cpus, int node)
{
	NodeMemory memory = { 0 };
	guint n = 0;
	for (guint i = 0; i < cpus->len; i++)
		n += ((const NodeCpu *)g_ptr_array_index(cpus, i))->node == node;
	node_memory(node, &memory);
	put(out, "        <cell id='%d'>\n          <memory unit='KiB'>%" G_GUINT64_FORMAT
	    "</memory>\n          <cpus num='%u'>\n", node, memory.total / 1024, n);
	for (guint i = 0; i < cpus->len; i++) {
		const NodeCpu *cpu = g_ptr_array_index(cpus, i);
		if (cpu->node == node)
			put(out, "            <cpu id='%u' socket_id='%u' die_id='%u' core_id='%u' "
			    "siblings='%s'/>\n", cpu->id, cpu->socket, cpu->die, cpu->core,
			    cpu->siblings);
	}
	g_string_append(out, "          </cpus>\n        </cell>\n");
}

static void put_host(GString *out)
{
	g_autoptr(GPtrArray) cpus = node_cpus();
	g_autofree char *uuid = host_uuid();
	guint nodes = node_count();
	g_string_append(out, "  <host>\n");
	if (uuid)
		put(out, "    <uuid>%s</uuid>\n", uuid);
	put_cpu(out, cpus);
	g_string_append(out, "    <power_management/>\n    <iommu support='no'/>\n    <topology>\n");
	put(out, "      <cells num='%u'>\n", nodes);
	for (guint i = 0; i < nodes; i++)
		put_cell(out, cpus, (int)i);
	g_string_append(out, "      </cells>\n    </topology>\n  </host>\n");
}

/* ---- capabilities: guests ---- */

static void put_machines(GString *out, const EngineCaps *caps)
{
	SHAPE_EACH (EngineMachine, machine, caps->machines) {
		guint64 max = opt_uint_or(machine->max_vcpus, 1);
		if (machine->alias)
			put(out, "      <machine canonical='%s' maxCpus='%" G_GUINT64_FORMAT
			    "'>%s</machine>\n", machine->name, max, machine->alias);
		put(out, "      <machine maxCpus='%" G_GUINT64_FORMAT "'", max);
		if (machine->deprecated == TRI_YES)
			g_string_append(out, " deprecated='yes'");
		put(out, ">%s</machine>\n", machine->name);
	}
}

static void put_guest(GString *out, const EngineCaps *caps)
{
	g_string_append(out, "  <guest>\n    <os_type>hvm</os_type>\n");
	put(out, "    <arch name='%s'>\n      <wordsize>%d</wordsize>\n", caps->arch,
	    strstr(caps->arch, "64") || g_str_equal(caps->arch, "s390x") ? 64 : 32);
	put(out, "      <emulator>%s</emulator>\n", caps->emulator);
	put_machines(out, caps);
	g_string_append(out, "      <domain type='qemu'/>\n");
	if (caps->kvm == TRI_YES)
		g_string_append(out, "      <domain type='kvm'/>\n");
	g_string_append(out, "    </arch>\n    <features>\n"
			     "      <acpi default='on' toggle='yes'/>\n"
			     "      <apic default='on' toggle='no'/>\n"
			     "      <cpuselection/>\n      <deviceboot/>\n"
			     "    </features>\n  </guest>\n");
}

static gboolean capabilities(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GError) why = NULL;
	EngineCaps caps = { 0 };
	GString *out = g_string_new("<capabilities>\n");
	put_host(out);
	if (describe(call, NULL, &caps, &why)) /* a host without QEMU still is a host */
		put_guest(out, &caps);
	else
		notes_add(&call->notes, "no guests: %s", why->message);
	g_string_append(out, "</capabilities>\n");
	shape_clear(&engine_caps_shape, &caps);
	((Text *)call->result)->text = g_string_free(out, FALSE);
	return TRUE;
}

/* ---- domcapabilities ---- */

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

/* A value that an attribute may have where QEMU has the type @needs (NULL: always). Rows of one
 * device and of one enum stand together. */
typedef struct Choice {
	const char *device, *name, *value, *needs;
} Choice;

static const Choice choices[] = {
	{ "disk", "diskDevice", "disk", NULL },
	{ "disk", "diskDevice", "cdrom", NULL },
	{ "disk", "diskDevice", "floppy", "floppy" },
	{ "disk", "diskDevice", "lun", "scsi-block" },
	{ "disk", "bus", "ide", "ide-hd" },
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
	{ "tpm", "backendModel", "emulator", "tpm-crb" },
	{ "tpm", "backendVersion", "2.0", "tpm-crb" },
	{ "redirdev", "bus", "usb", "usb-redir" },
	{ "channel", "type", "pty", NULL },
	{ "channel", "type", "unix", NULL },
	{ "channel", "type", "spicevmc", "qxl" },
};

static gboolean is_there(const Choice *choice, const EngineCaps *caps)
{
	return !choice->needs || engine_caps_has(caps, choice->needs);
}

/* Whether row @i opens a run of the same device, or with @name of the same enum. */
static gboolean opens(guint i, gboolean name)
{
	return i == 0 || !g_str_equal(choices[i - 1].device, choices[i].device) ||
	       (name && !g_str_equal(choices[i - 1].name, choices[i].name));
}

static void put_devices(GString *out, const EngineCaps *caps)
{
	g_string_append(out, "  <devices>\n");
	for (guint i = 0; i < G_N_ELEMENTS(choices); i++) {
		gboolean last = i + 1 == G_N_ELEMENTS(choices);
		if (opens(i, FALSE))
			put(out, "    <%s supported='yes'>\n", choices[i].device);
		if (opens(i, TRUE))
			put(out, "      <enum name='%s'>\n", choices[i].name);
		if (is_there(&choices[i], caps))
			put(out, "        <value>%s</value>\n", choices[i].value);
		if (last || opens(i + 1, TRUE))
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

static void put_models(GString *out, const EngineCaps *caps, const EngineCpuModels *models, gboolean kvm)
{
	put(out, "  <cpu>\n    <mode name='host-passthrough' supported='%s'>\n", kvm ? "yes" : "no");
	if (kvm)
		g_string_append(out, "      <enum name='hostPassthroughMigratable'>\n"
				     "        <value>on</value>\n        <value>off</value>\n"
				     "      </enum>\n");
	g_string_append(out, "    </mode>\n    <mode name='maximum' supported='yes'>\n"
			     "      <enum name='maximumMigratable'>\n        <value>on</value>\n"
			     "        <value>off</value>\n      </enum>\n    </mode>\n");
	put_host_model(out, models);
	g_string_append(out, "    <mode name='custom' supported='yes'>\n");
	SHAPE_EACH (EngineCpu, cpu, caps->cpus)
		put(out, "      <model usable='%s'>%s</model>\n",
		    cpu->usable == TRI_YES ? "yes" : "no", cpu->name);
	g_string_append(out, "    </mode>\n  </cpu>\n");
}

static void put_os(GString *out)
{
	g_string_append(out, "  <iothreads supported='yes'/>\n  <os supported='yes'>\n"
			     "    <enum name='firmware'>\n      <value>bios</value>\n"
			     "      <value>efi</value>\n    </enum>\n    <loader supported='yes'>\n"
			     "      <enum name='type'>\n        <value>rom</value>\n"
			     "        <value>pflash</value>\n      </enum>\n"
			     "      <enum name='readonly'>\n        <value>yes</value>\n"
			     "        <value>no</value>\n      </enum>\n"
			     "      <enum name='secure'>\n        <value>yes</value>\n"
			     "        <value>no</value>\n      </enum>\n    </loader>\n  </os>\n");
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
	if (args->arch && !g_str_equal(args->arch, caps->arch))
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

static char *document(const EngineCaps *caps, const EngineMachine *machine,
		      const EngineCpuModels *models, gboolean kvm)
{
	GString *out = g_string_new("<domainCapabilities>\n");
	put(out, "  <path>%s</path>\n  <domain>%s</domain>\n", caps->emulator, kvm ? "kvm" : "qemu");
	put(out, "  <machine>%s</machine>\n  <arch>%s</arch>\n", machine->name, caps->arch);
	put(out, "  <vcpu max='%" G_GUINT64_FORMAT "'/>\n", opt_uint_or(machine->max_vcpus, 1));
	put_os(out);
	put_models(out, caps, models, kvm);
	g_string_append(out, "  <memoryBacking supported='yes'>\n    <enum name='sourceType'>\n"
			     "      <value>file</value>\n      <value>anonymous</value>\n"
			     "      <value>memfd</value>\n    </enum>\n  </memoryBacking>\n");
	put_devices(out, caps);
	put(out, "  <features>\n    <gic supported='no'/>\n    <vmcoreinfo supported='%s'/>\n"
	    "    <genid supported='%s'/>\n    <backingStoreInput supported='yes'/>\n"
	    "    <backup supported='no'/>\n    <sev supported='no'/>\n  </features>\n",
	    engine_caps_has(caps, "vmcoreinfo") ? "yes" : "no",
	    engine_caps_has(caps, "vmgenid") ? "yes" : "no");
	g_string_append(out, "</domainCapabilities>\n");
	return g_string_free(out, FALSE);
}

static gboolean domcapabilities(OpCall *call, GError **error)
{
	const DomArgs *args = call->args;
	const EngineMachine *machine = NULL;
	gboolean kvm = FALSE;
	EngineCaps caps = { 0 };
	gboolean ok = describe(call, args->emulatorbin, &caps, error) &&
		      choose(args, &caps, &machine, &kvm, error);
	if (ok)
		((Text *)call->result)->text = document(
			&caps, machine, core_cpus(call->core, args->emulatorbin, kvm, NULL), kvm);
	shape_clear(&engine_caps_shape, &caps);
	return ok;
}

/* ---- host engine ---- */

static gboolean engine(OpCall *call, GError **error)
{
	return describe(call, NULL, call->result, error);
}

#define HOST_READ(perm_) .family = "Host", .method = "GET", .lane = OP_BESIDE, .perm = perm_

static const Op ops[] = {
	{ .name = "capabilities", HOST_READ(OP_PERM_READ),
	  .route = "/v1/host/capabilities", .result = &text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show what this host offers, as libvirt's document",
	  .fn = capabilities },
	/* not for readers: it runs the emulator that it is given */
	{ .name = "domcapabilities", HOST_READ(OP_PERM_SECRET),
	  .route = "/v1/host/domcapabilities", .args = &dom_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show what a guest can have, as libvirt's document", .fn = domcapabilities },
	{ .name = "host engine", HOST_READ(OP_PERM_READ),
	  .route = "/v1/host/engine", .result = &engine_caps_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show what QEMU offers here", .fn = engine },
};

const OpFamily op_family_capabilities = { ops, G_N_ELEMENTS(ops) };

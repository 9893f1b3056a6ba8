/* Verbs that tell what this host and its QEMU can do, in libvirt's documents: installers and managers
 * choose by them. Facts are the host's and the binary's; names of elements and values libvirt's.
 * Neighbours: domcapabilities.c says what one guest can have. */
#include "core/core.h"
#include "host/cpu.h"
#include "host/node.h"
#include "ops/cpus.h"
#include "ops/document.h"
#include "ops/families.h"

#include <string.h>
#include <sys/utsname.h>

static const Row text_rows[] = { STRING(DocumentText, text, NULL, .flags = ROW_VERBATIM) };
const Shape document_text_shape = SHAPE("document", DocumentText, text_rows);

static gboolean describe(OpCall *call, const char *emulator, EngineCaps *caps, GError **error)
{
	return core_describe(call->core, emulator, caps, error);
}

/* ---- capabilities: the host ---- */

/* The machine's own name: its firmware's, as libvirt has it, where that says one; else /etc/machine-id, in
 * the form of a UUID. */
static char *host_uuid(void)
{
	g_autofree char *id = NULL, *smbios = NULL;
	if (g_file_get_contents("/sys/class/dmi/id/product_uuid", &smbios, NULL, NULL) &&
	    g_uuid_string_is_valid(g_strstrip(smbios)) && strspn(smbios, "0-") != 36 &&
	    strspn(smbios, "fF-") != 36)
		return g_ascii_strdown(smbios, -1);
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

/* The processor as it is, by the name of the model that has most of it, and what it has beside that. */
static void put_identity(OpCall *call, GString *out, const HostCpu *cpu, const EngineCpuModel **model)
{
	g_autoptr(GError) why = NULL;
	const EngineCpuModels *models = core_cpus(call->core, NULL, TRUE, &why);
	*model = models ? cpu_closest_to(models, cpu->features, cpu->vendor) : NULL;
	if (*model)
		put(out, "      <model>%s</model>\n", (*model)->name);
	if (*model && cpu->vendor)
		put(out, "      <vendor>%s</vendor>\n", cpu->vendor);
	if (cpu->microcode)
		put(out, "      <microcode version='%u'/>\n", cpu->microcode);
	put(out, "      <signature family='%u' model='%u' stepping='%u'/>\n", cpu->family, cpu->model,
	    cpu->stepping);
	if (cpu->tsc_hz)
		put(out, "      <counter name='tsc' frequency='%" G_GUINT64_FORMAT "' scaling='%s'/>\n",
		    cpu->tsc_hz, cpu->tsc_scaling ? "yes" : "no");
}

static void put_features(GString *out, GHashTable *set, const EngineCpuModel *model)
{
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(set), (GCompareFunc)strcmp);
	for (GList *name = names; name; name = name->next)
		if (!model || !g_hash_table_contains(model->features, name->data))
			put(out, "      <feature name='%s'/>\n", (char *)name->data);
}

static void put_cpu(OpCall *call, GString *out, const GPtrArray *cpus)
{
	struct utsname name;
	const EngineCpuModel *model = NULL;
	g_autoptr(HostCpu) cpu = host_cpu();
	g_autoptr(GArray) pages = node_pages(0);
	uname(&name);
	guint sockets = distinct(cpus, FALSE), cores = distinct(cpus, TRUE);
	put(out, "    <cpu>\n      <arch>%s</arch>\n", name.machine);
	if (cpu)
		put_identity(call, out, cpu, &model);
	put(out, "      <topology sockets='%u' dies='1' cores='%u' threads='%u'/>\n", sockets,
	    MAX(cores / sockets, 1), MAX(cpus->len / cores, 1));
	if (cpu && cpu->address_bits)
		put(out, "      <maxphysaddr mode='emulate' bits='%u'/>\n", cpu->address_bits);
	if (model) /* the schema has no features without a model */
		put_features(out, cpu->features, model);
	for (guint i = 0; i < pages->len; i++)
		put(out, "      <pages unit='KiB' size='%" G_GUINT64_FORMAT "'/>\n",
		    g_array_index(pages, NodePages, i).size / 1024);
	g_string_append(out, "    </cpu>\n");
}

static void put_cell_memory(GString *out, int node)
{
	NodeMemory memory = { 0 };
	g_autoptr(GArray) pages = node_pages(node), distances = node_distances(node);
	node_memory(node, &memory);
	put(out, "        <cell id='%d'>\n", node);
	put(out, "          <memory unit='KiB'>%" G_GUINT64_FORMAT "</memory>\n", memory.total / 1024);
	for (guint i = 0; i < pages->len; i++) {
		const NodePages *one = &g_array_index(pages, NodePages, i);
		put(out, "          <pages unit='KiB' size='%" G_GUINT64_FORMAT "'>%" G_GUINT64_FORMAT
		    "</pages>\n", one->size / 1024, one->count);
	}
	g_string_append(out, distances->len ? "          <distances>\n" : "");
	for (guint i = 0; i < distances->len; i++)
		put(out, "            <sibling id='%u' value='%u'/>\n", i,
		    g_array_index(distances, guint, i));
	g_string_append(out, distances->len ? "          </distances>\n" : "");
}

static void put_cell(GString *out, const GPtrArray *cpus, int node)
{
	guint n = 0;
	for (guint i = 0; i < cpus->len; i++)
		n += ((const NodeCpu *)g_ptr_array_index(cpus, i))->node == node;
	put_cell_memory(out, node);
	put(out, "          <cpus num='%u'>\n", n);
	for (guint i = 0; i < cpus->len; i++) {
		const NodeCpu *cpu = g_ptr_array_index(cpus, i);
		if (cpu->node == node)
			put(out, "            <cpu id='%u' socket_id='%u' die_id='%u' core_id='%u' "
			    "siblings='%s'/>\n", cpu->id, cpu->socket, cpu->die, cpu->core,
			    cpu->siblings);
	}
	g_string_append(out, "          </cpus>\n        </cell>\n");
}

static void put_caches(GString *out)
{
	g_autoptr(GPtrArray) caches = node_caches();
	g_string_append(out, caches->len ? "    <cache>\n" : "");
	for (guint i = 0; i < caches->len; i++) {
		const NodeCache *cache = caches->pdata[i];
		gboolean mib = cache->size % (1024 * 1024) == 0;
		put(out, "      <bank id='%u' level='%u' type='%s' size='%" G_GUINT64_FORMAT
		    "' unit='%s' cpus='%s'/>\n", cache->id, cache->level,
		    cache->type == 'b' ? "both" : cache->type == 'c' ? "code" : "data",
		    cache->size / (mib ? 1024 * 1024 : 1024), mib ? "MiB" : "KiB", cache->cpus);
	}
	g_string_append(out, caches->len ? "    </cache>\n" : "");
}

/* How the host can sleep, and whether devices can be given to guests. */
static void put_abilities(GString *out)
{
	g_autofree char *states = NULL;
	g_file_get_contents("/sys/power/state", &states, NULL, NULL);
	gboolean memory = states && strstr(states, "mem"), disk = states && strstr(states, "disk");
	g_string_append(out, memory || disk ? "    <power_management>\n" : "    <power_management/>\n");
	g_string_append(out, memory ? "      <suspend_mem/>\n" : "");
	g_string_append(out, disk ? "      <suspend_disk/>\n" : "");
	g_string_append(out, memory || disk ? "    </power_management>\n" : "");
	g_autoptr(GDir) groups = g_dir_open("/sys/kernel/iommu_groups", 0, NULL);
	put(out, "    <iommu support='%s'/>\n", groups && g_dir_read_name(groups) ? "yes" : "no");
}

static void put_host(OpCall *call, GString *out)
{
	g_autoptr(GPtrArray) cpus = node_cpus();
	g_autofree char *uuid = host_uuid();
	guint nodes = node_count();
	g_string_append(out, "  <host>\n");
	if (uuid)
		put(out, "    <uuid>%s</uuid>\n", uuid);
	put_cpu(call, out, cpus);
	put_abilities(out);
	put(out, "    <topology>\n      <cells num='%u'>\n", nodes);
	for (guint i = 0; i < nodes; i++)
		put_cell(out, cpus, (int)i);
	g_string_append(out, "      </cells>\n    </topology>\n");
	put_caches(out);
	/* QEMU gets descriptors and no files: nothing is labelled */
	g_string_append(out, "    <secmodel>\n      <model>none</model>\n      <doi>0</doi>\n"
			     "    </secmodel>\n  </host>\n");
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

static void put_guest(GString *out, const EngineCaps *caps, const char *arch, const char *emulator)
{
	g_string_append(out, "  <guest>\n    <os_type>hvm</os_type>\n");
	put(out, "    <arch name='%s'>\n      <wordsize>%d</wordsize>\n", arch,
	    strstr(arch, "64") || g_str_equal(arch, "s390x") ? 64 : 32);
	put(out, "      <emulator>%s</emulator>\n", emulator);
	put_machines(out, caps);
	g_string_append(out, "      <domain type='qemu'/>\n");
	if (caps->kvm == TRI_YES)
		g_string_append(out, "      <domain type='kvm'/>\n");
	g_string_append(out, "    </arch>\n    <features>\n");
	g_string_append(out, g_str_equal(arch, "i686") ? "      <pae/>\n      <nonpae/>\n" : "");
	g_string_append(out, "      <acpi default='on' toggle='yes'/>\n"
			     "      <apic default='on' toggle='no'/>\n"
			     "      <cpuselection/>\n      <deviceboot/>\n    </features>\n  </guest>\n");
}

/* The emulator of 64 bits runs guests of 32 bits, too; where there is one of their own, clients know that. */
static void put_guests(GString *out, const EngineCaps *caps)
{
	if (g_str_equal(caps->arch, "x86_64")) {
		g_autofree char *folder = g_path_get_dirname(caps->emulator);
		g_autofree char *own = g_build_filename(folder, "qemu-system-i386", NULL);
		gboolean there = g_file_test(own, G_FILE_TEST_IS_EXECUTABLE);
		put_guest(out, caps, "i686", there ? own : caps->emulator);
	}
	put_guest(out, caps, caps->arch, caps->emulator);
}

static gboolean capabilities(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GError) why = NULL;
	EngineCaps caps = { 0 };
	GString *out = g_string_new("<capabilities>\n");
	put_host(call, out);
	if (describe(call, NULL, &caps, &why)) /* a host without QEMU still is a host */
		put_guests(out, &caps);
	else
		notes_add(&call->notes, "no guests: %s", why->message);
	g_string_append(out, "</capabilities>\n");
	shape_clear(&engine_caps_shape, &caps);
	((DocumentText *)call->result)->text = g_string_free(out, FALSE);
	return TRUE;
}

/* ---- host engine ---- */

static gboolean engine(OpCall *call, GError **error)
{
	return describe(call, NULL, call->result, error);
}

/* ---- maxvcpus ---- */

typedef struct MostArgs {
	ShapeHead head;
	char *type;
} MostArgs;

static const Row most_arg_rows[] = {
	STRING(MostArgs, type, NULL, .flags = ROW_POSITIONAL, .doc = "type of guests: qemu or kvm"),
};
static const Shape most_args = SHAPE("maxvcpus-args", MostArgs, most_arg_rows);

typedef struct Most {
	ShapeHead head;
	OptUint max_vcpus, usual;
	char *text;
} Most;

static const Row most_rows[] = {
	UINT(Most, max_vcpus, NULL, .doc = "CPU(s), of the machine that takes most"),
	UINT(Most, usual, NULL, .doc = "of the default machine"),
	STRING(Most, text, NULL, .flags = ROW_VERBATIM),
};
static const Shape most_shape = SHAPE("maxvcpus", Most, most_rows);

/* virsh, too, tells of the default machine; virConnectGetMaxVcpus() knows of no machine. */
static gboolean maxvcpus(OpCall *call, GError **error)
{
	const char *type = ((const MostArgs *)call->args)->type;
	Most *result = call->result;
	EngineCaps caps = { 0 };
	guint64 most = 1, usual = 0;
	if (type && g_ascii_strcasecmp(type, "kvm") != 0 && g_ascii_strcasecmp(type, "qemu") != 0)
		return fail(error, LODGE_ERROR_INVALID, "unknown type '%s'", type);
	if (!describe(call, NULL, &caps, error))
		return FALSE;
	SHAPE_EACH (EngineMachine, machine, caps.machines) {
		most = MAX(most, machine->max_vcpus.v);
		usual = machine->is_default == TRI_YES ? machine->max_vcpus.v : usual;
	}
	shape_clear(&engine_caps_shape, &caps);
	result->max_vcpus = OPT_UINT(most);
	result->usual = OPT_UINT(usual ? usual : most);
	result->text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", result->usual.v);
	return TRUE;
}

/* ---- cpu-models ---- */

/* Those that libvirt knows: src/util/virarch.c. */
static const char *const archs[] = {
	"alpha", "armv6l", "armv7l", "armv7b", "aarch64", "cris", "i686", "ia64", "itanium", "lm32",
	"loongarch64", "m68k", "microblaze", "microblazeel", "mips", "mipsel", "mips64", "mips64el",
	"openrisc", "parisc", "parisc64", "ppc", "ppcle", "ppc64", "ppc64le", "ppcemb", "riscv32",
	"riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "unicore32", "x86_64",
	"xtensa", "xtensaeb", NULL
};

typedef struct ModelArgs {
	ShapeHead head;
	char *arch;
} ModelArgs;

static const Row model_arg_rows[] = {
	STRING(ModelArgs, arch, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "architecture: x86_64, aarch64, ..."),
};
static const Shape model_args = SHAPE("cpu-models-args", ModelArgs, model_arg_rows);

typedef struct Models {
	ShapeHead head;
	GPtrArray *models; /* char * */
	char *text;
} Models;

static const Row model_rows[] = {
	STRINGS(Models, models, NULL, .doc = "CPU models"),
	STRING(Models, text, NULL, .flags = ROW_VERBATIM),
};
static const Shape models_shape = SHAPE("cpu-models", Models, model_rows);

/* What runs guests of 64 bits runs those of 32, too, with the same models. */
static gboolean cpu_models(OpCall *call, GError **error)
{
	const char *arch = ((const ModelArgs *)call->args)->arch;
	Models *result = call->result;
	EngineCaps caps = { 0 };
	if (!g_strv_contains(archs, arch))
		return fail(error, LODGE_ERROR_INVALID, "cannot find architecture %s", arch);
	if (!describe(call, NULL, &caps, error))
		return FALSE;
	gboolean same = g_str_equal(caps.arch, arch) ||
			(g_str_equal(caps.arch, "x86_64") && g_str_equal(arch, "i686"));
	g_autoptr(GString) out = g_string_new(NULL);
	result->models = g_ptr_array_new();
	SHAPE_EACH (EngineCpu, cpu, caps.cpus) {
		if (!same)
			break;
		g_ptr_array_add(result->models, g_strdup(cpu->name));
		g_string_append_printf(out, "%s\n", cpu->name);
	}
	shape_clear(&engine_caps_shape, &caps);
	result->text = g_strdup(out->len ? out->str : "all CPU models are accepted\n");
	return TRUE;
}

#define HOST_READ(perm_) .family = "Host", .method = "GET", .lane = OP_BESIDE, .perm = perm_

static const Op ops[] = {
	{ .name = "capabilities", HOST_READ(OP_PERM_READ),
	  .route = "/v1/host/capabilities", .result = &document_text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show what this host offers, as libvirt's document",
	  .fn = capabilities },
	{ .name = "host engine", HOST_READ(OP_PERM_READ),
	  .route = "/v1/host/engine", .result = &engine_caps_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show what QEMU offers here", .fn = engine },
	{ .name = "maxvcpus", HOST_READ(OP_PERM_READ), .route = "/v1/host/maxvcpus", .args = &most_args,
	  .result = &most_shape, .show = OP_SHOW_TEXT, .doc = "Show how many CPUs a guest can have",
	  .fn = maxvcpus },
	{ .name = "cpu-models", HOST_READ(OP_PERM_READ), .route = "/v1/host/cpu-models",
	  .args = &model_args, .result = &models_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show the models of CPU that QEMU knows for an architecture", .fn = cpu_models },
};

const OpFamily op_family_capabilities = { ops, G_N_ELEMENTS(ops) };

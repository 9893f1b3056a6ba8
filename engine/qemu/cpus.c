/* CPU models of QEMU with their features. Facts: QEMU's qapi/machine-target.json (query-cpu-model-expansion);
 * names that differ between QEMU and libvirt: libvirt's src/cpu_map. See engine/cpus.h. */
#include "base/error.h"
#include "engine/cpus.h"
#include "engine/qemu/caps.h"
#include "engine/qemu/run.h"
#include "host/memory.h"

#include <string.h>

#define MAX_MODELS 512

/* Names that differ; all others have '-' in QEMU's. */
static const struct {
	const char *qemu, *libvirt;
} names[] = {
	{ "sse4-1", "sse4.1" },		  { "sse4-2", "sse4.2" },
	{ "lahf-lm", "lahf_lm" },	  { "fxsr-opt", "fxsr_opt" },
	{ "cmp-legacy", "cmp_legacy" },	  { "ds-cpl", "ds_cpl" },
	{ "nodeid-msr", "nodeid_msr" },	  { "pclmulqdq", "pclmuldq" },
	{ "perfctr-core", "perfctr_core" }, { "perfctr-nb", "perfctr_nb" },
	{ "tsc-adjust", "tsc_adjust" },	  { "cr8legacy", "cr8legacy" },
	{ "full-width-write", "full-width-write" },
};

/* Switches that are no features of a processor. */
static const char *const no_features[] = {
	"check", "enforce", "migratable", "pmu", "l3-cache", "legacy-cache", "host-cache-info", "realized",
	"hotplugged", "hotpluggable", "fill-mtrr-mask", "full-cpuid-auto-level", "cpuid-0xb", "tcg-cpuid",
	"kvm", "lmce", "vmware-cpuid-freq", "xen-vapic", "start-powered-off", "hypervisor", "host-phys-bits",
	"i64", "sse3", "sse4_1", "sse4_2", "ffxsr", "xd", "legacy-multi-node", NULL,
};

static gboolean is_feature(const char *name)
{
	static const char *const prefixes[] = { "kvm", "hv-", "x-", "vmx-", "svme-", "xen-", NULL };
	for (const char *const *prefix = prefixes; *prefix; prefix++)
		if (g_str_has_prefix(name, *prefix))
			return FALSE;
	/* an alias of the same with '-' */
	return !strchr(name, '_') && !strchr(name, '.') && !g_strv_contains(no_features, name);
}

static const char *libvirt_name(const char *qemu)
{
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(names[i].qemu, qemu))
			return names[i].libvirt;
	return qemu;
}

static void model_free(gpointer data)
{
	EngineCpuModel *model = data;
	g_free(model->name);
	g_hash_table_unref(model->features);
	g_free(model);
}

void engine_cpu_models_free(EngineCpuModels *models)
{
	if (!models)
		return;
	g_ptr_array_unref(models->models);
	g_free(models->arch);
	g_free(models);
}

static void add_model(EngineCpuModels *models, const char *name, json_t *answer)
{
	EngineCpuModel *model = g_new0(EngineCpuModel, 1);
	json_t *props = json_object_get(json_object_get(answer, "model"), "props"), *value;
	const char *key;
	model->name = g_strdup(name);
	model->features = g_hash_table_new(g_str_hash, g_str_equal); /* models share their names */
	json_object_foreach (props, key, value)
		if (json_is_true(value) && is_feature(key))
			g_hash_table_add(model->features, (gpointer)g_intern_string(libvirt_name(key)));
	g_ptr_array_add(models->models, model);
	const char *vendor = json_string_value(json_object_get(props, "vendor"));
	model->vendor = !vendor ? NULL : strstr(vendor, "Intel") ? "Intel" : strstr(vendor, "AMD") ? "AMD" :
			strstr(vendor, "Hygon") ? "Hygon" : NULL;
	if (!name)
		models->vendor = model->vendor;
}

static json_t *expansion_of(const char *name)
{
	return json_pack("{s:s, s:{s:s}}", "type", "full", "model", "name", name);
}

/* The host's model, then all named ones that guests can have. A model that QEMU refuses is left out. */
static EngineCpuModels *ask(const QemuCaps *caps, gboolean kvm, GError **error)
{
	const GPtrArray *known = kvm ? caps->cpus_kvm : caps->cpus_tcg;
	guint n = MIN(known->len, MAX_MODELS - 1) + 1;
	g_autofree QmpItem *items = g_new0(QmpItem, n);
	g_autoptr(GError) why = NULL;
	for (guint i = 0; i < n; i++) {
		const QemuCpu *cpu = i ? g_ptr_array_index(known, i - 1) : NULL;
		items[i].command = "query-cpu-model-expansion";
		items[i].arguments = expansion_of(cpu ? cpu->name : kvm ? "host" : "max");
	}
	qemu_interview(caps->binary, kvm ? "kvm" : "tcg", items, n, NULL, &why);
	if (!items[0].result) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "%s does not tell its CPU models: ",
					   caps->binary);
		qmp_items_clear(items, n);
		return NULL;
	}
	EngineCpuModels *models = g_new0(EngineCpuModels, 1);
	*models = (EngineCpuModels){ .kvm = kvm, .arch = g_strdup(caps->arch),
				     .models = g_ptr_array_new_with_free_func(model_free) };
	for (guint i = 0; i < n; i++) {
		const QemuCpu *cpu = i ? g_ptr_array_index(known, i - 1) : NULL;
		if (items[i].result && (!i || qemu_is_cpu_model(cpu->name)))
			add_model(models, cpu ? cpu->name : NULL, items[i].result);
	}
	qmp_items_clear(items, n);
	return models;
}

const EngineCpuModels *run_cpus(const char *path, gboolean kvm, GError **error)
{
	static GMutex lock;
	static GHashTable *asked;
	const char *binary = path ? path : qemu_host.binary;
	if (!binary) {
		fail(error, LODGE_ERROR_NOT_FOUND, "there is no QEMU on this host: install qemu-system-x86");
		return NULL;
	}
	const QemuCaps *caps = qemu_caps_get(binary, qemu_host.config.paths->lib, error);
	if (!caps)
		return NULL;
	kvm = kvm && caps->kvm && qemu_host.kvm;
	g_autofree char *key = g_strdup_printf("%s %s %u", kvm ? "kvm" : "tcg", binary, caps->version);
	g_mutex_lock(&lock);
	if (!asked)
		asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	EngineCpuModels *models = g_hash_table_lookup(asked, key);
	if (!models && (models = ask(caps, kvm, error))) {
		g_hash_table_insert(asked, g_steal_pointer(&key), models);
		memory_release(); /* the answers were megabytes */
	}
	g_mutex_unlock(&lock);
	return models;
}

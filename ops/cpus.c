/* Verbs that compare documents of CPUs with what guests can have here, and that find what several have in
 * common. Names, options and texts are virsh's. Neighbours: engine/cpus.h knows the models. */
#include "core/core.h"
#include "model/guest_parts.h"
#include "ops/cpus.h"
#include "ops/families.h"

#include <string.h>

#define HOST(perm_) .family = "Host", .method = "POST", .perm = perm_, .lane = OP_BESIDE

typedef struct CpuArgs {
	ShapeHead head;
	char *file;
	char *virttype, *emulator, *arch, *machine;
	gboolean error, validate, features, migratable;
} CpuArgs;

#define FILE_ROW                                                                                   \
	RAWXML(CpuArgs, file, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,                        \
	       .doc = "document with <cpu>, or capabilities of a host or of domains")
#define WHICH_ROWS                                                                                 \
	STRING(CpuArgs, virttype, NULL, .doc = "kvm or qemu"),                                     \
		STRING(CpuArgs, emulator, NULL, .doc = "path of the emulator"),                    \
		STRING(CpuArgs, arch, NULL, .doc = "architecture of the guest"),                   \
		STRING(CpuArgs, machine, NULL, .doc = "machine type of the guest")

static const Row compare_rows[] = {
	FILE_ROW,
	FLAG(CpuArgs, error, NULL, .doc = "fail where the CPU is incompatible"),
	FLAG(CpuArgs, validate, NULL, .doc = "refuse unknown elements"),
	WHICH_ROWS,
};
static const Shape compare_args = SHAPE("cpu-compare-args", CpuArgs, compare_rows);

static const Row baseline_rows[] = {
	FILE_ROW,
	FLAG(CpuArgs, features, NULL, .doc = "name every feature, also those of the model"),
	FLAG(CpuArgs, migratable, NULL, .doc = "leave out what cannot be migrated"),
	WHICH_ROWS,
};
static const Shape baseline_args = SHAPE("cpu-baseline-args", CpuArgs, baseline_rows);

/* ---- documents ---- */

#define MAX_CPUS 256

static void cpus_free(gpointer cpu)
{
	shape_free(&cpu_shape, cpu);
}

GPtrArray *cpus_read(const char *xml, gboolean validate, GError **error)
{
	g_autoptr(GPtrArray) cpus = g_ptr_array_new_with_free_func(cpus_free);
	const char *end = xml, *close = xml; /* found once: a document may have a million of them */
	for (const char *at = xml; (at = strstr(at, "<cpu")) && cpus->len < MAX_CPUS;) {
		gboolean is_cpu = at[4] == '>' || g_ascii_isspace(at[4]);
		end = end <= at ? strstr(at, "</cpu>") : end;
		close = close <= at ? strchr(at, '>') : close;
		if (!end || !close)
			break;
		if (!is_cpu || close[-1] == '/' || close > end) {
			at += 4;
			continue;
		}
		gsize length = (gsize)(end - at) + strlen("</cpu>");
		Cpu *cpu = shape_from_xml(&cpu_shape, "cpu", at, (gssize)length, NULL, NULL, error);
		if (!cpu)
			return NULL;
		gboolean fits = !validate || shape_all_known(&cpu_shape, cpu, error);
		if (fits && cpu->model)
			g_ptr_array_add(cpus, cpu);
		else
			shape_free(&cpu_shape, cpu);
		if (!fits)
			return NULL;
		at += length;
	}
	if (cpus->len)
		return g_steal_pointer(&cpus);
	fail(error, LODGE_ERROR_INVALID, "the document has no <cpu> with a <model>");
	return NULL;
}

/* ---- sets of features ---- */

static const EngineCpuModel *model_of(const EngineCpuModels *models, const char *name)
{
	for (guint i = 1; i < models->models->len; i++) {
		const EngineCpuModel *model = g_ptr_array_index(models->models, i);
		if (!g_strcmp0(model->name, name))
			return model;
	}
	return NULL;
}

static GHashTable *copy_of(GHashTable *set)
{
	GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_hash_table_add(copy, g_strdup(name));
	return copy;
}

/* What @cpu asks for; *forbidden: it wants one away that @host has. */
static GHashTable *features_of(const EngineCpuModels *models, const Cpu *cpu, gboolean *forbidden,
			       GError **error)
{
	const EngineCpuModel *host = g_ptr_array_index(models->models, 0);
	const EngineCpuModel *model = model_of(models, cpu->model);
	if (!model) {
		fail(error, LODGE_ERROR_UNSUPPORTED, "Unknown CPU model %s", cpu->model);
		return NULL;
	}
	GHashTable *set = copy_of(model->features);
	SHAPE_EACH (CpuFeature, feature, cpu->features) {
		const char *policy = feature->policy ? feature->policy : "require";
		if (g_str_equal(policy, "require") || g_str_equal(policy, "force"))
			g_hash_table_add(set, g_strdup(feature->name));
		else if (!g_str_equal(policy, "optional"))
			g_hash_table_remove(set, feature->name);
		if (forbidden && g_str_equal(policy, "forbid"))
			*forbidden |= g_hash_table_contains(host->features, feature->name);
	}
	return set;
}

static gboolean is_subset(GHashTable *less, GHashTable *more)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, less);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (!g_hash_table_contains(more, name))
			return FALSE;
	return TRUE;
}

static void intersect(GHashTable *set, GHashTable *other)
{
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (!g_hash_table_contains(other, name))
			g_hash_table_iter_remove(&iter);
}

/* The model with most features that are all in @set; of equals the first. */
const EngineCpuModel *cpu_closest_to(const EngineCpuModels *models, GHashTable *set, const char *vendor)
{
	const EngineCpuModel *best = NULL;
	for (guint i = 1; i < models->models->len; i++) {
		const EngineCpuModel *model = g_ptr_array_index(models->models, i);
		if ((!vendor || !g_strcmp0(model->vendor, vendor)) && is_subset(model->features, set) &&
		    (!best || g_hash_table_size(model->features) > g_hash_table_size(best->features)))
			best = model;
	}
	return best;
}

static const EngineCpuModel *closest(const EngineCpuModels *models, GHashTable *set, const char *wanted)
{
	const EngineCpuModel *named = wanted ? model_of(models, wanted) : NULL;
	return named && is_subset(named->features, set) ? named : cpu_closest_to(models, set, NULL);
}

static GList *sorted(GHashTable *set)
{
	return g_list_sort(g_hash_table_get_keys(set), (GCompareFunc)strcmp);
}

void cpu_put_features(GString *out, GHashTable *set, GHashTable *without, const char *indent)
{
	g_autoptr(GList) names = sorted(set);
	for (GList *name = names; name; name = name->next)
		if (!without || !g_hash_table_contains(without, name->data)) {
			g_autofree char *line = g_markup_printf_escaped(
				"%s<feature policy='require' name='%s'/>\n", indent, (char *)name->data);
			g_string_append(out, line);
		}
}

const EngineCpuModel *cpu_closest(const EngineCpuModels *models)
{
	const EngineCpuModel *host = g_ptr_array_index(models->models, 0);
	return closest(models, host->features, NULL);
}

/* ---- the verbs ---- */

static const EngineCpuModels *models_for(OpCall *call, GError **error)
{
	const CpuArgs *args = call->args;
	gboolean kvm = g_strcmp0(args->virttype, "qemu") != 0;
	/* not for readers: it runs the emulator that it is given */
	if (args->emulator && call->caller.read_only) {
		fail(error, LODGE_ERROR_DENIED, "a read-only connection names no emulator");
		return NULL;
	}
	const EngineCpuModels *models = core_cpus(call->core, args->emulator, kvm, error);
	if (!models || !args->arch || g_str_equal(args->arch, models->arch))
		return models;
	fail(error, LODGE_ERROR_INVALID, "the emulator is for %s, not for %s", models->arch, args->arch);
	return NULL;
}

typedef struct Compared {
	ShapeHead head;
	OptInt result; /* virCPUCompareResult */
	char *text;
} Compared;

static const Row compared_rows[] = {
	INT(Compared, result, NULL, .doc = "Result"),
	STRING(Compared, text, NULL, .flags = ROW_VERBATIM),
};
static const Shape compared_shape = SHAPE("cpu-comparison", Compared, compared_rows);

static gboolean compare(OpCall *call, GError **error)
{
	enum { INCOMPATIBLE, IDENTICAL, SUPERSET };
	static const char *const words[] = { "incompatible with", "identical to", "a subset of" };
	const CpuArgs *args = call->args;
	Compared *result = call->result;
	g_autoptr(GPtrArray) cpus = cpus_read(args->file, args->validate, error);
	const EngineCpuModels *models = cpus ? models_for(call, error) : NULL;
	gboolean forbidden = FALSE;
	g_autoptr(GHashTable) set =
		models ? features_of(models, g_ptr_array_index(cpus, 0), &forbidden, error) : NULL;
	if (!set)
		return FALSE;
	GHashTable *host = ((const EngineCpuModel *)g_ptr_array_index(models->models, 0))->features;
	int found = forbidden || !is_subset(set, host) ? INCOMPATIBLE
		    : is_subset(host, set)		? IDENTICAL : SUPERSET;
	result->result = OPT_INT(found);
	result->text = g_strdup_printf("The CPU of the document is %s what guests can have on this host\n",
				       words[found]);
	return found != INCOMPATIBLE || !args->error ||
	       fail(error, LODGE_ERROR_UNSUPPORTED, "the CPU is incompatible with host CPU");
}

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("baseline", Text, text_rows);

static char *document(const EngineCpuModels *models, GHashTable *set, const char *wanted, gboolean expand)
{
	const EngineCpuModel *model = closest(models, set, wanted);
	GString *out = g_string_new("<cpu mode='custom' match='exact'>\n");
	if (model)
		g_string_append_printf(out, "  <model fallback='forbid'>%s</model>\n", model->name);
	cpu_put_features(out, set, expand || !model ? NULL : model->features, "  ");
	g_string_append(out, "</cpu>\n");
	return g_string_free(out, FALSE);
}

static gboolean baseline(OpCall *call, GError **error)
{
	const CpuArgs *args = call->args;
	g_autoptr(GPtrArray) cpus = cpus_read(args->file, FALSE, error);
	const EngineCpuModels *models = cpus ? models_for(call, error) : NULL;
	g_autoptr(GHashTable) common = NULL;
	if (!models)
		return FALSE;
	for (guint i = 0; i < cpus->len; i++) {
		g_autoptr(GHashTable) set = features_of(models, g_ptr_array_index(cpus, i), NULL, error);
		if (!set)
			return FALSE;
		if (common)
			intersect(common, set);
		else
			common = g_steal_pointer(&set);
	}
	if (args->migratable)
		g_hash_table_remove(common, "invtsc");
	((Text *)call->result)->text = document(models, common, ((Cpu *)g_ptr_array_index(cpus, 0))->model,
						args->features);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "cpu-compare", .route = "/v1/host/cpu/compare", HOST(OP_PERM_READ), .args = &compare_args,
	  .result = &compared_shape, .show = OP_SHOW_TEXT,
	  .doc = "Compare a CPU with what guests can have here", .fn = compare },
	{ .name = "hypervisor-cpu-compare", .route = "/v1/host/cpu/hypervisor-compare", HOST(OP_PERM_READ),
	  .args = &compare_args, .result = &compared_shape, .show = OP_SHOW_TEXT,
	  .doc = "Compare a CPU with what an emulator gives guests here", .fn = compare },
	{ .name = "cpu-baseline", .route = "/v1/host/cpu/baseline", HOST(OP_PERM_READ),
	  .args = &baseline_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Find the CPU that several hosts can give", .fn = baseline },
	{ .name = "hypervisor-cpu-baseline", .route = "/v1/host/cpu/hypervisor-baseline",
	  HOST(OP_PERM_READ), .args = &baseline_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Find the CPU that an emulator can give on several hosts", .fn = baseline },
};

const OpFamily op_family_cpus = { ops, G_N_ELEMENTS(ops) };

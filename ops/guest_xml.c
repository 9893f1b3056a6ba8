/* Guests' documents as libvirt's clients ask for them: what runs or what is stored, with passwords, with
 * the CPU as it will be, or for another host. Neighbours: guest_show.c shows the rest; cpus.h knows
 * models. */
#include "core/core.h"
#include "model/alias.h"
#include "model/guest_parts.h"
#include "ops/cpus.h"
#include "ops/families.h"

#include <string.h>

typedef struct DumpArgs {
	ShapeHead head;
	gboolean inactive, security_info, update_cpu, migratable;
} DumpArgs;

static const Row dump_rows[] = {
	FLAG(DumpArgs, inactive, NULL, .doc = "what the next start will use"),
	FLAG(DumpArgs, security_info, NULL, .doc = "passwords too"),
	FLAG(DumpArgs, update_cpu, NULL, .doc = "with the CPU that this host will give it"),
	FLAG(DumpArgs, migratable, NULL,
	     .doc = "for another host: passwords too, without what every host adds by itself"),
};
static const Shape dump_args = SHAPE("dumpxml-args", DumpArgs, dump_rows);

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("text", Text, text_rows);

/* ---- the CPU ---- */

static const Shape *feature_shape(void)
{
	for (guint i = 0; i < cpu_shape.n; i++)
		if (g_str_equal(cpu_shape.rows[i].name, "features"))
			return cpu_shape.rows[i].of;
	g_assert_not_reached();
}

static gboolean has_feature(const Cpu *cpu, const char *name)
{
	SHAPE_EACH (CpuFeature, feature, cpu->features)
		if (!g_strcmp0(feature->name, name))
			return TRUE;
	return FALSE;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What @set has and @without has not, in front of what the definition says itself. */
static void add_features(Cpu *cpu, GHashTable *set, GHashTable *without)
{
	const Shape *shape = feature_shape();
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		if (!g_hash_table_contains(without, name) && !has_feature(cpu, name))
			g_ptr_array_add(names, name);
	g_ptr_array_sort(names, by_name);
	for (guint i = 0; i < names->len; i++) {
		CpuFeature *feature = shape_new(shape);
		feature->policy = g_strdup("require");
		feature->name = g_strdup(g_ptr_array_index(names, i));
		shape_append(&cpu->features, shape, feature);
	}
}

static void put(char **member, const char *text)
{
	g_free(*member);
	*member = g_strdup(text);
}

static gboolean is_open(const Cpu *cpu)
{
	return !g_strcmp0(cpu->mode, "host-model") || !g_strcmp0(cpu->match, "minimum");
}

/* mode='host-model' and match='minimum' become the model that they mean here. */
static void update_cpu(Core *core, Guest *guest)
{
	Cpu *cpu = guest->cpu;
	if (!cpu || !is_open(cpu))
		return;
	const EngineCpuModels *models = NULL;
	if (guest->type == GUEST_KVM)
		models = core_cpus(core, guest->emulator, TRUE, NULL);
	if (!models)
		models = core_cpus(core, guest->emulator, FALSE, NULL);
	const EngineCpuModel *model = models ? cpu_closest(models) : NULL;
	if (!model)
		return; /* the engine tells of no models: it stays as it is */
	const EngineCpuModel *host = g_ptr_array_index(models->models, 0);
	gboolean whole = !g_strcmp0(cpu->mode, "host-model");
	put(&cpu->mode, "custom");
	put(&cpu->match, "exact");
	if (!cpu->check)
		put(&cpu->check, "partial");
	put(&cpu->model, model->name);
	if (!cpu->fallback)
		put(&cpu->fallback, "allow");
	if (whole && models->vendor)
		put(&cpu->vendor, models->vendor);
	add_features(cpu, host->features, model->features);
}

/* ---- for another host ---- */

static gboolean is_implied_controller(const Controller *controller)
{
	if (opt_uint_or(controller->index, 0) != 0)
		return FALSE;
	return (controller->type == CONTROLLER_USB && !g_strcmp0(controller->model, "piix3-uhci")) ||
	       (controller->type == CONTROLLER_PCI && !g_strcmp0(controller->model, "pci-root"));
}

static gboolean is_implied_input(const Input *input)
{
	return !g_strcmp0(input->bus, "ps2") && !g_strcmp0(input->type, "keyboard");
}

static void drop(GPtrArray *list, guint at, const Shape *shape)
{
	shape_free(shape, g_ptr_array_remove_index(list, at));
}

/* What libvirt leaves out, for hosts that do not know it and have it anyway. */
static void make_migratable(Guest *guest)
{
	for (guint i = shape_len(guest->controllers); i-- > 0;)
		if (is_implied_controller(guest->controllers->pdata[i]))
			drop(guest->controllers, i, &controller_shape);
	for (guint i = shape_len(guest->inputs); i-- > 0;)
		if (is_implied_input(guest->inputs->pdata[i]))
			drop(guest->inputs, i, &input_shape);
	for (guint i = shape_len(guest->audios); i-- > 0;)
		if (!g_strcmp0(((const Audio *)guest->audios->pdata[i])->type, "none"))
			drop(guest->audios, i, &audio_shape);
}

/* ---- dumpxml ---- */

static gboolean dumpxml(OpCall *call, GError **error)
{
	const DumpArgs *args = call->args;
	gboolean secrets = args->security_info || args->migratable;
	if (secrets && call->caller.read_only)
		return fail(error, LODGE_ERROR_DENIED,
			    "passwords are not shown on a read-only connection");
	g_autoptr(Definition) definition =
		core_guest_definition(call->guest, args->inactive, error);
	if (!definition)
		return FALSE;
	guint flags = (args->inactive ? 0 : SHAPE_XML_LIVE) | (secrets ? SHAPE_XML_SECRETS : 0);
	Text *result = call->result;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	gboolean was_live = args->inactive && !snap->persistent; /* there is no other definition */
	if (!args->update_cpu && !args->migratable && !was_live) {
		result->text = guest_to_xml(definition->guest, flags);
		return TRUE;
	}
	g_autoptr(Guest) guest = guest_copy(definition->guest);
	if (was_live)
		guest_drop_live(guest);
	if (args->update_cpu)
		update_cpu(call->core, guest);
	if (args->migratable)
		make_migratable(guest);
	result->text = guest_to_xml(guest, flags);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "dumpxml", .family = "Guests", .target = OP_ON_GUEST, .perm = OP_PERM_READ,
	  .lane = OP_BESIDE, .method = "GET", .route = "/v1/guests/{guest}/xml", .args = &dump_args,
	  .result = &text_shape, .show = OP_SHOW_TEXT, .doc = "Show a guest's definition",
	  .fn = dumpxml },
};

const OpFamily op_family_guest_xml = { ops, G_N_ELEMENTS(ops) };

/* Verbs that change what a guest may use: memory, CPUs, limits of disks. Each without a value shows what
 * stands. --config changes the definition; --live, where a verb has it, what runs. Names, options and
 * texts are virsh's. Neighbours: guest_devices.c and guest_cpus.c show what is used. */
#include "core/core.h"
#include "model/guest_parts.h"
#include "ops/families.h"
#include "ops/tune.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ON_GUEST(perm_, lane_)                                                                     \
	.family = "Limits", .target = OP_ON_GUEST, .method = "POST", .perm = perm_, .lane = lane_

#define CONFIG_ROW(T) FLAG(T, config, NULL, .doc = "of what the next start will use")
#define LIVE_ROW(T) FLAG(T, live, NULL, .doc = "of what runs")

/* ---- shared ---- */

typedef struct Text {
	ShapeHead head;
	char *text;
} Text;

static const Row text_rows[] = { STRING(Text, text, NULL, .flags = ROW_VERBATIM) };
static const Shape text_shape = SHAPE("limits", Text, text_rows);

typedef struct Edit {
	GuestEditFn fn;
	gpointer args;
} Edit;

/* A change that leaves a definition which cannot be is none. */
static gboolean edit_and_check(Guest *guest, gpointer data, GError **error)
{
	const Edit *edit = data;
	g_auto(Notes) notes = { 0 };
	return edit->fn(guest, edit->args, error) && shape_check(&guest_shape, guest, &notes, error);
}

gboolean tune_edit(OpCall *call, gboolean live, gboolean config, GuestEditFn fn, gpointer args,
		   GError **error)
{
	Edit edit = { fn, args };
	return core_guest_edit(call->guest, live, config, edit_and_check, &edit, error);
}

/* For what does not change while a guest runs. */
static gboolean edit_config(OpCall *call, gboolean config, GuestEditFn fn, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (snap->live && !config)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" runs, and this does not change while it "
			    "does; --config changes what its next start will use", snap->name);
	return tune_edit(call, FALSE, TRUE, fn, call->args, error);
}

gboolean tune_may_write(OpCall *call, GError **error)
{
	return !call->caller.read_only ||
	       fail(error, LODGE_ERROR_DENIED, "a read-only connection changes nothing");
}

json_t *tune_ask(OpCall *call, const char *command, json_t *arguments, GError **error)
{
	json_t *message = json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
	char *text = json_dumps(message, JSON_COMPACT);
	g_autofree char *answer = core_guest_ask(call->guest, ENGINE_ASK_MONITOR, text, error);
	json_t *json = answer ? json_loads(answer, 0, NULL) : NULL;
	json_t *result = json_incref(json_object_get(json, "return"));
	const char *why = json_string_value(json_object_get(json_object_get(json, "error"), "desc"));
	if (answer && !result)
		fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": QEMU refused %s: %s", call->target, command,
		     why ? why : "no reason given");
	free(text);
	json_decref(json);
	json_decref(message);
	return result;
}

static void add_line(GString *out, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void add_line(GString *out, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *value = g_strdup_vprintf(format, args);
	va_end(args);
	g_string_append_printf(out, "%-15s: %s\n", name, value);
}

/* ---- setmem, setmaxmem ---- */

typedef struct MemArgs {
	ShapeHead head;
	OptUint size;
	gboolean config, live;
} MemArgs;

#define SIZE_ROW                                                                                   \
	SIZE(MemArgs, size, NULL, .words = "KiB", .flags = ROW_POSITIONAL | ROW_REQUIRED,          \
	     .doc = "how much, in KiB where no unit is said")

static const Row mem_rows[] = { SIZE_ROW, CONFIG_ROW(MemArgs), LIVE_ROW(MemArgs) };
static const Shape mem_args = SHAPE("setmem-args", MemArgs, mem_rows);
static const Row maxmem_rows[] = { SIZE_ROW, CONFIG_ROW(MemArgs) };
static const Shape maxmem_args = SHAPE("setmaxmem-args", MemArgs, maxmem_rows);

static gboolean edit_maxmem(Guest *guest, gpointer data, G_GNUC_UNUSED GError **error)
{
	const MemArgs *args = data;
	guest->memory = args->size;
	if (guest->current_memory.set && guest->current_memory.v > args->size.v)
		guest->current_memory = args->size;
	return TRUE;
}

static gboolean setmaxmem(OpCall *call, GError **error)
{
	return edit_config(call, ((const MemArgs *)call->args)->config, edit_maxmem, error);
}

static gboolean edit_mem(Guest *guest, gpointer data, GError **error)
{
	const MemArgs *args = data;
	if (args->size.v > opt_uint_or(guest->memory, 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\" can have %" G_GUINT64_FORMAT " KiB at most: setmaxmem changes that",
			    guest->name, opt_uint_or(guest->memory, 0) / 1024);
	guest->current_memory = args->size;
	return TRUE;
}

#define BALLOON_WAITS 10 /* times 100 ms, until the guest has given the memory */

/* Asks the guest; what it has then is written down, whether it is what was asked for or not. */
static gboolean balloon(OpCall *call, const MemArgs *args, GError **error)
{
	MemArgs reached = *args;
	json_t *answer = tune_ask(call, "balloon", json_pack("{s:I}", "value", (json_int_t)args->size.v),
				  error);
	if (!answer)
		return FALSE;
	json_decref(answer);
	for (guint i = 0; i < BALLOON_WAITS; i++) {
		json_t *now = tune_ask(call, "query-balloon", NULL, error);
		if (!now)
			return FALSE;
		reached.size = OPT_UINT((guint64)json_integer_value(json_object_get(now, "actual")));
		json_decref(now);
		if (reached.size.v == args->size.v)
			break;
		g_usleep(100000);
	}
	if (reached.size.v != args->size.v)
		notes_add(&call->notes,
			  "the guest has %" G_GUINT64_FORMAT " KiB so far: it gives memory back where it "
			  "has a balloon driver, in its own time", reached.size.v / 1024);
	return tune_edit(call, TRUE, FALSE, edit_mem, &reached, error);
}

static gboolean setmem(OpCall *call, GError **error)
{
	const MemArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	gboolean live = args->live || (!args->config && snap->live);
	gboolean config = args->config || !live;
	if (live && !snap->live)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is not running", snap->name);
	if (live && args->size.v > opt_uint_or(snap->live->guest->memory, 0))
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\" cannot have more than it was started "
			    "with, %" G_GUINT64_FORMAT " KiB", snap->name,
			    opt_uint_or(snap->live->guest->memory, 0) / 1024);
	return (!config || tune_edit(call, FALSE, TRUE, edit_mem, call->args, error)) &&
	       (!live || balloon(call, args, error));
}

/* ---- setvcpus ---- */

typedef struct VcpuArgs {
	ShapeHead head;
	OptUint count;
	gboolean maximum, config;
} VcpuArgs;

static const Row vcpus_rows[] = {
	UINT(VcpuArgs, count, NULL, .min = 1, .max = 65535, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "how many"),
	FLAG(VcpuArgs, maximum, NULL, .doc = "the most that it can have"),
	CONFIG_ROW(VcpuArgs),
};
static const Shape vcpus_args = SHAPE("setvcpus-args", VcpuArgs, vcpus_rows);

static gboolean edit_vcpus(Guest *guest, gpointer data, GError **error)
{
	const VcpuArgs *args = data;
	guint64 most = args->maximum ? args->count.v : opt_uint_or(guest->vcpus, 1);
	guint64 now = args->maximum ? MIN(guest_vcpus_online(guest), most) : args->count.v;
	if (now > most)
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\" can have %u CPUs at most: setvcpus --maximum changes that",
			    guest->name, (guint)most);
	guest->vcpus = OPT_UINT(most);
	guest->vcpus_current = now == most ? (OptUint){ 0 } : OPT_UINT(now);
	return TRUE;
}

static gboolean setvcpus(OpCall *call, GError **error)
{
	return edit_config(call, ((const VcpuArgs *)call->args)->config, edit_vcpus, error);
}

/* ---- memtune ---- */

typedef struct MemtuneArgs {
	ShapeHead head;
	char *hard_limit, *soft_limit, *swap_hard_limit, *min_guarantee;
	gboolean config;
} MemtuneArgs;

#define LIMIT(m) STRING(MemtuneArgs, m, NULL, .doc = "in KiB where no unit is said; -1: no limit")
static const Row memtune_rows[] = {
	LIMIT(hard_limit), LIMIT(soft_limit), LIMIT(swap_hard_limit), LIMIT(min_guarantee),
	CONFIG_ROW(MemtuneArgs),
};
static const Shape memtune_args = SHAPE("memtune-args", MemtuneArgs, memtune_rows);

static const struct {
	const char *name;
	size_t given, member;
} limits[] = {
	{ "hard_limit", offsetof(MemtuneArgs, hard_limit), offsetof(MemoryTune, hard_limit) },
	{ "soft_limit", offsetof(MemtuneArgs, soft_limit), offsetof(MemoryTune, soft_limit) },
	{ "swap_hard_limit", offsetof(MemtuneArgs, swap_hard_limit), offsetof(MemoryTune, swap_hard_limit) },
	{ "min_guarantee", offsetof(MemtuneArgs, min_guarantee), offsetof(MemoryTune, min_guarantee) },
};

static const char *given_limit(const MemtuneArgs *args, guint i)
{
	return *(char *const *)((const char *)args + limits[i].given);
}

/* "4G", "1024 MiB", "1024"; without a unit KiB. */
static gboolean parse_size(const char *text, guint64 *bytes, GError **error)
{
	gsize digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	const char *unit = text + digits + strspn(text + digits, " ");
	return size_from_text(number, *unit ? unit : NULL, "KiB", bytes, error);
}

static gboolean edit_memtune(Guest *guest, gpointer data, GError **error)
{
	const MemtuneArgs *args = data;
	if (!guest->memtune)
		guest->memtune = shape_new(&memory_tune_shape);
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
		OptUint *member = (OptUint *)((char *)guest->memtune + limits[i].member);
		const char *text = given_limit(args, i);
		guint64 bytes;
		if (!text)
			continue;
		if (g_str_equal(text, "-1")) {
			*member = (OptUint){ 0 };
			continue;
		}
		if (!parse_size(text, &bytes, error)) {
			g_prefix_error(error, "%s: ", limits[i].name);
			return FALSE;
		}
		*member = OPT_UINT(bytes);
	}
	return TRUE;
}

static gboolean show_memtune(OpCall *call, gboolean config, GError **error)
{
	g_autoptr(Definition) definition = core_guest_definition(call->guest, config, error);
	if (!definition)
		return FALSE;
	const MemoryTune *tune = definition->guest->memtune;
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
		OptUint value = tune ? *(const OptUint *)((const char *)tune + limits[i].member) :
				       (OptUint){ 0 };
		if (value.set)
			add_line(out, limits[i].name, "%" G_GUINT64_FORMAT, value.v / 1024);
		else if (!g_str_equal(limits[i].name, "min_guarantee")) /* a guarantee is nothing, not all */
			add_line(out, limits[i].name, "unlimited");
	}
	((Text *)call->result)->text = g_string_free(out, FALSE);
	return TRUE;
}

static gboolean memtune(OpCall *call, GError **error)
{
	const MemtuneArgs *args = call->args;
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
		if (given_limit(args, i))
			return tune_may_write(call, error) &&
			       edit_config(call, args->config, edit_memtune, error);
	return show_memtune(call, args->config, error);
}

/* ---- schedinfo ---- */

typedef struct SchedArgs {
	ShapeHead head;
	GPtrArray *set;
	gboolean config;
} SchedArgs;

static const Row sched_rows[] = {
	STRINGS(SchedArgs, set, NULL, .flags = ROW_POSITIONAL | ROW_REST,
		.doc = "NAME=VALUE, such as cpu_shares=2048"),
	CONFIG_ROW(SchedArgs),
};
static const Shape sched_args = SHAPE("schedinfo-args", SchedArgs, sched_rows);

static const struct {
	const char *name;
	size_t member;
	gboolean is_signed;
} sched_members[] = {
	{ "cpu_shares", offsetof(CpuTune, shares), FALSE },
	{ "vcpu_period", offsetof(CpuTune, period), FALSE },
	{ "vcpu_quota", offsetof(CpuTune, quota), TRUE },
	{ "emulator_period", offsetof(CpuTune, emulator_period), FALSE },
	{ "emulator_quota", offsetof(CpuTune, emulator_quota), TRUE },
	{ "global_period", offsetof(CpuTune, global_period), FALSE },
	{ "global_quota", offsetof(CpuTune, global_quota), TRUE },
	{ "iothread_period", offsetof(CpuTune, iothread_period), FALSE },
	{ "iothread_quota", offsetof(CpuTune, iothread_quota), TRUE },
};

static gboolean set_sched(CpuTune *tune, const char *pair, GError **error)
{
	gsize n = strcspn(pair, "=");
	for (guint i = 0; i < G_N_ELEMENTS(sched_members); i++) {
		const char *name = sched_members[i].name;
		char *member = (char *)tune + sched_members[i].member;
		gint64 value;
		if (strlen(name) != n || strncmp(name, pair, n) != 0 || pair[n] != '=')
			continue;
		gboolean is_signed = sched_members[i].is_signed;
		if (!g_ascii_string_to_signed(pair + n + 1, 10, is_signed ? -1 : 0, G_MAXINT64 / 1000,
					      &value, NULL))
			return fail(error, LODGE_ERROR_INVALID, "%s: \"%s\" is no number that it can have",
				    name, pair + n + 1);
		if (is_signed)
			*(OptInt *)member = OPT_INT(value);
		else
			*(OptUint *)member = OPT_UINT((guint64)value);
		return TRUE;
	}
	return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not NAME=VALUE of the scheduler; schedinfo "
		    "without words shows the names", pair);
}

static gboolean edit_sched(Guest *guest, gpointer data, GError **error)
{
	const SchedArgs *args = data;
	if (!guest->cputune)
		guest->cputune = shape_new(&cpu_tune_shape);
	for (guint i = 0; i < args->set->len; i++)
		if (!set_sched(guest->cputune, g_ptr_array_index(args->set, i), error))
			return FALSE;
	return TRUE;
}

static gboolean schedinfo(OpCall *call, GError **error)
{
	const SchedArgs *args = call->args;
	gboolean changes = shape_len(args->set) > 0;
	if (changes && (!tune_may_write(call, error) || !edit_config(call, args->config, edit_sched, error)))
		return FALSE;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const CpuTune *tune = definition->guest->cputune;
	GString *out = g_string_new(NULL);
	add_line(out, "Scheduler", "%s", "posix");
	for (guint i = 0; i < G_N_ELEMENTS(sched_members); i++) {
		const char *member = tune ? (const char *)tune + sched_members[i].member : NULL;
		gint64 value = !member ? 0 : sched_members[i].is_signed ?
			opt_int_or(*(const OptInt *)member, 0) :
			(gint64)opt_uint_or(*(const OptUint *)member, 0);
		add_line(out, sched_members[i].name, "%" G_GINT64_FORMAT, value);
	}
	((Text *)call->result)->text = g_string_free(out, FALSE);
	return TRUE;
}

/* ---- numatune ---- */

typedef struct NumaArgs {
	ShapeHead head;
	int mode;
	char *nodeset;
	gboolean config;
} NumaArgs;

static const EnumTable numa_modes = ENUM_TABLE("mode", "strict", "preferred", "interleave", "restrictive");

static const Row numa_rows[] = {
	ENUM(NumaArgs, mode, NULL, numa_modes, .doc = "how strictly"),
	CPUSET(NumaArgs, nodeset, NULL, .doc = "the host's NUMA nodes: 0-1,3"),
	CONFIG_ROW(NumaArgs),
};
static const Shape numa_args = SHAPE("numatune-args", NumaArgs, numa_rows);

static gboolean edit_numa(Guest *guest, gpointer data, G_GNUC_UNUSED GError **error)
{
	const NumaArgs *args = data;
	if (!guest->numatune)
		guest->numatune = shape_new(&numa_tune_shape);
	NumaTune *tune = guest->numatune;
	if (args->mode || !tune->mode) {
		g_free(tune->mode);
		tune->mode = g_strdup(args->mode ? enum_name(&numa_modes, args->mode) : "strict");
	}
	if (args->nodeset) {
		g_free(tune->nodeset);
		tune->nodeset = g_strdup(args->nodeset);
		g_clear_pointer(&tune->placement, g_free);
	}
	return tune->nodeset || fail(error, LODGE_ERROR_INVALID, "say the nodes: --nodeset 0");
}

static gboolean numatune(OpCall *call, GError **error)
{
	const NumaArgs *args = call->args;
	if (args->mode || args->nodeset)
		return tune_may_write(call, error) && edit_config(call, args->config, edit_numa, error);
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	const NumaTune *tune = definition->guest->numatune;
	GString *out = g_string_new(NULL);
	add_line(out, "numa_mode", "%s", tune && tune->mode ? tune->mode : "strict");
	add_line(out, "numa_nodeset", "%s", tune && tune->nodeset ? tune->nodeset : "");
	((Text *)call->result)->text = g_string_free(out, FALSE);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "setmem", .route = "/v1/guests/{guest}/memory", ON_GUEST(OP_PERM_WRITE, OP_LANE),
	  .args = &mem_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Change how much memory a guest has", .fn = setmem },
	{ .name = "setmaxmem", .route = "/v1/guests/{guest}/memory/maximum",
	  ON_GUEST(OP_PERM_WRITE, OP_LANE), .args = &maxmem_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Change how much memory a guest can have", .fn = setmaxmem },
	{ .name = "setvcpus", .route = "/v1/guests/{guest}/vcpus", ON_GUEST(OP_PERM_WRITE, OP_LANE),
	  .args = &vcpus_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Change how many CPUs a guest has", .fn = setvcpus },
	{ .name = "memtune", .route = "/v1/guests/{guest}/memtune", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &memtune_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change the limits of a guest's memory", .fn = memtune },
	{ .name = "schedinfo", .route = "/v1/guests/{guest}/schedinfo", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &sched_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change a guest's share of processor time", .fn = schedinfo },
	{ .name = "numatune", .route = "/v1/guests/{guest}/numatune", ON_GUEST(OP_PERM_READ, OP_LANE),
	  .args = &numa_args, .result = &text_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show or change the NUMA nodes of a guest's memory", .fn = numatune },
};

const OpFamily op_family_guest_tune = { ops, G_N_ELEMENTS(ops) };

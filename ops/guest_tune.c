/* Verbs that change how much a guest has: memory and CPUs.
 * --config changes the definition; --live, where a verb has it, what runs. Names, options and
 * texts are virsh's. Neighbours: guest_bounds.c bounds what it may use; guest_devices.c and
 * guest_cpus.c show what is used. */
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

typedef struct Edit {
	GuestEditFn fn;
	gpointer args;
} Edit;

/* A change that leaves a definition which cannot be is none. */
static gboolean edit_and_check(Guest *guest, gpointer data, GError **error)
{
	const Edit *edit = data;
	g_auto(Notes) notes = { 0 };
	if (!edit->fn(guest, edit->args, error) || !shape_check(&guest_shape, guest, &notes, error))
		return FALSE;
	/* nor is one that cannot be read again */
	g_autofree char *xml = guest_to_xml(guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autoptr(Guest) again = guest_from_xml(xml, -1, NULL, &notes, error);
	return again != NULL;
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

gboolean tune_is_live(OpCall *call, gboolean live, gboolean config)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	return live || (!config && snap->live);
}

void tune_tell(OpCall *call, json_t *params)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (json_object_size(params) > 0) {
		CoreEvent *event = g_new0(CoreEvent, 1);
		*event = (CoreEvent){ .kind = "tunable", .guest = g_strdup(snap->name), .id = snap->id,
				      .time = g_get_real_time(), .json = json_dumps(params, JSON_COMPACT) };
		g_strlcpy(event->uuid, snap->uuid, sizeof event->uuid);
		core_publish(call->core, event);
	}
	json_decref(params);
}

gboolean tune_change(OpCall *call, gboolean live, gboolean config, GuestEditFn fn, TuneNowFn now,
		     GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	live = live || (!config && snap->live);
	if (!tune_may_write(call, error))
		return FALSE;
	if (live && !snap->live)
		return guest_not_running(snap->name, error);
	if (live && !now)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\" runs, and this does not change while "
			    "it does; --config changes what its next start will use",
			    snap->name);
	if (live) {
		g_autoptr(Guest) wanted = guest_copy(snap->live->guest);
		if (!fn(wanted, call->args, error) || !now(call, snap->live->guest, wanted, error))
			return FALSE;
	}
	return tune_edit(call, live, config || !live, fn, call->args, error);
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

/* ---- setmem, setmaxmem ---- */

typedef struct MemArgs {
	ShapeHead head;
	OptUint size;
	gboolean config, live;
} MemArgs;

#define SIZE_ROW                                                                                   \
	SIZE(MemArgs, size, NULL, .words = "KiB", .flags = ROW_POSITIONAL | ROW_REQUIRED,          \
	     .doc = "how much, in KiB where no unit is said")

static gboolean check_mem(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const MemArgs *args = object;
	return args->size.v >= 1024 ||
	       fail(error, LODGE_ERROR_INVALID, "a guest needs memory: at least 1 KiB");
}

static const Row mem_rows[] = { SIZE_ROW, CONFIG_ROW(MemArgs), LIVE_ROW(MemArgs) };
static const Shape mem_args = SHAPE("setmem-args", MemArgs, mem_rows, .check = check_mem);
static const Row maxmem_rows[] = { SIZE_ROW, CONFIG_ROW(MemArgs) };
static const Shape maxmem_args = SHAPE("setmaxmem-args", MemArgs, maxmem_rows, .check = check_mem);

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
		return guest_not_running(snap->name, error);
	if (live && args->size.v > opt_uint_or(snap->live->guest->memory, 0))
		return fail(error, LODGE_ERROR_INVALID, "guest \"%s\" cannot have more than it was started "
			    "with, %" G_GUINT64_FORMAT " KiB", snap->name,
			    opt_uint_or(snap->live->guest->memory, 0) / 1024);
	return (!config || tune_edit(call, FALSE, TRUE, edit_mem, call->args, error)) &&
	       (!live || balloon(call, args, error));
}

/* ---- CPUs one by one ---- */

static Vcpu *vcpu_of(const Guest *guest, guint64 id)
{
	SHAPE_EACH (Vcpu, vcpu, guest->vcpu_list)
		if (vcpu->id.v == id)
			return vcpu;
	return NULL;
}

/* A row for each CPU, in order; a count alone means the first ones. */
static void name_vcpus(Guest *guest)
{
	guint64 most = opt_uint_or(guest->vcpus, 1), online = opt_uint_or(guest->vcpus_current, most);
	GPtrArray *rows = NULL;
	gboolean named = shape_len(guest->vcpu_list) > 0;
	for (guint64 id = 0; id < most; id++) {
		Vcpu *own = vcpu_of(guest, id), *vcpu = own ? shape_copy(&vcpu_shape, own)
							      : shape_new(&vcpu_shape);
		vcpu->id = OPT_UINT(id);
		vcpu->order = (OptUint){ 0 }; /* it may not be right any more */
		if (!named)
			vcpu->enabled = id < online ? TRI_YES : TRI_NO;
		if (vcpu->enabled == TRI_ABSENT)
			vcpu->enabled = TRI_NO;
		if (vcpu->hotpluggable == TRI_ABSENT)
			vcpu->hotpluggable = vcpu->enabled == TRI_YES ? TRI_NO : TRI_YES;
		shape_append(&rows, &vcpu_shape, vcpu);
	}
	SHAPE_EACH (Vcpu, old, guest->vcpu_list)
		shape_free(&vcpu_shape, old);
	g_clear_pointer(&guest->vcpu_list, g_ptr_array_unref);
	guest->vcpu_list = rows;
}

/* Has @online of them run: the first ones that do not, or not the last ones that do. */
static void fit_vcpus(Guest *guest, guint64 online)
{
	guint64 now = 0;
	if (!shape_len(guest->vcpu_list))
		return;
	name_vcpus(guest);
	SHAPE_EACH (Vcpu, vcpu, guest->vcpu_list)
		now += vcpu->enabled == TRI_YES;
	SHAPE_EACH (Vcpu, off, guest->vcpu_list)
		if (now < online && off->enabled == TRI_NO) {
			off->enabled = TRI_YES;
			off->hotpluggable = TRI_NO;
			now++;
		}
	for (guint i = guest->vcpu_list->len; i-- > 1 && now > online;) {
		Vcpu *on = g_ptr_array_index(guest->vcpu_list, i);
		now -= on->enabled == TRI_YES;
		on->enabled = TRI_NO;
		on->hotpluggable = TRI_YES;
	}
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
	fit_vcpus(guest, now);
	return TRUE;
}

static gboolean setvcpus(OpCall *call, GError **error)
{
	return edit_config(call, ((const VcpuArgs *)call->args)->config, edit_vcpus, error);
}

/* ---- setvcpu ---- */

typedef struct OneVcpuArgs {
	ShapeHead head;
	char *vcpulist;
	gboolean enable, disable, config, live, current;
} OneVcpuArgs;

static gboolean check_onevcpu(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const OneVcpuArgs *args = object;
	return args->enable != args->disable ||
	       fail(error, LODGE_ERROR_INVALID, "one of --enable, --disable is required");
}

static const Row onevcpu_rows[] = {
	CPUSET(OneVcpuArgs, vcpulist, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "numbers of CPUs: 1-2,^3"),
	FLAG(OneVcpuArgs, enable, NULL, .doc = "the guest has them"),
	FLAG(OneVcpuArgs, disable, NULL, .doc = "it can have them, and has them not"),
	CONFIG_ROW(OneVcpuArgs), LIVE_ROW(OneVcpuArgs),
	FLAG(OneVcpuArgs, current, NULL, .doc = "of what runs, or of what the next start will use"),
};
static const Shape onevcpu_args = SHAPE("setvcpu-args", OneVcpuArgs, onevcpu_rows, .check = check_onevcpu);

/* Those that stay for good come first. */
static gboolean may_change(const Guest *guest, const cpu_set_t *set, GError **error)
{
	guint first = 0;
	if (CPU_ISSET(0, set))
		return fail(error, LODGE_ERROR_INVALID, "vCPU '0' can't be modified");
	while (!CPU_ISSET(first, set))
		first++;
	SHAPE_EACH (Vcpu, vcpu, guest->vcpu_list)
		if (vcpu->id.v > first && !CPU_ISSET(vcpu->id.v, set) && vcpu->enabled == TRI_YES &&
		    vcpu->hotpluggable == TRI_NO)
			return fail(error, LODGE_ERROR_INVALID,
				    "vcpu '%u' can't be modified as it is followed by non-hotpluggable "
				    "online vcpus", first);
	return TRUE;
}

static gboolean edit_onevcpu(Guest *guest, gpointer data, GError **error)
{
	const OneVcpuArgs *args = data;
	guint64 most = opt_uint_or(guest->vcpus, 1), online = 0;
	cpu_set_t set;
	if (!tune_cpuset(args->vcpulist, &set, error))
		return FALSE;
	for (guint i = CPU_SETSIZE; i-- > most;)
		if (CPU_ISSET(i, &set))
			return fail(error, LODGE_ERROR_INVALID,
				    "vcpu %u is not present in persistent config", i);
	name_vcpus(guest);
	if (!may_change(guest, &set, error))
		return FALSE;
	SHAPE_EACH (Vcpu, vcpu, guest->vcpu_list) {
		if (CPU_ISSET(vcpu->id.v, &set)) {
			vcpu->enabled = args->enable ? TRI_YES : TRI_NO;
			vcpu->hotpluggable = TRI_YES;
		}
		online += vcpu->enabled == TRI_YES;
	}
	guest->vcpus_current = online == most ? (OptUint){ 0 } : OPT_UINT(online);
	return TRUE;
}

static gboolean setvcpu(OpCall *call, GError **error)
{
	const OneVcpuArgs *args = call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (args->live || (snap->live && !args->config))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": CPUs are not plugged while it runs; --config changes what its "
			    "next start will use", snap->name);
	return tune_edit(call, FALSE, TRUE, edit_onevcpu, call->args, error);
}

/* ---- memstat-period ---- */

typedef struct PeriodArgs {
	ShapeHead head;
	OptUint period;
	gboolean config, live;
} PeriodArgs;

static const Row period_rows[] = {
	UINT(PeriodArgs, period, NULL, .max = G_MAXINT32, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "seconds from one time to the next; 0: it does not tell"),
	CONFIG_ROW(PeriodArgs), LIVE_ROW(PeriodArgs),
};
static const Shape period_args = SHAPE("memstat-period-args", PeriodArgs, period_rows);

static gboolean edit_period(Guest *guest, gpointer data, GError **error)
{
	if (!guest->memballoon || !g_strcmp0(guest->memballoon->model, "none"))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "guest \"%s\" has no memory balloon, which tells "
			    "what it uses", guest->name);
	guest->memballoon->stats_period = ((const PeriodArgs *)data)->period;
	return TRUE;
}

static gboolean period_now(OpCall *call, G_GNUC_UNUSED const Guest *before, const Guest *wanted,
			   GError **error)
{
	g_autofree char *path = g_strconcat("/machine/peripheral/", wanted->memballoon->info.alias, NULL);
	json_t *set = json_pack("{s:s, s:s, s:I}", "path", path, "property", "guest-stats-polling-interval",
				"value", (json_int_t)wanted->memballoon->stats_period.v);
	json_t *done = tune_ask(call, "qom-set", set, error);
	json_decref(done);
	return done != NULL;
}

static gboolean memstat_period(OpCall *call, GError **error)
{
	const PeriodArgs *args = call->args;
	return tune_change(call, args->live, args->config, edit_period, period_now, error);
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
	{ .name = "setvcpu", .route = "/v1/guests/{guest}/vcpu", ON_GUEST(OP_PERM_WRITE, OP_LANE),
	  .args = &onevcpu_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Choose which of its CPUs a guest has", .fn = setvcpu },
	{ .name = "memstat-period", .route = "/v1/guests/{guest}/memory/period",
	  ON_GUEST(OP_PERM_WRITE, OP_LANE), .args = &period_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Change how often a guest tells what memory it uses", .fn = memstat_period },
};

const OpFamily op_family_guest_tune = { ops, G_N_ELEMENTS(ops) };

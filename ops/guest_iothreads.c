/* Verbs about a guest's I/O threads: which there are, more and fewer of them, how they poll, where they may
 * run. Names, options and texts are virsh's. Neighbours: guest_cpus.c pins CPUs; tune.h changes. */
#include "model/guest_parts.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/tune.h"

#include <errno.h>
#include <string.h>

#define ON_GUEST(perm_)                                                                            \
	.family = "Limits", .target = OP_ON_GUEST, .method = "POST", .perm = perm_, .lane = OP_LANE

typedef struct IoArgs {
	ShapeHead head;
	OptUint id, poll_max_ns, poll_grow, poll_shrink, thread_pool_min, thread_pool_max;
	char *cpulist;
	gboolean config, live, current;
} IoArgs;

#define WHEN_ROWS                                                                                  \
	FLAG(IoArgs, config, NULL, .doc = "of what the next start will use"),                      \
		FLAG(IoArgs, live, NULL, .doc = "of what runs"),                                   \
		FLAG(IoArgs, current, NULL, .doc = "of what runs, or of what the next start will use")
#define ID_ROW                                                                                     \
	UINT(IoArgs, id, NULL, .min = 1, .max = G_MAXUINT32, .flags = ROW_POSITIONAL | ROW_REQUIRED, \
	     .doc = "number of the thread")

static const Row info_rows[] = { WHEN_ROWS };
static const Shape info_args = SHAPE("iothreadinfo-args", IoArgs, info_rows);
static const Row id_rows[] = { ID_ROW, WHEN_ROWS };
static const Shape id_args = SHAPE("iothread-args", IoArgs, id_rows);
static const Row set_rows[] = {
	ID_ROW,
	UINT(IoArgs, poll_max_ns, NULL, .max = G_MAXINT64,
	     .doc = "nanoseconds it polls at most; 0: not at all"),
	UINT(IoArgs, poll_grow, NULL, .max = G_MAXINT32, .doc = "factor by which that grows"),
	UINT(IoArgs, poll_shrink, NULL, .max = G_MAXINT32, .doc = "divisor by which it shrinks"),
	UINT(IoArgs, thread_pool_min, NULL, .max = G_MAXINT32, .doc = "helpers it keeps"),
	UINT(IoArgs, thread_pool_max, NULL, .max = G_MAXINT32, .doc = "helpers it may have"),
	WHEN_ROWS,
};
static const Shape set_args = SHAPE("iothreadset-args", IoArgs, set_rows);
static const Row pin_rows[] = {
	ID_ROW,
	CPUSET(IoArgs, cpulist, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "the host's processors: 0-3,^2"),
	WHEN_ROWS,
};
static const Shape pin_args = SHAPE("iothreadpin-args", IoArgs, pin_rows);

/* ---- in a definition ---- */

static IoThread *thread_of(const Guest *guest, guint64 id)
{
	SHAPE_EACH (IoThread, thread, guest->iothread_ids)
		if (thread->id.v == id)
			return thread;
	return NULL;
}

static IoThread *add_thread(Guest *guest, guint64 id)
{
	IoThread *thread = shape_new(&iothread_shape);
	thread->id = OPT_UINT(id);
	shape_append(&guest->iothread_ids, &iothread_shape, thread);
	return thread;
}

/* Names every thread: a count alone means the smallest numbers that are free. */
static void name_all(Guest *guest)
{
	guint64 count = opt_uint_or(guest->iothreads, shape_len(guest->iothread_ids));
	for (guint64 id = 1; shape_len(guest->iothread_ids) < count; id++)
		if (!thread_of(guest, id))
			add_thread(guest, id);
}

static gboolean lacks(const Guest *guest, guint64 id, GError **error)
{
	return fail(error, LODGE_ERROR_INVALID, "guest \"%s\" has no IOThread %" G_GUINT64_FORMAT,
		    guest->name, id);
}

static gboolean edit_add(Guest *guest, gpointer data, GError **error)
{
	guint64 id = ((const IoArgs *)data)->id.v;
	name_all(guest);
	if (thread_of(guest, id))
		return fail(error, LODGE_ERROR_INVALID,
			    "an IOThread is already using iothread_id '%" G_GUINT64_FORMAT "'", id);
	add_thread(guest, id);
	guest->iothreads = OPT_UINT(shape_len(guest->iothread_ids));
	return TRUE;
}

static gboolean edit_del(Guest *guest, gpointer data, GError **error)
{
	guint64 id = ((const IoArgs *)data)->id.v;
	name_all(guest);
	if (!thread_of(guest, id))
		return lacks(guest, id, error);
	SHAPE_EACH (Disk, disk, guest->disks)
		if (disk->iothread.set && disk->iothread.v == id)
			return fail(error, LODGE_ERROR_INVALID,
				    "cannot remove IOThread %" G_GUINT64_FORMAT
				    " since it is being used by disk '%s'",
				    id, disk->target);
	for (guint i = 0; i < guest->iothread_ids->len; i++) {
		IoThread *thread = g_ptr_array_index(guest->iothread_ids, i);
		if (thread->id.v != id)
			continue;
		g_ptr_array_remove_index(guest->iothread_ids, i);
		shape_free(&iothread_shape, thread);
		break;
	}
	guest->iothreads = OPT_UINT(guest->iothread_ids->len);
	return TRUE;
}

/* What polling needs stands nowhere in a definition: only the pool of helpers does. */
static gboolean edit_set(Guest *guest, gpointer data, GError **error)
{
	const IoArgs *args = data;
	name_all(guest);
	IoThread *thread = thread_of(guest, args->id.v);
	if (!thread)
		return lacks(guest, args->id.v, error);
	if (args->thread_pool_min.set)
		thread->pool_min = args->thread_pool_min;
	if (args->thread_pool_max.set)
		thread->pool_max = args->thread_pool_max;
	return TRUE;
}

static CpuPin *pin_of(const CpuTune *tune, guint64 id)
{
	SHAPE_EACH (CpuPin, pin, tune ? tune->iothreadpins : NULL)
		if (pin->iothread.v == id)
			return pin;
	return NULL;
}

static gboolean edit_pin(Guest *guest, gpointer data, GError **error)
{
	const IoArgs *args = data;
	name_all(guest);
	if (!thread_of(guest, args->id.v))
		return lacks(guest, args->id.v, error);
	if (!guest->cputune)
		guest->cputune = shape_new(&cpu_tune_shape);
	CpuPin *pin = pin_of(guest->cputune, args->id.v);
	if (!pin) {
		pin = shape_new(&iothreadpin_shape);
		pin->iothread = args->id;
		shape_append(&guest->cputune->iothreadpins, &iothreadpin_shape, pin);
	}
	g_free(pin->cpuset);
	pin->cpuset = g_strdup(args->cpulist);
	return TRUE;
}

/* ---- of what runs ---- */

static gboolean done(json_t *answer)
{
	json_decref(answer);
	return answer != NULL;
}

static char *object_name(const IoArgs *args)
{
	return g_strdup_printf("iothread%" G_GUINT64_FORMAT, args->id.v);
}

static gboolean add_now(OpCall *call, G_GNUC_UNUSED const Guest *before, G_GNUC_UNUSED const Guest *wanted,
			GError **error)
{
	g_autofree char *name = object_name(call->args);
	return done(tune_ask(call, "object-add", json_pack("{s:s, s:s}", "qom-type", "iothread", "id", name),
			     error));
}

static gboolean del_now(OpCall *call, G_GNUC_UNUSED const Guest *before, G_GNUC_UNUSED const Guest *wanted,
			GError **error)
{
	g_autofree char *name = object_name(call->args);
	return done(tune_ask(call, "object-del", json_pack("{s:s}", "id", name), error));
}

static gboolean set_now(OpCall *call, G_GNUC_UNUSED const Guest *before, G_GNUC_UNUSED const Guest *wanted,
			GError **error)
{
	const IoArgs *args = call->args;
	g_autofree char *name = object_name(args), *path = g_strconcat("/objects/", name, NULL);
	const struct {
		const char *property;
		OptUint value;
	} given[] = {
		{ "poll-max-ns", args->poll_max_ns },	       { "poll-grow", args->poll_grow },
		{ "poll-shrink", args->poll_shrink },	       { "thread-pool-max", args->thread_pool_max },
		{ "thread-pool-min", args->thread_pool_min },
	};
	for (guint i = 0; i < G_N_ELEMENTS(given); i++)
		if (given[i].value.set &&
		    !done(tune_ask(call, "qom-set",
				   json_pack("{s:s, s:s, s:I}", "path", path, "property", given[i].property,
					     "value", (json_int_t)given[i].value.v), error)))
			return FALSE;
	return TRUE;
}

static gboolean pin_now(OpCall *call, G_GNUC_UNUSED const Guest *before, G_GNUC_UNUSED const Guest *wanted,
			GError **error)
{
	const IoArgs *args = call->args;
	g_autofree char *name = object_name(args);
	cpu_set_t set;
	json_t *threads = tune_cpuset(args->cpulist, &set, error)
				  ? tune_ask(call, "query-iothreads", NULL, error) : NULL, *one;
	pid_t tid = 0;
	size_t i;
	json_array_foreach (threads, i, one)
		if (!g_strcmp0(json_string_value(json_object_get(one, "id")), name))
			tid = (pid_t)json_integer_value(json_object_get(one, "thread-id"));
	if (!done(threads))
		return FALSE;
	if (!tid)
		return fail(error, LODGE_ERROR_INVALID, "%s does not run", name);
	return sched_setaffinity(tid, sizeof set, &set) == 0 ||
	       fail_errno(error, errno, "cannot move %s to processors %s", name, args->cpulist);
}

/* ---- the verbs ---- */

static gboolean change(OpCall *call, GuestEditFn edit, TuneNowFn now, GError **error)
{
	const IoArgs *args = call->args;
	return tune_change(call, args->live, args->config, edit, now, error);
}

static gboolean thread_add(OpCall *call, GError **error)
{
	return change(call, edit_add, add_now, error);
}

static gboolean thread_del(OpCall *call, GError **error)
{
	return change(call, edit_del, del_now, error);
}

static gboolean thread_set(OpCall *call, GError **error)
{
	return change(call, edit_set, set_now, error);
}

static gboolean thread_pin(OpCall *call, GError **error)
{
	const IoArgs *args = call->args;
	gboolean live = tune_is_live(call, args->live, args->config);
	if (!change(call, edit_pin, pin_now, error))
		return FALSE;
	cpu_set_t set;
	if (live && tune_cpuset(args->cpulist, &set, NULL)) {
		g_autofree char *cpus = tune_set_text(&set);
		g_autofree char *name = g_strdup_printf("cputune.iothreadpin%" G_GUINT64_FORMAT, args->id.v);
		tune_tell(call, json_pack("{s:s}", name, cpus));
	}
	return TRUE;
}

static gboolean thread_info(OpCall *call, GError **error)
{
	const IoArgs *args = call->args;
	Params *result = call->result;
	g_autoptr(Definition) definition = core_guest_definition(call->guest, args->config, error);
	if (!definition)
		return FALSE;
	g_autoptr(Guest) guest = guest_copy(definition->guest);
	g_autofree char *all = tune_every_cpu();
	name_all(guest);
	if (!shape_len(guest->iothread_ids)) {
		result->text = g_strdup("No IOThreads found for the domain\n");
		return TRUE;
	}
	GString *out = g_string_new(" IOThread ID   CPU Affinity\n-----------------------------\n");
	SHAPE_EACH (IoThread, thread, guest->iothread_ids) {
		const CpuPin *pin = pin_of(guest->cputune, thread->id.v);
		const char *set = pin && pin->cpuset   ? pin->cpuset
				  : guest->vcpu_cpuset ? guest->vcpu_cpuset
						       : all;
		g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, thread->id.v);
		param_add_text(&result->params, number, set);
		g_string_append_printf(out, " %-11s   %s\n", number, set);
	}
	result->text = g_string_free(out, FALSE);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "iothreadinfo", .family = "Limits", .target = OP_ON_GUEST, .method = "GET",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .route = "/v1/guests/{guest}/iothreads",
	  .args = &info_args, .result = &params_shape, .show = OP_SHOW_TEXT,
	  .doc = "Show a guest's I/O threads", .fn = thread_info },
	{ .name = "iothreadadd", .route = "/v1/guests/{guest}/iothreads", ON_GUEST(OP_PERM_WRITE),
	  .args = &id_args, .show = OP_SHOW_MESSAGE, .said = "", .doc = "Give a guest one more I/O thread",
	  .fn = thread_add },
	{ .name = "iothreaddel", .route = "/v1/guests/{guest}/iothreads/remove", ON_GUEST(OP_PERM_WRITE),
	  .args = &id_args, .show = OP_SHOW_MESSAGE, .said = "", .doc = "Take an I/O thread from a guest",
	  .fn = thread_del },
	{ .name = "iothreadset", .route = "/v1/guests/{guest}/iothreads/set", ON_GUEST(OP_PERM_WRITE),
	  .args = &set_args, .show = OP_SHOW_MESSAGE, .said = "", .doc = "Change how an I/O thread polls",
	  .fn = thread_set },
	{ .name = "iothreadpin", .route = "/v1/guests/{guest}/iothreads/pin", ON_GUEST(OP_PERM_WRITE),
	  .args = &pin_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Change where an I/O thread may run", .fn = thread_pin },
};

const OpFamily op_family_guest_iothreads = { ops, G_N_ELEMENTS(ops) };

/* The only door inward: every call of every door goes through op_dispatch(), which checks the caller
 * and the arguments, finds the target, runs the verb where its row says, logs, and reports.
 * Neighbours: doors in wire/ above, core/ below. */
#include "base/log.h"
#include "core/object.h"
#include "ops/ops.h"
#include "ops/transfer.h"

#include <string.h>
#include <unistd.h>

/* What dispatch.c alone knows of a call. */
typedef struct Running {
	OpCall call; /* first: the doors' view */
	gint64 since; /* monotonic; 0: it is not logged */
	GError *error;
} Running;

static guint running_calls, all_calls; /* main loop only */
static Running *spare[16]; /* main loop only */
static guint n_spare;

guint op_running(void)
{
	return running_calls;
}

guint op_count(void)
{
	return all_calls;
}

/* Calls come by the hundred thousand: some structs are kept. */
static Running *running_new(void)
{
	Running *running = n_spare ? spare[--n_spare] : g_new(Running, 1);
	memset(running, 0, sizeof *running);
	return running;
}

static void running_free(Running *running)
{
	if (n_spare < G_N_ELEMENTS(spare))
		spare[n_spare++] = running;
	else
		g_free(running);
}

OpCall *op_call_new(Core *core, const Op *op)
{
	Running *running = running_new();
	OpCall *call = &running->call;
	call->op = op;
	call->core = core;
	call->stream_fd = -1;
	if (op->lane != OP_READ)
		call->cancel = g_cancellable_new();
	call->caller.door = "none";
	if (op->args)
		call->args = shape_new(op->args);
	return call;
}

void op_call_free(OpCall *call)
{
	Running *running = (Running *)call;
	if (call->op->args)
		shape_free(call->op->args, call->args);
	if (call->op->result)
		shape_free(call->op->result, call->result);
	if (call->stream_fd >= 0)
		close(call->stream_fd);
	op_transfer_drop(call->transfer);
	g_clear_pointer(&call->guest, core_guest_unref);
	g_clear_pointer(&call->object, core_object_unref);
	g_free(call->target);
	notes_clear(&call->notes);
	g_clear_object(&call->cancel);
	g_clear_error(&running->error);
	running_free(running);
}

void op_progress(OpCall *call, double fraction, const char *format, ...)
{
	if (!call->progress)
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	call->progress(call, fraction, text);
}

/* ---- the end of a call ---- */

static char *who_calls(const OpCaller *caller)
{
	if (caller->name)
		return g_strdup(caller->name);
	if (caller->uid == (uid_t)-1)
		return g_strdup("a client from elsewhere");
	return g_strdup_printf("uid %u, pid %d", caller->uid, caller->pid);
}

static LogLevel log_level(const OpCall *call)
{
	return call->op->perm == OP_PERM_WRITE ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static void log_call(const Running *running)
{
	const OpCall *call = &running->call;
	if (!running->since)
		return;
	double ms = (double)(g_get_monotonic_time() - running->since) / 1000.0;
	const char *word = op_target(call->op->target)->name;
	g_autoptr(GuestSnap) snap = call->guest && !call->target ? core_guest_snap(call->guest) : NULL;
	const char *target = snap ? snap->name : call->target;
	g_autofree char *object = word && target ? g_strdup_printf("%s %s", word, target) : NULL;
	g_autofree char *who = who_calls(&call->caller);
	log_line(log_level(call), object, "%s by %s (%s): %s, %.1f ms",
		 call->op->name, who, call->caller.door,
		 running->error ? running->error->message : "done", ms);
}

static void report(gpointer data)
{
	Running *running = data;
	running_calls--;
	if (running->call.done)
		running->call.done(&running->call, running->error);
	log_call(running); /* the caller has its answer by now */
	op_call_free(&running->call);
}

void op_finish(OpCall *call, GError *error)
{
	Running *running = (Running *)call;
	running->error = error;
	report(running);
}

/* ---- running ---- */

static void run_fn(Running *running)
{
	OpCall *call = &running->call;
	if (g_cancellable_is_cancelled(call->cancel)) {
		fail(&running->error, LODGE_ERROR_ABORTED, "%s: the caller went away",
		     call->op->name);
		return;
	}
	if (!call->op->fn(call, &running->error) && !running->error)
		fail(&running->error, LODGE_ERROR_INTERNAL, "%s failed without a reason",
		     call->op->name);
}

static void run_on_thread(gpointer data)
{
	Running *running = data;
	run_fn(running);
	lane_to_main(report, running);
}

/* fn may have ended the call already: nothing of it is touched after success. */
static void run_later(Running *running)
{
	GError *error = NULL;
	if (!running->call.op->fn(&running->call, &error))
		op_finish(&running->call, error);
}

static Lane *target_lane(const OpCall *call)
{
	return call->guest ? core_guest_lane(call->guest) : core_object_lane(call->object);
}

static void run(Running *running)
{
	switch (running->call.op->lane) {
	case OP_READ:
		run_fn(running);
		report(running);
		break;
	case OP_LANE:
		lane_post(target_lane(&running->call), run_on_thread, running);
		break;
	case OP_BESIDE:
		lane_beside(run_on_thread, running);
		break;
	case OP_LATER:
		run_later(running);
		break;
	}
}

/* ---- what comes before ---- */

gboolean op_may(const OpCall *call, GError **error)
{
	if (!call->caller.read_only || call->op->perm == OP_PERM_READ)
		return TRUE;
	return fail(error, LODGE_ERROR_DENIED, "%s is not allowed on a read-only connection",
		    call->op->name);
}

static gboolean check_args(OpCall *call, GError **error)
{
	if (!call->op->args)
		return TRUE;
	shape_defaults(call->op->args, call->args);
	return shape_check(call->op->args, call->args, &call->notes, error);
}

gboolean op_target_guest(OpCall *call, const guint8 *uuid)
{
	if (call->core && call->op->target == OP_ON_GUEST && call->op->lane == OP_READ)
		call->guest = core_find_uuid(call->core, uuid);
	return call->guest != NULL;
}

gboolean op_find_target(OpCall *call, GError **error)
{
	const char *target = call->target ? call->target : "";
	int kind = op_target(call->op->target)->kind;
	if (call->op->target == OP_ON_DAEMON || call->guest)
		return TRUE;
	if (call->op->target == OP_ON_NODEDEV)
		return call->target || fail(error, LODGE_ERROR_INVALID, "no node device is named");
	if (call->op->target == OP_ON_INTERFACE)
		return *target || fail(error, LODGE_ERROR_INVALID, "no interface is named");
	if (kind >= 0)
		call->object = core_object_find(call->core, (CoreKindId)kind, target, error);
	else
		call->guest = core_find(call->core, target, error);
	return call->guest || call->object || error_detail(error, LODGE_DETAIL_TARGET, NULL);
}

void op_dispatch(OpCall *call)
{
	Running *running = (Running *)call;
	running->since = log_wants(log_level(call)) ? g_get_monotonic_time() : 0;
	running_calls++;
	all_calls++;
	if (!op_may(call, &running->error) || !check_args(call, &running->error) ||
	    !op_find_target(call, &running->error)) {
		report(running);
		return;
	}
	if (call->op->result)
		call->result = shape_new(call->op->result);
	run(running);
}

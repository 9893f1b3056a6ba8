/* How fast a guest writes its memory: measured by QEMU, told by domstats.
 * Neighbours: guest_domstats.c shows what was found; engine/stats.h reads it. */
#include "core/core.h"
#include "ops/families.h"

#include <jansson.h>
#include <stdlib.h>

/* What QEMU's monitor returns to @command (taken): the caller's. NULL where it refuses, in its own words. */
static json_t *monitor(OpCall *call, json_t *command, GError **error)
{
	char *text = json_dumps(command, JSON_COMPACT);
	g_autofree char *said = core_guest_ask(call->guest, ENGINE_ASK_MONITOR, text, error);
	json_t *answer = said ? json_loads(said, 0, NULL) : NULL;
	json_t *result = json_incref(json_object_get(answer, "return"));
	const char *why = json_string_value(json_object_get(json_object_get(answer, "error"), "desc"));
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (said && !result)
		fail(error, LODGE_ERROR_ENGINE, "guest \"%s\": %s", snap->name, why ? why : "no answer");
	json_decref(answer);
	json_decref(command);
	free(text);
	return result;
}

typedef enum DirtyMode { DIRTY_SAMPLING = 1, DIRTY_BITMAP, DIRTY_RING } DirtyMode; /* QEMU's words */
static const EnumTable dirty_modes =
	ENUM_TABLE("dirty page rate calculation mode", "page-sampling", "dirty-bitmap", "dirty-ring");

typedef struct DirtyArgs {
	ShapeHead head;
	OptUint seconds;
	DirtyMode mode;
} DirtyArgs;

static const Row dirty_rows[] = {
	UINT(DirtyArgs, seconds, NULL, .min = 1, .max = 60, .dflt = "1",
	     .doc = "calculate memory dirty rate within so many seconds"),
	ENUM(DirtyArgs, mode, NULL, dirty_modes, .doc = "page-sampling, dirty-bitmap or dirty-ring"),
};
static const Shape dirty_args = SHAPE("domdirtyrate-calc-args", DirtyArgs, dirty_rows);

static gboolean has_kvm(OpCall *call, gboolean *kvm, GError **error)
{
	json_t *answer = monitor(call, json_pack("{s:s}", "execute", "query-kvm"), error);
	*kvm = json_is_true(json_object_get(answer, "enabled"));
	json_decref(answer);
	return answer != NULL;
}

/* QEMU 7.2 dies where it is asked for what an emulated guest, or one without the ring, does not have. */
static gboolean may_measure(OpCall *call, DirtyMode mode, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	const Guest *live = snap->live ? snap->live->guest : NULL;
	const char *word = enum_name(&dirty_modes, (int)mode);
	gboolean ring = live && live->features && live->features->kvm_dirty_ring == TRI_YES, kvm;
	if (!live)
		return guest_not_running(snap->name, error);
	if (mode == DIRTY_SAMPLING)
		return TRUE;
	if (!has_kvm(call, &kvm, error))
		return FALSE;
	if (!kvm)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\" is emulated: %s calculation mode needs KVM; use page-sampling",
			    snap->name, word);
	return ring == (mode == DIRTY_RING) ||
	       fail(error, LODGE_ERROR_STATE,
		    "guest \"%s\": %s calculation mode requires <dirty-ring state='%s'/> in features/kvm",
		    snap->name, word, ring ? "off" : "on");
}

static gboolean dirty_rate(OpCall *call, GError **error)
{
	const DirtyArgs *args = call->args;
	DirtyMode mode = args->mode ? args->mode : DIRTY_SAMPLING;
	if (!may_measure(call, mode, error))
		return FALSE;
	json_t *answer = monitor(call, json_pack("{s:s, s:{s:I, s:s}}", "execute", "calc-dirty-rate",
						 "arguments", "calc-time", (json_int_t)args->seconds.v,
						 "mode", enum_name(&dirty_modes, (int)mode)), error);
	json_decref(answer);
	return answer != NULL;
}

static const Op ops[] = {
	{ .name = "domdirtyrate-calc", .family = "Guests", .target = OP_ON_GUEST, .method = "POST",
	  .route = "/v1/guests/{guest}/dirty-rate", .perm = OP_PERM_WRITE, .lane = OP_LANE,
	  .args = &dirty_args, .show = OP_SHOW_MESSAGE,
	  .said = "Start to calculate domain's memory dirty rate successfully.",
	  .doc = "Measure how fast a guest writes its memory; domstats --dirtyrate tells", .fn = dirty_rate },
};

const OpFamily op_family_guest_measure = { ops, G_N_ELEMENTS(ops) };

/* The verb that has the kernel count events of a guest's QEMU. Name, options and texts are virsh's.
 * Neighbours: host/perf.h knows the events; domstats --perf shows what was counted. */
#include "host/perf.h"
#include "core/stats.h"
#include "model/guest_parts.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/tune.h"

#include <string.h>

typedef struct PerfArgs {
	ShapeHead head;
	char *enable, *disable;
	gboolean config, live, current;
} PerfArgs;

static const Row perf_rows[] = {
	STRING(PerfArgs, enable, NULL, .doc = "events that are counted from now on: page_faults,cpu_clock"),
	STRING(PerfArgs, disable, NULL, .doc = "events that are not counted any more"),
	FLAG(PerfArgs, config, NULL, .doc = "of what the next start will use"),
	FLAG(PerfArgs, live, NULL, .doc = "of what runs"),
	FLAG(PerfArgs, current, NULL, .doc = "of what runs, or of what the next start will use"),
};
static const Shape perf_args = SHAPE("perf-args", PerfArgs, perf_rows);

/* What is wanted of each event. */
typedef struct Wish {
	Tri of[PERF_EVENTS];
} Wish;

static gboolean read_names(const char *names, Tri what, Wish *wish, GError **error)
{
	g_auto(GStrv) words = g_strsplit(names ? names : "", ",", -1);
	for (char **word = words; *word; word++) {
		int i = perf_event_find(*word);
		if (!**word)
			continue;
		if (i < 0)
			return fail(error, LODGE_ERROR_INVALID, "parameter '%s' not supported: perf without "
				    "options lists the events", *word);
		wish->of[i] = what;
	}
	return TRUE;
}

static Tri enabled(const Guest *guest, guint i)
{
	SHAPE_EACH (PerfEvent, event, guest->perf ? guest->perf->events : NULL)
		if (g_str_equal(event->name, perf_event_name(i)))
			return event->enabled;
	return TRI_ABSENT;
}

static void set_event(Guest *guest, guint i, Tri value)
{
	if (!guest->perf)
		guest->perf = shape_new(&perf_shape);
	SHAPE_EACH (PerfEvent, event, guest->perf->events)
		if (g_str_equal(event->name, perf_event_name(i))) {
			event->enabled = value;
			return;
		}
	PerfEvent *event = shape_new(&perf_event_shape);
	event->name = g_strdup(perf_event_name(i));
	event->enabled = value;
	shape_append(&guest->perf->events, &perf_event_shape, event);
}

static gboolean edit_perf(Guest *guest, gpointer data, GError **error)
{
	const PerfArgs *args = data;
	Wish wish = { 0 };
	if (!read_names(args->enable, TRI_YES, &wish, error) ||
	    !read_names(args->disable, TRI_NO, &wish, error))
		return FALSE;
	for (guint i = 0; i < PERF_EVENTS; i++)
		if (wish.of[i] != TRI_ABSENT)
			set_event(guest, i, wish.of[i]);
	return TRUE;
}

static gboolean count_now(OpCall *call, G_GNUC_UNUSED const Guest *before, const Guest *wanted,
			  GError **error)
{
	g_autoptr(GString) words = g_string_new(NULL);
	for (guint i = 0; i < PERF_EVENTS; i++) {
		Tri is = enabled(wanted, i);
		if (is != TRI_ABSENT)
			g_string_append_printf(words, "%s%c%s", words->len ? " " : "",
					       is == TRI_YES ? '+' : '-', perf_event_name(i));
	}
	g_autofree char *done = core_guest_ask(call->guest, ENGINE_ASK_PERF, words->str, error);
	if (done)
		core_guest_use_stale(call->guest);
	return done != NULL;
}

/* What is counted of a guest that runs, for a host may not have had what its definition says. */
static gboolean counted(OpCall *call, const PerfArgs *args, Wish *wish, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (args->live && !snap->live)
		return guest_not_running(snap->name, error);
	if (snap->live && !args->config) {
		g_autofree char *names = core_guest_ask(call->guest, ENGINE_ASK_PERF, "", error);
		g_strdelimit(names, " ", ',');
		return names && read_names(names, TRI_YES, wish, error);
	}
	g_autoptr(Definition) definition = core_guest_definition(call->guest, TRUE, error);
	for (guint i = 0; definition && i < PERF_EVENTS; i++)
		wish->of[i] = enabled(definition->guest, i);
	return definition != NULL;
}

/* Where something was changed virsh shows that alone. */
static gboolean show(OpCall *call, const PerfArgs *args, gboolean changed, GError **error)
{
	Params *result = call->result;
	GString *text = g_string_new(NULL);
	Wish wish = { 0 };
	gboolean ok = changed ? read_names(args->enable, TRI_YES, &wish, error) &&
					read_names(args->disable, TRI_NO, &wish, error)
			      : counted(call, args, &wish, error);
	for (guint i = 0; ok && i < PERF_EVENTS; i++) {
		if (changed && wish.of[i] == TRI_ABSENT)
			continue;
		gboolean on = wish.of[i] == TRI_YES;
		param_add(&result->params, PARAM_BOOLEAN, perf_event_name(i), on);
		g_string_append_printf(text, "%-15s: %s\n", perf_event_name(i), on ? "enabled" : "disabled");
	}
	result->text = g_string_free(text, FALSE);
	return ok;
}

static gboolean perf(OpCall *call, GError **error)
{
	const PerfArgs *args = call->args;
	gboolean changes = args->enable || args->disable;
	if (changes && !tune_change(call, args->live, args->config, edit_perf, count_now, error))
		return FALSE;
	return show(call, args, changes, error);
}

static const Op ops[] = {
	{ .name = "perf", .family = "Limits", .target = OP_ON_GUEST, .method = "POST", .perm = OP_PERM_READ,
	  .lane = OP_LANE, .route = "/v1/guests/{guest}/perf", .args = &perf_args, .result = &params_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show or change which events are counted for a guest", .fn = perf },
};

const OpFamily op_family_guest_perf = { ops, G_N_ELEMENTS(ops) };

/* See stats.h. */
#include "core/stats.h"
#include "base/error.h"
#include "core/internal.h"

#define ENGINE_MS 10000 /* after that a question counts as lost, and another is asked */

typedef struct Waiter {
	Meter *meter;
	CoreGuest *guest; /* a reference */
	guint what, timer;
	GuestUseFn fn;
	gpointer data;
} Waiter;

typedef struct Asking {
	CoreGuest *guest; /* a reference */
	guint what;
	int id; /* of the run */
	gint64 since;
} Asking;

struct Meter {
	CoreGuest *guest;  /* not a reference: it owns us */
	GuestUse *last, *full; /* of the same run; full has most groups */
	Asking *asking;	   /* NULL: nothing is under way */
	GPtrArray *waiters; /* Waiter */
};

/* ---- what is known ---- */

void guest_use_unref(GuestUse *use)
{
	if (!use || --use->refs)
		return;
	engine_stats_unref(use->engine);
	g_array_unref(use->vcpus);
	g_free(use);
}

static GuestUse *use_new(const GuestSnap *snap, EngineStats *engine)
{
	GuestUse *use = g_new0(GuestUse, 1);
	use->refs = 1;
	use->id = snap->id;
	use->time = g_get_monotonic_time();
	use->engine = engine ? engine_stats_ref(engine) : NULL;
	use->cpu_ns = process_cpu_time(snap->pid);
	use->resident = process_resident(snap->pid);
	process_use(snap->pid, 0, &use->process);
	use->vcpus = g_array_new(FALSE, FALSE, sizeof(VcpuUse));
	for (guint i = 0; engine && i < engine->vcpus->len; i++) {
		const EngineVcpu *vcpu = &g_array_index(engine->vcpus, EngineVcpu, i);
		VcpuUse own = { .index = vcpu->index, .thread = vcpu->thread };
		if (process_use(snap->pid, vcpu->thread, &own.use))
			g_array_append_val(use->vcpus, own);
	}
	return use;
}

static gboolean has(const GuestUse *use, guint what)
{
	return use && use->engine && (use->engine->have & what) == what;
}

static Meter *meter_of(CoreGuest *guest)
{
	if (guest->meter)
		return guest->meter;
	guest->meter = g_new0(Meter, 1);
	guest->meter->guest = guest;
	guest->meter->waiters = g_ptr_array_new();
	return guest->meter;
}

/* Of another run of the guest nothing counts. */
static void forget_others(Meter *meter, int id)
{
	if (meter->last && meter->last->id != id)
		g_clear_pointer(&meter->last, guest_use_unref);
	if (meter->full && meter->full->id != id)
		g_clear_pointer(&meter->full, guest_use_unref);
}

/* The last that has @what; NULL: none. */
static GuestUse *known(const Meter *meter, guint what)
{
	return has(meter->last, what) ? meter->last : has(meter->full, what) ? meter->full : NULL;
}

static void keep(Meter *meter, GuestUse *use)
{
	use->refs++;
	guest_use_unref(meter->last);
	meter->last = use;
	gboolean less = meter->full && (use->engine->have & meter->full->engine->have) !=
						meter->full->engine->have;
	if (less)
		return;
	use->refs++;
	guest_use_unref(meter->full);
	meter->full = use;
}

void meter_free(CoreGuest *guest)
{
	Meter *meter = guest->meter;
	if (!meter)
		return;
	guest_use_unref(meter->last);
	guest_use_unref(meter->full);
	g_ptr_array_unref(meter->waiters);
	g_free(meter);
}

/* ---- answering ---- */

static void answer(Meter *meter, Waiter *waiter, const GuestUse *use, const GError *error)
{
	g_ptr_array_remove(meter->waiters, waiter);
	g_clear_handle_id(&waiter->timer, g_source_remove);
	waiter->fn(use, error, waiter->data);
	core_guest_unref(waiter->guest);
	g_free(waiter);
}

/* With the engine's last word, and the host's of now. */
static void answer_late(CoreGuest *guest, guint what, GuestUseFn fn, gpointer data)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_autoptr(GError) error = NULL;
	Meter *meter = meter_of(guest);
	forget_others(meter, snap->id);
	GuestUse *before = known(meter, what);
	if (!snap->live) {
		guest_not_running(snap->name, &error);
	} else if (!before) {
		fail(&error, LODGE_ERROR_TIMEOUT, "guest \"%s\": QEMU does not answer", snap->name);
	} else {
		g_autoptr(GuestUse) now = use_new(snap, before->engine);
		now->late = TRUE;
		fn(now, NULL, data);
		return;
	}
	fn(NULL, error, data);
}

static gboolean on_limit(gpointer data)
{
	Waiter *waiter = data;
	g_autoptr(CoreGuest) guest = waiter->guest;
	guint what = waiter->what;
	GuestUseFn fn = waiter->fn;
	gpointer fn_data = waiter->data;
	g_ptr_array_remove(waiter->meter->waiters, waiter);
	g_free(waiter);
	answer_late(guest, what, fn, fn_data);
	return G_SOURCE_REMOVE;
}

static void make_stale(gpointer data)
{
	g_autoptr(CoreGuest) guest = data;
	Meter *meter = guest->meter;
	if (meter && meter->last)
		meter->last->time = 0;
	if (meter && meter->full)
		meter->full->time = 0;
}

void core_guest_use_stale(CoreGuest *guest)
{
	lane_to_main(make_stale, core_guest_ref(guest));
}

/* ---- asking ---- */

static void on_measured(EngineStats *stats, const GError *error, gpointer data);

/* The first time for all there is, so that something is known when it does not answer later. FALSE: the
 * engine cannot be asked now. */
static gboolean ask(Meter *meter, const GuestSnap *snap, guint what)
{
	what = meter->full ? what : ENGINE_STATS_ALL;
	CoreGuest *guest = meter->guest;
	const Engine *engine = guest->core->engine;
	/* held as long as a kill takes: then there is nothing to ask */
	if (!engine->measure || !g_mutex_trylock(&guest->run_lock))
		return FALSE;
	gboolean runs = guest->run != NULL;
	if (runs) {
		Asking *asking = g_new(Asking, 1);
		*asking = (Asking){ core_guest_ref(guest), what, snap->id, g_get_monotonic_time() };
		meter->asking = asking;
		engine->measure(guest->run, snap->live->guest, what, ENGINE_MS, on_measured, asking);
	}
	g_mutex_unlock(&guest->run_lock);
	return runs;
}

/* Those whose question was not among what was asked are asked for now. */
static void go_on(Meter *meter)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(meter->guest);
	guint what = 0;
	for (guint i = 0; i < meter->waiters->len; i++)
		what |= ((const Waiter *)g_ptr_array_index(meter->waiters, i))->what;
	if (what && !meter->asking && snap->live)
		ask(meter, snap, what);
}

/* The time limit of each waiter that is left over answers it. */
static void on_measured(EngineStats *stats, const GError *error, gpointer data)
{
	Asking *asking = data;
	g_autoptr(CoreGuest) guest = asking->guest;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	Meter *meter = guest->meter;
	gboolean ours = meter->asking == asking, same = snap->live && snap->id == asking->id;
	g_autoptr(GuestUse) use = stats && same ? use_new(snap, stats) : NULL;
	if (ours)
		meter->asking = NULL;
	forget_others(meter, snap->id);
	if (use)
		keep(meter, use);
	g_autoptr(GPtrArray) answered = g_ptr_array_new();
	for (guint i = 0; i < meter->waiters->len; i++) {
		Waiter *waiter = g_ptr_array_index(meter->waiters, i);
		if (error || !same || (use && has(use, waiter->what)))
			g_ptr_array_add(answered, waiter);
	}
	for (guint i = 0; i < answered->len; i++) {
		Waiter *waiter = g_ptr_array_index(answered, i);
		if (use)
			answer(meter, waiter, use, NULL);
		else { /* it ended, or says nothing: as if the time were over */
			g_clear_handle_id(&waiter->timer, g_source_remove);
			on_limit(waiter);
		}
	}
	if (ours)
		go_on(meter);
	engine_stats_unref(stats);
	g_free(asking);
}

void core_guest_use(CoreGuest *guest, guint what, GuestUseFn fn, gpointer data)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	Meter *meter = meter_of(guest);
	gint64 now = g_get_monotonic_time();
	forget_others(meter, snap->id);
	GuestUse *before = known(meter, what);
	if (snap->live && before && now - before->time < CORE_STATS_FRESH_MS * G_TIME_SPAN_MILLISECOND) {
		before->refs++;
		fn(before, NULL, data);
		guest_use_unref(before);
		return;
	}
	if (meter->asking && meter->asking->id != snap->id)
		meter->asking = NULL; /* of another run: its answer counts for nothing */
	gboolean hangs = meter->asking &&
			 now - meter->asking->since > CORE_STATS_LIMIT_MS * G_TIME_SPAN_MILLISECOND;
	if (!snap->live || hangs) {
		answer_late(guest, what, fn, data);
		return;
	}
	Waiter *waiter = g_new(Waiter, 1);
	*waiter = (Waiter){
		.meter = meter, .guest = core_guest_ref(guest), .what = what, .fn = fn, .data = data
	};
	waiter->timer = g_timeout_add(CORE_STATS_LIMIT_MS, on_limit, waiter);
	g_ptr_array_add(meter->waiters, waiter);
	if (!meter->asking && !ask(meter, snap, what) && g_ptr_array_find(meter->waiters, waiter, NULL)) {
		g_clear_handle_id(&waiter->timer, g_source_remove);
		on_limit(waiter);
	}
}

GuestUse *core_guest_use_now(CoreGuest *guest)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	Meter *meter = meter_of(guest);
	forget_others(meter, snap->id);
	if (!snap->live)
		return NULL;
	GuestUse *before = meter->full ? meter->full : meter->last;
	if (before && g_get_monotonic_time() - before->time < CORE_STATS_FRESH_MS * G_TIME_SPAN_MILLISECOND) {
		before->refs++;
		return before;
	}
	GuestUse *now = use_new(snap, before ? before->engine : NULL);
	now->late = TRUE;
	return now;
}

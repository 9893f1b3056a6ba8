/* What the kernel counts of a guest's QEMU: <perf> of its definition, and ENGINE_ASK_PERF. See run.h and
 * host/perf.h. The statistics are read on the main loop, so there is a lock. */
#include "base/error.h"
#include "engine/qemu/run.h"
#include "model/guest_parts.h"

#include <string.h>

static gboolean begin(EngineRun *run, guint i, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GArray) fds = NULL;
	if (run->perf[i]) /* changed on the lane alone */
		return TRUE;
	fds = perf_event_open(i, run->pid, &why);
	if (!fds) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "guest \"%s\": ", run->name);
		return FALSE;
	}
	g_mutex_lock(&run->perf_lock);
	run->perf[i] = g_steal_pointer(&fds);
	g_mutex_unlock(&run->perf_lock);
	return TRUE;
}

static void end(EngineRun *run, guint i)
{
	g_mutex_lock(&run->perf_lock);
	g_clear_pointer(&run->perf[i], g_array_unref);
	g_mutex_unlock(&run->perf_lock);
}

void run_count_end(EngineRun *run)
{
	for (guint i = 0; i < PERF_EVENTS; i++)
		end(run, i);
}

gboolean run_count(EngineRun *run, const Guest *live, Notes *notes, GError **error)
{
	SHAPE_EACH (PerfEvent, event, live->perf ? live->perf->events : NULL) {
		int i = perf_event_find(event->name);
		g_autoptr(GError) why = NULL;
		if (i < 0 || event->enabled != TRI_YES || begin(run, (guint)i, &why))
			continue;
		if (!notes) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		notes_add(notes, "%s", why->message);
	}
	return TRUE;
}

static char *counted_names(const EngineRun *run)
{
	GString *names = g_string_new(NULL);
	for (guint i = 0; i < PERF_EVENTS; i++)
		if (run->perf[i])
			g_string_append_printf(names, "%s%s", names->len ? " " : "", perf_event_name(i));
	return g_string_free(names, FALSE);
}

/* One that cannot be begun ends those that were begun with it. */
char *run_recount(EngineRun *run, const char *text, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	gboolean before[PERF_EVENTS], ok = TRUE;
	for (guint i = 0; i < PERF_EVENTS; i++)
		before[i] = run->perf[i] != NULL;
	for (char **word = words; ok && *word; word++) {
		int i = **word ? perf_event_find(*word + 1) : -1;
		if (i >= 0 && **word == '+')
			ok = begin(run, (guint)i, error);
	}
	for (guint i = 0; !ok && i < PERF_EVENTS; i++)
		if (!before[i])
			end(run, i);
	for (char **word = words; ok && *word; word++) {
		int i = **word ? perf_event_find(*word + 1) : -1;
		if (i >= 0 && **word == '-')
			end(run, (guint)i);
	}
	return ok ? counted_names(run) : NULL;
}

void run_counted(EngineRun *run, EngineStats *stats)
{
	g_mutex_lock(&run->perf_lock);
	for (guint i = 0; i < PERF_EVENTS; i++) {
		EngineCounter counter = { .vcpu = -1 };
		if (!run->perf[i] || !perf_event_read(i, run->perf[i], &counter.value))
			continue;
		counter.name = g_strdup(perf_event_name(i));
		g_array_append_val(stats->perf, counter);
	}
	g_mutex_unlock(&run->perf_lock);
}

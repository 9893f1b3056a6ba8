/* What running guests use: the engine's counters and the host's, kept for a moment for all who ask, and
 * longer for when the engine does not answer. One question per guest is under way at a time; whoever asks
 * meanwhile gets the same answer. Nobody waits longer than CORE_STATS_LIMIT_MS.
 *
 * Neighbours: core.h; engine/stats.h counts; ops/ shows. Main loop's thread only, where
 * nothing else is said. */
#pragma once

#include "core/core.h"
#include "host/process.h"

#define CORE_STATS_FRESH_MS 200 /* an answer that old is given again */
#define CORE_STATS_LIMIT_MS 500 /* then the last one known is given */

typedef struct VcpuUse {
	guint index;
	pid_t thread;
	ProcessUse use;
} VcpuUse;

typedef struct GuestUse {
	gint refs;
	int id;		 /* of the guest's run */
	gint64 time;	 /* monotonic, microseconds: when it was taken */
	gboolean late;	 /* the engine did not answer: .engine is older */
	EngineStats *engine; /* NULL: it never told anything */
	guint64 cpu_ns, resident;
	ProcessUse process;
	GArray *vcpus; /* VcpuUse */
} GuestUse;

/* @use is lent; NULL with @error where the guest does not run (STATE) or its engine has never told what
 * is asked for (TIMEOUT, GONE). */
typedef void (*GuestUseFn)(const GuestUse *use, const GError *error, gpointer data);

/* Calls @fn once with what the guest uses; @what (EngineStatsWhat) says what must be in it. At once where
 * that is fresh, otherwise within the limit. */
void core_guest_use(CoreGuest *guest, guint what, GuestUseFn fn, gpointer data);
/* What is known is old: something else is counted from now on. Any thread; before what is posted later. */
void core_guest_use_stale(CoreGuest *guest);
/* What is known without asking; .engine may be NULL. NULL where the guest does not run. The caller's. */
GuestUse *core_guest_use_now(CoreGuest *guest);
void guest_use_unref(GuestUse *use);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestUse, guest_use_unref)

/* Verbs that answer from what a running guest uses: they wait for the engine's counters without holding a
 * thread. Neighbours: core/stats.h counts; guest_stats.c and guest_devices.c show. */
#pragma once

#include "core/stats.h"
#include "ops/ops.h"

/* Fills the result of @call from @use, of the guest that @live defines. */
typedef gboolean (*UseFillFn)(OpCall *call, const Guest *live, const GuestUse *use, GError **error);

/* For OP_LATER verbs: asks for @what (EngineStatsWhat), has @fill answer, and ends the call, with STATE where
 * the guest does not run. Returns TRUE. Main loop's thread. */
gboolean op_fill_from_use(OpCall *call, guint what, UseFillFn fill);

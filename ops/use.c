/* See use.h. */
#include "ops/use.h"
#include "base/error.h"

typedef struct Filling {
	OpCall *call;
	UseFillFn fill;
} Filling;

static void on_use(const GuestUse *use, const GError *error, gpointer data)
{
	Filling *filling = data;
	OpCall *call = filling->call;
	GError *why = use ? NULL : g_error_copy(error);
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	if (use && !snap->live) /* it ended meanwhile */
		guest_not_running(snap->name, &why);
	else if (use)
		filling->fill(call, snap->live->guest, use, &why);
	op_finish(call, why);
	g_free(filling);
}

gboolean op_fill_from_use(OpCall *call, guint what, UseFillFn fill)
{
	Filling *filling = g_new(Filling, 1);
	*filling = (Filling){ call, fill };
	core_guest_use(call->guest, what, on_use, filling);
	return TRUE;
}

/* See connect.h. */
#include "core/connect.h"
#include "base/fd.h"
#include "core/hostdevs.h"
#include "core/internal.h"
#include "core/plugs.h"
#include "core/volumes.h"

gboolean guest_resolve(CoreGuest *guest, Guest *live, Notes *notes, GError **error)
{
	SHAPE_EACH (Disk, disk, live->disks)
		if (disk->type == DISK_VOLUME && disk->source &&
		    !core_volume_resolve(guest->core, disk, notes, error))
			return FALSE;
	if (!plugs_resolve(guest, live, notes, error))
		return FALSE;
	if (hostdevs_resolve(guest, live, notes, error))
		return TRUE;
	plugs_remove(guest, live);
	return FALSE;
}

gboolean guest_plug(CoreGuest *guest, Guest *live, EngineStart *how, Notes *notes, GError **error)
{
	how->n_plugs = shape_len(live->interfaces);
	how->plugs = g_new0(EnginePlug, how->n_plugs + 1);
	if (!hostdevs_make(guest, live, notes, error)) {
		plugs_remove(guest, live);
	} else if (plugs_make(guest, live, how, notes, error)) {
		return TRUE;
	} else {
		hostdevs_remove(guest, live);
	}
	plugs_free(how);
	return FALSE;
}

void guest_unplug(CoreGuest *guest, const Guest *live)
{
	plugs_remove(guest, live);
	hostdevs_remove(guest, live);
}

void plugs_free(EngineStart *how)
{
	for (guint i = 0; i < how->n_plugs; i++) {
		for (guint k = 0; k < how->plugs[i].n_taps; k++)
			fd_clear(&how->plugs[i].taps[k]);
		for (guint k = 0; k < how->plugs[i].n_vhosts; k++)
			fd_clear(&how->plugs[i].vhosts[k]);
	}
	g_clear_pointer(&how->plugs, g_free);
	how->n_plugs = 0;
}

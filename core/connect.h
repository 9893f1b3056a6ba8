/* What a guest's definition names but does not hold, at its start: the volumes of pools, networks. (What
 * an EngineHost would be asked; the engine itself never calls up, but for secrets: EngineConfig.)
 * Each function goes through the kinds' own: disks to pools.c, interfaces to plugs.c, devices of the host to
 * hostdevs.c.
 *
 * Order in a start: resolve (makes nothing, so that the run state which is written next names all that
 * will be made), plug, the engine, unplug where that failed or when the guest ended. Lane, all of it.
 *
 * Neighbours: run.c and recover.c call it. */
#pragma once

#include "core/core.h"

/* Completes @live: the real source of <disk type='volume'>, the name of each tap, which device of the host is
 * meant. What it reserves guest_unplug() gives up; nothing is reserved on failure. */
gboolean guest_resolve(CoreGuest *guest, Guest *live, Notes *notes, GError **error);
/* Takes devices from the host, makes the taps of @live's interfaces and fills @how->plugs, which the caller
 * gives to plugs_free(). On failure nothing is left, nor reserved. */
gboolean guest_plug(CoreGuest *guest, Guest *live, EngineStart *how, Notes *notes, GError **error);
/* Removes what guest_plug() made for @live, as far as it is there. */
void guest_unplug(CoreGuest *guest, const Guest *live);
/* Closes the descriptors that are left. */
void plugs_free(EngineStart *how);

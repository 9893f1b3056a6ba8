/* The interfaces of a guest that starts: which network, bridge or device each one joins, its tap, its
 * filter. Neighbours: connect.c calls it; networks.h plans, net/plug.h makes, nwfilters.h filters. Lane,
 * all of it. */
#pragma once

#include "core/core.h"

/* Names the ports that @live will have of networks, so that whoever reads its run state finds them, whenever
 * this daemon dies. FALSE: it has none. */
gboolean plugs_name(CoreGuest *guest, Guest *live);
/* Fills in @live what is to be made: target/@dev, and what networks decide. Nothing stays reserved on
 * failure. Where this daemon may not make interfaces @live stays as it is: the engine connects it in
 * user mode and says so. */
gboolean plugs_resolve(CoreGuest *guest, Guest *live, Notes *notes, GError **error);
/* Makes it: @how->plugs has a place for each interface. Nothing is left on failure; what was opened is the
 * caller's to close. */
gboolean plugs_make(CoreGuest *guest, Guest *live, EngineStart *how, Notes *notes, GError **error);
/* Puts back what a network lost while no daemon was here. */
void plugs_rejoin(CoreGuest *guest, const Guest *live);
/* Removes what plugs_make() made, and gives up what plugs_resolve() reserved, as far as it is there. */
void plugs_remove(CoreGuest *guest, const Guest *live);

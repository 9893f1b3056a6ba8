/* Guaranteed bandwidth (<inbound floor=>) of guests on a network's own bridge. What goes to the guests is
 * shared out by classes of htb below the network's own rate: one for each guest that has a floor, and one for
 * all that is left. Guests among themselves are not bounded: their packets do not pass the host's end.
 *
 * A guest's class is known by NetworkPort.class_id; nothing else is remembered. Neighbours: own.c makes the
 * network's classes, core/network_ports.c those of ports; limits.c bounds single interfaces. */
#pragma once

#include "model/network.h"

/* The classes of the bridge of @live, without any guest's; what was there goes. Nothing where the network has
 * no <inbound average=>. UNSUPPORTED where tc or the kernel cannot. Takes some milliseconds. */
gboolean floor_begin(const Network *live, GError **error);

/* Chooses a class for @port, which is about to be added to @ports, where it wants a floor. UNSUPPORTED where
 * the network has no rate that it could be part of, STATE where the others left too little. Any thread. */
gboolean floor_plan(const Network *live, const GPtrArray *ports, NetworkPort *port, GError **error);

/* Makes the class of @port, which is one of @ports, where it has one; or makes it what it says now. */
gboolean floor_apply(const Network *live, const GPtrArray *ports, const NetworkPort *port, GError **error);

/* Removes the class of @port, which is not one of @ports any more. */
void floor_remove(const Network *live, const GPtrArray *ports, const NetworkPort *port);

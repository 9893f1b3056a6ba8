/* Names of devices in a running guest, as libvirt gives them ("virtio-disk0", "net0", "pci.1"): what
 * clients name devices by, and what QEMU calls them.
 * Neighbours: assign.c has given addresses before; engine/qemu/ uses the names as ids. */
#pragma once

#include "model/guest.h"

/* Gives every device of @live that has none its alias; those that are there stay, the user's own
 * ("ua-...") too, so that a device plugged later gets the next number. Any thread. */
void guest_assign_aliases(Guest *live);

/* Makes a definition out of what may come from a running guest: drops its id, aliases but the
 * user's, ports and names that were chosen at start. Any thread. */
void guest_drop_live(Guest *guest);

/* What a definition means but does not say: filled in on define as libvirt 9.0 does for QEMU guests,
 * so that dumpxml shows what will run and a later change of defaults does not change the guest.
 *
 * Neighbours: engine/qemu/adapt.c chose emulator and machine before; defaults.c is the guest and
 * its parts, defaults_devices.c each kind of device; assign.c gives addresses afterwards. */
#pragma once

#include "model/guest.h"

/* Fills in what @guest leaves open. What is there stays; running it twice changes nothing. Fails
 * where the parts contradict each other; @guest may then be half done. Any thread. */
gboolean guest_fill_defaults(Guest *guest, Notes *notes, GError **error);

/* ---- defaults_devices.c: the devices' part of guest_fill_defaults() ---- */
gboolean fill_devices(Guest *guest, GError **error);

/* Sets *text to a copy of @value where it is NULL. */
void fill_text(char **text, const char *value);

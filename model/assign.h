/* Where devices sit: adds the controllers that devices need and gives every device that has none
 * an address, by the rules of libvirt, so that a guest keeps its hardware between hosts.
 *
 * Addresses in the document stay. What was assigned is written into the definition, so a second
 * run changes nothing. Two devices in one place are refused with both named.
 *
 * Neighbours: assign.c orders the work and does drives, serial ports and card readers; assign_pci.c
 * PCI; assign_usb.c USB. defaults.c ran before; engine/qemu/ builds from the result. */
#pragma once

#include "model/guest.h"

/* Bound on PCI buses of one guest, so that a document cannot ask for endless work. */
#define ASSIGN_MAX_BUSES 256

/* Completes controllers and addresses of @guest, whose defaults are filled in. On failure @error
 * names the devices; @guest may be half done and is to be thrown away. Any thread. */
gboolean guest_assign_addresses(Guest *guest, GError **error);

/* Whether the machine is of the q35 family (PCI Express) or of i440fx; others have no PCI here. */
gboolean guest_is_q35(const Guest *guest);
gboolean guest_is_i440fx(const Guest *guest);

/* The controller of @type with @index, or NULL. */
Controller *guest_find_controller(const Guest *guest, ControllerType type, guint64 index);
/* Appends a controller; the guest owns it. @model may be NULL. */
Controller *guest_add_controller(Guest *guest, ControllerType type, guint64 index,
				 const char *model);

/* "disk vda", "interface 52:54:00:11:22:33", "controller usb 0", "video 1": for messages. The caller
 * frees it. */
char *guest_device_label(const Guest *guest, const char *kind, gconstpointer device);

/* An address of @type for @info, which gets it; an earlier one is replaced. */
Address *device_set_address(DeviceInfo *info, AddressType type);
/* Whether @info has an address of @type that says where (libvirt allows <address type='pci'/>). */
gboolean device_has_address(const DeviceInfo *info, AddressType type);

/* ---- assign_pci.c, assign_usb.c: steps of guest_assign_addresses() ---- */
gboolean assign_pci(Guest *guest, GError **error);
gboolean assign_usb(Guest *guest, GError **error);

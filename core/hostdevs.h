/* Devices of the host that guests get: who has which, and PCI devices' way to the guest and back, also those
 * of networks (<forward mode='hostdev'>), interfaces and NVMe disks. Two guests never have one device; those
 * of one IOMMU group go to one guest.
 *
 * Neighbours: connect.c calls it at a guest's start and end, recover.c when a guest is taken up; nodedevs.c
 * asks before it touches a device; nodedev/ does the work. */
#pragma once

#include "core/core.h"
#include "nodedev/nodedev.h"

/* Where the host is: "/" but for tests. */
extern NodeTree core_node_tree;

/* Completes @live (places of USB devices, paths of SCSI ones), and notes that the guest has all of them:
 * IN_USE names who else does. Nothing is noted on failure. Lane. */
gboolean hostdevs_resolve(CoreGuest *guest, Guest *live, Notes *notes, GError **error);
/* Takes them from the host as the definition wants it. On failure the host has them again, as before. Lane.
 * */
gboolean hostdevs_make(CoreGuest *guest, const Guest *live, Notes *notes, GError **error);
/* Gives back what hostdevs_make() took, and forgets what hostdevs_resolve() noted, as far as there is any.
 * Lane. */
void hostdevs_remove(CoreGuest *guest, const Guest *live);

/* @live runs since an earlier daemon's time: what it has is noted. Any thread. */
void hostdevs_adopt(Core *core, const Guest *live);
/* What an earlier daemon lent to guests that are no more goes back to the host. After all were adopted; main,
 * at start: blocks where there is such a device. */
void hostdevs_sweep(Core *core);

/* Notes that somebody (@who: "nodedev-detach") works on @dev, so that no guest gets it meanwhile: IN_USE, by
 * whom. hostdevs_let_go() ends that. Any thread. */
gboolean hostdevs_hold(Core *core, const NodeDev *dev, const char *who, GError **error);
void hostdevs_let_go(Core *core, const NodeDev *dev);

struct CoreHostdevs *hostdevs_new(void);
void hostdevs_free(struct CoreHostdevs *hostdevs);

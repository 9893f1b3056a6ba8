/* Changes the size of a disk that a guest runs with, so that the guest sees it at once. Of images that
 * nobody uses see image/resize.h. Neighbours: volumes.h keeps the figures of the volume it lies in. */
#pragma once

#include "core/core.h"

typedef enum DiskResizeFlags {
	DISK_RESIZE_SHRINK = 1 << 0,   /* may become smaller: what lies beyond is lost */
	DISK_RESIZE_ALLOCATE = 1 << 1, /* what is added takes its space at once; raw files only */
} DiskResizeFlags;

/* @device: target (vda) or source of a disk of what runs. @flags: DiskResizeFlags. Formats that count in
 * sectors get the next whole one. STATE where the guest does not run, NOT_FOUND, INVALID, UNSUPPORTED, or
 * QEMU's reason. The figures of the volume are new afterwards. Lane of the guest. */
gboolean core_disk_resize(CoreGuest *guest, const char *device, guint64 bytes, guint flags, GError **error);
/* The same, waiting for the guest's lane: not on a lane, not on the main loop. */
gboolean core_disk_resize_wait(CoreGuest *guest, const char *device, guint64 bytes, guint flags,
			       GError **error);

/* Block devices of this host, for the pools that are made of them. Reads /sys and /dev.
 * Neighbours: logical.c, disk.c, iscsi.c, scsi.c, mpath.c. */
#pragma once

#include "pool/pool.h"

/* What is on the device, as blkid knows it ("ext4", "gpt"); NULL: nothing. The caller frees it. */
char *pool_device_content(const char *device);
/* Refuses a device that holds something, unless @flags has POOL_BUILD_OVERWRITE. */
gboolean pool_device_may_lose(const Pool *pool, const char *device, guint flags, GError **error);
/* Its bytes; 0 where that cannot be told. */
guint64 pool_device_size(const char *device);
/* The stable name of /dev/@node below the folder @target (/dev/disk/by-path); /dev/@node where there is
 * none. The caller frees it. */
char *pool_device_name(const char *target, const char *node);
/* Waits until udev has made @path, the name of a new device; a while, then TIMEOUT. */
gboolean pool_device_wait(const char *path, GError **error);
/* A block volume. */
PoolVolume *pool_device_volume(const char *name, const char *path, guint64 bytes);
/* Adds the units of the SCSI host number @host to @volumes. */
gboolean pool_scsi_units(const Pool *pool, int host, GPtrArray *volumes, PoolSizes *sizes, GError **error);
/* Sums what @volumes have. */
void pool_sum(const GPtrArray *volumes, PoolSizes *sizes);
/* The password of the source's login; NULL with an error, or where none is asked for. @type: "iscsi",
 * "ceph". */
GBytes *pool_secret(const PoolUse *use, const char *type, GError **error);
/* "pool \"NAME\"", for messages; the caller frees it. */
char *pool_about(const Pool *pool);

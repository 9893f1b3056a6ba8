/* Volumes of storage pools: found, described, made, copied, deleted. Work on volumes does not run on their
 * pool's lane: a name is reserved or marked as in use meanwhile (pool/state.h), so that a long copy holds
 * up nothing else.
 *
 * Finding is for any thread and never waits; all else blocks on disks: OP_BESIDE.
 * Neighbours: pools.h; image/ does what is inside images; ops/volume*.c are the callers. */
#pragma once

#include "core/pools.h"
#include "image/tool.h"
#include "image/wipe.h"

/* A volume as a call sees it. */
typedef struct CoreVolume {
	Core *core;
	CoreObject *pool;
	ObjectSnap *snap; /* of the pool, which is active */
	PoolState *state; /* of the snapshot */
	PoolVolume *volume;
} CoreVolume;

typedef enum VolumeBy { VOLUME_BY_NAME = 1, VOLUME_BY_KEY = 2, VOLUME_BY_PATH = 4 } VolumeBy;

/* The volume @text, by what @by allows (VolumeBy), in @pool (name or uuid; NULL: in all; a name needs a
 * pool). NULL with NOT_FOUND, or STATE where @pool is not active. */
CoreVolume *core_volume_find(Core *core, const char *pool, guint by, const char *text, GError **error);
void core_volume_free(CoreVolume *volume);

/* All of it: what is on the disk now. The caller owns it. */
Volume *core_volume_document(const CoreVolume *volume, GError **error);
/* Whether it is a file on a disk of this host that is gone, though its pool has not heard of that. */
gboolean core_volume_vanished(const CoreVolume *volume);
/* Sizes as they are now, without reading headers: returns a new PoolVolume. Where the disk does not
 * answer the last that was known. */
PoolVolume *core_volume_now(Core *core, const ObjectSnap *pool, PoolVolume *known);

typedef enum VolumeCreateFlags { /* as libvirt numbers them */
	VOLUME_PREALLOC_METADATA = 1 << 0,
	VOLUME_REFLINK = 1 << 1,
	VOLUME_VALIDATE = 1 << 2,
} VolumeCreateFlags;

/* Makes @wanted in @pool, with the content of @from where that is not NULL. What it is then. */
CoreVolume *core_volume_create(CoreObject *pool, const Volume *wanted, const CoreVolume *from, guint flags,
			       const ImageWork *work, Notes *notes, GError **error);
/* IN_USE names guests that run with it, and images based on it. */
gboolean core_volume_delete(const CoreVolume *volume, Notes *notes, GError **error);

typedef enum VolumeResizeFlags { /* as libvirt numbers them */
	VOLUME_RESIZE_ALLOCATE = 1 << 0,
	VOLUME_RESIZE_DELTA = 1 << 1,
	VOLUME_RESIZE_SHRINK = 1 << 2,
} VolumeResizeFlags;
/* Also of a running guest's disk, which sees it then. */
gboolean core_volume_resize(const CoreVolume *volume, guint64 bytes, guint flags, GError **error);
gboolean core_volume_wipe(const CoreVolume *volume, ImageWipe algorithm, const ImageWork *work,
			  GError **error);

/* Marks it as read from or written to by a stream; core_volume_end() ends that and looks at it anew. */
gboolean core_volume_begin(const CoreVolume *volume, gboolean write, GError **error);
void core_volume_end(const CoreVolume *volume, gboolean write);

/* Looks at it anew: its figures and the pool's are those of the disk afterwards. */
void core_volume_look(const CoreVolume *volume);

/* volume_lease.c: other hosts see that it is worked on; IN_USE where one of them does. Several may read. */
gboolean volume_lease_begin(const PoolVolume *volume, gboolean write, GError **error);
void volume_lease_end(const PoolVolume *volume); /* of who writes */

/* Fills protocol, name, servers and login of the network volume @volume into @source. Any thread. */
gboolean core_volume_place(Core *core, const CoreVolume *volume, DiskSource *source, GError **error);
/* Gives @disk (type volume) its real source: type and source of file, block device or network, and the
 * volume's format where the disk says none. The pool must be active. Lane of a guest. */
gboolean core_volume_resolve(Core *core, Disk *disk, Notes *notes, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CoreVolume, core_volume_free)

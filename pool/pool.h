/* Storage pools: a vtable of what differs between their types, one file per type, and what all share.
 *
 * Every function here may block on disks, tools and servers: it runs on the pool's lane or beside it,
 * never on the main loop. Volumes and sizes that were found are kept in a PoolState, which answers
 * reads at once and from any thread.
 *
 * Neighbours: model/pool.h, volume.h; image/ for what is inside volumes; core/pools.c above is the only
 * user. state.h, watch.h, files.h, tool.h: the rest of this room. */
#pragma once

#include <gio/gio.h>

#include "model/volume.h"
#include "pool/state.h"

/* What the room needs of those above it. */
typedef struct PoolNeeds {
	gpointer owner;
	/* The bytes of a secret; NULL on failure. May be NULL: there are none. */
	GBytes *(*secret)(gpointer owner, const SecretRef *secret, const char *type, GError **error);
} PoolNeeds;

/* A pool at work. */
typedef struct PoolUse {
	const Pool *pool;
	PoolState *state;
	const PoolNeeds *needs;
	GCancellable *cancel; /* may be NULL */
} PoolUse;

typedef enum PoolBuild { /* as libvirt numbers them */
	POOL_BUILD_NO_OVERWRITE = 1 << 2,
	POOL_BUILD_OVERWRITE = 1 << 3,
} PoolBuild;

typedef enum PoolErase { POOL_ERASE_NORMAL = 0, POOL_ERASE_ZEROED = 1 << 0 } PoolErase;

/* Slots may be NULL where the type has nothing to do, or cannot do it. */
typedef struct PoolKind {
	/* Whether this host can have such pools now: tools, kernel. The error says what is missing. */
	gboolean (*check)(const Pool *pool, GError **error);
	/* Sources that a pool of the type could be made of, of PoolSource *, freed by the caller. @ask
	 * is what the caller said of it, NULL: nothing. */
	GPtrArray *(*find)(const PoolSource *ask, GError **error);
	/* Makes folder, file system, group or label. @flags: PoolBuild. */
	gboolean (*build)(const PoolUse *use, guint flags, GError **error);
	/* Mounts, activates, logs in. What it made is gone after a failure. */
	gboolean (*start)(const PoolUse *use, GError **error);
	gboolean (*stop)(const PoolUse *use, GError **error);
	/* Undoes build. */
	gboolean (*erase)(const PoolUse *use, GError **error);
	/* Whether the host has it active, whoever did that. */
	gboolean (*is_active)(const PoolUse *use);
	/* Fills @volumes with PoolVolume * and @sizes. */
	gboolean (*scan)(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error);
	/* Makes @wanted, whose name is free; a new PoolVolume or NULL. */
	PoolVolume *(*create)(const PoolUse *use, const Volume *wanted, GError **error);
	gboolean (*remove)(const PoolUse *use, const PoolVolume *volume, GError **error);
	gboolean (*resize)(const PoolUse *use, const PoolVolume *volume, guint64 bytes, GError **error);
	/* Fills @source of a network volume; the others are their path. */
	gboolean (*source)(const PoolUse *use, const PoolVolume *volume, DiskSource *source,
			   GError **error);
} PoolKind;

extern const PoolKind pool_dir, pool_fs, pool_netfs, pool_logical, pool_disk, pool_iscsi,
	pool_iscsi_direct, pool_scsi, pool_mpath, pool_rbd, pool_gluster, pool_zfs;

/* The kind of @type; NULL with UNSUPPORTED where Lodge has none. Static. Any thread. */
const PoolKind *pool_kind(PoolType type, GError **error);
/* Whether volumes of @type are files in a folder. Any thread. */
gboolean pool_has_files(PoolType type);

/* ---- the boundary: what slots do, with what all have in common ---- */

/* Whether the host can have it. */
gboolean pool_check_host(const Pool *pool, GError **error);
gboolean pool_build(const PoolUse *use, guint flags, GError **error);
/* Starts it; its volumes are to be found then (pool_refresh()). */
gboolean pool_start(const PoolUse *use, GError **error);
gboolean pool_stop(const PoolUse *use, GError **error);
/* Removes what build made; refused while it holds volumes. @flags: PoolErase. */
gboolean pool_erase(const PoolUse *use, guint flags, GError **error);
/* Finds its volumes anew. */
gboolean pool_refresh(const PoolUse *use, GError **error);
gboolean pool_is_active(const PoolUse *use);
/* <sources>...</sources> for the type; @spec is a <source> document or NULL. The caller frees it. */
char *pool_find_sources(PoolType type, const char *spec, GError **error);
/* libvirt's <storagepoolCapabilities>; the caller frees it. Asks the host for tools. */
char *pool_capabilities(void);

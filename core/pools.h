/* Storage pools among the live objects: what verbs do with pools beside what all objects can (object.h).
 * Reads are answered from the PoolState in the snapshot.
 * Neighbours: volumes.h for what is in them; pool/ does the work. */
#pragma once

#include "core/object.h"
#include "pool/pool.h"

/* What the snapshot of an active pool has in .info. */
typedef struct PoolInfo {
	PoolState *state;
} PoolInfo;

/* The state of an active pool, of the snapshot; NULL where it is not active. */
PoolState *pool_snap_state(const ObjectSnap *snap);

/* Makes the pool `default` at the images folder, once in the life of an installation. At start. */
void pools_first_start(Core *core);

/* Lane, all of these. @flags: PoolBuild, PoolErase. */
gboolean core_pool_build(CoreObject *pool, guint flags, GError **error);
gboolean core_pool_erase(CoreObject *pool, guint flags, GError **error);
/* A folder that is watched is read only where something changed in it. */
gboolean core_pool_refresh(CoreObject *pool, GError **error);

/* How pool/ sees the pool of @snap, which must be active; members belong to @snap. */
PoolUse pool_snap_use(Core *core, const ObjectSnap *snap);
/* What pool/ may ask of the core. */
PoolNeeds pool_needs(Core *core);

/* What is known of an active pool: its volumes and sizes. One lock, held for moments: any thread may ask,
 * and never waits for a disk.
 *
 * A name is reserved while its volume is being made, so that two who make the same one meet here.
 * Neighbours: pool.h; files.c fills it for folders. */
#pragma once

#include "model/volume.h"

/* One volume, immutable. */
typedef struct PoolVolume {
	gint refs;
	VolumeType type;
	const char *format; /* static or interned; NULL: none */
	char *name, *path; /* the name may be the end of the path's string */
	char *key; /* NULL: the path */
	guint64 capacity, allocation, physical; /* bytes */
	guint64 inode, size;		       /* of files: whether it is still the same */
	gint64 mtime, ctime;		       /* nanoseconds */
	gboolean settled; /* it had not changed for a while when it was read: the times tell */
	char *backing, *backing_format; /* as its header names it, absolute; NULL: none */
	gboolean encrypted;
	Volume *more; /* what only the kind knows (extents); NULL: nothing */
} PoolVolume;

/* Zeroed, with one reference. */
PoolVolume *pool_volume_new(VolumeType type, const char *name, const char *path);
/* The same for the file @name of @folder. */
PoolVolume *pool_volume_new_in(VolumeType type, const char *folder, const char *name);
PoolVolume *pool_volume_ref(PoolVolume *volume);
void pool_volume_unref(PoolVolume *volume);
const char *pool_volume_key(const PoolVolume *volume);

typedef struct PoolSizes { /* bytes */
	guint64 capacity, allocation, available;
} PoolSizes;

#define POOL_LABEL_MAX 256

typedef struct PoolFolder { /* what a pool's folder is, as it was last seen */
	guint mode; /* with its type; 0: there is none, or it was not seen */
	guint owner, group;
	gint64 ctime; /* nanoseconds */
	char label[POOL_LABEL_MAX]; /* of security modules; "": none */
} PoolFolder;

typedef struct PoolState PoolState;

PoolState *pool_state_new(void);
PoolState *pool_state_ref(PoolState *state);
void pool_state_unref(PoolState *state);

PoolSizes pool_state_sizes(PoolState *state);
void pool_state_set_sizes(PoolState *state, const PoolSizes *sizes);
PoolFolder pool_state_folder(PoolState *state);
void pool_state_set_folder(PoolState *state, const PoolFolder *folder);
guint pool_state_count(PoolState *state);
/* References, in no order; the caller frees it. */
GPtrArray *pool_state_list(PoolState *state);
/* A reference or NULL. */
PoolVolume *pool_state_find(PoolState *state, const char *name);
PoolVolume *pool_state_find_path(PoolState *state, const char *path);
PoolVolume *pool_state_find_key(PoolState *state, const char *key);
/* One that is based on @path. */
PoolVolume *pool_state_based_on(PoolState *state, const char *path);
/* Adds or replaces; takes the reference. */
void pool_state_put(PoolState *state, PoolVolume *volume);
void pool_state_drop(PoolState *state, const char *name);
/* Replaces all (of PoolVolume *, whose references it takes) and the sizes, but for what was put or dropped
 * since pool_state_scan_begin(). One scan at a time. */
void pool_state_scan_begin(PoolState *state);
void pool_state_scan_end(PoolState *state, GPtrArray *volumes, const PoolSizes *sizes);

/* Whether @name can be made now: neither there nor being made. EXISTS otherwise. */
gboolean pool_state_reserve(PoolState *state, const char *name, GError **error);
void pool_state_release(PoolState *state, const char *name);
/* Work on a volume that others must not disturb (copy, wipe, upload): many readers or one writer. IN_USE
 * otherwise. pool_state_release_use() ends it. */
gboolean pool_state_use(PoolState *state, const char *name, gboolean write, GError **error);
void pool_state_release_use(PoolState *state, const char *name, gboolean write);
/* Names that are being made or worked on. */
guint pool_state_busy(PoolState *state);
/* Held while a kind changes what volumes share (a partition table, a group). */
GMutex *pool_state_change(PoolState *state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolVolume, pool_volume_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolState, pool_state_unref)

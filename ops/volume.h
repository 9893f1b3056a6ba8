/* What verbs about volumes share: how a volume is named, and what is told of one that was made.
 * Neighbours: volume.c shows volumes; volume_work.c makes and changes them; volume_stream.c moves their
 * bytes. */
#pragma once

#include "core/volumes.h"
#include "ops/ops.h"

/* The first members of arguments of verbs about one volume. */
#define VOLUME_MEMBERS                                                                             \
	ShapeHead head;                                                                            \
	char *vol, *pool

typedef struct VolumeArg {
	VOLUME_MEMBERS;
} VolumeArg;

/* The first row, and the one behind all that are required: words without a name are taken in order. */
#define VOLUME_ROW(T)                                                                              \
	STRING(T, vol, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "vol name, key or path")
#define VOLUME_POOL_ROW(T) STRING(T, pool, NULL, .flags = ROW_POSITIONAL, .doc = "pool name or uuid")
#define VOLUME_ROWS(T) VOLUME_ROW(T), VOLUME_POOL_ROW(T)

/* The volume that the arguments (beginning with VolumeArg) name. */
CoreVolume *op_volume(OpCall *call, GError **error);
/* core_volume_find(), and @call knows where it is the pool that is missing. */
CoreVolume *op_volume_find(OpCall *call, const char *pool, guint by, const char *text, GError **error);

/* A volume in results. */
typedef struct VolumeMade {
	ShapeHead head;
	char *name, *pool, *key, *path, *text;
} VolumeMade;
extern const Shape volume_made_shape;

void volume_tell(VolumeMade *made, const CoreVolume *volume);

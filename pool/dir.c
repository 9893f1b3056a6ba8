/* Pools of type dir: a folder that is there. See pool.h. */
#include "pool/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* Overwriting is said of a source, which a folder has not: libvirt refuses it, with the folder made. */
static gboolean build(const PoolUse *use, guint flags, GError **error)
{
	return pool_folder_make(use->pool, error) &&
	       (!flags || fail(error, LODGE_ERROR_STATE,
			       "No source device specified when formatting pool '%s'", use->pool->name));
}

static gboolean start(const PoolUse *use, GError **error)
{
	const char *path = pool_path(use->pool);
	struct stat st;
	if (stat(path, &st) < 0)
		return fail_errno(error, errno, "cannot open directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return fail(error, LODGE_ERROR_INVALID, "'%s' is not a directory", path);
	return TRUE;
}

static gboolean erase(const PoolUse *use, GError **error)
{
	const char *path = pool_path(use->pool);
	if (rmdir(path) < 0)
		return fail_errno(error, errno, "failed to remove pool '%s'", path);
	return TRUE;
}

static gboolean is_active(const PoolUse *use)
{
	struct stat st;
	return stat(pool_path(use->pool), &st) == 0 && S_ISDIR(st.st_mode);
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	return pool_files_scan(pool_path(use->pool), use->state, volumes, sizes, error);
}

const PoolKind pool_dir = {
	.build = build, .start = start, .erase = erase, .is_active = is_active, .scan = scan,
};

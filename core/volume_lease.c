/* Leases of volumes that are worked on (image/keeper.h), where other hosts may have their folder,
 * too. See volumes.h; one keeper for each volume that is written, from core_volume_begin() to
 * core_volume_end(). */
#include "core/internal.h"
#include "core/volumes.h"
#include "image/keeper.h"
#include "image/lease.h"

static GMutex lock;
static GHashTable *keepers; /* path -> ImageKeeper; under lock */

gboolean volume_lease_begin(const PoolVolume *volume, gboolean write, GError **error)
{
	ImageKeeper *keeper = NULL;
	if (volume->type != VOLUME_FILE || !image_lease_needed(volume->path))
		return TRUE;
	if (!write)
		return image_lease_check(volume->path, error);
	g_autoptr(GPtrArray) images = g_ptr_array_new();
	g_ptr_array_add(images, volume->path);
	if (!image_keeper_start(images, "work on a volume", 0, &keeper, NULL, error))
		return FALSE;
	g_mutex_lock(&lock);
	if (!keepers)
		keepers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (keeper)
		g_hash_table_insert(keepers, g_strdup(volume->path), keeper);
	g_mutex_unlock(&lock);
	return TRUE;
}

void volume_lease_end(const PoolVolume *volume)
{
	ImageKeeper *keeper = NULL;
	g_mutex_lock(&lock);
	if (keepers && (keeper = g_hash_table_lookup(keepers, volume->path)))
		g_hash_table_remove(keepers, volume->path);
	g_mutex_unlock(&lock);
	image_keeper_free(keeper);
}

/* Pools of type zfs: ZFS pools, whose volumes (zvol) are the volumes. By ZFS's tools. See pool.h. */
#include <string.h>

#include "base/error.h"
#include "pool/device.h"
#include "pool/tool.h"

static const char *name_of(const PoolUse *use)
{
	return use->pool->source->name;
}

static gboolean check(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	if (!pool_tools_are_there(error, "zfs", "zpool", NULL))
		return FALSE;
	return g_file_test("/dev/zfs", G_FILE_TEST_EXISTS) ||
	       pool_tool("kernel", NULL, NULL, "modinfo", "-n", "zfs", NULL) ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "the kernel of this host has no ZFS: its module is built by the package zfs-dkms");
}

static gboolean build(const PoolUse *use, guint flags, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *words[] = { "zpool", "create", "-f", "--", name_of(use) };
	if (!shape_len(use->pool->source->devices))
		return fail(error, LODGE_ERROR_INVALID, "%s: source/device must say of what to build it",
			    about);
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		g_ptr_array_add(argv, (gpointer)words[i]);
	SHAPE_EACH (PoolDevice, device, use->pool->source->devices) {
		if (!pool_device_may_lose(use->pool, device->path, flags, error))
			return FALSE;
		g_ptr_array_add(argv, device->path);
	}
	g_ptr_array_add(argv, NULL);
	return pool_tool_run(about, (const char *const *)argv->pdata, POOL_TOOL_MS, NULL, error);
}

static gboolean erase(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	return pool_tool(about, NULL, error, "zpool", "destroy", "--", name_of(use), NULL);
}

/* Lines of values with a tab between: at least @n of them, in @values; the caller frees those. */
static GPtrArray *table(const char *said, guint n)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_auto(GStrv) lines = g_strsplit(said, "\n", 100000);
	for (char **line = lines; *line; line++) {
		char **values = g_strsplit(*line, "\t", -1);
		if (g_strv_length(values) >= n)
			g_ptr_array_add(rows, values);
		else
			g_strfreev(values);
	}
	return rows;
}

static gboolean read_sizes(const PoolUse *use, PoolSizes *sizes, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *said = NULL;
	if (!pool_tool(about, &said, error, "zpool", "list", "-Hp", "-o", "size,allocated,free", "--",
		       name_of(use), NULL))
		return FALSE;
	g_autoptr(GPtrArray) rows = table(said, 3);
	char **row = rows->len ? rows->pdata[0] : NULL;
	if (!row)
		return fail(error, LODGE_ERROR_NOT_FOUND, "%s: there is no ZFS pool %s", about, name_of(use));
	sizes->capacity = g_ascii_strtoull(row[0], NULL, 10);
	sizes->allocation = g_ascii_strtoull(row[1], NULL, 10);
	sizes->available = g_ascii_strtoull(row[2], NULL, 10);
	return TRUE;
}

static gboolean start(const PoolUse *use, GError **error)
{
	PoolSizes sizes;
	return read_sizes(use, &sizes, error);
}

static gboolean is_active(const PoolUse *use)
{
	return start(use, NULL);
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *said = NULL;
	if (!read_sizes(use, sizes, error) ||
	    !pool_tool(about, &said, error, "zfs", "list", "-Hp", "-t", "volume", "-r", "-o",
		       "name,volsize,used", "--", name_of(use), NULL))
		return FALSE;
	g_autoptr(GPtrArray) rows = table(said, 3);
	for (guint i = 0; i < rows->len; i++) {
		char **row = rows->pdata[i];
		const char *name = strrchr(row[0], '/');
		if (!name)
			continue;
		g_autofree char *path = g_build_filename(pool_path(use->pool), name + 1, NULL);
		PoolVolume *volume =
			pool_device_volume(name + 1, path, g_ascii_strtoull(row[1], NULL, 10));
		volume->allocation = g_ascii_strtoull(row[2], NULL, 10);
		g_ptr_array_add(volumes, volume);
	}
	return TRUE;
}

static char *full_name(const PoolUse *use, const char *name)
{
	return g_strdup_printf("%s/%s", name_of(use), name);
}

/* ZFS makes volumes of whole blocks, and sets more aside for them than they hold. */
static PoolVolume *describe(const char *full, const char *name, const char *path)
{
	g_autofree char *said = NULL;
	PoolVolume *volume = pool_device_volume(name, path, pool_device_size(path));
	if (pool_tool(name, &said, NULL, "zfs", "get", "-Hp", "-o", "value", "used", full, NULL))
		volume->allocation = g_ascii_strtoull(said, NULL, 10);
	return volume;
}

static PoolVolume *create(const PoolUse *use, const Volume *wanted, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *name = full_name(use, wanted->name);
	g_autofree char *path = g_build_filename(pool_path(use->pool), wanted->name, NULL);
	guint64 bytes = opt_uint_or(wanted->capacity, 0);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
	gboolean sparse = wanted->allocation.set && wanted->allocation.v < bytes;
	gboolean ok = sparse ? pool_tool(about, NULL, error, "zfs", "create", "-s", "-V", size, "--", name,
					 NULL) :
			       pool_tool(about, NULL, error, "zfs", "create", "-V", size, "--", name, NULL);
	if (!ok)
		return NULL;
	if (pool_device_wait(path, error)) /* who clones or uploads opens it at once */
		return describe(name, wanted->name, path);
	pool_tool(about, NULL, NULL, "zfs", "destroy", "--", name, NULL);
	return NULL;
}

static gboolean remove_volume(const PoolUse *use, const PoolVolume *volume, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *name = full_name(use, volume->name);
	return pool_tool(about, NULL, error, "zfs", "destroy", "--", name, NULL);
}

static gboolean resize(const PoolUse *use, const PoolVolume *volume, guint64 bytes, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *name = full_name(use, volume->name);
	g_autofree char *size = g_strdup_printf("volsize=%" G_GUINT64_FORMAT, bytes);
	return pool_tool(about, NULL, error, "zfs", "set", size, name, NULL);
}

const PoolKind pool_zfs = {
	.check = check, .build = build, .start = start, .erase = erase, .is_active = is_active,
	.scan = scan, .create = create, .remove = remove_volume, .resize = resize,
};

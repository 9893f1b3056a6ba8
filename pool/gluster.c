/* Pools of type gluster: files of a Gluster volume, which QEMU reaches itself. To list them the volume is
 * mounted by Gluster's own client at a folder of the daemon. See pool.h. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "pool/device.h"
#include "pool/files.h"
#include "pool/network.h"
#include "pool/tool.h"

static gboolean check(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	return pool_tools_are_there(error, "mount.glusterfs", "mount", "umount", NULL);
}

static char *mount_point(const Pool *pool)
{
	return g_strdup_printf("/run/lodge-gluster/%s", pool->uuid);
}

/* The folder of the volumes below @mounted. */
static char *folder_of(const Pool *pool, const char *mounted)
{
	return g_build_filename(mounted, pool->source->dir ? pool->source->dir : "", NULL);
}

static gboolean stop(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *at = mount_point(use->pool);
	if (g_file_test(at, G_FILE_TEST_IS_DIR) && g_rmdir(at) < 0 && errno == EBUSY &&
	    !pool_tool(about, NULL, error, "umount", "--", at, NULL))
		return FALSE;
	g_rmdir(at);
	return TRUE;
}

static gboolean start(const PoolUse *use, GError **error)
{
	const PoolSource *source = use->pool->source;
	g_autofree char *about = pool_about(use->pool), *at = mount_point(use->pool);
	g_autofree char *from =
		g_strdup_printf("%s:/%s", ((PoolHost *)source->hosts->pdata[0])->name, source->name);
	if (g_mkdir_with_parents(at, 0700) < 0)
		return fail_errno(error, errno, "%s: cannot create %s", about, at);
	if (pool_tool(about, NULL, error, "mount", "-t", "glusterfs", "-o", "nodev,nosuid,noexec", "--", from,
		      at, NULL))
		return TRUE;
	g_rmdir(at);
	return FALSE;
}

static gboolean is_active(const PoolUse *use)
{
	g_autofree char *at = mount_point(use->pool);
	struct stat here, above;
	g_autofree char *parent = g_path_get_dirname(at);
	return stat(at, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static char *address_of(const PoolUse *use, const char *name)
{
	const PoolSource *source = use->pool->source;
	g_autofree char *dir = g_build_filename("/", source->dir ? source->dir : "", name, NULL);
	return g_strdup_printf("gluster://%s/%s%s", ((PoolHost *)source->hosts->pdata[0])->name,
			       source->name, dir);
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	g_autofree char *at = mount_point(use->pool), *folder = folder_of(use->pool, at);
	g_autoptr(PoolState) fresh = pool_state_new();
	if (!is_active(use))
		return fail(error, LODGE_ERROR_STATE, "pool \"%s\": its Gluster volume is not mounted",
			    use->pool->name);
	if (!pool_files_scan(folder, fresh, volumes, sizes, error))
		return FALSE;
	for (guint i = 0; i < volumes->len; i++) {
		PoolVolume *volume = volumes->pdata[i];
		g_free(volume->path);
		volume->path = address_of(use, volume->name);
		volume->type = volume->type == VOLUME_DIR ? VOLUME_NETDIR : VOLUME_NETWORK;
	}
	return TRUE;
}

static PoolVolume *create(const PoolUse *use, const Volume *wanted, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *address = address_of(use, wanted->name);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, opt_uint_or(wanted->capacity, 0));
	if (!pool_tool(about, NULL, error, "qemu-img", "create", "-q", "-f", volume_format(wanted), address,
		       size, NULL))
		return NULL;
	PoolVolume *volume = pool_network_volume(wanted->name, address, opt_uint_or(wanted->capacity, 0));
	volume->format = g_intern_string(volume_format(wanted));
	return volume;
}

static gboolean remove_volume(const PoolUse *use, const PoolVolume *volume, GError **error)
{
	g_autofree char *at = mount_point(use->pool), *folder = folder_of(use->pool, at);
	g_autofree char *path = g_build_filename(folder, volume->name, NULL);
	return unlink(path) == 0 || fail_errno(error, errno, "cannot unlink file '%s'", path);
}

static gboolean source(const PoolUse *use, const PoolVolume *volume, DiskSource *to,
		       G_GNUC_UNUSED GError **error)
{
	const PoolSource *from = use->pool->source;
	g_autofree char *name =
		g_build_filename(from->name, from->dir ? from->dir : "", volume->name, NULL);
	pool_network_source(use, "gluster", name, NULL, to);
	return TRUE;
}

/* The volumes of a server, one name a line. */
static GPtrArray *find(const PoolSource *ask, GError **error)
{
	g_autofree char *said = NULL;
	if (!ask || !shape_len(ask->hosts) || *((PoolHost *)ask->hosts->pdata[0])->name == '-') {
		fail(error, LODGE_ERROR_INVALID, "missing <host name='...'/>: whose volumes?");
		return NULL;
	}
	const char *host = ((PoolHost *)ask->hosts->pdata[0])->name;
	g_autofree char *server = g_strconcat("--remote-host=", host, NULL);
	if (!pool_tool("volumes", &said, error, "gluster", "--mode=script", "--log-file=/dev/null", server,
		       "volume", "list", NULL))
		return NULL;
	GPtrArray *found = g_ptr_array_new();
	g_auto(GStrv) lines = g_strsplit(said, "\n", 10000);
	for (char **line = lines; *line; line++) {
		if (!*g_strstrip(*line) || strchr(*line, ' ')) /* "No volumes present in cluster" */
			continue;
		PoolSource *source = shape_copy(&pool_source_shape, ask);
		g_free(source->name);
		g_free(source->dir);
		source->name = g_strdup(*line);
		source->dir = g_strdup("/");
		g_ptr_array_add(found, source);
	}
	return found;
}

const PoolKind pool_gluster = {
	.check = check, .find = find, .start = start, .stop = stop, .is_active = is_active, .scan = scan,
	.create = create, .remove = remove_volume, .source = source,
};

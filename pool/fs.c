/* Pools of type fs (a file system on a device of this host) and netfs (a folder of a server): mounted by
 * mount(8), their volumes are files. See pool.h. */
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "host/flush.h"
#include "pool/device.h"
#include "pool/files.h"
#include "pool/tool.h"

/* ---- what is mounted ---- */

/* The source that is mounted at @path; NULL: nothing. The caller frees it. Reads a file of the kernel,
 * and so waits for no server. */
static char *mounted_at(const char *path)
{
	FILE *table = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char buffer[8192], *found = NULL;
	while (table && getmntent_r(table, &entry, buffer, sizeof(buffer)))
		if (g_str_equal(entry.mnt_dir, path)) {
			g_free(found);
			found = g_strdup(entry.mnt_fsname);
		}
	if (table)
		endmntent(table);
	return found;
}

static gboolean kernel_has(const char *type)
{
	g_autofree char *text = NULL, *word = g_strconcat("\t", type, "\n", NULL);
	return g_file_get_contents("/proc/filesystems", &text, NULL, NULL) && strstr(text, word);
}

/* "nfs", "cifs", "glusterfs": what mount calls it. */
static const char *net_type(const Pool *pool)
{
	const char *format = pool->source ? pool->source->format : NULL;
	return !format || g_str_equal(format, "auto") ? "nfs" : format;
}

static char *mount_source(const Pool *pool)
{
	if (pool->type == POOL_FS)
		return g_strdup(pool_device(pool));
	const char *host = ((PoolHost *)pool->source->hosts->pdata[0])->name;
	const char *dir = pool->source->dir;
	if (g_str_equal(net_type(pool), "cifs"))
		return g_strdup_printf("//%s/%s", host, dir + (*dir == '/'));
	return g_strdup_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, dir);
}

/* ---- the kernel's and the tools' part ---- */

static gboolean check_fs(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	return pool_tools_are_there(error, "mount", "umount", NULL);
}

static gboolean check_netfs(const Pool *pool, GError **error)
{
	const char *type = net_type(pool);
	g_autofree char *helper = g_strconcat("mount.", type, NULL);
	if (!pool_tools_are_there(error, "mount", "umount", helper, NULL))
		return FALSE;
	const char *module = g_str_equal(type, "glusterfs") ? "fuse" : type;
	if (kernel_has(module) || pool_tool("kernel", NULL, NULL, "modinfo", "-n", module, NULL))
		return TRUE;
	return fail(error, LODGE_ERROR_UNSUPPORTED,
		    "the kernel of this host cannot mount %s: its module \"%s\" is missing", type, module);
}

/* Whether the pool's own options say as whom the server is to be asked. */
static gboolean says_who(const Pool *pool)
{
	static const char *const words[] = { "guest", "user", "cred", "sec=", "multiuser" };
	SHAPE_EACH (PoolOption, option, pool->mount_options)
		for (guint i = 0; i < G_N_ELEMENTS(words); i++)
			if (g_str_has_prefix(option->name, words[i]))
				return TRUE;
	return FALSE;
}

/* What a format needs, and how it says a version. nobrl: a CIFS server takes locks of QEMU's kind for
 * something else, see image/lock.c. */
static const struct {
	const char *type, *options, *version;
} net_formats[] = {
	{ "nfs", "", "nfsvers" },
	{ "cifs", ",nobrl", "vers" },
	{ "glusterfs", ",direct-io-mode=1", NULL },
};

static void add_net_options(GString *options, const Pool *pool)
{
	const char *type = net_type(pool), *version = pool->source->protocol_ver;
	for (guint i = 0; i < G_N_ELEMENTS(net_formats); i++) {
		if (!g_str_equal(type, net_formats[i].type))
			continue;
		g_string_append(options, net_formats[i].options);
		if (version && net_formats[i].version)
			g_string_append_printf(options, ",%s=%s", net_formats[i].version, version);
	}
	if (g_str_equal(type, "cifs") && !says_who(pool))
		g_string_append(options, ",guest");
}

static char *mount_options(const Pool *pool)
{
	GString *options = g_string_new("nodev,nosuid,noexec");
	if (pool->type == POOL_NETFS)
		add_net_options(options, pool);
	SHAPE_EACH (PoolOption, option, pool->mount_options)
		g_string_append_printf(options, ",%s", option->name);
	return g_string_free(options, FALSE);
}

static gboolean is_active(const PoolUse *use)
{
	g_autofree char *now = mounted_at(pool_path(use->pool));
	return now != NULL;
}

static gboolean start(const PoolUse *use, GError **error)
{
	const Pool *pool = use->pool;
	const char *path = pool_path(pool), *format = pool->source->format;
	g_autofree char *source = mount_source(pool), *options = mount_options(pool);
	g_autofree char *now = mounted_at(path), *about = pool_about(pool);
	if (now && g_str_equal(now, source))
		return TRUE;
	if (now)
		return fail(error, LODGE_ERROR_IN_USE, "%s: %s is mounted at %s already", about, now, path);
	if (!g_file_test(path, G_FILE_TEST_IS_DIR))
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "%s: cannot open directory '%s': build the pool first (pool-build)", about, path);
	const char *type = pool->type == POOL_NETFS ? net_type(pool) : format;
	return pool_tool(about, NULL, error, "mount", "-t", type, "-o", options, "--", source, path, NULL);
}

static gboolean stop(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	const char *path = pool_path(use->pool);
	g_autofree char *now = mounted_at(path);
	flush_settle(); /* files that are still open for it would keep it busy */
	return !now || pool_tool(about, NULL, error, "umount", "--", path, NULL);
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	if (!is_active(use))
		return fail(error, LODGE_ERROR_STATE, "nothing is mounted at %s any more",
			    pool_path(use->pool));
	return pool_files_scan(pool_path(use->pool), use->state, volumes, sizes, error);
}

/* ---- build ---- */

static gboolean make_file_system(const Pool *pool, guint flags, GError **error)
{
	const char *device = pool_device(pool), *format = pool->source->format;
	g_autofree char *about = pool_about(pool);
	if (!pool_device_may_lose(pool, device, flags, error))
		return FALSE;
	if (g_str_equal(format, "auto"))
		return fail(error, LODGE_ERROR_INVALID,
			    "%s: source/format/@type must say which file system to make", about);
	g_autofree char *tool = g_strconcat("mkfs.", format, NULL);
	gboolean ext = g_str_has_prefix(format, "ext"), xfs = g_str_equal(format, "xfs");
	const char *force = ext ? "-F" : xfs ? "-f" : NULL;
	const char *words[] = { "-t", format, "-q" };
	const char *argv[8] = { ext ? "mkfs.ext4" : tool };
	guint n = 1;
	for (guint i = 0; ext && i < G_N_ELEMENTS(words); i++)
		argv[n++] = words[i];
	if (force)
		argv[n++] = force;
	argv[n] = device;
	return pool_tool_run(about, argv, POOL_TOOL_LONG_MS, NULL, error);
}

static gboolean build(const PoolUse *use, guint flags, GError **error)
{
	if (!pool_folder_make(use->pool, error))
		return FALSE;
	if (use->pool->type == POOL_NETFS || !flags)
		return TRUE;
	return make_file_system(use->pool, flags, error);
}

static gboolean erase(const PoolUse *use, GError **error)
{
	const char *path = pool_path(use->pool);
	if (rmdir(path) < 0)
		return fail_errno(error, errno, "failed to remove pool '%s'", path);
	return TRUE;
}

/* ---- what a server has ---- */

/* "/export/a 10.0.0.0/8": lines of showmount. */
static void add_exports(GPtrArray *found, const char *host, const char *said)
{
	g_auto(GStrv) lines = g_strsplit(said, "\n", 10000);
	for (char **line = lines; *line; line++) {
		if (**line != '/')
			continue;
		PoolSource *source = shape_new(&pool_source_shape);
		PoolHost *server = shape_new(&pool_host_shape);
		server->name = g_strdup(host);
		shape_append(&source->hosts, &pool_host_shape, server);
		source->dir = g_strndup(*line, strcspn(*line, " \t"));
		source->format = g_strdup("nfs");
		g_ptr_array_add(found, source);
	}
}

static GPtrArray *find_exports(const PoolSource *ask, GError **error)
{
	if (!ask || !shape_len(ask->hosts)) {
		fail(error, LODGE_ERROR_INVALID, "missing <host name='...'/>: whose exports?");
		return NULL;
	}
	const char *host = ((PoolHost *)ask->hosts->pdata[0])->name;
	g_autofree char *said = NULL;
	if (*host == '-') {
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is no name of a server", host);
		return NULL;
	}
	if (!pool_tool("exports", &said, error, "showmount", "--no-headers", "--exports", host, NULL))
		return NULL;
	GPtrArray *found = g_ptr_array_new();
	add_exports(found, host, said);
	return found;
}

const PoolKind pool_fs = {
	.check = check_fs, .build = build, .start = start, .stop = stop, .erase = erase,
	.is_active = is_active, .scan = scan,
};

const PoolKind pool_netfs = {
	.check = check_netfs, .find = find_exports, .build = build, .start = start, .stop = stop,
	.erase = erase, .is_active = is_active, .scan = scan,
};

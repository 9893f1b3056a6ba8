/* See tool.h. */
#include "pool/tool.h"

#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"

#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Debian's packages, for messages. */
static const struct {
	const char *tool, *package;
} packages[] = {
	{ "mount", "mount" },		{ "umount", "mount" },
	{ "mkfs.ext4", "e2fsprogs" },	{ "mkfs.xfs", "xfsprogs" },
	{ "mkfs.vfat", "dosfstools" },	{ "blkid", "util-linux" },
	{ "wipefs", "util-linux" },	{ "sfdisk", "fdisk" },
	{ "partx", "util-linux" },	{ "lvs", "lvm2" },
	{ "vgs", "lvm2" },		{ "iscsiadm", "open-iscsi" },
	{ "showmount", "nfs-common" },	{ "mount.nfs", "nfs-common" },
	{ "mount.cifs", "cifs-utils" }, { "mount.glusterfs", "glusterfs-client" },
	{ "gluster", "glusterfs-cli" }, { "rbd", "ceph-common" },
	{ "zfs", "zfsutils-linux" },	{ "zpool", "zfsutils-linux" },
	{ "dmsetup", "dmsetup" },	{ "iscsi-ls", "libiscsi-bin" },
	{ "multipath", "multipath-tools" }, { "iscsi-readcapacity16", "libiscsi-bin" },
	{ "pvcreate", "lvm2" },		{ "modinfo", "kmod" },
};

static const char *package_of(const char *tool)
{
	for (guint i = 0; i < G_N_ELEMENTS(packages); i++)
		if (g_str_equal(packages[i].tool, tool))
			return packages[i].package;
	return tool;
}

char *pool_tool_find(const char *name, GError **error)
{
	g_auto(GStrv) folders = g_strsplit(PATH, ":", -1);
	for (char **folder = folders; *folder; folder++) {
		g_autofree char *path = g_build_filename(*folder, name, NULL);
		if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
			return g_steal_pointer(&path);
	}
	fail(error, LODGE_ERROR_UNSUPPORTED, "the tool %s is missing on this host: install the package %s",
	     name, package_of(name));
	return NULL;
}

gboolean pool_tools_are_there(GError **error, const char *name, ...)
{
	va_list more;
	gboolean ok = TRUE;
	va_start(more, name);
	for (; name && ok; name = va_arg(more, const char *)) {
		g_autofree char *path = pool_tool_find(name, error);
		ok = path != NULL;
	}
	va_end(more);
	return ok;
}

/* What a tool said, on one line, for messages. */
static char *words(const char *said)
{
	g_autofree char *valid = g_utf8_make_valid(said, MIN((gssize)strlen(said), 2000));
	char *line = g_strdup(g_strstrip(valid));
	g_strdelimit(line, "\n\r\t", ' ');
	return line;
}

/* An open file in memory with those bytes, at its beginning; -1 on failure. */
static int memory_file(const void *bytes, gsize length, GError **error)
{
	autofd int fd = memfd_create("lodge-tool", MFD_CLOEXEC);
	if (fd < 0 || (length && write(fd, bytes, length) != (ssize_t)length) || lseek(fd, 0, SEEK_SET)) {
		fail_errno(error, errno, "cannot make a file in memory");
		return -1;
	}
	return fd_steal(&fd);
}

static GPtrArray *environment(const char *const *more)
{
	static const char *const env[] = { "PATH=" PATH, "LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1" };
	GPtrArray *all = g_ptr_array_new();
	for (guint i = 0; i < G_N_ELEMENTS(env); i++)
		g_ptr_array_add(all, (gpointer)env[i]);
	for (; more && *more; more++)
		g_ptr_array_add(all, (gpointer)*more);
	g_ptr_array_add(all, NULL);
	return all;
}

static gboolean run(const PoolTool *how, const char *program, char **said, int *status, GError **error)
{
	gsize length = how->secret ? g_bytes_get_size(how->secret) : 0;
	autofd int input = memory_file(how->input, how->input ? strlen(how->input) : 0, error);
	autofd int secret = memory_file(length ? g_bytes_get_data(how->secret, NULL) : "", length, error);
	if (input < 0 || secret < 0)
		return FALSE;
	guint n = g_strv_length((char **)how->argv) + 1;
	g_autofree const char **argv = g_memdup2(how->argv, n * sizeof(*argv));
	g_autoptr(GPtrArray) env = environment(how->env);
	SpawnFd fds[] = { { input, 0 }, { secret, 9 } };
	argv[0] = program;
	Spawn child = { .argv = argv, .env = (const char *const *)env->pdata, .umask = OPT_UINT(022),
			.fds = fds, .n_fds = G_N_ELEMENTS(fds) };
	return spawn_run(&child, how->ms ? how->ms : POOL_TOOL_MS, said, status, error);
}

gboolean pool_tool_do(const PoolTool *how, char **out, GError **error)
{
	g_autofree char *program = pool_tool_find(how->argv[0], error), *said = NULL;
	int status = 0;
	if (!program || !run(how, program, &said, &status, error)) {
		g_prefix_error(error, "%s: ", how->about);
		return FALSE;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		g_autofree char *line = words(said);
		return fail(error, LODGE_ERROR_SYSTEM, "%s: %s says: %s", how->about, how->argv[0],
			    *line ? line : "nothing, and failed");
	}
	if (out)
		*out = g_steal_pointer(&said);
	return TRUE;
}

gboolean pool_tool_run(const char *about, const char *const *argv, int ms, char **out, GError **error)
{
	PoolTool how = { .about = about, .argv = argv, .ms = ms };
	return pool_tool_do(&how, out, error);
}

static const char **collect(va_list list)
{
	GPtrArray *argv = g_ptr_array_new();
	for (const char *word; (word = va_arg(list, const char *));)
		g_ptr_array_add(argv, (gpointer)word);
	g_ptr_array_add(argv, NULL);
	return (const char **)g_ptr_array_free(argv, FALSE);
}

gboolean pool_tool(const char *about, char **out, GError **error, ...)
{
	va_list list;
	va_start(list, error);
	g_autofree const char **argv = collect(list);
	va_end(list);
	return pool_tool_run(about, argv, POOL_TOOL_MS, out, error);
}

json_t *pool_tool_json(const char *about, GError **error, ...)
{
	va_list list;
	json_error_t why;
	g_autofree char *said = NULL;
	va_start(list, error);
	g_autofree const char **argv = collect(list);
	va_end(list);
	if (!pool_tool_run(about, argv, POOL_TOOL_MS, &said, error))
		return NULL;
	json_t *json = json_loads(said + strcspn(said, "{["), JSON_DISABLE_EOF_CHECK, &why);
	if (!json)
		fail(error, LODGE_ERROR_SYSTEM, "%s: %s did not answer in JSON: %s", about, argv[0],
		     why.text);
	return json;
}

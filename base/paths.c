/* See paths.h. */
#include "base/paths.h"
#include "base/error.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static void below_root(Paths *paths, const char *root)
{
	paths->root = g_canonicalize_filename(root, NULL);
	paths->etc = g_build_filename(paths->root, "etc", NULL);
	paths->lib = g_build_filename(paths->root, "lib", NULL);
	paths->run = g_build_filename(paths->root, "run", NULL);
	paths->log = g_build_filename(paths->root, "log", NULL);
	paths->images = g_build_filename(paths->root, "images", NULL);
}

static void of_system(Paths *paths)
{
	paths->etc = g_strdup("/etc/lodge");
	paths->lib = g_strdup("/var/lib/lodge");
	paths->run = g_strdup("/run/lodge");
	paths->log = g_strdup("/var/log/lodge");
	paths->images = g_strdup("/var/lib/lodge/images");
}

static void of_person(Paths *paths)
{
	paths->etc = g_build_filename(g_get_user_config_dir(), "lodge", NULL);
	paths->lib = g_build_filename(g_get_user_data_dir(), "lodge", NULL);
	paths->run = g_build_filename(g_get_user_runtime_dir(), "lodge", NULL);
	paths->log = g_build_filename(g_get_user_state_dir(), "lodge", "log", NULL);
	paths->images = g_build_filename(g_get_user_data_dir(), "lodge", "images", NULL);
}

Paths *paths_new(const char *root)
{
	Paths *paths = g_new0(Paths, 1);
	if (root)
		below_root(paths, root);
	else if (geteuid() == 0)
		of_system(paths);
	else
		of_person(paths);
	paths->socket = g_build_filename(paths->run, "lodge.sock", NULL);
	return paths;
}

Paths *paths_copy(const Paths *paths)
{
	Paths *copy = g_new(Paths, 1);
	*copy = (Paths){ .root = g_strdup(paths->root), .etc = g_strdup(paths->etc),
			 .lib = g_strdup(paths->lib), .run = g_strdup(paths->run),
			 .log = g_strdup(paths->log), .images = g_strdup(paths->images),
			 .socket = g_strdup(paths->socket) };
	return copy;
}

void paths_free(Paths *paths)
{
	if (!paths)
		return;
	g_free(paths->root);
	g_free(paths->etc);
	g_free(paths->lib);
	g_free(paths->run);
	g_free(paths->log);
	g_free(paths->images);
	g_free(paths->socket);
	g_free(paths);
}

/* Folders that QEMU's own user must pass through are open for passing (0711), no more; the daemon's
 * umask would close them. One that is there keeps its mode. */
static gboolean make_folder(const char *path, mode_t mode, GError **error)
{
	struct stat st;
	gboolean made = stat(path, &st) < 0 && errno == ENOENT;
	if (g_mkdir_with_parents(path, mode) < 0 || (made && chmod(path, mode) < 0))
		return fail_errno(error, errno, "cannot make the folder %s", path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail(error, LODGE_ERROR_SYSTEM, "%s is not a folder", path);
	return TRUE;
}

gboolean paths_make(const Paths *paths, GError **error)
{
	mode_t mode = geteuid() == 0 ? 0711 : 0700;
	if (paths->root && !make_folder(paths->root, mode, error))
		return FALSE;
	return make_folder(paths->etc, mode, error) && make_folder(paths->lib, mode, error) &&
	       make_folder(paths->run, mode, error) && make_folder(paths->log, 0700, error) &&
	       make_folder(paths->images, mode, error);
}

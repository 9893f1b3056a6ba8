/* Makes an image or finds it; see build.h. */
#include "config.h"
#include "image/script.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

/* The script: that of the tree where we run from the tree, the installed one otherwise. */
static char *find_script(const ImageRecipe *recipe)
{
	g_autofree char *installed =
		g_build_filename(LODGE_DATADIR, "images", recipe->script, NULL);
	g_autofree char *in_tree =
		g_build_filename(LODGE_SOURCE_DATADIR, "images", recipe->script, NULL);
	g_autofree char *tree = g_path_get_dirname(LODGE_SOURCE_DATADIR);
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	gboolean from_tree = self && g_str_has_prefix(self, tree) && self[strlen(tree)] == '/';
	if (!from_tree && access(installed, X_OK) == 0)
		return g_steal_pointer(&installed);
	return access(in_tree, X_OK) == 0 ? g_steal_pointer(&in_tree) : g_steal_pointer(&installed);
}

/* What the image depends on, as one word; NULL on failure. */
static char *hash_of(const char *script, const char *const *argv, GError **error)
{
	g_autofree char *text = NULL;
	gsize length;
	g_autoptr(GError) problem = NULL;
	if (!g_file_get_contents(script, &text, &length, &problem)) {
		fail(error, LODGE_ERROR_SYSTEM, "the recipe cannot be read: %s", problem->message);
		return NULL;
	}
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_checksum_update(sum, (const guchar *)text, (gssize)length);
	for (; *argv; argv++)
		g_checksum_update(sum, (const guchar *)*argv, (gssize)strlen(*argv) + 1);
	return g_strdup(g_checksum_get_string(sum));
}

/* SCRIPT --suite S --size N OPTIONS... --output PATH; borrowed strings. */
static GPtrArray *arguments(const ImageBuild *how, const char *script, const char *path)
{
	const char *const fixed[] = { script, "--suite", how->recipe->suite, "--size",
				      how->recipe->size };
	GPtrArray *argv = g_ptr_array_new();
	for (guint i = 0; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(argv, (char *)fixed[i]);
	for (guint i = 0; how->options && how->options[i]; i++)
		g_ptr_array_add(argv, (char *)how->options[i]);
	if (path) {
		g_ptr_array_add(argv, (char *)"--output");
		g_ptr_array_add(argv, (char *)path);
	}
	g_ptr_array_add(argv, NULL);
	return argv;
}

static gboolean write_record(const ImageBuild *how, const char *path, const char *hash,
			     GPtrArray *packages, GError **error)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *built = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
	ImageRecord record = {
		.recipe = (char *)how->recipe->name,
		.os = (char *)how->recipe->os,
		.login = (char *)how->recipe->login,
		.hash = (char *)hash,
		.built = built,
		.packages = packages->len ? packages : NULL,
	};
	return image_record_write(path, &record, error);
}

/* Whether the image that is there came from this recipe with these options. */
static gboolean is_of(const char *path, const char *hash)
{
	ImageRecord *record = image_record_read(path, NULL);
	gboolean same = record && g_str_equal(record->hash, hash);
	shape_free(&image_record_shape, record);
	return same;
}

gboolean image_build(const ImageBuild *how, ImageBuilt *built, GError **error)
{
	g_autofree char *script = how->script ? g_strdup(how->script) : find_script(how->recipe);
	g_autofree char *file = g_strdup_printf("%s.qcow2", how->recipe->name);
	g_autofree char *path = g_build_filename(how->folder, file, NULL);
	g_autoptr(GPtrArray) hashed = arguments(how, "", NULL);
	g_autofree char *hash = hash_of(script, (const char *const *)hashed->pdata, error);
	if (!hash)
		return FALSE;
	if (access(path, F_OK) == 0 && !how->replace) {
		*built = (ImageBuilt){ .reused = TRUE, .outdated = !is_of(path, hash) };
		built->path = g_steal_pointer(&path);
		return TRUE;
	}
	g_autoptr(GPtrArray) argv = arguments(how, script, path);
	g_autoptr(GPtrArray) packages = g_ptr_array_new_with_free_func(g_free);
	if (!script_run(how, (const char *const *)argv->pdata, packages, error) ||
	    !write_record(how, path, hash, packages, error))
		return FALSE;
	*built = (ImageBuilt){ .path = g_steal_pointer(&path) };
	return TRUE;
}

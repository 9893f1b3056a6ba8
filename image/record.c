/* Recipes, and the records of what they made; see build.h. To add an image: a row here, and its
 * script in share/images/. */
#include "image/script.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/format.h"

#define RECORD_MAX (1 << 20)

static const ImageRecipe recipes[] = {
	{ .name = "debian-12",
	  .script = "build-debian",
	  .suite = "bookworm",
	  .size = "10G",
	  .os = "Debian 12 (bookworm)",
	  .login = "on the serial console: root, no password; by ssh: keys only" },
};

static const Row record_rows[] = {
	STRING(ImageRecord, recipe, NULL, .flags = ROW_REQUIRED, .doc = "Recipe"),
	STRING(ImageRecord, os, NULL, .doc = "System"),
	STRING(ImageRecord, login, NULL, .doc = "Login"),
	STRING(ImageRecord, hash, NULL, .flags = ROW_REQUIRED, .doc = "Hash of the recipe"),
	STRING(ImageRecord, built, NULL, .doc = "Built"),
	STRINGS(ImageRecord, packages, NULL, .doc = "Packages"),
};
const Shape image_record_shape = SHAPE("image-record", ImageRecord, record_rows);

const ImageRecipe *image_recipes(guint *n)
{
	*n = G_N_ELEMENTS(recipes);
	return recipes;
}

const ImageRecipe *image_recipe_find(const char *name, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(recipes); i++) {
		if (g_str_equal(recipes[i].name, name))
			return &recipes[i];
		g_string_append_printf(names, "%s%s", i ? ", " : "", recipes[i].name);
	}
	fail(error, LODGE_ERROR_NOT_FOUND, "there is no recipe for an image \"%s\"; there are: %s",
	     name, names->str);
	return NULL;
}

/* NAME.qcow2 -> NAME.json */
static char *record_path(const char *image)
{
	const char *dot = strrchr(image, '.'), *slash = strrchr(image, '/');
	gsize length = dot && (!slash || dot > slash + 1) ? (gsize)(dot - image) : strlen(image);
	return g_strdup_printf("%.*s.json", (int)length, image);
}

ImageRecord *image_record_read(const char *path, GError **error)
{
	g_autofree char *file = record_path(path);
	autofd int fd = image_open(file, error);
	if (fd < 0)
		return NULL;
	g_autofree char *text = g_malloc(RECORD_MAX);
	gssize length = image_read_at(fd, text, RECORD_MAX, 0);
	json_error_t problem;
	json_t *json = length < 0 || length == RECORD_MAX
			       ? NULL
			       : json_loadb(text, (size_t)length, 0, &problem);
	ImageRecord *record = json ? shape_from_json(&image_record_shape, json, NULL) : NULL;
	json_decref(json);
	if (!record)
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is not the record of an image", file);
	return record;
}

gboolean image_record_write(const char *path, const ImageRecord *record, GError **error)
{
	g_autofree char *file = record_path(path);
	json_t *json = shape_to_json(&image_record_shape, record, 0);
	char *text = json_dumps(json, JSON_INDENT(2));
	g_autoptr(GError) problem = NULL;
	gboolean ok = g_file_set_contents_full(
		file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
		&problem);
	free(text);
	json_decref(json);
	return ok || fail(error, LODGE_ERROR_SYSTEM, "%s", problem->message);
}

/* Verbs that bring images in: `image import` and `image catalog`.
 * Neighbours: image/import.h does it; image/catalog.h knows addresses; pools watch their folders and
 * see what arrives. */
#include "core/core.h"
#include "core/object.h"
#include "pool/pool.h"
#include "image/catalog.h"
#include "image/import.h"
#include "ops/families.h"

#include <string.h>

typedef struct ImportArgs {
	ShapeHead head;
	char *from, *pool, *name, *checksum;
} ImportArgs;

static const Row import_rows[] = {
	STRING(ImportArgs, from, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_NAME_OR_PATH,
	       .doc = "a file, an address (http, https), or a name of \"lodge image catalog\""),
	STRING(ImportArgs, pool, NULL, .opt = 'p',
	       .doc = "storage pool (a folder) it goes to; where nothing is said, the folder of images"),
	STRING(ImportArgs, name, NULL, .opt = 'n', .doc = "name of the image, without a suffix"),
	STRING(ImportArgs, checksum, NULL, .doc = "what it must have, as sha256:DIGITS or sha512:DIGITS"),
};
static const Shape import_args = SHAPE("image-import-args", ImportArgs, import_rows);

typedef struct Imported {
	ShapeHead head;
	char *name, *path, *hint;
	int format;
	OptUint size;
	Tri verified;
} Imported;

static const Row imported_rows[] = {
	STRING(Imported, name, NULL, .doc = "Name"), STRING(Imported, path, NULL, .doc = "File"),
	ENUM(Imported, format, NULL, image_formats, .doc = "Format"),
	SIZE(Imported, size, NULL, .doc = "Size"),
	TRI(Imported, verified, NULL, .doc = "Checksum verified"), STRING(Imported, hint, NULL),
};
static const Shape imported_shape = SHAPE("imported-image", Imported, imported_rows);

static void on_progress(double fraction, gpointer data)
{
	op_progress(data, fraction, "%s", "importing");
}

/* What is meant by ARGS: with an entry of the catalog, its address and name. */
static gboolean find_source(const ImportArgs *args, const Catalog *catalog, ImageImport *how,
			    GError **error)
{
	how->from = args->from;
	if (strchr(args->from, '/'))
		return TRUE;
	const CatalogEntry *entry = catalog_find(catalog, args->from);
	if (!entry)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "the catalog has no image \"%s\"; see \"lodge image catalog\", or say a file "
			    "with its folder or an address", args->from);
	how->from = entry->address;
	how->name = args->name ? args->name : entry->name;
	how->checksum_from = entry->checksum_from;
	return TRUE;
}

/* The folder of the pool @name, which must be one of files and active; the caller frees it. */
static char *folder_of(Core *core, const char *name, GError **error)
{
	g_autoptr(CoreObject) object = core_object_find(core, CORE_POOL, name, error);
	if (!object)
		return NULL;
	g_autoptr(ObjectSnap) snap = core_object_snap(object);
	const Pool *pool = snap->active ? object_snap_document(snap, FALSE) : NULL;
	if (pool && pool_has_files(pool->type) && pool_path(pool))
		return g_strdup(pool_path(pool));
	fail(error, LODGE_ERROR_STATE, "pool \"%s\" is %s", name,
	     pool ? "no folder of files" : "not active");
	return NULL;
}

static gboolean import(OpCall *call, GError **error)
{
	const ImportArgs *args = call->args;
	const Paths *paths = core_paths(call->core);
	const ImageWork work = { .progress = on_progress, .data = call, .cancel = call->cancel };
	g_autofree char *folder = args->pool ? folder_of(call->core, args->pool, error) :
					       g_strdup(paths->images);
	ImageImport how = { .folder = folder, .name = args->name, .checksum = args->checksum, .work = &work };
	ImageImported made;
	Catalog catalog = { 0 };
	gboolean ok = folder && catalog_read(paths->etc, &catalog, error) &&
		      find_source(args, &catalog, &how, error) && image_import(&how, &made, error);
	shape_clear(&catalog_shape, &catalog);
	if (!ok)
		return FALSE;
	Imported *result = call->result;
	result->name = made.name;
	result->path = made.path;
	result->format = (int)made.format;
	result->size = made.size;
	result->verified = made.verified ? TRI_YES : TRI_NO;
	result->hint = g_strdup(made.verified ? ", its checksum is right" : "");
	return TRUE;
}

static gboolean show_catalog(OpCall *call, GError **error)
{
	return catalog_read(core_paths(call->core)->etc, call->result, error);
}

static const Op ops[] = {
	{ .name = "image import", .family = "Images", .method = "POST", .route = "/v1/images/import",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &import_args, .result = &imported_shape,
	  .show = OP_SHOW_MESSAGE, .is_job = TRUE, .said = "Image '{name}' imported to {path}{hint}",
	  .doc = "Bring in a disk image from a file, an address or the catalog", .fn = import },
	{ .name = "image catalog", .family = "Images", .method = "GET", .route = "/v1/images/catalog",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .result = &catalog_shape, .show = OP_SHOW_TABLE,
	  .doc = "List known cloud images", .fn = show_catalog },
};

const OpFamily op_family_image_import = { ops, G_N_ELEMENTS(ops) };

/* See catalog.h. */
#include "image/catalog.h"

#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/error.h"
#include "config.h"
#include "host/file.h"

#define CATALOG_MAX (1u << 20)

static const Row entry_rows[] = {
	STRING(CatalogEntry, name, NULL, .flags = ROW_REQUIRED, .doc = "Name"),
	STRING(CatalogEntry, os, NULL, .doc = "System"),
	STRING(CatalogEntry, login, NULL, .doc = "User"),
	STRING(CatalogEntry, address, NULL, .flags = ROW_REQUIRED, .doc = "Address"),
	STRING(CatalogEntry, checksum_from, NULL),
};
const Shape catalog_entry_shape = SHAPE("catalog-entry", CatalogEntry, entry_rows);

static const Row catalog_rows[] = {
	LIST(Catalog, images, NULL, catalog_entry_shape, .doc = "Images"),
};
const Shape catalog_shape = SHAPE("catalog", Catalog, catalog_rows);

const CatalogEntry *catalog_find(const Catalog *catalog, const char *name)
{
	SHAPE_EACH (CatalogEntry, entry, catalog->images)
		if (g_str_equal(entry->name, name))
			return entry;
	return NULL;
}

static gboolean take_entry(const char *path, json_t *json, Catalog *catalog, GError **error)
{
	CatalogEntry *entry = shape_from_json(&catalog_entry_shape, json, error);
	if (!entry || !shape_check(&catalog_entry_shape, entry, NULL, error) ||
	    (!g_str_has_prefix(entry->address, "http://") && !g_str_has_prefix(entry->address, "https://") &&
	     !fail(error, LODGE_ERROR_INVALID, "\"%s\" is no address of http or https", entry->address))) {
		shape_free(&catalog_entry_shape, entry);
		g_prefix_error(error, "%s: ", path);
		return FALSE;
	}
	if (catalog_find(catalog, entry->name))
		shape_free(&catalog_entry_shape, entry);
	else
		shape_append(&catalog->images, &catalog_entry_shape, entry);
	return TRUE;
}

static gboolean read_file(const char *path, Catalog *catalog, GError **error)
{
	if (access(path, F_OK) < 0)
		return TRUE;
	gsize length = 0;
	g_autofree char *text = file_read(path, CATALOG_MAX, &length, error);
	if (!text)
		return FALSE;
	json_error_t where;
	json_t *list = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where), *json;
	gboolean ok = json_is_array(list) ||
		      fail(error, LODGE_ERROR_INVALID, "%s, line %d: %s", path, list ? 1 : where.line,
			   list ? "it is no list" : where.text);
	size_t i;
	json_array_foreach (list, i, json)
		ok = ok && take_entry(path, json, catalog, error);
	json_decref(list);
	return ok;
}

gboolean catalog_read(const char *etc, Catalog *catalog, GError **error)
{
	g_autofree char *own = g_build_filename(etc, "images.json", NULL);
	g_autofree char *installed = g_build_filename(LODGE_DATADIR, "images", "catalog.json", NULL);
	g_autofree char *tree = g_build_filename(LODGE_SOURCE_DATADIR, "images", "catalog.json", NULL);
	return read_file(own, catalog, error) &&
	       read_file(access(installed, R_OK) == 0 ? installed : tree, catalog, error);
}

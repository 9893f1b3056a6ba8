/* Cloud images that others publish, by name: share/images/catalog.json, and etc/images.json, whose entries
 * come first. Each is an array of objects with the members below.
 * Neighbours: import.h fetches them; ops/image_import.c has the verbs. */
#pragma once

#include "shape/shape.h"

typedef struct CatalogEntry {
	ShapeHead head;
	char *name, *os, *address;
	char *checksum_from; /* where its checksums are listed */
	char *login;	     /* user that the image has */
} CatalogEntry;

typedef struct Catalog {
	ShapeHead head;
	GPtrArray *images; /* CatalogEntry */
} Catalog;

extern const Shape catalog_entry_shape, catalog_shape;

/* Fills @catalog (zeroed, of catalog_shape). @etc is the daemon's folder of configuration. INVALID names the
 * file and what is wrong. Any thread; reads two files. */
gboolean catalog_read(const char *etc, Catalog *catalog, GError **error);

/* The entry of that name, or NULL. */
const CatalogEntry *catalog_find(const Catalog *catalog, const char *name);

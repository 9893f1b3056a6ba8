/* Definitions of objects beside guests (pools, networks, filters, secrets) on disk: a folder of each
 * kind with one XML file per object, NAME.xml, and links in autostart/. There are few of them, so they
 * are all read at start.
 *
 * Neighbours: core/object.c is the only user and knows what the text says; definitions.h does the same
 * for guests, of which there are many. */
#pragma once

#include <glib.h>

typedef struct ObjectStore ObjectStore;

typedef struct StoredObject {
	char *name; /* the file's, without ".xml" */
	char *path;
	char *xml;
	gsize length;
	gboolean autostart;
} StoredObject;

/* Opens (makes) @folder and its autostart/. Blocks on the disk, as all of this. The caller owns it. */
ObjectStore *object_store_open(const char *folder, GError **error);
void object_store_free(ObjectStore *store);

/* Every definition, of StoredObject *, owned by the caller and freed with it. Files that cannot be read
 * are logged and left alone; what an interrupted write left is removed. */
GPtrArray *object_store_load(ObjectStore *store, GError **error);
/* Writes durably. */
gboolean object_store_write(ObjectStore *store, const char *name, const char *xml, GError **error);
/* Removes definition and link. */
gboolean object_store_remove(ObjectStore *store, const char *name, GError **error);
gboolean object_store_autostart(ObjectStore *store, const char *name, gboolean on, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectStore, object_store_free)

/* What object.c (verbs, snapshots) and objects.c (registry, start of the daemon) share. */
#pragma once

#include "core/internal.h"
#include "core/object.h"
#include "store/objects.h"

/* The objects of one kind. */
typedef struct ObjectSet {
	const CoreKind *kind;
	ObjectStore *store;
	char *run_folder;
	GMutex lock;
	GHashTable *by_name, *by_uuid; /* CoreObject *; by_name holds the reference; under lock */
} ObjectSet;

struct CoreObject {
	gint refs;
	Core *core;
	ObjectSet *set;
	Lane *lane;
	gboolean hidden; /* not made yet; under set->lock */

	GMutex lock;	  /* held for moments only */
	ObjectSnap *snap; /* under lock; changed on the lane */

	/* the lane's */
	gboolean gone; /* out of the registry */
	gpointer run;
};

/* objects.c */
/* The object of that name and uuid, or a new hidden one: a reference. */
CoreObject *object_claim(Core *core, CoreKindId kind, const char *name, const char *uuid, GError **error);
void object_show(CoreObject *object);
/* Out of the registry. */
void object_remove(CoreObject *object);

/* object.c */
ObjectSnap *object_snap_new(const CoreKind *kind, const char *name, const char *uuid);
/* A copy of the present snapshot to change; then object_publish(), which takes it. Lane. */
ObjectSnap *object_snap_edit(CoreObject *object);
void object_publish(CoreObject *object, ObjectSnap *snap);
ObjectDoc *object_doc_new(const Shape *shape, gpointer value); /* takes it */
/* Reads and completes a document. */
gpointer object_read(const CoreKind *kind, const char *xml, gssize length, const char *what, Notes *notes,
		     GError **error);
const char *object_name_of(const CoreKind *kind, gconstpointer document);
const char *object_uuid_of(const CoreKind *kind, gconstpointer document);
/* The file that says that it is active. */
char *object_run_path(CoreObject *object);

/* objects.c, for core.c */
gboolean objects_load(Core *core, GError **error);
/* Takes up what an earlier daemon started. Main, at start. */
void objects_adopt(Core *core);
/* Starts those marked autostart; calls @then on the main loop when all have started or failed, or time is
 * up. Main. */
void objects_autostart(Core *core, void (*then)(Core *core));
/* Adds references to the lanes of all. */
void objects_add_lanes(Core *core, GPtrArray *lanes);
/* Nobody finds them any more. Main. */
void objects_forget(Core *core);
void objects_free(Core *core);
/* What says "active" is of an earlier boot of the host: it counts no more. */
void objects_forget_boot(Core *core);

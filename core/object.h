/* Live objects beside guests: storage pools, networks, network filters, secrets. Each has a name, a
 * uuid, a definition that is stored or transient, perhaps a state "active", a lane of its own, and an
 * immutable snapshot that reads are answered from. What differs is a CoreKind: the rows of its document
 * and a few hooks.
 *
 * Threads: as in core.h. Functions marked "lane" run on the object's lane and may block; the others are
 * for any thread.
 *
 * Neighbours: kinds.c lists the kinds (pools.c, networks.c, ...); store/objects.h keeps the files;
 * ops/ above. */
#pragma once

#include "core/core.h"

typedef enum CoreKindId {
	CORE_SECRET, /* in this order they are loaded and started: the later need the earlier */
	CORE_NWFILTER,
	CORE_NETWORK,
	CORE_POOL,
	CORE_KINDS
} CoreKindId;

typedef struct CoreObject CoreObject;
typedef struct CoreKind CoreKind;

struct CoreKind {
	CoreKindId id;
	const char *word;   /* "storage pool": in messages */
	const char *list;   /* the verb that shows them all: "pool-list --all" */
	const char *folder; /* "pools": below etc/ for definitions and below run/ for what is active */
	const char *root;   /* the document's element: "pool" */
	const char *event;  /* CoreEvent.kind of its lifecycle: "pool-lifecycle" */
	const Shape *shape;
	size_t name, uuid;    /* offsets of char * in the shape's struct; equal where it has no name */
	gboolean always_active; /* has no start and stop */
	/* Documents, with names and uuids, that are there wherever nothing else of their name is stored; NULL
	 * at the end. NULL: none. */
	const char *const *(*stock)(void);

	/* All hooks may be NULL. "Document" is a struct of .shape. */

	/* Completes and checks a document that comes in, with its name and uuid filled in. @old is what
	 * is stored of that object, NULL for a new one. Any thread; may read objects' snapshots. */
	gboolean (*check)(Core *core, gpointer document, gconstpointer old, Notes *notes, GError **error);
	/* Makes it active. @live is a copy of the definition that the hook completes. What it made is
	 * gone after a failure. Lane. */
	gboolean (*start)(CoreObject *object, gpointer live, Notes *notes, GError **error);
	/* Takes up what an earlier daemon started, or half started (@live is then as it was before
	 * start()). On failure it is inactive and nothing is left of it. Lane, once, at the daemon's
	 * start. NULL: what was active is inactive after a restart. */
	gboolean (*adopt)(CoreObject *object, gpointer live, GError **error);
	/* Makes it inactive. On failure it stays active. Lane. */
	gboolean (*stop)(CoreObject *object, GError **error);
	/* Whether the definition may go; removes what belongs to it alone afterwards (gone). Lane. */
	gboolean (*may_undefine)(CoreObject *object, GError **error);
	/* The definition was replaced by a new one, or the live document changed. Lane. */
	void (*changed)(CoreObject *object);
	/* It is not known any more: what it kept on disk goes. Lane. */
	void (*gone)(CoreObject *object);
	/* Frees what the hooks keep in *core_object_run(). */
	void (*free_run)(gpointer run);
};

extern const CoreKind *const core_kinds[CORE_KINDS]; /* NULL: there is none of that kind */

/* ---- documents and snapshots: immutable, shared ---- */

typedef struct ObjectDoc {
	gint refs;
	const Shape *shape;
	gconstpointer value; /* of .shape */
} ObjectDoc;

ObjectDoc *object_doc_ref(ObjectDoc *doc);
void object_doc_unref(ObjectDoc *doc);

typedef struct ObjectSnap {
	gint refs;
	const CoreKind *kind;
	char *name;
	char uuid[37];
	gboolean active, persistent, autostart;
	ObjectDoc *stored; /* the definition; NULL: transient */
	ObjectDoc *live;   /* what is active; NULL: it is not */
	gpointer info;	   /* what the kind publishes, immutable: a g_atomic_rc_box; may be NULL */
	GDestroyNotify clear_info;
} ObjectSnap;

ObjectSnap *object_snap_ref(ObjectSnap *snap);
void object_snap_unref(ObjectSnap *snap);
/* What dumpxml shows: the live document, or with @inactive (or where there is none) the stored one. */
gconstpointer object_snap_document(const ObjectSnap *snap, gboolean inactive);

/* ---- registry ---- */

/* The object with that name or uuid; a reference, or NULL with NOT_FOUND. */
CoreObject *core_object_find(Core *core, CoreKindId kind, const char *key, GError **error);
/* The same, by those of @by alone (CORE_BY_NAME, CORE_BY_UUID). */
CoreObject *core_object_find_by(Core *core, CoreKindId kind, guint by, const char *key, GError **error);
CoreObject *core_object_ref(CoreObject *object);
void core_object_unref(CoreObject *object);
/* Snapshots (references) by name; @flags: CoreListFlags. */
GPtrArray *core_object_list(Core *core, CoreKindId kind, guint flags);
/* The objects themselves (references), in no order. */
GPtrArray *core_object_all(Core *core, CoreKindId kind);

Core *core_object_core(CoreObject *object);
const CoreKind *core_object_kind(const CoreObject *object);
Lane *core_object_lane(CoreObject *object);
/* A reference to the present snapshot. Never waits. */
ObjectSnap *core_object_snap(CoreObject *object);

/* ---- verbs ---- */

typedef enum CoreObjectFlags {
	CORE_OBJECT_VALIDATE = 1 << 0, /* unknown elements are refused */
	CORE_OBJECT_NEW = 1 << 1,      /* one that is there already is refused */
} CoreObjectFlags;

/* Checks @xml, stores it and makes it known; replaces the definition of the same name and uuid. Returns
 * a reference. OP_BESIDE. */
CoreObject *core_object_define(Core *core, CoreKindId kind, const char *xml, guint flags, Notes *notes,
			       GError **error);
/* The same from a document, which it takes. */
CoreObject *core_object_define_document(Core *core, CoreKindId kind, gpointer document, guint flags,
					Notes *notes, GError **error);
/* Makes active what is not stored and forgotten when it is stopped. OP_BESIDE. */
CoreObject *core_object_create(Core *core, CoreKindId kind, const char *xml, guint flags, Notes *notes,
			       GError **error);
gboolean core_object_start(CoreObject *object, Notes *notes, GError **error);	       /* lane */
gboolean core_object_stop(CoreObject *object, GError **error);			       /* lane */
/* An active one lives on as a transient one. */
gboolean core_object_undefine(CoreObject *object, GError **error);		       /* lane */
gboolean core_object_autostart(CoreObject *object, gboolean on, GError **error);      /* lane */
/* Replaces the live and/or the stored document (taken, also on failure; NULL: that stays), each already
 * checked by the caller. Nothing changes on failure. Lane. */
gboolean core_object_change(CoreObject *object, gpointer live, gpointer stored, GError **error);

/* ---- for kinds ---- */

/* What the kind keeps of an active object: *core_object_run() is NULL until a hook sets it, and freed by
 * free_run() with the object. Lane. */
gpointer *core_object_run(CoreObject *object);
/* Publishes @info (a g_atomic_rc_box, taken; NULL: none). Lane. */
void core_object_set_info(CoreObject *object, gpointer info, GDestroyNotify clear);
/* Publishes an event of the object: of kind->event, or of another @kind (static) with @json (taken). */
void core_object_event(CoreObject *object, const char *kind, const char *event, const char *detail,
		       char *json);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CoreObject, core_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectSnap, object_snap_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectDoc, object_doc_unref)

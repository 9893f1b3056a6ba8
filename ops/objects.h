/* Verbs that are the same for every kind of object beside guests (pools, networks, filters, secrets):
 * their arguments, results and functions, for rows of verbs to name. Verbs without a target say with
 * Op.makes which kind they define, create or look up.
 *
 * Neighbours: pool.c, network.c, nwfilter.c, secret.c give the rows; core/object.h does the work. */
#pragma once

#include "core/object.h"
#include "ops/ops.h"

/* ---- arguments ---- */

typedef struct OpXmlArgs {
	ShapeHead head;
	char *xml;
	gboolean validate;
} OpXmlArgs;
/* The rows of a struct that begins with an OpXmlArgs; @root: the document's element. */
#define OP_XML_ROWS(root)                                                                          \
	RAWXML(OpXmlArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,                       \
	       .doc = "file with the <" root "> document, - for standard input"),                  \
	FLAG(OpXmlArgs, validate, NULL, .doc = "refuse elements that are not known")

/* Which objects of a list are wanted: the beginning of a list's arguments. */
typedef struct OpObjectFilter {
	ShapeHead head;
	gboolean inactive, all, persistent, transient;
	Tri autostart;
} OpObjectFilter;
#define OP_FILTER_ROWS(things)                                                                     \
	FLAG(OpObjectFilter, inactive, NULL, .doc = "list inactive " things),                      \
	FLAG(OpObjectFilter, all, NULL, .doc = "list inactive & active " things),                  \
	FLAG(OpObjectFilter, persistent, NULL, .doc = "list persistent " things),                  \
	FLAG(OpObjectFilter, transient, NULL, .doc = "list transient " things),                    \
	TRI(OpObjectFilter, autostart, NULL,                                                       \
	    .doc = "list " things " with autostart enabled, or disabled")
/* Snapshots (references) of those of @kind that fit, by name. Any thread. */
GPtrArray *op_objects_wanted(Core *core, CoreKindId kind, const OpObjectFilter *filter);

extern const Shape op_object_autostart_args; /* --disable */
extern const Shape op_object_dump_args;	     /* OpDumpArgs */
extern const Shape op_object_lookup_args;    /* --name or --uuid */

typedef struct OpDumpArgs {
	ShapeHead head;
	gboolean inactive;
} OpDumpArgs;

/* ---- results ---- */

typedef struct OpMade {
	ShapeHead head;
	char *name, *uuid;
} OpMade;
extern const Shape op_object_made; /* OpMade: what was made or found */

typedef struct OpText {
	ShapeHead head;
	char *text;
} OpText;
extern const Shape op_text; /* OpText */

extern const Shape op_object_marked; /* {marked}: "marked" or "unmarked" */

/* For verbs' own functions: fill call->result. op_tell_made() releases @object (NULL: nothing, FALSE);
 * op_tell_text() takes @text (NULL: FALSE). */
gboolean op_tell_made(OpCall *call, CoreObject *object);
gboolean op_tell_text(OpCall *call, char *text);
Tri op_tri(gboolean on);

/* ---- functions of verbs (Op.fn) ---- */

gboolean op_object_define(OpCall *call, GError **error);    /* OpXmlArgs; OpMade; Op.makes */
gboolean op_object_create(OpCall *call, GError **error);    /* the same */
gboolean op_object_lookup(OpCall *call, GError **error);    /* op_object_lookup_args; OpMade; Op.makes */
gboolean op_object_start(OpCall *call, GError **error);
gboolean op_object_stop(OpCall *call, GError **error);
gboolean op_object_undefine(OpCall *call, GError **error);
gboolean op_object_autostart(OpCall *call, GError **error); /* its args; op_object_marked */
gboolean op_object_name(OpCall *call, GError **error);	    /* OpText */
gboolean op_object_uuid(OpCall *call, GError **error);	    /* OpText */

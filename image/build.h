/* Builds guest images: runs the recipe script as a child and keeps what it made.
 *
 * An image is made once. Disks of guests are linked to it, so an image that is there is never
 * written again, and replaced only by who knows that nothing is linked to it (ImageBuild.replace).
 * Beside NAME.qcow2 stands NAME.json: the record of what is inside.
 *
 * Neighbours: share/images/ has the scripts; list.h reads the records; ops/ is the caller. */
#pragma once

#include <gio/gio.h>

#include "shape/shape.h"

/* What can be built. */
typedef struct ImageRecipe {
	const char *name;   /* "debian-12": also the name of the image */
	const char *script; /* in the folder images/ of the data that is installed with us */
	const char *suite;  /* Debian release */
	const char *size;   /* of the disk, as the script takes it */
	const char *os;	    /* for lists */
	const char *login;  /* how a person logs in */
} ImageRecipe;

/* Every recipe; static. */
const ImageRecipe *image_recipes(guint *n);
/* The recipe of that name; NULL with NOT_FOUND and the names that there are. */
const ImageRecipe *image_recipe_find(const char *name, GError **error);

/* The record beside an image; .json of image_record_shape. */
typedef struct ImageRecord {
	ShapeHead head;
	char *recipe;
	char *os;
	char *login;
	char *hash;	     /* SHA-256 of the script and its arguments */
	char *built;	     /* ISO 8601, UTC */
	GPtrArray *packages; /* char *: "name version" */
} ImageRecord;
extern const Shape image_record_shape;

/* The record beside the image @path: of image_record_shape, for shape_free(). NULL with NOT_FOUND
 * where there is none, INVALID where it is not one. At most 1 MiB is read. Any thread. */
ImageRecord *image_record_read(const char *path, GError **error);

/* One build. */
typedef struct ImageBuild {
	const ImageRecipe *recipe;
	const char *folder; /* where images are; exists */
	const char *script; /* NULL: the recipe's own */
	const char *const
		*options;     /* more arguments for the script, NULL at the end; may be NULL */
	gboolean replace;     /* build even if the image is there, and take its place */
	GCancellable *cancel; /* may be NULL */
	/* How far it is, 0..1; on the caller's thread. May be NULL. */
	void (*progress)(double fraction, const char *text, gpointer data);
	gpointer data;
} ImageBuild;

typedef struct ImageBuilt {
	char *path;
	gboolean reused;   /* it was there */
	gboolean outdated; /* it was there, and today's recipe or options would make another */
} ImageBuilt;

/* Builds the image, or finds it. IN_USE while the same image is being built, UNSUPPORTED where
 * tools are missing (the message names them), ABORTED after a cancel: then no process and no file
 * of it is left. Blocks for minutes: not on the main loop. The caller frees built->path. */
gboolean image_build(const ImageBuild *how, ImageBuilt *built, GError **error);

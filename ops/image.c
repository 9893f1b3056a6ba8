/* Verbs about disk images. */
#include "core/core.h"
#include "image/build.h"
#include "image/list.h"
#include "ops/families.h"

#include <string.h>

/* ---- image build ---- */

typedef struct BuildArgs {
	ShapeHead head;
	char *name;
	gboolean replace;
} BuildArgs;

static const Row build_rows[] = {
	STRING(BuildArgs, name, NULL, .flags = ROW_POSITIONAL, .dflt = "debian-12",
	       .doc = "what is to be in it"),
	FLAG(BuildArgs, replace, NULL,
	     .doc = "build it anew where it is there; disks of guests may be linked to it"),
};
static const Shape build_args = SHAPE("image-build-args", BuildArgs, build_rows);

typedef struct Built {
	ShapeHead head;
	char *name, *path, *done;
	Tri reused;
} Built;

static const Row built_rows[] = {
	STRING(Built, name, NULL, .doc = "Name"),
	STRING(Built, path, NULL, .doc = "File"),
	STRING(Built, done, NULL),
	TRI(Built, reused, NULL, .doc = "Was there"),
};
static const Shape built_shape = SHAPE("built", Built, built_rows);

static void on_progress(double fraction, const char *text, gpointer data)
{
	op_progress(data, fraction, "%s", text);
}

static gboolean build(OpCall *call, GError **error)
{
	const BuildArgs *args = call->args;
	Built *result = call->result;
	ImageBuilt built = { 0 };
	ImageBuild how = { .recipe = image_recipe_find(args->name, error),
			   .folder = core_paths(call->core)->images, .replace = args->replace,
			   .cancel = call->cancel, .progress = on_progress, .data = call };
	if (!how.recipe || !image_build(&how, &built, error))
		return FALSE;
	if (built.outdated)
		notes_add(&call->notes, "image %s was built by another recipe than today's: "
			  "\"lodge image build %s --replace\" makes it anew", args->name, args->name);
	result->name = g_strdup(args->name);
	result->path = built.path;
	result->reused = built.reused ? TRI_YES : TRI_NO;
	result->done = g_strdup(built.reused ? "is there" : "built");
	return TRUE;
}

/* ---- image list ---- */

static gboolean list(OpCall *call, GError **error)
{
	return image_list(core_paths(call->core)->images, call->result, &call->notes, error);
}

static const Op ops[] = {
	{ .name = "image build", .family = "Images", .method = "POST", .route = "/v1/images/build",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .args = &build_args, .result = &built_shape,
	  .show = OP_SHOW_MESSAGE, .is_job = TRUE, .said = "Image '{name}' {done}: {path}",
	  .doc = "Build a disk image that guests can be run from", .fn = build },
	{ .name = "image list", .family = "Images", .method = "GET", .route = "/v1/images",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .result = &image_list_shape,
	  .show = OP_SHOW_TABLE, .doc = "List disk images", .fn = list },
};

const OpFamily op_family_image = { ops, G_N_ELEMENTS(ops) };

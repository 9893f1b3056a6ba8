/* Verbs that make and change volumes. Messages are virsh's.
 * Neighbours: volume.c shows volumes; core/volume_work.c does it. */
#include "ops/volume.h"
#include "ops/families.h"

#include <string.h>

#define VOLUME_WRITE                                                                               \
	.family = "Volumes", .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .method = "POST",           \
	.show = OP_SHOW_MESSAGE
#define VOLUME_INTO                                                                                \
	.family = "Volumes", .target = OP_ON_POOL, .perm = OP_PERM_WRITE, .lane = OP_BESIDE,       \
	.method = "POST", .show = OP_SHOW_MESSAGE, .result = &volume_made_shape, .is_job = TRUE

static void tell_progress(double fraction, gpointer data)
{
	op_progress(data, fraction, "%s", "copying");
}

static ImageWork work_of(OpCall *call)
{
	return (ImageWork){ .progress = tell_progress, .data = call, .cancel = call->cancel };
}

/* ---- create ---- */

typedef struct CreateArgs {
	ShapeHead head;
	char *xml, *vol, *inputpool;
	gboolean prealloc_metadata, reflink, validate;
} CreateArgs;

#define DOCUMENT_ROW                                                                               \
	RAWXML(CreateArgs, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,                      \
	       .doc = "file with the <volume> document, - for standard input")
#define HOW_ROWS(T)                                                                                \
	FLAG(T, prealloc_metadata, NULL,                                                           \
	     .doc = "preallocate metadata (for qcow2 instead of full allocation)")
#define VALIDATE_ROW FLAG(CreateArgs, validate, NULL, .doc = "refuse elements that are not known")

static const Row create_rows[] = { DOCUMENT_ROW, HOW_ROWS(CreateArgs), VALIDATE_ROW };
static const Shape create_args = SHAPE("vol-create-args", CreateArgs, create_rows);

static const Row from_rows[] = {
	DOCUMENT_ROW,
	STRING(CreateArgs, vol, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "name, key or path of the volume to copy"),
	STRING(CreateArgs, inputpool, NULL, .doc = "pool name or uuid of the input volume's pool"),
	HOW_ROWS(CreateArgs),
	FLAG(CreateArgs, reflink, NULL, .doc = "share the data until it is written"), VALIDATE_ROW,
};
static const Shape from_args = SHAPE("vol-create-from-args", CreateArgs, from_rows);

static gboolean finish(OpCall *call, CoreVolume *made)
{
	g_autoptr(CoreVolume) own = made;
	if (own)
		volume_tell(call->result, own);
	return own != NULL;
}

static gboolean create_document(OpCall *call, const Volume *wanted, const CoreVolume *from, guint flags,
				GError **error)
{
	ImageWork work = work_of(call);
	return finish(call, core_volume_create(call->object, wanted, from, flags, &work, &call->notes,
					       error));
}

static guint create_flags(gboolean metadata, gboolean reflink)
{
	return (metadata ? VOLUME_PREALLOC_METADATA : 0) | (reflink ? VOLUME_REFLINK : 0);
}

static Volume *read_document(OpCall *call, const CreateArgs *args, GError **error)
{
	g_autoptr(Volume) wanted = volume_from_xml(args->xml, -1, NULL, &call->notes, error);
	if (!wanted || (args->validate && !shape_all_known(&volume_shape, wanted, error)))
		return NULL;
	return g_steal_pointer(&wanted);
}

static gboolean create(OpCall *call, GError **error)
{
	const CreateArgs *args = call->args;
	g_autoptr(Volume) wanted = read_document(call, args, error);
	return wanted && create_document(call, wanted, NULL, create_flags(args->prealloc_metadata, FALSE),
					 error);
}

static CoreVolume *find_any(OpCall *call, const char *pool, const char *text, GError **error)
{
	return op_volume_find(call, pool, VOLUME_BY_NAME | VOLUME_BY_KEY | VOLUME_BY_PATH, text, error);
}

static gboolean create_from(OpCall *call, GError **error)
{
	const CreateArgs *args = call->args;
	const char *pool = args->inputpool ? args->inputpool : strchr(args->vol, '/') ? NULL : call->target;
	g_autoptr(Volume) wanted = read_document(call, args, error);
	g_autoptr(CoreVolume) from = wanted ? find_any(call, pool, args->vol, error) : NULL;
	return from && create_document(call, wanted, from,
				       create_flags(args->prealloc_metadata, args->reflink), error);
}

/* ---- from words ---- */

typedef struct AsArgs {
	ShapeHead head;
	char *name, *format, *backing_vol, *backing_vol_format;
	OptUint capacity, allocation;
	gboolean prealloc_metadata, print_xml;
} AsArgs;

static const Row as_rows[] = {
	STRING(AsArgs, name, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "name of the volume"),
	SIZE(AsArgs, capacity, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .words = "b",
	     .doc = "size of the vol, as scaled integer (default bytes)"),
	SIZE(AsArgs, allocation, NULL, .words = "b",
	     .doc = "initial allocation size, as scaled integer (default bytes)"),
	STRING(AsArgs, format, NULL, .doc = "format: raw, qcow2, vmdk, vdi, vhdx, vpc, ..."),
	STRING(AsArgs, backing_vol, NULL, .doc = "the volume that it is based on: name, key or path"),
	STRING(AsArgs, backing_vol_format, NULL, .doc = "format of that"),
	HOW_ROWS(AsArgs),
	FLAG(AsArgs, print_xml, NULL, .doc = "print the document, and make nothing"),
};
static const Shape as_args = SHAPE("vol-create-as-args", AsArgs, as_rows);

static gboolean put_backing(OpCall *call, const AsArgs *args, Volume *wanted, GError **error)
{
	if (!args->backing_vol)
		return TRUE;
	g_autoptr(CoreVolume) base = find_any(call, strchr(args->backing_vol, '/') ? NULL : call->target,
					      args->backing_vol, error);
	if (!base)
		return FALSE;
	wanted->backing = shape_new(&volume_backing_shape);
	wanted->backing->path = g_strdup(base->volume->path);
	wanted->backing->format = g_strdup(args->backing_vol_format);
	return TRUE;
}

static gboolean create_as(OpCall *call, GError **error)
{
	const AsArgs *args = call->args;
	VolumeMade *made = call->result;
	g_autoptr(Volume) wanted = shape_new(&volume_shape);
	wanted->name = g_strdup(args->name);
	wanted->capacity = args->capacity;
	wanted->allocation = args->allocation;
	wanted->target = shape_new(&volume_target_shape);
	wanted->target->format = g_strdup(args->format);
	if (!put_backing(call, args, wanted, error))
		return FALSE;
	if (args->print_xml) {
		made->text = g_strchomp(volume_to_xml(wanted));
		return TRUE;
	}
	if (!create_document(call, wanted, NULL, create_flags(args->prealloc_metadata, FALSE), error))
		return FALSE;
	made->text = g_strdup_printf("Vol %s created", args->name);
	return TRUE;
}

/* ---- clone ---- */

typedef struct CloneArgs {
	VOLUME_MEMBERS;
	char *newname;
	gboolean prealloc_metadata, reflink, print_xml;
} CloneArgs;

static const Row clone_rows[] = {
	VOLUME_ROW(CloneArgs),
	STRING(CloneArgs, newname, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED, .doc = "clone name"),
	VOLUME_POOL_ROW(CloneArgs),
	HOW_ROWS(CloneArgs),
	FLAG(CloneArgs, reflink, NULL, .doc = "share the data until it is written"),
	FLAG(CloneArgs, print_xml, NULL, .doc = "print the document, and make nothing"),
};
static const Shape clone_args = SHAPE("vol-clone-args", CloneArgs, clone_rows);

static gboolean clone_volume(OpCall *call, GError **error)
{
	const CloneArgs *args = call->args;
	VolumeMade *made = call->result;
	ImageWork work = work_of(call);
	g_autoptr(CoreVolume) from = op_volume(call, error);
	g_autoptr(Volume) wanted = from ? core_volume_document(from, error) : NULL;
	if (!wanted)
		return FALSE;
	g_free(wanted->name);
	wanted->name = g_strdup(args->newname);
	if (args->print_xml) {
		made->text = g_strchomp(volume_to_xml(wanted));
		return TRUE;
	}
	guint flags = create_flags(args->prealloc_metadata, args->reflink);
	if (!finish(call, core_volume_create(from->pool, wanted, from, flags, &work, &call->notes, error)))
		return FALSE;
	made->text = g_strdup_printf("Vol %s cloned from %s", args->newname, from->volume->name);
	return TRUE;
}

/* ---- the rest of a volume's life ---- */

typedef struct ChangeArgs {
	VOLUME_MEMBERS;
	char *capacity;
	gboolean delete_snapshots, allocate, delta, shrink;
	ImageWipe algorithm;
} ChangeArgs;

static const Row delete_rows[] = {
	VOLUME_ROWS(ChangeArgs),
	FLAG(ChangeArgs, delete_snapshots, NULL, .doc = "with its snapshots (rbd)"),
};
static const Shape delete_args = SHAPE("vol-delete-args", ChangeArgs, delete_rows);

static gboolean delete_volume(OpCall *call, GError **error)
{
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	return volume && core_volume_delete(volume, &call->notes, error);
}

static const Row resize_rows[] = {
	VOLUME_ROW(ChangeArgs),
	STRING(ChangeArgs, capacity, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "new capacity for the vol, as scaled integer (default bytes)"),
	VOLUME_POOL_ROW(ChangeArgs),
	FLAG(ChangeArgs, allocate, NULL, .doc = "allocate the new capacity, rather than leaving it sparse"),
	FLAG(ChangeArgs, delta, NULL, .doc = "use capacity as a delta to current size"),
	FLAG(ChangeArgs, shrink, NULL, .doc = "allow the resize to shrink the volume"),
};
static const Shape resize_args = SHAPE("vol-resize-args", ChangeArgs, resize_rows);

typedef struct Resized {
	ShapeHead head;
	char *name, *how;
} Resized;

static const Row resized_rows[] = {
	STRING(Resized, name, NULL, .doc = "Name"),
	STRING(Resized, how, NULL, .flags = ROW_INTERNAL),
};
static const Shape resized_shape = SHAPE("volume-resized", Resized, resized_rows);

typedef struct Size {
	OptUint bytes;
} Size;

/* "-1G" shrinks by that, as with virsh. */
static gboolean resize(OpCall *call, GError **error)
{
	static const Row size = SIZE(Size, bytes, NULL, .words = "b");
	const ChangeArgs *args = call->args;
	Resized *result = call->result;
	gboolean minus = *args->capacity == '-';
	Size wanted = { 0 };
	if (!row_from_text(&size, &wanted, args->capacity + minus, error)) {
		g_prefix_error(error, "--capacity: ");
		return FALSE;
	}
	if (minus && !args->shrink)
		return fail(error, LODGE_ERROR_INVALID, "a negative size needs --shrink");
	guint flags = (args->allocate ? VOLUME_RESIZE_ALLOCATE : 0) |
		      (args->delta || minus ? VOLUME_RESIZE_DELTA : 0) |
		      (args->shrink ? VOLUME_RESIZE_SHRINK : 0);
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (!volume || !core_volume_resize(volume, wanted.bytes.v, flags, error))
		return FALSE;
	result->name = g_strdup(volume->volume->name);
	result->how = g_strdup(args->delta ? "by" : "to");
	return TRUE;
}

static const Row wipe_rows[] = {
	VOLUME_ROWS(ChangeArgs),
	ENUM(ChangeArgs, algorithm, NULL, image_wipes, .dflt = "zero",
	     .doc = "perform selected wiping algorithm"),
};
static const Shape wipe_args = SHAPE("vol-wipe-args", ChangeArgs, wipe_rows);

static gboolean wipe(OpCall *call, GError **error)
{
	const ChangeArgs *args = call->args;
	ImageWork work = work_of(call);
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	return volume && core_volume_wipe(volume, args->algorithm, &work, error);
}

static const Op ops[] = {
	{ .name = "vol-create", .route = "/v1/pools/{pool}/volumes", VOLUME_INTO, .args = &create_args,
	  .said = "Vol {name} created from {file}", .doc = "Make a volume in a storage pool",
	  .fn = create },
	{ .name = "vol-create-as", .route = "/v1/pools/{pool}/volumes/create-as", VOLUME_INTO,
	  .args = &as_args, .said = "{text}", .doc = "Make a volume in a storage pool from words",
	  .fn = create_as },
	{ .name = "vol-create-from", .route = "/v1/pools/{pool}/volumes/create-from", VOLUME_INTO,
	  .args = &from_args, .said = "Vol {name} created from input vol {vol}",
	  .doc = "Make a volume with the content of another", .fn = create_from },
	{ .name = "vol-clone", .route = "/v1/volumes/clone", VOLUME_WRITE, .args = &clone_args,
	  .result = &volume_made_shape, .is_job = TRUE, .said = "{text}",
	  .doc = "Copy a volume within its storage pool", .fn = clone_volume },
	{ .name = "vol-delete", .family = "Volumes", .method = "DELETE", .route = "/v1/volumes",
	  .perm = OP_PERM_WRITE, .lane = OP_BESIDE, .show = OP_SHOW_MESSAGE, .args = &delete_args,
	  .said = "Vol {vol} deleted", .doc = "Delete a volume", .fn = delete_volume },
	{ .name = "vol-resize", .route = "/v1/volumes/resize", VOLUME_WRITE, .args = &resize_args,
	  .result = &resized_shape, .said = "Size of volume '{name}' successfully changed {how} {capacity}",
	  .doc = "Change the size of a volume", .fn = resize },
	{ .name = "vol-wipe", .route = "/v1/volumes/wipe", VOLUME_WRITE, .args = &wipe_args,
	  .is_job = TRUE, .said = "Vol {vol} wiped", .doc = "Overwrite what is in a volume",
	  .fn = wipe },
};

const OpFamily op_family_volume_work = { ops, G_N_ELEMENTS(ops) };

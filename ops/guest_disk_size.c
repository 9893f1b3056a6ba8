/* The verb that changes the size of a disk while its guest runs; vol-resize is its neighbour for
 * volumes. Names, options and texts are virsh's. core/disk_size.h does it. */
#include "core/disk_size.h"
#include "ops/families.h"

typedef struct ResizeArgs {
	ShapeHead head;
	char *path;
	OptUint size;
	gboolean shrink, allocate;
} ResizeArgs;

static const Row resize_rows[] = {
	STRING(ResizeArgs, path, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "target or source of a disk, such as vda"),
	SIZE(ResizeArgs, size, NULL, .words = "KiB", .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "new size of the disk, as scaled integer (default KiB)"),
	FLAG(ResizeArgs, shrink, NULL, .doc = "it may become smaller; what lies beyond is lost"),
	FLAG(ResizeArgs, allocate, NULL, .doc = "take the space of a raw file at once"),
};
static const Shape resize_args = SHAPE("blockresize-args", ResizeArgs, resize_rows);

static gboolean resize(OpCall *call, GError **error)
{
	const ResizeArgs *args = call->args;
	guint flags = (args->shrink ? DISK_RESIZE_SHRINK : 0) |
		      (args->allocate ? DISK_RESIZE_ALLOCATE : 0);
	return core_disk_resize(call->guest, args->path, args->size.v, flags, error);
}

static const Op ops[] = {
	{ .name = "blockresize",
	  .family = "Guests",
	  .target = OP_ON_GUEST,
	  .method = "POST",
	  .route = "/v1/guests/{guest}/disks/resize",
	  .perm = OP_PERM_WRITE,
	  .lane = OP_LANE,
	  .args = &resize_args,
	  .show = OP_SHOW_MESSAGE,
	  .said = "Block device '{path}' is resized",
	  .doc = "Change the size of a running guest's disk",
	  .fn = resize },
};

const OpFamily op_family_guest_disk_size = { ops, G_N_ELEMENTS(ops) };

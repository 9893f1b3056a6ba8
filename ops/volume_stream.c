/* Verbs that move the bytes of volumes: upload and download. See transfer.h. */
#include "ops/families.h"
#include "ops/transfer.h"
#include "ops/upload_mark.h"
#include "ops/volume.h"

typedef struct StreamArgs {
	VOLUME_MEMBERS;
	OptUint offset, length;
	gboolean sparse;
} StreamArgs;

static const Row stream_rows[] = {
	VOLUME_ROW(StreamArgs),
	STRING(StreamArgs, pool, NULL, .doc = "pool name or uuid"),
	UINT(StreamArgs, offset, NULL, .doc = "the first byte of the volume"),
	UINT(StreamArgs, length, NULL, .doc = "amount of data; 0: to the end"),
	FLAG(StreamArgs, sparse, NULL, .doc = "preserve sparseness of volume"),
};
static const Shape stream_args = SHAPE("vol-stream-args", StreamArgs, stream_rows);

static gboolean begin(OpCall *call, gboolean upload, GError **error)
{
	const StreamArgs *args = call->args;
	CoreVolume *volume = op_volume(call, error);
	OpTransfer *transfer = volume ? op_transfer_new(volume, upload, opt_uint_or(args->offset, 0),
							opt_uint_or(args->length, 0), error) : NULL;
	if (!transfer)
		return FALSE;
	if (call->takes_transfer) {
		call->transfer = transfer;
		return TRUE;
	}
	call->stream_fd = op_transfer_serve(transfer, args->sparse, error);
	return call->stream_fd >= 0;
}

static gboolean upload(OpCall *call, GError **error)
{
	return begin(call, TRUE, error);
}

static gboolean download(OpCall *call, GError **error)
{
	return begin(call, FALSE, error);
}

/* ---- an upload that broke off ---- */

static const Row state_arg_rows[] = { VOLUME_ROWS(VolumeArg) };
static const Shape state_args = SHAPE("vol-upload-state-args", VolumeArg, state_arg_rows);

typedef struct State {
	ShapeHead head;
	OptUint received;
	Tri busy;
} State;

static const Row state_rows[] = {
	UINT(State, received, NULL, .doc = "Bytes received"),
	TRI(State, busy, NULL, .doc = "Being worked on"),
};
static const Shape state_shape = SHAPE("vol-upload-state", State, state_rows);

static gboolean upload_state(OpCall *call, GError **error)
{
	State *result = call->result;
	g_autoptr(CoreVolume) volume = op_volume(call, error);
	if (!volume)
		return FALSE;
	gboolean free_now = pool_state_use(volume->state, volume->volume->name, TRUE, NULL);
	if (free_now)
		pool_state_release_use(volume->state, volume->volume->name, TRUE);
	result->busy = free_now ? TRI_NO : TRI_YES;
	result->received = OPT_UINT(upload_mark_at(core_paths(volume->core), volume->volume->path));
	return TRUE;
}

#define VOLUME_STREAM                                                                              \
	.family = "Volumes", .lane = OP_BESIDE, .args = &stream_args, .show = OP_SHOW_STREAM

static const Op ops[] = {
	{ .name = "vol-upload", .method = "POST", .route = "/v1/volumes/upload", VOLUME_STREAM,
	  .perm = OP_PERM_WRITE, .doc = "Write the content of a file into a volume", .fn = upload },
	{ .name = "vol-upload-state", .family = "Volumes", .method = "GET", .route = "/v1/volumes/upload",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .args = &state_args, .result = &state_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show how far an upload came that broke off", .fn = upload_state },
	{ .name = "vol-download", .method = "GET", .route = "/v1/volumes/download", VOLUME_STREAM,
	  .perm = OP_PERM_SECRET, .doc = "Write the content of a volume into a file", .fn = download },
};

const OpFamily op_family_volume_stream = { ops, G_N_ELEMENTS(ops) };

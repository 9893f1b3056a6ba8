/* See transfer.h. */
#include "ops/ops.h"
#include "ops/transfer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "image/transfer.h"
#include "ops/upload_mark.h"

struct OpTransfer {
	CoreVolume *volume;
	ImageTransfer *image;
	gboolean upload;
	UploadMark *mark; /* of an upload; or NULL */
	Lane *lane;
};

static void transfer_free(OpTransfer *transfer)
{
	core_volume_free(transfer->volume);
	lane_unref(transfer->lane);
	g_free(transfer);
}

static void begin_mark(OpTransfer *transfer, guint64 offset)
{
	const CoreVolume *volume = transfer->volume;
	transfer->mark = upload_mark_new(core_paths(volume->core), volume->volume->path,
					 image_transfer_fd(transfer->image), offset);
}

OpTransfer *op_transfer_new(CoreVolume *volume, gboolean upload, guint64 offset, guint64 length,
			    GError **error)
{
	const PoolVolume *known = volume->volume;
	OpTransfer *transfer = g_new0(OpTransfer, 1);
	transfer->volume = volume;
	transfer->upload = upload;
	transfer->lane = lane_new_apart();
	if (known->type != VOLUME_FILE && known->type != VOLUME_BLOCK)
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "storage volume '%s' is no file or device: its bytes cannot be had", known->name);
	else if (core_volume_begin(volume, upload, error)) {
		transfer->image = upload ? image_upload(known->path, offset, length, error) :
					   image_download(known->path, offset, length, error);
		if (transfer->image) {
			if (upload)
				begin_mark(transfer, offset);
			return transfer;
		}
		core_volume_end(volume, upload);
	}
	transfer_free(transfer);
	return NULL;
}

guint64 op_transfer_size(const OpTransfer *transfer)
{
	return image_transfer_size(transfer->image);
}

guint64 op_transfer_left(const OpTransfer *transfer)
{
	return image_transfer_left(transfer->image);
}

guint64 op_transfer_at(const OpTransfer *transfer)
{
	return image_transfer_at(transfer->image);
}

void op_transfer_limit(OpTransfer *transfer, guint64 length)
{
	image_transfer_limit(transfer->image, length);
}

gboolean op_transfer_is_upload(const OpTransfer *transfer)
{
	return transfer->upload;
}

Lane *op_transfer_lane(OpTransfer *transfer)
{
	return transfer->lane;
}

/* What comes next, with holes: up to *room bytes of data, a hole, or nothing. */
static gboolean next(OpTransfer *transfer, gsize *room, guint64 *hole, GError **error)
{
	gboolean data = TRUE;
	guint64 length = 0;
	if (!image_transfer_next(transfer->image, &data, &length, error))
		return FALSE;
	*room = data ? (gsize)MIN(*room, length) : 0;
	*hole = data ? 0 : length;
	return data || image_transfer_skip(transfer->image, length, error);
}

gssize op_transfer_read(OpTransfer *transfer, gboolean holes, guint8 *buffer, gsize room, guint64 *hole,
			GError **error)
{
	*hole = 0;
	if (holes && !next(transfer, &room, hole, error))
		return -1;
	return room ? image_transfer_read(transfer->image, buffer, room, error) : 0;
}

gssize op_transfer_read_pipe(OpTransfer *transfer, gboolean holes, int pipe, gsize room, guint64 *hole,
			     GError **error)
{
	*hole = 0;
	if (holes && !next(transfer, &room, hole, error))
		return -1;
	return room ? image_transfer_read_pipe(transfer->image, pipe, room, error) : 0;
}

/* Returns @ok. */
static gboolean reached(const OpTransfer *transfer, gboolean ok)
{
	if (ok)
		upload_mark_reach(transfer->mark, image_transfer_at(transfer->image));
	return ok;
}

gboolean op_transfer_write(OpTransfer *transfer, const guint8 *bytes, gsize n, GError **error)
{
	return reached(transfer, image_transfer_write(transfer->image, bytes, n, error));
}

gboolean op_transfer_write_pipe(OpTransfer *transfer, int pipe, gsize n, GError **error)
{
	return reached(transfer, image_transfer_write_pipe(transfer->image, pipe, n, error));
}

gboolean op_transfer_hole(OpTransfer *transfer, guint64 n, GError **error)
{
	return reached(transfer, image_transfer_skip(transfer->image, n, error));
}

gboolean op_transfer_end(OpTransfer *transfer, gboolean abandoned, GError **error)
{
	guint64 at = image_transfer_at(transfer->image);
	gboolean ok = image_transfer_end(transfer->image, abandoned, error);
	upload_mark_end(transfer->mark, !abandoned && ok, at);
	core_volume_end(transfer->volume, transfer->upload);
	transfer_free(transfer);
	return ok;
}

static void drop(gpointer data)
{
	op_transfer_end(data, TRUE, NULL);
}

void op_transfer_drop(OpTransfer *transfer)
{
	if (transfer)
		lane_post(transfer->lane, drop, transfer);
}

/* ---- records ---- */

typedef struct Serving {
	OpTransfer *transfer;
	gboolean holes;
	int fd; /* blocking */
	guint8 *buffer;
} Serving;

static gboolean send_all(int fd, const void *bytes, gsize n)
{
	for (gsize done = 0; done < n;) {
		ssize_t sent = send(fd, (const char *)bytes + done, n - done, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return FALSE;
		done += (gsize)sent;
	}
	return TRUE;
}

static gboolean receive_all(int fd, void *bytes, gsize n)
{
	for (gsize done = 0; done < n;) {
		ssize_t got = recv(fd, (char *)bytes + done, n - done, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return FALSE;
		done += (gsize)got;
	}
	return TRUE;
}

/* Ahead of @buffer's data are TRANSFER_RECORD bytes of room. */
static gboolean send_record(int fd, guint8 *buffer, char letter, guint64 length, gsize data)
{
	guint64 be = GUINT64_TO_BE(length);
	buffer[0] = (guint8)letter;
	memcpy(buffer + 1, &be, sizeof(be));
	return send_all(fd, buffer, TRANSFER_RECORD + data);
}

static void send_end(const Serving *serving, const GError *error)
{
	g_autofree char *text = error ? g_strconcat(lodge_error_name(op_error_of(error)), "\n",
						    error->message, NULL) : NULL;
	gsize n = text ? MIN(strlen(text), TRANSFER_CHUNK) : 0;
	memcpy(serving->buffer + TRANSFER_RECORD, text ? text : "", n);
	send_record(serving->fd, serving->buffer, error ? 'E' : 'O', n, n);
}

/* FALSE: nobody listens any more. */
static gboolean serve_download(const Serving *serving, GError **error)
{
	for (;;) {
		guint64 hole = 0;
		gssize n = op_transfer_read(serving->transfer, serving->holes,
					    serving->buffer + TRANSFER_RECORD, TRANSFER_CHUNK, &hole, error);
		if (n < 0 || (n == 0 && !hole))
			return TRUE;
		if (!send_record(serving->fd, serving->buffer, hole ? 'H' : 'D', hole ? hole : (guint64)n,
				 (gsize)n))
			return FALSE;
	}
}

/* One record; *over: it was the last. */
static gboolean take_record(const Serving *serving, gboolean *over, GError **error)
{
	guint8 head[TRANSFER_RECORD];
	guint64 length;
	*over = TRUE;
	if (!receive_all(serving->fd, head, sizeof(head)))
		return FALSE;
	memcpy(&length, head + 1, sizeof(length));
	length = GUINT64_FROM_BE(length);
	if (head[0] == 'O')
		return TRUE;
	*over = FALSE;
	if (head[0] == 'H')
		return op_transfer_hole(serving->transfer, length, error);
	if (head[0] != 'D' || length > TRANSFER_CHUNK)
		return fail(error, LODGE_ERROR_INVALID, "this is no record of a transfer");
	return receive_all(serving->fd, serving->buffer, length) &&
	       op_transfer_write(serving->transfer, serving->buffer, length, error);
}

static gboolean serve_upload(const Serving *serving, GError **error)
{
	gboolean over = FALSE, ok = TRUE;
	while (ok && !over)
		ok = take_record(serving, &over, error);
	return ok;
}

static void serve(gpointer data)
{
	Serving *serving = data;
	g_autoptr(GError) error = NULL, late = NULL;
	gboolean upload = op_transfer_is_upload(serving->transfer);
	gboolean ok = upload ? serve_upload(serving, &error) : serve_download(serving, &error);
	op_transfer_end(serving->transfer, !ok || error, &late);
	if (ok || error)
		send_end(serving, error ? error : late);
	close(serving->fd);
	g_free(serving->buffer);
	g_free(serving);
}

int op_transfer_serve(OpTransfer *transfer, gboolean holes, GError **error)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		fail_errno(error, errno, "cannot make a socket");
		op_transfer_drop(transfer);
		return -1;
	}
	Serving *serving = g_new(Serving, 1);
	*serving = (Serving){ .transfer = transfer, .holes = holes, .fd = ends[1],
			      .buffer = g_malloc(TRANSFER_RECORD + TRANSFER_CHUNK) };
	lane_post(transfer->lane, serve, serving);
	return ends[0];
}

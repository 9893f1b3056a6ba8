/* Streams: bytes in both directions beside the calls of a connection, told apart by the serial of the
 * call that opened them. What the client sends waits for the far end, and then the client is not
 * read; what the far end sends waits for the client, and then the far end is not read.
 *
 * Ends: an empty packet with "continue" is the end of what the server sends; a packet with "ok" is the
 * client's finish, one with "error" its abort: both are confirmed by an empty one with "ok".
 * Neighbours: client.c has the packets; the far end is a verb's stream_fd. */
#include "base/fd.h"
#include "wire/libvirt/transfer.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

struct LvStream {
	LvClient *client; /* not a reference: the client owns it */
	LvHeader header;
	int fd;	       /* -1: closed, or bytes */
	GBytes *bytes; /* what is sent where there is no fd */
	gsize sent;    /* of bytes */
	guint in_source, out_source;
	GByteArray *ahead; /* from the client, for the far end */
	gboolean upload;   /* the transfer is one */
	LvTransfer *transfer; /* of a volume, instead of an fd; or NULL */
	gboolean blocks;   /* counted in client->blocked */
	gboolean ended;	   /* its end was sent */
};

static gboolean on_readable(int fd, GIOCondition condition, gpointer data);

static void unblock(LvStream *stream)
{
	if (!stream->blocks)
		return;
	stream->blocks = FALSE;
	stream->client->blocked--;
}

static void stream_free(gpointer data)
{
	LvStream *stream = data;
	unblock(stream);
	g_clear_handle_id(&stream->in_source, g_source_remove);
	g_clear_handle_id(&stream->out_source, g_source_remove);
	fd_clear(&stream->fd);
	g_clear_pointer(&stream->bytes, g_bytes_unref);
	g_byte_array_unref(stream->ahead);
	lv_transfer_free(stream->transfer);
	g_free(stream);
}

void lv_streams_close(LvClient *client)
{
	g_clear_pointer(&client->streams, g_ptr_array_unref);
}

static void packet(LvStream *stream, LvStatus status, const guint8 *bytes, gsize n)
{
	LvHeader header = stream->header;
	header.type = LV_STREAM;
	header.status = status;
	gsize begin = lv_message_begin(stream->client, &header);
	/* no padding: a packet is what its length says */
	memcpy(xdr_add(&stream->client->out, n), bytes ? (const void *)bytes : "", n);
	stream->client->out.len = begin + LV_HEADER + n;
	lv_message_end(stream->client, begin);
}

/* ---- from the far end to the client ---- */

/* By a thread of its own where that can be, else through the loop. */
static void resume_download(LvStream *stream)
{
	LvClient *client = stream->client;
	if (lv_transfer_pour(stream->transfer, client, &stream->header))
		return;
	if (client->layer || lv_waiting(client) == 0)
		lv_transfer_want(stream->transfer, lv_waiting(client));
}

/* Reads the far end while the client takes what comes. */
static void stream_resume(LvStream *stream)
{
	if (stream->fd >= 0 && !stream->in_source && !stream->ended &&
	    lv_waiting(stream->client) < LV_STREAM_CHUNK)
		stream->in_source = g_unix_fd_add(stream->fd, G_IO_IN, on_readable, stream);
	LvClient *client = stream->client;
	if (stream->transfer && !stream->upload && !stream->ended)
		resume_download(stream);
	while (stream->bytes && !stream->ended && client->server &&
	       lv_waiting(client) < LV_STREAM_CHUNK) {
		gsize size;
		const guint8 *bytes = g_bytes_get_data(stream->bytes, &size);
		gsize n = MIN(size - stream->sent, LV_STREAM_CHUNK);
		stream->ended = n == 0;
		stream->sent += n;
		client->busy = TRUE; /* or a flush would come back here */
		packet(stream, LV_CONTINUE, bytes + stream->sent - n, n);
		client->busy = FALSE;
	}
}

void lv_streams_resume(LvClient *client)
{
	for (guint i = 0; client->streams && i < client->streams->len; i++)
		stream_resume(g_ptr_array_index(client->streams, i));
}

static gboolean on_readable(int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	LvStream *stream = data;
	LvClient *client = stream->client;
	gsize room;
	guint8 *scratch = lv_scratch(client->server, &room);
	ssize_t n = recv(fd, scratch, MIN(room, LV_STREAM_CHUNK), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	stream->ended = n <= 0;
	gboolean goes_on = n > 0 && lv_waiting(client) + (gsize)n < LV_STREAM_CHUNK;
	if (!goes_on)
		stream->in_source = 0;
	lv_client_ref(client);
	packet(stream, LV_CONTINUE, scratch, n > 0 ? (gsize)n : 0);
	gboolean closed = client->server == NULL;
	if (!closed && !goes_on)
		stream_resume(stream);
	lv_client_unref(client);
	return goes_on && !closed ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* ---- from the client to the far end ---- */

/* FALSE: the far end is gone; what is left for it is dropped. */
static void push(LvStream *stream)
{
	while (stream->ahead->len && stream->fd >= 0) {
		ssize_t n = send(stream->fd, stream->ahead->data, stream->ahead->len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		guint done = n > 0 ? (guint)n : stream->ahead->len;
		g_byte_array_remove_range(stream->ahead, 0, done);
	}
	g_byte_array_set_size(stream->ahead, 0);
}

static gboolean on_writable(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition,
			    gpointer data)
{
	LvStream *stream = data;
	push(stream);
	if (stream->ahead->len == 0)
		stream->out_source = 0;
	gboolean goes_on = stream->ahead->len > 0;
	if (stream->blocks && stream->ahead->len < LV_STREAM_AHEAD / 2) {
		unblock(stream);
		lv_client_resume(stream->client); /* may free the stream */
	}
	return goes_on ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void take_data(LvStream *stream, XdrIn in)
{
	g_byte_array_append(stream->ahead, in.at, (guint)xdr_left(&in));
	push(stream);
	if (stream->ahead->len == 0)
		return;
	if (!stream->out_source)
		stream->out_source = g_unix_fd_add(stream->fd, G_IO_OUT, on_writable, stream);
	if (stream->ahead->len > LV_STREAM_AHEAD && !stream->blocks) {
		stream->blocks = TRUE;
		stream->client->blocked++;
	}
}

/* ---- volumes ---- */

static void block(LvStream *stream)
{
	if (!stream->blocks)
		stream->client->blocked++;
	stream->blocks = TRUE;
}

static void hole_packet(LvStream *stream, guint64 length)
{
	LvHeader header = stream->header;
	header.type = LV_HOLE;
	header.status = LV_CONTINUE;
	gsize begin = lv_message_begin(stream->client, &header);
	xdr_put_u64(&stream->client->out, length);
	xdr_put_u32(&stream->client->out, 0); /* flags: none are known */
	lv_message_end(stream->client, begin);
}

static void on_volume_data(gpointer data, const guint8 *bytes, gsize n, guint64 hole)
{
	LvStream *stream = data;
	LvClient *client = stream->client;
	if (stream->ended)
		return;
	stream->ended = n == 0 && hole == 0;
	lv_client_ref(client);
	if (hole)
		hole_packet(stream, hole);
	else
		packet(stream, LV_CONTINUE, bytes, n);
	if (client->server)
		lv_streams_resume(client);
	lv_client_unref(client);
}

/* Whether the transfer reads the connection itself from now on: bytes go as they are, and nothing of it is
 * at work. */
static gboolean pump(LvStream *stream)
{
	LvClient *client = stream->client;
	if (client->layer || client->busy || client->n_fds || client->blocked != 1)
		return FALSE;
	GByteArray *start = lv_client_take_read(client);
	if (lv_transfer_pump(stream->transfer, client->fd, &stream->header, start))
		return TRUE;
	lv_client_give_read(client, start);
	g_byte_array_unref(start);
	return FALSE;
}

static void on_volume_room(gpointer data)
{
	LvStream *stream = data;
	if (!stream->blocks || pump(stream))
		return;
	unblock(stream);
	lv_client_resume(stream->client); /* may free the stream */
}

static void on_volume_pumped(gpointer data, const GByteArray *back, gboolean moved, gboolean goes_on)
{
	LvStream *stream = data;
	LvClient *client = lv_client_ref(stream->client);
	lv_client_give_read(client, back);
	if (moved) {
		client->heard = g_get_monotonic_time();
		client->missed = 0;
	}
	if (!goes_on || !pump(stream)) {
		unblock(stream);
		lv_client_resume(client); /* may free the stream */
	}
	lv_client_unref(client);
}

/* Takes the stream from its client. */
static void end_stream(LvStream *stream)
{
	LvClient *client = lv_client_ref(stream->client);
	if (client->server)
		g_ptr_array_remove(client->streams, stream);
	if (client->server)
		lv_client_resume(client);
	lv_client_unref(client);
}

static void on_volume_finished(gpointer data)
{
	LvStream *stream = data;
	LvClient *client = lv_client_ref(stream->client);
	packet(stream, LV_OK, NULL, 0);
	if (client->server)
		end_stream(stream);
	lv_client_unref(client);
}

static void on_volume_failed(gpointer data, const GError *error)
{
	LvStream *stream = data;
	LvClient *client = lv_client_ref(stream->client);
	LvHeader header = stream->header;
	header.type = LV_STREAM;
	lv_send_gerror(client, &header, NULL, error);
	if (client->server)
		end_stream(stream);
	lv_client_unref(client);
}

static const LvTransferDoor volume_door = { on_volume_data, on_volume_room, on_volume_finished,
					    on_volume_failed, on_volume_pumped };

static void transfer_hole(LvStream *stream, XdrIn in)
{
	guint64 length;
	guint32 flags;
	if (xdr_get_u64(&in, &length) && xdr_get_u32(&in, &flags) && length <= G_MAXINT64)
		lv_transfer_take_hole(stream->transfer, length);
}

/* What the client sends for a volume: bytes, a hole, or its finish. */
static void transfer_packet(LvStream *stream, const LvHeader *header, XdrIn in)
{
	if (header->status != LV_CONTINUE && stream->upload)
		lv_transfer_finish(stream->transfer);
	else if (header->status != LV_CONTINUE)
		on_volume_finished(stream);
	else if (!stream->upload)
		return; /* nothing is expected from who reads */
	else if (header->type == LV_HOLE)
		transfer_hole(stream, in);
	else if (!lv_transfer_take(stream->transfer, in.at, xdr_left(&in)) || !stream->client->layer)
		block(stream); /* until there is room; then the next ones come without the loop */
}

/* ---- packets ---- */

static LvStream *find(const LvClient *client, const LvHeader *header)
{
	for (guint i = 0; client->streams && i < client->streams->len; i++) {
		LvStream *stream = g_ptr_array_index(client->streams, i);
		if (stream->header.serial == header->serial &&
		    stream->header.program == header->program &&
		    stream->header.procedure == header->procedure)
			return stream;
	}
	return NULL;
}

void lv_stream_packet(LvClient *client, const LvHeader *header, XdrIn in)
{
	lv_changed(client);
	LvStream *stream = find(client, header);
	if (!stream) {
		/* late data of a stream that ended is no fault; a finish or an abort waits */
		if (header->status != LV_CONTINUE)
			lv_send_error(client, header, LV_ERR_RPC, LV_FROM_STREAMS,
				      "there is no such stream any more");
	} else if (stream->transfer && header->status != LV_ERROR) {
		transfer_packet(stream, header, in);
	} else if (header->type == LV_HOLE) {
		lv_send_error(client, header, LV_ERR_RPC, LV_FROM_STREAMS,
			      "this stream has no holes");
		g_ptr_array_remove(client->streams, stream);
	} else if (header->status == LV_CONTINUE) {
		take_data(stream, in);
	} else { /* a finish or an abort: both are confirmed */
		packet(stream, LV_OK, NULL, 0);
		if (client->server)
			g_ptr_array_remove(client->streams, stream);
	}
}

static LvStream *stream_new(LvCall *call)
{
	LvStream *stream = g_new0(LvStream, 1);
	*stream = (LvStream){ .client = call->client, .header = call->header, .fd = -1,
			      .ahead = g_byte_array_new() };
	if (!call->client->streams)
		call->client->streams = g_ptr_array_new_with_free_func(stream_free);
	g_ptr_array_add(call->client->streams, stream);
	return stream;
}

void lv_stream_open(LvCall *call, int fd)
{
	LvStream *stream = stream_new(call);
	stream->fd = fd;
	stream->in_source = g_unix_fd_add(fd, G_IO_IN, on_readable, stream);
}

static gboolean begin_bytes(gpointer data)
{
	LvClient *client = data;
	if (client->server)
		lv_streams_resume(client);
	if (client->server)
		lv_client_resume(client);
	lv_client_unref(client);
	return G_SOURCE_REMOVE;
}

/* The bytes follow the reply. */
void lv_stream_open_bytes(LvCall *call, GBytes *bytes)
{
	stream_new(call)->bytes = bytes;
	g_idle_add(begin_bytes, lv_client_ref(call->client));
}

void lv_stream_open_transfer(LvCall *call, struct OpTransfer *transfer, gboolean holes)
{
	LvStream *stream = stream_new(call);
	stream->upload = op_transfer_is_upload(transfer);
	stream->transfer = lv_transfer_new(transfer, holes, &volume_door, stream);
	if (!stream->upload) /* behind the reply */
		g_idle_add(begin_bytes, lv_client_ref(call->client));
}

/* One request: bytes -> call -> reply. MHD calls request_handle() once for the header, once for each
 * part of the body, and once at its end; while the verb runs elsewhere the connection sleeps, and after
 * it was woken request_handle() is called once more to send what is ready. */
#include "base/error.h"
#include "ops/transfer.h"
#include "wire/rest/internal.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

/* What a running call knows of its request. */
typedef struct Waiter {
	OpCall *call;
	Request *request; /* main loop only; NULL after the client went away */
	Feed *feed;	  /* a reference, or NULL: the reply comes at the end */
} Waiter;

struct Request {
	RestConn *conn;
	struct MHD_Connection *mhd;
	const Op *op;	/* NULL: none fits, or a description was asked for */
	char *target;
	GByteArray *body;
	guint64 seen;	/* bytes of the body that came */
	Waiter *waiter; /* for the call while it runs; then NULL */
	gboolean asleep; /* MHD's connection is suspended by us */
	gboolean closing; /* no reply any more */
	guint hup;	/* watches for the client going away while a job runs */
	int stream_fd;	/* of an OP_SHOW_STREAM verb that succeeded */
	gboolean plain; /* bytes of a volume, as body or reply; see bytes.c */
	Bytes *bytes;	/* of an upload: ours; of a download: the reply's; NULL: none yet */
	/* What to send: */
	struct MHD_Response *response;
	guint status;
};

/* ---- replies ---- */

static void set_reply(Request *request, guint status, struct MHD_Response *response)
{
	if (request->response)
		MHD_destroy_response(request->response);
	request->response = response;
	request->status = status;
}

static void set_error(Request *request, guint status, const GError *error, const Notes *notes)
{
	set_reply(request, status, reply_json(reply_error(error, notes)));
}

static void refuse(Request *request, guint status, LodgeError code, const char *message)
{
	g_autoptr(GError) error = g_error_new_literal(LODGE_ERROR, code, message);
	set_error(request, status, error, NULL);
}

static enum MHD_Result send_reply(Request *request)
{
	enum MHD_Result ok = MHD_queue_response(request->mhd, request->status, request->response);
	MHD_destroy_response(g_steal_pointer(&request->response));
	return ok;
}

void request_sleep(Request *request)
{
	request->asleep = TRUE;
	request->conn->waiting_since = 0;
	MHD_suspend_connection(request->mhd);
}

void request_wake(Request *request)
{
	if (!request->asleep)
		return;
	request->asleep = FALSE;
	rest_wake(request->mhd);
}

/* Verbs whose stream may also be a plain body: the bytes of volumes. */
static gboolean is_volumes(const Op *op)
{
	return g_str_equal(op->name, "vol-upload") || g_str_equal(op->name, "vol-download");
}

/* ---- the call ---- */

static const char *header(const Request *request, const char *name)
{
	return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

static void on_progress(OpCall *call, double fraction, const char *text)
{
	feed_progress(((Waiter *)call->door_data)->feed, fraction, text);
}

/* The last line of a feed. */
static void end_feed(Feed *feed, const OpCall *call, const GError *error)
{
	if (error) {
		feed_end(feed, reply_error(error, &call->notes));
		return;
	}
	json_t *result = reply_result(call);
	feed_end(feed, json_pack("{s:o}", "result", result));
}

static gboolean is_upload(const Request *request)
{
	return g_str_equal(request->op->name, "vol-upload");
}

static void set_download(Request *request, guint64 at, guint64 length, guint64 size)
{
	guint64 from, to;
	gboolean part = bytes_range(header(request, MHD_HTTP_HEADER_RANGE), &from, &to);
	set_reply(request, part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK,
		  bytes_response(request->bytes, length));
	g_autofree char *range = g_strdup_printf("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT
						 "/%" G_GUINT64_FORMAT, at, at + length - 1, size);
	if (part)
		MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
}

/* The volume is ready for its bytes. */
static void begin_bytes(Request *request, OpTransfer *transfer)
{
	g_autoptr(GError) error = NULL;
	guint64 from = 0, to = 0, at = op_transfer_at(transfer), size = op_transfer_size(transfer);
	const char *range = header(request, is_upload(request) ? MHD_HTTP_HEADER_CONTENT_RANGE :
								 MHD_HTTP_HEADER_RANGE);
	if (range && (is_upload(request) ? bytes_content_range : bytes_range)(range, &from, &to) &&
	    to != G_MAXUINT64)
		op_transfer_limit(transfer, to - from + 1);
	guint64 length = op_transfer_left(transfer);
	if (!is_upload(request) && !length && bytes_range(range, &from, &to)) {
		g_autofree char *whole = g_strdup_printf("bytes */%" G_GUINT64_FORMAT, size);
		op_transfer_drop(transfer);
		refuse(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, LODGE_ERROR_INVALID,
		       "the volume ends before that range");
		MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONTENT_RANGE, whole);
		return;
	}
	int fd = op_transfer_serve(transfer, FALSE, &error);
	if (fd < 0) {
		set_error(request, (guint)op_http_status(error), error, NULL);
		return;
	}
	request->bytes = bytes_new(request, fd);
	if (!is_upload(request))
		set_download(request, at, length, size);
}

static void set_success(Request *request, OpCall *call)
{
	if (call->transfer) {
		begin_bytes(request, g_steal_pointer(&call->transfer));
		return;
	}
	if (call->op->show != OP_SHOW_STREAM) {
		set_reply(request, MHD_HTTP_OK, reply_call(call));
		return;
	}
	request->stream_fd = call->stream_fd;
	call->stream_fd = -1;
	set_reply(request, MHD_HTTP_SWITCHING_PROTOCOLS, pump_response(&call->notes));
}

static void waiter_free(Waiter *waiter)
{
	if (waiter->feed)
		feed_unref(waiter->feed);
	g_free(waiter);
}

static void set_result(Waiter *waiter, OpCall *call, const GError *error)
{
	Request *request = waiter->request;
	request->waiter = NULL;
	g_clear_handle_id(&request->hup, g_source_remove);
	if (waiter->feed)
		end_feed(waiter->feed, call, error);
	else if (error)
		set_error(request, (guint)op_http_status(error), error, &call->notes);
	else
		set_success(request, call);
}

static void on_done(OpCall *call, const GError *error)
{
	Waiter *waiter = call->door_data;
	Request *request = waiter->request;
	RestServer *server = request ? request->conn->server : NULL;
	/* verbs that ran elsewhere report from the main loop itself: nobody is in the midst of things */
	gboolean at_once = request && request->asleep &&
			   (call->op->lane == OP_LANE || call->op->lane == OP_BESIDE);
	if (request) {
		set_result(waiter, call, error);
		request_wake(request);
	}
	waiter_free(waiter);
	if (at_once)
		rest_flush(server);
}

static gboolean on_hup(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Request *request = data;
	request->hup = 0;
	request_abandon(request);
	return G_SOURCE_REMOVE;
}

static gboolean wants_lines(const Request *request)
{
	const char *accept = header(request, MHD_HTTP_HEADER_ACCEPT);
	return request->op->is_job && accept && strstr(accept, "application/x-ndjson");
}

static gboolean can_upgrade(const Request *request)
{
	const char *upgrade = header(request, MHD_HTTP_HEADER_UPGRADE);
	const char *connection = header(request, MHD_HTTP_HEADER_CONNECTION);
	return upgrade && connection && g_ascii_strcasecmp(upgrade, "lodge-stream") == 0 &&
	       g_ascii_strcasecmp(connection, "upgrade") == 0;
}

/* Where the body begins in the volume, or the reply: headers say it as well as the query. */
static gboolean set_offset(const Request *request, OpCall *call, GError **error)
{
	guint64 from = 0, to;
	const char *range = header(request, is_upload(request) ? MHD_HTTP_HEADER_CONTENT_RANGE :
								 MHD_HTTP_HEADER_RANGE);
	if (!range)
		return TRUE;
	if (is_upload(request) && !bytes_content_range(range, &from, &to))
		return fail(error, LODGE_ERROR_INVALID, "Content-Range \"%s\" is not \"bytes FROM-TO/SIZE\"",
			    range);
	if (!is_upload(request) && !bytes_range(range, &from, &to))
		return TRUE;
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, from);
	for (guint i = 0; i < call->op->args->n; i++)
		if (g_str_equal(call->op->args->rows[i].name, "offset"))
			return row_from_text(&call->op->args->rows[i], call->args, text, error);
	return TRUE;
}

static OpCall *make_call(Request *request, GError **error)
{
	OpCall *call = op_call_new(rest_table(request->conn->server)->core, request->op);
	call->caller = request->conn->caller;
	call->target = g_steal_pointer(&request->target);
	call->takes_transfer = request->plain;
	if (rest_args(call, request->mhd, request->body, error) &&
	    (!request->plain || set_offset(request, call, error)))
		return call;
	op_call_free(call);
	return NULL;
}

static void start(Request *request)
{
	g_autoptr(GError) error = NULL;
	if (request->op->show == OP_SHOW_STREAM && !request->plain && !can_upgrade(request)) {
		refuse(request, MHD_HTTP_UPGRADE_REQUIRED, LODGE_ERROR_INVALID,
		       "this is a stream: ask for it with \"Connection: Upgrade\" and \"Upgrade: "
		       "lodge-stream\"");
		return;
	}
	OpCall *call = make_call(request, &error);
	if (!call) {
		set_error(request, (guint)op_http_status(error), error, NULL);
		return;
	}
	Waiter *waiter = g_new0(Waiter, 1);
	*waiter = (Waiter){ .call = call, .request = request };
	if (wants_lines(request)) {
		waiter->feed = feed_new(request->mhd);
		set_reply(request, MHD_HTTP_OK, feed_response(waiter->feed));
		call->progress = on_progress;
	}
	call->door_data = request->waiter = waiter;
	call->done = on_done;
	op_dispatch(call);
	if (request->waiter && request->op->is_job)
		request->hup = g_unix_fd_add(request->conn->fd, G_IO_HUP | G_IO_ERR, on_hup, request);
}

void request_abandon(Request *request)
{
	request->closing = TRUE;
	g_clear_handle_id(&request->hup, g_source_remove);
	Waiter *waiter = g_steal_pointer(&request->waiter);
	if (waiter) {
		waiter->request = NULL;
		if (request->op->is_job)
			g_cancellable_cancel(waiter->call->cancel);
		if (waiter->feed)
			feed_gone(waiter->feed);
	}
	request_wake(request);
}

int request_take_stream(Request *request)
{
	int fd = request->stream_fd;
	request->stream_fd = -1;
	return fd;
}

/* ---- MHD's callbacks ---- */

static Request *request_new(RestConn *conn, struct MHD_Connection *mhd)
{
	Request *request = g_new0(Request, 1);
	request->conn = conn;
	request->mhd = mhd;
	request->stream_fd = -1;
	request->body = g_byte_array_new();
	conn->request = request;
	return request;
}

static void request_free(Request *request)
{
	request_abandon(request);
	request->conn->request = NULL;
	request->conn->waiting_since = g_get_monotonic_time();
	if (request->bytes && is_upload(request))
		bytes_free(request->bytes);
	else if (request->bytes) /* the reply's, which may go right now */
		bytes_gone(request->bytes);
	if (request->response)
		MHD_destroy_response(request->response);
	if (request->stream_fd >= 0)
		close(request->stream_fd);
	g_byte_array_unref(request->body);
	g_free(request->target);
	g_free(request);
}

static void find_op(Request *request, const char *method, const char *url)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *allow = NULL;
	const RestTable *table = rest_table(request->conn->server);
	if (g_str_equal(url, "/v1/openapi.json") && g_str_equal(method, "GET")) {
		set_reply(request, MHD_HTTP_OK, reply_json(openapi(table)));
		return;
	}
	request->op = route_find(table, method, url, &request->target, &allow, &error);
	if (request->op)
		return;
	set_error(request, allow ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND, error, NULL);
	if (allow)
		MHD_add_response_header(request->response, MHD_HTTP_HEADER_ALLOW, allow);
}

/* The header is here. A body that is said to be too large is refused before any of it is read. */
static enum MHD_Result begin(Request *request, const char *method, const char *url)
{
	const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	find_op(request, method, url);
	request->plain = request->op && is_volumes(request->op) && !can_upgrade(request);
	if (request->plain && is_upload(request))
		return MHD_YES;
	if (length && g_ascii_strtoull(length, NULL, 10) > REST_MAX_BODY) {
		refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, LODGE_ERROR_INVALID,
		       "the body is larger than 8 MiB");
		return send_reply(request);
	}
	return MHD_YES;
}

/* A part of an upload's body: the call is there before any of it is read. After a failure the rest is
 * dropped, for a reply is heard only then. */
static void take_bytes(Request *request, const char *data, size_t *size)
{
	if (!request->response && !request->waiter && !request->bytes)
		start(request);
	if (request->bytes) {
		request->conn->waiting_since = g_get_monotonic_time();
		*size -= bytes_take(request->bytes, data, *size);
	} else if (request->response) {
		*size = 0;
	} else {
		request_sleep(request);
	}
}

/* All of it is here. FALSE: it is not on the disk yet. */
static gboolean finish_bytes(Request *request)
{
	g_autoptr(GError) error = NULL;
	if (!bytes_finish(request->bytes, &error))
		return FALSE;
	if (error)
		set_error(request, (guint)op_http_status(error), error, NULL);
	else
		set_reply(request, MHD_HTTP_OK, reply_json(json_object()));
	return TRUE;
}

/* A part of the body. What is too much is dropped, until that is too much as well. */
static enum MHD_Result take_part(Request *request, const char *data, size_t size)
{
	request->seen += size;
	if (request->seen > 4 * (guint64)REST_MAX_BODY)
		return MHD_NO;
	if (request->seen <= REST_MAX_BODY) {
		g_byte_array_append(request->body, (const guint8 *)data, (guint)size);
		return MHD_YES;
	}
	g_byte_array_set_size(request->body, 0);
	refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, LODGE_ERROR_INVALID,
	       "the body is larger than 8 MiB");
	return MHD_YES;
}

enum MHD_Result request_handle(G_GNUC_UNUSED void *cls, struct MHD_Connection *mhd, const char *url,
			       const char *method, G_GNUC_UNUSED const char *version,
			       const char *data, size_t *data_size, void **slot)
{
	Request *request = *slot;
	RestConn *conn = rest_conn_of(mhd);
	if (!conn)
		return MHD_NO;
	if (!request) {
		*slot = request = request_new(conn, mhd);
		return begin(request, method, url);
	}
	if (request->closing)
		return MHD_NO;
	if (*data_size > 0 && request->plain && is_upload(request)) {
		take_bytes(request, data, data_size);
		return MHD_YES;
	}
	if (*data_size > 0) {
		size_t size = *data_size;
		*data_size = 0;
		return take_part(request, data, size);
	}
	conn->waiting_since = 0;
	if (!request->response && !request->waiter && !request->bytes)
		start(request);
	if (request->bytes && !request->response && !finish_bytes(request))
		return MHD_YES;
	if (request->response)
		return send_reply(request);
	request->asleep = TRUE;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

void request_completed(G_GNUC_UNUSED void *cls, G_GNUC_UNUSED struct MHD_Connection *mhd,
		       void **slot, G_GNUC_UNUSED enum MHD_RequestTerminationCode code)
{
	if (*slot)
		request_free(*slot);
	*slot = NULL;
}

/* The bytes of volumes as plain bodies of HTTP: `curl -T disk.img` and `curl -o disk.img`, with
 * ranges. The far end is ops/transfer.h's, which speaks records on a socket; this file turns them
 * into bodies and back. While the far end has nothing, or takes no more, the connection sleeps: a
 * slow disk or client costs 64 KiB. */
#include "wire/rest/internal.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "ops/transfer.h"

#define PIECE 65536u

struct Bytes {
	Request *request; /* NULL: nobody listens any more */
	int fd;
	guint watch;
	guint64 left; /* of the record that comes, or of the answer */
	guint8 head[TRANSFER_RECORD];
	guint got;	   /* bytes of .head */
	guint8 *out;	   /* upload: a record that is on its way */
	gsize begin, end;  /* of it */
	gboolean said_end; /* upload: the last record is sent */
	GString *answer;   /* upload: what it says of an error */
};

static gboolean on_ready(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Bytes *bytes = data;
	bytes->watch = 0;
	if (bytes->request)
		request_wake(bytes->request);
	return G_SOURCE_REMOVE;
}

static void sleep_until(Bytes *bytes, GIOCondition condition)
{
	if (!bytes->watch)
		bytes->watch =
			g_unix_fd_add(bytes->fd, condition | G_IO_HUP | G_IO_ERR, on_ready, bytes);
	request_sleep(bytes->request);
}

Bytes *bytes_new(Request *request, int fd)
{
	Bytes *bytes = g_new0(Bytes, 1);
	bytes->request = request;
	bytes->fd = fd;
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	return bytes;
}

void bytes_free(Bytes *bytes)
{
	if (!bytes)
		return;
	g_clear_handle_id(&bytes->watch, g_source_remove);
	close(bytes->fd);
	g_free(bytes->out);
	if (bytes->answer)
		g_string_free(bytes->answer, TRUE);
	g_free(bytes);
}

/* ---- records that come ---- */

/* Bytes of it, 0 at its end, -1 where there are none yet. */
static gssize receive(Bytes *bytes, void *buffer, gsize room)
{
	for (;;) {
		gssize n = recv(bytes->fd, buffer, room, MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno != EINTR)
			return errno == EAGAIN ? -1 : 0;
	}
}

typedef enum Next { NEXT_LATER, NEXT_RECORD, NEXT_CUT } Next;

/* The head of the next record. */
static Next next_record(Bytes *bytes)
{
	while (bytes->got < TRANSFER_RECORD) {
		gssize n = receive(bytes, bytes->head + bytes->got, TRANSFER_RECORD - bytes->got);
		if (n <= 0)
			return n < 0 ? NEXT_LATER : NEXT_CUT;
		bytes->got += (guint)n;
	}
	bytes->got = 0;
	memcpy(&bytes->left, bytes->head + 1, sizeof(bytes->left));
	bytes->left = GUINT64_FROM_BE(bytes->left);
	return NEXT_RECORD;
}

/* ---- down ---- */

static ssize_t read_bytes(void *cls, G_GNUC_UNUSED uint64_t position, char *buffer, size_t max)
{
	Bytes *bytes = cls;
	if (!bytes->request)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!bytes->left) {
		Next next = next_record(bytes);
		if (next == NEXT_LATER) {
			sleep_until(bytes, G_IO_IN);
			return 0;
		}
		if (next == NEXT_CUT || bytes->head[0] != 'D')
			return bytes->head[0] == 'O' && next == NEXT_RECORD
				       ? MHD_CONTENT_READER_END_OF_STREAM
				       : MHD_CONTENT_READER_END_WITH_ERROR;
	}
	gssize n = receive(bytes, buffer, MIN(max, bytes->left));
	if (n < 0) {
		sleep_until(bytes, G_IO_IN);
		return 0;
	}
	bytes->left -= (guint64)n;
	return n ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_bytes(void *cls)
{
	bytes_free(cls);
}

struct MHD_Response *bytes_response(Bytes *bytes, guint64 length)
{
	struct MHD_Response *response =
		MHD_create_response_from_callback(length, PIECE, read_bytes, bytes, free_bytes);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream");
	MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	return response;
}

void bytes_gone(Bytes *bytes)
{
	bytes->request = NULL;
	g_clear_handle_id(&bytes->watch, g_source_remove);
}

/* ---- up ---- */

/* FALSE: the far end takes no more now. What it does not take because it has failed is dropped: its
 * answer says why. */
static gboolean flush(Bytes *bytes)
{
	while (bytes->begin < bytes->end) {
		gssize n = send(bytes->fd, bytes->out + bytes->begin, bytes->end - bytes->begin,
				MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return FALSE;
		bytes->begin = n < 0 ? bytes->end : bytes->begin + (gsize)n;
	}
	return TRUE;
}

static void put_record(Bytes *bytes, char letter, const void *data, gsize n)
{
	guint64 be = GUINT64_TO_BE((guint64)n);
	if (!bytes->out)
		bytes->out = g_malloc(TRANSFER_RECORD + PIECE);
	bytes->out[0] = (guint8)letter;
	memcpy(bytes->out + 1, &be, sizeof(be));
	if (n)
		memcpy(bytes->out + TRANSFER_RECORD, data, n);
	bytes->begin = 0;
	bytes->end = TRANSFER_RECORD + n;
}

gsize bytes_take(Bytes *bytes, const void *data, gsize size)
{
	gsize taken = 0;
	while (taken < size && flush(bytes)) {
		gsize n = MIN(size - taken, PIECE);
		put_record(bytes, 'D', (const char *)data + taken, n);
		taken += n;
	}
	if (!flush(bytes))
		sleep_until(bytes, G_IO_OUT);
	return taken;
}

/* The rest of what is wrong. FALSE: later. */
static gboolean take_answer(Bytes *bytes, GError **error)
{
	char piece[1024];
	while (bytes->left) {
		gssize n = receive(bytes, piece, MIN(sizeof piece, bytes->left));
		if (n < 0)
			return FALSE;
		bytes->left = n ? bytes->left - (guint64)n : 0;
		g_string_append_len(bytes->answer, piece, n);
	}
	op_transfer_failed(bytes->answer->str, bytes->answer->len, error);
	return TRUE;
}

gboolean bytes_finish(Bytes *bytes, GError **error)
{
	if (flush(bytes) && !bytes->said_end) {
		put_record(bytes, 'O', NULL, 0);
		bytes->said_end = TRUE;
	}
	if (!flush(bytes)) {
		sleep_until(bytes, G_IO_OUT);
		return FALSE;
	}
	if (!bytes->answer) {
		Next next = next_record(bytes);
		if (next == NEXT_LATER) {
			sleep_until(bytes, G_IO_IN);
			return FALSE;
		}
		if (next == NEXT_RECORD && bytes->head[0] == 'O')
			return TRUE;
		if (next == NEXT_CUT || bytes->head[0] != 'E')
			return fail(error, LODGE_ERROR_SYSTEM,
				    "the upload was ended by the daemon"),
			       TRUE;
		bytes->answer = g_string_new(NULL);
	}
	if (take_answer(bytes, error))
		return TRUE;
	sleep_until(bytes, G_IO_IN);
	return FALSE;
}

/* ---- which bytes ---- */

static gboolean number(const char **text, guint64 *value)
{
	char *end;
	if (!g_ascii_isdigit(**text))
		return FALSE;
	errno = 0;
	*value = g_ascii_strtoull(*text, &end, 10);
	*text = end;
	return errno == 0;
}

/* RFC 9110, 14.2: what is not understood counts as not said. */
gboolean bytes_range(const char *text, guint64 *from, guint64 *to)
{
	if (!text || !g_str_has_prefix(text, "bytes="))
		return FALSE;
	text += strlen("bytes=");
	*to = G_MAXUINT64;
	return number(&text, from) && *text == '-' &&
	       (text++, *text == '\0' || number(&text, to)) && *text == '\0' && *from <= *to;
}

/* RFC 9110, 14.4; the size of the whole may be "*". */
gboolean bytes_content_range(const char *text, guint64 *from, guint64 *to)
{
	guint64 whole;
	if (!g_str_has_prefix(text, "bytes "))
		return FALSE;
	text += strlen("bytes ");
	return number(&text, from) && *text++ == '-' && number(&text, to) && *text++ == '/' &&
	       *from <= *to &&
	       (g_str_equal(text, "*") || (number(&text, &whole) && *text == '\0' && *to < whole));
}

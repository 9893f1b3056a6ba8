/* vol-upload and vol-download: a file of this machine against a volume of the daemon, holes kept where that
 * is asked for. The stream carries records, see ops/transfer.h. Neighbours: verbs.c knows these verbs. */
#include "cli/internal.h"
#include "base/fd.h"
#include "ops/transfer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

typedef struct Stream {
	int fd;
	GByteArray *early; /* what came before the rest */
	guint8 *buffer;	   /* of a record */
	off_t end;	   /* of what is sent */
} Stream;

/* The arguments of @op and the file; lives for ever. */
const Shape *with_file(const Shape *args)
{
	static const Row file = { .kind = ROW_STRING, .name = "file",
				  .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_PATH, .doc = "file" };
	Shape *more = g_memdup2(args, sizeof *args);
	Row *rows = g_new(Row, args->n + 1);
	memcpy(rows, args->rows, args->n * sizeof(Row));
	rows[args->n] = file;
	rows[args->n].offset = args->size;
	more->rows = rows;
	more->n = args->n + 1;
	more->size = args->size + sizeof(char *);
	return more;
}

static gboolean is_sparse(const Op *op, gconstpointer args)
{
	for (guint i = 0; i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, "sparse"))
			return row_is_set(&op->args->rows[i], args);
	return FALSE;
}

/* ---- records ---- */

static gboolean cut_off(GError **error)
{
	return fail(error, LODGE_ERROR_GONE, "the daemon went away before all was there");
}

static gboolean receive(Stream *stream, void *bytes, gsize n, GError **error)
{
	gsize done = MIN(n, stream->early->len);
	if (done) {
		memcpy(bytes, stream->early->data, done);
		g_byte_array_remove_range(stream->early, 0, (guint)done);
	}
	while (done < n) {
		ssize_t got = recv(stream->fd, (char *)bytes + done, n - done, 0);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return cut_off(error);
		done += (gsize)got;
	}
	return TRUE;
}

/* The next record: its letter, or 0; data and errors are in the buffer. */
static char next_record(Stream *stream, guint64 *length, GError **error)
{
	guint8 head[TRANSFER_RECORD];
	if (!receive(stream, head, sizeof(head), error))
		return 0;
	memcpy(length, head + 1, sizeof(*length));
	*length = GUINT64_FROM_BE(*length);
	if (head[0] != 'D' && head[0] != 'E')
		return (char)head[0];
	if (*length > TRANSFER_CHUNK || !receive(stream, stream->buffer, *length, error)) {
		if (*length > TRANSFER_CHUNK)
			cut_off(error);
		return 0;
	}
	if (head[0] == 'D')
		return 'D';
	op_transfer_failed((const char *)stream->buffer, *length, error);
	return 0;
}

static gboolean send_record(Stream *stream, char letter, guint64 length, gsize data, GError **error)
{
	guint64 be = GUINT64_TO_BE(length);
	guint8 *record = stream->buffer;
	record[0] = (guint8)letter;
	memcpy(record + 1, &be, sizeof(be));
	for (gsize done = 0; done < TRANSFER_RECORD + data;) {
		ssize_t n = send(stream->fd, record + done, TRANSFER_RECORD + data - done, MSG_NOSIGNAL);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return cut_off(error);
		done += (gsize)n;
	}
	return TRUE;
}

/* ---- progress ---- */

#define TELL_EVERY (G_USEC_PER_SEC / 10)

/* @whole: bytes in all; 0: nobody knows. */
static void tell(guint64 done, guint64 whole)
{
	static gint64 next;
	gint64 now = g_get_monotonic_time();
	if (now < next)
		return;
	next = now + TELL_EVERY;
	g_autofree char *text = g_format_size_full(done, G_FORMAT_SIZE_IEC_UNITS);
	cli_progress(whole ? (double)done / (double)whole : -1, text);
}

/* ---- down ---- */

static gboolean put(int file, const guint8 *bytes, gsize n, GError **error)
{
	for (gsize done = 0; done < n;) {
		ssize_t written = write(file, bytes + done, n - done);
		if (written < 0 && errno != EINTR)
			return fail_errno(error, errno, "the file cannot be written");
		done += written > 0 ? (gsize)written : 0;
	}
	return TRUE;
}

static gboolean skip(int file, guint64 n, GError **error)
{
	off_t end = lseek(file, (off_t)n, SEEK_CUR);
	return (end >= 0 && ftruncate(file, end) == 0) ||
	       fail_errno(error, errno, "the file cannot have a hole");
}

static gboolean download(Stream *stream, int file, GError **error)
{
	for (guint64 length = 0, done = 0;; done += length) {
		tell(done, 0);
		switch (next_record(stream, &length, error)) {
		case 'D':
			if (!put(file, stream->buffer, length, error))
				return FALSE;
			break;
		case 'H':
			if (!skip(file, length, error))
				return FALSE;
			break;
		case 'O':
			return TRUE;
		default:
			return FALSE;
		}
	}
}

/* ---- up ---- */

/* Bytes of data that come next in @file, or of a hole (*hole). */
static guint64 next_part(int file, gboolean sparse, off_t at, off_t end, gboolean *hole)
{
	*hole = FALSE;
	if (!sparse)
		return (guint64)(end - at);
	off_t data = lseek(file, at, SEEK_DATA);
	*hole = data != at;
	off_t stop = *hole ? (data < 0 ? end : data) : lseek(file, at, SEEK_HOLE);
	return (guint64)((stop < 0 || stop > end ? end : stop) - at);
}

static gboolean send_data(Stream *stream, int file, off_t at, guint64 n, GError **error)
{
	while (n > 0) {
		ssize_t got = pread(file, stream->buffer + TRANSFER_RECORD, MIN(n, TRANSFER_CHUNK), at);
		if (got < 0)
			return fail_errno(error, errno, "the file cannot be read");
		if (got == 0)
			return TRUE;
		if (!send_record(stream, 'D', (guint64)got, (gsize)got, error))
			return FALSE;
		tell((guint64)at, (guint64)stream->end);
		at += got;
		n -= (guint64)got;
	}
	return TRUE;
}

/* A refusal of the daemon says more than that it stopped listening. */
static gboolean answer(Stream *stream, gboolean sent, GError **error)
{
	guint64 length;
	g_autoptr(GError) why = NULL;
	gboolean ok = next_record(stream, &length, &why) == 'O' && sent;
	if (ok)
		return TRUE;
	if (why && error)
		g_clear_error(error);
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static gboolean upload(Stream *stream, int file, gboolean sparse, GError **error)
{
	off_t end = lseek(file, 0, SEEK_END);
	stream->end = end;
	gboolean ok = end >= 0 || fail_errno(error, errno, "the file has no end");
	for (off_t at = 0; ok && at < end;) {
		gboolean hole;
		guint64 n = next_part(file, sparse, at, end, &hole);
		ok = hole ? send_record(stream, 'H', n, 0, error) : send_data(stream, file, at, n, error);
		at += (off_t)n;
	}
	ok = ok && send_record(stream, 'O', 0, 0, error);
	return answer(stream, ok, error);
}

int run_volume_stream(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name); /* its arguments are the first of ours */
	const char *path = *(char **)((char *)args + op->args->size);
	gboolean up = g_str_equal(op->name, "vol-upload");
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	autofd int file = open(path, (up ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC) | O_CLOEXEC, 0666);
	if (file < 0) {
		fail_errno(&error, errno, "%s", path);
		return cli_failed(error);
	}
	Stream stream = { .fd = cli_stream(cli, op, target, args, early, &error), .early = early };
	if (stream.fd < 0)
		return cli_failed(error);
	autofd int fd = stream.fd;
	g_autofree guint8 *buffer = stream.buffer = g_malloc(TRANSFER_RECORD + TRANSFER_CHUNK);
	gboolean ok = up ? upload(&stream, file, is_sparse(op, args), &error) :
			   download(&stream, file, &error);
	cli_progress_end();
	if (ok)
		return 0;
	g_prefix_error(&error, "%s: ", path);
	return cli_failed(error);
}

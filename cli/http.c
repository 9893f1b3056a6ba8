/* See http.h. */
#include "cli/http.h"
#include "base/error.h"
#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_HEAD 65536		  /* bytes of a reply's head */
#define MAX_BODY (256u << 20)	  /* bytes of a reply */
#define MAX_LINE (64u << 20)	  /* bytes of one line of a reply */
#define BUFFER_SIZE 65536

typedef enum Framing { UNTIL_CLOSE, COUNTED, CHUNKED, NOTHING } Framing;

struct Http {
	int fd;
	char buffer[BUFFER_SIZE];
	size_t begin, end; /* bytes read and not used */
	Framing framing;
	guint64 left; /* bytes of the body, or of this chunk */
	gboolean in_chunk;
	GPtrArray *warnings; /* of the last head; NULL at the end */
	GString *line; /* part of a line for http_line() */
};

static volatile sig_atomic_t told_to_end; /* since the last http_new() */

Http *http_new(int fd)
{
	told_to_end = 0;
	Http *http = g_malloc(sizeof *http);
	*http = (Http){ .fd = fd };
	http->line = g_string_new(NULL);
	http->warnings = g_ptr_array_new_with_free_func(g_free);
	return http;
}

void http_free(Http *http)
{
	if (!http)
		return;
	fd_clear(&http->fd);
	g_string_free(http->line, TRUE);
	g_ptr_array_unref(http->warnings);
	g_free(http);
}

int http_take(Http *http, GByteArray *early)
{
	g_byte_array_append(early, (guint8 *)http->buffer + http->begin, (guint)(http->end - http->begin));
	http->begin = http->end = 0;
	return fd_steal(&http->fd);
}

/* ---- bytes ---- */

static gboolean gone(GError **error)
{
	return fail(error, LODGE_ERROR_GONE, "the daemon closed the connection");
}

static void on_signal(G_GNUC_UNUSED int number)
{
	told_to_end = 1;
}

void http_end_at_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Waits until there is something to read. A signal counts also where it came just before. */
static gboolean wait_for_more(int fd)
{
	sigset_t both, before;
	sigemptyset(&both);
	sigaddset(&both, SIGINT);
	sigaddset(&both, SIGTERM);
	sigprocmask(SIG_BLOCK, &both, &before);
	struct pollfd in = { .fd = fd, .events = POLLIN };
	errno = EINTR;
	gboolean ready = !told_to_end && ppoll(&in, 1, NULL, &before) >= 0;
	int why = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = why;
	return ready;
}

/* Reads more into the buffer, which is empty or has room. 0 at the end, -1 on failure. */
static ssize_t more(Http *http, GError **error)
{
	if (http->begin == http->end)
		http->begin = http->end = 0;
	ssize_t n = -1;
	if (wait_for_more(http->fd))
		n = recv(http->fd, http->buffer + http->end, BUFFER_SIZE - http->end, 0);
	if (n > 0)
		http->end += (size_t)n;
	if (n < 0 && errno == EINTR)
		fail(error, LODGE_ERROR_ABORTED, "interrupted");
	else if (n < 0 && errno == ECONNRESET)
		gone(error);
	else if (n < 0)
		fail_errno(error, errno, "cannot read from the daemon");
	return n;
}

/* A daemon that refuses a request early closes the connection, but its reply can be read. */
static gboolean send_all(Http *http, const char *bytes, gsize length, GError **error)
{
	while (length > 0) {
		ssize_t n = send(http->fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EPIPE)
			return TRUE;
		if (n < 0 && errno == EINTR)
			return fail(error, LODGE_ERROR_ABORTED, "interrupted");
		if (n < 0)
			return fail_errno(error, errno, "cannot write to the daemon");
		bytes += n;
		length -= (gsize)n;
	}
	return TRUE;
}

/* A head line or chunk size: up to CRLF, at most MAX_HEAD bytes. The caller frees it. */
static char *head_line(Http *http, GError **error)
{
	g_autoptr(GString) line = g_string_new(NULL);
	for (;;) {
		if (http->begin == http->end) {
			ssize_t n = more(http, error);
			if (n == 0)
				gone(error);
			if (n <= 0)
				return NULL;
		}
		char *from = http->buffer + http->begin;
		char *nl = memchr(from, '\n', http->end - http->begin);
		size_t n = nl ? (size_t)(nl - from) : http->end - http->begin;
		g_string_append_len(line, from, (gssize)n);
		http->begin += n + (nl ? 1 : 0);
		if (line->len > MAX_HEAD) {
			fail(error, LODGE_ERROR_INTERNAL, "the daemon's reply has too long a head");
			return NULL;
		}
		if (nl)
			break;
	}
	if (line->len > 0 && line->str[line->len - 1] == '\r')
		g_string_truncate(line, line->len - 1);
	return g_string_free(g_steal_pointer(&line), FALSE);
}

/* ---- the head ---- */

static void take_header(Http *http, const char *line)
{
	const char *colon = strchr(line, ':');
	if (!colon)
		return;
	const char *value = colon + 1 + strspn(colon + 1, " \t");
	size_t n = (size_t)(colon - line);
	if (n == 14 && g_ascii_strncasecmp(line, "Content-Length", n) == 0) {
		http->framing = COUNTED;
		http->left = g_ascii_strtoull(value, NULL, 10);
	} else if (n == 17 && g_ascii_strncasecmp(line, "Transfer-Encoding", n) == 0) {
		http->framing = CHUNKED;
	} else if (n == 13 && g_ascii_strncasecmp(line, "Lodge-Warning", n) == 0) {
		g_ptr_array_add(http->warnings, g_strdup(value));
	}
}

static guint read_head(Http *http, GError **error)
{
	g_autofree char *first = head_line(http, error);
	if (!first)
		return 0;
	const char *blank = strchr(first, ' ');
	guint status = blank ? (guint)g_ascii_strtoull(blank, NULL, 10) : 0;
	if (!g_str_has_prefix(first, "HTTP/1.") || status < 100 || status > 599) {
		fail(error, LODGE_ERROR_INTERNAL, "what answers is no lodge daemon");
		return 0;
	}
	g_ptr_array_set_size(http->warnings, 0);
	http->framing = UNTIL_CLOSE;
	http->in_chunk = FALSE;
	for (size_t total = 0;;) {
		g_autofree char *line = head_line(http, error);
		if (!line)
			return 0;
		if (*line == '\0')
			break;
		total += strlen(line);
		if (total > MAX_HEAD) {
			fail(error, LODGE_ERROR_INTERNAL, "the daemon's reply has too long a head");
			return 0;
		}
		take_header(http, line);
	}
	g_ptr_array_add(http->warnings, NULL);
	if (status < 200 || status == 204)
		http->framing = NOTHING;
	return status;
}

guint http_ask(Http *http, const HttpRequest *request, GError **error)
{
	g_autoptr(GString) head = g_string_new(NULL);
	g_string_append_printf(head, "%s %s HTTP/1.1\r\nHost: lodge\r\n", request->method,
			       request->target);
	if (request->type)
		g_string_append_printf(head, "Content-Type: %s\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n",
				       request->type, request->length);
	g_string_append(head, request->headers ? request->headers : "");
	g_string_append(head, "\r\n");
	if (!send_all(http, head->str, head->len, error) ||
	    !send_all(http, request->body, request->length, error))
		return 0;
	guint status;
	do
		status = read_head(http, error);
	while (status == 100);
	return status;
}

char *const *http_warnings(Http *http)
{
	return (char *const *)http->warnings->pdata;
}

/* ---- the body ---- */

/* Opens the next chunk. FALSE with *end at the last, or with @error. */
static gboolean next_chunk(Http *http, gboolean *end, GError **error)
{
	if (http->in_chunk) { /* the CRLF behind the one before */
		g_autofree char *empty = head_line(http, error);
		if (!empty)
			return FALSE;
	}
	g_autofree char *size = head_line(http, error);
	if (!size)
		return FALSE;
	http->left = g_ascii_strtoull(size, NULL, 16);
	http->in_chunk = TRUE;
	*end = http->left == 0;
	return !*end;
}

/* Makes bytes of the body available at *bytes. Returns their count, 0 at the end, -1 on failure. */
static gssize body_bytes(Http *http, const char **bytes, GError **error)
{
	gboolean end = FALSE;
	if (http->framing == NOTHING || (http->framing == COUNTED && http->left == 0))
		return 0;
	if (http->framing == CHUNKED && http->left == 0 && !next_chunk(http, &end, error))
		return end ? 0 : -1;
	if (http->begin == http->end) {
		ssize_t n = more(http, error);
		if (n == 0 && http->framing != UNTIL_CLOSE)
			gone(error);
		if (n <= 0)
			return n == 0 && http->framing == UNTIL_CLOSE ? 0 : -1;
	}
	size_t n = http->end - http->begin;
	if (http->framing != UNTIL_CLOSE) {
		n = MIN(n, http->left);
		http->left -= n;
	}
	*bytes = http->buffer + http->begin;
	http->begin += n;
	return (gssize)n;
}

char *http_body(Http *http, gsize *length, GError **error)
{
	gsize expected = http->framing == COUNTED ? MIN(http->left, MAX_BODY) : 4096;
	g_autoptr(GString) body = g_string_sized_new(expected + 1);
	for (;;) {
		const char *bytes;
		gssize n = body_bytes(http, &bytes, error);
		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		if (body->len + (gsize)n > MAX_BODY) {
			fail(error, LODGE_ERROR_INTERNAL, "the daemon's reply is too long");
			return NULL;
		}
		g_string_append_len(body, bytes, n);
	}
	*length = body->len;
	return g_string_free(g_steal_pointer(&body), FALSE);
}

char *http_line(Http *http, GError **error)
{
	for (;;) {
		char *nl = memchr(http->line->str, '\n', http->line->len);
		if (nl) {
			gsize n = (gsize)(nl - http->line->str);
			char *line = g_strndup(http->line->str, n);
			g_string_erase(http->line, 0, (gssize)n + 1);
			return line;
		}
		const char *bytes;
		gssize n = body_bytes(http, &bytes, error);
		if (n <= 0)
			return NULL;
		g_string_append_len(http->line, bytes, n);
		if (http->line->len > MAX_LINE) {
			fail(error, LODGE_ERROR_INTERNAL, "the daemon's reply has too long a line");
			return NULL;
		}
	}
}

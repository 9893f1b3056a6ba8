/* A small HTTP/1.1 client for one daemon over a unix socket. Our own, because a command lives for a few
 * milliseconds: libcurl would load some twenty libraries to start with. Understands what our server
 * and MHD send: Content-Length, chunked, close, and 101 Upgrade. Everything read is bounded.
 * Neighbours: call.c. One thread; calls block. */
#pragma once

#include <glib.h>

typedef struct Http Http;

typedef struct HttpRequest {
	const char *method;
	const char *target;  /* path and query, escaped already */
	const char *headers; /* further header lines, each with its \r\n; NULL: none */
	const char *type;    /* of the body; NULL where there is none */
	const char *body;
	gsize length;
} HttpRequest;

/* From now on SIGINT and SIGTERM end what waits for the daemon, which then sees us go and stops the work:
 * LODGE_ERROR_ABORTED. None is lost between two waits. */
void http_end_at_signals(void);

/* Takes the connected socket @fd, which must block. */
Http *http_new(int fd);
void http_free(Http *http);

/* Sends a request and reads the head of its reply. Returns the status, or 0. */
guint http_ask(Http *http, const HttpRequest *request, GError **error);
/* The warnings in the head of the last reply; owned by @http, NULL at the end. */
char *const *http_warnings(Http *http);
/* The rest of the reply's body, NUL added; the caller frees it. */
char *http_body(Http *http, gsize *length, GError **error);
/* The next line of the body without its end; NULL with @error, or at the end without. The caller
 * frees it. */
char *http_line(Http *http, GError **error);
/* After a 101: the socket, which the caller owns, and in @early what the server has sent already. */
int http_take(Http *http, GByteArray *early);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Http, http_free)

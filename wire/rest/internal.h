/* What the files of the HTTP door share. */
#pragma once

#include "wire/rest/rest.h"

#include <jansson.h>
#include <microhttpd.h>

#define REST_MAX_BODY (8u << 20)      /* bytes of a request's body */
#define REST_MAX_CLIENTS 1000	      /* connections at once; more wait unaccepted */
#define REST_BACKLOG 1024	      /* clients that wait unaccepted */
#define REST_CONNECTION_MEMORY 65536  /* bytes, header lines included */
#define REST_REQUEST_SECONDS 30	      /* for a whole request to arrive, and between requests */
#define REST_CROWDED_SECONDS 2	      /* the same while others wait unaccepted */
#define REST_IDLE_SECONDS 60	      /* for a client to take more of its reply */

typedef struct Request Request;

/* One client connection. */
typedef struct RestConn {
	RestServer *server;
	int fd; /* MHD's */
	OpCaller caller;
	gint64 waiting_since; /* monotonic; 0 while a request is being answered */
	Request *request;     /* the one that is being read or answered; NULL between them */
} RestConn;

/* ---- request.c ---- */

/* MHD's callbacks: for each part of a request, and for its end. @cls is the RestServer. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *data,
			       size_t *data_size, void **slot);
void request_completed(void *cls, struct MHD_Connection *mhd, void **slot,
		       enum MHD_RequestTerminationCode code);

/* Lets go of a request whose connection is about to be closed: its call goes on alone. */
void request_abandon(Request *request);
/* The daemon's end of the stream that this request opened; the caller owns it. */
int request_take_stream(Request *request);

/* The request's connection rests until it is woken. */
void request_sleep(Request *request);
void request_wake(Request *request);

/* ---- args.c ---- */

/* Fills call->args from the query and @body. */
gboolean rest_args(OpCall *call, struct MHD_Connection *mhd, const GByteArray *body, GError **error);

/* ---- server.c ---- */

/* What the server serves. */
typedef struct RestTable {
	Core *core;
	const Op *const *ops;
	guint n;
} RestTable;

const RestTable *rest_table(const RestServer *server);
RestConn *rest_conn_of(struct MHD_Connection *mhd);
/* Wakes a connection that MHD_suspend_connection() put to sleep. */
void rest_wake(struct MHD_Connection *mhd);
/* Has MHD look after its connections soon: its epoll descriptor does not tell of those that were woken
 * or whose stream ended. */
void rest_poke(RestServer *server);
/* The same at once, unless MHD is at work above us: spares a reply a turn of the main loop. Requests
 * may be read, answered and freed in here. */
void rest_flush(RestServer *server);

/* ---- route.c ---- */

/* The verb for @method and @path; *target is the {guest} segment, owned by the caller, or NULL. With
 * NULL, @error says why and *allow lists the methods that the path has, or is NULL. */
const Op *route_find(const RestTable *table, const char *method, const char *path, char **target,
		     char **allow, GError **error);

/* ---- reply.c: bodies; each is made once and handed to MHD ---- */

/* Takes @json. */
struct MHD_Response *reply_json(json_t *json);
/* The result of a call that succeeded, and its warnings. */
struct MHD_Response *reply_call(const OpCall *call);
/* A new reference: the result's members and warnings of a call that succeeded. */
json_t *reply_result(const OpCall *call);
/* A new reference: {"error": ..} and the warnings, if any. @notes may be NULL. */
json_t *reply_error(const GError *error, const Notes *notes);

/* ---- openapi.c ---- */

/* A new reference: the description of every route. */
json_t *openapi(const RestTable *table);

/* ---- feed.c: a reply that grows line by line ---- */

typedef struct Feed Feed;

/* A feed for @mhd with one reference. */
Feed *feed_new(struct MHD_Connection *mhd);
void feed_unref(Feed *feed);
/* The response that reads from @feed (and holds it). */
struct MHD_Response *feed_response(Feed *feed);
/* Tells a progress; any thread. What comes within a tenth of a second of the line
 * before is dropped. */
void feed_progress(Feed *feed, double fraction, const char *text);
/* The last line; takes @json. */
void feed_end(Feed *feed, json_t *json);
/* The connection is closing: nothing more is sent. */
void feed_gone(Feed *feed);

/* ---- bytes.c: plain bodies of volumes ---- */

typedef struct Bytes Bytes;

/* The records of @fd (ops/transfer.h), which it takes, for @request. */
Bytes *bytes_new(Request *request, int fd);
void bytes_free(Bytes *bytes);
/* The request is gone; bytes_free() follows from elsewhere. */
void bytes_gone(Bytes *bytes);
/* The body of a download: takes @bytes. */
struct MHD_Response *bytes_response(Bytes *bytes, guint64 length);
/* Upload: takes so many of @size bytes; the connection sleeps where that is not all. */
gsize bytes_take(Bytes *bytes, const void *data, gsize size);
/* Upload: all has come. FALSE: not yet known, the connection sleeps; TRUE: done, @error says why not. */
gboolean bytes_finish(Bytes *bytes, GError **error);
/* "bytes=FROM-TO" of a Range, TO included; without TO it is G_MAXUINT64. */
gboolean bytes_range(const char *text, guint64 *from, guint64 *to);
/* "bytes FROM-TO/SIZE" of a Content-Range. */
gboolean bytes_content_range(const char *text, guint64 *from, guint64 *to);

/* ---- pump.c ---- */

/* The response that hands the connection over to the stream of its request; @notes travel as headers
 * "Lodge-Warning". */
struct MHD_Response *pump_response(const Notes *notes);
/* Ends every stream. */
void pump_stop_all(void);

/* The HTTP door: JSON over HTTP/1.1, one route per verb, made from the verbs' rows.
 *
 *   request    GET and DELETE: arguments in the query; others: a JSON object, or for a verb that takes
 *              a document, the document itself as application/xml with the rest in the query
 *   reply      the result's members, and "warnings": [..] where there are any;
 *              {"error": {"code": "not-found", "message": ".."}} with a fitting status otherwise
 *   long verbs with "Accept: application/x-ndjson", lines {"progress": 0.37, "text": ".."} and a last
 *              one {"result": {..}} or {"error": {..}}, under status 200 whatever comes; a closed
 *              connection cancels the work
 *   streams    "Connection: Upgrade", "Upgrade: lodge-stream"; after the 101, bytes both ways;
 *              warnings are headers "Lodge-Warning"
 *   schema     GET /v1/openapi.json
 *
 * Files: server.c sockets and limits; request.c one request from bytes to call; route.c; reply.c;
 * feed.c progress lines; pump.c streams; openapi.c. Everything here is on the main loop's thread.
 * Neighbours: ops/dispatch.c below. */
#pragma once

#include "ops/ops.h"

typedef struct RestServer RestServer;

/* A server of the @n verbs @ops, without sockets; the caller owns it (rest_free). @core is passed on to
 * the verbs. Both must outlive the server. */
RestServer *rest_new(Core *core, const Op *const *ops, guint n, GError **error);
/* Ends every connection; calls still running are not ended and report to nobody. */
void rest_free(RestServer *server);

/* Serves clients of the listening socket @fd, which the server then owns; with @read_only they may
 * only read. */
void rest_listen(RestServer *server, int fd, gboolean read_only);
/* Serves the one client at the other end of @fd, which the server then owns. FALSE: there are too
 * many clients, or it hung up. */
gboolean rest_serve(RestServer *server, int fd, gboolean read_only);
/* Count of connections. */
guint rest_count(const RestServer *server);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RestServer, rest_free)

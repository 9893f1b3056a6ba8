/* A stream: bytes both ways between a client's connection and a descriptor of the daemon. One buffer
 * each way; who does not read is not read from either, so a slow end costs 64 KiB and nobody's time. */
#include "base/fd.h"
#include "wire/rest/internal.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_SIZE 65536

typedef struct Side {
	int fd;
	gpointer tag; /* NULL where the descriptor is not polled any more */
	gboolean hup; /* seen: reading will not block */
} Side;

typedef struct Way {
	char *bytes;
	size_t begin, end; /* what waits to be written */
	gboolean eof;	   /* nothing more will be read */
	gboolean done;	   /* eof, and all of it written, or the receiver is gone */
} Way;

typedef struct Pump {
	GSource source;
	Side client, stream;
	Way up, down; /* client -> stream, stream -> client */
	struct MHD_UpgradeResponseHandle *upgrade;
	RestServer *server;
} Pump;

static GPtrArray *pumps; /* every live one; for pump_stop_all() */

static void pump_end(Pump *pump)
{
	if (!pumps || !g_ptr_array_remove_fast(pumps, pump))
		return;
	MHD_upgrade_action(pump->upgrade, MHD_UPGRADE_ACTION_CLOSE);
	rest_poke(pump->server);
	fd_clear(&pump->stream.fd);
	g_source_destroy(&pump->source);
	g_source_unref(&pump->source);
}

static void fill(Way *way, Side *from)
{
	if (way->eof || way->end - way->begin == BUFFER_SIZE)
		return;
	if (way->begin > 0) {
		memmove(way->bytes, way->bytes + way->begin, way->end - way->begin);
		way->end -= way->begin;
		way->begin = 0;
	}
	ssize_t n = read(from->fd, way->bytes + way->end, BUFFER_SIZE - way->end);
	if (n > 0)
		way->end += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		way->eof = TRUE;
}

static void drain(Way *way, Side *to)
{
	if (way->done)
		return;
	while (way->begin < way->end) {
		ssize_t n = send(to->fd, way->bytes + way->begin, way->end - way->begin,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { /* the receiver is gone */
			way->eof = way->done = TRUE;
			return;
		}
		way->begin += (size_t)n;
	}
	way->begin = way->end = 0;
	if (way->eof) {
		way->done = TRUE;
		shutdown(to->fd, SHUT_WR);
	}
}

/* A side that hung up is polled no more, so nothing would say that there is room again: what it left is
 * read here until the receiver takes no more. */
static void carry(Way *way, Side *from, Side *to)
{
	gboolean some;
	do {
		fill(way, from);
		some = way->end > way->begin;
		drain(way, to);
	} while (some && !from->tag && !way->eof && way->begin == way->end);
}

static GIOCondition wanted(const Way *in, const Way *out)
{
	GIOCondition condition = 0;
	if (!in->eof && in->end - in->begin < BUFFER_SIZE)
		condition |= G_IO_IN;
	if (out->begin < out->end)
		condition |= G_IO_OUT;
	return condition;
}

/* A descriptor that was hung up would wake the loop for ever while its bytes have to wait: it is
 * polled no more, and read whenever there is room. */
static void poll_side(Pump *pump, Side *side, const Way *in, const Way *out)
{
	GIOCondition condition = wanted(in, out);
	if (!side->tag)
		return;
	if (side->hup && !(condition & G_IO_IN)) {
		g_source_remove_unix_fd(&pump->source, g_steal_pointer(&side->tag));
		return;
	}
	g_source_modify_unix_fd(&pump->source, side->tag, condition);
}

static gboolean ready(Pump *pump, Side *side)
{
	GIOCondition condition =
		side->tag ? g_source_query_unix_fd(&pump->source, side->tag) : (GIOCondition)0;
	if (condition & (G_IO_HUP | G_IO_ERR))
		side->hup = TRUE;
	return condition != 0;
}

static gboolean pump_check(GSource *source)
{
	Pump *pump = (Pump *)source;
	gboolean client = ready(pump, &pump->client);
	gboolean stream = ready(pump, &pump->stream);
	return client || stream;
}

static gboolean pump_dispatch(GSource *source, G_GNUC_UNUSED GSourceFunc fn,
			      G_GNUC_UNUSED gpointer data)
{
	Pump *pump = (Pump *)source;
	carry(&pump->up, &pump->client, &pump->stream);
	carry(&pump->down, &pump->stream, &pump->client);
	/* The daemon's end closed and all is said, or the client is gone for both directions. */
	if (pump->down.done || (pump->client.hup && pump->up.done)) {
		pump_end(pump);
		return G_SOURCE_REMOVE;
	}
	poll_side(pump, &pump->client, &pump->up, &pump->down);
	poll_side(pump, &pump->stream, &pump->down, &pump->up);
	return G_SOURCE_CONTINUE;
}

static void pump_finalize(GSource *source)
{
	Pump *pump = (Pump *)source;
	g_free(pump->up.bytes);
	g_free(pump->down.bytes);
}

/* MHD's: the connection is ours now; @extra came behind the request's header. */
static void on_upgrade(G_GNUC_UNUSED void *cls, struct MHD_Connection *mhd,
		       void *slot, const char *extra, size_t extra_size, MHD_socket client,
		       struct MHD_UpgradeResponseHandle *upgrade)
{
	static GSourceFuncs funcs = { .check = pump_check, .dispatch = pump_dispatch,
				      .finalize = pump_finalize };
	Pump *pump = (Pump *)g_source_new(&funcs, sizeof(Pump));
	pump->client.fd = client;
	pump->stream.fd = request_take_stream(slot);
	pump->upgrade = upgrade;
	pump->server = rest_conn_of(mhd)->server;
	pump->up.bytes = g_malloc(BUFFER_SIZE);
	pump->down.bytes = g_malloc(BUFFER_SIZE);
	pump->up.end = MIN(extra_size, BUFFER_SIZE);
	if (extra_size > 0)
		memcpy(pump->up.bytes, extra, pump->up.end);
	g_unix_set_fd_nonblocking(client, TRUE, NULL);
	g_unix_set_fd_nonblocking(pump->stream.fd, TRUE, NULL);
	pump->client.tag = g_source_add_unix_fd(&pump->source, client, G_IO_IN);
	pump->stream.tag = g_source_add_unix_fd(&pump->source, pump->stream.fd, G_IO_IN);
	if (extra_size > 0)
		g_source_modify_unix_fd(&pump->source, pump->stream.tag, G_IO_IN | G_IO_OUT);
	g_source_set_name(&pump->source, "http stream");
	g_source_attach(&pump->source, NULL);
	if (!pumps)
		pumps = g_ptr_array_new();
	g_ptr_array_add(pumps, pump);
}

struct MHD_Response *pump_response(const Notes *notes)
{
	struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, NULL);
	MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "lodge-stream");
	for (guint i = 0; i < notes_count(notes); i++) /* MHD refuses what no header can hold */
		MHD_add_response_header(response, "Lodge-Warning", notes_get(notes, i));
	return response;
}

void pump_stop_all(void)
{
	while (pumps && pumps->len > 0)
		pump_end(g_ptr_array_index(pumps, pumps->len - 1));
}

/* See pump.h. A packet that is cut off where the client pauses goes back as a shorter one: a header for what
 * is left of it. */
#include "wire/libvirt/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define PAUSE_MS 20	 /* without a byte: the loop waits better */
#define PIPE_ROOM (1u << 20) /* bytes */
#define TURN_US 100000	 /* at most, until the loop hears of it */

typedef struct Packet {
	guint8 head[LV_HEADER];
	gsize left; /* bytes of data */
} Packet;

/* Whether more came: FALSE after a pause, at the end, and where nobody wants it. */
static gboolean wait_for_more(const LvPump *pump)
{
	struct pollfd fd = { .fd = pump->fd, .events = POLLIN };
	return errno == EINTR ||
	       (errno == EAGAIN && poll(&fd, 1, PAUSE_MS) > 0 && !g_atomic_int_get(pump->stop));
}

/* As recv(); 0 where it is the loop's affair. */
static gsize receive(const LvPump *pump, guint8 *bytes, gsize room, int flags)
{
	for (;;) {
		ssize_t n = recv(pump->fd, bytes, room, MSG_DONTWAIT | flags);
		if (n > 0)
			return (gsize)n;
		if (n == 0 || !wait_for_more(pump))
			return 0;
	}
}

/* The same into @pipe: the pages themselves move. */
static gsize receive_pages(const LvPump *pump, int pipe, gsize room)
{
	for (;;) {
		ssize_t n = splice(pump->fd, NULL, pipe, NULL, room, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n > 0)
			return (gsize)n;
		if (n == 0 || !wait_for_more(pump))
			return 0;
	}
}

static gsize left_of_start(const LvPump *pump)
{
	return pump->start->len - pump->taken;
}

/* Whether the whole header @head is that of data for the stream; *left: how much. */
static gboolean is_data(const LvPump *pump, const guint8 *head, gsize *left)
{
	const LvHeader *h = &pump->header;
	const guint32 wanted[] = { h->program, h->version, h->procedure, LV_STREAM, h->serial, LV_CONTINUE };
	guint32 size = xdr_peek_u32(head);
	for (guint i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (xdr_peek_u32(head + 4 * (i + 1)) != wanted[i])
			return FALSE;
	*left = size - LV_HEADER;
	return size > LV_HEADER && size <= LV_MAX_MESSAGE;
}

/* The next packet's header; it is only looked at until it is known that it is ours. FALSE: it is the
 * loop's. */
static gboolean next_packet(LvPump *pump, Packet *packet)
{
	gsize had = MIN(left_of_start(pump), LV_HEADER), more = LV_HEADER - had;
	if (had)
		memcpy(packet->head, pump->start->data + pump->taken, had);
	if ((more && receive(pump, packet->head + had, more, MSG_PEEK) < more) ||
	    !is_data(pump, packet->head, &packet->left)) {
		packet->left = 0;
		return FALSE;
	}
	if (more)
		receive(pump, packet->head + had, more, 0);
	pump->taken += had;
	return TRUE;
}

/* What was read before. */
static gboolean put_start(LvPump *pump, OpTransfer *op, Packet *packet, GError **error)
{
	gsize n = MIN(left_of_start(pump), packet->left);
	const guint8 *bytes = pump->start->data + pump->taken;
	pump->taken += n;
	packet->left -= n;
	pump->moved += n;
	return n == 0 || op_transfer_write(op, bytes, n, error);
}

/* *whole: all of it came. */
static gboolean take_packet(LvPump *pump, OpTransfer *op, Packet *packet, const int *pipe, gboolean *whole,
			    GError **error)
{
	gboolean ok = put_start(pump, op, packet, error);
	for (gsize n; ok && packet->left && (n = receive_pages(pump, pipe[1], packet->left)) > 0;) {
		ok = op_transfer_write_pipe(op, pipe[0], n, error);
		packet->left -= n;
		pump->moved += n;
	}
	*whole = packet->left == 0;
	return ok;
}

/* What is left of @packet becomes one of its own; what was read behind it follows. */
static void give_back(LvPump *pump, Packet *packet)
{
	guint32 be = GUINT32_TO_BE((guint32)packet->left + LV_HEADER);
	pump->back = g_byte_array_new();
	memcpy(packet->head, &be, sizeof be);
	if (packet->left)
		g_byte_array_append(pump->back, packet->head, LV_HEADER);
	g_byte_array_append(pump->back, pump->start->data + pump->taken, (guint)left_of_start(pump));
}

gboolean lv_pump_run(LvPump *pump, OpTransfer *op, const int *pipe, GError **error)
{
	gint64 until = g_get_monotonic_time() + TURN_US;
	Packet packet = { .left = 0 };
	gboolean ok = TRUE, whole = TRUE;
	while (ok && whole && !g_atomic_int_get(pump->stop)) {
		/* what was read before is not left behind */
		pump->goes_on = left_of_start(pump) == 0 && g_get_monotonic_time() > until;
		if (pump->goes_on || !next_packet(pump, &packet))
			break;
		ok = take_packet(pump, op, &packet, pipe, &whole, error);
	}
	give_back(pump, &packet);
	return ok;
}

void lv_pump_clear(LvPump *pump)
{
	fd_clear(&pump->fd);
	g_byte_array_unref(pump->start);
	g_clear_pointer(&pump->back, g_byte_array_unref);
}

gboolean lv_pump_pipe(int pipe[2])
{
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return FALSE;
	fcntl(pipe[1], F_SETPIPE_SZ, PIPE_ROOM); /* who may not have more takes what there is */
	return TRUE;
}

/* See pump.h. A packet that is cut off where the client pauses goes back as a shorter one: a header for what
 * is left of it. */
#include "wire/libvirt/pump.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

#define PAUSE_MS 20	 /* without a byte: the loop waits better */
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

static gboolean put(LvPump *pump, OpTransfer *op, Packet *packet, const guint8 *bytes, gsize n,
		    GError **error)
{
	packet->left -= n;
	pump->moved += n;
	return op_transfer_write(op, bytes, n, error);
}

/* *whole: all of it came. */
static gboolean take_packet(LvPump *pump, OpTransfer *op, Packet *packet, guint8 *buffer, gboolean *whole,
			    GError **error)
{
	gsize n = MIN(left_of_start(pump), packet->left);
	gboolean ok = n == 0 || put(pump, op, packet, pump->start->data + pump->taken, n, error);
	pump->taken += n;
	while (ok && packet->left && (n = receive(pump, buffer, MIN(packet->left, LV_PUMP_BUFFER), 0)) > 0)
		ok = put(pump, op, packet, buffer, n, error);
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

gboolean lv_pump_run(LvPump *pump, OpTransfer *op, guint8 *buffer, GError **error)
{
	gint64 until = g_get_monotonic_time() + TURN_US;
	Packet packet = { .left = 0 };
	gboolean ok = TRUE, whole = TRUE;
	while (ok && whole && !g_atomic_int_get(pump->stop)) {
		/* what was read before is not left behind */
		pump->goes_on = left_of_start(pump) == 0 && g_get_monotonic_time() > until;
		if (pump->goes_on || !next_packet(pump, &packet))
			break;
		ok = take_packet(pump, op, &packet, buffer, &whole, error);
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

/* See pour.h. A packet's length is said before its data: they are in the pipe by then, so a file that shrinks
 * or cannot be read breaks no packet. */
#include "wire/libvirt/pour.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define PAUSE_MS 20	/* that the client takes nothing: the loop waits better */
#define TURN_US 100000	/* at most, until the loop hears of it */
#define PAGES (LV_STREAM_CHUNK / 4096 * 4096) /* bytes: a file's pages are not cut */
#define HOLE (LV_HEADER + 12)
#define SEND_ROOM (1 << 20) /* bytes under way: they are pages of the file, which costs no memory */

/* Whether errno is one that passes, and it did. */
static gboolean can_go_on(const LvPour *pour)
{
	struct pollfd fd = { .fd = pour->fd, .events = POLLOUT };
	return errno == EINTR ||
	       (errno == EAGAIN && poll(&fd, 1, PAUSE_MS) > 0 && !(fd.revents & (POLLHUP | POLLERR)));
}

static gsize send_head(const LvPour *pour, const guint8 *bytes, gsize n, int flags)
{
	gsize done = 0;
	while (done < n) {
		ssize_t sent = send(pour->fd, bytes + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
		if (sent < 0 && !can_go_on(pour))
			break;
		done += sent > 0 ? (gsize)sent : 0;
	}
	return done;
}

/* Returns how many of @n bytes stay in @pipe. */
static gsize send_pages(const LvPour *pour, int pipe, gsize n)
{
	while (n > 0) {
		ssize_t sent = splice(pipe, NULL, pour->fd, NULL, n, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (sent == 0 || (sent < 0 && !can_go_on(pour)))
			break;
		n -= sent > 0 ? (gsize)sent : 0;
	}
	return n;
}

static void keep_pages(LvPour *pour, int pipe, gsize n)
{
	gsize at = pour->rest->len;
	g_byte_array_set_size(pour->rest, (guint)(at + n));
	while (n > 0) {
		ssize_t got = read(pipe, pour->rest->data + at, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* never: they are in the pipe */
			break;
		at += (gsize)got;
		n -= (gsize)got;
	}
}

static void put_header(const LvPour *pour, guint8 *at, guint32 size, LvType type)
{
	const LvHeader *h = &pour->header;
	const guint32 words[] = { size, h->program, h->version, h->procedure, type, h->serial, LV_CONTINUE };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		xdr_poke_u32(at + 4 * i, words[i]);
}

/* A packet of a head and @data bytes that are in @pipe. FALSE: part of it has to wait. */
static gboolean send_packet(LvPour *pour, const guint8 *head, gsize n, int pipe, gsize data)
{
	gsize sent = send_head(pour, head, n, data ? MSG_MORE : 0);
	gsize left = sent < n ? data : send_pages(pour, pipe, data);
	if (sent == n && left == 0)
		return TRUE;
	g_byte_array_append(pour->rest, head + sent, (guint)(n - sent));
	keep_pages(pour, pipe, left);
	return FALSE;
}

static gboolean send_data(LvPour *pour, int pipe, gsize n)
{
	guint8 head[LV_HEADER];
	put_header(pour, head, (guint32)(LV_HEADER + n), LV_STREAM);
	return send_packet(pour, head, sizeof head, pipe, n);
}

static gboolean send_hole(LvPour *pour, guint64 length)
{
	guint8 head[HOLE];
	put_header(pour, head, HOLE, LV_HOLE);
	xdr_poke_u32(head + LV_HEADER, (guint32)(length >> 32));
	xdr_poke_u32(head + LV_HEADER + 4, (guint32)length);
	xdr_poke_u32(head + LV_HEADER + 8, 0); /* flags: none are known */
	return send_packet(pour, head, sizeof head, -1, 0);
}

static void widen(int fd)
{
	const int room = SEND_ROOM;
	int domain = 0;
	socklen_t n = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX)
		return; /* TCP knows better */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

gboolean lv_pour_run(LvPour *pour, OpTransfer *op, const int *pipe, GError **error)
{
	gint64 until = g_get_monotonic_time() + TURN_US;
	gboolean all = TRUE;
	widen(pour->fd);
	pour->rest = g_byte_array_new();
	while (all && !g_atomic_int_get(pour->stop) && g_get_monotonic_time() < until) {
		guint64 hole = 0;
		gssize n = op_transfer_read_pipe(op, pour->holes, pipe[1], PAGES, &hole, error);
		if (n < 0)
			return FALSE;
		pour->over = n == 0 && hole == 0;
		if (pour->over)
			return TRUE;
		all = hole ? send_hole(pour, hole) : send_data(pour, pipe[0], (gsize)n);
	}
	return TRUE;
}

void lv_pour_clear(LvPour *pour)
{
	fd_clear(&pour->fd);
	g_clear_pointer(&pour->rest, g_byte_array_unref);
}

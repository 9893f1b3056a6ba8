/* One connection: bytes become messages, messages become bytes. What comes is cut into messages in the
 * server's scratch buffer; only a message that is not whole yet is kept with its client. Replies
 * gather in one buffer and go out in one write. */
#include "base/fd.h"
#include "wire/libvirt/login.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_IN 4096
#define KEEP_OUT (64u * 1024) /* bytes of a buffer that stays with an idle client */

/* An fd that goes out with a byte of its own, behind a message. */
typedef struct LvOutFd {
	gsize at; /* before this byte of out */
	int fd;
} LvOutFd;

LvClient *lv_client_ref(LvClient *client)
{
	client->refs++;
	return client;
}

static void drop_fds(LvClient *client)
{
	while (client->n_fds > 0)
		close(client->fds[--client->n_fds]);
}

void lv_client_unref(LvClient *client)
{
	if (--client->refs > 0)
		return;
	g_free(client->in);
	drop_fds(client);
	for (guint i = 0; client->out_fds && i < client->out_fds->len; i++)
		close(g_array_index(client->out_fds, LvOutFd, i).fd);
	g_clear_pointer(&client->out_fds, g_array_unref);
	xdr_out_clear(&client->out);
	lv_login_free(client->login);
	if (client->layer)
		client->layer->kind->free(client->layer);
	fd_clear(&client->fd); /* where something was at work with it */
	g_free(client);
}

/* ---- sending ---- */

gsize lv_waiting(const LvClient *client)
{
	return client->out.len - client->out_done;
}

static gboolean is_full(const LvClient *client)
{
	return lv_waiting(client) > LV_MAX_OUT;
}

/* Whether the next message is to wait. */
static gboolean is_paused(const LvClient *client)
{
	return client->calls >= client->max_calls || client->blocked || is_full(client) ||
	       client->leaving || (client->login && client->calls);
}

static gboolean has_fds(const LvClient *client)
{
	return client->out_fds && client->out_fds->len > 0;
}

static void watch(LvClient *client)
{
	gboolean waits = !client->lent && (lv_waiting(client) || has_fds(client));
	guint32 events = (is_paused(client) ? 0 : EPOLLIN) | (waits ? EPOLLOUT : 0);
	if (events == client->events)
		return;
	client->events = events;
	lv_watch(client, FALSE);
}

static gboolean send_fd(LvClient *client, int fd)
{
	char control[CMSG_SPACE(sizeof fd)] = { 0 };
	char byte = 0;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	return sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

/* Sends up to the next fd, or it. FALSE with errno. */
static gboolean send_some(LvClient *client)
{
	LvOutFd *next = client->out_fds && client->out_fds->len ?
				&g_array_index(client->out_fds, LvOutFd, 0) : NULL;
	if (next && next->at == client->out_done) {
		if (!send_fd(client, next->fd))
			return FALSE;
		close(next->fd);
		g_array_remove_index(client->out_fds, 0);
		return TRUE;
	}
	gsize until = next ? next->at : client->out.len;
	const guint8 *bytes = client->out.data + client->out_done;
	gsize room = until - client->out_done;
	ssize_t n = client->layer ? client->layer->kind->send(client->layer, client->fd, bytes, room) :
				    send(client->fd, bytes, room, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		client->out_done += (gsize)n;
	return n > 0;
}

/* The part that is sent goes, so that a slow reader's buffer does not grow for ever. */
static void forget_sent(LvClient *client)
{
	if (has_fds(client)) /* they know their places */
		return;
	if (lv_waiting(client) == 0) {
		client->out.len = client->out_done = 0;
		if (client->out.room > KEEP_OUT)
			xdr_out_clear(&client->out);
	} else if (client->out_done > KEEP_OUT) {
		client->out.len -= client->out_done;
		memmove(client->out.data, client->out.data + client->out_done, client->out.len);
		client->out_done = 0;
	}
}

/* Sends what goes. FALSE: the client is gone, and closed. */
static gboolean flush(LvClient *client)
{
	gboolean was_full = is_full(client);
	if (client->lent && (lv_waiting(client) || has_fds(client)))
		g_atomic_int_set(client->lent, TRUE);
	while (!client->lent && (lv_waiting(client) || has_fds(client))) {
		if (send_some(client) || errno == EINTR)
			continue;
		if (errno == EAGAIN)
			break;
		lv_close(client, NULL);
		return FALSE;
	}
	forget_sent(client);
	if (client->leaving && !client->calls && !client->lent && !lv_waiting(client) && !has_fds(client)) {
		lv_close(client, NULL);
		return FALSE;
	}
	watch(client);
	if (was_full && !is_full(client))
		lv_client_resume(client);
	return client->server != NULL;
}

gboolean lv_client_can_lend(const LvClient *client)
{
	return client->server && !client->layer && !client->busy && !client->lent && !has_fds(client) &&
	       lv_waiting(client) == 0;
}

void lv_client_returned(LvClient *client, const GByteArray *bytes)
{
	guint n = bytes ? bytes->len : 0;
	client->lent = NULL;
	if (n > 0) {
		gsize waiting = lv_waiting(client), len = client->out.len;
		xdr_add(&client->out, n);
		client->out.len = len + n; /* no padding */
		guint8 *to = client->out.data + client->out_done;
		memmove(to + n, to, waiting);
		memcpy(to, bytes->data, n);
	}
	for (guint i = 0; client->out_fds && i < client->out_fds->len; i++)
		g_array_index(client->out_fds, LvOutFd, i).at += n;
	if (client->server && !client->busy)
		flush(client);
}

gsize lv_message_begin(LvClient *client, const LvHeader *header)
{
	gsize begin = client->out.len;
	const guint32 words[] = { 0, header->program, header->version, header->procedure, header->type,
				  header->serial, header->status };
	guint8 *at = xdr_add(&client->out, LV_HEADER);
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		xdr_poke_u32(at + 4 * i, words[i]);
	return begin;
}

void lv_message_drop(LvClient *client, gsize begin)
{
	client->out.len = begin;
}

gboolean lv_message_end(LvClient *client, gsize begin)
{
	gsize length = client->out.len - begin;
	if (length > LV_MAX_MESSAGE) {
		lv_message_drop(client, begin);
		return FALSE;
	}
	xdr_patch_u32(&client->out, begin, (guint32)length);
	if (!client->server) /* closed: to nobody */
		lv_message_drop(client, begin);
	else if (!client->busy)
		flush(client);
	return TRUE;
}

void lv_send_fd(LvClient *client, int fd)
{
	LvOutFd out = { .at = client->out.len, .fd = fd };
	if (!client->out_fds)
		client->out_fds = g_array_new(FALSE, FALSE, sizeof(LvOutFd));
	g_array_append_val(client->out_fds, out);
	if (client->server && !client->busy)
		flush(client);
}

void lv_send_event(LvClient *client, guint32 program, guint32 procedure, const WireType *type,
		   const WireValue *values)
{
	LvHeader header = { .program = program, .version = 1, .procedure = procedure, .type = LV_EVENT };
	if (!client->server || is_full(client)) /* who does not read does not hear */
		return;
	gsize begin = lv_message_begin(client, &header);
	if (wire_encode(type, values, &client->out, NULL))
		lv_message_end(client, begin);
	else
		lv_message_drop(client, begin);
}

/* ---- messages ---- */

static void keepalive(LvClient *client, const LvHeader *header)
{
	LvHeader pong = { .program = LV_KEEPALIVE, .version = 1, .procedure = 2, .type = LV_EVENT };
	if (header->type == LV_EVENT && header->procedure == 1)
		lv_message_end(client, lv_message_begin(client, &pong));
}

static void handle(LvClient *client, const LvHeader *header, XdrIn in, guint n_fds)
{
	g_autofree int *fds = n_fds ? g_memdup2(client->fds, n_fds * sizeof *fds) : NULL;
	client->n_fds -= n_fds;
	memmove(client->fds, client->fds + n_fds, client->n_fds * sizeof *fds);
	if (header->program == LV_KEEPALIVE)
		keepalive(client, header);
	else if (header->type == LV_CALL || header->type == LV_CALL_FDS)
		lv_call_begin(client, header, in, fds, n_fds);
	else if (header->type == LV_STREAM || header->type == LV_HOLE)
		lv_stream_packet(client, header, in);
	else
		lv_close(client, "it sent a message of a type that clients do not send");
}

/* The count of fds that follow a message of type LV_CALL_FDS; consumes it. */
static gboolean take_fd_count(const LvHeader *header, XdrIn *in, guint32 *n)
{
	*n = 0;
	if (header->type != LV_CALL_FDS)
		return TRUE;
	return xdr_get_u32(in, n) && *n <= LV_MAX_FDS;
}

/* Handles the first message of the @length bytes @bytes. Returns how many bytes it has, 0 where it is
 * not whole yet or the client was closed. */
static gsize take_message(LvClient *client, const guint8 *bytes, gsize length)
{
	if (length < 4)
		return 0;
	guint32 size = xdr_peek_u32(bytes);
	if (size < LV_HEADER || size > (client->login ? LV_MAX_ANONYMOUS : LV_MAX_MESSAGE)) {
		lv_close(client, "it sent a message of an impossible length");
		return 0;
	}
	if (length < size)
		return 0;
	XdrIn in = { .at = bytes + 4, .end = bytes + size };
	LvHeader header = { 0 };
	guint32 n_fds;
	xdr_get_u32(&in, &header.program);
	xdr_get_u32(&in, &header.version);
	xdr_get_u32(&in, &header.procedure);
	xdr_get_u32(&in, &header.type);
	xdr_get_u32(&in, &header.serial);
	xdr_get_u32(&in, &header.status);
	if (!take_fd_count(&header, &in, &n_fds)) {
		lv_close(client, "it announced too many file descriptors");
		return 0;
	}
	if (length - size < n_fds)
		return 0; /* each comes with a byte of its own */
	if (client->n_fds < n_fds) {
		lv_close(client, "it announced file descriptors and sent none");
		return 0;
	}
	handle(client, &header, in, n_fds);
	return client->server ? size + n_fds : 0;
}

/* Handles whole messages of @bytes. Returns how many bytes that was. */
static gsize take_messages(LvClient *client, const guint8 *bytes, gsize length)
{
	gsize done = 0;
	while (client->server && !is_paused(client)) {
		gsize n = take_message(client, bytes + done, length - done);
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* ---- reading ---- */

static void keep_fds(LvClient *client, struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		guint n = (guint)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (guint i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
			if (client->n_fds < LV_MAX_FDS)
				client->fds[client->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive(LvClient *client, guint8 *bytes, gsize room)
{
	char control[CMSG_SPACE(sizeof(int) * LV_MAX_FDS)];
	struct iovec part = { .iov_base = bytes, .iov_len = room };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	if (client->layer)
		return client->layer->kind->receive(client->layer, client->fd, bytes, room);
	ssize_t n = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0 && message.msg_controllen)
		keep_fds(client, &message);
	return n;
}

/* Room grows as bytes come, not as a client promises them. */
static void make_room(LvClient *client)
{
	if (client->in_room - client->in_len >= FIRST_IN)
		return;
	client->in_room = MAX(client->in_room * 2, 4 * FIRST_IN);
	client->in = g_realloc(client->in, client->in_room);
}

static void keep(LvClient *client, const guint8 *bytes, gsize n)
{
	while (client->in_room - client->in_len < n)
		client->in_room = MAX(client->in_room * 2, FIRST_IN);
	client->in = g_realloc(client->in, client->in_room);
	memcpy(client->in + client->in_len, bytes, n);
	client->in_len += n;
}

GByteArray *lv_client_take_read(LvClient *client)
{
	GByteArray *taken = g_byte_array_new();
	if (client->in_len)
		g_byte_array_append(taken, client->in, (guint)client->in_len);
	g_clear_pointer(&client->in, g_free);
	client->in_len = client->in_room = 0;
	return taken;
}

void lv_client_give_read(LvClient *client, const GByteArray *bytes)
{
	g_assert(client->in_len == 0);
	if (bytes->len)
		keep(client, bytes->data, bytes->len);
}

static void note_half(LvClient *client)
{
	if (client->in_len == 0 || is_paused(client))
		client->half_since = 0;
	else if (!client->half_since)
		client->half_since = g_get_monotonic_time();
}

/* Messages from what was kept. */
static void take_kept(LvClient *client)
{
	gsize done = take_messages(client, client->in, client->in_len);
	if (!client->server)
		return;
	client->in_len -= done;
	if (done)
		client->half_since = 0;
	if (client->in_len) {
		memmove(client->in, client->in + done, client->in_len);
		return;
	}
	g_clear_pointer(&client->in, g_free);
	client->in_room = 0;
}

static ssize_t read_kept(LvClient *client)
{
	make_room(client);
	ssize_t n = receive(client, client->in + client->in_len, client->in_room - client->in_len);
	if (n <= 0)
		return n;
	client->in_len += (gsize)n;
	take_kept(client);
	return n;
}

static ssize_t read_fresh(LvClient *client)
{
	gsize room;
	guint8 *scratch = lv_scratch(client->server, &room);
	ssize_t n = receive(client, scratch, room);
	if (n <= 0)
		return n;
	gsize done = take_messages(client, scratch, (gsize)n);
	if (client->server && done < (gsize)n)
		keep(client, scratch + done, (gsize)n - done);
	return n;
}

/* Bytes that epoll does not know of. */
static gboolean holds_more(const LvClient *client)
{
	return client->server && client->layer && !is_paused(client) &&
	       client->layer->kind->holds(client->layer);
}

static void read_once(LvClient *client)
{
	client->busy = TRUE;
	ssize_t n = client->in_len ? read_kept(client) : read_fresh(client);
	client->busy = FALSE;
	if (!client->server)
		return;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		lv_close(client, NULL);
		return;
	}
	if (client->in_len == 0) /* of no message; one may be this socket's far end, which would never end */
		drop_fds(client);
	client->heard = lv_now(client->server);
	client->missed = 0;
	note_half(client);
	flush(client);
}

static void read_more(LvClient *client)
{
	do
		read_once(client);
	while (holds_more(client));
}

void lv_client_resume(LvClient *client)
{
	if (!client->server || client->busy)
		return;
	if (client->in_len && !is_paused(client)) {
		client->busy = TRUE;
		take_kept(client);
		client->busy = FALSE;
		if (client->server)
			note_half(client);
	}
	if (client->server)
		flush(client);
	if (holds_more(client))
		read_more(client);
}

void lv_client_ready(LvClient *client, guint32 events)
{
	if (client->login && client->login->tls) {
		lv_changed(client);
		if (!client->login->at_work)
			lv_login_ready(client);
		return;
	}
	lv_client_ref(client);
	if ((events & EPOLLOUT) && flush(client))
		lv_streams_resume(client);
	if (client->server && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		if (events & EPOLLIN && !is_paused(client))
			read_more(client);
		else if (events & (EPOLLHUP | EPOLLERR))
			lv_close(client, NULL);
	}
	lv_client_unref(client);
}

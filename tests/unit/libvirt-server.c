/* libvirt's door without guests behind it: framing, limits, errors, pings, over a socketpair. */
#include "wire/libvirt/internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Pair {
	LibvirtServer *server;
	int fd; /* the client's end */
} Pair;

static void setup_way(Pair *pair, LibvirtWay way)
{
	int ends[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), ==, 0);
	pair->server = libvirt_new(NULL, NULL);
	g_assert_true(libvirt_serve(pair->server, ends[0], way));
	pair->fd = ends[1];
}

static void setup(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	setup_way(pair, LIBVIRT_UNIX);
}

static void setup_read_only(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	setup_way(pair, LIBVIRT_UNIX_RO);
}

static void teardown(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	close(pair->fd);
	libvirt_free(pair->server);
}

static void turn(void)
{
	for (guint i = 0; i < 20; i++)
		g_main_context_iteration(NULL, FALSE);
}

static void put_header(XdrOut *out, guint32 program, guint32 procedure, guint32 type, guint32 serial)
{
	xdr_put_u32(out, LV_HEADER);
	xdr_put_u32(out, program);
	xdr_put_u32(out, 1);
	xdr_put_u32(out, procedure);
	xdr_put_u32(out, type);
	xdr_put_u32(out, serial);
	xdr_put_u32(out, 0);
}

static void send_all(const Pair *pair, const XdrOut *out, gsize length)
{
	g_assert_cmpint(send(pair->fd, out->data, length, MSG_NOSIGNAL), ==, (gssize)length);
	turn();
}

/* The next message; its words are in @words. Returns how many there are, 0 for none. */
static guint receive(const Pair *pair, guint32 *words, guint room)
{
	guint8 bytes[4096];
	ssize_t n = recv(pair->fd, bytes, 4, 0);
	if (n < 4)
		return 0;
	guint32 size = xdr_peek_u32(bytes);
	g_assert_cmpint(recv(pair->fd, bytes + 4, size - 4, 0), ==, (gssize)size - 4);
	for (guint i = 0; i < size / 4 && i < room; i++)
		words[i] = xdr_peek_u32(bytes + 4 * i);
	return size / 4;
}

/* ---- read-only clients ---- */

/* Procedures of remote that libvirt lets nobody call who may only read: those whose @acl in
 * remote_protocol.x is another than getattr, read, search_... or detect_... Not here are those that change
 * something only with some arguments: pinning, limits and the like. */
static const guint16 writing[] = {
	8, 9, 10, 11, 12, 13, 27, 28, 29, 30, 31, 32, 33, 34, 35, 39, 40, 41, 42, 48, 49, 53, 54, 55,
	61, 62, 63, 76, 77, 78, 79, 80, 81, 82, 83, 90, 93, 94, 108, 109, 118, 119, 120, 123, 124,
	125, 131, 132, 133, 134, 135, 136, 142, 144, 145, 146, 148, 160, 161, 164, 165, 166, 174, 180,
	181, 182, 184, 185, 192, 193, 196, 199, 201, 204, 207, 208, 210, 211, 213, 214, 215, 216, 217,
	218, 220, 221, 222, 226, 231, 232, 233, 234, 235, 236, 237, 239, 240, 242, 245, 249, 250, 251,
	258, 259, 260, 261, 264, 266, 267, 277, 290, 291, 294, 295, 296, 299, 300, 301, 302, 303, 304,
	305, 306, 307, 308, 309, 310, 334, 335, 336, 337, 338, 342, 343, 345, 347, 349, 350, 352,
	355, 356, 357, 358, 364, 371, 372, 384, 386, 387, 389, 390, 392, 399, 400, 402, 406, 408,
	410, 411, 417, 418, 419, 420, 421, 424, 425, 427, 428, 429, 430, 431, 432, 434, 437, 439, 440,
	441, 442, 443,
};

/* Nothing in each field, as far as its type allows. */
static WireValue *nothing(const WireType *type, WireArena *arena)
{
	WireValue *values = wire_alloc(arena, MAX(type->n, 1) * sizeof(WireValue));
	for (guint i = 0; i < type->n; i++)
		if (type->fields[i].kind == WIRE_STRUCT && !type->fields[i].list)
			values[i].items = nothing(type->fields[i].type, arena);
	return values;
}

/* Calls @proc with nothing; returns the number of the error, 0 for none. */
static guint32 call_with_nothing(Pair *pair, const LvProc *proc)
{
	WireArena arena = { 0 };
	XdrOut out = { 0 };
	guint32 words[256] = { 0 };
	put_header(&out, LV_REMOTE, proc->number, LV_CALL, proc->number);
	g_assert_true(wire_encode(wire_type(proc->args), nothing(wire_type(proc->args), &arena), &out, NULL));
	xdr_patch_u32(&out, 0, (guint32)out.len);
	send_all(pair, &out, out.len);
	g_assert_cmpuint(receive(pair, words, G_N_ELEMENTS(words)), >=, LV_HEADER / 4);
	g_assert_cmpuint(words[5], ==, proc->number); /* the serial */
	xdr_out_clear(&out);
	wire_arena_clear(&arena);
	return words[6] == LV_ERROR ? words[7] : 0;
}

static void test_read_only(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	gboolean known;
	guint n = 0;
	g_assert_cmpuint(call_with_nothing(pair, lv_proc(LV_REMOTE, 1, &known)), ==, 0);
	for (guint i = 0; i < G_N_ELEMENTS(writing); i++) {
		const LvProc *proc = lv_proc(LV_REMOTE, writing[i], &known);
		if (!proc)
			continue;
		n++;
		if (call_with_nothing(pair, proc) != 29) /* VIR_ERR_OPERATION_DENIED */
			g_error("%s is not refused", proc->name);
	}
	g_assert_cmpuint(n, >, 80);
}

static gboolean is_closed(const Pair *pair)
{
	char byte;
	return recv(pair->fd, &byte, 1, 0) == 0 && libvirt_count(pair->server) == 0;
}

static void test_pipelined(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	XdrOut out = { 0 };
	guint32 words[64];
	for (guint32 serial = 1; serial <= 50; serial++)
		put_header(&out, LV_REMOTE, 66, LV_CALL, serial);
	send_all(pair, &out, out.len);
	for (guint32 serial = 1; serial <= 50; serial++) {
		g_assert_cmpuint(receive(pair, words, 64), ==, 9);
		g_assert_cmpuint(words[5], ==, serial);
		g_assert_cmpuint(words[6], ==, LV_OK);
		g_assert_cmpuint(words[7], ==, 1); /* one way to authenticate: */
		g_assert_cmpuint(words[8], ==, 0); /* none */
	}
	xdr_out_clear(&out);
}

/* Byte by byte is as good as at once. */
static void test_crumbs(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	XdrOut out = { 0 };
	guint32 words[64];
	put_header(&out, LV_REMOTE, 66, LV_CALL, 7);
	for (gsize i = 0; i < out.len; i++) {
		g_assert_cmpuint(receive(pair, words, 64), ==, 0);
		g_assert_cmpint(send(pair->fd, out.data + i, 1, MSG_NOSIGNAL), ==, 1);
		turn();
	}
	g_assert_cmpuint(receive(pair, words, 64), ==, 9);
	xdr_out_clear(&out);
}

static void expect_error(Pair *pair, guint32 program, guint32 procedure, guint32 code)
{
	XdrOut out = { 0 };
	guint32 words[64];
	put_header(&out, program, procedure, LV_CALL, 9);
	send_all(pair, &out, out.len);
	g_assert_cmpuint(receive(pair, words, 64), >, 8);
	g_assert_cmpuint(words[4], ==, LV_REPLY);
	g_assert_cmpuint(words[5], ==, 9);
	g_assert_cmpuint(words[6], ==, LV_ERROR);
	g_assert_cmpuint(words[7], ==, code);
	xdr_out_clear(&out);
}

static void test_unknown(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	expect_error(pair, 0x12345678, 1, LV_ERR_RPC);
	expect_error(pair, LV_REMOTE, 0, LV_ERR_NO_SUPPORT);
	expect_error(pair, LV_REMOTE, 511, LV_ERR_NO_SUPPORT);
	expect_error(pair, LV_REMOTE, 0xffffffff, LV_ERR_NO_SUPPORT);
	expect_error(pair, LV_QEMU, 99, LV_ERR_NO_SUPPORT);
	expect_error(pair, LV_REMOTE, 3, LV_ERR_INTERNAL); /* the connection is not open */
	expect_error(pair, LV_REMOTE, 1, 8);		   /* its arguments are not there */
	test_pipelined(pair, NULL);
}

static void test_pings(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	XdrOut out = { 0 };
	guint32 words[8];
	put_header(&out, LV_KEEPALIVE, 1, LV_EVENT, 0);
	send_all(pair, &out, out.len);
	g_assert_cmpuint(receive(pair, words, 8), ==, 7);
	g_assert_cmpuint(words[1], ==, LV_KEEPALIVE);
	g_assert_cmpuint(words[3], ==, 2);
	xdr_out_clear(&out);
}

static void test_lengths(Pair *pair, gconstpointer data)
{
	XdrOut out = { 0 };
	put_header(&out, LV_REMOTE, 66, LV_CALL, 1);
	xdr_patch_u32(&out, 0, GPOINTER_TO_UINT(data));
	send_all(pair, &out, out.len);
	g_assert_true(is_closed(pair));
	xdr_out_clear(&out);
}

static void test_odd_types(Pair *pair, gconstpointer data)
{
	XdrOut out = { 0 };
	put_header(&out, LV_REMOTE, 66, GPOINTER_TO_UINT(data), 1);
	send_all(pair, &out, out.len);
	g_assert_true(is_closed(pair));
	xdr_out_clear(&out);
}

/* File descriptors that were announced and did not come. */
static void test_missing_fds(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	XdrOut out = { 0 };
	put_header(&out, LV_REMOTE, 66, LV_CALL_FDS, 1);
	xdr_put_u32(&out, 2);
	xdr_patch_u32(&out, 0, (guint32)out.len);
	memset(xdr_add(&out, 4), 0, 4);
	send_all(pair, &out, out.len);
	g_assert_true(is_closed(pair));
	xdr_out_clear(&out);
}

static void test_fds(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	XdrOut out = { 0 };
	guint32 words[64];
	int fd = dup(pair->fd);
	put_header(&out, LV_REMOTE, 66, LV_CALL_FDS, 1);
	xdr_put_u32(&out, 1);
	xdr_patch_u32(&out, 0, (guint32)out.len);
	send_all(pair, &out, out.len);
	g_assert_cmpuint(receive(pair, words, 64), ==, 0);
	char control[CMSG_SPACE(sizeof fd)] = { 0 }, byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	*head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof fd) };
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	g_assert_cmpint(sendmsg(pair->fd, &message, 0), ==, 1);
	turn();
	g_assert_cmpuint(receive(pair, words, 64), ==, 9);
	close(fd);
	xdr_out_clear(&out);
}

/* A client that never reads is not read any more; nothing grows without bound. */
static void test_never_reads(Pair *pair, G_GNUC_UNUSED gconstpointer data)
{
	XdrOut out = { 0 };
	for (guint32 serial = 0; serial < 1000; serial++)
		put_header(&out, LV_REMOTE, 9999, LV_CALL, serial);
	gsize sent = 0;
	for (guint i = 0; i < 20000; i++) {
		ssize_t n = send(pair->fd, out.data, out.len, MSG_NOSIGNAL);
		if (n > 0)
			sent += (gsize)n;
		turn();
		if (n < 0)
			break;
		g_assert_cmpint(n % 28, ==, 0);
	}
	g_assert_cmpuint(sent, <, 16u << 20);
	g_assert_cmpuint(libvirt_count(pair->server), ==, 1);
	guint32 words[128];
	turn();
	g_assert_cmpuint(receive(pair, words, 128), >, 8);
	xdr_out_clear(&out);
}

#define ADD(name, data, fn) g_test_add("/libvirt/server/" name, Pair, data, setup, fn, teardown)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("pipelined", NULL, test_pipelined);
	ADD("crumbs", NULL, test_crumbs);
	ADD("unknown", NULL, test_unknown);
	ADD("pings", NULL, test_pings);
	ADD("short", GUINT_TO_POINTER(27), test_lengths);
	ADD("huge", GUINT_TO_POINTER(LV_MAX_MESSAGE + 1), test_lengths);
	ADD("negative", GUINT_TO_POINTER(0xffffffff), test_lengths);
	ADD("reply", GUINT_TO_POINTER(LV_REPLY), test_odd_types);
	ADD("type-99", GUINT_TO_POINTER(99), test_odd_types);
	ADD("missing-fds", NULL, test_missing_fds);
	ADD("fds", NULL, test_fds);
	ADD("never-reads", NULL, test_never_reads);
	g_test_add("/libvirt/read-only", Pair, NULL, setup_read_only, test_read_only, teardown);
	return g_test_run();
}

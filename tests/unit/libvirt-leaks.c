/* Thousands of clients of libvirt's door that come, misbehave in each way and go: descriptors and the heap
 * are afterwards what they were before. Beside libvirt-server.c; streams: tests/e2e/test_libvirt_leaks.py. */
#include "wire/libvirt/internal.h"

#include <dirent.h>
#include <malloc.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 400 /* of each kind */
#define EVENT_REGISTER 316

gsize __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static gsize heap(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() :
							 mallinfo2().uordblks;
}

static guint descriptors(void)
{
	guint n = 0;
	DIR *folder = opendir("/proc/self/fd");
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* ---- what one says; it does not wait for answers ---- */

static void put_call(XdrOut *out, guint32 procedure, const guint32 *payload, guint n)
{
	const guint32 words[] = { LV_HEADER + 4 * n, LV_REMOTE, 1, procedure, LV_CALL, 1, LV_OK };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		xdr_put_u32(out, words[i]);
	for (guint i = 0; i < n; i++)
		xdr_put_u32(out, payload[i]);
}

static void say_open(XdrOut *out)
{
	const guint32 nothing[2] = { 0 };
	put_call(out, 66, NULL, 0);
	put_call(out, 1, nothing, 2);
}

static void say_all(XdrOut *out)
{
	const guint32 lifecycle[2] = { 0 }, monitor[2] = { 4 };
	say_open(out);
	put_call(out, EVENT_REGISTER, lifecycle, 2);
	put_call(out, EVENT_REGISTER, monitor, 2);
	put_call(out, 2, NULL, 0);
}

static void say_half_a_header(XdrOut *out)
{
	say_open(out);
	xdr_put_u32(out, LV_HEADER);
	xdr_put_u32(out, LV_REMOTE);
}

static void say_half_a_message(XdrOut *out)
{
	say_open(out);
	put_call(out, 10, NULL, 0);
	xdr_patch_u32(out, out->len - LV_HEADER, 1 << 20);
	memset(xdr_add(out, 5000), 'x', 5000);
}

static void say_odd_things(XdrOut *out)
{
	const guint32 long_text[3] = { 1, 0xffffffff, 0 };
	say_open(out);
	put_call(out, 9999, NULL, 0);
	put_call(out, 23, long_text, 3);
	put_call(out, 1, long_text, 3);
}

static void say_much(XdrOut *out)
{
	say_open(out);
	for (guint i = 0; i < 500; i++)
		put_call(out, 157, NULL, 0);
}

static void say_descriptors(XdrOut *out)
{
	say_open(out);
	put_call(out, 157, (const guint32[]){ 3 }, 1); /* one of which comes */
	xdr_patch_u32(out, out->len - 4 - 12, LV_CALL_FDS);
	xdr_add(out, 1);
}

static void (*const sayings[])(XdrOut *out) = {
	say_open, say_all, say_half_a_header, say_half_a_message, say_odd_things, say_much, say_descriptors,
};

/* ---- clients ---- */

/* Sends @out, with a descriptor. */
static void send_with(int to, const XdrOut *out, int fd)
{
	char control[CMSG_SPACE(sizeof fd)] = { 0 };
	struct iovec part = { out->data, out->len };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof control };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	g_assert_cmpint(sendmsg(to, &message, MSG_NOSIGNAL), ==, (gssize)out->len);
}

/* Its descriptor belongs to no message, or to half of one. Where all are whole it is its own end, by which a
 * server that kept it would keep the connection up. */
static void one_client(LibvirtServer *server, guint i)
{
	void (*say)(XdrOut *out) = sayings[i % G_N_ELEMENTS(sayings)];
	gboolean half = say == say_half_a_header || say == say_half_a_message || say == say_descriptors;
	int ends[2];
	XdrOut out = { 0 };
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), ==, 0);
	g_assert_true(libvirt_serve(server, ends[0], i % 2 ? LIBVIRT_UNIX : LIBVIRT_UNIX_RO));
	say(&out);
	send_with(ends[1], &out, half ? STDIN_FILENO : ends[1]);
	if (i % 3)
		g_main_context_iteration(NULL, FALSE);
	close(ends[1]);
	xdr_out_clear(&out);
}

static void many_clients(LibvirtServer *server)
{
	for (guint i = 0; i < CLIENTS * G_N_ELEMENTS(sayings); i++) {
		one_client(server, i);
		for (guint turns = 0; libvirt_count(server) > 20; turns++) {
			g_assert_cmpuint(turns, <, 1000);
			g_main_context_iteration(NULL, FALSE);
		}
	}
	for (guint turns = 0; libvirt_count(server); turns++) {
		g_assert_cmpuint(turns, <, 1000);
		g_main_context_iteration(NULL, FALSE);
	}
}

static void test_leaks(void)
{
	g_autoptr(LibvirtServer) server = libvirt_new(NULL, NULL);
	many_clients(server); /* what is made once is made */
	guint fds = descriptors();
	gsize bytes = heap();
	many_clients(server);
	g_assert_cmpuint(descriptors(), ==, fds);
	/* less than anything that each of one kind would leave */
	g_assert_cmpuint(heap(), <, bytes + 8 * CLIENTS);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/libvirt/leaks", test_leaks);
	return g_test_run();
}

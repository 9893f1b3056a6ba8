/* Measures calls of libvirt's domain_get_info over its protocol, without libvirt's client library.
 *
 *   bench-rpc echo SOCKET                              the floor: answers each message with as many
 *                                                      bytes as get_info's reply has, and knows nothing
 *   bench-rpc connect SOCKET SECONDS                   connects, opens, closes, again and again; prints how
 *                                                      often in a second
 *   bench-rpc call SOCKET CONNECTIONS SECONDS GUEST    one call at a time on each connection; prints
 *                                                      calls per second and the 99th percentile, us
 *
 * Neighbours: bench/rpc runs it against Lodge, the floor and libvirtd. */
#include "remote.h"

#include <errno.h>
#include <sys/epoll.h>

#define REPLY (HEADER + 32) /* state, memory twice, CPUs, time */

/* ---- the floor ---- */

static gboolean answer(int fd)
{
	static guint8 in[ROOM], out[ROOM * 3];
	ssize_t n = recv(fd, in, sizeof in, 0);
	gsize used = 0;
	if (n <= 0)
		return FALSE;
	for (ssize_t at = 0; at + HEADER <= n; at += get(in + at)) {
		if (get(in + at) < HEADER)
			return FALSE;
		memset(out + used, 0, REPLY);
		header(out + used, REPLY, get(in + at + 12), 1, get(in + at + 20));
		used += REPLY;
	}
	return send(fd, out, used, MSG_NOSIGNAL) == (ssize_t)used;
}

static G_NORETURN void echo(const char *path)
{
	int listener = open_socket(path, TRUE), epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, ready[64];
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int n = epoll_wait(epoll, ready, 64, -1);
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			if (fd == listener) {
				event.data.fd = accept(listener, NULL, NULL);
				epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
			} else if (!answer(fd)) {
				close(fd);
			}
		}
	}
}

/* ---- the client ---- */

typedef struct Line {
	int fd;
	gint64 since;
} Line;

static int measure_connect(const char *path, double seconds)
{
	guint8 reply[ROOM];
	guint n = 0;
	gint64 begin = g_get_monotonic_time(), now = begin, end = begin + (gint64)(seconds * 1e6);
	for (; now < end; now = g_get_monotonic_time(), n++) {
		int fd = connect_and_open(path, reply);
		call(fd, 2, NULL, 0, reply);
		close(fd);
	}
	printf("%.0f\n", n / ((double)(now - begin) / 1e6));
	return 0;
}

/* Opens a connection and looks the guest up; its reply is the argument of get_info. */
static int connect_and_find(const char *path, const char *guest, guint8 *reply)
{
	int fd = connect_and_open(path, reply);
	guint8 name[256] = { 0 };
	guint32 length = (guint32)strlen(guest);
	put(name, length);
	memcpy(name + 4, guest, length);
	if (call(fd, 23, name, 4 + ((length + 3) & ~3u), reply) != 0)
		fail("there is no such guest");
	return fd;
}

static gint by_size(gconstpointer a, gconstpointer b)
{
	return *(const guint32 *)a < *(const guint32 *)b ? -1 : *(const guint32 *)a > *(const guint32 *)b;
}

static int measure(const char *path, guint connections, double seconds, const char *guest)
{
	g_autofree Line *lines = g_new0(Line, connections);
	g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(guint32));
	guint8 reply[ROOM], message[ROOM];
	int epoll = epoll_create1(0);
	for (guint i = 0; i < connections; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &lines[i] };
		lines[i].fd = connect_and_find(path, guest, reply);
		epoll_ctl(epoll, EPOLL_CTL_ADD, lines[i].fd, &event);
	}
	guint32 n = get(reply);
	memcpy(message, reply, n);
	header(message, n, 16, 0, 2);
	gint64 begin = g_get_monotonic_time(), end = begin + (gint64)(seconds * 1e6), now = begin;
	for (guint i = 0; i < connections; i++) {
		lines[i].since = now;
		if (send(lines[i].fd, message, n, MSG_NOSIGNAL) < 0)
			return 1;
	}
	while ((now = g_get_monotonic_time()) < end) {
		struct epoll_event ready[64];
		int k = epoll_wait(epoll, ready, 64, 1000);
		for (int i = 0; i < k; i++) {
			Line *line = ready[i].data.ptr;
			if (receive(line->fd, reply) != 0)
				return 1;
			now = g_get_monotonic_time();
			guint32 took = (guint32)(now - line->since);
			g_array_append_val(times, took);
			line->since = now;
			if (send(line->fd, message, n, MSG_NOSIGNAL) < 0)
				return 1;
		}
	}
	g_array_sort(times, by_size);
	printf("%.0f %u\n", times->len / ((double)(now - begin) / 1e6),
	       g_array_index(times, guint32, times->len * 99 / 100));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "echo"))
		echo(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "connect"))
		return measure_connect(argv[2], atof(argv[3]));
	if (argc == 6 && !strcmp(argv[1], "call"))
		return measure(argv[2], (guint)atoi(argv[3]), atof(argv[4]), argv[5]);
	fprintf(stderr, "usage: bench-rpc echo SOCKET | connect SOCKET SECONDS | call SOCKET CONNECTIONS SECONDS GUEST\n");
	return 2;
}

/* libvirt's protocol as far as the raw clients of this folder need it, without libvirt's client library: they
 * measure the server alone. Neighbours: rpc.c, stream.c. */
#pragma once

#include <glib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REMOTE 0x20008086u
#define HEADER 28
#define ROOM 65536

static inline G_NORETURN void fail(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static inline void put(guint8 *at, guint32 value)
{
	guint32 big = GUINT32_TO_BE(value);
	memcpy(at, &big, 4);
}

static inline guint32 get(const guint8 *at)
{
	guint32 big;
	memcpy(&big, at, 4);
	return GUINT32_FROM_BE(big);
}

static inline void header(guint8 *at, guint32 size, guint32 procedure, guint32 type, guint32 serial)
{
	const guint32 words[] = { size, REMOTE, 1, procedure, type, serial, 0 };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		put(at + 4 * i, words[i]);
}

static inline int open_socket(const char *path, gboolean server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (server)
		unlink(path);
	if (server ? bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024)
		   : connect(fd, (struct sockaddr *)&address, sizeof address)) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* One whole message; the benchmark's are small. */
static inline guint32 receive(int fd, guint8 *bytes)
{
	gsize have = 0, want = 4;
	while (have < want) {
		ssize_t n = recv(fd, bytes + have, want - have, 0);
		if (n <= 0)
			fail("the server hung up");
		have += (gsize)n;
		if (have == 4)
			want = get(bytes);
	}
	return get(bytes + 24);
}

static inline guint32 call(int fd, guint32 procedure, const guint8 *payload, guint32 n, guint8 *reply)
{
	guint8 bytes[4096];
	header(bytes, HEADER + n, procedure, 0, 1);
	if (n)
		memcpy(bytes + HEADER, payload, n);
	if (send(fd, bytes, HEADER + n, MSG_NOSIGNAL) < 0)
		exit(1);
	return receive(fd, reply);
}

/* A connection that may call. */
static inline int connect_and_open(const char *path, guint8 *reply)
{
	int fd = open_socket(path, FALSE);
	guint8 uri[28] = { 0 }; /* there is one, 14 letters, padding, no flags */
	call(fd, 66, NULL, 0, reply);
	put(uri, 1);
	put(uri + 4, 14);
	memcpy(uri + 8, "qemu:///system", 14);
	if (call(fd, 1, uri, sizeof uri, reply) != 0)
		fail("the connection is refused");
	return fd;
}

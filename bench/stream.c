/* Measures uploads and downloads of volumes through libvirt's protocol with a client that does nothing but
 * read and write packets: what the daemon can do, where virsh is busy with itself.
 *
 *   bench-stream floor SOURCE TARGET                reads SOURCE, sends it through a socket, writes TARGET,
 *                                                   in two processes, without a protocol
 *   bench-stream upload SOCKET SOURCE VOLUME        the file SOURCE into the volume with the path VOLUME
 *   bench-stream download SOCKET VOLUME TARGET      the volume into the file TARGET
 *
 * Each prints milliseconds, and those of the processor that it used itself. Neighbours: volumes.py. */
#include "remote.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PART 262120 /* bytes of data in a packet: as many as libvirt's clients send */
#define PACKET (1u << 25)
#define LOOKUP_BY_PATH 97
#define UPLOAD 208
#define DOWNLOAD 209
#define STREAM 3
#define OK 0
#define CONTINUE 2

static guint8 *buffer;

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0600);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void write_all(int fd, const guint8 *bytes, gsize n)
{
	for (gsize done = 0; done < n;) {
		ssize_t m = write(fd, bytes + done, n - done);
		if (m < 0)
			fail("cannot write");
		done += (gsize)m;
	}
}

static void copy(int from, int to)
{
	for (ssize_t n; (n = read(from, buffer, PART)) > 0;)
		write_all(to, buffer, (gsize)n);
}

static void floor_of(const char *source, const char *target)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		fail("no sockets");
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		copy(ends[1], open_file(target, O_WRONLY | O_CREAT | O_TRUNC));
		_exit(0);
	}
	close(ends[1]);
	copy(open_file(source, O_RDONLY), ends[0]);
	close(ends[0]);
	waitpid(pid, NULL, 0);
}

/* Begins the stream of @procedure on a new connection. */
static int begin(const char *socket, const char *volume, guint32 procedure)
{
	static guint8 name[4096], found[ROOM];
	guint32 length = (guint32)strlen(volume);
	int fd = connect_and_open(socket, found);
	put(name, length);
	memcpy(name + 4, volume, MIN(length, sizeof name - 8));
	if (call(fd, LOOKUP_BY_PATH, name, 4 + ((length + 3) & ~3u), found) != 0)
		fail("there is no such volume");
	guint32 n = get(found) - HEADER; /* the volume; offset, length and flags are 0 */
	memset(found + HEADER + n, 0, 20);
	if (call(fd, procedure, found + HEADER, n + 20, buffer) != 0)
		fail("the stream is refused");
	return fd;
}

static void send_packet(int fd, guint32 procedure, guint32 status, gsize n)
{
	guint8 head[HEADER];
	header(head, (guint32)(HEADER + n), procedure, STREAM, 1);
	put(head + 24, status);
	struct iovec parts[] = { { head, HEADER }, { buffer, n } };
	ssize_t sent = writev(fd, parts, 2);
	if (sent < HEADER)
		fail("cannot send");
	write_all(fd, buffer + sent - HEADER, n - ((gsize)sent - HEADER));
}

/* Reads one packet; its data are in the buffer behind its header. */
static gsize take_packet(int fd, guint32 *status)
{
	gsize have = 0, want = HEADER;
	while (have < want) {
		ssize_t n = recv(fd, buffer + have, want - have, 0);
		if (n <= 0)
			fail("the server hung up");
		have += (gsize)n;
		if (have == HEADER)
			want = get(buffer);
		if (want < HEADER || want > PACKET)
			fail("a packet of an impossible length");
	}
	*status = get(buffer + 24);
	return want - HEADER;
}

static void finish(int fd, guint32 procedure)
{
	guint32 status;
	send_packet(fd, procedure, OK, 0);
	take_packet(fd, &status);
	if (status != OK)
		fail("the stream failed");
}

static void upload(const char *socket, const char *source, const char *volume)
{
	int file = open_file(source, O_RDONLY), fd = begin(socket, volume, UPLOAD);
	for (ssize_t n; (n = read(file, buffer, PART)) > 0;)
		send_packet(fd, UPLOAD, CONTINUE, (gsize)n);
	finish(fd, UPLOAD);
}

static void download(const char *socket, const char *volume, const char *target)
{
	int file = open_file(target, O_WRONLY | O_CREAT | O_TRUNC), fd = begin(socket, volume, DOWNLOAD);
	guint32 status;
	for (gsize n; (n = take_packet(fd, &status)) > 0;) {
		if (status != CONTINUE)
			fail("the stream failed");
		write_all(file, buffer + HEADER, n);
	}
	finish(fd, DOWNLOAD);
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	gint64 began = g_get_monotonic_time();
	buffer = g_malloc(PACKET);
	if (argc == 4 && !strcmp(argv[1], "floor"))
		floor_of(argv[2], argv[3]);
	else if (argc == 5 && !strcmp(argv[1], "upload"))
		upload(argv[2], argv[3], argv[4]);
	else if (argc == 5 && !strcmp(argv[1], "download"))
		download(argv[2], argv[3], argv[4]);
	else
		fail("usage: bench-stream floor SOURCE TARGET | upload SOCKET SOURCE VOLUME | "
		     "download SOCKET VOLUME TARGET");
	getrusage(RUSAGE_SELF, &usage);
	printf("%.1f %.1f\n", (double)(g_get_monotonic_time() - began) / 1e3,
	       (seconds(usage.ru_utime) + seconds(usage.ru_stime)) * 1e3);
	return 0;
}

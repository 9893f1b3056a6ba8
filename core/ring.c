/* See ring.h. The file: a header with the count of bytes ever put, then RING_BYTES of data. */
#include "core/ring.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RING_BYTES (256 * 1024) /* a Debian boot prints some 60 KiB */
#define RING_MAGIC G_GUINT64_CONSTANT(0x31676e6972676c) /* "lgring1" */

typedef struct RingHead {
	guint64 magic, end;
} RingHead;

struct Ring {
	int fd;
	gboolean in_memory;
	guint64 start; /* nothing before it is there */
	guint64 end;
};

/* Whether the file holds what its head says. */
static gboolean head_is_true(int fd, const RingHead *head)
{
	struct stat st;
	return head->magic == RING_MAGIC && head->end < G_MAXINT64 && fstat(fd, &st) == 0 &&
	       (guint64)st.st_size >= sizeof *head + MIN(head->end, RING_BYTES);
}

Ring *ring_open(const char *path, GError **error)
{
	autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		fail_errno(error, errno, "cannot open the console's ring %s", path);
		return NULL;
	}
	RingHead head = { 0 };
	Ring *ring = g_new0(Ring, 1);
	if (pread(fd, &head, sizeof head, 0) == sizeof head && head_is_true(fd, &head))
		ring->end = head.end;
	ring->fd = fd_steal(&fd);
	return ring;
}

void ring_free(Ring *ring)
{
	if (!ring)
		return;
	close(ring->fd);
	g_free(ring);
}

/* The disk is full: what was is lost, what comes is kept in memory, so that the console goes on. */
static gboolean move_to_memory(Ring *ring)
{
	if (ring->in_memory)
		return FALSE;
	int fd = memfd_create("console", MFD_CLOEXEC);
	if (fd < 0)
		return FALSE;
	close(ring->fd);
	ring->fd = fd;
	ring->in_memory = TRUE;
	ring->start = ring->end;
	return TRUE;
}

void ring_put(Ring *ring, const char *bytes, gsize length)
{
	RingHead head = { .magic = RING_MAGIC, .end = ring->end + length };
	while (length) {
		guint64 at = ring->end % RING_BYTES;
		gsize n = MIN(length, RING_BYTES - at);
		if (pwrite(ring->fd, bytes, n, (off_t)(sizeof head + at)) != (ssize_t)n) {
			if (!move_to_memory(ring))
				return;
			continue;
		}
		ring->end += n;
		bytes += n;
		length -= n;
	}
	/* after the data: a crash between loses the last bytes, never shows old ones as new */
	if (pwrite(ring->fd, &head, sizeof head, 0) != sizeof head)
		return;
}

guint64 ring_end(const Ring *ring)
{
	return ring->end;
}

gsize ring_get(const Ring *ring, guint64 *at, char *buffer, gsize room)
{
	guint64 oldest = ring->end > RING_BYTES ? ring->end - RING_BYTES : 0;
	*at = MAX(*at, MAX(oldest, ring->start));
	if (*at >= ring->end)
		return 0;
	guint64 place = *at % RING_BYTES;
	gsize n = MIN(MIN(room, ring->end - *at), RING_BYTES - place);
	ssize_t got = pread(ring->fd, buffer, n, (off_t)(sizeof(RingHead) + place));
	if (got <= 0)
		return 0;
	*at += (guint64)got;
	return (gsize)got;
}

/* See flush.h. One lane for all: on ext4 and XFS the first flush of many new files writes the journal for
 * them all, and the others find nothing left to do. */
#include "host/flush.h"

#include <errno.h>
#include <unistd.h>

#include "base/lane.h"
#include "base/log.h"
#include "host/file.h"

#define WAITING_MAX 256	  /* descriptors */
#define SETTLE_SECONDS 10 /* a disk that hangs holds up nobody for longer */

typedef struct Behind {
	int fd;
	char *path;
} Behind;

static GMutex lock;
static GCond settled;
static guint waiting; /* under lock */
static gint always_first; /* atomic */

static void flush_one(gpointer data)
{
	Behind *behind = data;
	if (fsync(behind->fd) < 0)
		log_error(behind->path, "it may not be on the disk: %s", g_strerror(errno));
	close(behind->fd);
	g_free(behind->path);
	g_free(behind);
	g_mutex_lock(&lock);
	if (--waiting == 0)
		g_cond_broadcast(&settled);
	g_mutex_unlock(&lock);
}

static Lane *the_lane(void)
{
	static gsize made;
	static Lane *lane;
	if (g_once_init_enter(&made)) {
		lane = lane_new();
		g_once_init_leave(&made, 1);
	}
	return lane;
}

void flush_first(gboolean first)
{
	g_atomic_int_set(&always_first, first);
}

gboolean flush_may_wait(int fd)
{
	return !g_atomic_int_get(&always_first) && file_flush_takes_name(fd);
}

void flush_behind(int fd, const char *path)
{
	Behind *behind = g_new(Behind, 1);
	*behind = (Behind){ .fd = fd, .path = g_strdup(path) };
	g_mutex_lock(&lock);
	gboolean many = ++waiting > WAITING_MAX;
	g_mutex_unlock(&lock);
	if (many)
		flush_one(behind);
	else
		lane_post(the_lane(), flush_one, behind);
}

void flush_settle(void)
{
	gint64 until = g_get_monotonic_time() + SETTLE_SECONDS * G_USEC_PER_SEC;
	g_mutex_lock(&lock);
	while (waiting && g_cond_wait_until(&settled, &lock, until))
		;
	g_mutex_unlock(&lock);
}

/* Bytes from one open file into another; see image_copy_range() in copy.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "host/flush.h"
#include "image/copy.h"

#define CHUNK (G_GUINT64_CONSTANT(16) << 20) /* between two looks at progress and cancel */
#define BUFFER (1u << 20)

typedef struct Range {
	int from, to;
	guint64 from_offset, to_offset; /* of the range */
	guint64 length;
	gboolean write_now; /* the disk begins to write while it is copied */
	gboolean in_kernel; /* copy_file_range() has not been refused yet */
	char *buffer;	    /* where it was */
	const ImageWork *work;
} Range;

/* One step in the kernel; 0 where it cannot do that between these files, -1 with errno. */
static gssize step_in_kernel(Range *r, guint64 done, guint64 length)
{
	loff_t from = (loff_t)(r->from_offset + done), to = (loff_t)(r->to_offset + done);
	gssize n = copy_file_range(r->from, &from, r->to, &to, length, 0);
	if (n > 0 || (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
		      errno != EOPNOTSUPP && errno != EBADF))
		return n;
	r->in_kernel = FALSE;
	return 0;
}

static gssize step_by_buffer(Range *r, guint64 done, guint64 length)
{
	if (!r->buffer)
		r->buffer = g_malloc(BUFFER);
	gssize n = pread(r->from, r->buffer, MIN(length, BUFFER), (off_t)(r->from_offset + done));
	for (gssize written = 0; n > 0 && written < n;) {
		gssize w = pwrite(r->to, r->buffer + written, (gsize)(n - written),
				  (off_t)(r->to_offset + done) + written);
		if (w < 0 && errno != EINTR)
			return -1;
		written += MAX(w, 0);
	}
	return n;
}

static gboolean tell(const Range *r, guint64 done, GError **error)
{
	const ImageWork *work = r->work;
	if (work && work->progress && r->length)
		work->progress((double)done / (double)r->length, work->data);
	return !work || !g_cancellable_is_cancelled(work->cancel) ||
	       fail(error, LODGE_ERROR_ABORTED, "it was cancelled");
}

/* Room for all that will be copied: it need not be looked for page by page then, and a disk that is too full
 * says so before. Not where blocks may be shared instead (XFS, Btrfs). */
static gboolean take_room(const Range *r, guint64 done, guint64 end, GError **error)
{
	struct statfs fs;
	if (end - done < CHUNK || fstatfs(r->to, &fs) < 0 || fs.f_type != EXT4_SUPER_MAGIC)
		return TRUE;
	return fallocate(r->to, 0, (off_t)(r->to_offset + done), (off_t)(end - done)) == 0 ||
	       errno != ENOSPC || fail_errno(error, errno, "it cannot be copied");
}

/* All data from @done to @end of the range; nothing in between is a hole. */
static gboolean copy_data(Range *r, guint64 done, guint64 end, GError **error)
{
	if (!take_room(r, done, end, error))
		return FALSE;
	while (done < end) {
		guint64 length = MIN(end - done, CHUNK);
		gssize n = r->in_kernel ? step_in_kernel(r, done, length) : 0;
		if (n == 0 && !r->in_kernel)
			n = step_by_buffer(r, done, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(error, errno, "it cannot be copied");
		if (n == 0)
			return fail(error, LODGE_ERROR_SYSTEM,
				    "it became shorter while it was copied");
		if (r->write_now)
			sync_file_range(r->to, (off_t)(r->to_offset + done), n, SYNC_FILE_RANGE_WRITE);
		done += (guint64)n;
		if (!tell(r, done, error))
			return FALSE;
	}
	return TRUE;
}

/* Where data begins at or behind @done, and where it ends. */
static gboolean find_data(const Range *r, guint64 *done, guint64 *end, GError **error)
{
	off_t from = (off_t)(r->from_offset + *done);
	off_t data = lseek(r->from, from, SEEK_DATA);
	*end = r->length;
	if (data < 0 && errno == ENXIO) { /* only a hole is left */
		*done = r->length;
		return TRUE;
	}
	if (data < 0)
		return errno == EINVAL || errno == EOPNOTSUPP || /* a device: all of it is data */
		       fail_errno(error, errno, "it cannot be read");
	off_t hole = lseek(r->from, data, SEEK_HOLE);
	*done = MIN((guint64)data - r->from_offset, r->length);
	if (hole >= 0)
		*end = MIN((guint64)hole - r->from_offset, r->length);
	return TRUE;
}

static gboolean copy_all(Range *r, GError **error)
{
	for (guint64 done = 0, end = 0; done < r->length; done = end)
		if (!find_data(r, &done, &end, error) || !copy_data(r, done, end, error))
			return FALSE;
	return TRUE;
}

gboolean image_copy_range(int from, guint64 from_offset, int to, guint64 to_offset, guint64 length,
			  ImageFlush flush, const ImageWork *work, GError **error)
{
	Range r = { .from = from, .to = to, .from_offset = from_offset, .to_offset = to_offset,
		    .length = length, .in_kernel = TRUE, .work = work,
		    .write_now = flush != IMAGE_FLUSH_BEHIND || !flush_may_wait(to) };
	gboolean ok = tell(&r, 0, error) && copy_all(&r, error);
	g_free(r.buffer);
	return ok;
}

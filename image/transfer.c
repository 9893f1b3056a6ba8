/* See transfer.h. */
#include "image/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/flush.h"
#include "host/open.h"
#include "host/why.h"
#include "image/format.h"
#include "image/lock.h"

struct ImageTransfer {
	char *path;
	int fd;
	gboolean upload;
	guint64 at, end, size; /* in the file */
};

static ImageTransfer *begin(const char *path, int fd, gboolean upload, guint64 offset, guint64 length,
			    GError **error)
{
	struct stat st;
	off_t size = fstat(fd, &st) < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (size < 0) {
		fail_errno(error, errno, "volume \"%s\" cannot be examined", path);
		return NULL;
	}
	guint64 end = upload && S_ISREG(st.st_mode) ? G_MAXINT64 : (guint64)size; /* files grow */
	if (upload && (offset > end || length > end - offset)) {
		fail(error, LODGE_ERROR_INVALID,
		     "volume \"%s\" has %" G_GUINT64_FORMAT " bytes: there are no %" G_GUINT64_FORMAT
		     " bytes from %" G_GUINT64_FORMAT " on", path, end, length, offset);
		return NULL;
	}
	offset = MIN(offset, end);
	if (length && length < end - offset)
		end = offset + length;
	if (lseek(fd, (off_t)offset, SEEK_SET) < 0) {
		fail_errno(error, errno, "volume \"%s\" cannot be examined", path);
		return NULL;
	}
	ImageTransfer *transfer = g_new(ImageTransfer, 1);
	*transfer = (ImageTransfer){ .path = g_strdup(path), .fd = fd, .upload = upload, .at = offset,
				     .end = end, .size = (guint64)size };
	return transfer;
}

ImageTransfer *image_download(const char *path, guint64 offset, guint64 length, GError **error)
{
	autofd int fd = image_open(path, error);
	ImageTransfer *transfer = fd < 0 ? NULL : begin(path, fd, FALSE, offset, length, error);
	if (transfer)
		fd_steal(&fd);
	return transfer;
}

ImageTransfer *image_upload(const char *path, guint64 offset, guint64 length, GError **error)
{
	autofd int fd = host_open(path, O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0) {
		fail_open(error, errno, path, TRUE, "volume \"%s\" cannot be written", path);
		return NULL;
	}
	if (!image_lock(fd, path, IMAGE_USE_WRITE, error))
		return NULL;
	ImageTransfer *transfer = begin(path, fd, TRUE, offset, length, error);
	if (transfer)
		fd_steal(&fd);
	return transfer;
}

int image_transfer_fd(const ImageTransfer *transfer)
{
	return transfer->fd;
}

guint64 image_transfer_left(const ImageTransfer *transfer)
{
	return transfer->end - transfer->at;
}

guint64 image_transfer_size(const ImageTransfer *transfer)
{
	return transfer->size;
}

guint64 image_transfer_at(const ImageTransfer *transfer)
{
	return transfer->at;
}

void image_transfer_limit(ImageTransfer *transfer, guint64 length)
{
	transfer->end = transfer->at + MIN(length, image_transfer_left(transfer));
}

gboolean image_transfer_next(ImageTransfer *transfer, gboolean *data, guint64 *length, GError **error)
{
	*data = TRUE;
	*length = image_transfer_left(transfer);
	if (*length == 0)
		return TRUE;
	off_t at = (off_t)transfer->at, next = lseek(transfer->fd, at, SEEK_DATA);
	if (next < 0 && errno == ENXIO) {
		*data = FALSE;
	} else if (next > at) {
		*data = FALSE;
		*length = MIN((guint64)(next - at), *length);
	} else if (next == at && (next = lseek(transfer->fd, at, SEEK_HOLE)) > at) {
		*length = MIN((guint64)(next - at), *length);
	} /* else a device: all of it is data */
	return lseek(transfer->fd, at, SEEK_SET) == at ||
	       fail_errno(error, errno, "volume \"%s\" cannot be read", transfer->path);
}

gssize image_transfer_read(ImageTransfer *transfer, void *buffer, gsize length, GError **error)
{
	gsize want = (gsize)MIN((guint64)length, image_transfer_left(transfer));
	gssize n;
	do
		n = want ? read(transfer->fd, buffer, want) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail_errno(error, errno, "volume \"%s\" cannot be read", transfer->path);
	transfer->at += (guint64)MAX(n, 0);
	return n;
}

/* Where the file has no pages to give. No more than what an empty pipe takes at once. */
static gssize read_copied(ImageTransfer *transfer, int pipe, gsize length, GError **error)
{
	char buffer[16384];
	gssize n = image_transfer_read(transfer, buffer, MIN(length, sizeof buffer), error);
	if (n <= 0 || write(pipe, buffer, (gsize)n) == n)
		return n;
	fail_errno(error, errno, "volume \"%s\" cannot be read", transfer->path);
	return -1;
}

gssize image_transfer_read_pipe(ImageTransfer *transfer, int pipe, gsize length, GError **error)
{
	gsize want = (gsize)MIN((guint64)length, image_transfer_left(transfer));
	gssize n;
	do
		n = want ? splice(transfer->fd, NULL, pipe, NULL, want, SPLICE_F_MOVE) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EINVAL)
		return read_copied(transfer, pipe, want, error);
	if (n < 0)
		fail_errno(error, errno, "volume \"%s\" cannot be read", transfer->path);
	transfer->at += (guint64)MAX(n, 0);
	return n;
}

static gboolean has_room(const ImageTransfer *transfer, guint64 length, GError **error)
{
	return length <= image_transfer_left(transfer) ||
	       fail(error, LODGE_ERROR_INVALID,
		    "volume \"%s\": more bytes are sent than there is room for: it ends %" G_GUINT64_FORMAT
		    " bytes from here", transfer->path, image_transfer_left(transfer));
}

static gboolean cannot_write(const ImageTransfer *transfer, GError **error)
{
	GError *why = NULL;
	fail_errno(&why, errno, "volume \"%s\" cannot be written", transfer->path);
	return fail_full(error, why, transfer->path);
}

gboolean image_transfer_write(ImageTransfer *transfer, const void *buffer, gsize length, GError **error)
{
	if (!has_room(transfer, length, error))
		return FALSE;
	for (gsize done = 0; done < length;) {
		gssize n = write(transfer->fd, (const char *)buffer + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_write(transfer, error);
		done += (gsize)n;
		transfer->at += (guint64)n;
	}
	return TRUE;
}

/* Where the file cannot take pages of a pipe. */
static gboolean write_copied(ImageTransfer *transfer, int pipe, gsize length, GError **error)
{
	char buffer[16384];
	while (length > 0) {
		gssize n = read(pipe, buffer, MIN(length, sizeof buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cannot_write(transfer, error);
		if (!image_transfer_write(transfer, buffer, (gsize)n, error))
			return FALSE;
		length -= (gsize)n;
	}
	return TRUE;
}

gboolean image_transfer_write_pipe(ImageTransfer *transfer, int pipe, gsize length, GError **error)
{
	if (!has_room(transfer, length, error))
		return FALSE;
	while (length > 0) {
		gssize n = splice(pipe, NULL, transfer->fd, NULL, length, SPLICE_F_MOVE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL)
			return write_copied(transfer, pipe, length, error);
		if (n <= 0)
			return cannot_write(transfer, error);
		length -= (gsize)n;
		transfer->at += (guint64)n;
	}
	return TRUE;
}

/* Zeros where the file has no holes. */
static gboolean write_zeros(ImageTransfer *transfer, guint64 length, GError **error)
{
	static const char zeros[65536];
	for (guint64 n; length > 0; length -= n) {
		n = MIN(length, sizeof zeros);
		if (!image_transfer_write(transfer, zeros, (gsize)n, error))
			return FALSE;
	}
	return TRUE;
}

/* A hole behind the end makes the file longer. */
static gboolean reach(ImageTransfer *transfer, guint64 end, GError **error)
{
	struct stat st;
	if (fstat(transfer->fd, &st) == 0 &&
	    (!S_ISREG(st.st_mode) || (guint64)st.st_size >= end || ftruncate(transfer->fd, (off_t)end) == 0))
		return TRUE;
	return cannot_write(transfer, error);
}

gboolean image_transfer_skip(ImageTransfer *transfer, guint64 length, GError **error)
{
	if (!has_room(transfer, length, error))
		return FALSE;
	if (transfer->upload && length > 0 &&
	    fallocate(transfer->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)transfer->at,
		      (off_t)length) < 0)
		return write_zeros(transfer, length, error);
	transfer->at += length;
	if (transfer->upload && !reach(transfer, transfer->at, error))
		return FALSE;
	return lseek(transfer->fd, (off_t)transfer->at, SEEK_SET) >= 0 ||
	       fail_errno(error, errno, "volume \"%s\" cannot be used", transfer->path);
}

/* Whether the file still has a name: what was written into one without goes with it. */
static gboolean is_there(const ImageTransfer *transfer, GError **error)
{
	struct stat st;
	return fstat(transfer->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0 ||
	       fail(error, LODGE_ERROR_SYSTEM,
		    "volume \"%s\" was removed or replaced while it was written: nothing of it is left",
		    transfer->path);
}

gboolean image_transfer_end(ImageTransfer *transfer, gboolean abandoned, GError **error)
{
	gboolean flush = transfer->upload && !abandoned, ok = !flush || is_there(transfer, error);
	gboolean behind = flush && ok && flush_may_wait(transfer->fd);
	if (flush && ok && !behind && fsync(transfer->fd) < 0)
		ok = fail_errno(error, errno, "volume \"%s\" cannot be written to the disk", transfer->path);
	image_unlock(transfer->fd);
	if (behind)
		flush_behind(fd_steal(&transfer->fd), transfer->path);
	fd_clear(&transfer->fd);
	g_free(transfer->path);
	g_free(transfer);
	return ok;
}

/* Bytes into and out of volumes, for upload and download by stream: a place in the file that
 * moves on, with holes where the caller's protocol has them.
 *
 * Neighbours: copy.h has whole copies; pool/ opens transfers, doors feed them. One thread at a time. */
#pragma once

#include "image/tool.h"

typedef struct ImageTransfer ImageTransfer;

/* Reads @length bytes (0: to the end) of @path from @offset on, as far as there are any. Not
 * locked: a guest's disk may be read while it runs, at the caller's own risk. */
ImageTransfer *image_download(const char *path, guint64 offset, guint64 length, GError **error);

/* Writes into @path from @offset on, at most @length bytes (0: as many as come, to the end of a device; a
 * file grows: an image that is uploaded into a new volume is larger than that). Locked against
 * guests: IN_USE names who has it. */
ImageTransfer *image_upload(const char *path, guint64 offset, guint64 length, GError **error);

/* The open file, positioned at the next byte, for those who move bytes themselves (splice, sendfile);
 * tell it with image_transfer_skip(). The transfer's. */
int image_transfer_fd(const ImageTransfer *transfer);

/* Bytes that are left. */
guint64 image_transfer_left(const ImageTransfer *transfer);
/* Bytes of the whole volume, and where the next of them is. */
guint64 image_transfer_size(const ImageTransfer *transfer);
guint64 image_transfer_at(const ImageTransfer *transfer);
/* No more than @length bytes from here on. */
void image_transfer_limit(ImageTransfer *transfer, guint64 length);

/* Download: whether data or a hole comes next, and how many bytes of it, at most what is left; 0 at the
 * end. FALSE on failure. */
gboolean image_transfer_next(ImageTransfer *transfer, gboolean *data, guint64 *length,
			     GError **error);

/* Download: reads at most @length bytes of what comes next; 0 at the end, -1 on failure. */
gssize image_transfer_read(ImageTransfer *transfer, void *buffer, gsize length, GError **error);

/* The same into the pipe @pipe, which is empty: pages of the file, without a copy where that can be. */
gssize image_transfer_read_pipe(ImageTransfer *transfer, int pipe, gsize length, GError **error);

/* Upload: writes all of it. NO_SPACE names the file; INVALID where it is more than the volume holds. */
gboolean image_transfer_write(ImageTransfer *transfer, const void *buffer, gsize length,
			      GError **error);

/* Upload: the same with the @length bytes that are in the pipe @pipe, which are copied once less. */
gboolean image_transfer_write_pipe(ImageTransfer *transfer, int pipe, gsize length, GError **error);

/* Download: goes past @length bytes. Upload: they become a hole, or zeros where there are none. */
gboolean image_transfer_skip(ImageTransfer *transfer, guint64 length, GError **error);

/* Ends it. An upload is flushed to the disk unless @abandoned, on a disk of this host soon after this has
 * returned (host/flush.h). Frees it also on failure. */
gboolean image_transfer_end(ImageTransfer *transfer, gboolean abandoned, GError **error);

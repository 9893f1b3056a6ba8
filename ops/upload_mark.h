/* How far uploads came that broke off, so that their clients can go on from there, also after the daemon was
 * killed: a small file in run/ for each, which is written while the upload goes on. It counts for this boot
 * of the host and for the very file that was written to: after a power cut nobody knows what is on the disk.
 * Neighbours: transfer.c keeps marks; vol-upload-state tells of them. Any thread; these block on the disk. */
#pragma once

#include "base/paths.h"

#include <glib.h>

typedef struct UploadMark UploadMark;

/* Bytes that are there from the start of the volume at @path; 0: no upload to it broke off. */
guint64 upload_mark_at(const Paths *paths, const char *path);

/* An upload to the volume at @path, open as @fd, begins at @begin. The caller owns the mark. NULL where it
 * cannot be gone on with later: it begins behind what is there. */
UploadMark *upload_mark_new(const Paths *paths, const char *path, int fd, guint64 begin);

/* All before @at is written. Cheap: it does something each few MiB. NULL is fine. */
void upload_mark_reach(UploadMark *mark, guint64 at);

/* The upload has ended, @whole or broken off at @at. Frees the mark; NULL is fine. */
void upload_mark_end(UploadMark *mark, gboolean whole, guint64 at);

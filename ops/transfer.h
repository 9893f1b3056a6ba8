/* The bytes of a volume on their way in or out. A verb (vol-upload, vol-download) opens a transfer; a door
 * that has packets and holes of its own takes it from the call and feeds it, any other gets a stream with
 * records (op_transfer_serve()).
 *
 * Functions marked "lane" block on the disk and run on op_transfer_lane(), one after another.
 * Neighbours: volume_stream.c has the verbs; image/transfer.h does the work; wire/libvirt/transfer.c. */
#pragma once

#include "base/lane.h"
#include "core/volumes.h"

typedef struct OpTransfer OpTransfer;

/* Begins: marks the volume as in use. It takes @volume, also on failure. Blocks. */
OpTransfer *op_transfer_new(CoreVolume *volume, gboolean upload, guint64 offset, guint64 length,
			    GError **error);
/* Before it is served: the volume's bytes, those that are left, where the next is; at most @length more. */
guint64 op_transfer_size(const OpTransfer *transfer);
guint64 op_transfer_left(const OpTransfer *transfer);
guint64 op_transfer_at(const OpTransfer *transfer);
void op_transfer_limit(OpTransfer *transfer, guint64 length);
gboolean op_transfer_is_upload(const OpTransfer *transfer);
Lane *op_transfer_lane(OpTransfer *transfer);

/* Download: what comes next: up to @room bytes of data in @buffer (the result is their count), or, with
 * @holes, a hole of *hole bytes (the result is 0); 0 and no hole at the end; -1 on failure. Lane. */
gssize op_transfer_read(OpTransfer *transfer, gboolean holes, guint8 *buffer, gsize room, guint64 *hole,
			GError **error);
/* The same into the pipe @pipe, which is empty; image/transfer.h. Lane. */
gssize op_transfer_read_pipe(OpTransfer *transfer, gboolean holes, int pipe, gsize room, guint64 *hole,
			     GError **error);
/* Upload; of bytes, or of those in the pipe @pipe. Lane. */
gboolean op_transfer_write(OpTransfer *transfer, const guint8 *bytes, gsize n, GError **error);
gboolean op_transfer_write_pipe(OpTransfer *transfer, int pipe, gsize n, GError **error);
gboolean op_transfer_hole(OpTransfer *transfer, guint64 n, GError **error);
/* Ends it, and what was written is on the disk, unless @abandoned. Frees it. Lane. */
gboolean op_transfer_end(OpTransfer *transfer, gboolean abandoned, GError **error);
/* The same, abandoned, from anywhere; returns at once. */
void op_transfer_drop(OpTransfer *transfer);

/* One end of a socket that speaks records, taken by the caller; the transfer is served beside, and ends with
 * it. -1 on failure. A record is a letter, a length of 8 bytes (big-endian), and for D and E that many
 * bytes: D data, H a hole, E the end with an error (the word of its code, a line break, its message), O the
 * end. An upload is answered with E or O. */
int op_transfer_serve(OpTransfer *transfer, gboolean holes, GError **error);
/* The error that the @n bytes of a record E are; FALSE, always. Any thread. */
gboolean op_transfer_failed(const char *bytes, gsize n, GError **error);
#define TRANSFER_RECORD 9 /* bytes before the data */
#define TRANSFER_CHUNK (256u * 1024)

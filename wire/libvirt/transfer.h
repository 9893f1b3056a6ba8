/* See transfer.c. Main loop's thread, all of it. */
#pragma once

#include "ops/transfer.h"
#include "wire/libvirt/internal.h"

typedef struct LvTransfer LvTransfer;

/* What the stream hears, with the stream that was given; it may free the transfer meanwhile. */
typedef struct LvTransferDoor {
	/* Download: data, a hole (@n is 0), or the end (both are 0). @bytes are lent. */
	void (*data)(gpointer stream, const guint8 *bytes, gsize n, guint64 hole);
	void (*room)(gpointer stream);	   /* upload: there is room for more */
	void (*finished)(gpointer stream); /* after lv_transfer_finish() */
	void (*failed)(gpointer stream, const GError *error);
	/* lv_transfer_pump() has ended: @back is to be read before what comes next, by the loop;
	 * @goes_on: or by another pump. @moved: whether anything came. */
	void (*pumped)(gpointer stream, const GByteArray *back, gboolean moved, gboolean goes_on);
} LvTransferDoor;

/* Takes @op. */
LvTransfer *lv_transfer_new(OpTransfer *op, gboolean holes, const LvTransferDoor *door, gpointer stream);
/* Upload: FALSE where the client should not send more for now. */
gboolean lv_transfer_take(LvTransfer *transfer, const guint8 *bytes, gsize n);
void lv_transfer_take_hole(LvTransfer *transfer, guint64 length);
/* Upload: takes the packets with @header that come by @fd, behind @start (taken), without the loop; until
 * door->pumped nobody reads @fd. FALSE, and @start is not taken, where too many do so already, or
 * something of it is still at work. */
gboolean lv_transfer_pump(LvTransfer *transfer, int fd, const LvHeader *header, GByteArray *start);
/* Download: sends to @client without the loop, as packets with @header, for a while; then it calls
 * lv_streams_resume(). FALSE where too many do so already, or the connection is not to be had. */
gboolean lv_transfer_pour(LvTransfer *transfer, LvClient *client, const LvHeader *header);
/* Download: reads on, if no more than @waiting bytes wait for the client. */
void lv_transfer_want(LvTransfer *transfer, gsize waiting);
/* All is there: ends well. */
void lv_transfer_finish(LvTransfer *transfer);
/* Nobody hears of it any more; what is not finished is abandoned. NULL is fine. */
void lv_transfer_free(LvTransfer *transfer);

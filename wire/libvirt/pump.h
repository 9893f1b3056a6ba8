/* Moves the data of an upload from a connection straight into the volume, on one thread and through one
 * buffer: the loop, which hands each packet to another thread, needs twice the time for it. While a pump is
 * at work nobody else reads the connection; it ends when something else comes than data of its stream, when
 * nothing comes for a moment, and now and then, so that the loop sees that the client lives.
 * Neighbours: transfer.c runs pumps on its lane; client.c gets back what was read and is not data. */
#pragma once

#include "ops/transfer.h"
#include "wire/libvirt/internal.h"

typedef struct LvPump {
	int fd;		 /* the connection; a copy, owned */
	LvHeader header; /* of the stream's packets */
	gint *stop;	 /* atomic: set where nobody wants it any more */
	GByteArray *start; /* what was read before; owned */
	gsize taken;	 /* bytes of it */
	/* afterwards */
	GByteArray *back; /* what was read and is the loop's; owned */
	guint64 moved;	 /* bytes */
	gboolean goes_on; /* it ended only for the loop's sake */
} LvPump;

/* Runs it through @pipe of lv_pump_pipe(). FALSE where the volume cannot be written. Lane. */
gboolean lv_pump_run(LvPump *pump, OpTransfer *op, const int *pipe, GError **error);
void lv_pump_clear(LvPump *pump);
/* Makes a pipe that data pass through; both ends are the caller's. */
gboolean lv_pump_pipe(int pipe[2]);

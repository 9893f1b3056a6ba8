/* Moves the data of a download from a volume straight to a connection, on one thread: pages of the file go
 * through a pipe to the socket, and nobody copies them. While a pour is at work nobody else writes to the
 * connection; it ends between two packets where the loop has something to send, when the client takes
 * nothing for a moment, and now and then. Then the loop sends what is left of a packet.
 * Neighbours: transfer.c runs pours on its lane; pump.h is the other way. */
#pragma once

#include "ops/transfer.h"
#include "wire/libvirt/internal.h"

typedef struct LvPour {
	int fd;		 /* the connection; a copy, owned */
	LvHeader header; /* of the stream's packets */
	gboolean holes;	 /* they travel as such */
	gint *stop;	 /* atomic: set where somebody wants the connection, or nobody the data */
	/* afterwards */
	GByteArray *rest; /* of a packet that is half sent; owned */
	gboolean over;	  /* the volume has no more */
} LvPour;

/* Runs it through @pipe of lv_pump_pipe(). FALSE where the volume cannot be read. Lane. */
gboolean lv_pour_run(LvPour *pour, OpTransfer *op, const int *pipe, GError **error);
void lv_pour_clear(LvPour *pour);

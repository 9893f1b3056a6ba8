/* Ports of this host that lead to guests, changed live: remembered in a file, at work whenever the guest runs
 * and its address is known, whatever the address then is. For a guest in user mode QEMU itself listens.
 * Neighbours: net/forward.h has the rules; addresses.h the addresses. */
#pragma once

#include "core/core.h"

typedef struct CoreForward {
	char *guest; /* name */
	char uuid[37];
	gboolean udp;
	guint16 port, to;
	char ip[16]; /* where it leads now; "": nowhere, the guest is off or has no address yet */
} CoreForward;

/* Sends @port of the host on to port @to of the guest. IN_USE where a program or another forward has the
 * port: the message says which. OP_BESIDE. */
gboolean core_forward_add(CoreGuest *guest, gboolean udp, guint16 port, guint16 to, GError **error);
/* NOT_FOUND. OP_BESIDE. */
gboolean core_forward_remove(CoreGuest *guest, gboolean udp, guint16 port, GError **error);
/* CoreForward *, owned by the caller and freed with the array; of @uuid, or NULL: of all guests. Never
 * waits. */
GPtrArray *core_forwards(Core *core, const char *uuid);

/* ---- for core.c ---- */

/* Reads the file and puts to work what it says. Main, at start. */
void forwards_load(Core *core);
/* Looks after them no more. Main. */
void forwards_close(Core *core);
void forwards_free(Core *core);

/* Ports of this host that lead to guests, changed live: remembered in a file, or said by the <portForward> of
 * an interface; at work whenever the guest runs and its address is known, whatever the address then is. For a
 * guest in user mode QEMU itself listens (or passt).
 * Neighbours: net/forward.h has the rules; address_book.h the addresses, and says when to look. */
#pragma once

#include "core/core.h"
#include "net/forward.h"

typedef struct CoreForward {
	char *guest; /* name */
	char uuid[37];
	ForwardSpec spec;
	gboolean defined;	      /* by its definition, as long as it runs */
	char ip4[INET_TEXT], ip6[INET_TEXT]; /* where it leads now; both "": nowhere, the guest is off or has
						no address yet; "user": QEMU or passt listens */
} CoreForward;

/* Has the ports lead to the guest. IN_USE where a program or another forward has one of them: the message
 * says which. Blocks as long as the guest's lane does where the guest is in user mode. OP_BESIDE. */
gboolean core_forward_add(CoreGuest *guest, const ForwardSpec *spec, GError **error);
/* Ends that which begins at @spec's first port; its address or dev counts where it is set, its last port
 * where it is above the first. NOT_FOUND. OP_BESIDE. */
gboolean core_forward_remove(CoreGuest *guest, const ForwardSpec *spec, GError **error);
/* CoreForward *, owned by the caller and freed with the array; of @uuid, or NULL: of all guests. Never
 * waits. */
GPtrArray *core_forwards(Core *core, const char *uuid);

/* ---- for plugs.c ---- */

/* What <portForward> of @interface, which is on a network of this host, asks for; IN_USE where it cannot be.
 * Lane. */
gboolean forwards_plug(CoreGuest *guest, const Guest *owner, const Interface *interface, GError **error);
/* The guest ended, or did not start. Lane. */
void forwards_unplug(CoreGuest *guest, const char *uuid);

/* ---- for core.c and address_book.c ---- */

/* Reads the file. Main, at start. */
void forwards_load(Core *core);
/* Puts to work what is wanted, where that changes anything. One thread at a time, not the main loop's. */
void forwards_look(Core *core);
/* passt of @guest has ended, or never knew its ports. Any thread. */
void forwards_mend(CoreGuest *guest);
/* The rules may not be what they were: the next look writes them again. Any thread. */
void forwards_doubt(Core *core);
/* Whether there are any. Any thread. */
gboolean forwards_any(Core *core);
void forwards_free(Core *core);

/* What forwards.c and forward_look.c share. */
#pragma once

#include "core/forwards.h"

typedef struct ForwardEntry {
	CoreForward forward;
	char *mac;	   /* of the interface that its definition names; NULL: whichever has an address */
	int run;	   /* id of the run whose QEMU listens for it; -1: none */
	gboolean starting; /* its guest is not shown as running yet */
} ForwardEntry;

struct CoreForwards {
	GMutex work;	 /* held while rules change */
	GMutex lock;	 /* of the list, for moments */
	GPtrArray *list; /* ForwardEntry */
	gint doubted;	 /* atomic: somebody may have removed the table */
	char *applied;	 /* the script at work; "?": an earlier daemon's; NULL: no table; under work */
};

ForwardEntry *forward_entry_new(const char *guest, const char *uuid, const ForwardSpec *spec);
void forward_entry_free(gpointer entry);
/* Of the same guest and the same ports. */
gboolean forward_same(const CoreForward *a, const CoreForward *b);
void forward_drop(Core *core, const CoreForward *one);

/* The file that is there as long as there is a table; the caller frees the path. */
char *forwards_mark(Core *core);
/* Writes those that no definition says. */
gboolean forwards_save(Core *core, GError **error);
/* Makes the rules fit. Work lock held. */
gboolean forwards_refresh(Core *core, GError **error);

/* What <portForward> of @interface means, of ForwardSpec; the caller owns it. NULL: INVALID, UNSUPPORTED. */
GArray *forward_specs_of(const Interface *interface, GError **error);

/* The interface in user mode that would take a forward; NULL: the guest is on this host's networks. */
const Interface *forward_user_interface(const Guest *live);
gboolean forward_is_passt(const Interface *interface);
/* Has passt of the running @guest serve what its definition and the list say; where that means to start it
 * again, connections are cut. On failure it goes on as it did, or is tried again later. Not on a lane. */
gboolean forward_serve(CoreGuest *guest, GError **error);
/* The same on its lane, by and by; what fails is logged. Any thread. */
void forward_serve_later(CoreGuest *guest);
/* Has QEMU listen, or stop, and returns when it does. Not on a lane. */
gboolean forward_ask_qemu(CoreGuest *guest, const Interface *interface, const ForwardSpec *spec, gboolean on,
			  GError **error);

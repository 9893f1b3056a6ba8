/* Which guest has which addresses, kept up to date: by the lease files of the networks (inotify) and the
 * kernel's neighbours (netlink). Who changes is told by events of the kind "address", which are our own:
 * .event "added" or "removed", .detail "lease" or "arp", .json interface, mac and address. The file
 * run/names has "ADDRESS NAME.lodge" for each, in the form of hosts(5), for the name service (nss/).
 *
 * Nothing is watched while no guest has an interface on this host. A look is a second apart from the last,
 * however much happens, and runs beside the main loop.
 * Neighbours: addresses.h asks anew; forwards.h is told after each look. */
#pragma once

#include "core/core.h"

/* Watches from now on. Main, once guests are known. */
void book_begin(Core *core);
/* Has a look soon. Any thread. */
void book_poke(Core *core);
/* An address of the guest @uuid of @family for text of INET_TEXT bytes; @mac NULL: of any interface. FALSE
 * where none is known. Link-local ones do not count. Any thread; never waits. */
gboolean book_find(Core *core, const char *uuid, const char *mac, int family, char *text);
/* Watches no more. Main. */
void book_close(Core *core);
void book_free(Core *core);

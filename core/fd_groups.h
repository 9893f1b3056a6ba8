/* Descriptors that clients have given a guest for its disks, <source fdgroup=>. A group is known as long as
 * who gave it: a client's connection, or the process that called. What runs keeps what it got.
 *
 * Neighbours: core.h; run.c hands copies to the engine at a start. */
#pragma once

#include "core/core.h"

#define CORE_FD_GROUPS 64 /* of one guest */

/* Makes @fds (@n of them, copied) the group @name of @guest, in place of one of that name. Returns its
 * number, which is never 0 and never another group's; 0 on failure. Any thread. */
guint core_fds_give(CoreGuest *guest, const char *name, const int *fds, guint n, gboolean writable,
		    GError **error);
/* Whether the guest @uuid still has group @number. Any thread. */
gboolean core_fds_known(Core *core, const char *uuid, guint number);
/* Forgets group @number of the guest @uuid, where both are still there. Any thread. */
void core_fds_forget(Core *core, const char *uuid, guint number);

/* What lives as long as somebody's connection: guests, and what a guest was given. A door that starts one
 * with `autodestroy` ends it by this when its client has gone. Neighbours: guest_tie.c; core/ ends
 * those whose daemon has gone. */
#pragma once

#include <glib.h>

typedef struct Core Core;

/* Ends the guest @uuid at once if its run is still the one with that @id. Returns at once. Main. */
void op_end_run(Core *core, const char *uuid, int id);
/* Whether the guest @uuid still has group @number of dom-fd-associate's. Any thread. */
gboolean op_fds_known(Core *core, const char *uuid, unsigned number);
/* The guest @uuid has group @number of dom-fd-associate's not any more. Any thread. */
void op_forget_fds(Core *core, const char *uuid, unsigned number);

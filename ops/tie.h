/* Guests that live as long as somebody's connection. A door that starts one with `autodestroy` ends it by
 * this when its client has gone. Neighbours: guest_tie.c; core/ ends those whose daemon has gone. */
#pragma once

typedef struct Core Core;

/* Ends the guest @uuid at once if its run is still the one with that @id. Returns at once. Main. */
void op_end_run(Core *core, const char *uuid, int id);

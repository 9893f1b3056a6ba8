/* Turns: which clients are ready, and when they are served. Neighbours: server.c has the clients, client.c
 * serves one. Main loop's thread. */
#pragma once

#include "wire/libvirt/internal.h"

typedef struct LvTurn LvTurn;

/* Turns for @clients (of LvClient; lent, must outlive it). A source of the main loop serves them. */
LvTurn *lv_turn_new(GPtrArray *clients, GError **error);
void lv_turn_free(LvTurn *turn);
/* Serves from within the main loop's wait, too, until lv_turn_free(): see turn.c. For one server of the
 * default main context. */
void lv_turn_take_poll(LvTurn *turn);

/* Waits for @client->events from now on. */
void lv_turn_watch(LvTurn *turn, LvClient *client, gboolean is_new);
/* Not any more; takes over a reference of @client, which goes when nobody is served. */
void lv_turn_forget(LvTurn *turn, LvClient *client);
/* Serves @client, who has just come, as if it were ready. Not from within a round. */
void lv_turn_serve(LvTurn *turn, LvClient *client);
/* When the clients that are being served were found ready, else now; monotonic. */
gint64 lv_turn_time(const LvTurn *turn);
/* Something may have got new sources: the main loop looks before it waits. */
void lv_turn_changed(LvTurn *turn);

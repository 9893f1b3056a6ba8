/* What the tests of core/ share: a core on the fake engine below a fresh folder, the events it
 * published, and verbs run on the lanes they belong to. Main loop's thread only, which turns in
 * world_settle() and world_until() alone. Neighbours: core-*.c; engine/fake/. */
#pragma once

#include "core/console.h"
#include "engine/fake/fake.h"

typedef struct World {
	char *root;
	Paths *paths;
	Core *core;
	GPtrArray *heard; /* char *: "web1 started booted" */
} World;

/* The kinds of objects that worlds have; NULL: the program's own. Set before world_open(). */
extern const struct CoreKind *const *world_kinds;

void world_open(World *world);
/* Ends every guest's run without a word, and the core; checks that nothing is left. */
void world_close(World *world);
/* A second daemon takes the place of the first, which was killed. */
void world_restart(World *world);
/* The same in two steps, so that something can happen between. */
void world_crash(World *world);
void world_begin(World *world);

/* A definition; @parts is XML inside <domain>, may be NULL. */
char *world_xml(const char *name, const char *uuid, const char *parts);
CoreGuest *world_define(World *world, const char *name);
/* The guest of that key, which has to be there. */
CoreGuest *world_find(World *world, const char *key);
GuestState world_state(World *world, const char *key);
/* The path of a file below the root. */
char *world_path(World *world, const char *place);

/* Verbs, run on the guest's lane. */
gboolean world_start(CoreGuest *guest, GError **error);
gboolean world_start_paused(CoreGuest *guest, GError **error);
gboolean world_signal(CoreGuest *guest, EngineSignal signal, GError **error);
gboolean world_undefine(CoreGuest *guest, GError **error);
gboolean world_autostart(CoreGuest *guest, gboolean on, GError **error);
gboolean world_rename(CoreGuest *guest, const char *name, GError **error);
/* A defined and running guest. */
CoreGuest *world_run(World *world, const char *name);
/* Begins a start on the lane and returns at once. */
void world_begin_start(CoreGuest *guest);
/* Begins destroy on a thread; world_end_destroy() waits for it and returns what it did. */
GThread *world_begin_destroy(CoreGuest *guest);
gboolean world_end_destroy(GThread *thread);

/* Turns the main loop until every lane and the loop are idle. */
void world_settle(World *world);
/* Turns it until @true_now(data) or 10 s are over; the result of the last look. */
gboolean world_until(gboolean (*true_now)(gpointer data), gpointer data);

/* All events heard so far, joined by ", ", and forgotten. */
char *world_events(World *world);

#define assert_events(world, expected)                                                             \
	do {                                                                                       \
		world_settle(world);                                                               \
		g_autofree char *heard_ = world_events(world);                                     \
		g_assert_cmpstr(heard_, ==, expected);                                             \
	} while (0)
#define assert_code(error, expected)                                                               \
	do {                                                                                       \
		g_assert_error(error, LODGE_ERROR, expected);                                      \
		g_clear_error(&(error));                                                           \
	} while (0)

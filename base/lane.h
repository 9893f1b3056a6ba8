/* Lanes: serial queues on one shared pool of threads. Every live object has one; its mutable state
 * is touched by tasks of its lane only, so nothing behind a lane needs a lock.
 *
 * A task may block (it waits for QEMU, for a disk); other lanes go on. A task never waits for
 * another lane: it posts a continuation. Neighbours: core/ owns the lanes, engine/ runs on them. */
#pragma once

#include <glib.h>

typedef struct Lane Lane;
typedef void (*LaneFn)(gpointer data);

/* A lane with one reference, owned by the caller. */
Lane *lane_new(void);
/* The same on threads apart from those of all other lanes: for work that there may be much of and that waits
 * for servers which may hang, so that no object waits behind it. */
Lane *lane_new_apart(void);
Lane *lane_ref(Lane *lane);
/* Tasks already posted still run after the last unref. */
void lane_unref(Lane *lane);

/* Runs @fn(@data) after everything posted before. Any thread; never blocks. */
void lane_post(Lane *lane, LaneFn fn, gpointer data);

/* As lane_post(), and returns when @fn has run. Not on a lane, not on the main loop's thread. */
void lane_run(Lane *lane, LaneFn fn, gpointer data);

/* Whether the calling thread is running a task of @lane. */
gboolean lane_is_current(const Lane *lane);

/* Runs @fn(@data) on the pool beside every lane. Any thread; never blocks. */
void lane_beside(LaneFn fn, gpointer data);

/* Runs @fn(@data) on the main loop's thread. Any thread; never blocks. */
void lane_to_main(LaneFn fn, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lane, lane_unref)

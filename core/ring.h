/* The last output of a console, in a file, so that it outlives the daemon and costs it no memory.
 * One thread at a time. Neighbours: console.c is the only user. */
#pragma once

#include <glib.h>

typedef struct Ring Ring;

/* Opens or makes the ring at @path; what an earlier daemon put there is still there. */
Ring *ring_open(const char *path, GError **error);
void ring_free(Ring *ring);
/* Appends. Where the disk is full, what was is lost and the ring goes on in memory. */
void ring_put(Ring *ring, const char *bytes, gsize length);
/* Count of bytes ever put. */
guint64 ring_end(const Ring *ring);
/* Reads up to @room bytes from position @*at on; moves @*at past them, and first forward to the
 * oldest byte that is left where it is behind that. Returns the count, 0 at the end. */
gsize ring_get(const Ring *ring, guint64 *at, char *buffer, gsize room);

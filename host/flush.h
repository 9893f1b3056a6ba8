/* Data that is flushed to the disk beside the caller: for what is large or made in batches, and is of use
 * long before it is on the disk, as with cp and qemu-img. What it is for a power cut is said there where it
 * is made (image/part.h).
 * Neighbours: file.h flushes first. */
#pragma once

#include <glib.h>

/* From now on nothing waits (the configuration's flush-first), or again it may. At start. */
void flush_first(gboolean first);

/* Whether flushing may wait for the file that @fd has open: on a disk of this host, where writing has
 * already said whether there is room, and flushing the file makes its name durable, too. Any thread. */
gboolean flush_may_wait(int fd);

/* Takes the open file @fd, flushes it on a thread of the pool, and closes it; a failure goes to the log, with
 * @path. Where many wait already it is done here. Any thread. */
void flush_behind(int fd, const char *path);

/* Returns once nothing waits any more, or ten seconds later: for who unmounts a file system. Any thread. */
void flush_settle(void);

/* Performance events of a process and of all that it starts, counted by the kernel. Their names and their
 * order are libvirt's (virPerfEvent); facts: perf_event_open(2).
 *
 * Neighbours: engine/ counts for guests. */
#pragma once

#include <glib.h>
#include <sys/types.h>

#define PERF_EVENTS 22

/* "cmt", "mbmt", ..., "emulation_faults"; static. @i below PERF_EVENTS. Any thread. */
const char *perf_event_name(guint i);
/* The number of the event of that name; -1: there is none. Any thread. */
int perf_event_find(const char *name);
/* Begins to count event @i for the threads of process @pid and all that they start: descriptors, which the
 * caller owns; the count ends with them. NULL with UNSUPPORTED or DENIED, where the host's processor or
 * kernel has no such event, or does not give it. Any thread. */
GArray *perf_event_open(guint i, pid_t pid, GError **error);
/* What was counted so far; FALSE on failure. Any thread. */
gboolean perf_event_read(guint i, const GArray *fds, guint64 *value);

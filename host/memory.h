/* Gives memory back that only the start needed. Neighbours: daemon/ calls it when it is idle. */
#pragma once

/* From now on freed memory is kept for the next burst, until memory_release(). At start, before threads. */
void memory_keep(void);
/* Returns free heap to the system and drops the pages of code and constants (read-only mappings of files
 * of which no page differs from the file) from this process: they stay in the page cache and come back
 * one by one as they are used. Libraries touch megabytes at start that they never need again. Any thread;
 * costs a few milliseconds, and some page faults afterwards. */
void memory_release(void);

/* Gives memory back that only the start needed. Neighbours: daemon/ calls it when it is idle. */
#pragma once

/* Returns free heap to the system and unmaps the pages of code (read-only, executable mappings of
 * files) from this process: they stay in the page cache and come back one by one as they are used.
 * Libraries touch megabytes of code at start that they never need again. Any thread; costs about a
 * millisecond, and some page faults afterwards. */
void memory_release(void);

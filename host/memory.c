/* See memory.h. */
#include "host/memory.h"

#include <glib.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef struct Area {
	uintptr_t from, to;
	gboolean clean; /* of a file, not writable, and no page of it is other than in the file */
} Area;

/* The first line of an area in /proc/self/smaps (proc(5)): what may be clean is. */
static gboolean begins_area(const char *line, Area *area)
{
	uintptr_t from, to;
	char mode[5];
	int path = 0;
	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &from, &to, mode, &path) != 3)
		return FALSE;
	*area = (Area){ .from = from, .to = to };
	area->clean = (!strcmp(mode, "r-xp") || !strcmp(mode, "r--p")) && path && line[path] == '/';
	return TRUE;
}

/* Pages that were written to before they were made read-only (relocations), in memory or swapped out. */
static gboolean has_own_pages(const char *line)
{
	unsigned long kib = 0;
	return (sscanf(line, "Anonymous: %lu", &kib) == 1 || sscanf(line, "Swap: %lu", &kib) == 1) && kib > 0;
}

/* Where large pieces go back at once, each burst pays for their pages again: a fifth of the time of a list
 * of ten thousand. */
#define KEPT_PIECE (8 << 20)  /* bytes; larger ones have pages of their own, which go back when freed */
/* Heaps that the threads share: each keeps the most that it ever held, and a burst has hundreds. */
#define ARENAS 2
#define KEPT_TOP (32 << 20)   /* bytes that stay at the end of the heap */

void memory_keep(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_PIECE);
	mallopt(M_TRIM_THRESHOLD, KEPT_TOP);
	mallopt(M_ARENA_MAX, ARENAS);
}

void memory_release(void)
{
	char line[4096];
	Area area = { 0 };
	malloc_trim(0);
	FILE *areas = fopen("/proc/self/smaps", "re");
	while (areas && fgets(line, sizeof line, areas)) {
		if (begins_area(line, &area))
			continue;
		if (has_own_pages(line))
			area.clean = FALSE;
		else if (area.clean && g_str_has_prefix(line, "VmFlags:")) /* the last line of an area */
			madvise((void *)area.from, area.to - area.from, MADV_DONTNEED);
	}
	if (areas)
		fclose(areas);
}

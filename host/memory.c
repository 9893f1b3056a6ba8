/* See memory.h. */
#include "host/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

void memory_release(void)
{
	char line[4096];
	malloc_trim(0);
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof line, maps)) {
		uintptr_t from, to;
		char mode[5];
		int path = 0;
		/* "r-xp" of a file: text, which nobody has written to; never data, whose private
		 * pages would be lost */
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &from, &to, mode, &path) == 3 &&
		    strcmp(mode, "r-xp") == 0 && path && line[path] == '/')
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
	if (maps)
		fclose(maps);
}

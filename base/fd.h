/* File descriptor guards: `autofd int fd = open(...)` closes at the end of its scope;
 * `return fd_steal(&fd)` hands it on. Neighbours: every room that opens something. */
#pragma once

#include <errno.h>
#include <unistd.h>

static inline void fd_clear(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
	*fd = -1;
}

static inline int fd_steal(int *fd)
{
	int stolen = *fd;
	*fd = -1;
	return stolen;
}

#define autofd __attribute__((cleanup(fd_clear)))

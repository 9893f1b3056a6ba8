/* Starts a program in an exactly described world: arguments, environment, file descriptors, user,
 * cgroup and limits; nothing else is inherited. The child has a session of its own and no tie to
 * the daemon's life: guests outlive it.
 *
 * Neighbours: process.h watches and ends the child; cgroup.h says what to join; user.h whom to be.
 */
#pragma once

#include <sys/resource.h>

#include "base/opt.h"
#include "host/user.h"

typedef struct SpawnFd {
	int from; /* open in the daemon; stays the daemon's */
	int to;	  /* its number in the child; 0 to 2 are allowed */
} SpawnFd;

typedef struct SpawnLimit {
	int resource; /* RLIMIT_... */
	rlim_t soft, hard;
} SpawnLimit;

typedef struct Spawn {
	const char *const
		*argv; /* NULL at the end; [0] is the program: absolute, or found in PATH */
	const char *const *env; /* the whole environment, NULL at the end; NULL: empty */
	const SpawnFd *fds;
	guint n_fds;
	int output;	      /* becomes stdout and stderr; 0: /dev/null */
	const char *cwd;      /* NULL: "/" */
	OptUint umask;	      /* 077 where not said */
	const HostUser *user; /* NULL: the daemon's own */
	const char *const
		*join; /* v1 cgroup files that the child writes itself into; may be NULL */
	int cgroup;    /* v2 cgroup directory that the child is born in; 0: none */
	const SpawnLimit *limits;
	guint n_limits;
	OptInt oom_score_adj;  /* -1000..1000; lowering it needs root */
	gboolean same_session; /* short helpers only: stay in the daemon's session */
	gboolean tied;	       /* killed when the calling thread ends: for those that are waited for */
} Spawn;

typedef struct SpawnChild {
	pid_t pid;
	int pidfd; /* close-on-exec; the caller's */
} SpawnChild;

/* Starts the program; returns once it runs (execve succeeded). On failure nothing is left behind
 * and @error names program and stage. Blocks for about a millisecond. Any thread. */
gboolean spawn(const Spawn *how, SpawnChild *child, GError **error);

/* Runs the program, which gets no input, until it ends, or kills it after @timeout_ms. @out
 * receives what it wrote to stdout and stderr (at most 1 MiB; the caller frees it; may be NULL) and
 * @status its wait status. FALSE only where it could not run or was killed for being late.
 * how->output is ignored. Blocks: not on the main loop's thread. */
gboolean spawn_run(const Spawn *how, int timeout_ms, char **out, int *status, GError **error);

/* The same in two steps, for who has something else to do meanwhile. */
typedef struct SpawnRun {
	const char *name; /* argv[0], borrowed until the end */
	SpawnChild child;
	int output; /* the end of a pipe */
	int timeout_ms;
	gint64 deadline; /* monotonic */
} SpawnRun;

/* Starts it; nothing is left on failure. */
gboolean spawn_begin(const Spawn *how, int timeout_ms, SpawnRun *run, GError **error);
/* Waits for its end, always: nothing of @run is left. As spawn_run() otherwise. */
gboolean spawn_finish(SpawnRun *run, char **out, int *status, GError **error);

/* Watches and ends processes through pidfds, which cannot point at the wrong process, and knows a
 * process again after the daemon was restarted.
 * Neighbours: spawn.h makes them; engine/ watches QEMU. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* How a process ended. */
typedef struct ProcessEnd {
	gboolean known; /* FALSE for a process that is not our child: only its end is known */
	int status;	/* wait status where known */
} ProcessEnd;

/* The watch is over once it was called. @pidfd is still open. */
typedef void (*ProcessEndFn)(ProcessEnd end, gpointer data);

/* Calls @fn once on the main loop's thread when the process has ended; a child is reaped then.
 * @pidfd stays the caller's and must stay open until @fn ran or g_source_remove() was called with
 * the returned id. Any thread. */
guint process_watch(int pidfd, ProcessEndFn fn, gpointer data);

/* "exited with status 1", "was killed by signal 9 (Killed)", "ended"; the caller frees it. */
char *process_end_text(ProcessEnd end);

/* When the process started, in clock ticks since boot: with its pid this names it for as long as
 * the host runs. NOT_FOUND where there is none. Any thread. */
gboolean process_start_time(pid_t pid, guint64 *ticks, GError **error);

/* The processor time that the process has used so far, in nanoseconds; 0 where it is gone. A system
 * call that never waits. Any thread. */
guint64 process_cpu_time(pid_t pid);

/* What a process or one of its threads used so far. */
typedef struct ProcessUse {
	guint64 user_ns, system_ns;
	guint64 delay_ns; /* it was ready and had to wait for a processor; 0: not told */
	guint64 run_ns;	  /* on a processor, exactly; 0: not told */
	int processor;	  /* that it ran on last */
} ProcessUse;

/* Of the thread @tid of @pid, or with @tid 0 of the whole process. FALSE where it is gone. Reads one or
 * two small files below /proc and never waits. Any thread. */
gboolean process_use(pid_t pid, pid_t tid, ProcessUse *use);

/* Bytes of memory that the process holds now; 0 where it is gone. Any thread. */
guint64 process_resident(pid_t pid);

/* A pidfd of the process @pid that started at @ticks, close-on-exec, the caller's. -1 with
 * NOT_FOUND where it is gone, even if another has its number now. Any thread. */
int process_open(pid_t pid, guint64 ticks, GError **error);

/* Whether it has not ended yet. Any thread. */
gboolean process_alive(int pidfd);

/* Sends @sig; a process that has ended already is a success. Any thread. */
gboolean process_signal(int pidfd, int sig, GError **error);

/* Waits until it has ended, at most @timeout_ms (-1: for ever), without reaping it. FALSE where the
 * time is over. Blocks; any thread but the main loop's. */
gboolean process_wait(int pidfd, int timeout_ms);

/* SIGTERM, then after @term_grace_ms (0: at once) SIGKILL, and waits for the end, which a watch
 * reaps. TIMEOUT where the kernel cannot end it within 30 s (a disk that hangs). Blocks; any thread
 * but the main loop's. */
gboolean process_kill_wait(int pidfd, int term_grace_ms, GError **error);

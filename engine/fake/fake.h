/* An engine without processes, for the tests of core/: its guests live in memory, and a test says
 * when one ends, what it prints, and which step fails or hangs. Linked into tests only.
 *
 * The world has one list of "processes", which outlive a core as QEMU outlives the daemon, and one
 * "run" for each that a core knows. Everything here is for any thread.
 * Neighbours: engine.h; tests/unit/core-*.c. */
#pragma once

#include "engine/engine.h"

extern const Engine fake_engine;

/* What an engine does, step by step; start() goes through those up to FAKE_LIVE. */
typedef enum FakeStep {
	FAKE_PROBE,
	FAKE_CHECK,
	FAKE_START,   /* nothing is there yet */
	FAKE_SPAWNED, /* the process is there and kill() may come */
	FAKE_CONSOLE, /* its console was handed over */
	FAKE_LIVE,    /* its end would be told; start() only has to return */
	FAKE_ADOPT,
	FAKE_SIGNAL,
	FAKE_WRITE,
	FAKE_KILL,
	FAKE_STOP,
	FAKE_STEPS,
} FakeStep;

/* Forgets every fault, process and count. No run may be left. */
void fake_reset(void);

/* The @nth coming pass of @step (1: the next) fails. */
void fake_fail(FakeStep step, guint nth);
/* The next pass of @step hangs until fake_release(), or until the process it is about is killed. */
void fake_hang(FakeStep step);
void fake_release(FakeStep step);
/* Waits until somebody hangs in @step; FALSE after @ms. */
gboolean fake_hangs(FakeStep step, guint ms);
/* How often @step was passed. */
guint fake_count(FakeStep step);
/* stop() does not end the sink: fake_done() does, so that news of an old run can still come. */
void fake_keep_sinks(gboolean keep);

/* What the newest run of the guest @name tells. */
void fake_say_state(const char *name, GuestState state, GuestReason reason);
void fake_say_ended(const char *name, GuestReason reason, const char *detail);
void fake_say_event(const char *name, const char *event, const char *json);
/* The same for its run before that, which was stopped while sinks were kept. */
void fake_say_late(const char *name, GuestReason reason);
/* Ends every sink that was kept. */
void fake_done(void);

/* The far end of the guest's console; the fake's. */
int fake_console(const char *name);

/* Whether a process of that name lives. */
gboolean fake_alive(const char *name);
/* The daemon is gone: no run is left, processes go on. */
void fake_daemon_dies(void);
/* A process that no run knows: as a daemon leaves one that dies in the middle of start(). */
void fake_orphan(const char *name);
/* An unwatched process ends; the next adopt() hears @reason. */
void fake_dies_alone(const char *name, GuestReason reason);
/* Count of runs and of living processes. */
guint fake_runs(void);
guint fake_processes(void);

/* See fake.h. */
#include "engine/fake/fake.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

typedef struct Process {
	guint number; /* as a pid: never used again */
	char *name;
	gboolean alive;
	GuestState state;
	GuestReason end;
	int far; /* the guest's end of its console; -1: none */
} Process;

struct EngineRun {
	Process *process; /* NULL until it was made */
	char *name;
	EngineSink sink;
	gboolean live;	  /* its end is told */
	gboolean ended;	  /* was told */
	gboolean stopped; /* kept for late news only */
};

typedef struct Point {
	guint count, fail_at, hang_at;
	gboolean hanging;
} Point;

static GMutex lock;
static GCond changed;
static Point points[FAKE_STEPS];
static GPtrArray *processes, *runs; /* the newest last */
static guint last_number;
static gboolean keep_sinks;

static const char *const step_names[FAKE_STEPS] = {
	"probe", "check", "start", "spawned", "console", "live", "adopt", "signal", "write", "kill", "stop",
};

/* ---- faults ---- */

/* One pass of @step. A hang about @process ends with it. */
static gboolean pass(FakeStep step, const Process *process, GError **error)
{
	g_mutex_lock(&lock);
	Point *point = &points[step];
	gboolean fails = ++point->count == point->fail_at;
	if (point->count == point->hang_at) {
		point->hanging = TRUE;
		g_cond_broadcast(&changed);
		while (point->hanging && (!process || process->alive))
			g_cond_wait(&changed, &lock);
		point->hanging = FALSE;
	}
	gboolean died = process && !process->alive;
	g_mutex_unlock(&lock);
	if (fails)
		return fail(error, LODGE_ERROR_ENGINE, "the fake fails at %s", step_names[step]);
	if (died)
		return fail(error, LODGE_ERROR_GONE, "the fake died at %s", step_names[step]);
	return TRUE;
}

void fake_fail(FakeStep step, guint nth)
{
	g_mutex_lock(&lock);
	points[step].fail_at = points[step].count + nth;
	g_mutex_unlock(&lock);
}

void fake_hang(FakeStep step)
{
	g_mutex_lock(&lock);
	points[step].hang_at = points[step].count + 1;
	g_mutex_unlock(&lock);
}

void fake_release(FakeStep step)
{
	g_mutex_lock(&lock);
	points[step].hang_at = 0;
	points[step].hanging = FALSE;
	g_cond_broadcast(&changed);
	g_mutex_unlock(&lock);
}

gboolean fake_hangs(FakeStep step, guint ms)
{
	gint64 limit = g_get_monotonic_time() + (gint64)ms * 1000;
	g_mutex_lock(&lock);
	while (!points[step].hanging && g_cond_wait_until(&changed, &lock, limit))
		;
	gboolean hangs = points[step].hanging;
	g_mutex_unlock(&lock);
	return hangs;
}

guint fake_count(FakeStep step)
{
	g_mutex_lock(&lock);
	guint count = points[step].count;
	g_mutex_unlock(&lock);
	return count;
}

void fake_keep_sinks(gboolean keep)
{
	keep_sinks = keep;
}

/* ---- processes and runs ---- */

static void process_free(gpointer data)
{
	Process *process = data;
	if (process->far >= 0)
		close(process->far);
	g_free(process->name);
	g_free(process);
}

static void make_lists(void)
{
	if (processes)
		return;
	processes = g_ptr_array_new_with_free_func(process_free);
	runs = g_ptr_array_new();
}

static Process *process_new(const char *name)
{
	Process *process = g_new0(Process, 1);
	*process = (Process){ .name = g_strdup(name), .alive = TRUE, .far = -1,
			      .state = GUEST_RUNNING, .end = REASON_CRASHED };
	g_mutex_lock(&lock);
	make_lists();
	process->number = ++last_number;
	g_ptr_array_add(processes, process);
	g_mutex_unlock(&lock);
	return process;
}

/* Lock held; NULL where there is none. */
static Process *find_process(const char *name)
{
	for (guint i = processes ? processes->len : 0; i-- > 0;) {
		Process *process = g_ptr_array_index(processes, i);
		if (g_str_equal(process->name, name))
			return process;
	}
	return NULL;
}

/* Lock held. */
static void end_process(Process *process)
{
	process->alive = FALSE;
	if (process->far >= 0)
		close(process->far);
	process->far = -1;
	g_cond_broadcast(&changed);
}

static EngineRun *run_new(const char *name, const EngineSink *sink)
{
	EngineRun *run = g_new0(EngineRun, 1);
	run->name = g_strdup(name);
	run->sink = *sink;
	g_mutex_lock(&lock);
	make_lists();
	g_ptr_array_add(runs, run);
	g_mutex_unlock(&lock);
	return run;
}

static void run_free(EngineRun *run)
{
	g_mutex_lock(&lock);
	g_ptr_array_remove(runs, run);
	g_mutex_unlock(&lock);
	run->sink.done(run->sink.owner);
	g_free(run->name);
	g_free(run);
}

/* The newest run of that name, stopped or not; NULL: none. */
static EngineRun *find_run(const char *name, gboolean stopped)
{
	EngineRun *found = NULL;
	g_mutex_lock(&lock);
	for (guint i = runs ? runs->len : 0; i-- > 0 && !found;) {
		EngineRun *run = g_ptr_array_index(runs, i);
		if (g_str_equal(run->name, name) && run->stopped == stopped)
			found = run;
	}
	g_mutex_unlock(&lock);
	return found;
}

/* ---- the vtable ---- */

static gboolean probe(G_GNUC_UNUSED const EngineConfig *config, G_GNUC_UNUSED Notes *notes,
		      GError **error)
{
	return pass(FAKE_PROBE, NULL, error);
}

static gboolean check(Guest *guest, Notes *notes, GError **error)
{
	if (!guest->uuid)
		guest->uuid = g_uuid_string_random();
	if (guest->description)
		notes_add(notes, "the fake read: %s", guest->description);
	return pass(FAKE_CHECK, NULL, error);
}

/* A pty in raw mode: the far end is the guest's, ours goes to the sink. */
static gboolean give_console(EngineRun *run, GError **error)
{
	int far = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	char path[64];
	if (far < 0 || grantpt(far) < 0 || unlockpt(far) < 0 ||
	    ptsname_r(far, path, sizeof path) != 0)
		return fail_errno(error, errno, "cannot make a pty");
	int near = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct termios raw;
	if (near < 0 || tcgetattr(near, &raw) < 0)
		return fail_errno(error, errno, "cannot open %s", path);
	cfmakeraw(&raw);
	tcsetattr(near, TCSANOW, &raw);
	g_mutex_lock(&lock);
	run->process->far = far;
	g_mutex_unlock(&lock);
	run->sink.console(run->sink.owner, "serial0", near);
	return TRUE;
}

static void go_live(EngineRun *run)
{
	g_mutex_lock(&lock);
	run->live = TRUE;
	g_mutex_unlock(&lock);
}

static gboolean launch(EngineRun *run, gboolean paused, GError **error)
{
	if (!pass(FAKE_START, NULL, error))
		return FALSE;
	run->process = process_new(run->name);
	run->process->state = paused ? GUEST_PAUSED : GUEST_RUNNING;
	run->sink.spawned(run->sink.owner, run);
	if (!pass(FAKE_SPAWNED, run->process, error) || !give_console(run, error) ||
	    !pass(FAKE_CONSOLE, run->process, error))
		return FALSE;
	go_live(run);
	pass(FAKE_LIVE, NULL, NULL);
	return TRUE;
}

/* Ends what a failed start() or adopt() leaves. */
static void undo(EngineRun *run)
{
	run->sink.spawned(run->sink.owner, NULL);
	g_mutex_lock(&lock);
	if (run->process)
		end_process(run->process);
	g_mutex_unlock(&lock);
	run_free(run);
}

static EngineRun *start(Guest *live, const EngineStart *how, const EngineSink *sink, Notes *notes,
			GError **error)
{
	EngineRun *run = run_new(live->name, sink);
	if (live->title)
		notes_add(notes, "%s is emulated", live->title);
	if ((!how->loaded || how->loaded(how->loaded_data, error)) && launch(run, how->paused, error))
		return run;
	undo(run);
	return NULL;
}

/* The record is the number of the process. */
static char *record(EngineRun *run)
{
	return g_strdup_printf("%u", run->process->number);
}

static gboolean take_up(EngineRun *run, const char *text, GuestReason *reason, GError **error)
{
	if (!pass(FAKE_ADOPT, NULL, error))
		return FALSE;
	g_mutex_lock(&lock);
	run->process = find_process(run->name);
	gboolean same = run->process && text && run->process->number == strtoul(text, NULL, 10);
	gboolean alive = same && run->process->alive;
	*reason = !text ? REASON_FAILED : same ? run->process->end : REASON_CRASHED;
	g_mutex_unlock(&lock);
	if (!alive)
		return fail(error, LODGE_ERROR_GONE, "there is no such process");
	run->sink.spawned(run->sink.owner, run);
	return give_console(run, error);
}

static EngineRun *adopt(Guest *live, const char *text, const EngineSink *sink, GuestState *state,
			GuestReason *reason, GError **error)
{
	EngineRun *run = run_new(live->name, sink);
	if (!take_up(run, text, reason, error)) {
		undo(run);
		return NULL;
	}
	*state = run->process->state;
	*reason = *state == GUEST_PAUSED ? REASON_USER : REASON_BOOTED;
	go_live(run);
	return run;
}

static gboolean signal_guest(EngineRun *run, EngineSignal signal, GError **error)
{
	if (!pass(FAKE_SIGNAL, run->process, error))
		return FALSE;
	if (signal == ENGINE_PAUSE)
		run->process->state = GUEST_PAUSED;
	if (signal == ENGINE_RESUME)
		run->process->state = GUEST_RUNNING;
	if (signal == ENGINE_SHUTDOWN)
		fake_say_ended(run->name, REASON_SHUTDOWN, "the guest powered off");
	return TRUE;
}

static gboolean write_what(EngineRun *run, G_GNUC_UNUSED EngineWrite what, int fd,
			   G_GNUC_UNUSED const EngineProgress *progress, GError **error)
{
	if (!pass(FAKE_WRITE, run->process, error))
		return FALSE;
	return write(fd, run->name, strlen(run->name)) > 0;
}

static void tell_end(EngineRun *run, GuestReason reason, const char *detail)
{
	g_mutex_lock(&lock);
	gboolean tell = run->live && !run->ended;
	run->ended = TRUE;
	end_process(run->process);
	g_mutex_unlock(&lock);
	if (tell)
		run->sink.ended(run->sink.owner, reason, detail);
}

static gboolean kill_guest(EngineRun *run, G_GNUC_UNUSED gboolean graceful, GError **error)
{
	if (!pass(FAKE_KILL, NULL, error))
		return FALSE;
	tell_end(run, REASON_CRASHED, "killed by signal 9");
	return TRUE;
}

static void stop(EngineRun *run)
{
	pass(FAKE_STOP, NULL, NULL);
	g_mutex_lock(&lock);
	end_process(run->process);
	run->stopped = TRUE;
	run->live = FALSE;
	g_mutex_unlock(&lock);
	if (!keep_sinks)
		run_free(run);
}

const Engine fake_engine = {
	.name = "fake", .probe = probe, .check = check, .start = start, .adopt = adopt,
	.record = record, .signal = signal_guest, .write = write_what, .kill = kill_guest, .stop = stop,
};

/* ---- what a test says ---- */

void fake_say_state(const char *name, GuestState state, GuestReason reason)
{
	EngineRun *run = find_run(name, FALSE);
	g_assert_nonnull(run);
	run->process->state = state;
	run->sink.state(run->sink.owner, state, reason);
}

void fake_say_ended(const char *name, GuestReason reason, const char *detail)
{
	EngineRun *run = find_run(name, FALSE);
	g_assert_nonnull(run);
	tell_end(run, reason, detail);
}

void fake_say_event(const char *name, const char *event, const char *json)
{
	EngineRun *run = find_run(name, FALSE);
	g_assert_nonnull(run);
	run->sink.event(run->sink.owner, event, json);
}

void fake_say_late(const char *name, GuestReason reason)
{
	EngineRun *run = find_run(name, TRUE);
	g_assert_nonnull(run);
	run->sink.ended(run->sink.owner, reason, "late");
	run->sink.state(run->sink.owner, GUEST_PAUSED, REASON_IO_ERROR);
}

void fake_done(void)
{
	for (guint i = runs ? runs->len : 0; i-- > 0;) {
		EngineRun *run = g_ptr_array_index(runs, i);
		if (run->stopped)
			run_free(run);
	}
}

int fake_console(const char *name)
{
	g_mutex_lock(&lock);
	Process *process = find_process(name);
	int far = process ? process->far : -1;
	g_mutex_unlock(&lock);
	return far;
}

gboolean fake_alive(const char *name)
{
	g_mutex_lock(&lock);
	Process *process = find_process(name);
	gboolean alive = process && process->alive;
	g_mutex_unlock(&lock);
	return alive;
}

void fake_daemon_dies(void)
{
	while (runs && runs->len)
		run_free(g_ptr_array_index(runs, runs->len - 1));
	for (guint i = 0; processes && i < processes->len; i++) {
		Process *process = g_ptr_array_index(processes, i);
		if (process->far >= 0)
			close(process->far);
		process->far = -1;
	}
}

void fake_orphan(const char *name)
{
	process_new(name);
}

void fake_dies_alone(const char *name, GuestReason reason)
{
	g_mutex_lock(&lock);
	Process *process = find_process(name);
	g_assert_nonnull(process);
	process->end = reason;
	end_process(process);
	g_mutex_unlock(&lock);
}

guint fake_runs(void)
{
	g_mutex_lock(&lock);
	guint n = runs ? runs->len : 0;
	g_mutex_unlock(&lock);
	return n;
}

guint fake_processes(void)
{
	guint n = 0;
	g_mutex_lock(&lock);
	for (guint i = 0; processes && i < processes->len; i++)
		n += ((Process *)g_ptr_array_index(processes, i))->alive;
	g_mutex_unlock(&lock);
	return n;
}

void fake_reset(void)
{
	g_assert_cmpuint(fake_runs(), ==, 0);
	memset(points, 0, sizeof points);
	keep_sinks = FALSE;
	g_clear_pointer(&processes, g_ptr_array_unref);
	g_clear_pointer(&runs, g_ptr_array_unref);
}

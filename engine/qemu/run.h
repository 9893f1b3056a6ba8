/* What the files that run QEMU share: the process of one guest. Private to this folder.
 * Neighbours: qemu.c is the vtable; start.c and adopt.c make runs; monitor.c hears of them;
 * prepare.c and open.c see to files; claims.c knows who uses which image. */
#pragma once

#include "engine/engine.h"
#include "engine/qemu/command.h"
#include "engine/qemu/helpers.h"
#include "host/cgroup.h"
#include "host/perf.h"
#include "host/qmp.h"
#include "host/user.h"

#define QMP_MS 10000 /* an ordinary command; a stopped QEMU answers none */

/* The engine's own, set by probe() and immutable afterwards. */
typedef struct QemuHost {
	EngineConfig config;
	char *binary;
	HostUser *user; /* whom QEMU runs as */
	CgroupTree *cgroups;
	gboolean kvm;
	char *kvm_why_not;
} QemuHost;

extern QemuHost qemu_host;

typedef struct EngineRun {
	gint refs; /* the owner, the watch of the process, the monitor */
	char *name;
	EngineSink sink;
	pid_t pid;
	int pidfd;
	guint64 ticks; /* start of the process: its identity after a restart */
	Qmp *qmp;
	char *run_dir, *monitor_path, *log_path;
	Cgroup *cgroup;
	GPtrArray *helpers; /* QemuHelper * */
	const EngineStart *how; /* while it starts; the caller's */
	int vsock; /* while it starts: has the guest's address; -1: none */
	GMutex perf_lock;
	GArray *perf[PERF_EVENTS]; /* of host/perf.h; NULL: not counted; under perf_lock */
	GPtrArray *claims;  /* char *: keys in claims.c */
	GPtrArray *writes;  /* char *: images that it writes, while it starts */
	GuestAction on_poweroff, on_reboot, on_crash;
	gint quiet;	    /* atomic: say nothing upward: being started, or stopped */
	gint reboot_wanted; /* atomic: the next shutdown is the first half of a reboot */
	gint shut_down;	    /* atomic: the guest powered off */
	gint ended;	    /* atomic: ended() was called */
	gint passt_wait;    /* atomic: seconds before passt is tried again */
	GuestReason pause_reason; /* main: why the next STOP comes */
} EngineRun;

/* run.c */
EngineRun *run_new(const Guest *live, const EngineSink *sink);
EngineRun *run_ref(EngineRun *run);
void run_unref(EngineRun *run);
/* Watches the process; its end reaches the sink. */
void run_watch(EngineRun *run);
/* Tells the sink once that it is over. Any thread. */
void run_say_ended(EngineRun *run, GuestReason reason, const char *detail);
/* Ends the process if it runs, its helpers, and removes what start made. Lane. */
void run_clean(EngineRun *run);
/* The last lines of QEMU's log from byte @from on, one line, for messages; the caller frees. */
char *run_log_tail(const EngineRun *run, goffset from);

/* monitor.c */
extern const QmpHandlers run_monitor_handlers;
gboolean run_signal(EngineRun *run, EngineSignal signal, GError **error);
/* See ENGINE_ASK_ACTIONS. */
char *run_actions(EngineRun *run, const char *text, GError **error);
/* Maps query-status to our state. */
gboolean run_query_state(EngineRun *run, int timeout_ms, GuestState *state, GuestReason *reason,
			 GError **error);

/* describe.c */
char *run_ask(EngineRun *run, EngineAsk what, const char *text, GError **error);
int run_screen(EngineRun *run, const Graphics *graphics, gboolean no_password, int given, GError **error);
gboolean run_describe(const char *path, EngineCaps *caps, GError **error);

/* The alias in "/machine/peripheral/virtio-disk0/virtio-backend", where QEMU does not give it itself;
 * NULL: none. The caller frees it. */
char *qemu_alias_of(const char *path);

/* stats.c; see engine/stats.h */
void run_measure(EngineRun *run, const Guest *live, guint what, int timeout_ms, EngineStatsFn fn,
		 gpointer data);

/* cpus.c; see engine/cpus.h */
const EngineCpuModels *run_cpus(const char *path, gboolean kvm, GError **error);
/* Whether @name is a model, and no version of one or word for the host's. */
gboolean qemu_is_cpu_model(const char *name);

/* native.c: the command line for @guest, a checked definition, which it completes; the caller frees. */
char *run_native(Guest *guest, Notes *notes, GError **error);

/* start.c, adopt.c */
EngineRun *run_start(Guest *live, const EngineStart *how, const EngineSink *sink, Notes *notes,
		     GError **error);
EngineRun *run_adopt(Guest *live, const char *record, const EngineSink *sink, GuestState *state,
		     GuestReason *reason, GError **error);
char *run_record(EngineRun *run);
/* Opens the ptys that @live names and hands them to the sink. */
void run_open_consoles(EngineRun *run, const Guest *live);

/* save.c: memory and devices to @fd, and from it into a QEMU that was told to expect them. */
gboolean run_save(EngineRun *run, int fd, const EngineProgress *progress, GError **error);
/* Ends a migration that nobody waits for, where there is one. */
void run_save_cancel(EngineRun *run);
gboolean run_load(EngineRun *run, int fd, GError **error);

/* bound.c: has the guest's control group know what @live's memtune, cputune, blkiotune and numatune say;
 * @before (NULL: none) is what said so until now. All that can be is done; the error is of the first that
 * cannot: UNSUPPORTED where the host has no such groups. */
gboolean run_bound(EngineRun *run, const Guest *before, const Guest *live, GError **error);
char *run_rebound(EngineRun *run, const char *text, GError **error);

/* vcpus.c: the CPUs that are plugged. */
gboolean run_plug_vcpus(EngineRun *run, const Guest *live, GError **error);

/* pin.c: threads where @live has them run. */
gboolean run_pin(EngineRun *run, const Guest *live, GError **error);

/* supervise.c: passt is started, and again where it ends, see ENGINE_ASK_PASST; the caller frees. */
char *run_passt(EngineRun *run, const char *text, GError **error);
/* A listening socket, which QEMU gets and where passt of @interface is connected; -1 on failure. */
int run_open_passt(EngineRun *run, const Interface *interface, GError **error);
/* For helpers that an earlier daemon started: tells of their end. */
void run_watch_helper(EngineRun *run, const QemuHelper *helper);
/* Tells of those that ended while nothing was told upward. */
void run_check_helpers(EngineRun *run);

/* count.c: what the kernel counts of it. run_count() begins with what @live says; what the host has not is
 * refused where @notes is NULL, else noted. run_recount(): see ENGINE_ASK_PERF; the caller frees. */
gboolean run_count(EngineRun *run, const Guest *live, Notes *notes, GError **error);
char *run_recount(EngineRun *run, const char *text, GError **error);
/* Adds what was counted. Any thread. */
void run_counted(EngineRun *run, EngineStats *stats);
void run_count_end(EngineRun *run);

/* resize.c: see ENGINE_ASK_RESIZE; the caller frees the answer. */
char *run_resize(EngineRun *run, const char *text, GError **error);

/* dump.c: memory for debuggers, and a piece of it as base64 that the caller frees. */
gboolean run_dump(EngineRun *run, EngineWrite what, int fd, const EngineProgress *progress, GError **error);
/* Waits for a dump that an earlier daemon began: QEMU does not cancel it, and lets no CPU run meanwhile.
 * FALSE: there was none. */
gboolean run_dump_wait(EngineRun *run);
char *run_peek(EngineRun *run, const char *text, GError **error);

/* channel.c: from what query-chardev answered, or asking it. */
void run_fill_channels(const EngineRun *run, Guest *live, json_t *chardevs);
void run_refresh_channels(EngineRun *run, Guest *live, int timeout_ms);

/* prepare.c: what must be known before the command line: firmware, backing chains, ports. */
gboolean run_prepare(EngineRun *run, Guest *live, const EngineStart *how, Notes *notes, GError **error);

/* Where UEFI variables are kept; the caller frees it. */
char *run_nvram_folder(void);

/* open.c */
/* Opens every fd of @command; fills @fds (as many as command->fds) with daemon-side fds to map.
 * Those opened are closed by the caller, also on failure (-1: not opened). */
gboolean run_open_fds(EngineRun *run, const QemuCommand *command, const Guest *live, int *fds,
		      GError **error);

/* claims.c */
/* Marks the open image @fd as used by @run; refused where another guest uses it and one of both
 * writes, unless both say @shareable. @what and @path are for the message. Any thread. */
gboolean claim_image(EngineRun *run, int fd, gboolean writes, gboolean shareable, const char *what,
		     const char *path, GError **error);
/* Gives all claims of @run up. Any thread. */
void claims_release(EngineRun *run);

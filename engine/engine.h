/* What runs guests: a vtable of about ten functions, and the words in which core/ and engines
 * speak. engine.c is its one boundary: it asserts, logs and passes on.
 *
 * Every function but kill() runs on the guest's lane and may block (with a time limit on whatever
 * it waits for). Engines report upward through the EngineSink given at start, from any thread;
 * core/ posts what it hears to the lane.
 *
 * Neighbours: core/ above; model/ and host/ below; qemu/ and fake/ implement it. */
#pragma once

#include <gio/gio.h>

#include "base/paths.h"
#include "engine/caps.h"
#include "engine/cpus.h"
#include "engine/stats.h"
#include "model/guest.h"

typedef enum GuestState { /* libvirt's virDomainState, numbers included */
	GUEST_NOSTATE,
	GUEST_RUNNING,
	GUEST_BLOCKED,
	GUEST_PAUSED,
	GUEST_SHUTDOWN, /* being shut down */
	GUEST_SHUTOFF,
	GUEST_CRASHED,
	GUEST_PMSUSPENDED,
} GuestState;

/* Why it is in that state; libvirt's reasons by name. One list: what counts depends on the state. */
typedef enum GuestReason {
	REASON_UNKNOWN,
	REASON_BOOTED,
	REASON_MIGRATED,
	REASON_RESTORED,
	REASON_FROM_SNAPSHOT,
	REASON_UNPAUSED,
	REASON_SAVE_CANCELED,
	REASON_WAKEUP,
	REASON_CRASHED,
	REASON_USER,
	REASON_SAVING,
	REASON_DUMPING,
	REASON_IO_ERROR,
	REASON_WATCHDOG,
	REASON_SHUTTING_DOWN,
	REASON_STARTING_UP,
	REASON_SHUTDOWN,
	REASON_DESTROYED,
	REASON_SAVED,
	REASON_FAILED,
	REASON_DAEMON,
	REASON_PANICKED,
} GuestReason;

extern const EnumTable guest_states;  /* "running", "paused", "shut off", ... (virsh's words) */
extern const EnumTable guest_reasons; /* "booted", "user", "destroyed", ... */

typedef enum EngineSignal {
	ENGINE_PAUSE,
	ENGINE_RESUME,
	ENGINE_RESET,
	ENGINE_SHUTDOWN, /* ACPI power button */
	ENGINE_REBOOT,	 /* power button, then start again instead of ending */
	ENGINE_NMI,
	ENGINE_WAKEUP,	     /* from PMSUSPENDED */
	ENGINE_NO_REBOOT,    /* a reboot that was asked for is taken back; asks the guest nothing */
} EngineSignal;

/* What an engine can write into a file. */
typedef enum EngineWrite {
	ENGINE_SCREENSHOT = 1, /* a PNG, of EngineProgress.screen */
	ENGINE_MEMORY,	       /* memory and devices of a guest whose CPUs stand still */
	ENGINE_DUMP_ELF,       /* memory alone, for debuggers; it cannot be cancelled */
	ENGINE_DUMP_KDUMP_ZLIB,
	ENGINE_DUMP_KDUMP_LZO,
	ENGINE_DUMP_KDUMP_SNAPPY,
	ENGINE_DUMP_WINDOWS,
} EngineWrite;

/* How far a long write is. What the engine does not tell is 0. */
typedef struct EngineWork {
	guint64 total, processed, remaining;	 /* bytes */
	guint64 constant_pages, normal_pages, normal_bytes;
	guint64 iteration, page_size, bytes_per_s, dirty_pages_per_s;
	guint64 setup_ms;
} EngineWork;

/* A screen of a guest: one of a video device may have several. */
typedef struct EngineScreen {
	const char *alias; /* of the video device */
	guint head;	   /* counts from 0 on each */
} EngineScreen;

/* How a long write is followed and ended by who asked for it. */
typedef struct EngineProgress {
	void (*tell)(gpointer data, double fraction); /* 0..1, negative where unknown; may be NULL */
	void (*work)(gpointer data, const EngineWork *work); /* the same in numbers; may be NULL */
	gpointer data;
	GCancellable *cancel; /* may be NULL */
	const EngineScreen *screen; /* of a screenshot, which is not long; NULL: the first */
} EngineProgress;

#define ENGINE_QUEUES 16 /* of one interface at most */

/* How the daemon has connected an interface (core/connect.h). */
typedef struct EnginePlug {
	int taps[ENGINE_QUEUES], vhosts[ENGINE_QUEUES]; /* descriptors; the caller closes them */
	guint n_taps, n_vhosts; /* no taps: the engine connects it itself */
} EnginePlug;

/* Descriptors that a client has given for a disk, by the name that <source fdgroup=> says. */
typedef struct EngineFdGroup {
	int *fds;
	guint n;
	gboolean writable; /* it may be written through the only one */
} EngineFdGroup;

typedef struct EngineStart {
	GHashTable *fd_groups; /* EngineFdGroup by name, the caller's; NULL: none */
	EnginePlug *plugs; /* one for each interface of the guest; NULL: none */
	guint n_plugs;
	gboolean paused; /* leave the CPUs stopped */
	gboolean reset_nvram; /* UEFI forgets its variables */
	int stream;	 /* goes on from what ENGINE_MEMORY wrote: an fd at its beginning; 0: boots */
	/* Called once that is read, before its CPUs may run; FALSE ends the start. NULL: nothing */
	gboolean (*loaded)(gpointer data, GError **error);
	gpointer loaded_data;
} EngineStart;

typedef enum EngineAsk {
	ENGINE_ASK_MONITOR = 1, /* a command of the hypervisor's own monitor, as JSON */
	ENGINE_ASK_HUMAN,	/* one for people, as text */
	ENGINE_ASK_KEYS,	/* press keys: QEMU's numbers, "HOLD-MS NUMBER NUMBER ..." */
	ENGINE_ASK_LIMITS,	/* bound a disk from now on: the disk as JSON of its shape; says "" */
	ENGINE_ASK_BOUND,	/* bound its memory and processor time from now on: JSON of two guests, what
				   ran until now and what does from now on; says "" */
	ENGINE_ASK_PEEK,	/* bytes of its memory: "physical FROM SIZE" or "virtual FROM SIZE" of its
				   first CPU; at most 4 MiB, as base64 */
	ENGINE_ASK_RESIZE,	/* a disk of another size from now on: "INDEX BYTES", " shrink" behind it
				   where it may become smaller; says its bytes until now */
	ENGINE_ASK_ACTIONS,	/* what its ends do from now on: three words of guest_actions, of power off,
				   reboot and crash; says "" */
	ENGINE_ASK_PASST,	/* have passt serve an interface: the interface as JSON of its shape, with all
				   ports that lead to it; "started" where it was started for that (again),
				   which cuts connections, "" where it serves so already. Or "reservations":
				   the same of the helper for those of SCSI */
	ENGINE_ASK_PERF,	/* count, or not any more: "+NAME -NAME ..." of host/perf.h's; says those that
				   are counted then, "NAME NAME" */
	ENGINE_ASK_PID,		/* the number of its process, for what the host counts; at once */
} EngineAsk;

typedef struct EngineRun EngineRun; /* one running guest, as its engine sees it */

/* Called by the engine, from any thread; @owner is the sink's. Strings live for the call only. */
typedef struct EngineSink {
	gpointer owner;
	void (*state)(gpointer owner, GuestState state, GuestReason reason);
	/* The process is gone (or paused for good after a shutdown): stop() is to be called. */
	void (*ended)(gpointer owner, GuestReason reason, const char *detail);
	/* "helper-ended", for core/ alone: passt or another has to be started again (ENGINE_ASK_PASST).
	 * Anything else a listener may want: @name as libvirt calls it ("rtc-change", "watchdog",
	 * "io-error", "balloon-change", "reboot", "agent-lifecycle", ...), @json its details. */
	void (*event)(gpointer owner, const char *name, const char *json);
	/* The process is there: kill() may be called with @run from now on, start() goes on. */
	void (*spawned)(gpointer owner, EngineRun *run);
	/* The host's side of the console @alias: bytes both ways, non-blocking. @fd is handed over. */
	void (*console)(gpointer owner, const char *alias, int fd);
	/* None of the above is called any more, @owner may go. Called once, also where start() or
	 * adopt() failed. */
	void (*done)(gpointer owner);
} EngineSink;

typedef struct EngineConfig {
	const Paths *paths;
	const char *user;	 /* QEMU's user where the daemon is root; NULL: chosen by host/user.h */
	const char *qemu;	 /* emulator where the definition's is not there; NULL: searched */
	gboolean require_kvm;	 /* never fall back to emulation */
	/* The value of the secret with that @uuid, or (NULL) of that @usage type and id, for the guest
	 * that is started; the caller frees it. NULL: NOT_FOUND. Lane of a guest. */
	char *(*secret)(gpointer owner, const char *uuid, const char *type, const char *usage,
			gsize *length, GError **error);
	gpointer secret_owner;
} EngineConfig;

/* The hypervisor's own form of @guest, which was checked and is completed by this: a line for a shell, which
 * the caller frees. NULL on failure. Any thread but the main loop's. */
typedef char *(*EngineNativeFn)(Guest *guest, Notes *notes, GError **error);

typedef struct Engine {
	const char *name;
	/* Learns what the hypervisor can do; once, before anything else; any thread. */
	gboolean (*probe)(const EngineConfig *config, Notes *notes, GError **error);
	/* Completes and checks a definition: defaults, controllers, addresses, what another host's
	 * document needs; notes say what was changed. Any thread. */
	gboolean (*check)(Guest *guest, Notes *notes, GError **error);
	/* Starts @live (a copy that the engine completes: aliases, ports, ptys, backing chains); its
	 * CPUs stay stopped where @how says so. Nothing is left behind on failure, and ended() is
	 * not called then. */
	EngineRun *(*start)(Guest *live, const EngineStart *how, const EngineSink *sink,
			    Notes *notes, GError **error);
	/* Takes up a guest that an earlier daemon started, from what record() gave; @record is NULL
	 * where that daemon died in the middle of start(). On failure the guest is gone, nothing of
	 * it is left, *reason says how it ended, and *state is GUEST_SHUTOFF where its CPUs never ran. */
	EngineRun *(*adopt)(Guest *live, const char *record, const EngineSink *sink,
			    GuestState *state, GuestReason *reason, GError **error);
	/* What adopt() needs, as JSON text the caller frees. Never fails. */
	char *(*record)(EngineRun *run);
	gboolean (*signal)(EngineRun *run, EngineSignal signal, GError **error);
	/* Writes @what to the file @fd at its position. @progress may be NULL. A cancelled write is
	 * ABORTED; after a failure the guest can go on. */
	gboolean (*write)(EngineRun *run, EngineWrite what, int fd, const EngineProgress *progress,
			  GError **error);
	/* What the hypervisor answers to @text, which the caller frees. NULL on failure. */
	char *(*ask)(EngineRun *run, EngineAsk what, const char *text, GError **error);
	/* With @theirs (lent, -1: none) that socket speaks VNC or SPICE from now on, and 0 is returned.
	 * Otherwise one end of a socket whose other end does, for the screen @graphics of the
	 * guest's; with @no_password without asking for one. -1 on failure. */
	int (*screen)(EngineRun *run, const Graphics *graphics, gboolean no_password, int theirs,
		      GError **error);
	/* Fills @caps (zeroed, of engine_caps_shape) with what the emulator @path (NULL: the usual
	 * one) offers. May ask it: some seconds, once. Any thread but the main loop's. */
	gboolean (*describe)(const char *path, EngineCaps *caps, GError **error);
	/* Ends the process at once. The only function that may run beside the lane, on any thread,
	 * also twice; it touches nothing but the process handle. @graceful: SIGTERM first. */
	gboolean (*kill)(EngineRun *run, gboolean graceful, GError **error);
	EngineNativeFn native; /* NULL: there is no command line */
	EngineCpusFn cpus; /* see cpus.h; NULL: it knows no models */
	EngineMeasureFn measure; /* see stats.h; NULL: nothing is counted */
	/* Frees @run after the process ended and removes everything that start() made. */
	void (*stop)(EngineRun *run);
} Engine;

extern const Engine qemu_engine;

/* The folder with the state of the TPM of the guest @uuid, on every engine; the caller frees it. */
char *engine_tpm_folder(const Paths *paths, const char *uuid);

/* Boundary: start and adopt with their preconditions asserted and their course logged. */
EngineRun *engine_start(const Engine *engine, Guest *live, const EngineStart *how,
			const EngineSink *sink, Notes *notes, GError **error);
EngineRun *engine_adopt(const Engine *engine, Guest *live, const char *record,
			const EngineSink *sink, GuestState *state, GuestReason *reason,
			GError **error);

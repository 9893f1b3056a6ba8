/* The live objects: every guest that this daemon knows, what runs of it, and who wants to hear of
 * changes. Owns all mutable state.
 *
 * Threads: each guest has a lane (base/lane.h); functions marked "lane" run there and may block.
 * Everything else is for any thread unless it says main. After each change the lane publishes an
 * immutable GuestSnap; reads take that and never wait.
 *
 * Neighbours: ops/ above; engine/, store/, host/ below. events.h, console.h: the rest of this
 * room's face. */
#pragma once

#include "base/lane.h"
#include "core/events.h"
#include "engine/engine.h"

typedef struct Core Core;
typedef struct CoreGuest CoreGuest;

typedef struct CoreConfig {
	const Paths *paths;   /* copied */
	const Engine *engine; /* static */
	EngineConfig engine_config;
	const struct CoreKind *const *kinds; /* CORE_KINDS of them, see object.h; NULL: core_kinds */
	Tri default_network; /* define `default` on a new host; absent: where no root was given */
} CoreConfig;

/* Loads the definitions and takes up the guests that still run. Main; blocks at start only. */
Core *core_new(const CoreConfig *config, GError **error);
/* Starts those marked autostart, once per boot of the host. Main. */
void core_begin(Core *core);
/* Forgets everything; guests run on. Main. */
void core_free(Core *core);

/* ---- definitions and snapshots: immutable, shared ---- */

typedef struct Definition {
	gint refs;
	const Guest *guest;
} Definition;

Definition *definition_ref(Definition *definition);
void definition_unref(Definition *definition);

/* What lists and reads are answered from. */
typedef struct GuestSnap {
	gint refs;
	char *name;
	char uuid[37];
	char *title; /* may be NULL */
	int id;	     /* -1: not running */
	pid_t pid;   /* of its process; 0: none */
	GuestState state;
	GuestReason reason;
	gboolean persistent, autostart;
	gboolean updated; /* the definition was changed since this run began */
	guint64 memory; /* bytes */
	guint vcpus;
	gint64 since;	  /* real time of the last change of state, microseconds; 0: before us */
	char *note;	  /* warning that stands: "emulated: this CPU has no vmx or svm"; or NULL */
	Definition *live; /* what runs; NULL: it does not */
} GuestSnap;

GuestSnap *guest_snap_ref(GuestSnap *snap);
void guest_snap_unref(GuestSnap *snap);

/* ---- registry ---- */

/* The guest with that name, uuid or (all digits) id; a reference, or NULL with NOT_FOUND. */
CoreGuest *core_find(Core *core, const char *key, GError **error);
typedef enum CoreFindBy { CORE_BY_NAME = 1, CORE_BY_UUID = 2, CORE_BY_ID = 4 } CoreFindBy;
/* The guest with that uuid, sixteen bytes; a reference, or NULL. */
CoreGuest *core_find_uuid(Core *core, const guint8 *bytes);
/* The same, by those of @by alone (CoreFindBy). */
CoreGuest *core_find_by(Core *core, guint by, const char *key, GError **error);
CoreGuest *core_guest_ref(CoreGuest *guest);
void core_guest_unref(CoreGuest *guest);

typedef enum CoreListFlags { CORE_LIST_ACTIVE = 1 << 0, CORE_LIST_INACTIVE = 1 << 1 } CoreListFlags;
/* Snapshots (references) as virsh orders them: running by id, then the others by name. */
GPtrArray *core_list(Core *core, guint flags);

/* A reference to the present snapshot. Never waits. */
GuestSnap *core_guest_snap(CoreGuest *guest);
/* Sets @error (STATE): the guest @name is not running. Returns FALSE. Any thread. */
gboolean guest_not_running(const char *name, GError **error);
Lane *core_guest_lane(CoreGuest *guest);
const Paths *core_paths(Core *core);

/* The definition: what runs, or with @inactive (or where it does not run) what the next start will
 * use. A reference. Reads a file: not on the main loop. */
Definition *core_guest_definition(CoreGuest *guest, gboolean inactive, GError **error);

/* ---- verbs ---- */

typedef enum CoreDefineFlags {
	CORE_DEFINE_VALIDATE = 1 << 0,	/* unknown elements are refused */
	CORE_DEFINE_NEED_UUID = 1 << 1, /* a guest is changed only where @xml has its uuid, as libvirt
					 * has it; else a document without one is of the guest of its
					 * name */
	CORE_DEFINE_PAUSED = 1 << 2,	/* core_create(): its CPUs stay stopped */
	CORE_DEFINE_AUTODESTROY = 1 << 3, /* core_create(): as CORE_START_AUTODESTROY */
	CORE_DEFINE_RESET_NVRAM = 1 << 4, /* core_create(): as CORE_START_RESET_NVRAM */
	CORE_DEFINE_AS_IT_IS = 1 << 5, /* it has run elsewhere: model/rules.h refuses nothing of it */
} CoreDefineFlags;

/* Checks @xml, stores it and makes it known; replaces the definition of the same name and uuid.
 * Returns a reference. Blocks: a pool thread that is nobody's lane (OP_BESIDE). */
CoreGuest *core_define(Core *core, const char *xml, guint flags, Notes *notes, GError **error);
/* Starts a guest that is not stored and forgotten when it ends. As core_define(). */
CoreGuest *core_create(Core *core, const char *xml, guint flags, Notes *notes, GError **error);

typedef enum CoreStartFlags {
	CORE_START_PAUSED = 1 << 0,
	CORE_START_FORCE_BOOT = 1 << 1, /* drops a managed save instead of going on from it */
	CORE_START_RESET_NVRAM = 1 << 2, /* UEFI's variables are made anew from their template */
	CORE_START_AUTODESTROY = 1 << 4, /* it ends with the daemon; who asks ends it otherwise */
	CORE_START_PAST_CACHE = 1 << 3, /* what it goes on from does not stay in the host's memory */
} CoreStartFlags;
/* From its managed save, which is used up, or by booting. Lane. */
gboolean core_guest_start(CoreGuest *guest, guint flags, Notes *notes, GError **error);
/* Pause, resume, reset, shutdown, reboot, NMI. A shutdown only asks. */
gboolean core_guest_signal(CoreGuest *guest, EngineSignal signal, GError **error); /* lane */
/* Ends it at once, also while its lane is busy; returns when it is off. OP_BESIDE. */
gboolean core_guest_destroy(CoreGuest *guest, gboolean graceful, GError **error);
gboolean core_guest_autostart(CoreGuest *guest, gboolean on, GError **error); /* lane */
gboolean core_guest_rename(CoreGuest *guest, const char *name, GError **error); /* lane */
/* A PNG of screen number @screen, counted over all its video devices, in an unlinked file, positioned at the
 * start; -1 on failure. */
int core_guest_screenshot(CoreGuest *guest, guint64 screen, GError **error); /* lane */
/* Changes the definition with @fn: what runs (@live), what is stored (@config), or with neither
 * said whichever the guest has now. Nothing changes where @fn fails or either is not there. */
typedef gboolean (*GuestEditFn)(Guest *guest, gpointer data, GError **error);
gboolean core_guest_edit(CoreGuest *guest, gboolean live, gboolean config, GuestEditFn fn,
			 gpointer data, GError **error); /* lane */
/* See engine.h; the caller frees the answer. */
char *core_guest_ask(CoreGuest *guest, EngineAsk what, const char *text, GError **error); /* lane */
/* A connection to screen number @index of what runs, or @theirs (lent; -1: none) made one; see engine.h.
 * -1 on failure: STATE, NOT_FOUND. Lane. */
int core_guest_screen(CoreGuest *guest, guint index, gboolean no_password, int theirs, GError **error);
/* What the engine offers; see engine.h. */
gboolean core_describe(Core *core, const char *emulator, EngineCaps *caps, GError **error);
/* Checks @guest as define does, completes it, and returns what the engine would be told of it; the caller
 * frees. NULL on failure. Any thread but the main loop's. */
char *core_native(Core *core, Guest *guest, Notes *notes, GError **error);
/* Its CPU models; see engine/cpus.h. */
const EngineCpuModels *core_cpus(Core *core, const char *emulator, gboolean kvm, GError **error);
/* QEMU's log; the caller frees it. */
char *core_guest_log_path(CoreGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CoreGuest, core_guest_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestSnap, guest_snap_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Definition, definition_unref)

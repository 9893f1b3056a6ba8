/* What the files of this room share. Neighbours: core.c, registry.c, guest.c, run.c, recover.c,
 * events.c, console.c. */
#pragma once

#include "core/console.h"
#include "core/core.h"
#include "store/definitions.h"

typedef struct Consoles Consoles;
typedef struct Events Events;
typedef struct Agent Agent;
typedef struct Meter Meter;
typedef struct Job Job;

struct Core {
	gint refs; /* the owner's, and one of each guest */
	Paths *paths;
	const Engine *engine;
	EngineConfig engine_config;
	Store *store;
	char *state_folder, *console_folder;
	GMutex lock; /* the registry */
	GArray *ordered; /* the guests by name; NULL: to be sorted; under lock; registry.c makes it */
	GHashTable *by_name, *by_uuid, *by_id; /* CoreGuest *; by_name holds the reference */
	gint next_id;
	Events *events;
	struct CoreFilters *filters; /* see nwfilters.h */
	struct CoreForwards *forwards; /* see forwards.h */
	struct CoreBook *book;	       /* see address_book.h */
	struct CoreNodedevs *nodedevs; /* see nodedevs.h */
	struct CoreHostnet *hostnet;   /* see hostnet.h */
	struct CoreHostdevs *hostdevs; /* see hostdevs.h */
	guint index_timer; /* main */
	gint index_wanted; /* atomic */
	char *boot; /* the host's, where no daemon has begun since it was started; else NULL */
	const struct CoreKind *const *kinds; /* by CoreKindId */
	Tri default_network; /* CoreConfig's */
	struct ObjectSet *objects[4];	     /* by CoreKindId; NULL: no such kind. See object.h */
	GMutex index_lock; /* one writer at a time */
};

struct CoreGuest {
	gint refs;
	Core *core;
	Lane *lane;
	gboolean hidden; /* not defined yet; under core->lock */

	GMutex lock;	    /* held for moments only: reads take it */
	GCond off;	    /* signalled when it is not running any more */
	gboolean starting;  /* under lock */
	GuestSnap *snap;    /* under lock */
	StoreEntry *stored; /* changed on the lane, under lock; NULL: transient */
	gint serial;	    /* atomic: counts starts, so that late news of an old run is known */
	gint killed;	    /* atomic: destroy was asked for */
	gint agent_ms;	    /* atomic: its agent's time for an answer; 0: the usual. See agent.h */
	GHashTable *fd_groups; /* under lock; NULL: none. See fd_groups.h */
	Job *job;	    /* made under lock, stays; NULL: none yet */
	Agent *agent;	    /* made under lock, stays; NULL: never asked */

	GMutex run_lock; /* held as long as kill() takes */
	EngineRun *run;	 /* changed on the lane, under run_lock; kill() beside it takes that */

	/* the lane's */
	gboolean gone; /* undefined: out of the registry */
	gboolean autodestroy; /* it ends with a client's connection */

	Consoles *consoles; /* main */
	Meter *meter;	    /* main; NULL: never asked */
};

/* registry.c */
/* A new, hidden guest in the registry with one reference for the caller; lock held. */
CoreGuest *registry_add(Core *core, const char *name, const char *uuid);
/* Out of all tables. Any thread, lock not held. */
void registry_remove(CoreGuest *guest);
/* Shows a hidden guest. */
void registry_show(CoreGuest *guest);
/* Makes the guest findable by @id; -1: not any more (@old is the former). */
void registry_set_id(CoreGuest *guest, int old, int id);
/* NULL or a reference, hidden ones included; lock held. */
CoreGuest *registry_by_name(Core *core, const char *name);
/* For tables of uuids: sixteen bytes. */
guint uuid_hash(gconstpointer uuid);
gboolean uuid_equal(gconstpointer a, gconstpointer b);
gboolean registry_has_uuid(Core *core, const char *uuid);
CoreGuest *registry_by_uuid(Core *core, const char *uuid);
/* Takes the place of @old in by_name; FALSE where @name is taken. */
gboolean registry_rename(CoreGuest *guest, const char *old, const char *name);

/* guest.c: snapshots */
/* A copy of the present snapshot to change; then snap_publish(), which takes it. Lane. */
GuestSnap *snap_edit(CoreGuest *guest);
void snap_publish(CoreGuest *guest, GuestSnap *snap);
void snap_fill(GuestSnap *snap, const Guest *definition);
void snap_fill_stored(GuestSnap *snap, const StoreEntry *stored);
Definition *definition_new(Guest *guest); /* takes it */
/* Publishes a lifecycle event with what the snapshot says. */
void guest_event(CoreGuest *guest, const char *event, const char *detail);
/* Sets stored and asks for a new index. Lane. */
void guest_set_stored(CoreGuest *guest, StoreEntry *entry);

gboolean guest_must_be_persistent(CoreGuest *guest, const char *verb, GError **error);

/* undefine.c: the state of the TPM of a guest that is no more, as @flags (UndefineFlags) and the
 * definition want it. Lane. */
void undefine_tpm(CoreGuest *guest, const Guest *definition, guint flags, Notes *notes);

/* run.c */
/* Starts from @definition (copied). Lane. */
gboolean guest_run(CoreGuest *guest, const Guest *definition, const EngineStart *how, Notes *notes,
		   GError **error);
/* What the engine reports to, for the run that guest->serial counts. Lane. */
EngineSink guest_sink(CoreGuest *guest);
/* Publishes a state of a running guest, with its event, if it is a new one. Lane. */
void guest_state(CoreGuest *guest, GuestState state, GuestReason reason);
/* The guest is off: forgets what ran, if it was taken up at all, publishes, and restarts where its
 * definition says so. Lane. */
void guest_ended(CoreGuest *guest, GuestReason reason, const char *detail);
/* Publishes that @run (which it takes) runs @live (taken) in @state. Lane. */
void guest_running(CoreGuest *guest, EngineRun *run, Guest *live, GuestState state,
		   GuestReason reason, const char *note);

/* agent.c: news of a channel of the run @serial, as QEMU tells them: {"id": ALIAS, "open": BOOL}. Any
 * thread. */
void agent_channel_changed(CoreGuest *guest, gint serial, const char *json);

/* save.c: starts the guest from the file @path; @flags: SaveFlags. Lane. */
/* @saving: what a daemon that died had been at; the guest is taken up and cancelled it. On the lane. */
void guest_adopt_save(CoreGuest *guest, const char *saving);
/* The managed save that a start had begun to use up, before the guest ran, is there again. */
void guest_put_back_save(CoreGuest *guest);
char *guest_used_save_path(CoreGuest *guest);
/* The guest runs, from that or without: what was used up goes. */
void guest_drop_used_save(CoreGuest *guest);
/* Before its processors run, @path is renamed to @used. */
gboolean guest_run_saved(CoreGuest *guest, const char *path, const char *used, guint flags, Notes *notes,
			 GError **error);

/* fd_groups.c: a copy of what the guest was given, to be unreferenced; NULL: nothing. */
GHashTable *guest_fd_groups(CoreGuest *guest);

/* job.c */
void job_free(CoreGuest *guest);

/* stats.c: what is known of its use; nobody may wait for it any more. */
void meter_free(CoreGuest *guest);

/* recover.c */
/* Writes what a later daemon needs to take the guest up; @run NULL: it is being started. @note as in
 * GuestSnap. Lane. */
gboolean recover_write(CoreGuest *guest, const Guest *live, EngineRun *run, const char *note,
		       GError **error);
/* Notes that it is being saved: guest_adopt_save() reads it; NULL: not any more. */
gboolean recover_write_saving(CoreGuest *guest, const char *text, GError **error);
void recover_forget(CoreGuest *guest);
/* Takes up what an earlier daemon left; waits for all, but for no hung one. Main, at start. */
void recover_all(Core *core);

/* core.c */
/* Starts @definition: of a guest that is known and off, or of a new, transient one. Returns a
 * reference. A pool thread that is no lane's. */
CoreGuest *core_start_definition(Core *core, Guest *definition, const EngineStart *how, Notes *notes,
				 GError **error);
void core_unref(Core *core);
/* Waits until all that stands on @lanes (Lane *) has run; FALSE after @ms. Main. */
gboolean core_wait_lanes(const GPtrArray *lanes, guint ms);

/* events.c, console.c */
Events *events_new(void);
/* Nobody hears of anything any more. Main. */
void events_close(Events *events);
void events_free(Events *events);
/* The console @alias came up with @fd (taken). Any thread. */
void consoles_add(CoreGuest *guest, const char *alias, int fd);
/* The guest ended: readers see the end of the stream. Any thread. */
void consoles_close(CoreGuest *guest);
void consoles_free(CoreGuest *guest);

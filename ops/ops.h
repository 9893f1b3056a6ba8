/* Verbs: one row states everything about one verb, and every door (REST, command line, libvirt's
 * protocol) reads the row: route, options, help, completion, OpenAPI and manual follow from it.
 * dispatch.c is the only door inward: it finds the target, checks the caller, logs, runs on the
 * right lane and reports.
 *
 * Neighbours: core/ below (live objects); wire/ and cli/ above. cli/ uses the rows only to read
 * arguments and to show results; it never calls their functions. */
#pragma once

#include <gio/gio.h>

#include "base/error.h"
#include "shape/shape.h"

typedef struct Op Op;
typedef struct OpCall OpCall;
typedef struct Core Core;
typedef struct CoreGuest CoreGuest;
typedef struct CoreObject CoreObject;

typedef enum OpTarget {
	OP_ON_DAEMON, /* no target */
	OP_ON_GUEST,  /* first word of the command line, {guest} in the route: name, uuid or id */
	OP_ON_POOL,   /* as OP_ON_GUEST, by name or uuid: call->object. Their words stand in targets.c */
	OP_ON_NETWORK,
	OP_ON_NWFILTER,
	OP_ON_SECRET,
	OP_ON_NODEDEV, /* call->target is its name: the verb looks for it */
	OP_ON_INTERFACE, /* of the host, by name or MAC address: call->target; verbs look it up */
} OpTarget;

/* How doors name a target. */
typedef struct OpTargetRow {
	const char *name;     /* in routes and .said: {NAME}; NULL: there is no target */
	const char *argument; /* on the command line: the first word, or --ARGUMENT */
	const char *word;     /* in a synopsis */
	const char *doc;
	const char *list, *items; /* the verb that lists them with --all, and its result's list */
	int kind;	      /* CoreKindId of call->object; -1: it is no object */
} OpTargetRow;

/* The row of @target; static. Any thread. */
const OpTargetRow *op_target(OpTarget target);

typedef enum OpPerm {
	OP_PERM_READ,	/* anyone who may connect, also read-only */
	OP_PERM_SECRET, /* reads what may hold secrets or keys: full connections only */
	OP_PERM_WRITE,	/* changes something */
} OpPerm;

typedef enum OpLane {
	OP_READ,   /* on the main loop, from snapshots: must not block */
	OP_LANE,   /* on the target's lane, after what was asked before; may block */
	OP_BESIDE, /* on a pool thread, beside a busy lane; may block */
	OP_LATER,  /* on the main loop; fn begins the work and op_finish() ends the call later. For
		    * verbs that wait: they hold no thread */
} OpLane;

/* How the command line shows the result. */
typedef enum OpShow {
	OP_SHOW_MESSAGE, /* .said, with {NAME} replaced by members of args, of the result, or {guest} */
	OP_SHOW_TEXT,	 /* the result's member "text" as it is */
	OP_SHOW_TABLE,	 /* the result's only list as a table; columns are the item's rows with .doc */
	OP_SHOW_FIELDS,	 /* "Label:  value" lines, the label is the row's .doc */
	OP_SHOW_STREAM,	 /* a byte stream in both directions: the connection is handed over */
	OP_SHOW_CUSTOM,	 /* cli/ has a function of this name; see cli/show.c */
} OpShow;

struct Op {
	const char *name;   /* "start"; a two-word verb such as "image build" has the blank */
	const char *alias;  /* virsh's name where it differs: "dominfo"; or NULL */
	const char *family; /* heading in help: "Guests", "Images", "Host" */
	const char *method; /* REST: "GET", "POST", "DELETE", ... */
	const char *route;  /* "/v1/guests/{guest}/start" */
	OpTarget target;
	OpTarget makes; /* what it defines, creates or finds, for ops/objects.h; mostly unset */
	OpPerm perm;
	OpLane lane;
	const Shape *args;   /* struct beginning with ShapeHead; NULL: none */
	const Shape *result; /* NULL: none */
	OpShow show;
	gboolean is_job;  /* long: shows progress, can be cancelled */
	const char *said; /* what success says: "Domain '{guest}' started" */
	const char *doc;  /* one line, no full stop */
	/* Fills call->result (and call->stream_fd for streams). Runs where .lane says. */
	gboolean (*fn)(OpCall *call, GError **error);
};

/* Who is calling. */
typedef struct OpCaller {
	uid_t uid;
	pid_t pid; /* 0 where unknown (TCP) */
	gboolean read_only;
	const char *door; /* "rest", "libvirt": for the log; static */
	const char *name; /* by certificate or password, where there is no uid; NULL; interned */
} OpCaller;

/* One call of a verb. Made by a door, owned by dispatch.c from op_dispatch() until `done` has
 * returned. Members are touched by one thread at a time: the door's, then the verb's, then main. */
struct OpCall {
	const Op *op;
	OpCaller caller;
	Core *core;
	char *target;	  /* the name as the caller gave it; NULL for OP_ON_DAEMON, and for
			   * OP_READ verbs after op_target_guest() */
	CoreGuest *guest; /* resolved by dispatch.c */
	CoreObject *object; /* the same, where the target is no guest */
	gpointer args;	  /* of op->args, defaults filled in; never NULL where op->args is not */
	gpointer result;  /* of op->result; made by dispatch.c before fn runs */
	OpTarget missing; /* what an error NOT_FOUND is about, where it is neither the target nor what the
			   * verb is about: the pool of a volume. OP_ON_DAEMON: nothing to tell */
	Notes notes;	  /* warnings for the caller */
	int stream_fd;	  /* OP_SHOW_STREAM: one end of a socketpair; -1 otherwise */
	gboolean takes_transfer; /* set by a door that takes .transfer instead of .stream_fd */
	struct OpTransfer *transfer; /* see transfer.h; taken by the door */
	GCancellable *cancel; /* NULL where the verb is OP_READ: that ends before anybody could */
	/* Long verbs tell how far they are; set by the door or NULL; called on any thread.
	 * @fraction is 0..1, negative where unknown; @text is one line. Use op_progress(). */
	void (*progress)(OpCall *call, double fraction, const char *text);
	/* Called once, on the main loop's thread. @error is NULL on success. */
	void (*done)(OpCall *call, const GError *error);
	gpointer door_data;
};

/* Every verb, grouped by family; static. The list of families stands in ops/table.c. Any thread. */
const Op *const *op_table(guint *n);
/* The verb of that name or alias, also with '-' for the blank ("image-build"); NULL: none. Any
 * thread. */
const Op *op_find(const char *name);

/* A new call with empty arguments and, unless it is OP_READ, a fresh GCancellable; the door fills target,
 * args, caller, progress, done and door_data, then gives it to op_dispatch(), or frees it (op_call_free).
 * Defaults are filled in by op_dispatch(). Main loop's thread. */
OpCall *op_call_new(Core *core, const Op *op);
void op_call_free(OpCall *call);
/* Finds the target of an OP_READ verb on guests by its sixteen bytes, which is what such calls spend much of
 * their time on otherwise. FALSE: no such verb or guest; the door fills in target. Main loop's thread. */
gboolean op_target_guest(OpCall *call, const guint8 *uuid);
/* Finds the target by its text, where nobody has yet: NOT_FOUND. op_dispatch() does it, too. Main loop's
 * thread. */
gboolean op_find_target(OpCall *call, GError **error);
/* Whether its caller may call the verb at all: DENIED. op_dispatch() asks, too. Any thread. */
gboolean op_may(const OpCall *call, GError **error);
/* Takes @call and calls call->done exactly once: before it returns where the verb is OP_READ or the
 * call is refused, later from the main loop otherwise; @call is freed after done has returned. A
 * door whose client went away cancels call->cancel and still gets done. Main loop's thread. */
void op_dispatch(OpCall *call);
/* For OP_LATER verbs: ends @call, once; takes @error (NULL: success). Main loop's thread, also from
 * within fn. */
void op_finish(OpCall *call, GError *error);
/* Count of calls that were dispatched and have not ended. Main loop's thread. */
guint op_running(void);
/* Count of calls that were dispatched at all; wraps. Main loop's thread. */
guint op_count(void);
/* For verbs: tells how far a long one is. Any thread. */
void op_progress(OpCall *call, double fraction, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* One row per error code: what doors say. */
typedef struct OpErrorRow {
	int http_status;
	int exit_code;
	const char *doc; /* for manual and --help */
	const char *words; /* libvirt's in front of such a message: scripts look for them; "" for none */
} OpErrorRow;

/* The code of any GError, ours or GIO's; ops/errors.c. Any thread. */
LodgeError op_error_of(const GError *error);
/* HTTP status and process exit code of an error. Any thread. */
int op_http_status(const GError *error);
int op_exit_code(const GError *error);
/* The row of @code; static. Any thread. */
const OpErrorRow *op_error_row(LodgeError code);
/* The code of that name (see lodge_error_name), INTERNAL where there is none. Any thread. */
LodgeError op_error_code(const char *name);

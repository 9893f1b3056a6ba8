/* What the files about the host's interfaces share: one change, from the moment before to the end.
 * Neighbours: hostnet_change.c; hostnet.c and hostbridge.c have the verbs. */
#pragma once

#include "core/hostnet.h"
#include "core/internal.h"
#include "net/hostlink.h"
#include "net/manager.h"

typedef enum ChangePhase {
	CHANGE_WORKING = 1, /* being made: a crash puts back */
	CHANGE_WAITING,	    /* made, and put back at .deadline */
	CHANGE_BEGUN,	    /* iface-begin */
} ChangePhase;

/* A file as it was. */
typedef struct ChangeFile {
	char *path;
	char *bytes; /* NULL: there was none */
	gsize length;
	guint mode, uid, gid;
} ChangeFile;

typedef struct Change {
	ChangePhase phase;
	char *what;	  /* "bridge br0 over eth0" */
	gint64 deadline;  /* seconds since boot */
	char *boot;	  /* of which boot */
	GPtrArray *files; /* ChangeFile */
	GPtrArray *links; /* LinkState */
	/* For the manager, when it is put back: what it brought up (name and, in its words, addresses), and
	 * what it is to bring up again. */
	char *manager, *brought, *kept, *again;
} Change;

struct CoreHostnet {
	GMutex work; /* held while anything changes */
	GMutex lock; /* of what follows, for moments */
	char *waiting;
	gint64 deadline;
	guint timer;	 /* main */
	gboolean closed; /* main */
};

/* Takes the right to change something; change_leave() gives it back. IN_USE, DENIED. */
gboolean change_enter(Core *core, GError **error);
void change_leave(Core *core);

Change *change_new(const char *format, ...) G_GNUC_PRINTF(1, 2);
void change_free(Change *change);
/* Remembers the link as it is. */
void change_note_link(Change *change, const HostLinks *links, const char *name);
/* Remembers the files that @work will write. */
gboolean change_note_files(Change *change, const ManagerWork *work, GError **error);
gboolean change_note_file(Change *change, const char *path, GError **error);
/* Written down: from here on a crash puts back. */
gboolean change_save(Core *core, const Change *change, GError **error);
/* Writes the files of @work. */
gboolean change_write(const ManagerWork *work, GError **error);
/* The end: it stays (or, with @timeout, waits to be confirmed), or, where @done is FALSE, is put back.
 * Frees it; returns @done. @error is that of what failed, and gets words about the putting back. */
gboolean change_end(Core *core, Change *change, gboolean done, guint timeout, GError **error);

/* hostbridge.c: whether nobody needs the bridge: no network, no running guest. IN_USE says who. */
gboolean hostbridge_may_go(Core *core, const char *name, const HostLinks *links, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Change, change_free)

/* A connection to QEMU's monitor (QMP).
 *
 * Whoever waits for an answer reads the socket itself while it waits, and hands what is for others
 * to them, so that a call costs no hop through the main loop. When nobody waits the main loop
 * reads. Events and asynchronous answers are always delivered on the main loop's thread, in the
 * order in which QEMU sent them.
 *
 * QEMU 7.2 reads its monitor one byte at a time: long commands cost it microseconds per byte, so
 * what can stand on its command line should.
 *
 * Errors of QEMU become UNSUPPORTED (no such command, or a missing KVM capability), NOT_FOUND (no
 * such device), STATE (not active), otherwise ENGINE, with QEMU's own words. A peer that is gone is
 * GONE, a late answer TIMEOUT.
 *
 * Neighbours: qmp-frames.h below; socket.h connects; engine/ is the user. */
#pragma once

#include <glib.h>
#include <jansson.h>

typedef struct Qmp Qmp;

typedef struct QmpHandlers {
	/* @data is lent, NULL where the event has none; @time_us is QEMU's clock (real time). */
	void (*event)(const char *event, json_t *data, gint64 time_us, gpointer user);
	/* Once, after the last event: the connection is over, @why is lent. Not called after
	 * qmp_close(). */
	void (*closed)(const GError *why, gpointer user);
	/* Once, when neither of the above can run any more; may be NULL. */
	GDestroyNotify done;
} QmpHandlers;

/* Speaks QMP on @fd (a connected stream socket, which it takes and closes, also on failure). Sends
 * the handshake and returns without waiting for an answer, so that this may be done while QEMU
 * still starts; the first call waits for both. @name ("guest web1") opens all messages. @handlers
 * may be NULL. The caller owns a reference. Any thread. */
Qmp *qmp_new(int fd, const char *name, const QmpHandlers *handlers, gpointer user, GError **error);

/* socket_connect() and qmp_new(). */
Qmp *qmp_connect(const char *path, const char *name, const QmpHandlers *handlers, gpointer user,
		 GError **error);

Qmp *qmp_ref(Qmp *qmp);
/* The last one closes. */
void qmp_unref(Qmp *qmp);
/* Ends the connection: every waiting call fails with GONE. On the main loop's thread no handler
 * runs after it has returned; elsewhere one may just be running. Any thread. */
void qmp_close(Qmp *qmp);
/* FALSE once the peer or qmp_close() ended it. Any thread. */
gboolean qmp_is_open(Qmp *qmp);

/* Calls @command with @arguments (an object, stolen; NULL for none) and waits for its answer, at
 * most
 * @timeout_ms. Returns the member "return" of the answer, a new reference, or NULL. After a
 * time-out the connection remains usable; the late answer is dropped. Several threads may call at
 * once. Any thread but the main loop's. */
json_t *qmp_call(Qmp *qmp, const char *command, json_t *arguments, int timeout_ms, GError **error);

/* As qmp_call(), passing @fd (lent) along: for "getfd" and "add-fd". */
json_t *qmp_call_fd(Qmp *qmp, const char *command, json_t *arguments, int fd, int timeout_ms,
		    GError **error);

/* One command of a batch. */
typedef struct QmpItem {
	const char *command;
	json_t *arguments; /* stolen; NULL for none */
	int fd;		   /* lent, passed along; 0: none */
	json_t *result;	   /* out: new reference, NULL on failure */
	GError *error;	   /* out: the caller's */
} QmpItem;

/* Sends all @items at once and waits until each has its answer: saves round trips. QEMU carries
 * them out in order, also those after one that failed. FALSE where any failed: @error is that of
 * the first. Any thread but the main loop's. */
gboolean qmp_batch(Qmp *qmp, QmpItem *items, guint n, int timeout_ms, GError **error);

/* Frees the results and errors of a batch, and the arguments of one that was never sent. */
void qmp_items_clear(QmpItem *items, guint n);

/* @result is lent, NULL on failure, where @error says why. */
typedef void (*QmpReplyFn)(json_t *result, const GError *error, gpointer user);

/* Calls @command and returns; @fn runs once, on the main loop's thread, with the answer or the
 * error. Any thread. */
void qmp_call_async(Qmp *qmp, const char *command, json_t *arguments, int timeout_ms, QmpReplyFn fn,
		    gpointer user);

/* The same for all @items in one write; @fn runs once for each, with its own of @users. Results and
 * errors of the items stay unset. Any thread. */
void qmp_batch_async(Qmp *qmp, QmpItem *items, guint n, int timeout_ms, QmpReplyFn fn,
		     const gpointer *users);

/* QEMU's version from its greeting as major * 10000 + minor * 100 + micro (70200 and some); 0
 * before the first answer. Any thread. */
guint qmp_version(Qmp *qmp);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_unref)

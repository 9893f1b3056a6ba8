/* See qmp.h.
 *
 * Reading: at most one thread is the reader. A caller that waits becomes it where nobody is; it
 * then takes EPOLLIN out of the epoll set, which the main loop watches, so that the main loop
 * sleeps on. When it has its answer it wakes another waiting caller or, with none left, lets the
 * main loop read again. Both steps are one system call and wake nobody needlessly.
 *
 * Writing: under the lock, without blocking. What does not fit (QEMU is stopped) is queued and
 * sent by the main loop when there is room. */
#include "host/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/lane.h"
#include "host/qmp-frames.h"
#include "host/socket.h"

#define READ_SIZE (32 * 1024)
#define QUEUE_MAX ((gsize)QMP_MESSAGE_MAX) /* bytes that may wait for QEMU to read */

/* A caller that blocks; on its stack. */
typedef struct Waiter {
	GCond wake;
	guint missing;	  /* answers */
	guint64 first_id; /* of its items, in a row */
	QmpItem *items;
} Waiter;

/* A command without its answer yet. */
typedef struct Call {
	guint64 id;
	char *command;
	Waiter *waiter; /* NULL: asynchronous */
	QmpReplyFn fn;
	gpointer user;
	guint timer; /* GLib source id of the time limit; asynchronous only */
} Call;

/* What the main loop's thread is to be told: an event, or the end of an asynchronous call. */
typedef struct Delivery {
	json_t *message; /* event, or result */
	GError *error;
	Call *call; /* NULL: an event, or with .error the end of the connection */
} Delivery;

/* A message that waits for room in the socket. */
typedef struct Queued {
	char *bytes;
	gsize length, sent;
	int fd; /* ours; -1: none */
} Queued;

struct Qmp {
	gint refs;  /* everyone's: the watch on the main loop and its tasks hold some */
	gint users; /* those of qmp_ref(): the last one closes */
	char *name;
	QmpHandlers handlers;
	gpointer user;
	int fd;
	int epoll;	  /* watches fd, for the main loop */
	QmpFrames frames; /* the reader's */

	GMutex lock;	   /* all below */
	guint source;	   /* of the main loop, on .epoll; 0 once dead */
	gboolean reading;  /* some thread is the reader */
	guint32 armed;	   /* events in the epoll set */
	GQueue waiters;	   /* of Waiter that sleep until their answer, or until they may read */
	GHashTable *calls; /* id -> Call */
	guint64 next_id;
	GQueue out; /* of Queued */
	gsize out_bytes;
	GQueue deliveries;   /* of Delivery */
	gboolean delivering; /* a task on the main loop will look at them */
	gboolean closing;    /* qmp_close() was called: handlers rest */
	gboolean greeted;
	guint version;
	GError *dead; /* why; NULL while it works */
};

/* ---- life ---- */

static void call_free(Call *call)
{
	g_free(call->command);
	g_free(call);
}

static void queued_free(Queued *queued)
{
	fd_clear(&queued->fd);
	g_free(queued->bytes);
	g_free(queued);
}

static Qmp *hold(Qmp *qmp)
{
	g_atomic_int_inc(&qmp->refs);
	return qmp;
}

static void finish(gpointer data)
{
	Qmp *qmp = data;
	if (qmp->handlers.done)
		qmp->handlers.done(qmp->user);
	qmp_frames_clear(&qmp->frames);
	fd_clear(&qmp->fd);
	fd_clear(&qmp->epoll);
	g_hash_table_unref(qmp->calls);
	g_queue_clear_full(&qmp->out, (GDestroyNotify)queued_free);
	g_clear_error(&qmp->dead);
	g_mutex_clear(&qmp->lock);
	g_free(qmp->name);
	g_free(qmp);
}

static void drop(gpointer data)
{
	Qmp *qmp = data;
	if (g_atomic_int_dec_and_test(&qmp->refs))
		lane_to_main(finish, qmp);
}

Qmp *qmp_ref(Qmp *qmp)
{
	g_atomic_int_inc(&qmp->users);
	return hold(qmp);
}

void qmp_unref(Qmp *qmp)
{
	if (g_atomic_int_dec_and_test(&qmp->users))
		qmp_close(qmp);
	drop(qmp);
}

/* ---- what the main loop's thread is told ---- */

static void deliver_one(Qmp *qmp, Delivery *delivery, gboolean quiet)
{
	Call *call = delivery->call;
	json_t *message = delivery->message;
	if (call) {
		if (call->timer)
			g_source_remove(call->timer);
		if (call->fn)
			call->fn(message, delivery->error, call->user);
		call_free(call);
	} else if (delivery->error) {
		if (!quiet && qmp->handlers.closed)
			qmp->handlers.closed(delivery->error, qmp->user);
	} else if (!quiet && qmp->handlers.event) {
		json_t *stamp = json_object_get(message, "timestamp");
		gint64 us = json_integer_value(json_object_get(stamp, "seconds")) * G_USEC_PER_SEC +
			    json_integer_value(json_object_get(stamp, "microseconds"));
		const char *event = json_string_value(json_object_get(message, "event"));
		qmp->handlers.event(event, json_object_get(message, "data"), us, qmp->user);
	}
	json_decref(message);
	g_clear_error(&delivery->error);
	g_free(delivery);
}

static void deliver(Qmp *qmp)
{
	for (;;) {
		g_mutex_lock(&qmp->lock);
		Delivery *delivery = g_queue_pop_head(&qmp->deliveries);
		gboolean quiet = qmp->closing;
		g_mutex_unlock(&qmp->lock);
		if (!delivery)
			return;
		deliver_one(qmp, delivery, quiet);
	}
}

static void deliver_task(gpointer data)
{
	Qmp *qmp = data;
	g_mutex_lock(&qmp->lock);
	qmp->delivering = FALSE;
	g_mutex_unlock(&qmp->lock);
	deliver(qmp);
	drop(qmp);
}

/* Takes references on what it is given, but owns @call. Locked. */
static void tell_main(Qmp *qmp, json_t *message, const GError *error, Call *call)
{
	Delivery *delivery = g_new(Delivery, 1);
	*delivery = (Delivery){ .message = json_incref(message),
				.error = error ? g_error_copy(error) : NULL,
				.call = call };
	g_queue_push_tail(&qmp->deliveries, delivery);
	if (qmp->delivering)
		return;
	qmp->delivering = TRUE;
	lane_to_main(deliver_task, hold(qmp));
}

/* ---- who reads; all locked ---- */

static void arm(Qmp *qmp)
{
	guint32 want = (qmp->reading || qmp->waiters.length ? 0 : EPOLLIN) |
		       (qmp->out.length ? EPOLLOUT : 0);
	if (want == qmp->armed || qmp->dead)
		return;
	struct epoll_event event = { .events = want };
	epoll_ctl(qmp->epoll, EPOLL_CTL_MOD, qmp->fd, &event);
	qmp->armed = want;
}

static void become_reader(Qmp *qmp)
{
	qmp->reading = TRUE;
	arm(qmp);
}

/* To a caller that waits, or to the main loop. */
static void pass_reading_on(Qmp *qmp)
{
	Waiter *next = g_queue_peek_head(&qmp->waiters);
	if (next)
		g_cond_signal(&next->wake);
	else
		arm(qmp);
}

/* ---- ends; locked ---- */

/* The answer of @call, which it frees, is @result or @error (lent). */
static void settle(Qmp *qmp, Call *call, json_t *result, const GError *error)
{
	Waiter *waiter = call->waiter;
	if (!waiter) {
		tell_main(qmp, result, error, call);
		return;
	}
	QmpItem *item = &waiter->items[call->id - waiter->first_id];
	item->result = json_incref(result);
	item->error = error ? g_error_copy(error) : NULL;
	if (--waiter->missing == 0)
		g_cond_signal(&waiter->wake);
	call_free(call);
}

static gint by_id(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const Call *)a)->id, y = ((const Call *)b)->id;
	return (x > y) - (x < y);
}

/* Takes @why. */
static void die(Qmp *qmp, GError *why)
{
	if (qmp->dead) {
		g_error_free(why);
		return;
	}
	qmp->dead = why;
	shutdown(qmp->fd, SHUT_RDWR); /* wakes a reader */
	GList *calls = g_list_sort(g_hash_table_get_values(qmp->calls), by_id);
	g_hash_table_remove_all(qmp->calls);
	for (GList *l = calls; l; l = l->next)
		settle(qmp, l->data, NULL, why);
	g_list_free(calls);
	tell_main(qmp, NULL, why, NULL);
	if (qmp->source)
		g_source_remove(qmp->source);
	qmp->source = 0;
}

static void die_of(Qmp *qmp, LodgeError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void die_of(Qmp *qmp, LodgeError code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	GError *why = NULL;
	fail(&why, code, "%s: %s", qmp->name, text);
	die(qmp, why);
}

/* ---- messages ---- */

static const struct {
	const char *name;
	LodgeError code;
} classes[] = {
	{ "CommandNotFound", LODGE_ERROR_UNSUPPORTED },
	{ "KVMMissingCap", LODGE_ERROR_UNSUPPORTED },
	{ "DeviceNotFound", LODGE_ERROR_NOT_FOUND },
	{ "DeviceNotActive", LODGE_ERROR_STATE },
};

static LodgeError code_of_class(const char *name)
{
	for (guint i = 0; name && i < G_N_ELEMENTS(classes); i++)
		if (g_str_equal(classes[i].name, name))
			return classes[i].code;
	return LODGE_ERROR_ENGINE;
}

static GError *read_error(const Qmp *qmp, const char *command, json_t *error)
{
	const char *desc = json_string_value(json_object_get(error, "desc"));
	const char *class = json_string_value(json_object_get(error, "class"));
	GError *made = NULL;
	fail(&made, code_of_class(class), "%s: QEMU refuses %s: %s", qmp->name, command,
	     desc ? desc : "it does not say why");
	return made;
}

static void take_answer(Qmp *qmp, json_t *message, json_t *error)
{
	json_t *id = json_object_get(message, "id");
	guint64 key = (guint64)json_integer_value(id);
	Call *call = json_is_integer(id) ? g_hash_table_lookup(qmp->calls, &key) : NULL;
	if (!call)
		return; /* late: its caller has given up */
	g_hash_table_steal(qmp->calls, &key);
	g_autoptr(GError) refusal = error ? read_error(qmp, call->command, error) : NULL;
	if (refusal && key == 0)
		die_of(qmp, LODGE_ERROR_ENGINE, "%s", refusal->message);
	settle(qmp, call, error ? NULL : json_object_get(message, "return"), refusal);
}

static void take_greeting(Qmp *qmp, json_t *greeting)
{
	json_t *version = json_object_get(json_object_get(greeting, "version"), "qemu");
	if (!version) {
		die_of(qmp, LODGE_ERROR_ENGINE, "the other end of its monitor does not speak QMP");
		return;
	}
	qmp->greeted = TRUE;
	static const char *const parts[] = { "major", "minor", "micro" };
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
		json_int_t part = json_integer_value(json_object_get(version, parts[i]));
		qmp->version = qmp->version * 100 + (guint)CLAMP(part, 0, 99);
	}
}

static void on_message(json_t *message, gpointer data)
{
	Qmp *qmp = data;
	json_t *error = json_object_get(message, "error");
	g_mutex_lock(&qmp->lock);
	if (qmp->dead)
		; /* it has ended meanwhile: everyone was told */
	else if (!qmp->greeted)
		take_greeting(qmp, json_object_get(message, "QMP"));
	else if (error || json_object_get(message, "return"))
		take_answer(qmp, message, error);
	else if (json_is_string(json_object_get(message, "event")))
		tell_main(qmp, message, NULL, NULL);
	g_mutex_unlock(&qmp->lock);
}

/* ---- reading; by the reader, locked but for the middle ---- */

/* Waits at most @wait_ms for bytes and takes what is there. */
static void read_some(Qmp *qmp, int wait_ms)
{
	g_mutex_unlock(&qmp->lock);
	char buffer[READ_SIZE];
	g_autoptr(GError) error = NULL;
	struct pollfd watch = { .fd = qmp->fd, .events = POLLIN };
	ssize_t n = 1;
	int errnum = EAGAIN;
	if (wait_ms == 0 || poll(&watch, 1, wait_ms) > 0) {
		n = recv(qmp->fd, buffer, sizeof buffer, MSG_DONTWAIT);
		errnum = n < 0 ? errno : 0;
		if (n > 0)
			qmp_frames_feed(&qmp->frames, buffer, (gsize)n, on_message, qmp, &error);
	}
	g_mutex_lock(&qmp->lock);
	if (error)
		die_of(qmp, LODGE_ERROR_ENGINE, "QEMU's monitor sends rubbish: %s", error->message);
	else if (n == 0 || errnum == ECONNRESET)
		die_of(qmp, LODGE_ERROR_GONE, "QEMU has closed its monitor: it ended");
	else if (n < 0 && errnum != EAGAIN && errnum != EINTR)
		die_of(qmp, LODGE_ERROR_GONE, "the connection to QEMU broke: %s",
		       g_strerror(errnum));
}

static int ms_until(gint64 deadline)
{
	gint64 left = deadline - g_get_monotonic_time();
	return left > 0 ? (int)MIN((left + 999) / 1000, G_MAXINT) : 0;
}

static void wait_for_answers(Qmp *qmp, Waiter *waiter, gint64 deadline)
{
	int wait_ms;
	while (waiter->missing && (wait_ms = ms_until(deadline)) > 0) {
		if (qmp->reading) {
			g_queue_push_tail(&qmp->waiters, waiter);
			g_cond_wait_until(&waiter->wake, &qmp->lock, deadline);
			g_queue_remove(&qmp->waiters, waiter);
			continue;
		}
		become_reader(qmp);
		do
			read_some(qmp, wait_ms);
		while (waiter->missing && (wait_ms = ms_until(deadline)) > 0);
		qmp->reading = FALSE;
	}
	if (!qmp->reading)
		pass_reading_on(qmp);
}

/* ---- writing; locked ---- */

/* Sends what it can of @bytes, with @fd (-1: none) beside the first. Returns how much; an error
 * counts as all sent: the reader will find out. */
static gsize send_some(Qmp *qmp, const char *bytes, gsize length, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec part = { .iov_base = (char *)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fd >= 0) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof control.space;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	ssize_t n;
	do
		n = sendmsg(qmp->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? (gsize)n : errno == EAGAIN ? 0 : length;
}

static void flush(Qmp *qmp)
{
	Queued *first;
	while ((first = g_queue_peek_head(&qmp->out))) {
		gsize n = send_some(qmp, first->bytes + first->sent, first->length - first->sent,
				    first->fd);
		if (n == 0)
			break;
		fd_clear(&first->fd);
		first->sent += n;
		qmp->out_bytes -= n;
		if (first->sent == first->length)
			queued_free(g_queue_pop_head(&qmp->out));
	}
	arm(qmp);
}

/* Sends @bytes now or queues them. @fd is lent. */
static void put(Qmp *qmp, const char *bytes, gsize length, int fd)
{
	gsize n = qmp->out.length ? 0 : send_some(qmp, bytes, length, fd);
	if (n == length)
		return;
	Queued *queued = g_new(Queued, 1);
	*queued = (Queued){
		.bytes = g_memdup2(bytes + n, length - n),
		.length = length - n,
		.fd = n || fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3),
	};
	qmp->out_bytes += queued->length;
	g_queue_push_tail(&qmp->out, queued);
	arm(qmp);
}

static gboolean may_send(const Qmp *qmp, const char *command, gsize length, GError **error)
{
	if (qmp->dead) {
		g_propagate_error(error, g_error_copy(qmp->dead));
		return FALSE;
	}
	if (qmp->out_bytes + length > QUEUE_MAX)
		return fail(error, LODGE_ERROR_TIMEOUT,
			    "%s: QEMU does not read its monitor any more (%s was not sent)",
			    qmp->name, command);
	return TRUE;
}

static void expect(Qmp *qmp, Call call)
{
	Call *kept = g_memdup2(&call, sizeof call);
	g_hash_table_insert(qmp->calls, &kept->id, kept);
}

/* ---- the main loop's part ---- */

static gboolean on_ready(G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Qmp *qmp = data;
	g_mutex_lock(&qmp->lock);
	if (qmp->out.length)
		flush(qmp);
	if (!qmp->reading && !qmp->waiters.length && !qmp->dead) {
		qmp->reading = TRUE;
		read_some(qmp, 0);
		qmp->reading = FALSE;
		pass_reading_on(qmp);
	}
	g_mutex_unlock(&qmp->lock);
	deliver(qmp);
	return G_SOURCE_CONTINUE;
}

static gboolean watch_socket(Qmp *qmp, GError **error)
{
	qmp->epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = 0 };
	if (qmp->epoll < 0 || epoll_ctl(qmp->epoll, EPOLL_CTL_ADD, qmp->fd, &event))
		return fail_errno(error, errno, "%s: cannot watch QEMU's monitor", qmp->name);
	qmp->source = g_unix_fd_add_full(G_PRIORITY_DEFAULT, qmp->epoll, G_IO_IN, on_ready,
					 hold(qmp), drop);
	return TRUE;
}

/* ---- calls ---- */

/* {"execute":...}: short, for QEMU reads byte by byte. Takes @arguments. */
static void write_command(GString *to, const char *command, json_t *arguments, guint64 id)
{
	json_t *message = json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments", arguments,
				    "id", (json_int_t)id);
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	g_string_append(to, text ? text : "{}");
	g_string_append_c(to, '\n');
	free(text);
	json_decref(message);
}

Qmp *qmp_new(int fd, const char *name, const QmpHandlers *handlers, gpointer user, GError **error)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\",\"id\":0}\n";
	Qmp *qmp = g_new0(Qmp, 1);
	qmp->refs = qmp->users = 1;
	qmp->name = g_strdup(name);
	qmp->user = user;
	qmp->fd = fd;
	qmp->epoll = -1;
	qmp->calls = g_hash_table_new(g_int64_hash, g_int64_equal);
	qmp->next_id = 1;
	g_mutex_init(&qmp->lock);
	if (!watch_socket(qmp, error)) {
		finish(qmp);
		return NULL;
	}
	if (handlers)
		qmp->handlers = *handlers;
	g_mutex_lock(&qmp->lock);
	expect(qmp, (Call){ .command = g_strdup("qmp_capabilities") });
	put(qmp, hello, sizeof hello - 1, -1);
	arm(qmp);
	g_mutex_unlock(&qmp->lock);
	return qmp;
}

Qmp *qmp_connect(const char *path, const char *name, const QmpHandlers *handlers, gpointer user,
		 GError **error)
{
	int fd = socket_connect(path, error);
	return fd < 0 ? NULL : qmp_new(fd, name, handlers, user, error);
}

void qmp_close(Qmp *qmp)
{
	g_mutex_lock(&qmp->lock);
	qmp->closing = TRUE;
	die_of(qmp, LODGE_ERROR_GONE, "the connection to QEMU was closed");
	g_mutex_unlock(&qmp->lock);
}

gboolean qmp_is_open(Qmp *qmp)
{
	g_mutex_lock(&qmp->lock);
	gboolean open = !qmp->dead;
	g_mutex_unlock(&qmp->lock);
	return open;
}

guint qmp_version(Qmp *qmp)
{
	g_mutex_lock(&qmp->lock);
	guint version = qmp->version;
	g_mutex_unlock(&qmp->lock);
	return version;
}

static guint64 take_ids(Qmp *qmp, guint n)
{
	g_mutex_lock(&qmp->lock);
	guint64 first = qmp->next_id;
	qmp->next_id += n;
	g_mutex_unlock(&qmp->lock);
	return first;
}

/* The messages of @items one after the other; ends[i] is where the i-th ends. */
static GString *write_items(QmpItem *items, guint n, guint64 first_id, gsize *ends)
{
	GString *text = g_string_sized_new(256);
	for (guint i = 0; i < n; i++) {
		write_command(text, items[i].command, g_steal_pointer(&items[i].arguments),
			      first_id + i);
		ends[i] = text->len;
	}
	return text;
}

/* Locked. One system call, unless fds go along: each of those opens a message of its own. */
static void put_items(Qmp *qmp, Waiter *waiter, guint n, const GString *text, const gsize *ends)
{
	gsize from = 0;
	for (guint i = 0; i < n; i++) {
		const QmpItem *item = &waiter->items[i];
		expect(qmp, (Call){ .id = waiter->first_id + i,
				    .command = g_strdup(item->command),
				    .waiter = waiter });
		if (i + 1 < n && item->fd <= 0 && item[1].fd <= 0)
			continue;
		put(qmp, text->str + from, ends[i] - from, item->fd > 0 ? item->fd : -1);
		from = ends[i];
	}
}

/* Locked: the answers that did not come in time. */
static void give_up(Qmp *qmp, Waiter *waiter, guint n, int timeout_ms)
{
	for (guint i = 0; i < n && waiter->missing; i++) {
		guint64 id = waiter->first_id + i;
		Call *call = g_hash_table_lookup(qmp->calls, &id);
		if (!call)
			continue;
		g_hash_table_steal(qmp->calls, &id);
		g_autoptr(GError) late = NULL;
		fail(&late, LODGE_ERROR_TIMEOUT, "%s: QEMU did not answer %s within %g s",
		     qmp->name, call->command, timeout_ms / 1000.0);
		settle(qmp, call, NULL, late);
	}
}

static gboolean first_failure(QmpItem *items, guint n, GError **error)
{
	for (guint i = 0; i < n; i++)
		if (items[i].error) {
			g_propagate_error(error, g_error_copy(items[i].error));
			return FALSE;
		}
	return TRUE;
}

gboolean qmp_batch(Qmp *qmp, QmpItem *items, guint n, int timeout_ms, GError **error)
{
	gint64 deadline = g_get_monotonic_time() + timeout_ms * (gint64)1000;
	Waiter waiter = { .missing = n, .first_id = take_ids(qmp, n), .items = items };
	g_autofree gsize *ends = g_new(gsize, n);
	g_autoptr(GString) text = write_items(items, n, waiter.first_id, ends);
	g_cond_init(&waiter.wake);
	g_mutex_lock(&qmp->lock);
	GError *refused = NULL;
	if (!may_send(qmp, n ? items[0].command : "", text->len, &refused)) {
		for (guint i = 0; i < n; i++)
			items[i].error = g_error_copy(refused);
		g_error_free(refused);
	} else {
		put_items(qmp, &waiter, n, text, ends);
		wait_for_answers(qmp, &waiter, deadline);
		give_up(qmp, &waiter, n, timeout_ms);
	}
	g_mutex_unlock(&qmp->lock);
	g_cond_clear(&waiter.wake);
	return first_failure(items, n, error);
}

void qmp_items_clear(QmpItem *items, guint n)
{
	for (guint i = 0; i < n; i++) {
		json_decref(items[i].arguments);
		json_decref(items[i].result);
		items[i].arguments = items[i].result = NULL;
		g_clear_error(&items[i].error);
	}
}

json_t *qmp_call_fd(Qmp *qmp, const char *command, json_t *arguments, int fd, int timeout_ms,
		    GError **error)
{
	QmpItem item = { .command = command, .arguments = arguments, .fd = fd };
	qmp_batch(qmp, &item, 1, timeout_ms, NULL);
	if (item.error)
		g_propagate_error(error, item.error);
	return item.result;
}

json_t *qmp_call(Qmp *qmp, const char *command, json_t *arguments, int timeout_ms, GError **error)
{
	return qmp_call_fd(qmp, command, arguments, 0, timeout_ms, error);
}

/* ---- asynchronous calls ---- */

typedef struct Limit {
	Qmp *qmp;
	guint64 id;
	int timeout_ms;
} Limit;

static void limit_free(gpointer data)
{
	Limit *limit = data;
	drop(limit->qmp);
	g_free(limit);
}

/* An answer that waits for delivery removes the timer there. */
static gboolean on_limit(gpointer data)
{
	Limit *limit = data;
	Qmp *qmp = limit->qmp;
	g_autoptr(GError) late = NULL;
	g_mutex_lock(&qmp->lock);
	Call *call = g_hash_table_lookup(qmp->calls, &limit->id);
	if (call) {
		g_hash_table_steal(qmp->calls, &limit->id);
		fail(&late, LODGE_ERROR_TIMEOUT, "%s: QEMU did not answer %s within %g s",
		     qmp->name, call->command, limit->timeout_ms / 1000.0);
		call->timer = 0;
		settle(qmp, call, NULL, late);
	}
	g_mutex_unlock(&qmp->lock);
	return call ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/* Locked. */
static guint limit_new(Qmp *qmp, guint64 id, int timeout_ms)
{
	Limit *limit = g_new(Limit, 1);
	*limit = (Limit){ .qmp = hold(qmp), .id = id, .timeout_ms = timeout_ms };
	return g_timeout_add_full(G_PRIORITY_DEFAULT, (guint)timeout_ms, on_limit, limit, limit_free);
}

void qmp_batch_async(Qmp *qmp, QmpItem *items, guint n, int timeout_ms, QmpReplyFn fn,
		     const gpointer *users)
{
	guint64 id = take_ids(qmp, n);
	g_autofree gsize *ends = g_new(gsize, n);
	g_autoptr(GString) text = write_items(items, n, id, ends);
	g_autoptr(GError) refused = NULL;
	g_mutex_lock(&qmp->lock);
	gboolean sent = may_send(qmp, items[0].command, text->len, &refused);
	for (guint i = 0; i < n; i++) {
		Call call = { .id = id + i, .command = g_strdup(items[i].command), .fn = fn,
			      .user = users[i], .timer = limit_new(qmp, id + i, timeout_ms) };
		if (sent)
			expect(qmp, call);
		else
			settle(qmp, g_memdup2(&call, sizeof call), NULL, refused);
	}
	if (sent)
		put(qmp, text->str, text->len, -1);
	g_mutex_unlock(&qmp->lock);
}

void qmp_call_async(Qmp *qmp, const char *command, json_t *arguments, int timeout_ms, QmpReplyFn fn,
		    gpointer user)
{
	QmpItem item = { .command = command, .arguments = arguments };
	qmp_batch_async(qmp, &item, 1, timeout_ms, fn, &user);
}

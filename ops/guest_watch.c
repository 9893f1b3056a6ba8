/* Verbs that follow a guest: its console, its events, and waiting for something to become true. All on
 * the main loop; none holds a thread. */
#include "base/fd.h"
#include "core/addresses.h"
#include "core/console.h"
#include "core/nodedevs.h"
#include "ops/families.h"

#include <glib-unix.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- console ---- */

typedef struct ConsoleArgs {
	ShapeHead head;
	char *devname;
	gboolean force, no_history, read_only;
} ConsoleArgs;

static const Row console_rows[] = {
	STRING(ConsoleArgs, devname, NULL, .flags = ROW_POSITIONAL,
	       .doc = "alias of another serial port or console, such as serial1"),
	FLAG(ConsoleArgs, force, NULL, .doc = "take the keyboard from who has it"),
	FLAG(ConsoleArgs, no_history, NULL, .doc = "only what is printed from now on"),
	FLAG(ConsoleArgs, read_only, NULL, .doc = "watch without typing"),
};
static const Shape console_args = SHAPE("console-args", ConsoleArgs, console_rows);

static gboolean console(OpCall *call, GError **error)
{
	const ConsoleArgs *args = call->args;
	gboolean writable = FALSE;
	guint flags = (args->force ? CONSOLE_FORCE : 0) |
		      (args->no_history ? CONSOLE_NO_HISTORY : 0) |
		      (args->read_only ? CONSOLE_READ_ONLY : 0);
	call->stream_fd = core_console_open(call->guest, args->devname, flags, &writable, error);
	if (call->stream_fd >= 0 && !writable && !args->read_only)
		notes_add(&call->notes, "another session types on this console: this one only reads; "
			  "--force takes over");
	return call->stream_fd >= 0;
}

/* ---- events ---- */

#define PROBE_MS 500	/* between looks for an address */
#define PROBE_SECONDS 2 /* that a connection may take */
#define EVENTS_MAX_PENDING (1u << 20) /* bytes that a slow reader may leave waiting */

typedef struct EventArgs {
	ShapeHead head;
	char *domain, *event;
	OptUint timeout, count;
} EventArgs;

static const Row event_rows[] = {
	STRING(EventArgs, domain, NULL, .flags = ROW_POSITIONAL, .doc = "only this guest's: name or uuid"),
	STRING(EventArgs, event, NULL, .doc = "only this kind, such as lifecycle"),
	UINT(EventArgs, timeout, NULL, .max = 86400, .doc = "end after so many seconds"),
	UINT(EventArgs, count, NULL, .doc = "end after so many events"),
};
static const Shape event_args = SHAPE("events-args", EventArgs, event_rows);

typedef struct EventLine {
	ShapeHead head;
	char *kind, *event, *detail, *domain, *object, *uuid, *time;
	OptInt id;
} EventLine;

static const Row line_rows[] = {
	STRING(EventLine, time, NULL),	STRING(EventLine, kind, NULL),
	STRING(EventLine, event, NULL), STRING(EventLine, detail, NULL),
	STRING(EventLine, domain, NULL), STRING(EventLine, object, NULL),
	UUID(EventLine, uuid, NULL),	INT(EventLine, id, NULL),
};
static const Shape line_shape = SHAPE("event", EventLine, line_rows);

/* One follower; lives until its reader hangs up, is too slow, or has had enough. */
typedef struct Follower {
	Core *core;
	char *domain, *event; /* filters; NULL: all */
	guint64 left;	      /* events to send; 0: no limit */
	guint subscription, in_source, out_source, timer;
	int fd;
	GString *pending;
	gboolean last; /* end when nothing is pending */
} Follower;

static void follower_end(Follower *follower)
{
	core_unsubscribe(follower->core, follower->subscription);
	g_clear_handle_id(&follower->in_source, g_source_remove);
	g_clear_handle_id(&follower->out_source, g_source_remove);
	g_clear_handle_id(&follower->timer, g_source_remove);
	fd_clear(&follower->fd);
	g_string_free(follower->pending, TRUE);
	g_free(follower->domain);
	g_free(follower->event);
	g_free(follower);
}

/* Sends what goes at once. FALSE: the reader is gone. */
static gboolean follower_send(Follower *follower)
{
	while (follower->pending->len > 0) {
		ssize_t n = send(follower->fd, follower->pending->str, follower->pending->len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return TRUE;
		if (n < 0)
			return FALSE;
		g_string_erase(follower->pending, 0, n);
	}
	return !follower->last;
}

static gboolean on_writable(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition,
			    gpointer data)
{
	Follower *follower = data;
	if (!follower_send(follower)) {
		follower->out_source = 0;
		follower_end(follower);
		return G_SOURCE_REMOVE;
	}
	if (follower->pending->len > 0)
		return G_SOURCE_CONTINUE;
	follower->out_source = 0;
	return G_SOURCE_REMOVE;
}

/* A reader has nothing to say; what it sends is dropped until it hangs up. */
static gboolean on_readable(int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Follower *follower = data;
	char dropped[256];
	ssize_t n = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
	if (n > 0 || (n < 0 && errno == EAGAIN))
		return G_SOURCE_CONTINUE;
	/* It may have closed its side only: who still reads hears the rest; who does not, ends at the
	 * next event. */
	follower->in_source = 0;
	if (n < 0 || (condition & (G_IO_HUP | G_IO_ERR)))
		follower_end(follower);
	return G_SOURCE_REMOVE;
}

static gboolean on_enough(gpointer data)
{
	Follower *follower = data;
	follower->timer = 0;
	follower_end(follower);
	return G_SOURCE_REMOVE;
}

static char *time_text(gint64 microseconds)
{
	g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(microseconds / G_USEC_PER_SEC);
	g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");
	return g_strdup_printf("%s.%03dZ", text, (int)(microseconds % G_USEC_PER_SEC / 1000));
}

static json_t *event_json(const CoreEvent *event)
{
	g_autofree char *when = time_text(event->time);
	EventLine line = { .kind = (char *)event->kind, .event = (char *)event->event,
			   .detail = (char *)event->detail, .domain = event->guest,
			   .object = event->object,
			   .uuid = (char *)event->uuid, .time = when };
	if (event->id >= 0)
		line.id = OPT_INT(event->id);
	json_t *json = shape_to_json(&line_shape, &line, 0);
	json_t *more = event->json ? json_loads(event->json, 0, NULL) : NULL;
	if (more)
		json_object_set_new(json, "data", more);
	return json;
}

static gboolean wanted(const Follower *follower, const CoreEvent *event)
{
	if (!follower->event && g_str_equal(event->kind, "monitor"))
		return FALSE; /* QEMU's own, for who asks for them: the others tell the same */
	if (!follower->event && g_str_has_prefix(event->kind, "nodedev-"))
		return FALSE; /* each tap of a guest is one */
	if (follower->event && g_strcmp0(follower->event, event->kind) != 0)
		return FALSE;
	return !follower->domain || g_strcmp0(follower->domain, event->guest) == 0 ||
	       g_strcmp0(follower->domain, event->object) == 0 ||
	       g_ascii_strcasecmp(follower->domain, event->uuid) == 0;
}

static void on_event(const CoreEvent *event, gpointer data)
{
	Follower *follower = data;
	if (follower->last || !wanted(follower, event))
		return;
	json_t *json = event_json(event);
	char *line = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	g_string_append(follower->pending, line);
	g_string_append_c(follower->pending, '\n');
	free(line);
	follower->last = follower->left > 0 && --follower->left == 0;
	/* Ending unsubscribes, which the bus allows from here. */
	if (!follower_send(follower) || follower->pending->len > EVENTS_MAX_PENDING)
		follower_end(follower);
	else if (follower->pending->len > 0 && !follower->out_source)
		follower->out_source = g_unix_fd_add(follower->fd, G_IO_OUT, on_writable, follower);
}

static gboolean events(OpCall *call, GError **error)
{
	const EventArgs *args = call->args;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return fail_errno(error, errno, "cannot make a stream");
	Follower *follower = g_new0(Follower, 1);
	*follower = (Follower){ .core = call->core, .domain = g_strdup(args->domain),
				.event = g_strdup(args->event), .left = opt_uint_or(args->count, 0),
				.fd = ends[1], .pending = g_string_new(NULL) };
	follower->subscription = core_subscribe(call->core, on_event, follower);
	if (args->event && g_str_has_prefix(args->event, "nodedev-"))
		core_nodedevs_watch(call->core);
	follower->in_source = g_unix_fd_add(ends[1], G_IO_IN, on_readable, follower);
	if (args->timeout.set && args->timeout.v > 0)
		follower->timer = g_timeout_add_seconds((guint)args->timeout.v, on_enough, follower);
	call->stream_fd = ends[0];
	return TRUE;
}

/* ---- wait ---- */

typedef struct WaitArgs {
	ShapeHead head;
	char *state, *console, *devname;
	gboolean ip;
	OptUint port, timeout;
} WaitArgs;

static const Row wait_rows[] = {
	STRING(WaitArgs, state, NULL, .flags = ROW_POSITIONAL,
	       .doc = "until it is in that state: running, paused, shutoff, ... (shutoff where "
		      "nothing else is said)"),
	FLAG(WaitArgs, ip, NULL, .doc = "until this host knows an IPv4 address of it"),
	UINT(WaitArgs, port, NULL, .min = 1, .max = 65535,
	     .doc = "until it takes TCP connections at that port"),
	STRING(WaitArgs, console, NULL, .doc = "until its console has printed this"),
	STRING(WaitArgs, devname, NULL, .doc = "alias of the console that is meant"),
	UINT(WaitArgs, timeout, NULL, .max = 864000, .doc = "seconds to wait at most"),
};
static const Shape wait_args = SHAPE("wait-args", WaitArgs, wait_rows);

typedef struct Waiting {
	OpCall *call;
	GuestState state; /* 0: not for a state */
	guint subscription, watch, timer, told;
	gboolean found; /* what the console's watch told */
	guint asking;	/* timer: looks for an address */
	struct Probe *probe; /* that look, on a pool thread; NULL: none */
	GSource *cancelled;
} Waiting;

/* One look for an address and a port; it may outlive who waits. */
typedef struct Probe {
	CoreGuest *guest;
	Waiting *waiting; /* main; NULL: it has ended */
	OptUint port;
	gboolean there;
} Probe;

/* Takes @error. */
static void wait_end(Waiting *waiting, GError *error)
{
	OpCall *call = waiting->call;
	core_unsubscribe(call->core, waiting->subscription);
	if (waiting->watch)
		core_console_unwatch(call->guest, waiting->watch);
	g_clear_handle_id(&waiting->timer, g_source_remove);
	g_clear_handle_id(&waiting->told, g_source_remove);
	g_clear_handle_id(&waiting->asking, g_source_remove);
	if (waiting->probe)
		waiting->probe->waiting = NULL;
	g_source_destroy(waiting->cancelled);
	g_source_unref(waiting->cancelled);
	g_free(waiting);
	op_finish(call, error);
}

static gboolean is_in_state(const Waiting *waiting)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(waiting->call->guest);
	return waiting->state && snap->state == waiting->state;
}

static void wait_on_event(const CoreEvent *event, gpointer data)
{
	Waiting *waiting = data;
	g_autoptr(GuestSnap) snap = core_guest_snap(waiting->call->guest);
	if (g_str_equal(event->uuid, snap->uuid) && is_in_state(waiting))
		wait_end(waiting, NULL);
}

static gboolean wait_told(gpointer data)
{
	Waiting *waiting = data;
	GError *error = NULL;
	waiting->told = waiting->watch = 0;
	if (!waiting->found)
		fail(&error, LODGE_ERROR_STATE, "guest %s ended and its console had not said that",
		     waiting->call->target);
	wait_end(waiting, error);
	return G_SOURCE_REMOVE;
}

/* The watch tells at once, before it has a number, where the words were said already: the end waits
 * for the next turn of the loop. */
static void wait_on_text(gboolean found, gpointer data)
{
	Waiting *waiting = data;
	waiting->found = found;
	waiting->told = g_idle_add(wait_told, waiting);
}

static gboolean wait_on_timeout(gpointer data)
{
	Waiting *waiting = data;
	GError *error = NULL;
	waiting->timer = 0;
	fail(&error, LODGE_ERROR_TIMEOUT, "guest %s: not within the time given",
	     waiting->call->target);
	wait_end(waiting, error);
	return G_SOURCE_REMOVE;
}

static gboolean wait_on_cancel(G_GNUC_UNUSED GCancellable *cancel, gpointer data)
{
	GError *error = NULL;
	fail(&error, LODGE_ERROR_ABORTED, "the caller went away");
	wait_end(data, error);
	return G_SOURCE_REMOVE;
}

/* "shutoff", "shut-off" and "shut off" are one. */
static gboolean same_word(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " -");
		b += strspn(b, " -");
		if (*a != *b)
			return FALSE;
		if (*a == '\0')
			return TRUE;
	}
}

static gboolean state_of(const char *word, GuestState *state, GError **error)
{
	for (guint i = 1; i < guest_states.n; i++)
		if (guest_states.names[i] && same_word(guest_states.names[i], word)) {
			*state = (GuestState)i;
			return TRUE;
		}
	g_autofree char *choices = enum_choices(&guest_states);
	return fail(error, LODGE_ERROR_INVALID, "\"%s\" is no state; there are %s", word, choices);
}

static void probe_done(gpointer data)
{
	Probe *probe = data;
	if (probe->waiting) {
		probe->waiting->probe = NULL;
		if (probe->there)
			wait_end(probe->waiting, NULL);
	}
	core_guest_unref(probe->guest);
	g_free(probe);
}

static gboolean takes_connections(const char *ip, guint port)
{
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketConnection) connection = NULL;
	g_socket_client_set_timeout(client, PROBE_SECONDS);
	connection = g_socket_client_connect_to_host(client, ip, (guint16)port, NULL, NULL);
	return connection != NULL;
}

static void probe_run(gpointer data)
{
	Probe *probe = data;
	g_autofree char *ip = core_guest_ip(probe->guest);
	probe->there = ip && (!probe->port.set || takes_connections(ip, (guint)probe->port.v));
	lane_to_main(probe_done, probe);
}

static gboolean wait_ask(gpointer data)
{
	Waiting *waiting = data;
	if (waiting->probe)
		return G_SOURCE_CONTINUE;
	const WaitArgs *args = waiting->call->args;
	Probe *probe = g_new(Probe, 1);
	*probe = (Probe){ core_guest_ref(waiting->call->guest), waiting, args->port, FALSE };
	waiting->probe = probe;
	lane_beside(probe_run, probe);
	return G_SOURCE_CONTINUE;
}

static void wait_begin(Waiting *waiting)
{
	OpCall *call = waiting->call;
	const WaitArgs *args = call->args;
	waiting->subscription = core_subscribe(call->core, wait_on_event, waiting);
	if (args->ip || args->port.set) {
		waiting->asking = g_timeout_add(PROBE_MS, wait_ask, waiting);
		wait_ask(waiting);
	}
	if (args->timeout.set)
		waiting->timer = g_timeout_add((guint)args->timeout.v * 1000, wait_on_timeout, waiting);
	waiting->cancelled = g_cancellable_source_new(call->cancel);
	g_source_set_callback(waiting->cancelled, G_SOURCE_FUNC(wait_on_cancel), waiting, NULL);
	g_source_attach(waiting->cancelled, NULL);
}

static gboolean wait_guest(OpCall *call, GError **error)
{
	const WaitArgs *args = call->args;
	GuestState state = GUEST_NOSTATE;
	gboolean address = args->ip || args->port.set;
	const char *word = args->state ? args->state : args->console || address ? NULL : "shutoff";
	if ((args->state != NULL) + (args->console != NULL) + address > 1)
		return fail(error, LODGE_ERROR_INVALID, "choose one: a state, --console, --ip or --port");
	if (word && !state_of(word, &state, error))
		return FALSE;
	Waiting *waiting = g_new0(Waiting, 1);
	waiting->call = call;
	waiting->state = state;
	wait_begin(waiting);
	if (is_in_state(waiting)) {
		wait_end(waiting, NULL);
		return TRUE;
	}
	if (!args->console)
		return TRUE;
	GError *why = NULL;
	guint watch = core_console_watch(call->guest, args->devname, args->console, wait_on_text,
					 waiting, &why);
	if (watch == 0)
		wait_end(waiting, why);
	else
		waiting->watch = watch;
	return TRUE;
}

static const Op ops[] = {
	{ .name = "console", .family = "Guests", .method = "GET",
	  .route = "/v1/guests/{guest}/console", .target = OP_ON_GUEST, .perm = OP_PERM_WRITE,
	  .lane = OP_READ, .args = &console_args, .show = OP_SHOW_STREAM,
	  .doc = "Connect to a guest's serial console", .fn = console },
	{ .name = "wait", .family = "Guests", .method = "POST", .route = "/v1/guests/{guest}/wait",
	  .target = OP_ON_GUEST, .perm = OP_PERM_READ, .lane = OP_LATER, .is_job = TRUE,
	  .args = &wait_args, .show = OP_SHOW_MESSAGE, .said = "",
	  .doc = "Wait for a state, an address, or for the console to say something", .fn = wait_guest },
	{ .name = "events", .family = "Guests", .method = "GET",
	  .route = "/v1/events", .perm = OP_PERM_READ, .lane = OP_READ, .args = &event_args,
	  .show = OP_SHOW_STREAM, .doc = "Follow what happens to guests, one JSON object a line",
	  .fn = events },
};

const OpFamily op_family_guest_watch = { ops, G_N_ELEMENTS(ops) };

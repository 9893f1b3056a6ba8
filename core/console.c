/* See console.h. Each console has the pty's fd, a ring, its readers (each at its own place in the
 * ring, so that a slow one misses output but holds up nobody) and watches for a text. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/ring.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK 16384
#define PTY_FULL_MS 10 /* until it is tried again */
#define CONSOLES_MAX 64 /* per guest */
#define READERS_MAX 64	/* per console */

typedef struct Console Console;

typedef struct Reader {
	Console *console;
	int fd;
	guint in, out; /* sources; 0: none */
	guint64 at;    /* what it has got of the ring */
} Reader;

typedef struct Watch {
	guint id;
	char *text;
	guint64 at;
	GString *tail; /* what may be the beginning of text */
	ConsoleFoundFn fn;
	gpointer data;
} Watch;

struct Console {
	char *alias;
	int fd;
	guint source;
	Ring *ring;
	GPtrArray *readers; /* Reader * */
	Reader *writer;	    /* one of them, or NULL */
	GPtrArray *watches; /* Watch * */
};

struct Consoles {
	GPtrArray *all; /* Console *, in the order in which they came */
	guint last_watch;
};

/* ---- readers ---- */

static void reader_free(Reader *reader)
{
	Console *console = reader->console;
	if (reader->in)
		g_source_remove(reader->in);
	if (reader->out)
		g_source_remove(reader->out);
	if (console->writer == reader)
		console->writer = NULL;
	close(reader->fd);
	g_free(reader);
}

static void reader_drop(Reader *reader)
{
	g_ptr_array_remove(reader->console->readers, reader);
	reader_free(reader);
}

static gboolean on_writable(int fd, GIOCondition condition, gpointer data);

/* Sends what the reader has not got, as far as its socket takes it. FALSE: it is gone. */
static gboolean reader_feed(Reader *reader)
{
	char buffer[CHUNK];
	for (;;) {
		guint64 at = reader->at;
		gsize n = ring_get(reader->console->ring, &at, buffer, sizeof buffer);
		if (!n)
			return TRUE;
		ssize_t sent = send(reader->fd, buffer, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			if (!reader->out)
				reader->out = g_unix_fd_add(reader->fd, G_IO_OUT, on_writable,
							    reader);
			return TRUE;
		}
		if (sent < 0)
			return FALSE;
		reader->at = at - n + (guint64)sent;
	}
}

static gboolean on_writable(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition,
			    gpointer data)
{
	Reader *reader = data;
	reader->out = 0;
	if (!reader_feed(reader))
		reader_drop(reader);
	return G_SOURCE_REMOVE;
}

static gboolean on_typed(int fd, GIOCondition condition, gpointer data);

static gboolean on_again(gpointer data)
{
	Reader *reader = data;
	reader->in = g_unix_fd_add(reader->fd, G_IO_IN | G_IO_HUP, on_typed, reader);
	return G_SOURCE_REMOVE;
}

/* What a reader typed goes to the guest if it is the writer. Only as much is taken as the pty takes:
 * the rest waits in the reader's socket. */
static gboolean on_typed(int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Reader *reader = data;
	Console *console = reader->console;
	char buffer[CHUNK];
	ssize_t n = recv(fd, buffer, sizeof buffer, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		reader->in = 0;
		reader_drop(reader);
		return G_SOURCE_REMOVE;
	}
	ssize_t taken = console->writer == reader ? write(console->fd, buffer, (size_t)n) : n;
	if (taken > 0 && recv(fd, buffer, (size_t)taken, MSG_DONTWAIT) < 0)
		return G_SOURCE_CONTINUE;
	if (taken > 0)
		return G_SOURCE_CONTINUE;
	reader->in = g_timeout_add(PTY_FULL_MS, on_again, reader);
	return G_SOURCE_REMOVE;
}

/* ---- watches ---- */

static void watch_free(Watch *watch)
{
	g_string_free(watch->tail, TRUE);
	g_free(watch->text);
	g_free(watch);
}

/* Looks at what came since the last time; keeps so much that a text over two pieces is seen. */
static gboolean watch_look(const Console *console, Watch *watch)
{
	char buffer[CHUNK];
	gsize n, keep = strlen(watch->text) - 1;
	while ((n = ring_get(console->ring, &watch->at, buffer, sizeof buffer))) {
		g_string_append_len(watch->tail, buffer, (gssize)n);
		if (memmem(watch->tail->str, watch->tail->len, watch->text, keep + 1))
			return TRUE;
		if (watch->tail->len > keep)
			g_string_erase(watch->tail, 0, (gssize)(watch->tail->len - keep));
	}
	return FALSE;
}

/* Takes the watch at @i out and tells its owner, who may add and remove others. */
static void watch_end(Console *console, guint i, gboolean found)
{
	Watch *watch = g_ptr_array_remove_index(console->watches, i);
	watch->fn(found, watch->data);
	watch_free(watch);
}

static void look_all(Console *console)
{
	for (guint i = 0; i < console->watches->len;) {
		if (!watch_look(console, g_ptr_array_index(console->watches, i))) {
			i++;
			continue;
		}
		watch_end(console, i, TRUE);
		i = 0; /* the list may be another one */
	}
}

/* ---- the guest's side ---- */

static gboolean on_output(int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	Console *console = data;
	char buffer[CHUNK];
	ssize_t n = read(fd, buffer, sizeof buffer);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		/* QEMU is gone: consoles_close() follows */
		g_source_remove(console->source);
		console->source = 0;
		return G_SOURCE_CONTINUE;
	}
	ring_put(console->ring, buffer, (gsize)n);
	for (guint i = console->readers->len; i-- > 0;) {
		Reader *reader = g_ptr_array_index(console->readers, i);
		if (!reader->out && !reader_feed(reader))
			reader_drop(reader);
	}
	look_all(console);
	return G_SOURCE_CONTINUE;
}

static void console_free(Console *console)
{
	if (console->source)
		g_source_remove(console->source);
	for (guint i = 0; i < console->readers->len; i++) {
		Reader *reader = g_ptr_array_index(console->readers, i);
		reader_feed(reader);
		reader_free(reader);
	}
	while (console->watches->len)
		watch_end(console, 0, FALSE);
	g_ptr_array_unref(console->readers);
	g_ptr_array_unref(console->watches);
	ring_free(console->ring);
	close(console->fd);
	g_free(console->alias);
	g_free(console);
}

typedef struct Arrival {
	CoreGuest *guest;
	char *alias;
	int fd;
} Arrival;

static char *ring_path(CoreGuest *guest, const char *alias)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	return g_strdup_printf("%s/%s.%s", guest->core->console_folder, snap->uuid, alias);
}

static void arrive(gpointer data)
{
	Arrival *arrival = data;
	CoreGuest *guest = arrival->guest;
	if (!guest->consoles) {
		guest->consoles = g_new0(Consoles, 1);
		guest->consoles->all = g_ptr_array_new();
	}
	g_autofree char *path = ring_path(guest, arrival->alias);
	g_autoptr(GError) error = NULL;
	Ring *ring = guest->consoles->all->len < CONSOLES_MAX ? ring_open(path, &error) : NULL;
	if (ring) {
		Console *console = g_new0(Console, 1);
		*console = (Console){ .alias = g_steal_pointer(&arrival->alias),
				      .fd = fd_steal(&arrival->fd), .ring = ring,
				      .readers = g_ptr_array_new(),
				      .watches = g_ptr_array_new() };
		console->source = g_unix_fd_add(console->fd, G_IO_IN | G_IO_HUP | G_IO_ERR,
						on_output, console);
		g_ptr_array_add(guest->consoles->all, console);
	} else {
		log_error(NULL, "%s", error ? error->message : "too many consoles");
		close(arrival->fd);
	}
	core_guest_unref(guest);
	g_free(arrival->alias);
	g_free(arrival);
}

void consoles_add(CoreGuest *guest, const char *alias, int fd)
{
	Arrival *arrival = g_new(Arrival, 1);
	*arrival = (Arrival){ core_guest_ref(guest), g_strdup(alias), fd };
	lane_to_main(arrive, arrival);
}

void consoles_free(CoreGuest *guest)
{
	/* taken away first: who hears of it looks for others in vain */
	Consoles *consoles = g_steal_pointer(&guest->consoles);
	if (!consoles)
		return;
	for (guint i = 0; i < consoles->all->len; i++)
		console_free(g_ptr_array_index(consoles->all, i));
	g_ptr_array_unref(consoles->all);
	g_free(consoles);
}

/* The guest's last words are still in the pty. */
static void drain(Console *console)
{
	guint64 before;
	do
		before = ring_end(console->ring);
	while (console->source && on_output(console->fd, G_IO_IN, console) &&
	       ring_end(console->ring) > before);
}

/* Also those that an earlier daemon left of a guest that ended without one: a later run is not to
 * begin with what an old one said. */
static void remove_rings(CoreGuest *guest)
{
	g_autofree char *prefix = ring_path(guest, "");
	g_autofree char *folder = g_path_get_dirname(prefix);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, file, NULL);
		if (g_str_has_prefix(path, prefix))
			unlink(path);
	}
}

static void leave(gpointer data)
{
	CoreGuest *guest = data;
	for (guint i = 0; guest->consoles && i < guest->consoles->all->len; i++)
		drain(g_ptr_array_index(guest->consoles->all, i));
	consoles_free(guest);
	remove_rings(guest);
	core_guest_unref(guest);
}

void consoles_close(CoreGuest *guest)
{
	lane_to_main(leave, core_guest_ref(guest));
}

/* ---- for readers ---- */

static Console *find(CoreGuest *guest, const char *alias, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (!snap->live) {
		guest_not_running(snap->name, error);
		return NULL;
	}
	for (guint i = 0; guest->consoles && i < guest->consoles->all->len; i++) {
		Console *console = g_ptr_array_index(guest->consoles->all, i);
		if (!alias || g_str_equal(console->alias, alias))
			return console;
	}
	fail(error, LODGE_ERROR_NOT_FOUND,
	     alias ? "guest \"%s\" has no console \"%s\" on a pty"
		   : "guest \"%s\" has no console on a pty: add <serial type='pty'/>",
	     snap->name, alias);
	return NULL;
}

/* A writer whose far end is closed makes room at once: who closes a console and opens it again finds it
 * free, although the main loop has not seen the end yet. What it typed last goes to the guest. */
static void release_gone_writer(Console *console)
{
	Reader *writer = console->writer;
	struct pollfd peer = { .fd = writer ? writer->fd : -1 };
	char buffer[CHUNK];
	if (poll(&peer, 1, 0) != 1 || !(peer.revents & POLLHUP))
		return;
	ssize_t n = recv(writer->fd, buffer, sizeof buffer, MSG_DONTWAIT);
	if (n > 0 && write(console->fd, buffer, (size_t)n) < n)
		log_warning(NULL, "console %s: what was typed last is lost: the guest does not read",
			    console->alias);
	console->writer = NULL;
}

int core_console_open(CoreGuest *guest, const char *alias, guint flags, gboolean *writable,
		      GError **error)
{
	Console *console = find(guest, alias, error);
	int pair[2];
	if (!console)
		return -1;
	if (console->readers->len >= READERS_MAX) {
		fail(error, LODGE_ERROR_IN_USE, "console %s has %d readers already", console->alias,
		     READERS_MAX);
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		fail_errno(error, errno, "cannot make a socket");
		return -1;
	}
	release_gone_writer(console);
	Reader *reader = g_new0(Reader, 1);
	*reader = (Reader){ .console = console, .fd = pair[0] };
	if (flags & CONSOLE_NO_HISTORY)
		reader->at = ring_end(console->ring);
	gboolean writes = !(flags & CONSOLE_READ_ONLY) &&
			  (!console->writer || (flags & CONSOLE_FORCE));
	if (writes)
		console->writer = reader;
	if (writable)
		*writable = writes;
	g_ptr_array_add(console->readers, reader);
	reader->in = g_unix_fd_add(reader->fd, G_IO_IN | G_IO_HUP, on_typed, reader);
	reader_feed(reader);
	return pair[1];
}

guint core_console_watch(CoreGuest *guest, const char *alias, const char *text, ConsoleFoundFn fn,
			 gpointer data, GError **error)
{
	Console *console = find(guest, alias, error);
	if (!console)
		return 0;
	if (!*text || strlen(text) > CHUNK) {
		fail(error, LODGE_ERROR_INVALID, "the text to wait for is empty or too long");
		return 0;
	}
	Watch *watch = g_new0(Watch, 1);
	*watch = (Watch){ .id = ++guest->consoles->last_watch, .text = g_strdup(text),
			  .tail = g_string_new(NULL), .fn = fn, .data = data };
	guint id = watch->id;
	g_ptr_array_add(console->watches, watch);
	look_all(console);
	return id;
}

void core_console_unwatch(CoreGuest *guest, guint id)
{
	for (guint i = 0; guest->consoles && i < guest->consoles->all->len; i++) {
		Console *console = g_ptr_array_index(guest->consoles->all, i);
		for (guint j = console->watches->len; j-- > 0;) {
			Watch *watch = g_ptr_array_index(console->watches, j);
			if (watch->id == id)
				watch_free(g_ptr_array_remove_index(console->watches, j));
		}
	}
}

/* Sockets, clients and limits of the HTTP door. MHD parses; it has no thread of its own: its epoll
 * descriptor is one source of the main loop. Clients are accepted here and handed to MHD, because here
 * their credentials are read and their number is bounded. */
#include "base/fd.h"
#include "base/log.h"
#include "host/listeners.h"
#include "host/socket.h"
#include "wire/rest/internal.h"

#include <glib-unix.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SWEEP_SECONDS 5
#define CROWDED_SWEEP_SECONDS 1

struct RestServer {
	RestTable table;
	struct MHD_Daemon *mhd;
	GSource *source;
	Listeners *listeners;
	GHashTable *conns;    /* fd -> RestConn */
	guint sweep;	      /* timer; 0 while there are no clients */
	gboolean crowded;     /* clients wait unaccepted */
};

/* ---- MHD on the main loop ---- */

typedef struct MhdSource {
	GSource source;
	struct MHD_Daemon *mhd;
	gpointer tag;
	gboolean poked, running;
} MhdSource;

static gboolean mhd_prepare(GSource *source, int *timeout)
{
	MHD_UNSIGNED_LONG_LONG ms;
	*timeout = -1;
	if (((MhdSource *)source)->poked)
		return TRUE;
	if (MHD_get_timeout(((MhdSource *)source)->mhd, &ms) != MHD_YES)
		return FALSE;
	*timeout = (int)MIN(ms, G_MAXINT);
	return ms == 0;
}

static gboolean mhd_check(GSource *source)
{
	int timeout;
	return g_source_query_unix_fd(source, ((MhdSource *)source)->tag) != 0 ||
	       mhd_prepare(source, &timeout);
}

static gboolean mhd_dispatch(GSource *source, G_GNUC_UNUSED GSourceFunc fn,
			     G_GNUC_UNUSED gpointer data)
{
	MhdSource *own = (MhdSource *)source;
	own->poked = FALSE;
	own->running = TRUE;
	MHD_run(own->mhd);
	own->running = FALSE;
	return G_SOURCE_CONTINUE;
}

static GSource *mhd_source_new(struct MHD_Daemon *mhd)
{
	static GSourceFuncs funcs = { .prepare = mhd_prepare, .check = mhd_check,
				      .dispatch = mhd_dispatch };
	GSource *source = g_source_new(&funcs, sizeof(MhdSource));
	MhdSource *own = (MhdSource *)source;
	own->mhd = mhd;
	own->tag = g_source_add_unix_fd(
		source, MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, G_IO_IN);
	g_source_set_name(source, "http");
	g_source_set_can_recurse(source, TRUE); /* else GLib takes it out of its poll around each turn */
	g_source_attach(source, NULL);
	return source;
}

static void mhd_log(G_GNUC_UNUSED void *cls, const char *format, va_list args)
{
	g_autofree char *line = g_strdup_vprintf(format, args);
	log_debug("http", "%s", g_strchomp(line));
}

/* ---- clients ---- */

const RestTable *rest_table(const RestServer *server)
{
	return &server->table;
}

guint rest_count(const RestServer *server)
{
	return g_hash_table_size(server->conns);
}

RestConn *rest_conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info->socket_context;
}

void rest_wake(struct MHD_Connection *mhd)
{
	MHD_resume_connection(mhd);
	rest_poke(rest_conn_of(mhd)->server);
}

void rest_poke(RestServer *server)
{
	((MhdSource *)server->source)->poked = TRUE;
}

void rest_flush(RestServer *server)
{
	if (!((MhdSource *)server->source)->running)
		mhd_dispatch(server->source, NULL, NULL);
}

/* A client that does not say what it wants, or says it a byte at a time, is hung up on. */
static gboolean sweep(gpointer data)
{
	RestServer *server = data;
	gint64 seconds = server->crowded ? REST_CROWDED_SECONDS : REST_REQUEST_SECONDS;
	gint64 limit = g_get_monotonic_time() - seconds * G_USEC_PER_SEC;
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, server->conns);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		RestConn *conn = value;
		if (conn->waiting_since && conn->waiting_since < limit)
			shutdown(conn->fd, SHUT_RDWR);
	}
	return G_SOURCE_CONTINUE;
}

static void set_crowded(RestServer *server, gboolean crowded)
{
	if (server->crowded == crowded)
		return;
	server->crowded = crowded;
	g_clear_handle_id(&server->sweep, g_source_remove);
	if (rest_count(server) > 0)
		server->sweep = g_timeout_add_seconds(
			crowded ? CROWDED_SWEEP_SECONDS : SWEEP_SECONDS, sweep, server);
}

static void forget(RestServer *server, int fd)
{
	g_hash_table_remove(server->conns, GINT_TO_POINTER(fd));
	if (rest_count(server) == 0)
		g_clear_handle_id(&server->sweep, g_source_remove);
	/* half empty: those who come again at once do not bring the crowd back */
	if (rest_count(server) <= REST_MAX_CLIENTS / 2)
		set_crowded(server, FALSE);
	listeners_resume(server->listeners);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
			  enum MHD_ConnectionNotificationCode code)
{
	RestServer *server = cls;
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*slot = g_hash_table_lookup(server->conns, GINT_TO_POINTER(fd));
	else if (*slot)
		forget(server, fd);
}

static OpCaller caller_of(int fd, gboolean read_only)
{
	OpCaller caller = { .uid = (uid_t)-1, .read_only = read_only, .door = "rest" };
	socket_peer(fd, &caller.pid, &caller.uid, NULL);
	return caller;
}

gboolean rest_serve(RestServer *server, int fd, gboolean read_only)
{
	if (rest_count(server) >= REST_MAX_CLIENTS) {
		close(fd);
		return FALSE;
	}
	RestConn *conn = g_new0(RestConn, 1);
	*conn = (RestConn){ .server = server, .fd = fd, .caller = caller_of(fd, read_only),
			    .waiting_since = g_get_monotonic_time() };
	g_hash_table_insert(server->conns, GINT_TO_POINTER(fd), conn);
	if (!server->sweep)
		server->sweep = g_timeout_add_seconds(SWEEP_SECONDS, sweep, server);
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (MHD_add_connection(server->mhd, fd, (struct sockaddr *)&address, sizeof address) ==
	    MHD_YES)
		return TRUE;
	forget(server, fd); /* MHD has closed it */
	return FALSE;
}

void rest_listen(RestServer *server, int fd, gboolean read_only)
{
	listeners_add(server->listeners, fd, read_only);
}

/* ---- the server ---- */

static gboolean is_full(gpointer owner)
{
	gboolean full = rest_count(owner) >= REST_MAX_CLIENTS;
	if (full)
		set_crowded(owner, TRUE);
	return full;
}

static gboolean serve(gpointer owner, int fd, int read_only)
{
	return rest_serve(owner, fd, read_only);
}

static Listeners *make_listeners(RestServer *server)
{
	ListenersOwner owner = { .name = "http", .backlog = REST_BACKLOG, .turn = 1,
				 .is_full = is_full, .serve = serve, .owner = server };
	return listeners_new(&owner);
}

static struct MHD_Daemon *mhd_new(RestServer *server)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
			     MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG;
	return MHD_start_daemon(
		flags, 0, NULL, NULL, request_handle, server, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, request_completed, server,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)REST_MAX_CLIENTS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REST_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)REST_IDLE_SECONDS, MHD_OPTION_END);
}

RestServer *rest_new(Core *core, const Op *const *ops, guint n, GError **error)
{
	g_autoptr(RestServer) server = g_new0(RestServer, 1);
	server->table = (RestTable){ .core = core, .ops = ops, .n = n };
	server->listeners = make_listeners(server);
	server->conns = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	server->mhd = mhd_new(server);
	if (!server->mhd) {
		fail_errno(error, errno, "cannot start the HTTP server");
		return NULL;
	}
	server->source = mhd_source_new(server->mhd);
	return g_steal_pointer(&server);
}

/* MHD cannot stop while connections sleep. */
static void abandon_requests(RestServer *server)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, server->conns);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (((RestConn *)value)->request)
			request_abandon(((RestConn *)value)->request);
}

void rest_free(RestServer *server)
{
	if (!server)
		return;
	listeners_close(server->listeners);
	pump_stop_all();
	abandon_requests(server);
	if (server->source) {
		g_source_destroy(server->source);
		g_source_unref(server->source);
	}
	if (server->mhd)
		MHD_stop_daemon(server->mhd);
	g_clear_handle_id(&server->sweep, g_source_remove);
	g_hash_table_unref(server->conns);
	listeners_free(server->listeners);
	g_free(server);
}

/* Sockets, clients, limits and timers of libvirt's door. turn.c says which of the clients are ready. */
#include "base/fd.h"
#include "base/log.h"
#include "host/listeners.h"
#include "host/socket.h"
#include "wire/libvirt/login.h"
#include "wire/libvirt/turn.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define SCRATCH (256u * 1024)
#define TURN 64 /* clients that are accepted in one turn of the main loop */
#define FEW 4	/* with so few of them, another one is not looked for in the same turn */

struct LibvirtServer {
	Core *core;
	LvTurn *turn;
	guint timer, subscription;
	Listeners *listeners;
	GPtrArray *clients;   /* of LvClient, a reference each */
	GPtrArray *anonymous; /* of LvClient, no references: the one that came first comes first */
	const LibvirtConfig *config;
	LibvirtConfig defaults; /* what holds before libvirt_configure() */
	LvTls *tls;
	guint8 *scratch;
};

Core *lv_core(const LvClient *client)
{
	return client->server->core;
}

const LibvirtConfig *lv_config(const LibvirtServer *server)
{
	return server->config;
}

LvTls *lv_server_tls(LibvirtServer *server)
{
	if (server->tls)
		lv_tls_refresh(server->tls);
	return server->tls;
}

guint8 *lv_scratch(LibvirtServer *server, gsize *size)
{
	*size = SCRATCH;
	return server->scratch;
}

gint64 lv_now(const LibvirtServer *server)
{
	return lv_turn_time(server->turn);
}

void lv_watch(LvClient *client, gboolean is_new)
{
	lv_turn_watch(client->server->turn, client, is_new);
}

void lv_changed(LvClient *client)
{
	if (client->server)
		lv_turn_changed(client->server->turn);
}

guint libvirt_count(const LibvirtServer *server)
{
	return server->clients->len;
}

void lv_each_client(LibvirtServer *server, void (*fn)(LvClient *client, gpointer data),
		    gpointer data)
{
	g_autoptr(GPtrArray) clients = g_ptr_array_copy(server->clients, NULL, NULL);
	for (guint i = 0; i < clients->len; i++)
		lv_client_ref(g_ptr_array_index(clients, i));
	g_ptr_array_set_free_func(clients, (GDestroyNotify)lv_client_unref);
	for (guint i = 0; i < clients->len; i++) {
		LvClient *client = g_ptr_array_index(clients, i);
		if (client->server)
			fn(client, data);
	}
}

/* ---- clients that say nothing, or half of it ---- */

static void ping(LvClient *client)
{
	LvHeader header = { .program = LV_KEEPALIVE, .version = 1, .procedure = 1, .type = LV_EVENT };
	if (client->missed++ >= client->server->config->keepalive_count.v) {
		lv_close(client, "it does not answer pings");
		return;
	}
	lv_message_end(client, lv_message_begin(client, &header));
}

static void look_after(LvClient *client, gpointer data)
{
	gint64 now = *(gint64 *)data, interval = client->server->config->keepalive_interval.v;
	if (client->half_since && now - client->half_since > LV_HALF_SECONDS * G_TIME_SPAN_SECOND)
		lv_close(client, "the rest of its message did not come");
	else if (client->login && lv_login_is_late(client, now))
		lv_close(client, "it did not log in");
	else if (client->pings && interval > 0 && now - client->heard >= interval * G_TIME_SPAN_SECOND)
		ping(client);
}

/* It goes when it finds nobody, not with the last client: who connects, asks and goes, again and again,
 * would have it made anew each time, and the main loop woken for it. */
static gboolean on_timer(gpointer data)
{
	LibvirtServer *server = data;
	gint64 now = g_get_monotonic_time();
	lv_each_client(server, look_after, &now);
	if (server->clients->len > 0)
		return G_SOURCE_CONTINUE;
	server->timer = 0;
	return G_SOURCE_REMOVE;
}

/* ---- they come and go ---- */

void lv_close(LvClient *client, const char *why)
{
	LibvirtServer *server = client->server;
	if (!server)
		return;
	if (why)
		log_debug("libvirt", "client with pid %d: %s: the connection ends", client->caller.pid, why);
	if (client->login || client->tied || client->streams)
		lv_changed(client);
	lv_login_abandon(client);
	lv_tied_end(client);
	client->server = NULL;
	lv_client_ref(client);
	lv_turn_forget(server->turn, client);
	if (client->login && client->login->at_work)
		shutdown(client->fd, SHUT_RDWR); /* its number must not be another's yet */
	else
		fd_clear(&client->fd);
	lv_calls_abandon(client);
	lv_streams_close(client);
	lv_callbacks_free(client);
	g_ptr_array_remove_fast(server->clients, client);
	lv_client_unref(client);
	if (listeners_resume(server->listeners))
		lv_turn_changed(server->turn);
}

void lv_anonymous(LvClient *client, gboolean is)
{
	GPtrArray *all = client->server->anonymous;
	guint64 max = client->server->config->max_anonymous_clients.v;
	if (!is) {
		g_ptr_array_remove(all, client);
		return;
	}
	if (max && all->len >= max)
		lv_close(g_ptr_array_index(all, 0), "others want to log in too");
	g_ptr_array_add(all, client);
}

static OpCaller caller_of(int fd, LibvirtWay way)
{
	OpCaller caller = { .uid = (uid_t)-1, .read_only = way == LIBVIRT_UNIX_RO, .door = "libvirt" };
	if (way <= LIBVIRT_UNIX_RO)
		socket_peer(fd, &caller.pid, &caller.uid, NULL);
	return caller;
}

static gboolean is_full(gpointer owner)
{
	const LibvirtServer *server = owner;
	return server->clients->len >= server->config->max_clients.v;
}

/* A reference; NULL: there is no room. It may be closed already. */
static LvClient *let_in(LibvirtServer *server, int fd, LibvirtWay way)
{
	if (is_full(server)) {
		close(fd);
		return NULL;
	}
	LvClient *client = g_new0(LvClient, 1);
	*client = (LvClient){ .refs = 1, .server = server, .fd = fd, .events = EPOLLIN, .way = way,
			      .caller = caller_of(fd, way),
			      .max_calls = (guint)server->config->max_client_requests.v,
			      .heard = g_get_monotonic_time() };
	g_ptr_array_add(server->clients, client);
	lv_watch(client, TRUE);
	if (!server->timer)
		server->timer = g_timeout_add_seconds(1, on_timer, server);
	lv_client_ref(client);
	lv_login_begin(client); /* may close it */
	return client;
}

gboolean libvirt_serve(LibvirtServer *server, int fd, LibvirtWay way)
{
	g_unix_set_fd_nonblocking(fd, TRUE, NULL);
	LvClient *client = let_in(server, fd, way);
	if (client)
		lv_client_unref(client);
	return client != NULL;
}

void libvirt_listen(LibvirtServer *server, int fd, LibvirtWay way)
{
	listeners_add(server->listeners, fd, (int)way);
}

/* ---- the server ---- */

void libvirt_take_poll(LibvirtServer *server)
{
	lv_turn_take_poll(server->turn);
}

/* Who has just connected has most often asked something, too: that spares a turn of the main loop. */
static gboolean serve(gpointer owner, int fd, int way)
{
	LibvirtServer *server = owner;
	LvClient *client = let_in(server, fd, (LibvirtWay)way);
	if (!client)
		return TRUE;
	if (client->server && !client->login)
		lv_turn_serve(server->turn, client);
	lv_client_unref(client);
	return server->clients->len > FEW;
}

static Listeners *make_listeners(LibvirtServer *server)
{
	ListenersOwner owner = { .name = "libvirt", .backlog = LV_BACKLOG, .turn = TURN,
				 .is_full = is_full, .serve = serve, .owner = server };
	return listeners_new(&owner);
}

LibvirtServer *libvirt_new(Core *core, GError **error)
{
	g_autoptr(GPtrArray) clients = g_ptr_array_new();
	LvTurn *turn = lv_turn_new(clients, error);
	if (!turn)
		return NULL;
	LibvirtServer *server = g_new0(LibvirtServer, 1);
	server->core = core;
	server->turn = turn;
	server->listeners = make_listeners(server);
	server->clients = g_steal_pointer(&clients);
	server->anonymous = g_ptr_array_new();
	shape_defaults(&libvirt_config_shape, &server->defaults);
	server->config = &server->defaults;
	server->scratch = g_malloc(SCRATCH);
	if (core)
		server->subscription = op_subscribe(core, lv_events_deliver, server);
	return server;
}

gboolean libvirt_configure(LibvirtServer *server, const LibvirtConfig *config, GError **error)
{
	gboolean sasl = config->auth_unix_ro == LIBVIRT_AUTH_SASL ||
			config->auth_unix_rw == LIBVIRT_AUTH_SASL ||
			(config->listen_tcp && config->auth_tcp == LIBVIRT_AUTH_SASL) ||
			(config->listen_tls && config->auth_tls == LIBVIRT_AUTH_SASL);
	if (sasl && !lv_sasl_load(error))
		return FALSE;
	if (config->listen_tls && !(server->tls = lv_tls_new(config, error)))
		return FALSE;
	server->config = config;
	return TRUE;
}

static void say_goodbye(LvClient *client, G_GNUC_UNUSED gpointer data)
{
	lv_close(client, NULL);
}

void libvirt_free(LibvirtServer *server)
{
	if (!server)
		return;
	listeners_close(server->listeners);
	if (server->subscription)
		op_unsubscribe(server->core, server->subscription);
	lv_each_client(server, say_goodbye, NULL);
	g_clear_handle_id(&server->timer, g_source_remove);
	listeners_free(server->listeners);
	lv_turn_free(server->turn);
	g_ptr_array_unref(server->clients);
	g_ptr_array_unref(server->anonymous);
	shape_clear(&libvirt_config_shape, &server->defaults);
	lv_tls_free(server->tls);
	g_free(server->scratch);
	g_free(server);
}

/* See turn.h. All clients are behind one epoll descriptor, which is one source of the main loop: thousands
 * of idle ones cost nothing per turn.
 *
 * A turn of GLib's main loop costs as much as a call that only reads. So the main loop's function for
 * waiting is ours: while nothing but a client is ready and nothing but reading calls is made, clients are
 * served from within it. Anything else (another descriptor, a timer, another call) ends that at once, and
 * so does QUICK_US: a source that was added by something unexpected is a moment late, not lost.
 *
 * To wake a processor that sleeps takes as long as several calls, in a virtual machine above all. Where few
 * clients ask so quickly that it is worth it, the thread stays awake for a moment before it sleeps. */
#include "wire/libvirt/turn.h"

#include "base/fd.h"
#include "base/log.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/epoll.h>

#define ROUND 64      /* clients that are served in one round */
#define BUSY 4	      /* with so many, another round follows */
#define ROUNDS_US 1000 /* but not longer */
#define QUICK_US 5000 /* of serving, or of waiting for the next call, without the main loop */
#define DIRECT 4      /* clients; so few are waited for without epoll in between */
#define AWAKE_US 50   /* of looking, before it sleeps */
#define SOON_US 150   /* for who comes so soon it may be worth it */
#define MAX_ASLEEP 256 /* waits without looking, after looking in vain again and again */

G_STATIC_ASSERT((int)EPOLLIN == (int)G_IO_IN && (int)EPOLLOUT == (int)G_IO_OUT &&
		(int)EPOLLHUP == (int)G_IO_HUP && (int)EPOLLERR == (int)G_IO_ERR);

struct LvTurn {
	int epoll;
	guint source;
	GPtrArray *clients; /* the server's */
	GPtrArray *closed;  /* that go at the end of this round */
	gboolean in_round, changed;
	gint64 now;
	guint outside; /* clients that epoll does not know of */
	gint64 waited; /* us, of the last wait for few clients */
	gboolean soon; /* a client came at the end of it */
	guint asleep, next_asleep; /* waits without looking that are left, and after the next vain look */
	GArray *fds; /* of GPollFD: the main loop's and those of few clients */
};

static LvTurn *polled; /* whose clients the main loop's wait serves */

gint64 lv_turn_time(const LvTurn *turn)
{
	return turn->in_round ? turn->now : g_get_monotonic_time();
}

void lv_turn_changed(LvTurn *turn)
{
	turn->changed = TRUE;
}

static void tell_epoll(const LvTurn *turn, LvClient *client, int how)
{
	struct epoll_event event = { .events = client->events, .data.ptr = client };
	if (epoll_ctl(turn->epoll, how, client->fd, &event) < 0)
		log_error("libvirt", "epoll: %s", g_strerror(errno));
}

static void tell_of_all(LvTurn *turn)
{
	for (guint i = 0; turn->outside && i < turn->clients->len; i++) {
		LvClient *client = g_ptr_array_index(turn->clients, i);
		if (client->in_epoll)
			continue;
		client->in_epoll = TRUE;
		turn->outside--;
		tell_epoll(turn, client, EPOLL_CTL_ADD);
	}
}

/* Few clients come and go without epoll, which hears of them when it is to be waited for. */
void lv_turn_watch(LvTurn *turn, LvClient *client, gboolean is_new)
{
	if (client->in_epoll)
		tell_epoll(turn, client, EPOLL_CTL_MOD);
	else if (is_new)
		turn->outside++;
	if (polled != turn || turn->clients->len > DIRECT)
		tell_of_all(turn);
}

void lv_turn_forget(LvTurn *turn, LvClient *client)
{
	if (client->in_epoll)
		epoll_ctl(turn->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	else
		turn->outside--;
	if (turn->in_round)
		g_ptr_array_add(turn->closed, client);
	else
		lv_client_unref(client);
}

/* ---- rounds ---- */

static void round_begin(LvTurn *turn)
{
	turn->in_round = TRUE;
	turn->now = g_get_monotonic_time();
}

static void round_end(LvTurn *turn)
{
	turn->in_round = FALSE;
	g_ptr_array_set_size(turn->closed, 0);
}

void lv_turn_serve(LvTurn *turn, LvClient *client)
{
	round_begin(turn);
	lv_client_ready(client, EPOLLIN);
	round_end(turn);
	turn->soon = turn->waited < SOON_US;
}

/* Serves those who are ready now. Returns how many those were. */
static int serve_ready(LvTurn *turn)
{
	struct epoll_event events[ROUND];
	int n = epoll_wait(turn->epoll, events, ROUND, 0);
	round_begin(turn);
	for (int i = 0; i < n; i++) {
		LvClient *client = events[i].data.ptr;
		if (client->server)
			lv_client_ready(client, events[i].events);
	}
	round_end(turn);
	return n;
}

/* Where many are busy, those that were served first have asked again by now. */
static void serve_rounds(LvTurn *turn)
{
	gint64 until = g_get_monotonic_time() + ROUNDS_US;
	while (serve_ready(turn) >= BUSY && g_get_monotonic_time() < until)
		;
}

static gboolean on_ready(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	serve_rounds(data);
	return G_SOURCE_CONTINUE;
}

/* ---- without the main loop ---- */

/* As g_poll(), and does not sleep for a moment. What it finds decides how soon it is tried again. */
static int look(LvTurn *turn, GPollFD *fds, guint n)
{
	gint64 until = g_get_monotonic_time() + AWAKE_US;
	int ready = 0;
	while (!ready && g_get_monotonic_time() < until)
		ready = g_poll(fds, n, 0);
	turn->asleep = ready ? 0 : turn->next_asleep;
	turn->next_asleep = ready ? 1 : MIN(turn->next_asleep * 2, MAX_ASLEEP);
	return ready;
}

/* As g_poll(), and looks first where a client is likely to come soon. */
static int look_and_wait(LvTurn *turn, GPollFD *fds, guint n, int ms)
{
	gint64 begin = g_get_monotonic_time();
	int ready = 0;
	if (turn->soon && turn->asleep)
		turn->asleep--;
	else if (turn->soon)
		ready = look(turn, fds, n);
	if (!ready)
		ready = g_poll(fds, n, ms);
	turn->waited = g_get_monotonic_time() - begin;
	turn->soon = FALSE;
	return ready;
}

/* Waits for the main loop's @fds, in which the clients are number @ours, with few clients for each of them:
 * they stand behind those, and are served at once. Returns as g_poll(), of @fds. */
static int wait_few(LvTurn *turn, GPollFD *fds, guint n, guint ours, int ms)
{
	LvClient *few[DIRECT];
	guint n_few = turn->clients->len;
	g_array_set_size(turn->fds, 0);
	g_array_append_vals(turn->fds, fds, n);
	for (guint i = 0; i < n_few; i++) {
		few[i] = g_ptr_array_index(turn->clients, i);
		GPollFD one = { .fd = few[i]->fd, .events = (gushort)few[i]->events };
		g_array_append_val(turn->fds, one);
	}
	GPollFD *all = (GPollFD *)(gpointer)turn->fds->data;
	all[ours].fd = -1;
	int ready = look_and_wait(turn, all, n + n_few, ms);
	for (guint i = 0; i < n; i++)
		fds[i].revents = ready > 0 && i != ours ? all[i].revents : 0;
	round_begin(turn);
	for (guint i = 0; ready > 0 && i < n_few; i++)
		if (all[n + i].revents) {
			ready--;
			turn->soon = turn->waited < SOON_US;
			if (few[i]->server)
				lv_client_ready(few[i], all[n + i].revents);
		}
	round_end(turn);
	return ready;
}

/* Who logs in may have asked epoll for things that poll does not know. */
static gboolean are_few(const GPtrArray *clients)
{
	if (clients->len > DIRECT)
		return FALSE;
	for (guint i = 0; i < clients->len; i++)
		if (((const LvClient *)g_ptr_array_index(clients, i))->login)
			return FALSE;
	return TRUE;
}

/* Waits and serves. Returns as g_poll(); 0 also where clients were served. */
static int wait_and_serve(LvTurn *turn, GPollFD *fds, guint n, guint ours, int ms)
{
	if (are_few(turn->clients))
		return wait_few(turn, fds, n, ours, ms);
	tell_of_all(turn);
	int ready = g_poll(fds, n, ms);
	if (ready != 1 || !fds[ours].revents)
		return ready;
	fds[ours].revents = 0;
	serve_rounds(turn);
	return 0;
}

/* The place of our epoll among @fds; @n: it is not there. */
static guint place_of(const LvTurn *turn, const GPollFD *fds, guint n)
{
	guint i = 0;
	while (i < n && fds[i].fd != turn->epoll)
		i++;
	return i;
}

/* The main loop's wait: a GPollFunc. Whoever returns 0 makes it look what is to be done. */
static gint wait_for_all(GPollFD *fds, guint n, gint ms)
{
	LvTurn *turn = polled;
	guint ours = place_of(turn, fds, n);
	if (ours == n || !ms)
		return g_poll(fds, n, ms);
	gint64 begin = g_get_monotonic_time(), end = begin + QUICK_US;
	if (ms > 0)
		end = MIN(end, begin + (gint64)ms * 1000);
	turn->changed = FALSE;
	int ready = wait_and_serve(turn, fds, n, ours, ms);
	while (!ready && !turn->changed) {
		gint64 left = end - g_get_monotonic_time();
		if (left <= 0)
			break;
		ready = wait_and_serve(turn, fds, n, ours, (int)(left / 1000) + 1);
	}
	return ready;
}

void lv_turn_take_poll(LvTurn *turn)
{
	polled = turn;
	g_main_context_set_poll_func(NULL, wait_for_all);
}

/* ---- life ---- */

/* A source that may recurse is not taken out of the main loop's poll and put back at each turn, which
 * would cost three system calls; this one never runs the main loop. */
static guint add_source(LvTurn *turn)
{
	g_autoptr(GSource) source = g_unix_fd_source_new(turn->epoll, G_IO_IN);
	g_source_set_callback(source, G_SOURCE_FUNC(on_ready), turn, NULL);
	g_source_set_can_recurse(source, TRUE);
	g_source_set_name(source, "libvirt");
	return g_source_attach(source, NULL);
}

LvTurn *lv_turn_new(GPtrArray *clients, GError **error)
{
	autofd int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0) {
		fail_errno(error, errno, "cannot serve libvirt's clients");
		return NULL;
	}
	LvTurn *turn = g_new0(LvTurn, 1);
	turn->epoll = fd_steal(&epoll);
	turn->clients = clients;
	turn->next_asleep = 1;
	turn->closed = g_ptr_array_new_with_free_func((GDestroyNotify)lv_client_unref);
	turn->fds = g_array_new(FALSE, FALSE, sizeof(GPollFD));
	turn->source = add_source(turn);
	return turn;
}

void lv_turn_free(LvTurn *turn)
{
	if (polled == turn) {
		g_main_context_set_poll_func(NULL, NULL);
		polled = NULL;
	}
	g_source_remove(turn->source);
	g_ptr_array_unref(turn->closed);
	g_array_unref(turn->fds);
	close(turn->epoll);
	g_free(turn);
}

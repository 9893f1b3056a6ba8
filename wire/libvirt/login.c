/* See login.h. */
#include "wire/libvirt/login.h"
#include "base/lane.h"
#include "base/log.h"
#include "host/process.h"
#include "host/socket.h"

#include <string.h>
#include <sys/epoll.h>

#define SHAKE_SECONDS 10   /* for TLS's handshake */
#define LOGIN_SECONDS 60   /* for SASL: a person may be typing */
#define ASK_SECONDS 310    /* for polkit: a person may be looking for a password */
#define MAX_FAILURES 3
#define MAX_SSF 100000	   /* bits: as many as a mechanism has */
#define LANES 4		   /* threads at most that shake hands, and as many that check passwords */
#define DENIED "authentication failed"

/* ---- who asks whom ---- */

static LibvirtAuth asked_for(const LvClient *client)
{
	const LibvirtConfig *config = lv_config(client->server);
	const int auths[] = { [LIBVIRT_UNIX] = config->auth_unix_rw,
			      [LIBVIRT_UNIX_RO] = config->auth_unix_ro,
			      [LIBVIRT_TCP] = config->auth_tcp,
			      [LIBVIRT_TLS] = config->auth_tls };
	LibvirtAuth auth = (LibvirtAuth)auths[client->way];
	/* as libvirtd: root is not asked, or a broken polkit would lock it out */
	return auth == LIBVIRT_AUTH_POLKIT && client->caller.uid == 0 ? LIBVIRT_AUTH_NONE : auth;
}

/* Steps of one kind share a few threads, however many clients there are. */
static Lane *some_lane(gboolean slow)
{
	static Lane *lanes[2][LANES];
	static guint next;
	Lane **lane = &lanes[slow][next++ % LANES];
	if (!*lane)
		*lane = lane_new();
	return *lane;
}

void lv_login_free(LvLogin *login)
{
	if (!login)
		return;
	if (login->tls)
		lv_tls_layer(login->tls)->kind->free(lv_tls_layer(login->tls));
	lv_sasl_free(login->sasl);
	g_object_unref(login->cancel);
	g_free(login);
}

void lv_login_abandon(LvClient *client)
{
	if (!client->login)
		return;
	g_cancellable_cancel(client->login->cancel);
	lv_anonymous(client, FALSE);
}

gboolean lv_login_is_late(const LvClient *client, gint64 now)
{
	const LvLogin *login = client->login;
	gint64 seconds = login->tls ? SHAKE_SECONDS : login->asks ? ASK_SECONDS : LOGIN_SECONDS;
	return now - login->since > seconds * G_TIME_SPAN_SECOND;
}

void lv_login_passed(LvClient *client)
{
	LvLogin *login = client->login;
	guint bits = login->sasl ? lv_sasl_strength(login->sasl) : 0;
	if (login->sasl)
		client->caller.name = g_intern_string(lv_sasl_name(login->sasl));
	client->secure = client->way <= LIBVIRT_UNIX_RO || login->outer || bits;
	lv_anonymous(client, FALSE);
	if (bits && (client->in_len || lv_waiting(client))) {
		lv_close(client, "it went on in the clear after agreeing on encryption");
		return;
	}
	if (bits)
		client->layer = lv_sasl_layer(g_steal_pointer(&login->sasl));
	client->login = NULL;
	lv_login_free(login);
}

/* ---- TLS ---- */

typedef struct Shake {
	LvClient *client; /* a reference */
	LvShake result;
	GError *error;
} Shake;

static void shaken(LvClient *client)
{
	LvLogin *login = client->login;
	client->layer = lv_tls_layer(login->tls);
	login->outer = lv_tls_strength(login->tls);
	const char *name = lv_tls_name(login->tls);
	/* only a name that the authority stands for: there are not endlessly many of those */
	if (name && !lv_config(client->server)->tls_no_verify_certificate)
		client->caller.name = g_intern_string(name);
	login->tls = NULL;
	login->since = g_get_monotonic_time();
	/* one byte tells libvirt's clients that their certificate was good */
	if (client->layer->kind->send(client->layer, client->fd, (const guint8 *)"\1", 1) != 1) {
		lv_close(client, "it did not take the end of the handshake");
		return;
	}
	if (asked_for(client) == LIBVIRT_AUTH_NONE)
		lv_login_passed(client);
	client->events = EPOLLIN;
	lv_watch(client, FALSE);
	lv_client_resume(client);
}

static void on_shaken(gpointer data)
{
	Shake *shake = data;
	LvClient *client = shake->client;
	client->login->at_work = FALSE;
	if (client->server && shake->result == LV_SHAKE_FAILED) {
		log_info("libvirt", "a client was not let in: %s", shake->error->message);
		lv_close(client, NULL);
	} else if (client->server && shake->result == LV_SHAKE_DONE) {
		shaken(client);
	} else if (client->server) {
		client->events = shake->result == LV_SHAKE_READ ? EPOLLIN : EPOLLOUT;
		lv_watch(client, FALSE);
	}
	g_clear_error(&shake->error);
	g_free(shake);
	lv_client_unref(client);
}

static void shake_hands(gpointer data)
{
	Shake *shake = data;
	shake->result = lv_tls_shake(shake->client->login->tls, &shake->error);
	lane_to_main(on_shaken, shake);
}

void lv_login_ready(LvClient *client)
{
	Shake *shake = g_new0(Shake, 1);
	shake->client = lv_client_ref(client);
	client->login->at_work = TRUE;
	client->events = EPOLLONESHOT; /* and nothing else: the socket is the lane's */
	lv_watch(client, FALSE);
	lane_post(some_lane(FALSE), shake_hands, shake);
}

/* ---- the beginning ---- */

void lv_login_begin(LvClient *client)
{
	LibvirtAuth auth = asked_for(client);
	client->secure = client->way != LIBVIRT_TCP;
	if (client->way != LIBVIRT_TLS && auth == LIBVIRT_AUTH_NONE)
		return;
	LvLogin *login = client->login = g_new0(LvLogin, 1);
	login->since = g_get_monotonic_time();
	login->cancel = g_cancellable_new();
	if (auth == LIBVIRT_AUTH_POLKIT)
		process_start_time(client->caller.pid, &login->born, NULL);
	lv_anonymous(client, TRUE);
	if (client->way != LIBVIRT_TLS)
		return;
	g_autoptr(GError) error = NULL;
	LvTls *tls = lv_server_tls(client->server);
	login->tls = tls ? lv_tls_session(tls, client->fd, &error) : NULL;
	if (!login->tls)
		lv_close(client, error ? error->message : "there are no certificates");
}

gboolean lv_auth_list(LvCall *call, G_GNUC_UNUSED GError **error)
{
	WireValue *types = lv_put_list(call, lv_put(call, "types"), 1, 1);
	LibvirtAuth auth = call->client->login ? asked_for(call->client) : LIBVIRT_AUTH_NONE;
	types[0].items[0].i = (gint64)auth - 1;
	return TRUE;
}

gboolean lv_is_secure(LvCall *call, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "secure")->i = call->client->secure;
	return TRUE;
}

/* ---- SASL ---- */

typedef struct Step {
	LvCall *call;
	LvSasl *sasl;
	LvSaslTerms terms; /* of a conversation that begins */
	const char *mechanism;
	char *in;
	guint n;
	/* what came of it */
	const char *out;
	guint n_out;
	gboolean complete;
	GError *error;
} Step;

static void step_free(Step *step)
{
	g_free(step->in);
	g_free(step->terms.local);
	g_free(step->terms.remote);
	g_clear_error(&step->error);
	g_free(step);
}

/* The client learns only that; why is for the log. */
static void deny(LvCall *call, const char *why)
{
	LvLogin *login = call->client->login;
	log_info("libvirt", "a client was not let in: %s", why);
	if (login)
		g_clear_pointer(&login->sasl, lv_sasl_free);
	if (login && ++login->failures >= MAX_FAILURES) /* the answer goes out before it goes */
		login->since -= ASK_SECONDS * G_TIME_SPAN_SECOND;
	lv_call_refuse(call, LV_ERR_AUTH_FAILED, LV_FROM_AUTH, DENIED);
}

static gboolean is_allowed(const LvClient *client, const char *name)
{
	const GPtrArray *patterns = lv_config(client->server)->sasl_allowed_username_list;
	for (guint i = 0; i < shape_len(patterns); i++)
		if (g_pattern_match_simple(g_ptr_array_index(patterns, i), name))
			return TRUE;
	return patterns == NULL;
}

/* Why the client that is who it says is not let in all the same; NULL: it is. The caller frees it. */
static char *objection(const LvClient *client)
{
	const LvSasl *sasl = client->login->sasl;
	const char *name = lv_sasl_name(sasl);
	guint least = (guint)lv_config(client->server)->tcp_min_ssf.v;
	if (!is_allowed(client, name))
		return g_strdup_printf("sasl_allowed_username_list does not have \"%s\"", name);
	if (client->way == LIBVIRT_TCP && lv_sasl_strength(sasl) < least)
		return g_strdup_printf("%u bits of encryption are too few on TCP", lv_sasl_strength(sasl));
	return NULL;
}

static void give_out(LvCall *call, const Step *step)
{
	lv_put(call, "complete")->i = step->complete;
	lv_put(call, "nil")->i = step->out == NULL;
	WireValue *items = lv_put_list(call, lv_put(call, "data"), step->out ? step->n_out : 0, 0);
	for (guint i = 0; step->out && i < step->n_out; i++)
		items[i].i = step->out[i];
}

static void on_stepped(gpointer data)
{
	Step *step = data;
	LvCall *call = step->call;
	LvClient *client = call->client;
	LvLogin *login = client->login;
	login->at_work = FALSE;
	login->sasl = step->sasl;
	g_autofree char *why = client->server && step->complete ? objection(client) : NULL;
	if (!client->server) {
		lv_call_refuse(call, LV_ERR_AUTH_FAILED, LV_FROM_AUTH, DENIED); /* to nobody */
	} else if (step->error || why) {
		deny(call, why ? why : step->error->message);
	} else {
		give_out(call, step);
		login->done = step->complete;
		lv_call_reply(call);
	}
	step_free(step);
}

static void take_step(gpointer data)
{
	Step *step = data;
	lv_sasl_step(step->sasl, step->mechanism, step->in, step->n, &step->out, &step->n_out,
		     &step->complete, &step->error);
	lane_to_main(on_stepped, step);
}

static gboolean may_step(LvCall *call, gboolean began)
{
	const LvClient *client = call->client;
	const LvLogin *login = client->login;
	if (login && login->failures < MAX_FAILURES && asked_for(client) == LIBVIRT_AUTH_SASL &&
	    (login->sasl != NULL) == began)
		return TRUE;
	deny(call, "it asked for SASL where that is not next");
	return FALSE;
}

static void begin_step(LvCall *call, const char *mechanism)
{
	if (!may_step(call, TRUE))
		return;
	const WireValue *data = lv_arg(call, "data");
	Step *step = g_new0(Step, 1);
	*step = (Step){ .call = call, .sasl = call->client->login->sasl, .mechanism = mechanism };
	if (!lv_arg(call, "nil")->i) {
		step->in = g_malloc(data->n + 1);
		step->n = data->n;
		for (guint i = 0; i < data->n; i++)
			step->in[i] = (char)data->items[i].i;
		step->in[data->n] = '\0';
	}
	call->client->login->at_work = TRUE;
	lane_post(some_lane(TRUE), take_step, step);
}

void lv_sasl_start(LvCall *call)
{
	begin_step(call, lv_arg(call, "mech")->s);
}

void lv_sasl_step_call(LvCall *call)
{
	begin_step(call, NULL);
}

static void on_begun(gpointer data)
{
	Step *step = data;
	LvCall *call = step->call;
	call->client->login->at_work = FALSE;
	call->client->login->sasl = step->sasl;
	if (!step->error && call->client->server) {
		lv_put(call, "mechlist")->s = step->out;
		lv_call_reply(call);
	} else {
		deny(call, step->error ? step->error->message : "it has gone");
	}
	step_free(step);
}

static void begin_sasl(gpointer data)
{
	Step *step = data;
	step->sasl = lv_sasl_new(&step->terms, &step->error);
	if (step->sasl)
		step->out = lv_sasl_mechanisms(step->sasl, &step->error);
	lane_to_main(on_begun, step);
}

void lv_sasl_init(LvCall *call)
{
	if (!may_step(call, FALSE))
		return;
	LvClient *client = call->client;
	Step *step = g_new0(Step, 1);
	step->call = call;
	step->terms.outer = client->login->outer;
	if (client->way == LIBVIRT_TCP) {
		step->terms.least = (guint)lv_config(client->server)->tcp_min_ssf.v;
		step->terms.most = MAX_SSF;
	}
	if (client->way == LIBVIRT_TCP || client->way == LIBVIRT_TLS) {
		step->terms.local = socket_address(client->fd, FALSE);
		step->terms.remote = socket_address(client->fd, TRUE);
	}
	client->login->at_work = TRUE;
	lane_post(some_lane(TRUE), begin_sasl, step);
}

/* ---- polkit ---- */

static void on_polkit(LvCall *call, int code, const char *why)
{
	LvLogin *login = call->client->login;
	login->asks = FALSE;
	login->since = g_get_monotonic_time();
	if (code) {
		g_autofree char *text = g_strdup_printf(DENIED ": %s", why);
		log_info("libvirt", "pid %d was not let in: %s", call->client->caller.pid, why);
		lv_call_refuse(call, code, LV_FROM_POLKIT, text);
		return;
	}
	lv_put(call, "complete")->i = 1;
	login->done = TRUE;
	lv_call_reply(call);
}

void lv_polkit(LvCall *call)
{
	LvClient *client = call->client;
	if (!client->login || asked_for(client) != LIBVIRT_AUTH_POLKIT || client->caller.pid <= 0) {
		lv_call_refuse(call, LV_ERR_AUTH_FAILED, LV_FROM_POLKIT, DENIED);
		return;
	}
	client->login->asks = TRUE;
	lv_polkit_ask(call, client->login->born, client->login->cancel, on_polkit);
}

/* How a client becomes one that may call: TLS's handshake, then SASL or polkit where its door asks for it.
 * Until then it is anonymous: there are few of those, they have little time, one call at a time and
 * short messages. Everything that computes or asks someone is done in steps on lanes or by D-Bus.
 *
 * Neighbours: tls.c, sasl.c, polkit.c do the work; client.c and call.c hold a client with a login back;
 * procs_login.c has the rows. Main loop's thread. */
#pragma once

#include "wire/libvirt/internal.h"
#include "wire/libvirt/sasl.h"
#include "wire/libvirt/tls.h"

struct LvLogin {
	gint64 since;	   /* monotonic */
	LvTlsSession *tls; /* whose handshake is not done; NULL: none */
	LvSasl *sasl;	   /* NULL: did not begin */
	guint outer;	   /* bits of encryption that TLS gives */
	guint failures;
	gboolean at_work;  /* a step is on a lane, which has the socket too */
	gboolean asks;	   /* somebody is asked for a password: that takes long */
	gboolean done;	   /* the reply that is being sent lets it in */
	guint64 born;	   /* the start of its process: with the pid it is no other */
	GCancellable *cancel;
};

/* The new @client is anonymous where its door asks who it is. */
void lv_login_begin(LvClient *client);
/* The connection has ended. What is at work goes on and finds it closed. */
void lv_login_abandon(LvClient *client);
void lv_login_free(LvLogin *login);
/* The socket is ready, and TLS's handshake has it. */
void lv_login_ready(LvClient *client);
/* Its time is over. */
gboolean lv_login_is_late(const LvClient *client, gint64 now);
/* After the reply that lets it in. */
void lv_login_passed(LvClient *client);

/* ---- procedures ---- */

gboolean lv_auth_list(LvCall *call, GError **error);
gboolean lv_is_secure(LvCall *call, GError **error);
void lv_sasl_init(LvCall *call);
void lv_sasl_start(LvCall *call);
void lv_sasl_step_call(LvCall *call);
void lv_polkit(LvCall *call);

/* ---- polkit.c ---- */

typedef void (*LvPolkitFn)(LvCall *call, int code, const char *why);

/* Asks polkit whether the client of @call may come in, and calls @done: @code 0 for yes, else the number
 * of libvirt's error. Minutes may pass. */
void lv_polkit_ask(LvCall *call, guint64 born, GCancellable *cancel, LvPolkitFn done);

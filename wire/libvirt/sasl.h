/* SASL by libsasl2, which is loaded only where the configuration asks for SASL: a daemon without it
 * carries none of it. libsasl2 finds its own settings (mechanisms, where passwords are) in libvirt.conf of
 * its folder, /etc/sasl2, as libvirtd's.
 *
 * A step may look up names or wait for a password check: all but lv_sasl_load() and what only reads is for
 * lanes, one call at a time per conversation. Neighbours: login.c runs the steps; layer.h. */
#pragma once

#include "wire/libvirt/layer.h"

typedef struct LvSasl LvSasl; /* one client's conversation; is a layer where encryption was agreed on */

typedef struct LvSaslTerms {
	char *local, *remote;  /* "ADDRESS;PORT"; NULL on unix sockets */
	guint outer;	       /* bits of encryption that are there already: TLS; 0: none */
	guint least, most;     /* bits that SASL is to bring along; 0, 0: none */
} LvSaslTerms;

/* Loads the library; once, at start. Blocks. On failure @error says what to install. */
gboolean lv_sasl_load(GError **error);

LvSasl *lv_sasl_new(const LvSaslTerms *terms, GError **error);
void lv_sasl_free(LvSasl *sasl);
/* "SCRAM-SHA-256,GSSAPI": what the client may choose from; lives as long as @sasl. NULL on failure. */
const char *lv_sasl_mechanisms(LvSasl *sasl, GError **error);
/* One step: the first names @mechanism, the others do not (NULL). @in is NULL where the client said
 * nothing, which is not the same as no bytes. *out (NULL: nothing) lives until the next step.
 * *complete: the client is who it says. On failure DENIED. */
gboolean lv_sasl_step(LvSasl *sasl, const char *mechanism, const char *in, guint n, const char **out,
		      guint *n_out, gboolean *complete, GError **error);
/* Who it is, after the last step. */
const char *lv_sasl_name(const LvSasl *sasl);
/* Bits of encryption that it brought along. */
guint lv_sasl_strength(const LvSasl *sasl);
/* @sasl as a layer, which then owns it. */
LvLayer *lv_sasl_layer(LvSasl *sasl);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvSasl, lv_sasl_free)

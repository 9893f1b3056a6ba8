/* See tls.h. */
#include "wire/libvirt/tls.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/stat.h>
#include <time.h>

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define MAX_DN 1024 /* bytes */

/* Certificates are replaced as a whole; sessions keep those that they began with. */
typedef struct Credentials {
	gint refs;
	gnutls_certificate_credentials_t x509;
	gint64 stamp; /* of the files */
} Credentials;

struct LvTls {
	const LibvirtConfig *config;
	gnutls_priority_t priority;
	Credentials *now;
};

struct LvTlsSession {
	LvLayer layer; /* first */
	const LibvirtConfig *config;
	Credentials *credentials;
	gnutls_session_t session;
	gsize unsent; /* bytes that GnuTLS has taken and not sent */
	char *name;
};

static gboolean refused(int code, GError **error, const char *what)
{
	return fail(error, LODGE_ERROR_SYSTEM, "TLS: %s: %s", what, gnutls_strerror(code));
}

/* ---- certificates ---- */

static void credentials_unref(Credentials *credentials)
{
	if (!credentials || !g_atomic_int_dec_and_test(&credentials->refs))
		return;
	gnutls_certificate_free_credentials(credentials->x509);
	g_free(credentials);
}

/* Changes when one of the files does. */
static gint64 stamp_of(const LibvirtConfig *config)
{
	const char *const files[] = { config->ca_file, config->cert_file, config->key_file,
				      config->crl_file };
	guint64 stamp = 1;
	for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
		struct stat st;
		if (files[i] && stat(files[i], &st) == 0)
			stamp = stamp * 31 + (guint64)st.st_mtim.tv_sec * 1000000007u +
				(guint64)st.st_mtim.tv_nsec + st.st_ino * 7 + (guint64)st.st_size;
	}
	return (gint64)stamp;
}

/* A certificate of our own that cannot work is better told at the start than to each client. */
static gboolean is_sane(const LibvirtConfig *config, gnutls_certificate_credentials_t x509,
			GError **error)
{
	gnutls_x509_crt_t *chain = NULL;
	guint n = 0;
	time_t now = time(NULL);
	if (config->tls_no_sanity_certificate ||
	    gnutls_certificate_get_x509_crt(x509, 0, &chain, &n) < 0)
		return TRUE;
	gboolean early = n && gnutls_x509_crt_get_activation_time(chain[0]) > now;
	gboolean late = n && gnutls_x509_crt_get_expiration_time(chain[0]) < now;
	for (guint i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	if (early || late)
		return fail(error, LODGE_ERROR_INVALID, "TLS: the certificate %s %s", config->cert_file,
			    early ? "is not valid yet" : "has expired: make a new one");
	return TRUE;
}

static gboolean load(const LibvirtConfig *config, gnutls_certificate_credentials_t x509, GError **error)
{
	int code = gnutls_certificate_set_x509_trust_file(x509, config->ca_file, GNUTLS_X509_FMT_PEM);
	if (code < 0)
		return refused(code, error, config->ca_file);
	code = config->crl_file ? gnutls_certificate_set_x509_crl_file(x509, config->crl_file,
								       GNUTLS_X509_FMT_PEM) : 0;
	if (code < 0)
		return refused(code, error, config->crl_file);
	code = gnutls_certificate_set_x509_key_file(x509, config->cert_file, config->key_file,
						    GNUTLS_X509_FMT_PEM);
	if (code < 0) {
		g_autofree char *what = g_strdup_printf("%s with %s", config->cert_file, config->key_file);
		return refused(code, error, what);
	}
	code = gnutls_certificate_set_known_dh_params(x509, GNUTLS_SEC_PARAM_MEDIUM);
	return code < 0 ? refused(code, error, "parameters") : is_sane(config, x509, error);
}

static Credentials *credentials_new(const LibvirtConfig *config, GError **error)
{
	Credentials *credentials = g_new0(Credentials, 1);
	*credentials = (Credentials){ .refs = 1, .stamp = stamp_of(config) };
	gnutls_certificate_allocate_credentials(&credentials->x509);
	if (load(config, credentials->x509, error))
		return credentials;
	credentials_unref(credentials);
	return NULL;
}

LvTls *lv_tls_new(const LibvirtConfig *config, GError **error)
{
	const char *words = config->tls_priority ? config->tls_priority : PRIORITY;
	gnutls_priority_t priority;
	int code = gnutls_priority_init(&priority, words, NULL);
	if (code < 0) {
		refused(code, error, words);
		return NULL;
	}
	Credentials *credentials = credentials_new(config, error);
	if (!credentials) {
		gnutls_priority_deinit(priority);
		return NULL;
	}
	LvTls *tls = g_new(LvTls, 1);
	*tls = (LvTls){ .config = config, .priority = priority, .now = credentials };
	return tls;
}

void lv_tls_free(LvTls *tls)
{
	if (!tls)
		return;
	credentials_unref(tls->now);
	gnutls_priority_deinit(tls->priority);
	g_free(tls);
}

void lv_tls_refresh(LvTls *tls)
{
	gint64 stamp = stamp_of(tls->config);
	if (stamp == tls->now->stamp)
		return;
	g_autoptr(GError) error = NULL;
	Credentials *fresh = credentials_new(tls->config, &error);
	if (!fresh) {
		log_warning("libvirt", "%s: the certificates from before go on being used",
			    error->message);
		tls->now->stamp = stamp; /* said once */
		return;
	}
	credentials_unref(tls->now);
	tls->now = fresh;
}

/* ---- as a layer ---- */

/* GnuTLS's codes as those of a socket. */
static ssize_t as_socket(ssize_t n)
{
	if (n >= 0)
		return n;
	errno = n == GNUTLS_E_AGAIN	    ? EAGAIN :
		n == GNUTLS_E_INTERRUPTED ? EINTR :
					    EIO;
	return -1;
}

static ssize_t tls_receive(LvLayer *layer, G_GNUC_UNUSED int fd, guint8 *bytes, gsize room)
{
	return as_socket(gnutls_record_recv(((LvTlsSession *)layer)->session, bytes, room));
}

static ssize_t tls_send(LvLayer *layer, G_GNUC_UNUSED int fd, const guint8 *bytes, gsize n)
{
	LvTlsSession *session = (LvTlsSession *)layer;
	/* what it has taken already is only to be sent, and then counts as sent now */
	ssize_t sent = session->unsent ? gnutls_record_send(session->session, NULL, 0) :
					 gnutls_record_send(session->session, bytes, n);
	if (sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED)
		session->unsent = n;
	else
		session->unsent = 0;
	return as_socket(sent);
}

static gboolean tls_holds(const LvLayer *layer)
{
	return gnutls_record_check_pending(((const LvTlsSession *)layer)->session) > 0;
}

static void tls_free(LvLayer *layer)
{
	LvTlsSession *session = (LvTlsSession *)layer;
	gnutls_deinit(session->session);
	credentials_unref(session->credentials);
	g_free(session->name);
	g_free(session);
}

static const LvLayerKind tls_kind = { tls_receive, tls_send, tls_holds, tls_free };

LvLayer *lv_tls_layer(LvTlsSession *session)
{
	return &session->layer;
}

guint lv_tls_strength(const LvTlsSession *session)
{
	return (guint)gnutls_cipher_get_key_size(gnutls_cipher_get(session->session)) * 8;
}

const char *lv_tls_name(const LvTlsSession *session)
{
	return session->name;
}

/* ---- the handshake ---- */

LvTlsSession *lv_tls_session(LvTls *tls, int fd, GError **error)
{
	LvTlsSession *session = g_new0(LvTlsSession, 1);
	session->layer.kind = &tls_kind;
	session->config = tls->config;
	session->credentials = tls->now;
	g_atomic_int_inc(&tls->now->refs);
	int code = gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (code >= 0)
		code = gnutls_priority_set(session->session, tls->priority);
	if (code >= 0)
		code = gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE,
					      session->credentials->x509);
	if (code < 0) {
		refused(code, error, "session");
		tls_free(&session->layer);
		return NULL;
	}
	gnutls_certificate_server_set_request(session->session, GNUTLS_CERT_REQUEST);
	gnutls_transport_set_int(session->session, fd);
	gnutls_handshake_set_timeout(session->session, GNUTLS_INDEFINITE_TIMEOUT); /* login.c counts */
	return session;
}

static void note_name(LvTlsSession *session)
{
	guint n = 0;
	char name[MAX_DN];
	size_t size = sizeof name;
	gnutls_x509_crt_t certificate;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session->session, &n);
	if (!chain || !n || gnutls_x509_crt_init(&certificate) < 0)
		return;
	if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0 &&
	    gnutls_x509_crt_get_dn(certificate, name, &size) >= 0)
		session->name = g_strdup(name);
	gnutls_x509_crt_deinit(certificate);
}

static gboolean is_allowed(const LvTlsSession *session)
{
	const GPtrArray *patterns = session->config->tls_allowed_dn_list;
	for (guint i = 0; i < shape_len(patterns); i++)
		if (g_pattern_match_simple(g_ptr_array_index(patterns, i), session->name))
			return TRUE;
	return patterns == NULL;
}

static gboolean is_known(LvTlsSession *session, GError **error)
{
	note_name(session);
	if (session->config->tls_no_verify_certificate)
		return TRUE;
	guint status = 0;
	int code = gnutls_certificate_verify_peers2(session->session, &status);
	if (code == GNUTLS_E_NO_CERTIFICATE_FOUND || !session->name)
		return fail(error, LODGE_ERROR_DENIED, "it shows no certificate");
	if (code < 0)
		return refused(code, error, "its certificate");
	gnutls_datum_t why = { 0 };
	if (status) {
		gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0);
		fail(error, LODGE_ERROR_DENIED, "%s: %s", session->name,
		     why.data ? (const char *)why.data : "its certificate is not good");
		gnutls_free(why.data);
		return FALSE;
	}
	if (!is_allowed(session))
		return fail(error, LODGE_ERROR_DENIED, "tls_allowed_dn_list does not have \"%s\"",
			    session->name);
	return TRUE;
}

LvShake lv_tls_shake(LvTlsSession *session, GError **error)
{
	int code;
	do
		code = gnutls_handshake(session->session);
	while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(code));
	if (code == GNUTLS_E_AGAIN)
		return gnutls_record_get_direction(session->session) ? LV_SHAKE_WRITE : LV_SHAKE_READ;
	if (code < 0) {
		refused(code, error, "handshake");
		return LV_SHAKE_FAILED;
	}
	return is_known(session, error) ? LV_SHAKE_DONE : LV_SHAKE_FAILED;
}

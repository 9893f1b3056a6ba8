/* See sasl.h. */
#include "wire/libvirt/sasl.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <gmodule.h>
#include <sasl/sasl.h>
#include <string.h>
#include <sys/socket.h>

#define LIBRARY "libsasl2.so.2"
#define SERVICE "libvirt" /* names the settings and, for Kerberos, the principal */
#define MAX_BUFFER 65536  /* bytes of one piece that is encrypted as a whole */

struct LvSasl {
	LvLayer layer; /* first */
	sasl_conn_t *conn;
	gboolean began;
	/* as a layer */
	GByteArray *plain;  /* that came and was not taken yet */
	GByteArray *cipher; /* that waits to be sent, */
	gsize meant;	    /* and stands for so many bytes of its caller */
};

/* ---- the library ---- */

/* NAME(type as in sasl.h): every function that is used here. */
#define FUNCTIONS(NAME)                                                                            \
	NAME(sasl_server_init) NAME(sasl_server_new) NAME(sasl_listmech) NAME(sasl_server_start)   \
	NAME(sasl_server_step) NAME(sasl_getprop) NAME(sasl_setprop) NAME(sasl_errdetail)          \
	NAME(sasl_encode) NAME(sasl_decode) NAME(sasl_dispose)

#define MEMBER(name) __typeof__(name) *name;
static struct {
	FUNCTIONS(MEMBER)
} lib;

#define ENTRY(name_) { #name_, (gpointer *)&lib.name_ },
static const struct {
	const char *name;
	gpointer *at;
} functions[] = { FUNCTIONS(ENTRY) };

/* Its complaints are debugging: what matters to us is in the results. */
static int on_log(G_GNUC_UNUSED void *context, int level, const char *message)
{
	if (level <= SASL_LOG_FAIL && message)
		log_debug("libvirt", "SASL: %s", message);
	return SASL_OK;
}

gboolean lv_sasl_load(GError **error)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_LOG, (int (*)(void))(void (*)(void))on_log, NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	static gboolean loaded;
	if (loaded)
		return TRUE;
	GModule *module = g_module_open(LIBRARY, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
	if (!module)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "SASL needs " LIBRARY ": install libsasl2-2 and libsasl2-modules");
	for (guint i = 0; i < G_N_ELEMENTS(functions); i++)
		if (!g_module_symbol(module, functions[i].name, functions[i].at))
			return fail(error, LODGE_ERROR_UNSUPPORTED, LIBRARY " has no %s",
				    functions[i].name);
	int code = lib.sasl_server_init(callbacks, SERVICE);
	if (code != SASL_OK)
		return fail(error, LODGE_ERROR_SYSTEM, "SASL cannot begin: error %d of " LIBRARY, code);
	loaded = TRUE; /* for the life of the process: libsasl2 cannot be unloaded safely */
	return TRUE;
}

static gboolean refused(LvSasl *sasl, GError **error)
{
	const char *why = lib.sasl_errdetail(sasl->conn);
	return fail(error, LODGE_ERROR_DENIED, "SASL: %s", why ? why : "refused");
}

/* ---- a conversation ---- */

static gboolean set_terms(LvSasl *sasl, const LvSaslTerms *terms, GError **error)
{
	sasl_ssf_t outer = terms->outer;
	sasl_security_properties_t properties = {
		.min_ssf = terms->least,
		.max_ssf = terms->most,
		.maxbufsize = MAX_BUFFER,
		.security_flags = SASL_SEC_NOANONYMOUS | (terms->most ? SASL_SEC_NOPLAINTEXT : 0),
	};
	if ((outer && lib.sasl_setprop(sasl->conn, SASL_SSF_EXTERNAL, &outer) != SASL_OK) ||
	    lib.sasl_setprop(sasl->conn, SASL_SEC_PROPS, &properties) != SASL_OK)
		return refused(sasl, error);
	return TRUE;
}

LvSasl *lv_sasl_new(const LvSaslTerms *terms, GError **error)
{
	g_autoptr(LvSasl) sasl = g_new0(LvSasl, 1);
	int code = lib.sasl_server_new(SERVICE, NULL, NULL, terms->local, terms->remote, NULL,
				       SASL_SUCCESS_DATA, &sasl->conn);
	if (code != SASL_OK) {
		fail(error, LODGE_ERROR_SYSTEM, "SASL cannot begin: error %d of " LIBRARY, code);
		return NULL;
	}
	return set_terms(sasl, terms, error) ? g_steal_pointer(&sasl) : NULL;
}

void lv_sasl_free(LvSasl *sasl)
{
	if (!sasl)
		return;
	if (sasl->conn)
		lib.sasl_dispose(&sasl->conn);
	g_clear_pointer(&sasl->plain, g_byte_array_unref);
	g_clear_pointer(&sasl->cipher, g_byte_array_unref);
	g_free(sasl);
}

const char *lv_sasl_mechanisms(LvSasl *sasl, GError **error)
{
	const char *list = NULL;
	int n = 0;
	int code = lib.sasl_listmech(sasl->conn, NULL, "", ",", "", &list, NULL, &n);
	if (code == SASL_OK && n > 0 && list)
		return list;
	fail(error, LODGE_ERROR_DENIED,
	     "SASL has no mechanism that is good enough here: install modules, or use TLS");
	return NULL;
}

gboolean lv_sasl_step(LvSasl *sasl, const char *mechanism, const char *in, guint n, const char **out,
		      guint *n_out, gboolean *complete, GError **error)
{
	if (sasl->began == (mechanism != NULL))
		return fail(error, LODGE_ERROR_DENIED, "SASL: this is not the time for that step");
	sasl->began = TRUE;
	*out = NULL;
	*n_out = 0;
	int code = mechanism ? lib.sasl_server_start(sasl->conn, mechanism, in, n, out, n_out) :
			       lib.sasl_server_step(sasl->conn, in, n, out, n_out);
	*complete = code == SASL_OK;
	return code == SASL_OK || code == SASL_CONTINUE || refused(sasl, error);
}

const char *lv_sasl_name(const LvSasl *sasl)
{
	const void *name = NULL;
	int code = lib.sasl_getprop(sasl->conn, SASL_USERNAME, &name);
	return code == SASL_OK && name ? name : "";
}

guint lv_sasl_strength(const LvSasl *sasl)
{
	const void *bits = NULL;
	int code = lib.sasl_getprop(sasl->conn, SASL_SSF, &bits);
	return code == SASL_OK && bits ? (guint)*(const sasl_ssf_t *)bits : 0;
}

/* ---- as a layer ---- */

static gboolean sasl_holds(const LvLayer *layer)
{
	return ((const LvSasl *)layer)->plain->len > 0;
}

static ssize_t bad(void)
{
	errno = EIO;
	return -1;
}

static ssize_t sasl_receive(LvLayer *layer, int fd, guint8 *bytes, gsize room)
{
	LvSasl *sasl = (LvSasl *)layer;
	char raw[16384];
	while (sasl->plain->len == 0) {
		ssize_t n = recv(fd, raw, sizeof raw, MSG_DONTWAIT);
		const char *plain = NULL;
		unsigned len = 0;
		if (n <= 0)
			return n;
		if (lib.sasl_decode(sasl->conn, raw, (unsigned)n, &plain, &len) != SASL_OK)
			return bad();
		g_byte_array_append(sasl->plain, (const guint8 *)plain, len);
	}
	gsize n = MIN(room, sasl->plain->len);
	memcpy(bytes, sasl->plain->data, n);
	g_byte_array_remove_range(sasl->plain, 0, (guint)n);
	return (ssize_t)n;
}

/* As many bytes as the client takes in one piece. */
static gboolean encode(LvSasl *sasl, const guint8 *bytes, gsize n)
{
	const void *max = NULL;
	const char *cipher = NULL;
	unsigned len = 0;
	gsize piece = 4096;
	if (lib.sasl_getprop(sasl->conn, SASL_MAXOUTBUF, &max) == SASL_OK && max && *(const unsigned *)max)
		piece = *(const unsigned *)max;
	piece = MIN(MIN(piece, MAX_BUFFER), n);
	if (lib.sasl_encode(sasl->conn, (const char *)bytes, (unsigned)piece, &cipher, &len) != SASL_OK)
		return FALSE;
	g_byte_array_append(sasl->cipher, (const guint8 *)cipher, len);
	sasl->meant = piece;
	return TRUE;
}

static ssize_t sasl_send(LvLayer *layer, int fd, const guint8 *bytes, gsize n)
{
	LvSasl *sasl = (LvSasl *)layer;
	if (sasl->cipher->len == 0 && !encode(sasl, bytes, n))
		return bad();
	while (sasl->cipher->len) {
		ssize_t sent = send(fd, sasl->cipher->data, sasl->cipher->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return -1;
		g_byte_array_remove_range(sasl->cipher, 0, (guint)sent);
	}
	return (ssize_t)sasl->meant;
}

static void layer_free(LvLayer *layer)
{
	lv_sasl_free((LvSasl *)layer);
}

static const LvLayerKind sasl_kind = { sasl_receive, sasl_send, sasl_holds, layer_free };

LvLayer *lv_sasl_layer(LvSasl *sasl)
{
	sasl->layer.kind = &sasl_kind;
	sasl->plain = g_byte_array_new();
	sasl->cipher = g_byte_array_new();
	return &sasl->layer;
}

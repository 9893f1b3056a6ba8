/* See config.h. Names and defaults are libvirtd.conf's, but for what is safe to be off. */
#include "wire/libvirt/config.h"
#include "base/error.h"

#include <stdlib.h>

#define PKI "/etc/pki/"
#define EVERYONE 0666

static const EnumTable auths = ENUM_TABLE("way to authenticate", "none", "sasl", "polkit");

static const Row rows[] = {
	FLAG(LibvirtConfig, listen_tls, NULL, .doc = "let libvirt's clients in by TLS"),
	FLAG(LibvirtConfig, listen_tcp, NULL, .doc = "let libvirt's clients in by TCP"),
	STRING(LibvirtConfig, listen_addr, NULL, .doc = "listen on this address only"),
	STRING(LibvirtConfig, tls_port, NULL, .dflt = "16514", .doc = "port of TLS"),
	STRING(LibvirtConfig, tcp_port, NULL, .dflt = "16509", .doc = "port of TCP"),
	STRING(LibvirtConfig, unix_sock_group, NULL, .doc = "group of the socket for administrators"),
	STRING(LibvirtConfig, unix_sock_ro_perms, NULL, .doc = "permission bits of the read-only socket"),
	STRING(LibvirtConfig, unix_sock_rw_perms, NULL,
	       .doc = "permission bits of the socket for administrators"),
	ENUM(LibvirtConfig, auth_unix_ro, NULL, auths, .dflt = "none",
	     .doc = "who may come in by the read-only socket"),
	ENUM(LibvirtConfig, auth_unix_rw, NULL, auths, .dflt = "none",
	     .doc = "who may come in by the socket for administrators"),
	ENUM(LibvirtConfig, auth_tcp, NULL, auths, .dflt = "sasl", .doc = "who may come in by TCP"),
	ENUM(LibvirtConfig, auth_tls, NULL, auths, .dflt = "none",
	     .doc = "who may come in by TLS, beside having a certificate"),
	UINT(LibvirtConfig, tcp_min_ssf, NULL, .min = 56, .max = 4096, .dflt = "112",
	     .doc = "bits of encryption that SASL brings along on TCP"),
	STRINGS(LibvirtConfig, sasl_allowed_username_list, NULL, .doc = "patterns of names for SASL"),
	STRING(LibvirtConfig, key_file, NULL, .dflt = PKI "libvirt/private/serverkey.pem",
	       .doc = "key of this host for TLS"),
	STRING(LibvirtConfig, cert_file, NULL, .dflt = PKI "libvirt/servercert.pem",
	       .doc = "certificate of this host for TLS"),
	STRING(LibvirtConfig, ca_file, NULL, .dflt = PKI "CA/cacert.pem",
	       .doc = "certificate that signed those of clients"),
	STRING(LibvirtConfig, crl_file, NULL, .doc = "certificates that do not count any more"),
	STRING(LibvirtConfig, tls_priority, NULL, .doc = "GnuTLS's words for the ciphers"),
	FLAG(LibvirtConfig, tls_no_verify_certificate, NULL,
	     .doc = "let clients in whatever their certificate"),
	FLAG(LibvirtConfig, tls_no_sanity_certificate, NULL,
	     .doc = "do not look at this host's own certificate at the start"),
	STRINGS(LibvirtConfig, tls_allowed_dn_list, NULL, .doc = "patterns of names in certificates"),
	UINT(LibvirtConfig, max_clients, NULL, .min = 1, .max = 100000, .dflt = "5000",
	     .doc = "connections at once"),
	UINT(LibvirtConfig, max_anonymous_clients, NULL, .max = 100000, .dflt = "20",
	     .doc = "connections that did not authenticate yet; 0: no limit of their own"),
	UINT(LibvirtConfig, max_client_requests, NULL, .min = 1, .max = 4096, .dflt = "64",
	     .doc = "calls of one connection at once"),
	INT(LibvirtConfig, keepalive_interval, NULL, .min = -1, .max = 86400, .dflt = "5",
	    .doc = "seconds of silence until a ping; -1: none"),
	UINT(LibvirtConfig, keepalive_count, NULL, .max = 1000, .dflt = "5",
	     .doc = "pings without an answer until a connection ends"),
};

static gboolean mode_from_text(const char *text, mode_t *mode)
{
	char *end = NULL;
	gulong bits = text ? strtoul(text, &end, 8) : 0;
	if (!text || end == text || *end || bits > 0777)
		return FALSE;
	*mode = (mode_t)bits;
	return TRUE;
}

static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const LibvirtConfig *config = object;
	const char *const modes[] = { config->unix_sock_ro_perms, config->unix_sock_rw_perms };
	mode_t mode;
	for (guint i = 0; i < G_N_ELEMENTS(modes); i++)
		if (modes[i] && !mode_from_text(modes[i], &mode))
			return fail(error, LODGE_ERROR_INVALID,
				    "\"%s\" is not a set of permission bits: say \"0770\" or the like",
				    modes[i]);
	if (config->auth_tcp == LIBVIRT_AUTH_POLKIT || config->auth_tls == LIBVIRT_AUTH_POLKIT)
		return fail(error, LODGE_ERROR_INVALID,
			    "polkit knows only people of this host: say auth_tcp and auth_tls = \"sasl\"");
	return TRUE;
}

const Shape libvirt_config_shape = SHAPE("libvirt door", LibvirtConfig, rows, .check = check);

void libvirt_config_modes(const LibvirtConfig *config, mode_t usual, mode_t *rw, mode_t *ro)
{
	*rw = config->auth_unix_rw > LIBVIRT_AUTH_NONE ? EVERYONE : usual;
	*ro = EVERYONE;
	mode_from_text(config->unix_sock_rw_perms, rw);
	mode_from_text(config->unix_sock_ro_perms, ro);
}

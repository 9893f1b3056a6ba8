/* What administrators say about libvirt's door, under the names that they know from libvirtd.conf, and
 * in the meaning that these have there. The rows are in config.c. Neighbours: daemon/config.c reads the
 * file; server.c, tls.c, sasl.c and auth.c obey. */
#pragma once

#include <sys/types.h>

#include "shape/shape.h"

typedef enum LibvirtAuth { /* 1 + the protocol's number */
	LIBVIRT_AUTH_NONE = 1,
	LIBVIRT_AUTH_SASL,
	LIBVIRT_AUTH_POLKIT,
} LibvirtAuth;

typedef struct LibvirtConfig {
	ShapeHead head;
	/* where */
	gboolean listen_tls, listen_tcp;
	char *listen_addr; /* NULL: every address of the host */
	char *tls_port, *tcp_port; /* a number or a name of /etc/services */
	/* who may reach the unix sockets; NULL: see libvirt_config_modes() */
	char *unix_sock_group, *unix_sock_ro_perms, *unix_sock_rw_perms;
	/* who is let in */
	int auth_unix_ro, auth_unix_rw, auth_tcp, auth_tls; /* LibvirtAuth */
	OptUint tcp_min_ssf; /* bits of encryption that SASL has to bring along on TCP */
	GPtrArray *sasl_allowed_username_list; /* patterns; NULL: all */
	/* certificates */
	char *key_file, *cert_file, *ca_file, *crl_file, *tls_priority;
	gboolean tls_no_verify_certificate, tls_no_sanity_certificate;
	GPtrArray *tls_allowed_dn_list; /* patterns; NULL: all */
	/* limits */
	OptUint max_clients, max_anonymous_clients, max_client_requests;
	OptInt keepalive_interval; /* seconds; -1: no pings */
	OptUint keepalive_count;
} LibvirtConfig;

extern const Shape libvirt_config_shape;

/* The permission bits of the two unix sockets: what was said, otherwise @usual for the one that may
 * write, and for everyone where polkit or SASL asks who it is. */
void libvirt_config_modes(const LibvirtConfig *config, mode_t usual, mode_t *rw, mode_t *ro);

/* TLS with certificates on both sides, by GnuTLS, as libvirt's clients expect it. The handshake costs
 * milliseconds of computing: it is done in steps on lanes, never on the main loop, and no thread waits
 * for a client. Neighbours: login.c runs the steps; layer.h. */
#pragma once

#include "wire/libvirt/config.h"
#include "wire/libvirt/layer.h"

typedef struct LvTls LvTls;		 /* certificates of this host, for all its clients */
typedef struct LvTlsSession LvTlsSession; /* one client; is a layer */

typedef enum LvShake {
	LV_SHAKE_DONE,
	LV_SHAKE_READ,  /* again when there is something to read, */
	LV_SHAKE_WRITE, /* or room to write */
	LV_SHAKE_FAILED,
} LvShake;

/* Reads the files that @config (which must outlive the result) names. The caller owns it (lv_tls_free).
 * On failure @error names the file. Any thread; blocks on the disk. */
LvTls *lv_tls_new(const LibvirtConfig *config, GError **error);
void lv_tls_free(LvTls *tls);
/* Takes the files as they are now where they changed, such as new revocations; keeps what it has where
 * they cannot be read. Main loop's thread. */
void lv_tls_refresh(LvTls *tls);

/* A session on the socket @fd, which stays the caller's. NULL on failure. Any thread. */
LvTlsSession *lv_tls_session(LvTls *tls, int fd, GError **error);
/* One step of the handshake, the look at the client's certificate included. Any thread, one at a time;
 * does not wait. @error is set for LV_SHAKE_FAILED. */
LvShake lv_tls_shake(LvTlsSession *session, GError **error);
/* Bits of encryption. */
guint lv_tls_strength(const LvTlsSession *session);
/* Who the client is by its certificate; NULL: it showed none. */
const char *lv_tls_name(const LvTlsSession *session);
LvLayer *lv_tls_layer(LvTlsSession *session);

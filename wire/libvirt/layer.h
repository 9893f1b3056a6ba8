/* What may stand between messages and the socket: TLS, or what SASL agreed on. client.c reads and writes
 * through it; NULL there means that bytes go as they are. Neighbours: tls.c and sasl.c are layers. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct LvLayer LvLayer;

typedef struct LvLayerKind {
	/* As recv(2) and send(2) of a non-blocking socket. What send refused with EAGAIN is offered
	 * again, with nothing else before it. */
	ssize_t (*receive)(LvLayer *layer, int fd, guint8 *bytes, gsize room);
	ssize_t (*send)(LvLayer *layer, int fd, const guint8 *bytes, gsize n);
	/* Whether receive would give something that the socket does not know of any more. */
	gboolean (*holds)(const LvLayer *layer);
	void (*free)(LvLayer *layer);
} LvLayerKind;

struct LvLayer {
	const LvLayerKind *kind;
};

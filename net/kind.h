/* A kind of network: what the files of the kinds fill in, for net.c alone.
 * Neighbours: own.h is what kinds with a bridge of ours share. */
#pragma once

#include "net/dnsmasq.h"
#include "net/rules.h"

typedef struct NetKind NetKind;

struct Net {
	const NetKind *kind;
	NetConfig config; /* strings owned */
	Network *live;	  /* what it is made of now */
	gboolean user;	  /* in user mode: nothing on the host */
	Dnsmasq *dnsmasq; /* NULL: none */
};

struct NetKind {
	const char *name;
	/* What may pass. NULL: no rules are written. */
	void (*rules)(const Network *live, Rules *rules);
	gboolean forwards; /* the host is to pass packets on */
	/* What the host must have, before anything is made. */
	gboolean (*check)(const Network *live, GError **error);
	/* Device of a pool, or the bridge, for an interface. */
	gboolean (*plan)(const Network *live, const GPtrArray *ports, NetworkPort *port, GError **error);
};

extern const NetKind net_nat, net_route, net_open, net_isolated;  /* nat.c, ... */
extern const NetKind net_bridge, net_macvtap, net_hostdev;	    /* bridge.c, ... */
extern const char *net_sysfs; /* hostdev.c: "/sys", which tests replace */

/* The kind of @network; bridge and macvtap share a word of libvirt's. */
const NetKind *net_kind(const Network *network);

/* ---- own.c: a bridge of ours with all that belongs to it ---- */

/* Makes what is missing; with @adopt what is there is taken as ours. */
gboolean own_start(Net *net, gboolean adopt, Notes *notes, GError **error);
/* Removes everything that is there; tells the first that could not be removed. */
gboolean own_stop(Net *net, GError **error);
/* Puts rules and dnsmasq to what @live says. */
gboolean own_change(Net *net, const Network *live, GError **error);

/* ---- conflict.c ---- */

/* Whether the host already uses a subnet of @live, on another interface than its bridge: IN_USE, and by
 * whom. */
gboolean net_subnets_free(const Network *live, GError **error);

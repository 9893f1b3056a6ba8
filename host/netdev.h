/* What network interfaces of the host carried. Neighbours: ops/ shows those of guests. */
#pragma once

#include <glib.h>

typedef struct NetdevUse { /* as the host sees it: what it received, what it sent */
	guint64 rx_bytes, rx_packets, rx_errs, rx_drop;
	guint64 tx_bytes, tx_packets, tx_errs, tx_drop;
} NetdevUse;

/* Of every interface: name -> NetdevUse, the caller's. One file is read. Any thread; never waits. */
GHashTable *netdev_use(void);

/* DHCP and DNS of a network: one dnsmasq for each, which outlives the daemon and is started again when
 * it dies. It is known by its file of configuration, RUN/NAME.conf, so that a new daemon finds it.
 *
 * Neighbours: dnsmasq_config.c writes what it reads; own.c owns it; leases.h has what it gave out. */
#pragma once

#include "net/net.h"

typedef struct Dnsmasq Dnsmasq;

/* The texts that dnsmasq reads; pure. */
typedef struct DnsmasqFiles {
	char *conf;  /* a change needs a new dnsmasq */
	char *hosts; /* fixed addresses: read again on SIGHUP */
	char *names; /* names of addresses: read again on SIGHUP */
} DnsmasqFiles;

/* Whether the network has anything for dnsmasq to do. */
gboolean dnsmasq_wanted(const Network *network);
void dnsmasq_files(const NetConfig *config, const Network *live, DnsmasqFiles *files);
void dnsmasq_files_clear(DnsmasqFiles *files);

/* Starts it, or takes up the one that runs and makes it read what is new. UNSUPPORTED where the program
 * is missing; otherwise what it said, and who has port 53. Blocks for 20 ms. The caller owns it. */
Dnsmasq *dnsmasq_start(const NetConfig *config, const Network *live, GError **error);
/* Makes it what @live says: by SIGHUP where that is enough. */
gboolean dnsmasq_change(Dnsmasq *dnsmasq, const Network *live, GError **error);
/* Ends it; its files but the leases go. Frees it. */
gboolean dnsmasq_stop(Dnsmasq *dnsmasq, GError **error);
/* Lets it run on; frees it. Main loop's thread. */
void dnsmasq_leave(Dnsmasq *dnsmasq);
/* Ends the one of that network, if there is one that nobody owns. */
void dnsmasq_sweep(const NetConfig *config, const char *network);

/* The path of a file of the network, RUN/NAME.WHAT, for the caller to free. */
char *dnsmasq_path(const NetConfig *config, const char *network, const char *what);

/* From a tree of network filters to rules of nftables for one port: a pure function, so that a test can
 * read what a guest would be held to. filter_host.h gives the rules to the kernel.
 *
 * Each port has chains of its own in one table of the bridge family, found by the name of the interface
 * in maps, so that a thousand ports cost a packet as much as one. As libvirt's, rules about Ethernet
 * frames (mac, vlan, stp, arp, rarp, ip, ipv6) come first, then those about IP (tcp .. all): a packet
 * passes both. Rules about IP know flows: what answers an accepted packet is accepted. The flows are
 * kept in sets of the port, for not every kernel tracks connections on bridges.
 *
 * Neighbours: model/nwfilter.h has the documents, filter_rule.c makes one rule. */
#pragma once

#include "model/nwfilter.h"

#define FILTER_TABLE "lodge_filter" /* of family bridge */

/* A filter by name, which lives as long as the call; NULL: there is none. */
typedef const Filter *(*FilterFind)(gpointer data, const char *name);

typedef struct FilterRequest {
	guint id;			/* of the port's chains: unique among those that exist */
	const FilterBinding *binding;	/* port, MAC address, filter, variables */
	const GPtrArray *addresses;	/* char *: learned ones for $IP; may be NULL */
	FilterFind find;
	gpointer data;
	gboolean rejects; /* the kernel can answer on a bridge: "reject" is no mere "drop" */
} FilterRequest;

typedef struct FilterScript {
	GString *text;	   /* for nft -f: makes the chains and fills them */
	GPtrArray *chains; /* char *: names of all of them, in an order in which they may be deleted */
	gboolean learns;   /* $IP is not known yet: only what it takes to learn it may pass */
} FilterScript;

/* Compiles. NOT_FOUND where a filter or a variable is missing, INVALID where a value does not fit or
 * filters include each other in a circle, UNSUPPORTED where nftables cannot say it; the message names
 * filter and rule. NULL on failure. The caller owns the result (filter_script_free). Any thread. */
FilterScript *filter_compile(const FilterRequest *request, GError **error);
void filter_script_free(FilterScript *script);

/* What makes the table with its hooks and maps where it is not there. The caller frees it. */
char *filter_table_script(void);
/* Appends what takes the port @name off the maps and removes @chains. */
void filter_remove_script(GString *text, const char *name, const GPtrArray *chains);

/* Whether @filter or what it includes is named @name, or uses a variable of that name where @variable
 * says so. Any thread. */
gboolean filter_uses(const Filter *filter, const char *name, FilterFind find, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FilterScript, filter_script_free)

/* ---- filter_stock.c ---- */

/* The documents of the filters that every host has, NULL at the end; static. Any thread. */
const char *const *filter_stock(void);

/* ---- filter_rule.c ---- */

typedef struct FilterVariables FilterVariables;

typedef struct FilterLine {
	const char *port_id;	  /* "p12": sets are called p12f4, p12f6, p12g4, p12g6 */
	const FilterRule *rule;
	const GHashTable *values; /* name -> GPtrArray of char * */
	gboolean out;		  /* the chain's direction: from the guest */
	gboolean any_packets;	  /* of the rules about IP: as if it had no state */
	gboolean rejects;	  /* as in the request */
} FilterLine;

/* Appends to @text the lines for @line, one for each value of its variables; none where it means
 * nothing in that direction. */
gboolean filter_rule_lines(GString *text, const FilterLine *line, GError **error);

/* Whether a rule is about Ethernet frames and thus in the first pass. */
gboolean filter_is_frames(FilterProtocol protocol);

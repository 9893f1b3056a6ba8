/* The rules of networks in nft's language: one table, inet lodge, in which each network has chains named
 * after its bridge. Whoever looks at a packet finds them through maps, so a hundred networks cost what
 * one does.
 *
 *   forward      oifname -> to_BRIDGE, then iifname -> from_BRIDGE: refuse, or return
 *   input        address of a bridge -> in_BRIDGE: nothing from elsewhere reaches dnsmasq
 *   postrouting  iifname -> nat_BRIDGE: masquerade
 *
 * Nothing is accepted for good, so that other tables keep their say; net/firewall.c finds those that say
 * no. Neighbours: own.c runs the scripts; the kinds say what they allow. Pure functions; any thread. */
#pragma once

#include "model/network.h"

#define RULES_TABLE "inet lodge"

/* What packets of one family may do. */
typedef enum RulesPass {
	RULES_NOTHING, /* not beyond the bridge */
	RULES_ANSWERS, /* out; and in what belongs to it, or was sent on by a port forward */
	RULES_BOTH,    /* out and in */
} RulesPass;

typedef struct Rules {
	const char *bridge;
	RulesPass pass4, pass6;
	gboolean masquerade4, masquerade6;
	const Network *network; /* addresses, routes, device, ports */
} Rules;

/* What makes the network's chains, or makes them anew; the table where it is not there. The caller frees
 * the text. */
char *rules_script(const Rules *rules);

/* What removes them, whether they are there or not. */
char *rules_removal(const Rules *rules);

/* The part of either script that is for a table which is known to be there, whole. It fails in one that is
 * not; but it spares the kernel's wait for packets that pass the chains that all networks share. */
const char *rules_within(const char *script);

/* Other programs' packet rules, which may stop what a network of ours lets through: Docker's, firewalld's,
 * ufw's and whoever else has a policy of drop. We never change theirs; we say what to do.
 * Neighbours: own.c, ops/network_check.c. Not on the main loop. */
#pragma once

#include "host/check.h"
#include "model/network.h"

/* Adds to @checks (of host_checks_shape) what the host's other rules do to the bridges @bridges
 * (char *), and which tools that networks need are there. */
void firewall_check(const GPtrArray *bridges, HostChecks *checks);

/* From the text of `nft -j list ruleset` alone: for tests. */
void firewall_judge(const char *ruleset, const GPtrArray *bridges, HostChecks *checks);

/* Puts the bridge into its zone where firewalld runs; a zone without firewalld is refused. */
gboolean firewall_zone(const Network *live, Notes *notes, GError **error);

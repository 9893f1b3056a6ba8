/* NAT: guests reach everything, and are reached by what they asked; the world sees the host's address.
 * See kind.h. */
#include "net/kind.h"

static void rules(const Network *live, Rules *r)
{
	gboolean nat6 = live->forward->nat_ipv6 == TRI_YES;
	r->pass4 = RULES_ANSWERS;
	r->masquerade4 = TRUE;
	/* IPv6 addresses are the guests' own, unless said otherwise: as libvirt has it. */
	r->pass6 = nat6 ? RULES_ANSWERS : RULES_BOTH;
	r->masquerade6 = nat6;
}

const NetKind net_nat = { .name = "nat", .rules = rules, .forwards = TRUE };

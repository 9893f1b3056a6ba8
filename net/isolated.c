/* Isolated: guests reach each other and the host, nothing else. See kind.h. */
#include "net/kind.h"

static void rules(G_GNUC_UNUSED const Network *live, Rules *r)
{
	r->pass4 = r->pass6 = RULES_NOTHING;
}

const NetKind net_isolated = { .name = "isolated", .rules = rules };

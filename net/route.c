/* Routed: packets pass both ways with the guests' own addresses; who is outside must know the way. See
 * kind.h. */
#include "net/kind.h"

static void rules(G_GNUC_UNUSED const Network *live, Rules *r)
{
	r->pass4 = r->pass6 = RULES_BOTH;
}

const NetKind net_route = { .name = "route", .rules = rules, .forwards = TRUE };

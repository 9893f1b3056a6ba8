/* Verbs about the machine. */
#include "core/core.h"
#include "host/check.h"
#include "ops/families.h"

/* The control group that is tried out is not the guests' own, which its end would remove. */
static void learn(const OpCall *call, HostFacts *facts)
{
	CgroupTree *tree = cgroup_tree_open("lodge-check");
	const HostAsk ask = { .images = core_paths(call->core)->images, .tree = tree };
	host_facts(&ask, facts);
	cgroup_tree_free(tree);
}

static gboolean check(OpCall *call, G_GNUC_UNUSED GError **error)
{
	HostFacts facts = { 0 };
	learn(call, &facts);
	host_check(&facts, call->result);
	shape_clear(&host_facts_shape, &facts);
	return TRUE;
}

static gboolean info(OpCall *call, G_GNUC_UNUSED GError **error)
{
	learn(call, call->result);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "host check", .family = "Host", .method = "GET", .route = "/v1/host/check",
	  .perm = OP_PERM_READ, .lane = OP_BESIDE, .result = &host_checks_shape, .show = OP_SHOW_CUSTOM,
	  .doc = "Say what this host lacks for running guests, and what to do about it", .fn = check },
	{ .name = "host info", .alias = "nodeinfo", .family = "Host", .method = "GET",
	  .route = "/v1/host", .perm = OP_PERM_READ, .lane = OP_BESIDE, .result = &host_facts_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show what this host is", .fn = info },
};

const OpFamily op_family_host = { ops, G_N_ELEMENTS(ops) };

/* What the files of verbs about networks share. */
#pragma once

#include "core/networks.h"
#include "ops/objects.h"

#define NETWORK_FAMILY .family = "Networks"
#define NETWORK_READ(lane_)                                                                        \
	NETWORK_FAMILY, .target = OP_ON_NETWORK, .perm = OP_PERM_READ, .lane = lane_, .method = "GET"
#define NETWORK_WRITE(lane_)                                                                       \
	NETWORK_FAMILY, .target = OP_ON_NETWORK, .perm = OP_PERM_WRITE, .lane = lane_,             \
	.method = "POST", .show = OP_SHOW_MESSAGE
#define NETWORK_NEW                                                                                \
	NETWORK_FAMILY, .makes = OP_ON_NETWORK, .perm = OP_PERM_WRITE, .lane = OP_BESIDE,          \
	.method = "POST", .show = OP_SHOW_MESSAGE

/* The families of verbs, for ops/table.c alone: each file of verbs gives its rows here. */
#pragma once

#include "ops/ops.h"

typedef struct OpFamily {
	const Op *ops;
	guint n;
} OpFamily;

extern const OpFamily op_family_daemon; /* daemon.c: the daemon itself */

/* What verbs can be about, one row each. See ops.h. */
#include "core/object.h"
#include "ops/ops.h"

#include <string.h>

static const OpTargetRow rows[] = {
	[OP_ON_DAEMON] = { .kind = -1 },
	[OP_ON_GUEST] = { "guest", "domain", "DOMAIN", "name, uuid or id of the guest", "list", "domains",
			  -1 },
	[OP_ON_POOL] = { "pool", "pool", "POOL", "name or uuid of the storage pool", "pool-list", "pools",
			 CORE_POOL },
	[OP_ON_NETWORK] = { "network", "network", "NETWORK", "name or uuid of the network", "net-list",
			    "networks", CORE_NETWORK },
	[OP_ON_NWFILTER] = { "nwfilter", "nwfilter", "NWFILTER", "name or uuid of the network filter",
			     "nwfilter-list", "filters", CORE_NWFILTER },
	[OP_ON_SECRET] = { "secret", "secret", "SECRET", "uuid of the secret", "secret-list", "secrets",
			   CORE_SECRET },
	[OP_ON_NODEDEV] = { "nodedev", "device", "DEVICE", "name of the device, or its WWNN,WWPN",
			    "nodedev-list", "devices", -1 },
	[OP_ON_INTERFACE] = { "interface", "interface", "INTERFACE", "interface name or MAC address",
			      "iface-list", "interfaces", -1 },
};

const OpTargetRow *op_target(OpTarget target)
{
	return &rows[target];
}

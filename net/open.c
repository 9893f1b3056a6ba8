/* Open: as routed, but no rule is written: whoever keeps the host's firewall decides. See kind.h. */
#include "net/kind.h"

const NetKind net_open = { .name = "open", .forwards = TRUE };

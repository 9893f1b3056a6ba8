/* See reason.h. Facts: libvirt's virDomainRunningReason and neighbours. */
#include "ops/reason.h"

#include <glib.h>

static const char *const reasons[][16] = {
	[1] = { "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused",
		"migration canceled", "save canceled", "wakeup", "crashed", "post-copy" },
	[3] = { "unknown", "user", "migrated", "saving", "dumping", "I/O error", "watchdog",
		"from snapshot", "shutting down", "creating snapshot", "crashed", "starting up" },
	[4] = { "unknown", "user" },
	[5] = { "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed",
		"from snapshot", "daemon" },
	[6] = { "unknown", "panicked" },
};

int reason_number(int state, const char *word)
{
	for (int i = 0; word && state >= 0 && state < (int)G_N_ELEMENTS(reasons) && i < 16; i++)
		if (!g_strcmp0(reasons[state][i], word))
			return i;
	return 0;
}

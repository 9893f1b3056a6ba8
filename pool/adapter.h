/* Which SCSI host a pool's <adapter> means: by name, by the PCI device that it belongs to, or a virtual port
 * of Fibre Channel (NPIV), which is made where it is not there. Reads /sys below @root ("" on a host, another
 * folder in tests). Blocks; any thread.
 * Neighbours: scsi.c lists what the host has. nodedev/vhba.c makes such ports as devices of their own. */
#pragma once

#include "model/pool.h"

/* The host's number; -1 with NOT_FOUND that names what is missing. */
int pool_adapter_host(const char *root, const Pool *pool, GError **error);
/* Finds it, or makes the virtual port of an adapter fc_host where the host has none with its names. */
gboolean pool_adapter_start(const char *root, const Pool *pool, GError **error);
/* Removes a virtual port that was made so, or that the adapter says is managed. */
gboolean pool_adapter_remove(const char *root, const Pool *pool, GError **error);

/* Volumes that QEMU itself reaches over the network. Neighbours: rbd.c, gluster.c, iscsi_direct.c. */
#pragma once

#include "pool/pool.h"

/* A network volume of raw format. */
PoolVolume *pool_network_volume(const char *name, const char *path, guint64 bytes);
/* Fills protocol, name and servers of a disk's source, and the login of the pool (@secret_type: "iscsi",
 * "ceph"). */
void pool_network_source(const PoolUse *use, const char *protocol, const char *name,
			 const char *secret_type, DiskSource *source);

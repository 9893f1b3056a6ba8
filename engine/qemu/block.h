/* Between the files that make disks: block.c (nodes), network.c (protocols), disk.c (devices). */
#pragma once

#include "engine/qemu/build.h"

/* What the cache mode says of the write cache that the guest sees. */
Tri disk_write_cache(const Disk *disk);

/* Driver and place of an image on a server, into the storage node @node with number @index. */
gboolean put_network(Build *build, const Disk *disk, const DiskSource *source, guint64 index,
		     json_t *node, GError **error);

/* Whether its server is reached by TLS. */
gboolean disk_source_has_tls(const DiskSource *source);
/* Whether Ceph, and not QEMU, has its @source encrypted. */
gboolean disk_encrypted_by_ceph(const Disk *disk, const DiskSource *source);

/* One more than the largest number of a block node in @guest. */
guint64 first_free_node(const Guest *guest);

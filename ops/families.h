/* The families of verbs, for ops/table.c alone: each file of verbs gives its rows here. */
#pragma once

#include "ops/ops.h"

typedef struct OpFamily {
	const Op *ops;
	guint n;
} OpFamily;

extern const OpFamily op_family_guest_life;  /* guest_life.c: define, start, destroy, ... */
extern const OpFamily op_family_guest_power; /* guest_power.c: shutdown, reboot */
extern const OpFamily op_family_guest_show;  /* guest_show.c: list, info, dumpxml, ... */
extern const OpFamily op_family_guest_xml;   /* guest_xml.c: dumpxml */
extern const OpFamily op_family_guest_tie;    /* guest_tie.c: tie */
extern const OpFamily op_family_guest_change; /* guest_change.c: domif-setlink, domblkthreshold, ... */
extern const OpFamily op_family_guest_save;  /* guest_save.c: save, restore, managedsave */
extern const OpFamily op_family_guest_job;   /* guest_job.c: dump, domjobinfo, ... */
extern const OpFamily op_family_guest_watch; /* guest_watch.c: console, wait, events */
extern const OpFamily op_family_guest_agent; /* guest_agent.c: domfsfreeze, domtime, ... */
extern const OpFamily op_family_guest_inside; /* guest_inside.c: domifaddr, guestinfo, ... */
extern const OpFamily op_family_guest_ids;   /* guest_ids.c: lookup, ids */
extern const OpFamily op_family_guest_tell;  /* guest_tell.c: metadata, send-key, domstats, ... */
extern const OpFamily op_family_guest_domstats; /* guest_domstats.c: domstats */
extern const OpFamily op_family_guest_devices; /* guest_devices.c: domblklist, domiflist, ... */
extern const OpFamily op_family_guest_stats; /* guest_stats.c: dommemstat, disk-stats, vcpuinfo */
extern const OpFamily op_family_guest_cpus;    /* guest_cpus.c: cpu-stats, vcpupin, ... */
extern const OpFamily op_family_guest_iothreads; /* guest_iothreads.c: iothreadinfo, ... */
extern const OpFamily op_family_guest_bounds;  /* guest_bounds.c: memtune, schedinfo, ... */
extern const OpFamily op_family_guest_tune;    /* guest_tune.c: setmem, memtune, ... */
extern const OpFamily op_family_guest_disk_limits; /* guest_disk_limits.c: blkdeviotune */
extern const OpFamily op_family_guest_disk_size; /* guest_disk_size.c: blockresize */
extern const OpFamily op_family_guest_perf;  /* guest_perf.c: perf */
extern const OpFamily op_family_guest_security; /* guest_security.c: domlaunchsecinfo, ... */
extern const OpFamily op_family_guest_fds;   /* guest_fds.c: dom-fd-associate */
extern const OpFamily op_family_node;	     /* node.c: host node, host cpustats, ... */
extern const OpFamily op_family_node_more;    /* node_more.c: sysinfo, freepages, ... */
extern const OpFamily op_family_cpus;	     /* cpus.c: cpu-compare, cpu-baseline, ... */
extern const OpFamily op_family_native;	     /* native.c: domxml-to-native */
extern const OpFamily op_family_capabilities; /* capabilities.c: capabilities, domcapabilities */
extern const OpFamily op_family_nodedev;      /* nodedev.c: nodedev-list, nodedev-detach, ... */
extern const OpFamily op_family_domcapabilities; /* domcapabilities.c */
extern const OpFamily op_family_guest_measure; /* guest_measure.c: domdirtyrate-calc */
extern const OpFamily op_family_adopt;	     /* adopt.c: adopt */
extern const OpFamily op_family_secret;	     /* secret.c: secret-define, secret-set-value, ... */
extern const OpFamily op_family_run;	     /* run.c: run */
extern const OpFamily op_family_network;      /* network.c: net-define, net-start, ... */
extern const OpFamily op_family_network_show; /* network_show.c: net-list, net-info, ... */
extern const OpFamily op_family_network_port; /* network_port.c: net-port-list, ... */
extern const OpFamily op_family_pool;	     /* pool.c: pool-define, pool-start, ... */
extern const OpFamily op_family_pool_show;   /* pool_show.c: pool-list, pool-info, ... */
extern const OpFamily op_family_volume;	     /* volume.c: vol-list, vol-info, ... */
extern const OpFamily op_family_volume_work; /* volume_work.c: vol-create, vol-delete, ... */
extern const OpFamily op_family_volume_stream; /* volume_stream.c: vol-upload, vol-download */
extern const OpFamily op_family_forward;     /* forward.c: port-forward, ... */
extern const OpFamily op_family_iface;       /* iface.c: iface-list, iface-define, ... */
extern const OpFamily op_family_bridge;      /* bridge.c: bridge show, bridge create, ... */
extern const OpFamily op_family_nwfilter;    /* nwfilter.c: nwfilter-list, nwfilter-define, ... */
extern const OpFamily op_family_image;	     /* image.c: image build, image list */
extern const OpFamily op_family_image_import; /* image_import.c: image import, image catalog */
extern const OpFamily op_family_cloud_init;   /* cloud_init.c: cloud-init show, set, attach, detach */
extern const OpFamily op_family_host;	     /* host.c: host check, host info */
extern const OpFamily op_family_daemon;	     /* daemon.c: the daemon itself */

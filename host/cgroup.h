/* A control group for each guest, where the host allows it: to bound and to measure it, and to list
 * and end every process of it. Version 2 (unified), and version 1 also where both are mounted. A
 * host that refuses is no error: the tree then says why, and all calls below do nothing.
 *
 * Guests stand in a group "lodge" beside the slices of systemd rather than below the daemon's
 * service: stopping the service must not end them.
 *
 * Neighbours: spawn.h puts a child into one; engine/ tunes it; facts.h reports. */
#pragma once

#include "base/enums.h"
#include "host/spawn.h"

typedef enum CgroupKind { CGROUP_NONE = 1, CGROUP_V1, CGROUP_V2 } CgroupKind;
extern const EnumTable cgroup_kinds;

typedef struct CgroupTree CgroupTree;
typedef struct Cgroup Cgroup;

/* The group @name ("lodge") for all guests of this daemon, tried out with one process. Never NULL;
 * the caller owns it. Blocks for some milliseconds. Any thread. */
CgroupTree *cgroup_tree_open(const char *name);
/* Leaves the group where guests are in it, removes it otherwise. NULL is fine. */
void cgroup_tree_free(CgroupTree *tree);
CgroupKind cgroup_tree_kind(const CgroupTree *tree);
/* Why there are none, owned by the tree; NULL where there are. */
const char *cgroup_tree_why_not(const CgroupTree *tree);
/* "cpu memory pids": what can be bounded and measured, owned by the tree; "" for nothing. */
const char *cgroup_tree_controllers(const CgroupTree *tree);

/* The group of one guest, made where it is not there yet, owned by the caller. With kind NONE an
 * empty one. NULL on failure; INVALID for a name with a slash. Any thread. */
Cgroup *cgroup_make(const CgroupTree *tree, const char *guest, GError **error);
/* Forgets it; the group itself stays. NULL is fine. */
void cgroup_free(Cgroup *cgroup);
/* Sets the members of @how by which its child joins; @cgroup must live until spawn() returned. */
void cgroup_apply(const Cgroup *cgroup, Spawn *how);
/* Removes the group; IN_USE while processes are in it. Any thread. */
gboolean cgroup_remove(const Cgroup *cgroup, GError **error);

typedef enum CgroupKnob {
	CGROUP_CPU_SHARES,  /* 2..262144, libvirt's unit; version 2 gets the weight for it */
	CGROUP_CPU_PERIOD,  /* microseconds; set before the quota */
	CGROUP_CPU_QUOTA,   /* microseconds per period; G_MAXUINT64: no bound */
	CGROUP_MEMORY_HARD, /* bytes; G_MAXUINT64: no bound */
	CGROUP_MEMORY_SOFT, /* bytes; G_MAXUINT64: no bound */
	CGROUP_MEMORY_SWAP, /* bytes of memory and swap together; as above; after the hard bound */
	CGROUP_IO_WEIGHT,   /* share of the host's disks, 1..1000; what nobody set is 100 */
	CGROUP_PIDS,	    /* processes and threads; G_MAXUINT64: no bound */
} CgroupKnob;

/* UNSUPPORTED where the host has no such controller. Any thread. */
gboolean cgroup_set(const Cgroup *cgroup, CgroupKnob knob, guint64 value, GError **error);

/* What one disk of the host may do for a group; as libvirt counts: per second. */
typedef enum CgroupDisk {
	CGROUP_DISK_WEIGHT, /* 1..1000 */
	CGROUP_DISK_READ_BYTES,
	CGROUP_DISK_WRITE_BYTES,
	CGROUP_DISK_READ_IOPS,
	CGROUP_DISK_WRITE_IOPS,
} CgroupDisk;

/* Bounds what the group does to the disk @device ("/dev/sda"); 0: no bound. INVALID where that is no disk,
 * UNSUPPORTED where the host has no such controller. Any thread. */
gboolean cgroup_set_disk(const Cgroup *cgroup, CgroupDisk knob, const char *device, guint64 value,
			 GError **error);
/* Lets the group's processes, also those that join later, have memory of the NUMA nodes @nodes ("0-1,3")
 * only; what they have moves there. UNSUPPORTED where the host has no such controller. One thread at a
 * time. */
gboolean cgroup_set_nodes(Cgroup *cgroup, const char *nodes, GError **error);

typedef struct CgroupUse {
	OptUint cpu_ns;	      /* processor time used so far, nanoseconds */
	OptUint memory_bytes; /* in use now */
} CgroupUse;

/* What can be told; absent members cannot. Any thread. */
CgroupUse cgroup_use(const Cgroup *cgroup);

/* Every process in it, as an array of pid_t that the caller owns; empty where unknown. Any thread.
 */
GArray *cgroup_pids(const Cgroup *cgroup);

/* Sends SIGKILL to every process in it. Does not wait. Any thread. */
void cgroup_kill(const Cgroup *cgroup);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupTree, cgroup_tree_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cgroup, cgroup_free)

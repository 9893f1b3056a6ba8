/* Facts about the machine, as a shape for the doors. Nothing here fails: what cannot be learned is
 * absent. Neighbours: check.h judges them; engine/ asks whether KVM can be used. */
#pragma once

#include "host/cgroup.h"
#include "host/user.h"
#include "shape/shape.h"

typedef struct HostNode { /* a NUMA node */
	ShapeHead head;
	OptUint id;
	char *cpus;	      /* "0-3" */
	OptUint memory, free; /* bytes */
} HostNode;

typedef struct HostPages { /* huge pages of one size */
	ShapeHead head;
	OptUint size;	     /* bytes */
	OptUint total, free; /* pages */
} HostPages;

typedef struct HostFacts {
	ShapeHead head;
	char *hostname, *kernel, *arch;
	char *cpu_model, *cpu_vendor;
	char *cpu_virtualization; /* "vmx" or "svm" */
	char *hypervisor;	  /* what this machine itself runs under, as far as the CPU tells */
	OptUint cpus, sockets, cores_per_socket, threads_per_core;
	OptUint memory, memory_available; /* bytes */
	GPtrArray *nodes;		  /* of HostNode */
	GPtrArray *hugepages;		  /* of HostPages */
	Tri kvm;			  /* guests can use it */
	char *kvm_why_not;
	GPtrArray *kvm_modules; /* names, loaded ones */
	Tri nested;
	OptUint iommu_groups;
	int cgroups; /* CgroupKind */
	char *cgroups_why_not, *cgroup_controllers;
	Tri nftables;			   /* works for this daemon */
	GPtrArray *bridges;		   /* names */
	Tri tun, vhost_net;		   /* the devices can be opened */
	char *images;			   /* folder of disk images */
	OptUint images_total, images_free; /* bytes */
	char *qemu, *qemu_version;
	OptUint machine_types;
	OptUint firmwares; /* UEFI and BIOS images that are described for QEMU */
	Tri swtpm;
	char *user;	/* QEMU runs as */
	char *security; /* "apparmor", "selinux enforcing", ... */
} HostFacts;

extern const Shape host_facts_shape;

/* What only the daemon knows. */
typedef struct HostAsk {
	const char *images;	/* folder whose space counts; NULL: not asked */
	const char *qemu;	/* the emulator; NULL: searched */
	const char *user;	/* configured account for QEMU; NULL: chosen */
	const CgroupTree *tree; /* NULL: not asked */
} HostAsk;

/* Fills @facts (zeroed before, of host_facts_shape, which frees it). Runs QEMU and nft: blocks for
 * some 100 ms. Any thread but the main loop's. */
void host_facts(const HostAsk *ask, HostFacts *facts);

/* Whether QEMU as @user (NULL: the daemon's own account) can use KVM: the CPU has vmx or svm and
 * /dev/kvm opens and answers. Otherwise *why_not is the reason, which the caller frees. Fast. Any
 * thread. */
gboolean host_kvm_usable(const HostUser *user, char **why_not);

/* Path of the emulator for this machine's architecture: @configured if not NULL, else found in
 * PATH. NULL where there is none; the caller frees it. Any thread. */
char *host_find_qemu(const char *configured);

/* The processor of this host by what it says itself: who made it, which it is, what it can do.
 * Neighbours: node.h counts processors; ops/capabilities.c tells clients. */
#pragma once

#include <glib.h>

typedef struct HostCpu {
	const char *vendor; /* "Intel", "AMD", "Hygon"; NULL: another */
	guint family, model, stepping, microcode;
	guint address_bits;  /* of physical addresses; 0: not told */
	guint64 tsc_hz;	     /* 0: not told */
	gboolean tsc_scaling; /* guests can have another rate */
	GHashTable *features; /* set of char *, libvirt's names */
} HostCpu;

/* Asks the processor that the caller runs on; some need /dev/kvm to be told. NULL where it is none of x86.
 * The caller owns it. Any thread but the main loop's; milliseconds. */
HostCpu *host_cpu(void);
void host_cpu_free(HostCpu *cpu);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostCpu, host_cpu_free)

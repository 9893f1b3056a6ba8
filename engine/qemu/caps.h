/* What one QEMU binary can do: version, machine types, CPU models, devices. Learned once by asking it
 * over QMP, kept as JSON in the cache folder under the binary's path, time and size, and immutable
 * from then on, so that the start path only looks things up.
 *
 * Neighbours: host/qmp.h and host/spawn.h do the asking; command.h and core/ read. */
#pragma once

#include "base/paths.h"
#include "host/qmp.h"

typedef struct QemuMachine {
	char *name;  /* "pc-q35-7.2" */
	char *alias; /* "q35" or NULL */
	guint cpu_max;
	gboolean is_default, deprecated, hotpluggable_cpus, numa_mem_supported;
	char *default_cpu; /* model, NULL where not said */
} QemuMachine;

typedef struct QemuCpu {
	char *name;	   /* "Haswell-noTSX" */
	gboolean usable;   /* no feature is missing with the accelerator of the list it is in */
	char **missing;	   /* unavailable features, NULL at the end */
} QemuCpu;

typedef struct QemuCaps {
	char *binary;
	char *arch;	      /* "x86_64" */
	guint version;	      /* major * 1000000 + minor * 1000 + micro, as libvirt counts */
	char *package;	      /* "Debian 1:7.2+dfsg-7" */
	gboolean kvm;	      /* KVM can be used here */
	char *kvm_why_not;    /* what QEMU said, NULL where it can */
	GPtrArray *machines;  /* QemuMachine */
	GPtrArray *cpus_tcg;  /* QemuCpu */
	GPtrArray *cpus_kvm;  /* QemuCpu; empty without KVM */
	GHashTable *devices;  /* set of names of device types */
	GHashTable *objects;  /* set of names of user-creatable objects */
} QemuCaps;

/* The capabilities of @binary (absolute path). Asks it where the cache below @cache_dir (NULL: none)
 * is missing or of another binary; after that the same pointer is returned for the life of the
 * process, unless the file has changed. Blocks up to some seconds the first time; any thread but
 * the main loop's. NULL where the binary cannot be run. */
const QemuCaps *qemu_caps_get(const char *binary, const char *cache_dir, GError **error);

/* As above, but only what is already known in this process: never blocks. NULL: not known yet. */
const QemuCaps *qemu_caps_peek(const char *binary);

/* Runs @binary without a machine, with the accelerator @accel ("kvm", "tcg"), and sends it @items, which
 * get results and errors; items that were not sent keep their arguments. FALSE where any failed; *words
 * (may be NULL) is then the last line it wrote, the caller's. Some 100 ms; any thread but the main
 * loop's. */
gboolean qemu_interview(const char *binary, const char *accel, QmpItem *items, guint n, char **words,
			GError **error);

/* Whether the binary has the device type @name ("virtio-blk-pci"). Any thread. */
gboolean qemu_caps_has_device(const QemuCaps *caps, const char *name);
gboolean qemu_caps_has_object(const QemuCaps *caps, const char *name);

/* The machine type of this name or alias ("q35", "pc"); NULL @name: the default one. NULL where there
 * is none. Any thread. */
const QemuMachine *qemu_caps_machine(const QemuCaps *caps, const char *name);

/* The CPU model @name with KVM or TCG; NULL where there is none. Any thread. */
const QemuCpu *qemu_caps_cpu(const QemuCaps *caps, const char *name, gboolean kvm);

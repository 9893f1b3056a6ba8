/* Models of processors as the emulator expands them on this host: for comparing documents of CPUs with it,
 * and for finding what several have in common. Names of features are libvirt's.
 * Neighbours: engine.h names the function; ops/cpus.c compares. */
#pragma once

#include <glib.h>

typedef struct EngineCpuModel {
	char *name;	      /* NULL: what guests can have here at most ("host", or "max" where emulated) */
	const char *vendor;   /* as below */
	GHashTable *features; /* set of char * */
} EngineCpuModel;

typedef struct EngineCpuModels {
	gboolean kvm;
	char *arch;
	const char *vendor; /* "Intel", "AMD", "Hygon" or NULL; static */
	GPtrArray *models;   /* EngineCpuModel; the first is the host's */
} EngineCpuModels;

void engine_cpu_models_free(EngineCpuModels *models);

/* Those of the emulator @path (NULL: the usual one) with KVM (@kvm) or emulated. Asks it: some 100 ms the
 * first time, remembered afterwards; immutable, lent for the life of the process. Any thread but the main
 * loop's. */
typedef const EngineCpuModels *(*EngineCpusFn)(const char *path, gboolean kvm, GError **error);

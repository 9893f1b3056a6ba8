/* A guest's memory in a file, for who looks for the reason of a crash. The guest goes on afterwards, unless
 * the caller wants otherwise; a dump that fails leaves no file.
 * Neighbours: save.h puts guests to sleep; engine/ writes. */
#pragma once

#include "core/core.h"

typedef enum DumpFlags {
	DUMP_CRASH = 1 << 0, /* the guest ends after it, as crashed */
	DUMP_LIVE = 1 << 1,  /* its CPUs run meanwhile */
	DUMP_RESET = 1 << 2, /* it is reset after it */
} DumpFlags;

/* Dumps to the new or replaced file @path. @what: ENGINE_MEMORY, with devices, as libvirt writes it
 * without --memory-only, or one of ENGINE_DUMP_*. @progress may be NULL. Lane. */
gboolean core_guest_dump(CoreGuest *guest, const char *path, EngineWrite what, guint flags,
			 const EngineProgress *progress, GError **error);

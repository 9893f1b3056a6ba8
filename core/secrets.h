/* Secrets: passwords and keys that disks, TPMs and storage servers ask for. What a secret is for is its
 * definition, an object like others (object.h); its value is kept apart: in a file of its own that only
 * the daemon's user may read (lib/secrets/UUID), or, where it is ephemeral, in memory alone.
 *
 * A value goes out by two ways: to who asks for it and may (never where it is private), and to the
 * engine, which gives it to QEMU through a descriptor.
 *
 * Neighbours: ops/secret.c; run.c's engine asks through EngineConfig; model/secret.h. */
#pragma once

#include "core/object.h"
#include "model/secret.h"

#define SECRET_VALUE_MAX 65536 /* bytes; libvirt's protocol has the same bound */

/* Defines, changes, or (an ephemeral one) makes a secret. Returns a reference. OP_BESIDE. */
CoreObject *core_secret_define(Core *core, const char *xml, guint flags, Notes *notes, GError **error);
/* Forgets definition and value. Lane. */
gboolean core_secret_undefine(CoreObject *secret, GError **error);
/* Gives it the @n bytes as its value. Lane. */
gboolean core_secret_set(CoreObject *secret, const void *bytes, gsize n, GError **error);
/* Its value: wiped from memory after the last g_bytes_unref(). NULL where it has none (NOT_FOUND) or is
 * private (DENIED). Reads a file; any thread but the main loop's. */
GBytes *core_secret_get(CoreObject *secret, GError **error);

/* For EngineConfig.secret; @core is the owner. */
char *core_secret_for_engine(gpointer core, const char *uuid, const char *type, const char *usage,
			     gsize *length, GError **error);

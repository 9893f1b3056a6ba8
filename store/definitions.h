/* Definitions of guests on disk: one XML file each, named after the guest, in DIR/etc/guests, and a
 * link in autostart/ for those that start with the host.
 *
 * Ten thousand definitions are not parsed at start: what lists need (StoreEntry) is remembered in an
 * index beside them, which is only a cache: an entry counts while its file is the same (inode, size,
 * time), anything else is read anew.
 *
 * Neighbours: core/ is the only user; model/ reads the XML; file.h writes. */
#pragma once

#include "base/paths.h"
#include "model/guest.h"

/* What is known of a definition without reading it. */
typedef struct StoreEntry {
	char *name;
	char uuid[37];
	char *title; /* may be NULL */
	guint64 memory; /* bytes */
	guint vcpus;
	gboolean autostart;
	guint64 inode, size, mtime_ns; /* of the file */
} StoreEntry;

typedef struct Store Store;

/* Opens the folders below @paths. Blocks on the disk. The caller owns it. */
Store *store_open(const Paths *paths, GError **error);
void store_free(Store *store);

/* Every definition, as an array of StoreEntry * that the caller owns (freed with it). Files that
 * cannot be read or parsed are logged with the reason and left alone. Removes what an interrupted
 * write left. Uses all processors. Blocks. */
GPtrArray *store_load(Store *store, GError **error);

/* Writes the definition of @guest durably and fills *entry (owned by the caller, may be NULL). */
gboolean store_define(Store *store, const Guest *guest, StoreEntry **entry, GError **error);
/* Reads the definition of the guest @name. NOT_FOUND, or INVALID with path, place and line. */
Guest *store_guest(Store *store, const char *name, GError **error);
gboolean store_undefine(Store *store, const char *name, GError **error);
/* Renames file and link. @guest is the definition with its new name. On failure the old stands. */
gboolean store_rename_guest(Store *store, const char *old, const Guest *guest, GError **error);
gboolean store_autostart(Store *store, const char *name, gboolean on, GError **error);

/* Writes the index for the next start, from @entries (of StoreEntry *). A failure costs time at the
 * next start, nothing else. */
void store_write_index(Store *store, const GPtrArray *entries);

StoreEntry *store_entry_copy(const StoreEntry *entry);
void store_entry_free(StoreEntry *entry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreEntry, store_entry_free)

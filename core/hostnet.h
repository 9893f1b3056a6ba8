/* Interfaces of the host: libvirt's interface verbs, and bridges over NICs. Whatever changes is written
 * down before (files byte for byte, addresses and routes), so that a failure, a crash at any moment, or
 * nobody confirming in time puts back what was.
 *
 * Threads: all functions may block and belong on a pool thread (OP_BESIDE), unless they say otherwise. One
 * change at a time; a second one is refused with IN_USE. Neighbours: net/manager.h writes configurations,
 * net/hostlink.h changes links. */
#pragma once

#include "core/core.h"
#include "model/hostif.h"

typedef struct HostnetItem {
	char *name, *mac; /* the MAC address is "" where it has none */
	gboolean active;
} HostnetItem;

/* Active ones and, with @defined, those that only have a definition: HostnetItem by name; the caller's. */
GPtrArray *hostnet_list(Core *core, gboolean active, gboolean defined, GError **error);
/* By name, or by MAC address. NOT_FOUND; IN_USE where several have that MAC address. The caller owns it. */
HostnetItem *hostnet_find(Core *core, const char *name, const char *mac, GError **error);
void hostnet_item_free(HostnetItem *item);
/* What is live, or the definition. The caller owns it. NULL with NOT_FOUND. */
HostIf *hostnet_document(Core *core, const char *name, gboolean inactive, GError **error);

/* Writes the definition, which counts from the next start on. */
gboolean hostnet_define(Core *core, const HostIf *iface, Notes *notes, GError **error);
gboolean hostnet_undefine(Core *core, const char *name, Notes *notes, GError **error);
gboolean hostnet_start(Core *core, const char *name, Notes *notes, GError **error);
gboolean hostnet_stop(Core *core, const char *name, Notes *notes, GError **error);

/* From here on hostnet_rollback() puts back all that changed, until hostnet_commit(). STATE. */
gboolean hostnet_begin(Core *core, GError **error);
gboolean hostnet_commit(Core *core, GError **error);
gboolean hostnet_rollback(Core *core, GError **error);

/* ---- bridges ---- */

typedef struct HostBridge {
	char *name, *ports, *addresses; /* words, "" for none */
	char *networks, *guests;	/* that use it */
	char *manager;			/* which has it in its configuration; "" for none */
	char *state;			/* "up", "down" */
	gboolean stp;
} HostBridge;

/* HostBridge by name, the caller's. */
GPtrArray *hostbridge_list(Core *core, GError **error);

typedef struct HostBridgeOptions {
	gboolean stp;
	guint delay;   /* seconds */
	guint timeout; /* seconds until it is put back unless confirmed; 0: it stays at once */
} HostBridgeOptions;

/* Makes the bridge @name over @nic, which gives it its addresses, routes and MAC address. */
gboolean hostbridge_create(Core *core, const char *name, const char *nic, const HostBridgeOptions *options,
			   Notes *notes, GError **error);
/* Removes it and gives its addresses to @nic (NULL: its only NIC). */
gboolean hostbridge_delete(Core *core, const char *name, const char *nic, guint timeout, Notes *notes,
			   GError **error);
gboolean hostbridge_add_port(Core *core, const char *name, const char *nic, guint timeout, Notes *notes,
			     GError **error);
gboolean hostbridge_remove_port(Core *core, const char *name, const char *nic, guint timeout, Notes *notes,
				GError **error);

/* The change that waits to be confirmed: what it is (the caller frees it) and the seconds that are left.
 * NULL: none. Never waits; any thread. */
char *hostnet_waiting(Core *core, guint *left);
/* Keeps it. STATE where none waits. */
gboolean hostnet_confirm(Core *core, GError **error);
/* Puts back what was before it. STATE where none waits. */
gboolean hostnet_revert(Core *core, GError **error);

/* ---- for core.c; main ---- */

void hostnet_open(Core *core);
/* Looks at what an earlier daemon left: goes on counting, or puts back. */
void hostnet_recover(Core *core);
void hostnet_close(Core *core);
void hostnet_free(Core *core);

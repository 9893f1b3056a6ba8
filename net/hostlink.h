/* Interfaces of the host as they are now: shown as libvirt's documents, made, given addresses of another,
 * and put back as they were. Neighbours: host/netlink.h below; manager.h has what they are at boot. */
#pragma once

#include "host/netlink.h"
#include "model/hostif.h"

struct json_t;

/* All links with their addresses and routes, read at one time. */
typedef struct HostLinks {
	GArray *links;	   /* LinkInfo */
	GArray *addresses; /* AddressInfo */
	GArray *routes;	   /* RouteInfo */
} HostLinks;

/* Reads them. The caller frees (hostlinks_clear). Any thread; takes a millisecond. */
gboolean hostlinks_read(HostLinks *all, GError **error);
void hostlinks_clear(HostLinks *all);
/* The link; NULL: none. Belongs to @all. */
const LinkInfo *hostlinks_find(const HostLinks *all, const char *name);
const LinkInfo *hostlinks_at(const HostLinks *all, int index);

/* What libvirt would call it; 0: something that its documents cannot say (a tap, a tunnel). */
HostIfType hostlink_type(const LinkInfo *link);
/* Its document. The caller owns it. NULL where hostlink_type() is 0. */
HostIf *hostlink_document(const HostLinks *all, const LinkInfo *link);
/* "up", "down", ...: the kernel's operational state in libvirt's words. */
const char *hostlink_state(const LinkInfo *link);
gboolean hostlink_is_wireless(const char *name);

/* Makes what @iface says as far as it is not there: the device, its ports, and has them up. Addresses are
 * not touched. May block for some 50 ms. */
gboolean hostlink_make(Netlink *nl, const HostIf *iface, GError **error);
/* Gives it the fixed addresses and the router of its document. */
gboolean hostlink_put_addresses(Netlink *nl, const HostIf *iface, GError **error);
/* Takes every address and route from it, and has it down. */
gboolean hostlink_flush(Netlink *nl, const char *name, GError **error);

/* ---- how one was ---- */

typedef struct LinkState {
	char name[IFNAMSIZ], master[IFNAMSIZ];
	gboolean existed;
	LinkInfo info;
	GArray *addresses, *routes; /* those of it alone */
} LinkState;

/* As it is now. The caller owns it. */
LinkState *linkstate_take(const HostLinks *all, const char *name);
void linkstate_free(LinkState *state);
/* Takes its addresses and routes from the interface. */
gboolean linkstate_clear(Netlink *nl, const LinkState *state, GError **error);
/* Moves what @from was to another interface: addresses and routes, with @fixed but those that came with a
 * lease or by announcement. The old one loses all of them. */
gboolean linkstate_move(Netlink *nl, const LinkState *from, const char *to, gboolean fixed, GError **error);
/* Puts back the device itself, then (second) its master and whether it is up. */
gboolean linkstate_restore(Netlink *nl, const LinkState *state, GError **error);
gboolean linkstate_restore_master(Netlink *nl, const LinkState *state, GError **error);
/* Puts back addresses and routes, and takes those that it did not have. */
gboolean linkstate_restore_addresses(Netlink *nl, const LinkState *state, GError **error);

/* A new reference; and back: NULL where it is not right. */
struct json_t *linkstate_to_json(const LinkState *state);
LinkState *linkstate_from_json(struct json_t *json);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HostLinks, hostlinks_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LinkState, linkstate_free)

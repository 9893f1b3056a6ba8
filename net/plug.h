/* One interface of a guest on the host's side: a tap on a bridge (Linux's or Open vSwitch's), a macvtap
 * upon a device of the host, or a tap of its own.
 *
 * A tap lives as long as somebody has it open, which is QEMU: it is gone with the guest, whoever dies
 * when. A macvtap stays, and is removed by plug_remove(): so its name stands in the guest's run state
 * before it is made.
 *
 * How it is connected is read from the live interface alone, where core/ has filled in what a network
 * decided: source/@bridge, or source/@dev and @mode; target/@dev is the name here.
 *
 * Neighbours: core/plugs.c calls it on the guest's lane; limits.c has bandwidths; host/netlink.h. */
#pragma once

#include "host/netlink.h"
#include "model/device/interface.h"

typedef enum PlugKind {
	PLUG_NONE, /* nothing on the host: the engine does it */
	PLUG_BRIDGE,
	PLUG_DIRECT,
	PLUG_ETHERNET,
} PlugKind;

PlugKind plug_kind(const Interface *live);

/* Whether this daemon may make interfaces at all; otherwise *why (static) says what is missing. */
gboolean plug_possible(const char **why);

/* A name for it that nothing has: what target/@dev asks for, or the next of "vnet0", "macvtap0", ...
 * (names that Lodge or libvirt once gave are not asked for). The caller frees it. IN_USE where the name
 * that is asked for is taken. */
char *plug_name(const Interface *live, GError **error);

/* Makes it, with @n queues in @taps: the caller's. Nothing is left behind on failure. Takes some
 * milliseconds. A lane. */
gboolean plug_make(const Interface *live, guint n, int *taps, Notes *notes, GError **error);

/* Puts the tap of a guest that runs on the Linux bridge @bridge, which was made anew. */
gboolean plug_rejoin(Netlink *nl, const Interface *live, const char *bridge, GError **error);

/* Descriptors of /dev/vhost-net for @n queues, the caller's; FALSE where the host has none or the
 * interface is not for it. An error only where its <driver name='vhost'/> insists. */
gboolean plug_vhost(const Interface *live, guint n, int *vhosts, GError **error);

/* Removes what plug_make() made, as far as it is there. */
void plug_remove(const Interface *live);

/* ---- limits.c ---- */

/* Bounds what the tap @dev carries: @inbound to the guest, @outbound from it; NULL: not bounded. Both
 * replace what was set before. UNSUPPORTED where tc or the kernel cannot. */
gboolean plug_limits(const char *dev, const Bandwidth *inbound, const Bandwidth *outbound,
		     GError **error);

/* Interfaces, addresses, routes and neighbours of the host, through the kernel's netlink socket.
 * Neighbours: net/ makes bridges with it, whoever starts guests taps; nft.h has the rules. The message
 * builder is libmnl's. Any thread; a Netlink is one thread's at a time. Calls take well below a
 * millisecond, except deletions, for which the kernel waits (about 50 ms). */
#pragma once

#include <net/if.h>

#include "base/inet.h"
#include "base/opt.h"

typedef struct Netlink Netlink;

/* A socket of its own. The caller owns it. */
Netlink *netlink_open(GError **error);
void netlink_free(Netlink *nl);

typedef struct LinkInfo {
	int index, master; /* master 0: none */
	int parent;	   /* of macvtap, vlan: index of the device below; 0: none */
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "tun", "macvtap", "veth", ...; "" for hardware */
	guint8 mac[6];
	guint mtu;
	gboolean up, running; /* wanted by the administrator; has a carrier */
	char alias[64];	      /* what was set as a remark, cut */
	guint hardware;	      /* ARPHRD_...: linux/if_arp.h */
	guint operstate;      /* IF_OPER_...: linux/if.h */
	gboolean stp;	      /* of bridges */
	guint delay;	      /* the same: hundredths of a second */
	guint tag;	      /* of VLANs */
	guint mode;	      /* of bonds: the kernel's number */
} LinkInfo;

/* What is known of the interface @name. NOT_FOUND where there is none. */
gboolean netlink_link(Netlink *nl, const char *name, LinkInfo *info, GError **error);
/* All of them, of LinkInfo; the caller owns the array. NULL on failure. */
GArray *netlink_links(Netlink *nl, GError **error);

typedef struct BridgeOptions {
	const guint8 *mac; /* NULL: the kernel's choice */
	guint mtu;	   /* 0: the kernel's choice */
	gboolean stp;
	guint delay; /* seconds */
	gboolean vlan_filtering;
} BridgeOptions;

/* Makes the bridge @name, down. EXISTS where anything has that name. */
gboolean netlink_add_bridge(Netlink *nl, const char *name, const BridgeOptions *options,
			    GError **error);
typedef struct BondOptions {
	guint mode;			  /* BOND_MODE_... */
	guint miimon, updelay, downdelay; /* milliseconds; 0: the kernel's choice */
	guint arp_interval;
	const Inet *arp_target; /* NULL: none */
	guint arp_validate;
} BondOptions;

/* Makes the bond @name, down. Its ports must be down when they join it. */
gboolean netlink_add_bond(Netlink *nl, const char *name, const BondOptions *options, GError **error);
/* Makes the VLAN @tag upon @parent, down. */
gboolean netlink_add_vlan(Netlink *nl, const char *name, const char *parent, guint tag, GError **error);
gboolean netlink_add_veth(Netlink *nl, const char *name, const char *peer, GError **error);
/* @mode: "private", "vepa", "bridge" or "passthru". Its character device is /dev/tap + index. */
gboolean netlink_add_macvtap(Netlink *nl, const char *name, const char *parent, const char *mode,
			     const guint8 mac[6], GError **error);
/* What is not there is a success. */
gboolean netlink_delete(Netlink *nl, const char *name, GError **error);

typedef struct LinkChange { /* what is 0 stays */
	const char *master; /* "": of none any more */
	const guint8 *mac;
	guint mtu;
	Tri up;
	const char *alias; /* a remark */
} LinkChange;

gboolean netlink_change(Netlink *nl, const char *name, const LinkChange *change, GError **error);

typedef struct LinkFunction { /* a virtual function (SR-IOV), as its physical one has it */
	guint8 mac[6];
	guint vlan, qos;
} LinkFunction;

/* What the physical function @pf has set for its virtual function number @vf. */
gboolean netlink_function(Netlink *nl, const char *pf, guint vf, LinkFunction *function, GError **error);
gboolean netlink_set_function(Netlink *nl, const char *pf, guint vf, const LinkFunction *function,
			      GError **error);

typedef struct BridgePort { /* what is absent stays */
	Tri isolated; /* no traffic between two isolated ports */
	Tri learning, unicast_flood;
} BridgePort;

/* Of the interface @name, which is on a bridge. */
gboolean netlink_change_port(Netlink *nl, const char *name, const BridgePort *change, GError **error);

typedef struct PortVlan {
	guint16 tag;
	gboolean native;   /* what comes in without a tag is in this VLAN */
	gboolean untagged; /* goes out without its tag */
} PortVlan;

/* The port @name of a bridge that tells VLANs apart is in the @n VLANs and in no others. With @self @name
 * is the bridge, and how the host itself is joined to it is meant. The kernel's default (1) goes
 * first. UNSUPPORTED where the kernel has no such bridges. */
gboolean netlink_set_vlans(Netlink *nl, const char *name, gboolean self, const PortVlan *vlans, guint n,
			   GError **error);

/* The tap @name (pattern "vnet%d" allowed; then the kernel's choice is written back), @queues of it in
 * @fds: non-blocking, close-on-exec, the caller's. It goes when the last is closed. */
gboolean tap_open(char name[IFNAMSIZ], gboolean vnet_header, guint queues, int *fds, GError **error);

typedef struct AddressInfo {
	int index; /* of the interface */
	Inet address;
	guint prefix;
	Inet broadcast;		/* family 0: none */
	gboolean own;		/* given by somebody; not made by the kernel for the link (fe80::, ::1) */
	guint valid, preferred; /* seconds that are left; G_MAXUINT32: for ever */
} AddressInfo;

/* Sets @address of the interface @name with its lifetimes; what is there already gets them. */
gboolean netlink_put_address(Netlink *nl, const char *name, const AddressInfo *address, GError **error);

/* All addresses, of AddressInfo; the caller owns the array. NULL on failure. */
GArray *netlink_addresses(Netlink *nl, GError **error);
/* What is there already is a success. IPv6 addresses count at once, without duplicate detection. */
gboolean netlink_add_address(Netlink *nl, const char *name, const Inet *address, guint prefix,
			     GError **error);
gboolean netlink_delete_address(Netlink *nl, const char *name, const Inet *address, guint prefix,
				GError **error);

typedef struct RouteInfo {
	int index; /* of the interface it leads to; 0: none */
	Inet to;   /* the family is set also where the prefix is 0 */
	guint prefix;
	Inet gateway; /* family 0: none */
	Inet source;  /* that packets leave with; family 0: not said */
	guint metric;
	guint protocol, scope, flags; /* RTPROT_..., RT_SCOPE_..., RTNH_F_ONLINK */
} RouteInfo;

/* The routes of the main table, of RouteInfo. NULL on failure. */
GArray *netlink_routes(Netlink *nl, GError **error);
/* What is there already is a success. @metric 0: the kernel's choice. */
gboolean netlink_add_route(Netlink *nl, const char *name, const Inet *to, guint prefix,
			   const Inet *gateway, guint metric, GError **error);

/* The route @route through the interface @name (its index does not count). As netlink_add_route(). */
gboolean netlink_put_route(Netlink *nl, const char *name, const RouteInfo *route, GError **error);

/* Removes it; what is not there is a success. */
gboolean netlink_delete_route(Netlink *nl, const char *name, const RouteInfo *route, GError **error);

typedef struct NeighbourInfo {
	int index;
	Inet address;
	guint8 mac[6];
	guint state; /* NUD_...: linux/neighbour.h */
} NeighbourInfo;

/* Who is known to have which address, of NeighbourInfo. NULL on failure. */
GArray *netlink_neighbours(Netlink *nl, GError **error);

/* A non-blocking socket that is readable when the table of neighbours changed; what it says is to be thrown
 * away. The caller closes it; -1 on failure. */
int netlink_watch_neighbours(GError **error);

/* "52:54:00:.." to bytes; FALSE where it is none. */
gboolean mac_from_text(const char *text, guint8 mac[6]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Netlink, netlink_free)

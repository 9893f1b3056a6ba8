/* An interface of the host as libvirt's <interface> describes it: how it gets its addresses, and what it is
 * made of. Neighbours: net/manager.h writes it into the host's configuration, net/hostlink.h makes it
 * live. */
#pragma once

#include "shape/shape.h"

typedef enum HostIfType { HOSTIF_ETHERNET = 1, HOSTIF_BRIDGE, HOSTIF_BOND, HOSTIF_VLAN } HostIfType;
typedef enum HostIfStart { HOSTIF_ONBOOT = 1, HOSTIF_NONE, HOSTIF_HOTPLUG } HostIfStart;
typedef enum HostIfFamily { HOSTIF_IPV4 = 1, HOSTIF_IPV6 } HostIfFamily;

typedef struct HostIfIp {
	ShapeHead head;
	char *address;
	OptUint prefix;
} HostIfIp;

typedef struct HostIfDhcp {
	ShapeHead head;
	Tri peerdns; /* use the name servers that it tells */
} HostIfDhcp;

typedef struct HostIfProtocol {
	ShapeHead head;
	HostIfFamily family;
	gboolean autoconf;
	HostIfDhcp *dhcp; /* NULL: no */
	GPtrArray *ips;	  /* HostIfIp */
	char *gateway;
	GPtrArray *dns; /* char *: name servers; not in libvirt's XML */
} HostIfProtocol;

typedef struct HostIfBridge {
	ShapeHead head;
	Tri stp;
	char *delay;	  /* seconds, perhaps with a fraction */
	GPtrArray *ports; /* HostIf */
} HostIfBridge;

typedef struct HostIfBond {
	ShapeHead head;
	int mode; /* hostif_bond_modes; 1 + the kernel's number */
	gboolean miimon, arpmon;
	OptUint freq, downdelay, updelay; /* milliseconds */
	int carrier;
	OptUint interval;
	char *target;
	int validate;
	GPtrArray *ports; /* HostIf */
} HostIfBond;

typedef struct HostIfVlan {
	ShapeHead head;
	OptUint tag;
	char *device;
} HostIfVlan;

typedef struct HostIf {
	ShapeHead head;
	HostIfType type;
	char *name;
	HostIfStart start;
	OptUint mtu;
	char *mac;
	OptUint speed; /* Mb/s; live */
	char *state;   /* live */
	GPtrArray *protocols; /* HostIfProtocol */
	HostIfBridge *bridge;
	HostIfBond *bond;
	HostIfVlan *vlan;
	char *own_mac; /* that it is given, as a bridge gets its first port's; not in libvirt's XML */
} HostIf;

extern const Shape hostif_shape, hostif_protocol_shape, hostif_ip_shape;
extern const EnumTable hostif_types, hostif_starts, hostif_families, hostif_bond_modes;

/* Reads and checks an <interface> document; the name of a VLAN without one is filled in. NULL with INVALID,
 * path and line. The caller owns it. */
HostIf *hostif_from_xml(const char *xml, Notes *notes, GError **error);
/* As libvirt's schema has it. The caller frees it. */
char *hostif_to_xml(const HostIf *iface);
void hostif_free(HostIf *iface);

/* An empty document. */
HostIf *hostif_new(HostIfType type, const char *name);
/* Its protocol of @family, made where @make says so; NULL: none. The document's. */
HostIfProtocol *hostif_protocol(HostIf *iface, HostIfFamily family, gboolean make);
/* Adds an address to it ("10.0.0.1", 24); one that is there already is not repeated. */
void hostif_add_ip(HostIf *iface, const char *address, guint prefix);
/* What a bridge or bond is made of (HostIf), NULL: nothing. */
GPtrArray *hostif_ports(const HostIf *iface);
/* Whether @name is among them. */
gboolean hostif_has_port(const HostIf *iface, const char *name);
/* Adds a port to a bridge. */
void hostif_add_port(HostIf *bridge, const char *name);
/* Removes one from a bridge; what is none is fine. */
void hostif_remove_port(HostIf *bridge, const char *name);
/* It has no addresses. */
void hostif_clear_protocols(HostIf *iface);
/* Whether both say the same of addresses. */
gboolean hostif_same_protocols(const HostIf *a, const HostIf *b);
/* The bridge's delay in seconds, at most 30. */
guint hostif_delay(const HostIfBridge *bridge);
/* Whether the kernel, and files of configuration, can have an interface of this name. INVALID. */
gboolean hostif_name_ok(const char *name, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostIf, hostif_free)

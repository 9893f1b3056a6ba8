/* Virtual networks and their ports: libvirt's <network> and <networkport> documents.
 * Neighbours: network.c has the rows, network_check.c what rows cannot say, network_update.c changes
 * one element of a network; net/ makes networks work. */
#pragma once

#include "base/inet.h"
#include "model/device/interface.h"

typedef enum ForwardMode { /* 0: none, an isolated network */
	FORWARD_NAT = 1,
	FORWARD_ROUTE,
	FORWARD_OPEN,
	FORWARD_BRIDGE,
	FORWARD_PRIVATE,
	FORWARD_VEPA,
	FORWARD_PASSTHROUGH,
	FORWARD_HOSTDEV,
} ForwardMode;

typedef struct ForwardInterface {
	ShapeHead head;
	char *dev;
	OptUint connections; /* live: how many guests use it */
} ForwardInterface;

typedef struct ForwardAddress { /* a PCI device that guests may get */
	ShapeHead head;
	char *type; /* pci */
	HostPci pci;
	OptUint connections; /* live */
} ForwardAddress;

typedef struct NetworkForward {
	ShapeHead head;
	char *dev;
	ForwardMode mode;
	Tri managed;
	char *driver; /* of hostdev: vfio or kvm */
	Tri nat_ipv6;
	char *nat_start, *nat_end; /* addresses that hosts outside see */
	OptUint nat_port_start, nat_port_end;
	char *pf; /* all virtual functions of this device */
	GPtrArray *interfaces; /* ForwardInterface */
	GPtrArray *addresses;  /* ForwardAddress */
} NetworkForward;

typedef struct DnsForwarder {
	ShapeHead head;
	char *domain, *addr;
} DnsForwarder;

typedef struct DnsTxt {
	ShapeHead head;
	char *name, *value;
} DnsTxt;

typedef struct DnsSrv {
	ShapeHead head;
	char *service, *protocol, *domain, *target;
	OptUint port, priority, weight;
} DnsSrv;

typedef struct DnsHost {
	ShapeHead head;
	char *ip;
	GPtrArray *names; /* char * */
} DnsHost;

typedef struct NetworkDns {
	ShapeHead head;
	Tri enable, forward_plain_names;
	GPtrArray *forwarders, *txts, *srvs, *hosts;
} NetworkDns;

typedef struct DhcpRange {
	ShapeHead head;
	char *start, *end;
	OptUint expiry; /* in .unit; 0: for ever */
	char *unit;	/* seconds, minutes, hours */
} DhcpRange;

typedef struct DhcpHost {
	ShapeHead head;
	char *mac, *id, *name, *ip;
	OptUint expiry;
	char *unit;
} DhcpHost;

typedef struct NetworkIp {
	ShapeHead head;
	char *family, *address, *netmask;
	OptUint prefix;
	Tri local_ptr;
	char *tftp_root;
	GPtrArray *ranges; /* DhcpRange */
	GPtrArray *hosts;  /* DhcpHost */
	char *bootp_file, *bootp_server;
} NetworkIp;

typedef struct PortGroup {
	ShapeHead head;
	char *name;
	Tri dflt; /* "default" */
	Tri trust_guest_rx_filters;
	VirtualPort *virtual_port;
	Bandwidth *inbound, *outbound;
	char *vlan_trunk;
	GPtrArray *vlan_tags;
} PortGroup;

typedef struct DnsmasqOption {
	ShapeHead head;
	char *value;
} DnsmasqOption;

typedef struct Network {
	ShapeHead head;
	OptUint connections; /* live */
	Tri ipv6, trust_guest_rx_filters;
	char *name, *uuid, *title, *description, *metadata;
	NetworkForward *forward; /* NULL: isolated */
	char *bridge, *zone;
	Tri stp;
	OptUint delay; /* seconds */
	char *mac_table_manager; /* kernel or libvirt */
	OptUint mtu;
	char *mac;
	char *domain;
	Tri domain_local_only, domain_register;
	NetworkDns *dns;
	char *vlan_trunk;
	GPtrArray *vlan_tags; /* VlanTag */
	Bandwidth *inbound, *outbound;
	Tri port_isolated;
	GPtrArray *ips;	   /* NetworkIp */
	GPtrArray *routes; /* InterfaceRoute */
	VirtualPort *virtual_port;
	GPtrArray *portgroups;
	GPtrArray *dnsmasq_options;
} Network;

/* What one interface of a guest has of a network. */
typedef struct NetworkPort {
	ShapeHead head;
	char *uuid;
	char *owner_name, *owner_uuid;
	char *mac;
	char *group;
	Tri trust_guest;
	VirtualPort *virtual_port;
	OptUint class_id;
	Bandwidth *inbound, *outbound;
	char *vlan_trunk;
	GPtrArray *vlan_tags;
	Tri isolated;
	char *plug_type; /* network, bridge, direct, hostdev-pci */
	char *plug_bridge, *plug_mac_table_manager, *plug_dev, *plug_mode;
	Tri plug_managed;
	char *plug_driver;
	HostPci plug_pci;
	OptUint mtu; /* of the network; in memory only */
} NetworkPort;

extern const Shape network_shape, network_port_shape;
extern const Shape dhcp_range_shape, dhcp_host_shape, network_ip_shape, forward_interface_shape,
	port_group_shape, dns_host_shape, dns_txt_shape, dns_srv_shape, forward_address_shape;
extern const EnumTable forward_modes;

/* A document as text; the caller owns the result (shape_free). As guest_from_xml(). Any thread. */
Network *network_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
			  GError **error);
char *network_to_xml(const Network *network, guint flags);
Network *network_copy(const Network *network);
void network_free(Network *network);
NetworkPort *network_port_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
				   GError **error);
char *network_port_to_xml(const NetworkPort *port);
void network_port_free(NetworkPort *port);

/* ---- network_check.c ---- */

/* The check of network_shape: addresses, ranges inside their subnet, names, what fits the mode. */
gboolean network_check(gconstpointer object, Notes *notes, GError **error);

/* The mode; 0: isolated. */
ForwardMode network_mode(const Network *network);
/* Whether the bridge is ours: made at start and removed at stop. Not so for bridge, private, vepa,
 * passthrough, hostdev. */
gboolean network_owns_bridge(const Network *network);
/* Address and prefix of an <ip> of the network; fails where they are no such thing. */
gboolean network_ip_read(const NetworkIp *ip, Inet *address, guint *prefix, GError **error);
/* The same of a <route>, with its gateway. */
gboolean network_route_read(const InterfaceRoute *route, Inet *to, guint *prefix, Inet *gateway,
			    GError **error);
/* Fills in what libvirt's documents leave open: stp, delay, lease units, <interface> of
 * <forward dev>. What is there stays. */
void network_fill(Network *network);
/* Seconds of a lease time; 0: for ever; G_MAXUINT32 where none is said. */
guint32 network_lease_seconds(OptUint expiry, const char *unit);
/* The portgroup of that name, or, with NULL, the default one; NULL: none. */
const PortGroup *network_portgroup(const Network *network, const char *name);

/* ---- network_update.c ---- */

typedef enum NetworkCommand { /* libvirt's virNetworkUpdateCommand, numbers included */
	NETWORK_MODIFY = 1,
	NETWORK_DELETE,
	NETWORK_ADD_LAST,
	NETWORK_ADD_FIRST,
} NetworkCommand;

typedef enum NetworkSection { /* libvirt's virNetworkUpdateSection, numbers included */
	NETWORK_SECTION_BRIDGE = 1,
	NETWORK_SECTION_DOMAIN,
	NETWORK_SECTION_IP,
	NETWORK_SECTION_IP_DHCP_HOST,
	NETWORK_SECTION_IP_DHCP_RANGE,
	NETWORK_SECTION_FORWARD,
	NETWORK_SECTION_FORWARD_INTERFACE,
	NETWORK_SECTION_FORWARD_PF,
	NETWORK_SECTION_PORTGROUP,
	NETWORK_SECTION_DNS_HOST,
	NETWORK_SECTION_DNS_TXT,
	NETWORK_SECTION_DNS_SRV,
} NetworkSection;

extern const EnumTable network_commands; /* "modify", "delete", "add-last", "add-first" */
extern const EnumTable network_sections; /* virsh's words: "ip-dhcp-host", ... */

/* Whether there is such a change at all: libvirt has no other. UNSUPPORTED otherwise. */
gboolean network_updates(NetworkCommand command, NetworkSection section, GError **error);
/* Changes @section of @network by @command with the element @xml. @parent: which <ip>, counted from 0,
 * -1: the one that fits. STATE where it is there already, or not there; INVALID; UNSUPPORTED as
 * network_updates(). The whole document is to be checked and filled in afterwards. On failure nothing
 * changed. */
gboolean network_update(Network *network, NetworkCommand command, NetworkSection section, int parent,
			const char *xml, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Network, network_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetworkPort, network_port_free)

/* Network interfaces.
 * Neighbours: model/guest.h holds the list; engine/qemu/interface.c connects them. */
#pragma once

#include "model/device/address.h"

typedef enum InterfaceType {
	INTERFACE_NETWORK = 1,
	INTERFACE_BRIDGE,
	INTERFACE_USER,
	INTERFACE_ETHERNET,
	INTERFACE_DIRECT,
	INTERFACE_INTERNAL,
	INTERFACE_VHOST_USER,
	INTERFACE_SERVER,
	INTERFACE_CLIENT,
	INTERFACE_MCAST,
	INTERFACE_UDP,
	INTERFACE_HOSTDEV,
	INTERFACE_VDPA,
	INTERFACE_NULL,
	INTERFACE_VDS,
} InterfaceType;

typedef struct Bandwidth {
	ShapeHead head;
	OptUint average, peak, burst, floor;
} Bandwidth;

typedef struct InterfaceIp {
	ShapeHead head;
	char *family, *address, *peer;
	OptUint prefix;
} InterfaceIp;

typedef struct InterfaceRoute {
	ShapeHead head;
	char *family, *address, *netmask, *gateway;
	OptUint prefix, metric;
} InterfaceRoute;

typedef struct FilterParameter {
	ShapeHead head;
	char *name, *value;
} FilterParameter;

typedef struct PortForwardRange {
	ShapeHead head;
	OptUint start, end, to;
	Tri exclude;
} PortForwardRange;

typedef struct PortForward {
	ShapeHead head;
	char *proto, *address, *dev;
	GPtrArray *ranges; /* PortForwardRange */
} PortForward;

typedef struct VlanTag {
	ShapeHead head;
	OptUint id;
	char *native_mode;
} VlanTag;

typedef struct VirtualPort {
	ShapeHead head;
	char *type;
	char *managerid, *typeid, *typeidversion, *instanceid, *profileid, *interfaceid;
} VirtualPort;

typedef struct InterfaceSource {
	ShapeHead head;
	char *network, *bridge, *dev, *mode, *portgroup, *portid;
	char *type, *path, *address;
	OptUint port;
	char *local_address;
	OptUint local_port;
	char *name; /* internal */
	OptUint queues;
	char *reconnect;
	OptUint reconnect_timeout;
	Address *pci; /* hostdev */
	GPtrArray *ips, *routes;
} InterfaceSource;

typedef struct Interface {
	ShapeHead head;
	InterfaceType type;
	char *managed, *trust_guest_rx_filters;
	char *mac, *mac_type, *mac_check;
	InterfaceSource *source;
	char *backend_type, *backend_log_file, *backend_tap, *backend_vhost;
	GPtrArray *port_forwards; /* PortForward */
	VirtualPort *virtual_port;
	char *script, *downscript;
	char *target, *target_managed;
	char *model;
	char *driver_name, *txmode;
	Tri ioeventfd, event_idx;
	OptUint queues, rx_queue_size, tx_queue_size;
	Tri rss, rss_hash_report;
	VirtioOptions virtio;
	Tri host_csum, host_gso, host_tso4, host_tso6, host_ecn, host_ufo, host_mrg_rxbuf;
	Tri guest_csum, guest_tso4, guest_tso6, guest_ecn, guest_ufo;
	char *filter;
	GPtrArray *filter_parameters; /* FilterParameter */
	char *link_state;
	OptUint mtu;
	Bandwidth *inbound, *outbound;
	char *vlan_trunk;
	GPtrArray *vlan_tags; /* VlanTag */
	char *port_isolated;
	OptUint coalesce_max_frames;
	char *guest_dev;
	GPtrArray *ips, *routes;
	char *teaming_type, *teaming_persistent;
	OptUint sndbuf;
	DeviceInfo info;
} Interface;

/* Ports of the host that lead to ports of the guest, one to one. */
typedef struct PortRange {
	guint16 first, last, to;
} PortRange;

/* What @forward names without what it excludes, in its order, of PortRange; the caller owns it. None: it
 * names no ports, which for passt means all of them. NULL with INVALID for a range that is none, or one
 * that leads beyond port 65535. Any thread. */
GArray *port_forward_ranges(const PortForward *forward, GError **error);

extern const Shape interface_shape;
extern const Shape bandwidth_shape, virtual_port_shape, vlan_tag_shape, interface_route_shape;
extern const Shape filter_parameter_shape;
extern const EnumTable interface_types;

/* Network filters: what an interface may send and receive, in libvirt's <filter> and <filterbinding>.
 *
 * Every condition is kept as text, for any of them may be a variable ("$IP", "$PORT[@1]"); which
 * kind of value each one takes stands once, in filter_attributes(), for the check at definition and
 * for net/filter_rules.c, which makes rules of it.
 *
 * Neighbours: core/nwfilters.c keeps them; net/filter*.c make rules of nftables out of them. */
#pragma once

#include "model/device/interface.h"

typedef enum FilterAction {
	FILTER_DROP = 1,
	FILTER_ACCEPT,
	FILTER_REJECT,
	FILTER_RETURN,
	FILTER_CONTINUE,
} FilterAction;

typedef enum FilterDirection { FILTER_IN = 1, FILTER_OUT, FILTER_INOUT } FilterDirection;

/* Elements of a rule: what packets it is about. */
typedef enum FilterProtocol {
	FILTER_ANY, /* no element: every packet */
	FILTER_MAC,
	FILTER_VLAN,
	FILTER_STP,
	FILTER_ARP,
	FILTER_RARP,
	FILTER_IP,
	FILTER_IPV6,
	FILTER_TCP,
	FILTER_UDP,
	FILTER_SCTP,
	FILTER_ICMP,
	FILTER_IGMP,
	FILTER_ALL,
	FILTER_ESP,
	FILTER_AH,
	FILTER_UDPLITE,
	FILTER_TCP6,
	FILTER_UDP6,
	FILTER_SCTP6,
	FILTER_ICMP6,
	FILTER_ALL6,
	FILTER_ESP6,
	FILTER_AH6,
	FILTER_UDPLITE6,
	FILTER_PROTOCOLS,
} FilterProtocol;

/* What one condition takes. */
typedef enum FilterValue {
	FILTER_VALUE_TEXT, /* comment, sets of others */
	FILTER_VALUE_MAC,
	FILTER_VALUE_IP,   /* of the protocol's family */
	FILTER_VALUE_MASK, /* a prefix or an address */
	FILTER_VALUE_UINT8,
	FILTER_VALUE_UINT16,
	FILTER_VALUE_UINT32,
	FILTER_VALUE_DSCP,
	FILTER_VALUE_VLAN,
	FILTER_VALUE_ETHERTYPE,
	FILTER_VALUE_OPCODE,
	FILTER_VALUE_PROTOCOL,
	FILTER_VALUE_BOOLEAN,
	FILTER_VALUE_STATE,
	FILTER_VALUE_TCP_FLAGS,
	FILTER_VALUE_IPSET,
	FILTER_VALUE_IPSET_FLAGS,
} FilterValue;

typedef struct FilterMatch {
	ShapeHead head;
	Tri match; /* no: packets that are not so */
	char *srcmacaddr, *srcmacmask, *dstmacaddr, *dstmacmask;
	char *protocolid, *vlanid, *encap_protocol;
	char *stp_type, *stp_flags, *root_priority, *root_priority_hi, *root_address;
	char *root_address_mask, *root_cost, *root_cost_hi, *sender_priority, *sender_priority_hi;
	char *sender_address, *sender_address_mask, *port, *port_hi, *age, *age_hi, *max_age;
	char *max_age_hi, *hello_time, *hello_time_hi, *forward_delay, *forward_delay_hi;
	char *hwtype, *protocoltype, *opcode, *arpsrcmacaddr, *arpdstmacaddr;
	char *arpsrcipaddr, *arpsrcipmask, *arpdstipaddr, *arpdstipmask, *gratuitous;
	char *srcipaddr, *srcipmask, *dstipaddr, *dstipmask;
	char *srcipfrom, *srcipto, *dstipfrom, *dstipto;
	char *protocol, *srcportstart, *srcportend, *dstportstart, *dstportend, *dscp;
	char *type, *typeend, *code, *codeend;
	char *connlimit, *state, *flags, *option, *ipset, *ipsetflags;
	char *comment;
} FilterMatch;

typedef struct FilterRule {
	ShapeHead head;
	FilterAction action;
	FilterDirection direction;
	OptInt priority;
	char *statematch;			 /* "false" or "0": each packet for itself */
	FilterMatch *matches[FILTER_PROTOCOLS]; /* one at most; [FILTER_ANY] is never set */
} FilterRule;

typedef struct FilterReference {
	ShapeHead head;
	char *filter;
	GPtrArray *parameters; /* FilterParameter */
} FilterReference;

typedef struct Filter {
	ShapeHead head;
	char *name, *chain, *uuid;
	OptInt priority;
	GPtrArray *rules;      /* FilterRule */
	GPtrArray *references; /* FilterReference */
} Filter;

/* A filter at work on a port of the host. */
typedef struct FilterBinding {
	ShapeHead head;
	char *owner_name, *owner_uuid;
	char *port;   /* the tap */
	char *link;   /* the interface below it, may be NULL */
	char *mac;
	char *filter;
	GPtrArray *parameters; /* FilterParameter */
} FilterBinding;

extern const Shape filter_shape;
extern const Shape filter_binding_shape;
extern const EnumTable filter_actions;
extern const EnumTable filter_directions;
extern const EnumTable filter_protocols; /* names of elements */

#define FILTER_RULES_MAX 4096 /* in one filter: libvirt has no limit, a document of 4 MiB has */

/* One condition of @protocol: the name of the attribute, its value's kind, and the member. */
typedef struct FilterAttribute {
	const char *name;
	FilterValue value;
	size_t offset;
} FilterAttribute;

/* The conditions that @protocol has; static. Any thread. */
const FilterAttribute *filter_attributes(FilterProtocol protocol, guint *n);

/* Whether the addresses of @protocol are of IPv6. Any thread. */
gboolean filter_is_ipv6(FilterProtocol protocol);

/* What @rule is about, with its conditions (NULL for FILTER_ANY). Any thread. */
FilterProtocol filter_protocol(const FilterRule *rule, const FilterMatch **match);

/* Whether @text can be a value of that kind; @ipv6 says which family addresses are of. Variables are
 * not values. On failure @error says what it is not. Any thread. */
gboolean filter_value_check(FilterValue value, gboolean ipv6, const char *text, GError **error);

/* Number of "0x86dd", "arp", "Request_Reverse", "udp", ...; what filter_value_check() took. */
guint64 filter_value_number(FilterValue value, const char *text);

/* Reads a document and checks it. NULL on failure. The caller owns the result (filter_free). Any
 * thread. */
Filter *filter_from_xml(const char *xml, gssize length, const char *what, Notes *notes,
			GError **error);
void filter_free(Filter *filter);
/* Fills in what is not said: chain and priorities. */
void filter_complete(Filter *filter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Filter, filter_free)

/* See nwfilter.h. Conditions and their kinds are those of libvirt's schema nwfilter.rng. */
#include "model/nwfilter.h"
#include "base/error.h"

#include <string.h>

const EnumTable filter_actions =
	ENUM_TABLE("action", "drop", "accept", "reject", "return", "continue");
const EnumTable filter_directions = ENUM_TABLE("direction", "in", "out", "inout");
const EnumTable filter_protocols =
	ENUM_TABLE("protocol", "mac", "vlan", "stp", "arp", "rarp", "ip", "ipv6", "tcp", "udp",
		   "sctp", "icmp", "igmp", "all", "esp", "ah", "udplite", "tcp-ipv6", "udp-ipv6",
		   "sctp-ipv6", "icmpv6", "all-ipv6", "esp-ipv6", "ah-ipv6", "udplite-ipv6");

/* ---- conditions: X(member, attribute, kind of value, documentation) ---- */

#define SOURCE_MAC(X) X(srcmacaddr, "srcmacaddr", MAC, "MAC address it comes from")
#define SOURCE_MAC_MASK(X)                                                                         \
	SOURCE_MAC(X)                                                                              \
	X(srcmacmask, "srcmacmask", MAC, "its bits that count")
#define MACS(X)                                                                                    \
	SOURCE_MAC_MASK(X)                                                                         \
	X(dstmacaddr, "dstmacaddr", MAC, "MAC address it goes to")                                 \
	X(dstmacmask, "dstmacmask", MAC, "its bits that count")
#define COMMENT(X) X(comment, "comment", TEXT, "for people")
#define ADDRESSES(X)                                                                               \
	X(srcipaddr, "srcipaddr", IP, "address it comes from")                                     \
	X(srcipmask, "srcipmask", MASK, "its bits that count")                                     \
	X(dstipaddr, "dstipaddr", IP, "address it goes to")                                        \
	X(dstipmask, "dstipmask", MASK, "its bits that count")
#define RANGES(X)                                                                                  \
	X(srcipfrom, "srcipfrom", IP, "first address it may come from")                            \
	X(srcipto, "srcipto", IP, "last address it may come from")                                 \
	X(dstipfrom, "dstipfrom", IP, "first address it may go to")                                \
	X(dstipto, "dstipto", IP, "last address it may go to")                                     \
	X(dscp, "dscp", DSCP, "class of service")                                                  \
	X(connlimit, "connlimit-above", UINT16, "more connections than this")                      \
	X(state, "state", STATE, "NEW, ESTABLISHED, RELATED, INVALID or NONE")                     \
	X(ipset, "ipset", IPSET, "a set of addresses")                                             \
	X(ipsetflags, "ipsetflags", IPSET_FLAGS, "src or dst")
#define PORTS(X)                                                                                   \
	X(srcportstart, "srcportstart", UINT16, "first port it comes from")                        \
	X(srcportend, "srcportend", UINT16, "last port it comes from")                             \
	X(dstportstart, "dstportstart", UINT16, "first port it goes to")                           \
	X(dstportend, "dstportend", UINT16, "last port it goes to")
#define ICMP(X)                                                                                    \
	X(type, "type", UINT8, "type")                                                             \
	X(code, "code", UINT8, "code")

#define ON_MAC(X) MACS(X) X(protocolid, "protocolid", ETHERTYPE, "protocol") COMMENT(X)
#define ON_VLAN(X)                                                                                 \
	MACS(X)                                                                                    \
	X(vlanid, "vlanid", VLAN, "VLAN")                                                          \
	X(encap_protocol, "encap-protocol", ETHERTYPE, "protocol inside")                          \
	COMMENT(X)
#define ON_STP(X)                                                                                  \
	SOURCE_MAC_MASK(X)                                                                         \
	X(stp_type, "type", UINT8, "type of BPDU")                                                 \
	X(stp_flags, "flags", UINT8, "flags")                                                      \
	X(root_priority, "root-priority", UINT16, "priority of the root, or its lowest")           \
	X(root_priority_hi, "root-priority-hi", UINT16, "highest")                                 \
	X(root_address, "root-address", MAC, "address of the root")                                \
	X(root_address_mask, "root-address-mask", MAC, "its bits that count")                      \
	X(root_cost, "root-cost", UINT32, "cost to the root, or its lowest")                       \
	X(root_cost_hi, "root-cost-hi", UINT32, "highest")                                         \
	X(sender_priority, "sender-priority", UINT16, "priority of the sender, or its lowest")     \
	X(sender_priority_hi, "sender-priority-hi", UINT16, "highest")                             \
	X(sender_address, "sender-address", MAC, "address of the sender")                          \
	X(sender_address_mask, "sender-address-mask", MAC, "its bits that count")                  \
	X(port, "port", UINT16, "port, or its lowest")                                             \
	X(port_hi, "port-hi", UINT16, "highest")                                                   \
	X(age, "age", UINT16, "age, or its lowest")                                                \
	X(age_hi, "age-hi", UINT16, "highest")                                                     \
	X(max_age, "max-age", UINT16, "maximum age, or its lowest")                                \
	X(max_age_hi, "max-age-hi", UINT16, "highest")                                             \
	X(hello_time, "hello-time", UINT16, "hello time, or its lowest")                           \
	X(hello_time_hi, "hello-time-hi", UINT16, "highest")                                       \
	X(forward_delay, "forward-delay", UINT16, "forward delay, or its lowest")                  \
	X(forward_delay_hi, "forward-delay-hi", UINT16, "highest")                                 \
	COMMENT(X)
#define ON_ARP(X)                                                                                  \
	MACS(X)                                                                                    \
	X(hwtype, "hwtype", UINT16, "type of hardware")                                            \
	X(protocoltype, "protocoltype", UINT16, "type of protocol")                                \
	X(opcode, "opcode", OPCODE, "Request, Reply, ... or its number")                           \
	X(arpsrcmacaddr, "arpsrcmacaddr", MAC, "MAC address of the sender")                        \
	X(arpdstmacaddr, "arpdstmacaddr", MAC, "MAC address of the target")                        \
	X(arpsrcipaddr, "arpsrcipaddr", IP, "address of the sender")                               \
	X(arpsrcipmask, "arpsrcipmask", MASK, "its bits that count")                               \
	X(arpdstipaddr, "arpdstipaddr", IP, "address of the target")                               \
	X(arpdstipmask, "arpdstipmask", MASK, "its bits that count")                               \
	X(gratuitous, "gratuitous", BOOLEAN, "tells of itself, unasked")                           \
	COMMENT(X)
#define ON_IP(X)                                                                                   \
	MACS(X)                                                                                    \
	ADDRESSES(X)                                                                               \
	X(protocol, "protocol", PROTOCOL, "protocol")                                              \
	PORTS(X)                                                                                   \
	X(dscp, "dscp", DSCP, "class of service")                                                  \
	COMMENT(X)
#define ON_IPV6(X)                                                                                 \
	MACS(X)                                                                                    \
	ADDRESSES(X)                                                                               \
	X(protocol, "protocol", PROTOCOL, "protocol")                                              \
	PORTS(X)                                                                                   \
	ICMP(X)                                                                                    \
	X(typeend, "typeend", UINT8, "last type")                                                  \
	X(codeend, "codeend", UINT8, "last code")                                                  \
	COMMENT(X)
#define ON_PLAIN(X) SOURCE_MAC(X) ADDRESSES(X) RANGES(X) COMMENT(X)
#define ON_PORTS(X) SOURCE_MAC(X) ADDRESSES(X) RANGES(X) PORTS(X) COMMENT(X)
#define ON_TCP(X)                                                                                  \
	ON_PORTS(X)                                                                                \
	X(flags, "flags", TCP_FLAGS, "flags that count, /, those that are set")                    \
	X(option, "option", UINT8, "option")
#define ON_ICMP(X) ON_PLAIN(X) ICMP(X)

#define AS_ROW(member_, name_, value_, text_)                                                      \
	STRING(FilterMatch, member_, "@" name_, .doc = text_),
#define AS_ATTRIBUTE(member_, name_, value_, text_)                                                \
	{ name_, FILTER_VALUE_##value_, SHAPE_OFFSET(FilterMatch, member_, char *) },
#define CONDITIONS(group, name_, LIST_OF)                                                          \
	static const FilterAttribute group##_attributes[] = { LIST_OF(AS_ATTRIBUTE) };             \
	static const Row group##_rows[] = {                                                        \
		TRI(FilterMatch, match, "@match", .doc = "no: packets that are not so"),           \
		LIST_OF(AS_ROW)                                                                    \
	};                                                                                         \
	static const Shape group##_shape = SHAPE(name_, FilterMatch, group##_rows);

CONDITIONS(mac, "filter-mac", ON_MAC)
CONDITIONS(vlan, "filter-vlan", ON_VLAN)
CONDITIONS(stp, "filter-stp", ON_STP)
CONDITIONS(arp, "filter-arp", ON_ARP)
CONDITIONS(ip, "filter-ip", ON_IP)
CONDITIONS(ipv6, "filter-ipv6", ON_IPV6)
CONDITIONS(plain, "filter-plain", ON_PLAIN)
CONDITIONS(ports, "filter-ports", ON_PORTS)
CONDITIONS(tcp, "filter-tcp", ON_TCP)
CONDITIONS(icmp, "filter-icmp", ON_ICMP)

/* ---- rules and filters ---- */

#define ON(number, name_, group, text)                                                             \
	{ .kind = ROW_STRUCT, .name = name_, .xml = name_, .of = &group##_shape, .doc = text,      \
	  .offset = SHAPE_OFFSET(FilterRule, matches[number], FilterMatch *) }

static const Row rule_rows[] = {
	ENUM(FilterRule, action, "@action", filter_actions, .flags = ROW_REQUIRED,
	     .doc = "what becomes of the packet"),
	ENUM(FilterRule, direction, "@direction", filter_directions, .flags = ROW_REQUIRED,
	     .doc = "to the guest, from it, or both"),
	INT(FilterRule, priority, "@priority", .min = -1000, .max = 1000, .dflt = "500",
	    .doc = "lower is earlier"),
	STRING(FilterRule, statematch, "@statematch", .doc = "false: each packet for itself"),
	ON(FILTER_MAC, "mac", mac, "Ethernet"),
	ON(FILTER_VLAN, "vlan", vlan, "VLANs"),
	ON(FILTER_STP, "stp", stp, "spanning tree"),
	ON(FILTER_ARP, "arp", arp, "ARP"),
	ON(FILTER_RARP, "rarp", arp, "RARP"),
	ON(FILTER_IP, "ip", ip, "IPv4"),
	ON(FILTER_IPV6, "ipv6", ipv6, "IPv6"),
	ON(FILTER_TCP, "tcp", tcp, "TCP"),
	ON(FILTER_UDP, "udp", ports, "UDP"),
	ON(FILTER_SCTP, "sctp", ports, "SCTP"),
	ON(FILTER_ICMP, "icmp", icmp, "ICMP"),
	ON(FILTER_IGMP, "igmp", plain, "IGMP"),
	ON(FILTER_ALL, "all", plain, "IPv4, any protocol"),
	ON(FILTER_ESP, "esp", plain, "ESP"),
	ON(FILTER_AH, "ah", plain, "AH"),
	ON(FILTER_UDPLITE, "udplite", plain, "UDP-Lite"),
	ON(FILTER_TCP6, "tcp-ipv6", tcp, "TCP over IPv6"),
	ON(FILTER_UDP6, "udp-ipv6", ports, "UDP over IPv6"),
	ON(FILTER_SCTP6, "sctp-ipv6", ports, "SCTP over IPv6"),
	ON(FILTER_ICMP6, "icmpv6", icmp, "ICMPv6"),
	ON(FILTER_ALL6, "all-ipv6", plain, "IPv6, any protocol"),
	ON(FILTER_ESP6, "esp-ipv6", plain, "ESP over IPv6"),
	ON(FILTER_AH6, "ah-ipv6", plain, "AH over IPv6"),
	ON(FILTER_UDPLITE6, "udplite-ipv6", plain, "UDP-Lite over IPv6"),
};

#define ATTRIBUTES(number, group) [number] = { group##_attributes, G_N_ELEMENTS(group##_attributes) }

const FilterAttribute *filter_attributes(FilterProtocol protocol, guint *n)
{
	static const struct {
		const FilterAttribute *list;
		guint n;
	} all[FILTER_PROTOCOLS] = {
		ATTRIBUTES(FILTER_MAC, mac),	ATTRIBUTES(FILTER_VLAN, vlan),
		ATTRIBUTES(FILTER_STP, stp),	ATTRIBUTES(FILTER_ARP, arp),
		ATTRIBUTES(FILTER_RARP, arp),	ATTRIBUTES(FILTER_IP, ip),
		ATTRIBUTES(FILTER_IPV6, ipv6),	ATTRIBUTES(FILTER_TCP, tcp),
		ATTRIBUTES(FILTER_UDP, ports),	ATTRIBUTES(FILTER_SCTP, ports),
		ATTRIBUTES(FILTER_ICMP, icmp),	ATTRIBUTES(FILTER_IGMP, plain),
		ATTRIBUTES(FILTER_ALL, plain),	ATTRIBUTES(FILTER_ESP, plain),
		ATTRIBUTES(FILTER_AH, plain),	ATTRIBUTES(FILTER_UDPLITE, plain),
		ATTRIBUTES(FILTER_TCP6, tcp),	ATTRIBUTES(FILTER_UDP6, ports),
		ATTRIBUTES(FILTER_SCTP6, ports), ATTRIBUTES(FILTER_ICMP6, icmp),
		ATTRIBUTES(FILTER_ALL6, plain), ATTRIBUTES(FILTER_ESP6, plain),
		ATTRIBUTES(FILTER_AH6, plain),	ATTRIBUTES(FILTER_UDPLITE6, plain),
	};
	*n = all[protocol].n;
	return all[protocol].list;
}

gboolean filter_is_ipv6(FilterProtocol protocol)
{
	return protocol == FILTER_IPV6 || protocol >= FILTER_TCP6;
}

FilterProtocol filter_protocol(const FilterRule *rule, const FilterMatch **match)
{
	for (guint i = 1; i < FILTER_PROTOCOLS; i++) {
		if (!rule->matches[i])
			continue;
		*match = rule->matches[i];
		return (FilterProtocol)i;
	}
	*match = NULL;
	return FILTER_ANY;
}

/* "$NAME", "$NAME[3]", "$NAME[@1]", blanks as the schema has them. */
static gboolean is_variable(const char *text)
{
	return g_regex_match_simple("^\\$ *[A-Za-z0-9_]+(\\[ *@?[0-9]{1,5} *\\])? *$", text,
				    G_REGEX_DOLLAR_ENDONLY, 0);
}

static gboolean check_conditions(FilterProtocol protocol, const FilterMatch *match, GError **error)
{
	guint n;
	const FilterAttribute *attributes = filter_attributes(protocol, &n);
	for (guint i = 0; i < n; i++) {
		const char *text = G_STRUCT_MEMBER(char *, match, attributes[i].offset);
		if (!text || is_variable(text))
			continue;
		if (!filter_value_check(attributes[i].value, filter_is_ipv6(protocol), text, error)) {
			g_prefix_error(error, "%s/@%s: ", enum_name(&filter_protocols, (int)protocol),
				       attributes[i].name);
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean rule_check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const FilterRule *rule = object;
	const FilterMatch *match;
	FilterProtocol protocol = filter_protocol(rule, &match);
	for (guint i = (guint)protocol + 1; i < FILTER_PROTOCOLS; i++)
		if (rule->matches[i])
			return fail(error, LODGE_ERROR_INVALID,
				    "a rule is about one protocol: <%s> and <%s> must be two rules",
				    enum_name(&filter_protocols, (int)protocol),
				    enum_name(&filter_protocols, (int)i));
	const char *states = rule->statematch;
	if (states && g_ascii_strcasecmp(states, "false") && !g_str_equal(states, "0") &&
	    g_ascii_strcasecmp(states, "true") && !g_str_equal(states, "1"))
		return fail(error, LODGE_ERROR_INVALID, "@statematch \"%s\" is neither true nor false",
			    states);
	return !match || check_conditions(protocol, match, error);
}

static const Shape rule_shape = SHAPE("filter-rule", FilterRule, rule_rows, .check = rule_check);

static gboolean parameter_check(const GPtrArray *parameters, GError **error)
{
	SHAPE_EACH (FilterParameter, parameter, parameters)
		if (!g_regex_match_simple("^[A-Za-z0-9_]+$", parameter->name, G_REGEX_DOLLAR_ENDONLY, 0))
			return fail(error, LODGE_ERROR_INVALID,
				    "parameter/@name \"%s\" has characters other than letters, "
				    "digits and _", parameter->name);
	return TRUE;
}

static gboolean reference_check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	return parameter_check(((const FilterReference *)object)->parameters, error);
}

static const Row reference_rows[] = {
	STRING(FilterReference, filter, "@filter", .flags = ROW_REQUIRED, .doc = "another filter"),
	LIST(FilterReference, parameters, "parameter", filter_parameter_shape,
	     .doc = "variables for it"),
};
static const Shape reference_shape =
	SHAPE("filter-reference", FilterReference, reference_rows, .check = reference_check);

static const Row rows[] = {
	STRING(Filter, name, "@name", .flags = ROW_REQUIRED, .doc = "name"),
	STRING(Filter, chain, "@chain", .dflt = "root", .doc = "chain of its rules"),
	INT(Filter, priority, "@priority", .min = -1000, .max = 1000,
	    .doc = "when the chain is looked at: lower is earlier"),
	UUID(Filter, uuid, "uuid", .doc = "UUID"),
	LIST(Filter, rules, "rule", rule_shape, .doc = "rules"),
	LIST(Filter, references, "filterref", reference_shape, .doc = "filters it includes"),
};

static gboolean check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const Filter *filter = object;
	/* as the schema has it: NCName, and the length that libvirt gives a name of chain */
	if (!g_regex_match_simple("^[A-Za-z_][A-Za-z0-9_.\\-]{0,199}$", filter->name,
				  G_REGEX_DOLLAR_ENDONLY, 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "@name \"%s\": a name begins with a letter and has letters, digits, '_', "
			    "'-' and '.'", filter->name);
	if (filter->chain &&
	    !g_regex_match_simple("^(root|(mac|stp|vlan|arp|rarp|ipv4|ipv6)[A-Za-z0-9_.:\\-]{0,9})$",
				  filter->chain, G_REGEX_DOLLAR_ENDONLY, 0))
		return fail(error, LODGE_ERROR_INVALID,
			    "@chain \"%s\": it is root, or begins with mac, stp, vlan, arp, rarp, ipv4 "
			    "or ipv6 and has at most 12 characters", filter->chain) ||
		       error_detail(error, LODGE_DETAIL_NONE, "@chain");
	if (shape_len(filter->rules) + shape_len(filter->references) > FILTER_RULES_MAX)
		return fail(error, LODGE_ERROR_INVALID, "more than %d rules in one filter",
			    FILTER_RULES_MAX);
	return TRUE;
}

const Shape filter_shape = SHAPE("filter", Filter, rows, .check = check);

/* ---- bindings ---- */

static const Row binding_rows[] = {
	STRING(FilterBinding, owner_name, "owner/name", .flags = ROW_REQUIRED, .doc = "guest"),
	UUID(FilterBinding, owner_uuid, "owner/uuid", .doc = "its UUID"),
	STRING(FilterBinding, port, "portdev/@name", .flags = ROW_REQUIRED,
	       .doc = "interface of the host"),
	STRING(FilterBinding, link, "linkdev/@name", .doc = "interface below it"),
	MAC(FilterBinding, mac, "mac/@address", .flags = ROW_REQUIRED,
	    .doc = "MAC address of the guest"),
	STRING(FilterBinding, filter, "filterref/@filter", .flags = ROW_REQUIRED, .doc = "filter"),
	LIST(FilterBinding, parameters, "filterref/parameter", filter_parameter_shape,
	     .doc = "variables"),
};

static gboolean binding_check(gconstpointer object, G_GNUC_UNUSED Notes *notes, GError **error)
{
	const FilterBinding *binding = object;
	if (strlen(binding->port) > 15 || strpbrk(binding->port, "/\"\\ \t\n") || !*binding->port)
		return fail(error, LODGE_ERROR_INVALID,
			    "portdev/@name \"%s\" is no name of an interface", binding->port);
	return parameter_check(binding->parameters, error);
}

const Shape filter_binding_shape =
	SHAPE("filterbinding", FilterBinding, binding_rows, .check = binding_check);

/* ---- documents ---- */

/* By the beginning of the chain's name, as libvirt orders them. */
static gint64 chain_priority(const char *chain)
{
	static const struct {
		const char *prefix;
		gint64 priority;
	} all[] = {
		{ "stp", -810 },  { "mac", -800 },  { "vlan", -750 }, { "ipv4", -700 },
		{ "ipv6", -600 }, { "arp", -500 },  { "rarp", -400 },
	};
	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		if (g_str_has_prefix(chain, all[i].prefix))
			return all[i].priority;
	return 0;
}

void filter_complete(Filter *filter)
{
	shape_defaults(&filter_shape, filter);
	if (!filter->priority.set && g_strcmp0(filter->chain, "root"))
		filter->priority = OPT_INT(chain_priority(filter->chain));
}

Filter *filter_from_xml(const char *xml, gssize length, const char *what, Notes *notes, GError **error)
{
	g_autoptr(Filter) filter =
		shape_from_xml(&filter_shape, "filter", xml, length, what, notes, error);
	if (!filter || !shape_check(&filter_shape, filter, notes, error))
		return NULL;
	filter_complete(filter);
	return g_steal_pointer(&filter);
}

void filter_free(Filter *filter)
{
	shape_free(&filter_shape, filter);
}

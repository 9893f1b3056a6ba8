/* One rule of a filter as lines of nftables: variables become values, conditions become expressions.
 * Offsets in BPDUs are those of IEEE 802.1D behind an LLC header, in ARP those of RFC 826.
 * See filter.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/inet.h"
#include "net/filter.h"

#define LINES_MAX 5000	 /* of one rule: product of the lists of its variables */
#define ITERATORS_MAX 16

/* ---- variables ---- */

typedef struct Reference {
	char name[64];
	gboolean is_index; /* [3]: that value; otherwise the iterator of that number */
	guint number;
} Reference;

typedef struct Iterator {
	guint number, length, at;
} Iterator;

typedef struct Rule {
	const FilterLine *line;
	const FilterMatch *match;
	FilterProtocol protocol;
	gboolean reversed;    /* sender and receiver change places */
	gboolean answers;     /* what comes back on flows that the rule has accepted */
	const FilterAttribute *attributes;
	guint n;
	Iterator iterators[ITERATORS_MAX];
	guint n_iterators;
	GString *text;
} Rule;

static gboolean parse_reference(const char *text, Reference *reference)
{
	const char *p = text + 1;
	gsize n = 0;
	while (*p == ' ')
		p++;
	while ((g_ascii_isalnum(*p) || *p == '_') && n + 1 < sizeof reference->name)
		reference->name[n++] = *p++;
	reference->name[n] = 0;
	p = strchr(p, '[');
	reference->is_index = FALSE;
	reference->number = 0;
	if (!p)
		return n > 0;
	p += strspn(p, "[ ");
	reference->is_index = *p != '@';
	reference->number = (guint)strtoul(*p == '@' ? p + 1 : p, NULL, 10);
	return n > 0;
}

static const GPtrArray *list_of(const Rule *rule, const Reference *reference, GError **error)
{
	const GPtrArray *list =
		g_hash_table_lookup((GHashTable *)rule->line->values, reference->name);
	if (!list || !list->len) {
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "the variable $%s has no value: give it as <parameter name='%s' value='...'/>",
		     reference->name, reference->name);
		return NULL;
	}
	if (reference->is_index && reference->number >= list->len) {
		fail(error, LODGE_ERROR_NOT_FOUND, "the variable $%s has no value number %u",
		     reference->name, reference->number);
		return NULL;
	}
	return list;
}

static Iterator *iterator_of(Rule *rule, guint number)
{
	for (guint i = 0; i < rule->n_iterators; i++)
		if (rule->iterators[i].number == number)
			return &rule->iterators[i];
	if (rule->n_iterators == ITERATORS_MAX)
		return NULL;
	rule->iterators[rule->n_iterators] = (Iterator){ .number = number, .length = 1 };
	return &rule->iterators[rule->n_iterators++];
}

/* Lists behind the same iterator go in step; one value stands for as many as needed. */
static gboolean note_variable(Rule *rule, const char *text, GError **error)
{
	Reference reference;
	if (*text != '$' || !parse_reference(text, &reference))
		return TRUE;
	const GPtrArray *list = list_of(rule, &reference, error);
	if (!list)
		return FALSE;
	if (reference.is_index || list->len == 1)
		return TRUE;
	Iterator *iterator = iterator_of(rule, reference.number);
	if (!iterator)
		return fail(error, LODGE_ERROR_INVALID, "more than %d iterators", ITERATORS_MAX);
	if (iterator->length > 1 && iterator->length != list->len)
		return fail(error, LODGE_ERROR_INVALID,
			    "$%s has %u values, another variable in the same rule %u: use [@1], [@2] "
			    "for all combinations", reference.name, list->len, iterator->length);
	iterator->length = list->len;
	return TRUE;
}

/* The value of condition @i now, or NULL. */
static const char *value_at(const Rule *rule, guint i)
{
	const char *text = G_STRUCT_MEMBER(char *, rule->match, rule->attributes[i].offset);
	Reference reference;
	if (!text || *text != '$' || !parse_reference(text, &reference))
		return text;
	const GPtrArray *list = list_of(rule, &reference, NULL);
	guint at = reference.is_index ? reference.number : 0;
	for (guint k = 0; !reference.is_index && list && list->len > 1 && k < rule->n_iterators; k++)
		if (rule->iterators[k].number == reference.number)
			at = rule->iterators[k].at;
	return list ? g_ptr_array_index(list, at) : NULL;
}

/* ---- conditions ---- */

/* "srcipaddr" and "dstipaddr", "arpsrcmacaddr" and "arpdstmacaddr" change places. */
static const char *turned(const char *name, char *buffer, gsize size)
{
	gsize at = g_str_has_prefix(name, "arp") ? 3 : 0;
	gboolean source = g_str_has_prefix(name + at, "src");
	if (!source && !g_str_has_prefix(name + at, "dst"))
		return name;
	g_strlcpy(buffer, name, size);
	memcpy(buffer + at, source ? "dst" : "src", 3);
	return buffer;
}

static const char *get(const Rule *rule, const char *name)
{
	char buffer[32];
	const char *wanted = rule->reversed ? turned(name, buffer, sizeof buffer) : name;
	for (guint i = 0; i < rule->n; i++)
		if (g_str_equal(rule->attributes[i].name, wanted))
			return value_at(rule, i);
	return NULL;
}

static const char *not_equal(const Rule *rule)
{
	return rule->match && rule->match->match == TRI_NO ? "!= " : "";
}

static guint64 number(FilterValue value, const char *text)
{
	return filter_value_number(value, text);
}

static void put_masked(const Rule *rule, const char *field, const char *value, const char *mask)
{
	const char *op = *not_equal(rule) ? "!=" : "==";
	if (value && mask)
		g_string_append_printf(rule->text, "%s & %s %s %s ", field, mask, op, value);
	else if (value)
		g_string_append_printf(rule->text, "%s %s%s ", field, not_equal(rule), value);
}

/* A value masked as nftables wants it: no bit outside of the mask. */
static char *mac_and(const char *mac, const char *mask)
{
	guint a[6] = { 0 }, b[6] = { 0 };
	/* both were checked: six numbers */
	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]) != 6)
		return g_strdup(mac);
	for (guint i = 0; i < 6; i++)
		b[i] = 0xff;
	if (mask)
		(void)!sscanf(mask, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]);
	return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", a[0] & b[0], a[1] & b[1], a[2] & b[2],
			       a[3] & b[3], a[4] & b[4], a[5] & b[5]);
}

static void put_mac(const Rule *rule, const char *field, const char *name, const char *mask_name)
{
	const char *value = get(rule, name);
	const char *mask = mask_name ? get(rule, mask_name) : NULL;
	if (!value)
		return;
	g_autofree char *masked = mac_and(value, mask);
	g_autofree char *plain = mask ? mac_and(mask, NULL) : NULL;
	put_masked(rule, field, masked, plain);
}

static void put_macs(const Rule *rule)
{
	put_mac(rule, "ether saddr", "srcmacaddr", "srcmacmask");
	put_mac(rule, "ether daddr", "dstmacaddr", "dstmacmask");
}

static void put_number(const Rule *rule, const char *field, FilterValue value, const char *name)
{
	const char *text = get(rule, name);
	if (text)
		g_string_append_printf(rule->text, "%s %s%" G_GUINT64_FORMAT " ", field,
				       not_equal(rule), number(value, text));
}

/* @first to @last, or @first alone. */
static void put_span(const Rule *rule, const char *field, FilterValue value, const char *first,
		     const char *last)
{
	const char *from = get(rule, first), *to = get(rule, last);
	if (from && to)
		g_string_append_printf(rule->text, "%s %s%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT " ",
				       field, not_equal(rule), number(value, from), number(value, to));
	else
		put_number(rule, field, value, first);
}

static void put_address(const Rule *rule, const char *field, const char *name, const char *mask_name)
{
	const char *value = get(rule, name), *mask = get(rule, mask_name);
	char buffer[INET_TEXT], mask_buffer[INET_TEXT];
	Inet address, bits;
	if (!value || !inet_from_text(value, AF_UNSPEC, &address, NULL))
		return;
	if (!mask) {
		g_string_append_printf(rule->text, "%s %s%s ", field, not_equal(rule),
				       inet_to_text(&address, buffer));
		return;
	}
	if (!inet_from_text(mask, address.family, &bits, NULL)) {
		guint prefix = MIN((guint)strtoul(mask, NULL, 10), inet_bits(&address));
		bits = inet_mask(address.family, prefix);
	}
	for (guint i = 0; i < inet_bits(&address) / 8; i++)
		address.bytes[i] &= bits.bytes[i];
	put_masked(rule, field, inet_to_text(&address, buffer), inet_to_text(&bits, mask_buffer));
}

/* ---- frames ---- */

static void put_mac_rule(const Rule *rule)
{
	put_macs(rule);
	put_number(rule, "ether type", FILTER_VALUE_ETHERTYPE, "protocolid");
}

static void put_vlan_rule(const Rule *rule)
{
	put_macs(rule);
	g_string_append(rule->text, "ether type 0x8100 ");
	put_number(rule, "vlan id", FILTER_VALUE_VLAN, "vlanid");
	put_number(rule, "vlan type", FILTER_VALUE_ETHERTYPE, "encap-protocol");
}

static void put_stp_rule(const Rule *rule)
{
	/* bytes from the beginning of the frame: 14 of Ethernet, 3 of LLC, then the BPDU */
	static const struct {
		const char *field, *name;
		FilterValue value;
	} numbers[] = {
		{ "@ll,160,8", "type", FILTER_VALUE_UINT8 },
		{ "@ll,168,8", "flags", FILTER_VALUE_UINT8 },
		{ "@ll,176,16", "root-priority", FILTER_VALUE_UINT16 },
		{ "@ll,240,32", "root-cost", FILTER_VALUE_UINT32 },
		{ "@ll,272,16", "sender-priority", FILTER_VALUE_UINT16 },
		{ "@ll,336,16", "port", FILTER_VALUE_UINT16 },
		{ "@ll,352,16", "age", FILTER_VALUE_UINT16 },
		{ "@ll,368,16", "max-age", FILTER_VALUE_UINT16 },
		{ "@ll,384,16", "hello-time", FILTER_VALUE_UINT16 },
		{ "@ll,400,16", "forward-delay", FILTER_VALUE_UINT16 },
	};
	put_mac(rule, "ether saddr", "srcmacaddr", "srcmacmask");
	g_string_append(rule->text, "ether daddr 01:80:c2:00:00:00 ");
	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_autofree char *last = g_strconcat(numbers[i].name, "-hi", NULL);
		put_span(rule, numbers[i].field, numbers[i].value, numbers[i].name, last);
	}
}

/* As a number: raw fields take no addresses. */
static char *raw_of(const char *text)
{
	Inet address;
	guint8 bytes[16];
	guint n = 0;
	if (strchr(text, ':')) {
		guint a[6] = { 0 };
		(void)!sscanf(text, "%x:%x:%x:%x:%x:%x", &a[0], &a[1], &a[2], &a[3], &a[4], &a[5]);
		for (; n < 6; n++)
			bytes[n] = (guint8)a[n];
	} else if (inet_from_text(text, AF_INET, &address, NULL)) {
		for (; n < 4; n++)
			bytes[n] = address.bytes[n];
	} else { /* the length of a prefix */
		address = inet_mask(AF_INET, MIN((guint)strtoul(text, NULL, 10), 32));
		for (; n < 4; n++)
			bytes[n] = address.bytes[n];
	}
	GString *hex = g_string_new("0x");
	for (guint i = 0; i < n; i++)
		g_string_append_printf(hex, "%02x", bytes[i]);
	return g_string_free(hex, FALSE);
}

/* @value & @mask as a raw field. */
static void put_raw(const Rule *rule, const char *field, const char *name, const char *mask_name)
{
	const char *value = get(rule, name), *mask = mask_name ? get(rule, mask_name) : NULL;
	if (!value)
		return;
	g_autofree char *raw = raw_of(value);
	g_autofree char *raw_mask = mask ? raw_of(mask) : NULL;
	if (mask) {
		guint64 masked = g_ascii_strtoull(raw, NULL, 16) & g_ascii_strtoull(raw_mask, NULL, 16);
		g_free(raw);
		raw = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", masked);
	}
	put_masked(rule, field, raw, raw_mask);
}

static void put_stp_addresses(const Rule *rule)
{
	put_raw(rule, "@ll,192,48", "root-address", "root-address-mask");
	put_raw(rule, "@ll,288,48", "sender-address", "sender-address-mask");
}

/* Raw fields: nftables knows those of ARP by name, but not those of RARP. */
static void put_arp_rule(const Rule *rule)
{
	put_macs(rule);
	g_string_append(rule->text, rule->protocol == FILTER_ARP ? "ether type 0x0806 " :
								   "ether type 0x8035 ");
	put_number(rule, "@nh,0,16", FILTER_VALUE_UINT16, "hwtype");
	put_number(rule, "@nh,16,16", FILTER_VALUE_UINT16, "protocoltype");
	put_number(rule, "@nh,48,16", FILTER_VALUE_OPCODE, "opcode");
	put_raw(rule, "@nh,64,48", "arpsrcmacaddr", NULL);
	put_raw(rule, "@nh,112,32", "arpsrcipaddr", "arpsrcipmask");
	put_raw(rule, "@nh,144,48", "arpdstmacaddr", NULL);
	put_raw(rule, "@nh,192,32", "arpdstipaddr", "arpdstipmask");
}

static const char *family(const Rule *rule)
{
	return filter_is_ipv6(rule->protocol) ? "ip6" : "ip";
}

static void put_addresses(const Rule *rule)
{
	gboolean ipv6 = filter_is_ipv6(rule->protocol);
	put_address(rule, ipv6 ? "ip6 saddr" : "ip saddr", "srcipaddr", "srcipmask");
	put_address(rule, ipv6 ? "ip6 daddr" : "ip daddr", "dstipaddr", "dstipmask");
}

static void put_ports(const Rule *rule)
{
	put_span(rule, "th sport", FILTER_VALUE_UINT16, "srcportstart", "srcportend");
	put_span(rule, "th dport", FILTER_VALUE_UINT16, "dstportstart", "dstportend");
}

static void put_dscp(const Rule *rule)
{
	g_autofree char *field = g_strconcat(family(rule), " dscp", NULL);
	put_number(rule, field, FILTER_VALUE_DSCP, "dscp");
}

static void put_ip_rule(const Rule *rule)
{
	put_macs(rule);
	g_string_append(rule->text, filter_is_ipv6(rule->protocol) ? "ether type 0x86dd " :
								     "ether type 0x0800 ");
	put_addresses(rule);
	put_number(rule, "meta l4proto", FILTER_VALUE_PROTOCOL, "protocol");
	put_ports(rule);
	put_dscp(rule);
	put_span(rule, "icmpv6 type", FILTER_VALUE_UINT8, "type", "typeend");
	put_span(rule, "icmpv6 code", FILTER_VALUE_UINT8, "code", "codeend");
}

/* ---- packets ---- */

static const guint8 numbers_of[FILTER_PROTOCOLS] = {
	[FILTER_TCP] = 6,      [FILTER_UDP] = 17,  [FILTER_SCTP] = 132,  [FILTER_ICMP] = 1,
	[FILTER_IGMP] = 2,     [FILTER_ESP] = 50,  [FILTER_AH] = 51,	 [FILTER_UDPLITE] = 136,
	[FILTER_TCP6] = 6,     [FILTER_UDP6] = 17, [FILTER_SCTP6] = 132, [FILTER_ICMP6] = 58,
	[FILTER_ESP6] = 50,    [FILTER_AH6] = 51,  [FILTER_UDPLITE6] = 136,
};

static void put_range(const Rule *rule, const char *side, const char *from, const char *to)
{
	const char *first = get(rule, from), *last = get(rule, to);
	if (first && last)
		g_string_append_printf(rule->text, "%s %s %s%s-%s ", family(rule), side,
				       not_equal(rule), first, last);
}

/* "SYN,ACK" as bits. */
static guint flags_of(const char *text, gsize length)
{
	static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG" };
	g_autofree char *list = g_strndup(text, length);
	g_auto(GStrv) words = g_strsplit(list, ",", -1);
	guint bits = g_str_equal(list, "ALL") ? 0x3f : 0;
	for (guint i = 0; words[i]; i++)
		for (guint k = 0; k < G_N_ELEMENTS(names); k++)
			if (g_str_equal(words[i], names[k]))
				bits |= 1u << k;
	return bits;
}

static void put_tcp(const Rule *rule)
{
	const char *flags = get(rule, "flags"), *option = get(rule, "option");
	const char *slash = flags ? strchr(flags, '/') : NULL;
	if (slash)
		g_string_append_printf(rule->text, "tcp flags & 0x%x %s 0x%x ",
				       flags_of(flags, (gsize)(slash - flags)),
				       *not_equal(rule) ? "!=" : "==",
				       flags_of(slash + 1, strlen(slash + 1)));
	if (option)
		g_string_append_printf(rule->text, "tcp option %" G_GUINT64_FORMAT " %s ",
				       number(FILTER_VALUE_UINT8, option),
				       *not_equal(rule) ? "missing" : "exists");
}

static void put_icmp(const Rule *rule)
{
	const char *name = rule->protocol == FILTER_ICMP6 ? "icmpv6" : "icmp";
	g_autofree char *type = g_strconcat(name, " type", NULL);
	g_autofree char *code = g_strconcat(name, " code", NULL);
	put_number(rule, type, FILTER_VALUE_UINT8, "type");
	put_number(rule, code, FILTER_VALUE_UINT8, "code");
}

static void put_packet_rule(const Rule *rule)
{
	guint protocol = numbers_of[rule->protocol];
	g_string_append(rule->text, filter_is_ipv6(rule->protocol) ? "ether type 0x86dd " :
								     "ether type 0x0800 ");
	if (protocol)
		g_string_append_printf(rule->text, "meta l4proto %u ", protocol);
	put_mac(rule, "ether saddr", "srcmacaddr", NULL);
	put_mac(rule, "ether daddr", "dstmacaddr", NULL);
	put_addresses(rule);
	put_range(rule, "saddr", "srcipfrom", "srcipto");
	put_range(rule, "daddr", "dstipfrom", "dstipto");
	put_ports(rule);
	if (rule->answers) /* of another kind than what they answer */
		return;
	put_dscp(rule);
	put_tcp(rule);
	if (rule->protocol == FILTER_ICMP || rule->protocol == FILTER_ICMP6)
		put_icmp(rule);
	const char *limit = get(rule, "connlimit-above");
	if (limit)
		g_string_append_printf(rule->text, "ct count over %" G_GUINT64_FORMAT " ",
				       number(FILTER_VALUE_UINT16, limit));
}

/* The flow as the port sees it: its own address first, whichever way the packet goes. */
static void put_flow(const Rule *rule, gboolean update)
{
	guint protocol = numbers_of[rule->protocol];
	gboolean ports = protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
	gboolean tcp = protocol == 6 || protocol == 132 || !protocol;
	const char *own = rule->line->out ? "s" : "d", *other = rule->line->out ? "d" : "s";
	const char *ip = family(rule);
	g_autofree char *tuple =
		ports ? g_strdup_printf("%s %saddr . meta l4proto . th %sport . %s %saddr . th %sport",
					ip, own, own, ip, other, other) :
			g_strdup_printf("%s %saddr . meta l4proto . %s %saddr", ip, own, ip, other);
	g_autofree char *set = g_strdup_printf("@%s%c%c", rule->line->port_id, ports ? 'f' : 'g',
					       filter_is_ipv6(rule->protocol) ? '6' : '4');
	if (update)
		g_string_append_printf(rule->text, "update %s { %s timeout %s } ", set, tuple,
				       tcp ? "3h" : "3m");
	else
		g_string_append_printf(rule->text, "%s %s ", tuple, set);
}

/* ---- lines ---- */

typedef void (*PutFn)(const Rule *rule);

static const PutFn frame_rules[FILTER_PROTOCOLS] = {
	[FILTER_MAC] = put_mac_rule, [FILTER_VLAN] = put_vlan_rule, [FILTER_STP] = put_stp_rule,
	[FILTER_ARP] = put_arp_rule, [FILTER_RARP] = put_arp_rule,  [FILTER_IP] = put_ip_rule,
	[FILTER_IPV6] = put_ip_rule,
};

gboolean filter_is_frames(FilterProtocol protocol)
{
	return protocol == FILTER_ANY || frame_rules[protocol];
}

static const char *verdict(const Rule *rule)
{
	switch (rule->line->rule->action) {
	case FILTER_ACCEPT:
		return "accept";
	case FILTER_RETURN:
		return filter_is_frames(rule->protocol) ? "return" : "accept";
	case FILTER_CONTINUE:
		return "continue";
	case FILTER_DROP:
	case FILTER_REJECT:
		break;
	}
	/* Frames are dropped, as libvirt does. Linux answers where packets come in only: so the guest is
	 * told, and others are not (linux/net/bridge/netfilter/nft_reject_bridge.c). */
	gboolean answers = rule->line->rule->action == FILTER_REJECT && rule->line->rejects &&
			   rule->line->out && !filter_is_frames(rule->protocol);
	return answers ? "reject" : "drop";
}

static gboolean accepts(const Rule *rule)
{
	return g_str_equal(verdict(rule), "accept");
}

static gboolean keeps_state(const Rule *rule)
{
	const char *wanted = rule->line->rule->statematch;
	gboolean off = wanted && (!g_ascii_strcasecmp(wanted, "false") || g_str_equal(wanted, "0"));
	return !off && accepts(rule) && rule->line->rule->direction != FILTER_INOUT &&
	       !get(rule, "state");
}

/* Whether packets of the states asked for are new ones, known ones, or none. */
static gboolean put_states(const Rule *rule)
{
	const char *states = get(rule, "state");
	if (!states || strstr(states, "NEW") || g_str_equal(states, "NONE"))
		return TRUE;
	if (g_str_equal(states, "INVALID"))
		return FALSE;
	put_flow(rule, FALSE);
	return TRUE;
}

static void put_packet_line(Rule *rule)
{
	gsize before = rule->text->len;
	g_string_append(rule->text, "  ");
	put_packet_rule(rule);
	if (rule->answers)
		put_flow(rule, FALSE);
	else if (keeps_state(rule))
		put_flow(rule, TRUE);
	if (!put_states(rule)) {
		g_string_truncate(rule->text, before);
		return;
	}
	g_string_append_printf(rule->text, "%s\n", verdict(rule));
}

static gboolean check_values(const Rule *rule, GError **error)
{
	gboolean ipv6 = filter_is_ipv6(rule->protocol);
	for (guint i = 0; i < rule->n; i++) {
		const char *text = value_at(rule, i);
		if (text && !filter_value_check(rule->attributes[i].value, ipv6, text, error)) {
			g_prefix_error(error, "@%s: ", rule->attributes[i].name);
			return FALSE;
		}
	}
	return TRUE;
}

/* An address of the other family means nothing here: $IP may have both. */
static gboolean has_other_family(const Rule *rule)
{
	gboolean ipv6 = filter_is_ipv6(rule->protocol);
	for (guint i = 0; i < rule->n; i++) {
		const char *raw = G_STRUCT_MEMBER(char *, rule->match, rule->attributes[i].offset);
		const char *text = value_at(rule, i);
		if (!text || *raw != '$' || rule->attributes[i].value != FILTER_VALUE_IP)
			continue;
		if ((strchr(text, ':') != NULL) != ipv6)
			return TRUE;
	}
	return FALSE;
}

static gboolean put_line(Rule *rule, GError **error)
{
	if (has_other_family(rule))
		return TRUE;
	if (!check_values(rule, error))
		return FALSE;
	if (!filter_is_frames(rule->protocol)) {
		put_packet_line(rule);
		return TRUE;
	}
	g_string_append(rule->text, "  ");
	if (frame_rules[rule->protocol])
		frame_rules[rule->protocol](rule);
	if (rule->protocol == FILTER_STP)
		put_stp_addresses(rule);
	g_string_append_printf(rule->text, "%s\n", verdict(rule));
	return TRUE;
}

static gboolean next_combination(Rule *rule)
{
	for (guint i = 0; i < rule->n_iterators; i++) {
		if (++rule->iterators[i].at < rule->iterators[i].length)
			return TRUE;
		rule->iterators[i].at = 0;
	}
	return FALSE;
}

static gboolean not_here(const Rule *rule, GError **error)
{
	if (get(rule, "ipset"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "ipset: nftables has no access to the sets of ipset; list the addresses in "
			    "a variable instead");
	const char *gratuitous = get(rule, "gratuitous");
	if (gratuitous && strchr("yt1", *gratuitous))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "gratuitous: nftables cannot compare two fields of a packet; compare "
			    "arpsrcipaddr and arpdstipaddr with $IP instead");
	return TRUE;
}

gboolean filter_rule_lines(GString *text, const FilterLine *line, GError **error)
{
	Rule rule = { .line = line, .text = text };
	FilterDirection direction = line->rule->direction;
	rule.protocol = filter_protocol(line->rule, &rule.match);
	rule.attributes = filter_attributes(rule.protocol, &rule.n);
	for (guint i = 0; i < rule.n; i++) {
		const char *value = G_STRUCT_MEMBER(char *, rule.match, rule.attributes[i].offset);
		if (value && !note_variable(&rule, value, error))
			return FALSE;
	}
	if (!not_here(&rule, error))
		return FALSE;
	gboolean forward = direction == FILTER_INOUT || (direction == FILTER_OUT) == line->out;
	/* a rule for both ways is written as packets to the guest are */
	rule.reversed = direction == FILTER_INOUT ? line->out : !forward;
	rule.answers = !forward;
	if (!forward && (filter_is_frames(rule.protocol) || !keeps_state(&rule)))
		return TRUE;
	guint lines = 0;
	do {
		if (++lines > LINES_MAX)
			return fail(error, LODGE_ERROR_INVALID,
				    "its variables have more than %d combinations", LINES_MAX);
		if (!put_line(&rule, error))
			return FALSE;
	} while (next_combination(&rule));
	return TRUE;
}

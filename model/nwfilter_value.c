/* Values of a filter's conditions: whether a text is one, and which number it means. Words are those
 * of libvirt's schema nwfilter.rng; numbers are IANA's. See nwfilter.h. */
#include <string.h>

#include "base/error.h"
#include "base/inet.h"
#include "model/nwfilter.h"

typedef struct Word {
	const char *word;
	guint number;
} Word;

static const Word ethertypes[] = {
	{ "arp", 0x0806 }, { "rarp", 0x8035 }, { "ipv4", 0x0800 }, { "ipv6", 0x86dd }, { "vlan", 0x8100 },
};
static const Word opcodes[] = {
	{ "Request", 1 },	{ "Reply", 2 },		{ "Request_Reverse", 3 },
	{ "Reply_Reverse", 4 }, { "DRARP_Request", 5 }, { "DRARP_Reply", 6 },
	{ "DRARP_Error", 7 },	{ "InARP_Request", 8 }, { "ARP_NAK", 10 },
};
static const Word protocols[] = {
	{ "tcp", 6 },  { "udp", 17 }, { "udplite", 136 }, { "esp", 50 },    { "ah", 51 },
	{ "icmp", 1 }, { "igmp", 2 }, { "sctp", 132 },	  { "icmpv6", 58 },
};

typedef struct Kind {
	const char *what; /* for messages; NULL: not a number */
	guint64 max;
	const Word *words;
	guint n_words;
	const char *pattern; /* of what is not a number */
} Kind;

#define STATES "(NEW|ESTABLISHED|RELATED|INVALID)"
#define TCP_FLAGS "((SYN|ACK|URG|PSH|FIN|RST)(,(SYN|ACK|URG|PSH|FIN|RST))*|ALL|NONE)"

static const Kind kinds[] = {
	[FILTER_VALUE_TEXT] = { .what = "text of at most 256 characters",
				.pattern = "^[^\\x00-\\x08]{0,256}$" },
	[FILTER_VALUE_MAC] = { .what = "MAC address",
			       .pattern = "^([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}$" },
	[FILTER_VALUE_UINT8] = { .what = "number from 0 to 255", .max = 255 },
	[FILTER_VALUE_UINT16] = { .what = "number from 0 to 65535", .max = 65535 },
	[FILTER_VALUE_UINT32] = { .what = "number of 32 bits", .max = G_MAXUINT32 },
	[FILTER_VALUE_DSCP] = { .what = "number from 0 to 63", .max = 63 },
	[FILTER_VALUE_VLAN] = { .what = "VLAN from 0 to 4095", .max = 4095 },
	[FILTER_VALUE_ETHERTYPE] = { .what = "protocol (arp, rarp, ipv4, ipv6, vlan or a number)",
				     .max = 65535, .words = ethertypes,
				     .n_words = G_N_ELEMENTS(ethertypes) },
	[FILTER_VALUE_OPCODE] = { .what = "ARP operation (Request, Reply, ... or a number)",
				  .max = 65535, .words = opcodes, .n_words = G_N_ELEMENTS(opcodes) },
	[FILTER_VALUE_PROTOCOL] = { .what = "protocol (tcp, udp, icmp, ... or a number)", .max = 255,
				    .words = protocols, .n_words = G_N_ELEMENTS(protocols) },
	[FILTER_VALUE_BOOLEAN] = { .what = "yes or no", .pattern = "^(yes|no|true|false|1|0)$" },
	[FILTER_VALUE_STATE] = { .what = "list of NEW, ESTABLISHED, RELATED, INVALID, or NONE",
				 .pattern = "^(" STATES "(," STATES ")*|NONE)$" },
	[FILTER_VALUE_TCP_FLAGS] = { .what = "pair of lists of flags such as SYN,ACK/SYN",
				     .pattern = "^" TCP_FLAGS "/" TCP_FLAGS "$" },
	[FILTER_VALUE_IPSET] = { .what = "name of a set",
				 .pattern = "^[a-zA-Z0-9_.:\\-+ ]{1,31}$" },
	[FILTER_VALUE_IPSET_FLAGS] = { .what = "list of src and dst",
				       .pattern = "^(?i)(src|dst)(,(src|dst)){0,5}$" },
};

static gboolean number_of(const Kind *kind, const char *text, guint64 *number)
{
	for (guint i = 0; i < kind->n_words; i++) {
		if (g_ascii_strcasecmp(kind->words[i].word, text))
			continue;
		*number = kind->words[i].number;
		return TRUE;
	}
	gboolean hex = g_str_has_prefix(text, "0x");
	return g_ascii_string_to_unsigned(hex ? text + 2 : text, hex ? 16 : 10, 0, kind->max, number,
					  NULL);
}

static gboolean address_check(gboolean ipv6, const char *text, GError **error)
{
	Inet address;
	return inet_from_text(text, ipv6 ? AF_INET6 : AF_INET, &address, NULL) ||
	       fail(error, LODGE_ERROR_INVALID, "\"%s\" is no %s address", text,
		    ipv6 ? "IPv6" : "IPv4");
}

/* A network mask, or the length of a prefix. */
static gboolean mask_check(gboolean ipv6, const char *text, GError **error)
{
	guint64 prefix;
	Inet mask;
	return g_ascii_string_to_unsigned(text, 10, 0, ipv6 ? 128 : 32, &prefix, NULL) ||
	       inet_from_text(text, ipv6 ? AF_INET6 : AF_INET, &mask, NULL) ||
	       fail(error, LODGE_ERROR_INVALID, "\"%s\" is no %s mask and no length of a prefix", text,
		    ipv6 ? "IPv6" : "IPv4");
}

gboolean filter_value_check(FilterValue value, gboolean ipv6, const char *text, GError **error)
{
	guint64 number;
	const Kind *kind = &kinds[value];
	if (value == FILTER_VALUE_IP)
		return address_check(ipv6, text, error);
	if (value == FILTER_VALUE_MASK)
		return mask_check(ipv6, text, error);
	gboolean ok = kind->pattern ? g_regex_match_simple(kind->pattern, text,
							   G_REGEX_DOLLAR_ENDONLY, 0) :
				      number_of(kind, text, &number);
	return ok || fail(error, LODGE_ERROR_INVALID, "\"%s\" is no %s", text, kind->what);
}

guint64 filter_value_number(FilterValue value, const char *text)
{
	guint64 number = 0;
	number_of(&kinds[value], text, &number);
	return number;
}

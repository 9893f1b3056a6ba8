/* See rules.h. nft 1.0.6 has no "destroy": what is to be removed is added first. */
#include "net/rules.h"

#include <string.h>

/* The base chains. They are written anew each time: that costs nothing and repairs them. */
static const char base[] =
	"add table inet lodge\n"
	"add map inet lodge to { type ifname : verdict; }\n"
	"add map inet lodge from { type ifname : verdict; }\n"
	"add map inet lodge at4 { type ipv4_addr : verdict; }\n"
	"add map inet lodge at6 { type ipv6_addr : verdict; }\n"
	"add map inet lodge nat { type ifname : verdict; }\n"
	"add chain inet lodge forward { type filter hook forward priority filter; policy accept; }\n"
	"add chain inet lodge input { type filter hook input priority filter; policy accept; }\n"
	"add chain inet lodge postrouting { type nat hook postrouting priority srcnat; policy accept; }\n"
	"flush chain inet lodge forward\n"
	"flush chain inet lodge input\n"
	"flush chain inet lodge postrouting\n"
	"add rule inet lodge forward oifname vmap @to\n"
	"add rule inet lodge forward iifname vmap @from\n"
	"add rule inet lodge input ip daddr vmap @at4\n"
	"add rule inet lodge input ip6 daddr vmap @at6\n"
	"add rule inet lodge postrouting iifname vmap @nat\n";

/* The bridge's name as part of a chain's, for which nft has fewer letters. */
static char *chain_name(const char *bridge)
{
	GString *name = g_string_new(NULL);
	for (const char *c = bridge; *c; c++)
		if (g_ascii_isalnum(*c) || *c == '-' || *c == '.')
			g_string_append_c(name, *c);
		else
			g_string_append_printf(name, "_%02x", (guchar)*c);
	return g_string_free(name, FALSE);
}

/* "{ 192.168.122.0/24, ... }" of @family: the network's subnets, and with @routes what lies behind its
 * guests. NULL where there are none. */
static char *subnets(const Network *network, int family, gboolean routes)
{
	g_autoptr(GString) set = g_string_new(NULL);
	char text[INET_TEXT];
	Inet inet, gateway;
	guint prefix;
	SHAPE_EACH (NetworkIp, ip, network->ips)
		if (network_ip_read(ip, &inet, &prefix, NULL) && inet.family == family) {
			Inet first = inet_first(&inet, prefix);
			g_string_append_printf(set, "%s%s/%u", set->len ? ", " : "",
					       inet_to_text(&first, text), prefix);
		}
	SHAPE_EACH (InterfaceRoute, route, routes ? network->routes : NULL)
		if (network_route_read(route, &inet, &prefix, &gateway, NULL) && inet.family == family &&
		    prefix) {
			Inet first = inet_first(&inet, prefix);
			g_string_append_printf(set, ", %s/%u", inet_to_text(&first, text), prefix);
		}
	return set->len ? g_strdup_printf("{ %s }", set->str) : NULL;
}

static const char *out_dev(const Network *network)
{
	return network->forward ? network->forward->dev : NULL;
}

/* One family of to_ and from_: what is allowed returns. */
static void pass(GString *s, const Rules *rules, const char *chain, int family, RulesPass how)
{
	const char *ip = family == AF_INET ? "ip" : "ip6";
	const char *dev = out_dev(rules->network);
	g_autofree char *nets = subnets(rules->network, family, TRUE);
	g_autofree char *in = dev ? g_strdup_printf("iifname \"%s\" ", dev) : g_strdup("");
	g_autofree char *out = dev ? g_strdup_printf("oifname \"%s\" ", dev) : g_strdup("");
	if (how == RULES_NOTHING || !nets)
		return;
	g_string_append_printf(s, "add rule inet lodge to_%s %s%s daddr %s %sreturn\n", chain, in, ip, nets,
			       how == RULES_ANSWERS ? "ct state established,related " : "");
	if (how == RULES_ANSWERS)
		g_string_append_printf(s, "add rule inet lodge to_%s %s daddr %s ct status dnat return\n",
				       chain, ip, nets);
	g_string_append_printf(s, "add rule inet lodge from_%s %s%s saddr %s return\n", chain, out, ip, nets);
	if (dev) /* answers to what port forwards let in */
		g_string_append_printf(s,
				       "add rule inet lodge from_%s %s saddr %s ct direction reply return\n",
				       chain, ip, nets);
}

static void forward_chains(GString *s, const Rules *rules, const char *chain)
{
	g_string_append_printf(s, "add rule inet lodge to_%s iifname \"%s\" return\n", chain, rules->bridge);
	g_string_append_printf(s, "add rule inet lodge from_%s oifname \"%s\" return\n", chain,
			       rules->bridge);
	pass(s, rules, chain, AF_INET, rules->pass4);
	pass(s, rules, chain, AF_INET6, rules->pass6);
	g_string_append_printf(s, "add rule inet lodge to_%s reject\n", chain);
	g_string_append_printf(s, "add rule inet lodge from_%s reject\n", chain);
}

static void nat_chain(GString *s, const Rules *rules, const char *chain, int family)
{
	const NetworkForward *f = rules->network->forward;
	gboolean v4 = family == AF_INET;
	const char *ip = v4 ? "ip" : "ip6", *dev = out_dev(rules->network);
	g_autofree char *own = subnets(rules->network, family, TRUE);
	if (!own)
		return;
	g_autofree char *out = g_strdup_printf("%s%s%s%s saddr %s", dev ? "oifname \"" : "", dev ? dev : "",
					       dev ? "\" " : "", ip, own);
	g_autofree char *ports = g_strdup_printf("%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
						 opt_uint_or(f->nat_port_start, 1024),
						 opt_uint_or(f->nat_port_end, 65535));
	g_string_append_printf(s, "add rule inet lodge nat_%s %s daddr %s return\n", chain, ip, own);
	g_string_append_printf(s, "add rule inet lodge nat_%s %s daddr %s return\n", chain, ip,
			       v4 ? "{ 224.0.0.0/24, 255.255.255.255 }" : "ff02::/16");
	if (v4 && f->nat_start) {
		g_autofree char *range = g_strcmp0(f->nat_start, f->nat_end)
						 ? g_strdup_printf("%s-%s", f->nat_start, f->nat_end)
						 : g_strdup(f->nat_start);
		g_string_append_printf(s,
				       "add rule inet lodge nat_%s %s meta l4proto { tcp, udp } "
				       "snat ip to %s:%s\n"
				       "add rule inet lodge nat_%s %s snat ip to %s\n",
				       chain, out, range, ports, chain, out, range);
		return;
	}
	g_string_append_printf(s,
			       "add rule inet lodge nat_%s %s meta l4proto { tcp, udp } masquerade to :%s\n"
			       "add rule inet lodge nat_%s %s masquerade\n",
			       chain, out, ports, chain, out);
}

/* Elements of all maps that lead to the network's chains; @word: "add" or "delete". */
static void elements(GString *s, const Rules *rules, const char *chain, const char *word)
{
	char text[INET_TEXT];
	g_string_append_printf(s, "%s element inet lodge to { \"%s\" : jump to_%s }\n", word, rules->bridge,
			       chain);
	g_string_append_printf(s, "%s element inet lodge from { \"%s\" : jump from_%s }\n", word,
			       rules->bridge, chain);
	if (rules->masquerade4 || rules->masquerade6)
		g_string_append_printf(s, "%s element inet lodge nat { \"%s\" : jump nat_%s }\n", word,
				       rules->bridge, chain);
	SHAPE_EACH (NetworkIp, ip, rules->network->ips) {
		Inet inet;
		guint prefix;
		if (network_ip_read(ip, &inet, &prefix, NULL))
			g_string_append_printf(s, "%s element inet lodge at%c { %s : jump in_%s }\n", word,
					       inet.family == AF_INET6 ? '6' : '4',
					       inet_to_text(&inet, text), chain);
	}
}

const char *rules_within(const char *script)
{
	return script + strlen(base);
}

static const char *const chains[] = { "to", "from", "in", "nat" };

char *rules_script(const Rules *rules)
{
	GString *s = g_string_new(base);
	g_autofree char *chain = chain_name(rules->bridge);
	for (guint i = 0; i < G_N_ELEMENTS(chains); i++)
		g_string_append_printf(s, "add chain inet lodge %s_%s\nflush chain inet lodge %s_%s\n",
				       chains[i], chain, chains[i], chain);
	forward_chains(s, rules, chain);
	g_string_append_printf(s,
			       "add rule inet lodge in_%s iifname != { \"%s\", \"lo\" } "
			       "meta l4proto { tcp, udp } th dport { 53, 67, 69, 547 } drop\n",
			       chain, rules->bridge);
	if (rules->masquerade4)
		nat_chain(s, rules, chain, AF_INET);
	if (rules->masquerade6)
		nat_chain(s, rules, chain, AF_INET6);
	elements(s, rules, chain, "add");
	return g_string_free(s, FALSE);
}

char *rules_removal(const Rules *rules)
{
	GString *s = g_string_new(base);
	g_autofree char *chain = chain_name(rules->bridge);
	for (guint i = 0; i < G_N_ELEMENTS(chains); i++)
		g_string_append_printf(s, "add chain inet lodge %s_%s\n", chains[i], chain);
	elements(s, rules, chain, "add");
	elements(s, rules, chain, "delete");
	for (guint i = 0; i < G_N_ELEMENTS(chains); i++)
		g_string_append_printf(s, "flush chain inet lodge %s_%s\ndelete chain inet lodge %s_%s\n",
				       chains[i], chain, chains[i], chain);
	return g_string_free(s, FALSE);
}

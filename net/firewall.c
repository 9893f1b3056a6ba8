/* See firewall.h. Reads what `nft -j list ruleset` says: chains at the hooks forward and input that drop
 * what no rule of theirs accepts. */
#include "net/firewall.h"
#include "base/error.h"
#include "host/netlink.h"
#include "host/nft.h"
#include "host/spawn.h"

#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#define TOOL_MS 20000

static void tell(HostChecks *checks, const char *name, HostStatus status, char *found, char *remedy)
{
	HostCheck *check = shape_new(&host_check_shape);
	check->name = g_strdup(name);
	check->status = (int)status;
	check->found = found;
	check->remedy = remedy;
	shape_append(&checks->checks, &host_check_shape, check);
}

/* ---- whose a chain is ---- */

typedef struct Owner {
	const char *name;
	const char *chain; /* begins the name of a chain that only this program has */
	const char *table; /* or of a table */
	const char *remedy; /* every %s is the bridge */
} Owner;

static const Owner owners[] = {
	{ "docker", "DOCKER-USER", NULL,
	  "iptables -I DOCKER-USER -i %s -j ACCEPT && iptables -I DOCKER-USER -o %s -j ACCEPT" },
	{ "ufw", "ufw-", NULL,
	  "ufw route allow in on %s && ufw route allow out on %s && ufw allow in on %s" },
	{ "firewalld", NULL, "firewalld",
	  "firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload" },
};

/* @format with every %s replaced: the patterns above have one to three of them. */
static char *with_bridge(const char *format, const char *bridge)
{
	g_auto(GStrv) parts = g_strsplit(format, "%s", -1);
	return g_strjoinv(bridge, parts);
}

static const Owner *owner_of(json_t *items)
{
	gsize i;
	json_t *item;
	for (guint o = 0; o < G_N_ELEMENTS(owners); o++)
		json_array_foreach(items, i, item) {
			json_t *chain = json_object_get(item, "chain");
			const char *name = json_string_value(json_object_get(chain, "name"));
			const char *table = json_string_value(json_object_get(chain, "table"));
			if (owners[o].chain && name && g_str_has_prefix(name, owners[o].chain))
				return &owners[o];
			if (owners[o].table && table && g_str_equal(table, owners[o].table))
				return &owners[o];
		}
	return NULL;
}

/* ---- what they let through ---- */

/* Whether @rule is about what comes from (@key iifname) or goes to (oifname) @bridge. */
static gboolean is_about(json_t *rule, const char *key, const char *bridge)
{
	gsize i;
	json_t *expr;
	json_array_foreach(json_object_get(rule, "expr"), i, expr) {
		json_t *match = json_object_get(expr, "match");
		const char *left = json_string_value(json_object_get(
			json_object_get(json_object_get(match, "left"), "meta"), "key"));
		const char *right = json_string_value(json_object_get(match, "right"));
		if (left && right && g_str_equal(left, key) && g_str_equal(right, bridge))
			return TRUE;
	}
	return FALSE;
}

/* What @rule says as @word ("accept", "goto"); NULL: nothing of it. */
static json_t *verdict(json_t *rule, const char *word)
{
	gsize i;
	json_t *expr;
	json_array_foreach(json_object_get(rule, "expr"), i, expr)
		if (json_object_get(expr, word))
			return json_object_get(expr, word);
	return NULL;
}

static gboolean same_table(json_t *a, json_t *b)
{
	return !g_strcmp0(json_string_value(json_object_get(a, "family")),
			  json_string_value(json_object_get(b, "family"))) &&
	       !g_strcmp0(json_string_value(json_object_get(a, "table")),
			  json_string_value(json_object_get(b, "table")));
}

/* Whether a rule of the chain's table lets @bridge through already, in the direction of @key. */
static gboolean let_through(json_t *items, json_t *chain, const char *key, const char *bridge)
{
	gsize i;
	json_t *item;
	json_array_foreach(items, i, item) {
		json_t *rule = json_object_get(item, "rule");
		if (rule && same_table(rule, chain) && is_about(rule, key, bridge) && verdict(rule, "accept"))
			return TRUE;
	}
	return FALSE;
}

/* Whether the chain @name of the table of @like accepts whatever it has not refused. */
static gboolean ends_in_accept(json_t *items, json_t *like, const char *name)
{
	gsize i;
	json_t *item;
	json_array_foreach(items, i, item) {
		json_t *rule = json_object_get(item, "rule");
		const char *chain = json_string_value(json_object_get(rule, "chain"));
		if (chain && g_str_equal(chain, name) && same_table(rule, like) &&
		    json_array_size(json_object_get(rule, "expr")) == 1 && verdict(rule, "accept"))
			return TRUE;
	}
	return FALSE;
}

/* firewalld sends what comes from @bridge on to the chain of its zone, in filter_FORWARD_ZONES and
 * filter_INPUT_ZONES: whether that zone's target is ACCEPT. The zone of where it goes has no say. */
static gboolean zone_accepts(json_t *items, json_t *hook, const char *bridge)
{
	gsize i;
	json_t *item;
	const char *of = json_string_value(json_object_get(hook, "name"));
	json_array_foreach(items, i, item) {
		json_t *rule = json_object_get(item, "rule");
		const char *chain = json_string_value(json_object_get(rule, "chain"));
		if (!chain || !of || !g_str_has_prefix(chain, of) || !same_table(rule, hook) ||
		    !is_about(rule, "iifname", bridge))
			continue;
		const char *zone = json_string_value(json_object_get(verdict(rule, "goto"), "target"));
		if (zone && ends_in_accept(items, hook, zone))
			return TRUE;
	}
	return FALSE;
}

static gboolean stops(json_t *chain, const char *hook)
{
	const char *at = json_string_value(json_object_get(chain, "hook"));
	const char *policy = json_string_value(json_object_get(chain, "policy"));
	const char *table = json_string_value(json_object_get(chain, "table"));
	if (!at || !g_str_equal(at, hook) || !table || g_str_equal(table, "lodge"))
		return FALSE;
	/* firewalld refuses by its last rule and has no policy. */
	return g_str_equal(table, "firewalld") || (policy && g_str_equal(policy, "drop"));
}

static void judge_chain(json_t *items, json_t *chain, const Owner *owner, const char *hook,
			const char *bridge, HostChecks *checks)
{
	gboolean forward = g_str_equal(hook, "forward");
	const char *family = json_string_value(json_object_get(chain, "family"));
	const char *table = json_string_value(json_object_get(chain, "table"));
	const char *name = json_string_value(json_object_get(chain, "name"));
	if (table && g_str_equal(table, "firewalld") && zone_accepts(items, chain, bridge))
		return;
	if (let_through(items, chain, "iifname", bridge) &&
	    (!forward || let_through(items, chain, "oifname", bridge)))
		return;
	g_autofree char *title = g_strdup_printf("%s: %s", bridge, owner ? owner->name : table);
	g_autofree char *insert = g_strdup_printf("nft insert rule %s %s %s ", family, table, name);
	g_autofree char *generic =
		forward ? g_strconcat(insert, "iifname \"%s\" accept && ", insert,
				      "oifname \"%s\" accept", NULL) :
			  g_strconcat(insert, "iifname \"%s\" udp dport { 53, 67 } accept", NULL);
	tell(checks, title, HOST_WARNING,
	     g_strdup_printf("the chain %s %s %s drops what %s %s", family, table, name,
			     forward ? "passes through" : "comes from", bridge),
	     with_bridge(owner ? owner->remedy : generic, bridge));
}

void firewall_judge(const char *ruleset, const GPtrArray *bridges, HostChecks *checks)
{
	static const char *const hooks[] = { "forward", "input" };
	json_t *all = json_loads(ruleset, 0, NULL);
	json_t *items = json_object_get(all, "nftables"), *item;
	const Owner *owner = owner_of(items);
	for (guint b = 0; b < bridges->len; b++)
		for (guint h = 0; h < G_N_ELEMENTS(hooks); h++) {
			gsize i;
			gboolean told = FALSE; /* one remedy of a known program serves all its chains */
			json_array_foreach(items, i, item) {
				json_t *chain = json_object_get(item, "chain");
				if (told || !chain || !stops(chain, hooks[h]))
					continue;
				if (owner && h && g_str_equal(owner->name, "docker"))
					continue; /* it has no say in what the host takes */
				judge_chain(items, chain, owner, hooks[h], bridges->pdata[b], checks);
				told = owner != NULL;
			}
		}
	json_decref(all);
}

/* ---- the host ---- */

static void check_tool(const char *tool, const char *what, const char *package, HostChecks *checks)
{
	g_autofree char *path = g_find_program_in_path(tool);
	if (path)
		tell(checks, tool, HOST_OK, g_strdup(path), NULL);
	else
		tell(checks, tool, HOST_MISSING, g_strdup_printf("not there: %s", what),
		     g_strdup_printf("apt install %s", package));
}

static void check_legacy(HostChecks *checks)
{
	g_autofree char *names = NULL;
	if (g_file_get_contents("/proc/net/ip_tables_names", &names, NULL, NULL) && *g_strstrip(names))
		tell(checks, "iptables-legacy", HOST_WARNING,
		     g_strdup("rules of the old iptables exist, which nft does not show"),
		     g_strdup("look at them: iptables-legacy -S FORWARD"));
}

void firewall_check(const GPtrArray *bridges, HostChecks *checks)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *forward = NULL, *rules = NULL;
	check_tool("nft", "NAT, routed and isolated networks need it", "nftables", checks);
	check_tool("dnsmasq", "it gives out addresses and names", "dnsmasq-base", checks);
	if (g_file_get_contents("/proc/sys/net/ipv4/ip_forward", &forward, NULL, NULL))
		tell(checks, "forwarding", HOST_OK,
		     g_strdup(*forward == '1' ? "on" : "off; the first NAT or routed network turns it on"),
		     NULL);
	guint before = shape_len(checks->checks);
	rules = nft_list("ruleset", &why);
	if (rules)
		firewall_judge(rules, bridges, checks);
	else if (nft_present())
		tell(checks, "firewall", HOST_WARNING, g_strdup(why->message),
		     g_strdup("ask the daemon that runs as root"));
	check_legacy(checks);
	if (rules && before == shape_len(checks->checks))
		tell(checks, "firewall", HOST_OK, g_strdup("nothing stops our networks"), NULL);
}

/* ---- firewalld's zones ---- */

static gboolean firewall_cmd(const char *const *argv, GError **error)
{
	Spawn how = { .argv = argv };
	int status = 0;
	g_autofree char *said = NULL;
	if (!spawn_run(&how, TOOL_MS, &said, &status, error))
		return FALSE;
	return (WIFEXITED(status) && !WEXITSTATUS(status)) ||
	       fail(error, LODGE_ERROR_SYSTEM, "firewall-cmd: %s", g_strstrip(said));
}

gboolean firewall_zone(const Network *live, G_GNUC_UNUSED Notes *notes, GError **error)
{
	g_autofree char *tool = g_find_program_in_path("firewall-cmd");
	g_autofree char *zone = g_strdup_printf("--zone=%s", live->zone ? live->zone : "");
	g_autofree char *interface = g_strdup_printf("--change-interface=%s", live->bridge);
	const char *argv[] = { tool, zone, interface, NULL };
	if (!live->zone)
		return TRUE;
	if (!tool)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "bridge/@zone \"%s\": firewalld is not there: install it, or leave the zone out",
			    live->zone);
	return firewall_cmd(argv, error);
}

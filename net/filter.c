/* See filter.h: the tree of filters becomes a list of rules, the list becomes chains. Orders and names
 * of chains follow libvirt's documentation of network filters. */
#include "net/filter.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32	 /* filters within filters */
#define RULES_MAX 20000 /* of one port */

/* A rule of the tree, with what counts where it stands. */
typedef struct Entry {
	const Filter *filter;
	const FilterRule *rule;
	GHashTable *values;
	guint order; /* among those of the same priority */
} Entry;

typedef struct Compiler {
	const FilterRequest *request;
	FilterScript *script;
	GArray *entries;   /* Entry */
	GPtrArray *scopes; /* GHashTable: variables of each reference */
	char port[16];	   /* "p12" */
	gboolean missing_ip;
} Compiler;

/* ---- variables ---- */

static void add_value(GHashTable *values, const char *name, const char *value)
{
	GPtrArray *list = g_hash_table_lookup(values, name);
	if (!list) {
		list = g_ptr_array_new_with_free_func(g_free);
		g_hash_table_insert(values, g_strdup(name), list);
	}
	g_ptr_array_add(list, g_strdup(value));
}

static GHashTable *new_values(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
				     (GDestroyNotify)g_ptr_array_unref);
}

/* Those of @outer count before @parameters, so that an interface decides for all that is included. */
static GHashTable *scope_of(GHashTable *outer, const GPtrArray *parameters)
{
	GHashTable *values = new_values();
	GHashTableIter iter;
	gpointer name, list;
	SHAPE_EACH (FilterParameter, parameter, parameters)
		if ((!outer || !g_hash_table_contains(outer, parameter->name)) && parameter->value)
			add_value(values, parameter->name, parameter->value);
	g_hash_table_iter_init(&iter, outer ? outer : values);
	while (outer && g_hash_table_iter_next(&iter, &name, &list))
		g_hash_table_insert(values, g_strdup(name), g_ptr_array_ref(list));
	return values;
}

static GHashTable *first_scope(const FilterRequest *request)
{
	GHashTable *values = scope_of(NULL, request->binding->parameters);
	g_hash_table_remove(values, "MAC");
	add_value(values, "MAC", request->binding->mac);
	for (guint i = 0; request->addresses && i < request->addresses->len; i++)
		if (i || !g_hash_table_contains(values, "IP"))
			add_value(values, "IP", g_ptr_array_index(request->addresses, i));
	return values;
}

/* ---- the tree ---- */

static gboolean walk(Compiler *compiler, const Filter *filter, GHashTable *values, guint depth,
		     GError **error);

static gboolean include(Compiler *compiler, const Filter *filter, const FilterReference *reference,
			GHashTable *values, guint depth, GError **error)
{
	const FilterRequest *request = compiler->request;
	const Filter *other = request->find(request->data, reference->filter);
	if (!other)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "network filter \"%s\": it includes \"%s\", which is not defined",
			    filter->name, reference->filter);
	GHashTable *scope = scope_of(values, reference->parameters);
	g_ptr_array_add(compiler->scopes, scope);
	return walk(compiler, other, scope, depth + 1, error);
}

static gboolean walk(Compiler *compiler, const Filter *filter, GHashTable *values, guint depth,
		     GError **error)
{
	if (depth > DEPTH_MAX)
		return fail(error, LODGE_ERROR_INVALID,
			    "network filter \"%s\": filters include each other in a circle, or more "
			    "than %d deep", filter->name, DEPTH_MAX);
	SHAPE_EACH (FilterRule, rule, filter->rules) {
		Entry entry = { filter, rule, values, compiler->entries->len };
		g_array_append_val(compiler->entries, entry);
	}
	if (compiler->entries->len > RULES_MAX)
		return fail(error, LODGE_ERROR_INVALID, "network filter \"%s\" has more than %d rules",
			    filter->name, RULES_MAX);
	SHAPE_EACH (FilterReference, reference, filter->references)
		if (!include(compiler, filter, reference, values, depth, error))
			return FALSE;
	return TRUE;
}

static gint64 rule_priority(const Entry *entry)
{
	return opt_int_or(entry->rule->priority, 500);
}

static int by_priority(gconstpointer a, gconstpointer b)
{
	const Entry *x = a, *y = b;
	gint64 px = rule_priority(x), py = rule_priority(y);
	return px != py ? (px < py ? -1 : 1) : (x->order < y->order ? -1 : 1);
}

/* ---- chains ---- */

typedef struct Chain {
	const char *suffix; /* "arp-ip" */
	gint64 priority;
	char *name;
} Chain;

static void chain_clear(gpointer data)
{
	g_free(((Chain *)data)->name);
}

static int chain_order(gconstpointer a, gconstpointer b)
{
	const Chain *x = a, *y = b;
	return x->priority != y->priority ? (x->priority < y->priority ? -1 : 1) :
					    strcmp(x->suffix, y->suffix);
}

static gboolean is_root(const Filter *filter)
{
	return !filter->chain || g_str_equal(filter->chain, "root");
}

static gboolean goes(const Entry *entry, gboolean out)
{
	return entry->rule->direction != (out ? FILTER_IN : FILTER_OUT);
}

static gboolean about_frames(const Entry *entry)
{
	const FilterMatch *match;
	return filter_is_frames(filter_protocol(entry->rule, &match));
}

/* Which frames go into a chain, by the beginning of its name. */
static const char *chain_condition(const char *suffix)
{
	static const struct {
		const char *prefix, *condition;
	} all[] = {
		{ "stp", "ether daddr 01:80:c2:00:00:00 " },
		{ "vlan", "ether type 0x8100 " }, { "arp", "ether type 0x0806 " },
		{ "rarp", "ether type 0x8035 " }, { "ipv4", "ether type 0x0800 " },
		{ "ipv6", "ether type 0x86dd " },
	};
	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		if (g_str_has_prefix(suffix, all[i].prefix))
			return all[i].condition;
	return "";
}

static GArray *chains_of(const Compiler *compiler, gboolean out)
{
	GArray *chains = g_array_new(FALSE, TRUE, sizeof(Chain));
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	g_array_set_clear_func(chains, chain_clear);
	for (guint i = 0; i < compiler->entries->len; i++) {
		const Entry *entry = &g_array_index(compiler->entries, Entry, i);
		if (is_root(entry->filter) || !goes(entry, out) || !about_frames(entry) ||
		    !g_hash_table_add(seen, entry->filter->chain))
			continue;
		Chain chain = { .suffix = entry->filter->chain,
				.priority = opt_int_or(entry->filter->priority, 0) };
		g_array_append_val(chains, chain);
	}
	g_array_sort(chains, chain_order);
	for (guint i = 0; i < chains->len; i++)
		g_array_index(chains, Chain, i).name =
			g_strdup_printf("%s%c%u", compiler->port, out ? 'o' : 'i', i);
	return chains;
}

static void begin_chain(Compiler *compiler, const char *name, const char *suffix)
{
	g_string_append_printf(compiler->script->text, " chain %s {\n  comment \"%s %s\"\n", name,
			       compiler->request->binding->port, suffix);
	g_ptr_array_add(compiler->script->chains, g_strdup(name));
}

static gboolean add_rule(Compiler *compiler, const Entry *entry, gboolean out, GError **error)
{
	FilterLine line = { .port_id = compiler->port, .rule = entry->rule, .values = entry->values,
			    .out = out, .rejects = compiler->request->rejects };
	if (filter_rule_lines(compiler->script->text, &line, error))
		return TRUE;
	g_prefix_error(error, "network filter \"%s\", rule %u: ", entry->filter->name,
		       entry->rule->head.line);
	return FALSE;
}

static gboolean add_subchains(Compiler *compiler, const GArray *chains, gboolean out, GError **error)
{
	for (guint c = 0; c < chains->len; c++) {
		const Chain *chain = &g_array_index(chains, Chain, c);
		begin_chain(compiler, chain->name, chain->suffix);
		for (guint i = 0; i < compiler->entries->len; i++) {
			const Entry *entry = &g_array_index(compiler->entries, Entry, i);
			if (goes(entry, out) && about_frames(entry) && !is_root(entry->filter) &&
			    g_str_equal(entry->filter->chain, chain->suffix) &&
			    !add_rule(compiler, entry, out, error))
				return FALSE;
		}
		g_string_append(compiler->script->text, " }\n");
	}
	return TRUE;
}

/* Rules and jumps by priority; a jump comes before a rule of the same. */
static gboolean add_root(Compiler *compiler, const GArray *chains, gboolean out, GError **error)
{
	g_autofree char *name = g_strdup_printf("%s%c", compiler->port, out ? 'o' : 'i');
	GString *text = compiler->script->text;
	guint next = 0;
	begin_chain(compiler, name, "root");
	for (guint i = 0; i <= compiler->entries->len; i++) {
		gboolean last = i == compiler->entries->len;
		const Entry *entry = last ? NULL : &g_array_index(compiler->entries, Entry, i);
		if (entry && (!goes(entry, out) || !about_frames(entry) || !is_root(entry->filter)))
			continue;
		for (; next < chains->len; next++) {
			const Chain *chain = &g_array_index(chains, Chain, next);
			if (entry && chain->priority > rule_priority(entry))
				break;
			g_string_append_printf(text, "  %sjump %s\n", chain_condition(chain->suffix),
					       chain->name);
		}
		if (entry && !add_rule(compiler, entry, out, error))
			return FALSE;
	}
	g_string_append(text, " }\n");
	return TRUE;
}

/* The second pass: a rule counts in both directions, for answers pass. */
static gboolean add_packets(Compiler *compiler, gboolean out, GError **error)
{
	g_autofree char *name = g_strdup_printf("%s%cp", compiler->port, out ? 'o' : 'i');
	begin_chain(compiler, name, "packets");
	for (guint i = 0; i < compiler->entries->len; i++) {
		const Entry *entry = &g_array_index(compiler->entries, Entry, i);
		if (!about_frames(entry) && !add_rule(compiler, entry, out, error))
			return FALSE;
	}
	g_string_append(compiler->script->text, " }\n");
	return TRUE;
}

static gboolean has_packets(const Compiler *compiler)
{
	for (guint i = 0; i < compiler->entries->len; i++)
		if (!about_frames(&g_array_index(compiler->entries, Entry, i)))
			return TRUE;
	return FALSE;
}

/* Flows that were accepted: of TCP for hours, of what has no end for minutes. */
static void add_sets(Compiler *compiler)
{
	static const char *const kinds[] = { "4", "ipv4_addr", "6", "ipv6_addr" };
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i += 2)
		g_string_append_printf(
			compiler->script->text,
			" set %sf%s {\n  type %s . inet_proto . inet_service . %s . inet_service\n"
			"  flags dynamic,timeout\n  timeout 3m\n  size 65535\n }\n"
			" set %sg%s {\n  type %s . inet_proto . %s\n"
			"  flags dynamic,timeout\n  timeout 3m\n  size 65535\n }\n",
			compiler->port, kinds[i], kinds[i + 1], kinds[i + 1], compiler->port, kinds[i],
			kinds[i + 1], kinds[i + 1]);
}

static gboolean add_direction(Compiler *compiler, gboolean out, GError **error)
{
	g_autoptr(GArray) chains = chains_of(compiler, out);
	return add_subchains(compiler, chains, out, error) && add_root(compiler, chains, out, error) &&
	       (!has_packets(compiler) || add_packets(compiler, out, error));
}

static void add_elements(Compiler *compiler)
{
	const char *port = compiler->request->binding->port;
	for (guint i = 0; i < 4; i++) {
		gboolean out = i & 1, packets = i & 2;
		if (packets && !has_packets(compiler))
			continue;
		g_string_append_printf(compiler->script->text,
				       "add element bridge " FILTER_TABLE
				       " %s%s { \"%s\" : jump %s%c%s }\n", out ? "from" : "to",
				       packets ? "_packets" : "", port, compiler->port, out ? 'o' : 'i',
				       packets ? "p" : "");
	}
}

/* ---- while its address is not known ---- */

/* Enough to get an address, and to be seen with one: DHCP, and ARP with the port's own MAC address. */
static void add_learning(Compiler *compiler)
{
	const char *mac = compiler->request->binding->mac;
	g_autofree char *out = g_strdup_printf("%so", compiler->port);
	g_autofree char *in = g_strdup_printf("%si", compiler->port);
	begin_chain(compiler, out, "root, address not known yet");
	g_string_append_printf(compiler->script->text,
			       "  ether saddr != %s drop\n  ether type 0x0806 accept\n"
			       "  ether type 0x0800 udp sport 68 udp dport 67 accept\n  drop\n }\n", mac);
	begin_chain(compiler, in, "root, address not known yet");
	g_string_append(compiler->script->text,
			"  ether type 0x0806 accept\n"
			"  ether type 0x0800 udp sport 67 udp dport 68 accept\n  drop\n }\n");
}

static gboolean uses_ip(const Compiler *compiler)
{
	for (guint i = 0; i < compiler->entries->len; i++) {
		const Entry *entry = &g_array_index(compiler->entries, Entry, i);
		const FilterMatch *match;
		guint n;
		const FilterAttribute *attributes =
			filter_attributes(filter_protocol(entry->rule, &match), &n);
		for (guint k = 0; match && k < n; k++) {
			const char *value = G_STRUCT_MEMBER(char *, match, attributes[k].offset);
			if (value && g_regex_match_simple("^\\$ *IP *(\\[|$)", value, 0, 0) &&
			    !g_hash_table_contains(entry->values, "IP"))
				return TRUE;
		}
	}
	return FALSE;
}

/* ---- all ---- */

static gboolean compile(Compiler *compiler, const Filter *filter, GError **error)
{
	GHashTable *values = first_scope(compiler->request);
	GString *text = compiler->script->text;
	g_ptr_array_add(compiler->scopes, values);
	if (!walk(compiler, filter, values, 0, error))
		return FALSE;
	g_array_sort(compiler->entries, by_priority);
	g_string_append(text, "table bridge " FILTER_TABLE " {\n");
	compiler->script->learns = uses_ip(compiler);
	if (compiler->script->learns) {
		add_learning(compiler);
		g_array_set_size(compiler->entries, 0);
	} else {
		if (has_packets(compiler))
			add_sets(compiler);
		if (!add_direction(compiler, TRUE, error) || !add_direction(compiler, FALSE, error))
			return FALSE;
	}
	g_string_append(text, "}\n");
	add_elements(compiler);
	return TRUE;
}

/* Chains that jump stand before those that they jump to. */
static void order_for_removal(GPtrArray *chains)
{
	for (guint i = 0; i < chains->len / 2; i++) {
		gpointer other = chains->pdata[chains->len - 1 - i];
		chains->pdata[chains->len - 1 - i] = chains->pdata[i];
		chains->pdata[i] = other;
	}
}

FilterScript *filter_compile(const FilterRequest *request, GError **error)
{
	const char *name = request->binding->filter;
	const Filter *filter = request->find(request->data, name);
	if (!filter) {
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "there is no network filter \"%s\"; nwfilter-list shows those there are", name);
		return NULL;
	}
	g_autoptr(FilterScript) script = g_new0(FilterScript, 1);
	script->text = g_string_new(NULL);
	script->chains = g_ptr_array_new_with_free_func(g_free);
	Compiler compiler = { .request = request, .script = script,
			      .entries = g_array_new(FALSE, FALSE, sizeof(Entry)),
			      .scopes = g_ptr_array_new_with_free_func(
				      (GDestroyNotify)g_hash_table_unref) };
	g_snprintf(compiler.port, sizeof compiler.port, "p%u", request->id);
	gboolean ok = compile(&compiler, filter, error);
	if (ok && script->chains->len)
		order_for_removal(script->chains);
	g_array_unref(compiler.entries);
	g_ptr_array_unref(compiler.scopes);
	return ok ? g_steal_pointer(&script) : NULL;
}

void filter_script_free(FilterScript *script)
{
	if (!script)
		return;
	g_string_free(script->text, TRUE);
	g_ptr_array_unref(script->chains);
	g_free(script);
}

char *filter_table_script(void)
{
	/* priorities: before the tables of others look at bridged frames, and after their last word */
	static const struct {
		const char *name, *hook, *key;
		int priority;
	} hooks[] = {
		{ "from", "prerouting", "iifname", -400 },
		{ "from_packets", "prerouting", "iifname", -399 },
		{ "to", "postrouting", "oifname", 400 },
		{ "to_packets", "postrouting", "oifname", 401 },
	};
	GString *text = g_string_new("table bridge " FILTER_TABLE " {\n");
	for (guint i = 0; i < G_N_ELEMENTS(hooks); i++)
		g_string_append_printf(text,
				       " map %s {\n  type ifname : verdict\n }\n"
				       " chain hook_%s {\n  type filter hook %s priority %d; "
				       "policy accept;\n }\n", hooks[i].name, hooks[i].name,
				       hooks[i].hook, hooks[i].priority);
	g_string_append(text, "}\n");
	for (guint i = 0; i < G_N_ELEMENTS(hooks); i++) /* once, also where the table is there */
		g_string_append_printf(text,
				       "flush chain bridge " FILTER_TABLE " hook_%s\n"
				       "add rule bridge " FILTER_TABLE " hook_%s %s vmap @%s\n",
				       hooks[i].name, hooks[i].name, hooks[i].key, hooks[i].name);
	return g_string_free(text, FALSE);
}

static gboolean is_packets_chain(const char *chain)
{
	return g_str_has_suffix(chain, "p");
}

void filter_remove_script(GString *text, const char *name, const GPtrArray *chains)
{
	gboolean packets = FALSE;
	for (guint i = 0; i < chains->len; i++)
		packets |= is_packets_chain(g_ptr_array_index(chains, i));
	for (guint i = 0; i < 4; i++)
		if (!(i & 2) || packets)
			g_string_append_printf(text,
					       "delete element bridge " FILTER_TABLE
					       " %s%s { \"%s\" }\n", i & 1 ? "from" : "to",
					       i & 2 ? "_packets" : "", name);
	for (guint i = 0; i < chains->len; i++)
		g_string_append_printf(text, "flush chain bridge " FILTER_TABLE " %s\n",
				       (char *)g_ptr_array_index(chains, i));
	for (guint i = 0; i < chains->len; i++)
		g_string_append_printf(text, "delete chain bridge " FILTER_TABLE " %s\n",
				       (char *)g_ptr_array_index(chains, i));
	if (!packets)
		return;
	const char *first = g_ptr_array_index(chains, 0); /* "p12ip": the port's part is before i or o */
	int length = (int)strcspn(first, "io");
	static const char *const sets[] = { "f4", "g4", "f6", "g6" };
	for (guint i = 0; i < G_N_ELEMENTS(sets); i++)
		g_string_append_printf(text, "delete set bridge " FILTER_TABLE " %.*s%s\n", length, first,
				       sets[i]);
}

static gboolean uses(const Filter *filter, const char *name, FilterFind find, gpointer data,
		     guint depth)
{
	if (g_str_equal(filter->name, name))
		return TRUE;
	SHAPE_EACH (FilterReference, reference, filter->references) {
		if (g_str_equal(reference->filter, name))
			return TRUE;
		const Filter *other = depth < DEPTH_MAX ? find(data, reference->filter) : NULL;
		if (other && uses(other, name, find, data, depth + 1))
			return TRUE;
	}
	return FALSE;
}

gboolean filter_uses(const Filter *filter, const char *name, FilterFind find, gpointer data)
{
	return uses(filter, name, find, data, 0);
}

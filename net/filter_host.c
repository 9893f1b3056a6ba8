/* See filter_host.h. */
#include "net/filter_host.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "host/nft.h"

static GMutex lock;
static GHashTable *ports; /* name -> GPtrArray of chains; NULL: the table was not looked at yet */
static guint next_id;
static gboolean rejects; /* whether the kernel can answer on a bridge; known with the table */

/* ---- what is there ---- */

/* "p12o3" -> 12; 0: not one of ours. */
static guint id_of(const char *chain)
{
	return chain && *chain == 'p' ? (guint)strtoul(chain + 1, NULL, 10) : 0;
}

static const char *name_in(json_t *item, const char *kind)
{
	return json_string_value(json_object_get(json_object_get(item, kind), "name"));
}

static GPtrArray *chains_with_id(json_t *items, guint id)
{
	GPtrArray *chains = g_ptr_array_new_with_free_func(g_free);
	size_t i;
	json_t *item;
	json_array_foreach(items, i, item) {
		const char *chain = name_in(item, "chain");
		if (chain && id_of(chain) == id)
			g_ptr_array_add(chains, g_strdup(chain));
	}
	return chains;
}

/* Elements of the map "from" are [port, {"jump": {"target": chain}}]. */
static void take_elements(json_t *items, json_t *map)
{
	size_t i;
	json_t *pair;
	json_array_foreach(json_object_get(map, "elem"), i, pair) {
		const char *port = json_string_value(json_array_get(pair, 0));
		json_t *jump = json_object_get(json_array_get(pair, 1), "jump");
		guint id = id_of(json_string_value(json_object_get(jump, "target")));
		if (port && id)
			g_hash_table_replace(ports, g_strdup(port), chains_with_id(items, id));
	}
}

static void look(void)
{
	g_autofree char *text = nft_list("table bridge " FILTER_TABLE, NULL);
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;
	json_t *items = json_object_get(root, "nftables"), *item;
	size_t i;
	json_array_foreach(items, i, item) {
		const char *map = name_in(item, "map");
		next_id = MAX(next_id, id_of(name_in(item, "chain")));
		if (map && g_str_equal(map, "from"))
			take_elements(items, json_object_get(item, "map"));
	}
	json_decref(root);
}

/* Nothing is left of it. */
static const char reject_probe[] =
	"add table bridge lodge_probe\n"
	"add chain bridge lodge_probe c { type filter hook prerouting priority 0; }\n"
	"add rule bridge lodge_probe c ether type 0x0800 reject\n"
	"delete table bridge lodge_probe\n";

static gboolean prepare(GError **error)
{
	if (ports)
		return TRUE;
	g_autofree char *table = filter_table_script();
	if (!nft_run(table, error))
		return FALSE;
	ports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	rejects = nft_run(reject_probe, NULL);
	look();
	return TRUE;
}

/* ---- changing it ---- */

static gboolean apply(const FilterBinding *binding, const FilterScript *script, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const GPtrArray *old = g_hash_table_lookup(ports, binding->port);
	if (old)
		filter_remove_script(text, binding->port, old);
	g_string_append(text, script->text->str);
	if (!nft_run(text->str, error)) {
		if (strstr(text->str, "ct count"))
			g_prefix_error(error, "connlimit-above needs a kernel that tracks connections on "
				       "bridges (modprobe nf_conntrack_bridge): ");
		g_prefix_error(error, "network filter \"%s\" on %s: ", binding->filter, binding->port);
		return FALSE;
	}
	g_hash_table_replace(ports, g_strdup(binding->port), g_ptr_array_ref(script->chains));
	return TRUE;
}

gboolean filter_host_apply(const FilterBinding *binding, const GPtrArray *addresses, FilterFind find,
			   gpointer data, gboolean *learns, GError **error)
{
	g_mutex_lock(&lock);
	gboolean ok = prepare(error);
	FilterRequest request = { .id = ++next_id, .binding = binding, .addresses = addresses,
				  .find = find, .data = data, .rejects = rejects };
	g_autoptr(FilterScript) script = ok ? filter_compile(&request, error) : NULL;
	ok = script && apply(binding, script, error);
	g_mutex_unlock(&lock);
	if (ok)
		*learns = script->learns;
	return ok;
}

static gboolean remove_port(const char *port, GError **error)
{
	const GPtrArray *old = ports ? g_hash_table_lookup(ports, port) : NULL;
	if (!old)
		return TRUE;
	g_autoptr(GString) text = g_string_new(NULL);
	filter_remove_script(text, port, old);
	if (!nft_run(text->str, error))
		return FALSE;
	g_hash_table_remove(ports, port);
	return TRUE;
}

gboolean filter_host_remove(const char *port, GError **error)
{
	g_mutex_lock(&lock);
	gboolean ok = remove_port(port, error);
	g_mutex_unlock(&lock);
	return ok;
}

void filter_host_sweep(GHashTable *keep)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *table = nft_list("table bridge " FILTER_TABLE, NULL);
	if (!table) /* nothing was ever filtered */
		return;
	g_mutex_lock(&lock);
	g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	gpointer name;
	if (prepare(&error)) {
		g_hash_table_iter_init(&iter, ports);
		while (g_hash_table_iter_next(&iter, &name, NULL))
			if (!g_hash_table_contains(keep, name))
				g_ptr_array_add(gone, g_strdup(name));
	}
	for (guint i = 0; i < gone->len && !error; i++)
		remove_port(gone->pdata[i], &error);
	g_mutex_unlock(&lock);
	if (error)
		log_warning(NULL, "old rules of filters are left: %s", error->message);
}

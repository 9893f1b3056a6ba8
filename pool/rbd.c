/* Pools of type rbd: images in a pool of a Ceph cluster, which QEMU reaches itself. By Ceph's tool rbd, which
 * answers in JSON. See pool.h. */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "pool/device.h"
#include "pool/network.h"
#include "pool/tool.h"

static gboolean check(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	return pool_tools_are_there(error, "rbd", NULL);
}

static char *monitors(const PoolSource *source)
{
	GString *text = g_string_new(NULL);
	SHAPE_EACH (PoolHost, host, source->hosts) {
		g_string_append_printf(text, "%s%s", text->len ? "," : "", host->name);
		if (host->port.set)
			g_string_append_printf(text, ":%" G_GUINT64_FORMAT, host->port.v);
	}
	return g_string_free(text, FALSE);
}

/* The key as Ceph's tools read it: base64, which is what libvirt's secrets hold decoded. */
static GBytes *key_text(const PoolUse *use, GError **error)
{
	g_autoptr(GBytes) key = pool_secret(use, "ceph", error);
	if (!key)
		return NULL;
	char *text = g_base64_encode(g_bytes_get_data(key, NULL), g_bytes_get_size(key));
	return g_bytes_new_with_free_func(text, strlen(text), g_free, text);
}

/* rbd with those words; the key travels as an open file. */
static gboolean rbd(const PoolUse *use, const char *const *words, char **out, GError **error)
{
	const PoolSource *source = use->pool->source;
	g_autofree char *about = pool_about(use->pool), *hosts = monitors(source);
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GBytes) key = NULL;
	const char *first[] = { "rbd", "-m", hosts, "-p", source->name };
	for (guint i = 0; i < G_N_ELEMENTS(first); i++)
		g_ptr_array_add(argv, g_strdup(first[i]));
	if (source->auth) {
		if (!(key = key_text(use, error)))
			return FALSE;
		g_ptr_array_add(argv, g_strdup("--id"));
		g_ptr_array_add(argv, g_strdup(source->auth->username));
		g_ptr_array_add(argv, g_strdup("--keyfile"));
		g_ptr_array_add(argv, g_strdup(POOL_TOOL_SECRET));
	}
	SHAPE_EACH (PoolOption, option, use->pool->config_options)
		g_ptr_array_add(argv, g_strdup_printf("--%s=%s", option->name, option->value));
	for (; *words; words++)
		g_ptr_array_add(argv, g_strdup(*words));
	g_ptr_array_add(argv, NULL);
	PoolTool how = { .about = about, .argv = (const char *const *)argv->pdata, .secret = key };
	return pool_tool_do(&how, out, error);
}

static json_t *rbd_json(const PoolUse *use, const char *const *words, GError **error)
{
	g_autofree char *said = NULL;
	if (!rbd(use, words, &said, error))
		return NULL;
	json_t *json = json_loads(said + strcspn(said, "[{"), JSON_DISABLE_EOF_CHECK, NULL);
	if (!json)
		fail(error, LODGE_ERROR_SYSTEM, "pool \"%s\": rbd did not answer in JSON", use->pool->name);
	return json;
}

static char *path_of(const PoolUse *use, const char *name)
{
	return g_strdup_printf("%s/%s", use->pool->source->name, name);
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	const char *words[] = { "ls", "-l", "--format", "json", NULL };
	json_t *list = rbd_json(use, words, error), *item;
	size_t i;
	if (!list)
		return FALSE;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(json_object_get(item, "image"));
		if (!name || json_object_get(item, "snapshot"))
			continue;
		g_autofree char *path = path_of(use, name);
		g_ptr_array_add(volumes, pool_network_volume(
			name, path, (guint64)json_integer_value(json_object_get(item, "size"))));
	}
	json_decref(list);
	pool_sum(volumes, sizes);
	return TRUE;
}

static char *megabytes(guint64 bytes)
{
	return g_strdup_printf("%" G_GUINT64_FORMAT "B", bytes);
}

static PoolVolume *create(const PoolUse *use, const Volume *wanted, GError **error)
{
	guint64 bytes = opt_uint_or(wanted->capacity, 0);
	g_autofree char *size = megabytes(bytes), *path = path_of(use, wanted->name);
	const char *words[] = { "create", "--size", size, "--image", wanted->name, NULL };
	return rbd(use, words, NULL, error) ? pool_network_volume(wanted->name, path, bytes) : NULL;
}

static gboolean remove_volume(const PoolUse *use, const PoolVolume *volume, GError **error)
{
	const char *words[] = { "rm", "--image", volume->name, NULL };
	return rbd(use, words, NULL, error);
}

static gboolean resize(const PoolUse *use, const PoolVolume *volume, guint64 bytes, GError **error)
{
	g_autofree char *size = megabytes(bytes);
	const char *words[] = { "resize", "--allow-shrink", "--size", size, "--image", volume->name, NULL };
	return rbd(use, words, NULL, error);
}

static gboolean source(const PoolUse *use, const PoolVolume *volume, DiskSource *to,
		       G_GNUC_UNUSED GError **error)
{
	pool_network_source(use, "rbd", volume->path, "ceph", to);
	return TRUE;
}

const PoolKind pool_rbd = {
	.check = check, .scan = scan, .create = create, .remove = remove_volume, .resize = resize,
	.source = source,
};

/* Pools of type disk: a disk with a partition table, whose partitions are the volumes. By sfdisk, which
 * reports in JSON. See pool.h. */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "pool/device.h"
#include "pool/tool.h"

#define GRAIN (1024 * 1024) /* partitions begin and end at whole MiB */
#define NODE_MS 5000 /* until a new partition has its device */

/* libvirt's words, sfdisk's label, and of partitions the types in a DOS and in a GPT label. */
static const struct {
	const char *word, *label;
} labels[] = { { "dos", "dos" }, { "gpt", "gpt" }, { "sun", "sun" }, { "dvh", "sgi" } };

static const struct {
	const char *word, *dos, *gpt;
} types[] = {
	{ "linux", "83", "0FC63DAF-8483-4772-8E79-3D69D8477DE4" },
	{ "linux-swap", "82", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F" },
	{ "linux-lvm", "8e", "E6D6D379-F507-44C2-A23C-238F2A3DF928" },
	{ "linux-raid", "fd", "A19D880F-05FC-4D3B-A006-743F0F84911E" },
	{ "fat16", "6", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
	{ "fat32", "c", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
	{ "extended", "5", NULL },
};

static gboolean check(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	return pool_tools_are_there(error, "sfdisk", "blkid", NULL);
}

/* ---- the label ---- */

static gboolean build(const PoolUse *use, guint flags, GError **error)
{
	const Pool *pool = use->pool;
	const char *device = pool_device(pool), *format = pool->source->format, *label = NULL;
	g_autofree char *about = pool_about(pool);
	for (guint i = 0; i < G_N_ELEMENTS(labels); i++)
		if (g_str_equal(labels[i].word, g_str_equal(format, "unknown") ? "dos" : format))
			label = labels[i].label;
	if (!label)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s: sfdisk makes no label of type %s",
			    about, format);
	if (!pool_device_may_lose(pool, device, flags, error))
		return FALSE;
	g_autofree char *input = g_strdup_printf("label: %s\n", label);
	const char *argv[] = { "sfdisk", "--quiet", "--wipe", "always", "--", device, NULL };
	PoolTool how = { .about = about, .argv = argv, .input = input };
	return pool_tool_do(&how, NULL, error);
}

/* The table as sfdisk tells it: a new reference; *table is borrowed from it. */
static json_t *read_table(const Pool *pool, json_t **table, GError **error)
{
	g_autofree char *about = pool_about(pool);
	json_t *json = pool_tool_json(about, error, "sfdisk", "--json", "--", pool_device(pool), NULL);
	*table = json_object_get(json, "partitiontable");
	if (json && !*table) {
		fail(error, LODGE_ERROR_INVALID, "%s: %s has no partition table: build the pool", about,
		     pool_device(pool));
		g_clear_pointer(&json, json_decref);
	}
	return json;
}

static gboolean start(const PoolUse *use, GError **error)
{
	json_t *table, *json;
	const char *device = pool_device(use->pool), *format = use->pool->source->format;
	if (!g_file_test(device, G_FILE_TEST_EXISTS))
		return fail_with(error, LODGE_ERROR_NOT_FOUND, LODGE_DETAIL_NO_DEVICE,
				 "pool \"%s\": there is no device %s", use->pool->name, device);
	json = read_table(use->pool, &table, error);
	if (!json)
		return FALSE;
	const char *label = json_string_value(json_object_get(table, "label"));
	gboolean fits = g_str_equal(format, "unknown");
	for (guint i = 0; label && i < G_N_ELEMENTS(labels); i++)
		fits |= g_str_equal(labels[i].word, format) && g_str_equal(labels[i].label, label);
	if (!fits)
		fail(error, LODGE_ERROR_INVALID, "pool \"%s\": the label of %s is %s, not %s",
		     use->pool->name, device, label ? label : "?", format);
	json_decref(json);
	return fits;
}

/* ---- scan ---- */

static const char *word_of_type(const char *type)
{
	for (guint i = 0; type && i < G_N_ELEMENTS(types); i++)
		if (!g_ascii_strcasecmp(types[i].dos, type) ||
		    (types[i].gpt && !g_ascii_strcasecmp(types[i].gpt, type)))
			return types[i].word;
	return "none";
}

static PoolVolume *volume_of(const Pool *pool, json_t *part, guint64 sector)
{
	const char *node = json_string_value(json_object_get(part, "node"));
	guint64 begin = (guint64)json_integer_value(json_object_get(part, "start")) * sector;
	guint64 bytes = (guint64)json_integer_value(json_object_get(part, "size")) * sector;
	if (!node)
		return NULL;
	g_autofree char *name = g_path_get_basename(node), *path = pool_device_name(pool_path(pool), name);
	PoolVolume *volume = pool_device_volume(name, path, bytes);
	volume->format = word_of_type(json_string_value(json_object_get(part, "type")));
	volume->more = shape_new(&volume_shape);
	volume_add_extent(volume->more, pool_device(pool), begin, begin + bytes);
	return volume;
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	json_t *table, *part, *json = read_table(use->pool, &table, error);
	size_t i;
	if (!json)
		return FALSE;
	json_int_t sector = json_integer_value(json_object_get(table, "sectorsize"));
	guint64 used = 0;
	json_array_foreach (json_object_get(table, "partitions"), i, part) {
		PoolVolume *volume = volume_of(use->pool, part, sector > 0 ? (guint64)sector : 512);
		if (!volume)
			continue;
		used += g_strcmp0(volume->format, "extended") ? volume->capacity : 0;
		g_ptr_array_add(volumes, volume);
	}
	json_decref(json);
	sizes->capacity = pool_device_size(pool_device(use->pool));
	sizes->allocation = MIN(used, sizes->capacity);
	sizes->available = sizes->capacity - sizes->allocation;
	return TRUE;
}

/* ---- partitions ---- */

static GPtrArray *volumes_now(const PoolUse *use, GError **error)
{
	GPtrArray *volumes = g_ptr_array_new_with_free_func((GDestroyNotify)pool_volume_unref);
	PoolSizes sizes = { 0 };
	if (scan(use, volumes, &sizes, error)) {
		pool_state_set_sizes(use->state, &sizes);
		return volumes;
	}
	g_ptr_array_unref(volumes);
	return NULL;
}

static gboolean is_among(const GPtrArray *volumes, const char *name)
{
	for (guint i = 0; i < volumes->len; i++)
		if (g_str_equal(((PoolVolume *)volumes->pdata[i])->name, name))
			return TRUE;
	return FALSE;
}

/* sfdisk takes the lowest number that is free. */
static char *next_name(const Pool *pool, const GPtrArray *volumes)
{
	g_autofree char *disk = g_path_get_basename(pool_device(pool));
	const PoolDevice *device = pool->source->devices->pdata[0];
	gboolean p = device->part_separator ? device->part_separator == TRI_YES :
					      g_ascii_isdigit(disk[strlen(disk) - 1]);
	for (guint i = 1;; i++) {
		char *name = g_strdup_printf("%s%s%u", disk, p ? "p" : "", i);
		if (!is_among(volumes, name))
			return name;
		g_free(name);
	}
}

static const char *type_for(const Pool *pool, const Volume *wanted)
{
	const char *word = wanted->target && wanted->target->format ? wanted->target->format : "linux";
	gboolean gpt = g_str_equal(pool->source->format, "gpt");
	for (guint i = 0; i < G_N_ELEMENTS(types); i++)
		if (g_str_equal(types[i].word, word))
			return gpt ? types[i].gpt : types[i].dos;
	return gpt ? types[0].gpt : types[0].dos;
}

static gboolean append(const Pool *pool, const Volume *wanted, GError **error)
{
	g_autofree char *about = pool_about(pool);
	guint64 bytes = (opt_uint_or(wanted->capacity, 0) + GRAIN - 1) / GRAIN;
	const char *type = type_for(pool, wanted);
	g_autofree char *input = g_strdup_printf("size=%" G_GUINT64_FORMAT "MiB, type=%s\n", bytes,
						 type ? type : "83");
	const char *argv[] = { "sfdisk", "--quiet", "--append", "--wipe-partitions", "always", "--",
			       pool_device(pool), NULL };
	PoolTool how = { .about = about, .argv = argv, .input = input };
	if (!bytes)
		return fail(error, LODGE_ERROR_INVALID, "%s: a partition needs a capacity", about);
	return pool_tool_do(&how, NULL, error);
}

static PoolVolume *create(const PoolUse *use, const Volume *wanted, GError **error)
{
	g_autoptr(GPtrArray) before = volumes_now(use, error);
	g_autofree char *name = before ? next_name(use->pool, before) : NULL;
	if (!before)
		return NULL;
	if (!g_str_equal(name, wanted->name)) {
		fail(error, LODGE_ERROR_INVALID, "invalid partition name '%s', expected '%s'", wanted->name,
		     name);
		return NULL;
	}
	if (!append(use->pool, wanted, error))
		return NULL;
	g_autoptr(GPtrArray) after = volumes_now(use, error);
	for (guint i = 0; after && i < after->len; i++) {
		PoolVolume *volume = after->pdata[i];
		if (!g_str_equal(volume->name, name))
			continue;
		for (guint ms = 0; ms < NODE_MS && !g_file_test(volume->path, G_FILE_TEST_EXISTS); ms += 50)
			g_usleep(50000);
		return pool_volume_ref(volume);
	}
	if (after)
		fail(error, LODGE_ERROR_SYSTEM, "the partition '%s' was made and is not there", name);
	return NULL;
}

static gboolean remove_volume(const PoolUse *use, const PoolVolume *volume, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	const char *end = volume->name + strlen(volume->name);
	while (end > volume->name && g_ascii_isdigit(end[-1]))
		end--;
	return pool_tool(about, NULL, error, "sfdisk", "--quiet", "--delete", "--", pool_device(use->pool),
			 end, NULL);
}

const PoolKind pool_disk = {
	.check = check, .build = build, .start = start, .scan = scan, .create = create,
	.remove = remove_volume,
};

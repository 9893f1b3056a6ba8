/* Pools of type logical: volume groups of LVM, whose logical volumes are the volumes. By LVM's tools, which
 * report in JSON. See pool.h. */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "pool/device.h"
#include "pool/tool.h"

static const char *group_of(const PoolUse *use)
{
	return use->pool->source->name;
}

static gboolean check(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	if (!pool_tools_are_there(error, "vgs", "lvs", NULL))
		return FALSE;
	if (g_file_test("/dev/mapper/control", G_FILE_TEST_EXISTS) ||
	    g_file_test("/sys/class/misc/device-mapper", G_FILE_TEST_EXISTS))
		return TRUE;
	return fail(error, LODGE_ERROR_UNSUPPORTED,
		    "the kernel of this host has no device mapper: load its module (modprobe dm_mod)");
}

/* The rows of a report: {"report": [{"vg": [{...}]}]}; those of --segments are "seg". Borrowed. */
static json_t *report(json_t *json, const char *what)
{
	return json_object_get(json_array_get(json_object_get(json, "report"), 0), what);
}

static const char *text(json_t *row, const char *name)
{
	const char *value = json_string_value(json_object_get(row, name));
	return value ? value : "";
}

static guint64 number(json_t *row, const char *name)
{
	return g_ascii_strtoull(text(row, name), NULL, 10);
}

/* ---- scan ---- */

static gboolean group_sizes(const PoolUse *use, PoolSizes *sizes, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	json_t *json = pool_tool_json(about, error, "vgs", "--reportformat", "json", "--units", "b",
				      "--nosuffix", "-o", "vg_size,vg_free", "--", group_of(use), NULL);
	json_t *row = json_array_get(report(json, "vg"), 0);
	gboolean ok = row != NULL;
	if (ok) {
		sizes->capacity = number(row, "vg_size");
		sizes->available = number(row, "vg_free");
		sizes->allocation = sizes->capacity - sizes->available;
	} else if (json) {
		fail(error, LODGE_ERROR_NOT_FOUND, "%s: there is no volume group \"%s\"", about,
		     group_of(use));
	}
	json_decref(json);
	return ok;
}

/* Where one segment lies: "/dev/sda1(0)" counted in extents. */
static void add_extent(Volume *more, json_t *row)
{
	const char *device = text(row, "devices"), *open = strrchr(device, '(');
	guint64 extent = number(row, "vg_extent_size"), size = number(row, "seg_size");
	if (!open || !extent || !size)
		return;
	g_autofree char *path = g_strndup(device, (gsize)(open - device));
	guint64 start = g_ascii_strtoull(open + 1, NULL, 10) * extent;
	volume_add_extent(more, path, start, start + size);
}

static PoolVolume *volume_of(const PoolUse *use, json_t *row)
{
	const char *name = text(row, "lv_name"), *origin = text(row, "origin");
	g_autofree char *path = g_build_filename(pool_path(use->pool), name, NULL);
	PoolVolume *volume = pool_device_volume(name, path, number(row, "lv_size"));
	volume->key = *text(row, "lv_uuid") ? g_strdup(text(row, "lv_uuid")) : NULL;
	volume->backing = *origin ? g_build_filename(pool_path(use->pool), origin, NULL) : NULL;
	volume->more = shape_new(&volume_shape);
	return volume;
}

static gboolean counts(json_t *row)
{
	const char *attributes = text(row, "lv_attr");
	return *text(row, "lv_name") && *text(row, "lv_name") != '[' && !strchr("tVe", *attributes);
}

static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	PoolVolume *last = NULL;
	size_t i;
	json_t *row, *json;
	if (!group_sizes(use, sizes, error))
		return FALSE;
	json = pool_tool_json(about, error, "lvs", "--reportformat", "json", "--units", "b", "--nosuffix",
			      "--segments", "-o",
			      "lv_name,origin,lv_uuid,devices,seg_size,vg_extent_size,lv_size,lv_attr",
			      "--", group_of(use), NULL);
	json_array_foreach (report(json, "seg"), i, row) {
		if (!counts(row))
			continue;
		if (!last || !g_str_equal(last->name, text(row, "lv_name")))
			g_ptr_array_add(volumes, last = volume_of(use, row));
		add_extent(last->more, row);
	}
	json_decref(json);
	return json != NULL;
}

/* ---- the group ---- */

static gboolean build(const PoolUse *use, guint flags, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const PoolSource *source = use->pool->source;
	if (!shape_len(source->devices))
		return fail(error, LODGE_ERROR_INVALID, "%s: source/device must say of what to build it",
			    about);
	SHAPE_EACH (PoolDevice, device, source->devices)
		if (!pool_device_may_lose(use->pool, device->path, flags, error))
			return FALSE;
	g_ptr_array_add(argv, (gpointer) "vgcreate");
	g_ptr_array_add(argv, (gpointer) "--yes");
	g_ptr_array_add(argv, (gpointer) "--");
	g_ptr_array_add(argv, source->name);
	SHAPE_EACH (PoolDevice, device, source->devices) {
		if (!pool_tool(about, NULL, error, "pvcreate", "--yes", "-ff", "--", device->path, NULL))
			return FALSE;
		g_ptr_array_add(argv, device->path);
	}
	g_ptr_array_add(argv, NULL);
	return pool_tool_run(about, (const char *const *)argv->pdata, POOL_TOOL_MS, NULL, error);
}

static gboolean start(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	return pool_tool(about, NULL, error, "vgchange", "-aly", "--", group_of(use), NULL);
}

static gboolean stop(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	return pool_tool(about, NULL, error, "vgchange", "-aln", "--", group_of(use), NULL);
}

static gboolean erase(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	if (!pool_tool(about, NULL, error, "vgremove", "-f", "--", group_of(use), NULL))
		return FALSE;
	SHAPE_EACH (PoolDevice, device, use->pool->source->devices)
		if (!pool_tool(about, NULL, error, "pvremove", "--", device->path, NULL))
			return FALSE;
	return TRUE;
}

static gboolean is_active(const PoolUse *use)
{
	return g_file_test(pool_path(use->pool), G_FILE_TEST_IS_DIR);
}

static GPtrArray *find(G_GNUC_UNUSED const PoolSource *ask, GError **error)
{
	json_t *json = pool_tool_json("volume groups", error, "pvs", "--reportformat", "json", "-o",
				      "pv_name,vg_name", NULL), *row;
	size_t i;
	if (!json)
		return NULL;
	GPtrArray *found = g_ptr_array_new();
	json_array_foreach (report(json, "pv"), i, row) {
		PoolSource *source = NULL;
		if (!*text(row, "vg_name"))
			continue;
		for (guint k = 0; k < found->len && !source; k++)
			if (g_str_equal(((PoolSource *)found->pdata[k])->name, text(row, "vg_name")))
				source = found->pdata[k];
		if (!source) {
			g_ptr_array_add(found, source = shape_new(&pool_source_shape));
			source->name = g_strdup(text(row, "vg_name"));
			source->format = g_strdup("lvm2");
		}
		PoolDevice *device = shape_new(&pool_device_shape);
		device->path = g_strdup(text(row, "pv_name"));
		shape_append(&source->devices, &pool_device_shape, device);
	}
	json_decref(json);
	return found;
}

/* ---- volumes ---- */

static char *full_name(const PoolUse *use, const char *name)
{
	return g_strdup_printf("%s/%s", group_of(use), name);
}

static PoolVolume *find_one(const PoolUse *use, const char *name, GError **error)
{
	g_autoptr(GPtrArray) volumes =
		g_ptr_array_new_with_free_func((GDestroyNotify)pool_volume_unref);
	PoolSizes sizes;
	if (!scan(use, volumes, &sizes, error))
		return NULL;
	pool_state_set_sizes(use->state, &sizes);
	for (guint i = 0; i < volumes->len; i++)
		if (g_str_equal(((PoolVolume *)volumes->pdata[i])->name, name))
			return pool_volume_ref(volumes->pdata[i]);
	fail(error, LODGE_ERROR_SYSTEM, "the volume \"%s\" was made and is not there", name);
	return NULL;
}

static PoolVolume *create(const PoolUse *use, const Volume *wanted, GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT "b", opt_uint_or(wanted->capacity, 0));
	const char *base = wanted->backing ? wanted->backing->path : NULL;
	if (wanted->target && wanted->target->encryption) {
		fail(error, LODGE_ERROR_UNSUPPORTED, "%s: encrypted logical volumes are not made", about);
		return NULL;
	}
	gboolean ok = base ? pool_tool(about, NULL, error, "lvcreate", "--yes", "-s", "--size", size,
				       "--name", wanted->name, "--", base, NULL) :
			     pool_tool(about, NULL, error, "lvcreate", "--yes", "-Wn", "--size", size,
				       "--name", wanted->name, "--", group_of(use), NULL);
	return ok ? find_one(use, wanted->name, error) : NULL;
}

static gboolean remove_volume(const PoolUse *use, const PoolVolume *volume, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *name = full_name(use, volume->name);
	return pool_tool(about, NULL, error, "lvremove", "-f", "--", name, NULL);
}

static gboolean resize(const PoolUse *use, const PoolVolume *volume, guint64 bytes, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *name = full_name(use, volume->name);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT "b", bytes);
	return pool_tool(about, NULL, error, "lvresize", "-f", "--size", size, "--", name, NULL);
}

const PoolKind pool_logical = {
	.check = check, .find = find, .build = build, .start = start, .stop = stop, .erase = erase,
	.is_active = is_active, .scan = scan, .create = create, .remove = remove_volume, .resize = resize,
};

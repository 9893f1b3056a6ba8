/* Mediated devices: made by the driver of their parent, which is told a type and a uuid. Those that are
 * defined are files of mdevctl's format, DIR/PARENT/UUID, so that its rules for udev and its command see
 * the same ones. Sources: the kernel's Documentation/driver-api/vfio-mediated-device.rst; mdevctl(8).
 * Neighbours: vhba.c makes the other kind. */
#include "nodedev/internal.h"
#include "base/error.h"
#include "host/file.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEFINITION (256u << 10)
#define MDEV_BUS "/sys/bus/mdev/devices"

/* ---- definitions ---- */

static char *definition_path(const NodeTree *tree, const char *parent_addr, const char *uuid)
{
	return g_strconcat(tree->root, NODE_MDEVS, "/", parent_addr, "/", uuid, NULL);
}

static json_t *definition_read(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	g_autofree char *path = definition_path(tree, dev->parent_addr, dev->uuid);
	json_error_t where;
	gsize n = 0;
	g_autofree char *text = file_read(path, MAX_DEFINITION, &n, error);
	if (!text)
		return NULL;
	json_t *json = json_loadb(text, n, 0, &where);
	if (json_is_object(json) && json_is_string(json_object_get(json, "mdev_type")))
		return json;
	json_decref(json);
	fail(error, LODGE_ERROR_INVALID, "%s is no definition of a mediated device%s%s", path, json ? "" :
	     ": ",
	     json ? "" : where.text);
	return NULL;
}

static gboolean definition_write(const NodeTree *tree, const char *parent_addr, const char *uuid,
				 json_t *json, GError **error)
{
	g_autofree char *path = definition_path(tree, parent_addr, uuid);
	g_autofree char *folder = g_path_get_dirname(path);
	char *text = json_dumps(json, JSON_INDENT(2));
	gboolean ok = g_mkdir_with_parents(folder, 0755) == 0 || fail_errno(error, errno, "%s", folder);
	ok = ok && file_write(path, text, strlen(text), 0644, FILE_DURABLE, error);
	free(text);
	return ok;
}

static json_t *definition_of(const NodeCapability *mdev)
{
	json_t *attrs = json_array();
	SHAPE_EACH (NodeAttr, attr, mdev->attrs)
		json_array_append_new(attrs, json_pack("{s:s}", attr->name, attr->value));
	return json_pack("{s:s s:s s:o}", "mdev_type", mdev->mdev_type, "start", "manual", "attrs", attrs);
}

static gboolean is_auto(json_t *json)
{
	return !g_strcmp0(json_string_value(json_object_get(json, "start")), "auto");
}

gboolean nodedev_mdev_fill(const NodeTree *tree, const NodeDev *dev, NodeDevice *device, GError **error)
{
	NodeCapability *cap = device->capability;
	json_t *json = dev->persistent ? definition_read(tree, dev, dev->active ? NULL : error) : NULL;
	size_t i;
	json_t *item, *value;
	const char *name;
	if (!json)
		return dev->active;
	if (!dev->active) {
		cap->mdev_type = g_strdup(json_string_value(json_object_get(json, "mdev_type")));
		cap->uuid = g_strdup(dev->uuid);
		cap->parent_addr = g_strdup(dev->parent_addr);
		cap->mdev_group = OPT_UINT(0);
	}
	json_array_foreach (json_object_get(json, "attrs"), i, item)
		json_object_foreach (item, name, value)
			node_append_attr(cap, name, json_is_string(value) ? json_string_value(value) : "");
	json_decref(json);
	return TRUE;
}

/* ---- the list ---- */

typedef struct Known {
	GHashTable *mdevs;  /* active ones by uuid: NodeDev *, not owned */
	GHashTable *places; /* all by their name in sysfs */
} Known;

static NodeDev *defined_new(const Known *known, const char *uuid, const char *parent_addr)
{
	g_autofree char *name = nodedev_mdev_name(uuid, parent_addr);
	const NodeDev *parent = g_hash_table_lookup(known->places, parent_addr);
	NodeDev *dev = node_dev_new(NODE_MDEV, name, parent ? parent->path : NULL);
	dev->uuid = g_strdup(uuid);
	dev->parent_addr = g_strdup(parent_addr);
	dev->active = FALSE;
	if (!parent)
		dev->parent = g_strdup(NODE_COMPUTER);
	return dev;
}

static void add_defined(const NodeTree *tree, const Known *known, const char *uuid, const char *parent_addr,
			GPtrArray *devices)
{
	NodeDev *dev = g_hash_table_lookup(known->mdevs, uuid);
	if (!dev || g_strcmp0(dev->parent_addr, parent_addr)) {
		dev = defined_new(known, uuid, parent_addr);
		g_ptr_array_add(devices, dev);
	}
	json_t *json = definition_read(tree, dev, NULL);
	dev->persistent = TRUE;
	dev->autostart = json && is_auto(json);
	json_decref(json);
}

void nodedev_mdevs_add(const NodeTree *tree, GPtrArray *devices)
{
	g_autoptr(GPtrArray) parents = sysfs_names(tree, NODE_MDEVS, NULL);
	if (!parents->len)
		return;
	Known known = { g_hash_table_new(g_str_hash, g_str_equal), g_hash_table_new(g_str_hash,
										    g_str_equal) };
	for (guint i = 0; i < devices->len; i++) {
		NodeDev *dev = devices->pdata[i];
		if (dev->uuid)
			g_hash_table_insert(known.mdevs, dev->uuid, dev);
		if (dev->path)
			g_hash_table_insert(known.places, (gpointer)sysname(dev->path), dev);
	}
	for (guint i = 0; i < parents->len; i++) {
		g_autoptr(GPtrArray) uuids = sysfs_names(tree, NODE_MDEVS, parents->pdata[i]);
		for (guint k = 0; k < uuids->len; k++)
			if (g_uuid_string_is_valid(uuids->pdata[k]))
				add_defined(tree, &known, uuids->pdata[k], parents->pdata[i], devices);
	}
	g_hash_table_unref(known.mdevs);
	g_hash_table_unref(known.places);
}

/* ---- making them ---- */

/* Names become parts of paths that the daemon writes to: nothing may lead elsewhere. */
static gboolean is_name(const char *text)
{
	return text && *text && *text != '.' && !strchr(text, '/');
}

static gboolean check(const NodeCapability *mdev, GError **error)
{
	if (!is_name(mdev->mdev_type))
		return fail(error, LODGE_ERROR_INVALID, "capability/type/@id, line %d: \"%s\" names no type "
			    "of mediated devices", mdev->head.line, mdev->mdev_type ? mdev->mdev_type : "");
	SHAPE_EACH (NodeAttr, attr, mdev->attrs)
		if (!is_name(attr->name))
			return fail(error, LODGE_ERROR_INVALID,
				    "capability/attr/@name, line %d: \"%s\" is no attribute's name",
				    attr->head.line, attr->name);
	return TRUE;
}

static const NodeDev *parent_of(const NodeDevice *device, const GPtrArray *devices, GError **error)
{
	for (guint i = 0; device->parent && i < devices->len; i++) {
		const NodeDev *dev = devices->pdata[i];
		if (!g_str_equal(dev->name, device->parent))
			continue;
		if (dev->caps & NODE_BIT(NODE_MDEV_TYPES))
			return dev;
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "node device '%s' offers no mediated devices: nodedev-list --cap mdev_types shows "
		     "which do",
		     dev->name);
		return NULL;
	}
	fail(error, LODGE_ERROR_INVALID, "unable to find parent device '%s'", device->parent ?
	     device->parent : "");
	return NULL;
}

/* Makes @uuid of the type and with the attributes of @mdev. */
static gboolean make(const NodeTree *tree, const char *parent, const char *uuid, const NodeCapability *mdev,
		     GError **error)
{
	g_autofree char *type = g_strconcat(parent, "/mdev_supported_types/", mdev->mdev_type, NULL);
	g_autofree char *own = g_strconcat(MDEV_BUS "/", uuid, NULL);
	if (!sysfs_exists(tree, type, NULL))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s offers no mediated devices of type \"%s\"",
			    sysname(parent), mdev->mdev_type);
	if (opt_uint_or(sysfs_uint(tree, type, "available_instances", 10), 1) == 0)
		return fail(error, LODGE_ERROR_IN_USE, "%s has no more room for a mediated device of type "
			    "\"%s\"",
			    sysname(parent), mdev->mdev_type);
	if (!sysfs_write(tree, type, "create", uuid, error))
		return FALSE;
	SHAPE_EACH (NodeAttr, attr, mdev->attrs)
		if (!sysfs_write(tree, own, attr->name, attr->value, error)) {
			sysfs_write(tree, own, "remove", "1", NULL);
			return FALSE;
		}
	return TRUE;
}

static char *uuid_for(const NodeCapability *mdev)
{
	return mdev->uuid ? g_strdup(mdev->uuid) : g_uuid_string_random();
}

char *nodedev_mdev_create(const NodeTree *tree, const NodeDevice *device, const GPtrArray *devices,
			  GError **error)
{
	const NodeCapability *mdev = device->capability;
	const NodeDev *parent = check(mdev, error) ? parent_of(device, devices, error) : NULL;
	g_autofree char *uuid = uuid_for(mdev);
	if (!parent || !make(tree, parent->path, uuid, mdev, error))
		return NULL;
	return nodedev_mdev_name(uuid, sysname(parent->path));
}

char *nodedev_define(const NodeTree *tree, NodeDevice *device, const GPtrArray *devices, GError **error)
{
	const NodeCapability *mdev = device->capability;
	if (mdev->type != NODE_MDEV) {
		fail(error, LODGE_ERROR_UNSUPPORTED, "only mediated devices can be defined, not \"%s\"",
		     enum_name(&node_caps, (int)mdev->type));
		return NULL;
	}
	const NodeDev *parent = check(mdev, error) ? parent_of(device, devices, error) : NULL;
	if (!parent)
		return NULL;
	g_autofree char *uuid = uuid_for(mdev);
	json_t *json = definition_of(mdev);
	gboolean ok = definition_write(tree, sysname(parent->path), uuid, json, error);
	json_decref(json);
	return ok ? nodedev_mdev_name(uuid, sysname(parent->path)) : NULL;
}

/* ---- those that are defined ---- */

static gboolean is_defined(const NodeDev *dev, GError **error)
{
	if (dev->kind != NODE_MDEV)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "Unsupported device type");
	return dev->persistent || fail(error, LODGE_ERROR_STATE, "node device '%s' is not defined",
				       dev->name);
}

gboolean nodedev_undefine(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	if (!is_defined(dev, error))
		return FALSE;
	g_autofree char *path = definition_path(tree, dev->parent_addr, dev->uuid);
	return file_remove(path, error);
}

gboolean nodedev_start(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	if (dev->active)
		return fail(error, LODGE_ERROR_STATE, "Device is already active");
	if (!is_defined(dev, error))
		return FALSE;
	if (!dev->path)
		return fail(error, LODGE_ERROR_STATE, "node device '%s': its parent %s is not there",
			    dev->name,
			    dev->parent_addr);
	g_autoptr(NodeDevice) device = nodedev_read(tree, dev, error);
	return device && check(device->capability, error) &&
	       make(tree, dev->path, dev->uuid, device->capability, error);
}

gboolean nodedev_autostart(const NodeTree *tree, const NodeDev *dev, gboolean on, GError **error)
{
	if (!is_defined(dev, error))
		return FALSE;
	json_t *json = definition_read(tree, dev, error);
	if (!json)
		return FALSE;
	json_object_set_new(json, "start", json_string(on ? "auto" : "manual"));
	gboolean ok = definition_write(tree, dev->parent_addr, dev->uuid, json, error);
	json_decref(json);
	return ok;
}

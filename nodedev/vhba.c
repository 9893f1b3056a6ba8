/* Virtual Fibre Channel adapters (NPIV): a port with names of its own on an adapter that can have several.
 * Source: the kernel's Documentation/scsi/scsi_fc_transport.rst. Neighbours: mdev.c makes the other kind of
 * devices that do not exist by themselves. */
#include "nodedev/internal.h"
#include "base/error.h"

#include <string.h>

#define FC "/sys/class/fc_host/"
#define WAIT_MS 10000 /* the new port logs in to the fabric first */
#define STEP_MS 50
#define WWN_DIGITS 16

static char *wwn(const NodeTree *tree, const char *host, const char *name)
{
	g_autofree char *folder = g_strconcat(FC, host, NULL);
	g_autofree char *text = sysfs_text(tree, folder, name);
	return g_strdup(!text ? "" : g_str_has_prefix(text, "0x") ? text + 2 : text);
}

static gboolean has(const NodeTree *tree, const char *host, const char *name, const char *wanted)
{
	g_autofree char *is = wwn(tree, host, name);
	return !wanted || !g_ascii_strcasecmp(is, wanted);
}

static gboolean is_wwn(const char *text)
{
	return text && strlen(text) == WWN_DIGITS && strspn(text, "0123456789abcdefABCDEF") == WWN_DIGITS;
}

/* One of QEMU's: 5001a4a is its vendor's part. */
static char *wwn_random(void)
{
	return g_strdup_printf("5001a4a%x%08x", g_random_int() & 15, g_random_int());
}

static gboolean has_room(const NodeTree *tree, const char *host)
{
	g_autofree char *folder = g_strconcat(FC, host, NULL);
	return opt_uint_or(sysfs_uint(tree, folder, "npiv_vports_inuse", 10), 0) <
	       opt_uint_or(sysfs_uint(tree, folder, "max_npiv_vports", 10), 0);
}

static const NodeDev *parent_of(const NodeTree *tree, const NodeDevice *device, const GPtrArray *devices,
				GError **error)
{
	gboolean any = !device->parent;
	for (guint i = 0; i < devices->len; i++) {
		const NodeDev *dev = devices->pdata[i];
		if (!(dev->caps & NODE_BIT(NODE_VPORTS)) ||
		    (device->parent && !g_str_equal(dev->name, device->parent)))
			continue;
		const char *host = sysname(dev->path);
		if (has(tree, host, "node_name", device->parent_wwnn) &&
		    has(tree, host, "port_name", device->parent_wwpn) &&
		    has(tree, host, "fabric_name", device->parent_fabric_wwn) && (!any || has_room(tree,
												   host)))
			return dev;
	}
	fail(error, LODGE_ERROR_UNSUPPORTED, "%s%s: nodedev-list --cap vports shows adapters that can have "
	     "virtual ones", device->parent ? device->parent : "this host has no such adapter",
	     device->parent ? " cannot have virtual adapters" : "");
	return NULL;
}

/* The host with those names, once it is there; NULL: it does not come. */
static char *wait_host(const NodeTree *tree, const char *wwnn, const char *wwpn)
{
	for (int left = WAIT_MS; left > 0; left -= STEP_MS) {
		g_autoptr(GPtrArray) hosts = sysfs_names(tree, FC, NULL);
		for (guint i = 0; i < hosts->len; i++)
			if (has(tree, hosts->pdata[i], "port_name", wwpn) &&
			    has(tree, hosts->pdata[i], "node_name", wwnn))
				return g_strconcat("scsi_", hosts->pdata[i], NULL);
		g_usleep(STEP_MS * 1000);
	}
	return NULL;
}

char *nodedev_vhba_create(const NodeTree *tree, const NodeDevice *device, const GPtrArray *devices,
			  GError **error)
{
	const NodeSubCap *fc = NULL;
	SHAPE_EACH (NodeSubCap, sub, device->capability->caps)
		if (sub->type == SUB_FC_HOST)
			fc = sub;
	if (!fc) {
		fail(error, LODGE_ERROR_INVALID, "the document has no <capability type='fc_host'>");
		return NULL;
	}
	g_autofree char *wwnn = fc->wwnn ? g_strdup(fc->wwnn) : wwn_random();
	g_autofree char *wwpn = fc->wwpn ? g_strdup(fc->wwpn) : wwn_random();
	if (!is_wwn(wwnn) || !is_wwn(wwpn)) {
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is no world wide name: they have 16 hexadecimal "
		     "digits",
		     is_wwn(wwnn) ? wwpn : wwnn);
		return NULL;
	}
	const NodeDev *parent = parent_of(tree, device, devices, error);
	if (!parent)
		return NULL;
	g_autofree char *folder = g_strconcat(FC, sysname(parent->path), NULL);
	g_autofree char *pair = g_strconcat(wwpn, ":", wwnn, NULL);
	if (!sysfs_write(tree, folder, "vport_create", pair, error))
		return NULL;
	char *name = wait_host(tree, wwnn, wwpn);
	if (!name)
		fail(error, LODGE_ERROR_TIMEOUT, "the virtual adapter %s was made, but did not show up",
		     pair);
	return name;
}

/* The adapter that @path is a virtual one of: ".../host5/vport-5:0-0/host6"; the caller frees it. */
static char *real_host(const char *path)
{
	const char *vport = g_strrstr(path, "/vport-");
	g_autofree char *above = vport ? g_strndup(path, (gsize)(vport - path)) : NULL;
	return above ? g_path_get_basename(above) : NULL;
}

gboolean nodedev_vhba_destroy(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	g_autofree char *host = real_host(dev->path);
	if (!host || !(dev->caps & NODE_BIT(NODE_FC_HOST)))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "Device is not a virtual Fibre Channel adapter");
	g_autofree char *folder = g_strconcat(FC, host, NULL);
	g_autofree char *wwnn = wwn(tree, sysname(dev->path), "node_name");
	g_autofree char *wwpn = wwn(tree, sysname(dev->path), "port_name");
	g_autofree char *pair = g_strconcat(wwpn, ":", wwnn, NULL);
	return sysfs_write(tree, folder, "vport_delete", pair, error);
}

/* ---- either kind ---- */

char *nodedev_create(const NodeTree *tree, NodeDevice *device, const GPtrArray *devices, GError **error)
{
	NodeCap type = device->capability->type;
	if (type == NODE_MDEV)
		return nodedev_mdev_create(tree, device, devices, error);
	if (type == NODE_SCSI_HOST)
		return nodedev_vhba_create(tree, device, devices, error);
	fail(error, LODGE_ERROR_UNSUPPORTED, "Unsupported device type \"%s\": mediated devices and virtual "
	     "Fibre Channel adapters can be made", enum_name(&node_caps, (int)type));
	return NULL;
}

gboolean nodedev_destroy(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	if (dev->kind == NODE_SCSI_HOST)
		return nodedev_vhba_destroy(tree, dev, error);
	if (dev->kind != NODE_MDEV)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "Unsupported device type");
	if (!dev->active)
		return fail(error, LODGE_ERROR_STATE, "Device is not active");
	return sysfs_write(tree, dev->path, "remove", "1", error);
}

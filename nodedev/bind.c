/* PCI devices between the host's drivers and vfio-pci, by driver_override: only this one device changes, and
 * nothing else of its kind. What the kernel does is looked at afterwards, for a write that succeeded says
 * little. Source: the kernel's Documentation/driver-api/vfio.rst and ABI/testing/sysfs-bus-pci. */
#include "nodedev/internal.h"
#include "base/error.h"
#include "host/spawn.h"

#include <stdio.h>
#include <string.h>

#define VFIO "vfio-pci"
#define PCI "/sys/bus/pci"
#define WAIT_MS 3000 /* some drivers take their devices a moment later */
#define STEP_MS 20
#define MODPROBE_MS 30000

static gboolean is_pci(const NodeDev *dev, GError **error)
{
	return dev->kind == NODE_PCI ||
	       fail(error, LODGE_ERROR_INVALID, "device %s is not a PCI device", dev->name);
}

/* ---- what may not be taken from the host ---- */

/* btrfs has no device numbers of disks in mountinfo, and disks that are named nowhere but here. */
static gboolean is_btrfs(const NodeTree *tree, const char *name)
{
	g_autoptr(GPtrArray) systems = sysfs_names(tree, "/sys/fs/btrfs", NULL);
	for (guint i = 0; i < systems->len; i++) {
		g_autofree char *devices = g_strconcat("/sys/fs/btrfs/", systems->pdata[i], "/devices", NULL);
		if (sysfs_exists(tree, devices, name))
			return TRUE;
	}
	return FALSE;
}

/* Whether the block device @name, or one made of it, is mounted or swapped to. @mounts: what
 * /proc/self/mountinfo says; @swaps: /proc/swaps. */
static gboolean is_used(const NodeTree *tree, const char *name, const char *mounts, const char *swaps)
{
	g_autofree char *class = g_strconcat("/sys/class/block/", name, NULL);
	g_autofree char *number = sysfs_text(tree, class, "dev");
	g_autofree char *word = number ? g_strconcat(" ", number, " ", NULL) : NULL;
	g_autoptr(GPtrArray) holders = sysfs_names(tree, class, "holders");
	g_autofree char *swap = g_strconcat("/dev/", name, " ", NULL);
	return holders->len > 0 || (word && mounts && strstr(mounts, word)) ||
	       (swaps && strstr(swaps, swap)) || is_btrfs(tree, name);
}

static gboolean hangs_on(const NodeTree *tree, const char *name, const char *below)
{
	g_autofree char *link = g_strconcat("/sys/class/block/", name, NULL);
	g_autofree char *at = sysfs_resolve(tree, link);
	return at && g_str_has_prefix(at, below);
}

/* NVMe with several ways: the disk nvme0n1 hangs on nothing, and nvme0c1n1 is its way by a controller. */
static gboolean has_way_on(const NodeTree *tree, const GPtrArray *names, const char *name, const char *below)
{
	guint disk, space, controller, of, n;
	if (sscanf(name, "nvme%un%u", &disk, &space) != 2)
		return FALSE;
	for (guint i = 0; i < names->len; i++)
		if (sscanf(names->pdata[i], "nvme%uc%un%u", &of, &controller, &n) == 3 && of == disk &&
		    n == space && hangs_on(tree, names->pdata[i], below))
			return TRUE;
	return FALSE;
}

/* A disk that hangs on @path and that the host uses; NULL: none. The caller frees it. */
static char *disk_in_use(const NodeTree *tree, const char *path)
{
	g_autoptr(GPtrArray) names = sysfs_names(tree, "/sys/class/block", NULL);
	g_autofree char *file = g_strconcat(tree->root, "/proc/self/mountinfo", NULL);
	g_autofree char *below = g_strconcat(path, "/", NULL);
	g_autofree char *swap_file = g_strconcat(tree->root, "/proc/swaps", NULL);
	char *mounts = NULL, *swaps = NULL, *found = NULL;
	g_file_get_contents(file, &mounts, NULL, NULL);
	g_file_get_contents(swap_file, &swaps, NULL, NULL);
	for (guint i = 0; i < names->len && !found; i++) {
		const char *name = names->pdata[i];
		if ((hangs_on(tree, name, below) || has_way_on(tree, names, name, below)) &&
		    is_used(tree, name, mounts, swaps))
			found = g_strdup(name);
	}
	g_free(mounts);
	g_free(swaps);
	return found;
}

static gboolean may_detach(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	g_autoptr(GPtrArray) groups = sysfs_names(tree, "/sys/kernel/iommu_groups", NULL);
	if (!groups->len)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "device %s: VFIO device assignment is not possible on this host: the kernel "
			    "has no IOMMU groups; turn the IOMMU on in the machine's firmware, and boot "
			    "with intel_iommu=on or amd_iommu=on", dev->name);
	g_autofree char *group = sysfs_link(tree, dev->path, "iommu_group");
	if (!group)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "device %s is in no IOMMU group: nothing would keep it from writing to the "
			    "host's memory", dev->name);
	g_autofree char *disk = disk_in_use(tree, dev->path);
	return !disk || fail(error, LODGE_ERROR_IN_USE,
			     "device %s: the host uses its disk %s; stop what uses it first", dev->name,
			     disk);
}

/* ---- drivers ---- */

static gboolean driver_is_there(const NodeTree *tree, GError **error)
{
	static const char *const argv[] = { "modprobe", VFIO, NULL };
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	g_autofree char *said = NULL;
	int status = 0;
	if (sysfs_exists(tree, PCI "/drivers", VFIO))
		return TRUE;
	if (!*tree->root)
		spawn_run(&(Spawn){ .argv = argv, .env = env }, MODPROBE_MS, &said, &status, NULL);
	if (sysfs_exists(tree, PCI "/drivers", VFIO))
		return TRUE;
	return fail(error, LODGE_ERROR_UNSUPPORTED, "the kernel has no driver vfio-pci: modprobe "
		    "vfio-pci%s%s",
		    said && *said ? " says: " : " did not load it", said ? g_strstrip(said) : "");
}

static gboolean has_driver(const NodeTree *tree, const char *path, const char *driver)
{
	g_autofree char *now = sysfs_link(tree, path, "driver");
	return driver ? !g_strcmp0(now, driver) : now == NULL;
}

static gboolean wait_driver(const NodeTree *tree, const char *path, const char *driver)
{
	for (int left = WAIT_MS; left > 0; left -= STEP_MS) {
		if (has_driver(tree, path, driver))
			return TRUE;
		g_usleep(STEP_MS * 1000);
	}
	return has_driver(tree, path, driver);
}

/* The driver lets go of the device. @override: the only one that may have it from now on; "\n": any. */
static gboolean unbind(const NodeTree *tree, const NodeDev *dev, const char *override, GError **error)
{
	if (!sysfs_write(tree, dev->path, "driver_override", override, error))
		return FALSE;
	return has_driver(tree, dev->path, NULL) ||
	       (sysfs_write(tree, dev->path, "driver/unbind", sysname(dev->path), error) &&
		(wait_driver(tree, dev->path, NULL) ||
		 fail(error, LODGE_ERROR_SYSTEM, "device %s: its driver does not let go of it", dev->name)));
}

/* The same, and the kernel looks for another driver. */
static gboolean rebind(const NodeTree *tree, const NodeDev *dev, const char *override, GError **error)
{
	return unbind(tree, dev, override, error) &&
	       sysfs_write(tree, PCI, "drivers_probe", sysname(dev->path), error);
}

gboolean nodedev_detach(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	if (!is_pci(dev, error) || !may_detach(tree, dev, error) || !driver_is_there(tree, error))
		return FALSE;
	if (has_driver(tree, dev->path, VFIO)) /* stays with it, also after a hot-unplug of others */
		return sysfs_write(tree, dev->path, "driver_override", VFIO, error);
	if (rebind(tree, dev, VFIO, error) &&
	    (wait_driver(tree, dev->path, VFIO) ||
	     fail(error, LODGE_ERROR_SYSTEM, "device %s: vfio-pci did not take it; the kernel's log says why",
		  dev->name)))
		return TRUE;
	rebind(tree, dev, "\n", NULL); /* as it was */
	return FALSE;
}

gboolean nodedev_reattach(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	if (!is_pci(dev, error))
		return FALSE;
	if (!has_driver(tree, dev->path, VFIO) && !has_driver(tree, dev->path, NULL))
		return TRUE; /* the host has it */
	return rebind(tree, dev, "\n", error);
}

gboolean nodedev_give_back(const NodeTree *tree, const NodeDev *dev, const char *driver,
			   const char *override, GError **error)
{
	if (!has_driver(tree, dev->path, VFIO)) /* somebody did it */
		return TRUE;
	if (!g_strcmp0(driver, VFIO)) /* it was there before the guest */
		return sysfs_write(tree, dev->path, "driver_override", override ? override : "\n", error);
	if (!driver)
		return unbind(tree, dev, override ? override : "\n", error);
	if (!rebind(tree, dev, override ? override : "\n", error))
		return FALSE;
	for (int left = WAIT_MS; left > 0 && has_driver(tree, dev->path, NULL); left -= STEP_MS)
		g_usleep(STEP_MS * 1000);
	return TRUE;
}

gboolean nodedev_reset(const NodeTree *tree, const NodeDev *dev, GError **error)
{
	if (!is_pci(dev, error))
		return FALSE;
	if (!sysfs_exists(tree, dev->path, "reset"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "device %s: the kernel knows no way to reset it alone", dev->name);
	g_autofree char *disk = disk_in_use(tree, dev->path);
	if (disk)
		return fail(error, LODGE_ERROR_IN_USE,
			    "device %s: the host uses its disk %s; stop what uses it first", dev->name,
			    disk);
	return sysfs_write(tree, dev->path, "reset", "1", error);
}

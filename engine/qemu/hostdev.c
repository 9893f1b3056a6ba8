/* Devices of the host: USB, PCI, SCSI, mediated devices; and USB devices of a client's (redirection).
 * Neighbours: build.h; run.c detaches what is given away and finds /dev nodes. */
#include "engine/qemu/build.h"

#include <stdlib.h>
#include <string.h>

static gboolean place(Build *build, json_t *device, const DeviceInfo *info, GError **error)
{
	if (put_place(build, device, info, error))
		return add_device(build, device, "hostdev", error);
	json_decref(device);
	return FALSE;
}

static gboolean usb_host(Build *build, const Hostdev *hostdev, GError **error)
{
	const HostdevAddress *at = hostdev->usb;
	json_t *device = device_new("usb-host", &hostdev->info);
	if (at && at->bus.set && at->device.set) {
		g_autofree char *path = g_strdup_printf("/dev/bus/usb/%03u/%03u", (guint)at->bus.v,
							(guint)at->device.v);
		g_autofree char *file = add_fdset(build, path, O_RDWR, "hostdev usb");
		put(device, "hostdevice", file);
	} else if (hostdev->vendor.set && hostdev->product.set) {
		put_uint(device, "vendorid", hostdev->vendor);
		put_uint(device, "productid", hostdev->product);
	} else {
		json_decref(device);
		return invalid(build, error,
			       "hostdev usb: <source> names neither an address nor vendor and product");
	}
	if (hostdev->guest_reset) {
		put_bool(device, "guest-reset", !g_str_equal(hostdev->guest_reset, "off"));
		put_bool(device, "guest-resets-all", g_str_equal(hostdev->guest_reset, "on"));
	}
	return place(build, device, &hostdev->info, error);
}

static gboolean pci_host(Build *build, const Hostdev *hostdev, GError **error)
{
	const HostPci *at = hostdev->pci;
	if (!at)
		return invalid(build, error, "hostdev pci: <source> has no address");
	g_autofree char *host = g_strdup_printf("%04x:%02x:%02x.%x",
						(guint)opt_uint_or(at->domain, 0),
						(guint)opt_uint_or(at->bus, 0),
						(guint)opt_uint_or(at->slot, 0),
						(guint)opt_uint_or(at->function, 0));
	json_t *device = device_new("vfio-pci", &hostdev->info);
	put(device, "host", host);
	if (!g_strcmp0(hostdev->teaming_type, "transient"))
		put(device, "failover_pair_id", hostdev->teaming_persistent);
	return place(build, device, &hostdev->info, error);
}

static gboolean mdev_host(Build *build, const Hostdev *hostdev, GError **error)
{
	gboolean ramfb = !g_strcmp0(hostdev->ramfb, "on");
	if (!hostdev->mdev || !hostdev->mdev->uuid)
		return invalid(build, error, "hostdev mdev: <source> has no uuid");
	if (hostdev->model && !g_str_equal(hostdev->model, "vfio-pci"))
		return unsupported(build, error,
				   "hostdev mdev: model \"%s\" does not exist on this machine type; use "
				   "vfio-pci", hostdev->model);
	g_autofree char *path = g_strdup_printf("/sys/bus/mdev/devices/%s", hostdev->mdev->uuid);
	json_t *device = device_new(ramfb ? "vfio-pci-nohotplug" : "vfio-pci", &hostdev->info);
	put(device, "sysfsdev", path);
	put(device, "display", hostdev->display);
	if (ramfb)
		put_bool(device, "ramfb", TRUE);
	return place(build, device, &hostdev->info, error);
}

static gboolean scsi_host(Build *build, const Hostdev *hostdev, GError **error)
{
	const Address *at = hostdev->info.address;
	guint64 index = at ? opt_uint_or(at->controller, 0) : 0;
	const char *alias = controller_alias(build, CONTROLLER_SCSI, index);
	if (!hostdev->block)
		return unsupported(build, error,
				   "hostdev scsi: the host has no such device; only adapters of the "
				   "host are supported");
	if (!alias)
		return invalid(build, error, "hostdev scsi: there is no SCSI controller %"
			       G_GUINT64_FORMAT, index);
	g_autofree char *node = g_strdup_printf("libvirt-%s-backend", hostdev->info.alias);
	g_autofree char *bus = g_strdup_printf("%s.0", alias);
	g_autofree char *file = add_fdset(build, hostdev->block,
					  hostdev->readonly ? O_RDONLY : O_RDWR, "hostdev scsi");
	json_t *json = json_object();
	put(json, "driver", "host_device");
	put(json, "filename", file);
	put(json, "node-name", node);
	put_bool(json, "read-only", hostdev->readonly);
	add_json(build, "-blockdev", json);
	json_t *device = device_new("scsi-generic", &hostdev->info);
	put(device, "bus", bus);
	put_int(device, "channel", at ? (gint64)opt_uint_or(at->bus, 0) : 0);
	put_int(device, "scsi-id", at ? (gint64)opt_uint_or(at->target, 0) : 0);
	put_int(device, "lun", at ? (gint64)opt_uint_or(at->unit, 0) : 0);
	put(device, "drive", node);
	if (hostdev->shareable)
		put_bool(device, "share-rw", TRUE);
	return place(build, device, &hostdev->info, error);
}

static gboolean vhost_scsi(Build *build, const Hostdev *hostdev, GError **error)
{
	if (!hostdev->source_wwpn)
		return invalid(build, error, "hostdev scsi_host: <source> has no wwpn");
	QemuFd *fd = add_fd(build, QEMU_FD_FILE, "/dev/vhost-scsi", O_RDWR, "hostdev scsi_host");
	g_autofree char *number = g_strdup_printf("%d", fd->number);
	json_t *device = device_new(virtio_driver("vhost-scsi", hostdev->model), &hostdev->info);
	put(device, "wwpn", hostdev->source_wwpn);
	put(device, "vhostfd", number);
	return place(build, device, &hostdev->info, error);
}

typedef gboolean (*HostdevFn)(Build *, const Hostdev *, GError **);
static const HostdevFn kinds[] = {
	[HOSTDEV_USB] = usb_host,   [HOSTDEV_PCI] = pci_host,	     [HOSTDEV_MDEV] = mdev_host,
	[HOSTDEV_SCSI] = scsi_host, [HOSTDEV_SCSI_HOST] = vhost_scsi,
};

static gboolean add_hostdev(Build *build, const Hostdev *hostdev, GError **error)
{
	if (!g_strcmp0(hostdev->source_missing, "yes")) /* and need not be there */
		return TRUE;
	HostdevFn fn = (guint)hostdev->type < G_N_ELEMENTS(kinds) ? kinds[hostdev->type] : NULL;
	if (!fn || !g_strcmp0(hostdev->mode, "capabilities"))
		return unsupported(build, error,
				   "hostdev: mode \"%s\" is for containers; use subsystem",
				   hostdev->mode ? hostdev->mode : "");
	return fn(build, hostdev, error);
}

/* ---- redirection ---- */

/* "class:vendor:product:version:allow|..", -1 for "any". */
static char *filter_text(const RedirFilter *filter)
{
	GString *text = g_string_new(NULL);
	SHAPE_EACH (UsbFilter, rule, filter ? filter->rules : NULL) {
		g_autofree char *version = NULL;
		if (rule->version && !g_str_equal(rule->version, "-1")) {
			g_auto(GStrv) parts = g_strsplit(rule->version, ".", 2);
			version = g_strdup_printf("0x%02u%02u", (guint)atoi(parts[0]),
						  (guint)(parts[1] ? atoi(parts[1]) : 0));
		}
		g_string_append_printf(text, "%s%s:%s:%s:%s:%d", text->len ? "|" : "",
				       rule->class_id ? rule->class_id : "-1",
				       rule->vendor ? rule->vendor : "-1",
				       rule->product ? rule->product : "-1",
				       version ? version : "-1", !g_strcmp0(rule->allow, "yes"));
	}
	return g_string_free(text, FALSE);
}

static gboolean add_redirdev(Build *build, const Redirdev *redirdev, GError **error)
{
	g_autofree char *id = qemu_chardev_id(redirdev->info.alias);
	g_autofree char *filter = filter_text(build->guest->redirfilter);
	if (!add_chardev(build, redirdev->info.alias, redirdev->type, &redirdev->backend, "usbredir",
			 "redirdev", error))
		return FALSE;
	json_t *device = device_new("usb-redir", &redirdev->info);
	put(device, "chardev", id);
	put(device, "filter", *filter ? filter : NULL);
	if (put_place(build, device, &redirdev->info, error))
		return add_device(build, device, "redirdev", error);
	json_decref(device);
	return FALSE;
}

gboolean build_hostdevs(Build *build, GError **error)
{
	SHAPE_EACH (Hostdev, hostdev, build->guest->hostdevs)
		if (!add_hostdev(build, hostdev, error))
			return FALSE;
	SHAPE_EACH (Redirdev, redirdev, build->guest->redirdevs)
		if (!add_redirdev(build, redirdev, error))
			return FALSE;
	return TRUE;
}

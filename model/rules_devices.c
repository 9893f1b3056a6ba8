/* See rules.h. Here: devices that are no disks. */
#include <stdlib.h>
#include <string.h>

#include "model/assign.h"
#include "model/rules.h"

#define REFUSE(kind, device, ...)                                                                  \
	guest_refuse(guest, kind, device, error, LODGE_ERROR_UNSUPPORTED, __VA_ARGS__)

/* ---- ends of character devices ---- */

typedef struct Backend {
	const char *kind; /* the element's name */
	gconstpointer device;
	ChardevType type;
	const ChardevBackend *backend;
} Backend;

static gboolean check_backend(const Guest *guest, const Backend *b, GError **error)
{
	SHAPE_EACH (ChardevSource, source, b->backend->sources) {
		if (g_strcmp0(source->reconnect, "yes"))
			continue;
		if (g_strcmp0(source->mode, "connect"))
			return REFUSE(b->kind, b->device,
				      "only a source of mode=\"connect\" reconnects");
		if (source->reconnect_timeout.set && !source->reconnect_timeout.v)
			return guest_refuse(guest, b->kind, b->device, error, LODGE_ERROR_INVALID,
					    "the timeout of <reconnect> cannot be 0");
	}
	return TRUE;
}

static gboolean check_backends(const Guest *guest, GError **error)
{
	const struct {
		const char *kind;
		GPtrArray *list;
	} lists[] = { { "serial", guest->serials },
		      { "parallel", guest->parallels },
		      { "console", guest->consoles },
		      { "channel", guest->channels } };
	for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
		SHAPE_EACH (Chardev, device, lists[i].list) {
			Backend b = { lists[i].kind, device, device->type, &device->backend };
			if (!check_backend(guest, &b, error))
				return FALSE;
		}
	SHAPE_EACH (Redirdev, device, guest->redirdevs) {
		Backend b = { "redirdev", device, device->type, &device->backend };
		if (!check_backend(guest, &b, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_rngs(const Guest *guest, GError **error)
{
	SHAPE_EACH (Rng, rng, guest->rngs) {
		const ChardevSource *source = chardev_source(&rng->backend);
		if (!g_strcmp0(rng->backend_model, "egd") &&
		    !g_strcmp0(rng->backend_type, "unix") && !(source && source->path))
			return guest_refuse(guest, "rng", rng, error, LODGE_ERROR_INVALID,
					    "its <source> has no path=");
	}
	return TRUE;
}

/* Ports that only other architectures' machines have. */
static gboolean check_serials(const Guest *guest, GError **error)
{
	static const char *const foreign[] = { "spapr-vio-serial", "system-serial", "sclp-serial",
					       NULL };
	static const char *const families[] = { "x86_64", "i686", NULL };
	if (guest->os.arch && !g_strv_contains(families, guest->os.arch))
		return TRUE;
	SHAPE_EACH (Chardev, serial, guest->serials)
		if (serial->target_type && g_strv_contains(foreign, serial->target_type))
			return REFUSE("serial", serial,
				      "machines of this architecture have no port of type %s",
				      serial->target_type);
	return TRUE;
}

/* ---- devices of the host ---- */

/* What names the device of the host; NULL where nothing does. The caller frees it. */
static char *host_identity(const Hostdev *host)
{
	if (host->type == HOSTDEV_MDEV && host->mdev && host->mdev->uuid)
		return g_strdup_printf("mdev %s", host->mdev->uuid);
	if (host->type == HOSTDEV_PCI && host->pci)
		return g_strdup_printf("pci %04x:%02x:%02x.%x",
				       (guint)opt_uint_or(host->pci->domain, 0),
				       (guint)opt_uint_or(host->pci->bus, 0),
				       (guint)opt_uint_or(host->pci->slot, 0),
				       (guint)opt_uint_or(host->pci->function, 0));
	if (host->type == HOSTDEV_USB && host->usb && host->usb->device.set)
		return g_strdup_printf("usb %u.%u", (guint)opt_uint_or(host->usb->bus, 0),
				       (guint)host->usb->device.v);
	if (host->type == HOSTDEV_USB && host->vendor.set && !host->usb)
		return g_strdup_printf("usb %04x:%04x", (guint)host->vendor.v,
				       (guint)opt_uint_or(host->product, 0));
	if (host->type == HOSTDEV_SCSI && host->adapter && host->scsi)
		return g_strdup_printf("scsi %s:%u:%s:%s", host->adapter,
				       (guint)opt_uint_or(host->scsi->bus, 0),
				       host->scsi->target ? host->scsi->target : "0",
				       host->scsi->unit ? host->scsi->unit : "0");
	return NULL;
}

static gboolean check_twice(const Guest *guest, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	SHAPE_EACH (Hostdev, host, guest->hostdevs) {
		char *identity = host_identity(host);
		if (identity && !g_hash_table_add(seen, identity))
			return guest_refuse(
				guest, "hostdev", host, error, LODGE_ERROR_INVALID,
				"the same device of the host is given to the guest already");
	}
	return TRUE;
}

static gboolean check_mediated(const Guest *guest, GError **error)
{
	guint ramfbs = 0;
	SHAPE_EACH (Hostdev, host, guest->hostdevs) {
		const Address *address = host->info.address;
		if (host->type != HOSTDEV_MDEV)
			continue;
		if (!host->mdev || !host->mdev->uuid)
			return REFUSE("hostdev", host,
				      "<source><address> names no uuid= of a mediated device");
		if (!g_strcmp0(host->model, "vfio-pci") && address && address->type != ADDRESS_PCI)
			return guest_refuse(
				guest, "hostdev", host, error, LODGE_ERROR_INVALID,
				"model vfio-pci has an address of type pci, not %s: remove the "
				"<address>",
				enum_name(&address_types, address->type));
		if (!g_strcmp0(host->display, "on") && !shape_len(guest->graphics))
			return REFUSE("hostdev", host, "display=\"on\" needs <graphics>");
		if (!g_strcmp0(host->ramfb, "on") && ramfbs++)
			return REFUSE("hostdev", host, "only one device can have ramfb=\"on\"");
	}
	return TRUE;
}

static gboolean check_vhost_scsi(const Guest *guest, GError **error)
{
	SHAPE_EACH (Hostdev, host, guest->hostdevs)
		if (host->type == HOSTDEV_SCSI_HOST && host->info.boot_order.set)
			return REFUSE("hostdev", host,
				      "a guest cannot boot from vhost SCSI: remove <boot>");
	return TRUE;
}

/* ---- what people see ---- */

static const Graphics *graphics_of(const Guest *guest, GraphicsType type)
{
	SHAPE_EACH (Graphics, graphics, guest->graphics)
		if (graphics->type == type)
			return graphics;
	return NULL;
}

static gboolean check_headless(const Guest *guest, GError **error)
{
	const Graphics *headless = graphics_of(guest, GRAPHICS_EGL_HEADLESS);
	const Graphics *spice = graphics_of(guest, GRAPHICS_SPICE);
	if (!headless || shape_len(guest->graphics) == 1)
		return TRUE;
	if (spice && spice->gl == TRI_YES)
		return REFUSE("graphics", headless,
			      "SPICE draws with OpenGL already: remove one of them");
	return spice || graphics_of(guest, GRAPHICS_VNC) ||
	       REFUSE("graphics", headless,
		      "egl-headless needs graphics of type vnc or spice beside it");
}

static gboolean check_videos(const Guest *guest, GError **error)
{
	SHAPE_EACH (Video, video, guest->videos) {
		if (!g_strcmp0(video->model, "none") && shape_len(guest->videos) > 1)
			return REFUSE("video", video,
				      "a card of type none is the only one: remove the others");
		if (!g_strcmp0(video->model, "ramfb") && video->info.address)
			return REFUSE("video", video, "ramfb has no address: remove the <address>");
	}
	return TRUE;
}

static gboolean check_inputs(const Guest *guest, GError **error)
{
	SHAPE_EACH (Input, input, guest->inputs)
		if (input->model && strstr(input->model, "transitional") &&
		    g_strcmp0(input->type, "passthrough"))
			return REFUSE("input", input, "type %s has no model %s: use virtio",
				      input->type, input->model);
	return TRUE;
}

/* ---- controllers ---- */

static const char *model_of(const Guest *guest, ControllerType type, guint64 index)
{
	const Controller *controller = guest_find_controller(guest, type, index);
	return controller && controller->model ? controller->model : "";
}

#define XHCI_PORTS 15 /* QEMU 7.2: hw/usb/hcd-xhci.h, XHCI_MAXPORTS_2 and _3 */

static gboolean has_master(const Guest *guest, const Controller *companion)
{
	SHAPE_EACH (Controller, c, guest->controllers)
		if (c->type == CONTROLLER_USB &&
		    opt_uint_or(c->index, 0) == opt_uint_or(companion->index, 0) && c->model &&
		    g_str_has_prefix(c->model, "ich9-ehci"))
			return TRUE;
	return FALSE;
}

static gboolean check_usb(const Guest *guest, GError **error)
{
	SHAPE_EACH (Controller, c, guest->controllers) {
		if (c->type != CONTROLLER_USB || !c->model)
			continue;
		if (g_str_has_suffix(c->model, "xhci") && opt_uint_or(c->ports, 0) > XHCI_PORTS)
			return REFUSE("controller", c, "model %s has at most %d ports", c->model,
				      XHCI_PORTS);
		if (g_str_has_prefix(c->model, "ich9-uhci") && c->master_startport.set &&
		    !has_master(guest, c))
			return guest_refuse(guest, "controller", c, error, LODGE_ERROR_INVALID,
					    "<master> needs a controller of model ich9-ehci1 with "
					    "the same index");
	}
	return TRUE;
}

/* Which buses these bridges plug into. */
static const struct {
	const char *model;
	const char *const parents[3];
} pci_places[] = {
	{ "pci-expander-bus", { "pci-root" } },
	{ "pcie-expander-bus", { "pcie-root" } },
	{ "dmi-to-pci-bridge", { "pcie-root", "pcie-expander-bus" } },
};

static gboolean check_place(const Guest *guest, const Controller *c, GError **error)
{
	const Address *address = c->info.address;
	for (guint i = 0; address && i < G_N_ELEMENTS(pci_places); i++) {
		const char *parent = model_of(guest, CONTROLLER_PCI, opt_uint_or(address->bus, 0));
		if (strcmp(c->model, pci_places[i].model) || !*parent ||
		    g_strv_contains(pci_places[i].parents, parent))
			continue;
		return guest_refuse(
			guest, "controller", c, error, LODGE_ERROR_INVALID,
			"a %s cannot be plugged into the %s with index %" G_GUINT64_FORMAT
			": it goes "
			"into a %s",
			c->model, parent, opt_uint_or(address->bus, 0), pci_places[i].parents[0]);
	}
	return TRUE;
}

static gboolean check_pci(const Guest *guest, GError **error)
{
	SHAPE_EACH (Controller, c, guest->controllers) {
		if (c->type != CONTROLLER_PCI || !c->model)
			continue;
		if (g_str_has_suffix(c->model, "-root") && opt_uint_or(c->index, 0))
			return guest_refuse(guest, "controller", c, error, LODGE_ERROR_INVALID,
					    "a %s has index 0", c->model);
		if (g_str_has_suffix(c->model, "-root") && c->info.address)
			return REFUSE("controller", c, "a %s has no address: remove the <address>",
				      c->model);
		if (g_str_has_suffix(c->model, "expander-bus") && c->target_node.set &&
		    c->target_node.v >= guest_cells(guest))
			return guest_refuse(guest, "controller", c, error, LODGE_ERROR_INVALID,
					    "the guest has no NUMA cell %" G_GUINT64_FORMAT,
					    c->target_node.v);
		if (!check_place(guest, c, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- the rest ---- */

static gboolean check_iommu(const Guest *guest, GError **error)
{
	const Iommu *iommu = guest->iommu;
	if (!iommu || !iommu->model)
		return TRUE;
	gboolean virtio = g_str_equal(iommu->model, "virtio");
	if ((virtio || g_str_equal(iommu->model, "intel")) && !guest_is_q35(guest))
		return REFUSE("iommu", iommu, "model %s needs machine type q35", iommu->model);
	if (virtio && !(guest->features && guest->features->acpi))
		return REFUSE("iommu", iommu, "model virtio needs ACPI: add <acpi/> to <features>");
	if (virtio && iommu->info.address && iommu->info.address->type != ADDRESS_PCI)
		return REFUSE("iommu", iommu,
			      "model virtio has an address of type pci: remove the <address>");
	return TRUE;
}

/* libvirt's bounds: up to 0777. */
static gboolean is_mode(const char *mode)
{
	return !mode || (*mode && !mode[strspn(mode, "01234567")] && strlen(mode) <= 8 &&
			 strtoul(mode, NULL, 8) <= 0777);
}

static gboolean check_filesystems(const Guest *guest, GError **error)
{
	SHAPE_EACH (Filesystem, fs, guest->filesystems) {
		if (!g_strcmp0(fs->driver_type, "virtiofs") && fs->readonly)
			return REFUSE("filesystem", fs,
				      "virtiofs cannot be read-only: remove <readonly/>");
		const char *wrong = !is_mode(fs->fmode) ? fs->fmode : !is_mode(fs->dmode) ? fs->dmode : NULL;
		if (wrong)
			return REFUSE("filesystem", fs,
				      "\"%.80s\" is no mode of new files: octal, up to 0777", wrong);
	}
	return TRUE;
}

static gboolean check_shmems(const Guest *guest, GError **error)
{
	SHAPE_EACH (Shmem, shmem, guest->shmems)
		if (shmem->has_msi && !shmem->has_server)
			return guest_refuse(guest, "shmem", shmem, error, LODGE_ERROR_INVALID,
					    "<msi> needs a <server>");
	return TRUE;
}

static gboolean check_queues(const Guest *guest, GError **error)
{
	SHAPE_EACH (Interface, nic, guest->interfaces) {
		guint64 rx = opt_uint_or(nic->rx_queue_size, 0),
			tx = opt_uint_or(nic->tx_queue_size, 0);
		if ((rx & (rx - 1)) || (tx & (tx - 1)))
			return REFUSE("interface", nic,
				      "rx_queue_size and tx_queue_size are powers of two");
	}
	return TRUE;
}

/* It is set on the host's side of a tap that joins a bridge. */
static gboolean check_coalesce(const Guest *guest, GError **error)
{
	SHAPE_EACH (Interface, nic, guest->interfaces)
		if (nic->coalesce_max_frames.set && nic->type != INTERFACE_NETWORK &&
		    nic->type != INTERFACE_BRIDGE)
			return guest_refuse(guest, "interface", nic, error, LODGE_ERROR_UNSUPPORTED,
					    "<coalesce> is for interfaces of type network and bridge");
	return TRUE;
}

static const GuestRule rules[] = {
	check_backends,	  check_rngs,	  check_serials, check_twice,	    check_mediated,
	check_vhost_scsi, check_headless, check_videos,	 check_inputs,	    check_usb,
	check_pci,	  check_iommu,	  check_shmems,	 check_filesystems, check_queues,
	check_coalesce,
};
const GuestRules guest_rules_devices = { rules, G_N_ELEMENTS(rules) };

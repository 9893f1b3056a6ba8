/* See hostdevs.h. What a guest has stands in one table of names ("pci 0000:3a:00.1", "usb 1.4", "mdev UUID"),
 * filled before anything is touched, so that guests that start at once meet there. */
#include "core/hostdevs.h"
#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "host/netlink.h"
#include "host/user.h"

#include <string.h>
#include <unistd.h>

NodeTree core_node_tree = { .root = "" };

typedef struct CoreHostdevs {
	GMutex lock;
	GHashTable *held; /* char * name -> Holder *; under lock */
} CoreHostdevs;

typedef struct Holder {
	GPtrArray *uuids; /* char *: of the guests, several where they share; none: no guest */
	char *who;	  /* the first */
	gboolean shares;
} Holder;

/* One device of a guest. */
typedef struct Want {
	char *name;
	char *address; /* PCI; else NULL */
	gboolean managed, shares;
	const Interface *interface; /* whose MAC and VLAN its function gets; NULL: none */
} Want;

static void holder_free(gpointer data)
{
	Holder *holder = data;
	g_ptr_array_unref(holder->uuids);
	g_free(holder->who);
	g_free(holder);
}

static void want_free(gpointer data)
{
	Want *want = data;
	g_free(want->name);
	g_free(want->address);
	g_free(want);
}

CoreHostdevs *hostdevs_new(void)
{
	CoreHostdevs *hostdevs = g_new0(CoreHostdevs, 1);
	hostdevs->held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, holder_free);
	g_mutex_init(&hostdevs->lock);
	return hostdevs;
}

void hostdevs_free(CoreHostdevs *hostdevs)
{
	g_hash_table_unref(hostdevs->held);
	g_mutex_clear(&hostdevs->lock);
	g_free(hostdevs);
}

static char *loans_folder(const Core *core)
{
	return g_build_filename(core->paths->run, "hostdevs", NULL);
}

/* ---- what a guest has ---- */

/* @address is taken; NULL: the definition does not name one. */
static Want *want_pci(GPtrArray *wants, char *address, const char *managed)
{
	Want *want = g_new0(Want, 1);
	want->name = g_strconcat("pci ", address, NULL);
	want->address = address;
	want->managed = !g_strcmp0(managed, "yes");
	g_ptr_array_add(wants, want);
	return want;
}

#define PCI_TEXT(at)                                                                               \
	g_strdup_printf("%04x:%02x:%02x.%x", (guint)opt_uint_or((at)->domain, 0),                  \
			(guint)opt_uint_or((at)->bus, 0), (guint)opt_uint_or((at)->slot, 0),       \
			(guint)opt_uint_or((at)->function, 0))

/* "HOST:BUS:TARGET:UNIT"; NULL: no device on an adapter of the host. */
static char *scsi_place(const Hostdev *device)
{
	static const char prefix[] = "scsi_host";
	if (!device->adapter || !device->scsi || !g_str_has_prefix(device->adapter, prefix))
		return NULL;
	return g_strdup_printf("%s:%u:%s:%s", device->adapter + strlen(prefix),
			       (guint)opt_uint_or(device->scsi->bus, 0),
			       device->scsi->target ? device->scsi->target : "0",
			       device->scsi->unit ? device->scsi->unit : "0");
}

/* What names a device that is no PCI device; NULL where it is missing, or nothing of the host's. */
static char *name_of(const Hostdev *device)
{
	const HostdevAddress *usb = device->usb;
	if (device->type == HOSTDEV_MDEV && device->mdev && device->mdev->uuid)
		return g_strconcat("mdev ", device->mdev->uuid, NULL);
	if (device->type == HOSTDEV_USB && usb && usb->bus.set && usb->device.set && !device->source_missing)
		return g_strdup_printf("usb %u.%u", (guint)usb->bus.v, (guint)usb->device.v);
	if (device->type == HOSTDEV_SCSI_HOST && device->source_wwpn)
		return g_strconcat("vhost-scsi ", device->source_wwpn, NULL);
	g_autofree char *place = device->type == HOSTDEV_SCSI ? scsi_place(device) : NULL;
	return place ? g_strconcat("scsi ", place, NULL) : NULL;
}

static void want_hostdevs(GPtrArray *wants, const Guest *live)
{
	SHAPE_EACH (Hostdev, device, live->hostdevs) {
		if (device->type == HOSTDEV_PCI && device->pci) {
			want_pci(wants, PCI_TEXT(device->pci), device->managed);
			continue;
		}
		char *name = name_of(device);
		if (!name)
			continue;
		Want *want = g_new0(Want, 1);
		want->name = name;
		want->shares = device->shareable;
		g_ptr_array_add(wants, want);
	}
}

static GPtrArray *wants_of(const Guest *live)
{
	GPtrArray *wants = g_ptr_array_new_with_free_func(want_free);
	want_hostdevs(wants, live);
	SHAPE_EACH (Interface, interface, live->interfaces) {
		const Address *at = interface->source ? interface->source->pci : NULL;
		if (!at || (interface->type != INTERFACE_HOSTDEV && interface->type != INTERFACE_NETWORK))
			continue;
		want_pci(wants, PCI_TEXT(at), interface->managed)->interface = interface;
	}
	SHAPE_EACH (Disk, disk, live->disks)
		if (disk->type == DISK_NVME && disk->source && disk->source->address)
			want_pci(wants, PCI_TEXT(disk->source->address), disk->source->managed);
	return wants;
}

/* ---- who has what ---- */

static gboolean refuse(const char *guest, const char *name, const Holder *holder, const char *group,
		       GError **error)
{
	if (group)
		return fail(error, LODGE_ERROR_IN_USE,
			    "guest \"%s\": device %s, which is in the same IOMMU group %s, is in use by %s: "
			    "all devices of a group go to one guest", guest, name, group, holder->who);
	return fail(error, LODGE_ERROR_IN_USE, "guest \"%s\": device %s is in use by %s", guest, name,
		    holder->who);
}

/* Of the guest among the holders; -1: it is none of them. */
static int place_of(const Holder *holder, const Guest *live)
{
	for (guint i = 0; i < holder->uuids->len; i++)
		if (!g_strcmp0(holder->uuids->pdata[i], live->uuid))
			return (int)i;
	return -1;
}

/* Lock held. */
static gboolean is_free(const CoreHostdevs *hostdevs, const Want *want, const Guest *live, const char *name,
			const char *group, GError **error)
{
	const Holder *holder = g_hash_table_lookup(hostdevs->held, name);
	if (!holder || place_of(holder, live) >= 0 || (want->shares && holder->shares))
		return TRUE;
	return refuse(live->name, name, holder, group, error);
}

/* The device and those of its group. Lock held. */
static gboolean all_free(const CoreHostdevs *hostdevs, const Want *want, const Guest *live, GError **error)
{
	g_autofree char *group = want->address ? nodedev_group(&core_node_tree, want->address) : NULL;
	g_autoptr(GPtrArray) members = group ? nodedev_group_members(&core_node_tree, group) : NULL;
	if (!is_free(hostdevs, want, live, want->name, NULL, error))
		return FALSE;
	for (guint i = 0; members && i < members->len; i++) {
		g_autofree char *name = g_strconcat("pci ", members->pdata[i], NULL);
		if (!is_free(hostdevs, want, live, name, group, error))
			return FALSE;
	}
	return TRUE;
}

static Holder *holder_new(const Guest *live, const char *who, gboolean shares)
{
	Holder *holder = g_new0(Holder, 1);
	holder->uuids = g_ptr_array_new_with_free_func(g_free);
	holder->who = live ? g_strdup_printf("guest \"%s\"", live->name) : g_strdup(who);
	holder->shares = shares;
	return holder;
}

/* Lock held. */
static void hold(CoreHostdevs *hostdevs, const Guest *live, const Want *want)
{
	Holder *holder = g_hash_table_lookup(hostdevs->held, want->name);
	if (!holder) {
		holder = holder_new(live, NULL, want->shares);
		g_hash_table_insert(hostdevs->held, g_strdup(want->name), holder);
	}
	if (place_of(holder, live) < 0)
		g_ptr_array_add(holder->uuids, g_strdup(live->uuid));
}

static void release(CoreHostdevs *hostdevs, const Guest *live, const GPtrArray *wants)
{
	g_mutex_lock(&hostdevs->lock);
	for (guint i = 0; i < wants->len; i++) {
		const Want *want = wants->pdata[i];
		Holder *holder = g_hash_table_lookup(hostdevs->held, want->name);
		int place = holder ? place_of(holder, live) : -1;
		if (place >= 0)
			g_ptr_array_remove_index(holder->uuids, (guint)place);
		if (place >= 0 && !holder->uuids->len)
			g_hash_table_remove(hostdevs->held, want->name);
	}
	g_mutex_unlock(&hostdevs->lock);
}

static gboolean hold_all(CoreHostdevs *hostdevs, const Guest *live, const GPtrArray *wants, GError **error)
{
	gboolean ok = TRUE;
	g_mutex_lock(&hostdevs->lock);
	for (guint i = 0; i < wants->len && ok; i++)
		ok = all_free(hostdevs, wants->pdata[i], live, error);
	for (guint i = 0; i < wants->len && ok; i++)
		hold(hostdevs, live, wants->pdata[i]);
	g_mutex_unlock(&hostdevs->lock);
	return ok;
}

/* ---- finding them ---- */

static gboolean is_optional(const Hostdev *device)
{
	return !g_strcmp0(device->startup_policy, "optional");
}

/* A USB device by vendor and product, or by its place; where it may be missing, that is noted. */
static gboolean find_usb(Hostdev *device, Notes *notes, GError **error)
{
	g_autoptr(GArray) found = NULL;
	gboolean by_place = device->usb && device->usb->bus.set && device->usb->device.set;
	if (by_place) {
		NodeUsb at = { (guint)device->usb->bus.v, (guint)device->usb->device.v };
		if (nodedev_usb_is_there(&core_node_tree, at))
			return TRUE;
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "there is no USB device at bus %u, device %u: numbers change when it is plugged "
			    "in "
			    "again; <vendor> and <product> do not", at.bus, at.device);
	}
	if (!device->vendor.set || !device->product.set)
		return TRUE; /* the engine says what is missing */
	found = nodedev_usb_find(&core_node_tree, (guint)device->vendor.v, (guint)device->product.v);
	if (found->len > 1)
		return fail(error, LODGE_ERROR_INVALID,
			    "there are %u USB devices %04x:%04x: say which by <address bus= device=>",
			    found->len, (guint)device->vendor.v, (guint)device->product.v);
	if (!found->len && is_optional(device)) {
		notes_add(notes, "USB device %04x:%04x is not there: the guest starts without it",
			  (guint)device->vendor.v, (guint)device->product.v);
		device->source_missing = g_strdup("yes");
		return TRUE;
	}
	if (!found->len)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "there is no USB device %04x:%04x on this host; startupPolicy='optional' starts "
			    "the guest without it", (guint)device->vendor.v, (guint)device->product.v);
	if (!device->usb)
		device->usb = g_new0(HostdevAddress, 1);
	device->usb->bus = OPT_UINT(g_array_index(found, NodeUsb, 0).bus);
	device->usb->device = OPT_UINT(g_array_index(found, NodeUsb, 0).device);
	return TRUE;
}

static gboolean find_scsi(Hostdev *device, GError **error)
{
	g_autofree char *place = scsi_place(device);
	if (!place)
		return TRUE;
	g_free(device->block);
	device->block = nodedev_scsi_generic(&core_node_tree, place);
	return device->block ||
	       fail(error, LODGE_ERROR_NOT_FOUND,
		    "adapter %s has no SCSI device at %s: \"lodge nodedev-list --cap scsi\" tells which "
		    "there are; /dev/sg* needs the kernel's module "
		    "sg", device->adapter, strchr(place, ':') + 1);
}

static gboolean find_mdev(const Hostdev *device, GError **error)
{
	const char *uuid = device->mdev ? device->mdev->uuid : NULL;
	return !uuid || sysfs_exists(&core_node_tree, "/sys/bus/mdev/devices", uuid) ||
	       fail(error, LODGE_ERROR_NOT_FOUND, "there is no mediated device %s on this host: "
		    "\"lodge nodedev-create\" or \"nodedev-start\" makes it", uuid);
}

static gboolean find(Hostdev *device, Notes *notes, GError **error)
{
	switch (device->type) {
	case HOSTDEV_USB:
		return find_usb(device, notes, error);
	case HOSTDEV_SCSI:
		return find_scsi(device, error);
	case HOSTDEV_MDEV:
		return find_mdev(device, error);
	default:
		return TRUE;
	}
}

gboolean hostdevs_resolve(CoreGuest *guest, Guest *live, Notes *notes, GError **error)
{
	SHAPE_EACH (Hostdev, device, live->hostdevs) {
		g_autoptr(GError) why = NULL;
		if (!find(device, notes, &why)) {
			g_propagate_prefixed_error(error, g_steal_pointer(&why), "guest \"%s\": ",
						   live->name);
			return FALSE;
		}
	}
	g_autoptr(GPtrArray) wants = wants_of(live);
	return !wants->len || hold_all(guest->core->hostdevs, live, wants, error);
}

/* ---- their way to the guest ---- */

/* QEMU opens the group's device itself, as its own account. */
static gboolean hand_over(CoreGuest *guest, const char *group, gboolean to_guest, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/dev/vfio/%s", core_node_tree.root, group);
	if (geteuid() != 0 || access(path, F_OK) < 0)
		return TRUE;
	g_autoptr(HostUser) user = host_user_for_qemu(guest->core->engine_config.user, error);
	if (!user)
		return FALSE;
	return chown(path, to_guest ? user->uid : 0, to_guest ? user->gid : 0) == 0 ||
	       fail_errno(error, errno, "%s: cannot give it to %s", path, user->name);
}

/* A function that is an interface takes one VLAN. */
static gboolean fill_function(const Interface *interface, NodeBorrower *to, guint8 mac[6], GError **error)
{
	const VlanTag *tag = shape_len(interface->vlan_tags) ? interface->vlan_tags->pdata[0] : NULL;
	if (!interface->mac || !mac_from_text(interface->mac, mac))
		return TRUE;
	if (shape_len(interface->vlan_tags) > 1 || !g_strcmp0(interface->vlan_trunk, "yes"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "interface %s: a virtual function takes one VLAN tag, and no trunk",
			    interface->mac);
	to->mac = mac;
	if (tag)
		to->vlan = tag->id;
	return TRUE;
}

static gboolean make(CoreGuest *guest, const Guest *live, const Want *want, Notes *notes, GError **error)
{
	g_autofree char *folder = loans_folder(guest->core);
	guint8 mac[6];
	NodeBorrower to = { .folder = folder, .guest = live->name, .uuid = live->uuid,
			    .managed = want->managed };
	return (!want->interface || fill_function(want->interface, &to, mac, error)) &&
	       nodedev_lend(&core_node_tree, &to, want->address, notes, error);
}

static gboolean is_wanted(gconstpointer wants, const char *address)
{
	for (guint i = 0; i < ((const GPtrArray *)wants)->len; i++)
		if (!g_strcmp0(((const Want *)((const GPtrArray *)wants)->pdata[i])->address, address))
			return TRUE;
	return FALSE;
}

/* Before anything is taken: would anything of its group still be the host's? */
static gboolean check_group(const GPtrArray *wants, const Want *want, GError **error)
{
	g_autofree char *group = nodedev_group(&core_node_tree, want->address);
	return !group ||
	       nodedev_group_is_free(&core_node_tree, group, want->address, is_wanted, wants, error);
}

/* The IOMMU group of what goes to the guest by vfio; NULL: it goes in another way. The caller frees it. */
static char *group_of(const Want *want)
{
	if (want->address)
		return nodedev_group(&core_node_tree, want->address);
	if (!g_str_has_prefix(want->name, "mdev "))
		return NULL;
	g_autofree char *path = g_strconcat("/sys/bus/mdev/devices/", want->name + strlen("mdev "), NULL);
	return sysfs_link(&core_node_tree, path, "iommu_group");
}

static gboolean give_node(CoreGuest *guest, const Want *want, GError **error)
{
	g_autofree char *group = group_of(want);
	return !group || hand_over(guest, group, TRUE, error);
}

gboolean hostdevs_make(CoreGuest *guest, const Guest *live, Notes *notes, GError **error)
{
	g_autoptr(GPtrArray) wants = wants_of(live);
	gboolean ok = TRUE;
	for (guint i = 0; i < wants->len && ok; i++) {
		const Want *want = wants->pdata[i];
		ok = !want->address || check_group(wants, want, error);
	}
	for (guint i = 0; i < wants->len && ok; i++) {
		const Want *want = wants->pdata[i];
		ok = !want->address || make(guest, live, want, notes, error);
	}
	for (guint i = 0; i < wants->len && ok; i++) {
		const Want *want = wants->pdata[i];
		ok = give_node(guest, want, error);
	}
	if (ok)
		return TRUE;
	g_prefix_error(error, "guest \"%s\": ", live->name);
	hostdevs_remove(guest, live);
	return FALSE;
}

/* ---- and back ---- */

void hostdevs_remove(CoreGuest *guest, const Guest *live)
{
	g_autoptr(GPtrArray) wants = wants_of(live);
	g_autofree char *folder = wants->len ? loans_folder(guest->core) : NULL;
	for (guint i = 0; i < wants->len; i++) {
		const Want *want = wants->pdata[i];
		g_autoptr(GError) why = NULL;
		g_autofree char *group = group_of(want);
		if (group)
			hand_over(guest, group, FALSE, NULL);
		if (want->address && !nodedev_return(&core_node_tree, folder, want->address, &why))
			log_error(live->name, "device %s is not the host's again: %s", want->address,
				  why->message);
	}
	if (wants->len)
		release(guest->core->hostdevs, live, wants);
}

/* ---- a daemon that comes later ---- */

void hostdevs_adopt(Core *core, const Guest *live)
{
	g_autoptr(GPtrArray) wants = wants_of(live);
	g_mutex_lock(&core->hostdevs->lock);
	for (guint i = 0; i < wants->len; i++)
		hold(core->hostdevs, live, wants->pdata[i]);
	g_mutex_unlock(&core->hostdevs->lock);
}

void hostdevs_sweep(Core *core)
{
	g_autofree char *folder = loans_folder(core);
	g_autoptr(GPtrArray) lent = nodedev_lent(folder);
	for (guint i = 0; i < lent->len; i++) {
		g_autofree char *name = g_strconcat("pci ", lent->pdata[i], NULL);
		g_autoptr(GError) why = NULL;
		g_mutex_lock(&core->hostdevs->lock);
		gboolean held = g_hash_table_contains(core->hostdevs->held, name);
		g_mutex_unlock(&core->hostdevs->lock);
		if (!held && !nodedev_return(&core_node_tree, folder, lent->pdata[i], &why))
			log_error(NULL, "device %s is not the host's again: %s", (char *)lent->pdata[i],
				  why->message);
	}
}

/* ---- others who work on devices ---- */

/* NULL: no device that guests get. */
static char *name_of_node(const NodeDev *dev)
{
	const char *slash = dev->path ? strrchr(dev->path, '/') : NULL;
	if (dev->kind == NODE_PCI && slash)
		return g_strconcat("pci ", slash + 1, NULL);
	return dev->kind == NODE_MDEV && dev->uuid ? g_strconcat("mdev ", dev->uuid, NULL) : NULL;
}

gboolean hostdevs_hold(Core *core, const NodeDev *dev, const char *who, GError **error)
{
	g_autofree char *name = name_of_node(dev);
	if (!name)
		return TRUE;
	g_mutex_lock(&core->hostdevs->lock);
	const Holder *holder = g_hash_table_lookup(core->hostdevs->held, name);
	gboolean ok = !holder || fail(error, LODGE_ERROR_IN_USE, "device %s is in use by %s", dev->name,
				      holder->who);
	if (ok)
		g_hash_table_insert(core->hostdevs->held, g_steal_pointer(&name),
				    holder_new(NULL, who, FALSE));
	g_mutex_unlock(&core->hostdevs->lock);
	return ok;
}

void hostdevs_let_go(Core *core, const NodeDev *dev)
{
	g_autofree char *name = name_of_node(dev);
	g_mutex_lock(&core->hostdevs->lock);
	if (name)
		g_hash_table_remove(core->hostdevs->held, name);
	g_mutex_unlock(&core->hostdevs->lock);
}

/* See alias.h. */
#include "model/alias.h"
#include "model/assign.h"

#include <stdlib.h>
#include <string.h>

/* Kinds whose alias is a word and the next number. Kinds that are not here have rules of their own. */
static const struct {
	const char *kind, *prefix;
} numbered[] = {
	{ "filesystem", "fs" },	  { "interface", "net" },    { "smartcard", "smartcard" },
	{ "serial", "serial" },	  { "parallel", "parallel" }, { "console", "console" },
	{ "channel", "channel" }, { "input", "input" },	     { "tpm", "tpm" },
	{ "sound", "sound" },	  { "video", "video" },	     { "hostdev", "hostdev" },
	{ "redirdev", "redir" },  { "hub", "hub" },	     { "watchdog", "watchdog" },
	{ "memballoon", "balloon" }, { "rng", "rng" },	     { "nvram", "nvram" },
	{ "panic", "panic" },	  { "shmem", "shmem" },	     { "iommu", "iommu" },
	{ "vsock", "vsock" },	  { "crypto", "crypto" },
};

static const struct {
	const char *model, *prefix;
} memories[] = {
	{ "dimm", "dimm" },
	{ "nvdimm", "nvdimm" },
	{ "virtio-mem", "virtiomem" },
	{ "virtio-pmem", "virtiopmem" },
	{ "sgx-epc", "epc" },
};

static char *disk_alias(const Guest *guest, const Disk *disk)
{
	const char *bus = disk->bus ? enum_name(&disk_buses, disk->bus) : "disk";
	const Address *a = disk->info.address;
	if (!a || a->type != ADDRESS_DRIVE)
		return g_strdup_printf("%s-disk%d", bus, MAX(disk_index(disk->target), 0));
	const Controller *c = guest_find_controller(guest, CONTROLLER_SCSI, a->controller.v);
	if (disk->bus == DISK_BUS_SCSI && c && g_strcmp0(c->model, "lsilogic"))
		return g_strdup_printf("scsi%u-%u-%u-%u", (guint)a->controller.v, (guint)a->bus.v,
				       (guint)a->target.v, (guint)a->unit.v);
	return g_strdup_printf("%s%u-%u-%u", bus, (guint)a->controller.v, (guint)a->bus.v,
			       (guint)a->unit.v);
}

static char *controller_alias(const Guest *guest, const Controller *c)
{
	guint index = (guint)opt_uint_or(c->index, 0);
	if (c->type == CONTROLLER_PCI)
		return index == 0 && !g_strcmp0(c->model, "pcie-root")
			       ? g_strdup("pcie.0")
			       : g_strdup_printf("pci.%u", index);
	/* those of the board have the names that QEMU gave them */
	if (index == 0 && c->type == CONTROLLER_USB)
		return g_strdup("usb");
	if (index == 0 && ((c->type == CONTROLLER_IDE && guest_is_i440fx(guest)) ||
			   (c->type == CONTROLLER_SATA && guest_is_q35(guest))))
		return g_strdup("ide");
	return g_strdup_printf("%s%u", enum_name(&controller_types, c->type), index);
}

/* One more than the highest number that an alias of this form has. */
typedef struct Highest {
	const char *prefix;
	guint next;
} Highest;

static gboolean find_highest(G_GNUC_UNUSED const char *kind, G_GNUC_UNUSED gpointer device,
			     DeviceInfo *info, gpointer data)
{
	Highest *highest = data;
	gsize n = strlen(highest->prefix);
	if (!info->alias || !g_str_has_prefix(info->alias, highest->prefix) ||
	    !g_ascii_isdigit(info->alias[n]))
		return TRUE;
	highest->next = MAX(highest->next, (guint)strtoul(info->alias + n, NULL, 10) + 1);
	return TRUE;
}

static char *next_alias(Guest *guest, const char *prefix)
{
	Highest highest = { .prefix = prefix };
	guest_each_device(guest, find_highest, &highest);
	return g_strdup_printf("%s%u", prefix, highest.next);
}

static const char *prefix_of(const char *kind, gconstpointer device)
{
	const MemoryModule *memory = device;
	if (g_str_equal(kind, "memory"))
		for (guint i = 0; i < G_N_ELEMENTS(memories); i++)
			if (!g_strcmp0(memory->model, memories[i].model))
				return memories[i].prefix;
	/* an interface that is a device of the host is named like one */
	if (g_str_equal(kind, "interface") && ((const Interface *)device)->type == INTERFACE_HOSTDEV)
		return "hostdev";
	for (guint i = 0; i < G_N_ELEMENTS(numbered); i++)
		if (g_str_equal(kind, numbered[i].kind))
			return numbered[i].prefix;
	return kind;
}

static gboolean give_alias(const char *kind, gpointer device, DeviceInfo *info, gpointer data)
{
	Guest *guest = data;
	const Chardev *chardev = device;
	if (info->alias)
		return TRUE;
	if (g_str_equal(kind, "memballoon") && !g_strcmp0(((Memballoon *)device)->model, "none"))
		return TRUE;
	if (g_str_equal(kind, "disk"))
		info->alias = disk_alias(guest, device);
	else if (g_str_equal(kind, "controller"))
		info->alias = controller_alias(guest, device);
	else if (g_str_equal(kind, "console") && !g_strcmp0(chardev->target_type, "serial") &&
		 shape_len(guest->serials))
		info->alias = g_strdup(
			((Chardev *)g_ptr_array_index(guest->serials, 0))->info.alias);
	else
		info->alias = next_alias(guest, prefix_of(kind, device));
	return TRUE;
}

void guest_assign_aliases(Guest *live)
{
	guest_each_device(live, give_alias, live);
}

/* ---- back to a definition ---- */

static gboolean drop_alias(G_GNUC_UNUSED const char *kind, G_GNUC_UNUSED gpointer device,
			   DeviceInfo *info, G_GNUC_UNUSED gpointer data)
{
	if (info->alias && !g_str_has_prefix(info->alias, "ua-"))
		g_clear_pointer(&info->alias, g_free);
	return TRUE;
}

/* A terminal is a new one at every start. */
static void drop_terminals(GPtrArray *chardevs)
{
	SHAPE_EACH (Chardev, chardev, chardevs)
		if (chardev->type == CHARDEV_PTY)
			chardev_forget_sources(&chardev->backend);
}

/* RUN/guests/NAME/channelN.sock, whatever the guest was called when it ran. */
static gboolean is_our_socket(const char *path)
{
	g_autofree char *file = g_path_get_basename(path);
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *guests = g_path_get_dirname(folder);
	return (g_str_has_prefix(file, "channel") || g_str_has_prefix(file, "ua-")) &&
	       g_str_has_suffix(file, ".sock") &&
	       g_str_has_suffix(guests, "/guests");
}

/* Sockets that libvirt, or we, chose when the guest ran. */
static void drop_sockets(Guest *guest)
{
	static const char *const generated[] = { "/var/lib/libvirt/qemu/channel/",
						 "/run/libvirt/qemu/channel/" };
	SHAPE_EACH (Chardev, channel, guest->channels) {
		const ChardevSource *source = chardev_source(&channel->backend);
		for (guint i = 0; source && i < G_N_ELEMENTS(generated); i++)
			if (channel->type == CHARDEV_UNIX && source->path &&
			    !g_strcmp0(source->mode, "bind") &&
			    (g_str_has_prefix(source->path, generated[i]) ||
			     is_our_socket(source->path))) {
				chardev_forget_sources(&channel->backend);
				break;
			}
	}
}

/* Names of taps that the host chose, and the bridge that a network turned out to be. */
static void drop_taps(Guest *guest)
{
	static const char *const generated[] = { "vnet", "vif", "macvtap", "macvlan" };
	SHAPE_EACH (Interface, net, guest->interfaces) {
		if (net->type == INTERFACE_NETWORK && net->source)
			g_clear_pointer(&net->source->bridge, g_free);
		for (guint i = 0; net->target && i < G_N_ELEMENTS(generated); i++)
			if (g_str_has_prefix(net->target, generated[i]))
				g_clear_pointer(&net->target, g_free);
	}
}

void guest_drop_live(Guest *guest)
{
	shape_drop_live(&guest_shape, guest);
	guest_each_device(guest, drop_alias, NULL);
	GPtrArray *const chardevs[] = { guest->serials, guest->parallels, guest->consoles,
					guest->channels };
	for (guint i = 0; i < G_N_ELEMENTS(chardevs); i++)
		drop_terminals(chardevs[i]);
	drop_sockets(guest);
	drop_taps(guest);
	SHAPE_EACH (Graphics, g, guest->graphics)
		if (g->autoport == TRI_YES) {
			g->port = g->type == GRAPHICS_VNC ? OPT_INT(-1) : (OptInt){ 0 };
			g->tls_port = (OptInt){ 0 };
		}
}

/* PCI devices that guests have for as long as they run: bind.c moves them, this file remembers what was, so
 * that whoever comes later, also after a crash, puts back exactly that. One file per device,
 * FOLDER/ADDRESS.xml, is written before anything changes and removed after everything is back; another boot
 * of the host makes it void, for then drivers and functions begin anew.
 *
 * A function of an SR-IOV card that is a guest's interface gets MAC and VLAN through its physical function's
 * interface. See nodedev.h. */
#include "nodedev/internal.h"
#include "base/error.h"
#include "base/log.h"
#include "host/file.h"
#include "host/netlink.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices/"
#define GROUPS "/sys/kernel/iommu_groups/"
#define MAX_FILE 65536
#define SUFFIX ".xml"

/* ---- what was ---- */

typedef struct Loan {
	ShapeHead head;
	char *address, *guest, *uuid, *boot;
	gboolean managed;
	char *driver, *override; /* before; NULL: none */
	char *pf;		 /* the physical function's interface; NULL: its functions are as they were */
	OptUint vf;
	char *mac;
	OptUint vlan, qos;
} Loan;

static const Row loan_rows[] = {
	STRING(Loan, address, "@address", .flags = ROW_REQUIRED),
	STRING(Loan, guest, "@guest"),
	STRING(Loan, uuid, "@uuid"),
	STRING(Loan, boot, "@boot"),
	FLAG(Loan, managed, "managed"),
	STRING(Loan, driver, "driver/@name"),
	STRING(Loan, override, "driver/@override"),
	STRING(Loan, pf, "function/@of"),
	UINT(Loan, vf, "function/@number", .max = G_MAXUINT16),
	STRING(Loan, mac, "function/@mac"),
	UINT(Loan, vlan, "function/@vlan", .max = 4095),
	UINT(Loan, qos, "function/@qos", .max = 7),
};
static const Shape loan_shape = SHAPE("loan", Loan, loan_rows);

static void loan_free(Loan *loan)
{
	shape_free(&loan_shape, loan);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loan, loan_free)

static char *loan_path(const char *folder, const char *address)
{
	return g_strconcat(folder, "/", address, SUFFIX, NULL);
}

static char *boot_id(void)
{
	char *boot = NULL;
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		return g_strdup("unknown");
	return g_strstrip(boot);
}

static gboolean loan_write(const char *folder, const Loan *loan, GError **error)
{
	g_autofree char *path = loan_path(folder, loan->address);
	g_autofree char *xml = shape_to_xml(&loan_shape, "loan", loan, 0);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return file_write(path, xml, strlen(xml), 0600, FILE_CACHE, error);
}

/* NULL without an error: nothing is written down. */
static Loan *loan_read(const char *folder, const char *address, GError **error)
{
	g_autofree char *path = loan_path(folder, address);
	gsize length = 0;
	if (access(path, F_OK) < 0)
		return NULL;
	g_autofree char *xml = file_read(path, MAX_FILE, &length, error);
	return xml ? shape_from_xml(&loan_shape, "loan", xml, (gssize)length, path, NULL, error) : NULL;
}

GPtrArray *nodedev_lent(const char *folder)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *file; dir && (file = g_dir_read_name(dir));)
		if (g_str_has_suffix(file, SUFFIX))
			g_ptr_array_add(all, g_strndup(file, strlen(file) - strlen(SUFFIX)));
	return all;
}

/* ---- functions of SR-IOV cards ---- */

static gboolean host_function(const char *pf, guint vf, LinkFunction *function, gboolean set, GError **error)
{
	g_autoptr(Netlink) nl = netlink_open(error);
	LinkInfo info;
	if (!nl || !netlink_link(nl, pf, &info, error))
		return FALSE;
	if (!set)
		return netlink_function(nl, pf, vf, function, error);
	if (!info.up)
		return fail(error, LODGE_ERROR_STATE,
			    "interface %s, whose virtual function %u this is, is down: it takes MAC "
			    "addresses and VLANs only while it is up: ip link set %s up", pf, vf, pf);
	return netlink_set_function(nl, pf, vf, function, error);
}

gboolean (*nodedev_function)(const char *pf, guint vf, LinkFunction *function, gboolean set,
			     GError **error) = host_function;

/* The number of @path among the functions of the card above; -1: it is none. */
static int function_number(const NodeTree *tree, const char *path)
{
	g_autofree char *above = g_strconcat(path, "/physfn", NULL);
	if (!sysfs_exists(tree, path, "physfn"))
		return -1;
	for (int i = 0;; i++) {
		g_autofree char *name = g_strdup_printf("virtfn%d", i);
		g_autofree char *target = sysfs_link(tree, above, name);
		if (!target || g_str_equal(target, sysname(path)))
			return target ? i : -1;
	}
}

/* The interface of the card above @path; cards with several ports say which function has which. */
static char *function_card(const NodeTree *tree, const char *path)
{
	g_autofree char *above = g_strconcat(path, "/physfn/net", NULL);
	g_autofree char *own = g_strconcat(path, "/net", NULL);
	g_autoptr(GPtrArray) cards = sysfs_names(tree, above, NULL), mine = sysfs_names(tree, own, NULL);
	g_autofree char *name = mine->len ? g_strconcat(mine->pdata[0], "/phys_port_id", NULL) : NULL;
	g_autofree char *port = name ? sysfs_text(tree, own, name) : NULL;
	for (guint i = 0; i < cards->len && port; i++) {
		g_autofree char *file = g_strconcat(cards->pdata[i], "/phys_port_id", NULL);
		g_autofree char *other = sysfs_text(tree, above, file);
		if (!g_strcmp0(other, port))
			return g_strdup(cards->pdata[i]);
	}
	return cards->len ? g_strdup(cards->pdata[0]) : NULL;
}

static char *mac_text(const guint8 *mac)
{
	return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			       mac[4], mac[5]);
}

/* What the function is set to now, into @loan. */
static gboolean note_function(const NodeTree *tree, const char *path, Loan *loan, GError **error)
{
	LinkFunction now = { 0 };
	int number = function_number(tree, path);
	g_autofree char *card = number < 0 ? NULL : function_card(tree, path);
	if (number < 0)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "device %s is no virtual function of an SR-IOV card, so that no MAC address can "
			    "be set; use <hostdev> instead of <interface type='hostdev'>", loan->address);
	if (!card)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "device %s: the card whose virtual function it is has no interface on this host: "
			    "no MAC address can be set", loan->address);
	if (!nodedev_function(card, (guint)number, &now, FALSE, error))
		return FALSE;
	loan->pf = g_steal_pointer(&card);
	loan->vf = OPT_UINT((guint)number);
	loan->mac = mac_text(now.mac);
	loan->vlan = OPT_UINT(now.vlan);
	loan->qos = OPT_UINT(now.qos);
	return TRUE;
}

static gboolean set_function(const NodeBorrower *to, const Loan *loan, GError **error)
{
	LinkFunction function = { .vlan = (guint)opt_uint_or(to->vlan, 0) };
	memcpy(function.mac, to->mac, sizeof function.mac);
	return nodedev_function(loan->pf, (guint)loan->vf.v, &function, TRUE, error);
}

/* Some drivers refuse the address of zeros that they began with: then one that means nothing stays. */
static gboolean reset_function(const Loan *loan, GError **error)
{
	static const guint8 none[6] = { 0 }, any[6] = { 0x02 };
	LinkFunction function = { .vlan = (guint)opt_uint_or(loan->vlan, 0),
				  .qos = (guint)opt_uint_or(loan->qos, 0) };
	g_autoptr(GError) why = NULL;
	if (!loan->mac || !mac_from_text(loan->mac, function.mac))
		return TRUE;
	if (nodedev_function(loan->pf, (guint)loan->vf.v, &function, TRUE, &why))
		return TRUE;
	if (memcmp(function.mac, none, sizeof none) == 0) {
		memcpy(function.mac, any, sizeof any);
		if (nodedev_function(loan->pf, (guint)loan->vf.v, &function, TRUE, NULL))
			return TRUE;
	}
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* ---- what the host does with it ---- */

static gboolean has_default_route(Netlink *nl, int index)
{
	g_autoptr(GArray) routes = netlink_routes(nl, NULL);
	for (guint i = 0; routes && i < routes->len; i++) {
		const RouteInfo *route = &g_array_index(routes, RouteInfo, i);
		if (route->index == index && !route->prefix)
			return TRUE;
	}
	return FALSE;
}

/* Says which interface of the host goes with the device. libvirt takes it without a word. */
static void note_interface(const char *name, const char *address, Notes *notes)
{
	g_autoptr(Netlink) nl = netlink_open(NULL);
	LinkInfo info;
	char text[INET_TEXT];
	if (!nl || !netlink_link(nl, name, &info, NULL))
		return;
	g_autoptr(GArray) all = netlink_addresses(nl, NULL);
	g_autoptr(GString) has = g_string_new(NULL);
	for (guint i = 0; all && i < all->len; i++) {
		const AddressInfo *at = &g_array_index(all, AddressInfo, i);
		if (at->index == info.index && at->own)
			g_string_append_printf(has, "%s %s", has->len ? "," : " with",
					       inet_to_text(&at->address, text));
	}
	if (has_default_route(nl, info.index))
		g_string_append_printf(has, "%s the default route", has->len ? " and" : " with");
	if (has->len)
		notes_add(notes, "device %s: the host's interface %s%s goes with it to the guest", address,
			  name, has->str);
}

static void note_interfaces(const NodeTree *tree, const char *path, const char *address, Notes *notes)
{
	g_autoptr(GPtrArray) names = sysfs_names(tree, path, "net");
	for (guint i = 0; i < names->len && !*tree->root; i++)
		note_interface(names->pdata[i], address, notes);
}

/* ---- giving and taking back ---- */

static char *path_of(const NodeTree *tree, const char *address)
{
	g_autofree char *link = g_strconcat(DEVICES, address, NULL);
	return sysfs_resolve(tree, link);
}

static gboolean is_vfio(const char *driver)
{
	return driver && strstr(driver, "vfio") != NULL; /* vfio-pci, mlx5_vfio_pci, ... */
}

static gboolean take(const NodeTree *tree, const NodeBorrower *to, const NodeDev *dev, const Loan *loan,
		     Notes *notes, GError **error)
{
	if (!to->managed && !is_vfio(loan->driver))
		return fail(error, LODGE_ERROR_STATE,
			    "device %s is not managed (managed='no') and the host's driver %s has it: give "
			    "it away with \"lodge nodedev-detach %s\", or let managed='yes' do that",
			    loan->address, loan->driver ? loan->driver : "(none)", dev->name);
	note_interfaces(tree, dev->path, loan->address, notes);
	return (!to->managed || nodedev_detach(tree, dev, error)) &&
	       (!to->mac || set_function(to, loan, error));
}

gboolean nodedev_lend(const NodeTree *tree, const NodeBorrower *to, const char *address, Notes *notes,
		      GError **error)
{
	g_autofree char *path = path_of(tree, address);
	if (!nodedev_return(tree, to->folder, address, error)) /* what a crash left */
		return FALSE;
	g_autoptr(NodeDev) dev = path ? nodedev_look(tree, path) : NULL;
	if (!dev)
		return fail(error, LODGE_ERROR_NOT_FOUND, "there is no PCI device %s on this host; "
			    "\"lodge nodedev-list --cap pci\" tells which there are", address);
	g_autoptr(Loan) loan = shape_new(&loan_shape);
	loan->address = g_strdup(address);
	loan->guest = g_strdup(to->guest);
	loan->uuid = g_strdup(to->uuid);
	loan->boot = boot_id();
	loan->managed = to->managed;
	loan->driver = sysfs_link(tree, path, "driver");
	loan->override = sysfs_text(tree, path, "driver_override");
	if (!g_strcmp0(loan->override, "(null)"))
		g_clear_pointer(&loan->override, g_free);
	if ((to->mac && !note_function(tree, path, loan, error)) || !loan_write(to->folder, loan, error))
		return FALSE;
	if (take(tree, to, dev, loan, notes, error))
		return TRUE;
	nodedev_return(tree, to->folder, address, NULL);
	return FALSE;
}

/* Both halves, whatever becomes of the first. */
static gboolean put_back(const NodeTree *tree, const Loan *loan, GError **error)
{
	g_autofree char *path = path_of(tree, loan->address), *boot = boot_id();
	g_autoptr(GError) why = NULL;
	g_autoptr(NodeDev) dev = path ? nodedev_look(tree, path) : NULL;
	if (!dev || g_strcmp0(boot, loan->boot)) /* it has gone; or the host began anew */
		return TRUE;
	if (loan->pf && !reset_function(loan, &why))
		log_warning(NULL, "device %s: MAC address and VLAN of before are not back: %s", loan->address,
			    why->message);
	return !loan->managed || nodedev_give_back(tree, dev, loan->driver, loan->override, error);
}

gboolean nodedev_return(const NodeTree *tree, const char *folder, const char *address, GError **error)
{
	g_autofree char *file = loan_path(folder, address);
	g_autoptr(GError) why = NULL;
	g_autoptr(Loan) loan = loan_read(folder, address, &why);
	if (why) { /* nobody can tell what was */
		log_warning(NULL, "device %s: %s: \"lodge nodedev-reattach\" gives it back to the host",
			    address, why->message);
		g_unlink(file);
	}
	if (loan && !put_back(tree, loan, error))
		return FALSE;
	g_unlink(file);
	return TRUE;
}

/* ---- IOMMU groups ---- */

char *nodedev_group(const NodeTree *tree, const char *address)
{
	g_autofree char *path = path_of(tree, address);
	return path ? sysfs_link(tree, path, "iommu_group") : NULL;
}

GPtrArray *nodedev_group_members(const NodeTree *tree, const char *group)
{
	g_autofree char *path = g_strconcat(GROUPS, group, NULL);
	return sysfs_names(tree, path, "devices");
}

/* Drivers that do not touch their devices' memory by themselves, as the kernel has it: drivers/vfio and those
 * marked driver_managed_dma. */
static gboolean is_harmless(const char *driver)
{
	return !driver || is_vfio(driver) || g_str_equal(driver, "pci-stub") ||
	       g_str_equal(driver, "pcieport");
}

gboolean nodedev_group_is_free(const NodeTree *tree, const char *group, const char *address,
			       gboolean (*goes_too)(gconstpointer data, const char *address),
			       gconstpointer data, GError **error)
{
	g_autoptr(GPtrArray) members = nodedev_group_members(tree, group);
	for (guint i = 0; i < members->len; i++) {
		const char *other = members->pdata[i];
		g_autofree char *path = goes_too(data, other) ? NULL : path_of(tree, other);
		g_autofree char *driver = path ? sysfs_link(tree, path, "driver") : NULL;
		g_autoptr(NodeDev) dev = path && !is_harmless(driver) ? nodedev_look(tree, path) : NULL;
		if (dev)
			return fail(error, LODGE_ERROR_IN_USE,
				    "device %s: device %s, which is in the same IOMMU group %s, is used by "
				    "the host (driver %s): give it to this guest, too, or take it from the "
				    "host with \"lodge nodedev-detach %s\"", address, other, group, driver,
				    dev->name);
	}
	return TRUE;
}

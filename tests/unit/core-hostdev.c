/* Tests of core/hostdevs.c: devices of the host on their way to guests and back, on a tree that looks like
 * /sys, with the fake engine. A thread does what the kernel would. */
#include "base/error.h"
#include "core-world.h"
#include "core/hostdevs.h"
#include "core/nodedevs.h"
#include "host/file.h"
#include "nodedev/internal.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PCI "/sys/devices/pci0000:00/"
#define NIC "0000:01:00.0"  /* with OTHER in group 15 */
#define OTHER "0000:01:00.1"
#define CARD "0000:02:00.0" /* its functions are in groups of their own */
#define VF0 "0000:02:10.0"
#define VF1 "0000:02:10.1"
#define MDEV "b7f0fa06-1111-4c64-9a2f-9d3c4be0f001"
#define WAIT 6000 /* hundredths of a second */

/* ---- the tree ---- */

static char *root;
static const char *const devices[][3] = {
	{ NIC, "15", "e1000e" }, { OTHER, "15", "e1000e" }, { CARD, "16", "igb" },
	{ VF0, "17", "igbvf" },	 { VF1, "18", "igbvf" },
};

static char *at(const char *path, const char *name)
{
	return g_strconcat(root, path, name ? "/" : NULL, name, NULL);
}

static void put(const char *path, const char *name, const char *text)
{
	g_autofree char *file = at(path, name), *folder = g_path_get_dirname(file);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static void put_link(const char *path, const char *name, const char *target)
{
	g_autofree char *file = at(path, name), *folder = g_path_get_dirname(file);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	unlink(file);
	g_assert_cmpint(symlink(target, file), ==, 0);
}

static char *device_path(const char *address)
{
	return g_strconcat(PCI, address, NULL);
}

static void set_driver(const char *address, const char *driver)
{
	g_autofree char *path = device_path(address), *link = at(path, "driver");
	g_autofree char *target = g_strconcat(root, "/sys/bus/pci/drivers/", driver, NULL);
	unlink(link);
	if (driver)
		g_assert_cmpint(symlink(target, link), ==, 0);
}

static void make_device(const char *address, const char *group, const char *driver)
{
	g_autofree char *path = device_path(address), *entry = g_strconcat("../../../devices/pci0000:00/",
									   address, NULL);
	g_autofree char *link = g_strconcat("../../../kernel/iommu_groups/", group, NULL);
	g_autofree char *members = g_strconcat("/sys/kernel/iommu_groups/", group, "/devices", NULL);
	g_autofree char *folder = g_strconcat("/sys/bus/pci/drivers/", driver, NULL);
	put(path, "uevent", "PCI_CLASS=20000\n");
	put(path, "class", "0x020000\n");
	put(path, "driver_override", "(null)\n");
	put_link(path, "subsystem", "../../../bus/pci");
	put_link("/sys/bus/pci/devices", address, entry);
	put_link(path, "iommu_group", link);
	put_link(members, address, "../x");
	put(folder, "unbind", "");
	set_driver(address, driver);
}

static void make_usb(const char *name, const char *product, const char *number)
{
	g_autofree char *path = g_strconcat("/sys/bus/usb/devices/", name, NULL);
	put(path, "idVendor", "1234\n");
	put(path, "idProduct", product);
	put(path, "busnum", "1\n");
	put(path, "devnum", number);
}

static void make_tree(void)
{
	root = g_dir_make_tmp("lodge-hostdev-XXXXXX", NULL);
	core_node_tree.root = root;
	for (guint i = 0; i < G_N_ELEMENTS(devices); i++)
		make_device(devices[i][0], devices[i][1], devices[i][2]);
	put("/sys/bus/pci/drivers/vfio-pci", "unbind", "");
	put("/sys/bus/pci", "drivers_probe", "");
	put_link(PCI CARD, "virtfn0", "../" VF0);
	put_link(PCI CARD, "virtfn1", "../" VF1);
	put(PCI CARD "/net/enp2s0", "address", "52:54:00:00:00:01\n");
	put_link(PCI VF0, "physfn", "../" CARD);
	put_link(PCI VF1, "physfn", "../" CARD);
	make_usb("1-1", "0001\n", "4\n");
	make_usb("1-2", "0002\n", "5\n");
	make_usb("1-3", "0002\n", "6\n");
	put("/sys/bus/mdev/devices/" MDEV, "uevent", "");
	put("/sys/bus/scsi/devices/4:0:2:1/scsi_generic/sg3", "dev", "21:3\n");
}

/* ---- the kernel ---- */

static GThread *thread;
static gint over, refuses; /* refuses: vfio-pci takes nothing */

/* The address that was written to a file, which is emptied; "": none. */
static char *written(const char *path, const char *name)
{
	g_autofree char *file = at(path, name);
	char *text = NULL;
	if (!g_file_get_contents(file, &text, NULL, NULL) || strlen(text) < strlen(NIC))
		g_clear_pointer(&text, g_free);
	if (text)
		put(path, name, "");
	return text ? text : g_strdup("");
}

static const char *own_driver(const char *address)
{
	for (guint i = 0; i < G_N_ELEMENTS(devices); i++)
		if (g_str_equal(devices[i][0], address))
			return devices[i][2];
	return NULL;
}

static void probe(const char *address)
{
	g_autofree char *path = device_path(address), *file = at(path, "driver_override"), *override = NULL;
	g_assert_true(g_file_get_contents(file, &override, NULL, NULL));
	gboolean vfio = g_str_has_prefix(override, "vfio-pci");
	if (!vfio)
		put(path, "driver_override", "(null)\n");
	if (!vfio || !g_atomic_int_get(&refuses))
		set_driver(address, vfio ? "vfio-pci" : own_driver(address));
}

static gpointer kernel_runs(G_GNUC_UNUSED gpointer data)
{
	static const char *const drivers[] = { "e1000e", "igb", "igbvf", "vfio-pci" };
	while (!g_atomic_int_get(&over)) {
		for (guint i = 0; i < G_N_ELEMENTS(drivers); i++) {
			g_autofree char *folder = g_strconcat("/sys/bus/pci/drivers/", drivers[i], NULL);
			g_autofree char *address = written(folder, "unbind");
			if (*address)
				set_driver(address, NULL);
		}
		g_autofree char *address = written("/sys/bus/pci", "drivers_probe");
		if (*address)
			probe(address);
		g_usleep(1000);
	}
	return NULL;
}

/* ---- functions: what the card was told ---- */

static LinkFunction functions[2];

static gboolean fake_function(const char *pf, guint vf, LinkFunction *function, gboolean set,
			      G_GNUC_UNUSED GError **error)
{
	g_assert_cmpstr(pf, ==, "enp2s0");
	g_assert_cmpuint(vf, <, 2);
	if (set)
		functions[vf] = *function;
	else
		*function = functions[vf];
	return TRUE;
}

/* ---- what tests say ---- */

static void open_world(World *world)
{
	for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
		g_autofree char *path = device_path(devices[i][0]);
		set_driver(devices[i][0], devices[i][2]);
		put(path, "driver_override", "(null)\n");
	}
	world_open(world);
}

static void expect_driver(const char *address, const char *name)
{
	g_autofree char *path = device_path(address);
	for (guint i = 0; i < WAIT; i++) {
		g_autofree char *now = sysfs_link(&core_node_tree, path, "driver");
		if (!g_strcmp0(now, name))
			return;
		g_usleep(10000);
	}
	g_error("the driver of %s is not %s", address, name);
}

static guint count_loans(World *world)
{
	g_autofree char *folder = world_path(world, "run/hostdevs");
	g_autoptr(GPtrArray) lent = nodedev_lent(folder);
	return lent->len;
}

/* A guest with @devices of XML. */
static CoreGuest *define(World *world, const char *name, const char *xml_devices)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *parts = g_strdup_printf("<devices>%s</devices>", xml_devices);
	g_autofree char *xml = world_xml(name, NULL, parts);
	CoreGuest *guest = core_define(world->core, xml, FALSE, NULL, &error);
	g_assert_no_error(error);
	return guest;
}

#define HOSTDEV(managed, bus, function)                                                            \
	"<hostdev mode='subsystem' type='pci' managed='" managed "'><source><address domain='0' "  \
	"bus='" bus "' slot='0' function='" function "'/></source></hostdev>"
#define BOTH HOSTDEV("yes", "1", "0") HOSTDEV("yes", "1", "1")
#define START_OK(guest)                                                                            \
	do {                                                                                       \
		g_autoptr(GError) error_ = NULL;                                                   \
		world_start(guest, &error_);                                                       \
		g_assert_no_error(error_);                                                         \
	} while (0)

static void refuse_start(CoreGuest *guest, LodgeError code, const char *words)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(world_start(guest, &error));
	g_assert_error(error, LODGE_ERROR, (int)code);
	if (!strstr(error->message, words))
		g_error("no \"%s\" in: %s", words, error->message);
}

static void destroy(World *world, CoreGuest *guest)
{
	g_autoptr(GError) error = NULL;
	core_guest_destroy(guest, FALSE, &error);
	g_assert_no_error(error);
	world_settle(world);
}

/* ---- tests ---- */

static void test_managed(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) a = define(&world, "a", BOTH);
	g_autoptr(CoreGuest) b = define(&world, "b", BOTH);
	START_OK(a);
	expect_driver(NIC, "vfio-pci");
	expect_driver(OTHER, "vfio-pci");
	g_assert_cmpuint(count_loans(&world), ==, 2);
	refuse_start(b, LODGE_ERROR_IN_USE, NIC " is in use by guest \"a\"");
	g_autoptr(GError) error = NULL;
	g_assert_false(core_nodedev_do(world.core, "pci_0000_01_00_0", nodedev_reattach, &error));
	assert_code(error, LODGE_ERROR_IN_USE);
	destroy(&world, a);
	expect_driver(NIC, "e1000e");
	expect_driver(OTHER, "e1000e");
	g_assert_cmpuint(count_loans(&world), ==, 0);
	START_OK(b);
	destroy(&world, b);
	world_close(&world);
}

static void test_groups(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) one = define(&world, "one", HOSTDEV("yes", "1", "0"));
	g_autoptr(CoreGuest) two = define(&world, "two", HOSTDEV("yes", "1", "1"));
	g_autoptr(CoreGuest) none = define(&world, "none", HOSTDEV("yes", "7", "0"));
	refuse_start(one, LODGE_ERROR_IN_USE, "nodedev-detach pci_0000_01_00_1");
	expect_driver(NIC, "e1000e"); /* as it was */
	g_assert_cmpuint(count_loans(&world), ==, 0);
	set_driver(OTHER, NULL);
	START_OK(one);
	refuse_start(two, LODGE_ERROR_IN_USE, "same IOMMU group 15, is in use by guest \"one\"");
	destroy(&world, one);
	expect_driver(NIC, "e1000e");
	set_driver(NIC, NULL);
	START_OK(two); /* it had no driver, and gets none back */
	expect_driver(OTHER, "vfio-pci");
	destroy(&world, two);
	expect_driver(OTHER, NULL);
	refuse_start(none, LODGE_ERROR_NOT_FOUND, "0000:07:00.0");
	world_close(&world);
}

static void test_unmanaged(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) guest = define(&world, "guest", HOSTDEV("no", "2", "0"));
	refuse_start(guest, LODGE_ERROR_STATE, "lodge nodedev-detach pci_0000_02_00_0");
	set_driver(CARD, "vfio-pci");
	START_OK(guest);
	destroy(&world, guest);
	expect_driver(CARD, "vfio-pci"); /* whoever gave it away takes it back */
	world_close(&world);
}

static void test_failures(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) guest = define(&world, "guest", BOTH);
	g_atomic_int_set(&refuses, TRUE);
	refuse_start(guest, LODGE_ERROR_SYSTEM, "vfio-pci did not take it");
	g_atomic_int_set(&refuses, FALSE);
	expect_driver(NIC, "e1000e");
	fake_fail(FAKE_START, 1);
	refuse_start(guest, LODGE_ERROR_ENGINE, "the fake fails");
	expect_driver(NIC, "e1000e");
	expect_driver(OTHER, "e1000e");
	g_assert_cmpuint(count_loans(&world), ==, 0);
	START_OK(guest); /* nobody holds it */
	destroy(&world, guest);
	world_close(&world);
}

static void test_crash(void)
{
	World world;
	open_world(&world);
	g_autoptr(GError) error = NULL;
	g_autoptr(CoreGuest) first = define(&world, "a", BOTH);
	START_OK(first);
	g_clear_pointer(&first, core_guest_unref);
	world_restart(&world);
	expect_driver(NIC, "vfio-pci"); /* it runs on */
	g_autoptr(CoreGuest) a = world_find(&world, "a");
	g_autoptr(CoreGuest) b = define(&world, "b", BOTH);
	refuse_start(b, LODGE_ERROR_IN_USE, "guest \"a\"");
	destroy(&world, a);
	expect_driver(NIC, "e1000e");
	START_OK(a);
	g_clear_pointer(&a, core_guest_unref);
	world_crash(&world);
	fake_dies_alone("a", REASON_CRASHED);
	world_begin(&world); /* it ended while nobody was there */
	world_settle(&world);
	expect_driver(NIC, "e1000e");
	g_assert_cmpuint(count_loans(&world), ==, 0);
	world_close(&world);
}

/* The guest's own record is lost, or the host was started again. */
static void test_sweep(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) a = define(&world, "a", HOSTDEV("yes", "2", "0"));
	START_OK(a);
	g_clear_pointer(&a, core_guest_unref);
	g_autofree char *state = world_path(&world, "run/state/a.json");
	g_autofree char *loan = world_path(&world, "run/hostdevs/" CARD ".xml");
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(loan, &text, NULL, NULL));
	world_crash(&world);
	g_assert_cmpint(unlink(state), ==, 0);
	world_begin(&world);
	expect_driver(CARD, "igb");
	g_assert_cmpuint(count_loans(&world), ==, 0);
	world_crash(&world);
	set_driver(CARD, "vfio-pci");
	char *boot = strstr(text, "boot=");
	g_assert_nonnull(boot);
	boot[strlen("boot='") + 1] ^= 1;
	g_assert_true(g_file_set_contents(loan, text, -1, NULL));
	world_begin(&world);
	expect_driver(CARD, "vfio-pci"); /* of another boot: not ours */
	g_assert_cmpuint(count_loans(&world), ==, 0);
	world_close(&world);
}

#define VF(function, more)                                                                         \
	"<interface type='hostdev' managed='yes'><mac address='52:54:00:11:22:33'/><source>"       \
	"<address type='pci' domain='0' bus='2' slot='0x10' function='" function "'/></source>" more \
	"</interface>"

static void test_function(void)
{
	static const guint8 mac[6] = { 0x52, 0x54, 0, 0x11, 0x22, 0x33 };
	World world;
	open_world(&world);
	functions[1] = (LinkFunction){ .mac = { 2, 1, 2, 3, 4, 5 }, .vlan = 7 };
	g_autoptr(CoreGuest) a = define(&world, "a", VF("1", "<vlan><tag id='42'/></vlan>"));
	g_autoptr(CoreGuest) trunk = define(&world, "trunk", VF("0", "<vlan trunk='yes'><tag id='1'/>"
								     "<tag id='2'/></vlan>"));
	START_OK(a);
	expect_driver(VF1, "vfio-pci");
	g_assert_cmpmem(functions[1].mac, 6, mac, 6);
	g_assert_cmpuint(functions[1].vlan, ==, 42);
	refuse_start(trunk, LODGE_ERROR_UNSUPPORTED, "one VLAN tag");
	expect_driver(VF0, "igbvf");
	destroy(&world, a);
	expect_driver(VF1, "igbvf");
	g_assert_cmpuint(functions[1].mac[5], ==, 5);
	g_assert_cmpuint(functions[1].vlan, ==, 7);
	world_close(&world);
}

/* <interface type='hostdev'> is for functions alone: a card has no MAC address that could be set. */
static void test_no_function(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) a = define(&world, "a", "<interface type='hostdev' managed='yes'><mac address="
						     "'52:54:00:11:22:33'/><source><address type='pci' "
						     "domain='0' bus='2' slot='0' function='0'/></source>"
						     "</interface>");
	refuse_start(a, LODGE_ERROR_UNSUPPORTED, "no virtual function");
	expect_driver(CARD, "igb");
	world_close(&world);
}

#define USB(more, product)                                                                         \
	"<hostdev mode='subsystem' type='usb'><source" more "><vendor id='0x1234'/><product id='" product \
	"'/></source></hostdev>"

static void test_usb(void)
{
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) a = define(&world, "a", USB("", "0x0001"));
	g_autoptr(CoreGuest) b = define(&world, "b", "<hostdev mode='subsystem' type='usb'><source>"
						     "<address bus='1' device='4'/></source></hostdev>");
	g_autoptr(CoreGuest) two = define(&world, "two", USB("", "0x0002"));
	g_autoptr(CoreGuest) missing = define(&world, "missing", USB("", "0x0003"));
	g_autoptr(CoreGuest) optional = define(&world, "optional",
						   USB(" startupPolicy='optional'", "0x0003"));
	START_OK(a);
	g_autoptr(GuestSnap) snap = core_guest_snap(a);
	const Hostdev *device = snap->live->guest->hostdevs->pdata[0];
	g_assert_cmpuint(device->usb->device.v, ==, 4);
	refuse_start(b, LODGE_ERROR_IN_USE, "usb 1.4 is in use by guest \"a\"");
	refuse_start(two, LODGE_ERROR_INVALID, "2 USB devices 1234:0002");
	refuse_start(missing, LODGE_ERROR_NOT_FOUND, "1234:0003");
	START_OK(optional);
	world_close(&world);
}

static void test_others(void)
{
	static const char mdev[] = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address "
				   "uuid='" MDEV "'/></source></hostdev>";
	static const char scsi[] = "<hostdev mode='subsystem' type='scsi'><source><adapter "
				   "name='scsi_host4'/><address bus='0' target='2' "
				   "unit='1'/></source><shareable/></hostdev>";
	static const char scsi_alone[] = "<hostdev mode='subsystem' type='scsi'><source><adapter "
					 "name='scsi_host4'/><address bus='0' target='2' unit='1'/></source>"
					 "</hostdev>";
	static const char scsi_none[] = "<hostdev mode='subsystem' type='scsi'><source><adapter "
					"name='scsi_host4'/><address bus='0' target='3' unit='1'/></source>"
					"</hostdev>";
	World world;
	open_world(&world);
	g_autoptr(CoreGuest) a = define(&world, "a", mdev);
	g_autoptr(CoreGuest) b = define(&world, "b", mdev);
	g_autoptr(CoreGuest) c = define(&world, "c", scsi);
	g_autoptr(CoreGuest) d = define(&world, "d", scsi);
	g_autoptr(CoreGuest) e = define(&world, "e", scsi_none);
	START_OK(a);
	refuse_start(b, LODGE_ERROR_IN_USE, "mdev " MDEV);
	START_OK(c);
	START_OK(d); /* both share */
	g_autoptr(CoreGuest) alone = define(&world, "alone", scsi_alone);
	destroy(&world, c);
	refuse_start(alone, LODGE_ERROR_IN_USE, "scsi 4:0:2:1"); /* d has it still */
	destroy(&world, d);
	START_OK(alone);
	refuse_start(e, LODGE_ERROR_NOT_FOUND, "scsi_host4 has no SCSI device at 0:3:1");
	world_close(&world);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	make_tree();
	nodedev_function = fake_function;
	thread = g_thread_new("kernel", kernel_runs, NULL);
	g_test_add_func("/core-hostdev/managed", test_managed);
	g_test_add_func("/core-hostdev/groups", test_groups);
	g_test_add_func("/core-hostdev/unmanaged", test_unmanaged);
	g_test_add_func("/core-hostdev/failures", test_failures);
	g_test_add_func("/core-hostdev/crash", test_crash);
	g_test_add_func("/core-hostdev/sweep", test_sweep);
	g_test_add_func("/core-hostdev/function", test_function);
	g_test_add_func("/core-hostdev/no-function", test_no_function);
	g_test_add_func("/core-hostdev/usb", test_usb);
	g_test_add_func("/core-hostdev/others", test_others);
	int failed = g_test_run();
	g_atomic_int_set(&over, TRUE);
	g_thread_join(thread);
	file_remove_tree(root, NULL);
	g_free(root);
	return failed;
}

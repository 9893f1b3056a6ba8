/* Tests of nodedev/ on a tree that looks like /sys: a server with SR-IOV, USB, SCSI, NVMe, Fibre Channel, a
 * card that offers mediated devices. Documents: tests/golden/nodedev/NAME.xml, which e2e holds to libvirt's
 * schema; LODGE_BLESS=1 writes them anew. Where the kernel has to do something, a thread does it. */
#include "base/error.h"
#include "nodedev/internal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define P "/sys/devices/pci0000:00/"
#define PORT P "0000:00:01.0/"
#define CARD PORT "0000:01:00.0"
#define GPU P "0000:00:02.0"
#define MDEV_UUID "b7f0fa06-1111-4c64-9a2f-9d3c4be0f001"
#define WAIT 60 /* seconds */

/* ---- the tree ---- */

static char *root;
static NodeTree tree;

static char *at(const char *path)
{
	return g_strconcat(root, path, NULL);
}

static void put_bytes(const char *path, gconstpointer bytes, gssize n)
{
	g_autofree char *file = at(path);
	g_autofree char *folder = g_path_get_dirname(file);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(file, bytes, n, NULL));
}

static void put(const char *path, const char *name, const char *text)
{
	g_autofree char *file = g_strconcat(path, "/", name, NULL);
	put_bytes(file, text, (gssize)strlen(text));
}

static void put_link(const char *path, const char *name, const char *target)
{
	g_autofree char *own = g_strconcat(path, "/", name, NULL);
	g_autofree char *file = at(own);
	g_autofree char *folder = g_path_get_dirname(file);
	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	unlink(file);
	g_assert_cmpint(symlink(target, file), ==, 0);
}


static char *get(const char *path, const char *name)
{
	g_autofree char *own = g_strconcat(path, "/", name, NULL);
	g_autofree char *file = at(own);
	char *text = NULL;
	g_file_get_contents(file, &text, NULL, NULL);
	return text;
}

/* A device at @path of @subsystem, found by way of @folder below /sys. */
static void device(const char *path, const char *subsystem, const char *folder, const char *uevent)
{
	g_autofree char *list = g_strconcat("/sys/", folder, NULL);
	g_autofree char *target = g_strconcat(g_str_has_prefix(folder, "bus") ? "../../.." : "../..",
					      path + strlen("/sys"), NULL);
	g_autofree char *sub = g_strconcat("../../bus/", subsystem, NULL);
	put(path, "uevent", uevent);
	put_link(path, "subsystem", sub);
	put_link(list, sysname(path), target);
}

static void pci(const char *path, const char *vendor, const char *product, const char *class,
		const char *driver)
{
	g_autofree char *uevent = driver ? g_strdup_printf("DRIVER=%s\nPCI_CLASS=1\n", driver) : g_strdup("");
	g_autofree char *link = g_strconcat(root, "/sys/bus/pci/drivers/", driver, NULL);
	device(path, "pci", "bus/pci/devices", uevent);
	put(path, "vendor", vendor);
	put(path, "device", product);
	put(path, "class", class);
	if (driver)
		put_link(path, "driver", link);
}

/* Configuration space with PCI Express at 0x40: 8 GT/s and 8 lanes at most, 5 GT/s and 4 now, port 2. */
static void express(const char *path, guint8 header)
{
	g_autofree char *file = g_strconcat(path, "/config", NULL);
	guint8 config[256] = { [0x06] = 0x10, [0x0e] = header, [0x34] = 0x40, [0x40] = 0x10, [0x42] = 0x02,
			       [0x4c] = 0x83, [0x4f] = 2, [0x52] = 0x42 };
	put_bytes(file, config, sizeof config);
}

static void make_sriov(void)
{
	static const guint8 vpd[] = {
		130, 20, 0, 'E', 't', 'h', 'e', 'r', 'n', 'e', 't', ' ', 'A', 'd', 'a', 'p', 't', 'e', 'r',
			' ',
		'1', '0', 'G', 144, 13, 0, 'P', 'N', 6, 'A', 'B', '-', '1', '2', '3', 'R', 'V', 1, 0x52,
			0x91, 10,
		0, 'Y', 'A', 7, 'a', 's', 's', 'e', 't', ' ', '7', 120,
	};
	pci(P "0000:00:01.0", "0x8086", "0x6f02", "0x060400", "pcieport");
	express(P "0000:00:01.0", 1);
	pci(CARD, "0x8086", "0x10fb", "0x020000", "ixgbe");
	express(CARD, 0);
	put(CARD, "sriov_totalvfs", "63\n");
	put(CARD, "numa_node", "1\n");
	put_bytes(CARD "/vpd", vpd, sizeof vpd);
	put(CARD, "driver_override", "(null)\n");
	for (guint i = 0; i < 2; i++) {
		g_autofree char *path = g_strdup_printf(PORT "0000:01:10.%u", i * 2);
		g_autofree char *name = g_strdup_printf("virtfn%u", i);
		g_autofree char *target = g_strconcat("../", sysname(path), NULL);
		pci(path, "0x8086", "0x10ed", "0x020000", "ixgbevf");
		put_link(path, "physfn", "../0000:01:00.0");
		put_link(CARD, name, target);
	}
	put_link(CARD, "iommu_group", "../../../../kernel/iommu_groups/15");
	put_link("/sys/kernel/iommu_groups/15/devices", "0000:01:00.0", "../../../../devices/x");
	put_link("/sys/kernel/iommu_groups/15/devices", "0000:01:00.1", "../../../../devices/y");
	device(CARD "/net/enp1s0", "net", "class/net", "INTERFACE=enp1s0\nIFINDEX=2\n");
	put(CARD "/net/enp1s0", "address", "52:54:00:AA:bb:01\n");
	put(CARD "/net/enp1s0", "operstate", "up\n");
	put(CARD "/net/enp1s0", "speed", "10000\n");
	device("/sys/devices/virtual/net/br0", "net", "class/net", "DEVTYPE=bridge\nINTERFACE=br0\n");
	put("/usr/share/misc", "pci.ids",
	    "# list\n8086  Intel Corporation\n\t10fb  82599ES 10-Gigabit SFI/SFP+\n\t\t8086 0003  X520-2\n"
	    "1234  Other\n\t10fb  Wrong\n");
}

static void make_mdev(void)
{
	static const char types[] = GPU "/mdev_supported_types/i915-GVTg_V5_4";
	pci(GPU, "0x8086", "0x5912", "0x030000", "i915");
	put(types, "available_instances", "1\n");
	put(types, "device_api", "vfio-pci\n");
	put(types, "name", "Virtual GPU\n");
	put(types, "create", "");
	device(GPU "/" MDEV_UUID, "mdev", "bus/mdev/devices", "DRIVER=vfio_mdev\n");
	put_link(GPU "/" MDEV_UUID, "mdev_type", "../mdev_supported_types/i915-GVTg_V5_4");
	put_link(GPU "/" MDEV_UUID, "iommu_group", "../../../../kernel/iommu_groups/12");
	device(GPU "/drm/card0", "drm", "class/drm",
	       "MAJOR=226\nMINOR=0\nDEVNAME=dri/card0\nDEVTYPE=drm_minor\n");
	device(GPU "/drm/renderD128", "drm", "class/drm",
	       "MAJOR=226\nMINOR=128\nDEVNAME=dri/renderD128\nDEVTYPE=drm_minor\n");
}

static void make_disks(void)
{
	static const char nvme[] = P "0000:00:03.0/nvme/nvme0/nvme0n1";
	static const char usb[] = P "0000:00:14.0/usb1/1-4";
	static const char sr[] = P "0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sr0";
	pci(P "0000:00:03.0", "0x144d", "0xa808", "0x010802", "nvme");
	device(nvme, "block", "class/block", "MAJOR=259\nMINOR=0\nDEVNAME=nvme0n1\nDEVTYPE=disk\n");
	put(nvme, "size", "1953525168\n");
	put(nvme, "removable", "0\n");
	put(nvme, "queue/logical_block_size", "4096\n");
	put(nvme, "device/model", "Samsung SSD 970   \n");
	put("/run/udev/data", "b259:0",
	    "S:disk/by-id/nvme-S1\nS:disk/by-id/a\nE:ID_SERIAL=S1_\"2\"\nE:BAD\n");
	device(P "0000:00:03.0/nvme/nvme0/nvme0n1/nvme0n1p1", "block", "class/block", "DEVTYPE=partition\n");
	device("/sys/devices/virtual/block/loop0", "block", "class/block", "DEVNAME=loop0\nDEVTYPE=disk\n");
	device(usb, "usb", "bus/usb/devices", "DEVTYPE=usb_device\nDRIVER=usb\nMAJOR=189\nMINOR=3\n"
	       "DEVNAME=bus/usb/001/004\n");
	put(usb, "busnum", "1\n");
	put(usb, "devnum", "4\n");
	put(usb, "idVendor", "046d\n");
	put(usb, "idProduct", "c31c\n");
	put(usb, "product", "USB <Keyboard>\n");
	put(usb, "manufacturer", "Logitech\n");
	device(P "0000:00:14.0/usb1/1-4/1-4:1.0", "usb", "bus/usb/devices",
	       "DEVTYPE=usb_interface\nDRIVER=usbhid\n");
	put(P "0000:00:14.0/usb1/1-4/1-4:1.0", "bInterfaceNumber", "00\n");
	put(P "0000:00:14.0/usb1/1-4/1-4:1.0", "bInterfaceClass", "03\n");
	put(P "0000:00:14.0/usb1/1-4/1-4:1.0", "bInterfaceSubClass", "01\n");
	put(P "0000:00:14.0/usb1/1-4/1-4:1.0", "bInterfaceProtocol", "0a\n");
	pci(P "0000:00:1f.2", "0x8086", "0xa102", "0x010601", "ahci");
	device(P "0000:00:1f.2/ata1/host0", "scsi", "bus/scsi/devices", "DEVTYPE=scsi_host\n");
	put("/sys/class/scsi_host/host0", "unique_id", "1\n");
	device(P "0000:00:1f.2/ata1/host0/target0:0:0", "scsi", "bus/scsi/devices", "DEVTYPE=scsi_target\n");
	device(P "0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "scsi", "bus/scsi/devices",
	       "DEVTYPE=scsi_device\nDRIVER=sr\n");
	put(P "0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "type", "5\n");
	device(P "0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/scsi_generic/sg0", "scsi_generic",
	       "class/scsi_generic", "MAJOR=21\nMINOR=0\nDEVNAME=sg0\n");
	device(sr, "block", "class/block", "MAJOR=11\nMINOR=0\nDEVNAME=sr0\nDEVTYPE=disk\n");
	put(sr, "size", "2097151\n");
	put(sr, "removable", "1\n");
	put("/run/udev/data", "b11:0",
	    "E:ID_TYPE=cd\nE:ID_CDROM=1\nE:ID_CDROM_MEDIA=1\nE:ID_FS_LABEL=DEBIAN\n"
	    "E:ID_BUS=ata\nE:ID_SERIAL=QM1\n");
}

static void make_fc(void)
{
	static const char host[] = P "0000:00:04.0/host5";
	pci(P "0000:00:04.0", "0x1077", "0x2532", "0x0c0400", "qla2xxx");
	device(host, "scsi", "bus/scsi/devices", "DEVTYPE=scsi_host\n");
	put("/sys/class/scsi_host/host5", "unique_id", "0\n");
	put("/sys/class/fc_host/host5", "node_name", "0x2001001b32a9da4e\n");
	put("/sys/class/fc_host/host5", "port_name", "0x2101001b32a9da4e\n");
	put("/sys/class/fc_host/host5", "fabric_name", "0x2001000dec9877c1\n");
	put("/sys/class/fc_host/host5", "max_npiv_vports", "127\n");
	put("/sys/class/fc_host/host5", "npiv_vports_inuse", "0\n");
	put("/sys/class/fc_host/host5", "vport_create", "");
	put("/sys/class/fc_host/host5", "vport_delete", "");
	device(P "0000:00:04.0/host5/rport-5:0-0/target5:0:0", "scsi", "bus/scsi/devices",
	       "DEVTYPE=scsi_target\n");
	put("/sys/class/fc_remote_ports/rport-5:0-0", "port_name", "0x5006016844602198\n");
	put("/sys/devices/virtual/dmi/id", "sys_vendor", "QEMU\n");
	put("/sys/devices/virtual/dmi/id", "product_uuid", "AABBCCDD-0000-4000-8000-000000000001\n");
	put("/sys/devices/virtual/dmi/id", "bios_version", "1.16\n");
}

static void make_tree(void)
{
	root = g_dir_make_tmp("lodge-nodedev-XXXXXX", NULL);
	tree = (NodeTree){ .root = root };
	make_sriov();
	make_mdev();
	make_disks();
	make_fc();
	put("/sys/bus/pci/drivers/vfio-pci", "bind", "");
	put("/sys/bus/pci", "drivers_probe", "");
}

static NodeDev *find(const char *name)
{
	g_autoptr(GPtrArray) all = nodedev_scan(&tree);
	for (guint i = 0; i < all->len; i++)
		if (g_str_equal(((NodeDev *)all->pdata[i])->name, name))
			return node_dev_ref(all->pdata[i]);
	return NULL;
}

/* ---- what there is ---- */

static void test_names(void)
{
	static const char *const names[][2] = {
		{ "block_nvme0n1_S1__2_", "pci_0000_00_03_0" },
		{ "block_sr0_QM1", "scsi_0_0_0_0" },
		{ "computer", NULL },
		{ "drm_card0", "pci_0000_00_02_0" },
		{ "drm_renderD128", "pci_0000_00_02_0" },
		{ "mdev_b7f0fa06_1111_4c64_9a2f_9d3c4be0f001_0000_00_02_0", "pci_0000_00_02_0" },
		{ "net_enp1s0_52_54_00_AA_bb_01", "pci_0000_01_00_0" },
		{ "pci_0000_00_01_0", "computer" },
		{ "pci_0000_00_02_0", "computer" },
		{ "pci_0000_00_03_0", "computer" },
		{ "pci_0000_00_04_0", "computer" },
		{ "pci_0000_00_1f_2", "computer" },
		{ "pci_0000_01_00_0", "pci_0000_00_01_0" },
		{ "pci_0000_01_10_0", "pci_0000_00_01_0" },
		{ "pci_0000_01_10_2", "pci_0000_00_01_0" },
		{ "scsi_0_0_0_0", "scsi_target0_0_0" },
		{ "scsi_generic_sg0", "scsi_0_0_0_0" },
		{ "scsi_host0", "pci_0000_00_1f_2" },
		{ "scsi_host5", "pci_0000_00_04_0" },
		{ "scsi_target0_0_0", "scsi_host0" },
		{ "scsi_target5_0_0", "scsi_host5" },
		{ "usb_1_4", "computer" },
		{ "usb_1_4_1_0", "usb_1_4" },
	};
	g_autoptr(GPtrArray) all = nodedev_scan(&tree);
	for (guint i = 0; i < MIN(all->len, G_N_ELEMENTS(names)); i++) {
		const NodeDev *dev = all->pdata[i];
		g_assert_cmpstr(dev->name, ==, names[i][0]);
		g_assert_cmpstr(dev->parent, ==, names[i][1]);
	}
	g_assert_cmpuint(all->len, ==, G_N_ELEMENTS(names));
	g_autoptr(NodeDev) fc = find("scsi_host5");
	g_assert_cmphex(fc->caps, ==,
			NODE_BIT(NODE_SCSI_HOST) | NODE_BIT(NODE_FC_HOST) | NODE_BIT(NODE_VPORTS));
	g_autoptr(NodeDev) gpu = find("pci_0000_00_02_0");
	g_assert_cmphex(gpu->caps, ==, NODE_BIT(NODE_PCI) | NODE_BIT(NODE_MDEV_TYPES));
}

static void test_documents(void)
{
	g_autoptr(GPtrArray) all = nodedev_scan(&tree);
	for (guint i = 0; i < all->len; i++) {
		const NodeDev *dev = all->pdata[i];
		g_autoptr(GError) error = NULL;
		g_autoptr(NodeDevice) read = nodedev_read(&tree, dev, &error);
		g_assert_no_error(error);
		g_autofree char *xml = shape_to_xml(&node_device_shape, "device", read, SHAPE_XML_LIVE);
		g_autofree char *golden = g_strdup_printf("%s/tests/golden/nodedev/%s.xml",
							  g_getenv("LODGE_SOURCE"), dev->name);
		g_autofree char *wanted = NULL;
		if (g_getenv("LODGE_BLESS"))
			g_file_set_contents(golden, xml, -1, NULL);
		g_assert_true(g_file_get_contents(golden, &wanted, NULL, NULL));
		g_assert_cmpstr(xml, ==, wanted);
	}
}

static void test_gone(void)
{
	g_autoptr(NodeDev) dev = node_dev_new(NODE_NET, "net_gone", "/sys/devices/virtual/net/gone");
	g_autoptr(GError) error = NULL;
	g_assert_null(nodedev_read(&tree, dev, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_assert_null(nodedev_look(&tree, "/sys/devices/virtual/net/gone"));
}

/* ---- drivers ---- */

/* What the kernel would do: whoever is written to `unbind` loses its driver, whoever is written to
 * drivers_probe gets the one of its driver_override, or its own. */
typedef struct Kernel {
	GThread *thread;
	gint end;
	const char *own;
	gboolean refuses; /* vfio-pci does not take it */
} Kernel;

static gboolean taken(const char *path, const char *name)
{
	g_autofree char *text = get(path, name);
	if (!text || !strstr(text, "0000:01:00.0"))
		return FALSE;
	put(path, name, "");
	return TRUE;
}

static gpointer kernel_runs(gpointer data)
{
	Kernel *kernel = data;
	g_autofree char *driver = at(CARD "/driver");
	while (!g_atomic_int_get(&kernel->end)) {
		if (taken(CARD "/driver", "unbind"))
			unlink(driver);
		if (taken("/sys/bus/pci", "drivers_probe")) {
			g_autofree char *override = get(CARD, "driver_override");
			gboolean vfio = g_str_has_prefix(override, "vfio-pci");
			g_autofree char *link = g_strconcat(root, "/sys/bus/pci/drivers/",
							    vfio ? "vfio-pci" : kernel->own, NULL);
			if (!vfio || !kernel->refuses)
				put_link(CARD, "driver", link);
		}
		g_usleep(1000);
	}
	return NULL;
}

static void kernel_start(Kernel *kernel)
{
	put("/sys/bus/pci/drivers/ixgbe", "unbind", "");
	put("/sys/bus/pci/drivers/vfio-pci", "unbind", "");
	kernel->own = "ixgbe";
	kernel->thread = g_thread_new("kernel", kernel_runs, kernel);
}

static void kernel_stop(Kernel *kernel)
{
	g_atomic_int_set(&kernel->end, TRUE);
	g_thread_join(kernel->thread);
}

static void expect_driver(const char *name)
{
	for (guint i = 0; i < WAIT * 100; i++) {
		g_autofree char *now = sysfs_link(&tree, CARD, "driver");
		if (!g_strcmp0(now, name))
			return;
		g_usleep(10000);
	}
	g_error("the driver is not %s", name);
}

static void test_detach(void)
{
	Kernel kernel = { 0 };
	g_autoptr(NodeDev) dev = find("pci_0000_01_00_0");
	g_autoptr(GError) error = NULL;
	kernel_start(&kernel);
	g_assert_true(nodedev_detach(&tree, dev, &error));
	g_assert_no_error(error);
	expect_driver("vfio-pci");
	g_assert_true(nodedev_detach(&tree, dev, &error)); /* again: it has it */
	g_assert_true(nodedev_reattach(&tree, dev, &error));
	expect_driver("ixgbe");
	g_autofree char *override = get(CARD, "driver_override");
	g_assert_cmpint(override[0], ==, '\n');
	g_assert_true(nodedev_reattach(&tree, dev, &error)); /* the host has it */
	kernel_stop(&kernel);
}

static void test_detach_fails(void)
{
	Kernel kernel = { .refuses = TRUE };
	g_autoptr(NodeDev) dev = find("pci_0000_01_00_0");
	g_autoptr(GError) error = NULL;
	kernel_start(&kernel);
	g_assert_false(nodedev_detach(&tree, dev, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_SYSTEM);
	expect_driver("ixgbe"); /* as it was */
	kernel_stop(&kernel);
}

static void refuse_detach(const char *name, LodgeError code, const char *words)
{
	g_autoptr(NodeDev) dev = find(name);
	g_autoptr(GError) error = NULL;
	g_assert_false(nodedev_detach(&tree, dev, &error));
	g_assert_error(error, LODGE_ERROR, (int)code);
	g_assert_nonnull(strstr(error->message, words));
}

static void test_refusals(void)
{
	refuse_detach("usb_1_4", LODGE_ERROR_INVALID, "not a PCI device");
	refuse_detach("pci_0000_00_02_0", LODGE_ERROR_UNSUPPORTED, "no IOMMU group");
	put("/sys/class/block/nvme0n1", "dev", "259:0\n");
	put_link(P "0000:00:03.0", "iommu_group", "../../../kernel/iommu_groups/15");
	put("/proc/self", "mountinfo", "22 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
	refuse_detach("pci_0000_00_03_0", LODGE_ERROR_IN_USE, "nvme0n1");
	put("/proc/self", "mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n");
	put("/proc", "swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p1 partition 8 0 -2\n");
	refuse_detach("pci_0000_00_03_0", LODGE_ERROR_IN_USE, "nvme0n1p1");
	put("/proc", "swaps", "");
	put("/sys/fs/btrfs/0f5e/devices/nvme0n1p1", "dev", "259:1\n");
	refuse_detach("pci_0000_00_03_0", LODGE_ERROR_IN_USE, "nvme0n1p1");
	g_autofree char *btrfs = at("/sys/fs/btrfs/0f5e"), *gone = g_strconcat(root, "/gone", NULL);
	g_assert_cmpint(rename(btrfs, gone), ==, 0);
	/* a disk that several controllers lead to */
	put_link("/sys/class/block", "nvme1c0n2",
		 "../../devices/pci0000:00/0000:00:03.0/nvme/nvme1/nvme1c0n2");
	put("/sys/class/block/nvme1n2", "dev", "259:7\n");
	put("/proc/self", "mountinfo", "22 1 259:7 / /srv rw - xfs /dev/nvme1n2 rw\n");
	refuse_detach("pci_0000_00_03_0", LODGE_ERROR_IN_USE, "nvme1n2");
	put("/proc/self", "mountinfo", "");
	g_autofree char *group = at(P "0000:00:03.0/iommu_group");
	unlink(group);
	g_autoptr(NodeDev) dev = find("pci_0000_01_00_0");
	g_autoptr(GError) error = NULL;
	g_assert_false(nodedev_reset(&tree, dev, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
	put(CARD, "reset", "");
	g_assert_true(nodedev_reset(&tree, dev, NULL));
	g_autofree char *reset = get(CARD, "reset");
	g_assert_cmpstr(reset, ==, "1");
}

/* ---- devices that are made ---- */

#define MDEV(type, attrs)                                                                              \
	"<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type id='" type "'/>"       \
	"<uuid>c7f0fa06-1111-4c64-9a2f-9d3c4be0f002</uuid>" attrs "</capability></device>"
#define SECOND "mdev_c7f0fa06_1111_4c64_9a2f_9d3c4be0f002_0000_00_02_0"

typedef char *(*MakeFn)(const NodeTree *, NodeDevice *, const GPtrArray *, GError **);

static char *make(MakeFn fn, const char *xml, GError **error)
{
	g_autoptr(GPtrArray) all = nodedev_scan(&tree);
	g_autoptr(NodeDevice) read = shape_from_xml(&node_device_shape, "device", xml, -1, NULL, NULL, error);
	return read ? fn(&tree, read, all, error) : NULL;
}

static void refuse_make(MakeFn fn, const char *xml, LodgeError code)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(make(fn, xml, &error));
	g_assert_error(error, LODGE_ERROR, (int)code);
}

static void test_mdev(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = make(nodedev_define, MDEV("i915-GVTg_V5_4", "<attr name='a' value='1'/>"),
				     &error);
	g_assert_no_error(error);
	g_assert_cmpstr(name, ==, SECOND);
	g_autoptr(NodeDev) dev = find(SECOND);
	g_assert_true(!dev->active && dev->persistent && !dev->autostart);
	g_assert_cmpstr(dev->parent, ==, "pci_0000_00_02_0");
	g_assert_true(nodedev_autostart(&tree, dev, TRUE, &error));
	g_autoptr(NodeDev) marked = find(SECOND);
	g_assert_true(marked->autostart);
	/* the kernel makes no folder here: what is set afterwards cannot be, and it says so */
	g_assert_false(nodedev_start(&tree, marked, &error));
	g_autofree char *created = get(GPU "/mdev_supported_types/i915-GVTg_V5_4", "create");
	g_assert_cmpstr(created, ==, "c7f0fa06-1111-4c64-9a2f-9d3c4be0f002");
	g_assert_true(nodedev_undefine(&tree, marked, NULL));
	g_autoptr(NodeDev) gone = find(SECOND);
	g_assert_null(gone);
}

static void test_mdev_refusals(void)
{
	refuse_make(nodedev_create, MDEV("nosuch", ""), LODGE_ERROR_UNSUPPORTED);
	refuse_make(nodedev_create, MDEV("../../x", ""), LODGE_ERROR_INVALID);
	refuse_make(nodedev_create, MDEV("i915-GVTg_V5_4", "<attr name='../../remove' value='1'/>"),
		    LODGE_ERROR_INVALID);
	refuse_make(nodedev_create, "<device><parent>usb_1_4</parent><capability type='mdev'><type id='x'/>"
		    "</capability></device>", LODGE_ERROR_UNSUPPORTED);
	refuse_make(nodedev_define, "<device><capability type='net'/></device>", LODGE_ERROR_UNSUPPORTED);
	put(GPU "/mdev_supported_types/i915-GVTg_V5_4", "available_instances", "0\n");
	refuse_make(nodedev_create, MDEV("i915-GVTg_V5_4", ""), LODGE_ERROR_IN_USE);
	put(GPU "/mdev_supported_types/i915-GVTg_V5_4", "available_instances", "1\n");
	/* what somebody else left there is no definition, and no reason to show nothing */
	put("/etc/mdevctl.d/0000:00:02.0", "d7f0fa06-1111-4c64-9a2f-9d3c4be0f003", "{");
	g_autoptr(NodeDev) broken = find("mdev_d7f0fa06_1111_4c64_9a2f_9d3c4be0f003_0000_00_02_0");
	g_autoptr(GError) error = NULL;
	g_assert_null(nodedev_read(&tree, broken, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_assert_true(nodedev_undefine(&tree, broken, NULL));
	g_autoptr(NodeDev) nvme = find("pci_0000_00_03_0");
	g_assert_false(nodedev_destroy(&tree, nvme, NULL));
}

static gpointer fabric_runs(G_GNUC_UNUSED gpointer data)
{
	for (guint i = 0; i < WAIT * 100; i++) {
		g_autofree char *asked = get("/sys/class/fc_host/host5", "vport_create");
		if (asked && strstr(asked, "2101001b32a9da4f:2001001b32a9da4f")) {
			put("/sys/class/fc_host/host6", "node_name", "0x2001001b32a9da4f\n");
			put("/sys/class/fc_host/host6", "port_name", "0x2101001b32a9da4f\n");
			return NULL;
		}
		g_usleep(10000);
	}
	return NULL;
}

static void test_vhba(void)
{
	static const char path[] = P "0000:00:04.0/host5/vport-5:0-0/host6";
	g_autoptr(GError) error = NULL;
	GThread *fabric = g_thread_new("fabric", fabric_runs, NULL);
	g_autofree char *name = make(
		nodedev_create,
		"<device><parent wwnn='2001001b32a9da4e' wwpn='2101001b32a9da4e'/><capability "
			"type='scsi_host'>"
		"<capability type='fc_host'><wwnn>2001001b32a9da4f</wwnn><wwpn>2101001b32a9da4f</wwpn>"
		"</capability></capability></device>", &error);
	g_thread_join(fabric);
	g_assert_no_error(error);
	g_assert_cmpstr(name, ==, "scsi_host6");
	refuse_make(nodedev_create, "<device><parent>scsi_host0</parent><capability type='scsi_host'>"
		    "<capability type='fc_host'/></capability></device>", LODGE_ERROR_UNSUPPORTED);
	device(path, "scsi", "bus/scsi/devices", "DEVTYPE=scsi_host\n");
	g_autoptr(NodeDev) dev = find("scsi_host6");
	g_assert_true(nodedev_destroy(&tree, dev, &error));
	g_autofree char *deleted = get("/sys/class/fc_host/host5", "vport_delete");
	g_assert_cmpstr(deleted, ==, "2101001b32a9da4f:2001001b32a9da4f");
	g_autoptr(NodeDev) real = find("scsi_host5");
	g_assert_false(nodedev_destroy(&tree, real, NULL));
}

/* ---- news ---- */

static void test_news(void)
{
	static const char kernel[] = "add@/devices/a\0ACTION=add\0DEVPATH=/devices/a\0SUBSYSTEM=net";
	static const char evil[] = "add@/devices/a\0ACTION=add\0DEVPATH=/devices/../../etc";
	static const char cut[] = "add@/devices/a\0ACTION=add\0DEVPATH=/dev";
	Uevent event;
	g_assert_true(uevent_parse(kernel, sizeof kernel, &event));
	g_assert_cmpstr(event.action, ==, "add");
	g_assert_cmpstr(event.path, ==, "/sys/devices/a");
	uevent_clear(&event);
	g_assert_false(uevent_parse(evil, sizeof evil, &event));
	g_assert_false(uevent_parse(cut, sizeof cut - 1, &event));
	g_assert_false(uevent_parse("", 0, &event));
}

static void remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *one = g_build_filename(path, name, NULL);
		struct stat st;
		if (lstat(one, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(one);
		else
			unlink(one);
	}
	if (dir)
		g_dir_close(dir);
	rmdir(path);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	make_tree();
	g_test_add_func("/nodedev/names", test_names);
	g_test_add_func("/nodedev/documents", test_documents);
	g_test_add_func("/nodedev/gone", test_gone);
	g_test_add_func("/nodedev/detach", test_detach);
	g_test_add_func("/nodedev/detach-fails", test_detach_fails);
	g_test_add_func("/nodedev/refusals", test_refusals);
	g_test_add_func("/nodedev/mdev", test_mdev);
	g_test_add_func("/nodedev/mdev-refusals", test_mdev_refusals);
	g_test_add_func("/nodedev/vhba", test_vhba);
	g_test_add_func("/nodedev/news", test_news);
	int result = g_test_run();
	remove_tree(root);
	g_free(root);
	return result;
}

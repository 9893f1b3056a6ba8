/* PCI devices: ids and names, functions of SR-IOV, IOMMU group, PCI Express links, mediated devices they
 * offer. Sources: PCI Local Bus Specification 3.0 (header, list of capabilities), PCI Express Base
 * Specification 3.0 (7.8: link registers), the kernel's Documentation/ABI/testing/sysfs-bus-pci. */
#include "nodedev/internal.h"

#include <stdio.h>
#include <string.h>

#define CONFIG 256	       /* bytes of the part that every device has */
#define MAX_VPD 32768	       /* what the specification allows */
#define STATUS 0x06
#define STATUS_CAPABILITIES 0x10
#define HEADER_TYPE 0x0e
#define FIRST_CAPABILITY 0x34
#define CAP_EXPRESS 0x10
#define EXPRESS_FLAGS 0x02     /* within the capability */
#define EXPRESS_LINK_CAP 0x0c
#define EXPRESS_LINK_STATUS 0x12
#define TYPE_ROOT_ENDPOINT 0x9 /* has no link, as TYPE_ROOT_COLLECTOR */
#define TYPE_ROOT_COLLECTOR 0xa

gboolean nodedev_pci_address(const char *text, guint at[4])
{
	int end = 0;
	return text && sscanf(text, "%8x:%2x:%2x.%1x%n", &at[0], &at[1], &at[2], &at[3], &end) == 4 &&
		!text[end];
}

static NodePciAddress *address_new(const char *text)
{
	guint at[4];
	return nodedev_pci_address(text, at) ? node_pci_address_new(at[0], at[1], at[2], at[3]) : NULL;
}

static void add_address(GPtrArray **list, const char *text)
{
	NodePciAddress *address = address_new(text);
	if (address)
		node_append_address(list, address);
}

/* ---- configuration space ---- */

static guint word(const guint8 *config, gsize at)
{
	return config[at] | (guint)config[at + 1] << 8;
}

/* Where the capability PCI Express stands; 0: nowhere. */
static gsize express_at(const guint8 *config, gsize n)
{
	gsize at = n >= CONFIG && word(config, STATUS) & STATUS_CAPABILITIES ?
		config[FIRST_CAPABILITY] & ~3u : 0;
	for (guint i = 0; i < CONFIG / 4 && at >= 0x40 && at + 2 <= CONFIG; i++) {
		if (config[at] == CAP_EXPRESS)
			return at + EXPRESS_LINK_STATUS + 2 <= CONFIG ? at : 0;
		at = config[at + 1] & ~3u;
	}
	return 0;
}

static void read_express(const guint8 *config, gsize n, NodeCapability *cap)
{
	static const char *const speeds[] = { NULL, "2.5", "5", "8", "16", "32", "64" };
	gsize at = express_at(config, n);
	guint type = at ? word(config, at + EXPRESS_FLAGS) >> 4 & 15 : 0;
	cap->express = at != 0 || n > CONFIG; /* only PCI Express has more */
	if (!at || type == TYPE_ROOT_ENDPOINT || type == TYPE_ROOT_COLLECTOR)
		return;
	guint able = word(config, at + EXPRESS_LINK_CAP), now = word(config, at + EXPRESS_LINK_STATUS);
	node_append_link(cap, "cap", OPT_UINT(config[at + EXPRESS_LINK_CAP + 3]),
			 (able & 15) < G_N_ELEMENTS(speeds) ? speeds[able & 15] : NULL, able >> 4 & 63);
	node_append_link(cap, "sta", (OptUint){ 0 }, (now & 15) < G_N_ELEMENTS(speeds) ? speeds[now & 15] :
			 NULL,
			 now >> 4 & 63);
}

static void read_config(const NodeTree *tree, const char *path, NodeDevice *device)
{
	guint8 config[CONFIG + 1];
	gsize n = sysfs_bytes(tree, path, "config", config, sizeof config);
	guint type = n > HEADER_TYPE ? config[HEADER_TYPE] & 0x7f : 0;
	if (type == 1)
		node_device_add(device, SUB_PCI_BRIDGE);
	if (type == 2)
		node_device_add(device, SUB_CARDBUS_BRIDGE);
	read_express(config, n, device->capability);
}

/* ---- what hangs together ---- */

static void read_functions(const NodeTree *tree, const char *path, NodeDevice *device)
{
	g_autofree char *physical = sysfs_link(tree, path, "physfn");
	OptUint total = sysfs_uint(tree, path, "sriov_totalvfs", 10);
	if (physical)
		add_address(&node_device_add(device, SUB_PHYS_FUNCTION)->addresses, physical);
	if (!total.set)
		return;
	NodeSubCap *sub = node_device_add(device, SUB_VIRT_FUNCTIONS);
	sub->maxCount = total;
	for (guint i = 0; i < MIN(total.v, 65536); i++) {
		g_autofree char *link = g_strdup_printf("virtfn%u", i);
		g_autofree char *name = sysfs_link(tree, path, link);
		if (!name)
			break;
		add_address(&sub->addresses, name);
	}
}

static void read_group(const NodeTree *tree, const char *path, NodeDevice *device)
{
	g_autofree char *name = sysfs_link(tree, path, "iommu_group");
	if (!name)
		return;
	g_autofree char *folder = g_strdup_printf("/sys/kernel/iommu_groups/%s/devices", name);
	g_autoptr(GPtrArray) members = sysfs_names(tree, folder, NULL);
	GPtrArray *addresses = NULL;
	for (guint i = 0; i < members->len; i++)
		add_address(&addresses, members->pdata[i]);
	if (!addresses)
		return;
	node_device_group(device, g_ascii_strtoull(name, NULL, 10))->addresses = addresses;
}

static void read_mdev_types(const NodeTree *tree, const char *path, NodeDevice *device)
{
	g_autofree char *folder = g_strconcat(path, "/mdev_supported_types", NULL);
	g_autoptr(GPtrArray) names = sysfs_names(tree, folder, NULL);
	NodeSubCap *sub = names->len ? node_device_add(device, SUB_MDEV_TYPES) : NULL;
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *type = g_strconcat(folder, "/", names->pdata[i], NULL);
		NodeMdevType *item = node_add_mdev_type(sub);
		item->id = g_strdup(names->pdata[i]);
		item->name = sysfs_text(tree, type, "name");
		item->deviceAPI = sysfs_text(tree, type, "device_api");
		item->availableInstances =
			OPT_UINT(opt_uint_or(sysfs_uint(tree, type, "available_instances", 10), 0));
	}
}

static void read_vpd(const NodeTree *tree, const char *path, NodeDevice *device)
{
	if (!sysfs_exists(tree, path, "vpd"))
		return;
	g_autofree guint8 *bytes = g_malloc(MAX_VPD);
	vpd_read(bytes, sysfs_bytes(tree, path, "vpd", bytes, MAX_VPD), device);
}

void read_pci(const NodeTree *tree, const char *path, NodeDevice *device)
{
	NodeCapability *cap = device->capability;
	guint at[4] = { 0 };
	OptUint class = sysfs_uint(tree, path, "class", 16);
	OptInt node = sysfs_int(tree, path, "numa_node");
	if (class.set)
		cap->pci_class = g_strdup_printf("0x%06x", (guint)class.v & 0xffffff);
	nodedev_pci_address(sysname(path), at);
	cap->domain = OPT_UINT(at[0]);
	cap->bus = OPT_UINT(at[1]);
	cap->slot = OPT_UINT(at[2]);
	cap->function = OPT_UINT(at[3]);
	cap->product_id = OPT_UINT(opt_uint_or(sysfs_uint(tree, path, "device", 16), 0));
	cap->vendor_id = OPT_UINT(opt_uint_or(sysfs_uint(tree, path, "vendor", 16), 0));
	pci_names(tree, (guint)cap->vendor_id.v, (guint)cap->product_id.v, &cap->vendor, &cap->product);
	read_functions(tree, path, device);
	read_config(tree, path, device);
	read_mdev_types(tree, path, device);
	read_vpd(tree, path, device);
	read_group(tree, path, device);
	cap->numa_there = node.set && node.v >= 0;
	if (cap->numa_there)
		cap->numa = node;
}

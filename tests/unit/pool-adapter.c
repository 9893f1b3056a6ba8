/* Which SCSI host an <adapter> means, on a tree of files that looks like sysfs. */
#include "base/error.h"
#include "host/file.h"
#include "pool/adapter.h"
#include "shape/shape.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define PCI "/sys/devices/pci0000:00/0000:00:"
#define NAMES "wwnn='2001001B32A9DA4F' wwpn='2101001b32a9da4f'"

static char *root;

static char *below(const char *path)
{
	return g_strconcat(root, path, NULL);
}

static void put(const char *folder, const char *name, const char *text)
{
	g_autofree char *at = below(folder), *path = g_build_filename(at, name, NULL);
	g_mkdir_with_parents(at, 0755);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* A host of @device, as /sys/class/@class has it. */
static void host(const char *class, const char *device, const char *name)
{
	g_autofree char *folder = g_strdup_printf("%s%s/%s/%s", root, device, class, name);
	g_autofree char *links = g_strdup_printf("%s/sys/class/%s", root, class);
	g_autofree char *link = g_build_filename(links, name, NULL);
	g_mkdir_with_parents(folder, 0755);
	g_mkdir_with_parents(links, 0755);
	g_assert_cmpint(symlink(folder, link), ==, 0);
}

static void scsi(const char *device, const char *name, const char *unique)
{
	g_autofree char *folder = g_strconcat("/sys/class/scsi_host/", name, NULL);
	host("scsi_host", device, name);
	put(folder, "unique_id", unique);
}

static void port(const char *device, const char *name, const char *end)
{
	g_autofree char *folder = g_strconcat("/sys/class/fc_host/", name, NULL);
	g_autofree char *node = g_strconcat("0x2001001b32a9da", end, "\n", NULL);
	g_autofree char *own = g_strconcat("0x2101001b32a9da", end, "\n", NULL);
	scsi(device, name, "0\n");
	host("fc_host", device, name);
	put(folder, "node_name", node);
	put(folder, "port_name", own);
	put(folder, "fabric_name", "0x2001000dec9877c1\n");
	put(folder, "max_npiv_vports", "127\n");
	put(folder, "npiv_vports_inuse", "0\n");
	put(folder, "vport_create", "");
	put(folder, "vport_delete", "");
}

static Pool *pool_new(const char *adapter)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = g_strdup_printf(
		"<pool type='scsi'><name>p</name><uuid>11111111-2222-3333-4444-000000000001</uuid><source>%s"
		"</source><target><path>/dev/disk/by-path</path></target></pool>", adapter);
	Pool *pool = shape_from_xml(&pool_shape, "pool", xml, -1, "pool", NULL, &error);
	g_assert_no_error(error);
	return pool;
}

static void is(const char *adapter, int number)
{
	g_autoptr(GError) error = NULL;
	Pool *pool = pool_new(adapter);
	g_assert_cmpint(pool_adapter_host(root, pool, &error), ==, number);
	if (number < 0)
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	else
		g_assert_no_error(error);
	shape_free(&pool_shape, pool);
}

static void test_named(void)
{
	scsi(PCI "1f.2/ata1/host0", "host0", "1\n");
	scsi(PCI "1f.2/ata2/host1", "host1", "2\n");
	scsi(PCI "1e.0/0000:02:01.0/host12", "host12", "2\n");
	is("<adapter name='scsi_host1'/>", 1);
	is("<adapter name='host12'/>", 12);
	is("<adapter name='scsi_host3'/>", -1);
#define AT(unique, bus, slot, function) \
	"<adapter type='scsi_host'><parentaddr unique_id='" unique "'><address domain='0x0000' bus='" bus \
	"' slot='" slot "' function='" function "'/></parentaddr></adapter>"
	is(AT("1", "0x00", "0x1f", "0x2"), 0);
	is(AT("2", "0x00", "0x1f", "0x2"), 1);
	is(AT("3", "0x00", "0x1f", "0x2"), -1);
	is(AT("2", "0x02", "0x01", "0x0"), 12);
	is(AT("2", "0x02", "0x01", "0x1"), -1);
}

static char *said(const char *name)
{
	g_autofree char *path = below(name);
	char *text = NULL;
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

/* The fabric: makes the port that is asked for. */
static gpointer fabric_runs(gpointer data)
{
	gint *stop = data;
	g_autofree char *path = below("/sys/class/fc_host/host5/vport_create"), *text = NULL;
	while (!g_atomic_int_get(stop)) {
		if (g_file_get_contents(path, &text, NULL, NULL) && *text) {
			port(PCI "04.0/host5/vport-5:0-0/host6", "host6", "4f");
			return NULL;
		}
		g_clear_pointer(&text, g_free);
		g_usleep(1000);
	}
	return NULL;
}

static void starts(const char *adapter, int code)
{
	g_autoptr(GError) error = NULL;
	Pool *pool = pool_new(adapter);
	gboolean ok = pool_adapter_start(root, pool, &error);
	if (code < 0)
		g_assert_no_error(error);
	else
		g_assert_error(error, LODGE_ERROR, code);
	g_assert_cmpint(ok, ==, code < 0);
	shape_free(&pool_shape, pool);
}

static void stops(const char *adapter, const char *deleted)
{
	g_autoptr(GError) error = NULL;
	Pool *pool = pool_new(adapter);
	put("/sys/class/fc_host/host5", "vport_delete", "");
	g_assert_true(pool_adapter_remove(root, pool, &error));
	g_assert_no_error(error);
	g_autofree char *text = said("/sys/class/fc_host/host5/vport_delete");
	g_assert_cmpstr(text, ==, deleted);
	shape_free(&pool_shape, pool);
}

static void test_ports(void)
{
	static const char wanted[] = "<adapter type='fc_host' parent='scsi_host5' " NAMES "/>";
	gint stop = FALSE;
	port(PCI "04.0/host5", "host5", "4e");
	starts("<adapter type='fc_host' wwnn='2001001b32a9da4e' wwpn='2101001b32a9da4e'/>", -1); /* real */
	stops("<adapter type='fc_host' managed='yes' wwnn='2001001b32a9da4e' wwpn='2101001b32a9da4e'/>", "");
	starts("<adapter type='fc_host' wwnn='x' wwpn='2101001b32a9da4e'/>", LODGE_ERROR_INVALID);
	starts("<adapter type='fc_host' parent='scsi_host1' " NAMES "/>", LODGE_ERROR_NOT_FOUND);
	starts("<adapter type='fc_host' parent_fabric_wwn='2001000dec9877c2' " NAMES "/>",
	       LODGE_ERROR_NOT_FOUND);
	put("/sys/class/fc_host/host5", "npiv_vports_inuse", "127\n");
	starts(wanted, LODGE_ERROR_NOT_FOUND);
	put("/sys/class/fc_host/host5", "npiv_vports_inuse", "0\n");
	GThread *fabric = g_thread_new("fabric", fabric_runs, &stop);
	starts(wanted, -1);
	g_atomic_int_set(&stop, TRUE);
	g_thread_join(fabric);
	g_autofree char *asked = said("/sys/class/fc_host/host5/vport_create");
	g_assert_cmpstr(asked, ==, "2101001b32a9da4f:2001001B32A9DA4F");
	is(wanted, 6);
	starts(wanted, -1); /* it is there */
	stops(wanted, "2101001b32a9da4f:2001001B32A9DA4F");
	stops(wanted, ""); /* no pool made it now */
	stops("<adapter type='fc_host' managed='yes' " NAMES "/>", "2101001b32a9da4f:2001001B32A9DA4F");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	root = g_dir_make_tmp("lodge-adapter-XXXXXX", NULL);
	g_assert_nonnull(root);
	g_test_add_func("/pool-adapter/named", test_named);
	g_test_add_func("/pool-adapter/ports", test_ports);
	int result = g_test_run();
	file_remove_tree(root, NULL);
	g_free(root);
	return result;
}

/* Forwards without a host: what <portForward> names, which forwards are in each other's way, and the table
 * that they make; who listens at a port; PCI functions that a network gives out, from a sysfs that is made
 * up. */
#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "model/device/interface.h"
#include "net/forward.h"
#include "net/kind.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* ---- <portForward> ---- */

static Interface *interface_of(const char *forwards)
{
	g_autofree char *xml = g_strdup_printf("<interface type='user'>%s</interface>", forwards);
	return shape_from_xml(&interface_shape, "interface", xml, -1, NULL, NULL, NULL);
}

/* "80-80:80 ..." of its first <portForward>; NULL: refused. */
static char *ranges_of(const char *ranges)
{
	g_autofree char *xml = g_strdup_printf("<portForward proto='tcp'>%s</portForward>", ranges);
	Interface *interface = interface_of(xml);
	g_assert_nonnull(interface);
	GString *text = g_string_new(NULL);
	g_autoptr(GArray) all = port_forward_ranges(interface->port_forwards->pdata[0], NULL);
	for (guint i = 0; all && i < all->len; i++) {
		const PortRange *r = &g_array_index(all, PortRange, i);
		g_string_append_printf(text, "%s%u-%u:%u", i ? " " : "", r->first, r->last, r->to);
	}
	shape_free(&interface_shape, interface);
	return g_string_free(text, all == NULL);
}

static void test_ranges(void)
{
	static const struct {
		const char *xml, *ranges;
	} cases[] = {
		{ "", "" },
		{ "<range start='80'/>", "80-80:80" },
		{ "<range start='80' to='8080'/>", "80-80:8080" },
		{ "<range start='10' end='20'/><range start='30' end='31' to='5'/>", "10-20:10 30-31:5" },
		{ "<range start='10' end='20' to='110'/><range start='12' end='14' exclude='yes'/>",
		  "10-11:110 15-20:115" },
		{ "<range start='10' end='12'/><range start='10' exclude='yes'/>"
		  "<range start='12' exclude='yes'/>", "11-11:11" },
		{ "<range start='1' end='9' exclude='yes'/>", "" },
		{ "<range start='1' end='65535'/>", "1-65535:1" },
		{ "<range start='9' end='8'/>", NULL },
		{ "<range start='65000' end='65010' to='65530'/>", NULL },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *ranges = ranges_of(cases[i].xml);
		g_assert_cmpstr(ranges, ==, cases[i].ranges);
	}
}

/* ---- forwards ---- */

static ForwardSpec spec_of(const char *address, const char *dev, guint16 first, guint16 last, gboolean udp)
{
	ForwardSpec spec = { .udp = udp, .first = first, .last = last, .to = first };
	g_strlcpy(spec.address, address, sizeof spec.address);
	g_strlcpy(spec.dev, dev, sizeof spec.dev);
	return spec;
}

static void test_overlap(void)
{
	static const struct {
		const char *a, *a_dev, *b, *b_dev;
		gboolean both;
	} cases[] = {
		{ "", "", "", "", TRUE },
		{ "", "", "10.0.0.1", "", TRUE },
		{ "10.0.0.1", "", "10.0.0.2", "", FALSE },
		{ "0.0.0.0", "", "10.0.0.2", "", TRUE },
		{ "0.0.0.0", "", "::", "", FALSE },
		{ "::", "", "fd00::1", "", TRUE },
		{ "fd00::1", "", "10.0.0.1", "", FALSE },
		{ "", "eth0", "", "eth1", FALSE },
		{ "", "eth0", "", "", TRUE },
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		ForwardSpec a = spec_of(cases[i].a, cases[i].a_dev, 80, 89, FALSE);
		ForwardSpec b = spec_of(cases[i].b, cases[i].b_dev, 89, 99, FALSE);
		ForwardSpec udp = spec_of(cases[i].b, cases[i].b_dev, 89, 99, TRUE);
		ForwardSpec far = spec_of(cases[i].b, cases[i].b_dev, 90, 99, FALSE);
		g_assert_cmpint(forward_overlap(&a, &b), ==, cases[i].both);
		g_assert_cmpint(forward_overlap(&b, &a), ==, cases[i].both);
		g_assert_false(forward_overlap(&a, &udp) || forward_overlap(&a, &far));
	}
}

static void test_script(void)
{
	Forward all[] = {
		{ .spec = spec_of("", "", 80, 81, FALSE), .ip4 = "10.0.0.9", .ip6 = "fd00::9",
		  .bridge = "br0" },
		{ .spec = spec_of("127.0.0.1", "", 53, 53, TRUE), .ip4 = "10.0.0.9", .ip6 = "fd00::9" },
		{ .spec = spec_of("", "eth0", 22, 22, FALSE), .ip4 = "10.0.0.9" },
	};
	g_autofree char *script = forward_script(all, G_N_ELEMENTS(all)), *none = forward_script(NULL, 0);
	static const char *const lines[] = {
		"lodge_forward any4 { tcp . 80 : 10.0.0.9 . 80, tcp . 81 : 10.0.0.9 . 81 }\n",
		"lodge_forward any6 { tcp . 80 : fd00::9 . 80, tcp . 81 : fd00::9 . 81 }\n",
		"lodge_forward at4 { 127.0.0.1 . udp . 53 : 10.0.0.9 . 53 }\n",
		"lodge_forward by4 { \"eth0\" . tcp . 22 : 10.0.0.9 . 22 }\n",
		"lodge_forward hairpin { \"br0\" . \"br0\" }\n",
	};
	for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
		g_assert_nonnull(strstr(script, lines[i]));
	g_assert_null(strstr(script, "add element inet lodge_forward at6"));
	g_assert_cmpstr(none, ==, "add table inet lodge_forward\ndelete table inet lodge_forward\n");
	g_autofree char *text = forward_text(&all[0].spec), *at = forward_text(&all[1].spec);
	g_assert_cmpstr(text, ==, "80-81/tcp");
	g_assert_cmpstr(at, ==, "127.0.0.1:53/udp");
}

/* A socket of our own, at a port that the kernel chose. */
static void test_taken(void)
{
	autofd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
	g_assert_cmpint(listen(fd, 1), ==, 0);
	g_assert_cmpint(getsockname(fd, (struct sockaddr *)&at, &size), ==, 0);
	guint16 port = ntohs(at.sin_port);
	g_autofree char *who = NULL;
	g_autofree char *pid = g_strdup_printf("(pid %d)", (int)getpid());
	ForwardSpec any = spec_of("", "", port, port, FALSE);
	ForwardSpec same = spec_of("127.0.0.1", "", port, port, FALSE);
	ForwardSpec other = spec_of("127.9.9.9", "", port, port, FALSE);
	g_assert_true(forward_taken(&any, &who));
	g_assert_nonnull(strstr(who, pid));
	g_clear_pointer(&who, g_free);
	g_assert_true(forward_taken(&same, &who));
	g_clear_pointer(&who, g_free);
	g_assert_false(forward_taken(&other, &who));
}

/* ---- hostdev ---- */

static void make_functions(const char *sysfs, guint n)
{
	for (guint i = 0; i < n; i++) {
		g_autofree char *folder = g_strdup_printf("%s/class/net/pf0/device", sysfs);
		g_autofree char *link = g_strdup_printf("%s/virtfn%u", folder, i);
		g_autofree char *target = g_strdup_printf("../0000:3b:02.%u", i);
		g_mkdir_with_parents(folder, 0700);
		g_assert_cmpint(symlink(target, link), ==, 0);
	}
}

static void test_hostdev(void)
{
	static const char xml[] = "<network><name>n</name><forward mode='hostdev' managed='yes'>"
				  "<pf dev='pf0'/></forward></network>";
	g_autofree char *sysfs = g_dir_make_tmp("lodge-sysfs-XXXXXX", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(Network) network = network_from_xml(xml, -1, NULL, NULL, &error);
	Interface *iface = interface_of("");
	g_assert_no_error(error);
	net_sysfs = sysfs;
	g_assert_false(net_hostdev.check(network, &error));
	g_assert_nonnull(strstr(error->message, "sriov_numvfs"));
	g_clear_error(&error);
	make_functions(sysfs, 2);
	g_assert_true(net_hostdev.check(network, &error));
	g_autoptr(GPtrArray) ports = g_ptr_array_new();
	g_autoptr(NetworkPort) one = net_plan_interface(network, iface, ports, &error);
	g_ptr_array_add(ports, one);
	g_autoptr(NetworkPort) two = net_plan_interface(network, iface, ports, &error);
	g_ptr_array_add(ports, two);
	g_assert_no_error(error);
	g_assert_cmpstr(one->plug_type, ==, "hostdev-pci");
	g_assert_cmpuint(one->plug_pci.bus.v, ==, 0x3b);
	g_assert_cmpuint(one->plug_pci.function.v, ==, 0);
	g_assert_cmpuint(two->plug_pci.function.v, ==, 1);
	g_assert_null(net_plan_interface(network, iface, ports, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
	net_sysfs = "/sys";
	shape_free(&interface_shape, iface);
	g_assert_true(file_remove_tree(sysfs, NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/forward/ranges", test_ranges);
	g_test_add_func("/forward/overlap", test_overlap);
	g_test_add_func("/forward/script", test_script);
	g_test_add_func("/forward/taken", test_taken);
	g_test_add_func("/forward/hostdev", test_hostdev);
	return g_test_run();
}

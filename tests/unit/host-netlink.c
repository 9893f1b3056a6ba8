/* Interfaces, addresses, routes and rules in a network namespace of our own; needs root. */
#include "base/error.h"
#include "host/netlink.h"
#include "host/nft.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

static Inet inet(const char *text)
{
	Inet read = { 0 };
	g_assert_true(inet_from_text(text, AF_UNSPEC, &read, NULL));
	return read;
}

static Netlink *must_open(void)
{
	g_autoptr(GError) error = NULL;
	Netlink *nl = netlink_open(&error);
	g_assert_no_error(error);
	return nl;
}

static LinkInfo link_of(Netlink *nl, const char *name)
{
	g_autoptr(GError) error = NULL;
	LinkInfo info = { 0 };
	netlink_link(nl, name, &info, &error);
	g_assert_no_error(error);
	return info;
}

static void test_bridge(void)
{
	g_autoptr(Netlink) nl = must_open();
	g_autoptr(GError) error = NULL;
	guint8 mac[6];
	g_assert_true(mac_from_text("52:54:00:01:02:03", mac));
	g_assert_false(mac_from_text("52:54:00:01:02:03:04", mac) || mac_from_text("x", mac));
	BridgeOptions options = { .mac = mac, .mtu = 1400, .stp = TRUE, .delay = 0 };
	g_assert_true(netlink_add_bridge(nl, "br-test", &options, &error));
	g_assert_false(netlink_add_bridge(nl, "br-test", &options, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	g_clear_error(&error);
	LinkChange change = { .up = TRI_YES, .alias = "a remark" };
	g_assert_true(netlink_change(nl, "br-test", &change, &error));
	g_assert_true(netlink_add_veth(nl, "port0", "port1", &error));
	LinkChange enslave = { .master = "br-test", .up = TRI_YES };
	g_assert_true(netlink_change(nl, "port0", &enslave, &error));
	BridgePort isolated = { .isolated = TRI_YES };
	g_assert_true(netlink_change_port(nl, "port0", &isolated, &error));
	LinkInfo bridge = link_of(nl, "br-test"), port = link_of(nl, "port0");
	g_assert_cmpstr(bridge.kind, ==, "bridge");
	g_assert_cmpstr(bridge.alias, ==, "a remark");
	g_assert_cmpmem(bridge.mac, 6, mac, 6);
	g_assert_cmpuint(bridge.mtu, ==, 1400);
	g_assert_true(bridge.up);
	g_assert_cmpint(port.master, ==, bridge.index);
	LinkChange loose = { .master = "" };
	g_assert_true(netlink_change(nl, "port0", &loose, &error));
	g_assert_cmpint(link_of(nl, "port0").master, ==, 0);
	g_autoptr(GArray) all = netlink_links(nl, &error);
	g_assert_cmpuint(all->len, >=, 3);
	g_assert_true(netlink_delete(nl, "br-test", &error) && netlink_delete(nl, "port0", &error));
	g_assert_true(netlink_delete(nl, "br-test", &error));
	g_assert_false(netlink_link(nl, "br-test", &bridge, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

static void test_addresses(void)
{
	g_autoptr(Netlink) nl = must_open();
	g_autoptr(GError) error = NULL;
	Inet four = inet("192.168.99.1"), six = inet("fd99::1"), to = inet("10.50.1.2"),
	     gateway = inet("192.168.99.7");
	LinkChange up = { .up = TRI_YES };
	g_assert_true(netlink_add_veth(nl, "veth-a", "veth-b", &error));
	g_assert_true(netlink_change(nl, "veth-a", &up, &error) &&
		      netlink_change(nl, "veth-b", &up, &error));
	for (guint again = 0; again < 2; again++) {
		g_assert_true(netlink_add_address(nl, "veth-a", &four, 24, &error));
		g_assert_true(netlink_add_address(nl, "veth-a", &six, 64, &error));
		g_assert_true(netlink_add_route(nl, "veth-a", &to, 16, &gateway, 0, &error));
	}
	g_autoptr(GArray) addresses = netlink_addresses(nl, &error);
	g_autoptr(GArray) routes = netlink_routes(nl, &error);
	guint found = 0;
	for (guint i = 0; i < addresses->len; i++) {
		const AddressInfo *a = &g_array_index(addresses, AddressInfo, i);
		found += !inet_compare(&a->address, &four) && a->prefix == 24;
		found += !inet_compare(&a->address, &six) && a->prefix == 64;
	}
	for (guint i = 0; i < routes->len; i++) {
		const RouteInfo *r = &g_array_index(routes, RouteInfo, i);
		found += r->prefix == 16 && !inet_compare(&r->gateway, &gateway);
	}
	g_assert_cmpuint(found, ==, 3);
	g_autoptr(GArray) neighbours = netlink_neighbours(nl, &error);
	g_assert_nonnull(neighbours);
	g_assert_true(netlink_delete_address(nl, "veth-a", &four, 24, &error));
	g_assert_true(netlink_delete_address(nl, "veth-a", &four, 24, &error));
	g_assert_true(netlink_delete(nl, "veth-a", &error));
	g_assert_no_error(error);
}

static void test_taps(void)
{
	g_autoptr(Netlink) nl = must_open();
	g_autoptr(GError) error = NULL;
	char name[IFNAMSIZ] = "vnet%d";
	int fds[2];
	if (access("/dev/net/tun", R_OK | W_OK)) {
		g_test_skip("no /dev/net/tun");
		return;
	}
	g_assert_true(tap_open(name, TRUE, 2, fds, &error));
	g_assert_true(g_str_has_prefix(name, "vnet") && name[4] != '%');
	g_assert_cmpstr(link_of(nl, name).kind, ==, "tun");
	close(fds[0]);
	close(fds[1]);
	g_assert_false(netlink_link(nl, name, &(LinkInfo){ 0 }, NULL));
	guint8 mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
	g_assert_false(netlink_add_macvtap(nl, "mv0", "nowhere", "bridge", mac, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

static void test_nft(void)
{
	g_autoptr(GError) error = NULL;
	if (!nft_present()) {
		g_test_skip("no nft");
		return;
	}
	g_assert_true(nft_run("add table inet t\nadd chain inet t c\n", &error));
	g_assert_false(nft_run("add table inet u\nadd rule inet t none accept\n", &error));
	g_assert_nonnull(strstr(error->message, "nft:"));
	g_clear_error(&error);
	g_autofree char *list = nft_list("ruleset", &error);
	g_assert_true(strstr(list, "\"t\"") && !strstr(list, "\"u\""));
	g_assert_null(nft_list("table inet u", &error));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (unshare(CLONE_NEWNET)) {
		g_print("1..0 # SKIP a network namespace of our own needs root\n");
		return 0;
	}
	g_test_add_func("/netlink/bridge", test_bridge);
	g_test_add_func("/netlink/addresses", test_addresses);
	g_test_add_func("/netlink/taps", test_taps);
	g_test_add_func("/netlink/nft", test_nft);
	return g_test_run();
}

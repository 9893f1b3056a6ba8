/* Networks without a host: rules and dnsmasq's configuration of the documents in
 * tests/golden/network-xml (LODGE_BLESS=1 writes CASE.run anew), leases, what other firewalls stop, and
 * how interfaces join. */
#include "base/error.h"
#include "net/firewall.h"
#include "net/kind.h"

#include <string.h>

static Network *network_of(const char *xml)
{
	g_autoptr(GError) error = NULL;
	Network *network = network_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	network_fill(network);
	return network;
}

/* ---- golden ---- */

static char *texts_of(const Network *network)
{
	NetConfig config = { .run = "/run/lodge/networks", .lib = "/var/lib/lodge/networks" };
	DnsmasqFiles files;
	Rules rules = { .bridge = network->bridge, .network = network };
	const NetKind *kind = net_kind(network);
	GString *s = g_string_new(NULL);
	g_string_append_printf(s, "# kind %s\n", kind->name);
	if (!network_owns_bridge(network))
		return g_string_free(s, FALSE);
	if (kind->rules) {
		kind->rules(network, &rules);
		g_autofree char *script = rules_script(&rules), *removal = rules_removal(&rules);
		g_string_append_printf(s, "# rules\n%s# removal\n%s", script, removal);
	}
	if (!dnsmasq_wanted(network))
		return g_string_free(s, FALSE);
	dnsmasq_files(&config, network, &files);
	g_string_append_printf(s, "# conf\n%s# hosts\n%s# names\n%s", files.conf, files.hosts, files.names);
	dnsmasq_files_clear(&files);
	return g_string_free(s, FALSE);
}

static void test_case(gconstpointer data)
{
	const char *path = data;
	g_autofree char *xml = NULL, *expected = NULL;
	g_autofree char *out = g_strdup_printf("%.*s.run", (int)(strlen(path) - 4), path);
	g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
	g_autoptr(Network) network = network_of(xml);
	if (!network->bridge)
		network->bridge = g_strdup("virbr0");
	g_autofree char *texts = texts_of(network);
	if (g_getenv("LODGE_BLESS")) {
		g_assert_true(g_file_set_contents(out, texts, -1, NULL));
		return;
	}
	g_assert_true(g_file_get_contents(out, &expected, NULL, NULL));
	g_assert_cmpstr(texts, ==, expected);
}

/* ---- leases ---- */

static const char lease_text[] =
	"1700000000 52:54:00:aa:bb:01 192.168.122.10 web1 ff:01:02\n"
	"0 52:54:00:aa:bb:02 192.168.122.11 * *\n"
	"duid 00:01:00:01:2c:aa:bb:cc:52:54:00:00:00:01\n"
	"1700000001 1879048191 fd00::5 web1 00:01:00:01:18:aa:62:fe:52:54:00:44:55:66\n"
	"not a lease at all\n"
	"-5 52:54:00:aa:bb:03 192.168.122.12 * *\n"
	"17 52:54:00:aa:bb:03 999.168.122.12 * *\n"
	"1700000000 52:54:00:aa:bb:04 192.168.122.13 half";

static void test_leases(void)
{
	g_autoptr(GPtrArray) leases = leases_parse(lease_text, strlen(lease_text));
	g_assert_cmpuint(leases->len, ==, 3);
	const DhcpLease *first = leases->pdata[0], *second = leases->pdata[1], *third = leases->pdata[2];
	g_assert_cmpint(first->expiry, ==, 1700000000);
	g_assert_cmpstr(first->hostname, ==, "web1");
	g_assert_cmpstr(first->clientid, ==, "ff:01:02");
	g_assert_cmpint(second->expiry, ==, LEASE_NEVER);
	g_assert_null(second->hostname);
	g_assert_true(third->v6);
	g_assert_cmpstr(third->mac, ==, "52:54:00:44:55:66");
	g_assert_cmpstr(third->iaid, ==, "1879048191");
	g_autoptr(GPtrArray) none = leases_read("/nonexistent");
	g_assert_cmpuint(none->len, ==, 0);
}

/* ---- firewalls ---- */

#define CHAIN(table, name, hook, policy)                                                           \
	"{\"chain\":{\"family\":\"ip\",\"table\":\"" table "\",\"name\":\"" name "\",\"hook\":\""     \
	hook "\",\"policy\":\"" policy "\"}}"
#define ACCEPT(key)                                                                                 \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"filter\",\"chain\":\"X\",\"expr\":[{\"match\":"     \
	"{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"" key "\"}},\"right\":\"virbr0\"}},"             \
	"{\"accept\":null}]}}"

/* firewalld: what comes from virbr0 goes to the chain of a zone, and that zone's last rule. */
#define RULE(chain, expr)                                                                           \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"firewalld\",\"chain\":\"" chain "\",\"expr\":[" expr "]}}"
#define ZONE(zone)                                                                                  \
	RULE("filter_FORWARD_ZONES",                                                                   \
	     "{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"iifname\"}},\"right\":\"virbr0\"}},"  \
	     "{\"goto\":{\"target\":\"filter_FWD_" zone "\"}}")
#define LAST(zone, word) RULE("filter_FWD_" zone, "{\"" word "\":null}")
#define FIREWALLD CHAIN("firewalld", "filter_FORWARD", "forward", "accept")

static const struct {
	const char *items;
	guint n;
	const char *remedy;
} walls[] = {
	{ CHAIN("filter", "FORWARD", "forward", "accept"), 0, NULL },
	{ CHAIN("filter", "FORWARD", "forward", "drop"), 1,
	  "nft insert rule ip filter FORWARD iifname \"virbr0\" accept && nft insert rule ip filter FORWARD "
	  "oifname \"virbr0\" accept" },
	{ CHAIN("filter", "FORWARD", "forward", "drop") ",{\"chain\":{\"family\":\"ip\",\"table\":\"filter\","
	  "\"name\":\"DOCKER-USER\"}}", 1, "iptables -I DOCKER-USER -i virbr0 -j ACCEPT && iptables -I "
	  "DOCKER-USER -o virbr0 -j ACCEPT" },
	{ CHAIN("filter", "FORWARD", "forward", "drop") "," ACCEPT("iifname") "," ACCEPT("oifname"), 0,
	  NULL },
	{ CHAIN("filter", "FORWARD", "forward", "drop") "," ACCEPT("iifname"), 1, "nft insert rule" },
	{ CHAIN("filter", "INPUT", "input", "drop"), 1, "udp dport { 53, 67 } accept" },
	{ FIREWALLD, 1, "--add-interface=virbr0" },
	{ FIREWALLD "," ZONE("trusted") "," LAST("trusted", "accept"), 0, NULL },
	{ FIREWALLD "," ZONE("home") "," LAST("home", "reject") "," LAST("trusted", "accept"), 1,
	  "--add-interface=virbr0" },
	{ CHAIN("filter", "FORWARD", "forward", "drop") ",{\"chain\":{\"family\":\"ip\",\"table\":\"filter\","
	  "\"name\":\"ufw-user-forward\"}}", 1, "ufw route allow in on virbr0" },
	{ CHAIN("lodge", "forward", "forward", "drop"), 0, NULL },
	{ "17", 0, NULL },
};

static void test_firewalls(void)
{
	g_autoptr(GPtrArray) bridges = g_ptr_array_new();
	g_ptr_array_add(bridges, (gpointer) "virbr0");
	for (guint i = 0; i < G_N_ELEMENTS(walls); i++) {
		g_autofree char *ruleset = g_strdup_printf("{\"nftables\":[%s]}", walls[i].items);
		HostChecks *checks = shape_new(&host_checks_shape);
		firewall_judge(ruleset, bridges, checks);
		g_test_message("%u", i);
		g_assert_cmpuint(shape_len(checks->checks), ==, walls[i].n);
		if (walls[i].n)
			g_assert_nonnull(strstr(((HostCheck *)checks->checks->pdata[0])->remedy,
						walls[i].remedy));
		shape_free(&host_checks_shape, checks);
	}
}

/* ---- joining ---- */

static NetworkPort *plan(const char *network_xml, const char *iface_xml, const GPtrArray *ports,
			 GError **error)
{
	g_autoptr(Network) network = network_of(network_xml);
	Interface *iface = shape_from_xml(&interface_shape, "interface", iface_xml, -1, NULL, NULL, error);
	g_assert_nonnull(iface);
	NetworkPort *port = net_plan_interface(network, iface, ports, error);
	shape_free(&interface_shape, iface);
	return port;
}

#define IFACE(attributes, inside)                                                                   \
	"<interface type='network'><mac address='52:54:00:00:00:01'/><source network='n'" attributes  \
	"/>" inside "</interface>"

static void test_plan_bridge(void)
{
	static const char net[] =
		"<network><name>n</name><bridge name='virbr7' macTableManager='libvirt'/><mtu size='9000'/>"
		"<port isolated='yes'/>"
		"<portgroup name='a' default='yes'><vlan><tag id='5'/></vlan>"
		"<bandwidth><inbound average='10'/></bandwidth></portgroup><portgroup name='b'/></network>";
	g_autoptr(GError) error = NULL;
	g_autoptr(NetworkPort) one = plan(net, IFACE("", ""), NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(one->plug_type, ==, "network");
	g_assert_cmpstr(one->plug_bridge, ==, "virbr7");
	g_assert_cmpstr(one->plug_mac_table_manager, ==, "libvirt");
	g_assert_cmpstr(one->group, ==, "a");
	g_assert_cmpuint(shape_len(one->vlan_tags), ==, 1);
	g_assert_cmpuint(one->inbound->average.v, ==, 10);
	g_assert_cmpuint(one->mtu.v, ==, 9000);
	g_assert_true(one->isolated == TRI_YES);
	g_autoptr(NetworkPort) two =
		plan(net, IFACE(" portgroup='b'", "<port isolated='no'/><bandwidth><outbound average='3'/>"
						  "</bandwidth>"), NULL, &error);
	g_assert_no_error(error);
	g_assert_true(two->isolated == TRI_NO);
	g_assert_null(two->inbound);
	g_assert_cmpuint(two->outbound->average.v, ==, 3);
	g_assert_cmpuint(shape_len(two->vlan_tags), ==, 0);
	g_assert_null(plan(net, IFACE(" portgroup='c'", ""), NULL, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
}

static void test_plan_pool(void)
{
	static const char net[] = "<network><name>n</name><forward mode='passthrough'>"
				  "<interface dev='e0'/><interface dev='e1'/></forward></network>";
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) ports = g_ptr_array_new();
	g_autoptr(NetworkPort) one = plan(net, IFACE("", ""), ports, &error);
	g_assert_no_error(error);
	g_ptr_array_add(ports, one);
	g_autoptr(NetworkPort) two = plan(net, IFACE("", ""), ports, &error);
	g_assert_no_error(error);
	g_ptr_array_add(ports, two);
	g_assert_cmpstr(one->plug_type, ==, "direct");
	g_assert_cmpstr(one->plug_mode, ==, "passthrough");
	g_assert_cmpstr(one->plug_dev, !=, two->plug_dev);
	g_assert_null(plan(net, IFACE("", ""), ports, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
	g_clear_error(&error);
	g_autoptr(NetworkPort) ovs =
		plan("<network><name>n</name><forward mode='bridge'/><bridge name='br0'/>"
		     "<virtualport type='openvswitch'/></network>", IFACE("", ""), NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(ovs->plug_type, ==, "bridge");
	g_assert_nonnull(ovs->virtual_port->interfaceid);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *dir =
		g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "golden", "network-xml", NULL);
	GDir *entries = g_dir_open(dir, 0, NULL);
	g_assert_nonnull(entries);
	for (const char *name; (name = g_dir_read_name(entries));) {
		g_autofree char *path = g_strdup_printf("/net/golden/%s", name);
		if (g_str_has_suffix(name, ".xml") && !g_str_has_suffix(name, ".out.xml"))
			g_test_add_data_func_full(path, g_build_filename(dir, name, NULL), test_case, g_free);
	}
	g_dir_close(entries);
	g_test_add_func("/net/leases", test_leases);
	g_test_add_func("/net/firewalls", test_firewalls);
	g_test_add_func("/net/plan/bridge", test_plan_bridge);
	g_test_add_func("/net/plan/pool", test_plan_pool);
	return g_test_run();
}

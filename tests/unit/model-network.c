/* Networks as documents: round trips, libvirt's schema, what is refused and with which words, and
 * changes of one element. tests/golden/network-xml/CASE.xml completed and printed is CASE.out.xml;
 * LODGE_BLESS=1 writes them anew. */
#include "base/error.h"
#include "model/network.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder(void)
{
	return g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "golden", "network-xml", NULL);
}

static Network *network_of(const char *xml)
{
	g_autoptr(GError) error = NULL;
	Network *network = network_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	return network;
}

/* ---- golden ---- */

static void test_case(gconstpointer data)
{
	const char *path = data;
	g_autofree char *xml = NULL, *expected = NULL;
	g_autofree char *out = g_strdup_printf("%.*s.out.xml", (int)(strlen(path) - 4), path);
	g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
	g_autoptr(Network) network = network_of(xml);
	network_fill(network);
	g_autofree char *printed = network_to_xml(network, 0);
	g_autoptr(Network) again = network_of(printed);
	g_autoptr(GPtrArray) diff = shape_diff(&network_shape, network, again);
	g_assert_cmpuint(diff->len, ==, 0);
	network_fill(again);
	g_autofree char *reprinted = network_to_xml(again, 0);
	g_assert_cmpstr(printed, ==, reprinted);
	if (g_getenv("LODGE_BLESS")) {
		g_assert_true(g_file_set_contents(out, printed, -1, NULL));
		return;
	}
	g_assert_true(g_file_get_contents(out, &expected, NULL, NULL));
	g_assert_cmpstr(printed, ==, expected);
}

#define SCHEMAS "/usr/share/libvirt/schemas/"

static void validate(const char *schema, const GPtrArray *files)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *tool = g_find_program_in_path("xmllint"), *said = NULL;
	if (!files->len || !tool || !g_file_test(schema, G_FILE_TEST_EXISTS)) {
		g_test_skip("needs xmllint and " SCHEMAS " (packages libxml2-utils, libvirt-daemon)");
		return;
	}
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	const char *words[] = { tool, "--noout", "--relaxng", schema };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		g_ptr_array_add(argv, (gpointer)words[i]);
	for (guint i = 0; i < files->len; i++)
		g_ptr_array_add(argv, files->pdata[i]);
	g_ptr_array_add(argv, NULL);
	int status = -1;
	g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
		     &said, &status, &error);
	g_assert_no_error(error);
	if (status)
		g_error("not valid by libvirt's schema:\n%s", said);
}

static void test_schema(gconstpointer data)
{
	validate(SCHEMAS "network.rng", data);
}

#define PORT                                                                                        \
	"<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>"                           \
	"<owner><name>memtest</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>"     \
	"<mac address='52:54:00:7b:35:93'/><group>web-front</group><rxfilters trustGuest='yes'/>"   \
	"<bandwidth><inbound average='1000' peak='5000' floor='200' burst='1024'/>"                \
	"<outbound average='128' peak='256' burst='256'/></bandwidth>%s</networkport>"

static void test_port(void)
{
	static const char *const plugs[] = {
		"<plug type='network' bridge='virbr0' macTableManager='libvirt'/>",
		"<plug type='direct' dev='ens3' mode='vepa'/>",
		"<plug type='hostdev-pci' managed='yes'><driver name='vfio'/>"
		"<address domain='0x0000' bus='0x03' slot='0x10' function='0x2'/></plug>",
	};
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *dir = g_dir_make_tmp("lodge-XXXXXX", NULL);
	for (guint i = 0; i < G_N_ELEMENTS(plugs); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *xml = g_strdup_printf(PORT, plugs[i]);
		g_autoptr(NetworkPort) port = network_port_from_xml(xml, -1, NULL, NULL, &error);
		g_assert_no_error(error);
		g_autofree char *printed = network_port_to_xml(port);
		g_assert_nonnull(strstr(printed, "type='"));
		g_autofree char *name = g_strdup_printf("%s/%u.xml", dir, i);
		g_assert_true(g_file_set_contents(name, printed, -1, NULL));
		g_ptr_array_add(files, g_steal_pointer(&name));
	}
	validate(SCHEMAS "networkport.rng", files);
	for (guint i = 0; i < files->len; i++)
		g_assert_no_errno(g_remove(files->pdata[i]));
	g_assert_no_errno(g_remove(dir));
}

/* ---- refusals ---- */

#define NET(inside) "<network><name>n</name>" inside "</network>"
#define DHCP(inside)                                                                               \
	NET("<ip address='192.168.7.1' netmask='255.255.255.0'><dhcp>" inside "</dhcp></ip>")

static const struct {
	const char *xml, *words;
} wrong[] = {
	{ "<network><name>a/b</name></network>", "'/'" },
	{ NET("<bridge name='sixteencharacter'/>"), "16 characters; Linux allows 15" },
	{ NET("<bridge name='a b'/>"), "bridge/@name" },
	{ NET("<bridge name='a%d%d'/>"), "bridge/@name" },
	{ NET("<bridge name='a\"b'/>"), "bridge/@name" },
	{ NET("<forward mode='nat'/>"), "needs an <ip>" },
	{ NET("<forward mode='tunnel'/>"), "tunnel" },
	{ NET("<forward mode='bridge'/><bridge name='br0'/><ip address='10.0.0.1'/>"), "do not fit" },
	{ NET("<forward mode='vepa'/><bridge name='br0'/>"), "<bridge> does not fit" },
	{ NET("<forward mode='bridge'><interface dev='a'/></forward><bridge name='br0'/>"), "either" },
	{ NET("<forward mode='open' dev='eth0'/><ip address='10.0.0.1'/>"), "no device" },
	{ NET("<ip address='10.0.0.999'/>"), "not an IPv4 address" },
	{ NET("<ip address='10.0.0.1' netmask='255.0.255.0'/>"), "not a netmask" },
	{ NET("<ip address='10.0.0.1' prefix='33'/>"), "prefix 33" },
	{ NET("<ip address='fd00::1' prefix='64'/>"), "family='ipv6'" },
	{ NET("<ip address='10.0.0.1' prefix='16'/><ip address='10.0.3.1' prefix='24'/>"), "overlap" },
	{ DHCP("<range start='192.168.8.2' end='192.168.8.9'/>"), "outside of the network 192.168.7.0/24" },
	{ DHCP("<range start='192.168.7.9' end='192.168.7.2'/>"), "comes after" },
	{ DHCP("<range start='192.168.7.2' end='192.168.7.255'/>"), "broadcast" },
	{ DHCP("<range start='192.168.7.2' end='192.168.7.9'><lease expiry='1'/></range>"), "too short" },
	{ DHCP("<host ip='192.168.7.2'/>"), "mac, id or name" },
	{ DHCP("<host mac='52:54:00:00:00:01' ip='192.168.9.2'/>"), "outside" },
	{ DHCP("<host mac='52:54:00:00:00:01' ip='192.168.7.2'/>"
	       "<host mac='52:54:00:00:00:01' ip='192.168.7.3'/>"), "twice" },
	{ DHCP("<host mac='52:54:00:00:00:01' name='a,b' ip='192.168.7.2'/>"), "DNS name" },
	{ NET("<dns><txt name='a' value='b&#10;port=1'/></dns>"), "byte 10" },
	{ NET("<dns><host ip='1.2.3.4'/></dns>"), "hostname" },
	{ NET("<dns><forwarder/></dns>"), "addr or domain" },
	{ NET("<dns><srv service='s' protocol='icmp'/></dns>"), "tcp or udp" },
	{ NET("<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>"), "default" },
	{ NET("<ip address='10.0.0.1' prefix='24'/>"
	      "<route address='10.9.0.0' prefix='24' gateway='10.1.0.2'/>"), "none of the network" },
	{ NET("<forward mode='nat'><nat><port start='9' end='2'/></nat></forward>"
	      "<ip address='10.0.0.1'/>"), "start first" },
	{ "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>n</name>"
	  "<dnsmasq:options><dnsmasq:option value='a&#10;b'/></dnsmasq:options></network>", "byte 10" },
};

static void test_wrong(void)
{
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GError) error = NULL;
		Network *network = network_from_xml(wrong[i].xml, -1, NULL, NULL, &error);
		if (network || !strstr(error->message, wrong[i].words))
			g_error("%s: %s", wrong[i].xml, network ? "taken" : error->message);
	}
}

/* ---- update ---- */

static const struct {
	NetworkCommand command;
	NetworkSection section;
	int parent;
	const char *xml;
	const char *after; /* stands in the document afterwards; NULL: refused */
	const char *gone;  /* does not; or stands in the refusal */
} updates[] = {
	{ NETWORK_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, -1,
	  "<host mac='52:54:00:00:00:01' name='bob' ip='192.168.7.45'/>", "bob", NULL },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, -1,
	  "<host mac='52:54:00:00:00:01' name='eve' ip='192.168.7.46'/>", NULL, "already" },
	{ NETWORK_MODIFY, NETWORK_SECTION_IP_DHCP_HOST, 0,
	  "<host mac='52:54:00:00:00:01' name='bob' ip='192.168.7.47'/>", "7.47", "7.45" },
	{ NETWORK_ADD_FIRST, NETWORK_SECTION_IP_DHCP_HOST, 7,
	  "<host mac='52:54:00:00:00:02' ip='192.168.7.48'/>", NULL, "index 7" },
	{ NETWORK_DELETE, NETWORK_SECTION_IP_DHCP_HOST, -1, "<host name='bob'/>", "range", "bob" },
	{ NETWORK_DELETE, NETWORK_SECTION_IP_DHCP_HOST, -1, "<host name='bob'/>", NULL, "no such" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_IP_DHCP_RANGE, -1,
	  "<range start='192.168.7.20' end='192.168.7.30'/>", "7.20", NULL },
	{ NETWORK_MODIFY, NETWORK_SECTION_IP_DHCP_RANGE, -1,
	  "<range start='192.168.7.20' end='192.168.7.31'/>", NULL, "cannot be modified" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_DNS_HOST, -1,
	  "<host ip='192.168.7.9'><hostname>a</hostname><hostname>b</hostname></host>", "<dns>", NULL },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_DNS_HOST, -1,
	  "<host ip='192.168.7.10'><hostname>b</hostname></host>", NULL, "already" },
	{ NETWORK_DELETE, NETWORK_SECTION_DNS_HOST, -1, "<host ip='192.168.7.9'/>", "range", "<dns>" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_DNS_TXT, -1, "<txt name='t' value='v'/>", "txt", NULL },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_DNS_SRV, -1, "<srv service='s' protocol='tcp'/>", "srv", NULL },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_DNS_SRV, -1, "<srv service='s'/>", NULL, "protocol" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_PORTGROUP, -1, "<portgroup name='p'/>", "portgroup", NULL },
	{ NETWORK_MODIFY, NETWORK_SECTION_PORTGROUP, -1,
	  "<portgroup name='p' default='yes'/>", "default='yes'", NULL },
	{ NETWORK_MODIFY, NETWORK_SECTION_BRIDGE, -1, "<bridge name='x'/>", NULL, "cannot be changed" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_FORWARD_INTERFACE, -1, "<interface dev='eth9'/>", NULL,
	  "isolated" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_IP_DHCP_HOST, -1,
	  "<host mac='52:54:00:00:00:03' name='card' ip='192.168.7.60'/>", "card", NULL },
	{ NETWORK_MODIFY, NETWORK_SECTION_IP_DHCP_HOST, -1,
	  "<host mac='52:54:00:00:00:04' name='card' ip='192.168.7.60'/>", "00:04", "00:03" },
	{ NETWORK_ADD_LAST, NETWORK_SECTION_DNS_TXT, -1, "<txt name='u'/>", NULL, "value" },
};

static void test_update(void)
{
	g_autoptr(Network) network = network_of(DHCP("<range start='192.168.7.2' end='192.168.7.9'/>"));
	for (guint i = 0; i < G_N_ELEMENTS(updates); i++) {
		g_autoptr(GError) error = NULL;
		gboolean ok = network_update(network, updates[i].command, updates[i].section,
					     updates[i].parent, updates[i].xml, &error);
		g_autofree char *printed = network_to_xml(network, 0);
		g_test_message("%u: %s", i, ok ? printed : error->message);
		g_assert_true(ok == (updates[i].after != NULL));
		if (ok)
			g_assert_nonnull(strstr(printed, updates[i].after));
		if (updates[i].gone)
			g_assert_true(ok == !strstr(ok ? printed : error->message, updates[i].gone));
		g_assert_true(shape_check(&network_shape, network, NULL, NULL));
	}
}

/* ---- random ones, addresses ---- */

static void test_random(void)
{
	for (guint seed = 0; seed < 300; seed++) {
		GRand *rand = g_rand_new_with_seed(seed);
		g_autoptr(Network) network = shape_random(&network_shape, rand, 2 + seed % 3);
		g_rand_free(rand);
		g_autofree char *printed = network_to_xml(network, SHAPE_XML_LIVE);
		g_autoptr(GError) error = NULL;
		g_autoptr(Network) again =
			shape_from_xml(&network_shape, "network", printed, -1, NULL, NULL, &error);
		g_assert_no_error(error);
		g_autoptr(GPtrArray) diff = shape_diff(&network_shape, network, again);
		if (diff->len)
			g_error("seed %u: %s\n%s", seed, (char *)diff->pdata[0], printed);
	}
}

static Inet inet(const char *text)
{
	Inet read = { 0 };
	g_assert_true(inet_from_text(text, AF_UNSPEC, &read, NULL));
	return read;
}

static void test_inet(void)
{
	char text[INET_TEXT];
	Inet a = inet("10.1.2.3"), b = inet("10.1.255.0"), c = inet("fd00::ffff");
	Inet mask = inet_mask(AF_INET, 20);
	Inet first = inet_first(&a, 16), last = inet_last(&a, 16), next = inet_plus(&c, 1);
	g_assert_cmpstr(inet_to_text(&first, text), ==, "10.1.0.0");
	g_assert_cmpstr(inet_to_text(&last, text), ==, "10.1.255.255");
	g_assert_cmpstr(inet_to_text(&next, text), ==, "fd00::1:0");
	g_assert_cmpstr(inet_to_text(&mask, text), ==, "255.255.240.0");
	g_assert_cmpint(inet_mask_prefix(&mask), ==, 20);
	g_assert_cmpint(inet_mask_prefix(&a), ==, -1);
	g_assert_true(inet_within(&a, &b, 16) && !inet_within(&a, &b, 17) && !inet_within(&a, &c, 0));
	g_assert_true(inet_overlap(&a, 8, &b, 24) && !inet_overlap(&a, 24, &b, 24));
	g_assert_cmpuint(inet_span(&first, &last), ==, 65536);
	g_assert_cmpuint(inet_span(&last, &first), ==, 0);
	Inet far = inet("fdff::");
	g_assert_cmpuint(inet_span(&c, &far), ==, G_MAXUINT32);
	g_assert_cmpuint(inet_span(&c, &next), ==, 2);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *dir = folder();
	GDir *entries = g_dir_open(dir, 0, NULL);
	g_assert_nonnull(entries);
	/* live as long as the program */
	GPtrArray *cases = g_ptr_array_new(), *outs = g_ptr_array_new();
	for (const char *name; (name = g_dir_read_name(entries));)
		if (g_str_has_suffix(name, ".xml"))
			g_ptr_array_add(g_str_has_suffix(name, ".out.xml") ? outs : cases,
					g_build_filename(dir, name, NULL));
	g_dir_close(entries);
	for (guint i = 0; i < cases->len; i++) {
		g_autofree char *name = g_path_get_basename(cases->pdata[i]);
		g_autofree char *path = g_strdup_printf("/network/golden/%s", name);
		g_test_add_data_func(path, cases->pdata[i], test_case);
	}
	g_test_add_data_func("/network/schema", outs, test_schema);
	g_test_add_func("/network/port", test_port);
	g_test_add_func("/network/wrong", test_wrong);
	g_test_add_func("/network/update", test_update);
	g_test_add_func("/network/random", test_random);
	g_test_add_func("/network/inet", test_inet);
	return g_test_run();
}

/* Network filters: documents, and the rules that are made of them. What nftables thinks of the rules is
 * asked of nft itself, in a network of its own, where that is possible. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "net/filter_host.h"

#define SCHEMA "/usr/share/libvirt/schemas/nwfilter.rng"

static GHashTable *all; /* name -> Filter */

static const Filter *find(G_GNUC_UNUSED gpointer data, const char *name)
{
	return g_hash_table_lookup(all, name);
}

static void add(const char *xml)
{
	g_autoptr(GError) error = NULL;
	Filter *filter = filter_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(shape_all_known(&filter_shape, filter, &error));
	g_assert_no_error(error);
	g_hash_table_replace(all, filter->name, filter);
}

static void begin(void)
{
	all = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)filter_free);
	for (const char *const *xml = filter_stock(); *xml; xml++)
		add(*xml);
}

static void end(void)
{
	g_clear_pointer(&all, g_hash_table_unref);
}

static FilterBinding *binding_of(const char *filter, const char *parameters)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = g_strdup_printf(
		"<filterbinding><owner><name>web1</name></owner><portdev name='vnet7'/>"
		"<mac address='52:54:00:00:00:07'/><filterref filter='%s'>%s</filterref></filterbinding>",
		filter, parameters);
	FilterBinding *binding = shape_from_xml(&filter_binding_shape, "filterbinding", xml, -1, NULL,
						NULL, &error);
	g_assert_no_error(error);
	return binding;
}

static gboolean kernel_rejects;

static char *compile(const char *filter, const char *parameters, const char *ip, GError **error)
{
	FilterBinding *binding = binding_of(filter, parameters);
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	if (ip)
		g_ptr_array_add(addresses, (gpointer)ip);
	FilterRequest request = { .id = 7, .binding = binding, .addresses = addresses, .find = find,
				  .rejects = kernel_rejects };
	g_autoptr(FilterScript) script = filter_compile(&request, error);
	GString *text = g_string_new(script ? script->text->str : NULL);
	if (script) { /* what removes it must be accepted as well */
		g_string_append(text, "# and away\n");
		filter_remove_script(text, "vnet7", script->chains);
	}
	shape_free(&filter_binding_shape, binding);
	return g_string_free(text, !script);
}

/* Whether nft takes @script after the table was made; TRUE where it cannot be asked. */
static gboolean nft_takes(const char *script, char **says)
{
	g_autofree char *table = filter_table_script();
	g_autofree char *path = NULL;
	g_autofree char *whole = g_strconcat(table, script, NULL);
	int fd = g_file_open_tmp("lodge-nft-XXXXXX", &path, NULL), status = 0;
	g_assert_cmpint(write(fd, whole, strlen(whole)), ==, strlen(whole));
	close(fd);
	const char *argv[] = { "unshare", "-rn", "sh", "-c",
			       "test -n \"$(nft list ruleset 2>&1)\" && exit 0; exec nft -f \"$0\"", path,
			       NULL };
	*says = NULL;
	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, says, &status,
			  NULL))
		status = 0;
	g_unlink(path);
	return status == 0 || strstr(*says, "unshare failed");
}

static void accepted(const char *filter, const char *parameters, const char *ip)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *says = NULL;
	g_autofree char *script = compile(filter, parameters, ip, &error);
	g_assert_no_error(error);
	if (!nft_takes(script, &says))
		g_error("%s: nft does not take\n%s\n%s", filter, script, says);
}

static void test_stock(void)
{
	begin();
	for (const char *const *xml = filter_stock(); *xml; xml++) {
		g_autoptr(Filter) filter = filter_from_xml(*xml, -1, NULL, NULL, NULL);
		accepted(filter->name,
			 "<parameter name='DHCPSERVER' value='192.0.2.1'/>"
			 "<parameter name='GATEWAY_MAC' value='52:54:00:00:00:01'/>"
			 "<parameter name='IPV6' value='2001:db8::7'/>",
			 g_str_has_suffix(filter->name, "v6-server") ? NULL : "192.0.2.7");
	}
	end();
}

/* One filter with every kind of condition. */
static const char every_condition[] =
	"<filter name='every' chain='root'>"
	"<rule action='accept' direction='out'><mac srcmacaddr='1:2:3:4:5:6' srcmacmask='ff:ff:ff:0:0:0' "
	"dstmacaddr='aa:bb:cc:dd:ee:ff' protocolid='0x88cc'/></rule>"
	"<rule action='drop' direction='inout'><mac match='no' srcmacaddr='1:2:3:4:5:6'/></rule>"
	"<rule action='drop' direction='in'><vlan vlanid='0x123' encap-protocol='arp'/></rule>"
	"<rule action='drop' direction='out'><stp type='0' flags='0x44' root-priority='1' "
	"root-priority-hi='2' root-address='1:2:3:4:5:6' root-address-mask='ff:ff:0:0:0:0' root-cost='3' "
	"root-cost-hi='70000' sender-priority='4' sender-address='6:5:4:3:2:1' port='5' age='6' max-age='7' "
	"hello-time='8' forward-delay='9' forward-delay-hi='10'/></rule>"
	"<rule action='return' direction='inout'><arp hwtype='1' protocoltype='0x800' opcode='Reply' "
	"arpsrcmacaddr='$MAC' arpdstmacaddr='1:2:3:4:5:6' arpsrcipaddr='10.1.2.3' arpsrcipmask='16' "
	"arpdstipaddr='10.2.2.3' arpdstipmask='255.255.0.0' gratuitous='no'/></rule>"
	"<rule action='accept' direction='out'><ip srcipaddr='10.1.2.3' srcipmask='8' "
	"dstipaddr='10.1.2.4' dstipmask='255.0.255.0' protocol='tcp' srcportstart='1' srcportend='5' "
	"dstportstart='80' dscp='0x3f'/></rule>"
	"<rule action='continue' direction='out'><ipv6 srcipaddr='fe80::1' srcipmask='10' protocol='icmpv6' "
	"type='128' typeend='129' code='0' codeend='1'/></rule>"
	"<rule action='accept' direction='in'><tcp srcmacaddr='1:2:3:4:5:6' srcipfrom='10.0.0.1' "
	"srcipto='10.0.0.9' dstportstart='22' dstportend='23' flags='SYN,ACK/SYN' option='4' comment='x'/>"
	"</rule><rule action='accept' direction='out' statematch='false'><udp dstportstart='53'/></rule>"
	"<rule action='accept' direction='out'><sctp dscp='1' state='ESTABLISHED'/></rule>"
	"<rule action='accept' direction='out'><icmp type='8' code='0'/></rule>"
	"<rule action='reject' direction='inout'><igmp/></rule>"
	"<rule action='accept' direction='out'><esp/></rule>"
	"<rule action='accept' direction='out'><ah/></rule>"
	"<rule action='accept' direction='out'><udplite/></rule>"
	"<rule action='accept' direction='in'><all srcipaddr='10.0.0.0' srcipmask='24'/></rule>"
	"<rule action='accept' direction='in'><tcp-ipv6 dstportstart='22' srcipaddr='2001:db8::' "
	"srcipmask='32' flags='ALL/NONE'/></rule><rule action='accept' direction='in'><udp-ipv6/></rule>"
	"<rule action='accept' direction='in'><sctp-ipv6/></rule><rule action='accept' direction='in'>"
	"<icmpv6 type='135'/></rule><rule action='accept' direction='in'><all-ipv6 dstipfrom='fe80::1' "
	"dstipto='fe80::9'/></rule><rule action='accept' direction='in'><esp-ipv6/></rule>"
	"<rule action='accept' direction='in'><ah-ipv6/></rule><rule action='accept' direction='in'>"
	"<udplite-ipv6/></rule></filter>";

static void test_every_condition(void)
{
	begin();
	add(every_condition);
	accepted("every", "", "10.1.2.3");
	end();
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		g_error("\"%s\" is not in\n%s", part, text);
}

/* $A and $B in step, $A[@1] and $B[@2] in every combination, $A[1] one of them. */
static void test_variables(void)
{
	const char *lists = "<parameter name='A' value='10'/><parameter name='A' value='11'/>"
			    "<parameter name='B' value='20'/><parameter name='B' value='21'/>"
			    "<parameter name='C' value='1'/><parameter name='C' value='2'/>"
			    "<parameter name='C' value='3'/>";
	g_autoptr(GError) error = NULL;
	begin();
	add("<filter name='step'><rule action='drop' direction='out'>"
	    "<ip srcportstart='$A' dstportstart='$B'/></rule></filter>");
	add("<filter name='every'><rule action='drop' direction='out'>"
	    "<ip srcportstart='$A[@1]' dstportstart='$B[@2]'/></rule></filter>");
	add("<filter name='one'><rule action='drop' direction='out'><ip srcportstart='$A[1]'/></rule>"
	    "</filter>");
	add("<filter name='odd'><rule action='drop' direction='out'>"
	    "<ip srcportstart='$A' dstportstart='$C'/></rule></filter>");
	g_autofree char *step = compile("step", lists, NULL, NULL);
	has(step, "th sport 10 th dport 20 drop");
	has(step, "th sport 11 th dport 21 drop");
	g_assert_null(strstr(step, "th sport 10 th dport 21"));
	g_autofree char *every = compile("every", lists, NULL, NULL);
	has(every, "th sport 10 th dport 21 drop");
	has(every, "th sport 11 th dport 20 drop");
	g_autofree char *one = compile("one", lists, NULL, NULL);
	has(one, "th sport 11 drop");
	g_assert_null(strstr(one, "th sport 10"));
	g_autofree char *odd = compile("odd", lists, NULL, &error);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_clear_error(&error);
	g_autofree char *none = compile("step", "", NULL, &error);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_autofree char *bad = compile("one", "<parameter name='A' value='1'/>"
				       "<parameter name='A' value='drop; add'/>", NULL, &error);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	end();
}

/* A guest is told where the kernel can do that; others are not, nor is who sent a mere frame. */
static void test_reject(void)
{
	begin();
	add("<filter name='r'><rule action='reject' direction='out'><tcp dstportstart='25'/></rule>"
	    "<rule action='reject' direction='in'><udp dstportstart='69'/></rule>"
	    "<rule action='reject' direction='out'><arp/></rule></filter>");
	g_autofree char *drops = compile("r", "", NULL, NULL);
	g_assert_null(strstr(drops, "reject"));
	kernel_rejects = TRUE;
	g_autofree char *rejects = compile("r", "", NULL, NULL);
	kernel_rejects = FALSE;
	has(rejects, "th dport 25 reject");
	has(rejects, "th dport 69 drop");
	has(rejects, "ether type 0x0806 drop");
	end();
}

static void test_circle(void)
{
	g_autoptr(GError) error = NULL;
	begin();
	add("<filter name='a'><filterref filter='b'/></filter>");
	add("<filter name='b'><filterref filter='a'/></filter>");
	add("<filter name='c'><filterref filter='nothing'/></filter>");
	g_autofree char *circle = compile("a", "", NULL, &error);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_clear_error(&error);
	g_autofree char *missing = compile("c", "", NULL, &error);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_assert_true(filter_uses(find(NULL, "a"), "b", find, NULL));
	g_assert_true(filter_uses(find(NULL, "clean-traffic"), "no-arp-ip-spoofing", find, NULL));
	g_assert_false(filter_uses(find(NULL, "allow-arp"), "b", find, NULL));
	end();
}

/* Without an address only what it takes to get one may pass. */
static void test_learning(void)
{
	begin();
	g_autofree char *before = compile("clean-traffic", "", NULL, NULL);
	has(before, "udp sport 68 udp dport 67 accept");
	g_assert_null(strstr(before, "jump p7o0"));
	g_autofree char *after = compile("clean-traffic", "", "192.0.2.7", NULL);
	has(after, "ip saddr 192.0.2.7 return");
	has(after, "@nh,112,32 0xc0000207 return");
	has(after, "ether type 0x0806 jump");
	accepted("clean-traffic", "", NULL);
	end();
}

/* @attributes of the filter, @rule: attributes and content of one. */
static void refused(const char *attributes, const char *rule, const char *why)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = g_strdup_printf("<filter %s><rule action='drop' %s</rule></filter>",
					       attributes, rule);
	g_autoptr(Filter) filter = filter_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_null(filter);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	has(error->message, why);
}

static void test_refused(void)
{
	refused("name='a/b'", "direction='out'>", "name");
	refused("name='a' chain='tcp'", "direction='out'>", "chain");
	refused("name='a' chain='arp-toolongtoolong'", "direction='out'>", "chain");
	refused("name='a'", "direction='out'><mac/><ip/>", "two rules");
	refused("name='a'", "direction='out' priority='1001'>", "priority");
	refused("name='a'", "direction='out'><ip srcipaddr='::1'/>", "IPv4");
	refused("name='a'", "direction='out'><tcp srcportstart='x'/>", "srcportstart");
	refused("name='a'", "direction='out'><tcp srcportstart='$A;'/>", "srcportstart");
	refused("name='a'", ">", "direction");
}

static void check_schema(const char *xml)
{
	g_autofree char *path = NULL, *tool = g_find_program_in_path("xmllint"), *says = NULL;
	g_autoptr(Filter) filter = filter_from_xml(xml, -1, NULL, NULL, NULL);
	g_autofree char *printed = shape_to_xml(&filter_shape, "filter", filter, 0);
	int fd = g_file_open_tmp("lodge-filter-XXXXXX", &path, NULL), status = 0;
	g_assert_cmpint(write(fd, printed, strlen(printed)), ==, strlen(printed));
	close(fd);
	const char *argv[] = { tool, "--noout", "--relaxng", SCHEMA, path, NULL };
	if (tool && g_file_test(SCHEMA, G_FILE_TEST_EXISTS)) {
		g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, &says, &status,
					   NULL));
		if (status)
			g_error("%s\n%s", printed, says);
	}
	g_unlink(path);
}

/* What we print is what libvirt's schema allows ("option" of TCP is libvirt's, but not its schema's). */
static void test_schema(void)
{
	g_autoptr(GString) every = g_string_new(every_condition);
	g_string_replace(every, " option='4'", "", 0);
	g_string_replace(every, " arpsrcipmask='16'", "", 0);
	g_string_replace(every, " arpdstipmask='255.255.0.0'", "", 0);
	check_schema(every->str);
	for (const char *const *xml = filter_stock(); *xml; xml++)
		check_schema(*xml);
}

/* A guest tells its address by ARP or by sending; a DHCP server by acknowledging; others by nothing. */
static void test_learn(void)
{
	static const guint8 mac[6] = { 0x52, 0x54, 0, 0, 0, 1 }, other[6] = { 0x52, 0x54, 0, 0, 0, 2 };
	static const char *const files[] = { "arp", "dhcp-ack" };
	for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(g_getenv("LODGE_SOURCE"), "tests", "fuzz", "corpus",
							 "nwfilter", files[i], NULL);
		g_autofree char *frame = NULL;
		gsize length;
		guint8 ip[4];
		gboolean from = i == 0;
		g_assert_true(g_file_get_contents(path, &frame, &length, NULL));
		const guint8 *bytes = (const guint8 *)frame;
		g_assert_true(filter_learn_frame(bytes, length, from, mac, !from, ip));
		g_assert_cmpint(ip[0], ==, 192);
		g_assert_cmpint(ip[3], ==, 9);
		g_assert_false(filter_learn_frame(bytes, length, from, other, !from, ip));
		if (from) /* where DHCP alone counts */
			g_assert_false(filter_learn_frame(bytes, length, from, mac, TRUE, ip));
		for (gsize n = 0; n + 1 < length; n++)
			filter_learn_frame(bytes, n, from, mac, !from, ip);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/nwfilter/stock", test_stock);
	g_test_add_func("/nwfilter/every-condition", test_every_condition);
	g_test_add_func("/nwfilter/variables", test_variables);
	g_test_add_func("/nwfilter/reject", test_reject);
	g_test_add_func("/nwfilter/circle", test_circle);
	g_test_add_func("/nwfilter/learning", test_learning);
	g_test_add_func("/nwfilter/learn", test_learn);
	g_test_add_func("/nwfilter/refused", test_refused);
	g_test_add_func("/nwfilter/schema", test_schema);
	return g_test_run();
}

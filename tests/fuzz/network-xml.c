/* Any bytes as a <network> document. What is taken must print to one that says the same, and whatever
 * passes its check gives rules and a configuration without a line that was not meant. */
#include <stdint.h>
#include <string.h>

#include "net/kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_texts(const Network *network)
{
	NetConfig config = { .run = "/r", .lib = "/l" };
	Rules rules = { .bridge = network->bridge ? network->bridge : "virbr0", .network = network };
	const NetKind *kind = net_kind(network);
	if (!network_owns_bridge(network))
		return;
	if (kind->rules) {
		kind->rules(network, &rules);
		g_autofree char *script = rules_script(&rules), *removal = rules_removal(&rules);
		g_assert_true(g_str_has_prefix(script, "add table"));
		g_assert_true(g_str_has_prefix(removal, "add table"));
	}
	DnsmasqFiles files;
	dnsmasq_files(&config, network, &files);
	g_assert_true(g_str_has_prefix(files.conf, "# Written"));
	dnsmasq_files_clear(&files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_auto(Notes) notes = { 0 };
	g_autoptr(GError) error = NULL;
	g_autoptr(Network) network =
		network_from_xml((const char *)data, (gssize)size, "input", &notes, &error);
	if (!network) {
		g_assert_true(error && g_utf8_validate(error->message, -1, NULL));
		return 0;
	}
	g_assert_no_error(error);
	network_fill(network);
	g_autofree char *printed = network_to_xml(network, SHAPE_XML_LIVE);
	g_autoptr(Network) again = network_from_xml(printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = network_to_xml(again, SHAPE_XML_LIVE);
	if (!g_str_equal(printed, reprinted))
		g_error("print and parse changed\n%s\nto\n%s", printed, reprinted);
	write_texts(network);
	return 0;
}

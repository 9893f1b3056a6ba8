/* Any bytes as a <filter> document, and as a frame that tells an address. What is taken as a document must
 * print to one that says the same, and either has rules or a reason why not. */
#include <stdint.h>
#include <string.h>

#include "net/filter_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Filter *find(gpointer data, const char *name)
{
	const Filter *filter = data;
	return g_str_equal(filter->name, name) ? filter : NULL;
}

static void compile(const Filter *filter)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) addresses = g_ptr_array_new();
	FilterBinding binding = { .port = (char *)"vnet0", .mac = (char *)"52:54:00:00:00:01",
				  .filter = filter->name };
	FilterRequest request = { .id = 1, .binding = &binding, .addresses = addresses, .find = find,
				  .data = (gpointer)filter };
	g_ptr_array_add(addresses, (gpointer) "192.0.2.1");
	g_autoptr(FilterScript) script = filter_compile(&request, &error);
	g_assert_true((script != NULL) == (error == NULL));
	/* no value gets out of its place */
	g_assert_true(!script || !strchr(script->text->str, ';'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const guint8 mac[6] = { 0x52, 0x54, 0, 0, 0, 1 };
	guint8 address[4];
	g_autoptr(GError) error = NULL;
	filter_learn_frame(data, size, TRUE, mac, FALSE, address);
	filter_learn_frame(data, size, FALSE, mac, TRUE, address);
	g_autoptr(Filter) filter = filter_from_xml((const char *)data, (gssize)size, "input", NULL, &error);
	if (!filter) {
		g_assert_true(error && g_utf8_validate(error->message, -1, NULL));
		return 0;
	}
	g_autofree char *printed = shape_to_xml(&filter_shape, "filter", filter, 0);
	g_autoptr(Filter) again = filter_from_xml(printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = shape_to_xml(&filter_shape, "filter", again, 0);
	if (!g_str_equal(printed, reprinted))
		g_error("print and parse changed\n%s\nto\n%s", printed, reprinted);
	compile(filter);
	return 0;
}

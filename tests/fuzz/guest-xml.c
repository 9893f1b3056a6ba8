/* Any bytes as a <domain> document. What is taken must print to a document that says the same. */
#include <stdint.h>

#include "model/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_auto(Notes) notes = { 0 };
	g_autoptr(GError) error = NULL;
	g_autoptr(Guest) guest = guest_from_xml((const char *)data, (gssize)size, "input", &notes, &error);
	if (!guest) {
		g_assert_true(error && g_utf8_validate(error->message, -1, NULL));
		return 0;
	}
	g_assert_no_error(error);
	g_autofree char *printed = guest_to_xml(guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autoptr(Guest) again = guest_from_xml(printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	/* Unknown parts of two elements may change places in memory, but not on paper. */
	g_autofree char *reprinted = guest_to_xml(again, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	if (!g_str_equal(printed, reprinted))
		g_error("print and parse changed\n%s\nto\n%s", printed, reprinted);
	g_autoptr(Guest) copy = guest_copy(guest);
	g_assert_true(shape_equal(&guest_shape, guest, copy));
	return 0;
}

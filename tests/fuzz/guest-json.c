/* Any bytes as the JSON of a guest. What is taken must come out as JSON that says the same. */
#include <stdint.h>

#include <jansson.h>

#include "model/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	json_t *json = json_loadb((const char *)data, size, 0, NULL);
	if (!json)
		return 0;
	g_autoptr(Guest) guest = shape_from_json(&guest_shape, json, &error);
	json_decref(json);
	if (!guest) {
		g_assert_true(error && g_utf8_validate(error->message, -1, NULL));
		return 0;
	}
	g_assert_no_error(error);
	json_t *printed = shape_to_json(&guest_shape, guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	g_autoptr(Guest) again = shape_from_json(&guest_shape, printed, &error);
	json_decref(printed);
	g_assert_no_error(error);
	g_assert_true(shape_equal(&guest_shape, guest, again));
	return 0;
}

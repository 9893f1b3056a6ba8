/* Any bytes as a <secret> document: it is refused, or prints to one that says the same. */
#include "model/secret.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Secret) secret = shape_from_xml(&secret_shape, "secret", (const char *)data, (gssize)size,
						  "input", NULL, &error);
	g_assert_true(!secret == !!error && (!error || g_utf8_validate(error->message, -1, NULL)));
	if (!secret)
		return 0;
	g_autofree char *printed = shape_to_xml(&secret_shape, "secret", secret, 0);
	g_autoptr(Secret) again =
		shape_from_xml(&secret_shape, "secret", printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = shape_to_xml(&secret_shape, "secret", again, 0);
	g_assert_cmpstr(printed, ==, reprinted);
	g_assert_cmpstr(secret_usage_id(secret), ==, secret_usage_id(again));
	g_assert_true(!secret_usage_id(secret) || secret_same_usage(secret, again));
	return 0;
}

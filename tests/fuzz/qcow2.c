/* Bytes of an image to the reader of qcow2 headers: it refuses, or what it says is within the
 * bounds that everything after it relies on. */
#include "image/qcow2.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_auto(Qcow2Header) header = { 0 };
	g_autoptr(GError) error = NULL;
	if (!qcow2_parse(data, size, &header, &error)) {
		g_assert_nonnull(error);
		g_assert_null(header.backing_file);
		return 0;
	}
	g_assert_null(error);
	g_assert_true(header.version == 2 || header.version == 3);
	g_assert_true(header.cluster_bits >= 9 && header.cluster_bits <= 21);
	g_assert_cmpuint(header.size, <=, G_MAXINT64);
	g_assert_true(!header.backing_file || strlen(header.backing_file) <= 1023);
	return 0;
}

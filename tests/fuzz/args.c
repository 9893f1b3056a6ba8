/* Any lines as the words behind a verb; the first byte chooses the verb. */
#include <stdint.h>
#include <string.h>

#include "ops/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Shape *choose(guint8 which)
{
	guint n;
	const Op *const *table = op_table(&n);
	for (guint i = 0; i < n; i++) {
		const Op *op = table[(which + i) % n];
		if (op->args)
			return op->args;
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const Shape *shape = size ? choose(data[0]) : NULL;
	if (!shape)
		return 0;
	g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
	if (!g_utf8_validate(text, -1, NULL)) /* main() gets no other words from a UTF-8 locale */
		return 0;
	g_auto(GStrv) words = g_strsplit(text, "\n", 64);
	g_autoptr(GError) error = NULL;
	gpointer args = shape_new(shape);
	gboolean taken = shape_from_args(shape, args, (int)g_strv_length(words), words, &error);
	g_assert_true(taken == !error);
	shape_free(shape, args);
	return 0;
}

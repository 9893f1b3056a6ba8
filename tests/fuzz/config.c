/* Any text as a configuration file: it is refused with the line, or each line has a key and a value. */
#include "daemon/syntax.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autoptr(GError) error = NULL;
	guint line = 0, before = 0, all = 1;
	for (const char *c = text; *c; c++)
		all += *c == '\n';
	g_autoptr(GPtrArray) lines = syntax_read(text, &line, &error);
	g_assert_true((lines != NULL) == (error == NULL));
	g_assert_cmpuint(line, <=, all);
	for (guint i = 0; lines && i < lines->len; i++) {
		const SyntaxLine *one = lines->pdata[i];
		g_assert_cmpuint(one->line, >, before);
		g_assert_cmpuint(one->line, <=, all);
		g_assert_true(one->key && one->values && (one->is_list || one->values[0]));
		before = one->line;
	}
	return 0;
}

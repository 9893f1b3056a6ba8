/* See enums.h. */
#include "base/enums.h"

const char *enum_name(const EnumTable *table, int value)
{
	return value > 0 && (guint)value < table->n ? table->names[value] : NULL;
}

int enum_value(const EnumTable *table, const char *name)
{
	for (guint i = 1; i < table->n; i++)
		if (table->names[i] && g_str_equal(table->names[i], name))
			return (int)i;
	return 0;
}

char *enum_choices(const EnumTable *table)
{
	GString *text = g_string_new(NULL);
	for (guint i = 1; i < table->n; i++)
		if (table->names[i])
			g_string_append_printf(text, "%s%s", text->len ? ", " : "", table->names[i]);
	return g_string_free(text, FALSE);
}

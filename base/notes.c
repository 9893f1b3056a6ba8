/* See notes.h. */
#include "base/notes.h"

void notes_add(Notes *notes, const char *format, ...)
{
	if (!notes)
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *line = g_strdup_vprintf(format, args);
	va_end(args);
	if (!notes->lines)
		notes->lines = g_ptr_array_new_with_free_func(g_free);
	if (!g_ptr_array_find_with_equal_func(notes->lines, line, g_str_equal, NULL))
		g_ptr_array_add(notes->lines, g_steal_pointer(&line));
}

guint notes_count(const Notes *notes)
{
	return notes && notes->lines ? notes->lines->len : 0;
}

const char *notes_get(const Notes *notes, guint i)
{
	return g_ptr_array_index(notes->lines, i);
}

void notes_clear(Notes *notes)
{
	g_clear_pointer(&notes->lines, g_ptr_array_unref);
}

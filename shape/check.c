/* Checks what rows state about an object that did not come from text, and what its shape's own
 * `check` says; gives every failure its place. See shape.h. */
#include "shape/shape.h"
#include "base/error.h"

typedef struct Check {
	GString *path;
	Notes *notes;
	GError **error;
} Check;

static gboolean check_object(Check *check, const Shape *shape, const char *object);

/* "devices/disk[2], line 41: " before the message; nothing where neither is known. */
static gboolean place(Check *check, const char *object)
{
	int line = ((const ShapeHead *)object)->line;
	g_autoptr(GString) prefix = g_string_new(check->path->str);
	if (line)
		g_string_append_printf(prefix, "%sline %d", prefix->len ? ", " : "", line);
	if (prefix->len)
		g_prefix_error(check->error, "%s: ", prefix->str);
	return FALSE;
}

static gboolean check_list(Check *check, const Row *row, const GPtrArray *list)
{
	gsize len = check->path->len;
	for (guint i = 0; i < shape_len(list); i++) {
		g_string_append_printf(check->path, "[%u]", i + 1);
		if (!check_object(check, row->of, g_ptr_array_index(list, i)))
			return FALSE;
		g_string_truncate(check->path, len);
	}
	return TRUE;
}

static gboolean check_value(Check *check, const Row *row, const char *object)
{
	const char *at = object + row->offset;
	switch (row->kind) {
	case ROW_STRUCT:
		return !*(const char *const *)at ||
		       check_object(check, row->of, *(const char *const *)at);
	case ROW_INLINE:
		return check_object(check, row->of, at);
	case ROW_LIST:
		return check_list(check, row, *(GPtrArray *const *)at);
	default: /* bounds stand in text.c, which JSON values pass through as well */
		return TRUE;
	}
}

static gboolean check_row(Check *check, const Shape *shape, const Row *row, const char *object)
{
	const char *label = row->xml ? row->xml : row->name;
	if (!row_applies(shape, row, object))
		return TRUE;
	if ((row->flags & ROW_REQUIRED) && !row_is_set(row, object)) {
		fail(check->error, LODGE_ERROR_INVALID, "%s is missing", label);
		return place(check, object);
	}
	gsize len = check->path->len;
	if (row->kind != ROW_INLINE || *label)
		g_string_append_printf(check->path, "%s%s", len ? "/" : "", label);
	if (!check_value(check, row, object))
		return FALSE;
	g_string_truncate(check->path, len);
	return TRUE;
}

static gboolean check_object(Check *check, const Shape *shape, const char *object)
{
	for (guint i = 0; i < shape->n; i++)
		if (!check_row(check, shape, &shape->rows[i], object))
			return FALSE;
	if (shape->check && !shape->check(object, check->notes, check->error))
		return place(check, object);
	return TRUE;
}

gboolean shape_check(const Shape *shape, gconstpointer object, Notes *notes, GError **error)
{
	g_autoptr(GError) local = NULL;
	Check check = { .path = g_string_new(NULL), .notes = notes, .error = &local };
	gboolean ok = check_object(&check, shape, object);
	g_string_free(check.path, TRUE);
	if (!ok)
		g_propagate_error(error, g_steal_pointer(&local));
	return ok;
}

/* Checks what rows state about an object that did not come from text, and what its shape's own
 * `check` says; gives every failure its place. See shape.h. */
#include "base/error.h"
#include "shape/tree.h"

#include <string.h>

typedef struct Check {
	Notes *notes;
	GError **error;
	gboolean strict; /* only look for XML that no row knows */
} Check;

static gboolean check_object(Check *check, const Place *at, const Shape *shape, const char *object);

/* "devices/disk[2], line 41: " before the message; nothing for the whole document, whose check names
 * places itself. @leaf: what of it, or NULL. */
static gboolean misplaced(Check *check, const Place *at, const char *object, const char *leaf)
{
	g_autofree char *rows = place_rows(at, leaf);
	error_detail(check->error, LODGE_DETAIL_NONE, rows);
	if (!at)
		return FALSE;
	int line = ((const ShapeHead *)object)->line;
	g_autofree char *path = place_text(at);
	g_autoptr(GString) prefix = g_string_new(path);
	if (line)
		g_string_append_printf(prefix, "%sline %d", prefix->len ? ", " : "", line);
	if (prefix->len)
		g_prefix_error(check->error, "%s: ", prefix->str);
	return FALSE;
}

static gboolean check_list(Check *check, const Place *at, const Row *row, const GPtrArray *list)
{
	for (guint i = 0; i < shape_len(list); i++) {
		Place item = { .up = at->up, .label = at->label, .index = i + 1 };
		if (!check_object(check, &item, row->of, g_ptr_array_index(list, i)))
			return FALSE;
	}
	return TRUE;
}

static gboolean check_value(Check *check, const Place *at, const Row *row, const char *object)
{
	const char *member = object + row->offset;
	switch (row->kind) {
	case ROW_STRUCT:
		return !*(const char *const *)member ||
		       check_object(check, at, row->of, *(const char *const *)member);
	case ROW_INLINE:
		return check_object(check, at, row->of, member);
	case ROW_LIST:
		return check_list(check, at, row, *(GPtrArray *const *)member);
	default: /* bounds stand in text.c, which JSON values pass through as well */
		return TRUE;
	}
}

static gboolean check_row(Check *check, const Place *up, const Shape *shape, const Row *row,
			  const char *object)
{
	const char *label = row->xml ? row->xml : row->name;
	if (!row_applies(shape, row, object))
		return TRUE;
	if (!check->strict && (row->flags & ROW_REQUIRED) && !row_is_set(row, object)) {
		fail_with(check->error, LODGE_ERROR_INVALID, LODGE_DETAIL_MISSING, "%s is missing", label);
		return misplaced(check, up, object, label);
	}
	Place at = { .up = up, .label = label };
	return check_value(check, &at, row, object);
}

static void unknown(Check *check, const ShapeExtra *extra)
{
	if (extra->name) {
		fail_with(check->error, LODGE_ERROR_INVALID, LODGE_DETAIL_UNKNOWN,
			  "attribute %s='%s' is not known here", extra->name, extra->text);
		return;
	}
	gsize n = strcspn(extra->text + 1, " \t\r\n/>") + 1;
	g_autofree char *tag = g_strndup(extra->text, n);
	fail_with(check->error, LODGE_ERROR_INVALID, LODGE_DETAIL_UNKNOWN, "element %s> is not known here",
		  tag);
}

static gboolean check_object(Check *check, const Place *at, const Shape *shape, const char *object)
{
	const ShapeExtra *extra = ((const ShapeHead *)object)->extra;
	if (check->strict && extra) {
		unknown(check, extra);
		return misplaced(check, at, object, NULL);
	}
	for (guint i = 0; i < shape->n; i++)
		if (!check_row(check, at, shape, &shape->rows[i], object))
			return FALSE;
	if (!check->strict && shape->check && !shape->check(object, check->notes, check->error))
		return misplaced(check, at, object, NULL);
	return TRUE;
}

static gboolean check_all(Check *check, const Shape *shape, gconstpointer object, GError **error)
{
	g_autoptr(GError) local = NULL; /* places are put before it, so it must be there */
	check->error = &local;
	if (check_object(check, NULL, shape, object))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&local));
	return FALSE;
}

gboolean shape_check(const Shape *shape, gconstpointer object, Notes *notes, GError **error)
{
	Check check = { .notes = notes };
	return check_all(&check, shape, object, error);
}

gboolean shape_all_known(const Shape *shape, gconstpointer object, GError **error)
{
	Check check = { .strict = TRUE };
	return check_all(&check, shape, object, error);
}

/* The life of a shaped object: made, freed, copied, compared, defaulted. See shape.h. */
#include "shape/shape.h"
#include "shape/tree.h"

#include <string.h>

static void clear_rows(const Shape *shape, char *object);

static void free_list(GPtrArray *list, const Shape *of)
{
	for (guint i = 0; i < list->len; i++) {
		gpointer item = g_ptr_array_index(list, i);
		if (of)
			shape_free(of, item);
		else
			g_free(item);
	}
	g_ptr_array_unref(list);
}

static void clear_row(const Row *row, char *at)
{
	switch (row->kind) {
	case ROW_STRING:
	case ROW_UUID:
	case ROW_MAC:
	case ROW_CPUSET:
	case ROW_XML:
		g_clear_pointer((char **)at, g_free);
		break;
	case ROW_STRUCT:
		shape_free(row->of, *(gpointer *)at);
		*(gpointer *)at = NULL;
		break;
	case ROW_INLINE:
		shape_clear(row->of, at);
		break;
	case ROW_LIST:
	case ROW_STRINGS:
		if (*(GPtrArray **)at)
			free_list(*(GPtrArray **)at, row->kind == ROW_LIST ? row->of : NULL);
		*(GPtrArray **)at = NULL;
		break;
	case ROW_INT:
		*(OptInt *)at = (OptInt){ 0 };
		break;
	case ROW_UINT:
	case ROW_SIZE:
		*(OptUint *)at = (OptUint){ 0 };
		break;
	case ROW_FLAG:
	case ROW_TRI:
	case ROW_ENUM:
		*(int *)at = 0;
		break;
	}
}

static void clear_rows(const Shape *shape, char *object)
{
	for (guint i = 0; i < shape->n; i++)
		clear_row(&shape->rows[i], object + shape->rows[i].offset);
}

static void clear_extras(ShapeHead *head)
{
	while (head->extra) {
		ShapeExtra *extra = head->extra;
		head->extra = extra->next;
		g_free(extra->name);
		g_free(extra->text);
		g_free(extra);
	}
	head->last_extra = NULL;
}

gpointer shape_new(const Shape *shape)
{
	return memset(g_malloc(shape->size), 0, shape->size); /* calloc would not take what was just freed */
}

void shape_clear(const Shape *shape, gpointer object)
{
	clear_rows(shape, object);
	clear_extras(object);
}

void shape_free(const Shape *shape, gpointer object)
{
	if (!object)
		return;
	shape_clear(shape, object);
	g_free(object);
}

void shape_append(GPtrArray **list, G_GNUC_UNUSED const Shape *of, gpointer item)
{
	if (!*list)
		*list = g_ptr_array_new();
	g_ptr_array_add(*list, item);
}

/* ---- copy ---- */

static void copy_into(const Shape *shape, const char *from, char *to);

static void copy_row(const Row *row, const char *from, char *to)
{
	switch (row->kind) {
	case ROW_INT:
		*(OptInt *)to = *(const OptInt *)from;
		break;
	case ROW_UINT:
	case ROW_SIZE:
		*(OptUint *)to = *(const OptUint *)from;
		break;
	case ROW_FLAG:
	case ROW_TRI:
	case ROW_ENUM:
		*(int *)to = *(const int *)from;
		break;
	case ROW_STRUCT:
		if (*(gconstpointer const *)from)
			*(gpointer *)to = shape_copy(row->of, *(gconstpointer const *)from);
		break;
	case ROW_INLINE:
		copy_into(row->of, from, to);
		break;
	case ROW_LIST:
	case ROW_STRINGS: {
		const GPtrArray *list = *(GPtrArray *const *)from;
		for (guint i = 0; i < shape_len(list); i++) {
			gpointer item = g_ptr_array_index(list, i);
			shape_append((GPtrArray **)to, row->of,
				     row->kind == ROW_LIST ? shape_copy(row->of, item)
							   : g_strdup(item));
		}
		break;
	}
	default:
		*(char **)to = g_strdup(*(char *const *)from);
	}
}

static void copy_into(const Shape *shape, const char *from, char *to)
{
	const ShapeHead *head = (const ShapeHead *)from;
	((ShapeHead *)to)->line = head->line;
	for (const ShapeExtra *e = head->extra; e; e = e->next)
		extra_add((ShapeHead *)to, e->parent, e->after, g_strdup(e->name),
			  g_strdup(e->text));
	for (guint i = 0; i < shape->n; i++)
		copy_row(&shape->rows[i], from + shape->rows[i].offset, to + shape->rows[i].offset);
}

gpointer shape_copy(const Shape *shape, gconstpointer object)
{
	char *copy = shape_new(shape);
	copy_into(shape, object, copy);
	return copy;
}

/* ---- diff ---- */

typedef struct Diff {
	GPtrArray *paths; /* NULL: stop at the first difference */
	gboolean differs;
	GString *path;
} Diff;

static void diff_objects(Diff *diff, const Shape *shape, const char *a, const char *b);

static void differ(Diff *diff)
{
	diff->differs = TRUE;
	if (diff->paths)
		g_ptr_array_add(diff->paths, g_strdup(diff->path->str));
}

static void diff_list(Diff *diff, const Row *row, const GPtrArray *a, const GPtrArray *b)
{
	guint longest = MAX(shape_len(a), shape_len(b));
	for (guint i = 0; i < longest; i++) {
		gsize len = diff->path->len;
		g_string_append_printf(diff->path, "[%u]", i + 1);
		gpointer x = i < shape_len(a) ? g_ptr_array_index(a, i) : NULL;
		gpointer y = i < shape_len(b) ? g_ptr_array_index(b, i) : NULL;
		if (!x || !y)
			differ(diff);
		else if (row->kind == ROW_LIST)
			diff_objects(diff, row->of, x, y);
		else if (!g_str_equal(x, y))
			differ(diff);
		g_string_truncate(diff->path, len);
	}
}

static void diff_row(Diff *diff, const Row *row, const char *a, const char *b)
{
	const void *x = a + row->offset, *y = b + row->offset;
	if (row->kind == ROW_INLINE) {
		diff_objects(diff, row->of, x, y);
	} else if (row->kind == ROW_LIST || row->kind == ROW_STRINGS) {
		diff_list(diff, row, *(GPtrArray *const *)x, *(GPtrArray *const *)y);
	} else if (row_is_set(row, a) != row_is_set(row, b)) {
		differ(diff);
	} else if (row->kind == ROW_STRUCT) {
		if (row_is_set(row, a))
			diff_objects(diff, row->of, *(const char *const *)x,
				     *(const char *const *)y);
	} else {
		g_autofree char *s = row_to_text(row, a);
		g_autofree char *t = row_to_text(row, b);
		if (g_strcmp0(s, t))
			differ(diff);
	}
}

static gboolean extras_equal(const ShapeExtra *a, const ShapeExtra *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (a->parent != b->parent || a->after != b->after || g_strcmp0(a->name, b->name) ||
		    g_strcmp0(a->text, b->text))
			return FALSE;
	return !a && !b;
}

static void diff_objects(Diff *diff, const Shape *shape, const char *a, const char *b)
{
	gsize len = diff->path->len;
	for (guint i = 0; i < shape->n && (diff->paths || !diff->differs); i++) {
		const Row *row = &shape->rows[i];
		if (!row_is_flat(row))
			g_string_append_printf(diff->path, "%s%s", len ? "/" : "", row->name);
		diff_row(diff, row, a, b);
		g_string_truncate(diff->path, len);
	}
	if (!extras_equal(((const ShapeHead *)a)->extra, ((const ShapeHead *)b)->extra))
		differ(diff);
}

GPtrArray *shape_diff(const Shape *shape, gconstpointer a, gconstpointer b)
{
	Diff diff = { .paths = g_ptr_array_new_with_free_func(g_free), .path = g_string_new(NULL) };
	diff_objects(&diff, shape, a, b);
	g_string_free(diff.path, TRUE);
	return diff.paths;
}

gboolean shape_equal(const Shape *shape, gconstpointer a, gconstpointer b)
{
	Diff diff = { .path = g_string_new(NULL) };
	diff_objects(&diff, shape, a, b);
	g_string_free(diff.path, TRUE);
	return !diff.differs;
}

/* ---- defaults and live members ---- */

typedef void (*RowVisit)(const Row *row, char *object);

static void visit(const Shape *shape, char *object, RowVisit fn)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		char *at = object + row->offset;
		if (!row_applies(shape, row, object))
			continue;
		fn(row, object);
		if (row->kind == ROW_INLINE)
			visit(row->of, at, fn);
		else if (row->kind == ROW_STRUCT && *(char **)at)
			visit(row->of, *(char **)at, fn);
		else if (row->kind == ROW_LIST)
			for (guint j = 0; j < shape_len(*(GPtrArray **)at); j++)
				visit(row->of, g_ptr_array_index(*(GPtrArray **)at, j), fn);
	}
}

static void set_default(const Row *row, char *object)
{
	if (row->dflt && !row_is_set(row, object) &&
	    !row_from_text(row, object, row->dflt, NULL))
		g_error("the default of row %s is not valid", row->name);
}

static void drop_live(const Row *row, char *object)
{
	if (row->flags & ROW_LIVE)
		clear_row(row, object + row->offset);
}

void shape_defaults(const Shape *shape, gpointer object)
{
	visit(shape, object, set_default);
}

void shape_drop_live(const Shape *shape, gpointer object)
{
	visit(shape, object, drop_live);
}

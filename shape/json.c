/* JSON by rows. Keys are the members' names; what is absent is left out. Numbers beyond what
 * JSON readers keep exactly (2^63 and more) travel as strings. See shape.h. */
#include "base/error.h"
#include "shape/shape.h"

#include <jansson.h>
#include <string.h>

/* ---- out ---- */

static json_t *list_to_json(const Row *row, const GPtrArray *list, guint flags)
{
	json_t *array = json_array();
	for (guint i = 0; i < shape_len(list); i++) {
		gpointer item = g_ptr_array_index(list, i);
		json_array_append_new(array, row->kind == ROW_LIST
						     ? shape_to_json(row->of, item, flags)
						     : json_string(item));
	}
	return array;
}

static json_t *value_to_json(const Row *row, const char *object, guint flags)
{
	const void *at = object + row->offset;
	switch (row->kind) {
	case ROW_FLAG:
		return json_boolean(*(const gboolean *)at);
	case ROW_TRI:
		return json_boolean(*(const Tri *)at == TRI_YES);
	case ROW_INT:
		return json_integer(((const OptInt *)at)->v);
	case ROW_UINT:
	case ROW_SIZE:
		if (((const OptUint *)at)->v <= G_MAXINT64)
			return json_integer((json_int_t)((const OptUint *)at)->v);
		/* with its unit: a word without one would be read in the row's own */
		return json_sprintf("%" G_GUINT64_FORMAT "%s", ((const OptUint *)at)->v,
				    row->kind == ROW_SIZE ? "b" : "");
	case ROW_ENUM:
		return json_string(enum_name(row->of, *(const int *)at));
	case ROW_STRUCT:
		return shape_to_json(row->of, *(gconstpointer const *)at, flags);
	case ROW_INLINE:
		return shape_to_json(row->of, at, flags);
	case ROW_LIST:
	case ROW_STRINGS:
		return list_to_json(row, *(GPtrArray *const *)at, flags);
	default:
		return json_string(*(char *const *)at);
	}
}

static void object_to_json(json_t *json, const Shape *shape, const char *object, guint flags)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if ((row->flags & ROW_SECRET) && !(flags & SHAPE_XML_SECRETS))
			continue;
		if ((row->flags & ROW_LIVE) && !(flags & SHAPE_XML_LIVE))
			continue;
		if (!row_is_set(row, object) || !row_applies(shape, row, object))
			continue;
		if (row_is_flat(row)) {
			object_to_json(json, row->of, object + row->offset, flags);
			continue;
		}
		json_t *value = value_to_json(row, object, flags);
		if (row->kind == ROW_INLINE && !json_object_size(value))
			json_decref(value);
		else
			json_object_set_new_nocheck(json, row->name, value);
	}
}

json_t *shape_to_json(const Shape *shape, gconstpointer object, guint flags)
{
	json_t *json = json_object();
	object_to_json(json, shape, object, flags);
	return json;
}

/* ---- in ---- */

static gboolean object_from_json(const Shape *shape, char *object, json_t *json, GError **error);

static const char *type_name(const json_t *json)
{
	static const char *const names[] = { "an object", "a list",    "a string", "a number",
					     "a number",  "a boolean", "a boolean", "null" };
	return names[json_typeof(json)];
}

static gboolean wrong(GError **error, const json_t *json, const char *wanted)
{
	return fail(error, LODGE_ERROR_INVALID, "%s is wanted, not %s", wanted, type_name(json));
}

static gboolean scalar_from_json(const Row *row, char *object, json_t *json, GError **error)
{
	if (json_is_string(json))
		return row_from_text(row, object, json_string_value(json), error);
	if (json_is_integer(json) && (row->kind == ROW_INT || row->kind == ROW_UINT)) {
		g_autofree char *text =
			g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json));
		return row_from_text(row, object, text, error);
	}
	if (json_is_integer(json) && row->kind == ROW_SIZE) { /* always bytes */
		g_autofree char *text =
			g_strdup_printf("%" JSON_INTEGER_FORMAT "b", json_integer_value(json));
		return row_from_text(row, object, text, error);
	}
	gboolean is_number = row->kind == ROW_INT || row->kind == ROW_UINT || row->kind == ROW_SIZE;
	return wrong(error, json, is_number ? "a whole number" : "a string");
}

static gboolean item_from_json(const Row *row, GPtrArray **list, json_t *item, GError **error)
{
	if (row->kind == ROW_STRINGS) {
		if (!json_is_string(item))
			return wrong(error, item, "a string");
		shape_append(list, NULL, g_strdup(json_string_value(item)));
		return TRUE;
	}
	gpointer object = shape_from_json(row->of, item, error);
	if (object)
		shape_append(list, row->of, object);
	return object != NULL;
}

static gboolean list_from_json(const Row *row, char *at, json_t *json, GError **error)
{
	if (!json_is_array(json))
		return wrong(error, json, "a list");
	for (size_t i = 0; i < json_array_size(json); i++) {
		g_autoptr(GError) local = NULL;
		if (item_from_json(row, (GPtrArray **)at, json_array_get(json, i), &local))
			continue;
		g_prefix_error(&local, "[%zu]: ", i + 1);
		g_propagate_error(error, g_steal_pointer(&local));
		return FALSE;
	}
	return TRUE;
}

static gboolean value_from_json(const Row *row, char *object, json_t *json, GError **error)
{
	char *at = object + row->offset;
	switch (row->kind) {
	case ROW_FLAG:
		if (!json_is_boolean(json))
			return wrong(error, json, "a boolean");
		*(gboolean *)at = json_is_true(json);
		return TRUE;
	case ROW_TRI:
		if (!json_is_boolean(json))
			return wrong(error, json, "a boolean");
		*(Tri *)at = json_is_true(json) ? TRI_YES : TRI_NO;
		return TRUE;
	case ROW_STRUCT: {
		gpointer inner = shape_from_json(row->of, json, error);
		shape_free(row->of, *(gpointer *)at);
		*(gpointer *)at = inner;
		return inner != NULL;
	}
	case ROW_INLINE:
		return json_is_object(json) ? object_from_json(row->of, at, json, error)
					    : wrong(error, json, "an object");
	case ROW_LIST:
	case ROW_STRINGS:
		return list_from_json(row, at, json, error);
	default:
		return scalar_from_json(row, object, json, error);
	}
}

/* The row of @key in @shape or in a shape embedded in it; *object moves to the embedded one. */
static const Row *find_row(const Shape *shape, const char *key, char **object)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if (row_is_flat(row)) {
			char *inner = *object + row->offset;
			const Row *found = find_row(row->of, key, &inner);
			if (found) {
				*object = inner;
				return found;
			}
		} else if (row_applies(shape, row, *object) && g_str_equal(row->name, key)) {
			return row;
		}
	}
	return NULL;
}

static gboolean set_key(const Shape *shape, char *object, const char *key, json_t *json,
			GError **error)
{
	g_autoptr(GError) local = NULL;
	const Row *row = find_row(shape, key, &object);
	if (!row)
		fail(&local, LODGE_ERROR_INVALID, "%s does not have such a member here",
		     shape->name);
	if (row && value_from_json(row, object, json, &local))
		return TRUE;
	/* what holds others names its own place */
	gboolean inside = row && (json_is_object(json) || json_is_array(json));
	g_prefix_error(&local, "%s%s", key, inside ? "." : ": ");
	g_propagate_error(error, g_steal_pointer(&local));
	return FALSE;
}

static gboolean object_from_json(const Shape *shape, char *object, json_t *json, GError **error)
{
	const Row *kind = shape->discriminator;
	json_t *first = kind ? json_object_get(json, kind->name) : NULL;
	if (first && !set_key(shape, object, kind->name, first, error))
		return FALSE;
	const char *key;
	json_t *value;
	json_object_foreach(json, key, value) {
		if (value != first && !set_key(shape, object, key, value, error))
			return FALSE;
	}
	return TRUE;
}

gpointer shape_from_json(const Shape *shape, json_t *json, GError **error)
{
	if (!json_is_object(json)) {
		wrong(error, json, "an object");
		return NULL;
	}
	gpointer object = shape_new(shape);
	if (object_from_json(shape, object, json, error))
		return object;
	shape_free(shape, object);
	return NULL;
}

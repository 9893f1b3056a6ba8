/* JSON text straight from rows, for replies that may be long: the same members as json.c makes, without
 * a tree in between. Neighbours: json.c states the rules of what is left out; wire/ sends the text. */
#include "shape/shape.h"
#include "shape/tree.h"

#include <string.h>

static void put_object(GString *out, const Shape *shape, const char *object, guint flags);

static void put_escaped(GString *out, guchar c)
{
	static const char *const short_forms[] = { ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",
						   ['\r'] = "\\r", ['\t'] = "\\t", ['"'] = "\\\"",
						   ['\\'] = "\\\\" };
	if (c < G_N_ELEMENTS(short_forms) && short_forms[c])
		g_string_append(out, short_forms[c]);
	else
		g_string_append_printf(out, "\\u%04X", c);
}

/* @text must be UTF-8. Runs of plain bytes, nearly always all of them, go in one piece. */
static void put_string(GString *out, const char *text)
{
	g_string_append_c(out, '"');
	for (;;) {
		const char *run = text;
		while ((guchar)*text >= ' ' && *text != '"' && *text != '\\')
			text++;
		g_string_append_len(out, run, text - run);
		if (*text == '\0')
			break;
		put_escaped(out, (guchar)*text++);
	}
	g_string_append_c(out, '"');
}

static void put_number(GString *out, gboolean negative, guint64 value)
{
	char digits[24];
	char *at = digits + sizeof digits;
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	if (negative)
		*--at = '-';
	g_string_append_len(out, at, digits + sizeof digits - at);
}

static void put_list(GString *out, const Row *row, const GPtrArray *list, guint flags)
{
	g_string_append_c(out, '[');
	for (guint i = 0; i < shape_len(list); i++) {
		const char *item = g_ptr_array_index(list, i);
		if (row->kind == ROW_STRINGS && !g_utf8_validate(item, -1, NULL))
			continue;
		if (i > 0)
			g_string_append_c(out, ',');
		if (row->kind == ROW_LIST)
			put_object(out, row->of, item, flags);
		else
			put_string(out, item);
	}
	g_string_append_c(out, ']');
}

static void put_value(GString *out, const Row *row, const char *object, guint flags)
{
	const void *at = object + row->offset;
	switch (row->kind) {
	case ROW_FLAG:
		g_string_append(out, *(const gboolean *)at ? "true" : "false");
		break;
	case ROW_TRI:
		g_string_append(out, *(const Tri *)at == TRI_YES ? "true" : "false");
		break;
	case ROW_INT: {
		gint64 v = ((const OptInt *)at)->v;
		put_number(out, v < 0, v < 0 ? -(guint64)v : (guint64)v);
		break;
	}
	case ROW_UINT:
	case ROW_SIZE: {
		guint64 v = ((const OptUint *)at)->v;
		if (v > G_MAXINT64)
			g_string_append_printf(out, "\"%" G_GUINT64_FORMAT "%s\"", v,
					       row->kind == ROW_SIZE ? "b" : "");
		else
			put_number(out, FALSE, v);
		break;
	}
	case ROW_ENUM:
		put_string(out, enum_name(row->of, *(const int *)at));
		break;
	case ROW_STRUCT:
		put_object(out, row->of, *(const char *const *)at, flags);
		break;
	case ROW_INLINE:
		put_object(out, row->of, at, flags);
		break;
	case ROW_LIST:
	case ROW_STRINGS:
		put_list(out, row, *(GPtrArray *const *)at, flags);
		break;
	default:
		put_string(out, *(char *const *)at);
	}
}

static gboolean is_text(const Row *row)
{
	return row->kind == ROW_STRING || row->kind == ROW_UUID || row->kind == ROW_MAC ||
	       row->kind == ROW_CPUSET || row->kind == ROW_XML;
}

/* What JSON cannot say is left out, as json.c does. */
static gboolean is_wanted(const Shape *shape, const Row *row, const char *object, guint flags)
{
	if ((row->flags & ROW_SECRET) && !(flags & SHAPE_XML_SECRETS))
		return FALSE;
	if ((row->flags & ROW_LIVE) && !(flags & SHAPE_XML_LIVE))
		return FALSE;
	if (!row_is_set(row, object) || !row_applies(shape, row, object))
		return FALSE;
	if (row->kind == ROW_ENUM)
		return enum_name(row->of, *(const int *)(object + row->offset)) != NULL;
	return !is_text(row) || g_utf8_validate(*(char *const *)(object + row->offset), -1, NULL);
}

static void put_members(GString *out, const Shape *shape, const char *object, guint flags)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if (!is_wanted(shape, row, object, flags))
			continue;
		if (row_is_flat(row)) {
			put_members(out, row->of, object + row->offset, flags);
			continue;
		}
		gsize before = out->len;
		if (out->str[out->len - 1] != '{')
			g_string_append_c(out, ',');
		put_string(out, row->name);
		g_string_append_c(out, ':');
		gsize value = out->len;
		put_value(out, row, object, flags);
		if (row->kind == ROW_INLINE && g_str_equal(out->str + value, "{}"))
			g_string_truncate(out, before);
	}
}

static void put_object(GString *out, const Shape *shape, const char *object, guint flags)
{
	g_string_append_c(out, '{');
	put_members(out, shape, object, flags);
	g_string_append_c(out, '}');
}

void shape_json_text(GString *out, const Shape *shape, gconstpointer object, guint flags)
{
	put_object(out, shape, object, flags);
}

/* Rows as documentation: JSON schema for OpenAPI, synopsis and help for the command line.
 * Neighbours: json.c and args.c read what is described here. */
#include "shape/shape.h"

#include <jansson.h>
#include <string.h>

typedef struct KindDoc {
	const char *type;   /* JSON schema */
	const char *format; /* may be NULL */
	const char *value;  /* stands for the value in a synopsis; NULL: the row's name */
} KindDoc;

static const KindDoc kinds[] = {
	[ROW_FLAG] = { "boolean" },
	[ROW_TRI] = { "boolean" },
	[ROW_INT] = { "integer", "int64", "NUMBER" },
	[ROW_UINT] = { "integer", "int64", "NUMBER" },
	[ROW_SIZE] = { "integer", "int64", "SIZE" },
	[ROW_STRING] = { "string" },
	[ROW_ENUM] = { "string" },
	[ROW_UUID] = { "string", "uuid", "UUID" },
	[ROW_MAC] = { "string", NULL, "MAC" },
	[ROW_CPUSET] = { "string", NULL, "CPUS" },
	[ROW_STRUCT] = { "object" },
	[ROW_INLINE] = { "object" },
	[ROW_LIST] = { "array" },
	[ROW_STRINGS] = { "array" },
	[ROW_XML] = { "string", "xml", "FILE" },
};

/* ---- schema ---- */

static json_t *schema_ref(const Shape *shape, json_t *components)
{
	if (!components)
		return shape_schema(shape, NULL);
	if (!json_object_get(components, shape->name)) {
		/* The name is taken before the members are described: shapes may refer to themselves. */
		json_object_set_new(components, shape->name, json_object());
		json_object_set_new(components, shape->name, shape_schema(shape, components));
	}
	return json_pack("{s:s+}", "$ref", "#/components/schemas/", shape->name);
}

static void add_number_bounds(json_t *schema, const Row *row)
{
	gboolean bounded = row->min || row->max;
	if (bounded || row->kind != ROW_INT)
		json_object_set_new(schema, "minimum", json_integer(bounded ? row->min : 0));
	if (bounded)
		json_object_set_new(schema, "maximum", json_integer(row->max));
}

static json_t *enum_words(const EnumTable *table)
{
	json_t *words = json_array();
	for (guint i = 1; i < table->n; i++)
		if (table->names[i])
			json_array_append_new(words, json_string(table->names[i]));
	return words;
}

static json_t *row_schema(const Row *row, json_t *components)
{
	if (row->kind == ROW_STRUCT || row->kind == ROW_INLINE)
		return schema_ref(row->of, components);
	json_t *schema = json_pack("{s:s}", "type", kinds[row->kind].type);
	if (kinds[row->kind].format)
		json_object_set_new(schema, "format", json_string(kinds[row->kind].format));
	if (row->kind == ROW_ENUM)
		json_object_set_new(schema, "enum", enum_words(row->of));
	if (row->kind == ROW_INT || row->kind == ROW_UINT || row->kind == ROW_SIZE)
		add_number_bounds(schema, row);
	if (row->kind == ROW_LIST)
		json_object_set_new(schema, "items", schema_ref(row->of, components));
	if (row->kind == ROW_STRINGS)
		json_object_set_new(schema, "items", json_pack("{s:s}", "type", "string"));
	if (row->doc)
		json_object_set_new(schema, "description",
				    row->kind == ROW_SIZE ? json_sprintf("%s, in bytes", row->doc) :
							    json_string(row->doc));
	return schema;
}

static void add_members(const Shape *shape, json_t *components, json_t *members, json_t *required)
{
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if (row_is_flat(row)) {
			add_members(row->of, components, members, required);
			continue;
		}
		json_object_set_new(members, row->name, row_schema(row, components));
		if ((row->flags & ROW_REQUIRED) && !row->when)
			json_array_append_new(required, json_string(row->name));
	}
}

json_t *shape_schema(const Shape *shape, json_t *components)
{
	json_t *members = json_object();
	json_t *required = json_array();
	add_members(shape, components, members, required);
	json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", members,
				   "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

/* ---- synopsis and help ---- */

char *shape_arg_value(const Row *row)
{
	if (row->kind == ROW_FLAG || row->kind == ROW_TRI)
		return NULL;
	if (kinds[row->kind].value)
		return g_strdup(kinds[row->kind].value);
	return g_ascii_strup(row->name, -1);
}

/* "--timeout NUMBER", "--all", or "NAME" for a positional. */
static char *usage(const Row *row)
{
	g_autofree char *name = shape_arg_name(row);
	g_autofree char *value = shape_arg_value(row);
	if (row->flags & ROW_POSITIONAL) {
		g_autofree char *upper = g_ascii_strup(name, -1);
		return g_strconcat(upper, row->flags & ROW_REST ? "..." : NULL, NULL);
	}
	const char *no = row->kind == ROW_TRI ? "[no-]" : "";
	return g_strconcat("--", no, name, value ? " " : NULL, value, NULL);
}

char *shape_synopsis(const Shape *shape)
{
	GString *text = g_string_new(NULL);
	for (guint pass = 0; pass < 2; pass++) /* positional ones first */
		for (guint i = 0; i < shape->n; i++) {
			const Row *row = &shape->rows[i];
			gboolean positional = (row->flags & ROW_POSITIONAL) != 0;
			if (positional != (pass == 0))
				continue;
			g_autofree char *word = usage(row);
			gboolean needed = (row->flags & ROW_REQUIRED) && !row->dflt;
			g_string_append_printf(text, needed ? "%s%s" : "%s[%s]",
					       text->len ? " " : "", word);
		}
	return g_string_free(text, FALSE);
}

static void help_of(GString *text, const Row *row)
{
	g_autofree char *word = usage(row);
	g_autofree char *letter = row->opt ? g_strdup_printf("-%c, ", row->opt) : g_strdup("");
	g_autofree char *left = g_strconcat(letter, word, NULL);
	g_string_append_printf(text, "  %-24s", left);
	if (strlen(left) > 24)
		g_string_append_printf(text, "\n  %-24s", "");
	g_string_append_printf(text, " %s", row->doc ? row->doc : "");
	if (row->kind == ROW_ENUM) {
		g_autofree char *choices = enum_choices(row->of);
		g_string_append_printf(text, " (%s)", choices);
	}
	if (row->kind == ROW_SIZE)
		g_string_append_printf(text, " (with a unit: 512M, 4G; else %s)",
				       row->words ? row->words : "bytes");
	if (row->dflt)
		g_string_append_printf(text, " [%s]", row->dflt);
	g_string_append_c(text, '\n');
}

char *shape_help(const Shape *shape)
{
	GString *text = g_string_new(NULL);
	for (guint pass = 0; pass < 2; pass++)
		for (guint i = 0; i < shape->n; i++) {
			gboolean positional = (shape->rows[i].flags & ROW_POSITIONAL) != 0;
			if (positional == (pass == 0))
				help_of(text, &shape->rows[i]);
		}
	return g_string_free(text, FALSE);
}

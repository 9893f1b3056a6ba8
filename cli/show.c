/* Results on a terminal, in virsh's manner: tables, "Label: value" lines, messages, text. Values come
 * as JSON; the result's rows say what they are. */
#include "cli/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Columns that @text takes on a terminal. */
static size_t width_of(const char *text)
{
	size_t width = 0;
	for (const char *c = text; *c; c = g_utf8_next_char(c)) {
		if (!(*c & 0x80)) { /* plain ASCII, nearly always */
			width++;
			continue;
		}
		gunichar u = g_utf8_get_char(c);
		if (!g_unichar_iszerowidth(u))
			width += g_unichar_iswide(u) ? 2 : 1;
	}
	return width;
}

static char *size_text(const Row *row, guint64 bytes)
{
	static const struct { const char *word; guint64 bytes; } units[] = {
		{ "TiB", G_GUINT64_CONSTANT(1) << 40 }, { "GiB", 1u << 30 }, { "MiB", 1u << 20 },
		{ "KiB", 1u << 10 },
	};
	for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
		if (row->words && g_str_equal(row->words, units[i].word))
			return g_strdup_printf("%" G_GUINT64_FORMAT " %s", bytes / units[i].bytes,
					       units[i].word);
		if (!row->words && bytes >= units[i].bytes)
			return g_strdup_printf("%.*f %s", row->digits ? (int)row->digits : 1,
					       (double)bytes / (double)units[i].bytes, units[i].word);
	}
	if (row->digits) /* as virsh prints small ones */
		return g_strdup_printf("%.*f B", (int)row->digits, (double)bytes);
	return g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
}

/* "yes" or "no", or the words of the row. */
static char *bool_text(const Row *row, gboolean on)
{
	if (!row->words)
		return g_strdup(on ? "yes" : "no");
	const char *slash = strchr(row->words, '/');
	return on ? g_strndup(row->words, (gsize)(slash - row->words)) : g_strdup(slash + 1);
}

static char *join(json_t *array)
{
	GString *text = g_string_new(NULL);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *item = json_string_value(json_array_get(array, i));
		g_string_append_printf(text, "%s%s", i ? ", " : "", item ? item : "");
	}
	return g_string_free(text, FALSE);
}

/* One value as words; NULL where it is absent. The caller frees it. */
static char *value_text(const Row *row, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return g_strdup(json_string_value(value));
	case JSON_INTEGER:
		if (row->kind == ROW_SIZE)
			return size_text(row, (guint64)json_integer_value(value));
		return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_TRUE:
	case JSON_FALSE:
		return bool_text(row, json_is_true(value));
	case JSON_ARRAY:
		return json_is_string(json_array_get(value, 0)) ? join(value) : NULL;
	default:
		return NULL;
	}
}

static char *member_text(const Row *row, json_t *object)
{
	json_t *value = json_object_get(object, row->name);
	if (value)
		return value_text(row, value);
	return row->kind == ROW_FLAG ? bool_text(row, FALSE) : NULL;
}

/* ---- tables ---- */

typedef struct Table {
	GPtrArray *cells; /* char *, row by row, the heading first */
	size_t *widths;
	guint columns;
} Table;

static void add_cell(Table *table, char *text)
{
	guint column = table->cells->len % table->columns;
	table->widths[column] = MAX(table->widths[column], width_of(text));
	g_ptr_array_add(table->cells, text);
}

void show_end(void)
{
	if (!cli_style.virsh) /* there each command ends with one */
		putchar('\n');
	fflush(stdout);
}

/* Columns in virsh's way: a blank before, three between, no padding at the end. */
static void print_table(const Table *table)
{
	g_autoptr(GString) out = g_string_sized_new(65536);
	size_t total = 0;
	for (guint i = 0; i < table->columns; i++)
		total += table->widths[i] + 3;
	for (guint i = 0; i < table->cells->len; i++) {
		const char *text = g_ptr_array_index(table->cells, i);
		guint column = i % table->columns;
		g_string_append_c(out, ' ');
		g_string_append(out, text);
		if (column + 1 < table->columns) {
			size_t pad = table->widths[column] - width_of(text) + 2;
			for (; pad > 0; pad--)
				g_string_append_c(out, ' ');
			continue;
		}
		g_string_append_c(out, '\n');
		gboolean heading = i < table->columns && !cli_style.quiet;
		for (size_t k = 0; heading && k < total; k++)
			g_string_append_c(out, '-');
		if (heading)
			g_string_append_c(out, '\n');
	}
	show_bytes(out->str, out->len);
	show_end();
}

static const Row *only_list(const Shape *shape)
{
	for (guint i = 0; i < shape->n; i++)
		if (shape->rows[i].kind == ROW_LIST)
			return &shape->rows[i];
	return NULL;
}

/* A row with a heading; one that is INTERNAL only where some item has it. */
static gboolean is_column(const Row *row, json_t *items)
{
	gboolean shown = row->doc && !(row->flags & ROW_INTERNAL);
	for (size_t i = 0; row->doc && !shown && i < json_array_size(items); i++)
		shown = json_object_get(json_array_get(items, i), row->name) != NULL;
	return shown;
}

/* The rows that are columns, found once: looking for them takes a walk over all items. */
static GPtrArray *columns_of(const Shape *item, json_t *items)
{
	GPtrArray *columns = g_ptr_array_new();
	for (guint i = 0; i < item->n; i++)
		if (is_column(&item->rows[i], items))
			g_ptr_array_add(columns, (gpointer)&item->rows[i]);
	return columns;
}

static void show_table(const Op *op, json_t *result)
{
	const Row *list = only_list(op->result);
	const Shape *item = list->of;
	json_t *items = json_object_get(result, list->name);
	g_autoptr(GPtrArray) columns = columns_of(item, items);
	g_autofree size_t *widths = g_new0(size_t, item->n);
	Table table = { .cells = g_ptr_array_new_with_free_func(g_free), .widths = widths,
			.columns = columns->len };
	for (guint i = 0; i < columns->len && !cli_style.quiet; i++)
		add_cell(&table, g_strdup(((const Row *)columns->pdata[i])->doc));
	for (size_t k = 0; k < json_array_size(items); k++)
		for (guint i = 0; i < columns->len; i++) {
			char *text = member_text(columns->pdata[i], json_array_get(items, k));
			add_cell(&table, text ? text : g_strdup("-"));
		}
	print_table(&table);
	g_ptr_array_unref(table.cells);
}

/* ---- the other ways ---- */

/* Lines of a list whose items are names with values. */
static void show_pairs(json_t *list)
{
	size_t i;
	json_t *pair;
	json_array_foreach(list, i, pair) {
		const char *name = json_string_value(json_object_get(pair, "name"));
		const char *value = json_string_value(json_object_get(pair, "value"));
		printf("%-20s: %s\n", name, value ? value : "");
	}
}

static void show_fields(const Op *op, json_t *result)
{
	size_t width = 15; /* virsh's */
	for (guint i = 0; i < op->result->n; i++)
		if (op->result->rows[i].doc)
			width = MAX(width, width_of(op->result->rows[i].doc) + 1);
	for (guint i = 0; i < op->result->n; i++) {
		const Row *row = &op->result->rows[i];
		if (row->kind == ROW_LIST)
			show_pairs(json_object_get(result, row->name));
		g_autofree char *text = row->doc ? member_text(row, result) : NULL;
		if (!text && row->doc && (row->flags & ROW_EMPTY_OK))
			text = g_strdup("-");
		if (!text)
			continue;
		int pad = (int)(width - width_of(row->doc) - 1);
		printf("%s:%*s %s\n", row->doc, pad, "", text);
	}
	show_end();
}

static char *value_of(const Op *op, const char *name, const char *target, json_t *args, json_t *result)
{
	if (g_strcmp0(name, op_target(op->target)->name) == 0)
		return g_strdup(target ? target : "");
	if (g_str_equal(name, "file"))
		return g_strdup(cli_document_name());
	json_t *value = json_object_get(result, name);
	value = value ? value : json_object_get(args, name);
	static const Row plain = { .kind = ROW_STRING };
	char *text = value ? value_text(&plain, value) : NULL;
	return text ? text : g_strdup("");
}

/* .said with every {NAME} replaced. */
static void show_message(const Op *op, const char *target, gconstpointer args, json_t *result)
{
	if (!op->said || !*op->said || cli_style.quiet)
		return;
	fputs(cli_style.before ? cli_style.before : "", stdout);
	json_t *given = op->args ? shape_to_json(op->args, args, SHAPE_XML_LIVE) : json_object();
	const char *c = op->said;
	while (*c) {
		const char *end = *c == '{' ? strchr(c, '}') : NULL;
		if (!end) {
			putchar(*c++);
			continue;
		}
		g_autofree char *name = g_strndup(c + 1, (gsize)(end - c - 1));
		g_autofree char *text = value_of(op, name, target, given, result);
		fputs(text, stdout);
		c = end + 1;
	}
	json_decref(given);
	putchar('\n');
	show_end();
}

static void show_text(json_t *result)
{
	const char *text = json_string_value(json_object_get(result, "text"));
	size_t length = text ? strlen(text) : 0;
	show_bytes(text, length);
	if (length > 0 && text[length - 1] != '\n')
		show_bytes("\n", 1);
}

void show_result(const Op *op, const char *target, gconstpointer args, json_t *result)
{
	switch (op->show) {
	case OP_SHOW_TABLE:
		show_table(op, result);
		break;
	case OP_SHOW_FIELDS:
		show_fields(op, result);
		break;
	case OP_SHOW_TEXT:
		show_text(result);
		break;
	case OP_SHOW_MESSAGE:
		show_message(op, target, args, result);
		break;
	case OP_SHOW_STREAM: /* verbs.c has a function for each of these */
	case OP_SHOW_CUSTOM:
		break;
	}
}

void show_json(json_t *result)
{
	char *text = json_dumps(result, JSON_INDENT(2));
	puts(text);
	free(text);
}

gboolean show_bytes(const char *bytes, gsize length)
{
	fflush(stdout);
	while (length > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FALSE;
		bytes += n;
		length -= (gsize)n;
	}
	return TRUE;
}

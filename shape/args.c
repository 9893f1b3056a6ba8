/* Arguments: words of a command line, and values of a query, into a shaped struct.
 *
 * Arguments are flat: rows of kind STRUCT, LIST and INLINE are not reachable here. Neighbours:
 * text.c turns one word into one value; docs.c prints the same rows as synopsis and help. */
#include "base/error.h"
#include "shape/shape.h"

#include <string.h>

typedef struct Words {
	const Shape *shape;
	gpointer object;
	int argc;
	char *const *argv;
	int at;		 /* the next word */
	gboolean only_positional; /* "--" was seen */
	guint64 seen;	 /* bit per row: given already */
} Words;

char *shape_arg_name(const Row *row)
{
	return g_strdelimit(g_strdup(row->kind == ROW_XML ? "file" : row->name), "_", '-');
}

static gboolean bool_from_text(const char *text, gboolean *value, GError **error)
{
	static const char *const yes[] = { "", "yes", "on", "true", "1", NULL };
	static const char *const no[] = { "no", "off", "false", "0", NULL };
	if (g_strv_contains(yes, text)) {
		*value = TRUE;
		return TRUE;
	}
	if (g_strv_contains(no, text)) {
		*value = FALSE;
		return TRUE;
	}
	return fail(error, LODGE_ERROR_INVALID, "\"%s\" is neither yes nor no", text);
}

static gboolean size_from_word(const Row *row, gpointer member, const char *text, GError **error)
{
	size_t digits = strspn(text, "0123456789");
	g_autofree char *number = g_strndup(text, digits);
	const char *unit = text + digits;
	guint64 bytes;
	if (!size_from_text(number, *unit ? unit : NULL, row->words, &bytes, error))
		return FALSE;
	*(OptUint *)member = OPT_UINT(bytes);
	return TRUE;
}

gboolean shape_arg_from_text(const Row *row, gpointer object, const char *text, GError **error)
{
	gpointer member = (char *)object + row->offset;
	gboolean on = FALSE;
	switch (row->kind) {
	case ROW_FLAG:
		if (!bool_from_text(text, &on, error))
			return FALSE;
		*(gboolean *)member = on;
		return TRUE;
	case ROW_TRI:
		if (!bool_from_text(text, &on, error))
			return FALSE;
		*(Tri *)member = on ? TRI_YES : TRI_NO;
		return TRUE;
	case ROW_SIZE:
		return size_from_word(row, member, text, error);
	case ROW_STRINGS:
		shape_append(member, NULL, g_strdup(text));
		return TRUE;
	case ROW_XML:
		g_free(*(char **)member);
		*(char **)member = g_strdup(text);
		return TRUE;
	default:
		return row_from_text(row, object, text, error);
	}
}

static gboolean name_is(const Row *row, const char *name, size_t len)
{
	g_autofree char *own = shape_arg_name(row);
	if (strlen(own) == len && strncmp(own, name, len) == 0)
		return TRUE;
	return strlen(row->name) == len && strncmp(row->name, name, len) == 0;
}

static const Row *find_long(const Shape *shape, const char *name, size_t len)
{
	for (guint i = 0; i < shape->n; i++)
		if (name_is(&shape->rows[i], name, len))
			return &shape->rows[i];
	return NULL;
}

static const Row *find_short(const Shape *shape, char letter)
{
	for (guint i = 0; i < shape->n; i++)
		if (shape->rows[i].opt && shape->rows[i].opt == letter)
			return &shape->rows[i];
	return NULL;
}

static gboolean is_switch(const Row *row)
{
	return row->kind == ROW_FLAG || row->kind == ROW_TRI;
}

/* The daemon works in another folder than the person who typed. */
static char *whole_path(const Row *row, const char *text)
{
	gboolean is_path = (row->flags & ROW_PATH) ||
			   ((row->flags & ROW_NAME_OR_PATH) && strchr(text, '/') && !strstr(text, "://"));
	return is_path ? g_canonicalize_filename(text, NULL) : g_strdup(text);
}

/* Sets @row from @text; a value that is not a list may be given once. */
static gboolean put(Words *w, const Row *row, const char *text, GError **error)
{
	g_autofree char *name = shape_arg_name(row);
	guint64 bit = G_GUINT64_CONSTANT(1) << (row - w->shape->rows);
	if ((w->seen & bit) && row->kind != ROW_STRINGS)
		return fail(error, LODGE_ERROR_INVALID, "--%s is given twice", name);
	g_autoptr(GError) why = NULL;
	g_autofree char *value = whole_path(row, text);
	if (!shape_arg_from_text(row, w->object, value, &why))
		return fail(error, LODGE_ERROR_INVALID, "--%s: %s", name, why->message);
	w->seen |= bit;
	return TRUE;
}

/* The value of an option that needs one: what follows in the word, or the next word. */
static gboolean put_with_value(Words *w, const Row *row, const char *glued, GError **error)
{
	if (glued)
		return put(w, row, glued, error);
	if (is_switch(row))
		return put(w, row, "yes", error);
	if (w->at >= w->argc) {
		g_autofree char *name = shape_arg_name(row);
		return fail(error, LODGE_ERROR_INVALID, "--%s needs a value", name);
	}
	return put(w, row, w->argv[w->at++], error);
}

static gboolean take_long(Words *w, const char *word, GError **error)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const Row *row = find_long(w->shape, name, len);
	if (row)
		return put_with_value(w, row, equals ? equals + 1 : NULL, error);
	if (!equals && g_str_has_prefix(name, "no-")) {
		row = find_long(w->shape, name + 3, len - 3);
		if (row && row->kind == ROW_TRI)
			return put(w, row, "no", error);
	}
	return fail(error, LODGE_ERROR_INVALID, "there is no option --%.*s here", (int)len, name);
}

/* -a, -abc (switches), -n VALUE, -nVALUE. */
static gboolean take_short(Words *w, const char *word, GError **error)
{
	for (const char *c = word + 1; *c; c++) {
		const Row *row = find_short(w->shape, *c);
		if (!row)
			return fail(error, LODGE_ERROR_INVALID, "there is no option -%c here", *c);
		if (!is_switch(row))
			return put_with_value(w, row, c[1] ? c + 1 : NULL, error);
		if (!put(w, row, "yes", error))
			return FALSE;
	}
	return TRUE;
}

static gboolean take_positional(Words *w, const char *word, GError **error)
{
	for (guint i = 0; i < w->shape->n; i++) {
		const Row *row = &w->shape->rows[i];
		gboolean open = !(w->seen & (G_GUINT64_CONSTANT(1) << i));
		if ((row->flags & ROW_REST) || ((row->flags & ROW_POSITIONAL) && open))
			return put(w, row, word, error);
	}
	return fail(error, LODGE_ERROR_INVALID, "\"%s\" is one argument too many", word);
}

static gboolean take(Words *w, GError **error)
{
	const char *word = w->argv[w->at++];
	gboolean number = word[0] == '-' && g_ascii_isdigit(word[1]) && !find_short(w->shape, word[1]);
	if (w->only_positional || word[0] != '-' || word[1] == '\0' || number)
		return take_positional(w, word, error);
	if (g_str_equal(word, "--")) {
		w->only_positional = TRUE;
		return TRUE;
	}
	return word[1] == '-' ? take_long(w, word, error) : take_short(w, word, error);
}

gboolean shape_from_args(const Shape *shape, gpointer object, int argc, char *const *argv,
			 GError **error)
{
	g_assert(shape->n <= 64);
	Words w = { .shape = shape, .object = object, .argc = argc, .argv = argv };
	while (w.at < argc)
		if (!take(&w, error))
			return FALSE;
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		if (!(row->flags & ROW_REQUIRED) || row->dflt || (w.seen >> i & 1))
			continue;
		g_autofree char *name = shape_arg_name(row);
		return fail(error, LODGE_ERROR_INVALID,
			    row->flags & ROW_POSITIONAL ? "%s is missing" : "--%s is missing", name);
	}
	return TRUE;
}

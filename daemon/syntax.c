/* See syntax.h. */
#include "daemon/syntax.h"
#include "base/error.h"

#include <string.h>

typedef struct Reader {
	const char *at;
	guint line;
} Reader;

static void line_free(gpointer data)
{
	SyntaxLine *line = data;
	g_free(line->key);
	g_strfreev(line->values);
	g_free(line);
}

static void skip_blanks(Reader *r)
{
	r->at += strspn(r->at, " \t\r");
}

static void skip_comment(Reader *r)
{
	if (*r->at == '#')
		r->at += strcspn(r->at, "\n");
}

/* Blanks, comments and the ends of lines. */
static void skip_space(Reader *r)
{
	for (;;) {
		skip_blanks(r);
		skip_comment(r);
		if (*r->at != '\n')
			return;
		r->at++;
		r->line++;
	}
}

static char *take_quoted(Reader *r, GError **error)
{
	gboolean is_long = g_str_has_prefix(r->at, "\"\"\"");
	char mark[4] = { r->at[0], is_long ? '"' : '\0', is_long ? '"' : '\0', '\0' };
	const char *begin = r->at + strlen(mark);
	const char *end = strstr(begin, mark);
	if (!end || (!is_long && memchr(begin, '\n', (gsize)(end - begin)))) {
		fail(error, LODGE_ERROR_INVALID, "the text in quotes has no end");
		return NULL;
	}
	for (const char *c = begin; c < end; c++)
		r->line += *c == '\n';
	r->at = end + strlen(mark);
	return g_strndup(begin, (gsize)(end - begin));
}

/* A word of a list. */
static char *take_item(Reader *r, GError **error)
{
	if (*r->at == '"' || *r->at == '\'')
		return take_quoted(r, error);
	gsize n = strcspn(r->at, ",] \t\r\n#");
	if (n == 0) {
		fail(error, LODGE_ERROR_INVALID, "a list is [ \"a\", \"b\" ]");
		return NULL;
	}
	r->at += n;
	return g_strndup(r->at - n, n);
}

static gboolean take_list(Reader *r, GPtrArray *values, GError **error)
{
	r->at++;
	for (skip_space(r); *r->at != ']'; skip_space(r)) {
		char *item = take_item(r, error);
		if (!item)
			return FALSE;
		g_ptr_array_add(values, item);
		skip_space(r);
		if (*r->at == ',')
			r->at++;
		else if (*r->at != ']')
			return fail(error, LODGE_ERROR_INVALID, "the list has no ]");
	}
	r->at++;
	return TRUE;
}

/* The rest of the line, without a comment that a blank divides from it. */
static char *take_rest(Reader *r)
{
	gsize n = strcspn(r->at, "\n"), used = 0;
	while (used < n && !(r->at[used] == '#' && (used == 0 || g_ascii_isspace(r->at[used - 1]))))
		used++;
	char *text = g_strstrip(g_strndup(r->at, used));
	r->at += n;
	return text;
}

static gboolean take_value(Reader *r, SyntaxLine *line, GError **error)
{
	g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
	gboolean is_bare = FALSE;
	skip_blanks(r);
	if (*r->at == '[') {
		line->is_list = TRUE;
		if (!take_list(r, values, error))
			return FALSE;
	} else {
		is_bare = *r->at != '"' && *r->at != '\'';
		char *value = is_bare ? take_rest(r) : take_quoted(r, error);
		if (!value)
			return FALSE;
		g_ptr_array_add(values, value);
	}
	skip_blanks(r);
	skip_comment(r);
	if (!is_bare && *r->at && *r->at != '\n')
		return fail(error, LODGE_ERROR_INVALID, "there is something behind the value");
	g_ptr_array_add(values, NULL);
	line->values = (char **)g_ptr_array_steal(values, NULL);
	return TRUE;
}

static gboolean take_line(Reader *r, GPtrArray *lines, GError **error)
{
	gsize n = strcspn(r->at, "=\n");
	if (r->at[n] != '=') {
		g_autofree char *text = g_strstrip(g_strndup(r->at, n));
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not \"key = value\"", text);
	}
	SyntaxLine *line = g_new0(SyntaxLine, 1);
	g_ptr_array_add(lines, line);
	line->key = g_strstrip(g_strndup(r->at, n));
	line->line = r->line;
	r->at += n + 1;
	return take_value(r, line, error);
}

GPtrArray *syntax_read(const char *text, guint *line, GError **error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(line_free);
	Reader r = { .at = text, .line = 1 };
	for (skip_space(&r); *r.at; skip_space(&r)) {
		*line = r.line;
		if (!take_line(&r, lines, error))
			return NULL;
	}
	return g_steal_pointer(&lines);
}

/* See import_head.h; RFC 9110, 8.8 and 13.1.5. */
#include "image/import_head.h"

#include <string.h>

#include "host/file.h"

#define HEAD_MAX (1u << 20)  /* bytes; curl takes no more from a server */
#define VALIDATOR_MAX 1000u /* bytes */

/* The value of the field @name in @line; NULL: another field. */
static const char *value_of(const char *line, const char *name)
{
	gsize n = strlen(name);
	return g_ascii_strncasecmp(line, name, n) == 0 && line[n] == ':' ?
		       line + n + 1 + strspn(line + n + 1, " \t") : NULL;
}

static gboolean is_plain(const char *value)
{
	gsize n = strlen(value);
	for (gsize i = 0; i < n; i++)
		if (value[i] < ' ' || value[i] > '~')
			return FALSE;
	return n > 0 && n <= VALIDATOR_MAX;
}

static void replace(char **place, const char *value)
{
	g_free(*place);
	*place = g_strdup(value);
}

static void take_line(const char *line, ImportHead *head, char **changed)
{
	const char *value;
	if ((value = value_of(line, "content-length")))
		head->length = g_ascii_strtoull(value, NULL, 10);
	else if ((value = value_of(line, "etag")) && *value == '"' && is_plain(value))
		replace(&head->validator, value);
	else if ((value = value_of(line, "last-modified")) && is_plain(value))
		replace(changed, value);
	else if (g_str_has_prefix(line, "HTTP/")) { /* another answer */
		import_head_clear(head);
		g_clear_pointer(changed, g_free);
	}
}

void import_head_parse(const char *text, ImportHead *head)
{
	g_autofree char *changed = NULL;
	*head = (ImportHead){ 0 };
	while (*text) {
		gsize n = strcspn(text, "\n");
		g_autofree char *line = g_strchomp(g_strndup(text, n));
		take_line(line, head, &changed);
		text += n + (text[n] == '\n');
	}
	if (!head->validator)
		head->validator = g_steal_pointer(&changed);
}

void import_head_read(const char *path, ImportHead *head)
{
	g_autofree char *text = file_read(path, HEAD_MAX, NULL, NULL);
	import_head_parse(text ? text : "", head);
}

void import_head_clear(ImportHead *head)
{
	g_free(head->validator);
	*head = (ImportHead){ 0 };
}

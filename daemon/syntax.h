/* The syntax of configuration files: `key = value`, where a value is a word up to the end of its line, a
 * text in quotes ("a", 'a', """a"""), or a list of such in brackets, over several lines if need be; `#`
 * begins a comment. It is libvirtd.conf's, and without quotes Lodge's own.
 * Neighbours: config.c says what the keys mean. */
#pragma once

#include <glib.h>

typedef struct SyntaxLine {
	char *key;
	char **values; /* one, or those of a list; NULL at the end */
	gboolean is_list;
	guint line; /* of the file, from 1 */
} SyntaxLine;

/* Every line of @text, as an array of SyntaxLine * that the caller owns. NULL: INVALID, and *line is the
 * place. Any thread. */
GPtrArray *syntax_read(const char *text, guint *line, GError **error);

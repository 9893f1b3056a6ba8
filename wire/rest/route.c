/* Routes: the verbs' rows, matched segment by segment. */
#include "wire/rest/internal.h"

#include <string.h>

/* Whether @path fits @route; the segment that stands for {..} is returned in *value, not owned. */
static gboolean fits(const char *route, const char *path, const char **value, size_t *len)
{
	*value = NULL;
	while (*route && *path) {
		if (*route != '{') {
			if (*route++ != *path++)
				return FALSE;
			continue;
		}
		route = strchr(route, '}') + 1;
		*value = path;
		*len = strcspn(path, "/");
		if (*len == 0)
			return FALSE;
		path += *len;
	}
	return *route == '\0' && *path == '\0';
}

const Op *route_find(const RestTable *table, const char *method, const char *path, char **target,
		     char **allow, GError **error)
{
	g_autoptr(GString) methods = g_string_new(NULL);
	*allow = *target = NULL;
	for (guint i = 0; i < table->n; i++) {
		const char *value;
		size_t len = 0;
		if (!fits(table->ops[i]->route, path, &value, &len))
			continue;
		if (g_str_equal(table->ops[i]->method, method)) {
			*target = value ? g_strndup(value, len) : NULL;
			return table->ops[i];
		}
		g_string_append_printf(methods, "%s%s", methods->len ? ", " : "", table->ops[i]->method);
	}
	if (methods->len == 0) {
		fail(error, LODGE_ERROR_NOT_FOUND, "there is nothing at %s; see /v1/openapi.json", path);
		return NULL;
	}
	fail(error, LODGE_ERROR_UNSUPPORTED, "%s does not take %s but %s", path, method, methods->str);
	*allow = g_strdup(methods->str);
	return NULL;
}

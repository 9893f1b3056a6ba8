/* A request's query and body into a verb's arguments. */
#include "wire/rest/internal.h"

#include <string.h>

typedef struct Query {
	const Shape *shape; /* NULL: the verb takes nothing */
	gpointer object;
	GError **error;
	gboolean ok;
} Query;

static const Row *find_row(const Shape *shape, const char *key)
{
	for (guint i = 0; shape && i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		g_autofree char *word = shape_arg_name(row);
		if (g_str_equal(row->name, key) || g_str_equal(word, key))
			return row;
	}
	return NULL;
}

static enum MHD_Result take_pair(void *cls, G_GNUC_UNUSED enum MHD_ValueKind kind, const char *key,
				 const char *value)
{
	Query *query = cls;
	const Row *row = find_row(query->shape, key);
	if (!row) {
		query->ok = fail(query->error, LODGE_ERROR_INVALID, "there is no argument \"%s\" here",
				 key);
		return MHD_NO;
	}
	g_autoptr(GError) why = NULL;
	if (shape_arg_from_text(row, query->object, value ? value : "", &why))
		return MHD_YES;
	query->ok = fail(query->error, LODGE_ERROR_INVALID, "argument \"%s\": %s", key, why->message);
	return MHD_NO;
}

static gboolean from_query(OpCall *call, struct MHD_Connection *mhd, GError **error)
{
	Query query = { .shape = call->op->args, .object = call->args, .error = error, .ok = TRUE };
	MHD_get_connection_values(mhd, MHD_GET_ARGUMENT_KIND, take_pair, &query);
	return query.ok;
}

/* The document goes where the verb has a row for one. */
static gboolean from_document(OpCall *call, const GByteArray *body, GError **error)
{
	const Shape *shape = call->op->args;
	for (guint i = 0; shape && i < shape->n; i++) {
		if (shape->rows[i].kind != ROW_XML)
			continue;
		if (memchr(body->data, 0, body->len))
			return fail(error, LODGE_ERROR_INVALID, "the document has a NUL byte in it");
		char **member = (char **)((char *)call->args + shape->rows[i].offset);
		g_free(*member);
		*member = g_strndup((const char *)body->data, body->len);
		return TRUE;
	}
	return fail(error, LODGE_ERROR_INVALID, "%s does not take a document", call->op->name);
}

static gboolean from_json(OpCall *call, const GByteArray *body, GError **error)
{
	json_error_t where;
	json_t *json = json_loadb((const char *)body->data, body->len, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		return fail(error, LODGE_ERROR_INVALID, "the body, line %d, column %d: %s", where.line,
			    where.column, where.text);
	gboolean ok = TRUE;
	if (!json_is_object(json)) {
		ok = fail(error, LODGE_ERROR_INVALID, "the body is not a JSON object");
	} else if (call->op->args) {
		gpointer args = shape_from_json(call->op->args, json, error);
		ok = args != NULL;
		if (ok) {
			shape_free(call->op->args, call->args);
			call->args = args;
		}
	} else if (json_object_size(json) > 0) {
		ok = fail(error, LODGE_ERROR_INVALID, "%s takes no arguments", call->op->name);
	}
	json_decref(json);
	return ok;
}

static enum MHD_Result count_pair(void *cls, G_GNUC_UNUSED enum MHD_ValueKind kind,
				  G_GNUC_UNUSED const char *key, G_GNUC_UNUSED const char *value)
{
	++*(guint *)cls;
	return MHD_YES;
}

gboolean rest_args(OpCall *call, struct MHD_Connection *mhd, const GByteArray *body, GError **error)
{
	if (body->len == 0)
		return from_query(call, mhd, error);
	const char *type = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Type");
	if (type && (g_str_has_prefix(type, "application/xml") || g_str_has_prefix(type, "text/xml")))
		return from_query(call, mhd, error) && from_document(call, body, error);
	guint pairs = 0;
	MHD_get_connection_values(mhd, MHD_GET_ARGUMENT_KIND, count_pair, &pairs);
	if (pairs > 0)
		return fail(error, LODGE_ERROR_INVALID,
			    "arguments stand in the query and in the body: choose one");
	return from_json(call, body, error);
}

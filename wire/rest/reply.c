/* Replies: results, warnings and errors as JSON. */
#include "wire/rest/internal.h"

#include <stdlib.h>
#include <string.h>

/* jansson refuses what is not UTF-8; an error message may quote anything. */
static json_t *text(const char *from)
{
	g_autofree char *valid = g_utf8_make_valid(from, -1);
	return json_string(valid);
}

struct MHD_Response *reply_json(json_t *json)
{
	char *body = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(json);
	size_t len = strlen(body);
	body[len++] = '\n'; /* in place of the NUL: MHD counts */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	return response;
}

static void add_warnings(json_t *json, const Notes *notes)
{
	if (notes_count(notes) == 0)
		return;
	json_t *lines = json_array();
	for (guint i = 0; i < notes_count(notes); i++)
		json_array_append_new(lines, text(notes_get(notes, i)));
	json_object_set_new(json, "warnings", lines);
}

/* What no member of the result says: an empty list is a list, and warnings. */
static void add_rest(json_t *json, const OpCall *call)
{
	const Shape *shape = call->op->result;
	for (guint i = 0; shape && i < shape->n; i++)
		if (shape->rows[i].kind == ROW_LIST && !row_is_set(&shape->rows[i], call->result))
			json_object_set_new(json, shape->rows[i].name, json_array());
	add_warnings(json, &call->notes);
}

json_t *reply_result(const OpCall *call)
{
	const Shape *shape = call->op->result;
	json_t *json = shape ? shape_to_json(shape, call->result, SHAPE_XML_LIVE | SHAPE_XML_SECRETS) :
			       json_object();
	add_rest(json, call);
	return json;
}

/* Straight to text: lists may be long. */
struct MHD_Response *reply_call(const OpCall *call)
{
	const Shape *shape = call->op->result;
	GString *out = g_string_sized_new(512);
	if (shape)
		shape_json_text(out, shape, call->result, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	else
		g_string_append(out, "{}");
	json_t *rest = json_object();
	add_rest(rest, call);
	if (json_object_size(rest) > 0) {
		char *text = json_dumps(rest, JSON_COMPACT);
		g_string_truncate(out, out->len - 1); /* "}" */
		g_string_append(out, out->len > 1 ? "," : "");
		g_string_append(out, text + 1);
		free(text);
	}
	json_decref(rest);
	g_string_append_c(out, '\n');
	gsize len = out->len;
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, g_string_free(out, FALSE), MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	return response;
}

json_t *reply_error(const GError *error, const Notes *notes)
{
	json_t *json = json_pack("{s:{s:s, s:o, s:s*, s:s*}}", "error", "code",
				 lodge_error_name(op_error_of(error)), "message", text(error->message),
				 "detail", lodge_detail_name(lodge_error_detail(error)), "where",
				 lodge_error_where(error));
	add_warnings(json, notes);
	return json;
}

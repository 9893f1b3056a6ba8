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

json_t *reply_result(const OpCall *call)
{
	const Shape *shape = call->op->result;
	json_t *json = shape ? shape_to_json(shape, call->result, SHAPE_XML_LIVE | SHAPE_XML_SECRETS) :
			       json_object();
	for (guint i = 0; shape && i < shape->n; i++) /* an empty list is a list */
		if (shape->rows[i].kind == ROW_LIST && !json_object_get(json, shape->rows[i].name))
			json_object_set_new(json, shape->rows[i].name, json_array());
	add_warnings(json, &call->notes);
	return json;
}

json_t *reply_error(const GError *error, const Notes *notes)
{
	json_t *json = json_pack("{s:{s:s, s:o}}", "error", "code", lodge_error_name(op_error_of(error)),
				 "message", text(error->message));
	add_warnings(json, notes);
	return json;
}

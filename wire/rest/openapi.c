/* The description of every route (OpenAPI 3.1), made from the verbs' rows. */
#include "config.h"
#include "wire/rest/internal.h"

#include <string.h>

static gboolean has_body(const Op *op)
{
	return op->args && !g_str_equal(op->method, "GET") && !g_str_equal(op->method, "DELETE");
}

static json_t *parameter(const char *name, const char *in, gboolean required, json_t *schema)
{
	return json_pack("{s:s, s:s, s:b, s:o}", "name", name, "in", in, "required", required, "schema",
			 schema);
}

static void add_query(json_t *parameters, const Shape *args)
{
	json_t *schema = shape_schema(args, NULL);
	json_t *members = json_object_get(schema, "properties");
	for (guint i = 0; i < args->n; i++) {
		const Row *row = &args->rows[i];
		gboolean required = (row->flags & ROW_REQUIRED) && !row->dflt;
		json_array_append_new(parameters,
				      parameter(row->name, "query", required,
						json_incref(json_object_get(members, row->name))));
	}
	json_decref(schema);
}

static json_t *parameters_of(const Op *op)
{
	json_t *parameters = json_array();
	const OpTargetRow *target = op_target(op->target);
	if (target->name)
		json_array_append_new(parameters,
				      parameter(target->name, "path", TRUE,
						json_pack("{s:s, s:s}", "type", "string", "description",
							  target->doc)));
	if (op->args && !has_body(op))
		add_query(parameters, op->args);
	return parameters;
}

static json_t *content(json_t *schema)
{
	return json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema", schema);
}

/* The result's members and the warnings. */
static json_t *reply_schema(const Op *op, json_t *components)
{
	json_t *schema = op->result ? shape_schema(op->result, components) :
				      json_pack("{s:s, s:{}}", "type", "object", "properties");
	json_object_set_new(json_object_get(schema, "properties"), "warnings",
			    json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string"));
	return schema;
}

static json_t *responses_of(const Op *op, json_t *components)
{
	json_t *failed = content(json_pack("{s:s}", "$ref", "#/components/schemas/error"));
	json_object_set_new(failed, "description", json_string("why it failed"));
	if (op->show == OP_SHOW_STREAM)
		return json_pack("{s:{s:s}, s:o}", "101", "description",
				 "the connection becomes the stream (Upgrade: lodge-stream)", "default",
				 failed);
	json_t *done = content(reply_schema(op, components));
	json_object_set_new(done, "description", json_string(op->doc));
	return json_pack("{s:o, s:o}", "200", done, "default", failed);
}

static json_t *operation(const Op *op, json_t *components)
{
	g_autofree char *id = g_strdelimit(g_strdup(op->name), " -", '_');
	json_t *json = json_pack("{s:s, s:s, s:[s], s:o, s:o}", "operationId", id, "summary", op->doc,
				 "tags", op->family, "parameters", parameters_of(op), "responses",
				 responses_of(op, components));
	if (!has_body(op))
		return json;
	json_t *body = content(shape_schema(op->args, components));
	for (guint i = 0; i < op->args->n; i++)
		if (op->args->rows[i].kind == ROW_XML)
			json_object_set_new(json_object_get(body, "content"), "application/xml",
					    json_object());
	json_object_set_new(json, "requestBody", body);
	return json;
}

json_t *openapi(const RestTable *table)
{
	json_t *paths = json_object();
	json_t *components = json_object();
	json_object_set_new(components, "error",
			    json_pack("{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}}}", "type",
				      "object", "properties", "error", "type", "object", "properties", "code",
				      "type", "string", "message", "type", "string", "detail", "type",
				      "string", "where", "type", "string"));
	for (guint i = 0; i < table->n; i++) {
		const Op *op = table->ops[i];
		json_t *path = json_object_get(paths, op->route);
		g_autofree char *method = g_ascii_strdown(op->method, -1);
		if (!path) {
			path = json_object();
			json_object_set_new(paths, op->route, path);
		}
		json_object_set_new(path, method, operation(op, components));
	}
	return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.1.0", "info", "title", "Lodge",
			 "version", LODGE_VERSION, "paths", paths, "components", "schemas", components);
}

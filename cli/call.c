/* One call of the daemon: arguments -> request -> reply. */
#include "cli/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30

void reply_clear(Reply *reply)
{
	json_decref(reply->json);
	g_free(reply->raw);
	*reply = (Reply){ 0 };
}

/* "web1.xml: " in front of an error in a document: the daemon does not know the file. */
static const char *file_at_fault(const GError *error)
{
	const char *name = cli_document_name();
	gboolean in_document = lodge_error_where(error) && lodge_error_detail(error) != LODGE_DETAIL_TARGET;
	return in_document && *name && !g_str_equal(name, "-") ? name : NULL;
}

int cli_failed(const GError *error)
{
	if (cli_style.virsh)
		return virsh_failed(error);
	const char *document = file_at_fault(error);
	fflush(stdout);
	fprintf(stderr, "error: %s%s%s\n", document ? document : "", document ? ": " : "", error->message);
	return op_exit_code(error);
}

/* ---- the request ---- */

static char *target_path(const Op *op, const char *target)
{
	const char *brace = strchr(op->route, '{');
	if (!brace)
		return g_strdup(op->route);
	g_autofree char *escaped = g_uri_escape_string(target ? target : "", NULL, FALSE);
	return g_strdup_printf("%.*s%s%s", (int)(brace - op->route), op->route, escaped,
			       strchr(brace, '}') + 1);
}

static void add_pair(GString *query, const Row *row, json_t *value)
{
	g_autofree char *text = NULL;
	if (json_is_string(value))
		text = g_uri_escape_string(json_string_value(value), NULL, FALSE);
	else if (json_is_boolean(value))
		text = g_strdup(json_is_true(value) ? "yes" : "no");
	else if (json_is_integer(value))
		text = g_strdup_printf("%" JSON_INTEGER_FORMAT "%s", json_integer_value(value),
				       row->kind == ROW_SIZE ? "b" : "");
	else
		return;
	g_string_append_printf(query, "%c%s=%s", query->len ? '&' : '?', row->name, text);
}

/* "?all=yes&..." of every argument but documents; the caller frees it. */
static char *query_of(const Op *op, json_t *args)
{
	GString *query = g_string_new(NULL);
	for (guint i = 0; op->args && i < op->args->n; i++) {
		const Row *row = &op->args->rows[i];
		json_t *value = json_object_get(args, row->name);
		if (row->kind == ROW_XML)
			continue;
		if (!json_is_array(value)) {
			add_pair(query, row, value);
			continue;
		}
		for (size_t k = 0; k < json_array_size(value); k++)
			add_pair(query, row, json_array_get(value, k));
	}
	return g_string_free(query, FALSE);
}

static const char *document_of(const Op *op, gconstpointer args)
{
	for (guint i = 0; op->args && i < op->args->n; i++)
		if (op->args->rows[i].kind == ROW_XML)
			return *(char *const *)((const char *)args + op->args->rows[i].offset);
	return NULL;
}

/* Sends the request and returns the status of its reply, or 0. */
static guint ask(Http *http, const Op *op, const char *target, gconstpointer args, const char *headers,
		 GError **error)
{
	json_t *json = op->args ? shape_to_json(op->args, args, SHAPE_XML_LIVE | SHAPE_XML_SECRETS) :
				  json_object();
	const char *document = document_of(op, args);
	gboolean in_query = document || g_str_equal(op->method, "GET") ||
			    g_str_equal(op->method, "DELETE");
	g_autofree char *query = in_query ? query_of(op, json) : g_strdup("");
	char *body = in_query ? NULL : json_dumps(json, JSON_COMPACT);
	g_autofree char *path = target_path(op, target);
	g_autofree char *full = g_strconcat(path, query, NULL);
	HttpRequest request = { .method = op->method, .target = full, .headers = headers };
	request.body = document ? document : body;
	request.length = request.body ? strlen(request.body) : 0;
	request.type = document ? "application/xml" : body ? "application/json" : NULL;
	guint status = http_ask(http, &request, error);
	free(body);
	json_decref(json);
	return status;
}

/* ---- the reply ---- */

static void print_warnings(json_t *json)
{
	json_t *lines = json_object_get(json, "warnings");
	for (size_t i = 0; i < json_array_size(lines); i++)
		fprintf(stderr, "warning: %s\n", json_string_value(json_array_get(lines, i)));
}

/* The daemon's error as ours. */
static gboolean take_error(json_t *json, GError **error)
{
	json_t *inner = json_object_get(json, "error");
	const char *code = json_string_value(json_object_get(inner, "code"));
	const char *message = json_string_value(json_object_get(inner, "message"));
	const char *detail = json_string_value(json_object_get(inner, "detail"));
	const char *where = json_string_value(json_object_get(inner, "where"));
	print_warnings(json);
	if (!code || !message)
		return fail(error, LODGE_ERROR_INTERNAL, "the daemon failed without saying why");
	fail(error, op_error_code(code), "%s", message);
	return error_detail(error, lodge_detail_of(detail), where);
}

static json_t *parse(const char *text, gsize length, GError **error)
{
	json_error_t where;
	json_t *json = json_loadb(text, length, 0, &where);
	if (!json)
		fail(error, LODGE_ERROR_INTERNAL, "cannot understand the daemon's reply: %s",
		     where.text);
	return json;
}

/* ---- progress ---- */

static void clear_bar(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

void cli_progress(double fraction, const char *text)
{
	if (!isatty(STDERR_FILENO))
		return;
	clear_bar();
	if (fraction >= 0) {
		double value = MIN(fraction, 1.0);
		int full = (int)(value * BAR_WIDTH + 0.5);
		fprintf(stderr, "[%.*s%*s] %3.0f%% ", full, "##############################",
			BAR_WIDTH - full, "", value * 100);
	}
	fprintf(stderr, "%s", text ? text : "");
	fflush(stderr);
}

void cli_progress_end(void)
{
	clear_bar();
}

static void draw_bar(json_t *line)
{
	json_t *fraction = json_object_get(line, "progress");
	cli_progress(fraction ? MAX(json_number_value(fraction), 0.0) : -1,
		     json_string_value(json_object_get(line, "text")));
}

/* The lines of a long verb up to its result or error. */
static gboolean follow(Http *http, Reply *reply, GError **error)
{
	g_autoptr(GError) why = NULL;
	for (;;) {
		g_autofree char *line = http_line(http, &why);
		json_t *json = line ? parse(line, strlen(line), &why) : NULL;
		if (!json) {
			clear_bar();
			if (!why)
				return fail(error, LODGE_ERROR_GONE, "the daemon went away");
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		reply->json = json_incref(json_object_get(json, "result"));
		gboolean failed = json_object_get(json, "error") != NULL;
		if (reply->json || failed)
			clear_bar();
		else
			draw_bar(json);
		if (failed)
			take_error(json, error);
		json_decref(json);
		if (failed || reply->json)
			return !failed;
	}
}

static gboolean read_reply(Http *http, guint status, Reply *reply, GError **error)
{
	reply->raw = http_body(http, &reply->length, error);
	if (!reply->raw)
		return FALSE;
	reply->json = parse(reply->raw, reply->length, error);
	if (!reply->json)
		return FALSE;
	return status < 400 || take_error(reply->json, error);
}

gboolean cli_call(Cli *cli, const Op *op, const char *target, gconstpointer args, Reply *reply,
		  GError **error)
{
	g_autoptr(Http) http = cli_connect(cli, error);
	if (!http)
		return FALSE;
	if (op->is_job)
		http_end_at_signals();
	guint status = ask(http, op, target, args,
			   op->is_job ? "Accept: application/x-ndjson\r\n" : NULL, error);
	if (status == 0)
		return FALSE;
	gboolean lines = op->is_job && status == 200;
	if (lines ? !follow(http, reply, error) : !read_reply(http, status, reply, error))
		return FALSE;
	print_warnings(reply->json);
	return TRUE;
}

int cli_call_and_show(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	if (cli->json)
		show_json(reply.json);
	else
		show_result(op, target, args, reply.json);
	return fflush(stdout) == 0 ? 0 : 1;
}

int cli_stream(Cli *cli, const Op *op, const char *target, gconstpointer args, GByteArray *early,
	       GError **error)
{
	g_autoptr(Http) http = cli_connect(cli, error);
	if (!http)
		return -1;
	guint status = ask(http, op, target, args,
			   "Connection: Upgrade\r\nUpgrade: lodge-stream\r\n", error);
	for (char *const *line = status == 101 ? http_warnings(http) : NULL; line && *line; line++)
		fprintf(stderr, "warning: %s\n", *line);
	if (status == 101)
		return http_take(http, early);
	if (status > 0) {
		g_auto(Reply) reply = { 0 };
		if (read_reply(http, status, &reply, error))
			fail(error, LODGE_ERROR_INTERNAL, "the daemon did not open the stream");
	}
	return -1;
}

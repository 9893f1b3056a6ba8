/* Verbs that do more here than their row says: lists in virsh's variants, streams to standard output,
 * a console right after a start. */
#include "cli/internal.h"
#include "base/fd.h"

#include <stdio.h>
#include <sys/socket.h>

/* ---- list ---- */

static gboolean flag(const Op *op, gconstpointer args, const char *name)
{
	for (guint i = 0; op->args && i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			return row_is_set(&op->args->rows[i], args);
	return FALSE;
}

/* One value a line, as scripts want it. */
static void print_members(json_t *items, const char *const *names)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		gboolean first = TRUE;
		for (guint k = 0; names[k]; k++) {
			json_t *value = json_object_get(json_array_get(items, i), names[k]);
			if (json_is_integer(value))
				printf("%s%" JSON_INTEGER_FORMAT, first ? "" : " ",
				       json_integer_value(value));
			else if (value)
				printf("%s%s", first ? "" : " ", json_string_value(value));
			first = first && !value;
		}
		if (!first)
			putchar('\n');
	}
	putchar('\n');
}

/* The table of @op with titles as a column. */
static void show_with_titles(const Op *op, const char *target, gconstpointer args, json_t *result)
{
	const Row *list = &op->result->rows[0];
	const Shape *item = list->of;
	g_autofree Row *rows = g_memdup2(item->rows, item->n * sizeof(Row));
	for (guint i = 0; i < item->n; i++)
		if (g_str_equal(rows[i].name, "title"))
			rows[i].doc = "Title";
	Shape titled = *item;
	titled.rows = rows;
	Row only = *list;
	only.of = &titled;
	Shape shape = *op->result;
	shape.rows = &only;
	Op as_table = *op;
	as_table.result = &shape;
	as_table.show = OP_SHOW_TABLE;
	show_result(&as_table, target, args, result);
}

int run_list(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	json_t *items = json_object_get(reply.json, "domains");
	const char *names[4] = { NULL };
	guint n = 0;
	if (flag(op, args, "id"))
		names[n++] = "id";
	if (flag(op, args, "uuid"))
		names[n++] = "uuid";
	if (flag(op, args, "name"))
		names[n++] = "name";
	Op as_table = *op;
	as_table.show = OP_SHOW_TABLE;
	if (cli->json)
		show_json(reply.json);
	else if (n > 0)
		print_members(items, names);
	else if (flag(op, args, "title"))
		show_with_titles(op, target, args, reply.json);
	else
		show_result(&as_table, target, args, reply.json);
	return 0;
}

/* ---- streams ---- */

int run_stream(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	autofd int fd = cli_stream(cli, op, target, args, early, &error);
	if (fd < 0)
		return cli_failed(error);
	gboolean read_on = show_bytes((const char *)early->data, early->len);
	while (read_on) {
		char buffer[16384];
		ssize_t n = recv(fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EINTR)
			continue;
		read_on = n > 0 && show_bytes(buffer, (gsize)n);
	}
	return 0;
}

/* ---- start, create: with a console ---- */

typedef struct StartWords {
	ShapeHead head;
	char *xml;
	gboolean paused, console;
} StartWords;

static const Row start_rows[] = {
	FLAG(StartWords, paused, NULL, .doc = "do not let its CPUs run yet"),
	FLAG(StartWords, console, NULL, .doc = "connect to its console then"),
};
const Shape start_words = SHAPE("start-words", StartWords, start_rows);

static const Row create_rows[] = {
	RAWXML(StartWords, xml, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "file with the <domain> document, - for standard input"),
	FLAG(StartWords, paused, NULL, .doc = "do not let its CPUs run yet"),
	FLAG(StartWords, console, NULL, .doc = "connect to its console then"),
};
const Shape create_words = SHAPE("create-words", StartWords, create_rows);

/* Calls @op; *name is then the guest that it answered with, or NULL. The caller frees it. */
static int call_passing(Cli *cli, const Op *op, const Op *own, const char *target,
			const StartWords *words, char **name)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	gpointer args = cli_pass_args(own, words, op);
	gboolean ok = cli_call(cli, op, target, args, &reply, &error);
	if (ok && cli->json)
		show_json(reply.json);
	else if (ok)
		show_result(op, target, args, reply.json);
	shape_free(op->args, args);
	if (!ok)
		return cli_failed(error);
	*name = g_strdup(json_string_value(json_object_get(reply.json, "name")));
	fflush(stdout);
	return 0;
}

int run_start(Cli *cli, const Op *own, const char *target, gpointer args)
{
	g_autofree char *name = NULL;
	int code = call_passing(cli, op_find("start"), own, target, args, &name);
	return code || !((StartWords *)args)->console ? code : console_attach(cli, target);
}

int run_create(Cli *cli, const Op *own, G_GNUC_UNUSED const char *target, gpointer args)
{
	g_autofree char *name = NULL;
	int code = call_passing(cli, op_find("create"), own, NULL, args, &name);
	return code || !((StartWords *)args)->console || !name ? code : console_attach(cli, name);
}

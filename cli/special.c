/* Verbs that do more here than their row says: lists in virsh's variants, streams to standard output,
 * a console right after a start. */
#include "cli/internal.h"
#include "base/fd.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- list ---- */

static const char *word(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

gboolean cli_flag(const Op *op, gconstpointer args, const char *name)
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
			else if (names[1]) /* only an id is lacking */
				printf("-");
			first = first && !value && !names[1];
		}
		if (!first)
			putchar('\n');
	}
	show_end();
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
	json_t *items = json_object_get(result, list->name);
	for (size_t i = 0; i < json_array_size(items); i++) /* one without a title has an empty one */
		if (!json_object_get(json_array_get(items, i), "title"))
			json_object_set_new(json_array_get(items, i), "title", json_string(""));
	Op as_table = *op;
	as_table.result = &shape;
	as_table.show = OP_SHOW_TABLE;
	show_result(&as_table, target, args, result);
}

/* Asks for what the table shows and no more, where it is a table that is shown. */
static void ask_for_table(const Cli *cli, const Op *op, gpointer args)
{
	static const char *const others[] = { "id", "uuid", "name", "title" };
	gboolean table = !cli->json;
	for (guint i = 0; i < G_N_ELEMENTS(others); i++)
		table = table && !cli_flag(op, args, others[i]);
	for (guint i = 0; table && i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, "table"))
			shape_arg_from_text(&op->args->rows[i], args, "yes", NULL);
}

static void show_list(const Cli *cli, const Op *op, const char *target, gpointer args, json_t *result)
{
	json_t *items = json_object_get(result, op->result->rows[0].name);
	const char *names[4] = { NULL };
	guint n = 0;
	if (cli_flag(op, args, "id"))
		names[n++] = "id";
	if (cli_flag(op, args, "uuid"))
		names[n++] = "uuid";
	if (cli_flag(op, args, "name"))
		names[n++] = "name";
	Op as_table = *op;
	as_table.show = OP_SHOW_TABLE;
	if (cli->json)
		show_json(result);
	else if (n > 0)
		print_members(items, names);
	else if (cli_flag(op, args, "title"))
		show_with_titles(op, target, args, result);
	else
		show_result(&as_table, target, args, result);
}

int run_list(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	ask_for_table(cli, op, args);
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	show_list(cli, op, target, args, reply.json);
	return 0;
}

static const Row guest_list_rows[] = {
	{ .kind = ROW_FLAG, .name = "managed_save",
	  .doc = "the state of those with a managed save is \"saved\"" },
	{ .kind = ROW_FLAG, .name = "with_snapshot", .doc = "only those with snapshots: none has any" },
	{ .kind = ROW_FLAG, .name = "with_checkpoint", .doc = "only those with checkpoints: none has any" },
};

const Shape *guest_list_words(const Shape *args)
{
	return cli_more_args(args, guest_list_rows, G_N_ELEMENTS(guest_list_rows));
}

/* "saved" as the state of what does not run and has a managed save. */
static gboolean tell_saved(Cli *cli, const Op *op, json_t *items, GError **error)
{
	static const char *const words[] = { "inactive", "with_managed_save" };
	g_auto(Reply) saved = { 0 };
	json_t *names = json_object(), *item;
	size_t i;
	gpointer args = shape_new(op->args);
	for (guint k = 0; k < op->args->n; k++)
		for (guint w = 0; w < G_N_ELEMENTS(words); w++)
			if (g_str_equal(op->args->rows[k].name, words[w]))
				shape_arg_from_text(&op->args->rows[k], args, "yes", NULL);
	gboolean ok = cli_call(cli, op, NULL, args, &saved, error);
	shape_free(op->args, args);
	json_array_foreach(json_object_get(saved.json, op->result->rows[0].name), i, item)
		json_object_set_new(names, word(item, "name"), json_true());
	json_array_foreach(items, i, item)
		if (!json_object_get(item, "id") && json_object_get(names, word(item, "name")))
			json_object_set_new(item, "state", json_string("saved"));
	json_decref(names);
	return ok;
}

/* A table shows all of it. */
static gboolean is_one_form(const Op *op, gconstpointer args, GError **error)
{
	static const char *const forms[] = { "name", "uuid", "id" };
	for (guint i = 0; i < G_N_ELEMENTS(forms); i++)
		if (cli_flag(op, args, "table") && cli_flag(op, args, forms[i]))
			return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
					 "Options --table and --%s are mutually exclusive", forms[i]);
	return TRUE;
}

int run_guest_list(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!is_one_form(op, args, &error))
		return cli_failed(error);
	ask_for_table(cli, op, args);
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	if (cli_flag(own, args, "with_snapshot") || cli_flag(own, args, "with_checkpoint"))
		json_array_clear(json_object_get(reply.json, op->result->rows[0].name));
	json_t *items = json_object_get(reply.json, op->result->rows[0].name);
	if (cli_flag(own, args, "managed_save") && !tell_saved(cli, op, items, &error))
		return cli_failed(error);
	show_list(cli, op, target, args, reply.json);
	return 0;
}

/* ---- domblkinfo ---- */

/* @size in the unit that leaves it readable, as virsh does. */
static char *human_size(json_int_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)size;
	guint unit = 0;
	for (; value >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
		value /= 1024;
	return g_strdup_printf("%.3f %s", value, units[unit]);
}

static void humanize(json_t *object)
{
	const char *name;
	json_t *value;
	json_object_foreach (object, name, value)
		if (json_is_integer(value)) {
			g_autofree char *text = human_size(json_integer_value(value));
			json_object_set_new(object, name, json_string(text));
		}
}

/* One disk as lines, all as a table. */
int run_blkinfo(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	json_t *disks = json_object_get(reply.json, "devices");
	if (cli->json) {
		show_json(reply.json);
		return 0;
	}
	for (size_t i = 0; cli_flag(op, args, "human") && i < json_array_size(disks); i++)
		humanize(json_array_get(disks, i));
	Op shown = *op;
	json_t *result = reply.json;
	shown.show = OP_SHOW_TABLE;
	if (!cli_flag(op, args, "all")) {
		shown.show = OP_SHOW_FIELDS;
		shown.result = op->result->rows[0].of;
		result = json_array_get(disks, 0);
		json_object_del(result, "target");
	}
	show_result(&shown, target, args, result);
	return 0;
}

/* ---- host check ---- */

/* A line for each check, and below it what to do: remedies are sentences, too long for a column. */
int run_check(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	if (cli->json) {
		show_json(reply.json);
		return 0;
	}
	json_t *checks = json_object_get(reply.json, "checks");
	for (size_t i = 0; i < json_array_size(checks); i++) {
		json_t *check = json_array_get(checks, i);
		printf(" %-8s %-18s %s\n", word(check, "status"), word(check, "name"),
		       word(check, "found"));
		if (*word(check, "remedy"))
			printf(" %-8s %-18s -> %s\n", "", "", word(check, "remedy"));
	}
	putchar('\n');
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

/* ---- start, create, run: with a console right after ---- */

/* The arguments of @op and a switch --console behind them; lives for ever. */
const Shape *with_console(const Shape *args)
{
	static const Row console = { .kind = ROW_FLAG, .name = "console",
				     .doc = "connect to its console then" };
	return cli_more_args(args, &console, 1);
}

/* The guest ends when this process does. @wait: until either; virsh does not. */
static gboolean tie(Cli *cli, const char *name, gboolean wait, GError **error)
{
	g_autoptr(GByteArray) early = g_byte_array_new();
	char byte;
	int fd = cli_stream(cli, op_find("tie"), name, NULL, early, error); /* stays open */
	fflush(stdout);
	while (fd >= 0 && wait && !cli_style.virsh && recv(fd, &byte, 1, 0) != 0)
		if (errno != EINTR)
			break;
	return fd >= 0;
}

int run_then_console(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name); /* its arguments are the first of ours */
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	if (cli->json)
		show_json(reply.json);
	else
		show_result(op, target, args, reply.json);
	const char *name = json_string_value(json_object_get(reply.json, "name"));
	gboolean console = cli_flag(own, args, "console");
	if (cli_flag(own, args, "autodestroy") && !tie(cli, name ? name : target, !console, &error))
		return cli_failed(error);
	if (!console)
		return fflush(stdout) == 0 ? 0 : 1;
	return console_attach(cli, name ? name : target);
}

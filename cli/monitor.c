/* `qemu-monitor-command` in virsh's variants: a command of several words, answers with lines of their own or
 * without what is around them. Neighbours: ops/guest_tell.c has what it calls. */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct MonitorWords { /* of ours, behind the daemon's */
	gboolean hmp, pretty, return_value;
	GPtrArray *more; /* char *; may be NULL */
} MonitorWords;

static const Row word_rows[] = {
	{ .kind = ROW_FLAG, .name = "pretty", .doc = "the answer on lines of their own" },
	{ .kind = ROW_FLAG, .name = "return_value", .doc = "of the answer only the value" },
	{ .kind = ROW_STRINGS, .name = "more", .flags = ROW_POSITIONAL | ROW_REST,
	  .doc = "more of its words" },
};

const Shape *monitor_words(const Shape *args)
{
	return cli_more_args(args, word_rows, G_N_ELEMENTS(word_rows));
}

static gpointer member_of(const Op *op, gpointer args, const char *name)
{
	for (guint i = 0; i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			return (char *)args + op->args->rows[i].offset;
	return NULL;
}

/* All words as one text, @between them; the caller frees it. */
static char *joined(const char *first, const GPtrArray *more, const char *between)
{
	GString *all = g_string_new(first);
	for (guint i = 0; i < shape_len(more); i++)
		g_string_append_printf(all, "%s%s", i || *first ? between : "",
				       (const char *)g_ptr_array_index(more, i));
	return g_string_free(all, FALSE);
}

/* What QEMU is to be sent: JSON as it is; else the name of a command, and members of its arguments behind
 * that: `device_del '"id":"x"'`. The caller frees it. */
static char *as_json(const char *command, const GPtrArray *more)
{
	g_autofree char *all = joined(command, more, " ");
	json_t *given = json_loads(all, 0, NULL);
	json_decref(given);
	if (given || *command == '{' || *command == '[')
		return g_steal_pointer(&all);
	g_autofree char *members = shape_len(more) ? joined("", more, ",") : NULL;
	gboolean whole = members && *members == '{';
	json_t *name = json_string(command);
	char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
	g_autofree char *behind = members ? g_strconcat(",\"arguments\":", whole ? "" : "{", members,
							whole ? "" : "}", NULL) : g_strdup("");
	char *json = g_strdup_printf("{\"execute\":%s%s}", quoted ? quoted : "\"\"", behind);
	free(quoted);
	json_decref(name);
	return json;
}

static gboolean print_answer(const char *text, const MonitorWords *words, GError **error)
{
	if (!words->pretty && !words->return_value) { /* virsh ends also a line that has an end */
		puts(text);
		return TRUE;
	}
	json_t *answer = json_loads(text, JSON_DECODE_ANY, NULL);
	json_t *shown = words->return_value ? json_object_get(answer, "return") : answer;
	gsize form = words->pretty ? JSON_INDENT(2) : JSON_COMPACT;
	char *out = shown ? json_dumps(shown, JSON_ENCODE_ANY | form) : NULL;
	if (out)
		printf("%s%s", out, cli_style.virsh ? "" : "\n");
	else
		fail(error, LODGE_ERROR_ENGINE, "QEMU's answer has no value: %s", text);
	gboolean ok = out != NULL;
	free(out);
	json_decref(answer);
	return ok;
}

int run_monitor(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	MonitorWords words = { .hmp = cli_flag(own, args, "hmp"), .pretty = cli_flag(own, args, "pretty"),
			       .return_value = cli_flag(own, args, "return_value"),
			       .more = *(GPtrArray **)member_of(own, args, "more") };
	char **command = member_of(op, args, "command");
	if (words.hmp && (words.pretty || words.return_value)) {
		fail_with(&error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
			  "Options --hmp and --%s are mutually exclusive",
			  words.pretty ? "pretty" : "return-value");
		return cli_failed(error);
	}
	char *whole = words.hmp ? joined(*command, words.more, " ") : as_json(*command, words.more);
	g_free(*command);
	*command = whole;
	if (cli->json || (!words.pretty && !words.return_value && !cli_style.virsh))
		return cli_call_and_show(cli, op, target, args);
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	const char *text = json_string_value(json_object_get(reply.json, "text"));
	return print_answer(text ? text : "", &words, &error) ? 0 : cli_failed(error);
}

/* Completion for bash and zsh. The scripts are small and ask the command itself (`lodge complete -- WORDS`,
 * the last word being the one under the cursor), so that verbs and options always are those of the
 * rows, and guests those of the daemon. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>

static const EnumTable shells = ENUM_TABLE("shell", "bash", "zsh");

typedef struct CompletionArgs {
	ShapeHead head;
	int shell;
} CompletionArgs;

static const Row completion_rows[] = {
	ENUM(CompletionArgs, shell, NULL, shells, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	     .doc = "whose script"),
};
const Shape completion_args = SHAPE("completion", CompletionArgs, completion_rows);

typedef struct CompleteArgs {
	ShapeHead head;
	GPtrArray *words;
} CompleteArgs;

static const Row complete_rows[] = {
	STRINGS(CompleteArgs, words, NULL, .flags = ROW_POSITIONAL | ROW_REST,
		.doc = "the words behind lodge"),
};
const Shape complete_args = SHAPE("complete", CompleteArgs, complete_rows);

static const char bash_script[] =
	"# bash completion for lodge\n"
	"_lodge() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(compgen -W \"$(lodge complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\""
	" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
	"}\n"
	"complete -o default -F _lodge lodge\n";

static const char zsh_script[] =
	"#compdef lodge\n"
	"_lodge() {\n"
	"\tlocal -a found\n"
	"\tfound=(\"${(@f)$(lodge complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tcompadd -a found || _files\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _lodge ]; then _lodge \"$@\"; else compdef _lodge lodge; fi\n";

int run_completion(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const Op *op,
		   G_GNUC_UNUSED const char *target, gpointer args)
{
	fputs(((CompletionArgs *)args)->shell == 1 ? bash_script : zsh_script, stdout);
	return 0;
}

/* The next word of every verb that begins with the @n words before. */
static void offer_verbs(char *const *words, guint n)
{
	guint count;
	const Verb *const *all = cli_verbs(&count);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < count; i++) {
		const Op *op = &all[i]->op;
		g_auto(GStrv) parts = g_strsplit(op->name, " ", -1);
		if (!op->family || g_strv_length(parts) <= n)
			continue;
		if (n > 0 && !g_str_equal(parts[0], words[0]))
			continue;
		if (g_hash_table_add(seen, g_strdup(parts[n])))
			puts(parts[n]);
	}
}

static void offer_options(const Op *op)
{
	for (guint i = 0; op->args && i < op->args->n; i++) {
		const Row *row = &op->args->rows[i];
		g_autofree char *name = shape_arg_name(row);
		if (!(row->flags & ROW_POSITIONAL))
			printf("--%s\n", name);
	}
	puts("--help");
}

static void offer_choices(const Row *row)
{
	const EnumTable *table = row->of;
	for (guint i = 1; row->kind == ROW_ENUM && i < table->n; i++)
		if (table->names[i])
			puts(table->names[i]);
}

/* Names of what the daemon has of them; nothing where no daemon runs. */
static void offer_targets(Cli *cli, const OpTargetRow *target)
{
	const Op *list = op_find(target->list);
	if (!list)
		return;
	cli->no_start = TRUE;
	gpointer args = list->args ? shape_new(list->args) : NULL;
	g_auto(Reply) reply = { 0 };
	for (guint i = 0; args && i < list->args->n; i++)
		if (g_str_equal(list->args->rows[i].name, "all"))
			shape_arg_from_text(&list->args->rows[i], args, "yes", NULL);
	if (cli_call(cli, list, NULL, args, &reply, NULL)) {
		json_t *items = json_object_get(reply.json, target->items);
		for (size_t i = 0; i < json_array_size(items); i++)
			puts(json_string_value(json_object_get(json_array_get(items, i), "name")));
	}
	if (args)
		shape_free(list->args, args);
}

/* The row of an option whose value comes next, or NULL. */
static const Row *waits_for_value(const Op *op, const char *before)
{
	for (guint i = 0; op->args && i < op->args->n; i++) {
		const Row *row = &op->args->rows[i];
		g_autofree char *name = shape_arg_name(row);
		g_autofree char *value = shape_arg_value(row);
		if (value && g_str_has_prefix(before, "--") && g_str_equal(before + 2, name))
			return row;
	}
	return NULL;
}

static void offer_words(Cli *cli, const Op *op, GPtrArray *words)
{
	const char *current = words->pdata[words->len - 1];
	const Row *value = waits_for_value(op, words->pdata[words->len - 2]);
	if (value) {
		offer_choices(value);
		return;
	}
	if (*current == '-') {
		offer_options(op);
		return;
	}
	if (op->target != OP_ON_DAEMON)
		offer_targets(cli, op_target(op->target));
	for (guint i = 0; op->args && i < op->args->n; i++)
		if (op->args->rows[i].flags & ROW_POSITIONAL)
			offer_choices(&op->args->rows[i]);
	if (op->args == &help_args)
		offer_verbs(NULL, 0);
}

int run_complete(Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target,
		 gpointer args)
{
	GPtrArray *words = ((CompleteArgs *)args)->words;
	while (shape_len(words) > 1 && g_str_has_prefix(words->pdata[0], "--")) {
		/* the command's own options; only --root has a value */
		gboolean root = g_str_equal(words->pdata[0], "--root");
		g_ptr_array_remove_index(words, 0);
		if (root && words->len > 1) {
			paths_free(cli->paths);
			cli->paths = paths_new(words->pdata[0]);
			g_ptr_array_remove_index(words, 0);
		}
	}
	if (shape_len(words) == 0)
		return 0;
	int taken;
	const Verb *verb =
		cli_find_verb((int)words->len - 1, (char *const *)words->pdata, &taken);
	if (verb)
		offer_words(cli, &verb->op, words);
	else
		offer_verbs((char *const *)words->pdata, words->len - 1);
	return 0;
}

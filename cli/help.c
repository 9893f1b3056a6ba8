/* Help on the terminal, from the verbs' rows. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>

typedef struct HelpArgs {
	ShapeHead head;
	GPtrArray *topic;
} HelpArgs;

static const Row help_rows[] = {
	STRINGS(HelpArgs, topic, NULL, .flags = ROW_POSITIONAL | ROW_REST, .doc = "a verb or a family"),
};
const Shape help_args = SHAPE("help", HelpArgs, help_rows);

static void list_family(const char *family)
{
	guint n;
	const Verb *const *all = cli_verbs(&n);
	printf("%s:\n", family);
	for (guint i = 0; i < n; i++) {
		const Op *op = &all[i]->op;
		if (op->family && g_str_equal(op->family, family))
			printf("  %-20s  %s\n", op->name, op->doc);
	}
	putchar('\n');
}

/* Families in the order of their first verb. */
static GPtrArray *families(void)
{
	guint n;
	const Verb *const *all = cli_verbs(&n);
	GPtrArray *names = g_ptr_array_new();
	for (guint i = 0; i < n; i++)
		if (all[i]->op.family &&
		    !g_ptr_array_find_with_equal_func(names, all[i]->op.family, g_str_equal, NULL))
			g_ptr_array_add(names, (gpointer)all[i]->op.family);
	return names;
}

static void list_exit_codes(void)
{
	printf("Exit codes:\n  0    done\n");
	for (int exit_code = 1; exit_code < 256; exit_code++) {
		gboolean first = TRUE;
		for (LodgeError code = 0; code <= LODGE_ERROR_GONE; code++) {
			const OpErrorRow *row = op_error_row(code);
			if (row->exit_code != exit_code)
				continue;
			if (first)
				printf("  %-4d %s", exit_code, row->doc);
			else
				printf("; %s", row->doc);
			first = FALSE;
		}
		if (!first)
			putchar('\n');
	}
}

void help_overview(void)
{
	puts("lodge [--root DIR] [--json] VERB ...\n\n"
	     "  --root DIR       talk to the daemon that keeps everything below DIR ($LODGE_ROOT)\n"
	     "  --json           print results as JSON\n"
	     "  --no-start       do not start a daemon where none runs\n"
	     "  --version        print the version of this command\n"
	     "  --help           print this; behind a verb, the verb's options\n");
	g_autoptr(GPtrArray) names = families();
	for (guint i = 0; i < names->len; i++)
		list_family(g_ptr_array_index(names, i));
	list_exit_codes();
}

void help_verb(const Op *op)
{
	g_autofree char *synopsis = cli_synopsis(op);
	printf("lodge %s%s%s\n\n%s.\n", op->name, *synopsis ? " " : "", synopsis, op->doc);
	if (op->alias)
		printf("Also called %s.\n", op->alias);
	g_autofree char *own = op->args ? shape_help(op->args) : g_strdup("");
	const OpTargetRow *target = op_target(op->target);
	if (target->name || *own)
		putchar('\n');
	if (target->name)
		printf("  %-24s %s\n", target->word, target->doc);
	fputs(own, stdout);
}

/* Whether @name is "@group SOMETHING". */
static gboolean is_below(const char *name, const char *group)
{
	return g_str_has_prefix(name, group) && name[strlen(group)] == ' ';
}

char *help_verbs_below(const char *group)
{
	guint n;
	const Verb *const *all = cli_verbs(&n);
	GString *names = g_string_new(NULL);
	for (guint i = 0; i < n; i++)
		if (is_below(all[i]->op.name, group))
			g_string_append_printf(names, "%s%s", names->len ? ", " : "",
					       all[i]->op.name);
	return g_string_free(names, names->len == 0);
}

gboolean help_group(const char *group)
{
	guint n;
	const Verb *const *all = cli_verbs(&n);
	gboolean any = FALSE;
	for (guint i = 0; i < n; i++)
		if (is_below(all[i]->op.name, group)) {
			printf("lodge %-20s  %s\n", all[i]->op.name, all[i]->op.doc);
			any = TRUE;
		}
	return any;
}

void help_family(const char *family)
{
	list_family(family);
}

int run_help(Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target,
	     gpointer args)
{
	GPtrArray *topic = ((HelpArgs *)args)->topic;
	if (shape_len(topic) == 0) {
		help_overview();
		return 0;
	}
	int words;
	const Verb *verb = cli_find_verb((int)topic->len, (char *const *)topic->pdata, &words);
	if (verb && verb->run_words) { /* it explains itself */
		char *const ask[] = { (char *)"--help" };
		return verb->run_words(cli, &verb->op, 1, ask);
	}
	if (verb) {
		help_verb(&verb->op);
		return 0;
	}
	if (help_group(topic->pdata[0]))
		return 0;
	g_autoptr(GPtrArray) names = families();
	for (guint i = 0; i < names->len; i++)
		if (g_ascii_strcasecmp(g_ptr_array_index(names, i), topic->pdata[0]) == 0) {
			help_family(g_ptr_array_index(names, i));
			return 0;
		}
	g_autoptr(GError) error = NULL;
	fail(&error, LODGE_ERROR_INVALID, "there is no verb or family \"%s\"", (char *)topic->pdata[0]);
	return cli_failed(error);
}

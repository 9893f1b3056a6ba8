/* The manual page lodge(1), as roff, from the verbs' rows. */
#include "cli/internal.h"
#include "config.h"

#include <stdio.h>

/* Text for roff: no line may begin with a control character, and backslashes and dashes are kept. */
static void put(const char *text)
{
	gboolean start = TRUE;
	for (const char *c = text; *c; c++) {
		if (start && (*c == '.' || *c == '\''))
			fputs("\\&", stdout);
		if (*c == '\\')
			fputs("\\e", stdout);
		else if (*c == '-')
			fputs("\\-", stdout);
		else
			putchar(*c);
		start = *c == '\n';
	}
}

static void put_arg(const Row *row)
{
	g_autofree char *name = shape_arg_name(row);
	g_autofree char *value = shape_arg_value(row);
	fputs(".TP\n", stdout);
	if (row->flags & ROW_POSITIONAL) {
		g_autofree char *upper = g_ascii_strup(name, -1);
		printf("\\fI%s\\fR\n", upper);
	} else {
		fputs("\\fB", stdout);
		if (row->opt)
			printf("\\-%c\\fR, \\fB", row->opt);
		fputs("\\-\\-", stdout);
		put(name);
		printf(value ? "\\fR \\fI%s\\fR\n" : "\\fR\n", value);
	}
	put(row->doc ? row->doc : "");
	if (row->kind == ROW_ENUM) {
		g_autofree char *choices = enum_choices(row->of);
		printf(": %s", choices);
	}
	if (row->dflt)
		printf(" (%s where nothing is said)", row->dflt);
	putchar('\n');
}

static void put_verb(const Op *op)
{
	g_autofree char *synopsis = cli_synopsis(op);
	fputs(".SS \"", stdout);
	put(op->name);
	putchar(' ');
	put(synopsis);
	fputs("\"\n", stdout);
	put(op->doc);
	puts(".");
	if (op->alias)
		printf("Also called \\fB%s\\fR.\n", op->alias);
	for (guint i = 0; op->args && i < op->args->n; i++)
		put_arg(&op->args->rows[i]);
}

static void put_exit_codes(void)
{
	puts(".SH EXIT STATUS\n.TP\n0\ndone");
	for (LodgeError code = 0; code <= LODGE_ERROR_GONE; code++) {
		const OpErrorRow *row = op_error_row(code);
		printf(".TP\n%d\n%s (%s)\n", row->exit_code, row->doc, lodge_error_name(code));
	}
}

int run_man(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target,
	    G_GNUC_UNUSED gpointer args)
{
	printf(".TH LODGE 1 \"\" \"lodge %s\" \"Lodge\"\n", LODGE_VERSION);
	puts(".SH NAME\nlodge \\- run virtual machines\n"
	     ".SH SYNOPSIS\n\\fBlodge\\fR [\\fB\\-\\-root\\fR \\fIDIR\\fR] "
	     "[\\fB\\-\\-json\\fR] \\fIVERB\\fR ...\n"
	     ".br\n\\fBlodge daemon\\fR [\\fB\\-\\-root\\fR \\fIDIR\\fR] [\\fB\\-\\-detach\\fR]\n"
	     ".SH DESCRIPTION\n"
	     "Defines, runs and watches virtual machines through the daemon, which is started where none\n"
	     "runs. Verbs, options and messages are those of virsh where virsh has them.\n"
	     ".SH OPTIONS\n"
	     ".TP\n\\fB\\-\\-root\\fR \\fIDIR\\fR\n"
	     "talk to the daemon that keeps everything below this folder\n"
	     ".TP\n\\fB\\-\\-json\\fR\nprint results as JSON\n"
	     ".TP\n\\fB\\-\\-no\\-start\\fR\ndo not start a daemon where none runs\n"
	     ".SH VERBS");
	guint n;
	const Verb *const *all = cli_verbs(&n);
	for (guint i = 0; i < n; i++)
		if (all[i]->op.family)
			put_verb(&all[i]->op);
	put_exit_codes();
	puts(".SH ENVIRONMENT\n.TP\nLODGE_ROOT\nstands for \\-\\-root\n"
	     ".TP\nEDITOR, VISUAL\nthe editor of \\fBlodge edit\\fR");
	return 0;
}

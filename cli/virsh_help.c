/* Help in virsh's form, from the verbs' rows. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>

/* Families and virsh's keyword and heading for them; one that is not here has its own name. */
static const struct {
	const char *family, *keyword, *heading;
} groups[] = {
	{ "Guests", "domain", "Domain Management" },
	{ "Guest agent", "agent", "Domain Agent" },
	{ "Limits", "limits", "Domain Limits" },
	{ "Host", "host", "Host and Hypervisor" },
	{ "Interfaces", "interface", "Interface" },
	{ "Networks", "network", "Networking" },
	{ "Node devices", "nodedev", "Node Device" },
	{ "Network filters", "filter", "Network Filter" },
	{ "Secrets", "secret", "Secret" },
	{ "Snapshots", "snapshot", "Snapshot" },
	{ "Storage pools", "pool", "Storage Pool" },
	{ "Volumes", "volume", "Storage Volume" },
};

static const struct {
	const char *name, *doc;
} own[] = {
	{ "cd", "change the current directory" },
	{ "echo", "echo arguments. Used for internal testing." },
	{ "exit", "quit this interactive terminal" },
	{ "help", "print help" },
	{ "pwd", "print the current directory" },
	{ "quit", "quit this interactive terminal" },
	{ "connect", "(re)connect to hypervisor" },
};

/* The name under which virsh's users know the verb: of one word. The caller frees it. */
static char *name_of(const Op *op)
{
	return g_strdelimit(g_strdup(op->alias && !strchr(op->alias, ' ') ? op->alias : op->name), " ", '-');
}

static void list_family(const char *family, const char *heading, const char *keyword)
{
	guint n;
	const Verb *const *all = cli_verbs(&n);
	printf(" %s (help keyword '%s'):\n", heading, keyword);
	for (guint i = 0; i < n; i++) {
		const Op *op = &all[i]->op;
		g_autofree char *name = name_of(op);
		if (op->family && g_str_equal(op->family, family))
			printf("    %-30s %s\n", name, op->doc);
	}
}

static void list_own(void)
{
	puts(" Virsh itself (help keyword 'virsh'):");
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		printf("    %-30s %s\n", own[i].name, own[i].doc);
}

static gboolean list_families(const char *wanted)
{
	guint n;
	gboolean any = FALSE;
	const Verb *const *all = cli_verbs(&n);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < n; i++) {
		const char *family = all[i]->op.family;
		if (!family || g_str_equal(family, "Command") || !g_hash_table_add(seen, (gpointer)family))
			continue;
		const char *heading = family;
		g_autofree char *keyword = g_strdelimit(g_ascii_strdown(family, -1), " ", '-');
		for (guint k = 0; k < G_N_ELEMENTS(groups); k++)
			if (g_str_equal(groups[k].family, family)) {
				heading = groups[k].heading;
				g_free(keyword);
				keyword = g_strdup(groups[k].keyword);
			}
		if (wanted && !g_str_equal(wanted, keyword))
			continue;
		list_family(family, heading, keyword);
		if (!wanted)
			putchar('\n');
		any = TRUE;
	}
	return any;
}

gboolean virsh_help(const char *keyword)
{
	if (!keyword)
		puts("Grouped commands:\n");
	gboolean any = list_families(keyword);
	if (!keyword || g_str_equal(keyword, "virsh"))
		list_own();
	return any || !keyword || g_str_equal(keyword, "virsh");
}

/* "[--paused]", "<file>", "[--timeout <string>]": one word of a synopsis. */
static void put_word(const Row *row)
{
	g_autofree char *name = shape_arg_name(row);
	g_autofree char *value = shape_arg_value(row);
	const char *kind = row->kind == ROW_UINT || row->kind == ROW_INT || row->kind == ROW_SIZE ? "number" :
												   "string";
	gboolean required = row->flags & ROW_REQUIRED;
	if (row->flags & ROW_POSITIONAL)
		printf(required ? " <%s>" : " [<%s>]", name);
	else if (value)
		printf(required ? " --%s <%s>" : " [--%s <%s>]", name, kind);
	else
		printf(" [--%s]", name);
}

static void put_option(const Row *row)
{
	g_autofree char *name = shape_arg_name(row);
	g_autofree char *value = shape_arg_value(row);
	const char *kind = row->kind == ROW_UINT || row->kind == ROW_INT || row->kind == ROW_SIZE ? "number" :
												   "string";
	g_autofree char *text =
		row->flags & ROW_POSITIONAL ? g_strdup_printf("[--%s] <%s>", name, kind) :
		value			    ? g_strdup_printf("--%s <%s>", name, kind) :
					      g_strdup_printf("--%s", name);
	printf("    %-15s  %s\n", text, row->doc ? row->doc : "");
}

void virsh_help_verb(const Op *op)
{
	g_autofree char *name = name_of(op);
	const OpTargetRow *target = op_target(op->target);
	printf("  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s", name, op->doc, name);
	if (target->name)
		printf(" <%s>", target->argument);
	for (guint i = 0; op->args && i < op->args->n; i++)
		put_word(&op->args->rows[i]);
	printf("\n\n  DESCRIPTION\n    %s.\n", op->doc);
	if (target->name || (op->args && op->args->n))
		puts("\n  OPTIONS");
	if (target->name)
		printf("    [--%s] <string>  %s\n", target->argument, target->doc);
	for (guint i = 0; op->args && i < op->args->n; i++)
		put_option(&op->args->rows[i]);
	putchar('\n');
}

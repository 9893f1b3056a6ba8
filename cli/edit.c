/* `lodge edit`, `lodge net-edit`: a definition in an editor, and back. What the daemon refuses is offered to
 * the editor again; nothing that was typed is lost. */
#include "cli/internal.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* What is edited: by which verbs it is fetched and stored, and what virsh calls it. */
typedef struct Edited {
	OpTarget target;
	const char *dump, *define, *what;
} Edited;

static const Edited editeds[] = {
	{ OP_ON_GUEST, "dumpxml", "define", "Domain '%s'" },
	{ OP_ON_NETWORK, "net-dumpxml", "net-define", "Network %s" },
	{ OP_ON_POOL, "pool-dumpxml", "pool-define", "Pool %s" },
	{ OP_ON_NWFILTER, "nwfilter-dumpxml", "nwfilter-define", "Network filter %s" },
	{ OP_ON_INTERFACE, "iface-dumpxml", "iface-define", "Interface %s" },
};

static const Edited *edited_of(const Op *own)
{
	for (guint i = 0; i < G_N_ELEMENTS(editeds); i++)
		if (editeds[i].target == own->target)
			return &editeds[i];
	g_assert_not_reached();
}

/* The line that virsh prints: @end behind what it calls the object. */
static void tell(const Edited *edited, const char *target, const char *end)
{
	g_auto(GStrv) parts = g_strsplit(edited->what, "%s", 2);
	printf("%s%s%s XML configuration %s.\n\n", parts[0], target, parts[1], end);
}

static gpointer args_with(const Op *op, const char *const *names, const char *xml)
{
	gpointer args = op->args ? shape_new(op->args) : NULL;
	for (guint i = 0; args && i < op->args->n; i++) {
		const Row *row = &op->args->rows[i];
		if (xml && row->kind == ROW_XML)
			shape_arg_from_text(row, args, xml, NULL);
		else if (g_strv_contains(names, row->name))
			shape_arg_from_text(row, args, "yes", NULL);
	}
	return args;
}

/* The definition as it stands; the caller frees it. */
static char *fetch(Cli *cli, const Edited *edited, const char *target, GError **error)
{
	static const char *const flags[] = { "inactive", "security_info", NULL };
	const Op *op = op_find(edited->dump);
	gpointer args = args_with(op, flags, NULL);
	g_auto(Reply) reply = { 0 };
	gboolean ok = cli_call(cli, op, target, args, &reply, error);
	if (args)
		shape_free(op->args, args);
	return ok ? g_strdup(json_string_value(json_object_get(reply.json, "text"))) : NULL;
}

static gboolean store(Cli *cli, const Edited *edited, const char *xml, GError **error)
{
	static const char *const flags[] = { NULL };
	const Op *op = op_find(edited->define);
	gpointer args = args_with(op, flags, xml);
	g_auto(Reply) reply = { 0 };
	gboolean ok = cli_call(cli, op, NULL, args, &reply, error);
	shape_free(op->args, args);
	return ok;
}

/* The editor is a command line of the user's own, so a shell reads it. */
static gboolean run_editor(const char *path, GError **error)
{
	const char *editor = g_getenv("VISUAL");
	editor = editor && *editor ? editor : g_getenv("EDITOR");
	editor = editor && *editor ? editor : "vi";
	g_autofree char *quoted = g_shell_quote(path);
	g_autofree char *line = g_strdup_printf("%s %s", editor, quoted);
	int status = system(line);
	if (status < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return fail(error, LODGE_ERROR_SYSTEM, "the editor \"%s\" failed; set EDITOR to another",
			    editor);
	return TRUE;
}

/* Whether to go back to the editor. Without a terminal nobody can be asked. */
static gboolean ask_again(void)
{
	char line[16];
	if (!isatty(STDIN_FILENO))
		return FALSE;
	for (;;) {
		fputs("Failed. Try again? [y,n,?]: ", stderr);
		if (!fgets(line, sizeof line, stdin) || line[0] == 'n')
			return FALSE;
		if (line[0] == 'y' || line[0] == '\n')
			return TRUE;
		fputs("y - yes, back to the editor\nn - no, throw the changes away\n", stderr);
	}
}

/* One round after another until the daemon takes it. Returns the exit code. */
static int edit_file(Cli *cli, const Edited *edited, const char *target, const char *path,
		     const char *before)
{
	for (;;) {
		g_autoptr(GError) error = NULL;
		g_autofree char *after = NULL;
		if (!run_editor(path, &error) || !g_file_get_contents(path, &after, NULL, &error))
			return cli_failed(error);
		if (g_str_equal(before, after)) {
			tell(edited, target, "not changed");
			return 0;
		}
		if (store(cli, edited, after, &error)) {
			tell(edited, target, "edited");
			return 0;
		}
		int code = cli_failed(error);
		if (!ask_again())
			return code;
	}
}

int run_edit(Cli *cli, const Op *own, const char *target,
	     G_GNUC_UNUSED gpointer args)
{
	g_autoptr(GError) error = NULL;
	const Edited *edited = edited_of(own);
	g_autofree char *xml = fetch(cli, edited, target, &error);
	if (!xml)
		return cli_failed(error);
	g_autofree char *path = g_build_filename(g_get_tmp_dir(), "lodge-XXXXXX.xml", NULL);
	autofd int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || !g_file_set_contents_full(path, xml, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error)) {
		if (!error)
			fail_errno(&error, errno, "cannot make a file for the editor in %s", g_get_tmp_dir());
		return cli_failed(error);
	}
	int code = edit_file(cli, edited, target, path, xml);
	unlink(path);
	return code;
}

/* `lodge edit`, `lodge net-edit`, `lodge save-image-edit` and the like: a definition in an editor, and back.
 * What the daemon refuses is offered to the editor again; nothing that was typed is lost. */
#include "cli/internal.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* What is edited: by which verbs it is fetched and stored, and what virsh says then. */
typedef struct Edited {
	const char *verb, *dump, *define;
	const char *unchanged, *changed;
} Edited;

static const Edited editeds[] = {
	{ "edit", "dumpxml", "define", "Domain '%s' XML configuration not changed.",
	  "Domain '%s' XML configuration edited." },
	{ "net-edit", "net-dumpxml", "net-define", "Network %s XML configuration not changed.",
	  "Network %s XML configuration edited." },
	{ "pool-edit", "pool-dumpxml", "pool-define", "Pool %s XML configuration not changed.",
	  "Pool %s XML configuration edited." },
	{ "nwfilter-edit", "nwfilter-dumpxml", "nwfilter-define",
	  "Network filter %s XML configuration not changed.", "Network filter %s XML configuration edited." },
	{ "iface-edit", "iface-dumpxml", "iface-define", "Interface %s XML configuration not changed.",
	  "Interface %s XML configuration edited." },
	{ "save-image-edit", "save-image-dumpxml", "save-image-define",
	  "Saved image %s XML configuration not changed.", "State file %s edited." },
	{ "managedsave-edit", "managedsave-dumpxml", "managedsave-define",
	  "Managed save image of domain '%s' XML configuration not changed.",
	  "Managed save image of Domain '%s' XML configuration edited." },
};

/* One edit: @own is the command's verb with its words. */
typedef struct Edit {
	Cli *cli;
	const Edited *what;
	const Op *own;
	gconstpointer words;
	const char *target, *name; /* of the object; what messages call it */
	gboolean validate; /* what no row knows is refused */
} Edit;

/* The line that virsh prints. */
static void tell(const Edit *edit, const char *format)
{
	g_auto(GStrv) parts = g_strsplit(format, "%s", 2);
	if (!cli_style.quiet)
		printf("%s%s%s\n", parts[0], edit->name, parts[1]);
	show_end();
}

/* Arguments of the daemon's verb: those of the same name among the words, the switches @names, and @xml. */
static gpointer args_with(const Edit *edit, const Op *op, const char *const *names, const char *xml)
{
	gpointer args = op->args && edit->own->args ? cli_pass_args(edit->own, edit->words, op)
			: op->args		    ? shape_new(op->args)
						    : NULL;
	for (guint i = 0; args && i < op->args->n; i++) {
		const Row *row = &op->args->rows[i];
		if (xml && row->kind == ROW_XML)
			shape_arg_from_text(row, args, xml, NULL);
		else if (g_strv_contains(names, row->name))
			shape_arg_from_text(row, args, "yes", NULL);
	}
	return args;
}

static gboolean takes_target(const Op *op)
{
	return op->target != OP_ON_DAEMON;
}

/* The definition as it stands; the caller frees it. */
static char *fetch(const Edit *edit, GError **error)
{
	static const char *const flags[] = { "inactive", "security_info", NULL };
	const Op *op = op_find(edit->what->dump);
	gpointer args = args_with(edit, op, flags, NULL);
	g_auto(Reply) reply = { 0 };
	gboolean ok = cli_call(edit->cli, op, edit->target, args, &reply, error);
	if (args)
		shape_free(op->args, args);
	return ok ? g_strdup(json_string_value(json_object_get(reply.json, "text"))) : NULL;
}

static gboolean store(const Edit *edit, const char *xml, GError **error)
{
	static const char *const strict[] = { "validate", NULL }, *const none[] = { NULL };
	const char *const *flags = edit->validate ? strict : none;
	const Op *op = op_find(edit->what->define);
	gpointer args = args_with(edit, op, flags, xml);
	g_auto(Reply) reply = { 0 };
	gboolean ok = cli_call(edit->cli, op, takes_target(op) ? edit->target : NULL, args, &reply, error);
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
static int edit_file(const Edit *edit, const char *path, const char *before)
{
	for (;;) {
		g_autoptr(GError) error = NULL;
		g_autofree char *after = NULL;
		if (!run_editor(path, &error) || !g_file_get_contents(path, &after, NULL, &error))
			return cli_failed(error);
		if (g_str_equal(before, after)) {
			tell(edit, edit->what->unchanged);
			return 0;
		}
		if (store(edit, after, &error)) {
			tell(edit, edit->what->changed);
			return 0;
		}
		int code = cli_failed(error);
		if (!ask_again())
			return code;
	}
}

/* A file for the editor with @text; its name, which the caller frees, or NULL. */
static char *make_file(const char *text, const char *suffix, GError **error)
{
	g_autofree char *name = g_strconcat("lodge-XXXXXX", suffix, NULL);
	g_autofree char *path = g_build_filename(g_get_tmp_dir(), name, NULL);
	autofd int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		fail_errno(error, errno, "cannot make a file for the editor in %s", g_get_tmp_dir());
		return NULL;
	}
	if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, error))
		return g_steal_pointer(&path);
	unlink(path);
	return NULL;
}

char *cli_edit_text(const char *text, GError **error)
{
	g_autofree char *path = make_file(text, ".txt", error);
	char *after = NULL;
	if (path && run_editor(path, error) && g_file_get_contents(path, &after, NULL, error))
		g_strchomp(after);
	if (path)
		unlink(path);
	return after;
}

/* What a saved guest's file is called: the word itself. */
static const char *name_of(const Op *own, gconstpointer args, const char *target)
{
	for (guint i = 0; !target && own->args && i < own->args->n; i++)
		if (g_str_equal(own->args->rows[i].name, "path"))
			return *(char *const *)((const char *)args + own->args->rows[i].offset);
	return target;
}

/* ---- words of those that have some ---- */

typedef struct EditArgs {
	ShapeHead head;
	char *path;
	gboolean running, paused, skip_validate;
} EditArgs;

#define STATE_ROWS                                                                                 \
	FLAG(EditArgs, running, NULL, .doc = "it runs when it is restored"),                       \
		FLAG(EditArgs, paused, NULL, .doc = "it is paused when it is restored")
static const Row image_rows[] = {
	STRING(EditArgs, path, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED | ROW_PATH,
	       .doc = "file that it was saved to"),
	STATE_ROWS,
};
const Shape save_image_edit_args = SHAPE("save-image-edit-args", EditArgs, image_rows);
static const Row managed_rows[] = { STATE_ROWS };
const Shape managed_edit_args = SHAPE("managedsave-edit-args", EditArgs, managed_rows);
static const Row guest_rows[] = {
	FLAG(EditArgs, skip_validate, NULL, .doc = "take what is not known, too"),
};
const Shape edit_args = SHAPE("edit-args", EditArgs, guest_rows);

int run_edit(Cli *cli, const Op *own, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	Edit edit = { .cli = cli, .own = own, .words = args, .target = target,
		      .name = name_of(own, args, target) };
	for (guint i = 0; i < G_N_ELEMENTS(editeds); i++)
		if (g_str_equal(editeds[i].verb, own->name))
			edit.what = &editeds[i];
	if (own->args == &edit_args)
		edit.validate = !((const EditArgs *)args)->skip_validate;
	g_autofree char *xml = fetch(&edit, &error);
	g_autofree char *path = xml ? make_file(xml, ".xml", &error) : NULL;
	if (!path)
		return cli_failed(error);
	int code = edit_file(&edit, path, xml);
	unlink(path);
	return code;
}

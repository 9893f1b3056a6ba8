/* The command under the name `virsh`: lines of commands, on a terminal or from a file, and the commands
 * that are virsh's own. Neighbours: virsh.c runs the others. */
#include "cli/internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINE 65536
#define PROMPT "virsh # "

/* ---- virsh's own commands ---- */

/* @text as one word of a shell. */
static char *for_shell(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "@%_-+=:,./";
	return *text && text[strspn(text, plain)] == '\0' ? g_strdup(text) : g_shell_quote(text);
}

static int own_echo(G_GNUC_UNUSED Virsh *virsh, int argc, char *const *argv)
{
	gboolean shell = FALSE, xml = FALSE, errors = FALSE, options = TRUE;
	g_autoptr(GString) out = g_string_new(NULL);
	for (int i = 1; i < argc; i++) {
		gboolean *const on = !options			       ? NULL :
				     g_str_equal(argv[i], "--shell") ? &shell :
				     g_str_equal(argv[i], "--xml")   ? &xml :
				     g_str_equal(argv[i], "--err")   ? &errors :
								       NULL;
		if (on || (options && (g_str_equal(argv[i], "--") || g_str_equal(argv[i], "--string")))) {
			options = options && !g_str_equal(argv[i], "--");
			if (on)
				*on = TRUE;
			continue;
		}
		g_autofree char *escaped = xml ? g_markup_escape_text(argv[i], -1) : g_strdup(argv[i]);
		g_autofree char *word = shell ? for_shell(escaped) : g_strdup(escaped);
		g_string_append_printf(out, "%s%s", out->len ? " " : "", word);
	}
	if (errors)
		fprintf(stderr, "error: %s\n", out->str);
	else
		fputs(out->str, stdout); /* the line end is every command's */
	return 0;
}

static int own_cd(Virsh *virsh, int argc, char *const *argv)
{
	const char *folder = argc > 1 ? argv[argc - 1] : g_get_home_dir();
	if (!virsh->shell)
		return virsh_refuse("cd: command valid only in interactive mode");
	if (chdir(folder) < 0)
		return virsh_refuse("cd: %s: %s", folder, g_strerror(errno));
	return 0;
}

static int own_pwd(G_GNUC_UNUSED Virsh *virsh, G_GNUC_UNUSED int argc, G_GNUC_UNUSED char *const *argv)
{
	g_autofree char *folder = g_get_current_dir();
	puts(folder);
	return 0;
}

static int own_connect(Virsh *virsh, int argc, char *const *argv)
{
	const char *uri = NULL;
	virsh->read_only = FALSE;
	for (int i = 1; i < argc; i++)
		if (g_str_equal(argv[i], "--readonly"))
			virsh->read_only = TRUE;
		else if (!g_str_equal(argv[i], "--name"))
			uri = g_str_has_prefix(argv[i], "--name=") ? argv[i] + 7 : argv[i];
	if (uri && !virsh_take_uri(virsh, uri))
		return virsh_refuse("Failed to connect to the hypervisor");
	return 0;
}

static int own_help(G_GNUC_UNUSED Virsh *virsh, int argc, char *const *argv)
{
	int words;
	int at = argc > 1 && g_str_equal(argv[1], "--command") ? 2 : 1;
	const char *topic = at < argc ? argv[at] : NULL;
	if (topic && g_str_has_prefix(topic, "--command="))
		topic += strlen("--command=");
	const Verb *verb = topic ? cli_find_verb(1, (char *const *)&topic, &words) : NULL;
	if (verb)
		virsh_help_verb(&verb->op);
	else if (!virsh_help(topic))
		return virsh_refuse("command or command group '%s' doesn't exist", topic);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(Virsh *virsh, int argc, char *const *argv);
} own[] = {
	{ "echo", own_echo },	    { "cd", own_cd },	  { "pwd", own_pwd },
	{ "connect", own_connect }, { "help", own_help },
};

gboolean virsh_own_command(Virsh *virsh, int argc, char *const *argv, int *code)
{
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		if (g_str_equal(own[i].name, argv[0])) {
			*code = own[i].run(virsh, argc, argv);
			if (!cli_style.quiet)
				putchar('\n');
			fflush(stdout);
			return TRUE;
		}
	return FALSE;
}

/* ---- lines ---- */

/* The next word of *@at, with quotes and backslashes undone; NULL at the end of a command. The caller
 * frees it. */
static char *next_word(const char **at, gboolean *open)
{
	const char *c = *at + strspn(*at, " \t\n");
	GString *word = g_string_new(NULL);
	gboolean any = FALSE;
	char quote = 0;
	for (; *c && (quote || !strchr(" \t\n;", *c)); c++) {
		any = TRUE;
		if (*c == '\\' && quote != '\'' && c[1])
			g_string_append_c(word, *++c);
		else if (quote ? *c == quote : (*c == '"' || *c == '\''))
			quote = quote ? 0 : *c;
		else
			g_string_append_c(word, *c);
	}
	*at = c;
	*open = quote != 0;
	if (any)
		return g_string_free(word, FALSE);
	g_string_free(word, TRUE);
	return NULL;
}

int virsh_line(Virsh *virsh, const char *line, gboolean *leave)
{
	int code = 0;
	for (const char *at = line; *at && !*leave;) {
		g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
		gboolean open = FALSE;
		char *word;
		at += strspn(at, " \t\n");
		if (*at == '#') /* the rest of the line is for people */
			at += strcspn(at, "\n");
		while ((word = next_word(&at, &open)))
			g_ptr_array_add(words, word);
		at += *at == ';';
		guint n = words->len;
		g_ptr_array_add(words, NULL);
		if (open)
			return virsh_refuse("missing \"");
		if (n == 0)
			continue;
		char **argv = (char **)words->pdata;
		*leave = g_str_equal(argv[0], "quit") || g_str_equal(argv[0], "exit");
		if (!*leave)
			code = virsh_command(virsh, (int)n, argv);
	}
	return code;
}

/* ---- the shell ---- */

/* libedit's, loaded where a person types: the daemon is the same program and does not pay for it. */
typedef struct Editor {
	char *(*readline)(const char *prompt);
	int (*add_history)(const char *line);
} Editor;

static Editor find_editor(void)
{
	Editor editor = { NULL, NULL };
	void *library = isatty(STDIN_FILENO) ? dlopen("libedit.so.2", RTLD_NOW) : NULL;
	if (library) {
		*(void **)&editor.readline = dlsym(library, "readline");
		*(void **)&editor.add_history = dlsym(library, "add_history");
	}
	return editor;
}

/* The next line, which the caller frees with free(); NULL at the end. What comes from a file is shown
 * behind the prompt, as virsh does. */
static char *read_line(const Editor *editor)
{
	if (editor->readline) {
		char *line = editor->readline(PROMPT);
		if (line && *line && editor->add_history)
			editor->add_history(line);
		return line;
	}
	static char buffer[MAX_LINE];
	fputs(PROMPT, stdout);
	fflush(stdout);
	if (!fgets(buffer, sizeof buffer, stdin))
		return NULL;
	buffer[strcspn(buffer, "\n")] = '\0';
	if (!isatty(STDIN_FILENO))
		puts(buffer);
	return strdup(buffer);
}

int virsh_shell(Virsh *virsh)
{
	Editor editor = find_editor();
	gboolean leave = FALSE;
	int code = 0;
	virsh->shell = TRUE;
	if (!cli_style.quiet)
		puts("Welcome to virsh, the virtualization interactive terminal.\n\n"
		     "Type:  'help' for help with commands\n       'quit' to quit\n");
	while (!leave) {
		char *line = read_line(&editor);
		if (!line)
			break;
		code = virsh_line(virsh, line, &leave);
		fflush(stdout);
		free(line);
	}
	putchar('\n');
	return code;
}

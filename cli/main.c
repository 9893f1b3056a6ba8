/* The command line: the command's own options, then a verb and its words. */
#include "cli/internal.h"
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct Own {
	const char *root;
	gboolean json, help, version, no_start;
} Own;

static int usage_error(const char *format, const char *word)
{
	g_autoptr(GError) error = NULL;
	fail(&error, LODGE_ERROR_INVALID, format, word);
	return cli_failed(error);
}

static gboolean take_switch(Own *own, const char *word)
{
	const struct { const char *word; gboolean *on; } switches[] = {
		{ "--json", &own->json },	  { "--help", &own->help },
		{ "-h", &own->help },		  { "--version", &own->version },
		{ "-V", &own->version },	  { "--no-start", &own->no_start },
	};
	for (guint i = 0; i < G_N_ELEMENTS(switches); i++)
		if (g_str_equal(switches[i].word, word)) {
			*switches[i].on = TRUE;
			return TRUE;
		}
	return FALSE;
}

/* Takes the options before the verb; returns the index of the verb, or -1 for one not known. */
static int take_own(Own *own, int argc, char *const *argv)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (g_str_equal(argv[i], "--root") && i + 1 < argc)
			own->root = argv[++i];
		else if (g_str_has_prefix(argv[i], "--root="))
			own->root = argv[i] + 7;
		else if (!take_switch(own, argv[i]))
			return -i;
	}
	return i;
}

/* --json and --help also stand behind the verb; words after "--" are the verb's alone. */
static int take_trailing(Own *own, int argc, char **argv)
{
	int n = 0;
	for (int i = 0; i < argc; i++) {
		if (g_str_equal(argv[i], "--")) {
			for (; i < argc; i++)
				argv[n++] = argv[i];
			break;
		}
		if (g_str_equal(argv[i], "--json"))
			own->json = TRUE;
		else if (g_str_equal(argv[i], "--help"))
			own->help = TRUE;
		else
			argv[n++] = argv[i];
	}
	return n;
}

static int run_verb(Cli *cli, const Verb *verb, int argc, char *const *argv)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *target = NULL;
	gpointer args = NULL;
	if (!cli_read_words(&verb->op, argc, argv, &target, &args, &error)) {
		g_prefix_error(&error, "%s: ", verb->op.name);
		return cli_failed(error);
	}
	int code = verb->run ? verb->run(cli, &verb->op, target, args) :
			       cli_call_and_show(cli, &verb->op, target, args);
	cli_args_free(&verb->op, args);
	return code;
}

static int unknown_verb(const char *word)
{
	g_autofree char *rest = help_verbs_below(word);
	if (rest) {
		g_autofree char *text = g_strdup_printf("%s: what? There are %s", word, rest);
		return usage_error("%s", text);
	}
	const char *nearest = cli_nearest_verb(word);
	g_autofree char *hint = nearest ? g_strdup_printf("; did you mean \"%s\"?", nearest) :
					  g_strdup("; see lodge help");
	g_autofree char *text = g_strdup_printf("there is no verb \"%s\"%s", word, hint);
	return usage_error("%s", text);
}

static int run_words(Own *own, int argc, char **argv)
{
	int words;
	const Verb *verb = cli_find_verb(argc, argv, &words);
	if (!verb && argc > 1 && (g_str_equal(argv[1], "--help") || g_str_equal(argv[1], "-h")) &&
	    help_group(argv[0]))
		return 0;
	if (!verb)
		return unknown_verb(argv[0]);
	if (verb->run_words) {
		const Cli here = { .json = own->json };
		char *const ask[] = { (char *)"--help" };
		return own->help ? verb->run_words(&here, &verb->op, 1, ask) :
				   verb->run_words(&here, &verb->op, argc - words, argv + words);
	}
	argc = take_trailing(own, argc - words, argv + words);
	if (own->help) {
		help_verb(&verb->op);
		return 0;
	}
	Cli cli = { .json = own->json, .no_start = own->no_start,
		    .paths = paths_new(own->root ? own->root : g_getenv("LODGE_ROOT")) };
	int code = run_verb(&cli, verb, argc, argv + words);
	paths_free(cli.paths);
	return code;
}

int cli_main(int argc, char *const *argv)
{
	Own own = { 0 };
	g_autofree char *name = g_path_get_basename(argc > 0 ? argv[0] : "lodge");
	setlocale(LC_CTYPE, "");
	if (g_str_equal(name, "virsh"))
		return virsh_main(argc, argv);
	if (g_str_equal(name, "qemu-img"))
		return qemu_img_main(argc, argv);
	if (g_str_equal(name, "virt-ssh-helper"))
		return ssh_helper_main(argc, argv);
	int at = take_own(&own, argc, argv);
	if (at < 0 && g_str_equal(argv[-at], "--root"))
		return usage_error("%s needs a folder behind it", argv[-at]);
	if (at < 0)
		return usage_error("there is no option %s before the verb; see lodge --help", argv[-at]);
	if (own.version) {
		puts("lodge " LODGE_VERSION);
		return 0;
	}
	if (at >= argc) {
		help_overview();
		return own.help ? 0 : op_error_row(LODGE_ERROR_INVALID)->exit_code;
	}
	g_autofree char **words = g_new0(char *, (gsize)(argc - at) + 1);
	memcpy(words, argv + at, sizeof(char *) * (size_t)(argc - at));
	return run_words(&own, argc - at, words);
}

/* `lodge image create`, `info`, `convert` and the others that work on the caller's files: as the
 * caller, in the caller's folder, without the daemon, which need not run. The words are qemu-img's, in
 * its order, and it does the work, so that what it prints is what scripts know. What is added here:
 * whoever uses an image is named before anything is touched.
 *
 * Also reached through a link named qemu-img. Neighbours: image/tool.h finds the real one; image/lock.h
 * and image/lease.h know who uses what. */
#include "base/fd.h"
#include "cli/internal.h"
#include "image/keeper.h"
#include "image/lease.h"
#include "image/lock.h"
#include "image/tool.h"

#include <stdio.h>
#include <string.h>

/* Which of the file names are written to. */
typedef enum Writes { WRITES_NONE, WRITES_FIRST, WRITES_LAST, WRITES_WITH } Writes;

typedef struct Command {
	const char *name;
	const char *options; /* as for getopt(): letters, ':' behind those with a value */
	Writes writes;
	const char *switches; /* WRITES_WITH: only with one of these letters */
	guint files;	      /* so many names are files; the rest (a size) is not */
	const char *synopsis;
} Command;

static const Command commands[] = {
	{ "create", "f:F:b:qo:u", WRITES_FIRST, NULL, 1,
	  "[-q] [-f FORMAT] [-b BACKING [-F FORMAT]] [-u] [-o OPTIONS] FILE [SIZE]" },
	{ "info", "f:U", WRITES_NONE, NULL, 1, "[-f FORMAT] [--output=json] [--backing-chain] [-U] FILE" },
	{ "convert", "f:O:B:F:Cco:l:S:pt:T:qnm:WUr:", WRITES_LAST, NULL, 1000,
	  "[-f FORMAT] [-O FORMAT] [-o OPTIONS] [-B BACKING [-F FORMAT]] [-c] [-p] [-q] [-n] [-W]\n"
	  "    [-l SNAPSHOT] [-S SIZE] [-m COROUTINES] FILE ... TARGET" },
	{ "resize", "f:q", WRITES_FIRST, NULL, 1,
	  "[-f FORMAT] [--preallocation=HOW] [-q] [--shrink] FILE [+|-]SIZE" },
	{ "rebase", "f:F:b:upt:T:qU", WRITES_FIRST, NULL, 1,
	  "[-f FORMAT] [-u] [-p] [-q] -b BACKING [-F FORMAT] FILE" },
	{ "commit", "f:t:b:dpqr:", WRITES_FIRST, NULL, 1,
	  "[-f FORMAT] [-b BASE] [-d] [-p] [-q] FILE" },
	{ "check", "f:r:T:qU", WRITES_WITH, "r", 1,
	  "[-f FORMAT] [--output=json] [-r leaks|all] [-q] [-U] FILE" },
	{ "compare", "f:F:T:pqsU", WRITES_NONE, NULL, 2,
	  "[-f FORMAT] [-F FORMAT] [-p] [-q] [-s] [-U] FILE FILE" },
	{ "snapshot", "la:c:d:qU", WRITES_WITH, "acd", 1,
	  "[-q] [-l | -a SNAPSHOT | -c SNAPSHOT | -d SNAPSHOT] FILE" },
	{ "measure", "f:o:O:l:U", WRITES_NONE, NULL, 1,
	  "[-f FORMAT] [-O FORMAT] [-o OPTIONS] [--output=json] [-l SNAPSHOT] [--size SIZE | FILE]" },
	{ "map", "f:s:l:U", WRITES_NONE, NULL, 1,
	  "[-f FORMAT] [--output=json] [--start-offset=N] [--max-length=N] [-U] FILE" },
	{ "amend", "f:o:pqt:", WRITES_FIRST, NULL, 1, "[-f FORMAT] [-p] [-q] -o OPTIONS FILE" },
	{ "bitmap", "b:f:F:g:", WRITES_FIRST, NULL, 1,
	  "(--add | --remove | --clear | --enable | --disable | --merge BITMAP) [-g SIZE] FILE BITMAP" },
};

/* Long options whose value is the next word. */
static const char *const with_value[] = { "--object", "--output", "--preallocation", "--start-offset",
					  "--max-length", "--size", "--merge" };

static const Command *find_command(const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
		if (g_str_equal(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* What the words say. */
typedef struct Said {
	GPtrArray *files; /* words that are no options */
	gboolean options; /* --image-opts: the words are no files */
	gboolean shared;  /* -U: whoever uses it may go on */
	gboolean writes;  /* one of the command's switches */
} Said;

/* One word of letters; whether the value of the last is the next word. */
static gboolean take_letters(const Command *command, const char *letters, Said *said)
{
	for (const char *at = letters; *at; at++) {
		const char *option = strchr(command->options, *at);
		said->shared = said->shared || *at == 'U';
		said->writes = said->writes || (command->switches && strchr(command->switches, *at));
		if (option && option[1] == ':')
			return at[1] == '\0';
	}
	return FALSE;
}

static gboolean take_long(const char *word, Said *said)
{
	said->options = said->options || g_str_equal(word, "--image-opts") ||
			g_str_equal(word, "--target-image-opts");
	said->shared = said->shared || g_str_equal(word, "--force-share");
	for (guint i = 0; i < G_N_ELEMENTS(with_value); i++)
		if (g_str_equal(word, with_value[i]))
			return TRUE;
	return FALSE;
}

static void take_words(const Command *command, int argc, char *const *argv, Said *said)
{
	gboolean ended = FALSE;
	for (int i = 0; i < argc; i++) {
		if (ended || argv[i][0] != '-' || argv[i][1] == '\0')
			g_ptr_array_add(said->files, argv[i]);
		else if (g_str_equal(argv[i], "--"))
			ended = TRUE;
		else if (argv[i][1] == '-' ? take_long(argv[i], said) :
					     take_letters(command, argv[i] + 1, said))
			i++;
	}
}

static gboolean is_written(const Command *command, const Said *said, guint i)
{
	switch (command->writes) {
	case WRITES_FIRST:
		return i == 0;
	case WRITES_LAST:
		return i > 0 && i + 1 == said->files->len;
	case WRITES_WITH:
		return said->writes;
	default:
		return FALSE;
	}
}

static gboolean is_free(const char *path, gboolean written, GError **error)
{
	return image_lock_check_path(path, written ? IMAGE_USE_WRITE : IMAGE_USE_READ, error) &&
	       (written || !image_lease_needed(path) || image_lease_check(path, error));
}

/* Other hosts see it at work on what it writes, where they may have it, too: until this process ends, which
 * becomes the tool. */
static gboolean take_leases(const Command *command, const GPtrArray *written, GError **error)
{
	g_autofree char *holder = g_strdup_printf("qemu-img %s", command->name);
	g_autoptr(ImageKeeper) keeper = NULL;
	return image_keeper_start(written, holder, 0, &keeper, NULL, error) &&
	       image_keeper_bind(keeper, getpid(), error);
}

/* Refuses what somebody uses, by name. The tool's own locks decide in the end. */
static gboolean check_locks(const Command *command, int argc, char *const *argv, GError **error)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new(), written = g_ptr_array_new();
	Said said = { .files = files };
	take_words(command, argc, argv, &said);
	for (guint i = 0; i < MIN(files->len, command->files) && !said.options; i++) {
		gboolean writes = is_written(command, &said, i);
		if ((writes || !said.shared) && !is_free(files->pdata[i], writes, error))
			return FALSE;
		if (writes)
			g_ptr_array_add(written, files->pdata[i]);
	}
	return take_leases(command, written, error);
}

/* The tool in our place; @words begin with its command. Returns only on failure. */
static int become_tool(char *const *words, gboolean json)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *program = image_tool_find(&error);
	if (!program)
		return cli_failed(error);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_ptr_array_add(argv, (gpointer)"qemu-img");
	for (guint i = 0; words[i]; i++) {
		g_ptr_array_add(argv, words[i]);
		if (i == 0 && json)
			g_ptr_array_add(argv, (gpointer)"--output=json");
	}
	g_ptr_array_add(argv, NULL);
	execv(program, (char *const *)argv->pdata);
	fail_errno(&error, errno, "%s cannot be run", program);
	return cli_failed(error);
}

static void show_help(const Op *op, const Command *command)
{
	printf("lodge %s %s\n\n%s.\n\nThe words are those of qemu-img, whose manual explains them.\n"
	       "A file that a guest or another program uses is refused, by the name of its user.\n",
	       op->name, command->synopsis, op->doc);
}

int run_image(const Cli *cli, const Op *op, int argc, char *const *argv)
{
	const Command *command = find_command(strchr(op->name, ' ') + 1);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	gboolean json = cli->json;
	g_ptr_array_add(words, (gpointer)command->name);
	for (int i = 0; i < argc; i++) {
		if (g_str_equal(argv[i], "--help") || g_str_equal(argv[i], "-h")) {
			show_help(op, command);
			return 0;
		}
		if (g_str_equal(argv[i], "--json"))
			json = TRUE;
		else
			g_ptr_array_add(words, argv[i]);
	}
	g_ptr_array_add(words, NULL);
	if (!check_locks(command, (int)words->len - 2, (char *const *)words->pdata + 1, &error))
		return cli_failed(error);
	return become_tool((char *const *)words->pdata, json);
}

/* Under the name qemu-img: the same, with its own form of errors. */
int qemu_img_main(int argc, char *const *argv)
{
	const Command *command = argc > 1 ? find_command(argv[1]) : NULL;
	g_autoptr(GError) error = NULL;
	if (command && !check_locks(command, argc - 2, argv + 2, &error)) {
		fprintf(stderr, "qemu-img: %s\n", error->message);
		return 1;
	}
	return become_tool(argv + 1, FALSE);
}

/* `lodge image create`, `info`, `convert` and the others that work on the caller's files: as the
 * caller, in the caller's folder, without the daemon, which need not run. The words are qemu-img's, in
 * its order, and it does the work, so that what it prints is what scripts know. What is added here:
 * whoever uses an image is named before anything is touched.
 *
 * Also reached through a link named qemu-img. Neighbours: image/tool.h finds the real one; image/lock.h
 * and image/lease.h know who uses what; image/trust.h which headers are followed. */
#include "base/fd.h"
#include "cli/internal.h"
#include "host/why.h"
#include "image/chain.h"
#include "image/header.h"
#include "image/keeper.h"
#include "image/lease.h"
#include "image/lock.h"
#include "image/tool.h"
#include "image/trust.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

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

/* ---- where headers lead ---- */

static gboolean check_links(const char *path, guint depth, gboolean strict, GError **error);

/* One file that the header of @path names. @strict: only where the daemon would follow it, too. */
static gboolean check_name(const char *path, const char *name, const char *what, guint depth, gboolean strict,
			   GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *to = image_resolve(path, name, what, &why);
	if ((!to || !image_trusted(path, to, what, &why)) && strict) {
		g_propagate_error(error, g_steal_pointer(&why));
		g_prefix_error(error, "as root only with --follow: ");
		return FALSE;
	}
	return !to || check_links(to, depth + 1, strict, error);
}

/* Whatever the image is: what cannot be read is the tool's affair. */
static gboolean check_links(const char *path, guint depth, gboolean strict, GError **error)
{
	g_auto(ImageHeader) header = { 0 };
	if (!image_header_of(path, 0, &header, NULL))
		return TRUE;
	if (depth == IMAGE_CHAIN_MAX)
		return fail(error, LODGE_ERROR_INVALID,
			    "image \"%s\": its backing files have no end: %d were followed, and perhaps one "
			    "of them is based on itself (a loop)", path, IMAGE_CHAIN_MAX);
	if ((header.data_file && *header.data_file &&
	     !check_name(path, header.data_file, "data file", depth, strict, error)) ||
	    (header.backing && !check_name(path, header.backing, "backing file", depth, strict, error)))
		return FALSE;
	for (guint i = 0; header.extents && i < header.extents->len; i++)
		if (!check_name(path, header.extents->pdata[i], "extent", depth, strict, error))
			return FALSE;
	return TRUE;
}

static gboolean has_word(int argc, char *const *argv, const char *word)
{
	for (int i = 0; i < argc; i++)
		if (g_str_equal(argv[i], word))
			return TRUE;
	return FALSE;
}

/* Whether the command opens what a header names; with "-f raw" no header counts. */
static gboolean follows(const Command *command, int argc, char *const *argv)
{
	for (int i = 0; i + 1 < argc; i++)
		if (g_str_equal(argv[i], "-f") && g_str_equal(argv[i + 1], "raw"))
			return FALSE;
	if (g_str_equal(command->name, "info"))
		return has_word(argc, argv, "--backing-chain");
	if (g_str_equal(command->name, "rebase"))
		return !has_word(argc, argv, "-u");
	return !g_str_equal(command->name, "create") && !has_word(argc, argv, "-fraw");
}

/* Headers are written by who made the image, who may be anybody: root does not follow them everywhere, and
 * nobody follows them for ever. */
static gboolean check_headers(const Command *command, gboolean strict, int argc, char *const *argv,
			      GError **error)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	Said said = { .files = files };
	take_words(command, argc, argv, &said);
	guint n = MIN(files->len, command->files);
	if (said.options || !follows(command, argc, argv))
		return TRUE;
	if (command->writes == WRITES_LAST && n > 1)
		n--;
	for (guint i = 0; i < n; i++) {
		g_autofree char *path = g_canonicalize_filename(files->pdata[i], NULL);
		if (!check_links(path, 0, strict, error))
			return FALSE;
	}
	return TRUE;
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

/* ---- a target that did not become whole ---- */

/* Whether less than a cluster is left where @path is. */
static gboolean is_full(const char *path)
{
	struct statvfs fs;
	return statvfs(path, &fs) == 0 && (guint64)fs.f_bavail * fs.f_frsize < (2u << 20);
}

/* The tool as a child; its exit code. What it made of @target, which was not there before, goes where it
 * fails. */
static int run_tool_for(const char *target, char *const *words)
{
	pid_t self = getpid(), pid = fork();
	int status = 0;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		_exit(getppid() == self ? become_tool(words, FALSE) : 1);
	}
	signal(SIGINT, SIG_IGN); /* the terminal tells the child, too */
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	g_autoptr(GError) full = NULL;
	if (is_full(target)) {
		GError *why = NULL;
		fail_errno(&why, ENOSPC, "image \"%s\" is not whole, and is removed", target);
		fail_full(&full, why, target);
		fprintf(stderr, "%s\n", full->message);
	}
	unlink(target);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The file that is made where none was, by commands that write long; NULL: another case. */
static const char *new_target(const Command *command, int argc, char *const *argv)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	Said said = { .files = files };
	take_words(command, argc, argv, &said);
	const char *last = files->len ? files->pdata[files->len - 1] : NULL;
	gboolean is_new = command->writes == WRITES_LAST && files->len > 1 && !strchr(last, ':') &&
			  access(last, F_OK) < 0;
	return is_new ? last : NULL;
}

static void show_help(const Op *op, const Command *command)
{
	printf("lodge %s %s\n\n%s.\n\nThe words are those of qemu-img, whose manual explains them.\n"
	       "A file that a guest or another program uses is refused, by the name of its user.\n"
	       "As root a backing or data file that only the image's header names, and that lies in no\n"
	       "folder of images, is not opened without --follow.\n",
	       op->name, command->synopsis, op->doc);
}

int run_image(const Cli *cli, const Op *op, int argc, char *const *argv)
{
	const Command *command = find_command(strchr(op->name, ' ') + 1);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	gboolean json = cli->json, strict = geteuid() == 0;
	g_ptr_array_add(words, (gpointer)command->name);
	for (int i = 0; i < argc; i++) {
		if (g_str_equal(argv[i], "--help") || g_str_equal(argv[i], "-h")) {
			show_help(op, command);
			return 0;
		}
		if (g_str_equal(argv[i], "--json"))
			json = TRUE;
		else if (g_str_equal(argv[i], "--follow"))
			strict = FALSE;
		else
			g_ptr_array_add(words, argv[i]);
	}
	g_ptr_array_add(words, NULL);
	int n = (int)words->len - 2;
	char *const *rest = (char *const *)words->pdata + 1;
	if (!check_headers(command, strict, n, rest, &error) || !check_locks(command, n, rest, &error))
		return cli_failed(error);
	const char *target = new_target(command, n, rest);
	return target ? run_tool_for(target, (char *const *)words->pdata) :
			become_tool((char *const *)words->pdata, json);
}

/* Under the name qemu-img: the same, with its own form of errors. */
int qemu_img_main(int argc, char *const *argv)
{
	const Command *command = argc > 1 ? find_command(argv[1]) : NULL;
	g_autoptr(GError) error = NULL;
	if (command && (!check_headers(command, FALSE, argc - 2, argv + 2, &error) ||
			!check_locks(command, argc - 2, argv + 2, &error))) {
		fprintf(stderr, "qemu-img: %s\n", error->message);
		return 1;
	}
	const char *target = command ? new_target(command, argc - 2, argv + 2) : NULL;
	return target ? run_tool_for(target, argv + 1) : become_tool(argv + 1, FALSE);
}

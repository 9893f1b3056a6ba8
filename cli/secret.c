/* Secrets' values on the command line: read from files and terminals, printed as they are or in base64.
 * Neighbours: ops/secret.c has the daemon's verbs. */
#include "cli/internal.h"
#include "base/error.h"
#include "host/file.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define MAX_VALUE 65536

typedef struct SetArgs {
	ShapeHead head;
	char *base64, *file;
	gboolean plain, interactive;
} SetArgs;

static const Row set_rows[] = {
	STRING(SetArgs, base64, NULL, .flags = ROW_POSITIONAL | ROW_EMPTY_OK,
	       .doc = "base64-encoded secret value"),
	STRING(SetArgs, file, NULL, .flags = ROW_PATH, .doc = "read secret from file"),
	FLAG(SetArgs, plain, NULL, .doc = "read the secret from file without converting from base64"),
	FLAG(SetArgs, interactive, NULL, .doc = "read the secret from the terminal"),
};
static const Shape set_args = SHAPE("secret-set-value-args", SetArgs, set_rows);

typedef struct GetArgs {
	ShapeHead head;
	gboolean plain;
} GetArgs;

static const Row get_rows[] = { FLAG(GetArgs, plain, NULL, .doc = "get value without converting to base64") };
static const Shape get_args = SHAPE("secret-get-value-args", GetArgs, get_rows);

const Shape *secret_set_words(G_GNUC_UNUSED const Shape *args)
{
	return &set_args;
}

const Shape *secret_get_words(G_GNUC_UNUSED const Shape *args)
{
	return &get_args;
}

/* A line that is not shown while it is typed; the caller frees it. NULL: nobody typed one. */
static char *type_secret(void)
{
	struct termios before, silent;
	gboolean is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	if (is_terminal) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
		fputs("Enter new value for secret: ", stderr);
	}
	char line[4096];
	char *read = fgets(line, sizeof line, stdin);
	if (is_terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (!read)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	char *text = g_base64_encode((const guchar *)line, strlen(line));
	explicit_bzero(line, sizeof line);
	return text;
}

static char *read_value(const SetArgs *args, GError **error)
{
	gsize n = 0;
	g_autofree char *bytes = file_read(args->file, MAX_VALUE, &n, error);
	if (!bytes)
		return NULL;
	char *text = args->plain ? g_base64_encode((const guchar *)bytes, n) :
				   g_strstrip(g_strdup(bytes));
	explicit_bzero(bytes, n);
	return text;
}

static char *value_of(const SetArgs *args, GError **error)
{
	if (!!args->base64 + !!args->file + args->interactive != 1) {
		fail(error, LODGE_ERROR_INVALID, "Input secret value is missing: say it in base64, or --file "
		     "or --interactive");
		return NULL;
	}
	if (args->plain && !args->file) {
		fail(error, LODGE_ERROR_INVALID, "--plain goes with --file");
		return NULL;
	}
	if (args->base64)
		return g_strdup(args->base64);
	if (args->file)
		return read_value(args, error);
	char *typed = type_secret();
	if (!typed)
		fail(error, LODGE_ERROR_INVALID, "no value was typed");
	return typed;
}

int run_secret_set(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	const Op *real = op_find(op->name);
	char *value = value_of(args, &error);
	if (!value)
		return cli_failed(error);
	gpointer words = shape_new(real->args);
	shape_arg_from_text(&real->args->rows[0], words, value, NULL);
	int code = cli_call_and_show(cli, real, target, words);
	shape_free(real->args, words);
	explicit_bzero(value, strlen(value));
	g_free(value);
	return code;
}

int run_secret_get(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op_find(op->name), target, NULL, &reply, &error))
		return cli_failed(error);
	if (cli->json) {
		show_json(reply.json);
		return 0;
	}
	const char *text = json_string_value(json_object_get(reply.json, "base64"));
	if (!((const GetArgs *)args)->plain) {
		printf("%s\n", text ? text : "");
		show_end();
		return 0;
	}
	gsize n = 0;
	g_autofree guchar *bytes = g_base64_decode(text ? text : "", &n);
	gboolean ok = show_bytes((const char *)bytes, n);
	explicit_bzero(bytes, n);
	return ok ? 0 : 1;
}

/* What the files of the command share. One thread. */
#pragma once

#include "base/paths.h"
#include "cli/cli.h"
#include "cli/http.h"
#include "ops/ops.h"

#include <jansson.h>

/* One command line. */
typedef struct Cli {
	Paths *paths;	 /* of the daemon that is talked to */
	gboolean json;	 /* results as JSON */
	gboolean no_start; /* never start a daemon */
} Cli;

/* How results and errors are printed; virsh.c changes it before anything is. */
typedef struct CliStyle {
	gboolean virsh; /* virsh's form of errors, and one blank line after each command */
	gboolean quiet; /* no messages, no headings */
	const char *before; /* what stands before a message; may be NULL */
} CliStyle;
extern CliStyle cli_style;

/* A verb of the command: one of the daemon's, or one that runs here. */
typedef struct Verb {
	Op op;	/* as for the daemon; without route and fn where it runs here */
	const char *through; /* the daemon's verb that it needs; NULL: none */
	/* What runs; NULL: call the daemon and show the result. @args is of op.args. Returns the exit
	 * code. */
	int (*run)(Cli *cli, const Op *op, const char *target, gpointer args);
	/* Instead: what runs with the words behind the verb as they are. */
	int (*run_words)(const Cli *cli, const Op *op, int argc, char *const *argv);
} Verb;

/* ---- verbs.c ---- */

/* Every verb in the order of help. */
const Verb *const *cli_verbs(guint *n);
/* The verb that @argv begins with (one or two words); *words tells how many. NULL: none. */
const Verb *cli_find_verb(int argc, char *const *argv, int *words);
/* The name most like @name, or NULL where none is. */
const char *cli_nearest_verb(const char *name);

/* ---- words.c ---- */

/* Reads the words behind a verb. *args (cli_args_free) is of op->args, NULL where that is; *target is
 * the caller's. */
gboolean cli_read_words(const Op *op, int argc, char *const *argv, char **target, gpointer *args,
			GError **error);
void cli_args_free(const Op *op, gpointer args);
/* @argv with virsh's names of options as the verb has them (alias.c); the caller frees it (g_strfreev). */
char **cli_same_words(const Op *op, int argc, char *const *argv);
/* The file that a document among the words was read from; "" where there was none. */
const char *cli_document_name(void);
/* Arguments of @to, which the caller owns (cli_pass_free), with the values of @args (of @from) of the
 * same names: for verbs whose words are more than the daemon's. */
gpointer cli_pass_args(const Op *from, gconstpointer args, const Op *to);
/* Sets the argument @name of @op to what @value (NULL: leave it) says. */
void cli_set_word(const Op *op, gpointer args, const char *name, const char *value);
/* The words of @op with its target: "DOMAIN [--paused]"; the caller frees it. */
char *cli_synopsis(const Op *op);

/* ---- find.c ---- */

/* A connection to the daemon, which is started where none runs. NULL on failure. */
Http *cli_connect(Cli *cli, GError **error);

/* ---- call.c ---- */

typedef struct Reply {
	json_t *json; /* the result's members; NULL where .raw was asked for */
	char *raw;    /* the body as it came */
	gsize length;
} Reply;

void reply_clear(Reply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reply, reply_clear)

/* Calls the daemon; warnings go to standard error, progress to a terminal. FALSE with the daemon's
 * error. */
gboolean cli_call(Cli *cli, const Op *op, const char *target, gconstpointer args, Reply *reply,
		  GError **error);
/* Opens a stream verb: the socket, which the caller owns, or -1; @early gains what came already. */
int cli_stream(Cli *cli, const Op *op, const char *target, gconstpointer args, GByteArray *early,
	       GError **error);
/* Where standard error is a terminal: how far the work is, 0..1 (negative: nobody knows), in place of what
 * stood there; and nothing of that any more. */
void cli_progress(double fraction, const char *text);
void cli_progress_end(void);
/* Calls the daemon and shows what it answers, or fails; returns the exit code. */
int cli_call_and_show(Cli *cli, const Op *op, const char *target, gpointer args);
/* Prints "error: .." and returns the exit code. */
int cli_failed(const GError *error);

/* ---- show.c ---- */

/* Prints the result of @op as its row says. */
void show_result(const Op *op, const char *target, gconstpointer args, json_t *result);
/* The blank line at the end of a result. */
void show_end(void);
/* Prints @result as JSON. */
void show_json(json_t *result);
/* Writes all of @bytes to standard output; FALSE where nobody reads it. */
gboolean show_bytes(const char *bytes, gsize length);

/* ---- event_stream.c ---- */

/* Prints what is asked for of one line, a JSON object; returns how often. */
typedef guint (*EventPrint)(gconstpointer data, const char *json);

/* A member that is a text; "" where there is none. It is @line's. */
const char *event_text(json_t *line, const char *name);
/* The stream of events of @kind and @object (NULL: of all), for @timeout seconds: its socket, which the
 * caller owns, or -1. What came already is appended to @lines. */
int events_open(Cli *cli, const char *kind, const char *object, OptUint timeout, GString *lines,
		GError **error);
/* Prints @lines and what follows, until one counted, or with @loop until the end; returns how many did. */
guint events_follow(int fd, GString *lines, gboolean loop, EventPrint print, gconstpointer data);

/* ---- object_event.c ---- */

extern const Shape net_event_args, pool_event_args, secret_event_args, nodedev_event_args;
int run_object_event(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- guest_event.c ---- */

extern const Shape guest_event_args;
int run_guest_event(Cli *cli, const Op *op, const char *target, gpointer args);
/* "2026-01-31 10:00:00.123+0000: " of an event's ISO 8601 time. */
void print_time_of_event(const char *when);

/* ---- monitor_event.c ---- */

extern const Shape monitor_event_args;
int run_monitor_event(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- volume.c ---- */

/* @args with the file behind them. */
const Shape *with_file(const Shape *args);
int run_volume_stream(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- help.c, man.c, complete.c ---- */

void help_overview(void);
void help_family(const char *family);
void help_verb(const Op *op);
/* Lists the verbs "@group SOMETHING"; FALSE where there are none. */
gboolean help_group(const char *group);
/* Their names, owned by the caller; NULL where there are none. */
char *help_verbs_below(const char *group);
int run_help(Cli *cli, const Op *op, const char *target, gpointer args);
int run_man(Cli *cli, const Op *op, const char *target, gpointer args);
int run_completion(Cli *cli, const Op *op, const char *target, gpointer args);
int run_complete(Cli *cli, const Op *op, const char *target, gpointer args);
extern const Shape help_args, completion_args, complete_args;

/* ---- console.c, edit.c, screenshot.c, special.c: verbs that run here, or do more here than show ---- */

int run_console(Cli *cli, const Op *op, const char *target, gpointer args);
int run_stream(Cli *cli, const Op *op, const char *target, gpointer args);
int run_blkinfo(Cli *cli, const Op *op, const char *target, gpointer args);
int run_check(Cli *cli, const Op *op, const char *target, gpointer args);
const Shape *guest_list_words(const Shape *args);
int run_guest_list(Cli *cli, const Op *op, const char *target, gpointer args);
int run_list(Cli *cli, const Op *op, const char *target, gpointer args);
/* Whether the argument @name of @op is said. */
gboolean cli_flag(const Op *op, gconstpointer args, const char *name);
/* nodedev.c */
int run_nodedev_list(Cli *cli, const Op *op, const char *target, gpointer args);
int run_then_console(Cli *cli, const Op *op, const char *target, gpointer args);
const Shape *with_console(const Shape *args);
/* Attaches this terminal to the console of @target. */
int console_attach(Cli *cli, const char *target);
extern const Shape console_args, screenshot_args;
/* @text after an editor had it, without the line end behind; the caller frees it. NULL on failure. */
char *cli_edit_text(const char *text, GError **error);
extern const Shape save_image_edit_args, managed_edit_args, edit_args;
int run_edit(Cli *cli, const Op *op, const char *target, gpointer args);
int run_screenshot(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- image.c ---- */

int run_image(const Cli *cli, const Op *op, int argc, char *const *argv);
/* Runs a command line of qemu-img's, program name first; returns the exit code. */
int qemu_img_main(int argc, char *const *argv);

/* ---- secret.c ---- */

int run_secret_set(Cli *cli, const Op *op, const char *target, gpointer args);
int run_secret_get(Cli *cli, const Op *op, const char *target, gpointer args);
/* Their words, which are more than the daemon's. */
const Shape *secret_set_words(const Shape *args);
const Shape *secret_get_words(const Shape *args);

/* ---- ssh_helper.c ---- */

/* Runs a command line of virt-ssh-helper's, program name first; returns the exit code. */
int ssh_helper_main(int argc, char *const *argv);

/* ---- top.c ---- */

extern const Shape top_args;
int run_top(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- notes.c ---- */

/* A shape of @args and @rows behind them; lives for ever. Each new member is a flag, a text, a list or
 * an OptUint. */
const Shape *cli_more_args(const Shape *args, const Row *rows, guint n);
const Shape *desc_words(const Shape *args);
const Shape *metadata_words(const Shape *args);
const Shape *setlink_words(const Shape *args);
int run_setlink(Cli *cli, const Op *op, const char *target, gpointer args);
const Shape *vcpucount_words(const Shape *args);
const Shape *setvcpus_words(const Shape *args);
int run_setvcpus(Cli *cli, const Op *op, const char *target, gpointer args);
const Shape *xml_words(const Shape *args);
int run_desc(Cli *cli, const Op *op, const char *target, gpointer args);
int run_metadata(Cli *cli, const Op *op, const char *target, gpointer args);
int run_vcpucount(Cli *cli, const Op *op, const char *target, gpointer args);
int run_dumpxml(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- monitor.c ---- */

const Shape *monitor_words(const Shape *args);
int run_monitor(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- cpus.c: processors, in virsh's variants ---- */

const Shape *pretty_words(const Shape *args);
const Shape *percent_words(const Shape *args);
int run_vcpuinfo(Cli *cli, const Op *op, const char *target, gpointer args);
int run_cpumap(Cli *cli, const Op *op, const char *target, gpointer args);
int run_cpustats(Cli *cli, const Op *op, const char *target, gpointer args);

/* ---- virsh.c, virsh_shell.c, virsh_help.c: the command under the name virsh ---- */

typedef struct Virsh {
	char *uri, *root;
	gboolean read_only, timing;
	gboolean shell; /* lines come one after another */
} Virsh;

/* Prints "error: .." and returns 1. */
int virsh_refuse(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Takes the daemon that @uri means; FALSE where there can be none. */
gboolean virsh_take_uri(Virsh *virsh, const char *uri);
/* Runs one command, its name first; returns the exit code. */
int virsh_command(Virsh *virsh, int argc, char *const *argv);
/* Runs commands with ';' between them; the last tells the exit code. *@leave: one was quit. */
int virsh_line(Virsh *virsh, const char *line, gboolean *leave);
/* Runs lines of standard input, with editing on a terminal where libedit is installed. */
int virsh_shell(Virsh *virsh);
/* Commands of virsh itself (cd, echo, connect, ..): TRUE with *@code where @argv is one. */
gboolean virsh_own_command(Virsh *virsh, int argc, char *const *argv, int *code);
/* virsh's help: all commands, or those of a family. FALSE where there is no @keyword. */
gboolean virsh_help(const char *keyword);
void virsh_help_verb(const Op *op);

/* Runs a command line of virsh's, program name first; returns the exit code. */
int virsh_main(int argc, char *const *argv);
/* Prints @error in virsh's form; returns 1. */
int virsh_failed(const GError *error);
/* Whether the guest that the command names is not there. */
gboolean virsh_lacks_guest(const GError *error);
/* The command that runs, for what is said of it. */
typedef struct VirshRunning {
	const Op *op; /* NULL: none */
	const char *target, *word; /* word: the last that is no option; a file, mostly */
	gconstpointer args;
} VirshRunning;
extern VirshRunning virsh_running;
int run_hostname(Cli *cli, const Op *op, const char *target, gpointer args);
const Shape *memstat_words(const Shape *args);
int run_memstat(Cli *cli, const Op *op, const char *target, gpointer args);
const Shape *version_words(const Shape *args);
int run_version(Cli *cli, const Op *op, const char *target, gpointer args);
int run_uri(Cli *cli, const Op *op, const char *target, gpointer args);

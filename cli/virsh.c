/* The command under the name `virsh` (a link, which a person makes): virsh's own options, several
 * commands in one go, and what differs from Lodge's own texts, so that scripts that parse virsh's go on
 * working. The verbs are the same. Neighbours: main.c comes here by the program's name; show.c and
 * call.c ask cli_style how to print. */
#include "cli/internal.h"
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPEAKS "9.0.0" /* the libvirt whose virsh this is like */

CliStyle cli_style;

/* ---- texts that differ ---- */

static const char *word_of(json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

static gint64 number_of(json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static gboolean has_managed_save(Cli *cli, const char *target)
{
	g_auto(Reply) reply = { 0 };
	const Op *op = op_find("managedsave-exists");
	const char *name;
	json_t *value;
	if (!op || !cli_call(cli, op, target, NULL, &reply, NULL))
		return FALSE;
	json_object_foreach (reply.json, name, value)
		if (json_is_true(value))
			return TRUE;
	return FALSE;
}

static void show_dominfo(Cli *cli, const char *target, json_t *info)
{
	if (json_object_get(info, "id"))
		printf("%-15s %" G_GINT64_FORMAT "\n", "Id:", number_of(info, "id"));
	else
		printf("%-15s %s\n", "Id:", "-");
	printf("%-15s %s\n", "Name:", word_of(info, "name"));
	printf("%-15s %s\n", "UUID:", word_of(info, "uuid"));
	printf("%-15s %s\n", "OS Type:", word_of(info, "os_type"));
	printf("%-15s %s\n", "State:", word_of(info, "state"));
	printf("%-15s %" G_GINT64_FORMAT "\n", "CPU(s):", number_of(info, "vcpus"));
	if (number_of(info, "cpu_time") > 0)
		printf("%-15s %.1lfs\n", "CPU time:", (double)number_of(info, "cpu_time") / 1e9);
	printf("%-15s %" G_GINT64_FORMAT " KiB\n", "Max memory:", number_of(info, "max_memory") / 1024);
	printf("%-15s %" G_GINT64_FORMAT " KiB\n", "Used memory:", number_of(info, "memory") / 1024);
	printf("%-15s %s\n", "Persistent:", json_is_true(json_object_get(info, "persistent")) ? "yes" : "no");
	printf("%-15s %s\n", "Autostart:",
	       json_is_true(json_object_get(info, "autostart")) ? "enable" : "disable");
	printf("%-15s %s\n", "Managed save:", has_managed_save(cli, target) ? "yes" : "no");
}

static void show_nodeinfo(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const char *target, json_t *node)
{
	static const struct { const char *label, *member; } lines[] = {
		{ "CPU(s):", "cpus" },		    { "CPU frequency:", "mhz" },
		{ "CPU socket(s):", "sockets" },    { "Core(s) per socket:", "cores" },
		{ "Thread(s) per core:", "threads" }, { "NUMA cell(s):", "nodes" },
	};
	printf("%-20s %s\n", "CPU model:", word_of(node, "arch"));
	for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
		printf("%-20s %" G_GINT64_FORMAT "%s\n", lines[i].label, number_of(node, lines[i].member),
		       g_str_equal(lines[i].member, "mhz") ? " MHz" : "");
	printf("%-20s %" G_GINT64_FORMAT " KiB\n", "Memory size:", number_of(node, "memory") / 1024);
}

static const Row version_rows[] = {
	{ .kind = ROW_FLAG, .name = "daemon", .doc = "also the daemon's, where virsh tells of the library" },
};

const Shape *version_words(const Shape *args)
{
	return cli_more_args(args, version_rows, G_N_ELEMENTS(version_rows));
}

static void show_version(Cli *cli)
{
	g_auto(Reply) reply = { 0 };
	const Op *op = op_find("host engine");
	puts("Compiled against library: libvirt " SPEAKS "\nUsing library: libvirt " SPEAKS
	     "\nUsing API: QEMU " SPEAKS);
	if (!op || !cli_call(cli, op, NULL, NULL, &reply, NULL))
		return;
	gint64 v = number_of(reply.json, "version");
	printf("Running hypervisor: QEMU %d.%d.%d\n", (int)(v / 1000000), (int)(v / 1000 % 1000),
	       (int)(v % 1000));
}

int run_version(Cli *cli, const Op *own, const char *target, gpointer args)
{
	if (!cli_style.virsh)
		return cli_call_and_show(cli, op_find(own->name), target, args);
	show_version(cli);
	if (cli_flag(own, args, "daemon"))
		puts("Running against daemon: " SPEAKS);
	return 0;
}

/* ---- dommemstat ---- */

static const Row memstat_rows[] = {
	{ .kind = ROW_UINT, .name = "period", .max = G_MAXINT32,
	  .doc = "instead: the seconds after which it tells again what it uses; 0: never" },
	{ .kind = ROW_FLAG, .name = "config", .doc = "the period of what the next start will use" },
	{ .kind = ROW_FLAG, .name = "live", .doc = "the period of what runs" },
};

const Shape *memstat_words(const Shape *args)
{
	return cli_more_args(args, memstat_rows, G_N_ELEMENTS(memstat_rows));
}

static void print_memstat(json_t *result)
{
	/* in the order in which libvirt has them, in KiB or as counts */
	static const struct { const char *name; gint64 unit; } values[] = {
		{ "actual", 1024 },	{ "swap_in", 1024 },  { "swap_out", 1024 }, { "major_fault", 1 },
		{ "minor_fault", 1 },	{ "unused", 1024 },   { "available", 1024 }, { "usable", 1024 },
		{ "last_update", 1 },	{ "disk_caches", 1024 }, { "hugetlb_pgalloc", 1 },
		{ "hugetlb_pgfail", 1 }, { "rss", 1024 },
	};
	for (guint i = 0; i < G_N_ELEMENTS(values); i++)
		if (json_object_get(result, values[i].name))
			printf("%s %" G_GINT64_FORMAT "\n", values[i].name,
			       number_of(result, values[i].name) / values[i].unit);
}

static int change_period(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find("memstat-period");
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	gpointer passed = cli_pass_args(own, args, op);
	gboolean ok = cli_call(cli, op, target, passed, &reply, &error);
	shape_free(op->args, passed);
	if (ok)
		return 0;
	if (cli_style.virsh && !virsh_lacks_guest(error)) {
		virsh_refuse("Unable to change balloon collection period.");
		virsh_running.op = NULL; /* it was not the statistics that failed */
	}
	return cli_failed(error);
}

int run_memstat(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (cli_flag(own, args, "period"))
		return change_period(cli, own, target, args);
	if (cli->json || !cli_style.virsh)
		return cli_call_and_show(cli, op, target, args);
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	print_memstat(reply.json);
	return 0;
}

static void show_memstats(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const char *target, json_t *result)
{
	static const char *const names[] = { "total", "free", "buffers", "cached" };
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (i < 2 || number_of(result, names[i]) > 0) /* a cell has no others */
			printf("%-7s: %20" G_GINT64_FORMAT " KiB\n", names[i],
			       number_of(result, names[i]) / 1024);
}

/* One address ends with the command's own line end, several have one each. */
static void show_display(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const char *target, json_t *result)
{
	const char *text = word_of(result, "text");
	const char *end = strchr(text, '\n');
	printf("%.*s", (int)(end && !end[1] ? (size_t)(end - text) : strlen(text)), text);
}

/* A blank line stands between guests; the last is the command's own. */
static void show_stats(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const char *target, json_t *result)
{
	const char *text = word_of(result, "text");
	size_t n = strlen(text);
	printf("%.*s", (int)(g_str_has_suffix(text, "\n\n") ? n - 1 : n), text);
}

/* Columns of fixed width, the rule as wide as virsh's. */
static void show_addresses(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const char *target, json_t *result)
{
	json_t *addresses = json_object_get(result, "addresses"), *one;
	size_t i;
	printf(" %-10s %-20s %-8s     %s\n%.79s\n", "Name", "MAC address", "Protocol", "Address",
	       "--------------------------------------------------------------------------------");
	json_array_foreach(addresses, i, one)
		printf(" %-10s %-17s    %-12s %s\n", word_of(one, "name"), word_of(one, "mac"),
		       word_of(one, "protocol"), word_of(one, "address"));
}

static void show_updated(G_GNUC_UNUSED Cli *cli, const char *target, json_t *result)
{
	printf("Updated network %s %s", target, word_of(result, "what"));
}

/* Verbs whose result virsh shows in another form. */
static const struct {
	const char *verb;
	void (*show)(Cli *cli, const char *target, json_t *result);
} shows[] = {
	{ "info", show_dominfo },
	{ "host node", show_nodeinfo },
	{ "domdisplay", show_display },
	{ "domif-getlink", show_display },
	{ "iothreadinfo", show_display },
	{ "domstats", show_stats },
	{ "host memstats", show_memstats },
	{ "domifaddr", show_addresses },
	{ "net-update", show_updated },
};

static int show_otherwise(Cli *cli, const Op *op, const char *target, gpointer args, gboolean *done)
{
	for (guint i = 0; i < G_N_ELEMENTS(shows); i++) {
		if (!g_str_equal(shows[i].verb, op->name))
			continue;
		g_autoptr(GError) error = NULL;
		g_auto(Reply) reply = { 0 };
		*done = TRUE;
		if (!cli_call(cli, op, target, args, &reply, &error))
			return cli_failed(error);
		shows[i].show(cli, target, reply.json);
		return 0;
	}
	return 0;
}

static const char *given_uri; /* --connect's */

int run_uri(Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target,
	    G_GNUC_UNUSED gpointer args)
{
	if (given_uri)
		puts(given_uri);
	else if (cli->paths->root)
		printf("qemu+unix:///system?socket=%s/libvirt-sock\n", cli->paths->run);
	else
		printf("qemu:///%s\n", geteuid() == 0 ? "system" : "session");
	return 0;
}

int run_hostname(G_GNUC_UNUSED Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target,
		 G_GNUC_UNUSED gpointer args)
{
	puts(g_get_host_name());
	return 0;
}

/* ---- verbs that do something else ---- */

static gboolean is_set(const Op *op, gconstpointer args, const char *name)
{
	for (guint i = 0; i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			return row_is_set(&op->args->rows[i], args);
	return FALSE;
}

static int remove_save(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (cli_call(cli, op, target, args, &reply, &error))
		show_result(op, target, args, reply.json);
	else if (lodge_error_detail(error) == LODGE_DETAIL_NO_SAVE)
		printf("Domain '%s' has no manage save image; removal skipped", target);
	else
		return cli_failed(error);
	return 0;
}

/* What a verb of that name does where virsh's does more or other than ours, unless one of its arguments
 * @unless is given. */
static const struct {
	const char *verb, *unless[4];
	int (*run)(Cli *cli, const Op *op, const char *target, gpointer args);
} others[] = {
	{ "managedsave-remove", { NULL }, remove_save },
};

/* ---- one command ---- */

/* Words that cannot be, in virsh's words; 0: none is seen here. */
static int check_words(const char *name, const Op *op, int argc, char *const *argv)
{
	const char *target = op_target(op->target)->argument;
	for (int i = 0; i < argc && !g_str_equal(argv[i], "--"); i++) {
		gsize n = strcspn(argv[i], "=");
		gboolean known = !g_str_has_prefix(argv[i], "--");
		if (target && n == strlen(target) + 2 && strncmp(argv[i] + 2, target, n - 2) == 0)
			known = TRUE;
		for (guint k = 0; !known && op->args && k < op->args->n; k++) {
			const Row *row = &op->args->rows[k];
			g_autofree char *own = shape_arg_name(row);
			const char *given = argv[i] + 2;
			if (row->kind == ROW_TRI && g_str_has_prefix(given, "no-"))
				given += 3;
			known = strlen(own) == strcspn(given, "=") && strncmp(own, given, strlen(own)) == 0;
		}
		if (!known)
			return virsh_refuse("command '%s' doesn't support option %s", name, argv[i]);
	}
	gboolean word = FALSE;
	for (int i = 0; i < argc; i++)
		word |= argv[i][0] != '-' || (target && g_str_has_prefix(argv[i] + 2, target));
	if (target && !word)
		return virsh_refuse("command '%s' requires <%s> option", name, target);
	return 0;
}

static int run_other(Cli *cli, const Op *op, const char *target, gpointer args, gboolean *done)
{
	for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
		gboolean wanted = g_str_equal(others[i].verb, op->name);
		for (guint k = 0; wanted && others[i].unless[k]; k++)
			wanted = !is_set(op, args, others[i].unless[k]);
		if (!wanted)
			continue;
		*done = TRUE;
		return others[i].run(cli, op, target, args);
	}
	return show_otherwise(cli, op, target, args, done);
}

static int run_read(Cli *cli, const Verb *verb, const char *target, gpointer args)
{
	gboolean done = FALSE;
	virsh_running.target = target;
	virsh_running.args = args;
	int code = run_other(cli, &verb->op, target, args, &done);
	if (!done && verb->run)
		code = verb->run(cli, &verb->op, target, args);
	else if (!done)
		code = cli_call_and_show(cli, &verb->op, target, args);
	virsh_running.target = NULL;
	virsh_running.args = NULL;
	return code != 0;
}

/* What stands behind the verb and is no option: a file, mostly. */
static const char *last_word(int argc, char *const *argv)
{
	for (int i = argc - 1; i >= 0; i--)
		if (argv[i][0] != '-')
			return argv[i];
	return NULL;
}

/* Whether the document that the command names cannot be read; errno tells why. */
static gboolean lacks_file(const Op *op, int argc, char *const *argv)
{
	gboolean wanted = FALSE;
	for (guint i = 0; op->args && i < op->args->n; i++)
		wanted |= op->args->rows[i].kind == ROW_XML &&
			  (op->args->rows[i].flags & ROW_POSITIONAL) != 0;
	for (int i = 0; wanted && i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		if (op->target == OP_ON_DAEMON && g_str_has_prefix(argv[i], "--domain"))
			return FALSE; /* a guest stands there instead */
		/* a document may stand there itself */
		if (*argv[i] == '<' || access(argv[i], R_OK) == 0 || (value && access(value + 1, R_OK) == 0))
			return FALSE;
	}
	return wanted && virsh_running.word && access(virsh_running.word, R_OK) < 0;
}

/* What virsh finds out before it speaks to anyone; 0: nothing. */
static int refuse_words(const Virsh *virsh, const Verb *verb, const char *name, int argc, char *const *argv)
{
	const Op *through = verb->through ? op_find(verb->through) : NULL;
	const Op *op = through ? through : &verb->op;
	if (verb->run != run_edit && lacks_file(&verb->op, argc, argv))
		return virsh_refuse("Failed to open file '%s': %s", virsh_running.word, g_strerror(errno));
	if (virsh->read_only && op->method && op->perm != OP_PERM_READ)
		return virsh_refuse("operation forbidden: read only access prevents %s", name);
	return 0;
}

/* What virsh means without a word: a document without <uuid> never means the guest of its name, and
 * statistics are of all guests. */
static void mean_as_virsh(const Op *op, gpointer args)
{
	static const struct { const char *verb, *argument; } meant[] = {
		{ NULL, "need_uuid" }, { "domstats", "all" },
	};
	gboolean some = cli_flag(op, args, "list_active") || cli_flag(op, args, "list_inactive") ||
			cli_flag(op, args, "inactive");
	for (guint i = 0; op->args && i < op->args->n; i++)
		for (guint k = 0; k < G_N_ELEMENTS(meant); k++)
			if (g_str_equal(op->args->rows[i].name, meant[k].argument) && !some &&
			    (!meant[k].verb || g_str_equal(meant[k].verb, op->name)))
				*(gboolean *)((char *)args + op->args->rows[i].offset) = TRUE;
}

static int run_found(Virsh *virsh, const Verb *verb, const char *name, int argc, char *const *argv)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *target = NULL;
	gpointer args = NULL;
	for (int i = 0; i < argc && !g_str_equal(argv[i], "--"); i++)
		if (g_str_equal(argv[i], "--help")) {
			virsh_help_verb(&verb->op);
			return 0;
		}
	g_auto(GStrv) same = cli_same_words(&verb->op, argc, argv);
	int code = check_words(name, &verb->op, (int)g_strv_length(same), same);
	if (code != 0)
		return code;
	virsh_running.op = &verb->op;
	virsh_running.word = last_word(argc, argv);
	gboolean dumps = g_str_equal(verb->op.name, "dump") || g_str_has_suffix(verb->op.name, "save");
	cli_style.before = dumps ? "\n" : NULL;
	given_uri = virsh->uri;
	code = refuse_words(virsh, verb, name, argc, argv);
	if (code == 0 && !cli_read_words(&verb->op, argc, argv, &target, &args, &error))
		return virsh_refuse("%s", error->message);
	if (code == 0) {
		Cli cli = { .paths = paths_new(virsh->root) };
		mean_as_virsh(&verb->op, args);
		code = run_read(&cli, verb, target, args);
		paths_free(cli.paths);
	}
	cli_args_free(&verb->op, args);
	if (!cli_style.quiet && !virsh->timing)
		putchar('\n');
	virsh_running.op = NULL;
	fflush(stdout);
	return code;
}

int virsh_command(Virsh *virsh, int argc, char *const *argv)
{
	int words;
	gint64 begin = g_get_monotonic_time();
	int code;
	if (virsh_own_command(virsh, argc, argv, &code))
		return code;
	const Verb *verb = cli_find_verb(argc, argv, &words);
	if (!verb)
		return virsh_refuse("unknown command: '%s'", argv[0]);
	code = run_found(virsh, verb, argv[0], argc - words, argv + words);
	if (virsh->timing)
		printf("\n(Time: %.3f ms)\n\n", (double)(g_get_monotonic_time() - begin) / 1000);
	return code;
}

/* ---- options ---- */

/* The daemon that @uri means: that of a socket below a root, or the user's own. */
gboolean virsh_take_uri(Virsh *virsh, const char *uri)
{
	static const char *const ends[] = { "/run/libvirt-sock", "/run/libvirt-sock-ro" };
	g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
	const char *scheme = parsed ? g_uri_get_scheme(parsed) : "";
	const char *path = parsed ? g_uri_get_path(parsed) : "";
	const char *host = parsed ? g_uri_get_host(parsed) : NULL;
	gboolean known = (g_str_equal(scheme, "qemu") || g_str_equal(scheme, "qemu+unix")) &&
			 (g_str_equal(path, "/system") || g_str_equal(path, "/session")) &&
			 (!host || !*host);
	const char *query = known ? g_uri_get_query(parsed) : NULL;
	g_autoptr(GHashTable) params = query ? g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL) :
					       NULL;
	const char *socket = params ? g_hash_table_lookup(params, "socket") : NULL;
	g_free(virsh->uri);
	virsh->uri = g_strdup(uri);
	if (!known)
		return FALSE;
	for (guint i = 0; socket && i < G_N_ELEMENTS(ends); i++)
		if (g_str_has_suffix(socket, ends[i])) {
			g_free(virsh->root);
			virsh->root = g_strndup(socket, strlen(socket) - strlen(ends[i]));
			virsh->read_only |= i == 1;
			return TRUE;
		}
	return !socket || g_str_equal(socket, "/run/libvirt/libvirt-sock") ||
	       g_str_equal(socket, "/var/run/libvirt/libvirt-sock");
}

static void show_help(void)
{
	puts("\nvirsh [options]... [<command_string>]\nvirsh [options]... <command> [args...]\n\n"
	     "  options:\n"
	     "    -c | --connect=URI      the daemon: qemu:///system, or qemu+unix with a socket\n"
	     "    -d | --debug=NUM        taken and without effect\n"
	     "    -h | --help             this help\n"
	     "    -l | --log=FILE         taken and without effect\n"
	     "    -q | --quiet            only what was asked for\n"
	     "    -r | --readonly         refuse what changes something\n"
	     "    -t | --timing           say how long each command took\n"
	     "    -v | --version          the version of virsh that this is like\n\n"
	     "This is lodge " LODGE_VERSION " under virsh's name; virsh help lists its commands.");
}

enum { OPTION_CONNECT = 1, OPTION_IGNORED, OPTION_HELP, OPTION_QUIET, OPTION_READ_ONLY, OPTION_TIMING,
       OPTION_VERSION };

static const struct {
	char letter;
	const char *word;
	gboolean has_value;
	int what;
} options[] = {
	{ 'c', "connect", TRUE, OPTION_CONNECT },   { 'd', "debug", TRUE, OPTION_IGNORED },
	{ 'l', "log", TRUE, OPTION_IGNORED },	    { 'h', "help", FALSE, OPTION_HELP },
	{ 'q', "quiet", FALSE, OPTION_QUIET },	    { 'r', "readonly", FALSE, OPTION_READ_ONLY },
	{ 't', "timing", FALSE, OPTION_TIMING },    { 'v', "version", FALSE, OPTION_VERSION },
	{ 'V', "version=long", FALSE, OPTION_VERSION }, { 'e', "escape", TRUE, OPTION_IGNORED },
	{ 'k', "keepalive-interval", TRUE, OPTION_IGNORED },
	{ 'K', "keepalive-count", TRUE, OPTION_IGNORED },
};

/* The option @word, and its value where that stands in the same word; -1: none. */
static int option_of(const char *word, const char **value)
{
	*value = NULL;
	for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
		size_t n = strlen(options[i].word);
		if (word[1] == options[i].letter) {
			*value = word[2] ? word + 2 : NULL;
			return (int)i;
		}
		if (word[1] == '-' && strncmp(word + 2, options[i].word, n) == 0 &&
		    (word[2 + n] == '\0' || (word[2 + n] == '=' && options[i].has_value))) {
			*value = word[2 + n] ? word + 3 + n : NULL;
			return (int)i;
		}
	}
	return -1;
}

/* TRUE: go on; otherwise *@code is the end. */
static gboolean take_option(Virsh *virsh, int what, const char *value, int *code)
{
	*code = 0;
	if (what == OPTION_CONNECT && !virsh_take_uri(virsh, value)) {
		*code = virsh_refuse("failed to connect to the hypervisor");
		virsh_refuse("no connection driver available for %s: there are qemu:///system, "
			     "qemu:///session and "
		       "qemu+unix with the socket of a Lodge", value);
		return FALSE;
	}
	cli_style.quiet |= what == OPTION_QUIET;
	virsh->read_only |= what == OPTION_READ_ONLY;
	virsh->timing |= what == OPTION_TIMING;
	if (what == OPTION_VERSION)
		puts(SPEAKS);
	if (what == OPTION_HELP)
		show_help();
	return what != OPTION_VERSION && what != OPTION_HELP;
}

/* Takes the options before the command and returns its index, or -1 with *@code. */
static int take_options(Virsh *virsh, int argc, char *const *argv, int *code)
{
	int i = 1;
	for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *value;
		int at = option_of(argv[i], &value);
		if (at >= 0 && options[at].has_value && !value && i + 1 < argc)
			value = argv[++i];
		if (at < 0 || (options[at].has_value && !value)) {
			*code = virsh_refuse("unsupported option '%s'. See --help.", argv[i]);
			return -1;
		}
		if (!take_option(virsh, options[at].what, value, code))
			return -1;
	}
	return i;
}

int virsh_main(int argc, char *const *argv)
{
	Virsh virsh = { .root = g_strdup(g_getenv("LODGE_ROOT")) };
	const char *uri = g_getenv("VIRSH_DEFAULT_CONNECT_URI");
	gboolean leave = FALSE;
	int code = 0;
	cli_style.virsh = TRUE;
	uri = uri && *uri ? uri : g_getenv("LIBVIRT_DEFAULT_URI");
	gboolean ok = !uri || !*uri || take_option(&virsh, OPTION_CONNECT, uri, &code);
	int at = ok ? take_options(&virsh, argc, argv, &code) : -1;
	if (at >= argc)
		code = virsh_shell(&virsh);
	else if (at > 0 && at + 1 == argc)
		code = virsh_line(&virsh, argv[at], &leave);
	else if (at > 0)
		code = virsh_command(&virsh, argc - at, argv + at);
	g_free(virsh.uri);
	g_free(virsh.root);
	return code;
}

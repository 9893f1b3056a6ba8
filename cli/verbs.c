/* Every verb of the command: the daemon's, from their rows, and those that run here. */
#include "cli/internal.h"

#include <string.h>

typedef struct DaemonWords {
	ShapeHead head;
	char *root;
	gboolean detach;
} DaemonWords;

static const Row daemon_rows[] = {
	STRING(DaemonWords, root, NULL, .doc = "keep everything below this folder"),
	FLAG(DaemonWords, detach, NULL, .doc = "return when the daemon answers, and leave it running"),
};
static const Shape daemon_words = SHAPE("daemon-words", DaemonWords, daemon_rows);

/* Verbs of the command itself. `daemon` stands here for its help alone: main() has taken it. */
static const Verb own[] = {
	{ .op = { .name = "console", .family = "Guests", .target = OP_ON_GUEST, .args = &console_args,
		  .doc = "Connect to a guest's serial console; Ctrl-] leaves it" },
	  .through = "console", .run = run_console },
	{ .op = { .name = "screenshot", .family = "Guests", .target = OP_ON_GUEST,
		  .args = &screenshot_args, .doc = "Save what a guest's screen shows" },
	  .through = "screenshot", .run = run_screenshot },
	{ .op = { .name = "edit", .family = "Guests", .target = OP_ON_GUEST, .args = &edit_args,
		  .doc = "Change a guest's definition in an editor" },
	  .through = "define", .run = run_edit },
	{ .op = { .name = "save-image-edit", .family = "Guests", .args = &save_image_edit_args,
		  .doc = "Change the definition in a saved guest's file in an editor" },
	  .through = "save-image-define", .run = run_edit },
	{ .op = { .name = "managedsave-edit", .family = "Guests", .target = OP_ON_GUEST,
		  .args = &managed_edit_args,
		  .doc = "Change the definition in a managed save in an editor" },
	  .through = "managedsave-define", .run = run_edit },
	{ .op = { .name = "event", .family = "Guests", .args = &guest_event_args,
		  .doc = "Wait for events of guests, and show them" },
	  .through = "events", .run = run_guest_event },
	{ .op = { .name = "qemu-monitor-event", .family = "Guests", .args = &monitor_event_args,
		  .doc = "Wait for events of a guest's QEMU itself, and show them" },
	  .through = "events", .run = run_monitor_event },
	{ .op = { .name = "pool-edit", .family = "Storage pools", .target = OP_ON_POOL,
		  .doc = "Change a storage pool's definition in an editor" },
	  .through = "pool-define", .run = run_edit },
	{ .op = { .name = "pool-event", .family = "Storage pools", .args = &pool_event_args,
		  .doc = "Wait for events of storage pools, and show them" },
	  .through = "events", .run = run_object_event },
	{ .op = { .name = "secret-event", .family = "Secrets", .args = &secret_event_args,
		  .doc = "Wait for events of secrets, and show them" },
	  .through = "events", .run = run_object_event },
	{ .op = { .name = "nodedev-event", .family = "Node devices", .args = &nodedev_event_args,
		  .doc = "Wait for events of this host's devices, and show them" },
	  .through = "events", .run = run_object_event },
	{ .op = { .name = "iface-edit", .family = "Interfaces", .target = OP_ON_INTERFACE,
		  .doc = "Change the definition of an interface of this host in an editor" },
	  .through = "iface-define", .run = run_edit },
	{ .op = { .name = "nwfilter-edit", .family = "Network filters", .target = OP_ON_NWFILTER,
		  .doc = "Change a network filter in an editor" },
	  .through = "nwfilter-define", .run = run_edit },
	{ .op = { .name = "net-edit", .family = "Networks", .target = OP_ON_NETWORK,
		  .doc = "Change a network's definition in an editor" },
	  .through = "net-define", .run = run_edit },
	{ .op = { .name = "net-event", .family = "Networks", .args = &net_event_args,
		  .doc = "Wait for events of networks, and show them" },
	  .through = "events", .run = run_object_event },
	{ .op = { .name = "image create", .family = "Images",
		  .doc = "Make a disk image" },
	  .run_words = run_image },
	{ .op = { .name = "image info", .family = "Images",
		  .doc = "Show what a disk image is" },
	  .run_words = run_image },
	{ .op = { .name = "image convert", .family = "Images",
		  .doc = "Copy a disk image into another format" },
	  .run_words = run_image },
	{ .op = { .name = "image resize", .family = "Images",
		  .doc = "Change the size of a disk image" },
	  .run_words = run_image },
	{ .op = { .name = "image rebase", .family = "Images",
		  .doc = "Change what a disk image is based on" },
	  .run_words = run_image },
	{ .op = { .name = "image commit", .family = "Images",
		  .doc = "Write a disk image's changes into what it is based on" },
	  .run_words = run_image },
	{ .op = { .name = "image check", .family = "Images",
		  .doc = "Look for damage in a disk image, and repair it" },
	  .run_words = run_image },
	{ .op = { .name = "image compare", .family = "Images",
		  .doc = "Tell whether two disk images hold the same" },
	  .run_words = run_image },
	{ .op = { .name = "image snapshot", .family = "Images",
		  .doc = "List, make, apply or delete snapshots within a disk image" },
	  .run_words = run_image },
	{ .op = { .name = "image measure", .family = "Images",
		  .doc = "Tell how large a disk image would become" },
	  .run_words = run_image },
	{ .op = { .name = "image map", .family = "Images",
		  .doc = "Show which parts of a disk image hold data, and where" },
	  .run_words = run_image },
	{ .op = { .name = "image amend", .family = "Images",
		  .doc = "Change options of a disk image's format" },
	  .run_words = run_image },
	{ .op = { .name = "image bitmap", .family = "Images",
		  .doc = "Change the bitmaps of changed blocks in a disk image" },
	  .run_words = run_image },
	{ .op = { .name = "daemon", .family = "Command", .args = &daemon_words,
		  .doc = "Run the daemon; also called lodged" } },
	{ .op = { .name = "help", .family = "Command", .args = &help_args, .doc = "Show help" },
	  .run = run_help },
	{ .op = { .name = "completion", .family = "Command", .args = &completion_args,
		  .doc = "Print a shell's completion script" },
	  .run = run_completion },
	{ .op = { .name = "complete", .args = &complete_args,
		  .doc = "Print what may stand next on a command line" },
	  .run = run_complete },
	{ .op = { .name = "top", .family = "Guests", .args = &top_args,
		  .doc = "Show again and again what running guests use" },
	  .through = "domstats", .run = run_top },
	{ .op = { .name = "hostname", .family = "Host", .doc = "Print this host's name" },
	  .run = run_hostname },
	{ .op = { .name = "uri", .family = "Host", .doc = "Print the URI for libvirt's clients" },
	  .run = run_uri },
	{ .op = { .name = "man", .family = "Command", .doc = "Print the manual page (roff)" },
	  .run = run_man },
};

/* Verbs of the daemon whose result needs more than its row says. */
static const struct {
	const char *name;
	int (*run)(Cli *cli, const Op *op, const char *target, gpointer args);
} special[] = {
	{ "events", run_stream },
	{ "list", run_guest_list },
	{ "pool-list", run_list },
	{ "vol-upload", run_volume_stream },
	{ "vol-download", run_volume_stream },
	{ "net-list", run_list },
	{ "nodedev-list", run_nodedev_list },
	{ "net-port-list", run_list },
	{ "net-check", run_check },
	{ "domblkinfo", run_blkinfo },
	{ "host check", run_check },
	{ "start", run_then_console },
	{ "create", run_then_console },
	{ "run", run_then_console },
	{ "desc", run_desc },
	{ "metadata", run_metadata },
	{ "vcpucount", run_vcpucount },
	{ "setvcpus", run_setvcpus },
	{ "domif-setlink", run_setlink },
	{ "qemu-monitor-command", run_monitor },
	{ "dumpxml", run_dumpxml },
	{ "dommemstat", run_memstat },
	{ "vcpuinfo", run_vcpuinfo },
	{ "host cpumap", run_cpumap },
	{ "host cpustats", run_cpustats },
	{ "version", run_version },
	{ "secret-set-value", run_secret_set },
	{ "secret-get-value", run_secret_get },
};

/* Words of the command line beside those of the row. */
static const struct {
	int (*run)(Cli *cli, const Op *op, const char *target, gpointer args);
	const Shape *(*words)(const Shape *args);
} words_beside[] = {
	{ run_secret_set, secret_set_words }, { run_secret_get, secret_get_words },
	{ run_then_console, with_console }, { run_volume_stream, with_file }, { run_desc, desc_words },
	{ run_guest_list, guest_list_words },
	{ run_metadata, metadata_words },   { run_dumpxml, xml_words }, { run_vcpuinfo, pretty_words },
	{ run_cpumap, pretty_words }, { run_cpustats, percent_words }, { run_version, version_words },
	{ run_vcpucount, vcpucount_words }, { run_setvcpus, setvcpus_words }, { run_memstat, memstat_words },
	{ run_monitor, monitor_words },	    { run_setlink, setlink_words },
};

/* What the command makes of a verb of the daemon: its own verb of that name, or the row with the
 * function that shows it. */
static const Verb *verb_of(const Op *op)
{
	for (guint i = 0; i < G_N_ELEMENTS(own); i++)
		if (g_str_equal(own[i].op.name, op->name))
			return &own[i];
	Verb *verb = g_new0(Verb, 1);
	verb->op = *op;
	for (guint i = 0; i < G_N_ELEMENTS(special); i++)
		if (g_str_equal(special[i].name, op->name))
			verb->run = special[i].run;
	if (g_str_has_suffix(op->name, "-dumpxml"))
		verb->run = run_dumpxml;
	for (guint i = 0; i < G_N_ELEMENTS(words_beside); i++)
		if (verb->run == words_beside[i].run)
			verb->op.args = words_beside[i].words(op->args);
	return verb;
}

const Verb *const *cli_verbs(guint *n)
{
	static GPtrArray *all;
	guint count;
	const Op *const *ops = op_table(&count);
	if (!all) {
		all = g_ptr_array_new();
		for (guint i = 0; i < count; i++)
			g_ptr_array_add(all, (gpointer)verb_of(ops[i]));
		for (guint i = 0; i < G_N_ELEMENTS(own); i++)
			if (!g_ptr_array_find(all, &own[i], NULL) &&
			    (!own[i].through || op_find(own[i].through)))
				g_ptr_array_add(all, (gpointer)&own[i]);
	}
	*n = all->len;
	return (const Verb *const *)all->pdata;
}

/* Whether @word and, for a name of two words, @next are @name, or @word is it with a dash. */
static gboolean is_name(const char *name, const char *word, const char *next, int *words)
{
	const char *blank = name ? strchr(name, ' ') : NULL;
	*words = 1;
	if (!name || !blank)
		return name && g_str_equal(name, word);
	size_t first = (size_t)(blank - name);
	if (strncmp(name, word, first) != 0)
		return FALSE;
	if (word[first] == '-')
		return g_str_equal(blank + 1, word + first + 1);
	*words = 2;
	return word[first] == '\0' && next && g_str_equal(blank + 1, next);
}

const Verb *cli_find_verb(int argc, char *const *argv, int *words)
{
	guint n;
	const Verb *const *all = cli_verbs(&n);
	for (guint i = 0; i < n && argc > 0; i++) {
		const char *next = argc > 1 ? argv[1] : NULL;
		if (is_name(all[i]->op.name, argv[0], next, words) ||
		    is_name(all[i]->op.alias, argv[0], next, words))
			return all[i];
	}
	return NULL;
}

/* Levenshtein's distance of short words. */
static guint distance(const char *a, const char *b)
{
	guint row[64];
	size_t la = strlen(a), lb = strlen(b);
	if (la >= G_N_ELEMENTS(row) || lb >= G_N_ELEMENTS(row))
		return G_MAXUINT;
	for (guint i = 0; i <= lb; i++)
		row[i] = i;
	for (guint i = 1; i <= la; i++) {
		guint diagonal = row[0];
		row[0] = i;
		for (guint k = 1; k <= lb; k++) {
			guint change = diagonal + (a[i - 1] != b[k - 1]);
			diagonal = row[k];
			row[k] = MIN(change, MIN(row[k], row[k - 1]) + 1);
		}
	}
	return row[lb];
}

const char *cli_nearest_verb(const char *name)
{
	guint n, best = 3; /* more than two changes are another word */
	const char *nearest = NULL;
	const Verb *const *all = cli_verbs(&n);
	for (guint i = 0; i < n; i++) {
		const char *const names[] = { all[i]->op.name, all[i]->op.alias };
		for (guint k = 0; k < 2 && all[i]->op.family; k++) {
			guint d = names[k] ? distance(name, names[k]) : best;
			if (d < best) {
				best = d;
				nearest = names[k];
			}
		}
	}
	return nearest;
}

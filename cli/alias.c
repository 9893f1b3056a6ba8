/* Words of virsh's options that are other words here: `save vm1 --file f` is `save vm1 --path f`. A line of
 * the table counts for verbs that have no option of that name themselves. Neighbours: words.c reads what
 * comes out; virsh.c, too, before it looks for options that do not exist. */
#include "cli/internal.h"

#include <string.h>

static const struct {
	const char *verb; /* NULL: any */
	const char *word;
	const char *ours; /* NULL: is what happens anyway */
	gboolean always;  /* also where the verb has an option of that name */
} same[] = {
	/* where neither is said, what runs is changed, or the definition where nothing runs */
	{ NULL, "current", NULL },
	{ "desc", "new-desc", "text" },
	{ "send-key", "keycode", "keys" },
	{ "qemu-monitor-command", "cmd", "command" },
	{ "domxml-to-native", "xml", "file" },
	{ "save", "file", "path", TRUE },
	{ "save", "xml", "file" },
	{ "managedsave", "xml", "file" },
	{ "save-image-define", "file", "path", TRUE },
	{ "save-image-define", "xml", "file" },
	{ "managedsave-define", "xml", "file" },
	{ "save-image-edit", "file", "path" },
	{ "restore", "file", "path", TRUE },
	{ "restore", "xml", "file" },
	{ "save-image-dumpxml", "file", "path" },
	{ "net-update", "xml", "file" },
	{ "domifstat", "interface", "device" },
	{ "metadata", "set", "text" },
	{ "cpu-stats", "total", NULL },
	/* progress is shown wherever a terminal is */
	{ "save", "verbose", NULL },
	{ "managedsave", "verbose", NULL },
	/* of guests that have neither */
	{ "undefine", "snapshots-metadata", NULL },
	{ "undefine", "checkpoints-metadata", NULL },
	{ "undefine", "delete-storage-volume-snapshots", NULL },
	{ "list", "without-snapshot", NULL },
	{ "list", "without-checkpoint", NULL },
	{ "find-storage-pool-sources", "srcSpec", "file" },
	{ "help", "command", "topic" },
};

static gboolean has_option(const Op *op, const char *word, size_t length)
{
	for (guint i = 0; op->args && i < op->args->n; i++) {
		g_autofree char *name = shape_arg_name(&op->args->rows[i]);
		if (strlen(name) == length && strncmp(name, word, length) == 0)
			return TRUE;
	}
	return FALSE;
}

/* The line for @word of that length, or -1. */
static int find(const Op *op, const char *word, size_t length)
{
	for (guint i = 0; i < G_N_ELEMENTS(same); i++)
		if (strlen(same[i].word) == length && strncmp(same[i].word, word, length) == 0 &&
		    (!same[i].verb || !g_strcmp0(same[i].verb, op->name) ||
		     !g_strcmp0(same[i].verb, op->alias)))
			return (int)i;
	return -1;
}

char **cli_same_words(const Op *op, int argc, char *const *argv)
{
	GPtrArray *words = g_ptr_array_new();
	gboolean options = TRUE;
	for (int i = 0; i < argc; i++) {
		const char *name = argv[i] + 2;
		size_t length = strcspn(argv[i], "=") - 2;
		options = options && !g_str_equal(argv[i], "--");
		int at = -1;
		if (options && g_str_has_prefix(argv[i], "--"))
			at = find(op, name, length);
		if (at >= 0 && !same[at].always && has_option(op, name, length))
			at = -1;
		if (at < 0)
			g_ptr_array_add(words, g_strdup(argv[i]));
		else if (same[at].ours)
			g_ptr_array_add(words, g_strconcat("--", same[at].ours, name + length, NULL));
	}
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

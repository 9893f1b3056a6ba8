/* The words behind a verb: its target and its arguments in one go, so that options may stand before the
 * guest's name. The target is an argument row in front of the verb's own. */
#include "cli/internal.h"
#include "base/error.h"

#include <string.h>

/* Room for the target before the verb's struct; keeps its alignment. */
#define FRONT 16

static void put_row(Row *rows, guint *n, const Row *row)
{
	rows[*n] = *row;
	rows[(*n)++].offset += FRONT;
}

/* By place first: the order of the others is that of help. */
static Row *rows_with_target(const Op *op, guint *n)
{
	guint own = op->args ? op->args->n : 0;
	Row *rows = g_new0(Row, own + 1);
	*n = 0;
	const OpTargetRow *target = op_target(op->target);
	if (target->name)
		rows[(*n)++] = (Row){ .kind = ROW_STRING, .name = target->argument, .doc = target->doc,
				      .flags = ROW_POSITIONAL | ROW_REQUIRED };
	for (guint i = 0; i < own; i++)
		if (op->args->rows[i].flags & ROW_POSITIONAL)
			put_row(rows, n, &op->args->rows[i]);
	for (guint i = 0; i < own; i++)
		if (!(op->args->rows[i].flags & ROW_POSITIONAL))
			put_row(rows, n, &op->args->rows[i]);
	return rows;
}

/* virsh takes the value of any option by its place, in the order of its help; some lines that people know
 * by heart count on it: `pool-define-as p dir - - - - /data`. */
static void take_by_place(const Op *op, Row *rows, guint n)
{
	static const char *const families[] = { "pool-", "vol-", "snapshot-", "attach-" };
	gboolean wanted = cli_style.virsh;
	for (guint i = 0; i < G_N_ELEMENTS(families); i++)
		wanted = wanted || g_str_has_prefix(op->name, families[i]);
	for (guint i = 0; wanted && i < n; i++)
		if (rows[i].kind != ROW_FLAG && rows[i].kind != ROW_TRI && rows[i].kind != ROW_STRINGS)
			rows[i].flags |= ROW_POSITIONAL;
}

/* A dash holds the place of what is not said. */
static void drop_dashes(const Row *rows, guint n, gpointer object)
{
	for (guint i = 0; i < n; i++) {
		char **text = (char **)((char *)object + rows[i].offset);
		gboolean dash = rows[i].kind == ROW_STRING && !(rows[i].flags & ROW_REQUIRED) &&
				!g_strcmp0(*text, "-");
		if (dash)
			g_clear_pointer(text, g_free);
	}
}

static char *document; /* one command line, one document */

const char *cli_document_name(void)
{
	return document ? document : "";
}

static gboolean read_file(char **member, GError **error)
{
	if (**member == '<') /* the document itself */
		return TRUE;
	g_autofree char *path = g_steal_pointer(member);
	gsize length;
	const char *from = g_str_equal(path, "-") ? "/dev/stdin" : path;
	g_autoptr(GError) why = NULL;
	if (!g_file_get_contents(from, member, &length, &why))
		return fail(error, LODGE_ERROR_INVALID, "cannot read %s: %s", path, why->message);
	if (strlen(*member) != length)
		return fail(error, LODGE_ERROR_INVALID, "%s has a NUL byte in it", path);
	document = g_strdup(path);
	return TRUE;
}

/* Files in place of their names. */
static gboolean read_files(const Op *op, gpointer args, GError **error)
{
	for (guint i = 0; op->args && i < op->args->n; i++) {
		const Row *row = &op->args->rows[i];
		char **member = (char **)((char *)args + row->offset);
		if (row->kind == ROW_XML && *member && !read_file(member, error))
			return FALSE;
	}
	return TRUE;
}

/* Frees with the rows of the verb's own shape. */
void cli_args_free(const Op *op, gpointer args)
{
	if (!args)
		return;
	if (op->args)
		shape_clear(op->args, args);
	g_free((char *)args - FRONT);
}

gboolean cli_read_words(const Op *op, int argc, char *const *argv, char **target, gpointer *args,
			GError **error)
{
	guint n;
	g_autofree Row *rows = rows_with_target(op, &n);
	Shape shape = { .name = op->name, .rows = rows, .n = n };
	char *object = g_malloc0(FRONT + (op->args ? op->args->size : 0));
	g_auto(GStrv) words = cli_same_words(op, argc, argv);
	take_by_place(op, rows, n);
	gboolean ok = shape_from_args(&shape, object, (int)g_strv_length(words), words, error);
	if (ok && g_str_has_suffix(op->name, "-as"))
		drop_dashes(rows, n, object);
	ok = ok && read_files(op, object + FRONT, error);
	g_autofree char *given = op->target != OP_ON_DAEMON ? *(char **)object : NULL;
	if (!ok) {
		cli_args_free(op, object + FRONT);
		return FALSE;
	}
	*target = g_steal_pointer(&given);
	*args = object + FRONT;
	return TRUE;
}

static const Row *row_named(const Shape *shape, const char *name)
{
	for (guint i = 0; shape && i < shape->n; i++)
		if (g_str_equal(shape->rows[i].name, name))
			return &shape->rows[i];
	return NULL;
}

gpointer cli_pass_args(const Op *from, gconstpointer args, const Op *to)
{
	gpointer passed = to->args ? shape_new(to->args) : NULL;
	for (guint i = 0; to->args && i < to->args->n; i++) {
		const Row *row = &to->args->rows[i];
		const Row *own = row_named(from->args, row->name);
		if (!own || !row_is_set(own, args))
			continue;
		g_autofree char *text = own->kind == ROW_XML ?
						g_strdup(*(char *const *)((const char *)args + own->offset)) :
						row_to_text(own, args);
		shape_arg_from_text(row, passed, text ? text : "yes", NULL);
	}
	return passed;
}

void cli_set_word(const Op *op, gpointer args, const char *name, const char *value)
{
	for (guint i = 0; value && i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			shape_arg_from_text(&op->args->rows[i], args, value, NULL);
}

char *cli_synopsis(const Op *op)
{
	g_autofree char *own = op->args ? shape_synopsis(op->args) : g_strdup("");
	const char *target = op_target(op->target)->word;
	return g_strconcat(target ? target : "", target && *own ? " " : "", own, NULL);
}

/* pool-event: what happens to storage pools, as virsh prints it. The stream is that of `events`, one JSON
 * object a line. Neighbours: verbs.c knows the verb; ops/guest_watch.c sends. */
#include "cli/internal.h"
#include "base/fd.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

typedef struct PoolEventArgs {
	ShapeHead head;
	char *pool, *event;
	gboolean loop, list, timestamp;
	OptUint timeout;
} PoolEventArgs;

static const Row rows[] = {
	STRING(PoolEventArgs, pool, NULL, .doc = "filter by storage pool name or uuid"),
	STRING(PoolEventArgs, event, NULL, .doc = "which event type to wait for: lifecycle or refresh"),
	FLAG(PoolEventArgs, loop, NULL, .doc = "loop until timeout or interrupt, rather than one-shot"),
	UINT(PoolEventArgs, timeout, NULL, .max = 86400, .doc = "timeout seconds"),
	FLAG(PoolEventArgs, list, NULL, .doc = "list valid event types"),
	FLAG(PoolEventArgs, timestamp, NULL, .doc = "show timestamp for each printed event"),
};
const Shape pool_event_args = SHAPE("pool-event-args", PoolEventArgs, rows);

static void set_word(const Op *op, gpointer args, const char *name, const char *text)
{
	for (guint i = 0; text && i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			shape_arg_from_text(&op->args->rows[i], args, text, NULL);
}

static const char *member(json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text ? text : "";
}

/* TRUE where the line was one that is asked for. */
static gboolean print_event(const PoolEventArgs *args, const char *text)
{
	json_t *line = json_loads(text, 0, NULL);
	const char *kind = member(line, "kind"), *type = g_str_has_prefix(kind, "pool-") ? kind + 5 : NULL;
	gboolean ours = type && (!args->event || g_str_equal(args->event, type));
	if (ours && args->timestamp)
		printf("%s: ", member(line, "time"));
	if (ours && g_str_equal(type, "lifecycle")) {
		g_autofree char *what = g_strdup(member(line, "event"));
		*what = g_ascii_toupper(*what);
		printf("event 'lifecycle' for storage pool %s: %s\n", member(line, "object"), what);
	} else if (ours) {
		printf("event '%s' for storage pool %s\n", type, member(line, "object"));
	}
	json_decref(line);
	return ours;
}

/* Whole lines of @text are printed and taken; returns how many counted. */
static guint print_lines(const PoolEventArgs *args, GString *text)
{
	guint n = 0;
	for (char *end; (end = strchr(text->str, '\n'));) {
		*end = '\0';
		if (args->loop || !n)
			n += print_event(args, text->str);
		g_string_erase(text, 0, end + 1 - text->str);
	}
	fflush(stdout);
	return n;
}

int run_pool_event(Cli *cli, const Op *own, const char *target, gpointer data)
{
	const PoolEventArgs *args = data;
	const Op *op = op_find("events");
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	(void)own;
	if (args->list) {
		puts("lifecycle\nrefresh\n");
		return 0;
	}
	if (!args->event) {
		fail(&error, LODGE_ERROR_INVALID, "either --list or --event <type> is required");
		return cli_failed(error);
	}
	gpointer words = shape_new(op->args);
	g_autofree char *seconds =
		args->timeout.set ? g_strdup_printf("%" G_GUINT64_FORMAT, args->timeout.v) : NULL;
	set_word(op, words, "domain", args->pool);
	set_word(op, words, "timeout", seconds);
	autofd int fd = cli_stream(cli, op, target, words, early, &error);
	shape_free(op->args, words);
	if (fd < 0)
		return cli_failed(error);
	g_autoptr(GString) text = g_string_new_len((const char *)early->data, early->len);
	guint n = print_lines(args, text);
	char buffer[16384];
	ssize_t got = 1;
	while ((args->loop || !n) && (got > 0 || (got < 0 && errno == EINTR))) {
		got = recv(fd, buffer, sizeof buffer, 0);
		if (got > 0)
			g_string_append_len(text, buffer, got);
		n += print_lines(args, text);
	}
	printf("%sevents received: %u\n\n", got <= 0 && !args->loop ? "event loop timed out\n" : "", n);
	return n ? 0 : 1;
}

/* net-event, pool-event, secret-event, nodedev-event: what happens to networks, storage pools, secrets and
 * the host's devices, as virsh prints it. The stream is that of `events`, one JSON object a line.
 * Neighbours: verbs.c knows the verbs; ops/guest_watch.c sends. */
#include "cli/internal.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

typedef struct EventArgs {
	ShapeHead head;
	char *object, *event;
	gboolean loop, list, timestamp;
	OptUint timeout;
} EventArgs;

/* The filter has the object's name on the command line. */
#define FILTER(name_, doc_)                                                                                  \
	{                                                                                                    \
		.kind = ROW_STRING, .name = name_, .offset = offsetof(EventArgs, object),                    \
		.doc = "only events of this " doc_                                                           \
	}
#define OTHERS                                                                                               \
	STRING(EventArgs, event, NULL, .doc = "which event type to wait for; --list names them"),            \
		FLAG(EventArgs, loop, NULL, .doc = "loop until timeout or interrupt, rather than one-shot"), \
		UINT(EventArgs, timeout, NULL, .max = 86400, .doc = "timeout seconds"),                      \
		FLAG(EventArgs, list, NULL, .doc = "list valid event types"),                                \
		FLAG(EventArgs, timestamp, NULL, .doc = "show timestamp for each printed event")

static const Row network_rows[] = { FILTER("network", "network, by name or uuid"), OTHERS };
static const Row pool_rows[] = { FILTER("pool", "storage pool, by name or uuid"), OTHERS };
static const Row secret_rows[] = { FILTER("secret", "secret, by uuid"), OTHERS };
static const Row nodedev_rows[] = { FILTER("device", "device, by name"), OTHERS };
const Shape nodedev_event_args = SHAPE("nodedev-event-args", EventArgs, nodedev_rows);
const Shape net_event_args = SHAPE("net-event-args", EventArgs, network_rows);
const Shape pool_event_args = SHAPE("pool-event-args", EventArgs, pool_rows);
const Shape secret_event_args = SHAPE("secret-event-args", EventArgs, secret_rows);

/* A verb, the beginning of its events' kinds, virsh's word, and the types of events there are. */
typedef struct Family {
	const char *verb, *kind, *word;
	const char *types[3];
} Family;

static const Family families[] = {
	{ "net-event", "network-", "network", { "lifecycle" } },
	{ "pool-event", "pool-", "storage pool", { "lifecycle", "refresh" } },
	{ "secret-event", "secret-", "secret", { "lifecycle", "value-changed" } },
	{ "nodedev-event", "nodedev-", "node device", { "lifecycle", "update" } },
};

static const Family *family_of(const Op *op)
{
	for (guint i = 0; i < G_N_ELEMENTS(families); i++)
		if (g_str_equal(families[i].verb, op->name))
			return &families[i];
	g_assert_not_reached();
}

static const char *member(json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text ? text : "";
}

/* TRUE where the line is one that is asked for. */
static gboolean print_event(const Family *family, const EventArgs *args, const char *text)
{
	json_t *line = json_loads(text, 0, NULL);
	const char *kind = member(line, "kind"), *what = member(line, "event");
	const char *type = kind + strlen(family->kind);
	gboolean ours = g_str_has_prefix(kind, family->kind) && g_str_equal(args->event, type);
	if (ours && args->timestamp)
		printf("%s: ", member(line, "time"));
	if (ours)
		printf("event '%s' for %s %s", type, family->word, member(line, "object"));
	if (ours && *what)
		printf(": %c%s", g_ascii_toupper(*what), what + 1);
	if (ours)
		putchar('\n');
	json_decref(line);
	return ours;
}

/* Whole lines of @text are printed and taken; returns how many counted. */
static guint print_lines(const Family *family, const EventArgs *args, GString *text)
{
	guint n = 0;
	for (char *end; (end = strchr(text->str, '\n'));) {
		*end = '\0';
		if (args->loop || !n)
			n += print_event(family, args, text->str);
		g_string_erase(text, 0, end + 1 - text->str);
	}
	fflush(stdout);
	return n;
}

static int follow(int fd, const Family *family, const EventArgs *args, GString *text)
{
	guint n = print_lines(family, args, text);
	char buffer[16384];
	ssize_t got = 1;
	while ((args->loop || !n) && (got > 0 || (got < 0 && errno == EINTR))) {
		got = recv(fd, buffer, sizeof buffer, 0);
		if (got > 0)
			g_string_append_len(text, buffer, got);
		n += print_lines(family, args, text);
	}
	printf("%sevents received: %u\n\n", got <= 0 ? "event loop timed out\n" : "", n);
	return n ? 0 : 1;
}

static gboolean check(const Family *family, const EventArgs *args, GError **error)
{
	if (!args->event)
		return fail(error, LODGE_ERROR_INVALID, "either --list or --event <type> is required");
	if (!g_strv_contains(family->types, args->event))
		return fail(error, LODGE_ERROR_INVALID, "unknown event type %s", args->event);
	return TRUE;
}

int run_object_event(Cli *cli, const Op *op, const char *target, gpointer data)
{
	const EventArgs *args = data;
	const Family *family = family_of(op);
	const Op *events = op_find("events");
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	if (args->list) {
		for (guint i = 0; family->types[i]; i++)
			puts(family->types[i]);
		putchar('\n');
		return 0;
	}
	if (!check(family, args, &error))
		return cli_failed(error);
	g_autofree char *kind = g_strconcat(family->kind, args->event, NULL);
	g_autofree char *seconds =
		args->timeout.set ? g_strdup_printf("%" G_GUINT64_FORMAT, args->timeout.v) : NULL;
	gpointer words = shape_new(events->args);
	cli_set_word(events, words, "event", kind);
	cli_set_word(events, words, "domain", args->object);
	cli_set_word(events, words, "timeout", seconds);
	autofd int fd = cli_stream(cli, events, target, words, early, &error);
	shape_free(events->args, words);
	if (fd < 0)
		return cli_failed(error);
	g_autoptr(GString) text = g_string_new_len((const char *)early->data, early->len);
	return follow(fd, family, args, text);
}

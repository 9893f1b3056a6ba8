/* net-event, pool-event, secret-event, nodedev-event: what happens to networks, storage pools, secrets and
 * the host's devices, as virsh prints it.
 * Neighbours: event_stream.c follows, verbs.c knows the verbs. */
#include "cli/internal.h"
#include "base/fd.h"

#include <stdio.h>
#include <string.h>

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

typedef struct Wanted {
	const Family *family;
	const EventArgs *args;
} Wanted;

/* 0 where the line is not one that is asked for. */
static guint print_event(gconstpointer data, const char *json)
{
	const Family *family = ((const Wanted *)data)->family;
	const EventArgs *args = ((const Wanted *)data)->args;
	json_t *line = json_loads(json, 0, NULL);
	const char *kind = event_text(line, "kind"), *what = event_text(line, "event");
	const char *type = kind + strlen(family->kind);
	gboolean ours = g_str_has_prefix(kind, family->kind) && g_str_equal(args->event, type);
	if (ours && args->timestamp)
		printf("%s: ", event_text(line, "time"));
	if (ours)
		printf("event '%s' for %s %s", type, family->word, event_text(line, "object"));
	if (ours && *what)
		printf(": %c%s", g_ascii_toupper(*what), what + 1);
	if (ours)
		putchar('\n');
	json_decref(line);
	return ours;
}

static gboolean check(const Family *family, const EventArgs *args, GError **error)
{
	if (!args->event)
		return fail(error, LODGE_ERROR_INVALID, "either --list or --event <type> is required");
	if (!g_strv_contains(family->types, args->event))
		return fail(error, LODGE_ERROR_INVALID, "unknown event type %s", args->event);
	return TRUE;
}

int run_object_event(Cli *cli, const Op *op, G_GNUC_UNUSED const char *target, gpointer data)
{
	const EventArgs *args = data;
	const Family *family = family_of(op);
	g_autoptr(GError) error = NULL;
	if (args->list) {
		for (guint i = 0; family->types[i]; i++)
			puts(family->types[i]);
		putchar('\n');
		return 0;
	}
	if (!check(family, args, &error))
		return cli_failed(error);
	g_autofree char *kind = g_strconcat(family->kind, args->event, NULL);
	g_autoptr(GString) lines = g_string_new(NULL);
	autofd int fd = events_open(cli, kind, args->object, args->timeout, lines, &error);
	if (fd < 0)
		return cli_failed(error);
	guint n = events_follow(fd, lines, args->loop, print_event, &(Wanted){ family, args });
	putchar('\n');
	return n ? 0 : 1;
}

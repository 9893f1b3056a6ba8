/* `lodge net-event`: waits for events of networks, and says them as virsh does. */
#include "cli/internal.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define KIND "network-lifecycle"

typedef struct EventArgs {
	ShapeHead head;
	char *network, *event;
	gboolean loop, list, timestamp;
	OptUint timeout;
} EventArgs;

static const Row event_rows[] = {
	STRING(EventArgs, network, NULL, .doc = "filter by network name or uuid"),
	STRING(EventArgs, event, NULL, .doc = "which event type to wait for: lifecycle"),
	FLAG(EventArgs, loop, NULL, .doc = "loop until timeout or interrupt, rather than one-shot"),
	UINT(EventArgs, timeout, NULL, .max = 86400, .doc = "timeout seconds"),
	FLAG(EventArgs, list, NULL, .doc = "list valid event types"),
	FLAG(EventArgs, timestamp, NULL, .doc = "show timestamp for each printed event"),
};
const Shape net_event_words = SHAPE("net-event-words", EventArgs, event_rows);

static void set(const Op *op, gpointer args, const char *name, const char *value)
{
	for (guint i = 0; value && i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			shape_arg_from_text(&op->args->rows[i], args, value, NULL);
}

/* One line of the daemon's; FALSE where it is none of an event. */
static gboolean print_event(const char *line, const EventArgs *own)
{
	json_t *event = json_loads(line, 0, NULL);
	const char *name = json_string_value(json_object_get(event, "object"));
	const char *what = json_string_value(json_object_get(event, "event"));
	const char *time = json_string_value(json_object_get(event, "time"));
	gboolean ok = name && what && *what;
	if (ok && own->timestamp && time)
		printf("%s: ", time);
	if (ok)
		printf("event 'lifecycle' for network %s: %c%s\n", name, g_ascii_toupper(*what), what + 1);
	fflush(stdout);
	json_decref(event);
	return ok;
}

/* Prints what is whole in @text, and takes it away; returns how many events that were. */
static guint print_lines(GString *text, const EventArgs *own)
{
	guint count = 0;
	for (char *end; (end = strchr(text->str, '\n'));) {
		*end = '\0';
		count += print_event(text->str, own);
		g_string_erase(text, 0, end - text->str + 1);
	}
	return count;
}

static int follow(int fd, GString *text, const EventArgs *own)
{
	guint count = print_lines(text, own);
	for (;;) {
		char buffer[16384];
		ssize_t n = recv(fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		g_string_append_len(text, buffer, n);
		count += print_lines(text, own);
	}
	if (!count)
		printf("event loop timed out\n");
	printf("events received: %u\n\n", count);
	return count ? 0 : 1;
}

int run_net_event(Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target, gpointer args)
{
	const EventArgs *own = args;
	const Op *events = op_find("events");
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	if (own->list) {
		puts("lifecycle\n");
		return 0;
	}
	if (g_strcmp0(own->event, "lifecycle") != 0) {
		if (own->event)
			fail(&error, LODGE_ERROR_INVALID, "unknown event type %s", own->event);
		else
			fail(&error, LODGE_ERROR_INVALID, "either --list or --event <type> is required");
		return cli_failed(error);
	}
	g_autofree char *timeout =
		own->timeout.set ? g_strdup_printf("%" G_GUINT64_FORMAT, own->timeout.v) : NULL;
	gpointer passed = shape_new(events->args);
	set(events, passed, "event", KIND);
	set(events, passed, "domain", own->network);
	set(events, passed, "timeout", timeout);
	set(events, passed, "count", own->loop ? NULL : "1");
	autofd int fd = cli_stream(cli, events, NULL, passed, early, &error);
	shape_free(events->args, passed);
	if (fd < 0)
		return cli_failed(error);
	g_autoptr(GString) text = g_string_new_len((const char *)early->data, early->len);
	return follow(fd, text, own);
}

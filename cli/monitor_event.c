/* qemu-monitor-event: events of QEMU's own, as virsh prints them. Neighbours: event_stream.c follows them,
 * guest_event.c shows what they mean. */
#include "cli/internal.h"
#include "base/fd.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct MonitorArgs {
	ShapeHead head;
	char *domain, *event;
	gboolean pretty, loop, regex, no_case, timestamp;
	OptUint timeout;
} MonitorArgs;

static const Row monitor_rows[] = {
	STRING(MonitorArgs, domain, NULL, .flags = ROW_POSITIONAL, .doc = "only this guest's: name or uuid"),
	STRING(MonitorArgs, event, NULL, .doc = "only events of this name, such as RESUME"),
	FLAG(MonitorArgs, pretty, NULL, .doc = "details on lines of their own"),
	FLAG(MonitorArgs, loop, NULL, .doc = "loop until timeout or interrupt, rather than one-shot"),
	UINT(MonitorArgs, timeout, NULL, .max = 86400, .doc = "timeout seconds"),
	FLAG(MonitorArgs, regex, NULL, .doc = "the name is a regular expression"),
	FLAG(MonitorArgs, no_case, NULL, .doc = "capitals are as good as small letters"),
	FLAG(MonitorArgs, timestamp, NULL, .doc = "show timestamp for each printed event"),
};
const Shape monitor_event_args = SHAPE("qemu-monitor-event-args", MonitorArgs, monitor_rows);

/* What the name has to match; NULL with an error. */
static GRegex *pattern_of(const MonitorArgs *args, GError **error)
{
	g_autofree char *escaped = args->event ? g_regex_escape_string(args->event, -1) : NULL;
	g_autofree char *exact = escaped ? g_strdup_printf("^%s$", escaped) : g_strdup("");
	return g_regex_new(args->regex && args->event ? args->event : exact,
			   args->no_case ? G_REGEX_CASELESS : G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT, error);
}

typedef struct Wanted {
	const MonitorArgs *args;
	const GRegex *pattern;
} Wanted;

/* 0 where the line is of another event. */
static guint print_event(gconstpointer asked, const char *json)
{
	const MonitorArgs *args = ((const Wanted *)asked)->args;
	json_t *line = json_loads(json, 0, NULL), *data = json_object_get(line, "data");
	const char *event = event_text(data, "event");
	gboolean wanted = g_str_equal(event_text(line, "kind"), "monitor") &&
			  g_regex_match(((const Wanted *)asked)->pattern, event, 0, NULL);
	json_t *details = json_object_get(data, "data");
	size_t form = args->pretty ? JSON_INDENT(2) : JSON_COMPACT;
	char *shown = wanted && details ? json_dumps(details, form) : NULL;
	if (wanted && args->timestamp)
		print_time_of_event(event_text(line, "time"));
	if (wanted && args->timestamp)
		printf("event %s for domain '%s': %s\n", event, event_text(line, "domain"),
		       shown ? shown : "<null>");
	else if (wanted)
		printf("event %s at %" JSON_INTEGER_FORMAT ".%06d for domain '%s': %s\n", event,
		       json_integer_value(json_object_get(data, "seconds")),
		       (int)json_integer_value(json_object_get(data, "micros")), event_text(line, "domain"),
		       shown ? shown : "<null>");
	free(shown);
	json_decref(line);
	return wanted;
}

int run_monitor_event(Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target, gpointer data)
{
	const MonitorArgs *args = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GRegex) pattern = pattern_of(args, &error);
	if (!pattern)
		return cli_failed(error);
	g_autoptr(GString) lines = g_string_new(NULL);
	autofd int fd = events_open(cli, "monitor", args->domain, args->timeout, lines, &error);
	if (fd < 0)
		return cli_failed(error);
	guint n = events_follow(fd, lines, args->loop, print_event, &(Wanted){ args, pattern });
	show_end();
	return n ? 0 : 1;
}

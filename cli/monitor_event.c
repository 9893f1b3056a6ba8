/* qemu-monitor-event: events of QEMU's own, as virsh prints them. The stream is that of `events`, one JSON
 * object a line. Neighbours: guest_event.c shows what they mean; ops/guest_watch.c sends. */
#include "cli/internal.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

static const char *text(json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));
	return value ? value : "";
}

/* What the name has to match; NULL with an error. */
static GRegex *pattern_of(const MonitorArgs *args, GError **error)
{
	g_autofree char *escaped = args->event ? g_regex_escape_string(args->event, -1) : NULL;
	g_autofree char *exact = escaped ? g_strdup_printf("^%s$", escaped) : g_strdup("");
	return g_regex_new(args->regex && args->event ? args->event : exact,
			   args->no_case ? G_REGEX_CASELESS : G_REGEX_DEFAULT, G_REGEX_MATCH_DEFAULT, error);
}

/* FALSE where the line is of another event. */
static gboolean print_event(const MonitorArgs *args, const GRegex *pattern, const char *json)
{
	json_t *line = json_loads(json, 0, NULL), *data = json_object_get(line, "data");
	const char *event = text(data, "event");
	gboolean wanted = g_str_equal(text(line, "kind"), "monitor") &&
			  g_regex_match(pattern, event, 0, NULL);
	json_t *details = json_object_get(data, "data");
	size_t form = args->pretty ? JSON_INDENT(2) : JSON_COMPACT;
	char *shown = wanted && details ? json_dumps(details, form) : NULL;
	if (wanted && args->timestamp)
		print_time_of_event(text(line, "time"));
	if (wanted && args->timestamp)
		printf("event %s for domain '%s': %s\n", event, text(line, "domain"),
		       shown ? shown : "<null>");
	else if (wanted)
		printf("event %s at %" JSON_INTEGER_FORMAT ".%06d for domain '%s': %s\n", event,
		       json_integer_value(json_object_get(data, "seconds")),
		       (int)json_integer_value(json_object_get(data, "micros")), text(line, "domain"),
		       shown ? shown : "<null>");
	free(shown);
	json_decref(line);
	return wanted;
}

/* Whole lines are printed and taken; returns how many counted. */
static guint print_lines(const MonitorArgs *args, const GRegex *pattern, GString *lines)
{
	guint n = 0;
	for (char *end; (end = strchr(lines->str, '\n'));) {
		*end = '\0';
		if (args->loop || !n)
			n += print_event(args, pattern, lines->str);
		g_string_erase(lines, 0, end + 1 - lines->str);
	}
	fflush(stdout);
	return n;
}

static int follow(int fd, const MonitorArgs *args, const GRegex *pattern, GString *lines)
{
	guint n = print_lines(args, pattern, lines);
	char buffer[16384];
	ssize_t got = 1;
	while ((args->loop || !n) && (got > 0 || (got < 0 && errno == EINTR))) {
		got = recv(fd, buffer, sizeof buffer, 0);
		if (got > 0)
			g_string_append_len(lines, buffer, got);
		n += print_lines(args, pattern, lines);
	}
	printf("%sevents received: %u\n", got <= 0 ? "event loop timed out\n" : "", n);
	show_end();
	return n ? 0 : 1;
}

int run_monitor_event(Cli *cli, G_GNUC_UNUSED const Op *op, const char *target, gpointer data)
{
	const MonitorArgs *args = data;
	const Op *events = op_find("events");
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) early = g_byte_array_new();
	g_autoptr(GRegex) pattern = pattern_of(args, &error);
	if (!pattern)
		return cli_failed(error);
	g_autofree char *seconds =
		args->timeout.set ? g_strdup_printf("%" G_GUINT64_FORMAT, args->timeout.v) : NULL;
	gpointer words = shape_new(events->args);
	cli_set_word(events, words, "event", "monitor");
	cli_set_word(events, words, "domain", args->domain);
	cli_set_word(events, words, "timeout", seconds);
	autofd int fd = cli_stream(cli, events, target, words, early, &error);
	shape_free(events->args, words);
	if (fd < 0)
		return cli_failed(error);
	g_autoptr(GString) lines = g_string_new_len((const char *)early->data, early->len);
	return follow(fd, args, pattern, lines);
}

/* event: what happens to guests, as virsh prints it. Neighbours: event_stream.c follows; object_event.c
 * does the same for networks, pools and secrets. */
#include "cli/internal.h"
#include "base/fd.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct EventArgs {
	ShapeHead head;
	char *domain, *event;
	gboolean all, loop, list, timestamp;
	OptUint timeout;
} EventArgs;

static const Row event_rows[] = {
	STRING(EventArgs, domain, NULL, .flags = ROW_POSITIONAL, .doc = "only this guest's: name or uuid"),
	STRING(EventArgs, event, NULL, .doc = "which event type to wait for; --list names them"),
	FLAG(EventArgs, all, NULL, .doc = "wait for all events instead of just one type"),
	FLAG(EventArgs, loop, NULL, .doc = "loop until timeout or interrupt, rather than one-shot"),
	UINT(EventArgs, timeout, NULL, .max = 86400, .doc = "timeout seconds"),
	FLAG(EventArgs, list, NULL, .doc = "list valid event types"),
	FLAG(EventArgs, timestamp, NULL, .doc = "show timestamp for each printed event"),
};
const Shape guest_event_args = SHAPE("event-args", EventArgs, event_rows);

/* ---- virsh's words ---- */

static const struct {
	const char *ours, *theirs;
} words[] = {
	{ "booted", "Booted" },		{ "migrated", "Migrated" },	  { "restored", "Restored" },
	{ "from snapshot", "Snapshot" }, { "wakeup", "Event wakeup" },	  { "paused", "Paused" },
	{ "I/O error", "I/O Error" },	{ "watchdog", "Watchdog" },	  { "unpaused", "Unpaused" },
	{ "shutdown", "Shutdown" },	{ "destroyed", "Destroyed" },	  { "crashed", "Crashed" },
	{ "saved", "Saved" },		{ "failed", "Failed" },		  { "added", "Added" },
	{ "updated", "Updated" },	{ "renamed", "Renamed" },	  { "removed", "Removed" },
	{ "panicked", "Panicked" },	{ "memory", "Memory" },		  { "disk", "Disk" },
	{ "finished", "Finished" },	{ "pmsuspended", "PMSuspended" },
};

/* A word as virsh has it; the caller frees it. */
static char *virsh_word(const char *word)
{
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_str_equal(words[i].ours, word))
			return g_strdup(words[i].theirs);
	char *own = g_strdup(word);
	own[0] = g_ascii_toupper(own[0]);
	return own;
}

/* ---- one event ---- */

/* What stands behind the guest's name; the caller frees it. */
static char *details_lifecycle(json_t *line, G_GNUC_UNUSED json_t *data)
{
	g_autofree char *event = virsh_word(event_text(line, "event"));
	/* a plain pause says no reason of its own */
	const char *why = event_text(line, "detail");
	gboolean paused = g_str_equal(event, "Suspended") && !strcmp(why, "user");
	g_autofree char *detail = virsh_word(paused ? "paused" : why);
	return g_strdup_printf(": %s %s", event, detail);
}

static char *details_rtc(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return g_strdup_printf(": %" JSON_INTEGER_FORMAT,
			       json_integer_value(json_object_get(data, "offset")));
}

static char *details_watchdog(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return g_strdup_printf(": %s", event_text(data, "action"));
}

static const char *action_of(json_t *data)
{
	const char *action = event_text(data, "action");
	return g_str_equal(action, "stop") ? "pause" : g_str_equal(action, "ignore") ? "none" : action;
}

static char *details_io(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return g_strdup_printf(": %s (%s) %s", event_text(data, "path"), event_text(data, "alias"),
			       action_of(data));
}

static char *details_io_reason(G_GNUC_UNUSED json_t *line, json_t *data)
{
	gboolean full = json_is_true(json_object_get(data, "nospace"));
	return g_strdup_printf(": %s (%s) %s due to %s", event_text(data, "path"), event_text(data, "alias"),
			       action_of(data), full ? "enospc" : "");
}

static char *details_balloon(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return g_strdup_printf(": %" JSON_INTEGER_FORMAT "KiB",
			       json_integer_value(json_object_get(data, "actual")) / 1024);
}

static char *details_tray(G_GNUC_UNUSED json_t *line, json_t *data)
{
	gboolean open = json_is_true(json_object_get(data, "tray-open"));
	return g_strdup_printf(" disk %s: %s", event_text(data, "id"), open ? "opened" : "closed");
}

static char *details_device(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return g_strdup_printf(": %s", event_text(data, "device"));
}

static char *details_agent(G_GNUC_UNUSED json_t *line, json_t *data)
{
	gboolean open = json_is_true(json_object_get(data, "open"));
	return g_strdup_printf(": state: '%s' reason: 'channel event'", open ? "connected" : "disconnected");
}

static char *details_metadata(G_GNUC_UNUSED json_t *line, json_t *data)
{
	static const char *const types[] = { "description", "title", "element" };
	json_int_t type = json_integer_value(json_object_get(data, "type"));
	const char *uri = event_text(data, "uri");
	return g_strdup_printf(": type %s, uri %s", type >= 0 && type < 3 ? types[type] : "unknown",
			       *uri ? uri : "N/A");
}

static char *details_threshold(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return g_strdup_printf(": dev: %s(%s) %" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT,
			       event_text(data, "dev"), event_text(data, "path"),
			       json_integer_value(json_object_get(data, "write-threshold")),
			       json_integer_value(json_object_get(data, "amount-exceeded")));
}

/* Names and values, one a line. */
static char *list_of(json_t *object)
{
	GString *out = g_string_new(":");
	const char *name;
	json_t *value;
	json_object_foreach (object, name, value)
		if (json_is_string(value))
			g_string_append_printf(out, "\n\t%s: %s", name, json_string_value(value));
		else
			g_string_append_printf(out, "\n\t%s: %" JSON_INTEGER_FORMAT, name,
					       json_integer_value(value));
	return g_string_free(out, FALSE);
}

static char *details_job(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return list_of(json_object_get(data, "params"));
}

static char *details_tunable(G_GNUC_UNUSED json_t *line, json_t *data)
{
	return list_of(data);
}

static char *details_graphics(G_GNUC_UNUSED json_t *line, json_t *data)
{
	static const char *const phases[] = { "connect", "initialize", "disconnect" };
	json_t *server = json_object_get(data, "server"), *client = json_object_get(data, "client");
	json_int_t phase = json_integer_value(json_object_get(data, "phase"));
	return g_strdup_printf(": %s local[%s %s %s] remote[%s %s %s] %s",
			       phase >= 0 && phase < 3 ? phases[phase] : "unknown",
			       event_text(server, "family"), event_text(server, "host"),
			       event_text(server, "service"), event_text(client, "family"),
			       event_text(client, "host"), event_text(client, "service"),
			       event_text(server, "auth"));
}

/* By virsh's names of types; .kind is the stream's. */
static const struct {
	const char *type, *kind;
	char *(*details)(json_t *line, json_t *data); /* NULL: there are none */
	const char *event; /* of lifecycle events; NULL: any */
} types[] = {
	{ "lifecycle", "lifecycle", details_lifecycle, NULL },
	{ "reboot", "reboot", NULL, NULL },
	{ "rtc-change", "rtc-change", details_rtc, NULL },
	{ "watchdog", "watchdog", details_watchdog, NULL },
	{ "io-error", "io-error", details_io, NULL },
	{ "graphics", "graphics", details_graphics, NULL },
	{ "io-error-reason", "io-error", details_io_reason, NULL },
	{ "control-error", "control-error", NULL, NULL },
	{ "tray-change", "tray-change", details_tray, NULL },
	{ "pm-suspend", "lifecycle", NULL, "pmsuspended" },
	{ "balloon-change", "balloon-change", details_balloon, NULL },
	{ "pm-suspend-disk", "pmsuspend-disk", NULL, NULL },
	{ "device-removed", "device-removed", details_device, NULL },
	{ "tunable", "tunable", details_tunable, NULL },
	{ "agent-lifecycle", "channel-lifecycle", details_agent, NULL },
	{ "device-added", "device-added", details_device, NULL },
	{ "job-completed", "job-completed", details_job, NULL },
	{ "device-removal-failed", "device-removal-failed", details_device, NULL },
	{ "metadata-change", "metadata-change", details_metadata, NULL },
	{ "block-threshold", "block-threshold", details_threshold, NULL },
	{ "memory-failure", "memory-failure", details_tunable, NULL },
};

/* The agent's channel is told of as agent-lifecycle, too: that is the same again. */
static gboolean fits(guint i, const EventArgs *args, json_t *line)
{
	if (!g_str_equal(types[i].kind, event_text(line, "kind")) ||
	    (types[i].event && !g_str_equal(types[i].event, event_text(line, "event"))))
		return FALSE;
	return args->all || !g_strcmp0(args->event, types[i].type);
}

void print_time_of_event(const char *when)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(when, NULL);
	g_autofree char *seconds = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;
	if (seconds)
		printf("%s.%03d+0000: ", seconds, g_date_time_get_microsecond(time) / 1000);
}

/* Prints what is asked for of one line; returns how often. */
static guint print_event(gconstpointer asked, const char *json)
{
	const EventArgs *args = asked;
	json_t *line = json_loads(json, 0, NULL), *data = json_object_get(line, "data");
	guint n = 0;
	for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
		if (!fits(i, args, line))
			continue;
		g_autofree char *details = types[i].details ? types[i].details(line, data) : NULL;
		if (args->timestamp)
			print_time_of_event(event_text(line, "time"));
		printf("event '%s' for domain '%s'%s\n", types[i].type, event_text(line, "domain"),
		       details ? details : "");
		n++;
		if (!args->loop)
			break;
	}
	json_decref(line);
	return n;
}

static gboolean check(const EventArgs *args, GError **error)
{
	gboolean known = FALSE;
	if (args->event && args->all)
		return fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
				 "Options --all and --event are mutually exclusive");
	if (!args->event)
		return args->all || fail(error, LODGE_ERROR_INVALID,
					 "one of --list, --all, or --event <type> is required");
	for (guint i = 0; i < G_N_ELEMENTS(types); i++)
		known |= g_str_equal(types[i].type, args->event);
	return known || fail(error, LODGE_ERROR_INVALID, "unknown event type %s", args->event);
}

static int list_types(void)
{
	for (guint i = 0; i < G_N_ELEMENTS(types); i++)
		puts(types[i].type);
	show_end();
	return 0;
}

int run_guest_event(Cli *cli, G_GNUC_UNUSED const Op *op, G_GNUC_UNUSED const char *target, gpointer data)
{
	const EventArgs *args = data;
	g_autoptr(GError) error = NULL;
	if (args->list)
		return list_types();
	if (!check(args, &error))
		return cli_failed(error);
	g_autoptr(GString) lines = g_string_new(NULL);
	autofd int fd = events_open(cli, NULL, args->domain, args->timeout, lines, &error);
	if (fd < 0)
		return cli_failed(error);
	guint n = events_follow(fd, lines, args->loop, print_event, args);
	show_end();
	return n ? 0 : 1;
}

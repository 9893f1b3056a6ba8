/* Events for clients that asked: the core's words become libvirt's numbers, in both forms, with the id
 * of the callback and the old one without. Neighbours: ops/events.h tells; procs.c has the rows. */
#include "wire/libvirt/internal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef enum DomainEvent { /* virDomainEventID */
	EVENT_LIFECYCLE = 0,
	EVENT_REBOOT = 1,
	EVENT_RTC_CHANGE = 2,
	EVENT_WATCHDOG = 3,
	EVENT_IO_ERROR = 4,
	EVENT_GRAPHICS = 5,
	EVENT_IO_ERROR_REASON = 6,
	EVENT_CONTROL_ERROR = 7,
	EVENT_BLOCK_JOB = 8,
	EVENT_DISK_CHANGE = 9,
	EVENT_TRAY_CHANGE = 10,
	EVENT_PMWAKEUP = 11,
	EVENT_PMSUSPEND = 12,
	EVENT_BALLOON_CHANGE = 13,
	EVENT_PMSUSPEND_DISK = 14,
	EVENT_DEVICE_REMOVED = 15,
	EVENT_BLOCK_JOB_2 = 16,
	EVENT_TUNABLE = 17,
	EVENT_AGENT_LIFECYCLE = 18,
	EVENT_DEVICE_ADDED = 19,
	EVENT_MIGRATION_ITERATION = 20,
	EVENT_JOB_COMPLETED = 21,
	EVENT_DEVICE_REMOVAL_FAILED = 22,
	EVENT_METADATA_CHANGE = 23,
	EVENT_BLOCK_THRESHOLD = 24,
	EVENT_MEMORY_FAILURE = 25,
	EVENT_MEMORY_DEVICE_SIZE_CHANGE = 26,
} DomainEvent;

#define MAX_FIELDS 6 /* of an event's message, its guest not counted */

/* Fills @fields from what the core says; what they point to lives as long as @json and @arena. */
#define FILL(name)                                                                                 \
	static void name(G_GNUC_UNUSED const OpEvent *event, G_GNUC_UNUSED json_t *json,           \
			 G_GNUC_UNUSED WireValue *fields, G_GNUC_UNUSED WireArena *arena)

/* ---- the core's words ---- */

/* A lifecycle event and its details, in libvirt's order; the words are the core's. */
static const struct {
	const char *event;
	const char *details[8];
} lifecycles[] = {
	{ "defined", { "added", "updated", "renamed", "from snapshot" } },
	{ "undefined", { "removed", "renamed" } },
	{ "started", { "booted", "migrated", "restored", "from snapshot", "wakeup" } },
	{ "suspended", { "paused", "migrated", "I/O error", "watchdog", "restored", "from snapshot" } },
	{ "resumed", { "unpaused", "migrated", "from snapshot" } },
	{ "stopped",
	  { "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot" } },
	{ "shutdown", { "finished", "guest", "host" } },
	{ "pmsuspended", { "memory", "disk" } },
	{ "crashed", { "panicked" } },
};

static int index_of(const char *const *words, guint n, const char *word)
{
	for (guint i = 0; word && i < n && words[i]; i++)
		if (g_str_equal(words[i], word))
			return (int)i;
	return 0;
}

FILL(fill_lifecycle)
{
	for (guint i = 0; i < G_N_ELEMENTS(lifecycles); i++) {
		if (g_strcmp0(lifecycles[i].event, event->event))
			continue;
		fields[0].i = i;
		fields[1].i = index_of(lifecycles[i].details, G_N_ELEMENTS(lifecycles[i].details),
				       event->detail);
	}
}

/* ---- what QEMU said ---- */

static const char *text_of(json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? text : "";
}

FILL(fill_nothing)
{
}

FILL(fill_rtc)
{
	fields[0].i = json_integer_value(json_object_get(json, "offset"));
}

FILL(fill_watchdog)
{
	static const char *const actions[] = { "none",	   "pause",    "reset", "poweroff",
					       "shutdown", "debug",    "inject-nmi" };
	fields[0].i = index_of(actions, G_N_ELEMENTS(actions), text_of(json, "action"));
}

FILL(fill_io_error)
{
	static const char *const actions[] = { "ignore", "stop", "report" };
	const char *alias = text_of(json, "alias");
	fields[0].s = text_of(json, "path");
	fields[1].s = *alias ? alias : text_of(json, "device");
	fields[2].i = index_of(actions, G_N_ELEMENTS(actions), text_of(json, "action"));
	fields[3].s = json_is_true(json_object_get(json, "nospace")) ? "enospc" : "";
}

FILL(fill_tray)
{
	fields[0].s = text_of(json, "id");
	fields[1].i = json_is_true(json_object_get(json, "tray-open")) ? 0 : 1;
}

FILL(fill_balloon)
{
	fields[0].u = (guint64)json_integer_value(json_object_get(json, "actual")) / 1024;
}

FILL(fill_device)
{
	fields[0].s = text_of(json, "device");
}

/* The agent's channel was opened or closed: state 1 or 2, reason 2 (channel). */
FILL(fill_agent)
{
	fields[0].i = json_is_true(json_object_get(json, "open")) ? 1 : 2;
	fields[1].i = 2;
}

FILL(fill_metadata)
{
	fields[0].i = json_integer_value(json_object_get(json, "type"));
	fields[1].s = json_string_value(json_object_get(json, "uri"));
	fields[1].set = fields[1].s != NULL;
}

/* ---- screens ---- */

static void fill_address(WireValue *value, json_t *end, WireArena *arena)
{
	static const char *const families[] = { "ipv4", "ipv6", "unix" };
	const char *port = json_string_value(json_object_get(end, "service"));
	value->items = wire_alloc(arena, 3 * sizeof *value);
	value->n = 3;
	value->items[0].i = index_of(families, G_N_ELEMENTS(families), text_of(end, "family"));
	value->items[1].s = text_of(end, "host");
	value->items[2].s = port ? port : text_of(end, "port");
}

static void add_identity(WireValue *list, const char *type, const char *name, WireArena *arena)
{
	if (!*name)
		return;
	WireValue *fields = wire_alloc(arena, 2 * sizeof *fields);
	fields[0].s = type;
	fields[1].s = name;
	list->items[list->n].items = fields;
	list->items[list->n++].n = 2;
}

FILL(fill_graphics)
{
	json_t *client = json_object_get(json, "client"), *server = json_object_get(json, "server");
	fields[0].i = json_integer_value(json_object_get(json, "phase"));
	fill_address(&fields[1], server, arena);
	fill_address(&fields[2], client, arena);
	fields[3].s = text_of(server, "auth");
	fields[4].items = wire_alloc(arena, 2 * sizeof *fields);
	add_identity(&fields[4], "x509dname", text_of(client, "x509_dname"), arena);
	add_identity(&fields[4], "saslUsername", text_of(client, "sasl_username"), arena);
}

/* ---- disks and memory ---- */

FILL(fill_block_job)
{
	static const char *const types[] = { "", "stream", "mirror", "commit", "active-commit", "backup" };
	fields[0].s = text_of(json, "device");
	fields[1].i = index_of(types, G_N_ELEMENTS(types), text_of(json, "type"));
	fields[2].i = json_integer_value(json_object_get(json, "phase"));
	if (*text_of(json, "error"))
		fields[2].i = 1; /* VIR_DOMAIN_BLOCK_JOB_FAILED */
}

FILL(fill_disk_change)
{
	fields[0].s = json_string_value(json_object_get(json, "old"));
	fields[0].set = fields[0].s != NULL;
	fields[1].s = json_string_value(json_object_get(json, "new"));
	fields[1].set = fields[1].s != NULL;
	fields[2].s = text_of(json, "alias");
	fields[3].i = json_integer_value(json_object_get(json, "reason"));
}

FILL(fill_threshold)
{
	fields[0].s = *text_of(json, "dev") ? text_of(json, "dev") : text_of(json, "node-name");
	fields[1].s = json_string_value(json_object_get(json, "path"));
	fields[1].set = fields[1].s != NULL;
	fields[2].u = (guint64)json_integer_value(json_object_get(json, "write-threshold"));
	fields[3].u = (guint64)json_integer_value(json_object_get(json, "amount-exceeded"));
}

FILL(fill_memory_failure)
{
	static const char *const recipients[] = { "hypervisor", "guest" };
	static const char *const actions[] = { "ignore", "inject", "fatal", "reset" };
	json_t *flags = json_object_get(json, "flags");
	fields[0].i = index_of(recipients, G_N_ELEMENTS(recipients), text_of(json, "recipient"));
	fields[1].i = index_of(actions, G_N_ELEMENTS(actions), text_of(json, "action"));
	fields[2].u = (json_is_true(json_object_get(flags, "action-required")) ? 1 : 0) |
		      (json_is_true(json_object_get(flags, "recursive")) ? 2 : 0);
}

FILL(fill_iteration)
{
	fields[0].i = json_integer_value(json_object_get(json, "iteration"));
}

FILL(fill_memory_size)
{
	fields[0].s = text_of(json, "id");
	fields[1].u = (guint64)json_integer_value(json_object_get(json, "size"));
}

/* ---- parameters: a JSON object of numbers and words ---- */

static void fill_params(WireValue *list, json_t *object, WireArena *arena)
{
	const char *name;
	json_t *value;
	list->items = wire_alloc(arena, MAX(json_object_size(object), 1) * sizeof *list);
	json_object_foreach (object, name, value) {
		WireValue *fields = wire_alloc(arena, 2 * sizeof *fields);
		fields[0].s = name; /* of all that is told so, quotas alone may be negative */
		fields[1].n = json_is_string(value)		? WIRE_PARAM_STRING
			      : g_str_has_suffix(name, "_quota") ? WIRE_PARAM_LLONG
								 : WIRE_PARAM_ULLONG;
		if (json_is_string(value))
			fields[1].s = json_string_value(value);
		else
			fields[1].i = json_integer_value(value);
		list->items[list->n].items = fields;
		list->items[list->n++].n = 2;
	}
}

FILL(fill_tunable)
{
	fill_params(&fields[0], json, arena);
}

FILL(fill_job)
{
	fill_params(&fields[0], json_object_get(json, "params"), arena);
}

/* ---- the table ---- */

typedef struct EventRow {
	DomainEvent event;
	const char *kind; /* the core's word; of lifecycle events may be told by its event, too */
	const char *lifecycle; /* NULL: any */
	guint callback, legacy; /* procedures; 0: there is none */
	const char *fields;	/* behind the guest */
	gboolean reason;	/* a number stands before the message */
	void (*fill)(const OpEvent *event, json_t *json, WireValue *fields, WireArena *arena);
} EventRow;

static const EventRow rows[] = {
	{ EVENT_LIFECYCLE, "lifecycle", NULL, 318, 107, "event:i32 detail:i32", .fill = fill_lifecycle },
	{ EVENT_REBOOT, "reboot", NULL, 319, 169, "", .fill = fill_nothing },
	{ EVENT_RTC_CHANGE, "rtc-change", NULL, 320, 170, "offset:i64", .fill = fill_rtc },
	{ EVENT_WATCHDOG, "watchdog", NULL, 321, 171, "action:i32", .fill = fill_watchdog },
	{ EVENT_IO_ERROR, "io-error", NULL, 322, 172, "srcPath:str devAlias:str action:i32",
	  .fill = fill_io_error },
	{ EVENT_IO_ERROR_REASON, "io-error", NULL, 324, 195,
	  "srcPath:str devAlias:str action:i32 reason:str", .fill = fill_io_error },
	{ EVENT_TRAY_CHANGE, "tray-change", NULL, 328, 268, "devAlias:str reason:i32",
	  .fill = fill_tray },
	{ EVENT_PMWAKEUP, "lifecycle", "resumed", 329, 269, "", .reason = TRUE, .fill = fill_nothing },
	{ EVENT_PMSUSPEND, "lifecycle", "pmsuspended", 330, 270, "", .reason = TRUE,
	  .fill = fill_nothing },
	{ EVENT_BALLOON_CHANGE, "balloon-change", NULL, 331, 276, "actual:u64", .fill = fill_balloon },
	{ EVENT_DEVICE_REMOVED, "device-removed", NULL, 333, 311, "devAlias:str", .fill = fill_device },
	{ EVENT_GRAPHICS, "graphics", NULL, 323, 173,
	  "phase:i32 local:domain_event_graphics_address remote:domain_event_graphics_address "
	  "authScheme:str subject:domain_event_graphics_identity<20>", .fill = fill_graphics },
	{ EVENT_CONTROL_ERROR, "control-error", NULL, 325, 224, "", .fill = fill_nothing },
	{ EVENT_BLOCK_JOB, "block-job", NULL, 326, 241, "path:str type:i32 status:i32",
	  .fill = fill_block_job },
	{ EVENT_BLOCK_JOB_2, "block-job", NULL, 339, 0, "dst:str type:i32 status:i32",
	  .fill = fill_block_job },
	{ EVENT_DISK_CHANGE, "disk-change", NULL, 327, 248,
	  "oldSrcPath:str? newSrcPath:str? devAlias:str reason:i32", .fill = fill_disk_change },
	{ EVENT_PMSUSPEND_DISK, "pmsuspend-disk", NULL, 332, 292, "", .reason = TRUE,
	  .fill = fill_nothing },
	{ EVENT_TUNABLE, "tunable", NULL, 346, 0, "params:typed_param<2048>", .fill = fill_tunable },
	{ EVENT_DEVICE_ADDED, "device-added", NULL, 354, 0, "devAlias:str", .fill = fill_device },
	{ EVENT_MIGRATION_ITERATION, "migration-iteration", NULL, 359, 0, "iteration:i32",
	  .fill = fill_iteration },
	{ EVENT_JOB_COMPLETED, "job-completed", NULL, 363, 0, "params:typed_param<64>", .fill = fill_job },
	{ EVENT_DEVICE_REMOVAL_FAILED, "device-removal-failed", NULL, 367, 0, "devAlias:str",
	  .fill = fill_device },
	{ EVENT_BLOCK_THRESHOLD, "block-threshold", NULL, 385, 0,
	  "dev:str path:str? threshold:u64 excess:u64", .fill = fill_threshold },
	{ EVENT_MEMORY_FAILURE, "memory-failure", NULL, 423, 0, "recipient:i32 action:i32 flags:u32",
	  .fill = fill_memory_failure },
	{ EVENT_MEMORY_DEVICE_SIZE_CHANGE, "memory-device-size-change", NULL, 438, 0,
	  "alias:str size:u64", .fill = fill_memory_size },
	{ EVENT_METADATA_CHANGE, "metadata-change", NULL, 379, 0, "type:i32 nsuri:str?",
	  .fill = fill_metadata },
	{ EVENT_AGENT_LIFECYCLE, "agent-lifecycle", NULL, 348, 0, "state:i32 reason:i32",
	  .fill = fill_agent },
};

/* A composite of one message is its fields in a row: the forms differ in what stands before. */
static const WireType *type_of(const EventRow *row, gboolean legacy)
{
	g_autofree char *text = g_strconcat(legacy	? ""
					    : row->reason ? "callbackID:i32 why:i32 "
							  : "callbackID:i32 ",
					    "dom:domain", *row->fields ? " " : "", row->fields, NULL);
	return wire_type(text);
}

const WireType *lv_event_type(int event, gboolean legacy, guint32 *procedure)
{
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
		if ((int)rows[i].event == event) {
			*procedure = legacy ? rows[i].legacy : rows[i].callback;
			return *procedure ? type_of(&rows[i], legacy) : NULL;
		}
	return NULL;
}

/* ---- telling ---- */

static gboolean row_fits(const EventRow *row, const OpEvent *event)
{
	if (!g_str_equal(row->kind, event->kind) ||
	    (row->lifecycle && g_strcmp0(row->lifecycle, event->event)))
		return FALSE;
	return row->event != EVENT_PMWAKEUP || !g_strcmp0(event->detail, "wakeup");
}

typedef struct Telling {
	const OpEvent *event;
	const EventRow *row;
	WireValue dom;
	WireValue fields[MAX_FIELDS];
} Telling;

static void tell_callback(LvClient *client, const LvCallback *callback, const Telling *telling)
{
	WireValue values[MAX_FIELDS + 3] = { 0 };
	guint32 procedure;
	guint n = 0;
	const WireType *type = lv_event_type(callback->event, callback->legacy, &procedure);
	if (!callback->legacy)
		values[n++].i = callback->id;
	if (!callback->legacy && telling->row->reason)
		n++;
	values[n++] = telling->dom;
	memcpy(values + n, telling->fields, sizeof telling->fields);
	lv_send_event(client, LV_REMOTE, procedure, type, values);
}

static void tell(LvClient *client, gpointer data)
{
	const Telling *telling = data;
	for (guint i = 0; client->callbacks && i < client->callbacks->len; i++) {
		const LvCallback *callback = &g_array_index(client->callbacks, LvCallback, i);
		if (callback->event == (int)telling->row->event && !callback->qemu && !callback->family &&
		    (!callback->uuid || g_str_equal(callback->uuid, telling->event->uuid)))
			tell_callback(client, callback, telling);
	}
}

/* ---- QEMU's own events ---- */

#define MONITOR_EVENT 6 /* of the program qemu */
enum { MONITOR_REGEX = 1, MONITOR_NOCASE = 2 }; /* virConnectDomainQemuMonitorEventRegisterFlags */

static gboolean is_named(const LvCallback *callback, const char *event)
{
	GRegexCompileFlags flags = callback->event & MONITOR_NOCASE ? G_REGEX_CASELESS : 0;
	if (!callback->name)
		return TRUE;
	if (callback->event & MONITOR_REGEX)
		return g_regex_match_simple(callback->name, event, flags, 0);
	return (callback->event & MONITOR_NOCASE ? g_ascii_strcasecmp(callback->name, event)
						 : strcmp(callback->name, event)) == 0;
}

static void tell_monitor(LvClient *client, gpointer data)
{
	const Telling *telling = data;
	const WireType *type = wire_type(
		"callbackID:i32 dom:domain event:str seconds:i64 micros:u32 details:str?");
	for (guint i = 0; client->callbacks && i < client->callbacks->len; i++) {
		const LvCallback *callback = &g_array_index(client->callbacks, LvCallback, i);
		if (!callback->qemu || !is_named(callback, telling->fields[0].s) ||
		    (callback->uuid && !g_str_equal(callback->uuid, telling->event->uuid)))
			continue;
		WireValue values[6] = { { .i = callback->id }, telling->dom };
		memcpy(values + 2, telling->fields, 4 * sizeof *values);
		lv_send_event(client, LV_QEMU, MONITOR_EVENT, type, values);
	}
}

static void deliver_monitor(const OpEvent *event, json_t *json, gpointer server)
{
	WireArena arena = { 0 };
	Telling telling = { .event = event };
	char *details = json_object_get(json, "data")
				? json_dumps(json_object_get(json, "data"), JSON_COMPACT)
				: NULL;
	lv_put_domain(&arena, &telling.dom, event->guest, event->uuid, event->id);
	telling.fields[0].s = text_of(json, "event");
	telling.fields[1].i = json_integer_value(json_object_get(json, "seconds"));
	telling.fields[2].u = (guint64)json_integer_value(json_object_get(json, "micros"));
	telling.fields[3].s = details;
	telling.fields[3].set = details != NULL;
	lv_each_client(server, tell_monitor, &telling);
	free(details);
	wire_arena_clear(&arena);
}

void lv_events_deliver(const OpEvent *event, gpointer server)
{
	WireArena arena = { 0 };
	if (!event->guest) {
		lv_object_events_deliver(event, server);
		return;
	}
	json_t *json = event->json ? json_loads(event->json, 0, NULL) : NULL;
	if (g_str_equal(event->kind, "monitor"))
		deliver_monitor(event, json, server);
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		Telling telling = { .event = event, .row = &rows[i] };
		if (!row_fits(&rows[i], event))
			continue;
		lv_put_domain(&arena, &telling.dom, event->guest, event->uuid, event->id);
		rows[i].fill(event, json, telling.fields, &arena);
		lv_each_client(server, tell, &telling);
	}
	json_decref(json);
	wire_arena_clear(&arena);
}

/* ---- asking ---- */

static void callback_clear(gpointer data)
{
	g_free(((LvCallback *)data)->uuid);
	g_free(((LvCallback *)data)->name);
}

void lv_callbacks_free(LvClient *client)
{
	g_clear_pointer(&client->callbacks, g_array_unref);
}

int lv_callback_add(LvClient *client, LvCallback callback)
{
	callback.id = client->last_callback++;
	if (!client->callbacks) {
		client->callbacks = g_array_new(FALSE, FALSE, sizeof callback);
		g_array_set_clear_func(client->callbacks, callback_clear);
	}
	g_array_append_val(client->callbacks, callback);
	return callback.id;
}

static gboolean is_tracked(const LvClient *client, gint64 event)
{
	for (guint i = 0; client->callbacks && i < client->callbacks->len; i++) {
		const LvCallback *callback = &g_array_index(client->callbacks, LvCallback, i);
		if (callback->legacy && callback->event == event)
			return TRUE;
	}
	return FALSE;
}

static gboolean remove_callback(LvClient *client, gboolean legacy, int event, int id, GError **error)
{
	for (guint i = 0; client->callbacks && i < client->callbacks->len; i++) {
		const LvCallback *callback = &g_array_index(client->callbacks, LvCallback, i);
		if (callback->legacy != legacy || callback->family ||
		    (legacy ? callback->event != event : callback->id != id))
			continue;
		g_array_remove_index(client->callbacks, i);
		return TRUE;
	}
	if (legacy)
		return lv_fail(error, LV_ERR_INTERNAL, "domain event %d not registered", event);
	return lv_fail(error, LV_ERR_INTERNAL, "domain event callback %d not registered", id);
}

#define MAX_CALLBACKS 4096 /* of one client */

static gboolean may_add(LvClient *client, gint64 event, gboolean legacy, GError **error)
{
	guint32 procedure;
	if (!lv_event_type((int)event, legacy, &procedure))
		return lv_fail(error, LV_ERR_INTERNAL, "unsupported event ID %d", (int)event);
	if (legacy && is_tracked(client, event))
		return lv_fail(error, LV_ERR_INVALID_ARG, "event callback already tracked");
	if (client->callbacks && client->callbacks->len >= MAX_CALLBACKS)
		return lv_fail(error, LV_ERR_INVALID_ARG, "%u callbacks are registered: enough",
			       MAX_CALLBACKS);
	return TRUE;
}

gboolean lv_event_register(LvCall *call, GError **error)
{
	if (!may_add(call->client, EVENT_LIFECYCLE, TRUE, error))
		return FALSE;
	lv_callback_add(call->client, (LvCallback){ .event = EVENT_LIFECYCLE, .legacy = TRUE });
	lv_put(call, "cb_registered")->i = 1;
	return TRUE;
}

gboolean lv_event_deregister(LvCall *call, GError **error)
{
	return remove_callback(call->client, TRUE, EVENT_LIFECYCLE, 0, error);
}

gboolean lv_event_register_any(LvCall *call, GError **error)
{
	gint64 event = lv_arg(call, "eventID")->i;
	if (!may_add(call->client, event, TRUE, error))
		return FALSE;
	lv_callback_add(call->client, (LvCallback){ .event = (int)event, .legacy = TRUE });
	return TRUE;
}

gboolean lv_event_deregister_any(LvCall *call, GError **error)
{
	return remove_callback(call->client, TRUE, (int)lv_arg(call, "eventID")->i, 0, error);
}

gboolean lv_event_callback_register(LvCall *call, GError **error)
{
	gint64 event = lv_arg(call, "eventID")->i;
	const WireValue *dom = lv_arg(call, "dom");
	if (!may_add(call->client, event, FALSE, error))
		return FALSE;
	LvCallback callback = { .event = (int)event,
				.uuid = dom->set ? lv_uuid_text(dom->items[1].bytes) : NULL };
	lv_put(call, "callbackID")->i = lv_callback_add(call->client, callback);
	return TRUE;
}

gboolean lv_event_callback_deregister(LvCall *call, GError **error)
{
	return remove_callback(call->client, FALSE, 0, (int)lv_arg(call, "callbackID")->i, error);
}

gboolean lv_monitor_event_register(LvCall *call, GError **error)
{
	const WireValue *dom = lv_arg(call, "dom"), *event = lv_arg(call, "event");
	guint64 flags = lv_arg(call, "flags")->u;
	if (call->client->caller.read_only)
		return fail(error, LODGE_ERROR_DENIED,
			    "a read-only connection hears nothing of QEMU's monitor");
	if (flags & ~(guint64)(MONITOR_REGEX | MONITOR_NOCASE))
		return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported flags (0x%x)", (guint)flags);
	if (!may_add(call->client, EVENT_LIFECYCLE, FALSE, error))
		return FALSE;
	LvCallback callback = { .qemu = TRUE, .event = (int)flags,
				.name = event->set ? g_strdup(event->s) : NULL,
				.uuid = dom->set ? lv_uuid_text(dom->items[1].bytes) : NULL };
	lv_put(call, "callbackID")->i = lv_callback_add(call->client, callback);
	return TRUE;
}

/* Events for clients that asked: the core's words become libvirt's numbers, in both forms, with the id
 * of the callback and the old one without. Neighbours: ops/events.h tells; procs.c has the rows. */
#include "wire/libvirt/internal.h"

#include <jansson.h>
#include <string.h>

typedef enum DomainEvent { /* virDomainEventID */
	EVENT_LIFECYCLE = 0,
	EVENT_REBOOT = 1,
	EVENT_RTC_CHANGE = 2,
	EVENT_WATCHDOG = 3,
	EVENT_IO_ERROR = 4,
	EVENT_IO_ERROR_REASON = 6,
	EVENT_TRAY_CHANGE = 10,
	EVENT_PMWAKEUP = 11,
	EVENT_PMSUSPEND = 12,
	EVENT_BALLOON_CHANGE = 13,
	EVENT_DEVICE_REMOVED = 15,
	EVENT_AGENT_LIFECYCLE = 18,
	EVENT_METADATA_CHANGE = 23,
} DomainEvent;

#define MAX_FIELDS 6 /* of an event's message, its guest not counted */

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

static void fill_lifecycle(const OpEvent *event, G_GNUC_UNUSED json_t *json, WireValue *fields)
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

static void fill_nothing(G_GNUC_UNUSED const OpEvent *event, G_GNUC_UNUSED json_t *json,
			 G_GNUC_UNUSED WireValue *fields)
{
}

static void fill_rtc(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	fields[0].i = json_integer_value(json_object_get(json, "offset"));
}

static void fill_watchdog(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	static const char *const actions[] = { "none",	   "pause",    "reset", "poweroff",
					       "shutdown", "debug",    "inject-nmi" };
	fields[0].i = index_of(actions, G_N_ELEMENTS(actions), text_of(json, "action"));
}

static void fill_io_error(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	static const char *const actions[] = { "ignore", "stop", "report" };
	static const WireValue none = { .s = "" };
	fields[0] = none;
	fields[1].s = text_of(json, "device");
	fields[2].i = index_of(actions, G_N_ELEMENTS(actions), text_of(json, "action"));
	fields[3].s = json_is_true(json_object_get(json, "nospace")) ? "enospc" : "";
}

static void fill_tray(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	fields[0].s = text_of(json, "id");
	fields[1].i = json_is_true(json_object_get(json, "tray-open")) ? 0 : 1;
}

static void fill_balloon(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	fields[0].u = (guint64)json_integer_value(json_object_get(json, "actual")) / 1024;
}

static void fill_device(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	fields[0].s = text_of(json, "device");
}

/* The agent's channel was opened or closed: state 1 or 2, reason 2 (channel). */
static void fill_agent(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	fields[0].i = json_is_true(json_object_get(json, "open")) ? 1 : 2;
	fields[1].i = 2;
}

static void fill_metadata(G_GNUC_UNUSED const OpEvent *event, json_t *json, WireValue *fields)
{
	fields[0].i = json_integer_value(json_object_get(json, "type"));
	fields[1].s = json_string_value(json_object_get(json, "uri"));
	fields[1].set = fields[1].s != NULL;
}

/* ---- the table ---- */

typedef struct EventRow {
	DomainEvent event;
	const char *kind; /* the core's word; of lifecycle events may be told by its event, too */
	const char *lifecycle; /* NULL: any */
	guint callback, legacy; /* procedures; 0: there is none */
	const char *fields;	/* behind the guest */
	gboolean reason;	/* a number stands before the message */
	void (*fill)(const OpEvent *event, json_t *json, WireValue *fields);
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

void lv_events_deliver(const OpEvent *event, gpointer server)
{
	WireArena arena = { 0 };
	if (!event->guest) {
		lv_object_events_deliver(event, server);
		return;
	}
	json_t *json = event->json ? json_loads(event->json, 0, NULL) : NULL;
	for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
		Telling telling = { .event = event, .row = &rows[i] };
		if (!row_fits(&rows[i], event))
			continue;
		lv_put_domain(&arena, &telling.dom, event->guest, event->uuid, event->id);
		rows[i].fill(event, json, telling.fields);
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
		return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported event ID %d", (int)event);
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

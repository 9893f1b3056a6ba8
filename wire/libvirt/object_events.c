/* Events of what is no guest: networks, storage pools, secrets, node devices. Neighbours: events.c does the
 * same for guests, whose events have forms without a callback id; ops/events.h tells. */
#include "wire/libvirt/internal.h"

#include <jansson.h>
#include <string.h>

#define MAX_CALLBACKS 4096 /* of one client and all it listens to */
#define MAX_FIELDS 4

typedef struct EventRow {
	int event;	    /* libvirt's number within its family */
	const char *kind;   /* the core's word */
	guint procedure;
	const char *fields; /* behind callback id and object */
} EventRow;

struct LvObjectFamily {
	const char *type, *argument; /* the composite and the argument that names one of them */
	EventRow rows[2];
};

static const LvObjectFamily families[] = {
	[LV_NETWORK_EVENTS] = { "network", "net",
				{ { 0, "network-lifecycle", 315, " event:i32 detail:i32" } } },
	[LV_POOL_EVENTS] = { "storage_pool", "pool",
			     { { 0, "pool-lifecycle", 370, " event:i32 detail:i32" },
			       { 1, "pool-refresh", 373, "" } } },
	[LV_SECRET_EVENTS] = { "secret", "secret",
			       { { 0, "secret-lifecycle", 382, " event:i32 detail:i32" },
				 { 1, "secret-value-changed", 383, "" } } },
	[LV_NODEDEV_EVENTS] = { "node_device", "dev",
				{ { 0, "nodedev-lifecycle", 376, " event:i32 detail:i32" },
				  { 1, "nodedev-update", 377, "" } } },
};

/* The core's words in the order of virNetworkEventLifecycleType, virStoragePoolEventLifecycleType and
 * virSecretEventLifecycleType, which agree. */
static const char *const lifecycles[] = { "defined", "undefined", "started", "stopped", "created",
					  "deleted" };
/* virNodeDeviceEventLifecycleType. */
static const char *const device_lifecycles[] = { "created", "deleted", "defined", "undefined" };

static const EventRow *row_of(const LvObjectFamily *family, gint64 event)
{
	for (guint i = 0; i < G_N_ELEMENTS(family->rows); i++)
		if (family->rows[i].kind && family->rows[i].event == event)
			return &family->rows[i];
	return NULL;
}

/* ---- telling ---- */

typedef struct Telling {
	const LvObjectFamily *family;
	const EventRow *row;
	const OpEvent *event;
	const WireType *type;
	WireValue object;
	int number;
} Telling;

static void tell(LvClient *client, gpointer data)
{
	const Telling *telling = data;
	for (guint i = 0; client->callbacks && i < client->callbacks->len; i++) {
		const LvCallback *callback = &g_array_index(client->callbacks, LvCallback, i);
		if (callback->family != telling->family || callback->event != telling->row->event ||
		    (callback->uuid && !g_str_equal(callback->uuid, telling->event->uuid)) ||
		    (callback->name && g_strcmp0(callback->name, telling->event->object)))
			continue;
		WireValue values[MAX_FIELDS] = { { .i = callback->id }, telling->object,
						 { .i = telling->number }, { .i = 0 } };
		lv_send_event(client, LV_REMOTE, telling->row->procedure, telling->type, values);
	}
}

/* A composite's field by its name: the event's name or uuid, or what its details say. */
static void fill_object(WireArena *arena, WireValue *value, const WireType *type, const OpEvent *event,
			json_t *json)
{
	value->items = wire_alloc(arena, type->n * sizeof(WireValue));
	value->n = type->n;
	value->set = TRUE;
	for (guint i = 0; i < type->n; i++) {
		const WireField *field = &type->fields[i];
		WireValue *put = &value->items[i];
		json_t *detail = json_object_get(json, field->name);
		if (field->exactly == 16) {
			put->bytes = lv_uuid_bytes(arena, event->uuid);
			put->n = 16;
		} else if (field->kind == WIRE_STR) {
			put->s = json_is_string(detail)		   ? json_string_value(detail) :
				 g_str_equal(field->name, "name") ? event->object :
								    "";
		} else {
			put->i = json_integer_value(detail);
		}
	}
}

static int lifecycle_of(const LvObjectFamily *family, const char *event)
{
	gboolean device = family == &families[LV_NODEDEV_EVENTS];
	const char *const *words = device ? device_lifecycles : lifecycles;
	guint n = device ? G_N_ELEMENTS(device_lifecycles) : G_N_ELEMENTS(lifecycles);
	for (guint i = 0; event && i < n; i++)
		if (g_str_equal(words[i], event))
			return (int)i;
	return 0;
}

static void deliver(const LvObjectFamily *family, const EventRow *row, const OpEvent *event,
		    gpointer server)
{
	WireArena arena = { 0 };
	g_autofree char *signature =
		g_strdup_printf("callbackID:i32 %s:%s%s", family->argument, family->type, row->fields);
	Telling telling = { .family = family, .row = row, .event = event, .type = wire_type(signature) };
	json_t *json = event->json ? json_loads(event->json, 0, NULL) : NULL;
	fill_object(&arena, &telling.object, telling.type->fields[1].type, event, json);
	telling.number = lifecycle_of(family, event->event);
	lv_each_client(server, tell, &telling);
	json_decref(json);
	wire_arena_clear(&arena);
}

void lv_object_events_deliver(const OpEvent *event, gpointer server)
{
	for (guint f = 0; f < G_N_ELEMENTS(families); f++)
		for (guint i = 0; i < G_N_ELEMENTS(families[f].rows); i++)
			if (families[f].rows[i].kind && g_str_equal(families[f].rows[i].kind, event->kind))
				deliver(&families[f], &families[f].rows[i], event, server);
}

/* ---- asking ---- */

static gboolean register_callback(LvCall *call, LvObjectEvents which, GError **error)
{
	const LvObjectFamily *family = &families[which];
	gint64 event = lv_arg(call, "eventID")->i;
	const WireValue *object = lv_arg(call, family->argument);
	const LvClient *client = call->client;
	if (!row_of(family, event))
		return lv_fail(error, LV_ERR_INTERNAL, "unsupported %s event ID %d", family->type,
			       (int)event);
	if (client->callbacks && client->callbacks->len >= MAX_CALLBACKS)
		return lv_fail(error, LV_ERR_INVALID_ARG, "%u callbacks are registered: enough",
			       MAX_CALLBACKS);
	LvCallback callback = { .event = (int)event, .family = family };
	for (guint i = 0; object->set && i < object->n && !callback.uuid; i++)
		if (object->items[i].n == 16)
			callback.uuid = lv_uuid_text(object->items[i].bytes);
	if (object->set && which == LV_NODEDEV_EVENTS)
		callback.name = g_strdup(object->items[0].s);
	lv_put(call, "callbackID")->i = lv_callback_add(call->client, callback);
	return TRUE;
}

gboolean lv_network_event_register(LvCall *call, GError **error)
{
	return register_callback(call, LV_NETWORK_EVENTS, error);
}

gboolean lv_pool_event_register(LvCall *call, GError **error)
{
	return register_callback(call, LV_POOL_EVENTS, error);
}

gboolean lv_secret_event_register(LvCall *call, GError **error)
{
	return register_callback(call, LV_SECRET_EVENTS, error);
}

gboolean lv_nodedev_event_register(LvCall *call, GError **error)
{
	op_watch_devices(lv_core(call->client));
	return register_callback(call, LV_NODEDEV_EVENTS, error);
}

gboolean lv_object_event_deregister(LvCall *call, GError **error)
{
	gint64 id = lv_arg(call, "callbackID")->i;
	GArray *callbacks = call->client->callbacks;
	for (guint i = 0; callbacks && i < callbacks->len; i++) {
		const LvCallback *callback = &g_array_index(callbacks, LvCallback, i);
		if (!callback->family || callback->id != id)
			continue;
		g_array_remove_index(callbacks, i);
		return TRUE;
	}
	return lv_fail(error, LV_ERR_INTERNAL, "event callback %d not registered", (int)id);
}

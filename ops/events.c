/* See events.h. */
#include "ops/events.h"
#include "core/nodedevs.h"

typedef struct Listener {
	guint id;
	OpEventFn fn;
	gpointer data;
} Listener;

static GArray *listeners; /* of Listener *; made at the first use */

static void on_event(const CoreEvent *event, gpointer data)
{
	const Listener *listener = data;
	OpEvent told = { .kind = event->kind, .event = event->event, .detail = event->detail,
			 .guest = event->guest, .object = event->object, .uuid = event->uuid, .id = event->id,
			 .time = event->time, .json = event->json };
	listener->fn(&told, listener->data);
}

guint op_subscribe(Core *core, OpEventFn fn, gpointer data)
{
	Listener *listener = g_new(Listener, 1);
	*listener = (Listener){ .fn = fn, .data = data };
	listener->id = core_subscribe(core, on_event, listener);
	if (!listeners)
		listeners = g_array_new(FALSE, FALSE, sizeof(Listener *));
	g_array_append_val(listeners, listener);
	return listener->id;
}

void op_watch_devices(Core *core)
{
	core_nodedevs_watch(core);
}

void op_unsubscribe(Core *core, guint id)
{
	core_unsubscribe(core, id);
	for (guint i = 0; listeners && i < listeners->len; i++) {
		Listener *listener = g_array_index(listeners, Listener *, i);
		if (listener->id != id)
			continue;
		g_free(listener);
		g_array_remove_index_fast(listeners, i);
		return;
	}
}

/* See events.h. */
#include "core/internal.h"

typedef struct Subscriber {
	guint id;
	CoreEventFn fn; /* NULL: gone */
	gpointer data;
} Subscriber;

/* Main loop's thread only, but for refs: what is on its way to the loop may outlive the core. */
struct Events {
	gint refs;
	GArray *subscribers;
	guint last_id;
	guint delivering; /* depth, so that nothing moves while it is walked */
};

typedef struct Delivery {
	Events *events;
	CoreEvent *event;
} Delivery;

Events *events_new(void)
{
	Events *events = g_new0(Events, 1);
	events->refs = 1;
	events->subscribers = g_array_new(FALSE, FALSE, sizeof(Subscriber));
	return events;
}

void events_free(Events *events)
{
	if (!g_atomic_int_dec_and_test(&events->refs))
		return;
	g_array_unref(events->subscribers);
	g_free(events);
}

void events_close(Events *events)
{
	g_array_set_size(events->subscribers, 0);
}

guint core_subscribe(Core *core, CoreEventFn fn, gpointer data)
{
	Subscriber subscriber = { .id = ++core->events->last_id, .fn = fn, .data = data };
	g_array_append_val(core->events->subscribers, subscriber);
	return subscriber.id;
}

static void sweep(Events *events)
{
	for (guint i = events->subscribers->len; i-- > 0;)
		if (!g_array_index(events->subscribers, Subscriber, i).fn)
			g_array_remove_index(events->subscribers, i);
}

void core_unsubscribe(Core *core, guint id)
{
	for (guint i = 0; i < core->events->subscribers->len; i++) {
		Subscriber *s = &g_array_index(core->events->subscribers, Subscriber, i);
		if (s->id == id)
			s->fn = NULL;
	}
	if (!core->events->delivering)
		sweep(core->events);
}

static void deliver(gpointer data)
{
	g_autofree Delivery *delivery = data;
	Events *events = delivery->events;
	CoreEvent *event = delivery->event;
	events->delivering++;
	for (guint i = 0; i < events->subscribers->len; i++) {
		Subscriber s = g_array_index(events->subscribers, Subscriber, i);
		if (s.fn)
			s.fn(event, s.data);
	}
	if (--events->delivering == 0)
		sweep(events);
	g_free(event->guest);
	g_free(event->object);
	g_free(event->json);
	g_free(event);
	events_free(events);
}

void core_publish(Core *core, CoreEvent *event)
{
	Delivery *delivery = g_new(Delivery, 1);
	g_atomic_int_inc(&core->events->refs);
	*delivery = (Delivery){ .events = core->events, .event = event };
	lane_to_main(deliver, delivery);
}

/* Who wants to hear what happens. Events are published from any thread and delivered on the main
 * loop's thread, in the order of publishing.
 * Neighbours: core.h; ops/ and wire/ subscribe. */
#pragma once

#include <glib.h>

typedef struct Core Core;

typedef struct CoreEvent {
	const char *kind; /* "lifecycle", or the name of EngineSink's event: static or interned */
	const char *event; /* lifecycle: defined undefined started suspended resumed stopped
			      shutdown pmsuspended crashed; else NULL. Static */
	const char *detail; /* "booted", "destroyed", ...; may be NULL. Static */
	char *guest;  /* its name; NULL where the event is not of a guest */
	char *object; /* the name of another object: see object.h; NULL: it is of a guest */
	char uuid[37];
	int id;	      /* -1: not running */
	gint64 time;  /* real time, microseconds */
	char *json;   /* an object with what else there is; may be NULL */
} CoreEvent;

typedef void (*CoreEventFn)(const CoreEvent *event, gpointer data);

/* Calls @fn for every event from now on; returns a number above 0. Main. */
guint core_subscribe(Core *core, CoreEventFn fn, gpointer data);
/* @fn is not called again. Main. */
void core_unsubscribe(Core *core, guint id);
/* Takes @event and its strings. Any thread. */
void core_publish(Core *core, CoreEvent *event);

/* What happens to guests, for doors that tell it in their own way. (The verb `events` is for people and
 * programs that read lines.) Neighbours: core/events.h below. Main loop's thread only. */
#pragma once

#include <glib.h>

typedef struct Core Core;

typedef struct OpEvent {
	const char *kind;   /* "lifecycle", "reboot", "watchdog", ...: libvirt's names */
	const char *event;  /* of lifecycle: defined undefined started suspended resumed stopped ... */
	const char *detail; /* "booted", "destroyed", ...; may be NULL */
	const char *guest, *uuid; /* guest NULL: of another object */
	const char *object; /* the name of a network, a pool, ...; kind tells: "network-lifecycle" */
	int id;		  /* -1: not running */
	gint64 time;	  /* real time, microseconds */
	const char *json; /* an object with what else there is; may be NULL */
} OpEvent;

typedef void (*OpEventFn)(const OpEvent *event, gpointer data);

/* Calls @fn for every event from now on; returns a number above 0. */
guint op_subscribe(Core *core, OpEventFn fn, gpointer data);
/* Events of the host's devices are told from now on. */
void op_watch_devices(Core *core);
/* @fn is not called again. */
void op_unsubscribe(Core *core, guint id);

/* Serial consoles: a ring of the last output of each, kept in a file below run/ so that a late reader
 * sees the boot, also after a restart of the daemon; many readers, one writer.
 * Neighbours: core.h; the engine delivers output and takes input. Main loop's thread only. */
#pragma once

#include "core/core.h"

typedef enum ConsoleFlags {
	CONSOLE_FORCE = 1 << 0,	   /* take the writing from who has it */
	CONSOLE_READ_ONLY = 1 << 1,
	CONSOLE_NO_HISTORY = 1 << 2, /* only what comes from now on */
} ConsoleFlags;

/* One end of a socketpair that carries the bytes of the console @alias (NULL: the first) both ways;
 * the caller's. What others than the writer send is dropped, and *writable says who that is. The
 * far end is closed when the guest ends. -1: STATE where it does not run, NOT_FOUND without such a
 * console. */
int core_console_open(CoreGuest *guest, const char *alias, guint flags, gboolean *writable,
		      GError **error);

/* Calls @fn once, when @text has been printed by the console since its start (then at once) or will
 * be. Returns a number above 0, or 0 where there is no such console. The watch ends with the guest:
 * @found is then FALSE. */
typedef void (*ConsoleFoundFn)(gboolean found, gpointer data);
guint core_console_watch(CoreGuest *guest, const char *alias, const char *text, ConsoleFoundFn fn,
			 gpointer data, GError **error);
void core_console_unwatch(CoreGuest *guest, guint id);

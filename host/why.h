/* Why the system refused a file: which folder or file, which user, which rule. So that "Permission
 * denied" names what is to be changed. Neighbours: image/ and engine/ say it when an open fails. */
#pragma once

#include <glib.h>

/* The reason that @path could not be opened (@writes: for writing) by this process with @errnum, as a
 * part of a sentence: `user lodge (uid 995) may not enter the folder "/srv" (mode 0700, owner alice)`.
 * NULL where nothing is known beyond @errnum. The caller frees it. Walks the path: for messages
 * only. Any thread; blocks on the disk. */
char *host_why_refused(const char *path, int errnum, gboolean writes);

/* As fail_errno(), with that reason behind. */
gboolean fail_open(GError **error, int errnum, const char *path, gboolean writes, const char *format, ...)
	G_GNUC_PRINTF(5, 6);

/* Passes @why (taken) on as *error and returns FALSE. Where no space was left it says which file system at
 * @path that is, and what it has left by now. Any thread; asks the file system. */
gboolean fail_full(GError **error, GError *why, const char *path);

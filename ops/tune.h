/* What the files of verbs that change limits share: guest_tune.c has the functions; guest_cpus.c uses
 * them too. */
#pragma once

#include "core/core.h"
#include "ops/ops.h"

#include <jansson.h>

/* core_guest_edit() with @fn, refused where the definition would not be a right one then. Lane. */
gboolean tune_edit(OpCall *call, gboolean live, gboolean config, GuestEditFn fn, gpointer args,
		   GError **error);
/* For verbs that also only show: DENIED for callers that may only read. Any thread. */
gboolean tune_may_write(OpCall *call, GError **error);
/* What QEMU returns to @command with @arguments, which it takes (NULL: none); a new reference, or NULL
 * with QEMU's reason. Lane. */
json_t *tune_ask(OpCall *call, const char *command, json_t *arguments, GError **error);

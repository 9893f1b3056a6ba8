/* What the files of verbs that change limits share: guest_tune.c has the functions; guest_cpus.c uses
 * them too. */
#pragma once

#include "core/core.h"
#include "ops/ops.h"

#include <jansson.h>
#include <sched.h>

/* core_guest_edit() with @fn, refused where the definition would not be a right one then. Lane. */
gboolean tune_edit(OpCall *call, gboolean live, gboolean config, GuestEditFn fn, gpointer args,
		   GError **error);
/* Has what runs be as @wanted says, which was @before until now. Lane. */
typedef gboolean (*TuneNowFn)(OpCall *call, const Guest *before, const Guest *wanted, GError **error);
/* Changes the definition with @fn (of call->args): what runs (@live), what is stored (@config), or where
 * neither is said whichever the guest has now. What runs is changed by @now first, so that what cannot be
 * is not written down; NULL: it does not change while the guest runs. Refused for readers. Lane. */
gboolean tune_change(OpCall *call, gboolean live, gboolean config, GuestEditFn fn, TuneNowFn now,
		     GError **error);
/* Whether tune_change() would change what runs. Any thread. */
gboolean tune_is_live(OpCall *call, gboolean live, gboolean config);
/* Tells that something of what runs was tuned: @params (taken), numbers and words by libvirt's names
 * (VIR_DOMAIN_TUNABLE_*); nothing where it is empty. Any thread. */
void tune_tell(OpCall *call, json_t *params);
/* "0-2,5": the caller frees it. Any thread. */
char *tune_set_text(const cpu_set_t *set);
/* "0-3,^2" as a set; INVALID where it names no processor. Any thread. */
gboolean tune_cpuset(const char *text, cpu_set_t *set, GError **error);
/* "0-7" of all processors of the host; the caller frees it. Any thread. */
char *tune_every_cpu(void);
/* For verbs that also only show: DENIED for callers that may only read. Any thread. */
gboolean tune_may_write(OpCall *call, GError **error);
/* What QEMU returns to @command with @arguments, which it takes (NULL: none); a new reference, or NULL
 * with QEMU's reason. Lane. */
json_t *tune_ask(OpCall *call, const char *command, json_t *arguments, GError **error);

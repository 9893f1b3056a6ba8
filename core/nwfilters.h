/* Network filters among the live objects, and which ports they are at work on (bindings).
 * Neighbours: nwfilters.c is the kind, nwfilter_bindings.c the ports; plugs.c binds those of guests;
 * net/filter_host.h does it. */
#pragma once

#include "core/object.h"
#include "model/nwfilter.h"

typedef enum CoreFilterFlags {
	CORE_FILTER_REPLACE = 1 << 0, /* a binding of that port that is there already goes */
} CoreFilterFlags;

/* Puts the filter of @binding (copied) to work on its port, which need not be there yet, and remembers
 * that over restarts. EXISTS where the port has one. A lane, or OP_BESIDE: takes some milliseconds. */
gboolean core_filter_bind(Core *core, const FilterBinding *binding, guint flags, GError **error);
/* Begins to look for the address of the port where its filter needs one: the port is there now. */
void core_filter_watch(Core *core, const char *port);
/* Ends it. A lane, or OP_BESIDE. NOT_FOUND, which callers that clear up ignore. */
gboolean core_filter_unbind(Core *core, const char *port);

/* The bindings: FilterBinding *, owned by the caller, by the name of the port. Never waits. */
GPtrArray *core_filter_bindings(Core *core);
/* One of them, or NULL with NOT_FOUND. The caller owns it (shape_free). Never waits. */
FilterBinding *core_filter_binding(Core *core, const char *port, GError **error);

/* ---- between nwfilters.c and nwfilter_bindings.c, and core.c ---- */

/* Makes and frees what core.c keeps. Main. */
struct CoreFilters *filters_new(void);
void filters_free(struct CoreFilters *filters);
/* Looks for no addresses any more. Main. */
void filters_close(Core *core);
/* Takes up the bindings that an earlier daemon made. Main, at start, after objects_load(). */
void filters_adopt(Core *core);

/* Whether all ports that use the filter @changed could have rules, if it were as it is there. Any
 * thread. */
gboolean filters_check(Core *core, const Filter *changed, GError **error);
/* New rules for the ports that use the filter @name. A lane. */
void filters_changed(Core *core, const char *name);
/* The port or filter that needs the filter @name, for messages; NULL: none. The caller frees it. */
char *filters_user_of(Core *core, const char *name);

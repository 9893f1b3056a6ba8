/* Taking over a host that libvirt managed: its guests with their UEFI variables, TPMs and managed saves, and
 * its networks, pools, filters and secrets. Everything is copied and nothing of libvirt's is touched, so that
 * it can all be given back: what was taken is written down, and core_unadopt() removes it again.
 *
 * Neighbours: ops/adopt.c; store and core as for any other definition. */
#pragma once

#include "core/core.h"

/* One thing that was found, and what becomes of it. */
typedef struct AdoptItem {
	ShapeHead head;
	char *kind;   /* "domain", "network", "pool", "nwfilter", "secret" */
	char *name, *uuid;
	char *action; /* take, there, conflict; taken, failed; removed, kept */
	char *note;   /* why, or what goes with it; may be NULL */
	/* not shown */
	char *file;	 /* libvirt's */
	char *nvram, *tpm, *save, *value; /* libvirt's, where there are such */
	GPtrArray *copies; /* char *: files that were made beside the definition */
	gboolean autostart;
} AdoptItem;

extern const Shape adopt_item_shape; /* what is shown, and what is written down */

/* Everything that libvirt keeps below @from (NULL: of this host, or of this person where the daemon is a
 * person's), with .action as a plan. An array of AdoptItem *, the caller's. OP_BESIDE. */
GPtrArray *core_adopt_plan(Core *core, const char *from, GError **error);
/* Does what the plan says; the actions tell what came of it. @progress may be NULL. OP_BESIDE. */
gboolean core_adopt(Core *core, GPtrArray *plan, const EngineProgress *progress, GError **error);
/* Removes what was taken, but for what is active. The same array, or NULL. OP_BESIDE. */
GPtrArray *core_unadopt(Core *core, GError **error);

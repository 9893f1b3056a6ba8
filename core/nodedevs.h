/* The host's devices as clients see them: a list that is read once somebody asks, and then kept by the
 * kernel's news; events of it; and who of our guests uses a device.
 *
 * Functions marked "beside" may block: no main loop, no lane. Neighbours: nodedev/ reads sysfs; ops/nodedev.c
 * has the verbs. */
#pragma once

#include "core/core.h"
#include "nodedev/nodedev.h"

/* Begins to watch, so that events are told from now on. Any thread; returns at once. */
void core_nodedevs_watch(Core *core);
/* Every device (const NodeDev *), by name: immutable; a reference. Beside. */
GPtrArray *core_nodedevs(Core *core);
/* A reference to the device of that name, or of "WWNN,WWPN"; NULL with NOT_FOUND. Beside. */
NodeDev *core_nodedev_find(Core *core, const char *name, GError **error);
/* Its document as it is now. Beside. */
NodeDevice *core_nodedev_read(Core *core, const char *name, GError **error);

/* What is done with one device; refused where a guest that runs uses it. Beside. */
typedef gboolean (*NodeDevFn)(const NodeTree *tree, const NodeDev *dev, GError **error);
gboolean core_nodedev_do(Core *core, const char *name, NodeDevFn fn, GError **error);
gboolean core_nodedev_autostart(Core *core, const char *name, gboolean on, GError **error);
/* Makes, or with @define stores, what the document says; the name is the caller's. Beside. */
char *core_nodedev_make(Core *core, const char *xml, gboolean define, gboolean validate, Notes *notes,
			GError **error);

/* core.c: what of it lives as long as the core. Main. */
struct CoreNodedevs *core_nodedevs_new(void);
/* Mediated devices marked autostart are made, where nobody did that before. */
void core_nodedevs_begin(Core *core);
/* Nothing is heard any more. */
void core_nodedevs_close(struct CoreNodedevs *nodedevs);
void core_nodedevs_free(struct CoreNodedevs *nodedevs);

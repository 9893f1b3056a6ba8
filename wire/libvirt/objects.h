/* What rows of procedures say the same way of every kind of object beside guests: lists, counts, names.
 * Neighbours: procs_storage.c, procs_network.c, procs_nwfilter.c, procs_secret.c name these. */
#pragma once

#include "wire/libvirt/internal.h"

/* The only list of the verb's result, never NULL; *@shape (may be NULL) becomes that of its items. */
const GPtrArray *lv_listed(const OpCall *op, const Shape **shape);
/* How many of @list a client wants who says need_results; puts "ret". */
guint lv_list_wanted(LvCall *call, const GPtrArray *list);
/* The bits of pairs that all lists have: neither or both of a pair says nothing. */
typedef struct LvListBits {
	guint active, inactive, persistent, transient, autostart, no_autostart;
} LvListBits;
void lv_list_filter(OpCall *op, guint64 flags, const LvListBits *bits);
/* Whether @flags ask for @this and not for its opposite @other. */
gboolean lv_only(guint64 flags, guint this, guint other);

/* With those of virConnectListAllNetworksFlags and virConnectListAllStoragePoolsFlags. */
gboolean lv_before_objects(LvCall *call, OpCall *op, GError **error);
#define LV_OBJECT_FLAGS 0x3f
gboolean lv_before_inactive_objects(LvCall *call, OpCall *op, GError **error);
/* The reply's list, whatever its name: objects of the wire's type, and "ret". */
gboolean lv_after_objects(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_count(LvCall *call, OpCall *op, GError **error); /* "num" */
gboolean lv_after_names(LvCall *call, OpCall *op, GError **error); /* "names", at most maxnames */
gboolean lv_after_uuids(LvCall *call, OpCall *op, GError **error); /* "uuids", at most maxuuids */

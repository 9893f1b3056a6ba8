/* What rows of procedures about storage pools and volumes cannot say. Neighbours: procs_storage.c. */
#pragma once

#include "wire/libvirt/internal.h"

gboolean lv_before_pools(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_pool_info(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_volumes(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_volume(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_volume_resize(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_volume_wipe(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_volume_in_pool(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_pool_of_volume(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_clone(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_volume_info(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_transfer(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_transfer(LvCall *call, OpCall *op, GError **error);

/* What rows of procedures about networks cannot say. Neighbours: procs_network.c. */
#pragma once

#include "wire/libvirt/internal.h"

gboolean lv_after_bridge_name(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_network_update(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_leases(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_network_port(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_network_ports(LvCall *call, OpCall *op, GError **error);

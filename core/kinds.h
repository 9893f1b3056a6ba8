/* The kinds of objects beside guests, for kinds.c alone: each kind's file gives one. */
#pragma once

#include "core/object.h"

extern const CoreKind core_pool_kind; /* pools.c */
extern const CoreKind core_network_kind; /* networks.c */
extern const CoreKind core_kind_nwfilter; /* nwfilters.c */
extern const CoreKind core_secret_kind; /* secrets.c */

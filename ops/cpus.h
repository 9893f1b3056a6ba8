/* What documents about CPUs share. Neighbours: cpus.c compares; capabilities.c tells what there is. */
#pragma once

#include "engine/cpus.h"

/* Every <cpu> with a model in @xml (of Cpu, the caller's), which may be capabilities with others around;
 * NULL: there is none. @validate: unknown elements are refused. Any thread. */
GPtrArray *cpus_read(const char *xml, gboolean validate, GError **error);
/* The named model that is nearest to what guests can have here; NULL: none is in it. Any thread. */
const EngineCpuModel *cpu_closest(const EngineCpuModels *models);
/* The same for what has all of @set and is @vendor's ("Intel"; NULL: anybody's). */
const EngineCpuModel *cpu_closest_to(const EngineCpuModels *models, GHashTable *set, const char *vendor);
/* <feature policy='require' name=.../> for each of @set that is not in @without (NULL: none), sorted. */
void cpu_put_features(GString *out, GHashTable *set, GHashTable *without, const char *indent);

/* CPUs that a guest has beyond those of its board: the ones that <vcpus> says are there and can be unplugged.
 * They are plugged before the first instruction, in the order that <vcpu order=> says. See run.h. */
#include "base/error.h"
#include "engine/qemu/run.h"
#include "model/guest_parts.h"

#include <stdlib.h>

/* By what QEMU's CPUs are numbered, the most significant first. */
static const char *const levels[] = { "node-id",    "socket-id", "die-id",
				      "cluster-id", "core-id",	 "thread-id" };

static gint by_place(gconstpointer a, gconstpointer b)
{
	json_t *left = json_object_get(*(json_t *const *)a, "props");
	json_t *right = json_object_get(*(json_t *const *)b, "props");
	for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
		json_int_t x = json_integer_value(json_object_get(left, levels[i]));
		json_int_t y = json_integer_value(json_object_get(right, levels[i]));
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static gint by_order(gconstpointer a, gconstpointer b)
{
	const Vcpu *left = *(const Vcpu *const *)a, *right = *(const Vcpu *const *)b;
	guint64 x = opt_uint_or(left->order, G_MAXUINT64), y = opt_uint_or(right->order, G_MAXUINT64);
	return x < y ? -1 : x > y ? 1 : left->id.v < right->id.v ? -1 : 1;
}

/* Those to be plugged, in order; lent by @live. */
static GPtrArray *wanted(const Guest *live)
{
	GPtrArray *list = g_ptr_array_new();
	SHAPE_EACH (Vcpu, vcpu, live->vcpu_list)
		if (vcpu->enabled == TRI_YES && vcpu->hotpluggable == TRI_YES)
			g_ptr_array_add(list, vcpu);
	g_ptr_array_sort(list, by_order);
	return list;
}

static gboolean plug(EngineRun *run, const Vcpu *vcpu, const GPtrArray *places, GError **error)
{
	json_t *place = vcpu->id.v < places->len ? g_ptr_array_index(places, vcpu->id.v) : NULL;
	const char *type = json_string_value(json_object_get(place, "type"));
	g_autofree char *id = g_strdup_printf("vcpu%" G_GUINT64_FORMAT, vcpu->id.v);
	if (!type || json_object_get(place, "qom-path"))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": its machine has no place for CPU %u", run->name,
			    (guint)vcpu->id.v);
	json_t *device = json_copy(json_object_get(place, "props"));
	json_object_set_new(device, "driver", json_string(type));
	json_object_set_new(device, "id", json_string(id));
	json_t *done = qmp_call(run->qmp, "device_add", device, QMP_MS, error);
	json_decref(done);
	return done != NULL;
}

gboolean run_plug_vcpus(EngineRun *run, const Guest *live, GError **error)
{
	g_autoptr(GPtrArray) list = wanted(live), places = g_ptr_array_new();
	gboolean ok = TRUE;
	size_t i;
	json_t *place;
	if (!list->len)
		return TRUE;
	json_t *answer = qmp_call(run->qmp, "query-hotpluggable-cpus", NULL, QMP_MS, error);
	json_array_foreach (answer, i, place)
		g_ptr_array_add(places, place);
	g_ptr_array_sort(places, by_place);
	for (guint n = 0; answer && ok && n < list->len; n++)
		ok = plug(run, g_ptr_array_index(list, n), places, error);
	json_decref(answer);
	return ok && answer != NULL;
}

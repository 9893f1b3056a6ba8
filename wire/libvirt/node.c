/* What rows cannot say about the host. Neighbours: procs.c has the rows; the verbs are in ops/node.c
 * and ops/capabilities.c. */
#include "wire/libvirt/internal.h"

#include <string.h>

gboolean lv_after_model(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const char *arch = LV_RESULT(char *, op, "arch");
	WireValue *letters = lv_put_list(call, lv_put(call, "model"), 32, 0);
	for (guint i = 0; i < 31 && arch[i]; i++)
		letters[i].i = arch[i];
	return TRUE;
}

static const GPtrArray *list_of(OpCall *op, const char *name, const Shape **shape)
{
	static GPtrArray *none;
	for (guint i = 0; i < op->op->result->n; i++)
		if (g_str_equal(op->op->result->rows[i].name, name))
			*shape = op->op->result->rows[i].of;
	if (!none)
		none = g_ptr_array_new();
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, name);
	return list ? list : none;
}

gboolean lv_after_max_vcpus(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *type = lv_arg(call, "type");
	const Shape *shape = NULL;
	const GPtrArray *machines = list_of(op, "machines", &shape);
	guint64 most = 1;
	if (type->set && g_ascii_strcasecmp(type->s, "kvm") && g_ascii_strcasecmp(type->s, "qemu"))
		return lv_fail(error, LV_ERR_INVALID_ARG, "unknown type '%s'", type->s);
	for (guint i = 0; i < machines->len; i++) {
		gpointer machine = g_ptr_array_index(machines, i);
		most = MAX(most, LV_MEMBER(OptUint, shape, machine, "max_vcpus").v);
	}
	lv_put(call, "max_vcpus")->i = (gint64)most;
	return TRUE;
}

gboolean lv_after_models(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape = NULL;
	const GPtrArray *cpus = list_of(op, "cpus", &shape);
	gboolean same = g_str_equal(LV_RESULT(char *, op, "arch"), lv_arg(call, "arch")->s);
	guint n = same ? cpus->len : 0;
	guint sent = lv_arg(call, "need_results")->i ? n : 0;
	WireValue *models = lv_put_list(call, lv_put(call, "models"), sent, 0);
	for (guint i = 0; i < sent; i++)
		models[i].s = LV_MEMBER(char *, shape, g_ptr_array_index(cpus, i), "name");
	lv_put(call, "ret")->i = n;
	return TRUE;
}

/* ---- statistics: pairs of a name and a number ---- */

static gboolean put_stats(LvCall *call, const char *const *names, const guint64 *values, guint n)
{
	guint asked = lv_arg(call, "nparams")->i > 0 ? n : 0; /* 0: how many are there? */
	WireValue *params = lv_put_list(call, lv_put(call, "params"), asked, 2);
	for (guint i = 0; i < asked; i++) {
		params[i].items[0].s = names[i];
		params[i].items[1].u = values[i];
	}
	lv_put(call, "nparams")->i = n;
	return TRUE;
}

/* The number of a processor or cell; -1: all of them. */
static gboolean take_number(LvCall *call, OpCall *op, const char *from, const char *to, GError **error)
{
	gint64 number = lv_arg(call, from)->i;
	if (number < -1)
		return lv_fail(error, LV_ERR_INVALID_ARG, "%s %d", from, (int)number);
	if (number >= 0)
		LV_ARG(OptUint, op, to) = OPT_UINT((guint64)number);
	return TRUE;
}

gboolean lv_before_cpustats(LvCall *call, OpCall *op, GError **error)
{
	return take_number(call, op, "cpuNum", "cpu", error);
}

gboolean lv_after_cpustats(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const char *const names[] = { "kernel", "user", "idle", "iowait" };
	guint64 values[G_N_ELEMENTS(names)];
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		values[i] = LV_RESULT(OptUint, op, names[i]).v;
	return put_stats(call, names, values, G_N_ELEMENTS(names));
}

gboolean lv_before_memstats(LvCall *call, OpCall *op, GError **error)
{
	return take_number(call, op, "cellNum", "cell", error);
}

gboolean lv_after_memstats(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const char *const names[] = { "total", "free", "buffers", "cached" };
	guint64 values[G_N_ELEMENTS(names)];
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		values[i] = LV_RESULT(OptUint, op, names[i]).v / 1024;
	/* a cell has no buffers of its own */
	return put_stats(call, names, values, lv_arg(call, "cellNum")->i < 0 ? 4 : 2);
}

gboolean lv_before_cell(LvCall *call, OpCall *op, GError **error)
{
	return take_number(call, op, "startCell", "cell", error);
}

gboolean lv_after_cell(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	guint n = lv_arg(call, "maxcells")->i > 0;
	WireValue *cells = lv_put_list(call, lv_put(call, "cells"), n, 0);
	if (n)
		cells[0].u = LV_RESULT(OptUint, op, "free").v;
	return TRUE;
}

gboolean lv_after_cpumap(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const char *map = LV_RESULT(char *, op, "map");
	guint n = (guint)strlen(map);
	WireValue *value = lv_put(call, "cpumap");
	guint8 *bits = wire_alloc(&call->arena, n / 8 + 1);
	for (guint i = 0; i < n; i++)
		if (map[i] == 'y')
			bits[i / 8] |= (guint8)(1u << i % 8);
	value->bytes = bits;
	value->n = lv_arg(call, "need_map")->i ? (n + 7) / 8 : 0;
	lv_put(call, "online")->u = LV_RESULT(OptUint, op, "online").v;
	lv_put(call, "ret")->i = n;
	return TRUE;
}

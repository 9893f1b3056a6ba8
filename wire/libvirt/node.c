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

gboolean lv_after_models(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const GPtrArray *names = LV_RESULT(GPtrArray *, op, "models");
	guint n = shape_len(names), sent = lv_arg(call, "need_results")->i ? n : 0;
	WireValue *models = lv_put_list(call, lv_put(call, "models"), sent, 0);
	for (guint i = 0; i < sent; i++)
		models[i].s = g_ptr_array_index(names, i);
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

/* The documents, one after the other. */
gboolean lv_before_cpus(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *cpus = lv_arg(call, "xmlCPUs");
	if (!cpus->n)
		return lv_fail(error, LV_ERR_INVALID_ARG, "there is no CPU to compare");
	GString *all = g_string_new(NULL);
	for (guint i = 0; i < cpus->n; i++)
		g_string_append_printf(all, "%s\n", cpus->items[i].s);
	LV_ARG(char *, op, "file") = g_string_free(all, FALSE);
	return TRUE;
}

/* ---- memory in pages, sleep, labels ---- */

static gboolean take_cells(LvCall *call, OpCall *op, GError **error)
{
	gint64 first = lv_arg(call, "startCell")->i, n = (gint64)lv_arg(call, "cellCount")->u;
	if (first < -1 || n < 1 || n > 1024)
		return lv_fail(error, LV_ERR_INVALID_ARG, "cells %d and %d more", (int)first, (int)n - 1);
	LV_ARG(gboolean, op, "all") = first < 0;
	LV_ARG(OptUint, op, "cellno") = OPT_UINT((guint64)MAX(first, 0));
	LV_ARG(OptUint, op, "cells") = OPT_UINT((guint64)n);
	return TRUE;
}

gboolean lv_before_pages(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *pages = lv_arg(call, "pages");
	if (pages->n * lv_arg(call, "cellCount")->u > 1024)
		return lv_fail(error, LV_ERR_INVALID_ARG, "more than 1024 numbers are too many");
	for (guint i = 0; i < pages->n; i++)
		shape_append(&LV_ARG(GPtrArray *, op, "sizes"), NULL,
			     g_strdup_printf("%u", (guint)pages->items[i].u));
	return take_cells(call, op, error);
}

gboolean lv_after_pages(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const GPtrArray *params = LV_RESULT(GPtrArray *, op, "params");
	WireValue *counts = lv_put_list(call, lv_put(call, "counts"), MIN(shape_len(params), 1024), 0);
	for (guint i = 0; i < lv_put(call, "counts")->n; i++)
		counts[i].i = ((const Param *)g_ptr_array_index(params, i))->number.v;
	return TRUE;
}

/* One size at a time, as clients ask for it; with the flag SET there are as many then, not more. */
gboolean lv_before_alloc(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *sizes = lv_arg(call, "pageSizes"), *counts = lv_arg(call, "pageCounts");
	if (sizes->n != 1 || counts->n != 1 || counts->items[0].u > G_MAXINT32)
		return lv_fail(error, LV_ERR_INVALID_ARG, "pages are allocated for one size at a time");
	LV_ARG(OptUint, op, "pagesize") = OPT_UINT(sizes->items[0].u * 1024);
	LV_ARG(OptUint, op, "pagecount") = OPT_UINT(counts->items[0].u);
	LV_ARG(gboolean, op, "add") = !(lv_arg(call, "flags")->u & 1);
	return take_cells(call, op, error);
}

gboolean lv_after_alloc(LvCall *call, G_GNUC_UNUSED OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "ret")->i = 1; /* kinds of pages that were allocated */
	return TRUE;
}

gboolean lv_before_node_sleep(LvCall *call, OpCall *op, GError **error)
{
	guint64 target = lv_arg(call, "target")->u; /* virNodeSuspendTarget */
	if (target > 2)
		return lv_fail(error, LV_ERR_INVALID_ARG, "Invalid suspend target");
	if (lv_arg(call, "duration")->u < 60)
		return lv_fail(error, LV_ERR_INVALID_ARG, "Suspend duration is too short");
	LV_ARG(int, op, "target") = (int)target + 1;
	return TRUE;
}

static void put_letters(LvCall *call, WireValue *value, const char *text)
{
	guint n = (guint)strlen(text) + 1;
	WireValue *letters = lv_put_list(call, value, n, 0);
	for (guint i = 0; i < n; i++)
		letters[i].i = text[i];
}

/* Where there is none, both are empty. */
gboolean lv_after_security_model(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const char *model = LV_RESULT(char *, op, "model");
	gboolean none = g_str_equal(model, "none");
	put_letters(call, lv_put(call, "model"), none ? "" : model);
	put_letters(call, lv_put(call, "doi"), none ? "" : LV_RESULT(char *, op, "doi"));
	return TRUE;
}

/* Nothing labels guests here: an empty label that nobody enforces. */
gboolean lv_after_label(LvCall *call, G_GNUC_UNUSED OpCall *op, G_GNUC_UNUSED GError **error)
{
	put_letters(call, lv_put(call, "label"), "");
	return TRUE;
}

gboolean lv_after_no_labels(G_GNUC_UNUSED LvCall *call, G_GNUC_UNUSED OpCall *op,
			    G_GNUC_UNUSED GError **error)
{
	return TRUE;
}

/* Statistics of all guests as typed parameters, in groups that the client chooses, and what rows cannot
 * say about those of one guest. Neighbours: procs_domain.c has the rows; the verbs are in
 * ops/guest_domstats.c and guest_stats.c; params.c sends the parameters. */
#include "wire/libvirt/internal.h"

#include <string.h>

/* In the order of virDomainStatsTypes; 0 asks for all. */
static const char *const groups[] = {
	"state", "cpu_total", "balloon", "vcpu", "interface", "block",
	"perf",	 "iothread",  "memory",	 "dirtyrate", "vm",
};
#define STATS_KNOWN ((1u << G_N_ELEMENTS(groups)) - 1)

static const struct { /* virConnectGetAllDomainStatsFlags */
	guint64 flag;
	const char *argument;
} flags_known[] = {
	{ 1u << 0, "list_active" },	{ 1u << 1, "list_inactive" }, { 1u << 2, "list_persistent" },
	{ 1u << 3, "list_transient" },	{ 1u << 4, "list_running" },  { 1u << 5, "list_paused" },
	{ 1u << 6, "list_shutoff" },	{ 1u << 7, "list_other" },    { 1u << 29, "nowait" },
	{ 1u << 30, "backing" },	{ 1u << 31, "enforce" },
};
#define ENFORCE 0x80000000 /* refuse groups that are not known */

/* ---- the call ---- */

gboolean lv_before_stats(LvCall *call, OpCall *op, GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u, stats = lv_arg(call, "stats")->u;
	const WireValue *doms = lv_arg(call, "doms");
	if ((flags & ENFORCE) && (stats & ~(guint64)STATS_KNOWN))
		return lv_fail(error, LV_ERR_ARGUMENT_UNSUPPORTED, "stats types 0x%x are not supported",
			       (guint)(stats & ~(guint64)STATS_KNOWN));
	for (guint i = 0; i < G_N_ELEMENTS(groups); i++)
		if (stats & 1u << i)
			LV_ARG(gboolean, op, groups[i]) = TRUE;
	for (guint i = 0; i < G_N_ELEMENTS(flags_known); i++)
		if (flags & flags_known[i].flag)
			LV_ARG(gboolean, op, flags_known[i].argument) = TRUE;
	LV_ARG(gboolean, op, "all") = !(flags & 0xf3) || (flags & 3) == 3;
	for (guint i = 0; i < doms->n; i++)
		shape_append(&LV_ARG(GPtrArray *, op, "domains"), NULL,
			     lv_uuid_text(doms->items[i].items[1].bytes));
	return TRUE;
}

gboolean lv_after_stats(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "domains");
	WireValue *value = lv_put(call, "retStats");
	WireValue *records = lv_put_list(call, value, shape_len(list), 2);
	for (guint i = 0; i < shape_len(list); i++) {
		gpointer stats = g_ptr_array_index(list, i);
		lv_put_domain(&call->arena, &records[i].items[0], LV_MEMBER(char *, shape, stats, "name"),
			      LV_MEMBER(char *, shape, stats, "uuid"),
			      (int)opt_int_or(LV_MEMBER(OptInt, shape, stats, "id"), -1));
		lv_put_params(call, &records[i].items[1], LV_MEMBER(GPtrArray *, shape, stats, "params"),
			      G_MAXUINT);
	}
	return TRUE;
}

/* ---- one guest ---- */

/* What is not counted is -1, as everywhere in this call. */
gboolean lv_after_errs(LvCall *call, G_GNUC_UNUSED OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "errs")->i = -1;
	return TRUE;
}

gboolean lv_after_memory(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const struct {
		const char *member;
		guint divisor;
	} tags[] = { /* in the order of virDomainMemoryStatTags */
		{ "swap_in", 1024 },	 { "swap_out", 1024 }, { "major_fault", 1 },
		{ "minor_fault", 1 },	 { "unused", 1024 },   { "available", 1024 },
		{ "actual", 1024 },	 { "rss", 1024 },      { "usable", 1024 },
		{ "last_update", 1 },	 { "disk_caches", 1024 }, { "hugetlb_pgalloc", 1 },
		{ "hugetlb_pgfail", 1 },
	};
	guint most = (guint)MIN(lv_arg(call, "maxStats")->u, G_N_ELEMENTS(tags));
	WireValue *value = lv_put(call, "stats"), *stats = lv_put_list(call, value, most, 2);
	value->n = 0;
	for (guint i = 0; i < G_N_ELEMENTS(tags) && value->n < most; i++) {
		OptUint told = LV_RESULT(OptUint, op, tags[i].member);
		if (!told.set)
			continue;
		stats[value->n].items[0].i = i;
		stats[value->n++].items[1].u = told.v / tags[i].divisor;
	}
	return TRUE;
}

gboolean lv_after_block(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	static const char *const known[][2] = {
		{ "rd_bytes", "rd_bytes" },
		{ "rd_operations", "rd_operations" },
		{ "rd_total_times", "rd_total_time_ns" },
		{ "wr_bytes", "wr_bytes" },
		{ "wr_operations", "wr_operations" },
		{ "wr_total_times", "wr_total_time_ns" },
		{ "flush_operations", "flush_operations" },
		{ "flush_total_times", "flush_total_time_ns" },
	};
	Params *all = shape_new(&params_shape);
	for (guint i = 0; i < G_N_ELEMENTS(known); i++)
		param_add(&all->params, PARAM_LLONG, known[i][0],
			  (gint64)LV_RESULT(OptUint, op, known[i][1]).v);
	lv_reply_params(call, all->params);
	shape_free(&params_shape, all);
	return TRUE;
}

/* The eight counters stand in the order of the reply. */
gboolean lv_after_netstats(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	SHAPE_EACH (Param, param, LV_RESULT(GPtrArray *, op, "params"))
		call->reply[param_i].i = param->number.v;
	return TRUE;
}

gboolean lv_after_disk_errors(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "errors");
	const Shape *shape = op->op->result->rows[1].of;
	guint64 most = lv_arg(call, "maxerrors")->u; /* 0: how many can there be? */
	guint n = (guint)MIN(most, shape_len(list));
	WireValue *errors = lv_put_list(call, lv_put(call, "errors"), n, 2);
	for (guint i = 0; i < n; i++) {
		gpointer one = g_ptr_array_index(list, i);
		errors[i].items[0].s = LV_MEMBER(char *, shape, one, "disk");
		errors[i].items[1].i = LV_MEMBER(OptInt, shape, one, "number").v;
	}
	lv_put(call, "nerrors")->i = most ? n : shape_len(list);
	return TRUE;
}

gboolean lv_after_sizes(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "devices");
	static const char *const names[] = { "allocation", "capacity", "physical" };
	for (guint i = 0; shape_len(list) && i < G_N_ELEMENTS(names); i++)
		lv_put(call, names[i])->u =
			LV_MEMBER(OptUint, shape, g_ptr_array_index(list, 0), names[i]).v;
	return TRUE;
}

/* VIR_DOMAIN_CONTROL_OK, or _ERROR where QEMU does not answer. */
gboolean lv_after_control(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "state")->u = g_strcmp0(LV_RESULT(char *, op, "text"), "ok") ? 3 : 0;
	return TRUE;
}

/* The bits of @map ("yy-y") into @bytes of room @n. */
static void put_map(guint8 *bytes, guint n, const char *map)
{
	for (guint i = 0; map && map[i] && i / 8 < n; i++)
		if (map[i] == 'y')
			bytes[i / 8] |= (guint8)(1u << i % 8);
}

gboolean lv_after_vcpus(LvCall *call, OpCall *op, GError **error)
{
	enum { RUNNING = 1, MOST = 8388608 }; /* virVcpuState; bytes of all maps */
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "vcpus");
	gint64 room = lv_arg(call, "maxinfo")->i, length = lv_arg(call, "maplen")->i;
	if (room < 0 || length < 0 || length > 2048)
		return lv_fail(error, LV_ERR_INVALID_ARG, "there is no room for that");
	guint n = (guint)MIN((gint64)shape_len(list), room), bytes = n * (guint)length;
	WireValue *infos = lv_put_list(call, lv_put(call, "info"), n, 4);
	guint8 *maps = wire_alloc(&call->arena, MAX(bytes, 1));
	for (guint i = 0; i < n; i++) {
		gpointer vcpu = g_ptr_array_index(list, i);
		infos[i].items[0].u = LV_MEMBER(OptUint, shape, vcpu, "number").v;
		infos[i].items[1].i = RUNNING;
		infos[i].items[2].u = LV_MEMBER(OptUint, shape, vcpu, "time").v;
		infos[i].items[3].i = (gint64)LV_MEMBER(OptUint, shape, vcpu, "cpu").v;
		put_map(maps + i * length, (guint)length, LV_MEMBER(char *, shape, vcpu, "affinity"));
	}
	lv_put(call, "cpumaps")->bytes = maps;
	lv_put(call, "cpumaps")->n = MIN(bytes, (guint)MOST);
	return TRUE;
}

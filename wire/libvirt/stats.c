/* Statistics of all guests as typed parameters, in groups that the client chooses.
 * Neighbours: procs.c has the row; the verb is in ops/guest_tell.c. */
#include "wire/libvirt/internal.h"

#include <string.h>

enum { /* virDomainStatsTypes: those that are answered; 0 asks for all */
	STATS_STATE = 1 << 0,
	STATS_CPU = 1 << 1,
	STATS_BALLOON = 1 << 2,
	STATS_VCPU = 1 << 3,
	STATS_INTERFACE = 1 << 4,
	STATS_BLOCK = 1 << 5,
};
#define STATS_KNOWN 0x3f
#define ENFORCE 0x80000000 /* refuse groups that are not known */

enum { ONLY_ACTIVE = 1, ONLY_INACTIVE = 2, ONLY_PERSISTENT = 4, ONLY_TRANSIENT = 8 };

/* ---- parameters ---- */

typedef struct Params {
	LvCall *call;
	const Shape *shape;
	gpointer stats;
	WireValue *items;
	guint n, room;
} Params;

static WireValue *add(Params *params, WireParam type, const char *name)
{
	if (params->n == params->room) {
		guint room = params->room ? params->room * 2 : 16;
		WireValue *items = wire_alloc(&params->call->arena, room * sizeof *items);
		if (params->n)
			memcpy(items, params->items, params->n * sizeof *items);
		params->items = items;
		params->room = room;
	}
	WireValue *fields = wire_alloc(&params->call->arena, 2 * sizeof *fields);
	fields[0].s = wire_strdup(&params->call->arena, name);
	fields[1].n = type;
	params->items[params->n++].items = fields;
	return &fields[1];
}

static guint64 number(const Params *params, const char *member)
{
	return LV_MEMBER(OptUint, params->shape, params->stats, member).v;
}

static void put_state(Params *params)
{
	int state = LV_MEMBER(int, params->shape, params->stats, "state");
	add(params, WIRE_PARAM_INT, "state.state")->i = state;
	add(params, WIRE_PARAM_INT, "state.reason")->i =
		lv_reason(state, lv_word(params->shape, params->stats, "reason"));
}

static void put_cpu(Params *params)
{
	if (LV_MEMBER(OptUint, params->shape, params->stats, "cpu_time").set)
		add(params, WIRE_PARAM_ULLONG, "cpu.time")->u = number(params, "cpu_time");
}

static void put_balloon(Params *params)
{
	add(params, WIRE_PARAM_ULLONG, "balloon.current")->u = number(params, "balloon_current") / 1024;
	add(params, WIRE_PARAM_ULLONG, "balloon.maximum")->u = number(params, "balloon_maximum") / 1024;
}

static void put_vcpu(Params *params)
{
	add(params, WIRE_PARAM_UINT, "vcpu.current")->u = number(params, "vcpu_current");
	add(params, WIRE_PARAM_UINT, "vcpu.maximum")->u = number(params, "vcpu_maximum");
}

static void put_text(Params *params, const char *kind, guint i, const char *what, const char *text)
{
	g_autofree char *name = g_strdup_printf("%s.%u.%s", kind, i, what);
	if (text)
		add(params, WIRE_PARAM_STRING, name)->s = text;
}

static void put_devices(Params *params, const char *kind, const char *member)
{
	const GPtrArray *list = LV_MEMBER(GPtrArray *, params->shape, params->stats, member);
	const Shape *shape = NULL;
	for (guint i = 0; i < params->shape->n; i++)
		if (g_str_equal(params->shape->rows[i].name, member))
			shape = params->shape->rows[i].of;
	g_autofree char *count = g_strdup_printf("%s.count", kind);
	add(params, WIRE_PARAM_UINT, count)->u = shape_len(list);
	for (guint i = 0; i < shape_len(list); i++) {
		gpointer device = g_ptr_array_index(list, i);
		put_text(params, kind, i, "name", LV_MEMBER(char *, shape, device, "name"));
		put_text(params, kind, i, "path", LV_MEMBER(char *, shape, device, "path"));
	}
}

static void put_nets(Params *params)
{
	put_devices(params, "net", "nets");
}

static void put_blocks(Params *params)
{
	put_devices(params, "block", "blocks");
}

static const struct {
	guint group;
	void (*put)(Params *params);
} groups[] = {
	{ STATS_STATE, put_state }, { STATS_CPU, put_cpu },	   { STATS_BALLOON, put_balloon },
	{ STATS_VCPU, put_vcpu },   { STATS_INTERFACE, put_nets }, { STATS_BLOCK, put_blocks },
};

/* ---- the call ---- */

gboolean lv_before_stats(LvCall *call, OpCall *op, GError **error)
{
	guint64 flags = lv_arg(call, "flags")->u, stats = lv_arg(call, "stats")->u;
	gboolean active = flags & ONLY_ACTIVE, inactive = flags & ONLY_INACTIVE;
	gboolean named = lv_arg(call, "doms")->n > 0;
	if ((flags & ENFORCE) && (stats & ~(guint64)STATS_KNOWN))
		return lv_fail(error, LV_ERR_CONFIG_UNSUPPORTED, "stats types 0x%x are not supported",
			       (guint)(stats & ~(guint64)STATS_KNOWN));
	LV_ARG(gboolean, op, "all") = named || active == inactive;
	LV_ARG(gboolean, op, "inactive") = !named && inactive && !active;
	return TRUE;
}

/* Whether the guest is among those that were named, or fits the flags where none was. */
static gboolean is_wanted(LvCall *call, const Shape *shape, gpointer stats)
{
	const WireValue *doms = lv_arg(call, "doms");
	guint64 flags = lv_arg(call, "flags")->u;
	const char *uuid = LV_MEMBER(char *, shape, stats, "uuid");
	for (guint i = 0; i < doms->n; i++) {
		g_autofree char *other = lv_uuid_text(doms->items[i].items[1].bytes);
		if (g_str_equal(uuid, other))
			return TRUE;
	}
	gboolean persistent = LV_MEMBER(Tri, shape, stats, "persistent") == TRI_YES;
	guint64 kept = flags & (ONLY_PERSISTENT | ONLY_TRANSIENT);
	guint64 states = flags >> 4 & 0xf, state = (guint64)LV_MEMBER(int, shape, stats, "state");
	guint64 bit = state == 1 ? 1 : state == 3 ? 2 : state == 5 ? 4 : 8;
	return doms->n == 0 && (!kept || (kept & (persistent ? ONLY_PERSISTENT : ONLY_TRANSIENT))) &&
	       (!states || (states & bit));
}

static void put_record(LvCall *call, const Shape *shape, gpointer stats, WireValue *record)
{
	guint64 wanted = lv_arg(call, "stats")->u;
	Params params = { .call = call, .shape = shape, .stats = stats };
	lv_put_domain(&call->arena, &record->items[0], LV_MEMBER(char *, shape, stats, "name"),
		      LV_MEMBER(char *, shape, stats, "uuid"),
		      (int)opt_int_or(LV_MEMBER(OptInt, shape, stats, "id"), -1));
	for (guint i = 0; i < G_N_ELEMENTS(groups); i++)
		if (!wanted || (wanted & groups[i].group))
			groups[i].put(&params);
	record->items[1].items = params.items;
	record->items[1].n = params.n;
}

gboolean lv_after_stats(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const Shape *shape = op->op->result->rows[0].of;
	const GPtrArray *list = LV_RESULT(GPtrArray *, op, "domains");
	WireValue *value = lv_put(call, "retStats");
	WireValue *records = lv_put_list(call, value, shape_len(list), 2);
	value->n = 0;
	for (guint i = 0; i < shape_len(list); i++)
		if (is_wanted(call, shape, g_ptr_array_index(list, i)))
			put_record(call, shape, g_ptr_array_index(list, i), &records[value->n++]);
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
	static const struct { /* virDomainMemoryStatTags */
		gint64 tag;
		const char *member;
	} known[] = { { 6, "actual" }, { 7, "rss" } };
	guint n = (guint)MIN(lv_arg(call, "maxStats")->u, G_N_ELEMENTS(known));
	WireValue *stats = lv_put_list(call, lv_put(call, "stats"), n, 2);
	for (guint i = 0; i < n; i++) {
		stats[i].items[0].i = known[i].tag;
		stats[i].items[1].u = LV_RESULT(OptUint, op, known[i].member).v / 1024;
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
	Params params = { .call = call };
	gint64 most = lv_arg(call, "nparams")->i; /* 0: how many are there? */
	for (guint i = 0; i < G_N_ELEMENTS(known) && (gint64)i < most; i++)
		add(&params, WIRE_PARAM_LLONG, known[i][0])->u = LV_RESULT(OptUint, op, known[i][1]).v;
	lv_put(call, "params")->items = params.items;
	lv_put(call, "params")->n = params.n;
	lv_put(call, "nparams")->i = params.n ? params.n : G_N_ELEMENTS(known);
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

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

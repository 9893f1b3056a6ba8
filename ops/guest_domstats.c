/* Statistics of all guests in groups that the caller chooses: names and order are libvirt's. All engines
 * are asked at once, and one that does not answer delays nobody beyond the limit of core/stats.h.
 * Neighbours: guest_stats.c tells parts of it about one guest; wire/libvirt/stats.c sends it. */
#include "core/stats.h"
#include "host/netdev.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/reason.h"

#include <string.h>

/* ---- arguments ---- */

typedef struct StatsArgs {
	ShapeHead head;
	GPtrArray *domains;
	gboolean inactive, all, raw, enforce, backing, nowait;
	gboolean state, cpu_total, balloon, vcpu, interface, block, perf, iothread, memory, dirtyrate, vm;
	gboolean list_active, list_inactive, list_persistent, list_transient;
	gboolean list_running, list_paused, list_shutoff, list_other;
} StatsArgs;

#define GROUP(m, text) FLAG(StatsArgs, m, NULL, .doc = text)

static const Row stats_arg_rows[] = {
	STRINGS(StatsArgs, domains, NULL, .flags = ROW_POSITIONAL | ROW_REST,
		.doc = "only these guests: names, ids or uuids"),
	GROUP(state, "state and its reason"),
	GROUP(cpu_total, "processor time"),
	GROUP(balloon, "memory"),
	GROUP(vcpu, "each CPU"),
	GROUP(interface, "network interfaces"),
	GROUP(block, "disks"),
	GROUP(perf, "performance events that are counted"),
	GROUP(iothread, "I/O threads"),
	GROUP(memory, "memory bandwidth, where the host counts it"),
	GROUP(dirtyrate, "how fast memory is written, where domdirtyrate-calc asked for it"),
	GROUP(vm, "counters of the accelerator"),
	FLAG(StatsArgs, backing, NULL, .doc = "also of the images behind those of disks"),
	FLAG(StatsArgs, nowait, NULL, .doc = "what is known at once: QEMU is not asked"),
	FLAG(StatsArgs, enforce, NULL, .doc = "taken and without effect: every group is known"),
	FLAG(StatsArgs, raw, NULL, .doc = "taken and without effect: numbers are as they are"),
	FLAG(StatsArgs, all, NULL, .doc = "also of guests that do not run"),
	FLAG(StatsArgs, inactive, NULL, .doc = "only of guests that do not run"),
	GROUP(list_active, "only of guests that run"),
	GROUP(list_inactive, "only of guests that do not run"),
	GROUP(list_persistent, "only of guests with a definition"),
	GROUP(list_transient, "only of guests without one"),
	GROUP(list_running, "only of guests whose CPUs run"),
	GROUP(list_paused, "only of guests that are paused"),
	GROUP(list_shutoff, "only of guests that are off"),
	GROUP(list_other, "only of guests in another state"),
};
static const Shape stats_args = SHAPE("domstats-args", StatsArgs, stats_arg_rows);

/* ---- the result ---- */

typedef struct Stats {
	ShapeHead head;
	char *name, *uuid;
	OptInt id;
	GPtrArray *params;
} Stats;

static const Row stats_rows[] = {
	STRING(Stats, name, NULL, .doc = "Name"),
	UUID(Stats, uuid, NULL),
	INT(Stats, id, NULL, .doc = "Id"),
	LIST(Stats, params, NULL, param_shape),
};
static const Shape stats_shape = SHAPE("stats", Stats, stats_rows);

typedef struct StatsList {
	ShapeHead head;
	char *text;
	GPtrArray *domains;
} StatsList;

static const Row stats_list_rows[] = {
	LIST(StatsList, domains, NULL, stats_shape),
	STRING(StatsList, text, NULL, .flags = ROW_VERBATIM),
};
static const Shape stats_list = SHAPE("stats-list", StatsList, stats_list_rows);

/* ---- groups ---- */

typedef struct Source {
	const StatsArgs *args;
	const GuestSnap *snap;
	const GuestUse *use;	   /* NULL: it does not run */
	const EngineStats *engine; /* NULL: it told nothing */
	const Guest *live;	   /* NULL: it does not run */
	GHashTable *nets;
} Source;

static void put_state(GPtrArray **out, const Source *source)
{
	const GuestSnap *snap = source->snap;
	param_add(out, PARAM_INT, "state.state", snap->state);
	param_add(out, PARAM_INT, "state.reason",
		  reason_number((int)snap->state, enum_name(&guest_reasons, (int)snap->reason)));
}

static void put_cpu(GPtrArray **out, const Source *source)
{
	if (!source->use)
		return;
	param_add(out, PARAM_ULLONG, "cpu.time", (gint64)source->use->cpu_ns);
	param_add(out, PARAM_ULLONG, "cpu.user", (gint64)source->use->process.user_ns);
	param_add(out, PARAM_ULLONG, "cpu.system", (gint64)source->use->process.system_ns);
}

static void put_balloon(GPtrArray **out, const Source *source)
{
	static const struct {
		EngineBalloon value;
		const char *name;
		guint divisor;
	} told[] = {
		{ BALLOON_SWAP_IN, "balloon.swap_in", 1024 },
		{ BALLOON_SWAP_OUT, "balloon.swap_out", 1024 },
		{ BALLOON_MAJOR_FAULTS, "balloon.major_fault", 1 },
		{ BALLOON_MINOR_FAULTS, "balloon.minor_fault", 1 },
		{ BALLOON_FREE, "balloon.unused", 1024 },
		{ BALLOON_TOTAL, "balloon.available", 1024 },
		{ BALLOON_USABLE, "balloon.usable", 1024 },
		{ BALLOON_LAST_UPDATE, "balloon.last-update", 1 },
		{ BALLOON_DISK_CACHES, "balloon.disk_caches", 1024 },
		{ BALLOON_HUGE_ALLOCATED, "balloon.hugetlb_pgalloc", 1 },
		{ BALLOON_HUGE_FAILED, "balloon.hugetlb_pgfail", 1 },
	};
	const Guest *live = source->live;
	guint64 now = live ? opt_uint_or(live->current_memory, source->snap->memory) : source->snap->memory;
	if (source->engine)
		now = opt_uint_or(source->engine->balloon[BALLOON_ACTUAL], now);
	param_add(out, PARAM_ULLONG, "balloon.current", (gint64)(now / 1024));
	param_add(out, PARAM_ULLONG, "balloon.maximum", (gint64)(source->snap->memory / 1024));
	for (guint i = 0; source->engine && i < G_N_ELEMENTS(told); i++) {
		OptUint value = source->engine->balloon[told[i].value];
		if (value.set)
			param_add(out, PARAM_ULLONG, told[i].name, (gint64)(value.v / told[i].divisor));
	}
	if (source->use)
		param_add(out, PARAM_ULLONG, "balloon.rss", (gint64)(source->use->resident / 1024));
}

/* Those of one CPU, or with -1 of the guest. */
static void put_counters(GPtrArray **out, const Source *source, int vcpu)
{
	for (guint i = 0; source->engine && i < source->engine->counters->len; i++) {
		const EngineCounter *counter = &g_array_index(source->engine->counters, EngineCounter, i);
		gint64 value = (gint64)counter->value;
		if (counter->vcpu != vcpu)
			continue;
		if (vcpu < 0)
			param_addf(out, PARAM_ULLONG, value, "vm.%s.%s", counter->name, counter->kind);
		else
			param_addf(out, PARAM_ULLONG, value, "vcpu.%d.%s.%s", vcpu, counter->name,
				   counter->kind);
	}
}

static void put_vcpu(GPtrArray **out, const Source *source)
{
	enum { RUNNING = 1 }; /* virVcpuState */
	guint64 most = source->live ? opt_uint_or(source->live->vcpus, 1) : source->snap->vcpus;
	param_add(out, PARAM_UINT, "vcpu.current", source->snap->vcpus);
	param_add(out, PARAM_UINT, "vcpu.maximum", (gint64)most);
	for (guint i = 0; source->use && i < source->use->vcpus->len; i++) {
		const VcpuUse *vcpu = &g_array_index(source->use->vcpus, VcpuUse, i);
		guint64 time = vcpu->use.run_ns ? vcpu->use.run_ns : vcpu->use.user_ns + vcpu->use.system_ns;
		param_addf(out, PARAM_INT, RUNNING, "vcpu.%u.state", vcpu->index);
		param_addf(out, PARAM_ULLONG, (gint64)time, "vcpu.%u.time", vcpu->index);
		param_addf(out, PARAM_ULLONG, (gint64)vcpu->use.delay_ns, "vcpu.%u.delay", vcpu->index);
		put_counters(out, source, (int)vcpu->index);
	}
}

static void put_text(GPtrArray **out, const char *kind, guint i, const char *what, const char *text)
{
	char name[64];
	g_snprintf(name, sizeof name, "%s.%u.%s", kind, i, what);
	if (text)
		param_add_text(out, name, text);
}

static void put_net(GPtrArray **out, guint i, const NetdevUse *use)
{
	/* what the guest receives is what the host's side sends */
	param_addf(out, PARAM_ULLONG, (gint64)use->tx_bytes, "net.%u.rx.bytes", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->tx_packets, "net.%u.rx.pkts", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->tx_errs, "net.%u.rx.errs", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->tx_drop, "net.%u.rx.drop", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->rx_bytes, "net.%u.tx.bytes", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->rx_packets, "net.%u.tx.pkts", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->rx_errs, "net.%u.tx.errs", i);
	param_addf(out, PARAM_ULLONG, (gint64)use->rx_drop, "net.%u.tx.drop", i);
}

static void put_nets(GPtrArray **out, const Source *source)
{
	if (!source->live)
		return;
	param_add(out, PARAM_UINT, "net.count", shape_len(source->live->interfaces));
	SHAPE_EACH (Interface, interface, source->live->interfaces) {
		const NetdevUse *use = interface->target && source->nets
					       ? g_hash_table_lookup(source->nets, interface->target) : NULL;
		put_text(out, "net", interface_i, "name", interface->target);
		if (use)
			put_net(out, interface_i, use);
	}
}

static void put_layer(GPtrArray **out, guint i, const EngineLayer *layer)
{
	static const char *const names[BLOCK_COUNTERS] = {
		[BLOCK_READS] = "rd.reqs",	  [BLOCK_READ_BYTES] = "rd.bytes",
		[BLOCK_READ_NS] = "rd.times",	  [BLOCK_WRITES] = "wr.reqs",
		[BLOCK_WRITTEN_BYTES] = "wr.bytes", [BLOCK_WRITE_NS] = "wr.times",
		[BLOCK_FLUSHES] = "fl.reqs",	  [BLOCK_FLUSH_NS] = "fl.times",
	};
	for (guint k = 0; k < BLOCK_COUNTERS; k++)
		param_addf(out, PARAM_ULLONG, (gint64)layer->counters[k], "block.%u.%s", i, names[k]);
	if (!layer->capacity)
		return;
	param_addf(out, PARAM_ULLONG, (gint64)layer->highest, "block.%u.allocation", i);
	param_addf(out, PARAM_ULLONG, (gint64)layer->capacity, "block.%u.capacity", i);
	param_addf(out, PARAM_ULLONG, (gint64)layer->physical, "block.%u.physical", i);
}

/* The image number @i behind the one of @disk. */
static const DiskBacking *backing_of(const Disk *disk, guint i)
{
	const DiskBacking *store = disk->backing;
	for (; store && i > 1; i--)
		store = store->backing;
	return store;
}

static guint put_disk(GPtrArray **out, const Source *source, const Disk *disk, guint n)
{
	const EngineBlock *block = NULL;
	for (guint i = 0; source->engine && i < source->engine->blocks->len; i++) {
		const EngineBlock *one = g_ptr_array_index(source->engine->blocks, i);
		if (!g_strcmp0(one->alias, disk->info.alias))
			block = one;
	}
	guint layers = !block ? 1 : source->args->backing ? block->layers->len : MIN(block->layers->len, 1);
	for (guint i = 0; i < MAX(layers, 1); i++, n++) {
		const DiskBacking *store = i ? backing_of(disk, i) : NULL;
		put_text(out, "block", n, "name", disk->target);
		OptUint index = i == 0 ? disk->source ? disk->source->index : (OptUint){ 0 }
				: store && store->index.set ? store->index : OPT_UINT(i);
		if (index.set)
			param_addf(out, PARAM_UINT, (gint64)index.v, "block.%u.backingIndex", n);
		put_text(out, "block", n, "path", i ? store && store->source ? store->source->file : NULL
						    : disk_source_name(disk));
		if (block && i < block->layers->len)
			put_layer(out, n, &g_array_index(block->layers, EngineLayer, i));
	}
	return n;
}

static void put_blocks(GPtrArray **out, const Source *source)
{
	guint n = 0;
	if (!source->live)
		return;
	param_add(out, PARAM_UINT, "block.count", 0);
	Param *count = g_ptr_array_index(*out, (*out)->len - 1);
	SHAPE_EACH (Disk, disk, source->live->disks)
		n = put_disk(out, source, disk, n);
	count->number = OPT_INT(n);
}

static void put_iothreads(GPtrArray **out, const Source *source)
{
	const GArray *threads = source->engine ? source->engine->iothreads : NULL;
	if (!threads || !(source->engine->have & ENGINE_STATS_IOTHREADS))
		return;
	param_add(out, PARAM_UINT, "iothread.count", threads->len);
	for (guint i = 0; i < threads->len; i++) {
		const EngineIothread *one = &g_array_index(threads, EngineIothread, i);
		param_addf(out, PARAM_ULLONG, (gint64)one->poll_max_ns, "iothread.%u.poll-max-ns", one->id);
		param_addf(out, PARAM_UINT, (gint64)one->poll_grow, "iothread.%u.poll-grow", one->id);
		param_addf(out, PARAM_UINT, (gint64)one->poll_shrink, "iothread.%u.poll-shrink", one->id);
	}
}

static void put_dirty(GPtrArray **out, const Source *source)
{
	static const char *const states[] = { "unstarted", "measuring", "measured" };
	const EngineStats *engine = source->engine;
	if (!engine || !engine->dirty_status)
		return;
	for (guint i = 0; i < G_N_ELEMENTS(states); i++)
		if (g_str_equal(engine->dirty_status, states[i]))
			param_add(out, PARAM_INT, "dirtyrate.calc_status", i);
	param_add(out, PARAM_LLONG, "dirtyrate.calc_start_time", engine->dirty_start);
	param_add(out, PARAM_INT, "dirtyrate.calc_period", engine->dirty_seconds);
	if (engine->dirty_mode)
		param_add_text(out, "dirtyrate.calc_mode", engine->dirty_mode);
	if (engine->dirty_mib.set)
		param_add(out, PARAM_LLONG, "dirtyrate.megabytes_per_second", (gint64)engine->dirty_mib.v);
	for (guint i = 0; i < engine->dirty_vcpus->len; i++)
		param_addf(out, PARAM_LLONG, (gint64)g_array_index(engine->dirty_vcpus, guint64, i),
			   "dirtyrate.vcpu.%u.megabytes_per_second", i);
}

static void put_vm(GPtrArray **out, const Source *source)
{
	put_counters(out, source, -1);
}

static void put_perf(GPtrArray **out, const Source *source)
{
	for (guint i = 0; source->engine && i < source->engine->perf->len; i++) {
		const EngineCounter *counter = &g_array_index(source->engine->perf, EngineCounter, i);
		param_addf(out, PARAM_ULLONG, (gint64)counter->value, "perf.%s", counter->name);
	}
}

/* A host without resctrl counts no bandwidth. */
static void put_nothing(G_GNUC_UNUSED GPtrArray **out, G_GNUC_UNUSED const Source *source)
{
}

static const struct {
	size_t asked;
	guint what; /* EngineStatsWhat */
	void (*put)(GPtrArray **out, const Source *source);
} groups[] = {
	{ offsetof(StatsArgs, state), 0, put_state },
	{ offsetof(StatsArgs, cpu_total), 0, put_cpu },
	{ offsetof(StatsArgs, balloon), ENGINE_STATS_BALLOON, put_balloon },
	{ offsetof(StatsArgs, vcpu), ENGINE_STATS_VCPUS | ENGINE_STATS_COUNTERS, put_vcpu },
	{ offsetof(StatsArgs, interface), 0, put_nets },
	{ offsetof(StatsArgs, block), ENGINE_STATS_BLOCKS, put_blocks },
	{ offsetof(StatsArgs, perf), ENGINE_STATS_PERF, put_perf },
	{ offsetof(StatsArgs, iothread), ENGINE_STATS_IOTHREADS, put_iothreads },
	{ offsetof(StatsArgs, memory), 0, put_nothing },
	{ offsetof(StatsArgs, dirtyrate), ENGINE_STATS_DIRTY, put_dirty },
	{ offsetof(StatsArgs, vm), ENGINE_STATS_COUNTERS, put_vm },
};

static gboolean asks(const StatsArgs *args, guint group)
{
	return *(const gboolean *)((const char *)args + groups[group].asked);
}

/* Bits of the groups that are wanted: all, where none is named. */
static guint wanted_groups(const StatsArgs *args)
{
	guint wanted = 0;
	for (guint i = 0; i < G_N_ELEMENTS(groups); i++)
		wanted |= (guint)asks(args, i) << i;
	return wanted ? wanted : (1u << G_N_ELEMENTS(groups)) - 1;
}

/* ---- whose ---- */

static gboolean is_wanted(const StatsArgs *args, const GuestSnap *snap)
{
	gboolean running = snap->state == GUEST_RUNNING, paused = snap->state == GUEST_PAUSED;
	gboolean off = snap->state == GUEST_SHUTOFF;
	if ((args->list_persistent || args->list_transient) &&
	    !(snap->persistent ? args->list_persistent : args->list_transient))
		return FALSE;
	if (!args->list_running && !args->list_paused && !args->list_shutoff && !args->list_other)
		return TRUE;
	return (running && args->list_running) || (paused && args->list_paused) ||
	       (off && args->list_shutoff) || (!running && !paused && !off && args->list_other);
}

/* Those that are named; NULL where one is not there. */
static GPtrArray *named(OpCall *call, const StatsArgs *args, GError **error)
{
	g_autoptr(GPtrArray) guests = g_ptr_array_new_with_free_func((GDestroyNotify)core_guest_unref);
	for (guint i = 0; i < args->domains->len; i++) {
		CoreGuest *guest = core_find(call->core, g_ptr_array_index(args->domains, i), error);
		if (!guest)
			return NULL;
		g_ptr_array_add(guests, guest);
	}
	return g_steal_pointer(&guests);
}

static GPtrArray *listed(OpCall *call, const StatsArgs *args)
{
	gboolean inactive = args->inactive || args->list_inactive || args->list_shutoff;
	gboolean active = args->list_active || args->list_running || args->list_paused || args->list_other;
	guint flags = (inactive && !args->all && !active ? 0 : CORE_LIST_ACTIVE) |
		      (inactive || args->all ? CORE_LIST_INACTIVE : 0);
	g_autoptr(GPtrArray) snaps = core_list(call->core, flags);
	GPtrArray *guests = g_ptr_array_new_with_free_func((GDestroyNotify)core_guest_unref);
	for (guint i = 0; i < snaps->len; i++) {
		const GuestSnap *snap = g_ptr_array_index(snaps, i);
		CoreGuest *guest = is_wanted(args, snap)
					   ? core_find_by(call->core, CORE_BY_UUID, snap->uuid, NULL) : NULL;
		if (guest)
			g_ptr_array_add(guests, guest);
	}
	return guests;
}

/* ---- collecting ---- */

typedef struct Collecting {
	OpCall *call;
	guint groups, missing;
	GHashTable *nets;  /* NULL: not asked for */
	GPtrArray *guests; /* CoreGuest, in the order of the result */
} Collecting;

typedef struct One {
	Collecting *all;
	Stats *stats;
	CoreGuest *guest;
} One;

static void collected(Collecting *all)
{
	StatsList *result = all->call->result;
	if (--all->missing)
		return;
	if (!g_str_equal(all->call->caller.door, "libvirt")) { /* which shows it in its own way */
		GString *out = g_string_new(NULL);
		SHAPE_EACH (Stats, stats, result->domains) {
			g_string_append_printf(out, "Domain: '%s'\n", stats->name);
			params_print(out, stats->params, "  ");
			g_string_append_c(out, '\n');
		}
		result->text = g_string_free(out, FALSE);
	}
	g_clear_pointer(&all->nets, g_hash_table_unref);
	g_ptr_array_unref(all->guests);
	op_finish(all->call, NULL);
	g_free(all);
}

static void on_use(const GuestUse *use, G_GNUC_UNUSED const GError *error, gpointer data)
{
	One *one = data;
	Collecting *all = one->all;
	g_autoptr(GuestSnap) snap = core_guest_snap(one->guest);
	g_autoptr(GuestUse) own = use ? NULL : core_guest_use_now(one->guest);
	Source source = { .args = all->call->args, .snap = snap, .use = use ? use : own, .nets = all->nets };
	source.engine = source.use ? source.use->engine : NULL;
	source.live = snap->live ? snap->live->guest : NULL;
	for (guint i = 0; i < G_N_ELEMENTS(groups); i++)
		if (all->groups & 1u << i)
			groups[i].put(&one->stats->params, &source);
	g_free(one);
	collected(all);
}

static void collect(Collecting *all, CoreGuest *guest, guint what)
{
	const StatsArgs *args = all->call->args;
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	Stats *stats = shape_new(&stats_shape);
	stats->name = g_strdup(snap->name);
	stats->uuid = g_strdup(snap->uuid);
	if (snap->id >= 0)
		stats->id = OPT_INT(snap->id);
	shape_append(&((StatsList *)all->call->result)->domains, &stats_shape, stats);
	One *one = g_new(One, 1);
	*one = (One){ all, stats, guest };
	all->missing++;
	if (snap->live && what && !args->nowait)
		core_guest_use(guest, what, on_use, one);
	else
		on_use(NULL, NULL, one);
}

static gboolean domstats(OpCall *call, GError **error)
{
	const StatsArgs *args = call->args;
	guint what = 0;
	GPtrArray *guests = shape_len(args->domains) ? named(call, args, error) : listed(call, args);
	if (!guests)
		return FALSE;
	Collecting *all = g_new(Collecting, 1);
	*all = (Collecting){ .call = call, .groups = wanted_groups(args), .missing = 1, .guests = guests };
	for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
		if (!(all->groups & 1u << i))
			continue;
		what |= groups[i].what;
		if (groups[i].put == put_nets)
			all->nets = netdev_use();
	}
	for (guint i = 0; i < guests->len; i++)
		collect(all, g_ptr_array_index(guests, i), what);
	collected(all);
	return TRUE;
}

static const Op ops[] = {
	{ .name = "domstats", .family = "Guests", .method = "GET", .route = "/v1/stats",
	  .perm = OP_PERM_READ, .lane = OP_LATER, .args = &stats_args, .result = &stats_list,
	  .show = OP_SHOW_TEXT, .doc = "Show what guests use", .fn = domstats },
};

const OpFamily op_family_guest_domstats = { ops, G_N_ELEMENTS(ops) };

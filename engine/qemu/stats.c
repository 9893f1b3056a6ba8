/* Statistics from QEMU: all questions in one write, the answers read on the main loop. Facts: QEMU's
 * qapi/block-core.json, machine.json, stats.json, migration.json; docs/interop/virtio-balloon-stats.
 * See engine/stats.h and run.h. */
#include "base/error.h"
#include "base/lane.h"
#include "engine/qemu/run.h"
#include "engine/stats.h"

#include <string.h>

#define MAX_LAYERS 200 /* as many as QEMU nests */

static guint64 number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	double real = json_real_value(value); /* beyond 2^63 */
	return json_is_real(value) ? (real >= 18446744073709551615.0 ? G_MAXUINT64 : (guint64)real)
				   : (guint64)json_integer_value(value);
}

/* ---- disks ---- */

static EngineBlock *block_of(EngineStats *stats, json_t *entry)
{
	g_autofree char *alias = qemu_alias_of(json_string_value(json_object_get(entry, "qdev")));
	for (guint i = 0; alias && i < stats->blocks->len; i++) {
		EngineBlock *block = g_ptr_array_index(stats->blocks, i);
		if (g_str_equal(block->alias, alias))
			return block;
	}
	if (!alias)
		return NULL;
	EngineBlock *block = g_new0(EngineBlock, 1);
	*block = (EngineBlock){ .alias = g_steal_pointer(&alias), .status = "ok",
				.layers = g_array_new(FALSE, TRUE, sizeof(EngineLayer)) };
	g_ptr_array_add(stats->blocks, block);
	return block;
}

static EngineLayer *layer_of(EngineBlock *block, guint i)
{
	if (i >= block->layers->len)
		g_array_set_size(block->layers, i + 1);
	return &g_array_index(block->layers, EngineLayer, i);
}

static void take_blockstats(EngineStats *stats, json_t *result)
{
	static const char *const names[BLOCK_COUNTERS] = {
		[BLOCK_READS] = "rd_operations",	 [BLOCK_READ_BYTES] = "rd_bytes",
		[BLOCK_READ_NS] = "rd_total_time_ns",	 [BLOCK_WRITES] = "wr_operations",
		[BLOCK_WRITTEN_BYTES] = "wr_bytes",	 [BLOCK_WRITE_NS] = "wr_total_time_ns",
		[BLOCK_FLUSHES] = "flush_operations",	 [BLOCK_FLUSH_NS] = "flush_total_time_ns",
	};
	json_t *entry;
	size_t n;
	json_array_foreach (result, n, entry) {
		EngineBlock *block = block_of(stats, entry);
		json_t *at = entry;
		for (guint i = 0; block && at && i < MAX_LAYERS; i++, at = json_object_get(at, "backing")) {
			EngineLayer *layer = layer_of(block, i);
			json_t *own = json_object_get(at, "stats");
			json_t *file = json_object_get(json_object_get(at, "parent"), "stats");
			for (guint k = 0; k < BLOCK_COUNTERS; k++)
				layer->counters[k] = number(own, names[k]);
			layer->highest = number(file ? file : own, "wr_highest_offset");
		}
	}
}

static void take_block(EngineStats *stats, json_t *result)
{
	static const char *const known[] = { "ok", "failed", "nospace" };
	json_t *entry;
	size_t n;
	json_array_foreach (result, n, entry) {
		EngineBlock *block = block_of(stats, entry);
		const char *status = json_string_value(json_object_get(entry, "io-status"));
		json_t *image = json_object_get(json_object_get(entry, "inserted"), "image");
		for (guint i = 0; block && i < G_N_ELEMENTS(known); i++)
			if (!g_strcmp0(status, known[i]))
				block->status = known[i];
		for (guint i = 0; block && image && i < MAX_LAYERS;
		     i++, image = json_object_get(image, "backing-image")) {
			EngineLayer *layer = layer_of(block, i);
			layer->capacity = number(image, "virtual-size");
			layer->physical = number(image, "actual-size");
		}
	}
}

/* ---- memory ---- */

static void take_balloon(EngineStats *stats, json_t *result)
{
	stats->balloon[BALLOON_ACTUAL] = OPT_UINT(number(result, "actual"));
}

/* What the guest's driver told; what it never told is all ones. */
static void take_guest_stats(EngineStats *stats, json_t *result)
{
	static const char *const names[BALLOON_VALUES] = {
		[BALLOON_SWAP_IN] = "stat-swap-in",
		[BALLOON_SWAP_OUT] = "stat-swap-out",
		[BALLOON_MAJOR_FAULTS] = "stat-major-faults",
		[BALLOON_MINOR_FAULTS] = "stat-minor-faults",
		[BALLOON_FREE] = "stat-free-memory",
		[BALLOON_TOTAL] = "stat-total-memory",
		[BALLOON_USABLE] = "stat-available-memory",
		[BALLOON_DISK_CACHES] = "stat-disk-caches",
		[BALLOON_HUGE_ALLOCATED] = "stat-htlb-pgalloc",
		[BALLOON_HUGE_FAILED] = "stat-htlb-pgfail",
	};
	json_t *told = json_object_get(result, "stats");
	guint64 since = number(result, "last-update");
	for (guint i = 0; i < BALLOON_VALUES; i++) {
		json_t *value = names[i] ? json_object_get(told, names[i]) : NULL;
		if (value && number(told, names[i]) != G_MAXUINT64)
			stats->balloon[i] = OPT_UINT(number(told, names[i]));
	}
	stats->balloon[BALLOON_LAST_UPDATE] = OPT_UINT(since);
}

/* ---- threads ---- */

static void take_vcpus(EngineStats *stats, json_t *result)
{
	json_t *entry;
	size_t n;
	json_array_foreach (result, n, entry) {
		EngineVcpu vcpu = { .index = (guint)number(entry, "cpu-index"),
				    .thread = (pid_t)number(entry, "thread-id") };
		g_array_append_val(stats->vcpus, vcpu);
	}
}

static void take_iothreads(EngineStats *stats, json_t *result)
{
	json_t *entry;
	size_t n;
	json_array_foreach (result, n, entry) {
		const char *id = json_string_value(json_object_get(entry, "id"));
		EngineIothread thread = { .thread = (pid_t)number(entry, "thread-id"),
					  .poll_max_ns = number(entry, "poll-max-ns"),
					  .poll_grow = number(entry, "poll-grow"),
					  .poll_shrink = number(entry, "poll-shrink") };
		if (!id || !g_str_has_prefix(id, "iothread"))
			continue;
		thread.id = (guint)g_ascii_strtoull(id + strlen("iothread"), NULL, 10);
		g_array_append_val(stats->iothreads, thread);
	}
}

/* ---- the rate of writes to memory ---- */

static const char *word_of(json_t *object, const char *key, const char *const *words, guint n)
{
	const char *word = json_string_value(json_object_get(object, key));
	for (guint i = 0; i < n; i++)
		if (!g_strcmp0(word, words[i]))
			return words[i];
	return NULL;
}

static void take_dirty(EngineStats *stats, json_t *result)
{
	static const char *const states[] = { "unstarted", "measuring", "measured" };
	static const char *const modes[] = { "page-sampling", "dirty-ring", "dirty-bitmap" };
	json_t *vcpus = json_object_get(result, "vcpu-dirty-rate"), *entry;
	size_t n;
	stats->dirty_status = word_of(result, "status", states, G_N_ELEMENTS(states));
	stats->dirty_mode = word_of(result, "mode", modes, G_N_ELEMENTS(modes));
	stats->dirty_start = json_integer_value(json_object_get(result, "start-time"));
	stats->dirty_seconds = json_integer_value(json_object_get(result, "calc-time"));
	if (json_object_get(result, "dirty-rate"))
		stats->dirty_mib = OPT_UINT(number(result, "dirty-rate"));
	json_array_foreach (vcpus, n, entry) {
		guint64 rate = number(entry, "dirty-rate");
		g_array_append_val(stats->dirty_vcpus, rate);
	}
}

/* ---- counters of the accelerator ---- */

/* The statistics' kinds stand in their schema, which does not change; those that count up are nearly
 * all, and their names tell the others. */
static const char *kind_of(const char *name)
{
	if (g_str_has_prefix(name, "max_") || g_str_has_prefix(name, "nx_lpage_splits_max"))
		return "max";
	return g_str_has_prefix(name, "pages_") || g_str_has_suffix(name, "_active") ||
			       g_str_equal(name, "guest_mode") || g_str_equal(name, "nx_lpage_splits")
		       ? "cur" : "sum";
}

static void add_counters(EngineStats *stats, json_t *list, int vcpu)
{
	json_t *entry;
	size_t n;
	json_array_foreach (list, n, entry) {
		const char *name = json_string_value(json_object_get(entry, "name"));
		json_t *value = json_object_get(entry, "value");
		if (!name || json_is_array(value)) /* a histogram */
			continue;
		EngineCounter counter = { .name = g_strdup(name), .kind = kind_of(name), .vcpu = vcpu,
					  .value = json_is_boolean(value) ? json_is_true(value)
									  : number(entry, "value") };
		g_array_append_val(stats->counters, counter);
	}
}

static void take_vm_counters(EngineStats *stats, json_t *result)
{
	json_t *entry;
	size_t n;
	json_array_foreach (result, n, entry)
		add_counters(stats, json_object_get(entry, "stats"), -1);
}

static void take_vcpu_counters(EngineStats *stats, json_t *result)
{
	json_t *entry;
	size_t n;
	json_array_foreach (result, n, entry)
		add_counters(stats, json_object_get(entry, "stats"), (int)n);
}

/* ---- the questions ---- */

typedef enum Needs { NEEDS_NOTHING, NEEDS_BALLOON, NEEDS_KVM } Needs;

static const struct {
	const char *command, *argument, *value;
	guint what;
	Needs needs;
	void (*take)(EngineStats *stats, json_t *result);
} questions[] = {
	{ "query-blockstats", NULL, NULL, ENGINE_STATS_BLOCKS, NEEDS_NOTHING, take_blockstats },
	{ "query-block", NULL, NULL, ENGINE_STATS_BLOCKS, NEEDS_NOTHING, take_block },
	{ "query-balloon", NULL, NULL, ENGINE_STATS_BALLOON, NEEDS_BALLOON, take_balloon },
	{ "qom-get", "property", "guest-stats", ENGINE_STATS_BALLOON, NEEDS_BALLOON, take_guest_stats },
	{ "query-cpus-fast", NULL, NULL, ENGINE_STATS_VCPUS, NEEDS_NOTHING, take_vcpus },
	{ "query-iothreads", NULL, NULL, ENGINE_STATS_IOTHREADS, NEEDS_NOTHING, take_iothreads },
	{ "query-dirty-rate", NULL, NULL, ENGINE_STATS_DIRTY, NEEDS_NOTHING, take_dirty },
	{ "query-stats", "target", "vm", ENGINE_STATS_COUNTERS, NEEDS_KVM, take_vm_counters },
	{ "query-stats", "target", "vcpu", ENGINE_STATS_COUNTERS, NEEDS_KVM, take_vcpu_counters },
};

typedef struct Measuring {
	EngineStats *stats;
	guint missing; /* answers */
	GError *error; /* that ends it all */
	EngineStatsFn fn;
	gpointer data;
} Measuring;

typedef struct Asked {
	Measuring *measuring;
	guint question;
} Asked;

static void measured(gpointer data)
{
	Measuring *measuring = data;
	if (measuring->error)
		g_clear_pointer(&measuring->stats, engine_stats_unref);
	measuring->fn(measuring->stats, measuring->error, measuring->data);
	g_clear_error(&measuring->error);
	g_free(measuring);
}

/* One that QEMU refuses is left out; that it does not answer at all is the end. */
static void on_answer(json_t *result, const GError *error, gpointer user)
{
	Asked *asked = user;
	Measuring *measuring = asked->measuring;
	gboolean silent = g_error_matches(error, LODGE_ERROR, LODGE_ERROR_TIMEOUT) ||
			  g_error_matches(error, LODGE_ERROR, LODGE_ERROR_GONE);
	if (result)
		questions[asked->question].take(measuring->stats, result);
	else if (silent && !measuring->error)
		measuring->error = g_error_copy(error);
	g_free(asked);
	if (--measuring->missing == 0)
		measured(measuring);
}

static gboolean is_asked(guint i, const Guest *live, guint what)
{
	const Memballoon *balloon = live->memballoon;
	if (!(questions[i].what & what))
		return FALSE;
	if (questions[i].needs == NEEDS_BALLOON)
		return balloon && balloon->info.alias && g_strcmp0(balloon->model, "none");
	return questions[i].needs != NEEDS_KVM || live->type == GUEST_KVM;
}

static json_t *arguments_of(guint i, const Guest *live)
{
	if (!questions[i].argument)
		return NULL;
	json_t *arguments = json_pack("{s:s}", questions[i].argument, questions[i].value);
	if (questions[i].needs == NEEDS_BALLOON) {
		g_autofree char *path = g_strconcat("/machine/peripheral/", live->memballoon->info.alias,
						    NULL);
		json_object_set_new(arguments, "path", json_string(path));
	}
	return arguments;
}

void run_measure(EngineRun *run, const Guest *live, guint what, int timeout_ms, EngineStatsFn fn,
		 gpointer data)
{
	Measuring *measuring = g_new0(Measuring, 1);
	QmpItem items[G_N_ELEMENTS(questions)] = { 0 };
	gpointer users[G_N_ELEMENTS(questions)];
	guint n = 0;
	*measuring = (Measuring){ .stats = engine_stats_new(), .fn = fn, .data = data };
	measuring->stats->have = what;
	if (what & ENGINE_STATS_PERF)
		run_counted(run, measuring->stats);
	for (guint i = 0; i < G_N_ELEMENTS(questions); i++) {
		if (!is_asked(i, live, what))
			continue;
		Asked *asked = g_new(Asked, 1);
		*asked = (Asked){ measuring, i };
		items[n] = (QmpItem){ .command = questions[i].command, .arguments = arguments_of(i, live) };
		users[n++] = asked;
	}
	measuring->missing = n;
	if (n && !run->qmp)
		fail(&measuring->error, LODGE_ERROR_GONE, "guest \"%s\" has no monitor", run->name);
	if (n && run->qmp) {
		qmp_batch_async(run->qmp, items, n, timeout_ms, on_answer, users);
		return;
	}
	for (guint i = 0; i < n; i++) {
		json_decref(items[i].arguments);
		g_free(users[i]);
	}
	lane_to_main(measured, measuring); /* never within this call */
}

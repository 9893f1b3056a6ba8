/* See stats.h. */
#include "engine/stats.h"

static void block_free(gpointer data)
{
	EngineBlock *block = data;
	g_free(block->alias);
	g_array_unref(block->layers);
	g_free(block);
}

static void counter_clear(gpointer data)
{
	g_free(((EngineCounter *)data)->name);
}

EngineStats *engine_stats_new(void)
{
	EngineStats *stats = g_new0(EngineStats, 1);
	stats->refs = 1;
	stats->blocks = g_ptr_array_new_with_free_func(block_free);
	stats->vcpus = g_array_new(FALSE, FALSE, sizeof(EngineVcpu));
	stats->iothreads = g_array_new(FALSE, FALSE, sizeof(EngineIothread));
	stats->counters = g_array_new(FALSE, FALSE, sizeof(EngineCounter));
	stats->dirty_vcpus = g_array_new(FALSE, FALSE, sizeof(guint64));
	stats->perf = g_array_new(FALSE, FALSE, sizeof(EngineCounter));
	g_array_set_clear_func(stats->counters, counter_clear);
	g_array_set_clear_func(stats->perf, counter_clear);
	return stats;
}

EngineStats *engine_stats_ref(EngineStats *stats)
{
	g_atomic_int_inc(&stats->refs);
	return stats;
}

void engine_stats_unref(EngineStats *stats)
{
	if (!stats || !g_atomic_int_dec_and_test(&stats->refs))
		return;
	g_ptr_array_unref(stats->blocks);
	g_array_unref(stats->vcpus);
	g_array_unref(stats->iothreads);
	g_array_unref(stats->counters);
	g_array_unref(stats->perf);
	g_array_unref(stats->dirty_vcpus);
	g_free(stats);
}

/* See node.h. */
#include "host/node.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CPU_FOLDER "/sys/devices/system/cpu"
#define NODE_FOLDER "/sys/devices/system/node"
#define MAX_NODES 1024

static char *read_text(const char *format, ...) G_GNUC_PRINTF(1, 2);

static char *read_text(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *path = g_strdup_vprintf(format, args);
	va_end(args);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : NULL;
}

static int read_int(guint cpu, const char *file, int otherwise)
{
	g_autofree char *text = read_text(CPU_FOLDER "/cpu%u/%s", cpu, file);
	return text ? (int)g_ascii_strtoll(text, NULL, 10) : otherwise;
}

guint node_count(void)
{
	guint n = 0;
	for (guint i = 0; i < MAX_NODES; i++) {
		g_autofree char *path = g_strdup_printf(NODE_FOLDER "/node%u", i);
		n += g_file_test(path, G_FILE_TEST_IS_DIR);
	}
	return MAX(n, 1);
}

static int node_of(guint cpu, guint nodes)
{
	for (guint i = 0; nodes > 1 && i < MAX_NODES; i++) {
		g_autofree char *path = g_strdup_printf(CPU_FOLDER "/cpu%u/node%u", cpu, i);
		if (g_file_test(path, G_FILE_TEST_EXISTS))
			return (int)i;
	}
	return 0;
}

static void cpu_free(gpointer data)
{
	g_free(((NodeCpu *)data)->siblings);
	g_free(data);
}

GPtrArray *node_cpus(void)
{
	GPtrArray *cpus = g_ptr_array_new_with_free_func(cpu_free);
	long n = sysconf(_SC_NPROCESSORS_CONF);
	guint nodes = node_count();
	for (guint i = 0; i < (guint)MAX(n, 1); i++) {
		NodeCpu *cpu = g_new0(NodeCpu, 1);
		cpu->id = i;
		cpu->socket = (guint)MAX(read_int(i, "topology/physical_package_id", 0), 0);
		cpu->die = (guint)MAX(read_int(i, "topology/die_id", 0), 0);
		cpu->core = (guint)MAX(read_int(i, "topology/core_id", (int)i), 0);
		cpu->node = node_of(i, nodes);
		cpu->siblings = read_text(CPU_FOLDER "/cpu%u/topology/thread_siblings_list", i);
		if (!cpu->siblings)
			cpu->siblings = g_strdup_printf("%u", i);
		cpu->online = read_int(i, "online", 1) == 1; /* the first has no such file */
		g_ptr_array_add(cpus, cpu);
	}
	return cpus;
}

/* The line of @text that begins with @word and a blank. */
static const char *line_of(const char *text, const char *word)
{
	gsize n = strlen(word);
	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (!strncmp(line, word, n) && line[n] == ' ')
			return line + n;
	return NULL;
}

gboolean node_times(int cpu, NodeTimes *times)
{
	g_autofree char *text = read_text("/proc/stat");
	g_autofree char *word = cpu < 0 ? g_strdup("cpu") : g_strdup_printf("cpu%d", cpu);
	const char *line = text ? line_of(text, word) : NULL;
	guint64 user, nice, system, idle, iowait, irq, softirq;
	if (!line || sscanf(line, " %lu %lu %lu %lu %lu %lu %lu", &user, &nice, &system, &idle, &iowait,
			    &irq, &softirq) != 7)
		return FALSE;
	guint64 tick = G_GUINT64_CONSTANT(1000000000) / (guint64)sysconf(_SC_CLK_TCK);
	*times = (NodeTimes){ .kernel = (system + irq + softirq) * tick, .user = (user + nice) * tick,
			      .idle = idle * tick, .iowait = iowait * tick };
	return TRUE;
}

/* "MemTotal:   123 kB", also behind "Node 0 ". */
static guint64 bytes_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	return at ? g_ascii_strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

gboolean node_memory(int node, NodeMemory *memory)
{
	g_autofree char *text = node < 0 ? read_text("/proc/meminfo")
					 : read_text(NODE_FOLDER "/node%d/meminfo", node);
	if (!text && node == 0) /* a host without NUMA is one node */
		text = read_text("/proc/meminfo");
	if (!text)
		return FALSE;
	*memory = (NodeMemory){ .total = bytes_of(text, "MemTotal:"), .free = bytes_of(text, "MemFree:"),
				.buffers = bytes_of(text, "Buffers:"),
				.cached = bytes_of(text, "\nCached:") };
	return TRUE;
}

guint node_mhz(void)
{
	g_autofree char *text = read_text("/proc/cpuinfo");
	const char *at = text ? strstr(text, "cpu MHz") : NULL;
	at = at ? strchr(at, ':') : NULL;
	return at ? (guint)g_ascii_strtod(at + 1, NULL) : 0;
}

/* ---- pages, distances, caches ---- */

#define HUGE "hugepages"

static gint by_size(gconstpointer a, gconstpointer b)
{
	const NodePages *one = a, *other = b;
	return (one->size > other->size) - (one->size < other->size);
}

GArray *node_pages(int node)
{
	GArray *pages = g_array_new(FALSE, FALSE, sizeof(NodePages));
	g_autofree char *own = g_strdup_printf(NODE_FOLDER "/node%d/" HUGE, node);
	gboolean numa = g_file_test(own, G_FILE_TEST_IS_DIR);
	const char *folder = numa ? own : "/sys/kernel/mm/" HUGE;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	NodeMemory memory = { 0 };
	guint64 page = (guint64)sysconf(_SC_PAGESIZE), huge = 0;
	node_memory(node, &memory);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		NodePages one;
		g_autofree char *text = read_text("%s/%s/nr_hugepages", folder, name);
		if (sscanf(name, HUGE "-%" G_GUINT64_FORMAT "kB", &one.size) != 1 || !text)
			continue;
		one.size *= 1024;
		one.count = g_ascii_strtoull(text, NULL, 10);
		huge += one.size * one.count;
		g_array_append_val(pages, one);
	}
	NodePages usual = { page, (memory.total - MIN(huge, memory.total)) / page };
	g_array_append_val(pages, usual);
	g_array_sort(pages, by_size);
	return pages;
}

GArray *node_distances(int node)
{
	GArray *distances = g_array_new(FALSE, FALSE, sizeof(guint));
	g_autofree char *text = read_text(NODE_FOLDER "/node%d/distance", node);
	g_auto(GStrv) words = g_strsplit(text ? text : "", " ", MAX_NODES);
	for (guint i = 0; words[i]; i++) {
		guint distance = (guint)g_ascii_strtoull(words[i], NULL, 10);
		if (*words[i])
			g_array_append_val(distances, distance);
	}
	return distances;
}

static void cache_free(gpointer data)
{
	g_free(((NodeCache *)data)->cpus);
	g_free(data);
}

static char *cache_text(guint cpu, guint index, const char *file)
{
	return read_text(CPU_FOLDER "/cpu%u/cache/index%u/%s", cpu, index, file);
}

/* Another processor has told of it already. */
static gboolean is_known(const GPtrArray *caches, const NodeCache *cache)
{
	for (guint i = 0; i < caches->len; i++) {
		const NodeCache *other = caches->pdata[i];
		if (other->level == cache->level && other->id == cache->id && other->type == cache->type)
			return TRUE;
	}
	return FALSE;
}

static void add_cache(GPtrArray *caches, guint cpu, guint index, guint level)
{
	g_autofree char *id = cache_text(cpu, index, "id"), *size = cache_text(cpu, index, "size");
	g_autofree char *type = cache_text(cpu, index, "type");
	NodeCache *cache = g_new0(NodeCache, 1);
	cache->level = level;
	cache->id = id ? (guint)g_ascii_strtoull(id, NULL, 10) : 0;
	cache->size = size ? g_ascii_strtoull(size, NULL, 10) * 1024 : 0; /* "266240K" */
	cache->type = !type || *type == 'U' ? 'b' : *type == 'I' ? 'c' : 'd';
	cache->cpus = cache_text(cpu, index, "shared_cpu_list");
	if (size && !is_known(caches, cache))
		g_ptr_array_add(caches, cache);
	else
		cache_free(cache);
}

GPtrArray *node_caches(void)
{
	GPtrArray *caches = g_ptr_array_new_with_free_func(cache_free);
	long n = sysconf(_SC_NPROCESSORS_CONF);
	for (guint cpu = 0; cpu < (guint)MAX(n, 1); cpu++)
		for (guint index = 0; index < 8; index++) {
			g_autofree char *text = cache_text(cpu, index, "level");
			guint level = text ? (guint)g_ascii_strtoull(text, NULL, 10) : 0;
			if (level >= 3)
				add_cache(caches, cpu, index, level);
		}
	return caches;
}

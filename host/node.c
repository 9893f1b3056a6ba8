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

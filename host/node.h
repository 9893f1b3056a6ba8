/* The machine's processors and memory as numbers that change: read anew at each call, from /proc and
 * /sys, without running anything. Neighbours: facts.h has what stays. Any thread; milliseconds. */
#pragma once

#include <glib.h>

typedef struct NodeCpu {
	guint id, socket, die, core;
	int node;	/* NUMA; 0 where the host has none */
	char *siblings; /* "0-1": threads of the same core */
	gboolean online;
} NodeCpu;

/* Every processor that can be online, in order; the caller frees the array. */
GPtrArray *node_cpus(void);

typedef struct NodeTimes { /* nanoseconds since boot */
	guint64 kernel, user, idle, iowait;
} NodeTimes;

/* Of the processor @cpu, -1: of all. FALSE where there is none. */
gboolean node_times(int cpu, NodeTimes *times);

typedef struct NodeMemory { /* bytes */
	guint64 total, free, buffers, cached;
} NodeMemory;

/* Of the NUMA node @node, -1: of the machine. FALSE where there is none. */
gboolean node_memory(int node, NodeMemory *memory);

typedef struct NodePages {
	guint64 size, count; /* bytes; how many there are */
} NodePages;

/* Pages of the NUMA node @node by their size, the usual ones first; the caller frees the array. */
GArray *node_pages(int node);
/* How far it is from the NUMA node @node to each one, 10 being itself (of guint); empty: not told. */
GArray *node_distances(int node);

typedef struct NodeCache { /* a bank that processors share */
	guint id, level;
	guint64 size; /* bytes */
	char type;    /* 'b' both, 'c' code, 'd' data */
	char *cpus;   /* "0-3" */
} NodeCache;

/* Banks of the levels from 3 on; the caller frees the array (of NodeCache *). */
GPtrArray *node_caches(void);

/* The frequency of the first processor in MHz; 0 where it is not told. */
guint node_mhz(void);
/* Count of NUMA nodes, 1 at least. */
guint node_count(void);

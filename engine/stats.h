/* What a running guest used, as its engine counts it: for statistics that must not wait behind a job or
 * behind a hypervisor that does not answer. So this is no slot of the engine's vtable, whose functions
 * run on the lane, but one question that is asked from the main loop and answered there, later.
 *
 * Neighbours: engine.h names the function; core/stats.h keeps what came, for all who ask. */
#pragma once

#include "model/guest.h"

typedef struct EngineRun EngineRun;

typedef enum EngineStatsWhat {
	ENGINE_STATS_BLOCKS = 1 << 0,	 /* counters, sizes and errors of disks */
	ENGINE_STATS_BALLOON = 1 << 1,
	ENGINE_STATS_VCPUS = 1 << 2,	 /* their threads */
	ENGINE_STATS_IOTHREADS = 1 << 3,
	ENGINE_STATS_DIRTY = 1 << 4,	 /* how fast the guest writes its memory, where that was asked for */
	ENGINE_STATS_COUNTERS = 1 << 5,	 /* the accelerator's own */
	ENGINE_STATS_PERF = 1 << 6,	 /* events that are counted for it */
	ENGINE_STATS_ALL = (1 << 7) - 1,
} EngineStatsWhat;

typedef enum EngineBlockCounter {
	BLOCK_READS,
	BLOCK_READ_BYTES,
	BLOCK_READ_NS,
	BLOCK_WRITES,
	BLOCK_WRITTEN_BYTES,
	BLOCK_WRITE_NS,
	BLOCK_FLUSHES,
	BLOCK_FLUSH_NS,
	BLOCK_COUNTERS
} EngineBlockCounter;

/* One image of a disk: the first is what the guest writes to, those behind it back it. */
typedef struct EngineLayer {
	guint64 counters[BLOCK_COUNTERS];
	guint64 highest;	    /* byte that was written, as far as is known */
	guint64 capacity, physical; /* bytes; 0: not told */
} EngineLayer;

typedef struct EngineBlock {
	char *alias;
	const char *status; /* "ok", "failed", "nospace"; static */
	GArray *layers;	    /* EngineLayer; one at least */
} EngineBlock;

typedef struct EngineVcpu {
	guint index;
	pid_t thread;
} EngineVcpu;

typedef struct EngineIothread {
	guint id;
	pid_t thread;
	guint64 poll_max_ns, poll_grow, poll_shrink;
} EngineIothread;

typedef enum EngineBalloon { /* bytes where nothing else is said */
	BALLOON_ACTUAL,
	BALLOON_SWAP_IN,
	BALLOON_SWAP_OUT,
	BALLOON_MAJOR_FAULTS, /* count */
	BALLOON_MINOR_FAULTS, /* count */
	BALLOON_FREE,
	BALLOON_TOTAL,
	BALLOON_USABLE,
	BALLOON_DISK_CACHES,
	BALLOON_HUGE_ALLOCATED, /* count */
	BALLOON_HUGE_FAILED,	/* count */
	BALLOON_LAST_UPDATE,	/* seconds since 1970 */
	BALLOON_VALUES
} EngineBalloon;

/* A counter under the accelerator's own name. */
typedef struct EngineCounter {
	char *name;	  /* "exits" */
	const char *kind; /* "cur", "max", "sum"; static */
	int vcpu;	  /* -1: of the guest */
	guint64 value;
} EngineCounter;

typedef struct EngineStats {
	gint refs;
	guint have; /* EngineStatsWhat */
	GPtrArray *blocks;   /* EngineBlock */
	GArray *vcpus;	     /* EngineVcpu */
	GArray *iothreads;   /* EngineIothread */
	GArray *counters;    /* EngineCounter */
	GArray *perf;	     /* EngineCounter, by names of host/perf.h; .kind NULL */
	OptUint balloon[BALLOON_VALUES];
	/* of the dirty rate */
	const char *dirty_status, *dirty_mode; /* "unstarted", "measuring", "measured"; "page-sampling" ... */
	gint64 dirty_start, dirty_seconds;
	OptUint dirty_mib;   /* per second */
	GArray *dirty_vcpus; /* guint64, MiB per second */
} EngineStats;

/* Zeroed, with one reference. Any thread; filled and shared on one at a time. */
EngineStats *engine_stats_new(void);
EngineStats *engine_stats_ref(EngineStats *stats);
/* NULL is fine. */
void engine_stats_unref(EngineStats *stats);

/* @stats is taken over, NULL on failure, where @error says why. */
typedef void (*EngineStatsFn)(EngineStats *stats, const GError *error, gpointer data);

/* Asks @run for @what (EngineStatsWhat) at once, without waiting; @fn runs once on the main loop's
 * thread, later, after @timeout_ms at the latest. @live is what runs. What cannot be told is left
 * out. Main. */
typedef void (*EngineMeasureFn)(EngineRun *run, const Guest *live, guint what, int timeout_ms,
				EngineStatsFn fn, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EngineStats, engine_stats_unref)

/* See lane.h. */
#include "base/lane.h"

typedef enum PoolId { POOL_LANES, POOL_BESIDE, POOL_APART, POOLS } PoolId;

/* Enough that many guests which do not answer (each blocks one thread until its time limit) leave
 * room for the others. Beside the lanes many calls may be about one server that hangs: a client has few at a
 * time, so it takes dozens of clients to fill that. Threads are made on demand and end when idle. */
static const int pool_threads[POOLS] = { 256, 2048, 1024 };

typedef struct Task {
	LaneFn fn;
	gpointer data;
	Lane *lane; /* a reference; NULL for a task beside the lanes */
} Task;

struct Lane {
	gint refs;
	PoolId pool;
	GMutex lock;
	GQueue waiting;	  /* of Task; under lock */
	gboolean running; /* a task of this lane is on the pool; under lock */
};

static GPrivate current = G_PRIVATE_INIT(NULL);

static void run_task(gpointer data, gpointer unused);

/* Tasks beside the lanes have threads of their own: they may wait for a lane (lane_run), which must
 * then find one. Idle threads are shared by all pools of GLib. */
static GThreadPool *pool(PoolId id)
{
	static gsize once;
	static GThreadPool *made[POOLS];
	if (g_once_init_enter(&once)) {
		for (guint i = 0; i < POOLS; i++)
			made[i] = g_thread_pool_new(run_task, NULL, pool_threads[i], FALSE, NULL);
		g_once_init_leave(&once, 1);
	}
	return made[id];
}

/* A task of @lane is done: the next one, if there is any. */
static void go_on(Lane *lane)
{
	g_mutex_lock(&lane->lock);
	Task *next = g_queue_pop_head(&lane->waiting);
	lane->running = next != NULL;
	g_mutex_unlock(&lane->lock);
	if (next)
		g_thread_pool_push(pool(lane->pool), next, NULL);
}

static void run_task(gpointer data, G_GNUC_UNUSED gpointer unused)
{
	Task *task = data;
	Lane *lane = task->lane;
	g_private_set(&current, lane);
	task->fn(task->data);
	g_private_set(&current, NULL);
	g_free(task);
	if (!lane)
		return;
	go_on(lane);
	lane_unref(lane);
}

Lane *lane_new(void)
{
	Lane *lane = g_new0(Lane, 1);
	lane->refs = 1;
	g_mutex_init(&lane->lock);
	g_queue_init(&lane->waiting);
	return lane;
}

Lane *lane_new_apart(void)
{
	Lane *lane = lane_new();
	lane->pool = POOL_APART;
	return lane;
}

Lane *lane_ref(Lane *lane)
{
	g_atomic_int_inc(&lane->refs);
	return lane;
}

void lane_unref(Lane *lane)
{
	if (!g_atomic_int_dec_and_test(&lane->refs))
		return;
	g_mutex_clear(&lane->lock);
	g_free(lane);
}

void lane_post(Lane *lane, LaneFn fn, gpointer data)
{
	Task *task = g_new(Task, 1);
	*task = (Task){ .fn = fn, .data = data, .lane = lane_ref(lane) };
	g_mutex_lock(&lane->lock);
	gboolean start = !lane->running;
	if (start)
		lane->running = TRUE;
	else
		g_queue_push_tail(&lane->waiting, task);
	g_mutex_unlock(&lane->lock);
	if (start)
		g_thread_pool_push(pool(lane->pool), task, NULL);
}

typedef struct Awaited {
	LaneFn fn;
	gpointer data;
	GMutex lock;
	GCond over;
	gboolean done;
} Awaited;

static void run_awaited(gpointer data)
{
	Awaited *awaited = data;
	awaited->fn(awaited->data);
	g_mutex_lock(&awaited->lock);
	awaited->done = TRUE;
	g_cond_signal(&awaited->over);
	g_mutex_unlock(&awaited->lock);
}

/* On an idle lane the caller's own thread is as good as another: no switches. */
static gboolean run_here(Lane *lane, LaneFn fn, gpointer data)
{
	g_mutex_lock(&lane->lock);
	gboolean idle = !lane->running;
	lane->running = TRUE;
	g_mutex_unlock(&lane->lock);
	if (!idle)
		return FALSE;
	g_private_set(&current, lane);
	fn(data);
	g_private_set(&current, NULL);
	go_on(lane);
	return TRUE;
}

void lane_run(Lane *lane, LaneFn fn, gpointer data)
{
	g_return_if_fail(!g_private_get(&current));
	G_GNUC_UNUSED g_autoptr(Lane) own = lane_ref(lane); /* @fn may drop the last other reference */
	if (run_here(lane, fn, data))
		return;
	Awaited awaited = { .fn = fn, .data = data };
	g_mutex_init(&awaited.lock);
	g_cond_init(&awaited.over);
	lane_post(lane, run_awaited, &awaited);
	g_mutex_lock(&awaited.lock);
	while (!awaited.done)
		g_cond_wait(&awaited.over, &awaited.lock);
	g_mutex_unlock(&awaited.lock);
	g_mutex_clear(&awaited.lock);
	g_cond_clear(&awaited.over);
}

gboolean lane_is_current(const Lane *lane)
{
	return lane && g_private_get(&current) == lane;
}

void lane_beside(LaneFn fn, gpointer data)
{
	Task *task = g_new(Task, 1);
	*task = (Task){ .fn = fn, .data = data };
	g_thread_pool_push(pool(POOL_BESIDE), task, NULL);
}

/* ---- tasks for the main loop: one source for all, so that a post costs no more than a wake ---- */

typedef struct MainTask {
	struct MainTask *next;
	LaneFn fn;
	gpointer data;
} MainTask;

static struct {
	GMutex lock;
	MainTask *first, **end; /* under lock */
} main_tasks = { .end = &main_tasks.first };

static gboolean main_has_tasks(void)
{
	g_mutex_lock(&main_tasks.lock);
	gboolean any = main_tasks.first != NULL;
	g_mutex_unlock(&main_tasks.lock);
	return any;
}

static gboolean main_prepare(G_GNUC_UNUSED GSource *source, int *timeout)
{
	*timeout = -1;
	return main_has_tasks();
}

static gboolean main_check(G_GNUC_UNUSED GSource *source)
{
	return main_has_tasks();
}

/* What is posted meanwhile waits for the next turn: other sources have theirs. */
static gboolean main_dispatch(G_GNUC_UNUSED GSource *source, G_GNUC_UNUSED GSourceFunc fn,
			      G_GNUC_UNUSED gpointer data)
{
	g_mutex_lock(&main_tasks.lock);
	MainTask *task = main_tasks.first;
	main_tasks.first = NULL;
	main_tasks.end = &main_tasks.first;
	g_mutex_unlock(&main_tasks.lock);
	while (task) {
		MainTask *next = task->next;
		task->fn(task->data);
		g_free(task);
		task = next;
	}
	return G_SOURCE_CONTINUE;
}

static void add_main_source(void)
{
	static GSourceFuncs funcs = { .prepare = main_prepare, .check = main_check,
				      .dispatch = main_dispatch };
	static gsize once;
	if (!g_once_init_enter(&once))
		return;
	GSource *source = g_source_new(&funcs, sizeof(GSource));
	g_source_set_name(source, "lanes");
	g_source_set_can_recurse(source, TRUE);
	g_source_attach(source, NULL);
	g_source_unref(source);
	g_once_init_leave(&once, 1);
}

void lane_to_main(LaneFn fn, gpointer data)
{
	add_main_source();
	MainTask *task = g_new(MainTask, 1);
	*task = (MainTask){ .fn = fn, .data = data };
	g_mutex_lock(&main_tasks.lock);
	gboolean wake = main_tasks.first == NULL;
	*main_tasks.end = task;
	main_tasks.end = &task->next;
	g_mutex_unlock(&main_tasks.lock);
	if (wake)
		g_main_context_wakeup(NULL);
}

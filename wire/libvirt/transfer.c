/* The bytes of volumes as streams of libvirt's protocol: packets and holes, read and written on the
 * transfer's lane, so that no disk holds up the loop. What is under way is bounded both ways.
 * Neighbours: stream.c has the packets; ops/transfer.h the bytes. */
#include "wire/libvirt/transfer.h"
#include "wire/libvirt/pour.h"
#include "wire/libvirt/pump.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>

#define AHEAD_MAX (4u << 20) /* bytes from the client that are not written yet; then it is not read */
#define READS_MAX 4	     /* chunks read that were not sent yet */
#define PUMPS_MAX 16	     /* pumps and pours at work; each holds a thread */

struct LvTransfer {
	gint refs; /* atomic: the stream's, and one of each task */
	OpTransfer *op;	  /* the lane's; NULL once it has ended */
	gboolean holes;
	gint failed; /* atomic */
	gint stop;   /* atomic: for the pump, the pour */
	Lane *lane;
	int pipe[2];	/* the pump's, the lane's; -1 until it is needed */

	/* main */
	const LvTransferDoor *door;
	gpointer stream; /* NULL: the client does not want it any more */
	gsize ahead;
	guint writes; /* tasks */
	guint reads;
	gboolean pours; /* a pour is at work */
	gboolean ended;
};

static void transfer_unref(LvTransfer *transfer)
{
	if (!g_atomic_int_dec_and_test(&transfer->refs))
		return;
	lane_unref(transfer->lane);
	fd_clear(&transfer->pipe[0]);
	fd_clear(&transfer->pipe[1]);
	g_free(transfer);
}

typedef struct Task {
	LvTransfer *transfer;
	guint8 *bytes; /* owned */
	gsize n;
	guint64 hole;
	gboolean abandoned, end;
	LvPump *pump; /* owned */
	LvPour *pour; /* owned */
	LvClient *client; /* of the pour; a reference */
	GError *error;
} Task;

static void task_free(Task *task)
{
	transfer_unref(task->transfer);
	g_free(task->bytes);
	if (task->pump)
		lv_pump_clear(task->pump);
	g_free(task->pump);
	if (task->pour)
		lv_pour_clear(task->pour);
	g_free(task->pour);
	g_clear_error(&task->error);
	g_free(task);
}

static void post(LvTransfer *transfer, LaneFn fn, Task task)
{
	g_atomic_int_inc(&transfer->refs);
	task.transfer = transfer;
	lane_post(transfer->lane, fn, g_memdup2(&task, sizeof(task)));
}

LvTransfer *lv_transfer_new(OpTransfer *op, gboolean holes, const LvTransferDoor *door, gpointer stream)
{
	LvTransfer *transfer = g_new0(LvTransfer, 1);
	*transfer = (LvTransfer){ .refs = 1, .op = op, .holes = holes, .door = door, .stream = stream,
				  .pipe = { -1, -1 }, .lane = lane_ref(op_transfer_lane(op)) };
	return transfer;
}

/* ---- upload ---- */

/* Main: a task has been carried out. */
static void written(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	transfer->ahead -= task->n;
	transfer->writes--;
	if (transfer->stream && task->error)
		transfer->door->failed(transfer->stream, task->error);
	else if (transfer->stream && task->end)
		transfer->door->finished(transfer->stream);
	else if (transfer->stream && transfer->ahead < AHEAD_MAX / 2)
		transfer->door->room(transfer->stream);
	task_free(task);
}

static void write_task(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	if (transfer->op && !transfer->failed) {
		gboolean ok = task->hole ? op_transfer_hole(transfer->op, task->hole, &task->error) :
					   op_transfer_write(transfer->op, task->bytes, task->n,
							     &task->error);
		if (!ok)
			g_atomic_int_set(&transfer->failed, TRUE);
	}
	lane_to_main(written, task);
}

static void end_task(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	OpTransfer *op = g_steal_pointer(&transfer->op);
	if (op)
		op_transfer_end(op, task->abandoned || transfer->failed, &task->error);
	lane_to_main(written, task);
}

gboolean lv_transfer_take(LvTransfer *transfer, const guint8 *bytes, gsize n)
{
	transfer->ahead += n;
	transfer->writes++;
	post(transfer, write_task,
	     (Task){ .bytes = g_memdup2(bytes, n), .n = n });
	return transfer->ahead < AHEAD_MAX;
}

void lv_transfer_take_hole(LvTransfer *transfer, guint64 length)
{
	transfer->writes++;
	post(transfer, write_task, (Task){ .hole = length });
}

void lv_transfer_finish(LvTransfer *transfer)
{
	if (transfer->ended)
		return;
	transfer->ended = TRUE;
	transfer->writes++;
	post(transfer, end_task, (Task){ .end = TRUE });
}

void lv_transfer_free(LvTransfer *transfer)
{
	if (!transfer)
		return;
	transfer->stream = NULL;
	g_atomic_int_set(&transfer->stop, TRUE);
	if (!transfer->ended) {
		transfer->writes++;
		post(transfer, end_task, (Task){ .abandoned = TRUE });
	}
	transfer->ended = TRUE;
	transfer_unref(transfer);
}

/* ---- upload, without the loop ---- */

static guint pumps; /* main */

/* First the connection is the loop's again, then it may hear of the failure. */
static void pumped(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	const LvPump *pump = task->pump;
	pumps--;
	if (transfer->stream)
		transfer->door->pumped(transfer->stream, pump->back, pump->moved > 0,
				       pump->goes_on && !task->error);
	if (transfer->stream && task->error)
		transfer->door->failed(transfer->stream, task->error);
	task_free(task);
}

static void pump_task(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	if (!lv_pump_run(task->pump, transfer->op, transfer->pipe, &task->error))
		g_atomic_int_set(&transfer->failed, TRUE);
	lane_to_main(pumped, task);
}

/* A copy of @fd for a thread; -1 where there should be none. */
static int own_connection(LvTransfer *transfer, int fd)
{
	if (pumps >= PUMPS_MAX || (transfer->pipe[0] < 0 && !lv_pump_pipe(transfer->pipe)))
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

gboolean lv_transfer_pump(LvTransfer *transfer, int fd, const LvHeader *header, GByteArray *start)
{
	gboolean busy = transfer->writes || transfer->ended || transfer->failed;
	int copy = busy ? -1 : own_connection(transfer, fd);
	if (copy < 0)
		return FALSE;
	LvPump pump = { .fd = copy, .header = *header, .stop = &transfer->stop, .start = start };
	pumps++;
	post(transfer, pump_task, (Task){ .pump = g_memdup2(&pump, sizeof pump) });
	return TRUE;
}

/* ---- download ---- */

static void have_read(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	transfer->reads--;
	if (transfer->stream && task->error)
		transfer->door->failed(transfer->stream, task->error);
	else if (transfer->stream)
		transfer->door->data(transfer->stream, task->bytes, task->n, task->hole);
	task_free(task);
}

static void read_task(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	task->bytes = g_malloc(LV_STREAM_CHUNK);
	gssize n = transfer->op ? op_transfer_read(transfer->op, transfer->holes, task->bytes,
						   LV_STREAM_CHUNK, &task->hole, &task->error) : 0;
	task->n = n > 0 ? (gsize)n : 0;
	/* All is read: the volume is free before the client knows: go-libvirt sends no finish. */
	if (n == 0 && !task->hole && transfer->op)
		op_transfer_end(g_steal_pointer(&transfer->op), FALSE, NULL);
	lane_to_main(have_read, task);
}

void lv_transfer_want(LvTransfer *transfer, gsize waiting)
{
	while (!transfer->ended && transfer->reads < READS_MAX &&
	       waiting + transfer->reads * LV_STREAM_CHUNK < READS_MAX * LV_STREAM_CHUNK) {
		transfer->reads++;
		post(transfer, read_task, (Task){ 0 });
	}
}

/* ---- download, without the loop ---- */

static void poured(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	pumps--;
	transfer->pours = FALSE;
	lv_client_returned(task->client, task->pour->rest);
	if (transfer->stream && task->error)
		transfer->door->failed(transfer->stream, task->error);
	else if (transfer->stream && task->pour->over)
		transfer->door->data(transfer->stream, NULL, 0, 0);
	lv_streams_resume(task->client);
	lv_client_unref(task->client);
	task_free(task);
}

static void pour_task(gpointer data)
{
	Task *task = data;
	LvTransfer *transfer = task->transfer;
	if (!lv_pour_run(task->pour, transfer->op, transfer->pipe, &task->error) || task->pour->over)
		op_transfer_end(g_steal_pointer(&transfer->op), FALSE, NULL); /* as read_task() */
	lane_to_main(poured, task);
}

gboolean lv_transfer_pour(LvTransfer *transfer, LvClient *client, const LvHeader *header)
{
	if (transfer->pours)
		return TRUE;
	gboolean busy = transfer->reads || transfer->ended || !lv_client_can_lend(client);
	int copy = busy ? -1 : own_connection(transfer, client->fd);
	if (copy < 0)
		return FALSE;
	LvPour pour = { .fd = copy, .header = *header, .holes = transfer->holes, .stop = &transfer->stop };
	g_atomic_int_set(&transfer->stop, FALSE);
	client->lent = &transfer->stop;
	transfer->pours = TRUE;
	pumps++;
	post(transfer, pour_task,
	     (Task){ .pour = g_memdup2(&pour, sizeof pour), .client = lv_client_ref(client) });
	return TRUE;
}

/* See job.h. */
#include "core/job.h"
#include "base/error.h"
#include "core/internal.h"

#include <jansson.h>
#include <stdlib.h>

struct Job {
	JobInfo info, completed; /* under guest->lock */
	gboolean can_abort;	 /* the same */
	gint64 since;
	GCancellable *cancel;	 /* NULL: nothing is under way; changed under guest->lock */
	EngineProgress asker;
	gulong asker_handler;
};

static Job *job_of(CoreGuest *guest) /* locked */
{
	if (!guest->job)
		guest->job = g_new0(Job, 1);
	return guest->job;
}

void job_free(CoreGuest *guest)
{
	if (guest->job)
		g_clear_object(&guest->job->cancel);
	g_free(guest->job);
}

JobInfo core_guest_job(CoreGuest *guest)
{
	g_mutex_lock(&guest->lock);
	Job *job = job_of(guest);
	JobInfo info = job->info;
	if (info.type != JOB_NONE)
		info.elapsed_ms = (guint64)(g_get_monotonic_time() - job->since) / 1000;
	g_mutex_unlock(&guest->lock);
	return info;
}

JobInfo core_guest_job_completed(CoreGuest *guest, gboolean keep)
{
	g_mutex_lock(&guest->lock);
	Job *job = job_of(guest);
	JobInfo info = job->completed;
	if (!keep)
		job->completed = (JobInfo){ 0 };
	g_mutex_unlock(&guest->lock);
	return info;
}

gboolean core_guest_job_abort(CoreGuest *guest, GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	g_mutex_lock(&guest->lock);
	Job *job = job_of(guest);
	g_autoptr(GCancellable) cancel = job->cancel ? g_object_ref(job->cancel) : NULL;
	gboolean can = job->can_abort;
	g_mutex_unlock(&guest->lock);
	if (!cancel)
		return fail(error, LODGE_ERROR_STATE, "no job is active on guest \"%s\"", snap->name);
	if (!can)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\": cannot abort a dump of memory: QEMU ends "
			    "it by itself",
			    snap->name);
	g_cancellable_cancel(cancel);
	return TRUE;
}

/* ---- who does the work ---- */

static void on_tell(gpointer data, double fraction)
{
	const Job *job = ((CoreGuest *)data)->job;
	if (job->asker.tell)
		job->asker.tell(job->asker.data, fraction);
}

static void on_work(gpointer data, const EngineWork *work)
{
	CoreGuest *guest = data;
	g_mutex_lock(&guest->lock);
	guest->job->info.work = *work;
	g_mutex_unlock(&guest->lock);
}

static void on_asker_cancelled(G_GNUC_UNUSED GCancellable *asker, gpointer cancel)
{
	g_cancellable_cancel(cancel);
}

void job_begin(CoreGuest *guest, JobOperation operation, gboolean can_abort, const EngineProgress *asker,
	       EngineProgress *own)
{
	g_mutex_lock(&guest->lock);
	Job *job = job_of(guest);
	job->info = (JobInfo){ .type = JOB_UNBOUNDED, .operation = operation };
	job->can_abort = can_abort;
	job->since = g_get_monotonic_time();
	job->cancel = g_cancellable_new();
	job->asker = asker ? *asker : (EngineProgress){ 0 };
	g_mutex_unlock(&guest->lock);
	if (job->asker.cancel)
		job->asker_handler = g_cancellable_connect(job->asker.cancel, G_CALLBACK(on_asker_cancelled),
							   g_object_ref(job->cancel), g_object_unref);
	*own = (EngineProgress){ .tell = on_tell, .work = on_work, .data = guest, .cancel = job->cancel };
}

static void tell_completed(CoreGuest *guest, const JobInfo *info)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	CoreEvent *event = g_new0(CoreEvent, 1);
	json_t *json = json_pack("{s:i, s:{s:i, s:I, s:I, s:I, s:I}}", "type", (int)info->type, "params",
				 "operation", (int)info->operation, "time_elapsed",
				 (json_int_t)info->elapsed_ms, "data_total", (json_int_t)info->work.total,
				 "data_processed", (json_int_t)info->work.processed, "data_remaining",
				 (json_int_t)info->work.remaining);
	char *text = json_dumps(json, JSON_COMPACT);
	*event = (CoreEvent){ .kind = "job-completed", .guest = g_strdup(snap->name), .id = snap->id,
			      .time = g_get_real_time(), .json = g_strdup(text) };
	g_strlcpy(event->uuid, snap->uuid, sizeof event->uuid);
	free(text);
	json_decref(json);
	core_publish(guest->core, event);
}

void job_end(CoreGuest *guest, const GError *error)
{
	Job *job = guest->job;
	if (job->asker_handler)
		g_cancellable_disconnect(job->asker.cancel, job->asker_handler);
	g_mutex_lock(&guest->lock);
	gboolean aborted = g_error_matches(error, LODGE_ERROR, LODGE_ERROR_ABORTED);
	job->asker_handler = 0;
	job->completed = job->info;
	job->completed.type = !error ? JOB_COMPLETED : aborted ? JOB_CANCELLED : JOB_FAILED;
	job->completed.elapsed_ms = (guint64)(g_get_monotonic_time() - job->since) / 1000;
	job->info = (JobInfo){ 0 };
	g_autoptr(GCancellable) cancel = g_steal_pointer(&job->cancel);
	JobInfo told = job->completed;
	g_mutex_unlock(&guest->lock);
	tell_completed(guest, &told);
}

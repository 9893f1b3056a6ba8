/* The long work on a guest, for those who ask how far it is and who end it: saving and dumping. It runs on
 * the guest's lane, one at a time; what is told of it is a copy, so nobody waits.
 * Neighbours: save.h and dump.h do the work; ops/guest_job.c shows it. */
#pragma once

#include "core/core.h"

typedef enum JobType { /* virDomainJobType */
	JOB_NONE,
	JOB_BOUNDED,
	JOB_UNBOUNDED,
	JOB_COMPLETED,
	JOB_FAILED,
	JOB_CANCELLED,
} JobType;

typedef enum JobOperation { /* virDomainJobOperation */
	JOB_UNKNOWN,
	JOB_START,
	JOB_SAVE,
	JOB_RESTORE,
	JOB_MIGRATION_IN,
	JOB_MIGRATION_OUT,
	JOB_SNAPSHOT,
	JOB_SNAPSHOT_REVERT,
	JOB_DUMP,
	JOB_BACKUP,
} JobOperation;

typedef struct JobInfo {
	JobType type;
	JobOperation operation;
	guint64 elapsed_ms;
	EngineWork work;
} JobInfo;

/* What is under way; of type NONE where nothing is. Any thread. */
JobInfo core_guest_job(CoreGuest *guest);
/* The last that ended; unless @keep it is told once. Any thread. */
JobInfo core_guest_job_completed(CoreGuest *guest, gboolean keep);
/* Asks what is under way to end. STATE where nothing is, or it cannot be ended. Any thread. */
gboolean core_guest_job_abort(CoreGuest *guest, GError **error);

/* ---- for who does the work; lane ---- */

/* Begins: fills @own with what the engine is to report to, which passes it on to @asker (may be NULL).
 * @can_abort: the work looks at own->cancel. */
void job_begin(CoreGuest *guest, JobOperation operation, gboolean can_abort, const EngineProgress *asker,
	       EngineProgress *own);
/* Ends it and tells so; @error is NULL where it worked. */
void job_end(CoreGuest *guest, const GError *error);

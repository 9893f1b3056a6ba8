/* A guest's memory and devices as a stream of QEMU's migration: written to a file, read at a start.
 * Facts: QEMU's qapi/migration.json. See run.h. */
#include "base/error.h"
#include "engine/qemu/run.h"

#include <string.h>

#define POLL_LEAST_US 500 /* between two looks; else an eighth of the time that it has taken so far */
#define POLL_MOST_US 50000
#define FULL "No space left on device" /* as QEMU ends its errors of ENOSPC */
#define MIGRATION_MS 30000 /* one answer, while QEMU is busy with pages */

typedef enum Migration { MIGRATION_GOES_ON, MIGRATION_DONE, MIGRATION_FAILED } Migration;

static guint64 number(json_t *object, const char *key)
{
	return (guint64)MAX(json_integer_value(json_object_get(object, key)), 0);
}

/* MigrationStatus of qapi/migration.json; what is not here goes on. */
static Migration status_of(json_t *info, EngineWork *work, double *fraction, char **why)
{
	const char *status = json_string_value(json_object_get(info, "status"));
	json_t *ram = json_object_get(info, "ram");
	double total = (double)json_integer_value(json_object_get(ram, "total"));
	double left = (double)json_integer_value(json_object_get(ram, "remaining"));
	*fraction = total > 0 ? (total - left) / total : -1;
	*work = (EngineWork){
		.total = number(ram, "total"),
		.processed = number(ram, "transferred"),
		.remaining = number(ram, "remaining"),
		.constant_pages = number(ram, "duplicate"),
		.normal_pages = number(ram, "normal"),
		.normal_bytes = number(ram, "normal-bytes"),
		.iteration = number(ram, "dirty-sync-count"),
		.page_size = number(ram, "page-size"),
		.bytes_per_s = (guint64)(json_number_value(json_object_get(ram, "mbps")) * 125000),
		.dirty_pages_per_s = number(ram, "dirty-pages-rate"),
		.setup_ms = number(info, "setup-time")
	};
	if (!g_strcmp0(status, "completed"))
		return MIGRATION_DONE;
	if (g_strcmp0(status, "failed") && g_strcmp0(status, "cancelled"))
		return MIGRATION_GOES_ON;
	const char *desc = json_string_value(json_object_get(info, "error-desc"));
	*why = g_strdup(desc ? desc : status);
	return MIGRATION_FAILED;
}

static gboolean call(EngineRun *run, const char *command, json_t *arguments, GError **error)
{
	json_t *result = qmp_call(run->qmp, command, arguments, MIGRATION_MS, error);
	json_decref(result);
	return result != NULL;
}

/* Waits for the end of the migration; tells how far it is. */
static gboolean follow(EngineRun *run, const EngineProgress *progress, GError **error)
{
	gboolean cancelled = FALSE;
	for (gint64 begin = g_get_monotonic_time();;) {
		json_t *info = qmp_call(run->qmp, "query-migrate", NULL, MIGRATION_MS, error);
		if (!info)
			return FALSE;
		double fraction = 0;
		g_autofree char *why = NULL;
		EngineWork work;
		Migration now = status_of(info, &work, &fraction, &why);
		json_decref(info);
		if (progress && progress->work)
			progress->work(progress->data, &work);
		if (now == MIGRATION_DONE)
			return TRUE;
		if (now == MIGRATION_FAILED)
			return fail(error, cancelled	       ? LODGE_ERROR_ABORTED :
					   strstr(why, FULL) ? LODGE_ERROR_NO_SPACE : LODGE_ERROR_ENGINE,
				    "guest \"%s\": %s", run->name, why);
		if (progress && progress->tell)
			progress->tell(progress->data, fraction);
		if (!cancelled && progress && g_cancellable_is_cancelled(progress->cancel))
			cancelled = call(run, "migrate_cancel", NULL, NULL);
		gint64 taken = g_get_monotonic_time() - begin;
		g_usleep((gulong)CLAMP(taken / 8, POLL_LEAST_US, POLL_MOST_US));
	}
}

/* QEMU takes @fd under the name that the uri "fd:NAME" then uses up. */
static gboolean hand_over(EngineRun *run, int fd, GError **error)
{
	json_t *result = qmp_call_fd(run->qmp, "getfd", json_pack("{s:s}", "fdname", "stream"), fd,
				     MIGRATION_MS, error);
	json_decref(result);
	return result != NULL;
}

gboolean run_save(EngineRun *run, int fd, const EngineProgress *progress, GError **error)
{
	json_t *no_limit = json_pack("{s:I}", "max-bandwidth", (json_int_t)G_MAXINT64);
	return call(run, "migrate-set-parameters", no_limit, error) && hand_over(run, fd, error) &&
	       call(run, "migrate", json_pack("{s:s}", "uri", "fd:stream"), error) &&
	       follow(run, progress, error);
}

void run_save_cancel(EngineRun *run)
{
	json_t *info = qmp_call(run->qmp, "query-migrate", NULL, MIGRATION_MS, NULL);
	gboolean any = json_object_get(info, "status") != NULL;
	json_decref(info);
	if (any && call(run, "migrate_cancel", NULL, NULL))
		follow(run, NULL, NULL);
}

gboolean run_load(EngineRun *run, int fd, GError **error)
{
	return hand_over(run, fd, error) &&
	       call(run, "migrate-incoming", json_pack("{s:s}", "uri", "fd:stream"), error) &&
	       follow(run, NULL, error);
}

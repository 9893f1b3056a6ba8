/* See dump.h. */
#include "core/dump.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/job.h"

#include <fcntl.h>
#include <unistd.h>

static gboolean write_file(CoreGuest *guest, const char *path, EngineWrite what,
			   const EngineProgress *progress, GError **error)
{
	autofd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail_errno(error, errno, "cannot create %s", path);
	EngineProgress own;
	g_autoptr(GError) why = NULL;
	job_begin(guest, JOB_DUMP, what == ENGINE_MEMORY, progress, &own);
	gboolean ok = guest->core->engine->write(guest->run, what, fd, &own, &why);
	if (ok && fdatasync(fd) < 0)
		ok = fail_errno(&why, errno, "cannot write %s", path);
	job_end(guest, why);
	if (!ok) {
		unlink(path);
		g_propagate_error(error, g_steal_pointer(&why));
	}
	return ok;
}

static void run_on(CoreGuest *guest)
{
	g_autoptr(GError) error = NULL;
	if (guest->core->engine->signal(guest->run, ENGINE_RESUME, &error))
		guest_state(guest, GUEST_RUNNING, REASON_UNPAUSED);
	else
		log_error(guest->snap->name, "it stays paused after a dump: %s", error->message);
}

static gboolean stand_still(CoreGuest *guest, GError **error)
{
	if (!guest->core->engine->signal(guest->run, ENGINE_PAUSE, error))
		return FALSE;
	guest_state(guest, GUEST_PAUSED, REASON_DUMPING);
	return TRUE;
}

gboolean core_guest_dump(CoreGuest *guest, const char *path, EngineWrite what, guint flags,
			 const EngineProgress *progress, GError **error)
{
	const Engine *engine = guest->core->engine;
	gboolean ran = guest->snap->state == GUEST_RUNNING;
	if (!guest->run)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\" is not running", guest->snap->name);
	if (!g_path_is_absolute(path))
		return fail(error, LODGE_ERROR_INVALID, "\"%s\" is not an absolute path", path);
	if (ran && !(flags & DUMP_LIVE) && !stand_still(guest, error))
		return FALSE;
	gboolean ok = write_file(guest, path, what, progress, error);
	if (ok && (flags & DUMP_CRASH)) {
		if (!engine->kill(guest->run, FALSE, error))
			return FALSE;
		guest_ended(guest, REASON_CRASHED, "after its dump");
		return TRUE;
	}
	if (ok && (flags & DUMP_RESET))
		ok = engine->signal(guest->run, ENGINE_RESET, error);
	/* at the end of what it writes with devices QEMU stops the CPUs by itself */
	if (ran && (!(flags & DUMP_LIVE) || what == ENGINE_MEMORY))
		run_on(guest);
	return ok;
}

/* See dump.h. */
#include "core/dump.h"
#include "base/error.h"
#include "base/log.h"
#include "core/internal.h"
#include "core/job.h"
#include "host/why.h"
#include "image/part.h"

#include <unistd.h>

static gboolean write_file(CoreGuest *guest, const char *path, EngineWrite what,
			   const EngineProgress *progress, GError **error)
{
	g_auto(ImagePart) part = { .fd = -1 };
	if (!image_part_begin(path, FALSE, &part, error))
		return FALSE;
	EngineProgress own;
	g_autoptr(GError) why = NULL;
	job_begin(guest, JOB_DUMP, what == ENGINE_MEMORY, progress, &own);
	gboolean ok = guest->core->engine->write(guest->run, what, part.fd, &own, &why) &&
		      image_part_finish(&part, access(path, F_OK) == 0, IMAGE_FLUSH_BEHIND, &why);
	job_end(guest, why);
	return ok || fail_full(error, g_steal_pointer(&why), path);
}

/* A daemon that comes after this one died lets it go on: as after a save without a file (save.c). */
static void tell_successor(CoreGuest *guest, gboolean stands)
{
	g_autoptr(GError) error = NULL;
	if (!recover_write_saving(guest, stands ? "running 0 (a dump)" : NULL, &error))
		log_warning(guest->snap->name, "%s", error->message);
}

static void run_on(CoreGuest *guest)
{
	g_autoptr(GError) error = NULL;
	if (guest->core->engine->signal(guest->run, ENGINE_RESUME, &error))
		guest_state(guest, GUEST_RUNNING, REASON_UNPAUSED);
	else
		log_error(guest->snap->name, "it stays paused after a dump: %s", error->message);
	tell_successor(guest, FALSE);
}

static gboolean stand_still(CoreGuest *guest, GError **error)
{
	tell_successor(guest, TRUE);
	if (!guest->core->engine->signal(guest->run, ENGINE_PAUSE, error)) {
		tell_successor(guest, FALSE);
		return FALSE;
	}
	guest_state(guest, GUEST_PAUSED, REASON_DUMPING);
	return TRUE;
}

gboolean core_guest_dump(CoreGuest *guest, const char *path, EngineWrite what, guint flags,
			 const EngineProgress *progress, GError **error)
{
	const Engine *engine = guest->core->engine;
	gboolean ran = guest->snap->state == GUEST_RUNNING;
	if (!guest->run)
		return guest_not_running(guest->snap->name, error);
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

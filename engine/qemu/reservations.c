/* See helpers.h: qemu-pr-helper, which reserves SCSI units for a guest's disks (<reservations
 * managed='yes'>). QEMU may not do that itself: it takes root. */
#include "engine/qemu/helpers_internal.h"

#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/command.h"

static gboolean wanted_below(const DiskBacking *backing)
{
	return backing && ((backing->source && backing->source->reservations == TRI_YES) ||
			   wanted_below(backing->backing));
}

gboolean qemu_reservations_wanted(const Guest *live)
{
	SHAPE_EACH (Disk, disk, live->disks)
		if ((disk->source && disk->source->reservations == TRI_YES) || wanted_below(disk->backing))
			return TRUE;
	return FALSE;
}

QemuHelper *qemu_reservations_start(const char *name, const char *run_dir, const HostUser *user,
				    const Cgroup *cgroup, int log_fd, GError **error)
{
	g_autofree char *program = helper_program("qemu-pr-helper", NULL);
	g_autofree char *socket = qemu_reservations_path(run_dir);
	if (!program) {
		fail(error, LODGE_ERROR_UNSUPPORTED,
		     "guest \"%s\": <reservations managed=\"yes\"> needs qemu-pr-helper: install the package "
		     "qemu-system-common", name);
		return NULL;
	}
	autofd int listener = helper_listen(socket, user, error);
	if (listener < 0)
		return NULL;
	/* it takes a listening socket as systemd hands it over: descriptor 3, and its own number */
	const char *const argv[] = { "/bin/sh", "-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\"", program,
				     NULL };
	const SpawnFd fds[] = { { .from = listener, .to = 3 } };
	Spawn how = { .argv = argv, .fds = fds, .n_fds = 1 };
	helper_world(&how, NULL, cgroup, log_fd);
	return helper_spawn("qemu-pr-helper", socket, &how, error);
}

/* Opens what QEMU is to use, as the daemon: who owns a file never decides whether a guest starts.
 * See run.h and QemuFdKind in command.h. */
#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/run.h"
#include "host/open.h"
#include "host/socket.h"
#include "host/why.h"
#include "image/header.h"
#include "image/lease.h"
#include "image/lock.h"
#include "image/scratch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* Disk "vda" of "disk vda", as fds are labelled. */
static const Disk *disk_of(const Guest *live, const QemuFd *want)
{
	const char *blank = strchr(want->what, ' ');
	SHAPE_EACH (Disk, disk, live->disks)
		if (blank && g_str_equal(disk->target, blank + 1))
			return disk;
	return NULL;
}

/* Only images are claimed: a device such as /dev/null belongs to nobody. */
static gboolean claim(EngineRun *run, const QemuFd *want, const Guest *live, int fd, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) ||
	    (want->flags & O_APPEND))
		return TRUE;
	const Disk *disk = disk_of(live, want);
	gboolean writes = (want->flags & O_ACCMODE) != O_RDONLY, shared = disk && disk->shareable;
	if (!claim_image(run, fd, writes, shared, want->what, want->path, error))
		return FALSE;
	if (writes && !shared)
		g_ptr_array_add(run->writes, g_strdup(want->path));
	/* Guests of other daemons and hosts, and tools. */
	if (shared || (image_lock_check(fd, want->path, writes ? IMAGE_USE_GUEST : IMAGE_USE_READ, error) &&
		       (writes || !image_lease_needed(want->path) || image_lease_check(want->path, error))))
		return TRUE;
	g_prefix_error(error, "guest \"%s\": %s: ", run->name, want->what);
	return FALSE;
}

static int open_file(EngineRun *run, const QemuFd *want, const Guest *live, GError **error)
{
	autofd int fd = host_open(want->path, want->flags | O_NOCTTY, 0600);
	if (fd < 0) {
		int errnum = errno;
		const char *remedy = errnum == EROFS || errnum == EACCES
					     ? " (mark the disk <readonly/> if it is not to be written)"
					     : "";
		fail_open(error, errnum, want->path, (want->flags & O_ACCMODE) != O_RDONLY,
			  "guest \"%s\": %s: cannot open %s%s", run->name, want->what, want->path, remedy);
		return -1;
	}
	return claim(run, want, live, fd, error) ? fd_steal(&fd) : -1;
}

static int copy_to_memory(int from, const char *path, GError **error)
{
	struct stat st;
	autofd int fd = memfd_create("lodge", MFD_CLOEXEC);
	if (fd < 0 || fstat(from, &st) < 0) {
		fail_errno(error, errno, "cannot copy %s", path);
		return -1;
	}
	for (off_t done = 0; done < st.st_size;) {
		ssize_t n = sendfile(fd, from, &done, (size_t)(st.st_size - done));
		if (n <= 0) {
			fail_errno(error, n ? errno : EIO, "cannot copy %s", path);
			return -1;
		}
	}
	return fd_steal(&fd);
}

/* QEMU opens /dev/fd/N anew, which its own user must be allowed to. */
static int open_plain(EngineRun *run, const QemuFd *want, GError **error)
{
	autofd int fd = open(want->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		fail_errno(error, errno, "guest \"%s\": %s: cannot open %s", run->name, want->what,
			   want->path);
		return -1;
	}
	if (!qemu_host.user || host_user_may(qemu_host.user, want->path, R_OK))
		return fd_steal(&fd);
	return copy_to_memory(fd, want->path, error);
}

/* A descriptor of memory that nobody else has; QEMU opens it anew by /dev/fd/N. */
static int secret_fd(const char *value, gsize length, GError **error)
{
	autofd int fd = memfd_create("secret", MFD_CLOEXEC);
	for (gsize done = 0; fd >= 0 && done < length;) {
		ssize_t n = pwrite(fd, value + done, length - done, (off_t)done);
		if (n <= 0 && errno != EINTR)
			fd_clear(&fd);
		done += (gsize)MAX(n, 0);
	}
	if (fd < 0)
		fail_errno(error, errno, "cannot hand a secret over");
	return fd_steal(&fd);
}

static int open_secret(EngineRun *run, const QemuFd *want, GError **error)
{
	const EngineConfig *config = &qemu_host.config;
	g_autoptr(GError) why = NULL;
	gsize length = 0;
	char *value = NULL;
	if (config->secret)
		value = config->secret(config->secret_owner, want->usage ? NULL : want->path, want->type,
				       want->usage ? want->path : NULL, &length, &why);
	else
		fail_with(&why, LODGE_ERROR_NOT_FOUND, LODGE_DETAIL_NO_SECRET, "there is no secret \"%s\"",
			  want->path);
	if (!value) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "guest \"%s\": %s: ", run->name,
					   want->what);
		return -1;
	}
	int fd = secret_fd(value, length, error);
	explicit_bzero(value, length);
	g_free(value);
	return fd;
}

/* The caller's stays the caller's. */
static int copy_plug(EngineRun *run, const QemuFd *want, int fd, GError **error)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		fail_errno(error, errno, "guest \"%s\": %s", run->name, want->what);
	return copy;
}

static int copy_given(EngineRun *run, const QemuFd *want, GError **error)
{
	const EngineFdGroup *group = g_hash_table_lookup(run->how->fd_groups, want->path);
	return copy_plug(run, want, group->fds[want->queue], error);
}

/* Bytes of the disk that @base holds; FALSE where its header does not tell. */
static gboolean disk_bytes(const Disk *disk, int base, const char *path, guint64 *bytes, GError **error)
{
	g_auto(ImageHeader) header = { 0 };
	ImageFormat format =
		(ImageFormat)enum_value(&image_formats, enum_name(&disk_formats, (int)disk->driver_type));
	*bytes = opt_uint_or(disk->source->slice_size, 0);
	if (*bytes)
		return TRUE;
	if (!image_header_read(base, path, format ? format : IMAGE_RAW, &header, error))
		return FALSE;
	*bytes = opt_uint_or(header.capacity, 0);
	return *bytes || fail(error, LODGE_ERROR_UNSUPPORTED, "%s does not tell its size, which <transient/> "
			      "needs: convert it to qcow2", path);
}

static int open_scratch(EngineRun *run, const QemuFd *want, const Guest *live, GError **error)
{
	const Disk *disk = disk_of(live, want);
	const char *group = disk->source->fdgroup;
	const EngineFdGroup *given = group ? g_hash_table_lookup(run->how->fd_groups, group) : NULL;
	autofd int base = given ? fcntl(given->fds[0], F_DUPFD_CLOEXEC, 3) :
				  host_open(want->path, O_RDONLY | O_NOCTTY, 0);
	g_autofree char *other = g_build_filename(qemu_host.config.paths->lib, "transient", NULL);
	guint64 bytes;
	if (base < 0)
		fail_open(error, errno, want->path, FALSE, "cannot open %s", want->path);
	int fd = base >= 0 && disk_bytes(disk, base, want->path, &bytes, error) ?
			 image_scratch(bytes, disk->source->file, other, error) : -1;
	if (fd < 0)
		g_prefix_error(error, "guest \"%s\": %s: ", run->name, want->what);
	return fd;
}

static int open_one(EngineRun *run, const QemuFd *want, const Guest *live, GError **error)
{
	switch (want->kind) {
	case QEMU_FD_MONITOR:
		return socket_listen(run->monitor_path, 0600, error);
	case QEMU_FD_FILE:
		return open_file(run, want, live, error);
	case QEMU_FD_PLAIN:
		return open_plain(run, want, error);
	case QEMU_FD_LISTEN:
		return socket_listen(want->path, 0660, error);
	case QEMU_FD_CONNECT:
		return socket_connect(want->path, error);
	case QEMU_FD_TAP:
		return copy_plug(run, want, run->how->plugs[want->flags].taps[want->queue], error);
	case QEMU_FD_VHOST:
		return copy_plug(run, want, run->how->plugs[want->flags].vhosts[want->queue], error);
	case QEMU_FD_PASST:
		return run_open_passt(run, g_ptr_array_index(live->interfaces, want->flags), error);
	case QEMU_FD_GIVEN:
		return copy_given(run, want, error);
	case QEMU_FD_SECRET:
		return open_secret(run, want, error);
	case QEMU_FD_SCRATCH:
		return open_scratch(run, want, live, error);
	case QEMU_FD_VSOCK:
		return fd_steal(&run->vsock);
	case QEMU_FD_DATA:
		return secret_fd(want->data, strlen(want->data), error);
	}
	return -1;
}

gboolean run_open_fds(EngineRun *run, const QemuCommand *command, const Guest *live, int *fds,
		      GError **error)
{
	for (guint i = 0; i < command->fds->len; i++) {
		const QemuFd *want = g_ptr_array_index(command->fds, i);
		fds[i] = open_one(run, want, live, error);
		if (fds[i] < 0)
			return FALSE;
	}
	return TRUE;
}

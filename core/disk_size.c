/* See disk_size.h. */
#include "core/disk_size.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/internal.h"
#include "core/volumes.h"

#define SECTOR 512u

static const Disk *find_disk(const Guest *live, const char *name, GError **error)
{
	SHAPE_EACH (Disk, disk, live->disks)
		if (!g_strcmp0(disk->target, name) || !g_strcmp0(disk_source_name(disk), name))
			return disk;
	fail(error, LODGE_ERROR_INVALID,
	     "guest \"%s\" has no disk \"%s\"; domblklist shows those it has", live->name, name);
	return NULL;
}

static gboolean is_raw(const Disk *disk)
{
	return disk->driver_type == DISK_FORMAT_RAW || !disk->driver_type;
}

static gboolean check_disk(const Guest *live, const Disk *disk, guint flags, GError **error)
{
	if (!disk->source || !disk->source->index.set)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\": disk %s has no image in it",
			    live->name, disk->target);
	if (disk->readonly || disk->device == DISK_DEVICE_CDROM)
		return fail(error, LODGE_ERROR_INVALID,
			    "guest \"%s\": disk %s is read-only: its size cannot "
			    "change",
			    live->name, disk->target);
	if (disk->type == DISK_BLOCK)
		return TRUE; /* follows a device that has grown; QEMU refuses what is larger */
	if ((flags & DISK_RESIZE_ALLOCATE) && (disk->type != DISK_FILE || !is_raw(disk)))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "guest \"%s\": disk %s: only of raw files can the space be allocated "
			    "while the "
			    "guest runs; leave --allocate out, or shut the guest down first",
			    live->name, disk->target);
	return TRUE;
}

/* Blocks that the guest wrote already stay as they are. */
static gboolean allocate(const Disk *disk, guint64 before, guint64 bytes, GError **error)
{
	autofd int fd = open(disk->source->file, O_RDWR | O_CLOEXEC | O_NOCTTY);
	int errnum = fd < 0 ? errno : posix_fallocate(fd, (off_t)before, (off_t)(bytes - before));
	return !errnum || fail_errno(error, errnum,
				     "disk %s is larger now, but its space could not be "
				     "allocated",
				     disk->target);
}

gboolean core_disk_resize(CoreGuest *guest, const char *device, guint64 bytes, guint flags,
			  GError **error)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(guest);
	if (!snap->live)
		return fail(error, LODGE_ERROR_STATE,
			    "guest \"%s\" is not running; of a disk that nobody "
			    "uses "
			    "vol-resize or \"lodge image resize\" changes the size",
			    snap->name);
	const Disk *disk = find_disk(snap->live->guest, device, error);
	if (!disk || !check_disk(snap->live->guest, disk, flags, error))
		return FALSE;
	if (bytes > G_MAXINT64 - SECTOR)
		return fail(error, LODGE_ERROR_INVALID, "disk %s: the size is too large",
			    disk->target);
	bytes = (bytes + SECTOR - 1) / SECTOR * SECTOR;
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s",
						disk->source->index.v, bytes,
						flags & DISK_RESIZE_SHRINK ? "shrink" : "");
	g_autofree char *before = core_guest_ask(guest, ENGINE_ASK_RESIZE, text, error);
	if (!before)
		return FALSE;
	const char *path = disk_source_name(disk);
	g_autoptr(CoreVolume) volume =
		path ? core_volume_find(guest->core, NULL, VOLUME_BY_PATH, path, NULL) : NULL;
	if (volume)
		core_volume_look(volume);
	guint64 was = g_ascii_strtoull(before, NULL, 10);
	return !(flags & DISK_RESIZE_ALLOCATE) || bytes <= was || allocate(disk, was, bytes, error);
}

typedef struct Waiting {
	CoreGuest *guest;
	const char *device;
	guint64 bytes;
	guint flags;
	gboolean ok;
	GError **error;
} Waiting;

static void on_lane(gpointer data)
{
	Waiting *wait = data;
	wait->ok =
		core_disk_resize(wait->guest, wait->device, wait->bytes, wait->flags, wait->error);
}

gboolean core_disk_resize_wait(CoreGuest *guest, const char *device, guint64 bytes, guint flags,
			       GError **error)
{
	Waiting wait = { guest, device, bytes, flags, FALSE, error };
	lane_run(core_guest_lane(guest), on_lane, &wait);
	return wait.ok;
}

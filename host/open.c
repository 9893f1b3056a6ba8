/* See open.h. */
#include "host/open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CIFS_MAGIC 0xff534d42
#define SMB2_MAGIC 0xfe534d42

static const HostUser *guests;

void host_open_set_user(const HostUser *user)
{
	guests = user;
}

static gboolean is_of_server(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	struct statfs fs;
	if (statfs(path, &fs) < 0 && statfs(folder, &fs) < 0)
		return TRUE; /* refused on the way: trying costs nothing */
	guint32 type = (guint32)fs.f_type;
	return type == NFS_SUPER_MAGIC || type == CIFS_MAGIC || type == SMB2_MAGIC || type == FUSE_SUPER_MAGIC;
}

/* Users and groups for files are each thread's own; without root's the kernel also leaves its privileges. */
static int open_as(const char *path, int flags, mode_t mode, uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	int fd = open(path, flags | O_CLOEXEC, mode), errnum = errno;
	setfsuid(geteuid());
	setfsgid(getegid());
	errno = errnum;
	return fd;
}

static int open_as_owner(const char *path, int flags, mode_t mode, const char *owned)
{
	struct stat st;
	if (stat(owned, &st) < 0 || st.st_uid == 0) {
		errno = EACCES;
		return -1;
	}
	return open_as(path, flags, mode, st.st_uid, st.st_gid);
}

int host_open(const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags | O_CLOEXEC, mode);
	if (fd >= 0 || errno != EACCES || geteuid() != 0 || !is_of_server(path))
		return fd;
	g_autofree char *folder = g_path_get_dirname(path);
	fd = open_as_owner(path, flags, mode, path);
	if (fd < 0)
		fd = open_as_owner(path, flags, mode, folder);
	if (fd < 0 && guests)
		fd = open_as(path, flags, mode, guests->uid, guests->gid);
	return fd;
}

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
	return type == NFS_SUPER_MAGIC || type == CIFS_MAGIC || type == SMB2_MAGIC ||
	       type == FUSE_SUPER_MAGIC;
}

/* Users and groups for files are each thread's own; without root's the kernel also leaves its
 * privileges. */
static void be(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
}

static int open_as(const char *path, int flags, mode_t mode, uid_t uid, gid_t gid)
{
	gid_t group = (gid_t)setfsgid(gid);
	uid_t user = (uid_t)setfsuid(uid);
	int fd = open(path, flags | O_CLOEXEC, mode), errnum = errno;
	be(user, group);
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

int host_openat(int dirfd, const char *name, int flags, uid_t owner, gid_t group)
{
	int fd = openat(dirfd, name, flags | O_CLOEXEC);
	if (fd >= 0 || errno != EACCES || geteuid() != 0 || owner == 0)
		return fd;
	be(owner, group);
	fd = openat(dirfd, name, flags | O_CLOEXEC);
	int errnum = errno;
	host_be_self();
	errno = errnum;
	return fd;
}

void host_be_owner(const char *folder)
{
	struct stat st;
	if (geteuid() == 0 && stat(folder, &st) == 0 && st.st_uid != 0 && is_of_server(folder) &&
	    faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 && errno == EACCES)
		be(st.st_uid, st.st_gid);
}

void host_be_self(void)
{
	be(geteuid(), getegid());
}

/* What setfsuid(2) says to a number that cannot be. */
gboolean host_file_user(HostUser *user)
{
	uid_t uid = (uid_t)setfsuid((uid_t)-1);
	if (uid == geteuid())
		return FALSE;
	*user = (HostUser){ .name = (char *)"the folder's owner",
			    .uid = uid,
			    .gid = (gid_t)setfsgid((gid_t)-1) };
	return TRUE;
}

int host_open(const char *path, int flags, mode_t mode)
{
	HostUser now;
	int fd = open(path, flags | O_CLOEXEC, mode);
	if (fd < 0 && errno == EACCES &&
	    host_file_user(&now)) /* what root may, its owner need not */
		fd = open_as(path, flags, mode, geteuid(), getegid());
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

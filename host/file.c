/* See file.h. */
#include "host/file.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TEMPORARY ".new"

static gboolean write_all(int fd, const char *data, gsize length)
{
	while (length) {
		ssize_t n = write(fd, data, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FALSE;
		data += n;
		length -= (gsize)n;
	}
	return TRUE;
}

/* A rename or an unlink is durable once its folder is flushed. */
static gboolean sync_folder(const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return fail_errno(error, errno, "cannot flush the folder %s", folder);
	return TRUE;
}

static int write_temporary(const char *path, const char *data, gsize length, mode_t mode,
			   GError **error)
{
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		fail_errno(error, errno, "cannot create %s", path);
		return -1;
	}
	/* exactly that mode, whatever the umask and whatever an earlier crash left */
	if (fchmod(fd, mode) < 0 || !write_all(fd, data, length)) {
		fail_errno(error, errno, "cannot write %s", path);
		return -1;
	}
	return fd_steal(&fd);
}

/* Whether the driver of the file system on @device is ext4's: ext2's has the same magic number. */
static gboolean is_ext4(dev_t device)
{
	static gint64 known = -1; /* the device that was looked at last, shifted, and what was found */
	gint64 last = __atomic_load_n(&known, __ATOMIC_RELAXED);
	if (last >= 0 && last >> 1 == (gint64)device)
		return last & 1;
	char link[PATH_MAX];
	g_autofree char *block = g_strdup_printf("/sys/dev/block/%u:%u", major(device), minor(device));
	ssize_t n = readlink(block, link, sizeof link - 1);
	link[MAX(n, 0)] = '\0';
	g_autofree char *name = g_path_get_basename(link);
	g_autofree char *driver = g_strconcat("/sys/fs/ext4/", name, NULL);
	gboolean found = n > 0 && access(driver, F_OK) == 0;
	__atomic_store_n(&known, (gint64)device << 1 | found, __ATOMIC_RELAXED);
	return found;
}

/* Whether flushing a file makes a name that it has just got durable too. POSIX does not say so, but
 * some do: ext4 with a journal commits the transaction in which the file got its name, without one it
 * flushes the folder of a new name (Linux fs/ext4/fsync.c: ext4_fsync_journal, ext4_sync_parent); XFS
 * forces its log up to that transaction (fs/xfs/xfs_file.c: xfs_file_fsync; xfs_rename logs the file's
 * inode with the folder's). */
gboolean file_flush_takes_name(int fd)
{
	struct statfs fs;
	struct stat st;
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return FALSE;
	return fs.f_type == XFS_SUPER_MAGIC || (fs.f_type == EXT4_SUPER_MAGIC && is_ext4(st.st_dev));
}

typedef enum Publish { PUBLISHED, PUBLISH_FAILED, PUBLISH_NOT_SO } Publish;

/* A new name with one flush: the content is on its way first, so that no crash shows the name without
 * it; then name and content are flushed together. NOT_SO: it takes two, one for each. */
static Publish publish_at_once(int fd, const char *temporary, const char *path, GError **error)
{
	const unsigned int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				 SYNC_FILE_RANGE_WAIT_AFTER;
	if (!file_flush_takes_name(fd) || sync_file_range(fd, 0, 0, all) < 0 ||
	    renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		return PUBLISH_NOT_SO;
	if (fsync(fd) == 0)
		return PUBLISHED;
	fail_errno(error, errno, "cannot write %s", path);
	unlink(path);
	return PUBLISH_FAILED;
}

static gboolean publish(int fd, const char *temporary, const char *path, gboolean durable,
			GError **error)
{
	Publish done = durable ? publish_at_once(fd, temporary, path, error) : PUBLISH_NOT_SO;
	if (done != PUBLISH_NOT_SO)
		return done == PUBLISHED;
	if (durable && fdatasync(fd) < 0)
		return fail_errno(error, errno, "cannot write %s", temporary);
	if (rename(temporary, path) < 0)
		return fail_errno(error, errno, "cannot rename %s to %s", temporary, path);
	return !durable || sync_folder(path, error);
}

gboolean file_write(const char *path, const char *data, gsize length, mode_t mode,
		    FileDurability durability, GError **error)
{
	g_autofree char *temporary = g_strconcat(path, TEMPORARY, NULL);
	autofd int fd = write_temporary(temporary, data, length, mode, error);
	if (fd >= 0 && publish(fd, temporary, path, durability == FILE_DURABLE, error))
		return TRUE;
	unlink(temporary);
	return FALSE;
}

void file_sweep(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		if (g_str_has_suffix(name, TEMPORARY))
			unlink(path);
	}
}

char *file_read(const char *path, gsize limit, gsize *length, GError **error)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		fail_errno(error, errno, "cannot open %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || (guint64)st.st_size > limit) {
		fail(error, LODGE_ERROR_INVALID, "%s is not a file of at most %zu bytes", path, limit);
		return NULL;
	}
	gsize size = (gsize)st.st_size, done = 0;
	g_autofree char *data = g_malloc(size + 1);
	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail_errno(error, errno, "cannot read %s", path);
			return NULL;
		}
		if (n == 0)
			break;
		done += (gsize)n;
	}
	data[done] = '\0';
	if (length)
		*length = done;
	return g_steal_pointer(&data);
}

gboolean file_remove(const char *path, GError **error)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return TRUE;
		return fail_errno(error, errno, "cannot remove %s", path);
	}
	return sync_folder(path, error);
}

gboolean file_link(const char *target, const char *path, GError **error)
{
	if (symlink(target, path) < 0) {
		if (errno == EEXIST)
			return TRUE;
		return fail_errno(error, errno, "cannot create %s", path);
	}
	return sync_folder(path, error);
}

gboolean file_rename(const char *from, const char *to, GError **error)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0) {
		if (errno == EEXIST)
			return fail(error, LODGE_ERROR_EXISTS, "%s exists already", to);
		return fail_errno(error, errno, "cannot rename %s to %s", from, to);
	}
	return sync_folder(to, error);
}

static gboolean remove_below(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return unlinkat(parent, name, 0) == 0 || errno == ENOENT;
	DIR *dir = fdopendir(fd);
	gboolean ok = dir != NULL;
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ok = remove_below(fd, entry->d_name) && ok;
	if (dir)
		closedir(dir);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 && ok;
}

gboolean file_remove_tree(const char *folder, GError **error)
{
	if (remove_below(AT_FDCWD, folder) || errno == ENOENT)
		return TRUE;
	return fail_errno(error, errno, "cannot remove %s", folder);
}

/* See file.h. */
#include "host/file.h"
#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPORARY ".new" /* definitions.c clears what a crash left */

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

static gboolean write_temporary(const char *path, const char *data, gsize length, mode_t mode,
				gboolean flush, GError **error)
{
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fail_errno(error, errno, "cannot create %s", path);
	/* exactly that mode, whatever the umask and whatever an earlier crash left */
	if (fchmod(fd, mode) < 0 || !write_all(fd, data, length) || (flush && fdatasync(fd) < 0))
		return fail_errno(error, errno, "cannot write %s", path);
	return TRUE;
}

gboolean file_write(const char *path, const char *data, gsize length, mode_t mode,
		    FileDurability durability, GError **error)
{
	gboolean durable = durability == FILE_DURABLE;
	g_autofree char *temporary = g_strconcat(path, TEMPORARY, NULL);
	gboolean ok = write_temporary(temporary, data, length, mode, durable, error);
	if (ok && rename(temporary, path) < 0)
		ok = fail_errno(error, errno, "cannot rename %s to %s", temporary, path);
	if (!ok) {
		unlink(temporary);
		return FALSE;
	}
	return !durable || sync_folder(path, error);
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

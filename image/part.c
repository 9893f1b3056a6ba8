/* See part.h. HOST is a hash of the machine's id, START the process's start in clock ticks: a number
 * of a process that another one has by now is not mistaken for it. */
#include "image/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/file.h"
#include "host/flush.h"
#include "host/process.h"
#include "host/why.h"
#include "image/lease.h"

#define FOREIGN_AGE (24 * 3600) /* seconds */
#define SMALL (1u << 20)	/* bytes of an image that are written in no time */

/* ---- who makes it ---- */

static guint host_hash(void)
{
	g_autofree char *id = NULL;
	if (!g_file_get_contents("/etc/machine-id", &id, NULL, NULL))
		id = g_strdup(g_get_host_name());
	return g_str_hash(g_strstrip(id));
}

static char *own_folder(const char *path)
{
	static gint next; /* atomic */
	g_autofree char *folder = g_path_get_dirname(path);
	guint64 start = 0;
	process_start_time(getpid(), &start, NULL);
	return g_strdup_printf("%s/" IMAGE_PART_PREFIX "%08x-%d-%" G_GUINT64_FORMAT "-%d", folder,
			       host_hash(), getpid(), start, g_atomic_int_add(&next, 1));
}

gboolean image_is_part(const char *name)
{
	return g_str_has_prefix(name, IMAGE_PART_PREFIX);
}

static gboolean is_old(const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	struct stat st;
	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > FOREIGN_AGE;
}

/* Whether the maker of the part @name in @folder is gone. */
static gboolean is_left_over(const char *folder, const char *name)
{
	guint host;
	int pid, count;
	unsigned long long start;
	if (sscanf(name, IMAGE_PART_PREFIX "%8x-%d-%llu-%d", &host, &pid, &start, &count) != 4)
		return FALSE;
	guint64 now = 0;
	if (host == host_hash())
		return !process_start_time(pid, &now, NULL) || now != start;
	return is_old(folder, name);
}

static gboolean goes(const char *folder, const char *name)
{
	return image_is_part(name) ? is_left_over(folder, name) :
				     image_is_lease_candidate(name) && is_old(folder, name);
}

guint image_parts_clean(const char *folder)
{
	DIR *dir = opendir(folder);
	guint n = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (!goes(folder, entry->d_name))
			continue;
		g_autofree char *path = g_build_filename(folder, entry->d_name, NULL);
		n += file_remove_tree(path, NULL) ? 1 : 0;
	}
	if (dir)
		closedir(dir);
	return n;
}

/* ---- making it ---- */

static gboolean make_folder(ImagePart *part, GError **error)
{
	part->folder = own_folder(part->path);
	if (mkdir(part->folder, 0700) < 0) {
		int errnum = errno;
		g_clear_pointer(&part->folder, g_free);
		return fail_open(error, errnum, part->path, TRUE, "image \"%s\" cannot be made", part->path);
	}
	g_autofree char *name = g_path_get_basename(part->path);
	part->temp = g_build_filename(part->folder, name, NULL);
	return TRUE;
}

/* A file without a name, or where the file system has none, one in a folder of its own. */
static gboolean open_part(ImagePart *part, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(part->path);
	part->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (part->fd >= 0)
		return TRUE;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return fail_open(error, errno, part->path, TRUE, "image \"%s\" cannot be made", part->path);
	if (!make_folder(part, error))
		return FALSE;
	part->fd = open(part->temp, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	return part->fd >= 0 ||
	       fail_errno(error, errno, "image \"%s\" cannot be made", part->path);
}

static gboolean exists(const char *path, GError **error)
{
	return fail(error, LODGE_ERROR_EXISTS,
		    "image \"%s\" exists already; remove it or choose another name", path);
}

gboolean image_part_begin(const char *path, gboolean named, ImagePart *part, GError **error)
{
	ImagePart made = { .path = g_strdup(path), .fd = -1 };
	if (named ? make_folder(&made, error) : open_part(&made, error)) {
		*part = made;
		return TRUE;
	}
	image_part_clear(&made);
	return FALSE;
}

void image_part_clear(ImagePart *part)
{
	if (!part->path)
		return;
	fd_clear(&part->fd);
	if (part->folder)
		file_remove_tree(part->folder, NULL);
	g_free(part->temp);
	g_free(part->folder);
	g_free(part->path);
	*part = (ImagePart){ .fd = -1 };
}

/* ---- its name ---- */

/* A nameless file takes a name in a folder of its own first where another one is to be replaced. */
static gboolean name_it(ImagePart *part, gboolean replace, GError **error)
{
	char self[32];
	g_snprintf(self, sizeof self, "/proc/self/fd/%d", part->fd);
	const char *to = part->path;
	if (!part->temp && replace) {
		if (!make_folder(part, error))
			return FALSE;
		to = part->temp;
	}
	if (part->temp && to == part->path)
		return TRUE;
	if (linkat(AT_FDCWD, self, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
		return TRUE;
	return errno == EEXIST ? exists(part->path, error) :
				 fail_errno(error, errno, "image \"%s\" cannot get its name",
					    part->path);
}

static gboolean move_it(ImagePart *part, gboolean replace, GError **error)
{
	if (!part->temp || renameat2(AT_FDCWD, part->temp, AT_FDCWD, part->path,
				     replace ? 0 : RENAME_NOREPLACE) == 0)
		return TRUE;
	/* NFS and others do not know RENAME_NOREPLACE: a link refuses as well. */
	if (errno == EINVAL && !replace && link(part->temp, part->path) == 0)
		return TRUE;
	return errno == EEXIST ? exists(part->path, error) :
				 fail_errno(error, errno, "image \"%s\" cannot get its name",
					    part->path);
}

static gboolean flush_part(ImagePart *part, GError **error)
{
	if (part->fd < 0)
		part->fd = open(part->temp, O_RDONLY | O_CLOEXEC);
	if (part->fd >= 0 && fsync(part->fd) == 0)
		return TRUE;
	return fail_errno(error, errno, "image \"%s\" cannot be written to the disk", part->path);
}

static gboolean flush_folder(const char *path, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(path);
	autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return (fd >= 0 && fsync(fd) == 0) ||
	       fail_errno(error, errno, "cannot flush the folder %s", folder);
}

/* A new name with one flush, where the file system can: the data is on the disk before the name is
 * there; then name and size are flushed together. FALSE also where it cannot; *tried tells. */
static gboolean finish_at_once(ImagePart *part, gboolean *tried, GError **error)
{
	const unsigned int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				 SYNC_FILE_RANGE_WAIT_AFTER;
	*tried = part->fd >= 0 && file_flush_takes_name(part->fd) &&
		 sync_file_range(part->fd, 0, 0, all) == 0;
	if (!*tried || !name_it(part, FALSE, error) || !move_it(part, FALSE, error))
		return FALSE;
	if (fsync(part->fd) == 0)
		return TRUE;
	fail_errno(error, errno, "image \"%s\" cannot be written to the disk", part->path);
	unlink(part->path);
	return FALSE;
}

/* Small images are on their way to the disk before they have a name, so that no crash shows the name without
 * the rest: the journal has blocks and size before it, or with it. */
static gboolean finish_behind(ImagePart *part, gboolean replace, GError **error)
{
	const unsigned int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				 SYNC_FILE_RANGE_WAIT_AFTER;
	struct stat st;
	if (fstat(part->fd, &st) == 0 && (guint64)st.st_blocks * 512 <= SMALL &&
	    sync_file_range(part->fd, 0, 0, all) < 0)
		return fail_errno(error, errno, "image \"%s\" cannot be written to the disk", part->path);
	if (!name_it(part, replace, error) || !move_it(part, replace, error))
		return FALSE;
	flush_behind(fd_steal(&part->fd), part->path);
	return TRUE;
}

static gboolean finish_first(ImagePart *part, gboolean replace, GError **error)
{
	gboolean tried = FALSE, done = !replace && finish_at_once(part, &tried, error);
	if (tried)
		return done;
	g_autofree char *path = g_strdup(part->path);
	return flush_part(part, error) && name_it(part, replace, error) && move_it(part, replace, error) &&
	       flush_folder(path, error);
}

gboolean image_part_finish(ImagePart *part, gboolean replace, ImageFlush flush, GError **error)
{
	gboolean behind = flush == IMAGE_FLUSH_BEHIND && part->fd >= 0 && flush_may_wait(part->fd);
	gboolean ok = behind ? finish_behind(part, replace, error) : finish_first(part, replace, error);
	image_part_clear(part);
	return ok;
}

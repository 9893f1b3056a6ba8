/* See upload_mark.h. A mark is one line: boot id, device, inode, time of birth, bytes; its name is a digest
 * of the volume's path. */
#include "ops/upload_mark.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/file.h"

#define EVERY (8u << 20) /* bytes */
#define MARKS_MAX 1024	 /* more are forgotten, all of them: their clients begin anew */
#define LINE_MAX_BYTES 256

struct UploadMark {
	char *path; /* the mark's */
	char *who;  /* boot and file */
	int fd;
	guint64 told;
};

static char *folder_of(const Paths *paths)
{
	return g_build_filename(paths->run, "uploads", NULL);
}

static char *path_of(const Paths *paths, const char *volume)
{
	g_autofree char *folder = folder_of(paths);
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, volume, -1);
	return g_build_filename(folder, digest, NULL);
}

/* The boot and the file that stands at @path, or is open as @fd (-1: none); NULL where there is none. */
static char *identity(const char *path, int fd)
{
	g_autofree char *boot = NULL;
	struct statx st;
	if (statx(fd < 0 ? AT_FDCWD : fd, fd < 0 ? path : "", fd < 0 ? 0 : AT_EMPTY_PATH,
		  STATX_BASIC_STATS | STATX_BTIME, &st) < 0 ||
	    !g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		return NULL;
	return g_strdup_printf("%s %x:%x %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT ".%u", g_strstrip(boot),
			       st.stx_dev_major, st.stx_dev_minor, (guint64)st.stx_ino,
			       (gint64)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
}

guint64 upload_mark_at(const Paths *paths, const char *path)
{
	g_autofree char *mark = path_of(paths, path), *who = identity(path, -1);
	g_autofree char *line = who ? file_read(mark, LINE_MAX_BYTES, NULL, NULL) : NULL;
	guint64 at = 0;
	if (!line || !g_str_has_prefix(line, who) || line[strlen(who)] != ' ')
		return 0;
	g_strchomp(line);
	return g_ascii_string_to_unsigned(line + strlen(who) + 1, 10, 0, G_MAXINT64, &at, NULL) ? at : 0;
}

/* Where uploads are begun that nobody ever ends. */
static void limit(const char *folder)
{
	DIR *dir = opendir(folder);
	guint n = 0;
	while (dir && n <= MARKS_MAX && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	if (n > MARKS_MAX)
		file_remove_tree(folder, NULL);
	g_mkdir_with_parents(folder, 0700);
}

/* Lines are of one length, so that one takes the other's place. */
static void write_line(UploadMark *mark, guint64 at)
{
	g_autofree char *line = g_strdup_printf("%s %020" G_GUINT64_FORMAT "\n", mark->who, at);
	if (pwrite(mark->fd, line, strlen(line), 0) != (ssize_t)strlen(line))
		unlink(mark->path);
	mark->told = at;
}

UploadMark *upload_mark_new(const Paths *paths, const char *path, int fd, guint64 begin)
{
	g_autofree char *who = identity(path, fd), *at = path_of(paths, path), *folder = folder_of(paths);
	if (!who || begin > upload_mark_at(paths, path))
		return NULL;
	limit(folder);
	int file = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file < 0)
		return NULL;
	UploadMark *mark = g_new(UploadMark, 1);
	*mark = (UploadMark){ .path = g_steal_pointer(&at), .who = g_steal_pointer(&who), .fd = file };
	write_line(mark, begin);
	return mark;
}

void upload_mark_reach(UploadMark *mark, guint64 at)
{
	if (mark && at - mark->told >= EVERY)
		write_line(mark, at);
}

void upload_mark_end(UploadMark *mark, gboolean whole, guint64 at)
{
	if (!mark)
		return;
	if (whole || at == 0)
		unlink(mark->path);
	else
		write_line(mark, at);
	fd_clear(&mark->fd);
	g_free(mark->path);
	g_free(mark->who);
	g_free(mark);
}

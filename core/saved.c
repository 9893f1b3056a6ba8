/* See saved.h. */
#include "core/saved.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "LibvirtQemudSave"
#define UNFINISHED "LibvirtQemudPart"
#define VERSION 2
#define XML_MOST (4 * 1024 * 1024) /* as shape/xml.c */

/* In the byte order of the host. */
typedef struct Head {
	char magic[16];
	guint32 version, xml_bytes, was_running, compression, cookie;
	guint32 unused[14];
} Head;

G_STATIC_ASSERT(sizeof(Head) == 92);

static gboolean write_at(int fd, const void *data, gsize length, goffset at)
{
	const char *bytes = data;
	while (length) {
		ssize_t n = pwrite(fd, bytes, length, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FALSE;
		bytes += n;
		at += n;
		length -= (gsize)n;
	}
	return TRUE;
}

/* FALSE where @path is something else than a file: it is then written as it is. */
static gboolean may_be_replaced(const char *path)
{
	struct stat st;
	return lstat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static gboolean open_part(const char *path, SavedPart *saved, GError **error)
{
	if (may_be_replaced(path)) {
		if (!image_part_begin(path, FALSE, &saved->part, error))
			return FALSE;
		saved->fd = saved->part.fd;
		return TRUE;
	}
	saved->fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC | O_NONBLOCK);
	return saved->fd >= 0 || fail_errno(error, errno, "cannot write %s", path);
}

void saved_drop(SavedPart *saved)
{
	if (saved->part.path)
		image_part_clear(&saved->part);
	else
		fd_clear(&saved->fd);
	saved->fd = -1;
}

gboolean saved_begin(const char *path, const Guest *live, gboolean was_running, SavedPart *saved,
		     GError **error)
{
	SavedPart made = { .part.fd = -1, .fd = -1 };
	if (!open_part(path, &made, error))
		return FALSE;
	g_autofree char *xml = guest_to_xml(live, SHAPE_XML_LIVE | SHAPE_XML_SECRETS);
	Head head = { .magic = UNFINISHED, .version = VERSION,
		      .xml_bytes = (guint32)strlen(xml) + 1,
		      .was_running = was_running ? 1 : 0 };
	off_t stream = (off_t)(sizeof head + head.xml_bytes);
	if (!write_at(made.fd, &head, sizeof head, 0) ||
	    !write_at(made.fd, xml, head.xml_bytes, sizeof head) ||
	    lseek(made.fd, stream, SEEK_SET) < 0) {
		fail_errno(error, errno, "cannot write %s", path);
		saved_drop(&made);
		return FALSE;
	}
	*saved = made;
	return TRUE;
}

gboolean saved_finish(SavedPart *saved, const char *path, GError **error)
{
	gboolean is_part = saved->part.path != NULL;
	gboolean ok = (is_part || fdatasync(saved->fd) == 0) &&
		      write_at(saved->fd, MAGIC, sizeof(MAGIC) - 1, 0) &&
		      (is_part || fdatasync(saved->fd) == 0);
	if (!ok)
		fail_errno(error, errno, "cannot write %s", path);
	else if (is_part)
		ok = image_part_finish(&saved->part, access(path, F_OK) == 0, TRUE, error);
	saved_drop(saved);
	return ok;
}

guint64 saved_inode(const SavedPart *saved)
{
	struct stat st;
	return saved->part.path && fstat(saved->fd, &st) == 0 ? (guint64)st.st_ino : 0;
}

gboolean saved_is_finished(const char *path, guint64 inode)
{
	char magic[sizeof(MAGIC) - 1];
	struct stat st;
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 && fstat(fd, &st) == 0 && (!inode || (guint64)st.st_ino == inode) &&
	       pread(fd, magic, sizeof magic, 0) == sizeof magic && !memcmp(magic, MAGIC, sizeof magic);
}

static gboolean check_head(const Head *head, const char *path, GError **error)
{
	if (!memcmp(head->magic, UNFINISHED, sizeof head->magic))
		return fail(error, LODGE_ERROR_INVALID,
			    "%s was not finished when it was written: it cannot be restored; remove it",
			    path);
	if (memcmp(head->magic, MAGIC, sizeof head->magic))
		return fail(error, LODGE_ERROR_INVALID, "%s is not a saved guest", path);
	if (head->version > VERSION)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s has version %u, newer than %d",
			    path, head->version, VERSION);
	if (head->compression)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "%s is compressed: it can be restored by libvirt only", path);
	if (!head->xml_bytes || head->xml_bytes > XML_MOST ||
	    (head->cookie && head->cookie > head->xml_bytes))
		return fail(error, LODGE_ERROR_INVALID, "%s is damaged: its header is wrong", path);
	return TRUE;
}

static gboolean read_all(int fd, void *data, gsize length)
{
	char *at = data;
	while (length) {
		ssize_t n = read(fd, at, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FALSE;
		at += n;
		length -= (gsize)n;
	}
	return TRUE;
}

gboolean saved_open(const char *path, Saved *saved, GError **error)
{
	Head head;
	struct stat st;
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno(error, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode) || !read_all(fd, &head, sizeof head))
		return fail(error, LODGE_ERROR_INVALID, "%s is not a saved guest", path);
	if (!check_head(&head, path, error))
		return FALSE;
	g_autofree char *xml = g_malloc(head.xml_bytes + 1);
	if (!read_all(fd, xml, head.xml_bytes))
		return fail(error, LODGE_ERROR_INVALID, "%s is cut short", path);
	xml[head.cookie ? head.cookie : head.xml_bytes] = '\0';
	saved->guest = guest_from_xml(xml, (gssize)strlen(xml), path, NULL, error);
	saved->was_running = head.was_running != 0;
	saved->fd = saved->guest ? fd_steal(&fd) : -1;
	return saved->guest != NULL;
}

void saved_clear(Saved *saved)
{
	guest_free(saved->guest);
	fd_clear(&saved->fd);
	*saved = (Saved){ .fd = -1 };
}

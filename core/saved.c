/* See saved.h. */
#include "core/saved.h"
#include "base/error.h"
#include "base/fd.h"
#include "host/spawn.h"
#include "image/copy.h"
#include "model/alias.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAGIC "LibvirtQemudSave"
#define UNFINISHED "LibvirtQemudPart"
#define VERSION 2
#define XML_MOST (4 * 1024 * 1024) /* as shape/xml.c */
#define ROUND (64 * 1024) /* where the stream begins: libvirt aligns it, and a longer definition fits */

/* In the byte order of the host that wrote it. */
typedef struct Head {
	char magic[16];
	guint32 version, xml_bytes, was_running, compression, cookie;
	guint32 unused[14];
} Head;

G_STATIC_ASSERT(sizeof(Head) == 92);

/* By Head.compression: libvirt's save_image_format. */
static const char *const uncompressors[] = { NULL, "gzip", "bzip2", "xz", "lzop" };

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

/* How much room a definition of that length gets; some is left for a longer one. */
static guint32 room_for(gsize length)
{
	gsize end = sizeof(Head) + length + 1 + 1024;
	return (guint32)((end + ROUND - 1) / ROUND * ROUND - sizeof(Head));
}

/* Header and definition; @room bytes are @xml's, zeros behind it. */
static gboolean write_head(int fd, const char *magic, const char *xml, guint32 room, gboolean running,
			   guint32 compression)
{
	Head head = { .version = VERSION, .xml_bytes = room, .was_running = running ? 1 : 0,
		      .compression = compression };
	memcpy(head.magic, magic, sizeof head.magic);
	g_autofree char *block = g_malloc0(sizeof head + room);
	memcpy(block, &head, sizeof head);
	memcpy(block + sizeof head, xml, strlen(xml));
	return write_at(fd, block, sizeof head + room, 0);
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

/* What stands in the file: nothing that a start chooses anew, such as paths of sockets, which libvirt would
 * take for the user's own. */
static char *text_of(const Guest *live)
{
	g_autoptr(Guest) guest = guest_copy(live);
	guest_drop_live(guest);
	return guest_to_xml(guest, SHAPE_XML_LIVE | SHAPE_XML_SECRETS); /* whether its agent had spoken */
}

gboolean saved_begin(const char *path, const Guest *live, gboolean was_running, SavedPart *saved,
		     GError **error)
{
	SavedPart made = { .part.fd = -1, .fd = -1 };
	if (!open_part(path, &made, error))
		return FALSE;
	g_autofree char *xml = text_of(live);
	guint32 room = room_for(strlen(xml));
	if (!write_head(made.fd, UNFINISHED, xml, room, was_running, 0) ||
	    lseek(made.fd, (off_t)(sizeof(Head) + room), SEEK_SET) < 0) {
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
	if (ok && is_part) {
		saved->fd = -1; /* the part's, which ends here */
		ok = image_part_finish(&saved->part, access(path, F_OK) == 0, IMAGE_FLUSH_FIRST, error);
	}
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

/* ---- reading ---- */

static void swap_head(Head *head)
{
	guint32 *words[] = { &head->version, &head->xml_bytes, &head->was_running, &head->compression,
			     &head->cookie };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		*words[i] = GUINT32_SWAP_LE_BE(*words[i]);
}

static gboolean check_head(Head *head, const char *path, GError **error)
{
	if (!memcmp(head->magic, UNFINISHED, sizeof head->magic))
		return fail(error, LODGE_ERROR_INVALID,
			    "%s was not finished when it was written: it cannot be restored; remove it",
			    path);
	if (memcmp(head->magic, MAGIC, sizeof head->magic))
		return fail(error, LODGE_ERROR_INVALID, "%s is not a saved guest", path);
	if (head->version > VERSION && GUINT32_SWAP_LE_BE(head->version) <= VERSION)
		swap_head(head); /* of a host with the other byte order */
	if (head->version > VERSION)
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s has version %u, newer than %d",
			    path, head->version, VERSION);
	if (head->compression >= G_N_ELEMENTS(uncompressors))
		return fail(error, LODGE_ERROR_UNSUPPORTED, "%s is compressed in a way that is not known "
			    "here (number %u)", path, head->compression);
	if (!head->xml_bytes || head->xml_bytes > XML_MOST ||
	    (head->cookie && head->cookie > head->xml_bytes))
		return fail(error, LODGE_ERROR_INVALID, "%s is damaged: its header is wrong", path);
	return TRUE;
}

/* Has the stream go through a program that uncompresses it. */
static gboolean uncompress(const char *program, const char *path, Saved *saved, GError **error)
{
	const char *const argv[] = { program, "-dc", NULL };
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(error, errno, "%s: cannot make a pipe", path);
	const SpawnFd fds[] = { { saved->fd, 0 }, { ends[1], 1 } };
	Spawn how = { .argv = argv, .fds = fds, .n_fds = 2, .same_session = TRUE };
	SpawnChild child;
	gboolean ok = spawn(&how, &child, error);
	close(ends[1]);
	if (!ok) {
		close(ends[0]);
		g_prefix_error(error, "%s is compressed with %s: ", path, program);
		return FALSE;
	}
	fd_clear(&saved->fd);
	saved->fd = ends[0];
	saved->child = child.pid;
	saved->pidfd = child.pidfd;
	return TRUE;
}

static gboolean read_head(const char *path, int fd, Head *head, Saved *saved, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fail_errno(error, errno, "cannot open %s", path);
	if ((!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) || !read_all(fd, head, sizeof *head))
		return fail(error, LODGE_ERROR_INVALID, "%s is not a saved guest", path);
	if (!check_head(head, path, error))
		return FALSE;
	if (S_ISREG(st.st_mode) && (guint64)st.st_size < sizeof *head + head->xml_bytes)
		return fail(error, LODGE_ERROR_INVALID, "%s is cut short", path);
	saved->xml = g_malloc0(head->xml_bytes + 1);
	if (!read_all(fd, saved->xml, head->xml_bytes))
		return fail(error, LODGE_ERROR_INVALID, "%s is cut short", path);
	if (head->cookie)
		saved->xml[head->cookie] = '\0';
	saved->was_running = head->was_running != 0;
	saved->room = head->xml_bytes;
	saved->stream = sizeof *head + head->xml_bytes;
	saved->guest = guest_from_xml(saved->xml, (gssize)strlen(saved->xml), path, NULL, error);
	return saved->guest != NULL;
}

gboolean saved_open(const char *path, gboolean stream, Saved *saved, GError **error)
{
	Head head;
	*saved = (Saved){ .fd = -1, .pidfd = -1 };
	saved->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (saved->fd < 0)
		return fail_errno(error, errno, "cannot open %s", path);
	if (read_head(path, saved->fd, &head, saved, error) &&
	    (!stream || !head.compression ||
	     uncompress(uncompressors[head.compression], path, saved, error)))
		return TRUE;
	saved_clear(saved);
	return FALSE;
}

void saved_clear(Saved *saved)
{
	guest_free(saved->guest);
	g_free(saved->xml);
	fd_clear(&saved->fd);
	if (saved->child > 0) {
		kill(saved->child, SIGKILL); /* ours, not reaped yet */
		waitpid(saved->child, NULL, 0);
		fd_clear(&saved->pidfd);
	}
	*saved = (Saved){ .fd = -1, .pidfd = -1 };
}

/* ---- another definition ---- */

static gboolean copy_stream(const Saved *from, const SavedPart *to, guint64 at, GError **error)
{
	off_t end = lseek(from->fd, 0, SEEK_END);
	if (end < 0)
		return fail_errno(error, errno, "its stream cannot be read");
	guint64 length = (guint64)end - MIN((guint64)end, from->stream);
	if (ftruncate(to->fd, (off_t)(at + length)) < 0)
		return fail_errno(error, errno, "its copy cannot be written");
	return image_copy_range(from->fd, from->stream, to->fd, at, length, IMAGE_FLUSH_FIRST, NULL,
				error);
}

static gboolean keep_owner(const Saved *from, const SavedPart *to, GError **error)
{
	struct stat st;
	if (fstat(from->fd, &st) == 0 && fchmod(to->fd, st.st_mode & 07777) == 0 &&
	    (getuid() != 0 || fchown(to->fd, st.st_uid, st.st_gid) == 0))
		return TRUE;
	return fail_errno(error, errno, "its copy cannot get its owner and mode");
}

gboolean saved_rewrite(const char *path, const Guest *live, Tri running, GError **error)
{
	g_auto(Saved) saved = { .fd = -1, .pidfd = -1 };
	g_auto(SavedPart) write = { .part = { .fd = -1 }, .fd = -1 };
	Head head;
	if (!saved_open(path, FALSE, &saved, error))
		return FALSE;
	if (pread(saved.fd, &head, sizeof head, 0) != sizeof head || !check_head(&head, path, error))
		return FALSE;
	g_autofree char *xml = live ? text_of(live) : g_strdup(saved.xml);
	gboolean runs = running ? running == TRI_YES : saved.was_running;
	/* the same place where it fits: then file systems that share blocks copy nothing */
	guint32 room = strlen(xml) < saved.room ? (guint32)saved.room : room_for(strlen(xml));
	if (!may_be_replaced(path)) { /* a device: in its place, where there is room */
		autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		return (fd >= 0 && room == saved.room &&
			write_head(fd, MAGIC, xml, room, runs, head.compression) && fdatasync(fd) == 0) ||
		       fail(error, LODGE_ERROR_SYSTEM, "%s: the definition cannot be written", path);
	}
	if (!open_part(path, &write, error))
		return FALSE;
	if (!write_head(write.fd, UNFINISHED, xml, room, runs, head.compression))
		return fail_errno(error, errno, "cannot write %s", path);
	return copy_stream(&saved, &write, sizeof head + room, error) && keep_owner(&saved, &write, error) &&
	       saved_finish(&write, path, error);
}

/* See lock.h. */
#include "image/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/fd.h"

#define PERM_BASE 100
#define SHARED_BASE 200
#define CIFS 0xff534d42u /* fs/smb/client/cifsglob.h, magic.h of Linux */
#define SMB2 0xfe534d42u
enum { READ = 1, WRITE = 2, UNCHANGED = 4, RESIZE = 8, ALL = 15 }; /* bits of BLK_PERM_* */

/* For each use: what is done, and what others must not do meanwhile. */
static const struct {
	guint does, refuses;
	const char *doing;
} uses[] = {
	[IMAGE_USE_READ] = { READ, WRITE | RESIZE, "written" },
	[IMAGE_USE_GUEST] = { READ | WRITE | RESIZE, WRITE | RESIZE, "used" },
	[IMAGE_USE_WRITE] = { READ | WRITE | RESIZE, READ | WRITE | RESIZE, "used" },
};

/* ---- who ---- */

/* Whether the fd @number of process @pid is the file @st and has a lock. */
static gboolean has_lock(const char *pid, const char *number, const struct stat *st)
{
	char path[96], line[256];
	struct stat other;
	g_snprintf(path, sizeof path, "/proc/%s/fd/%s", pid, number);
	if (stat(path, &other) < 0 || other.st_dev != st->st_dev || other.st_ino != st->st_ino)
		return FALSE;
	g_snprintf(path, sizeof path, "/proc/%s/fdinfo/%s", pid, number);
	FILE *info = fopen(path, "re");
	gboolean found = FALSE;
	while (info && !found && fgets(line, sizeof line, info))
		found = g_str_has_prefix(line, "lock:");
	if (info)
		fclose(info);
	return found;
}

static gboolean process_has_lock(const char *pid, const struct stat *st)
{
	char path[64];
	g_snprintf(path, sizeof path, "/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	gboolean found = FALSE;
	for (struct dirent *fd; dir && !found && (fd = readdir(dir));)
		found = g_ascii_isdigit(*fd->d_name) && has_lock(pid, fd->d_name, st);
	if (dir)
		closedir(dir);
	return found;
}

/* "guest=web1,..." behind QEMU's -name; the caller frees it. */
static char *guest_of(const char *words, gsize length)
{
	for (const char *word = words; word < words + length; word += strlen(word) + 1) {
		const char *value = word + strlen(word) + 1;
		if (strcmp(word, "-name") != 0 || value >= words + length)
			continue;
		const char *name = g_str_has_prefix(value, "guest=") ? value + 6 : value;
		return g_strndup(name, strcspn(name, ","));
	}
	return NULL;
}

static char *describe(const char *pid)
{
	g_autofree char *cmdline = g_strdup_printf("/proc/%s/cmdline", pid), *words = NULL;
	gsize length = 0;
	if (!g_file_get_contents(cmdline, &words, &length, NULL) || length == 0)
		return g_strdup_printf("process %s", pid);
	g_autofree char *program = g_path_get_basename(words);
	g_autofree char *guest = guest_of(words, length);
	g_autofree char *text =
		guest ? g_strdup_printf("guest \"%s\" (%s, process %s)", guest, program, pid) :
			g_strdup_printf("process %s (%s)", pid, program);
	return g_utf8_make_valid(text, -1);
}

char *image_lock_holder(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return NULL;
	DIR *proc = opendir("/proc");
	g_autofree char *own = g_strdup_printf("%d", getpid());
	char *holder = NULL;
	for (struct dirent *entry; proc && !holder && (entry = readdir(proc));)
		if (g_ascii_isdigit(*entry->d_name) && !g_str_equal(entry->d_name, own) &&
		    process_has_lock(entry->d_name, &st))
			holder = describe(entry->d_name);
	if (!holder && proc && process_has_lock(own, &st))
		holder = describe(own);
	if (proc)
		closedir(proc);
	return holder;
}

/* ---- locks ---- */

static gboolean refuse(int fd, const char *name, ImageUse use, GError **error)
{
	g_autofree char *holder = image_lock_holder(fd);
	return fail(error, LODGE_ERROR_IN_USE, "image \"%s\" is being %s by %s", name, uses[use].doing,
		    holder ? holder : "another program, perhaps of another user or on another host");
}

/* Whether @byte has a lock that @type would clash with; *free stays where there are no locks. */
static gboolean is_free(int fd, off_t byte, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK;
}

static gboolean take(int fd, off_t byte)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	return fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

/* A write lock would clash with any lock of others. */
static gboolean nobody_clashes(int fd, ImageUse use)
{
	for (guint i = 0; i < 4; i++)
		if (((uses[use].does & 1u << i) && !is_free(fd, SHARED_BASE + i, F_WRLCK)) ||
		    ((uses[use].refuses & 1u << i) && !is_free(fd, PERM_BASE + i, F_WRLCK)))
			return FALSE;
	return TRUE;
}

/* ---- where locks are more than that ---- */

/* The options of the mount that the device @dev is; NULL: not told. The caller frees it. */
static char *mount_options(dev_t dev)
{
	g_autofree char *key = g_strdup_printf(" %u:%u ", major(dev), minor(dev));
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char line[8192], *found = NULL;
	while (table && !found && fgets(line, sizeof line, table))
		if (strstr(line, key) && strrchr(line, ' '))
			found = g_strdup(g_strchomp(strrchr(line, ' ') + 1));
	if (table)
		fclose(table);
	return found;
}

/* A server of CIFS refuses writes to bytes that are locked, also to who locked them, and what a guest wrote
 * would be lost without a word. With the mount's option "nobrl" locks stay on this host; leases do not. */
static gboolean can_write_locked(int fd, const char *name, GError **error)
{
	struct statfs where;
	struct stat st;
	if (fstatfs(fd, &where) < 0 || fstat(fd, &st) < 0 ||
	    ((guint32)where.f_type != CIFS && (guint32)where.f_type != SMB2))
		return TRUE;
	g_autofree char *options = mount_options(st.st_dev);
	g_auto(GStrv) words = g_strsplit(options ? options : "nobrl", ",", -1);
	return g_strv_contains((const char *const *)words, "nobrl") ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "image \"%s\" lies on a CIFS share whose server would lose what is written where it is "
		    "locked: mount the share with the option nobrl", name);
}

gboolean image_lock_check(int fd, const char *name, ImageUse use, GError **error)
{
	if (use != IMAGE_USE_READ && !can_write_locked(fd, name, error))
		return FALSE;
	return nobody_clashes(fd, use) || refuse(fd, name, use, error);
}

gboolean image_lock_check_path(const char *path, ImageUse use, GError **error)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 || image_lock_check(fd, path, use, error);
}

void image_unlock(int fd)
{
	struct flock none = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = PERM_BASE,
			      .l_len = SHARED_BASE + 4 - PERM_BASE };
	fcntl(fd, F_OFD_SETLK, &none);
}

/* First all that we do and refuse is announced, then it is looked whether that clashes: of two who do so at
 * once at least one sees the other. */
gboolean image_lock(int fd, const char *name, ImageUse use, GError **error)
{
	gboolean ok = TRUE;
	if (use != IMAGE_USE_READ && !can_write_locked(fd, name, error))
		return FALSE;
	for (guint i = 0; i < 4; i++)
		ok = ok && (!(uses[use].does & 1u << i) || take(fd, PERM_BASE + i)) &&
		     (!(uses[use].refuses & 1u << i) || take(fd, SHARED_BASE + i));
	if (ok && nobody_clashes(fd, use))
		return TRUE;
	image_unlock(fd);
	return refuse(fd, name, use, error);
}

/* See why.h. */
#include "host/why.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pwd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

static char *user_name(uid_t uid)
{
	struct passwd pw, *found = NULL;
	char buffer[4096];
	if (getpwuid_r(uid, &pw, buffer, sizeof buffer, &found) == 0 && found)
		return g_strdup(pw.pw_name);
	return g_strdup_printf("%u", uid);
}

static char *group_name(gid_t gid)
{
	struct group gr, *found = NULL;
	char buffer[4096];
	if (getgrgid_r(gid, &gr, buffer, sizeof buffer, &found) == 0 && found)
		return g_strdup(gr.gr_name);
	return g_strdup_printf("%u", gid);
}

/* `user alice (uid 1000) may not VERB the KIND "PATH" (mode 0700, owner root:root)`. */
static char *by_mode(const char *path, const char *verb, const struct stat *st)
{
	g_autofree char *self = user_name(geteuid()), *owner = user_name(st->st_uid);
	g_autofree char *group = group_name(st->st_gid);
	return g_strdup_printf("user %s (uid %u) may not %s \"%s\" (mode %04o, owner %s:%s)", self, geteuid(),
			       verb, path, st->st_mode & 07777, owner, group);
}

/* The first folder above @path that this process may not pass, or NULL. */
static char *blocked_folder(const char *path)
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		g_autofree char *folder = g_strndup(path, (gsize)(slash - path));
		struct stat st;
		if (stat(folder, &st) < 0)
			return NULL;
		if (faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) < 0 && errno == EACCES)
			return by_mode(folder, "enter the folder", &st);
	}
	return NULL;
}

static gboolean is_on(const char *path, long magic)
{
	g_autofree char *folder = g_path_get_dirname(path);
	struct statfs fs;
	return (statfs(path, &fs) == 0 || statfs(folder, &fs) == 0) && fs.f_type == magic;
}

static gboolean first_byte_is(const char *path, char byte)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first = 0;
	return fd >= 0 && read(fd, &first, 1) == 1 && first == byte;
}

/* Root is refused: not by a mode. */
static char *beyond_modes(const char *path)
{
	g_autofree char *profile = NULL;
	if (is_on(path, NFS_SUPER_MAGIC))
		return g_strdup("it is on NFS, whose server takes root for nobody (root_squash), and "
				"neither its "
				"owner nor the account of guests may either: give it to that account, let "
				"others read it, or export it with no_root_squash");
	if (is_on(path, FUSE_SUPER_MAGIC))
		return g_strdup("it is on a FUSE file system, which lets in only who mounted it: mount it "
				"with allow_other");
	if (g_file_get_contents("/proc/self/attr/apparmor/current", &profile, NULL, NULL) &&
	    !g_str_has_prefix(profile, "unconfined"))
		return g_strdup_printf("AppArmor confines this daemon by the profile %s: allow it there, and "
				       "see `dmesg` for the refusal", g_strstrip(profile));
	if (first_byte_is("/sys/fs/selinux/enforce", '1'))
		return g_strdup_printf("SELinux enforces its policy: `ausearch -m avc -ts recent` shows the "
				       "refusal, `restorecon -v %s` may mend it", path);
	return NULL;
}

static char *denied(const char *path, gboolean writes)
{
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	char *reason = blocked_folder(absolute);
	struct stat st;
	if (reason)
		return reason;
	int mode = writes ? R_OK | W_OK : R_OK;
	if (stat(absolute, &st) == 0 && faccessat(AT_FDCWD, absolute, mode, AT_EACCESS) < 0 && geteuid() != 0)
		return by_mode(absolute, writes ? "write" : "read", &st);
	g_autofree char *folder = g_path_get_dirname(absolute);
	if (stat(absolute, &st) < 0 && errno == ENOENT && stat(folder, &st) == 0 &&
	    faccessat(AT_FDCWD, folder, W_OK, AT_EACCESS) < 0)
		return by_mode(folder, "write into the folder", &st);
	return beyond_modes(absolute);
}

/* The mount that @path is on; the caller frees it. */
static char *mount_point(const char *path)
{
	g_autofree char *at = g_canonicalize_filename(path, NULL);
	struct stat st, above;
	if (stat(at, &st) < 0) {
		char *folder = g_path_get_dirname(at);
		g_free(at);
		at = folder;
		if (stat(at, &st) < 0)
			return NULL;
	}
	while (!g_str_equal(at, "/")) {
		g_autofree char *folder = g_path_get_dirname(at);
		if (stat(folder, &above) < 0 || above.st_dev != st.st_dev)
			break;
		g_free(at);
		at = g_steal_pointer(&folder);
	}
	return g_steal_pointer(&at);
}

static char *read_only(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		return g_strdup("the device is read-only: a medium like a CD, or `blockdev --setrw` is "
				"needed");
	g_autofree char *mount = mount_point(path);
	return g_strdup_printf("the file system at \"%s\" is mounted read-only", mount ? mount : "/");
}

/* Attributes that chattr sets. */
static char *not_permitted(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	const char *const places[] = { path, folder };
	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		autofd int fd = open(places[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		int flags = 0;
		if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
			continue;
		if (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL))
			return g_strdup_printf("\"%s\" is marked %s: `chattr -%c %s` takes that away",
					       places[i],
					       flags & FS_IMMUTABLE_FL ? "immutable" : "append-only",
					       flags & FS_IMMUTABLE_FL ? 'i' : 'a', places[i]);
	}
	return beyond_modes(path);
}

char *host_why_refused(const char *path, int errnum, gboolean writes)
{
	switch (errnum) {
	case EACCES:
		return denied(path, writes);
	case EPERM:
		return not_permitted(path);
	case EROFS:
		return read_only(path);
	case ETXTBSY:
		return g_strdup("it is used as swap space, or runs as a program");
	default:
		return NULL;
	}
}

gboolean fail_open(GError **error, int errnum, const char *path, gboolean writes, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_autofree char *reason = host_why_refused(path, errnum, writes);
	g_autoptr(GError) plain = NULL;
	fail_errno(&plain, errnum, "%s", text);
	return fail(error, (LodgeError)plain->code, "%s%s%s", plain->message, reason ? ": " : "",
		    reason ? reason : "");
}

gboolean fail_full(GError **error, GError *why, const char *path)
{
	g_autofree char *mount = NULL;
	struct statvfs fs;
	if (g_error_matches(why, LODGE_ERROR, LODGE_ERROR_NO_SPACE) && (mount = mount_point(path)) &&
	    statvfs(mount, &fs) == 0) {
		g_autofree char *size = g_format_size_full((guint64)fs.f_bavail * fs.f_frsize,
							   G_FORMAT_SIZE_IEC_UNITS);
		gboolean no_inodes = fs.f_files && fs.f_favail == 0;
		g_autofree char *text = g_strdup_printf("%s: the file system at \"%s\" has %s left",
							why->message, mount,
							no_inodes ? "no inode" : size);
		g_free(why->message);
		why->message = g_steal_pointer(&text);
	}
	g_propagate_error(error, why);
	return FALSE;
}

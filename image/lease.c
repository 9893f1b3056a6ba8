/* See lease.h. */
#include "image/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <jansson.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/open.h"
#include "host/process.h"

#define LEASE_MAX 4096 /* bytes of the file */
#define WAIT_MS 3000   /* for one of this host that is ending */
#define SETTLE_MS 200  /* of two hosts that take over at once one sees the other's */
#define LONGEST_NAME 200

struct ImageLease {
	char *image, *path; /* of the lease */
	char *text;
};

/* Magic numbers of statfs(2), linux/magic.h and each file system's own source. */
static const guint32 shared[] = {
	0x6969,	    /* NFS */
	0xff534d42, /* CIFS */
	0xfe534d42, /* SMB 2 and 3 */
	0x65735546, /* FUSE: Gluster, sshfs, ... */
	0x00c36400, /* Ceph */
	0x0bd00bd0, /* Lustre */
	0x47504653, /* GPFS */
	0x7461636f, /* OCFS2 */
	0x01161970, /* GFS2 */
	0x01021997, /* 9P */
	0x5346414f, /* AFS */
};

gboolean image_lease_needed(const char *image)
{
	struct statfs fs;
	if (statfs(image, &fs) < 0)
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(shared); i++)
		if ((guint32)fs.f_type == shared[i])
			return TRUE;
	return FALSE;
}

gboolean image_is_lease(const char *name)
{
	const char *end = *name == '.' ? strstr(name, ".lease") : NULL;
	for (const char *more; end && (more = strstr(end + 1, ".lease"));)
		end = more;
	return end &&
	       (end[strlen(".lease")] == '\0' ||
		(end[strlen(".lease")] == '.' && g_uuid_string_is_valid(end + strlen(".lease."))));
}

gboolean image_is_lease_candidate(const char *name)
{
	return image_is_lease(name) && !g_str_has_suffix(name, ".lease");
}

/* ---- what stands in it ---- */

/* This boot of this host, and the set of process numbers that ours is of; the caller frees it. */
static char *this_boot(void)
{
	g_autofree char *boot = NULL, *numbers = g_file_read_link("/proc/self/ns/pid", NULL);
	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		boot = g_strdup("?");
	return g_strdup_printf("%s %s", g_strstrip(boot), numbers ? numbers : "?");
}

static char *text_of(const char *holder)
{
	g_autofree char *boot = this_boot(), *stamp = g_uuid_string_random();
	guint64 ticks = 0;
	process_start_time(getpid(), &ticks, NULL);
	json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:I, s:s}", "holder", holder, "host",
				 g_get_host_name(), "boot", boot, "pid", (int)getpid(), "ticks",
				 (json_int_t)ticks, "lease", stamp);
	char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_PRESERVE_ORDER) : NULL;
	json_decref(json);
	return text;
}

/* The lease of the image behind links, so that two names of it have one. The caller frees it. */
static char *path_of(const char *image)
{
	char *real = realpath(image, NULL);
	const char *path = real ? real : image;
	g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path);
	if (strlen(name) > LONGEST_NAME) {
		char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
		g_free(name);
		name = digest;
	}
	free(real);
	return g_strdup_printf("%s/.%s.lease", folder, name);
}

/* One as it is on the disk. */
typedef struct Found {
	char *text;   /* NULL: nothing */
	json_t *json; /* NULL: damaged, or just being written */
	struct stat st;
} Found;

static void found_clear(Found *found)
{
	g_clear_pointer(&found->text, g_free);
	g_clear_pointer(&found->json, json_decref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, found_clear)

static gboolean read_lease(const char *path, Found *found)
{
	autofd int fd = host_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	char text[LEASE_MAX];
	if (fd < 0 || fstat(fd, &found->st) < 0 || !S_ISREG(found->st.st_mode))
		return FALSE;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	found->text = g_strndup(text, (gsize)MAX(n, 0));
	found->json = json_loads(found->text, JSON_REJECT_DUPLICATES, NULL);
	return TRUE;
}

static const char *word_of(const Found *found, const char *name, const char *otherwise)
{
	const char *word = json_string_value(json_object_get(found->json, name));
	return word ? word : otherwise;
}

static gboolean is_of_this_boot(const Found *found)
{
	g_autofree char *boot = this_boot();
	return g_str_equal(word_of(found, "boot", ""), boot);
}

static gboolean holder_lives(const Found *found)
{
	json_int_t pid = json_integer_value(json_object_get(found->json, "pid")), ticks = 0;
	guint64 now = 0;
	ticks = json_integer_value(json_object_get(found->json, "ticks"));
	return pid > 0 && pid <= G_MAXINT && process_start_time((pid_t)pid, &now, NULL) &&
	       now == (guint64)ticks;
}

static gboolean refuse(const char *image, const char *path, const Found *found, gint64 age,
		       GError **error)
{
	g_autofree char *holder = g_utf8_make_valid(word_of(found, "holder", "somebody"), -1);
	g_autofree char *host = g_utf8_make_valid(word_of(found, "host", "another host"), -1);
	json_int_t pid = json_integer_value(json_object_get(found->json, "pid"));
	if (is_of_this_boot(found))
		return fail(error, LODGE_ERROR_IN_USE,
			    "image \"%s\" is being used by %s on this host (its "
			    "lease is "
			    "kept by process %d, %s)",
			    image, holder, (int)pid, path);
	return fail(error, LODGE_ERROR_IN_USE,
		    "image \"%s\" is being used by %s on host %s, which was seen %d s ago (its "
		    "lease: %s); "
		    "if that "
		    "host is down, the image is free %d s after it was last seen",
		    image, holder, host, (int)CLAMP(age, 0, 86400), path, LEASE_EXPIRES);
}

/* ---- taking ---- */

/* A file with @text at a name that nobody has, and the server's clock in its times. */
static gboolean write_candidate(const char *path, const char *text, struct stat *st, GError **error)
{
	autofd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail_errno(error, errno, "the lease %s cannot be made", path);
	/* Whoever may come is to read it, whatever the umask is. */
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0644) == 0 &&
	    fsync(fd) == 0 && futimens(fd, NULL) == 0 && fstat(fd, st) == 0)
		return TRUE;
	int errnum = errno;
	unlink(path);
	return fail_errno(error, errnum, "the lease %s cannot be written", path);
}

/* Gives the candidate the lease's name; 0, or why not. A reply of NFS may get lost: the count
 * tells. */
static int place(const char *candidate, const char *path, struct stat *st)
{
	if (link(candidate, path) == 0)
		return 0;
	int errnum = errno;
	if (stat(candidate, st) == 0 && st->st_nlink == 2)
		return 0;
	if (errnum != EPERM && errnum != EOPNOTSUPP && errnum != ENOSYS)
		return errnum;
	/* No second names here (CIFS, 9P): the new name is made at once, and then filled by a
	 * rename. */
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 || rename(candidate, path) < 0 ? errno : 0;
}

/* Away with a stale one, unless it is another by now. */
static gboolean clear_stale(const char *path, const Found *judged)
{
	g_autofree char *stamp = g_uuid_string_random(),
			*aside = g_strdup_printf("%s.%s", path, stamp);
	g_auto(Found) moved = { 0 }, now = { 0 };
	if (read_lease(path, &now) && !g_str_equal(now.text, judged->text))
		return FALSE;
	if (rename(path, aside) < 0)
		return errno == ENOENT;
	gboolean same = read_lease(aside, &moved) && g_str_equal(moved.text, judged->text);
	int errnum = same || link(aside, path) == 0 ? 0 : errno;
	if (errnum && errnum != EEXIST) /* no second names here */
		return rename(aside, path) == 0 && FALSE;
	unlink(aside); /* where somebody was faster still, the owner of that one notices */
	return same;
}

typedef enum Verdict { FREE = 1, STALE, WAIT, TAKEN } Verdict;

/* @now: the server's clock, a file that was just touched. */
static Verdict judge(const Found *found, const struct stat *now)
{
	if (found->json && is_of_this_boot(found))
		return holder_lives(found) ? WAIT : STALE;
	return now->st_mtime - found->st.st_mtime >= LEASE_EXPIRES ? STALE : TAKEN;
}

static gboolean is_ours(const char *path, const ImageLease *lease)
{
	g_auto(Found) found = { 0 };
	return read_lease(path, &found) && g_str_equal(found.text, lease->text);
}

/* One try. *wait: it is worth another. */
static gboolean try_take(ImageLease *lease, const char *candidate, gboolean *wait, GError **error)
{
	struct stat now;
	if (!write_candidate(candidate, lease->text, &now, error))
		return FALSE;
	gboolean cleared = FALSE;
	for (guint i = 0; i < 3; i++) {
		g_auto(Found) found = { 0 };
		int errnum = place(candidate, lease->path, &now);
		if (errnum == 0) {
			unlink(candidate);
			if (cleared)
				g_usleep(SETTLE_MS * 1000);
			return is_ours(lease->path, lease) ||
			       fail(error, LODGE_ERROR_IN_USE,
				    "image \"%s\" was taken by another host at "
				    "this moment",
				    lease->image);
		}
		if (errnum != EEXIST) {
			unlink(candidate);
			return fail_errno(error, errnum, "the lease %s cannot be made",
					  lease->path);
		}
		Verdict verdict = read_lease(lease->path, &found) ? judge(&found, &now) : FREE;
		*wait = verdict == WAIT;
		if (verdict == WAIT || verdict == TAKEN ||
		    (verdict == STALE && !clear_stale(lease->path, &found))) {
			unlink(candidate);
			return refuse(lease->image, lease->path, &found,
				      now.st_mtime - found.st.st_mtime, error);
		}
		cleared = cleared || verdict == STALE;
	}
	unlink(candidate);
	return fail(error, LODGE_ERROR_IN_USE, "image \"%s\": its lease %s comes and goes",
		    lease->image, lease->path);
}

static void lease_free(ImageLease *lease)
{
	g_free(lease->image);
	g_free(lease->path);
	free(lease->text);
	g_free(lease);
}

ImageLease *image_lease_take(const char *image, const char *holder, GError **error)
{
	ImageLease *lease = g_new0(ImageLease, 1);
	lease->image = g_strdup(image);
	lease->path = path_of(image);
	lease->text = text_of(holder);
	g_autofree char *stamp = g_uuid_string_random();
	g_autofree char *candidate = g_strdup_printf("%s.%s", lease->path, stamp);
	gint64 until = g_get_monotonic_time() + WAIT_MS * 1000;
	for (;;) {
		g_autoptr(GError) why = NULL;
		gboolean wait = FALSE;
		if (lease->text && try_take(lease, candidate, &wait, &why))
			return lease;
		if (!wait || g_get_monotonic_time() > until) {
			g_propagate_error(error, g_steal_pointer(&why));
			lease_free(lease);
			return NULL;
		}
		g_usleep(50000);
	}
}

/* ---- keeping ---- */

/* Opening asks the server anew, which looking by name does not. */
LeaseBeat image_lease_beat(ImageLease *lease)
{
	g_auto(Found) found = { 0 };
	struct stat st;
	autofd int fd = open(lease->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) {
		g_autofree char *stamp = g_uuid_string_random();
		g_autofree char *candidate = g_strdup_printf("%s.%s", lease->path, stamp);
		if (!write_candidate(candidate, lease->text, &st, NULL))
			return LEASE_LATE;
		int errnum = place(candidate, lease->path, &st);
		unlink(candidate);
		return errnum == 0 ? LEASE_KEPT : errnum == EEXIST ? LEASE_LOST : LEASE_LATE;
	}
	if (fd < 0 || !read_lease(lease->path, &found))
		return LEASE_LATE;
	if (!g_str_equal(found.text, lease->text))
		return LEASE_LOST;
	return futimens(fd, NULL) == 0 ? LEASE_KEPT : LEASE_LATE;
}

void image_lease_drop(ImageLease *lease)
{
	if (!lease)
		return;
	if (is_ours(lease->path, lease))
		unlink(lease->path);
	lease_free(lease);
}

gboolean image_lease_check(const char *image, GError **error)
{
	g_autofree char *path = path_of(image);
	g_auto(Found) found = { 0 };
	if (!read_lease(path, &found))
		return errno == ENOENT || fail_errno(error, errno,
						     "the lease %s of image \"%s\" cannot be "
						     "read",
						     path, image);
	/* The server's clock is not asked here: what two clocks may differ by counts as young. */
	gint64 age = g_get_real_time() / G_USEC_PER_SEC - found.st.st_mtime;
	gboolean own = found.json && is_of_this_boot(&found);
	if (own ? !holder_lives(&found) : age >= 2 * LEASE_EXPIRES)
		return TRUE;
	return refuse(image, path, &found, age, error);
}

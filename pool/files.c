/* See files.h. A file costs four system calls: open, fstat, read, close. */
#include "pool/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/open.h"
#include "image/header.h"
#include "image/import_head.h"
#include "image/lease.h"
#include "image/part.h"

#define ISO_AT 32769 /* ECMA-119: the identifier of the first volume descriptor */
#define FOLDER_MAX 1000000 /* entries; more are not looked at */
#define READERS_MAX 4 /* threads */
#define STEP 32	      /* files that one takes at a time */
#define SLOW_US 1500  /* for so many: more threads than processors wait for a disk or server */

gboolean pool_file_name_counts(const char *name)
{
	if (g_str_equal(name, ".") || g_str_equal(name, "..") || image_is_part(name) ||
	    image_is_lease(name) || (*name == '.' && g_str_has_suffix(name, IMPORT_HEAD_SUFFIX)))
		return FALSE;
	for (const char *c = name; *c; c++)
		if (g_ascii_iscntrl(*c))
			return FALSE;
	return TRUE;
}

/* ---- one file ---- */

static gint64 nanoseconds(struct timespec t)
{
	return (gint64)t.tv_sec * G_GINT64_CONSTANT(1000000000) + t.tv_nsec;
}

static gboolean is_same(const PoolVolume *known, const struct stat *st)
{
	return known->settled && known->inode == st->st_ino && known->size == (guint64)st->st_size &&
	       known->mtime == nanoseconds(st->st_mtim) && known->ctime == nanoseconds(st->st_ctim);
}

static char *absolute_backing(const char *folder, const char *name)
{
	if (*name == '/' || strchr(name, ':'))
		return g_strdup(name);
	return g_build_filename(folder, name, NULL);
}

static gssize read_bytes(gpointer data, void *buffer, gsize length, guint64 offset)
{
	return image_read_at(*(const int *)data, buffer, length, offset);
}

static gboolean is_iso(int fd, guint64 size)
{
	char id[5];
	return size > ISO_AT + sizeof(id) && image_read_at(fd, id, sizeof(id), ISO_AT) == sizeof(id) &&
	       !memcmp(id, "CD001", sizeof(id));
}

/* A header that lies leaves what the file itself says: a list shows all there is. */
static void take_header(PoolVolume *volume, const char *folder, int fd)
{
	ImageSource source = { read_bytes, &fd, volume->physical };
	g_auto(ImageHeader) header = { 0 };
	if (!volume->physical || !image_header_parse(&source, 0, &header, NULL))
		return;
	volume->format = enum_name(&image_formats, (int)header.format);
	volume->capacity = opt_uint_or(header.capacity, volume->physical);
	volume->encrypted = header.crypt != IMAGE_CRYPT_NONE;
	if (header.format == IMAGE_RAW && !volume->encrypted && is_iso(fd, volume->physical))
		volume->format = "iso";
	if (!header.backing)
		return;
	volume->backing = absolute_backing(folder, header.backing);
	volume->backing_format = g_strdup(header.backing_format);
}

static PoolVolume *describe(int fd, const char *folder, const char *name, const struct stat *st)
{
	PoolVolume *volume = pool_volume_new_in(S_ISDIR(st->st_mode) ? VOLUME_DIR :
						S_ISBLK(st->st_mode) ? VOLUME_BLOCK : VOLUME_FILE,
						folder, name);
	volume->inode = st->st_ino;
	volume->size = (guint64)st->st_size;
	volume->mtime = nanoseconds(st->st_mtim);
	volume->ctime = nanoseconds(st->st_ctim);
	/* Times have the grain of the clock's tick: a change within it does not show. */
	volume->settled = g_get_real_time() * 1000 - volume->ctime > 2 * G_GINT64_CONSTANT(1000000000);
	volume->allocation = (guint64)st->st_blocks * 512;
	volume->physical = (guint64)st->st_size;
	volume->format = S_ISDIR(st->st_mode) ? "dir" : "raw";
	if (S_ISBLK(st->st_mode) && fd >= 0) {
		off_t end = lseek(fd, 0, SEEK_END);
		volume->physical = volume->allocation = end > 0 ? (guint64)end : 0;
	}
	volume->capacity = volume->physical;
	if (fd >= 0)
		take_header(volume, folder, fd);
	return volume;
}

PoolVolume *pool_file_read(int dirfd, const char *folder, const char *name, PoolVolume *known)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, 0) < 0)
		return NULL;
	if (known && is_same(known, &st))
		return pool_volume_ref(known);
	if (S_ISDIR(st.st_mode))
		return describe(-1, folder, name, &st);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return NULL;
	autofd int fd = host_openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, st.st_uid, st.st_gid);
	struct stat now;
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd >= 0 && (fstat(fd, &now) < 0 || (now.st_mode & S_IFMT) != (st.st_mode & S_IFMT)))
		return NULL;
	return describe(fd, folder, name, fd >= 0 ? &now : &st);
}

/* The same where the folder says that it is a file, and nothing is known of it: without the first stat. */
static PoolVolume *read_new_file(int dirfd, const char *folder, const char *name)
{
	autofd int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return pool_file_read(dirfd, folder, name, NULL);
	return describe(fd, folder, name, &st);
}

/* ---- folders ---- */

gboolean pool_files_sizes(const char *folder, PoolSizes *sizes, GError **error)
{
	struct statvfs fs;
	if (statvfs(folder, &fs) < 0)
		return fail_errno(error, errno, "the space at %s cannot be asked for", folder);
	guint64 block = fs.f_frsize;
	*sizes = (PoolSizes){ .capacity = block * fs.f_blocks, .available = block * fs.f_bavail };
	sizes->allocation = sizes->capacity - block * fs.f_bfree;
	return TRUE;
}

void pool_label_of(const char *path, char label[static POOL_LABEL_MAX])
{
	ssize_t n = getxattr(path, "security.selinux", label, POOL_LABEL_MAX - 1);
	label[MAX(n, 0)] = '\0';
	for (const char *c = label; *c; c++)
		if (!g_ascii_isprint(*c))
			*label = '\0';
}

StoragePermissions *pool_permissions(guint mode, guint owner, guint group, const char *label)
{
	StoragePermissions *permissions = shape_new(&storage_permissions_shape);
	permissions->mode = g_strdup_printf("%04o", mode & 07777);
	permissions->owner = OPT_INT(owner);
	permissions->group = OPT_INT(group);
	permissions->label = *label ? g_strdup(label) : NULL;
	return permissions;
}

void pool_files_see_folder(PoolState *state, const char *path, const struct stat *st)
{
	PoolFolder known = pool_state_folder(state);
	PoolFolder now = { .mode = st->st_mode, .owner = st->st_uid, .group = st->st_gid,
			   .ctime = nanoseconds(st->st_ctim) };
	if (known.mode == now.mode && known.owner == now.owner && known.group == now.group &&
	    known.ctime == now.ctime)
		return;
	pool_label_of(path, now.label);
	pool_state_set_folder(state, &now);
}

/* Beside an image that Lodge built stands a record of what is in it, NAME.json: no volume. */
static void drop_records(GPtrArray *volumes)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < volumes->len; i++) {
		const char *name = ((PoolVolume *)volumes->pdata[i])->name;
		if (g_str_has_suffix(name, ".json"))
			g_hash_table_add(names, g_strndup(name, strlen(name) - strlen(".json")));
	}
	if (!g_hash_table_size(names))
		return;
	g_autoptr(GHashTable) records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < volumes->len; i++) {
		const char *name = ((PoolVolume *)volumes->pdata[i])->name;
		g_autofree char *stem = g_str_has_suffix(name, ".qcow2") ?
						g_strndup(name, strlen(name) - strlen(".qcow2")) : NULL;
		if (stem && g_hash_table_contains(names, stem))
			g_hash_table_add(records, g_strconcat(stem, ".json", NULL));
	}
	for (guint i = volumes->len; i > 0; i--)
		if (g_hash_table_contains(records, ((PoolVolume *)volumes->pdata[i - 1])->name))
			g_ptr_array_remove_index_fast(volumes, i - 1);
}

static DIR *open_folder(const char *folder, GError **error)
{
	DIR *dir = opendir(folder);
	if (!dir)
		fail_errno(error, errno, "cannot open directory '%s'", folder);
	return dir;
}

/* ---- reading a folder: by several threads, for a disk or server answers many at once ---- */

typedef struct Entry {
	char *name;
	gboolean is_file; /* the folder says so */
	PoolVolume *found;
} Entry;

/* Some names of the folder: what one thread reads at a time. */
typedef struct Batch {
	guint n;
	Entry entries[STEP];
} Batch;

typedef struct Reading {
	int dirfd;
	const char *folder;
	PoolState *state;
	GThread *helpers[READERS_MAX - 1];
	guint n_helpers;
	GMutex lock;
	GCond more;	    /* a batch was added, or all are listed */
	GPtrArray *batches; /* of Batch *; under lock */
	guint next;	    /* the first that nobody reads yet; under lock */
	gboolean listed;    /* under lock */
} Reading;

static void free_batch(gpointer data)
{
	Batch *batch = data;
	for (guint i = 0; i < batch->n; i++) {
		g_free(batch->entries[i].name);
		if (batch->entries[i].found)
			pool_volume_unref(batch->entries[i].found);
	}
	g_free(batch);
}

static void read_entry(const Reading *reading, Entry *entry)
{
	g_autoptr(PoolVolume) known = pool_state_find(reading->state, entry->name);
	entry->found = !known && entry->is_file ?
			       read_new_file(reading->dirfd, reading->folder, entry->name) :
			       pool_file_read(reading->dirfd, reading->folder, entry->name, known);
}

/* The next few; waits for them. FALSE: there are no more. */
static gboolean read_step(Reading *reading)
{
	Batch *batch = NULL;
	g_mutex_lock(&reading->lock);
	while (reading->next >= reading->batches->len && !reading->listed)
		g_cond_wait(&reading->more, &reading->lock);
	if (reading->next < reading->batches->len)
		batch = reading->batches->pdata[reading->next++];
	g_mutex_unlock(&reading->lock);
	for (guint i = 0; batch && i < batch->n; i++)
		read_entry(reading, &batch->entries[i]);
	return batch != NULL;
}

static gpointer read_batches(gpointer data)
{
	while (read_step(data))
		;
	return NULL;
}

/* Up to @wanted threads besides the one that lists. */
static void get_help(Reading *reading, guint wanted)
{
	while (reading->n_helpers < MIN(wanted, READERS_MAX - 1)) {
		GThread *helper = g_thread_try_new("pool-read", read_batches, reading, NULL);
		if (!helper)
			return;
		reading->helpers[reading->n_helpers++] = helper;
	}
}

static void add_batch(Reading *reading, Batch *batch)
{
	g_mutex_lock(&reading->lock);
	g_ptr_array_add(reading->batches, batch);
	guint n = reading->batches->len;
	g_cond_signal(&reading->more);
	g_mutex_unlock(&reading->lock);
	if (n == 2) /* they read while the rest is listed */
		get_help(reading, g_get_num_processors() - 1);
}

/* Names of @dir that may be volumes; *parts: there are also some of images that are made. FALSE with errno
 * where it cannot be read. */
static gboolean list_names(Reading *reading, DIR *dir, gboolean *parts)
{
	Batch *batch = g_new0(Batch, 1);
	guint n = 0;
	errno = 0;
	for (struct dirent *at; n < FOLDER_MAX && (at = readdir(dir)); errno = 0) {
		*parts |= image_is_part(at->d_name) || image_is_lease_candidate(at->d_name);
		if (!pool_file_name_counts(at->d_name) || at->d_type == DT_FIFO ||
		    at->d_type == DT_SOCK || at->d_type == DT_CHR)
			continue;
		batch->entries[batch->n++] = (Entry){ .name = g_strdup(at->d_name),
						      .is_file = at->d_type == DT_REG };
		n++;
		if (batch->n == STEP) {
			add_batch(reading, batch);
			batch = g_new0(Batch, 1);
		}
	}
	int errnum = errno;
	g_mutex_lock(&reading->lock);
	g_ptr_array_add(reading->batches, batch);
	reading->listed = TRUE;
	g_cond_broadcast(&reading->more);
	g_mutex_unlock(&reading->lock);
	errno = errnum;
	return errnum == 0;
}

/* Takes part in reading what is listed, until all is read. */
static void finish_reading(Reading *reading)
{
	gint64 began = g_get_monotonic_time();
	if (read_step(reading) && g_get_monotonic_time() - began > SLOW_US)
		get_help(reading, reading->batches->len - 1);
	read_batches(reading);
	for (guint i = 0; i < reading->n_helpers; i++)
		g_thread_join(reading->helpers[i]);
}

static void take_found(const GPtrArray *batches, GPtrArray *volumes)
{
	for (guint i = 0; i < batches->len; i++) {
		Batch *batch = batches->pdata[i];
		for (guint k = 0; k < batch->n; k++)
			if (batch->entries[k].found)
				g_ptr_array_add(volumes, g_steal_pointer(&batch->entries[k].found));
	}
}

/* *parts: there are left-overs to look for. */
static gboolean read_folder(DIR *dir, const char *folder, PoolState *state, GPtrArray *volumes,
			    gboolean *parts, GError **error)
{
	Reading reading = { .dirfd = dirfd(dir), .folder = folder, .state = state,
			    .batches = g_ptr_array_new_with_free_func(free_batch) };
	g_mutex_init(&reading.lock);
	g_cond_init(&reading.more);
	int errnum = list_names(&reading, dir, parts) ? 0 : errno;
	finish_reading(&reading);
	if (!errnum)
		take_found(reading.batches, volumes);
	g_ptr_array_unref(reading.batches);
	g_mutex_clear(&reading.lock);
	g_cond_clear(&reading.more);
	return errnum == 0 || fail_errno(error, errnum, "cannot read directory '%s'", folder);
}

gboolean pool_files_scan(const char *folder, PoolState *state, GPtrArray *volumes, PoolSizes *sizes,
			 GError **error)
{
	gboolean parts = FALSE;
	struct stat st;
	DIR *dir = open_folder(folder, error);
	if (dir && fstat(dirfd(dir), &st) == 0)
		pool_files_see_folder(state, folder, &st);
	gboolean ok = dir && read_folder(dir, folder, state, volumes, &parts, error);
	if (dir)
		closedir(dir);
	if (!ok)
		return FALSE;
	drop_records(volumes);
	if (parts)
		image_parts_clean(folder);
	return pool_files_sizes(folder, sizes, error);
}

gboolean pool_files_update(const char *folder, PoolState *state, GPtrArray *names, GError **error)
{
	autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	PoolSizes sizes;
	if (fd < 0)
		return fail_errno(error, errno, "cannot open directory '%s'", folder);
	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];
		if (!pool_file_name_counts(name))
			continue;
		g_autoptr(PoolVolume) known = pool_state_find(state, name);
		PoolVolume *volume = pool_file_read(fd, folder, name, NULL);
		if (volume)
			pool_state_put(state, volume);
		else if (known)
			pool_state_drop(state, name);
	}
	if (!pool_files_sizes(folder, &sizes, error))
		return FALSE;
	pool_state_set_sizes(state, &sizes);
	return TRUE;
}

/* ---- making folders ---- */

gboolean pool_apply_permissions(int fd, const char *path, const StoragePermissions *permissions,
				GError **error)
{
	guint mode;
	if (!permissions)
		return TRUE;
	uid_t owner = (uid_t)opt_int_or(permissions->owner, -1);
	gid_t group = (gid_t)opt_int_or(permissions->group, -1);
	if ((owner != (uid_t)-1 || group != (gid_t)-1) && fchown(fd, owner, group) < 0)
		return fail_errno(error, errno, "the owner of %s cannot be set to %d:%d", path, (int)owner,
				  (int)group);
	if (permissions->mode && storage_mode(permissions->mode, &mode) && fchmod(fd, mode) < 0)
		return fail_errno(error, errno, "the mode of %s cannot be set to %s", path,
				  permissions->mode);
	return TRUE;
}

gboolean pool_folder_make(const Pool *pool, GError **error)
{
	const char *path = pool_path(pool);
	g_autofree char *parent = g_path_get_dirname(path);
	gboolean made = g_mkdir_with_parents(parent, 0755) == 0 && mkdir(path, 0711) == 0;
	if (!made && errno != EEXIST)
		return fail_errno(error, errno, "cannot create path '%s'", path);
	autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (made && fchmod(fd, 0711) < 0)) /* whatever the umask is */
		return fail_errno(error, errno, "cannot open directory '%s'", path);
	return pool_apply_permissions(fd, path, pool->target->permissions, error);
}

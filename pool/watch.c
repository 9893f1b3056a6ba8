/* See watch.h. */
#include "pool/watch.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EVENTS                                                                                     \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB |        \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
#define SETTLE_MS 20 /* so that a copy of many files is read in a few steps */

struct PoolWatch {
	gint refs; /* the owner's, and the sources' */
	int fd;
	dev_t device; /* of the folder */
	ino_t inode;
	void (*changed)(gpointer data);
	gpointer data;
	GDestroyNotify free_data;
	GMutex lock;
	gboolean freed; /* under lock */
	guint source;	/* under lock */
	gboolean gone;
};

/* Magic numbers of statfs(2) of file systems that change from elsewhere. */
static const guint32 remote[] = { 0x6969 /* nfs */, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */,
				  0x65735546 /* fuse */, 0x00c36400 /* ceph */, 0x01021997 /* 9p */,
				  0x7461636f /* ocfs2 */, 0x01161970 /* gfs2 */, 0x5346414f /* afs */ };

static gboolean is_remote(const char *folder)
{
	struct statfs fs;
	if (statfs(folder, &fs) < 0)
		return TRUE;
	for (guint i = 0; i < G_N_ELEMENTS(remote); i++)
		if ((guint32)fs.f_type == remote[i])
			return TRUE;
	return FALSE;
}

static void watch_unref(gpointer data)
{
	PoolWatch *watch = data;
	if (!g_atomic_int_dec_and_test(&watch->refs))
		return;
	close(watch->fd);
	watch->free_data(watch->data);
	g_mutex_clear(&watch->lock);
	g_free(watch);
}

static gboolean settled(gpointer data)
{
	PoolWatch *watch = data;
	g_mutex_lock(&watch->lock);
	gboolean tell = !watch->freed;
	watch->source = 0;
	g_mutex_unlock(&watch->lock);
	if (tell)
		watch->changed(watch->data);
	return G_SOURCE_REMOVE;
}

static gboolean readable(G_GNUC_UNUSED int fd, G_GNUC_UNUSED GIOCondition condition, gpointer data)
{
	PoolWatch *watch = data;
	g_mutex_lock(&watch->lock);
	watch->source = 0;
	if (!watch->freed) {
		g_atomic_int_inc(&watch->refs);
		watch->source = g_timeout_add_full(G_PRIORITY_DEFAULT, SETTLE_MS, settled, watch,
						   watch_unref);
	}
	g_mutex_unlock(&watch->lock);
	return G_SOURCE_REMOVE;
}

/* lock held */
static void arm(PoolWatch *watch)
{
	if (watch->freed || watch->gone)
		return;
	g_atomic_int_inc(&watch->refs);
	watch->source = g_unix_fd_add_full(G_PRIORITY_DEFAULT, watch->fd, G_IO_IN, readable, watch,
					   watch_unref);
}

PoolWatch *pool_watch_new(const char *folder, void (*changed)(gpointer data), gpointer data,
			  GDestroyNotify free_data)
{
	int fd = is_remote(folder) ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (inotify_add_watch(fd, folder, EVENTS | IN_ONLYDIR) < 0) {
		close(fd);
		return NULL;
	}
	struct stat st = { 0 };
	stat(folder, &st);
	PoolWatch *watch = g_new0(PoolWatch, 1);
	watch->refs = 1;
	watch->fd = fd;
	watch->device = st.st_dev;
	watch->inode = st.st_ino;
	watch->changed = changed;
	watch->data = data;
	watch->free_data = free_data;
	g_mutex_init(&watch->lock);
	g_mutex_lock(&watch->lock);
	arm(watch);
	g_mutex_unlock(&watch->lock);
	return watch;
}

gboolean pool_watch_is_of(const PoolWatch *watch, const char *folder, struct stat *st)
{
	return stat(folder, st) == 0 && st->st_dev == watch->device && st->st_ino == watch->inode;
}

void pool_watch_free(PoolWatch *watch)
{
	if (!watch)
		return;
	g_mutex_lock(&watch->lock);
	watch->freed = TRUE;
	guint source = watch->source;
	watch->source = 0;
	g_mutex_unlock(&watch->lock);
	if (source) {
		GSource *found = g_main_context_find_source_by_id(NULL, source);
		if (found)
			g_source_destroy(found);
	}
	watch_unref(watch);
}

static void take_event(PoolWatch *watch, const struct inotify_event *event, GHashTable *names,
		       gboolean *all)
{
	if (event->mask & GONE)
		watch->gone = TRUE;
	if (event->mask & IN_Q_OVERFLOW || g_hash_table_size(names) >= WATCH_NAMES)
		*all = TRUE;
	else if (event->len && *event->name && !g_hash_table_contains(names, event->name))
		g_hash_table_add(names, g_strdup(event->name));
}

gboolean pool_watch_take(PoolWatch *watch, GPtrArray **names, gboolean *all)
{
	g_autoptr(GHashTable) set = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, NULL);
	_Alignas(struct inotify_event) char buffer[16384];
	ssize_t n;
	*all = FALSE;
	*names = g_ptr_array_new_with_free_func(g_free);
	while ((n = read(watch->fd, buffer, sizeof(buffer))) > 0 || (n < 0 && errno == EINTR))
		for (char *at = buffer; n > 0 && at < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;
			take_event(watch, event, set, all);
			at += sizeof(*event) + event->len;
		}
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_ptr_array_add(*names, name);
	g_mutex_lock(&watch->lock);
	if (!watch->source)
		arm(watch);
	g_mutex_unlock(&watch->lock);
	return !watch->gone;
}

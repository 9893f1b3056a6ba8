/* See fd_groups.h. */
#include "core/fd_groups.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/fd.h"
#include "core/internal.h"

typedef struct Group {
	EngineFdGroup is;
	guint number;
} Group;

static void group_free(gpointer data)
{
	Group *group = data;
	for (guint i = 0; i < group->is.n; i++)
		fd_clear(&group->is.fds[i]);
	g_free(group->is.fds);
	g_free(group);
}

static Group *group_new(const int *fds, guint n, gboolean writable, GError **error)
{
	Group *group = g_new0(Group, 1);
	group->is.fds = g_new(int, MAX(n, 1));
	group->is.writable = writable;
	for (guint i = 0; i < n; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fd < 0) {
			fail_errno(error, errno, "cannot keep file descriptor %u", i);
			group_free(group);
			return NULL;
		}
		group->is.fds[group->is.n++] = fd;
	}
	return group;
}

guint core_fds_give(CoreGuest *guest, const char *name, const int *fds, guint n, gboolean writable,
		    GError **error)
{
	static gint last;
	Group *group = group_new(fds, n, writable, error);
	if (!group)
		return 0;
	guint number = group->number = (guint)g_atomic_int_add(&last, 1) + 1;
	g_mutex_lock(&guest->lock);
	if (!guest->fd_groups)
		guest->fd_groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, group_free);
	gboolean room = g_hash_table_contains(guest->fd_groups, name) ||
			g_hash_table_size(guest->fd_groups) < CORE_FD_GROUPS;
	if (room)
		g_hash_table_insert(guest->fd_groups, g_strdup(name), group);
	g_mutex_unlock(&guest->lock);
	if (room)
		return number;
	group_free(group);
	fail(error, LODGE_ERROR_UNSUPPORTED, "a guest has %d groups of file descriptors at most",
	     CORE_FD_GROUPS);
	return 0;
}

static gboolean has_number(G_GNUC_UNUSED gpointer name, gpointer group, gpointer number)
{
	return ((const Group *)group)->number == GPOINTER_TO_UINT(number);
}

gboolean core_fds_known(Core *core, const char *uuid, guint number)
{
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, uuid, NULL);
	if (!guest)
		return FALSE;
	g_mutex_lock(&guest->lock);
	gboolean known = guest->fd_groups && g_hash_table_find(guest->fd_groups, has_number,
								GUINT_TO_POINTER(number));
	g_mutex_unlock(&guest->lock);
	return known;
}

void core_fds_forget(Core *core, const char *uuid, guint number)
{
	g_autoptr(CoreGuest) guest = core_find_by(core, CORE_BY_UUID, uuid, NULL);
	if (!guest)
		return;
	g_mutex_lock(&guest->lock);
	if (guest->fd_groups)
		g_hash_table_foreach_remove(guest->fd_groups, has_number, GUINT_TO_POINTER(number));
	g_mutex_unlock(&guest->lock);
}

GHashTable *guest_fd_groups(CoreGuest *guest)
{
	GHashTable *copies = NULL;
	GHashTableIter iter;
	gpointer name, value;
	g_mutex_lock(&guest->lock);
	if (guest->fd_groups) {
		copies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, group_free);
		g_hash_table_iter_init(&iter, guest->fd_groups);
		while (g_hash_table_iter_next(&iter, &name, &value)) {
			const EngineFdGroup *is = &((const Group *)value)->is;
			Group *copy = group_new(is->fds, is->n, is->writable, NULL);
			if (copy)
				g_hash_table_insert(copies, g_strdup(name), copy);
		}
	}
	g_mutex_unlock(&guest->lock);
	return copies;
}

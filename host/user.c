/* See user.h. */
#include "host/user.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* Looked for in this order where the configuration names nobody. */
static const char *const candidates[] = { "lodge-qemu", "libvirt-qemu", "nobody" };

void host_user_free(HostUser *user)
{
	if (!user)
		return;
	g_free(user->name);
	g_free(user->groups);
	g_free(user);
}

static gboolean has_group(const HostUser *user, gid_t gid)
{
	for (guint i = 0; i < user->n_groups; i++)
		if (user->groups[i] == gid)
			return TRUE;
	return FALSE;
}

/* The groups that the account is a member of, without those that open the whole host. */
static void fill_groups(HostUser *user)
{
	int n = 64;
	g_autofree gid_t *all = g_new(gid_t, n);
	if (getgrouplist(user->name, user->gid, all, &n) < 0) {
		all = g_renew(gid_t, all, n);
		if (getgrouplist(user->name, user->gid, all, &n) < 0)
			n = 0;
	}
	user->groups = g_new0(gid_t, n + 1);
	for (int i = 0; i < n; i++)
		if (all[i] != 0)
			user->groups[user->n_groups++] = all[i];
	struct stat st;
	if (stat("/dev/kvm", &st) == 0 && st.st_gid != 0 && (st.st_mode & 060) == 060 &&
	    !has_group(user, st.st_gid))
		user->groups[user->n_groups++] = st.st_gid;
}

static HostUser *look_up(const char *name)
{
	char buffer[16384];
	struct passwd entry, *found = NULL;
	if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) || !found)
		return NULL;
	HostUser *user = g_new0(HostUser, 1);
	*user = (HostUser){ .name = g_strdup(name), .uid = entry.pw_uid, .gid = entry.pw_gid };
	fill_groups(user);
	return user;
}

static HostUser *own_account(void)
{
	HostUser *user = g_new0(HostUser, 1);
	*user = (HostUser){ .name = g_strdup(g_get_user_name()),
			    .uid = geteuid(),
			    .gid = getegid() };
	int n = getgroups(0, NULL);
	user->groups = g_new0(gid_t, MAX(n, 0) + 1);
	n = getgroups(MAX(n, 0), user->groups);
	user->n_groups = (guint)MAX(n, 0);
	return user;
}

HostUser *host_user_for_qemu(const char *configured, GError **error)
{
	if (geteuid() != 0)
		return own_account();
	HostUser *user = configured ? look_up(configured) : NULL;
	for (guint i = 0; !configured && !user && i < G_N_ELEMENTS(candidates); i++)
		user = look_up(candidates[i]);
	if (!user)
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "no account \"%s\" to run QEMU as; make it with: adduser --system --group %s",
		     configured ? configured : candidates[0],
		     configured ? configured : candidates[0]);
	return user;
}

gboolean host_user_may(const HostUser *user, const char *path, int mode)
{
	if (!user || user->uid == geteuid())
		return eaccess(path, mode) == 0;
	struct stat st;
	if (stat(path, &st))
		return FALSE;
	int shift = st.st_uid == user->uid				   ? 6
		    : st.st_gid == user->gid || has_group(user, st.st_gid) ? 3
									   : 0;
	if (((st.st_mode >> shift) & (mode_t)mode) == (mode_t)mode)
		return TRUE;
	errno = EACCES;
	return FALSE;
}

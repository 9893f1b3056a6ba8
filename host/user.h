/* Who QEMU runs as: an unprivileged account where the daemon is root, the daemon's own otherwise.
 * Neighbours: spawn.c drops to it, check.c asks whether it can open /dev/kvm. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct HostUser {
	char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary groups */
	guint n_groups;
} HostUser;

/* The account for QEMU, owned by the caller. @configured names it; with NULL the first of
 * lodge-qemu, libvirt-qemu and nobody that exists. The group of /dev/kvm is among the supplementary
 * groups where that group may open it and is not root's. Where the daemon is not root it is the
 * daemon's own account. On failure NULL: NOT_FOUND names the account. Any thread. */
HostUser *host_user_for_qemu(const char *configured, GError **error);

/* Any thread; NULL is fine. */
void host_user_free(HostUser *user);

/* Whether a process of @user may open @path itself with @mode (R_OK | W_OK), by its permission
 * bits; folders above it are not looked at. errno says why not. Any thread. */
gboolean host_user_may(const HostUser *user, const char *path, int mode);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostUser, host_user_free)

/* Opens files that root may be refused: NFS servers take root for nobody (root_squash). Then the daemon opens
 * as the file's owner, the folder's, or the account of guests, whom it could be anyway.
 * Neighbours: why.h says what is in the way where none of them may; user.h knows the account. */
#pragma once

#include "host/user.h"

/* As open(2) with O_CLOEXEC. Where the daemon is root and is refused on a file system of a server, it is
 * tried as those named above; errno is then that of the last. Any thread; blocks on the disk. */
int host_open(const char *path, int flags, mode_t mode);

/* The same for @name in the folder @dirfd, a file that @owner has. */
int host_openat(int dirfd, const char *name, int flags, uid_t owner, gid_t group);

/* Has what this thread does with files be done by @folder's owner where the daemon is root, the folder is a
 * server's, and root is refused there; until host_be_self(). Programs that it starts are not changed by that:
 * see host_file_user(). Any thread; asks the server. */
void host_be_owner(const char *folder);
void host_be_self(void);
/* Whether this thread's files are another user's now, and whose. */
gboolean host_file_user(HostUser *user);

/* Who guests run as; NULL: nobody. At start; @user must stay. */
void host_open_set_user(const HostUser *user);

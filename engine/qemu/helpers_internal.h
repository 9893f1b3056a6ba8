/* What helpers.c and swtpm.c share. */
#pragma once

#include <string.h>

#include "engine/qemu/helpers.h"
#include "host/spawn.h"

/* Environment, user, group and output of a helper. */
void helper_world(Spawn *how, const HostUser *user, const Cgroup *cgroup, int log_fd);
/* The absolute path of @name in PATH or, if not there, the first of @others (NULL at the end; may
 * be NULL) that is a program; the caller frees it. NULL where there is none. */
char *helper_program(const char *name, const char *const *others);
/* A listening socket that @user may connect to; -1 on failure. */
int helper_listen(const char *path, const HostUser *user, GError **error);
/* Starts the helper that listens at @socket, and removes that file on failure. */
QemuHelper *helper_spawn(const char *name, const char *socket, const Spawn *how, GError **error);
/* Whether it ended within @timeout_ms. */
gboolean helper_wait(const QemuHelper *helper, int timeout_ms);

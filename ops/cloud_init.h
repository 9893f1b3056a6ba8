/* What `run` and the verbs of cloud-init share. */
#pragma once

#include "image/seed.h"
#include "ops/ops.h"

/* Options that say what a guest is told at its first boot: members of an argument struct. */
typedef struct CloudInitArgs {
	ShapeHead head;
	char *cloud_init, *meta_data, *network_config; /* files */
	char *hostname, *user, *ssh_key;
	gboolean new_instance;
} CloudInitArgs;

/* Rows for an argument struct T that has the members above by the same names. */
#define CLOUD_INIT_ROWS(T)                                                                         \
	STRING(T, cloud_init, NULL, .flags = ROW_PATH,                                             \
	       .doc = "file with cloud-init's user-data"),                                         \
	STRING(T, meta_data, NULL, .flags = ROW_PATH, .doc = "file with its meta-data"),           \
	STRING(T, network_config, NULL, .flags = ROW_PATH, .doc = "file with its network-config"), \
	STRING(T, hostname, NULL, .doc = "name that the guest gives itself (cloud-init)"),         \
	STRING(T, user, NULL, .doc = "user to make in it, who may become root (cloud-init)"),      \
	STRING(T, ssh_key, NULL, .flags = ROW_PATH,                                                \
	       .doc = "file of public SSH keys that may log in (cloud-init)")

/* Whether anything is said. */
gboolean cloud_init_said(const CloudInitArgs *args);
/* Makes or changes the seed of the guest @uuid named @name by what is said; what was said before stays.
 * Blocks; not on the main loop. */
gboolean cloud_init_write(const char *lib, const char *uuid, const char *name, const CloudInitArgs *args,
			  GError **error);

/* The daemon's configuration file: `etc/lodge.conf`, lines `key = value`, `#` begins a comment. The keys
 * are the rows in config.c, with '-' for '_'. Neighbours: daemon.c. */
#pragma once

#include "base/log.h"
#include "shape/shape.h"

typedef struct Config {
	ShapeHead head;
	char *user;    /* QEMU runs as this user where root runs the daemon; NULL: chosen by the host */
	char *group;   /* may use the socket of root's daemon; NULL: root alone */
	char *libvirt_folder; /* also serve libvirt's clients there, /run/libvirt; NULL: no */
	char *qemu;    /* path of the emulator; NULL: searched */
	Tri require_kvm;
	int log_level; /* 1 + LogLevel */
} Config;

extern const Shape config_shape;

/* The configuration in @path, defaults filled in; all defaults where the file is not there. The caller
 * owns it (config_free). On failure @error has file and line. */
Config *config_read(const char *path, GError **error);
void config_free(Config *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

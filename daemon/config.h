/* The daemon's configuration file: `etc/lodge.conf`, in the syntax of syntax.h. The keys are the rows in
 * config.c and those of wire/libvirt/config.c; '-' and '_' are the same. Neighbours: daemon.c. */
#pragma once

#include "base/log.h"
#include "shape/shape.h"
#include "wire/libvirt/config.h"

typedef struct Config {
	ShapeHead head;
	char *user;    /* QEMU runs as this user where root runs the daemon; NULL: chosen by the host */
	char *group;   /* may use the socket of root's daemon; NULL: root alone */
	char *libvirt_folder; /* also serve libvirt's clients there, /run/libvirt; NULL: no. "auto" is
				 where they look for a libvirtd of this user */
	char *qemu;    /* path of the emulator; NULL: searched */
	Tri require_kvm;
	Tri default_network;
	Tri flush_first; /* volumes are on the disk when a call returns */
	int log_level; /* 1 + LogLevel */
	LibvirtConfig libvirt;
} Config;

extern const Shape config_shape;

/* The configuration in @path, defaults filled in; all defaults where the file is not there. The caller
 * owns it (config_free). On failure @error has file and line. */
Config *config_read(const char *path, GError **error);
void config_free(Config *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

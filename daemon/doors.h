/* The sockets of libvirt's clients: beside the REST socket, and where libvirtd would have them and on TCP
 * and TLS if the configuration says so. Neighbours: daemon.c opens and closes them; wire/libvirt/ serves
 * them. */
#pragma once

#include "base/paths.h"
#include "daemon/config.h"
#include "wire/libvirt/libvirt.h"

/* Listens on libvirt-sock and libvirt-sock-ro of the daemon's folder and of config->libvirt_folder, and
 * on the ports. @config must outlive the server.
 * @mode and @gid are those of the REST socket ((gid_t)-1: leave it). Main loop's thread. */
gboolean doors_open(LibvirtServer *server, const Paths *paths, const Config *config, mode_t mode,
		    gid_t gid, GError **error);
/* Removes the sockets. */
void doors_remove(const Paths *paths, const Config *config);

/* See doors.h. */
#include "daemon/doors.h"
#include "base/error.h"
#include "host/socket.h"

#include <errno.h>
#include <unistd.h>

#define READ_ONLY_MODE 0666 /* as libvirtd's: who may only read may be anyone */

static const struct {
	const char *name;
	gboolean read_only;
} sockets[] = {
	{ "libvirt-sock", FALSE },
	{ "libvirt-sock-ro", TRUE },
};

static gboolean open_one(LibvirtServer *server, const char *folder, guint i, mode_t mode, gid_t gid,
			 GError **error)
{
	g_autofree char *path = g_build_filename(folder, sockets[i].name, NULL);
	gboolean read_only = sockets[i].read_only;
	int fd = socket_listen(path, read_only && geteuid() == 0 ? READ_ONLY_MODE : mode, error);
	if (fd < 0)
		return FALSE;
	libvirt_listen(server, fd, read_only);
	if (!read_only && gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		return fail_errno(error, errno, "cannot give %s to its group", path);
	return TRUE;
}

static gboolean open_folder(LibvirtServer *server, const char *folder, mode_t mode, gid_t gid,
			    GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(sockets); i++)
		if (!open_one(server, folder, i, mode, gid, error))
			return FALSE;
	return TRUE;
}

gboolean doors_open(LibvirtServer *server, const Paths *paths, const Config *config, mode_t mode,
		    gid_t gid, GError **error)
{
	if (!open_folder(server, paths->run, mode, gid, error))
		return FALSE;
	const char *folder = config->libvirt_folder;
	if (!folder)
		return TRUE;
	if (g_mkdir_with_parents(folder, 0755) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return open_folder(server, folder, mode, gid, error);
}

static void remove_from(const char *folder)
{
	for (guint i = 0; i < G_N_ELEMENTS(sockets); i++) {
		g_autofree char *path = g_build_filename(folder, sockets[i].name, NULL);
		unlink(path);
	}
}

void doors_remove(const Paths *paths, const Config *config)
{
	remove_from(paths->run);
	if (config->libvirt_folder)
		remove_from(config->libvirt_folder);
}

/* See doors.h. */
#include "daemon/doors.h"
#include "base/error.h"
#include "base/log.h"
#include "host/socket.h"

#include <errno.h>
#include <grp.h>
#include <unistd.h>

static const struct {
	const char *name;
	LibvirtWay way;
} sockets[] = {
	{ "libvirt-sock", LIBVIRT_UNIX },
	{ "libvirt-sock-ro", LIBVIRT_UNIX_RO },
};

/* ---- unix sockets ---- */

/* Where else clients look; NULL: nowhere. "auto" is libvirtd's own folder. The caller frees it. */
static char *other_folder(const Config *config)
{
	if (g_strcmp0(config->libvirt_folder, "auto") != 0)
		return g_strdup(config->libvirt_folder);
	if (geteuid() == 0)
		return g_strdup("/run/libvirt");
	return g_build_filename(g_get_user_runtime_dir(), "libvirt", NULL);
}

/* The group that the configuration names for these sockets; otherwise @gid. */
static gid_t group_of(const Config *config, gid_t gid)
{
	const char *name = config->libvirt.unix_sock_group;
	const struct group *group = name ? getgrnam(name) : NULL;
	if (name && !group)
		log_warning(NULL, "there is no group \"%s\" for libvirt's socket", name);
	return group ? group->gr_gid : gid;
}

static gboolean open_one(LibvirtServer *server, const char *folder, guint i, mode_t mode, gid_t gid,
			 GError **error)
{
	g_autofree char *path = g_build_filename(folder, sockets[i].name, NULL);
	int fd = socket_listen(path, mode, error);
	if (fd < 0)
		return FALSE;
	libvirt_listen(server, fd, sockets[i].way);
	if (sockets[i].way == LIBVIRT_UNIX && gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		return fail_errno(error, errno, "cannot give %s to its group", path);
	return TRUE;
}

static gboolean open_folder(LibvirtServer *server, const Config *config, const char *folder, mode_t mode,
			    gid_t gid, GError **error)
{
	mode_t rw, ro;
	libvirt_config_modes(&config->libvirt, mode, &rw, &ro);
	if (geteuid() != 0) /* a person's daemon is the person's */
		rw = ro = 0600;
	return open_one(server, folder, 0, rw, group_of(config, gid), error) &&
	       open_one(server, folder, 1, ro, gid, error);
}

static gboolean open_folders(LibvirtServer *server, const Paths *paths, const Config *config, mode_t mode,
			     gid_t gid, GError **error)
{
	g_autofree char *folder = other_folder(config);
	if (!open_folder(server, config, paths->run, mode, gid, error))
		return FALSE;
	if (!folder)
		return TRUE;
	if (g_mkdir_with_parents(folder, geteuid() == 0 ? 0755 : 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return open_folder(server, config, folder, mode, gid, error);
}

/* ---- the network ---- */

static gboolean open_port(LibvirtServer *server, const Config *config, LibvirtWay way, GError **error)
{
	const LibvirtConfig *own = &config->libvirt;
	const char *port = way == LIBVIRT_TLS ? own->tls_port : own->tcp_port;
	g_autoptr(GArray) fds = socket_listen_tcp(own->listen_addr, port, error);
	for (guint i = 0; fds && i < fds->len; i++) {
		int fd = g_array_index(fds, int, i);
		g_autofree char *address = socket_address(fd, FALSE); /* port 0 is any that is free */
		log_info(NULL, "libvirt's clients may come by %s at %s",
			 way == LIBVIRT_TLS ? "TLS" : "TCP", address);
		libvirt_listen(server, fd, way);
	}
	return fds != NULL;
}

static void warn_of_danger(const LibvirtConfig *config)
{
	if (config->listen_tcp && config->auth_tcp == LIBVIRT_AUTH_NONE)
		log_warning(NULL, "auth_tcp = \"none\": whoever reaches port %s rules this host",
			    config->tcp_port);
	if (config->listen_tls && config->tls_no_verify_certificate &&
	    config->auth_tls == LIBVIRT_AUTH_NONE)
		log_warning(NULL, "tls_no_verify_certificate: whoever reaches port %s rules this host",
			    config->tls_port);
}

gboolean doors_open(LibvirtServer *server, const Paths *paths, const Config *config, mode_t mode,
		    gid_t gid, GError **error)
{
	const LibvirtConfig *own = &config->libvirt;
	warn_of_danger(own);
	return libvirt_configure(server, own, error) &&
	       open_folders(server, paths, config, mode, gid, error) &&
	       (!own->listen_tcp || open_port(server, config, LIBVIRT_TCP, error)) &&
	       (!own->listen_tls || open_port(server, config, LIBVIRT_TLS, error));
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
	g_autofree char *folder = other_folder(config);
	remove_from(paths->run);
	if (folder)
		remove_from(folder);
}

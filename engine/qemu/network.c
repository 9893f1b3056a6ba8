/* Images on servers: NBD, iSCSI, Ceph, HTTP, SSH, Gluster, NFS as QEMU's block drivers.
 * Neighbours: block.c makes the node around them. */
#include "engine/qemu/block.h"

#include <string.h>

typedef struct Remote {
	Build *build;
	const Disk *disk;
	const DiskSource *source;
	guint64 index;
	const DiskHost *host; /* the first, or NULL */
	json_t *node;
} Remote;

static const DiskAuth *auth_of(const Remote *r)
{
	return r->source->auth ? r->source->auth : r->disk->auth;
}

static gboolean need_host(const Remote *r, GError **error)
{
	return r->host || invalid(r->build, error, "disk %s: <source> names no <host>",
				  r->disk->target);
}

static gboolean need_name(const Remote *r, GError **error)
{
	return r->source->name || invalid(r->build, error, "disk %s: <source> has no name",
					  r->disk->target);
}

/* {"type": "inet", "host": .., "port": ..} or {"type": "unix", "path": ..}. */
static json_t *address_of(const DiskHost *host, const char *port, gboolean typed)
{
	json_t *address = json_object();
	gboolean is_unix = !g_strcmp0(host->transport, "unix") || host->socket;
	if (typed)
		put(address, "type", is_unix ? "unix" : "inet");
	if (is_unix) {
		put(address, "path", host->socket);
	} else {
		put(address, "host", host->name);
		put(address, "port", host->port ? host->port : port);
	}
	return address;
}

/* The password of <auth> as a secret object, its id in member @key. */
static gboolean put_password(const Remote *r, const char *key, GError **error)
{
	const DiskAuth *auth = auth_of(r);
	if (!auth || !auth->secret)
		return TRUE;
	g_autofree char *id = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-storage-auth-secret0",
					      r->index);
	g_autofree char *what = g_strdup_printf("disk %s", r->disk->target);
	if (!add_secret(r->build, id, auth->secret, what, error))
		return FALSE;
	put(r->node, key, id);
	return TRUE;
}

static gboolean put_nbd(const Remote *r, GError **error)
{
	if (!need_host(r, error))
		return FALSE;
	json_object_set_new(r->node, "server", address_of(r->host, "10809", TRUE));
	put(r->node, "export", r->source->name);
	return TRUE;
}

/* The name is "iqn.2004-01.com.example:disk/1": target and unit. */
static gboolean put_iscsi(const Remote *r, GError **error)
{
	if (!need_host(r, error) || !need_name(r, error))
		return FALSE;
	const char *port = r->host->port ? r->host->port : "3260";
	gboolean v6 = r->host->name && strchr(r->host->name, ':') && *r->host->name != '[';
	g_autofree char *portal = g_strdup_printf(v6 ? "[%s]:%s" : "%s:%s", r->host->name, port);
	g_auto(GStrv) parts = g_strsplit(r->source->name, "/", 2);
	put(r->node, "portal", portal);
	put(r->node, "target", parts[0]);
	put_int(r->node, "lun", parts[0] && parts[1] ? g_ascii_strtoll(parts[1], NULL, 10) : 0);
	put(r->node, "transport", "tcp");
	put(r->node, "initiator-name", r->source->initiator_iqn);
	if (auth_of(r))
		put(r->node, "user", auth_of(r)->username);
	return put_password(r, "password-secret", error);
}

/* The name is "pool/image" or "pool/namespace/image". */
static gboolean put_rbd(const Remote *r, GError **error)
{
	if (!need_name(r, error))
		return FALSE;
	g_auto(GStrv) parts = g_strsplit(r->source->name, "/", 3);
	guint n = g_strv_length(parts);
	if (n < 2)
		return invalid(r->build, error, "disk %s: source/@name must be \"pool/image\"",
			       r->disk->target);
	json_t *servers = json_array();
	put(r->node, "pool", parts[0]);
	put(r->node, "namespace", n == 3 ? parts[1] : NULL);
	put(r->node, "image", parts[n - 1]);
	put(r->node, "snapshot", r->source->snapshot);
	put(r->node, "conf", r->source->config);
	SHAPE_EACH (DiskHost, host, r->source->hosts)
		json_array_append_new(servers, address_of(host, "6789", FALSE));
	if (json_array_size(servers))
		json_object_set(r->node, "server", servers);
	json_decref(servers);
	if (auth_of(r))
		put(r->node, "user", auth_of(r)->username);
	return put_password(r, "key-secret", error);
}

static gboolean put_url(const Remote *r, GError **error)
{
	if (!need_host(r, error))
		return FALSE;
	const char *name = r->source->name ? r->source->name : "";
	const char *query = r->source->query;
	gboolean v6 = r->host->name && strchr(r->host->name, ':') && *r->host->name != '[';
	g_autofree char *url = g_strdup_printf(
		"%s://%s%s%s%s%s%s%s%s%s", r->source->protocol, v6 ? "[" : "",
		r->host->name ? r->host->name : "", v6 ? "]" : "", r->host->port ? ":" : "",
		r->host->port ? r->host->port : "", *name == '/' ? "" : "/", name,
		query ? "?" : "", query ? query : "");
	put(r->node, "url", url);
	put_uint(r->node, "readahead", r->source->readahead);
	put_uint(r->node, "timeout", r->source->timeout);
	if (auth_of(r))
		put(r->node, "username", auth_of(r)->username);
	return put_password(r, "password-secret", error);
}

static gboolean put_ssh(const Remote *r, GError **error)
{
	if (!need_host(r, error) || !need_name(r, error))
		return FALSE;
	put(r->node, "path", r->source->name);
	json_object_set_new(r->node, "server", address_of(r->host, "22", FALSE));
	if (auth_of(r))
		put(r->node, "user", auth_of(r)->username);
	return TRUE;
}

/* The name is "volume/path". */
static gboolean put_gluster(const Remote *r, GError **error)
{
	if (!need_host(r, error) || !need_name(r, error))
		return FALSE;
	g_auto(GStrv) parts = g_strsplit(r->source->name, "/", 2);
	if (g_strv_length(parts) < 2)
		return invalid(r->build, error, "disk %s: source/@name must be \"volume/path\"",
			       r->disk->target);
	json_t *servers = json_array();
	put(r->node, "volume", parts[0]);
	put(r->node, "path", parts[1]);
	SHAPE_EACH (DiskHost, host, r->source->hosts)
		json_array_append_new(servers, address_of(host, "24007", TRUE));
	json_object_set_new(r->node, "server", servers);
	return TRUE;
}

static gboolean put_nfs(const Remote *r, GError **error)
{
	if (!need_host(r, error) || !need_name(r, error))
		return FALSE;
	json_t *server = json_object();
	put(server, "type", "inet");
	put(server, "host", r->host->name);
	json_object_set_new(r->node, "server", server);
	put(r->node, "path", r->source->name);
	return TRUE;
}

static const struct {
	const char *protocol, *driver;
	gboolean (*put)(const Remote *, GError **);
} protocols[] = {
	{ "nbd", "nbd", put_nbd },     { "iscsi", "iscsi", put_iscsi },
	{ "rbd", "rbd", put_rbd },     { "http", "http", put_url },
	{ "https", "https", put_url }, { "ftp", "ftp", put_url },
	{ "ftps", "ftps", put_url },   { "ssh", "ssh", put_ssh },
	{ "nfs", "nfs", put_nfs },     { "gluster", "gluster", put_gluster },
};

gboolean put_network(Build *build, const Disk *disk, const DiskSource *source, guint64 index,
		     json_t *node, GError **error)
{
	Remote remote = { .build = build, .disk = disk, .source = source, .index = index,
			  .node = node };
	if (shape_len(source->hosts))
		remote.host = source->hosts->pdata[0];
	if (source->tls && g_str_equal(source->tls, "yes"))
		return unsupported(build, error,
				   "disk %s: source/@tls is not supported for images on servers",
				   disk->target);
	for (guint i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (!g_strcmp0(source->protocol, protocols[i].protocol)) {
			put(node, "driver", protocols[i].driver);
			return protocols[i].put(&remote, error);
		}
	return unsupported(build, error, "disk %s: protocol \"%s\" is not supported; use nbd, iscsi, "
			   "rbd, nfs, http, https, ssh or gluster", disk->target,
			   source->protocol ? source->protocol : "");
}

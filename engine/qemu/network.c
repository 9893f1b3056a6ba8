/* Images on servers: NBD, iSCSI, Ceph, HTTP, SSH, Gluster, NFS as QEMU's block drivers.
 * Neighbours: block.c makes the node around them. */
#include "engine/qemu/block.h"

#include <grp.h>
#include <pwd.h>
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

gboolean disk_source_has_tls(const DiskSource *source)
{
	return source && !g_strcmp0(source->protocol, "nbd") && !g_strcmp0(source->tls, "yes");
}

/* The runner puts copies of the host's certificates into the guest's own folder, for QEMU's user to read. */
static void put_tls(const Remote *r)
{
	g_autofree char *id = g_strdup_printf("objlibvirt-%" G_GUINT64_FORMAT "-storage_tls0", r->index);
	json_t *credentials = json_object();
	put(credentials, "qom-type", "tls-creds-x509");
	put(credentials, "id", id);
	put(credentials, "dir", r->build->setup->run_dir);
	put(credentials, "endpoint", "client");
	put_bool(credentials, "verify-peer", TRUE);
	add_json(r->build, "-object", credentials);
	put(r->node, "tls-creds", id);
	put(r->node, "tls-hostname", r->source->tls_hostname);
}

static gboolean put_nbd(const Remote *r, GError **error)
{
	if (!need_host(r, error))
		return FALSE;
	json_object_set_new(r->node, "server", address_of(r->host, "10809", TRUE));
	put(r->node, "export", r->source->name);
	put_uint(r->node, "reconnect-delay", r->source->reconnect_delay);
	if (disk_source_has_tls(r->source))
		put_tls(r);
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

gboolean disk_encrypted_by_ceph(const Disk *disk, const DiskSource *source)
{
	const DiskEncryption *how = source->encryption;
	if (!how && source == disk->source)
		how = disk->encryption;
	return how && !g_strcmp0(how->engine, "librbd");
}

/* Ceph's own encryption: QEMU sees what it means. */
static gboolean put_rbd_encryption(const Remote *r, GError **error)
{
	const DiskEncryption *how =
		r->source->encryption ? r->source->encryption : r->disk->encryption;
	if (!disk_encrypted_by_ceph(r->disk, r->source))
		return TRUE;
	g_autofree char *what = g_strdup_printf("disk %s", r->disk->target);
	g_autofree char *id = g_strdup_printf(
		"libvirt-%" G_GUINT64_FORMAT "-format-encryption-secret0", r->index);
	if (g_strcmp0(how->format, "luks") && g_strcmp0(how->format, "luks2"))
		return unsupported(r->build, error, "disk %s: encryption/@format \"%s\": Ceph has luks and "
				   "luks2", r->disk->target, how->format ? how->format : "");
	if (!add_secret(r->build, id, shape_len(how->secrets) ? how->secrets->pdata[0] : NULL, what, error))
		return FALSE;
	json_object_set_new(r->node, "encrypt",
			    json_pack("{s:s, s:s}", "format", how->format, "key-secret", id));
	return TRUE;
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
	if (auth_of(r)) {
		put(r->node, "user", auth_of(r)->username);
		json_object_set_new(r->node, "auth-client-required", json_pack("[s, s]", "cephx", "none"));
	}
	return put_password(r, "key-secret", error) && put_rbd_encryption(r, error);
}

/* They may log somebody in: not on the command line. */
static void put_cookies(const Remote *r)
{
	g_autoptr(GString) text = g_string_new(NULL);
	SHAPE_EACH (DiskCookie, cookie, r->source->cookies)
		g_string_append_printf(text, "%s%s=%s", text->len ? "; " : "", cookie->name,
				       cookie->value ? cookie->value : "");
	if (!text->len)
		return;
	g_autofree char *what = g_strdup_printf("disk %s", r->disk->target);
	g_autofree char *id = g_strdup_printf("libvirt-%" G_GUINT64_FORMAT "-storage-httpcookie-secret0",
					      r->index);
	add_secret_text(r->build, id, text->str, what);
	put(r->node, "cookie-secret", id);
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
	put_tri(r->node, "sslverify", r->source->ssl_verify);
	put_cookies(r);
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

/* The number of an account or group of this host. */
static gboolean account_number(gboolean is_user, const char *name, guint64 *id)
{
	char buffer[16384];
	struct passwd user, *found_user = NULL;
	struct group group, *found_group = NULL;
	if (is_user)
		getpwnam_r(name, &user, buffer, sizeof(buffer), &found_user);
	else
		getgrnam_r(name, &group, buffer, sizeof(buffer), &found_group);
	if (found_user)
		*id = user.pw_uid;
	if (found_group)
		*id = group.gr_gid;
	return found_user || found_group;
}

/* A name of this host, or a number, which may have '+' in front. */
static gboolean put_account(const Remote *r, const char *key, const char *name, GError **error)
{
	guint64 id;
	if (!name)
		return TRUE;
	if (!g_ascii_string_to_unsigned(name + (*name == '+'), 10, 0, G_MAXUINT32 - 1, &id, NULL) &&
	    !account_number(g_str_equal(key, "user"), name, &id))
		return invalid(r->build, error, "disk %s: identity/@%s: this host has no %s \"%s\": give its "
			       "number on the server", r->disk->target, key, key, name);
	put_int(r->node, key, (gint64)id);
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
	return put_account(r, "user", r->source->user, error) &&
	       put_account(r, "group", r->source->group, error);
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
	if (!g_strcmp0(source->tls, "yes") && !disk_source_has_tls(source))
		return unsupported(build, error, "disk %s: source/@tls is for protocol nbd", disk->target);
	for (guint i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (!g_strcmp0(source->protocol, protocols[i].protocol)) {
			put(node, "driver", protocols[i].driver);
			return protocols[i].put(&remote, error);
		}
	return unsupported(build, error, "disk %s: protocol \"%s\" is not supported; use nbd, iscsi, "
			   "rbd, nfs, http, https, ssh or gluster", disk->target,
			   source->protocol ? source->protocol : "");
}

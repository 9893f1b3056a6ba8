/* See network.h. */
#include "pool/network.h"

PoolVolume *pool_network_volume(const char *name, const char *path, guint64 bytes)
{
	PoolVolume *volume = pool_volume_new(VOLUME_NETWORK, name, path);
	volume->format = "raw";
	volume->capacity = volume->allocation = volume->physical = bytes;
	return volume;
}

void pool_network_source(const PoolUse *use, const char *protocol, const char *name,
			 const char *secret_type, DiskSource *source)
{
	const PoolSource *from = use->pool->source;
	g_free(source->protocol);
	g_free(source->name);
	source->protocol = g_strdup(protocol);
	source->name = g_strdup(name);
	SHAPE_EACH (PoolHost, host, from->hosts) {
		DiskHost *server = shape_new(&disk_host_shape);
		server->name = g_strdup(host->name);
		if (host->port.set)
			server->port = g_strdup_printf("%" G_GUINT64_FORMAT, host->port.v);
		shape_append(&source->hosts, &disk_host_shape, server);
	}
	if (!from->auth || source->auth)
		return;
	source->auth = shape_new(&disk_auth_shape);
	source->auth->username = g_strdup(from->auth->username);
	if (!from->auth->secret)
		return;
	source->auth->secret = shape_copy(&secret_ref_shape, from->auth->secret);
	g_free(source->auth->secret->type);
	source->auth->secret->type = g_strdup(secret_type);
}

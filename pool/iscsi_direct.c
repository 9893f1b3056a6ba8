/* Pools of type iscsi-direct: the units of an iSCSI target that QEMU itself logs in to; the kernel knows
 * nothing of them. Units are asked for with libiscsi's tools. See pool.h. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "pool/device.h"
#include "pool/network.h"
#include "pool/tool.h"

#define MAX_UNITS 16384

static gboolean check(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	return pool_tools_are_there(error, "iscsi-ls", "iscsi-readcapacity16", NULL);
}

static char *portal_of(const PoolSource *source)
{
	const PoolHost *host = source->hosts->pdata[0];
	return g_strdup_printf(strchr(host->name, ':') ? "[%s]:%u" : "%s:%u", host->name,
			       (guint)opt_uint_or(host->port, 3260));
}

/* libiscsi takes the login from its environment, which nobody else sees. */
static gboolean run(const PoolUse *use, const char *const *argv, char **out, GError **error)
{
	const PoolAuth *auth = use->pool->source->auth;
	g_autofree char *about = pool_about(use->pool), *user = NULL, *password = NULL;
	g_autoptr(GBytes) secret = NULL;
	if (auth) {
		if (!(secret = pool_secret(use, "iscsi", error)))
			return FALSE;
		user = g_strconcat("LIBISCSI_CHAP_USERNAME=", auth->username ? auth->username : "", NULL);
		password = g_strdup_printf("LIBISCSI_CHAP_PASSWORD=%.*s", (int)g_bytes_get_size(secret),
					   (const char *)g_bytes_get_data(secret, NULL));
	}
	const char *env[] = { user, password, NULL };
	PoolTool how = { .about = about, .argv = argv, .env = env };
	return pool_tool_do(&how, out, error);
}

/* Bytes of a unit: "Total size:10485760". */
static gboolean read_size(const PoolUse *use, guint unit, guint64 *bytes, GError **error)
{
	const PoolSource *source = use->pool->source;
	g_autofree char *portal = portal_of(source), *said = NULL;
	g_autofree char *url = g_strdup_printf("iscsi://%s/%s/%u", portal, pool_device(use->pool), unit);
	const char *argv[] = { "iscsi-readcapacity16", "-i", source->initiator, "-s", url, NULL };
	if (!run(use, argv, &said, error))
		return FALSE;
	const char *digits = said + strcspn(said, "0123456789");
	*bytes = g_ascii_strtoull(digits, NULL, 10);
	return TRUE;
}

static gboolean add_unit(const PoolUse *use, guint unit, GPtrArray *volumes, GError **error)
{
	g_autofree char *portal = portal_of(use->pool->source);
	g_autofree char *name = g_strdup_printf("unit:0:0:%u", unit);
	g_autofree char *path =
		g_strdup_printf("ip-%s-iscsi-%s-lun-%u", portal, pool_device(use->pool), unit);
	guint64 bytes = 0;
	if (!read_size(use, unit, &bytes, error))
		return FALSE;
	g_ptr_array_add(volumes, pool_network_volume(name, path, bytes));
	return TRUE;
}

/* "Target:iqn.2003-01.org.example:t Portal:127.0.0.1:3260,1", then its units: "Lun:1    Type:DIRECT_ACCESS
 * (Size:10M)". */
static gboolean scan(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	const PoolSource *source = use->pool->source;
	g_autofree char *portal = portal_of(source), *said = NULL;
	g_autofree char *url = g_strdup_printf("iscsi://%s", portal);
	const char *argv[] = { "iscsi-ls", "-i", source->initiator, "-s", url, NULL };
	gboolean ours = FALSE, found = FALSE;
	if (!run(use, argv, &said, error))
		return FALSE;
	g_auto(GStrv) lines = g_strsplit(said, "\n", MAX_UNITS);
	for (char **line = lines; *line; line++) {
		guint unit = 0;
		if (g_str_has_prefix(*line, "Target:")) {
			g_autofree char *name = g_strndup(*line + 7, strcspn(*line + 7, " "));
			ours = g_str_equal(name, pool_device(use->pool));
			found |= ours;
		} else if (ours && sscanf(*line, "Lun:%u", &unit) == 1 && strstr(*line, "DIRECT_ACCESS") &&
			   !add_unit(use, unit, volumes, error)) {
			return FALSE;
		}
	}
	pool_sum(volumes, sizes);
	return found || fail(error, LODGE_ERROR_NOT_FOUND, "pool \"%s\": %s has no target %s",
			     use->pool->name, portal, pool_device(use->pool));
}

static gboolean source(const PoolUse *use, const PoolVolume *volume, DiskSource *to,
		       G_GNUC_UNUSED GError **error)
{
	const char *unit = strrchr(volume->name, ':');
	g_autofree char *name = g_strdup_printf("%s/%s", pool_device(use->pool), unit ? unit + 1 : "0");
	pool_network_source(use, "iscsi", name, "iscsi", to);
	g_free(to->initiator_iqn);
	to->initiator_iqn = g_strdup(use->pool->source->initiator);
	return TRUE;
}

const PoolKind pool_iscsi_direct = { .check = check, .scan = scan, .source = source };

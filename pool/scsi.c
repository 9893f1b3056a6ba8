/* Pools of types scsi (the units of a host adapter), iscsi (of a target that the kernel logs in to, by
 * iscsiadm) and mpath (the kernel's multipath devices). Their volumes are block devices that the pool does
 * not make. See pool.h. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "pool/adapter.h"
#include "pool/device.h"
#include "pool/tool.h"

/* ---- scsi ---- */

static gboolean check_scsi(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	return g_file_test("/sys/class/scsi_host", G_FILE_TEST_IS_DIR) ||
	       fail(error, LODGE_ERROR_UNSUPPORTED, "the kernel of this host has no SCSI");
}

static gboolean start_scsi(const PoolUse *use, GError **error)
{
	return pool_adapter_start("", use->pool, error);
}

static gboolean stop_scsi(const PoolUse *use, GError **error)
{
	return pool_adapter_remove("", use->pool, error);
}

static gboolean is_active_scsi(const PoolUse *use)
{
	return pool_adapter_host("", use->pool, NULL) >= 0;
}

static gboolean scan_scsi(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	int host = pool_adapter_host("", use->pool, error);
	g_autofree char *path = g_strdup_printf("/sys/class/scsi_host/host%d/scan", host);
	if (host < 0)
		return FALSE;
	FILE *scan = fopen(path, "we"); /* asks the adapter for units that are new */
	if (scan) {
		fputs("- - -", scan);
		fclose(scan);
	}
	return pool_scsi_units(use->pool, host, volumes, sizes, error);
}

const PoolKind pool_scsi = {
	.check = check_scsi, .start = start_scsi, .stop = stop_scsi, .is_active = is_active_scsi,
	.scan = scan_scsi,
};

/* ---- iscsi ---- */

#define SESSIONS "/sys/class/iscsi_session"

static gboolean check_iscsi(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	if (!pool_tools_are_there(error, "iscsiadm", NULL))
		return FALSE;
	if (g_file_test(SESSIONS, G_FILE_TEST_IS_DIR) ||
	    pool_tool("kernel", NULL, NULL, "modinfo", "-n", "iscsi_tcp", NULL))
		return TRUE;
	return fail(error, LODGE_ERROR_UNSUPPORTED,
		    "the kernel of this host has no iSCSI (module iscsi_tcp): a pool of type iscsi-direct "
		    "does without");
}

static char *portal_of(const PoolSource *source)
{
	const PoolHost *host = source->hosts->pdata[0];
	return g_strdup_printf(strchr(host->name, ':') ? "[%s]:%u" : "%s:%u", host->name,
			       (guint)opt_uint_or(host->port, 3260));
}

/* The session's number of the SCSI host; -1: there is none. */
static int session_host(const char *target)
{
	g_autoptr(GDir) dir = g_dir_open(SESSIONS, 0, NULL);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(SESSIONS, name, "targetname", NULL), *text = NULL;
		g_autofree char *link = g_build_filename(SESSIONS, name, NULL);
		g_autofree char *real = g_file_read_link(link, NULL);
		const char *at = real ? strstr(real, "/host") : NULL;
		if (at && g_file_get_contents(path, &text, NULL, NULL) &&
		    g_str_equal(g_strstrip(text), target))
			return (int)g_ascii_strtoull(at + strlen("/host"), NULL, 10);
	}
	return -1;
}

static gboolean is_active_iscsi(const PoolUse *use)
{
	return session_host(pool_device(use->pool)) >= 0;
}

static gboolean set_node(const PoolUse *use, const char *portal, const char *name, const char *value,
			 GError **error)
{
	g_autofree char *about = pool_about(use->pool);
	return pool_tool(about, NULL, error, "iscsiadm", "--mode", "node", "--portal", portal,
			 "--targetname", pool_device(use->pool), "--op", "update", "--name", name, "--value",
			 value, NULL);
}

/* iscsiadm takes a password by its command line alone. */
static gboolean set_login(const PoolUse *use, const char *portal, GError **error)
{
	g_autoptr(GBytes) secret = NULL;
	const PoolAuth *auth = use->pool->source->auth;
	if (!auth)
		return TRUE;
	secret = pool_secret(use, "iscsi", error);
	if (!secret)
		return FALSE;
	g_autofree char *password = g_strndup(g_bytes_get_data(secret, NULL), g_bytes_get_size(secret));
	return set_node(use, portal, "node.session.auth.authmethod", "CHAP", error) &&
	       set_node(use, portal, "node.session.auth.username", auth->username, error) &&
	       set_node(use, portal, "node.session.auth.password", password, error);
}

static gboolean start_iscsi(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *portal = portal_of(use->pool->source);
	if (is_active_iscsi(use))
		return TRUE;
	return pool_tool(about, NULL, error, "iscsiadm", "--mode", "discovery", "--type", "sendtargets",
			 "--portal", portal, NULL) &&
	       set_login(use, portal, error) &&
	       pool_tool(about, NULL, error, "iscsiadm", "--mode", "node", "--portal", portal,
			 "--targetname", pool_device(use->pool), "--login", NULL);
}

static gboolean stop_iscsi(const PoolUse *use, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *portal = portal_of(use->pool->source);
	return !is_active_iscsi(use) ||
	       pool_tool(about, NULL, error, "iscsiadm", "--mode", "node", "--portal", portal,
			 "--targetname", pool_device(use->pool), "--logout", NULL);
}

static gboolean scan_iscsi(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	int host = session_host(pool_device(use->pool));
	if (host < 0)
		return fail(error, LODGE_ERROR_STATE, "pool \"%s\": there is no session with %s any more",
			    use->pool->name, pool_device(use->pool));
	return pool_scsi_units(use->pool, host, volumes, sizes, error);
}

/* "127.0.0.1:3260,1 iqn.2001-04.com.example:disk" */
static GPtrArray *find_iscsi(const PoolSource *ask, GError **error)
{
	g_autofree char *said = NULL;
	if (!ask || !shape_len(ask->hosts)) {
		fail(error, LODGE_ERROR_INVALID, "missing <host name='...'/>: whose targets?");
		return NULL;
	}
	g_autofree char *portal = portal_of(ask);
	if (!pool_tool("targets", &said, error, "iscsiadm", "--mode", "discovery", "--type", "sendtargets",
		       "--portal", portal, NULL))
		return NULL;
	GPtrArray *found = g_ptr_array_new();
	g_auto(GStrv) lines = g_strsplit(said, "\n", 10000);
	for (char **line = lines; *line; line++) {
		const char *name = strchr(*line, ' ');
		if (!name)
			continue;
		PoolSource *source = shape_copy(&pool_source_shape, ask);
		PoolDevice *device = shape_new(&pool_device_shape);
		device->path = g_strdup(name + 1);
		shape_append(&source->devices, &pool_device_shape, device);
		g_ptr_array_add(found, source);
	}
	return found;
}

const PoolKind pool_iscsi = {
	.check = check_iscsi, .find = find_iscsi, .start = start_iscsi, .stop = stop_iscsi,
	.is_active = is_active_iscsi, .scan = scan_iscsi,
};

/* ---- mpath ---- */

static gboolean check_mpath(G_GNUC_UNUSED const Pool *pool, GError **error)
{
	if (!pool_tools_are_there(error, "dmsetup", NULL))
		return FALSE;
	return g_file_test("/dev/mapper/control", G_FILE_TEST_EXISTS) ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "the kernel of this host has no device mapper: load its modules (modprobe dm_multipath)");
}

/* "mpatha	(253:0)" */
static gboolean scan_mpath(const PoolUse *use, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	g_autofree char *about = pool_about(use->pool), *said = NULL;
	if (!pool_tool(about, &said, error, "dmsetup", "ls", "--target", "multipath", NULL))
		return FALSE;
	g_auto(GStrv) lines = g_strsplit(said, "\n", 10000);
	for (char **line = lines; *line; line++) {
		g_autofree char *name = g_strndup(*line, strcspn(*line, "\t "));
		if (!strchr(*line, '(') || !*name)
			continue;
		g_autofree char *path = g_build_filename("/dev/mapper", name, NULL);
		g_ptr_array_add(volumes, pool_device_volume(name, path, pool_device_size(path)));
	}
	pool_sum(volumes, sizes);
	return TRUE;
}

const PoolKind pool_mpath = { .check = check_mpath, .scan = scan_mpath };

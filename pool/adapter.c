/* See adapter.h. Source: the kernel's Documentation/scsi/scsi_fc_transport.rst; vport_create and vport_delete
 * take PORT:NODE. A port that a pool made is noted in a file below /run, and removed when it stops. */
#include "pool/adapter.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define SCSI "/sys/class/scsi_host"
#define FC "/sys/class/fc_host"
#define MADE "/run/lodge-vports"
#define WAIT_MS 10000 /* a new port logs in to the fabric first */
#define STEP_MS 50
#define WWN_DIGITS 16

/* ---- reading ---- */

/* Without white space; "" where there is none. The caller frees it. */
static char *text_of(const char *root, const char *folder, const char *host, const char *name)
{
	g_autofree char *path = g_build_filename(*root ? root : "/", folder, host, name, NULL);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : g_strdup("");
}

static gboolean has_wwn(const char *root, const char *host, const char *name, const char *wanted)
{
	g_autofree char *text = text_of(root, FC, host, name);
	return !wanted || !g_ascii_strcasecmp(g_str_has_prefix(text, "0x") ? text + 2 : text, wanted);
}

/* Where /sys/class/scsi_host/@host leads to; the caller frees it with free(). */
static char *device_of(const char *root, const char *host)
{
	g_autofree char *path = g_build_filename(*root ? root : "/", SCSI, host, NULL);
	return realpath(path, NULL);
}

typedef gboolean (*HostFn)(const char *root, const char *host, const PoolAdapter *adapter);

static int number_of(const char *host)
{
	int number;
	return sscanf(host, "host%9d", &number) == 1 ? number : -1;
}

/* The lowest number below @folder that @fits; -1: none. */
static int find_host(const char *root, const char *folder, HostFn fits, const PoolAdapter *adapter)
{
	g_autofree char *path = g_build_filename(*root ? root : "/", folder, NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	int best = -1;
	for (const char *host; dir && (host = g_dir_read_name(dir));) {
		int number = number_of(host);
		if (number >= 0 && (best < 0 || number < best) && fits(root, host, adapter))
			best = number;
	}
	return best;
}

/* ---- which one ---- */

static char *address_text(const HostPci *at)
{
	return g_strdup_printf("%04x:%02x:%02x.%x", (guint)opt_uint_or(at->domain, 0),
			       (guint)opt_uint_or(at->bus, 0), (guint)opt_uint_or(at->slot, 0),
			       (guint)opt_uint_or(at->function, 0));
}

static gboolean is_at_address(const char *root, const char *host, const PoolAdapter *adapter)
{
	const HostPci *at = adapter->parent_address;
	g_autofree char *id = text_of(root, SCSI, host, "unique_id");
	g_autofree char *address = address_text(at), *part = g_strdup_printf("/%s/", address);
	char *device = device_of(root, host);
	gboolean is = device && strstr(device, part) && *id &&
		      g_ascii_strtoull(id, NULL, 10) == opt_uint_or(adapter->unique_id, 0);
	free(device);
	return is;
}

static gboolean has_names(const char *root, const char *host, const PoolAdapter *adapter)
{
	return has_wwn(root, host, "node_name", adapter->wwnn) &&
	       has_wwn(root, host, "port_name", adapter->wwpn);
}

/* "scsi_host2", "host2" or "2"; -1 where it has no number. */
static int number_in(const char *name)
{
	const char *digits = name + strcspn(name, "0123456789");
	return *digits ? (int)MIN(g_ascii_strtoull(digits, NULL, 10), G_MAXINT32) : -1;
}

static int named_host(const char *root, const Pool *pool, GError **error)
{
	const char *name = pool->source->adapter->name;
	int number = number_in(name);
	g_autofree char *path = g_strdup_printf("%s" SCSI "/host%d", root, number);
	if (number >= 0 && g_file_test(path, G_FILE_TEST_EXISTS))
		return number;
	fail(error, LODGE_ERROR_NOT_FOUND, "pool \"%s\": there is no adapter %s on this host", pool->name,
	     name);
	return -1;
}

static int addressed_host(const char *root, const Pool *pool, GError **error)
{
	const PoolAdapter *adapter = pool->source->adapter;
	g_autofree char *at = address_text(adapter->parent_address);
	int number = find_host(root, SCSI, is_at_address, adapter);
	if (number < 0)
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "pool \"%s\": no SCSI host belongs to the PCI device %s and has the unique_id "
		     "%" G_GUINT64_FORMAT ": see " SCSI "/*/unique_id", pool->name, at,
		     opt_uint_or(adapter->unique_id, 0));
	return number;
}

static gboolean is_fc(const PoolAdapter *adapter)
{
	return !g_strcmp0(adapter->type, "fc_host");
}

int pool_adapter_host(const char *root, const Pool *pool, GError **error)
{
	const PoolAdapter *adapter = pool->source->adapter;
	if (adapter->parent_address && !is_fc(adapter))
		return addressed_host(root, pool, error);
	if (!is_fc(adapter) && adapter->name)
		return named_host(root, pool, error);
	if (!is_fc(adapter)) {
		fail(error, LODGE_ERROR_INVALID, "pool \"%s\": say which adapter: source/adapter/@name (such "
		     "as scsi_host2) or source/adapter/parentaddr", pool->name);
		return -1;
	}
	int number = find_host(root, FC, has_names, adapter);
	if (number < 0)
		fail(error, LODGE_ERROR_NOT_FOUND, "pool \"%s\": no port of Fibre Channel has the node name "
		     "%s and the port name %s", pool->name, adapter->wwnn, adapter->wwpn);
	return number;
}

/* ---- virtual ports ---- */

static gboolean is_wwn(const char *text)
{
	return text && strlen(text) == WWN_DIGITS && strspn(text, "0123456789abcdefABCDEF") == WWN_DIGITS;
}

/* Whether @host can have virtual ports, and one more of them. */
static gboolean has_room(const char *root, const char *host)
{
	g_autofree char *most = text_of(root, FC, host, "max_npiv_vports");
	g_autofree char *now = text_of(root, FC, host, "npiv_vports_inuse");
	return g_ascii_strtoull(now, NULL, 10) < g_ascii_strtoull(most, NULL, 10);
}

static gboolean can_be_parent(const char *root, const char *host, const PoolAdapter *adapter)
{
	return has_room(root, host) && (!adapter->parent || number_in(adapter->parent) == number_of(host)) &&
	       has_wwn(root, host, "node_name", adapter->parent_wwnn) &&
	       has_wwn(root, host, "port_name", adapter->parent_wwpn) &&
	       has_wwn(root, host, "fabric_name", adapter->parent_fabric_wwn);
}

/* Writes "PORT:NODE" to @file of the host @number. */
static gboolean tell(const char *root, const Pool *pool, int number, const char *file, GError **error)
{
	const PoolAdapter *adapter = pool->source->adapter;
	g_autofree char *path = g_strdup_printf("%s" FC "/host%d/%s", root, number, file);
	g_autofree char *pair = g_strconcat(adapter->wwpn, ":", adapter->wwnn, NULL);
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	return (fd >= 0 && write(fd, pair, strlen(pair)) >= 0) ||
	       fail_errno(error, errno, "pool \"%s\": cannot write %s to %s", pool->name, pair, path);
}

static char *note_path(const char *root, const Pool *pool)
{
	return g_strdup_printf("%s" MADE "/%s", root, pool->uuid);
}

static gboolean note_made(const char *root, const Pool *pool, GError **error)
{
	g_autofree char *folder = g_strconcat(root, MADE, NULL), *path = note_path(root, pool);
	if (g_mkdir_with_parents(folder, 0700) == 0 && g_file_set_contents(path, "", 0, NULL))
		return TRUE;
	return fail_errno(error, errno, "pool \"%s\": cannot write %s", pool->name, path);
}

static gboolean wait_for_port(const char *root, const Pool *pool, GError **error)
{
	for (int left = WAIT_MS; left > 0; left -= STEP_MS) {
		if (pool_adapter_host(root, pool, NULL) >= 0)
			return TRUE;
		g_usleep(STEP_MS * 1000);
	}
	return fail(error, LODGE_ERROR_TIMEOUT,
		    "pool \"%s\": the virtual port %s was made, but did not show up", pool->name,
		    pool->source->adapter->wwpn);
}

static gboolean make_port(const char *root, const Pool *pool, GError **error)
{
	const PoolAdapter *adapter = pool->source->adapter;
	int parent = find_host(root, FC, can_be_parent, adapter);
	gboolean named = adapter->parent || adapter->parent_wwnn || adapter->parent_fabric_wwn;
	if (parent < 0)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "pool \"%s\": %s has room for a virtual port: see nodedev-list --cap vports",
			    pool->name, named ? "no such parent adapter" : "no adapter of this host");
	return note_made(root, pool, error) && tell(root, pool, parent, "vport_create", error);
}

gboolean pool_adapter_start(const char *root, const Pool *pool, GError **error)
{
	const PoolAdapter *adapter = pool->source->adapter;
	if (!is_fc(adapter))
		return pool_adapter_host(root, pool, error) >= 0;
	if (!is_wwn(adapter->wwnn) || !is_wwn(adapter->wwpn))
		return fail(error, LODGE_ERROR_INVALID, "pool \"%s\": an adapter of type fc_host needs wwnn "
			    "and wwpn, of 16 hexadecimal digits each", pool->name);
	if (pool_adapter_host(root, pool, NULL) >= 0)
		return TRUE;
	if (make_port(root, pool, error) && wait_for_port(root, pool, error))
		return TRUE;
	pool_adapter_remove(root, pool, NULL);
	return FALSE;
}

/* The host that @number is a virtual port of: ".../host5/vport-5:0-0/host6/..."; -1: it is none. */
static int real_host(const char *root, int number)
{
	g_autofree char *host = g_strdup_printf("host%d", number);
	char *device = device_of(root, host);
	char *vport = device ? strstr(device, "/vport-") : NULL;
	int parent = -1;
	if (vport) {
		*vport = '\0';
		const char *above = strrchr(device, '/');
		parent = above ? number_of(above + 1) : -1;
	}
	free(device);
	return parent;
}

gboolean pool_adapter_remove(const char *root, const Pool *pool, GError **error)
{
	const PoolAdapter *adapter = pool->source->adapter;
	g_autofree char *note = note_path(root, pool);
	if (!is_fc(adapter) || (adapter->managed != TRI_YES && !g_file_test(note, G_FILE_TEST_EXISTS)))
		return TRUE;
	int number = pool_adapter_host(root, pool, NULL), parent = number < 0 ? -1 : real_host(root, number);
	if (parent >= 0 && !tell(root, pool, parent, "vport_delete", error))
		return FALSE;
	g_unlink(note);
	return TRUE;
}

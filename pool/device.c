/* See device.h. */
#include "pool/device.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "pool/tool.h"

#define NAME_US (30 * G_USEC_PER_SEC)

char *pool_about(const Pool *pool)
{
	return g_strdup_printf("pool \"%s\"", pool->name);
}

char *pool_device_content(const char *device)
{
	g_autofree char *type = NULL;
	if (!pool_tool("device", &type, NULL, "blkid", "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "value",
		       "--", device, NULL))
		return NULL;
	g_strdelimit(g_strstrip(type), "\n", ' ');
	return *type ? g_steal_pointer(&type) : NULL;
}

gboolean pool_device_may_lose(const Pool *pool, const char *device, guint flags, GError **error)
{
	g_autofree char *there = flags & POOL_BUILD_OVERWRITE ? NULL : pool_device_content(device);
	if (there)
		return fail(error, LODGE_ERROR_IN_USE,
			    "pool \"%s\": %s holds %s already: build with --overwrite to lose that",
			    pool->name, device, there);
	return TRUE;
}

guint64 pool_device_size(const char *device)
{
	autofd int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	return end > 0 ? (guint64)end : 0;
}

gboolean pool_device_wait(const char *path, GError **error)
{
	gint64 until = g_get_monotonic_time() + NAME_US;
	while (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		if (g_get_monotonic_time() > until)
			return fail(error, LODGE_ERROR_TIMEOUT,
				    "%s was made, but udev gives it no name: is it running?", path);
		g_usleep(10000);
	}
	return TRUE;
}

char *pool_device_name(const char *target, const char *node)
{
	g_autofree char *device = g_strconcat("/dev/", node, NULL);
	g_autoptr(GDir) dir = target && !g_str_equal(target, "/dev") ? g_dir_open(target, 0, NULL) : NULL;
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(target, name, NULL);
		char *real = realpath(path, NULL);
		gboolean same = real && g_str_equal(real, device);
		free(real);
		if (same)
			return g_steal_pointer(&path);
	}
	return g_steal_pointer(&device);
}

PoolVolume *pool_device_volume(const char *name, const char *path, guint64 bytes)
{
	PoolVolume *volume = pool_volume_new(VOLUME_BLOCK, name, path);
	volume->format = "raw";
	volume->capacity = volume->allocation = volume->physical = bytes;
	return volume;
}

void pool_sum(const GPtrArray *volumes, PoolSizes *sizes)
{
	*sizes = (PoolSizes){ 0 };
	for (guint i = 0; i < volumes->len; i++)
		sizes->capacity += ((PoolVolume *)volumes->pdata[i])->capacity;
	sizes->allocation = sizes->capacity;
}

GBytes *pool_secret(const PoolUse *use, const char *type, GError **error)
{
	const PoolAuth *auth = use->pool->source->auth;
	if (!auth || !auth->secret)
		return NULL;
	if (use->needs && use->needs->secret)
		return use->needs->secret(use->needs->owner, auth->secret, type, error);
	fail(error, LODGE_ERROR_NOT_FOUND, "pool \"%s\": its secret cannot be asked for", use->pool->name);
	return NULL;
}

/* ---- SCSI ---- */

#define SCSI "/sys/bus/scsi/devices"
#define NODE_US (3 * G_USEC_PER_SEC) /* for all new ones of a scan */

/* The block device of a unit, "sda"; NULL: it is none. */
static char *block_of(const char *unit)
{
	g_autofree char *folder = g_build_filename(SCSI, unit, "block", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name = dir ? g_dir_read_name(dir) : NULL;
	return g_strdup(name);
}

static guint64 sectors_of(const char *node)
{
	g_autofree char *path = g_build_filename("/sys/class/block", node, "size", NULL), *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* A disk, by what the unit says of itself; tapes and enclosures have no block device. */
static gboolean is_disk(const char *unit)
{
	g_autofree char *path = g_build_filename(SCSI, unit, "type", NULL), *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return FALSE; /* gone */
	guint64 type = g_ascii_strtoull(text, NULL, 10);
	return type == 0 || type == 14 || type == 20; /* SPC-5: plain, reduced, zoned */
}

/* The kernel makes block devices a moment after the units that it found. */
static char *wait_for_block(const char *unit, gint64 until)
{
	char *node = block_of(unit);
	while (!node && is_disk(unit) && g_get_monotonic_time() < until) {
		g_usleep(20000);
		node = block_of(unit);
	}
	return node;
}

gboolean pool_scsi_units(const Pool *pool, int host, GPtrArray *volumes, PoolSizes *sizes, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(SCSI, 0, NULL);
	gint64 until = g_get_monotonic_time() + NODE_US;
	if (!dir)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "pool \"%s\": this host has no SCSI devices (%s is missing)", pool->name, SCSI);
	for (const char *unit; (unit = g_dir_read_name(dir));) {
		int at[4];
		if (sscanf(unit, "%d:%d:%d:%d", &at[0], &at[1], &at[2], &at[3]) != 4 || at[0] != host)
			continue;
		g_autofree char *node = wait_for_block(unit, until);
		if (!node)
			continue;
		g_autofree char *name = g_strdup_printf("unit:%d:%d:%d", at[1], at[2], at[3]);
		g_autofree char *path = pool_device_name(pool_path(pool), node);
		g_ptr_array_add(volumes, pool_device_volume(name, path, sectors_of(node) * 512));
	}
	pool_sum(volumes, sizes);
	return TRUE;
}
